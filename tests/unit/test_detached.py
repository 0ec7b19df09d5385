"""The registry's signature beside what it signs: it holds for these bytes, this time and this id, and for no others."""

import json
from datetime import UTC, datetime

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey

from services import base64url
from services.domain.errors import AlgorithmNotAllowed, BadSignature, NotAnEnvelope
from services.events import detached
from services.events.keys import ED25519, ES256, PublicKey, new_key

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
BODY = '{"items":[],"名":"证书"}'.encode()


@pytest.mark.parametrize("alg", [ED25519, ES256])
def test_a_signature_says_who_when_and_which(alg: str) -> None:
    key = new_key(alg)
    signature = detached.sign_detached(BODY, "delivery-1", NOW, key)
    said = detached.check_detached(signature, BODY, lambda kid: key.public)
    assert (said.kid, said.at, said.id) == (key.public.kid, NOW, "delivery-1")


@pytest.mark.parametrize("alg", [ED25519, ES256])
def test_another_library_checks_it_once_the_body_is_put_in(alg: str) -> None:
    key = new_key(alg)
    head, _, signature = detached.sign_detached(BODY, "delivery-1", NOW, key).split(".")
    jwk: dict[str, str | list[str]] = {**key.public.jwk}
    theirs = ECKey.import_key(jwk) if alg == ES256 else OKPKey.import_key(jwk)
    registry = jws.JWSRegistry(algorithms=[alg], strict_check_header=False)
    found = jws.deserialize_compact(f"{head}.{base64url.encoded(BODY)}.{signature}", theirs, registry=registry)
    assert found.payload == BODY
    assert found.headers()["jti"] == "delivery-1"
    assert detached.compact(BODY, "delivery-1", NOW, key).split(".")[:2] == [head, base64url.encoded(BODY)]


def test_no_other_body_and_no_other_key() -> None:
    key, other = new_key(), new_key()
    signature = detached.sign_detached(BODY, "delivery-1", NOW, key)
    with pytest.raises(BadSignature):
        detached.check_detached(signature, BODY + b" ", lambda kid: key.public)
    with pytest.raises(BadSignature):
        detached.check_detached(signature, BODY, lambda kid: other.public)
    with pytest.raises(AlgorithmNotAllowed):
        detached.check_detached(signature, BODY, lambda kid: new_key(ES256).public)


def never(kid: str) -> PublicKey:
    raise AssertionError("nobody's key is asked for")


def header(**members: object) -> str:
    given = {"alg": "Ed25519", "kid": "k", "typ": detached.TYP, "iat": 1, "jti": "x"} | members
    return base64url.encoded(json.dumps({name: value for name, value in given.items() if value is not None}).encode())


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "a.b",
        "a.b.c",
        "a..b..c",
        f"{header(typ='certmark-event+jws')}..AA",
        f"{header(kid=None)}..AA",
        f"{header(jti=7)}..AA",
        f"{header(iat='now')}..AA",
        f"{header(alg=None)}..AA",
        f"{header()}.AA.AA",
    ],
)
def test_what_is_no_such_signature(signature: str) -> None:
    with pytest.raises((NotAnEnvelope, ValueError)):
        detached.check_detached(signature, BODY, never)
