"""The figures of the public's page: counted from the node's own file by a thread, and kept until the file changes."""

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from services import telemetry
from services.domain.errors import Fault
from services.domain.standing import Standing
from services.verify.facts import COUNT_SQL, open_facts, standing_of
from services.verify.read_model import Meta, Unreadable
from services.verify.register import Register

FRESH_S = 60.0
"""Seconds for which figures are shown although the register has gone on: counting a million takes some of them."""

_PATIENCE_S = 1.5
_MONTHS = 12


class NotCountedYet(Fault):
    slug = "not-counted-yet"
    title = "The figures are being counted; ask again in a moment"
    zh = "正在统计，请稍后再来"
    retry_after = 2


@dataclass(frozen=True, slots=True)
class Figures:
    """What the register held on a day. Certificates include self-declarations; districts are six digits, `outside` or
    empty where the holder's is not stated."""

    day: date
    as_of: datetime
    seq: int
    by_scheme: Mapping[tuple[str, Standing], int]
    """(scheme, standing)"""
    by_district: Mapping[tuple[str, Standing], int]
    """(district, standing)"""
    by_body: Mapping[tuple[str, Standing], int]
    """(approval number, standing); self-declarations have none"""
    new: Mapping[str, int]
    """by month of first issue, `2026-11`"""
    ended: Mapping[tuple[str, str, str], int]
    """(month, suspended, revoked or cancelled, reason), of the last twelve months"""

    @property
    def months(self) -> tuple[str, ...]:
        """The twelve months up to the day's, oldest first."""
        return tuple(last_months(self.day))


def last_months(day: date) -> Iterator[str]:
    for back in range(_MONTHS - 1, -1, -1):
        year, month = divmod(day.year * 12 + day.month - 1 - back, 12)
        yield f"{year:04d}-{month + 1:02d}"


class Counting:
    """The figures of one process. Whoever asks gets what was counted last; a thread counts anew where that is old."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._counted: tuple[tuple[str, int, date], float, Figures] | None = None
        self._at_work: threading.Thread | None = None

    def figures(self, register: Register, day: date) -> Figures:
        """The figures of a day, at most a minute behind the file.

        Raises:
            NotCountedYet: this process has never counted, or not on this day, and is at it. Unreadable: no usable file.
        """
        meta = register.meta()
        if not meta.complete or meta.as_of is None:
            raise Unreadable("the read model is still being built")
        wanted = (register.model.target, meta.revision, day)
        counted = self._counted
        if counted is not None:
            have, at, figures = counted
            same_day = have[2] == day
            if have == wanted or (same_day and time.monotonic() - at < FRESH_S):
                return figures
            thread = self._count(wanted, meta)
            if same_day:
                return figures  # the next who asks has the new ones
        else:
            thread = self._count(wanted, meta)
        thread.join(_PATIENCE_S)
        counted = self._counted
        if counted is None or counted[0][2] != day:
            raise NotCountedYet("the figures are being counted")
        return counted[2]

    def _count(self, wanted: tuple[str, int, date], meta: Meta) -> threading.Thread:
        with self._lock:
            if self._at_work is None or not self._at_work.is_alive():
                self._at_work = threading.Thread(target=self._run, args=(wanted, meta), daemon=True, name="figures")
                self._at_work.start()
            return self._at_work

    def _run(self, wanted: tuple[str, int, date], meta: Meta) -> None:
        try:
            figures = count(self._folder / wanted[0], meta, wanted[2])
        except sqlite3.Error as error:  # the file went while it was read: the next who asks begins again
            telemetry.warning("figures could not be counted", detail=str(error))
            return
        self._counted = (wanted, time.monotonic(), figures)


def count(file: Path, meta: Meta, day: date) -> Figures:
    """Count everything once; sorting is SQLite's and holds up nobody else."""
    assert meta.as_of is not None
    schemes: Counter[tuple[str, Standing]] = Counter()
    districts: Counter[tuple[str, Standing]] = Counter()
    bodies: Counter[tuple[str, Standing]] = Counter()
    with open_facts(file) as connection:
        months = tuple(last_months(day))
        today = {"day": day.isoformat().replace("-", "")}
        for scheme, district, body, letter, found in connection.execute(COUNT_SQL, today):
            standing = standing_of(letter)
            schemes[scheme, standing] += found
            districts[district, standing] += found
            if body:
                bodies[body, standing] += found
        new = dict(
            connection.execute(
                "SELECT month, count(*) FROM fact WHERE month >= ? AND month <= ? GROUP BY month",
                (months[0], months[-1]),
            )
        )
        ended = {
            (month, kind, reason): found
            for month, kind, reason, found in connection.execute(
                "SELECT substr(day, 1, 7), kind, reason, count(*) FROM ending WHERE day >= ? AND day <= ?"
                " GROUP BY 1, 2, 3",
                (f"{months[0]}-01", day.isoformat()),
            )
        }
    return Figures(day, meta.as_of, meta.seq, schemes, districts, bodies, new, ended)
