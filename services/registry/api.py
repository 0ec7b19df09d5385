"""The registry's HTTP interface: what was decided and why, what stands, and what stood as known then."""

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, TypeVar

import marshmallow as ma
from flask import Flask
from flask.views import MethodView
from werkzeug.wrappers import Request

from services import asgi, telemetry
from services.api_docs import Link
from services.domain.details import in_chinese
from services.domain.errors import BadRequest, CertmarkError, Fault, NotFound, every_error
from services.domain.identifiers import certificate_number, civil_day, instant_text
from services.events.published import add_published
from services.events.published import blueprint as schemas
from services.postgres import Connection, Cursor, DatabaseUnavailable, connect, database_url, transaction
from services.registry import (
    acceptance,
    bulk,
    code_sets_api,
    complaints_api,
    feeds,
    indicators,
    overdue,
    permits,
    published,
    store,
    webhooks_api,
)
from services.registry.answer_schemas import HEADS, AsOfSchema, HistorySchema
from services.registry.as_of import as_of
from services.registry.checks import routes as checks
from services.registry.console import routes as console
from services.registry.desk import cases_api
from services.registry.desk import routes as desk
from services.registry.desk.room import Desk
from services.registry.gate import Gate, gate_of
from services.registry.past import instant_named
from services.settings import Settings, settings_from
from services.web import DETAIL_ZH, Blueprint, answers, service_app

T = TypeVar("T")
PAGE = 100


class DecisionSchema(ma.Schema):
    """What became of an event."""

    digest = ma.fields.String(required=True)
    decision = ma.fields.String(
        required=True, validate=ma.validate.OneOf(["pending", "accepted", "refused", "quarantined"])
    )
    code = ma.fields.String(allow_none=True, metadata={"description": "Slug of the refusal or quarantine"})
    text = ma.fields.Function(
        lambda row: code_text(row["code"]),
        allow_none=True,
        metadata={
            "anyOf": [{"$ref": "#/components/schemas/Words"}, {"type": "null"}],
            "description": "What the code stands for",
        },
    )
    detail = ma.fields.String(allow_none=True)
    detail_zh = ma.fields.Function(
        lambda row: in_chinese(row["detail"] or ""),
        metadata={"type": ["string", "null"], "description": DETAIL_ZH},
    )
    pointer = ma.fields.String(allow_none=True, metadata={"description": "RFC 6901 pointer into the event"})
    hint = ma.fields.String(allow_none=True)
    seq = ma.fields.Integer(allow_none=True)
    recorded_at = ma.fields.Function(lambda row: _instant(row["recorded_at"]), metadata={"type": ["string", "null"]})


class HeadsQuery(ma.Schema):
    source = ma.fields.String(load_default=None)
    subject = ma.fields.String(load_default=None)
    after = ma.fields.String(load_default="", metadata={"description": "`next` of the page before"})
    limit = ma.fields.Integer(load_default=PAGE, validate=ma.validate.Range(1, 1000))


class AsOfQuery(ma.Schema):
    at = ma.fields.String(load_default=None, metadata={"description": "Civil date at UTC+8; today where absent"})
    known_at = ma.fields.String(
        load_default=None, metadata={"description": "Date (its end) or RFC 3339 instant; now where absent"}
    )


class HistoryQuery(ma.Schema):
    after = ma.fields.Integer(load_default=-1, metadata={"description": "`next` of the page before"})
    limit = ma.fields.Integer(load_default=PAGE, validate=ma.validate.Range(1, 1000))


def create_app() -> Flask:
    """The application for a WSGI server; one database connection a thread."""
    telemetry.log_as_json("registry")
    settings = settings_from()
    database = Database(settings)
    app, api = service_app(
        "registry", "certmark registry", ready=database.why_not_ready, navigation=_navigation(settings)
    )
    add_published(api)
    api.register_blueprint(schemas())
    api.register_blueprint(_blueprint(database))
    api.register_blueprint(published.blueprint(settings))
    api.register_blueprint(indicators.blueprint(database.read))
    gate = gate_of(api, database.read, settings)
    api.register_blueprint(feeds.feeds(database, settings, gate))
    api.register_blueprint(webhooks_api.webhooks(settings, database.read, gate))
    api.register_blueprint(acceptance.blueprint(settings, database.read, gate))
    api.register_blueprint(overdue.blueprint(database.read, gate))
    api.register_blueprint(code_sets_api.blueprint(settings, database.read, gate))
    api.register_blueprint(complaints_api.blueprint(database.read, gate))
    app.register_blueprint(console.blueprint(settings, database.read, gate))
    app.register_blueprint(desk.blueprint(settings, database.read))
    api.register_blueprint(cases_api.blueprint(database.read))
    api.register_blueprint(checks.blueprint(database.read, gate, settings))
    app.extensions["certmark-larger"] = _larger(gate, Desk(settings, database.read))
    return app


def _navigation(settings: Settings) -> list[Link]:
    return [
        Link(f"{settings.public_url}/", {"zh": "首页", "en": "Front page"}),
        Link("/console/", {"zh": "机构工作台", "en": "A body's console"}),
        Link("/desk/", {"zh": "监管工作台", "en": "Inspectors' desk"}),
        Link("/docs", {"zh": "接口文档", "en": "API"}),
    ]


def _larger(gate: Gate, at_desk: Desk) -> Callable[[dict[str, Any]], int]:
    """How many bytes are taken in beyond what anybody may send: of files of listings, from who may hand them in."""

    def larger(environ: dict[str, Any]) -> int:
        request = Request(environ)
        try:
            if request.path == "/v1/checks":
                return checks.LARGEST if checks.may_hand_in(gate, request) else 0
            return checks.LARGEST if request.path == "/desk/checks/new" and at_desk.knows(request) else 0
        except CertmarkError:
            return 0

    return larger


def create_server() -> asgi.Front:
    """The same for an ASGI server: streams stay open beside it."""
    app = create_app()
    return asgi.Front(app, console.LARGEST_REQUEST, app.extensions["certmark-larger"])


class Database:
    """Queries, each a transaction of its own, on a connection that belongs to its thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._local = threading.local()

    def read(self, query: Callable[[Cursor], T]) -> T:
        """Run a query; a connection that broke is made anew once, so that a restart of the database is not seen.

        Where it is unknown whether something was stored, it is not done once more: a page would do its deed twice.
        """
        for last_try in (False, True):
            try:
                with transaction(self._connection()) as cur:
                    return query(cur)
            except Fault as fault:
                self._local.connection = None
                if last_try or not isinstance(fault, DatabaseUnavailable):
                    raise
        raise AssertionError("unreachable")

    def _connection(self) -> Connection:
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None or connection.closed:
            connection = self._local.connection = connect(database_url(self._settings))
        return connection

    def why_not_ready(self) -> str | None:
        try:
            self.read(store.head)
        except CertmarkError as error:
            return error.detail
        return None


def _blueprint(database: Database) -> Blueprint:
    blueprint = Blueprint("registry", __name__, url_prefix="/v1", description="Decisions and certificates")

    @blueprint.route("/decisions/<digest>")
    class Decision(MethodView):
        @blueprint.response(200, DecisionSchema)
        @blueprint.doc(summary="What became of an event, by the digest of its signing input")
        def get(self, digest: str) -> dict[str, Any]:
            if len(digest) != 64 or digest.strip("0123456789abcdef"):
                raise BadRequest("a digest is 64 lower-case hexadecimal digits")
            found = database.read(lambda cur: store.decision_of(cur, digest))
            if found is None:
                raise NotFound("no event with this digest has been decided", hint="if it was just sent, ask again")
            return found

    @blueprint.route("/heads")
    class Heads(MethodView):
        @blueprint.arguments(HeadsQuery, location="query")
        @blueprint.doc(
            summary="What the next event of a chain must follow",
            description="With source and subject: {sequence, previous}. With one of them: a list of chains.",
            responses=answers(HEADS, "{sequence, previous}, or {items, next}"),
        )
        def get(self, query: dict[str, Any]) -> dict[str, Any]:
            source, subject = query["source"], query["subject"]
            if source is None and subject is None:
                raise BadRequest(
                    "name a source, a subject, or both", hint="/v1/heads?source=urn:certmark:body:…&subject=…"
                )
            if source is not None and not source.startswith("urn:certmark:"):
                raise BadRequest(
                    f"{source[:80]!r} is no source",
                    pointer="/source",
                    hint="a source is a URN, such as urn:certmark:body:CNCA-R-2019-7901",
                )
            subjects = None if subject is None else _forms(subject)
            after, limit = query["after"].partition(" "), query["limit"]
            rows = database.read(lambda cur: store.chains_between(cur, source, subjects, (after[0], after[2]), limit))
            if source is not None and subject is not None:
                return {"sequence": rows[0][2], "previous": f"sha256:{rows[0][3]}"} if rows else _START
            return {
                "items": [
                    {"source": r[0], "subject": r[1], "sequence": r[2], "previous": f"sha256:{r[3]}"} for r in rows
                ],
                "next": f"{rows[-1][0]} {rows[-1][1]}" if len(rows) == limit else None,
            }

    bulk.add_routes(blueprint, database.read, DecisionSchema)

    @blueprint.route("/certificates/<path:number>/history")
    class History(MethodView):
        @blueprint.arguments(HistoryQuery, location="query")
        @blueprint.doc(
            summary="Every entry about a certificate or declaration, refused ones included",
            responses=answers(HistorySchema, "Entries in order of seq"),
        )
        def get(self, query: dict[str, Any], number: str) -> dict[str, Any]:
            no = certificate_number(number)
            rows = database.read(lambda cur: store.history_of(cur, no, query["after"], query["limit"]))
            if not rows and query["after"] < 0:
                raise NotFound(f"{no} is not in the register")
            items = [
                {
                    **row,
                    "effective_at": row["effective_at"].isoformat() if row["effective_at"] else None,
                    "received_at": _instant(row["received_at"]),
                    "recorded_at": _instant(row["recorded_at"]),
                }
                for row in rows
            ]
            return {"items": items, "next": rows[-1]["seq"] if len(rows) == query["limit"] else None}

    permits.add_route(blueprint, database.read)

    @blueprint.route("/certificates/<path:number>")
    class Certificates(MethodView):
        @blueprint.arguments(AsOfQuery, location="query")
        @blueprint.doc(
            summary="A certificate's state and standing on a day, as known at an instant",
            responses=answers(AsOfSchema, "As it stood"),
        )
        def get(self, query: dict[str, Any], number: str) -> dict[str, Any]:
            no = certificate_number(number)
            day = _day(query["at"]) if query["at"] else civil_day(datetime.now(UTC))
            known_at = instant_named(query["known_at"], "/known_at") if query["known_at"] else None
            return database.read(lambda cur: as_of(cur, no, day, known_at))

    return blueprint


_START: dict[str, Any] = {"sequence": 0, "previous": None}


def code_text(code: str | None) -> dict[str, str] | None:
    """What a refusal's or quarantine's slug stands for, in both languages."""
    error = every_error().get(code) if code else None
    return {"zh": error.zh, "en": error.title} if error else None


def _forms(subject: str) -> list[str]:
    """A subject as written, and as a certificate number in canonical form where it can be one."""
    try:
        return [subject, certificate_number(subject)]
    except CertmarkError:
        return [subject]


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadRequest(f"{text!r} is no date of the form 2026-11-01", pointer="/at") from None


def _instant(instant: datetime | None) -> str | None:
    return instant_text(instant) if instant else None
