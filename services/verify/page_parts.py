"""The parts of a page that are each certificate's own, put together without a template: line by line they cost most."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from markupsafe import Markup

from services.language import Language
from services.verify.markup import dates_kept_whole, plain, said
from services.verify.page_templates import ENVIRONMENTS
from services.verify.story import Happening


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of a list inside a row."""

    text: str
    sub: str = ""
    href: str = ""
    here: str = ""
    out: str = ""


@dataclass(frozen=True, slots=True)
class FactRow:
    """One row of the summary list: a text or a list of lines."""

    label: str
    text: str = ""
    sub: str = ""
    tag: str = ""
    family: str = ""
    items: Sequence[Line] = ()


@dataclass(frozen=True, slots=True)
class MayLine:
    """Whether one deed is allowed, in words, with the family of answers that it looks like."""

    act: str
    family: str
    word: str


def rows_markup(rows: Sequence[FactRow], language: Language) -> Markup:
    """The summary list's rows."""
    return Markup("".join([_row(row, language) for row in rows]))  # noqa: S704  # every text went through _plain


def history_markup(happenings: Sequence[Happening], language: Language) -> Markup:
    """What happened, each as an entry of a list."""
    return Markup("".join([_happening(one, language) for one in happenings]))  # noqa: S704  # as above


def lines_markup(text: str, language: Language) -> Markup:
    """A text's lines, each ended."""
    return Markup("".join([f"{said(line, language)}\n" for line in text.splitlines()]))  # noqa: S704  # as above


@lru_cache(maxsize=1024)  # certificates of a scheme and a standing have the same
def may_markup(lines: tuple[MayLine, ...], language: Language) -> Markup:
    """The table of what is allowed."""
    text = ENVIRONMENTS[language].get_template("may.html").render(lines=lines)
    return Markup(text)  # noqa: S704  # of a template that escapes


def _row(row: FactRow, language: Language) -> str:
    if row.items:
        told = f"<ul>{''.join([_line(line, language) for line in row.items])}</ul>"
    else:
        told = said(row.text, language)
        if row.tag:
            told += f' <span class="tag{f" {plain(row.family)}" if row.family else ""}">{plain(row.tag)}</span>'
        if row.sub:
            told += _sub(row.sub, language)
    return f"<div><dt>{plain(row.label)}</dt><dd>{told}</dd></div>\n"


def _line(line: Line, language: Language) -> str:
    told = said(line.text, language)
    if line.href:
        told = f'<a href="{plain(line.href)}">{told}</a>'
    if line.here:
        told += f' <span class="tag">{plain(line.here)}</span>'
    if line.out:
        told += f' <span class="tag no">{plain(line.out)}</span>'
    if line.sub:
        told += _sub(line.sub, language)
    return f"<li>{told}</li>"


def _happening(one: Happening, language: Language) -> str:
    day, told = plain(one.day), said(one.text, language)
    if one.undone:
        told = f'<s>{told}</s> <span class="tag">{plain(one.undone)}</span>'
    if one.recorded:
        told += _sub(one.recorded, language)
    return f"<li><time>{day}</time>{told}</li>\n"


def _sub(text: str, language: Language) -> str:
    return f'<span class="sub">{dates_kept_whole(said(text, language))}</span>'
