"""Fixtures that every layer shares: real servers once a run, and a place of its own in them for each test."""

import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import hypothesis
import pytest
from psycopg2.errors import InsufficientPrivilege
from xdist.scheduler import LoadFileScheduling

from deploy.kafka import broker
from deploy.kafka.broker import Broker
from services.embedded import EmbeddedPostgres
from services.events.log import Topics
from services.postgres import Connection, connect
from services.scratch import scratch_folder
from services.settings import Settings, settings_from
from tests.system import System

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]
KAFKA_LIBS = ROOT / ".cache" / "kafka" / "libs"
IN_MEMORY = ("tests/unit", "tests/property")
LONG = (
    "fault/test_kill.py",
    "integration/test_pages.py",
    "integration/test_conform.py",
    "e2e/test_road.py",
    "e2e/test_desk.py",
    "integration/test_ingest.py",
    "integration/test_registry.py",
    "integration/test_log.py",
    "integration/test_scan.py",
    "integration/test_secured_kafka.py",
    "integration/test_embedded.py",
    "integration/test_watches.py",
    "integration/test_two_clocks.py",
    "clients/test_scanner_agrees.py",
    "integration/test_desk_checks.py",
    "integration/test_projector.py",
    "integration/test_console.py",
    "integration/test_replay.py",
    "integration/test_indicators.py",
    "integration/test_checks.py",
)
"""Files whose tests take more than ten seconds together, the longest first."""
SHARING = {
    "tests/clients/test_first_day.py": "tests/integration/test_conform.py",
    "tests/clients/test_import.py": "tests/integration/test_conform.py",
    "tests/clients/test_samples.py": "tests/integration/test_conform.py",
    "tests/e2e/test_console.py": "tests/e2e/test_desk.py",
}
"""Files that run in the process of another, whose `system` they share."""
SettingsFor = Callable[..., Settings]

# A property holds or does not; how long it takes is for the bench to say. Examples are new in each run, on a server
# for integration as well: what was drawn follows from the seed that `layers.py` prints.
hypothesis.settings.register_profile("certmark", deadline=None, derandomize=False)
hypothesis.settings.load_profile("certmark")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Unit and property tests run in memory: a socket other than a Unix one is an error there.

    Files that take long are begun first, in whatever order the rest comes: begun last, one would leave the other
    process with nothing to do.
    """
    for item in items:
        if any(item.path.is_relative_to(ROOT / folder) for folder in IN_MEMORY):
            item.add_marker("disable_socket")
    place = {ROOT / "tests" / name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path, len(LONG)))


class BySystem(LoadFileScheduling):  # type: ignore[misc]  # the package publishes no types
    """A file to a process, but for those that share a system."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return SHARING.get(file, file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    return BySystem(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A skipped test is a failure: what was not looked at is not known to hold."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and reporter.stats.get("skipped") and session.exitstatus == pytest.ExitCode.OK:
        reporter.write_line("FAILED: tests were skipped, and none may be", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """A folder with a short name, for what the servers of this run keep."""
    with scratch_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def postgres_server(short_folder: Path) -> Iterator[EmbeddedPostgres]:
    """One real PostgreSQL for the run. Tests take `fresh_database`, and leave this one running."""
    with EmbeddedPostgres.start(short_folder / "postgres") as server:
        yield server


@pytest.fixture(scope="session")
def kafka_broker(short_folder: Path) -> Iterator[Broker]:
    """One real Kafka broker for the run. Tests take a `topic_prefix` of their own, and leave this one running."""
    with Broker(KAFKA_LIBS, short_folder / "kafka") as running:
        yield running


@pytest.fixture
def fresh_database(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """The URL of an empty database that nobody else uses."""
    with a_database(postgres_server) as url:
        yield url


@contextmanager
def a_database(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """A new database of a server, dropped at the end."""
    name = f"t{uuid.uuid4().hex}"
    with closing(connect(postgres_server.url, autocommit=True)) as connection:
        with connection.cursor() as cur:
            cur.execute(f"CREATE DATABASE {name}")
        yield urlunsplit(urlsplit(postgres_server.url)._replace(path=f"/{name}"))
        _drop(connection, name)


def _drop(connection: Connection, name: str) -> None:
    """Drop a database. One that is just being vacuumed waits: the vacuum is the server's, and not ours to end."""
    for last_try in (*[False] * 50, True):
        try:
            with connection.cursor() as cur:
                cur.execute(f"DROP DATABASE {name} WITH (FORCE)")
        except InsufficientPrivilege:
            if last_try:
                raise
            time.sleep(0.2)
        else:
            return


@pytest.fixture
def topic_prefix() -> str:
    """A prefix that no other test uses."""
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture
def topics(topic_prefix: str) -> Topics:
    return Topics.under(topic_prefix)


@pytest.fixture
def settings_for(tmp_path: Path, topic_prefix: str, free_ports: Callable[[int], list[int]]) -> SettingsFor:
    """`settings_for(CERTMARK_LOG="kafka", …)`: settings of a service under test, with folders and ports of its own."""

    def made(**environment: str) -> Settings:
        verify, events, registry = free_ports(3)
        own = {
            "CERTMARK_DATA": str(tmp_path / "data"),
            "CERTMARK_TOPIC_PREFIX": topic_prefix,
            "CERTMARK_VERIFY_PORT": str(verify),
            "CERTMARK_EVENTS_PORT": str(events),
            "CERTMARK_REGISTRY_PORT": str(registry),
        }
        return settings_from(own | environment)

    return made


@pytest.fixture(scope="session")
def free_ports() -> Callable[[int], list[int]]:
    """`free_ports(3)`: different ports of 127.0.0.1 that nothing listens on at this moment."""
    return broker.free_ports


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]]) -> Iterator[System]:
    """One running demonstration, to which tests of several files add. None of them counts what is there."""
    with System(tmp_path_factory.mktemp("system") / ".data", free_ports(3)) as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the machine's own browser."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    pytest.fail("there is no chromium: `make test` installs it where it may")


@pytest.fixture(scope="session")
def playwright() -> "Iterator[Playwright]":
    """One for each process: Playwright bears no second one beside it."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=30_000)  # how long a busy machine may take is not what the tests are about
    with sync_playwright() as found:
        yield found


@pytest.fixture(scope="session")
def browser(playwright: "Playwright", chromium: str) -> "Iterator[Browser]":
    """A browser that tests share; each opens a context of its own in it, or its file's."""
    found = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM)
    yield found
    found.close()
