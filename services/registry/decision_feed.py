"""The decisions about a source's events in the order in which they were taken, with a cursor to go on from."""

import struct
from dataclasses import dataclass
from functools import cache
from typing import Any

from services import base64url
from services.domain.advice import hint_for
from services.domain.details import in_chinese
from services.domain.errors import BadRequest, every_error
from services.domain.identifiers import instant_text
from services.postgres import Cursor

LATEST = "latest"
"""In the place of a cursor: only what is decided from now on."""

_FORM = struct.Struct(">Bqq")
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Place:
    """How far a reader has come: the last entry and the last position of the quarantine that it has seen.

    Both only ever grow with the commits of the one writer, so whoever goes on from a place misses nothing and sees
    nothing twice. Readers take it as an opaque text and keep it for as long as they like.
    """

    seq: int
    put_aside: int

    def cursor(self) -> str:
        return base64url.encoded(_FORM.pack(_VERSION, self.seq, self.put_aside))


BEGINNING = Place(-1, -1)


@dataclass(frozen=True, slots=True)
class Page:
    """Decisions in order, each with the cursor behind it; `full` where more may follow at once."""

    items: list[dict[str, Any]]
    place: Place
    full: bool


def place_of(cursor: str) -> Place:
    """The place that a cursor names.

    Raises:
        BadRequest: it is none of ours.
    """
    try:
        version, seq, put_aside = _FORM.unpack(base64url.decoded(cursor))
    except (ValueError, struct.error):
        version, seq, put_aside = 0, 0, 0
    found = Place(seq, put_aside)
    if version != _VERSION or seq < -1 or put_aside < -1 or found.cursor() != cursor:
        raise BadRequest(
            f"{cursor[:64]!r} is no cursor of this feed",
            pointer="/after",
            hint=f"take `next`, the id of an event, or {LATEST!r}; leave it out to begin at the beginning",
        )
    return found


def latest(cur: Cursor) -> Place:
    """Behind everything that is decided."""
    cur.execute("SELECT size - 1, (SELECT coalesce(max(position), -1) FROM quarantine) FROM head")
    row = cur.fetchone()
    assert row is not None
    return Place(*row)


def decisions_after(cur: Cursor, source: str | None, place: Place, limit: int) -> Page:
    """The next decisions about the events of a source, or of everybody where none is named.

    Entries and quarantine are two lists, each in the order of the writer's commits; here they are one, by the time of
    the decision. One statement reads both, so that they are seen as of the same instant.
    """
    cur.execute(
        "WITH decided AS (SELECT seq, NULL::bigint AS put_aside, digest, event_id, source, type, subject, sequence,"
        " decision, detail, pointer, hint, effective_at, received_at, recorded_at FROM entries"
        " WHERE kind = 'event' AND (%(source)s::text IS NULL OR source = %(source)s) AND seq > %(seq)s"
        " ORDER BY seq LIMIT %(limit)s),"
        " aside AS (SELECT NULL::bigint, position, digest, NULL, source, NULL, NULL, NULL::bigint,"
        " 'quarantined:' || code, detail, pointer, NULL, NULL::date, received_at, recorded_at FROM quarantine"
        " WHERE (%(source)s::text IS NULL OR source = %(source)s) AND position > %(put_aside)s"
        " ORDER BY position LIMIT %(limit)s)"
        " SELECT * FROM decided UNION ALL SELECT * FROM aside ORDER BY recorded_at, seq, put_aside LIMIT %(limit)s",
        {"source": source, "seq": place.seq, "put_aside": place.put_aside, "limit": limit},
    )
    items: list[dict[str, Any]] = []
    for row in cur.fetchall():
        place = Place(row[0] if row[0] is not None else place.seq, row[1] if row[1] is not None else place.put_aside)
        items.append(_item(row, place))
    return Page(items, place, len(items) == limit)


def _item(row: tuple[Any, ...], place: Place) -> dict[str, Any]:
    seq, put_aside, digest, event_id, source, kind, subject, sequence, said, detail, pointer, hint, *times = row
    effective_at, received_at, recorded_at = times
    decision, _, code = said.partition(":")
    return {
        "cursor": place.cursor(),
        "digest": digest,
        "decision": decision,
        "code": code or None,
        "text": _text(code) if code else None,
        "detail": detail or None,
        "detail_zh": in_chinese(detail or ""),
        "pointer": pointer or None,
        "hint": hint_for(code or None, hint),
        "seq": seq,
        "position": put_aside,
        "source": source,
        "id": event_id,
        "type": kind,
        "subject": subject,
        "sequence": sequence,
        "effective_at": effective_at.isoformat() if effective_at else None,
        "received_at": instant_text(received_at),
        "recorded_at": instant_text(recorded_at),
    }


@cache
def _text(code: str) -> dict[str, str] | None:
    error = every_error().get(code)
    return {"zh": error.zh, "en": error.title} if error else None


def sources_since(cur: Cursor, place: Place, limit: int) -> tuple[Place, set[str] | None]:
    """Where the register has come to, and whose events were decided since a place; None for «too many to tell»."""
    reached = latest(cur)
    if reached == place:
        return place, set()
    if reached.seq - place.seq > limit:
        return reached, None
    cur.execute(
        "SELECT source FROM entries WHERE seq > %s AND seq <= %s AND source IS NOT NULL"
        " UNION SELECT source FROM quarantine WHERE position > %s AND position <= %s AND source IS NOT NULL",
        (place.seq, reached.seq, place.put_aside, reached.put_aside),
    )
    return reached, {source for (source,) in cur.fetchall()}
