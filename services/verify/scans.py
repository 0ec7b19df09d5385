"""A node's counting process: counts look-ups of units' codes, tells the other nodes, and adds up what they tell."""

import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from types import FrameType

from services import telemetry
from services.domain.errors import CertmarkError, Fault, LogTruncated
from services.domain.identifiers import civil_day
from services.events.log import Log, Topic, Topics, open_log
from services.settings import Settings, settings_from
from services.verify.districts import Address, Districts
from services.verify.scan_counts import Counter, read_counts
from services.verify.scan_socket import ScanReceiver
from services.verify.scan_store import ScanWriter

PUBLISH_S = 30.0
"""Seconds between two publications of a process's counts."""
READ_S = 5.0
"""Seconds between two looks at what all nodes have published."""
EXPIRE_S = 3600.0
BATCH = 500
_PAUSE_S = 5.0


class Scans:
    """One node's counts. A crash loses what was counted since the last publication, half a minute at most; it never
    counts anything twice."""

    def __init__(self, log: Log, topic: Topic, folder: Path, districts: Districts, now: float) -> None:
        self._log = log
        self._topic = topic
        self._districts = districts
        self.counter = Counter(now)
        self._writer = ScanWriter(folder, topic.name, log.bounds(topic)[0])

    def count(self, code: str, address: Address, today: date, now: float) -> bool:
        """Count a look-up from an address, of which nothing is kept but the district."""
        counted = self.counter.add(code, address.packed, self._districts.of(address), today, now)
        _COUNTED.labels("counted" if counted else "again").inc()
        return counted

    def publish(self, today: date) -> int:
        """Append what has changed; how many records. A failed append is tried again with the same counts."""
        records = self.counter.unpublished()
        self._log.append(self._topic, records)
        # A crash or a fault before this line publishes the same counts again: readers keep the highest.
        self.counter.published(today)
        return len(records)

    def read(self, today: date) -> int:
        """Add up what the nodes have published since the last look; how many records."""
        done = 0
        while True:
            try:
                records = self._log.read(self._topic, self._writer.position, BATCH)
            except LogTruncated:
                # What is gone had expired, or soon would: go on with what there is.
                self._writer.apply((), self._log.bounds(self._topic)[0])
                continue
            if not records:
                return done
            self._writer.apply(
                [one for record in records for one in read_counts(record.value, today)], records[-1].position + 1
            )
            done += len(records)

    def expire(self, today: date) -> int:
        return self._writer.expire(today)

    def close(self) -> None:
        self._writer.close()


_COUNTED = telemetry.counter("certmark_unit_lookups_total", "Look-ups of units' codes", "outcome")


def run(settings: Settings, stopping: Callable[[], bool]) -> None:
    """Count until told to stop; trouble with the log is waited out, and counting goes on meanwhile.

    Raises:
        NotConfigured: the table of districts cannot be used.
    """
    districts = Districts.in_file(settings.districts_file)
    topic, folder = Topics.under(settings.topic_prefix).scans, settings.data / "verify"
    receiver = ScanReceiver(folder)
    districts.described(settings.districts_file).tell(folder)
    try:
        while not stopping():
            try:
                _follow(settings, topic, folder, districts, receiver, stopping)
            except Fault as fault:
                telemetry.warning("cannot count at present, trying again", code=fault.slug, detail=fault.detail)
                time.sleep(_PAUSE_S)
    finally:
        receiver.close()


def _follow(
    settings: Settings,
    topic: Topic,
    folder: Path,
    districts: Districts,
    receiver: ScanReceiver,
    stopping: Callable[[], bool],
) -> None:
    log = open_log(settings)
    try:
        scans = Scans(log, topic, folder, districts, time.monotonic())
        turns: dict[Callable[[date], int], tuple[float, float]] = {
            scans.publish: (PUBLISH_S, time.monotonic() + PUBLISH_S),
            scans.read: (READ_S, 0.0),
            scans.expire: (EXPIRE_S, 0.0),
        }
        while not stopping():
            today = civil_day(datetime.now(UTC))
            for work, (every, due) in turns.items():
                if time.monotonic() >= due:
                    turns[work] = (every, time.monotonic() + every)
                    _tried(work, today)
            told = receiver.receive(min(1.0, max(0.0, min(due for _, due in turns.values()) - time.monotonic())))
            if told is not None:
                scans.count(*told, today, time.monotonic())
        today = civil_day(datetime.now(UTC))
        for told in receiver.rest():
            scans.count(*told, today, time.monotonic())
        _tried(scans.publish, today)
        scans.close()
    finally:
        log.close()


def _tried(work: Callable[[date], int], today: date) -> None:
    """Do one turn; what fails is tried at the next, with what was counted in between."""
    try:
        work(today)
    except Fault as fault:
        telemetry.warning("the log is away, counts wait", code=fault.slug, detail=fault.detail)


def main() -> int:
    """Run until SIGTERM or SIGINT; 2 where the settings cannot be used."""
    telemetry.log_as_json("verify-scans")
    stopped: list[int] = []

    def stop(signum: int, frame: FrameType | None) -> None:
        stopped.append(signum)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        settings = settings_from()
        telemetry.serve_figures(settings.host, settings.figures_port)
        run(settings, lambda: bool(stopped))
    except CertmarkError as error:
        telemetry.error("cannot start", code=error.slug, detail=error.detail)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
