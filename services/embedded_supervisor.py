"""Keeps the embedded PostgreSQL alive for as long as the process that asked for it lives, and never longer.

Run by its path with the standard library alone (`python -I -S embedded_supervisor.py <JSON of Orders>`), so that it is
small, starts fast, and has one thread. It ends the server when its own parent ends (however that happens), when its
standard input closes, or on SIGTERM. Where it is killed itself the kernel ends the server (PR_SET_PDEATHSIG). A server
that ends unasked, a killed one too, is started again. The locks it was given stay held until the server has ended.
"""

import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
LOOK_S = 0.25
FAST_STOP_S = 20.0
IMMEDIATE_STOP_S = 10.0
LONGEST_PAUSE_S = 5.0


@dataclass(frozen=True, slots=True)
class Orders:
    """What to run. `uid` is None for the own user; `pass_fds` are the descriptors the server's arguments name.

    `remove` are files and folders that only make sense while the server runs.
    """

    owner: int
    command: list[str]
    uid: int | None
    pass_fds: list[int]
    environment: dict[str, str]
    remove: list[str]


def die_with_parent(stop: int) -> None:
    """Have the kernel send `stop` to this process when its parent ends. Linux only; elsewhere it does nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, stop)


def become(uid: int | None) -> None:
    """Drop to `uid` with the group of the same number and no others. A death signal has to be asked for after it."""
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    os.umask(0o077)


def supervise(orders: Orders) -> int:
    stopping = False

    def stop(_signal: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    orphaned = select.poll()
    orphaned.register(0, select.POLLIN | select.POLLHUP)
    pause = 0.1
    while not stopping:
        started = time.monotonic()
        server = _start(orders)
        while server.poll() is None and not stopping:
            if orphaned.poll(LOOK_S * 1000) or os.getppid() != orders.owner:
                stopping = True
        if stopping:
            _stop(server)
        else:
            pause = 0.1 if time.monotonic() - started > 30 else min(pause * 2, LONGEST_PAUSE_S)
            if orphaned.poll(pause * 1000) or os.getppid() != orders.owner:
                stopping = True
    for name in orders.remove:
        path = Path(name)
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return 0


def _start(orders: Orders) -> "subprocess.Popen[bytes]":
    def prepare() -> None:
        become(orders.uid)
        # SIGINT is PostgreSQL's fast shutdown. A parent that ended before this line is seen by the comparison.
        die_with_parent(signal.SIGINT)
        if os.getppid() != parent:
            os._exit(1)

    parent = os.getpid()
    return subprocess.Popen(
        orders.command,
        stdin=subprocess.DEVNULL,
        pass_fds=orders.pass_fds,
        env=orders.environment,
        preexec_fn=prepare,  # safe here: this process has one thread
        start_new_session=True,
    )


def _stop(server: "subprocess.Popen[bytes]") -> None:
    """Fast shutdown, then immediate shutdown (the next start recovers from the log), then kill."""
    for number, seconds in ((signal.SIGINT, FAST_STOP_S), (signal.SIGQUIT, IMMEDIATE_STOP_S), (signal.SIGKILL, None)):
        server.send_signal(number)
        try:
            server.wait(seconds)
            return
        except subprocess.TimeoutExpired:
            continue


if __name__ == "__main__":
    sys.exit(supervise(Orders(**json.loads(sys.argv[1]))))
