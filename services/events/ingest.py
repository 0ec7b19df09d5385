"""The ingest service: takes signed events, checks form and signature, and answers once the log has them."""

import json
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, request

from services import asgi, telemetry
from services.api_docs import Link
from services.domain.advice import problem
from services.domain.errors import (
    BadRequest,
    CertmarkError,
    LogUnavailable,
    NotAnEnvelope,
    TooLarge,
    TooManyRequests,
    UnknownKey,
)
from services.events import published, strict_json
from services.events.envelope import (
    MAX_ENVELOPE,
    Event,
    check_signature,
    check_source,
    open_envelope,
    read_event,
)
from services.events.event_types import check_data, compile_all
from services.events.follower import KeyringFollower
from services.events.log import Log, Topics, open_log
from services.events.rate import Buckets, Limit, TokenBucket
from services.problems import NotReady, UnsupportedMediaType
from services.settings import Settings, settings_from
from services.web import Blueprint, service_app

ONE = "application/jose"
MANY = "application/x-ndjson"
MAX_LINES = 1000
MAX_REQUEST = 8 * 1024 * 1024
UNKNOWN_KEY_WAIT = 0.25
"""Seconds that an unknown key is waited for: its record may be a moment away."""


class Throttled(TooManyRequests):
    """429 that knows how long to wait."""

    def __init__(self, source: str, seconds: float) -> None:
        super().__init__(f"{source} has sent all that it may at present")
        self.retry_after = max(1, math.ceil(seconds))


@dataclass(frozen=True, slots=True)
class Checked:
    """An event fit for the log, with its exact bytes."""

    event: Event
    jws: bytes


class Ingest:
    """What the requests of one process share: the keyring, the buckets, a log for each thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        topics = Topics.under(settings.topic_prefix)
        self._topic = topics.events
        self.follower = KeyringFollower(lambda: open_log(settings), topics.state, settings.genesis)
        limit = Limit(settings.rate_per_second, settings.bytes_per_second)
        self._buckets = Buckets(limit, burst=Limit(MAX_LINES, MAX_REQUEST))  # of who was quiet: a whole request
        # A stream of invented kids must not stop everybody else: two waits a second at most, half of one thread.
        self._patience = TokenBucket(per_second=2, burst=2)
        self._mine = threading.local()
        self._results = telemetry.counter("certmark_ingest_total", "Events offered, by result", "result")

    def check(self, jws: bytes, held: dict[str, Throttled]) -> Checked:
        """Everything that can be known of an event without the register.

        The order is the order of trust: size and form of the envelope, key, signature; only then is the
        payload read, and its source, type and data judged. `held` are the sources of which the same request
        had to leave an event out: a later one would overtake it.

        Raises:
            Malformed, Untrusted, Throttled: see the contract's table.
        """
        envelope = open_envelope(jws)
        now = datetime.now(UTC)
        try:
            signer = self.follower.keyring.event_key(envelope, now)
        except UnknownKey:
            if self._patience.take(time.monotonic()) > 0 or not self.follower.await_key(envelope.kid, UNKNOWN_KEY_WAIT):
                raise
            signer = self.follower.keyring.event_key(envelope, now)
        check_signature(envelope, signer.public)
        owner = signer.key.owner
        if owner not in held and (wait := self._buckets.take(owner, len(jws), time.monotonic())) > 0:
            held[owner] = Throttled(owner, wait)
        if owner in held:
            raise held[owner]
        event = read_event(envelope)
        check_source(event, owner)
        check_data(event)
        return Checked(event, jws)

    def store(self, checked: Sequence[Checked]) -> None:
        """Append in order; returns once the log has acknowledged.

        Raises:
            LogUnavailable: unknown whether they are stored; the same bytes may be sent again.
        """
        if not checked:
            return
        try:
            self._log().append(self._topic, [(c.event.subject, c.jws) for c in checked])
        except LogUnavailable:
            self._drop_log()
            raise

    def count(self, result: str) -> None:
        self._results.labels(result).inc()

    def require_ready(self) -> None:
        why_not = self.follower.why_not_ready
        if why_not:
            raise NotReady(why_not, hint="send the same bytes again")

    def _log(self) -> Log:
        log: Log | None = getattr(self._mine, "log", None)
        if log is None:
            log = self._mine.log = open_log(self._settings)
        return log

    def _drop_log(self) -> None:
        log: Log | None = getattr(self._mine, "log", None)
        self._mine.log = None
        if log is not None:
            log.close()


def create_server() -> asgi.Front:
    """The application for an ASGI server, with the settings of the environment: no slow sender holds its thread."""
    telemetry.log_as_json("events")
    return asgi.Front(app_for(settings_from()), MAX_REQUEST)


def app_for(settings: Settings) -> Flask:
    compile_all()
    ingest = Ingest(settings)
    app, api = service_app(
        "events",
        "certmark events",
        ready=lambda: ingest.follower.why_not_ready,
        navigation=[
            Link(f"{settings.public_url}/", {"zh": "首页", "en": "Front page"}),
            Link("/docs", {"zh": "接口文档", "en": "API"}),
        ],
    )
    app.config["MAX_CONTENT_LENGTH"] = MAX_REQUEST
    app.extensions["certmark-ingest"] = ingest
    api.register_blueprint(_routes(ingest))
    api.register_blueprint(published.blueprint())
    ingest.follower.start()
    return app


_DOC: dict[str, Any] = {
    "summary": "Hand in signed events",
    "description": (
        "One event as JWS compact, or up to 1,000 lines of them (bare, or each as a JSON string). A 202 means that the "
        "log has the event, not that the registry accepts it: ask for the decision by its digest. After a 503 send "
        "the same bytes again."
    ),
    "requestBody": {
        "required": True,
        "content": {
            ONE: {
                "schema": {
                    "type": "string",
                    "maxLength": MAX_ENVELOPE,
                    "pattern": "^[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+){2}$",
                }
            },
            MANY: {"schema": {"type": "string", "maxLength": MAX_REQUEST}},
        },
    },
    "responses": {
        200: {
            "description": "One result a line, in order: {status: 202, id, digest}, or a problem document",
            "content": {MANY: {"schema": {"type": "string"}}},
        },
        202: {
            "description": "The log has it",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["id", "digest"],
                        "properties": {
                            "id": {"type": "string", "format": "uuid"},
                            "digest": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                        },
                    }
                }
            },
        },
        400: {"description": "Malformed"},
        401: {"description": "Signature or key"},
        403: {"description": "The key belongs to another source"},
        413: {"description": "Larger than the limits"},
        415: {"description": "Neither of the two content types, or an encoded body"},
        429: {"description": "More events, or more bytes of them, than the source may send; see Retry-After"},
        503: {"description": "Unknown whether it was stored: send the same bytes again"},
    },
}


def _routes(ingest: Ingest) -> Blueprint:
    routes = Blueprint("events", __name__, url_prefix="/v1", description="Signed events, in")

    @routes.post("/events")
    @routes.doc(**_DOC)
    def take_events() -> Response:
        if request.mimetype == ONE:
            return _one(ingest, request.get_data(cache=False))
        if request.mimetype == MANY:
            return _many(ingest, request.get_data(cache=False))
        raise UnsupportedMediaType(f"the content type is {request.mimetype[:80]!r}", hint=f"{ONE} or {MANY}")

    return routes


def _one(ingest: Ingest, body: bytes) -> Response:
    ingest.require_ready()
    try:
        checked = ingest.check(body.strip(b" \t\r\n"), {})
        ingest.store([checked])
    except CertmarkError as error:
        ingest.count(error.slug)
        raise
    ingest.count("accepted")
    return Response(json.dumps(_receipt(checked)), 202, content_type="application/json")


def _receipt(checked: Checked) -> dict[str, Any]:
    return {"id": checked.event.id, "digest": checked.event.digest}


def _many(ingest: Ingest, body: bytes) -> Response:
    ingest.require_ready()
    lines = [line for line in (raw.strip(b" \t\r") for raw in body.split(b"\n")) if line]
    if not lines:
        raise BadRequest("the request has no line")
    if len(lines) > MAX_LINES:
        raise TooLarge(f"{len(lines)} lines; a request has at most {MAX_LINES}")
    held: dict[str, Throttled] = {}
    outcomes = [_outcome(ingest, line, held) for line in lines]
    try:
        # One call: the lines that are fit keep their order, and wait for one acknowledgement instead of a thousand.
        ingest.store([outcome for outcome in outcomes if isinstance(outcome, Checked)])
    except CertmarkError as error:
        outcomes = [error if isinstance(outcome, Checked) else outcome for outcome in outcomes]

    return Response(b"".join(_result(ingest, outcome) for outcome in outcomes), 200, content_type=MANY)


def _result(ingest: Ingest, outcome: Checked | CertmarkError) -> bytes:
    if isinstance(outcome, Checked):
        ingest.count("accepted")
        result = {"status": 202, **_receipt(outcome)}
    else:
        ingest.count(outcome.slug)
        result = problem(outcome)
    return json.dumps(result, ensure_ascii=False).encode() + b"\n"


def _outcome(ingest: Ingest, line: bytes, held: dict[str, Throttled]) -> Checked | CertmarkError:
    try:
        return ingest.check(_unquoted(line), held)
    except CertmarkError as error:
        return error


def _unquoted(line: bytes) -> bytes:
    """A line may be the JWS itself, or the same as a JSON string."""
    if not line.startswith(b'"'):
        return line
    if len(line) > MAX_ENVELOPE + 2:
        raise TooLarge(f"{len(line)} bytes; an envelope has at most {MAX_ENVELOPE}")
    try:
        text = strict_json.loads(b'{"jws":' + line + b"}")["jws"]
        return str(text).encode("ascii")
    except (CertmarkError, UnicodeEncodeError):
        raise NotAnEnvelope("the line is neither a JWS nor a JSON string of one") from None
