"""Histories that are folded anew: what an annulment, a correction, a later rule or a leaving class makes of them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, cast

import pytest

from services.domain.certificate import Certificate, Corrected, PartKind
from services.domain.fold import KEY_COMPROMISED, consequence, fold, rules_told
from services.domain.said import EventData, Said
from services.domain.scheme import SchemeRules
from services.domain.standing import part_standing, standing
from tests.certificates import a_certificate
from tests.lives import AUTHORITY, BODY, CATALOGUE, DECLARANT, OTHER, SCHEMES
from tests.memory import Memory

TODAY = date(2026, 11, 1)
NUMBER = "NO-1"
TWO_GTINS = ("06909900123007", "06909900123014")


def day(offset: int) -> str:
    return (TODAY + timedelta(days=offset)).isoformat()


@pytest.fixture
def memory() -> Memory:
    """Two bodies, of which the second is approved since yesterday week alone, and one certificate."""
    made = Memory(TODAY)
    for source in (BODY, OTHER):
        made.add_key(source)
    for scheme, rules in SCHEMES.items():
        told(made, "scheme.published", scheme, AUTHORITY, **rules)
    told(made, "catalogue.published", "life-classes", AUTHORITY, **CATALOGUE)
    competence = [{"scheme": scheme, "from": "2016-01-01"} for scheme in SCHEMES]
    for body, since in ((BODY, "2016-01-01"), (OTHER, day(-8))):
        approved = {"effective_at": since, "name": "示范机构", "schemes": competence}
        told(made, "body.approved", body.rpartition(":")[2], AUTHORITY, **approved)
    issue(made, NUMBER)
    return made


def told(memory: Memory, short: str, subject: str, source: str = AUTHORITY, **data: Any) -> str:
    """The digest of what was said and accepted."""
    entry = memory.say(source, short, subject, data)
    assert entry.decision == "accepted", (entry.decision, entry.detail)
    return entry.digest


def refused(memory: Memory, short: str, subject: str, source: str = BODY, **data: Any) -> str | None:
    entry = memory.say(source, short, subject, data)
    assert entry.decision != "accepted"
    return entry.detail


def issue(memory: Memory, number: str, source: str = BODY, **data: Any) -> str:
    items = [{"model": "A1", "gtin": gtin} for gtin in TWO_GTINS]
    first = {
        "effective_at": day(-100),
        "scheme": "life-plain",
        "basis": [{"standard": "GB 1"}],
        "holder": {"name": "示范公司"},
        "product": {"name": "电器", "class": "0703", "items": items},
        "issued_on": day(-100),
        "valid_from": day(-100),
        "valid_until": day(300),
        "approver": "7901-0007",
    }
    return told(memory, "certificate.issued", number, source, **(first | data))


def suspend(memory: Memory, since: int, **data: Any) -> str:
    said = {"effective_at": day(since), "reason": "S03", "until": day(60)} | data
    return told(memory, "certificate.suspended", NUMBER, BODY, **said)


def annul(memory: Memory, digest: str, since: int) -> str:
    return told(memory, "decision.annulled", digest, effective_at=day(since), digest=digest, instrument="判决")


def intervals(memory: Memory) -> list[tuple[str, str]]:
    check_fold(memory)
    return [(i.status.value, i.since.isoformat()) for i in memory.certificate(NUMBER).statuses]


def check_fold(memory: Memory) -> None:
    assert folded(memory) == memory.certificate(NUMBER)


def folded(memory: Memory, at: date | None = None) -> Certificate | None:
    return fold(memory.told[NUMBER], rules_told(memory.register.told), at).certificate


# --- who lost one by revocation ------------------------------------------------------------------------------------

HOLDER = {"name": "示范公司", "uscc": "91320500MAXX005334"}
SYSTEM: dict[str, Any] = {"scheme": "life-system", "service_scope": "零件的生产", "holder": HOLDER, "product": None}


def revoke_one(memory: Memory, since: int) -> str:
    issue(memory, "NO-2", **SYSTEM)
    return told(memory, "certificate.revoked", "NO-2", BODY, effective_at=day(since), reason="R05")


def issued_anew(memory: Memory, issued: int, source: str = OTHER, **data: Any) -> str:
    entry = memory.say(source, "certificate.issued", "NO-3", first_event(issued, **(SYSTEM | data)))
    return entry.decision


def first_event(issued: int, **data: Any) -> dict[str, Any]:
    begun = dict.fromkeys(("effective_at", "issued_on", "valid_from"), day(issued))
    return begun | {"valid_until": day(300), "basis": [{"standard": "GB 1"}], "approver": "7901-0007"} | data


@pytest.mark.parametrize(("since", "decision"), [(-30, "refused:scheme-rule"), (-31, "accepted")])
def test_who_lost_one_by_revocation_waits_for_the_schemes_months(memory: Memory, since: int, decision: str) -> None:
    """One month after 1 October is 1 November; from whatever body, and whatever has become of the number."""
    revoke_one(memory, since)
    assert issued_anew(memory, 0, effective_at=day(0)) == decision


def test_the_day_of_issue_and_that_of_the_decision_are_both_judged(memory: Memory) -> None:
    revoke_one(memory, -40)
    assert issued_anew(memory.fork(), -35, BODY) == "refused:scheme-rule", "issued within the wait, which is over now"
    assert issued_anew(memory, -41, BODY) == "accepted", "issued before the loss, and the wait for that is over"
    waiting = memory.fork()
    issue(waiting, "NO-4", **SYSTEM)
    told(waiting, "certificate.revoked", "NO-4", BODY, effective_at=day(-5), reason="R05")
    late = first_event(-6, **SYSTEM)
    assert waiting.say(BODY, "certificate.issued", "NO-5", late).decision == "refused:scheme-rule"


def test_another_holder_scheme_or_end_makes_nobody_wait(memory: Memory) -> None:
    revoke_one(memory, -3)
    other = {"name": "示范公司", "uscc": "91310115MAXX001114"}
    for holder in (other, {"name": "示范公司"}):
        assert issued_anew(memory.fork(), 0, holder=holder) == "accepted"
    issue(memory, "NO-4", holder=HOLDER)
    memory.today += timedelta(days=1)
    told(memory, "certificate.cancelled", "NO-4", BODY, effective_at=day(0), reason="C02")
    issue(memory, "NO-5", holder=HOLDER)


SEAT = "示范市示范路1号"
NAMED = {"name": "示范（甲）有限公司", "address": SEAT}


@pytest.mark.parametrize(
    ("lost", "again", "decision"),
    [
        (HOLDER | NAMED, NAMED, "refused:scheme-rule"),  # the code was left out
        (NAMED, NAMED, "refused:scheme-rule"),
        (NAMED, {"name": "示范(甲)有限责任公司", "address": "示范市 示范路１号"}, "refused:scheme-rule"),
        (NAMED, NAMED | {"address": "示范市示范路2号"}, "accepted"),  # a name alone is nobody's own
        (NAMED, {"name": NAMED["name"]}, "accepted"),
        (HOLDER | NAMED, NAMED | {"uscc": "91310115MAXX001114"}, "accepted"),  # another code is another holder
        (NAMED, HOLDER | NAMED, "accepted"),  # who names a code is asked for by it
    ],
)
def test_who_names_no_credit_code_is_known_by_name_and_address(
    memory: Memory, lost: dict[str, Any], again: dict[str, Any], decision: str
) -> None:
    issue(memory, "NO-2", **(SYSTEM | {"holder": lost}))
    bodys_end, amended = memory.fork(), memory.fork()
    told(memory, "certificate.revoked", "NO-2", BODY, effective_at=day(-3), reason="R05")
    assert issued_anew(memory, 0, holder=again) == decision
    disqualify(bodys_end, BODY, -3)
    assert issued_anew(bodys_end, 0, holder=again) == "accepted", "of its own faults alone"
    issue(amended, "NO-4", **(SYSTEM | {"holder": {"name": "示范乙公司", "uscc": "91310114MAXX00189M"}}))
    told(amended, "certificate.revoked", "NO-2", BODY, effective_at=day(-3), reason="R05")
    becomes = {"effective_at": day(0), "fields": {"holder": again}}
    assert amended.say(BODY, "certificate.amended", "NO-4", becomes).decision == decision


def test_a_revocation_that_was_annulled_makes_nobody_wait(memory: Memory) -> None:
    revoked = revoke_one(memory, -3)
    assert issued_anew(memory.fork(), 0) == "refused:scheme-rule"
    annul(memory, revoked, -3)
    assert issued_anew(memory, 0) == "accepted"


def disqualify(memory: Memory, body: str, since: int) -> str:
    said = {"effective_at": day(since), "instrument": "决定"}
    return told(memory, "body.disqualified", body.rpartition(":")[2], AUTHORITY, **said)


def out_of_scope(memory: Memory, body: str, since: int) -> None:
    scope = [{"scheme": "life-plain", "from": "2016-01-01"}]
    told(memory, "body.scope_changed", body.rpartition(":")[2], effective_at=day(since), schemes=scope)


def run_out(memory: Memory, body: str, since: int) -> None:
    number, scope = body.rpartition(":")[2], [{"scheme": s, "from": "2016-01-01"} for s in SCHEMES]
    told(memory, "body.suspended", number, effective_at=day(-90), instrument="决定")
    said = {"effective_at": day(-80), "until": day(since - 1), "name": "示范机构"}
    told(memory, "body.approved", number, schemes=scope, **said)


@pytest.mark.parametrize("lose", [disqualify, out_of_scope, run_out])
@pytest.mark.parametrize(
    ("lost", "issued", "decision"),
    [
        (-30, 0, "refused:scheme-rule"),  # 2 October: one month after is tomorrow
        (-31, 0, "accepted"),  # 1 October: one month after is today
        (-5, -5, "refused:scheme-rule"),  # on the day itself
        (-5, -6, "refused:scheme-rule"),  # the day before, but decided after: dating it earlier is no way around
        (3, 0, "accepted"),  # announced, and not come yet
    ],
)
def test_whose_body_lost_its_approval_waits_for_the_schemes_months(
    memory: Memory, lose: Callable[[Memory, str, int], object], lost: int, issued: int, decision: str
) -> None:
    issue(memory, "NO-2", **SYSTEM)
    lose(memory, BODY, lost)
    assert issued_anew(memory, issued) == decision


def test_a_suspended_body_loses_nobodys_certificate(memory: Memory) -> None:
    issue(memory, "NO-2", **SYSTEM)
    told(memory, "body.suspended", BODY.rpartition(":")[2], effective_at=day(-5), instrument="决定")
    assert issued_anew(memory, 0) == "accepted"


@pytest.mark.parametrize(
    ("data", "decision"),
    [
        ({}, "refused:scheme-rule"),
        ({"holder": {"name": "示范公司", "uscc": "91310115MAXX001114"}}, "accepted"),  # another holder
        ({"scheme": "life-plain", "product": {"name": "电器", "items": [{"model": "A1"}]}}, "accepted"),
        ({"valid_until": day(-4)}, "accepted"),  # it had expired before: nothing was lost
        ({"valid_until": day(-3)}, "refused:scheme-rule"),  # its last day was the one on which the body went
    ],
)
def test_only_what_stood_when_the_body_was_disqualified_is_lost(
    memory: Memory, data: dict[str, Any], decision: str
) -> None:
    issue(memory, "NO-2", **(SYSTEM | data))
    disqualify(memory, BODY, -3)
    assert issued_anew(memory, 0) == decision


def test_what_became_of_the_lost_body_or_its_certificate_counts(memory: Memory) -> None:
    """To cancel is no way around the wait; what another body took over is not lost; nor what an annulment gave back."""
    issue(memory, "NO-2", **SYSTEM)
    gone = disqualify(memory, BODY, -3)
    cancelled, received, given_back = memory.fork(), memory.fork(), memory.fork()
    told(cancelled, "certificate.cancelled", "NO-2", BODY, effective_at=day(0), reason="C04")
    assert issued_anew(cancelled, 0) == "refused:scheme-rule"
    to = OTHER.rpartition(":")[2]
    giving = told(received, "certificate.transferred", "NO-2", BODY, effective_at=day(-2), to=to)
    assert issued_anew(received.fork(), 0) == "refused:scheme-rule"
    told(received, "certificate.received", "NO-2", OTHER, effective_at=day(-1), of=giving)
    assert issued_anew(received, 0) == "accepted"
    annul(given_back, gone, -3)
    assert issued_anew(given_back, 0) == "accepted"


@pytest.mark.parametrize(("reason", "decision"), [("R11", "refused:scheme-rule"), ("R05", "accepted")])
def test_the_gravest_reasons_make_wait_longer(memory: Memory, reason: str, decision: str) -> None:
    """One month after any revocation, six after one for R11."""
    issue(memory, "NO-2", **SYSTEM)
    told(memory, "certificate.revoked", "NO-2", BODY, effective_at=day(-60), reason=reason)
    assert issued_anew(memory, 0) == decision


def test_a_correction_cannot_say_what_an_issue_could_not(memory: Memory) -> None:
    revoke_one(memory, -100)
    other = {"name": "示范公司", "uscc": "91310115MAXX001114"}
    issued = issue(memory, "NO-3", **first_event(-90, **(SYSTEM | {"holder": other})))
    said: dict[str, Any] = {"of": issued, "fields": {"holder": HOLDER}}
    assert "was revoked on" in str(refused(memory, "certificate.corrected", "NO-3", **said))


def test_history_inside_a_backfill_is_taken_as_it_happened(memory: Memory) -> None:
    number = BODY.rpartition(":")[2]
    revoke_one(memory, -20)
    assert issued_anew(memory.fork(), -10, BODY) == "refused:scheme-rule"
    told(memory, "backfill.opened", number, body=number, until=day(9))
    assert issued_anew(memory.fork(), 0, BODY) == "refused:scheme-rule", "what is done today is no history"
    assert issued_anew(memory, -10, BODY) == "accepted"
    issue(memory, "NO-4", **(SYSTEM | {"holder": {"name": "示范乙公司", "uscc": "91310114MAXX00189M"}}))
    late = {"effective_at": day(-50), "determined_on": day(-90), "reason": "S03", "until": day(60)}
    told(memory, "certificate.suspended", "NO-4", BODY, **late)
    before = memory.certificate("NO-4")
    told(memory, "certificate.corrected", "NO-4", BODY, of=memory.told["NO-4"][0].said.digest, fields={"headcount": 7})
    assert memory.certificate("NO-4").statuses == before.statuses, "and however often it is told again"


# --- annulments -----------------------------------------------------------------------------------------------------


def test_what_is_said_on_the_day_of_an_annulment_keeps_its_own_words(memory: Memory) -> None:
    revoked = told(memory, "certificate.revoked", NUMBER, BODY, effective_at=day(-20), reason="R05")
    annul(memory, revoked, -5)
    own = suspend(memory, -5, determined_on=day(-6))
    headcount = {"effective_at": day(0), "fields": {"headcount": 7}}
    amended = told(memory, "certificate.amended", NUMBER, BODY, **headcount)
    annul(memory, amended, 0)
    assert intervals(memory)[-1] == ("suspended", day(-5))
    last = memory.certificate(NUMBER).statuses[-1]
    assert (last.digest, last.determined_on) == (own, TODAY - timedelta(days=6))


def test_an_end_stays_where_it_was_when_something_else_is_annulled(memory: Memory) -> None:
    """The suspension never stood, so the cancellation could go back before it."""
    suspended = suspend(memory, -5)
    amended = told(memory, "certificate.amended", NUMBER, BODY, effective_at=day(0), fields={"headcount": 7})
    annul(memory, suspended, -5)
    told(memory, "certificate.cancelled", NUMBER, BODY, effective_at=day(-50), reason="C02")
    annul(memory, amended, 0)
    assert intervals(memory) == [("active", day(-100)), ("cancelled", day(-50))]


def test_an_annulment_from_a_later_day_survives_one_from_an_earlier(memory: Memory) -> None:
    suspended = suspend(memory, -40)
    revoked = told(memory, "certificate.revoked", NUMBER, BODY, effective_at=day(-30), reason="R05")
    annul(memory, revoked, -10)
    annul(memory, suspended, -40)
    turns = [standing(memory.certificate(NUMBER), TODAY + timedelta(days=n)).value for n in (-35, -20, -10, 0)]
    assert turns == ["valid", "revoked", "valid", "valid"]
    check_fold(memory)


def test_an_issue_that_was_annulled_stays_revoked_from_its_own_day(memory: Memory) -> None:
    passed = told(memory, "certificate.surveillance_passed", NUMBER, BODY, effective_at=day(-3))
    annul(memory, memory.told[NUMBER][0].said.digest, -50)
    annul(memory, passed, -90)
    assert intervals(memory) == [("active", day(-100)), ("revoked", day(-50))]


def test_an_annulment_is_reported_when_it_has_taken_effect(memory: Memory) -> None:
    digest = suspend(memory, -5)
    said = {"effective_at": day(1), "digest": digest, "instrument": "判决"}
    assert "has taken effect" in str(refused(memory, "decision.annulled", digest, AUTHORITY, **said))


# --- annulments of annulments ---------------------------------------------------------------------------------------


def standings(memory: Memory, *days: int) -> list[str]:
    check_fold(memory)
    return [standing(memory.certificate(NUMBER), TODAY + timedelta(days=n)).value for n in days]


def test_what_an_annulled_annulment_had_annulled_counts_again(memory: Memory) -> None:
    revoked = told(memory, "certificate.revoked", NUMBER, BODY, effective_at=day(-30), reason="R05")
    before = memory.certificate(NUMBER)
    first = annul(memory, revoked, -20)
    assert standings(memory, -25, -15, -5, 0) == ["revoked", "valid", "valid", "valid"]
    said = {"effective_at": day(0), "digest": first, "instrument": "二审判决"}
    from_today, whole = memory.fork(), memory.fork()
    annul(from_today, first, -10)
    assert standings(from_today, -25, -15, -10, 0) == ["revoked", "valid", "revoked", "revoked"]
    annul(whole, first, -20)
    after = whole.certificate(NUMBER)
    assert after.annulled == (first,)
    assert replace(after, annulled=()) == before, "as if the first annulment had never been said"
    check_fold(whole)
    assert "annulled already" in str(refused(whole, "decision.annulled", first, AUTHORITY, **said))
    annul(whole, whole.told[first][-1].said.digest, -20)
    assert standings(whole, -25, -15, 0) == ["revoked", "valid", "valid"], "and so on"
    annul(from_today, revoked, -5)
    assert standings(from_today, -25, -15, -10, -5, 0) == ["revoked", "valid", "revoked", "valid", "valid"]
    assert from_today.certificate(NUMBER).annulled == tuple(sorted((first, revoked)))


def test_an_issue_annulled_by_mistake_is_brought_back(memory: Memory) -> None:
    mistaken = annul(memory, memory.told[NUMBER][0].said.digest, -50)
    assert standings(memory, -51, -50, 0) == ["valid", "revoked", "revoked"]
    annul(memory, mistaken, -50)
    assert standings(memory, -51, -50, 0) == ["valid"] * 3
    told(memory, "certificate.suspended", NUMBER, BODY, effective_at=day(-1), reason="S03", until=day(60))
    assert standings(memory, -2, 0) == ["valid", "suspended"]


def test_an_annulment_that_is_annulled_lies_behind_others_that_still_stand(memory: Memory) -> None:
    """Each of two fates is annulled from a day of its own; one of these annulments falls."""
    suspended = suspend(memory, -60)
    revoked = told(memory, "certificate.revoked", NUMBER, BODY, effective_at=day(-40), reason="R05")
    lifted = annul(memory, suspended, -50)
    annul(memory, revoked, -20)
    assert standings(memory, -55, -45, -30, -20, 0) == ["suspended", "valid", "revoked", "valid", "valid"]
    annul(memory, lifted, -10)
    assert standings(memory, -55, -45, -30, -20, -10, 0) == [
        "suspended", "valid", "revoked", "valid", "suspended", "suspended",
    ]  # fmt: skip


@pytest.mark.parametrize("last", [-12, -10, -8])
def test_what_an_annulment_gave_back_is_there_again_whatever_else_is_annulled(memory: Memory, last: int) -> None:
    """Annulled from the tenth day before, brought back from the fifth; then something else is annulled."""
    other = suspend(memory, -20)
    told(memory, "certificate.resumed", NUMBER, BODY, effective_at=day(-15), verified_on=day(-15))
    product = {"model": "A1", "gtin": TWO_GTINS[0]}
    mark = {"effective_at": day(-30), "mark": "sample-mark", "products": [product], "valid_until": day(200)}
    granted = told(memory, "mark.authorized", NUMBER, BODY, **mark, mark_no="MARK-1")
    issue_too = memory.fork()
    annul(memory, annul(memory, granted, -10), -5)
    annul(memory, other, last)
    statuses = [(i.status.value, i.since.isoformat()) for i in memory.certificate(NUMBER).marks[0].statuses]
    assert statuses == [("active", day(-30)), ("withdrawn", day(-10)), ("active", day(-5))]
    check_fold(memory)
    annul(issue_too, annul(issue_too, issue_too.told[NUMBER][0].said.digest, -10), -5)
    annul(issue_too, other, last)
    assert standings(issue_too, -11, -10, -8, -6, -5, 0) == ["valid", *["revoked"] * 3, "valid", "valid"]


def test_annulments_each_from_an_earlier_day_are_no_endless_work(memory: Memory) -> None:
    """The hardest order; without `DEEPEST` each would double the work."""
    memory.drawing = False
    amended = [
        told(memory, "certificate.amended", NUMBER, BODY, effective_at=day(-60), fields={"headcount": n})
        for n in range(14)
    ]
    for n, digest in enumerate(amended):
        annul(memory, digest, -5 - n)
    story = [*memory.told[NUMBER], *(replace(memory.told[digest][-1], consequence=True) for digest in amended)]
    asked, rules_on = [0], rules_told(memory.register.told)

    def counted(scheme: str, on: date, seq: int) -> SchemeRules | None:
        asked[0] += 1
        return rules_on(scheme, on, seq)

    found = fold(story, counted).certificate
    assert found is not None
    assert (found.headcount, found.annulled) == (None, tuple(sorted(amended)))
    assert asked[0] <= 4608


def test_what_is_said_of_a_body_is_nothing_to_a_certificate_of_the_same_number(memory: Memory) -> None:
    number = OTHER.rpartition(":")[2]
    issue(memory, number)
    out_of_scope(memory, OTHER, 0)
    amended = told(memory, "certificate.amended", number, BODY, effective_at=day(0), fields={"headcount": 7})
    before = memory.certificate(number)
    annul(memory, amended, 0)
    assert memory.certificate(number) == replace(before, headcount=None, annulled=(amended,))


def test_a_declaration_is_told_again_as_a_certificate_is(memory: Memory) -> None:
    memory.add_key(DECLARANT)
    made = first_event(-9, scheme="life-declared", holder=HOLDER, product={"name": "电器", "items": [{"model": "A1"}]})
    del made["approver"]
    told(memory, "declaration.made", "NO-2", DECLARANT, **made)
    before = memory.certificate("NO-2")
    withdrawn = told(memory, "declaration.withdrawn", "NO-2", DECLARANT, effective_at=day(-5), reason="C02")
    annul(memory, withdrawn, -5)
    assert memory.certificate("NO-2") == replace(before, annulled=(withdrawn,))


def test_a_disqualification_comes_back_with_its_annulment_annulled(memory: Memory) -> None:
    number = BODY.rpartition(":")[2]
    gone = disqualify(memory, BODY, -3)
    body = memory.register.body(number)
    first = annul(memory, gone, -3)
    assert memory.register.body(number) != body
    annul(memory, first, -3)
    assert memory.register.body(number) == body
    annul(memory, gone, -3)
    assert memory.register.body(number) != body


def test_a_class_that_left_by_mistake_and_did_after_all(memory: Memory) -> None:
    issue(memory, "NO-2", scheme="life-implied")
    left = leaves(memory, 0)
    assert memory.certificate("NO-2").status == "cancelled"
    first = annul(memory, left, 0)
    assert memory.certificate("NO-2").status == "active"
    annul(memory, first, 0)
    assert memory.certificate("NO-2").status == "cancelled"


def test_a_renewal_does_not_close_the_gap_before_it(memory: Memory) -> None:
    issue(memory, "NO-2", valid_until=day(-10))
    said = {"effective_at": day(0), "issued_on": day(0), "valid_until": day(300), "approver": "7901-0007"}
    detail = refused(memory, "certificate.renewed", "NO-2", BODY, **said, valid_from=day(-9))
    assert "was not valid" in str(detail)
    told(memory, "certificate.renewed", "NO-2", BODY, **said)
    turns = [standing(memory.certificate("NO-2"), TODAY + timedelta(days=n)).value for n in (-10, -9, 0)]
    assert turns == ["valid", "expired", "valid"]


def test_a_mark_keeps_its_place_and_its_end(memory: Memory) -> None:
    products = [{"model": "A1", "gtin": TWO_GTINS[0]}]
    said = {"effective_at": day(-30), "mark": "sample-mark", "products": products, "valid_until": day(200)}
    first = told(memory, "mark.authorized", NUMBER, BODY, **said, mark_no="MARK-1")
    annul(memory, first, -20)
    told(memory, "mark.authorized", NUMBER, BODY, **said, mark_no="MARK-2")
    annul(memory, suspend(memory, -5), -5)
    marks = [(mark.mark_no, mark.status.value) for mark in memory.certificate(NUMBER).marks]
    assert marks == [("MARK-1", "withdrawn"), ("MARK-2", "active")]
    check_fold(memory)


# --- corrections ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"issued_on": day(-9)}, "was not approved"),
        ({"product": {"name": "电器", "class": "0999", "items": [{"model": "A1"}]}}, "is not in it"),
        ({"parent_no": "NO-9"}, "is not in the register"),
    ],
)
def test_a_correction_meets_what_its_event_met(memory: Memory, fields: dict[str, Any], why: str) -> None:
    recent = {name: day(-8) for name in ("effective_at", "issued_on", "valid_from")}
    digest = issue(memory, "NO-2", OTHER, **recent, scheme="life-implied")
    detail = refused(memory, "certificate.corrected", "NO-2", OTHER, of=digest, fields=fields)
    assert detail is not None
    assert why in detail
    told(memory, "certificate.corrected", "NO-2", OTHER, of=digest, fields={"issued_on": day(-7)})


def test_an_annulled_correction_has_corrected_nothing(memory: Memory) -> None:
    digest = suspend(memory, -5)
    mistaken = told(memory, "certificate.corrected", NUMBER, BODY, of=digest, fields={"reason": "S04"})
    annul(memory, mistaken, -5)
    told(memory, "certificate.corrected", NUMBER, BODY, of=digest, fields={"until": day(50)})
    assert memory.certificate(NUMBER).statuses[-1].reason == "S03"
    check_fold(memory)


@pytest.mark.parametrize("annulled_last", [True, False])
def test_no_correction_takes_the_ground_from_what_was_said_after(memory: Memory, *, annulled_last: bool) -> None:
    amended = told(memory, "certificate.amended", NUMBER, BODY, effective_at=day(-9), fields={"headcount": 7})
    if not annulled_last:
        annul(memory, amended, -9)
    suspended = suspend(memory, -5)
    resumed = {"effective_at": day(-3), "verified_on": day(-3)}
    digest = told(memory, "certificate.resumed", NUMBER, BODY, **resumed)
    if annulled_last:
        annul(memory, amended, -9)
    detail = refused(memory, "certificate.corrected", NUMBER, of=suspended, fields={"effective_at": day(-2)})
    assert f"then {digest} could not stand" in str(detail)


def test_each_correction_is_remembered(memory: Memory) -> None:
    suspended = suspend(memory, -5)
    by = [
        told(memory, "certificate.corrected", NUMBER, BODY, of=suspended, fields=fields)
        for fields in ({"until": day(50)}, {"reason": "S04"})
    ]
    assert memory.certificate(NUMBER).corrected == tuple(Corrected(suspended, one) for one in by)


def test_a_date_that_a_correction_moves_ahead_is_not_there_before(memory: Memory) -> None:
    digest = suspend(memory, -5)
    told(memory, "certificate.corrected", NUMBER, BODY, of=digest, fields={"effective_at": day(5)})
    assert memory.certificate(NUMBER).corrected == (Corrected(digest, memory.told[NUMBER][-1].said.digest),)
    now, later = folded(memory, TODAY), folded(memory, TODAY + timedelta(days=5))
    assert now is not None
    assert later is not None
    assert (now.status.value, later.status.value) == ("active", "suspended")


# --- rules that change ----------------------------------------------------------------------------------------------


def later_version(memory: Memory, since: int, **rules: Any) -> None:
    changed = SCHEMES["life-plain"] | {"version": 2, "effective_at": day(since)} | rules
    told(memory, "scheme.published", "life-plain", **changed)


def test_a_version_that_begins_today_judges_nothing_of_this_morning(memory: Memory) -> None:
    today = {name: day(0) for name in ("effective_at", "issued_on", "valid_from")}
    issue(memory, "NO-2", **today)
    due = memory.certificate("NO-2").surveillance_due
    later_version(memory, 0, required=["grade"], surveillance_months=6)
    amended = {"effective_at": day(0), "fields": {"headcount": 7}}
    digest = told(memory, "certificate.amended", "NO-2", BODY, **amended)
    told(memory, "certificate.corrected", "NO-2", BODY, of=digest, fields={"fields": {"headcount": 8}})
    assert memory.certificate("NO-2").headcount == 8
    assert memory.certificate("NO-2").surveillance_due == due


def test_an_issue_is_judged_by_the_day_it_is_of_and_a_renewal_by_the_day_it_takes_effect(memory: Memory) -> None:
    later_version(memory, 0, surveillance_months=6)
    begun = {"issued_on": day(-1), "effective_at": day(0), "valid_from": day(0), "valid_until": day(20)}
    issued = issue(memory, "NO-2", **begun)
    assert memory.certificate("NO-2").surveillance_due == date(2027, 11, 1)
    told(memory, "certificate.corrected", "NO-2", BODY, of=issued, fields={"headcount": 8})
    assert memory.certificate("NO-2").surveillance_due == date(2027, 11, 1)
    renewal = {"valid_until": day(300), "approver": "7901-0007", "issued_on": day(-1), "effective_at": day(0)}
    renewed = told(memory, "certificate.renewed", "NO-2", BODY, **renewal)
    assert memory.certificate("NO-2").surveillance_due == date(2027, 5, 1)
    told(memory, "certificate.corrected", "NO-2", BODY, of=renewed, fields={"valid_until": day(299)})
    assert memory.certificate("NO-2").surveillance_due == date(2027, 5, 1)


# --- a class leaves -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("short", "data", "expected"),
    [
        ("suspended", {"reason": "S03", "until": day(40)}, [("cancelled", day(3))]),
        ("cancelled", {"reason": "C02"}, [("cancelled", day(3))]),
        ("revoked", {"reason": "R05"}, [("cancelled", day(3)), ("revoked", day(9))]),
    ],
)
def test_what_was_to_begin_after_a_class_left_never_comes_to_be(
    memory: Memory, short: str, data: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    issue(memory, "NO-2", scheme="life-implied")
    told(memory, f"certificate.{short}", "NO-2", BODY, effective_at=day(9), **data)
    leaves(memory, 3)
    assert [(i.status.value, i.since.isoformat()) for i in memory.certificate("NO-2").statuses[1:]] == expected
    before = {"effective_at": day(-1), "class": "0704", "instrument": "公告"}
    assert refused(memory, "catalogue.class_removed", "life-classes", AUTHORITY, **before)


def leaves(memory: Memory, since: int, **data: Any) -> str:
    said = {"effective_at": day(since), "class": "0703", "instrument": "公告"} | data
    return told(memory, "catalogue.class_removed", "life-classes", **said)


@pytest.mark.parametrize(("short", "reason"), [("revoked", "R05"), ("cancelled", "C02")])
def test_what_has_ended_before_its_class_leaves_ended_as_it_did(memory: Memory, short: str, reason: str) -> None:
    issue(memory, "NO-2", scheme="life-implied")
    told(memory, f"certificate.{short}", "NO-2", BODY, effective_at=day(3), reason=reason)
    before = memory.certificate("NO-2")
    leaves(memory, 3)
    assert memory.certificate("NO-2") == before


def test_what_was_to_begin_after_its_class_left_ends_as_it_begins(memory: Memory) -> None:
    begun = dict.fromkeys(("effective_at", "valid_from"), day(9))
    issued = issue(memory, "NO-2", scheme="life-implied", issued_on=day(0), **begun)
    phased_out = memory.fork()
    leaves(memory, 3)
    found = [(i.status.value, i.since.isoformat(), i.reason) for i in memory.certificate("NO-2").statuses]
    assert found == [("active", day(9), None), ("cancelled", day(9), "C05")]
    annul(memory, issued, 0)
    assert memory.certificate("NO-2").status == "revoked", "its issue can be annulled all the same"
    leaves(phased_out, 3, reason="C06")
    assert phased_out.certificate("NO-2").statuses[-1].reason == "C06"


def test_what_was_suspended_on_the_day_its_class_left_was_suspended(memory: Memory) -> None:
    issue(memory, "NO-2", scheme="life-implied")
    told(memory, "certificate.suspended", "NO-2", BODY, effective_at=day(3), reason="S03", until=day(40))
    leaves(memory, 3)
    statuses = [(i.status.value, i.since.isoformat()) for i in memory.certificate("NO-2").statuses[1:]]
    assert statuses == [("suspended", day(3)), ("cancelled", day(3))]


def test_each_key_that_was_stolen_is_a_doubt_of_its_own_and_told_once() -> None:
    first, second = (
        Said(digest, AUTHORITY, "authority", "test", KEY_COMPROMISED, "k", cast(EventData, {"since": day(-9)}))
        for digest in ("a" * 64, "b" * 64)
    )
    certificate = a_certificate()
    for cause in (first, second, first):
        certificate = consequence(certificate, cause)
    assert [flag.digest for flag in certificate.flags] == [first.digest, second.digest]


# --- parts ----------------------------------------------------------------------------------------------------------


def parts(memory: Memory) -> dict[str | None, str]:
    return {part.gtin: part.statuses[-1].status.value for part in memory.certificate(NUMBER).parts}


def test_a_model_without_gtin_is_all_that_is_covered_under_it(memory: Memory) -> None:
    suspend(memory, -5, items=[{"model": "A1"}])
    assert parts(memory) == dict.fromkeys(TWO_GTINS, "suspended")
    resumed = {"effective_at": day(0), "verified_on": day(0), "items": [{"model": "A1", "gtin": TWO_GTINS[1]}]}
    told(memory, "certificate.resumed", NUMBER, BODY, **resumed)
    assert parts(memory) == {TWO_GTINS[0]: "suspended", TWO_GTINS[1]: "active"}
    gone = [{"op": "removed", "model": "A1", "gtin": TWO_GTINS[1]}]
    told(memory, "certificate.amended", NUMBER, BODY, effective_at=day(0), items=gone)
    assert parts(memory) == {TWO_GTINS[0]: "suspended", TWO_GTINS[1]: "cancelled"}


@pytest.mark.parametrize("since", [-20, -9])
def test_a_model_that_was_covered_from_the_beginning_stays_so_when_its_suspension_is_annulled(
    memory: Memory, since: int
) -> None:
    """What was made of it before was certified, though it has left the scope since."""
    suspended = suspend(memory, -20, items=[{"model": "A1", "gtin": TWO_GTINS[0]}])
    gone = [{"op": "removed", "model": "A1", "gtin": TWO_GTINS[0]}]
    told(memory, "certificate.amended", NUMBER, BODY, effective_at=day(-5), items=gone)
    annul(memory, suspended, since)
    certificate = memory.certificate(NUMBER)
    part = certificate.part(PartKind.ITEM, "A1", TWO_GTINS[0])
    turns = [part_standing(certificate, part, TODAY + timedelta(days=n)).value for n in (-30, -21, since, -6, -5)]
    assert turns == ["valid", "valid", "valid", "valid", "cancelled"]
    check_fold(memory)


def test_a_part_is_not_suspended_twice_by_one_event(memory: Memory) -> None:
    said = {"effective_at": day(-5), "reason": "S03", "until": day(60)}
    twice = [{"model": "A1"}, {"model": "A1", "gtin": TWO_GTINS[0]}]
    assert refused(memory, "certificate.suspended", NUMBER, **said, items=twice) == "A1 is suspended"


def test_a_parents_number_is_known_however_it_is_written(memory: Memory) -> None:
    issue(memory, "NO-2", parent_no=" no－1".strip())
    assert memory.certificate("NO-2").parent_no == NUMBER
