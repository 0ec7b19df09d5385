"""Whether an address or QR text is the register's own, an imitation of it, or somebody else's; nothing is fetched.

An imitation is taken for one by what it looks like: the same letters in another alphabet (punycode), a letter changed,
added or left out, our name inside another's host, our path or token on a strange host, our host with another's behind
an `@` or a port. Digits that look like letters count as them.
"""

import re
import unicodedata
from enum import StrEnum
from functools import lru_cache
from urllib.parse import SplitResult, unquote, urlsplit

from services.domain.errors import CertmarkError
from services.domain.identifiers import certificate_number


class Origin(StrEnum):
    OURS = "ours"
    IMPOSTOR = "impostor_host"
    OTHER = "not_ours"


_ADDRESS = re.compile(r"https?:/*", re.IGNORECASE)
_HOST = re.compile(r"[^\s/?#@]+\.[^\s/?#@.]{2,24}(?::[0-9]{1,5})?(?:[/?#]|$)")
_OUR_PATH = re.compile(r"/(?:[cm]/.{4,200}|01/[0-9]{8,14}(?:/21/.{1,80})?)/?", re.DOTALL)
_ALIKE = str.maketrans("0135@", "oisea", "-_")
_CONFUSED = str.maketrans(dict(zip("аеорсухіјѕԁһӏոԛԝɡɑοναρτκιηυ", "aeopcyxijsdhlnqwgaovaptkinu", strict=True)))
"""Cyrillic, Armenian and Greek letters that look Latin."""
_LONGEST = 2048
_TOKEN_DIGITS = 40


def origin(text: str, hosts: tuple[str, ...]) -> Origin:
    """What a text is. `hosts` are our own in lower case, with the port where there is one (the trust list's)."""
    address = _address(text)
    if address is None:
        return Origin.OTHER
    host = _host_of(address)
    if not host:
        return Origin.OTHER
    if address.username is None and address.netloc.lower() in hosts:
        return Origin.OURS if _OUR_PATH.fullmatch(address.path) else Origin.OTHER
    ours = [h.rpartition(":")[0] or h for h in hosts]
    if any(_imitates(host, own) for own in ours):
        return Origin.IMPOSTOR
    if address.username is not None and any(unquote(address.username).lower().startswith(own) for own in ours):
        return Origin.IMPOSTOR  # https://our.host@theirs/
    return Origin.IMPOSTOR if _bears_our_token(address) else Origin.OTHER


def _address(text: str) -> SplitResult | None:
    text = text.strip()[:_LONGEST]
    found = _ADDRESS.match(text)
    rest = text[found.end() :] if found else text.lstrip("/")
    if not found and not _HOST.match(rest):
        return None
    try:
        parts = urlsplit(f"https://{rest}")
        _ = parts.port
    except ValueError:
        return None
    return parts


def _host_of(address: SplitResult) -> str:
    """The host as people read it: punycode decoded, one form of the letters."""
    host = (address.hostname or "").rstrip(".").lower()
    labels = []
    for label in host.split("."):
        if label.startswith("xn--"):
            try:
                label = label[4:].encode("ascii").decode("punycode")
            except (UnicodeError, ValueError):
                pass  # as it stands: nobody can read it as something else
        labels.append(label)
    return unicodedata.normalize("NFKC", ".".join(labels)).replace("。", ".").lower()


@lru_cache(maxsize=4096)
def _skeleton(host: str) -> str:
    """A host without what only looks different."""
    plain = unicodedata.normalize("NFD", host.translate(_CONFUSED))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return plain.replace("rn", "m").replace("vv", "w").translate(_ALIKE).replace("l", "i")


def _imitates(host: str, own: str) -> bool:
    """Whether a host that is not ours looks like ours."""
    if own.replace(".", "").isdigit() or "." not in own:
        return False  # an address of a test machine has nothing that could be imitated
    if host == own:
        return True  # ours at another port, or behind a user's name
    if f".{own}." in f".{host}." and not f".{host}".endswith(f".{own}"):
        return True  # our.host.evil.example
    theirs, mine = _skeleton(host), _skeleton(own)
    if theirs == mine:
        return True
    name, suffix = _split(mine)
    their_name, their_suffix = _split(theirs)
    if their_suffix == suffix and _distance_is_one(their_name, name) and len(name) >= _SHORTEST_NAME:
        return True
    if their_name == name and their_suffix != suffix and len(name) >= _SHORTEST_NAME:
        return True  # the same name under another top level
    return len(name) >= _SHORTEST_NAME and name in their_name and f".{host}".endswith(f".{own}") is False


_SHORTEST_NAME = 6


def _split(host: str) -> tuple[str, str]:
    """(the labels that make the name, the top level)."""
    name, _, suffix = host.rpartition(".")
    return name, suffix


def _distance_is_one(one: str, other: str) -> bool:
    """Whether one letter changed, added, left out or two neighbours exchanged make one text the other."""
    if one == other or abs(len(one) - len(other)) > 1:
        return False
    at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    if one[at + 1 :] == other[at + 1 :] or one[at + 1 :] == other[at:] or one[at:] == other[at + 1 :]:
        return True
    return one[at : at + 2] == other[at : at + 2][::-1] and one[at + 2 :] == other[at + 2 :]


def _bears_our_token(address: SplitResult) -> bool:
    """Whether a strange host shows what only we print: a mark's token, or a number under our path."""
    if not _OUR_PATH.fullmatch(address.path):
        return False
    token = next((part[2:] for part in address.query.split("&") if part.startswith("m=")), "")
    if token.isascii() and token.isdigit() and len(token) >= _TOKEN_DIGITS:
        return True
    if address.path.startswith("/01/"):
        return False  # GS1's own form, and everybody's
    try:
        number = certificate_number(unquote(address.path[3:]))
    except CertmarkError:
        return False
    return sum(c.isdigit() for c in number) >= _SHORTEST_NAME
