"""The pages of checks: hand in listings, say what the columns mean, watch the progress, sort out what matters."""

import hashlib
import json
import re
import secrets
import zipfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import IO

from flask import Blueprint, Response, g, request

from services.auth import Role
from services.chart import Bar, bar_chart
from services.domain.calendar import add_working_days
from services.domain.case import WORKING_DAYS, CaseRefused, FindingsAdded, Opened, Step
from services.domain.division import is_division
from services.domain.errors import BadRequest, CertmarkError, NotFound
from services.domain.identifiers import civil_day
from services.domain.listing_rules import RULE, RULE_SET
from services.domain.listing_standing import Verdict
from services.listings.columns import HEADINGS
from services.listings.pictures import Pictures
from services.listings.reading import About, preview
from services.postgres import Cursor
from services.registry import store as register
from services.registry import trail
from services.registry.checks import store, watches
from services.registry.checks.evidence import MOST_ROWS
from services.registry.checks.routes import AT_ONCE, TooManyChecks, bundle_response, repeated
from services.registry.checks.store import Job
from services.registry.desk import case_store, matters
from services.registry.desk.accounts import Account
from services.registry.desk.captures import captures_of
from services.registry.desk.case_store import Evidence, finding_of
from services.registry.desk.matters import Matter
from services.registry.desk.room import Desk, Frame
from services.registry.desk.rulebook import RULE_WORDS, field_word
from services.registry.rooms import go
from services.scratch import scratch_folder

PAGE = 50
SAMPLE = 20
"""Rows shown while the columns are understood."""
GROUPS = ("seller", "certificate", "image")
_LOOKS = {"ok": "c1", "review": "c2", "lead": "c3", "unjudged": "c5"}
_ENDINGS = {".csv": "listings.csv", ".xlsx": "listings.xlsx", ".jsonl": "listings.jsonl", ".ndjson": "listings.jsonl"}
_MOST_OF_A_CASE = 1000


class Checks:
    """Pages for inspectors, who see the checks that they handed in, and regulators, who see all."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.captures = captures_of(desk.settings)

    def add_to(self, pages: Blueprint) -> None:
        for rule, view, methods in (
            ("/checks", self.checks, ("GET",)),
            ("/checks/new", self.new_check, ("GET", "POST")),
            ("/checks/<job_id>/columns", self.columns, ("GET", "POST")),
            ("/checks/<job_id>", self.check, ("GET",)),
            ("/checks/<job_id>/cancel", self.cancel, ("POST",)),
            ("/checks/<job_id>/again", self.again, ("POST",)),
            ("/checks/<job_id>/bundle", self.bundle, ("GET",)),
            ("/checks/<job_id>/case", self.open_case, ("POST",)),
        ):
            pages.add_url_rule(rule, view.__name__, view, methods=list(methods), strict_slashes=False)

    def _officer(self) -> Account:
        return self.desk.require(Role.INSPECTOR, Role.REGULATOR)

    def own(self, job_id: str) -> Job:
        """Raises NotFound: no such check, or not this account's."""
        by = self._officer()
        holder = None if by.role is Role.REGULATOR else holder_of(by)
        found = self.desk.read(lambda cur: store.job(cur, job_id, holder))
        if found is None:
            raise NotFound("no check of yours has this id")
        return found

    # --- handing in ------------------------------------------------------------------------------------------------

    def checks(self) -> Response:
        by, frame = self._officer(), self.desk.frame()
        holder, after = None if by.role is Role.REGULATOR else holder_of(by), request.args.get("after") or None

        def look(cur: Cursor) -> list[tuple[Job, store.Counted]]:
            return [(job, store.counted(cur, job.id)) for job in store.jobs_of(cur, holder, after, PAGE)]

        found = self.desk.read(look)
        return self.desk.show(
            "checks",
            "checks",
            frame.say("checks"),
            frame,
            found=[(job, counted, _share(job, counted)) for job, counted in found],
            next=frame.link("/checks", after=found[-1][0].id) if len(found) == PAGE else "",
        )

    def new_check(self) -> Response:
        by = self._officer()
        if request.method == "GET":
            return self._new_page()
        file, pasted = request.files.get("file"), request.form.get("pasted", "")
        images, platform = request.files.get("images"), request.form.get("platform", "").strip()[:64] or None
        try:
            if file is not None and file.filename:
                name, content = _named(file.filename), _parts(file.stream)
            elif pasted.strip():
                name, content = "listings.csv", iter([_as_csv(pasted)])
            else:
                raise BadRequest("no file was chosen, and nothing pasted", pointer="/file")
            job_id = self._received(by, name, platform, content, images.stream if images and images.filename else None)
        except CertmarkError as problem:
            if problem.status >= 500:
                raise
            return self._new_page(problem)
        return go(self.desk.frame().link(f"/checks/{job_id}/columns"))

    def _received(
        self, by: Account, name: str, platform: str | None, content: Iterator[bytes], images: IO[bytes] | None
    ) -> str:
        """The id of a check whose material is kept, and which waits for its columns to be understood."""
        job_id, day = secrets.token_hex(16), civil_day(g.now)

        def begin(cur: Cursor) -> None:
            if store.unfinished_of(cur, holder_of(by)) >= AT_ONCE:
                raise TooManyChecks(f"{AT_ONCE} checks wait or run")
            known = store.mapping_of(cur, holder_of(by), platform) if platform else {}
            store.add(
                cur,
                job_id,
                holder_of(by),
                name=name,
                mapping=known,
                platform=platform,
                sheet=None,
                day=day,
                rule_set=RULE_SET,
            )

        self.desk.read(begin)
        for what, parts in (("file", content), ("images", _parts(images) if images else iter(()))):
            for number, part in enumerate(parts):
                self.desk.read(partial(store.add_part, job_id=job_id, what=what, part=number, content=part))
        return job_id

    def _new_page(self, problem: CertmarkError | None = None) -> Response:
        frame = self.desk.frame()
        response = self.desk.show(
            "check_new",
            "checks",
            frame.say("new_check"),
            frame,
            headings=list(HEADINGS.values()) if frame.language == "zh" else list(HEADINGS),
            **_told(problem, frame),
        )
        response.status_code = problem.status if problem else 200
        return response

    # --- what the columns mean -------------------------------------------------------------------------------------

    def columns(self, job_id: str) -> Response:
        """What each column was taken for, on the first rows; put right by hand, remembered for the platform."""
        job = self.own(job_id)
        if job.state != "receiving":
            return go(self.desk.frame().link(f"/checks/{job_id}"))
        mapping = dict(job.mapping)
        if request.method == "POST":
            headings = request.form.getlist("heading")
            chosen = request.form.getlist("column")
            mapping = dict(zip(headings, chosen, strict=False))
        try:
            about = self._preview(job, mapping)
        except CertmarkError as problem:
            if problem.status >= 500:
                raise
            return self._new_page(problem)
        if request.method == "POST" and request.form.get("go"):
            self._begin(job, mapping)
            return go(self.desk.frame().link(f"/checks/{job_id}"))
        frame = self.desk.frame()
        return self.desk.show(
            "check_columns",
            "checks",
            frame.say("columns_title"),
            frame,
            job=job,
            about=about,
            choices=[("", frame.say("not_read")), *((key, field_word(key, frame.language)) for key in HEADINGS)],
            rows=about.sample[:SAMPLE],
            unknown=about.unknown,
            without=_without_number(about),
        )

    def _preview(self, job: Job, mapping: Mapping[str, str]) -> About:
        with scratch_folder() as folder:
            path = folder / "file"
            self.desk.read(lambda cur: store.write_material(cur, job.id, "file", path))
            return preview(path, mapping, job.sheet)

    def _begin(self, job: Job, mapping: Mapping[str, str]) -> None:
        by = self._officer()

        def queue(cur: Cursor) -> None:
            digest = hashlib.sha256()
            for part in store.material(cur, job.id, "file"):
                digest.update(part)
            cur.execute("UPDATE checks SET mapping = %s WHERE id = %s", (json.dumps(dict(mapping)), job.id))
            if job.platform:
                store.keep_mapping(cur, job.holder, job.platform, mapping)
            store.queue(cur, job.id, digest.hexdigest())
            trail.record(cur, g.now, by.name, "check-begun", f"check/{job.id}", sha256=digest.hexdigest())

        self.desk.read(queue)

    # --- one check -------------------------------------------------------------------------------------------------

    def check(self, job_id: str) -> Response:
        job = self.own(job_id)
        if job.state == "receiving":
            return go(self.desk.frame().link(f"/checks/{job_id}/columns"))
        return self.page(job)

    def page(self, job: Job, problem: CertmarkError | None = None, *, making: bool = False) -> Response:
        by, frame = self._officer(), self.desk.frame()
        wanted = _wanted()
        watch: watches.Watch | None = None

        def look(cur: Cursor) -> tuple[store.Counted, list[Matter], list[tuple[str, int]], dict[str, list[str]]]:
            nonlocal watch
            watch = watches.of(cur, job)
            counted = store.counted(cur, job.id)
            found = matters.after(cur, job.id, wanted, PAGE)
            groups = matters.groups(cur, job.id, wanted.group) if wanted.group else []
            return counted, found, groups, matters.cases_of(cur, [one.finding for one in found], by)

        counted, found, groups, cases = self.desk.read(look)
        verdicts = [(v.value, counted.verdicts.get(v.value, 0), frame.say(f"verdict_{v.value}")) for v in Verdict]
        bars = [Bar(words, count, _LOOKS[value]) for value, count, words in verdicts]
        going_on = job.state in ("queued", "running")
        share = _share(job, counted)
        response = self.desk.show(
            "check",
            "checks",
            f"{share} % – {job.name}"
            if going_on
            else job.name,  # a page that comes anew is read aloud from its title on
            frame,
            job=job,
            counted=counted,
            share=share,
            going_on=going_on,
            making=making,
            has_bundle=job.state == "done" and not job.material_gone and counted.done <= MOST_ROWS,
            can_watch=job.state == "done"
            and not job.material_gone
            and (job.again_of or counted.done <= watches.MOST_ROWS),
            watch=watch,
            refreshing=going_on and "still" not in request.args,
            chart=bar_chart(bars, frame.say("chart_verdicts"), frame.say("chart_verdicts_about")),
            verdicts=verdicts,
            rules=[(rule, count, RULE_WORDS[rule][frame.words]) for rule, count in counted.rules.items()],
            wanted=wanted,
            found=found,
            cases=cases,
            groups=groups,
            groupings=[("", frame.say("ungrouped")), *((name, frame.say(f"by_{name}")) for name in GROUPS)],
            verdict_choices=[("", frame.say("not_ok")), *((v, words) for v, _, words in verdicts if v != "ok")],
            rule_choices=[("", frame.say("any_rule")), *((rule, rule) for rule in RULE)],
            rule_words=RULE_WORDS,
            division=by.division or "",
            link=lambda **more: frame.link(f"/checks/{job.id}", **(wanted.query() | more)),
            next=found[-1].place if len(found) == PAGE else None,
            **_told(problem, frame),
        )
        response.status_code = problem.status if problem else 200
        if going_on and "still" not in request.args:
            response.headers["Refresh"] = "2"
        return response

    def cancel(self, job_id: str) -> Response:
        job, by = self.own(job_id), self._officer()

        def stop(cur: Cursor) -> None:
            if store.cancel(cur, job.id):
                trail.record(cur, g.now, by.name, "check-cancelled", f"check/{job.id}")

        self.desk.read(stop)
        return go(self.desk.frame().link(f"/checks/{job_id}"))

    def _pictures(self, cur: Cursor, job: Job, named: set[str]) -> dict[str, str]:
        """The first picture of each listing as it lies in the archive that came with the check: SHA-256 by name.

        They are kept with the case's captures, as the check and its material may be thrown away.
        """
        if not named:
            return {}
        with scratch_folder() as folder:
            path = folder / "pictures.zip"
            store.write_material(cur, job.id, "images", path)
            if not path.stat().st_size:
                return {}
            try:
                archive = Pictures(path)
            except zipfile.BadZipFile:
                return {}
            found = {name: archive.content(re.split("[|;]", name)[0].strip()) for name in named}
        return {name: self.captures.keep(content) for name, content in found.items() if content}

    def again(self, job_id: str) -> Response:
        """Check again what may have changed; the page of the new check lists the differences."""
        job, by = self.own(job_id), self._officer()
        try:
            later = repeated(self.desk.read, job, holder_of(by))
        except CertmarkError as problem:
            if problem.status >= 500:
                raise
            return self.page(job, problem)
        self.desk.read(lambda cur: trail.record(cur, g.now, by.name, "check-begun", f"check/{later.id}"))
        return go(self.desk.frame().link(f"/checks/{later.id}"))

    def bundle(self, job_id: str) -> Response:
        """The bundle; until it is made, the check's page, which comes back for it."""
        job = self.own(job_id)
        try:
            response = bundle_response(self.desk.read, job)
        except CertmarkError as problem:
            return self.page(job, problem)
        if response.status_code == 202:
            response = self.page(job, making=True)
            response.headers["Refresh"] = "2"
        return response

    # --- from leads to a case --------------------------------------------------------------------------------------

    def open_case(self, job_id: str) -> Response:
        """Open a case with the findings that were chosen, or with a whole group; or add them to one that is open."""
        job, by = self.own(job_id), self._officer()
        try:
            case_no = self._opened(job, by)
        except (BadRequest, CaseRefused) as problem:
            return self.page(job, problem)
        return go(self.desk.frame().link(f"/cases/{case_no}"))

    def _opened(self, job: Job, by: Account) -> str:
        chosen = [int(text) for text in request.form.getlist("place") if text.isascii() and text.isdigit()]
        group, value = request.form.get("group", ""), request.form.get("value", "")
        title = request.form.get("title", "").strip().replace("\0", "")[:200]
        division, existing = request.form.get("division", "").strip(), request.form.get("case_no", "").strip()
        day = civil_day(g.now)

        def deed(cur: Cursor) -> str:
            places = chosen
            if group in GROUPS:
                places = matters.places_in(cur, job.id, group, value, _MOST_OF_A_CASE + 1)
            if not places:
                raise BadRequest("no finding was chosen", pointer="/place")
            if len(places) > _MOST_OF_A_CASE:
                raise BadRequest(f"a case takes at most {_MOST_OF_A_CASE} findings at once", pointer="/place")
            found = matters.at(cur, job.id, places)
            pictures = self._pictures(cur, job, {one.image for one in found if one.image})
            evidence = [_evidence(one, pictures.get(one.image or "")) for one in found]
            findings = tuple(finding_of(one) for one in evidence)
            if existing:
                case_store.case_of(cur, by, existing)
                case_store.keep_evidence(cur, existing, evidence)
                case_store.record(cur, by, existing, [FindingsAdded(findings)], g.now)
                return existing
            if not title:
                raise BadRequest("a case has a subject", pointer="/title")
            if not is_division(division) or not by.may_see(division):
                raise BadRequest(
                    "the division is none (GB/T 2260), or not yours to open a case in", pointer="/division"
                )
            case_no = case_store.next_number(cur, division, day.year)
            due = add_working_days(day, WORKING_DAYS[Step.MONITORING], register.calendars(cur)).day
            case_store.open_case(cur, by, Opened(case_no, title, division, day, findings, due), evidence, g.now)
            return case_no

        return self.desk.read(deed)


def holder_of(by: Account) -> str:
    """Under whose name an account's checks are kept."""
    return f"account:{by.name}"


def _evidence(one: Matter, image_hash: str | None) -> Evidence:
    claimed = dict(one.told.get("claimed") or {})
    listing = {"row": one.told.get("row"), "seller": one.seller, "listing_url": one.listing_url, "image": one.image}
    told = {name: value for name, value in one.told.items() if name != "row"}
    return Evidence(
        one.finding,
        one.seller or "–",
        one.certificate_no,
        image_hash,
        {name: value for name, value in (listing | claimed).items() if value},
        told,
    )


def _share(job: Job, counted: store.Counted) -> int:
    """Percent of the rows that are done."""
    total = job.total if job.total is not None else max(job.about, counted.done)
    if job.state == "done":
        return 100
    return min(99, 100 * counted.done // total) if total else 0


def _wanted() -> matters.Wanted:
    verdict, rule = request.args.get("verdict", ""), request.args.get("rule", "")
    group, value = request.args.get("group", ""), request.args.get("value", "").replace("\0", "")[:300]
    after = request.args.get("after", "")
    return matters.Wanted(
        verdict if verdict in {v.value for v in Verdict} else "",
        rule if rule in RULE else "",
        group if group in GROUPS else "",
        value,
        int(after) if after.isascii() and after.isdigit() and len(after) < 12 else -1,
    )


def _told(problem: CertmarkError | None, frame: Frame) -> dict[str, str]:
    if problem is None:
        return {"problem": "", "detail": "", "hint": ""}
    words = problem.title if frame.language == "en" else problem.zh
    return {"problem": words, "detail": problem.detail, "hint": problem.hint}


def _named(filename: str) -> str:
    """The file's own name where its ending says what it is. Raises BadRequest."""
    name = Path(filename.replace("\\", "/")).name.replace("\0", "")[-150:]
    if Path(name).suffix.lower() not in _ENDINGS:
        raise BadRequest("CSV, XLSX or JSONL is wanted, and the file's name says so", pointer="/file")
    return name


def _as_csv(pasted: str) -> bytes:
    """Cells that were copied from a spreadsheet have tabs between them: the reader finds that out by itself."""
    return pasted.encode("utf-8")


def _parts(stream: IO[bytes]) -> Iterator[bytes]:
    while part := stream.read(store.PART):
        yield part


def _without_number(about: About) -> bool:
    """Whether no column was taken for what a listing is found by."""
    known = {key for _, key in about.columns}
    return not known & {"certificate_no", "mark_code", "text", "title", "image"}
