"""The pages of cases: the list, one case with what can be done in it, one finding with claimed beside registered."""

import uuid
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from flask import Blueprint, Response, g, request

from services.auth import Role
from services.chart import Bar, bar_chart
from services.domain.calendar import Calendars, add_working_days
from services.domain.case import (
    HEARING_WORKING_DAYS,
    ORDER_WORKING_DAYS,
    STEPS,
    WORKING_DAYS,
    Asked,
    Case,
    CaseRefused,
    Closed,
    ComplaintJoined,
    Decided,
    Decision,
    Deed,
    Heard,
    Lapsed,
    OrderAnswered,
    OrderIssued,
    Published,
    ReferralAcknowledged,
    Referred,
    Reopened,
    Step,
    StepBegun,
    StepDone,
    StepSkipped,
    in_charge,
    late_on,
)
from services.domain.division import is_division
from services.domain.errors import BadRequest, NotFound
from services.domain.identifiers import civil_day, normalised
from services.postgres import Cursor
from services.registry import store
from services.registry.desk import case_sheet, case_store, steps
from services.registry.desk.accounts import Account
from services.registry.desk.captures import captures_of
from services.registry.desk.case_store import Evidence
from services.registry.desk.deeds import to_json
from services.registry.desk.framed import framed
from services.registry.desk.room import Desk, Frame
from services.registry.desk.rulebook import RULE_WORDS, field_word
from services.registry.rooms import attached, go

PAGE = 50
WHICH = ("open", "late", "closed", "all")
GROUPED = ("seller", "certificate", "image")
_LONGEST_TEXT = 2000
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class Cases:
    """Pages for inspectors, who see the cases of their own division, and regulators, who see all."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.captures = captures_of(desk.settings)

    def add_to(self, pages: Blueprint) -> None:
        for rule, view, methods in (
            ("/cases", self.cases, ("GET",)),
            ("/cases/<case_no>", self.case, ("GET",)),
            ("/cases/<case_no>/do/<act>", self.do, ("POST",)),
            ("/cases/<case_no>/findings/<check>/<row>", self.finding, ("GET",)),
            ("/cases/<case_no>/findings/<check>/<row>/picture.png", self.picture, ("GET",)),
            ("/cases/<case_no>/captures", self.capture, ("POST",)),
            ("/cases/<case_no>/captures/<capture>", self.captured, ("GET",)),
            ("/cases/<case_no>/case.xlsx", self.sheet, ("GET",)),
            ("/cases/<case_no>/receipts/<receipt_no>.xlsx", self.receipt, ("GET",)),
        ):
            pages.add_url_rule(rule, view.__name__, view, methods=list(methods), strict_slashes=False)

    def _officer(self) -> Account:
        return self.desk.require(Role.INSPECTOR, Role.REGULATOR)

    # --- looking -------------------------------------------------------------------------------------------------

    def cases(self) -> Response:
        by, frame, day = self._officer(), self.desk.frame(), civil_day(g.now)
        which = request.args.get("which", "open")
        which = which if which in WHICH else "open"
        after = request.args.get("after") or None

        def look(cur: Cursor) -> tuple[list[case_store.Row], dict[str, int]]:
            found = case_store.cases_for(cur, by, which=which, day=day, after=after, limit=PAGE)
            return found, case_store.counts_for(cur, by, day)

        found, counts = self.desk.read(look)
        bars = [Bar(frame.say(f"step_{step}"), counts.get(f"step:{step}", 0)) for step in STEPS]
        return self.desk.show(
            "cases",
            "cases",
            frame.say("cases"),
            frame,
            found=found,
            day=day,
            counts=counts,
            which=which,
            whiches=[(name, frame.say(f"cases_{name}")) for name in WHICH],
            chart=bar_chart(bars, frame.say("chart_steps"), frame.say("chart_steps_about")),
            bars=bars,
            next=frame.link("/cases", which=which, after=found[-1].case_no) if len(found) == PAGE else "",
        )

    def case(self, case_no: str) -> Response:
        return self._case_page(case_no)

    def _case_page(self, case_no: str, problem: CaseRefused | BadRequest | None = None) -> Response:
        by, frame, day = self._officer(), self.desk.frame(), civil_day(g.now)

        def look(cur: Cursor) -> tuple[Any, ...]:
            case = case_store.case_of(cur, by, case_no)
            return (
                case,
                case_store.deeds_of(cur, case_no),
                case_store.evidence_of(cur, case_no),
                self.captures.of_case(cur, case_no),
                store.calendars(cur),
            )

        case, deeds, evidence, captures, calendars = self.desk.read(look)
        due, assumed = _due_days(case, day, calendars)
        grouped = request.args.get("by", "seller")
        grouped = grouped if grouped in GROUPED else "seller"
        show = request.args.get("show", "")
        show = show if show in tuple(Decision) else ""
        response = self.desk.show(
            "case",
            "cases",
            f"{case.case_no} {case.title}",
            frame,
            case=case,
            day=day,
            strip=steps.strip(case, day, frame),
            stages=steps.rows(case, day, frame),
            late=late_on(case, day),
            charge=in_charge(case, day),
            groups=_groups(case, evidence, grouped, show, frame),
            grouped=grouped,
            groupings=[(name, frame.say(f"by_{name}")) for name in GROUPED],
            show=show,
            shows=[("", frame.say("all_findings")), *((d.value, frame.say(f"decision_{d}")) for d in Decision)],
            counts={d.value: sum(f.decision is d for f in case.findings) for d in Decision},
            sellers=sorted({finding.seller for finding in case.findings}),
            due=due,
            assumed=assumed,
            captures=captures,
            kinds=[(kind, frame.say(f"capture_{kind}")) for kind in ("screenshot", "page", "recording", "other")],
            deeds=[(one, to_json(one.deed)) for one in reversed(deeds)],
            first_open=next((f.id for f in case.findings if f.decision is Decision.OPEN), ""),
            problem=(problem.title if frame.language == "en" else problem.zh) if problem else "",
            detail=problem.detail if problem else "",
            hint=problem.hint if problem else "",
        )
        response.status_code = problem.status if problem else 200
        return response

    def finding(self, case_no: str, check: str, row: str) -> Response:
        by, frame = self._officer(), self.desk.frame()
        id_ = f"{check}/{row}"

        def look(cur: Cursor) -> tuple[Any, ...]:
            case = case_store.case_of(cur, by, case_no)
            return case, case_store.evidence_of(cur, case_no, [id_]).get(id_), self.captures.of_case(cur, case_no)

        case, evidence, captures = self.desk.read(look)
        finding = case.finding(id_)
        if finding is None or evidence is None:
            raise NotFound("no such finding in this case")
        ids = [one.id for one in case.findings]
        place = ids.index(id_)
        undecided = [one.id for one in case.findings if one.decision is Decision.OPEN and one.id != id_]
        return self.desk.show(
            "finding",
            "cases",
            f"{frame.say('finding')} {evidence.listing.get('row') or finding.row}",
            frame,
            case=case,
            finding=finding,
            evidence=evidence,
            beside=[(field_word(name, frame.language), *row) for name, *row in beside(evidence)],
            word=lambda name: field_word(name, frame.language),
            rules=[
                (rule, RULE_WORDS[rule][frame.words]) for rule in evidence.told.get("rules") or () if rule in RULE_WORDS
            ],
            hearing=case.hearing(finding.seller),
            captures=[one for one in captures if one.finding in (None, id_)],
            decisions=[(d.value, frame.say(f"decision_{d}")) for d in Decision],
            before=ids[place - 1] if place else "",
            after=ids[place + 1] if place + 1 < len(ids) else "",
            open_next=undecided[0] if undecided else "",
            place=place + 1,
        )

    def picture(self, case_no: str, check: str, row: str) -> Response:
        """The listing's picture with its codes framed; made anew each time from the bytes that were kept."""
        by, id_ = self._officer(), f"{check}/{row}"

        def look(cur: Cursor) -> Evidence | None:
            case_store.case_of(cur, by, case_no)
            return case_store.evidence_of(cur, case_no, [id_]).get(id_)

        evidence = self.desk.read(look)
        if evidence is None or evidence.image_hash is None:
            raise NotFound("no picture of this finding was kept")
        return Response(framed(self.captures.kept(evidence.image_hash)), content_type="image/png")

    # --- doing ---------------------------------------------------------------------------------------------------

    def do(self, case_no: str, act: str) -> Response:
        """One deed, from the form that names it; back to the page that it was done on."""
        by = self._officer()
        make = DEEDS.get(act)
        if make is None:
            raise NotFound("nothing of this name can be done in a case")
        try:
            deed = make(_Form(request.form, civil_day(g.now)))
            self.desk.read(lambda cur: case_store.record(cur, by, case_no, [deed], g.now))
        except (CaseRefused, BadRequest) as problem:
            return self._case_page(case_no, problem)
        frame = self.desk.frame()
        if act == "decide":
            next_ = request.form.get("next", "")
            if next_ and request.form.get("onward"):
                return go(frame.link(f"/cases/{case_no}/findings/{next_}"))
            if request.form.get("onward") is not None or next_:
                return go(frame.link(f"/cases/{case_no}/findings/{request.form.get('finding', '')}"))
        return go(frame.link(f"/cases/{case_no}") + f"#{ANCHOR.get(act, 'main')}")

    def capture(self, case_no: str) -> Response:
        by = self._officer()
        file = request.files.get("file")
        if file is None or not file.filename:
            return self._case_page(case_no, BadRequest("no file was chosen", pointer="/file"))
        try:
            form = _Form(request.form, civil_day(g.now))
            self.desk.read(lambda cur: case_store.case_of(cur, by, case_no))
            self.captures.take_in(self.desk.read, by, case_no, file, form.fields, g.now)
        except BadRequest as problem:
            return self._case_page(case_no, problem)
        return go(self.desk.frame().link(f"/cases/{case_no}") + "#captures")

    def captured(self, case_no: str, capture: str) -> Response:
        """A capture as it was handed in: to keep, never opened in our own pages."""
        by = self._officer()
        try:
            id_ = uuid.UUID(capture)
        except ValueError:
            raise NotFound("no such capture") from None

        def look(cur: Cursor) -> Any:
            case_store.case_of(cur, by, case_no)
            return self.captures.one(cur, case_no, id_)

        found = self.desk.read(look)
        if found is None:
            raise NotFound("no such capture in this case")
        response = attached(self.captures.kept(found.sha256), "application/octet-stream", found.name, "capture.bin")
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    def sheet(self, case_no: str) -> Response:
        """The case as a workbook: findings, deeds, captures."""
        by, frame = self._officer(), self.desk.frame()

        def look(cur: Cursor) -> tuple[Any, ...]:
            case = case_store.case_of(cur, by, case_no)
            evidence = case_store.evidence_of(cur, case_no)
            return case, case_store.deeds_of(cur, case_no), evidence, self.captures.of_case(cur, case_no)

        case, deeds, evidence, captures = self.desk.read(look)
        return attached(case_sheet.of_case(case, deeds, evidence, captures, frame), _XLSX, f"{case_no}.xlsx")

    def receipt(self, case_no: str, receipt_no: str) -> Response:
        """The receipt of a referral (移送) as a workbook."""
        by, frame = self._officer(), self.desk.frame()
        case = self.desk.read(lambda cur: case_store.case_of(cur, by, case_no))
        referral = next((one for one in case.referrals if one.receipt_no == receipt_no), None)
        if referral is None:
            raise NotFound("no referral under this receipt")
        return attached(case_sheet.of_referral(case, referral, frame), _XLSX, f"{receipt_no}.xlsx")


# --- forms ---------------------------------------------------------------------------------------------------------


class _Form:
    """The fields of a form, as a deed asks for them."""

    def __init__(self, fields: Mapping[str, str], day: date) -> None:
        self.fields = fields
        self.day = day

    def text(self, name: str, *, needed: bool = True) -> str:
        """Raises BadRequest where it is missing or too long."""
        found = self.fields.get(name, "").strip().replace("\r\n", "\n").replace("\0", "")
        if needed and not found:
            raise BadRequest(f"{name} is empty", pointer=f"/{name}")
        if len(found) > _LONGEST_TEXT:
            raise BadRequest(f"{name} has more than {_LONGEST_TEXT} characters", pointer=f"/{name}")
        return found

    def on(self, name: str) -> date:
        """A civil day. Raises BadRequest."""
        try:
            return date.fromisoformat(self.text(name))
        except ValueError:
            raise BadRequest(f"{name} is no day (YYYY-MM-DD)", pointer=f"/{name}") from None

    def past(self, name: str) -> date:
        """A civil day that is not ahead. Raises BadRequest."""
        found = self.on(name)
        if found > self.day:
            raise BadRequest(f"{name} lies ahead", pointer=f"/{name}")
        return found

    def step(self) -> Step:
        try:
            return Step(self.text("step"))
        except ValueError:
            raise BadRequest("no such step", pointer="/step") from None

    def decision(self) -> Decision:
        try:
            return Decision(self.text("decision"))
        except ValueError:
            raise BadRequest("no such decision", pointer="/decision") from None

    def division(self, name: str) -> str:
        found = self.text(name)
        if not is_division(found):
            raise BadRequest("a division has six digits (GB/T 2260)", pointer=f"/{name}")
        return found


DEEDS: dict[str, Callable[[_Form], Deed]] = {
    "ask": lambda form: Asked(form.text("seller"), form.on("due_on")),
    "hear": lambda form: Heard(form.text("seller"), form.past("on"), form.text("summary")),
    "lapse": lambda form: Lapsed(form.text("seller"), form.day),
    "decide": lambda form: Decided(form.text("finding"), form.decision(), form.text("note", needed=False)),
    "begin": lambda form: StepBegun(form.step(), form.division("division"), form.day, form.on("due_on")),
    "done": lambda form: StepDone(form.step(), form.day, form.text("result")),
    "skip": lambda form: StepSkipped(form.step(), form.day, form.text("reason")),
    "order": lambda form: OrderIssued(
        form.text("order_no"),
        form.text("body"),
        form.text("certificate_no"),
        form.text("demand"),
        form.day,
        form.on("due_on"),
    ),
    "answer": lambda form: OrderAnswered(form.text("order_no"), form.past("on"), form.text("answer")),
    "refer": lambda form: Referred(
        form.division("to_division"), form.day, form.text("receipt_no"), form.text("reason")
    ),
    "acknowledge": lambda form: ReferralAcknowledged(form.text("receipt_no"), form.day),
    "join": lambda form: ComplaintJoined(form.text("complaint_no")),
    "close": lambda form: Closed(form.day, form.text("result")),
    "reopen": lambda form: Reopened(form.day, form.text("reason")),
    "publish": lambda form: Published(form.day),
}
"""What an officer can do in a case, by the name of its form."""

ANCHOR = {
    "ask": "sellers",
    "hear": "sellers",
    "lapse": "sellers",
    "decide": "findings",
    "begin": "steps",
    "done": "steps",
    "skip": "steps",
    "order": "orders",
    "answer": "orders",
    "refer": "referrals",
    "acknowledge": "referrals",
    "join": "complaints",
}


def _due_days(case: Case, day: date, calendars: Calendars) -> tuple[dict[str, str], str]:
    """The days that the forms propose, in working days; and the years without a calendar among them, as text."""
    step = case.next_step
    counts = {"hearing": HEARING_WORKING_DAYS, "order": ORDER_WORKING_DAYS, "step": WORKING_DAYS[step] if step else 0}
    due = {name: add_working_days(day, count, calendars) for name, count in counts.items()}
    assumed = sorted({year for one in due.values() for year in one.assumed})
    return {name: one.day.isoformat() for name, one in due.items()}, ", ".join(map(str, assumed))


# --- how findings are shown ----------------------------------------------------------------------------------------


def _groups(
    case: Case, evidence: Mapping[str, Evidence], grouped: str, show: str, frame: Frame
) -> list[tuple[str, list[dict[str, Any]]]]:
    """The findings under what they have in common, the largest group first."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for finding in case.findings:
        if show and finding.decision != show:
            continue
        found = evidence.get(finding.id)
        names = {
            "seller": finding.seller,
            "certificate": found.certificate_no if found else None,
            "image": found.image_hash if found else None,
        }
        shown = {"finding": finding, "told": found.told if found else {}, "listing": found.listing if found else {}}
        groups.setdefault(names[grouped] or frame.say("none"), []).append(shown)
    return sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))


def beside(evidence: Evidence) -> list[tuple[str, str, str, bool]]:
    """(field, claimed, registered, whether they differ): each claim beside what the register has of the same thing."""
    claimed, registered = dict(evidence.told.get("claimed") or {}), dict(evidence.told.get("registered") or {})
    rows = []
    for name, others in _BESIDE.items():
        one = claimed.pop(name, None)
        held = [registered.pop(other, None) for other in others]
        said = [value for value in held if value not in (None, "", [])]
        if one in (None, "") and not said:
            continue
        known = {normalised(str(value)) for each in said for value in (each if isinstance(each, list) else [each])}
        differs = bool(one) and bool(known) and normalised(str(one)) not in known
        rows.append((name, _words(one), " / ".join(dict.fromkeys(_words(value) for value in said)), differs))
    rows += [(name, _words(value), "", False) for name, value in claimed.items() if value]
    rows += [(name, "", _words(value), False) for name, value in registered.items() if value]
    return rows


_BESIDE: Mapping[str, tuple[str, ...]] = {
    "certificate_no": ("certificate_no",),
    "product": ("product",),
    "product_class": ("product_class",),
    "brand": ("trademark",),
    "model": ("models",),
    "maker": ("holder", "manufacturer", "factory"),
    "maker_uscc": ("holder_uscc",),
    "body_claimed": ("body",),
    "mark": ("scheme",),
}
"""What a listing claims, and the members of the registered certificate that say the same."""


def _words(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return "、".join(_words(one) for one in value)
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_words(one)}" for name, one in value.items() if one not in (None, "", []))
    return str(value)
