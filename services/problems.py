"""Errors as answers: every CertmarkError and every HTTP error becomes one RFC 9457 problem document."""

import uuid
from types import MappingProxyType
from typing import Any

from flask import Flask, Response, json, request
from werkzeug.exceptions import HTTPException

from services import telemetry
from services.domain.advice import problem
from services.domain.errors import BadRequest, CertmarkError, Fault, NotFound, TooDeep, TooLarge, TooManyRequests

MEDIA_TYPE = "application/problem+json"


# --- what only HTTP knows; all else is in domain/errors.py ---------------------------------------------


class MethodNotAllowed(CertmarkError):
    slug = "method-not-allowed"
    title = "This address does not answer to that method"
    zh = "该地址不接受此方法"
    status = 405


class NotAcceptable(CertmarkError):
    slug = "not-acceptable"
    title = "None of the forms asked for can be given"
    zh = "无法以所要求的任何形式给出"
    status = 406


class RequestTooSlow(CertmarkError):
    slug = "request-too-slow"
    title = "The request did not come in time"
    zh = "请求未能及时送达"
    status = 408


class UnsupportedMediaType(CertmarkError):
    slug = "unsupported-media-type"
    title = "The request's content type is not one that is read here"
    zh = "此处不读取该内容类型"
    status = 415


class EncodedBody(UnsupportedMediaType):
    """RFC 9110, 15.5.16: who sends an encoding that is not read is told which is."""

    headers = MappingProxyType({"Accept-Encoding": "identity"})


class InternalError(CertmarkError):
    slug = "internal-error"
    title = "Something unforeseen happened here; it was logged under the id given"
    zh = "发生未预见的情况，已按所给编号记入日志"
    status = 500


class NotReady(Fault):
    slug = "not-ready"
    title = "The service cannot do its work at present"
    zh = "服务目前无法工作"


class ServiceAway(Fault):
    """Said by the proxy, as 504 is (deploy/proxy)."""

    slug = "service-away"
    title = "The service behind this address does not answer"
    zh = "该地址的服务没有应答"
    status = 502


class ServiceSlow(Fault):
    slug = "service-slow"
    title = "The service behind this address has not answered in time"
    zh = "该地址的服务没有及时应答"
    status = 504


_BY_STATUS: dict[int, type[CertmarkError]] = {
    error.status: error
    for error in (NotFound, MethodNotAllowed, NotAcceptable, TooLarge, UnsupportedMediaType, TooManyRequests, NotReady)
}


def problem_response(error: CertmarkError, status: int | None = None) -> Response:
    """The HTTP answer; `status` overrides the error's own (a library's 422 stays a 422)."""
    document = problem(error)
    document["status"] = status or error.status
    response = Response(json.dumps(document), document["status"], content_type=MEDIA_TYPE)
    response.headers["Cache-Control"] = "no-store"
    response.headers.update(getattr(error, "headers", {}))  # WWW-Authenticate of a 401
    if document["status"] in (429, 503):
        # An error may know how long to wait; otherwise a second, so that nobody hammers a service in trouble.
        response.headers["Retry-After"] = str(getattr(error, "retry_after", 1))
    return response


def install(app: Flask) -> None:
    """Answer every error of `app` with a problem document; what nobody foresaw is logged, its trace never shown."""
    app.register_error_handler(CertmarkError, _answer_error)
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(RecursionError, _answer_depth)
    app.register_error_handler(Exception, _answer_unforeseen)


def _answer_error(error: CertmarkError) -> Response:
    if error.status >= 500:
        telemetry.warning("request failed", code=error.slug, detail=error.detail, path=request.path)
    return problem_response(error)


def _answer_http(error: HTTPException) -> Response:
    code = error.code or 500
    if code >= 500 and code != 503:
        return _answer_unforeseen(error)
    if error.response is not None or code < 400:  # a redirect, or an answer that somebody made ready
        response = error.get_response()
        assert isinstance(response, Response)
        return response
    detail, pointer = _told(error)
    kind = _BY_STATUS.get(code, BadRequest)
    response = problem_response(kind(detail, pointer=pointer), code)
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value  # Allow of a 405, Retry-After of a 429
    return response


def _told(error: HTTPException) -> tuple[str, str]:
    """What a request check found, as a sentence and a pointer (webargs leaves {place: {field: [texts]}})."""
    found: Any = (getattr(error, "data", None) or {}).get("messages")
    path: list[str] = []
    while isinstance(found, dict) and found:
        name, found = next(iter(found.items()))
        path.append(str(name))
    if not path:
        return error.description or error.name, ""
    text = found[0] if isinstance(found, list) and found else found
    return f"{'/'.join(path)}: {text}", "/" + "/".join(path[1:])


def _answer_depth(error: RecursionError) -> Response:
    """JSON that is nested as deep as nobody means it; anywhere else it is a fault of ours."""
    if request.is_json:
        return problem_response(TooDeep("the JSON is nested too deeply to be read"))
    return _answer_unforeseen(error)


def _answer_unforeseen(error: Exception) -> Response:
    cause = getattr(error, "original_exception", None) or error
    number = str(uuid.uuid4())
    telemetry.error("unforeseen error", cause, id=number, path=request.path, method=request.method)
    return problem_response(InternalError(f"logged as {number}"))
