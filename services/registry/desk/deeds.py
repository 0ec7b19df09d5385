"""Deeds of a case as JSON, which is what is kept of them, and back."""

import dataclasses
import re
import typing
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from functools import cache
from types import GenericAlias
from typing import Any

from services.domain import case
from services.domain.case import Deed

KINDS: dict[str, type] = {
    re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__).lower(): kind for kind in typing.get_args(Deed)
}
"""`case-opened` is Opened … : the name under which each kind of deed is kept."""

_NAMES = {kind: name for name, kind in KINDS.items()}


def to_json(deed: Deed) -> dict[str, Any]:
    """The members of a deed, `kind` among them; dates as ISO 8601."""
    return {"kind": _NAMES[type(deed)], **_members(deed)}


def _members(value: Any) -> dict[str, Any]:
    return {member.name: _plain(getattr(value, member.name)) for member in dataclasses.fields(value)}


def _plain(value: Any) -> Any:
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return _members(value) if dataclasses.is_dataclass(value) else value


def from_json(members: Mapping[str, Any]) -> Deed:
    """The deed of these members. Raises KeyError, TypeError, ValueError where they are none."""
    deed: Deed = _made(KINDS[members["kind"]], {name: value for name, value in members.items() if name != "kind"})
    return deed


def _made(kind: Any, members: Mapping[str, Any]) -> Any:
    types = _types(kind)
    return kind(**{name: _typed(types[name], value) for name, value in members.items()})


@cache
def _types(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind, vars(case))


def _typed(kind: Any, value: Any) -> Any:
    if isinstance(kind, GenericAlias):  # tuple[X, ...]
        inner = typing.get_args(kind)[0]
        return tuple(_typed(inner, one) for one in value)
    if isinstance(kind, type) and issubclass(kind, date):
        return date.fromisoformat(value)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind(value)
    if dataclasses.is_dataclass(kind):
        return _made(kind, value)
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
