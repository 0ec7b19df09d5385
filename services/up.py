"""Everything on one machine: the embedded PostgreSQL and all services as child processes, restarted when they die."""

import contextlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from rich.console import Console

from services import auth, base64url, confined, demo
from services.domain.errors import Fault, NotConfigured
from services.embedded import EmbeddedPostgres
from services.events.client import Service
from services.events.envelope import open_envelope
from services.events.keys import save_key
from services.events.log import Topics, open_log
from services.genesis import beginning, demonstration_roots, next_quarter
from services.marks import qr
from services.marks.token import MarkPath, mark_url
from services.migrate import migrate
from services.postgres import connect, database_url, transaction
from services.registry.desk import accounts
from services.registry.form import check_form
from services.registry.store import records_of
from services.registry.worker import pinned_genesis
from services.scratch import scratch_folder
from services.settings import Settings, is_loopback

READY_SECONDS = 60
KEYS_SECONDS = 3600.0
LOGS_SECONDS = 10.0
LOG_BYTES = 10_000_000
TO_TRY = ("2023990703000117", "2022990201000204", "2024990714000458")
BODY_TO_TRY = "CNCA-R-2019-7901"
MARK_TO_SCAN = "M-SHB-P-2024-0031"


class NotComingUp(Fault):
    slug = "not-coming-up"
    title = "A service did not become ready"
    zh = "有服务未能就绪"


@dataclass(slots=True)
class Child:
    """A process, the service that it belongs to, and when it may be started again after it died."""

    service: str
    name: str
    command: list[str]
    process: "subprocess.Popen[bytes] | None" = None
    deaths: int = 0
    not_before: float = 0.0


class Supervisor:
    """Starts the children, starts again those that die (at most once a second each), ends them all."""

    def __init__(self, children: list[Child], environment: dict[str, str], logs: Path) -> None:
        self.children = children
        self.environment = environment
        self.logs = logs
        self._held = contextlib.ExitStack()
        # Figures are kept in mapped files. On a disk without room the kernel would kill who writes to them.
        memory = Path("/dev/shm")  # noqa: S108  # a folder of our own in it
        self._look_at_logs = 0.0
        self._metrics = self._held.enter_context(scratch_folder(memory if os.access(memory, os.W_OK) else None))

    def tend(self) -> None:
        """Start what is not running and may be; a log that has grown long begins anew."""
        if time.monotonic() >= self._look_at_logs:
            self._look_at_logs = time.monotonic() + LOGS_SECONDS
            for child in self.children:
                begin_anew(self.logs / f"{child.name}.log")
        for child in self.children:
            if child.process is not None and child.process.poll() is None:
                continue
            now = time.monotonic()
            if child.process is not None:
                self._tell_end(child, child.process.returncode)
                end_group(child.process.pid)  # a server that was killed leaves its workers on the port
                child.process, child.deaths = None, child.deaths + 1
                child.not_before = now + min(5.0, 0.2 * child.deaths)
            if now >= child.not_before:
                child.process = self._start(child)

    def _tell_end(self, child: Child, code: int) -> None:
        """The first, second, fourth … time: a process that cannot be kept up must not fill the terminal."""
        if child.deaths & (child.deaths + 1) == 0:
            how = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
            log = self.logs / f"{child.name}.log"
            print(f"{child.name} {how} and is started again: {log}{last_words(log)}", file=sys.stderr)

    def _start(self, child: Child) -> "subprocess.Popen[bytes]":
        with (self.logs / f"{child.name}.log").open("ab") as log:
            return subprocess.Popen(  # our own modules, no shell
                confined.command(child.command),
                env=self.environment | {"PROMETHEUS_MULTIPROC_DIR": str(self._figures(child.service))},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is ours to answer, and a group of its own can be ended whole
            )

    def _figures(self, service: str) -> Path:
        """Where the processes of a service leave their figures, so that its `/metrics` tells all of them."""
        return private_folder(self._metrics / service)

    def stop(self) -> None:
        """SIGTERM to all in reverse order, SIGKILL to who has not ended after ten seconds."""
        running = [c.process for c in reversed(self.children) if c.process is not None and c.process.poll() is None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + 10
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                end_group(process.pid)
                process.wait()
        self._held.close()


def begin_anew(log: Path) -> None:
    """Keep the last LOG_BYTES and more of a log in `.log.1`; its process writes on at the end, wherever that is."""
    with contextlib.suppress(OSError):
        if log.stat().st_size <= LOG_BYTES:
            return
        with contextlib.suppress(OSError):  # on a full disk what was said is given up, so that more can be said
            shutil.copyfile(log, log.with_suffix(".log.1"))
        os.truncate(log, 0)


def last_words(log: Path) -> str:
    """What a process said at last, where that was an error for a person to look at."""
    with contextlib.suppress(OSError, ValueError, TypeError, LookupError):
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 4000))
            told = json.loads(file.read().splitlines()[-1])
        if told["level"] == "error":
            return "".join(f": {told[name]}" for name in ("words", "slug", "code", "detail") if told.get(name))
    return ""


def end_group(leader: int) -> None:
    """Kill what is left of a child's process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def run(settings: Settings, *, demonstrate: bool, as_json: bool = False) -> int:
    """Bring everything up and keep it up until SIGINT or SIGTERM; what to open and to try is printed.

    `as_json`: only where everything is, as one JSON object once it is up.
    """
    console = Console(quiet=as_json)
    stopping: list[int] = []

    def stop(signum: int, frame: FrameType | None) -> None:
        stopping.append(signum)
        if len(stopping) == 1 and not up:
            raise KeyboardInterrupt

    up = False
    demonstrating = not settings.genesis
    look_at_keys = 0.0
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with contextlib.ExitStack() as stack:
        try:
            settings = prepare(settings, stack)
            supervisor = Supervisor(children(settings), environment(settings), private_folder(settings.data / "logs"))
            stack.callback(supervisor.stop)
            with console.status("starting the services …"):
                wait_until_ready(settings, supervisor)
            if demonstrate:
                load_demonstration(settings, console)
            if as_json:
                print(json.dumps(addresses(settings)), flush=True)
            else:
                announce(settings, console, demonstrate=demonstrate)
        except KeyboardInterrupt:
            return 0
        up = True
        while not stopping:
            supervisor.tend()
            if demonstrating and time.monotonic() >= look_at_keys:
                announce_next_quarter(settings)
                look_at_keys = time.monotonic() + KEYS_SECONDS
            time.sleep(0.2)
        console.print("ending …")
    return 0


def prepare(settings: Settings, stack: contextlib.ExitStack) -> Settings:
    """The database up and migrated, the topics made and checked, the beginning in the log; the settings completed."""
    for service in ("verify", "events", "registry"):
        check_port_is_free(settings, service)
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not settings.database_url and not settings.production:
        server = stack.enter_context(EmbeddedPostgres.start(settings.data))
        settings = replace(settings, database_url=server.url)
    with contextlib.closing(connect(database_url(settings))) as connection:
        check_form(connection)
        for part in ("events", "registry"):
            migrate(connection, Path(__file__).parent / part / "migrations")
        if not settings.genesis:
            with transaction(connection) as cur:
                auth.demonstrate(cur, settings.keys, auth.roles_to_demonstrate())
                accounts.demonstrate(cur, settings.keys)
    with contextlib.closing(open_log(settings)) as log:
        topics = Topics.under(settings.topic_prefix)
        log.ensure(topics.all())
        if not settings.genesis:
            begun = settings.data / "begun"
            events = beginning(settings, datetime.now(UTC))
            if not begun.exists():
                # A crash before the mark is set appends these events again: the registry drops them as duplicates.
                log.append(topics.events, [(_subject(jws), jws) for jws in events])
                begun.touch()
            settings = replace(settings, genesis=pinned_genesis(settings))
            demonstration_roots(settings, settings.genesis, datetime.now(UTC))
    return settings


def announce_next_quarter(settings: Settings) -> None:
    """Make and register the next quarter's mark key, as its operator does in earnest (`certmark keys next`)."""
    made = next_quarter(settings, datetime.now(UTC))
    if made is None:
        return
    key, path, event = made
    try:
        with contextlib.closing(open_log(settings)) as log:
            log.append(Topics.under(settings.topic_prefix).events, [(_subject(event), event)])
    except Fault:
        return  # the log is away: in an hour again
    save_key(key, path)


def check_port_is_free(settings: Settings, service: str) -> None:
    """Raises NotConfigured where somebody listens there: their answers would pass for ours."""
    port: int = getattr(settings, f"{service}_port")
    try:
        socket.create_server((settings.host, port)).close()
    except OSError as error:
        name = f"CERTMARK_{service.upper()}_PORT"
        raise NotConfigured(
            f"{name}={port} on {settings.host}: {error.strerror}", hint=f"end what listens there, or set {name}"
        ) from None


def _subject(jws: bytes) -> str:
    return str(json.loads(open_envelope(jws).payload)["subject"])


def children(settings: Settings) -> list[Child]:
    """What runs, in the order of starting."""
    python = sys.executable

    def web(name: str, factory: str, port: int, interface: str = "wsgi") -> Child:
        options = f"--interface {interface} --factory --host {settings.host} --port {port} --workers {settings.workers}"
        options += " --blocking-threads 1 --workers-kill-timeout 5 --no-ws --log-level warning"
        return Child(name, name, [python, "-m", "granian", *options.split(), factory])

    return [
        Child("registry", "registry-worker", [python, "-m", "services.registry.worker"]),
        Child("registry", "registry-relay", [python, "-m", "services.registry.relay"]),
        Child("registry", "registry-lists", [python, "-m", "services.registry.lists"]),
        Child("registry", "registry-complaints", [python, "-m", "services.registry.complaints"]),
        Child("registry", "registry-webhooks", [python, "-m", "services.registry.webhooks"]),
        Child("registry", "registry-signer", [python, "-m", "services.registry.unit_tokens"]),
        Child("registry", "registry-checks", [python, "-m", "services.registry.checks"]),
        Child("verify", "verify-projector", [python, "-m", "services.verify.projector"]),
        Child("verify", "verify-scans", [python, "-m", "services.verify.scans"]),
        web("registry", "services.registry.api:create_server", settings.registry_port, "asgi"),  # its streams stay open
        web("events", "services.events.ingest:create_server", settings.events_port, "asgi"),
        web("verify", *_verify_server(settings)),
    ]


def _verify_server(settings: Settings) -> tuple[str, int, str]:
    """Where strangers come with no proxy between, bodies are taken in before the one thread is asked. That costs."""
    if is_loopback(settings.host):
        return "services.verify.api:create_app", settings.verify_port, "wsgi"
    return "services.verify.api:create_server", settings.verify_port, "asgi"


def environment(settings: Settings) -> dict[str, str]:
    """What the children are told: this process's environment, completed."""
    return os.environ | {
        "CERTMARK_DATA": str(settings.data),
        "CERTMARK_DATABASE_URL": settings.database_url,
        "CERTMARK_GENESIS": settings.genesis,
        "PYTHONUNBUFFERED": "1",
    }


def wait_until_ready(settings: Settings, supervisor: Supervisor) -> None:
    """Until every service says that it can do its work.

    Raises:
        NotComingUp: one does not, for a minute.
    """
    deadline = time.monotonic() + READY_SECONDS
    waiting = ["registry", "events", "verify"]
    reason = ""
    while waiting:
        supervisor.tend()
        try:
            with urllib.request.urlopen(f"{settings.service_url(waiting[0])}/readyz", timeout=5):  # noqa: S310
                waiting.pop(0)
                continue
        except urllib.error.HTTPError as error:
            reason = error.read().decode("utf-8", "replace")[:300]
        except OSError as error:
            reason = str(error)
        if time.monotonic() > deadline:
            raise NotComingUp(f"{waiting[0]}: {reason}", hint=f"see {supervisor.logs}")
        time.sleep(0.05)


def load_demonstration(settings: Settings, console: Console) -> None:
    """The demonstration by HTTP, and the wait until its mark can be looked up.

    Raises:
        NotAccepted: an event was not taken. NotComingUp: the wait took a minute.
    """
    demo.let_in(settings)
    done = settings.data / "demonstrated"
    if done.exists():
        return
    with (
        console.status("publishing the demonstration register …"),
        contextlib.closing(Service(settings.service_url("verify"))) as verify,
    ):
        demo.publish(settings, datetime.now(UTC))
        deadline = time.monotonic() + READY_SECONDS
        while verify.get("/v1/verify", q=MARK_TO_SCAN)["code"] != "valid":
            if time.monotonic() > deadline:
                raise NotComingUp("the demonstration does not show up on the verify service")
            time.sleep(0.05)
    done.touch()


def addresses(settings: Settings) -> dict[str, str]:
    """Where the services answer, and where keys and logs lie."""
    urls = {service: settings.service_url(service) for service in ("verify", "events", "registry")}
    return urls | {"keys": str(settings.keys), "logs": str(settings.data / "logs")}


def announce(settings: Settings, console: Console, *, demonstrate: bool) -> None:
    """What to open, what to try, where the keys and logs lie."""
    verify = settings.service_url("verify")
    console.print(f"\n[bold]certmark[/] {verify}", highlight=False)
    console.print(f"  events    {settings.service_url('events')}   POST /v1/events, /docs", highlight=False)
    registry = settings.service_url("registry")
    console.print(f"  registry  {registry}   decisions, history, /docs", highlight=False)
    console.print(f"  console   {registry}/console/   机构工作台 a body's own pages", highlight=False)
    console.print(f"  desk      {registry}/desk/   监管工作台 inspectors and regulators", highlight=False)
    console.print(f"  logs      {settings.data / 'logs'}", highlight=False)
    if demonstrate:
        console.print("\n[bold]试一试 Try[/]  演示数据均为虚构 the data is fictional", highlight=False)
        with contextlib.closing(Service(verify)) as service:
            for number in TO_TRY:
                title = service.get("/v1/verify", q=number)["title"]
                console.print(f"  {verify}/c/{number}  {title['zh']} {title['en']}", highlight=False, soft_wrap=True)
        url = mark_to_scan(settings)
        if url:
            console.print(f"\n上海品牌“上品”标志 a Shanghai Brand mark: {MARK_TO_SCAN}", highlight=False)
            print(qr.text(qr.symbol(url)))
            console.print(url, highlight=False, soft_wrap=True)
        console.print(f"\n演示密钥、令牌、口令 keys, tokens, passwords: {settings.keys}", highlight=False)
        console.print("暂停一张证书 suspend a certificate, from a second terminal:", highlight=False)
        console.print(f"  {suspension(settings)}", highlight=False, soft_wrap=True)
    console.print("\nCtrl-C 结束 ends it", highlight=False)


def suspension(settings: Settings) -> str:
    """The command that suspends the first certificate of the demonstration, as it works in another terminal."""
    names = ("CERTMARK_DATA", "CERTMARK_EVENTS_PORT", "CERTMARK_REGISTRY_PORT")
    given = " ".join(f"{name}={shlex.quote(os.environ[name])}" for name in names if name in os.environ)
    program = shlex.quote(os.path.relpath(Path(sys.executable).with_name("certmark")))
    command = f"{program} sign --as {BODY_TO_TRY} certificate.suspended {TO_TRY[0]} reason=S03 until=+60d"
    publish = f"{program} publish --wait"
    return f"export {given}; {command} | {publish}" if given else f"{command} | {publish}"


def mark_to_scan(settings: Settings) -> str | None:
    """The address in the QR of the demonstration's mark; None where no token was signed."""
    with contextlib.closing(connect(database_url(settings))) as connection, transaction(connection) as cur:
        for record in records_of(cur, [f"certificate/{MARK_TO_SCAN.removeprefix('M-')}"]).values():
            for token in json.loads(record.tokens):
                path = MarkPath.of_product(token["gtin"])
                return mark_url(settings.public_url, path, base64url.decoded(token["token"]))
    return None


def private_folder(path: Path) -> Path:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path
