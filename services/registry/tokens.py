"""Which mark tokens are due after a change, and their signing."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypedDict

from services.domain.certificate import Certificate, Item, Mark
from services.domain.standing import Standing, mark_standing
from services.events.keys import PrivateKey, b64u
from services.marks.token import MarkClaims, MarkPath, short_model, sign_token, valid_days

LIST_SIZE = 2**20
"""Entries of one status list (qr-mark.md)."""

PRINTABLE = (Standing.VALID, Standing.NOT_YET_VALID, Standing.SUSPENDED)
"""An authorization that has ended gets no token."""


class TokenRecord(TypedDict):
    """A token as it travels in its certificate's record."""

    mark_no: str
    gtin: str | None
    model: str | None
    token: str
    list: int
    index: int


@dataclass(frozen=True, slots=True)
class Due:
    mark: Mark
    item: Item | None


def tokens_due(certificate: Certificate, present: Sequence[TokenRecord], day: date) -> Iterator[Due]:
    """The authorizations (each with each of its products) that may be printed and have no token yet."""
    held = {(t["mark_no"], t["gtin"], t["model"]) for t in present}
    for mark in certificate.marks:
        missing = [
            item
            for item in mark.products or (None,)
            if (mark.mark_no, item and item.gtin, item and item.model) not in held
        ]
        # Most events find every token there: the standing is only asked for where one is missing.
        if missing and mark_standing(certificate, mark, day) in PRINTABLE and not _is_over(certificate, mark, day):
            for item in missing:
                yield Due(mark, item)


def _is_over(certificate: Certificate, mark: Mark, day: date) -> bool:
    """Whether a last day is past, which also what has not begun yet may say of itself."""
    return any(end is not None and end < day for end in (mark.valid_until, certificate.valid_until))


def sign(certificate: Certificate, due: Due, index: int, day: date, key: PrivateKey) -> tuple[TokenRecord, str]:
    """The signed token under its status list index, and the hex SHA-256 that its log entry names.

    Raises:
        TokenTooLong: the numbers are too long for a code.
    """
    mark, item = due.mark, due.item
    ends = [end for end in (mark.valid_until, certificate.valid_until) if end is not None]
    claims = MarkClaims(
        issued_on=day,
        valid_days=valid_days(day, min(ends) if ends else None),
        mark_no=mark.mark_no,
        certificate_no=certificate.certificate_no,
        list_id=index // LIST_SIZE,
        index=index % LIST_SIZE,
        model=short_model(item.model) if item else "",
    )
    path = MarkPath.of_product(item.gtin) if item and item.gtin else MarkPath.of_certificate(certificate.certificate_no)
    token = sign_token(claims, path, key)
    record: TokenRecord = {
        "mark_no": mark.mark_no,
        "gtin": item.gtin if item else None,
        "model": item.model if item else None,
        "token": b64u(token),
        "list": claims.list_id,
        "index": claims.index,
    }
    return record, hashlib.sha256(token).hexdigest()
