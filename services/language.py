"""The two languages of every page, and which of them somebody reads."""

from collections.abc import Mapping
from typing import Literal

from werkzeug.datastructures import LanguageAccept

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")
HTML_LANG: Mapping[Language, str] = {"zh": "zh-CN", "en": "en"}
OTHER: Mapping[Language, Language] = {"zh": "en", "en": "zh"}


def language_named(text: str) -> Language | None:
    """The language of a tag, if it is one of ours."""
    primary = text.lower().partition("-")[0]
    return next((one for one in LANGUAGES if one == primary), None)


def accepted_language(accepted: LanguageAccept) -> Language:
    """The first language that we have; Chinese where none is named, English for those who read neither."""
    for tag, quality in accepted:
        if quality > 0 and (tag == "*" or language_named(tag)):
            return language_named(tag) or "zh"
    return "en" if accepted else "zh"
