"""The desk's addresses, group by group."""

from flask import Blueprint, Response

from services.registry.desk.administration import Administration
from services.registry.desk.cases import Cases
from services.registry.desk.checks import Checks
from services.registry.desk.reports import Reports
from services.registry.desk.room import Desk, Reads
from services.registry.desk.rulebook import Rules
from services.registry.desk.sign_in import SignIn
from services.registry.desk.watched import Watched
from services.registry.rooms import go
from services.settings import Settings


def blueprint(settings: Settings, read: Reads) -> Blueprint:
    """The pages below `/desk`. They are no interface for programs, and so not in the OpenAPI document."""
    desk = Desk(settings, read)
    pages = desk.blueprint()

    def start() -> Response:
        """On to the first section of whoever is inside."""
        frame = desk.frame()
        return go(frame.link(f"/{frame.sections[0]}"))

    pages.add_url_rule("/", "start", start, strict_slashes=False)
    checks = Checks(desk)
    for group in (
        SignIn(desk),
        checks,
        Watched(desk, checks),
        Cases(desk),
        Reports(desk),
        Rules(desk),
        Administration(desk),
    ):
        group.add_to(pages)
    return pages
