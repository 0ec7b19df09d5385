"""Turns into a command that takes no more than it may, and that the kernel ends together with who asked for it.

Run by its path with the standard library alone: `python -I -S child.py PARENT_PID LIMITS COMMAND …`, as `confined.py`
writes it. With PARENT_PID 0 nobody's end ends it.
"""

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def take_away(limits: str) -> None:
    """`AS=1073741824,CPU=5,nice=5`: the names of setrlimit(2), and by how much to stand back behind others.

    The command cannot take anything back, nor is it given more than we have ourselves.
    """
    for limit in filter(None, limits.split(",")):
        name, _, value = limit.partition("=")
        if name == "nice":
            os.nice(int(value))
            continue
        kind = getattr(resource, f"RLIMIT_{name}")
        ours = resource.getrlimit(kind)[1]
        most = int(value) if ours == resource.RLIM_INFINITY else min(int(value), ours)
        resource.setrlimit(kind, (most, most))


def become(parent: int, command: Sequence[str]) -> None:
    """Ask for SIGTERM at the parent's end, then be the command. Linux only; elsewhere an orphan lives on."""
    if parent:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            sys.exit(1)  # it ended before we could ask
    os.execv(command[0], list(command))  # noqa: S606  # no shell is meant


if __name__ == "__main__":
    take_away(sys.argv[2])
    become(int(sys.argv[1]), sys.argv[3:])
