"""Connections to PostgreSQL: the only file that names psycopg2."""

import csv
import io
import itertools
import select
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg2
import psycopg2.extensions
import psycopg2.extras
from psycopg2 import errors as psycopg2_errors
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json, execute_values

from services.domain.errors import BadText, Fault, MadeByAnotherVersion, NotConfigured
from services.settings import Settings

__all__ = [
    "CommitUnknown",
    "Connection",
    "Cursor",
    "DatabaseError",
    "DatabaseUnavailable",
    "Json",
    "UndefinedTable",
    "UniqueViolation",
    "connect",
    "copy_rows",
    "database_url",
    "execute_values",
    "is_usable",
    "snapshot",
    "stream",
    "transaction",
    "wait_for_notify",
]

DatabaseError = psycopg2.Error
UndefinedTable = psycopg2_errors.UndefinedTable
UniqueViolation = psycopg2_errors.UniqueViolation

URL_FILE = "postgres.url"
IDLE_IN_TRANSACTION_S = 10
LOCK_TIMEOUT_S = 15
"""Longer than IDLE_IN_TRANSACTION_S: who waits for the lock of a stopped writer outlives that writer's transaction."""


class DatabaseUnavailable(Fault):
    slug = "database-unavailable"
    title = "The database cannot be reached or gave up; nothing was decided"
    zh = "数据库无法连接或中断，尚未作出决定"


class CommitUnknown(Fault):
    slug = "commit-unknown"
    title = "The database did not confirm the commit: it may or may not have happened"
    zh = "数据库未确认提交：可能已发生，也可能没有"


def database_url(settings: Settings) -> str:
    """The database that the settings name, or the embedded server's as it wrote it down when it started.

    Raises:
        NotConfigured: no database is named, and no embedded server is running on this data folder or, in
            production, none may be taken.
    """
    if settings.database_url:
        return settings.database_url
    if settings.production:
        raise NotConfigured(
            "CERTMARK_PRODUCTION=1 needs CERTMARK_DATABASE_URL, which is empty: the embedded server is for trying out"
        )
    file = settings.data / URL_FILE
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError as error:
        raise NotConfigured(
            f"CERTMARK_DATABASE_URL is empty and {file} cannot be read ({error.strerror})",
            hint="start the embedded server with `certmark up`, or name a database",
        ) from None


def connect(url: str, *, autocommit: bool = False) -> Connection:
    """A connection in UTC that cannot hang for ever: on a dead network, a lock, or inside an idle transaction.

    Raises:
        DatabaseUnavailable: the server does not answer or does not let us in.
    """
    try:
        connection = psycopg2.connect(
            url,
            application_name="certmark",
            connect_timeout=5,
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
            tcp_user_timeout=12_000,
            options=(
                "-c timezone=UTC -c client_encoding=UTF8"
                f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_S}s -c lock_timeout={LOCK_TIMEOUT_S}s"
            ),
        )
        connection.autocommit = autocommit
    except psycopg2.Error as error:
        raise DatabaseUnavailable(_words(error)) from error
    return connection


@contextmanager
def transaction(connection: Connection) -> Iterator[Cursor]:
    """One transaction: committed at the end, rolled back on any error.

    Raises:
        DatabaseUnavailable: the server went away or gave up (lock, shutdown, deadlock): nothing was stored.
        CommitUnknown: the COMMIT itself failed. The connection is closed: look at what is stored, on a new one.
        MadeByAnotherVersion: the database has not, or not yet, the tables that this version asks.
        DatabaseError: a statement was wrong or broke a constraint: nothing was stored.
        BadText: what was asked for can stand in no text of a database.
    """
    try:
        with connection.cursor() as cursor:
            yield cursor
    except psycopg2.Error as error:
        _roll_back(connection)
        if _is_trouble(error) or connection.closed:
            raise DatabaseUnavailable(_words(error)) from None
        if isinstance(error, UndefinedTable | psycopg2_errors.UndefinedColumn):
            raise MadeByAnotherVersion(_words(error), hint="`certmark migrate` brings it to this version") from None
        error.args = (_words(error),)
        raise
    except ValueError as error:
        _roll_back(connection)
        if isinstance(error, UnicodeEncodeError) or "NUL (0x00)" in str(error):
            raise BadText("text with U+0000 or a lone surrogate is nowhere in this register") from None
        raise
    except BaseException:
        _roll_back(connection)
        raise
    try:
        connection.commit()
    except psycopg2.Error as error:
        connection.close()
        raise CommitUnknown(_words(error)) from None


@contextmanager
def snapshot(connection: Connection) -> Iterator[Cursor]:
    """One read-only transaction that sees the database as it was at its first statement, however long it goes on.

    Raises:
        DatabaseUnavailable, DatabaseError: as `transaction` does.
    """
    with transaction(connection) as cur:
        cur.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        # It holds no lock that a writer waits for, and whoever takes the rows may be a slow disk.
        cur.execute("SET LOCAL idle_in_transaction_session_timeout = '5min'")
        yield cur


def stream(cur: Cursor, query: str, values: Mapping[str, object], size: int = 1000) -> Iterator[tuple[Any, ...]]:
    """The rows of a query from a cursor on the server, `size` at a time: memory does not grow with their number."""
    name = f"stream_{next(_STREAMS)}"
    cur.execute(f"DECLARE {name} NO SCROLL CURSOR FOR {query}", values)
    while True:
        cur.execute(f"FETCH {size:d} FROM {name}")
        rows = cur.fetchall()
        yield from rows
        if len(rows) < size:
            break
    cur.execute(f"CLOSE {name}")


_STREAMS = itertools.count()


def _roll_back(connection: Connection) -> None:
    try:
        connection.rollback()
    except psycopg2.Error:
        with suppress(psycopg2.Error):  # it is gone already: the server rolls back by itself
            connection.close()


class _Null:
    """NULL in a CSV whose texts are all quoted: the csv module leaves what looks like a number bare."""

    def __float__(self) -> float:
        raise TypeError("only its text is ever written")

    def __str__(self) -> str:
        return r"\N"


_NULL = _Null()


def copy_rows(cur: Cursor, table: str, columns: str, rows: Iterable[Sequence[object]]) -> None:
    """Insert rows by COPY, a third of the time of INSERT … VALUES. Values: texts, numbers, dates, instants, None."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerows([_NULL if value is None else value for value in row] for row in rows)
    buffer.seek(0)
    cur.copy_expert(rf"COPY {table} ({columns}) FROM STDIN WITH (FORMAT csv, NULL '\N')", buffer)


def is_usable(connection: Connection | None) -> bool:
    """Whether an idle connection still looks alive: a server that ended it has left a last word on the socket."""
    if connection is None or connection.closed:
        return False
    try:
        while _readable(connection, 0.0):  # first the server's reason, then the end of the stream
            connection.poll()
    except (psycopg2.Error, OSError, ValueError):
        return False
    return not connection.closed


def wait_for_notify(connection: Connection, seconds: float) -> list[str]:
    """The payloads of the notifications that have come, waiting up to `seconds` for the first. Needs autocommit.

    Raises:
        DatabaseUnavailable: the connection is gone.
    """
    deadline = time.monotonic() + seconds
    try:
        while True:
            connection.poll()
            if connection.notifies:
                found = [str(notify.payload) for notify in connection.notifies]
                connection.notifies.clear()
                return found
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not _readable(connection, remaining):
                return []
    except (psycopg2.Error, OSError, ValueError) as error:
        connection.close()
        raise DatabaseUnavailable(_words(error)) from error


def _readable(connection: Connection, seconds: float) -> bool:
    poller = select.poll()  # select() fails on descriptors above 1,023
    poller.register(connection.fileno(), select.POLLIN)
    return bool(poller.poll(max(0, round(seconds * 1000))))


def _is_trouble(error: psycopg2.Error) -> bool:
    """Errors that say nothing about our statement: connection, shutdown, lock, deadlock, disk full, cancelled.

    An error of no kind at all is a line that broke in the middle of an answer.
    """
    return (
        isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError) or type(error) is psycopg2.DatabaseError
    )


def _words(error: Exception) -> str:
    """What went wrong, without the row and the values that a server tells beside it: no log and no answer has them."""
    told = error.diag.message_primary if isinstance(error, psycopg2.Error) else None
    return " ".join((told or str(error)).split()) or type(error).__name__
