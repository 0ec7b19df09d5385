"""Watched checks: the register looks at them again by itself once what their rows ask for has changed, and tells what
came out otherwise.

What rows ask for is kept by key (`prepare`), so that an entry finds the watches that it concerns by an index
(`notice`). A look is a repetition of the check, run as any other (`open_look`); it compares with what was last told,
covers everything between the two positions, and is one at a time (`finish_look`). Each step is a transaction: a crash
repeats it, and nothing is told twice.
"""

import re
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, cast

import orjson

from services.domain.errors import CertmarkError, TooManyRequests
from services.domain.identifiers import instant_text
from services.domain.listing_rules import RULE_SET
from services.listings.checking import asked, unpacked
from services.listings.reading import Frame
from services.listings.workers import Codes
from services.postgres import Cursor, copy_rows
from services.registry import store as register
from services.registry.checks import again, store
from services.registry.checks.again import Since, Touched, days_named, keys_of
from services.registry.checks.source import learn_parties
from services.registry.checks.store import CHANNEL, Job

DAYS, MOST_DAYS = 90, 366
"""For how many days a check is watched where nothing else is asked for, and at most; it can be renewed at any time."""
MOST_ROWS = 100_000
"""Rows of a check that can be watched, as of one that a bundle is made of."""
MOST_OF_A_HOLDER = 50
APART = timedelta(minutes=5)
"""Between two looks at one check: what happens meanwhile is told together."""
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""What PostgreSQL holds in no text."""
_PAGE = 20_000
"""Entries that are noticed in one transaction."""


class NotWatchable(CertmarkError):
    slug = "check-not-watchable"
    title = "The check is not done, or has more rows than are watched"
    zh = "核查尚未完成，或行数超过可观察的上限"
    status = 409


class TooManyWatches(TooManyRequests):
    slug = "too-many-watches"
    title = "This holder watches as many checks as it may; end one of these watches first"
    zh = "该持有人观察的核查已达上限，请先结束其中一项"


@dataclass(frozen=True, slots=True)
class Watch:
    """A watch as it is stored; see the migration for its members."""

    check_id: str
    ends_at: datetime
    ready: bool
    seq: int
    day: date
    rule_set: str
    looked_at: datetime | None
    noticed_at: datetime | None
    told: int
    active: bool

    @property
    def since(self) -> Since:
        return Since(self.seq, self.day, self.rule_set)


_WATCH = (
    "w.check_id, w.ends_at, w.ready, w.seq, w.day, w.rule_set, w.looked_at, w.noticed_at, w.told,"
    " w.ends_at > clock_timestamp()"
)


def first_of(job: Job) -> str:
    """The check whose material a check has: itself, or the one that it repeats."""
    return job.again_of or job.id


def begin(cur: Cursor, job: Job, days: int) -> Watch:
    """Watch a check for so many days from now on, or renew its watch.

    What has happened since it was done, or since its last watch ended, is told first.

    Raises:
        NotWatchable: it is not done, too large, or its material has been deleted. TooManyWatches: see the class.
    """
    first = store.job(cur, first_of(job))
    if first is None or first.state != "done" or (first.total or 0) > MOST_ROWS or first.material_gone:
        raise NotWatchable(f"at most {MOST_ROWS} rows, done, and with its material kept")
    cur.execute(
        "SELECT count(*) FROM check_watches AS w JOIN checks AS c ON c.id = w.check_id WHERE c.holder = %s"
        " AND w.check_id <> %s AND w.ends_at > clock_timestamp()",
        (first.holder, first.id),
    )
    if cast(tuple[int], cur.fetchone())[0] >= MOST_OF_A_HOLDER:
        raise TooManyWatches(f"{MOST_OF_A_HOLDER} checks are watched")
    cur.execute(
        "INSERT INTO check_watches (check_id, ends_at, seq, day, rule_set)"
        " VALUES (%s, clock_timestamp() + make_interval(days => %s), %s, %s, %s)"
        " ON CONFLICT (check_id) DO UPDATE SET ends_at = excluded.ends_at",
        (first.id, days, first.seq, first.day, first.rule_set),
    )
    cur.execute(f"NOTIFY {CHANNEL}")
    found = of(cur, job)
    assert found is not None
    return found


def end(cur: Cursor, job: Job) -> bool:
    """End the watch of a check; whether there was one. What was told can still be read."""
    cur.execute(
        "UPDATE check_watches SET ends_at = clock_timestamp() WHERE check_id = %s AND ends_at > clock_timestamp()",
        (first_of(job),),
    )
    return cur.rowcount == 1


def of(cur: Cursor, job: Job) -> Watch | None:
    """The watch of a check, ended ones too."""
    cur.execute(f"SELECT {_WATCH} FROM check_watches AS w WHERE w.check_id = %s", (first_of(job),))
    row = cur.fetchone()
    return Watch(*row) if row else None


def active_of(cur: Cursor, holder: str | None) -> list[tuple[Job, Watch]]:
    """The watched checks of a holder, or of all; those whose watch ends first come first."""
    cur.execute(
        f"SELECT {_WATCH} FROM check_watches AS w JOIN checks AS c ON c.id = w.check_id"
        " WHERE w.ends_at > clock_timestamp() AND (%(holder)s::text IS NULL OR c.holder = %(holder)s)"
        " ORDER BY w.ends_at LIMIT 200",
        {"holder": holder},
    )
    found = [Watch(*row) for row in cur.fetchall()]
    jobs = [(store.job(cur, watch.check_id), watch) for watch in found]
    return [(job, watch) for job, watch in jobs if job is not None]


# --- what rows ask for -----------------------------------------------------------------------------------


def unprepared(cur: Cursor) -> Job | None:
    """The check of a watch whose keys are still to be kept."""
    cur.execute(
        "SELECT check_id FROM check_watches WHERE NOT ready AND ends_at > clock_timestamp() ORDER BY ends_at LIMIT 1"
    )
    row = cur.fetchone()
    return store.job(cur, row[0]) if row else None


@dataclass(frozen=True, slots=True)
class Asked:
    """What the rows of a file ask for, with the frames that do, and the units' codes that several of its shops show."""

    firsts: Mapping[str, "array[int]"]
    copied: frozenset[str]


def asked_by(frames: Iterable[Frame], hosts: tuple[str, ...]) -> Asked:
    """Read a file to its end for what its rows ask the register."""
    firsts: dict[str, array[int]] = {}
    codes = Codes()
    for frame in frames:
        codes.of(frame)
        numbers, parties = asked(unpacked(frame.packed, frame.first), hosts)
        for key in numbers | parties:
            firsts.setdefault(key, array("q")).append(frame.first)
    return Asked(firsts, codes.copied)


def prepare(cur: Cursor, check_id: str, told: Asked) -> None:
    """Keep what its rows ask for. The first look is due: something may have happened since the check was done."""
    cur.execute("DELETE FROM check_watch_keys WHERE check_id = %s", (check_id,))
    copy_rows(
        cur,
        "check_watch_keys",
        "check_id, key, firsts",
        (
            (check_id, key, "{" + ",".join(map(str, firsts)) + "}")
            for key, firsts in told.firsts.items()
            if _UNSTORABLE.search(key) is None  # such a key is no number, and nobody's name
        ),
    )
    cur.execute(
        "UPDATE check_watches SET ready = true, copied = %s, noticed_at = clock_timestamp() WHERE check_id = %s",
        (sorted(told.copied), check_id),
    )


def tidy(cur: Cursor) -> None:
    """Forget what the rows of ended watches ask for."""
    cur.execute(
        "UPDATE check_watches SET ready = false, noticed_at = NULL WHERE ready AND ends_at <= clock_timestamp()"
        " AND open_id IS NULL RETURNING check_id"
    )
    ended = [check_id for (check_id,) in cur.fetchall()]
    if ended:
        cur.execute("DELETE FROM check_watch_keys WHERE check_id = ANY(%s)", (ended,))


# --- noticing --------------------------------------------------------------------------------------------


def notice(cur: Cursor, today: date) -> bool:
    """Mark the watches that the next entries concern, or the turn of the day; whether there is more to be noticed."""
    cur.execute("SELECT seq, day FROM check_watch_known FOR UPDATE")
    known, day = cast(tuple[int, date], cur.fetchone())
    last = register.head(cur).size - 1
    if (known, day) == (last, today):
        return False
    cur.execute("SELECT 1 FROM check_watches WHERE ready AND ends_at > clock_timestamp() LIMIT 1")
    reached, turned = last, day
    if cur.fetchone() is not None:
        while learn_parties(cur):
            pass  # of the entries up to `last`, and perhaps of some more: the parties of those are known
        reached, turned = min(last, known + _PAGE), today if known + _PAGE >= last else day
        since, until = Since(known, day, RULE_SET), Since(reached, day, RULE_SET)
        _mark(cur, again.touched(cur, since, until, ()))
        if turned > day:
            _mark_turned(cur, day, turned)
        cur.execute(
            "UPDATE check_watches SET noticed_at = clock_timestamp() WHERE ready AND rule_set <> %s", (RULE_SET,)
        )
    else:
        turned = today
    cur.execute("UPDATE check_watch_known SET seq = %s, day = %s", (reached, turned))
    return reached < last


def _mark(cur: Cursor, touched: Touched) -> None:
    if touched.everything:
        cur.execute("UPDATE check_watches SET noticed_at = clock_timestamp() WHERE ready")
    elif touched.keys:
        cur.execute(
            "UPDATE check_watches SET noticed_at = clock_timestamp() WHERE ready AND check_id IN"
            " (SELECT check_id FROM check_watch_keys WHERE key = ANY(%s))",
            (sorted(touched.keys),),
        )


def _mark_turned(cur: Cursor, since: date, until: date) -> None:
    """Those of which a certificate begins or ends something on one of these days, or a body, scheme or recall does."""
    if (until - since).days > again.MOST_DAYS:
        _mark(cur, Touched(frozenset(), everything=True))
        return
    days = days_named(since, until)
    _mark(cur, Touched(keys_of(cur, again.parents_that_turn(cur, days)), again.administration_turns(cur, days)))
    cur.execute(
        "UPDATE check_watches AS w SET noticed_at = clock_timestamp() WHERE w.ready AND EXISTS (SELECT 1 FROM"
        f" ({_CERTIFICATES_ASKED}) AS c JOIN records AS r ON r.key = 'certificate/' || c.number"
        " WHERE r.state LIKE ANY(%(days)s))",
        {"days": days},
    )


_CERTIFICATES_ASKED = (
    "SELECT key AS number FROM check_watch_keys WHERE check_id = w.check_id UNION SELECT m.certificate_no"
    " FROM check_watch_keys AS k JOIN marks AS m ON m.mark_no = k.key WHERE k.check_id = w.check_id"
    " UNION SELECT p.certificate_no FROM check_watch_keys AS k JOIN certificate_parties AS p ON p.party = k.key"
    " WHERE k.check_id = w.check_id"
)
"""The numbers that the rows of watch `w` may be judged by."""


# --- looking ---------------------------------------------------------------------------------------------


def open_look(cur: Cursor, today: date, apart: timedelta) -> bool:
    """Queue the look that is due and was noticed first, where its watch has none that waits or runs; whether it did."""
    cur.execute(
        f"SELECT {_WATCH} FROM check_watches AS w WHERE noticed_at IS NOT NULL AND ready"
        " AND next_at <= clock_timestamp() AND ends_at > clock_timestamp() AND NOT EXISTS"
        " (SELECT 1 FROM checks AS c WHERE c.id = w.open_id AND c.state IN ('receiving', 'queued', 'running'))"
        " ORDER BY noticed_at LIMIT 1 FOR UPDATE OF w SKIP LOCKED"
    )
    row = cur.fetchone()
    if row is None:
        return False
    watch = Watch(*row)
    first = store.job(cur, watch.check_id)
    assert first is not None
    cur.execute(
        "DELETE FROM checks WHERE again_of = %s AND watched AND state IN ('failed', 'cancelled')", (watch.check_id,)
    )
    look_id = store.repeat(cur, first, today, RULE_SET, watched=True)
    cur.execute(
        "UPDATE check_watches SET open_id = %s, next_at = clock_timestamp() + %s WHERE check_id = %s",
        (look_id, apart, watch.check_id),
    )
    return True


@dataclass(frozen=True, slots=True)
class Look:
    """What a look has to judge anew: rows that `touched` names, in these frames alone (in all where None)."""

    touched: Touched
    firsts: frozenset[int] | None
    copied: frozenset[str]

    @property
    def concerns_any(self) -> bool:
        return self.firsts is None or bool(self.firsts)


def look_of(cur: Cursor, job: Job) -> Look:
    """What has happened to what a watched check asks for, since it was last compared."""
    cur.execute(f"SELECT {_WATCH}, w.copied FROM check_watches AS w WHERE w.check_id = %s", (job.again_of,))
    *row, copied = cast(tuple[Any, ...], cur.fetchone())
    watch = Watch(*row)
    relied: list[str] = []
    if watch.day < job.day:
        cur.execute(
            f"SELECT DISTINCT number FROM ({_CERTIFICATES_ASKED}) AS c".replace("w.check_id", "%(check)s"),
            {"check": watch.check_id},
        )
        relied = [number for (number,) in cur.fetchall()]
    touched = again.touched(cur, watch.since, Since(job.seq, job.day, job.rule_set), relied)
    if touched.everything:
        return Look(touched, None, frozenset(copied))
    cur.execute(
        "SELECT DISTINCT unnest(firsts) FROM check_watch_keys WHERE check_id = %s AND key = ANY(%s)",
        (watch.check_id, sorted(touched.keys)),
    )
    return Look(touched, frozenset(first for (first,) in cur.fetchall()), frozenset(copied))


def told_of_frame(cur: Cursor, check_id: str, first: int) -> list[bytes]:
    """The findings of a frame of a watched check as they were last told."""
    lines = store.lines_of_frame(cur, check_id, first)
    cur.execute(
        "SELECT f.places, f.lines FROM check_frames AS f JOIN checks AS c ON c.id = f.check_id"
        " WHERE c.again_of = %s AND c.told_after IS NOT NULL AND f.of_first = %s ORDER BY c.told_after",
        (check_id, first),
    )
    for places, packed in cur.fetchall():
        for place, line in zip(places, store.unpack(packed), strict=True):
            lines[place - first] = line
    return lines


def finish_look(cur: Cursor, job: Job, looked_at: int, found: int) -> None:
    """The look is done: what it found is told under the next numbers, or, where nothing changed, it never was.

    One that had no row to judge has cost nothing, and the next need not wait.
    """
    cur.execute("SELECT 1 FROM checks WHERE id = %s AND state = 'running' FOR UPDATE", (job.id,))
    if cur.fetchone() is None:
        return
    if found:
        cur.execute("UPDATE check_watch_known SET told = told + %s RETURNING told - %s", (found, found))
        (told_after,) = cast(tuple[int], cur.fetchone())
        store.finish(cur, job.id, found)
        cur.execute("UPDATE checks SET told_after = %s WHERE id = %s", (told_after, job.id))
    cur.execute(
        "UPDATE check_watches SET seq = %s, day = %s, rule_set = %s, looked_at = clock_timestamp(), open_id = NULL,"
        " told = told + %s, noticed_at = CASE WHEN noticed_at > %s THEN noticed_at END,"
        " next_at = CASE WHEN %s = 0 THEN clock_timestamp() ELSE next_at END WHERE check_id = %s",
        (job.seq, job.day, job.rule_set, found, job.created_at, looked_at, job.again_of),
    )
    if not found:
        cur.execute("DELETE FROM checks WHERE id = %s", (job.id,))


# --- telling ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """One listing that is judged otherwise: `look` is the check that found it, `place` the finding's place in that."""

    number: int
    check_id: str
    name: str
    look: str
    place: int
    seq: int
    day: date
    told_at: datetime
    finding: dict[str, Any]


def changes_after(
    cur: Cursor, after: int, limit: int, *, check_id: str | None = None, holder: str | None = None
) -> list[Change]:
    """The changes behind a number, in order: of one check, of all of a holder, or of everybody."""
    found: list[Change] = []
    while len(found) < limit:
        cur.execute(
            "SELECT id, again_of, name, told_after, total, seq, day, finished_at FROM checks"
            " WHERE told_after IS NOT NULL AND told_after + total > %(after)s"
            " AND (%(check)s::text IS NULL OR again_of = %(check)s)"
            " AND (%(holder)s::text IS NULL OR holder = %(holder)s) ORDER BY told_after LIMIT 1",
            {"after": after, "check": check_id, "holder": holder},
        )
        row = cur.fetchone()
        if row is None:
            break
        look, of_check, name, told_after, total, seq, day, told_at = row
        lines = store.findings_after(cur, look, after - told_after - 1, limit - len(found))
        found += [
            Change(told_after + 1 + place, of_check, name, look, place, seq, day, told_at, orjson.loads(line))
            for place, line in lines
        ]
        after = found[-1].number if lines else told_after + total
    return found


def change_json(one: Change) -> dict[str, Any]:
    """A change as feed and webhooks tell it."""
    return {
        "number": one.number,
        "check": one.check_id,
        "look": one.look,
        "told_at": instant_text(one.told_at),
        "seq": one.seq,
        "day": one.day.isoformat(),
        "finding": one.finding,
    }


def last_told(cur: Cursor) -> int:
    """The number of the last change that was told, of whatever check."""
    cur.execute("SELECT told FROM check_watch_known")
    return int(cast(tuple[int], cur.fetchone())[0])


def looks_before(cur: Cursor, holder: str | None, before: int | None, limit: int) -> list[tuple[Job, int]]:
    """(look, the number of its last change) of a holder, or of all; the newest first, older than this number."""
    cur.execute(
        "SELECT id, told_after + total FROM checks WHERE told_after IS NOT NULL"
        " AND (%(holder)s::text IS NULL OR holder = %(holder)s)"
        " AND (%(before)s::bigint IS NULL OR told_after + total < %(before)s) ORDER BY told_after DESC LIMIT %(limit)s",
        {"holder": holder, "before": before, "limit": limit},
    )
    rows = cur.fetchall()
    jobs = [(store.job(cur, look), last) for look, last in rows]
    return [(job, last) for job, last in jobs if job is not None]
