"""Whether applying stays as fast while the register grows: `python -m bench.plot [--up-to N] [--out FILE.svg]`.

At each size the same mixture of events is applied: whole lives of new certificates, and nearly as many events about
certificates drawn evenly from those that are there. Before it is measured, the register is cleared up
(vacuum, checkpoint), so that no size has more than another of what runs behind its load.
"""

import argparse
import math
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from bench.apply import ALL, PROCESSOR, VERIFYING, applied
from bench.figures import number
from bench.lives import LIFE, Author, issues, lives, number_of
from bench.stage import Stage, load, stage, wait_for
from services import chart

SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
LIVES = 4_000
"""Whole lives that are measured at each size, four events each."""
DRAWN = 10_000
"""Events beside them about certificates that are there, each about another one: as many at every size."""
PORTION = 20_000
"""Certificates that are signed and put into the log at a time."""

PARTS = (
    ("worker", ("registry-worker",)),
    ("helper", ("registry-worker's helper",)),
    ("relay", ("registry-relay",)),
    ("PostgreSQL", ("PostgreSQL",)),
    ("its background", ("PostgreSQL's background",)),
)
"""The processes among which an event's processor time is divided, as the table heads them."""


@dataclass(frozen=True, slots=True)
class Point:
    """What was measured with so many certificates in the register; `busy` is the machine's load then.

    `spent` is the processor time of an event in all processes, `verifying` that of a raw verification, both in
    microseconds: others on the machine stretch the clock, and these far less. `parts` is `spent` by process.
    """

    certificates: int
    applied: float
    verified: float
    spent: float
    verifying: float
    busy: str
    parts: Mapping[str, float]

    @property
    def ratio(self) -> float:
        return self.applied / self.verified

    @property
    def work(self) -> float:
        """How many raw verifications the processors could have done instead of one event."""
        return self.spent / self.verifying


def points(progress: Progress, sizes: Sequence[int]) -> Iterator[Point]:
    """Load up to each size by signed events through worker and relay, and measure there."""
    with stage() as register:
        register.found()
        author, held = Author(register.settings), 0
        for size in sizes:
            _loaded(register, author, progress, held, size)
            chance = random.Random(size)
            probe = list(_mixed(author, chance, size, size + LIVES))
            figure = applied(register, author, progress, probe, f"{size:,} certificates", None)
            assert figure.limit is not None
            spent, verifying = float(figure.raw[ALL]), float(figure.raw[VERIFYING])
            parts = {part: sum(float(figure.raw.get(PROCESSOR + name, 0)) for name in names) for part, names in PARTS}
            yield Point(size, figure.value, figure.limit, spent, verifying, load(), parts)
            held = size + LIVES


def _loaded(register: Stage, author: Author, progress: Progress, held: int, size: int) -> None:
    task = progress.add_task(f"load to {size:,}", total=size - held)
    with register.running("registry-worker", "registry-relay"):
        for first in range(held, size, PORTION):
            register.append(list(issues(author, first, min(PORTION, size - first))), lambda done: None)
            _, end = register.log.bounds(register.topics.events)
            # The next portion is signed while this one is applied, and no more than one waits.
            wait_for(lambda end=end: register.position() >= end - PORTION, 600, "the worker", pause=0.2)  # type: ignore[misc]
            progress.update(task, completed=first - held)
        _, end = register.log.bounds(register.topics.events)
        wait_for(lambda: register.position() >= end, 600, "the worker", pause=0.2)
        wait_for(lambda: register.unrelayed() == 0, 600, "the relay", pause=0.2)
    register.clear_up()
    progress.remove_task(task)


def _mixed(author: Author, chance: random.Random, size: int, last: int) -> Iterator[tuple[str, bytes]]:
    """The lives of new certificates, with events between them about those that are there: each about another one."""
    places = iter(chance.sample(range(size), DRAWN))
    event_type, data = LIFE[0]
    for subject, jws in lives(author, size, last - size):
        yield subject, jws
        place = next(places, None)
        if place is not None:
            yield number_of(place), author.say(number_of(place), event_type, data)


def drawn(found: Sequence[Point], machine: str) -> bytes:
    """The chart as a file of its own."""
    at = [math.log10(point.certificates) for point in found]
    work = chart.Curve(
        chart.Series("processor time", "c1"),
        tuple(zip(at, (point.work for point in found), strict=True)),
    )
    speed = chart.Curve(
        chart.Series("time by the clock", "c2"),
        tuple(zip(at, (1 / point.ratio for point in found), strict=True)),
    )
    names = [(math.log10(point.certificates), f"{point.certificates // 1000}k") for point in found]
    about = "; ".join(f"{p.certificates:,}: {p.work:.2f} by processor, {1 / p.ratio:.2f} by the clock" for p in found)
    title = f"What applying an event takes, by certificates in the register ({machine})"
    return chart.standalone(chart.line_chart([work, speed], title, about, name="flat", names=names))


def table(found: Sequence[Point]) -> str:
    """The rows that the chart was drawn from, as Markdown."""
    headings = (
        "certificates",
        "applied events/s",
        "raw verifications/s",
        "ratio",
        "processor µs an event",
        *(f"of it {part}" for part, _ in PARTS),
        "processor µs a verification",
        "verifications an event",
        "load",
    )
    rows = [headings, ("---",) * len(headings)]
    rows += [
        (
            f"{p.certificates:,}",
            number(p.applied),
            number(p.verified),
            f"{p.ratio:.3f}",
            number(p.spent),
            *(number(p.parts[part]) for part, _ in PARTS),
            number(p.verifying),
            f"{p.work:.2f}",
            p.busy,
        )
        for p in found
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench.plot", description=__doc__)
    parser.add_argument("--up-to", type=int, default=SIZES[-1], help="the largest size to load (default 1,000,000)")
    parser.add_argument("--out", type=Path, default=Path("bench/results/flat.svg"), help="the chart's file")
    told = parser.parse_args(arguments)
    console = Console()
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    found: list[Point] = []
    with Progress(*columns, console=console, transient=True) as progress:
        for point in points(progress, [size for size in SIZES if size <= told.up_to]):
            found.append(point)
            console.print(f"{point.certificates:,}: {number(point.applied)}/s, {point.ratio:.3f} of verification")
            # Written after each size: what was measured stands, whatever becomes of the next hour.
            told.out.parent.mkdir(parents=True, exist_ok=True)
            told.out.write_bytes(drawn(found, "two shared cores"))
            told.out.with_suffix(".md").write_text(table(found) + "\n", encoding="utf-8")
    console.print(table(found), highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
