"""What a source's own programs ask a thousand at a time: heads of chains, decisions, the certificates that are its."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

import marshmallow as ma
import orjson
from flask.views import MethodView

from services.domain.certificate import CertificateState, from_state
from services.domain.errors import NotFound
from services.domain.identifiers import civil_day, instant_text
from services.domain.standing import standing_under
from services.postgres import Cursor
from services.registry import store
from services.registry.answer_schemas import HeadsOfSchema, HeldCertificatesSchema, HeldSchema
from services.registry.as_of import as_of
from services.registry.past import instant_named
from services.web import Blueprint, answers

T = TypeVar("T")
AT_MOST = 1000
LOOKED_AT = 200
"""Of the certificates as they stood then no more are looked at for a page: each is folded from all that was said."""

_KEY = "certificate/"
_HELD = tuple(HeldSchema().fields)
Read = Callable[[Callable[[Cursor], T]], T]
"""Runs a query in a read-only transaction of its own."""

_DIGEST = ma.validate.Regexp(r"[0-9a-f]{64}\Z", error="a digest is 64 lower-case hexadecimal digits")


_NAME = ma.validate.Regexp(r"[^\0]{0,128}\Z", error="at most 128 characters, and no U+0000")


class HeadsAsked(ma.Schema):
    source = ma.fields.String(required=True, validate=_NAME, metadata={"description": "URN of a source"})
    subjects = ma.fields.List(
        ma.fields.String(required=True, validate=_NAME), required=True, validate=ma.validate.Length(1, AT_MOST)
    )


class DecisionsAsked(ma.Schema):
    digests = ma.fields.List(
        ma.fields.String(required=True, validate=_DIGEST), required=True, validate=ma.validate.Length(1, AT_MOST)
    )


class CertificatesQuery(ma.Schema):
    source = ma.fields.String(required=True, validate=_NAME, metadata={"description": "URN of a source"})
    at = ma.fields.Date(load_default=None, metadata={"description": "Civil date at UTC+8; today where absent"})
    known_at = ma.fields.String(
        load_default=None, metadata={"description": "Date (its end) or RFC 3339 instant; now where absent"}
    )
    after = ma.fields.String(load_default="", validate=_NAME, metadata={"description": "`next` of the page before"})
    limit = ma.fields.Integer(load_default=100, validate=ma.validate.Range(1, AT_MOST))


def add_routes(blueprint: Blueprint, read: Read[Any], decision: type[ma.Schema]) -> None:
    """Everything here is public data, as it is one by one; asking in bulk spares both sides the requests.

    `decision` is the schema of a decision that is asked for alone.
    """

    @blueprint.post("/heads")
    @blueprint.arguments(HeadsAsked)
    @blueprint.doc(
        summary="What the next events of many chains of a source must follow",
        description=f"At most {AT_MOST} subjects. A chain that has no event yet is left out.",
        responses=answers(HeadsOfSchema, "Those that have begun"),
    )
    def heads_of(asked: dict[str, Any]) -> dict[str, Any]:
        found = read(lambda cur: store.chains_of(cur, asked["subjects"], [asked["source"]]))
        return {
            "items": [
                {"subject": subject, "sequence": sequence, "previous": f"sha256:{digest}"}
                for (_, subject), (sequence, digest) in found.items()
            ]
        }

    @blueprint.post("/decisions")
    @blueprint.arguments(DecisionsAsked)
    @blueprint.response(
        200, ma.Schema.from_dict({"items": ma.fields.List(ma.fields.Nested(decision))}, name="Decisions")
    )
    @blueprint.doc(
        summary="What became of many events, by their digests",
        description=f"At most {AT_MOST} digests. An event that has not been decided is left out.",
    )
    def decisions_on(asked: dict[str, Any]) -> dict[str, Any]:
        found = read(lambda cur: store.decisions_of(cur, asked["digests"]))
        return {"items": list(found.values())}

    @blueprint.route("/certificates")
    class CertificatesOf(MethodView):
        @blueprint.arguments(CertificatesQuery, location="query")
        @blueprint.doc(
            summary="Every certificate that a source answers for, with its state and standing",
            description="With `at` or `known_at` those that it answered for then, each as it is answered alone; a page"
            " may come short: go on until `next` is null.",
            responses=answers(HeldCertificatesSchema, "In order of their numbers"),
        )
        def get(self, query: dict[str, Any]) -> dict[str, Any]:
            page = _then if query["at"] or query["known_at"] else _now
            found: dict[str, Any] = read(lambda cur: page(cur, query))
            return found


def _then(cur: Cursor, query: dict[str, Any]) -> dict[str, Any]:
    """Of the subjects that the source has ever spoken about, the certificates that it answered for."""
    source, limit = query["source"], min(query["limit"], LOOKED_AT)
    day = query["at"] or civil_day(datetime.now(UTC))
    known_at = instant_named(query["known_at"], "/known_at") if query["known_at"] else None
    spoken_about = [row[1] for row in store.chains_between(cur, source, None, (source, query["after"]), limit)]
    items = []
    for subject in spoken_about:
        with suppress(NotFound):
            found = as_of(cur, subject, day, known_at)
            if found["state"]["responsible"] == source:
                items.append({name: found[name] for name in _HELD})
    return {"items": items, "next": spoken_about[-1] if len(spoken_about) == limit else None}


def _now(cur: Cursor, query: dict[str, Any]) -> dict[str, Any]:
    """What it answers for at present, from the records: quicker, and the same."""
    day = civil_day(datetime.now(UTC))
    rows = store.certificates_of(cur, query["source"], f"{_KEY}{query['after']}", query["limit"])
    states = [_state(row) for row in rows]
    parents = {f"{_KEY}{state['parent_no']}" for state in states if state["parent_no"]}
    above = {key: from_state(_state(row)) for key, row in store.records_of(cur, parents).items()} if parents else {}
    items = [
        {
            "certificate_no": state["certificate_no"],
            "standing": standing_under(from_state(state), above.get(f"{_KEY}{state['parent_no']}"), day).value,
            "seq": row.seq,
            "recorded_at": instant_text(row.recorded_at),
            "state": state,
        }
        for state, row in zip(states, rows, strict=True)
    ]
    return {"items": items, "next": items[-1]["certificate_no"] if len(items) == query["limit"] else None}


def _state(row: store.StoredRecord) -> CertificateState:
    state: CertificateState = orjson.loads(row.state)
    return state
