"""Working days: Monday to Friday, as the published calendar of a year (放假和调休安排) shifts them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypedDict


class CalendarState(TypedDict):
    """Record `calendar/<year>`: the data of `calendar.published`."""

    v: int
    kind: str
    year: int
    days_off: list[str]
    working_days: list[str]


@dataclass(frozen=True, slots=True)
class Calendar:
    """One year's published shifts: weekdays that are off, and weekend days that are worked."""

    year: int
    days_off: frozenset[date]
    working_days: frozenset[date]


Calendars = Mapping[int, Calendar]
"""By year. A year that is not in it has no published calendar: then Monday to Friday are worked."""


@dataclass(frozen=True, slots=True)
class WorkingDeadline:
    """The day that a number of working days leads to.

    `assumed` are the years for which no calendar is published, so that Monday to Friday were counted.
    """

    day: date
    assumed: tuple[int, ...]


def calendar_from_state(state: CalendarState) -> Calendar:
    return Calendar(
        year=state["year"],
        days_off=frozenset(date.fromisoformat(day) for day in state["days_off"]),
        working_days=frozenset(date.fromisoformat(day) for day in state["working_days"]),
    )


def is_working_day(day: date, calendars: Calendars) -> bool:
    calendar = calendars.get(day.year)
    if calendar is not None and day in calendar.days_off:
        return False
    if calendar is not None and day in calendar.working_days:
        return True
    return day.weekday() < 5


def add_working_days(day: date, n: int, calendars: Calendars) -> WorkingDeadline:
    """The n-th working day after a day, which itself is not counted; for n = 0 the day itself.

    Raises:
        ValueError: n is negative. OverflowError: past the last date that there is.
    """
    if n < 0:
        raise ValueError(f"{n} working days")
    assumed: set[int] = set()
    left = n
    while left:
        day += timedelta(days=1)
        if day.year not in calendars:
            assumed.add(day.year)
        left -= is_working_day(day, calendars)
    return WorkingDeadline(day, tuple(sorted(assumed)))
