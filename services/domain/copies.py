"""When a unit's code has been looked up so widely or so often that it may have been copied."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

UNKNOWN = "unknown"
"""The district of a look-up whose address no table places. It counts as a look-up and never as a district."""

KEPT_DAYS = 90
"""Days that counts are kept. PIPL art. 19: no longer than the purpose asks; goods with a unit code are mostly sold and
checked within weeks, and a copy that is still about is looked up again."""

HOUR_S = 3600
"""A client's look-ups of one code count once in this many seconds: reloading a page is no second pair of eyes."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How often one code was looked up on a civil day from a district (GB/T 2260, or `unknown`)."""

    day: date
    district: str
    lookups: int


@dataclass(frozen=True, slots=True)
class CopyRule:
    """Within `days` consecutive days at least so many look-ups from at least so many known districts."""

    id: str
    days: int
    lookups: int
    districts: int
    zh: str
    en: str


RULES: Sequence[CopyRule] = (
    CopyRule(
        "C01",
        days=2,
        lookups=12,
        districts=4,
        zh="一件商品两天内经手的地方有限：商店、回家路上、家中，加上转送一次，不超过三个区；每人一小时只计一次，十二次已超过一家人反复查看",
        en="in two days one item passes few places: shop, way home, home, and once given on, three districts at most; "
        "counted once an hour for each client, twelve is more than a family that looks again and again",
    ),
    CopyRule(
        "C02",
        days=30,
        lookups=25,
        districts=7,
        zh="一个月内转卖、赠送、维修也到不了七个区；慢速扩散的仿制达不到两天内的数量，由此条发现",
        en="resold, given away and repaired, an item does not reach seven districts in a month; copies that spread "
        "slowly never reach the number of two days and are found by this",
    ),
    CopyRule(
        "C03",
        days=2,
        lookups=100,
        districts=0,
        zh="柜台样品整天被顾客扫描，一天约四十次；两天一百次超出此数。没有地区表时只有此条",
        en="a display item that customers scan all day comes to some forty a day; a hundred in two days is beyond it. "
        "Without a table of districts this is the only rule",
    ),
)
"""Ours [P]: no published threshold is known. docs/copies.md shows what each sees, and what none can."""


@dataclass(frozen=True, slots=True)
class Lookups:
    """What is told of a code: how often it was looked up, since which day, from how many known districts, and the
    rule by which it may have been copied."""

    count: int
    first_on: date
    districts: int
    rule: CopyRule | None


def summed(tallies: Iterable[Tally], today: date) -> Lookups | None:
    """The counts of one code that have not expired, together; None where there are none."""
    kept = [one for one in tallies if one.lookups > 0 and is_kept(one.day, today)]
    if not kept:
        return None
    return Lookups(
        count=sum(one.lookups for one in kept),
        first_on=min(one.day for one in kept),
        districts=len({one.district for one in kept} - {UNKNOWN}),
        rule=broken_rule(kept),
    )


def is_kept(day: date, today: date) -> bool:
    return today - timedelta(days=KEPT_DAYS) < day


def broken_rule(tallies: Sequence[Tally]) -> CopyRule | None:
    """The first rule that any stretch of days breaks: a code that was copied stays so until its counts expire."""
    for rule in RULES:
        for last in {one.day for one in tallies}:
            within = [one for one in tallies if last - timedelta(days=rule.days) < one.day <= last]
            districts = {one.district for one in within} - {UNKNOWN}
            if sum(one.lookups for one in within) >= rule.lookups and len(districts) >= rule.districts:
                return rule
    return None
