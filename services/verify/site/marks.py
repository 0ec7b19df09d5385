"""What each mark means: the scheme's own rules, and beside them what a shop's customer needs to know, as data."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from services.domain.body import is_competent
from services.domain.errors import NotFound
from services.domain.scheme import SchemeRules, Words
from services.language import Language
from services.verify.pages import Frame
from services.verify.register import Directory
from services.verify.site.words import SITE
from services.verify.wording import LABELS

Meaning = Mapping[Literal["means", "not", "look", "law"], Words]

MEANINGS: Mapping[str, Meaning] = json.loads(Path(__file__).with_name("meanings.json").read_text(encoding="utf-8"))
"""In plain words, by scheme: what it says, what it does not, how it looks, and whether anybody has to have it."""


@dataclass(frozen=True, slots=True)
class Sign:
    """A mark with the schemes that give it, or a scheme without one. `id` is the mark's, else the scheme's."""

    id: str
    name: str
    schemes: tuple[str, ...]
    mark: bool


@dataclass(frozen=True, slots=True)
class About:
    """What a page says of one scheme."""

    id: str
    name: str
    kind: str
    duty: str
    duty_text: str
    means: str
    means_not: str
    looks: str
    number: str
    who: str
    mark: str
    bodies: str
    bodies_href: str
    validity: str
    aliases: str
    families: str
    coverage: str
    version: str


def signs(directory: Directory, day: date, language: Language) -> list[Sign]:
    """Marks first, each with all of its schemes, then schemes without a mark; each by id."""
    by_mark: dict[str, Sign] = {}
    bare: list[Sign] = []
    for scheme in sorted(directory.schemes):
        rules = directory.scheme_on(scheme, day)
        if rules is None:
            continue
        mark = rules["mark"]
        if mark is None:
            bare.append(Sign(scheme, rules["name"][language], (scheme,), False))
            continue
        known = by_mark.get(mark["id"])
        schemes = (*(known.schemes if known else ()), scheme)
        by_mark[mark["id"]] = Sign(mark["id"], mark["name"][language], schemes, True)
    return [*(by_mark[mark] for mark in sorted(by_mark)), *bare]


def sign(directory: Directory, day: date, language: Language, name: str) -> Sign:
    """The mark, or the scheme, of an id.

    Raises:
        NotFound: neither has it.
    """
    for one in signs(directory, day, language):
        if name == one.id or name in one.schemes:
            return one
    raise NotFound(f"no mark or scheme {name!r}")


def about(directory: Directory, scheme: str, day: date, frame: Frame) -> About:
    """What there is to say of a scheme on a day; of one that nobody has described, what its rules say."""
    rules = directory.scheme_on(scheme, day)
    assert rules is not None
    language = frame.language
    meaning = MEANINGS.get(scheme, {})

    def plain(part: Literal["means", "not", "look", "law"]) -> str:
        return meaning[part][language] if part in meaning else ""

    issuing = [body for body in directory.bodies.values() if is_competent(body, scheme, day)]
    months = rules["validity_months"]
    coverage = rules["coverage"]
    return About(
        id=scheme,
        name=rules["name"][language],
        kind=SITE[f"class_{rules['class']}"][language],
        duty=SITE["mandatory" if rules["mandatory"] else "voluntary"][language],
        duty_text=plain("law"),
        means=plain("means"),
        means_not=plain("not"),
        looks=plain("look"),
        number=_begun(rules["number_hint"][language]) if rules["number_hint"] else "",
        who=SITE["who_declaration" if rules["declaration"] else "who_certificate"][language],
        mark=_authorizer(directory, rules, language),
        bodies="" if rules["declaration"] else SITE["bodies_today"][language].format(count=len(issuing)),
        bodies_href=frame.link("/bodies", scheme=scheme),
        validity=SITE["months"][language].format(months=months) if months else SITE["no_limit"][language],
        aliases=LABELS["and"][language].join(rules["aliases"]),
        families=LABELS["and"][language].join(rules["families"]),
        coverage=SITE["is_complete" if coverage["complete"] else "is_incomplete"][language]
        + LABELS["stop"][language]
        + (" " if language == "en" else "")
        + coverage[language],
        version=SITE["version_from"][language].format(version=rules["version"], day=rules["effective_at"]),
    )


def _begun(text: str) -> str:
    return text[:1].upper() + text[1:]


def _authorizer(directory: Directory, rules: SchemeRules, language: Language) -> str:
    alliance = directory.alliances.get(rules["alliance"] or "")
    name = alliance["name"] if alliance else rules["alliance"] or "–"
    return SITE[f"mark_{rules['mark_authorizer']}"][language].format(alliance=name)
