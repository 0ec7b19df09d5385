"""A chart of a few counts as SVG, made on the server: bars with their numbers beside, whole without colour."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

_WIDTH, _BAR, _GAP, _LABEL, _NUMBER = 360, 22, 10, 106, 84
_SMALLEST = 3


@dataclass(frozen=True, slots=True)
class Bar:
    """One count: its name in words, its number, and the class that gives it its colour."""

    name: str
    count: int
    look: str


def bar_chart(bars: Sequence[Bar], title: str, about: str) -> Markup:
    """Horizontal bars, each as long as its share of the largest; one that is not nothing is never invisible.

    `title` and `about` are what is read aloud in its place.
    """
    most = max((bar.count for bar in bars), default=0) or 1
    room = _WIDTH - _LABEL - _NUMBER
    height = len(bars) * (_BAR + _GAP) + _GAP
    parts = [
        Markup('<svg viewBox="0 0 {} {}" role="img" aria-labelledby="chart-t chart-d">').format(_WIDTH, height),
        Markup('<title id="chart-t">{}</title><desc id="chart-d">{}</desc>').format(title, about),
        Markup('<line class="axis" x1="{0}" y1="0" x2="{0}" y2="{1}"/>').format(_LABEL, height),
    ]
    for place, bar in enumerate(bars):
        top = _GAP + place * (_BAR + _GAP)
        long = max(_SMALLEST, round(room * bar.count / most)) if bar.count else 0
        middle = top + _BAR // 2 + 6
        parts.append(
            Markup(
                '<text x="{label}" y="{middle}" text-anchor="end">{name}</text>'
                '<rect class="{look}" x="{left}" y="{top}" width="{long}" height="{bar}"/>'
                '<text x="{number}" y="{middle}">{count}</text>'
            ).format(
                label=_LABEL - 8,
                middle=middle,
                name=bar.name,
                look=bar.look,
                left=_LABEL,
                top=top,
                long=long,
                bar=_BAR,
                number=_LABEL + long + 8,
                count=f"{bar.count:,}",
            )
        )
    return Markup("").join([*parts, Markup("</svg>")])
