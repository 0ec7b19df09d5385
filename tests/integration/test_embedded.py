"""The embedded PostgreSQL: private, kept across restarts, and never left running by whoever started it."""

import json
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import psycopg2
import pytest

from services import embedded
from services.domain.errors import NotConfigured
from services.embedded import EmbeddedPostgres
from services.postgres import DatabaseUnavailable, connect, database_url
from tests.conftest import ROOT, SettingsFor

OWNER = """
import json, sys, time
from pathlib import Path
from services.embedded import EmbeddedPostgres
server = EmbeddedPostgres.start(Path(sys.argv[1]))
print(json.dumps({"url": server.url, "server": server.pid, "supervisor": server._supervisor.pid}), flush=True)
time.sleep(600)
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "a data folder whose name is long enough that no socket would fit into it" / ("d" * 40)


@pytest.fixture
def owner(data: Path) -> Iterator[Callable[[], tuple[int, dict[str, int]]]]:
    """`owner()` starts another process that starts the server, and gives its pid and what it said."""
    processes: list[subprocess.Popen[str]] = []

    def started() -> tuple[int, dict[str, int]]:
        process = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(data)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        processes.append(process)
        assert process.stdout is not None
        return process.pid, json.loads(process.stdout.readline())

    yield started
    for process in processes:
        process.kill()
        process.communicate()


def is_running(pid: int) -> bool:
    with suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    return False


def wait_until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


def one(url: str, sql: str) -> object:
    with closing(connect(url, autocommit=True)) as connection, connection.cursor() as cur:
        cur.execute(sql)
        return cur.fetchone()[0] if cur.description else None  # type: ignore[index]


def test_it_keeps_its_data_and_its_address_over_a_restart(data: Path) -> None:
    with EmbeddedPostgres.start(data) as server:
        first_url = server.url
        one(server.url, "CREATE TABLE kept AS SELECT 42 AS number")
    with EmbeddedPostgres.start(data) as server:
        assert server.url == first_url
        assert one(server.url, "SELECT number FROM kept") == 42


def test_it_is_set_up_to_lose_nothing_and_to_listen_on_no_network(data: Path) -> None:
    with EmbeddedPostgres.start(data) as server:
        shown = {name: one(server.url, f"SHOW {name}") for name in ("listen_addresses", "fsync", "synchronous_commit")}
        assert shown == {"listen_addresses": "", "fsync": "on", "synchronous_commit": "on"}
        assert one(server.url, "SHOW server_encoding") == "UTF8"
        assert one(server.url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
        with pytest.raises(psycopg2.DatabaseError):
            one(server.url, "CREATE TABLE one AS SELECT 1; SELECT 1 / 0, 'what a consumer has written'")
    log = (data / "postgres.log").read_text(encoding="utf-8")
    assert "division by zero" in log
    assert "STATEMENT" not in log


def test_nobody_gets_in_without_the_password(data: Path) -> None:
    with EmbeddedPostgres.start(data) as server:
        parts = psycopg2.extensions.parse_dsn(server.url)
        for user in ("certmark", "postgres"):
            for password in ("", "wrong", parts["password"][::-1]):
                with pytest.raises(psycopg2.OperationalError):
                    psycopg2.connect(**parts | {"user": user, "password": password})
        with pytest.raises(DatabaseUnavailable, match="password authentication failed"):
            connect(server.url.replace(parts["password"], "wrong"))


def test_what_it_writes_is_closed_to_others_and_opens_nothing(data: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    data.mkdir(parents=True)
    before = {path: path.stat().st_mode for path in (tmp_path, data.parent, data)}
    with EmbeddedPostgres.start(data) as server:
        assert {path: path.stat().st_mode for path in before} == before
        for name in ("postgres.url", "postgres.secret", "postgres.log", "postgres.lock"):
            assert stat.S_IMODE((data / name).stat().st_mode) == 0o600, name
        assert stat.S_IMODE((data / "postgres").stat().st_mode) == 0o700
        socket_folder = Path(psycopg2.extensions.parse_dsn(server.url)["host"])
        assert stat.S_IMODE(socket_folder.stat().st_mode) == 0o700
        assert not socket_folder.parent.stat().st_mode & stat.S_IRWXO
    assert not socket_folder.parent.exists()


def test_as_root_it_runs_under_a_uid_that_belongs_to_nobody(data: Path) -> None:
    with EmbeddedPostgres.start(data) as server:
        uid = Path(f"/proc/{server.pid}").stat().st_uid
        assert uid != 0
        if os.geteuid() == 0:
            with pytest.raises(KeyError):
                pwd.getpwuid(uid)
            assert {path.stat().st_uid for path in (data / "postgres").rglob("*")} == {uid}
        else:
            assert uid == os.geteuid()


def test_its_url_is_found_by_other_processes_only_while_it_runs(settings_for: SettingsFor) -> None:
    settings = settings_for()
    with pytest.raises(NotConfigured, match=r"postgres\.url"):
        database_url(settings)
    with EmbeddedPostgres.start(settings.data) as server:
        assert database_url(settings) == server.url
    with pytest.raises(NotConfigured):
        database_url(settings)
    assert database_url(settings_for(CERTMARK_DATABASE_URL="postgresql://elsewhere/x")) == "postgresql://elsewhere/x"


def test_a_copy_of_its_folder_takes_nothing_from_it(data: Path, tmp_path: Path) -> None:
    """A copy, made as a backup while it runs, names the same place for its socket."""
    with EmbeddedPostgres.start(data) as server:
        copy = tmp_path / "copy"
        copy.mkdir()
        (copy / "postgres.run").write_bytes((data / "postgres.run").read_bytes())
        with EmbeddedPostgres.start(copy) as other:
            assert other.url.partition("@")[2] != server.url.partition("@")[2]
            assert (one(server.url, "SELECT 1"), one(other.url, "SELECT 1")) == (1, 1)
    assert one_is_gone(server)
    assert one_is_gone(other)


def one_is_gone(server: EmbeddedPostgres) -> bool:
    return not Path(psycopg2.extensions.parse_dsn(server.url)["host"]).exists()


def test_a_note_that_the_full_disk_left_empty_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "kept").touch()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "postgres.run").touch()
    folder, held = embedded._run_folder(tmp_path, None)
    assert (tmp_path / "here" / "kept").exists()
    assert (tmp_path / "postgres.run").read_text(encoding="ascii") == str(folder)
    shutil.rmtree(folder)
    os.close(held)


@pytest.mark.parametrize("killed", ["owner", "owner and supervisor"])
def test_a_killed_owner_leaves_nothing_running(
    killed: str, data: Path, owner: Callable[[], tuple[int, dict[str, int]]]
) -> None:
    owner_pid, told = owner()
    assert is_running(told["server"])
    if killed != "owner":
        os.kill(told["supervisor"], signal.SIGKILL)
    os.kill(owner_pid, signal.SIGKILL)
    wait_until(lambda: not is_running(told["server"]) and not is_running(told["supervisor"]))
    with EmbeddedPostgres.start(data) as server:
        assert one(server.url, "SELECT 1") == 1


def test_a_new_owner_need_not_wait_for_the_old_ones_end(
    data: Path, owner: Callable[[], tuple[int, dict[str, int]]]
) -> None:
    owner_pid, told = owner()
    os.kill(owner_pid, signal.SIGKILL)
    with EmbeddedPostgres.start(data) as server:
        assert server.pid != told["server"]
        assert one(server.url, "SELECT 1") == 1


def test_a_second_owner_of_the_same_folder_is_told_who_the_first_is(
    data: Path, owner: Callable[[], tuple[int, dict[str, int]]]
) -> None:
    owner_pid, told = owner()
    with pytest.raises(NotConfigured, match=f"process {owner_pid}"):
        EmbeddedPostgres.start(data)
    assert is_running(told["server"])


def test_a_killed_server_is_started_again_with_its_data(data: Path) -> None:
    with EmbeddedPostgres.start(data) as server:
        one(server.url, "CREATE TABLE kept AS SELECT 42 AS number")
        killed = server.pid
        os.kill(killed, signal.SIGKILL)

        def is_back() -> bool:
            with suppress(DatabaseUnavailable, psycopg2.Error):
                return server.pid != killed and one(server.url, "SELECT number FROM kept") == 42
            return False

        wait_until(is_back, 60)


def test_a_cluster_that_was_only_half_made_is_made_again(data: Path) -> None:
    (data / "postgres.new" / "cluster").mkdir(parents=True)
    (data / "postgres.new" / "cluster" / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres.start(data) as server:
        assert one(server.url, "SELECT 1") == 1


def test_a_cluster_of_another_version_is_left_alone(data: Path) -> None:
    with EmbeddedPostgres.start(data):
        pass
    (data / "postgres" / "PG_VERSION").write_text("12\n")
    with pytest.raises(NotConfigured, match="PostgreSQL 12"):
        EmbeddedPostgres.start(data)


def test_a_disk_that_is_all_but_full_is_told_before_anything_is_begun(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "ROOM", 10**18)
    with pytest.raises(OSError, match="MB are free"):
        EmbeddedPostgres.start(data)
    assert list(data.iterdir()) == []
