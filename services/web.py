"""The frame of every service's HTTP application: health, metrics, OpenAPI document, problems, headers."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import flask_smorest
import marshmallow as ma
from apispec import BasePlugin
from flask import Flask, Request, Response, g, json, request
from flask_smorest import Api
from webargs.flaskparser import FlaskParser
from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.http import parse_accept_header
from werkzeug.utils import cached_property

from services import api_docs, parameters, problems, telemetry
from services.asgi import TOO_SLOW
from services.domain.errors import BadRequest
from services.language import LANGUAGES

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
"""Put on every answer that does not state its own. Pages have their style inside and no script at all."""

LARGEST_BODY = 8 * 1024 * 1024 + 64 * 1024
"""Bytes of a body that a service takes where it says nothing else; deploy/nginx.conf lets as much through."""
_DRAINED = 64 * 1024 * 1024

_UNCODED = ("", "identity")
_READS = "certmark_reads"

View = TypeVar("View", bound=Callable[..., Any])


def reads(encoding: str) -> Callable[[View], View]:
    """Next to a view: it reads bodies in this encoding as well; everywhere else they come plain."""

    def mark(view: View) -> View:
        setattr(view, _READS, encoding)
        return view

    return mark


class _Parser(FlaskParser):
    """Says of a body that is no JSON that it is none, where the library would miss its members one by one."""

    def load_json(self, req: Request, schema: ma.Schema) -> Any:
        if not req.is_json:
            kind = req.mimetype[:80]
            raise problems.UnsupportedMediaType(f"the content type is {kind!r}", hint="application/json")
        return super().load_json(req, schema)


class _Request(Request):
    @cached_property
    def accept_mimetypes(self) -> MIMEAccept:
        return accepted_types(self.headers.get("Accept", ""))


def accepted_types(header: str) -> MIMEAccept:
    """The media types that a client accepts, without parameters: JSON is JSON with `charset=utf-8` behind it, too."""
    accepted = parse_accept_header(header, MIMEAccept)
    return MIMEAccept([(kind.partition(";")[0].strip(), quality) for kind, quality in accepted])


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]  # flask-smorest has no type information
    """flask-smorest's blueprint with types for the decorators that we use, so that views stay typed."""

    ARGUMENTS_PARSER = _Parser()

    if TYPE_CHECKING:

        def route(self, rule: str, **options: Any) -> Callable[[View], View]: ...
        def get(self, rule: str, **options: Any) -> Callable[[View], View]: ...
        def post(self, rule: str, **options: Any) -> Callable[[View], View]: ...
        def doc(self, **options: Any) -> Callable[[View], View]: ...
        def arguments(self, schema: Any, **options: Any) -> Callable[[View], View]: ...
        def response(self, status_code: int, schema: Any = None, **options: Any) -> Callable[[View], View]: ...
        def alt_response(self, status_code: int, response: Any = None, **options: Any) -> Callable[[View], View]: ...


DETAIL_ZH = "The detail in Chinese, where it is a sentence of ours"


class ProblemSchema(ma.Schema):
    """RFC 9457, with the register's own `code`, `pointer` and `hint`."""

    type = ma.fields.String(required=True, metadata={"description": "urn:certmark:problem:<code>"})
    title = ma.fields.String(required=True)
    title_zh = ma.fields.String(required=True, metadata={"description": "The title in Chinese"})
    status = ma.fields.Integer(required=True)
    detail = ma.fields.String(required=True)
    detail_zh = ma.fields.String(required=True, metadata={"description": DETAIL_ZH})
    code = ma.fields.String(required=True, metadata={"description": "Stable name of the error"})
    pointer = ma.fields.String(required=True, metadata={"description": "RFC 6901 pointer of the member concerned"})
    hint = ma.fields.String(required=True, metadata={"description": "What to do about it"})
    pointers = ma.fields.List(
        ma.fields.String(), metadata={"description": "Of every member concerned, where several are"}
    )


class WordsSchema(ma.Schema):
    """The same words in both languages."""

    zh = ma.fields.String(required=True)
    en = ma.fields.String(required=True)


class CodedWordsSchema(WordsSchema):
    code = ma.fields.String(required=True)


class StatusSchema(ma.Schema):
    status = ma.fields.String(required=True)


class _Api(Api):  # type: ignore[misc]  # flask-smorest has no type information
    ERROR_SCHEMA = ProblemSchema

    def __init__(self, app: Flask, **options: Any) -> None:
        super().__init__(app, **options)
        self.text = cache(lambda: json.dumps(api_docs.document_in(self.spec.to_dict(), api_docs.both)))

    def _openapi_json(self) -> Response:
        return unchanging(Response(self.text(), content_type="application/json"))

    def _register_pagination_header(self) -> None:
        """Lists here say `next` in their body, and have no such header."""

    def _register_responses(self) -> None:
        """Document errors with the type that they are sent with."""
        self.DEFAULT_RESPONSE_CONTENT_TYPE = problems.MEDIA_TYPE
        super()._register_responses()
        del self.DEFAULT_RESPONSE_CONTENT_TYPE


_PROBLEM = {"$ref": "#/components/schemas/Problem"}


class _Contents(BasePlugin):
    """Tells of an operation the refusals that follow from its form, and what types an error has."""

    def __init__(self, *error_types: str) -> None:
        super().__init__()
        self._error = {kind: {"schema": _PROBLEM} if kind == problems.MEDIA_TYPE else {} for kind in error_types}

    def response_helper(self, response: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {"content": self._error} if problems.MEDIA_TYPE in response.get("content", {}) else {}

    def operation_helper(self, path: str | None = None, operations: dict[Any, Any] | None = None, **_: Any) -> None:
        for operation in (operations or {}).values():
            responses: dict[int | str, Any] = operation["responses"]
            if (path or "").startswith(parameters.PROGRAMS):
                responses.setdefault(400, {"description": "A parameter is unknown, or its value cannot be read"})
            if "requestBody" in operation:
                responses.setdefault(413, {"description": "The body is larger than its limit"})
                responses.setdefault(415, {"description": "The body is of a type that is not read here"})
            if "security" in operation:
                responses.setdefault(401, {"description": "No token, or none that counts"})
                responses.setdefault(403, {"description": "The token's role does not allow this"})
            for status, told in responses.items():
                if not isinstance(told, dict) or "content" in told:
                    continue
                if int(status) >= BadRequest.status:
                    told["content"] = self._error


def answers(schema: type[ma.Schema] | dict[str, Any], description: str, status: int = 200) -> dict[int, dict[str, Any]]:
    """What the document says of an answer whose JSON the view writes by itself, unchecked by the schema."""
    return {status: {"description": description, "content": {"application/json": {"schema": schema}}}}


def service_app(
    name: str,
    title: str,
    *,
    ready: Callable[[], str | None],
    navigation: Sequence[api_docs.Link] = (),
    error_types: Sequence[str] = (problems.MEDIA_TYPE,),
) -> tuple[Flask, Api]:
    """A Flask application with what every service answers to.

    `name` is the service's one word in logs and metrics; `ready` gives None, or why the service cannot
    work at present; `navigation` is where its documentation leads to; `error_types` are the media types that its errors
    may have. Register blueprints on the returned Api, so that they enter the OpenAPI document.
    """
    app = Flask(f"services.{name}", static_folder=None)
    app.request_class = _Request
    app.config.update(
        API_TITLE=title,
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
        MAX_CONTENT_LENGTH=LARGEST_BODY,
    )
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.json.sort_keys = False  # type: ignore[attr-defined]
    api = _Api(app, spec_kwargs={"extra_plugins": [_Contents(*error_types)]})
    problems.install(app)  # after Api, whose own handler for HTTP errors it replaces
    api.register_blueprint(_service_pages(title, ready, api, navigation))
    _measure(app, name)

    @app.before_request
    def refuse_what_did_not_come() -> None:
        if request.environ.get(TOO_SLOW):
            raise problems.RequestTooSlow("the body did not come in time", hint="send it again, in smaller parts")
        encoding = request.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in _UNCODED and getattr(app.view_functions.get(request.endpoint or ""), _READS, "") != encoding:
            raise problems.EncodedBody(f"the body is encoded: {encoding[:32]!r}", hint="不要压缩 · send it plain")

    parameters.refuse_unknown(app, api.spec.to_dict)

    @app.after_request
    def add_headers(response: Response) -> Response:
        if response.status_code >= BadRequest.status:
            _drain()
        for header, value in SECURITY_HEADERS.items():
            response.headers.setdefault(header, value)
        response.headers.setdefault("Cache-Control", "no-cache")
        return response

    return app, api


def _drain() -> None:
    """Read on, within reason: a client that is still sending would meet a closed connection instead of the refusal."""
    left = _DRAINED
    stream = request.environ["wsgi.input"]
    with suppress(RequestEntityTooLarge):
        stream = request.stream  # ends where the body does, which not every server sees to
    while left > 0:
        try:
            read = stream.read(min(left, 65536))
        except RequestEntityTooLarge:  # a body that does not tell its length, and has come to its limit
            stream = request.environ["wsgi.input"]
            continue
        except ClientDisconnected:
            return
        if not read:
            return
        left -= len(read)


def _service_pages(
    title: str, ready: Callable[[], str | None], api: Api, navigation: Sequence[api_docs.Link]
) -> Blueprint:
    pages = Blueprint(
        "service", __name__, description="Health, figures and documentation", template_folder=api_docs.TEMPLATES
    )

    @pages.get("/healthz")
    @pages.doc(summary="Does the process run?", responses=answers(StatusSchema, "It does"))
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @pages.get("/readyz")
    @pages.doc(
        summary="Can the service do its work?",
        responses={**answers(StatusSchema, "It can"), 503: {"description": "It cannot; `detail` says why"}},
    )
    def readiness() -> dict[str, str]:
        why_not = ready()
        if why_not:
            raise problems.NotReady(why_not)
        return {"status": "ready"}

    @pages.get("/metrics")
    @pages.doc(
        summary="Figures of this service for Prometheus",
        responses={200: {"description": "Prometheus text format", "content": {"text/plain": {}}}},
    )
    def metrics() -> Response:
        return Response(telemetry.figures(), content_type=telemetry.FIGURES_TYPE)

    page = cache(lambda language: api_docs.page(title, api.spec.to_dict(), navigation, language))

    @pages.get("/docs")
    @pages.doc(
        summary="This documentation",
        parameters=[{"name": "lang", "in": "query", "schema": {"type": "string", "enum": list(LANGUAGES)}}],
        responses={200: {"description": "HTML", "content": {"text/html": {}}}},
    )
    def docs() -> Response:
        response = Response(page(api_docs.language_wanted()), content_type="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = api_docs.CONTENT_SECURITY_POLICY
        response.vary.add("Accept-Language")
        return unchanging(response)

    return pages


def unchanging(response: Response) -> Response:
    """What changes with the program alone may be kept by who asks again with its tag."""
    response.add_etag(weak=True)
    response.headers["Cache-Control"] = "no-cache"
    response.make_conditional(request)
    return response


def _measure(app: Flask, name: str) -> None:
    requests = telemetry.counter("certmark_requests_total", "Requests answered", "service", "endpoint", "status")
    seconds = telemetry.histogram("certmark_request_seconds", "Time to an answer", "service", "endpoint")

    @app.before_request
    def start() -> None:
        g.stopwatch = telemetry.Stopwatch()

    @app.after_request
    def count(response: Response) -> Response:
        endpoint = request.endpoint or "none"  # a bounded label: never the path that a stranger chose
        requests.labels(name, endpoint, str(response.status_code)).inc()
        stopwatch: telemetry.Stopwatch | None = g.get("stopwatch")
        if stopwatch is not None:
            seconds.labels(name, endpoint).observe(stopwatch.seconds)
        return response
