"""QR codes in the pictures of listings: from a folder or ZIP beside the sheet, never from the network.

A picture of 100 megapixels is refused by its header, before a pixel is unpacked. Reading the print itself (OCR) is an
extra (`print_reader.py`), and what it reads is kept apart from what codes say.
"""

import zipfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path, PurePosixPath

from PIL import Image

LARGEST = 40_000_000
"""Pixels of a picture; telephones take 12 to 50 million, of which a QR code needs few."""
LARGEST_FILE = 30 << 20
_WIDEST = 3000
"""Pixels of the longer side that are looked at; larger pictures are made smaller first."""
_MOST = 8
"""Pictures of one listing."""
_MOST_PRINTS = 2
"""Of which the print is read: each takes a second."""

ReadPrint = Callable[[Image.Image], str]


class Pictures:
    """A folder or ZIP of pictures, which listings name by their paths in it."""

    def __init__(self, place: Path, read_print: ReadPrint | None = None) -> None:
        self._place = place
        self._packed = zipfile.ZipFile(place) if place.is_file() else None
        self._read_print = read_print
        self._texts = lru_cache(maxsize=4096)(self._texts_of)
        self._printed = lru_cache(maxsize=4096)(self._print_of)

    def texts(self, named: str) -> tuple[list[str], bool]:
        """(the texts of the codes in the pictures of a listing, whether every one of them was looked at)."""
        names = _names(named)
        found: list[str] = []
        whole = bool(names) and len(names) <= _MOST
        for name in names[:_MOST]:
            texts = self._texts(name)
            whole = whole and texts is not None
            found += texts or ()
        return list(dict.fromkeys(found)), whole

    def printed(self, named: str) -> str:
        """The print in the first pictures of a listing; empty where nobody reads it here."""
        if self._read_print is None:
            return ""
        return "\n".join(text for name in _names(named)[:_MOST_PRINTS] if (text := self._printed(name)))

    def _print_of(self, name: str) -> str:
        data = self.content(name)
        grey = _grey(data) if data is not None else None
        return self._read_print(grey) if grey is not None and self._read_print is not None else ""

    def _texts_of(self, name: str) -> tuple[str, ...] | None:
        """None where there is no such picture, or it cannot be read."""
        data = self.content(name)
        return texts_in(data) if data is not None else None

    def content(self, name: str) -> bytes | None:
        """The file of a picture; None where there is none of this name in the folder or ZIP, or it is too large."""
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or "://" in name:
            return None  # never out of the folder, never out of the house
        try:
            if self._packed is not None:
                # What it says of its size is its maker's word: no more than we want is ever unpacked.
                with self._packed.open(str(path)) as member:
                    content = member.read(LARGEST_FILE + 1)
                return content if len(content) <= LARGEST_FILE else None
            file = self._place / path
            if not file.resolve().is_relative_to(self._place.resolve()) or file.stat().st_size > LARGEST_FILE:
                return None
            return file.read_bytes()
        except (OSError, KeyError, zipfile.BadZipFile, RuntimeError, ValueError):
            return None


def _names(named: str) -> list[str]:
    return [name.strip() for part in named.split("|") for name in part.split(";") if name.strip()]


def texts_in(data: bytes) -> tuple[str, ...] | None:
    """The texts of the QR codes in a picture; None where it is none, or too large to be looked at."""
    from services.marks.photo import qr_texts  # where there are pictures at all

    grey = _grey(data)
    return None if grey is None else tuple(qr_texts(grey))


def _grey(data: bytes) -> Image.Image | None:
    from services.marks.photo import NotAPicture, PictureTooLarge, grey_of

    try:
        return grey_of(data, LARGEST_FILE, LARGEST, _WIDEST)
    except (NotAPicture, PictureTooLarge):
        return None
