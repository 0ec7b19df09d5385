"""What an offline reader fetches: status lists and the trust list as the registry signed them, in sum for people."""

import hashlib
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

import marshmallow as ma
from flask import Response, request

from services import base64url
from services.domain.errors import CertmarkError, Fault, NotFound
from services.domain.identifiers import instant_text
from services.domain.unit_code import HASH_BYTES
from services.marks.shown import document_json
from services.marks.status_list import BITS, MEDIA_TYPE, OpenList, Status, StatusList, content_of, open_list
from services.marks.trust_list import bundle, open_document
from services.verify.as_json import dumps
from services.verify.read_model import Unreadable
from services.verify.register import Register
from services.web import Blueprint, answers

JSON, CBOR = "application/json", "application/cbor"
SHARED_S = 60
"""Seconds for which a cache may keep a list: far below the time that the list itself allows."""


class ListsNotHere(Fault):
    slug = "lists-not-here"
    title = "This node cannot read its lists at present"
    zh = "本节点目前无法读取列表"


class NoHistory(CertmarkError):
    slug = "no-history"
    title = "Only the present list is kept; what stood on a past day is asked of the registry"
    zh = "只保留现行列表；过去某日的状态请向登记册查询"
    status = 501


class ListInSumSchema(ma.Schema):
    """A status list in sum: how many places say what."""

    uri = ma.fields.String(required=True)
    issued_at = ma.fields.String(required=True)
    expires_at = ma.fields.String(required=True)
    expired = ma.fields.Boolean(required=True)
    ttl = ma.fields.Integer(required=True, allow_none=True)
    kid = ma.fields.String(required=True)
    bits = ma.fields.Integer(required=True)
    places = ma.fields.Integer(required=True)
    valid = ma.fields.Integer(required=True)
    revoked = ma.fields.Integer(required=True)
    suspended = ma.fields.Integer(required=True)
    cancelled = ma.fields.Integer(required=True)
    voided_codes = ma.fields.Integer(required=True, allow_none=True)
    aggregation_uri = ma.fields.String(required=True, allow_none=True)


class StatusListsSchema(ma.Schema):
    status_lists = ma.fields.List(ma.fields.String(), required=True)


class TrustKeySchema(ma.Schema):
    kid = ma.fields.String(required=True)
    alg = ma.fields.String(required=True)
    key = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String(), required=True)


class TrustSignerSchema(TrustKeySchema):
    issuer = ma.fields.String(required=True)
    purpose = ma.fields.String(required=True)
    first_day = ma.fields.Date(required=True, data_key="from")
    until = ma.fields.Date(required=True, allow_none=True)
    state = ma.fields.String(required=True)
    since = ma.fields.String(required=True, allow_none=True)


class TrustDocumentSchema(ma.Schema):
    kind = ma.fields.String(required=True, validate=ma.validate.OneOf(["root", "list"]))
    version = ma.fields.Integer(required=True)
    issued_at = ma.fields.String(required=True)
    expires_at = ma.fields.String(required=True)
    register = ma.fields.String(required=True)
    digest = ma.fields.String(required=True)
    signed_by = ma.fields.List(ma.fields.String(), required=True)


class TrustRootSchema(TrustDocumentSchema):
    threshold = ma.fields.Integer(required=True)
    roots = ma.fields.List(ma.fields.Nested(TrustKeySchema), required=True)
    delegates = ma.fields.List(ma.fields.Nested(TrustKeySchema), required=True)


class TrustListSchema(TrustDocumentSchema):
    root = ma.fields.Integer(required=True)
    hosts = ma.fields.List(ma.fields.String(), required=True)
    status = ma.fields.String(required=True)
    signers = ma.fields.List(ma.fields.Nested(TrustSignerSchema), required=True)


TRUST = {"type": "array", "items": {"oneOf": [TrustRootSchema, TrustListSchema]}}
"""The roots in order, and the list."""


def blueprint(register: Callable[[], Register], clock: Callable[[], datetime]) -> Blueprint:
    """The three addresses; `register` gives the thread's own."""
    pages = Blueprint("lists", __name__, description="What an offline reader fetches (docs/offline.md)")

    @pages.get("/status/<int:list_id>")
    @pages.doc(
        summary="A status list: the IETF's Token Status List, as a CWT; as JSON what it says in sum",
        parameters=[{"name": "format", "in": "query", "schema": {"type": "string", "enum": ["json"]}}],
        responses={
            200: {"description": "The list", "content": {MEDIA_TYPE: {}, JSON: {"schema": ListInSumSchema}}},
            404: {"description": "There is no list of this number"},
            501: {"description": "`time` was asked for: only the present list is kept"},
            503: {"description": "This node cannot read its lists at present"},
        },
    )
    def status_list(list_id: int) -> Response:
        if "time" in request.args:
            raise NoHistory("a list at another time was asked for")
        state = _state(register(), f"list/{list_id}")
        if state is None:
            raise NotFound(f"there is no status list {list_id}")
        signed = base64url.decoded(state["cwt"])
        if _wants_json(MEDIA_TYPE):
            return _json(_told(signed, clock()))
        return _served(Response(signed, content_type=MEDIA_TYPE))

    @pages.get("/status/lists")
    @pages.doc(
        summary="The addresses of all status lists",
        responses=answers(StatusListsSchema, "`{status_lists}`"),
    )
    def status_lists() -> Response:
        try:
            states = [stored.payload()["state"] for stored in register().model.records_under("list")]
        except Unreadable as reason:
            raise ListsNotHere(str(reason)) from None
        states.sort(key=lambda state: int(state["list"]))
        return _json({"status_lists": [state["uri"] for state in states]})

    @pages.get("/.well-known/certmark-trust")
    @pages.doc(
        summary="The trust list with all its roots; as JSON what it says",
        responses={
            200: {
                "description": "A CBOR array of COSE_Sign documents",
                "content": {CBOR: {}, JSON: {"schema": TRUST}},
            },
            404: {"description": "The register has no trust list yet"},
            503: {"description": "This node cannot read its lists at present"},
        },
    )
    def trust() -> Response:
        state = _state(register(), "trust")
        if state is None:
            raise NotFound("this register has no trust list yet")
        documents = [base64url.decoded(one) for one in [*state["roots"], state["list"]]]
        if _wants_json(CBOR):
            return _json([document_json(open_document(one)) for one in documents])
        return _served(Response(bundle(documents), content_type=CBOR))

    return pages


def _state(register: Register, key: str) -> dict[str, Any] | None:
    try:
        stored = register.model.record(key)
    except Unreadable as reason:
        raise ListsNotHere(str(reason)) from None
    state: dict[str, Any] | None = stored.payload()["state"] if stored else None
    return state


def _wants_json(otherwise: str) -> bool:
    """Programs that name nothing get the signed bytes, and so does a browser."""
    return (
        request.args.get("format") == "json"
        or request.accept_mimetypes.best_match([otherwise, JSON], default=otherwise) == JSON
    )


def _json(value: object) -> Response:
    return _served(Response(dumps(value), content_type=JSON))


def _served(response: Response) -> Response:
    """With a strong tag: the bytes are what was signed. Any site's scanner may fetch them."""
    response.headers["ETag"] = f'"{hashlib.sha256(response.get_data()).hexdigest()[:32]}"'
    response.headers["Cache-Control"] = f"public, max-age={SHARED_S}"
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.make_conditional(request)
    return response


def _told(signed: bytes, now: datetime) -> dict[str, Any]:
    """A list in sum. Its signature is for who relies on it; this node believed the record that it came in."""
    opened, content, counts = _counted(signed)
    return {
        "uri": content.uri,
        "issued_at": instant_text(content.issued_at),
        "expires_at": instant_text(content.expires_at),
        "expired": content.expires_at <= now,
        "ttl": content.ttl,
        "kid": opened.kid.hex(),
        "bits": content.bits,
        "places": content.places,
        **counts,
        "voided_codes": None if content.voided is None else len(content.voided) // HASH_BYTES,
        "aggregation_uri": content.aggregation_uri,
    }


@lru_cache(maxsize=4)
def _counted(signed: bytes) -> tuple[OpenList, StatusList, dict[str, int]]:
    opened = open_list(signed)
    content = content_of(opened)
    counts = dict.fromkeys((status.name.lower() for status in Status), 0)
    for byte, times in Counter(content.array).items():
        for shift in range(0, 8, BITS):
            counts[Status(byte >> shift & 3).name.lower()] += times
    return opened, content, counts
