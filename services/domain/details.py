"""What is said of one case, in Chinese: found by the English sentence that an entry keeps of it for ever.

Errors say in one English sentence what is wrong with this input, and entries keep it. `details.json` has the Chinese of
each, with its places numbered; a sentence is known again by what stands between the places. So nothing is written twice
where an error is raised, what was recorded years ago is told in both languages, and no recorded byte changes.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

_FILE = json.loads(Path(__file__).with_name("details.json").read_text(encoding="utf-8"))
WORDS: Final[Mapping[str, str]] = _FILE["words"]
"""Status, verbs and what else a sentence names by one of our own words."""

_HOLE = "{}"
_PLACE = re.compile(r"\{([0-9]+)([wnd]?)\}")
_BETWEEN = re.compile(r"( or |, )")
_LISTED = {" or ": "或", ", ": "、"}


@dataclass(frozen=True, slots=True)
class Sentence:
    """One English sentence with holes, and its Chinese.

    A place is `{1}` as it stands, `{1w}` one of our words or a list of them, `{1n}` a name (without spaces), `{1d}` a
    sentence by itself.
    """

    english: str
    chinese: str
    between: tuple[str, ...]

    @property
    def weight(self) -> tuple[int, int]:
        """The more of a sentence is fixed, the surer it is meant."""
        return sum(map(len, self.between)), -len(self.between)

    def told(self, said: str) -> str | None:
        values = _values(said, self.between)
        if values is None:
            return None
        told, at = "", 0
        for place in _PLACE.finditer(self.chinese):
            value = _put(values[int(place[1]) - 1], place[2])
            if value is None:
                return None
            told += self.chinese[at : place.start()] + value
            at = place.end()
        return told + self.chinese[at:]


def _sentence(english: str, chinese: str) -> Sentence:
    return Sentence(english, chinese, tuple(english.split(_HOLE)))


SENTENCES: Final[Sequence[Sentence]] = sorted(
    (_sentence(*pair) for pair in _FILE["sentences"].items()), key=lambda one: one.weight, reverse=True
)


@lru_cache(maxsize=4096)
def in_chinese(said: str) -> str | None:
    """A detail or hint in Chinese; None where it is no sentence of ours."""
    return next((told for one in SENTENCES if (told := one.told(said)) is not None), None)


def _put(value: str, how: str) -> str | None:
    if how == "w":
        pieces = _BETWEEN.split(value)
        known = [_LISTED.get(piece) or WORDS.get(piece.strip("'")) for piece in pieces]
        return "".join(one for one in known if one) if all(known) else None
    if how == "n":
        return None if not value or " " in value else value
    if how == "d":
        return in_chinese(value) or WORDS.get(value, value) if value else ""
    return value


def _values(said: str, between: Sequence[str]) -> list[str] | None:
    """What stands in the holes, in one pass: who chose the words in them cannot make this slow."""
    first, last = between[0], between[-1]
    if len(between) == 1:
        return [] if said == first else None
    if not said.startswith(first) or not said.endswith(last) or len(said) < len(first) + len(last):
        return None
    values, at, end = [], len(first), len(said) - len(last)
    for piece in between[1:-1]:
        found = said.find(piece, at, end)
        if found < 0:
            return None
        values.append(said[at:found])
        at = found + len(piece)
    return [*values, said[at:end]]
