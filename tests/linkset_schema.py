"""The JSON form of a linkset as RFC 9264, section 4.2, words it, written down as a JSON Schema of our own."""

from typing import Any

_LANGUAGE_VALUES = {  # 4.2.4.2: internationalized attributes
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["value"],
        "properties": {"value": {"type": "string"}, "language": {"type": "string", "minLength": 2}},
        "additionalProperties": False,
    },
}
_TARGET = {  # 4.2.3: a link target object has an href, and target attributes
    "type": "object",
    "required": ["href"],
    "properties": {
        "href": {"type": "string", "minLength": 1},  # a URI-Reference
        "hreflang": {"type": "array", "minItems": 1, "items": {"type": "string"}},  # 4.2.4.1: may be repeated
        "media": {"type": "string"},
        "title": {"type": "string"},
        "title*": _LANGUAGE_VALUES,
        "type": {"type": "string", "pattern": "^[a-z]+/[a-z0-9.+-]+$"},
    },
    "patternProperties": {r"^(?!title\*$).*\*$": _LANGUAGE_VALUES},
    # 4.2.4.3: an extension attribute's values are an array, even of one
    "additionalProperties": {"type": "array", "minItems": 1, "items": {"type": "string"}},
}
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["linkset"],  # 4.2.1: one object with the single member linkset
    "additionalProperties": False,
    "properties": {
        "linkset": {
            "type": "array",
            "items": {  # 4.2.2: a link context object; every member but anchor is a relation type
                "type": "object",
                "properties": {"anchor": {"type": "string", "minLength": 1}},
                "propertyNames": {"anyOf": [{"const": "anchor"}, {"pattern": "^[a-z][a-z0-9.-]*$"}, {"pattern": ":"}]},
                "additionalProperties": {"type": "array", "minItems": 1, "items": _TARGET},
            },
        }
    },
}
