"""Reads one file of listings in a process of its own, and writes its rows as JSON lines: nothing of it is trusted.

Run as `python -m services.listings.parse FILE [MAPPING SHEET PICTURES]` by `reading.py`. A workbook is opened whole
before its first row is there: a line before that says roughly how many rows there will be. Then a line says what the
file is. Then two lines a frame: its place, with the units' codes in it, and the rows. The last line has the total, or
the error.
"""

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from services.domain.errors import CertmarkError
from services.domain.identifiers import normalised
from services.domain.listing_words import unit_code_in_text
from services.listings.columns import KEYS, Fields
from services.listings.files import ListingsUnreadable, open_listings, rows_foretold
from services.listings.pictures import Pictures
from services.listings.print_reader import print_reader

FRAME = 1000
"""Rows in a frame: what one checking process takes at once, and what a page of findings has at most."""
_SHOP, _SELLER, _CODE, _TEXT, _IMAGE, _NUMBER = (
    KEYS.index(key) for key in ("shop", "seller", "mark_code", "text", "image", "certificate_no")
)


def frames(rows: Iterator[Fields | None], pictures: Pictures | None) -> Iterator[tuple[dict[str, Any], list[object]]]:
    """(place and codes, rows) of each frame. A row is its fields, with the texts and the print of its pictures behind
    where there are any, or null where it cannot be read.
    """
    first = 0
    while part := list(islice(rows, FRAME)):
        codes = [
            (at, code, _shop(fields))
            for at, fields in enumerate(part)
            if fields is not None and (code := _code(fields))
        ]
        yield {"first": first, "rows": len(part), "codes": codes}, [_with_pictures(one, pictures) for one in part]
        first += len(part)


def _with_pictures(fields: Fields | None, pictures: Pictures | None) -> object:
    named = fields[_IMAGE] if fields is not None else None
    if fields is None or pictures is None or not named:
        return fields
    texts, read = pictures.texts(named)
    printed = pictures.printed(named) if read and not texts and not fields[_NUMBER] else ""
    return [*fields, texts, read, printed] if printed else [*fields, texts, read]


def _code(fields: Fields) -> str | None:
    code, text = fields[_CODE], fields[_TEXT]
    if code:
        return normalised(code) or None
    return unit_code_in_text(text) if text else None


def _shop(fields: Fields) -> str:
    """Whose page shows the code: its shop, or its seller where no shop is named."""
    return normalised(fields[_SHOP] or fields[_SELLER] or "")


def main(path: str, mapping: str = "{}", sheet: str = "", pictures: str = "") -> int:
    out = sys.stdout.buffer
    try:
        foretold = rows_foretold(Path(path))
        if foretold is not None:
            out.write(orjson.dumps({"opening": foretold}) + b"\n")
            out.flush()
        opened, rows = open_listings(Path(path), orjson.loads(mapping), sheet or None)
        about = {
            "kind": opened.kind,
            "encoding": opened.encoding,
            "columns": opened.columns,
            "about": opened.about,
            "sample": opened.sample,
        }
        out.write(orjson.dumps(about) + b"\n")
        out.flush()
        total = 0
        for head, part in frames(rows, Pictures(Path(pictures), print_reader()) if pictures else None):
            out.write(orjson.dumps(head) + b"\n" + orjson.dumps(part) + b"\n")
            out.flush()
            total += head["rows"]
        out.write(orjson.dumps({"end": total}) + b"\n")
    except CertmarkError as error:
        out.write(_told(error))
    except MemoryError:
        out.write(
            _told(ListingsUnreadable("needs more memory than it may take 所需内存过大", hint="分成几个文件；split it"))
        )
    except OSError as error:
        out.write(_told(ListingsUnreadable(f"cannot be opened 无法打开: {error.strerror}")))
    out.flush()
    return 0


def _told(error: CertmarkError) -> bytes:
    return orjson.dumps({"error": error.slug, "detail": error.detail, "hint": error.hint}) + b"\n"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:5]))
