"""`/report`: a consumer's report without login, script or cookie, and the page of its state."""

import threading
from typing import Any
from urllib.parse import urlsplit

from flask import Response, request

from services import telemetry
from services.domain.calendar import Calendars, calendar_from_state
from services.domain.complaints import as_typed
from services.domain.errors import CertmarkError, Fault, NotFound, TooLarge
from services.events.client import Refused, Service
from services.events.complaint_record import complaint_bytes
from services.events.log import Log, Topics, open_log
from services.verify import pages
from services.verify.clients import AskedTooOften, must_wait
from services.verify.node import Node
from services.verify.pages import Frame
from services.verify.read_model import Unreadable
from services.verify.report_form import (
    LONGEST,
    WHERE_KINDS,
    Filled,
    Ready,
    filled_in,
    key_in,
    new_token,
    ready,
    token_of,
)
from services.verify.report_wording import REPORT, SHANGHAI
from services.web import Blueprint

PER_MINUTE, BURST = 2.0, 6.0
"""Reports of one client's neighbourhood: more than a person writes, fewer than a program would."""

LARGEST = 256 * 1024
"""Bytes of a form as sent: what is kept of a text that is far too long takes 180,000, percent-encoded."""

_HTML: dict[str, Any] = {"content": {"text/html": {}}}


class Reports:
    """What the routes share: the way into the restricted topic, a log for each thread, and the form's key."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._topic = Topics.under(node.settings.topic_prefix).restricted
        self._mine = threading.local()

    @property
    def key(self) -> bytes:
        return key_in(self.node.settings.form_key)

    def hand_in(self, report: Ready) -> None:
        """Append it; only then may it be said that it was received.

        Raises:
            Fault: the log is away, or did not acknowledge; whether it is stored is then unknown.
        """
        log: Log | None = getattr(self._mine, "log", None)
        if log is None:
            log = self._mine.log = open_log(self.node.settings)
        try:
            log.append(self._topic, [(report.complaint.no, complaint_bytes(report.complaint))])
        except CertmarkError:
            self._mine.log = None
            log.close()
            raise

    def calendars(self) -> Calendars:
        """The published working days; without data Monday to Friday."""
        try:
            states = [stored.payload()["state"] for stored in self.node.register.model.records_under("calendar")]
        except Unreadable:
            return {}
        return {state["year"]: calendar_from_state(state) for state in states}

    def ask_registry(self, number: str, secret: str, what: str) -> dict[str, Any]:
        """The state of a report.

        Raises:
            NotFound: number or secret is wrong. CertmarkError: the registry does not answer.
        """
        service = Service(self.node.settings.reports_url, timeout=5.0)
        try:
            return service.post(f"/v1/complaints/{number}/{what}", {"secret": secret})
        finally:
            service.close()


def add_report(public: Blueprint, node: Node) -> None:
    reports = Reports(node)

    @public.get("/report")
    @public.doc(
        summary="The form of a consumer's report",
        parameters=[
            {"name": name, "in": "query", "schema": {"type": "string"}, "description": said}
            for name, said in (("code", "The number or code looked up"), ("answer", "The answer code shown for it"))
        ],
        responses={200: {"description": "The form", **_HTML}},
    )
    def form() -> Response:
        code, answer = request.args.get("code", ""), request.args.get("answer", "")
        return _form(reports, node.frame(), Filled(code=code[: LONGEST["code"]], answer=answer[:40]))

    @public.post("/report")
    @public.doc(
        summary="Hand in a report",
        requestBody={"content": {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}}},
        responses={
            200: {"description": "Received: number, secret and deadline", **_HTML},
            400: {"description": "Something is to be corrected; the form with what was written", **_HTML},
            429: {"description": "Too many at present; the form with what was written", **_HTML},
            503: {"description": "Cannot be taken at present; the form with what was written", **_HTML},
        },
    )
    def hand_in() -> Response:
        return _hand_in(reports, node.frame(other_language=False))

    @public.get("/report/state")
    @public.doc(summary="The page of a report's state", responses={200: {"description": "A form", **_HTML}})
    def ask() -> Response:
        return _state(reports, node.frame(), "", None)

    @public.post("/report/state")
    @public.doc(
        summary="How a report stands, by number and secret; with `what` = `forget` its text is deleted",
        requestBody={"content": {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}}},
        responses={
            200: {"description": "The state", **_HTML},
            404: {"description": "Number or secret is wrong", **_HTML},
            503: {"description": "The registry cannot be asked at present", **_HTML},
        },
    )
    def show() -> Response:
        return _asked(reports, node.frame(other_language=False))


def _posted() -> dict[str, str]:
    """The fields of the form in hand, each once.

    Raises:
        TooLarge: more than a form holds.
    """
    if (request.content_length or 0) > LARGEST:
        raise TooLarge(f"a form has at most {LARGEST} bytes")
    return dict(request.form.items())


def _is_ours(hosts: tuple[str, ...]) -> bool:
    """Whether the form was sent from a page of ours, as far as the browser says: another site's would name itself.

    `hosts` are ours; a proxy may have taken the port from the request's own.
    """
    origin = request.headers.get("Origin")
    if origin is None or origin == "null":  # a browser with our Referrer-Policy may send null for our own pages
        return request.headers.get("Sec-Fetch-Site", "same-origin") in ("same-origin", "none")
    return urlsplit(origin).netloc.lower() in (request.host.lower(), *hosts)


def _hand_in(reports: Reports, frame: Frame) -> Response:
    posted = _posted()
    filled, now = filled_in(posted), reports.node.clock()
    token = token_of(posted.get("form", ""), reports.key, now)
    if token is None or not _is_ours(reports.node.settings.hosts):
        return _form(reports, frame, filled, "old_form", 400)
    given = posted["form"]
    if filled.wrong:
        return _form(reports, frame, filled, "problem", 400, given)
    try:
        must_wait(reports.node.clients.wait(request.environ, "report", PER_MINUTE, BURST))
    except AskedTooOften as error:
        response = _form(reports, frame, filled, "too_often", 429, given)
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    report = ready(filled, token, reports.key, now, reports.calendars())
    try:
        reports.hand_in(report)
    except Fault as fault:
        telemetry.warning("a report could not be handed in", code=fault.slug)
        response = _form(reports, frame, filled, "log_away", 503, given)
        response.headers["Retry-After"] = "30"
        return response
    _HANDED_IN.inc()
    return _page(
        reports,
        frame,
        "report_done.html",
        "done",
        no=report.complaint.no,
        secret=report.secret,
        due=REPORT["due_text"][frame.language].format(day=report.complaint.due_on.isoformat()),
        assumed=bool(report.assumed),
    )


def _form(
    reports: Reports, frame: Frame, filled: Filled, problem: str = "", status: int = 200, given: str | None = None
) -> Response:
    """The form, empty or as it was filled in; a form that may be sent again keeps its token."""
    return _page(
        reports,
        frame,
        "report.html",
        "title",
        status,
        filled=filled,
        problem=problem,
        form_token=given or new_token(reports.node.clock()).text(reports.key),
        kinds=WHERE_KINDS,
        longest=LONGEST,
        regions=[(code, name[frame.language]) for code, name in SHANGHAI.items()],
    )


def _asked(reports: Reports, frame: Frame) -> Response:
    posted = _posted()
    number, secret = as_typed(posted.get("no", "")[:64]), posted.get("secret", "")[:64]
    sure = posted.get("what") == "forget" and posted.get("sure") == "yes"
    what = "forget" if sure and _is_ours(reports.node.settings.hosts) else "state"
    if len(number) != 19 or not secret:
        return _state(reports, frame, number, None, "not_found", 404)
    try:
        must_wait(reports.node.clients.wait(request.environ, "report-state", 20.0, 20.0))
        state = reports.ask_registry(number, secret, what)
    except NotFound:
        return _state(reports, frame, number, None, "not_found", 404)
    except AskedTooOften as error:
        response = _state(reports, frame, number, None, "registry_away", 429)
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    except (Fault, Refused) as fault:
        telemetry.warning("the state of a report cannot be asked for", code=fault.slug)
        return _state(reports, frame, number, None, "registry_away", 503)
    return _state(reports, frame, number, state, secret=secret)


def _state(
    reports: Reports,
    frame: Frame,
    number: str,
    state: dict[str, Any] | None,
    problem: str = "",
    status: int = 200,
    secret: str = "",
) -> Response:
    return _page(
        reports,
        frame,
        "report_state.html",
        "state_title",
        status,
        no=number,
        state=state,
        problem=problem,
        secret=secret,
    )


def _page(reports: Reports, frame: Frame, template: str, title: str, status: int = 200, **members: Any) -> Response:
    words = {name: text[frame.language] for name, text in REPORT.items()}
    page = pages.site_page(template, frame, words[title], words=words, **members)
    response = reports.node.html(page, frame, status)
    response.headers["Cache-Control"] = "no-store"
    return response


_HANDED_IN = telemetry.counter("certmark_reports_handed_in_total", "Consumers' reports acknowledged by the log")
