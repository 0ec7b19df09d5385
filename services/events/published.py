"""The published schemas in an OpenAPI document: an answer that holds a state or a policy is told by its own schema."""

import json
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from flask_smorest import Api

from services.events.event_types import SCHEMAS

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
