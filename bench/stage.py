"""A register of its own to measure on: real servers, services started by their commands, everything gone afterwards."""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from cryptography.exceptions import InvalidSignature

from bench.lives import Author
from deploy.kafka.broker import Broker
from services import up
from services.demo import demonstration
from services.events.envelope import open_envelope, read_event
from services.events.keys import PublicKey
from services.events.log import Log, Topics, open_log
from services.postgres import Connection, connect, transaction
from services.registry import store
from services.scratch import scratch_folder
from services.settings import Settings, settings_from

KAFKA_LIBS = Path(__file__).resolve().parents[1] / ".cache" / "kafka" / "libs"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stage:
    """An established register whose services are not running yet."""

    settings: Settings
    log: Log
    connection: Connection

    @property
    def topics(self) -> Topics:
        return Topics.under(self.settings.topic_prefix)

    @contextlib.contextmanager
    def running(self, *names: str) -> Iterator[up.Supervisor]:
        """The named services (all where none is named), started as `certmark up` starts them."""
        children = [child for child in up.children(self.settings) if not names or child.name in names]
        logs = self.settings.data / "logs"
        logs.mkdir(exist_ok=True)
        supervisor = up.Supervisor(children, environment(self.settings), logs)
        try:
            supervisor.tend()
            if not names or "verify" in names:
                wait_for(lambda: _ready(self.settings, supervisor, names), 60, "the services")
            yield supervisor
        finally:
            supervisor.stop()

    def found(self) -> None:
        """Put the demonstration into the log: bodies, keys and schemes for everything else."""
        events = demonstration(self.settings, datetime.now(UTC))
        self.log.append(self.topics.events, [(read_event(open_envelope(e)).subject, e) for e in events])

    def append(self, events: Sequence[tuple[str, bytes]], progress: Callable[[int], None]) -> None:
        for first in range(0, len(events), 1000):
            self.log.append(self.topics.events, events[first : first + 1000])
            progress(len(events[first : first + 1000]))

    def position(self) -> int:
        """How far the worker has committed."""
        with transaction(self.connection) as cur:
            return store.head(cur).position

    def counts(self) -> dict[str, int]:
        with transaction(self.connection) as cur:
            return store.counts(cur)

    def unrelayed(self) -> int:
        """Revisions of the register that are not on the state topic yet."""
        with transaction(self.connection) as cur:
            cur.execute("SELECT head.revision - relayed.revision FROM head, relayed")
            (behind,) = cur.fetchone() or (0,)
            return int(behind)

    def clear_up(self) -> None:
        """What autovacuum and a checkpoint do behind a load, done now: they would come at some moment of what is
        measured next, or at none. Behind a checkpoint each page goes whole into PostgreSQL's log when first written.
        """
        with (
            contextlib.closing(connect(self.settings.database_url, autocommit=True)) as connection,
            connection.cursor() as cur,
        ):
            for table in ("entries", "record_rows", "places", "chains", "marks", "log.record"):
                cur.execute(f"VACUUM (ANALYZE) {table}")
            # Only superusers may say CHECKPOINT; a database that is made by copying files begins and ends with one.
            cur.execute("CREATE DATABASE certmark_checkpoint STRATEGY file_copy")
            cur.execute("DROP DATABASE certmark_checkpoint")

    def processor_seconds(self, supervisor: up.Supervisor) -> dict[str, float]:
        """What each of the running services, its helpers and their sessions have used of the processors so far.

        Not what clears up behind a load (autovacuum), which comes and goes by itself; what writes PostgreSQL's pages
        and its log away belongs to what is stored, and is told apart.
        """
        parents, used = _processes()
        spent: dict[str, float] = {}
        for child in supervisor.children:
            if child.process is not None and child.process.pid in used:
                spent[child.name] = used[child.process.pid]
                spent[f"{child.name}'s helper"] = sum(
                    used[pid] for pid, of in parents.items() if of == child.process.pid
                )
        with transaction(self.connection) as cur:
            cur.execute("SELECT pid, backend_type FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
            for pid, kind in cur.fetchall():
                # The kind of what is not a session of ours is told to superusers alone: its title says it to everybody.
                if "autovacuum" not in _title(pid):
                    name = "PostgreSQL" if kind == "client backend" else "PostgreSQL's background"
                    spent[name] = spent.get(name, 0.0) + used.get(pid, 0.0)
        return {name: seconds for name, seconds in spent.items() if seconds}


@contextlib.contextmanager
def stage(kind: str = "postgres") -> Iterator[Stage]:
    """A fresh register on the embedded PostgreSQL, its log there or on a Kafka broker of its own."""
    with contextlib.ExitStack() as stack:
        data = stack.enter_context(scratch_folder())
        told = {"CERTMARK_DATA": str(data), "CERTMARK_LOG": kind, **ports()}
        if kind == "kafka":
            told["CERTMARK_KAFKA_BOOTSTRAP"] = stack.enter_context(Broker(KAFKA_LIBS, data / "broker")).bootstrap
        settings = up.prepare(settings_from(told), stack)
        log = stack.enter_context(contextlib.closing(open_log(settings)))
        connection = stack.enter_context(contextlib.closing(connect(settings.database_url)))
        yield Stage(settings, log, connection)


def ports() -> dict[str, str]:
    """The three services' ports, free at this moment."""
    with contextlib.ExitStack() as held:
        drawn = [held.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in range(3)]
    names = ("VERIFY", "EVENTS", "REGISTRY")
    return {f"CERTMARK_{name}_PORT": str(port) for name, port in zip(names, drawn, strict=True)}


def environment(settings: Settings) -> dict[str, str]:
    return up.environment(settings) | {
        "CERTMARK_LOG": settings.log,
        "CERTMARK_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "CERTMARK_TOPIC_PREFIX": settings.topic_prefix,
        "CERTMARK_VERIFY_PORT": str(settings.verify_port),
        "CERTMARK_EVENTS_PORT": str(settings.events_port),
        "CERTMARK_REGISTRY_PORT": str(settings.registry_port),
    }


def _ready(settings: Settings, supervisor: up.Supervisor, names: Sequence[str]) -> bool:
    if not names:
        up.wait_until_ready(settings, supervisor)
        return True
    supervisor.tend()
    with contextlib.suppress(OSError), socket.create_connection((settings.host, settings.verify_port), 1):
        return True
    return False


def wait_for(found: Callable[[], T], seconds: float, what: str, pause: float = 0.02) -> T:
    """The first true answer.

    Raises:
        TimeoutError: there was none in time.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = found()
        if answer:
            return answer
        time.sleep(pause)
    raise TimeoutError(f"{what}: not within {seconds:.0f} s")


def verification(author: Author, events: Sequence[tuple[str, bytes]], seconds: float = 1.0) -> tuple[float, float]:
    """Raw Ed25519: how many of these events' signatures one thread verifies in a second and does nothing else, and the
    processor time of one in seconds, which others on the machine disturb less."""
    public: PublicKey = author.key.public
    envelopes = [open_envelope(jws) for _, jws in events[:4000]]
    pairs = [(e.signature, e.signing_input) for e in envelopes]
    handle = public.handle
    verify: Callable[[bytes, bytes], None] = handle.verify  # type: ignore[assignment]  # Ed25519's, by the key's kind
    done, started, used = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - started < seconds:
        for signature, message in pairs:
            try:
                verify(signature, message)
            except InvalidSignature:
                raise AssertionError("an event of the bench itself does not verify") from None
        done += len(pairs)
    return done / (time.perf_counter() - started), (time.process_time() - used) / done


def busy(seconds: float = 1.0) -> float:
    """The share of all cores that was at work during the next second: what disturbs a measurement, seen before it."""
    before = _cpu_times()
    time.sleep(seconds)
    spent = [after - past for after, past in zip(_cpu_times(), before, strict=True)]
    idle = spent[3] + spent[4]  # idle, and waiting for a disk
    return 1 - idle / max(1, sum(spent))


def _cpu_times() -> list[int]:
    line = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
    return [int(word) for word in line.split()[1:9]]


def processor_seconds(process: int) -> float:
    """What a process and its children have used of the processors so far."""
    parents, used = _processes()
    return used.get(process, 0.0) + sum(used[pid] for pid, of in parents.items() if of == process)


def _processes() -> tuple[dict[int, int], dict[int, float]]:
    """Of every process its parent, and its seconds of processor time."""
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    tick = os.sysconf("SC_CLK_TCK")
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                fields = (folder / "stat").read_text().rpartition(") ")[2].split()
                pid = int(folder.name)
                parents[pid], used[pid] = int(fields[1]), (int(fields[11]) + int(fields[12])) / tick
    return parents, used


def _title(pid: int) -> str:
    """What a process calls itself; nothing when it has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
    return ""


def load() -> str:
    """The machine's one-minute load: what else was going on."""
    return f"{os.getloadavg()[0]:.2f}"
