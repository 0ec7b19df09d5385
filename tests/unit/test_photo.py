"""Pictures that anybody may have made: codes are found, bombs and rubbish are refused before they cost anything."""

import io
import struct
import zlib

import pytest
from PIL import Image, ImageOps

from services.marks import photo, qr
from services.marks.photo import NotAPicture, PictureTooLarge, codes_in

TEXT = "https://mark.example/01/06901234567892?m=" + "7" * 200


def drawn(text: str = TEXT) -> Image.Image:
    return Image.open(io.BytesIO(qr.png(qr.symbol(text), 4)))


def saved(image: Image.Image, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize("kind", photo.KINDS)
def test_a_code_is_read_from_every_kind(kind: str) -> None:
    assert codes_in(saved(drawn().convert("RGB"), kind)) == [TEXT]


def test_every_code_is_read_once() -> None:
    one, other = drawn(), drawn("https://mark.example/c/2023990703000117")
    sheet = Image.new("L", (one.width * 3, one.height), 255)
    for place, image in enumerate((one, other, one)):
        sheet.paste(image, (place * one.width, 0))
    assert sorted(codes_in(saved(sheet))) == [
        "https://mark.example/01/" + TEXT[24:],
        "https://mark.example/c/2023990703000117",
    ]


def test_a_transparent_ground_is_paper() -> None:
    code = drawn().convert("L")
    clear = Image.new("RGBA", code.size, (0, 0, 0, 0))
    clear.paste((0, 0, 0, 255), mask=ImageOps.invert(code))
    assert codes_in(saved(clear)) == [TEXT]


def png_of(width: int, height: int) -> bytes:
    """The head of a PNG that says how large it is, and hardly any pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(64))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("width", "height"), [(10_000, 5_001), (65_000, 65_000), (2**31 - 1, 1), (400_000, 400_000)])
def test_a_bomb_is_refused_by_its_head(width: int, height: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("its pixels were asked for"))
    with pytest.raises(PictureTooLarge):
        codes_in(png_of(width, height))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"%PDF-1.7",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        saved(drawn())[:200],
        png_of(300, 300),
        b"\x00" * 4096,
    ],
    ids=["empty", "text", "pdf", "svg", "cut", "no pixels", "zeros"],
)
def test_what_is_no_picture_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(NotAPicture):
        codes_in(data)


def test_a_file_that_is_too_long_is_not_looked_at() -> None:
    with pytest.raises(PictureTooLarge):
        codes_in(saved(drawn()) + bytes(photo.LARGEST_FILE))


def test_a_picture_without_a_code_has_none() -> None:
    assert codes_in(saved(Image.new("L", (200, 200), 255))) == []
