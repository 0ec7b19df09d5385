"""The codes of single units: what form they have, by which rule, and under what hash they are kept."""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from services.domain.errors import SchemeRule
from services.domain.scheme import SchemeRules

SALT_BYTES = 16
HASH_BYTES = 8


class Form(StrEnum):
    """What a set is made of: codes that people type (有机码), or serials below a GTIN, each in a signed address."""

    CODE = "code"
    SERIAL = "serial"


_CODE = re.compile(r"[0-9A-Z](?:[0-9A-Z-]{6,38})[0-9A-Z]", re.ASCII)
"""As a typed number comes out of `identifiers.certificate_number`, so that every code can be found again."""

_SERIAL = re.compile(r"[!\"'()*+,\-.0-9:;=A-Z_a-z]{1,20}", re.ASCII)
"""GS1's character set for AI 21 without `% & / < > ?`, which GB/T 33993 excludes."""

VOIDED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "V01": ("标签遗失或被盗", "label lost or stolen"),
        "V02": ("印制有误或作废", "misprinted or spoilt"),
        "V03": ("标志码已被复制", "the code has been copied"),
        "V04": ("商品已销毁或召回", "the item was destroyed or recalled"),
        "V05": ("其他", "other"),
    }
)
"""Why one unit's code counts no more: the closed list of `mark.code_voided`."""


def has_form(code: str, form: Form, pattern: str | None) -> bool:
    """Whether a code can be one of a set: ASCII throughout, digits of other scripts are none."""
    general = (_SERIAL if form is Form.SERIAL else _CODE).fullmatch(code) is not None
    return general and (pattern is None or re.fullmatch(pattern, code, re.ASCII) is not None)


def pattern_by_rule(rules: SchemeRules, rule_version: str, day: date) -> str | None:
    """The pattern of the codes that are issued on a day by a rule; None where the scheme prescribes none.

    Two rules may hold on the same day: the old one until its last, the new one from its first.

    Raises:
        SchemeRule: no rule of this name holds on that day.
    """
    unit_codes = rules["unit_codes"]
    if unit_codes is None:
        return None
    since, text = unit_codes.get("since"), day.isoformat()
    present = unit_codes.get("rule")
    if present in (None, rule_version) and (since is None or since <= text):
        return unit_codes["pattern"]
    earlier = unit_codes.get("earlier") or []
    for rule in earlier:
        if rule["rule"] == rule_version and text <= rule["until"]:
            return rule["pattern"]
    held = [rule["rule"] for rule in earlier if text <= rule["until"]]
    held += [str(present)] if present and (since is None or since <= text) else []
    raise SchemeRule(
        f"no codes are issued on {day} by rule {rule_version!r}",
        pointer="/data/rule_version",
        hint=f"on that day: {', '.join(held) or 'none'}",
    )


def looks_like_one(text: str, rules: SchemeRules) -> bool:
    """Whether a number has the form of a unit code of the scheme, by any of its rules."""
    unit_codes = rules["unit_codes"]
    if unit_codes is None:
        return False
    patterns = [unit_codes["pattern"], *(rule["pattern"] for rule in unit_codes.get("earlier") or [])]
    return any(re.fullmatch(pattern, text, re.ASCII) for pattern in patterns)


def set_digest(codes: Sequence[str]) -> str:
    """Hex SHA-256 of a set: its codes in ascending order, joined by line feeds."""
    return hashlib.sha256("\n".join(codes).encode("ascii")).hexdigest()


def hashed(code: str) -> bytes:
    """What of a typed code is hashed."""
    return f"code:{code}".encode("ascii", "replace")


def hashed_serial(gtin: str, serial: str) -> bytes:
    """What of a serial is hashed: its product's GTIN with it, so that neither is mistaken for a typed code."""
    return b"serial:" + printed_serial(gtin, serial)


def printed_serial(gtin: str, serial: str) -> bytes:
    """A serial as it is printed, and as its token is signed for it: GS1's element string without brackets."""
    return f"01{gtin}21{serial}".encode("ascii", "replace")


def unit_hash(salt: bytes, what: bytes) -> int:
    """The salted hash that is kept instead of a code: the first 8 bytes of HMAC-SHA-256, as a signed integer.

    Signed, as both databases keep integers of 64 bits so.
    """
    return int.from_bytes(hmac.digest(salt, what, "sha256")[:HASH_BYTES], "big", signed=True)


def public_hash(mark_no: str, printed: bytes) -> bytes:
    """By what a status list names one voided serial: the first 8 bytes of SHA-256 over its mark and what is printed.

    There is no salt, so a scanner makes it of the code alone. The mark is in it, so that no source can name the unit
    of another's mark. `printed` is what the token is signed for (`01<GTIN-14>21<serial>`); nothing stands for all units
    of the mark: of them some are voided that the list does not name.
    """
    return hashlib.sha256(f"certmark-voided\n{mark_no}\n".encode() + printed).digest()[:HASH_BYTES]


def hash_text(value: int) -> str:
    """The hash as events name it: 16 hexadecimal digits."""
    return value.to_bytes(HASH_BYTES, "big", signed=True).hex()


def hash_of_text(text: str) -> int:
    """The other way round."""
    return int.from_bytes(bytes.fromhex(text), "big", signed=True)
