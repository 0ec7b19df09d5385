"""Frames of rows through several checking processes, findings back in their order."""

import gc
import multiprocessing
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from queue import SimpleQueue
from types import TracebackType
from typing import Any

from services.domain.errors import CertmarkError, Fault
from services.domain.listing import Sighting
from services.listings.checking import Checked, Source, checked_frame
from services.listings.reading import Frame

_AHEAD = 2
"""Frames that wait at each process, so that none is idle while we write."""


class CheckingStopped(Fault):
    slug = "checking-stopped"
    title = "A process that checks listings has ended; what was checked so far is kept"
    zh = "核查进程已终止，已核查的部分保留"


class Workers:
    """`count` processes that each make a source of their own by `make` and check what they are handed."""

    def __init__(self, count: int, make: Callable[[], Source]) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would share the sockets of the database
        self._pipes: list[Connection[Any, Any]] = []
        self._answers: list[SimpleQueue[object]] = []
        self._processes = []
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, make), daemon=True)
            process.start()
            theirs.close()
            answers: SimpleQueue[object] = SimpleQueue()
            # A thread takes what comes: frame and findings are each larger than a pipe, and both sides would wait.
            threading.Thread(target=_take, args=(ours, answers), daemon=True).start()
            self._pipes.append(ours)
            self._answers.append(answers)
            self._processes.append(process)

    def checked(self, frames: Iterable[tuple[Frame, Mapping[str, Sighting]]]) -> Iterator[Checked]:
        """The findings on each frame, in order.

        Raises:
            CheckingStopped: a process ended. CertmarkError: what stopped one of them.
        """
        waiting: deque[SimpleQueue[object]] = deque()
        for place, (frame, sightings) in enumerate(frames):
            pipe = self._pipes[place % len(self._pipes)]
            try:
                pipe.send((frame.packed, frame.first, dict(sightings)))
            except OSError:
                raise CheckingStopped("a checking process ended") from None
            waiting.append(self._answers[place % len(self._pipes)])
            if len(waiting) >= _AHEAD * len(self._pipes):
                yield _received(waiting.popleft())
        while waiting:
            yield _received(waiting.popleft())

    def close(self) -> None:
        for process in self._processes:
            process.kill()  # nothing is theirs to keep: what they found was taken, or is found again
        for process in self._processes:
            process.join()
        for pipe in self._pipes:
            pipe.close()

    def __enter__(self) -> "Workers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _take(pipe: "Connection[Any, Any]", answers: "SimpleQueue[object]") -> None:
    """Put what a process answers into a queue, None at its end."""
    with suppress(EOFError, OSError):
        while True:
            answers.put(pipe.recv())
    answers.put(None)


def _received(answers: "SimpleQueue[object]") -> Checked:
    found = answers.get()
    if isinstance(found, tuple):
        raise CheckingStopped(f"{found[0]}: {found[1]}")
    if not isinstance(found, Checked):
        raise CheckingStopped("a checking process ended")
    return found


def _work(pipe: "Connection[Any, Any]", make: Callable[[], Source]) -> None:
    """Check what comes until there is nothing more, or who asks has gone."""
    with suppress(EOFError, OSError, KeyboardInterrupt):
        try:
            source = make()
            # Nothing here makes cycles, and a collector that walks all that is kept took a fifth of the time.
            gc.disable()
            while (task := pipe.recv()) is not None:
                packed, first, sightings = task
                pipe.send(checked_frame(packed, first, source, sightings))
        except CertmarkError as error:
            pipe.send((error.slug, error.detail))


class Codes:
    """Units' codes over a whole file: which of them more than one shop shows."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[str, int]] = {}
        self._copied: set[str] = set()
        self._again: dict[int, set[str]] = {}

    def of(self, frame: Frame) -> dict[str, Sighting]:
        """What is known of the codes in a frame, with those of the frames before it."""
        for _, code, shop in frame.codes:
            begun = self._first.setdefault(code, (shop, frame.first))
            if begun[0] != shop and code not in self._copied:
                self._copied.add(code)
                if begun[1] != frame.first:
                    self._again.setdefault(begun[1], set()).add(code)
        return self.sightings(frame)

    def sightings(self, frame: Frame) -> dict[str, Sighting]:
        return sightings(frame, self._copied)

    @property
    def copied(self) -> frozenset[str]:
        """The codes that more than one shop shows."""
        return frozenset(self._copied)

    @property
    def again(self) -> frozenset[int]:
        """The frames, by their first row, that were checked before the other shop turned up."""
        return frozenset(self._again)


def sightings(frame: Frame, copied: Collection[str]) -> dict[str, Sighting]:
    """Of the codes in a frame, those that more than one shop shows."""
    return {code: Sighting(other_shops=1) for _, code, _ in frame.codes if code in copied}
