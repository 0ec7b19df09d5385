"""The sealed record of the state topic: what the registry publishes of one certificate, body, key or scheme."""

import base64
import binascii
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import orjson

from services.domain.errors import BadEvent, NotAnEnvelope, NotJson, TooLarge
from services.domain.identifiers import instant_of, instant_text
from services.events import strict_json
from services.events.envelope import encoded_header, sign_under
from services.events.keys import HEADER_NAMES, PrivateKey, b64u

TYP = "certmark-state+jws"
MAX_RECORD = 512 * 1024
"""Bytes of a sealed record as stored: the 256 KiB that a state may have, in base64, and room for a key's event."""
_RECORDED_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class SealedToken:
    """The signed token of one mark on one product; `list_id` and `index` are its place in a status list.

    With `serials` (the run of a set of unit codes) the place alone, which the tokens of all its units share: then
    `token` is empty.
    """

    mark_no: str
    gtin: str | None
    model: str | None
    token: bytes
    list_id: int
    index: int
    serials: str | None = None


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
    highest that was published before it. `history` is what was recorded about a certificate, its last hundred entries
    in order of seq.
    """

    key: str
    revision: int
    seq: int
    recorded_at: datetime
    digest: str | None
    state: dict[str, Any] | None
    tokens: tuple[SealedToken, ...]
    under_review: bool
    event: bytes | None
    history: tuple[Recorded, ...] = ()


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
    tokens = [
        {
            "mark_no": t.mark_no,
            "gtin": t.gtin,
            "model": t.model,
            "token": b64u(t.token) if t.serials is None else None,
            "list": t.list_id,
            "index": t.index,
            **({"serials": t.serials} if t.serials is not None else {}),
        }
        for t in record.tokens
    ]
    return seal_texts(
        record.key,
        record.revision,
        record.seq,
        record.recorded_at,
        record.digest,
        record.under_review,
        record.event.decode("ascii") if record.event is not None else None,
        state=_text(record.state),
        tokens=_text(tokens),
        history=_text([_recorded_members(one) for one in record.history]),
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


def _recorded_members(one: Recorded) -> dict[str, Any]:
    return {
        "seq": one.seq,
        "type": one.type,
        "source": one.source,
        "digest": one.digest,
        "effective_at": one.effective_at.isoformat() if one.effective_at else None,
        "recorded_at": instant_text(one.recorded_at),
    }


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
    payload = f'{orjson.dumps(envelope).decode()[:-1]},"state":{state},"tokens":{tokens}{told}}}'
    return sign_under(_head(seal_key.public.alg, seal_key.public.kid), payload.encode("utf-8"), seal_key)


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
    parts = value.split(b".")
    if len(parts) != 3:
        raise NotAnEnvelope("not three parts joined by dots")
    alg, kid = _header(parts[0], typ)
    return Sealed(alg, kid, _unbase64(parts[1]), value[: len(parts[0]) + 1 + len(parts[1])], _unbase64(parts[2]))


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
        return base64.b64decode(part + b"=" * (-len(part) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise NotAnEnvelope("not base64url without padding") from None


def read_record(payload: bytes, *, sealed: bool = False) -> SealedRecord:
    """The record inside a seal; its state is taken as the registry wrote it (schemas/state.v1.json).

    `sealed` says that the seal was checked: then nobody but the registry wrote it, which writes no member twice, and a
    reader that is ten times as quick will do.

    Raises:
        Malformed: not the form of schemas/record.v1.json.
    """
    body = _loads(payload) if sealed else strict_json.loads(payload)
    if body.keys() - {"history"} != _MEMBERS.keys() or body["v"] != 1:
        raise BadEvent("not version 1 of the sealed record")
    for name, kinds in _MEMBERS.items():
        if type(body[name]) not in kinds:
            raise BadEvent(f"{name} has the wrong type", pointer=f"/{name}")
    if (body["state"] is None) != (body["key"] == "heartbeat"):
        raise BadEvent("a heartbeat has no state, every other record has one", pointer="/state")
    if not _RECORDED_AT.fullmatch(body["recorded_at"]):
        raise BadEvent("recorded_at is not UTC with milliseconds", pointer="/recorded_at")
    event: str | None = body["event"]
    try:
        return SealedRecord(
            key=body["key"],
            revision=body["revision"],
            seq=body["seq"],
            recorded_at=instant_of(body["recorded_at"]),
            digest=body["digest"],
            state=body["state"],
            tokens=tuple(_token(token) for token in body["tokens"]),
            under_review=body["under_review"],
            event=event.encode("ascii") if event is not None else None,
            history=tuple(recorded(one) for one in body.get("history", ())),
        )
    except ValueError:
        raise BadEvent("a date or an event in the record cannot be read") from None


def _loads(payload: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise NotJson(f"not JSON: {error}") from None
    if type(body) is not dict:
        raise NotJson("not an object")
    return body


_NONE = type(None)
_MEMBERS: dict[str, tuple[type, ...]] = {
    "v": (int,),
    "key": (str,),
    "revision": (int,),
    "seq": (int,),
    "recorded_at": (str,),
    "digest": (str, _NONE),
    "state": (dict, _NONE),
    "tokens": (list,),
    "under_review": (bool,),
    "event": (str, _NONE),
}
_TOKEN_MEMBERS: dict[str, tuple[type, ...]] = {
    "mark_no": (str,),
    "gtin": (str, _NONE),
    "model": (str, _NONE),
    "token": (str,),
    "list": (int,),
    "index": (int,),
}
_PLACE_MEMBERS: dict[str, tuple[type, ...]] = {**_TOKEN_MEMBERS, "token": (_NONE,), "serials": (str,)}


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


def _token(body: Any) -> SealedToken:
    if type(body) is not dict:
        raise BadEvent("not a token of a sealed record", pointer="/tokens")
    members = _PLACE_MEMBERS if "serials" in body else _TOKEN_MEMBERS
    if body.keys() != members.keys():
        raise BadEvent("not a token of a sealed record", pointer="/tokens")
    for name, kinds in members.items():
        if type(body[name]) not in kinds:
            raise BadEvent(f"{name} of a token has the wrong type", pointer="/tokens")
    token = _unbase64(body["token"].encode("ascii")) if "serials" not in body else b""
    where = (body["list"], body["index"], body.get("serials"))
    return SealedToken(body["mark_no"], body["gtin"], body["model"], token, *where)
