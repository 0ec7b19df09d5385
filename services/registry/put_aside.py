"""What became no entry, judged anew: quarantine holds nothing that is sound, and nothing waits that need not."""

from collections.abc import Callable
from datetime import datetime

from services.domain.body import KeyState, key_from_state
from services.domain.errors import CertmarkError, KeyNotValid, UnknownKey
from services.events.envelope import Event, check_signature, check_source, open_envelope, read_event
from services.events.event_types import check_data
from services.postgres import Cursor, stream
from services.registry.batch import AHEAD
from services.registry.differences import Difference
from services.registry.register import RESOLVED, public_key_of

KeyAsOf = Callable[[str, int], KeyState | None]
"""A key by its kid, as the register had it when it came to a position of the log."""


def first_put_aside(cur: Cursor, key_as_of: KeyAsOf) -> Difference | None:
    """The first event that was kept from being decided without a reason."""
    return _sound_in_quarantine(cur, key_as_of) or _kept_waiting(cur, key_as_of)


def _sound_in_quarantine(cur: Cursor, key_as_of: KeyAsOf) -> Difference | None:
    """An event in which nothing is wrong. What an authority has resolved, by an event of its own, is its own matter."""
    rows = stream(
        cur,
        "SELECT position, received_at, value FROM quarantine q WHERE NOT EXISTS (SELECT 1 FROM entries e"
        " WHERE e.digest = q.resolved_by AND e.kind = 'event' AND e.subject = q.digest AND e.type = %(resolved)s"
        " AND e.decision = 'accepted') ORDER BY position",
        {"resolved": RESOLVED},
    )
    for position, received_at, value in rows:
        try:
            event = _sound(bytes(value), received_at, position, key_as_of)
        except CertmarkError:
            continue
        if not _id_was_taken(cur, event, position):
            return Difference(position, "put aside", None, event.digest)
    return None


def _kept_waiting(cur: Cursor, key_as_of: KeyAsOf) -> Difference | None:
    """A parked event whose place in its chain has come, that was too far ahead to be parked, or is not to be trusted.

    What was put aside first and is redriven was judged by the keys that there were by then.
    """
    rows = stream(
        cur,
        "SELECT p.position, p.digest, p.received_at, p.jws, p.sequence - coalesce(c.sequence, 0)"
        " FROM pending p LEFT JOIN chains c USING (source, subject) WHERE NOT EXISTS"
        " (SELECT 1 FROM quarantine q WHERE q.digest = p.digest AND q.redriven) ORDER BY p.position",
        {},
    )
    for position, digest, received_at, jws, ahead in rows:
        try:
            event = _sound(jws.encode("ascii"), received_at, position, key_as_of)
        except (CertmarkError, UnicodeError):
            return Difference(position, "pending", digest, None)
        if event.digest != digest or not 1 < ahead <= AHEAD:
            return Difference(position, "pending", digest, event.digest)
    return None


def _sound(value: bytes, received_at: datetime, position: int, key_as_of: KeyAsOf) -> Event:
    """The event, where it was well-formed and to be trusted when the register came to it.

    Raises:
        Malformed, Untrusted: it was not.
    """
    envelope = open_envelope(value)
    state = key_as_of(envelope.kid, position)
    if state is None:
        raise UnknownKey(envelope.kid)
    key = key_from_state(state)
    if not key.purpose.speaks or not key.valid_at(received_at):
        raise KeyNotValid(envelope.kid)
    event = read_event(envelope)
    check_signature(envelope, public_key_of(state))
    check_source(event, key.owner)
    check_data(event, received_at)
    return event


def _id_was_taken(cur: Cursor, event: Event, position: int) -> bool:
    """Whether another event of this source had its id by then."""
    cur.execute(
        "SELECT 1 FROM (SELECT source, event_id, digest, position FROM entries WHERE event_id = %(id)s UNION ALL"
        " SELECT source, event_id, digest, position FROM pending WHERE event_id = %(id)s) taken"
        " WHERE source = %(source)s AND digest <> %(digest)s AND position < %(position)s",
        {"id": event.id, "source": event.source, "digest": event.digest, "position": position},
    )
    return cur.fetchone() is not None
