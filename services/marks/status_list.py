"""Status lists: the IETF's Token Status List as a CWT, two bits for each place, and single codes that were voided."""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum

from services.domain.body import Purpose
from services.domain.errors import BadSignature, Malformed, Untrusted
from services.domain.identifiers import civil_day
from services.domain.standing import Standing
from services.events.keys import PrivateKey
from services.marks import strict_cbor
from services.marks.cose import ALGORITHMS, SIGNATURE_BYTES, covered_by_one
from services.marks.signers import KeyStanding, Signer
from services.marks.strict_cbor import NotCbor, Reader, Value
from services.marks.token import KID_BYTES, mark_kid
from services.marks.voided import is_packed

MEDIA_TYPE = "application/statuslist+cwt"
BITS = 2
SIZE = 2**20
"""Places of one list; a token's `index` is below it."""

LIFE = timedelta(hours=48)
"""From `iat` to `exp`: how old the news of an offline reader may be."""

TTL = 900
"""Seconds for which a reader may keep a list before he asks whether there is a newer one."""

LARGEST = 512 * 1024
"""Bytes of a signed list that are looked at at all; chance in every place comes to 256 KiB."""

_SUBJECT, _EXPIRES, _ISSUED, _STATUS_LIST, _TTL = 2, 4, 6, 65533, 65534
_VOIDED = -65537
"""A claim of our own (RFC 8392 leaves what is below -65536 to private use, and lets a reader pass over what he does not
know)."""

_FRAME = b"\xd2\x84"
_LAST_SECOND = int(datetime(9999, 1, 1, tzinfo=UTC).timestamp())


class Status(IntEnum):
    """What a list says of a place (the draft's 7.1; 3 is its application-specific value)."""

    VALID = 0
    REVOKED = 1
    SUSPENDED = 2
    CANCELLED = 3


STATUS_OF: Mapping[Standing, Status] = {
    Standing.REVOKED: Status.REVOKED,
    Standing.SUPERSEDED: Status.CANCELLED,
    Standing.CANCELLED: Status.CANCELLED,
    # A token tells its own last day; where the register's is earlier (a correction), the list must not say valid.
    Standing.EXPIRED: Status.CANCELLED,
    Standing.SUSPENDED: Status.SUSPENDED,
    # A token does not tell its first day: until then it is not in force, and the list turns on that day.
    Standing.NOT_YET_VALID: Status.SUSPENDED,
    Standing.VALID: Status.VALID,
}


class ListUnreadable(Malformed):
    slug = "list-unreadable"
    title = "Not a status list in its one form"
    zh = "不是规定格式的状态列表"


class ListTooLarge(Malformed):
    slug = "list-too-large"
    title = "The status list is larger, or inflates to more, than a list may"
    zh = "状态列表过大，或解压后超过上限"


class ListUnknownSigner(Untrusted):
    slug = "list-unknown-signer"
    title = "No key that counts is behind the status list"
    zh = "状态列表的签名密钥未知或不再有效"


class ListWrongPurpose(Untrusted):
    slug = "list-wrong-purpose"
    title = "The status list is signed by a key for something else"
    zh = "状态列表由其他用途的密钥签名"


class ListBadSignature(Untrusted):
    slug = "list-bad-signature"
    title = "The status list's signature does not match its content"
    zh = "状态列表的签名与内容不符"


class ListNotThisOne(Untrusted):
    slug = "list-not-this-one"
    title = "The status list is another one than was asked for"
    zh = "不是所要求的状态列表"


class ListExpired(Untrusted):
    slug = "list-expired"
    title = "The status list has run out; nothing can be confirmed from it"
    zh = "状态列表已过期，不能据以确认"


class ListTooShort(Untrusted):
    slug = "list-too-short"
    title = "The status list has no such place"
    zh = "状态列表中没有该位置"


@dataclass(frozen=True, slots=True)
class StatusList:
    """A list as signed: `array` holds its statuses, `bits` each, the first in the lowest bits of the first byte.

    `voided` names single codes of runs that have their place in it (see `voided`); None of a list that names none,
    whether there are any or not.
    """

    uri: str
    issued_at: datetime
    expires_at: datetime
    ttl: int
    array: bytes
    aggregation_uri: str | None = None
    bits: int = BITS
    voided: bytes | None = None

    @property
    def places(self) -> int:
        return len(self.array) * 8 // self.bits

    def status(self, index: int) -> int:
        """The status in a place.

        Raises:
            ListTooShort: the list does not reach so far, so it says nothing.
        """
        if not 0 <= index < self.places:
            raise ListTooShort(f"place {index} of a list with {self.places}")
        return status_in(self.array, index, self.bits)


@dataclass(frozen=True, slots=True)
class OpenList:
    """A signed list taken apart but not yet believed: `claims` are bytes until `verify_list` has seen the signature."""

    alg: int
    kid: bytes
    protected: bytes
    claims: bytes
    signature: bytes


# --- the array -----------------------------------------------------------------------------------------------


def empty_array(places: int = SIZE, bits: int = BITS) -> bytearray:
    return bytearray(places * bits // 8)


def status_in(array: bytes | bytearray, index: int, bits: int = BITS) -> int:
    per_byte = 8 // bits
    return (array[index // per_byte] >> (index % per_byte * bits)) & ((1 << bits) - 1)


def put_status(array: bytearray, index: int, status: int, bits: int = BITS) -> None:
    per_byte = 8 // bits
    shift = index % per_byte * bits
    mask = (1 << bits) - 1
    array[index // per_byte] = array[index // per_byte] & ~(mask << shift) | (status & mask) << shift


def deflated(array: bytes | bytearray) -> bytes:
    return zlib.compress(bytes(array), 9)


def inflated(packed: bytes, bits: int = BITS) -> bytes:
    """The array, never more of it than a list may hold.

    Raises:
        ListTooLarge: it would go on. ListUnreadable: not one zlib stream, whole and alone.
    """
    largest = SIZE * bits // 8
    stream = zlib.decompressobj()
    try:
        array = stream.decompress(packed, largest + 1)
    except zlib.error:
        raise ListUnreadable("the array is not zlib data") from None
    if len(array) > largest:
        raise ListTooLarge(f"the array inflates to more than {largest} bytes")
    if not stream.eof or stream.unused_data:
        raise ListUnreadable("the array is cut short, or something follows it")
    return array


# --- signing and verifying -----------------------------------------------------------------------------------


def sign_list(content: StatusList, key: PrivateKey) -> bytes:
    """The list as a COSE_Sign1 with tag 18. Instants are taken to the second."""
    packed: dict[str, object] = {"bits": content.bits, "lst": deflated(content.array)}
    if content.aggregation_uri is not None:
        packed["aggregation_uri"] = content.aggregation_uri
    told: dict[int, object] = {
        _SUBJECT: content.uri,
        _EXPIRES: int(content.expires_at.timestamp()),
        _ISSUED: int(content.issued_at.timestamp()),
        _STATUS_LIST: packed,
        _TTL: content.ttl,
    }
    if content.voided is not None:
        told[_VOIDED] = content.voided
    claims = strict_cbor.dumps(told)
    protected = protected_header(ALGORITHMS[key.public.alg], mark_kid(key.public))
    signature = key.sign(covered_by_one(protected, claims))
    return _FRAME + strict_cbor.dumps(protected) + b"\xa0" + strict_cbor.dumps(claims) + strict_cbor.dumps(signature)


def protected_header(alg: int, kid: bytes) -> bytes:
    return strict_cbor.dumps({1: alg, 4: kid, 16: MEDIA_TYPE})


def open_list(data: bytes) -> OpenList:
    """Take a signed list apart.

    Raises:
        ListTooLarge, ListUnreadable: see each.
    """
    if len(data) > LARGEST:
        raise ListTooLarge(f"{len(data)} bytes; a signed list has at most {LARGEST}")
    try:
        reader = Reader(data)
        reader.expect(_FRAME, "a COSE_Sign1 with tag 18")
        protected = reader.bytes_()
        reader.expect(b"\xa0", "an empty unprotected header")
        claims, signature = reader.bytes_(), reader.bytes_()
        reader.end()
        header = strict_cbor.loads(protected)
    except NotCbor as error:
        raise ListUnreadable(error.detail) from None
    if not isinstance(header, dict) or header.keys() != {1, 4, 16} or header[16] != MEDIA_TYPE:
        raise ListUnreadable(f"the protected header has alg, kid and the type {MEDIA_TYPE}, nothing else")
    alg, kid = header[1], header[4]
    if not isinstance(alg, int) or alg not in ALGORITHMS.values():
        raise ListUnreadable("the algorithm is neither -19 nor -9")
    if not isinstance(kid, bytes) or len(kid) != KID_BYTES or len(signature) != SIGNATURE_BYTES:
        raise ListUnreadable(f"a kid of {KID_BYTES} bytes, and a signature of {SIGNATURE_BYTES}")
    return OpenList(alg, kid, protected, claims, signature)


def verify_list(opened: OpenList, signers: Iterable[Signer]) -> StatusList:
    """The list, once a status key with this kid that counted on the day of signing stands behind it.

    What it says of itself (which one it is, until when) is for `check_list`.

    Raises:
        ListUnknownSigner, ListWrongPurpose, ListBadSignature, ListUnreadable, ListTooLarge: see each.
    """
    named = [s for s in signers if s.kid == opened.kid and ALGORITHMS[s.public.alg] == opened.alg]
    if not named:
        raise ListUnknownSigner("no key with this kid")
    ours = [s for s in named if s.purpose is Purpose.STATUS]
    if not ours:
        raise ListWrongPurpose(f"a key for {named[0].purpose}, not for status lists")
    # Whoever has the key can sign any date: what a compromised key signed says nothing.
    sound = [s for s in ours if s.state is not KeyStanding.COMPROMISED]
    if not sound:
        raise ListUnknownSigner("the only key with this kid is compromised")
    message = covered_by_one(opened.protected, opened.claims)
    for signer in sound:  # four bytes of kid are a hint: two keys may share them
        try:
            signer.public.verify(opened.signature, message)
        except BadSignature:
            continue
        content = content_of(opened)
        if not signer.signed_on(civil_day(content.issued_at)):
            raise ListUnknownSigner("its key did not sign on the day on which the list was issued")
        return content
    raise ListBadSignature("the signature does not match the content")


def check_list(content: StatusList, uri: str, now: datetime) -> StatusList:
    """The same list, if it is the one that was asked for and still says something.

    Raises:
        ListNotThisOne, ListExpired: see each.
    """
    if content.uri != uri:
        raise ListNotThisOne(f"asked for {uri}, and it is {content.uri[:200]}")
    if content.expires_at <= now:
        raise ListExpired(f"it ran out at {content.expires_at.isoformat()}")
    return content


def content_of(opened: OpenList) -> StatusList:
    """What a list says, whoever signed it.

    Raises:
        ListUnreadable, ListTooLarge: see each.
    """
    try:
        read = strict_cbor.loads(opened.claims)
    except NotCbor as error:
        raise ListUnreadable(error.detail) from None
    if not isinstance(read, dict) or read.keys() - {_VOIDED} != {_SUBJECT, _EXPIRES, _ISSUED, _STATUS_LIST, _TTL}:
        raise ListUnreadable("the claims are 2, 4, 6, 65533, 65534 and perhaps -65537, nothing else")
    voided = read.get(_VOIDED, b"")
    if not isinstance(voided, bytes) or not is_packed(voided):
        raise ListUnreadable("voided codes are hashes of 8 bytes, ascending, none twice")
    uri, packed, ttl = read[_SUBJECT], read[_STATUS_LIST], read[_TTL]
    if not isinstance(uri, str) or not isinstance(packed, dict) or not isinstance(ttl, int) or ttl < 1:
        raise ListUnreadable("a claim is of another kind than the format says")
    bits, array, aggregation = packed.get("bits"), packed.get("lst"), packed.get("aggregation_uri")
    if not packed.keys() <= {"bits", "lst", "aggregation_uri"} or not isinstance(array, bytes):
        raise ListUnreadable("the status list has bits, lst and aggregation_uri, nothing else")
    if not isinstance(bits, int) or bits not in (1, 2, 4, 8) or not isinstance(aggregation, str | None):
        raise ListUnreadable("bits is 1, 2, 4 or 8, aggregation_uri a text")
    issued_at, expires_at = _instant(read[_ISSUED]), _instant(read[_EXPIRES])
    told = voided if _VOIDED in read else None
    return StatusList(uri, issued_at, expires_at, ttl, inflated(array, bits), aggregation, bits, told)


def _instant(value: Value) -> datetime:
    if not isinstance(value, int) or not 0 <= value <= _LAST_SECOND:
        raise ListUnreadable("an instant is a whole number of seconds since 1970")
    return datetime.fromtimestamp(value, UTC)
