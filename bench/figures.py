"""A figure with the limit that it is set against, and how a run's figures are shown and kept."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured, in `unit`; `limit` is what this machine could do at most in the same run.

    `bar` bounds the ratio value/limit where there is a limit, else the value itself: from below or, where not
    `at_least`, from above.
    """

    name: str
    value: float
    unit: str
    limit: float | None = None
    limit_name: str = ""
    bar: float | None = None
    at_least: bool = True
    raw: dict[str, float | str] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        return self.value / self.limit if self.limit else None

    @property
    def judged(self) -> float:
        """The number that the bar bounds."""
        return self.value if self.ratio is None else self.ratio

    @property
    def met(self) -> bool | None:
        """Whether the bar is met; None where there is no bar."""
        if self.bar is None:
            return None
        return self.judged >= self.bar if self.at_least else self.judged <= self.bar


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of the values that at least so many percent of them do not exceed (nearest rank).

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("a percentile of nothing")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def number(value: float) -> str:
    """Three significant digits, whole numbers with thousands apart."""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def row(figure: Figure) -> tuple[str, str, str, str, str, str]:
    """(name, value, limit, ratio, bar, verdict) as texts."""
    f = figure
    limit = f"{number(f.limit)} {f.limit_name}" if f.limit else "—"
    ratio = f"{f.ratio:.2f}" if f.ratio is not None else "—"
    bar = f"{'≥' if f.at_least else '≤'} {number(f.bar)}" if f.bar is not None else "—"
    verdict = {None: "", True: "met", False: "MISSED"}[f.met]
    return f.name, f"{number(f.value)} {f.unit}", limit, ratio, bar, verdict


def chart(figures: Sequence[Figure], title: str) -> str:
    """An SVG of every figure that has a bar: how far it is along, with the bar at two thirds of the width."""
    barred = [f for f in figures if f.bar]
    height = 40 + 34 * len(barred)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{height}" font-family="sans-serif" '
        'font-size="13">',
        f'<text x="10" y="20" font-weight="bold">{html.escape(title)}</text>',
        f'<line x1="587" y1="30" x2="587" y2="{height}" stroke="#444" stroke-dasharray="4 3"/>',
    ]
    for place, figure in enumerate(barred):
        top = 36 + 34 * place
        assert figure.bar is not None
        width = min(1.35, figure.judged / figure.bar) * 267
        name, value, _, ratio, bar, verdict = row(figure)
        colour = "#2a7" if figure.met else "#c33"
        parts += [
            f'<text x="10" y="{top + 17}">{html.escape(name)}</text>',
            f'<rect x="320" y="{top}" width="{width:.0f}" height="24" fill="{colour}" opacity="0.35"/>',
            f'<text x="326" y="{top + 17}">{html.escape(f"{ratio} " if figure.limit else "")}({html.escape(value)}) '
            f"{html.escape(bar)} {verdict}</text>",
        ]
    return "\n".join([*parts, "</svg>", ""])
