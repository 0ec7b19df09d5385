"""One address, many forms; what every answer bears; what every channel says; input that nobody should send."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from services import cli
from services.domain.certificate import Json
from services.events import client as http_client
from services.verify.wording import ANSWERS, BESIDE, NOTED, Code, Note
from tests.linkset_schema import SCHEMA
from tests.sealed_register import NOW, SealedRegister, demonstration
from tests.verify_service import Service

SYSTEM, DECLARED, UNKNOWN, VALID = "790826Q00031R0S", "SDOC-2025-000731", "2023990703999999", "2023990703000117"
GREEN = ("GP-7904-2024-00045", "GP-7907-2024-00102")
MODEL_PATH = "/products/91310114MAXX00816W/18L"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("forms"), green_register())
    yield service
    service.projector.close()


def green_register() -> SealedRegister:
    """The demonstration, its green certificates' marks with what the bodies assessed."""
    register = SealedRegister().publish_all()
    said: tuple[Json, ...] = (
        {"name": "VOC", "value": 18, "unit": "g/L"},
        {"name": "环境标志要求", "value": "符合", "unit": None},
    )
    for number, attribute in zip(GREEN, said, strict=True):
        certificate = demonstration(number)
        mark = replace(certificate.marks[0], attributes=(attribute,))
        register.publish_certificate(replace(certificate, marks=(mark,)))
    register.heartbeat()
    return register


@pytest.fixture
def client(shared: Service) -> FlaskClient:
    shared.clock.now = NOW
    return shared.client


# --- linksets and GS1's addresses ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        f"/c/{VALID}",
        f"/c/{UNKNOWN}",
        "/m/M-SHB-P-2024-0031",
        "/01/06909900123007",
        "/01/06909900126701",
        "/01/06909900126701/21/79",
        "/01/09999999999994",
    ],
)
@pytest.mark.parametrize("way", ["Accept", "linkset", "all"])
def test_a_linkset_is_one_by_its_rfc(client: FlaskClient, path: str, way: str) -> None:
    headers = {"Accept": "application/linkset+json"} if way == "Accept" else {}
    response = client.get(path if way == "Accept" else f"{path}?linkType={way}", headers=headers)
    assert response.mimetype == "application/linkset+json"
    document = json.loads(response.data)
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(document, SCHEMA)
    (context,) = document["linkset"]
    assert context["anchor"] == f"http://127.0.0.1:8080{path}"


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"linkset": {}},
        {"linkset": [{"anchor": "x", "up": {"href": "y"}}]},
        {"linkset": [{"up": [{"title": "y"}]}]},
        {"linkset": [{"up": [{"href": "y", "hreflang": "zh"}]}]},
        {"linkset": [{"up": [{"href": "y", "title*": ["z"]}]}]},
    ],
)
def test_the_schema_finds_what_is_no_linkset(broken: object) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, SCHEMA)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/01/06909900123007", "valid"),
        ("/01/6909900123007", "valid"),
        ("/01/06909900123007/10/LOT-7", "valid"),
        ("/01/06909900123007/22/2A/10/LOT-7/21/79", "valid"),
        ("/01/06909900123007/22/2A", "valid"),
        ("/01/06909900123007/10/LOT-7/21/79", "valid"),
        ("/01/06909900123007/21/79/10/LOT-7", "unreadable"),  # GS1's order is variant, batch, serial
        ("/01/06909900123007/99/x", "unreadable"),
        ("/01/06909900123007/10", "unreadable"),
        ("/01/06909900123008", "malformed_number"),  # the check digit
        ("/01/069099001230070", "malformed_number"),
        ("/01/09999999999994", "unknown_number"),
    ],
)
def test_gs1_addresses_are_answered_or_explained(client: FlaskClient, path: str, code: str) -> None:
    answer = client.get(path, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.get_json()["code"]) == (200, code)
    page = client.get(path)
    assert page.status_code == 200
    assert f"<code>{code}</code>" in page.text
    asked = client.get("/v1/verify", query_string={"q": f"http://127.0.0.1:8080{path}"}).get_json()
    assert asked["code"] == (code if code != "unreadable" else "not_ours")


# --- a product over all its bodies ---------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_green_products_page_has_all_its_bodies_and_what_each_assessed(client: FlaskClient, language: str) -> None:
    page = client.get(f"{MODEL_PATH}?lang={language}")
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert f"<h1>{ANSWERS[Code.VALID].title[language]}</h1>" in page.text
    for text in (*GREEN, "18 g/L", "符合", "示范绿色产品认证有限公司", "示范环境标志认证有限公司"):
        assert text in page.text
    assert "<script" not in page.text


def test_a_products_page_is_linked_and_negotiated(client: FlaskClient) -> None:
    for path in (f"/c/{GREEN[0]}", "/01/06909900126701"):
        assert f'href="{MODEL_PATH}"' in client.get(path).text
    assert "/products/" not in client.get(f"/c/{VALID}").text
    document = client.get(MODEL_PATH, headers={"Accept": "application/json"}).get_json()
    machine = client.get("/v1/products", query_string={"uscc": "91310114MAXX00816W", "model": "18L"}).get_json()
    assert document == machine
    assert [one["name"] for one in document["products"][0]["attributes"]] == ["环境标志要求", "VOC"]


def test_a_product_that_nobody_certified_is_a_negative_like_others(client: FlaskClient) -> None:
    page = client.get("/products/91310114MAXX00816W/99L").text
    assert f"<h1>{ANSWERS[Code.UNKNOWN_NUMBER].title.zh}</h1>" in page
    assert "本系统收录范围" in page
    assert client.get("/products/1234/99L").status_code == 400


# --- said on every channel: page, JSON, bulk, command line -----------------------------------------------------


class Asked:
    """Answers to one number on each channel as texts and as JSON."""

    def __init__(self, shared: Service, number: str, monkeypatch: pytest.MonkeyPatch) -> None:
        web = shared.client
        self.pages = {
            lang: web.get("/", query_string={"q": number, "lang": lang}, follow_redirects=True).text
            for lang in ("zh", "en")
        }
        self.one = web.get("/v1/verify", query_string={"q": number}).get_json()
        (self.bulk,) = web.post("/v1/verify", json={"q": [number]}).get_json()["items"]

        def get(_self: object, path: str, **query: str) -> Any:
            return web.get(path, query_string=query).get_json()

        monkeypatch.setattr(http_client.Service, "get", get)
        self.command = CliRunner().invoke(cli.main, ["verify", number]).output
        self.code = CliRunner().invoke(cli.main, ["verify", number]).exit_code


@pytest.fixture
def asked(shared: Service, monkeypatch: pytest.MonkeyPatch) -> Any:
    shared.clock.now = NOW
    monkeypatch.setattr(shared.clock, "now", NOW)
    return lambda number: Asked(shared, number, monkeypatch)


def test_a_systems_certificate_endorses_no_product_on_any_channel(asked: Any) -> None:
    found = asked(SYSTEM)
    assert "不代表其产品通过认证" in found.pages["zh"]
    assert "does not certify its products" in found.pages["en"]
    for answer in (found.one, found.bulk):
        assert answer["code"] == "valid"
        assert answer["certificate"]["product"] is None
        assert answer["item"] is None
        assert "scope_limited" not in answer["notes"]
        assert answer["certificate"]["about"] == "organisation"
    assert "does not certify its products" in found.command
    assert "不代表其产品通过认证" in found.command
    listed = found.pages["zh"]
    assert "能不能卖" not in listed  # there is nothing to sell


def test_a_self_declaration_is_labelled_on_every_channel(asked: Any) -> None:
    found = asked(DECLARED)
    for language in ("zh", "en"):
        assert BESIDE[Note.SELF_DECLARED][language].rstrip("。.") in found.pages[language]
        assert NOTED[Note.SELF_DECLARED].title[language] in found.pages[language]
        assert BESIDE[Note.SELF_DECLARED][language] in found.command
    for answer in (found.one, found.bulk):
        assert "self_declared" in answer["notes"]
        assert answer["title"]["zh"] == NOTED[Note.SELF_DECLARED].title.zh
        assert answer["certificate"]["declaration"] is True


@pytest.mark.parametrize("number", [UNKNOWN, "CQC2099000001", "09999999999994"])
def test_every_negative_answer_says_what_the_register_covers(asked: Any, number: str) -> None:
    found = asked(number)
    assert "本系统收录范围" in found.pages["zh"]
    assert "What this register covers" in found.pages["en"]
    for answer in (found.one, found.bulk):
        assert answer["code"] == "unknown_number"
        assert all({"scheme", "complete", "zh", "en"} <= one.keys() for one in answer["coverage"])
        assert answer["coverage"]
    assert found.code == 1
    assert "收录范围 coverage" in found.command


# --- never a yes on stale data ------------------------------------------------------------------------------------


def test_no_channel_says_yes_on_stale_data(shared: Service) -> None:
    shared.clock.now = NOW + timedelta(hours=25)
    web = shared.client
    every = (
        f"/c/{VALID}", f"/?q={VALID}", "/m/M-SHB-P-2024-0031", "/01/06909900123007", f"/v1/verify?q={VALID}",
        f"/v1/verify?q=%20{VALID}", f"/v1/verify?q={UNKNOWN}", MODEL_PATH,
        "/v1/products?uscc=91310114MAXX00816W&model=18L",
        "/v1/search?q=空调", "/search?q=空调", "/?q=空调", f"/v1/certificates/{VALID}/permits?act=sell",
    )  # fmt: skip
    for path in every:
        for accept in ("text/html", "application/json"):
            answer = web.get(path, headers={"Accept": accept})
            assert answer.status_code == 503, path
            assert answer.headers["Cache-Control"] == "no-store", path
            assert int(answer.headers["Retry-After"]) > 0, path
            assert 'class="v yes"' not in answer.text
            assert '"family":"yes"' not in answer.text
            assert '"allowed":"yes"' not in answer.text
    bulk = web.post("/v1/verify", json={"q": [VALID, UNKNOWN, "?"]})
    assert bulk.status_code == 503
    assert [one["code"] for one in bulk.get_json()["items"]] == ["status_unknown", "status_unknown", "malformed_number"]
    shared.clock.now = NOW


# --- what every answer bears -----------------------------------------------------------------------------------------

PROTECTED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def routes(service: Service) -> Iterator[tuple[str, str]]:
    """Every route of the application with something for its placeholders."""
    for rule in service.app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) & {"GET", "POST"}):
            yield (
                method,
                re.sub(r"<[^>]*any\(svg, png\):[^>]*>", "svg", re.sub(r"<(?!any)[^>]*(?<!form)>", "x1", rule.rule)),
            )


def test_every_answer_of_every_route_is_protected(shared: Service) -> None:
    shared.clock.now = NOW
    seen = 0
    paths = [
        *routes(shared),
        ("GET", "/nothing"),
        ("PUT", "/"),
        ("GET", f"/v1/verify?q={VALID}"),
        ("GET", f"/c/{VALID}"),
    ]
    for method, path in paths:
        for accept in ("text/html", "application/json"):
            answer = shared.client.open(path, method=method, headers={"Accept": accept})
            seen += 1
            for name, value in PROTECTED.items():
                assert answer.headers[name] == value, (method, path, name)
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy or path.startswith("/scan"), (method, path)
            assert "frame-ancestors 'none'" in policy, (method, path)
            assert answer.headers["Strict-Transport-Security"].startswith("max-age="), (method, path)
            assert "Permissions-Policy" in answer.headers, (method, path)
            assert "Set-Cookie" not in answer.headers, (method, path)
            assert answer.status_code != 500, (method, path, answer.text)
            if answer.status_code >= 400 and answer.status_code != 404:
                assert "public" not in answer.headers.get("Cache-Control", ""), (method, path)
    assert seen > 60


def test_the_documentation_loads_nothing_from_elsewhere(client: FlaskClient) -> None:
    page = client.get("/docs").text
    assert not re.search(r"""(?:src|srcset|action|poster|data)\s*=\s*["']?(?:https?:)?//""", page)
    assert not re.search(r"<(?:script|iframe|object|embed|link|img|base)\b", page)
    assert not re.search(r"url\(|@import", page)


# --- bad input: a code, never a trace ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/verify?q=" + "1" * 1_000_000, 200),
        ("/v1/verify?q=%00", 200),
        ("/v1/verify?q=%ff%fe", 200),
        ("/v1/verify?q=%E2%82", 200),
        ("/v1/verify?q=%", 200),
        ("/v1/verify?q=%zz", 200),
        ("/v1/verify?q=a&q=b", 400),
        ("/v1/verify?q=%D9%A2%D9%A0%D9%A2%D9%A3", 200),
        ("/v1/verify?q=%ED%A0%80", 200),  # a lone surrogate in bytes
        ("/v1/verify", 422),
        ("/c/" + "x" * 100_000, 200),
        ("/c/%00", 200),
        ("/c/%ff", 200),
        ("/c/..%2f..%2fetc%2fpasswd", 200),
        ("/c/x?m=1&m=2", 200),
        (f"/c/{VALID}?m=" + "9" * 100_000, 200),
        (f"/c/{VALID}?m=%00", 200),
        (f"/c/{VALID}?m=", 200),
        (f"/c/{UNKNOWN}?lang=%00&linkType=%ff", 200),
        ("/01/%00/21/%00", 200),
        ("/01/x/" + "21/" * 5000, 200),
        ("/m/%F0%9F%92%A9", 200),
        ("/search?q=%00%00", 400),
        ("/search?q=%ff%ff", 200),
        ("/v1/search?q=ab&after=" + "A" * 10_000, 400),
        ("/products/%00/%00", 400),
        ("/?q=%00", 200),
        ("/qr/%00.svg", 400),
    ],
)
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_what_nobody_should_send_is_answered_with_a_code(
    client: FlaskClient, path: str, status: int, accept: str
) -> None:
    answer = client.get(path, headers={"Accept": accept})
    assert answer.status_code == status, answer.text[:300]
    assert "Traceback" not in answer.text
    assert len(answer.data) < 100_000
    assert 'class="v yes"' not in answer.text
    if answer.mimetype == "application/json":
        assert answer.get_json()["family"] != "yes"


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"[" * 100_000, "application/json", 400),
        (b'{"q":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "application/json", 400),
        (b'{"q":["\\ud800"]}', "application/json", 200),
        (b'{"q":["\\u0000"]}', "application/json", 200),
        (b'{"q":[1e999]}', "application/json", 422),
        (b'{"q":', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"q":["' + b"1" * 9_000_000 + b'"]}', "application/json", 413),
        (b"q=1", "application/x-www-form-urlencoded", 415),
        (b'{"q":[]}', "application/json", 200),
        (b'["2023990703000117"]', "application/json", 200),
        (b"[7]", "application/json", 422),
        (b'{"q":["x"],"more":1}', "application/json", 422),
    ],
)
def test_a_bulk_request_that_nobody_should_send_has_a_code(
    client: FlaskClient, body: bytes, kind: str, status: int
) -> None:
    answer = client.post("/v1/verify", data=body, content_type=kind)
    assert answer.status_code == status, answer.text[:300]
    assert "Traceback" not in answer.text


def test_a_year_that_no_calendar_has_is_none(client: FlaskClient) -> None:
    assert date.max.year == 9999
    answer = client.get(f"/v1/certificates/{VALID}/permits?act=sell&at=99999-01-01")
    assert (answer.status_code, answer.get_json()["code"]) == (422, "bad-request")
