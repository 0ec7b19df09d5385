"""Unit codes on a verify node: the hashes of every set, in a table of their own, and the exact look-up of one."""

import sqlite3
import struct
from dataclasses import dataclass

from services import base64url
from services.domain.unit_code import HASH_BYTES, SALT_BYTES, Form, unit_hash
from services.events.record import SealedRecord

SCHEMA = """
CREATE TABLE code_run (
    id INTEGER PRIMARY KEY, run TEXT NOT NULL UNIQUE, certificate TEXT NOT NULL, mark_no TEXT NOT NULL,
    form TEXT NOT NULL);
CREATE TABLE code (hash INTEGER PRIMARY KEY, run INTEGER NOT NULL);
CREATE TABLE code_salt (salt BLOB PRIMARY KEY) WITHOUT ROWID;
"""
"""The hash is the row's own key: no index beside it, and nothing that only says «perhaps»."""

MOST_SALTS = 4
"""A register has one. A record under a fifth is nobody's of ours."""


@dataclass(frozen=True, slots=True)
class CodesPart:
    """A part of a set, as a record of the state topic holds it. `hashes` are packed, 8 bytes each, ascending."""

    run: str
    certificate_no: str
    mark_no: str
    form: Form
    salt: bytes
    hashes: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """Where a code belongs: the set that it is of (`run`: digest of its event), and its own hash."""

    run: str
    certificate_no: str
    mark_no: str
    form: Form
    hash: int


def codes_in_record(record: SealedRecord) -> CodesPart | None:
    """The hashes of a record that was just believed; None where this version cannot read it."""
    state = record.state or {}
    try:
        salt, hashes = base64url.decoded(state["salt"]), base64url.decoded(state["hashes"])
        part = CodesPart(
            str(state["run"]), str(state["certificate_no"]), str(state["mark_no"]), Form(state["form"]), salt, hashes
        )
    except (KeyError, TypeError, ValueError):
        return None
    return part if len(salt) == SALT_BYTES and len(hashes) % HASH_BYTES == 0 else None


def save_codes(cur: sqlite3.Cursor, part: CodesPart) -> None:
    """Keep the hashes of a part. The same again changes nothing."""
    few = "(SELECT count(*) FROM code_salt) < ?"
    cur.execute(f"INSERT OR IGNORE INTO code_salt SELECT ? WHERE {few}", (part.salt, MOST_SALTS))
    cur.execute(
        "INSERT OR IGNORE INTO code_run (run, certificate, mark_no, form) VALUES (?, ?, ?, ?)",
        (part.run, part.certificate_no, part.mark_no, part.form.value),
    )
    (run,) = cur.execute("SELECT id FROM code_run WHERE run = ?", (part.run,)).fetchone()
    cur.executemany(
        "INSERT OR IGNORE INTO code VALUES (?, ?)", [(hash_, run) for (hash_,) in struct.iter_unpack(">q", part.hashes)]
    )


def find_code(connection: sqlite3.Connection, what: bytes) -> Place | None:
    """The set that a code is of. A miss costs what a hit does: one hash and one look into the same table."""
    for (salt,) in connection.execute("SELECT salt FROM code_salt").fetchall():
        hash_ = unit_hash(salt, what)
        row = connection.execute(
            "SELECT r.run, r.certificate, r.mark_no, r.form FROM code JOIN code_run r ON r.id = code.run"
            " WHERE hash = ?",
            (hash_,),
        ).fetchone()
        if row is not None:
            return Place(row[0], row[1], row[2], Form(row[3]), hash_)
    return None
