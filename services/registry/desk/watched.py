"""Watched checks at the desk: have one watched, and read what has changed in those that are."""

from dataclasses import dataclass
from datetime import datetime

import orjson
from flask import Blueprint, Response, g, request

from services.auth import Role
from services.domain.errors import CertmarkError
from services.postgres import Cursor
from services.registry import trail
from services.registry.checks import store, watches
from services.registry.checks.store import Job
from services.registry.desk.checks import Checks, holder_of
from services.registry.desk.room import Desk
from services.registry.rooms import go

LOOKS = 10
"""Looks on a page."""
SHOWN = 20
"""Changes of a look that are shown at once; the page of the look has all of them."""


@dataclass(frozen=True, slots=True)
class Told:
    """A look that found something, with its first changes."""

    look: Job
    count: int
    told_at: datetime
    findings: list[dict[str, object]]


class Watched:
    """For who may see a check: see `Checks`."""

    def __init__(self, desk: Desk, checks: Checks) -> None:
        self.desk = desk
        self.checks = checks

    def add_to(self, pages: Blueprint) -> None:
        pages.add_url_rule("/checks/<job_id>/watch", "watch", self.watch, methods=["POST"], strict_slashes=False)
        pages.add_url_rule("/changes", "changes", self.changes, methods=["GET"], strict_slashes=False)

    def watch(self, job_id: str) -> Response:
        """Begin, renew or end the watch of a check."""
        job, by = self.checks.own(job_id), self.desk.require(Role.INSPECTOR, Role.REGULATOR)
        ending = request.form.get("do") == "end"

        def deed(cur: Cursor) -> None:
            if ending:
                watches.end(cur, job)
            else:
                watches.begin(cur, job, watches.DAYS)
            act = "watch-ended" if ending else "watch-begun"
            trail.record(cur, g.now, by.name, act, f"check/{watches.first_of(job)}")

        try:
            self.desk.read(deed)
        except CertmarkError as problem:
            if problem.status >= 500:
                raise
            return self.checks.page(job, problem)
        return go(self.desk.frame().link(f"/checks/{job_id}"))

    def changes(self) -> Response:
        """What has changed, look by look, the newest first; and which checks are watched."""
        by, frame = self.desk.require(Role.INSPECTOR, Role.REGULATOR), self.desk.frame()
        holder = None if by.role is Role.REGULATOR else holder_of(by)
        asked = request.args.get("before", "")
        before = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 16 else None

        def look(cur: Cursor) -> tuple[list[tuple[Told, int]], list[tuple[Job, watches.Watch]]]:
            told = [(_told(cur, job), last) for job, last in watches.looks_before(cur, holder, before, LOOKS)]
            return told, watches.active_of(cur, holder) if before is None else []

        found, watched = self.desk.read(look)
        return self.desk.show(
            "changes",
            "checks",
            frame.say("changes"),
            frame,
            found=[told for told, _ in found],
            watched=watched,
            next=frame.link("/changes", before=found[-1][1]) if len(found) == LOOKS else "",
        )


def _told(cur: Cursor, look: Job) -> Told:
    lines = store.findings_after(cur, look.id, -1, SHOWN)
    assert look.finished_at is not None
    return Told(look, look.total or 0, look.finished_at, [orjson.loads(line) for _, line in lines])
