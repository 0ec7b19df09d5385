"""A consumer's report as it lies in the restricted topic: what the verify service writes and the registry reads."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, datetime
from functools import cache
from typing import Any

import fastjsonschema

from services.domain.errors import BadEvent, TooLarge
from services.domain.identifiers import instant_of, instant_text
from services.events import strict_json
from services.events.canonical import canonical
from services.events.event_types import SCHEMAS, compile_schema

LONGEST = 32 * 1024
"""Bytes of a record; its own caps leave it far below."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """One report. Everything in it is restricted but `no`; `text`, `contact`, `where`, `link` may name people."""

    no: str
    secret_hash: str
    salt: str
    received_at: datetime
    due_on: date
    product: str
    code: str | None
    answer: str | None
    where_kind: str
    where: str | None
    link: str | None
    region: str | None
    text: str
    contact: str | None


def complaint_bytes(complaint: Complaint) -> bytes:
    """Canonical JSON: the bytes that the commitment is made over.

    Raises:
        BadEvent: not of the form of schemas/complaint.v1.json; with a pointer.
    """
    members: dict[str, Any] = {"v": 1, **asdict(complaint)}
    members["received_at"] = instant_text(complaint.received_at)
    members["due_on"] = complaint.due_on.isoformat()
    _check(members)
    return canonical(members, floats=False)


def read_complaint(value: bytes) -> Complaint:
    """The report of a record.

    Raises:
        TooLarge, Malformed: it is none. The text says where, never what was written there.
    """
    if len(value) > LONGEST:
        raise TooLarge(f"{len(value)} bytes; a report has at most {LONGEST}")
    members = strict_json.loads(value)
    _check(members)
    del members["v"]
    members["received_at"] = instant_of(members["received_at"])
    members["due_on"] = date.fromisoformat(members["due_on"])
    return Complaint(**members)


def _check(members: dict[str, Any]) -> None:
    try:
        _validator()(members)
    except fastjsonschema.JsonSchemaValueException as error:
        path = "".join(f"/{step}" for step in error.path)
        raise BadEvent("a member of the report has another form than its schema asks for", pointer=path) from None


@cache
def _validator() -> Callable[[Any], Any]:
    return compile_schema(json.loads((SCHEMAS / "complaint.v1.json").read_text(encoding="utf-8")))
