"""Runs the linters and the layers of tests and ends with one verdict: `layers.py [lint | PATH …]`.

The order of the files and what a test draws by chance follow from the seed that is printed; `SEED=… make test` repeats
both. (It reaches `random` and Hypothesis. Keys are new every time.)
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class Layer:
    """`folders` are run in one process of pytest with `options`; `needs` are made ready before."""

    name: str
    folders: tuple[str, ...]
    options: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


LAYERS = (
    Layer("unit, property and contract", ("tests/unit", "tests/property", "tests/contract"), ("-n", "2")),
    # A third of the time is waiting for servers, so there are three processes for two processors. They share one run:
    # each run ends with one file that takes long, and nothing else to do.
    Layer(
        "integration, fault, e2e and clients",
        ("tests/integration", "tests/fault", "tests/e2e", "tests/clients"),
        ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder"),  # in the order of tests/conftest.py
        needs=("kafka", "nginx", "chromium", "fonts", "pango", "tesseract", "jdk", "go", "node", "npm", "scanner"),
    ),
)
LINTERS = (
    ("ruff", ("ruff", "check", ".")),
    ("format", ("ruff", "format", "--check", ".")),
    ("mypy", ("mypy",)),
    ("imports", ("lint-imports",)),
    ("spelling", ("codespell",)),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    name: str
    passed: bool
    seconds: float
    printed: str = ""


def main(arguments: Sequence[str]) -> int:
    seed = os.environ.get("SEED") or str(random.getrandbits(32))
    lint_only = list(arguments) == ["lint"]
    verdicts: list[Verdict] = []
    with ThreadPoolExecutor(len(LINTERS)) as beside:
        linting = [beside.submit(_lint, *linter) for linter in LINTERS] if lint_only or not arguments else []
        for layer, paths in [] if lint_only else _chosen(arguments):
            print(f"\n── {layer.name} (SEED={seed}) ──", flush=True)
            verdicts.append(_test(layer, paths, seed))
            verdicts += _told(linting)
            linting = []
        verdicts += _told(linting)
    print()
    for verdict in verdicts:
        print(f"  {'passed' if verdict.passed else 'FAILED'}  {verdict.name} ({verdict.seconds:.0f} s)")
    passed = bool(verdicts) and all(verdict.passed for verdict in verdicts)
    print(f"\n{'PASSED' if passed else 'FAILED'}")
    return 0 if passed else 1


def _chosen(paths: Sequence[str]) -> list[tuple[Layer, list[str]]]:
    """Each layer with the paths that lie in it; all of them where none is named."""
    chosen: list[tuple[Layer, list[str]]] = []
    left = set(paths)
    for layer in LAYERS:
        mine = [p for p in paths if _within(p, layer.folders)]
        left.difference_update(mine)
        if not paths or "tests" in {p.rstrip("/") for p in paths}:
            mine = list(layer.folders)
        if mine:
            chosen.append((layer, mine))
    unknown = sorted(p for p in left if p.rstrip("/") != "tests")
    if unknown:
        sys.exit(f"{', '.join(unknown)}: in none of {', '.join(f for layer in LAYERS for f in layer.folders)}")
    return chosen


def _within(path: str, folders: tuple[str, ...]) -> bool:
    named = (ROOT / path.partition("::")[0]).resolve()
    return any(named.is_relative_to(ROOT / folder) for folder in folders)


def _ready(needs: Sequence[str]) -> bool:
    made = [n for n in needs if n in ("kafka", "nginx", "scanner")]
    packages = [n for n in needs if n not in made]
    commands = []
    if packages:
        commands.append(["deploy/system_packages.sh", *packages])
    commands += [["make", "--no-print-directory", target] for target in made]
    return all(subprocess.run(command, cwd=ROOT, check=False).returncode == 0 for command in commands)


def _test(layer: Layer, paths: Sequence[str], seed: str) -> Verdict:
    if not _ready(layer.needs):
        return Verdict(layer.name, False, 0.0)
    # A folder that is missing or holds no test is a failure of its layer: pytest ends with 4 or 5.
    by_seed = (f"--randomly-seed={seed}", f"--hypothesis-seed={seed}")
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *by_seed, *layer.options, *paths], cwd=ROOT, check=False
    )
    return Verdict(layer.name, done.returncode == 0, time.monotonic() - started)


def _lint(name: str, command: Sequence[str]) -> Verdict:
    """One linter, beside the first layer: the longest of them keeps a single processor busy."""
    started = time.monotonic()
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Verdict(name, done.returncode == 0, time.monotonic() - started, done.stdout)


def _told(linting: Sequence[Future[Verdict]]) -> list[Verdict]:
    verdicts = [future.result() for future in linting]
    for verdict in verdicts:
        print(f"\n── {verdict.name} ──\n{verdict.printed}", end="", flush=True)
    return verdicts


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
