"""The hot path: a certificate's JSON answer from stored bytes, in a thin WSGI layer in front of Flask."""

import re
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from services import telemetry
from services.domain.identifiers import CHINA, instant_text
from services.verify.as_json import BodyParts, UnknownParts, is_overdue, may_be_noticed, spliced
from services.verify.read_model import Unreadable
from services.verify.register import Directory, Register

_Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
PLAIN_NUMBER = re.compile(r"[0-9A-Z][0-9A-Z-]{3,63}", re.ASCII)
_PLAIN = re.compile(rf"q=({PLAIN_NUMBER.pattern})", re.ASCII)
"""Numbers that are canonical as they stand; everything else takes the long way, with the same answer."""

_MAY_BE_A_CODE = re.compile(r"[0-9]{8}|[0-9]{12,14}|[0-9]{17,18}", re.ASCII)
"""Digits that may be a bar code or a unit's code: the long way looks at more than certificates for them."""

_DIGIT = re.compile("[0-9]", re.ASCII)

COUNTED = "certmark.counted"
"""In the environ of a look-up that is within its client's limit."""

_CHECKED_AT = len(',"checked_at":"2026-11-22T03:40:00.123Z"}')
SHARED_S = 30


class QuickPath:
    """Answers `GET /v1/verify?q=<certificate number>` and passes everything else on.

    `headers` are those that every JSON answer bears.
    """

    def __init__(
        self,
        wsgi: _Wsgi,
        folder: Path,
        stale_after: timedelta,
        headers: Iterable[tuple[str, str]],
        clock: Callable[[], datetime],
        has_to_wait: Callable[[dict[str, Any]], bool] = lambda environ: False,
    ) -> None:
        self._wsgi = wsgi
        self._folder = folder
        self._stale_after = stale_after
        self._headers = [("Content-Type", "application/json"), *headers]
        self._clock = clock
        self._has_to_wait = has_to_wait
        self._mine = threading.local()
        self._counted = telemetry.counter(
            "certmark_requests_total", "Requests answered", "service", "endpoint", "status"
        ).labels("verify", "quick", "200")

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/v1/verify" and environ["REQUEST_METHOD"] == "GET":
            asked = _PLAIN.fullmatch(environ["QUERY_STRING"])
            if asked and "HTTP_IF_NONE_MATCH" not in environ and not self._has_to_wait(environ):
                body, lifetime = self._answer(asked[1], self._clock())
                if body:
                    headers = [
                        *self._headers,
                        ("Cache-Control", cache_control(lifetime)),
                        ("ETag", etag(body[:-_CHECKED_AT])),
                        ("Content-Length", str(len(body))),
                    ]
                    self._counted.inc()
                    start_response("200 OK", headers)
                    return (body,)
                environ[COUNTED] = True
        return self._wsgi(environ, start_response)

    def _answer(self, number: str, now: datetime) -> tuple[bytes, int]:
        """The answer and the seconds that others may keep it; nothing where the long way has to decide."""
        try:
            mine: _Mine = self._mine.parts
        except AttributeError:
            mine = self._mine.parts = _Mine(Register(self._folder), BodyParts(), UnknownParts())
        try:
            moment = mine.moment
            if moment is None or time.monotonic() >= moment.until or now.replace(microsecond=0) != moment.second:
                moment = mine.moment = self._moment(mine, now)
            if moment.as_of is None:
                return b"", 0
            row = mine.register.model.quick(number)
            if row is None:
                # As quick as the others: who measures the time learns nothing that the answer does not say.
                if _MAY_BE_A_CODE.fullmatch(number) or not _DIGIT.search(number) or mine.register.model.knows(number):
                    return b"", 0
                body = mine.unknown.spliced(number)
            else:
                if moment.grace and is_overdue(row[0], moment.day):
                    return b"", 0  # whether the note is due is the scheme's to say
                if may_be_noticed(number, row[1], moment.directory.notices):
                    return b"", 0
                body = spliced(row[0], row[1], moment.day, mine.bodies)
        except Unreadable:
            return b"", 0
        told = b'%s%03dZ"}' % (moment.checked, now.microsecond // 1000)
        return body + moment.as_of + told, moment.lifetime

    def _moment(self, mine: "_Mine", now: datetime) -> "_Moment":
        meta = mine.register.meta()
        directory, day = mine.register.directory(meta), now.astimezone(CHINA).date()
        as_of = None
        if meta.complete and meta.as_of is not None and now - meta.as_of <= self._stale_after:
            as_of = b'"%s","seq":%d,"checked_at":"' % (instant_text(meta.as_of).encode(), meta.seq)
        mine.bodies.use(directory, day)
        mine.unknown.use(directory, day)
        return _Moment(
            until=time.monotonic() + _MOMENT_S,
            second=now.replace(microsecond=0),
            day=day,
            directory=directory,
            grace=directory.has_grace_on(day),
            as_of=as_of,
            checked=instant_text(now)[:-4].encode(),
            lifetime=shared_seconds(now, meta.as_of, self._stale_after),
        )


_MOMENT_S = 0.002
"""Seconds for which what hundreds of look-ups share is not looked at anew: how far the node has come, and the rules."""


@dataclass(frozen=True, slots=True)
class _Moment:
    """What look-ups of the same moment share. `as_of` is None where this node cannot say."""

    until: float
    second: datetime
    day: date
    directory: Directory
    grace: bool
    as_of: bytes | None
    checked: bytes
    lifetime: int


@dataclass(slots=True)
class _Mine:
    """What one thread looks up with."""

    register: Register
    bodies: BodyParts
    unknown: UnknownParts
    moment: _Moment | None = None


def etag(content: bytes) -> str:
    """A weak tag of an answer without the time it was checked at."""
    return f'W/"{zlib.crc32(content):08x}{zlib.adler32(content):08x}"'


def shared_seconds(now: datetime, as_of: datetime | None, stale_after: timedelta) -> int:
    """How long a shared cache may keep an answer: not past midnight at UTC+8, nor past the limit of staleness."""
    local = now.astimezone(CHINA)
    to_midnight = 86_400 - (local.hour * 3600 + local.minute * 60 + local.second)
    to_stale = int((as_of + stale_after - now).total_seconds()) if as_of else 0
    return max(0, min(SHARED_S, to_midnight, to_stale))


def cache_control(shared: int) -> str:
    return f"public, max-age=0, s-maxage={shared}"
