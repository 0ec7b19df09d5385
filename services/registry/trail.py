"""The trail: who did what at the desk, each line holding the digest of the one before it."""

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from services.domain.identifiers import instant_text
from services.events.canonical import canonical
from services.postgres import Cursor

HEAD_EVERY = timedelta(hours=1)
HEAD_EVERY_LINES = 100
"""How long, and for how many lines, the trail goes on before its last line joins the log."""

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
    _mark_head(cur, line)
    return line


def _mark_head(cur: Cursor, line: Line) -> None:
    """Let the trail join the log, where the last time was an hour ago or a hundred lines back."""
    cur.execute("SELECT number, at FROM trail_heads ORDER BY number DESC LIMIT 1")
    row = cur.fetchone()
    if row is not None and line.number - row[0] < HEAD_EVERY_LINES and line.at - row[1] < HEAD_EVERY:
        return
    salt = secrets.token_hex(16)
    cur.execute(
        "INSERT INTO trail_heads (number, at, digest, salt, commitment) VALUES (%s, %s, %s, %s, %s)",
        (line.number, line.at, line.digest, salt, commitment_to(line.digest, salt)),
    )


def commitment_to(digest: str, salt: str) -> str:
    """What the public log has of the trail: hex SHA-256 over a line that names the form, then digest and salt."""
    return hashlib.sha256(f"certmark-trail/v1\n{digest}\n{salt}".encode()).hexdigest()


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


def first_forged(cur: Cursor) -> int | None:
    """The number of the first line whose digest is not the one that joined the log; None where all are.

    Who rewrites the whole trail, digests and all, is caught here: the entries of the log he cannot rewrite.
    """
    cur.execute(
        "SELECT h.number, h.digest, h.salt, t.digest, e.digest FROM trail_heads h LEFT JOIN trail t USING (number)"
        " LEFT JOIN entries e ON e.seq = h.seq WHERE h.seq IS NOT NULL ORDER BY h.number"
    )
    for number, digest, salt, stands, entered in cur.fetchall():
        if digest != stands or commitment_to(digest, salt) != entered:
            return cast(int, number)
    return None


def not_opened_so(cur: Cursor) -> list[str]:
    """The accounts that stand as no line has opened them: somebody wrote them past the desk and the commands.

    A demonstration's have no line, and count nowhere else.
    """
    cur.execute(
        "SELECT name FROM accounts a WHERE NOT demonstration AND NOT EXISTS (SELECT 1 FROM trail"
        " WHERE about = 'account/' || a.name AND act = 'account-opened' AND detail::jsonb ->> 'role' = a.role"
        " AND detail::jsonb ->> 'division' IS NOT DISTINCT FROM a.division) ORDER BY name"
    )
    return [name for (name,) in cur.fetchall()]
