"""Reads the state topic ahead of a projector that has far to go, in helper processes that verify what comes next."""

import contextlib
import gc
import marshal
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.connection import Connection as Pipe
from multiprocessing.process import BaseProcess
from typing import NamedTuple

from services.domain.errors import CertmarkError
from services.events.keys import HEADER_NAMES, PublicKey, public_key
from services.events.log import Log, Record, Topic
from services.events.record import open_sealed, read_record
from services.verify.facts import Fact
from services.verify.filed import Filed
from services.verify.filing import filed


class Unchecked(NamedTuple):
    """A record at which the projector has to look itself."""

    position: int
    key: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """What the log holds from a position up to `end`, where the next batch begins.

    `prepared` is what is to be written of certificates' records whose seals hold; `latest` is, by the kid of the seal's
    key, when the latest of them was made. A kid is a hash of its key, so that a seal holds is a fact about the bytes;
    whether the key counts, and counted when the record was made, is the projector's to judge.
    """

    end: int
    unchecked: list[Unchecked]
    prepared: list[Filed] = field(default_factory=list)
    latest: Mapping[str, datetime] = field(default_factory=dict)


def read_here(log: Log, topic: Topic, position: int, limit: int, wait: float) -> Batch:
    """A batch that nobody has looked at."""
    records = log.read(topic, position, limit, wait)
    end = records[-1].position + 1 if records else position
    return Batch(end, [Unchecked(record.position, record.key, record.value) for record in records])


class Ahead:
    """Each helper reads and verifies one batch at a time, so that nobody ever waits for a pipe that is full.

    A helper tells where its batch ends as soon as it has read it: there the next helper begins. What a helper cannot
    give, because it has died or does not reach the log, is read here.
    """

    def __init__(self, log: Log, topic: Topic, limit: int, helpers: int) -> None:
        self._log = log
        self._topic = topic
        self._limit = limit
        self._helpers = [_Helper(log, topic, limit) for _ in range(helpers)]
        self._waiting: deque[_Helper] = deque()

    def read(self, position: int, end: int, keys: Mapping[str, Mapping[str, str]], wait: float) -> Batch:
        """The batch from a position; further ones below `end` are on their way when it returns. `keys` are JWKs by kid.

        Raises:
            LogUnavailable, LogTruncated: as the log says; to ask again from the same position loses nothing.
        """
        if self._waiting and self._waiting[0].start != position:
            self._finish()
        for helper in self._helpers:
            if helper not in self._waiting:
                self._send(helper, position, end, keys)
        helper = self._waiting.popleft()
        batch = helper.receive() or read_here(self._log, self._topic, position, self._limit, wait)
        self._send(helper, batch.end, end, keys)
        return batch

    def _send(self, helper: "_Helper", position: int, end: int, keys: Mapping[str, Mapping[str, str]]) -> None:
        """From the position, or where others are at work, from where the last of them ends."""
        start = self._waiting[-1].end() if self._waiting else position
        if start is not None and start < end:
            helper.send(start, end, keys)
            self._waiting.append(helper)

    def _finish(self) -> None:
        """Take in what is on its way, for nobody."""
        while self._waiting:
            self._waiting.popleft().receive()

    def close(self) -> None:
        for helper in self._helpers:
            helper.close()


def rarely_collected() -> None:
    """A batch is many objects without cycles that die together: they are not to be walked each time."""
    gc.set_threshold(100_000)


class _Helper:
    def __init__(self, log: Log, topic: Topic, limit: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(
            target=_serve, args=(theirs, os.getpid(), log, topic, limit), name="certmark-ahead", daemon=True
        )
        self._process.start()
        theirs.close()
        self.start = -1
        self._end: int | None = None
        self._told = True

    def send(self, start: int, end: int, keys: Mapping[str, Mapping[str, str]]) -> None:
        self.start, self._end, self._told = start, None, False
        with contextlib.suppress(OSError):  # it has died, which `end` finds
            self._pipe.send((start, end, keys))

    def end(self) -> int | None:
        """Where its batch ends; None where it cannot give one."""
        if not self._told:
            with contextlib.suppress(EOFError, OSError):
                self._end = self._pipe.recv()
            self._told = True
        return self._end

    def receive(self) -> Batch | None:
        end = self.end()
        with contextlib.suppress(EOFError, OSError):
            return None if end is None else _unpacked(end, self._pipe.recv_bytes())
        return None

    def close(self) -> None:
        self._pipe.close()
        self._process.terminate()
        self._process.join(5)


def _serve(pipe: Pipe, parent: int, log: Log, topic: Topic, limit: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the projector's to answer; its end closes our pipe
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    gc.disable()  # the process ends with the way that it helps on
    known: dict[str, PublicKey] = {}
    with contextlib.suppress(EOFError, OSError):
        while os.getppid() == parent:
            start, end, keys = pipe.recv()
            for kid in keys.keys() - known.keys():
                known[kid] = public_key(keys[kid])
            records = _records(log, topic, start, end, limit)
            pipe.send(records[-1].position + 1 if records else None)
            if records:
                pipe.send_bytes(_packed(records, known))


def _records(log: Log, topic: Topic, start: int, end: int, limit: int) -> list[Record]:
    """From a position on as many as there may be, and are below an end; none where there is any trouble."""
    found: list[Record] = []
    try:
        while len(found) < limit and start < end and (more := log.read(topic, start, limit - len(found), _WAIT_S)):
            found += more
            start = more[-1].position + 1
    except CertmarkError:
        return []  # the projector meets the same, and says it
    return found


_WAIT_S = 1.0
"""For records that are known to be there: what a log takes that has them on the way."""


def _packed(records: list[Record], keys: Mapping[str, PublicKey]) -> bytes:
    """As plain tuples in Python's own form: a fifth of the time that pickle takes."""
    latest: dict[str, datetime] = {}
    prepared: list[tuple[object, ...]] = []
    unchecked: list[tuple[object, ...]] = []
    for record in records:
        kept = _prepared(record.key, record.value, keys, latest)
        if kept is not None and kept.fact is not None:
            prepared.append((*kept[:_PLAIN], tuple(kept.fact)))
        else:
            unchecked.append((record.position, record.key, record.value))
    return marshal.dumps((unchecked, prepared, {kid: at.isoformat() for kid, at in latest.items()}))


def _unpacked(end: int, answer: bytes) -> Batch:
    unchecked, prepared, latest = marshal.loads(answer)  # noqa: S302  # our own child wrote it
    return Batch(
        end,
        [Unchecked(*one) for one in unchecked],
        [Filed._make((*plain, Fact._make(fact), None)) for *plain, fact in prepared],
        {kid: datetime.fromisoformat(at) for kid, at in latest.items()},
    )


_PLAIN = Filed._fields.index("fact")
"""Members of a certificate's `Filed` that are texts, numbers and bytes; behind its fact it has none."""


def _prepared(key: str, value: bytes, keys: Mapping[str, PublicKey], latest: dict[str, datetime]) -> Filed | None:
    if not key.startswith("certificate/") or not value:
        return None
    try:
        sealed = open_sealed(value)
        public = keys.get(sealed.kid)
        if public is None:
            return None
        if sealed.alg not in HEADER_NAMES[public.alg]:
            return None
        public.verify(sealed.seal, sealed.signing_input)
        record = read_record(sealed.payload, sealed=True)
    except CertmarkError:
        return None  # the projector meets the same, and says it
    if record.key != key:
        return None
    kept = filed(record, value, sealed)
    if kept.found_by is None:
        return None  # a certificate that this version cannot read: the projector says so
    latest[sealed.kid] = max(latest.get(sealed.kid, record.recorded_at), record.recorded_at)
    return kept
