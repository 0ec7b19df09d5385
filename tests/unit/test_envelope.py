"""The envelope: every way in which it can be wrong has its own name."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from services import base64url
from services.domain.errors import (
    AlgorithmNotAllowed,
    BadEvent,
    BadSignature,
    CertmarkError,
    DuplicateKey,
    NotAnEnvelope,
    NotThisSource,
    TooLarge,
)
from services.events.envelope import (
    MAX_PAYLOAD,
    TYP,
    check_signature,
    check_source,
    open_envelope,
    read_event,
    sign_compact,
    sign_event,
)
from services.events.keys import PrivateKey, new_key

KEY = new_key()
BODY = "urn:certmark:body:CNCA-R-2019-7901"
PAYLOAD: dict[str, Any] = {
    "specversion": "1.0",
    "id": "6f0c1c0e-5f5e-4c1e-9b1a-2f6f3a1d9d10",
    "source": BODY,
    "type": "certmark.certificate.suspended.v1",
    "subject": "2023990703000117",
    "time": "2026-11-22T09:00:00+08:00",
    "sequence": 1,
    "signatory": "7901-0042",
    "data": {"effective_at": "2026-11-22", "reason": "S03", "until": "2026-12-14"},
}


def header(**changes: object) -> dict[str, Any]:
    return {"alg": KEY.public.alg, "kid": KEY.public.kid, "typ": TYP, **changes}


def signed_with(head: dict[str, Any], payload: bytes | None = None) -> bytes:
    return sign_compact(head, payload if payload is not None else json.dumps(PAYLOAD).encode(), KEY)


@pytest.mark.parametrize("alg", ["Ed25519", "ES256"])
def test_a_signed_event_is_read_back(alg: str) -> None:
    key = new_key(alg)
    envelope = open_envelope(sign_event(PAYLOAD, key))
    check_signature(envelope, key.public)
    event = read_event(envelope)
    assert (event.subject, event.sequence, event.previous) == ("2023990703000117", 1, None)
    assert event.digest == hashlib.sha256(envelope.signing_input).hexdigest()


def test_the_old_name_of_ed25519_is_accepted() -> None:
    check_signature(open_envelope(signed_with(header(alg="EdDSA"))), KEY.public)


def test_a_second_ecdsa_signature_is_the_same_event() -> None:
    key = new_key("ES256")
    first, second = (open_envelope(sign_event(PAYLOAD, key)) for _ in range(2))
    assert first.signature != second.signature
    assert first.digest == second.digest


def hmac_with_the_public_key() -> bytes:
    """The classic confusion: the public key's bytes as an HMAC secret."""
    head = base64url.encoded(json.dumps(header(alg="HS256")).encode())
    signing_input = f"{head}.{base64url.encoded(json.dumps(PAYLOAD).encode())}".encode()
    secret = base64.urlsafe_b64decode(KEY.public.jwk["x"] + "=")
    return signing_input + b"." + base64url.encoded(hmac.digest(secret, signing_input, "sha256")).encode()


def unsigned() -> bytes:
    return signed_with(header(alg="none")).rpartition(b".")[0] + b"."


GOOD = sign_event(PAYLOAD, KEY)
HEAD, BODY_PART, SIGNATURE = GOOD.split(b".")


@pytest.mark.parametrize(
    ("jws", "error"),
    [
        (b"", NotAnEnvelope),
        (b"..", CertmarkError),
        (GOOD + b".x", NotAnEnvelope),
        (b"{}", NotAnEnvelope),
        (b"\xff" * 40, NotAnEnvelope),
        (unsigned(), AlgorithmNotAllowed),
        (hmac_with_the_public_key(), AlgorithmNotAllowed),
        (signed_with(header(alg="RS256")), AlgorithmNotAllowed),
        (signed_with(header(alg=None)), AlgorithmNotAllowed),
        (signed_with(header(alg=["Ed25519"])), CertmarkError),
        (signed_with(header(typ="JWT")), NotAnEnvelope),
        (signed_with(header(kid=7)), NotAnEnvelope),
        (signed_with({"alg": "Ed25519", "typ": TYP}), NotAnEnvelope),
        (signed_with(header(crit=["exp"])), NotAnEnvelope),
        (signed_with(header(b64=False)), NotAnEnvelope),
        (HEAD + b"=." + BODY_PART + b"." + SIGNATURE, NotAnEnvelope),
        (HEAD + b"." + BODY_PART + b"\n." + SIGNATURE, NotAnEnvelope),
        (HEAD + b"." + BODY_PART.replace(b"c", b"+", 1) + b"." + SIGNATURE, NotAnEnvelope),
        # The last character's spare bits: another text that decodes to the same 64 bytes.
        (GOOD[:-1] + bytes([GOOD[-1] + 1]), NotAnEnvelope),
        (signed_with(header(x="y" * 2000)), TooLarge),
        (signed_with(header(), b" " * (MAX_PAYLOAD + 1)), TooLarge),
        (b"a" * 1024 * 1024, TooLarge),
    ],
)
def test_what_is_not_an_envelope(jws: bytes, error: type[CertmarkError]) -> None:
    with pytest.raises(error):
        open_envelope(jws)


def test_two_kids_in_one_header_are_refused() -> None:
    head = base64url.encoded(json.dumps(header()).replace("{", '{"kid": "x", ', 1).encode()).encode()
    with pytest.raises(DuplicateKey):
        open_envelope(head + b"." + BODY_PART + b"." + SIGNATURE)


@pytest.mark.parametrize("position", [0, 20, -1])
def test_a_changed_payload_does_not_verify(position: int) -> None:
    payload = bytearray(json.dumps(PAYLOAD).encode())
    payload[position] ^= 1
    envelope = open_envelope(HEAD + b"." + base64url.encoded(bytes(payload)).encode() + b"." + SIGNATURE)
    with pytest.raises(BadSignature):
        check_signature(envelope, KEY.public)


def test_the_algorithm_is_the_keys_never_the_events() -> None:
    envelope = open_envelope(signed_with(header(alg="ES256")))
    with pytest.raises(AlgorithmNotAllowed):
        check_signature(envelope, KEY.public)


def test_an_ecdsa_signature_of_another_length_does_not_verify() -> None:
    key = new_key("ES256")
    good = sign_event(PAYLOAD, key)
    short = good.rpartition(b".")[0] + b"." + base64url.encoded(b"\x01" * 63).encode()
    with pytest.raises(BadSignature):
        check_signature(open_envelope(short), key.public)


def test_a_key_speaks_for_its_owner_alone() -> None:
    event = read_event(open_envelope(GOOD))
    check_source(event, BODY)
    with pytest.raises(NotThisSource):
        check_source(event, "urn:certmark:body:CNCA-R-2019-7902")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"specversion": "0.3"}, "/specversion"),
        ({"id": "6F0C1C0E-5F5E-4C1E-9B1A-2F6F3A1D9D10"}, "/id"),
        ({"id": ""}, "/id"),
        ({"source": "urn:certmark:body:"}, "/source"),
        ({"source": "urn:certmark:registry:main"}, "/source"),
        ({"source": "urn:certmark:body:\uff21"}, "/source"),
        ({"type": 1}, "/type"),
        ({"subject": ""}, "/subject"),
        ({"subject": "x" * 129}, "/subject"),
        ({"time": "2026-11-22"}, "/time"),
        ({"time": "2026-02-30T00:00:00Z"}, "/time"),
        ({"time": "2026-11-22T25:00:00Z"}, "/time"),
        ({"sequence": 0}, "/sequence"),
        ({"sequence": True}, "/sequence"),
        ({"sequence": "1"}, "/sequence"),
        ({"sequence": 1.5}, "/sequence"),
        ({"sequence": 2}, "/previous"),
        ({"previous": "sha256:" + "0" * 64}, "/previous"),
        ({"sequence": 2, "previous": "0" * 64}, "/previous"),
        ({"sequence": 2, "previous": "sha256:" + "A" * 64}, "/previous"),
        ({"signatory": "张三"}, "/signatory"),
        ({"signatory": None}, "/signatory"),
        ({"data": []}, "/data"),
        ({"dataschema": 1}, "/dataschema"),
        ({"dataschema": "x" * 257}, "/dataschema"),
        ({"datacontenttype": "text/plain"}, "/datacontenttype"),
        ({"extra": 1}, "/extra"),
    ],
)
def test_a_member_of_the_wrong_form_is_pointed_at(changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(BadEvent) as caught:
        read_event(open_envelope(sign_event({**PAYLOAD, **changes}, KEY)))
    assert caught.value.pointer == pointer


@pytest.mark.parametrize("missing", sorted(PAYLOAD))
def test_a_missing_member_is_pointed_at(missing: str) -> None:
    payload = {name: value for name, value in PAYLOAD.items() if name != missing}
    with pytest.raises(BadEvent) as caught:
        read_event(open_envelope(sign_event(payload, KEY)))
    assert caught.value.pointer == f"/{missing}"


def test_the_exact_bytes_are_kept() -> None:
    payload = json.dumps(PAYLOAD, indent=3).encode()
    jws = signed_with(header(), payload)
    envelope = open_envelope(jws)
    assert (envelope.jws, envelope.payload) == (jws, payload)


def test_keys_are_told_apart_by_their_thumbprint() -> None:
    keys: list[PrivateKey] = [new_key(), new_key(), new_key("ES256")]
    assert len({key.public.kid for key in keys}) == 3


def test_a_fresh_keys_kid_is_no_option_on_a_command_line() -> None:
    assert not any(new_key().public.kid.startswith("-") for _ in range(300))
