"""Consumers' reports at the desk: what came from one's own territory, what was written, and how it ended."""

from typing import Any

from flask import Blueprint, Response, g, request

from services.auth import Role
from services.domain.case import CaseRefused, ComplaintJoined
from services.domain.complaints import OUTCOMES, Outcome
from services.domain.division import within
from services.domain.errors import BadRequest, CertmarkError, NotFound
from services.domain.identifiers import civil_day
from services.events.complaint_record import read_complaint
from services.postgres import Cursor
from services.registry import complaints_store as store
from services.registry import trail
from services.registry.complaints_api import AlreadyDecided
from services.registry.complaints_store import StoredComplaint
from services.registry.desk import case_store
from services.registry.desk.accounts import Account
from services.registry.desk.room import Desk
from services.registry.rooms import go

PAGE = 50
_LONGEST_NOTE = 500
_SHOWN = ("product", "code", "answer", "where_kind", "where", "link", "text", "contact")


class Reports:
    """Pages for inspectors, who see what was bought in their division, and regulators, who see all."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def add_to(self, pages: Blueprint) -> None:
        for rule, view, methods in (
            ("/reports", self.reports, ("GET",)),
            ("/reports/<no>", self.report, ("GET",)),
            ("/reports/<no>/outcome", self.decide, ("POST",)),
            ("/reports/<no>/case", self.join, ("POST",)),
        ):
            pages.add_url_rule(rule, view.__name__, view, methods=list(methods), strict_slashes=False)

    def _officer(self) -> Account:
        return self.desk.require(Role.INSPECTOR, Role.REGULATOR)

    def _own(self, by: Account, no: str) -> StoredComplaint:
        """Raises NotFound: no such report, or not this account's to see."""
        found = self.desk.read(lambda cur: store.one(cur, no))
        if found is None or not by.may_see(found.region):
            raise NotFound("no such report, or it is not yours")
        return found

    def reports(self) -> Response:
        by, frame, day = self._officer(), self.desk.frame(), civil_day(g.now)
        after = request.args.get("after", "")[:64].replace("\0", "")
        only_open = request.args.get("which", "open") != "all"
        prefix = "" if by.role is Role.REGULATOR else within(by.division)

        def look(cur: Cursor) -> list[StoredComplaint]:
            return store.page(cur, prefix, after, PAGE, only_open=only_open)

        found = self.desk.read(look)
        return self.desk.show(
            "reports",
            "reports",
            frame.say("reports"),
            frame,
            found=found,
            day=day,
            which="open" if only_open else "all",
            whiches=[("open", frame.say("reports_open")), ("all", frame.say("cases_all"))],
            next=frame.link("/reports", which="" if only_open else "all", after=found[-1].no)
            if len(found) == PAGE
            else "",
        )

    def report(self, no: str) -> Response:
        return self._page(no)

    def _page(self, no: str, problem: CertmarkError | None = None) -> Response:
        by, frame, day = self._officer(), self.desk.frame(), civil_day(g.now)
        found = self._own(by, no)
        written = read_complaint(found.content) if found.content is not None else None
        cases = self.desk.read(lambda cur: case_store.cases_joined_by(cur, by, no))
        words = "" if problem is None else problem.title if frame.language == "en" else problem.zh
        response = self.desk.show(
            "report",
            "reports",
            f"{frame.say('report')} {no}",
            frame,
            found=found,
            day=day,
            content=[(frame.say(f"report_{n}"), getattr(written, n)) for n in _SHOWN] if written else [],
            outcomes=[(o.value, OUTCOMES[o][1 if frame.language == "en" else 0]) for o in Outcome],
            outcome=OUTCOMES[Outcome(found.outcome)][1 if frame.language == "en" else 0] if found.outcome else "",
            cases=cases,
            problem=words,
            detail=problem.detail if problem else "",
        )
        response.status_code = problem.status if problem else 200
        return response

    def decide(self, no: str) -> Response:
        """Record how a report ended; the reporter reads it. Written once."""
        by, day = self._officer(), civil_day(g.now)
        self._own(by, no)
        note = request.form.get("note", "").strip().replace("\0", "").replace("\n", " ")[:_LONGEST_NOTE] or None

        def deed(cur: Cursor) -> None:
            try:
                outcome = Outcome(request.form.get("outcome", ""))
            except ValueError:
                raise BadRequest("no such outcome", pointer="/outcome") from None
            if not store.decide(cur, no, outcome, note, by.name, day):
                raise AlreadyDecided(f"{no} has an outcome")
            trail.record(cur, g.now, by.name, "report-decided", f"report/{no}", outcome=outcome.value)

        return self._done(no, deed)

    def join(self, no: str) -> Response:
        """Let a report join a case."""
        by = self._officer()
        self._own(by, no)

        def deed(cur: Cursor) -> None:
            case_no = request.form.get("case_no", "").strip()
            case_store.record(cur, by, case_no, [ComplaintJoined(no)], g.now)

        return self._done(no, deed)

    def _done(self, no: str, deed: Any) -> Response:
        try:
            self.desk.read(deed)
        except (BadRequest, CaseRefused, AlreadyDecided, NotFound) as problem:
            return self._page(no, problem)
        return go(self.desk.frame().link(f"/reports/{no}"))
