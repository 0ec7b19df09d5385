"""Where a source or a platform registers the address to which it wants to be told, and sees how that goes."""

import re
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime
from typing import Any, TypeVar

import marshmallow as ma
from flask.views import MethodView

from services import outbound
from services.auth import Caller, Role
from services.domain.errors import BadRequest, NotFound
from services.domain.identifiers import instant_text
from services.postgres import Cursor, connect, database_url, transaction
from services.registry import decision_feed, store, webhook_store
from services.registry.checks import watches
from services.registry.decision_feed import BEGINNING, LATEST, Place
from services.registry.gate import Gate, who_asks
from services.registry.webhook_store import Kind, State, Webhook
from services.settings import Settings
from services.web import Blueprint

T = TypeVar("T")
Read = Callable[[Callable[[Cursor], T]], T]
FIRST = "beginning"
AT_MOST = 10
"""Webhooks of one holder."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)
_KINDS = {Role.SOURCE: (Kind.DECISIONS,), Role.PLATFORM: (Kind.CHANGES, Kind.CHECKS)}
"""What a role may be told of; the first where it does not say."""


class WebhookAsked(ma.Schema):
    url = ma.fields.String(required=True, metadata={"description": "https://…; signed deliveries are posted there"})
    kind = ma.fields.String(
        load_default=None,
        validate=ma.validate.OneOf([kind.value for kind in Kind]),
        metadata={"description": "A platform's: changes (of the register), or checks (of what it has watched)"},
    )
    after = ma.fields.String(
        load_default=None,
        metadata={
            "description": f"Where to begin: a cursor (decisions), revision (changes) or number (checks), "
            f"`{LATEST}` (the default for a new one) or `{FIRST}`. Without it an old one goes on where it was."
        },
    )


class WebhookSchema(ma.Schema):
    """A webhook and how it goes. A dead one gets nothing until it is put again."""

    name = ma.fields.String(required=True)
    holder = ma.fields.String(required=True)
    kind = ma.fields.String(required=True, validate=ma.validate.OneOf([kind.value for kind in Kind]))
    url = ma.fields.String(required=True)
    state = ma.fields.String(required=True, validate=ma.validate.OneOf([state.value for state in State]))
    next = ma.fields.String(required=True, metadata={"description": "Delivered up to here: a cursor, or a revision"})
    failures = ma.fields.Integer(required=True, metadata={"description": "In a row"})
    failing_since = ma.fields.String(required=True, allow_none=True)
    last_error = ma.fields.String(required=True, allow_none=True)
    next_attempt_at = ma.fields.String(required=True, allow_none=True)
    delivered_at = ma.fields.String(required=True, allow_none=True)
    created_at = ma.fields.String(required=True)


class WebhooksSchema(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(WebhookSchema), required=True)
    next = ma.fields.String(required=True, allow_none=True)


def webhooks(settings: Settings, read: Read[Any], gate: Gate) -> Blueprint:
    """`/v1/webhooks`: each holder sees and changes its own, an administrator sees all."""
    blueprint = Blueprint("webhooks", __name__, url_prefix="/v1", description="Deliveries to an address of one's own")

    def write(statements: Callable[[Cursor], T]) -> T:
        with closing(connect(database_url(settings))) as connection, transaction(connection) as cur:
            return statements(cur)

    @blueprint.route("/webhooks")
    class Webhooks(MethodView):
        @gate.admits(*_KINDS, Role.ADMINISTRATOR)
        @blueprint.response(200, WebhooksSchema)
        @blueprint.doc(summary="One's webhooks and how they go; an administrator sees all")
        def get(self) -> dict[str, Any]:
            caller = who_asks()
            holder = None if caller.role is Role.ADMINISTRATOR else caller.holder
            found = read(lambda cur: webhook_store.of_holder(cur, holder))
            return {"items": [shown(webhook) for webhook in found], "next": None}

    @blueprint.route("/webhooks/<name>")
    class One(MethodView):
        @gate.admits(*_KINDS)
        @blueprint.response(200, WebhookSchema)
        @blueprint.doc(summary="A webhook of one's own")
        def get(self, name: str) -> dict[str, Any]:
            caller = who_asks()
            found = read(lambda cur: webhook_store.of_holder(cur, caller.holder))
            for webhook in found:
                if webhook.name == name:
                    return shown(webhook)
            raise NotFound(f"there is no webhook {name[:64]!r} of {caller.holder}")

        @gate.admits(*_KINDS)
        @blueprint.arguments(WebhookAsked)
        @blueprint.response(200, WebhookSchema)
        @blueprint.doc(
            summary="Register a webhook, change its address, or revive a dead one",
            description=(
                "A source is told of the decisions about its events, a platform of the register's changes, or of what "
                "has changed in the checks that it has watched."
            ),
        )
        def put(self, asked: dict[str, Any], name: str) -> dict[str, Any]:
            caller = who_asks()
            if not _NAME.fullmatch(name):
                raise BadRequest("a name has up to 64 lower-case letters, digits and dashes", pointer="/name")
            outbound.target_of(asked["url"], within=not settings.production)
            return shown(write(lambda cur: _put(cur, caller, name, asked)))

        @gate.admits(*_KINDS)
        @blueprint.response(204)
        @blueprint.doc(summary="Be told no more")
        def delete(self, name: str) -> None:
            caller = who_asks()
            if not write(lambda cur: webhook_store.remove(cur, caller.holder, name)):
                raise NotFound(f"there is no webhook {name[:64]!r} of {caller.holder}")

    return blueprint


def _put(cur: Cursor, caller: Caller, name: str, asked: Mapping[str, Any]) -> Webhook:
    after: str | None = asked["after"]
    kind = Kind(asked["kind"]) if asked["kind"] else None
    if kind is not None and kind not in _KINDS[caller.role]:
        raise BadRequest(f"{kind} is not for a {caller.role}'s token", pointer="/kind")
    own = webhook_store.of_holder(cur, caller.holder)
    others = [webhook for webhook in own if webhook.name != name]
    before = next((webhook.kind for webhook in own if webhook.name == name), None)
    if before is not None and kind not in (None, before):
        raise BadRequest(f"the webhook {name} is one for {before}", pointer="/kind", hint="take it away first")
    if len(others) >= AT_MOST:
        raise BadRequest(f"{caller.holder} has {AT_MOST} webhooks", hint="take one away first")
    kind = before or kind or _KINDS[caller.role][0]
    start = _start(cur, kind, after or LATEST)
    return webhook_store.put(cur, caller.holder, name, kind, asked["url"], start, again=after is not None)


def _start(cur: Cursor, kind: Kind, after: str) -> tuple[Place, int]:
    """Where to begin, of which the kind of webhook uses one."""
    if after == FIRST:
        return BEGINNING, 0
    if after == LATEST:
        return decision_feed.latest(cur), _reached(cur, kind)
    if kind is Kind.DECISIONS:
        return decision_feed.place_of(after), 0
    if not re.fullmatch(r"\d{1,18}", after, re.ASCII) or int(after) > _reached(cur, kind):
        raise BadRequest(f"{after[:64]!r} is no revision or number that has been come to", pointer="/after")
    return BEGINNING, int(after)


def _reached(cur: Cursor, kind: Kind) -> int:
    """The revision, or number of a change, that there is last."""
    return watches.last_told(cur) if kind is Kind.CHECKS else store.head(cur).revision


def shown(webhook: Webhook) -> dict[str, Any]:
    """The webhook as its holder sees it."""
    waits = webhook.failures > 0 and webhook.state is State.ACTIVE
    return {
        "name": webhook.name,
        "holder": webhook.holder,
        "kind": webhook.kind.value,
        "url": webhook.url,
        "state": webhook.state.value,
        "next": webhook.place.cursor() if webhook.kind is Kind.DECISIONS else str(webhook.revision),
        "failures": webhook.failures,
        "failing_since": _instant(webhook.failing_since),
        "last_error": webhook.last_error,
        "next_attempt_at": _instant(webhook.next_at) if waits else None,
        "delivered_at": _instant(webhook.delivered_at),
        "created_at": _instant(webhook.created_at),
    }


def _instant(instant: datetime | None) -> str | None:
    return instant_text(instant) if instant else None
