"""What is counted of a certificate: a short row beside its record, from which SQL tells its standing on any day."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from services.domain.certificate import CertificateState, Course, Status
from services.domain.standing import PRECEDENCE, Standing

FACT_TABLES = """
CREATE TABLE fact (
    id INTEGER PRIMARY KEY, scheme TEXT NOT NULL, body TEXT NOT NULL, district TEXT NOT NULL, month TEXT NOT NULL,
    parent TEXT, turns TEXT NOT NULL);
CREATE TABLE ending (
    fact INTEGER NOT NULL, day TEXT NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL,
    PRIMARY KEY (fact, day, kind)) WITHOUT ROWID;
"""
"""Rows come one behind the other, whatever their certificates' numbers: the record keeps the id of its fact."""

_SHANGHAI = "31"
OUTSIDE = "outside"
_ENDS = (Status.SUSPENDED, Status.REVOKED, Status.CANCELLED)

_STANDING = {chr(ord("a") + place): one for place, one in enumerate(PRECEDENCE)}
"""A letter for each standing, in their order of precedence: the worse of two is the smaller letter."""

_WIDTH = 9
"""Characters of one turn: eight of the day from which it holds, and a letter."""


class Fact(NamedTuple):
    """What is counted of one certificate. A tuple, because hundreds of thousands come through a pipe.

    `turns` are the days on which its own standing changes, oldest first; `district` is one of Shanghai's six-digit
    divisions, `outside`, or empty where the holder's is not stated; `endings` are (day, kind, reason).
    """

    scheme: str
    body: str
    district: str
    month: str
    parent: str | None
    turns: str
    endings: tuple[tuple[str, str, str], ...]


def fact_of(state: CertificateState, course: Course, turns: str) -> Fact:
    """`turns` are those of the certificate by itself (`turns.standing_turns`)."""
    region = state["holder"]["region"] or ""
    return Fact(
        state["scheme"],
        state["body"] or "",
        region if region.startswith(_SHANGHAI) or not region else OUTSIDE,
        state["first_issued_on"][:7],
        state["parent_no"],
        turns,
        tuple(
            [
                (interval.since.isoformat(), interval.status.value, interval.reason or "")
                for interval in course.statuses
                if interval.status in _ENDS and not (interval.status is Status.CANCELLED and course.superseded_by)
            ]
        ),
    )


def add_facts(cur: sqlite3.Cursor, facts: Sequence[tuple[int, Fact]]) -> None:
    """Rows under ids that nothing has yet."""
    cur.executemany(
        "INSERT INTO fact VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(made, f.scheme, f.body, f.district, f.month, f.parent, f.turns) for made, f in facts],
    )
    endings = [(made, *ending) for made, f in facts for ending in f.endings]
    cur.executemany("INSERT OR IGNORE INTO ending VALUES (?, ?, ?, ?)", endings)


def save_fact(cur: sqlite3.Cursor, before: int | None, fact: Fact | None) -> int | None:
    """Put a certificate's row in the place of the one `before`; returns its id, None where there is none."""
    if before is not None:
        cur.execute("DELETE FROM ending WHERE fact = ?", (before,))
        cur.execute("DELETE FROM fact WHERE id = ?", (before,))
    if fact is None:
        return None
    cur.execute(
        "INSERT INTO fact (scheme, body, district, month, parent, turns) VALUES (?, ?, ?, ?, ?, ?)",
        (fact.scheme, fact.body, fact.district, fact.month, fact.parent, fact.turns),
    )
    made = cur.lastrowid
    if fact.endings:
        cur.executemany(
            "INSERT OR IGNORE INTO ending VALUES (?, ?, ?, ?)", [(made, *ending) for ending in fact.endings]
        )
    return made


# --- counting ------------------------------------------------------------------------------------------------


def _letter_sql(turns: str) -> str:
    """The letter of the last turn up to `:day`; the first turn lies before every day, so one is always found."""
    cases = " ".join(
        f"WHEN substr({turns}, {-_WIDTH * back}, 8) <= :day THEN substr({turns}, {-_WIDTH * back + 8}, 1)"
        for back in (1, 2, 3)
    )
    return f"CASE {cases} ELSE letter_on({turns}, :day) END"


COUNT_SQL = (  # what is put together are our own words, and a number
    "SELECT scheme, district, body, letter, count(*) FROM (SELECT f.scheme, f.district, f.body, "
    f"CASE WHEN p.id IS NULL THEN {_letter_sql('f.turns')} "
    f"ELSE min({_letter_sql('f.turns')}, {_letter_sql('p.turns')}) END AS letter "
    "FROM fact f LEFT JOIN record r ON r.key = 'certificate/' || f.parent LEFT JOIN fact p ON p.id = r.fact) "
    "GROUP BY 1, 2, 3, 4"
)
"""Certificates by scheme, district, body and standing on `:day` (eight digits); a part falls with its parent."""


def standing_of(letter: str) -> Standing:
    return _STANDING[letter]


def letter_on(turns: str, day: str) -> str:
    """The letter on a day, from any number of turns."""
    letters = (turns[at + 8] for at in range(len(turns) - _WIDTH, -1, -_WIDTH) if turns[at : at + 8] <= day)
    return next(letters)


@contextmanager
def open_facts(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection of its own for counting, read-only."""
    connection = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, isolation_level=None)
    try:
        connection.create_function("letter_on", 2, letter_on, deterministic=True)
        connection.execute("PRAGMA busy_timeout = 1000")
        connection.execute("PRAGMA mmap_size = 1073741824")
        yield connection
    finally:
        connection.close()
