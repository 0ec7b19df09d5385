"""Labels on paper: laid out by millimetres on sheets or rolls, drawn as PDF, and read back from what was drawn."""

import base64
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from PIL import Image

from services.domain.errors import CertmarkError
from services.marks.label import Label, label_svg
from services.marks.qr import png

_PIXELS_A_MODULE = 4.0
"""What a code is read back from: about as coarse as a telephone sees it at arm's length."""


class NotReadBack(CertmarkError):
    slug = "not-read-back"
    title = "A code that was drawn does not read back as what it was drawn from; nothing was written"
    zh = "已绘制的二维码无法按原文读回，未写出任何文件"
    status = 500


class DoesNotFit(CertmarkError):
    slug = "does-not-fit"
    title = "A label is larger than the page"
    zh = "标签大于页面"
    status = 400


@dataclass(frozen=True, slots=True)
class Paper:
    """A page in millimetres, its margin, and the distance between labels. `cut`: with marks to cut along."""

    width: float
    height: float
    margin: float
    gap: float
    cut: bool = False


A4 = Paper(210, 297, 10, 3)


def alone(label: Label) -> Paper:
    """A page of the label's own size."""
    width, height = label.outer
    return Paper(width, height, 0, 0)


def roll(label: Label, across: int, gap: float = 2.0, *, cut: bool = False) -> Paper:
    """One row of a roll as a page: so many labels beside each other, half the gap around."""
    width, height = label.outer
    return Paper(across * (width + gap), height + gap, gap / 2, gap, cut)


def places(paper: Paper, outer: tuple[float, float]) -> list[tuple[float, float]]:
    """Where the labels of one page lie: left and top in millimetres, row by row, the block in the middle.

    Raises:
        DoesNotFit: not even one does.
    """
    width, height = outer
    room = paper.width - 2 * paper.margin, paper.height - 2 * paper.margin
    across, down = (int((room[i] + paper.gap + 1e-6) // (outer[i] + paper.gap)) for i in (0, 1))
    if across < 1 or down < 1:
        raise DoesNotFit(
            f"a label of {width:.1f} by {height:.1f} mm on a page of {paper.width:g} by {paper.height:g} mm"
        )
    left = (paper.width - across * width - (across - 1) * paper.gap) / 2
    top = paper.margin
    return [
        (left + x * (width + paper.gap), top + y * (height + paper.gap)) for y in range(down) for x in range(across)
    ]


def pdf(labels: Sequence[Label], paper: Paper, *, pixels: bool = True) -> bytes:
    """The labels on as many pages as it takes; `pixels`: the codes as images with a pixel a module.

    A PDF holds such an image as sharp as a path, and it is drawn in a tenth of the time.
    """
    import weasyprint  # a second of its own: not for who prints nothing

    outer = max(label.outer[0] for label in labels), max(label.outer[1] for label in labels)
    at = places(paper, outer)
    pages = [labels[first : first + len(at)] for first in range(0, len(labels), len(at))]
    html = "".join(f"<section>{''.join(_placed(page, at, paper, pixels=pixels))}</section>" for page in pages)
    css = (
        f"@page{{size:{paper.width:g}mm {paper.height:g}mm;margin:0}}*{{margin:0;padding:0}}"
        f"section{{position:relative;width:{paper.width:g}mm;height:{paper.height:g}mm;page-break-after:always;"
        "overflow:hidden}section:last-child{page-break-after:auto}svg,img{position:absolute}img{image-rendering:pixelated}"
        "i{position:absolute;background:#000}"
    )
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    document = weasyprint.HTML(string=f"<!doctype html><style>{css}</style>{html}", url_fetcher=_fetcher())
    drawn: bytes = document.write_pdf(font_config=_fonts())
    return drawn


def _pixels_of(label: Label) -> str:
    return base64.b64encode(png(label.symbol, 1)).decode("ascii")


@cache
def _fetcher() -> object:
    """What is in the page and nothing else: no address of anybody's is ever fetched."""
    from weasyprint.urls import URLFetcher

    return URLFetcher(allowed_protocols={"data"}, fail_on_errors=True)


@cache
def _fonts() -> object:
    """Looked for once: every document would look through the machine's fonts anew."""
    from weasyprint.text.fonts import FontConfiguration

    return FontConfiguration()


def _placed(labels: Sequence[Label], at: Sequence[tuple[float, float]], paper: Paper, *, pixels: bool) -> Iterator[str]:
    for label, (left, top) in zip(labels, at, strict=False):
        style = f'style="left:{left:.3f}mm;top:{top:.3f}mm"'
        yield label_svg(label, frame_only=pixels).replace("<svg ", f"<svg {style} ", 1)
        if pixels:
            x, y = label.code_at
            style = f"left:{left + x:.3f}mm;top:{top + y:.3f}mm;width:{label.width:.3f}mm;height:{label.width:.3f}mm"
            yield f'<img style="{style}" src="data:image/png;base64,{_pixels_of(label)}">'
        if paper.cut:
            yield from _cut_marks(left, top, *label.outer)


def _cut_marks(left: float, top: float, width: float, height: float) -> Iterator[str]:
    """Short lines outside the four corners."""
    long, thick = 1.2, 0.1
    for x in (left, left + width):
        for y in (top - long - 0.1, top + height + 0.1):
            yield f'<i style="left:{x - thick / 2:.3f}mm;top:{y:.3f}mm;width:{thick}mm;height:{long}mm"></i>'
    for y in (top, top + height):
        for x in (left - long - 0.1, left + width + 0.1):
            yield f'<i style="left:{x:.3f}mm;top:{y - thick / 2:.3f}mm;width:{long}mm;height:{thick}mm"></i>'


# --- reading back --------------------------------------------------------------------------------------------


def texts_in(image: Image.Image) -> list[str]:
    """The texts of all QR codes in an image."""
    import zxingcpp

    formats = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
    return [str(found.text) for found in zxingcpp.read_barcodes(image, formats=formats)]


def check_read_back(drawn: bytes, labels: Sequence[Label], texts: Sequence[str], paper: Paper) -> None:
    """Render a PDF to pixels and read every code in it.

    Raises:
        NotReadBack: one is missing, or says something else.
    """
    outer = max(label.outer[0] for label in labels), max(label.outer[1] for label in labels)
    a_page = len(places(paper, outer))
    module = min(label.module for label in labels)
    for number, image in enumerate(images(drawn, _PIXELS_A_MODULE / module * 25.4)):
        expected = sorted(texts[number * a_page : (number + 1) * a_page])
        found = sorted(texts_in(image))
        if found != expected:
            missing = len(set(expected) - set(found))
            raise NotReadBack(f"{missing} of the {len(expected)} codes on page {number + 1} do not read back")


def images(drawn: bytes, dpi: float) -> Iterator[Image.Image]:
    """The pages of a PDF as grey pixels."""
    import pypdfium2

    document = pypdfium2.PdfDocument(drawn)
    try:
        for page in document:
            bitmap = page.render(scale=dpi / 72, grayscale=True)
            yield bitmap.to_pil().copy()
            bitmap.close()
            page.close()
    finally:
        document.close()
