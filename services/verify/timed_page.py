"""A page with places for the time at which it was asked for, so that it can be kept and given out again."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.domain.identifiers import CHINA

CHECKED_ISO, CHECKED_TEXT = "\ue000iso\ue000", "\ue000text\ue000"
"""What a template prints where the time is to stand, for machines and for people."""

_ISO, _TEXT = CHECKED_ISO.encode(), CHECKED_TEXT.encode()
_PLACE = re.compile(b"(%b|%b)" % (_ISO, _TEXT))


@dataclass(frozen=True, slots=True)
class TimedPage:
    """A page in pieces; `iso` and `text` tell which of them are places for the time."""

    parts: Sequence[bytes]
    iso: tuple[int, ...]
    text: tuple[int, ...]

    @property
    def tagged(self) -> bytes:
        """The page with its places as they are: the same for as long as nothing but the time has changed."""
        return b"".join(self.parts)

    def at(self, iso: bytes, text: bytes) -> bytes:
        """The page at a time, as `instant_text` and as `beijing` write it."""
        parts = list(self.parts)
        for place in self.iso:
            parts[place] = iso
        for place in self.text:
            parts[place] = text
        return b"".join(parts)


def timed(tagged: bytes) -> TimedPage:
    """The pieces of a page."""
    parts = _PLACE.split(tagged)
    iso = tuple(place for place, part in enumerate(parts) if part == _ISO)
    text = tuple(place for place, part in enumerate(parts) if part == _TEXT)
    return TimedPage(parts, iso, text)


def beijing(instant: datetime) -> str:
    """A time as people read it on every page."""
    return instant.astimezone(CHINA).isoformat(" ", "seconds")[:19]


def to_the_minute(instant: datetime) -> str:
    """The same of what was recorded."""
    return beijing(instant)[:16]
