"""The projector as a process of its own on both logs: quick when idle, and whole after every kill -9."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from statistics import median

import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.domain.certificate import Certificate, Status, StatusInterval
from services.events.log import Log, Topics, open_log
from services.settings import Settings
from services.verify.answer import decide
from services.verify.projector import WAIT_S
from services.verify.read_model import Unreadable
from services.verify.recognise import recognise
from services.verify.register import Register
from services.verify.wording import Code
from tests.conftest import ROOT, SettingsFor
from tests.sealed_register import SealedRegister, demonstration

pytestmark = pytest.mark.integration

PATIENCE_S = 60.0
NUMBER = "PZB-2025-00217"


@dataclass
class Node:
    """A register that is published to a log, and a projector process that follows it."""

    settings: Settings
    log: Log
    register: SealedRegister
    published: int = 0
    figures_port: int = 0
    process: "subprocess.Popen[bytes] | None" = None
    reader: Register = field(init=False)

    def __post_init__(self) -> None:
        self.reader = Register(self.settings.data / "verify")

    def publish(self) -> None:
        """Everything that the register has written since the last time."""
        fresh = self.register.values[self.published :]
        for at in range(0, len(fresh), 500):
            self.log.append(Topics.under(self.settings.topic_prefix).state, fresh[at : at + 500])
        self.published = len(self.register.values)

    def start(self) -> None:
        environment = os.environ | {
            "CERTMARK_DATA": str(self.settings.data),
            "CERTMARK_LOG": self.settings.log,
            "CERTMARK_KAFKA_BOOTSTRAP": self.settings.kafka_bootstrap,
            "CERTMARK_DATABASE_URL": self.settings.database_url,
            "CERTMARK_TOPIC_PREFIX": self.settings.topic_prefix,
            "CERTMARK_GENESIS": self.register.genesis,
            "CERTMARK_FIGURES_PORT": str(self.figures_port),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "services.verify.projector"], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
        )

    def kill(self, how: signal.Signals = signal.SIGKILL) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(10)

    def code(self, number: str = NUMBER) -> Code | None:
        return decide(recognise(number, ()), self.reader, datetime.now(UTC), timedelta(hours=24)).code

    def position(self) -> int:
        with suppress(Unreadable):
            return self.reader.meta().position
        return -1


def until(true: Callable[[], bool], pause: float = 0.002) -> float:
    """Seconds until something holds."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < PATIENCE_S, "not in time"
        time.sleep(pause)
    return time.monotonic() - began


@pytest.fixture(params=["postgres", "kafka"])
def node(request: pytest.FixtureRequest, settings_for: SettingsFor) -> Iterator[Node]:
    environment = {"CERTMARK_LOG": request.param}
    if request.param == "kafka":
        environment["CERTMARK_KAFKA_BOOTSTRAP"] = request.getfixturevalue("kafka_broker").bootstrap
    else:
        environment["CERTMARK_DATABASE_URL"] = request.getfixturevalue("fresh_database")
    settings = settings_for(**environment)
    register = SealedRegister()
    register.now = datetime.now(UTC)
    with closing(open_log(settings)) as log:
        log.ensure(Topics.under(settings.topic_prefix).all())
        node = Node(settings, log, register.publish_all())
        yield node
        node.reader.model.close()
        if node.process is not None and node.process.poll() is None:
            node.kill()


def suspended(certificate: Certificate) -> Certificate:
    today = datetime.now(UTC).date() - timedelta(days=1)
    interval = StatusInterval(Status.SUSPENDED, today, None, "S03", today, "9" * 64)
    return replace(certificate, statuses=(*certificate.statuses, interval))


def test_a_change_is_seen_as_it_comes_and_not_at_the_next_look(node: Node) -> None:
    node.publish()
    node.start()
    until(lambda: node.code() is Code.VALID)
    certificate = demonstration(NUMBER)
    seconds = []
    for turn in range(20):
        node.register.publish_certificate(suspended(certificate) if turn % 2 == 0 else certificate)
        node.publish()
        expected = Code.SUSPENDED if turn % 2 == 0 else Code.VALID
        seconds.append(until(lambda expected=expected: node.code() is expected, 0.0005))  # type: ignore[misc]
    # Who looked once a second would need half a second for half of them; a busy machine may hold up some.
    assert median(seconds) < WAIT_S / 5


def test_kill_at_any_moment_loses_and_doubles_nothing(node: Node) -> None:
    base = demonstration(NUMBER)
    numbers = [f"KILL-2026-{n:05}" for n in range(1500)]
    kills = 0
    for n, number in enumerate(numbers, 1):
        mark = replace(base.marks[0], mark_no=f"M-{number}")
        node.register.publish_certificate(replace(base, certificate_no=number, marks=(mark,)))
        if n % 3 == 0:
            node.register.publish_certificate(suspended(replace(base, certificate_no=number, marks=(mark,))))
        if n % 500:
            continue
        node.register.heartbeat()
        node.publish()  # while nobody reads: there is something to be killed at
        while (before := node.position()) < len(node.register.values):
            node.start()
            until(lambda before=before: node.position() > before, 0.001)  # type: ignore[misc]
            time.sleep(0.003 * kills)  # later each time, so that the kill meets different places
            node.kill()
            kills += 1
    node.start()
    until(lambda: node.code() is Code.VALID)
    for n, number in enumerate(numbers, 1):
        assert node.code(number) is (Code.SUSPENDED if n % 3 == 0 else Code.VALID)
    meta = node.reader.meta()
    assert (meta.seq, meta.complete) == (node.register.seq, True)


def test_it_tells_its_figures_ends_when_told_and_a_second_one_is_refused(
    node: Node, free_ports: Callable[[int], list[int]]
) -> None:
    (node.figures_port,) = free_ports(1)
    node.publish()
    node.start()
    until(lambda: node.code() is Code.VALID)
    with urllib.request.urlopen(f"http://127.0.0.1:{node.figures_port}/metrics") as answer:
        families = {one.name: one for one in text_string_to_metric_families(answer.read().decode())}
    read = {sample.labels["outcome"]: sample.value for sample in families["certmark_projected_records"].samples[:1]}
    assert read == {"read": len(node.register.values)}
    node.figures_port = 0
    first = node.process
    node.start()
    assert node.process is not None
    assert node.process.wait(10) == 2
    node.process = first
    assert node.kill(signal.SIGTERM) == 0
    assert node.code() is Code.VALID  # the file answers with nobody writing it
