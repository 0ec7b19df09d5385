"""What a source's programs ask the registry in bulk, and that it is what one by one would be answered."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from services.events.envelope import open_envelope
from services.registry import api
from tests.register import BODY, OTHER, Register, a_first_event, a_number, a_suspension, accepted


@pytest.fixture(scope="module")
def client(register: Register) -> Iterator[FlaskClient]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CERTMARK_DATA", str(register.settings.data))
        patch.setenv("CERTMARK_DATABASE_URL", register.settings.database_url)
        patch.setenv("CERTMARK_TOPIC_PREFIX", register.settings.topic_prefix)
        yield api.create_app().test_client()


def answer(client: FlaskClient, path: str, asked: dict[str, Any] | None = None, **query: Any) -> Any:
    got = client.post(path, json=asked) if asked is not None else client.get(path, query_string=query)
    assert got.status_code == 200, got.text
    return got.json


def test_heads_in_bulk_are_the_heads_one_by_one(register: Register, client: FlaskClient) -> None:
    numbers = [register.issue() for _ in range(3)]
    accepted(register.say(BODY, "certificate.suspended", numbers[0], a_suspension()))
    other = register.issue(source=OTHER)
    found = answer(client, "/v1/heads", {"source": BODY, "subjects": [*numbers, other, a_number()]})["items"]
    assert {item["subject"] for item in found} == set(numbers)
    for item in found:
        one = answer(client, "/v1/heads", source=BODY, subject=item["subject"])
        assert one == {"sequence": item["sequence"], "previous": item["previous"]}
    whole = answer(client, "/v1/heads", source=BODY, limit=1000)
    assert whole["next"] is None
    assert set(numbers) <= {item["subject"] for item in whole["items"]}
    paged: list[Any] = []
    after: str | None = ""
    while after is not None:
        page = answer(client, "/v1/heads", source=BODY, limit=2, after=after)
        paged, after = paged + page["items"], page["next"]
    assert paged == whole["items"]


def test_decisions_in_bulk_are_the_decisions_one_by_one(register: Register, client: FlaskClient) -> None:
    number = a_number()
    good = register.tell(BODY, "certificate.issued", number, a_first_event())
    refused = register.tell(
        BODY, "certificate.resumed", number, {"effective_at": "2020-01-01", "verified_on": "2020-01-01"}
    )
    parked = register.tell(
        BODY, "certificate.suspended", number, a_suspension(), sequence=9, previous="sha256:" + "7" * 64
    )
    forged = register.forged(
        register.keys[OTHER], register.payload(BODY, "certificate.cancelled", number, {"reason": "C03"})
    )
    register.append(forged)
    register.decide_all()
    digests = [open_envelope(jws).digest for jws in (good, refused, parked, forged)]
    found = answer(client, "/v1/decisions", {"digests": [*digests, "0" * 64]})["items"]
    assert {item["digest"]: item["decision"] for item in found} == dict(
        zip(digests, ("accepted", "refused", "pending", "quarantined"), strict=True)
    )
    for item in found:
        assert answer(client, f"/v1/decisions/{item['digest']}") == item


def test_a_sources_certificates_page_by_page(register: Register, client: FlaskClient) -> None:
    mine = {register.issue(source=OTHER) for _ in range(5)}
    ended = min(mine)
    accepted(register.say(OTHER, "certificate.cancelled", ended, {"reason": "C03"}))
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


def test_a_child_stands_no_better_than_its_parent(register: Register, client: FlaskClient) -> None:
    parent = register.issue()
    child = register.issue(parent_no=parent)
    accepted(register.say(BODY, "certificate.suspended", parent, a_suspension()))
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
