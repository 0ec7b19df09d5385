"""The read model: one SQLite file in which a verify node keeps the state records and how far it has read them."""

import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Timer
from time import monotonic
from typing import Any, NamedTuple

import orjson

from services.domain.identifiers import instant_of
from services.events.record import sealed_by
from services.verify import found_by, name_index, unit_codes
from services.verify.facts import FACT_TABLES, add_facts, save_fact
from services.verify.filed import Filed, checksum, quick_checksum
from services.verify.packed import Unpacked, unpack
from services.verify.unit_codes import Place, find_code, save_codes

LINK = "register.sqlite"
"""The name under which readers find the file in service: a link, so that a rebuilt file takes over in one step."""

REBUILD_WANTED = "rebuild-wanted"
"""A reader that meets a damaged row leaves a file of this name; the projector then builds a new file."""

_FORMAT = 7
_SCHEMA = (
    """
CREATE TABLE meta (
    only INTEGER PRIMARY KEY CHECK (only = 1), format INTEGER NOT NULL, topic TEXT NOT NULL, genesis TEXT NOT NULL,
    position INTEGER NOT NULL, seq INTEGER NOT NULL, revision INTEGER NOT NULL, as_of TEXT, complete INTEGER NOT NULL,
    directory INTEGER NOT NULL);
CREATE TABLE head (id INTEGER PRIMARY KEY, head BLOB NOT NULL UNIQUE);
CREATE TABLE record (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL, seq INTEGER NOT NULL,
    until INTEGER NOT NULL, fact INTEGER, timeline BLOB, shown BLOB, quick INTEGER NOT NULL, head INTEGER NOT NULL,
    packed BLOB NOT NULL, checksum INTEGER NOT NULL, found_by TEXT);
"""
    + found_by.SCHEMA
    + FACT_TABLES
    + unit_codes.SCHEMA
)
"""`head` are the headers of seals, which records under one key share; `packed` is as in `packed.py`, `shown` beside.

Rows lie in the order in which they came, and what finds them by something else is made when the file is whole: a page
of an index is then written once, and not for every few records anew.
"""

IN_ORDER = "SELECT certificate FROM uscc WHERE uscc = ? AND certificate > ? ORDER BY certificate LIMIT ?"
_ALONE = "SELECT revision FROM record WHERE key = ? AND shown IS NOT NULL"
_QUICK = "SELECT timeline, shown, quick FROM record WHERE key = ?"
_BEFORE = "SELECT key, id, revision, until, fact, found_by FROM record"
_RECORD = "SELECT key, revision, seq, shown, head, packed, checksum FROM record"
_ALONE_RECORD = f"{_RECORD} WHERE key = ? AND shown IS NOT NULL"
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

    def fresh(self, now: datetime, stale_after: timedelta) -> datetime | None:
        """As of when the data is, where it may be answered with. Data from days that have not come yet may not: a clock
        was wrong, and nobody knows since when nothing has come."""
        return self.as_of if self.complete and self.as_of and abs(now - self.as_of) <= stale_after else None


@dataclass(frozen=True, slots=True)
class Stored:
    """A state record with its seal, as it came."""

    key: str
    revision: int
    seq: int
    record: Unpacked

    @property
    def sealed(self) -> bytes:
        """The bytes of the topic, one by one."""
        return self.record.sealed

    @property
    def kid(self) -> str:
        """The key of its seal."""
        return sealed_by(self.record.head)

    def payload(self) -> dict[str, Any]:
        """The members of the record. The seal was checked when the row was written, the checksum when it was read."""
        payload: dict[str, Any] = orjson.loads(self.record.text)
        return payload


_MAPPED = 2**31
"""Bytes of the file that are read where they lie; SQLite as it is mostly built maps no more. The rest is copied."""

_OFTEN_S, _HELD_S = 0.01, 1.0
"""Questions nearer to each other than the one begin a transaction; it is open for at most twice the other."""

_BY_ANY_THREAD = 3
"""Of `sqlite3.threadsafety`: threads may use the same connection."""

_AT_ONCE = 500
"""Bound values in a statement; SQLite takes 999 in every version."""


def certificate_key(number: str) -> str:
    return f"certificate/{number}"


class ReadModel:
    """The file in service, opened read-only; follows the link when a rebuilt file takes over.

    One instance belongs to one thread. Every method raises Unreadable where there is no usable file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._link = str(folder / LINK)
        self._target = ""
        self._connection: sqlite3.Connection | None = None
        self._cursor: sqlite3.Cursor | None = None  # of the hot path, which else made one for each look-up
        self._data_version = -1
        self._meta: Meta | None = None
        self._heads: dict[int, bytes] = {}
        self._asked = 0.0
        self._ending: Timer | None = None

    @property
    def folder(self) -> Path:
        return self._folder

    @property
    def target(self) -> str:
        """The name of the file that was read last."""
        return self._target

    def meta(self) -> Meta:
        """What the file is at this moment; the same object as long as nothing was written."""
        self._follow()
        return self._meta_now()

    def meta_held(self) -> Meta:
        """The same for who asks every few milliseconds: what is read until he asks again is read as of this moment.

        One transaction for hundreds of look-ups saves each of them its locks, half of its time in the file. Nobody
        holds it for long: what a reader holds, the writer cannot clear up behind him.
        """
        before, self._asked = self._asked, monotonic()
        self._follow()
        connection = self._connection
        assert connection is not None
        try:
            if connection.in_transaction:
                connection.execute("COMMIT")
            if self._asked - before < _OFTEN_S and sqlite3.threadsafety == _BY_ANY_THREAD:
                connection.execute("BEGIN")
                if self._ending is None:
                    self._end_later()
        except sqlite3.DatabaseError as error:
            raise _told(self._folder, error) from None
        return self._meta_now()

    def _end_later(self) -> None:
        self._ending = Timer(_HELD_S, self._end)
        self._ending.daemon = True
        self._ending.start()

    def _end(self) -> None:
        """In a thread of its own. A transaction that has just begun stays, and this comes again."""
        self._ending = None
        connection = self._connection
        if monotonic() - self._asked < _HELD_S:
            self._end_later()
        elif connection is not None:
            with suppress(sqlite3.Error):  # it may be closed, or the transaction be over
                connection.execute("COMMIT")

    def _follow(self) -> None:
        target = self._target_now()
        if target != self._target:
            try:
                self._open(target)
            except Unreadable:
                if target == self._target_now():
                    raise
                self._open(self._target_now())  # it was replaced and deleted between the look and the opening

    def _meta_now(self) -> Meta:
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
        assert self._connection is not None
        with _damage_told(self._folder):
            row = self._connection.execute(f"{_RECORD} WHERE key = ?", (key,)).fetchone()
            return self._stored(*row) if row else None

    def record_alone(self, number: str) -> Stored | None:
        """The record of a certificate that stands by itself, from the file that was read last; see `revision_alone`."""
        assert self._connection is not None
        with _damage_told(self._folder):
            row = self._connection.execute(_ALONE_RECORD, (certificate_key(number),)).fetchone()
            return self._stored(*row) if row else None

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
        for part in _parts(keys):
            with _damage_told(self._folder):
                for row in self._connection.execute(f"{_RECORD} WHERE key IN ({_places(part)})", part):
                    found[row[0]] = self._stored(*row)
        return found

    def _stored(self, key: str, revision: int, seq: int, shown: object, head: int, packed: object, said: int) -> Stored:
        if head not in self._heads:
            assert self._connection is not None
            self._heads = heads(self._connection)
        return _stored(self._heads, key, revision, seq, shown, head, packed, said)

    def quick(self, number: str) -> tuple[bytes, bytes] | None:
        """(timeline, shown) of a certificate in its canonical number: the bytes of the hot path."""
        if self._cursor is None:
            raise Unreadable("no file in service")
        key = f"certificate/{number}"
        try:
            row = self._cursor.execute(_QUICK, (key,)).fetchone()
        except sqlite3.DatabaseError as error:
            raise _told(self._folder, error) from None
        if row is None:
            return None
        timeline, shown, said = row
        if type(timeline) is bytes and type(shown) is bytes:
            if quick_checksum(key, timeline, shown) == said:
                return timeline, shown
        elif timeline is None and shown is None and quick_checksum(key, b"", b"") == said:
            return None
        ask_for_rebuild(self._folder)
        raise DamagedRow(number)

    def revision_alone(self, number: str) -> int | None:
        """The revision of a certificate that stands by itself; None where there is none, or it falls with another."""
        connection = self._connection
        assert connection is not None
        with _damage_told(self._folder):
            row = connection.execute(_ALONE, (certificate_key(number),)).fetchone()
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
            return self._connection.execute(
                "SELECT substr(key, 13), timeline FROM record WHERE timeline IS NOT NULL LIMIT ?", (limit,)
            ).fetchall()

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

    def certificates_in_order(self, uscc: str, after: str, limit: int) -> list[str]:
        """The first numbers behind `after` of certificates that name a credit code."""
        self.meta()
        assert self._connection is not None
        with _damage_told(self._folder):
            return [number for (number,) in self._connection.execute(IN_ORDER, (uscc, after, limit))]

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
        if self._ending is not None:
            self._ending.cancel()
        if self._connection is not None:
            self._connection.close()
        self._connection, self._cursor, self._target, self._meta = None, None, "", None
        self._heads, self._ending = {}, None

    def _target_now(self) -> str:
        try:
            return os.readlink(self._link)  # noqa: PTH115  # for every look-up, and Path is four times slower
        except OSError:
            raise Unreadable("no file in service") from None

    def _open(self, target: str) -> None:
        self.close()
        path = self._folder / target
        try:
            # Of other threads only the one that ends what is held uses it (`_end`).
            connection = sqlite3.connect(
                f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
            )
            connection.execute(f"PRAGMA mmap_size = {_MAPPED}")
            connection.execute("PRAGMA busy_timeout = 1000")
            _read_meta(connection)
        except sqlite3.Error as error:
            raise Unreadable(f"the file cannot be opened: {error}") from None
        self._connection, self._cursor = connection, connection.cursor()
        self._target, self._data_version = target, -1


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


def _stored(
    known: Mapping[int, bytes],
    key: str,
    revision: int,
    seq: int,
    shown: object,
    head: int,
    packed: object,
    said: int,
) -> Stored:
    beside = b"" if shown is None else shown
    if head not in known or type(packed) is not bytes or type(beside) is not bytes:
        raise DamagedRow(key)
    if checksum(key, revision, seq, known[head], packed, beside) != said:
        raise DamagedRow(key)
    try:
        return Stored(key, revision, seq, unpack(known[head], packed, beside))
    except zlib.error:
        raise DamagedRow(key) from None


def heads(connection: sqlite3.Connection) -> dict[int, bytes]:
    """The headers of seals by their number in the file."""
    return dict(connection.execute("SELECT id, head FROM head").fetchall())


def records_under(connection: sqlite3.Connection, prefix: str) -> Iterator[Stored]:
    known = heads(connection)
    rows = connection.execute(
        f"{_RECORD} WHERE key >= ? AND key < ? ORDER BY key",
        (f"{prefix}/", f"{prefix}0"),  # '0' follows '/'
    )
    for row in rows:
        yield _stored(known, *row)


def _parts(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(keys), _AT_ONCE):
        yield keys[first : first + _AT_ONCE]


def _places(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))


class ModelWriter:
    """One file being written: rows and position in one transaction, so that a crash repeats a batch whole."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self.path = path
        self.meta = _read_meta(connection)
        self._heads = {head: number for number, head in heads(connection).items()}

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

    def apply(self, rows: Iterable[Filed], position: int, *, as_of: str | None, seq: int, complete: bool) -> int:
        """Save the rows that are newer than what is there, and the position with them; returns how many were.

        `as_of`: as of when the data is from now on; None leaves that as it is.
        """
        cur = self._connection.cursor()
        cur.execute("BEGIN IMMEDIATE")
        try:
            changed = self._save(cur, _newest(rows))
            directory = sum(not row.key.startswith(_MANY) for row in changed)
            revision = max([self.meta.revision, *(row.revision for row in changed)])
            latest = as_of or self._as_of_text()
            cur.execute(
                "UPDATE meta SET position = ?, seq = max(seq, ?), revision = ?, as_of = ?, directory = directory + ?",
                (position, seq, revision, latest, directory),
            )
            cur.execute("COMMIT")
        except BaseException:
            # Nothing of the batch is kept; it is read again from the old position.
            cur.execute("ROLLBACK")
            self._heads = {head: number for number, head in heads(self._connection).items()}
            raise
        self.meta = replace(
            self.meta,
            position=position,
            seq=max(self.meta.seq, seq),
            revision=revision,
            as_of=instant_of(latest) if latest else None,
            directory=self.meta.directory + directory,
        )
        if complete and not self.meta.complete:
            self._complete()
        return len(changed)

    def _complete(self) -> None:
        """Make what finds certificates, of all records. A crash before it is done repeats it whole."""
        with found_by.beside(self._connection, self.path) as put_in_order:
            cur = self._connection.cursor()
            cur.execute("BEGIN")
            try:
                found_by.make(cur, put_in_order)
                cur.execute("UPDATE meta SET complete = 1")
                cur.execute("COMMIT")
            except BaseException:
                cur.execute("ROLLBACK")
                raise
        self.meta = replace(self.meta, complete=True)

    def _save(self, cur: sqlite3.Cursor, rows: Mapping[str, Filed]) -> list[Filed]:
        """Write those that are newer than what is there; returns them."""
        before: dict[str, _Before] = {}
        for part in _parts(list(rows)):
            sql = f"{_BEFORE} WHERE key IN ({_places(part)})"
            before.update((key, _Before(*rest)) for key, *rest in cur.execute(sql, part))
        new = [row for key, row in rows.items() if key not in before]
        newer = [row for key, row in rows.items() if key in before and row.revision > before[key].revision]
        for row in newer:
            _replace(cur, before[row.key], row, self._head(cur, row.head), indexed=self.meta.complete)
        self._add(cur, new)
        saved = [*new, *newer]
        for row in saved:
            if row.codes is not None:
                save_codes(cur, row.codes)
        return saved

    def _add(self, cur: sqlite3.Cursor, rows: Sequence[Filed]) -> None:
        """Those of which there is nothing yet, by one statement a table."""
        (last,) = cur.execute("SELECT max(id) FROM fact").fetchone()
        facts = []
        columns = []
        fact = last or 0
        for row in rows:
            of = None
            if row.fact is not None:
                of = fact = fact + 1
                facts.append((fact, row.fact))
            columns.append((*row[:_COLUMNS], of, self._head(cur, row.head)))
        cur.executemany(_ADD, columns)
        add_facts(cur, facts)
        if self.meta.complete:
            for row in rows:
                found_by.add(cur, row.key, row.found_by, row.until)

    def _head(self, cur: sqlite3.Cursor, head: bytes) -> int:
        number = self._heads.get(head)
        if number is None:
            number = self._heads[head] = cur.execute("INSERT INTO head (head) VALUES (?)", (head,)).lastrowid or 0
        return number

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

    def throw_away(self) -> None:
        """Close the file and remove it: it is never to be in service."""
        self.close()
        for name in (self.path, *_companions(self.path)):
            name.unlink(missing_ok=True)

    def _as_of_text(self) -> str | None:
        row = self._connection.execute("SELECT as_of FROM meta").fetchone()
        return row[0] if row else None


_MANY = ("certificate/", "codes/", "list/")
"""Kinds that are not in the directory, which readers keep in memory."""


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA page_size = 16384")  # several records a page: they have some 2.7 kB
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA wal_autocheckpoint = 2000")
    connection.execute("PRAGMA journal_size_limit = 67108864")  # what finds certificates is made in one transaction
    connection.execute("PRAGMA cache_size = -32768")
    # A power failure may take the last batches back, position included: they are then read again.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA mmap_size = 1073741824")
    connection.execute("PRAGMA busy_timeout = 5000")
    return connection


def _companions(path: Path) -> tuple[Path, ...]:
    return path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm"), found_by.names_file(path)


_ADD = (
    "INSERT INTO record (key, revision, seq, until, timeline, shown, quick, packed, checksum, found_by, fact, head)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_COLUMNS = 10
"""Of a `Filed`, those that are written as they are, in the order of the statement."""


class _Before(NamedTuple):
    """What has to be known of a row in order to put another in its place."""

    id: int
    revision: int
    until: int
    fact: int | None
    found_by: str | None


def _newest(rows: Iterable[Filed]) -> dict[str, Filed]:
    """Of each key the highest revision: the relay repeats itself after a crash, and a zombie's last word is late."""
    newest: dict[str, Filed] = {}
    for row in rows:
        known = newest.get(row.key)
        if known is None or row.revision > known.revision:
            newest[row.key] = row
    return newest


def _replace(cur: sqlite3.Cursor, before: _Before, row: Filed, head: int, *, indexed: bool) -> None:
    fact = save_fact(cur, before.fact, row.fact)
    cur.execute(
        "UPDATE record SET key = ?, revision = ?, seq = ?, until = ?, timeline = ?, shown = ?, quick = ?, packed = ?,"
        " checksum = ?, found_by = ?, fact = ?, head = ? WHERE id = ?",
        (*row[:_COLUMNS], fact, head, before.id),
    )
    if indexed and (before.found_by, before.until) != (row.found_by, row.until):
        found_by.remove(cur, row.key, before.found_by, before.until)
        found_by.add(cur, row.key, row.found_by, row.until)
