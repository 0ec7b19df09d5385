"""Certificates' pages in front of Flask: made without its machinery, and kept as long as nothing about them changes."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from werkzeug.datastructures import LanguageAccept, MIMEAccept
from werkzeug.http import parse_accept_header

from services import telemetry
from services.domain.identifiers import CHINA
from services.verify.pages import with_time
from services.verify.quick import COUNTED, PLAIN_NUMBER, cache_control, etag, shared_seconds
from services.verify.read_model import Unreadable
from services.verify.register import Register
from services.verify.wording import HTML_LANG

MOST = 2000
"""Pages that are kept by one process, of some 10 kB each."""

_Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_QUERIES = {"": "", "lang=zh": "zh", "lang=en": "en"}
"""Queries of plain pages, and the language that the address names."""


@dataclass(frozen=True, slots=True)
class _Version:
    """All that a page is made from beside its address and language. Any of it different: the page is made anew.

    `directory` rises with every record but a certificate's, `revision` with this certificate's own.
    """

    file: str
    directory: int
    revision: int
    as_of: datetime
    day: date


@dataclass(frozen=True, slots=True)
class _Kept:
    version: _Version
    page: bytes
    """With places for the time of asking."""
    language: str
    tag: str


class WarmPath:
    """Answers `GET /c/<number>` for people, from the pages kept or with a page made; everything else goes the long way.

    `made` makes the page of a certificate's number in a language, which the address may name: its bytes with places for
    the time of asking, or None where the long way has to answer. `language` is the service's own choice from the
    headers, so that a page is kept for who would get it. `headers` are those that every page bears.
    """

    def __init__(
        self,
        wsgi: _Wsgi,
        folder: Path,
        stale_after: timedelta,
        headers: Iterable[tuple[str, str]],
        clock: Callable[[], datetime],
        language: Callable[[LanguageAccept], str],
        has_to_wait: Callable[[dict[str, Any]], bool],
        made: Callable[[str, str, bool], bytes | None],
    ) -> None:
        self._wsgi = wsgi
        self._folder = folder
        self._stale_after = stale_after
        self._headers = [("Content-Type", "text/html; charset=utf-8"), *headers]
        self._clock = clock
        self._language = lru_cache(maxsize=512)(lambda text: language(parse_accept_header(text, LanguageAccept)))
        self._has_to_wait = has_to_wait
        self._made = made
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
        version = self._version(number, now)
        if version is None or self._has_to_wait(environ):
            return self._wsgi(environ, start_response)
        pages: dict[tuple[str, str, str], _Kept] = self._mine.pages
        kept = pages.get((number, named, language))
        if kept is not None and kept.version == version:
            self._counted.inc()
        else:
            environ[COUNTED] = True
            stopwatch = telemetry.Stopwatch()
            kept = self._kept_anew(number, language, named, version)
            if kept is None:
                return self._wsgi(environ, start_response)
            if len(pages) >= MOST:
                del pages[next(iter(pages))]  # the one kept longest
            pages[number, named, language] = kept
            self._counted_made.inc()
            self._seconds.observe(stopwatch.seconds)
        page = with_time(kept.page, now)
        headers = [
            *self._headers,
            ("Content-Language", HTML_LANG[kept.language]),
            ("Cache-Control", cache_control(shared_seconds(now, version.as_of, self._stale_after))),
            ("ETag", kept.tag),
            ("Content-Length", str(len(page))),
        ]
        start_response("200 OK", headers)
        return (page,)

    def _kept_anew(self, number: str, language: str, named: str, version: _Version) -> _Kept | None:
        try:
            page = self._made(number, language, bool(named))
        except Exception:  # noqa: BLE001  # the long way meets it again, and answers and logs it as every fault
            return None
        return _Kept(version, page, language, etag(page)) if page is not None else None

    def _may_be_kept(self, environ: dict[str, Any], path: str) -> bool:
        return (
            environ["QUERY_STRING"] in _QUERIES
            and "HTTP_IF_NONE_MATCH" not in environ
            and PLAIN_NUMBER.fullmatch(path, 3) is not None
            and _wants_html(environ.get("HTTP_ACCEPT", ""))
        )

    def _version(self, number: str, now: datetime) -> _Version | None:
        """What the page of a number would be made from now; None where only the long way can say."""
        try:
            register: Register = self._mine.register
        except AttributeError:
            register = self._mine.register = Register(self._folder)
            self._mine.pages = {}
        try:
            meta = register.meta()
            if not meta.complete or meta.as_of is None or now - meta.as_of > self._stale_after:
                return None
            revision = register.model.revision_alone(number)
        except Unreadable:
            return None
        if revision is None:
            return None
        return _Version(register.model.target, meta.directory, revision, meta.as_of, now.astimezone(CHINA).date())


@lru_cache(maxsize=512)
def _wants_html(accept: str) -> bool:
    kinds = ["text/html", "application/json", "application/linkset+json"]
    return parse_accept_header(accept, MIMEAccept).best_match(kinds, default="text/html") == "text/html"
