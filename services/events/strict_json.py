"""Strict JSON: what two readers could understand differently is refused (RFC 8259 §4, I-JSON RFC 7493)."""

import json
import math
from collections import Counter
from typing import Any, NoReturn

import orjson

from services.domain.errors import BadNumber, BadText, DuplicateKey, NotJson, TooDeep

MAX_DEPTH = 32
MAX_INTEGER = 2**53 - 1


def loads(raw: bytes) -> dict[str, Any]:
    """One JSON object from UTF-8 bytes.

    Raises:
        NotJson, DuplicateKey, BadNumber, TooDeep, BadText: see each; nothing else escapes.
    """
    value = _quickly(raw) or _slowly(raw)
    if not isinstance(value, dict):
        raise NotJson("the payload is not a JSON object")
    # A walk is only needed where the bytes allow depth or escapes: most events have neither.
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH or b"\\u" in raw:
        _inspect(value, 1)
    return value


def _quickly(raw: bytes) -> dict[str, Any] | None:
    """An object that was written as orjson writes it and holds whole numbers alone; None of anything else.

    orjson keeps the last of two members of one name. Of what holds no fraction it writes nothing longer than it was
    read, and so fewer bytes where a member was dropped.
    """
    try:
        value = orjson.loads(raw)
        return value if type(value) is dict and len(orjson.dumps(value)) == len(raw) and _is_whole(value) else None
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):  # the second: deeper than it writes
        return None


def _is_whole(value: dict[str, Any]) -> bool:
    """Whether each number in it is an integer that every reader keeps."""
    inside: list[Any] = [value]
    while inside:
        one = inside.pop()
        kind = type(one)
        if kind is dict:
            inside += one.values()
        elif kind is list:
            inside += one
        elif kind is float or (kind is int and not -MAX_INTEGER <= one <= MAX_INTEGER):
            return False
    return True


def _slowly(raw: bytes) -> Any:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotJson(f"not UTF-8 at byte {error.start}") from None
    try:
        return _decode(text)
    except RecursionError:
        raise TooDeep(f"nested deeper than {MAX_DEPTH} levels") from None
    except json.JSONDecodeError as error:
        raise NotJson(f"{error.msg} at character {error.pos}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        counted = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counted.items() if count > 1)
        raise DuplicateKey(f"the member {twice[:64]!r} stands twice in one object")
    return members


def _integer(digits: str) -> int:
    if len(digits) > 17 or abs(int(digits)) > MAX_INTEGER:
        raise BadNumber(f"the integer {digits[:24]} lies beyond 2^53-1")
    return int(digits)


def _number(digits: str) -> float | int:
    """A number with a fraction or an exponent. 12.0 is the integer 12 (RFC 8259 §6, JSON Schema): so is it kept."""
    value = float(digits)
    if math.isinf(value):
        raise BadNumber(f"the number {digits[:24]} overflows to infinity")
    return int(value) if value.is_integer() and abs(value) <= MAX_INTEGER else value


def _constant(name: str) -> NoReturn:
    raise BadNumber(f"{name} is not JSON")


_decode = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_number, parse_constant=_constant
).decode


def _inspect(value: Any, depth: int) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise BadText("text holds U+0000")
        if not value.isascii():
            try:
                value.encode("utf-8")
            except UnicodeEncodeError:
                raise BadText("text holds a lone surrogate") from None
    elif isinstance(value, dict | list):
        if depth > MAX_DEPTH:
            raise TooDeep(f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(value, dict):
            for name, member in value.items():
                _inspect(name, depth)
                _inspect(member, depth + 1)
        else:
            for member in value:
                _inspect(member, depth + 1)
