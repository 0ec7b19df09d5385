"""What a source's programs ask the registry in bulk, and that it is what one by one would be answered."""

import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from flask.testing import FlaskClient

from services.embedded import EmbeddedPostgres
from services.events.envelope import open_envelope
from services.registry import api
from services.settings import settings_from
from tests.conftest import a_database
from tests.register import BODY, OTHER, Register, a_first_event, a_number, a_suspension, accepted


@pytest.fixture(scope="module")
def register(
    postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Register, FlaskClient]]:
    with a_database(postgres_server) as url, pytest.MonkeyPatch.context() as patch:
        environment = {
            "CERTMARK_DATA": str(tmp_path_factory.mktemp("register")),
            "CERTMARK_DATABASE_URL": url,
            "CERTMARK_TOPIC_PREFIX": f"t{uuid.uuid4().hex[:12]}",
        }
        for name, value in environment.items():
            patch.setenv(name, value)
        with closing(Register.begin(settings_from(environment))) as register:
            yield register, api.create_app().test_client()


@pytest.fixture
def ours(register: tuple[Register, FlaskClient]) -> Register:
    return register[0]


@pytest.fixture
def client(register: tuple[Register, FlaskClient]) -> FlaskClient:
    return register[1]


def answer(client: FlaskClient, path: str, asked: dict[str, Any] | None = None, **query: Any) -> Any:
    got = client.post(path, json=asked) if asked is not None else client.get(path, query_string=query)
    assert got.status_code == 200, got.text
    return got.json


def test_heads_in_bulk_are_the_heads_one_by_one(ours: Register, client: FlaskClient) -> None:
    numbers = [ours.issue() for _ in range(3)]
    accepted(ours.say(BODY, "certificate.suspended", numbers[0], a_suspension()))
    other = ours.issue(source=OTHER)
    found = answer(client, "/v1/heads", {"source": BODY, "subjects": [*numbers, other, a_number()]})["items"]
    assert {item["subject"] for item in found} == set(numbers)
    for item in found:
        one = answer(client, "/v1/heads", source=BODY, subject=item["subject"])
        assert one == {"sequence": item["sequence"], "previous": item["previous"]}


def test_decisions_in_bulk_are_the_decisions_one_by_one(ours: Register, client: FlaskClient) -> None:
    number = a_number()
    good = ours.tell(BODY, "certificate.issued", number, a_first_event())
    refused = ours.tell(
        BODY, "certificate.resumed", number, {"effective_at": "2020-01-01", "verified_on": "2020-01-01"}
    )
    parked = ours.tell(BODY, "certificate.suspended", number, a_suspension(), sequence=9, previous="sha256:" + "7" * 64)
    forged = ours.forged(ours.keys[OTHER], ours.payload(BODY, "certificate.cancelled", number, {"reason": "C03"}))
    ours.append(forged)
    ours.decide_all()
    digests = [open_envelope(jws).digest for jws in (good, refused, parked, forged)]
    found = answer(client, "/v1/decisions", {"digests": [*digests, "0" * 64]})["items"]
    assert {item["digest"]: item["decision"] for item in found} == dict(
        zip(digests, ("accepted", "refused", "pending", "quarantined"), strict=True)
    )
    for item in found:
        assert answer(client, f"/v1/decisions/{item['digest']}") == item


def test_a_sources_certificates_page_by_page(ours: Register, client: FlaskClient) -> None:
    mine = {ours.issue(source=OTHER) for _ in range(5)}
    ended = min(mine)
    accepted(ours.say(OTHER, "certificate.cancelled", ended, {"reason": "C03"}))
    items: list[dict[str, Any]] = []
    after: str | None = ""
    while after is not None:
        page = answer(client, "/v1/certificates", source=OTHER, after=after, limit=2)
        assert len(page["items"]) <= 2
        items += page["items"]
        after = page["next"]
    assert mine <= {item["certificate_no"] for item in items}
    assert len({item["certificate_no"] for item in items}) == len(items)
    for item in items:
        one = answer(client, f"/v1/certificates/{item['certificate_no']}")
        assert (item["standing"], item["seq"], item["state"]) == (one["standing"], one["seq"], one["state"])
    before = answer(client, "/v1/certificates", source=OTHER, at="2000-01-01")
    assert {item["standing"] for item in before["items"]} <= {"not_yet_valid", "cancelled"}
    assert answer(client, "/v1/certificates", source="urn:certmark:body:CNCA-R-2001-001")["items"] == []


def test_a_child_stands_no_better_than_its_parent(ours: Register, client: FlaskClient) -> None:
    parent = ours.issue()
    child = ours.issue(parent_no=parent)
    accepted(ours.say(BODY, "certificate.suspended", parent, a_suspension()))
    items = answer(client, "/v1/certificates", source=BODY, limit=1000)["items"]
    assert {item["certificate_no"]: item["standing"] for item in items}[child] == "suspended"


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/v1/heads", {"source": BODY, "subjects": []}),
        ("/v1/heads", {"source": BODY, "subjects": ["x"] * 1001}),
        ("/v1/heads", {"subjects": ["x"]}),
        ("/v1/heads", {"source": BODY, "subjects": ["\0"]}),
        ("/v1/heads", {"source": "\0", "subjects": ["x"]}),
        ("/v1/decisions", {"digests": ["x"]}),
        ("/v1/decisions", {"digests": ["0" * 64] * 1001}),
    ],
)
def test_what_is_too_much_or_wrong_is_refused(client: FlaskClient, path: str, asked: dict[str, Any]) -> None:
    got = client.post(path, json=asked)
    assert got.status_code in (400, 422)
    assert got.content_type == "application/problem+json"


@pytest.mark.parametrize(
    "query", [{}, {"source": BODY, "limit": 1001}, {"source": BODY, "after": "\0"}, {"source": "\0"}]
)
def test_a_listing_that_cannot_be_is_refused(client: FlaskClient, query: dict[str, Any]) -> None:
    assert client.get("/v1/certificates", query_string=query).status_code in (400, 422)
