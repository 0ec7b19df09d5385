"""The sealed record of the state topic: what the registry publishes of one certificate, body, key or scheme."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import orjson

from services import base64url
from services.domain.errors import BadEvent, NotAnEnvelope, NotJson, TooLarge
from services.domain.identifiers import instant_of, instant_text
from services.events import strict_json
from services.events.envelope import encoded_header, sign_under
from services.events.keys import HEADER_NAMES, PrivateKey
from services.events.log import MAX_RECORD

TYP = "certmark-state+jws"
_RECORDED_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Recorded:
    """One accepted entry about a certificate: what was said, by whom, from which day on it holds, when it was decided.

    `digest` is the event's; of a consequence it is that of the event which brought it about.
    """

    seq: int
    type: str
    source: str
    digest: str
    effective_at: date | None
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class SealedRecord:
    """One record as sealed. `revision` rises by one with every change of any record; equal means the same record.

    `seq` is the last entry that concerns it, `digest` the event behind it, `event` the signed event that
    added a key (on `key/…` records). A heartbeat has neither state nor digest; its revision is the
    highest that was published before it. `tokens` and `history` (what was recorded about a certificate, its last
    hundred entries in order of seq) are members as sealed: who needs one reads it (`recorded`), as with the state.
    """

    key: str
    revision: int
    seq: int
    recorded_at: datetime
    digest: str | None
    state: dict[str, Any] | None
    tokens: Sequence[Mapping[str, Any]]
    under_review: bool
    event: bytes | None
    history: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Sealed:
    """A record taken apart, its seal not yet checked: nothing inside may be believed."""

    alg: str
    kid: str
    payload: bytes
    signing_input: bytes
    seal: bytes


def seal_record(record: SealedRecord, key: PrivateKey) -> bytes:
    """The JWS compact string of a record."""
    return seal_texts(
        record.key,
        record.revision,
        record.seq,
        record.recorded_at,
        record.digest,
        record.under_review,
        record.event.decode("ascii") if record.event is not None else None,
        state=_text(record.state),
        tokens=_text(record.tokens),
        history=_text(record.history),
        seal_key=key,
    )


def history_text(rows: Iterable[tuple[int, str, str | None, str, date | None, datetime]]) -> str:
    """The member `history` as JSON, from rows of (seq, type, source, digest, effective_at, recorded_at)."""
    told = [
        {
            "seq": seq,
            "type": type_,
            "source": source,
            "digest": digest,
            "effective_at": effective_at,
            "recorded_at": _instant(recorded_at),
        }
        for seq, type_, source, digest, effective_at, recorded_at in rows
    ]
    return orjson.dumps(told).decode() if told else "[]"


def seal_texts(
    key: str,
    revision: int,
    seq: int,
    recorded_at: datetime,
    digest: str | None,
    under_review: bool,
    event: str | None,
    *,
    state: str,
    tokens: str,
    history: str = "[]",
    seal_key: PrivateKey,
) -> bytes:
    """The same, from a state and tokens that are JSON already: the registry stores them so."""
    envelope = {
        "v": 1,
        "key": key,
        "revision": revision,
        "seq": seq,
        "recorded_at": _instant(recorded_at),
        "digest": digest,
        "under_review": under_review,
        "event": event,
    }
    told = "" if history == "[]" else f',"history":{history}'
    # Each is encoded by itself: a Chinese sign in the state would make all that it is joined to twice as wide first.
    payload = b'%b,"state":%b,%b}' % (orjson.dumps(envelope)[:-1], state.encode(), f'"tokens":{tokens}{told}'.encode())
    return sign_under(_head(seal_key.public.alg, seal_key.public.kid), payload, seal_key)


@lru_cache(maxsize=64)
def _head(alg: str, kid: str) -> str:
    return encoded_header({"alg": alg, "kid": kid, "typ": TYP})


_instant = lru_cache(maxsize=1024)(instant_text)
"""Kept, as the records of one batch share theirs."""


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def open_sealed(value: bytes, typ: str = TYP) -> Sealed:
    """Take a record's value apart, or another document under the registry's seal that names itself by its `typ`.

    Raises:
        TooLarge, NotAnEnvelope, Malformed: it is not a sealed record.
    """
    if len(value) > MAX_RECORD:
        raise TooLarge(f"{len(value)} bytes; a sealed record has at most {MAX_RECORD}")
    first, last = value.find(b"."), value.rfind(b".")
    if first == last or value.find(b".", first + 1) != last:  # to count them takes ten times as long
        raise NotAnEnvelope("not three parts joined by dots")
    alg, kid = _header(value[:first], typ)
    return Sealed(alg, kid, _unbase64(value[first + 1 : last]), value[:last], _unbase64(value[last + 1 :]))


def sealed_by(value: bytes, typ: str = TYP) -> str:
    """The kid of the seal on a record that was taken apart before.

    Raises:
        NotAnEnvelope, Malformed: its header is of another form.
    """
    return _header(value.partition(b".")[0], typ)[1]


@lru_cache(maxsize=64)  # a registry has few keys, and seals millions of records with them
def _header(part: bytes, typ: str) -> tuple[str, str]:
    header = strict_json.loads(_unbase64(part))
    alg, kid = header.get("alg"), header.get("kid")
    if header.keys() != {"alg", "kid", "typ"} or header["typ"] != typ or not isinstance(kid, str):
        raise NotAnEnvelope(f"the header has alg, kid and typ {typ!r}, nothing else")
    if not any(alg in names for names in HEADER_NAMES.values()):
        raise NotAnEnvelope("the algorithm is not one that seals")
    return str(alg), kid


def _unbase64(part: bytes) -> bytes:
    try:
        return base64url.decoded(part)
    except ValueError as error:
        raise NotAnEnvelope(str(error)) from None


def read_record(payload: bytes, *, sealed: bool = False) -> SealedRecord:
    """The record inside a seal; its state, tokens and history are taken as the registry wrote them.

    `sealed` says that the seal was checked: then nobody but the registry wrote it, which writes no member twice, and a
    reader that is ten times as quick will do.

    Raises:
        Malformed: not the form of schemas/record.v1.json.
    """
    body = _loads(payload) if sealed else strict_json.loads(payload)
    names = body.keys()
    if (names != _NAMES and names != _NAMES_WITH_HISTORY) or body["v"] != 1:
        raise BadEvent("not version 1 of the sealed record")
    for name, kinds in _MEMBERS:
        if type(body[name]) not in kinds:
            raise BadEvent(f"{name} has the wrong type", pointer=f"/{name}")
    key, state, event, history = body["key"], body["state"], body["event"], body.get("history", ())
    if (state is None) != (key == "heartbeat"):
        raise BadEvent("a heartbeat has no state, every other record has one", pointer="/state")
    if type(history) not in (list, tuple):
        raise BadEvent("history has the wrong type", pointer="/history")
    try:
        return SealedRecord(
            key,
            body["revision"],
            body["seq"],
            _recorded_at(body["recorded_at"]),
            body["digest"],
            state,
            body["tokens"],
            body["under_review"],
            event.encode("ascii") if event is not None else None,
            history,
        )
    except ValueError:
        raise BadEvent("a date or an event in the record cannot be read") from None


@lru_cache(maxsize=1024)  # the records of one batch share theirs
def _recorded_at(text: str) -> datetime:
    if not _RECORDED_AT.fullmatch(text):
        raise BadEvent("recorded_at is not UTC with milliseconds", pointer="/recorded_at")
    return instant_of(text)


def _loads(payload: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise NotJson(f"not JSON: {error}") from None
    if type(body) is not dict:
        raise NotJson("not an object")
    return body


_NONE = type(None)
_MEMBERS: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("v", (int,)),
    ("key", (str,)),
    ("revision", (int,)),
    ("seq", (int,)),
    ("recorded_at", (str,)),
    ("digest", (str, _NONE)),
    ("state", (dict, _NONE)),
    ("tokens", (list,)),
    ("under_review", (bool,)),
    ("event", (str, _NONE)),
)
_NAMES = frozenset(name for name, _ in _MEMBERS)
_NAMES_WITH_HISTORY = _NAMES | {"history"}

_RECORDED_MEMBERS: dict[str, tuple[type, ...]] = {
    "seq": (int,),
    "type": (str,),
    "source": (str,),
    "digest": (str,),
    "effective_at": (str, _NONE),
    "recorded_at": (str,),
}


def recorded(body: Any) -> Recorded:
    """One entry of a record's history.

    Raises:
        BadEvent: it has another form. ValueError: a date in it cannot be read.
    """
    if type(body) is not dict or body.keys() != _RECORDED_MEMBERS.keys():
        raise BadEvent("not an entry of a record's history", pointer="/history")
    for name, kinds in _RECORDED_MEMBERS.items():
        if type(body[name]) not in kinds:
            raise BadEvent(f"{name} of an entry has the wrong type", pointer="/history")
    day = body["effective_at"]
    return Recorded(
        body["seq"],
        body["type"],
        body["source"],
        body["digest"],
        date.fromisoformat(day) if day else None,
        instant_of(body["recorded_at"]),
    )
