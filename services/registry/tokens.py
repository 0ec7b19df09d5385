"""Which mark tokens are due after a change, and their signing."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import NotRequired, TypedDict

from services import base64url
from services.domain.certificate import Certificate, Item, Mark
from services.domain.standing import Standing, mark_standing
from services.events.keys import PrivateKey
from services.marks.token import MarkClaims, MarkPath, last_day_said, short_model, sign_token, valid_days

LIST_SIZE = 2**20
"""Entries of one status list (qr-mark.md)."""

PRINTABLE = (Standing.VALID, Standing.NOT_YET_VALID, Standing.SUSPENDED)
"""An authorization that has ended gets no token."""

KEPT = 300
"""Tokens that a record holds, those that were replaced among them; more only where more are current."""

ROOM = 256 * 1024
"""Bytes of a record's tokens past which no further product gets one: some 900. What has left the scope counts, as its
place in the status lists goes on to be told."""


class TokenRecord(TypedDict):
    """A token as it travels in its certificate's record.

    Of a set of serials (`serials`: its run) the record has the place in the status list alone: each unit has a token
    of its own, which is not published.
    """

    mark_no: str
    gtin: str | None
    model: str | None
    token: str | None
    list: int
    index: int
    serials: NotRequired[str]


@dataclass(frozen=True, slots=True)
class Due:
    """A token to sign; `index` is the place in the status lists of the one that it replaces, None where it is new."""

    mark: Mark
    item: Item | None
    index: int | None


def tokens_due(certificate: Certificate, present: Sequence[TokenRecord], day: date) -> Iterator[Due]:
    """The authorizations (each with each of its products) that may be printed and whose token is missing.

    One whose last day has moved since, by a renewal, a correction or an annulment, is signed anew. What was printed
    before stays valid for what it says, and its place in the status lists is the same.
    """
    current: dict[_Name, TokenRecord] = {}
    for token in present:
        current.setdefault(_name(token), token)  # the newest comes first
    for mark in certificate.marks:
        last = _last_day(certificate, mark)
        due: list[Due] = []
        # A product that is named twice has one token.
        for item in {(item.gtin, item.model): item for item in mark.products}.values() or (None,):
            held = current.get((mark.mark_no, item.gtin if item else None, item.model if item else None, None))
            if held is None or held["token"] is None or _last_day_said(held["token"][:24]) != last:
                due.append(Due(mark, item, held["list"] * LIST_SIZE + held["index"] if held else None))
        # Most events find every token there: the standing is only asked for where one is due.
        if due and mark_standing(certificate, mark, day) in PRINTABLE and (last is None or day <= last):
            yield from due


def with_token(present: Sequence[TokenRecord], new: TokenRecord) -> list[TokenRecord]:
    """The tokens of a record with one more: the current ones in their order, then the replaced ones, the last first.

    Replaced ones are kept, so that a verifier still knows what was printed when a key turns out to be compromised; the
    oldest of them are forgotten beyond `KEPT`.
    """
    current: dict[_Name, TokenRecord] = {}
    earlier = [held for held in present if current.setdefault(_name(held), held) is not held]
    replaced = current.get(_name(new))
    current[_name(new)] = new
    behind = [held for held in (replaced, *earlier) if held is not None and held["token"] != new["token"]]
    return [*current.values(), *behind[: max(0, KEPT - len(current))]]


_Name = tuple[str, str | None, str | None, str | None]


def _name(token: TokenRecord) -> _Name:
    return token["mark_no"], token["gtin"], token["model"], token.get("serials")


def _last_day(certificate: Certificate, mark: Mark) -> date | None:
    """The mark's last day or its certificate's, whichever comes first: also what has not begun yet may have one."""
    ends = [end for end in (mark.valid_until, certificate.valid_until) if end is not None]
    return min(ends) if ends else None


@lru_cache(maxsize=4096)
def _last_day_said(begin: str) -> date | None:
    """Of a token's first eighteen bytes, which end behind its days: what was signed on one day often shares them."""
    return last_day_said(base64url.decoded(begin))


def sign(certificate: Certificate, due: Due, index: int, day: date, key: PrivateKey) -> tuple[TokenRecord, str]:
    """The signed token under its status list index, and the hex SHA-256 that its log entry names.

    Raises:
        TokenTooLong: the numbers are too long for a code.
    """
    mark, item = due.mark, due.item
    claims = MarkClaims(
        issued_on=day,
        valid_days=valid_days(day, _last_day(certificate, mark)),
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
        "token": base64url.encoded(token),
        "list": claims.list_id,
        "index": claims.index,
    }
    return record, hashlib.sha256(token).hexdigest()
