"""Charts as SVG, made on the server: every figure is written beside its shape, so that colour only helps the eye.

Every chart has a title and a description for those who hear the page, and belongs beside the table that it was drawn
from. Colours come from classes (`STYLE`), never from attributes, so that a page's dark mode and a printer can change
them; `standalone` makes a file of its own.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

_WIDTH, _BAR, _GAP, _LABEL, _NUMBER = 360, 22, 10, 106, 84
_SMALLEST = 3
_DIGIT = 8
SHADES = 5
"""Steps of a map's shading above nothing."""

STYLE = (
    "figure{margin:1rem 0}"
    "figure svg{max-width:100%;height:auto;display:block}"
    "svg text{font-family:inherit;font-size:14px;fill:#0b0c0c}svg .in{font-size:13px}svg .on{fill:#fff}"
    "svg .axis,svg .grid{stroke:#767676;stroke-width:1}svg .grid{stroke:#d8dadb}"
    "svg rect{stroke:#fff;stroke-width:1}svg polyline[class]{fill:none;stroke-width:2.5}"
    ".c1{fill:#00703c}.c2{fill:#f47738}.c3{fill:#aa1a1a}.c4{fill:#5694ca}.c5{fill:#505a5f}.c6{fill:#4c2c92}"
    "polyline.c1{stroke:#00703c}polyline.c2{stroke:#b3450b}polyline.c3{stroke:#aa1a1a}polyline.c4{stroke:#1d70b8}"
    "polyline.c5{stroke:#505a5f}polyline.c6{stroke:#4c2c92}"
    ".s0{fill:#fff}.s1{fill:#d8e8f5}.s2{fill:#a9cbe8}.s3{fill:#6aa3d3}.s4{fill:#1d5a96}.s5{fill:#0b2f57}"
    "svg rect.s0,svg rect.s1,svg rect.s2,svg rect.s3,svg rect.s4,svg rect.s5{stroke:#505a5f}"
    "@media screen and (prefers-color-scheme:dark){"
    "svg text{fill:#f3f2f1}svg .axis{stroke:#b1b4b6}svg .grid{stroke:#3b4043}svg rect{stroke:#16191b}"
    ".c1{fill:#55b07f}.c2{fill:#f49a63}.c3{fill:#ef7d7d}.c4{fill:#8fc1ea}.c5{fill:#b1b4b6}.c6{fill:#b79bec}"
    "polyline.c1{stroke:#55b07f}polyline.c2{stroke:#f49a63}polyline.c3{stroke:#ef7d7d}polyline.c4{stroke:#8fc1ea}"
    "polyline.c5{stroke:#b1b4b6}polyline.c6{stroke:#b79bec}"
    "svg .s0{fill:#16191b}svg .s1{fill:#d8e8f5}svg text.t1,svg text.t2,svg text.t3{fill:#0b0c0c}}"
)
"""What the classes of a chart look like, light and dark. The order of `c1` to `c6` also falls in lightness by turns."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One count: its name in words, its number, and the class that gives it its colour."""

    name: str
    count: int
    look: str = "c1"


@dataclass(frozen=True, slots=True)
class Series:
    """One of the parts that several bars, or points, have in common."""

    name: str
    look: str


@dataclass(frozen=True, slots=True)
class Stack:
    """A bar made of parts, one for each series."""

    name: str
    parts: tuple[int, ...]

    @property
    def whole(self) -> int:
        return sum(self.parts)


@dataclass(frozen=True, slots=True)
class Curve:
    """A line through (x, y) points; where the axis is logarithmic, points at or below zero are left out."""

    series: Series
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Tile:
    """One place of a tile map: where it stands in the grid (from the left and the top), and its count."""

    name: str
    across: int
    down: int
    count: int


def bar_chart(bars: Sequence[Bar], title: str, about: str, *, name: str = "chart") -> Markup:
    """Horizontal bars, each as long as its share of the largest; one that is not nothing is never invisible.

    `title` and `about` are what is read aloud in its place; `name` tells the charts of one page apart.
    """
    most = max((bar.count for bar in bars), default=0) or 1
    left = max([_LABEL, *(_wide(bar.name) + 8 for bar in bars)])
    room = _WIDTH - left - _NUMBER
    height = len(bars) * (_BAR + _GAP) + _GAP
    parts = [_opening(_WIDTH, height, title, about, name), _upright(left, height)]
    for place, bar in enumerate(bars):
        top = _GAP + place * (_BAR + _GAP)
        long = max(_SMALLEST, round(room * bar.count / most)) if bar.count else 0
        parts += [
            _text(left - 8, top + 17, bar.name, anchor="end"),
            _rect(left, top, long, _BAR, bar.look),
            _text(left + long + 8, top + 17, f"{bar.count:,}"),
        ]
    return _closed(parts)


def stacked_bars(
    stacks: Sequence[Stack], series: Sequence[Series], title: str, about: str, *, name: str = "chart"
) -> Markup:
    """Horizontal bars of parts in the order of the series, each below its name; a legend above them all."""
    row, legend = 52, 22 * -(-len(series) // 3)
    most = max((stack.whole for stack in stacks), default=0) or 1
    room = _WIDTH - 62
    height = legend + len(stacks) * row + _GAP
    parts = [_opening(_WIDTH, height, title, about, name)]
    for place, one in enumerate(series):
        left, line = (place % 3) * (_WIDTH // 3), 22 * (place // 3)
        parts += [_rect(left, line, 14, 14, one.look), _text(left + 19, line + 12, one.name)]
    for place, stack in enumerate(stacks):
        top = legend + place * row
        end = 0.0
        parts.append(_text(0, top + 20, stack.name))
        for count, one in zip(stack.parts, series, strict=True):
            long = max(float(_SMALLEST), room * count / most) if count else 0.0
            parts.append(_rect(end, top + 27, long, _BAR, one.look))
            end += long
        parts.append(_text(end + 6, top + 44, f"{stack.whole:,}"))
    return _closed(parts)


def columns(bars: Sequence[Bar], title: str, about: str, *, name: str = "chart", every: int = 1) -> Markup:
    """Upright columns in the order given, as for months; every so-many-th has its name below."""
    width, height, foot, head = _WIDTH, 200, 24, 22
    most = max((bar.count for bar in bars), default=0) or 1
    step = width / max(1, len(bars))
    room = height - foot - head
    parts = [
        _opening(width, height, title, about, name),
        Markup('<line class="axis" x1="0" y1="{0}" x2="{1}" y2="{0}"/>').format(height - foot, width),
    ]
    for place, bar in enumerate(bars):
        tall = max(float(_SMALLEST), room * bar.count / most) if bar.count else 0.0
        middle = step * place + step / 2
        parts.append(_rect(step * place + step * 0.12, height - foot - tall, step * 0.76, tall, bar.look))
        number = f"{bar.count:,}"
        if bar.count and len(number) * _DIGIT < step:
            parts.append(_text(middle, height - foot - tall - 5, number, anchor="middle", look="in"))
        if place % every == 0:
            parts.append(_text(middle, height - 8, bar.name, anchor="middle", look="in"))
    return _closed(parts)


def line_chart(
    curves: Sequence[Curve],
    title: str,
    about: str,
    *,
    name: str = "chart",
    log: bool = False,
    unit: str = "",
    names: Sequence[tuple[float, str]] = (),
) -> Markup:
    """Lines over a common axis. `log` draws equal ratios equally far apart; `names` are the marks of the x axis."""
    width, height, left, right, foot, head = 640, 300, 64, 24, 30, 14 + 22 * -(-len(curves) // 3)
    shown = [(x, y) for curve in curves for x, y in curve.points if not log or y > 0]
    xs, ys = [x for x, _ in shown] or [0.0], [y for _, y in shown] or [1.0]
    ticks = _decades(min(ys), max(ys)) if log else _round_steps(max(ys))
    low, high = _height(ticks[0], log=log), _height(ticks[-1], log=log)

    def across(x: float) -> float:
        span = (max(xs) - min(xs)) or 1.0
        return left + (width - left - right) * (x - min(xs)) / span

    def down(y: float) -> float:
        return height - foot - (height - foot - head) * (_height(y, log=log) - low) / ((high - low) or 1.0)

    parts = [_opening(width, height, title, about, name)]
    for tick in ticks:
        parts += [
            Markup('<line class="grid" x1="{}" y1="{y}" x2="{}" y2="{y}"/>').format(
                left, width - right, y=_plain(down(tick))
            ),
            _text(left - 8, down(tick) + 5, f"{tick:,.10g}{unit}", anchor="end", look="in"),
        ]
    parts += [_text(across(x), height - 8, text, anchor="middle", look="in") for x, text in names]
    for place, curve in enumerate(curves):
        at = " ".join(f"{_plain(across(x))},{_plain(down(y))}" for x, y in curve.points if not log or y > 0)
        where, line = (place % 3) * (width // 3), 6 + 22 * (place // 3)
        parts += [
            _rect(where, line, 14, 14, curve.series.look),
            _text(where + 20, line + 12, curve.series.name),
            Markup('<polyline class="{}" points="{}"/>').format(curve.series.look, at),
        ]
    return _closed(parts)


def tile_map(tiles: Sequence[Tile], title: str, about: str, *, name: str = "chart") -> Markup:
    """A map of equal squares: each place by name and count, shaded by its step of `shade_limits`."""
    side = 72
    limits = shade_limits(tile.count for tile in tiles)
    width = side * (max((tile.across for tile in tiles), default=0) + 1)
    height = side * (max((tile.down for tile in tiles), default=0) + 1)
    parts = [_opening(width, height, title, about, name)]
    for tile in tiles:
        left, top, step = tile.across * side, tile.down * side, shade(tile.count, limits)
        ink = f"t{step} on" if step >= 4 else f"t{step}"
        parts += [
            _rect(left + 1, top + 1, side - 2, side - 2, f"s{step}"),
            _text(left + side / 2, top + 32, tile.name, anchor="middle", look=f"in {ink}"),
            _text(left + side / 2, top + 54, f"{tile.count:,}", anchor="middle", look=ink),
        ]
    return _closed(parts)


def shade_limits(counts: Iterable[int]) -> tuple[int, ...]:
    """The largest count of each shade, rising; equal counts have equal shades, and nothing has none."""
    found = sorted({count for count in counts if count > 0})
    if not found:
        return ()
    steps = min(SHADES, len(found))
    return tuple(found[-(-len(found) * step // steps) - 1] for step in range(1, steps + 1))


def shade(count: int, limits: Sequence[int]) -> int:
    """The step of a count, 0 for nothing."""
    if count <= 0:
        return 0
    # Few different counts take the darker shades apart as far as they can.
    step = next((place for place, limit in enumerate(limits, 1) if count <= limit), len(limits))
    return step if len(limits) == SHADES else max(1, round(step * SHADES / len(limits)))


def standalone(chart: Markup) -> bytes:
    """The chart as a file of its own, with what it looks like inside."""
    opening, rest = chart.split(">", 1)
    fonts = f"<style>{STYLE}svg{{background:#fff;font-family:sans-serif}}</style>"
    return f'{opening} xmlns="http://www.w3.org/2000/svg">{fonts}{rest}'.encode()


def _opening(width: float, height: float, title: str, about: str, name: str) -> Markup:
    return Markup(
        '<svg viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" aria-labelledby="{n}-t" '
        'aria-describedby="{n}-d"><title id="{n}-t">{title}</title><desc id="{n}-d">{about}</desc>'
    ).format(w=width, h=height, n=name, title=title, about=about)


def _closed(parts: list[Markup]) -> Markup:
    return Markup("").join([*parts, Markup("</svg>")])


def _upright(x: float, height: float, top: float = 0) -> Markup:
    return Markup('<line class="axis" x1="{0}" y1="{1}" x2="{0}" y2="{2}"/>').format(x, top, height)


def _rect(left: float, top: float, wide: float, tall: float, look: str) -> Markup:
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(
        look, _plain(left), _plain(top), _plain(wide), _plain(tall)
    )


def _text(x: float, y: float, text: str, *, anchor: str = "", look: str = "") -> Markup:
    how = Markup(' text-anchor="{}"').format(anchor) if anchor else Markup("")
    how += Markup(' class="{}"').format(look) if look else Markup("")
    return Markup('<text x="{}" y="{}"{}>{}</text>').format(_plain(x), _plain(y), how, text)


def _wide(text: str) -> int:
    """About how wide a text is: Chinese characters are nearly twice as wide as letters."""
    return sum(14 if char > "\u2e7f" else _DIGIT for char in text)


def _plain(number: float) -> str:
    """As short as it can be written to a tenth of a unit."""
    return f"{number:.1f}".removesuffix(".0")


def _height(value: float, *, log: bool) -> float:
    return math.log10(value) if log else value


def _decades(least: float, most: float) -> list[float]:
    first, last = math.floor(math.log10(least)), math.ceil(math.log10(most))
    return [10.0**power for power in range(first, max(last, first + 1) + 1)]


def _round_steps(most: float) -> list[float]:
    """From nothing to at least the largest, in four to ten steps of 1, 2 or 5 times a power of ten."""
    if most <= 0:
        return [0.0, 1.0]
    power = 10.0 ** math.floor(math.log10(most))
    step = next(one * power for one in (0.2, 0.5, 1.0, 2.0) if most / (one * power) <= 6)
    return [step * place for place in range(math.ceil(most / step) + 1)]
