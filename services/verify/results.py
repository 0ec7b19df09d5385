"""The page of what a search found."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from markupsafe import Markup

from services.domain.identifiers import instant_text
from services.domain.scheme import SchemeRules
from services.verify import pages
from services.verify.markup import said
from services.verify.pages import Frame, certificate_path
from services.verify.search import By, Hit, Hits
from services.verify.search_wording import (
    AS_HOLDER,
    AS_PRODUCT,
    FOUND,
    FOUND_BY_NUMBER,
    FURTHER,
    IN_WORD,
    MATCH_WORD,
    MORE,
    NOTHING,
    ORDER,
)
from services.verify.timed_page import beijing
from services.verify.verdict_page import coverage_lines
from services.verify.wording import ANSWERS, BODY_WORD, LABELS, VERDICT, Code, Family, Note

_NUMBERS = (By.USCC, By.GTIN)


@dataclass(frozen=True, slots=True)
class Shown:
    """One certificate of the list."""

    number: str
    href: str
    title: str
    family: str
    product: str
    scheme: str
    holder: str
    body: str
    match: str


@dataclass(frozen=True, slots=True)
class Link:
    text: str
    href: str
    rel: str = ""


@dataclass(frozen=True, slots=True)
class _View:
    family: str
    word: str
    title: str
    explanation: str
    next_step: str
    checked_iso: str
    checked_at: str
    as_of: str
    items: Sequence[Shown]
    coverage: Sequence[str]
    order: str
    more: str
    links: Sequence[Link]
    typed: str


def results_page(hits: Hits, by: By | None, schemes: dict[str, SchemeRules | None], frame: Frame) -> bytes:
    """The list, or that there is nothing to list; `schemes` are the rules of each, for their names."""
    language = frame.language
    by_number = by in _NUMBERS
    if hits.items:
        worded = FOUND_BY_NUMBER if by_number else FOUND
    else:
        worded = ANSWERS[Code.UNKNOWN_NUMBER] if by_number else NOTHING
    asked = "".join(c for c in hits.asked.strip()[:60] if c.isprintable())  # nothing that turns the sentence around
    as_of, shown = beijing(hits.as_of), f"<bdi>{said(asked, language)}</bdi>"
    explanation = worded.explanation[language].format(asked=shown, as_of=as_of)
    view = _View(
        family=worded.family.value,
        word=VERDICT[worded.family][language] if worded.family is not Family.INPUT else LABELS["several"][language],
        title=worded.title[language],
        explanation=Markup(explanation),  # noqa: S704  # the catalogue's, and what is filled in is escaped
        next_step=worded.next_step[language],
        checked_iso=instant_text(hits.checked_at),
        checked_at=beijing(hits.checked_at),
        as_of=as_of,
        items=[_shown(hit, schemes.get(hit.scheme), frame) for hit in hits.items],
        coverage=coverage_lines(hits.coverage, language),
        order="" if by_number else ORDER[language],
        more=MORE[language] if hits.more else "",
        links=list(_links(hits, by, frame)),
        typed=hits.asked,
    )
    return pages.rendered("results.html", frame, worded.title[language], v=view)


def _shown(hit: Hit, rules: SchemeRules | None, frame: Frame) -> Shown:
    language = frame.language
    colon = LABELS["colon"][language]
    disqualified = Note.BODY_DISQUALIFIED in hit.head["notes"]
    body = hit.body_name or hit.body or ""
    return Shown(
        number=hit.number,
        href=frame.link(certificate_path(hit.number)),
        title=hit.head["title"][language],
        family=hit.head["family"],
        product=f"{LABELS['service_scope'][language]}{colon}{hit.product}" if hit.is_scope else hit.product,
        scheme=rules["name"][language] if rules else hit.scheme,
        holder=hit.holder,
        body=f"{body} ({BODY_WORD['disqualified'][language]})" if disqualified else body,
        match=""
        if hit.found_in in _NUMBERS
        else f"{IN_WORD[hit.found_in][language]}{colon}{MATCH_WORD[hit.match][language]}",
    )


def _links(hits: Hits, by: By | None, frame: Frame) -> Sequence[Link]:
    language = frame.language
    kept = [("q", hits.asked), *([("lang", language)] if frame.explicit else [])]

    def to(**more: str) -> str:
        return "/search?" + urlencode([*kept, *more.items()])

    links = []
    if hits.next:
        links.append(Link(FURTHER[language], to(after=hits.next, **({"by": by.value} if by else {})), "next"))
    if by is None and hits.items:
        links.append(Link(AS_HOLDER[language], to(by=By.HOLDER.value)))
        links.append(Link(AS_PRODUCT[language], to(by=By.PRODUCT.value)))
    return links
