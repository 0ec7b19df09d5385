"""The verify service's HTTP interface: verdict pages and their JSON, look-ups one by one or in bulk, QR images."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from flask import Flask, Response, request
from flask_smorest import Api

from services import asgi, telemetry
from services.api_docs import Link
from services.domain.consequence import Act
from services.domain.deed import Deed
from services.domain.errors import BadRequest, TooLarge
from services.domain.identifiers import gtin14, normalised
from services.events import published
from services.language import LANGUAGES, accepted_language
from services.problems import MEDIA_TYPE
from services.settings import Settings, settings_from
from services.verify import listings, lists, pages, proof, receipt, scan_page
from services.verify.answer import coverage_of_all
from services.verify.answer_schemas import (
    MANY,
    SHOWN,
    AnswerSchema,
    AnswersSchema,
    LinksetSchema,
    ManySchema,
    MarkToPrintSchema,
    PermitQuery,
    PermitSchema,
    ProductQuery,
    ProductSchema,
    QrQuery,
    VerifyQuery,
)
from services.verify.as_json import as_json, dumps
from services.verify.mark_codes import qr_image_of
from services.verify.node import HSTS, HTML, JSON, LINKSET, RETRY_S, Node, wanted
from services.verify.permits import answer_about, permit_json
from services.verify.photo_routes import add_photo
from services.verify.product_page import product_page
from services.verify.products import certificates_for, product_json
from services.verify.quick import QuickPath, etag
from services.verify.read_model import Unreadable
from services.verify.recognise import of_certificate, of_digital_link, of_gtin, of_mark, recognise
from services.verify.register import CannotSay
from services.verify.report_routes import add_report
from services.verify.search_routes import HitsSchema, add_search
from services.verify.site import routes as site
from services.verify.typed import typed_or_answered
from services.verify.warm import WarmPath
from services.verify.wording import LABELS, Code
from services.web import LARGEST_BODY, SECURITY_HEADERS, Blueprint, service_app

# --- the application --------------------------------------------------------------------------------------------


def create_app() -> Flask:
    """The application for the server, with the settings of the environment."""
    telemetry.log_as_json("verify")
    return app_for(settings_from(), _now)


def create_server() -> asgi.Front:
    """The same for an ASGI server: no slow sender holds its thread, and a look-up costs more (docs/decisions/0044)."""
    return asgi.Front(create_app(), LARGEST_BODY)


def app_for(settings: Settings, clock: Callable[[], datetime]) -> Flask:
    node = Node(settings, clock)
    app, api = service_app(
        "verify",
        "certmark verify",
        ready=node.why_not_ready,
        navigation=[Link(path, {"zh": LABELS[name].zh, "en": LABELS[name].en}) for path, name in pages.NAVIGATION],
        error_types=(MEDIA_TYPE, HTML),
    )
    app.extensions["certmark-verify"] = node
    published.add_published(api, ["State"])
    api.spec.components.schema("Certificate", SHOWN)
    app.url_map.strict_slashes = False  # people type one at the end
    _add_routes(api, node)
    api.register_blueprint(site.blueprint(node))
    api.register_blueprint(published.blueprint())
    api.register_blueprint(proof.blueprint(node))
    api.register_blueprint(receipt.blueprint(node))
    app.before_request(node.admit)
    app.after_request(node.finish)
    headers = [*SECURITY_HEADERS.items(), HSTS, ("Vary", "Accept, Accept-Language")]
    app.wsgi_app = WarmPath(  # type: ignore[method-assign]
        app.wsgi_app,
        settings.data / "verify",
        node.stale_after,
        list((dict(headers) | {"Content-Security-Policy": pages.CONTENT_SECURITY_POLICY}).items()),
        node.clock,
        accepted_language,
        node.has_to_wait,
        node.page_of,
    )
    app.wsgi_app = QuickPath(  # type: ignore[method-assign]
        app.wsgi_app, settings.data / "verify", node.stale_after, headers, node.clock, node.has_to_wait
    )
    return app


def _now() -> datetime:
    return datetime.now(UTC)


# --- the routes --------------------------------------------------------------------------------------------------


def _forms(schema: Any) -> dict[int, dict[str, Any]]:
    """What a verdict's address answers, its JSON by this schema."""
    return {
        200: {
            "description": "The verdict, every decided code included; by `Accept` a page, JSON or a linkset",
            "content": {HTML: {}, JSON: {"schema": schema}, LINKSET: {"schema": LinksetSchema}},
        },
        503: {
            "description": "`status_unknown`: this node cannot say at present",
            "content": {HTML: {}, JSON: {"schema": schema}},
        },
    }


_FORMS = _forms(AnswerSchema)
_M = {"name": "m", "in": "query", "schema": {"type": "string"}, "description": "The mark's signed token, in decimal"}
_AFTER = {"name": "after", "in": "query", "schema": {"type": "string"}, "description": "`next` of the page before"}
_LANG = {"name": "lang", "in": "query", "schema": {"type": "string", "enum": list(LANGUAGES)}}


def _add_routes(api: Api, node: Node) -> None:
    public = Blueprint("verify", __name__, description="Look-ups by numbers, addresses and QR texts")

    @public.get("/")
    @public.doc(
        summary="The page with one field; with `q` the verdict",
        parameters=[{"name": "q", "in": "query", "schema": {"type": "string"}}, _LANG],
        responses={**_forms({"oneOf": [AnswerSchema, HitsSchema]}), 303: {"description": "To the verdict's page"}},
    )
    def front() -> Response:
        typed = request.args.get("q", "").strip()
        return typed_or_answered(node, typed) if typed else _front(node)

    @public.get("/c/<path:number>")
    @public.doc(summary="Verdict on a certificate or declaration", parameters=[_M, _LANG], responses=_FORMS)
    def certificate(number: str) -> Response:
        return node.respond(of_certificate(number.rstrip("/"), _token()))

    @public.get("/m/<path:mark_no>")
    @public.doc(summary="Verdict on a mark authorization", parameters=[_LANG], responses=_FORMS)
    def mark(mark_no: str) -> Response:
        return node.respond(of_mark(mark_no.rstrip("/")))

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
    @public.doc(
        summary="May goods or services that bear the certificate be shipped, sold, imported, used, shown?",
        responses={307: {"description": "With `known_at`: to the registry, which knows what was known then"}},
    )
    def permit(arguments: dict[str, Any], number: str) -> Response:
        return _permit(node, number, arguments)

    @public.get("/v1/products")
    @public.arguments(ProductQuery, location="query")
    @public.response(200, ProductSchema, description="What stands about the product, over all its bodies")
    @public.alt_response(503, schema=ProductSchema, description="`status_unknown`: this node cannot say at present")
    @public.doc(summary="One holder's product by its model: one answer over several bodies' certificates")
    def products_of(arguments: dict[str, Any]) -> Response:
        return _products(node, arguments["uscc"], arguments["model"], arguments["after"], JSON)

    @public.get("/products/<uscc>/<path:model>")
    @public.doc(
        summary="One holder's product by its model, as a page; JSON by `Accept`",
        parameters=[_AFTER, _LANG],
        responses={200: {"description": "A page", "content": {HTML: {}, JSON: {"schema": ProductSchema}}}},
    )
    def product_of(uscc: str, model: str) -> Response:
        return _products(node, uscc, model[:200], request.args.get("after", ""), HTML if wanted() == HTML else JSON)

    @public.get("/qr/<path:mark_no>.<any(svg, png, json):form>")
    @public.arguments(QrQuery, location="query")
    @public.doc(
        summary="The mark's signed QR code",
        responses={
            200: {
                "description": "The image; as JSON what a printer needs of every product's code",
                "content": {"image/svg+xml": {}, "image/png": {}, JSON: {"schema": MarkToPrintSchema}},
            },
            404: {"description": "No such mark, or not for this product"},
            409: {"description": "The authorization has ended, or no token is signed yet"},
        },
    )
    def qr_image(arguments: dict[str, Any], mark_no: str, form: str) -> Response:
        return qr_image_of(node, mark_no, form, arguments["gtin"])

    add_search(public, node)
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


def _many(node: Node, texts: list[str]) -> Response:
    if len(texts) > MANY:
        raise TooLarge(f"{len(texts)} texts; one request takes at most {MANY}", pointer="/q")
    answers = [node.decide(recognise(text, node.hosts)) for text in texts]
    content = dumps({"items": [as_json(answer) for answer in answers], "next": None})
    response = Response(content, content_type=JSON)
    response.headers["Cache-Control"] = "no-store"
    if any(answer.code is Code.STATUS_UNKNOWN for answer in answers):
        response.status_code = 503
        response.headers["Retry-After"] = str(RETRY_S)
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
    if arguments["known_at"] is not None:
        return _known_then(node, number, arguments["m"])
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


def _known_then(node: Node, number: str, token: str | None) -> Response:
    """A node holds what is known now; the registry has every entry, and answers the same question for each instant."""
    if token is not None:
        raise BadRequest(
            "a code's signature is checked as things are now",
            pointer="/m",
            hint="with known_at put the mark's number in the place of the certificate's",
        )
    to = f"{node.settings.registry_url}/v1/certificates/{quote(number, safe='')}/permits?{urlencode(request.args)}"
    return Response(status=307, headers={"Location": to, "Cache-Control": "no-store"})


def _products(node: Node, uscc: str, model: str, after: str, kind: str) -> Response:
    uscc = normalised(uscc)
    question = recognise(uscc, node.hosts)
    if question.uscc is None:
        raise BadRequest("not a unified social credit code", pointer="/uscc")
    answer = node.decide(question)
    try:
        matching, more = certificates_for(node.register, uscc, model, after)
        directory = node.register.directory()
    except Unreadable as reason:
        raise CannotSay(str(reason)) from None
    document = product_json(uscc, model, matching, directory, answer, more=more, whole=not after and more is None)
    if answer.code is Code.STATUS_UNKNOWN:
        document |= {"code": answer.code.value, "products": [], "next": None}
    if kind == HTML:
        if answer.code is Code.STATUS_UNKNOWN:
            return node.respond(question)
        frame = node.frame()
        told = () if document["products"] or more else coverage_of_all(directory, answer.day)
        response = node.html(product_page(document, answer, told, frame), frame)
        return node.cached(response, answer, dumps(document | {"checked_at": frame.language}))
    content = dumps(document)
    return node.cached(Response(content, content_type=JSON), answer, content[: content.rindex(b',"checked_at"')])
