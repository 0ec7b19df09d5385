"""What all pages share: the frame around them, what they lead to, and the ones that need no answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlencode

from markupsafe import Markup

from services import chart, inline_style
from services.language import HTML_LANG, LANGUAGES, OTHER, Language
from services.verify.page_templates import ENVIRONMENTS, SITE_STYLE, STYLE
from services.verify.site.words import SITE
from services.verify.timed_page import beijing
from services.verify.wording import LABELS, Code, Note, wording

CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src {inline_style.sources(STYLE, SITE_STYLE, chart.STYLE)}; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""No script and nothing from elsewhere; our styles are named by their hashes, so nothing injected has a look either."""

NAVIGATION = (
    ("/", "home"),
    ("/scan", "scan"),
    ("/marks", "nav_marks"),
    ("/bodies", "nav_bodies"),
    ("/report", "nav_report"),
    ("/stats", "nav_stats"),
    ("/data", "nav_data"),
    ("/status", "nav_status"),
    ("/privacy", "nav_privacy"),
    ("/docs", "api"),
)
"""What every page leads to: (path, name of the label)."""

_site = {language: SimpleNamespace(**{name: text[language] for name, text in SITE.items()}) for language in LANGUAGES}


@dataclass(frozen=True, slots=True)
class Frame:
    """What a page needs beside its content. `explicit` means that the address names the language.

    `other_href` is the address of the same page in the other language, empty where there is none to give.
    """

    language: Language
    explicit: bool = False
    other_href: str = ""
    demonstration: bool = False

    def link(self, path: str, **query: str | int) -> str:
        """The address of another page in the same language."""
        asked = {**query, **({"lang": self.language} if self.explicit else {})}
        return f"{path}?{urlencode(asked)}" if asked else path

    @property
    def query(self) -> str:
        return f"?lang={self.language}" if self.explicit else ""


def rendered(template: str, frame: Frame, title: str, robots: str = "noindex", **members: Any) -> bytes:
    """A page in the frame that all pages share; `members` are what its template prints beside that."""
    language, site = frame.language, LABELS["site"][frame.language]
    return (
        ENVIRONMENTS[language]
        .get_template(template)
        .render(
            title=title if title == site else f"{title} – {site}",
            robots=robots,
            explicit=frame.explicit,
            other_href=frame.other_href,
            other_lang=HTML_LANG[OTHER[language]],
            lang_query=frame.query,
            navigation=_navigation(language, frame.explicit),
            link=frame.link,
            demonstration=frame.demonstration,
            **members,
        )
        .encode()
    )


@lru_cache
def _navigation(language: Language, explicit: bool) -> Markup:
    """The links at the foot of every page."""
    frame = Frame(language, explicit)
    link = Markup('<a href="{}">{}</a>')
    return Markup("").join(link.format(frame.link(path), LABELS[name][language]) for path, name in NAVIGATION)


def site_page(template: str, frame: Frame, title: str, **members: Any) -> bytes:
    """One of the pages beside the verdicts."""
    return rendered(template, frame, title, "index", heading=title, site=_site[frame.language], **members)


def front_page(frame: Frame, as_of: datetime | None, examples: Sequence[tuple[str, Code, tuple[Note, ...]]]) -> bytes:
    """The page with the one field. `examples` are numbers with their answers today."""
    language = frame.language
    shown = [
        {
            "number": number,
            "href": frame.link(certificate_path(number)),
            "title": wording(code, notes).title[language],
            "family": wording(code, notes).family.value,
        }
        for number, code, notes in examples
    ]
    told = beijing(as_of) if as_of else LABELS["no_data"][language]
    return site_page(
        "front.html", frame, LABELS["site"][language], examples=shown, as_of=told, has_data=as_of is not None
    )


_FOR_PROGRAMS = (
    *("bad-request", "internal-error", "method-not-allowed", "not-acceptable", "not-found", "not-ready"),
    *("too-large", "too-many-requests", "unsupported-media-type"),
)
"""Errors whose own sentence says nothing to a person that the page's does not say better."""


def error_page(problem: Mapping[str, Any], frame: Frame) -> bytes:
    """A page for when something is wrong with the request or with us, from the problem document; it needs no data."""
    status = problem["status"]
    kind = f"error_{status}" if f"error_{status}" in LABELS else "error_500" if status >= 500 else "error_400"
    heading = LABELS[kind][frame.language]
    own = problem["title" if frame.language == "en" else "title_zh"] if problem["code"] not in _FOR_PROGRAMS else ""
    text = LABELS[f"{kind}_text"][frame.language]
    return rendered("error.html", frame, heading, heading=heading, own=own, text=text)


def certificate_path(number: str) -> str:
    return f"/c/{quote(number, safe='')}"


def product_path(uscc: str, model: str) -> str:
    return f"/products/{quote(uscc, safe='')}/{quote(model, safe='')}"


def mark_path(mark_no: str) -> str:
    return f"/m/{quote(mark_no, safe='')}"
