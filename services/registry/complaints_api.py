"""Consumers' reports over HTTP: for whose business they are, and the state of one for who has its secret."""

import hmac
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, Protocol, TypeVar

import marshmallow as ma
from flask.views import MethodView

from services.auth import Caller, Role
from services.domain.complaints import OUTCOMES, Outcome, as_typed, secret_hash
from services.domain.division import covers, within
from services.domain.errors import CertmarkError, NotFound
from services.domain.identifiers import civil_day, instant_text
from services.events.complaint_record import read_complaint
from services.postgres import Cursor
from services.registry import complaints_store as store
from services.registry.complaints_store import StoredComplaint
from services.registry.gate import Gate, who_asks
from services.web import Blueprint, CodedWordsSchema

T = TypeVar("T")
READERS = (Role.INSPECTOR, Role.REGULATOR)
PAGE = 50


class Reads(Protocol):
    def __call__(self, query: Callable[[Cursor], T]) -> T: ...


class AlreadyDecided(CertmarkError):
    slug = "already-decided"
    title = "The report has an outcome, which is written once"
    zh = "该反映已有处理结果，不能更改"
    status = 409


class ListQuery(ma.Schema):
    after = ma.fields.String(load_default="", validate=ma.validate.Regexp(r"[^\0]{0,64}\Z"))
    limit = ma.fields.Integer(load_default=PAGE, validate=ma.validate.Range(1, 200))
    open = ma.fields.Boolean(load_default=True, metadata={"description": "Only those without an outcome"})


_LINE = ma.validate.Regexp(r"[^\x00-\x1f\x7f-\x9f]{1,500}\Z", error="one line of 1 to 500 characters")


class OutcomeSchema(ma.Schema):
    outcome = ma.fields.String(required=True, validate=ma.validate.OneOf([outcome.value for outcome in Outcome]))
    note = ma.fields.String(
        load_default=None,
        allow_none=True,
        validate=_LINE,
        metadata={"description": "To the reporter, in one line; no natural person's name"},
    )


class SecretSchema(ma.Schema):
    secret = ma.fields.String(required=True, validate=ma.validate.Length(1, 64))


class ReportStateSchema(ma.Schema):
    """What the reporter reads: nothing that he wrote himself."""

    no = ma.fields.String(required=True)
    state = ma.fields.String(required=True, validate=ma.validate.OneOf(["open", "decided"]))
    received_on = ma.fields.Date(required=True)
    due_on = ma.fields.Date(required=True)
    overdue = ma.fields.Boolean(required=True)
    outcome = ma.fields.Nested(CodedWordsSchema, required=True, allow_none=True)
    note = ma.fields.String(required=True, allow_none=True)
    decided_on = ma.fields.Date(required=True, allow_none=True)
    seq = ma.fields.Integer(
        required=True, allow_none=True, metadata={"description": "Log entry with the report's commitment"}
    )
    commitment = ma.fields.String(required=True)
    forgotten_on = ma.fields.Date(
        required=True, allow_none=True, metadata={"description": "When what was written was deleted"}
    )


class WrittenSchema(ma.Schema):
    """What the reporter wrote."""

    product = ma.fields.String(required=True, allow_none=True)
    code = ma.fields.String(required=True, allow_none=True)
    answer = ma.fields.String(required=True, allow_none=True)
    where_kind = ma.fields.String(required=True, allow_none=True)
    where = ma.fields.String(required=True, allow_none=True)
    link = ma.fields.String(required=True, allow_none=True)
    region = ma.fields.String(required=True, allow_none=True)
    text = ma.fields.String(required=True, allow_none=True)
    contact = ma.fields.String(required=True, allow_none=True)


class ReportSchema(ReportStateSchema):
    """The same for an inspector, with what was written as long as it is kept."""

    received_at = ma.fields.String(required=True)
    region = ma.fields.String(required=True, allow_none=True)
    content = ma.fields.Nested(WrittenSchema, required=True, allow_none=True)


class ReportsSchema(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(ReportSchema), required=True)
    next = ma.fields.String(required=True, allow_none=True)


def blueprint(read: Reads, gate: Gate, today: Callable[[], date] = lambda: civil_day(datetime.now(UTC))) -> Blueprint:
    """`/v1/complaints`."""
    pages = Blueprint("complaints", __name__, url_prefix="/v1", description="Consumers' reports")

    @pages.route("/complaints")
    class Reports(MethodView):
        @gate.admits(*READERS)
        @pages.arguments(ListQuery, location="query")
        @pages.response(200, ReportsSchema)
        @pages.doc(
            summary="Reports of one's own territory, in the order of their numbers",
            description="An inspector's token sees its district and what lies in it, a regulator's all.",
        )
        def get(self, query: dict[str, Any]) -> dict[str, Any]:
            prefix = _prefix(who_asks())
            if prefix is None:
                return {"items": [], "next": None}
            found = read(lambda cur: store.page(cur, prefix, query["after"], query["limit"], only_open=query["open"]))
            full = len(found) == query["limit"]
            return {"items": [_report(one, today()) for one in found], "next": found[-1].no if full else None}

    @pages.route("/complaints/<no>")
    class Report(MethodView):
        @gate.admits(*READERS)
        @pages.response(200, ReportSchema)
        @pages.doc(summary="One report")
        def get(self, no: str) -> dict[str, Any]:
            return _report(_own(read, who_asks(), no), today())

    @pages.route("/complaints/<no>/outcome")
    class Decide(MethodView):
        @gate.admits(*READERS)
        @pages.arguments(OutcomeSchema)
        @pages.response(200, ReportSchema)
        @pages.doc(summary="Record what looking into it came to; the reporter reads it")
        def post(self, said: dict[str, Any], no: str) -> dict[str, Any]:
            caller = who_asks()
            stored = _own(read, caller, no)
            outcome = Outcome(said["outcome"])
            if not read(lambda cur: store.decide(cur, stored.no, outcome, said["note"], caller.holder, today())):
                raise AlreadyDecided(f"{stored.no} was decided on {stored.decided_on}")
            return _report(_own(read, caller, no), today())

    @pages.route("/complaints/<no>/state")
    class State(MethodView):
        @pages.arguments(SecretSchema)
        @pages.response(200, ReportStateSchema)
        @pages.doc(
            summary="How a report stands, for who has its secret",
            description="A number that is not there and a secret that is wrong are answered alike.",
        )
        def post(self, said: dict[str, Any], no: str) -> dict[str, Any]:
            return _state(_with_secret(read, no, said["secret"]), today())

    @pages.route("/complaints/<no>/forget")
    class Forget(MethodView):
        @pages.arguments(SecretSchema)
        @pages.response(200, ReportStateSchema)
        @pages.doc(summary="Delete what was written in a report, at the reporter's wish; dates and outcome stay")
        def post(self, said: dict[str, Any], no: str) -> dict[str, Any]:
            stored = _with_secret(read, no, said["secret"])
            read(lambda cur: store.forget(cur, stored.no, today()))
            return _state(_with_secret(read, no, said["secret"]), today())

    return pages


def _prefix(caller: Caller) -> str | None:
    """The significant digits of the caller's territory, empty for all of it; None for an inspector of nowhere."""
    if caller.role is Role.REGULATOR:
        return ""
    if caller.district is None:
        return None
    return within(caller.district)


def _concerns(caller: Caller, stored: StoredComplaint) -> bool:
    if caller.role is Role.REGULATOR:
        return True
    return caller.district is not None and covers(caller.district, stored.region)


def _own(read: Reads, caller: Caller, no: str) -> StoredComplaint:
    """A report of the caller's territory; of any other nothing is said, not even that it exists."""
    stored = read(lambda cur: store.one(cur, as_typed(no)))
    if stored is None or not _concerns(caller, stored):
        raise NotFound("there is no report with this number in this territory")
    return stored


def _with_secret(read: Reads, no: str, secret: str) -> StoredComplaint:
    number = as_typed(no)
    kept = read(lambda cur: store.secret_hash_of(cur, number))
    if not hmac.compare_digest(kept or "", secret_hash(number, secret)):
        raise NotFound("there is no report with this number and secret")
    stored = read(lambda cur: store.one(cur, number))
    assert stored is not None
    return stored


def _state(stored: StoredComplaint, today: date) -> dict[str, Any]:
    words = OUTCOMES[Outcome(stored.outcome)] if stored.outcome else None
    return {
        "no": stored.no,
        "state": "decided" if stored.outcome else "open",
        "received_on": stored.received_on,
        "due_on": stored.due_on,
        "overdue": stored.outcome is None and stored.due_on < today,
        "outcome": {"code": stored.outcome, "zh": words[0], "en": words[1]} if words else None,
        "note": stored.note,
        "decided_on": stored.decided_on,
        "seq": stored.seq,
        "commitment": stored.commitment,
        "forgotten_on": stored.forgotten_on,
    }


def _report(stored: StoredComplaint, today: date) -> dict[str, Any]:
    complaint = read_complaint(stored.content) if stored.content is not None else None
    return _state(stored, today) | {
        "received_at": instant_text(stored.received_at),
        "region": stored.region,
        "content": complaint,
    }
