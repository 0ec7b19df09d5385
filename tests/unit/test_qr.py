"""The printed symbol: its size, and that a reader gets back what was put in."""

import io
from dataclasses import replace
from xml.etree import ElementTree

import pytest
import zxingcpp
from PIL import Image

from services.events.keys import new_key
from services.marks import qr
from services.marks.token import MarkPath, mark_url, sign_token
from tests.unit.test_mark_token import CLAIMS, GTIN, PATH, VECTOR

HOST = "https://v.example.cn"


def scanned(png: bytes) -> list[str]:
    return [
        found.text
        for found in zxingcpp.read_barcodes(
            Image.open(io.BytesIO(png)), formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
        )
    ]


def test_a_mark_with_numeric_numbers_has_111_bytes_and_version_8() -> None:
    drawn = qr.symbol(mark_url(HOST, PATH, VECTOR))
    assert (len(VECTOR), drawn.version) == (111, 8)
    assert drawn.side * 0.33 == pytest.approx(18.8, abs=0.05)


def test_a_mark_with_text_numbers_has_at_most_126_bytes_and_version_9() -> None:
    claims = replace(CLAIMS, mark_no="SHB-M-2024-0031", certificate_no="SHB-P-2024-0031")
    token = sign_token(claims, PATH, new_key())
    assert 119 <= len(token) <= 126
    assert qr.symbol(mark_url(HOST, PATH, token)).version == 9


@pytest.mark.parametrize(
    "path",
    [
        PATH,
        MarkPath.of_product(GTIN, "790326983690060267"),
        MarkPath.of_product(GTIN, "a/b%?"),
        MarkPath.of_certificate("790624Q00123R0S"),
        MarkPath.of_certificate("沪AB/2024/0031"),
    ],
)
@pytest.mark.parametrize("rough", [False, True])
def test_a_reader_gets_the_address_back(path: MarkPath, rough: bool) -> None:
    url = mark_url(HOST, path, sign_token(CLAIMS, path, new_key()))
    drawn = qr.symbol(url, rough_print=rough)
    assert scanned(qr.png(drawn)) == [url]
    assert scanned(qr.png(drawn, module_pixels=3)) == [url]


def test_the_quiet_zone_is_four_modules_of_white() -> None:
    drawn = qr.symbol(mark_url(HOST, PATH, VECTOR))
    image = Image.open(io.BytesIO(qr.png(drawn, module_pixels=1)))
    assert image.size == (drawn.side, drawn.side)
    frame = [image.getpixel((x, y)) for y in range(drawn.side) for x in range(drawn.side) if min(x, y) < 4]
    assert set(frame) == {255}


def test_the_svg_draws_the_same_modules() -> None:
    drawn = qr.symbol(mark_url(HOST, PATH, VECTOR))
    root = ElementTree.fromstring(qr.svg(drawn, 'M <1> & "2"'))  # noqa: S314  # drawn a line above
    namespace = "{http://www.w3.org/2000/svg}"
    assert root.findtext(f"{namespace}title") == 'M <1> & "2"'
    dark = set()
    for run in root.findall(f"{namespace}path")[1].attrib["d"].split("M")[1:]:
        corner, _, rest = run.partition("h")
        x, y = map(int, corner.split())
        dark |= {(x + n - 4, y - 4) for n in range(int(rest.partition("v")[0]))}
    assert dark == {(x, y) for y, row in enumerate(drawn.modules) for x, module in enumerate(row) if module}


def test_an_upper_case_address_is_never_printed() -> None:
    with pytest.raises(ValueError):
        mark_url("HTTPS://V.EXAMPLE.CN", PATH, VECTOR)
