"""A batch of listings checked as one set: what they may ask is loaded in a few look-ups, then each is judged alone."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol

import orjson

from services.domain.errors import CertmarkError
from services.domain.identifiers import certificate_number, normalised
from services.domain.listing import Finding, Listing, Sighting, check, number_in_address, unit_code, unreadable
from services.domain.listing_standing import Verdict
from services.domain.listing_words import is_licence, is_stated, name_form, numbers_in_field, numbers_in_text
from services.domain.registered import Registered
from services.listings.columns import KEYS, listing_of
from services.listings.shelf import Batch, Rulebook


@dataclass(frozen=True, slots=True)
class Held:
    """What a register has of what a batch asks: see `shelf.Batch`."""

    certificates: Mapping[str, Registered]
    marks: Mapping[str, str]
    parties: Mapping[str, Sequence[Registered]]


class Source(Protocol):
    """A register as of a day and a position."""

    @property
    def day(self) -> date: ...
    @property
    def hosts(self) -> tuple[str, ...]: ...
    def rulebook(self) -> Rulebook: ...
    def held(self, numbers: Collection[str], parties: Collection[str]) -> Held:
        """Of certificates and marks with these numbers, and of these parties (credit codes and `name_form` names)."""

    def look_ups(self, codes: Collection[str]) -> Mapping[str, Sighting]:
        """Of units' codes, how often they were looked up; none where this register counts no look-ups."""


def findings_on(
    listings: Sequence[Listing | None], source: Source, sightings: Mapping[str, Sighting], first: int = 0
) -> list[Finding]:
    """A finding for each listing, in order; None stands for a row that could not be read."""
    numbers, parties = asked(listings, source.hosts)
    held = source.held(numbers, parties)
    codes = {code for one in listings if one is not None and (code := unit_code(one))}
    told = source.look_ups(codes) if codes else {}
    seen = {**told, **{code: _together(one, told.get(code)) for code, one in sightings.items()}}
    batch = Batch(source.day, source.hosts, source.rulebook(), held.certificates, held.marks, held.parties, seen)
    return [
        check(one, batch) if one is not None else unreadable(str(first + at + 1), batch)
        for at, one in enumerate(listings)
    ]


def _together(shown: Sighting, looked_up: Sighting | None) -> Sighting:
    return Sighting(shown.other_shops, looked_up.look_ups, looked_up.rule) if looked_up else shown


def asked(listings: Iterable[Listing | None], hosts: tuple[str, ...]) -> tuple[set[str], set[str]]:
    """(numbers, parties) that the check of these listings may ask for."""
    numbers: set[str] = set()
    parties: set[str] = set()
    for one in listings:
        if one is None:
            continue
        claimed = numbers_in_field(one.certificate_no) if one.certificate_no else ()
        for number in claimed:
            numbers.add(number)
            if not number.isalnum():
                numbers.add(number.replace("-", "").replace("/", "").replace(".", ""))
        if claimed and not any(is_licence(number) for number in claimed):
            continue
        for text in one.texts:
            number_of_code = number_in_address(text, hosts)
            if number_of_code:
                numbers.add(number_of_code)
        words = f"{one.title or ''} {one.text or ''} {one.printed}"
        if any(c.isdigit() for c in words):
            numbers.update(number for number, _ in numbers_in_text(words))
        parties.update(normalised(code) for code in (one.maker_uscc, one.seller_uscc) if code)
        parties.update(name_form(name) for name in (one.maker, one.seller) if name and is_stated(name))
    return numbers, parties


def canonical(numbers: Iterable[str]) -> list[str]:
    """Those that can be numbers of the register at all."""
    found = []
    for number in numbers:
        try:
            if certificate_number(number) == number:
                found.append(number)
        except CertmarkError:
            continue
    return found


# --- packed rows in, findings as JSON lines out -----------------------------------------------------------


def unpacked(packed: bytes, first: int) -> list[Listing | None]:
    """The listings of a frame's rows."""
    width = len(KEYS)
    listings: list[Listing | None] = []
    for at, row in enumerate(orjson.loads(packed), first + 1):
        if row is None:
            listings.append(None)
        elif len(row) == width:
            listings.append(listing_of(row, at))
        else:
            listing = listing_of(row[:width], at)
            texts, read, *printed = row[width:]
            listings.append(listing._replace(texts=tuple(texts), pictures_read=read, printed="".join(printed)))
    return listings


def finding_json(finding: Finding) -> dict[str, Any]:
    """A finding as the contract has it."""
    return {
        "row": finding.row,
        "verdict": finding.verdict,
        "rules": finding.rules,
        "code": finding.code,
        "confidence": finding.confidence,
        "claimed": finding.claimed,
        "registered": finding.registered,
        "captured": finding.captured,
        "now": finding.now,
        "note": finding.note,
    }


@dataclass(slots=True)
class Matter:
    """What is kept of a finding that is not ok, for those who sort and decide: its place, and what it is about."""

    place: int
    verdict: str
    rules: list[str]
    certificate_no: str | None
    seller: str | None
    listing_url: str | None
    image: str | None


@dataclass(slots=True)
class Checked:
    """A frame of findings: JSON lines, counts by verdict and rule, the matters, the (certificate, seq) relied on."""

    first: int
    rows: int
    lines: bytes
    verdicts: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    matters: list[Matter] = field(default_factory=list)
    relied: set[tuple[str, int]] = field(default_factory=set)


def checked_frame(packed: bytes, first: int, source: Source, sightings: Mapping[str, Sighting]) -> Checked:
    """The findings on a frame's rows."""
    listings = unpacked(packed, first)
    findings = findings_on(listings, source, sightings, first)
    lines = []
    done = Checked(first, len(findings), b"")
    for at, (listing, finding) in enumerate(zip(listings, findings, strict=True)):
        lines.append(orjson.dumps(finding_json(finding)))
        done.verdicts[finding.verdict.value] += 1
        if finding.registered is not None and finding.seq is not None:
            done.relied.add((str(finding.registered["certificate_no"]), finding.seq))
        if finding.verdict is not Verdict.OK:
            done.rules.update(finding.rules)
            done.matters.append(_matter(first + at, listing, finding))
    done.lines = b"\n".join(lines) + b"\n"
    return done


def _matter(place: int, listing: Listing | None, finding: Finding) -> Matter:
    return Matter(
        place,
        finding.verdict.value,
        list(finding.rules),
        str(finding.registered["certificate_no"]) if finding.registered else finding.claimed.get("certificate_no"),
        listing.seller if listing else None,
        listing.listing_url if listing else None,
        listing.image if listing else None,
    )
