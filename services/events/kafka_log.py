"""The log port on Apache Kafka: one partition a topic, acknowledged by every replica, read by position."""

import logging
import ssl
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import (
    AuthorizationError,
    InvalidReplicationFactorError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    LogTruncationError,
    MessageSizeTooLargeError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    RecordListTooLargeError,
    SaslAuthenticationFailedError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    UnsupportedSaslMechanismError,
)

from services.domain.errors import (
    CertmarkError,
    LogMisconfigured,
    LogTruncated,
    LogUnavailable,
    NotConfigured,
    TooLarge,
)
from services.events.log import MAX_RECORD, Record, Topic
from services.settings import Settings

REPLICATION = 3
"""Copies of a topic where the cluster has so many brokers; then a write needs all but one of them."""
SETTLE_S = 10.0
_DAY_MS = 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CLIENT = {
    "client_id": "certmark",
    "reconnect_backoff_ms": 50,
    "reconnect_backoff_max_ms": 1_000,
}
_PRODUCER = {
    "acks": "all",
    "enable_idempotence": True,
    "linger_ms": 0,
    "batch_size": 65_536,
    "max_request_size": 1_048_576,
    "allow_auto_create_topics": False,
}
_CONSUMER = {
    "group_id": None,
    "enable_auto_commit": False,
    "auto_offset_reset": "none",
    "check_crcs": True,
    "fetch_min_bytes": 1,
    "fetch_max_wait_ms": 500,
    "allow_auto_create_topics": False,
}


@dataclass(slots=True)
class _Reader:
    """A consumer of one topic. `position` is what it would hand out next."""

    consumer: Any
    partition: Any
    position: int


class KafkaLog:
    """Clients are made at their first use (so after a fork) and made anew after any trouble.

    `appended_at` is the broker's LogAppendTime as stored. It never decreases as long as no leader's clock is set back.
    """

    def __init__(self, settings: Settings) -> None:
        """Raises NotConfigured where the password or the certificates of the way to the broker cannot be read."""
        self._settings = settings
        self._way = way_to(settings)
        self._delivery_s = float(settings.kafka_patience)
        # How long a reader may see nothing although the log's end lies ahead, before it is built anew.
        self._stall_s = self._delivery_s / 2
        self._answer_ms = settings.kafka_patience * 250
        self._producer: Any = None
        self._asker: Any = None
        self._readers: dict[str, _Reader] = {}

    def __reduce__(self) -> tuple[type["KafkaLog"], tuple[Settings]]:
        return KafkaLog, (self._settings,)

    def ensure(self, topics: Sequence[Topic]) -> None:
        with self._faults():
            admin = KafkaAdminClient(**self._way, **CLIENT)
            try:
                replication = min(REPLICATION, len(admin.describe_cluster()["brokers"]))
                present = set(admin.list_topics())
                for topic in topics:
                    if topic.name not in present:
                        _create(admin, topic, replication)
                complaints = [c for topic in topics for c in _complaints(admin, topic, replication)]
            finally:
                admin.close()
        if complaints:
            raise LogMisconfigured("; ".join(complaints), hint="change the topic's settings with Kafka's own tools")

    def append(self, topic: Topic, records: Sequence[tuple[str, bytes]]) -> list[int]:
        if not records:
            return []
        for key, value in records:
            if len(key.encode()) + len(value) > MAX_RECORD:
                raise TooLarge(f"a record of {len(value)} bytes: the log takes at most {MAX_RECORD}")
        with self._faults(topic):
            if self._producer is None:
                self._producer = KafkaProducer(**self._way, **CLIENT, **_PRODUCER, **self._delivery())
            waiting = [
                self._producer.send(topic.name, key=key.encode(), value=value, partition=0) for key, value in records
            ]
            self._producer.flush(timeout=self._delivery_s + 1)
            # Every record has its own acknowledgement; one that is still open after the flush counts as unknown.
            return [int(future.get(timeout=0).offset) for future in waiting]

    def read(self, topic: Topic, position: int, limit: int, wait: float = 0.0) -> list[Record]:
        with self._faults(topic):
            reader = self._reader_at(topic, position)
            records = _poll(reader, limit, wait)
            if records:
                return records
            # Nothing came. That is an answer only where the log's end confirms it: a fetch may still be under way, and
            # a client that has silently stopped would look just like a quiet topic.
            end = self._end(topic)
            if position == end:
                return []
            if position > end:
                raise LogTruncated(f"topic {topic.name} ends at {end}, and we have reached {position}")
            records = _poll(reader, limit, self._stall_s)
            if not records:
                raise LogUnavailable(f"topic {topic.name} ends at {end}, but nothing comes from {position} on")
            return records

    def expire(self, topic: Topic) -> None:
        """The broker does it by itself (`retention.ms`), a day at a time."""

    def bounds(self, topic: Topic) -> tuple[int, int]:
        with self._faults(topic):
            partition = TopicPartition(topic.name, 0)
            return int(self._asking().beginning_offsets([partition], timeout_ms=self._answer_ms)[partition]), self._end(
                topic
            )

    def _end(self, topic: Topic) -> int:
        partition = TopicPartition(topic.name, 0)
        return int(self._asking().end_offsets([partition], timeout_ms=self._answer_ms)[partition])

    def _delivery(self) -> dict[str, int]:
        """How long a record is tried before it counts as unknown; a quarter of it for the place in the queue."""
        return {"delivery_timeout_ms": round(self._delivery_s * 1000), "max_block_ms": self._answer_ms}

    def _asking(self) -> Any:
        """A client of its own for questions: on a reader's connection they would wait behind its open fetch."""
        if self._asker is None:
            self._asker = KafkaConsumer(**self._way, **CLIENT, **_CONSUMER)
        return self._asker

    def close(self) -> None:
        producer, self._producer = self._producer, None
        consumers = [reader.consumer for reader in self._readers.values()]
        if self._asker is not None:
            consumers.append(self._asker)
        self._asker, self._readers = None, {}
        with suppress(KafkaError):
            if producer is not None:
                producer.close(timeout=0)
        for consumer in consumers:
            with suppress(KafkaError):
                consumer.close(autocommit=False, timeout_ms=0)

    def _reader_at(self, topic: Topic, position: int) -> _Reader:
        reader = self._readers.get(topic.name)
        if reader is None:
            consumer = KafkaConsumer(**self._way, **CLIENT, **_CONSUMER)
            partition = TopicPartition(topic.name, 0)
            consumer.assign([partition])
            reader = self._readers[topic.name] = _Reader(consumer, partition, -1)
        if reader.position != position:
            if position < 0:
                raise LogTruncated(f"topic {topic.name} has no position {position}")
            reader.consumer.seek(reader.partition, position)
            reader.position = position
        return reader

    @contextmanager
    def _faults(self, topic: Topic | None = None) -> Iterator[None]:
        """After any trouble all clients are made anew at the next call."""
        try:
            with faults_of(self._settings, f"topic {topic.name}" if topic else "the topics"):
                yield
        except CertmarkError:
            self.close()
            raise


@contextmanager
def faults_of(settings: Settings, concerned: str) -> Iterator[None]:
    """Every trouble of a client becomes one of ours, in words that say what it was about."""
    since = time.monotonic()
    try:
        yield
    except (OffsetOutOfRangeError, NoOffsetForPartitionError, LogTruncationError) as error:
        raise LogTruncated(f"{concerned}: the position lies outside of what the log holds: {error}") from error
    except (MessageSizeTooLargeError, RecordListTooLargeError) as error:
        raise TooLarge(f"{concerned}: the broker takes no record of this size: {error}") from error
    except UnknownTopicOrPartitionError as error:
        raise LogMisconfigured(f"{concerned}: not there, or not for us to see: {error}") from error
    except (KafkaError, OSError) as error:
        reason = _REASONS.since(since) if isinstance(error, KafkaTimeoutError) else None
        raise _ours(reason or error, settings, concerned) from error


def _ours(error: Exception, settings: Settings, concerned: str) -> CertmarkError:
    if isinstance(error, _NOT_LET_IN):
        return NotConfigured(
            f"the broker does not let CERTMARK_KAFKA_USER={settings.kafka_user!r} in: {error}",
            hint=_WRONG_NAME,
        )
    # Who may write nothing at all is told so by an error of another kind, with the word in its text only.
    if isinstance(error, AuthorizationError) or "AuthorizationFailed" in str(error):
        return LogMisconfigured(
            f"{concerned}: the broker does not allow this to {settings.kafka_user or 'a nameless client'}: {error}",
            hint="`certmark admit` gives a name its rights",
        )
    told = (
        f"{concerned}: {type(error).__name__}: {error} (CERTMARK_KAFKA_BOOTSTRAP={settings.kafka_bootstrap!r}, "
        f"CERTMARK_KAFKA_SECURITY={settings.kafka_security!r}, CERTMARK_KAFKA_USER={settings.kafka_user!r})"
    )
    # A broker says that a password is wrong and hangs up; the client sometimes hears the second alone.
    hung_up = isinstance(error, KafkaConnectionError) and settings.kafka_user
    return LogUnavailable(told, hint=f"where it goes on: {_WRONG_NAME}" if hung_up else "")


_WRONG_NAME = "the name, what is in CERTMARK_KAFKA_PASSWORD_FILE, or CERTMARK_KAFKA_MECHANISM is wrong"


class _Reasons(logging.Handler):
    """Why a connection was not made: the client says it to its logger alone, and to us that the time was up."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._told: deque[tuple[float, Exception]] = deque(maxlen=32)

    def emit(self, record: logging.LogRecord) -> None:
        for part in record.args if isinstance(record.args, tuple) else ():
            if isinstance(part, Exception) and not isinstance(part, KafkaTimeoutError):
                self._told.append((time.monotonic(), part))

    def since(self, instant: float) -> Exception | None:
        """The reason given since then: that we are not let in before any other, that somebody hung up before that the
        time was up, else the last."""
        given = [reason for at, reason in list(self._told) if at >= instant]
        telling = [
            reason for kind in (_NOT_LET_IN, KafkaConnectionError) for reason in given if isinstance(reason, kind)
        ]
        return next(iter(telling), given[-1] if given else None)


_NOT_LET_IN = (SaslAuthenticationFailedError, UnsupportedSaslMechanismError)
_REASONS = _Reasons()
logging.getLogger("kafka.net.manager").addHandler(_REASONS)


def way_to(settings: Settings) -> dict[str, Any]:
    """What every client has to be told to reach the broker: addresses, patience, certificates, name and password.

    Raises:
        NotConfigured: a file that the settings name cannot be read, or does not hold what it should.
    """
    way: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap.split(","),
        "security_protocol": settings.kafka_security.upper(),
        "request_timeout_ms": settings.kafka_patience * 500,
        "bootstrap_timeout_ms": settings.kafka_patience * 250,
    }
    if settings.kafka_security.endswith("ssl"):
        way["ssl_context"] = _trusting(settings.kafka_ca_file)
    if settings.kafka_password_file is not None:
        way |= {
            "sasl_mechanism": settings.kafka_mechanism,
            "sasl_plain_username": settings.kafka_user,
            "sasl_plain_password": password_in(settings.kafka_password_file),
        }
    return way


def _trusting(ca_file: Path | None) -> ssl.SSLContext:
    """TLS that believes this authority alone, or those of the machine where none is named."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise NotConfigured(f"CERTMARK_KAFKA_CA_FILE={str(ca_file)!r} cannot be used: {_words(error)}") from None


def password_in(file: Path) -> str:
    try:
        password = file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise NotConfigured(f"CERTMARK_KAFKA_PASSWORD_FILE={str(file)!r} cannot be read: {_words(error)}") from None
    if not password:
        raise NotConfigured(f"CERTMARK_KAFKA_PASSWORD_FILE={str(file)!r} is empty")
    return password


def _words(error: Exception) -> str:
    """Never a UnicodeDecodeError's own text: it quotes what it could not read."""
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__


def _poll(reader: _Reader, limit: int, seconds: float) -> list[Record]:
    deadline = time.monotonic() + seconds
    while True:
        remaining = max(0.0, deadline - time.monotonic())
        batch = reader.consumer.poll(timeout_ms=round(remaining * 1000), max_records=limit)
        found = batch.get(reader.partition)
        if found:
            reader.position = found[-1].offset + 1
            return [
                Record(
                    r.offset,
                    (r.key or b"").decode("utf-8", "replace"),
                    r.value or b"",
                    _EPOCH + timedelta(milliseconds=r.timestamp),
                )
                for r in found
            ]
        if time.monotonic() >= deadline:
            return []


def _settings(topic: Topic, replication: int) -> dict[str, str]:
    """What a topic is made with, and has to have ever after.

    Without compression by us the broker unpacks what others packed, so that a codec we lack cannot block the topic.
    A single node has no second copy: it puts every record on disk before it acknowledges.
    """
    return (
        {
            "cleanup.policy": "compact" if topic.compacted else "delete",
            "retention.ms": str(topic.keep_days * _DAY_MS) if topic.keep_days else "-1",
            "retention.bytes": "-1",
            "message.timestamp.type": "LogAppendTime",
            "compression.type": "uncompressed",
            "unclean.leader.election.enable": "false",
            "min.insync.replicas": str(max(1, replication - 1)),
        }
        | ({"flush.messages": "1"} if replication == 1 else {})
        | (
            # Only whole segments go, so each holds a day: what is kept a day too long is at most a day too long.
            {"segment.ms": str(_DAY_MS)} if topic.keep_days else {}
        )
    )


def _create(admin: Any, topic: Topic, replication: int) -> None:
    wanted = {
        "num_partitions": 1,
        "replication_factor": replication,
        "configs": _settings(topic, replication) | {"max.message.bytes": "1048588"},
    }
    deadline = time.monotonic() + SETTLE_S
    while True:
        try:
            admin.create_topics({topic.name: wanted}, timeout_ms=10_000, wait_for_metadata=True)
        except TopicAlreadyExistsError:
            return  # another process was faster; the check that follows is for both
        except InvalidReplicationFactorError:
            if time.monotonic() > deadline:  # a broker that has just started is not counted at once
                raise
            time.sleep(0.2)
        else:
            return


def _complaints(admin: Any, topic: Topic, replication: int) -> list[str]:
    """What is wrong with a topic, in words that name the topic, the setting and both values."""
    partitions = admin.describe_topics([topic.name])[0]["partitions"]
    copies = min(len(partition["replica_nodes"]) for partition in partitions)
    resource = ConfigResource(ConfigResourceType.TOPIC, topic.name)
    configured = admin.describe_configs([resource], config_filter="all")["topic"][topic.name]
    found = {name: str(setting["value"]) for name, setting in configured.items()}
    found |= {"partitions": str(len(partitions)), "replication": str(copies)}
    # Brokers that are down at this moment are not counted; a topic with more copies than that is judged by its own.
    wanted = {"partitions": "1", "replication": str(replication)} | _settings(topic, max(replication, copies))
    return [
        f"topic {topic.name}: {name} is {found.get(name)}, and has to be {value}"
        for name, value in wanted.items()
        if found.get(name) != value and not (name in _AT_LEAST and int(found.get(name) or 0) > int(value))
    ]


_AT_LEAST = ("replication", "min.insync.replicas")
