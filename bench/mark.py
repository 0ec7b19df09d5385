"""How large a mark is: the bytes of its token and the version of its QR code."""

from datetime import date

from rich.progress import Progress

from bench.figures import Figure
from services.events.keys import new_key
from services.marks import qr
from services.marks.token import MarkClaims, MarkPath, decimal, mark_url, sign_token

BASE = "https://m.example.cn"
NUMBERS = {
    "numbers of digits": ("2023990703000117", "2023990703000117"),
    "numbers of text": ("SHB-M-2024-0031", "SHB-P-2024-0031"),
}
LARGEST_VERSION = 12
"""The largest QR code that design and scanners agree on for a small label."""


def measure(progress: Progress, *, quick: bool) -> list[Figure]:
    """A product's mark on an address of a usual length, at error correction M."""
    figures = []
    for name, (mark_no, certificate_no) in NUMBERS.items():
        claims = MarkClaims(date(2026, 11, 22), 1825, mark_no, certificate_no, 0, 123_456, "KFR-35GW/A")
        path = MarkPath.of_product("06909900123007")
        token = sign_token(claims, path, new_key())
        url = mark_url(BASE, path, token)
        drawn = qr.symbol(url)
        raw = {"token bytes": len(token), "digits": len(decimal(token)), "address characters": len(url)}
        raw |= {"modules a side": drawn.side, "version at correction Q": qr.symbol(url, rough_print=True).version}
        figures.append(Figure(f"mark, {name}", drawn.version, "QR version", raw={**raw}))
    return figures
