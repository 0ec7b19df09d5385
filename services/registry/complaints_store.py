"""The restricted table of consumers' reports: what is read of it, and the few ways in which a row changes."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import cast

from services.domain.complaints import KEPT_AFTER_DECISION_DAYS, KEPT_AT_MOST_DAYS, Outcome, commitment
from services.domain.identifiers import civil_day
from services.events.complaint_record import Complaint
from services.postgres import Cursor


@dataclass(frozen=True, slots=True)
class StoredComplaint:
    """A row. `content` is None once it has been forgotten."""

    no: str
    received_at: datetime
    received_on: date
    due_on: date
    region: str | None
    content: bytes | None
    commitment: str
    seq: int | None
    outcome: str | None
    note: str | None
    decided_on: date | None
    forgotten_on: date | None


_COLUMNS = (
    "no, received_at, received_on, due_on, region, content, commitment, seq, outcome, note, decided_on, forgotten_on"
)


def lock_position(cur: Cursor) -> int:
    """How far the topic was read, locked: two readers take turns."""
    cur.execute("SELECT position FROM complaints_read FOR UPDATE")
    return cast("tuple[int]", cur.fetchone())[0]


def save_position(cur: Cursor, position: int) -> None:
    cur.execute("UPDATE complaints_read SET position = %s", (position,))


def save(cur: Cursor, complaint: Complaint, content: bytes, region: str | None) -> bool:
    """Keep a report; False where its number is there already: who was not sure sent it again."""
    cur.execute(
        "INSERT INTO complaints (no, secret_hash, received_at, received_on, due_on, region, content, commitment)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (no) DO NOTHING",
        (
            complaint.no,
            complaint.secret_hash,
            complaint.received_at,
            civil_day(complaint.received_at),
            complaint.due_on,
            region,
            content,
            commitment(content),
        ),
    )
    return cur.rowcount == 1


def region_of_certificate(cur: Cursor, number: str) -> str | None:
    """The district of a certificate's holder."""
    cur.execute("SELECT state::json -> 'holder' ->> 'region' FROM records WHERE key = %s", (f"certificate/{number}",))
    row = cast("tuple[str | None] | None", cur.fetchone())
    return row[0] if row else None


def one(cur: Cursor, no: str) -> StoredComplaint | None:
    cur.execute(f"SELECT {_COLUMNS} FROM complaints WHERE no = %s", (no,))
    row = cur.fetchone()
    return _stored(row) if row else None


def secret_hash_of(cur: Cursor, no: str) -> str | None:
    cur.execute("SELECT secret_hash FROM complaints WHERE no = %s", (no,))
    row = cast("tuple[str] | None", cur.fetchone())
    return row[0] if row else None


def page(cur: Cursor, prefix: str, after: str, limit: int, *, only_open: bool) -> list[StoredComplaint]:
    """Reports of a territory (the significant digits of its code, empty for all), in the order of their numbers."""
    cur.execute(
        f"SELECT {_COLUMNS} FROM complaints WHERE no > %s AND (%s = '' OR region LIKE %s || '%%')"
        " AND (outcome IS NULL OR NOT %s) ORDER BY no LIMIT %s",
        (after, prefix, prefix, only_open, limit),
    )
    return [_stored(row) for row in cur.fetchall()]


def decide(cur: Cursor, no: str, outcome: Outcome, note: str | None, by: str, today: date) -> bool:
    """Record the outcome; False where there is one already: it is written once."""
    cur.execute(
        "UPDATE complaints SET outcome = %s, note = %s, decided_on = %s, decided_by = %s"
        " WHERE no = %s AND outcome IS NULL",
        (outcome.value, note, today, by, no),
    )
    return cur.rowcount == 1


_FORGET = (
    "UPDATE complaints SET content = NULL, note = NULL, forgotten_on = coalesce(forgotten_on, %(today)s)"
    " WHERE (content IS NOT NULL OR note IS NOT NULL)"  # a note may be written after the rest was deleted
)


def forget(cur: Cursor, no: str, today: date) -> bool:
    """Delete what the reporter wrote and what was written to him, at his wish: dates, outcome and commitment stay."""
    cur.execute(f"{_FORGET} AND no = %(no)s", {"today": today, "no": no})
    return cur.rowcount == 1


def forget_expired(cur: Cursor, today: date) -> int:
    """The same for every report whose time is over (`domain.complaints.is_to_be_forgotten`); how many."""
    cur.execute(
        f"{_FORGET}"
        " AND (received_on < %(today)s::date - %(most)s::int OR decided_on < %(today)s::date - %(after)s::int)",
        {"today": today, "most": KEPT_AT_MOST_DAYS, "after": KEPT_AFTER_DECISION_DAYS},
    )
    return cur.rowcount


def _stored(row: tuple[object, ...]) -> StoredComplaint:
    values = [bytes(value) if isinstance(value, memoryview) else value for value in row]
    return StoredComplaint(*values)  # type: ignore[arg-type]  # the columns of the statement, in their order
