"""Publishes the register's records to the state topic in the order of their revisions, sealed."""

import base64
import contextlib
import json
import sys
import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from services import telemetry
from services.domain.errors import CertmarkError, RegisterBehind
from services.domain.identifiers import instant_text
from services.events.envelope import MAX_ENVELOPE
from services.events.keys import PrivateKey, load_key
from services.events.log import Log, Record, Topics, open_log
from services.events.record import history_text, open_sealed, seal_texts
from services.postgres import Cursor, transaction
from services.registry import store
from services.registry.portions import in_portions
from services.registry.process import Connections, run_until_stopped, step_by_step
from services.registry.store import Quarantined, StoredRecord
from services.settings import Settings

BATCH = 4000
POISON = 100
"""Quarantined records that one step copies: each may be as large as the log takes."""
HEARTBEAT = 10.0
"""Seconds between heartbeats: how a reader tells «nothing has changed» from «nobody is there»."""

LOOKED_AT = 2000
"""Records of the state topic that one step looks back at: more would keep its transaction waiting beyond its time, and
a relay that starts far behind would never come to the end of it."""


class Relay:
    """Follows the register; a crash between the topic's acknowledgement and the cursor repeats records, no more."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.topics = Topics.under(settings.topic_prefix)
        self.seal_key = load_key(settings.seal_key)
        self.stopping = False
        self._log: Log | None = None
        self._connections = Connections(settings, store.CHANNEL)
        self._tail: int | None = None
        self._behind = False  # there is more of the state topic to look back at
        self._registered = False
        self._heartbeat_due = 0.0

    def run(self) -> None:
        """Work until told to stop; a fault leaves the cursor where it is."""
        step_by_step("relay", self, final=(RegisterBehind,))

    def step(self) -> int:
        """Publish what is new, mend what is out of order, copy quarantined records; 0 where all that is done."""
        log = self._opened()
        with transaction(self._connections.working()) as cur:
            revision, tail, quarantined = store.lock_relayed(cur)  # two relays take turns here
            records = _unpublished(cur, revision) if self._may_seal(cur) else []
            published = max((r.revision for r in records), default=revision)
            if revision == 0:  # who follows from the first record on needs the keys before what they seal
                records.sort(key=lambda record: not record.key.startswith("key/"))
            poison = store.quarantine_after(cur, quarantined, POISON)
            alone = self._published(log, self._sealed(cur, records))
            revision = published
            if time.monotonic() >= self._heartbeat_due and revision > 0 and not store.records_after(cur, revision, 1):
                self._published(log, [("heartbeat", revision, self._heartbeat(cur, revision))])
                self._heartbeat_due = time.monotonic() + HEARTBEAT
            # As long as our records follow each other, nobody else has written: looking can wait until we are idle.
            if not (alone and records):
                tail = self._look_back(cur, log, tail, revision)
            elif self._tail is not None:
                tail = self._tail
            log.append(self.topics.dead_letter, [(q.record_key, dead_letter(q)) for q in poison])
            if poison:
                quarantined = poison[-1].position
            # A crash before this line publishes these records again: readers keep the highest revision of a key.
            store.save_relayed(cur, revision, tail, quarantined)
        _RELAYED.inc(len(records))
        return len(records) + len(poison) + self._behind

    def _published(self, log: Log, records: list[tuple[str, int, bytes]]) -> bool:
        """Append (key, revision, sealed) to the state topic; whether they stand right behind what we looked at last.

        If so they need no look back: what was acknowledged at a position is what stands there.
        """
        positions = log.append(self.topics.state, [(key, sealed) for key, _, sealed in records])
        if not positions:
            return True
        if self._tail != positions[0] or positions[-1] - positions[0] != len(positions) - 1:
            return False
        self._tail = positions[-1] + 1
        return True

    def _sealed(self, cur: Cursor, records: Collection[StoredRecord]) -> list[tuple[str, int, bytes]]:
        """(key, revision, sealed) of each, a certificate's with what was recorded about it, and when."""
        numbers = {r.key: r.key.partition("/")[2] for r in records if r.key.startswith("certificate/")}
        told = store.histories_of(cur, numbers.values()) if numbers else {}
        return [(r.key, r.revision, seal(r, self.seal_key, told.get(numbers.get(r.key, ""), ()))) for r in records]

    def _may_seal(self, cur: Cursor) -> bool:
        """Whether the register knows our key. Until it does, readers could not believe what we seal."""
        if not self._registered:
            self._registered = bool(store.records_of(cur, [f"key/{self.seal_key.public.kid}"]))
        return self._registered

    def _look_back(self, cur: Cursor, log: Log, tail: int, published: int) -> int:
        """Read what stands on our own topic from `tail` on; where an older revision of a key follows a newer one,
        publish the present row again.

        A zombie's last breath would otherwise survive compaction as the last record of its key. Which revision is the
        newest that was published is the register's to say, so nothing before `tail` has to be read, even after a start.
        """
        first, end = log.bounds(self.topics.state)
        tail = max(first, min(max(tail, self._tail or 0), end))  # another relay may have come further than we have
        last: dict[str, int] = {}
        highest: dict[str, int] = {}
        looked = 0
        while tail < end and looked < LOOKED_AT:
            found = log.read(self.topics.state, tail, BATCH)
            if not found:
                break
            for record in found:
                last[record.key] = revision = revision_of(record)
                highest[record.key] = max(revision, highest.get(record.key, -1))
            tail = found[-1].position + 1
            looked += len(found)
        self._behind = looked >= LOOKED_AT and tail < end
        stands = store.revisions_of(cur, last) if last else {}
        for key, revision in stands.items():
            if revision < highest[key] > last[key]:
                raise RegisterBehind(
                    f"{key} stands at revision {revision}, the state topic has {highest[key]}",
                    hint="the database was restored from an older copy: replay the log before going on",
                )
        # What the register has and we have not published yet comes by itself.
        late = [key for key, revision in stands.items() if last[key] < revision <= published]
        if late:
            telemetry.warning("an older record followed a newer one", records=len(late))
            rows = store.records_of(cur, late)
            log.append(self.topics.state, [(key, sealed) for key, _, sealed in self._sealed(cur, rows.values())])
        self._tail = tail
        return tail

    def _heartbeat(self, cur: Cursor, revision: int) -> bytes:
        head = store.head(cur)
        beat = StoredRecord(
            key="heartbeat",
            revision=revision,
            seq=head.size - 1,
            recorded_at=datetime.now(UTC),
            digest="",
            state="null",
            tokens="[]",
            under_review=False,
            event=None,
        )
        return seal(beat, self.seal_key)

    def wait(self) -> None:
        """Until the worker says that there is something, or the next heartbeat is due."""
        self._connections.wait(min(1.0, max(0.0, self._heartbeat_due - time.monotonic())))

    def _opened(self) -> Log:
        if self._log is None:
            self._log = open_log(self.settings)
            self._log.ensure(self.topics.all())
        return self._log

    def drop(self) -> None:
        if self._log is not None:
            with contextlib.suppress(CertmarkError):
                self._log.close()
        self._connections.drop()
        self._log = self._tail = None


def _unpublished(cur: Cursor, revision: int) -> list[StoredRecord]:
    return in_portions(
        lambda last, most: store.records_after(cur, last.revision if last else revision, most),
        lambda record: len(record.state) + len(record.tokens),
        BATCH,
    )


def seal(record: StoredRecord, key: PrivateKey, history: Sequence[tuple[Any, ...]] = ()) -> bytes:
    """The sealed record as readers take it, state and tokens as they are stored."""
    return seal_texts(
        record.key,
        record.revision,
        record.seq,
        record.recorded_at,
        record.digest or None,
        record.under_review,
        record.event,
        state=record.state,
        tokens=record.tokens,
        history=history_text(history),
        seal_key=key,
    )


def revision_of(record: Record) -> int:
    """The revision inside a sealed record; -1 for what is none of ours."""
    try:
        return int(json.loads(open_sealed(record.value).payload)["revision"])
    except (CertmarkError, ValueError, KeyError, TypeError):
        return -1


def dead_letter(quarantined: Quarantined) -> bytes:
    """A quarantined record with the reason: its bytes as they came, in base64.

    Of one larger than any envelope, which anybody can append who may append at all, only the position tells: in base64
    it would be more than the log takes, and nothing else would be published any more.
    """
    value = quarantined.value if len(quarantined.value) <= MAX_ENVELOPE else None
    return json.dumps(
        {
            "position": quarantined.position,
            "digest": quarantined.digest,
            "code": quarantined.code,
            "detail": quarantined.detail,
            "pointer": quarantined.pointer,
            "received_at": instant_text(quarantined.received_at),
            "recorded_at": instant_text(quarantined.recorded_at),
            "value": base64.b64encode(value).decode("ascii") if value is not None else None,
        },
        ensure_ascii=False,
    ).encode("utf-8")


_RELAYED = telemetry.counter("certmark_records_relayed_total", "Records published to the state topic")


def main() -> int:
    return run_until_stopped("relay", Relay)


if __name__ == "__main__":
    sys.exit(main())
