"""The trail: who did what at the desk, each line holding the digest of the one before it."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from services.domain.identifiers import instant_text
from services.events.canonical import canonical
from services.postgres import Cursor

FIRST = "0" * 64
"""What the first line has for the digest of the one before."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing done. `about` names what it was done to (`account/…`, `case/…`); `detail` holds no personal data."""

    number: int
    at: datetime
    account: str
    act: str
    about: str
    detail: Mapping[str, object]
    previous: str
    digest: str

    def digest_due(self) -> str:
        """What the digest has to be: hex SHA-256 over the canonical JSON of everything else in the line."""
        told = {
            "about": self.about,
            "account": self.account,
            "act": self.act,
            "at": instant_text(self.at),
            "detail": dict(self.detail),
            "number": self.number,
            "previous": self.previous,
        }
        return hashlib.sha256(canonical(told, floats=False)).hexdigest()


def record(cur: Cursor, now: datetime, account: str, act: str, about: str, **detail: str | int | bool | None) -> Line:
    """Add a line, in the transaction of what it tells of: either both are there or neither."""
    cur.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    number, previous = last(cur)
    at = now.replace(microsecond=now.microsecond // 1000 * 1000)
    open_line = Line(number + 1, at, account, act, about, detail, previous, "")
    line = Line(number + 1, at, account, act, about, detail, previous, open_line.digest_due())
    cur.execute(
        "INSERT INTO trail (number, at, account, act, about, detail, previous, digest)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        (line.number, at, account, act, about, canonical(dict(detail), floats=False).decode(), previous, line.digest),
    )
    return line


_LOCK = 0x74726169
"""One writer at a time: the digest of the line before has to be known."""


def last(cur: Cursor) -> tuple[int, str]:
    """(number, digest) of the last line; (0, zeros) where there is none."""
    cur.execute("SELECT number, digest FROM trail ORDER BY number DESC LIMIT 1")
    return cast("tuple[int, str] | None", cur.fetchone()) or (0, FIRST)


def lines(
    cur: Cursor, *, about: str | None = None, account: str | None = None, before: int | None = None, limit: int = 100
) -> list[Line]:
    """The newest lines first, of one thing or account where one is named."""
    cur.execute(
        "SELECT number, at, account, act, about, detail, previous, digest FROM trail"
        " WHERE (%s::text IS NULL OR about = %s) AND (%s::text IS NULL OR account = %s)"
        " AND (%s::bigint IS NULL OR number < %s) ORDER BY number DESC LIMIT %s",
        (about, about, account, account, before, before, limit),
    )
    return [_line(row) for row in cur.fetchall()]


def _line(row: tuple[object, ...]) -> Line:
    number, at, account, act, about, detail, previous, digest = row
    return Line(
        cast(int, number),
        cast(datetime, at),
        str(account),
        str(act),
        str(about),
        json.loads(str(detail)),
        str(previous),
        str(digest),
    )


def first_break(found: Iterable[Line], number: int = 0, previous: str = FIRST) -> int | None:
    """The number of the first of these lines, in their order, that does not follow from the one before; None: none."""
    for line in found:
        number += 1
        if (line.number, line.previous, line.digest) != (number, previous, line.digest_due()):
            return number
        previous = line.digest
    return None


def check(cur: Cursor) -> int | None:
    """The number of the first line that was changed, or is missing; None where the whole trail holds."""
    number, previous = 0, FIRST
    while True:
        cur.execute(
            "SELECT number, at, account, act, about, detail, previous, digest FROM trail WHERE number > %s"
            " ORDER BY number LIMIT 1000",
            (number,),
        )
        page = [_line(row) for row in cur.fetchall()]
        if not page:
            return None
        broken = first_break(page, number, previous)
        if broken is not None:
            return broken
        number, previous = page[-1].number, page[-1].digest
