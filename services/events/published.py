"""The published schemas over HTTP: each at its address, and as a part of a document whose answers they tell of."""

import json
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

import marshmallow as ma
from flask import Response
from flask_smorest import Api

from services.domain.errors import NotFound
from services.events.event_types import SCHEMAS
from services.web import Blueprint, answers, unchanging

FILES = {"State": "state.v1.json", "Policy": "policy.v1.json"}
"""By the name that each has in a document."""

_ASIDE = ("$schema", "$id", "examples")


def add_published(api: Api, names: Collection[str] = tuple(FILES)) -> None:
    """Put these schemas into the document of a service."""
    for name in names:
        api.spec.components.schema(name, dict(component(name)))


def told_by(name: str, definition: str | None = None) -> dict[str, Any]:
    """What makes a field be told by a published schema, or by one of its definitions: its `metadata`."""
    return {"allOf": [{"$ref": f"{_place(name)}/$defs/{definition}" if definition else _place(name)}]}


def members(name: str, definition: str) -> Mapping[str, Any]:
    """The members of one of its definitions, by name, for an answer that has some of them and others beside."""
    found: Mapping[str, Any] = component(name)["$defs"][definition]["properties"]
    return found


@cache
def component(name: str) -> Mapping[str, Any]:
    """The schema with its references made to hold at its place in a document."""
    text = (SCHEMAS / FILES[name]).read_text(encoding="utf-8").replace('"#/$defs/', f'"{_place(name)}/$defs/')
    return {member: part for member, part in json.loads(text).items() if member not in _ASIDE}


def _place(name: str) -> str:
    return f"#/components/schemas/{name}"


# --- the schemas themselves --------------------------------------------------------------------------------

SCHEMA = "application/schema+json"


class SchemasSchema(ma.Schema):
    items = ma.fields.List(ma.fields.String(), required=True, metadata={"description": "Their addresses"})
    next = ma.fields.String(required=True, allow_none=True)


def blueprint() -> Blueprint:
    """`/schemas/{name}`: where a schema is that calls itself `urn:certmark:schema:{name}`."""
    pages = Blueprint("schemas", __name__, url_prefix="/schemas", description="Published schemas")
    files = {file.name.removesuffix(".json"): file for file in [*SCHEMAS.glob("*.v*.json"), *SCHEMAS.glob("events/*")]}

    @pages.get("")
    @pages.doc(summary="The schemas that there are", responses=answers(SchemasSchema, "In order of their names"))
    def schemas() -> dict[str, Any]:
        return {"items": [f"/schemas/{name}" for name in sorted(files)], "next": None}

    @pages.get("/<name>")
    @pages.doc(
        summary="A schema, by the last part of its `$id`",
        responses={
            200: {
                "description": "JSON Schema 2020-12",
                "content": {SCHEMA: {"schema": {"type": "object"}}},
            }
        },
    )
    def schema(name: str) -> Response:
        file = files.get(name.removesuffix(".json"))
        if file is None:
            raise NotFound(f"there is no schema {name[:64]!r}", hint="GET /schemas lists them")
        response = Response(file.read_bytes(), content_type=SCHEMA)
        response.headers["Access-Control-Allow-Origin"] = "*"
        return unchanging(response)

    return pages
