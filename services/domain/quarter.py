"""The quarters of the year, for keys that change with them."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

_NAME = re.compile(r"([0-9]{4})Q([1-4])", re.ASCII)


@dataclass(frozen=True, order=True, slots=True)
class Quarter:
    """Three calendar months; its text is `2027Q1`."""

    year: int
    number: int

    def __str__(self) -> str:
        return f"{self.year:04d}Q{self.number}"

    @property
    def first_day(self) -> date:
        return date(self.year, 3 * self.number - 2, 1)

    @property
    def last_day(self) -> date:
        return self.following.first_day - timedelta(days=1)

    @property
    def following(self) -> "Quarter":
        return Quarter(self.year + 1, 1) if self.number == 4 else Quarter(self.year, self.number + 1)

    @property
    def days(self) -> dict[str, str]:
        """`from` and `until` of a key of this quarter, as `key.added` has them."""
        return {"from": self.first_day.isoformat(), "until": self.last_day.isoformat()}


def quarter_of(day: date) -> Quarter:
    return Quarter(day.year, (day.month + 2) // 3)


def quarter_named(name: str) -> Quarter:
    """The quarter of a text like `2027Q1`.

    Raises:
        ValueError: it is none.
    """
    found = _NAME.fullmatch(name)
    if not found or found[1] in ("0000", "9999"):
        raise ValueError(f"{name[:20]!r} is not a quarter such as 2027Q1")
    return Quarter(int(found[1]), int(found[2]))
