"""Facts about certificates in few columns, made from the entries: for finding and counting as known at any entry."""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from typing import Any, Protocol, TypeVar, cast

import orjson

from services.domain.certificate import Certificate, Mark
from services.domain.errors import Fault
from services.domain.identifiers import normalised
from services.domain.standing import PRECEDENCE, Standing, mark_standing, standing
from services.postgres import Cursor, copy_rows
from services.registry import store
from services.registry.past import certificate_of

T = TypeVar("T")
CHUNK = 2000
"""Entries that are read in one transaction."""

PATIENCE = 5.0
"""Seconds that a request may spend on reading what was decided lately."""

PLACE: Mapping[Standing, int] = {standing: place for place, standing in enumerate(PRECEDENCE)}
"""Standings as the tables hold them: the lower, the worse."""

_DATE = re.compile(r'"((?:19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2})"')
_DAY = timedelta(days=1)


class FactsBehind(Fault):
    slug = "facts-behind"
    title = "What was decided lately is still being counted; ask again in a moment"
    zh = "最近的决定仍在统计中，请稍后再问"


class Reads(Protocol):
    """Runs a query in a transaction of its own."""

    def __call__(self, query: Callable[[Cursor], T]) -> T: ...


@dataclass(frozen=True, slots=True)
class Told:
    """The state of a certificate after an entry; `effective_at` is the first day on which the entry has effect."""

    seq: int
    effective_at: date
    text: str
    certificate: Certificate


@dataclass(slots=True)
class Dues:
    """Which surveillance was the next one due, from which day on."""

    days: list[date] = field(default_factory=list)
    dues: list[date | None] = field(default_factory=list)

    def told(self, effective_at: date, due: date | None) -> "Dues":
        """The same with what an entry says from its day on; what it knew of the days before stays."""
        kept = sum(day < effective_at for day in self.days)
        days, dues = self.days[:kept], self.dues[:kept]
        if dues and dues[-1] == due:
            return Dues(days, dues)
        return Dues([*days, effective_at], [*dues, due])


@dataclass(frozen=True, slots=True)
class Reach:
    """How far the facts go: the last entry that they know of, and the last one that is wanted. -1: before the first."""

    known: int
    wanted: int


def catch_up(
    stretch: Callable[[], Reach], seconds: float | None = None, advance: Callable[[int], None] = lambda done: None
) -> int:
    """Read stretch after stretch (each a transaction with `read_on`) until the facts go as far as wanted; how far.

    Raises:
        FactsBehind: `seconds` were not enough; what was read is kept.
    """
    started = time.monotonic()
    before = None
    while True:
        reach = stretch()
        if before is not None:
            advance(reach.known - before.known)
        if reach.known >= reach.wanted:
            return reach.known
        if seconds is not None and time.monotonic() - started > seconds:
            raise FactsBehind(f"counted up to entry {reach.known} of {reach.wanted}")
        before = reach


def caught_up(read: Reads, upto: int | None = None) -> int:
    """The same for a request, which waits for no more than `PATIENCE`; the last entry that the facts know of then.

    Raises:
        FactsBehind: there was more to read; the next request goes on from there.
    """
    return catch_up(lambda: read(partial(read_on, upto=upto)), seconds=PATIENCE)


def read_on(cur: Cursor, upto: int | None = None) -> Reach:
    """Take in the next `CHUNK` entries, up to the register's last or the one named, under a lock: others wait."""
    last = store.head(cur).size - 1
    wanted = last if upto is None else min(upto, last)
    if known_to(cur) >= wanted:
        return Reach(known_to(cur), wanted)
    cur.execute("SELECT seq FROM facts_head FOR UPDATE")
    first = int(cast(tuple[int], cur.fetchone())[0])
    if first >= wanted:  # somebody else has read on while we waited
        return Reach(first, wanted)
    end = min(first + CHUNK, last)
    cur.execute(
        "SELECT seq, effective_at, recorded_at, state FROM entries WHERE seq > %s AND seq <= %s AND state IS NOT NULL"
        " ORDER BY seq",
        (first, end),
    )
    _save(cur, list(_told(cur.fetchall())))
    cur.execute("UPDATE facts_head SET seq = %s", (end,))
    return Reach(end, wanted)


def reach(cur: Cursor) -> Reach:
    """How far the facts go, and how far the register."""
    return Reach(known_to(cur), store.head(cur).size - 1)


def known_to(cur: Cursor) -> int:
    """The last entry that the facts know of, -1 before the first."""
    cur.execute("SELECT seq FROM facts_head")
    return int(cast(tuple[int], cur.fetchone())[0])


def _told(rows: Sequence[tuple[Any, ...]]) -> Iterator[Told]:
    for seq, effective_at, recorded_at, text in rows:
        state = orjson.loads(text)
        if state["kind"] == "certificate":
            day = effective_at or recorded_at.date()
            yield Told(seq, day, text, certificate_of(state))


def _save(cur: Cursor, told: Sequence[Told]) -> None:
    numbers = sorted({one.certificate.certificate_no for one in told})
    cur.execute(
        "SELECT certificate_no, seq, due_days, dues FROM certificate_facts"
        " WHERE certificate_no = ANY(%s) AND replaced_by IS NULL",
        (numbers,),
    )
    before = {number: (seq, Dues(days, dues)) for number, seq, days, dues in cur.fetchall()}
    replaced: dict[int, int] = {}
    dues_of: dict[int, Dues] = {}
    for one in told:
        number = one.certificate.certificate_no
        seq, dues = before.get(number, (None, Dues()))
        if seq is not None:
            replaced[seq] = one.seq
        dues_of[one.seq] = dues.told(one.effective_at, one.certificate.surveillance_due)
        before[number] = (one.seq, dues_of[one.seq])
    _replace(cur, {seq: by for seq, by in replaced.items() if seq not in dues_of})
    certificates, marks = [], []
    for one in told:
        days = turning_days(one.text)
        certificates.append(_certificate_row(one, replaced.get(one.seq), days, dues_of[one.seq]))
        marks += [_mark_row(one, mark, replaced.get(one.seq), days) for mark in one.certificate.marks]
    copy_rows(cur, "certificate_facts", _CERTIFICATE, certificates)
    copy_rows(cur, "mark_facts", _MARK, marks)


def _replace(cur: Cursor, replaced: Mapping[int, int]) -> None:
    for table in ("certificate_facts", "mark_facts"):
        cur.execute(
            f"UPDATE {table} f SET replaced_by = t.by FROM unnest(%s::bigint[], %s::bigint[]) AS t(seq, by)"
            " WHERE f.seq = t.seq",
            (list(replaced), list(replaced.values())),
        )


_CERTIFICATE = (
    "seq, replaced_by, certificate_no, parent_no, scheme, body, region, uscc, organisation, first_issued_on,"
    " valid_until, days, standings, due_days, dues, statuses, since, reasons"
)
_MARK = "seq, replaced_by, mark_no, parent_no, scheme, body, region, days, standings"


def _certificate_row(one: Told, replaced_by: int | None, days: Sequence[date], dues: Dues) -> tuple[object, ...]:
    c = one.certificate
    timeline = _timeline(days, lambda day: standing(c, day))
    return (
        one.seq,
        replaced_by,
        c.certificate_no,
        c.parent_no,
        c.scheme,
        c.body,
        c.holder.region,
        c.holder.uscc,
        c.holder.uscc or normalised(c.holder.name),
        c.first_issued_on,
        c.valid_until,
        *timeline,
        _array(dues.days),
        _array(dues.dues),
        _array(interval.status.value for interval in c.statuses),
        _array(interval.since for interval in c.statuses),
        _array(interval.reason for interval in c.statuses),
    )


def _mark_row(one: Told, mark: Mark, replaced_by: int | None, days: Sequence[date]) -> tuple[object, ...]:
    c = one.certificate
    timeline = _timeline(days, lambda day: mark_standing(c, mark, day))
    return (one.seq, replaced_by, mark.mark_no, c.parent_no, c.scheme, c.body, c.holder.region, *timeline)


def turning_days(state: str) -> list[date]:
    """The days on which a standing can change: those that the state names, and the day after each.

    Taken from the text, so that no rule about which of its members matters is kept a second time.
    """
    named: set[date] = set()
    for text in set(_DATE.findall(state)):
        try:
            named |= {(day := date.fromisoformat(text)), day + _DAY}
        except ValueError:
            continue  # a text that only looks like a date
    return sorted(named)


def _timeline(days: Sequence[date], standing_on: Callable[[date], Standing]) -> tuple[str, str]:
    """(days, standings) as arrays: from each of the days on, the standing that follows."""
    begins: list[date] = []
    places: list[int] = []
    for day in days:
        place = PLACE[standing_on(day)]
        if not places or places[-1] != place:
            begins.append(day)
            places.append(place)
    return _array(begins), _array(places)


def _array(values: Any) -> str:
    """PostgreSQL's text form of an array of dates, numbers and plain words."""
    return "{" + ",".join("NULL" if value is None else str(value) for value in values) + "}"
