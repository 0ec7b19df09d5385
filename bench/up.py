"""`certmark up --demo` as a user starts it: seconds to the first answer, and what the verify processes then hold."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from rich.progress import Progress

from bench.figures import Figure
from bench.stage import load, ports, wait_for
from services.scratch import scratch_folder
from services.up import TO_TRY

SETTLE_S = 3.0


def measure(progress: Progress, *, quick: bool) -> list[Figure]:
    """A first start on an empty folder, and a second one on what the first left."""
    task = progress.add_task("up: certmark up --demo, twice", total=2)
    with scratch_folder() as data:
        first, _ = _started(data)
        progress.advance(task)
        second, held = _started(data)
        progress.advance(task)
    progress.remove_task(task)
    raw: dict[str, float | str] = {"second start, seconds": round(second, 2), "load": load()}
    return [
        Figure("start to first answer", round(first, 2), "s", bar=10, at_least=False, raw=raw),
        Figure("memory of verify", round(sum(held.values()), 1), "MB", bar=150, at_least=False, raw={**held}),
    ]


def _started(data: Path) -> tuple[float, dict[str, float]]:
    """Seconds until the demonstration's first certificate is answered; RssAnon of the verify processes in MB."""
    told = ports()
    command = [str(Path(sys.executable).parent / "certmark"), "up", "--demo"]
    url = f"http://127.0.0.1:{told['CERTMARK_VERIFY_PORT']}/v1/verify?q={TO_TRY[0]}"
    started = time.perf_counter()
    with (data / "up.out").open("wb") as out:
        process = subprocess.Popen(command, env=os.environ | {"CERTMARK_DATA": str(data / "data")} | told, stdout=out)
        try:
            wait_for(lambda: _valid(url), 120, "the first answer", pause=0.05)
            seconds = time.perf_counter() - started
            time.sleep(SETTLE_S)
            _valid(url)
            return seconds, _held(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _valid(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
        return b'"code":"valid"' in answer.read()
    return False


def _held(parent: int) -> dict[str, float]:
    """Anonymous memory of verify's processes under this one: mapped files are the kernel's to take back."""
    held = {"projector MB": 0.0, "server MB": 0.0}
    for pid in _descendants(parent):
        with contextlib.suppress(OSError):
            command = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").replace("\0", " ")
            name = _part(command) or _part(_command_of_parent(pid))
            if name:
                status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
                (kilobytes,) = [line.split()[1] for line in status.splitlines() if line.startswith("RssAnon")]
                held[name] = round(held[name] + int(kilobytes) / 1024, 1)
    return held


def _part(command: str) -> str | None:
    if "services.verify.projector" in command:
        return "projector MB"
    return "server MB" if "services.verify.api" in command else None


def _command_of_parent(pid: int) -> str:
    parent = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1]
    return Path(f"/proc/{parent}/cmdline").read_text(encoding="utf-8").replace("\0", " ")


def _descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text(encoding="ascii").split():
            found += [int(child), *_descendants(int(child))]
    return found
