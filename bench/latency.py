"""How long from the acknowledgement of an event until the page says it, to the log's own round trip."""

import contextlib
import http.client
import json
import multiprocessing
import queue
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event as Flag

from rich.console import Console
from rich.progress import Progress

from bench.figures import Figure, percentile
from bench.lives import Author, issues, number_of
from bench.stage import load, stage, wait_for
from services import up
from services.domain.errors import Fault
from services.domain.identifiers import civil_day
from services.events.client import Publisher
from services.events.log import Topic, open_log
from services.settings import Settings

CERTIFICATES = 20
BUSY = 500
"""Events a second of the load."""
BURST = 25


def measure(progress: Progress, *, quick: bool) -> list[Figure]:
    """Idle on both logs, and under load on PostgreSQL."""
    count = 40 if quick else 250
    figures = []
    for kind in ("postgres", "kafka"):
        with stage(kind) as register, register.running():
            up.load_demonstration(register.settings, Console(quiet=True))
            trips = _round_trips(register.settings, progress, f"latency: {kind} alone", count)
            author = _Turner(register.settings)
            idle = author.turn(progress, f"latency: {kind}, idle", count)
            figures.append(_figure(f"visible, {kind}, idle", idle, trips, 100))
            if kind == "postgres":
                with _busy(register.settings, author.author) as done:
                    under = author.turn(progress, f"latency: {kind}, {BUSY} events/s", count)
                    rate = done()
                figures.append(_figure(f"visible, {kind}, loaded", under, trips, 500, {"events/s": rate}))
    return figures


def _figure(
    name: str, visible: list[float], trips: list[float], bar: float, raw: dict[str, float | str] | None = None
) -> Figure:
    return Figure(
        f"{name}: p99",
        round(percentile(visible, 99), 1),
        "ms",
        bar=bar,
        at_least=False,
        raw={
            "events": len(visible),
            "median ms": round(percentile(visible, 50), 1),
            "p99 ms": round(percentile(visible, 99), 1),
            "worst ms": round(max(visible), 1),
            "log's own append→read median ms": round(percentile(trips, 50), 1),
            "log's own p99 ms": round(percentile(trips, 99), 1),
            "medians' ratio": round(percentile(visible, 50) / percentile(trips, 50), 1),
            "load": load(),
            **(raw or {}),
        },
    )


class _Turner:
    """Suspends and resumes certificates, and looks when their pages turn."""

    def __init__(self, settings: Settings) -> None:
        self.author = Author(settings)
        self._events = http.client.HTTPConnection(settings.host, settings.events_port, timeout=10)
        self._verify = http.client.HTTPConnection(settings.host, settings.verify_port, timeout=10)
        self._today = civil_day(datetime.now(UTC))
        self._chance = random.Random(1)
        self._suspended: set[str] = set()
        for number, event in issues(self.author, 0, CERTIFICATES):
            self._send(event)
            while self._code(number) != "valid":
                time.sleep(0.005)

    def turn(self, progress: Progress, name: str, count: int) -> list[float]:
        """The milliseconds from each 202 to the page that says so."""
        task = progress.add_task(name, total=count)
        took = []
        for place in range(count):
            number = number_of(place % CERTIFICATES)
            event, code, words = self._next(number)
            self._send(event)
            acknowledged = time.perf_counter()
            while self._code(number) != code:
                time.sleep(0.0005)
            page = self._get(f"/c/{number}", "text/html")
            took.append((time.perf_counter() - acknowledged) * 1000)
            if words not in page:
                raise Fault(f"the JSON says {code}, and the page does not")
            progress.advance(task)
            time.sleep(self._chance.uniform(0.02, 0.06))  # out of step with whatever turns in the services
        progress.remove_task(task)
        return took

    def _next(self, number: str) -> tuple[bytes, str, bytes]:
        today = self._today.isoformat()
        if number in self._suspended:
            self._suspended.discard(number)
            event = self.author.say(number, "certificate.resumed", {"effective_at": today, "verified_on": today})
            return event, "valid", "有效".encode()
        self._suspended.add(number)
        until = (self._today + timedelta(days=60)).isoformat()
        data = {"effective_at": today, "determined_on": today, "reason": "S03", "until": until}
        return self.author.say(number, "certificate.suspended", data), "suspended", "暂停".encode()

    def _send(self, event: bytes) -> None:
        self._events.request("POST", "/v1/events", event, {"Content-Type": "application/jose"})
        answer = self._events.getresponse()
        said = answer.read()
        if answer.status != 202:
            raise Fault(f"events answers {answer.status}: {said[:300]!r}")

    def _code(self, number: str) -> str:
        return str(json.loads(self._get(f"/v1/verify?q={number}", "application/json"))["code"])

    def _get(self, path: str, accept: str) -> bytes:
        self._verify.request("GET", path, headers={"Accept": accept})
        return self._verify.getresponse().read()


@contextlib.contextmanager
def _busy(settings: Settings, author: Author) -> Iterator[Callable[[], float]]:
    """Other events at a steady rate from a process of its own; the call tells what rate they came to."""
    context = multiprocessing.get_context("spawn")
    stop, counted = context.Event(), context.Value("q", 0)
    first = 1_000_000
    process = context.Process(target=_publish, args=(settings, first, stop, counted), daemon=True)
    process.start()
    try:
        wait_for(lambda: counted.value > BUSY, 60, "the load")
        began, before = time.perf_counter(), counted.value
        yield lambda: round((counted.value - before) / (time.perf_counter() - began))
    finally:
        stop.set()
        process.join(30)


def _publish(settings: Settings, first: int, stop: Flag, counted: "Synchronized[int]") -> None:
    author, publisher = Author(settings), Publisher(settings.service_url("events"))
    events, started = issues(author, first, 10**6), time.perf_counter()
    with contextlib.closing(publisher):
        while not stop.is_set():
            part = [next(events)[1] for _ in range(BURST)]
            if not all(sent.stored for sent in publisher.publish(part)):
                raise Fault("an event of the load was not stored")
            counted.value += BURST
            time.sleep(max(0.0, started + counted.value / BUSY - time.perf_counter()))


def _round_trips(settings: Settings, progress: Progress, name: str, count: int) -> list[float]:
    """Milliseconds from the call of append until a waiting reader has the record, both logs' clients our own."""
    topic = Topic("bench.round-trips")
    writer = open_log(replace(settings))
    writer.ensure([topic])
    arrived: queue.Queue[float] = queue.Queue()
    stop = threading.Event()

    def read() -> None:
        reader, position = open_log(settings), writer_start
        while not stop.is_set():
            for record in reader.read(topic, position, 100, 0.5):
                arrived.put(time.perf_counter())
                position = record.position + 1
        reader.close()

    writer_start = writer.bounds(topic)[1]
    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    task, chance = progress.add_task(name, total=count), random.Random(2)
    writer.append(topic, [("k", b"warm")])
    arrived.get(timeout=10)
    took = []
    for _ in range(count):
        started = time.perf_counter()
        writer.append(topic, [("k", b"x" * 1700)])
        took.append((arrived.get(timeout=10) - started) * 1000)
        progress.advance(task)
        time.sleep(chance.uniform(0.005, 0.02))
    stop.set()
    thread.join()
    writer.close()
    progress.remove_task(task)
    return took
