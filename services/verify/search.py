"""Certificates found by a name, credit code or bar code: a list to choose from, never an answer about them together."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from services import base64url
from services.domain.errors import BadRequest
from services.domain.identifiers import civil_day, gtin14, instant_text, normalised
from services.domain.scheme import Coverage, Words
from services.verify.answer import body_on, coverage_of_all, judge, noticed, with_grace
from services.verify.as_json import head_of, head_on, is_overdue, may_be_noticed, shown_certificate
from services.verify.name_index import FEWEST, HOLDER, MOST_NAMES, PRODUCT, folded
from services.verify.recognise import USCC
from services.verify.register import Directory, Register
from services.verify.wording import Note

PAGE = 20
"""Certificates in one answer (contract: HTTP)."""

FURTHEST = 1000
"""Certificates that one can leaf through; whoever wants all of a holder's has the open data."""


class By(StrEnum):
    HOLDER = HOLDER
    PRODUCT = PRODUCT
    USCC = "uscc"
    GTIN = "gtin"


class Match(StrEnum):
    """How a name answers to what was asked, the better first."""

    EXACT = "exact"
    BEGINS = "begins"
    CONTAINS = "contains"


@dataclass(frozen=True, slots=True)
class Hit:
    """One certificate: the head of its answer today, and what it is and whose."""

    number: str
    found_in: By
    match: Match
    head: dict[str, Any]
    scheme: str
    body: str | None
    body_name: str | None
    holder: str
    product: str
    is_scope: bool
    """`product` is the scope of a service or system, of which the certificate says nothing but that."""


@dataclass(frozen=True, slots=True)
class Hits:
    """A page of what was found. `more` says that there is more than can be leafed through: ask for more of the name."""

    asked: str
    checked_at: datetime
    as_of: datetime
    seq: int
    items: list[Hit]
    next: str | None = None
    more: bool = False
    coverage: tuple[tuple[Words, Coverage], ...] = field(default=())


class NotLookedFor(BadRequest):
    slug = "not-looked-for"
    title = "What is to be searched for is too short, or not of the form that was named"
    zh = "检索内容过短，或不是所指的形式"


def search(
    register: Register, text: str, by: By | None, after: str | None, now: datetime, stale_after: timedelta
) -> Hits | None:
    """At most twenty certificates; None where this node cannot say at present.

    The order: names that are what was asked, that begin with it, that contain it; among each of these certificates
    in force today as declared come first, and among them those that stay so the longest.

    Raises:
        NotLookedFor: fewer than two letters, digits or characters; no credit code, no GTIN; a cursor of nobody's.
        read_model.Unreadable: there is no usable file.
    """
    offset = _offset(after)
    meta = register.meta()
    as_of = meta.fresh(now, stale_after)
    if as_of is None:
        return None
    day = civil_day(now)
    numbers, more = _ordered(register, text, by, day, offset + PAGE + 1)
    directory = register.directory(meta)
    here = numbers[offset : offset + PAGE]
    following = offset + PAGE if len(numbers) > offset + PAGE else None
    if following is not None and following >= FURTHEST:
        following, more = None, True
    return Hits(
        asked=text,
        checked_at=now,
        as_of=as_of,
        seq=meta.seq,
        items=[_hit(register, number, found_in, match, directory, day) for number, found_in, match in here],
        next=_cursor(following) if following is not None else None,
        more=more and following is None,
        coverage=coverage_of_all(directory, day) if not numbers else (),
    )


def _ordered(
    register: Register, text: str, by: By | None, day: date, wanted: int
) -> tuple[list[tuple[str, By, Match]], bool]:
    """The first certificates in the order of the answer, and whether names were left out."""
    if by is By.USCC or by is By.GTIN:
        number = _number(text, by)
        bearing = register.model.certificates_with(by.value, number, wanted)
        return [(one, by, Match.EXACT) for one in bearing], False
    name = folded(text)
    if len(name) < FEWEST:
        raise NotLookedFor(f"{FEWEST} letters, digits or characters at least", pointer="/q")
    kinds = (By.HOLDER, By.PRODUCT) if by is None else (by,)
    found: dict[str, tuple[By, Match]] = {}
    more = False
    for match, like in _names(register, name, kinds):
        more = more or any(left_out for _, left_out in like.values())
        for in_force in (True, False):
            for kind in kinds:
                for known in like[kind][0]:
                    for one in register.model.certificates_named(known, day.toordinal(), wanted, in_force=in_force):
                        found.setdefault(one, (kind, match))
                    if len(found) >= wanted:
                        return _numbered(found, wanted), more
    return _numbered(found, wanted), more


def _names(
    register: Register, text: str, kinds: tuple[By, ...]
) -> Iterator[tuple[Match, dict[By, tuple[list[int], bool]]]]:
    """For each kind of match the names of each kind, and whether some were left out. The better match comes first.

    What contains the text is looked for last, and only when it is asked for: that costs most.
    """
    within = {kind: register.model.names_that_begin(kind.value, text) for kind in kinds}
    yield Match.EXACT, {kind: (exact, False) for kind, (exact, _, _) in within.items()}
    yield Match.BEGINS, {kind: (beginning, more) for kind, (_, beginning, more) in within.items()}
    like = {}
    for kind, (exact, beginning, _) in within.items():
        known = {*exact, *beginning}
        others = [name for name in register.model.names_that_contain(kind.value, text) if name not in known]
        like[kind] = others[:MOST_NAMES], len(others) > MOST_NAMES
    yield Match.CONTAINS, like


def _numbered(found: dict[str, tuple[By, Match]], wanted: int) -> list[tuple[str, By, Match]]:
    return [(number, kind, match) for number, (kind, match) in list(found.items())[:wanted]]


def _number(text: str, by: By) -> str:
    if by is By.GTIN:
        return gtin14(text)
    number = normalised(text[:200])
    if not USCC.fullmatch(number):
        raise NotLookedFor("not a unified social credit code", pointer="/q")
    return number


def _hit(register: Register, number: str, found_in: By, match: Match, directory: Directory, day: date) -> Hit:
    stored = register.model.quick(number)
    as_stored = stored is not None and not may_be_noticed(number, stored[1], directory.notices)
    if (
        stored is not None
        and as_stored
        and not (directory.has_grace_on(day) and is_overdue(stored[0], day.isoformat().encode()))
    ):
        head = head_on(stored[0], day)
        certificate = json.loads(stored[1].partition(b"\n")[2])
    else:  # it falls with another, a notice may concern it, or whether a note is due is the scheme's to say
        found = register.certificate(number)
        assert found is not None
        rules = directory.scheme_on(found.certificate.scheme, day)
        judged = with_grace(judge(found, day, None, by_number=True), found.certificate, rules, day)
        judged, recalls = noticed(judged, found.certificate, None, directory, day)
        head = head_of(judged, recalls[0].state if recalls else None)
        certificate = shown_certificate(found)
    body, status = body_on(directory, certificate["body"], day)
    if status == "disqualified":
        head["notes"] = [*head["notes"], Note.BODY_DISQUALIFIED]
    product = certificate["product"]
    return Hit(
        number=number,
        found_in=found_in,
        match=match,
        head=head,
        scheme=certificate["scheme"],
        body=certificate["body"],
        body_name=body["name"] if body else None,
        holder=certificate["holder"]["name"],
        product=product["name"] if product else certificate["service_scope"] or "",
        is_scope=product is None,
    )


def hits_json(hits: Hits) -> dict[str, Any]:
    """`{items, next, more, coverage, as_of, seq, checked_at}`; `coverage` is told where nothing was found."""
    return {
        "items": [
            {
                **hit.head,
                "certificate_no": hit.number,
                "scheme": hit.scheme,
                "body": hit.body,
                "holder": hit.holder,
                "product": hit.product,
                "found_in": hit.found_in,
                "match": hit.match,
            }
            for hit in hits.items
        ],
        "next": hits.next,
        "more": hits.more,
        "coverage": [{"scheme": name, **coverage} for name, coverage in hits.coverage],
        "as_of": instant_text(hits.as_of),
        "seq": hits.seq,
        "checked_at": instant_text(hits.checked_at),
    }


def _cursor(offset: int) -> str:
    return base64url.encoded(b"s%d" % offset)


def _offset(cursor: str | None) -> int:
    if not cursor:
        return 0
    try:
        said = base64url.decoded(cursor[:20])
        offset = int(said[1:]) if said[:1] == b"s" and said[1:].isdigit() else -1
    except ValueError:
        offset = -1
    if not 0 < offset < FURTHEST:
        raise NotLookedFor("not a cursor of this list", pointer="/after", hint="take `next` as it was given")
    return offset
