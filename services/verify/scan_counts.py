"""Counts of look-ups on their way between nodes: what one process has counted, as it is published and read back."""

import hashlib
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from services.domain.copies import HOUR_S, KEPT_DAYS, UNKNOWN

A_RECORD = 2_000
"""Counts in one record: some 110 kB."""

MOST_CODES = 200_000
"""(code, client) pairs that one process tells apart in an hour; beyond them a look-up is not counted any more."""

_DIGITS = set("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Count:
    """How often a process has counted a code on a day from a district, so far: never less than it said before."""

    node: str
    day: date
    code: str
    district: str
    lookups: int


def code_key(unit: bytes) -> str:
    """What stands for a unit's code in counts: 32 hexadecimal digits of a hash of what its signature covers.

    It keeps records short and codes out of a topic that every node reads. It is no secret: who has a code can make it.
    """
    return hashlib.blake2b(unit, digest_size=16, person=b"certmark-scan").hexdigest()


class Counter:
    """What one process counts. Its name is drawn anew at every start: a restart begins a second count beside the
    first, and neither is counted twice.

    A client is known by a salted hash of his address, in memory, until the hour turns; the address is not kept at all.
    """

    def __init__(self, now: float) -> None:
        self.node = secrets.token_hex(8)
        self._salt = secrets.token_bytes(16)
        self._hour = int(now // HOUR_S)
        self._seen: set[bytes] = set()
        self._counts: dict[tuple[date, str, str], int] = {}
        self._changed: set[tuple[date, str, str]] = set()

    def add(self, code: str, client: bytes, district: str, day: date, now: float) -> bool:
        """Count a look-up, unless this client has looked up this code in this hour; whether it was counted.

        `now` is seconds of a clock that the caller reads, `client` what tells one client from another.
        """
        if int(now // HOUR_S) != self._hour:
            self._hour, self._salt = int(now // HOUR_S), secrets.token_bytes(16)
            self._seen.clear()
        mark = hashlib.blake2b(client + b"\0" + code.encode(), key=self._salt, digest_size=12).digest()
        if mark in self._seen or len(self._seen) >= MOST_CODES:
            return False
        self._seen.add(mark)
        place = (day, code, district)
        self._counts[place] = self._counts.get(place, 0) + 1
        self._changed.add(place)
        return True

    def unpublished(self) -> list[tuple[str, bytes]]:
        """(key, value) of the records that say what has changed since the last `published`."""
        changed = [Count(self.node, *place, self._counts[place]) for place in sorted(self._changed)]
        return list(_records(changed))

    def published(self, today: date) -> None:
        """What `unpublished` gave is stored; counts of days before yesterday will not change any more."""
        self._changed.clear()
        for place in [place for place in self._counts if place[0] < today - timedelta(days=1)]:
            del self._counts[place]


def _records(counts: list[Count]) -> Iterator[tuple[str, bytes]]:
    for start in range(0, len(counts), A_RECORD):
        part = counts[start : start + A_RECORD]
        body = {
            "v": 1,
            "node": part[0].node,
            "counts": [[one.day.isoformat(), one.code, one.district, one.lookups] for one in part],
        }
        yield part[0].node, json.dumps(body, separators=(",", ":")).encode()


def read_counts(value: bytes, today: date) -> list[Count]:
    """The counts of a record that have not expired; none of what is not of that form: it is nobody's count.

    A day that has not come is no count either: it would never expire.
    """
    try:
        body = json.loads(value)
        if body["v"] != 1 or not _is_hex(body["node"], 16):
            return []
        rows = [Count(body["node"], date.fromisoformat(d), c, p, n) for d, c, p, n in body["counts"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        return []
    first, last = today - timedelta(days=KEPT_DAYS), today + timedelta(days=1)
    return [
        one
        for one in rows
        if first < one.day <= last
        and _is_hex(one.code, 32)
        and _is_district(one.district)
        and type(one.lookups) is int
        and 0 < one.lookups <= 10_000_000
    ]


def _is_hex(text: object, length: int) -> bool:
    return isinstance(text, str) and len(text) == length and set(text) <= _DIGITS


def _is_district(text: object) -> bool:
    return isinstance(text, str) and (text == UNKNOWN or (len(text) == 6 and text.isascii() and text.isdigit()))
