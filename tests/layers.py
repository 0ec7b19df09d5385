"""Runs the layers of tests one after the other and ends with one verdict: `layers.py [lint | PATH …]`."""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
PARALLEL = ("-n", "2")
A_FILE_TO_A_PROCESS = ("--dist", "loadfile", "--no-loadscope-reorder")
"""In the order of `tests/conftest.py`, which begins with what takes longest."""


@dataclass(frozen=True, slots=True)
class Layer:
    """`folders` are run in one process of pytest with `options`; `needs` are made ready before."""

    name: str
    folders: tuple[str, ...]
    options: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


LAYERS = (
    Layer("unit, property and contract", ("tests/unit", "tests/property", "tests/contract"), PARALLEL),
    Layer(
        "integration",
        ("tests/integration",),
        (*PARALLEL, *A_FILE_TO_A_PROCESS),
        needs=("kafka", "nginx", "chromium", "fonts", "pango", "tesseract", "npm", "scanner"),
    ),
    Layer(
        "fault, e2e and clients",
        ("tests/fault", "tests/e2e", "tests/clients"),
        (*PARALLEL, *A_FILE_TO_A_PROCESS),
        needs=("kafka", "chromium", "fonts", "pango", "jdk", "go", "node", "npm", "scanner"),
    ),
)
LINTERS = (
    ("ruff", ("ruff", "check", ".")),
    ("format", ("ruff", "format", "--check", ".")),
    ("mypy", ("mypy",)),
    ("imports", ("lint-imports",)),
    ("spelling", ("codespell",)),
)


def main(arguments: Sequence[str]) -> int:
    verdicts: list[tuple[str, bool, float]] = []
    if not arguments or list(arguments) == ["lint"]:
        for name, command in LINTERS:
            print(f"\n── {name} ──", flush=True)
            verdicts.append(_timed(name, [str(BIN / command[0]), *command[1:]]))
    if list(arguments) != ["lint"]:
        for layer, paths in _chosen(arguments):
            print(f"\n── {layer.name} ──", flush=True)
            if not _ready(layer.needs):
                verdicts.append((layer.name, False, 0.0))
                continue
            # A folder that is missing or holds no test is a failure of its layer: pytest ends with 4 or 5.
            verdicts.append(_timed(layer.name, [sys.executable, "-m", "pytest", "-q", *layer.options, *paths]))
    print()
    for name, passed, seconds in verdicts:
        print(f"  {'passed' if passed else 'FAILED'}  {name} ({seconds:.0f} s)")
    passed = bool(verdicts) and all(passed for _, passed, _ in verdicts)
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


def _timed(name: str, command: list[str]) -> tuple[str, bool, float]:
    started = time.monotonic()
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    return name, code == 0, time.monotonic() - started


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
