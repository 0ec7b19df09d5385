"""Administrative divisions (GB/T 2260): whose territory lies within whose, and to whom a district answers."""

import re

_CODE = re.compile(r"[1-9][0-9]{5}", re.ASCII)


def is_division(code: str) -> bool:
    """Six digits: two of the province, two of the city or prefecture, two of the district or county."""
    return bool(_CODE.fullmatch(code))


def covers(division: str | None, code: str | None) -> bool:
    """Whether a division is, or contains, another; None is the whole country, and an unknown place lies only in that.

    310000 (Shanghai) covers 310115 (Pudong); 330100 (Hangzhou) covers 330106; 310115 covers itself alone.
    """
    if division is None:
        return True
    if code is None:
        return False
    return code.startswith(_significant(division))


def within(division: str | None) -> str:
    """The digits with which the codes of everything in a division begin; empty for the whole country."""
    return "" if division is None else _significant(division)


def above(code: str) -> str | None:
    """The division to which another answers: a district's city, a city's province; None above a province.

    The middle digits 01 and 02 of the four municipalities (Beijing, Tianjin, Shanghai, Chongqing) name no city: their
    districts answer to the municipality.
    """
    significant = _significant(code)
    if len(significant) == 2:
        return None
    if len(significant) == 4 or significant[:2] in ("11", "12", "31", "50"):
        return significant[:2] + "0000"
    return significant[:4] + "00"


def _significant(code: str) -> str:
    while len(code) > 2 and code.endswith("00"):
        code = code[:-2]
    return code
