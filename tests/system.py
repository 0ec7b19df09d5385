"""The whole system as its user starts it, `certmark up` in a process of its own, and a look at it from outside."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

CERTMARK = Path(sys.executable).with_name("certmark")
READY_WITHIN_S = 90.0


class System:
    """`certmark up --demo` on ports and a folder of its own. Everything below it ends with it."""

    def __init__(self, data: Path, ports: Sequence[int], *options: str, **environment: str) -> None:
        self.data = data
        self._command = [str(CERTMARK), "up", "--demo", *options]
        self._last = "}\n" if "--json" in options else "Ctrl-C"
        self.verify, self.events, self.registry = (f"http://127.0.0.1:{port}" for port in ports)
        names = ("CERTMARK_VERIFY_PORT", "CERTMARK_EVENTS_PORT", "CERTMARK_REGISTRY_PORT")
        given = {name: str(port) for name, port in zip(names, ports, strict=True)}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CERTMARK_")}
        self.environment = inherited | given | {"CERTMARK_DATA": str(data)} | environment
        self.output = data.with_suffix(".out")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def start(self) -> Self:
        """Start it and wait until it has printed all that it prints."""
        with self.output.open("wb") as out:
            self._process = subprocess.Popen(
                self._command, env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        try:
            wait_for(lambda: self._last in self.printed() or self._ended(), READY_WITHIN_S, self.printed)
            assert not self._ended(), self.printed()
        except BaseException:
            self.stop()
            raise
        return self

    def _ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def printed(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def stop(self, number: int = signal.SIGINT) -> int:
        """End it as Ctrl-C does; its exit code."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(number)
        return self._process.wait(60)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def certmark(self, *arguments: str, given: bytes = b"", code: int | None = 0) -> str:
        """Run the command line as a user of this system would, and see that it ends with the code expected."""
        done = subprocess.run(
            [str(CERTMARK), *arguments],
            env=self.environment,
            input=given,
            capture_output=True,
            timeout=120,
            check=False,
        )
        if code is not None:
            assert done.returncode == code, (arguments, done.stdout.decode(), done.stderr.decode())
        return done.stdout.decode()

    def processes(self) -> dict[str, list[int]]:
        """The running processes below ours by what they do: `registry.worker`, `events.ingest` … `postgres`."""
        assert self._process is not None
        found: dict[str, list[int]] = {}
        for pid in _descendants(self._process.pid):
            name = _named(pid)
            if name:
                found.setdefault(name, []).append(pid)
        return found


_NAMES = (
    ("services.registry.worker", "worker"),
    ("services.registry.relay", "relay"),
    ("services.registry.webhooks", "webhooks"),
    ("services.registry.lists", "lists"),
    ("services.registry.checks", "checks"),
    ("services.verify.projector", "projector"),
    ("services.registry.api", "registry"),
    ("services.events.ingest", "events"),
    ("services.verify.api", "verify"),
    ("spawn_main", "intake"),
    ("bin/postgres\0", "postgres"),
)


def _named(pid: int) -> str | None:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return next((name for part, name in _NAMES if part in command), None)


def _descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, rest = stat.read_text(encoding="utf-8", errors="replace").split(" ", 1)
        except OSError:
            continue
        children.setdefault(int(rest.rpartition(")")[2].split()[1]), []).append(int(pid))
    found: list[int] = []
    waiting = [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def wait_for(condition: Callable[[], object], seconds: float, explain: Callable[[], object] = lambda: "") -> None:
    """Poll until it holds; fails with an explanation when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.02)


def get(url: str, accept: str = "application/json", timeout: float = 30.0) -> tuple[int, str]:
    """(status, body) of a GET, whatever the status."""
    request = urllib.request.Request(url, headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, answer.read().decode("utf-8")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode("utf-8")


def get_json(url: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(get(url)[1])
    return found
