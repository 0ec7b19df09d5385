"""The journal of one import: which rows were signed, their exact bytes, and what became of each.

It lets a run that was cut anywhere go on. A row's event is kept here, committed, before it is sent for the first time;
so after a crash the same bytes are sent again, and the log takes the same digest twice for one event. It also keeps
what would not fit into memory: the faults of a large file, and which numbers it has met.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from services.domain.errors import BadRequest
from services.events.client import Sent
from services.events.faults import Fault

_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    place INTEGER PRIMARY KEY,      -- the order in which they are sent
    line INTEGER NOT NULL UNIQUE,   -- the first of the event's rows …
    last_line INTEGER NOT NULL,     -- … and the last
    number TEXT NOT NULL,
    verb TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    digest TEXT NOT NULL,
    jws TEXT NOT NULL,
    orphan INTEGER NOT NULL DEFAULT 0,  -- follows an event that was not let in: no chain goes on from it
    status INTEGER,                 -- 202 once the log has it; another where it was not let in; null: unknown
    problem TEXT,                   -- the problem document of that
    decision TEXT,                  -- the registry's, as JSON
    decided TEXT                    -- accepted, refused, quarantined or pending
);
CREATE INDEX IF NOT EXISTS events_number ON events (number, place);
CREATE INDEX IF NOT EXISTS events_unsent ON events (place) WHERE status IS NULL;
CREATE INDEX IF NOT EXISTS events_undecided ON events (place)
    WHERE status = 202 AND (decided IS NULL OR decided = 'pending');
CREATE INDEX IF NOT EXISTS events_decided ON events (decided, line);
-- What is found anew each time that the file is read:
CREATE TABLE IF NOT EXISTS numbers (number TEXT PRIMARY KEY, issued INTEGER, held INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS faults (
    line INTEGER NOT NULL, nth INTEGER NOT NULL, column_ TEXT NOT NULL, value TEXT NOT NULL, code TEXT NOT NULL,
    detail TEXT NOT NULL, PRIMARY KEY (line, nth)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spans (line INTEGER PRIMARY KEY, last_line INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Signed:
    """One event as it was signed, and the rows that it came of."""

    line: int
    last_line: int
    number: str
    verb: str
    sequence: int
    digest: str
    jws: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that the register did not accept, or the events service did not take."""

    line: int
    last_line: int
    verb: str
    digest: str
    decided: str
    answer: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Met:
    """What the rows so far say about a number: the line that issued it, the wrong line that holds the rest up."""

    number: str
    issued: int | None = None
    held: int | None = None


class Journal:
    """One import's journal, on one connection; whoever opens it has it alone."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.executescript(_TABLES)

    @classmethod
    def at(cls, path: Path, facts: Mapping[str, str]) -> Self:
        """The journal in a file, which is made where there is none.

        `facts` are what the rows' events depend on: the sheet's digest, the source, mapping, values, worksheet.

        Raises:
            BadRequest: another run has it open; or rows were signed under other facts, and would be signed otherwise.
        """
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        connection = sqlite3.connect(path, timeout=1.0, isolation_level=None)
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("COMMIT")
            self = cls(connection)
            self._hold_to(facts)
        except sqlite3.OperationalError as error:
            connection.close()
            raise BadRequest(
                f"{path}: 该文件正由另一次导入使用 (another import of this file has it open): {error}",
                hint="等它结束；wait until it has ended",
            ) from None
        except BadRequest:
            connection.close()
            raise
        return self

    @classmethod
    def in_passing(cls) -> Self:
        """A journal for looking only, gone when it is closed; what outgrows the memory goes to a temporary file."""
        return cls(sqlite3.connect("", isolation_level=None))

    def close(self) -> None:
        self._connection.close()

    def _hold_to(self, facts: Mapping[str, str]) -> None:
        before = dict(self._connection.execute("SELECT name, value FROM facts"))
        other = [name for name, value in facts.items() if before.get(name, value) != value]
        (signed,) = self._connection.execute("SELECT count(*) FROM events").fetchone()
        if other and signed:
            raise BadRequest(
                f"此文件已有 {signed} 个事件按别的设置签名 ({signed} events of this file were signed otherwise): "
                + "; ".join(f"{name} {before[name]!r} → {facts[name]!r}" for name in other),
                hint="沿用原来的设置，或导入一份改过的文件；say the same as then, or import a changed copy of the file",
            )
        self._connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", list(facts.items()))

    # --- reading the file ------------------------------------------------------------------------------------

    def begin_reading(self) -> None:
        """Forget what reading finds anew, and the events that were not let in, whose rows are signed again."""
        with self._saving():
            for table in ("numbers", "faults", "spans"):
                self._connection.execute(f"DELETE FROM {table}")  # noqa: S608  # our own tables
            self._connection.execute(
                "UPDATE events SET orphan = 1 WHERE EXISTS (SELECT 1 FROM events AS out"
                " WHERE out.number = events.number AND out.status <> 202 AND out.place < events.place)"
            )
            self._connection.execute("DELETE FROM events WHERE status <> 202")

    def save_portion(self, numbers: Iterable[Met], faults: Iterable[tuple[int, int, Sequence[Fault]]]) -> None:
        """What was found in some more rows: numbers met, and the spans of rows that are wrong with their faults."""
        with self._saving():
            self._connection.executemany(
                "INSERT INTO numbers VALUES (?, ?, ?) ON CONFLICT (number) DO UPDATE SET"
                " issued = coalesce(numbers.issued, excluded.issued), held = coalesce(numbers.held, excluded.held)",
                [(met.number, met.issued, met.held) for met in numbers],
            )
            for line, last_line, found in faults:
                self._save_faults(line, last_line, found)

    def met(self, numbers: Sequence[str]) -> dict[str, Met]:
        """What the rows before have said about some numbers."""
        marks = ",".join("?" * len(numbers))
        rows = self._connection.execute(
            f"SELECT number, issued, held FROM numbers WHERE number IN ({marks})",  # noqa: S608  # question marks
            list(numbers),
        )
        return {number: Met(number, issued, held) for number, issued, held in rows}

    def signed_lines(self, first: int, last: int) -> set[int]:
        """The lines of a stretch of the file whose events are signed already."""
        rows = self._connection.execute("SELECT line FROM events WHERE line BETWEEN ? AND ?", (first, last))
        return {line for (line,) in rows}

    def _save_faults(self, line: int, last_line: int, faults: Sequence[Fault]) -> None:
        self._connection.execute("INSERT OR REPLACE INTO spans VALUES (?, ?)", (line, last_line))
        self._connection.executemany(
            "INSERT OR REPLACE INTO faults VALUES (?, ?, ?, ?, ?, ?)",
            [(f.line, nth, f.column, f.value, f.code, f.detail) for nth, f in enumerate(faults)],
        )

    # --- signing and sending -----------------------------------------------------------------------------------

    def chains(self, numbers: Sequence[str]) -> dict[str, tuple[int, str]]:
        """(sequence, digest) of the last event that was signed about each of some numbers."""
        marks = ",".join("?" * len(numbers))
        rows = self._connection.execute(
            f"SELECT number, sequence, digest FROM events WHERE number IN ({marks})"  # noqa: S608
            " AND NOT orphan ORDER BY place",
            list(numbers),
        )
        return {number: (sequence, digest) for number, sequence, digest in rows}

    def save_signed(self, signed: Sequence[Signed]) -> None:
        """Keep events before they are sent: a crash right after this sends these bytes, and no others."""
        with self._saving():
            self._connection.executemany(
                "INSERT INTO events (line, last_line, number, verb, sequence, digest, jws)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(s.line, s.last_line, s.number, s.verb, s.sequence, s.digest, s.jws.decode("ascii")) for s in signed],
            )

    def unsent(self, limit: int) -> list[tuple[int, bytes]]:
        """(place, JWS) of the first events of which it is not known whether the log has them."""
        rows = self._connection.execute(
            "SELECT place, jws FROM events WHERE status IS NULL ORDER BY place LIMIT ?", (limit,)
        )
        return [(place, jws.encode("ascii")) for place, jws in rows]

    def save_sent(self, places: Sequence[int], sent: Sequence[Sent]) -> None:
        """What became of them on their way into the log; those whose fate is unknown stay unsent.

        A crash before this sends them once more, which the log takes for the same events. What was not let in holds
        up the rows about its number that are still to come.
        """
        with self._saving():
            self._connection.executemany(
                "UPDATE events SET status = ?, problem = ? WHERE place = ?",
                [
                    (one.status, json.dumps(one.problem, ensure_ascii=False) if one.problem else None, place)
                    for place, one in zip(places, sent, strict=True)
                    if one.final
                ],
            )
            if any(one.final and not one.stored for one in sent):
                self._connection.execute(
                    "INSERT INTO numbers SELECT number, NULL, min(line) FROM events WHERE status <> 202 GROUP BY number"
                    " ON CONFLICT (number) DO UPDATE SET held = coalesce(numbers.held, excluded.held)"
                )

    # --- decisions -------------------------------------------------------------------------------------------------

    def undecided(self, after: int, limit: int) -> list[tuple[int, str]]:
        """(place, digest) of stored events without a final decision, in order, behind a place."""
        return self._connection.execute(
            "SELECT place, digest FROM events WHERE status = 202 AND (decided IS NULL OR decided = 'pending')"
            " AND place > ? ORDER BY place LIMIT ?",
            (after, limit),
        ).fetchall()

    def save_decisions(self, decisions: Iterable[tuple[int, dict[str, Any]]]) -> None:
        with self._saving():
            self._connection.executemany(
                "UPDATE events SET decided = ?, decision = ? WHERE place = ?",
                [(said["decision"], json.dumps(said, ensure_ascii=False), place) for place, said in decisions],
            )

    def refused(self) -> Iterator[Refused]:
        """Events that did not take effect: refused, quarantined, or not let in."""
        rows = self._connection.execute(
            "SELECT line, last_line, verb, digest, decided, coalesce(decision, problem) FROM events"
            " WHERE decided IN ('refused', 'quarantined') OR status <> 202 ORDER BY line"
        )
        for line, last_line, verb, digest, decided, answer in rows:
            yield Refused(line, last_line, verb, digest, decided or "not let in", json.loads(answer or "{}"))

    # --- summing up --------------------------------------------------------------------------------------------------

    def save_refusals(self, faults: Iterable[tuple[int, int, Sequence[Fault]]]) -> None:
        """The refusals as faults of their rows, for the fix file."""
        with self._saving():
            for line, last_line, found in faults:
                self._save_faults(line, last_line, found)

    def faults(self, limit: int = -1) -> Iterator[Fault]:
        """Every fault in the order of the lines."""
        rows = self._connection.execute(
            "SELECT line, column_, value, code, detail FROM faults ORDER BY line, nth LIMIT ?", (limit,)
        )
        for row in rows:
            yield Fault(*row)

    def bad_spans(self) -> Iterator[tuple[int, int]]:
        """(first line, last line) of the rows that belong together and are wrong, in order."""
        yield from self._connection.execute("SELECT line, last_line FROM spans ORDER BY line")

    def counts(self) -> dict[str, int]:
        """How many events are signed, in the log and decided in each way; how many faults, how many wrong entries."""
        (row,) = self._connection.execute(
            "SELECT count(*), coalesce(sum(status = 202), 0), coalesce(sum(status <> 202), 0),"
            " coalesce(sum(decided = 'accepted'), 0), coalesce(sum(decided = 'refused'), 0),"
            " coalesce(sum(decided = 'quarantined'), 0), coalesce(sum(decided = 'pending'), 0),"
            " (SELECT count(*) FROM faults), (SELECT count(*) FROM spans) FROM events"
        ).fetchall()
        names = ("signed", "stored", "not_let_in", "accepted", "refused", "quarantined", "pending", "faults", "wrong")
        return dict(zip(names, row, strict=True))

    def faults_at(self, line: int) -> list[Fault]:
        rows = self._connection.execute(
            "SELECT line, column_, value, code, detail FROM faults WHERE line = ? ORDER BY nth", (line,)
        )
        return [Fault(*row) for row in rows]

    def codes(self) -> dict[str, int]:
        """How often each code stands among the faults."""
        return dict(self._connection.execute("SELECT code, count(*) FROM faults GROUP BY code ORDER BY 2 DESC, 1"))

    @contextmanager
    def _saving(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
