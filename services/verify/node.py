"""A verify node as its routes share it: settings, clock, the register of each thread, and how an answer is sent."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from flask import Response, request

from services.domain.errors import CertmarkError
from services.domain.identifiers import civil_day, instant_text
from services.language import HTML_LANG, OTHER, Language, accepted_language, language_named
from services.problems import MEDIA_TYPE
from services.settings import Settings
from services.verify import listings, pages
from services.verify.answer import Answer, decide
from services.verify.answer_schemas import CERTIFICATION
from services.verify.as_json import as_json, code_on, dumps
from services.verify.clients import Clients, may_pass
from services.verify.looked_up import LookedUp
from services.verify.pages import Frame
from services.verify.quick import COUNTED, cache_control, etag, shared_seconds
from services.verify.read_model import Unreadable
from services.verify.recognise import Question
from services.verify.register import CannotSay, Directory, Register
from services.verify.scan_store import ScanReader
from services.verify.verdict_page import verdict_page
from services.verify.wording import SILENT, Code, Note

HTML, JSON, LINKSET = "text/html", "application/json", "application/linkset+json"
HSTS = ("Strict-Transport-Security", "max-age=31536000")
MACHINE = ("/v1/", "/schemas", "/qr/", "/status/", "/.well-known/", "/healthz", "/readyz", "/metrics")
"""Addresses that programs ask: their problems stay problem documents, whatever is said to be accepted."""
_OPERATORS = ("/healthz", "/readyz", "/metrics")
RETRY_S = 10
_EXAMPLES = (Code.VALID, Code.SUSPENDED, Code.REVOKED, Code.EXPIRED)


class Node:
    """What the routes share: the settings, the clock, and a register for each thread."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime]) -> None:
        self.settings = settings
        self.clock = clock
        self.stale_after = timedelta(hours=settings.stale_after_hours)
        self.clients = Clients(settings.trusted_proxies, time.monotonic)
        self.looked_up = LookedUp(settings.data / "verify", self.clients)
        self._mine = threading.local()
        self._examples: tuple[tuple[int, date], list[tuple[str, Code, tuple[Note, ...]]]] | None = None

    @property
    def register(self) -> Register:
        try:
            register: Register = self._mine.register
        except AttributeError:
            register = self._mine.register = Register(self.settings.data / "verify")
        return register

    def directory(self) -> Directory:
        """Everything but certificates.

        Raises:
            CannotSay: this node has not read all of it.
        """
        with self.readable():
            meta = self.register.meta()
            if not meta.complete:
                raise self.cannot_say("the read model is still being built")
            return self.register.directory(meta)

    @contextmanager
    def readable(self) -> Iterator[None]:
        """A file that cannot be used is said as what it means: this node cannot say."""
        try:
            yield
        except Unreadable as reason:
            raise CannotSay(str(reason)) from None

    @staticmethod
    def cannot_say(why: str) -> CertmarkError:
        return CannotSay(why)

    def listing_source(self, now: datetime) -> listings.NodeSource:
        """What listings are checked against, with what this thread keeps of it."""
        source: listings.NodeSource | None = getattr(self._mine, "listings", None)
        if source is None:
            source = self._mine.listings = listings.NodeSource(
                self.register, self.hosts, civil_day(now), ScanReader(self.register.model.folder)
            )
        source.day, source.hosts = civil_day(now), self.hosts
        return source

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that are ours: by the settings, and by the register's own trust list."""
        own = self.settings.hosts
        try:
            return (*own, *(host for host in self.register.directory().hosts if host not in own))
        except Unreadable:
            return own

    def decide(self, question: Question) -> Answer:
        return self.looked_up.with_counts(decide(question, self.register, self.clock(), self.stale_after))

    def has_to_wait(self, environ: Mapping[str, Any]) -> bool:
        """Whether a look-up of this client is over the limit that the settings set, if they set one."""
        limit = self.settings.lookups_per_second
        return limit > 0 and bool(self.clients.wait(environ, "look-up", limit * 60, 2 * limit))

    def admit(self) -> None:
        """Refuses look-ups over the limit; health and figures are asked by the operator's own programs."""
        limit = self.settings.lookups_per_second
        if limit > 0 and request.path not in _OPERATORS and COUNTED not in request.environ:
            may_pass(self.clients.wait(request.environ, "look-up", limit * 60, 2 * limit))

    def why_not_ready(self) -> str | None:
        try:
            meta = self.register.meta()
        except Unreadable as reason:
            return f"the read model cannot be used: {reason}"
        if not meta.complete or meta.as_of is None:
            return "the read model is still being built"
        now = self.clock()
        if meta.fresh(now, self.stale_after):
            return None
        if meta.as_of > now:
            return f"the data is as of {instant_text(meta.as_of)}, which has not come yet: a clock is or was wrong"
        return f"the data is older than {self.settings.stale_after_hours} hours"

    def frame(self, *, other_language: bool = True) -> Frame:
        """The page's language and what every page shows."""
        explicit = language_named(request.args.get("lang", ""))
        language = explicit or accepted_language(request.accept_languages)
        other = OTHER[language]
        href = ""
        if other_language:
            kept = [(name, value) for name, value in request.args.items(multi=True) if name != "lang"]
            href = "?" + urlencode([*kept, ("lang", other)])
        try:
            demonstration = self.register.directory().demonstration
        except Unreadable:
            demonstration = False
        return Frame(language, bool(explicit), href, demonstration)

    def examples(self) -> list[tuple[str, Code, tuple[Note, ...]]]:
        """A number for each of a few verdicts; only demonstration data is held up as an example."""
        meta, day = self.register.meta(), civil_day(self.clock())
        if not self.register.directory().demonstration:
            return []
        if self._examples is None or self._examples[0] != (meta.revision, day):
            found: dict[Code, tuple[str, Code, tuple[Note, ...]]] = {}
            for number, timeline in self.register.model.first_timelines(200):
                code, notes = code_on(timeline, day)
                if number in self.register.directory().notices.by_certificate:
                    continue
                found.setdefault(code, (number, code, notes))
            self._examples = (meta.revision, day), [found[code] for code in _EXAMPLES if code in found]
        return self._examples[1]

    # --- an answer as a response ------------------------------------------------------------------------------

    def respond(self, question: Question, *, only_json: bool = False) -> Response:
        answer = self.decide(question)
        self.looked_up.tell(answer, request.environ)
        kind = JSON if only_json else wanted()
        if kind == LINKSET and answer.code not in SILENT:
            content = dumps(_linkset(answer, self.settings.public_url))
            response, tagged = Response(content, content_type=LINKSET), content
        elif kind in (JSON, LINKSET):
            content = dumps(as_json(answer))
            response, tagged = Response(content, content_type=JSON), content[: content.rindex(b',"checked_at"')]
        else:
            frame = self.frame(other_language=answer.code not in SILENT)
            page, tagged = verdict_page(answer, frame, self.settings.public_url, self.settings.registry_url)
            response = self.html(page, frame)
        return self.cached(response, answer, tagged)

    def page_of(self, answer: Answer, language: Language, explicit: bool) -> bytes:
        """The page of a certificate's answer with places for the time of asking, as `respond` makes it."""
        other = OTHER[language]
        frame = Frame(language, explicit, f"?lang={other}", answer.demonstration)
        return verdict_page(answer, frame, self.settings.public_url, self.settings.registry_url)[1]

    def html(self, page: bytes, frame: Frame, status: int = 200) -> Response:
        response = Response(page, status, content_type=f"{HTML}; charset=utf-8")
        response.headers["Content-Security-Policy"] = pages.CONTENT_SECURITY_POLICY
        response.headers["Content-Language"] = HTML_LANG[frame.language]
        return response

    def cached(self, response: Response, answer: Answer, tagged: bytes) -> Response:
        if answer.code is Code.STATUS_UNKNOWN:
            response.status_code = 503
            response.headers["Retry-After"] = str(RETRY_S)
            response.headers["Cache-Control"] = "no-store"
            return response
        if answer.question.serial is not None or answer.unit is not None:
            response.headers["Cache-Control"] = "no-store"
            return response
        shared = shared_seconds(answer.checked_at, answer.as_of, self.stale_after)
        response.headers["Cache-Control"] = cache_control(shared)
        response.headers["ETag"] = etag(tagged)
        response.make_conditional(request)
        return response

    def finish(self, response: Response) -> Response:
        """Headers of every answer; and what is a problem document to a program is a page to a person."""
        response.headers.setdefault(*HSTS)
        if not request.path.startswith("/qr/"):
            response.headers["Vary"] = "Accept, Accept-Language"
        person = any(kind == HTML for kind, _ in request.accept_mimetypes) and wanted() == HTML
        if response.content_type == MEDIA_TYPE and person and not request.path.startswith(MACHINE):
            frame = self.frame(other_language=False)
            page = self.html(pages.error_page(response.get_json(), frame), frame, response.status_code)
            for name, value in page.headers.items():
                response.headers[name] = value
            response.set_data(page.get_data())
        return response


def wanted() -> str:
    if request.args.get("linkType") in ("linkset", "all"):
        return LINKSET
    return request.accept_mimetypes.best_match([HTML, JSON, LINKSET], default=HTML)


def _linkset(answer: Answer, base: str) -> dict[str, Any]:
    """RFC 9264: where more is to be had about what was asked for."""
    anchor = base + request.path
    certificate = answer.certificate
    entry: dict[str, Any] = {"anchor": anchor}
    if certificate is not None:
        href = base + pages.certificate_path(certificate.certificate_no)
        titles = [{"value": certificate.certificate_no, "language": "zh"}]
        entry[CERTIFICATION] = [
            {"href": href, "type": HTML, "hreflang": ["zh", "en"], "title*": titles},
            {"href": href, "type": JSON, "title*": titles},
        ]
    for one in answer.candidates:
        assert one.certificate is not None
        href = base + pages.certificate_path(one.certificate.certificate_no)
        entry.setdefault(CERTIFICATION, []).append({"href": href, "type": HTML})
    return {"linkset": [entry]}
