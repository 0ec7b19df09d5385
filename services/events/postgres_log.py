"""The log port on PostgreSQL: topics as rows, their order kept by a lock on the topic's head."""

import io
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from services.domain.errors import LogMisconfigured, LogTruncated, LogUnavailable, TooLarge
from services.events.log import MAX_RECORD, Record, Topic
from services.migrate import migrate
from services.postgres import (
    Connection,
    Cursor,
    DatabaseError,
    DatabaseUnavailable,
    UndefinedTable,
    connect,
    database_url,
    is_usable,
    transaction,
    wait_for_notify,
)
from services.settings import Settings

MIGRATIONS = Path(__file__).with_name("migrations")
POLL_S = 0.25
"""How often a waiting reader looks for itself: a notification is only a hint and may be lost with its connection."""
STATEMENT_TIMEOUT_MS = 20_000
_BOUNDS = "SELECT first_position, next_position FROM log.topic WHERE name = %s"
BULK = 50
"""Records from which on they are copied: fewer go by one statement, which is one round trip and not five."""

_TAKE_POSITIONS = """
UPDATE log.topic SET next_position = next_position + %(count)s,
       clock = greatest(clock, date_trunc('milliseconds', clock_timestamp()))
 WHERE name = %(name)s RETURNING id, next_position - %(count)s, compacted, clock
"""
_REPLACED = "DELETE FROM log.record WHERE topic = %s AND compacted AND key = ANY(%s)"
_COPY = "COPY log.record (topic, position, compacted, key, value, appended_at) FROM STDIN"
_RECORDS = """
SELECT t.first_position, t.next_position, r.position, r.key, r.value, r.appended_at
  FROM log.topic t
  LEFT JOIN LATERAL (SELECT position, key, value, appended_at FROM log.record
                      WHERE topic = t.id AND position >= %s ORDER BY position LIMIT %s) r ON true
 WHERE t.name = %s
 ORDER BY r.position
"""


class PostgresLog:
    """Two connections, both in autocommit, so that an idle log never holds a transaction open: one for statements,
    one that listens. Either is rebuilt at the next call when it is found broken; the URL is looked up anew each time.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection: Connection | None = None
        self._listener: Connection | None = None

    def __reduce__(self) -> tuple[type["PostgresLog"], tuple[Settings]]:
        return PostgresLog, (self._settings,)

    def ensure(self, topics: Sequence[Topic]) -> None:
        with self._faults(), closing(connect(database_url(self._settings))) as connection:
            migrate(connection, MIGRATIONS)
            with transaction(connection) as cur:
                for topic in topics:
                    cur.execute(
                        "INSERT INTO log.topic (name, compacted, keep_days) VALUES (%s, %s, %s)"
                        " ON CONFLICT (name) DO NOTHING",
                        (topic.name, topic.compacted, topic.keep_days),
                    )
                    cur.execute("SELECT compacted, keep_days FROM log.topic WHERE name = %s", (topic.name,))
                    compacted, keep_days = cur.fetchone() or (None, None)
                    if compacted is not topic.compacted:
                        raise LogMisconfigured(
                            f"topic {topic.name}: compacted is {compacted}, and has to be {topic.compacted}"
                        )
                    if keep_days != topic.keep_days:
                        raise LogMisconfigured(
                            f"topic {topic.name}: keep_days is {keep_days}, and has to be {topic.keep_days}"
                        )

    def append(self, topic: Topic, records: Sequence[tuple[str, bytes]]) -> list[int]:
        if not records:
            return []
        for key, value in records:
            if len(key.encode()) + len(value) > MAX_RECORD:
                raise TooLarge(f"a record of {len(value)} bytes: the log takes at most {MAX_RECORD}")
        # One transaction either way: after an error here the records are all stored, or none is.
        if len(records) >= BULK:
            return self._copied(topic, records)
        rows = self._rows(
            "SELECT log.append(%s, %s::text[], %s::bytea[])",
            (topic.name, [key for key, _ in records], "{" + ",".join([_element(value) for _, value in records]) + "}"),
        )
        (first,) = rows[0]
        if first is None:
            raise _no_such(topic)
        return list(range(first, first + len(records)))

    def _copied(self, topic: Topic, records: Sequence[tuple[str, bytes]]) -> list[int]:
        """What `log.append` does, by COPY: no SQL text of megabytes is taken apart, which is a third of the time."""
        with self._faults():
            connection = self._usable()
            try:
                with connection.cursor() as cur:
                    cur.execute("BEGIN")
                    first = self._copy(cur, topic, records)
                    cur.execute("SELECT pg_notify('certmark_log', %s); COMMIT", (topic.name,))
            except BaseException:
                connection.close()  # what was begun is rolled back
                raise
        return list(range(first, first + len(records)))

    def _copy(self, cur: Cursor, topic: Topic, records: Sequence[tuple[str, bytes]]) -> int:
        cur.execute(_TAKE_POSITIONS, {"count": len(records), "name": topic.name})
        taken = cur.fetchone()
        if taken is None:
            raise _no_such(topic)
        topic_id, first, compacted, clock = taken
        rows = list(enumerate(records, first))
        if compacted:
            cur.execute(_REPLACED, (topic_id, [key for key, _ in records]))
            rows = list({key: (position, (key, value)) for position, (key, value) in rows}.values())
        begin, end = f"{topic_id}\t", f"\t{clock}\n"
        text = "".join(
            [f"{begin}{at}\t{compacted}\t{_field(key)}\t{_bytes_field(value)}{end}" for at, (key, value) in rows]
        )
        cur.copy_expert(_COPY, io.BytesIO(text.encode("utf-8")), 1 << 20)
        return int(first)

    def read(self, topic: Topic, position: int, limit: int, wait: float = 0.0) -> list[Record]:
        deadline = time.monotonic() + wait
        if wait > 0 or self._listener is not None:
            self._heard(topic, 0.0)  # listen before looking; read off what came meanwhile, or the server has to keep it
        while True:
            records = self._read(topic, position, limit)
            remaining = deadline - time.monotonic()
            if records or remaining <= 0:
                return records
            pause = time.monotonic() + min(remaining, POLL_S)
            while (left := pause - time.monotonic()) > 0 and not self._heard(topic, left):
                pass  # another topic's notification: our own is still to come

    def _read(self, topic: Topic, position: int, limit: int) -> list[Record]:
        rows = self._rows(_RECORDS, (position, limit, topic.name))
        if not rows:
            raise _no_such(topic)
        first, end = rows[0][:2]
        if not first <= position <= end:
            raise LogTruncated(f"topic {topic.name} holds positions {first} to {end}, and we have reached {position}")
        return [Record(row[2], row[3], bytes(row[4]), row[5]) for row in rows if row[2] is not None]

    def expire(self, topic: Topic) -> None:
        self._rows("SELECT log.expire(%s)", (topic.name,))

    def bounds(self, topic: Topic) -> tuple[int, int]:
        rows = self._rows(_BOUNDS, (topic.name,))
        if not rows:
            raise _no_such(topic)
        first, end = rows[0]
        return first, end

    def close(self) -> None:
        for connection in (self._connection, self._listener):
            if connection is not None:
                with suppress(DatabaseError):
                    connection.close()
        self._connection = self._listener = None

    def _rows(self, sql: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        with self._faults(), self._usable().cursor() as cur:
            cur.execute(sql, values)
            return cur.fetchall()

    def _usable(self) -> Connection:
        connection = self._connection
        if connection is None or not is_usable(connection):
            connection = self._connection = self._open()
        return connection

    def _heard(self, topic: Topic, seconds: float) -> bool:
        """Whether a notification of this topic has come. The first call starts to listen and says yes: look again."""
        with self._faults():
            if self._listener is None or self._listener.closed:
                self._listener = self._open()
                with self._listener.cursor() as cur:
                    cur.execute("LISTEN certmark_log")
                return True
            return topic.name in wait_for_notify(self._listener, seconds)

    def _open(self) -> Connection:
        connection = connect(database_url(self._settings), autocommit=True)
        with connection.cursor() as cur:
            cur.execute(
                "SELECT set_config('statement_timeout', %s, false), set_config('bytea_output', 'escape', false)",
                (str(STATEMENT_TIMEOUT_MS),),
            )
        return connection

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Every trouble of the database becomes LogUnavailable, and both connections are made anew at the next call."""
        try:
            yield
        except UndefinedTable as error:
            raise LogMisconfigured("the log's tables are missing", hint="run `certmark migrate`") from error
        except (DatabaseError, DatabaseUnavailable) as error:
            self.close()
            raise LogUnavailable(" ".join(str(error).split())) from error


def _element(value: bytes) -> str:
    """An element of an array of bytea. Envelopes and sealed records are base64url and dots, which stand for themselves:
    half of what hexadecimal takes, both ways.
    """
    return f'"{value.decode("ascii")}"' if _PLAIN(value) else f'"\\\\x{value.hex()}"'


_PLAIN = re.compile(rb"[\w.-]+", re.ASCII).fullmatch


def _bytes_field(value: bytes) -> str:
    """The same as a field of COPY's text format."""
    if value.isascii() and not any(sign in value for sign in _SIGNS):
        return value.decode("ascii")
    return "\\\\x" + value.hex()


_SIGNS = (b"\\", b"\n", b"\r", b"\t", b"\0")


def _field(text: str) -> str:
    if "\\" in text or "\n" in text or "\r" in text or "\t" in text:
        return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return text


def _no_such(topic: Topic) -> LogMisconfigured:
    return LogMisconfigured(f"topic {topic.name} does not exist", hint="it is made at start-up, by `ensure`")
