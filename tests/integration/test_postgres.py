"""Transactions, their two kinds of failure, and migrations, on a real server."""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from services.domain.errors import MadeByAnotherVersion, NotConfigured
from services.migrate import migrate
from services.postgres import (
    CommitUnknown,
    Connection,
    DatabaseError,
    DatabaseUnavailable,
    UniqueViolation,
    connect,
    is_usable,
    transaction,
    wait_for_notify,
)


@pytest.fixture
def connection(fresh_database: str) -> Iterator[Connection]:
    with closing(connect(fresh_database)) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "part" / "migrations"
    made.mkdir(parents=True)
    (made / "0001_first.sql").write_text("CREATE TABLE one (n integer PRIMARY KEY); INSERT INTO one VALUES (1);")
    return made


def end_backend(url: str, connection: Connection) -> None:
    """What an operator or a crash does to a session."""
    with closing(connect(url, autocommit=True)) as other, other.cursor() as cur:
        cur.execute("SELECT pg_terminate_backend(%s, 5000)", (connection.info.backend_pid,))


def numbers(connection: Connection) -> list[int]:
    with transaction(connection) as cur:
        cur.execute("SELECT n FROM one ORDER BY n")
        return [n for (n,) in cur.fetchall()]


def test_a_transaction_is_stored_whole_or_not_at_all(connection: Connection, folder: Path) -> None:
    migrate(connection, folder)
    with transaction(connection) as cur:
        cur.execute("INSERT INTO one VALUES (2)")
    with pytest.raises(ZeroDivisionError), transaction(connection) as cur:
        cur.execute("INSERT INTO one VALUES (3)")
        raise ZeroDivisionError
    with pytest.raises(UniqueViolation, match="one_pkey") as broken, transaction(connection) as cur:
        cur.execute("INSERT INTO one VALUES (4)")
        cur.execute("INSERT INTO one VALUES (1)")
    assert "(1)" not in str(broken.value), "what a row holds is in no log"
    with pytest.raises(MadeByAnotherVersion), transaction(connection) as cur:
        cur.execute("SELECT of_a_later_version FROM one")
    assert numbers(connection) == [1, 2]


def test_a_session_lost_before_the_commit_has_stored_nothing(
    connection: Connection, folder: Path, fresh_database: str
) -> None:
    migrate(connection, folder)
    with pytest.raises(DatabaseUnavailable), transaction(connection) as cur:
        cur.execute("INSERT INTO one VALUES (2)")
        end_backend(fresh_database, connection)
        cur.execute("INSERT INTO one VALUES (3)")
    assert not is_usable(connection)
    with closing(connect(fresh_database)) as again:
        assert numbers(again) == [1]


def test_a_commit_without_an_answer_is_unknown_and_closes_the_connection(
    connection: Connection, folder: Path, fresh_database: str
) -> None:
    migrate(connection, folder)
    with pytest.raises(CommitUnknown), transaction(connection) as cur:
        cur.execute("INSERT INTO one VALUES (2)")
        end_backend(fresh_database, connection)
    assert connection.closed


def test_an_idle_connection_that_the_server_ended_is_seen_before_it_is_used(
    connection: Connection, fresh_database: str
) -> None:
    assert is_usable(connection)
    end_backend(fresh_database, connection)
    assert not is_usable(connection)
    assert not is_usable(None)


def test_nobody_keeps_a_transaction_open_while_idle(connection: Connection) -> None:
    with transaction(connection) as cur:
        cur.execute("SHOW idle_in_transaction_session_timeout")
        assert cur.fetchone() == ("10s",)
        cur.execute("SHOW timezone")
        assert cur.fetchone() == ("UTC",)


def test_notifications_wake_who_waits(fresh_database: str) -> None:
    with (
        closing(connect(fresh_database, autocommit=True)) as waiting,
        closing(connect(fresh_database, autocommit=True)) as other,
    ):
        with waiting.cursor() as cur:
            cur.execute("LISTEN somewhere")
        assert wait_for_notify(waiting, 0) == []
        with other.cursor() as cur:
            cur.execute("NOTIFY somewhere, 'a'")
            cur.execute("NOTIFY somewhere, 'b'")
        heard: list[str] = []
        while len(heard) < 2:
            heard += wait_for_notify(waiting, 10) or pytest.fail("nothing was heard")
        assert heard == ["a", "b"]
        end_backend(fresh_database, waiting)
        with pytest.raises(DatabaseUnavailable):
            wait_for_notify(waiting, 10)


def test_migrations_are_applied_once_and_go_on_from_there(connection: Connection, folder: Path) -> None:
    assert migrate(connection, folder) == ["0001_first.sql"]
    assert migrate(connection, folder) == []
    with transaction(connection) as cur:
        cur.execute("INSERT INTO one VALUES (7)")
    (folder / "0002_second.sql").write_text("ALTER TABLE one ADD doubled integer; UPDATE one SET doubled = 2 * n;")
    assert migrate(connection, folder) == ["0002_second.sql"]
    with transaction(connection) as cur:
        cur.execute("SELECT n, doubled FROM one ORDER BY n")
        assert cur.fetchall() == [(1, 2), (7, 14)], "rows loaded before are carried over"


def test_a_migration_that_fails_leaves_nothing_behind(connection: Connection, folder: Path) -> None:
    (folder / "0002_second.sql").write_text("CREATE TABLE two (n integer); SELECT 1 / 0;")
    with pytest.raises(DatabaseError):
        migrate(connection, folder)
    with transaction(connection) as cur:
        cur.execute("SELECT to_regclass('one')::text, to_regclass('two')::text")
        assert cur.fetchone() == ("one", None)
    (folder / "0002_second.sql").write_text("CREATE TABLE two (n integer);")
    assert migrate(connection, folder) == ["0002_second.sql"]


def test_an_applied_migration_must_not_change_or_vanish(connection: Connection, folder: Path) -> None:
    (folder / "0002_second.sql").write_text("CREATE TABLE two (n integer);")
    migrate(connection, folder)
    (folder / "0002_second.sql").write_text("CREATE TABLE two (n bigint);")
    with pytest.raises(NotConfigured, match="0002_second"):
        migrate(connection, folder)
    (folder / "0002_second.sql").unlink()
    with pytest.raises(NotConfigured, match="came later"):
        migrate(connection, folder)


def test_two_sets_live_in_one_database(connection: Connection, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "migrations"
    other.mkdir(parents=True)
    (other / "0001_first.sql").write_text("CREATE TABLE two (n integer);")
    assert migrate(connection, folder) == migrate(connection, other) == ["0001_first.sql"]


def test_who_migrates_at_the_same_time_waits(fresh_database: str, folder: Path) -> None:
    (folder / "0002_second.sql").write_text("SELECT pg_sleep(0.2); CREATE TABLE two (n integer);")
    applied: list[list[str]] = []

    def run() -> None:
        with closing(connect(fresh_database)) as own:
            applied.append(migrate(own, folder))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(name for names in applied for name in names) == ["0001_first.sql", "0002_second.sql"]
