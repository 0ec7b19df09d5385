"""Trust grows from the pinned genesis along signed events, and from nothing else."""

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest

from services.domain.errors import CertmarkError, KeyNotValid, Malformed, NotConfigured, UnknownKey, Untrusted
from services.events.envelope import open_envelope
from services.events.keyring import Keyring
from services.events.keys import PrivateKey, new_key
from services.events.record import open_sealed, read_record
from tests.signed import AUTHORITY, BODY, DECLARANT, NOW, OTHER_BODY, REGISTRY, Registry, event_of


def ring(registry: Registry, *records: bytes) -> Keyring:
    keyring = Keyring(registry.genesis)
    keyring.build([*registry.beginning(), *records])
    return keyring


def test_without_a_pinned_genesis_nobody_is_believed() -> None:
    with pytest.raises(NotConfigured):
        Keyring("")


def test_the_order_of_the_records_does_not_matter() -> None:
    registry, first, second = Registry(), new_key(), new_key("ES256")
    rotated = registry.addition(second, BODY, signer=first, source=BODY)
    records = [
        *registry.beginning(),
        registry.record(first, BODY),
        registry.record(second, BODY, event=rotated),
    ]
    for order in itertools.permutations(records):
        keyring = Keyring(registry.genesis)
        keyring.build(order)
        assert {key.kid for key in keyring.known_keys()} == {
            k.public.kid for k in (registry.root, registry.seal, first, second)
        }


def test_another_genesis_is_not_believed() -> None:
    registry, forged = Registry(), Registry()
    keyring = Keyring(registry.genesis)
    keyring.build(forged.beginning())
    assert not keyring.has_genesis


def test_a_genesis_signed_by_another_key_is_not_believed() -> None:
    registry, thief = Registry(), new_key()
    data = {"name": "x", "key": dict(registry.root.public.jwk), "demonstration": True, "effective_at": "2019-01-01"}
    forged = event_of(thief, AUTHORITY, "authority.established", "test", data)
    keyring = Keyring(open_envelope(forged).digest)
    keyring.build([registry.record(registry.root, AUTHORITY, event=forged)])
    assert not keyring.has_genesis


BODY_KEY = new_key()
EVIL = new_key()


@pytest.mark.parametrize(
    ("signer", "source", "owner", "purpose"),
    [
        (BODY_KEY, BODY, BODY, "seal"),
        (BODY_KEY, BODY, REGISTRY, "seal"),
        (BODY_KEY, BODY, OTHER_BODY, "event"),
        (BODY_KEY, AUTHORITY, REGISTRY, "seal"),
        (EVIL, AUTHORITY, REGISTRY, "seal"),
        (EVIL, AUTHORITY, BODY, "event"),
        (EVIL, BODY, BODY, "event"),
    ],
)
def test_who_may_not_add_a_key(signer: PrivateKey, source: str, owner: str, purpose: str) -> None:
    registry = Registry()
    keyring = ring(registry, registry.record(BODY_KEY, BODY))
    event = registry.addition(EVIL, owner, purpose, signer, source)
    for seal in (EVIL, registry.seal):
        with pytest.raises(Untrusted):
            keyring.apply(registry.record(EVIL, owner, purpose, event, seal))
        assert keyring.key(EVIL.public.kid) is None


@pytest.mark.parametrize("authority", [True, False])
def test_an_authority_is_established_by_an_authority_alone(authority: bool) -> None:
    """The body signs in its own name with a key that counts; it is only not who may say so."""
    registry = Registry()
    keyring = ring(registry, registry.record(BODY_KEY, BODY))
    signer, source = (registry.root, AUTHORITY) if authority else (BODY_KEY, BODY)
    data = {"name": "x", "key": dict(EVIL.public.jwk), "demonstration": True, "effective_at": "2019-01-01"}
    keyring.learn_event(event_of(signer, source, "authority.established", "another", data))
    found = keyring.registered(EVIL.public.kid)
    assert (found and found.key.owner) == ("urn:certmark:authority:another" if authority else None)


def test_a_stolen_seal_cannot_bring_in_a_signer_without_an_event() -> None:
    registry = Registry()
    keyring = ring(registry)
    other = registry.record(new_key(), BODY)
    record = read_record(open_sealed(other).payload)
    assert record.state is not None
    forged = registry.sealed(f"key/{EVIL.public.kid}", record.state | {"kid": EVIL.public.kid})
    with pytest.raises(Untrusted):
        keyring.apply(forged)


def test_a_new_seal_introduces_itself_by_its_event() -> None:
    registry, later = Registry(), new_key()
    keyring = ring(registry)
    keyring.apply(registry.record(later, REGISTRY, "seal", seal=later))
    assert keyring.verify_record(registry.record(later, REGISTRY, "seal", seal=later)).revision == registry.revision


def test_a_record_must_not_contradict_the_event_that_added_the_key() -> None:
    registry = Registry()
    keyring = ring(registry, registry.record(BODY_KEY, BODY))
    event = registry.addition(BODY_KEY, BODY)
    with pytest.raises(Untrusted):
        keyring.apply(registry.record(BODY_KEY, OTHER_BODY, event=event))


def test_retired_and_compromised_keys_sign_no_more() -> None:
    registry, key = Registry(), new_key()
    keyring = ring(registry, registry.record(key, BODY))
    envelope = open_envelope(event_of(key))
    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert keyring.event_key(envelope, at).key.owner == BODY
    keyring.apply(registry.record(key, BODY, retired_on="2026-11-22"))
    with pytest.raises(KeyNotValid):
        keyring.event_key(envelope, at)
    keyring.apply(registry.record(key, BODY, compromised_since="2026-11-22T19:00:00+08:00"))
    assert keyring.event_key(envelope, at.replace(hour=10)).key.owner == BODY
    with pytest.raises(KeyNotValid):
        keyring.event_key(envelope, at)


def test_an_older_revision_never_replaces_a_newer_one() -> None:
    registry, key = Registry(), new_key()
    older = registry.record(key, BODY)
    newer = registry.record(key, BODY, retired_on="2026-01-01")
    for order in ([older, newer], [newer, older]):
        found = ring(registry, *order).key(key.public.kid)
        assert found is not None
        assert found.retired_on is not None


@pytest.mark.parametrize(("owner", "purpose"), [(REGISTRY, "seal"), (REGISTRY, "mark"), (DECLARANT, "event")])
def test_a_key_for_something_else_signs_no_event(owner: str, purpose: str) -> None:
    registry, key = Registry(), new_key()
    keyring = ring(registry, registry.record(key, owner, purpose))
    with pytest.raises(KeyNotValid):
        keyring.event_key(open_envelope(event_of(key)), NOW)


def test_a_declarants_key_signs_declarations() -> None:
    registry, key = Registry(), new_key()
    keyring = ring(registry, registry.record(key, DECLARANT, "declaration"))
    assert keyring.event_key(open_envelope(event_of(key, DECLARANT)), NOW).key.owner == DECLARANT


def test_records_of_others_are_not_verified() -> None:
    registry, forged = Registry(), Registry()
    keyring = ring(registry)
    with pytest.raises(UnknownKey):
        keyring.verify_record(forged.sealed("heartbeat", None))
    good = registry.sealed("heartbeat", None)
    assert keyring.verify_record(good).key == "heartbeat"
    head, payload, seal = good.split(b".")
    swapped = bytearray(payload)
    swapped[30] ^= 1
    with pytest.raises(CertmarkError):
        keyring.verify_record(head + b"." + bytes(swapped) + b"." + seal)


@pytest.mark.parametrize("value", [b"", b"a.b", b"e30.e30.e30", b"\xff.\xff.\xff", b"x" * 600_000])
def test_what_is_no_record_is_malformed(value: bytes) -> None:
    registry = Registry()
    with pytest.raises(Malformed):
        ring(registry).verify_record(value)
    ring(registry, value)


def test_a_newer_seal_may_seal_an_older_record_again_and_an_ended_one_may_not() -> None:
    registry, newer = Registry(), new_key()
    data = {"owner": REGISTRY, "purpose": "seal", "key": dict(newer.public.jwk), "from": "2030-01-01"}
    added = event_of(registry.root, AUTHORITY, "key.added", newer.public.kid, data)
    beginning = registry.beginning()
    later: dict[str, Any] = {"from": "2030-01-01"}
    record = registry.record(newer, REGISTRY, "seal", added, **later)
    ended = registry.record(registry.seal, REGISTRY, "seal", seal=newer, retired_on="2020-01-01")
    keyring = Keyring(registry.genesis)
    keyring.build([*beginning, record, ended])
    assert keyring.verify_record(registry.sealed("heartbeat", None, seal=newer)).recorded_at == NOW
    with pytest.raises(KeyNotValid):
        keyring.verify_record(registry.sealed("heartbeat", None))
