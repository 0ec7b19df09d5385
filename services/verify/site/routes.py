"""The addresses of the public's other pages. They need nothing but the node's own file, and no script."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from flask import Response, request

from services.domain.errors import NotFound
from services.domain.identifiers import civil_day, instant_of
from services.domain.standing import Standing
from services.language import Language
from services.verify import pages
from services.verify.answer import body_on
from services.verify.districts import in_use
from services.verify.node import Node
from services.verify.pages import Frame
from services.verify.quick import etag
from services.verify.read_model import Unreadable
from services.verify.site import bodies, marks, stats
from services.verify.site.figures import Counting
from services.verify.site.words import PRIVACY, SITE
from services.verify.timed_page import beijing
from services.verify.wording import LABELS
from services.web import Blueprint

_PAGE = {200: {"description": "A page", "content": {"text/html": {}}}}
_LANG = {"name": "lang", "in": "query", "schema": {"type": "string", "enum": ["zh", "en"]}}
_TABLES = ("certificates", "marks", "bodies", "schemes", "recalls", "warnings", "entries")


def blueprint(node: Node) -> Blueprint:
    """Marks, bodies, figures, data, its state, and privacy."""
    site = Blueprint("site", __name__, description="Pages beside the verdicts")
    counting = Counting(node.settings.data / "verify")

    @site.get("/marks")
    @site.doc(summary="What each mark means", parameters=[_LANG], responses=_PAGE)
    def all_marks() -> Response:
        return _marks(node)

    @site.get("/marks/<name>")
    @site.doc(summary="What one mark means, by its id or its scheme's", parameters=[_LANG], responses=_PAGE)
    def one_mark(name: str) -> Response:
        return _mark(node, name)

    @site.get("/bodies")
    @site.doc(
        summary="Certification bodies",
        parameters=[{"name": name, "in": "query", "schema": {"type": "string"}} for name in ("q", "scheme", "page")]
        + [_LANG],
        responses=_PAGE,
    )
    def all_bodies() -> Response:
        return _bodies(node)

    @site.get("/bodies/<approval_no>")
    @site.doc(summary="One certification body: scopes, keys, approval", parameters=[_LANG], responses=_PAGE)
    def one_body(approval_no: str) -> Response:
        return _body(node, approval_no)

    @site.get("/stats")
    @site.doc(
        summary="Figures: charts with their tables",
        parameters=[_LANG],
        responses={**_PAGE, 503: {"description": "They are being counted, or there is no data"}},
    )
    def figures() -> Response:
        return _stats(node, counting)

    @site.get("/stats/<name>.csv")
    @site.doc(
        summary="A table of the figures as a file",
        parameters=[_LANG],
        responses={200: {"description": "CSV in UTF-8", "content": {"text/csv": {}}}},
    )
    def table(name: str) -> Response:
        return _table(node, counting, name)

    @site.get("/data")
    @site.doc(summary="Open data: dumps, the state topic, status lists", parameters=[_LANG], responses=_PAGE)
    def data() -> Response:
        return _data(node)

    @site.get("/status")
    @site.doc(summary="How fresh this node's data is", parameters=[_LANG], responses=_PAGE)
    def status() -> Response:
        return _status(node)

    @site.get("/privacy")
    @site.doc(summary="What is kept about those who look up: nothing", parameters=[_LANG], responses=_PAGE)
    def privacy() -> Response:
        frame = node.frame()
        sections = [(name[frame.language], text[frame.language]) for name, text in PRIVACY]
        return page(node, frame, "privacy.html", "privacy_title", sections=sections)

    return site


def page(node: Node, frame: Frame, template: str, title: str, **members: Any) -> Response:
    """A page that may be kept as long as it is asked for again; `title` is a name of SITE, or the title itself."""
    heading = SITE[title][frame.language] if title in SITE else title
    content = pages.site_page(template, frame, heading, **members)
    response = node.html(content, frame)
    response.headers["Cache-Control"] = "no-cache"
    response.headers["ETag"] = etag(content)
    response.make_conditional(request)
    return response


def _marks(node: Node) -> Response:
    frame, day = node.frame(), civil_day(node.clock())
    directory = node.directory()
    shown = [
        SimpleNamespace(
            id=one.id,
            name=one.name,
            mark=one.mark,
            about=[
                SimpleNamespace(
                    name=(said := marks.about(directory, scheme, day, frame)).name,
                    duty=said.duty,
                    means=said.means,
                )
                for scheme in one.schemes
            ],
        )
        for one in marks.signs(directory, day, frame.language)
    ]
    return page(
        node,
        frame,
        "marks.html",
        "marks_title",
        marks=[one for one in shown if one.mark],
        others=[one for one in shown if not one.mark],
    )


def _mark(node: Node, name: str) -> Response:
    frame, day = node.frame(), civil_day(node.clock())
    directory = node.directory()
    sign = marks.sign(directory, day, frame.language, name)
    schemes = [marks.about(directory, scheme, day, frame) for scheme in sign.schemes]
    return page(node, frame, "mark.html", sign.name, schemes=schemes)


def _bodies(node: Node) -> Response:
    frame, now = node.frame(), node.clock()
    day, language = civil_day(now), frame.language
    directory = node.directory()
    q, scheme = request.args.get("q", "").strip()[:100], request.args.get("scheme", "")
    if scheme and scheme not in directory.schemes:
        raise NotFound(f"no scheme {scheme!r}")
    found = bodies.found(directory, q, scheme, day)
    asked = request.args.get("page", "1")
    shown, number, count = bodies.one_page(found, int(asked) if asked.isascii() and asked[:6].isdigit() else 1)
    kept: Mapping[str, str] = {name: text for name, text in (("q", q), ("scheme", scheme)) if text}
    rules = directory.scheme_on(scheme, day) if scheme else None
    name = rules["name"][language] if rules else ""
    return page(
        node,
        frame,
        "bodies.html",
        "bodies_title",
        q=q,
        scheme=scheme,
        scheme_name=SITE["scheme_only"][language].format(scheme=name) if scheme else "",
        count=SITE["found"][language].format(count=len(found)),
        rows=[bodies.row(directory, body, day, frame) for body in shown],
        pages=count,
        page_of=SITE["page_of"][language].format(page=number, pages=count),
        previous=frame.link("/bodies", **kept, page=number - 1) if number > 1 else "",
        following=frame.link("/bodies", **kept, page=number + 1) if number < count else "",
        keys=bodies.keys_of_others(directory, now, day, frame) if not kept and number == 1 else [],
    )


def _body(node: Node, approval_no: str) -> Response:
    frame, now = node.frame(), node.clock()
    day, language = civil_day(now), frame.language
    directory = node.directory()
    body = bodies.body_of(directory, approval_no)
    end = body["approved_until"] or LABELS["no_end"][language]
    return page(
        node,
        frame,
        "body.html",
        body["name"],
        row=bodies.row(directory, body, day, frame),
        approved=LABELS["from_to"][language].format(from_=body["approved_from"], until=end),
        alliances=bodies.alliances(directory, body, day),
        story=bodies.story(body, frame),
        scopes=bodies.scopes(directory, body, day, frame),
        backfills=[SITE["backfill"][language].format(day=one["from"], until=one["until"]) for one in body["backfills"]],
        keys=bodies.keys_of(directory, body, now, day, frame),
    )


def _stats(node: Node, counting: Counting) -> Response:
    frame, day = node.frame(), civil_day(node.clock())
    language = frame.language
    directory = node.directory()
    with node.readable():
        figures = counting.figures(node.register, day)
    valid = sum(found for (_, one), found in figures.by_scheme.items() if one is Standing.VALID)
    approved = sum(body_on(directory, body, day)[1] == "approved" for body in directory.bodies)
    totals = [
        (SITE["total"][language], f"{sum(figures.by_scheme.values()):,}"),
        (SITE["total_valid"][language], f"{valid:,}"),
        (SITE["total_bodies"][language], f"{approved:,}"),
    ]
    return page(
        node,
        frame,
        "stats.html",
        "stats_title",
        day=figures.day.isoformat(),
        as_of=beijing(figures.as_of),
        seq=f"{figures.seq:,}",
        totals=totals,
        sections=stats.sections(figures, directory, frame),
    )


def _table(node: Node, counting: Counting, name: str) -> Response:
    if name not in stats.SECTIONS:
        raise NotFound(f"no table {name!r}")
    frame, day = node.frame(), civil_day(node.clock())
    directory = node.directory()
    with node.readable():
        figures = counting.figures(node.register, day)
    content = stats.as_csv(stats.SECTIONS[name](figures, directory, frame).table)
    response = Response(content, content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}-{figures.day.isoformat()}.csv"'
    response.headers["Cache-Control"] = "no-cache"
    response.headers["ETag"] = etag(content)
    response.make_conditional(request)
    return response


def _data(node: Node) -> Response:
    frame = node.frame()
    try:
        genesis = node.register.meta().genesis
    except Unreadable:
        genesis = node.settings.genesis
    return page(
        node,
        frame,
        "data.html",
        "data_title",
        tables=_TABLES,
        genesis=genesis,
        registry=node.settings.registry_url,
        origin=node.settings.public_url,
    )


def _status(node: Node) -> Response:
    frame, now = node.frame(), node.clock()
    language = frame.language
    lists = []
    facts = [(SITE["now"][language], _at(now, language))]
    limit = SITE["limit_is"][language].format(hours=node.settings.stale_after_hours)
    try:
        meta = node.register.meta()
        for stored in node.register.model.records_under("list"):
            at = instant_of(stored.payload()["recorded_at"])
            name = SITE["list_name"][language].format(number=stored.key.removeprefix("list/"))
            lists.append({"name": name, "at": _at(at, language), "age": _age(now, at, language)})
    except Unreadable:
        state = "missing"
    else:
        building = not meta.complete or meta.as_of is None
        state = "building" if building else "good" if meta.fresh(now, node.stale_after) else "stale"
        if meta.as_of is not None:
            facts += [
                (LABELS["as_of"][language], _at(meta.as_of, language)),
                (SITE["age"][language], _age(now, meta.as_of, language)),
            ]
        facts += [
            (SITE["last_entry"][language], f"{meta.seq:,}"),
            (SITE["position"][language], f"{meta.position:,}"),
        ]
    facts += [(SITE["limit"][language], limit), (SITE["districts"][language], _districts(node, language))]
    response = page(node, frame, "status.html", "status_title", state=state, facts=facts, lists=lists)
    response.headers["Cache-Control"] = "no-store"
    return response


def _districts(node: Node, language: Language) -> str:
    """Whether copies are told by district, in words."""
    table = in_use(node.settings.data / "verify")
    name = "districts_unknown" if table is None else "districts_used" if table.networks else "districts_none"
    return SITE[name][language].format(**asdict(table) if table else {})


def _at(instant: datetime, language: Language) -> str:
    return f"{beijing(instant)} ({LABELS['beijing'][language]})"


def _age(now: datetime, at: datetime, language: Language) -> str:
    seconds = max(0, int((now - at).total_seconds()))
    largest = "hours" if seconds >= 3600 else "minutes" if seconds >= 60 else "seconds"
    return SITE[largest][language].format(hours=seconds // 3600, minutes=seconds // 60 % 60, seconds=seconds % 60)
