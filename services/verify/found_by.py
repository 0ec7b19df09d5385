"""What a certificate is found by beside its number, from the list that is kept with its record."""

import json
import sqlite3

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
)


def make(cur: sqlite3.Cursor) -> None:
    """Fill the tables for all records at once, each in its own order: every page is written once and is full."""
    for sql in _MAKE:
        cur.execute(sql)
    name_index.make(cur, {HOLDER: "$[3]", PRODUCT: "$[4]"})


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
