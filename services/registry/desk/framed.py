"""A listing's picture as an officer looks at it: made small, each code in it framed. Run as a process with limits.

`python -m services.registry.desk.framed` reads a picture and writes a PNG; anything else ends it with 1.
"""

import io
import subprocess
import sys
import warnings

from services import confined
from services.domain.errors import NotFound

LIMITS = confined.Limits(memory=1 << 30, seconds=10)
WIDEST = 1200
"""Pixels of the longer side of what is shown."""
_FRAME = 6
_PATIENCE_S = 10


def framed(picture: bytes) -> bytes:
    """The picture as PNG, in a process of its own that has no more than it needs.

    Raises:
        NotFound: it is no picture, too large to be opened, or breaks its reader.
    """
    try:
        done = confined.answer("services.registry.desk.framed", LIMITS, picture, _PATIENCE_S)
    except subprocess.TimeoutExpired:
        raise NotFound("the picture takes too long to open") from None
    if done.returncode or not done.stdout:
        raise NotFound("the picture cannot be shown; take the file")
    return done.stdout


def main() -> int:
    from services.listings.pictures import LARGEST, LARGEST_FILE

    data = sys.stdin.buffer.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        return 1
    sys.stdout.buffer.write(_drawn(data, LARGEST))
    return 0


def _drawn(data: bytes, most_pixels: int) -> bytes:
    import zxingcpp
    from PIL import Image, ImageDraw

    from services.marks.photo import KINDS

    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    with Image.open(io.BytesIO(data), formats=KINDS) as opened:
        if opened.width * opened.height > most_pixels:
            raise ValueError("too many pixels")
        picture = opened.convert("RGB")
    found = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode))
    scale = min(1.0, WIDEST / max(picture.size))
    picture.thumbnail((WIDEST, WIDEST))
    pen = ImageDraw.Draw(picture)
    for code in found:
        place = code.position
        corners = [place.top_left, place.top_right, place.bottom_right, place.bottom_left]
        points = [(corner.x * scale, corner.y * scale) for corner in corners]
        # Two colours one inside the other: one of them shows on whatever the picture has there.
        pen.polygon(points, outline="white", width=2 * _FRAME)
        pen.polygon(points, outline="red", width=_FRAME)
    out = io.BytesIO()
    picture.save(out, format="PNG")
    return out.getvalue()


if __name__ == "__main__":
    sys.exit(main())
