"""Numbers and days: the one form of each under which the register knows it."""

import re
import unicodedata
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache

from services.domain.errors import Malformed

CHINA = timezone(timedelta(hours=8), "UTC+8")
"""Civil dates of the register are dates at UTC+8 (contract: Words)."""

_ALIKE = str.maketrans(dict.fromkeys("‐‑‒–—―−﹣－", "-") | {"〔": "(", "〕": ")", "【": "(", "】": ")", "∕": "/"})
_HAS_ALIKE = re.compile(f"[{''.join(map(chr, _ALIKE))}]")
_NUMBER = re.compile(r"[A-Z0-9\u4e00-\u9fff][A-Z0-9\u4e00-\u9fff./():+#*_-]{2,62}[A-Z0-9\u4e00-\u9fff)]")
_DIGITS = re.compile(r"[0-9]+")


class MalformedNumber(Malformed):
    slug = "malformed-number"
    title = "Not a number of a form that the register knows"
    zh = "编号不是登记册已知的任何形式"


def certificate_number(text: str) -> str:
    """The canonical form of a certificate, declaration or mark number.

    NFKC, upper case, no spaces, plain dashes and brackets.

    Raises:
        MalformedNumber: shorter than 4 or longer than 64 characters, no digit, or other characters.
    """
    number = normalised(text)
    if not _NUMBER.fullmatch(number) or not _DIGITS.search(number):
        raise MalformedNumber(
            "a number has 4 to 64 letters and digits, at least one digit, and . / ( ) : - between them"
        )
    return number


def normalised(text: str) -> str:
    """NFKC, upper case, without spaces and invisible characters, look-alike dashes and brackets made plain."""
    if text.isascii():
        return "".join(text.split()).upper()
    if _HAS_ALIKE.search(text):  # to look is thirty times cheaper than to translate, and most texts have none
        text = text.translate(_ALIKE)
    folded = unicodedata.normalize("NFKC", text)
    if _HAS_ALIKE.search(folded):
        folded = folded.translate(_ALIKE)
    folded = "".join(folded.upper().split())
    if folded.isprintable():
        return folded  # nothing invisible is printable: most texts end here
    return "".join(c for c in folded if unicodedata.category(c) != "Cf")


def gtin14(text: str) -> str:
    """A GTIN-8, -12, -13 or -14 as 14 digits (GB 12904; GS1 General Specifications 7.9).

    Raises:
        MalformedNumber: another length, another character, or a wrong check digit.
    """
    digits = normalised(text)
    if len(digits) not in (8, 12, 13, 14) or not _DIGITS.fullmatch(digits):
        raise MalformedNumber("a GTIN has 8, 12, 13 or 14 digits")
    digits = digits.zfill(14)
    if sum(int(d) * (3 if i % 2 == 0 else 1) for i, d in enumerate(digits)) % 10:
        raise MalformedNumber("the GTIN's check digit is wrong")
    return digits


@lru_cache(maxsize=1024)
def civil_day(instant: datetime) -> date:
    """The civil date at UTC+8 of an instant. Kept, as all that was appended together came at the same one."""
    return instant.astimezone(CHINA).date()


def add_months(day: date, months: int) -> date:
    """The same day of the month, n calendar months on; the last day of a shorter month."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def instant_text(instant: datetime) -> str:
    """RFC 3339 in UTC with milliseconds: the one form of `received_at` and `recorded_at`."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant_of(text: str) -> datetime:
    """The instant of an RFC 3339 text that a schema or this module made."""
    return datetime.fromisoformat(text)
