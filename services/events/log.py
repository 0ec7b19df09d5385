"""The log port: append records to a topic and read them back in their one order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.domain.copies import KEPT_DAYS as SCANS_KEPT_DAYS
from services.settings import Settings

MAX_RECORD = 1_000_000
"""Bytes of key and value together that every log takes; Kafka's own limit for a record lies a little above."""

RESTRICTED_KEPT_DAYS = 30
"""Days that a report lies in the log before the registry must have stored it: longer than it is ever down."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic and what it must never do: `compacted` keeps only the last record of a key, the others lose nothing,
    but for what is older than `keep_days`, where that is stated."""

    name: str
    compacted: bool = False
    keep_days: int | None = None


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of a register, under its prefix (`certmark` outside tests)."""

    events: Topic
    state: Topic
    checkpoints: Topic
    dead_letter: Topic
    scans: Topic
    restricted: Topic

    @classmethod
    def under(cls, prefix: str) -> "Topics":
        return cls(
            events=Topic(f"{prefix}.events.v1"),
            state=Topic(f"{prefix}.state.v1", compacted=True),
            checkpoints=Topic(f"{prefix}.checkpoints.v1"),
            dead_letter=Topic(f"{prefix}.dead-letter.v1"),
            scans=Topic(f"{prefix}.scans.v1", keep_days=SCANS_KEPT_DAYS),
            restricted=Topic(f"{prefix}.restricted.v1", keep_days=RESTRICTED_KEPT_DAYS),
        )

    def all(self) -> tuple[Topic, ...]:
        return (self.events, self.state, self.checkpoints, self.dead_letter, self.scans, self.restricted)


@dataclass(frozen=True, slots=True)
class Record:
    """One record as stored. `appended_at` is the log's own clock at append (UTC, milliseconds, never decreasing)."""

    position: int
    key: str
    value: bytes
    appended_at: datetime


class Log(Protocol):
    """Both adapters pass `tests/integration/test_log.py`. One instance belongs to one thread of one process;
    pickled it becomes another way of its own to the same log."""

    def ensure(self, topics: Sequence[Topic]) -> None:
        """Make the topics that are missing and check those that exist.

        Raises:
            LogMisconfigured: wrong number of partitions, retention, clean-up policy or timestamp type.
        """

    def append(self, topic: Topic, records: Sequence[tuple[str, bytes]]) -> list[int]:
        """Store (key, value) pairs in order and return their positions once they are safe.

        Raises:
            TooLarge: a record is larger than the log takes; none was stored.
            LogUnavailable: no acknowledgement in time; the records may or may not be stored.
        """

    def read(self, topic: Topic, position: int, limit: int, wait: float = 0.0) -> list[Record]:
        """At most `limit` records from `position` on, in order; waits up to `wait` seconds for the first.

        Positions rise but may have holes (compaction): the next one to read is the last one's plus one.

        Raises:
            LogTruncated: the log starts after `position`, or ends before it.
            LogUnavailable: the log cannot be reached.
        """

    def expire(self, topic: Topic) -> None:
        """Let go of what is older than the topic's `keep_days`; the log may also do so by itself."""

    def bounds(self, topic: Topic) -> tuple[int, int]:
        """(first position still held, position that the next record will take)."""

    def close(self) -> None: ...


def open_log(settings: Settings) -> Log:
    """The log that the settings name."""
    if settings.log == "kafka":
        from services.events.kafka_log import KafkaLog

        return KafkaLog(settings)
    from services.events.postgres_log import PostgresLog

    return PostgresLog(settings)
