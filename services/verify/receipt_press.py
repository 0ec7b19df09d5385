"""Makes PDF files of receipts: a process of its own, one page after the other from its standard input.

A frame is four bytes of length and that many bytes. In: JSON {html, attachment, made_at}. Out: a PDF, or nothing for a
page that could not be made. Before the first, a frame with the reason why none can be made, empty where they can.
"""

import contextlib
import ctypes
import ctypes.util
import json
import logging
import select
import struct
import sys
from datetime import datetime
from typing import IO

IDLE_S = 60.0
RECEIPTS = 100
"""How long the process waits for another page, and how many it makes, before it ends and gives its memory back."""

_LENGTH = struct.Struct(">I")


def read_frame(stream: IO[bytes]) -> bytes | None:
    """The next frame; None at the end of the stream."""
    head = stream.read(_LENGTH.size)
    return stream.read(_LENGTH.unpack(head)[0]) if len(head) == _LENGTH.size else None


def write_frame(stream: IO[bytes], content: bytes) -> None:
    stream.write(_LENGTH.pack(len(content)) + content)
    stream.flush()


def why_not() -> str:
    """Why no receipt can be made on this machine; empty where it can."""
    try:
        import weasyprint  # noqa: F401  # its import finds its libraries, or does not
    except (ImportError, OSError) as error:
        return f"weasyprint cannot be used: {str(error).splitlines()[0]}"
    return "" if _chinese_fonts() else "no font with Chinese characters is installed"


def _chinese_fonts() -> int:
    """How many fonts fontconfig knows for zh-cn."""
    name = ctypes.util.find_library("fontconfig")
    if name is None:
        return 0
    library = ctypes.CDLL(name)
    for function in ("FcNameParse", "FcObjectSetBuild", "FcFontList"):
        getattr(library, function).restype = ctypes.c_void_p
    pattern = ctypes.c_void_p(library.FcNameParse(b":lang=zh-cn"))
    objects = ctypes.c_void_p(library.FcObjectSetBuild(b"family", None))
    found = library.FcFontList(None, pattern, objects)
    return ctypes.cast(found, ctypes.POINTER(ctypes.c_int))[0] if found else 0


def pdf(html: str, attachment: str, made_at: datetime) -> bytes:
    """The page as a PDF with its attachment: the same bytes for the same words. Nothing is fetched from anywhere."""
    import weasyprint
    from weasyprint.urls import URLFetcher

    answer = weasyprint.Attachment(
        string=attachment, name="answer.json", description="GET /v1/verify", created=made_at, modified=made_at
    )
    nowhere = URLFetcher(allowed_protocols=("data",))  # what would have to be fetched is left out
    document = weasyprint.HTML(string=html, url_fetcher=nowhere)
    made: bytes = document.write_pdf(attachments=[answer])
    return made


def main() -> None:
    logging.disable(logging.CRITICAL)  # what its style sheet leaves out is not news
    given, out = sys.stdin.buffer, sys.stdout.buffer
    reason = why_not()
    write_frame(out, reason.encode())
    for _ in range(0 if reason else RECEIPTS):
        if not select.select([given], [], [], IDLE_S)[0]:
            return
        frame = read_frame(given)
        if frame is None:
            return
        asked = json.loads(frame)
        made = b""
        with contextlib.suppress(MemoryError, ValueError, RecursionError, OSError):
            made = pdf(asked["html"], asked["attachment"], datetime.fromisoformat(asked["made_at"]))
        write_frame(out, made)


if __name__ == "__main__":
    main()
