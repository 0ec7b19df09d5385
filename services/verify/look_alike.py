"""Whether a web address's host is one of ours, or means to be taken for one of ours."""

import unicodedata
from urllib.parse import SplitResult

_DEFAULT_PORT = {"http": 80, "https": 443}

SAME_SHAPE = str.maketrans(
    "асԁеһіјԛорѕԝхуνοικρτυαгɡıǀi01|$5",
    "acdehljqopswxyvolkptuarglllollss",
)
"""Letters of other alphabets, and digits, that print as a Latin letter does: Cyrillic, Greek, others."""

SAME_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"))


def host_of(address: SplitResult) -> str:
    """The host with its port as settings name it: lower case, no final dot, no port that the scheme implies."""
    try:
        host, port = address.hostname or "", address.port
    except ValueError:
        return ""
    if "@" in address.netloc:
        return address.netloc.lower()  # whatever stands before the @ is there to mislead: no host of ours
    host = host.removesuffix(".")
    return host if port in (None, _DEFAULT_PORT.get(address.scheme.lower())) else f"{host}:{port}"


def looks_like_ours(address: SplitResult, hosts: tuple[str, ...]) -> bool:
    """Of an address on another host: is one of our hosts in it, or one letter away from it, or does it print alike?"""
    told = address.netloc.lower()
    host = _skeleton(told.rpartition("@")[2].partition(":")[0].rstrip("."))
    for ours in hosts:
        name = ours.partition(":")[0]
        if "." not in name.strip("[]0123456789."):
            continue  # an address in digits, or a machine's own name, is nobody's look-alike
        if name in told or name in address.path.lower() or _near(host, _skeleton(name)):
            return True
    return False


def _skeleton(host: str) -> str:
    """A host as the eye takes it."""
    labels = (_plain(label) for label in host.split("."))
    shape = unicodedata.normalize("NFKD", ".".join(labels)).lower().translate(SAME_SHAPE)
    shape = "".join(c for c in shape if not unicodedata.combining(c) and unicodedata.category(c) != "Cf")
    for pair, letter in SAME_PAIRS:
        shape = shape.replace(pair, letter)
    return shape


def _plain(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return label


def _near(one: str, other: str) -> bool:
    """The same, or one letter changed, added, left out, or two neighbours exchanged."""
    if one == other:
        return True
    if abs(len(one) - len(other)) > 1:
        return False
    at = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    left, right = one[at:], other[at:]
    return (
        left[1:] == right[1:]
        or left[1:] == right
        or left == right[1:]
        or (left[:2] == right[1::-1] and left[2:] == right[2:])
    )
