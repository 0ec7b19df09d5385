"""Certificates' pages in front of Flask: made without its machinery, and kept as long as nothing about them changes."""

import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import Any

from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from services import telemetry
from services.domain.identifiers import CHINA, instant_text
from services.language import HTML_LANG, Language
from services.verify.answer import Answer, answer_of
from services.verify.page_shapes import PageShapes
from services.verify.quick import COUNTED, MOMENT_S, PLAIN_NUMBER, cache_control, etag_of, second_ends, shared_seconds
from services.verify.read_model import Meta, Stored, Unreadable
from services.verify.register import Directory, Found, Register
from services.verify.timed_page import TimedPage, beijing
from services.web import accepted_types

MOST = 500
"""Pages that are kept by one process, of some 16 kB each."""

_Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_Render = Callable[[Answer, Language, bool], bytes]
_QUERIES: dict[str, Language | None] = {"": None, "lang=zh": "zh", "lang=en": "en"}
"""Queries of plain pages, and the language that the address names."""


@dataclass(frozen=True, slots=True)
class _Moment:
    """What requests of the same moment share: all that a page is made from beside its address and record."""

    meta: Meta
    since: datetime
    second_ends: datetime
    until: float
    version: tuple[str, int, datetime, date]
    """The file, the revision of its directory, the time that its data is of, the day: one of them different, and every
    page is made anew."""
    as_of: datetime
    day: date
    directory: Directory
    iso: bytes
    text: bytes
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    revision: int
    version: tuple[str, int, datetime, date]
    page: TimedPage
    tag: str


@dataclass(slots=True)
class _Mine:
    """What one thread has. `shapes` are by language and whether the address names it, as of `shapes_of`."""

    register: Register
    pages: OrderedDict[tuple[str, Language | None, Language], _Kept] = field(default_factory=OrderedDict)
    moment: _Moment | None = None
    shapes: dict[tuple[str, bool], PageShapes] = field(default_factory=dict)
    shapes_of: tuple[str, int, date] = ("", 0, date.min)


class WarmPath:
    """Answers `GET /c/<number>` for people, from the pages kept or with a page made; everything else goes the long way.

    `render` makes the page of an answer in a language, which the address may name: its bytes with places for the time
    of asking. `language` is the service's own choice from the headers, so that a page is kept for who would get it.
    `headers` are those that every page bears.
    """

    def __init__(
        self,
        wsgi: _Wsgi,
        folder: Path,
        stale_after: timedelta,
        headers: Iterable[tuple[str, str]],
        clock: Callable[[], datetime],
        language: Callable[[LanguageAccept], Language],
        has_to_wait: Callable[[dict[str, Any]], bool],
        render: _Render,
    ) -> None:
        self._wsgi = wsgi
        self._folder = folder
        self._stale_after = stale_after
        self._headers = (("Content-Type", "text/html; charset=utf-8"), *headers)
        self._clock = clock
        self._language = lru_cache(maxsize=512)(lambda text: language(parse_accept_header(text, LanguageAccept)))
        self._has_to_wait = has_to_wait
        self._render = render
        self._mine = threading.local()
        counter = telemetry.counter("certmark_requests_total", "Requests answered", "service", "endpoint", "status")
        self._counted = counter.labels("verify", "warm", "200")
        self._counted_made = counter.labels("verify", "verify.certificate", "200")
        self._seconds = telemetry.histogram(
            "certmark_request_seconds", "Time to an answer", "service", "endpoint"
        ).labels("verify", "verify.certificate")

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if not path.startswith("/c/") or environ["REQUEST_METHOD"] != "GET" or not self._may_be_kept(environ, path):
            return self._wsgi(environ, start_response)
        number, now = path[3:], self._clock()
        named = _QUERIES[environ["QUERY_STRING"]]
        language = named or self._language(environ.get("HTTP_ACCEPT_LANGUAGE", ""))
        mine = self._of_this_thread()
        moment = self._moment(mine, now)
        if moment is None or self._has_to_wait(environ):
            return self._wsgi(environ, start_response)
        environ[COUNTED] = True
        kept = self._kept(mine, moment, number, language, named)
        if kept is None:
            return self._wsgi(environ, start_response)
        page = kept.page.at(b"%b%03dZ" % (moment.iso, now.microsecond // 1000), moment.text)
        headers = [
            *moment.headers,
            ("Content-Language", HTML_LANG[language]),
            ("ETag", kept.tag),
            ("Content-Length", str(len(page))),
        ]
        start_response("200 OK", headers)
        return [page]

    def _of_this_thread(self) -> _Mine:
        try:
            mine: _Mine = self._mine.mine
        except AttributeError:
            mine = self._mine.mine = _Mine(Register(self._folder))
        return mine

    def _moment(self, mine: _Mine, now: datetime) -> _Moment | None:
        """What is so at this moment; None where only the long way can say anything."""
        moment = mine.moment
        if moment is not None and monotonic() < moment.until and moment.since <= now < moment.second_ends:
            return moment
        mine.moment = None
        try:
            meta = mine.register.model.meta_held()
            directory = mine.register.directory(meta)
        except Unreadable:
            return None
        if moment is not None and moment.meta is meta and moment.since <= now < moment.second_ends:
            mine.moment = replace(moment, since=now, until=monotonic() + MOMENT_S)
            return mine.moment
        as_of = meta.fresh(now, self._stale_after)
        if as_of is None:
            return None
        day = now.astimezone(CHINA).date()
        lifetime = shared_seconds(now, as_of, self._stale_after)
        mine.moment = _Moment(
            meta=meta,
            since=now,
            second_ends=second_ends(now, as_of, self._stale_after),
            until=monotonic() + MOMENT_S,
            version=(mine.register.model.target, meta.directory, as_of, day),
            as_of=as_of,
            day=day,
            directory=directory,
            iso=instant_text(now)[:-4].encode(),
            text=beijing(now).encode(),
            headers=(*self._headers, ("Cache-Control", cache_control(lifetime))),
        )
        return mine.moment

    def _kept(
        self, mine: _Mine, moment: _Moment, number: str, language: Language, named: Language | None
    ) -> _Kept | None:
        """A certificate's page, made now if none is kept that still holds; None where it takes the long way."""
        model, key = mine.register.model, (number, named, language)
        kept = mine.pages.get(key)
        try:
            if kept is not None and kept.version == moment.version and kept.revision == model.revision_alone(number):
                self._counted.inc()
                return kept
            stopwatch = telemetry.Stopwatch()
            stored = model.record_alone(number)
            if stored is None:
                return None
            page = self._page(mine, moment, stored, language, bool(named))
        except Exception:  # noqa: BLE001  # the long way meets it again, and answers and logs it as every fault
            return None
        tagged = page.tagged
        kept = _Kept(stored.revision, moment.version, page, etag_of(zlib.crc32(tagged), len(tagged)))
        if len(mine.pages) >= MOST:
            mine.pages.popitem(last=False)  # the one kept longest
        mine.pages[key] = kept
        self._counted_made.inc()
        self._seconds.observe(stopwatch.seconds)
        return kept

    def _page(self, mine: _Mine, moment: _Moment, stored: Stored, language: Language, explicit: bool) -> TimedPage:
        directory, day = moment.directory, moment.day

        def render(found: Found, as_of: datetime) -> bytes:
            return self._render(answer_of(found, directory, day, as_of, as_of), language, explicit)

        if mine.shapes_of != (moment.version[0], moment.version[1], day):
            mine.shapes.clear()
            mine.shapes_of = (moment.version[0], moment.version[1], day)
        shapes = mine.shapes.get((language, explicit))
        if shapes is None:
            shapes = mine.shapes[language, explicit] = PageShapes(render, directory.notices, day)
        return shapes.page(stored, moment.as_of)

    def _may_be_kept(self, environ: dict[str, Any], path: str) -> bool:
        return (
            environ["QUERY_STRING"] in _QUERIES
            and "HTTP_IF_NONE_MATCH" not in environ
            and PLAIN_NUMBER.fullmatch(path, 3) is not None
            and _wants_html(environ.get("HTTP_ACCEPT", ""))
        )


@lru_cache(maxsize=512)
def _wants_html(accept: str) -> bool:
    kinds = ["text/html", "application/json", "application/linkset+json"]
    return accepted_types(accept).best_match(kinds, default="text/html") == "text/html"
