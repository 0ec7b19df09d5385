"""The verify service over HTTP, in process: forms, headers, bulk, QR images, and the hot path's equal answer."""

import html
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import zxingcpp
from flask.testing import FlaskClient
from PIL import Image

from services.domain.certificate import Status, StatusInterval, course_of
from services.domain.errors import BadRequest
from services.settings import settings_from
from services.verify import node, products
from services.verify.answer import decide
from services.verify.answer_schemas import AnswerSchema, AnswersSchema
from services.verify.api import app_for
from services.verify.as_json import BodyParts, as_json, dumps, judged_days, spliced, stored_certificate
from services.verify.later import NotKept
from services.verify.recognise import recognise
from services.verify.register import Register
from services.verify.turns import turns_text
from services.verify.wording import ANSWERS, BODY_WORD, NOTED, Code, Family, Note
from tests.sealed_register import DEMONSTRATION, NOW, SCHEMES, SealedRegister, body_state, demonstration
from tests.verify_service import Service

NUMBER = "2022990201000204"
NUMBERS = [row["number"] for row in DEMONSTRATION["certificates"]]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("data"), SealedRegister().publish_all())
    yield service
    service.projector.close()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Service]:
    """A service whose register a test may change."""
    service = Service(tmp_path, SealedRegister().publish_all())
    yield service
    service.projector.close()


@pytest.fixture
def client(shared: Service) -> FlaskClient:
    shared.clock.now = NOW
    return shared.client


# --- one address, several forms --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "text/html"),
        ("*/*", "text/html"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("image/png", "text/html"),
        ("application/json", "application/json"),
        ("application/json, */*;q=0.1", "application/json"),
        ("application/json; charset=utf-8", "application/json"),
        ("application/linkset+json", "application/linkset+json"),
    ],
)
@pytest.mark.parametrize("path", [f"/c/{NUMBER}", "/m/M-SHB-P-2024-0031", "/01/06909900123007"])
def test_the_form_is_negotiated(client: FlaskClient, path: str, accept: str | None, kind: str) -> None:
    response = client.get(path, headers={"Accept": accept} if accept else {})
    assert response.status_code == 200
    assert response.mimetype == kind
    assert response.headers["Vary"] == "Accept, Accept-Language"


def test_the_hosts_of_the_trust_list_are_ours_too(own: Service) -> None:
    asked = "/v1/verify?q=https%3A%2F%2Fmarks.example%2Fc%2F" + NUMBER
    assert own.client.get(asked).get_json()["code"] == "impostor_host"
    own.register.publish("trust", {"v": 1, "kind": "trust", "hosts": ["marks.example"]})
    own.publish()
    assert own.client.get(asked).get_json()["code"] == own.client.get(f"/v1/verify?q={NUMBER}").get_json()["code"]
    own.register.publish("trust", {"v": 1, "kind": "trust", "hosts": []})
    own.publish()
    assert own.client.get(asked).get_json()["code"] == "impostor_host"


def test_a_linkset_is_one_by_its_rfc(client: FlaskClient) -> None:
    response = client.get("/01/06909900126701?linkType=linkset")
    (entry,) = json.loads(response.data)["linkset"]
    assert entry["anchor"].endswith("/01/06909900126701")
    targets = entry["https://ref.gs1.org/voc/certificationInfo"]
    assert [link["href"].rpartition("/")[2] for link in targets] == ["GP-7907-2024-00102", "GP-7904-2024-00045"]


@pytest.mark.parametrize(
    ("query", "header", "language"),
    [
        ("", None, "zh-CN"),
        ("", "en-GB,en;q=0.9", "en"),
        ("", "zh-TW,en;q=0.5", "zh-CN"),
        ("", "fr-FR,fr;q=0.9", "en"),
        ("", "*", "zh-CN"),
        ("?lang=en", "zh-CN", "en"),
        ("?lang=zh-CN", "en", "zh-CN"),
        ("?lang=xx", "en", "en"),
    ],
)
def test_the_language_is_negotiated(client: FlaskClient, query: str, header: str | None, language: str) -> None:
    response = client.get(f"/c/{NUMBER}{query}", headers={"Accept-Language": header} if header else {})
    assert response.headers["Content-Language"] == language
    title = ANSWERS[Code.SUSPENDED].title["en" if language == "en" else "zh"]
    assert f"<h1>{title}</h1>" in response.text


def test_every_answer_bears_the_headers_that_protect_it(client: FlaskClient) -> None:
    for path in (
        f"/c/{NUMBER}",
        f"/v1/verify?q={NUMBER}",
        f"/v1/verify?q=%20{NUMBER}",
        "/",
        "/qr/M-PZB-2025-00217.svg",
    ):
        headers = client.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert headers["Strict-Transport-Security"].startswith("max-age=")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "Set-Cookie" not in headers
    assert "unsafe-inline" not in client.get(f"/c/{NUMBER}").headers["Content-Security-Policy"]


# --- what caches may do ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [f"/c/{NUMBER}", f"/v1/verify?q={NUMBER}", f"/v1/verify?q={NUMBER}%20"])
def test_caches_may_keep_an_answer_for_a_while(shared: Service, path: str) -> None:
    def lifetime(now: datetime) -> str:
        shared.clock.now = now
        return shared.client.get(path).headers["Cache-Control"]

    assert lifetime(NOW) == "public, max-age=0, s-maxage=30"
    # Midnight in China is 16:00 UTC; the answer may be another one then.
    assert lifetime(datetime(2026, 11, 1, 15, 59, 50, tzinfo=UTC)) == "public, max-age=0, s-maxage=10"
    limit = NOW - timedelta(minutes=1) + timedelta(hours=24)
    assert lifetime(limit - timedelta(seconds=7)) == "public, max-age=0, s-maxage=7"
    assert lifetime(limit + timedelta(seconds=1)) == "no-store"


@pytest.mark.parametrize("path", [f"/c/{NUMBER}", f"/c/{NUMBER}?lang=en", f"/v1/verify?q={NUMBER}"])
def test_a_tag_stands_for_the_answer_and_not_for_the_second(shared: Service, path: str) -> None:
    shared.clock.now = NOW
    first = shared.client.get(path)
    shared.clock.now = NOW + timedelta(seconds=5)
    second = shared.client.get(path)
    assert first.headers["ETag"].startswith('W/"')
    assert first.headers["ETag"] == second.headers["ETag"]
    assert first.data != second.data
    assert shared.client.get(path, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304


def test_tags_differ_by_form_and_language(client: FlaskClient) -> None:
    tags = [
        client.get(f"/c/{NUMBER}{query}", headers={"Accept": accept}).headers["ETag"]
        for query, accept in (("", "text/html"), ("?lang=en", "text/html"), ("", "application/json"))
    ]
    assert len(set(tags)) == 3


def test_pages_of_single_units_are_kept_by_nobody(client: FlaskClient) -> None:
    response = client.get("/01/06909900125599/21/790326983690060267")
    assert response.headers["Cache-Control"] == "no-store"
    assert "ETag" not in response.headers


def test_what_cannot_be_said_is_a_503_in_every_form(shared: Service) -> None:
    shared.clock.now = NOW + timedelta(days=2)
    for path in (f"/c/{NUMBER}", f"/v1/verify?q={NUMBER}", "/v1/verify?q=2023990703999999", "/01/06909900126701"):
        response = shared.client.get(path)
        assert (response.status_code, response.headers["Cache-Control"]) == (503, "no-store")
        assert "Retry-After" in response.headers
    assert shared.client.get("/readyz").status_code == 503
    assert shared.client.get("/v1/verify?q=x").status_code == 200  # decided without any data
    shared.clock.now = NOW
    assert shared.client.get("/readyz").status_code == 200


# --- JSON ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", NUMBERS)
def test_json_matches_what_is_documented(client: FlaskClient, number: str) -> None:
    answer = client.get("/v1/verify", query_string={"q": number}).get_json()
    assert AnswerSchema().validate(answer) == {}
    assert answer["certificate"]["certificate_no"] == number
    assert "approver" not in answer["certificate"]


@pytest.mark.parametrize(
    "text", ["?", "2023990703999999", "06909900126701", "https://example.org", "M-SHB-P-2024-0031"]
)
def test_json_of_other_answers_matches_too(client: FlaskClient, text: str) -> None:
    answer = client.get("/v1/verify", query_string={"q": text}).get_json()
    assert AnswerSchema().validate(answer) == {}


def test_the_hot_path_says_byte_for_byte_what_the_long_way_says(shared: Service) -> None:
    """On the day before and after each turn of each certificate."""
    for number in NUMBERS:
        certificate = demonstration(number)
        days = {NOW.date(), certificate.valid_from, *(interval.since for interval in certificate.statuses)}
        for day in sorted(days):
            if day < date(2026, 11, 1):
                continue
            shared.clock.now = datetime(day.year, day.month, day.day, 4, tzinfo=UTC)
            quick = shared.client.get(f"/v1/verify?q={number}")
            long = shared.client.get(f"/v1/verify?q={number}%20")
            assert quick.data == long.data
            for header in ("ETag", "Cache-Control", "Content-Type", "Vary", "Content-Security-Policy"):
                assert quick.headers[header] == long.headers[header]
    shared.clock.now = NOW


@pytest.mark.parametrize("number", ["2023990703999999", "GP-7904-2099-00001", "NOSUCH-1", "9131011599XX001114"])
def test_a_number_that_nobody_has_is_answered_by_the_hot_path_too(shared: Service, number: str) -> None:
    shared.clock.now = NOW
    quick, long = (shared.client.get(f"/v1/verify?q={q}") for q in (number, f"{number}%20"))
    assert quick.get_json()["code"] == "unknown_number"
    assert quick.get_json()["coverage"]
    assert quick.data == long.data
    assert quick.headers["ETag"] == long.headers["ETag"]


def test_a_surveillance_is_noted_as_overdue_when_the_schemes_grace_is_over_on_every_way(own: Service) -> None:
    number, due = "PZB-2025-00217", date(2026, 11, 1)
    own.register.publish_certificate(replace(demonstration(number), surveillance_due=due))
    rules = SCHEMES["pinzibiao"] | {"surveillance_grace_days": 10}
    own.register.publish("scheme/pinzibiao", {"v": 1, "kind": "scheme", "id": "pinzibiao", "versions": [rules]})
    product = demonstration(number).product
    assert product is not None
    uscc = demonstration(number).holder.uscc
    for days, noted in ((10, False), (11, True)):
        day = due + timedelta(days=days)
        own.clock.now = own.register.now = datetime(day.year, day.month, day.day, 4, tzinfo=UTC)
        own.register.heartbeat()
        own.publish()
        quick = own.client.get(f"/v1/verify?q={number}").get_json()
        long = own.client.get(f"/v1/verify?q={number}%20").get_json()
        (several,) = own.client.get(f"/v1/products?uscc={uscc}&model={product.items[0].model}").get_json()["products"]
        for answer in (quick, long, several["certificates"][0]):
            assert ("overdue_surveillance" in answer["notes"]) is noted
        assert quick["title"] == long["title"]


def test_the_stored_timeline_agrees_with_the_decision_on_every_day(shared: Service) -> None:
    register = Register(shared.folder)
    bodies = BodyParts()
    for number in NUMBERS:
        found = register.certificate(number)
        assert found is not None
        timeline = turns_text(judged_days(course_of(found.state), found.under_review))
        shown = stored_certificate(found.state, found.seq, found.recorded_at, found.digest)
        turns = {found.certificate.valid_from, *(interval.since for interval in found.certificate.statuses)}
        if found.certificate.valid_until:
            turns.add(found.certificate.valid_until)
        for turn in turns:
            for day in (turn - timedelta(days=1), turn, turn + timedelta(days=1)):
                now = datetime(day.year, day.month, day.day, 4, tzinfo=UTC)
                answer = decide(recognise(number, ()), register, now, timedelta(days=20_000))
                meta = register.meta()
                bodies.use(register.directory(), day)
                assert meta.as_of is not None
                whole = dumps(as_json(answer))
                assert (
                    spliced(timeline, shown, day.isoformat().encode(), bodies)
                    == whole[: whole.rindex(b'"as_of":') + len(b'"as_of":')]
                )
    register.model.close()


def test_many_are_answered_in_their_order(client: FlaskClient) -> None:
    texts = [*NUMBERS, "?", "https://example.org", "2023990703999999", " 2022990201000204 "]
    response = client.post("/v1/verify", json={"q": texts})
    answers = response.get_json()
    assert response.status_code == 200
    assert AnswersSchema().validate(answers) == {}
    assert [one["code"] for one in answers["items"][-4:]] == [
        "malformed_number",
        "not_ours",
        "unknown_number",
        "suspended",
    ]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"q": ["1"] * 1001}, 413, "too-large"),
        ({"q": "2022990201000204"}, 422, "bad-request"),
        ({}, 422, "bad-request"),
        ({"q": [1, None]}, 422, "bad-request"),
    ],
)
def test_a_bad_bulk_request_is_a_problem(client: FlaskClient, body: dict[str, Any], status: int, code: str) -> None:
    response = client.post("/v1/verify", json=body)
    assert (response.status_code, response.mimetype) == (status, "application/problem+json")
    assert response.get_json()["code"] == code


def test_the_question_is_required(client: FlaskClient) -> None:
    assert client.get("/v1/verify").mimetype == "application/problem+json"


# --- the field of the front page ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "location"),
    [
        (" ２０２２990201000204 ", f"/c/{NUMBER}"),
        ("M-SHB-P-2024-0031", "/m/M-SHB-P-2024-0031"),
        ("6909900123007", "/01/06909900123007"),
        ("06909900126701", "/01/06909900126701"),
    ],
)
def test_what_is_typed_leads_to_an_address_of_its_own(client: FlaskClient, typed: str, location: str) -> None:
    response = client.get("/", query_string={"q": typed})
    assert (response.status_code, response.headers["Location"]) == (303, location)


def test_a_pasted_code_leads_to_its_page(shared: Service) -> None:
    shared.clock.now = NOW
    url = shared.register.url(demonstration("SHB-S-2024-0044"))
    response = shared.client.get("/", query_string={"q": url, "lang": "en"})
    assert response.headers["Location"] == url.removeprefix("http://127.0.0.1:8080") + "&lang=en"


@pytest.mark.parametrize("typed", ["?!", "<b>x</b>", "2023990703999999", "https://example.org/", "javascript:alert(1)"])
def test_everything_else_is_answered_in_place(client: FlaskClient, typed: str) -> None:
    response = client.get("/", query_string={"q": typed})
    assert response.status_code == 200
    assert "<b>x" not in response.text
    assert "<script" not in response.text


# --- QR images ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["svg", "png"])
def test_a_marks_code_is_drawn(client: FlaskClient, form: str) -> None:
    response = client.get(f"/qr/M-SHB-P-2024-0031.{form}?gtin=6909900127449")
    assert response.status_code == 200
    assert response.mimetype == {"svg": "image/svg+xml", "png": "image/png"}[form]


def test_the_drawn_code_opens_the_verdict(client: FlaskClient) -> None:
    for path in ("M-SHB-P-2024-0031", "M-SHB-S-2024-0044", "2023990703000117"):
        image = client.get(f"/qr/{path}.png").data
        (found,) = zxingcpp.read_barcodes(
            Image.open(io.BytesIO(image)), formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
        )
        assert found.text.startswith("http://127.0.0.1:8080/")
        answer = client.get("/v1/verify", query_string={"q": found.text}).get_json()
        assert (answer["code"], answer["signature"]) == ("valid", "valid")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/qr/M-TSPZ-2025-00009.svg", 409, "mark-ended"),
        ("/qr/2021990706000033.svg", 409, "mark-ended"),
        ("/qr/M-NOBODY-2025-00001.svg", 404, "not-found"),
        ("/qr/790624Q00123R0S.png", 404, "not-found"),
        ("/qr/M-SHB-P-2024-0031.svg?gtin=06909900123007", 404, "not-found"),
        ("/qr/M-SHB-P-2024-0031.svg?gtin=1", 400, "malformed-number"),
        ("/qr/M-SHB-P-2024-0031.gif", 404, "not-found"),
    ],
)
def test_no_code_is_drawn_for_what_does_not_stand(client: FlaskClient, path: str, status: int, code: str) -> None:
    response = client.get(path)
    assert (response.status_code, response.mimetype) == (status, "application/problem+json")
    assert response.get_json()["code"] == code


# --- change, numbers, errors -------------------------------------------------------------------------------


def test_a_page_turns_when_the_register_does(own: Service) -> None:
    number = "PZB-2025-00217"
    before = own.client.get(f"/v1/verify?q={number}").get_json()
    certificate = demonstration(number)
    interval = StatusInterval(Status.SUSPENDED, NOW.date(), None, "S03", NOW.date(), "9" * 64)
    own.register.publish_certificate(replace(certificate, statuses=(*certificate.statuses, interval)))
    own.publish()
    after = own.client.get(f"/v1/verify?q={number}").get_json()
    assert (before["code"], after["code"]) == ("valid", "suspended")
    assert (after["reason"]["code"], after["since"]) == ("S03", NOW.date().isoformat())
    assert ANSWERS[Code.SUSPENDED].title.zh in own.client.get(f"/c/{number}").text


@pytest.mark.parametrize("number", ["沪AB/2024/0031", "A.B(2024)-0031"])
def test_numbers_with_strokes_and_brackets_have_pages(own: Service, number: str) -> None:
    certificate = demonstration("PZB-2025-00217")
    mark = replace(certificate.marks[0], mark_no=f"M-{number}")
    own.register.publish_certificate(replace(certificate, certificate_no=number, marks=(mark,)))
    own.publish()
    location = own.client.get("/", query_string={"q": number.lower()}).headers["Location"]
    assert number in own.client.get(location).text
    for path in (f"/c/{number}", f"/c/{number}/", f"/m/M-{number}/"):
        assert f'"v {Family.YES}"' in own.client.get(path).text, "with a stroke at its end, too"
    assert own.client.get(f"/qr/M-{number}.svg").status_code == 200


def test_natural_persons_are_not_named(client: FlaskClient) -> None:
    assert "7901-0007" not in client.get(f"/c/{NUMBER}").text


def test_errors_are_pages_for_people_and_problems_for_programs(client: FlaskClient) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    page = client.get("/nothing", headers=browser)
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert "没有这个页面" in page.text
    for path, told in (("/photo/" + "0" * 32, NotKept.zh), ("/receipt.pdf?q=x", BadRequest.zh)):
        said = client.get(path, headers=browser).text
        assert (told in said) is (told == NotKept.zh), "what a person can act on is said, no more"
    for path, accept in (("/nothing", "application/json"), ("/nothing", "*/*"), ("/v1/nothing", "text/html")):
        assert client.get(path, headers={"Accept": accept}).mimetype == "application/problem+json"


@pytest.mark.parametrize("accept", [None, "*/*", "text/html,application/xhtml+xml,*/*;q=0.8"])
def test_addresses_for_programs_answer_problem_documents_to_everybody(tmp_path: Path, accept: str | None) -> None:
    settings = settings_from({"CERTMARK_DATA": str(tmp_path), "CERTMARK_GENESIS": "0" * 64})
    client = app_for(settings, lambda: datetime(2026, 11, 1, tzinfo=UTC)).test_client()
    for method, path, status in (
        ("GET", "/readyz", 503),
        ("POST", "/readyz", 405),
        ("POST", "/healthz", 405),
        ("POST", "/metrics", 405),
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/verify", 422),
    ):
        answer = client.open(path, method=method, headers={"Accept": accept} if accept else {})
        assert (answer.mimetype, answer.get_json()["status"]) == ("application/problem+json", answer.status_code), path
        assert answer.status_code == status, path
    assert "read model" in client.get("/readyz", headers={"Accept": accept or "*/*"}).get_json()["detail"]


def test_real_data_is_not_called_a_demonstration(tmp_path: Path) -> None:
    service = Service(tmp_path, SealedRegister(demonstration=False).publish_all())
    assert "虚构" not in service.client.get(f"/c/{NUMBER}").text.replace("示范市场监督管理局(虚构)", "")
    assert "例如" not in service.client.get("/").text
    service.projector.close()


def test_the_demonstration_says_so(client: FlaskClient) -> None:
    assert "演示数据" in client.get(f"/c/{NUMBER}").text
    front = client.get("/").text
    for title in ("仅限所列型号", "证书已暂停", "证书已撤销"):
        assert title in front


# --- one product over several bodies ------------------------------------------------------------------------


def the_green_holder(service: Service) -> str:
    found = Register(service.folder).certificate("GP-7904-2024-00045")
    assert found is not None
    return found.certificate.holder.uscc or ""


def test_several_bodies_certificates_answer_as_one_product(own: Service) -> None:
    uscc = the_green_holder(own)
    answer = own.client.get("/v1/products", query_string={"uscc": uscc, "model": "１８ｌ"}).get_json()
    assert (answer["code"], len(answer["products"])) == ("valid", 1)
    (product,) = answer["products"]
    numbers = sorted(one["certificate_no"] for one in product["certificates"])
    assert numbers == ["GP-7904-2024-00045", "GP-7907-2024-00102"]
    assert {one["body"]["approval_no"] for one in product["certificates"]} == {"CNCA-R-2019-7904", "CNCA-R-2019-7907"}


def test_a_model_that_nobody_certified_is_unknown_and_a_bad_code_is_said_to_be_bad(shared: Service) -> None:
    shared.clock.now = NOW
    uscc = the_green_holder(shared)
    unknown = shared.client.get("/v1/products", query_string={"uscc": uscc, "model": "99L"}).get_json()
    assert (unknown["code"], unknown["products"]) == ("unknown_number", [])
    assert shared.client.get("/v1/products", query_string={"uscc": "1234", "model": "18L"}).status_code == 400


def test_a_model_is_found_among_any_number_of_a_holders_certificates(own: Service) -> None:
    uscc = the_green_holder(own)
    assert "GP-7907-2024-00102" in own.client.get(f"/?q={uscc}&lang=zh").text
    assert f'href="/search?q={uscc}&amp;by=uscc' in own.client.get(f"/?q={uscc}").text, "where all of them are"
    one = demonstration("GP-7904-2024-00045")
    assert one.product is not None
    (item,) = one.product.items[:1]
    for number in range(600):  # in force for longer, so they come before the ones that are meant
        other = replace(one.product, items=(replace(item, model=f"X{number}", gtin=None),))
        own.register.publish_certificate(
            replace(one, certificate_no=f"GP-X-{number:04}", product=other, marks=(), valid_until=date(2099, 1, 1))
        )
    own.publish()
    for model, code, certificates in (("18L", "valid", 2), ("X599", "valid", 1), ("99L", "unknown_number", 0)):
        answer = own.client.get("/v1/products", query_string={"uscc": uscc, "model": model}).get_json()
        assert answer["code"] == code
        assert sum(len(product["certificates"]) for product in answer["products"]) == certificates


def test_a_huge_holders_certificates_are_looked_through_page_by_page(
    own: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    uscc = the_green_holder(own)
    held = len(Register(own.folder).model.certificates_in_order(uscc, "", 100))
    assert held > 1
    monkeypatch.setattr(products, "AT_ONCE", 1)
    asked, found, pages = {"uscc": uscc, "model": "18L"}, list[str](), 0
    while True:
        answer = own.client.get("/v1/products", query_string=asked).get_json()
        assert (answer["code"], len(answer["products"]) <= 1) == (None, True), "a page by itself is no verdict"
        found += [one["certificate_no"] for product in answer["products"] for one in product["certificates"]]
        pages += 1
        if answer["next"] is None:
            break
        asked["after"] = answer["next"]
    assert (sorted(found), pages) == (["GP-7904-2024-00045", "GP-7907-2024-00102"], held)
    first = own.client.get(f"/products/{uscc}/18L?lang=en").text
    (more,) = re.findall(r'<a href="([^"]*)" rel="next">More of this holder', first)
    assert "no overall yes" in first
    assert own.client.get(html.unescape(more)).status_code == 200


def test_a_stale_node_says_nothing_of_products(own: Service) -> None:
    uscc = the_green_holder(own)
    own.clock.now = NOW + timedelta(days=3)
    answer = own.client.get("/v1/products", query_string={"uscc": uscc, "model": "18L"})
    assert (answer.status_code, answer.get_json()["code"], answer.get_json()["products"]) == (503, "status_unknown", [])


def test_what_a_notice_concerns_leaves_the_hot_path(own: Service) -> None:
    """The stored bytes hold neither recalls nor alerts: the long way answers, and others stay on the short one."""
    own.register.publish_recall("R-1", NOW.date(), gtin="06909900123007")
    own.register.publish_warning("W-1", NOW.date(), scheme="qms")
    own.publish()
    for number in NUMBERS:
        answer = json.loads(own.client.get(f"/v1/verify?q={number}").data)
        assert (answer["code"] == "do_not_sell") is (number == "2023990703000117"), number
        assert ("alert" in answer["notes"]) is (answer["certificate"]["scheme"] == "qms"), number
        assert AnswerSchema().validate(answer) == {}
    uscc = demonstration("790624Q00123R0S").holder.uscc
    for name, by, code, notes in (
        ("房间空调器", "product", "do_not_sell", ["scope_limited"]),
        ("微波炉", "product", "revoked", []),
        (uscc, "uscc", "valid", ["alert"]),
    ):
        hits = json.loads(own.client.get("/v1/search", query_string={"q": name, "by": by}).data)["items"]
        assert [(hit["code"], hit["notes"]) for hit in hits] == [(code, notes)]


# --- pages that are kept -------------------------------------------------------------------------------------


def test_a_page_that_is_kept_is_the_page_that_would_be_made(own: Service) -> None:
    for path in (f"/c/{NUMBER}", f"/c/{NUMBER}?lang=en", f"/c/{NUMBER}?lang=zh"):
        for languages in ({}, {"Accept-Language": "en"}, {"Accept-Language": "fr, zh;q=0.1"}):
            headers = {"Accept": "text/html", **languages}
            made, kept = own.client.get(path, headers=headers), own.client.get(path, headers=headers)
            assert made.data == kept.data
            assert sorted(made.headers) == sorted(kept.headers)
    own.clock.now = NOW + timedelta(seconds=5)
    later = own.client.get(f"/c/{NUMBER}")
    assert "12:00:05" in later.text  # the time of asking is each asker's own
    assert later.headers["Cache-Control"] == "public, max-age=0, s-maxage=30"
    assert own.client.get(f"/c/{NUMBER}", headers={"Accept": "application/json"}).mimetype == "application/json"


def test_a_page_made_in_front_of_flask_is_the_page_made_behind_it(own: Service) -> None:
    own.register.publish_recall("R-1", NOW.date(), certificate_no=NUMBER)
    own.register.publish_warning("W-1", NOW.date(), scheme="qms")
    own.publish()
    quick = 0
    for number in NUMBERS:
        for query in ("", "lang=zh", "lang=en"):
            path = f"/c/{quote(number, safe='')}?{query}"
            here, behind = own.client.get(path), own.client.get(f"{path}&")  # an address that is not a plain page's
            assert here.data == behind.data, path
            assert "Date" in behind.headers  # which the server adds to what is made here
            told = dict(here.headers)
            quick += told.pop("Date", None) is None
            assert told == {name: text for name, text in behind.headers.items() if name != "Date"}, path
    assert quick > len(NUMBERS)


def test_a_fault_in_front_of_flask_is_answered_behind_it(own: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr(node, "verdict_page", broken)
    own.app.config["PROPAGATE_EXCEPTIONS"] = False
    answer = own.client.get(f"/c/{NUMBER}")
    assert answer.status_code == 500
    assert "ZeroDivision" not in answer.text


def test_a_page_is_kept_no_longer_than_it_is_true(own: Service) -> None:
    number = "PZB-2025-00217"
    path = f"/c/{number}"

    def heading() -> str:
        own.clock.now += timedelta(seconds=1)  # what requests of a moment share is looked at once in it
        own.client.get(path)
        return own.client.get(path).text.partition("<h1>")[2].partition("</h1>")[0]

    assert heading() == NOTED[Note.SCOPE_LIMITED].title.zh
    # midnight: it ends with the day
    certificate = replace(demonstration(number), valid_until=NOW.date())
    own.register.publish_certificate(certificate)
    own.publish()
    assert heading() == NOTED[Note.SCOPE_LIMITED].title.zh
    own.clock.now = datetime(2026, 11, 1, 16, 0, tzinfo=UTC)
    assert heading() == ANSWERS[Code.EXPIRED].title.zh
    own.clock.now = NOW
    assert heading() == NOTED[Note.SCOPE_LIMITED].title.zh
    # a change of the certificate, of its body, and of nothing but the time that the data is from
    interval = StatusInterval(Status.SUSPENDED, NOW.date(), None, "S03", NOW.date(), "9" * 64)
    own.register.publish_certificate(replace(certificate, statuses=(*certificate.statuses, interval)))
    own.publish()
    assert heading() == ANSWERS[Code.SUSPENDED].title.zh
    body = next(one for one in DEMONSTRATION["bodies"] if one["approval_no"] == certificate.body)
    own.register.publish(f"body/{certificate.body}", body_state(body | {"disqualified_on": "2026-10-01"}))
    own.publish()
    own.clock.now += timedelta(seconds=1)
    assert BODY_WORD["disqualified"].zh in own.client.get(path).text
    own.register.now = NOW - timedelta(seconds=7)
    own.register.heartbeat()
    own.publish()
    own.clock.now += timedelta(seconds=1)
    assert "11:59:53" in own.client.get(path).text
    # and stale data
    own.clock.now = NOW + timedelta(hours=25)
    assert own.client.get(path).status_code == 503
    assert heading() == ANSWERS[Code.STATUS_UNKNOWN].title.zh
