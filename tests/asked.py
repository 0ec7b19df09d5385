"""Requests as an OpenAPI document describes them and as nobody should send them, and what holds of every answer."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any
from urllib.parse import quote, urlencode

from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from werkzeug.test import TestResponse

from services.auth import Role
from services.domain.errors import every_error

PROBLEM = "application/problem+json"
ODD = (
    *(
        "",
        "\0",
        "a\0b",
        "x" * 3000,
        "-1",
        "0",
        "9" * 30,
        "1e999",
        "NaN",
        "１２",
        "²",
        "2026-02-30",
        "0001-01-01",
        "null",
    ),
    *("😀", "\udc80", "%", "%2e%2e%2f", "../..", "/", "'", '"', "<script>", "\r\nX: y", " ", "\u202e", "[]", "{}"),
)
"""Texts that somebody tries in every field; a lone surrogate stands for a byte that is no UTF-8."""

BODIES = (b"", b"x", b"{", b"null", b"[]", b"{}", b'"x"', b"\xff\xfe", b"[" * 5000, b'{"a":NaN}', b"\0", b"a,b\n1,2\n")
KINDS = ("application/json", "text/plain", "application/xml", "multipart/form-data; boundary=x", "bogus", None)


@dataclass(frozen=True)
class Api:
    """An application by its own document. `known` are values that exist, tried for every parameter of such a name."""

    app: Flask
    document: dict[str, Any]
    known: Mapping[str, Sequence[str]] = field(default_factory=dict)
    tokens: Sequence[str] = ()
    validators: dict[str, Draft202012Validator] = field(default_factory=dict)

    def operations(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for path, item in self.document["paths"].items():
            shared = item.get("parameters", [])
            for method, operation in item.items():
                if method != "parameters":
                    told = [*shared, *operation.get("parameters", [])]
                    yield method.upper(), path, operation | {"parameters": [self.resolved(one) for one in told]}

    def resolved(self, part: Any) -> Any:
        while isinstance(part, dict) and "$ref" in part:
            steps = part["$ref"].removeprefix("#/").split("/")
            part = self.document
            for step in steps:
                part = part[step]
        return part

    def holds_for(self, method: str, path: str, operation: dict[str, Any], examples: int) -> None:
        """Send `examples` requests to one operation, and judge every answer."""
        client = self.app.test_client()

        @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(st.data())
        def ask(data: st.DataObject) -> None:
            request = self._request(data, method, path, operation)
            self._judge(_sent(client, request), operation, request)

        ask()

    def holds_for_what_is_there(self, method: str, path: str, operation: dict[str, Any]) -> set[str]:
        """Ask for each thing that is known, and of the first for all that can be asked beside, in each form of JSON.

        Gives the forms in which nothing at all was to be had.
        """
        assert method == "GET"
        needed = [one for one in operation["parameters"] if one.get("required")]
        beside = [
            {one["name"]: value}
            for one in operation["parameters"]
            if one["in"] == "query" and one not in needed
            for value in self._known(one)
        ]
        kinds = [kind for kind in operation["responses"]["200"].get("content", ()) if kind.endswith(("/json", "+json"))]
        roles = [*Role]
        token = self.tokens[roles.index(Role(operation["x-roles"][0]))] if "x-roles" in operation else None
        missing = set(kinds)
        for at, values in enumerate(product(*map(self._known, needed))):
            named = dict(zip((one["name"] for one in needed), values, strict=True))
            place = path
            for one in needed:
                if one["in"] == "path":
                    place = place.replace(f"{{{one['name']}}}", quote(named.pop(one["name"]), safe=""))
            for more, kind in product([{}, *([] if at else beside)], kinds):
                headers = {"Accept": kind} | ({"Authorization": f"Bearer {token}"} if token else {})
                url = f"{place}?{urlencode(named | more)}"
                request = {"method": method, "url": url, "headers": headers, "body": None}
                answer = _sent(self.app.test_client(), request)
                self._judge(answer, operation, request)
                if answer.status_code == 200:
                    missing.discard(str(answer.mimetype))
        return missing

    def holds_for_body(self, path: str, kind: str, body: bytes) -> None:
        """Post a body that is as it should be."""
        operation = self.document["paths"][path]["post"]
        request = {"method": "POST", "url": path, "headers": {"Content-Type": kind}, "body": body}
        answer = _sent(self.app.test_client(), request)
        assert answer.status_code == 200, (request, answer.text)
        self._judge(answer, operation, request)

    def _known(self, parameter: dict[str, Any]) -> Sequence[str]:
        schema = self.resolved(parameter.get("schema", {}))
        return [*self.known.get(parameter["name"], ()), *map(str, schema.get("enum", ()))]

    def _request(self, data: st.DataObject, method: str, path: str, operation: dict[str, Any]) -> dict[str, Any]:
        query: list[tuple[str, str]] = []
        for one in operation["parameters"]:
            name = one["name"]
            if one["in"] == "path":
                value = data.draw(self._value(one), label=name)
                path = path.replace(f"{{{name}}}", quote(value, safe="", errors="surrogateescape") or "x")
            elif one["in"] == "query" and data.draw(st.integers(0, 3)):
                query.append((name, data.draw(self._value(one), label=name)))
        url = f"{path}?{urlencode(query, errors='surrogateescape')}"
        headers = {"Accept": "application/json"}
        if self.tokens:
            headers["Authorization"] = f"Bearer {data.draw(st.sampled_from(self.tokens))}"
        body: bytes | None = None
        if method in ("POST", "PUT"):
            told = self.resolved(operation.get("requestBody", {})).get("content", {})
            kind = data.draw(st.sampled_from([*told, *KINDS] if data.draw(st.booleans()) else list(told) or KINDS))
            body = data.draw(self._body(told.get(kind, {}).get("schema")))
            headers |= {"Content-Type": kind} if kind else {}
        return {"method": method, "url": url, "headers": headers, "body": body}

    def _value(self, parameter: dict[str, Any]) -> st.SearchStrategy[str]:
        schema = self.resolved(parameter.get("schema", {}))
        texts = st.sampled_from(ODD) | st.text(max_size=20)
        known = [*self._known(parameter)]
        if schema.get("type") == "integer":
            known += ["1", "1000"]
        if schema.get("format") == "date":
            known += ["2026-11-01", "2020-02-29"]
        return st.sampled_from(known) | texts if known else texts

    def _body(self, schema: Any) -> st.SearchStrategy[bytes]:
        odd = st.sampled_from(BODIES)
        if not schema or schema.get("type") == "string":
            return odd
        return odd | self._json(schema, 0).map(lambda value: json.dumps(value).encode())

    def _json(self, schema: Any, depth: int) -> st.SearchStrategy[Any]:
        """What a schema asks for, each member now and then another thing or missing."""
        schema = self.resolved(schema)
        odd = st.sampled_from([*ODD, None, True, 0, -1, 1e308, 2**70, [], {}, [None], {"a": 1}])
        if "enum" in schema:
            return st.sampled_from(schema["enum"]) | odd
        kind = schema.get("type")
        kind = kind[0] if isinstance(kind, list) else kind
        if kind == "object" and depth < 4 and schema.get("properties"):
            members = {name: self._json(part, depth + 1) for name, part in schema["properties"].items()}
            return st.fixed_dictionaries({}, optional=members) | st.fixed_dictionaries(members) | odd
        if kind == "array" and depth < 4:
            return st.lists(self._json(schema.get("items", {}), depth + 1), max_size=3) | odd
        return {"integer": st.integers(-1, 1001) | odd, "boolean": st.booleans() | odd}.get(str(kind), odd)

    def _judge(self, answer: TestResponse, operation: dict[str, Any], request: dict[str, Any]) -> None:
        said = (request, answer.status, answer.get_data()[:500])
        status = answer.status_code
        responses = {name: self.resolved(told) for name, told in operation["responses"].items()}
        if status == 308:  # a path with two strokes is sent on to the one that is meant
            return
        assert status != 500, said
        assert b"Traceback" not in answer.get_data(), said
        if status >= 400 and answer.mimetype == PROBLEM:
            problem = json.loads(answer.get_data())
            assert problem["status"] == status, said
            assert problem["code"] in every_error(), said
            assert problem["type"] == f"urn:certmark:problem:{problem['code']}", said
            assert re.search("[\u4e00-\u9fff]", problem["title_zh"]), said
        told = responses.get(str(status)) or (responses["default"] if status >= 400 else None)
        assert told is not None, ("not documented", *said)
        if 300 <= status < 400:
            return
        content = told.get("content", {})
        kind = str(answer.mimetype)
        fits = kind in content or "*/*" in content if content else not answer.get_data()
        assert fits, ("another type", content, *said)
        schema = content.get(kind, {}).get("schema")
        if kind.endswith(("/json", "+json")):
            assert schema, ("told by no schema", *said)
            wrong = best_match(self._validator(schema).iter_errors(json.loads(answer.get_data())))
            assert wrong is None, (wrong.message[:300] if wrong else "", list(wrong.path) if wrong else "", *said)

    def _validator(self, schema: dict[str, Any]) -> Draft202012Validator:
        known = json.dumps(schema)
        if known not in self.validators:
            whole = closed(schema | {"components": self.document["components"]})
            self.validators[known] = Draft202012Validator(whole)
        return self.validators[known]


def closed(part: Any) -> Any:
    """The schema with every object closed: a client may meet more one day, but nothing is left untold today."""
    if isinstance(part, list):
        return [closed(one) for one in part]
    if not isinstance(part, dict):
        return part
    told = {name: closed(one) for name, one in part.items()}
    if isinstance(told.get("properties"), dict) and "type" in told:
        told.setdefault("additionalProperties", False)
    return told


def _sent(client: FlaskClient, request: dict[str, Any]) -> TestResponse:
    headers = dict(request["headers"])
    return client.open(
        request["url"],
        method=request["method"],
        data=request["body"],
        headers=headers,
    )


def api_of(app: Flask, known: Mapping[str, Sequence[str]] | None = None, tokens: Sequence[str] = ()) -> Api:
    return Api(app, app.test_client().get("/openapi.json").get_json(), known or {}, tokens)
