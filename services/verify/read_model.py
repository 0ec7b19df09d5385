"""The read model: one SQLite file in which a verify node keeps the state records and how far it has read them."""

import base64
import hashlib
import json
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from services.domain.identifiers import instant_of
from services.verify import name_index, unit_codes
from services.verify.facts import FACT_TABLES, Fact, save_fact
from services.verify.name_index import NAME_TABLES
from services.verify.unit_codes import CodesPart, Place, find_code, save_codes

LINK = "register.sqlite"
"""The name under which readers find the file in service: a link, so that a rebuilt file takes over in one step."""

REBUILD_WANTED = "rebuild-wanted"
"""A reader that meets a damaged row leaves a file of this name; the projector then builds a new file."""

_FORMAT = 5
_SCHEMA = (
    """
CREATE TABLE meta (
    only INTEGER PRIMARY KEY CHECK (only = 1), format INTEGER NOT NULL, topic TEXT NOT NULL, genesis TEXT NOT NULL,
    position INTEGER NOT NULL, seq INTEGER NOT NULL, revision INTEGER NOT NULL, as_of TEXT, complete INTEGER NOT NULL,
    directory INTEGER NOT NULL);
CREATE TABLE record (
    key TEXT PRIMARY KEY, revision INTEGER NOT NULL, seq INTEGER NOT NULL, sealed BLOB NOT NULL,
    checksum BLOB NOT NULL, found_by TEXT, fact INTEGER);
CREATE TABLE quick (
    number TEXT PRIMARY KEY, timeline BLOB NOT NULL, shown BLOB NOT NULL, checksum INTEGER NOT NULL);
CREATE TABLE mark (mark_no TEXT NOT NULL, certificate TEXT NOT NULL, PRIMARY KEY (mark_no, certificate)) WITHOUT ROWID;
CREATE TABLE gtin (
    gtin TEXT NOT NULL, until INTEGER NOT NULL, certificate TEXT NOT NULL,
    PRIMARY KEY (gtin, until DESC, certificate)) WITHOUT ROWID;
CREATE TABLE uscc (
    uscc TEXT NOT NULL, until INTEGER NOT NULL, certificate TEXT NOT NULL,
    PRIMARY KEY (uscc, until DESC, certificate)) WITHOUT ROWID;
"""
    + NAME_TABLES
    + FACT_TABLES
    + unit_codes.SCHEMA
)

_ALONE = "SELECT revision FROM record WHERE key = ? AND EXISTS (SELECT 1 FROM quick WHERE number = ?)"
_KNOWS = (
    "SELECT EXISTS (SELECT 1 FROM record WHERE key = ?) OR EXISTS (SELECT 1 FROM mark WHERE mark_no = ?) "
    "OR EXISTS (SELECT 1 FROM uscc WHERE uscc = ?)"
)


class Unreadable(Exception):
    """There is no file in service, or it cannot be used; the answer is `status_unknown`, never "not found"."""


class DamagedRow(Unreadable):
    """A row does not match its checksum."""


@dataclass(frozen=True, slots=True)
class Meta:
    """What the file is and how far it has come.

    `position` is the next one to read from the topic; `seq` and `as_of` are the last entry and the latest
    record time seen; `complete` says that everything the topic held at the start of the build is in;
    `directory` rises whenever a record other than a certificate's changes.
    """

    topic: str
    genesis: str
    position: int
    seq: int
    revision: int
    as_of: datetime | None
    complete: bool
    directory: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A state record with its seal, as it came."""

    key: str
    revision: int
    seq: int
    sealed: bytes

    def payload(self) -> dict[str, Any]:
        """The members of the record. The seal was checked when the row was written, the checksum when it was read."""
        middle = self.sealed.split(b".", 2)[1]
        payload: dict[str, Any] = json.loads(base64.urlsafe_b64decode(middle + b"=" * (-len(middle) % 4)))
        return payload


@dataclass(frozen=True, slots=True)
class Row:
    """What the projector writes for one state record.

    `timeline` and `shown` are the stored bytes of the hot path (`quick.py`), None for records that are not
    certificates or that this version cannot read. The rest is what a certificate is found by: `names` are of
    (kind, folded) as in `name_index.py`, `until` is the last day in force as declared (a day's ordinal), by which
    what stands comes before what has ended.
    """

    key: str
    revision: int
    seq: int
    sealed: bytes
    timeline: bytes | None = None
    shown: bytes | None = None
    marks: Sequence[str] = ()
    gtins: Sequence[str] = ()
    usccs: Sequence[str] = ()
    names: Sequence[tuple[str, str]] = ()
    until: int = 0
    fact: Fact | None = None
    codes: CodesPart | None = None


_AT_ONCE = 500
"""Bound values in a statement; SQLite takes 999 in every version."""


def certificate_key(number: str) -> str:
    return f"certificate/{number}"


def _checksum(key: str, revision: int, seq: int, sealed: bytes) -> bytes:
    return hashlib.blake2b(b"%s\0%d\0%d\0%s" % (key.encode(), revision, seq, sealed), digest_size=8).digest()


def quick_checksum(number: str, timeline: bytes, shown: bytes) -> int:
    """Of the hot path's bytes: CRC-32, which finds what a disk does to a row in a third of the time of a hash."""
    return zlib.crc32(shown, zlib.crc32(timeline, zlib.crc32(number.encode())))


class ReadModel:
    """The file in service, opened read-only; follows the link when a rebuilt file takes over.

    One instance belongs to one thread. Every method raises Unreadable where there is no usable file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._link = str(folder / LINK)
        self._target = ""
        self._connection: sqlite3.Connection | None = None
        self._data_version = -1
        self._meta: Meta | None = None

    @property
    def folder(self) -> Path:
        return self._folder

    @property
    def target(self) -> str:
        """The name of the file that was read last."""
        return self._target

    def meta(self) -> Meta:
        """What the file is at this moment; the same object as long as nothing was written."""
        target = self._target_now()
        if target != self._target:
            try:
                self._open(target)
            except Unreadable:
                if target == self._target_now():
                    raise
                self._open(self._target_now())  # it was replaced and deleted between the look and the opening
        connection = self._connection
        assert connection is not None
        try:
            (version,) = connection.execute("PRAGMA data_version").fetchone()
            if version != self._data_version or self._meta is None:
                self._meta = _read_meta(connection)
                self._data_version = version
        except sqlite3.DatabaseError as error:
            raise _told(self._folder, error) from None
        return self._meta

    def record(self, key: str) -> Stored | None:
        """The record of a key, its checksum verified."""
        self.meta()
        return self.record_now(key)

    def record_now(self, key: str) -> Stored | None:
        """The same from the file that was read last, for who has just asked for its `meta`."""
        assert self._connection is not None
        with _damage_told(self._folder):
            row = self._connection.execute(
                "SELECT revision, seq, sealed, checksum FROM record WHERE key = ?", (key,)
            ).fetchone()
            return _stored(key, *row) if row else None

    def records_under(self, prefix: str) -> list[Stored]:
        """All records whose key begins with `prefix/`; for the small kinds only (bodies, schemes, keys …)."""
        self.meta()
        assert self._connection is not None
        with _damage_told(self._folder):
            return list(records_under(self._connection, prefix))

    def records(self, keys: Sequence[str]) -> dict[str, Stored]:
        """Those of these keys that there are, their checksums verified: a statement for several hundred."""
        self.meta()
        assert self._connection is not None
        found: dict[str, Stored] = {}
        for first in range(0, len(keys), _AT_ONCE):
            part = keys[first : first + _AT_ONCE]
            asked = ",".join("?" * len(part))
            sql = f"SELECT key, revision, seq, sealed, checksum FROM record WHERE key IN ({asked})"  # noqa: S608
            with _damage_told(self._folder):
                for row in self._connection.execute(sql, part):
                    found[row[0]] = _stored(*row)
        return found

    def quick(self, number: str) -> tuple[bytes, bytes] | None:
        """(timeline, shown) of a certificate in its canonical number: the bytes of the hot path."""
        connection = self._connection
        if connection is None:
            raise Unreadable("no file in service")
        try:
            row = connection.execute(
                "SELECT timeline, shown, checksum FROM quick WHERE number = ?", (number,)
            ).fetchone()
        except sqlite3.DatabaseError as error:
            raise _told(self._folder, error) from None
        if row is None:
            return None
        timeline, shown, checksum = row
        if (
            type(timeline) is not bytes
            or type(shown) is not bytes
            or quick_checksum(number, timeline, shown) != checksum
        ):
            ask_for_rebuild(self._folder)
            raise DamagedRow(number)
        return timeline, shown

    def revision_alone(self, number: str) -> int | None:
        """The revision of a certificate that stands by itself; None where there is none, or it falls with another."""
        connection = self._connection
        assert connection is not None
        with _damage_told(self._folder):
            row = connection.execute(_ALONE, (certificate_key(number), number)).fetchone()
        return row[0] if row else None

    def knows(self, number: str) -> bool:
        """Whether any certificate has, or is found by, a canonical number that no bar code can be."""
        assert self._connection is not None
        with _damage_told(self._folder):
            return bool(self._connection.execute(_KNOWS, (certificate_key(number), number, number)).fetchone()[0])

    def first_timelines(self, limit: int) -> list[tuple[str, bytes]]:
        """(number, timeline) of some certificates, for the examples of the front page."""
        self.meta()
        assert self._connection is not None
        with _damage_told(self._folder):
            return self._connection.execute("SELECT number, timeline FROM quick LIMIT ?", (limit,)).fetchall()

    def certificates_with(self, kind: str, name: str, limit: int = 50) -> list[str]:
        """The numbers of the certificates that name a `mark`, `gtin` or `uscc`, the longest in force first."""
        sql = {
            "mark": "SELECT certificate FROM mark WHERE mark_no = ? ORDER BY certificate LIMIT ?",
            "gtin": "SELECT certificate FROM gtin WHERE gtin = ? ORDER BY until DESC, certificate LIMIT ?",
            "uscc": "SELECT certificate FROM uscc WHERE uscc = ? ORDER BY until DESC, certificate LIMIT ?",
        }[kind]
        self.meta()
        assert self._connection is not None
        with _damage_told(self._folder):
            return [number for (number,) in self._connection.execute(sql, (name, limit))]

    def names_that_begin(self, kind: str, folded: str) -> tuple[list[int], list[int], bool]:
        """The name that is a text, those that begin with it, and whether there are more of these."""
        self.meta()
        assert self._connection is not None
        with _damage_told(self._folder):
            return name_index.names_that_begin(self._connection, kind, folded)

    def names_that_contain(self, kind: str, folded: str) -> list[int]:
        """The names that contain a text; see `name_index.names_that_contain`."""
        assert self._connection is not None
        with _damage_told(self._folder):
            return name_index.names_that_contain(self._connection, kind, folded)

    def certificates_named(self, name: int, day: int, limit: int, *, in_force: bool) -> list[str]:
        """Certificates of a name that are in force on a day as declared, or that are not, the longest first."""
        assert self._connection is not None
        with _damage_told(self._folder):
            return name_index.certificates_named(self._connection, name, day, limit, in_force=in_force)

    def certificates_of_holder(self, folded: str, limit: int = 50) -> list[str]:
        """The certificates of the holder whose name is exactly this, folded; the longest in force first."""
        self.meta()
        assert self._connection is not None
        with _damage_told(self._folder):
            rows = self._connection.execute(
                "SELECT certificate FROM named WHERE name = (SELECT id FROM name WHERE kind = ? AND folded = ?)"
                " ORDER BY until DESC, certificate LIMIT ?",
                (name_index.HOLDER, folded, limit),
            )
            return [number for (number,) in rows]

    def unit(self, what: bytes) -> Place | None:
        """The set that a unit's code is of; `what` is what of it is hashed (`domain.unit_code`)."""
        self.meta()
        assert self._connection is not None
        with _damage_told(self._folder):
            return find_code(self._connection, what)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection, self._target, self._meta = None, "", None

    def _target_now(self) -> str:
        try:
            return os.readlink(self._link)  # noqa: PTH115  # for every look-up, and Path is four times slower
        except OSError:
            raise Unreadable("no file in service") from None

    def _open(self, target: str) -> None:
        self.close()
        path = self._folder / target
        try:
            connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
            connection.execute("PRAGMA mmap_size = 1073741824")
            connection.execute("PRAGMA busy_timeout = 1000")
            _read_meta(connection)
        except sqlite3.Error as error:
            raise Unreadable(f"the file cannot be opened: {error}") from None
        self._connection, self._target, self._data_version = connection, target, -1


@contextmanager
def _damage_told(folder: Path) -> Iterator[None]:
    """Trouble with the file becomes Unreadable, and the projector is asked to build another."""
    try:
        yield
    except DamagedRow:
        ask_for_rebuild(folder)
        raise
    except sqlite3.DatabaseError as error:
        raise _told(folder, error) from None


def _told(folder: Path, error: sqlite3.DatabaseError) -> Unreadable:
    if isinstance(error, sqlite3.OperationalError):  # locked, disk full: the file itself is not in doubt
        return Unreadable(str(error))
    ask_for_rebuild(folder)
    return DamagedRow(str(error))


def ask_for_rebuild(folder: Path) -> None:
    with suppress(OSError):
        (folder / REBUILD_WANTED).touch()


def _read_meta(connection: sqlite3.Connection) -> Meta:
    row = connection.execute(
        "SELECT topic, genesis, position, seq, revision, as_of, complete, directory, format FROM meta"
    ).fetchone()
    if row is None or row[8] != _FORMAT:
        raise Unreadable("the file has another format")
    as_of = instant_of(row[5]) if row[5] else None
    return Meta(row[0], row[1], row[2], row[3], row[4], as_of, bool(row[6]), row[7])


def _stored(key: str, revision: int, seq: int, sealed: object, checksum: object) -> Stored:
    if not isinstance(sealed, bytes) or _checksum(key, revision, seq, sealed) != checksum:
        raise DamagedRow(key)
    return Stored(key, revision, seq, sealed)


def records_under(connection: sqlite3.Connection, prefix: str) -> Iterator[Stored]:
    rows = connection.execute(
        "SELECT key, revision, seq, sealed, checksum FROM record WHERE key >= ? AND key < ? ORDER BY key",
        (f"{prefix}/", f"{prefix}0"),  # '0' follows '/'
    )
    for row in rows:
        yield _stored(*row)


class ModelWriter:
    """One file being written: rows and position in one transaction, so that a crash repeats a batch whole."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self.path = path
        self.meta = _read_meta(connection)

    @classmethod
    def create(cls, path: Path, topic: str, genesis: str, position: int) -> "ModelWriter":
        """A new, empty file whose next record is the one at `position`."""
        for name in (path, *_companions(path)):
            name.unlink(missing_ok=True)
        connection = _connect(path)
        connection.executescript(f"BEGIN;{_SCHEMA}")
        connection.execute(
            "INSERT INTO meta VALUES (1, ?, ?, ?, ?, 0, 0, NULL, 0, 0)", (_FORMAT, topic, genesis, position)
        )
        connection.execute("COMMIT")
        return cls(connection, path)

    @classmethod
    def open(cls, path: Path) -> "ModelWriter":
        """An existing file.

        Raises:
            Unreadable: it is missing, damaged, or of another format.
        """
        if not path.exists():
            raise Unreadable(f"{path.name} is missing")
        try:
            connection = _connect(path)
            return cls(connection, path)
        except sqlite3.Error as error:
            raise Unreadable(f"{path.name} cannot be used: {error}") from None

    def apply(self, rows: Iterable[Row], position: int, *, as_of: str | None, seq: int, complete: bool) -> int:
        """Save the rows that are newer than what is there, and the position with them; returns how many were."""
        cur = self._connection.cursor()
        cur.execute("BEGIN IMMEDIATE")
        try:
            changed = directory = 0
            revision = self.meta.revision
            for row in rows:
                if _save(cur, row):
                    changed += 1
                    directory += not row.key.startswith(_MANY)
                    revision = max(revision, row.revision)
            latest = max(filter(None, (as_of, self._as_of_text())), default=None)
            cur.execute(
                "UPDATE meta SET position = ?, seq = max(seq, ?), revision = ?, as_of = ?, complete = ?, "
                "directory = directory + ?",
                (position, seq, revision, latest, int(complete), directory),
            )
            cur.execute("COMMIT")
        except BaseException:
            # Nothing of the batch is kept; it is read again from the old position.
            cur.execute("ROLLBACK")
            raise
        self.meta = replace(
            self.meta,
            position=position,
            seq=max(self.meta.seq, seq),
            revision=revision,
            as_of=instant_of(latest) if latest else None,
            complete=complete,
            directory=self.meta.directory + directory,
        )
        return changed

    def at_rest(self) -> None:
        """Bring everything into the one file: nothing of it is in a companion any more."""
        self._connection.execute("PRAGMA journal_mode = DELETE")

    def records_under(self, prefix: str) -> list[Stored]:
        """A kind of record, checked, for what has to be in memory again after a restart."""
        return list(records_under(self._connection, prefix))

    def put_in_service(self) -> None:
        """Let readers find this file; the link changes in one step and the files before it go."""
        folder = self.path.parent
        fresh = folder / f".{LINK}.new"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(self.path.name)
        os.replace(fresh, folder / LINK)
        for old in folder.glob("register-*.sqlite"):
            if old.name != self.path.name:
                for name in (old, *_companions(old)):
                    name.unlink(missing_ok=True)

    def close(self) -> None:
        self._connection.close()

    def _as_of_text(self) -> str | None:
        row = self._connection.execute("SELECT as_of FROM meta").fetchone()
        return row[0] if row else None


_MANY = ("certificate/", "codes/", "list/")
"""Kinds that are not in the directory, which readers keep in memory."""


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA page_size = 16384")  # several records a page: they have some 2.5 kB
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA wal_autocheckpoint = 2000")
    connection.execute("PRAGMA cache_size = -32768")
    # A power failure may take the last batches back, position included: they are then read again.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA mmap_size = 1073741824")
    connection.execute("PRAGMA busy_timeout = 5000")
    return connection


def _companions(path: Path) -> tuple[Path, Path]:
    return path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")


def _save(cur: sqlite3.Cursor, row: Row) -> bool:
    before = cur.execute("SELECT revision, found_by, fact FROM record WHERE key = ?", (row.key,)).fetchone()
    if before is not None and row.revision <= before[0]:
        return False  # an older revision, or the same again: the relay repeats itself after a crash
    kind, _, number = row.key.partition("/")
    if row.codes is not None:
        save_codes(cur, row.codes)
    found_by = fact = None
    if kind == "certificate":
        # What a certificate was found by is kept with it: looking that up by indexes would cost every first load.
        found_by = json.dumps([row.until, *map(list, (row.marks, row.gtins, row.usccs, row.names))], ensure_ascii=False)
        if before is None or before[1] != found_by:
            _index(cur, number, before[1] if before else None, row)
        fact = save_fact(cur, before[2] if before else None, row.fact)
        if row.timeline is None or row.shown is None:
            cur.execute("DELETE FROM quick WHERE number = ?", (number,))
        else:
            cur.execute(
                "INSERT OR REPLACE INTO quick VALUES (?, ?, ?, ?)",
                (number, row.timeline, row.shown, quick_checksum(number, row.timeline, row.shown)),
            )
    checksum = _checksum(row.key, row.revision, row.seq, row.sealed)
    cur.execute(
        "INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?, ?, ?)",
        (row.key, row.revision, row.seq, row.sealed, checksum, found_by, fact),
    )
    return True


def _index(cur: sqlite3.Cursor, number: str, before: str | None, row: Row) -> None:
    if before is not None:
        until, marks, gtins, usccs, names = json.loads(before)
        cur.executemany("DELETE FROM mark WHERE mark_no = ? AND certificate = ?", [(mark, number) for mark in marks])
        gone = [(gtin, until, number) for gtin in gtins]
        cur.executemany("DELETE FROM gtin WHERE gtin = ? AND until = ? AND certificate = ?", gone)
        gone = [(uscc, until, number) for uscc in usccs]
        cur.executemany("DELETE FROM uscc WHERE uscc = ? AND until = ? AND certificate = ?", gone)
        name_index.remove(cur, names, until, number)
    cur.executemany("INSERT OR IGNORE INTO mark VALUES (?, ?)", [(mark, number) for mark in row.marks])
    cur.executemany("INSERT OR IGNORE INTO gtin VALUES (?, ?, ?)", [(gtin, row.until, number) for gtin in row.gtins])
    cur.executemany("INSERT OR IGNORE INTO uscc VALUES (?, ?, ?)", [(uscc, row.until, number) for uscc in row.usccs])
    name_index.add(cur, row.names, row.until, number)
