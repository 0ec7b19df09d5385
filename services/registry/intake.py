"""Reads the log ahead of the worker, in a helper process that verifies the next batch while this one is applied."""

import contextlib
import gc
import multiprocessing
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection as Pipe
from typing import Any, TypeAlias

from services.domain.errors import CertmarkError, Fault
from services.events.envelope import Envelope, Event, check_signature, open_envelope, read_event
from services.events.event_types import check_data
from services.events.keys import PublicKey, public_key
from services.events.log import Log, Record, Topic, open_log
from services.registry.portions import in_portions
from services.settings import Settings

BATCH = 4000
"""Events in one transaction where so many wait: each costs a tenth less than with 2,000, a fifth less than with 500."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A record taken as far as it goes without the register.

    `verified` says that the signature holds under the key with this kid. A kid is a hash of its key, so that is
    a fact about the bytes; whether the key counts is the worker's to judge. `event` is there only after that.
    """

    record: Record
    kid: str | None
    digest: str | None
    event: Event | None
    verified: bool
    error: CertmarkError | None


_Packed: TypeAlias = tuple[
    int, str, bytes, datetime, str | None, str | None, tuple[Any, ...] | None, bool, CertmarkError | None
]
"""A Prepared as plain tuples: they go through the pipe in a third of the time of frozen dataclasses."""


def _packed(prepared: Prepared) -> _Packed:
    r, e = prepared.record, prepared.event
    event = None
    if e is not None:
        event = (e.id, e.source, e.type, e.subject, e.time, e.sequence, e.previous, e.signatory, e.data, e.digest)
    return (
        r.position,
        r.key,
        r.value,
        r.appended_at,
        prepared.kid,
        prepared.digest,
        event,
        prepared.verified,
        prepared.error,
    )


def _unpacked(packed: _Packed) -> Prepared:
    position, key, value, appended_at, kid, digest, event, verified, error = packed
    record = Record(position, key, value, appended_at)
    return Prepared(record, kid, digest, Event(*event) if event is not None else None, verified, error)


def prepare(record: Record, keys: Mapping[str, PublicKey]) -> Prepared:
    """Open a record, verify it where the key is known, and only then read what is inside."""
    envelope: Envelope | None = None
    event: Event | None = None
    verified = False
    error: CertmarkError | None = None
    try:
        envelope = open_envelope(record.value)
        key = keys.get(envelope.kid)
        if key is not None:
            check_signature(envelope, key)
            verified = True
            event = read_checked(envelope, record.appended_at)
    except CertmarkError as found:
        error = found.with_traceback(None)  # whose frames would keep all that was read
        error.__context__ = None
    kid, digest = (envelope.kid, envelope.digest) if envelope else (None, None)
    return Prepared(record, kid, digest, event, verified, error)


def read_checked(envelope: Envelope, appended_at: datetime) -> Event:
    """The event inside a verified envelope, its members and its data checked as they were when it was appended.

    Raises:
        Malformed: see `read_event` and `check_data`.
    """
    event = read_event(envelope)
    check_data(event, appended_at)
    return event


class Intake:
    """One helper process. `ask` for the batch from a position, `receive` it later; the worker applies meanwhile."""

    def __init__(self, settings: Settings, topic: Topic) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._asked: int | None = None
        self._process = context.Process(
            target=_serve, args=(theirs, settings, topic, os.getpid()), name="certmark-intake", daemon=True
        )
        self._process.start()
        theirs.close()

    def learn(self, jwk: dict[str, str]) -> None:
        """Tell the helper of a key, so that it can verify what comes with it."""
        self._pipe.send(("key", jwk))

    def ask(self, position: int, wait: float) -> None:
        """Ask for the batch from a position; what was asked before and not received is dropped."""
        self._asked = position
        self._pipe.send(("read", position, wait, BATCH))

    def receive(self, timeout: float) -> list[Prepared] | None:
        """The batch last asked for; None when it is not there in time.

        Raises:
            LogTruncated, LogUnavailable: as the log said. EOFError: the helper has died.
        """
        while self._pipe.poll(timeout):
            position, answer = self._pipe.recv()
            if position != self._asked:
                continue
            self._asked = None
            if isinstance(answer, CertmarkError):
                raise answer
            return [_unpacked(packed) for packed in answer]
        return None

    def close(self) -> None:
        self._pipe.close()
        self._process.terminate()
        self._process.join(5)


def spare_the_collector() -> None:
    """Let the cycle collector look about once a batch, and never at what was there before the first.

    A batch is a hundred thousand objects without cycles that all die together; by default the collector would walk
    them again and again, which costs a sixth of the worker's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000)


def _serve(pipe: Pipe, settings: Settings, topic: Topic, parent: int) -> None:
    spare_the_collector()
    os.nice(5)  # always a batch ahead and idle half of the time: where cores are few, it must not delay the worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the worker's to answer; its end closes our pipe
    keys: dict[str, PublicKey] = {}
    log: Log | None = None
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while os.getppid() == parent:
            word, *told = pipe.recv()
            if word == "key":
                key = public_key(*told)
                keys[key.kid] = key
                continue
            position, wait, limit = told
            try:
                log = log or open_log(settings)
                records = _waiting(log, topic, position, limit, wait)
                pipe.send((position, [_packed(prepare(record, keys)) for record in records]))
            except Fault as fault:
                if log is not None:
                    log.close()
                    log = None
                pipe.send((position, fault))


def _waiting(log: Log, topic: Topic, position: int, limit: int, wait: float) -> list[Record]:
    """What waits from a position on; where nothing does, what comes while it is waited for."""

    def read(last: Record | None, most: int) -> list[Record]:
        return log.read(topic, last.position + 1, most) if last else log.read(topic, position, most, wait)

    return in_portions(read, lambda record: len(record.value), limit)
