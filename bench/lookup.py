"""JSON look-ups a second with a full register, to a Flask hello-world on the same server."""

import contextlib
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from rich.progress import Progress

from bench.figures import Figure, percentile
from bench.http_load import Load, asked
from bench.lives import Author, issues, number_of
from bench.stage import Stage, load, stage, wait_for
from services import up
from services.settings import Settings

PATH = f"/v1/verify?q={number_of(0)[:8]}"
ROUNDS = 3


def measure(progress: Progress, *, quick: bool) -> list[Figure]:
    """The register is loaded by signed events through worker, relay and projector; nothing is put there by hand."""
    count = 10_000 if quick else 100_000
    seconds = 3 if quick else 6
    with stage() as register:
        register.found()
        taken = _load(register, progress, count)
        settings = register.settings
        ours: list[Load] = []
        hello: list[Load] = []
        task = progress.add_task("lookup: asking", total=2 * ROUNDS)
        with register.running("verify-projector", "verify"), _hello(settings) as hello_port:
            wait_for(lambda: _known(settings, number_of(count - 1)), 120, "the last certificate")
            for _ in range(ROUNDS):  # by turns, so that whatever else the machine does meets both
                ours.append(asked(settings.verify_port, PATH, count, seconds))
                progress.advance(task)
                hello.append(asked(hello_port, PATH, count, seconds))
                progress.advance(task)
        progress.remove_task(task)
    return [
        Figure(
            "look-ups",
            percentile([one.per_second for one in ours], 50),
            "answers/s",
            percentile([one.per_second for one in hello], 50),
            "Flask hello-world/s",
            1.8,
            raw={
                "certificates": count,
                "look-ups/s": " ".join(f"{one.per_second:.0f}" for one in ours),
                "hello/s": " ".join(f"{one.per_second:.0f}" for one in hello),
                "p99 ms look-ups": round(percentile([one.p99_ms for one in ours], 50), 1),
                "p99 ms hello": round(percentile([one.p99_ms for one in hello], 50), 1),
                "client": ours[0].client,
                "workers": settings.workers,
                "seconds from the first event to the last one visible": taken,
                "load": load(),
            },
        )
    ]


def _load(register: Stage, progress: Progress, count: int) -> float:
    """Write the events, then let worker, relay and projector take them; the seconds that this took."""
    author = Author(register.settings)
    task = progress.add_task(f"lookup: {count:,} certificates", total=2 * count)
    part = []
    for event in issues(author, 0, count):
        part.append(event)
        if len(part) == 1000:
            register.append(part, lambda done: progress.advance(task, done))
            part = []
    register.append(part, lambda done: progress.advance(task, done))
    end = register.log.bounds(register.topics.events)[1]
    started = time.perf_counter()
    with register.running("registry-worker", "registry-relay", "verify-projector", "verify"):
        while (position := register.position()) < end:
            progress.update(task, completed=2 * count - (end - position))
            time.sleep(0.5)
        wait_for(lambda: _known(register.settings, number_of(count - 1)), 300, "the last certificate")
    progress.remove_task(task)
    return round(time.perf_counter() - started, 1)


def _known(settings: Settings, number: str) -> bool:
    with contextlib.suppress(OSError):
        url = f"{settings.service_url('verify')}/v1/verify?q={number}"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return b'"code":"valid"' in answer.read()
    return False


@contextlib.contextmanager
def _hello(settings: Settings) -> Iterator[int]:
    """Flask's hello-world, started with the very options of the verify service; its port."""
    with socket.create_server(("127.0.0.1", 0)) as drawn:
        port: int = drawn.getsockname()[1]
    (verify,) = [child for child in up.children(settings) if child.name == "verify"]
    options = [str(port) if word == str(settings.verify_port) else word for word in verify.command[:-1]]
    folder = Path(__file__).resolve().parents[1]
    process = subprocess.Popen([*options, "bench.hello:create_app"], cwd=folder, stdout=sys.stderr)
    try:
        wait_for(lambda: _answers(port), 30, "hello-world")
        yield port
    finally:
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
