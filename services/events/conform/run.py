"""A whole run: every case against a system, or against a body's own client, and the report of it."""

import platform
import secrets
import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from importlib.metadata import version

from services.domain.errors import BadRequest
from services.events.client import Service
from services.events.conform.cases import CASES
from services.events.conform.command import Command
from services.events.conform.examine import examine
from services.events.conform.outcome import Outcome, Titled
from services.events.conform.play import Player
from services.events.conform.producer_cases import BEHAVIOURS
from services.events.conform.report import Report, report_of
from services.events.conform.ways import way_to
from services.events.keys import PrivateKey
from services.scratch import scratch_folder
from services.settings import Settings

Clock = Callable[[], datetime]
Progress = Callable[[int], None]


def chosen(only: Sequence[str], among: Sequence[Titled] = CASES) -> list[str]:
    """The ids of the cases that begin with one of some words; all where there is none. A system's, or `CLIENT_CASES`.

    Raises:
        BadRequest: no case begins so.
    """
    found = [case.id for case in among if not only or case.id.startswith(tuple(only))]
    if not found:
        raise BadRequest(f"no case begins with {' or '.join(only)}", hint="docs/conform.md lists them")
    return found


def against_system(
    settings: Settings,
    to: str,
    registry: str,
    keys: Mapping[str, PrivateKey],
    ids: Sequence[str],
    clock: Clock,
    progress: Progress,
) -> Report:
    """Play the cases with these ids. `to` is the events service, kafka://… or postgresql://….

    Raises:
        BadRequest, NotConfigured: an address cannot be read. Unreachable: the system does not answer, or decide.
    """
    begun = clock()
    over_http = to.startswith("http")
    events = Service(to if over_http else settings.service_url("events"))
    with closing(events), closing(Service(registry)) as asked, closing(way_to(to, settings)) as way:
        versions = _versions({"registry": asked} | ({"events": events} if over_http else {}))
        player = Player(way, events, asked, f"{secrets.randbelow(10**8):08}", clock)
        player.meet(keys)
        outcomes: list[Outcome] = []
        for index, case in enumerate(CASES):
            if case.id in ids:
                outcomes.append(player.play(case, index))
                progress(1)
    about = {"events": to if over_http else to.partition("://")[0], "registry": registry}
    return report_of("system", about, versions, (begun, clock()), outcomes)


def against_client(command: str, ids: Sequence[str], clock: Clock, progress: Progress) -> Report:
    """Put a body's own client through cases of behaviour, and look at the form of all that it posts in them.

    Nothing else has to run: the services are played for it.

    Raises:
        BadRequest: the command cannot be read.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise BadRequest(f"the command cannot be read: {error}") from None
    if not words:
        raise BadRequest("the command is empty")
    begun = clock()
    client = Command(words)
    with scratch_folder() as folder:
        try:
            played = [case for case in BEHAVIOURS if case.id in ids]
            outcomes = list(examine(client, folder, clock, progress, played))
        finally:
            client.forget()
    return report_of("producer", {"command": command}, _versions({}), (begun, clock()), outcomes)


CLIENT_CASES = BEHAVIOURS


def _versions(services: Mapping[str, Service]) -> dict[str, str]:
    told = {
        name: str(service.get("/openapi.json").get("info", {}).get("version")) for name, service in services.items()
    }
    return {"certmark": version("certmark"), "python": platform.python_version(), **told}
