"""Base64url without padding (RFC 4648 §5), in its one spelling: the form of keys, signatures and tokens in JSON."""

import pybase64

_PADDING = (b"", b"", b"==", b"=")
_LAST_LETTERS = (b"", b"", b"AQgw", b"AEIMQUYcgkosw048")
"""By the letters of the last group: those whose bits beyond the last byte are zero."""


def encoded(data: bytes) -> str:
    return pybase64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decoded(text: bytes | str) -> bytes:
    """The bytes that a text stands for.

    Raises:
        ValueError: it has padding, letters of another alphabet, or loose bits (§3.5): it is not what `encoded` writes.
    """
    part = text.encode("ascii") if isinstance(text, str) else text
    over = len(part) % 4
    if b"+" in part or b"/" in part or b"=" in part or (over and part[-1:] not in _LAST_LETTERS[over]):
        raise ValueError("not base64url without padding")
    return pybase64.b64decode(part + _PADDING[over], b"-_", validate=True)
