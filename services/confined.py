"""Has a module of ours work in a process of its own, which takes no more than it may: see `child.py`."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_CHILD = Path(__file__).with_name("child.py")
_TOLD = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "XDG_CACHE_HOME", "FONTCONFIG_PATH", "FONTCONFIG_FILE")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a process may take; None is as much as it likes.

    `memory` is bytes of address space, `seconds` are of processor time, `files` open at once, `nice` by how much it
    stands back behind others. No file grows by it unless it `writes`, and its memory is never dumped into one.
    """

    memory: int
    seconds: int | None = None
    files: int | None = None
    nice: int = 0
    writes: bool = False

    def __str__(self) -> str:
        """As `child.py` reads it."""
        none = None if self.writes else 0
        said = {"AS": self.memory, "CPU": self.seconds, "NOFILE": self.files, "FSIZE": none, "CORE": 0}
        return ",".join(f"{name}={value}" for name, value in {**said, "nice": self.nice}.items() if value is not None)


def command(words: Sequence[str], limits: Limits | None = None, *, outlives: bool = False) -> list[str]:
    """A command that ends with the thread that starts it, unless it `outlives` it."""
    parent = 0 if outlives else os.getpid()
    return [sys.executable, "-I", "-S", str(_CHILD), str(parent), str(limits or ""), *words]


def module(name: str, *arguments: str) -> list[str]:
    """The command that runs a module of ours, wherever we are."""
    return [sys.executable, "-I", "-m", name, *arguments]


def environment() -> dict[str, str]:
    """What a confined process is told of ours: where programs and fonts are, none of our settings."""
    return {name: os.environ[name] for name in _TOLD if name in os.environ}


def answer(name: str, limits: Limits, given: bytes, patience: float) -> subprocess.CompletedProcess[bytes]:
    """What a module of ours says to what it is given.

    Raises:
        subprocess.TimeoutExpired: nothing within so many seconds; it is killed.
    """
    words = command(module(name), limits)
    return subprocess.run(words, input=given, capture_output=True, timeout=patience, check=False, env=environment())
