"""`python -m bench [FIGURE…] [--quick]`: measures, prints a table, keeps the numbers."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench import apply, as_of, imports, latency, listing_service, listings, lists, lookup, mark, scan, up
from bench.figures import Figure, chart, row
from bench.stage import busy
from deploy.kafka.broker import BrokerFailed
from services.domain.errors import CertmarkError

FIGURES: dict[str, Callable[..., list[Figure]]] = {
    "apply": apply.measure,
    "lookup": lookup.measure,
    "as_of": as_of.measure,
    "latency": latency.measure,
    "mark": mark.measure,
    "scan": scan.measure,
    "lists": lists.measure,
    "imports": imports.measure,
    "listings": listings.measure,
    "listing_service": listing_service.measure,
    "up": up.measure,
}
RESULTS = Path(__file__).parent / "results"


def main(arguments: Sequence[str]) -> int:
    """0 where every bar is met, 1 where one is missed or a figure could not be measured."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure; each figure beside a limit of the same run.")
    parser.add_argument("figure", nargs="*", help=f"which of {', '.join(FIGURES)}; all where none is named")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work: for trying out, not for quoting")
    told = parser.parse_args(arguments)
    unknown = [name for name in told.figure if name not in FIGURES]
    if unknown:
        parser.error(f"no such figure: {', '.join(unknown)}")
    console = Console()
    began = datetime.now().astimezone()
    cores, load, others = len(os.sched_getaffinity(0)), os.getloadavg()[0], busy()
    figures: list[Figure] = []
    failed: list[str] = []
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        for name in told.figure or FIGURES:
            try:
                figures += FIGURES[name](progress, quick=told.quick)
            except (CertmarkError, BrokerFailed, OSError, AssertionError) as error:
                failed.append(f"{name}: {type(error).__name__}: {error}")  # the others are still worth having
    machine = f"{cores} cores, {others:.0%} busy before, load {load:.2f}, Python {platform.python_version()}"
    _show(console, figures, f"{began:%Y-%m-%d %H:%M}, {machine}{', quick' if told.quick else ''}")
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{began:%Y-%m-%d-%H%M%S}.json"
    kept = {
        "began": began.isoformat(),
        "cores": cores,
        "load": load,
        "busy": others,
        "python": platform.python_version(),
    }
    kept |= {"quick": told.quick, "figures": [asdict(f) | {"ratio": f.ratio, "met": f.met} for f in figures]}
    file.write_text(json.dumps(kept, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    file.with_suffix(".svg").write_text(chart(figures, machine), encoding="utf-8")
    console.print(f"bench/results/{file.name}, and the same name with .svg", highlight=False)
    for complaint in failed:
        console.print(f"[red]not measured[/] {complaint}", highlight=False)
    return 1 if failed or any(figure.met is False for figure in figures) else 0


def _show(console: Console, figures: Sequence[Figure], title: str) -> None:
    table = Table(title=title)
    for heading in ("figure", "measured", "limit in the same run", "ratio", "bar", ""):
        table.add_column(heading)
    for figure in figures:
        table.add_row(*row(figure), style="red" if figure.met is False else "")
    console.print(table)
    for figure in figures:
        console.print(
            f"[bold]{figure.name}[/]: " + ", ".join(f"{n} {v}" for n, v in figure.raw.items()), soft_wrap=True
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
