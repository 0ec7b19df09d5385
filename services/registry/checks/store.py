"""The SQL of checks: jobs, their material, and their findings frame by frame."""

import json
import secrets
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, cast

from services.listings.checking import Checked
from services.postgres import Cursor, copy_rows

CHANNEL = "certmark_checks"
PART = 1 << 20
"""Bytes of material in a row."""


@dataclass(frozen=True, slots=True)
class Job:
    """A check as it is stored; see the migration for its members."""

    id: str
    holder: str
    state: str
    name: str
    kind: str | None
    mapping: Mapping[str, str]
    columns: list[list[str | None]] | None
    platform: str | None
    sheet: str | None
    sha256: str | None
    seq: int
    day: date
    rule_set: str
    about: int
    total: int | None
    again_of: str | None
    code: str | None
    detail: str | None
    created_at: datetime
    finished_at: datetime | None
    material_gone: bool
    watched: bool


@dataclass(frozen=True, slots=True)
class Counted:
    """What has been found so far: rows, verdicts, rules."""

    done: int
    verdicts: dict[str, int]
    rules: dict[str, int]


_JOB = (
    "id, holder, state, name, kind, mapping, columns, platform, sheet, sha256, seq, day, rule_set, about, total,"
    " again_of, code, detail, created_at, finished_at, material_gone,"
    " watched"
)


def add(
    cur: Cursor,
    job_id: str,
    holder: str,
    *,
    name: str,
    mapping: Mapping[str, str],
    platform: str | None,
    sheet: str | None,
    day: date,
    rule_set: str,
    again_of: str | None = None,
    watched: bool = False,
) -> None:
    """A check that is being received, pinned at the register's last entry."""
    cur.execute(
        "INSERT INTO checks (id, holder, name, mapping, platform, sheet, seq, day, rule_set, again_of, watched)"
        " SELECT %s, %s, %s, %s, %s, %s, head.size - 1, %s, %s, %s, %s FROM head",
        (job_id, holder, name, json.dumps(dict(mapping)), platform, sheet, day, rule_set, again_of, watched),
    )


def add_part(cur: Cursor, job_id: str, what: str, part: int, content: bytes) -> None:
    cur.execute("INSERT INTO check_material VALUES (%s, %s, %s, %s)", (job_id, what, part, content))


def queue(cur: Cursor, job_id: str, sha256: str) -> None:
    """The material is whole: the check may be run."""
    cur.execute("UPDATE checks SET state = 'queued', sha256 = %s WHERE id = %s", (sha256, job_id))
    cur.execute(f"NOTIFY {CHANNEL}")


def repeat(cur: Cursor, of: Job, day: date, rule_set: str, *, watched: bool = False) -> str:
    """Queue a check of the same material by the register as it is now; its id. What repeats another has that one's."""
    job_id = secrets.token_hex(16)
    add(
        cur,
        job_id,
        of.holder,
        name=of.name,
        mapping=of.mapping,
        platform=of.platform,
        sheet=of.sheet,
        day=day,
        rule_set=rule_set,
        again_of=of.again_of or of.id,
        watched=watched,
    )
    queue(cur, job_id, of.sha256 or "")
    return job_id


def job(cur: Cursor, job_id: str, holder: str | None = None) -> Job | None:
    """A check; of a holder alone where one is named."""
    cur.execute(
        f"SELECT {_JOB} FROM checks WHERE id = %s AND (%s::text IS NULL OR holder = %s)", (job_id, holder, holder)
    )
    row = cur.fetchone()
    return Job(*row) if row else None


def jobs_of(cur: Cursor, holder: str | None, before: str | None, limit: int) -> list[Job]:
    """Checks of a holder (of all where None), the newest first, older than the one named `before`."""
    cur.execute(
        f"SELECT {_JOB} FROM checks WHERE (%s::text IS NULL OR holder = %s) AND (%s::text IS NULL OR (created_at, id) <"
        " (SELECT created_at, id FROM checks WHERE id = %s)) ORDER BY created_at DESC, id DESC LIMIT %s",
        (holder, holder, before, before, limit),
    )
    return [Job(*row) for row in cur.fetchall()]


def unfinished_of(cur: Cursor, holder: str) -> int:
    cur.execute(
        "SELECT count(*) FROM checks WHERE holder = %s AND state IN ('queued', 'running') AND NOT watched", (holder,)
    )
    return int(cast(tuple[int], cur.fetchone())[0])


def cancel(cur: Cursor, job_id: str) -> bool:
    """Whether the check was still to be done; what was found of it stays."""
    cur.execute(
        "UPDATE checks SET state = 'cancelled', finished_at = clock_timestamp() WHERE id = %s"
        " AND state IN ('receiving', 'queued', 'running')",
        (job_id,),
    )
    return cur.rowcount == 1


def material(cur: Cursor, job_id: str, what: str) -> Iterator[bytes]:
    """The parts of what was received, in order. A check that repeats another has that one's."""
    cur.execute("SELECT coalesce(again_of, id) FROM checks WHERE id = %s", (job_id,))
    (job_id,) = cur.fetchone() or (job_id,)
    return parts(cur, job_id, what)


def write_material(cur: Cursor, job_id: str, what: str, path: Path) -> None:
    """Part by part: the file may be larger than what a process should hold."""
    with path.open("wb") as file:
        file.writelines(material(cur, job_id, what))


def parts(cur: Cursor, job_id: str, what: str) -> Iterator[bytes]:
    """The parts of what is kept of this very check, in order, read one at a time."""
    part = 0
    while True:
        cur.execute(
            "SELECT content FROM check_material WHERE check_id = %s AND what = %s AND part = %s", (job_id, what, part)
        )
        row = cur.fetchone()
        if row is None:
            return
        yield bytes(row[0])
        part += 1


def forget_unsent(cur: Cursor) -> None:
    """Throw away what is still being received after an hour: its sender has given up."""
    cur.execute("DELETE FROM checks WHERE state = 'receiving' AND created_at < now() - interval '1 hour'")


def forget_material(cur: Cursor, days: int) -> int:
    """Delete what was sent, and the bundles that hold it, so many days after the last check of it; of how many."""
    cur.execute(
        "UPDATE checks AS c SET material_gone = true WHERE NOT material_gone AND again_of IS NULL"
        " AND finished_at < now() - make_interval(days => %s) AND NOT EXISTS (SELECT 1 FROM checks AS a WHERE"
        " a.again_of = c.id AND (a.finished_at IS NULL OR a.finished_at >= now() - make_interval(days => %s)))"
        " AND NOT EXISTS (SELECT 1 FROM check_watches AS w WHERE w.check_id = c.id AND w.ends_at > now())"
        " RETURNING id",
        (days, days),
    )
    gone = [job_id for (job_id,) in cur.fetchall()]
    if gone:
        cur.execute("DELETE FROM check_material WHERE check_id = ANY(%s)", (gone,))
        cur.execute(
            "DELETE FROM check_bundles AS b USING checks AS c WHERE c.id = b.check_id"
            " AND coalesce(c.again_of, c.id) = ANY(%s)",
            (gone,),
        )
        cur.execute(
            "DELETE FROM check_material WHERE check_id IN (SELECT id FROM checks WHERE again_of = ANY(%s))", (gone,)
        )
        cur.execute("UPDATE checks SET material_gone = true WHERE again_of = ANY(%s)", (gone,))
    return len(gone)


# --- running ---------------------------------------------------------------------------------------------


def take(cur: Cursor) -> Job | None:
    """The oldest check that waits, or whose process is gone; it is this session's until the session ends."""
    cur.execute("SELECT id FROM checks WHERE state IN ('queued', 'running') ORDER BY created_at")
    for (job_id,) in cur.fetchall():
        cur.execute("SELECT pg_try_advisory_lock(hashtextextended('certmark check ' || %s, 0))", (job_id,))
        if cast(tuple[bool], cur.fetchone())[0]:
            cur.execute(
                "UPDATE checks SET state = 'running' WHERE id = %s AND state IN ('queued', 'running')"
                f" RETURNING {_JOB}",
                (job_id,),
            )
            row = cur.fetchone()
            if row is not None:
                return Job(*row)
            leave(cur, job_id)
    return None


def leave(cur: Cursor, job_id: str) -> None:
    cur.execute("SELECT pg_advisory_unlock(hashtextextended('certmark check ' || %s, 0))", (job_id,))


def opening(cur: Cursor, job_id: str, about: int) -> None:
    """Its file is being opened, which has roughly so many rows: the first that is known of how far it is."""
    cur.execute("UPDATE checks SET about = %s WHERE id = %s AND columns IS NULL", (about, job_id))


def understood(cur: Cursor, job_id: str, kind: str, columns: Sequence[Sequence[str | None]], about: int) -> None:
    cur.execute(
        "UPDATE checks SET kind = %s, columns = %s, about = %s WHERE id = %s",
        (kind, json.dumps(columns), about, job_id),
    )


def done_frames(cur: Cursor, job_id: str) -> set[int]:
    cur.execute("SELECT first FROM check_frames WHERE check_id = %s", (job_id,))
    return {first for (first,) in cur.fetchall()}


def save_frame(
    cur: Cursor, job_id: str, checked: Checked, of_first: int | None = None, places: Sequence[int] | None = None
) -> bool:
    """A frame's findings, in place of what there was of it; whether the check still runs.

    A repetition says which frame of the first check they are of, and the places that they have in its file.
    """
    cur.execute("SELECT 1 FROM checks WHERE id = %s AND state = 'running' FOR SHARE", (job_id,))
    if cur.fetchone() is None:
        return False
    last = checked.first + checked.rows
    cur.execute("DELETE FROM check_frames WHERE check_id = %s AND first = %s", (job_id, checked.first))
    cur.execute(
        "DELETE FROM check_matters WHERE check_id = %s AND place >= %s AND place < %s", (job_id, checked.first, last)
    )
    cur.execute(
        "INSERT INTO check_frames VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            job_id,
            checked.first,
            checked.rows,
            json.dumps(checked.verdicts),
            json.dumps(checked.rules),
            sorted(number for number, _ in checked.relied),
            zlib.compress(checked.lines, 1),
            of_first,
            None if places is None else list(places),
        ),
    )
    copy_rows(
        cur,
        "check_matters",
        "check_id, place, verdict, rules, certificate_no, seller, listing_url, image",
        (
            (
                job_id,
                one.place,
                one.verdict,
                "{" + ",".join(one.rules) + "}",
                _clean(one.certificate_no),
                _clean(one.seller),
                _clean(one.listing_url),
                _clean(one.image),
            )
            for one in checked.matters
        ),
    )
    return True


def _clean(text: str | None) -> str | None:
    """PostgreSQL holds no U+0000, and no lone surrogates."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8") if text else None


def finish(cur: Cursor, job_id: str, total: int) -> None:
    cur.execute(
        "UPDATE checks SET state = 'done', total = %s, finished_at = clock_timestamp() WHERE id = %s"
        " AND state = 'running'",
        (total, job_id),
    )


def fail(cur: Cursor, job_id: str, code: str, detail: str) -> None:
    cur.execute(
        "UPDATE checks SET state = 'failed', code = %s, detail = %s, finished_at = clock_timestamp() WHERE id = %s"
        " AND state = 'running'",
        (code, detail[:1000], job_id),
    )


# --- reading ---------------------------------------------------------------------------------------------


def counted(cur: Cursor, job_id: str) -> Counted:
    cur.execute("SELECT rows, verdicts, rules FROM check_frames WHERE check_id = %s", (job_id,))
    done, verdicts, rules = 0, Counter[str](), Counter[str]()
    for rows, of_verdict, of_rule in cur.fetchall():
        done += rows
        verdicts.update(of_verdict)
        rules.update(of_rule)
    return Counted(done, dict(verdicts), dict(sorted(rules.items())))


def findings_after(cur: Cursor, job_id: str, after: int, limit: int) -> list[tuple[int, bytes]]:
    """(place, JSON) of findings behind a place, in order."""
    found: list[tuple[int, bytes]] = []
    while True:
        # The frames of a repetition may hold a row each, so a page may need many of them.
        cur.execute(
            "SELECT first, rows, lines FROM check_frames WHERE check_id = %s AND first + rows > %s"
            " ORDER BY first LIMIT %s",
            (job_id, after + 1, 2 + limit // 500),
        )
        frames = cur.fetchall()
        for first, rows, lines in frames:
            for place, line in enumerate(zlib.decompress(lines).splitlines(), first):
                if place > after:
                    found.append((place, line))
                    if len(found) == limit:
                        return found
            after = max(after, first + rows - 1)
        if not frames:
            return found


def matters_after(
    cur: Cursor, job_id: str, after: int, limit: int, verdict: str | None, rule: str | None
) -> list[tuple[int, bytes]]:
    """The same of findings that are not ok, by verdict and rule where they are named."""
    cur.execute(
        "SELECT place FROM check_matters WHERE check_id = %s AND place > %s AND (%s::text IS NULL OR verdict = %s)"
        " AND (%s::text IS NULL OR %s = ANY(rules)) ORDER BY place LIMIT %s",
        (job_id, after, verdict, verdict, rule, rule, limit),
    )
    return lines_at(cur, job_id, [place for (place,) in cur.fetchall()])


def lines_at(cur: Cursor, job_id: str, places: Sequence[int]) -> list[tuple[int, bytes]]:
    """(place, JSON) of the findings at these places, in order."""
    if not places:
        return []
    cur.execute(
        "SELECT first, rows, lines FROM check_frames AS f WHERE check_id = %s AND EXISTS (SELECT 1 FROM"
        " unnest(%s::bigint[]) AS p WHERE p >= f.first AND p < f.first + f.rows) ORDER BY first",
        (job_id, list(places)),
    )
    wanted = set(places)
    found: list[tuple[int, bytes]] = []
    for first, _, lines in cur.fetchall():
        of_frame = zlib.decompress(lines).splitlines()
        found += [(place, line) for place, line in enumerate(of_frame, first) if place in wanted]
    return found


def unpack(lines: bytes) -> list[bytes]:
    """The findings of a stored frame, as JSON."""
    return zlib.decompress(lines).splitlines()


def lines_of_frame(cur: Cursor, job_id: str, first: int) -> list[bytes]:
    """The findings of one frame, as JSON; empty where it was not done."""
    cur.execute("SELECT lines FROM check_frames WHERE check_id = %s AND first = %s", (job_id, first))
    row = cur.fetchone()
    return unpack(row[0]) if row else []


def throw_frames(cur: Cursor, job_id: str) -> None:
    cur.execute("DELETE FROM check_frames WHERE check_id = %s", (job_id,))
    cur.execute("DELETE FROM check_matters WHERE check_id = %s", (job_id,))


def looked_at(cur: Cursor, job_id: str, rows: int) -> None:
    """How many rows a repeated check judged anew."""
    cur.execute("UPDATE checks SET about = %s WHERE id = %s", (rows, job_id))


def frames_of(cur: Cursor, job_id: str) -> Iterator[tuple[int, bytes, list[str]]]:
    """(first place, JSON lines, certificates relied on) of each frame, in order."""
    firsts = sorted(done_frames(cur, job_id))
    for first in firsts:
        cur.execute("SELECT lines, relied FROM check_frames WHERE check_id = %s AND first = %s", (job_id, first))
        row = cur.fetchone()
        if row is not None:
            yield first, zlib.decompress(row[0]), list(row[1])


def mapping_of(cur: Cursor, holder: str, platform: str) -> dict[str, str]:
    cur.execute("SELECT mapping FROM check_mappings WHERE holder = %s AND platform = %s", (holder, platform))
    row = cur.fetchone()
    return dict(row[0]) if row else {}


def keep_mapping(cur: Cursor, holder: str, platform: str, mapping: Mapping[str, str]) -> None:
    cur.execute(
        "INSERT INTO check_mappings VALUES (%s, %s, %s) ON CONFLICT (holder, platform)"
        " DO UPDATE SET mapping = excluded.mapping",
        (holder, platform, json.dumps(dict(mapping))),
    )


def relied_on(cur: Cursor, job_id: str) -> Iterable[tuple[int, Any]]:
    """(first place, certificates) of each frame."""
    cur.execute("SELECT first, relied FROM check_frames WHERE check_id = %s ORDER BY first", (job_id,))
    return cast(list[tuple[int, Any]], cur.fetchall())
