"""What others follow over HTTP: the decisions about a source's events, the changes of the register, and its keys."""

import json
import threading
import uuid
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import marshmallow as ma
from flask import Response, request
from flask.views import MethodView

from services import asgi
from services.auth import Caller, NotPermitted, Role
from services.domain.body import Purpose
from services.domain.errors import BadRequest, Fault, NotConfigured, NotFound
from services.events import detached
from services.events.keys import PrivateKey, load_key
from services.postgres import Cursor
from services.problems import NotReady
from services.registry import change_feed, decision_feed, store
from services.registry.answer_schemas import KEY, FeedSchema
from services.registry.decision_feed import BEGINNING, LATEST, Place
from services.registry.gate import Gate, who_asks
from services.registry.streams import Streams
from services.settings import Settings
from services.web import DETAIL_ZH, Blueprint, WordsSchema, answers

T = TypeVar("T")
PAGE = 100
STREAM = "text/event-stream"
JOSE = "application/jose"
READERS = (Role.PLATFORM, Role.INSPECTOR, Role.REGULATOR, Role.ADMINISTRATOR)
"""Who may follow the changes: all of it is public, and a token says whom to tell when it goes wrong."""


class Reader(Protocol):
    """Runs a query on the connection of the thread in hand."""

    def read(self, query: Callable[[Cursor], T]) -> T: ...


class NoSeal(Fault):
    slug = "no-seal"
    title = "This process has no key with which the register seals, so that it can sign no answer"
    zh = "本进程没有登记册的封签密钥，无法为答复签名"


class DecisionsQuery(ma.Schema):
    source = ma.fields.String(
        load_default=None,
        metadata={"description": "URN of the source; its own token needs none, a regulator's may leave it out for all"},
    )
    after = ma.fields.String(
        load_default=None,
        metadata={"description": f"`next` of the page before, or the id of an event; `{LATEST}`: only what comes"},
    )
    limit = ma.fields.Integer(load_default=PAGE, validate=ma.validate.Range(1, 1000))


class FollowedDecision(ma.Schema):
    """One decision, with what it was about."""

    cursor = ma.fields.String(required=True, metadata={"description": "Go on from here; opaque, and good for ever"})
    digest = ma.fields.String(allow_none=True)
    decision = ma.fields.String(required=True, validate=ma.validate.OneOf(["accepted", "refused", "quarantined"]))
    code = ma.fields.String(allow_none=True, metadata={"description": "Slug of the refusal or quarantine"})
    text = ma.fields.Nested(WordsSchema, allow_none=True, metadata={"description": "What the code stands for"})
    detail = ma.fields.String(allow_none=True)
    detail_zh = ma.fields.String(allow_none=True, metadata={"description": DETAIL_ZH})
    pointer = ma.fields.String(allow_none=True, metadata={"description": "RFC 6901 pointer into the event"})
    hint = ma.fields.String(allow_none=True)
    seq = ma.fields.Integer(allow_none=True, metadata={"description": "Place in the register; none in quarantine"})
    position = ma.fields.Integer(
        allow_none=True, metadata={"description": "Place in the log, of what is in quarantine"}
    )
    source = ma.fields.String(allow_none=True, metadata={"description": "In quarantine: the named key's owner"})
    id = ma.fields.String(allow_none=True)
    type = ma.fields.String(allow_none=True)
    subject = ma.fields.String(allow_none=True)
    sequence = ma.fields.Integer(allow_none=True)
    effective_at = ma.fields.String(allow_none=True)
    received_at = ma.fields.String(required=True)
    recorded_at = ma.fields.String(required=True)


class DecisionsPage(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(FollowedDecision), required=True)
    next = ma.fields.String(
        required=True,
        metadata={"description": "The cursor behind the last item: always there, to go on from at any time"},
    )


class FeedQuery(ma.Schema):
    after = ma.fields.Integer(
        load_default=0, validate=ma.validate.Range(0, 2**63 - 1), metadata={"description": "`next` of the page before"}
    )
    limit = ma.fields.Integer(load_default=PAGE, validate=ma.validate.Range(1, 1000))


def feeds(database: Reader, settings: Settings, gate: Gate) -> Blueprint:
    """The routes; `settings` say how many readers may stay and which key signs."""
    blueprint = Blueprint("feeds", __name__, url_prefix="/v1", description="What bodies, platforms and agencies follow")
    streams = Streams(settings, database.read)
    signer = Signer(database, settings)

    @blueprint.route("/decisions")
    class Decisions(MethodView):
        @gate.admits(Role.SOURCE, Role.REGULATOR)
        @blueprint.arguments(DecisionsQuery, location="query")
        @blueprint.response(200, DecisionsPage)
        @blueprint.doc(
            summary="The decisions about a source's events, in order; as Server-Sent Events by Accept",
            description=(
                "With the source's token, or a regulator's. `Accept: text/event-stream` gives the same as a stream "
                "that stays open: each event's id is its cursor, and `Last-Event-ID` goes on from there."
            ),
        )
        def get(self, query: dict[str, Any]) -> Any:
            caller = who_asks()
            source = source_for(caller, query["source"])
            streamed = request.accept_mimetypes.best_match(["application/json", STREAM]) == STREAM
            cursor = (request.headers.get("Last-Event-ID") if streamed else None) or query["after"]
            place = _place(database, cursor)
            if streamed:
                return _stream(streams, caller, source, place)
            page = database.read(lambda cur: decision_feed.decisions_after(cur, source, place, query["limit"]))
            return {"items": page.items, "next": page.place.cursor()}

    @blueprint.route("/feed")
    class Feed(MethodView):
        @gate.admits(*READERS)
        @blueprint.arguments(FeedQuery, location="query")
        @blueprint.doc(
            summary="The changes of the register, in order and without a gap, each page signed",
            description=(
                "Every revision from `after` + 1 to `complete_to` is either that of an item or named in `replaced`. "
                f"The header {detached.HEADER} is a detached JWS over the exact bytes of the page; `Accept: {JOSE}` "
                "gives the whole page as one compact JWS."
            ),
            responses={
                200: {
                    "description": "The page, signed",
                    "content": {"application/json": {"schema": FeedSchema}, JOSE: {}},
                }
            },
        )
        def get(self, query: dict[str, Any]) -> Response:
            changes = database.read(lambda cur: change_feed.changes_after(cur, query["after"], query["limit"]))
            enveloped = request.accept_mimetypes.best_match(["application/json", JOSE]) == JOSE
            if query["after"] > changes.revision:
                raise BadRequest(
                    f"{query['after']} lies ahead of this register, which has come to {changes.revision}",
                    pointer="/after",
                    hint="another register, or one restored from an older copy: begin again at 0",
                )
            tag = change_feed.etag_of(changes) + ("-jose" if enveloped else "")
            response = Response(content_type=JOSE if enveloped else "application/json")
            response.set_etag(tag, weak=True)
            response.headers["Cache-Control"] = "private, no-cache"
            response.vary.add("Accept")
            if request.if_none_match.contains_weak(tag):
                response.status_code = 304
                return response
            page = change_feed.page_of(changes, signer.register())
            if enveloped:
                response.set_data(detached.compact(page, str(uuid.uuid4()), changes.as_of, signer.key()))
            else:
                response.set_data(page)
                signature = detached.sign_detached(page, str(uuid.uuid4()), changes.as_of, signer.key())
                response.headers[detached.HEADER] = signature
            return response

    @blueprint.route("/keys/<kid>")
    class Keys(MethodView):
        @blueprint.doc(
            summary="A key of the register, by the kid that a signature names, with the signed event that added it",
            description="Believe it through that event; its signer's key is asked for in the same way, up to the first",
            responses=answers(KEY, "The members of its state/v1, and `event`"),
        )
        def get(self, kid: str) -> dict[str, Any]:
            found = database.read(lambda cur: store.records_of(cur, [f"key/{kid}"])).get(f"key/{kid}")
            if found is None:
                raise NotFound(f"no key {kid[:64]!r} is registered")
            return {**json.loads(found.state), "event": found.event}

    return blueprint


def source_for(caller: Caller, asked: str | None) -> str | None:
    """Whose decisions a caller gets: a source its own, a regulator those that it asks for, or all.

    Raises:
        NotPermitted: a source asks for another's.
    """
    if caller.role is not Role.SOURCE:
        return asked
    if asked is not None and asked != caller.holder:
        raise NotPermitted(f"the token is of {caller.holder}; it does not open what is decided for {asked[:128]}")
    return caller.holder


def _place(database: Reader, cursor: str | None) -> Place:
    if cursor is None:
        return BEGINNING
    return database.read(decision_feed.latest) if cursor == LATEST else decision_feed.place_of(cursor)


def _stream(streams: Streams, caller: Caller, source: str | None, place: Place) -> Response:
    stream = streams.open(caller, source, place)
    response = Response(stream.once(), content_type=f"{STREAM}; charset=utf-8")
    if asgi.CONTINUES in request.environ:
        request.environ[asgi.CONTINUES] = stream
    else:  # a plain WSGI server, which gives out what is there now
        response.call_on_close(stream.close)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


class Signer:
    """The key with which this process signs what it answers: the register's seal, once the register knows it."""

    def __init__(self, database: Reader, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._key: PrivateKey | None = None
        self._register: str | None = None
        self._lock = threading.Lock()

    def key(self) -> PrivateKey:
        """Raises NoSeal: there is no file with it, or the register does not know it as one for seals."""
        with self._lock:
            if self._key is None:
                self._key = self._loaded()
            return self._key

    def _loaded(self) -> PrivateKey:
        try:
            key = load_key(self._settings.seal_key)
        except NotConfigured as error:
            raise NoSeal(error.detail, hint="CERTMARK_SEAL_KEY names its file") from None
        name = f"key/{key.public.kid}"
        record = self._database.read(lambda cur: store.records_of(cur, [name])).get(name)
        if record is None or json.loads(record.state)["purpose"] != Purpose.SEAL:
            raise NoSeal(f"the register knows no key {key.public.kid} for seals")
        return key

    def register(self) -> str:
        """The digest of the register's first event, by which it is known from any other.

        Raises:
            NotReady: there is none yet.
        """
        with self._lock:
            if self._register is None:
                self._register = self._database.read(change_feed.first_digest)
            if self._register is None:
                raise NotReady("the register has not been established yet")
            return self._register
