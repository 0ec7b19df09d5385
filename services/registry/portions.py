"""What waits is read in portions, until it is many or weighs much: no source's large events fill a process's memory."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PORTION = 250
"""Read at a time: of the largest envelopes 24 MB, of records with the largest states 75 MB."""
WEIGHT = 8 << 20
"""Bytes after which no more is taken. Thousands of ordinary events weigh less; read as JSON, all becomes forty times
as large where somebody means it to."""


def in_portions(read: Callable[[T | None, int], list[T]], weight: Callable[[T], int], most: int) -> list[T]:
    """At most so many, in order, and none behind the one with which they weigh enough.

    `read` gives those behind one (None: from the beginning), and fewer than asked where there are no more for now.
    """
    found: list[T] = []
    weighed = 0
    while len(found) < most:
        asked = min(PORTION, most - len(found))
        portion = read(found[-1] if found else None, asked)
        for one in portion:
            found.append(one)
            weighed += weight(one)
            if weighed >= WEIGHT:
                return found
        if len(portion) < asked:
            break
    return found
