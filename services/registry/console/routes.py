"""The console's addresses: who may open each, and the page that it answers with."""

import json
import re
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlencode

from flask import Blueprint, Response, g, request

from services import telemetry
from services.auth import NotAuthenticated, NotPermitted, Role
from services.domain.clocks import CAN_BE_OVERDUE
from services.domain.errors import CertmarkError, NotFound
from services.domain.identifiers import certificate_number, civil_day, normalised
from services.events.templates import write_template
from services.postgres import Cursor
from services.registry import door, overdue
from services.registry.console import asked, certificates, handed_in, inbox, keys, submissions, visits
from services.registry.console.pages import ROOM, ROOT, Frame, place_of, source_at
from services.registry.console.submissions import Kind, Submission
from services.registry.console.visits import Visitor
from services.registry.decision_feed import place_of as place_of_cursor
from services.registry.door import FormNotOurs
from services.registry.gate import Gate
from services.registry.rooms import attached, back_to, go, language_kept, language_now, other_href, tell_errors
from services.scratch import scratch_folder
from services.settings import Settings

T = TypeVar("T")
SECTIONS = ("inbox", "upload", "submissions", "certificates", "overdue", "keys")
"""A regulator is shown neither `upload` nor `submissions`: what was not reported is its author's alone."""
COOKIE = "certmark_console"
_MOST_TO_FIX = 5000
_EVENTS_ABOUT = 100
_DECIDED_WITHIN = timedelta(minutes=2)
_TEMPLATES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
LARGEST_REQUEST = submissions.LARGEST + 64 * 1024
"""Bytes of a request that hands in a file; all others are held to the service's own limit."""
_LOOKS = {
    keys.KeyState.VALID: "yes",
    keys.KeyState.ENDING: "warn",
    keys.KeyState.AHEAD: "input",
    keys.KeyState.ENDED: "no",
    keys.KeyState.RETIRED: "no",
    keys.KeyState.COMPROMISED: "no",
}
_SEARCH = ("number", "holder", "after")
_KINDS = tuple(kind.value for kind in CAN_BE_OVERDUE)


class Reads(Protocol):
    """Runs a query in a transaction of its own."""

    def __call__(self, query: Callable[[Cursor], T]) -> T: ...


def blueprint(settings: Settings, read: Reads, gate: Gate) -> Blueprint:
    """The pages below `/console`. They are no interface for programs, and so not in the OpenAPI document."""
    pages = Blueprint("console", __name__, url_prefix=ROOT)
    _Console(settings, read, gate).add_to(pages)
    return pages


@dataclass(frozen=True, slots=True)
class _Console:
    """What the routes share."""

    settings: Settings
    read: Reads
    gate: Gate

    def add_to(self, pages: Blueprint) -> None:
        pages.before_request(self.enter)
        pages.after_request(self.finish)
        tell_errors(pages, self.tell)
        for rule, view, methods in (
            ("/", self.start, ("GET",)),
            ("/sign-in", self.sign_in, ("GET", "POST")),
            ("/sign-out", self.sign_out, ("POST",)),
            ("/sources", self.sources, ("GET",)),
            ("/<kind>/<name>/inbox", self.inbox, ("GET",)),
            ("/<kind>/<name>/settled", self.settled, ("POST",)),
            ("/<kind>/<name>/fix.csv", self.fix_list, ("GET",)),
            ("/<kind>/<name>/fix.ndjson", self.fix_drafts, ("GET",)),
            ("/<kind>/<name>/upload", self.upload, ("GET", "POST")),
            ("/<kind>/<name>/template.<form>", self.template, ("GET",)),
            ("/<kind>/<name>/submissions", self.submissions, ("GET",)),
            ("/<kind>/<name>/submissions/<id_>", self.submission, ("GET",)),
            ("/<kind>/<name>/submissions/<id_>/fix.csv", self.fix_file, ("GET",)),
            ("/<kind>/<name>/submissions/<id_>/fix.ndjson", self.fix_file_drafts, ("GET",)),
            ("/<kind>/<name>/certificates", self.certificates, ("GET",)),
            ("/<kind>/<name>/certificates/<path:number>", self.certificate, ("GET",)),
            ("/<kind>/<name>/overdue", self.overdue, ("GET",)),
            ("/<kind>/<name>/keys", self.keys, ("GET",)),
            ("/<kind>/<name>/events/<digest>", self.event, ("GET",)),
            ("/<kind>/<name>/events/<digest>.json", self.event_json, ("GET",)),
        ):
            pages.add_url_rule(rule, view.__name__, view, methods=list(methods), strict_slashes=False)

    # --- who is there ------------------------------------------------------------------------------------------

    def enter(self) -> Response | None:
        """Before every page: the visit that the cookie belongs to, the form's token, and whose pages are asked for.

        Only signing in is open to strangers; anybody else's pages do not exist for a source.
        """
        g.now = datetime.now(UTC)
        g.language = request.args.get("lang", "")
        g.visitor, g.source, g.directory = None, None, asked.Directory({}, demonstration=False)
        g.cookie = request.cookies.get(COOKIE, "")
        g.fresh = not 20 <= len(g.cookie) <= 100
        if g.fresh:
            g.cookie = secrets.token_urlsafe(32)
        visit = None if g.fresh else self.read(lambda cur: visits.visit_of(cur, g.cookie, g.now))
        g.visitor = visit.visitor if visit else None
        g.directory = self.read(asked.directory)
        if request.method == "POST":
            self._check_form()
        if request.endpoint in ("console.sign_in", "console.sign_out"):
            return None
        if g.visitor is None:
            back = request.full_path.rstrip("?") if request.method == "GET" else ""
            words = {"to": back, "over": "" if g.fresh else "1", **language_kept()}
            return go(f"{ROOT}/sign-in?" + urlencode({k: v for k, v in words.items() if v}))
        arguments = request.view_args or {}
        if "kind" in arguments:
            source = source_at(arguments.pop("kind"), arguments.pop("name"))
            if source is None or not g.visitor.may_see(source) or source not in g.directory.names:
                raise NotFound("no such source")
            g.source = source
        return None

    def _check_form(self) -> None:
        """Raises FormNotOurs. What a stranger sends is not even read, but for the token with which to sign in."""
        if g.visitor is None and request.endpoint not in ("console.sign_in", "console.sign_out"):
            raise FormNotOurs("there is no visit, or it is over", hint="sign in")
        if request.endpoint == "console.upload":
            request.max_content_length = LARGEST_REQUEST
        shown = request.form.get("form", "")
        g.language = g.language or request.form.get("lang", "")
        door.check_form("" if g.fresh else g.cookie, shown)

    def finish(self, response: Response) -> Response:
        """After every page: nothing of it stays in a cache; and a stranger gets the cookie that a form goes with."""
        response.headers.setdefault("Cache-Control", "no-store")
        if g.get("fresh"):
            door.set_cookie(response, COOKIE, g.cookie, ROOT, self.settings)
        return response

    def frame(self) -> Frame:
        language, explicit = language_now()
        known: asked.Directory = g.directory
        return Frame(
            language,
            explicit,
            door.form_token(g.cookie),
            other_href(language),
            known.demonstration,
            g.visitor,
            g.source,
            known.names.get(g.source or "", ""),
        )

    def show(self, template: str, section: str, title: str, frame: Frame, **content: Any) -> Response:
        return ROOM.page(template, frame, title, sections=_sections(frame), section=section, **content)

    # --- errors ------------------------------------------------------------------------------------------------

    def tell(self, error: CertmarkError) -> Response:
        frame = self.frame()
        return ROOM.error(frame, error, sections=_sections(frame))

    # --- in and out --------------------------------------------------------------------------------------------

    def start(self) -> Response:
        visitor: Visitor = g.visitor
        return go(self.frame().link("/sources") if visitor.source is None else self._home(visitor))

    def _home(self, visitor: Visitor) -> str:
        kept = language_kept()
        place = f"{ROOT}/{place_of(visitor.source)}/inbox" if visitor.source else f"{ROOT}/sources"
        return place + (f"?{urlencode(kept)}" if kept else "")

    def sign_in(self) -> Response:
        if request.method == "GET":
            told = "visit_over" if request.args.get("over") else "signed_out" if request.args.get("out") else ""
            return self._sign_in_page(told)
        address = door.address(self.settings)
        self.read(lambda cur: door.require_unlocked(cur, address, g.now))
        try:
            visitor = visits.visitor_of(self.gate.holder_of(request.form.get("token", "").strip()))
        except (NotAuthenticated, NotPermitted) as error:
            self.read(lambda cur: door.remember_knock(cur, address, g.now))
            telemetry.warning("console: not let in", address=address, code=error.slug)
            return self._sign_in_page(error.slug.replace("-", "_"), NotPermitted.status)
        cookie = secrets.token_urlsafe(32)  # another one than before, so that nobody can have prepared it

        def come_in(cur: Cursor) -> None:
            door.forget_knocks(cur, address)
            visits.begin_visit(cur, cookie, visitor, g.now)

        self.read(come_in)
        telemetry.info("console: signed in", role=visitor.role.value, source=visitor.source)
        to = request.form.get("to", "")
        response = back_to(ROOT, to, self._home(visitor))
        g.fresh = False
        door.set_cookie(response, COOKIE, cookie, ROOT, self.settings)
        return response

    def _sign_in_page(self, told: str, status: int = 200) -> Response:
        frame = self.frame()
        said = frame.say(told) if told else ""
        to = request.values.get("to", "")
        return ROOM.page(
            "sign_in", frame, frame.say("sign_in_title"), status, told=said, wrong=status >= 400, to=to, section=""
        )

    def sign_out(self) -> Response:
        self.read(lambda cur: visits.end_visit(cur, g.cookie))
        response = go(f"{ROOT}/sign-in?" + urlencode({"out": "1", **language_kept()}))
        response.delete_cookie(COOKIE, path=ROOT, httponly=True, samesite="Strict")
        return response

    def sources(self) -> Response:
        if g.visitor.role is not Role.REGULATOR:
            raise NotFound("only a regulator chooses among sources")
        frame = self.frame()
        refused = self.read(asked.refusals_by_source)
        listed = [
            {
                "source": source,
                "name": name,
                "kind": frame.say(f"kind_{source.split(':')[2]}"),
                "href": frame.link(f"/{place_of(source)}/inbox"),
                "refused": refused.get(source, 0),
            }
            for source, name in g.directory.names.items()
            if place_of(source)
        ]
        return self.show("sources", "", frame.say("sources"), frame, sources=listed)

    # --- the inbox ---------------------------------------------------------------------------------------------

    def inbox(self) -> Response:
        frame, source = self.frame(), g.source
        wanted = _wanted()
        subject = wanted.subjects[0] if wanted.subjects else ""

        def look(cur: Cursor) -> tuple[Any, ...]:
            seen = asked.events_of(cur, source, wanted)
            first = asked.events_of(cur, source, asked.Wanted(limit=1))
            shown = [asked.event_of(cur, source, one.digest) for one in first]
            heads = {
                one.subject: asked.chain_head(cur, source, one.subject) for one in seen if one.decision == "pending"
            }
            return asked.counts_of(cur, source), seen, shown, heads, asked.codes_of(cur, source)

        counts, seen, shown, heads, codes = self.read(look)
        more = len(seen) == wanted.limit
        oldest = inbox.item(shown[0][0], frame, shown[0][1]) if shown and shown[0] else None
        above = {oldest.seen.digest} if oldest else set()
        return self.show(
            "inbox",
            "inbox",
            frame.say("inbox"),
            frame,
            chart=inbox.chart(counts, frame),
            counts=[(name, counts[name], frame.say(f"{name}_about")) for name in inbox.DECISIONS],
            oldest=oldest,
            items=[inbox.item(one, frame, head=heads.get(one.subject)) for one in seen if one.digest not in above],
            heading=frame.say(wanted.which),
            wanted=wanted,
            subject=subject,
            which=[(name, frame.say(name)) for name in inbox.WHICH],
            codes=[("", frame.say("any_code")), *((code, code) for code in codes)],
            open_count=counts["open"],
            short=_short(source),
            next=frame.link(
                "inbox", which=wanted.which, code=wanted.code, subject=subject, after=seen[-1].place.cursor()
            )
            if more
            else "",
        )

    def event(self, digest: str) -> Response:
        frame, source = self.frame(), g.source
        seen, jws, head = self._event(digest)
        members = asked.members_of(jws)
        document = (
            json.dumps(members, ensure_ascii=False, indent=2) if members else jws[:2000].decode("ascii", "replace")
        )
        one = inbox.item(seen, frame, jws, head)
        title = f"{frame.say('event')} {one.short_type}"
        return self.show("event", "inbox", title, frame, one=one, document=document, short=_short(source))

    def event_json(self, digest: str) -> Response:
        """The event as its source wrote it: the payload's own bytes."""
        _, jws, _ = self._event(digest)
        members = asked.members_of(jws)
        if not members:
            raise NotFound("the event cannot be read")
        return Response(json.dumps(members, ensure_ascii=False, indent=2), content_type="application/json")

    def _event(self, digest: str) -> tuple[asked.Seen, bytes, int]:
        source = g.source
        digest = _digest(digest)

        def look(cur: Cursor) -> tuple[asked.Seen, bytes, int] | None:
            found = asked.event_of(cur, source, digest)
            return (*found, asked.chain_head(cur, source, found[0].subject)) if found else None

        found = self.read(look)
        if found is None:
            raise NotFound("no event of this source has this digest")
        return found

    def settled(self) -> Response:
        source = self._acting()
        digest = _digest(request.form.get("digest", ""))
        if request.form.get("again"):
            self.read(lambda cur: asked.unsettle(cur, source, digest))
        elif not self.read(lambda cur: asked.settle(cur, source, digest, g.now)):
            raise NotFound("no refusal of this source has this digest")
        return go(self.frame().link("inbox"))

    def fix_list(self) -> Response:
        refusals = self._to_fix()
        return attached(inbox.fix_list(refusals), "text/csv; charset=utf-8", "fix.csv")

    def fix_drafts(self) -> Response:
        refusals = self._to_fix()
        return attached(inbox.drafts_of(refusals), "application/x-ndjson", "fix.ndjson")

    def _to_fix(self) -> list[tuple[asked.Seen, bytes]]:
        source = g.source
        return self.read(lambda cur: asked.jws_of_open_refusals(cur, source, _MOST_TO_FIX))

    # --- handing in --------------------------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        return self.settings.data / "console"

    def upload(self) -> Response:
        source = self._acting()
        if request.method == "GET":
            return self._upload_page("")
        file = request.files.get("file")
        if file is None or not file.filename or request.form.get("kind") not in tuple(Kind):
            return self._upload_page("no_file", 400)
        about = submissions.about_new(Kind(request.form["kind"]), source, file.filename, g.now)
        one = submissions.take_in(self.folder, uuid.uuid4().hex, about)
        file.save(one.file)
        mapping = request.files.get("mapping")
        if mapping is not None and mapping.filename:
            mapping.save(one.mapping)
        submissions.announce(one)
        submissions.begin(one)
        return go(self.frame().link(f"submissions/{one.id}"))

    def _upload_page(self, problem: str, status: int = 200) -> Response:
        frame = self.frame()
        told = frame.say(problem) if problem else ""
        response = self.show("upload", "upload", frame.say("upload"), frame, problem=told)
        response.status_code = status
        return response

    def template(self, form: str) -> Response:
        kind = _TEMPLATES.get(form)
        if kind is None:
            raise NotFound("a template is .csv or .xlsx")
        with scratch_folder() as folder:
            path = folder / f"template.{form}"
            write_template(path)
            return attached(path.read_bytes(), kind, path.name)

    def submissions(self) -> Response:
        source, frame = self._acting(), self.frame()
        listed = [
            (one, submissions.progress_of(one), submissions.counts_of(one))
            for one in submissions.of_source(self.folder, source)
        ]
        return self.show("submissions", "submissions", frame.say("submissions"), frame, listed=listed)

    def submission(self, id_: str) -> Response:
        source, frame = self._acting(), self.frame()
        one = submissions.submission(self.folder, source, id_)
        progress = submissions.progress_of(one)
        show = request.args.get("show", "")
        show = show if show in ("good", "wrong", "sent") else ""
        after = request.args.get("after", "")
        lines = submissions.lines_of(one, show, int(after) if after.isascii() and after.isdigit() else 0)
        digests = submissions.digests_of(one)
        decided = self.read(lambda cur: asked.decided_among(cur, source, digests)) if digests else {}
        counted = handed_in.counted(submissions.counts_of(one), digests, decided)
        waiting = progress.is_going_on or (counted.get("undecided", 0) > 0 and g.now - one.about.at < _DECIDED_WITHIN)
        refreshing = waiting and "still" not in request.args
        response = self.show(
            "submission",
            "submissions",
            one.about.name,
            frame,
            one=one,
            progress=progress,
            counted=counted,
            lines=[handed_in.told(line, decided.get(line.digest or ""), frame) for line in lines],
            show=show,
            shows=[
                ("", frame.say("every_row")),
                *((name, frame.say(name)) for name in handed_in.STATES[one.about.kind]),
            ],
            facts=handed_in.facts(progress, frame),
            codes=(progress.report or {}).get("codes", {}),
            stopped=(progress.report or {}).get("stopped", False),
            commands=handed_in.commands(one, _short(source)),
            short=_short(source),
            has_fix=one.fix_file.exists(),
            to_mend=counted.get("wrong", 0) + counted.get("refused", 0) + counted.get("quarantined", 0),
            refreshing=refreshing,
            waiting=waiting,
            next=frame.link(f"submissions/{one.id}", show=show, after=lines[-1].line)
            if len(lines) == submissions.PAGE
            else "",
        )
        if refreshing:
            response.headers["Refresh"] = "2"
        return response

    def fix_file(self, id_: str) -> Response:
        source = self._acting()
        one = submissions.submission(self.folder, source, id_)
        if one.about.kind is Kind.SIGNED:
            return attached(inbox.fix_list(self._refused_of(one)), "text/csv; charset=utf-8", "fix.csv")
        if not one.fix_file.exists():
            raise NotFound("nothing is wrong in this submission, or it is not yet done")
        return attached(one.fix_file.read_bytes(), "text/csv; charset=utf-8", handed_in.fix_name(one))

    def fix_file_drafts(self, id_: str) -> Response:
        one = submissions.submission(self.folder, self._acting(), id_)
        return attached(inbox.drafts_of(self._refused_of(one)), "application/x-ndjson", "fix.ndjson")

    def _refused_of(self, one: Submission) -> list[tuple[asked.Seen, bytes]]:
        digests = submissions.digests_of(one)
        return handed_in.not_let_in(one) + self.read(lambda cur: asked.refused_among(cur, one.about.source, digests))

    # --- certificates ------------------------------------------------------------------------------------------

    def certificates(self) -> Response:
        frame, source = self.frame(), g.source
        number, holder, after = (request.args.get(n, "").strip()[:128].replace("\0", "") for n in _SEARCH)
        day = civil_day(g.now)
        found = self.read(lambda cur: certificates.find(cur, source, number, holder, after, day))
        numbers = [own.certificate.certificate_no for own in found]
        shown = certificates.shown_to_the_public(self.settings.public_url, numbers, frame)
        return self.show(
            "certificates",
            "certificates",
            frame.say("certificates"),
            frame,
            found=found,
            shown=shown,
            public=self.settings.public_url,
            number=number,
            holder=holder,
            after=after,
            next=frame.link("certificates", number=number, holder=holder, after=numbers[-1])
            if len(found) == certificates.PAGE
            else "",
        )

    def certificate(self, number: str) -> Response:
        frame, source, day = self.frame(), g.source, civil_day(g.now)
        no = certificate_number(number)

        def look(cur: Cursor) -> tuple[certificates.Own | None, list[asked.Seen]]:
            seen = asked.events_of(cur, source, asked.Wanted("all", (no,), limit=_EVENTS_ABOUT))
            return certificates.one(cur, source, no, day), seen

        own, seen = self.read(look)
        if own is None:
            raise NotFound("this source answers for no certificate of this number")
        shown = certificates.shown_to_the_public(self.settings.public_url, [no], frame)
        return self.show(
            "certificate",
            "certificates",
            no,
            frame,
            own=own,
            shown=shown.get(no),
            public=self.settings.public_url,
            events=[inbox.item(one, frame) for one in seen],
        )

    def overdue(self) -> Response:
        frame, source, day = self.frame(), g.source, civil_day(g.now)
        kind = request.args.get("kind", "")
        kind = kind if kind in _KINDS else ""
        after = f"certificate/{normalised(request.args.get('after', '')[:128])}"

        counted = self.read(lambda cur: overdue.count_late(cur, day, source))
        late, last = self.read(lambda cur: overdue.late_page(cur, day, source, kind or None, after, overdue.PAGE))
        return self.show(
            "overdue",
            "overdue",
            frame.say("overdue"),
            frame,
            day=day,
            counts=[(name, counted.by_kind[source, name]) for name in _KINDS if counted.by_kind[source, name]],
            kinds=[("", frame.say("any_kind")), *((name, frame.say(f"clock_{name}")) for name in _KINDS)],
            kind=kind,
            late=late,
            next=frame.link("overdue", kind=kind, after=last) if last else "",
        )

    def keys(self) -> Response:
        frame, source = self.frame(), g.source
        found = [keys.on(key, g.now) for key in self.read(lambda cur: keys.keys_of(cur, source))]
        return self.show(
            "keys",
            "keys",
            frame.say("keys"),
            frame,
            found=found,
            looks=_LOOKS,
            warning=keys.warning(found, frame),
            commands=keys.commands(_short(source), source, keys.to_change(found), civil_day(g.now)),
        )

    def _acting(self) -> str:
        """The source whose pages these are. Raises NotFound where the visitor may only look."""
        source: str = g.source
        if not g.visitor.may_act_for(source):
            raise NotFound("only the source itself acts here")
        return source


def _sections(frame: Frame) -> tuple[str, ...]:
    return SECTIONS if frame.may_act else tuple(name for name in SECTIONS if name not in ("upload", "submissions"))


# --- requests --------------------------------------------------------------------------------------------------


def _wanted() -> asked.Wanted:
    which = request.args.get("which", "open")
    after = request.args.get("after", "")
    subject = request.args.get("subject", "").strip()[:128].replace("\0", "")
    return asked.Wanted(
        which if which in inbox.WHICH else "open",
        _forms(subject),
        request.args.get("code", "").strip()[:64].replace("\0", ""),
        place_of_cursor(after) if after else None,
    )


def _digest(text: str) -> str:
    if not re.fullmatch("[0-9a-f]{64}", text):
        raise NotFound("a digest is 64 lower-case hexadecimal digits")
    return text


def _forms(subject: str) -> tuple[str, ...]:
    """A subject as written, and as a certificate number in canonical form where it can be one; none where empty."""
    try:
        return tuple(dict.fromkeys((subject, certificate_number(subject)))) if subject else ()
    except CertmarkError:
        return (subject,)


def _short(source: str) -> str:
    """A source as the commands name it."""
    _, _, kind, name = source.split(":", 3)
    return name if kind in ("body", "declarant") else f"{kind}:{name}"
