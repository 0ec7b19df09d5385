"""The published schemas as marshmallow schemas, for drafts in files: they name every fault of a draft at once."""

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import marshmallow as ma

from services.domain.errors import BadEvent
from services.events.event_types import EVENT_TYPES, FORMATS, FORMATS_SAID, pointer_step, resolved, unknown_type


def check_draft(event_type: str, data: Any) -> None:
    """Check an event's data and tell all that is wrong with it.

    Raises:
        UnknownType; BadEvent: the detail lists every fault, the pointer is that of the first.
    """
    if event_type not in EVENT_TYPES:
        raise unknown_type(event_type)
    if not isinstance(data, dict):
        raise BadEvent("data is not an object", pointer="/data")
    faults = faults_of(event_type, data)
    if faults:
        told = "; ".join(f"{path or '/'}: {text}" for path, text in faults[:20])
        raise BadEvent(told, pointer=f"/data{faults[0][0]}")


def faults_of(event_type: str, data: dict[str, Any]) -> list[tuple[str, str]]:
    """All that is wrong with the data of a known type: (RFC 6901 pointer into the data, what)."""
    return list(_flat(form_of(event_type).validate(data), ""))


@cache
def form_of(event_type: str) -> ma.Schema:
    """The marshmallow schema of a type's data; unknown members are refused, as in the published schema."""
    schema = EVENT_TYPES[event_type].schema
    return _class_of(schema, schema)()


def _flat(errors: Any, path: str) -> list[tuple[str, str]]:
    if isinstance(errors, Mapping):
        found = []
        for name, below in errors.items():
            found += _flat(below, path if name == "_schema" else path + pointer_step(name))
        return found
    return [(path, str(text)) for text in errors]


def _class_of(schema: dict[str, Any], whole: dict[str, Any]) -> type[ma.Schema]:
    required = set(schema.get("required", ()))
    fields = {
        name: _field(part, whole, required=name in required) for name, part in schema.get("properties", {}).items()
    }
    return ma.Schema.from_dict(fields, name="Form")


def _field(part: dict[str, Any], whole: dict[str, Any], *, required: bool) -> ma.fields.Field[Any]:
    part = resolved(part, whole)
    nullable = False
    if "anyOf" in part:
        inner, null = part["anyOf"]
        assert null == {"type": "null"}, "our schemas use anyOf for «or null» alone"
        part, nullable = resolved(inner, whole), True
    kinds = part.get("type", "string")
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    if "null" in kinds:
        kinds.remove("null")
        nullable = True
    options: dict[str, Any] = {"required": required, "allow_none": nullable}
    description = part.get("description")
    if description:
        options["metadata"] = {"description": description}
    if "enum" in part:
        return _Plain(kinds, validate=ma.validate.OneOf(part["enum"]), **options)
    if kinds == ["object"]:
        members = ma.validate.Length(min=part.get("minProperties"), max=part.get("maxProperties"))
        if "properties" not in part:
            return _Plain(kinds, validate=members, **options)
        return ma.fields.Nested(_class_of(part, whole), validate=members, **options)
    if kinds == ["array"]:
        size = ma.validate.Length(min=part.get("minItems"), max=part.get("maxItems"))
        items = _field(part["items"], whole, required=True) if "items" in part else ma.fields.Raw()
        return ma.fields.List(items, validate=size, **options)
    return _Plain(kinds, validate=_rules(part), **options)


class _Plain(ma.fields.Field[Any]):
    """A JSON scalar, or an object with any members, taken as it is: a text is no number, a truth value no whole one."""

    def __init__(self, kinds: list[str], **options: Any) -> None:
        super().__init__(**options)
        self._kinds = kinds

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not any(_is(value, kind) for kind in self._kinds):
            raise ma.ValidationError(f"not a {' or '.join(self._kinds)}")
        return value


def _is(value: Any, kind: str) -> bool:
    if kind == "string":
        return isinstance(value, str)
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "object":
        return isinstance(value, dict)
    if isinstance(value, bool):
        return False
    if kind == "integer":  # JSON Schema: 1.0 is whole
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return kind == "number" and isinstance(value, int | float)


def _rules(part: dict[str, Any]) -> list[Callable[[Any], Any]]:
    """The checks of a scalar; each speaks of its own kind of value alone, as JSON Schema's keywords do."""
    rules: list[Callable[[Any], Any]] = []
    if "minLength" in part or "maxLength" in part:
        rules.append(_for_text(ma.validate.Length(min=part.get("minLength"), max=part.get("maxLength"))))
    if "pattern" in part:
        form = re.compile(part["pattern"].removesuffix("$") + r"\Z")
        rules.append(_for_text(_test(lambda text: form.search(text) is not None, _form_said(part))))
    if "format" in part:
        holds, pattern = FORMATS[part["format"]], part.get("pattern", "")
        # One fault is told once: what has not even the form is no day either.
        unlike = re.compile(pattern.removesuffix("$") + r"\Z")
        rules.append(
            _for_text(_test(lambda text: unlike.search(text) is None or holds(text), FORMATS_SAID[part["format"]]))
        )
    if "minimum" in part or "maximum" in part:
        span = ma.validate.Range(min=part.get("minimum"), max=part.get("maximum"))
        rules.append(lambda value: span(value) if not isinstance(value, str) else value)
    return rules


def _form_said(part: dict[str, Any]) -> str:
    """What a text should have been, in the words of its schema."""
    if "format" in part:
        return FORMATS_SAID[part["format"]]
    return "does not have the form asked for" + (f": {part['description']}" if "description" in part else "")


def _for_text(rule: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: rule(value) if isinstance(value, str) else value


def _test(holds: Callable[[str], bool], otherwise: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not holds(text):
            raise ma.ValidationError(otherwise)
        return text

    return check
