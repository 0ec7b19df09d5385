"""How the console's pages are made: one frame, one style named by its hash, no script, nothing from elsewhere."""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlencode

from flask import Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from services.domain.identifiers import CHINA
from services.registry.console.door import Visitor
from services.registry.console.wording import HTML_LANG, TEXTS, text

ROOT = "/console"
_FOLDER = Path(__file__).parents[1] / "templates" / "console"
_CSS = (_FOLDER / "console.css").read_text(encoding="utf-8").replace("\n", "")
_CSS_HASH = base64.b64encode(hashlib.sha256(_CSS.encode()).digest()).decode("ascii")

HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_CSS_HASH}'; img-src data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Vary": "Cookie, Accept-Language",
}
"""No script at all."""

_CHINESE = re.compile("[\u3400-\u9fff]")
_ENGLISH = re.compile("[A-Za-z]{2,} [A-Za-z]{2,}")
_SOURCE = re.compile(r"urn:certmark:(authority|body|alliance|declarant):([A-Za-z0-9][A-Za-z0-9._-]{0,63})", re.ASCII)


def _said(words: object, language: str) -> str:
    """Data that is in the other language than the page, marked as such for screen readers."""
    plain = str(words)
    if language == "en" and _CHINESE.search(plain):
        return Markup('<span lang="zh-CN">{}</span>').format(plain)
    if language == "zh" and _ENGLISH.search(plain) and not _CHINESE.search(plain):
        return Markup('<span lang="en">{}</span>').format(plain)
    return plain


def beijing(instant: datetime | None) -> str:
    return instant.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S") if instant else ""


_environment = Environment(
    loader=FileSystemLoader(_FOLDER), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
)
_environment.filters["said"] = _said
_environment.filters["beijing"] = beijing
_environment.filters["step"] = lambda words: quote(str(words), safe="")
_texts = {
    language: SimpleNamespace(**{name: said.on(language) for name, said in TEXTS.items()}) for language in HTML_LANG
}


@dataclass(frozen=True, slots=True)
class Frame:
    """What a page needs beside its content.

    `explicit` means that the address names the language; `form` is the token that this visit's forms show; `source` is
    whose pages these are, `name` what it is called; `other_href` the address of the same page in the other language.
    """

    language: str
    explicit: bool
    form: str
    other_href: str = ""
    visitor: Visitor | None = None
    source: str | None = None
    name: str = ""
    demonstration: bool = False

    def say(self, name: str, **named: object) -> str:
        return text(name, self.language, **named)

    def link(self, path: str, **query: object) -> str:
        """An address within the pages of this source, or from the console's root where the path begins with a slash."""
        kept = {name: value for name, value in query.items() if value not in (None, "")}
        if self.explicit:
            kept["lang"] = self.language
        whole = ROOT + path if path.startswith("/") else f"{ROOT}/{place_of(self.source or '')}/{path}"
        return whole + (f"?{urlencode(kept)}" if kept else "")

    @property
    def form_and_language(self) -> Markup:
        """The hidden fields of every form that is posted: its token, and the language where the address named it."""
        kept = Markup('<input type="hidden" name="lang" value="{}">').format(self.language) if self.explicit else ""
        return Markup('<input type="hidden" name="form" value="{}">').format(self.form) + kept

    @property
    def may_act(self) -> bool:
        return self.visitor is not None and self.source is not None and self.visitor.may_act_for(self.source)


def place_of(source: str) -> str:
    """`body/CNCA-R-2019-7901`: where the pages of a source are, below the console's root."""
    found = _SOURCE.fullmatch(source)
    return f"{found[1]}/{quote(found[2], safe='')}" if found else ""


def source_at(kind: str, name: str) -> str | None:
    """The URN of the source whose pages these are; None where there can be none."""
    source = f"urn:certmark:{kind}:{name}"
    return source if _SOURCE.fullmatch(source) else None


def page(template: str, frame: Frame, title: str, status: int = 200, **content: Any) -> Response:
    """A page. `title` is the headline, and what the window's title begins with."""
    language = frame.language
    other = "zh" if language == "en" else "en"
    context: Mapping[str, Any] = {
        "f": frame,
        "t": _texts[language],
        "language": language,
        "html_lang": HTML_LANG[language],
        "other_lang": HTML_LANG[other],
        "css": Markup(_CSS),  # noqa: S704  # our own file, not anybody's input
        "title": title,
        **content,
    }
    html = _environment.get_template(f"{template}.html").render(**context)
    response = Response(html, status, content_type="text/html; charset=utf-8")
    response.headers.update(HEADERS)
    response.headers["Content-Language"] = HTML_LANG[language]
    return response
