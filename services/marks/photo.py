"""QR codes in a picture that anybody may have made: its size is known before its pixels are."""

import io
import warnings

import zxingcpp
from PIL import Image, UnidentifiedImageError

from services.domain.errors import CertmarkError, Malformed

LARGEST_FILE = 20 * 1024 * 1024
MOST_PIXELS = 50_000_000
MOST_CODES = 16
KINDS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")


class NotAPicture(Malformed):
    slug = "not-a-picture"
    title = "Not an image of a kind that is read here"
    zh = "不是可识读的图片"


class PictureTooLarge(CertmarkError):
    slug = "picture-too-large"
    title = "The image has more bytes or pixels than one may have"
    zh = "图片的字节数或像素数超过上限"
    status = 413


def codes_in(data: bytes) -> list[str]:
    """The texts of the QR codes in a picture, each once, at most MOST_CODES of them.

    Raises:
        PictureTooLarge: more than LARGEST_FILE bytes, or its head says more than MOST_PIXELS: nothing is decoded then.
        NotAPicture: of none of these KINDS, damaged, or a text in it would inflate too far.
    """
    if len(data) > LARGEST_FILE:
        raise PictureTooLarge(f"{len(data)} bytes; a picture has at most {LARGEST_FILE}")
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(data), formats=KINDS) as picture:
            # Pillow warns of bombs above its own limit, which is higher than ours.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            if picture.width * picture.height > MOST_PIXELS:
                raise PictureTooLarge(f"{picture.width} × {picture.height}; a picture has at most {MOST_PIXELS} pixels")
            grey = _over_white(picture).convert("L")
    except Image.DecompressionBombError:
        raise PictureTooLarge(f"a picture has at most {MOST_PIXELS} pixels") from None
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError, EOFError, MemoryError):
        raise NotAPicture("the image is of another kind, or damaged") from None
    found = zxingcpp.read_barcodes(grey, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode))
    return list(dict.fromkeys(str(code.text) for code in found if code.valid))[:MOST_CODES]


def _over_white(picture: Image.Image) -> Image.Image:
    """A code with a transparent ground is printed on paper; without this its ground would turn black."""
    if "A" not in picture.getbands() and "transparency" not in picture.info:
        return picture
    clear = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
