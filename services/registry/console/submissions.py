"""What a source hands in through the console: a folder for each, with its file, its progress and its rows."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from services import confined
from services.domain.errors import NotFound, TooManyRequests
from services.domain.identifiers import instant_of, instant_text

LARGEST = 32 * 1024 * 1024
"""Bytes of a file."""
KEPT = timedelta(days=7)
"""Then a submission and all that was found in it is thrown away."""
AT_ONCE = 2
"""Submissions of one source that are worked on at a time."""
PAGE = 100
LIMITS = confined.Limits(memory=2 << 30, seconds=1800, nice=10, writes=True)
"""Of the process that works on one: answers go before it."""

_SILENT_S = 60.0
"""Without a sign of life for so long, the work on a submission has been cut."""
_ID = re.compile(r"[0-9a-f]{32}")
_TABLES = """
CREATE TABLE progress (one INTEGER PRIMARY KEY CHECK (one = 1), beat REAL NOT NULL, told TEXT NOT NULL);
CREATE TABLE rows (
    line INTEGER PRIMARY KEY,       -- of the file, from 1 on
    last_line INTEGER NOT NULL,
    number TEXT NOT NULL,
    type TEXT NOT NULL,
    state TEXT NOT NULL,            -- good, wrong; of signed events: sent, wrong
    digest TEXT,
    said TEXT NOT NULL              -- JSON: {data} of a good row, {faults} or {problem} of a wrong one
);
CREATE INDEX rows_state ON rows (state, line);
"""


class StillBusy(TooManyRequests):
    slug = "still-busy"
    title = "Two submissions of this source are being worked on; wait until one is done"
    zh = "该来源已有两份报送正在处理，请等其中一份完成"

    retry_after = 10


class Kind(StrEnum):
    """A sheet is only looked at; signed events are passed on."""

    SHEET = "sheet"
    SIGNED = "signed"


@dataclass(frozen=True, slots=True)
class About:
    """What a submission is. `name` is the file's as its sender called it."""

    kind: Kind
    source: str
    name: str
    handed_in_at: str

    @property
    def at(self) -> datetime:
        return instant_of(self.handed_in_at)


STATES_OF_WORK = ("waiting", "running", "done", "failed", "cut")
"""The last one where the process that worked on it is gone and has not said how it ended."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the work on a submission is. `state` is one of STATES_OF_WORK.

    `done` and `total` are rows, or events; the total of a sheet is an estimate. `report` is what was found.
    """

    state: str
    done: int = 0
    total: int = 0
    report: Mapping[str, Any] | None = None
    problem: Mapping[str, str] | None = None

    @property
    def is_going_on(self) -> bool:
        return self.state in ("waiting", "running")


@dataclass(frozen=True, slots=True)
class Line:
    """An event of a submission, and the lines of the file that it comes from."""

    line: int
    last_line: int
    number: str
    type: str
    state: str
    digest: str | None
    said: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Submission:
    id: str
    folder: Path
    about: About

    @property
    def file(self) -> Path:
        return self.folder / f"upload{_suffix(self.about.name)}"

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.file.stat().st_size

    @property
    def mapping(self) -> Path:
        return self.folder / "mapping.json"

    @property
    def fix_file(self) -> Path:
        return self.folder / "fix.csv"

    @property
    def rows(self) -> Path:
        return self.folder / "rows.sqlite"


def _suffix(name: str) -> str:
    suffix = Path(name).suffix.lower()
    return suffix if suffix in (".csv", ".xlsx", ".ndjson") else ""


# --- the folders ---------------------------------------------------------------------------------------------------


def take_in(folder: Path, id_: str, about: About) -> Submission:
    """Room for a new submission's file; what has been kept for long enough goes.

    Raises:
        StillBusy: the source has to wait for an earlier one.
    """
    _throw_away(folder, about.at - KEPT)
    busy = [one for one in of_source(folder, about.source) if progress_of(one).is_going_on]
    if len(busy) >= AT_ONCE:
        raise StillBusy(f"{len(busy)} submissions are being worked on")
    place = folder / id_
    place.mkdir(mode=0o700, parents=True)
    return Submission(id_, place, about)


def announce(one: Submission) -> None:
    """Say what it is, which makes it one; its file is there by now."""
    with closing(sqlite3.connect(one.rows, isolation_level=None)) as rows:
        rows.execute("PRAGMA journal_mode = WAL")
        rows.executescript(_TABLES)
        _tell(rows, Progress("waiting"))
    about = one.folder / "about.new"
    about.write_text(json.dumps(asdict(one.about), ensure_ascii=False), encoding="utf-8")
    about.replace(one.folder / "about.json")


def begin(one: Submission) -> None:
    """Start the work on it, in a process of its own: a large sheet would keep everybody else waiting."""
    _RUNNING[:] = [process for process in _RUNNING if process.poll() is None]
    command = confined.command(confined.module("services.registry.console.checking", str(one.folder)), LIMITS)
    told = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
    _RUNNING.append(subprocess.Popen(command, env=told, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))


_RUNNING: "list[subprocess.Popen[bytes]]" = []
"""Processes of ours that may not have ended; looked at so that none stays behind as a shadow."""


def of_source(folder: Path, source: str) -> list[Submission]:
    """The submissions of a source, the newest first."""
    found = [one for one in _every(folder) if one.about.source == source]
    return sorted(found, key=lambda one: one.about.handed_in_at, reverse=True)


def submission(folder: Path, source: str, id_: str) -> Submission:
    """Raises NotFound where the source has none of this id."""
    found = submission_at(folder / id_) if _ID.fullmatch(id_) else None
    if found is None or found.about.source != source:
        raise NotFound("no such submission, or it was thrown away after seven days")
    return found


def _every(folder: Path) -> Iterator[Submission]:
    for place in folder.iterdir() if folder.is_dir() else ():
        if _ID.fullmatch(place.name) and (found := submission_at(place)) is not None:
            yield found


def submission_at(place: Path) -> Submission | None:
    """The submission in a folder; None where it is not one yet, or no more."""
    try:
        said = json.loads((place / "about.json").read_bytes())
    except OSError:
        return None
    return Submission(place.name, place, About(Kind(said.pop("kind")), **said))


def _throw_away(folder: Path, before: datetime) -> None:
    for place in folder.iterdir() if folder.is_dir() else ():
        if _ID.fullmatch(place.name) and place.stat().st_mtime < before.timestamp():
            shutil.rmtree(place, ignore_errors=True)


# --- what is found in one ------------------------------------------------------------------------------------------


def progress_of(one: Submission) -> Progress:
    with _reading(one) as rows:
        beat, told = rows.execute("SELECT beat, told FROM progress").fetchone()
    progress = Progress(**json.loads(told))
    return Progress("cut") if progress.is_going_on and time.time() - beat > _SILENT_S else progress


def counts_of(one: Submission) -> dict[str, int]:
    with _reading(one) as rows:
        return dict(rows.execute("SELECT state, count(*) FROM rows GROUP BY state"))


def lines_of(one: Submission, state: str, after: int, limit: int = PAGE) -> list[Line]:
    """The next lines in order, of one state or of all where it is empty."""
    with _reading(one) as rows:
        found = rows.execute(
            "SELECT line, last_line, number, type, state, digest, said FROM rows"
            " WHERE line > ? AND (? = '' OR state = ?) ORDER BY line LIMIT ?",
            (after, state, state, limit),
        ).fetchall()
    return [
        Line(line, last, number, kind, how, digest, json.loads(said))
        for line, last, number, kind, how, digest, said in found
    ]


def digests_of(one: Submission) -> list[str]:
    with _reading(one) as rows:
        return [digest for (digest,) in rows.execute("SELECT digest FROM rows WHERE digest IS NOT NULL ORDER BY line")]


@contextmanager
def _reading(one: Submission) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(one.rows, timeout=5.0, isolation_level=None)) as rows:
        yield rows


class Findings:
    """What the process that works on a submission writes down, portion by portion, so that a page can show it."""

    def __init__(self, one: Submission) -> None:
        self._rows = sqlite3.connect(one.rows, timeout=10.0, isolation_level=None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._rows.close()

    def tell(self, progress: Progress) -> None:
        _tell(self._rows, progress)

    def save(self, lines: Iterable[Line]) -> None:
        self._rows.execute("BEGIN IMMEDIATE")
        self._rows.executemany(
            "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (x.line, x.last_line, x.number, x.type, x.state, x.digest, json.dumps(x.said, ensure_ascii=False))
                for x in lines
            ],
        )
        self._rows.execute("COMMIT")


def _tell(rows: sqlite3.Connection, progress: Progress) -> None:
    told = json.dumps(asdict(progress), ensure_ascii=False)
    rows.execute("INSERT OR REPLACE INTO progress VALUES (1, ?, ?)", (time.time(), told))


def about_new(kind: Kind, source: str, name: str, now: datetime) -> About:
    """`name` without the folders that some browsers send along, and no longer than a page can show."""
    return About(kind, source, re.split(r"[\\/]", name)[-1][-120:] or "–", instant_text(now))
