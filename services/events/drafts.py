"""Drafts of events: what a person writes by hand, completed into the signed envelope."""

import json
import re
import uuid
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from services.domain.errors import BadEvent, BadRequest, CertmarkError
from services.domain.identifiers import CHINA, civil_day
from services.events.envelope import Event, open_envelope, read_event, sign_event
from services.events.event_types import EVENT_TYPES, check_data, check_form, resolved
from services.events.forms import check_draft
from services.events.keys import PrivateKey
from services.events.strict_json import loads

Draft = dict[str, Any]
Heads = Callable[[str, str], tuple[int, str | None]]
"""(source, subject) → (sequence, digest) of the last event of that chain."""

SIGNATORY = "certmark-cli"
_DAYS = re.compile(r"today|([+-][0-9]{1,4})d", re.ASCII)


def source_of(name: str, authority: str) -> str:
    """The URN of a source by the short name that people use.

    `authority` is the id of the authority that `regulator` stands for.

    Raises:
        BadRequest: it could be several things; the hint says how to write it in full.
    """
    if name.startswith("urn:certmark:"):
        return name
    if name == "regulator":
        return f"urn:certmark:authority:{authority}"
    if name.startswith("CNCA-"):
        return f"urn:certmark:body:{name}"
    if len(name) == 18 and name.isalnum() and name[:2].isalnum():
        return f"urn:certmark:declarant:{name}"
    kind, colon, rest = name.partition(":")
    if colon and rest and kind in ("authority", "body", "alliance", "declarant"):
        return f"urn:certmark:{name}"
    raise BadRequest(
        f"{name!r} is not the name of a source",
        hint="an approval number, a credit code, regulator, alliance:<id>, authority:<id>, or the whole urn:certmark:…",
    )


def full_type(name: str) -> str:
    """`certificate.suspended`, `certificate.suspended.v1` and `certmark.certificate.suspended.v1` are the same type."""
    full = f"certmark.{name.removeprefix('certmark.').removesuffix('.v1')}.v1"
    return name if name.startswith("certmark.") and full not in EVENT_TYPES else full


def draft_of(event_type: str, subject: str, words: Sequence[str], today: date) -> Draft:
    """A draft from `name=value` words; a value is read as its member's schema says (text, number, JSON).

    A date may be written as `today`, or as days from it: `+60d`, `-3d`.

    Raises:
        BadRequest: a word is not of that form, or a value cannot be read.
    """
    name = full_type(event_type)
    schema = EVENT_TYPES[name].schema if name in EVENT_TYPES else {}
    data: dict[str, Any] = {}
    for word in words:
        member, equals, text = word.partition("=")
        if not equals or not member:
            raise BadRequest(f"{word!r} is not name=value")
        data[member] = _value(schema.get("properties", {}).get(member), schema, text, today)
    return {"type": name, "subject": subject, "data": data}


def _value(part: dict[str, Any] | None, whole: dict[str, Any], text: str, today: date) -> Any:
    if part is None:
        return text
    part = resolved(part, whole)
    if "anyOf" in part:
        if text == "null":
            return None
        part = resolved(part["anyOf"][0], whole)
    if part.get("format") == "date" and (days := _DAYS.fullmatch(text)):
        return (today + timedelta(days=int(days[1] or 0))).isoformat()
    kinds = part.get("type", "string")
    if "string" in ([kinds] if isinstance(kinds, str) else kinds):
        return text
    try:
        return json.loads(text)
    except ValueError:
        raise BadRequest(f"{text[:80]!r} is not JSON, and the member is a {kinds}") from None


def drafts_in(raw: bytes) -> list[Draft]:
    """The drafts of a file: one JSON object, a JSON array of them, or one a line.

    Raises:
        Malformed: not strict JSON; a line is named.
    """
    text = raw.strip()
    if text.startswith(b"["):
        return [_draft(d, f"draft {i}") for i, d in enumerate(loads(b'{"drafts":' + text + b"}")["drafts"], 1)]
    try:
        return [loads(text)]
    except CertmarkError as whole:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2:
            raise
        try:
            return [loads(line) for line in lines]
        except CertmarkError as error:
            if lines[0].strip() == b"{":
                raise whole from None
            raise BadRequest(f"a line of the drafts cannot be read: {error.detail}") from None


def _draft(value: Any, name: str) -> Draft:
    if not isinstance(value, dict):
        raise BadRequest(f"{name} is not a JSON object")
    return value


class Signer:
    """Completes drafts and signs them; the chains that it writes to go on in its memory.

    A draft needs `type`, `subject` and `data`. Whatever else of the envelope it holds is kept, the rest
    is filled in: `source`, `id`, `time`, `sequence` and `previous`, `signatory`, and `effective_at` of
    the data where the type asks for one.
    """

    def __init__(self, source: str, key: PrivateKey, signatory: str, heads: Heads) -> None:
        self._source = source
        self._key = key
        self._signatory = signatory
        self._heads = heads
        self._chains: dict[tuple[str, str], tuple[int, str | None]] = {}

    def sign(self, draft: Draft, now: datetime) -> bytes:
        """The signed event.

        Raises:
            Malformed: the draft is not, or does not become, an event of its type; every fault is named.
        """
        for member in ("type", "subject", "data"):
            if member not in draft:
                raise BadEvent(f"the draft has no {member}", pointer=f"/{member}")
        name, subject = full_type(str(draft["type"])), str(draft["subject"])
        data = draft["data"]
        if isinstance(data, dict) and "effective_at" in _properties(name):
            data = {"effective_at": civil_day(now).isoformat(), **data}
        _check(name, data)
        source = str(draft.get("source", self._source))
        payload = {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "source": source,
            "type": name,
            "subject": subject,
            "time": now.astimezone(CHINA).isoformat(timespec="seconds"),
            **self._place(draft, source, subject),
            "signatory": self._signatory,
            **{member: value for member, value in draft.items() if member not in _DECIDED},
            "data": data,
        }
        jws = sign_event(payload, self._key)
        event = _checked(jws)
        self._chains[source, subject] = (event.sequence, event.digest)
        return jws

    def _place(self, draft: Draft, source: str, subject: str) -> dict[str, Any]:
        if "sequence" in draft:
            previous = draft.get("previous")
            return {"sequence": draft["sequence"], **({"previous": previous} if previous else {})}
        sequence, digest = self._chains.get((source, subject)) or self._heads(source, subject)
        return {"sequence": sequence + 1, **({"previous": f"sha256:{digest}"} if digest else {})}


_DECIDED = ("type", "subject", "source", "sequence", "previous", "data")


def _properties(name: str) -> dict[str, Any]:
    kind = EVENT_TYPES.get(name)
    return kind.schema.get("properties", {}) if kind else {}


def _check(name: str, data: Any) -> None:
    """Every fault of a draft. Nearly always there is none, which the compiled schema tells at a quarter of the time."""
    if name in EVENT_TYPES and isinstance(data, dict):
        try:
            check_form(name, data)
            return
        except BadEvent:
            pass  # the form below names all that is wrong, not only the first
    check_draft(name, data)


def _checked(jws: bytes) -> Event:
    """What ingest will read, so that nothing is signed which cannot be accepted."""
    event = read_event(open_envelope(jws))
    check_data(event)
    return event
