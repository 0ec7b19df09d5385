"""The hot path: a certificate's JSON answer from stored bytes, in a thin WSGI layer in front of Flask."""

import re
import threading
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

from services import telemetry
from services.domain.identifiers import CHINA, instant_text
from services.verify.as_json import BodyParts, UnknownParts, is_overdue, may_be_noticed, spliced
from services.verify.notices import Notices
from services.verify.read_model import Meta, Unreadable
from services.verify.register import Register

_Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
PLAIN_NUMBER = re.compile(r"[0-9A-Z][0-9A-Z-]{3,63}", re.ASCII)
_PLAIN = re.compile(rf"q=({PLAIN_NUMBER.pattern})", re.ASCII)
"""Numbers that are canonical as they stand; everything else takes the long way, with the same answer."""

_MAY_BE_A_CODE = re.compile(r"[0-9]{8}|[0-9]{12,14}|[0-9]{17,18}", re.ASCII)
"""Digits that may be a bar code or a unit's code: the long way looks at more than certificates for them."""

_DIGIT = re.compile("[0-9]", re.ASCII)

COUNTED = "certmark.counted"
"""In the environ of a look-up that is within its client's limit."""

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
        self._headers = (("Content-Type", "application/json"), *headers)
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
                answered = self._answer(asked[1], self._clock())
                if answered is not None:
                    body, headers = answered
                    start_response("200 OK", headers)
                    return [body]
                environ[COUNTED] = True
        self._tell_count()
        return self._wsgi(environ, start_response)

    def _answer(self, number: str, now: datetime) -> tuple[bytes, list[tuple[str, str]]] | None:
        """The answer with its headers; None where the long way has to decide."""
        try:
            mine: _Mine = self._mine.parts
        except AttributeError:
            mine = self._mine.parts = _Mine(self._folder)
        try:
            moment = mine.moment
            if moment is None or monotonic() >= moment.until or not moment.since <= now < moment.second_ends:
                moment = mine.moment = self._moment(mine, now)
            if moment.as_of is None:
                return None
            row = mine.model.quick(number)
            if row is None:
                # As quick as the others: who measures the time learns nothing that the answer does not say.
                if _MAY_BE_A_CODE.fullmatch(number) or not _DIGIT.search(number) or mine.model.knows(number):
                    return None
                body = mine.unknown.spliced(number)
            else:
                timeline, shown = row
                if moment.grace and is_overdue(timeline, moment.day):
                    return None  # whether the note is due is the scheme's to say
                if moment.notices is not None and may_be_noticed(number, shown, moment.notices):
                    return None
                body = spliced(timeline, shown, moment.day, mine.bodies)
        except Unreadable:
            return None
        mine.count += 1
        tag = etag_of(zlib.crc32(moment.as_of, zlib.crc32(body)), len(body) + len(moment.as_of))
        body = b'%b%b,"checked_at":"%b%03dZ"}' % (body, moment.as_of, moment.checked, now.microsecond // 1000)
        return body, [*moment.headers, ("ETag", tag), ("Content-Length", str(len(body)))]

    def _moment(self, mine: "_Mine", now: datetime) -> "_Moment":
        self._tell_count()
        meta = mine.register.model.meta_held()
        before = mine.moment
        if before is not None and before.meta is meta and before.since <= now < before.second_ends:
            return replace(before, since=now, until=monotonic() + MOMENT_S)  # looked at again, and nothing is new
        directory, day = mine.register.directory(meta), now.astimezone(CHINA).date()
        as_of = meta.fresh(now, self._stale_after)
        mine.bodies.use(directory, day)
        mine.unknown.use(directory, day)
        lifetime = shared_seconds(now, meta.as_of, self._stale_after)
        return _Moment(
            meta=meta,
            since=now,
            second_ends=second_ends(now, meta.as_of, self._stale_after),
            until=monotonic() + MOMENT_S,
            day=day.isoformat().encode(),
            notices=directory.notices or None,
            grace=directory.has_grace_on(day),
            as_of=b'"%b","seq":%d' % (instant_text(as_of).encode(), meta.seq) if as_of else None,
            checked=instant_text(now)[:-4].encode(),
            headers=(*self._headers, ("Cache-Control", cache_control(lifetime))),
        )

    def _tell_count(self) -> None:
        """Add what this thread has answered to the node's figures: once a moment, and before anything else is asked."""
        mine: _Mine | None = getattr(self._mine, "parts", None)
        if mine is not None and mine.count:
            self._counted.inc(mine.count)
            mine.count = 0


MOMENT_S = 0.002
"""Seconds for which what hundreds of look-ups share is not looked at anew: how far the node has come, and the rules."""


@dataclass(frozen=True, slots=True)
class _Moment:
    """What look-ups of the same moment share. `as_of` is None where this node cannot say."""

    meta: Meta
    since: datetime
    second_ends: datetime
    until: float
    day: bytes
    notices: Notices | None
    grace: bool
    as_of: bytes | None
    checked: bytes
    headers: tuple[tuple[str, str], ...]


class _Mine:
    """What one thread looks up with. `count` are answers that are not in the node's figures yet."""

    __slots__ = ("bodies", "count", "model", "moment", "register", "unknown")

    def __init__(self, folder: Path) -> None:
        self.register = Register(folder)
        self.model = self.register.model
        self.bodies = BodyParts()
        self.unknown = UnknownParts()
        self.moment: _Moment | None = None
        self.count = 0


def etag(content: bytes) -> str:
    """A weak tag of an answer without the time it was checked at."""
    return etag_of(zlib.crc32(content), len(content))


def etag_of(checksum: int, length: int) -> str:
    """The same from the content's CRC-32, for who has it in pieces."""
    return f'W/"{checksum:08x}{length:x}"'


def shared_seconds(now: datetime, as_of: datetime | None, stale_after: timedelta) -> int:
    """How long a shared cache may keep an answer: not past midnight at UTC+8, nor past the limit of staleness."""
    local = now.astimezone(CHINA)
    to_midnight = 86_400 - (local.hour * 3600 + local.minute * 60 + local.second)
    to_stale = int((as_of + stale_after - now).total_seconds()) if as_of else 0
    return max(0, min(SHARED_S, to_midnight, to_stale))


def second_ends(now: datetime, as_of: datetime | None, stale_after: timedelta) -> datetime:
    """When what is told of this second ends: with the second, or with the data's limit of staleness."""
    end = now.replace(microsecond=0) + timedelta(seconds=1)
    stale = as_of + stale_after + timedelta(microseconds=1) if as_of else end
    return stale if now < stale < end else end


def cache_control(shared: int) -> str:
    return f"public, max-age=0, s-maxage={shared}"
