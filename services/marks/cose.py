"""COSE as far as we sign with it (RFC 9052): two algorithms, their keys as COSE_Key, and what a signature covers."""

from collections.abc import Mapping

from services import base64url
from services.domain.errors import Malformed
from services.events.keys import ED25519, ES256, PublicKey, public_key
from services.marks import strict_cbor
from services.marks.strict_cbor import NotCbor, Value

ALGORITHMS: Mapping[str, int] = {ED25519: -19, ES256: -9}
"""The algorithm of a key → COSE's fully specified number (RFC 9864): Ed25519, ESP256."""

SIGNATURE_BYTES = 64


def cose_key(key: PublicKey) -> dict[int, int | bytes]:
    """The members of a public key that its RFC 9679 thumbprint is made of."""
    jwk = key.jwk
    if jwk["kty"] == "OKP":
        return {1: 1, -1: 6, -2: base64url.decoded(jwk["x"])}
    return {1: 2, -1: 1, -2: base64url.decoded(jwk["x"]), -3: base64url.decoded(jwk["y"])}


def from_cose_key(value: Value) -> PublicKey:
    """The key of a COSE_Key that has these members and no other.

    Raises:
        NotCbor: it is no public key on Ed25519 or P-256.
    """
    if not isinstance(value, dict):
        raise NotCbor("not a COSE_Key")
    x, y = value.get(-2), value.get(-3)
    try:
        if value.keys() == {1, -1, -2} and (value[1], value[-1]) == (1, 6) and isinstance(x, bytes):
            return public_key({"kty": "OKP", "crv": "Ed25519", "x": base64url.encoded(x)})
        p256 = value.keys() == {1, -1, -2, -3} and (value[1], value[-1]) == (2, 1)
        if p256 and isinstance(x, bytes) and isinstance(y, bytes) and len(x) == len(y) == 32:
            return public_key({"kty": "EC", "crv": "P-256", "x": base64url.encoded(x), "y": base64url.encoded(y)})
    except Malformed:
        raise NotCbor("a COSE_Key whose numbers are no public key") from None
    raise NotCbor("not a COSE_Key of Ed25519 or P-256")


def covered_by_one(protected: bytes, payload: bytes) -> bytes:
    """What the signature of a COSE_Sign1 without external data covers."""
    return strict_cbor.dumps(["Signature1", protected, b"", payload])


def covered_by_each(protected: bytes, signer: bytes, payload: bytes) -> bytes:
    """What one signature of a COSE_Sign covers: the body's protected header, the signer's own, the payload."""
    return strict_cbor.dumps(["Signature", protected, signer, b"", payload])
