"""Signs the event of a case, and spoils it in the one way that the case is about."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from services import base64url
from services.events.conform.case import ABSENT, Members
from services.events.envelope import MAX_PAYLOAD, TYP, sign_compact
from services.events.keys import PrivateKey, new_key

Bend = Callable[[dict[str, Any], bytes, PrivateKey], bytes]
"""(header, payload, key) → the bytes that are sent."""


def forge(
    payload: Mapping[str, Any], key: PrivateKey, header: Members, text: tuple[str, str] = ("", ""), bent: str = ""
) -> bytes:
    """The JWS of an event; `header` and `text` depart from the right one, `bent` names one of `BENT`."""
    raw = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    what, by_what = text
    if what:
        if what not in raw:
            raise ValueError(f"{what!r} is not in the payload")
        raw = raw.replace(what, by_what, 1)
    members = without_absent({"alg": key.public.alg, "kid": key.public.kid, "typ": TYP, **header})
    return BENT[bent](members, raw.encode("utf-8"), key)


def without_absent(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value != ABSENT}


def signed_anew(jws: bytes, key: PrivateKey) -> bytes:
    """The same header and payload under another signature of the same key (ECDSA's differ every time)."""
    signing_input = jws.rpartition(b".")[0]
    return signing_input + b"." + base64url.encoded(key.sign(signing_input)).encode("ascii")


def _by_a_stranger(header: dict[str, Any], payload: bytes, key: PrivateKey) -> bytes:
    return sign_compact(header, payload, new_key(key.public.alg))


def _flipped(header: dict[str, Any], payload: bytes, key: PrivateKey) -> bytes:
    head, body, signature = sign_compact(header, payload, key).split(b".")
    raw = bytearray(base64.urlsafe_b64decode(signature + b"=="))
    raw[10] ^= 1
    return b".".join((head, body, base64url.encoded(bytes(raw)).encode()))


def _altered(header: dict[str, Any], payload: bytes, key: PrivateKey) -> bytes:
    head, _, signature = sign_compact(header, payload, key).split(b".")
    return b".".join((head, base64url.encoded(payload + b" ").encode(), signature))


def _der(header: dict[str, Any], payload: bytes, key: PrivateKey) -> bytes:
    head, body, signature = sign_compact(header, payload, key).split(b".")
    raw = base64.urlsafe_b64decode(signature + b"==")
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    return b".".join((head, body, base64url.encoded(der).encode()))


def _none(header: dict[str, Any], payload: bytes, key: PrivateKey) -> bytes:
    return sign_compact(header | {"alg": "none"}, payload, key).rpartition(b".")[0] + b"."


def _hs256(header: dict[str, Any], payload: bytes, key: PrivateKey) -> bytes:
    """What a verifier that takes `alg` from the header would accept: a MAC under the public key's bytes."""
    signing_input = sign_compact(header | {"alg": "HS256"}, payload, key).rpartition(b".")[0]
    secret = base64.urlsafe_b64decode(key.public.jwk["x"] + "=")
    return signing_input + b"." + base64url.encoded(hmac.digest(secret, signing_input, hashlib.sha256)).encode("ascii")


def _alg_twice(header: dict[str, Any], payload: bytes, key: PrivateKey) -> bytes:
    head = json.dumps(header, separators=(",", ":")).replace("{", '{"alg":"none",', 1)
    signing_input = f"{base64url.encoded(head.encode())}.{base64url.encoded(payload)}".encode("ascii")
    return signing_input + b"." + base64url.encoded(key.sign(signing_input)).encode("ascii")


def _spare_bits(header: dict[str, Any], payload: bytes, key: PrivateKey) -> bytes:
    """64 bytes leave four bits of the last character unused: set one, and a lenient reader sees no difference."""
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    jws = sign_compact(header, payload, key)
    return jws[:-1] + alphabet[alphabet.index(jws[-1]) + 1 :][:1]


def _filled_to(size: int) -> Bend:
    """Spaces after the object are still JSON, so a payload of every length can be made."""
    return lambda header, payload, key: sign_compact(header, payload.ljust(size), key)


BENT: Mapping[str, Bend] = {
    "": sign_compact,
    "by a stranger": _by_a_stranger,
    "flipped": _flipped,
    "altered": _altered,
    "DER": _der,
    "none": _none,
    "HS256": _hs256,
    "alg twice": _alg_twice,
    "spare bits": _spare_bits,
    "two parts": lambda header, payload, key: sign_compact(header, payload, key).rpartition(b".")[0],
    "four parts": lambda header, payload, key: sign_compact(header, payload, key) + b".AAAA",
    "padded": lambda header, payload, key: sign_compact(header, payload, key) + b"==",
    "plain base64": lambda header, payload, key: (
        sign_compact(header, payload + b"\xff\xff\xff", key).replace(b"-", b"+").replace(b"_", b"/")
    ),
    "not UTF-8": lambda header, payload, key: sign_compact(header, payload[:-1] + b"\xff}", key),
    "array": lambda header, payload, key: sign_compact(header, b"[" + payload + b"]", key),
    "rest": lambda header, payload, key: sign_compact(header, payload + b"{}", key),
    "64 KiB": _filled_to(MAX_PAYLOAD),
    "64 KiB + 1": _filled_to(MAX_PAYLOAD + 1),
}
"""The ways in which signed bytes are spoiled (and two in which they only look so)."""
