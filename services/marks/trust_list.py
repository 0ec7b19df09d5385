"""The trust list: root documents that follow each other, and the 30-day list of keys and hosts under the last one."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import cast

from services.domain.body import Purpose
from services.domain.errors import BadSignature, Malformed, Untrusted
from services.events.keys import PrivateKey, PublicKey
from services.marks import strict_cbor
from services.marks.cose import ALGORITHMS, SIGNATURE_BYTES, cose_key, covered_by_each, from_cose_key
from services.marks.signers import KeyStanding, Signer
from services.marks.strict_cbor import NotCbor, Reader, Value
from services.marks.token import KID_BYTES, mark_kid

MEDIA_TYPE = "application/certmark-trust+cbor"
ROOT_LIFE = timedelta(days=366)
LIST_LIFE = timedelta(days=30)
LARGEST_DOCUMENT = 256 * 1024
LARGEST_BUNDLE = 1024 * 1024
MOST_DOCUMENTS = 256
MOST_KEYS = 16
"""Roots, delegates, or signatures of one document."""

_FRAME = b"\xd8\x62\x84"
_EPOCH = date(1970, 1, 1)
_LAST_SECOND = int(datetime(9999, 1, 1, tzinfo=UTC).timestamp())
_LAST_DAY = (date(9999, 1, 1) - _EPOCH).days
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
PROTECTED = strict_cbor.dumps({16: MEDIA_TYPE})
"""The body's protected header, the same in every document."""


class Kind(StrEnum):
    ROOT = "root"
    LIST = "list"


class TrustUnreadable(Malformed):
    slug = "trust-unreadable"
    title = "Not a trust document in its one form"
    zh = "不是规定格式的信任文件"


class TrustUnknownRoot(Untrusted):
    slug = "trust-unknown-root"
    title = "No root document here is the one that was pinned"
    zh = "其中没有所固定的根文件"


class TrustOtherRegister(Untrusted):
    slug = "trust-other-register"
    title = "The trust document belongs to another register, or to another version of the root"
    zh = "信任文件属于另一登记册，或属于根文件的另一版本"


class TrustUnknownSigner(Untrusted):
    slug = "trust-unknown-signer"
    title = "A root document bears a signature of no root"
    zh = "根文件带有非根密钥的签名"


class TrustUnknownDelegate(Untrusted):
    slug = "trust-unknown-delegate"
    title = "The trust list is signed by a key to which the root delegates nothing"
    zh = "信任列表由未获根文件委托的密钥签名"


class TrustWrongPurpose(Untrusted):
    slug = "trust-wrong-purpose"
    title = "A key for something else has signed the trust document"
    zh = "信任文件由其他用途的密钥签名"


class TrustBadSignature(Untrusted):
    slug = "trust-bad-signature"
    title = "A signature of the trust document does not match its content"
    zh = "信任文件的签名与内容不符"


class TrustDuplicateSigner(Untrusted):
    slug = "trust-duplicate-signer"
    title = "One key has signed the trust document twice; it counts once, and never to make up a number"
    zh = "同一密钥在信任文件上签名两次"


class TrustTooFewSignatures(Untrusted):
    slug = "trust-too-few-signatures"
    title = "Fewer roots have signed than the threshold asks for"
    zh = "签名的根密钥少于门限"


class TrustRolledBack(Untrusted):
    slug = "trust-rolled-back"
    title = "The trust document is older than one that was seen already, or its versions do not follow each other"
    zh = "信任文件比已见过的版本更旧，或版本不连续"


class TrustRootExpired(Untrusted):
    slug = "trust-root-expired"
    title = "The last root document has run out"
    zh = "最后一份根文件已过期"


class TrustListExpired(Untrusted):
    slug = "trust-list-expired"
    title = "The trust list has run out"
    zh = "信任列表已过期"


@dataclass(frozen=True, slots=True)
class Root:
    """The offline keys, how many of them have to sign together, and the online keys to which they delegate the list."""

    version: int
    issued_at: datetime
    expires_at: datetime
    register: str
    keys: tuple[PublicKey, ...]
    threshold: int
    delegates: tuple[PublicKey, ...]


@dataclass(frozen=True, slots=True)
class TrustList:
    """The 30-day list's content. `root` is the version that it belongs to, `status` the address below which each
    status list has its number, `register` the genesis digest."""

    version: int
    issued_at: datetime
    expires_at: datetime
    register: str
    root: int
    hosts: tuple[str, ...]
    status: str
    signers: tuple[Signer, ...]

    def status_uri(self, list_id: int) -> str:
        return f"{self.status}/{list_id}"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature of a document, not yet checked."""

    alg: int
    kid: bytes
    protected: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Document:
    """A document taken apart but not yet believed. `digest` names its content, whoever has signed it."""

    payload: bytes
    signatures: tuple[Signature, ...]
    content: Root | TrustList

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.payload).hexdigest()


@dataclass(frozen=True, slots=True)
class Seen:
    """The highest versions that a reader has met: of the root, and of the list under it."""

    root: int = 0
    list: int = 0


@dataclass(frozen=True, slots=True)
class Trusted:
    """What a walk ends with. A reader keeps `pin` (the last root's digest) and `seen` for the next time."""

    root: Root
    list: TrustList
    pin: str

    @property
    def seen(self) -> Seen:
        return Seen(self.root.version, self.list.version)


# --- writing ---------------------------------------------------------------------------------------------------


def root_payload(root: Root) -> bytes:
    """Raises ValueError where a root is also a delegate, a key twice, or the threshold out of reach."""
    if wrong := _wrong_with(root):
        raise ValueError(wrong)
    return strict_cbor.dumps(
        _head(Kind.ROOT, root)
        | {
            "roots": [_key_entry(key) for key in root.keys],
            "threshold": root.threshold,
            "delegates": [_key_entry(key) for key in root.delegates],
        }
    )


def list_payload(content: TrustList) -> bytes:
    return strict_cbor.dumps(
        _head(Kind.LIST, content)
        | {
            "root": content.root,
            "hosts": list(content.hosts),
            "status": content.status,
            "signers": [_signer_entry(signer) for signer in content.signers],
        }
    )


def _head(kind: Kind, content: Root | TrustList) -> dict[str, object]:
    return {
        "v": 1,
        "kind": kind.value,
        "version": content.version,
        "iat": int(content.issued_at.timestamp()),
        "exp": int(content.expires_at.timestamp()),
        "register": content.register,
    }


def _key_entry(key: PublicKey) -> dict[str, object]:
    return {"kid": mark_kid(key), "alg": ALGORITHMS[key.alg], "key": cose_key(key)}


def _signer_entry(signer: Signer) -> dict[str, object]:
    return _key_entry(signer.public) | {
        "issuer": signer.issuer,
        "purpose": signer.purpose.value,
        "from": (signer.first_day - _EPOCH).days,
        "until": (signer.last_day - _EPOCH).days if signer.last_day is not None else None,
        "state": signer.state.value,
        "since": int(signer.since.timestamp()) if signer.since is not None else None,
    }


def sign_document(payload: bytes, keys: Iterable[PrivateKey]) -> bytes:
    """The payload with a signature of each key, as a COSE_Sign with tag 98."""
    return _assembled(payload, [_signed(payload, key) for key in keys])


def add_signatures(document: bytes, keys: Iterable[PrivateKey]) -> bytes:
    """The same document with more signatures; a key that has signed already signs anew.

    Raises:
        TrustUnreadable: it is no trust document, or a draft of one.
    """
    opened = open_document(document, draft=True)
    fresh = [_signed(opened.payload, key) for key in keys]
    kept = [s for s in opened.signatures if s.kid not in {f.kid for f in fresh}]
    return _assembled(opened.payload, [*kept, *fresh])


def _signed(payload: bytes, key: PrivateKey) -> Signature:
    alg, kid = ALGORITHMS[key.public.alg], mark_kid(key.public)
    protected = signer_header(alg, kid)
    return Signature(alg, kid, protected, key.sign(covered_by_each(PROTECTED, protected, payload)))


def signer_header(alg: int, kid: bytes) -> bytes:
    return strict_cbor.dumps({1: alg, 4: kid})


def _assembled(payload: bytes, signatures: Sequence[Signature]) -> bytes:
    told = strict_cbor.dumps([[s.protected, {}, s.signature] for s in signatures])
    return _FRAME + strict_cbor.dumps(PROTECTED) + b"\xa0" + strict_cbor.dumps(payload) + told


def bundle(documents: Sequence[bytes]) -> bytes:
    """What is served: every root document in order, then the list."""
    return strict_cbor.dumps(list(documents))


# --- reading ---------------------------------------------------------------------------------------------------


def open_bundle(data: bytes) -> list[bytes]:
    """The documents of a bundle.

    Raises:
        TrustUnreadable: it is none, or too large.
    """
    if len(data) > LARGEST_BUNDLE:
        raise TrustUnreadable(f"{len(data)} bytes; a bundle has at most {LARGEST_BUNDLE}")
    try:
        documents = strict_cbor.loads(data)
    except NotCbor as error:
        raise TrustUnreadable(error.detail) from None
    if not isinstance(documents, list) or not all(isinstance(one, bytes) for one in documents):
        raise TrustUnreadable("not an array of byte strings")
    if not 2 <= len(documents) <= MOST_DOCUMENTS:
        raise TrustUnreadable(f"a bundle has a root, a list, and at most {MOST_DOCUMENTS} documents")
    return cast(list[bytes], documents)


def open_document(data: bytes, *, draft: bool = False) -> Document:
    """Take a document apart; nothing in it may be believed before `walk` has followed the signatures.

    A `draft` may bear no signature yet: it is on its way from one root to the next.

    Raises:
        TrustUnreadable: it is not one in its one form.
    """
    if len(data) > LARGEST_DOCUMENT:
        raise TrustUnreadable(f"{len(data)} bytes; a document has at most {LARGEST_DOCUMENT}")
    try:
        reader = Reader(data)
        reader.expect(_FRAME, "a COSE_Sign with tag 98")
        reader.expect(strict_cbor.dumps(PROTECTED), f"the protected header of {MEDIA_TYPE}")
        reader.expect(b"\xa0", "an empty unprotected header")
        payload = reader.bytes_()
        signatures = _signatures(reader.value(), 0 if draft else 1)
        reader.end()
        return Document(payload, signatures, _content(strict_cbor.loads(payload)))
    except NotCbor as error:
        raise TrustUnreadable(error.detail) from None


def _signatures(value: Value, least: int) -> tuple[Signature, ...]:
    if not isinstance(value, list) or not least <= len(value) <= MOST_KEYS:
        raise NotCbor(f"between {least} and {MOST_KEYS} signatures")
    return tuple(_signature(one) for one in value)


def _signature(value: Value) -> Signature:
    if not isinstance(value, list) or len(value) != 3:
        raise NotCbor("a signature has three parts")
    protected, unprotected, signature = value
    if unprotected != {} or not isinstance(protected, bytes) or not isinstance(signature, bytes):
        raise NotCbor("a signature is a protected header, an empty one, and bytes")
    header = strict_cbor.loads(protected)
    if not isinstance(header, dict) or header.keys() != {1, 4}:
        raise NotCbor("a signature's header has alg and kid, nothing else")
    alg, kid = header[1], header[4]
    if not isinstance(alg, int) or alg not in ALGORITHMS.values() or not isinstance(kid, bytes):
        raise NotCbor("an alg of -19 or -9, and a kid in bytes")
    if len(kid) != KID_BYTES or len(signature) != SIGNATURE_BYTES:
        raise NotCbor(f"a kid of {KID_BYTES} bytes, and a signature of {SIGNATURE_BYTES}")
    return Signature(alg, kid, protected, signature)


_COMMON = {"v", "kind", "version", "iat", "exp", "register"}
_ROOT = _COMMON | {"roots", "threshold", "delegates"}
_LIST = _COMMON | {"root", "hosts", "status", "signers"}
_SIGNER = {"kid", "alg", "key", "issuer", "purpose", "from", "until", "state", "since"}


def _content(value: Value) -> Root | TrustList:
    if not isinstance(value, dict) or value.get("v") != 1:
        raise NotCbor("not version 1 of a trust document")
    members = cast(Mapping[str, Value], value)
    if value.get("kind") == Kind.ROOT and value.keys() == _ROOT:
        return _root(members)
    if value.get("kind") == Kind.LIST and value.keys() == _LIST:
        return _list(members)
    raise NotCbor("neither the members of a root nor those of a list")


def _root(members: Mapping[str, Value]) -> Root:
    root = Root(
        _number(members["version"], 1, 2**32 - 1),
        _instant(members["iat"]),
        _instant(members["exp"]),
        _digest(members["register"]),
        tuple(_key(one) for one in _array(members["roots"], MOST_KEYS)),
        _number(members["threshold"], 1, MOST_KEYS),
        tuple(_key(one) for one in _array(members["delegates"], MOST_KEYS)),
    )
    if wrong := _wrong_with(root):
        raise NotCbor(wrong)
    return root


def _wrong_with(root: Root) -> str | None:
    kids = [key.kid for key in (*root.keys, *root.delegates)]
    if len(set(kids)) != len(kids):
        return "a key stands twice among the roots and delegates"
    if not root.delegates or not 1 <= root.threshold <= len(root.keys):
        return "a root names a delegate, and a threshold that its keys can reach"
    if root.expires_at <= root.issued_at:
        return "it ends before it begins"
    return None


def _list(members: Mapping[str, Value]) -> TrustList:
    return TrustList(
        _number(members["version"], 1, 2**32 - 1),
        _instant(members["iat"]),
        _instant(members["exp"]),
        _digest(members["register"]),
        _number(members["root"], 1, 2**32 - 1),
        tuple(_text(one, 255) for one in _array(members["hosts"], 1000)),
        _text(members["status"], 2000),
        tuple(_signer(one) for one in _array(members["signers"], 10_000)),
    )


def _signer(value: Value) -> Signer:
    if not isinstance(value, dict) or value.keys() != _SIGNER:
        raise NotCbor("not the members of a signer")
    public = _key({name: value[name] for name in ("kid", "alg", "key")})
    try:
        state, purpose = KeyStanding(_text(value["state"], 20)), Purpose(_text(value["purpose"], 20))
    except ValueError:
        raise NotCbor("a state or purpose that nothing has") from None
    since = _instant(value["since"]) if value["since"] is not None else None
    if (since is None) != (state is KeyStanding.ACTIVE):
        raise NotCbor("an active key has no `since`, every other has one")
    last = _day(value["until"]) if value["until"] is not None else None
    return Signer(_text(value["issuer"], 200), purpose, public, _day(value["from"]), last, state, since)


def _key(value: Value) -> PublicKey:
    if not isinstance(value, dict) or value.keys() != {"kid", "alg", "key"}:
        raise NotCbor("a key has kid, alg and key")
    key = from_cose_key(value["key"])
    if value["kid"] != mark_kid(key) or value["alg"] != ALGORITHMS[key.alg]:
        raise NotCbor("a key whose kid or alg is not its own")
    return key


def _array(value: Value, most: int) -> "list[Value]":
    if not isinstance(value, list) or len(value) > most:
        raise NotCbor(f"not an array of at most {most}")
    return value


def _text(value: Value, most: int) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= most:
        raise NotCbor(f"not a text of 1 to {most} characters")
    return value


def _number(value: Value, least: int, most: int) -> int:
    if not isinstance(value, int) or not least <= value <= most:
        raise NotCbor(f"not a number from {least} to {most}")
    return value


def _digest(value: Value) -> str:
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise NotCbor("a register is named by 64 hexadecimal digits")
    return value


def _day(value: Value) -> date:
    return _EPOCH + timedelta(days=_number(value, 0, _LAST_DAY))


def _instant(value: Value) -> datetime:
    return datetime.fromtimestamp(_number(value, 0, _LAST_SECOND), UTC)


# --- believing -------------------------------------------------------------------------------------------------


def walk(data: bytes, pin: str, now: datetime, seen: Seen | None = None) -> Trusted:
    """The list that a bundle proves to who pinned the digest of one root document's content.

    The rules, in this order (as in The Update Framework):
      1. the pinned root is in the bundle, and its own threshold has signed it;
      2. every root after it is one version higher, of the same register, and signed by the threshold of the root
         before it and by its own; intermediate roots may have run out;
      3. the list belongs to the last root and is signed by its delegates alone;
      4. neither is older than what was seen; a new root lets the list's versions begin again, because a delegate
         who was lost may have used them up;
      5. the last root and the list have not run out.
    Every signature that a document bears has to hold and to be entitled: what does not help may not stand there
    (the pinned root's by the roots before it are passed over).

    Raises:
        TrustUnreadable, TrustUnknownRoot, TrustOtherRegister, TrustUnknownSigner, TrustUnknownDelegate,
        TrustWrongPurpose, TrustBadSignature, TrustDuplicateSigner, TrustTooFewSignatures, TrustRolledBack,
        TrustRootExpired, TrustListExpired: see each.
    """
    documents = [open_document(one) for one in open_bundle(data)]
    root, digest = walk_roots(documents[:-1], pin)
    found = delegated_list(documents[-1], root)
    least = seen or Seen()
    if (root.version, found.version) < (least.root, least.list):
        raise TrustRolledBack(
            f"root {root.version} and list {found.version}, and {least.root} and {least.list} were seen before"
        )
    if root.expires_at <= now:
        raise TrustRootExpired(f"root {root.version} ran out at {root.expires_at.isoformat()}")
    if found.expires_at <= now:
        raise TrustListExpired(f"list {found.version} ran out at {found.expires_at.isoformat()}")
    return Trusted(root, found, digest)


def walk_roots(documents: Sequence[Document], pin: str) -> tuple[Root, str]:
    """The last of these root documents and its digest, followed from the pinned one on; see `walk`."""
    place = next((at for at, one in enumerate(documents) if one.digest == pin), None)
    if place is None:
        raise TrustUnknownRoot(f"none of the {len(documents)} has the digest {pin[:64]}")
    root = first_root(documents[place])
    for document in documents[place + 1 :]:
        root = next_root(root, document)
    return root, documents[-1].digest


def first_root(document: Document) -> Root:
    """A root that the reader has by another way, signed by its own threshold.

    The roots before it have signed it too: of their signatures nothing is known here, and nothing rests on them.
    """
    root = _as_root(document)
    _threshold(root, _signed_by(document, root.keys, root.delegates, None))
    return root


def next_root(before: Root, document: Document) -> Root:
    """The root that follows: both thresholds have signed it."""
    root = _as_root(document)
    delegates = (*before.delegates, *root.delegates)
    signed = _signed_by(document, (*before.keys, *root.keys), delegates, TrustUnknownSigner)
    if root.register != before.register:
        raise TrustOtherRegister(f"root {root.version} is of register {root.register[:16]}…")
    if root.version != before.version + 1:
        raise TrustRolledBack(f"root {root.version} stands behind root {before.version}")
    _threshold(before, signed)
    _threshold(root, signed)
    return root


def delegated_list(document: Document, root: Root) -> TrustList:
    """The list, signed by delegates of this root."""
    content = document.content
    if not isinstance(content, TrustList):
        raise TrustUnreadable("the last document is no list")
    others = (*root.keys, *(signer.public for signer in content.signers))
    _signed_by(document, root.delegates, others, TrustUnknownDelegate)
    if content.register != root.register or content.root != root.version:
        raise TrustOtherRegister(f"list {content.version} belongs to root {content.root}, the last is {root.version}")
    return content


def _as_root(document: Document) -> Root:
    if not isinstance(document.content, Root):
        raise TrustUnreadable("a list stands among the roots")
    return document.content


def _threshold(root: Root, signed: set[str]) -> None:
    count = sum(key.kid in signed for key in root.keys)
    if count < root.threshold:
        raise TrustTooFewSignatures(f"{count} of the roots of version {root.version}, which asks for {root.threshold}")


def _signed_by(
    document: Document, entitled: Iterable[PublicKey], others: Iterable[PublicKey], unknown: type[Untrusted] | None
) -> set[str]:
    """The full kids of the keys behind the signatures, each checked; `unknown` is what a stranger's is refused with."""
    entitled, found = list({key.kid: key for key in entitled}.values()), set[str]()
    for signature in document.signatures:
        named = [key for key in entitled if _is_named(key, signature)]
        if not named:
            if any(_is_named(key, signature) for key in others):
                raise TrustWrongPurpose(f"the key {signature.kid.hex()} is for something else")
            if unknown is not None:
                raise unknown(f"no key {signature.kid.hex()} may sign this")
            continue
        message = covered_by_each(PROTECTED, signature.protected, document.payload)
        holds = next((key.kid for key in named if _holds(key, signature.signature, message)), None)
        if holds is None:
            raise TrustBadSignature(f"the signature of {signature.kid.hex()} does not match")
        if holds in found:
            raise TrustDuplicateSigner(f"the key {signature.kid.hex()} has signed twice")
        found.add(holds)
    return found


def _is_named(key: PublicKey, signature: Signature) -> bool:
    return mark_kid(key) == signature.kid and ALGORITHMS[key.alg] == signature.alg


def _holds(key: PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except BadSignature:
        return False
    return True
