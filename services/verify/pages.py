"""The pages that people see: an answer in words, by one template each, in either language."""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, Literal
from urllib.parse import quote, urlencode

from jinja2 import Template
from markupsafe import Markup

from services import chart
from services.domain.certificate import Certificate, Mark, Party, Status
from services.domain.consequence import WITHOUT, Allowed
from services.domain.identifiers import instant_text
from services.domain.notices import LEVELS
from services.domain.scheme import Coverage, Words
from services.domain.standing import Standing, interval_on, mark_standing, part_standing, standing
from services.domain.unit_code import Form
from services.verify.answer import Answer, Unit
from services.verify.notices import recall_reason, recall_scope
from services.verify.page_parts import (
    FactRow,
    Line,
    MayLine,
    dated_markup,
    history_markup,
    lines_markup,
    may_markup,
    rows_markup,
)
from services.verify.page_templates import ENVIRONMENTS, STYLE
from services.verify.permits import permits_today
from services.verify.site.words import SITE
from services.verify.story import Happening, reason_text, story, until_clause
from services.verify.timed_page import CHECKED_ISO, CHECKED_TEXT, beijing, timed
from services.verify.wording import (
    ACT_WORD,
    ALLOWED_WORD,
    BESIDE,
    BODY_WORD,
    DECLARATION_WITHDRAWN,
    EXPECTED,
    HTML_LANG,
    LABELS,
    SEVERAL,
    STATUS_WORD,
    SYSTEM_EXPLANATION,
    SYSTEM_NEXT_STEP,
    UNKNOWN_UNIT,
    VERDICT,
    VOID_UNIT,
    Code,
    Family,
    Note,
    wording,
)

_STYLES = " ".join(
    f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode('ascii')}'"
    for style in (STYLE, chart.STYLE)
)

CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src {_STYLES}; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""No script and nothing from elsewhere; our styles are named by their hashes, so nothing injected has a look either."""

NAVIGATION = (
    ("/", "home"),
    ("/scan", "scan"),
    ("/marks", "nav_marks"),
    ("/bodies", "nav_bodies"),
    ("/stats", "nav_stats"),
    ("/data", "nav_data"),
    ("/status", "nav_status"),
    ("/privacy", "nav_privacy"),
    ("/docs", "api"),
)
"""What every page leads to: (path, name of the label)."""

SILENT = (Code.BAD_SIGNATURE, Code.UNKNOWN_SIGNER, Code.UNREADABLE, Code.IMPOSTOR_HOST)
"""Codes after which nothing that the scanned code said is shown, not even in a link or a field."""

for _one in ENVIRONMENTS.values():
    _one.filters |= {"rows": rows_markup, "happenings": history_markup, "lines": lines_markup, "may": may_markup}
    _one.filters["dated"] = dated_markup
_site = {language: SimpleNamespace(**{name: text[language] for name, text in SITE.items()}) for language in HTML_LANG}
_field = {
    language: environment.from_string(
        '{% from "parts.html" import field with context %}{{ field(value, error, label.look_up_another) }}'
    )
    for language, environment in ENVIRONMENTS.items()
}


@dataclass(frozen=True, slots=True)
class Frame:
    """What a page needs beside its content. `explicit` means that the address names the language.

    `other_href` is the address of the same page in the other language, empty where there is none to give.
    """

    language: str
    explicit: bool = False
    other_href: str = ""
    demonstration: bool = False

    def link(self, path: str, **query: str | int) -> str:
        """The address of another page in the same language."""
        asked = {**query, **({"lang": self.language} if self.explicit else {})}
        return f"{path}?{urlencode(asked)}" if asked else path

    @property
    def query(self) -> str:
        return f"?lang={self.language}" if self.explicit else ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a receipt holds beside the page itself."""

    sha256: str
    """of the answer's JSON, as `GET /v1/verify` gives it, at that moment"""
    url: str
    code: Markup
    """the QR of the address, as SVG"""


@dataclass(slots=True)
class _View:
    """Everything that the verdict template prints."""

    family: str
    word: str
    title: str
    explanation: str
    next_step: str
    code: str
    as_of: str
    has_data: bool
    checked_iso: str = CHECKED_ISO
    checked_at: str = CHECKED_TEXT
    replacement: Mapping[str, str] | None = None
    alerts: Sequence[Mapping[str, str]] = ()
    looked_up: str = ""
    report_href: str = ""
    recalls: Sequence[Mapping[str, str]] = ()
    notes: Sequence[str] = ()
    coverage: Sequence[str] = ()
    expected: Sequence[str] = ()
    candidates: Sequence[Mapping[str, str]] = ()
    may: tuple[MayLine, ...] = ()
    may_reasons: Sequence[str] = ()
    may_without: bool = False
    rows: list[FactRow] = field(default_factory=list)
    rows_heading: str = ""
    history: Sequence[Happening] = ()
    signed: bool = False
    digest: str = ""
    proof_text: str = ""
    seq: int | None = None
    seal_kid: str = ""
    path: str = ""
    receipt_href: str = ""
    number: str = ""
    report: str = ""
    typed: str = ""
    problem: str = ""


def verdict_page(
    answer: Answer, frame: Frame, public_url: str, registry_url: str, receipt: Receipt | None = None
) -> tuple[bytes, bytes]:
    """(page, what its tag is made of): the second is the page without the time it was checked at.

    With `receipt` it is the page of a PDF: on paper nothing can be clicked or typed.
    """
    view = _view(answer, frame, public_url)
    title = view.title
    if view.number:
        title += f" – {view.number}"
    html = _template("verdict.html", frame).render(
        v=view,
        title=f"{title} – {LABELS['site'][frame.language]}",
        robots="noindex",
        origin=public_url,
        registry=registry_url,
        receipt=receipt,
        field=_field_for(view.typed, view.problem, frame),
        **_frame(frame),
    )
    tagged = html.encode()
    iso, text = instant_text(answer.checked_at), beijing(answer.checked_at)
    return timed(tagged).at(iso.encode(), text.encode()), tagged


def front_page(frame: Frame, as_of: datetime | None, examples: Sequence[tuple[str, Code, tuple[Note, ...]]]) -> bytes:
    """The page with the one field. `examples` are numbers with their answers today."""
    language = frame.language
    shown = [
        {
            "number": number,
            "href": frame.link(certificate_path(number)),
            "title": wording(code, notes).title[language],
            "family": wording(code, notes).family.value,
        }
        for number, code, notes in examples
    ]
    return (
        _template("front.html", frame)
        .render(
            title=LABELS["site"][language],
            robots="index",
            examples=shown,
            as_of=beijing(as_of) if as_of else LABELS["no_data"][language],
            has_data=as_of is not None,
            site=_site[language],
            **_frame(frame),
        )
        .encode()
    )


def rendered(template: str, view: object, title: str, frame: Frame, robots: str = "noindex") -> bytes:
    """A page of another module's view in the frame that all pages share."""
    site = LABELS["site"][frame.language]
    return _template(template, frame).render(v=view, title=f"{title} – {site}", robots=robots, **_frame(frame)).encode()


def site_page(template: str, frame: Frame, title: str, **members: Any) -> bytes:
    """One of the pages beside the verdicts, with what its template prints."""
    return (
        _template(template, frame)
        .render(
            title=f"{title} – {LABELS['site'][frame.language]}",
            heading=title,
            robots="index",
            site=_site[frame.language],
            **_frame(frame),
            **members,
        )
        .encode()
    )


def body_word(status: str, language: str) -> str:
    return BODY_WORD[status][language]


_ERRORS = {404: "error_404", 413: "error_413", 429: "error_429", 501: "error_501", 503: "error_503"}


def error_page(status: int, frame: Frame) -> bytes:
    """A page for when something is wrong with the request or with us; it needs no data."""
    kind = _ERRORS.get(status) or ("error_500" if status >= 500 else "error_400")
    heading = LABELS[kind][frame.language]
    return (
        _template("error.html", frame)
        .render(
            title=f"{heading} – {LABELS['site'][frame.language]}",
            robots="noindex",
            heading=heading,
            text=LABELS[f"{kind}_text"][frame.language],
            **_frame(frame),
        )
        .encode()
    )


def _template(name: str, frame: Frame) -> Template:
    return ENVIRONMENTS[frame.language].get_template(name)


def _frame(frame: Frame) -> dict[str, Any]:
    other = "zh" if frame.language == "en" else "en"
    return {
        "explicit": frame.explicit,
        "other_href": frame.other_href,
        "other_lang": HTML_LANG[other],
        "lang_query": frame.query,
        "navigation": _navigation(frame.language, frame.explicit),
        "link": frame.link,
        "demonstration": frame.demonstration,
    }


@lru_cache
def _navigation(language: str, explicit: bool) -> Markup:
    """The links at the foot of every page."""
    frame = Frame(language, explicit)
    link = Markup('<a href="{}">{}</a>')
    return Markup("").join(link.format(frame.link(path), LABELS[name][language]) for path, name in NAVIGATION)


def _field_for(value: str, problem: str, frame: Frame) -> Markup:
    """The field under an answer; nearly always the empty one."""
    if value or problem:
        return _field_of(value, problem, frame.language, frame.explicit)
    return _empty_field(frame.language, frame.explicit)


@lru_cache
def _empty_field(language: str, explicit: bool) -> Markup:
    return _field_of("", "", language, explicit)


def _field_of(value: str, problem: str, language: str, explicit: bool) -> Markup:
    return Markup(_field[language].render(value=value, error=problem, explicit=explicit))  # noqa: S704  # by a template


def certificate_path(number: str) -> str:
    return f"/c/{quote(number, safe='')}"


def product_path(uscc: str, model: str) -> str:
    return f"/products/{quote(uscc, safe='')}/{quote(model, safe='')}"


def mark_path(mark_no: str) -> str:
    return f"/m/{quote(mark_no, safe='')}"


# --- the verdict in words --------------------------------------------------------------------------------


def _view(answer: Answer, frame: Frame, public_url: str) -> _View:
    language = frame.language
    worded = wording(answer.code, answer.notes) if answer.code else SEVERAL
    facts = _Facts(answer, language)
    view = _View(
        family=worded.family.value,
        word=VERDICT[worded.family][language],
        title=worded.title[language],
        explanation=_explanation(answer, facts),
        next_step=(SYSTEM_NEXT_STEP if _is_about_a_system(answer) else worded.next_step)[language],
        code=answer.code.value if answer.code else "",
        as_of=facts["as_of"],
        has_data=answer.as_of is not None,
        alerts=_alerts(answer, language),
        looked_up=_looked_up(answer, facts),
        report_href=_report_href(answer, frame),
        recalls=_recalls(answer, language),
        notes=_notes(answer, facts),
        coverage=_coverage(answer, language),
        expected=_expected(answer, language),
        candidates=[_candidate(one, frame) for one in answer.candidates],
        signed=answer.signed,
        seq=answer.seq,
    )
    certificate = answer.certificate
    if certificate is not None:
        assert answer.found is not None
        view.number = certificate.certificate_no
        view.rows_heading = LABELS["declaration_details" if certificate.declaration else "details"][language]
        view.rows = list(_rows(answer, certificate, frame))
        view.history = story(answer, language)
        _tell_deeds(view, answer, language)
        view.digest = answer.found.digest or ""
        view.proof_text = LABELS["proof_text"][language].format(seq=answer.found.seq)
        view.seal_kid, view.path = answer.found.seal_kid, certificate_path(certificate.certificate_no)
        if answer.code is Code.SUPERSEDED and certificate.superseded_by:
            number = certificate.superseded_by
            view.replacement = {"number": number, "href": frame.link(certificate_path(number))}
    elif answer.code not in SILENT and answer.code is not Code.NOT_OURS:
        asked = answer.question.number or answer.question.serial or answer.question.gtin or ""
        if answer.code is Code.MALFORMED_NUMBER:
            view.typed, view.problem = answer.question.text[:200], view.explanation
        elif asked:
            view.rows = [FactRow(unit_name(answer.unit, language) if answer.unit else LABELS["asked"][language], asked)]
            view.typed = asked
    if worded.family is not Family.INPUT:
        view.report = _report(answer, view, language, public_url)
    view.receipt_href = _receipt_href(answer, frame)
    return view


def _receipt_href(answer: Answer, frame: Frame) -> str:
    """Where the answer is to be had as a PDF; after a refused code there is nothing that could be asked again."""
    asked = answer.question
    if answer.code in (*SILENT, None, Code.NOT_OURS, Code.MALFORMED_NUMBER, Code.STATUS_UNKNOWN):
        return ""
    if answer.certificate is not None and asked.gtin is None and answer.mark is None:
        return frame.link(f"{certificate_path(answer.certificate.certificate_no)}/receipt.pdf")
    text = asked.number or asked.gtin
    if answer.mark is not None:
        text = answer.mark.mark_no
    return frame.link("/receipt.pdf", q=text) if text else ""


class _Facts(dict[str, str]):
    """The names that the catalogue's sentences may use, for one answer in one language."""

    def __init__(self, answer: Answer, language: str) -> None:
        super().__init__()
        self.language = language
        self["as_of"] = beijing(answer.as_of) if answer.as_of else LABELS["no_data"][language]
        certificate, interval = answer.certificate, answer.interval
        if answer.lookups is not None:
            self["n"] = str(answer.lookups.count)
            self["time"] = answer.lookups.first_on.isoformat()
        if answer.recalls:
            recall = answer.recalls[0].state
            self["recalled"] = recall_scope(recall, language)
            self["recall_reason"] = recall_reason(recall)["en" if language == "en" else "zh"]
            self["recalled_since"] = recall["opened_on"]
            self["recall_text"] = recall["text"]["en" if language == "en" else "zh"]
        if certificate is None:
            return
        self["holder"] = certificate.holder.name
        self["scope"] = certificate.service_scope or (certificate.product.name if certificate.product else "")
        self["valid_from"] = certificate.valid_from.isoformat()
        self["valid_until"] = certificate.valid_until.isoformat() if certificate.valid_until else ""
        self["superseded_by"] = certificate.superseded_by or ""
        self["surveillance_due"] = certificate.surveillance_due.isoformat() if certificate.surveillance_due else ""
        self["body"] = _body_name(answer)
        self["mark"] = _mark_name(answer, answer.mark.mark if answer.mark else None, language)
        asked = answer.question
        self["asked"] = asked.gtin or asked.number or ""
        items = certificate.product.items if certificate.product else ()
        self["registered"] = LABELS["and"][language].join(item.model for item in items) or self["scope"]
        if interval is not None:
            self["since"] = interval.since.isoformat()
            self["reason"] = reason_text(interval.reason, language)
            self["until_clause"] = until_clause(interval, answer.day, language)

    def fill(self, sentence: str) -> str:
        return sentence.format_map(self)

    def __missing__(self, name: str) -> str:
        return "–"


def _explanation(answer: Answer, facts: _Facts) -> str:
    language = facts.language
    certificate = answer.certificate
    if _is_about_a_system(answer):
        return facts.fill(SYSTEM_EXPLANATION[language])
    if answer.code is Code.CANCELLED and certificate and certificate.declaration and not _reason_of(answer):
        return DECLARATION_WITHDRAWN[language]
    worded = wording(answer.code, answer.notes) if answer.code else SEVERAL
    if answer.unit is not None and answer.code is Code.UNKNOWN_NUMBER:
        worded = replace(worded, explanation=UNKNOWN_UNIT)
        facts["unit"] = unit_name(answer.unit, language)
    if answer.unit is not None and answer.code is Code.MARK_NOT_AUTHORIZED and is_void(answer):
        worded = replace(worded, explanation=VOID_UNIT)
        facts["unit"] = unit_name(answer.unit, language)
        return facts.fill(worded.explanation[language])
    text = facts.fill(worded.explanation[language])
    if answer.code is Code.MARK_NOT_AUTHORIZED and answer.interval and answer.interval.status is not Status.ACTIVE:
        colon = LABELS["colon"][language]
        status = STATUS_WORD[answer.interval.status][language]
        text += f" {status}{colon}{facts.fill(LABELS['since'][language])}"
        if answer.interval.reason:
            text += f" ({facts['reason']})"
    return text


def is_void(answer: Answer) -> bool:
    """Whether it is this one unit's code that counts no more."""
    void = answer.unit.voided if answer.unit else None
    return void is not None and answer.interval is not None and answer.interval.digest == void.digest


def _is_about_a_system(answer: Answer) -> bool:
    """Whether a yes is about an organisation's system or service, and says nothing of its products."""
    return answer.code is Code.VALID and answer.scheme is not None and answer.scheme["class"] in ("service", "system")


def _reason_of(answer: Answer) -> str | None:
    return answer.interval.reason if answer.interval else None


def _notes(answer: Answer, facts: _Facts) -> list[str]:
    """The sentences of the notes that the headline does not already say."""
    if answer.code is None:
        return []
    said = wording(answer.code, answer.notes)
    headline = [note for note in (Note.SCOPE_LIMITED, Note.SELF_DECLARED) if answer.code is Code.VALID]
    said_above = (Note.ALERT, Note.POSSIBLE_COPY) if answer.code is Code.VALID else (Note.ALERT,)
    return [
        facts.fill(BESIDE[note][facts.language])
        for note in answer.notes
        if note not in said_above and (note not in headline or said.family is not Family.YES)
    ]


def _report_href(answer: Answer, frame: Frame) -> str:
    """The form of a report, with what was asked carried over: never what a code said that is not to be trusted."""
    carried = {"lang": frame.language} if frame.explicit else {}
    if answer.code is not None and answer.code not in SILENT:
        question = answer.question
        unit = question.path.url_path if question.path is not None else ""
        number = certificate_path(answer.certificate.certificate_no) if answer.certificate else question.number or ""
        carried |= {"code": unit or number or question.gtin or "", "answer": answer.code.value}
    elif answer.code is not None:
        carried |= {"answer": answer.code.value}
    return "/report" + (f"?{urlencode(carried)}" if carried else "")


def _looked_up(answer: Answer, facts: _Facts) -> str:
    """Of one unit: how often its code was looked up, where the headline does not say it already."""
    if not answer.is_unit or (answer.code is Code.VALID and Note.POSSIBLE_COPY in answer.notes):
        return ""
    return facts.fill(LABELS["looked_up" if answer.lookups else "not_looked_up"][facts.language])


def _alerts(answer: Answer, language: str) -> list[dict[str, str]]:
    """The consumer alerts, which stand above the verdict."""
    until = LABELS["alert_until"][language]
    return [
        {
            "level": LEVELS[state["level"]][language == "en"],
            "text": state["text"]["en" if language == "en" else "zh"],
            "source": until.format(instrument=state["instrument"], until=state["until"]),
        }
        for state in (alert.state for alert in answer.alerts)
    ]


def _recalls(answer: Answer, language: str) -> list[dict[str, str]]:
    """The recalls with the act, both dates and the event behind each."""
    recorded = LABELS["recorded"][language]
    return [
        {
            "instrument": recall.state["instrument"],
            "scope": recall_scope(recall.state, language),
            "since": LABELS["since"][language].format(since=recall.state["opened_on"]),
            "recorded": recorded.format(recorded_at=beijing(recall.recorded_at), seq=recall.seq),
            "digest": recall.state["digest"],
        }
        for recall in answer.recalls
    ]


def _coverage(answer: Answer, language: str) -> list[str]:
    return coverage_lines(answer.coverage, language) if answer.code is Code.UNKNOWN_NUMBER else []


def coverage_lines(told_of: Iterable[tuple[Words, Coverage]], language: str) -> list[str]:
    """For what kinds of certificate the register is complete, kinds with the same to say in one line."""
    kinds: dict[tuple[bool, str], list[str]] = {}
    for name, coverage in told_of:
        told = (coverage["complete"], coverage["en" if language == "en" else "zh"])
        kinds.setdefault(told, []).append(name["en" if language == "en" else "zh"])
    if kinds and not any(complete for complete, _ in kinds):
        return [*(text for _, text in kinds), LABELS["coverage_unknown"][language]]
    return [
        LABELS["complete" if complete else "incomplete"][language].format(
            name=LABELS["and"][language].join(names), text=text
        )
        for (complete, text), names in kinds.items()
    ]


def _expected(answer: Answer, language: str) -> list[str]:
    if answer.code is not Code.MALFORMED_NUMBER:
        return []
    hints = [hint["en" if language == "en" else "zh"] for hint in answer.hints]
    return list(dict.fromkeys([*(EXPECTED[kind][language] for kind in answer.question.expected), *hints]))


def _candidate(answer: Answer, frame: Frame) -> dict[str, str]:
    certificate, language = answer.certificate, frame.language
    assert certificate is not None
    assert answer.code is not None
    worded = wording(answer.code, answer.notes)
    return {
        "number": certificate.certificate_no,
        "href": frame.link(certificate_path(certificate.certificate_no)),
        "title": worded.title[language],
        "family": worded.family.value,
        "product": certificate.product.name
        if certificate.product
        else f"{LABELS['service_scope'][language]}{LABELS['colon'][language]}{certificate.service_scope or ''}",
        "scheme": _scheme_name(answer, language),
        "holder": certificate.holder.name,
        "body": _body_name(answer),
    }


# --- what it means -----------------------------------------------------------------------------------------

_LOOK = {Allowed.YES: Family.YES, Allowed.NO: Family.NO, Allowed.REVIEW: Family.CANNOT_SAY}


def _tell_deeds(view: _View, answer: Answer, language: str) -> None:
    """A line for each deed, and why not, once for all deeds with the same reason."""
    today = None if is_void(answer) else permits_today(answer)  # goods with a void code are not told apart by dates
    if today is None:
        return
    words: Literal["zh", "en"] = "en" if language == "en" else "zh"
    reasons: dict[str, list[str]] = {}
    for act, permit in today.permits.items():
        if permit.allowed is not Allowed.YES or today.suspended_parts:
            reason = permit.reason[words].replace(WITHOUT[words], "")
            reasons.setdefault(reason, []).append(ACT_WORD[act][language])
    view.may = tuple(
        MayLine(ACT_WORD[act][language], _LOOK[permit.allowed].value, ALLOWED_WORD[permit.allowed][language])
        for act, permit in today.permits.items()
    )
    view.may_reasons = [
        f"{LABELS['and'][language].join(acts)}{LABELS['colon'][language]}{reason}" for reason, acts in reasons.items()
    ]
    view.may_without = any(WITHOUT[words] in permit.reason[words] for permit in today.permits.values())


# --- the facts ------------------------------------------------------------------------------------------


def _rows(answer: Answer, certificate: Certificate, frame: Frame) -> Iterable[FactRow]:
    language = frame.language

    def label(name: str) -> str:
        return LABELS[name][language]

    yield FactRow(label("declaration_no" if certificate.declaration else "number"), certificate.certificate_no)
    if answer.unit is not None:
        yield _unit_row(answer.unit, language)
    yield FactRow(label("standing"), STATUS_WORD[_certificate_standing(answer)][language])
    yield FactRow(label("scheme"), _scheme_name(answer, language), sub=certificate.certification_mode or "")
    if certificate.product is not None:
        trademark = certificate.product.trademark
        yield FactRow(
            label("product"),
            certificate.product.name,
            sub=f"{label('trademark')}{label('colon')}{trademark}" if trademark else "",
        )
        if certificate.product.items:
            models = [
                Line(
                    item.model,
                    sub=f"GTIN {item.gtin}" if item.gtin else "",
                    here=label("this_item") if item == answer.item else "",
                )
                for item in certificate.product.items
            ]
            yield FactRow(label("models"), items=models)
            if answer.scheme and answer.scheme["same_product"] and certificate.holder.uscc:
                of = [
                    Line(item.model, href=frame.link(product_path(certificate.holder.uscc, item.model)))
                    for item in certificate.product.items
                ]
                yield FactRow(label("over_all_bodies"), items=of)
    if certificate.service_scope:
        yield FactRow(label("service_scope"), certificate.service_scope)
    suspended = [
        part.name + (f" (GTIN {part.gtin})" if part.gtin else "")
        for part in certificate.parts
        if part_standing(certificate, part, answer.day) is not standing(certificate, answer.day)
    ]
    if suspended:
        yield FactRow(label("suspended_parts"), items=[Line(name) for name in suspended])
    if certificate.parent_no:
        yield FactRow(label("parent"), certificate.parent_no)
    yield from _parties(certificate, language)
    yield _body_row(answer, certificate, language)
    from_to = label("from_to").format(from_=certificate.valid_from, until=certificate.valid_until or label("no_end"))
    first = certificate.first_issued_on
    yield FactRow(
        label("validity"),
        from_to,
        sub=f"{label('first_issued')}{label('colon')}{first}" if first != certificate.issued_on else "",
    )
    if certificate.basis:
        yield FactRow(
            label("basis"),
            label("and").join(f"{one.standard}{f'-{one.edition}' if one.edition else ''}" for one in certificate.basis),
        )
    marks = [_mark_line(answer, certificate, mark, frame) for mark in certificate.marks]
    if marks:
        yield FactRow(label("mark"), items=marks)
    printable = [(mark, line) for mark in certificate.marks for line in _qr_lines(answer, mark, frame)]
    if printable:
        yield FactRow(label("qr"), items=[line for _, line in printable])


def unit_name(unit: Unit, language: str) -> str:
    """What people call such a code: 有机码, or what the form says."""
    if unit.name:
        return unit.name["en" if language == "en" else "zh"]
    return LABELS["serial" if unit.form is Form.SERIAL else "unit_code"][language]


def _unit_row(unit: Unit, language: str) -> FactRow:
    if not unit.issued:
        tag = LABELS["unit_not_issued"][language]
        return FactRow(unit_name(unit, language), unit.code, sub=LABELS["unit_not_issued_text"][language], tag=tag)
    issued = LABELS["unit_issued"][language].format(product=unit.product, day=unit.issued_on)
    if unit.voided is None:
        return FactRow(unit_name(unit, language), unit.code, sub=issued)
    void = LABELS["unit_void"][language].format(day=unit.voided.since)
    return FactRow(unit_name(unit, language), unit.code, sub=issued, tag=void, family=Family.NO.value)


def _certificate_standing(answer: Answer) -> str:
    """Of the certificate itself, whatever its mark's."""
    if answer.code is Code.MARK_NOT_AUTHORIZED:
        return Standing.VALID
    return answer.standing or Standing.VALID


def _parties(certificate: Certificate, language: str) -> Iterable[FactRow]:
    holder = certificate.holder

    def row(name: str, party: Party) -> FactRow:
        uscc = f"{LABELS['uscc'][language]} {party.uscc}" if party.uscc else ""
        return FactRow(LABELS[name][language], party.name, sub=uscc)

    yield row("declarant" if certificate.declaration else "holder", holder)
    if certificate.manufacturer and certificate.manufacturer.name != holder.name:
        yield row("manufacturer", certificate.manufacturer)
    if certificate.factory and certificate.factory.name != holder.name:
        yield row("factory", certificate.factory)


def _body_row(answer: Answer, certificate: Certificate, language: str) -> FactRow:
    if certificate.body is None:
        return FactRow(LABELS["body"][language], BESIDE[Note.SELF_DECLARED][language])
    status = answer.body_status or "unknown"
    return FactRow(
        LABELS["body"][language],
        _body_name(answer),
        sub=certificate.body,
        tag=BODY_WORD[status][language],
        family="" if status == "approved" else Family.NO.value,
    )


def _mark_line(answer: Answer, certificate: Certificate, mark: Mark, frame: Frame) -> Line:
    language = frame.language
    name = _mark_name(answer, mark.mark, language)
    name = f"{name} · {mark.family}" if mark.family else name
    interval = interval_on(mark.statuses, answer.day)
    withdrawn = interval is not None and interval.status is Status.WITHDRAWN
    status = Status.WITHDRAWN if withdrawn else mark_standing(certificate, mark, answer.day)
    word = STATUS_WORD[status][language]
    until = mark.valid_until or LABELS["no_end"][language]
    span = LABELS["from_to"][language].format(from_=mark.valid_from, until=until)
    number = "" if mark.mark_no == certificate.certificate_no else f"{mark.mark_no} · "
    return Line(
        name,
        sub=f"{number}{word} · {span}",
        href="" if not number else frame.link(mark_path(mark.mark_no)),
        here=LABELS["this_mark"][language] if answer.mark is mark else "",
    )


def _qr_lines(answer: Answer, mark: Mark, frame: Frame) -> Iterable[Line]:
    """Links to the QR images of a mark that stands."""
    if answer.found is None or mark_standing(answer.found.certificate, mark, answer.day) is not Standing.VALID:
        return
    for token in answer.found.tokens_of(mark.mark_no):
        query = f"?gtin={token.gtin}" if token.gtin else ""
        text = token.model or token.gtin or mark.mark_no
        yield Line(text, href=f"/qr/{quote(mark.mark_no, safe='')}.svg{query}")


def _scheme_name(answer: Answer, language: str) -> str:
    if answer.scheme:
        return answer.scheme["name"]["en" if language == "en" else "zh"]
    return answer.certificate.scheme if answer.certificate else ""


def _mark_name(answer: Answer, mark: str | None, language: str) -> str:
    sign = answer.scheme["mark"] if answer.scheme else None
    if sign and mark in (None, sign["id"]):
        return sign["name"]["en" if language == "en" else "zh"]
    return mark or _scheme_name(answer, language)


def _body_name(answer: Answer) -> str:
    certificate = answer.certificate
    if answer.body:
        return answer.body["name"]
    return (certificate.body if certificate else None) or "–"


# --- the block for 12315 ----------------------------------------------------------------------------------


def _report(answer: Answer, view: _View, language: str, public_url: str) -> str:
    colon = LABELS["colon"][language]
    certificate = answer.certificate
    blank = "________"
    lines = []
    if certificate is not None:
        lines.append((LABELS["number"][language], certificate.certificate_no))
    elif view.rows:
        lines.append((LABELS["asked"][language], view.rows[0].text))
    lines.append((LABELS["answer"][language], f"{view.title} ({view.code})" if view.code else view.title))
    if certificate is not None:
        product = certificate.product.name if certificate.product else certificate.service_scope or ""
        lines += [
            (LABELS["product"][language], product),
            (LABELS["holder"][language], certificate.holder.name),
            (LABELS["body"][language], _body_name(answer)),
        ]
        if view.digest:
            lines.append(("SHA-256", view.digest))
        lines.append(("URL", public_url + certificate_path(certificate.certificate_no)))
    lines.append((LABELS["checked_at"][language], CHECKED_TEXT))
    lines.append((LABELS["as_of"][language], view.as_of))
    lines += [(LABELS[name][language], blank) for name in ("seller", "bought_on", "goods", "complaint")]
    return "\n".join(f"{name}{colon}{text}" for name, text in lines)
