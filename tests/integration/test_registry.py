"""The registry on both logs: each decision of the contract, nothing lost, nothing done twice."""

import base64
import json
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest

from services.domain.errors import LogTruncated, LogUnavailable, NotConfigured, RegisterBehind
from services.embedded import EmbeddedPostgres
from services.events.envelope import open_envelope
from services.events.keys import new_key
from services.events.log import Record, Topics
from services.events.record import open_sealed, read_record, recorded
from services.marks.token import MarkKey, MarkPath, open_token, verify_token
from services.postgres import Cursor, transaction
from services.registry import register as registry_register
from services.registry import store
from services.registry.as_of import folded
from services.registry.relay import Relay, revision_of, seal
from services.registry.worker import NotLeader, Worker
from tests.integration.conftest import a_register
from tests.register import (
    ALLIANCE,
    AUTHORITY,
    BODY,
    DECLARANT,
    OTHER,
    TODAY,
    Register,
    a_first_event,
    a_number,
    a_suspension,
    accepted,
    ago,
    ahead,
    refused_for,
)

LOGS = ("postgres", "kafka")


@pytest.fixture(scope="module", params=LOGS)
def register(
    request: pytest.FixtureRequest, postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Register]:
    """One register a log for the whole file; every test has numbers of its own."""
    environment = {"CERTMARK_LOG": request.param}
    if request.param == "kafka":
        environment["CERTMARK_KAFKA_BOOTSTRAP"] = request.getfixturevalue("kafka_broker").bootstrap
    with a_register(postgres_server, tmp_path_factory.mktemp("register"), **environment) as made:
        yield made


# --- the whole life -----------------------------------------------------------------------------------------


def test_a_certificate_lives_from_issue_to_revocation(register: Register) -> None:
    number = register.issue()
    life: list[tuple[str, dict[str, Any]]] = [
        ("certificate.surveillance_passed", {"effective_at": ago(40)}),
        ("certificate.amended", {"effective_at": ago(30), "items": [{"op": "added", "model": "A2"}]}),
        ("certificate.suspended", a_suspension(effective_at=ago(20), until=ahead(30))),
        ("certificate.resumed", {"effective_at": ago(10), "verified_on": ago(11)}),
        ("certificate.revoked", {"effective_at": ago(1), "reason": "R05"}),
    ]
    for event, data in life:
        assert accepted(register.say(BODY, event, number, data)), event
    state = register.state(number)
    assert state["status"] == "revoked"
    assert [s["status"] for s in state["statuses"]] == ["active", "suspended", "active", "revoked"]
    assert refused_for(
        register.say(BODY, "certificate.resumed", number, {"effective_at": ago(0), "verified_on": ago(0)})
    ) == ("transition-not-allowed")


def test_entries_have_a_gapless_seq_and_each_its_leaf(register: Register) -> None:
    number = register.issue()
    rows = register.rows("SELECT seq, leaf, state, state_digest, recorded_at FROM entries ORDER BY seq")
    assert [row[0] for row in rows] == list(range(len(rows))) == list(range(register.head().size))
    leaves = [json.loads(row[1]) for row in rows]
    assert all(leaf["seq"] == seq and leaf["v"] == 1 for seq, leaf in enumerate(leaves))
    assert [row[4] for row in rows] == sorted(row[4] for row in rows), "recorded_at never decreases"
    for _, leaf, state, digest, _ in rows:
        assert json.loads(leaf)["state"] == digest
        if state is not None:
            assert sha256(state.encode()).hexdigest() == digest
    assert register.state(number)["certificate_no"] == number


def test_the_log_keeps_the_exact_bytes_and_their_signature_verifies(register: Register) -> None:
    number = a_number()
    jws = register.tell(BODY, "certificate.issued", number, a_first_event())
    register.decided(jws)
    ((kept,),) = register.rows("SELECT jws FROM entries WHERE subject = %s AND kind = 'event'", number)
    assert kept.encode() == jws
    envelope = open_envelope(kept.encode())
    register.keys[BODY].public.verify(envelope.signature, envelope.signing_input)


def test_es256_is_as_good_as_ed25519(register: Register) -> None:
    assert register.keys[OTHER].public.alg == "ES256"
    assert register.state(register.issue(source=OTHER))["body"] == "CNCA-R-2019-7902"


def test_a_declaration_is_made_and_withdrawn_by_its_declarant(register: Register) -> None:
    number = a_number()
    assert accepted(register.say(DECLARANT, "declaration.made", number, a_first_event("declared")))
    assert register.state(number)["declaration"] is True
    withdrawn = {"effective_at": TODAY.isoformat(), "reason": "C04"}
    assert accepted(register.say(DECLARANT, "declaration.withdrawn", number, withdrawn))
    assert register.state(number)["status"] == "cancelled"


# --- marks and tokens ---------------------------------------------------------------------------------------


def an_authorization(**data: Any) -> dict[str, Any]:
    return {
        "effective_at": ago(5),
        "mark_no": f"M-{uuid.uuid4().hex[:12].upper()}-1",
        "mark": "sample-mark",
        "products": [{"model": "A1", "gtin": "06909900123007"}],
        "valid_until": ahead(300),
    } | data


def test_an_authorized_mark_gets_a_token_that_verifies_and_an_entry_before_it_can_be_printed(
    register: Register,
) -> None:
    number = register.issue()
    data = an_authorization()
    assert accepted(register.say(BODY, "mark.authorized", number, data))
    (token,) = json.loads(register.record(f"certificate/{number}").tokens)
    raw = base64.urlsafe_b64decode(token["token"] + "==")
    key = MarkKey(register.keys["urn:certmark:registry:main"].public, TODAY)
    claims = verify_token(open_token(raw), MarkPath.of_product("06909900123007"), [key])
    assert (claims.mark_no, claims.certificate_no, claims.model) == (data["mark_no"], number, "A1")
    assert register.rows("SELECT kind, subject FROM entries WHERE digest = %s", sha256(raw).hexdigest()) == [
        ("token", number)
    ]


def test_a_certificate_with_a_mark_lives_on(register: Register) -> None:
    """Each event decided in a batch of its own: what the batch did not load must not look new."""
    number, data = register.issue(), an_authorization()
    assert accepted(register.say(BODY, "mark.authorized", number, data))
    assert accepted(register.say(BODY, "certificate.surveillance_passed", number, {"effective_at": ago(3)}))
    assert accepted(register.say(BODY, "certificate.suspended", number, a_suspension()))
    assert register.rows("SELECT certificate_no FROM marks WHERE mark_no = %s", data["mark_no"]) == [(number,)]


def test_status_indices_are_never_given_twice(register: Register) -> None:
    for _ in range(3):
        register.issue("implied")
    tokens = [t for (text,) in register.rows("SELECT tokens FROM records") for t in json.loads(text)]
    places = [(t["list"], t["index"]) for t in tokens]
    assert len(places) == len(set(places)) == register.head().status_index


def test_an_implied_mark_has_the_certificates_number_and_a_new_item_gets_its_own_token(register: Register) -> None:
    number = register.issue("implied")
    added = {"effective_at": ago(1), "items": [{"op": "added", "model": "A2", "gtin": "06909900200012"}]}
    register.say(BODY, "certificate.amended", number, added)
    tokens = json.loads(register.record(f"certificate/{number}").tokens)
    assert [(t["mark_no"], t["model"]) for t in tokens] == [(number, "A1"), (number, "A2")]


def test_an_authorization_that_has_ended_gets_no_token(register: Register) -> None:
    number = register.issue(valid_until=ago(2))
    authorized = an_authorization(effective_at=ago(100), valid_until=ago(2))
    assert accepted(register.say(BODY, "mark.authorized", number, authorized))
    assert register.record(f"certificate/{number}").tokens == "[]"


def test_an_alliance_authorizes_for_its_members_and_nobody_else(register: Register) -> None:
    member = register.issue("allied")
    data = an_authorization(family="甲")
    assert refused_for(register.say(BODY, "mark.authorized", member, data)) == "not-responsible"
    assert accepted(register.say(ALLIANCE, "mark.authorized", member, data))
    stranger = register.say(OTHER, "certificate.issued", a_number(), a_first_event("allied"))
    assert refused_for(stranger) == "not-competent"


def test_a_mark_number_is_unique_register_wide(register: Register) -> None:
    first, second = register.issue(), register.issue()
    data = an_authorization()
    assert accepted(register.say(BODY, "mark.authorized", first, data))
    assert refused_for(register.say(BODY, "mark.authorized", second, data)) == "number-taken"
    assert refused_for(register.say(BODY, "certificate.issued", data["mark_no"], a_first_event())) == "number-taken"


def test_codes_are_recorded_and_a_mark_is_withdrawn(register: Register) -> None:
    number, data = register.issue(), an_authorization()
    register.say(BODY, "mark.authorized", number, data)
    codes = {
        "effective_at": ago(1),
        "mark_no": data["mark_no"],
        "product": "A1",
        "quantity": 10,
        "rule_version": "2024",
        "digest": "a" * 64,
    }
    assert accepted(register.say(BODY, "mark.codes_issued", number, codes))
    assert accepted(register.say(BODY, "mark.withdrawn", number, {"effective_at": ago(0), "mark_no": data["mark_no"]}))
    (mark,) = register.state(number)["marks"]
    assert (mark["status"], mark["code_sets"][0]["quantity"]) == ("withdrawn", 10)


# --- refusals: each with its own code, final, and the chain goes on -----------------------------------------


@pytest.mark.parametrize(
    ("source", "event", "data", "code"),
    [
        (OTHER, "certificate.suspended", a_suspension(), "not-responsible"),
        (BODY, "certificate.issued", a_first_event(), "number-taken"),
        (BODY, "certificate.resumed", {"effective_at": ago(0), "verified_on": ago(0)}, "transition-not-allowed"),
        (BODY, "certificate.suspended", a_suspension(reason="S77"), "unknown-reason"),
        (BODY, "certificate.suspended", a_suspension(until=ahead(300)), "scheme-rule"),
        (BODY, "certificate.suspended", a_suspension(effective_at=ago(401)), "bad-dates"),
        (BODY, "certificate.suspended", a_suspension(effective_at=ahead(31), until=ahead(60)), "bad-dates"),
        (BODY, "certificate.amended", {"effective_at": ago(0), "fields": {}}, "nothing-to-change"),
        (BODY, "mark.withdrawn", {"effective_at": ago(0), "mark_no": "M-404"}, "unknown-mark"),
        (DECLARANT, "certificate.suspended", a_suspension(), "not-responsible"),
        (
            BODY,
            "body.approved",
            {"effective_at": ago(9), "name": "x", "schemes": [{"scheme": "sample", "from": ago(9)}]},
            "not-responsible",
        ),
    ],
)
def test_what_is_not_allowed_is_refused_with_its_own_code(
    register: Register, source: str, event: str, data: dict[str, Any], code: str
) -> None:
    number = register.issue()
    before = register.record(f"certificate/{number}")
    subject = "CNCA-R-2019-7999" if event.startswith("body.") else number
    assert refused_for(register.say(source, event, subject, data)) == code
    assert register.record(f"certificate/{number}") == before
    assert accepted(register.say(BODY, "certificate.suspended", number, a_suspension())), "the chain goes on"


@pytest.mark.parametrize(
    ("scheme", "data", "code"),
    [
        ("elsewhere", {}, "not-competent"),
        ("sample", {"issued_on": ago(501), "first_issued_on": None}, "not-competent"),
        ("no-such-scheme", {}, "unknown-scheme"),
        ("declared", {"approver": "7901-0007"}, "scheme-rule"),
        ("implied", {"valid_until": ago(500)}, "bad-dates"),
    ],
)
def test_an_issue_outside_competence_or_scheme_is_refused(
    register: Register, scheme: str, data: dict[str, Any], code: str
) -> None:
    assert refused_for(register.say(BODY, "certificate.issued", a_number(), a_first_event(scheme, **data))) == code


def test_a_number_that_the_scheme_does_not_know_is_refused(register: Register) -> None:
    assert refused_for(register.say(BODY, "certificate.issued", f"X{a_number()}", a_first_event("implied"))) == (
        "scheme-rule"
    )


def test_what_happens_to_an_unknown_certificate_is_refused(register: Register) -> None:
    assert refused_for(register.say(BODY, "certificate.suspended", a_number(), a_suspension())) == (
        "unknown-certificate"
    )


def test_numbers_are_one_however_they_are_written(register: Register) -> None:
    number = f"ABC-{a_number()}"
    assert accepted(register.say(BODY, "certificate.issued", f" abc–{number[4:]}", a_first_event()))
    assert register.state(number)["certificate_no"] == number
    assert refused_for(register.say(OTHER, "certificate.issued", number.lower(), a_first_event())) == "number-taken"


# --- chains: stale, forked, far ahead, pending, duplicate, conflict -----------------------------------------


def test_a_stale_a_forked_and_a_far_event_are_refused_and_move_nothing(register: Register) -> None:
    number = register.issue()
    chain = register.rows("SELECT sequence, digest FROM chains WHERE subject = %s", number)
    data = a_suspension()
    places: list[tuple[dict[str, Any], str]] = [
        ({"sequence": 1}, "sequence-stale"),
        ({"sequence": 2, "previous": "sha256:" + "0" * 64}, "chain-forked"),
        ({"sequence": 66, "previous": "sha256:" + "0" * 64}, "sequence-too-far"),
    ]
    for members, code in places:
        jws = register.sign(BODY, "certificate.suspended", number, data, **members)
        register.append(jws)
        assert refused_for(register.decided(jws)) == code
    assert register.rows("SELECT sequence, digest FROM chains WHERE subject = %s", number) == chain


def test_events_out_of_order_wait_and_are_decided_when_the_hole_fills(register: Register) -> None:
    number = register.issue()
    events = [
        register.sign(BODY, "certificate.suspended", number, a_suspension(effective_at=ago(9), until=ahead(30))),
        register.sign(BODY, "certificate.resumed", number, {"effective_at": ago(8), "verified_on": ago(8)}),
        register.sign(BODY, "certificate.revoked", number, {"effective_at": ago(7), "reason": "R01"}),
    ]
    register.append(events[2], events[1])
    assert [register.decided(e)["decision"] for e in events[1:]] == ["pending", "pending"]
    assert register.record(f"certificate/{number}").under_review
    register.append(events[0])
    assert all(accepted(register.decided(e)) for e in events)
    assert register.state(number)["status"] == "revoked"
    assert not register.record(f"certificate/{number}").under_review


def test_of_two_parked_events_at_one_place_the_one_that_fits_is_taken(register: Register) -> None:
    number = register.issue()
    first = register.sign(BODY, "certificate.surveillance_passed", number, {"effective_at": ago(9)})
    fits = register.sign(BODY, "certificate.surveillance_passed", number, {"effective_at": ago(8)})
    forked = register.sign(
        BODY, "certificate.revoked", number, {"effective_at": ago(8), "reason": "R01"}, sequence=3,
        previous="sha256:" + "1" * 64,
    )  # fmt: skip
    register.append(forked, fits, first)
    assert accepted(register.decided(fits))
    assert refused_for(register.decided(forked)) == "chain-forked"


def test_a_duplicate_has_its_first_decision_and_does_nothing(register: Register) -> None:
    number = register.issue()
    jws = register.sign(BODY, "certificate.suspended", number, a_suspension())
    register.append(jws, jws)
    first = register.decided(jws)
    before = register.counts()
    register.append(jws)
    assert register.decided(jws) == first
    after = register.counts()
    assert after["duplicates"] == before["duplicates"] + 1
    assert after["size"] == before["size"]


def test_the_same_id_with_other_content_is_quarantined(register: Register) -> None:
    number, same = register.issue(), str(uuid.uuid4())
    first = register.sign(BODY, "certificate.suspended", number, a_suspension(), id=same)
    other = register.sign(BODY, "certificate.suspended", register.issue(), a_suspension(), id=same)
    register.append(first, other)
    assert accepted(register.decided(first))
    assert register.decided(other) | {"decision": "quarantined", "code": "id-conflict"} == register.decided(other)


# --- quarantine: what is not trusted or cannot be read never enters, and never blocks ---------------------------


def test_what_came_past_the_ingest_and_is_not_trusted_is_quarantined(register: Register) -> None:
    number = register.issue()
    payload = register.payload(BODY, "certificate.suspended", number, a_suspension())
    body, stranger = register.keys[BODY], new_key()
    mark = register.keys["urn:certmark:registry:main"]
    before = {q.position for q in register.quarantined()}
    poison = {
        "unknown-key": register.forged(stranger, payload),
        "bad-signature": register.forged(stranger, payload, kid=body.public.kid),
        "key-not-valid": register.forged(mark, payload),
        "algorithm-not-allowed": register.forged(body, payload, alg="none"),
        "not-this-source": register.forged(register.keys[OTHER], payload),
        "not-an-envelope": b"hello",
        "not-json": register.forged(body, b"\xff\xfe"),
        "duplicate-key": register.forged(body, payload[:-1] + b',"id":"x"}'),
        "bad-number": register.forged(body, payload.replace(b'"S03"', b"NaN")),
        "too-deep": register.forged(body, b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
        "bad-text": register.forged(body, payload.replace(b'"S03"', b'"\\ud800"')),
        "bad-event": register.forged(body, payload.replace(b'"S03"', b'"nonsense"')),
        "unknown-type": register.forged(body, payload.replace(b"certificate.suspended", b"certificate.celebrated")),
        "too-large": register.forged(body, b'{"a":"' + b"x" * 70_000 + b'"}'),
    }
    register.append(*poison.values())
    register.decide_all()
    found = [q.code for q in register.quarantined() if q.position not in before]
    assert found == list(poison)
    assert register.state(number)["status"] == "active"
    assert register.issue(), "the log flows on"
    assert register.counts()["read"] == sum(
        register.counts()[name] for name in ("accepted", "refused", "pending", "quarantined", "duplicates")
    )


def test_hmac_with_the_public_key_as_secret_is_quarantined(register: Register) -> None:
    import hmac

    body = register.keys[BODY].public
    payload = register.payload(BODY, "certificate.suspended", register.issue(), a_suspension())
    header = json.dumps({"alg": "HS256", "kid": body.kid, "typ": "certmark-event+jws"}).encode()

    def b64(raw: bytes) -> bytes:
        return base64.urlsafe_b64encode(raw).rstrip(b"=")

    signing_input = b64(header) + b"." + b64(payload)
    secret = base64.urlsafe_b64decode(body.jwk["x"] + "==")
    register.append(signing_input + b"." + b64(hmac.new(secret, signing_input, "sha256").digest()))
    register.decide_all()
    assert register.quarantined()[-1].code == "algorithm-not-allowed"


# --- keys and bodies ----------------------------------------------------------------------------------------


def test_a_retired_and_a_compromised_key_sign_nothing_more(register: Register) -> None:
    for event, data in [
        ("key.retired", {"effective_at": TODAY.isoformat()}),
        ("key.compromised", {"since": "2020-01-01T00:00:00Z"}),
    ]:
        name = f"CNCA-R-2019-{7910 + len(register.keys)}"
        approved = {"effective_at": ago(500), "name": "示范", "schemes": [{"scheme": "sample", "from": ago(500)}]}
        assert accepted(register.say(AUTHORITY, "body.approved", name, approved))
        source, key = f"urn:certmark:body:{name}", new_key()
        register.decided(register.add_key(source, key, "event"))
        number = register.issue(source=source)
        assert accepted(register.say(AUTHORITY, event, key.public.kid, data))
        assert register.say(source, "certificate.suspended", number, a_suspension())["code"] == "key-not-valid"


def test_a_body_rotates_its_own_key_with_the_old_one_and_no_other(register: Register) -> None:
    new, old = new_key(), register.signers[BODY]
    added = {"owner": BODY, "purpose": "event", "key": dict(new.public.jwk), "from": ago(1)}
    assert accepted(register.say(BODY, "key.added", new.public.kid, added))
    jws = register.forged(new, register.payload(BODY, "certificate.issued", a_number(), a_first_event()))
    assert accepted(register.decided(register.append(jws)))
    theirs = new_key()
    foreign = added | {"owner": OTHER, "key": dict(theirs.public.jwk)}
    assert refused_for(register.say(BODY, "key.added", theirs.public.kid, foreign)) == "not-responsible"
    assert register.signers[BODY] is old


def test_a_key_added_and_used_in_one_batch_works(register: Register) -> None:
    name = f"CNCA-R-2019-{8000 + len(register.keys)}"
    source, key = f"urn:certmark:body:{name}", new_key()
    approved = {"effective_at": ago(500), "name": "示范", "schemes": [{"scheme": "sample", "from": ago(500)}]}
    register.tell(AUTHORITY, "body.approved", name, approved)
    register.add_key(source, key, "event")
    assert accepted(register.decided(register.tell(source, "certificate.issued", a_number(), a_first_event())))


def test_a_disqualified_body_issues_nothing_but_still_ends_what_it_issued(register: Register) -> None:
    name = f"CNCA-R-2019-{8500 + len(register.keys)}"
    source = f"urn:certmark:body:{name}"
    approved = {"effective_at": ago(500), "name": "示范", "schemes": [{"scheme": "sample", "from": ago(500)}]}
    register.say(AUTHORITY, "body.approved", name, approved)
    register.decided(register.add_key(source, new_key(), "event"))
    number = register.issue(source=source)
    disqualified = {"effective_at": ago(1), "instrument": "决定"}
    assert accepted(register.say(AUTHORITY, "body.disqualified", name, disqualified))
    assert refused_for(register.say(source, "certificate.issued", a_number(), a_first_event())) == "not-competent"
    assert accepted(register.say(source, "certificate.revoked", number, {"effective_at": ago(0), "reason": "R01"}))


# --- one writer, and a batch that happens once --------------------------------------------------------------


def test_a_position_rewound_to_zero_changes_nothing(register: Register) -> None:
    register.issue()
    before = register.rows("SELECT seq, digest, recorded_at FROM entries ORDER BY seq")
    states = register.rows("SELECT key, revision, state FROM records ORDER BY key")
    with transaction(register.connection) as cur:
        cur.execute("UPDATE head SET position = start")
    register.worker.size = None
    register.decide_all()
    assert register.rows("SELECT seq, digest, recorded_at FROM entries ORDER BY seq") == before
    assert register.rows("SELECT key, revision, state FROM records ORDER BY key") == states
    with transaction(register.connection) as cur:  # the rewinding counted its events a second time
        cur.execute(
            "UPDATE head SET duplicates = 0, start = position - (SELECT count(*) FROM entries WHERE kind = 'event')"
            " - (SELECT count(*) FROM pending) - (SELECT count(*) FROM quarantine)"
        )


def test_a_certificate_that_was_forgotten_is_read_again(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    first = register.issue()
    monkeypatch.setattr(registry_register, "KEPT", 0)
    register.issue()
    assert register.worker.register.record(f"certificate/{first}") is None
    assert accepted(register.say(BODY, "certificate.suspended", first, a_suspension()))
    assert [s["status"] for s in register.state(first)["statuses"]] == ["active", "suspended"]


def test_what_a_batch_decided_and_did_not_commit_is_forgotten(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = register.issue()
    jws = register.tell(BODY, "certificate.suspended", number, a_suspension())

    def broken(cur: Cursor) -> None:
        raise LogUnavailable("the line is cut before the commit")

    with monkeypatch.context() as cut:
        cut.setattr(store, "notify", broken)
        with pytest.raises(LogUnavailable):
            register.decide_all()
    assert register.state(number)["status"] == "active"
    assert accepted(register.decided(jws))
    assert [s["status"] for s in register.state(number)["statuses"]] == ["active", "suspended"]


@pytest.mark.parametrize("fails_at", [0, 2], ids=["no fault", "one batch is not saved"])
def test_a_backlog_is_decided_batch_by_batch(
    register: Register, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    """Every batch is about what the one before it brought; a fault in between costs nothing and doubles nothing."""
    monkeypatch.setattr("services.registry.intake.BATCH", 500)
    numbers = [a_number() for _ in range(520)]
    marks = [an_authorization() for _ in numbers]
    for batch in (
        [register.sign(BODY, "certificate.issued", number, a_first_event()) for number in numbers],
        [register.sign(BODY, "mark.authorized", n, mark) for n, mark in zip(numbers, marks, strict=True)],
        [register.sign(BODY, "certificate.suspended", number, a_suspension()) for number in numbers],
    ):
        register.append(*batch)
    saved = 0
    notify = store.notify

    def sometimes(cur: Cursor) -> None:
        nonlocal saved
        saved += 1
        if saved == fails_at:
            raise LogUnavailable("the line is cut before the commit")
        notify(cur)

    monkeypatch.setattr(store, "notify", sometimes)
    faults = 0
    _, end = register.log.bounds(Topics.under(register.settings.topic_prefix).events)
    while register.head().position < end:
        try:
            register.worker.step()
        except LogUnavailable:
            faults += 1
            register.worker._drop()
    assert (faults, saved > 3) == (1 if fails_at else 0, True)
    rows = register.rows(
        "SELECT type, decision, count(*), count(DISTINCT subject) FROM entries WHERE subject = ANY(%s)"
        " AND kind = 'event' GROUP BY 1, 2 ORDER BY 1",
        numbers,
    )
    assert [(row[1], *row[2:]) for row in rows] == [("accepted", 520, 520)] * 3
    state = register.state(numbers[-1])
    assert (state["status"], [m["mark_no"] for m in state["marks"]]) == ("suspended", [marks[-1]["mark_no"]])
    seqs = [seq for (seq,) in register.rows("SELECT seq FROM entries ORDER BY seq")]
    assert seqs == list(range(register.head().size))


def test_a_standby_waits_while_the_leader_lives_and_takes_over_when_its_session_ends(register: Register) -> None:
    register.issue()
    standby = Worker(register.settings, name="standby")
    with closing(standby):
        with pytest.raises(NotLeader):
            standby.step()
        register.worker._drop()  # as a kill would: the session is gone, the lease still runs
        number = a_number()
        jws = register.tell(BODY, "certificate.issued", number, a_first_event())
        for _ in range(50):
            if register.decision(open_envelope(jws).digest):
                break
            standby.step()
        assert register.state(number)["status"] == "active"
        with pytest.raises(NotLeader):
            register.worker.step()
    assert register.issue()  # the standby has given the lease back


def test_a_clock_that_stands_before_what_was_recorded_is_told_once(
    register: Register, caplog: pytest.LogCaptureFixture
) -> None:
    def set_back(by: str) -> None:
        with transaction(register.connection) as cur:
            cur.execute("UPDATE head SET recorded_at = recorded_at + %s::interval", (by,))

    register.issue()
    set_back("1 hour")
    try:
        register.decide_all()
        register.worker.step()
    finally:
        set_back("-1 hour")
    assert caplog.messages.count("the clock stands before what was recorded last") == 1


def test_a_log_that_lost_events_stops_the_worker(register: Register) -> None:
    register.issue()
    lost = Worker(register.settings, name="lost")
    register.worker.close()
    with transaction(register.connection) as cur:
        cur.execute("UPDATE head SET position = position + 1000")
    try:
        with closing(lost), pytest.raises(LogTruncated):
            for _ in range(20):
                lost.step()
    finally:
        with transaction(register.connection) as cur:
            cur.execute("UPDATE head SET position = position - 1000")


# --- the relay ----------------------------------------------------------------------------------------------


def relayed(register: Register) -> dict[str, int]:
    """The revision that the state topic holds last of each key."""
    topic = Topics.under(register.settings.topic_prefix).state
    position, found = register.log.bounds(topic)[0], {}
    while records := register.log.read(topic, position, 500):
        for record in records:
            part = record.value.split(b".")[1]
            payload = json.loads(base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)))
            assert payload["key"] == record.key
            found[record.key] = payload["revision"]
        position = records[-1].position + 1
    return found


def catch_up(relay: Relay) -> None:
    while relay.step():
        pass


def test_the_last_state_record_of_each_key_is_the_row(register: Register) -> None:
    number = register.issue()
    relay = Relay(register.settings)
    catch_up(relay)
    register.say(BODY, "certificate.suspended", number, a_suspension())
    catch_up(relay)
    found = relayed(register)
    found.pop("heartbeat")
    assert found == dict(register.rows("SELECT key, revision FROM records"))
    relay.drop()


def test_a_certificates_record_tells_when_each_thing_was_recorded(register: Register) -> None:
    number = register.issue()
    relay = Relay(register.settings)
    register.say(BODY, "certificate.suspended", number, a_suspension())
    register.say(BODY, "certificate.suspended", number, a_suspension())  # refused: it is suspended
    register.say(BODY, "certificate.resumed", number, {"effective_at": TODAY.isoformat(), "verified_on": ago(0)})
    register.say(BODY, "certificate.surveillance_passed", number, {"effective_at": TODAY.isoformat()})
    catch_up(relay)
    relay.drop()
    topic = Topics.under(register.settings.topic_prefix).state
    values = {record.key: record.value for record in _all(register, topic)}
    history = [recorded(one) for one in read_record(open_sealed(values[f"certificate/{number}"]).payload).history]
    assert [(one.type, one.source) for one in history] == [
        (f"certmark.{name}.v1", BODY)
        for name in (
            "certificate.issued",
            "certificate.suspended",
            "certificate.resumed",
            "certificate.surveillance_passed",
        )
    ]
    rows = register.rows(
        "SELECT seq, digest, effective_at, recorded_at FROM entries WHERE subject = %s AND decision = 'accepted'"
        " AND kind = 'event' ORDER BY seq",
        number,
    )
    assert [(one.seq, one.digest, one.effective_at, one.recorded_at) for one in history] == rows
    assert all(not read_record(open_sealed(v).payload).history for k, v in values.items() if k.startswith("body/"))


def test_a_zombies_last_breath_is_mended(register: Register) -> None:
    number = register.issue()
    topic, relay = Topics.under(register.settings.topic_prefix).state, Relay(register.settings)
    catch_up(relay)
    stale = next(
        r.value
        for r in _all(register, topic)
        if r.key == f"certificate/{number}"
    )  # fmt: skip
    register.say(BODY, "certificate.suspended", number, a_suspension())
    catch_up(relay)
    register.log.append(topic, [(f"certificate/{number}", stale)])
    relay.step()
    assert relayed(register)[f"certificate/{number}"] == register.record(f"certificate/{number}").revision
    relay.drop()


def test_a_relay_that_starts_far_behind_looks_back_in_steps(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step ends its transaction: looking at everything in one would outlast what an idle transaction is given."""
    topic, relay = Topics.under(register.settings.topic_prefix).state, Relay(register.settings)
    catch_up(relay)
    begin = register.log.bounds(topic)[1]  # what other tests have left before it is theirs
    number, *_ = [register.issue() for _ in range(10)]
    catch_up(relay)
    relay.drop()
    stale = next(r.value for r in _all(register, topic) if r.key == f"certificate/{number}")
    register.say(BODY, "certificate.suspended", number, a_suspension())
    look_again_from(register, begin)
    monkeypatch.setattr("services.registry.relay.LOOKED_AT", 4)
    monkeypatch.setattr("services.registry.relay.BATCH", 2)
    again = Relay(register.settings)
    assert _steps_to_the_end(register, again) >= 2
    register.log.append(topic, [(f"certificate/{number}", stale)])
    _steps_to_the_end(register, again)
    assert relayed(register)[f"certificate/{number}"] == register.record(f"certificate/{number}").revision
    again.drop()


def test_no_heartbeat_says_that_all_is_published_while_something_waits(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.registry.relay.HEARTBEAT", 0)
    topic, relay = Topics.under(register.settings.topic_prefix).state, Relay(register.settings)
    catch_up(relay)
    begin = register.log.bounds(topic)[1]
    numbers = [register.issue() for _ in range(3)]
    monkeypatch.setattr("services.registry.portions.WEIGHT", 1)  # a record a step, however many it may take
    published = []
    for _ in numbers:
        relay.step()
        published.append([record.key for record in _all(register, topic) if record.position >= begin])
    relay.drop()
    keys = [f"certificate/{number}" for number in numbers]
    assert published == [keys[:1], keys[:2], [*keys, "heartbeat"]]


def _steps_to_the_end(register: Register, relay: Relay) -> int:
    """A broker that is slow to answer makes a step end early; a relay then waits and goes on."""
    end, steps = register.log.bounds(Topics.under(register.settings.topic_prefix).state)[1], 0
    while relay.step() or register.rows("SELECT tail FROM relayed")[0][0] < end:
        steps += 1
    return steps


def test_a_relay_that_starts_again_mends_without_reading_what_stood_there_before(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it costs to start must not grow with the topic: the register itself says which revision is the newest."""
    number = register.issue()
    topic, relay = Topics.under(register.settings.topic_prefix).state, Relay(register.settings)
    catch_up(relay)
    stale = next(r.value for r in _all(register, topic) if r.key == f"certificate/{number}")
    register.say(BODY, "certificate.suspended", number, a_suspension())
    catch_up(relay)
    relay.drop()
    (reached,) = register.rows("SELECT tail FROM relayed")[0]
    register.log.append(topic, [(f"certificate/{number}", stale)])
    read = looked_at(monkeypatch)
    again = Relay(register.settings)
    catch_up(again)
    again.drop()
    assert relayed(register)[f"certificate/{number}"] == register.record(f"certificate/{number}").revision
    assert read
    assert min(read) >= reached > 1


def test_a_relay_that_had_to_wait_reads_nothing_that_the_other_has_published(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = register.issue()
    one, other = Relay(register.settings), Relay(register.settings)
    catch_up(one)
    catch_up(other)
    register.say(BODY, "certificate.suspended", number, a_suspension())
    catch_up(one)
    (reached,) = register.rows("SELECT tail FROM relayed")[0]
    read = looked_at(monkeypatch)
    catch_up(other)
    assert all(position >= reached for position in read)
    for relay in (one, other):
        relay.drop()


def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Where on the state topic relays look from now on."""
    read: list[int] = []

    def noted(record: Record) -> int:
        read.append(record.position)
        return revision_of(record)

    monkeypatch.setattr("services.registry.relay.revision_of", noted)
    return read


def test_a_topic_that_is_ahead_of_the_register_stops_the_relay(register: Register) -> None:
    """A database restored from an older copy must not be published over what was known already."""
    number = register.issue()
    topic, relay = Topics.under(register.settings.topic_prefix).state, Relay(register.settings)
    catch_up(relay)
    relay.drop()
    key = f"certificate/{number}"
    row = register.record(key)
    present, ahead_of_it = (seal(replace(row, revision=row.revision + more), relay.seal_key) for more in (0, 1000))
    register.log.append(topic, [(key, ahead_of_it)])
    register.log.append(topic, [(key, present)])
    again = Relay(register.settings)
    try:
        if register.settings.log == "kafka":
            with pytest.raises(RegisterBehind):
                catch_up(again)
        else:  # that log keeps the last of a key alone, and is restored together with the register
            catch_up(again)
    finally:
        again.drop()
        look_again_from(register, register.log.bounds(topic)[1])
    assert relayed(register)[key] == row.revision


def look_again_from(register: Register, tail: int) -> None:
    with transaction(register.connection) as cur:
        cur.execute("UPDATE relayed SET tail = %s", (tail,))


def _all(register: Register, topic: Any) -> list[Any]:
    position, found = register.log.bounds(topic)[0], []
    while records := register.log.read(topic, position, 500):
        found += records
        position = records[-1].position + 1
    return found


def test_quarantined_records_are_copied_to_the_dead_letter_topic(register: Register) -> None:
    register.append(b"x" * 800_000, b"rubbish")
    register.decide_all()
    relay = Relay(register.settings)
    catch_up(relay)
    relay.drop()
    topic = Topics.under(register.settings.topic_prefix).dead_letter
    large, last = (json.loads(record.value) for record in _all(register, topic)[-2:])
    assert (last["code"], base64.b64decode(last["value"])) == ("not-an-envelope", b"rubbish")
    assert (large["code"], large["value"]) == ("too-large", None), "in base64 the log would not take it"


# --- settings -----------------------------------------------------------------------------------------------


def test_production_refuses_a_register_of_demonstration_keys(register: Register) -> None:
    register.worker.close()
    worker = Worker(replace(register.settings, production=True), name="production")
    with closing(worker), pytest.raises(NotConfigured):
        worker.step()


def test_known_at_finds_what_was_known_then(register: Register) -> None:
    number = register.issue()
    between = datetime.now(UTC)
    register.say(BODY, "certificate.revoked", number, {"effective_at": ago(100), "reason": "R05"})
    with transaction(register.connection) as cur:
        then = folded(cur, number, TODAY, between)
        now = folded(cur, number, TODAY, None)
    assert then is not None
    assert now is not None
    assert (then.certificate.status, now.certificate.status) == ("active", "revoked")
