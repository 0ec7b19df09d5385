"""The page of figures: a chart made on the server for each table, and each table as a file."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from services.chart import (
    SHADES,
    Bar,
    Series,
    Stack,
    Tile,
    bar_chart,
    columns,
    shade,
    shade_limits,
    stacked_bars,
    tile_map,
)
from services.domain.standing import Standing
from services.events.cells import safe_text
from services.language import Language
from services.verify.pages import Frame
from services.verify.register import Directory
from services.verify.site.districts import BEYOND, DISTRICTS, SHANGHAI
from services.verify.site.figures import Figures
from services.verify.site.words import SITE
from services.verify.story import reason_text
from services.verify.wording import LABELS, STATUS_WORD

SHOWN_BODIES = 20
_LONGEST_NAME = 34
_STANDINGS = (
    (Standing.VALID, "c1"),
    (Standing.SUSPENDED, "c2"),
    (Standing.REVOKED, "c3"),
    (Standing.CANCELLED, "c4"),
    (Standing.EXPIRED, "c5"),
    (Standing.NOT_YET_VALID, "c6"),
)
"""The parts of a bar, from what counts to what has ended; what was replaced counts as cancelled, as it is declared."""

_KINDS = ("suspended", "revoked", "cancelled")


@dataclass(frozen=True, slots=True)
class Table:
    """A table with the columns' names; the first cell of a row is its heading, the others are numbers or texts."""

    id: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | int, ...], ...]
    codes: tuple[str, ...] = ()
    """Of each row, a name that does not depend on the language: first column of the file."""


@dataclass(frozen=True, slots=True)
class Section:
    table: Table
    chart: Markup
    text: str = ""
    legend: tuple[tuple[str, str], ...] = ()
    shown: int = 1_000


def sections(figures: Figures, directory: Directory, frame: Frame) -> list[Section]:
    return [make(figures, directory, frame) for make in SECTIONS.values()]


def by_scheme(figures: Figures, directory: Directory, frame: Frame) -> Section:
    """Certificates by scheme and what they stand as today."""
    language = frame.language
    names = {scheme: _scheme_name(directory, scheme, figures, language) for scheme, _ in figures.by_scheme}
    counts = _by_standing(figures.by_scheme)
    order = sorted(names, key=lambda scheme: (-sum(counts[scheme].values()), scheme))
    table = Table(
        "schemes",
        SITE["stats_schemes"][language],
        (SITE["scheme_of"][language], *(STATUS_WORD[one][language] for one, _ in _STANDINGS), SITE["whole"][language]),
        tuple((names[one], *_parts(counts[one]), sum(counts[one].values())) for one in order),
        tuple(order),
    )
    chart = stacked_bars(
        [Stack(_short(names[one]), _parts(counts[one])) for one in order],
        [Series(STATUS_WORD[one][language], look) for one, look in _STANDINGS],
        table.title,
        _about(table, language),
        name="schemes",
    )
    return Section(table, chart)


def by_month(figures: Figures, directory: Directory, frame: Frame) -> Section:
    """First issues in each of the last twelve months."""
    language = frame.language
    rows = tuple((month, figures.new.get(month, 0)) for month in figures.months)
    table = Table(
        "months",
        SITE["stats_months"][language],
        (SITE["month"][language], SITE["count"][language]),
        rows,
        figures.months,
    )
    bars = [Bar(f"{int(month[5:])}{'月' if language == 'zh' else ''}", count) for month, count in rows]
    chart = columns(bars, table.title, _about(table, language), name="months", every=1 if language == "en" else 2)
    return Section(table, chart)


def by_reason(figures: Figures, directory: Directory, frame: Frame) -> Section:
    """Suspensions, revocations and cancellations of the last twelve months by their reasons."""
    language = frame.language
    counts: Counter[tuple[str, str]] = Counter()
    for (_, kind, reason), found in figures.ended.items():
        counts[kind, reason] += found
    order = sorted(counts, key=lambda one: (_KINDS.index(one[0]), -counts[one], one[1]))
    table = Table(
        "reasons",
        SITE["stats_reasons"][language],
        (SITE["kind"][language], SITE["reason"][language], SITE["count"][language]),
        tuple(
            (STATUS_WORD[kind][language], reason_text(reason, language), counts[kind, reason]) for kind, reason in order
        ),
        tuple(f"{kind}/{reason}" for kind, reason in order),
    )
    looks = dict(zip(_KINDS, ("c2", "c3", "c4"), strict=True))
    bars = [
        Bar(f"{STATUS_WORD[kind][language]} {reason}".strip(), counts[kind, reason], looks[kind])
        for kind, reason in order
    ]
    return Section(table, bar_chart(bars, table.title, _about(table, language), name="reasons"))


def by_body(figures: Figures, directory: Directory, frame: Frame) -> Section:
    """Certificates of each body by what they stand as; the chart has the largest."""
    language = frame.language
    counts = _by_standing(figures.by_body)
    order = sorted(counts, key=lambda body: (-counts[body][Standing.VALID], body))
    names = {body: directory.bodies[body]["name"] if body in directory.bodies else body for body in order}
    table = Table(
        "bodies",
        SITE["stats_bodies"][language],
        (SITE["body_of"][language], *(STATUS_WORD[one][language] for one, _ in _STANDINGS), SITE["whole"][language]),
        tuple((names[one], *_parts(counts[one]), sum(counts[one].values())) for one in order),
        tuple(order),
    )
    stacks = [Stack(_short(names[one]), _parts(counts[one])) for one in order[:SHOWN_BODIES]]
    series = [Series(STATUS_WORD[one][language], look) for one, look in _STANDINGS]
    chart = stacked_bars(stacks, series, table.title, _about(table, language), name="bodies")
    text = (
        SITE["largest_only"][language].format(shown=SHOWN_BODIES, count=len(order)) if len(order) > SHOWN_BODIES else ""
    )
    return Section(table, chart, text, shown=SHOWN_BODIES)


def by_district(figures: Figures, directory: Directory, frame: Frame) -> Section:
    """Valid certificates by the district of their holder."""
    language = frame.language
    valid = {place: found for (place, one), found in figures.by_district.items() if one is Standing.VALID}
    whole: Counter[str] = Counter()
    for (place, _), found in figures.by_district.items():
        whole[place] += found
    known = {one.code: one.name[language] for one in (*DISTRICTS, BEYOND)}
    # What is left is the city without a district, a division that is no more, or nothing stated.
    rest = sorted(place for place in whole if place not in known)
    named = {
        place: SITE["city_only" if place == SHANGHAI else "not_stated"][language] if place in ("", SHANGHAI) else place
        for place in rest
    }
    rows = [(name, valid.get(code, 0), whole[code]) for code, name in (*known.items(), *named.items())]
    table = Table(
        "districts",
        SITE["stats_districts"][language],
        (SITE["district"][language], STATUS_WORD["valid"][language], SITE["whole"][language]),
        tuple(rows),
        (*known, *(place or "none" for place in rest)),
    )
    tiles = [Tile(one.name[language], one.across, one.down, valid.get(one.code, 0)) for one in (*DISTRICTS, BEYOND)]
    chart = tile_map(tiles, table.title, _about(table, language), name="districts")
    return Section(table, chart, SITE["map_text"][language], _legend([tile.count for tile in tiles]))


SECTIONS: Mapping[str, Callable[[Figures, Directory, Frame], Section]] = {
    "schemes": by_scheme,
    "months": by_month,
    "reasons": by_reason,
    "bodies": by_body,
    "districts": by_district,
}
"""Every section of the page, by the id of its table and file."""


def as_csv(table: Table) -> bytes:
    """RFC 4180 in UTF-8 with a mark for spreadsheets; no cell begins a formula."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(("id", *table.columns))
    for code, row in zip(table.codes, table.rows, strict=True):
        writer.writerow([safe_text(cell) if isinstance(cell, str) else cell for cell in (code, *row)])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _by_standing(counts: Mapping[tuple[str, Standing], int]) -> dict[str, Counter[Standing]]:
    found: dict[str, Counter[Standing]] = {}
    for (name, one), count in counts.items():
        kept = Standing.CANCELLED if one is Standing.SUPERSEDED else one
        found.setdefault(name, Counter())[kept] += count
    return found


def _parts(counts: Mapping[Standing, int]) -> tuple[int, ...]:
    return tuple(counts.get(one, 0) for one, _ in _STANDINGS)


def _scheme_name(directory: Directory, scheme: str, figures: Figures, language: Language) -> str:
    rules = directory.scheme_on(scheme, figures.day)
    return rules["name"][language] if rules else scheme


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _about(table: Table, language: Language) -> str:
    """The chart in a sentence, for those who hear it: the largest three, and that the table has them all."""
    numbers: list[tuple[str, int]] = [
        (str(row[0]) if len(row) != 3 or isinstance(row[1], int) else f"{row[0]} {row[1]}", _number(row[-1]))
        for row in table.rows
    ]
    largest: Sequence[tuple[str, int]] = sorted(numbers, key=lambda one: -one[1])[:3]
    told = LABELS["and"][language].join(f"{name} {count:,}" for name, count in largest)
    return SITE["chart_about"][language].format(count=len(numbers), largest=told or "–")


def _number(cell: Any) -> int:
    return cell if isinstance(cell, int) else 0


def _legend(counts: Sequence[int]) -> tuple[tuple[str, str], ...]:
    """(class, the counts that have this shade) from nothing to the most."""
    limits = shade_limits(counts)
    found = [("s0", "0")]
    below = 0
    for limit in limits:
        text = str(limit) if limit == below + 1 else f"{below + 1:,}–{limit:,}"
        found.append((f"s{min(SHADES, shade(limit, limits))}", text))
        below = limit
    return tuple(found)
