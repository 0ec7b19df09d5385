"""Who may still grant something: bodies by their approval, an alliance for its members, on the date and at present."""

from datetime import timedelta
from typing import Any

import pytest

from services.domain.body import is_competent
from tests.lives import ALLIANCE, AUTHORITY, BODY, OTHER, a_scheme
from tests.memory import Memory
from tests.unit.test_fold import NUMBER, TODAY, check_fold, day, first_event, issue, memory, suspend, told

__all__ = ["memory"]

APPROVAL_NO = BODY.rpartition(":")[2]
ITEM = {"model": "A1", "gtin": "06909900123007"}
MARK_SIGN = {"id": "sample-mark", "name": {"zh": "示范标志", "en": "sample mark"}}
MARK = {"mark_no": "MARK-1", "mark": "sample-mark", "products": [ITEM]}
CODES = {"mark_no": "MARK-1", "product": "A1", "quantity": 2, "rule_version": "2024", "digest": "7" * 64}
NEW = {"scheme": "life-plain", "holder": {"name": "示范公司"}, "product": {"name": "电器", "items": [ITEM]}}
RENEWED = {"issued_on": day(0), "valid_until": day(600), "approver": "7901-0007"}
STOPPED = {"reason": "S03", "until": day(60)}
GRANTS: list[tuple[str, dict[str, Any]]] = [
    ("certificate.issued", first_event(0, **NEW)),
    ("certificate.resumed", {"verified_on": day(0)}),
    ("certificate.renewed", RENEWED),
    ("certificate.amended", {"items": [{"op": "added", "model": "A2"}]}),
    ("certificate.amended", {"fields": {"basis": [{"standard": "GB 1"}, {"standard": "GB 2"}]}}),
    ("mark.authorized", MARK | {"mark_no": "MARK-2", "valid_until": day(100)}),
    ("mark.resumed", {"mark_no": "MARK-1", "verified_on": day(0)}),
    ("mark.codes_issued", CODES),
]
ENDS: list[tuple[str, dict[str, Any]]] = [
    ("certificate.suspended", STOPPED),
    ("certificate.revoked", {"reason": "R05"}),
    ("certificate.cancelled", {"reason": "C04"}),
    ("certificate.amended", {"items": [{"op": "removed", "model": "A1", "gtin": ITEM["gtin"]}]}),
    ("mark.withdrawn", {"mark_no": "MARK-1"}),
]


def decided(register: Memory, source: str, short: str, data: dict[str, Any]) -> str:
    """How it is decided, with the certificate, or its mark, suspended before where it is to be resumed."""
    if short == "certificate.resumed":
        suspend(register, -5)
    if short == "mark.resumed":
        told(register, "mark.suspended", NUMBER, BODY, mark_no="MARK-1", effective_at=day(-5), **STOPPED)
    subject = "NO-9" if short == "certificate.issued" else NUMBER
    return register.say(source, short, subject, {"effective_at": day(0)} | data).decision


@pytest.mark.parametrize(("short", "data"), [*GRANTS, *ENDS])
@pytest.mark.parametrize("lost", ["body.suspended", "body.disqualified", "body.scope_changed"])
def test_who_lost_its_approval_grants_nothing_and_may_still_end(
    memory: Memory, short: str, data: dict[str, Any], lost: str
) -> None:
    told(memory, "mark.authorized", NUMBER, BODY, **MARK, effective_at=day(-50), valid_until=day(100))
    assert decided(memory.fork(), BODY, short, data) == "accepted"
    said: dict[str, Any] = {"effective_at": day(0), "instrument": "决定"}
    if lost == "body.scope_changed":
        said = {"effective_at": day(0), "schemes": [{"scheme": "life-system", "from": day(0)}]}
    told(memory, lost, APPROVAL_NO, AUTHORITY, **said)
    assert decided(memory, BODY, short, data) == ("accepted" if (short, data) in ENDS else "refused:not-competent")


@pytest.fixture
def allied(memory: Memory) -> Memory:
    memory.add_key(ALLIANCE)
    told(memory, "alliance.established", "test-alliance", effective_at=day(-50), name="联盟")
    told(memory, "alliance.member_admitted", "test-alliance", effective_at=day(-30), body=APPROVAL_NO)
    return memory


@pytest.mark.parametrize(("issued", "decision"), [(-30, "accepted"), (-31, "refused:not-competent")])
def test_an_alliances_scheme_is_its_members_alone(allied: Memory, issued: int, decision: str) -> None:
    said = first_event(issued, **NEW | {"scheme": "life-allied"})
    assert allied.say(BODY, "certificate.issued", "NO-9", said).decision == decision


@pytest.mark.parametrize("effective_at", [-5, 0])
def test_who_has_left_an_alliance_is_no_member_for_days_before_either(allied: Memory, effective_at: int) -> None:
    """On the date and at the decision; history that is loaded under an open backfill is taken as it happened."""
    issue(allied, "NO-8", **first_event(-20, **NEW | {"scheme": "life-allied"}))
    granted = {"effective_at": day(effective_at), **MARK, "valid_until": day(100)}
    assert allied.fork().say(ALLIANCE, "mark.authorized", "NO-8", granted).decision == "accepted"
    told(allied, "alliance.member_left", "test-alliance", effective_at=day(0), body=APPROVAL_NO)
    issued = first_event(effective_at, **NEW | {"scheme": "life-allied"})
    assert allied.say(ALLIANCE, "mark.authorized", "NO-8", granted).decision == "refused:not-competent"
    assert allied.say(BODY, "certificate.issued", "NO-9", issued).decision == "refused:not-competent"
    told(allied, "backfill.opened", APPROVAL_NO, body=APPROVAL_NO, until=day(9))
    expected = "accepted" if effective_at < 0 else "refused:not-competent"
    assert allied.say(BODY, "certificate.issued", "NO-9", issued).decision == expected
    assert allied.say(ALLIANCE, "mark.authorized", "NO-8", granted).decision == expected


def test_a_body_ends_its_alliances_mark_and_does_not_give_it_back(allied: Memory) -> None:
    issue(allied, "NO-8", **first_event(-20, **NEW | {"scheme": "life-allied"}))
    granted = {"effective_at": day(-10), **MARK, "valid_until": day(100)}
    told(allied, "mark.authorized", "NO-8", ALLIANCE, **granted)
    told(allied, "mark.suspended", "NO-8", BODY, mark_no="MARK-1", effective_at=day(-5), **STOPPED)
    resumed = {"mark_no": "MARK-1", "effective_at": day(0), "verified_on": day(0)}
    assert allied.say(BODY, "mark.resumed", "NO-8", resumed).decision == "refused:not-responsible"
    assert allied.say(ALLIANCE, "mark.resumed", "NO-8", resumed).decision == "accepted"
    codes = CODES | {"effective_at": day(0)}
    assert allied.say(BODY, "mark.codes_issued", "NO-8", codes).decision == "refused:not-responsible"
    told(allied, "mark.withdrawn", "NO-8", BODY, mark_no="MARK-1", effective_at=day(0))


@pytest.mark.parametrize(("issued", "decision"), [(-1, "accepted"), (0, "refused:scheme-rule")])
def test_nothing_is_issued_to_an_edition_whose_transition_is_over(memory: Memory, issued: int, decision: str) -> None:
    old = {"standard": "GB/T 19001", "edition": "2008", "until": day(-1)}
    told(memory, "scheme.published", "editions", AUTHORITY, **a_scheme(transitions=[old]))
    scope = [{"scheme": one, "from": "2016-01-01"} for one in ("life-plain", "editions")]
    told(memory, "body.scope_changed", APPROVAL_NO, AUTHORITY, effective_at=day(0), schemes=scope)
    basis = [{"standard": "GB/T19001", "edition": "2008"}]
    said = first_event(issued, **NEW | {"scheme": "editions", "basis": basis})
    assert memory.say(BODY, "certificate.issued", "NO-9", said).decision == decision
    present = said | {"basis": [{"standard": "GB/T 19001", "edition": "2016"}]}
    assert memory.say(BODY, "certificate.issued", "NO-7", present).decision == "accepted"
    renewed = memory.say(BODY, "certificate.renewed", "NO-9" if issued else "NO-7", {"effective_at": day(0), **RENEWED})
    assert renewed.decision == ("refused:scheme-rule" if issued else "accepted")


@pytest.mark.parametrize(
    ("modules", "decision"),
    [
        ([("GB/T 19001", "2008")], "refused:scheme-rule"),
        ([("GB/T 19001", "2016")], "refused:scheme-rule"),  # it has that already, and nothing is added
        ([("GB/T 24001", "2016")], "accepted"),
    ],
)
def test_no_amendment_adds_an_edition_whose_transition_is_over(
    memory: Memory, modules: list[tuple[str, str]], decision: str
) -> None:
    listed(memory, transitions=[{"standard": "GB/T 19001", "edition": "2008", "until": day(-1)}])
    basis = [{"standard": "GB/T 19001", "edition": "2016"}]
    issue(memory, "NO-9", **first_event(0, **NEW | {"scheme": "listed", "basis": basis}))
    added = [{"op": "added", "basis": {"standard": s, "edition": e}} for s, e in modules]
    said = {"effective_at": day(0), "items": added}
    expected = "refused:nothing-to-change" if modules[0][1] == "2016" and modules[0][0] == "GB/T 19001" else decision
    assert memory.say(BODY, "certificate.amended", "NO-9", said).decision == expected


# --- the standards and codes that a scheme and an approval are limited to ---------------------------------------------

OURS, OTHERS = {"standard": "DB31/T 1048", "edition": "2017"}, {"standard": "GB 1"}


def listed(memory: Memory, **rules: Any) -> None:
    """A scheme `listed` with some rules, for which the body is approved beside its others."""
    told(memory, "scheme.published", "listed", AUTHORITY, **a_scheme(**rules))
    scope = [{"scheme": one, "from": "2016-01-01"} for one in ("life-plain", "listed")]
    told(memory, "body.scope_changed", APPROVAL_NO, AUTHORITY, effective_at=day(0), schemes=scope)


@pytest.mark.parametrize(
    ("basis", "decision"),
    [
        ([OURS], "accepted"),
        ([OTHERS, {"standard": "db31/t1048", "edition": "2017"}], "accepted"),
        ([OURS | {"edition": "2024"}], "refused:scheme-rule"),
        ([OTHERS], "refused:scheme-rule"),
    ],
)
def test_what_is_certified_rests_on_a_standard_of_its_scheme(
    memory: Memory, basis: list[dict[str, Any]], decision: str
) -> None:
    listed(memory, mark=MARK_SIGN, standards=[OURS])
    said = first_event(-1, **NEW | {"scheme": "listed", "basis": basis})
    assert memory.fork().say(BODY, "certificate.issued", "NO-9", said).decision == decision
    issue(memory, "NO-8", **said | {"basis": [OURS]})
    changed = {"effective_at": day(0), "fields": {"basis": [*basis, {"standard": "GB 2"}]}}
    assert memory.fork().say(BODY, "certificate.amended", "NO-8", changed).decision == decision
    renewed = {"effective_at": day(0), **RENEWED, "basis": basis}
    assert memory.say(BODY, "certificate.renewed", "NO-8", renewed).decision == decision
    # History is taken as it was certified; a mark is granted today.
    told(memory, "backfill.opened", APPROVAL_NO, body=APPROVAL_NO, until=day(9))
    issue(memory, "NO-7", **said)
    granted = {"effective_at": day(0), **MARK, "valid_until": day(100)}
    assert memory.fork().say(BODY, "mark.authorized", "NO-7", granted).decision == decision
    assert memory.say(BODY, "mark.authorized", "NO-7", granted | {"effective_at": day(-1)}).decision == "accepted"


@pytest.mark.parametrize(
    ("sub_class", "product_class", "decision"),
    [
        (None, "0703", "accepted"),
        ("V-01", "0704", "accepted"),
        ("V-02", "0704", "refused:not-competent"),
        (None, None, "refused:not-competent"),
    ],
)
def test_an_approval_that_is_limited_to_codes_is_for_no_other(
    memory: Memory, sub_class: str | None, product_class: str | None, decision: str
) -> None:
    listed(memory, sub_class=sub_class)
    goods = {"name": "电器", "class": product_class, "items": [ITEM]}
    said = first_event(-1, **NEW | {"scheme": "listed", "product": goods})
    issue(memory, "NO-8", **said)
    limited = {"scheme": "listed", "from": day(-5), "codes": ["V-01", "0703"]}
    told(memory, "body.scope_changed", APPROVAL_NO, AUTHORITY, effective_at=day(-5), schemes=[limited])
    assert memory.say(BODY, "certificate.issued", "NO-9", said).decision == decision
    widened = {"effective_at": day(0), "items": [{"op": "added", "model": "A2"}]}
    assert memory.fork().say(BODY, "certificate.amended", "NO-8", widened).decision == decision
    told(memory, "certificate.revoked", "NO-8", BODY, effective_at=day(0), reason="R05")
    body = memory.register.body(APPROVAL_NO)
    assert body is not None
    assert [is_competent(body, "listed", TODAY + timedelta(days=n), ["0704"]) for n in (-6, -5)] == [True, False]
    unlimited = {"scheme": "listed", "from": day(0)}
    told(memory, "body.scope_changed", APPROVAL_NO, AUTHORITY, effective_at=day(0), schemes=[unlimited])
    assert memory.say(BODY, "certificate.issued", "NO-7", said).decision == decision, "of the day before"
    assert memory.say(BODY, "certificate.issued", "NO-6", said | first_event(0)).decision == "accepted"


# --- approvals that end ---------------------------------------------------------------------------------------------


def approve(memory: Memory, number: str, since: int, until: int | None, *schemes: str) -> str:
    scope = [{"scheme": scheme, "from": day(since)} for scheme in schemes]
    last = {"until": day(until)} if until is not None else {}
    said = {"effective_at": day(since), "name": "示范机构", "schemes": scope} | last
    return memory.say(AUTHORITY, "body.approved", number, said).decision


@pytest.mark.parametrize(
    ("again", "competent"),
    [(-9, [True, True, True]), (-5, [True, False, True])],  # at once, and after four days without approval
)
def test_an_approval_that_has_an_end_is_given_again(memory: Memory, again: int, competent: list[bool]) -> None:
    number = "CNCA-R-2019-7909"
    assert approve(memory, number, -100, -10, "life-plain", "life-allied") == "accepted"
    assert approve(memory, number, again, None, "life-plain") == "accepted"
    assert approve(memory, number, 0, None, "life-plain") == "refused:transition-not-allowed", "it has no end now"
    body = memory.register.body(number)
    assert body is not None
    days = [TODAY + timedelta(days=n) for n in (-10, -9, -5)]
    assert [is_competent(body, "life-plain", on) for on in days] == competent
    assert [is_competent(body, "life-allied", on) for on in days] == [True, False, False], (
        "what it held stays on record"
    )


# --- corrections after a transfer -----------------------------------------------------------------------------------


def test_who_has_handed_a_certificate_over_has_no_say_in_it(memory: Memory) -> None:
    issued = memory.told[NUMBER][0].said.digest
    told(memory, "certificate.surveillance_passed", NUMBER, BODY, effective_at=day(-20))
    giving = told(memory, "certificate.transferred", NUMBER, BODY, effective_at=day(-3), to=OTHER.rpartition(":")[2])
    shorter = {"of": issued, "fields": {"valid_until": day(100)}}
    assert memory.fork().say(BODY, "certificate.corrected", NUMBER, shorter).decision == "accepted", "still answers"
    assert memory.fork().say(OTHER, "certificate.corrected", NUMBER, shorter).decision == "refused:bad-correction"
    told(memory, "certificate.received", NUMBER, OTHER, effective_at=day(-2), of=giving)
    assert memory.say(BODY, "certificate.corrected", NUMBER, shorter).decision == "refused:not-responsible"
    assert memory.say(OTHER, "certificate.corrected", NUMBER, shorter).decision == "accepted"
    assert memory.certificate(NUMBER).valid_until == TODAY + timedelta(days=100)
    check_fold(memory)
