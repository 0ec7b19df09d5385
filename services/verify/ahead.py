"""Reads the state topic ahead of a projector that has far to go, in helper processes that verify what comes next."""

import contextlib
import gc
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection as Pipe
from multiprocessing.process import BaseProcess
from typing import NamedTuple, TypeAlias

from services.domain.errors import CertmarkError
from services.events.keys import HEADER_NAMES, PublicKey, public_key
from services.events.log import Log, Record, Topic
from services.events.record import open_sealed, read_record
from services.verify.filed import Filed
from services.verify.filing import filed


class Prepared(NamedTuple):
    """What is to be written of a certificate's record, whose seal holds under the key with this kid.

    A kid is a hash of its key, so that the seal holds is a fact about the bytes; whether the key counts, and counted
    when the record was made, is the projector's to judge.
    """

    kid: str
    filed: Filed


_Answer: TypeAlias = tuple[list[Prepared | None], dict[str, datetime]]


@dataclass(frozen=True, slots=True)
class Batch:
    """Records as they were read; `prepared` beside each, None for what the projector has to look at itself.

    `latest` is, by the kid of their seals, when the latest of the prepared records was made.
    """

    records: list[Record]
    prepared: list[Prepared | None]
    latest: Mapping[str, datetime]


@dataclass(frozen=True, slots=True)
class _Way:
    """Records as they were read from a position on."""

    start: int
    records: list[Record]


class Ahead:
    """Each helper has one batch at a time, so that nobody ever waits for a pipe that is full.

    The batch after theirs is read from the log while they work: who is done has the next one at once.
    """

    def __init__(self, log: Log, topic: Topic, limit: int, helpers: int) -> None:
        self._log = log
        self._topic = topic
        self._limit = limit
        self._helpers = [_Helper() for _ in range(helpers)]
        self._waiting: deque[tuple[_Helper, _Way]] = deque()
        self._ready: _Way | None = None
        self._next = -1

    def read(self, position: int, end: int, keys: Mapping[str, Mapping[str, str]], wait: float) -> Batch:
        """The batch from a position; further ones below `end` are on their way when it returns. `keys` are JWKs by kid.

        Raises:
            LogUnavailable, LogTruncated: as the log says; to ask again from the same position loses nothing.
        """
        if not self._waiting or self._waiting[0][1].start != position:
            self._finish()
            self._next = position
        for helper in self._helpers:
            if all(helper is not busy for busy, _ in self._waiting):
                self._send(helper, end, keys, 0.0 if self._waiting else wait)
        if not self._waiting:
            return Batch([], [], {})
        helper, way = self._waiting.popleft()
        prepared, latest = helper.receive()
        self._send(helper, end, keys, 0.0)
        self._ready = self._read(end, 0.0)
        return Batch(way.records, prepared, latest)

    def _send(self, helper: "_Helper", end: int, keys: Mapping[str, Mapping[str, str]], wait: float) -> None:
        way, self._ready = self._ready or self._read(end, wait), None
        if way is not None:
            helper.send(way.records, keys)
            self._waiting.append((helper, way))

    def _read(self, end: int, wait: float) -> _Way | None:
        start = self._next
        records = self._log.read(self._topic, start, self._limit, wait) if start < end else []
        if not records:
            return None
        self._next = records[-1].position + 1
        return _Way(start, records)

    def _finish(self) -> None:
        """Take in what is on its way, for nobody."""
        self._ready = None
        while self._waiting:
            self._waiting.popleft()[0].receive()

    def close(self) -> None:
        for helper in self._helpers:
            helper.close()


def rarely_collected() -> None:
    """A batch is many objects without cycles that die together: they are not to be walked each time."""
    gc.set_threshold(100_000)


class _Helper:
    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(
            target=_serve, args=(theirs, os.getpid()), name="certmark-ahead", daemon=True
        )
        self._process.start()
        theirs.close()

    def send(self, records: list[Record], keys: Mapping[str, Mapping[str, str]]) -> None:
        self._count = len(records)
        with contextlib.suppress(OSError):  # it has died, which `receive` finds
            self._pipe.send((keys, [(r.key, r.value if r.key.startswith("certificate/") else b"") for r in records]))

    def receive(self) -> _Answer:
        """What became of the records; nothing where the helper has died: they are then looked at without it."""
        try:
            answer: _Answer = self._pipe.recv()
            return answer
        except (EOFError, OSError):
            return [None] * self._count, {}

    def close(self) -> None:
        self._pipe.close()
        self._process.terminate()
        self._process.join(5)


def _serve(pipe: Pipe, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the projector's to answer; its end closes our pipe
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    rarely_collected()
    known: dict[str, PublicKey] = {}
    while os.getppid() == parent:
        try:
            keys, values = pipe.recv()
        except (EOFError, OSError):
            return
        for kid in keys.keys() - known.keys():
            known[kid] = public_key(keys[kid])
        latest: dict[str, datetime] = {}
        pipe.send(([_prepared(key, value, known, latest) for key, value in values], latest))


def _prepared(key: str, value: bytes, keys: Mapping[str, PublicKey], latest: dict[str, datetime]) -> Prepared | None:
    if not value:
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
    return Prepared(sealed.kid, kept)
