"""The life of a certificate: the table of allowed transitions and its complement, dates, reasons, amendments."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import cast

import pytest

from services.domain.authorization import change_mark, with_codes, with_mark
from services.domain.certificate import (
    Basis,
    Certificate,
    Item,
    Party,
    Product,
    Status,
    StatusInterval,
    Transfer,
    from_state,
    to_state,
)
from services.domain.decision import HANDLERS
from services.domain.errors import (
    BadDates,
    MissingField,
    NothingToChange,
    Refusal,
    SchemeRule,
    TransitionNotAllowed,
    UnknownMark,
    UnknownReason,
)
from services.domain.issuance import issued
from services.domain.lifecycle import apply, change, next_surveillance
from services.domain.reasons import REASONS
from services.domain.said import EventData, Moment, Said
from services.domain.scheme import SchemeRules, scheme_rules
from services.domain.transition import REASON_LETTER, Verb

TODAY = date(2026, 11, 1)
MOMENT = Moment(datetime(2026, 11, 1, 4, tzinfo=UTC), TODAY)
RULES: SchemeRules = scheme_rules(
    {
        "effective_at": "2016-01-01",
        "version": 1,
        "name": {"zh": "示范", "en": "Sample"},
        "class": "product",
        "mandatory": False,
        "declaration": False,
        "mark_authorizer": "body",
        "mark": {"id": "sample", "name": {"zh": "示范", "en": "Sample"}},
        "families": ["甲", "乙"],
        "required": ["basis"],
        "validity_months": 60,
        "suspension_limit_months": 6,
        "surveillance_months": 12,
        "coverage": {"complete": False, "zh": "示范", "en": "sample"},
    }
)


def a_certificate(status: Status = Status.ACTIVE) -> Certificate:
    since = date(2024, 3, 6)
    statuses = [StatusInterval(Status.ACTIVE, since, None, None, None, "d0")]
    if status is not Status.ACTIVE:
        statuses.append(StatusInterval(status, date(2026, 1, 10), date(2026, 3, 9), "S03", None, "d1"))
    return Certificate(
        certificate_no="T-2024-001",
        declaration=False,
        scheme="sample",
        scheme_version=1,
        responsible="urn:certmark:body:CNCA-R-2019-7901",
        body="CNCA-R-2019-7901",
        certification_mode=None,
        basis=(Basis("GB 1", "2012"),),
        holder=Party("示范公司", "91310115MAXX001114", "310115", None),
        manufacturer=None,
        factory=None,
        product=Product("电器", "0703", "示范", (Item("A1", "06909900123007"), Item("A2", None))),
        service_scope=None,
        sites=(),
        headcount=None,
        first_issued_on=since,
        issued_on=since,
        valid_from=since,
        valid_until=date(2029, 3, 5),
        surveillance_due=date(2025, 3, 6),
        approver="0007",
        audit_refs=(),
        parent_no=None,
        supersedes=None,
        superseded_by=None,
        accreditation=None,
        grade=None,
        organic=None,
        green=None,
        statuses=tuple(statuses),
        transfer=Transfer("B", "d3", date(2026, 9, 20)),
    )


def a_statement(verb: Verb, **data: object) -> Said:
    given: dict[str, object] = {"effective_at": "2026-10-01"}
    letter = REASON_LETTER.get(verb)
    if letter:
        given["reason"] = f"{letter}03"
    if verb is Verb.SUSPEND:
        given["until"] = "2026-12-31"
    if verb is Verb.AMEND:
        given["fields"] = {"headcount": 7}
    if verb is Verb.RENEW:
        given |= {"issued_on": "2026-10-01", "valid_until": "2032-03-05"}
    if verb is Verb.TRANSFER:
        given["to"] = "CNCA-R-2019-7902"
    if verb is Verb.RECEIVE:
        given["of"] = "d3"
    if verb is Verb.SUPERSEDE:
        given["by"] = "T-2024-002"
    return a_said(given | data)


def a_said(data: dict[str, object]) -> Said:
    return Said("d9", "urn:certmark:body:B", "body", "B", "t", "s", cast(EventData, data))


A, S, R, C = STATUSES = [Status.ACTIVE, Status.SUSPENDED, Status.REVOKED, Status.CANCELLED]
LEADS_TO: dict[Verb, tuple[Status | None, ...]] = {  # from A, S, R, C: as domain rules §2.3 draw it
    Verb.SUSPEND: (S, None, None, None),
    Verb.RESUME: (None, A, None, None),
    Verb.REVOKE: (R, R, None, None),
    Verb.CANCEL: (C, C, None, None),
    Verb.AMEND: (A, S, None, None),
    Verb.PASS_SURVEILLANCE: (A, S, None, None),
    Verb.RENEW: (A, None, None, None),
    Verb.TRANSFER: (A, None, None, None),
    Verb.RECEIVE: (A, None, None, None),
    Verb.SUPERSEDE: (C, C, None, None),
}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("verb", LEADS_TO)
def test_a_verb_leads_where_the_rules_say_or_is_refused(status: Status, verb: Verb) -> None:
    expected = LEADS_TO[verb][STATUSES.index(status)]
    if expected is not None:
        assert change(a_certificate(status), verb, a_statement(verb), RULES, MOMENT).status is expected
        return
    with pytest.raises(TransitionNotAllowed):
        change(a_certificate(status), verb, a_statement(verb), RULES, MOMENT)


ANNOUNCED = StatusInterval(Status.CANCELLED, date(2026, 11, 20), None, "C05", None, "d5")


@pytest.mark.parametrize("verb", LEADS_TO)
def test_until_an_end_that_was_announced_comes_only_what_touches_it_not_is_taken(verb: Verb) -> None:
    """Without it the certificate is active, or suspended for what resumes it; a revocation takes its place."""
    before = a_certificate(Status.SUSPENDED if verb is Verb.RESUME else Status.ACTIVE)
    ending = replace(before, statuses=(*before.statuses, ANNOUNCED), superseded_by="T-2026-001")
    said = a_statement(verb)
    if verb not in (Verb.REVOKE, Verb.SUSPEND, Verb.RESUME, Verb.AMEND, Verb.PASS_SURVEILLANCE):
        with pytest.raises(TransitionNotAllowed):
            change(ending, verb, said, RULES, MOMENT)
        return
    after, without = change(ending, verb, said, RULES, MOMENT), change(before, verb, said, RULES, MOMENT)
    if verb is Verb.REVOKE:
        assert (after.statuses, after.superseded_by) == (without.statuses, None)
    else:
        assert (after.statuses, after.superseded_by) == ((*without.statuses, ANNOUNCED), "T-2026-001")


@pytest.mark.parametrize("verb", LEADS_TO)
def test_an_end_that_has_come_is_final(verb: Verb) -> None:
    came = replace(ANNOUNCED, since=date(2026, 10, 1))
    before = a_certificate(Status.SUSPENDED if verb is Verb.RESUME else Status.ACTIVE)
    with pytest.raises(TransitionNotAllowed):
        change(replace(before, statuses=(*before.statuses, came)), verb, a_statement(verb), RULES, MOMENT)


@pytest.mark.parametrize(("verb", "limit"), [(Verb.SUSPEND, "suspend_within"), (Verb.REVOKE, "revoke_within")])
def test_what_was_determined_is_done_in_the_time_that_the_scheme_gives(verb: Verb, limit: str) -> None:
    rules = cast(SchemeRules, {**RULES, limit: {"days": 5, "working": False}})
    late, in_time = (a_statement(verb, determined_on=day) for day in ("2026-09-25", "2026-09-26"))
    assert change(a_certificate(), verb, in_time, rules, MOMENT).status is LEADS_TO[verb][0]
    with pytest.raises(SchemeRule):
        change(a_certificate(), verb, late, rules, MOMENT)
    assert change(a_certificate(), verb, late, rules, replace(MOMENT, history=True)).status is LEADS_TO[verb][0]


def test_the_table_speaks_of_every_event_about_a_certificate() -> None:
    words = {name.split(".")[2] for name in HANDLERS if name.startswith("certmark.certificate.")}
    assert words == {verb.value for verb in Verb} | {"issued", "corrected"}
    assert set(LEADS_TO) == set(Verb)


@pytest.mark.parametrize("status", [Status.REVOKED, Status.CANCELLED])
@pytest.mark.parametrize("verb", [Verb.SUSPEND, Verb.RESUME])
def test_no_part_of_what_has_ended_is_suspended_or_resumed(status: Status, verb: Verb) -> None:
    with pytest.raises(TransitionNotAllowed):
        change(a_certificate(status), verb, a_statement(verb, items=[{"model": "A1"}]), RULES, MOMENT)


def about(event: str) -> Said:
    return replace(a_first_event(), type=f"certmark.{event}.v1")


@pytest.mark.parametrize("name", sorted(name for name in HANDLERS if name.split(".")[1] in ("certificate", "mark")))
def test_nothing_happens_to_what_was_never_issued(name: str) -> None:
    word = name.removeprefix("certmark.").removesuffix(".v1")
    if word in ("certificate.issued", "certificate.corrected"):
        return
    with pytest.raises(TransitionNotAllowed):
        apply(None, about(word), RULES, MOMENT)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("event", ["certificate.issued", "declaration.made"])
def test_nothing_is_issued_twice(event: str, status: Status) -> None:
    with pytest.raises(TransitionNotAllowed):
        apply(a_certificate(status), about(event), RULES, MOMENT)


def test_suspend_resume_revoke_keeps_all_intervals() -> None:
    suspended = change(a_certificate(), Verb.SUSPEND, a_statement(Verb.SUSPEND), RULES, MOMENT)
    resumed = change(suspended, Verb.RESUME, a_statement(Verb.RESUME, verified_on="2026-09-20"), RULES, MOMENT)
    revoked = change(resumed, Verb.REVOKE, a_statement(Verb.REVOKE), RULES, MOMENT)
    assert [i.status.value for i in revoked.statuses] == ["active", "suspended", "active", "revoked"]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({"effective_at": "2026-12-02", "until": "2027-01-01"}, BadDates),  # more than 30 days ahead
        ({"effective_at": "2024-03-05"}, BadDates),  # before the last status event
        ({"determined_on": "2026-10-02"}, BadDates),  # determined after it took effect
        ({"until": "2026-09-30"}, BadDates),  # ends before it began
        ({"until": None}, BadDates),
        ({"until": "2027-04-01"}, SchemeRule),  # six months at most: to 2027-03-31
        ({"reason": "R03"}, UnknownReason),
        ({"reason": "S99"}, UnknownReason),
        ({"reason": None}, UnknownReason),
    ],
)
def test_a_suspension_that_contradicts_itself_is_refused(data: dict[str, object], error: type[Refusal]) -> None:
    with pytest.raises(error):
        change(a_certificate(), Verb.SUSPEND, a_statement(Verb.SUSPEND, **data), RULES, MOMENT)


@pytest.mark.parametrize(
    ("verb", "data"),
    [
        (Verb.RESUME, {"effective_at": "2026-11-01", "verified_on": "2026-11-02"}),  # before it was verified
        (Verb.PASS_SURVEILLANCE, {"effective_at": "2026-11-02"}),  # it will be passed tomorrow
    ],
)
def test_nothing_is_reported_before_it_was_found(verb: Verb, data: dict[str, str]) -> None:
    certificate = a_certificate(Status.SUSPENDED)
    with pytest.raises(BadDates):
        change(certificate, verb, a_statement(verb, **data), RULES, MOMENT)
    on_the_day = dict.fromkeys(data, "2026-11-01")
    change(certificate, verb, a_statement(verb, **on_the_day), RULES, MOMENT)


def test_who_signs_a_renewal_has_not_approved_it() -> None:
    rules: SchemeRules = {**RULES, "approver_differs": True}
    renewal = {"effective_at": "2026-11-01", "issued_on": "2026-11-01", "valid_until": "2030-11-01"}
    said = a_statement(Verb.RENEW, **renewal, approver="S-1")
    with pytest.raises(SchemeRule):
        change(a_certificate(), Verb.RENEW, replace(said, signatory="S-1"), rules, MOMENT)
    assert change(a_certificate(), Verb.RENEW, replace(said, signatory="S-2"), rules, MOMENT).approver == "S-1"


def test_thirty_days_ahead_and_the_last_day_of_the_limit_are_allowed() -> None:
    said = a_statement(Verb.SUSPEND)
    ahead = replace(said, data={**said.data, "effective_at": "2026-12-01", "until": "2027-05-31"})
    assert change(a_certificate(), Verb.SUSPEND, ahead, RULES, MOMENT).status is Status.SUSPENDED


@pytest.mark.parametrize(
    ("until", "allowed"),
    [("2026-10-28", False), ("2026-10-29", True), ("2026-12-29", True), ("2026-12-30", False)],
)
def test_a_suspension_of_one_to_three_months(until: str, allowed: bool) -> None:
    """From 30 September: the first month ends on 29 October, the third on 29 December."""
    rules: SchemeRules = {**RULES, "suspension_least_months": 1, "suspension_limit_months": 3}
    said = a_statement(Verb.SUSPEND, effective_at="2026-09-30", determined_on=None, until=until)
    if allowed:
        assert change(a_certificate(), Verb.SUSPEND, said, rules, MOMENT).statuses[-1].until == date.fromisoformat(
            until
        )
        return
    with pytest.raises(SchemeRule):
        change(a_certificate(), Verb.SUSPEND, said, rules, MOMENT)
    for past in (0, 1) if until < "2026-12" else ():
        ending = replace(a_certificate(), valid_until=date.fromisoformat(until) - timedelta(days=past))
        assert change(ending, Verb.SUSPEND, said, rules, MOMENT).status is Status.SUSPENDED, (
            "to its last day, or past it"
        )


def test_a_suspension_may_end_on_the_day_on_which_it_begins() -> None:
    said = a_statement(Verb.SUSPEND, until="2026-10-01")
    assert change(a_certificate(), Verb.SUSPEND, said, RULES, MOMENT).statuses[-1].until == date(2026, 10, 1)


@pytest.mark.parametrize(("reason", "last"), [("S03", "2027-03-31"), ("S04", "2026-12-31"), ("S05", "2027-09-30")])
def test_a_reason_may_have_a_limit_of_its_own(reason: str, last: str) -> None:
    limits = [{"reasons": ["S04", "S06"], "months": 3}, {"reasons": ["S05"], "months": 12}]
    rules = cast(SchemeRules, {**RULES, "suspension_limits": limits})
    until = date.fromisoformat(last)
    for day in (until, until + timedelta(days=1)):
        said = a_statement(Verb.SUSPEND, reason=reason, until=day.isoformat())
        if day == until:
            assert change(a_certificate(), Verb.SUSPEND, said, rules, MOMENT).statuses[-1].until == until
        else:
            with pytest.raises(SchemeRule):
                change(a_certificate(), Verb.SUSPEND, said, rules, MOMENT)


@pytest.mark.parametrize(
    ("within", "reason", "determined"),
    [
        (None, "S03", None),
        ({"days": 5, "working": False}, "S03", date(2026, 10, 1)),
        ({"days": 5, "working": False}, "S08", None),
    ],
)
def test_who_does_not_say_when_it_knew_knew_on_the_day_where_a_limit_runs_from_there(
    within: object, reason: str, determined: date | None
) -> None:
    rules = cast(SchemeRules, {**RULES, "suspend_within": within})
    said = a_statement(Verb.SUSPEND, reason=reason, determined_on=None)
    assert change(a_certificate(), Verb.SUSPEND, said, rules, MOMENT).statuses[-1].determined_on == determined


def test_an_unknown_reason_is_told_those_of_its_own_letter() -> None:
    with pytest.raises(UnknownReason) as refused:
        change(a_certificate(), Verb.REVOKE, a_statement(Verb.REVOKE, reason="S03"), RULES, MOMENT)
    assert refused.value.hint == f"one of {', '.join(code for code in REASONS if code[0] == 'R')}"


def test_every_reason_code_of_its_letter_is_taken() -> None:
    for code in REASONS:
        verb = next(v for v, letter in REASON_LETTER.items() if code.startswith(letter))
        said = a_statement(verb)
        coded = replace(said, data={**said.data, "reason": code})
        assert change(a_certificate(), verb, coded, RULES, MOMENT).statuses[-1].reason == code


@pytest.mark.parametrize("verb", [Verb.SUSPEND, Verb.AMEND, Verb.PASS_SURVEILLANCE])
def test_an_expired_certificate_takes_only_its_end(verb: Verb) -> None:
    for still in (date(2026, 10, 1), None):
        after = change(replace(a_certificate(), valid_until=still), verb, a_statement(verb), RULES, MOMENT)
        assert after.status is LEADS_TO[verb][0]
    expired = replace(a_certificate(), valid_until=date(2026, 9, 30))
    with pytest.raises(TransitionNotAllowed):
        change(expired, verb, a_statement(verb), RULES, MOMENT)
    assert change(expired, Verb.REVOKE, a_statement(Verb.REVOKE), RULES, MOMENT).status is Status.REVOKED


def test_an_amendment_adds_and_removes_items_one_by_one() -> None:
    added = a_statement(Verb.AMEND, items=[{"op": "added", "model": "A3"}, {"op": "removed", "model": "A1"}])
    after = change(a_certificate(), Verb.AMEND, added, RULES, MOMENT)
    assert after.product is not None
    assert [item.model for item in after.product.items] == ["A2", "A3"]


def test_the_times_of_a_model_that_left_before_the_first_status_are_in_order() -> None:
    removed = a_statement(Verb.AMEND, items=[{"op": "removed", "model": "A1"}])
    (first,) = (issue := a_certificate()).statuses
    later = replace(
        issue, statuses=(replace(first, since=date.fromisoformat(removed.data["effective_at"]) + timedelta(1)),)
    )
    (part,) = change(later, Verb.AMEND, removed, RULES, MOMENT).parts
    assert [one.status for one in part.statuses] == [Status.CANCELLED]


@pytest.mark.parametrize(
    ("items", "error"),
    [
        ([{"op": "added", "model": "A1"}], NothingToChange),
        ([{"op": "removed", "model": "A9"}], NothingToChange),
        ([{"op": "removed", "model": "A1"}, {"op": "removed", "model": "A2"}], SchemeRule),
    ],
)
def test_an_amendment_that_makes_no_sense_is_refused(items: list[dict[str, str]], error: type[Refusal]) -> None:
    said = a_said({"effective_at": "2026-10-01", "items": items})
    with pytest.raises(error):
        change(a_certificate(), Verb.AMEND, said, RULES, MOMENT)


def test_an_amendment_without_change_is_refused() -> None:
    said = a_said({"effective_at": "2026-10-01", "fields": {}})
    with pytest.raises(NothingToChange):
        change(a_certificate(), Verb.AMEND, said, RULES, MOMENT)


@pytest.mark.parametrize(
    ("was_due", "passed", "due"),
    [
        (date(2024, 3, 6), date(2024, 2, 20), date(2025, 3, 6)),  # before the first anniversary: the second is next
        (date(2024, 3, 6), date(2024, 3, 6), date(2025, 3, 6)),  # on the day itself
        (date(2024, 3, 6), date(2024, 3, 7), date(2025, 3, 6)),  # late for the first: the second is still due
        (date(2024, 3, 6), date(2025, 3, 6), date(2026, 3, 6)),  # a year late, on the second: it serves both
        (date(2024, 3, 6), date(2025, 4, 1), date(2026, 3, 6)),  # later still
        (date(2025, 3, 6), date(2024, 4, 1), date(2026, 3, 6)),  # early for the second
        (date(2024, 1, 15), date(2024, 2, 20), date(2025, 3, 6)),  # late for a day of the body's own alone
        (date(2027, 3, 6), date(2024, 2, 20), date(2025, 3, 6)),  # history, whose dates come after the record's
        (None, date(2025, 4, 1), date(2027, 3, 6)),
    ],
)
def test_the_next_surveillance_is_an_anniversary(was_due: date | None, passed: date, due: date) -> None:
    certificate = replace(a_certificate(), valid_from=date(2023, 3, 6), surveillance_due=was_due)
    assert next_surveillance(certificate, passed, RULES) == due


def test_a_leap_days_anniversary_is_the_last_of_february() -> None:
    certificate = replace(a_certificate(), valid_from=date(2024, 2, 29), surveillance_due=date(2027, 2, 28))
    assert next_surveillance(certificate, date(2027, 2, 28), RULES) == date(2028, 2, 29)


# --- the beginning -------------------------------------------------------------------------------------


def a_first_event(**data: object) -> Said:
    given: dict[str, object] = {
        "effective_at": "2024-03-06",
        "scheme": "sample",
        "basis": [{"standard": "GB 1"}],
        "holder": {"name": "示范公司"},
        "product": {"name": "电器", "items": [{"model": "A1"}]},
        "issued_on": "2024-03-06",
        "valid_from": "2024-03-06",
        "valid_until": "2029-03-05",
    }
    return a_said(given | data)


def test_a_first_event_makes_an_active_certificate() -> None:
    certificate = issued("T-1", a_first_event(), RULES, MOMENT, declaration=False)
    assert (certificate.status, certificate.body, certificate.surveillance_due) == (
        Status.ACTIVE,
        "B",
        date(2027, 3, 6),
    )


@pytest.mark.parametrize(
    ("today", "due"),
    [("2024-03-07", "2025-03-06"), ("2025-03-06", "2025-03-06"), ("2025-03-07", "2026-03-06")],
)
def test_history_that_is_loaded_late_owes_no_surveillance_yet(today: str, due: str) -> None:
    moment = replace(MOMENT, today=date.fromisoformat(today))
    certificate = issued("T-1", a_first_event(), RULES, moment, declaration=False)
    assert certificate.surveillance_due == date.fromisoformat(due)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({"valid_until": "2024-03-05"}, BadDates),
        ({"valid_until": "2029-03-06"}, SchemeRule),  # a day more than 60 months
        ({"valid_until": None}, SchemeRule),
        ({"first_issued_on": "2024-03-07"}, BadDates),
        ({"issued_on": "2026-11-02", "valid_from": "2026-11-02"}, BadDates),  # issued tomorrow
        ({"product": None}, MissingField),
        ({"basis": []}, MissingField),
    ],
)
def test_a_first_event_that_the_scheme_does_not_allow_is_refused(data: dict[str, object], error: type[Refusal]) -> None:
    with pytest.raises(error):
        issued("T-1", a_first_event(**data), RULES, MOMENT, declaration=False)


def test_a_mark_that_the_certificate_implies_has_its_number_and_follows_its_items() -> None:
    implied: SchemeRules = {**RULES, "mark_authorizer": "implied"}
    certificate = issued("T-1", a_first_event(), implied, MOMENT, declaration=False)
    assert [m.mark_no for m in certificate.marks] == ["T-1"]
    said = a_statement(Verb.AMEND, items=[{"op": "added", "model": "A3"}])
    after = change(certificate, Verb.AMEND, said, implied, MOMENT)
    assert [item.model for item in after.marks[0].products] == ["A1", "A3"]


# --- marks ---------------------------------------------------------------------------------------------------


def an_authorization(**data: object) -> Said:
    given: dict[str, object] = {
        "effective_at": "2026-10-01",
        "mark_no": "MK-1",
        "mark": "sample",
        "family": "甲",
        "products": [{"model": "A1", "gtin": "06909900123007"}],
        "valid_until": "2029-03-05",
    }
    return a_said(given | data)


def a_marked_certificate() -> Certificate:
    return with_mark(a_certificate(), an_authorization(), RULES, MOMENT)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({"mark": "other"}, SchemeRule),
        ({"family": "丙"}, SchemeRule),
        ({"products": [{"model": "A9"}]}, SchemeRule),
        ({"products": []}, SchemeRule),
        ({"valid_until": "2029-03-06"}, BadDates),
        ({"valid_until": None}, BadDates),
        ({"effective_at": "2024-03-05"}, TransitionNotAllowed),  # before the certificate
    ],
)
def test_a_mark_beyond_its_certificate_or_scheme_is_refused(data: dict[str, object], error: type[Refusal]) -> None:
    with pytest.raises(error):
        with_mark(a_certificate(), an_authorization(**data), RULES, MOMENT)


@pytest.mark.parametrize("status", [Status.SUSPENDED, Status.REVOKED, Status.CANCELLED])
def test_no_mark_on_a_certificate_that_is_not_valid(status: Status) -> None:
    with pytest.raises(TransitionNotAllowed):
        with_mark(a_certificate(status), an_authorization(), RULES, MOMENT)


def test_a_withdrawn_mark_ends_and_cannot_end_twice() -> None:
    said = replace(an_authorization(), data={"effective_at": "2026-10-15", "mark_no": "MK-1"})
    after = change_mark(a_marked_certificate(), "withdrawn", said, RULES, MOMENT)
    assert after.marks[0].status is Status.WITHDRAWN
    with pytest.raises(TransitionNotAllowed):
        change_mark(after, "withdrawn", said, RULES, MOMENT)
    other = replace(said, data={**said.data, "mark_no": "MK-2"})
    with pytest.raises(UnknownMark):
        change_mark(after, "withdrawn", other, RULES, MOMENT)


MARK_VERBS = {
    (Status.ACTIVE, "suspended"): Status.SUSPENDED,
    (Status.ACTIVE, "withdrawn"): Status.WITHDRAWN,
    (Status.SUSPENDED, "resumed"): Status.ACTIVE,
    (Status.SUSPENDED, "withdrawn"): Status.WITHDRAWN,
}


def a_mark_that_is(status: Status) -> Certificate:
    certificate = a_marked_certificate()
    (mark,) = certificate.marks
    later = StatusInterval(status, date(2026, 10, 2), None, None, None, "d5")
    return replace(certificate, marks=(replace(mark, statuses=(*mark.statuses, later)),))


def a_word_about_a_mark(word: str) -> Said:
    data = {"effective_at": "2026-10-15", "mark_no": "MK-1", "reason": "S03", "until": "2026-12-01"}
    return replace(an_authorization(), type=f"certmark.mark.{word}.v1", data=cast(EventData, data))


@pytest.mark.parametrize("word", ["suspended", "resumed", "withdrawn"])
@pytest.mark.parametrize("status", [Status.ACTIVE, Status.SUSPENDED, Status.WITHDRAWN])
def test_a_mark_takes_what_its_table_says_and_nothing_else(status: Status, word: str) -> None:
    if (status, word) in MARK_VERBS:
        after = change_mark(a_mark_that_is(status), word, a_word_about_a_mark(word), RULES, MOMENT)
        assert after.marks[0].status is MARK_VERBS[status, word]
        return
    with pytest.raises(TransitionNotAllowed):
        change_mark(a_mark_that_is(status), word, a_word_about_a_mark(word), RULES, MOMENT)


@pytest.mark.parametrize("status", [Status.SUSPENDED, Status.WITHDRAWN])
def test_no_codes_for_a_mark_that_is_not_active(status: Status) -> None:
    with pytest.raises(TransitionNotAllowed):
        with_codes(a_mark_that_is(status), a_word_about_a_mark("codes_issued"), RULES, MOMENT)


def test_state_v1_and_back_is_the_same_certificate() -> None:
    certificate = a_marked_certificate()
    assert from_state(to_state(certificate)) == certificate
