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
    title = "Not an image that can be read here: send JPEG, PNG or WebP, or a screenshot in the place of a HEIC photo"
    zh = "不是可识读的图片：请用 JPEG、PNG 或 WebP，HEIC 照片请截图后再传"


class PictureTooLarge(CertmarkError):
    slug = "picture-too-large"
    title = "The image has more bytes or pixels than one may have"
    zh = "图片的字节数或像素数超过上限"
    status = 413


def codes_in(data: bytes) -> list[str]:
    """The texts of the QR codes in a picture, each once, at most MOST_CODES of them.

    Raises:
        PictureTooLarge, NotAPicture: as `grey_of`.
    """
    return list(dict.fromkeys(qr_texts(grey_of(data))))[:MOST_CODES]


def grey_of(
    data: bytes, most_bytes: int = LARGEST_FILE, most_pixels: int = MOST_PIXELS, widest: int | None = None
) -> Image.Image:
    """A picture in shades of grey over white; no wider or higher than `widest`, where that is given.

    Raises:
        PictureTooLarge: more than `most_bytes`, or its head says more than `most_pixels`: nothing is decoded then.
        NotAPicture: of none of these KINDS, damaged, or a text in it would inflate too far.
    """
    if len(data) > most_bytes:
        raise PictureTooLarge(f"{len(data)} bytes; a picture has at most {most_bytes}")
    try:
        with warnings.catch_warnings():
            # Pillow warns of bombs above its own limit, which is higher than ours.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=KINDS) as picture:
                if picture.width * picture.height > most_pixels:
                    raise PictureTooLarge(
                        f"{picture.width} × {picture.height}; a picture has at most {most_pixels} pixels"
                    )
                if widest is not None:
                    picture.draft("L", (widest, widest))  # a JPEG is unpacked at a part of its size
                grey = _over_white(picture).convert("L")
    except Image.DecompressionBombError:
        raise PictureTooLarge(f"a picture has at most {most_pixels} pixels") from None
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError, EOFError, MemoryError):
        raise NotAPicture("the image is of another kind, or damaged") from None
    if widest is not None and max(grey.size) > widest:
        grey.thumbnail((widest, widest))
    return grey


def qr_texts(picture: Image.Image) -> list[str]:
    """The text of every QR code in a decoded picture."""
    found = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode))
    return [str(code.text) for code in found if code.valid and code.text]


def _over_white(picture: Image.Image) -> Image.Image:
    """A code with a transparent ground is printed on paper; without this its ground would turn black."""
    if "A" not in picture.getbands() and "transparency" not in picture.info:
        return picture
    clear = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
