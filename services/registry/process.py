"""How each background process of the registry runs: until it is told to stop, or until a person must look."""

import contextlib
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Protocol

from services import telemetry
from services.domain.errors import CertmarkError, Fault, LogMisconfigured, NotConfigured
from services.postgres import Connection, connect, database_url, wait_for_notify
from services.settings import Settings, settings_from


class Runs(Protocol):
    """Works until `stopping` is set; what it raises is for a person to look at."""

    stopping: bool

    def run(self) -> None: ...


class Steps(Protocol):
    """Work in steps, each of which a crash repeats or leaves undone as a whole."""

    stopping: bool

    def step(self) -> int:
        """Do what is next; 0 where there was nothing to do."""

    def wait(self) -> None:
        """Until there may be something to do."""

    def drop(self) -> None:
        """Forget every connection; the next step makes new ones."""


def run_until_stopped(name: str, make: Callable[[Settings], Runs]) -> int:
    """Run one under this name until SIGTERM or SIGINT; 1 where a person must look."""
    telemetry.log_as_json(f"registry-{name}")
    try:
        settings = settings_from()
        process = make(settings)

        def stop(signum: int, frame: FrameType | None) -> None:
            process.stopping = True

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        telemetry.serve_figures(settings.host, settings.figures_port)
        process.run()
    except CertmarkError as error:
        telemetry.error(f"{name} stopped", slug=error.slug, detail=error.detail, hint=error.hint)
        return 1
    return 0


def step_by_step(name: str, process: Steps, *, pause: float = 0.2, final: tuple[type[CertmarkError], ...] = ()) -> None:
    """Step after step until told to stop. A fault is waited out: nothing was committed, so the same step comes again.

    Raises:
        NotConfigured, LogMisconfigured, and what is `final` besides: a person must look, waiting would not mend it.
    """
    for_a_person: tuple[type[CertmarkError], ...] = (NotConfigured, LogMisconfigured, *final)
    while not process.stopping:
        try:
            if not process.step() and not process.stopping:
                process.wait()
        except for_a_person:
            raise
        except Fault as fault:
            telemetry.warning(f"{name}: fault, trying again", fault=type(fault).__name__, detail=fault.detail)
            process.drop()
            time.sleep(pause)
    process.drop()


class Connections:
    """What such a process needs of the database: a connection to work on, and another one that hears of news."""

    def __init__(self, settings: Settings, channel: str) -> None:
        self._settings = settings
        self._channel = channel
        self._working: Connection | None = None
        self._listening: Connection | None = None

    def working(self) -> Connection:
        if self._working is None or self._working.closed:
            self._working = connect(database_url(self._settings))
        return self._working

    def wait(self, seconds: float) -> None:
        """Until something is told on the channel, or the time is up."""
        if self._listening is None or self._listening.closed:
            self._listening = connect(database_url(self._settings), autocommit=True)
            with self._listening.cursor() as cur:
                cur.execute(f"LISTEN {self._channel}")
            return  # what came before we listened is found by looking once more
        wait_for_notify(self._listening, seconds)

    def drop(self) -> None:
        for closing in (self._working, self._listening):
            if closing is not None:
                with contextlib.suppress(CertmarkError):
                    closing.close()
        self._working = self._listening = None
