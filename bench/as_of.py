"""How long «what stood on that day, as known then» takes in the registry, beside one bare indexed SELECT."""

import random
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from rich.progress import Progress

from bench.figures import Figure, percentile
from bench.lives import Author, lives, number_of
from bench.stage import load, stage, wait_for
from services.postgres import Cursor, transaction
from services.registry.as_of import as_of

FIRST, DAYS = date(2024, 2, 1), 200
"""Days on which each certificate's later events have not taken effect yet: its entries are folded anew."""

BAR_MS = 5.0


def measure(progress: Progress, *, quick: bool) -> list[Figure]:
    """Certificates with four entries each; every look-up is folded, half of them as known at an instant."""
    count, asked = (1_000, 1_000) if quick else (12_000, 5_000)
    with stage() as register:
        register.found()
        events = list(lives(Author(register.settings), 0, count))
        task = progress.add_task("as-of: certificates", total=2 * len(events))
        register.append(events, lambda done: progress.advance(task, done))
        end = register.log.bounds(register.topics.events)[1]
        with register.running("registry-worker"):
            wait_for(lambda: register.position() >= end, 300, "the worker", pause=0.2)
        progress.update(task, completed=2 * len(events), total=2 * len(events))
        chance, now = random.Random(count), datetime.now(UTC)
        folded: list[float] = []
        bare: list[float] = []
        with transaction(register.connection) as cur:
            cur.execute("ANALYZE entries")
        for _ in range(asked):
            number, day = number_of(chance.randrange(count)), FIRST + timedelta(days=chance.randrange(DAYS))
            known_at = now if chance.randrange(2) else None
            with transaction(register.connection) as cur:
                folded.append(_milliseconds(lambda: as_of(cur, number, day, known_at)))  # noqa: B023
                bare.append(_milliseconds(lambda: _select(cur, number)))  # noqa: B023
        progress.remove_task(task)
    middle = percentile(bare, 50)
    raw: dict[str, float | str] = {
        "certificates": count,
        "entries each": 4,
        "asked": asked,
        "p50 ms": round(percentile(folded, 50), 2),
        "p99 ms": round(percentile(folded, 99), 2),
        "p50 ms of the SELECT": round(middle, 3),
        "p99 ms of the SELECT": round(percentile(bare, 99), 3),
        "load": load(),
    }
    blocks = _blocks(folded)
    of_blocks: dict[str, float | str] = {"p99 ms of each tenth": " ".join(f"{one:.1f}" for one in blocks)}
    return [
        Figure("as of a day, median", percentile(folded, 50), "ms", middle, "ms for one SELECT", raw=raw),
        Figure("as of a day, p99", percentile(blocks, 50), "ms", bar=BAR_MS, at_least=False, raw=of_blocks),
    ]


def _blocks(folded: list[float]) -> list[float]:
    """The p99 of each tenth of the run, so that a pause of the machine spoils one of ten."""
    size = len(folded) // 10
    return [percentile(folded[first : first + size], 99) for first in range(0, size * 10, size)]


def _milliseconds(ask: Callable[[], object]) -> float:
    started = time.perf_counter()
    ask()
    return (time.perf_counter() - started) * 1000


def _select(cur: Cursor, number: str) -> object:
    cur.execute("SELECT state FROM records WHERE key = %s", (f"certificate/{number}",))
    return cur.fetchone()
