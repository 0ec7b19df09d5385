"""What runs out when: each clock on the last day in order and on the day after, and history that owes nothing."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from services.domain.calendar import Calendar, add_working_days, calendar_from_state, is_working_day
from services.domain.catalogue import CatalogueState
from services.domain.certificate import (
    Basis,
    Item,
    Part,
    PartKind,
    Product,
    Status,
    Transfer,
)
from services.domain.clocks import (
    CAN_BE_OVERDUE,
    RULES,
    Clock,
    ClockKind,
    check_within,
    clocks,
    next_due,
    overdue,
)
from services.domain.errors import SchemeRule
from services.domain.scheme import Clock as ClockLimit
from services.domain.scheme import SchemeRules, scheme_rules
from tests.certificates import ACTIVE, BEGIN, END, a_certificate, a_mark, since

DAY = timedelta(days=1)
SCHEME: SchemeRules = scheme_rules(
    {
        "effective_at": "2016-01-01",
        "version": 1,
        "name": {"zh": "示范", "en": "Sample"},
        "class": "product",
        "mandatory": True,
        "declaration": False,
        "mark_authorizer": "implied",
        "coverage": {"complete": False, "zh": "示范", "en": "sample"},
        "grace_days": 10,
        "surveillance_months": 12,
        "surveillance_grace_days": 30,
        "failed_check_audit_days": 30,
        "renewal_window_days": 180,
        "renewal_apply_days": 90,
        "receive_within_days": None,
        "transitions": [{"standard": "GB 4706.32", "edition": "2012", "until": "2026-06-30"}],
        "catalogue_mode": "certification",
    }
)
CATALOGUE: CatalogueState = {
    "v": 1,
    "kind": "catalogue",
    "id": "ccc",
    "name": {"zh": "目录", "en": "Catalogue"},
    "version": 1,
    "classes": [
        {
            "class": "0703",
            "name": {"zh": "空调器", "en": "Air conditioners"},
            "removed_on": None,
            "digest": None,
            "modes": [
                {"mode": "certification", "from": "2016-01-01", "until": "2027-01-31"},
                {"mode": "self_declaration", "from": "2026-02-01", "until": None},
            ],
        }
    ],
}


def kinds(found: tuple[Clock, ...]) -> list[str]:
    return [clock.kind.value for clock in found]


FAILED = replace(since(Status.SUSPENDED, date(2026, 9, 3)), reason="S01", determined_on=date(2026, 9, 1))
PART_SUSPENDED = (since(Status.SUSPENDED, date(2026, 9, 1), date(2026, 11, 30)),)
WAITING = [
    (ClockKind.SURVEILLANCE, {"surveillance_due": date(2025, 3, 6)}, date(2025, 4, 5), None),
    (
        ClockKind.SUSPENSION,
        {"statuses": (ACTIVE, since(Status.SUSPENDED, date(2026, 9, 15), date(2026, 12, 14)))},
        date(2026, 12, 14),
        None,
    ),
    (ClockKind.SUSPENSION, {"parts": (Part(PartKind.ITEM, "A2", None, PART_SUSPENDED),)}, date(2026, 11, 30), "A2"),
    (
        ClockKind.SUSPENSION,
        {"parts": (Part(PartKind.BASIS, "GB 4706.1", None, PART_SUSPENDED),)},
        date(2026, 11, 30),
        "GB 4706.1",
    ),
    (
        ClockKind.SUSPENSION,
        {"sites": ({"address": "甲路1号"},), "parts": (Part(PartKind.SITE, "甲路1号", None, PART_SUSPENDED),)},
        date(2026, 11, 30),
        "甲路1号",
    ),
    (ClockKind.SUSPENSION, {"marks": (a_mark(ACTIVE, *PART_SUSPENDED),)}, date(2026, 11, 30), "M-1"),
    (ClockKind.STANDARD, {"basis": (Basis("gb4706.32", "2012"),)}, date(2026, 6, 30), "gb4706.32-2012"),
    (
        ClockKind.TRANSFER,
        {"transfer": Transfer("CNCA-R-2019-7902", "b" * 64, date(2026, 10, 1))},
        date(2026, 10, 31),
        "CNCA-R-2019-7902",
    ),
    (ClockKind.AUDIT, {"statuses": (ACTIVE, FAILED)}, date(2026, 10, 1), None),
    (ClockKind.AUDIT, {"statuses": (ACTIVE, replace(FAILED, determined_on=None))}, date(2026, 10, 3), None),
    (ClockKind.CATALOGUE, {"product": Product("电器", "0703", None, (Item("A1", None),))}, date(2027, 1, 31), "0703"),
]


LEAVE_TIME = (ClockKind.SURVEILLANCE, ClockKind.TRANSFER, ClockKind.AUDIT)
"""Thirty days by the scheme above; another version may leave less."""


@pytest.mark.parametrize(("kind", "fields", "due", "what"), WAITING)
def test_a_clock_is_overdue_from_the_day_after_it_was_due(
    kind: ClockKind, fields: dict[str, Any], due: date, what: str | None
) -> None:
    certificate = a_certificate(**fields)
    on_time = clocks(certificate, due, SCHEME, CATALOGUE)
    assert overdue(on_time) == ()
    assert Clock(kind, due, False, 0, RULES[kind], what) in on_time
    late = clocks(certificate, due + DAY, SCHEME, CATALOGUE)
    assert overdue(late) == (Clock(kind, due, True, -1, RULES[kind], what),)
    if kind is not ClockKind.CATALOGUE:  # the list asks for classes whose mode has ended
        sieved = {next_due(certificate, (SCHEME,), day) for day in (BEGIN, due + DAY)}
        (first,) = sieved
        assert first is not None
        assert first <= due
        left = 30 if kind in LEAVE_TIME else 0
        assert (due - first).days == left, "whatever time a scheme leaves counts as none"


@pytest.mark.parametrize(("kind", "fields", "due", "what"), WAITING)
@pytest.mark.parametrize("end", [Status.REVOKED, Status.CANCELLED])
def test_what_has_ended_or_expired_is_not_overdue(
    kind: ClockKind, fields: dict[str, Any], due: date, what: str | None, end: Status
) -> None:
    certificate = a_certificate(**fields)
    ended = replace(certificate, statuses=(*certificate.statuses, since(end, due + DAY)))
    assert clocks(ended, due + DAY, SCHEME, CATALOGUE) == ()
    assert next_due(ended, (SCHEME,), due + DAY) is None
    expired = replace(certificate, valid_until=due)
    assert overdue(clocks(expired, due + DAY, SCHEME, CATALOGUE)) == ()
    assert next_due(expired, (SCHEME,), due + DAY) is None
    if kind not in (
        ClockKind.SURVEILLANCE,
        ClockKind.TRANSFER,
        ClockKind.AUDIT,
    ):  # of these a version may leave less time
        assert next_due(expired, (SCHEME,), BEGIN) is None, "it expires before anything is overdue"


def test_a_resumed_or_passed_one_has_no_clock_left() -> None:
    suspended = since(Status.SUSPENDED, date(2025, 1, 1), date(2025, 3, 31))
    resumed = a_certificate(statuses=(ACTIVE, suspended, since(Status.ACTIVE, date(2025, 5, 1))))
    assert kinds(clocks(resumed, date(2025, 6, 1), SCHEME)) == ["renewal_window", "renewal_application", "expiry"]
    assert next_due(resumed, (SCHEME,), date(2025, 6, 1)) is None
    assert kinds(overdue(clocks(resumed, date(2025, 4, 30), SCHEME))) == ["suspension"]
    assert next_due(resumed, (SCHEME,), date(2025, 4, 1)) == date(2025, 3, 31), "its end lies still ahead"


def test_on_the_day_of_its_resumption_it_waits_for_nothing_more() -> None:
    suspended = since(Status.SUSPENDED, date(2025, 1, 1), date(2025, 3, 31))
    resumed = a_certificate(statuses=(ACTIVE, suspended, since(Status.ACTIVE, date(2025, 5, 1))))
    assert next_due(resumed, (SCHEME,), date(2025, 4, 30)) == date(2025, 3, 31)
    assert next_due(resumed, (SCHEME,), date(2025, 5, 1)) is None


def test_the_earliest_of_several_is_next_and_an_end_that_was_announced_changes_nothing_yet() -> None:
    suspended = since(Status.SUSPENDED, date(2025, 1, 1), date(2025, 3, 31))
    announced = since(Status.CANCELLED, date(2025, 3, 9))
    both = a_certificate(statuses=(ACTIVE, suspended, announced), surveillance_due=date(2025, 3, 6))
    for valid_until in (END, date(2025, 3, 8), None):
        assert next_due(replace(both, valid_until=valid_until), (SCHEME,), date(2025, 3, 8)) == date(2025, 3, 6)


def test_what_runs_out_on_one_day_comes_by_its_kind_and_name() -> None:
    statuses = (ACTIVE, since(Status.SUSPENDED, date(2026, 9, 1), END))
    parts = tuple(Part(PartKind.ITEM, model, None, statuses[1:]) for model in ("A2", "A1"))
    suspended = a_certificate(statuses=statuses, parts=parts)
    told = [(clock.kind, clock.what) for clock in clocks(suspended, date(2026, 10, 1), SCHEME) if clock.due == END]
    assert told == [("expiry", None), ("suspension", None), ("suspension", "A1"), ("suspension", "A2")]


def test_a_mark_that_is_still_to_begin_is_not_suspended() -> None:
    mark = a_mark(since(Status.SUSPENDED, date(2026, 9, 1), date(2026, 11, 30)))
    assert "suspension" not in kinds(clocks(a_certificate(marks=(mark,)), date(2026, 8, 31), SCHEME))


@pytest.mark.parametrize("basis", [Basis("GB 4706.32", "2019"), Basis("GB 4706.1", "2012"), Basis("GB 4706.32", None)])
def test_another_edition_or_standard_has_no_end(basis: Basis) -> None:
    assert "standard" not in kinds(clocks(a_certificate(basis=(basis,)), BEGIN, SCHEME))


def test_a_service_and_a_scheme_without_a_mode_have_nothing_to_do_with_the_catalogue() -> None:
    of_no_mode = scheme_rules({**SCHEME, "catalogue_mode": None})
    listed = a_certificate(product=Product("电器", "0703", None, (Item("A1", None),)))
    assert "catalogue" in kinds(clocks(listed, BEGIN, SCHEME, CATALOGUE))
    assert "catalogue" not in kinds(clocks(listed, BEGIN, of_no_mode, CATALOGUE))
    assert "catalogue" not in kinds(clocks(replace(listed, product=None), BEGIN, SCHEME, CATALOGUE))


def test_no_clock_runs_past_the_calendar() -> None:
    never = a_certificate(valid_until=date.max, surveillance_due=date.max)
    told = {clock.kind: clock.due for clock in clocks(never, BEGIN, SCHEME)}
    assert told[ClockKind.SURVEILLANCE] == date.max
    long_before = scheme_rules({**SCHEME, "renewal_window_days": 10**6})
    told = {clock.kind: clock.due for clock in clocks(a_certificate(), BEGIN, long_before)}
    assert told[ClockKind.RENEWAL_WINDOW] == date.min


def test_a_suspended_one_owes_its_end_and_not_the_surveillance_besides() -> None:
    suspended = since(Status.SUSPENDED, date(2025, 4, 10), date(2025, 7, 9))
    certificate = a_certificate(surveillance_due=date(2025, 3, 6), statuses=(ACTIVE, suspended))
    assert overdue(clocks(certificate, date(2025, 7, 9), SCHEME)) == ()
    assert kinds(overdue(clocks(certificate, date(2025, 7, 10), SCHEME))) == ["suspension"]


def test_a_failed_check_is_audited_until_a_surveillance_is_passed_or_the_suspension_ends() -> None:
    failed, late = a_certificate(statuses=(ACTIVE, FAILED)), date(2026, 10, 2)
    assert kinds(overdue(clocks(failed, late, SCHEME))) == ["audit"]
    assert kinds(overdue(clocks(replace(failed, surveillances=(date(2026, 8, 31),)), late, SCHEME))) == ["audit"]
    audited = replace(failed, surveillances=(date(2026, 9, 1),))
    lifted = replace(failed, statuses=(ACTIVE, FAILED, since(Status.ACTIVE, date(2026, 9, 20))))
    other = replace(failed, statuses=(ACTIVE, replace(FAILED, reason="S03")))
    for one in (audited, lifted, other):
        assert overdue(clocks(one, late, SCHEME)) == ()
        assert next_due(one, (SCHEME,), late) is None
    assert overdue(clocks(failed, late, scheme_rules({**SCHEME, "failed_check_audit_days": None}))) == ()


def test_what_left_the_scope_owes_nothing() -> None:
    certificate = a_certificate(parts=(Part(PartKind.ITEM, "A9", None, PART_SUSPENDED),))
    assert overdue(clocks(certificate, date(2027, 1, 1), SCHEME)) == ()
    assert next_due(certificate, (SCHEME,), BEGIN) is None


def test_a_mark_that_its_scheme_implies_is_not_counted_twice() -> None:
    statuses = (ACTIVE, since(Status.SUSPENDED, date(2026, 9, 15), date(2026, 12, 14)))
    implied = replace(a_mark(*statuses), mark_no="2024990703000117")
    late = overdue(clocks(a_certificate(statuses=statuses, marks=(implied,)), date(2027, 1, 1), SCHEME))
    assert [(clock.kind, clock.what) for clock in late] == [(ClockKind.SUSPENSION, None)]


def test_renewal_tells_its_dates_and_waits_for_nobody() -> None:
    told = {clock.kind: clock.due for clock in clocks(a_certificate(), END, SCHEME)}
    assert told == {
        ClockKind.RENEWAL_WINDOW: END - timedelta(days=180),
        ClockKind.RENEWAL_APPLICATION: END - timedelta(days=90),
        ClockKind.EXPIRY: END,
    }
    assert not overdue(clocks(a_certificate(), END, SCHEME))
    (grace,) = clocks(a_certificate(), END + DAY, SCHEME)
    assert (grace.kind, grace.due, grace.overdue) == (ClockKind.GRACE, END + timedelta(days=10), False)
    assert kinds(clocks(a_certificate(), END + timedelta(days=10), SCHEME)) == ["grace"]
    assert clocks(a_certificate(), END + timedelta(days=11), SCHEME) == ()
    assert clocks(a_certificate(valid_until=None), END, SCHEME) == ()
    plain = scheme_rules({**SCHEME, "renewal_window_days": None, "renewal_apply_days": None})
    assert kinds(clocks(a_certificate(), END, plain)) == ["expiry"]


@pytest.mark.parametrize(
    ("fields", "day", "due"),
    [
        ({"statuses": (ACTIVE, since(Status.REVOKED, date(2026, 5, 1)))}, date(2026, 5, 1), date(2026, 4, 30)),
        ({"valid_until": date(2026, 4, 30)}, date(2026, 5, 1), date(2026, 4, 30)),
    ],
)
def test_the_end_of_the_parent_is_a_clock_of_its_parts(fields: dict[str, Any], day: date, due: date) -> None:
    parent = a_certificate(certificate_no="P-2024-0001", **fields)
    child = a_certificate(parent_no="P-2024-0001")
    (late,) = overdue(clocks(child, day, SCHEME, None, parent))
    assert (late.kind, late.due, late.what) == (ClockKind.PARENT, due, "P-2024-0001")
    assert "parent" not in kinds(clocks(child, due, SCHEME, None, parent))


@pytest.mark.parametrize(
    "modes",
    [
        [{"mode": "self_declaration", "from": "2016-01-01", "until": None}],
        [{"mode": "certification", "from": "2016-01-01", "until": None}],
        [
            {"mode": "certification", "from": "2016-01-01", "until": "2020-01-01"},
            {"mode": "certification", "from": "2024-01-01", "until": None},
        ],
    ],
)
def test_a_mode_without_an_end_is_no_clock(modes: Any) -> None:
    listed = replace_class(modes=modes)
    assert overdue(clocks(a_certificate(), date(2027, 6, 1), SCHEME, listed)) == ()


def test_what_left_the_catalogue_is_cancelled_and_owes_nothing() -> None:
    certificate = a_certificate(product=Product("电器", "0703", None, (Item("A1", None),)))
    removed = replace_class(removed_on="2026-12-01", **{"class": "0703"})
    assert overdue(clocks(certificate, date(2027, 6, 1), SCHEME, removed)) == ()


def replace_class(**fields: Any) -> CatalogueState:
    listed: Any = {**CATALOGUE["classes"][0], "class": "0101", **fields}
    return {**CATALOGUE, "classes": [listed]}


def test_every_kind_has_a_rule_of_its_own() -> None:
    assert set(RULES) == set(ClockKind)
    assert len(set(RULES.values())) == len(RULES)
    assert tuple(ClockKind)[: len(CAN_BE_OVERDUE)] == CAN_BE_OVERDUE


# --- working days ----------------------------------------------------------------------------------------------

CALENDAR_2026 = calendar_from_state(
    {
        "v": 1,
        "kind": "calendar",
        "year": 2026,
        "days_off": ["2026-10-01", "2026-10-02", "2026-10-05", "2026-10-06", "2026-10-07"],
        "working_days": ["2026-10-10"],
    }
)


@pytest.mark.parametrize(
    ("day", "n", "published", "deadline", "assumed"),
    [
        (date(2026, 11, 2), 0, True, date(2026, 11, 2), ()),
        (date(2026, 11, 2), 5, True, date(2026, 11, 9), ()),
        (date(2026, 9, 30), 1, True, date(2026, 10, 8), ()),
        (date(2026, 9, 30), 3, True, date(2026, 10, 10), ()),  # the Saturday that is worked
        (date(2026, 9, 30), 1, False, date(2026, 10, 1), (2026,)),
        (date(2026, 12, 31), 1, True, date(2027, 1, 1), (2027,)),
        (date(2026, 12, 30), 2, False, date(2027, 1, 1), (2026, 2027)),
    ],
)
def test_working_days(day: date, n: int, published: bool, deadline: date, assumed: tuple[int, ...]) -> None:
    found = add_working_days(day, n, {2026: CALENDAR_2026} if published else {})
    assert (found.day, found.assumed) == (deadline, assumed)


def test_a_day_off_is_off_even_where_it_is_also_named_as_worked() -> None:
    both = Calendar(2026, frozenset({date(2026, 10, 10)}), frozenset({date(2026, 10, 10)}))
    assert not is_working_day(date(2026, 10, 10), {2026: both})


def test_no_working_days_backwards() -> None:
    with pytest.raises(ValueError):
        add_working_days(date(2026, 11, 2), -1, {})


FIVE_DAYS: ClockLimit = {"days": 5, "working": False}
FIVE_WORKING: ClockLimit = {"days": 5, "working": True}


@pytest.mark.parametrize(
    ("limit", "last"), [(FIVE_DAYS, date(2026, 10, 5)), (FIVE_WORKING, date(2026, 10, 13)), (None, date(2030, 1, 1))]
)
def test_a_limit_on_reporting_holds_to_its_last_day(limit: ClockLimit | None, last: date) -> None:
    calendars = {2026: CALENDAR_2026}
    determined = date(2026, 9, 30)
    check_within(determined, last, limit, calendars)
    check_within(None, date(2030, 1, 1), limit, calendars)
    if limit is not None:
        with pytest.raises(SchemeRule) as refused:
            check_within(determined, last + DAY, limit, calendars)
        assert refused.value.pointer == "/data/effective_at"
        assert str(last) in refused.value.detail
        assert "no calendar" not in refused.value.detail


def test_a_limit_in_working_days_says_when_no_calendar_is_published() -> None:
    with pytest.raises(SchemeRule, match=r"no calendar is published for 2026"):
        check_within(date(2026, 9, 30), date(2026, 10, 8), FIVE_WORKING, {})
