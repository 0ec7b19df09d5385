"""The signed envelope: one JWS compact string around one CloudEvents object, its bytes kept as the evidence."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from services import base64url
from services.domain.errors import (
    AlgorithmNotAllowed,
    BadEvent,
    NotAnEnvelope,
    NotThisSource,
    TooLarge,
)
from services.events import strict_json
from services.events.keys import HEADER_NAMES, PrivateKey, PublicKey

TYP = "certmark-event+jws"
MAX_PAYLOAD = 64 * 1024
MAX_ENVELOPE = 96 * 1024
_HEADER_LIMIT = 1024
_ALGORITHMS = {name for names in HEADER_NAMES.values() for name in names}
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
_SOURCE = re.compile(r"urn:certmark:(authority|body|alliance|declarant):[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_PREVIOUS = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_STAFF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]*", re.ASCII)  # a staff or registration number, never a name
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A JWS taken apart but not yet believed: only the header was read."""

    jws: bytes
    alg: str
    kid: str
    payload: bytes
    signing_input: bytes
    signature: bytes

    @property
    def digest(self) -> str:
        """Lower-case hex SHA-256 of the signing input: a second signature is still the same event."""
        return hashlib.sha256(self.signing_input).hexdigest()


@dataclass(frozen=True, slots=True)
class Event:
    """What a source said: the members of the CloudEvents object, and the digest that names it."""

    id: str
    source: str
    type: str
    subject: str
    time: str
    sequence: int
    previous: str | None
    signatory: str
    data: dict[str, Any]
    digest: str


def open_envelope(jws: bytes) -> Envelope:
    """Take a JWS compact string apart.

    Raises:
        TooLarge, NotAnEnvelope: it is not one. AlgorithmNotAllowed: `none`, HMAC or any other not on the list.
    """
    if len(jws) > MAX_ENVELOPE:
        raise TooLarge(f"{len(jws)} bytes; an envelope has at most {MAX_ENVELOPE}")
    parts = jws.split(b".")
    if len(parts) != 3:
        raise NotAnEnvelope("not three parts joined by dots")
    alg, kid = _header(parts[0])
    payload = _unbase64(parts[1], "payload", MAX_PAYLOAD)
    signature = _unbase64(parts[2], "signature", 1024)
    signing_input = jws[: len(parts[0]) + 1 + len(parts[1])]
    return Envelope(jws, alg, kid, payload, signing_input, signature)


@lru_cache(maxsize=1024)
def _header(part: bytes) -> tuple[str, str]:
    """Algorithm and kid of a protected header. Kept, as all that one key signs has the same."""
    header = strict_json.loads(_unbase64(part, "header", _HEADER_LIMIT))
    if "crit" in header or "b64" in header:
        raise NotAnEnvelope("the header asks for an extension (crit, b64) that this register does not have")
    alg, kid, typ = header.get("alg"), header.get("kid"), header.get("typ")
    if not isinstance(alg, str) or alg not in _ALGORITHMS:
        raise AlgorithmNotAllowed(f"alg {str(alg)[:32]!r}: only {', '.join(sorted(_ALGORITHMS))}")
    if typ != TYP or not isinstance(kid, str):
        raise NotAnEnvelope(f"the header needs kid and typ {TYP!r}")
    return alg, kid


def _unbase64(part: bytes, name: str, limit: int) -> bytes:
    if len(part) * 3 // 4 > limit:
        raise TooLarge(f"the {name} has more than {limit} bytes")
    try:
        return base64url.decoded(part)
    except ValueError as error:
        raise NotAnEnvelope(f"the {name}: {error}") from None


def check_signature(envelope: Envelope, key: PublicKey) -> None:
    """Raises AlgorithmNotAllowed where the header's `alg` is not this key's, BadSignature where it does not hold."""
    if envelope.alg not in HEADER_NAMES[key.alg]:
        raise AlgorithmNotAllowed(f"alg {envelope.alg} with a key for {key.alg}")
    key.verify(envelope.signature, envelope.signing_input)


def read_event(envelope: Envelope) -> Event:
    """The event inside, its members checked but not yet its `data` (see `event_types.check_data`).

    Raises:
        Malformed: not strict JSON, or a member of the envelope is missing or of the wrong form.
    """
    body = strict_json.loads(envelope.payload)
    if body.get("specversion") != "1.0":
        raise BadEvent("specversion is not '1.0'", pointer="/specversion")
    source = _text(body, "source", _SOURCE)
    sequence = body.get("sequence")
    if not isinstance(sequence, int) or isinstance(sequence, bool) or sequence < 1:
        raise BadEvent("sequence is not a whole number from 1 on", pointer="/sequence")
    previous = body.get("previous")
    if previous is not None:
        previous = _text(body, "previous", _PREVIOUS).removeprefix("sha256:")
    if (sequence == 1) != (previous is None):
        raise BadEvent("previous is absent at sequence 1 and present after it", pointer="/previous")
    data = body.get("data")
    if not isinstance(data, dict):
        raise BadEvent("data is not an object", pointer="/data")
    if body.get("dataschema") is not None:
        _text(body, "dataschema", None, 256)
    if body.get("datacontenttype") not in (None, "application/json"):
        raise BadEvent("datacontenttype is not application/json", pointer="/datacontenttype")
    unknown = body.keys() - _MEMBERS
    if unknown:
        raise BadEvent(f"unknown member {sorted(unknown)[0][:64]!r}", pointer="/" + sorted(unknown)[0][:64])
    return Event(
        id=_text(body, "id", _ID),
        source=source,
        type=_text(body, "type", None, 128),
        subject=_text(body, "subject", None, 128),
        time=_instant(body),
        sequence=sequence,
        previous=previous,
        signatory=_text(body, "signatory", _STAFF, 64),
        data=data,
        digest=envelope.digest,
    )


_MEMBERS = frozenset(
    {
        "specversion",
        "id",
        "source",
        "type",
        "subject",
        "time",
        "dataschema",
        "datacontenttype",
        "sequence",
        "previous",
        "signatory",
        "data",
    }
)


def _text(body: dict[str, Any], name: str, form: re.Pattern[str] | None, limit: int = 128) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= limit:
        raise BadEvent(f"{name} is not a text of 1 to {limit} characters", pointer=f"/{name}")
    if form is not None and not form.fullmatch(value):
        raise BadEvent(f"{name} {value[:80]!r} does not have the form {form.pattern}", pointer=f"/{name}")
    return value


def _instant(body: dict[str, Any]) -> str:
    text = _text(body, "time", _TIME)
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise BadEvent(f"there is no such instant as {text}", pointer="/time") from None
    return text


def check_source(event: Event, owner: str) -> None:
    """Raises NotThisSource where the key's owner is not whom the event names."""
    if event.source != owner:
        raise NotThisSource(f"the key belongs to {owner}, the event names {event.source}", pointer="/source")


def sign_event(payload: dict[str, Any], key: PrivateKey) -> bytes:
    """The JWS compact string of an event's JSON object."""
    header = {"alg": key.public.alg, "kid": key.public.kid, "typ": TYP}
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    return sign_compact(header, text.encode("utf-8"), key)


def sign_compact(header: Mapping[str, object], payload: bytes, key: PrivateKey) -> bytes:
    """A JWS in compact form over exact payload bytes."""
    return sign_under(encoded_header(header), payload, key)


def encoded_header(header: Mapping[str, object]) -> str:
    """A header as it stands in a JWS: for who signs many things under the same one."""
    return base64url.encoded(json.dumps(header, separators=(",", ":")).encode("ascii"))


def sign_under(head: str, payload: bytes, key: PrivateKey) -> bytes:
    """As `sign_compact`, under a header that is encoded already."""
    signing_input = f"{head}.{base64url.encoded(payload)}".encode("ascii")
    return signing_input + b"." + base64url.encoded(key.sign(signing_input)).encode("ascii")
