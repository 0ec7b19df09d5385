"""What passes its form and once stopped the worker for ever: each is decided, and so is what comes after it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.events.drafts import Signer
from services.events.envelope import open_envelope
from services.events.keys import new_key
from tests.register import A_MARK, AUTHORITY, BODY, Register, a_first_event, a_number, accepted, ago, ahead, refused_for


def unchecked(register: Register, source: str, event: str, subject: str, **data: Any) -> dict[str, Any]:
    """The decision on data that our own client would not have signed."""
    sound = {"effective_at": ago(1), "reason": "S03", "until": ago(0)}
    payload = json.loads(register.payload(source, "certificate.suspended", a_number(), sound))
    payload |= {"type": f"certmark.{event}.v1", "subject": subject, "data": data}
    return register.decided(register.append(register.forged(register.keys[source], json.dumps(payload).encode())))


@pytest.mark.parametrize("mark_no", ["!", "A", "nodigit"])
def test_a_mark_number_of_no_form(register: Register, mark_no: str) -> None:
    number = register.issue()
    said = {"effective_at": ago(1), "mark_no": mark_no, "mark": A_MARK["id"], "products": [{"model": "A1"}]}
    decision = unchecked(register, BODY, "mark.authorized", number, **said)
    assert (decision["decision"], decision["code"], decision["pointer"]) == (
        "quarantined",
        "bad-event",
        "/data/mark_no",
    )
    superseded = unchecked(register, BODY, "certificate.superseded", number, effective_at=ago(1), by=mark_no)
    assert superseded["decision"] == "quarantined"
    assert register.issue()


@pytest.mark.parametrize(
    "jwk",
    [
        {"kty": "OKP", "crv": "P-256", "x": "A" * 43},
        {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": None},
        {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "B" * 43},
    ],
)
def test_a_key_that_is_none(register: Register, jwk: dict[str, Any]) -> None:
    said = {"owner": BODY, "purpose": "event", "key": jwk, "from": ago(1)}
    decision = register.say(AUTHORITY, "key.added", "A" * 43, said)
    assert (refused_for(decision), decision["pointer"]) == ("scheme-rule", "/data/key")


def test_a_compromise_at_an_offset_that_the_database_does_not_know(register: Register) -> None:
    key = new_key()
    added = {"owner": BODY, "purpose": "event", "key": dict(key.public.jwk), "from": ago(1)}
    assert accepted(register.say(AUTHORITY, "key.added", key.public.kid, added))
    said = {"since": "2026-01-01T00:00:00+23:59"}
    assert accepted(register.say(AUTHORITY, "key.compromised", key.public.kid, said))
    assert register.issue()


def test_a_number_pattern_that_speaks_of_another_alphabet(register: Register) -> None:
    rules = {"effective_at": "2016-01-01", "version": 1, "name": {"zh": "例", "en": "x"}, "class": "system"}
    rules |= {"mandatory": False, "declaration": False, "mark_authorizer": "none", "number_pattern": "(?u)[0-9]+"}
    said = rules | {"coverage": {"complete": False, "zh": "例", "en": "x"}}
    decision = unchecked(register, AUTHORITY, "scheme.published", "unicode", **said)
    assert (decision["decision"], decision["pointer"]) == ("quarantined", "/data/number_pattern")


def test_whole_numbers_that_are_written_with_a_fraction(register: Register) -> None:
    rules = {"effective_at": "2016-01-01", "version": 1.0, "name": {"zh": "例", "en": "x"}, "class": "system"}
    rules |= {"mandatory": False, "declaration": False, "mark_authorizer": "none", "validity_months": 12.0}
    said = rules | {"coverage": {"complete": False, "zh": "例", "en": "x"}, "surveillance_months": 1.2e1}
    assert accepted(register.say(AUTHORITY, "scheme.published", "fractions", said))
    competent = {"effective_at": ago(0), "schemes": [{"scheme": s, "from": ago(500)} for s in ("sample", "fractions")]}
    assert accepted(register.say(AUTHORITY, "body.scope_changed", BODY.rpartition(":")[2], competent))
    first = a_first_event("system", headcount=7.0, valid_until=ago(36)) | {"scheme": "fractions"}
    number = a_number()
    assert accepted(register.say(BODY, "certificate.issued", number, first))
    assert '"headcount":7,' in register.record(f"certificate/{number}").state


def test_a_key_and_what_redrives_its_events_in_one_batch(register: Register) -> None:
    approval_no, key, number = "CNCA-R-2019-8031", new_key(), a_number()
    source = f"urn:certmark:body:{approval_no}"
    approved = {"effective_at": ago(500), "name": "示范机构", "schemes": [{"scheme": "sample", "from": ago(500)}]}
    register.tell(AUTHORITY, "body.approved", approval_no, approved)
    register.signers[source] = Signer(source, key, "T-1", lambda source, subject: (0, None))
    early = register.tell(source, "certificate.issued", number, a_first_event())
    assert register.decided(early)["decision"] == "quarantined"
    added = {"owner": source, "purpose": "event", "key": dict(key.public.jwk), "from": ago(500)}
    digest = open_envelope(early).digest
    said = {"effective_at": ago(0), "digest": digest, "action": "redriven", "note": "密钥登记晚到"}
    register.append(
        register.sign(AUTHORITY, "key.added", key.public.kid, added),
        register.sign(AUTHORITY, "quarantine.resolved", digest, said),
    )
    assert accepted(register.decided(early))


def test_a_certificate_with_the_number_of_a_body(register: Register) -> None:
    number = BODY.rpartition(":")[2]
    assert accepted(register.say(BODY, "certificate.issued", number, a_first_event()))
    suspended = {"effective_at": ago(3), "reason": "S03", "until": ahead(3)}
    told = register.tell(BODY, "certificate.suspended", number, suspended)
    assert accepted(register.decided(told))
    competent = {"effective_at": ago(0), "schemes": [{"scheme": "sample", "from": ago(500)}]}
    assert accepted(register.say(AUTHORITY, "body.scope_changed", number, competent))
    corrected = {"of": open_envelope(told).digest, "fields": {"reason": "S04"}}
    assert accepted(register.say(BODY, "certificate.corrected", number, corrected))
    assert register.state(number)["statuses"][-1]["reason"] == "S04"


def test_a_scheme_that_changes_on_the_day_of_an_issue_judges_only_what_comes_after(register: Register) -> None:
    rules = {"effective_at": "2016-01-01", "version": 1, "name": {"zh": "例", "en": "x"}, "class": "product"}
    rules |= {"mandatory": False, "declaration": False, "mark_authorizer": "none"}
    rules |= {"coverage": {"complete": False, "zh": "例", "en": "x"}}
    assert accepted(register.say(AUTHORITY, "scheme.published", "changing", rules))
    competent = {"effective_at": ago(0), "schemes": [{"scheme": s, "from": ago(500)} for s in ("sample", "changing")]}
    assert accepted(register.say(AUTHORITY, "body.scope_changed", BODY.rpartition(":")[2], competent))
    today = {name: ago(0) for name in ("effective_at", "issued_on", "valid_from")}
    number = register.issue("changing", **today)
    later = rules | {"version": 2, "effective_at": ago(0), "required": ["grade"]}
    assert accepted(register.say(AUTHORITY, "scheme.published", "changing", later))
    amended = register.tell(BODY, "certificate.amended", number, {"effective_at": ago(0), "fields": {"headcount": 7}})
    assert accepted(register.decided(amended))
    corrected = {"of": open_envelope(amended).digest, "fields": {"fields": {"headcount": 8}}}
    assert accepted(register.say(BODY, "certificate.corrected", number, corrected))
    assert register.state(number)["headcount"] == 8


def test_a_mark_that_goes_and_comes_back_with_a_correction(register: Register) -> None:
    rules = {"effective_at": "2016-01-01", "version": 1, "name": {"zh": "例", "en": "x"}, "class": "product"}
    rules |= {"mandatory": False, "declaration": False, "mark_authorizer": "none", "mark": A_MARK}
    rules |= {"coverage": {"complete": False, "zh": "例", "en": "x"}}
    later = rules | {"version": 2, "effective_at": ago(0), "mark_authorizer": "implied"}
    for version in (rules, later):
        assert accepted(register.say(AUTHORITY, "scheme.published", "marked-since", version))
    competent = {
        "effective_at": ago(0),
        "schemes": [{"scheme": s, "from": ago(500)} for s in ("sample", "marked-since")],
    }
    assert accepted(register.say(AUTHORITY, "body.scope_changed", BODY.rpartition(":")[2], competent))
    today = {name: ago(0) for name in ("effective_at", "issued_on", "valid_from")}
    number = a_number()
    issued = register.tell(BODY, "certificate.issued", number, a_first_event("marked-since", **today))
    assert accepted(register.decided(issued))
    marks = []
    for day in (ago(1), ago(0)):
        corrected = {"of": open_envelope(issued).digest, "fields": {"issued_on": day}}
        assert accepted(register.say(BODY, "certificate.corrected", number, corrected))
        marks.append(len(register.state(number)["marks"]))
    assert marks == [0, 1]


def test_the_log_is_read_to_its_end(register: Register) -> None:
    counts = register.counts()
    assert counts["read"] == sum(
        counts[name] for name in ("accepted", "refused", "pending", "quarantined", "duplicates")
    )
    assert register.head().now - datetime.now(UTC) < timedelta(minutes=1)
