"""Applied events a second, from the log to the commit, to the raw signature checks that one thread can do."""

import time

from rich.progress import Progress

from bench.figures import Figure
from bench.lives import Author, issues, lives
from bench.stage import Stage, load, stage, verification, wait_for
from services.domain.errors import Fault
from services.registry.intake import BATCH

WARM_UP = 2000
AHEAD = 2 * BATCH
"""Events that are left when the clock is stopped: what is read ahead then was read ahead when it began, too."""
PROCESSOR = "processor µs an event, "
ALL = f"{PROCESSOR}all"
VERIFYING = "processor µs a verification"


def measure(progress: Progress, *, quick: bool) -> list[Figure]:
    """The life of certificates and issues alone, worker and relay running as processes of their own."""
    count, alone = (6_000, 20_000) if quick else (12_000, 24_000)
    with stage() as register:
        register.found()
        author = Author(register.settings)
        first = applied(register, author, progress, list(lives(author, 0, count)), "lives", 0.4)
        second = applied(register, author, progress, list(issues(author, count, alone)), "issues alone", None)
    return [first, second]


def applied(
    register: Stage, author: Author, progress: Progress, events: list[tuple[str, bytes]], name: str, bar: float | None
) -> Figure:
    task = progress.add_task(f"apply: {name}", total=2 * len(events))
    before = register.counts()
    begin = register.log.bounds(register.topics.events)[1] + WARM_UP
    register.append(events, lambda done: progress.advance(task, done))
    raw = [verification(author, events)]
    end = register.log.bounds(register.topics.events)[1]
    with register.running("registry-worker", "registry-relay") as supervisor:
        wait_for(lambda: register.position() >= begin, 120, "the warm-up", pause=0.005)
        from_position, started = _after_a_commit(register)
        used = register.processor_seconds(supervisor)
        position, ended = from_position, started
        while position < end - AHEAD:
            time.sleep(0.2 if end - position > 2 * AHEAD else 0.01)  # rarely, as each look costs the server a little
            position, ended = register.position(), time.perf_counter()
            progress.update(task, completed=2 * len(events) - (end - position))
            if ended - started > 600:
                raise Fault(f"the worker stands at {position} of {end}")
        spent = register.processor_seconds(supervisor)
        behind = register.unrelayed()
        wait_for(lambda: register.position() == end and register.unrelayed() == 0, 120, "worker and relay")
    raw.append(verification(author, events))
    after = register.counts()
    if after["accepted"] - before["accepted"] < len(events):
        raise Fault(f"not every event was accepted: {after}")
    progress.remove_task(task)
    done = position - from_position
    if not done:
        raise Fault(f"{len(events)} events are too few: what is read ahead alone is {AHEAD}")

    def _each(seconds: float) -> float:
        return round(seconds / done * 1e6, 1)

    return Figure(
        f"applied, {name}",
        done / (ended - started),
        "events/s",
        sum(per_second for per_second, _ in raw) / len(raw),
        "Ed25519 verifications/s",
        bar,
        raw={
            "events": done,
            "seconds": round(ended - started, 2),
            "verifications/s before": round(raw[0][0]),
            "verifications/s after": round(raw[1][0]),
            VERIFYING: round(sum(each for _, each in raw) / len(raw) * 1e6, 1),
            **{f"{PROCESSOR}{name}": _each(seconds - used.get(name, 0.0)) for name, seconds in spent.items()},
            ALL: _each(sum(spent.values()) - sum(used.values())),
            "revisions the relay was behind": behind,
            "load": load(),
        },
    )


def _after_a_commit(register: Stage) -> tuple[int, float]:
    """The position just after the worker has moved it, and when that was."""
    before = register.position()
    position = wait_for(lambda: (now := register.position()) > before and now, 60, "the next batch", pause=0.005)
    return int(position), time.perf_counter()
