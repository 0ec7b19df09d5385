"""A consumer's report: its number and secret, its deadline, how long its text is kept, how it may end."""

import hashlib
from collections.abc import Mapping
from datetime import date, timedelta
from enum import StrEnum
from types import MappingProxyType

from services.domain.calendar import Calendars, WorkingDeadline, add_working_days

WORKING_DAYS = 15
"""Working days after receipt within which a report is looked into: as commonly known of the market regulator's measures
on complaints and reports (投诉举报处理暂行办法); compare the text in force before relying on it."""

KEPT_AFTER_DECISION_DAYS = 180
"""Days after the outcome in which the text is still there: for questions and reconsideration (six months)."""

KEPT_AT_MOST_DAYS = 730
"""Days after receipt at which it goes in any case, decided or not."""

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: without I, L, O and U, which are read and typed wrongly."""
_TYPED = str.maketrans("ILO", "110")


class Outcome(StrEnum):
    """What looking into a report came to."""

    CONFIRMED = "confirmed"
    NOT_CONFIRMED = "not_confirmed"
    PASSED_ON = "passed_on"
    INSUFFICIENT = "insufficient"


OUTCOMES: Mapping[Outcome, tuple[str, str]] = MappingProxyType(
    {
        Outcome.CONFIRMED: ("情况属实，已处理", "confirmed and acted upon"),
        Outcome.NOT_CONFIRMED: ("经核查未发现问题", "looked into, nothing found"),
        Outcome.PASSED_ON: ("已移交有管辖权的部门", "passed on to who is competent"),
        Outcome.INSUFFICIENT: ("线索不足，无法核查", "too little to go on"),
    }
)
"""(Chinese, English) as the reporter reads it."""


def report_number(day: date, chance: bytes) -> str:
    """`TS` and the day, then 40 bits of chance: a number that says nothing and is nobody else's."""
    return f"TS{day:%Y%m%d}-{_text(chance, 8)}"


def secret_of(chance: bytes) -> str:
    """80 bits in four groups of four, to be noted down."""
    text = _text(chance, 16)
    return "-".join(text[place : place + 4] for place in range(0, 16, 4))


def _text(chance: bytes, length: int) -> str:
    number = int.from_bytes(chance, "big")
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in range(length))


def as_typed(text: str) -> str:
    """A number or secret as somebody typed it from paper: in upper case, without spaces, look-alikes read as meant."""
    kept = "".join(c for c in text.upper() if c.isalnum())
    prefix = "TS" if kept.startswith("TS") and len(kept) == 18 else ""
    kept = kept.removeprefix(prefix).translate(_TYPED)
    return f"TS{kept[:8]}-{kept[8:]}" if prefix else kept


def secret_hash(number: str, secret: str) -> str:
    """What is kept of a secret; 80 bits of chance need no slow hash."""
    return hashlib.sha256(f"certmark-report/v1\n{number}\n{as_typed(secret)}".encode()).hexdigest()


def commitment(record: bytes) -> str:
    """What enters the public log: a hash over the whole record, whose own salt hides it until somebody opens it."""
    return hashlib.sha256(b"certmark-report/v1\n" + record).hexdigest()


def due_on(received_on: date, calendars: Calendars) -> WorkingDeadline:
    """The last day for looking into it; the day of receipt is not counted."""
    return add_working_days(received_on, WORKING_DAYS, calendars)


def is_to_be_forgotten(received_on: date, decided_on: date | None, today: date) -> bool:
    """Whether the text, the contact and the salt are to be deleted on a day."""
    return today > received_on + timedelta(days=KEPT_AT_MOST_DAYS) or (
        decided_on is not None and today > decided_on + timedelta(days=KEPT_AFTER_DECISION_DAYS)
    )
