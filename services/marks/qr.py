"""The printed symbol: a mark's address as a QR code in SVG or PNG."""

import io
from dataclasses import dataclass

import qrcode
from PIL import Image
from qrcode.constants import ERROR_CORRECT_M, ERROR_CORRECT_Q

QUIET_ZONE = 4
_MIN_RUN = 8
"""Digits in a row that get a numeric segment. The library's default of 20 would leave the GTIN in byte mode."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A QR code ready to be drawn: its dark modules (without quiet zone) and its size."""

    version: int
    modules: tuple[tuple[bool, ...], ...]

    @property
    def side(self) -> int:
        """Modules a side, the quiet zone of four on each side included."""
        return len(self.modules) + 2 * QUIET_ZONE


FIXED_MASK = 3
"""Of runs: to find the best mask of eight takes five times as long, and every code is read again anyway."""


def symbol(url: str, *, rough_print: bool = False, mask: int | None = None) -> Symbol:
    """The QR code of an address, at error correction M (Q for rough print), by the best mask or by a fixed one."""
    level = ERROR_CORRECT_Q if rough_print else ERROR_CORRECT_M
    code = qrcode.QRCode(error_correction=level, border=QUIET_ZONE, mask_pattern=mask)
    code.add_data(url, optimize=_MIN_RUN)
    code.make(fit=True)
    return Symbol(code.version, tuple(tuple(bool(dark) for dark in row) for row in code.modules))


def size_of(url: str, *, rough_print: bool = False) -> tuple[int, int]:
    """(version, modules a side with the quiet zone) of the code that `symbol` would make, without drawing it."""
    level = ERROR_CORRECT_Q if rough_print else ERROR_CORRECT_M
    code = qrcode.QRCode(error_correction=level, border=QUIET_ZONE)
    code.add_data(url, optimize=_MIN_RUN)
    version = code.best_fit()
    return version, 17 + 4 * version + 2 * QUIET_ZONE


def dark_path(drawn: Symbol) -> str:
    """The dark modules as one SVG path of horizontal runs, a module being one unit; the quiet zone lies around it."""
    path = []
    for y, row in enumerate(drawn.modules, QUIET_ZONE):
        x = 0
        while x < len(row):
            if not row[x]:
                x += 1
                continue
            run = x
            while run < len(row) and row[run]:
                run += 1
            path.append(f"M{x + QUIET_ZONE} {y}h{run - x}v1h-{run - x}z")
            x = run
    return "".join(path)


def svg(drawn: Symbol, title: str) -> bytes:
    """A stand-alone SVG: one path of horizontal runs, sharp at every size, with a title for those who do not see it."""
    text = title.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {drawn.side} {drawn.side}" role="img" '
        f'shape-rendering="crispEdges"><title>{text}</title><path fill="#fff" d="M0 0h{drawn.side}v{drawn.side}H0z"/>'
        f'<path d="{dark_path(drawn)}"/></svg>\n'
    ).encode()


def png(drawn: Symbol, module_pixels: int = 8) -> bytes:
    """A black and white PNG with `module_pixels` pixels a module."""
    side = drawn.side
    image = Image.new("1", (side, side), 1)
    for y, row in enumerate(drawn.modules, QUIET_ZONE):
        for x, dark in enumerate(row, QUIET_ZONE):
            if dark:
                image.putpixel((x, y), 0)
    out = io.BytesIO()
    image.resize((side * module_pixels, side * module_pixels), Image.Resampling.NEAREST).save(out, format="PNG")
    return out.getvalue()


def text(drawn: Symbol) -> str:
    """The symbol in half blocks, two modules a character high, for a terminal; light on dark reads everywhere."""
    empty = (False,) * drawn.side
    padded = [empty] * QUIET_ZONE
    padded += [(False,) * QUIET_ZONE + row + (False,) * QUIET_ZONE for row in drawn.modules]
    padded += [empty] * (QUIET_ZONE + drawn.side % 2)
    blocks = {(False, False): "█", (False, True): "▀", (True, False): "▄", (True, True): " "}
    pairs = zip(padded[::2], padded[1::2], strict=True)
    return "\n".join("".join(blocks[a, b] for a, b in zip(upper, lower, strict=True)) for upper, lower in pairs)
