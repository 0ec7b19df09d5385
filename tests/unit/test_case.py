"""A case: what an officer may decide and when, the five steps in their order, and who is in charge on a day."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from services.domain.case import (
    STEPS,
    WORKING_DAYS,
    Asked,
    Case,
    CaseRefused,
    Closed,
    ComplaintJoined,
    Decided,
    Decision,
    Deed,
    Finding,
    FindingsAdded,
    Heard,
    Lapsed,
    Opened,
    OrderAnswered,
    OrderIssued,
    Published,
    Referral,
    ReferralAcknowledged,
    Referred,
    Reopened,
    Step,
    StepBegun,
    StepDone,
    StepSkipped,
    apply,
    fold,
    in_charge,
    late_on,
)

DAY = date(2026, 11, 2)
LATER = date(2026, 11, 20)
SELLER = "91310115MAXX09001E"
ONE, TWO = Finding("c1", "M02", SELLER), Finding("c1", "M03", "上海某某贸易有限公司")
OPENED = Opened("310115-2026-00001", "空调标志线索", "310115", DAY, (ONE, TWO), DAY + timedelta(days=7))
HEARD = (Asked(SELLER, DAY + timedelta(days=5)), Heard(SELLER, DAY + timedelta(days=3), "型号写错"))


def a_case(*deeds: Deed) -> Case:
    return fold((OPENED, *deeds))


def refused(case: Case | None, deed: Deed) -> str:
    with pytest.raises(CaseRefused) as error:
        apply(case, deed)
    return error.value.detail


def through(case: Case) -> Case:
    """All steps that are left, each done on the day on which it began."""
    while (stage := case.stage) or case.next_step:
        if stage is None:
            assert case.next_step is not None
            case = apply(case, StepBegun(case.next_step, case.division, DAY, DAY))
        else:
            case = apply(case, StepDone(stage.step, stage.begun_on, "完成"))
    return case


def decided(case: Case) -> Case:
    for finding in case.findings:
        case = apply(case, Decided(finding.id, Decision.EXCLUDED, "已更正"))
    return case


# --- findings ----------------------------------------------------------------------------------------------------


def test_a_finding_is_a_lead_until_an_officer_decides() -> None:
    assert {finding.decision for finding in a_case().findings} == {Decision.OPEN}


@pytest.mark.parametrize(
    ("before", "allowed"),
    [
        ((), False),
        ((HEARD[0],), False),
        (HEARD, True),
        ((HEARD[0], Lapsed(SELLER, DAY + timedelta(days=6))), True),
    ],
    ids=["not asked", "asked", "heard", "lapsed"],
)
def test_a_finding_counts_as_true_only_once_the_seller_was_heard_or_let_the_time_pass(
    before: tuple[Deed, ...], allowed: bool
) -> None:
    deed = Decided(ONE.id, Decision.CONFIRMED, "页面型号不在证书内")
    if allowed:
        found = apply(a_case(*before), deed).finding(ONE.id)
        assert found is not None
        assert found.decision is Decision.CONFIRMED
    else:
        assert "heard" in refused(a_case(*before), deed)


def test_one_sellers_statement_is_not_anothers() -> None:
    assert "heard" in refused(a_case(*HEARD), Decided(TWO.id, Decision.CONFIRMED, "不符"))


def test_what_is_excluded_needs_no_statement_but_a_reason() -> None:
    assert apply(a_case(), Decided(ONE.id, Decision.EXCLUDED, "同厂型号")).findings[0].decision is Decision.EXCLUDED
    assert "reason" in refused(a_case(), Decided(ONE.id, Decision.EXCLUDED, "  "))


def test_a_decision_can_be_taken_back() -> None:
    case = a_case(Decided(ONE.id, Decision.EXCLUDED, "同厂型号"), Decided(ONE.id, Decision.OPEN, ""))
    assert case.findings[0].decision is Decision.OPEN


def test_a_statement_lapses_only_after_its_day_and_a_late_one_still_counts() -> None:
    asked = a_case(HEARD[0])
    assert "until" in refused(asked, Lapsed(SELLER, HEARD[0].due_on))
    lapsed = apply(asked, Lapsed(SELLER, HEARD[0].due_on + timedelta(days=1)))
    late = apply(lapsed, Heard(SELLER, LATER, "来迟"))
    hearing = late.hearing(SELLER)
    assert hearing is not None
    assert (hearing.received_on, hearing.lapsed_on) == (LATER, None)
    assert "come" in refused(late, Lapsed(SELLER, LATER))
    assert "heard" in refused(late, Asked(SELLER, LATER))


def test_only_sellers_of_the_case_are_asked_and_only_who_was_asked_is_heard() -> None:
    assert "no finding" in refused(a_case(), Asked("somebody", DAY))
    assert "not been asked" in refused(a_case(), Heard(SELLER, DAY, ""))


def test_a_finding_is_in_a_case_once() -> None:
    more = Finding("c2", "M02", SELLER)
    case = apply(a_case(Decided(ONE.id, Decision.EXCLUDED, "已更正")), FindingsAdded((ONE, more)))
    assert [finding.id for finding in case.findings] == ["c1/M02", "c1/M03", "c2/M02"]
    assert case.findings[0].decision is Decision.EXCLUDED


# --- the five steps ----------------------------------------------------------------------------------------------


def test_the_five_steps_come_in_their_order_one_at_a_time() -> None:
    assert [step.value for step in STEPS] == ["monitoring", "sampling", "tracing", "handling", "credit"]
    assert WORKING_DAYS.keys() == set(STEPS)
    case = a_case()
    for place, step in enumerate(STEPS):
        assert case.stage is not None
        assert case.stage.step is step
        for other in STEPS:
            assert "under way" in refused(case, StepBegun(other, "310115", DAY, DAY))
            if other is not step:
                assert "not under way" in refused(case, StepDone(other, DAY, "完成"))
        case = apply(case, StepDone(step, DAY, "完成"))
        for other in STEPS:
            if STEPS[place + 1 : place + 2] != (other,):
                assert "comes next" in refused(case, StepBegun(other, "310115", DAY, DAY))
        if place + 1 < len(STEPS):
            case = apply(case, StepBegun(STEPS[place + 1], "310115", DAY, LATER))
    assert case.next_step is None


def test_a_step_is_left_out_only_with_a_reason_and_ends_only_with_a_result() -> None:
    case = a_case(StepDone(Step.MONITORING, DAY, "确认线索"))
    assert "reason" in refused(case, StepSkipped(Step.SAMPLING, DAY, ""))
    case = apply(case, StepSkipped(Step.SAMPLING, DAY, "无需检验"))
    assert (case.stages[-1].skipped, case.next_step) == (True, Step.TRACING)
    assert "result" in refused(a_case(), StepDone(Step.MONITORING, DAY, " "))
    assert "before it began" in refused(a_case(), StepDone(Step.MONITORING, DAY - timedelta(days=1), "完成"))
    assert "due before" in refused(case, StepBegun(Step.TRACING, "310115", DAY, DAY - timedelta(days=1)))


def test_the_city_is_in_charge_beside_its_district_from_the_day_after_a_step_is_overdue() -> None:
    case = a_case()
    assert in_charge(case, OPENED.due_on) == ("310115",)
    assert in_charge(case, OPENED.due_on + timedelta(days=1)) == ("310115", "310000")
    assert in_charge(through(case), LATER) == ("310115",)
    assert in_charge(replace(case, division="310000"), LATER) == ("310000",)


# --- bodies, other divisions, complaints -------------------------------------------------------------------------


def test_an_order_to_a_body_has_its_day_and_its_answer_once() -> None:
    issued = OrderIssued("O-1", "CNCA-R-2019-7901", "2023990703000117", "暂停证书", DAY, DAY + timedelta(days=7))
    case = apply(a_case(), issued)
    assert "issued" in refused(case, issued)
    assert "no such order" in refused(case, OrderAnswered("O-2", DAY, "已暂停"))
    answered = apply(case, OrderAnswered("O-1", LATER, "已暂停"))
    assert "answered" in refused(answered, OrderAnswered("O-1", LATER, "已暂停"))
    assert [late.about for late in late_on(case, LATER) if late.what == "order"] == ["O-1"]
    assert [late for late in late_on(answered, LATER) if late.what == "order"] == []
    assert "due before" in refused(case, replace(issued, order_no="O-2", due_on=DAY - timedelta(days=1)))


def test_a_case_that_is_handed_over_stays_until_the_other_division_has_acknowledged() -> None:
    case = apply(a_case(), Referred("310104", DAY, "R-1", "卖家住所地"))
    assert case.division == "310115"
    assert "waits" in refused(case, Referred("310112", DAY, "R-2", ""))
    assert "no referral" in refused(case, ReferralAcknowledged("R-9", DAY))
    case = apply(case, ReferralAcknowledged("R-1", LATER))
    assert (case.division, case.stage and case.stage.division) == ("310104", "310104")
    assert case.referrals == (Referral("310115", "310104", DAY, "R-1", "卖家住所地", LATER),)
    assert "charge" in refused(case, Referred("310104", DAY, "R-2", ""))
    assert "used" in refused(case, Referred("310115", DAY, "R-1", ""))
    assert "no referral" in refused(case, ReferralAcknowledged("R-1", LATER))


def test_complaints_join_a_case_once() -> None:
    assert a_case(ComplaintJoined("T1"), ComplaintJoined("T2"), ComplaintJoined("T1")).complaints == ("T1", "T2")


# --- the end -----------------------------------------------------------------------------------------------------


def test_a_case_is_closed_when_everything_is_decided_and_done() -> None:
    assert "not decided" in refused(through(a_case()), Closed(LATER, "结案"))
    assert "steps" in refused(decided(a_case()), Closed(LATER, "结案"))
    ready = through(decided(a_case()))
    assert "result" in refused(ready, Closed(LATER, " "))
    assert apply(ready, Closed(LATER, "责令改正")).closed_on == LATER


def test_an_order_holds_a_case_open_until_it_is_answered_or_overdue() -> None:
    ready = through(decided(a_case(OrderIssued("O-1", "b", "1", "说明", DAY, LATER))))
    assert "O-1" in refused(ready, Closed(LATER, "结案"))
    assert apply(ready, Closed(LATER + timedelta(days=1), "结案")).closed_on is not None
    assert apply(apply(ready, OrderAnswered("O-1", DAY, "已说明")), Closed(LATER, "结案")).closed_on == LATER


def test_what_is_closed_stays_as_it_is_until_it_is_reopened_and_what_is_public_for_ever() -> None:
    closed = apply(through(decided(a_case())), Closed(LATER, "结案"))
    deeds: list[Deed] = [
        FindingsAdded(()),
        Asked(SELLER, DAY),
        Decided(ONE.id, Decision.OPEN, ""),
        StepBegun(Step.CREDIT, "310115", DAY, DAY),
        ComplaintJoined("T1"),
        Closed(LATER, "结案"),
        Referred("310104", DAY, "R-1", ""),
    ]
    for deed in deeds:
        assert "closed" in refused(closed, deed)
    assert apply(closed, Reopened(LATER, "新线索")).closed_on is None
    assert "open" in refused(a_case(), Reopened(LATER, ""))
    assert "closed case" in refused(a_case(), Published(LATER))
    public = apply(closed, Published(LATER))
    assert "public" in refused(public, Reopened(LATER, ""))
    assert "published" in refused(public, Published(LATER))
    assert late_on(public, LATER + timedelta(days=99)) == ()


def test_a_case_begins_by_being_opened_once() -> None:
    assert "begins" in refused(None, ComplaintJoined("T1"))
    assert "open already" in refused(a_case(), OPENED)
    with pytest.raises(CaseRefused):
        fold(())
