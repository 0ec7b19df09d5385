"""A service's interfaces told in two languages: its OpenAPI document, and the page that is made of it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import render_template, request

from services import inline_style
from services.domain.errors import every_error
from services.domain.scheme import Words
from services.language import HTML_LANG, Language, accepted_language, language_named

TEMPLATES = Path(__file__).parent / "templates"
CHINESE: Mapping[str, str] = json.loads(Path(__file__).with_name("api_words.json").read_text(encoding="utf-8"))
"""What the documents say in Chinese, by the English that stands with each interface in the program."""

_TOLD = ("summary", "description", "title")
_METHODS = ("get", "post", "put", "patch", "delete")

_STYLE = (TEMPLATES / "service_docs.css").read_text(encoding="utf-8").strip()
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src {inline_style.sources(_STYLE)}; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Link:
    """A place that the page leads to."""

    href: str
    name: Words


_WORDS: Mapping[str, Words] = {
    "site": {"zh": "认证证书与标志查询", "en": "Certificate and mark look-up"},
    "docs": {"zh": "接口文档", "en": "API documentation"},
    "other": {"zh": "English", "en": "中文"},
    "skip": {"zh": "跳到正文", "en": "Skip to the content"},
    "navigation": {"zh": "网站导航", "en": "Pages of this site"},
    "contents": {"zh": "目录", "en": "Contents"},
    "document": {"zh": "机器可读的文档（OpenAPI 3.1）", "en": "The same for programs (OpenAPI 3.1)"},
    "parameters": {"zh": "参数", "en": "Parameters"},
    "name": {"zh": "名称", "en": "Name"},
    "where": {"zh": "位置", "en": "In"},
    "path": {"zh": "路径", "en": "path"},
    "query": {"zh": "查询", "en": "query"},
    "header": {"zh": "请求头", "en": "header"},
    "meaning": {"zh": "说明", "en": "Meaning"},
    "required": {"zh": "必填", "en": "required"},
    "request": {"zh": "请求", "en": "Request"},
    "responses": {"zh": "答复", "en": "Responses"},
    "status": {"zh": "状态", "en": "Status"},
    "default": {"zh": "错误", "en": "error"},
    "roles": {"zh": "须有令牌，角色之一", "en": "Needs a token of one of the roles"},
    "schemas": {"zh": "数据结构", "en": "Schemas"},
    "errors": {"zh": "错误代码", "en": "Error codes"},
    "code": {"zh": "代码", "en": "Code"},
}


def document_in(document: Any, said: Callable[[str, str], str]) -> Any:
    """The document with every word put as `said(Chinese, English)` has it.

    What a part says in Chinese by itself (`description_zh`, as the published schemas do) comes before the catalogue.
    """
    if isinstance(document, list):
        return [document_in(part, said) for part in document]
    if not isinstance(document, dict):
        return document
    told = {}
    for name, part in document.items():
        if name in _TOLD and isinstance(part, str):
            chinese = document.get(f"{name}_zh") or CHINESE.get(part, part)
            told[name] = part if chinese == part else said(chinese, part)
        elif not (name.endswith("_zh") and isinstance(part, str)):
            told[name] = document_in(part, said)
    return told


def both(chinese: str, english: str) -> str:
    return f"{chinese} · {english}"


def page(title: str, document: Mapping[str, Any], navigation: Sequence[Link], language: Language) -> str:
    """The documentation in one language, without script."""
    told = document_in(document, lambda chinese, english: (chinese if language == "zh" else english).replace("`", ""))
    operations = [
        {**operation, "method": method.upper(), "path": path, "parameters": _parameters(told, item, operation)}
        for path, item in told["paths"].items()
        for method, operation in item.items()
        if method in _METHODS
    ]
    operations.sort(key=lambda found: ("service" in found.get("tags", []), found["path"]))
    return render_template(
        "service_docs.html",
        title=title,
        language=language,
        html_lang=HTML_LANG,
        style=_STYLE,
        t={name: text[language] for name, text in _WORDS.items()},
        navigation=[(link.href, link.name[language]) for link in navigation],
        operations=operations,
        schemas=told.get("components", {}).get("schemas", {}),
        errors={
            slug: (error.status, error.zh if language == "zh" else error.title) for slug, error in every_error().items()
        },
        resolve=lambda part: _resolve(told, part),
    )


def language_wanted() -> Language:
    """What the address names; else the first that the client reads."""
    return language_named(request.args.get("lang", "")) or accepted_language(request.accept_languages)


def _parameters(document: Mapping[str, Any], item: Mapping[str, Any], operation: Mapping[str, Any]) -> list[Any]:
    return [_resolve(document, part) for part in [*item.get("parameters", []), *operation.get("parameters", [])]]


def _resolve(document: Mapping[str, Any], part: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part itself, or what its reference into the same document names."""
    while "$ref" in part:
        found: Any = document
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        part = found
    return part
