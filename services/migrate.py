"""Schema changes: numbered plain SQL files, applied once each, forward only."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from services.domain.errors import MadeByAnotherVersion, NotConfigured
from services.postgres import Connection, Cursor, transaction

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql", re.ASCII)
_LOCK = 0x63657274  # "cert": one lock for all folders, whoever migrates waits for the other


@dataclass(frozen=True, slots=True)
class Migration:
    """One file. `checksum` is the hex SHA-256 of its bytes: a file that was applied never changes again."""

    name: str
    sql: str
    checksum: str


def migrate(connection: Connection, folder: Path) -> list[str]:
    """Apply what is missing, one transaction a file, and return the names of the files applied.

    The folder's parent names the set (`services/events/migrations` is `events`), so that several sets live in
    one database. A crash between two files leaves the first applied; the next call goes on from there.

    Raises:
        MadeByAnotherVersion: a file that was applied is another or missing here.
        NotConfigured: the numbers have a gap.
    """
    wanted = migrations_in(folder)
    applied: list[str] = []
    while True:
        with transaction(connection) as cur:
            cur.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            missing = _missing(cur, folder.parent.name, wanted)
            if not missing:
                return applied
            cur.execute(missing[0].sql)
            cur.execute(
                "INSERT INTO public.certmark_migration (folder, name, checksum) VALUES (%s, %s, %s)",
                (folder.parent.name, missing[0].name, missing[0].checksum),
            )
        applied.append(missing[0].name)


def migrations_in(folder: Path) -> list[Migration]:
    """The files of a folder by number.

    Raises:
        NotConfigured: there are none, or their numbers are not 0001, 0002, … .
    """
    files = sorted(folder.glob("*.sql"))
    if not files:
        raise NotConfigured(f"{folder} holds no migrations")
    for number, file in enumerate(files, start=1):
        match = _NAME.fullmatch(file.name)
        if match is None or int(match[1]) != number:
            raise NotConfigured(f"{file.name} should be number {number:04d}, as in {number:04d}_what_it_does.sql")
    return [Migration(f.name, f.read_text(encoding="utf-8"), hashlib.sha256(f.read_bytes()).hexdigest()) for f in files]


def _missing(cur: Cursor, name: str, wanted: list[Migration]) -> list[Migration]:
    cur.execute(
        "CREATE TABLE IF NOT EXISTS public.certmark_migration ("
        " folder text NOT NULL, name text NOT NULL, checksum text NOT NULL,"
        " applied_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (folder, name))"
    )
    cur.execute("SELECT name, checksum FROM public.certmark_migration WHERE folder = %s ORDER BY name", (name,))
    done: list[tuple[str, str]] = cur.fetchall()
    for (done_name, done_checksum), file in zip(done, wanted, strict=False):
        if (done_name, done_checksum) != (file.name, file.checksum):
            raise MadeByAnotherVersion(
                f"the database has {done_name} ({done_checksum[:12]}…) where {name} has {file.name} "
                f"({file.checksum[:12]}…)",
                hint="start it with the version that made it",
            )
    if len(done) > len(wanted):
        raise MadeByAnotherVersion(
            f"the database has {done[len(wanted)][0]} of {name}, which came later than this version",
            hint="start it with that version or a newer one",
        )
    return wanted[len(done) :]
