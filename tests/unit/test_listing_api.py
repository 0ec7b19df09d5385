"""`POST /v1/checks` of a verify node: the samples' verdicts, every form of the body, and what is refused."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from services.listings.columns import HEADINGS
from tests.listings import samples
from tests.sealed_register import ROOT, SealedRegister
from tests.verify_service import Service

NEEDS_MORE = {"M13": "what look-ups counted of a code", "M27": "a row for the model that came later"}
"""Samples that need what these sealed certificates do not say; tests/unit/test_listing.py has them."""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    register = SealedRegister()
    register.publish_catalogue()
    service = Service(tmp_path_factory.mktemp("data"), register.publish_all())
    yield service.client
    service.projector.close()


def post(client: FlaskClient, body: Any, kind: str = "application/json") -> dict[str, Any]:
    response = client.post("/v1/checks", data=body if isinstance(body, bytes) else json.dumps(body), content_type=kind)
    assert response.status_code == 200, response.data
    found: dict[str, Any] = response.get_json()
    return found


def as_sent() -> list[dict[str, str]]:
    rows = []
    for sample in samples():
        row = {
            key: value for key, value in sample.listing._asdict().items() if key in HEADINGS and isinstance(value, str)
        }
        days = {key: str(getattr(sample.listing, key)) for key in ("captured_on", "made_on", "shipped_on")}
        rows.append(row | {key: day for key, day in days.items() if day != "None"})
    return rows


def test_the_samples(client: FlaskClient) -> None:
    answer = post(client, {"listings": as_sent()})
    expected = {sample.listing.row: sample for sample in samples()}
    assert [item["row"] for item in answer["items"]] == list(expected)
    for item in answer["items"]:
        if item["row"] not in NEEDS_MORE:
            sample = expected[item["row"]]
            assert item["verdict"] == sample.verdict, item
            assert not sample.rules or sample.rules & set(item["rules"]), item
    assert sum(answer["counts"].values()) == len(expected)
    assert answer["seq"] > 0


def test_a_row_comes_back_as_it_came(client: FlaskClient) -> None:
    answer = post(client, [{"row": 17, "title": "a"}, {"row": "x", "title": "b"}, {"title": "c"}])
    assert [item["row"] for item in answer["items"]] == [17, "x", "3"]


def test_a_finding_has_what_the_contract_promises(client: FlaskClient) -> None:
    (item,) = post(client, [as_sent()[1]])["items"]
    assert list(item) == [
        "row",
        "verdict",
        "rules",
        "code",
        "confidence",
        "claimed",
        "registered",
        "captured",
        "now",
        "note",
    ]
    assert item["claimed"]["model"] == "KFR-72LW/B9"
    assert item["registered"]["models"] == ["KFR-35GW/A1", "KFR-50GW/A1"]


def test_lines_and_sheets_are_taken_too(client: FlaskClient) -> None:
    lines = "\n".join(json.dumps(row) for row in as_sent()).encode()
    assert len(post(client, lines, "application/x-ndjson")["items"]) == 30
    sheet = (ROOT / "tests/data/listings.csv").read_bytes()
    assert [item["verdict"] for item in post(client, sheet, "text/csv")["items"]][:3] == ["ok", "lead", "lead"]


def test_the_same_code_in_two_shops_is_a_copy(client: FlaskClient) -> None:
    row = next(row for row in as_sent() if row["row"] == "M12")
    answer = post(client, [row, row | {"row": "2", "shop": "别家店"}])
    assert [item["rules"] for item in answer["items"]] == [["L15"], ["L15"]]


def test_names_find_a_certificate_where_no_number_is_shown(client: FlaskClient) -> None:
    row = as_sent()[0] | {"certificate_no": "", "maker_uscc": "", "seller_uscc": "", "text": ""}
    (item,) = post(client, [row])["items"]
    assert (item["verdict"], item["registered"]["certificate_no"]) == ("ok", "2023990703000117")


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"{", "application/json", 400, "not-json"),
        (b"7", "application/json", 400, "bad-request"),
        (b'[{"title":"a","bogus":1}]', "application/json", 400, "bad-request"),
        (b'[{"title":{"a":1}}]', "application/json", 400, "bad-request"),
        (b'[{"brand":"a"}]', "application/json", 400, "bad-request"),
        (b"[7]", "application/json", 400, "bad-request"),
        (b"a,b\n1,2\n", "text/csv", 400, "listings-columns"),
        (b"<xml/>", "application/xml", 415, "unsupported-media-type"),
        (json.dumps([{"title": "a"}] * 1001).encode(), "application/json", 413, "too-large"),
    ],
)
def test_what_is_refused(client: FlaskClient, body: bytes, kind: str, status: int, code: str) -> None:
    response = client.post("/v1/checks", data=body, content_type=kind)
    assert (response.status_code, response.get_json()["code"]) == (status, code)


def test_a_node_that_is_not_up_to_date_cannot_say(tmp_path: Path) -> None:
    service = Service(tmp_path, SealedRegister().publish_all())
    service.clock.now = datetime(2026, 12, 1, tzinfo=UTC)
    response = service.client.post("/v1/checks", json=[{"title": "a"}])
    assert (response.status_code, response.get_json()["code"]) == (503, "status-unknown")
    service.projector.close()
