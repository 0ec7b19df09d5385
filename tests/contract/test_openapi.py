"""The three OpenAPI documents: valid, and telling of every answer in JSON all that it may hold."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from openapi_spec_validator import OpenAPIV31SpecValidator

from services.api_docs import CHINESE
from services.events import ingest
from services.events.published import SCHEMA
from services.registry import api as registry
from services.settings import settings_from
from services.verify import api as verify

ENVIRONMENT = {"CERTMARK_DATABASE_URL": "postgresql:///?host=/nowhere", "CERTMARK_GENESIS": "0" * 64}


def _document(app: Flask) -> dict[str, Any]:
    document: dict[str, Any] = app.test_client().get("/openapi.json").get_json()
    return document


@pytest.fixture(scope="module")
def documents(apps: list[Flask]) -> list[dict[str, Any]]:
    return [_document(app) for app in apps]


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Flask]]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (ENVIRONMENT | {"CERTMARK_DATA": str(tmp_path_factory.mktemp("data"))}).items():
            patch.setenv(name, value)
        events = ingest.app_for(settings_from())
        events.extensions["certmark-ingest"].follower.stop()
        yield [verify.create_app(), events, registry.create_app()]


def test_the_documents_are_valid(documents: list[dict[str, Any]]) -> None:
    for document in documents:
        OpenAPIV31SpecValidator(document).validate()


def _operations(app: Flask) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, an address and what is told of each operation for programs."""
    for path, item in _document(app)["paths"].items():
        if path.startswith("/v1/"):
            for method, operation in item.items():
                if method != "parameters":
                    told = {"parameters": item.get("parameters", []) + operation.get("parameters", [])}
                    yield method.upper(), re.sub(r"\{[^}]*\}", "1", path), operation | told


def test_what_an_address_for_programs_does_not_know_is_refused_before_anything_else(apps: list[Flask]) -> None:
    asked = 0
    for app in apps:
        for method, path, operation in _operations(app):
            names = [told["name"] for told in operation["parameters"] if told["in"] == "query"]
            answer = app.test_client().open(f"{path}?unheard=1", method=method)
            said = answer.get_json()
            found = (answer.status_code, answer.content_type, said["code"], said["pointer"])
            assert found == (400, "application/problem+json", "unknown-parameter", "/unheard"), (method, path)
            assert all(name in said["hint"] for name in names), (path, said["hint"])
            for name in names:
                twice = app.test_client().open(f"{path}?{name}=1&{name}=1", method=method)
                assert (twice.status_code, twice.get_json()["pointer"]) == (400, f"/{name}"), (method, path)
            asked += 1
    assert asked > 50


def test_the_nearest_name_is_told_and_pages_take_what_is_hung_to_them(apps: list[Flask]) -> None:
    verify_, _, registry_ = (app.test_client() for app in apps)
    said = registry_.get("/v1/certificates/2023990703000117?known_att=2024-01-01").get_json()
    assert said["hint"].startswith("known_at？· known_at? ")
    assert said["hint"].endswith(": at, known_at")
    assert registry_.get("/v1/decisions/x?wait=1").get_json()["hint"] == "该地址没有参数 · this address takes none"
    assert registry_.head("/v1/heads?source_=x").status_code == 400
    assert registry_.get("/v1/nothing?x=1").status_code == 404
    for page in ("/", "/marks", "/c/2023990703000117", "/01/06909900123007", "/m/SHB-M-1", "/qr/SHB-M-1.svg", "/docs"):
        answer = verify_.get(f"{page}?utm_source=mail&from=wechat&isappinstalled=0")
        assert answer.status_code in (200, 503), page


def test_a_body_comes_plain_and_who_sends_another_is_told_so(apps: list[Flask]) -> None:
    asked = 0
    for app in apps:
        for method, path, operation in _operations(app):
            if "requestBody" not in operation:
                continue
            encoded = app.test_client().open(path, method=method, data=b"x", headers={"Content-Encoding": "br"})
            assert (encoded.status_code, encoded.headers["Accept-Encoding"]) == (415, "identity"), path
            kind = next(iter(operation["requestBody"]["content"]))
            headers = {"Content-Encoding": "identity", "Content-Type": kind}
            plain = app.test_client().open(path, method=method, data=b"x", headers=headers)
            assert plain.status_code != 415, path
            asked += 1
    assert asked > 10


def test_no_answer_is_told_as_just_any_object(documents: list[dict[str, Any]]) -> None:
    loose = [
        (path, method, status)
        for document in documents
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
        for status, told in operation["responses"].items()
        for kind, content in told.get("content", {}).items()
        if kind.endswith(("/json", "+json"))
        and kind != SCHEMA
        and _is_loose(content.get("schema", {}), document, frozenset())
    ]
    assert not loose


def _is_loose(schema: dict[str, Any], document: dict[str, Any], above: frozenset[str]) -> bool:
    """Whether anything at all may stand somewhere in it."""
    if "$ref" in schema:
        place = schema["$ref"]
        part: Any = document
        for step in place.removeprefix("#/").split("/"):
            part = part[step]
        return place not in above and _is_loose(part, document, above | {place})
    parts = [
        *schema.get("properties", {}).values(),
        *(schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf") or []),
    ]
    if isinstance(schema.get("additionalProperties"), dict):
        parts.append(schema["additionalProperties"])
    if "items" in schema and schema.get("maxItems") != 0:
        parts.append(schema["items"])
    kinds = schema.get("type", [])
    says_nothing = not parts and ("object" in kinds or not schema.keys() & {"type", "enum", "const"})
    return says_nothing or any(_is_loose(part, document, above) for part in parts)


def test_what_is_told_is_told_in_chinese_and_in_english(documents: list[dict[str, Any]]) -> None:
    untold = {
        part
        for document in documents
        for part in _words(document)
        if "·" not in part and CHINESE.get(part) != part and any(c.isalpha() for c in part)
    }
    assert not untold
    assert {part.partition(" · ")[2] or part for document in documents for part in _words(document)} >= CHINESE.keys()


def _words(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for name, inside in part.items():
            if name in ("summary", "description") and isinstance(inside, str):
                yield inside
            else:
                yield from _words(inside)
    elif isinstance(part, list):
        for one in part:
            yield from _words(one)
