"""The restricted topic: takes consumers' reports out, and forgets them in time; puts in what was done in cases."""

import contextlib
import sys
import time
from datetime import UTC, date, datetime, timedelta

from services import telemetry
from services.domain.errors import BadEvent, CertmarkError, Fault, LogTruncated, Malformed
from services.domain.identifiers import certificate_number, civil_day
from services.events.complaint_record import Complaint, read_complaint
from services.events.keys import PrivateKey, load_key
from services.events.log import Log, Record, Topics, open_log
from services.postgres import Connection, Cursor, connect, database_url, transaction
from services.registry import complaints_store as store
from services.registry.desk import restricted
from services.registry.process import run_until_stopped
from services.settings import Settings

BATCH = 100
WAIT_S = 1.0
FORGET_S = 3600.0
CLOCKS_DIFFER = timedelta(days=1)
"""How far a node's clock may be from the log's: by what a report says of its receipt it is forgotten, or never."""


class Complaints:
    """Follows the topic; a crash repeats a batch, and a number that is there already changes nothing.

    No line of its log says more than numbers: what people wrote stays in the table.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.topic = Topics.under(settings.topic_prefix).restricted
        self.stopping = False
        self._log: Log | None = None
        self._connection: Connection | None = None
        self._forget_due = 0.0
        self._seal: PrivateKey | None = None

    def run(self) -> None:
        while not self.stopping:
            try:
                if time.monotonic() >= self._forget_due:
                    self.forget(civil_day(datetime.now(UTC)))
                    self._forget_due = time.monotonic() + FORGET_S
                self.publish()
                self.step()
            except Fault as fault:
                telemetry.warning("reports have to wait", fault=type(fault).__name__, code=fault.slug)
                self.close()
                time.sleep(1.0)
        self.close()

    def step(self, wait: float = WAIT_S) -> int:
        """Take in one batch; how many records it had."""
        log = self._opened()
        with transaction(self._connected()) as cur:
            position = store.lock_position(cur)
        try:
            records = log.read(self.topic, position, BATCH, wait)
        except LogTruncated:
            first, _ = log.bounds(self.topic)
            telemetry.error("reports were lost: the topic no longer holds our position", position=position, first=first)
            self._move(position, first)
            return 0
        if not records:
            return 0
        with transaction(self._connected()) as cur:
            if store.lock_position(cur) != position:
                return 0  # another reader was faster
            for record in records:
                if not restricted.is_deed(record.key):
                    self._take(cur, record)
            # A crash before this line reads the batch again.
            store.save_position(cur, records[-1].position + 1)
        return len(records)

    def publish(self) -> int:
        """Append what was done in cases; how many deeds. Without the seal's key they wait."""
        if self._seal is None and self.settings.seal_key.exists():
            self._seal = load_key(self.settings.seal_key)
        if self._seal is None:
            return 0
        log = self._opened()
        with transaction(self._connected()) as cur:
            return restricted.publish(cur, log, self.topic, self._seal, BATCH)

    def forget(self, today: date) -> int:
        """Delete what was written in reports whose time is over; let the log do the same."""
        self._opened().expire(self.topic)
        with transaction(self._connected()) as cur:
            gone = store.forget_expired(cur, today)
        if gone:
            telemetry.info("reports forgotten", reports=gone)
        return gone

    def _take(self, cur: Cursor, record: Record) -> None:
        try:
            complaint = read_complaint(record.value)
            if abs(complaint.received_at - record.appended_at) > CLOCKS_DIFFER:
                raise BadEvent("received at another time than it was appended", pointer="/received_at")
        except Malformed as error:
            _TAKEN.labels("malformed").inc()
            telemetry.warning(
                "a record of the restricted topic is no report", code=error.slug, position=record.position
            )
            return
        saved = store.save(cur, complaint, record.value, complaint.region or _region(cur, complaint))
        _TAKEN.labels("saved" if saved else "again").inc()

    def _move(self, position: int, first: int) -> None:
        with transaction(self._connected()) as cur:
            if store.lock_position(cur) == position:
                store.save_position(cur, first)

    def _opened(self) -> Log:
        if self._log is None:
            self._log = open_log(self.settings)
            self._log.ensure((self.topic,))
        return self._log

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = connect(database_url(self.settings))
        return self._connection

    def close(self) -> None:
        for closing in (self._log, self._connection):
            if closing is not None:
                with contextlib.suppress(CertmarkError):
                    closing.close()
        self._log = self._connection = None


def _region(cur: Cursor, complaint: Complaint) -> str | None:
    """Where nobody said where it was bought, the district of the certificate's holder."""
    try:
        number = certificate_number((complaint.code or "").rpartition("/c/")[2])
    except Malformed:
        return None
    return store.region_of_certificate(cur, number)


_TAKEN = telemetry.counter("certmark_reports_total", "Consumers' reports taken from the log", "outcome")


def main() -> int:
    return run_until_stopped("complaints", Complaints)


if __name__ == "__main__":
    sys.exit(main())
