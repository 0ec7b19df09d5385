"""May it be sold? As a verify node answers it, but as known at an instant: by the entries that stood then."""

from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

import marshmallow as ma
from flask.views import MethodView

from services.deeds import DeedQuery, DeedSchema
from services.domain.consequence import Act
from services.domain.deed import Deed, Subject, as_json, judge_deed, judged_without, narrowed
from services.domain.errors import BadRequest
from services.domain.identifiers import MalformedNumber, certificate_number, civil_day, gtin14, instant_text
from services.domain.notices import concerns, goods_of, is_open_on
from services.postgres import Cursor
from services.registry import store
from services.registry.facts import Reads
from services.registry.past import Administrations, certificates_at, instant_named, last_recorded, recalls_at
from services.web import Blueprint, answers


class PermitThenSchema(DeedSchema):
    """What is answered about a deed from what was known then: the same again for ever."""

    known_at = ma.fields.String(required=True, allow_none=True, metadata={"description": "RFC 3339, UTC"})
    seq = ma.fields.Integer(required=True, metadata={"description": "Last register entry decided by then, or -1"})


def add_route(blueprint: Blueprint, read: Reads) -> None:
    """`/v1/certificates/{no}/permits`."""
    administrations = Administrations()

    @blueprint.route("/certificates/<path:number>/permits")
    class Permits(MethodView):
        @blueprint.arguments(DeedQuery, location="query")
        @blueprint.doc(
            summary="May its goods be shipped, sold, imported, used, shown: as known at an instant",
            responses=answers(PermitThenSchema, "The answer, unknown numbers included"),
        )
        def get(self, asked: dict[str, Any], number: str) -> dict[str, Any]:
            today = civil_day(datetime.now(UTC))
            return read(lambda cur: permit_then(cur, number, asked, today, administrations))


def permit_then(
    cur: Cursor, number: str, asked: dict[str, Any], today: date, administrations: Administrations
) -> dict[str, Any]:
    """The answer to a certificate's number or a mark's. It depends on the question alone once `known_at` has passed.

    Raises:
        BadRequest: the dates contradict each other, or the day asked has not come; `known_at` is no instant.
    """
    known_at = instant_named(asked["known_at"], "/known_at") if asked["known_at"] is not None else None
    last = store.head(cur).size - 1
    seq = last if known_at is None else last_recorded(cur, known_at, last)
    at = asked["at"] or (today if known_at is None else min(today, civil_day(known_at)))
    if at > today:
        raise BadRequest(f"{at} has not come yet: no answer holds for it", pointer="/at")
    deed = Deed(Act(asked["act"]), at, asked["made_on"], asked["shipped_on"])
    gtin = gtin14(asked["gtin"]) if asked["gtin"] else None
    canonical: str | None = None
    subject: Subject | str = "malformed_number"
    with suppress(MalformedNumber):
        canonical = certificate_number(number)
        subject = _subject(cur, canonical, seq, gtin, asked["model"])
    if isinstance(subject, str):
        judged = judged_without(subject)
    else:
        canonical = subject.certificate.certificate_no
        goods = list(goods_of(subject.certificate, subject.item, batch=asked["batch"], made_on=deed.made_on))
        recalls = [
            recall
            for recall in recalls_at(cur, seq)
            if is_open_on(recall, at) and any(concerns(recall, one) for one in goods)
        ]
        recalls.sort(key=lambda recall: recall["opened_on"], reverse=True)
        scheme = administrations.at(cur, seq).schemes.get(subject.certificate.scheme)
        rules = scheme.on(at) or scheme.versions[0] if scheme else None
        judged = judge_deed(subject, deed, rules, recalls)
    return {
        **as_json(deed, judged, canonical, subject if isinstance(subject, Subject) else None),
        "known_at": instant_text(known_at) if known_at else None,
        "seq": seq,
    }


def _subject(cur: Cursor, number: str, seq: int, gtin: str | None, model: str | None) -> Subject | str:
    """What is to be judged as the register had it at an entry; where it had nothing, the code of the answer."""
    found = certificates_at(cur, [number], seq).get(number)
    mark = None
    if found is None:
        owner = store.mark_owners(cur, [number]).get(number)
        found = certificates_at(cur, [owner], seq).get(owner) if owner else None
        mark = found.certificate.mark(number) if found else None
        if found is None or mark is None:
            return "unknown_number"
    certificate = found.certificate
    above = certificates_at(cur, [certificate.parent_no], seq) if certificate.parent_no else {}
    parent = above[certificate.parent_no].certificate if certificate.parent_no in above else None
    return narrowed(certificate, parent, mark, gtin=gtin, model=model) or "out_of_scope"
