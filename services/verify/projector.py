"""The projector: reads the sealed state topic and keeps the node's read model up to date, in a process of its own."""

import fcntl
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from services import telemetry
from services.domain.body import Purpose
from services.domain.errors import CertmarkError, Fault, LogTruncated, NotConfigured, RegisterBehind, Untrusted
from services.domain.identifiers import instant_text
from services.events.keyring import Keyring
from services.events.log import Log, Record, Topic, Topics, open_log
from services.events.record import SealedRecord, open_sealed
from services.settings import Settings, settings_from
from services.verify.ahead import Ahead, Batch, Unchecked, rarely_collected, read_here
from services.verify.filed import Filed
from services.verify.filing import filed
from services.verify.read_model import LINK, REBUILD_WANTED, ModelWriter, ReadModel, Unreadable

BATCH = 500
FAR_BATCH = 2000
"""Records that are read and saved at once on a long way: fewer pages are written twice."""

FAR = 5 * BATCH
"""Records to go from which on it is worth starting helpers: they take half a second to begin."""

HELPERS = max(1, min(4, len(os.sched_getaffinity(0))))
WAIT_S = 1.0
_UNBELIEVED_PAUSE_S = 0.02
_PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0)
_BEHIND_PAUSE_S = 60.0
_TRUSTED_KINDS = ("key", "body", "alliance")


class Projector:
    """Follows the state topic into one file.

    A record is believed by its seal alone, whoever wrote it to the topic. A crash at any point repeats the
    batch that was not committed; a file that cannot be trusted is built anew beside the old one, which
    answers (and ages) until the new one has everything the topic held when the build began. It never goes back:
    what a register says that was restored from an older copy replaces nothing newer, and renews no age.
    """

    def __init__(
        self,
        log: Log,
        topic: Topic,
        genesis: str,
        folder: Path,
        helpers: int = HELPERS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._log = log
        self._topic = topic
        self._genesis = genesis
        self._folder = folder
        self._helpers = helpers
        self._clock = clock
        self._behind = False  # the last heartbeat was of an earlier register than what we hold
        self._applied = telemetry.counter("certmark_projected_records_total", "State records read", "outcome")
        self._building = False
        self._ahead: Ahead | None = None
        self._writer = self._open_or_create()
        try:
            self._keyring, self._target = self._start()
        except (Unreadable, sqlite3.DatabaseError):
            self._rebuild()

    def step(self, wait: float = WAIT_S) -> int:
        """Read and save one batch; returns by how much it came on.

        Raises:
            RegisterBehind: what was built anew is older than what is in service; that stays.
            Fault: the log cannot be read at present; nothing changed.
        """
        if not self._building and (self._folder / REBUILD_WANTED).exists():
            telemetry.warning("a reader met damage in the read model, building anew")
            self._rebuild()
        try:
            batch = self._read(wait)
        except LogTruncated as error:
            telemetry.warning("the state topic lost our position, building anew", detail=error.detail)
            self._rebuild()
            return 0
        position = self._writer.meta.position
        if batch.unchecked and not self._can_believe(batch):
            # Nobody's seal is known yet. What cannot be judged is not passed over: the key's record is on its way.
            time.sleep(_UNBELIEVED_PAUSE_S)
            return 0
        if batch.end > position or (not self._writer.meta.complete and self._caught_up(position)):
            try:
                self._apply(batch)
            except sqlite3.OperationalError:
                raise  # a full disk or a lock: the file itself is not in doubt
            except sqlite3.DatabaseError as error:
                telemetry.warning("the read model is damaged, building anew", detail=str(error))
                self._rebuild()
        return batch.end - position

    def close(self) -> None:
        self._stop_reading_ahead()
        self._writer.close()

    def _read(self, wait: float) -> Batch:
        """The next batch; with helpers that look at the ones after it while there is far to go."""
        position = self._writer.meta.position
        seals = {key.kid: key.jwk for key in self._keyring.known_keys() if key.purpose is Purpose.SEAL}
        enough = FAR if self._ahead is None else 1
        if self._writer.meta.complete or not seals or self._target - position < enough:
            self._stop_reading_ahead()
            return read_here(self._log, self._topic, position, BATCH, wait)
        if self._ahead is None:
            self._ahead = Ahead(self._log, self._topic, FAR_BATCH, self._helpers)
        batch = self._ahead.read(position, self._target, seals, wait)
        if all(self._seals(kid, at) for kid, at in batch.latest.items()):
            return batch
        return read_here(self._log, self._topic, position, FAR_BATCH, wait)  # each has to be judged by itself

    def _stop_reading_ahead(self) -> None:
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None

    def _apply(self, batch: Batch) -> None:
        believed, as_of = self._believed(batch)
        complete = self._writer.meta.complete or self._caught_up(batch.end)
        began = not self._writer.meta.complete and complete
        self._writer.apply(
            [row for row in believed if row.key != "heartbeat"],
            batch.end,
            as_of=self._as_of(as_of),
            seq=max([row.seq for row in believed], default=0),
            complete=complete,
        )
        # A crash before this line repeats the batch: the same revisions are then passed over.
        if began:
            self._refuse_to_go_back()
            self._writer.put_in_service()
            self._building = False
            with suppress(FileNotFoundError):
                (self._folder / REBUILD_WANTED).unlink()
            telemetry.info("read model complete", position=batch.end, file=self._writer.path.name)

    def _as_of(self, latest: datetime | None) -> str | None:
        """As of when the data is after a batch: not later than now by our own clock. What a clock that ran ahead has
        left in the file is forgotten: data that nobody renews would be taken for fresh until that day comes."""
        if latest is None:
            return None
        now, before = self._clock(), self._writer.meta.as_of
        latest = min(latest, now)
        return instant_text(max(latest, before) if before is not None and before <= now else latest)

    def _refuse_to_go_back(self) -> None:
        """Before a file is put in service.

        Raises:
            RegisterBehind: the one that is in service has entries that this one does not have.
        """
        model, built = ReadModel(self._folder), self._writer.meta
        try:
            held = model.meta()
        except Unreadable:
            return
        finally:
            model.close()
        if held.complete and (held.topic, held.genesis) == (built.topic, built.genesis) and held.seq > built.seq:
            self._writer.throw_away()
            raise RegisterBehind(
                f"the state topic ends at entry {built.seq}, this node has {held.seq}",
                hint="restore log and database to the last commit; if that is lost, delete the node's file",
            )

    def _tell_behind(self, behind: bool, seq: int) -> None:
        if behind and not self._behind:
            told = f"the register's last entry is {seq}, this node has {self._writer.meta.seq}"
            telemetry.error("the register is older than this node", code=RegisterBehind.slug, detail=told)
        self._behind = behind

    def _can_believe(self, batch: Batch) -> bool:
        """Whether a seal's key is known. At a register's beginning its first keys seal each other's records."""
        if not self._knows_a_seal():
            self._learn_keys_of(batch.unchecked)
        if not self._knows_a_seal():
            self._learn_keys(batch.end)
        return self._knows_a_seal()

    def _knows_a_seal(self) -> bool:
        return any(key.purpose is Purpose.SEAL for key in self._keyring.known_keys())

    def _learn_keys(self, position: int) -> None:
        """Take the keys out of the topic from a position on, ahead of everything else."""
        self._learned = True
        _, end = self._log.bounds(self._topic)
        while position < end and (records := self._log.read(self._topic, position, BATCH)):
            self._learn_keys_of(records)
            position = records[-1].position + 1

    def _learn_keys_of(self, records: Iterable[Record | Unchecked]) -> None:
        for record in records:
            if record.key.startswith("key/") and record.value:
                self._keyring.learn_key(record.value)

    def _caught_up(self, position: int) -> bool:
        """Everything is in that the topic held when we began, and that was something: an empty topic tells nothing."""
        return position >= self._target and self._keyring.has_genesis

    def _believed(self, batch: Batch) -> tuple[list[Filed], datetime | None]:
        """What is to be stored of the records whose seal holds, and when the latest of them was made."""
        found = batch.prepared.copy()
        latest = list(batch.latest.values())
        for record in batch.unchecked:
            if not record.value:
                continue  # ended certificates are states; a tombstone is nobody's word
            try:
                sealed = self._apply_in_turn(record)
            except CertmarkError as error:
                self._applied.labels("refused").inc()
                telemetry.warning("a state record is not believed", code=error.slug, position=record.position)
                continue
            if sealed.key != record.key:
                self._applied.labels("refused").inc()
                telemetry.warning("a state record stands under another's key", position=record.position)
                continue
            found.append(filed(sealed, record.value, open_sealed(record.value)))
            if sealed.key == "heartbeat":
                self._tell_behind(sealed.seq < self._writer.meta.seq, sealed.seq)
            if sealed.seq >= self._writer.meta.seq:
                latest.append(sealed.recorded_at)
        self._applied.labels("read").inc(len(found))
        return found, max(latest, default=None)

    def _apply_in_turn(self, record: Unchecked) -> SealedRecord:
        """While a file is built, compaction may have left a record's key behind it: what comes is then looked through
        for keys, once.

        Raises:
            Untrusted, Malformed: as `Keyring.apply`.
        """
        try:
            return self._keyring.apply(record.value)
        except Untrusted:
            if self._learned or self._writer.meta.complete:
                raise
            self._learn_keys(record.position)
            return self._keyring.apply(record.value)

    def _seals(self, kid: str, latest: datetime) -> bool:
        """Whether a key seals, and did until that instant."""
        try:
            self._keyring.seal_key(kid, latest)
        except CertmarkError:
            return False
        return True

    def _start(self) -> tuple[Keyring, int]:
        """The keys that the file proves, and the end that the topic has now."""
        self._learned = False  # whether what comes was looked through for keys
        keyring = Keyring(self._genesis)
        keyring.build(stored.sealed for kind in _TRUSTED_KINDS for stored in self._writer.records_under(kind))
        first, end = self._log.bounds(self._topic)
        position = self._writer.meta.position
        if not first <= position <= end:
            raise LogTruncated(f"the topic holds {first} to {end}, we have reached {position}")
        return keyring, end

    def _open_or_create(self) -> ModelWriter:
        """The file in service if it is of this register, else a new one."""
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            writer = ModelWriter.open(self._folder / (self._folder / LINK).readlink())
        except (OSError, Unreadable):
            return self._new_file(in_service=True)
        if (writer.meta.topic, writer.meta.genesis) == (self._topic.name, self._genesis):
            first, end = self._log.bounds(self._topic)
            if first <= writer.meta.position <= end:
                return writer
            writer.close()
            return self._new_file(in_service=False)
        # Another register's file must not answer for ours, not even while ours is being built.
        writer.close()
        return self._new_file(in_service=True)

    def _rebuild(self) -> None:
        self._stop_reading_ahead()
        self._building = True
        self._writer.close()
        self._writer = self._new_file(in_service=False)
        self._keyring, self._target = self._start()

    def _new_file(self, *, in_service: bool) -> ModelWriter:
        numbers = [int(path.stem.partition("-")[2]) for path in self._folder.glob("register-*.sqlite")]
        first, _ = self._log.bounds(self._topic)
        path = self._folder / f"register-{max(numbers, default=0) + 1}.sqlite"
        writer = ModelWriter.create(path, self._topic.name, self._genesis, first)
        if in_service:
            writer.put_in_service()  # incomplete: readers answer `status_unknown`, and a restart goes on with it
        return writer


def run(settings: Settings) -> None:
    """Follow the topic until the process is told to end; trouble with the log is waited out.

    Raises:
        NotConfigured: no genesis is pinned, or another projector holds the folder.
    """
    if not settings.genesis:
        raise NotConfigured("CERTMARK_GENESIS is empty: there is no first record to trust from")
    folder = settings.data / "verify"
    folder.mkdir(parents=True, exist_ok=True)
    topic = Topics.under(settings.topic_prefix).state
    with alone_in(folder):
        failures = 0
        while True:
            began = time.monotonic()
            try:
                _follow(settings, topic, folder)
            except RegisterBehind as error:
                telemetry.error(error.title, code=error.slug, detail=error.detail, hint=error.hint)
                time.sleep(_BEHIND_PAUSE_S)
            except (Fault, sqlite3.OperationalError) as error:
                failures = 0 if time.monotonic() - began > _PAUSES_S[-1] else failures + 1
                pause = _PAUSES_S[min(failures, len(_PAUSES_S) - 1)]
                code = error.slug if isinstance(error, Fault) else "read-model"
                telemetry.warning("cannot follow the log, trying again", code=code, detail=str(error), pause=pause)
                time.sleep(pause)


def _follow(settings: Settings, topic: Topic, folder: Path) -> None:
    log = open_log(settings)
    try:
        projector = Projector(log, topic, settings.genesis, folder)
        try:
            while True:
                projector.step()
        finally:
            projector.close()
    finally:
        log.close()


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Two projectors on one folder would write over each other.

    Raises:
        NotConfigured: another process holds the folder.
    """
    with (folder / "projector.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise NotConfigured(f"another projector is at work in {folder}") from None
        yield


def _end(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def main() -> None:
    signal.signal(signal.SIGTERM, _end)
    telemetry.log_as_json("verify-projector")
    rarely_collected()
    try:
        settings = settings_from()
        telemetry.serve_figures(settings.host, settings.figures_port)
        run(settings)
    except NotConfigured as error:
        telemetry.error("cannot start", code=error.slug, detail=error.detail)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
