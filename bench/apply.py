"""Applied events a second, from the log to the commit, to the raw signature checks that one thread can do."""

import time

from rich.progress import Progress

from bench.figures import Figure
from bench.lives import Author, issues, lives
from bench.stage import Stage, load, stage, verifications_per_second, wait_for
from services.domain.errors import Fault

WARM_UP = 2000


def measure(progress: Progress, *, quick: bool) -> list[Figure]:
    """The life of certificates and issues alone, worker and relay running as processes of their own."""
    count = 3_000 if quick else 12_000
    with stage() as register:
        register.found()
        author = Author(register.settings)
        first = applied(register, author, progress, list(lives(author, 0, count)), "lives", 0.28)
        second = applied(register, author, progress, list(issues(author, count, 2 * count)), "issues alone", None)
    return [first, second]


def applied(
    register: Stage, author: Author, progress: Progress, events: list[tuple[str, bytes]], name: str, bar: float | None
) -> Figure:
    task = progress.add_task(f"apply: {name}", total=2 * len(events))
    before = register.counts()
    begin = register.log.bounds(register.topics.events)[1] + WARM_UP
    register.append(events, lambda done: progress.advance(task, done))
    raw = [verifications_per_second(author, events)]
    end = register.log.bounds(register.topics.events)[1]
    with register.running("registry-worker", "registry-relay"):
        wait_for(lambda: register.position() >= begin, 120, "the warm-up", pause=0.005)
        from_position, started = _after_a_commit(register)
        position, ended = from_position, started
        while position < end:
            time.sleep(0.2 if end - position > WARM_UP else 0.01)  # rarely, as each look costs the server a little
            position, ended = register.position(), time.perf_counter()
            progress.update(task, completed=2 * len(events) - (end - position))
            if ended - started > 600:
                raise Fault(f"the worker stands at {position} of {end}")
        behind = register.unrelayed()
        wait_for(lambda: register.unrelayed() == 0, 120, "the relay")
        relayed = time.perf_counter()
    raw.append(verifications_per_second(author, events))
    after = register.counts()
    if after["accepted"] - before["accepted"] < len(events):
        raise Fault(f"not every event was accepted: {after}")
    progress.remove_task(task)
    return Figure(
        f"applied, {name}",
        (position - from_position) / (ended - started),
        "events/s",
        sum(raw) / len(raw),
        "Ed25519 verifications/s",
        bar,
        raw={
            "events": position - from_position,
            "seconds": round(ended - started, 2),
            "verifications/s before": round(raw[0]),
            "verifications/s after": round(raw[1]),
            "revisions the relay was behind": behind,
            "seconds until the relay was done": round(relayed - ended, 2),
            "load": load(),
        },
    )


def _after_a_commit(register: Stage) -> tuple[int, float]:
    """The position just after the worker has moved it, and when that was."""
    before = register.position()
    position = wait_for(lambda: (now := register.position()) > before and now, 60, "the next batch", pause=0.005)
    return int(position), time.perf_counter()
