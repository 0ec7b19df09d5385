"""What a certificate is found by beside its number, from the list that is kept with its record."""

import json
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from services.verify import name_index
from services.verify.name_index import HOLDER, PRODUCT

SCHEMA = (
    """
CREATE TABLE mark (mark_no TEXT NOT NULL, certificate TEXT NOT NULL, PRIMARY KEY (mark_no, certificate)) WITHOUT ROWID;
CREATE TABLE gtin (
    gtin TEXT NOT NULL, until INTEGER NOT NULL, certificate TEXT NOT NULL,
    PRIMARY KEY (gtin, until DESC, certificate)) WITHOUT ROWID;
CREATE TABLE uscc (
    uscc TEXT NOT NULL, until INTEGER NOT NULL, certificate TEXT NOT NULL,
    PRIMARY KEY (uscc, until DESC, certificate)) WITHOUT ROWID;
"""
    + name_index.NAME_TABLES
)

_MAKE = (
    "INSERT INTO mark SELECT one.value, substr(record.key, 13) FROM record, json_each(found_by, '$[0]') one"
    " ORDER BY 1, 2",
    "INSERT INTO gtin SELECT one.value, until, substr(record.key, 13) FROM record, json_each(found_by, '$[1]') one"
    " ORDER BY 1, 2 DESC, 3",
    "INSERT INTO uscc SELECT one.value, until, substr(record.key, 13) FROM record, json_each(found_by, '$[2]') one"
    " ORDER BY 1, 2 DESC, 3",
    "CREATE INDEX uscc_in_order ON uscc (uscc, certificate)",
)


def make(cur: sqlite3.Cursor, put_in_order: Callable[[], None]) -> None:
    """Fill the tables for all records at once, each in its own order: every page is written once and is full.
    A holder's certificates can be gone through in the order of their numbers as well, which stays as they change.

    Names are put in order `beside` meanwhile.
    """
    for sql in _MAKE:
        cur.execute(sql)
    put_in_order()
    name_index.make(cur)


_NAMES = {HOLDER: "$[3]", PRODUCT: "$[4]"}

MANY = 20_000
"""Records from which on it is worth starting a process that puts names in order: it takes a third of a second to begin,
and half as long as all else."""


@contextmanager
def beside(connection: sqlite3.Connection, file: Path) -> Iterator[Callable[[], None]]:
    """A schema `beside`, and what comes back once all that is told of names lies there in order.

    What the process for it cannot give, because it has died, is made here.
    """
    (last,) = connection.execute("SELECT max(id) FROM record").fetchone()
    names, process = names_file(file), None
    if (last or 0) >= MANY:
        names.unlink(missing_ok=True)
        process = get_context("spawn").Process(target=_tell, args=(file, names), name="certmark-names", daemon=True)
        process.start()
    connection.execute("ATTACH ? AS beside", (str(names) if process else "",))

    def put_in_order() -> None:
        if process is not None:
            process.join()
        if process is None or process.exitcode != 0:
            name_index.tell(connection, _NAMES)

    try:
        yield put_in_order
    finally:
        if process is not None:
            process.kill()
            process.join()
        connection.execute("DETACH beside")
        names.unlink(missing_ok=True)


def names_file(file: Path) -> Path:
    return file.with_name(file.name + "-names")


def _tell(file: Path, names: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the projector's to answer, which ends us
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    connection = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, isolation_level=None)
    connection.execute("ATTACH ? AS beside", (names.as_uri(),))
    connection.execute("PRAGMA beside.journal_mode = OFF")  # who finds it half done begins anew
    connection.execute("PRAGMA beside.synchronous = OFF")
    name_index.tell(connection, _NAMES)
    connection.close()


def add(cur: sqlite3.Cursor, key: str, found_by: str | None, until: int) -> None:
    if found_by is None:
        return
    number = _number(key)
    marks, gtins, usccs, holders, products = json.loads(found_by)
    cur.executemany("INSERT OR IGNORE INTO mark VALUES (?, ?)", [(mark, number) for mark in marks])
    cur.executemany("INSERT OR IGNORE INTO gtin VALUES (?, ?, ?)", [(gtin, until, number) for gtin in gtins])
    cur.executemany("INSERT OR IGNORE INTO uscc VALUES (?, ?, ?)", [(uscc, until, number) for uscc in usccs])
    name_index.add(cur, _names(holders, products), until, number)


def remove(cur: sqlite3.Cursor, key: str, found_by: str | None, until: int) -> None:
    if found_by is None:
        return
    number = _number(key)
    marks, gtins, usccs, holders, products = json.loads(found_by)
    cur.executemany("DELETE FROM mark WHERE mark_no = ? AND certificate = ?", [(mark, number) for mark in marks])
    gone = [(gtin, until, number) for gtin in gtins]
    cur.executemany("DELETE FROM gtin WHERE gtin = ? AND until = ? AND certificate = ?", gone)
    gone = [(uscc, until, number) for uscc in usccs]
    cur.executemany("DELETE FROM uscc WHERE uscc = ? AND until = ? AND certificate = ?", gone)
    name_index.remove(cur, _names(holders, products), until, number)


def _number(key: str) -> str:
    return key.partition("/")[2]


def _names(holders: list[str], products: list[str]) -> list[tuple[str, str]]:
    return [*((HOLDER, name) for name in holders), *((PRODUCT, name) for name in products)]
