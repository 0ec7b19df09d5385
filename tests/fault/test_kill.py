"""Each process is killed under a load of 5,000 events, on both logs: nothing is lost, nothing happens twice."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from deploy.kafka.broker import Broker
from services.events.client import Publisher, Sent
from services.events.drafts import Signer
from services.events.envelope import open_envelope, read_event
from services.events.keys import load_key
from services.events.log import Topics, open_log
from services.events.record import open_sealed, read_record
from services.migrate import migrate
from services.postgres import Connection, connect, transaction
from services.registry import store
from services.registry.worker import Worker
from services.settings import Settings, settings_from
from tests.conftest import KAFKA_LIBS, ROOT
from tests.register import ago, ahead
from tests.system import System, get_json, wait_for

BODY = "CNCA-R-2019-7906"
CERTIFICATES = 1250
ROUNDS = ("worker", "intake", "relay", "projector", "registry", "events", "verify", "postgres", "worker", "events")

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(params=["postgres", "kafka"])
def system(
    request: pytest.FixtureRequest, tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> Iterator[tuple[System, Broker | None]]:
    if request.param == "postgres":
        with System(tmp_path / "data", free_ports(3)) as running:
            yield running, None
        return
    with Broker(KAFKA_LIBS, tmp_path / "kafka") as broker:
        environment = {"CERTMARK_LOG": "kafka", "CERTMARK_KAFKA_BOOTSTRAP": broker.bootstrap}
        with System(tmp_path / "data", free_ports(3), **environment) as running:
            yield running, broker


def the_load(system: System) -> list[bytes]:
    """Four events about each of 1,250 certificates, in an order that mixes them."""
    signer = Signer(
        f"urn:certmark:body:{BODY}", load_key(system.data / "keys" / f"{BODY}.pem"), "L-1", lambda *_: (0, None)
    )
    first: dict[str, Any] = {
        "effective_at": ago(300),
        "scheme": "qms",
        "basis": [{"standard": "GB/T 19001", "edition": "2016"}],
        "holder": {"name": "示范公司"},
        "service_scope": "零件的生产",
        "issued_on": ago(300),
        "valid_from": ago(300),
        "valid_until": ahead(300),
        "approver": "7906-0007",
    }
    life: list[tuple[str, dict[str, Any]]] = [
        ("certificate.issued", first),
        ("certificate.surveillance_passed", {"effective_at": ago(50)}),
        ("certificate.suspended", {"effective_at": ago(40), "reason": "S02", "until": ahead(60)}),
        ("certificate.resumed", {"effective_at": ago(20), "verified_on": ago(21)}),
    ]
    now = datetime.now(UTC)
    return [
        signer.sign({"type": event, "subject": f"LOAD26Q{number:05d}R0S", "data": data}, now)
        for event, data in life
        for number in range(CERTIFICATES)
    ]


def test_kill_each_process_under_load(system: tuple[System, Broker | None]) -> None:
    running, broker = system
    events = the_load(running)

    def publish() -> list[Sent]:
        answered: list[Sent] = []
        with closing(Publisher(running.events, patience=120)) as publisher:  # nothing is given up, however slow it goes
            for start in range(0, len(events), 50):
                answered += publisher.publish(events[start : start + 50])
                time.sleep(0.05)  # so that the load lasts as long as the killing
        return answered

    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(publish)
        for name in ROUNDS:
            kill(running, name)
            keeps_answering(running)
            time.sleep(0.8)
        if broker is not None:
            broker.kill()
            time.sleep(1)
            broker.start()
        answered = load.result(180)
    assert all(sent.stored for sent in answered), [s for s in answered if not s.stored][:3]
    check_invariants(running, events)


def kill(running: System, name: str) -> None:
    """Kill every process of that name, of which there is one at least."""
    wait_for(lambda: name in running.processes(), 30, lambda: f"{name} is not running: {running.processes()}")
    pids = running.processes()[name]
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def keeps_answering(running: System) -> None:
    """Verify answers with whatever else is dead; where it was itself killed, it is back within seconds (I9)."""

    def answers() -> bool:
        try:
            return bool(public_answer(running, "2022990201000204")["code"] == "suspended")
        except (OSError, HTTPException):  # it was killed before it answered, or while it did
            return False

    wait_for(answers, 60, lambda: "verify does not answer")


def check_invariants(running: System, events: list[bytes]) -> None:
    """I1–I8 of the design, looked at from outside: the log, PostgreSQL, the state topic, the public answers."""
    settings = settings_from(running.environment | {"CERTMARK_DATABASE_URL": ""})
    digests = [open_envelope(event).digest for event in events]
    with closing(open_log(settings)) as log:
        topics = Topics.under(settings.topic_prefix)
        end = log.bounds(topics.events)[1]

        def database_url() -> str:
            return (running.data / "postgres.url").read_text(encoding="ascii").strip()

        with closing(connect(database_url())) as connection:
            wait_for(lambda: position(connection) >= end, 60, lambda: (position(connection), end))
            with transaction(connection) as cur:
                counts = store.counts(cur)
                cur.execute("SELECT digest, decision, jws, seq FROM entries WHERE kind = 'event' ORDER BY seq")
                entries = cur.fetchall()
                cur.execute("SELECT seq FROM entries ORDER BY seq")
                seqs = [seq for (seq,) in cur.fetchall()]
                cur.execute("SELECT source, subject, sequence, digest FROM chains WHERE subject LIKE 'LOAD26Q%'")
                chains = cur.fetchall()
                cur.execute("SELECT key, revision, state FROM records")
                rows = {key: (revision, state) for key, revision, state in cur.fetchall()}
        mine = [e for e in entries if e[0] in set(digests)]
        assert [e[1] for e in mine] == ["accepted"] * len(digests)  # I1
        assert len({e[0] for e in mine}) == len(mine) == len(digests)  # I2
        assert sorted(c[2] for c in chains) == [4] * CERTIFICATES  # I3
        public = load_key(running.data / "keys" / f"{BODY}.pem").public
        for _, _, jws, _ in mine:  # I4
            envelope = open_envelope(jws.encode())
            public.verify(envelope.signature, envelope.signing_input)
        assert seqs == list(range(counts["size"]))
        parts = ("accepted", "refused", "duplicates", "quarantined", "pending")
        assert counts["read"] == sum(counts[part] for part in parts)  # I8
        assert counts["refused"] == counts["quarantined"] == counts["pending"] == 0

        def last_records() -> dict[str, int]:
            place = log.bounds(topics.state)[0]
            found: dict[str, int] = {}
            while records := log.read(topics.state, place, 500):
                found |= {r.key: read_record(open_sealed(r.value).payload).revision for r in records}
                place = records[-1].position + 1
            found.pop("heartbeat", None)
            return found

        wanted = {key: revision for key, (revision, _) in rows.items()}
        wait_for(lambda: last_records() == wanted, 60, lambda: "the state topic does not hold the rows")  # I6
    if settings.log == "kafka":
        said = {key: state for key, (_, state) in rows.items() if not key.startswith(NOT_SAID)}
        assert folded_again(settings, database_url(), end) == said  # I5
    for number in range(0, CERTIFICATES, 50):  # I7: verify converges to it
        subject = f"LOAD26Q{number:05d}R0S"
        wait_for(lambda s=subject: public_seq(running, s) == 4, 30, lambda s=subject: public_answer(running, s))  # type: ignore[misc]
    assert read_event(open_envelope(events[0])).subject in {c[1] for c in chains}


NOT_SAID = ("codes/", "list/", "trust")
"""Records that no event says by itself: sets of unit codes come privately, lists are made of records and the day."""


def position(connection: Connection) -> int:
    with transaction(connection) as cur:
        return store.head(cur).position


def folded_again(settings: Settings, database: str, end: int) -> dict[str, str]:
    """The states that a new register comes to, which reads the same log from zero."""
    with closing(connect(database, autocommit=True)) as connection, connection.cursor() as cur:
        cur.execute("CREATE DATABASE folded_again")
    fresh = urlunsplit(urlsplit(database)._replace(path="/folded_again"))
    with closing(connect(fresh)) as connection:
        for part in ("events", "registry"):
            migrate(connection, ROOT / "services" / part / "migrations")
        genesis = (settings.data / "genesis").read_text(encoding="ascii").strip()
        with closing(Worker(replace(settings, database_url=fresh, genesis=genesis), name="again")) as worker:
            while position(connection) < end:
                worker.step()
        with transaction(connection) as cur:
            cur.execute("SELECT key, state FROM records")
            return dict(cur.fetchall())


def public_answer(running: System, number: str) -> dict[str, Any]:
    return get_json(f"{running.verify}/v1/verify?q={number}")


def public_seq(running: System, number: str) -> int:
    """How many status intervals and surveillances the public sees: four events make three and one."""
    certificate = public_answer(running, number).get("certificate") or {}
    return len(certificate.get("statuses", [])) + len(certificate.get("surveillances", []))
