"""A node's file of all nodes' counts: written by its counting process, read by its web processes."""

import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

from services.domain.copies import KEPT_DAYS, Tally
from services.verify.scan_counts import Count

FILE = "scans.sqlite"
_FORMAT = 1
_SCHEMA = """
CREATE TABLE meta (
    only INTEGER PRIMARY KEY CHECK (only = 1), format INTEGER NOT NULL, topic TEXT NOT NULL, position INTEGER NOT NULL);
CREATE TABLE count (
    code TEXT NOT NULL, day TEXT NOT NULL, district TEXT NOT NULL, node TEXT NOT NULL, lookups INTEGER NOT NULL,
    PRIMARY KEY (code, day, district, node)) WITHOUT ROWID;
CREATE INDEX count_day ON count (day);
"""


class ScanWriter:
    """The file, opened for writing by the one process that may. One that cannot be used, or is of another topic, is
    thrown away: the topic holds everything that is in it."""

    def __init__(self, folder: Path, topic: str, first: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / FILE
        self._connection, self.position = self._opened(topic, first)

    def _opened(self, topic: str, first: int) -> tuple[sqlite3.Connection, int]:
        with suppress(sqlite3.Error):
            connection = _connect(self._path)
            with suppress(sqlite3.Error):
                row = connection.execute("SELECT format, topic, position FROM meta").fetchone()
                if row and row[:2] == (_FORMAT, topic):
                    return connection, row[2]
            connection.close()
        for name in (self._path, *(self._path.with_name(FILE + end) for end in ("-wal", "-shm"))):
            name.unlink(missing_ok=True)
        connection = _connect(self._path)
        connection.executescript(f"BEGIN;{_SCHEMA}")
        connection.execute("INSERT INTO meta VALUES (1, ?, ?, ?)", (_FORMAT, topic, first))
        connection.execute("COMMIT")
        return connection, first

    def apply(self, counts: Iterable[Count], position: int) -> None:
        """Keep the highest count that each process has said, and how far the topic was read: in one transaction, so
        that reading it again changes nothing."""
        cur = self._connection.cursor()
        cur.execute("BEGIN IMMEDIATE")
        try:
            cur.executemany(
                "INSERT INTO count VALUES (?, ?, ?, ?, ?) ON CONFLICT (code, day, district, node)"
                " DO UPDATE SET lookups = max(lookups, excluded.lookups)",
                [(one.code, one.day.isoformat(), one.district, one.node, one.lookups) for one in counts],
            )
            cur.execute("UPDATE meta SET position = ?", (position,))
            cur.execute("COMMIT")
        except BaseException:
            cur.execute("ROLLBACK")
            raise
        self.position = position

    def expire(self, today: date) -> int:
        """Delete the counts of days that are no longer kept; how many."""
        last = (today - timedelta(days=KEPT_DAYS)).isoformat()
        return self._connection.execute("DELETE FROM count WHERE day <= ?", (last,)).rowcount

    def close(self) -> None:
        self._connection.close()


class ScanReader:
    """Reads the same file. One instance belongs to one thread. Where there is no file, nothing was counted: an answer
    never fails for want of statistics."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    def tallies(self, code: str) -> list[Tally]:
        """The look-ups of a code by day and district, over all nodes."""
        try:
            inode = self._path.stat().st_ino
            if self._connection is None or inode != self._inode:
                self.close()
                self._connection = sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True, isolation_level=None)
                self._connection.execute("PRAGMA busy_timeout = 200")
                self._inode = inode
            rows = self._connection.execute(
                "SELECT day, district, sum(lookups) FROM count WHERE code = ? GROUP BY day, district", (code,)
            ).fetchall()
        except (OSError, sqlite3.Error):
            return []
        return [Tally(date.fromisoformat(day), district, lookups) for day, district, lookups in rows]

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    # A power failure may take the last transactions back, position included: they are then read again.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA busy_timeout = 5000")
    return connection
