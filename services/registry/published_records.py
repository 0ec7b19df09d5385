"""Records that no batch brings, because they are made of other records: status lists and the trust list."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

from services.domain.body import Key, KeyState, key_from_state
from services.events.canonical import canonical_text
from services.postgres import Cursor
from services.registry import store
from services.registry.batch import milliseconds
from services.registry.store import StoredRecord


def published_record(key: str, state: dict[str, object]) -> StoredRecord:
    """A record behind which no event stands."""
    text = canonical_text(state, floats=False)
    return StoredRecord(key, 0, -1, datetime.fromtimestamp(0, UTC), "", text, "[]", under_review=False, event=None)


def save_published(cur: Cursor, records: list[StoredRecord]) -> None:
    """Save records that no batch brings, each with the next revision, taken under the head's lock as any other."""
    head = store.lock_head(cur)
    recorded_at = max(head.recorded_at, milliseconds(head.now))
    numbered = [
        replace(record, revision=revision, seq=head.size - 1, recorded_at=recorded_at)
        for revision, record in enumerate(records, head.revision + 1)
    ]
    store.save_records(cur, numbered)
    store.save_revision(cur, head.revision + len(numbered))
    store.notify(cur)


def registered_in(cur: Cursor) -> Callable[[str], Key | None]:
    """Looks a key up in the register as it stands."""

    def registered(kid: str) -> Key | None:
        record = store.records_of(cur, [f"key/{kid}"]).get(f"key/{kid}")
        return key_from_state(cast(KeyState, json.loads(record.state))) if record else None

    return registered
