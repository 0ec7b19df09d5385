"""Look-ups, pages, searches, rebuild and snapshot of one verify node with very many certificates."""

import contextlib
import gzip
import os
import random
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from rich.progress import Progress

from bench.figures import Figure, percentile
from bench.http_load import Load, asked
from bench.lives import KNOWN, UNKNOWN, number_of
from bench.node import Names, build, topic_of
from bench.plain import TABLE
from bench.stage import Stage, load, processor_seconds, stage, wait_for
from services import up
from services.events.keys import load_key
from services.postgres import transaction
from services.verify import snapshot
from services.verify.read_model import ReadModel
from services.verify.register import Register
from services.verify.search import By, hits_json, search

PATH, PAGE = "/v1/verify?q=", "/c/"
ROUNDS = 5
WARM_UP_S = 3
"""Seconds of each way before the first round: until then pages of the file come from the disk."""

RECORD = 5000
"""Bytes of a sealed record as the bench's are."""

WARM = 200
"""Certificates that everybody asks for at the same time."""


def measure(progress: Progress, *, quick: bool) -> list[Figure]:
    """`BENCH_CERTIFICATES=1000000` in the environment makes it a million; 100,000 otherwise."""
    count = 10_000 if quick else int(os.environ.get("BENCH_CERTIFICATES", "100000"))
    seconds = 2 if quick else 5
    with stage() as register:
        topic = register.settings.data / "topic.bin"
        topic_of(register, count, topic, progress)
        folder = register.settings.data / "verify"
        figures = [_rebuilt(register, topic, folder, count, progress)]
        topic.unlink()
        figures += _snapshot(register, folder, count)
        figures.append(_searched(folder, count, 500 if quick else 3000))
        _load_plain(register, folder, count, progress)
        with (
            register.running("verify") as supervisor,
            _served(register, "bench.hello:create_app") as hello,
            _served(register, "bench.plain:create_app") as plain,
        ):
            (verify,) = [child.process for child in supervisor.children if child.process is not None]
            services = {"hello": hello, "plain": plain, "verify": (register.settings.verify_port, verify.pid)}
            figures += _over_http(register, services, count, seconds, progress)
    return figures


def _rebuilt(register: Stage, topic: Path, folder: Path, count: int, progress: Progress) -> Figure:
    before = _verifications(register)
    seconds, records = build(register, topic, folder, progress)
    limit = (before + _verifications(register)) / 2
    size = sum(path.stat().st_size for path in folder.glob("register-*.sqlite*"))
    raw: dict[str, float | str] = {"certificates": count, "seconds": round(seconds, 1), "load": load()}
    raw |= {"bytes a certificate": round(size / records), "helpers": len(os.sched_getaffinity(0))}
    return Figure("rebuild of a node", records / seconds, "records/s", limit, "verifications/s", 0.7, raw=raw)


def _verifications(register: Stage, seconds: float = 1.0) -> float:
    """Raw Ed25519 over as many bytes as a record has, one thread."""
    key = load_key(register.settings.seal_key)
    message = b"x" * RECORD
    signature = key.sign(message)
    done, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        for _ in range(100):
            key.public.verify(signature, message)
        done += 100
    return done / spent


def _snapshot(register: Stage, folder: Path, count: int) -> list[Figure]:
    key, into = load_key(register.settings.seal_key), register.settings.data / "snapshot"
    began = time.perf_counter()
    snapshot.make(folder, into, key, lambda done, of: None)
    made = time.perf_counter() - began
    second = register.settings.data / "second"
    began = time.perf_counter()
    loaded = snapshot.load(into, second, register.settings.genesis, lambda done, of: None)
    taken = time.perf_counter() - began
    began = time.perf_counter()
    shutil.copyfile(into / snapshot.DATA, second / "copy")  # what the disk gives at this moment, without any check
    copied = loaded.bytes / 1e6 / (time.perf_counter() - began)
    for path in (*second.iterdir(), *into.iterdir()):
        path.unlink()
    raw: dict[str, float | str] = {"certificates": count, "seconds": round(taken, 2), "made in s": round(made, 1)}
    raw |= {"MB": round(loaded.bytes / 1e6), "MB/s": round(loaded.bytes / 1e6 / taken), "load": load()}
    raw |= {"a plain copy, MB/s": round(copied)}
    return [Figure("snapshot, checked and in service", count / taken, "certificates/s", bar=4_000_000 / 60, raw=raw)]


def _searched(folder: Path, count: int, times: int) -> Figure:
    """Two characters of a name and longer pieces, evenly over holders and products; the answer as JSON included."""
    register, chance, names = Register(folder), random.Random(5), Names.drawn(count)
    taken: list[float] = []
    spent: list[float] = []
    found = 0
    kinds = {By.HOLDER: names.holders, By.PRODUCT: names.products, None: [*names.holders[:1000], *names.products]}
    for _ in range(times):
        by = chance.choice(list(kinds))
        name = chance.choice(kinds[by])
        size = chance.choice((2, 2, 2, 4, len(name)))
        at = chance.randrange(max(1, len(name) - size + 1))
        began, used = time.perf_counter(), time.process_time()
        hits = search(register, name[at : at + size], by, None, datetime.now(UTC), timedelta(hours=24))
        assert hits is not None
        found += bool(hits.items)  # of the rarest holders some have no certificate
        hits_json(hits)
        taken.append((time.perf_counter() - began) * 1000)
        spent.append((time.process_time() - used) * 1000)
    register.model.close()
    assert found > 0.9 * times, f"{found} of {times} searches found anything"
    raw: dict[str, float | str] = {"certificates": count, "holders": len(names.holders), "asked": times}
    raw |= {"p50 ms": round(percentile(taken, 50), 2), "worst ms": round(max(taken), 1), "load": load()}
    raw |= {f"p{p} ms of processor time": round(percentile(spent, p), 2) for p in (50, 99)}
    return Figure("search by name, p99", percentile(taken, 99), "ms", bar=5.0, at_least=False, raw=raw)


def _load_plain(register: Stage, folder: Path, count: int, progress: Progress) -> None:
    """The same answers as texts in a table of PostgreSQL, for the service that look-ups are compared with."""
    model = ReadModel(folder)
    model.meta()
    task = progress.add_task("the same for a plain service", total=count)
    with transaction(register.connection) as cur:
        cur.execute(TABLE)
        for first in range(0, count, 1000):
            numbers = [number_of(place) for place in range(first, min(count, first + 1000))]
            rows = [(number, (model.quick(number) or (b"", b""))[1].partition(b"\n")[2].decode()) for number in numbers]
            cur.execute(
                "INSERT INTO plain SELECT * FROM unnest(%s::text[], %s::text[])",
                ([number for number, _ in rows], [answer for _, answer in rows]),
            )
            progress.advance(task, len(rows))
    model.close()
    progress.remove_task(task)


def _over_http(
    register: Stage, services: dict[str, tuple[int, int]], count: int, seconds: int, progress: Progress
) -> list[Figure]:
    """`services` are (port, process) of the node and of what it is compared with."""
    port = register.settings.verify_port
    ways = {
        "hello": ("hello", PATH, KNOWN, count),
        "plain": ("plain", PATH, KNOWN, count),
        "json": ("verify", PATH, KNOWN, count),
        "unknown": ("verify", PATH, UNKNOWN, count),
        "cold": ("verify", PAGE, KNOWN, count),
        "warm": ("verify", PAGE, KNOWN, WARM),
    }
    found: dict[str, list[Load]] = {name: [] for name in ways}
    task = progress.add_task("asking", total=(ROUNDS + 1) * len(ways))
    for service, path, first, among in ways.values():
        at, process = services[service]
        asked(at, path, first, among, WARM_UP_S, partial(processor_seconds, process))
        progress.advance(task)
    for _ in range(ROUNDS):  # by turns, so that whatever else the machine does meets all of them
        for name, (service, path, first, among) in ways.items():
            at, process = services[service]
            found[name].append(asked(at, path, first, among, seconds, partial(processor_seconds, process)))
            progress.advance(task)
    progress.remove_task(task)
    rate = {name: percentile([one.per_second for one in loads], 50) for name, loads in found.items()}
    raw: dict[str, float | str] = {
        name: " ".join(f"{one.per_second:.0f}" for one in loads) for name, loads in found.items()
    }
    raw |= {f"p99 ms {name}": round(percentile([o.p99_ms for o in loads], 50), 1) for name, loads in found.items()}
    raw |= {f"processor µs {n}": round(percentile([o.processor_us for o in loads], 50)) for n, loads in found.items()}
    raw |= {"certificates": count, "client": found["json"][0].client, "workers": register.settings.workers}
    raw |= {"load": load()}
    size, compressed = _page_size(port)
    known, unknown = _latencies(port, (KNOWN, UNKNOWN), count, 400 * seconds)
    alike = sum(percentile(known, 5) <= one <= percentile(known, 95) for one in unknown) / len(unknown)
    times: dict[str, float | str] = {
        f"{name} p{p} ms": round(percentile(of, p), 3)
        for name, of in (("known", known), ("unknown", unknown))
        for p in (5, 50, 95)
    }
    return [
        Figure("look-ups", rate["json"], "answers/s", rate["hello"], "hello-worlds/s", 1.8, raw=raw),
        Figure("look-ups beside a plain service", rate["json"], "answers/s", rate["plain"], "SELECTs/s", 4.0),
        Figure("numbers that nobody has", rate["unknown"], "answers/s", rate["json"], "look-ups/s"),
        Figure("known and unknown in the same time", alike, "of unknown within known's p5 to p95", raw=times),
        Figure("pages, cold", rate["cold"], "pages/s", rate["hello"], "hello-worlds/s", 0.4),
        Figure("pages, warm", rate["warm"], "pages/s", rate["hello"], "hello-worlds/s", 0.6),
        Figure("a page, compressed", compressed, "bytes", bar=14_336, at_least=False, raw={"bytes as sent": size}),
        Figure("memory of a node", _anonymous_mb(register), "MB", bar=200, at_least=False, raw={"certificates": count}),
    ]


def _page_size(port: int) -> tuple[int, int]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{PAGE}{number_of(7)}", headers={"Accept": "text/html"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        page = answer.read()
    return len(page), len(gzip.compress(page, 6))


def _latencies(port: int, firsts: Sequence[int], count: int, times: int) -> list[list[float]]:
    """Milliseconds of one request after the other over one connection: of numbers that begin so and so, in turns."""
    import http.client

    chance = random.Random(3)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    taken: list[list[float]] = [[] for _ in firsts]
    for _ in range(times):
        for first, of in zip(firsts, taken, strict=True):
            path = f"{PATH}{number_of(chance.randrange(count), first)}"
            began = time.perf_counter()
            connection.request("GET", path)
            connection.getresponse().read()
            of.append((time.perf_counter() - began) * 1000)
    connection.close()
    return taken


def _anonymous_mb(register: Stage) -> float:
    """RssAnon of this stage's processes of verify, in MB: mapped files do not count, nor does another bench's node."""
    ours = f"CERTMARK_DATA={register.settings.data}\0".encode()
    total = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError, IndexError, StopIteration):
            command = (status.parent / "cmdline").read_bytes()
            environment = (status.parent / "environ").read_bytes()
            if b"services.verify." in command and ours in environment:
                line = next(one for one in status.read_text(encoding="ascii").splitlines() if "RssAnon" in one)
                total += int(line.split()[1])
    return total / 1024


@contextlib.contextmanager
def _served(register: Stage, factory: str) -> Iterator[tuple[int, int]]:
    """Another application, started with the very options of the verify service; its port and process."""
    settings = register.settings
    with socket.create_server(("127.0.0.1", 0)) as drawn:
        port: int = drawn.getsockname()[1]
    (verify,) = [child for child in up.children(settings) if child.name == "verify"]
    options = [str(port) if word == str(settings.verify_port) else word for word in verify.command[:-1]]
    folder = Path(__file__).resolve().parents[1]
    told = os.environ | {"CERTMARK_DATABASE_URL": settings.database_url}
    process = subprocess.Popen([*options, factory], cwd=folder, env=told, stdout=sys.stderr)
    try:
        wait_for(lambda: _answers(port), 30, factory)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
