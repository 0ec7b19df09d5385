"""Makes of a state record what a node's file keeps of it: for whoever has checked its seal."""

from typing import cast

import orjson

from services import telemetry
from services.domain.certificate import CertificateState, course_of
from services.events.record import Sealed, SealedRecord
from services.verify.as_json import judged_days, stored_certificate
from services.verify.facts import Fact, fact_of
from services.verify.filed import Filed, checksum, quick_checksum
from services.verify.name_index import last_day_in_force, names_of
from services.verify.packed import pack
from services.verify.register import UNREADABLE
from services.verify.turns import standing_turns, turns_text
from services.verify.unit_codes import CodesPart, codes_in_record


def filed(record: SealedRecord, value: bytes, opened: Sealed) -> Filed:
    """`value` is the record as it came, `opened` the same taken apart.

    A certificate that this version cannot read is kept like a record of another kind, and answered with
    `status_unknown`.
    """
    if record.key.startswith("certificate/"):
        try:
            return _certificate(record, value, opened)
        except UNREADABLE:
            telemetry.warning("a certificate's state cannot be read by this version", key=record.key)
    return _filed(record, value, opened, codes=codes_in_record(record) if record.key.startswith("codes/") else None)


def _certificate(record: SealedRecord, value: bytes, opened: Sealed) -> Filed:
    state = cast(CertificateState, record.state)
    course = course_of(state)
    timeline = turns_text(judged_days(course, record.under_review))
    marks, product = state["marks"], state["product"]
    items = [*(product["items"] if product else ()), *[item for mark in marks for item in mark["products"]]]
    parties = [state["holder"], state["manufacturer"], state["factory"]]
    found_by = [
        list(dict.fromkeys([mark["mark_no"] for mark in marks])),
        list(dict.fromkeys([item["gtin"] for item in items if item["gtin"]])),
        list(dict.fromkeys([party["uscc"] for party in parties if party and party["uscc"]])),
        *names_of(state),
    ]
    alone = state["parent_no"] is None  # one that falls with another cannot be answered from its own record
    return _filed(
        record,
        value,
        opened,
        until=last_day_in_force(course).toordinal(),
        timeline=timeline if alone else None,
        shown=stored_certificate(state, record.seq, record.recorded_at, record.digest) if alone else None,
        found_by=orjson.dumps(found_by).decode(),
        fact=fact_of(state, course, standing_turns(timeline)),
    )


def _filed(
    record: SealedRecord,
    value: bytes,
    opened: Sealed,
    *,
    until: int = 0,
    timeline: bytes | None = None,
    shown: bytes | None = None,
    found_by: str | None = None,
    fact: Fact | None = None,
    codes: CodesPart | None = None,
) -> Filed:
    key, revision, seq, head = record.key, record.revision, record.seq, value[: value.index(b".")]
    packed = pack(opened, shown or b"")
    return Filed(
        key,
        revision,
        seq,
        until,
        timeline,
        shown,
        quick_checksum(key, timeline or b"", shown or b""),
        packed,
        checksum(key, revision, seq, head, packed, shown or b""),
        found_by,
        head,
        fact,
        codes,
    )
