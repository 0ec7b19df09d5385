"""What stands behind the `?` of an interface for programs: its own document tells what it takes, all else is refused.

A misspelt `known_at` that is passed over would give today's answer to who asked for another day's. Pages and printed
addresses are left alone: mail programs, chats and caches hang words of their own to them.
"""

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any

from flask import Flask, request

from services.domain.errors import BadRequest, Malformed

PROGRAMS = "/v1/"
"""The addresses that nobody but programs asks."""

_PLACE = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
"""How a route writes what varies in it; OpenAPI puts the same name in braces."""


class UnknownParameter(Malformed):
    slug = "unknown-parameter"
    title = "The request has a parameter that this address does not know"
    zh = "请求带有该地址没有的参数"


def refuse_unknown(app: Flask, document: Callable[[], Mapping[str, Any]]) -> None:
    """Answer requests to `app` with a problem where a parameter is unknown, or given twice.

    `document` is the OpenAPI document; it is asked once, after all routes are there.
    """
    known = cache(lambda: _queries(document()))

    @app.before_request
    def look() -> None:
        if not request.args or request.url_rule is None or not request.path.startswith(PROGRAMS):
            return
        method = "get" if request.method == "HEAD" else request.method.lower()
        taken = known().get((_PLACE.sub(r"{\1}", request.url_rule.rule), method))
        if taken is None:
            return  # not an operation at all, and answered as such
        for name, values in request.args.lists():
            pointer = "/" + name[:64].replace("~", "~0").replace("/", "~1")
            if name not in taken:
                raise UnknownParameter(
                    f"there is no parameter {name[:64]!r} here", pointer=pointer, hint=_meant(name, taken)
                )
            if len(values) > 1:
                raise BadRequest(
                    f"{name} is given {len(values)} times", pointer=pointer, hint="只给一次 · give it once"
                )


def _queries(document: Mapping[str, Any]) -> dict[tuple[str, str], tuple[str, ...]]:
    """The names that each operation takes, by path and method."""
    return {
        (path, method): tuple(
            told["name"]
            for told in (*item.get("parameters", ()), *operation.get("parameters", ()))
            if told.get("in") == "query"
        )
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    }


def _meant(name: str, taken: tuple[str, ...]) -> str:
    if not taken:
        return "该地址没有参数 · this address takes none"
    near = get_close_matches(name, taken, 1)
    nearest, names = f"{near[0]}？· {near[0]}? " if near else "", ", ".join(taken)
    return f"{nearest}该地址的参数 · it takes: {names}"
