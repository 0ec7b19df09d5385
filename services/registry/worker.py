"""The one active writer: takes the log's events in order and commits each batch together with its position."""

import contextlib
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import cast

from services import telemetry
from services.domain.errors import CertmarkError, Fault, LogMisconfigured, LogTruncated, NotConfigured
from services.domain.fold import ANNULLED, CORRECTED
from services.domain.identifiers import normalised
from services.events.envelope import Event, open_envelope, read_event
from services.events.log import Record, Topics, open_log
from services.postgres import Connection, Cursor, connect, database_url, transaction
from services.registry import code_runs, commitments, consequences, store
from services.registry.batch import Batch
from services.registry.intake import Intake, Prepared, prepare, read_checked, spare_the_collector
from services.registry.own_keys import KeyFiles
from services.registry.process import run_until_stopped
from services.registry.register import ISSUED, RESOLVED, Register, public_key_of, subject_of
from services.registry.store import Head, StoredRecord
from services.registry.told import ToldRow, told_one
from services.settings import Settings

LEASE = 5.0
"""Seconds for which standbys leave a silent leader alone, as long as its database session lives."""

IDLE = 1.0
"""Seconds between two signs of life of a leader that has nothing to do, and between two looks of a standby."""


AT_ONCE = 500
"""Commitments in one transaction."""

TOLD, WAITING = 20_000, 16 << 20
"""Events in the stories that a batch may have to fold anew, and bytes of parked events, that are loaded for it."""

AT_A_TIME = 2.0
"""Seconds after which a batch ends with the event that it has come to, long before its transaction is given up."""

CLOCK_OFF = timedelta(minutes=1)
CLOCK_TOLD = 600.0
"""By how much the clock may stand before what was recorded last, and seconds until that is told again: everything is
recorded, and judged, as of that last moment until the clock has come to it."""

_BRINGS_KEYS = ("certmark.key.added.v1", "certmark.authority.established.v1")


class NotLeader(Exception):
    """Another worker holds the lease."""


class Worker:
    """Reads ahead through its intake, applies, commits; owns nothing but its lease.

    A crash at any point repeats the batch that was not committed, and no other.
    """

    def __init__(self, settings: Settings, *, name: str | None = None, idle: float = IDLE) -> None:
        """`idle`: seconds for which a batch is waited for where the log has none."""
        self.settings = settings
        self.idle = idle
        self.name = name or f"{socket.gethostname()}:{os.getpid()}"
        self.topics = Topics.under(settings.topic_prefix)
        self.genesis = pinned_genesis(settings)
        self.mark_keys = KeyFiles(settings.mark_key)
        self.register = Register()
        self.size: int | None = None  # the register's size after the last batch of ours; None: reload before the next
        self.commitments_due = 0.0  # when what is not public is looked for that has no entry yet
        self.drawing = False  # an event's consequences are being drawn: nothing is read before that is done
        self._connection: Connection | None = None  # which writes, and holds the lease
        self._intake: Intake | None = None
        self._next = 0  # the position from which what is applied next was read
        self._left: list[Prepared] = []  # of what was read, behind the event with which the last batch ended
        self.clock_told = -CLOCK_TOLD
        self.stopping = False

    def run(self) -> None:
        """Work until told to stop.

        Raises:
            LogTruncated: events that we have not read are gone, or the log was replaced: a person must look.
        """
        with contextlib.closing(open_log(self.settings)) as log:
            log.ensure(self.topics.all())
        while not self.stopping:
            try:
                self.step()
            except NotLeader:
                time.sleep(IDLE)
            except (LogTruncated, LogMisconfigured, NotConfigured):
                raise  # a person must look: neither skipping nor waiting would mend it
            except (Fault, EOFError, ConnectionError) as fault:
                # Transient: the position has not moved, so the same batch comes again.
                telemetry.warning("worker fault, trying again", fault=type(fault).__name__, detail=str(fault))
                self._drop()
                time.sleep(0.2)
        self.close()

    def close(self) -> None:
        """Give the lease back, so that a standby begins at once, and let go of everything."""
        with contextlib.suppress(CertmarkError), transaction(self._connected()) as cur:
            store.release_lease(cur, self.name)
        self._drop()

    def step(self) -> int:
        """One turn: keep the lease, receive the batch that was read ahead, ask for the next one, apply; how many."""
        connection = self._connected()
        if self.size is None:
            with transaction(connection) as cur:
                position = self._lead(cur).position
            self._teach()
            self._ask(position)
        if self.drawing:
            return self._draw(connection)
        if time.monotonic() >= self.commitments_due:
            self.commitments_due = time.monotonic() + IDLE
            if committed := self._commit(connection):
                return committed
        if self._left:
            return self._apply(connection, self._left)
        records = self._reading().receive(IDLE * 2)
        if records is None:  # the helper is slow to answer: stay leader meanwhile
            with transaction(connection) as cur:
                self._lead(cur)
            return 0
        if records:
            self._reading().ask(records[-1].record.position + 1, self.idle)
            return self._apply(connection, records)
        with transaction(connection) as cur:
            self._ask(self._lead(cur).position)
        return 0

    def _ask(self, position: int) -> None:
        """Begin to read at a position; what was read ahead is dropped."""
        self._next, self._left = position, []
        self._reading().ask(position, self.idle)

    def _lead(self, cur: Cursor) -> Head:
        """Renew the lease, or take it, under the head's lock."""
        head = self._head(cur)
        store.save_head(cur, head, self.name, LEASE)
        return head

    def _head(self, cur: Cursor) -> Head:
        """The head, locked and ours; what is in memory is read again where the head has moved without us.

        Raises:
            NotLeader: another worker's lease runs and its database session lives.
        """
        head = store.lock_head(cur)
        if head.leader != self.name and head.leader_lives and head.lease_runs:
            self.size = None
            raise NotLeader(head.leader)
        if head.recorded_at - head.now > CLOCK_OFF and time.monotonic() >= self.clock_told + CLOCK_TOLD:
            self.clock_told = time.monotonic()
            telemetry.error("the clock stands before what was recorded last", until=str(head.recorded_at))
        if self.size != head.size:
            self.register.reload(cur)
            if self.settings.production and self.register.is_demonstration:
                raise NotConfigured("CERTMARK_PRODUCTION=1, and the register was established by a demonstration")
            self.size = head.size
            self.drawing = bool(head.cause)
        return head

    def _apply(self, connection: Connection, records: list[Prepared]) -> int:
        started = time.perf_counter()
        with transaction(connection) as cur:
            expected = self.size
            head = self._head(cur)  # the fence: a second writer waits here and then finds itself behind
            self.size = None  # unknown until a commit is known to have happened
            if expected != head.size or self._next != head.position:
                return 0  # somebody wrote since we read: what was read ahead may lie on either side of it
            ready = self._readable(records)
            aside = store.quarantined_between(cur, ready[0].record.position, ready[-1].record.position)
            batch, last = self._decide(cur, head, [r for r in ready if r.record.position not in aside])
            last = ready[-1].record.position if last is None else last
            left = [r for r in records if r.record.position > last]
            saved = batch.records()
            after = batch.after(last + 1, len(saved))
            save(cur, batch, saved, after, self.name)
        # A crash before the commit repeats the batch; after it, the position has moved with it.
        self._committed(after, saved)
        self._next, self._left = after.position, left
        for jwk in batch.new_keys:
            self._reading().learn(jwk)
        _BATCH_SECONDS.observe(time.perf_counter() - started)
        _EVENTS.inc(done := len(records) - len(left))
        _QUARANTINED.inc(len(batch.quarantine))
        return done

    def _committed(self, after: Head, saved: dict[str, StoredRecord]) -> None:
        self.size, self.drawing = after.size, bool(after.cause)
        self.register.committed(saved)

    def _draw(self, connection: Connection) -> int:
        """One page of an event's consequences, in the order of the certificates' numbers; how many certificates.

        The place up to which they are drawn is committed with them: a crash repeats the page that was not.
        """
        with transaction(connection) as cur:
            expected = self.size
            head = self._head(cur)
            self.size = None
            if expected != head.size or not head.cause:
                return 0
            (*row, _) = store.told_by_digest(cur, [head.cause])[0]
            cause, jws = told_one(cast(ToldRow, tuple(row))), row[3]
            numbers, reached = consequences.affected(cur, cause, self.register, head.drawn_to)
            self.register.load(cur, set(numbers), set(numbers))
            self.register.load_told_about(cur, numbers if cause.said.type == ANNULLED else ())
            batch = Batch(self.register, head, self.genesis, self.mark_keys.ready(), ids={}, chains={}, pending=[])
            ends = time.monotonic() + AT_A_TIME
            for number in numbers:
                before = self.register.certificate(number)
                drawn = consequences.drawn(before, cause, self.register) if before else None
                if drawn is not None and drawn != before:
                    batch.draw(cause, jws, number, drawn)
                if time.monotonic() > ends:
                    reached = number
                    break
            batch.cause, batch.drawn_to = (head.cause, reached) if reached else ("", "")
            saved = batch.records()
            after = batch.after(head.position, len(saved))
            save(cur, batch, saved, after, self.name)
        self._committed(after, saved)
        return len(numbers)

    def _commit(self, connection: Connection) -> int:
        """Enter the salted hashes of what is not public; how many. They move no position of the log."""
        with transaction(connection) as cur:
            found = commitments.uncommitted(cur, AT_ONCE)
            if not found:
                return 0
            expected = self.size
            head = self._head(cur)
            self.size = None
            if expected != head.size:
                return 0
            batch = Batch(self.register, head, self.genesis, self.mark_keys.ready(), ids={}, chains={}, pending=[])
            for one in found:
                commitments.committed(cur, one, batch.commit_to(one.subject, one.digest))
            after = batch.after(head.position, 0)
            save(cur, batch, {}, after, self.name)
        self._committed(after, {})
        return len(found)

    def _readable(self, records: list[Prepared]) -> list[Prepared]:
        """The records up to the first whose key only this batch brings: nothing unverified is ever parsed.

        A resolution begins a batch: what it is about has then been put aside, and the keys that came before are there.
        Before the register is established, the pinned event alone; its digest vouches for it.
        """
        if not self.register.established:
            first = records[0]
            if first.digest == self.genesis:
                first = replace(first, event=read_checked(open_envelope(first.record.value), first.record.appended_at))
            return [first]
        ready: list[Prepared] = []
        brings_keys = False
        for record in records:
            if record.kid is not None and record.event is None and record.error is None:
                state = self.register.key(record.kid)
                if state is None and brings_keys:
                    break
                if state is not None:  # the helper had not met this key yet
                    record = prepare(record.record, {record.kid: public_key_of(state)})
            if record.event is not None and record.event.type in _BRINGS_KEYS:
                brings_keys = True
            if record.event is not None and record.event.type == RESOLVED and ready:
                break
            ready.append(record)
        return ready

    def _decide(self, cur: Cursor, head: Head, records: list[Prepared]) -> tuple[Batch, int | None]:
        """Load in a few statements what these records are about, then decide each in order.

        Up to the first event that has consequences, or that disqualifies a body, whose holders only the tables know, or
        until they have taken long: the position of the last is given back, as the batch ends there.
        """
        again = self._again(cur, records)
        events = [r.event for r in (*records, *again.values()) if r.event is not None]
        subjects = {subject_of(e) for e in events}
        waiting = store.weight_of_pending(cur, subjects) if subjects else {}
        folds = _may_fold(records, waiting)
        lengths = store.lengths_of(cur, [subject for _, subject in folds]) if folds else {}
        if (count := _affordable(folds, waiting, lengths, len(records))) < len(records):
            batch, last = self._decide(cur, head, records[:count])
            return batch, records[count - 1].record.position if last is None else last
        pending = store.pending_of(cur, waiting) if waiting else []
        parked = [read_event(open_envelope(p.jws.encode())) for p in pending]
        told = [*events, *parked]
        mark_nos = {normalised(str(e.data["mark_no"])) for e in told if "mark_no" in e.data}
        others = {number for e in told for number in _others_named(e)}
        self.register.load(cur, subjects | others, mark_nos | {subject_of(e) for e in told if _may_bring_a_mark(e)})
        self.register.load_told(cur, [(e, subject_of(e)) for e in told])
        self.register.load_lost(cur, told)
        self.register.quarantined = set(again)
        ids, sources = {e.id for e in events}, {e.source for e in events}
        batch = Batch(
            self.register,
            head,
            self.genesis,
            self.mark_keys.ready(),
            ids=store.known_ids(cur, ids) if ids else {},
            chains=store.chains_of(cur, subjects, sources) if subjects else {},
            pending=pending,
            again=again,
        )
        ends = time.monotonic() + AT_A_TIME
        for record in records:
            batch.take(record)
            if batch.cause or self.register.lost_bodies or time.monotonic() > ends:
                return batch, record.record.position
        return batch, None

    def _again(self, cur: Cursor, records: list[Prepared]) -> dict[str, Prepared]:
        """What lies in quarantine under the digests that these records resolve, prepared with the keys of today."""
        digests = {str(r.event.data["digest"]) for r in records if r.event is not None and r.event.type == RESOLVED}
        aside = store.quarantined_as(cur, digests) if digests else {}
        keys = {kid: public_key_of(state) for kid, state in self.register.keys().items()} if aside else {}
        return {
            digest: prepare(Record(row.position, row.record_key, row.value, row.received_at), keys)
            for digest, row in aside.items()
        }

    # --- what the worker holds on to ------------------------------------------------------------------

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self.size = None
            self._connection = connect(database_url(self.settings))
            with transaction(self._connection) as cur:
                store.ask_by_index(cur)
        return self._connection

    def _reading(self) -> Intake:
        if self._intake is None:
            self._intake = Intake(self.settings, self.topics.events)
        return self._intake

    def _teach(self) -> None:
        """Tell the helper of every key in the register."""
        for state in self.register.keys().values():
            self._reading().learn(state["key"])

    def _drop(self) -> None:
        self.size = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._intake is not None:
            self._intake.close()
            self._intake = None


def _may_fold(records: Sequence[Prepared], waiting: Mapping[str, int]) -> list[tuple[int, str]]:
    """(place, subject) of the records for which a story may have to be folded anew: each subject once, at its first."""
    found: dict[str, int] = {}
    for place, record in enumerate(records):
        if record.event is not None:
            subject = subject_of(record.event)
            if subject in waiting or record.event.type in (CORRECTED, ANNULLED):
                found.setdefault(subject, place)
    return [(place, subject) for subject, place in found.items()]


def _affordable(
    folds: Sequence[tuple[int, str]], waiting: Mapping[str, int], lengths: Mapping[str, int], records: int
) -> int:
    """How many of the records come before too much would have to be loaded: what waits, and stories to be folded."""
    events = weight = 0
    for place, subject in folds:
        events += lengths.get(subject, 0)
        weight += waiting.get(subject, 0)
        if place and (events > TOLD or weight > WAITING):
            return place
    return records


def _may_bring_a_mark(event: Event) -> bool:
    """Whether it may need to be known who has the mark of its subject's number: the one that a scheme implies."""
    return event.type in (ISSUED, CORRECTED) or event.type.startswith(("certmark.declaration.", "certmark.mark."))


def _others_named(event: Event) -> Iterator[str]:
    """The certificates that an event, or what it puts into another one, names beside its subject."""
    said = event.data["fields"] if event.type == CORRECTED else event.data
    for name in ("by", "parent_no", "certificate_no"):
        if said.get(name):
            yield normalised(str(said[name]))


def save(cur: Cursor, batch: Batch, records: dict[str, StoredRecord], after: Head, leader: str) -> None:
    """Everything that a batch leaves behind, one statement a table, the head after it among them."""
    store.save_entries(cur, batch.entries)
    store.save_records(cur, records.values())
    store.save_places(cur, batch.places)
    store.save_marks(cur, batch.new_marks)
    store.save_lost(cur, batch.register.new_lost)
    store.save_lost_of(cur, batch.register.lost_bodies)
    code_runs.save_announced(cur, batch.new_runs)
    store.save_chains(cur, [(*chain, *batch.chains[chain]) for chain in sorted(batch.changed_chains)])
    store.park(cur, batch.parked.values())
    store.unpark(cur, batch.drained)
    store.save_quarantine(cur, batch.quarantine)
    store.resolve_quarantine(cur, batch.resolved)
    store.save_head(cur, after, leader, LEASE)
    store.notify(cur)


def pinned_genesis(settings: Settings) -> str:
    """The digest of the register's first event: as the settings name it, or as the embedded default wrote it down when
    it established itself.

    Raises:
        NotConfigured: there is none, and CERTMARK_GENESIS names none.
    """
    if settings.genesis:
        return settings.genesis
    file = settings.data / "genesis"
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError:
        raise NotConfigured(
            f"CERTMARK_GENESIS is empty and {file} is not there", hint="pin the digest of authority.established"
        ) from None


_BATCH_SECONDS = telemetry.histogram("certmark_batch_seconds", "Time to apply and commit a batch")
_EVENTS = telemetry.counter("certmark_events_read_total", "Events taken from the log")
_QUARANTINED = telemetry.counter("certmark_events_quarantined_total", "Events put aside because they are not trusted")


def main() -> int:
    spare_the_collector()
    return run_until_stopped("worker", Worker)


if __name__ == "__main__":
    sys.exit(main())
