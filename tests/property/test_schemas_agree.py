"""The compiled validator, the draft's form and the published schema give one answer to whatever is sent."""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import fastjsonschema
import jsonschema
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.domain.errors import BadEvent, Malformed
from services.events import strict_json
from services.events.envelope import open_envelope, read_event, sign_event
from services.events.event_types import EVENT_TYPES, FORMATS, SCHEMAS, compile_schema
from services.events.forms import check_draft
from services.events.keys import new_key

CHECKER = jsonschema.FormatChecker(formats=())
for _name, _holds in FORMATS.items():
    CHECKER.checks(_name)(lambda value, holds=_holds: not isinstance(value, str) or holds(value))


def _pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    """`$` as JSON Schema (ECMA-262) means it: in Python's it would let a line end through."""
    if isinstance(value, str) and re.search(pattern.removesuffix("$") + r"\Z", value) is None:
        yield jsonschema.ValidationError("pattern")


REFERENCE: Any = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]
COMPILED = {name: compile_schema(kind.schema) for name, kind in EVENT_TYPES.items()}
PUBLISHED = {name: REFERENCE(kind.schema, format_checker=CHECKER) for name, kind in EVENT_TYPES.items()}

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(
        [
            "",
            " ",
            "2026-02-30",
            "2024-02-29",
            "2023-03-06\n",
            "2023-03-06",
            "２０２３-03-06",
            "S03",
            "91310115MAXX001114",
            "91310115MAXX001115",
            "06909900123007",
            "06909900123008",
            "x" * 201,
            "a\u202eb",
            "名" * 200,
            "certmark",
            "CNCA-R-2019-7901",
            "[",
            1.0,
            10**15,
        ]
    ),
    st.lists(st.one_of(st.none(), st.text(max_size=3), st.integers()), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value where something could stand instead."""
    found = [path] if path else []
    if isinstance(value, dict):
        for name, member in value.items():
            found += places(member, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += places(item, (*path, index))
    return found


def mutated(data: st.DataObject, event_type: str) -> dict[str, Any]:
    value: dict[str, Any] = copy.deepcopy(data.draw(st.sampled_from(EVENT_TYPES[event_type].schema["examples"])))
    for _ in range(data.draw(st.integers(0, 2))):
        path = data.draw(st.sampled_from(places(value) or [("x",)]))
        holder: Any = value
        for step in path[:-1]:
            holder = holder[step]
        what = data.draw(st.sampled_from(["replace", "remove", "add", "repeat"]))
        if what == "remove" and isinstance(holder, dict):
            holder.pop(path[-1], None)
        elif what == "add" and isinstance(holder, dict):
            holder[data.draw(st.sampled_from(["extra", "note", "until", "gtin", "y", "class"]))] = data.draw(ODD)
        elif what == "repeat" and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[path[-1]]))
        else:
            holder[path[-1]] = data.draw(ODD)
    return value


@pytest.mark.parametrize("event_type", sorted(EVENT_TYPES))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_three_agree(event_type: str, data: st.DataObject) -> None:
    value = mutated(data, event_type)
    published = PUBLISHED[event_type].is_valid(value)
    assert _compiled_takes(event_type, value) == published, value
    assert _draft_takes(event_type, value) == published, value


ENVELOPE = json.loads((SCHEMAS / "envelope.v1.json").read_text(encoding="utf-8"))
KEY = new_key()


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_the_envelope_is_read_as_its_schema_says(data: st.DataObject) -> None:
    value = copy.deepcopy(ENVELOPE["examples"][0])
    for _ in range(data.draw(st.integers(0, 2))):
        name = data.draw(st.sampled_from([*ENVELOPE["properties"], "extra"]))
        if data.draw(st.booleans()):
            value.pop(name, None)
        else:
            value[name] = data.draw(ODD)
    assume(_is_strict_json(value))
    published = REFERENCE(ENVELOPE, format_checker=CHECKER).is_valid(value)
    assert _is_read(value) == published, value


def _is_strict_json(value: dict[str, Any]) -> bool:
    try:
        strict_json.loads(json.dumps(value).encode())
    except Malformed:
        return False
    return True


def _is_read(value: dict[str, Any]) -> bool:
    try:
        event = read_event(open_envelope(sign_event(value, KEY)))
    except Malformed:
        return False
    # The form of a type's name is the envelope's business in the schema, and the table's in the program.
    return re.fullmatch(ENVELOPE["properties"]["type"]["pattern"].strip("^$"), event.type) is not None


def _compiled_takes(event_type: str, value: dict[str, Any]) -> bool:
    try:
        COMPILED[event_type](value)
    except fastjsonschema.JsonSchemaValueException:
        return False
    return True


def _draft_takes(event_type: str, value: dict[str, Any]) -> bool:
    try:
        check_draft(event_type, value)
    except BadEvent:
        return False
    return True
