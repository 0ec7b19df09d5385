"""The mark token: a COSE_Sign1 without its boilerplate, small enough to be read as one decimal number in a QR."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import ClassVar, Protocol
from urllib.parse import quote

import cbor2

from services import base64url
from services.domain.errors import BadSignature

KID_BYTES = 4
SIGNATURE_BYTES = 64
MODEL_BYTES = 24
_EPOCH = date(1970, 1, 1)
_DECIMAL = re.compile(r"[1-9][0-9]{150,500}", re.ASCII)
_HEAD = 1 + KID_BYTES

VERSIONS: dict[str, int] = {"Ed25519": 1, "ES256": 2}
"""Algorithm of a key → the token's first byte. 3 is reserved for SM2 with SM3; 0 would vanish in the decimal form."""

_COSE_ALG = {1: b"\x32", 2: b"\x28"}
"""Token version → the COSE algorithm as CBOR: -19 (Ed25519), -9 (ESP256)."""


class TokenRefused(Exception):
    """A token that proves nothing. `code` is the answer code; the text is for logs and never holds a claim."""

    code: ClassVar[str] = "unreadable"


class Unreadable(TokenRefused):
    """Not a token: wrong alphabet, length, version, or a payload that is not in its one canonical form."""

    code = "unreadable"


class UnknownSigner(TokenRefused):
    """No key with this kid was a mark key on the day of signing."""

    code = "unknown_signer"


class SignatureRefused(TokenRefused):
    """The signature does not hold for this content at this address."""

    code = "bad_signature"


class TokenTooLong(ValueError):
    """The numbers leave more digits than a verifier accepts: such a mark cannot be printed as a code."""


class PublicKey(Protocol):
    """What a verifier needs of a key; `services.events.keys.PublicKey` is one."""

    @property
    def alg(self) -> str: ...
    @property
    def jwk(self) -> Mapping[str, str]: ...
    def verify(self, signature: bytes, message: bytes) -> None: ...


class PrivateKey(Protocol):
    """What a signer needs of a key; `services.events.keys.PrivateKey` is one."""

    @property
    def public(self) -> PublicKey: ...
    def sign(self, message: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class MarkKey:
    """A public key of purpose `mark` and the days on which it may have signed (both inclusive; None: no end)."""

    public: PublicKey
    first_day: date
    last_day: date | None = None

    def signed_on(self, day: date) -> bool:
        return self.first_day <= day and (self.last_day is None or day <= self.last_day)


@dataclass(frozen=True, slots=True)
class MarkPath:
    """The address that a token is bound to: a product's GTIN with or without a serial, or a certificate's number."""

    gtin: str | None = None
    serial: str | None = None
    certificate_no: str | None = None

    @classmethod
    def of_product(cls, gtin: str, serial: str | None = None) -> "MarkPath":
        return cls(gtin=gtin, serial=serial)

    @classmethod
    def of_certificate(cls, certificate_no: str) -> "MarkPath":
        return cls(certificate_no=certificate_no)

    @property
    def aad(self) -> bytes:
        """What the signature covers without the token repeating it (`ext_aad` of COSE)."""
        if self.gtin is None:
            return f"c{self.certificate_no}".encode()
        return f"01{self.gtin}{'' if self.serial is None else '21' + self.serial}".encode()

    @property
    def url_path(self) -> str:
        if self.gtin is None:
            return f"/c/{quote(self.certificate_no or '', safe='')}"
        return f"/01/{self.gtin}" + ("" if self.serial is None else f"/21/{quote(self.serial, safe='')}")


@dataclass(frozen=True, slots=True)
class MarkClaims:
    """What a token says: whose mark, under which certificate, from when and for how long, and where its status is.

    `issued_on` is the day of signing; `valid_days` counts from it, 0 means no end.
    """

    issued_on: date
    valid_days: int
    mark_no: str
    certificate_no: str
    list_id: int
    index: int
    model: str
    item_no: int | None = None

    @property
    def last_valid_day(self) -> date | None:
        return self.issued_on + timedelta(days=self.valid_days - 1) if self.valid_days else None


@dataclass(frozen=True, slots=True)
class OpenToken:
    """A token taken apart but not yet believed: nothing of `claims` may be shown before `verify_token` returns them."""

    version: int
    kid: bytes
    payload: bytes
    signature: bytes
    claims: MarkClaims


def valid_days(issued_on: date, valid_until: date | None) -> int:
    """The `valid_days` of a token whose last valid day is `valid_until` (None: no end).

    Raises:
        ValueError: the mark ends before the day of signing; such a mark gets no token.
    """
    if valid_until is None:
        return 0
    days = (valid_until - issued_on).days + 1
    if days < 1:
        raise ValueError(f"the mark ended on {valid_until}, before the day of signing {issued_on}")
    return days


def short_model(model: str) -> str:
    """The stated short form: as many whole characters as fit into 24 bytes of UTF-8."""
    return model.encode()[:MODEL_BYTES].decode("utf-8", "ignore")


def sign_token(claims: MarkClaims, path: MarkPath, key: PrivateKey) -> bytes:
    """The token of these claims at this address.

    Raises:
        TokenTooLong: the numbers are too long for 501 digits. ValueError: model over 24 bytes, negative counts.
    """
    payload = _encode(claims)
    version = VERSIONS[key.public.alg]
    kid = mark_kid(key.public)
    token = bytes((version,)) + kid + payload + key.sign(_to_be_signed(version, kid, path, payload))
    if not _DECIMAL.fullmatch(decimal(token)):
        raise TokenTooLong(f"a token of {len(token)} bytes has more digits than a verifier accepts")
    return token


def open_token(token: bytes) -> OpenToken:
    """Take a token apart.

    Raises:
        Unreadable: it is not one in its canonical form.
    """
    if len(token) <= _HEAD + SIGNATURE_BYTES or token[0] not in _COSE_ALG:
        raise Unreadable("not a token of a known version")
    payload = token[_HEAD:-SIGNATURE_BYTES]
    claims = _decode(payload)
    # The reader below takes only shortest forms; encoding again also catches digits that were sent as text.
    try:
        if _encode(claims) != payload:
            raise Unreadable("the payload is not in canonical form")
    except ValueError:
        raise Unreadable("the payload breaks a limit of the format") from None
    return OpenToken(token[0], token[1:_HEAD], payload, token[-SIGNATURE_BYTES:], claims)


def last_day_said(token: bytes) -> date | None:
    """The last valid day of a token that we signed ourselves (None: no end), read without looking at the rest."""
    issued, at = _item(token, _HEAD + 1)
    days, _ = _item(token, at)
    return _EPOCH + timedelta(days=int(issued) + int(days) - 1) if days else None


def verify_token(token: OpenToken, path: MarkPath, keys: Iterable[MarkKey]) -> MarkClaims:
    """The claims, once a mark key with this kid that was valid on the day of signing stands behind them at `path`.

    Raises:
        UnknownSigner: no such key. SignatureRefused: there is, but its signature does not hold here.
    """
    message = _to_be_signed(token.version, token.kid, path, token.payload)
    tried = False
    for key in keys:  # four bytes of kid are a hint: two keys may share them
        same_kind = VERSIONS.get(key.public.alg) == token.version
        if not (same_kind and mark_kid(key.public) == token.kid and key.signed_on(token.claims.issued_on)):
            continue
        tried = True
        try:
            key.public.verify(token.signature, message)
        except BadSignature:
            continue
        return token.claims
    if tried:
        raise SignatureRefused("the signature does not hold for this content at this address")
    raise UnknownSigner("no mark key with this kid on the day of signing")


def decimal(token: bytes) -> str:
    """The token as one decimal number; QR codes pack digits three to ten bits."""
    return str(int.from_bytes(token, "big"))


def from_decimal(text: str) -> bytes:
    """The bytes of a decimal number.

    Raises:
        Unreadable: anything but ASCII digits without a leading zero. Python's int() would take full-width digits too.
    """
    if not _DECIMAL.fullmatch(text):
        raise Unreadable("not a number of 151 to 501 ASCII digits")
    number = int(text)
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def mark_url(base: str, path: MarkPath, token: bytes) -> str:
    """The address in the QR. `base` is scheme and host without a final slash, in lower case."""
    if base != base.lower():
        raise ValueError(f"{base!r}: scanners take an upper-case scheme or host for plain text")
    return f"{base}{path.url_path}?m={decimal(token)}"


def mark_kid(key: PublicKey) -> bytes:
    """The first four bytes of the RFC 9679 thumbprint."""
    jwk = key.jwk
    return _kid(jwk["kty"], jwk["x"], jwk.get("y", ""))


@lru_cache(maxsize=256)
def _kid(kty: str, x: str, y: str) -> bytes:
    parameters: dict[int, object] = {1: 1, -1: 6, -2: base64url.decoded(x)}
    if kty == "EC":
        parameters = {1: 2, -1: 1, -2: base64url.decoded(x), -3: base64url.decoded(y)}
    return hashlib.sha256(cbor2.dumps(parameters, canonical=True)).digest()[:KID_BYTES]


def protected_header(version: int, kid: bytes) -> bytes:
    """The protected header that the token leaves out: {1: alg, 4: kid}."""
    return b"\xa2\x01" + _COSE_ALG[version] + b"\x04\x44" + kid


def _to_be_signed(version: int, kid: bytes, path: MarkPath, payload: bytes) -> bytes:
    return cbor2.dumps(["Signature1", protected_header(version, kid), path.aad, payload])


def _encode(claims: MarkClaims) -> bytes:
    counts = [claims.valid_days, claims.list_id, claims.index]
    counts += [] if claims.item_no is None else [claims.item_no]
    if min(counts) < 0 or max(counts) >= 2**32 or claims.issued_on < _EPOCH:
        raise ValueError("days, list, index and item count from 0 to 2^32-1, days from 1970-01-01")
    if len(claims.model.encode()) > MODEL_BYTES:
        raise ValueError(f"the model has more than {MODEL_BYTES} bytes: use its short form")
    members: list[int | str] = [
        (claims.issued_on - _EPOCH).days,
        claims.valid_days,
        _number(claims.mark_no),
        _number(claims.certificate_no),
        claims.list_id,
        claims.index,
        claims.model,
    ]
    if claims.item_no is not None:
        members.append(claims.item_no)
    return cbor2.dumps(members)


def _number(text: str) -> int | str:
    """Canonical decimal digits below 2^64 as an integer, anything else as text."""
    if text.isascii() and text.isdigit() and len(text) <= 20 and (text == "0" or text[0] != "0"):
        number = int(text)
        if number < 2**64:
            return number
    return text


def _decode(payload: bytes) -> MarkClaims:
    """The claims of an array of unsigned integers and texts, and nothing else that CBOR could hold.

    A general decoder would build dates, fractions and regular expressions out of tags before anybody checked
    the signature; this reader knows two kinds of item.
    """
    items: list[int | str] = []
    at = 1
    while at < len(payload):
        item, at = _item(payload, at)
        items.append(item)
    if len(items) not in (7, 8) or payload[0] != 0x80 + len(items):
        raise Unreadable("not an array of seven or eight members")
    issued, days, mark_no, certificate_no, list_id, index, model = items[:7]
    item_no = items[7] if len(items) == 8 else None
    if not (
        isinstance(issued, int)
        and isinstance(days, int)
        and isinstance(list_id, int)
        and isinstance(index, int)
        and isinstance(model, str)
        and not isinstance(item_no, str)
    ):
        raise Unreadable("a member is of another kind than the format says")
    try:
        issued_on = _EPOCH + timedelta(days=issued)
        if days:
            issued_on + timedelta(days=days)
    except OverflowError:
        raise Unreadable("a date beyond the calendar") from None
    return MarkClaims(issued_on, days, str(mark_no), str(certificate_no), list_id, index, model, item_no)


def _item(payload: bytes, at: int) -> tuple[int | str, int]:
    major, low = payload[at] >> 5, payload[at] & 0x1F
    at += 1
    if low < 24:
        value = low
    elif low <= 27:
        width = 1 << (low - 24)
        value = int.from_bytes(payload[at : at + width], "big")
        at += width
    else:
        raise Unreadable("an indefinite length")
    if at > len(payload):
        raise Unreadable("cut short")
    if major == 0:
        return value, at
    if major == 3 and value <= len(payload) - at:
        try:
            return payload[at : at + value].decode("utf-8"), at + value
        except UnicodeDecodeError:
            raise Unreadable("a text that is not UTF-8") from None
    raise Unreadable("an item that is neither an unsigned integer nor a text")
