"""Runs the checks that were handed in, one after the other: a process that may be killed at any moment.

What a frame found and that it was done commit together, so whoever takes the check over goes on behind it. A check
belongs to the session that holds its advisory lock; with the session the lock is gone.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

from services import telemetry
from services.domain.errors import CertmarkError, Fault
from services.domain.identifiers import civil_day
from services.domain.listing import Sighting
from services.events.keys import load_key
from services.listings.reading import Frame, Reading
from services.listings.workers import CheckingStopped, Codes, Workers, sightings
from services.postgres import database_url, snapshot, transaction
from services.registry.checks import again, bundles, evidence, store, watches
from services.registry.checks.source import RegisterSource, learn_parties
from services.registry.checks.store import Job
from services.registry.feeds import NoSeal
from services.registry.process import Connections, run_until_stopped, step_by_step
from services.scratch import scratch_folder
from services.settings import Settings

_LOOK = 2.0


class Runner:
    """Takes checks and runs them until told to stop; between them it looks after those that are watched."""

    def __init__(
        self,
        settings: Settings,
        processes: int | None = None,
        *,
        today: Callable[[], date] = lambda: civil_day(datetime.now(UTC)),
        apart: timedelta = watches.APART,
    ) -> None:
        """`today` is the register's day, `apart` the least time between two looks at one watched check."""
        self.settings = settings
        self.today = today
        self.apart = apart
        self.processes = processes or os.cpu_count() or 1
        self.stopping = False
        self._connections = Connections(settings, store.CHANNEL)

    def run(self) -> None:
        """Work until told to stop. Raises NotConfigured: a person must look."""
        step_by_step("checks", self, pause=0.5)

    def step(self) -> bool:
        """Run one check, if there is one; otherwise learn the parties of what was decided lately."""
        with transaction(self._connections.working()) as cur:
            job = store.take(cur)
        if job is None:
            with transaction(self._connections.working()) as cur:
                store.forget_unsent(cur)
                forgotten = store.forget_material(cur, self.settings.check_material_days)
                wanted = bundles.take(cur)
                learned = wanted is None and learn_parties(cur) > 0
            if forgotten:
                telemetry.info("checks: material deleted after its time", checks=forgotten)
            if wanted is not None:
                self._bundle(wanted)
            return learned or wanted is not None or self._watch()
        try:
            self._run(job)
        except Fault:
            raise  # the check stays as it is: it is taken again
        except CertmarkError as error:
            with transaction(self._connections.working()) as cur:
                store.fail(cur, job.id, error.slug, error.detail)
        with transaction(self._connections.working()) as cur:
            store.leave(cur, job.id)
        return True

    def _watch(self) -> bool:
        """One thing that watches wait for: keys to be kept, entries to be noticed, a look; whether there was one."""
        with transaction(self._connections.working()) as cur:
            watches.tidy(cur)
            new = watches.unprepared(cur)
        if new is not None:
            self._prepare(new)
            return True
        with transaction(self._connections.working()) as cur:
            more = watches.notice(cur, self.today())
        # A crash here finds the watches marked as they are.
        with transaction(self._connections.working()) as cur:
            return watches.open_look(cur, self.today(), self.apart) or more

    def _prepare(self, job: Job) -> None:
        try:
            with scratch_folder() as folder:
                file, images = self._spooled(job.id, "file", folder), self._spooled(job.id, "images", folder)
                assert file is not None
                with Reading(file, job.mapping, job.sheet, images) as reading:
                    told = watches.asked_by(reading, self.settings.hosts)
        except Fault:
            raise
        except CertmarkError as error:  # it was read once: the watch ends, and its check says until when it was
            telemetry.warning("a watched check cannot be read", check=job.id, code=error.slug, detail=error.detail)
            with transaction(self._connections.working()) as cur:
                watches.end(cur, job)
            return
        with transaction(self._connections.working()) as cur:
            watches.prepare(cur, job.id, told)

    def _bundle(self, job: Job) -> None:
        """Make the bundle of a check and keep it; a crash before it is kept makes it anew, byte for byte the same."""
        with scratch_folder() as folder:
            path = folder / "bundle.zip"
            try:
                if not self.settings.seal_key.exists():
                    raise NoSeal("this process holds no key to seal the bundle with")
                key = load_key(self.settings.seal_key)
                with snapshot(self._connections.working()) as cur:  # the report is printed meanwhile
                    evidence.write_bundle(cur, job, key, path)
            except Fault:
                raise
            except CertmarkError as error:
                with transaction(self._connections.working()) as cur:
                    bundles.fail(cur, job.id, error.slug, error.detail)
                return
            with transaction(self._connections.working()) as cur, path.open("rb") as file:
                bundles.keep(cur, job.id, file)

    def _run(self, job: Job) -> None:
        while self._learn():
            pass
        look = self._look_of(job) if job.watched else None
        if look is not None and not look.concerns_any:
            self._finish_look(job, 0, 0)
            return
        with scratch_folder() as folder, contextlib.ExitStack() as stack:
            file = self._spooled(job.id, "file", folder)
            images = self._spooled(job.id, "images", folder)
            make = partial(RegisterSource, database_url(self.settings), job.seq, job.day, self.settings.hosts)
            assert file is not None
            # The processes start while the file is opened, which takes a second of a large workbook.
            workers = stack.enter_context(Workers(self.processes, make))
            opening = partial(self._opening, job)
            reading = stack.enter_context(Reading(file, job.mapping, job.sheet, images, opening=opening))
            with transaction(self._connections.working()) as cur:
                store.understood(cur, job.id, reading.about.kind, reading.about.columns, reading.about.about)
                done = store.done_frames(cur, job.id)
            if look is not None:
                self._look(job, look, workers, reading)
                return
            if job.again_of is not None:
                again_reading = stack.enter_context(Reading(file, job.mapping, job.sheet, images))
                self._run_again(job, workers, reading, again_reading)
                return
            codes = Codes()
            if not self._save(job, workers, _unfinished(reading, codes, done)):
                return
            if codes.again:
                again = stack.enter_context(Reading(file, job.mapping, job.sheet, images))
                frames = ((frame, codes.sightings(frame)) for frame in again if frame.first in codes.again)
                if not self._save(job, workers, frames):
                    return
            assert reading.total is not None
            with transaction(self._connections.working()) as cur:
                store.finish(cur, job.id, reading.total)

    def _run_again(self, job: Job, workers: Workers, codes_from: Reading, reading: Reading) -> None:
        """Judge anew what may have changed since the check that this one repeats, and keep what did change."""
        assert job.again_of is not None
        codes = Codes()
        for frame in codes_from:
            codes.of(frame)
        with transaction(self._connections.working()) as cur:
            first = store.job(cur, job.again_of)
            assert first is not None
            since, until = (again.Since(one.seq, one.day, one.rule_set) for one in (first, job))
            relied = sorted({number for _, numbers in store.relied_on(cur, first.id) for number in numbers})
            touched = again.touched(cur, since, until, relied)
            store.throw_frames(cur, job.id)  # what a process found that was killed is found again

        def before(frame: Frame) -> list[bytes]:
            with transaction(self._connections.working()) as cur:
                return store.lines_of_frame(cur, first.id, frame.first)

        done = self._differences(job, workers, iter(reading), before, touched, codes.copied)
        if done is not None:
            looked_at, found = done
            with transaction(self._connections.working()) as cur:
                store.looked_at(cur, job.id, looked_at)
                store.finish(cur, job.id, found)

    def _look_of(self, job: Job) -> watches.Look:
        with transaction(self._connections.working()) as cur:
            store.throw_frames(cur, job.id)  # what a process found that was killed is found again
            return watches.look_of(cur, job)

    def _finish_look(self, job: Job, looked_at: int, found: int) -> None:
        with transaction(self._connections.working()) as cur:
            store.looked_at(cur, job.id, looked_at)
            watches.finish_look(cur, job, looked_at, found)
        # A crash before this line looks again, with the same outcome; after it everything has been told once.

    def _look(self, job: Job, look: watches.Look, workers: Workers, reading: Reading) -> None:
        """Judge anew what a watched check relies on and has changed; only the frames concerned are looked into."""
        assert job.again_of is not None
        check_id = job.again_of

        def concerned() -> Iterator[Frame]:
            last = max(look.firsts) if look.firsts is not None else None
            for frame in reading:
                if look.firsts is None or frame.first in look.firsts:
                    yield frame
                if frame.first == last:
                    return

        def before(frame: Frame) -> list[bytes]:
            with transaction(self._connections.working()) as cur:
                return watches.told_of_frame(cur, check_id, frame.first)

        done = self._differences(job, workers, concerned(), before, look.touched, look.copied)
        if done is not None:
            self._finish_look(job, *done)

    def _differences(
        self,
        job: Job,
        workers: Workers,
        frames: Iterator[Frame],
        before: Callable[[Frame], list[bytes]],
        touched: again.Touched,
        copied: frozenset[str],
    ) -> tuple[int, int] | None:
        """(rows judged anew, differences found and kept); None where the check was cancelled meanwhile."""
        parts: dict[int, again.Part] = {}

        def concerned() -> Iterator[tuple[Frame, Mapping[str, Sighting]]]:
            for frame in frames:
                part = again.part_of(frame, before(frame), touched, self.settings.hosts)
                if part.places:
                    parts[frame.first] = part
                    yield part.frame, sightings(frame, copied)

        found, looked_at = 0, 0
        for checked in workers.checked(concerned()):
            if self.stopping:
                raise CheckingStopped("told to stop")
            looked_at += checked.rows
            changed, places = again.differences(parts.pop(checked.first), checked, found)
            if changed.rows:
                with transaction(self._connections.working()) as cur:
                    if not store.save_frame(cur, job.id, changed, checked.first, places):
                        return None
                found += changed.rows
        return looked_at, found

    def _save(self, job: Job, workers: Workers, frames: Iterator[tuple[Frame, Mapping[str, Sighting]]]) -> bool:
        """Whether every frame was saved; not where the check was cancelled meanwhile, or we are to stop."""
        for checked in workers.checked(frames):
            if self.stopping:
                raise CheckingStopped("told to stop")
            with transaction(self._connections.working()) as cur:
                if not store.save_frame(cur, job.id, checked):
                    return False
            # A crash before this line does the frame again, with the same outcome: the position is pinned.
        return True

    def _opening(self, job: Job, about: int) -> None:
        with transaction(self._connections.working()) as cur:
            store.opening(cur, job.id, about)

    def _spooled(self, job_id: str, what: str, folder: Path) -> Path | None:
        path = folder / what
        with transaction(self._connections.working()) as cur:
            store.write_material(cur, job_id, what, path)
        return path if path.stat().st_size or what == "file" else None

    def _learn(self) -> bool:
        with transaction(self._connections.working()) as cur:
            return learn_parties(cur) > 0

    def wait(self) -> None:
        self._connections.wait(_LOOK)

    def drop(self) -> None:
        self._connections.drop()


def _unfinished(reading: Reading, codes: Codes, done: set[int]) -> Iterator[tuple[Frame, Mapping[str, Sighting]]]:
    """Frames that are still to be checked. The codes of the others count as well."""
    for frame in reading:
        sightings = codes.of(frame)
        if frame.first not in done:
            yield frame, sightings


def main() -> int:
    return run_until_stopped("checks", Runner)
