"""Copied codes: a simulated attack is flagged within the hour, what shops and families do is not."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from services.domain.copies import HOUR_S, KEPT_DAYS, RULES, UNKNOWN, CopyRule, Tally, broken_rule, is_kept, summed
from services.domain.identifiers import civil_day
from services.verify.scan_counts import Counter

DAY = date(2026, 11, 1)
MORNING = datetime(2026, 11, 1, 0, 0, tzinfo=UTC)  # eight o'clock in China
SHANGHAI = (
    "310101",
    "310104",
    "310105",
    "310106",
    "310107",
    "310109",
    "310110",
    "310112",
    "310113",
    "310114",
    "310115",
)
Look = tuple[datetime, int, str]
"""When, which client, from which district."""


def counted(looks: Iterator[Look], until: datetime | None = None) -> list[Tally]:
    """What the counting process makes of look-ups of one code."""
    counter, found = Counter(MORNING.timestamp()), dict[tuple[date, str], int]()
    for at, client, district in looks:
        if until is not None and at > until:
            break
        if counter.add("0" * 32, str(client).encode(), district, civil_day(at), at.timestamp()):
            place = (civil_day(at), district)
            found[place] = found.get(place, 0) + 1
    return [Tally(day, district, lookups) for (day, district), lookups in found.items()]


# --- the attack -----------------------------------------------------------------------------------------------


def an_attack(seed: int, look_ups: int = 1000, districts: int = 7) -> Iterator[Look]:
    """One code on a thousand fakes, each scanned once by its buyer somewhere in seven districts, over a day."""
    chance = random.Random(seed)
    places = chance.sample(SHANGHAI, districts)
    for client, second in enumerate(sorted(chance.uniform(0, 86_400) for _ in range(look_ups))):
        yield MORNING + timedelta(seconds=second), client, chance.choice(places)


@pytest.mark.parametrize("seed", range(50))
def test_an_attack_is_flagged_within_the_hour(seed: int) -> None:
    within = counted(an_attack(seed), until=MORNING + timedelta(hours=1))
    assert broken_rule(within) is not None
    assert sum(one.lookups for one in within) < 100, "the day's thousand are not needed for it"


def test_without_a_table_of_districts_an_attack_is_flagged_by_number_alone() -> None:
    blind = [(at, client, UNKNOWN) for at, client, _ in an_attack(1)]
    assert broken_rule(counted(iter(blind), until=MORNING + timedelta(hours=1))) is None, "docs/copies.md says so"
    rule = broken_rule(counted(iter(blind), until=MORNING + timedelta(hours=4)))
    assert rule is not None
    assert rule.id == "C03"


@pytest.mark.parametrize("seed", range(20))
def test_a_slow_spread_is_found_in_a_month(seed: int) -> None:
    chance = random.Random(seed)
    looks = [
        (MORNING + timedelta(days=chance.uniform(0, 27)), client, chance.choice(SHANGHAI[:9])) for client in range(60)
    ]
    rule = broken_rule(counted(iter(sorted(looks))))
    assert rule is not None
    assert rule.id in ("C01", "C02")


# --- what is ordinary -----------------------------------------------------------------------------------------


def a_family(chance: random.Random) -> Iterator[Look]:
    """Bought in one district, shown at home in another, given on or repaired in a third, over weeks."""
    places = chance.sample(SHANGHAI, 3)
    looks: list[Look] = []
    for days, people, place in ((0, 2, places[0]), (0, 4, places[1]), (20, 3, places[2])):
        for client in range(people):
            for _ in range(chance.randint(1, 3)):  # the same page is opened again
                at = MORNING + timedelta(days=days, seconds=chance.uniform(0, 40_000))
                looks.append((at, client + 100 * days, place))
    yield from sorted(looks)


def a_display(chance: random.Random) -> Iterator[Look]:
    """The item on the counter, scanned by customers of one shop all day, for a month."""
    place = chance.choice(SHANGHAI)
    for day in range(30):
        for _ in range(chance.randint(10, 40)):
            yield MORNING + timedelta(days=day, seconds=chance.uniform(0, 43_200)), chance.randrange(10**6), place


def an_assistant(chance: random.Random) -> Iterator[Look]:
    """A shop assistant who scans the same item with one telephone while taking stock, again and again."""
    place = chance.choice(SHANGHAI)
    for minute in range(240):
        yield MORNING + timedelta(minutes=minute), 7, place


def a_warranty(chance: random.Random) -> Iterator[Look]:
    """Registered at purchase, looked up by the repairer and the courier a year of months later."""
    for day in (0, 30, 60, 85):
        for client in range(2):
            at = MORNING + timedelta(days=day, seconds=chance.uniform(0, 43_200))
            yield at, client + day, chance.choice(SHANGHAI[:4])


@pytest.mark.parametrize("seed", range(100))
@pytest.mark.parametrize("ordinary", [a_family, a_display, an_assistant, a_warranty], ids=lambda one: one.__name__)
def test_ordinary_scanning_is_not_flagged(ordinary: object, seed: int) -> None:
    assert callable(ordinary)
    looks = sorted(ordinary(random.Random(seed)))
    assert broken_rule(counted(iter(looks))) is None


def test_one_telephone_counts_once_an_hour() -> None:
    (tally,) = counted(an_assistant(random.Random(1)))
    assert tally.lookups == 4  # four hours


# --- the rule itself ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_each_rule_begins_at_its_numbers(rule: CopyRule) -> None:
    places = [*SHANGHAI[: rule.districts]] or [UNKNOWN]

    def spread(lookups: int, kinds: list[str]) -> list[Tally]:
        share = [lookups // len(kinds) + (n < lookups % len(kinds)) for n in range(len(kinds))]
        return [Tally(DAY - timedelta(days=n % rule.days), place, share[n]) for n, place in enumerate(kinds)]

    assert broken_rule(spread(rule.lookups, places)) is not None
    fewer = broken_rule(spread(rule.lookups - 1, places))
    assert fewer is None or fewer.id != rule.id
    if rule.districts:
        narrower = broken_rule(spread(rule.lookups, [*places[:-1], UNKNOWN]))
        assert narrower is None or narrower.id != rule.id
    apart = [
        Tally(DAY - timedelta(days=n * rule.days), place, -(-rule.lookups // len(places)) - (len(places) == 1))
        for n, place in enumerate(places)
    ]
    late = broken_rule(apart)
    assert late is None or late.id != rule.id


def test_a_code_that_was_copied_stays_so_until_its_counts_expire() -> None:
    tallies = [Tally(DAY, place, 3) for place in SHANGHAI[:4]]
    flagged = summed(tallies, DAY + timedelta(days=KEPT_DAYS - 1))
    assert flagged is not None
    assert (flagged.count, flagged.first_on, flagged.districts) == (12, DAY, 4)
    assert flagged.rule is not None
    assert summed(tallies, DAY + timedelta(days=KEPT_DAYS)) is None


def test_counts_are_kept_for_the_stated_days() -> None:
    days = [DAY - timedelta(days=n) for n in range(200)]
    assert len([day for day in days if is_kept(day, DAY)]) == KEPT_DAYS


def test_the_rules_tell_their_reasons() -> None:
    assert HOUR_S == 3600
    for rule in RULES:
        assert str(rule.lookups) or rule.zh
        assert len(rule.zh) > 20
        assert len(rule.en) > 40
