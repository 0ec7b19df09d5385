"""How pages behind a sign-in are made: one style named by its hash, no script, nothing from elsewhere."""

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from flask import Blueprint, Response, g, redirect, request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from werkzeug.exceptions import HTTPException

from services import inline_style, telemetry
from services.domain.details import in_chinese
from services.domain.errors import BadRequest, CertmarkError, NotFound, TooLarge
from services.domain.identifiers import CHINA
from services.language import HTML_LANG, OTHER, Language, accepted_language
from services.problems import InternalError, MethodNotAllowed
from services.registry.door import LockedOut

TEMPLATES = Path(__file__).parent / "templates"

_CHINESE = re.compile("[\u3400-\u9fff]")
_ENGLISH = re.compile("[A-Za-z]{2,} [A-Za-z]{2,}")


class Text(NamedTuple):
    """One saying in both languages; `{names}` are filled in by the page."""

    zh: str
    en: str

    def on(self, language: Language) -> str:
        return self.en if language == "en" else self.zh


@dataclass(frozen=True, slots=True)
class Frame:
    """What a page needs beside its content.

    `explicit` means that the address names the language; `form` is the token that this visit's forms show;
    `other_href` the address of the same page in the other language.
    """

    language: Language
    explicit: bool
    form: str
    other_href: str = ""
    demonstration: bool = False

    @property
    def form_and_language(self) -> Markup:
        """The hidden fields of every form that is posted: its token, and the language where the address named it."""
        kept = Markup('<input type="hidden" name="lang" value="{}">').format(self.language) if self.explicit else ""
        return Markup('<input type="hidden" name="form" value="{}">').format(self.form) + kept

    def address(self, path: str, query: Mapping[str, object]) -> str:
        """A path with what is asked of it, and the language where the address named it."""
        kept = {name: value for name, value in query.items() if value not in (None, "")}
        if self.explicit:
            kept["lang"] = self.language
        return path + (f"?{urlencode(kept)}" if kept else "")


class Room:
    """The pages below one root: their templates (a folder of `templates/`), style and sentences."""

    def __init__(self, root: str, folder: str, styles: Sequence[str], texts: Mapping[str, Text]) -> None:
        self.root = root
        self.texts = texts
        css = "".join((TEMPLATES / style).read_text(encoding="utf-8").replace("\n", "") for style in styles)
        self._css = Markup(css)  # noqa: S704  # our own file, not anybody's input
        self.headers = {
            "Content-Security-Policy": (
                f"default-src 'none'; style-src {inline_style.sources(css)}; img-src 'self' data:; "
                "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
            ),
            "Vary": "Cookie, Accept-Language",
        }
        self._environment = Environment(
            loader=FileSystemLoader([TEMPLATES / folder, TEMPLATES / "rooms"]),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=StrictUndefined,
        )
        self._environment.filters |= {
            "said": _said,
            "told": lambda words, language: _said(told_in(str(words), language), language),
            "beijing": beijing,
            "step": lambda words: quote(str(words), safe=""),
        }
        self._said = {
            language: SimpleNamespace(**{name: text.on(language) for name, text in texts.items()})
            for language in HTML_LANG
        }

    def say(self, name: str, language: Language, **named: object) -> str:
        """A saying in one language, its names filled in."""
        text = self.texts[name].on(language)
        return text.format(**named) if named else text

    def page(self, template: str, frame: Frame, title: str, status: int = 200, **content: Any) -> Response:
        """A page. `title` is the headline, and what the window's title begins with."""
        language = frame.language
        context: Mapping[str, Any] = {
            "f": frame,
            "t": self._said[language],
            "language": language,
            "html_lang": HTML_LANG[language],
            "other_lang": HTML_LANG[OTHER[language]],
            "css": self._css,
            "title": title,
            **content,
        }
        html = self._environment.get_template(f"{template}.html").render(**context)
        response = Response(html, status, content_type="text/html; charset=utf-8")
        response.headers.update(self.headers)
        response.headers["Content-Language"] = HTML_LANG[language]
        return response

    def error(self, frame: Frame, error: CertmarkError, **content: Any) -> Response:
        """The page of an error: nothing of our own trouble but that there is some."""
        if error.status >= 503:
            telemetry.warning("request failed", code=error.slug, detail=error.detail, path=request.path)
        language, more = frame.language, list[str]()
        if isinstance(error, NotFound):
            title, told = self.say("nothing_here", language), self.say("nothing_here_text", language)
        elif error.status >= 500:
            title, told = self.say("trouble", language), self.say("trouble_text", language)
        else:
            first, second = (error.title, error.zh) if language == "en" else (error.zh, error.title)
            title, told = self.say("error", language), first
            lines = (second, told_in(error.detail, language), told_in(error.hint, language))
            more = [line for line in lines if line]
        content |= {"told": told, "more": more, "code": error.slug, "section": ""}
        response = self.page("error", frame, title, error.status, **content)
        if isinstance(error, LockedOut):
            response.headers["Retry-After"] = str(error.retry_after)
        return response


def tell_errors(pages: Blueprint, tell: Callable[[CertmarkError], Response]) -> None:
    """Whatever goes wrong on these pages is told by one of them: `tell` makes it."""

    def tell_http(error: HTTPException) -> Response:
        if error.response is not None or error.code is None or error.code < 400:
            made = error.get_response()
            assert isinstance(made, Response)
            return made
        kind = {404: NotFound, 405: MethodNotAllowed, 413: TooLarge}.get(error.code, BadRequest)
        response = tell(kind(error.description or error.name))
        response.status_code = error.code
        return response

    def tell_unforeseen(error: Exception) -> Response:
        number = str(uuid.uuid4())
        telemetry.error("unforeseen error", error, id=number, path=request.path, method=request.method)
        return tell(InternalError(f"logged as {number}"))

    pages.register_error_handler(CertmarkError, tell)
    pages.register_error_handler(HTTPException, tell_http)
    pages.register_error_handler(Exception, tell_unforeseen)


def _said(words: object, language: Language) -> str:
    """Data that is in the other language than the page, marked as such for screen readers."""
    plain = str(words)
    if language == "en" and _CHINESE.search(plain):
        return Markup('<span lang="zh-CN">{}</span>').format(plain)
    if language == "zh" and _ENGLISH.search(plain) and not _CHINESE.search(plain):
        return Markup('<span lang="en">{}</span>').format(plain)
    return plain


def told_in(words: str, language: Language) -> str:
    """A detail or hint of ours in the page's language, as far as it is one."""
    return (in_chinese(words) if language == "zh" else None) or words


def beijing(instant: datetime | None) -> str:
    return instant.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S") if instant else ""


# --- the request in hand, whose language is in `g.language` ----------------------------------------------------


def language_now() -> tuple[Language, bool]:
    """The page's language, and whether the address names it."""
    explicit = g.language in HTML_LANG
    return (g.language if explicit else accepted_language(request.accept_languages)), explicit


def other_href(language: Language) -> str:
    """The address of the page in hand in the other language; empty where there is none to give."""
    if request.method != "GET":
        return ""
    kept = [(name, value) for name, value in request.args.items(multi=True) if name != "lang"]
    return "?" + urlencode([*kept, ("lang", OTHER[language])])


def language_kept() -> dict[str, str]:
    return {"lang": g.language} if g.language in HTML_LANG else {}


def go(where: str) -> Response:
    response = redirect(where, 303)
    assert isinstance(response, Response)
    return response


def page_below(root: str, wanted: str, otherwise: str) -> str:
    """The address of a page below our root, if that is what is wanted. One with a host in it would lead elsewhere, and
    one with a line in it is no header."""
    return wanted if wanted.startswith(f"{root}/") and "\\" not in wanted and wanted.isprintable() else otherwise


def back_to(root: str, wanted: str, otherwise: str) -> Response:
    """On to the page that a visitor wanted, before he had to sign in."""
    return go(page_below(root, wanted, otherwise))


def attached(content: bytes, kind: str, name: str, plain: str = "file") -> Response:
    """A file to keep; `plain` is its name for those who cannot read the real one."""
    response = Response(content, content_type=kind)
    plain = name if name.isascii() and name.replace("-", "").replace(".", "").isalnum() else plain
    named = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    response.headers["Content-Disposition"] = named
    return response
