"""Accepted entries as the fold takes them: what was said, and the moment at which it was judged."""

from collections.abc import Iterable
from datetime import datetime
from typing import cast

from services.domain.fold import Told
from services.domain.identifiers import civil_day
from services.domain.said import EventData, Moment, Said
from services.events.envelope import Event, open_envelope, read_event

ToldRow = tuple[str, int, str, str, datetime | None, datetime]
"""subject, seq, kind, jws, received_at, recorded_at"""


def said_of(event: Event, subject: str) -> Said:
    """An event as the domain sees it, under the canonical form of its subject."""
    _, _, kind, name = event.source.split(":", 3)
    data = cast(EventData, event.data)
    return Said(event.digest, event.source, kind, name, event.type, subject, data, event.signatory)


def told_of(rows: Iterable[ToldRow]) -> list[Told]:
    """Entries in order of seq. A consequence holds its cause's event, about which it keeps the cause's subject."""
    return [told_one(row) for row in rows]


def told_one(row: ToldRow) -> Told:
    subject, seq, kind, jws, received_at, recorded_at = row
    event = read_event(open_envelope(jws.encode("ascii")))
    consequence = kind == "consequence"
    said = said_of(event, event.subject if consequence else subject)
    return Told(seq, consequence, said, Moment(received_at or recorded_at, civil_day(recorded_at)))
