"""Ingest over both real logs: what it takes, what it answers, and that a 202 means a record."""

import collections
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.kafka.broker import Broker
from services.events import client
from services.events.client import Publisher, Service
from services.events.envelope import open_envelope
from services.events.ingest import MAX_LINES, MAX_REQUEST
from services.events.keys import PrivateKey, new_key
from services.events.log import Log, Record, Topics, open_log
from services.settings import Settings
from tests.conftest import ROOT, SettingsFor
from tests.signed import BODY, DECLARANT, OTHER_BODY, REGISTRY, Registry, event_of, keyed

ONE = "application/jose"
MANY = "application/x-ndjson"


@pytest.fixture(params=["postgres", "kafka"])
def settings(request: pytest.FixtureRequest, settings_for: SettingsFor) -> Settings:
    if request.param == "kafka":
        broker: Broker = request.getfixturevalue("kafka_broker")
        return settings_for(CERTMARK_LOG="kafka", CERTMARK_KAFKA_BOOTSTRAP=broker.bootstrap)
    return settings_for(CERTMARK_DATABASE_URL=request.getfixturevalue("fresh_database"))


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.body.splitlines()]


@dataclass
class Desk:
    """A running ingest service, the log under it, and keys that its state topic knows."""

    settings: Settings
    log: Log
    topics: Topics
    registry: Registry
    body: PrivateKey
    es256: PrivateKey
    process: subprocess.Popen[bytes]

    def post(self, body: bytes, content_type: str = ONE, **headers: str) -> Answer:
        return self.request("POST", "/v1/events", body, {"Content-Type": content_type, **headers})

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection(self.settings.host, self.settings.events_port, timeout=30)
        with closing(connection):
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())

    def stored(self) -> list[Record]:
        position, end = self.log.bounds(self.topics.events)
        found: list[Record] = []
        while position < end:
            page = self.log.read(self.topics.events, position, 1000, wait=5.0)
            assert page
            found += page
            position = page[-1].position + 1
        return found

    def publish_keys(self, *values: bytes) -> None:
        self.log.append(self.topics.state, [keyed(value) for value in values])


@contextmanager
def running(
    settings: Settings, registry: Registry, log_file: Path, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """The service as it is run, in a process group of its own that leaves nothing behind."""
    told = {
        "CERTMARK_DATA": str(settings.data),
        "CERTMARK_LOG": settings.log,
        "CERTMARK_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "CERTMARK_DATABASE_URL": settings.database_url,
        "CERTMARK_TOPIC_PREFIX": settings.topic_prefix,
        "CERTMARK_GENESIS": registry.genesis,
        "CERTMARK_VERIFY_PORT": str(settings.verify_port),
        "CERTMARK_EVENTS_PORT": str(settings.events_port),
        "CERTMARK_REGISTRY_PORT": str(settings.registry_port),
    }
    command = [
        *(sys.executable, "-m", "granian", "--interface", "asgi", "--factory", "services.events.ingest:create_server"),
        *("--host", settings.host, "--port", str(settings.events_port), "--blocking-threads", "1"),
    ]
    with log_file.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | told | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            finally:
                try:
                    os.killpg(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass  # the usual: everybody had gone


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def start(settings: Settings, topics: Topics, registry: Registry, tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """`start(CERTMARK_RATE_PER_SECOND="3")`: an ingest service that is ready."""
    with ExitStack() as stack:

        def begin(**environment: str) -> Desk:
            log = stack.enter_context(closing(open_log(settings)))
            log.ensure(topics.all())
            body, es256 = new_key(), new_key("ES256")
            process = stack.enter_context(running(settings, registry, tmp_path / "ingest.log", **environment))
            desk = Desk(replace(settings, genesis=registry.genesis), log, topics, registry, body, es256, process)
            seal = registry.record(registry.seal, REGISTRY, "seal")
            root = registry.beginning()[0]
            # In an order that compaction could leave: what was signed stands before who signed it.
            desk.publish_keys(registry.record(body, BODY), registry.record(es256, BODY), seal, root)
            until(lambda: desk.request("GET", "/readyz").status == 200)
            return desk

        yield begin


@pytest.fixture
def desk(start: Callable[..., Desk]) -> Desk:
    return start()


def until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if holds():
                return
        except OSError:
            pass  # not listening yet
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_an_event_is_in_the_log_byte_for_byte_when_202_is_answered(desk: Desk) -> None:
    for key in (desk.body, desk.es256):
        jws = event_of(key)
        answer = desk.post(jws)
        assert answer.status == 202, answer.body
        assert answer.json["digest"] == open_envelope(jws).digest
        record = desk.stored()[-1]
        assert (record.key, record.value) == ("2023990703000117", jws)


def test_bad_input_has_its_own_code_and_reaches_no_log(desk: Desk) -> None:
    good = event_of(desk.body)
    head, payload, signature = good.split(b".")
    declarant = new_key()
    desk.publish_keys(desk.registry.record(declarant, DECLARANT, "declaration"))
    cases: list[tuple[bytes, int, str]] = [
        (b"", 400, "not-an-envelope"),
        (b"{}", 400, "not-an-envelope"),
        (b"\xff\xfe", 400, "not-an-envelope"),
        (payload + b"." + payload + b"." + signature, 401, "algorithm-not-allowed"),
        (head + b"." + payload + b"." + signature[:-4] + b"AAAA", 401, "bad-signature"),
        (event_of(new_key()), 401, "unknown-key"),
        (event_of(desk.registry.seal), 401, "key-not-valid"),
        (event_of(desk.body, OTHER_BODY), 403, "not-this-source"),
        (event_of(desk.body, event_type="certificate.invented"), 400, "unknown-type"),
        (event_of(desk.body, data={"effective_at": "2026-02-30"}), 400, "bad-event"),
        (event_of(desk.body, sequence=0), 400, "bad-event"),
        (event_of(desk.body, subject="x"), 400, "bad-event"),
        (b"a" * 1024 * 1024, 413, "too-large"),
    ]
    for jws, status, code in cases:
        answer = desk.post(jws)
        assert (answer.status, answer.json["code"]) == (status, code), jws[:60]
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert desk.post(good, "text/plain").status == 415
    encoded = desk.post(good, **{"Content-Encoding": "gzip"})
    assert (encoded.status, encoded.headers["Accept-Encoding"]) == (415, "identity")
    assert desk.request("GET", "/v1/events").status == 405
    assert desk.stored() == []
    assert desk.post(good, **{"Content-Encoding": "identity"}).status == 202, "no encoding at all"


def test_lines_are_answered_one_by_one_in_order(desk: Desk) -> None:
    good = [event_of(desk.body, subject=f"20239907030001{i:02}") for i in range(3)]
    body = (
        b"\n".join([good[0], b"junk", b'"' + good[1] + b'"', b"", event_of(desk.body, OTHER_BODY), good[2]]) + b"\r\n"
    )
    answer = desk.post(body, MANY)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == MANY
    assert [line["status"] for line in answer.lines] == [202, 400, 202, 403, 202]
    assert [answer.lines[i]["digest"] for i in (0, 2, 4)] == [open_envelope(jws).digest for jws in good]
    assert [record.value for record in desk.stored()] == good


def test_the_limits_of_a_request_of_many_lines(desk: Desk) -> None:
    line = event_of(desk.body)
    assert desk.post(b"\n".join([line] * (MAX_LINES + 1)), MANY).status == 413
    assert desk.post(b"\n", MANY).status == 400
    assert desk.post(b"x" * (MAX_REQUEST + 1), MANY).status == 413
    assert desk.stored() == []
    full = desk.post(b"\n".join([line] * MAX_LINES), MANY)
    assert collections.Counter(found["status"] for found in full.lines) == {202: MAX_LINES}
    assert len(desk.stored()) == MAX_LINES


def test_a_key_added_a_moment_ago_is_waited_for(desk: Desk) -> None:
    late = new_key()
    record = keyed(desk.registry.record(late, BODY))

    def add() -> None:
        with closing(open_log(desk.settings)) as log:
            log.append(desk.topics.state, [record])

    adding = threading.Thread(target=add)
    adding.start()
    answers = [desk.post(event_of(late)) for _ in range(2)]
    adding.join()
    until(lambda: desk.post(event_of(late)).status == 202)
    assert {answer.status for answer in answers} <= {202, 401}


def test_a_retired_key_is_refused_as_soon_as_its_record_is_read(desk: Desk) -> None:
    desk.publish_keys(desk.registry.record(desk.body, BODY, retired_on="2026-01-01"))
    until(lambda: desk.post(event_of(desk.body)).status == 401)
    assert desk.post(event_of(desk.body)).json["code"] == "key-not-valid"


def test_a_forged_key_record_changes_nothing(desk: Desk) -> None:
    thief, forged = new_key(), Registry()
    desk.publish_keys(*forged.beginning(), forged.record(thief, BODY), forged.sealed("heartbeat", None))
    assert desk.post(event_of(thief)).json["code"] == "unknown-key"
    assert desk.post(event_of(desk.body)).status == 202


def test_a_source_that_sends_too_many_bytes_is_told_how_long_to_wait(start: Callable[..., Desk]) -> None:
    desk = start(CERTMARK_BYTES_PER_SECOND="1")
    large = event_of(desk.body, data={"note": "x" * 60_000})  # of no valid form, and paid for all the same
    body = b"\n".join([large] * (MAX_REQUEST // (len(large) + 1)))
    assert {line["status"] for line in desk.post(body, MANY).lines} == {400}, "one whole request passes"
    answer = desk.post(large)
    assert (answer.status, answer.json["code"]) == (429, "too-many-requests")
    assert int(answer.headers["Retry-After"]) >= 1


def test_the_publisher_sends_the_same_bytes_until_an_answer_is_known(start: Callable[..., Desk]) -> None:
    desk = start(CERTMARK_RATE_PER_SECOND="200")
    events = [event_of(desk.body, subject=f"2023990703{i:06}") for i in range(1100)]
    done: list[int] = []
    with closing(Publisher(desk.settings.service_url("events"))) as publisher:
        sent = publisher.publish(events, done.append)
    assert [s.status for s in sent] == [202] * len(events)
    assert sum(done) == len(events)
    assert [record.value for record in desk.stored()] == events, "in order, each once"


def test_what_is_throttled_is_not_overtaken_within_its_request(start: Callable[..., Desk]) -> None:
    """Tokens come back in the middle of a request, which lasts much longer than one takes: the rest still waits."""
    desk = start(CERTMARK_RATE_PER_SECOND="200")
    statuses: list[list[int]] = []
    while not any(429 in found for found in statuses):
        events = [event_of(desk.body, subject=f"2023990703{i:06}") for i in range(MAX_LINES)]
        statuses.append([line["status"] for line in desk.post(b"\n".join(events), MANY).lines])
        statuses.append([line["status"] for line in desk.post(b"\n".join(events), MANY).lines])
    for found in statuses:
        assert found == [202] * found.count(202) + [429] * found.count(429)


def test_one_sources_limit_does_not_hold_another(start: Callable[..., Desk]) -> None:
    desk = start(CERTMARK_RATE_PER_SECOND="1")
    other = new_key()
    desk.publish_keys(desk.registry.record(other, OTHER_BODY))
    until(lambda: desk.post(event_of(other, OTHER_BODY)).status == 202)
    # Twice what the bucket holds: however slow the machine, one event is left out in the end, and all after it.
    spent = [event_of(desk.body)] * MAX_LINES
    desk.post(b"\n".join(spent), MANY)
    mixed = [*spent[2:], event_of(other, OTHER_BODY), event_of(desk.body)]
    assert [line["status"] for line in desk.post(b"\n".join(mixed), MANY).lines][-3:] == [429, 202, 429]


def test_sigterm_finishes_what_is_in_flight(desk: Desk) -> None:
    jws = event_of(desk.body)
    statuses: list[int] = []

    def send() -> None:
        connection = http.client.HTTPConnection(desk.settings.host, desk.settings.events_port, timeout=30)
        with closing(connection):
            try:
                while True:
                    connection.request("POST", "/v1/events", jws, {"Content-Type": ONE})
                    answer = connection.getresponse()
                    answer.read()
                    statuses.append(answer.status)
            except (OSError, http.client.HTTPException):
                return

    senders = [threading.Thread(target=send) for _ in range(4)]
    for sender in senders:
        sender.start()
    until(lambda: len(statuses) > 50)
    desk.process.terminate()
    for sender in senders:
        sender.join()
    assert desk.process.wait(20) == 0
    assert set(statuses) == {202}
    assert len(desk.stored()) == len(statuses)


def test_the_service_describes_itself(desk: Desk) -> None:
    document = desk.request("GET", "/openapi.json").json
    operation = document["paths"]["/v1/events"]["post"]
    assert set(operation["requestBody"]["content"]) == {ONE, MANY}
    assert {"200", "202", "400", "401", "403", "413", "415", "429", "503"} <= set(operation["responses"])
    assert desk.request("GET", "/docs").status == 200
    assert desk.request("GET", "/healthz").status == 200


def test_without_keys_it_is_not_ready_and_takes_nothing(
    settings: Settings, topics: Topics, registry: Registry, tmp_path: Path
) -> None:
    with closing(open_log(settings)) as log:
        log.ensure(topics.all())
        with running(settings, registry, tmp_path / "ingest.log") as process:
            desk = Desk(settings, log, topics, registry, new_key(), new_key(), process)
            until(lambda: desk.request("GET", "/healthz").status == 200)
            assert desk.request("GET", "/readyz").status == 503
            answer = desk.post(event_of(desk.body))
            assert (answer.status, answer.json["code"]) == (503, "not-ready")
            assert "Retry-After" in answer.headers


def test_a_body_admitted_to_the_broker_publishes_past_the_ingest(
    kafka_broker: Broker, settings_for: SettingsFor, topics: Topics
) -> None:
    """Nothing is trusted because of the way it came: the bytes are the same, the registry judges both."""
    settings = settings_for(CERTMARK_LOG="kafka", CERTMARK_KAFKA_BOOTSTRAP=kafka_broker.bootstrap)
    events = [event_of(new_key(), subject=f"2023990703{i:06}") for i in range(700)]
    with closing(open_log(settings)) as log:
        log.ensure(topics.all())
        with closing(Publisher(f"kafka://{kafka_broker.bootstrap}", settings)) as publisher:
            sent = publisher.publish(events)
        assert [s.digest for s in sent if s.stored] == [open_envelope(jws).digest for jws in events]
        found: list[Record] = []
        while len(found) < len(events):
            page = log.read(topics.events, found[-1].position + 1 if found else 0, 1000, wait=5.0)
            assert page
            found += page
    assert [(r.key, r.value) for r in found] == [(f"2023990703{i:06}", jws) for i, jws in enumerate(events)]


def test_a_publisher_that_nobody_answers_says_why_it_waits_and_unknown_when_its_patience_ends(
    settings_for: SettingsFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, told = [0.0], list[str]()
    clock = SimpleNamespace(monotonic=lambda: now[0], sleep=lambda seconds: now.append(now.pop() + seconds))
    monkeypatch.setattr(client, "time", clock)
    url, waiting = settings_for().service_url("events"), lambda problem: told.append(problem["code"])
    with closing(Publisher(url, patience=2.5, waiting=waiting)) as publisher:
        sent = publisher.publish([event_of(new_key())])
    assert told == ["unreachable"] * 2
    assert [(s.status, (s.problem or {})["code"]) for s in sent] == [(503, "unreachable")]


def test_nothing_is_sent_past_what_is_not_known_to_be_stored(settings_for: SettingsFor) -> None:
    events = [event_of(new_key(), subject=f"2023990703{i:06}") for i in range(600)]
    done: list[int] = []
    with closing(Publisher(settings_for().service_url("events"), patience=0.0)) as publisher:
        sent = publisher.publish(events, done.append)
    assert [s.digest for s in sent] == [open_envelope(jws).digest for jws in events]
    assert [(s.problem or {})["code"] for s in sent] == ["unreachable"] * 500 + ["not-sent"] * 100
    assert not any(s.stored for s in sent)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 504])
def test_an_answer_of_the_proxy_is_unknown_too(status: int) -> None:
    class Away(Service):
        def request(self, *_: object, **__: object) -> tuple[int, http.client.HTTPMessage, bytes]:
            return status, http.client.HTTPMessage(), b"<html>"

    events = [event_of(new_key(), subject=f"2023990703{i:06}") for i in range(501)]
    sent = Publisher(Away("http://127.0.0.1"), patience=0.0).publish(events)
    assert [sent[0].status, sent[-1].status, sent[-1].problem and sent[-1].problem["code"]] == [status, 503, "not-sent"]


def test_patience_begins_anew_with_every_event_that_is_stored(start: Callable[..., Desk]) -> None:
    desk = start(CERTMARK_RATE_PER_SECOND="200")
    desk.post(b"\n".join([event_of(desk.body)] * MAX_LINES), MANY)
    before = len(desk.stored())
    events = [event_of(desk.body, subject=f"2023990703{i:06}") for i in range(500)]
    with closing(Publisher(desk.settings.service_url("events"), patience=1.5)) as publisher:
        assert all(s.stored for s in publisher.publish(events)), (
            "more than two seconds' worth, with less patience than that"
        )
    assert [record.value for record in desk.stored()[before:]] == events
