"""The single codes that count no more, as a status list names them: hashes of 8 bytes, ascending, none twice."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from enum import StrEnum
from itertools import pairwise

from services.domain.unit_code import HASH_BYTES, public_hash

MOST = 30_000
"""Hashes in one list: 240 kB, so that with a quarter of a megabyte of places it stays below what a list may have."""


class UnitStatus(StrEnum):
    """What a list says of one unit's code, whose authorization is in force."""

    STANDS = "stands"
    VOIDED = "voided"
    UNTOLD = "untold"


def packed(hashes: Iterable[bytes]) -> bytes:
    return b"".join(sorted(set(hashes)))


def unpacked(voided: bytes) -> list[bytes]:
    return [voided[at : at + HASH_BYTES] for at in range(0, len(voided), HASH_BYTES)]


def is_packed(voided: bytes) -> bool:
    """Whether these bytes have the one form; what has not could be looked through in vain."""
    return len(voided) % HASH_BYTES == 0 and all(a < b for a, b in pairwise(unpacked(voided)))


def names(voided: bytes, hash_: bytes) -> bool:
    places = range(len(voided) // HASH_BYTES)
    at = bisect_left(places, hash_, key=lambda n: voided[n * HASH_BYTES : (n + 1) * HASH_BYTES])
    return at < len(places) and voided[at * HASH_BYTES : (at + 1) * HASH_BYTES] == hash_


def unit_in(voided: bytes | None, mark_no: str, printed: bytes) -> UnitStatus:
    """What a list says of the unit whose code is signed for `printed`; None: it names no codes at all."""
    if voided is None:
        return UnitStatus.UNTOLD
    if names(voided, public_hash(mark_no, printed)):
        return UnitStatus.VOIDED
    return UnitStatus.UNTOLD if names(voided, public_hash(mark_no, b"")) else UnitStatus.STANDS


def joined(by_mark: Mapping[str, bytes], most: int = MOST) -> bytes | None:
    """What one list says of all these marks (packed hashes by mark number).

    Where there are too many, the marks with the most codes are named whole, so that of their units nothing can be told
    offline, and of all others everything. None where not even that is enough.
    """
    told = dict(by_mark)
    count = sum(map(len, told.values())) // HASH_BYTES
    for mark_no in sorted(told, key=lambda number: (-len(told[number]), number)):
        if count <= most:
            break
        count -= len(told[mark_no]) // HASH_BYTES - 1
        told[mark_no] = public_hash(mark_no, b"")
    return packed(one for each in told.values() for one in unpacked(each)) if count <= most else None
