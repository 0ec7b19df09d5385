"""`/v1/certificates/{no}/permits`: the answer of the demonstration's certificates, of marks, parts and parents."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest
from flask.testing import FlaskClient

from services.domain.certificate import Item, Part, PartKind, Product, Status
from services.domain.consequence import Act
from services.domain.deed import NO_SCHEME, WITHOUT_STANDING
from services.settings import settings_from
from services.verify.answer_schemas import PermitSchema
from services.verify.api import app_for
from services.verify.projector import Projector
from tests.certificates import since
from tests.sealed_register import NOW, STATE, ListLog, SealedRegister, demonstration

CCC = "2023990703000117"
SUSPENDED = "2022990201000204"
CANCELLED = "2023990707000871"
SYSTEM = "790624Q00123R0S"
GREEN = "GP-7904-2023-00012"
TWO_MODELS = replace(
    demonstration(CCC),
    certificate_no="2023990703000777",
    product=Product("空调", "0703", None, (Item("KFR-35GW/A1", None), Item("KFR-50GW/A1", "06909900123014"))),
    parts=(Part(PartKind.ITEM, "KFR-50GW/A1", None, (since(Status.SUSPENDED, date(2026, 10, 1), date(2026, 12, 1)),)),),
    marks=(),
)
CHILD = replace(demonstration(CCC), certificate_no="2023990703000778", parent_no=SUSPENDED, marks=())
ORPHAN = replace(CHILD, certificate_no="2023990703000779", parent_no="2023990703009999")
STRANGE = replace(demonstration(CCC), certificate_no="2023990703000780", scheme="unheard-of", marks=())


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


CLOCK = Clock()


@pytest.fixture(scope="module")
def register() -> SealedRegister:
    register = SealedRegister().publish_all()
    for certificate in (TWO_MODELS, CHILD, ORPHAN, STRANGE):
        register.publish_certificate(certificate)
    register.heartbeat()
    return register


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, register: SealedRegister) -> Iterator[FlaskClient]:
    data = tmp_path_factory.mktemp("data")
    projector = Projector(ListLog(register.values), STATE, register.genesis, data / "verify")
    while projector.step():
        pass
    yield app_for(settings_from({"CERTMARK_DATA": str(data)}), CLOCK).test_client()
    projector.close()


@pytest.fixture
def client(served: FlaskClient) -> FlaskClient:
    CLOCK.now = NOW
    return served


def asked(client: FlaskClient, number: str, act: str = "sell", status: int = 200, **query: Any) -> dict[str, Any]:
    response = client.get(f"/v1/certificates/{quote(number, safe='')}/permits", query_string={"act": act, **query})
    assert response.status_code == status, response.text
    document: dict[str, Any] = response.get_json()
    if status in (200, 503) and "allowed" in document:
        assert PermitSchema().validate(document) == {}
    return document


@pytest.mark.parametrize(
    ("number", "act", "dates", "answer"),
    [
        (CCC, "sell", {}, "yes P12 valid"),
        (CCC, "sell", {"made_on": "2026-03-02"}, "yes P12 valid"),
        (CCC.lower().replace("99", " ９９ "), "ship", {}, "yes P12 valid"),
        (SUSPENDED, "ship", {}, "no P04 suspended"),
        (SUSPENDED, "ship", {"shipped_on": "2026-09-14"}, "yes P12 valid"),
        (SUSPENDED, "sell", {"made_on": "2026-10-05"}, "no P10 suspended"),
        (SUSPENDED, "sell", {"made_on": "2026-08-01"}, "review P15 suspended"),
        (SUSPENDED, "sell", {"at": "2026-09-14"}, "yes P12 valid"),
        (SUSPENDED, "display", {}, "no P02 suspended"),
        ("2021990706000033", "sell", {"made_on": "2026-08-10"}, "no P11 expired"),
        ("2021990706000033", "sell", {"made_on": "2025-12-01"}, "review P18 expired"),
        ("2024990714000458", "sell", {"made_on": "2026-05-05"}, "no P03 revoked"),
        (CANCELLED, "sell", {"made_on": "2026-02-11", "shipped_on": "2026-03-01"}, "yes P16 cancelled"),
        (CANCELLED, "sell", {"made_on": "2026-02-11"}, "review P17 cancelled"),
        ("SDOC-2025-000731", "import", {}, "yes P12 valid"),
        (GREEN, "sell", {}, "review V15 suspended"),
        (GREEN, "ship", {}, "no V04 suspended"),
        (SYSTEM, "sell", {}, "no S01 valid"),
        (SYSTEM, "use", {}, "yes S02 valid"),
        (CHILD.certificate_no, "ship", {}, "no P04 suspended"),
        (CHILD.certificate_no, "sell", {"made_on": "2026-08-01"}, "review P15 suspended"),
        (ORPHAN.certificate_no, "ship", {}, "yes P12 valid"),
        (TWO_MODELS.certificate_no, "ship", {"model": "kfr-50gw／A1"}, "no P04 suspended"),
        (TWO_MODELS.certificate_no, "ship", {"gtin": "6909900123014"}, "no P04 suspended"),
        (TWO_MODELS.certificate_no, "ship", {"model": "KFR-35GW/A1"}, "yes P12 valid"),
    ],
)
def test_what_a_certificate_means(
    client: FlaskClient, number: str, act: str, dates: dict[str, Any], answer: str
) -> None:
    said = asked(client, number, act, **dates)
    assert f"{said['allowed']} {said['rule']} {said['standing']}" == answer
    assert said["act"] == act
    assert said["at"] == dates.get("at", "2026-11-01")
    assert (said["made_on"], said["shipped_on"]) == (dates.get("made_on"), dates.get("shipped_on"))
    assert said["certificate_no"] == number.replace(" ９９ ", "99").upper()
    assert said["as_of"] < said["checked_at"]


def test_the_code_is_of_the_day_asked_and_the_standing_of_the_day_that_counts(client: FlaskClient) -> None:
    said = asked(client, SUSPENDED, "ship", shipped_on="2026-09-14")
    assert (said["code"], said["standing"]) == ("suspended", "valid")


def test_models_that_are_suspended_are_excepted_by_name(client: FlaskClient) -> None:
    said = asked(client, TWO_MODELS.certificate_no)
    assert said["allowed"] == "yes"
    assert said["reason"]["zh"].endswith("KFR-50GW/A1")
    assert said["reason"]["en"].endswith("excepted: KFR-50GW/A1")
    earlier = asked(client, TWO_MODELS.certificate_no, at="2026-09-30")
    assert "KFR" not in earlier["reason"]["en"]
    item = asked(client, TWO_MODELS.certificate_no, model="KFR-35GW/A1")
    assert item["item"] == {"model": "KFR-35GW/A1", "gtin": None}
    assert "KFR" not in item["reason"]["en"]


@pytest.mark.parametrize(
    ("number", "query", "answer"),
    [
        ("2023990703999999", {}, "review N01 unknown_number"),
        ("证书?", {}, "review N02 malformed_number"),
        (CCC, {"model": "KFR-72LW/B9"}, "no N03 out_of_scope"),
        (SYSTEM, {"model": "A1"}, "no N03 out_of_scope"),
        (CCC, {"m": "123"}, "review N07 unreadable"),
        (STRANGE.certificate_no, {}, "review N09 valid"),
    ],
)
def test_where_there_is_no_standing_to_judge_by(
    client: FlaskClient, number: str, query: dict[str, Any], answer: str
) -> None:
    said = asked(client, number, **query)
    assert f"{said['allowed']} {said['rule']} {said['code']}" == answer
    assert said["standing"] is None


def test_every_ground_without_a_standing_has_a_rule_of_its_own() -> None:
    rules = [ground.rule for ground in (*WITHOUT_STANDING.values(), NO_SCHEME)]
    assert rules == [f"N{number:02}" for number in range(1, 10)]


def test_a_mark_is_judged_with_its_certificate(client: FlaskClient, register: SealedRegister) -> None:
    soap = demonstration("SHB-P-2024-0031")
    assert soap.product is not None
    item = soap.product.items[0]
    token = register.url(soap, item).partition("m=")[2]
    said = asked(client, soap.certificate_no, m=token)
    assert (said["allowed"], said["mark_no"], said["item"]["gtin"]) == ("yes", soap.marks[0].mark_no, item.gtin)
    elsewhere = asked(client, CCC, m=token)
    assert f"{elsewhere['allowed']} {elsewhere['rule']} {elsewhere['code']}" == "no N05 bad_signature"
    stranger = SealedRegister().url(soap, item).partition("m=")[2]
    unknown = asked(client, soap.certificate_no, m=stranger)
    assert f"{unknown['allowed']} {unknown['rule']} {unknown['code']}" == "no N06 unknown_signer"
    other = asked(client, soap.certificate_no, m=token, model="999g")
    assert other["rule"] == "N03"


@pytest.mark.parametrize(
    ("query", "status", "pointer"),
    [
        ({"made_on": "2026-05-02", "shipped_on": "2026-05-01"}, 400, "/shipped_on"),
        ({"made_on": "2026-11-02"}, 400, "/made_on"),
        ({"at": "2026-11-02"}, 400, "/at"),
        ({"shipped_on": "2026-09-01", "at": "2026-08-31"}, 400, "/shipped_on"),
        ({"at": "01.11.2026"}, 422, "/at"),
        ({"act": "eat"}, 422, "/act"),
        ({"gtin": "6909900123013"}, 400, ""),
    ],
)
def test_a_question_that_contradicts_itself_is_a_problem(
    client: FlaskClient, query: dict[str, str], status: int, pointer: str
) -> None:
    problem = asked(client, CCC, **({"act": "sell"} | query), status=status)
    assert problem["pointer"] == pointer
    assert problem["status"] == status


def test_what_was_known_then_is_asked_of_the_registry(client: FlaskClient) -> None:
    query = {"act": "sell", "known_at": "2026-10-01T08:00:00+08:00", "made_on": "2026-03-02"}
    response = client.get("/v1/certificates/A%2F1-2/permits", query_string=query)
    assert response.status_code == 307
    address, _, asked_there = response.headers["Location"].partition("?")
    assert address == "http://127.0.0.1:8082/v1/certificates/A%2F1-2/permits"
    assert dict(parse_qsl(asked_there)) == query
    assert asked(client, CCC, status=400, m="123", known_at="2026-10-01")["pointer"] == "/m"


def test_a_stale_node_does_not_judge(client: FlaskClient) -> None:
    CLOCK.now = NOW + timedelta(hours=25)
    response = client.get(f"/v1/certificates/{CCC}/permits?act=sell")
    assert response.status_code == 503
    assert response.headers["Cache-Control"] == "no-store"
    said = response.get_json()
    assert (said["allowed"], said["code"], said["rule"]) == ("review", "status_unknown", "N08")


def test_an_answer_may_be_kept_as_a_verdict_may(client: FlaskClient) -> None:
    path = f"/v1/certificates/{CCC}/permits?act=sell"
    first = client.get(path)
    assert first.headers["Cache-Control"] == "public, max-age=0, s-maxage=30"
    CLOCK.now = NOW + timedelta(seconds=1)
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    other = client.get(f"{path}&made_on=2026-03-02")
    assert other.headers["ETag"] != first.headers["ETag"]


def test_every_deed_has_an_answer_for_every_certificate(client: FlaskClient) -> None:
    for number in (CCC, SUSPENDED, CANCELLED, SYSTEM, GREEN):
        for act in Act:
            said = asked(client, number, act)
            assert said["reason"]["zh"]
            assert said["clause"]["en"]
