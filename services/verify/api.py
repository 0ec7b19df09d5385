"""The verify service's HTTP interface: verdict pages and their JSON, look-ups one by one or in bulk, QR images."""

import base64
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

import marshmallow as ma
from flask import Flask, Response, redirect, request
from flask_smorest import Api
from werkzeug.datastructures import LanguageAccept

from services import telemetry
from services.domain.consequence import Act, Allowed
from services.domain.copies import RULES
from services.domain.errors import BadRequest, CertmarkError, NotFound, TooLarge
from services.domain.identifiers import certificate_number, civil_day, gtin14, normalised
from services.domain.notices import LEVELS, RECALL_REASONS
from services.domain.standing import Standing, mark_standing
from services.domain.unit_code import Form
from services.marks import qr
from services.marks.token import MarkPath, decimal
from services.problems import MEDIA_TYPE
from services.settings import Settings, settings_from
from services.verify import listings, lists, pages, proof, receipt, scan_page
from services.verify.answer import Answer, coverage_of_all, decide
from services.verify.as_json import as_json, code_on, dumps
from services.verify.clients import AskedTooOften, Clients, may_pass
from services.verify.looked_up import LookedUp
from services.verify.pages import SILENT, Frame
from services.verify.permits import Deed, answer_about, permit_json
from services.verify.photo_routes import add_photo
from services.verify.product_page import product_page
from services.verify.products import product_json, same_products
from services.verify.quick import COUNTED, QuickPath, cache_control, etag, shared_seconds
from services.verify.read_model import Unreadable
from services.verify.recognise import Question, of_certificate, of_digital_link, of_gtin, of_mark, recognise
from services.verify.register import CannotSay, Directory, Found, Register, Token
from services.verify.report_routes import add_report
from services.verify.search_routes import add_search, as_document, as_page, found, is_a_name
from services.verify.site import routes as site
from services.verify.warm import PAGE_KEPT, WarmPath
from services.verify.wording import HTML_LANG, LANGUAGES, Code, Note
from services.web import SECURITY_HEADERS, Blueprint, service_app

HTML, JSON, LINKSET = "text/html", "application/json", "application/linkset+json"
MANY = 1000
_HSTS = ("Strict-Transport-Security", "max-age=31536000")
_MACHINE = ("/v1/", "/qr/", "/status/", "/.well-known/", "/healthz", "/readyz", "/metrics")
"""Addresses that programs ask: their problems stay problem documents, whatever is said to be accepted."""
_OPERATORS = ("/healthz", "/readyz", "/metrics")
_RETRY_S = 10
_ENDED = (Standing.REVOKED, Standing.CANCELLED, Standing.SUPERSEDED, Standing.EXPIRED)
_EXAMPLES = (Code.VALID, Code.SUSPENDED, Code.REVOKED, Code.EXPIRED)


class MarkEnded(CertmarkError):
    slug = "mark-ended"
    title = "The mark's authorization has ended; no code is made for it any more"
    zh = "标志授权已终止，不再生成其二维码"
    status = 409


class NotYetSigned(CertmarkError):
    slug = "not-yet-signed"
    title = "There is no signed token for this mark and product"
    zh = "该标志与产品尚无已签名的标志码"
    status = 409


# --- what the documentation says -----------------------------------------------------------------------------


class WordsSchema(ma.Schema):
    zh = ma.fields.String(required=True)
    en = ma.fields.String(required=True)


class ReasonSchema(WordsSchema):
    code = ma.fields.String(required=True, metadata={"description": "S01–S12, R01–R11, C01–C06"})


class BodySchema(ma.Schema):
    approval_no = ma.fields.String(required=True)
    name = ma.fields.String(required=True, allow_none=True)
    status = ma.fields.String(
        required=True,
        validate=ma.validate.OneOf(["approved", "suspended", "disqualified", "ended", "unknown"]),
        metadata={"description": "On the day of the answer"},
    )


class HeadSchema(ma.Schema):
    """The verdict."""

    code = ma.fields.String(
        required=True,
        allow_none=True,
        validate=ma.validate.OneOf([code.value for code in Code]),
        metadata={"description": "Null only where `candidates` lists several certificates: there is no overall yes"},
    )
    standing = ma.fields.String(
        required=True, allow_none=True, validate=ma.validate.OneOf([standing.value for standing in Standing])
    )
    family = ma.fields.String(required=True, validate=ma.validate.OneOf(["yes", "no", "cannot_say", "input"]))
    title = ma.fields.Nested(WordsSchema, required=True)
    since = ma.fields.Date(required=True, allow_none=True)
    until = ma.fields.Date(required=True, allow_none=True)
    reason = ma.fields.Nested(ReasonSchema, required=True, allow_none=True)
    notes = ma.fields.List(ma.fields.String(validate=ma.validate.OneOf([note.value for note in Note])), required=True)


class CandidateSchema(HeadSchema):
    certificate_no = ma.fields.String(required=True)
    scheme = ma.fields.String(required=True)
    body = ma.fields.String(required=True, allow_none=True)
    holder = ma.fields.String(required=True)


class ItemSchema(ma.Schema):
    model = ma.fields.String(required=True)
    gtin = ma.fields.String(required=True, allow_none=True)


class MarkSchema(ma.Schema):
    mark_no = ma.fields.String(required=True)
    mark = ma.fields.String(required=True)
    family = ma.fields.String(required=True, allow_none=True)
    authorized_by = ma.fields.String(required=True)
    products = ma.fields.List(ma.fields.Nested(ItemSchema), required=True)
    valid_from = ma.fields.Date(required=True)
    valid_until = ma.fields.Date(required=True, allow_none=True)
    standing = ma.fields.String(
        required=True, metadata={"description": "The worse of the mark's own and its certificate's"}
    )


class LevelSchema(WordsSchema):
    code = ma.fields.String(required=True, validate=ma.validate.OneOf(list(LEVELS)))


class RecallReasonSchema(WordsSchema):
    code = ma.fields.String(required=True, validate=ma.validate.OneOf(list(RECALL_REASONS)))


class NoticeSchema(ma.Schema):
    """A recall behind `do_not_sell`, or a consumer alert."""

    kind = ma.fields.String(required=True, validate=ma.validate.OneOf(["recall", "warning"]))
    id = ma.fields.String(required=True)
    level = ma.fields.Nested(LevelSchema, required=True, allow_none=True, metadata={"description": "Of a warning"})
    reason = ma.fields.Nested(
        RecallReasonSchema, required=True, allow_none=True, metadata={"description": "Of a recall"}
    )
    text = ma.fields.Nested(WordsSchema, required=True)
    instrument = ma.fields.String(required=True)
    since = ma.fields.Date(required=True)
    until = ma.fields.Date(required=True, allow_none=True, metadata={"description": "A warning's last day"})
    certificate_no = ma.fields.String(required=True, allow_none=True)
    gtin = ma.fields.String(required=True, allow_none=True)
    model = ma.fields.String(required=True, allow_none=True)
    batches = ma.fields.List(ma.fields.String(), required=True, metadata={"description": "Empty: every batch"})
    made_from = ma.fields.Date(required=True, allow_none=True)
    made_until = ma.fields.Date(required=True, allow_none=True)
    digest = ma.fields.String(required=True, metadata={"description": "The event that opened or issued it"})
    seq = ma.fields.Integer(required=True)
    recorded_at = ma.fields.String(required=True, metadata={"description": "RFC 3339, UTC"})


class LookupsSchema(ma.Schema):
    """How a unit's code has been looked up, over all nodes, as of half a minute ago or so (docs/copies.md)."""

    count = ma.fields.Integer(required=True)
    first_on = ma.fields.Date(required=True)
    districts = ma.fields.Integer(required=True, metadata={"description": "Known districts that it was looked up in"})
    rule = ma.fields.String(
        required=True,
        allow_none=True,
        validate=ma.validate.OneOf([rule.id for rule in RULES]),
        metadata={"description": "By which `possible_copy` is said"},
    )


class VoidSchema(ma.Schema):
    since = ma.fields.Date(required=True)
    reason = ma.fields.Nested(ReasonSchema, required=True)


class UnitSchema(ma.Schema):
    """The single unit whose code was asked for."""

    code = ma.fields.String(required=True)
    form = ma.fields.String(required=True, validate=ma.validate.OneOf([form.value for form in Form]))
    issued = ma.fields.Boolean(required=True, metadata={"description": "Whether a registered set has this code"})
    product = ma.fields.String(required=True, allow_none=True, metadata={"description": "The model that it is of"})
    issued_on = ma.fields.Date(required=True, allow_none=True)
    voided = ma.fields.Nested(VoidSchema, required=True, allow_none=True)


class AnswerSchema(HeadSchema):
    """The answer to one number, address or QR text."""

    certificate = ma.fields.Dict(
        required=True, allow_none=True, metadata={"description": "The public members of schemas/state.v1.json"}
    )
    body = ma.fields.Nested(BodySchema, required=True, allow_none=True)
    mark = ma.fields.Nested(MarkSchema, required=True, allow_none=True)
    item = ma.fields.Nested(ItemSchema, required=True, allow_none=True)
    unit = ma.fields.Nested(UnitSchema, required=True, allow_none=True)
    signature = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "`valid` where a QR's signature was verified"}
    )
    candidates = ma.fields.List(ma.fields.Nested(CandidateSchema), required=True)
    expected = ma.fields.List(ma.fields.Nested(WordsSchema), required=True)
    coverage = ma.fields.List(ma.fields.Dict(), required=True)
    notices = ma.fields.List(
        ma.fields.Nested(NoticeSchema), required=True, metadata={"description": "Recalls first, then alerts"}
    )
    lookups = ma.fields.Nested(
        LookupsSchema, required=True, allow_none=True, metadata={"description": "Of one unit's code; null before any"}
    )
    as_of = ma.fields.String(required=True, allow_none=True, metadata={"description": "RFC 3339, UTC"})
    seq = ma.fields.Integer(required=True, allow_none=True, metadata={"description": "Last register entry held"})
    checked_at = ma.fields.String(required=True, metadata={"description": "RFC 3339, UTC"})


class AnswersSchema(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(AnswerSchema), required=True)
    next = ma.fields.String(required=True, allow_none=True)


class VerifyQuery(ma.Schema):
    q = ma.fields.String(required=True, metadata={"description": "Any number, address or QR text"})


class ManySchema(ma.Schema):
    q = ma.fields.List(ma.fields.String(), required=True, metadata={"description": f"At most {MANY}"})


class PermitQuery(ma.Schema):
    """What is to be done with goods or services, and the dates of the goods as far as they are known."""

    act = ma.fields.String(required=True, validate=ma.validate.OneOf([act.value for act in Act]))
    at = ma.fields.Date(load_default=None, metadata={"description": "The day of the deed; today where absent"})
    made_on = ma.fields.Date(load_default=None)
    shipped_on = ma.fields.Date(load_default=None, metadata={"description": "The day it left the factory"})
    m = ma.fields.String(load_default=None, metadata={"description": "The token of the mark's QR, in decimal"})
    gtin = ma.fields.String(load_default=None, metadata={"description": "One product of the certificate"})
    model = ma.fields.String(load_default=None, metadata={"description": "The same, by its model"})
    batch = ma.fields.String(load_default=None, metadata={"description": "Told where a recall names batches"})


class PermitSchema(ma.Schema):
    """Whether it is allowed, by which rule and on what ground (docs/consequence.md)."""

    allowed = ma.fields.String(required=True, validate=ma.validate.OneOf([allowed.value for allowed in Allowed]))
    rule = ma.fields.String(required=True)
    clause = ma.fields.Nested(WordsSchema, required=True)
    reason = ma.fields.Nested(WordsSchema, required=True)
    code = ma.fields.String(required=True, validate=ma.validate.OneOf([code.value for code in Code]))
    standing = ma.fields.String(
        required=True,
        allow_none=True,
        validate=ma.validate.OneOf([standing.value for standing in Standing]),
        metadata={"description": "On the day that counts: of shipment for `ship`, else `at`"},
    )
    act = ma.fields.String(required=True)
    at = ma.fields.Date(required=True)
    made_on = ma.fields.Date(required=True, allow_none=True)
    shipped_on = ma.fields.Date(required=True, allow_none=True)
    certificate_no = ma.fields.String(required=True, allow_none=True)
    item = ma.fields.Nested(ItemSchema, required=True, allow_none=True)
    mark_no = ma.fields.String(required=True, allow_none=True)
    as_of = ma.fields.String(required=True, allow_none=True, metadata={"description": "RFC 3339, UTC"})
    seq = ma.fields.Integer(required=True, allow_none=True, metadata={"description": "Last register entry held"})
    checked_at = ma.fields.String(required=True, metadata={"description": "RFC 3339, UTC"})


class ProductQuery(ma.Schema):
    uscc = ma.fields.String(required=True, metadata={"description": "The holder's unified social credit code"})
    model = ma.fields.String(required=True, validate=ma.validate.Length(1, 200))


class ProductSchema(ma.Schema):
    """Certificates of a scheme whose rules say so answer as one product, whoever issued them."""

    code = ma.fields.String(allow_none=True, metadata={"description": "Of the only product; null where several"})
    uscc = ma.fields.String(required=True)
    model = ma.fields.String(required=True)
    products = ma.fields.List(ma.fields.Dict(), required=True)
    as_of = ma.fields.String(allow_none=True)
    seq = ma.fields.Integer(allow_none=True)
    checked_at = ma.fields.String(required=True)


class QrQuery(ma.Schema):
    gtin = ma.fields.String(load_default=None, metadata={"description": "The product; the first where absent"})


# --- the application --------------------------------------------------------------------------------------------


def create_app() -> Flask:
    """The application for the server, with the settings of the environment."""
    telemetry.log_as_json("verify")
    return app_for(settings_from(), _now)


def app_for(settings: Settings, clock: Callable[[], datetime]) -> Flask:
    node = Node(settings, clock)
    app, api = service_app("verify", "certmark verify", ready=node.why_not_ready)
    app.extensions["certmark-verify"] = node
    _add_routes(api, node)
    api.register_blueprint(site.blueprint(node))
    api.register_blueprint(proof.blueprint(node))
    api.register_blueprint(receipt.blueprint(node))
    app.before_request(node.admit)
    app.after_request(node.finish)
    headers = [*SECURITY_HEADERS.items(), _HSTS, ("Vary", "Accept, Accept-Language")]
    app.wsgi_app = QuickPath(  # type: ignore[method-assign]
        app.wsgi_app, settings.data / "verify", node.stale_after, headers, node.clock, node.has_to_wait
    )
    app.wsgi_app = WarmPath(  # type: ignore[method-assign]
        app.wsgi_app, settings.data / "verify", node.stale_after, node.clock, _accepted_language, node.has_to_wait
    )
    return app


def _now() -> datetime:
    return datetime.now(UTC)


class Node:
    """What the routes share: the settings, the clock, and a register for each thread."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime]) -> None:
        self.settings = settings
        self.clock = clock
        self.stale_after = timedelta(hours=settings.stale_after_hours)
        self.clients = Clients(settings.trusted_proxies, time.monotonic)
        self.looked_up = LookedUp(settings.data / "verify", self.clients)
        self._mine = threading.local()
        self._examples: tuple[tuple[int, date], list[tuple[str, Code, tuple[Note, ...]]]] | None = None

    @property
    def register(self) -> Register:
        try:
            register: Register = self._mine.register
        except AttributeError:
            register = self._mine.register = Register(self.settings.data / "verify")
        return register

    def directory(self) -> Directory:
        """Everything but certificates.

        Raises:
            CannotSay: this node has not read all of it.
        """
        with self.readable():
            meta = self.register.meta()
            if not meta.complete:
                raise self.cannot_say("the read model is still being built")
            return self.register.directory(meta)

    @contextmanager
    def readable(self) -> Iterator[None]:
        """A file that cannot be used is said as what it means: this node cannot say."""
        try:
            yield
        except Unreadable as reason:
            raise CannotSay(str(reason)) from None

    @staticmethod
    def cannot_say(why: str) -> CertmarkError:
        return CannotSay(why)

    def listing_source(self, now: datetime) -> listings.NodeSource:
        """What listings are checked against, with what this thread keeps of it."""
        source: listings.NodeSource | None = getattr(self._mine, "listings", None)
        if source is None:
            source = self._mine.listings = listings.NodeSource(self.register, self.hosts, civil_day(now))
        source.day, source.hosts = civil_day(now), self.hosts
        return source

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that are ours: by the settings, and by the register's own trust list."""
        own = self.settings.hosts
        try:
            return (*own, *(host for host in self.register.directory().hosts if host not in own))
        except Unreadable:
            return own

    def decide(self, question: Question) -> Answer:
        return self.looked_up.with_counts(decide(question, self.register, self.clock(), self.stale_after))

    def has_to_wait(self, environ: Mapping[str, Any]) -> bool:
        """Whether a look-up of this client is over the limit that the settings set, if they set one."""
        limit = self.settings.lookups_per_second
        return limit > 0 and bool(self.clients.wait(environ, "look-up", limit * 60, 2 * limit))

    def admit(self) -> None:
        """Refuses look-ups over the limit; health and figures are asked by the operator's own programs."""
        limit = self.settings.lookups_per_second
        if limit > 0 and request.path not in _OPERATORS and COUNTED not in request.environ:
            may_pass(self.clients.wait(request.environ, "look-up", limit * 60, 2 * limit))

    def why_not_ready(self) -> str | None:
        try:
            meta = self.register.meta()
        except Unreadable as reason:
            return f"the read model cannot be used: {reason}"
        if not meta.complete or meta.as_of is None:
            return "the read model is still being built"
        if self.clock() - meta.as_of > self.stale_after:
            return f"the data is older than {self.settings.stale_after_hours} hours"
        return None

    def frame(self, *, other_language: bool = True) -> Frame:
        """The page's language and what every page shows."""
        explicit = _language(request.args.get("lang", ""))
        language = explicit or _accepted_language(request.accept_languages)
        other = "zh" if language == "en" else "en"
        href = ""
        if other_language:
            kept = [(name, value) for name, value in request.args.items(multi=True) if name != "lang"]
            href = "?" + urlencode([*kept, ("lang", other)])
        try:
            demonstration = self.register.directory().demonstration
        except Unreadable:
            demonstration = False
        return Frame(language, bool(explicit), href, demonstration)

    def examples(self) -> list[tuple[str, Code, tuple[Note, ...]]]:
        """A number for each of a few verdicts; only demonstration data is held up as an example."""
        meta, day = self.register.meta(), civil_day(self.clock())
        if not self.register.directory().demonstration:
            return []
        if self._examples is None or self._examples[0] != (meta.revision, day):
            found: dict[Code, tuple[str, Code, tuple[Note, ...]]] = {}
            for number, timeline in self.register.model.first_timelines(200):
                code, notes = code_on(timeline, day)
                if number in self.register.directory().notices.by_certificate:
                    continue
                found.setdefault(code, (number, code, notes))
            self._examples = (meta.revision, day), [found[code] for code in _EXAMPLES if code in found]
        return self._examples[1]

    # --- an answer as a response ------------------------------------------------------------------------------

    def respond(self, question: Question, *, only_json: bool = False) -> Response:
        answer = self.decide(question)
        self.looked_up.tell(answer, request.environ)
        kind = JSON if only_json else wanted()
        if kind == LINKSET and answer.code not in SILENT:
            content = dumps(_linkset(answer, self.settings.public_url))
            response, tagged = Response(content, content_type=LINKSET), content
        elif kind in (JSON, LINKSET):
            content = dumps(as_json(answer))
            response, tagged = Response(content, content_type=JSON), content[: content.rindex(b',"checked_at"')]
        else:
            frame = self.frame(other_language=answer.code not in SILENT)
            page, tagged = pages.verdict_page(answer, frame, self.settings.public_url, self.settings.registry_url)
            response = self.html(page, frame)
            if answer.found is not None and question.token is None and answer.code is not Code.STATUS_UNKNOWN:
                request.environ[PAGE_KEPT] = tagged
        return self.cached(response, answer, tagged)

    def html(self, page: bytes, frame: Frame, status: int = 200) -> Response:
        response = Response(page, status, content_type=f"{HTML}; charset=utf-8")
        response.headers["Content-Security-Policy"] = pages.CONTENT_SECURITY_POLICY
        response.headers["Content-Language"] = HTML_LANG[frame.language]
        return response

    def cached(self, response: Response, answer: Answer, tagged: bytes) -> Response:
        if answer.code is Code.STATUS_UNKNOWN:
            response.status_code = 503
            response.headers["Retry-After"] = str(_RETRY_S)
            response.headers["Cache-Control"] = "no-store"
            return response
        if answer.question.serial is not None or answer.unit is not None:
            response.headers["Cache-Control"] = "no-store"
            return response
        shared = shared_seconds(answer.checked_at, answer.as_of, self.stale_after)
        response.headers["Cache-Control"] = cache_control(shared)
        response.headers["ETag"] = etag(tagged)
        response.make_conditional(request)
        return response

    def finish(self, response: Response) -> Response:
        """Headers of every answer; and what is a problem document to a program is a page to a person."""
        response.headers.setdefault(*_HSTS)
        if not request.path.startswith("/qr/"):
            response.headers["Vary"] = "Accept, Accept-Language"
        machine = request.path.startswith(_MACHINE)
        if response.content_type == MEDIA_TYPE and not machine and wanted() == HTML:
            frame = self.frame(other_language=False)
            page = self.html(pages.error_page(response.status_code, frame), frame, response.status_code)
            for name, value in page.headers.items():
                response.headers[name] = value
            response.set_data(page.get_data())
        return response


def _language(text: str) -> str:
    """`zh` or `en` of a language tag, empty for any other."""
    primary = text.lower().partition("-")[0]
    return primary if primary in LANGUAGES else ""


def _accepted_language(accepted: LanguageAccept) -> str:
    """The first language that we have; Chinese where none is named, English for those who read neither."""
    for tag, quality in accepted:
        if quality > 0 and (tag == "*" or _language(tag)):
            return _language(tag) or "zh"
    return "en" if accepted else "zh"


def wanted() -> str:
    if request.args.get("linkType") in ("linkset", "all"):
        return LINKSET
    return request.accept_mimetypes.best_match([HTML, JSON, LINKSET], default=HTML)


def _linkset(answer: Answer, base: str) -> dict[str, Any]:
    """RFC 9264: where more is to be had about what was asked for."""
    anchor = base + request.path
    certificate = answer.certificate
    entry: dict[str, Any] = {"anchor": anchor}
    if certificate is not None:
        href = base + pages.certificate_path(certificate.certificate_no)
        titles = [{"value": certificate.certificate_no, "language": "zh"}]
        entry["https://ref.gs1.org/voc/certificationInfo"] = [
            {"href": href, "type": HTML, "hreflang": ["zh", "en"], "title*": titles},
            {"href": href, "type": JSON, "title*": titles},
        ]
    for one in answer.candidates:
        assert one.certificate is not None
        href = base + pages.certificate_path(one.certificate.certificate_no)
        entry.setdefault("https://ref.gs1.org/voc/certificationInfo", []).append({"href": href, "type": HTML})
    return {"linkset": [entry]}


# --- the routes --------------------------------------------------------------------------------------------------

_FORMS = {
    200: {
        "description": "The verdict, every decided code included; by `Accept` a page, JSON or a linkset",
        "content": {HTML: {}, JSON: {}, LINKSET: {}},
    },
    503: {"description": "`status_unknown`: this node cannot say at present", "content": {HTML: {}, JSON: {}}},
}
_M = {"name": "m", "in": "query", "schema": {"type": "string"}, "description": "The mark's signed token, in decimal"}
_LANG = {"name": "lang", "in": "query", "schema": {"type": "string", "enum": list(LANGUAGES)}}


def _add_routes(api: Api, node: Node) -> None:
    public = Blueprint("verify", __name__, description="Look-ups by numbers, addresses and QR texts")

    @public.get("/")
    @public.doc(
        summary="The page with one field; with `q` the verdict",
        parameters=[{"name": "q", "in": "query", "schema": {"type": "string"}}, _LANG],
        responses={
            200: {"description": "A page", "content": {HTML: {}}},
            303: {"description": "To the verdict's page"},
        },
    )
    def front() -> Response:
        typed = request.args.get("q", "").strip()
        return typed_or_answered(node, typed) if typed else _front(node)

    @public.get("/c/<path:number>")
    @public.doc(summary="Verdict on a certificate or declaration", parameters=[_M, _LANG], responses=_FORMS)
    def certificate(number: str) -> Response:
        return node.respond(of_certificate(number, _token()))

    @public.get("/m/<path:mark_no>")
    @public.doc(summary="Verdict on a mark authorization", parameters=[_LANG], responses=_FORMS)
    def mark(mark_no: str) -> Response:
        return node.respond(of_mark(mark_no))

    @public.get("/01/<gtin>")
    @public.doc(summary="Verdict on a product (GS1 Digital Link)", parameters=[_M, _LANG], responses=_FORMS)
    def product(gtin: str) -> Response:
        return node.respond(of_gtin(gtin, None, _token()))

    @public.get("/01/<gtin>/21/<serial>")
    @public.doc(summary="Verdict on one unit of a product", parameters=[_M, _LANG], responses=_FORMS)
    def unit(gtin: str, serial: str) -> Response:
        return node.respond(of_gtin(gtin, serial, _token()))

    @public.get("/01/<gtin>/<path:qualifiers>")
    @public.doc(
        summary="Verdict on a product whose address has more of GS1's qualifiers: variant, batch, serial",
        parameters=[_M, _LANG],
        responses=_FORMS,
    )
    def qualified(gtin: str, qualifiers: str) -> Response:
        return node.respond(of_digital_link(gtin, qualifiers, _token()))

    @public.get("/v1/verify")
    @public.arguments(VerifyQuery, location="query")
    @public.response(200, AnswerSchema, description="The answer, every decided code included")
    @public.alt_response(503, schema=AnswerSchema, description="`status_unknown`: this node cannot say at present")
    @public.doc(summary="Look up one number, address or QR text")
    def verify(arguments: dict[str, Any]) -> Response:
        return node.respond(recognise(arguments["q"], node.hosts), only_json=True)

    @public.post("/v1/verify")
    @public.arguments(ManySchema)
    @public.response(200, AnswersSchema, description="One answer for each text, in their order")
    @public.alt_response(503, schema=AnswersSchema, description="The same, where this node cannot say at present")
    @public.doc(summary=f"Look up to {MANY} numbers, addresses or QR texts")
    def verify_many(arguments: dict[str, Any]) -> Response:
        return _many(node, arguments["q"])

    @public.post("/v1/checks")
    @public.response(200, listings.FindingsSchema, description="One finding for each listing, in their order")
    @public.doc(
        summary=f"Check up to {listings.MANY} e-commerce listings",
        requestBody=listings.REQUEST,
        responses={503: {"description": "`status-unknown`: this node cannot say at present"}},
    )
    def checks() -> Response:
        return _checks(node, listings.asked_in(request.get_data(), request.mimetype))

    @public.get("/v1/certificates/<path:number>/permits")
    @public.arguments(PermitQuery, location="query")
    @public.response(200, PermitSchema, description="What the certificate means for the deed, unknown numbers included")
    @public.alt_response(503, schema=PermitSchema, description="`status_unknown`: this node cannot say at present")
    @public.doc(summary="May goods or services that bear the certificate be shipped, sold, imported, used, shown?")
    def permit(arguments: dict[str, Any], number: str) -> Response:
        return _permit(node, number, arguments)

    @public.get("/v1/products")
    @public.arguments(ProductQuery, location="query")
    @public.response(200, ProductSchema, description="What stands about the product, over all its bodies")
    @public.alt_response(503, schema=ProductSchema, description="`status_unknown`: this node cannot say at present")
    @public.doc(summary="One holder's product by its model: one answer over several bodies' certificates")
    def products(arguments: dict[str, Any]) -> Response:
        return _products(node, arguments["uscc"], arguments["model"], JSON)

    @public.get("/products/<uscc>/<path:model>")
    @public.doc(
        summary="The same for people; JSON by `Accept`",
        parameters=[_LANG],
        responses={200: {"description": "A page", "content": {HTML: {}, JSON: {}}}},
    )
    def product_of(uscc: str, model: str) -> Response:
        return _products(node, uscc, model[:200], HTML if wanted() == HTML else JSON)

    @public.get("/qr/<path:mark_no>.<any(svg, png, json):form>")
    @public.arguments(QrQuery, location="query")
    @public.doc(
        summary="The mark's signed QR code",
        responses={
            200: {
                "description": "The image; as JSON what a printer needs of every product's code",
                "content": {"image/svg+xml": {}, "image/png": {}, JSON: {}},
            },
            404: {"description": "No such mark, or not for this product"},
            409: {"description": "The authorization has ended, or no token is signed yet"},
        },
    )
    def qr_image(arguments: dict[str, Any], mark_no: str, form: str) -> Response:
        return _qr(node, mark_no, form, arguments["gtin"])

    add_search(public, node, HeadSchema)
    add_photo(public, node)
    add_report(public, node)
    scan_page.add_routes(public, node)
    api.register_blueprint(public)
    api.register_blueprint(lists.blueprint(lambda: node.register, node.clock))


def _token() -> str | None:
    return request.args.get("m")


def _front(node: Node) -> Response:
    frame = node.frame()
    try:
        as_of, examples = node.register.meta().as_of, node.examples()
    except Unreadable:
        as_of, examples = None, []
    response = node.html(pages.front_page(frame, as_of, examples), frame)
    response.headers["Cache-Control"] = "no-cache"
    response.headers["ETag"] = etag(response.get_data())
    response.make_conditional(request)
    return response


def typed_or_answered(node: Node, typed: str) -> Response:
    """What was put into the field: on to the page that has an address of its own, or the verdict in place."""
    question = recognise(typed, node.hosts)
    answer = node.decide(question)
    named = _by_name(node, typed, answer)
    if named is not None:
        return named
    path = ""
    if question.path is not None and question.token is not None and question.token.isascii():
        path = f"{question.path.url_path}?m={quote(question.token, safe='')}"
    elif question.decided is None and question.token is None and (answer.unit is None or question.gtin):
        if answer.mark is not None and question.gtin is None:
            path = pages.mark_path(answer.mark.mark_no)
        elif question.gtin is not None and (answer.item is not None or answer.candidates):
            serial = f"/21/{quote(question.serial, safe='')}" if question.serial else ""
            path = f"/01/{question.gtin}{serial}"
        elif answer.certificate is not None:
            path = pages.certificate_path(answer.certificate.certificate_no)
    if not path:
        return node.respond(question)
    frame = node.frame()
    if frame.explicit:
        path += f"{'&' if '?' in path else '?'}lang={frame.language}"
    response = redirect(path, 303)
    response.headers["Cache-Control"] = "no-store"
    assert isinstance(response, Response)
    return response


def _by_name(node: Node, typed: str, answer: Answer) -> Response | None:
    """What is no number of the register may be a name in it."""
    unknown = answer.code is Code.UNKNOWN_NUMBER and not answer.question.mark_only
    if not (unknown or answer.code is Code.MALFORMED_NUMBER) or not is_a_name(typed) or answer.question.gtin:
        return None
    try:
        hits = found(node, typed, None)
    except AskedTooOften:
        if unknown:
            return None  # a look-up is answered, whatever the limit on searches
        raise
    if not hits.items and (unknown or any(c.isdigit() for c in typed)):
        return None
    return as_page(node, hits, None) if wanted() == HTML else as_document(node, hits)


def _many(node: Node, texts: list[str]) -> Response:
    if len(texts) > MANY:
        raise TooLarge(f"{len(texts)} texts; one request takes at most {MANY}", pointer="/q")
    answers = [node.decide(recognise(text, node.hosts)) for text in texts]
    content = dumps({"items": [as_json(answer) for answer in answers], "next": None})
    response = Response(content, content_type=JSON)
    response.headers["Cache-Control"] = "no-store"
    if any(answer.code is Code.STATUS_UNKNOWN for answer in answers):
        response.status_code = 503
        response.headers["Retry-After"] = str(_RETRY_S)
    return response


def _checks(node: Node, asked: Sequence[object]) -> Response:
    reason = node.why_not_ready()
    if reason is not None:
        raise CannotSay(reason)
    now = node.clock()
    try:
        content = dumps(listings.findings_json(asked, node.listing_source(now), now))
    except Unreadable as error:
        raise CannotSay(str(error)) from None
    response = Response(content, content_type=JSON)
    response.headers["Cache-Control"] = "no-store"
    return response


def _permit(node: Node, number: str, arguments: dict[str, Any]) -> Response:
    answer = answer_about(number, arguments["m"], node.register, node.clock(), node.stale_after)
    gtin = gtin14(arguments["gtin"]) if arguments["gtin"] else None
    at = arguments["at"] or answer.day
    deed = Deed(Act(arguments["act"]), at, arguments["made_on"], arguments["shipped_on"])
    rules = notices = None
    if answer.certificate is not None:
        try:
            directory = node.register.directory()
            rules, notices = directory.scheme_on(answer.certificate.scheme, at), directory.notices
        except Unreadable as reason:
            raise CannotSay(str(reason)) from None
    content = dumps(permit_json(answer, deed, rules, gtin, arguments["model"], arguments["batch"], notices))
    return node.cached(Response(content, content_type=JSON), answer, content[: content.rindex(b',"checked_at"')])


def _products(node: Node, uscc: str, model: str, kind: str) -> Response:
    uscc = normalised(uscc)
    question = recognise(uscc, node.hosts)
    if question.uscc is None:
        raise BadRequest("not a unified social credit code", pointer="/uscc")
    answer = node.decide(question)
    try:
        found = node.register.certificates_with("uscc", uscc)
        directory = node.register.directory()
    except Unreadable as reason:
        raise CannotSay(str(reason)) from None
    held = [one for one in found if one.certificate.holder.uscc == uscc]
    document = product_json(uscc, model, same_products(held, model), directory, answer)
    if answer.code is Code.STATUS_UNKNOWN:
        document |= {"code": answer.code.value, "products": []}
    if kind == HTML:
        if answer.code is Code.STATUS_UNKNOWN:
            return node.respond(question)
        frame = node.frame()
        told = () if document["products"] else coverage_of_all(directory, answer.day)
        response = node.html(product_page(document, answer, told, frame), frame)
        return node.cached(response, answer, dumps(document | {"checked_at": frame.language}))
    content = dumps(document)
    return node.cached(Response(content, content_type=JSON), answer, content[: content.rindex(b',"checked_at"')])


def _qr(node: Node, mark_no: str, form: str, gtin: str | None) -> Response:
    number = certificate_number(mark_no)
    try:
        found = next(iter(node.register.certificates_with("mark", number)), None)
        complete = node.register.meta().complete
    except Unreadable as reason:
        raise CannotSay(str(reason)) from None
    mark = found.certificate.mark(number) if found else None
    if found is None or mark is None:
        if not complete:
            raise CannotSay("the read model is still being built")
        raise NotFound(f"no mark {number}")
    standing = mark_standing(found.certificate, mark, civil_day(node.clock()))
    if standing in _ENDED:
        raise MarkEnded(f"mark {number} is {standing}")
    if form == "json":
        return _to_print(node, found, number, gtin14(gtin) if gtin else None)
    token = _token_for(found, number, gtin14(gtin) if gtin else None)
    url = _url_of(node, found, token)
    image, kind = _drawn(url, number, form), "image/svg+xml" if form == "svg" else "image/png"
    response = Response(image, content_type=kind)
    response.headers["Cache-Control"] = "no-cache"  # it ends with the authorization
    response.headers["ETag"] = etag(image)
    response.make_conditional(request)
    return response


def _to_print(node: Node, found: Found, mark_no: str, gtin: str | None) -> Response:
    """The addresses of all current codes of a mark, and what is printed beside them."""
    mark, scheme = (
        found.certificate.mark(mark_no),
        node.register.directory().scheme_on(found.certificate.scheme, civil_day(node.clock())),
    )
    assert mark is not None
    sign = scheme["mark"] if scheme else None
    codes = {}
    gtins = [gtin] if gtin else [product.gtin for product in mark.products] or [None]
    for one in gtins:
        token = _token_for(found, mark_no, one)
        codes[token.gtin] = {"gtin": token.gtin, "model": token.model or None, "url": _url_of(node, found, token)}
    said = {
        "mark_no": mark_no,
        "certificate_no": found.certificate.certificate_no,
        "mark": dict(sign["name"]) if sign else {"zh": mark.mark, "en": mark.mark},
        "holder": found.certificate.holder.name,
        "codes": list(codes.values()),
    }
    response = Response(dumps(said), content_type=JSON)
    response.headers["Cache-Control"] = "no-cache"
    return response


def _url_of(node: Node, found: Found, token: Token) -> str:
    path = MarkPath.of_product(token.gtin) if token.gtin else MarkPath.of_certificate(found.certificate.certificate_no)
    return f"{node.settings.public_url.lower()}{path.url_path}?m={_decimal(token)}"


def _token_for(found: Found, mark_no: str, gtin: str | None) -> Token:
    tokens = found.tokens_of(mark_no)
    mark = found.certificate.mark(mark_no)
    if gtin is not None:
        if mark is None or all(product.gtin != gtin for product in mark.products):
            raise NotFound(f"mark {mark_no} is not authorized for {gtin}", pointer="/gtin")
        tokens = [token for token in tokens if token.gtin == gtin]
    if not tokens:
        raise NotYetSigned(f"mark {mark_no} has no signed token", hint="try again in a moment")
    return tokens[0]


def _decimal(token: Token) -> str:
    return decimal(base64.urlsafe_b64decode(token.token + "=" * (-len(token.token) % 4)))


@lru_cache(maxsize=128)
def _drawn(url: str, mark_no: str, form: str) -> bytes:
    """Drawing takes far longer than everything else, and the same mark is asked for again."""
    drawn = qr.symbol(url)
    return qr.svg(drawn, mark_no) if form == "svg" else qr.png(drawn)
