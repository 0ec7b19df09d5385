"""What a node's file keeps of one state record, as it is written."""

import zlib
from typing import NamedTuple

from services.verify.facts import Fact
from services.verify.unit_codes import CodesPart


class Filed(NamedTuple):
    """The columns of a record's row, its header, fact and codes beside. A tuple, because hundreds of thousands come
    through a pipe.

    `timeline` and `shown` are the stored bytes of the hot path (`quick.py`), None for records that are not
    certificates or that this version cannot read; `until` is the last day in force as declared (a day's ordinal), by
    which what stands comes before what has ended. `found_by` is a JSON list of lists: marks, GTINs, credit codes,
    holders' names, products' names.
    """

    key: str
    revision: int
    seq: int
    until: int
    timeline: bytes | None
    shown: bytes | None
    quick: int
    packed: bytes
    checksum: int
    found_by: str | None
    head: bytes
    fact: Fact | None
    codes: CodesPart | None


def quick_checksum(key: str, timeline: bytes, shown: bytes) -> int:
    """Of the hot path's bytes: CRC-32, which finds what a disk does to a row in a third of the time of a hash."""
    return zlib.crc32(shown, zlib.crc32(timeline, zlib.crc32(key.encode())))


def checksum(key: str, revision: int, seq: int, head: bytes, packed: bytes, beside: bytes) -> int:
    """Of the record, which is packed with what stands `beside` it."""
    return zlib.crc32(beside, zlib.crc32(packed, zlib.crc32(b"%s\0%d\0%d\0%s\0" % (key.encode(), revision, seq, head))))
