"""The webhooks' table: who wants to be told of what, how far each has been told, and how that went."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.postgres import Cursor
from services.registry.decision_feed import Place


class Kind(StrEnum):
    """What is delivered: decisions about the holder's events, changes of the register, or of its watched checks."""

    DECISIONS = "decisions"
    CHANGES = "changes"
    CHECKS = "checks"


class State(StrEnum):
    """A dead webhook gets nothing until its holder registers it again."""

    ACTIVE = "active"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Webhook:
    """One webhook. `place` and `revision` are what has been delivered; of the two its kind uses one.

    Of `revision` there are two: of the register, and the number of a change in watched checks.
    `held` is how many items the delivery under way has, so that its repetition is the same delivery.
    """

    holder: str
    name: str
    id: str
    kind: Kind
    url: str
    state: State
    place: Place
    revision: int
    held: int | None
    failures: int
    failing_since: datetime | None
    last_error: str | None
    delivered_at: datetime | None
    next_at: datetime
    created_at: datetime


_COLUMNS = (
    "holder, name, id::text, kind, url, state, seq, put_aside, revision, held, failures, failing_since, last_error,"
    " delivered_at, next_at, created_at"
)


def _webhook(*row: object) -> Webhook:
    holder, name, hook_id, kind, url, state, seq, put_aside, *rest = row
    place = Place(seq, put_aside)  # type: ignore[arg-type]  # columns have their types from the migration
    return Webhook(holder, name, hook_id, Kind(kind), url, State(state), place, *rest)  # type: ignore[arg-type]


def put(cur: Cursor, holder: str, name: str, kind: Kind, url: str, start: tuple[Place, int], *, again: bool) -> Webhook:
    """Register a webhook, or change and revive it. `start` counts for a new one, with `again` for an old one too."""
    place, revision = start
    cur.execute(
        "INSERT INTO webhooks (holder, name, kind, url, seq, put_aside, revision)"
        " VALUES (%(holder)s, %(name)s, %(kind)s, %(url)s, %(seq)s, %(put_aside)s, %(revision)s)"
        " ON CONFLICT (holder, name) DO UPDATE SET url = excluded.url, state = 'active', failures = 0,"
        " failing_since = NULL, last_error = NULL, next_at = clock_timestamp(), held = NULL,"
        " seq = CASE WHEN %(again)s THEN excluded.seq ELSE webhooks.seq END,"
        " put_aside = CASE WHEN %(again)s THEN excluded.put_aside ELSE webhooks.put_aside END,"
        " revision = CASE WHEN %(again)s THEN excluded.revision ELSE webhooks.revision END"
        f" RETURNING {_COLUMNS}",
        {
            "holder": holder,
            "name": name,
            "kind": kind.value,
            "url": url,
            "seq": place.seq,
            "put_aside": place.put_aside,
            "revision": revision,
            "again": again,
        },
    )
    row = cur.fetchone()
    assert row is not None
    return _webhook(*row)


def remove(cur: Cursor, holder: str, name: str) -> bool:
    """Whether there was one. A delivery that is under way may still arrive."""
    cur.execute("DELETE FROM webhooks WHERE holder = %s AND name = %s", (holder, name))
    return cur.rowcount == 1


def of_holder(cur: Cursor, holder: str | None) -> list[Webhook]:
    """The webhooks of one holder, or of all."""
    cur.execute(
        f"SELECT {_COLUMNS} FROM webhooks WHERE %(holder)s::text IS NULL OR holder = %(holder)s ORDER BY holder, name",
        {"holder": holder},
    )
    return [_webhook(*row) for row in cur.fetchall()]


def count(cur: Cursor, holder: str) -> int:
    cur.execute("SELECT count(*) FROM webhooks WHERE holder = %s", (holder,))
    row = cur.fetchone()
    assert row is not None
    return int(row[0])


# --- delivering ------------------------------------------------------------------------------------------


def claim(cur: Cursor, limit: int, seconds: float) -> list[Webhook]:
    """Webhooks that are due and have something to be told, left alone by others for so many seconds."""
    cur.execute(
        "UPDATE webhooks SET claimed_until = clock_timestamp() + %(seconds)s * interval '1 second'"
        " WHERE id IN (SELECT w.id FROM webhooks w, head WHERE w.state = 'active' AND w.next_at <= clock_timestamp()"
        " AND w.claimed_until <= clock_timestamp()"
        " AND CASE w.kind WHEN 'changes' THEN w.revision < head.revision WHEN 'checks' THEN EXISTS (SELECT 1"
        " FROM checks c WHERE c.told_after IS NOT NULL AND c.holder = w.holder AND c.told_after + c.total > w.revision)"
        " ELSE w.seq < head.size - 1 AND"
        " EXISTS (SELECT 1 FROM entries e WHERE e.kind = 'event' AND e.source = w.holder AND e.seq > w.seq)"
        " OR EXISTS (SELECT 1 FROM quarantine q WHERE q.source = w.holder AND q.position > w.put_aside) END"
        " ORDER BY w.next_at LIMIT %(limit)s FOR UPDATE OF w SKIP LOCKED)"
        f" RETURNING {_COLUMNS}",
        {"limit": limit, "seconds": seconds},
    )
    return [_webhook(*row) for row in cur.fetchall()]


def hold(cur: Cursor, webhook: Webhook, items: int, seconds: float) -> bool:
    """Begin a delivery of so many items, and have that long for it. False where the webhook was changed or removed."""
    cur.execute(
        "UPDATE webhooks SET held = %s, claimed_until = clock_timestamp() + %s * interval '1 second'"
        " WHERE id = %s::uuid AND url = %s AND seq = %s AND put_aside = %s AND revision = %s AND state = 'active'",
        (items, seconds, webhook.id, webhook.url, webhook.place.seq, webhook.place.put_aside, webhook.revision),
    )
    return cur.rowcount == 1


def delivered(cur: Cursor, webhook: Webhook, place: Place, revision: int) -> bool:
    """Go on behind a delivery that was taken. False where it was changed meanwhile: it then begins where it was put."""
    cur.execute(
        "UPDATE webhooks SET seq = %s, put_aside = %s, revision = %s, held = NULL, failures = 0, failing_since = NULL,"
        " last_error = NULL, delivered_at = clock_timestamp(), next_at = clock_timestamp()"
        " WHERE id = %s::uuid AND seq = %s AND put_aside = %s AND revision = %s",
        (
            place.seq,
            place.put_aside,
            revision,
            webhook.id,
            webhook.place.seq,
            webhook.place.put_aside,
            webhook.revision,
        ),
    )
    return cur.rowcount == 1


def failed(cur: Cursor, webhook: Webhook, why: str, wait: float, dead_after: float) -> State | None:
    """Note a failure: tried again after `wait` seconds, dead once it has failed for `dead_after`; its state then."""
    cur.execute(
        "UPDATE webhooks SET failures = failures + 1, failing_since = coalesce(failing_since, now()), last_error = %s,"
        " next_at = now() + %s * interval '1 second', state = CASE"
        " WHEN coalesce(failing_since, now()) + %s * interval '1 second' <= now() THEN 'dead' ELSE state END"
        " WHERE id = %s::uuid AND url = %s RETURNING state",
        (why[:200], wait, dead_after, webhook.id, webhook.url),
    )
    row = cur.fetchone()
    return State(row[0]) if row else None


def release(cur: Cursor, webhook: Webhook) -> None:
    """Let others have it again."""
    cur.execute("UPDATE webhooks SET claimed_until = '1970-01-01Z' WHERE id = %s::uuid", (webhook.id,))
