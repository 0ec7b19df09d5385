"""The rest of a certificate's life on a real register: what practice brings, and what the law makes of it."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.domain.details import in_chinese
from services.domain.identifiers import instant_text
from services.events.envelope import open_envelope
from services.events.keys import new_key
from services.events.log import Topics
from services.postgres import transaction
from services.registry.as_of import as_of
from services.registry.worker import Worker
from tests.register import (
    A_MARK,
    AUTHORITY,
    BODY,
    DECLARANT,
    OTHER,
    TODAY,
    Register,
    a_first_event,
    a_number,
    a_scheme,
    a_suspension,
    accepted,
    ago,
    ahead,
    refused_for,
)

SITES = [{"name": "总部", "address": "上海市示范路1号"}, {"name": "二厂", "address": "上海市示范路2号"}]


def on(register: Register, number: str, day: str, known_at: datetime | None = None) -> dict[str, Any]:
    with transaction(register.connection) as cur:
        return as_of(cur, number, date.fromisoformat(day), known_at)


def standing(register: Register, number: str, day: str | None = None, known_at: datetime | None = None) -> str:
    return str(on(register, number, day or ago(0), known_at)["standing"])


def digest_of(jws: bytes) -> str:
    return open_envelope(jws).digest


# --- renewal -------------------------------------------------------------------------------------------------


def test_a_renewal_begins_a_period_and_the_one_before_stays_on_record(register: Register) -> None:
    number = register.issue(valid_until=ahead(10))
    renewal = {"effective_at": ago(0), "issued_on": ago(0), "valid_until": ahead(1000), "approver": "7901-0007"}
    assert accepted(register.say(BODY, "certificate.renewed", number, renewal))
    state = register.state(number)
    assert [(p["from"], p["until"]) for p in state["periods"]] == [(ago(400), ahead(10))]
    assert (state["valid_from"], state["valid_until"], state["first_issued_on"]) == (ago(0), ahead(1000), ago(400))
    assert [standing(register, number, day) for day in (ago(5), ago(0), ahead(500))] == ["valid"] * 3


def test_an_expired_certificate_is_renewed_within_its_grace_alone_and_the_gap_stays(register: Register) -> None:
    publish(register, "graceful", a_scheme(grace_days=20, renewal_window_days=90))
    renewal = {"effective_at": ago(0), "issued_on": ago(0), "valid_until": ahead(700), "approver": "7901-0007"}
    late, in_time, early = (register.issue("graceful", valid_until=day) for day in (ago(21), ago(5), ahead(91)))
    assert refused_for(register.say(BODY, "certificate.renewed", late, renewal)) == "transition-not-allowed"
    assert refused_for(register.say(BODY, "certificate.renewed", early, renewal)) == "scheme-rule"
    assert accepted(register.say(BODY, "certificate.renewed", in_time, renewal))
    assert [standing(register, in_time, day) for day in (ago(6), ago(3), ago(0))] == ["valid", "expired", "valid"]


def publish(register: Register, scheme: str, rules: dict[str, Any]) -> None:
    assert accepted(register.say(AUTHORITY, "scheme.published", scheme, rules))
    approve(register, scheme, BODY)


def approve(register: Register, scheme: str, body: str) -> None:
    """For a scheme beside what it is approved for already."""
    approval_no = body.rpartition(":")[2]
    held = [s["scheme"] for s in json.loads(register.record(f"body/{approval_no}").state)["schemes"] if not s["until"]]
    wanted = [{"scheme": one, "from": ago(500)} for one in (*held, scheme)]
    said = {"effective_at": ago(0), "schemes": wanted}
    assert accepted(register.say(AUTHORITY, "body.scope_changed", approval_no, said))


# --- certified again ------------------------------------------------------------------------------------------


def test_who_lost_a_certificate_by_revocation_waits_whichever_batch_it_was(register: Register) -> None:
    publish(register, "waiting", a_scheme(reapply_months=12))
    holder, stranger = ({"name": "示范公司", "uscc": uscc} for uscc in ("91310112MAXX01165H", "91310115MAXX001114"))
    lost = register.issue("waiting", holder=holder)
    assert accepted(register.say(BODY, "certificate.revoked", lost, {"effective_at": ago(30), "reason": "R03"}))
    decision = register.say(BODY, "certificate.issued", a_number(), lately(holder=holder))
    assert (refused_for(decision), decision["pointer"]) == ("scheme-rule", "/data/holder/uscc")
    assert lost in decision["detail"]
    assert f"该持有人的 {lost} 于 {ago(30)} 被撤销" in (in_chinese(decision["detail"]) or "")
    found = register.rows("SELECT scheme, certificate_no FROM losing_holders WHERE holder = %s", holder["uscc"])
    assert found == [("waiting", lost)]
    number = a_number()
    issued = register.say(BODY, "certificate.issued", number, lately(holder=stranger))
    correction = {"of": issued["digest"], "fields": {"holder": holder}}
    assert refused_for(register.say(BODY, "certificate.corrected", number, correction)) == "bad-correction"


def test_who_has_one_suspended_through_a_fault_of_its_own_waits_until_it_is_lifted(register: Register) -> None:
    rule = {"reasons": ["S02", "S03"], "months": 12}
    publish(register, "at-fault", a_scheme(reapply_suspended=rule, suspension_limit_months=6))

    def again(uscc: str, issued_on: str = ago(1)) -> dict[str, Any]:
        days = dict.fromkeys(("effective_at", "issued_on", "valid_from"), issued_on)
        first = a_first_event("at-fault", holder={"name": "示范公司", "uscc": uscc}) | days
        return register.say(BODY, "certificate.issued", a_number(), first)

    def suspended(uscc: str, reason: str) -> str:
        number = register.issue("at-fault", holder={"name": "示范公司", "uscc": uscc})
        said = a_suspension(effective_at=ago(30), reason=reason)
        assert accepted(register.say(BODY, "certificate.suspended", number, said))
        return number

    lifted, cancelled, asked = ("91310104MAXX01000K", "91310104MAXX01001N", "91310104MAXX01002R")
    number = suspended(lifted, "S03")
    decision = again(lifted)
    assert (refused_for(decision), decision["pointer"]) == ("scheme-rule", "/data/holder/uscc")
    assert f"{number} of this holder was suspended (S03) on {ago(30)}" in decision["detail"]
    late = again(lifted, ago(40))
    assert refused_for(late) == "scheme-rule", "an earlier date is no way around the wait"
    assert "backfill" in late["hint"]
    said = {"effective_at": ago(2), "verified_on": ago(3)}
    assert accepted(register.say(BODY, "certificate.resumed", number, said))
    assert accepted(again(lifted)), "settled"

    number = suspended(cancelled, "S02")
    assert accepted(register.say(BODY, "certificate.cancelled", number, {"effective_at": ago(2), "reason": "C04"}))
    assert refused_for(again(cancelled)) == "scheme-rule", "cancelling is no way around the wait"

    suspended(asked, "S08")
    assert accepted(again(asked)), "at the holder's own request"


def test_who_leaves_its_code_out_is_found_by_name_and_address(register: Register) -> None:
    publish(register, "seated", a_scheme(reapply_months=12))
    seat = {"name": "示范（甲）有限公司", "address": "示范市示范路1号"}
    number = register.issue("seated", holder=seat | {"uscc": "91310104MAXX01000K"})
    assert accepted(register.say(BODY, "certificate.revoked", number, {"effective_at": ago(30), "reason": "R05"}))
    days = dict.fromkeys(("effective_at", "issued_on", "valid_from"), ago(1))
    said = a_first_event("seated", holder=seat | {"name": "示范(甲)有限公司"}) | days
    decision = register.say(BODY, "certificate.issued", a_number(), said)
    assert (refused_for(decision), decision["pointer"]) == ("scheme-rule", "/data/holder")
    elsewhere = said | {"holder": seat | {"address": "示范市示范路2号"}}
    assert accepted(register.say(BODY, "certificate.issued", a_number(), elsewhere))


def test_who_lost_one_with_its_body_is_found_in_the_very_next_event(register: Register) -> None:
    """The issue behind the disqualification lies in the same batch of the log; only tables know the body's holders."""
    rules = a_scheme(reapply_body_lost_months=3, **{"class": "system"})
    publish(register, "bodily", rules)
    approval_no = "CNCA-R-2019-8015"
    source = f"urn:certmark:body:{approval_no}"
    competence = [{"scheme": "bodily", "from": ago(500)}]
    approved = {"effective_at": ago(500), "name": "示范机构庚", "schemes": competence}
    assert accepted(register.say(AUTHORITY, "body.approved", approval_no, approved))
    register.add_key(source, new_key(), "event")
    holders = [{"name": "示范公司", "uscc": uscc} for uscc in ("91310104MAXX01003W", "91310104MAXX010040")]
    first = a_first_event("bodily", service_scope="零件的生产", product=None)
    held, amended = a_number(), a_number()
    for number, holder in zip((held, amended), holders, strict=True):
        assert accepted(register.say(source, "certificate.issued", number, first | {"holder": holder}))

    def again(holder: dict[str, Any]) -> bytes:
        days = dict.fromkeys(("effective_at", "issued_on", "valid_from"), ago(0))
        return register.tell(BODY, "certificate.issued", a_number(), first | days | {"holder": holder})

    gone = register.tell(AUTHORITY, "body.disqualified", approval_no, {"effective_at": ago(0), "instrument": "决定"})
    refused, stranger = again(holders[0]), again({"name": "示范公司", "uscc": "91310104MAXX010053"})
    assert accepted(register.decided(gone))
    assert refused_for(register.decided(refused)) == "scheme-rule"
    assert f"{held} of this holder lost its body" in register.decided(refused)["detail"]
    assert accepted(register.decided(stranger))
    holder = {"name": "示范公司", "uscc": "91310104MAXX010066"}
    said = {"effective_at": ago(0), "fields": {"holder": holder}}
    assert accepted(register.say(source, "certificate.amended", amended, said)), "named anew afterwards"
    assert refused_for(register.decided(again(holder))) == "scheme-rule"


def lately(**data: Any) -> dict[str, Any]:
    return a_first_event("waiting", **dict.fromkeys(("effective_at", "issued_on", "valid_from"), ago(1)), **data)


# --- parts -----------------------------------------------------------------------------------------------------


def test_a_suspended_site_does_not_take_the_others(register: Register) -> None:
    number = register.issue("system", sites=SITES)
    site = SITES[1]["address"]
    said = a_suspension(items=[{"site": site}], effective_at=ago(3))
    assert accepted(register.say(BODY, "certificate.suspended", number, said))
    answer = on(register, number, ago(0))
    assert answer["standing"] == "valid"
    assert [(p["kind"], p["name"], p["standing"]) for p in answer["parts"]] == [("site", site, "suspended")]
    lifted = {"effective_at": ago(0), "verified_on": ago(1), "items": [{"site": site}]}
    assert accepted(register.say(BODY, "certificate.resumed", number, lifted))
    assert refused_for(register.say(BODY, "certificate.resumed", number, lifted)) == "transition-not-allowed"
    assert on(register, number, ago(0))["parts"][0]["standing"] == "valid"
    assert on(register, number, ago(1))["parts"][0]["standing"] == "suspended"


def test_models_sites_and_basis_modules_enter_and_leave_one_by_one(register: Register) -> None:
    number = register.issue("system", sites=SITES, basis=[{"standard": "GB/T 19001"}, {"standard": "GB/T 24001"}])
    changes = [
        {"op": "removed", "site": {"address": SITES[1]["address"]}},
        {"op": "added", "basis": {"standard": "GB/T 45001", "edition": "2020"}},
        {"op": "removed", "basis": {"standard": "GB/T 24001"}},
    ]
    said = a_suspension(items=[{"standard": "GB/T 24001"}], effective_at=ago(3))
    assert accepted(register.say(BODY, "certificate.suspended", number, said))
    assert accepted(register.say(BODY, "certificate.amended", number, {"effective_at": ago(0), "items": changes}))
    state = register.state(number)
    assert [b["standard"] for b in state["basis"]] == ["GB/T 19001", "GB/T 45001"]
    assert [s["address"] for s in state["sites"]] == [SITES[0]["address"]]
    assert state["parts"] == []
    twice = {"effective_at": ago(0), "items": [{"op": "added", "model": "A9", "basis": {"standard": "GB 9"}}]}
    assert refused_for(register.say(BODY, "certificate.amended", number, twice)) == "scheme-rule"


def test_a_part_that_is_not_there_cannot_be_suspended(register: Register) -> None:
    number = register.issue()
    for items in ([{"model": "B7"}], [{"standard": "GB 7"}], [{"site": "某处"}]):
        assert refused_for(register.say(BODY, "certificate.suspended", number, a_suspension(items=items))) == (
            "nothing-to-change"
        )
    assert accepted(register.say(BODY, "certificate.suspended", number, a_suspension(items=[{"model": "A1"}])))
    assert register.state(number)["status"] == "active"


def test_a_sub_certificate_falls_with_its_parent(register: Register) -> None:
    parent = register.issue("system")
    child = register.issue("system", parent_no=parent)
    assert refused_for(
        register.say(BODY, "certificate.issued", a_number(), a_first_event("system", parent_no=child))
    ) == ("scheme-rule")
    assert refused_for(
        register.say(BODY, "certificate.issued", a_number(), a_first_event("system", parent_no="2020990000000000"))
    ) == ("unknown-certificate")
    register.say(BODY, "certificate.suspended", parent, a_suspension(effective_at=ago(2)))
    assert [standing(register, child, day) for day in (ago(3), ago(0))] == ["valid", "suspended"]
    register.say(BODY, "certificate.revoked", parent, {"effective_at": ago(0), "reason": "R08"})
    assert standing(register, child) == "revoked"
    assert register.state(child)["status"] == "active"


# --- transfer and supersession -----------------------------------------------------------------------------------


def test_a_transfer_needs_both_and_until_then_the_giver_answers(register: Register) -> None:
    number = register.issue()
    to = OTHER.rpartition(":")[2]
    given = register.tell(BODY, "certificate.transferred", number, {"effective_at": ago(3), "to": to})
    assert accepted(register.decided(given))
    taken = {"effective_at": ago(0), "of": digest_of(given)}
    assert refused_for(register.say(OTHER, "certificate.suspended", number, a_suspension())) == "not-responsible"
    assert accepted(register.say(BODY, "certificate.surveillance_passed", number, {"effective_at": ago(2)}))
    assert refused_for(register.say(OTHER, "certificate.received", number, taken | {"of": "0" * 64})) == (
        "transition-not-allowed"
    )
    assert refused_for(register.say(OTHER, "certificate.received", number, taken | {"effective_at": ahead(28)})) == (
        "bad-dates"
    )
    assert accepted(register.say(OTHER, "certificate.received", number, taken))
    assert refused_for(register.say(BODY, "certificate.suspended", number, a_suspension())) == "not-responsible"
    assert accepted(register.say(OTHER, "certificate.suspended", number, a_suspension()))
    state = register.state(number)
    assert (state["body"], state["transfer"], state["certificate_no"]) == (to, None, number)


def test_a_certificate_is_superseded_by_one_that_is_there(register: Register) -> None:
    old, new = register.issue(), register.issue()
    said = {"effective_at": ago(0), "by": a_number()}
    assert refused_for(register.say(BODY, "certificate.superseded", old, said)) == "unknown-certificate"
    assert refused_for(register.say(BODY, "certificate.superseded", old, said | {"by": old})) == "scheme-rule"
    assert accepted(register.say(BODY, "certificate.superseded", old, said | {"by": new}))
    assert (standing(register, old), register.state(old)["superseded_by"]) == ("superseded", new)


# --- marks -------------------------------------------------------------------------------------------------------


def test_a_mark_is_suspended_and_resumed_by_itself(register: Register) -> None:
    number = register.issue()
    mark_no = f"M-{a_number()}"
    products = [{"model": "A1", "gtin": "06909900123007"}]
    authorization = {"effective_at": ago(30), "mark_no": mark_no, "mark": A_MARK["id"], "products": products}
    assert accepted(register.say(BODY, "mark.authorized", number, authorization | {"valid_until": ahead(200)}))
    assert refused_for(register.say(BODY, "mark.resumed", number, resumption(mark_no))) == "transition-not-allowed"
    assert accepted(register.say(BODY, "mark.suspended", number, a_suspension(mark_no=mark_no, effective_at=ago(9))))
    assert on(register, number, ago(5))["marks"][0]["standing"] == "suspended"
    assert standing(register, number, ago(5)) == "valid"
    assert accepted(register.say(BODY, "mark.resumed", number, resumption(mark_no)))
    assert on(register, number, ago(0))["marks"][0]["standing"] == "valid"


def resumption(mark_no: str) -> dict[str, Any]:
    return {"effective_at": ago(0), "verified_on": ago(1), "mark_no": mark_no}


def test_a_scheme_asks_for_attributes_and_a_route_before_a_mark(register: Register) -> None:
    rules = a_scheme(mark_authorizer="body", mark=A_MARK, mark_requires=["attributes", "route"], routes=[1, 2, 3])
    publish(register, "routed", rules)
    number = register.issue("routed")
    said = {
        "effective_at": ago(0),
        "mark_no": f"M-{a_number()}",
        "mark": A_MARK["id"],
        "products": [{"model": "A1", "gtin": "06909900123007"}],
        "valid_until": ahead(300),
        "route": 2,
    }
    attributes = [{"name": "碳足迹", "value": 21.7, "unit": "kgCO2e"}]
    decision = register.say(BODY, "mark.authorized", number, said)
    assert (refused_for(decision), decision["pointer"]) == ("scheme-rule", "/data/attributes")
    assert refused_for(
        register.say(BODY, "mark.authorized", number, said | {"attributes": attributes, "route": 4})
    ) in ("scheme-rule",)
    assert accepted(register.say(BODY, "mark.authorized", number, said | {"attributes": attributes}))


# --- corrections and annulments --------------------------------------------------------------------------------


def test_a_correction_changes_what_was_said_and_not_what_was_known(register: Register) -> None:
    number = register.issue()
    suspended = register.tell(BODY, "certificate.suspended", number, a_suspension(effective_at=ago(20)))
    assert accepted(register.decided(suspended))
    before = datetime.now(UTC)
    correction = {"of": digest_of(suspended), "fields": {"effective_at": ago(10), "reason": "S08"}}
    assert accepted(register.say(BODY, "certificate.corrected", number, correction))
    assert [standing(register, number, day) for day in (ago(15), ago(10))] == ["valid", "suspended"]
    assert standing(register, number, ago(15), before) == "suspended"
    state = register.state(number)
    assert state["statuses"][-1]["reason"] == "S08"
    assert [one["of"] for one in state["corrected"]] == [digest_of(suspended)]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"reason": "R01"}, "/data/fields"),
        ({"until": "2026-13-01"}, "/data/fields/until"),
        ({"holder": "x"}, "/data/fields/holder"),
        ({"effective_at": "2000-01-01"}, "/data/fields"),
    ],
)
def test_a_correction_that_does_not_fit_is_refused(register: Register, fields: dict[str, Any], pointer: str) -> None:
    number = register.issue()
    suspended = register.tell(BODY, "certificate.suspended", number, a_suspension(effective_at=ago(20)))
    register.decide_all()
    decision = register.say(BODY, "certificate.corrected", number, {"of": digest_of(suspended), "fields": fields})
    assert (refused_for(decision), decision["pointer"]) == ("bad-correction", pointer)
    assert register.state(number)["corrected"] == []


def test_nobody_corrects_what_another_said(register: Register) -> None:
    number, other = register.issue(), register.issue(source=OTHER)
    foreign = register.record(f"certificate/{other}").digest
    said = {"of": foreign, "fields": {"reason": "S08"}}
    assert refused_for(register.say(BODY, "certificate.corrected", number, said)) == "bad-correction"
    assert refused_for(register.say(OTHER, "certificate.corrected", number, said)) == "bad-correction"


def test_a_mistyped_revocation_is_not_for_ever(register: Register) -> None:
    number = register.issue()
    revoked = register.tell(BODY, "certificate.revoked", number, {"effective_at": ago(20), "reason": "R05"})
    assert accepted(register.decided(revoked))
    mistaken = datetime.now(UTC)
    digest = digest_of(revoked)
    annulment = {"effective_at": ago(20), "digest": digest, "instrument": "某市监复议〔2026〕1号"}
    assert refused_for(register.say(BODY, "decision.annulled", digest, annulment)) == "not-responsible"
    assert accepted(register.say(AUTHORITY, "decision.annulled", digest, annulment))
    drawn(register)
    assert register.state(number)["annulled"] == [digest]
    assert [standing(register, number, day) for day in (ago(21), ago(10), ago(0))] == ["valid"] * 3
    assert standing(register, number, ago(10), mistaken) == "revoked"
    assert accepted(register.say(BODY, "certificate.suspended", number, a_suspension()))
    assert refused_for(register.say(AUTHORITY, "decision.annulled", digest, annulment)) == "nothing-to-change"
    kinds = [row[0] for row in register.rows("SELECT kind FROM entries WHERE subject = %s ORDER BY seq", number)]
    assert kinds == ["event", "event", "consequence", "event"]


def test_an_annulment_from_today_leaves_the_days_before_as_they_were(register: Register) -> None:
    number = register.issue()
    revoked = register.tell(BODY, "certificate.revoked", number, {"effective_at": ago(20), "reason": "R05"})
    register.decide_all()
    digest = digest_of(revoked)
    annulment = {"effective_at": ago(5), "digest": digest, "instrument": "判决"}
    assert accepted(register.say(AUTHORITY, "decision.annulled", digest, annulment))
    drawn(register)
    assert [standing(register, number, day) for day in (ago(21), ago(10), ago(5), ago(0))] == [
        "valid",
        "revoked",
        "valid",
        "valid",
    ]
    assert [s["status"] for s in register.state(number)["statuses"]] == ["active", "revoked", "active"]


def test_a_forged_issue_that_is_annulled_is_revoked(register: Register) -> None:
    number = a_number()
    forged = register.tell(BODY, "certificate.issued", number, a_first_event())
    register.decide_all()
    digest = digest_of(forged)
    annulment = {"effective_at": ago(0), "digest": digest, "instrument": "认定伪造"}
    assert accepted(register.say(AUTHORITY, "decision.annulled", digest, annulment))
    drawn(register)
    assert (standing(register, number), standing(register, number, ago(1))) == ("revoked", "valid")


def test_a_disqualification_that_is_annulled_is_decided_anew(register: Register) -> None:
    approval_no = "CNCA-R-2019-8011"
    approved = {"effective_at": ago(500), "name": "示范机构丙", "schemes": [{"scheme": "sample", "from": ago(500)}]}
    assert accepted(register.say(AUTHORITY, "body.approved", approval_no, approved))
    gone = register.tell(AUTHORITY, "body.disqualified", approval_no, {"effective_at": ago(3), "instrument": "某决定"})
    assert accepted(register.decided(gone))
    digest = digest_of(gone)
    annulment = {"effective_at": ago(0), "digest": digest, "instrument": "某判决"}
    assert accepted(register.say(AUTHORITY, "decision.annulled", digest, annulment))
    state = json.loads(register.record(f"body/{approval_no}").state)
    assert (state["status"], len(state["statuses"])) == ("approved", 1)


def drawn(register: Register) -> None:
    """Let the worker draw the consequences of what it has decided last."""
    for _ in range(50):
        register.worker.step()
        if not register.head().cause:
            return
    raise AssertionError("consequences are still being drawn")


# --- what an authority brings about for many -------------------------------------------------------------------


@pytest.fixture(scope="module")
def catalogued(register: Register) -> Register:
    """A catalogue with two classes, and a scheme for each way of assessing them."""
    words = {"zh": "示范类", "en": "sample class"}
    classes = [{"class": c, "name": words, "mode": "certification"} for c in ("0703", "0704", "0705")]
    published = {"effective_at": ago(500), "version": 1, "name": words, "classes": classes, "instrument": "示范目录"}
    assert accepted(register.say(AUTHORITY, "catalogue.published", "samples", published))
    rules = {"catalogue": "samples", "mandatory": True}
    certified = a_scheme(**rules, catalogue_mode="certification")
    publish(register, "certified", certified)
    declared = a_scheme(**rules, catalogue_mode="self_declaration", declaration=True)
    assert accepted(register.say(AUTHORITY, "scheme.published", "declared-class", declared))
    return register


def a_classed(product_class: str | None, scheme: str = "certified") -> dict[str, Any]:
    product = {"name": "电器", "class": product_class, "items": [{"model": "A1"}]}
    return a_first_event(scheme, product=product)


def test_a_class_leaves_the_catalogue_and_its_certificates_are_cancelled_once(catalogued: Register) -> None:
    register = catalogued
    numbers = []
    for _ in range(3):
        numbers.append(a_number())
        register.tell(BODY, "certificate.issued", numbers[-1], a_classed("0703"))
    other = a_number()
    assert accepted(register.say(BODY, "certificate.issued", other, a_classed("0704")))
    register.say(BODY, "certificate.revoked", numbers[2], {"effective_at": ago(0), "reason": "R05"})
    removed = {"effective_at": ago(0), "class": "0703", "instrument": "公告"}
    follows = register.tell(AUTHORITY, "catalogue.class_removed", "samples", removed)
    after_it = register.tell(BODY, "certificate.issued", a_number(), a_classed("0703"))
    assert refused_for(register.decided(after_it)) == "scheme-rule"
    states = [register.state(number) for number in numbers]
    assert [s["status"] for s in states] == ["cancelled", "cancelled", "revoked"]
    assert states[0]["statuses"][-1] | {"digest": ""} == {
        "status": "cancelled",
        "from": ago(0),
        "until": None,
        "reason": "C05",
        "determined_on": None,
        "digest": "",
    }
    assert register.state(other)["status"] == "active"
    entries = register.rows(
        "SELECT subject, leaf FROM entries WHERE kind = 'consequence' AND detail = %s ORDER BY seq", digest_of(follows)
    )
    assert [row[0] for row in entries] == sorted(numbers[:2])
    assert {json.loads(row[1])["kind"] for row in entries} == {"consequence"}
    decided_after = register.rows("SELECT seq FROM entries WHERE digest = %s", digest_of(after_it))
    last = register.rows("SELECT max(seq) FROM entries WHERE detail = %s", digest_of(follows))
    assert decided_after[0][0] > last[0][0]
    annulment = {"effective_at": ago(0), "digest": digest_of(follows), "instrument": "更正公告"}
    assert accepted(register.say(AUTHORITY, "decision.annulled", digest_of(follows), annulment))
    drawn(register)
    assert [register.state(n)["status"] for n in numbers] == ["active", "active", "revoked"]
    assert accepted(register.say(BODY, "certificate.issued", a_number(), a_classed("0703")))


def test_consequences_are_drawn_page_by_page_and_go_on_where_they_stopped(
    catalogued: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = catalogued
    monkeypatch.setattr("services.registry.consequences.PAGE", 2)
    numbers = sorted(a_number() for _ in range(5))
    for number in numbers:
        register.tell(BODY, "certificate.issued", number, a_classed("0705"))
    register.decide_all()
    removed = {"effective_at": ago(0), "class": "0705", "instrument": "公告"}
    assert accepted(register.say(AUTHORITY, "catalogue.class_removed", "samples", removed))
    register.worker.step()
    assert register.head().drawn_to == numbers[1]
    register.worker.close()
    register.worker = Worker(register.settings, name="the next")
    drawn(register)
    assert [register.state(number)["status"] for number in numbers] == ["cancelled"] * 5
    rows = register.rows(
        "SELECT count(*), count(DISTINCT subject) FROM entries WHERE kind = 'consequence' AND subject = ANY(%s)",
        numbers,
    )
    assert rows == [(5, 5)]


def test_a_class_changes_its_mode_with_a_transition(catalogued: Register) -> None:
    register = catalogued
    uscc = DECLARANT.rpartition(":")[2]
    declared = a_classed("0704", "declared-class") | {"holder": {"name": "示范公司", "uscc": uscc}}
    declared["issued_on"] = declared["valid_from"] = declared["effective_at"] = ago(0)
    del declared["approver"]
    certified = a_classed("0704") | {"issued_on": ago(0), "valid_from": ago(0), "effective_at": ago(0)}
    assert refused_for(register.say(DECLARANT, "declaration.made", a_number(), declared)) == "scheme-rule"
    change = {"effective_at": ago(0), "class": "0704", "mode": "self_declaration", "transition_until": ahead(90)}
    said = change | {"instrument": "公告"}
    assert accepted(register.say(AUTHORITY, "catalogue.class_mode_changed", "samples", said))
    assert accepted(register.say(DECLARANT, "declaration.made", a_number(), declared))
    assert accepted(register.say(BODY, "certificate.issued", a_number(), certified))
    assert refused_for(register.say(BODY, "certificate.issued", a_number(), a_classed(None))) == "scheme-rule"
    assert refused_for(register.say(BODY, "certificate.issued", a_number(), a_classed("9999"))) == "scheme-rule"


def test_what_a_compromised_key_signed_is_flagged_and_nothing_is_undone(register: Register) -> None:
    approval_no = "CNCA-R-2019-8012"
    source = f"urn:certmark:body:{approval_no}"
    approved = {"effective_at": ago(500), "name": "示范机构丁", "schemes": [{"scheme": "sample", "from": ago(500)}]}
    assert accepted(register.say(AUTHORITY, "body.approved", approval_no, approved))
    stolen, sound = new_key(), new_key()
    register.add_key(source, sound, "event")
    before = register.issue(source=source)
    register.add_key(source, stolen, "event")
    doubtful = register.issue(source=source)
    first = register.rows("SELECT received_at FROM entries WHERE subject = %s", doubtful)[0][0]
    compromised = register.tell(AUTHORITY, "key.compromised", stolen.public.kid, {"since": instant_text(first)})
    assert accepted(register.decided(compromised))
    drawn(register)
    flags = register.state(doubtful)["flags"]
    assert [(f["kind"], f["digest"]) for f in flags] == [("key_compromised", digest_of(compromised))]
    assert register.state(doubtful)["status"] == "active"
    assert register.state(before)["flags"] == []


# --- clocks of reporting, drafting and approving -----------------------------------------------------------------


def test_a_non_conformity_leads_to_suspension_in_time_by_the_calendar(register: Register) -> None:
    rules = a_scheme(suspend_within={"days": 3, "working": True}, suspension_limit_months=6)
    publish(register, "timed", rules)
    number = register.issue("timed")
    week = [TODAY.fromordinal(TODAY.toordinal() - n).isoformat() for n in range(1, 6)]
    off = [day for day in week if day[:4] == TODAY.isoformat()[:4]]
    late = a_suspension(determined_on=ago(9), effective_at=ago(0))
    assert refused_for(register.say(BODY, "certificate.suspended", number, late)) == "scheme-rule"
    calendar = {"effective_at": ago(0), "days_off": off, "working_days": [], "instrument": "放假安排"}
    assert accepted(register.say(AUTHORITY, "calendar.published", str(TODAY.year), calendar))
    in_time = a_suspension(determined_on=ago(6), effective_at=ago(0))
    assert accepted(register.say(BODY, "certificate.suspended", number, in_time))


def test_who_drafts_does_not_approve_where_the_scheme_says_so(register: Register) -> None:
    publish(register, "two-eyes", a_scheme(approver_differs=True))
    drafter = json.loads(register.payload(BODY, "certificate.issued", a_number(), a_first_event()))["signatory"]
    said = a_first_event("two-eyes", approver=drafter)
    assert refused_for(register.say(BODY, "certificate.issued", a_number(), said)) == "scheme-rule"
    assert register.issue("two-eyes")


def test_a_suspended_body_issues_nothing_until_it_is_approved_again(register: Register) -> None:
    approval_no = "CNCA-R-2019-8013"
    source = f"urn:certmark:body:{approval_no}"
    approved = {"effective_at": ago(500), "name": "示范机构戊", "schemes": [{"scheme": "sample", "from": ago(500)}]}
    register.say(AUTHORITY, "body.approved", approval_no, approved)
    register.add_key(source, new_key(), "event")
    number = register.issue(source=source)
    said = {"effective_at": ago(0), "instrument": "责令停业整顿"}
    assert accepted(register.say(AUTHORITY, "body.suspended", approval_no, said))
    assert refused_for(register.say(source, "certificate.issued", a_number(), a_first_event())) == "not-competent"
    assert accepted(register.say(source, "certificate.suspended", number, a_suspension()))
    assert accepted(register.say(AUTHORITY, "body.approved", approval_no, approved | {"effective_at": ago(0)}))
    assert register.issue(source=source)


def test_a_later_version_of_a_scheme_begins_today_at_the_earliest(register: Register) -> None:
    assert accepted(register.say(AUTHORITY, "scheme.published", "versioned", a_scheme()))
    later = a_scheme(version=2, effective_at=ago(1))
    assert refused_for(register.say(AUTHORITY, "scheme.published", "versioned", later)) == "bad-dates"
    assert accepted(register.say(AUTHORITY, "scheme.published", "versioned", later | {"effective_at": ahead(1)}))


def test_the_class_in_a_number_is_the_products_class(register: Register) -> None:
    rules = a_scheme(number_pattern="[0-9]{6}(?P<class>[0-9]{4})[0-9]{6}")
    publish(register, "numbered", rules)
    number = a_number()
    inside = number[6:10]
    wrong = f"{(int(inside) + 1) % 10000:04d}"
    assert refused_for(register.say(BODY, "certificate.issued", number, a_classed(wrong, "numbered"))) == "scheme-rule"
    assert accepted(register.say(BODY, "certificate.issued", number, a_classed(inside, "numbered")))


def test_a_body_numbers_in_its_own_form(register: Register) -> None:
    """As management systems' certificates are numbered (domain rules §2.4): not uniform, so the scheme names each."""
    hint, general = {"zh": "034+年份+Q", "en": "034, year, Q"}, {"zh": "见证书", "en": "as printed"}
    forms = [
        {"body": BODY.rpartition(":")[2], "number_pattern": "034[0-9]{2}Q[0-9]{5}R[0-9][SML]", "number_hint": hint},
        {"body": OTHER.rpartition(":")[2], "number_pattern": "CQM[0-9]{2}S[0-9]{5}R[0-9][SML]"},
    ]
    rules = a_scheme(**{"class": "system"}, number_hint=general, body_numbers=forms)
    publish(register, "own-numbers", rules)
    approve(register, "own-numbers", OTHER)
    system = {"service_scope": "零件的生产", "product": None}
    serial = a_number()[:5]
    of_body, of_other = f"03410Q{serial}R0S", f"CQM24S{serial}R0M"
    for source, number, told in ((BODY, of_other, hint), (OTHER, of_body, general)):
        refused = register.say(source, "certificate.issued", number, a_first_event("own-numbers", **system))
        assert (refused_for(refused), refused["pointer"]) == ("scheme-rule", "/subject")
        assert refused["hint"] == f"{told['zh']} · {told['en']}"
    for source, number in ((BODY, f"０３４１０q {serial}r0s"), (OTHER, of_other)):
        assert accepted(register.say(source, "certificate.issued", number, a_first_event("own-numbers", **system)))
    elsewhere = a_first_event("system", service_scope="零件的生产")
    assert accepted(register.say(BODY, "certificate.issued", a_number(), elsewhere)), "no form is named"


# --- quarantine ----------------------------------------------------------------------------------------------------


def test_what_came_before_its_key_is_redriven_and_keeps_its_place(register: Register) -> None:
    approval_no = "CNCA-R-2019-8014"
    source = f"urn:certmark:body:{approval_no}"
    approved = {"effective_at": ago(500), "name": "示范机构己", "schemes": [{"scheme": "sample", "from": ago(500)}]}
    register.say(AUTHORITY, "body.approved", approval_no, approved)
    key, number = new_key(), a_number()
    register.signers[source] = type(register.signers[BODY])(source, key, "T-1", lambda source, subject: (0, None))
    early = register.tell(source, "certificate.issued", number, a_first_event())
    assert register.decided(early)["decision"] == "quarantined"
    added = {"owner": source, "purpose": "event", "key": dict(key.public.jwk), "from": ago(500)}
    assert accepted(register.say(AUTHORITY, "key.added", key.public.kid, added))
    digest = digest_of(early)
    said = {"effective_at": ago(0), "digest": digest, "action": "redriven", "note": "密钥登记晚到"}
    assert accepted(register.say(AUTHORITY, "quarantine.resolved", digest, said))
    assert register.decided(early)["decision"] == "accepted"
    assert register.state(number)["status"] == "active"
    counts = register.counts()
    read = sum(counts[name] for name in ("accepted", "refused", "pending", "quarantined", "duplicates"))
    assert counts["read"] == read
    assert refused_for(register.say(AUTHORITY, "quarantine.resolved", digest, said)) == "unknown-subject"


def test_what_is_dismissed_stays_in_quarantine(register: Register) -> None:
    garbage = b"not an envelope"
    register.append(garbage)
    register.decide_all()
    forged = register.forged(new_key(), register.payload(BODY, "certificate.issued", a_number(), a_first_event()))
    assert register.decided(register.append(forged))["decision"] == "quarantined"
    digest = digest_of(forged)
    said = {"effective_at": ago(0), "digest": digest, "action": "dismissed", "note": "伪造"}
    assert accepted(register.say(AUTHORITY, "quarantine.resolved", digest, said))
    assert register.decided(forged)["decision"] == "quarantined"


# --- two clocks ------------------------------------------------------------------------------------------------


def test_what_was_answered_then_is_answered_again(register: Register) -> None:
    number = register.issue("implied")
    told: list[tuple[datetime, dict[str, Any]]] = []
    events: list[tuple[str, str, dict[str, Any]]] = [
        (BODY, "certificate.amended", {"effective_at": ago(100), "items": [{"op": "added", "model": "A2"}]}),
        (BODY, "certificate.suspended", a_suspension(effective_at=ago(50), until=ahead(60))),
        (BODY, "certificate.amended", {"effective_at": ago(200), "fields": {"trademark": "晚报"}}),
        (BODY, "certificate.resumed", {"effective_at": ago(10), "verified_on": ago(11)}),
    ]
    days = [ago(n) for n in (401, 300, 200, 150, 100, 75, 50, 25, 10, 0)] + [ahead(20), ahead(401)]
    for source, event, data in events:
        told.append((datetime.now(UTC), {day: on(register, number, day) for day in days}))
        assert accepted(register.say(source, event, number, data))
    for instant, answers in told:
        for day, answer in answers.items():
            assert on(register, number, day, instant) | {"known_at": None} == answer
    assert on(register, number, ago(150))["state"]["product"]["trademark"] == "晚报"
    assert [i["model"] for i in on(register, number, ago(150))["state"]["product"]["items"]] == ["A1"]


def test_the_log_holds_every_position(register: Register) -> None:
    counts = register.counts()
    _, end = register.log.bounds(Topics.under(register.settings.topic_prefix).events)
    assert counts["read"] == end
    assert counts["read"] == sum(
        counts[name] for name in ("accepted", "refused", "pending", "quarantined", "duplicates")
    )
