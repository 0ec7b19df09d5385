"""Turns into a command that the kernel ends together with the process which asked for it.

Run by its path with the standard library alone: `python -I -S child.py PARENT_PID COMMAND …`.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def become(parent: int, command: Sequence[str]) -> None:
    """Ask for SIGTERM at the parent's end, then be the command. Linux only; elsewhere an orphan lives on."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(1)  # it ended before we could ask
    os.execv(command[0], list(command))  # noqa: S606  # no shell is meant


if __name__ == "__main__":
    become(int(sys.argv[1]), sys.argv[2:])
