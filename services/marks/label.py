"""The printed label: our own plain frame with the mark's name, its number, its holder and the QR, in millimetres."""

import unicodedata
from dataclasses import dataclass
from html import escape

from services.marks.qr import Symbol, dark_path

FINE_MM = 0.33
"""The smallest module that ordinary printing and an ordinary telephone are good for (qr-mark.md)."""

_EDGE, _GAP = 1.2, 0.8
_FONT = "Noto Sans CJK SC, Noto Sans SC, Source Han Sans SC, Microsoft YaHei, PingFang SC, sans-serif"
_LINES_OF_HOLDER = 2


@dataclass(frozen=True, slots=True)
class Named:
    """What is printed beside the code: a mark in both languages, its number, who may use it, the unit's serial."""

    zh: str
    en: str
    mark_no: str
    holder: str
    serial: str = ""


@dataclass(frozen=True, slots=True)
class Label:
    """A label ready to be drawn. `width` is the side of its code with the quiet zone, in millimetres."""

    symbol: Symbol
    named: Named
    width: float

    @property
    def module(self) -> float:
        """The side of one module in millimetres."""
        return self.width / self.symbol.side

    @property
    def outer(self) -> tuple[float, float]:
        """Width and height of the whole label in millimetres."""
        return self.width + 2 * _EDGE, _EDGE + self._head + self.width + self._foot + _EDGE

    @property
    def code_at(self) -> tuple[float, float]:
        """Where the code with its quiet zone lies in the label: left and top in millimetres."""
        return _EDGE, _EDGE + self._head

    @property
    def _text(self) -> float:
        """The size of small print: readable from 20 mm on, and never wider than the code."""
        return max(1.4, self.width / 13)

    @property
    def _head(self) -> float:
        return 2.4 * self._text + _GAP

    @property
    def _foot(self) -> float:
        return (1 + _LINES_OF_HOLDER + bool(self.named.serial)) * 1.25 * self._text + _GAP


def label_svg(label: Label, *, frame_only: bool = False) -> str:
    """The label as a stand-alone SVG whose user unit is the millimetre; or all of it but the code."""
    width, height = label.outer
    size, named = label._text, label.named
    inner = label.width
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}mm" height="{height:g}mm" '
        f'viewBox="0 0 {width:g} {height:g}" role="img"><title>{escape(named.mark_no)}</title>',
        f'<rect width="{width:g}" height="{height:g}" fill="#fff"/>',
        f'<rect x=".3" y=".3" width="{width - 0.6:g}" height="{height - 0.6:g}" rx="1" fill="none" stroke="#000" '
        'stroke-width=".3"/>',
    ]
    y = _EDGE + size * 1.15
    parts.append(_line(named.zh, width / 2, y, _fitting(named.zh, size * 1.25, inner), "700"))
    parts.append(_line(named.en, width / 2, y + size * 1.1, _fitting(named.en, size * 0.8, inner), "400"))
    top, scale = _EDGE + label._head, label.module
    if not frame_only:
        parts.append(
            f'<g transform="translate({_EDGE:g} {top:g}) scale({scale:.6f})" shape-rendering="crispEdges">'
            f'<path d="{dark_path(label.symbol)}"/></g>'
        )
    y = top + inner + size
    lines = [named.mark_no, *([f"SN {named.serial}"] if named.serial else []), *_wrapped(named.holder, size, inner)]
    for text in lines:
        parts.append(_line(text, width / 2, y, _fitting(text, size, inner), "400"))
        y += size * 1.25
    return "".join(parts) + "</svg>\n"


def _line(text: str, x: float, y: float, size: float, weight: str) -> str:
    return (
        f'<text x="{x:g}" y="{y:.3f}" font-size="{size:.3f}" font-weight="{weight}" text-anchor="middle" '
        f'font-family="{_FONT}">{escape(text)}</text>'
    )


def _width(text: str) -> float:
    """In ems: a Chinese character is one wide, a Latin one a little more than half."""
    return sum(1.0 if unicodedata.east_asian_width(c) in "WF" else 0.62 for c in text)


def _fitting(text: str, size: float, room: float) -> float:
    """The size, or a smaller one at which the text fits."""
    return min(size, room / max(_width(text), 0.01))


def _wrapped(text: str, size: float, room: float) -> list[str]:
    """A name in at most two lines; one that is longer is set smaller."""
    if _width(text) * size <= room:
        return [text]
    half, taken = _width(text) / 2, 0.0
    for place, character in enumerate(text):
        taken += _width(character)
        if taken >= half:
            return [text[: place + 1].strip(), text[place + 1 :].strip()]
    return [text]
