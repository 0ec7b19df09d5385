"""What a cell of a sheet says: numbers that a spreadsheet program has not spoilt, dates in their usual forms, lists."""

import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import TypeAlias

from services.domain.errors import Malformed
from services.domain.identifiers import certificate_number, gtin14, normalised
from services.events.event_types import is_uscc
from services.events.faults import BadCell

Cell: TypeAlias = str | int | float | bool | date | datetime | time | timedelta | None
"""A cell as the file holds it: text alone in CSV, what the cell's format makes of it in XLSX."""

_DIGITS_KEPT = 15
"""Significant digits that a spreadsheet program keeps of a quantity, as the makers of the usual ones say."""

_WRAPPED = re.compile(r'="(?P<text>[^"]*)"|\'(?P<rest>.*)', re.DOTALL)
_SCIENTIFIC = re.compile(r"([0-9])(?:\.([0-9]+))?[eE]\+([0-9]{1,3})", re.ASCII)
_WHOLE_FLOAT = re.compile(r"([0-9]+)\.0+", re.ASCII)
_ERROR = re.compile(r"#(N/A|REF!|VALUE!|NAME\?|DIV/0!|NULL!|NUM!)")


def is_empty(cell: Cell) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip(SPACES))


SPACES = " \t\r\n\u00a0\u3000\u200b\ufeff"


FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a text in a cell may not begin with: spreadsheet programs would run it as a formula."""


def safe_text(text: str) -> str:
    """A text that no spreadsheet program takes for a formula.

    An apostrophe goes before what begins like one, and before what begins with an apostrophe itself; so a reader
    gets the text back by taking one leading apostrophe away, as an import does.
    """
    return f"'{text}" if text.startswith((*FORMULA, "'")) else text


def shown(cell: Cell) -> str:
    """A cell as it is shown in a complaint and written to a fix file: nothing is lost but a date's midnight."""
    if cell is None:
        return ""
    if isinstance(cell, datetime) and cell.time() == time():
        return cell.date().isoformat()
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, float):
        return repr(int(cell)) if cell.is_integer() and abs(cell) < 10**_DIGITS_KEPT else repr(cell)
    return str(cell)


def text(cell: Cell) -> str:
    """One line of text, NFC, without spaces at its ends; line breaks and tabs inside become a space.

    Raises:
        BadCell: a date, an error or a truth value, which nobody wrote there.
    """
    return " ".join(_words(cell).split())


def _words(cell: Cell) -> str:
    if isinstance(cell, bool):
        raise BadCell("cell-error")
    if isinstance(cell, int | float):
        return _digits(cell)
    if isinstance(cell, date | time | timedelta):
        raise BadCell("turned-into-date", shown(cell))
    found = unicodedata.normalize("NFC", cell or "").strip(SPACES)
    if _ERROR.fullmatch(found):
        raise BadCell("cell-error", found)
    return found


def _digits(cell: float) -> str:
    """A quantity as the text that it was before the spreadsheet program took it for one."""
    whole = int(cell)
    if whole != cell:
        return repr(cell)
    if abs(whole) >= 10**_DIGITS_KEPT:
        raise BadCell("digits-lost", str(whole))
    return str(whole)


FULL_WIDTH = {0xFF01 + place: 0x21 + place for place in range(94)} | {0x3000: 0x20}
"""Full-width forms of ASCII alone: NFKC would also turn the ㎡ and ½ of a model into something else."""


def code(cell: Cell) -> str:
    """A code or number as text: full-width made plain, ="…" and a leading ' taken off, digits known to be whole.

    Raises:
        BadCell: digits were lost, or there is no text.
    """
    found = _words(cell).translate(FULL_WIDTH)
    if wrapped := _WRAPPED.fullmatch(found):
        found = (wrapped["text"] if wrapped["text"] is not None else wrapped["rest"]).strip(SPACES)
    if scientific := _SCIENTIFIC.fullmatch(found):
        first, rest, exponent = scientific[1], scientific[2] or "", int(scientific[3])
        if len(rest) != exponent or exponent >= _DIGITS_KEPT:
            raise BadCell("digits-lost", found)
        return first + rest
    if whole := _WHOLE_FLOAT.fullmatch(found):
        if len(whole[1]) > _DIGITS_KEPT:
            raise BadCell("digits-lost", found)
        return whole[1]
    return " ".join(found.split())


def class_code(cell: Cell) -> str:
    """A catalogue code, whose leading zero a numeric cell would have lost."""
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        raise BadCell("zero-lost", _digits(cell))
    return normalised(code(cell))


def number(cell: Cell) -> str:
    """A certificate's or mark's number in the register's canonical form."""
    if isinstance(cell, float) and not cell.is_integer():
        raise BadCell("malformed-number")
    found = code(cell)
    try:
        return certificate_number(found)
    except Malformed:
        raise BadCell("malformed-number") from None


def credit_code(cell: Cell) -> str:
    found = normalised(code(cell))
    if not is_uscc(found):
        raise BadCell("bad-credit-code")
    return found


def gtin(found: str) -> str:
    """One GTIN as 14 digits, its check digit checked."""
    try:
        return gtin14(found)
    except Malformed:
        raise BadCell("bad-gtin", found) from None


def count(cell: Cell) -> int:
    found = code(cell).replace(",", "")
    if not (found.isascii() and found.isdigit() and len(found) <= _DIGITS_KEPT):
        raise BadCell("bad-count")
    return int(found)


_MEASURE = re.compile(r"[0-9]{1,15}(\.[0-9]{1,6})?", re.ASCII)


def measure(cell: Cell) -> float:
    """A quantity: whole where it is written so."""
    found = code(cell).replace(",", "")
    if not _MEASURE.fullmatch(found):
        raise BadCell("bad-measure")
    return float(found) if "." in found else int(found)


# --- lists ---------------------------------------------------------------------------------------------------

_ITEMS = re.compile(r"[;；、,，\n]")
_LINES = re.compile(r"[;；\n]")


def items(cell: Cell) -> list[str]:
    """The items of a list of codes: full-width made plain only after it was taken apart."""
    return _parts(cell, _ITEMS, code)


def texts(cell: Cell) -> list[str]:
    """The items of a list of texts such as standards and names."""
    return _parts(cell, _ITEMS, text)


def lines(cell: Cell) -> list[str]:
    """The items of a list whose items may hold commas, such as addresses."""
    return _parts(cell, _LINES, text)


def _parts(cell: Cell, between: re.Pattern[str], read: Callable[[Cell], str]) -> list[str]:
    if not isinstance(cell, str):
        return [read(cell)] if cell is not None else []
    return [read(part) for part in between.split(cell) if part.strip(SPACES)]


# --- dates ---------------------------------------------------------------------------------------------------

_DATE = re.compile(
    r"(?P<year>[0-9]{4})(?:(?P<by>[-/.])(?P<month>[0-9]{1,2})(?P=by)(?P<day>[0-9]{1,2})"
    r"|年(?P<month2>[0-9]{1,2})月(?P<day2>[0-9]{1,2})日)"
    r"(?:[ T][0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)?",
    re.ASCII,
)
_COMPACT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:\.0+)?", re.ASCII)
_UNCLEAR = re.compile(r"[0-9]{1,2}[-/.][0-9]{1,2}[-/.]([0-9]{2}|[0-9]{4})|[2-7][0-9]{4}(\.0+)?", re.ASCII)
"""Day and month in either order, two digits of a year, or a spreadsheet's serial number of a day from 1954 to 2118."""


def day(cell: Cell) -> date:
    """A civil date; a time of day behind it is passed over.

    Raises:
        BadCell: unclear-date where it could be read in two ways, bad-date where in none.
    """
    if isinstance(cell, datetime):
        return _within(cell.date())
    if isinstance(cell, date):
        return _within(cell)
    found = code(cell)
    if match := _DATE.fullmatch(found):
        return _day(match["year"], match["month"] or match["month2"], match["day"] or match["day2"])
    if match := _COMPACT.fullmatch(found):
        return _day(match[1], match[2], match[3])
    raise BadCell("unclear-date" if _UNCLEAR.fullmatch(found) else "bad-date")


def _day(year: str, month: str, of_month: str) -> date:
    try:
        return _within(date(int(year), int(month), int(of_month)))
    except ValueError:
        raise BadCell("bad-date") from None


def _within(found: date) -> date:
    """The published schemas take the years 1900 to 2199; a spreadsheet's day 0 lies before them."""
    if not 1900 <= found.year < 2200:
        raise BadCell("bad-date")
    return found
