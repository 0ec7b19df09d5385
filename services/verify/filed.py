"""What a node's file keeps of one state record, ready to be written: made by whoever checked the record."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from services.events.record import Sealed
from services.verify.facts import Fact
from services.verify.name_index import HOLDER, PRODUCT
from services.verify.packed import pack
from services.verify.unit_codes import CodesPart


@dataclass(frozen=True, slots=True)
class Row:
    """What the projector knows of one state record.

    `timeline` and `shown` are the stored bytes of the hot path (`quick.py`), None for records that are not
    certificates or that this version cannot read. The rest is what a certificate is found by: `names` are of
    (kind, folded) as in `name_index.py`, `until` is the last day in force as declared (a day's ordinal), by which
    what stands comes before what has ended.
    """

    key: str
    revision: int
    seq: int
    sealed: bytes
    timeline: bytes | None = None
    shown: bytes | None = None
    marks: Sequence[str] = ()
    gtins: Sequence[str] = ()
    usccs: Sequence[str] = ()
    names: Sequence[tuple[str, str]] = ()
    until: int = 0
    fact: Fact | None = None
    codes: CodesPart | None = None


class Filed(NamedTuple):
    """The same as it is written. A tuple, because hundreds of thousands come through a pipe.

    `found_by` is a JSON list of lists: marks, GTINs, credit codes, holders' names, products' names.
    """

    key: str
    revision: int
    seq: int
    until: int
    timeline: bytes | None
    shown: bytes | None
    quick: int
    head: bytes
    packed: bytes
    checksum: int
    found_by: str | None
    fact: Fact | None
    codes: CodesPart | None


def filed(row: Row, opened: Sealed) -> Filed:
    """`opened` is the record taken apart."""
    timeline, shown = row.timeline, row.shown
    if timeline is None or shown is None:
        timeline = shown = None
    packed = pack(row.sealed, opened, shown or b"")
    found_by = None
    if row.key.startswith("certificate/"):
        holders = [name for kind, name in row.names if kind == HOLDER]
        products = [name for kind, name in row.names if kind == PRODUCT]
        lists = [row.marks, row.gtins, row.usccs, holders, products]
        found_by = orjson.dumps([list(dict.fromkeys(one)) for one in lists]).decode()
    return Filed(
        row.key,
        row.revision,
        row.seq,
        row.until,
        timeline,
        shown,
        quick_checksum(row.key, timeline or b"", shown or b""),
        packed.head,
        packed.rest,
        checksum(row.key, row.revision, row.seq, packed.head, packed.rest, shown or b""),
        found_by,
        row.fact,
        row.codes,
    )


def quick_checksum(key: str, timeline: bytes, shown: bytes) -> int:
    """Of the hot path's bytes: CRC-32, which finds what a disk does to a row in a third of the time of a hash."""
    return zlib.crc32(shown, zlib.crc32(timeline, zlib.crc32(key.encode())))


def checksum(key: str, revision: int, seq: int, head: bytes, packed: bytes, beside: bytes) -> int:
    """Of the record, which is packed with what stands `beside` it."""
    return zlib.crc32(beside, zlib.crc32(packed, zlib.crc32(b"%s\0%d\0%d\0%s\0" % (key.encode(), revision, seq, head))))
