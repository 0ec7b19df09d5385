"""How each background process of the registry runs: until it is told to stop, or until a person must look."""

import signal
from collections.abc import Callable
from types import FrameType
from typing import Protocol

from services import telemetry
from services.domain.errors import CertmarkError
from services.settings import Settings, settings_from


class Runs(Protocol):
    """Works until `stopping` is set; what it raises is for a person to look at."""

    stopping: bool

    def run(self) -> None: ...


def run_until_stopped(name: str, make: Callable[[Settings], Runs]) -> int:
    """Run one under this name until SIGTERM or SIGINT; 1 where a person must look."""
    telemetry.log_as_json(f"registry-{name}")
    try:
        process = make(settings_from())

        def stop(signum: int, frame: FrameType | None) -> None:
            process.stopping = True

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        process.run()
    except CertmarkError as error:
        telemetry.error(f"{name} stopped", slug=error.slug, detail=error.detail, hint=error.hint)
        return 1
    return 0
