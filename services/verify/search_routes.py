"""Searching over HTTP: `/v1/search` for programs, `/search` and the one field for people."""

import re
import unicodedata
from typing import Any

import marshmallow as ma
from flask import Response, request

from services.domain.identifiers import civil_day
from services.verify.answer_schemas import CoverageSchema, HeadSchema
from services.verify.as_json import dumps
from services.verify.clients import must_wait
from services.verify.name_index import FEWEST, folded
from services.verify.node import Node
from services.verify.quick import cache_control, etag, shared_seconds
from services.verify.read_model import Unreadable
from services.verify.register import CannotSay
from services.verify.results import results_page
from services.verify.search import FURTHEST, PAGE, By, Hits, Match, hits_json, search
from services.web import Blueprint

_NAME = re.compile(r"[\w\s·•.&,，、'’\"“”《》()（）\[\]【】/+-]+")
"""What names of companies and products are written with; a question mark or a bracket of HTML is in none."""


class SearchQuery(ma.Schema):
    q = ma.fields.String(
        required=True,
        validate=ma.validate.Length(1, 200),
        metadata={"description": "Characters that stand together in a name, two at least; a credit code; a GTIN"},
    )
    by = ma.fields.String(
        load_default=None,
        validate=ma.validate.OneOf([by.value for by in By]),
        metadata={"description": "Where to look; names of holders and products where absent"},
    )
    after = ma.fields.String(load_default=None, metadata={"description": "`next` of the page before"})


class HitSchema(HeadSchema):
    """One certificate that was found, with its answer today."""

    certificate_no = ma.fields.String(required=True)
    scheme = ma.fields.String(required=True)
    body = ma.fields.String(required=True, allow_none=True)
    holder = ma.fields.String(required=True)
    product = ma.fields.String(required=True, metadata={"description": "Or the service or system, in words"})
    found_in = ma.fields.String(required=True, validate=ma.validate.OneOf([by.value for by in By]))
    match = ma.fields.String(required=True, validate=ma.validate.OneOf([match.value for match in Match]))


class HitsSchema(ma.Schema):
    """Certificates to choose from; there is no answer about them together."""

    items = ma.fields.List(ma.fields.Nested(HitSchema), required=True)
    next = ma.fields.String(required=True, allow_none=True)
    more = ma.fields.Boolean(
        required=True, metadata={"description": f"There is more than {FURTHEST} or than a search looks at"}
    )
    coverage = ma.fields.List(
        ma.fields.Nested(CoverageSchema), required=True, metadata={"description": "Where nothing was found"}
    )
    as_of = ma.fields.String(required=True, metadata={"description": "RFC 3339, UTC"})
    seq = ma.fields.Integer(required=True, metadata={"description": "Last register entry held"})
    checked_at = ma.fields.String(required=True, metadata={"description": "RFC 3339, UTC"})


def add_search(public: Blueprint, node: Node) -> None:
    @public.get("/v1/search")
    @public.arguments(SearchQuery, location="query")
    @public.response(200, HitsSchema, description="What was found, the best first; nothing is an answer, too")
    @public.doc(
        summary=f"Certificates by holder, product, credit code or GTIN, {PAGE} at a time",
        responses={
            429: {"description": "This client has searched too often; `Retry-After` says how long to wait"},
            503: {"description": "This node cannot say at present"},
        },
    )
    def find(arguments: dict[str, Any]) -> Response:
        by = By(arguments["by"]) if arguments["by"] else None
        return as_document(node, found(node, arguments["q"], by, arguments["after"]))

    @public.get("/search")
    @public.arguments(SearchQuery, location="query")
    @public.doc(summary="A search as a page", responses={200: {"description": "A page", "content": {"text/html": {}}}})
    def results(arguments: dict[str, Any]) -> Response:
        by = By(arguments["by"]) if arguments["by"] else None
        return as_page(node, found(node, arguments["q"], by, arguments["after"]), by)


def is_a_name(text: str) -> bool:
    """Whether a text that is no number of the register may be the name of somebody or something."""
    name = folded(text)
    letters = sum(unicodedata.category(c)[0] == "L" for c in name)
    return len(name) >= FEWEST and letters > 0 and _NAME.fullmatch(text.strip()) is not None


def found(node: Node, text: str, by: By | None, after: str | None = None) -> Hits:
    """What a search finds, for a client that may search now.

    Raises:
        AskedTooOften: this client may not, or nobody can tell who he is. CannotSay: this node's data is missing or old.
        NotLookedFor, MalformedNumber: the text is not what is searched for so.
    """
    settings = node.settings
    per_minute = settings.searches_per_minute
    must_wait(node.clients.wait(request.environ, "search", per_minute, max(1.0, per_minute / 2)))
    try:
        hits = search(node.register, text, by, after, node.clock(), node.stale_after)
    except Unreadable as reason:
        raise CannotSay(str(reason)) from None
    if hits is None:
        raise CannotSay("the data is incomplete or too old to search in")
    return hits


def as_document(node: Node, hits: Hits) -> Response:
    content = dumps(hits_json(hits))
    return _cached(node, Response(content, content_type="application/json"), hits, content.rpartition(b',"checked')[0])


def as_page(node: Node, hits: Hits, by: By | None) -> Response:
    frame = node.frame()
    directory, day = node.register.directory(), civil_day(hits.checked_at)
    rules = {hit.scheme: directory.scheme_on(hit.scheme, day) for hit in hits.items}
    page = results_page(hits, by, rules, frame)
    return _cached(node, node.html(page, frame), hits, dumps(hits_json(hits)).rpartition(b',"checked')[0] + page[:200])


def _cached(node: Node, response: Response, hits: Hits, tagged: bytes) -> Response:
    response.headers["Cache-Control"] = cache_control(shared_seconds(hits.checked_at, hits.as_of, node.stale_after))
    response.headers["ETag"] = etag(tagged)
    response.make_conditional(request)
    return response
