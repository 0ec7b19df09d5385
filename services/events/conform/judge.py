"""Looks at every event that a client under test has posted, point by point of its form."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import fastjsonschema

from services import base64url
from services.domain.errors import BadSignature, CertmarkError
from services.domain.identifiers import civil_day
from services.events import strict_json
from services.events.conform.desk import Posted, canonical
from services.events.conform.producer_cases import Report
from services.events.envelope import TYP
from services.events.event_types import EVENT_TYPES, compile_schema
from services.events.keys import HEADER_NAMES, PublicKey

SIGNATORY = "CF-0042"
_MEMBERS = ("specversion", "id", "source", "type", "subject", "time", "sequence", "signatory", "data")
_OPTIONAL = ("previous", "dataschema", "datacontenttype")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_LATE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Given:
    """What the client was given for the task in which it posted."""

    source: str
    key: PublicKey
    now: datetime
    reports: Sequence[Report]


@dataclass(slots=True)
class Judge:
    """Remembers which id stood for which content, over the whole run."""

    _contents: dict[str, str] = field(default_factory=dict)

    def offences(self, posted: Posted, given: Given, until: datetime) -> Iterator[tuple[str, str]]:
        """(case of form, what is wrong). `until` is the present: time passes while a client waits."""
        for name, look in _LOOKS.items():
            if wrong := look(posted, given):
                yield f"form/{name}", wrong
        event = posted.payload if isinstance(posted.payload, dict) else {}
        if wrong := _wrong_time(event.get("time"), given.now, until):
            yield "form/time", wrong
        if self._contents.setdefault(str(event.get("id")), posted.digest) != posted.digest:
            yield "form/id-once", f"{event.get('id')} again"


Look = Callable[[Posted, Given], str]
"""What is wrong, in words; empty: nothing."""


def _parts(posted: Posted, given: Given) -> str:
    count = posted.text.count(".") + 1
    return "" if count == 3 else f"{count} parts"


def _base64url(posted: Posted, given: Given) -> str:
    for name, part in zip(("header", "payload", "signature"), posted.text.split("."), strict=False):
        if not re.fullmatch("[A-Za-z0-9_-]+", part, re.ASCII):
            return f"the {name} is not base64url without padding"
    spelt = base64url.encoded(posted.signature)
    return "" if posted.text.split(".")[2:3] == [spelt] else "spare bits of the signature are set"


def _header(posted: Posted, given: Given) -> str:
    if not isinstance(posted.header, dict):
        return "the header is no JSON object"
    asked = sorted({"crit", "b64"} & posted.header.keys())
    return f"it asks for {asked[0]}" if asked else ""


def _alg(posted: Posted, given: Given) -> str:
    alg = _member(posted.header, "alg")
    return "" if alg in HEADER_NAMES[given.key.alg] else f"{alg!r} with a key for {given.key.alg}"


def _kid(posted: Posted, given: Given) -> str:
    kid = _member(posted.header, "kid")
    return "" if kid == given.key.kid else f"{kid!r}, not {given.key.kid!r}"


def _typ(posted: Posted, given: Given) -> str:
    typ = _member(posted.header, "typ")
    return "" if typ == TYP else f"{typ!r}"


def _signature(posted: Posted, given: Given) -> str:
    try:
        given.key.verify(posted.signature, posted.signing_input)
    except BadSignature as error:
        return error.detail if len(posted.signature) == 64 else f"{len(posted.signature)} bytes"
    return ""


def _json(posted: Posted, given: Given) -> str:
    try:
        strict_json.loads(posted.raw)
    except CertmarkError as error:
        return f"{error.slug}: {error.detail}"
    return ""


def _members(posted: Posted, given: Given) -> str:
    event = posted.payload if isinstance(posted.payload, dict) else {}
    missing = [name for name in _MEMBERS if name not in event]
    unknown = sorted(event.keys() - {*_MEMBERS, *_OPTIONAL})
    return f"without {missing[0]}" if missing else f"unknown member {unknown[0][:40]!r}" if unknown else ""


def _specversion(posted: Posted, given: Given) -> str:
    found = _member(posted.payload, "specversion")
    return "" if found == "1.0" else f"{found!r}"


def _id(posted: Posted, given: Given) -> str:
    found = _member(posted.payload, "id")
    return "" if isinstance(found, str) and _UUID.fullmatch(found) else f"{found!r}"


def _source(posted: Posted, given: Given) -> str:
    found = _member(posted.payload, "source")
    return "" if found == given.source else f"{found!r}, not {given.source!r}"


def _type(posted: Posted, given: Given) -> str:
    found = _member(posted.payload, "type")
    return "" if found in {report.type for report in given.reports} else f"{found!r}"


def _subject(posted: Posted, given: Given) -> str:
    found = _member(posted.payload, "subject")
    known = {canonical(report.subject) for report in given.reports}
    return "" if isinstance(found, str) and canonical(found) in known else f"{found!r}"


def _wrong_time(found: object, begun: datetime, until: datetime) -> str:
    if not isinstance(found, str) or not _TIME.fullmatch(found):
        return f"{found!r} is no instant with a zone"
    try:
        instant = datetime.fromisoformat(found)
    except ValueError:
        return f"there is no instant {found}"
    return "" if begun - _LATE <= instant <= until + _LATE else f"{found}, when it was {until.isoformat()}"


def _sequence(posted: Posted, given: Given) -> str:
    found = _member(posted.payload, "sequence")
    return "" if type(found) is int and found >= 1 else f"{found!r}"


def _previous(posted: Posted, given: Given) -> str:
    found, sequence = _member(posted.payload, "previous"), _member(posted.payload, "sequence")
    if sequence == 1:
        return "" if found is None else "present at sequence 1"
    return "" if isinstance(found, str) and _DIGEST.fullmatch(found) else f"{found!r} at sequence {sequence!r}"


def _signatory(posted: Posted, given: Given) -> str:
    found = _member(posted.payload, "signatory")
    return "" if found == SIGNATORY else f"{found!r}, not {SIGNATORY!r}"


def _data(posted: Posted, given: Given) -> str:
    """The same as was to be reported, but for members that are null and the day that was left to the client."""
    report = report_of(posted, given.reports)
    if report is None:
        return "" if _type(posted, given) or _subject(posted, given) else "nothing of the kind was to be reported"
    wanted = {"effective_at": civil_day(given.now).isoformat(), **report.data}
    return _difference(_without_null(wanted), _without_null(_member(posted.payload, "data")), "/data")


def _schema(posted: Posted, given: Given) -> str:
    kind = EVENT_TYPES.get(str(_member(posted.payload, "type")))
    if kind is None:
        return ""  # `form/type` says so
    try:
        _validator(kind.name)(_member(posted.payload, "data"))
    except fastjsonschema.JsonSchemaValueException as error:
        return str(error.message)[:200]
    return ""


@cache
def _validator(name: str) -> Callable[[Any], Any]:
    return compile_schema(EVENT_TYPES[name].schema)


_LOOKS: Mapping[str, Look] = {
    "parts": _parts,
    "base64url": _base64url,
    "header": _header,
    "alg": _alg,
    "kid": _kid,
    "typ": _typ,
    "signature": _signature,
    "json": _json,
    "members": _members,
    "specversion": _specversion,
    "id": _id,
    "source": _source,
    "type": _type,
    "subject": _subject,
    "sequence": _sequence,
    "previous": _previous,
    "signatory": _signatory,
    "data": _data,
    "schema": _schema,
}


def report_of(posted: Posted, reports: Sequence[Report]) -> Report | None:
    """Which of the reports an event is."""
    if not isinstance(posted.payload, dict):
        return None
    found = (posted.payload.get("type"), canonical(str(posted.payload.get("subject"))))
    return next((report for report in reports if (report.type, canonical(report.subject)) == found), None)


def _member(value: object, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_null(member) for name, member in value.items() if member is not None}
    return [_without_null(member) for member in value] if isinstance(value, list | tuple) else value


def _difference(wanted: Any, found: Any, path: str) -> str:
    """Where two JSON values differ first; 1 and 1.0 do, and so do two ways to compose an accent."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for name in [*wanted, *found]:
            if name not in found or name not in wanted:
                return f"{path}/{name} is {'missing' if name in wanted else 'not from the report'}"
            if below := _difference(wanted[name], found[name], f"{path}/{name}"):
                return below
        return ""
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        pairs = enumerate(zip(wanted, found, strict=True))
        return next((wrong for at, (w, f) in pairs if (wrong := _difference(w, f, f"{path}/{at}"))), "")
    if type(wanted) is type(found) and wanted == found:
        return ""
    return f"{path} is {json.dumps(found, ensure_ascii=False)[:60]}, not {json.dumps(wanted, ensure_ascii=False)[:60]}"
