"""Every error becomes one problem document, and nothing more than that."""

import json
import logging

import marshmallow as ma
import pytest
from flask import request
from flask.testing import FlaskClient

from services.api_docs import CONTENT_SECURITY_POLICY
from services.domain.advice import ADVICE, problem
from services.domain.errors import (
    BadEvent,
    CertmarkError,
    LogUnavailable,
    NumberTaken,
    TooManyRequests,
)
from services.web import SECURITY_HEADERS, Blueprint, service_app
from tests.whole_program import every_error

SECRET = "the-secret-of-the-trace"


class Query(ma.Schema):
    n = ma.fields.Integer(required=True)


class Slow(TooManyRequests):
    retry_after = 7


@pytest.fixture
def why_not() -> list[str]:
    return []


@pytest.fixture
def client(why_not: list[str]) -> FlaskClient:
    app, api = service_app("test", "a test", ready=lambda: why_not[0] if why_not else None)
    routes = Blueprint("routes", __name__)

    @routes.get("/taken")
    def taken() -> str:
        raise NumberTaken("2023 is taken", pointer="/subject", hint="take another")

    @routes.get("/slow")
    def slow() -> str:
        raise Slow("too fast")

    @routes.get("/log")
    def log() -> str:
        raise LogUnavailable("no acknowledgement")

    @routes.get("/broken")
    def broken() -> str:
        raise RuntimeError(SECRET)

    @routes.get("/query")
    @routes.arguments(Query, location="query")
    def query(arguments: dict[str, int]) -> dict[str, int]:
        return arguments

    @routes.post("/body")
    def body() -> dict[str, int]:
        return {"size": len(request.get_data())}

    api.register_blueprint(routes)
    return app.test_client()


def test_a_problem_has_every_field() -> None:
    assert problem(BadEvent("why", pointer="/data/x")) == {
        "type": "urn:certmark:problem:bad-event",
        "title": BadEvent.title,
        "title_zh": BadEvent.zh,
        "status": 400,
        "detail": "why",
        "detail_zh": "",
        "code": "bad-event",
        "pointer": "/data/x",
        "hint": " · ".join(ADVICE["bad-event"]),
    }


def test_every_error_has_a_slug_of_its_own_a_title_and_an_http_status() -> None:
    for slug, error in every_error().items():
        assert slug == error.slug
        assert error.title
        assert 400 <= error.status <= 599
    slugs = [error.slug for error in _leaves(CertmarkError)]
    assert len(slugs) == len(set(slugs))


def _leaves(error: type[CertmarkError]) -> list[type[CertmarkError]]:
    named = [below for below in error.__subclasses__() if "slug" in vars(below)]
    return named + [leaf for below in error.__subclasses__() for leaf in _leaves(below)]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/taken", 409, "number-taken"),
        ("GET", "/slow", 429, "too-many-requests"),
        ("GET", "/log", 503, "log-unavailable"),
        ("GET", "/nowhere", 404, "not-found"),
        ("POST", "/taken", 405, "method-not-allowed"),
        ("GET", "/query?n=x", 422, "bad-request"),
        ("GET", "/broken", 500, "internal-error"),
    ],
)
def test_errors_are_answered_as_problems(client: FlaskClient, method: str, path: str, status: int, code: str) -> None:
    answer = client.open(path, method=method)
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    document = json.loads(answer.data)
    assert (document["status"], document["code"]) == (status, code)
    assert document["type"] == f"urn:certmark:problem:{code}"


def test_a_body_over_the_limit_is_413(client: FlaskClient) -> None:
    answer = client.post("/body", data=b"x" * (9 * 1024 * 1024))
    assert (answer.status_code, answer.get_json(force=True)["code"]) == (413, "too-large")


def test_what_nobody_foresaw_is_logged_with_the_id_that_is_told(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, logger="certmark"):
        answer = client.get("/broken")
    assert SECRET not in answer.text
    assert "Traceback" not in answer.text
    number = answer.get_json(force=True)["detail"].removeprefix("logged as ")
    logged = caplog.records[-1]
    assert vars(logged)["fields"]["id"] == number
    assert logged.exc_info is not None
    assert SECRET in str(logged.exc_info[1])


def test_an_error_that_knows_how_long_to_wait_says_so(client: FlaskClient) -> None:
    assert client.get("/slow").headers["Retry-After"] == "7"
    assert client.get("/log").headers["Retry-After"] == "1"


def test_ready_or_why_not(client: FlaskClient, why_not: list[str]) -> None:
    assert client.get("/readyz").status_code == 200
    why_not.append("the keys are still being read")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.get_json(force=True)["detail"] == "the keys are still being read"
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/taken", "/nowhere", "/docs", "/openapi.json", "/broken"])
def test_every_answer_has_the_security_headers_and_no_cookie(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    own = {"Content-Security-Policy": CONTENT_SECURITY_POLICY} if path == "/docs" else {}
    for header, value in (SECURITY_HEADERS | own).items():
        assert answer.headers[header] == value
    assert "Set-Cookie" not in answer.headers


def test_the_documentation_needs_nothing_from_elsewhere(client: FlaskClient) -> None:
    page = client.get("/docs").text
    assert "<script" not in page
    assert "http://" not in page.replace("http://127.0.0.1", "")
    assert "https://" not in page
    for path in client.get("/openapi.json").get_json()["paths"]:
        assert path in page
    for slug in every_error():
        assert f"<code>{slug}</code>" in page
    assert "接口文档" in page


def test_the_openapi_document_is_3_1_and_names_the_problem(client: FlaskClient) -> None:
    document = client.get("/openapi.json").get_json()
    assert document["openapi"] == "3.1.0"
    assert set(document["components"]["schemas"]["Problem"]["required"]) == set(problem(BadEvent("x")))


def test_metrics_count_by_endpoint_never_by_a_strangers_path(client: FlaskClient) -> None:
    client.get("/nowhere/of-his-own-making")
    figures = client.get("/metrics").text
    assert 'certmark_requests_total{endpoint="none",service="test",status="404"}' in figures
    assert "of-his-own-making" not in figures
