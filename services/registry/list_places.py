"""Keeps what the status lists say in step with the records and the day, a page at a time."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import cast

from services.domain.certificate import Certificate, CertificateState, Voided, from_state
from services.domain.place import Place, next_turn, place_standing
from services.marks.status_list import STATUS_OF, Status, empty_array, put_status
from services.postgres import Cursor
from services.registry import list_store, list_voided
from services.registry.list_store import Subject
from services.registry.list_voided import Key, voided_at
from services.registry.tokens import TokenRecord

PAGE = 2000
"""Records of a transaction. A list that has changed is written once in each: a quarter of a megabyte."""


@dataclass(frozen=True, slots=True)
class Folded:
    """What a page came to: the revision up to which the lists know the records, whether a key changed, and whether
    there is more to do."""

    revision: int
    keys: bool
    more: bool


def fold(cur: Cursor, revision: int, day: date) -> Folded:
    """The next page: what has changed since a revision, what is part of that, and what the calendar turns.

    Only the certificates concerned are read, however many places there are.
    """
    changed = list_store.changed_after(cur, revision, PAGE)
    concerned = {subject.certificate_no: subject for subject in changed.certificates}
    turning = list_store.turning_by(cur, day, PAGE)
    late = set(turning) | set(list_store.children_of(cur, concerned.keys()) if concerned else ())
    if late - concerned.keys():
        concerned |= list_store.subjects(cur, late - concerned.keys())
    placed = {number: subject for number, subject in concerned.items() if subject.tokens != "[]"}
    if placed:
        _put(cur, placed, day)
    list_store.save_head(cur, changed.revision, day)
    return Folded(changed.revision, changed.keys, changed.more or len(turning) == PAGE)


def _put(cur: Cursor, placed: Mapping[str, Subject], day: date) -> None:
    certificates = {number: certificate_in(subject) for number, subject in placed.items()}
    parents = parents_of(cur, certificates)
    statuses: dict[int, dict[int, Status]] = defaultdict(dict)
    rows: list[tuple[str, str | None, date | None]] = []
    marks: dict[Key, tuple[Voided, ...]] = {}
    for number, certificate in certificates.items():
        parent = parents.get(certificate.parent_no or "")
        for place in places_in(placed[number].tokens):
            statuses[place.list_id][place.index] = status_on(certificate, parent, place, day)
            if place.run is not None:
                marks[place.list_id, place.mark_no] = voided_at(certificate, place)
        rows.append((number, certificate.parent_no, next_turn(certificate, parent, day)))
    list_store.save_subjects(cur, rows)
    stored = list_store.lists(cur, statuses.keys())
    for list_id, changes in statuses.items():
        before = stored[list_id].places if list_id in stored else b""
        after = bytearray(before) or empty_array()
        for index, status in changes.items():
            put_status(after, index, status)
        if after != before:
            list_store.save_places(cur, list_id, bytes(after))
    list_voided.put(cur, marks, day)


def status_on(certificate: Certificate, parent: Certificate | None, place: Place, day: date) -> Status:
    return STATUS_OF[place_standing(certificate, parent, place, day)]


def certificate_in(subject: Subject) -> Certificate:
    return from_state(cast(CertificateState, json.loads(subject.state)))


def parents_of(cur: Cursor, certificates: Mapping[str, Certificate]) -> dict[str, Certificate]:
    """By number, the certificates that some of these are a part of."""
    named = {certificate.parent_no for certificate in certificates.values() if certificate.parent_no}
    found = {number: certificates[number] for number in named & certificates.keys()}
    if missing := named - found.keys():
        found |= {number: certificate_in(one) for number, one in list_store.subjects(cur, missing).items()}
    return found


def places_in(tokens: str) -> Iterable[Place]:
    """The places of a record's tokens, those of a run of serials among them."""
    for token in cast(list[TokenRecord], json.loads(tokens)):
        about = token["mark_no"], token["gtin"], token["model"]
        yield Place(token["list"], token["index"], *about, token.get("serials"))
