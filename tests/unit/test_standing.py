"""The answer for a day: what a certificate, a part and a mark are on the last day of each, and on the day after."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import permutations

import pytest

from services.domain.certificate import Certificate, Item, Part, PartKind, Period, Product, Status, StatusInterval
from services.domain.standing import (
    Standing,
    interval_on,
    mark_standing,
    model_standing,
    own_mark_standing,
    part_standing,
    standing,
    standing_under,
    worse,
)
from tests.certificates import ACTIVE, BEGIN, END, a_certificate, a_mark, since

DAY = timedelta(days=1)
CHANGED = date(2026, 1, 10)
IN_ORDER = (
    Standing.REVOKED,
    Standing.SUPERSEDED,
    Standing.CANCELLED,
    Standing.EXPIRED,
    Standing.SUSPENDED,
    Standing.NOT_YET_VALID,
    Standing.VALID,
)
"""As the contract lists them."""


def then(status: Status) -> tuple[StatusInterval, ...]:
    return (ACTIVE, since(status, CHANGED))


@pytest.mark.parametrize(
    ("status", "before_its_end", "after_its_end"),
    [
        (Status.ACTIVE, Standing.VALID, Standing.EXPIRED),
        (Status.SUSPENDED, Standing.SUSPENDED, Standing.EXPIRED),  # the graver of the two
        (Status.REVOKED, Standing.REVOKED, Standing.REVOKED),
        (Status.CANCELLED, Standing.CANCELLED, Standing.CANCELLED),
    ],
)
def test_a_certificate_is_what_was_declared_from_its_day_on(
    status: Status, before_its_end: Standing, after_its_end: Standing
) -> None:
    certificate = a_certificate(statuses=then(status))
    days = (BEGIN - DAY, BEGIN, CHANGED - DAY, CHANGED, END, END + DAY)
    assert [standing(certificate, day) for day in days] == [
        Standing.NOT_YET_VALID,
        Standing.VALID,
        Standing.VALID,
        *[before_its_end] * 2,
        after_its_end,
    ]


def test_what_was_replaced_is_no_mere_cancellation() -> None:
    replaced = a_certificate(statuses=then(Status.CANCELLED), superseded_by="T-2")
    assert standing(replaced, CHANGED) is Standing.SUPERSEDED


def test_the_planned_end_of_a_suspension_resumes_nothing() -> None:
    suspended = a_certificate(statuses=(ACTIVE, since(Status.SUSPENDED, CHANGED, until=CHANGED + DAY)))
    assert standing(suspended, CHANGED + 2 * DAY) is Standing.SUSPENDED


def test_of_two_intervals_of_one_day_the_last_accepted_counts() -> None:
    same = (since(Status.SUSPENDED, CHANGED), since(Status.ACTIVE, CHANGED))
    assert interval_on(same, CHANGED) is same[1]
    assert interval_on(same, CHANGED - DAY) is None


def test_a_gap_before_a_renewal_stays_a_gap() -> None:
    """Valid in its first period and in the renewed one; in between, on the day after the one, it had expired."""
    first = Period(BEGIN, date(2024, 12, 31), BEGIN, "a" * 64)
    renewed = a_certificate(periods=(first,), valid_from=CHANGED)
    days = (BEGIN - DAY, BEGIN, date(2024, 12, 31), date(2025, 1, 1), CHANGED - DAY, CHANGED)
    expected = [Standing.NOT_YET_VALID, *[Standing.VALID] * 2, *[Standing.EXPIRED] * 2, Standing.VALID]
    assert [standing(renewed, day) for day in days] == expected


def test_what_was_issued_before_its_first_day_is_not_yet_valid_until_then() -> None:
    """After a renewal, too: a day before all periods is no day after one."""
    issued = (since(Status.ACTIVE, BEGIN - 9 * DAY),)
    renewed = a_certificate(statuses=issued, periods=(Period(BEGIN, None, BEGIN, "a" * 64),), valid_from=CHANGED)
    for certificate in (a_certificate(statuses=issued), renewed):
        assert [standing(certificate, day) for day in (BEGIN - DAY, BEGIN)] == [Standing.NOT_YET_VALID, Standing.VALID]


def test_the_graver_of_two_standings_comes_first_whatever_their_order() -> None:
    assert list(Standing) == list(IN_ORDER)
    for one, other in permutations(IN_ORDER, 2):
        assert worse(one, other) is min(one, other, key=IN_ORDER.index)


def test_a_sub_certificate_falls_with_its_parent_and_not_the_other_way_round() -> None:
    stands, revoked = a_certificate(), a_certificate(statuses=then(Status.REVOKED))
    assert standing_under(stands, revoked, CHANGED) is Standing.REVOKED
    assert standing_under(stands, stands, CHANGED) is standing_under(stands, None, CHANGED) is Standing.VALID
    assert standing_under(revoked, stands, CHANGED) is Standing.REVOKED


@pytest.mark.parametrize(
    ("part", "day_before", "on_the_day"),
    [
        (None, Standing.VALID, Standing.VALID),
        ((), Standing.VALID, Standing.VALID),
        ((since(Status.SUSPENDED, CHANGED),), Standing.VALID, Standing.SUSPENDED),
        ((since(Status.ACTIVE, CHANGED),), Standing.NOT_YET_VALID, Standing.VALID),  # entered by an amendment
    ],
)
def test_a_part_may_be_suspended_by_itself_and_enter_later(
    part: tuple[StatusInterval, ...] | None, day_before: Standing, on_the_day: Standing
) -> None:
    asked = None if part is None else Part(PartKind.ITEM, "A2", None, part)

    def stands(certificate: Certificate) -> list[Standing]:
        return [part_standing(certificate, asked, day) for day in (CHANGED - DAY, CHANGED)]

    assert stands(a_certificate()) == [day_before, on_the_day]
    assert stands(a_certificate(statuses=(since(Status.REVOKED, BEGIN),))) == [Standing.REVOKED] * 2


ENTERED, LEFT = (since(Status.ACTIVE, CHANGED),), (since(Status.CANCELLED, CHANGED),)
SUSPENDED = (since(Status.SUSPENDED, CHANGED),)


def row(gtin: str | None, *statuses: StatusInterval, kind: PartKind = PartKind.ITEM, name: str = "A1") -> Part:
    return Part(kind, name, gtin, statuses)


@pytest.mark.parametrize(
    ("gtins", "others", "asked", "day_before", "on_the_day"),
    [
        # What is covered by its own row is judged by it, and on days before that by another GTIN of the model …
        (["g2"], [row("g1", *LEFT)], ENTERED, Standing.VALID, Standing.VALID),
        (["g1", "g2"], [], ENTERED, Standing.VALID, Standing.VALID),  # … which needs no row if it was never touched
        (["g1", "g2"], [], (*ENTERED, *SUSPENDED), Standing.VALID, Standing.SUSPENDED),
        (["g1", "g2"], [], LEFT, Standing.VALID, Standing.VALID),
        (["g2"], [row("g3", *SUSPENDED)], LEFT, Standing.VALID, Standing.SUSPENDED),
        # and by nothing that is of no model of this name.
        (["g2", "g3"], [row("g3", *ENTERED)], ENTERED, Standing.NOT_YET_VALID, Standing.VALID),
        (["g2"], [row(None, *SUSPENDED, kind=PartKind.SITE)], ENTERED, Standing.NOT_YET_VALID, Standing.VALID),
        (["g2"], [row(None, *SUSPENDED, name="A9")], ENTERED, Standing.NOT_YET_VALID, Standing.VALID),
        (["g2"], [], LEFT, Standing.VALID, Standing.CANCELLED),
        (None, [], ENTERED, Standing.NOT_YET_VALID, Standing.VALID),
    ],
)
def test_a_model_is_covered_by_whichever_of_its_gtins(
    gtins: list[str] | None,
    others: list[Part],
    asked: tuple[StatusInterval, ...],
    day_before: Standing,
    on_the_day: Standing,
) -> None:
    items = (Item("A9", None), *(Item("A1", gtin) for gtin in gtins or ()))
    product = Product("电器", "0101", None, items) if gtins else None
    part = row("g2", *asked)
    certificate = a_certificate(product=product, parts=(part, *others))
    found = [model_standing(certificate, part, day) for day in (CHANGED - DAY, CHANGED)]
    assert found == [day_before, on_the_day]
    assert model_standing(certificate, None, CHANGED) is Standing.VALID


@pytest.mark.parametrize(
    ("status", "own", "after_its_end"),
    [
        (Status.ACTIVE, Standing.VALID, Standing.EXPIRED),
        (Status.SUSPENDED, Standing.SUSPENDED, Standing.EXPIRED),
        (Status.WITHDRAWN, Standing.CANCELLED, Standing.CANCELLED),
        (Status.CANCELLED, Standing.CANCELLED, Standing.CANCELLED),
        (Status.REVOKED, Standing.REVOKED, Standing.REVOKED),
    ],
)
def test_a_mark_has_a_standing_of_its_own(status: Status, own: Standing, after_its_end: Standing) -> None:
    mark = a_mark(since(Status.ACTIVE, BEGIN - DAY), since(status, CHANGED))
    days = (BEGIN - 2 * DAY, BEGIN - DAY, BEGIN, CHANGED - DAY, CHANGED, END, END + DAY)
    assert [own_mark_standing(mark, day) for day in days] == [
        *[Standing.NOT_YET_VALID] * 2,  # not said, and said but not yet begun
        *[Standing.VALID] * 2,
        *[own] * 2,
        after_its_end,
    ]


def test_what_has_no_end_never_expires() -> None:
    assert standing(a_certificate(valid_until=None), date.max) is Standing.VALID
    assert own_mark_standing(replace(a_mark(ACTIVE), valid_until=None), date.max) is Standing.VALID


def test_a_mark_stands_no_better_than_its_certificate() -> None:
    mark, withdrawn = a_mark(ACTIVE), a_mark(*then(Status.WITHDRAWN))
    suspended = a_certificate(statuses=then(Status.SUSPENDED))
    assert mark_standing(a_certificate(), mark, CHANGED) is Standing.VALID
    assert mark_standing(suspended, mark, CHANGED) is Standing.SUSPENDED
    assert mark_standing(suspended, withdrawn, CHANGED) is Standing.CANCELLED
