"""The tables of the status lists: how far they have been made, whose places turn when, and the lists themselves."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import cast

from services.postgres import Cursor, execute_values

_CERTIFICATE = "certificate/"


@dataclass(frozen=True, slots=True)
class Subject:
    """A certificate's record as the lists read it: state and tokens are JSON."""

    certificate_no: str
    state: str
    tokens: str


@dataclass(frozen=True, slots=True)
class StoredList:
    """A list as it stands. `issued_at` is None of one that was never signed."""

    list_id: int
    places: bytes
    changed: bool
    uri: str
    issued_at: datetime | None


def lock(cur: Cursor, day: date) -> int:
    """The last revision that the lists know of, locked: two who make lists take turns here.

    Where they were made on a later day than this the clock was set back: whatever has a place is looked at once more.
    """
    cur.execute("SELECT revision, day > %s FROM lists_head FOR UPDATE", (day,))
    revision, set_back = cast("tuple[int, bool]", cur.fetchone())
    if set_back:
        cur.execute("UPDATE list_subjects SET turns_on = %s", (day,))
    return revision


def save_head(cur: Cursor, revision: int, day: date) -> None:
    cur.execute("UPDATE lists_head SET revision = %s, day = %s", (revision, day))


@dataclass(frozen=True, slots=True)
class Changed:
    """The certificates among the next records, whether a key is among them, the last revision read, and whether there
    may be more."""

    certificates: list[Subject]
    keys: bool
    revision: int
    more: bool


def changed_after(cur: Cursor, revision: int, limit: int) -> Changed:
    """The next records after a revision, as many as the limit."""
    cur.execute(
        "SELECT revision, key, CASE WHEN key LIKE 'certificate/%%' THEN state END, tokens FROM records"
        " WHERE revision > %s ORDER BY revision LIMIT %s",
        (revision, limit),
    )
    rows = cur.fetchall()
    found = [Subject(_number(key), state, tokens) for _, key, state, tokens in rows if state is not None]
    keys = any(key.startswith("key/") for _, key, _, _ in rows)
    return Changed(found, keys, rows[-1][0] if rows else revision, len(rows) == limit)


def subjects(cur: Cursor, numbers: Collection[str]) -> dict[str, Subject]:
    """The certificates of these numbers, as far as there are any."""
    cur.execute(
        "SELECT key, state, tokens FROM records WHERE key = ANY(%s)",
        ([f"{_CERTIFICATE}{number}" for number in numbers],),
    )
    return {_number(key): Subject(_number(key), state, tokens) for key, state, tokens in cur.fetchall()}


def children_of(cur: Cursor, numbers: Collection[str]) -> list[str]:
    """The certificates with places that are part of these."""
    cur.execute("SELECT certificate_no FROM list_subjects WHERE parent_no = ANY(%s)", (list(numbers),))
    return [number for (number,) in cur.fetchall()]


def turning_by(cur: Cursor, day: date, limit: int) -> list[str]:
    """The certificates whose places the calendar may have changed since they were looked at."""
    cur.execute(
        "SELECT certificate_no FROM list_subjects WHERE turns_on <= %s ORDER BY certificate_no LIMIT %s", (day, limit)
    )
    return [number for (number,) in cur.fetchall()]


def save_subjects(cur: Cursor, rows: Sequence[tuple[str, str | None, date | None]]) -> None:
    """(number, parent, next day on which its places may turn) of certificates that have places."""
    execute_values(
        cur,
        "INSERT INTO list_subjects (certificate_no, parent_no, turns_on) VALUES %s ON CONFLICT (certificate_no)"
        " DO UPDATE SET parent_no = excluded.parent_no, turns_on = excluded.turns_on"
        " WHERE (list_subjects.parent_no, list_subjects.turns_on)"
        " IS DISTINCT FROM (excluded.parent_no, excluded.turns_on)",
        rows,
        page_size=1000,
    )


def lists(cur: Cursor, list_ids: Iterable[int] | None = None) -> dict[int, StoredList]:
    """These lists, or all."""
    cur.execute(
        "SELECT list, places, changed, uri, issued_at FROM status_lists WHERE %s::integer[] IS NULL OR list = ANY(%s)",
        (wanted := None if list_ids is None else list(list_ids), wanted),
    )
    return {row[0]: StoredList(row[0], bytes(row[1]), *row[2:]) for row in cur.fetchall()}


def due_for_signing(cur: Cursor, before: datetime, now: datetime, base: str) -> list[StoredList]:
    """The lists that have changed, were signed before an instant, later than now (by a clock that ran ahead), or under
    another address than below this base."""
    cur.execute(
        "SELECT list, places, changed, uri, issued_at FROM status_lists"
        " WHERE changed OR issued_at IS NULL OR issued_at <= %s OR issued_at > %s OR uri <> %s || '/' || list"
        " ORDER BY list",
        (before, now, base),
    )
    return [StoredList(row[0], bytes(row[1]), *row[2:]) for row in cur.fetchall()]


def save_places(cur: Cursor, list_id: int, places: bytes) -> None:
    cur.execute(
        "INSERT INTO status_lists (list, places) VALUES (%s, %s)"
        " ON CONFLICT (list) DO UPDATE SET places = excluded.places, changed = true",
        (list_id, places),
    )


def signed(cur: Cursor, list_id: int, uri: str, issued_at: datetime) -> None:
    cur.execute(
        "UPDATE status_lists SET changed = false, uri = %s, issued_at = %s WHERE list = %s", (uri, issued_at, list_id)
    )


def _number(key: str) -> str:
    return key.removeprefix(_CERTIFICATE)
