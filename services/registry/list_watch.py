"""Checks the published lists every hour beside the work that makes them, and raises the alarm where they are wrong."""

import contextlib
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Self

from services import telemetry
from services.domain.errors import CertmarkError
from services.postgres import connect, database_url, transaction
from services.registry.list_check import check, published_at
from services.settings import Settings

FIRST = 60.0
EVERY = 3600.0
PATIENCE = 30.0
"""Seconds for which a difference may last: a list is on its way for less than one."""


class ListWatch:
    """A thread with a connection of its own; what it finds is a figure and a line in the log, and changes nothing."""

    def __init__(self, settings: Settings, base: str, clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._base = base
        self._clock = clock
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="list-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._end.set()
        self._thread.join(timeout=2)

    def _run(self) -> None:
        wait = FIRST
        while not self._end.wait(wait):
            wait = EVERY
            try:
                self.look()
            except CertmarkError as error:
                _CHECKS.labels("impossible").inc()
                telemetry.warning("the published lists cannot be checked", code=error.slug, detail=error.detail)

    def look(self) -> bool:
        """One check of everything; whether all is as it should be.

        Raises:
            NotPublished, DatabaseUnavailable: it could not be done.
        """
        deadline = time.monotonic() + PATIENCE

        def again() -> bool:
            return time.monotonic() < deadline and not self._end.wait(1.0)

        with contextlib.closing(connect(database_url(self._settings))) as connection, transaction(connection) as cur:
            report = check(cur, published_at(self._base), self._base, self._clock, again)
        _WRONG.set(len(report.wrong) + sum(report.strange.values()))
        _CHECKS.labels("good" if report.good else "wrong").inc()
        if not report.good:
            first = report.wrong[0] if report.wrong else None
            telemetry.error(
                "the published status lists are wrong",
                wrong=len(report.wrong),
                refused=report.refused,
                strange=report.strange,
                certificate=first.certificate_no if first else None,
                place=f"{first.list_id}/{first.index}" if first else None,
            )
        return report.good


_CHECKS = telemetry.counter("certmark_status_checks_total", "Checks of the published status lists", "outcome")
_WRONG = telemetry.gauge("certmark_status_places_wrong", "Places and voided codes that were wrong at the last check")
