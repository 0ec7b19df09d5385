"""Acceptance on a real register: the same question at the same entry has the same answer, and each is written down."""

import json
import uuid
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from services.auth import Role, new_token, save
from services.events.canonical import canonical
from services.postgres import transaction
from services.registry.api import create_app
from tests.register import (
    AUTHORITY,
    BODY,
    DECLARANT,
    TODAY,
    Register,
    a_first_event,
    a_number,
    a_suspension,
    ago,
    ahead,
)

USCC = DECLARANT.rpartition(":")[2]
TOKENS = {role: new_token() for role in Role}
POLICIES = {
    "shelf": {"schemes": ["sample", "implied"], "doubts": {"overdue_surveillance": "yes"}},
    "marked": {
        "schemes": ["sample", "implied"],
        "mark": {"otherwise": "no"},
        "doubts": {"overdue_surveillance": "yes"},
    },
}


def a_policy(name: str, **members: Any) -> dict[str, Any]:
    version = {
        "version": 1,
        "effective_at": "2016-01-01",
        "basis": {"zh": "示范", "en": "sample"},
        "schemes": [],
        "standings": {"valid": "yes"},
        "remaining": None,
        "mark": None,
        "accreditation": None,
        "doubts": {},
    }
    return {"id": name, "purpose": name, "name": {"zh": "示范", "en": "sample"}, "versions": [version | members]}


@pytest.fixture(scope="module")
def register(register: Register) -> Register:
    """One register for the whole file, whose deployment has policies of its own."""
    folder = register.settings.data / "policies"
    folder.mkdir()
    for name, members in POLICIES.items():
        (folder / f"{name}.json").write_text(json.dumps(a_policy(name, **members)), encoding="utf-8")
    with transaction(register.connection) as cur:
        for role, token in TOKENS.items():
            save(cur, token, role, "test")
    return register


@pytest.fixture(scope="module")
def client(register: Register) -> Iterator[FlaskClient]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CERTMARK_DATA", str(register.settings.data))
        environment.setenv("CERTMARK_DATABASE_URL", register.settings.database_url)
        environment.setenv("CERTMARK_GENESIS", register.settings.genesis)
        yield create_app().test_client()


def asked(client: FlaskClient, **question: Any) -> TestResponse:
    return posted(client, {"purpose": "shelf"} | question)


def posted(client: FlaskClient, body: dict[str, Any], role: Role = Role.PLATFORM) -> TestResponse:
    """In ASCII, so that a lone surrogate travels as well."""
    text = json.dumps(body)
    return client.post("/v1/acceptance", data=text, content_type="application/json", headers=token_of(role))


def token_of(role: Role) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[role]}"}


def answer(client: FlaskClient, **question: Any) -> dict[str, Any]:
    response = asked(client, **question)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.get_json()
    return found


def codes(found: dict[str, Any]) -> list[str]:
    return [reason["code"] for reason in found["reasons"]]


def test_the_same_question_at_the_same_entry_has_the_same_answer_byte_for_byte(
    register: Register, client: FlaskClient
) -> None:
    number = register.issue()
    first = asked(client, certificate_no=number)
    then = first.get_json()
    assert (then["accept"], codes(then), then["certificate_no"]) == ("yes", ["meets_policy"], number)
    assert (then["seq"], then["at"]) == (register.head().size - 1, TODAY.isoformat())
    assert register.say(BODY, "certificate.suspended", number, a_suspension())["decision"] == "accepted"
    now = answer(client, certificate_no=number)
    assert (now["accept"], codes(now), now["reasons"][0]["pointer"]) == ("no", ["suspended"], "/statuses/1")
    again = asked(client, certificate_no=number, seq=then["seq"], at=then["at"])
    assert again.data == first.data
    digest = then.pop("digest")
    assert sha256(canonical(then, floats=False)).hexdigest() == digest
    assert answer(client, certificate_no=number, at=ago(1))["accept"] == "yes", "suspended from today on"


def test_an_organisation_is_asked_for_by_credit_code_and_model(register: Register, client: FlaskClient) -> None:
    holder = {"name": "另一公司", "uscc": "91310115MAXX001114"}
    product = {"name": "电器", "items": [{"model": "ＺＺ-9"}]}
    assert codes(answer(client, uscc=holder["uscc"], model="zz-9")) == ["unknown_holder", "coverage_incomplete"]
    before = register.head().size - 1
    ended = register.issue(holder=holder, product=product)
    register.say(BODY, "certificate.revoked", ended, {"effective_at": ago(0), "reason": "R05"})
    alone = answer(client, uscc=holder["uscc"], model="zz-9")
    assert (alone["accept"], codes(alone), alone["certificate_no"]) == ("no", ["revoked"], ended)
    good = register.issue(holder=holder, product=product)
    found = answer(client, uscc=" 91310115ｍａｘｘ001114", model="zz-9")
    assert (found["accept"], found["certificate_no"]) == ("yes", good)
    assert found["candidates"] == sorted(
        [{"certificate_no": good, "accept": "yes"}, {"certificate_no": ended, "accept": "no"}],
        key=lambda one: one["certificate_no"],
    )
    assert answer(client, uscc=holder["uscc"], model="other")["accept"] == "review"
    assert answer(client, uscc=holder["uscc"])["certificate_no"] == good
    assert codes(answer(client, uscc=holder["uscc"], model="zz-9", seq=before))[0] == "unknown_holder"
    assert answer(client, uscc="not a code")["accept"] == "no"


def test_marks_bodies_and_schemes_count_as_they_stood_at_the_entry(register: Register, client: FlaskClient) -> None:
    number = a_number()
    register.say("urn:certmark:body:CNCA-R-2019-7902", "certificate.issued", number, a_first_event())
    marked = {"purpose": "marked", "certificate_no": number, "model": "A1"}
    assert codes(answer(client, **marked)) == ["mark_not_authorized"]
    without = register.head().size - 1
    mark = {
        "effective_at": ago(5),
        "mark_no": f"M-{uuid.uuid4().hex[:12].upper()}-1",
        "mark": "sample-mark",
        "products": [{"model": "A1", "gtin": "06909900123007"}],
        "valid_until": ahead(300),
    }
    register.say("urn:certmark:body:CNCA-R-2019-7902", "mark.authorized", number, mark)
    assert answer(client, **marked)["accept"] == "yes"
    approved = register.head().size - 1
    disqualified = {"effective_at": TODAY.isoformat(), "instrument": "沪市监〔2026〕1号"}
    assert register.say(AUTHORITY, "body.disqualified", "CNCA-R-2019-7902", disqualified)["decision"] == "accepted"
    now = answer(client, **marked)
    assert (now["accept"], codes(now)) == ("review", ["body_disqualified"])
    assert answer(client, **marked, seq=approved)["accept"] == "yes"
    assert codes(answer(client, **marked, seq=without)) == ["mark_not_authorized"]


def test_a_batch_answers_each_as_if_asked_alone(register: Register, client: FlaskClient) -> None:
    numbers = [register.issue() for _ in range(3)]
    seq = register.head().size - 1
    questions: list[dict[str, Any]] = [
        {"purpose": "shelf", "certificate_no": n, "seq": seq} for n in (*numbers, "unknown-1", "<>")
    ]
    questions += [{"purpose": "shelf", "uscc": USCC, "model": "A1", "seq": seq}]
    many = posted(client, {"questions": questions})
    assert many.status_code == 200, many.text
    items = many.get_json()["items"]
    assert items == [posted(client, question).get_json() for question in questions]
    assert [codes(item)[0] for item in items[3:5]] == ["unknown_number", "malformed_number"]
    thousand = posted(client, {"questions": questions[:1] * 1000})
    assert len(thousand.get_json()["items"]) == 1000
    assert posted(client, {"questions": questions[:1] * 1001}).status_code == 422


def test_every_question_is_written_down_without_what_was_typed_besides(register: Register, client: FlaskClient) -> None:
    number = register.issue()
    before = register.rows("SELECT coalesce(max(id), 0) FROM acceptance_log")[0][0]
    named = answer(client, certificate_no=f" {number} ")
    held = answer(client, uscc=USCC, model="A1")
    wrong = answer(client, certificate_no="张三 13800000000 ?")
    rows = register.rows(
        "SELECT role, purpose, policy, version, certificate_no, uscc, model, at, seq, accept, digest"
        " FROM acceptance_log WHERE id > %s ORDER BY id",
        before,
    )
    shared = ("platform", "shelf", "shelf", 1)
    assert [row[:4] for row in rows] == [shared] * 3
    assert [row[4:7] for row in rows] == [(number, None, None), (None, USCC, "A1"), (None, None, None)]
    answers = (named, held, wrong)
    assert [row[7:] for row in rows] == [(TODAY, a["seq"], a["accept"], a["digest"]) for a in answers]
    page = client.get(f"/v1/acceptance/log?after={before}&limit=2", headers=token_of(Role.REGULATOR)).get_json()
    assert [(item["certificate_no"], item["digest"]) for item in page["items"]] == [
        (number, named["digest"]),
        (None, held["digest"]),
    ]
    rest = client.get(f"/v1/acceptance/log?after={page['next']}", headers=token_of(Role.REGULATOR)).get_json()
    assert ([item["digest"] for item in rest["items"]], rest["next"]) == ([wrong["digest"]], None)


def test_who_may_ask_and_who_may_read_what_was_asked(register: Register, client: FlaskClient) -> None:
    question = {"purpose": "shelf", "certificate_no": register.issue()}
    statuses = {role: posted(client, question, role).status_code for role in Role}
    assert statuses == {
        Role.PLATFORM: 200,
        Role.INSPECTOR: 200,
        Role.REGULATOR: 200,
        Role.SOURCE: 403,
        Role.ADMINISTRATOR: 403,
    }
    assert client.post("/v1/acceptance", json=question).status_code == 401
    asked_by = register.rows("SELECT role FROM acceptance_log ORDER BY id DESC LIMIT 3")
    assert {role for (role,) in asked_by} == {"platform", "inspector", "regulator"}
    readers = {role: client.get("/v1/acceptance/log", headers=token_of(role)).status_code for role in Role}
    assert {role for role, status in readers.items() if status == 200} == {Role.REGULATOR, Role.ADMINISTRATOR}


@pytest.mark.parametrize(
    ("question", "pointer"),
    [
        ({"purpose": "lottery", "certificate_no": "2023990703000117"}, "/purpose"),
        ({"purpose": "shelf"}, "/certificate_no"),
        ({"purpose": "shelf", "certificate_no": "2023990703000117", "uscc": USCC}, "/certificate_no"),
        ({"purpose": "shelf", "certificate_no": "2023990703000117", "policy": "none"}, "/policy"),
        ({"purpose": "shelf", "certificate_no": "2023990703000117", "seq": 10**9}, "/seq"),
        ({"purpose": "shelf", "certificate_no": "2023990703000117", "at": "2026-13-01"}, "/at"),
        ({"questions": [{"purpose": "lottery", "certificate_no": "1"}]}, "/questions/0/purpose"),
        ({"purpose": "shelf", "questions": [{"purpose": "shelf", "certificate_no": "1"}]}, "/purpose"),
        ({"purpose": "shelf", "uscc": USCC, "model": "A\0"}, "/model"),
        ({"purpose": "shelf", "uscc": USCC, "model": "\ud800"}, "/model"),
        ({}, "/purpose"),
    ],
)
def test_a_question_that_cannot_be_understood_says_where(
    register: Register, client: FlaskClient, question: dict[str, Any], pointer: str
) -> None:
    response = posted(client, question)
    assert response.status_code in (400, 422)
    assert response.get_json()["pointer"] == pointer


def test_the_policies_are_listed(client: FlaskClient) -> None:
    items = client.get("/v1/policies").get_json()["items"]
    assert {"shelf", "marked", "qms-tender"} <= {policy["id"] for policy in items}
