"""Requests a second by keep-alive connections: wrk where Debian's is installed, else a small client of our own."""

import asyncio
import multiprocessing
import random
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from bench.lives import FIRST, OF_CLASS, number_of

CONNECTIONS = 64
"""For every service alike. With sixteen a quick one waits for wake-ups: client and service share two cores."""


@dataclass(frozen=True, slots=True)
class Load:
    """Answers with status 200 a second; `client` says who asked, `p99_ms` is the client's own measure."""

    per_second: float
    p99_ms: float
    client: str
    processor_us: float = 0.0
    """of the service that answers, for one answer: what other work on the machine disturbs least"""


def asked(port: int, path: str, first: int, count: int, seconds: float, spent: Callable[[], float]) -> Load:
    """Ask `path` + number, each of `count` of `lives.number_of` as likely as any other, after a warm-up.

    `first` says whether they are known ones. `spent` tells the seconds of processor time that the service has used.

    Raises:
        AssertionError: an answer was no 200.
    """
    way = _wrk if shutil.which("wrk") else _own
    way(port, path, first, count, 1)
    before = spent()
    load = way(port, path, first, count, seconds)
    return replace(load, processor_us=(spent() - before) / (load.per_second * seconds) * 1e6)


def _wrk(port: int, path: str, first: int, count: int, seconds: float) -> Load:
    script = uniform(path, first, count)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "uniform.lua"
        file.write_text(script, encoding="ascii")
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", "--latency", "-s", str(file)]
        done = subprocess.run([*command, f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=True)
    said = done.stdout
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", said)
    p99 = re.search(r"99%\s+([0-9.]+)(us|ms|s)", said)
    if rate is None or p99 is None or "Non-2xx" in said or "Socket errors" in said:
        raise AssertionError(f"wrk says: {said}")
    unit = {"us": 0.001, "ms": 1.0, "s": 1000.0}[p99[2]]
    return Load(float(rate[1]), float(p99[1]) * unit, f"wrk, 1 thread, {CONNECTIONS} connections")


def uniform(path: str, first: int, count: int) -> str:
    """What wrk runs: `lives.number_of` again, in its language."""
    number = f"string.format('{path}%d0703%06d', {first} - math.floor(n / {OF_CLASS}), {FIRST} + n % {OF_CLASS})"
    return f"request = function() local n = math.random(0, {count - 1}); return wrk.format('GET', {number}) end\n"


def _own(port: int, path: str, first: int, count: int, seconds: float) -> Load:
    # A process of its own, so that the numbers and the progress bars of this one cost it nothing.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        times = sorted(pool.apply(_client, (port, path, first, count, seconds)))
    return Load(len(times) / seconds, times[len(times) * 99 // 100] * 1000, f"asyncio, {CONNECTIONS} connections")


def _client(port: int, path: str, first: int, count: int, seconds: float) -> list[float]:
    """The seconds that each request took."""
    times: list[float] = []
    deadline = time.perf_counter() + seconds

    async def connection(seed: int) -> None:
        chance = random.Random(seed)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (started := time.perf_counter()) < deadline:
            number = number_of(chance.randrange(count), first)
            writer.write(f"GET {path}{number} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode("ascii"))
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head.lower())
            if length is None or not head.startswith(b"HTTP/1.1 200"):
                raise AssertionError(f"the answer was {head!r}")
            await reader.readexactly(int(length[1]))
            times.append(time.perf_counter() - started)
        writer.close()

    async def connections() -> None:
        await asyncio.gather(*(connection(seed) for seed in range(CONNECTIONS)))

    asyncio.run(connections())
    return times
