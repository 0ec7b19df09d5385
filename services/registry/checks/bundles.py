"""Bundles that were asked for: made by the process that checks, kept beside the material, read in parts."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from services.postgres import Cursor
from services.registry.checks import store
from services.registry.checks.store import CHANNEL, PART, Job

_WHAT = "bundle"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A bundle that was asked for. `code` says why it could not be made."""

    made_at: datetime | None
    code: str | None
    detail: str | None


def ask(cur: Cursor, job_id: str) -> Wanted:
    """Ask for the bundle of a check, and how far that is; one that failed is tried anew."""
    cur.execute("SELECT made_at, code, detail FROM check_bundles WHERE check_id = %s", (job_id,))
    row = cur.fetchone()
    if row is None:
        cur.execute("INSERT INTO check_bundles (check_id) VALUES (%s) ON CONFLICT DO NOTHING", (job_id,))
        cur.execute(f"NOTIFY {CHANNEL}")
        return Wanted(None, None, None)
    if row[1] is not None:
        cur.execute(
            "DELETE FROM check_bundles WHERE check_id = %s", (job_id,)
        )  # told once, tried anew when asked again
    return Wanted(*row)


def take(cur: Cursor) -> Job | None:
    """The check whose bundle was asked for first and is not made."""
    cur.execute("SELECT check_id FROM check_bundles WHERE made_at IS NULL AND code IS NULL ORDER BY asked_at LIMIT 1")
    row = cur.fetchone()
    return store.job(cur, row[0]) if row else None


def keep(cur: Cursor, job_id: str, file: IO[bytes]) -> None:
    cur.execute("DELETE FROM check_material WHERE check_id = %s AND what = %s", (job_id, _WHAT))
    number = 0
    while part := file.read(PART):
        store.add_part(cur, job_id, _WHAT, number, part)
        number += 1
    cur.execute("UPDATE check_bundles SET made_at = clock_timestamp() WHERE check_id = %s", (job_id,))


def fail(cur: Cursor, job_id: str, code: str, detail: str) -> None:
    cur.execute("UPDATE check_bundles SET code = %s, detail = %s WHERE check_id = %s", (code, detail[:1000], job_id))


def write(cur: Cursor, job_id: str, path: Path) -> None:
    """Part by part, as it is kept."""
    with path.open("wb") as file:
        file.writelines(store.parts(cur, job_id, _WHAT))
