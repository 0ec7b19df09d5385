"""The clocks counted a second time, day by day and from the domain rules (§2.3) alone, on histories by chance.

Nothing here calls what it judges but `apply` and `clocks`; months, working days and anniversaries are counted anew.
"""

from calendar import monthrange
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from random import Random
from typing import Any, cast

from services.domain.calendar import Calendar
from services.domain.certificate import Certificate
from services.domain.clocks import clocks
from services.domain.errors import Refusal
from services.domain.lifecycle import apply
from services.domain.said import EventData, Moment, Said
from services.domain.scheme import scheme_rules
from tests.lives import BODY, a_scheme

HISTORIES = 1000
DAY = timedelta(days=1)
OFF = frozenset({date(2026, 5, 1), *(date(2026, 10, n) for n in range(1, 8))})
WORKED = frozenset({date(2026, 9, 27), date(2026, 10, 10)})
LAST_OF_2008 = date(2026, 6, 30)


def months_on(day: date, months: int) -> date:
    year, month = day.year, day.month
    for _ in range(months):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def last_day(determined_on: date, days: int, *, working: bool) -> date:
    """So many days after, of which only working days count where it says so."""
    day = determined_on
    while days:
        day += DAY
        worked = day in WORKED or (day.isoweekday() < 6 and day not in OFF)
        days -= worked or not working
    return day


@dataclass
class Counted:
    """One certificate, as somebody with a calendar and the rules at hand keeps count of it."""

    chance: Random
    begun: date
    rules: dict[str, Any] = field(default_factory=dict)
    status: str = "active"

    def __post_init__(self) -> None:
        pick = self.chance.choice
        self.rules = {
            "suspend_within": pick([None, {"days": 5, "working": True}, {"days": 15, "working": False}]),
            "suspension_limit_months": pick([None, 3, 6]),
            "suspension_limits": pick([[], [{"reasons": ["S08"], "months": 12}]]),
            "suspension_least_months": pick([None, None, 1]),
            "surveillance_months": pick([None, 6, 12]),
            "surveillance_grace_days": pick([0, 10]),
            "renewal_window_days": pick([None, 90]),
            "grace_days": pick([0, 20]),
            "failed_check_audit_days": pick([None, 30]),
            "validity_months": 36,
            "transitions": [{"standard": "GB 1", "edition": "2008", "until": LAST_OF_2008.isoformat()}],
        }
        self.old = pick([True, False, False])
        self.since, self.valid_from, self.end = self.begun, self.begun, months_on(self.begun, pick([12, 36])) - DAY
        self.months = self.rules["surveillance_months"]
        self.due = months_on(self.begun, self.months) if self.months else None
        self.reason, self.until, self.known, self.passed = "", self.end, self.begun, list[date]()

    def anniversaries(self) -> list[date]:
        return [months_on(self.valid_from, self.months * n) for n in range(1, 30)]

    # --- what may be said, and what comes of it --------------------------------------------------------------------

    def suspended(self, day: date) -> tuple[dict[str, Any], bool]:
        reason, known = self.chance.choice(["S01", "S03", "S08"]), day - self.chance.randint(0, 20) * DAY
        limit = 12 if reason == "S08" and self.rules["suspension_limits"] else self.rules["suspension_limit_months"]
        longest = months_on(day, limit or 3) - DAY
        ends = [
            longest,
            longest + DAY,
            day + self.chance.randint(0, 100) * DAY,
            self.end + self.chance.randint(0, 9) * DAY,
        ]
        until = max(self.chance.choice(ends), day)
        within, least = self.rules["suspend_within"], self.rules["suspension_least_months"]
        allowed = (
            self.status == "active"
            and day <= self.end
            and not (limit and until > longest)
            and not (least and until < min(months_on(day, least) - DAY, self.end))
            and not (within and day > last_day(known, within["days"], working=within["working"]))
        )
        if allowed:
            self.status, self.since, self.until, self.reason, self.known = "suspended", day, until, reason, known
        return {"reason": reason, "until": until.isoformat(), "determined_on": known.isoformat()}, allowed

    def resumed(self, day: date) -> tuple[dict[str, Any], bool]:
        allowed = self.status == "suspended" and day <= self.end
        if allowed:
            self.status, self.since = "active", day
        return {"verified_on": day.isoformat()}, allowed

    def surveillance_passed(self, day: date) -> tuple[dict[str, Any], bool]:
        if day > self.end:
            return {}, False
        self.passed.append(day)
        if self.due is not None:
            grid = self.anniversaries()
            served = next(one for one in grid if one >= day)
            missed = next(one for one in grid if one >= self.due) < day
            self.due = served if missed and self.due < served else next(one for one in grid if one > served)
        return {}, True

    def renewed(self, day: date) -> tuple[dict[str, Any], bool]:
        window, longest = self.rules["renewal_window_days"], months_on(max(day, self.end + DAY), 36) - DAY
        until = self.chance.choice([longest, longest + DAY])
        allowed = (
            self.status == "active"
            and self.valid_from <= day <= self.end + self.rules["grace_days"] * DAY
            and not (window is not None and day < self.end - window * DAY)
            and until <= longest
            and not (self.old and day > LAST_OF_2008)
        )
        if allowed:
            self.valid_from, self.end = day, until
            self.due = months_on(day, self.months) if self.months else None
        return {"valid_until": until.isoformat(), "approver": "7901-0007"}, allowed

    # --- what is overdue -------------------------------------------------------------------------------------------

    def overdue(self, day: date) -> set[tuple[str, date]]:
        if day > self.end:
            return set()
        owed: list[tuple[str, date]] = []
        audit = self.rules["failed_check_audit_days"]
        if self.status == "suspended":
            owed.append(("suspension", self.until))
            if self.reason == "S01" and audit is not None and not any(one >= self.known for one in self.passed):
                owed.append(("audit", self.known + audit * DAY))
        else:
            owed += [("standard", LAST_OF_2008)] if self.old else []
            owed += [("surveillance", self.due + self.rules["surveillance_grace_days"] * DAY)] if self.due else []
        return {(kind, last) for kind, last in owed if last < day}


def said(number: int, short: str, data: dict[str, Any]) -> Said:
    kind, name = "body", BODY.rpartition(":")[2]
    event = f"certmark.certificate.{short}.v1"
    return Said(f"{number:064x}", BODY, kind, name, event, "NO-1", cast(EventData, data), "7901-0042")


def at(day: date) -> Moment:
    return Moment(
        datetime(day.year, day.month, day.day, 12, tzinfo=UTC), day, calendars={2026: Calendar(2026, OFF, WORKED)}
    )


def test_who_counts_the_days_comes_to_the_same() -> None:
    chance, seen, numbers = Random(4), Counter[tuple[str, bool]](), count(1)
    for _ in range(HISTORIES):
        day = chance.choice([date(2024, 2, 29), date(2025, chance.randint(1, 12), chance.randint(1, 28))])
        one = Counted(chance, day)
        rules = scheme_rules(a_scheme(mark_authorizer="none", mark=None, **one.rules))
        dates = {"effective_at": day, "issued_on": day, "valid_from": day, "valid_until": one.end}
        data: dict[str, Any] = {
            "scheme": "x",
            "basis": [{"standard": "GB 1", "edition": "2008" if one.old else "2015"}],
        }
        data |= {
            "holder": {"name": "示范公司"},
            "product": {"name": "电器", "items": [{"model": "A1"}]},
            "approver": "7901-0007",
        }
        issued = data | {name: value.isoformat() for name, value in dates.items()}
        certificate: Certificate = apply(None, said(next(numbers), "issued", issued), rules, at(day))
        for _ in range(chance.randint(1, 6)):
            day += chance.randint(0, 120) * DAY
            if chance.randrange(4) == 0:  # where its end is near, many rules meet
                day = max(day, one.end - chance.randint(-5, 40) * DAY)
            short = chance.choice(["suspended", "suspended", "resumed", "surveillance_passed", "renewed"])
            told, allowed = getattr(one, short)(day)
            seen[short, allowed] += 1
            event = said(next(numbers), short, told | {"effective_at": day.isoformat()})
            try:
                certificate, taken = apply(certificate, event, rules, at(day)), True
            except Refusal:
                taken = False
            assert taken is allowed, (short, told, one)
        for later in (day + chance.randint(0, 900) * DAY for _ in range(3)):
            found = {(clock.kind.value, clock.due) for clock in clocks(certificate, later, rules) if clock.overdue}
            assert found == one.overdue(later), (later, one)
            seen.update((kind, True) for kind, _ in found)
    assert all(seen[short, allowed] for short in ("suspended", "resumed", "renewed") for allowed in (True, False)), seen
    assert {kind for kind, _ in seen} >= {"surveillance", "suspension", "standard", "audit"}, seen
