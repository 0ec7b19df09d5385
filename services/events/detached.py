"""The registry's signature on what it answers or delivers: a JWS whose payload travels beside it (RFC 7515, F).

The protected header holds `alg`, `kid`, `typ`, `iat` (seconds since 1970) and `jti` (the id of the answer or delivery),
so that the signature covers when and which as well as what. Who checks it puts the base64url of the body's exact bytes
between the two dots and has an ordinary compact JWS.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from services import base64url
from services.domain.errors import AlgorithmNotAllowed, NotAnEnvelope
from services.events import strict_json
from services.events.envelope import sign_compact
from services.events.keys import HEADER_NAMES, PrivateKey, PublicKey

HEADER = "Certmark-Signature"
TYP = "certmark-answer+jws"


@dataclass(frozen=True, slots=True)
class Signed:
    """What a signature says beside the content: by which key, when, and the id."""

    kid: str
    at: datetime
    id: str


def sign_detached(body: bytes, answer_id: str, now: datetime, key: PrivateKey) -> str:
    """The signature over a body, for the header `Certmark-Signature`."""
    head, _, signature = compact(body, answer_id, now, key).split(".")
    return f"{head}..{signature}"


def compact(body: bytes, answer_id: str, now: datetime, key: PrivateKey) -> str:
    """The same with the body inside."""
    header = {
        "alg": key.public.alg,
        "kid": key.public.kid,
        "typ": TYP,
        "iat": int(now.timestamp()),
        "jti": answer_id,
    }
    return sign_compact(header, body, key).decode("ascii")


def check_detached(signature: str, body: bytes, key_of: Callable[[str], PublicKey]) -> Signed:
    """What the signature says, once it holds under the key that `key_of` gives for its kid.

    Raises:
        NotAnEnvelope: not such a signature. AlgorithmNotAllowed: not the key's algorithm. BadSignature: does not hold.
    """
    parts = signature.split(".")
    if len(parts) != 3 or parts[1]:
        raise NotAnEnvelope("not a JWS in compact form with its payload left out")
    header = strict_json.loads(_unbase64(parts[0]))
    if header.get("typ") != TYP or not all(isinstance(header.get(name), str) for name in ("alg", "kid", "jti")):
        raise NotAnEnvelope(f"the header needs alg, kid, jti and typ {TYP!r}")
    if not isinstance(header.get("iat"), int):
        raise NotAnEnvelope("the header needs iat, in seconds")
    key = key_of(header["kid"])
    if header["alg"] not in HEADER_NAMES[key.alg]:
        raise AlgorithmNotAllowed(f"alg {header['alg'][:32]} with a key for {key.alg}")
    key.verify(_unbase64(parts[2]), f"{parts[0]}.{base64url.encoded(body)}".encode("ascii"))
    return Signed(header["kid"], datetime.fromtimestamp(header["iat"], UTC), header["jti"])


def _unbase64(part: str) -> bytes:
    try:
        return base64url.decoded(part)
    except ValueError as error:
        raise NotAnEnvelope(str(error)) from None
