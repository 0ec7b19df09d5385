"""Whatever a certificate's life was: no yes without validity, nothing freer after an end, no overdue without a due."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise, product

from hypothesis import given
from hypothesis import strategies as st

from services.domain.certificate import Certificate, Part, PartKind, Status, StatusInterval
from services.domain.clocks import ClockKind, clocks, next_due, overdue
from services.domain.consequence import Act, Allowed, Order, Reach, permits, rule_for, turning_days
from services.domain.scheme import SchemeRules, scheme_rules
from services.domain.standing import Standing, standing
from tests.certificates import a_certificate, a_mark, since

FIRST, LAST = date(2025, 12, 25), date(2026, 2, 20)
"""A short stretch, so that dates meet each other often."""

RULES: SchemeRules = scheme_rules(
    {
        "effective_at": "2016-01-01",
        "version": 1,
        "name": {"zh": "示范", "en": "Sample"},
        "class": "product",
        "mandatory": True,
        "declaration": False,
        "mark_authorizer": "body",
        "coverage": {"complete": False, "zh": "示范", "en": "sample"},
        "grace_days": 3,
        "surveillance_grace_days": 2,
        "transitions": [{"standard": "GB 4706.1", "edition": "2005", "until": "2026-02-10"}],
    }
)
FREEDOM = {Allowed.NO: 0, Allowed.REVIEW: 1, Allowed.YES: 2}
days = st.dates(FIRST, LAST)


@st.composite
def timelines(draw: st.DrawFn, begin: date) -> tuple[StatusInterval, ...]:
    """Active first, then any order of suspensions and resumptions, ended or not."""
    starts = sorted(draw(st.lists(st.dates(begin, LAST), max_size=4)))
    found = [since(Status.ACTIVE, begin)]
    for start in starts:
        suspended = found[-1].status is Status.SUSPENDED
        found.append(
            since(Status.ACTIVE, start)
            if suspended
            else since(Status.SUSPENDED, start, start + timedelta(days=draw(st.integers(0, 9))))
        )
    if draw(st.booleans()):
        end = draw(st.sampled_from([Status.REVOKED, Status.CANCELLED]))
        found.append(since(end, draw(st.dates(found[-1].since, LAST))))
    return tuple(found)


@st.composite
def certificates(draw: st.DrawFn) -> Certificate:
    valid_from = draw(days)
    statuses = draw(timelines(valid_from))
    part = Part(PartKind.ITEM, "A1", None, draw(timelines(valid_from)))
    return a_certificate(
        statuses=statuses,
        valid_from=valid_from,
        first_issued_on=draw(st.sampled_from([valid_from, FIRST])),
        valid_until=draw(st.none() | st.dates(valid_from, LAST)),
        surveillance_due=draw(st.none() | days),
        superseded_by=draw(st.sampled_from([None, "2026990703000999"])),
        parts=draw(st.sampled_from([(), (part,)])),
        marks=draw(st.sampled_from([(), (a_mark(*draw(timelines(valid_from))),)])),
    )


goods = st.tuples(st.none() | days, st.none() | days, days).filter(
    lambda dates: (dates[0] or FIRST) <= (dates[1] or dates[2]) <= dates[2]
)


@given(certificates(), st.sampled_from(Act), goods)
def test_no_yes_without_a_valid_day_that_covers_the_goods(
    certificate: Certificate, act: Act, dates: tuple[date | None, date | None, date]
) -> None:
    made_on, shipped_on, day = dates
    permit = permits(certificate, None, act, day, made_on, shipped_on, RULES, lambda on: standing(certificate, on))
    if permit.allowed is not Allowed.YES:
        return
    counts = (shipped_on or day) if act is Act.SHIP else day
    if act in (Act.SHIP, Act.IMPORT, Act.DISPLAY):
        assert standing(certificate, counts) is Standing.VALID
    if act is Act.DISPLAY:
        return
    if shipped_on is not None:
        assert standing(certificate, shipped_on) is Standing.VALID
    elif made_on is not None:
        since_made = [made_on + timedelta(days=n) for n in range((day - made_on).days + 1)]
        covered = since_made if act is not Act.SHIP else [made_on, day]
        assert all(standing(certificate, on) is Standing.VALID for on in covered)
    else:
        assert standing(certificate, day) is Standing.VALID


@given(certificates(), st.sampled_from(Act), goods)
def test_the_turning_days_are_all_that_is_needed(
    certificate: Certificate, act: Act, dates: tuple[date | None, date | None, date]
) -> None:
    made_on, shipped_on, day = dates
    every_day = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]

    def asked(turns: list[date] | None) -> object:
        return permits(
            certificate, None, act, day, made_on, shipped_on, RULES, lambda on: standing(certificate, on), turns
        )

    assert asked(None) == asked(every_day)
    changes = turning_days(certificate)
    for before, on in pairwise(every_day):
        assert standing(certificate, before) is standing(certificate, on) or on in changes


def test_nothing_is_freer_after_an_end_than_while_suspended_or_valid() -> None:
    def freedom(reach: Reach, act: Act, now: Standing, order: Order) -> int:
        return FREEDOM[rule_for(reach, act, now, order).allowed]

    for reach, act, order in product(Reach, Act, Order):
        valid, suspended, revoked = (
            freedom(reach, act, now, order) for now in (Standing.VALID, Standing.SUSPENDED, Standing.REVOKED)
        )
        assert revoked <= suspended
        assert all(freedom(reach, act, now, order) <= valid for now in Standing), (
            reach,
            act,
            order,
        )
        if act in (Act.SHIP, Act.IMPORT, Act.DISPLAY) and order is not Order.DOUBTFUL:
            assert all(freedom(reach, act, now, order) == 0 for now in Standing if now is not Standing.VALID)


@given(certificates(), days, days, st.integers(0, 60), st.integers(0, 60), st.booleans())
def test_what_is_overdue_was_due_before(
    certificate: Certificate, today: date, later: date, grace: int, within: int, swapped: bool
) -> None:
    """`next_due` is a sieve without holes: from today on, whatever becomes overdue was due after what it says.

    Whichever version of the scheme judges it on that day.
    """
    day = max(today, later)
    other = RULES | {"surveillance_grace_days": grace, "receive_within_days": within}
    versions = (other, RULES) if swapped else (RULES, other)
    late = overdue(clocks(certificate, day, versions[1]))
    if late:
        due = next_due(certificate, versions, today)
        assert due is not None
        assert due <= late[0].due < day


@given(certificates(), days)
def test_only_what_lives_can_be_overdue(certificate: Certificate, day: date) -> None:
    now = standing(certificate, day)
    found = clocks(certificate, day, RULES)
    if now in (Standing.REVOKED, Standing.CANCELLED, Standing.SUPERSEDED):
        assert found == ()
    if now is Standing.EXPIRED:
        assert {clock.kind for clock in found} <= {ClockKind.GRACE}
        assert overdue(found) == ()
    renewed = replace(certificate, surveillance_due=None)
    assert ClockKind.SURVEILLANCE not in {clock.kind for clock in clocks(renewed, day, RULES)}
