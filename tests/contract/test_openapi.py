"""The three OpenAPI documents: valid, and telling of every answer in JSON all that it may hold."""

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
def documents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[dict[str, Any]]]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (ENVIRONMENT | {"CERTMARK_DATA": str(tmp_path_factory.mktemp("data"))}).items():
            patch.setenv(name, value)
        events = ingest.app_for(settings_from())
        events.extensions["certmark-ingest"].follower.stop()
        yield [_document(app) for app in (verify.create_app(), events, registry.create_app())]


def test_the_documents_are_valid(documents: list[dict[str, Any]]) -> None:
    for document in documents:
        OpenAPIV31SpecValidator(document).validate()


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
