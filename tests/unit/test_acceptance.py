"""Acceptance by policy: each condition alone turns the answer, the worst decides, and the words say why."""

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from services.domain.acceptance import (
    WORDS,
    Accept,
    Candidate,
    Doubt,
    PolicyVersion,
    best,
    judge,
    malformed,
    unfound,
    version_on,
)
from services.domain.body import BodyState
from services.domain.certificate import Basis, Flag, Item, Part, PartKind, Status, StatusInterval, Transfer
from services.domain.errors import BadRequest, NotConfigured
from services.domain.scheme import scheme_rules
from services.domain.standing import Standing
from services.events.event_types import SCHEMAS
from services.registry.policies import choose, load_policies
from services.settings import settings_from
from tests.certificates import ACTIVE, BEGIN, END, a_certificate, a_mark, since

TODAY = date(2026, 3, 6)
DAY = timedelta(days=1)
BODY: BodyState = {
    "v": 1,
    "kind": "body",
    "approval_no": "CNCA-R-2019-7901",
    "name": "示范机构",
    "schemes": [],
    "approved_from": "2019-06-01",
    "approved_until": None,
    "status": "approved",
    "statuses": [{"status": "approved", "from": "2019-06-01"}],
    "backfills": [],
}
RULES = scheme_rules(
    {
        "effective_at": "2016-01-01",
        "version": 1,
        "name": {"zh": "示范", "en": "Sample"},
        "class": "product",
        "mandatory": True,
        "declaration": False,
        "mark_authorizer": "body",
        "coverage": {"complete": False, "zh": "示范", "en": "sample"},
        "transitions": [{"standard": "GB 4706.32", "edition": "2012", "until": "2025-06-30"}],
    }
)
MARKED = a_mark(ACTIVE)
CODES = {standing.value for standing in Standing} | {doubt.value for doubt in Doubt}


def a_policy(**members: Any) -> PolicyVersion:
    """Takes what is valid under `ccc`, has no further conditions, and sends every doubt to review."""
    given: dict[str, Any] = {
        "version": 1,
        "effective_at": "2016-01-01",
        "basis": {"zh": "示范", "en": "sample"},
        "schemes": ["ccc"],
        "standings": {"valid": "yes"},
        "remaining": None,
        "mark": None,
        "accreditation": None,
        "doubts": {},
    }
    return cast(PolicyVersion, given | members)


def a_candidate(body: BodyState | None = BODY, parent: Any = None, **fields: Any) -> Candidate:
    return Candidate(a_certificate(**fields), parent, body, RULES, None)


def judged(candidate: Candidate, model: str | None = None, day: date = TODAY, **policy: Any) -> tuple[str, list[str]]:
    found = judge(a_policy(**policy), candidate, model, day)
    return found.accept.value, [reason.code for reason in found.reasons]


def test_what_meets_every_condition_is_accepted() -> None:
    found = judge(a_policy(), a_candidate(), "A1", TODAY)
    assert (found.accept, [reason.code for reason in found.reasons]) == (Accept.YES, ["meets_policy"])


def test_another_scheme_is_not_looked_at_any_further() -> None:
    assert judged(a_candidate(scheme="qms", valid_until=BEGIN)) == ("no", ["scheme_not_accepted"])


@pytest.mark.parametrize(
    ("statuses", "fields", "code", "pointer"),
    [
        ((ACTIVE, since(Status.SUSPENDED, BEGIN + DAY)), {}, "suspended", "/statuses/1"),
        ((ACTIVE, since(Status.REVOKED, BEGIN + DAY)), {}, "revoked", "/statuses/1"),
        ((ACTIVE, since(Status.CANCELLED, BEGIN + DAY)), {}, "cancelled", "/statuses/1"),
        ((ACTIVE, since(Status.CANCELLED, BEGIN + DAY)), {"superseded_by": "2"}, "superseded", "/statuses/1"),
        ((ACTIVE,), {"valid_until": BEGIN + DAY}, "expired", "/valid_until"),
        ((since(Status.ACTIVE, TODAY + DAY),), {}, "not_yet_valid", "/statuses"),
    ],
)
def test_each_standing_is_answered_as_the_policy_says_and_no_where_it_says_nothing(
    statuses: tuple[StatusInterval, ...], fields: dict[str, Any], code: str, pointer: str
) -> None:
    candidate = a_candidate(statuses=statuses, **fields)
    found = judge(a_policy(), candidate, None, TODAY)
    assert (found.accept, found.reasons[0].code, found.reasons[0].pointer) == (Accept.NO, code, pointer)
    assert judged(candidate, standings={"valid": "yes", code: "review"})[0] == "review"
    assert judged(candidate, standings={"valid": "yes", code: "yes"})[0] == "yes"


def test_the_reason_says_when_and_why() -> None:
    suspended = replace(since(Status.SUSPENDED, date(2026, 3, 1)), reason="S03")
    found = judge(a_policy(), a_candidate(statuses=(ACTIVE, suspended)), None, TODAY)
    words = found.reasons[0].words
    assert words["zh"] == "暂停中（自2026-03-01起）：监督中发现不符合，可整改"
    assert words["en"] == "suspended since 2026-03-01: non-conformity found in surveillance, can be corrected"


def test_a_model_has_to_be_covered_however_it_is_spelt() -> None:
    assert judged(a_candidate(), "Ａ１") == ("yes", ["meets_policy"])
    assert judged(a_candidate(), "a 2") == ("yes", ["meets_policy"])
    assert judged(a_candidate(), "A3") == ("no", ["out_of_scope"])
    assert judged(a_candidate(product=None), "A1") == ("no", ["out_of_scope"])


def test_a_suspended_model_is_judged_by_itself() -> None:
    part = Part(PartKind.ITEM, "A1", None, (since(Status.SUSPENDED, BEGIN + DAY),))
    candidate = a_candidate(parts=(part,))
    found = judge(a_policy(), candidate, "A1", TODAY)
    assert (found.accept, found.reasons[0].code, found.reasons[0].pointer) == (Accept.NO, "suspended", "/parts/0")
    assert judged(candidate, "A2") == ("yes", ["meets_policy"])
    assert judged(candidate) == ("yes", ["meets_policy"])


def test_a_sub_certificate_falls_with_its_parent() -> None:
    parent = a_certificate(certificate_no="P", statuses=(ACTIVE, since(Status.REVOKED, TODAY)))
    found = judge(a_policy(), a_candidate(parent=parent, parent_no="P"), None, TODAY)
    assert (found.accept, found.reasons[0].code, found.reasons[0].pointer) == (Accept.NO, "revoked", "/parent_no")


@pytest.mark.parametrize(("left", "expected"), [(30, "yes"), (29, "review"), (0, "review")])
def test_the_days_that_must_be_left(left: int, expected: str) -> None:
    remaining = {"days": 30, "otherwise": "review"}
    assert judged(a_candidate(), day=END - left * DAY, remaining=remaining)[0] == expected
    assert judged(a_candidate(valid_until=None), remaining=remaining)[0] == "yes"


def test_a_mark_that_is_needed_has_to_be_valid_and_on_the_model() -> None:
    needed: dict[str, Any] = {"mark": {"otherwise": "no"}}
    on_a1 = replace(MARKED, products=(Item("A1", None),))
    assert judged(a_candidate(), **needed) == ("no", ["mark_not_authorized"])
    assert judged(a_candidate(marks=(MARKED,)), "A2", **needed)[0] == "yes"
    assert judged(a_candidate(marks=(on_a1,)), "A1", **needed)[0] == "yes"
    assert judged(a_candidate(marks=(on_a1,)), "A2", **needed)[0] == "no"
    ended = a_mark(ACTIVE, since(Status.WITHDRAWN, TODAY))
    assert judged(a_candidate(marks=(ended,)), **needed)[0] == "no"
    assert judged(a_candidate(marks=(ended,)), **needed, day=TODAY - DAY)[0] == "yes"


def test_an_accreditation_that_is_needed_has_to_be_stated() -> None:
    needed: dict[str, Any] = {"accreditation": {"otherwise": "review"}}
    assert judged(a_candidate(), **needed) == ("review", ["accreditation_missing"])
    assert judged(a_candidate(accreditation="CNAS C999-M"), **needed)[0] == "yes"


def body_that_is(status: str) -> BodyState:
    return {**BODY, "statuses": [*BODY["statuses"], {"status": status, "from": TODAY.isoformat()}]}


@pytest.mark.parametrize(
    ("doubt", "candidate"),
    [
        (Doubt.KEY_COMPROMISED, a_candidate(flags=(Flag("key_compromised", "a" * 64, "2026-01-01T00:00:00Z"),))),
        (Doubt.BODY_SUSPENDED, a_candidate(body=body_that_is("suspended"))),
        (Doubt.BODY_DISQUALIFIED, a_candidate(body=body_that_is("disqualified"))),
        (Doubt.BODY_NOT_APPROVED, a_candidate(body={**BODY, "approved_until": "2026-03-05"})),
        (Doubt.BODY_NOT_APPROVED, a_candidate(body=None)),
        (Doubt.SELF_DECLARED, a_candidate(declaration=True, body=None)),
        (Doubt.TRANSFER_PENDING, a_candidate(transfer=Transfer("CNCA-R-2019-7902", "a" * 64, TODAY))),
        (Doubt.OVERDUE_TRANSFER, a_candidate(transfer=Transfer("CNCA-R-2019-7902", "a" * 64, TODAY - 31 * DAY))),
        (Doubt.OVERDUE_SURVEILLANCE, a_candidate(surveillance_due=TODAY - DAY)),
        (Doubt.OVERDUE_STANDARD, a_candidate(basis=(Basis("GB 4706.32", "2012"),))),
    ],
)
def test_each_doubt_is_for_review_unless_the_policy_says_otherwise(doubt: Doubt, candidate: Candidate) -> None:
    assert judged(candidate) == ("review", [doubt.value])
    assert judged(candidate, doubts={doubt.value: "yes"}) == ("yes", ["meets_policy"])
    assert judged(candidate, doubts={doubt.value: "no"}) == ("no", [doubt.value])


def test_the_worst_decides_and_every_reason_is_told_the_worst_first() -> None:
    candidate = a_candidate(surveillance_due=TODAY - DAY)
    assert judged(candidate, "A3") == ("no", ["out_of_scope", "overdue_surveillance"])


def test_what_is_not_there_is_no_only_where_the_register_is_complete() -> None:
    assert unfound("unknown_number", complete=True).accept is Accept.NO
    incomplete = unfound("unknown_number", complete=False)
    assert (incomplete.accept, incomplete.reasons[1].code) == (Accept.REVIEW, "coverage_incomplete")
    assert malformed().accept is Accept.NO


def test_of_several_the_most_acceptable_is_relied_on_and_of_these_the_first() -> None:
    yes = judge(a_policy(), a_candidate(), None, TODAY)
    no = malformed()
    assert best([("C", no), ("B", yes), ("A2", yes), ("D", no)]) == ("A2", yes)
    assert best([("B", no), ("A", no)]) == ("A", no)
    assert best([]) is None


def test_every_standing_and_doubt_has_words_in_both_languages() -> None:
    assert set(WORDS) >= CODES
    assert all(zh and en for zh, en in WORDS.values())


# --- policies as data ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def policies() -> dict[str, Any]:
    return load_policies(settings_from({"CERTMARK_DATA": "/nonexistent"}))


def test_the_shipped_policies_name_shipped_schemes(policies: dict[str, Any]) -> None:
    assert set(policies) == {"green-procurement", "ccc-market-access", "qms-tender", "organic-counter"}
    schemes = {file.stem for file in (SCHEMAS / "schemes").glob("*.json")}
    for policy in policies.values():
        for version in policy["versions"]:
            assert set(version["schemes"]) <= schemes


def test_the_version_in_force_on_the_day_is_taken_or_the_one_named(policies: dict[str, Any]) -> None:
    day = date(2026, 1, 1)
    assert version_on(policies["qms-tender"], day - DAY) == policies["qms-tender"]["versions"][0]
    assert choose(policies, "qms-tender", None, day).version["version"] == 2
    assert choose(policies, "qms-tender", "qms-tender", day - DAY).version["version"] == 1
    assert choose(policies, "qms-tender", "qms-tender@1", day).version["version"] == 1


@pytest.mark.parametrize(
    ("purpose", "named", "day"),
    [
        ("lottery", None, TODAY),
        ("qms-tender", "organic-counter", TODAY),
        ("qms-tender", "qms-tender@9", TODAY),
        ("qms-tender", None, date(2001, 1, 1)),
    ],
)
def test_what_names_no_policy_is_said_so(policies: dict[str, Any], purpose: str, named: str | None, day: date) -> None:
    with pytest.raises(BadRequest):
        choose(policies, purpose, named, day)


def test_a_deployment_adds_its_own_policies_and_a_wrong_one_is_noticed(tmp_path: Path) -> None:
    settings = settings_from({"CERTMARK_DATA": str(tmp_path)})
    shipped = json.loads((SCHEMAS / "policies" / "organic-counter.json").read_text(encoding="utf-8"))
    folder = tmp_path / "policies"
    folder.mkdir()
    own = folder / "canteen.json"
    own.write_text(json.dumps({**shipped, "id": "canteen"}), encoding="utf-8")
    policies = load_policies(settings)
    assert policies["canteen"]["purpose"] == "organic-counter"
    with pytest.raises(BadRequest):
        choose(policies, "organic-counter", None, TODAY)
    two = [shipped["versions"][0], {**shipped["versions"][0], "version": 1}]
    for wrong in (shipped, {**shipped, "id": "canteen", "versions": []}, {**shipped, "id": "canteen", "versions": two}):
        own.write_text(json.dumps(wrong), encoding="utf-8")
        with pytest.raises(NotConfigured):
            load_policies(settings)
