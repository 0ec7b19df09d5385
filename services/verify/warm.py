"""Verdict pages that were just asked for, kept for as long as nothing about them changes, in front of Flask."""

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
from services.verify.quick import COUNTED, PLAIN_NUMBER, cache_control, shared_seconds
from services.verify.read_model import Unreadable
from services.verify.register import Register

PAGE_KEPT = "certmark.page"
"""Where the long way leaves, in the environ, a page that may be kept: its bytes with places for the time of asking."""

MOST = 2000
"""Pages that are kept by one process, of some 10 kB each."""

_Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_VARYING = ("cache-control", "content-length")
_QUERIES = ("", "lang=zh", "lang=en")


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
    headers: list[tuple[str, str]]


class WarmPath:
    """Answers `GET /c/<number>` for people from the pages kept; everything else goes the long way.

    `html` and `language` are the service's own choices from the headers, so that a page is kept for who would get it.
    """

    def __init__(
        self,
        wsgi: _Wsgi,
        folder: Path,
        stale_after: timedelta,
        clock: Callable[[], datetime],
        language: Callable[[LanguageAccept], str],
        has_to_wait: Callable[[dict[str, Any]], bool],
    ) -> None:
        self._wsgi = wsgi
        self._folder = folder
        self._stale_after = stale_after
        self._clock = clock
        self._language = lru_cache(maxsize=512)(lambda text: language(parse_accept_header(text, LanguageAccept)))
        self._has_to_wait = has_to_wait
        self._mine = threading.local()
        self._counted = telemetry.counter(
            "certmark_requests_total", "Requests answered", "service", "endpoint", "status"
        ).labels("verify", "warm", "200")

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if not path.startswith("/c/") or environ["REQUEST_METHOD"] != "GET" or not self._may_be_kept(environ, path):
            return self._wsgi(environ, start_response)
        number, now = path[3:], self._clock()
        key = number, environ["QUERY_STRING"], self._language(environ.get("HTTP_ACCEPT_LANGUAGE", ""))
        version = self._version(number, now)
        if version is None or self._has_to_wait(environ):
            return self._wsgi(environ, start_response)
        pages: dict[tuple[str, str, str], _Kept] = self._mine.pages
        kept = pages.get(key)
        if kept is not None and kept.version == version:
            page = with_time(kept.page, now)
            headers = [
                *kept.headers,
                ("Cache-Control", cache_control(shared_seconds(now, version.as_of, self._stale_after))),
                ("Content-Length", str(len(page))),
            ]
            self._counted.inc()
            start_response("200 OK", headers)
            return (page,)
        environ[COUNTED] = True
        told: list[tuple[str, list[tuple[str, str]]]] = []

        def started(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            told.append((status, headers))
            return start_response(status, headers, *rest)

        answer = self._wsgi(environ, started)
        page = environ.get(PAGE_KEPT, b"")
        if page and told and told[-1][0].startswith("200"):
            if len(pages) >= MOST:
                del pages[next(iter(pages))]  # the one kept longest
            pages[key] = _Kept(version, page, [one for one in told[-1][1] if one[0].lower() not in _VARYING])
        return answer

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
