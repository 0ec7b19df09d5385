"""The contract of the log port, passed by both adapters on real servers."""

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

from deploy.kafka.broker import Broker
from services.domain.errors import Fault, LogMisconfigured, LogTruncated, LogUnavailable, TooLarge
from services.embedded import EmbeddedPostgres
from services.events.log import MAX_RECORD, Log, Record, Topic, Topics, open_log
from services.postgres import connect
from services.settings import Settings
from tests.conftest import KAFKA_LIBS, SettingsFor


@pytest.fixture(params=["postgres", "kafka"])
def settings(request: pytest.FixtureRequest, settings_for: SettingsFor) -> Settings:
    """Settings of a process over one of the two logs, in a place of its own."""
    if request.param == "kafka":
        broker: Broker = request.getfixturevalue("kafka_broker")
        return settings_for(CERTMARK_LOG="kafka", CERTMARK_KAFKA_BOOTSTRAP=broker.bootstrap)
    return settings_for(CERTMARK_DATABASE_URL=request.getfixturevalue("fresh_database"))


@pytest.fixture
def log(settings: Settings, topics: Topics) -> Iterator[Log]:
    with closing(open_log(settings)) as opened:
        opened.ensure(topics.all())
        yield opened


def everything(log: Log, topic: Topic, position: int = 0) -> list[Record]:
    """All records from a position on, read in pages smaller than the whole."""
    found: list[Record] = []
    while page := log.read(topic, position, 7):
        assert len(page) <= 7
        found += page
        position = page[-1].position + 1
    return found


T = TypeVar("T")


def until(look: Callable[[], T | None], seconds: float = 30.0) -> T:
    """The first answer of `look` that is not None; trouble of the log counts as none."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            answer = look()
        except Fault:
            answer = None
        if answer is not None:
            return answer
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


def test_records_come_back_in_order_with_their_positions(log: Log, topics: Topics) -> None:
    assert log.bounds(topics.events) == (0, 0)
    assert log.read(topics.events, 0, 10) == []
    first = log.append(topics.events, [("a", b"1"), ("b", b"\x00\xff"), ("a", b"")])
    second = log.append(topics.events, [("证书/1", "中".encode())])
    assert (first, second) == ([0, 1, 2], [3])
    assert log.append(topics.events, []) == []
    records = everything(log, topics.events)
    assert [(r.position, r.key, r.value) for r in records] == [
        (0, "a", b"1"),
        (1, "b", b"\x00\xff"),
        (2, "a", b""),
        (3, "证书/1", "中".encode()),
    ]
    assert log.bounds(topics.events) == (0, 4)
    assert [r.position for r in log.read(topics.events, 2, 1)] == [2]
    assert [r.position for r in log.read(topics.events, 1, 100)] == [1, 2, 3], "going back is allowed"


def test_another_process_gets_a_way_of_its_own(log: Log, topics: Topics) -> None:
    log.append(topics.events, [("a", b"1")])
    with closing(copy(log)) as other:
        log.close()
        assert [r.value for r in everything(other, topics.events)] == [b"1"]


def test_topics_do_not_mix(log: Log, topics: Topics) -> None:
    log.append(topics.events, [("a", b"event")])
    log.append(topics.dead_letter, [("a", b"dead")])
    assert [r.value for r in everything(log, topics.events)] == [b"event"]
    assert [r.value for r in everything(log, topics.dead_letter)] == [b"dead"]
    assert everything(log, topics.checkpoints) == []


def test_the_time_of_append_is_the_logs_own_and_never_goes_back(log: Log, topics: Topics) -> None:
    for number in range(20):
        log.append(topics.events, [(str(number), b"x")] * 3)
    times = [r.appended_at for r in everything(log, topics.events)]
    assert times == sorted(times)
    assert all(t.utcoffset() is not None and t.microsecond % 1000 == 0 for t in times)


def write_in_threads(settings: Settings, topic: Topic, writer: int) -> None:
    """What each of the writing processes does: two threads, each with a log of its own."""

    def write(thread: int) -> None:
        with closing(open_log(settings)) as log:
            for number in range(60):
                log.append(topic, [(f"{writer}/{thread}", f"{number}/{part}".encode()) for part in range(3)])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_many_writers_lose_nothing_and_a_reader_meanwhile_steps_over_nothing(
    log: Log, settings: Settings, topics: Topics
) -> None:
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=write_in_threads, args=(settings, topics.events, n)) for n in range(2)]
    for writer in writers:
        writer.start()
    seen: list[Record] = []
    deadline = time.monotonic() + 60
    while len(seen) < 2 * 2 * 60 * 3 and time.monotonic() < deadline:
        seen += log.read(topics.events, len(seen), 50, wait=0.5)
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert [r.position for r in seen] == list(range(2 * 2 * 60 * 3))
    assert [r.appended_at for r in seen] == sorted(r.appended_at for r in seen)
    in_order = [f"{number}/{part}".encode() for number in range(60) for part in range(3)]
    for key in ("0/0", "0/1", "1/0", "1/1"):
        assert [r.value for r in seen if r.key == key] == in_order
    assert seen == everything(log, topics.events), "what a reader saw first is what the log holds"


def test_many_records_at_once_are_kept_as_they_are(log: Log, topics: Topics) -> None:
    """More than go by one statement, with every byte and every sign that a transport might take for its own."""
    odd = [(key, bytes(range(256))) for key in ("\\", "a\tb", "\\N", "行\n", "\r")]
    odd += [("plain", value) for value in (b"", b"\\N", b"\\x41", b"\\.", b"a\nb", b"x" * 70_000, "中".encode())]
    records = odd + [(f"k/{number}", f"{number}".encode()) for number in range(100)]
    first = log.append(topics.events, records)
    assert first == list(range(first[0], first[0] + len(records)))
    assert [(r.key, r.value) for r in everything(log, topics.events)][-len(records) :] == records


def test_many_records_at_once_replace_each_other_and_what_was_before(log: Log, topics: Topics) -> None:
    log.append(topics.state, [("k/1", b"before"), ("k/other", b"stays")])
    records = [(f"k/{number % 60}", f"{number}".encode()) for number in range(100)]
    log.append(topics.state, records)
    found = {record.key: record.value for record in everything(log, topics.state)}
    assert found == dict(records) | {"k/other": b"stays"}
    keys = [record.key for record in everything(log, topics.state)]
    if log.__class__.__name__ == "PostgresLog":
        assert len(keys) == len(set(keys))


def test_a_waiting_reader_is_woken_by_the_append(log: Log, settings: Settings, topics: Topics) -> None:
    log.append(topics.events, [("a", b"old")])
    log.append(topics.state, [("a", b"of another topic")])
    with closing(open_log(settings)) as writer:
        writer.bounds(topics.events)
        timer = threading.Timer(0.2, lambda: writer.append(topics.events, [("a", b"new")]))
        timer.start()
        started = time.monotonic()
        records = log.read(topics.events, 1, 10, wait=30)
        timer.join()
    assert [r.value for r in records] == [b"new"]
    assert time.monotonic() - started < 15, "it waited for the append, not for its time to run out"


def test_waiting_ends_when_the_time_is_over(log: Log, topics: Topics) -> None:
    began = time.monotonic()
    assert log.read(topics.events, 0, 10, wait=0.3) == []
    assert time.monotonic() - began >= 0.3, "and it did wait"


def test_a_compacted_topic_keeps_the_last_record_of_each_key(log: Log, topics: Topics) -> None:
    assert log.append(topics.state, [("a", b"1"), ("b", b"1"), ("a", b"2")]) == [0, 1, 2]
    assert log.append(topics.state, [("c", b"1"), ("b", b"2")]) == [3, 4]
    records = everything(log, topics.state)
    assert {r.key: r.value for r in records} == {"a": b"2", "b": b"2", "c": b"1"}
    positions = [r.position for r in records]
    assert positions == sorted(set(positions))
    assert positions[-1] == 4
    assert log.bounds(topics.state) == (0, 5)
    assert [r.key for r in log.read(topics.state, 4, 10)] == ["b"]


def test_compaction_leaves_holes_that_a_reader_steps_over(log: Log, settings: Settings, topics: Topics) -> None:
    if settings.log == "kafka":
        with closing(KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)) as admin:
            quickly = {"segment.ms": "100", "min.cleanable.dirty.ratio": "0.001", "min.compaction.lag.ms": "0"}
            admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topics.state.name, configs=quickly)])
    for number in range(5):
        log.append(topics.state, [("a", str(number).encode()), ("b", str(number).encode())])

    def compacted() -> list[Record] | None:
        log.append(
            topics.state, [("tick", b"")]
        )  # Kafka compacts closed segments only, and closes one when it is written
        records = everything(log, topics.state)
        return records if [r.value for r in records if r.key == "a"] == [b"4"] else None

    records = until(compacted, 60)
    assert [r.position for r in records if r.key in ("a", "b")] == [8, 9]
    assert log.bounds(topics.state)[0] == 0


def test_a_position_outside_of_the_log_is_a_hard_stop(log: Log, settings: Settings, topics: Topics) -> None:
    log.append(topics.events, [("a", str(number).encode()) for number in range(5)])
    for wait in (0.0, 0.3):
        with pytest.raises(LogTruncated, match=topics.events.name):
            log.read(topics.events, 6, 10, wait)
    assert log.read(topics.events, 5, 10) == []
    if settings.log == "kafka":
        with closing(KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)) as admin:
            admin.delete_records({TopicPartition(topics.events.name, 0): 3})
    else:
        with closing(connect(settings.database_url, autocommit=True)) as connection, connection.cursor() as cur:
            cur.execute("UPDATE log.topic SET first_position = 3 WHERE name = %s", (topics.events.name,))
            cur.execute("DELETE FROM log.record WHERE position < 3")
    assert until(lambda: log.bounds(topics.events) if log.bounds(topics.events)[0] else None) == (3, 5)
    for wait in (0.0, 0.3):
        with pytest.raises(LogTruncated, match=topics.events.name):
            log.read(topics.events, 0, 10, wait)
    assert [r.position for r in everything(log, topics.events, 3)] == [3, 4]


def test_a_record_that_is_too_large_is_refused_and_nothing_of_its_batch_is_stored(log: Log, topics: Topics) -> None:
    with pytest.raises(TooLarge):
        log.append(topics.events, [("a", b"small"), ("a", bytes(MAX_RECORD))])
    assert log.bounds(topics.events) == (0, 0)
    assert log.append(topics.events, [("a", bytes(MAX_RECORD - 1))]) == [0]
    assert len(log.read(topics.events, 0, 10)[0].value) == MAX_RECORD - 1


def test_ensure_can_be_repeated_and_loses_nothing(log: Log, settings: Settings, topics: Topics) -> None:
    log.append(topics.events, [("a", b"1")])
    log.ensure(topics.all())
    with closing(open_log(settings)) as other:
        other.ensure(topics.all())
        assert [r.value for r in everything(other, topics.events)] == [b"1"]


def test_ensure_complains_about_a_topic_that_was_made_otherwise(log: Log, topics: Topics) -> None:
    with pytest.raises(LogMisconfigured, match=topics.state.name):
        log.ensure([Topic(topics.state.name, compacted=False)])


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "partitions": ({"num_partitions": 2}, "partitions is 2, and has to be 1"),
    "retention": ({"configs": {"retention.ms": "604800000"}}, "retention.ms is 604800000, and has to be -1"),
    "size": ({"configs": {"retention.bytes": "1000"}}, "retention.bytes is 1000, and has to be -1"),
    "clean-up": ({"configs": {"cleanup.policy": "compact"}}, "cleanup.policy is compact, and has to be delete"),
    "clock": (
        {"configs": {"message.timestamp.type": "CreateTime"}},
        "message.timestamp.type is CreateTime, and has to be LogAppendTime",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_kafka_topic_that_would_lose_or_reorder_events_is_an_error(
    wrong: str, kafka_broker: Broker, settings_for: SettingsFor, topics: Topics
) -> None:
    right = {"retention.ms": "-1", "message.timestamp.type": "LogAppendTime", "compression.type": "uncompressed"}
    changes, complaint = WRONG[wrong]
    made: dict[str, Any] = {"num_partitions": 1, "replication_factor": 1, **changes}
    made["configs"] = right | made.get("configs", {})
    with closing(KafkaAdminClient(bootstrap_servers=kafka_broker.bootstrap)) as admin:
        admin.create_topics({topics.events.name: made}, wait_for_metadata=True)
    with closing(open_log(settings_for(CERTMARK_LOG="kafka", CERTMARK_KAFKA_BOOTSTRAP=kafka_broker.bootstrap))) as log:
        with pytest.raises(LogMisconfigured) as raised:
            log.ensure(topics.all())
        assert f"topic {topics.events.name}: {complaint}" in raised.value.detail


def check_recovery(settings: Settings, topics: Topics, stop: Callable[[], None], start: Callable[[], object]) -> None:
    """Trouble while the server is away, everything there once it is back, on the same instances."""
    with closing(open_log(settings)) as log, closing(open_log(settings)) as reader:
        log.ensure(topics.all())
        log.append(topics.events, [("a", b"before")])
        assert [r.value for r in reader.read(topics.events, 0, 10, wait=5)] == [b"before"]
        assert reader.read(topics.events, 1, 10, wait=0.1) == []
        stop()
        with pytest.raises(Fault):
            log.append(topics.events, [("a", b"lost")])
        with pytest.raises(Fault):
            reader.read(topics.events, 1, 10, wait=0.1)
        start()
        assert until(lambda: log.append(topics.events, [("a", b"after")]))
        values = until(lambda: [r.value for r in reader.read(topics.events, 1, 10, wait=1)] or None)
        # What was not acknowledged may have been stored all the same; what was acknowledged is there.
        assert values[-1] == b"after"
        assert set(values[:-1]) <= {b"lost"}


def test_postgres_away_and_back(tmp_path: Path, settings_for: SettingsFor, topics: Topics) -> None:
    settings = settings_for()
    servers = [EmbeddedPostgres.start(settings.data)]
    try:
        check_recovery(
            settings,
            topics,
            stop=lambda: servers[-1].stop(),
            start=lambda: servers.append(EmbeddedPostgres.start(settings.data)),
        )
    finally:
        servers[-1].stop()


@pytest.mark.timeout(180)
def test_kafka_away_and_back(tmp_path: Path, settings_for: SettingsFor, topics: Topics) -> None:
    broker = Broker(KAFKA_LIBS, tmp_path / "broker").start()
    try:
        short = {"CERTMARK_KAFKA_PATIENCE": "4"}  # that a write is given up at all is tested, not after how long
        settings = settings_for(CERTMARK_LOG="kafka", CERTMARK_KAFKA_BOOTSTRAP=broker.bootstrap, **short)
        check_recovery(settings, topics, stop=broker.kill, start=broker.start)
    finally:
        broker.stop()


def test_every_backend_ended_costs_no_record(fresh_database: str, settings_for: SettingsFor, topics: Topics) -> None:
    settings = settings_for(CERTMARK_DATABASE_URL=fresh_database)
    with closing(open_log(settings)) as log, closing(connect(fresh_database, autocommit=True)) as killer:
        log.ensure(topics.all())
        acknowledged: list[int] = []
        for number in range(20):
            acknowledged += until(partial(log.append, topics.events, [("a", str(number).encode())]))
            with killer.cursor() as cur:
                cur.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
                )
        values = until(lambda: everything(log, topics.events) or None)
        assert [values[p].value for p in acknowledged] == [str(n).encode() for n in range(20)]


def test_an_idle_log_holds_no_transaction_open(fresh_database: str, settings_for: SettingsFor, topics: Topics) -> None:
    settings = settings_for(CERTMARK_DATABASE_URL=fresh_database)
    with closing(open_log(settings)) as log, closing(connect(fresh_database, autocommit=True)) as other:
        log.ensure(topics.all())
        log.append(topics.events, [("a", b"1")])
        log.read(topics.events, 1, 10, wait=0.1)
        with other.cursor() as cur:
            cur.execute(
                "SELECT state FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            assert {state for (state,) in cur.fetchall()} == {"idle"}


def test_without_a_server_the_log_is_unavailable(settings_for: SettingsFor, topics: Topics, tmp_path: Path) -> None:
    settings = settings_for(CERTMARK_DATABASE_URL=f"postgresql:///none?host={tmp_path}")
    with closing(open_log(settings)) as log, pytest.raises(LogUnavailable):
        log.append(topics.events, [("a", b"1")])
