"""What a source may say: values that pass the published schemas, drawn from the schemas themselves."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from services.events.event_types import EVENT_TYPES, FORMATS, is_gtin14, resolved

Pools = Mapping[str, st.SearchStrategy[Any]]
"""By the name of a member: values that mean something where the event will be heard."""

_RARE = 4
"""Of so many drawn values of a member that has a pool, one is any that its schema allows."""

_CREDIT_CODES = ("91310115MAXX001114", "91320500MAXX005334")
_TEXTS = st.sampled_from(
    ["A1", "GB 1", "示范公司", "a b", "名" * 200, "Ａ１", "é", "x" * 64, "=1+1", "<b>", "𠀀", "\"'\\"]
)
_REGEXES = st.sampled_from(
    ["[0-9]{16}", ".*", "[A-Z0-9-]+", "[0-9]{6}(?P<class>[0-9]{4})[0-9]{6}", "(?P<class>X)?.+", "(?u).+", "["]
)


def data_of(event_type: str, pools: Pools) -> st.SearchStrategy[dict[str, Any]]:
    """Any data that the schema of a type allows; nearly always, where it cannot say all in one keyword."""
    schema = EVENT_TYPES[event_type].schema
    return _value(schema, schema, pools)


def _value(part: dict[str, Any], whole: dict[str, Any], pools: Pools) -> st.SearchStrategy[Any]:
    part = resolved(part, whole)
    if "anyOf" in part:
        return st.one_of([_value(one, whole, pools) for one in part["anyOf"]])
    if "enum" in part:
        return st.sampled_from(part["enum"])
    kinds = part["type"] if isinstance(part["type"], list) else [part["type"]]
    return st.one_of([_of_kind(kind, part, whole, pools) for kind in kinds])


def _of_kind(kind: str, part: dict[str, Any], whole: dict[str, Any], pools: Pools) -> st.SearchStrategy[Any]:
    match kind:
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            whole_numbers = st.integers(part["minimum"], part["maximum"])
            # JSON Schema takes 12.0 for an integer, as JSON itself does not tell the two apart.
            return whole_numbers | st.integers(part["minimum"], min(part["maximum"], 20)) | whole_numbers.map(float)
        case "number":
            return st.floats(part["minimum"], part["maximum"]) | st.integers(0, 9) | st.sampled_from([1e-7, 18.0, -0.0])
        case "string":
            return _text(part)
        case "array":
            longest = min(part["maxItems"], 3)
            return st.lists(_value(part["items"], whole, pools), min_size=part.get("minItems", 0), max_size=longest)
        case "object":
            return _object(part, whole, pools)
    raise AssertionError(kind)


def _text(part: dict[str, Any]) -> st.SearchStrategy[str]:
    form = part.get("format")
    if form == "date":
        return st.dates().map(lambda day: f"{1900 + day.year % 300}-{day:%m-%d}").filter(FORMATS["date"])
    if form == "uscc":
        return st.sampled_from(_CREDIT_CODES)
    if form == "gtin14":
        return st.sampled_from(["06909900123007", "06909900123014"]).filter(is_gtin14)
    if form == "regex":
        return _REGEXES.filter(FORMATS["regex"])
    longest = part.get("maxLength", 40)
    if longest >= 200:
        return _TEXTS
    made = st.from_regex(part["pattern"].removesuffix("$") + r"\Z").filter(lambda text: len(text) <= longest)
    return made.filter(FORMATS[form]) if form else made


def _object(part: dict[str, Any], whole: dict[str, Any], pools: Pools) -> st.SearchStrategy[dict[str, Any]]:
    if "properties" not in part:  # of `corrected.fields` the schema only says that there is something
        return pools["correction"]
    members = {name: _member(name, inner, whole, pools) for name, inner in part["properties"].items()}
    needed = set(part.get("required", ()))
    required = {name: member for name, member in members.items() if name in needed}
    optional = {name: member for name, member in members.items() if name not in needed}
    made = st.fixed_dictionaries(required, optional=optional)
    return made.filter(len) if part.get("minProperties") else made


def _member(name: str, part: dict[str, Any], whole: dict[str, Any], pools: Pools) -> st.SearchStrategy[Any]:
    any_ = _value(part, whole, pools)
    if name not in pools or "enum" in resolved(part, whole):
        return any_
    return st.integers(0, _RARE).flatmap(lambda rare: any_ if rare == 0 else pools[name])
