"""On which days the answer to a certificate's number changes, and to what: some twenty bytes a day."""

from collections.abc import Iterable
from datetime import date

from services.domain.certificate import Status, StatusInterval
from services.domain.standing import PRECEDENCE, Standing
from services.verify.answer import Judgement
from services.verify.wording import Code, Note

_CODES: dict[Code, str] = {code: chr(ord("a") + place) for place, code in enumerate(Code)}
_STANDINGS: dict[Standing, str] = {one: chr(ord("a") + place) for place, one in enumerate(PRECEDENCE)}
_NOTES: dict[Note, str] = {note: chr(ord("A") + place) for place, note in enumerate(Note)}
"""A letter for each word. A word that comes or goes anywhere but at the end is another format of the file."""

_CODE_OF = {letter: code for code, letter in _CODES.items()}
_STANDING_OF = {letter: one for one, letter in _STANDINGS.items()}
_NOTE_OF = {letter: note for note, letter in _NOTES.items()}

_DAY = 10
"""Characters of a day."""


def turns_text(judged: Iterable[tuple[date, Judgement]]) -> bytes:
    """A line for each day on which the judgement is another than before, the earliest first.

    A line is the day, the letters of code, standing and notes, and behind bars the interval's two days and reason.
    """
    lines, before = [], ""
    for day, one in judged:
        said = _said(one)
        if said != before:
            lines.append(day.isoformat() + said)
        before = said
    return "\n".join(lines).encode()


def standing_turns(turns: bytes) -> str:
    """Of the lines those with another standing than before: each day as eight digits, and the standing's letter."""
    found, before = [], ""
    for line in turns.decode().split("\n"):
        standing = line[_DAY + 1]
        if standing != before:
            found.append(line[:4] + line[5:7] + line[8:_DAY] + standing)
        before = standing
    return "".join(found)


def said_on(turns: bytes, day: bytes) -> bytes:
    """What the lines say for a day (`2026-11-26`), for `judgement`; there is one for the first of all days."""
    for line in reversed(turns.split(b"\n")):
        if line[:_DAY] <= day:
            return line[_DAY:]
    raise ValueError("no line for the first of all days")


def judgement(said: bytes) -> Judgement:
    """What was judged; of the interval only what an answer tells of it."""
    letters, *interval = said.decode().split("|")
    return Judgement(
        _CODE_OF[letters[0]],
        _STANDING_OF[letters[1]],
        tuple(_NOTE_OF[letter] for letter in letters[2:]),
        _interval(*interval) if interval else None,
    )


def _said(judged: Judgement) -> str:
    letters = _CODES[judged.code] + _STANDINGS[judged.standing] + "".join([_NOTES[note] for note in judged.notes])
    told = judged.interval
    if told is None:
        return letters
    return f"{letters}|{told.since.isoformat()}|{told.until.isoformat() if told.until else ''}|{told.reason or ''}"


def _interval(since: str, until: str, reason: str) -> StatusInterval:
    last = date.fromisoformat(until) if until else None
    return StatusInterval(Status.SUSPENDED, date.fromisoformat(since), last, reason or None, None, "")
