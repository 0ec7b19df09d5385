"""What is overdue, as the registry tells it: found by its columns, judged by the clocks, gone when settled."""

from typing import Any

import pytest
from werkzeug.test import TestResponse

from services.auth import Role
from services.domain.clocks import RULES, ClockKind
from services.events.keys import new_key
from services.postgres import transaction
from services.registry import overdue
from services.registry.gate import gate_of
from services.registry.overdue import CountsSchema, OverdueSchema
from services.web import service_app
from tests.register import (
    AUTHORITY,
    BODY,
    OTHER,
    TODAY,
    Register,
    a_first_event,
    a_number,
    a_scheme,
    a_suspension,
    accepted,
    ago,
    ahead,
)
from tests.served import a_token

MISSED = {"surveillance_due": ago(1)}
CLASSED = {"product": {"name": "电器", "class": "0703", "items": [{"model": "A1"}]}}


class Asker:
    """Asks with a token of its own."""

    def __init__(self, register: Register, role: Role | None, holder: str | None = None) -> None:
        def read(query: Any) -> Any:
            with transaction(register.connection) as cur:
                return query(cur)

        app, api = service_app("overdue", "test", ready=lambda: None)
        api.register_blueprint(overdue.blueprint(read, gate_of(api, read, register.settings), lambda: TODAY))
        self.client = app.test_client()
        self.headers = {"Authorization": f"Bearer {a_token(register, role, holder)}"} if role else {}

    def get(self, path: str, query: dict[str, Any] | None = None) -> TestResponse:
        return self.client.get(path, query_string=query, headers=self.headers)


@pytest.fixture(scope="module")
def client(register: Register) -> Asker:
    return Asker(register, Role.REGULATOR)


def listed(client: Asker, **query: Any) -> dict[str, list[tuple[str, str, str | None]]]:
    """number → its clocks as (kind, due, what); read page by page."""
    found: dict[str, list[tuple[str, str, str | None]]] = {}
    after: str | None = ""
    while after is not None:
        response = client.get("/v1/overdue", {**query, "after": after, "limit": 3})
        assert response.status_code == 200, response.text
        page = response.get_json()
        assert OverdueSchema().validate(page) == {}
        assert len(page["items"]) <= 3
        for item in page["items"]:
            assert item["certificate_no"] not in found
            found[item["certificate_no"]] = [(c["kind"], c["due"], c["what"]) for c in item["clocks"]]
            assert all(c["rule"] == RULES[ClockKind(c["kind"])] for c in item["clocks"])
        after = page["next"]
    return found


def counted(client: Asker, **query: Any) -> dict[tuple[str, str], int]:
    page = client.get("/v1/overdue/counts", query).get_json()
    assert CountsSchema().validate(page) == {}
    return {(item["source"], item["kind"]): item["count"] for item in page["items"]}


def test_a_surveillance_is_overdue_until_it_is_passed(register: Register, client: Asker) -> None:
    number, in_time = register.issue(**MISSED), register.issue(surveillance_due=TODAY.isoformat())
    before = counted(client)[BODY, "surveillance"]
    assert listed(client)[number] == [("surveillance", ago(1), None)]
    assert in_time not in listed(client)
    assert in_time in listed(client, at=ahead(1)), "it will be, unless it is passed"
    assert accepted(register.say(BODY, "certificate.surveillance_passed", number, {"effective_at": ago(0)}))
    assert number not in listed(client)
    assert counted(client).get((BODY, "surveillance"), 0) == before - 1


def test_a_suspension_past_its_end_is_overdue_and_its_surveillance_is_not_besides(
    register: Register, client: Asker
) -> None:
    number = register.issue(**MISSED)
    suspended = a_suspension(effective_at=ago(30), until=ago(2))
    assert accepted(register.say(BODY, "certificate.suspended", number, suspended))
    assert listed(client)[number] == [("suspension", ago(2), None)]
    revoked = {"effective_at": ago(0), "reason": "R07"}
    assert accepted(register.say(BODY, "certificate.revoked", number, revoked))
    assert number not in listed(client)


def test_an_audit_is_owed_after_a_failed_check(register: Register, client: Asker) -> None:
    register.say(AUTHORITY, "scheme.published", "audited", a_scheme(failed_check_audit_days=10))
    competence = [{"scheme": "audited", "from": ago(500)}]
    approved = {"effective_at": ago(500), "name": "示范机构", "schemes": competence}
    body = "CNCA-R-2019-8016"
    assert accepted(register.say(AUTHORITY, "body.approved", body, approved))
    register.add_key(f"urn:certmark:body:{body}", new_key(), "event")
    number = register.issue("audited", source=f"urn:certmark:body:{body}")
    failed = a_suspension(effective_at=ago(8), determined_on=ago(11), reason="S01")
    assert accepted(register.say(f"urn:certmark:body:{body}", "certificate.suspended", number, failed))
    assert listed(client, kind="audit")[number] == [("audit", ago(1), None)]
    passed = {"effective_at": ago(2)}
    assert accepted(register.say(f"urn:certmark:body:{body}", "certificate.surveillance_passed", number, passed))
    assert number not in listed(client)


def test_a_list_is_of_one_source_and_one_kind_where_that_is_asked(register: Register, client: Asker) -> None:
    ours, theirs = register.issue(**MISSED), register.issue(source=OTHER, **MISSED)
    of_other = listed(client, source=OTHER)
    assert theirs in of_other
    assert ours not in of_other
    assert set(counted(client, source=OTHER)) == {(OTHER, "surveillance")}
    assert listed(client, source=OTHER, kind="suspension") == {}
    assert theirs in listed(client, kind="surveillance")


def test_a_whole_count_is_left_for_the_figures(register: Register, client: Asker) -> None:
    register.issue(**MISSED)
    counts = counted(client)
    figures = client.get("/metrics").text
    late = sum(n for (_, kind), n in counts.items() if kind == "surveillance")
    assert f'certmark_overdue{{kind="surveillance"}} {float(late)}' in figures
    assert 'certmark_overdue{kind="catalogue"} 0.0' in figures


@pytest.mark.parametrize("path", ["/v1/overdue", "/v1/overdue/counts"])
def test_a_list_is_shown_to_whom_it_is_for(register: Register, path: str) -> None:
    register.issue(**MISSED)
    theirs = register.issue(source=OTHER, **MISSED)
    body, platform, stranger = (
        Asker(register, Role.SOURCE, OTHER),
        Asker(register, Role.PLATFORM),
        Asker(register, None),
    )
    assert theirs in listed(body)
    assert {source for source, _ in counted(body)} == {OTHER}
    assert body.get(path, {"source": OTHER}).status_code == 200
    assert body.get(path, {"source": BODY}).status_code == platform.get(path).status_code == 403
    assert stranger.get(path).status_code == 401


def test_history_that_is_loaded_late_owes_nothing(register: Register, client: Asker) -> None:
    """Certificates that ended long ago, with surveillances that nobody reported to this register."""
    opened = {"body": BODY.rpartition(":")[2], "until": ahead(30)}
    assert accepted(register.say(AUTHORITY, "backfill.opened", BODY.rpartition(":")[2], opened))
    before = counted(client)
    dates = {"effective_at": ago(480), "issued_on": ago(480), "valid_from": ago(480), "surveillance_due": ago(200)}
    expired, revoked = a_number(), a_number()
    assert accepted(register.say(BODY, "certificate.issued", expired, a_first_event(**dates, valid_until=ago(100))))
    assert accepted(register.say(BODY, "certificate.issued", revoked, a_first_event(**dates)))
    assert accepted(register.say(BODY, "certificate.revoked", revoked, {"effective_at": ago(150), "reason": "R05"}))
    assert {expired, revoked} & set(listed(client)) == set()
    assert counted(client) == before
    (due,) = register.rows("SELECT due FROM records WHERE key = %s", f"certificate/{expired}")
    assert due == (None,), "no list has to look at it"


def test_what_falls_with_its_parent_waits_for_its_body(register: Register, client: Asker) -> None:
    parent = register.issue()
    child = register.issue(parent_no=parent, surveillance_due=ahead(30))
    assert child not in listed(client)
    assert accepted(register.say(BODY, "certificate.revoked", parent, {"effective_at": ago(3), "reason": "R05"}))
    assert listed(client)[child] == [("parent", ago(4), parent)]
    assert accepted(register.say(BODY, "certificate.cancelled", child, {"effective_at": ago(0), "reason": "C04"}))
    assert child not in listed(client)


def test_an_edition_that_is_put_out_of_use_later_is_seen_at_once(register: Register, client: Asker) -> None:
    rules = a_scheme()
    assert accepted(register.say(AUTHORITY, "scheme.published", "editions", rules))
    body = BODY.rpartition(":")[2]
    scope = {"effective_at": ago(400), "schemes": [{"scheme": s, "from": ago(500)} for s in ("sample", "editions")]}
    assert accepted(register.say(AUTHORITY, "body.scope_changed", body, scope))
    number, other = register.issue("editions"), register.issue("editions", basis=[{"standard": "GB 1"}])
    assert number not in listed(client)
    transitions = [{"standard": "GB 1", "edition": "2012", "until": ago(5)}]
    changed = rules | {"effective_at": ago(0), "version": 2, "transitions": transitions}
    assert accepted(register.say(AUTHORITY, "scheme.published", "editions", changed))
    found = listed(client)
    assert found[number] == [("standard", ago(5), "GB 1-2012")]
    assert other not in found


def test_a_later_version_of_the_scheme_is_heard_without_a_new_event(register: Register, client: Asker) -> None:
    """Less grace, and an edition that goes out of use on a day to come: the records stay as they were written."""
    body = BODY.rpartition(":")[2]
    rules = a_scheme(surveillance_grace_days=60)
    changed = rules | {"effective_at": ago(0), "version": 2, "surveillance_grace_days": 3}
    old = {"standard": "GB 9", "edition": "2001", "until": ahead(1)}
    coming = changed | {"effective_at": ahead(2), "version": 3, "transitions": [old]}
    assert accepted(register.say(AUTHORITY, "scheme.published", "lenient", rules))
    competences = [{"scheme": s, "from": ago(500)} for s in ("sample", "editions", "lenient")]
    scope = {"effective_at": ago(400), "schemes": competences}
    assert accepted(register.say(AUTHORITY, "body.scope_changed", body, scope))
    early = register.issue("lenient", surveillance_due=ago(10))
    assert early not in listed(client)
    assert accepted(register.say(AUTHORITY, "scheme.published", "lenient", changed))
    assert listed(client)[early] == [("surveillance", ago(7), None)]
    basis = [{"standard": "GB 9", "edition": "2001"}]
    before = register.issue("lenient", surveillance_due=ahead(90), basis=basis)
    assert accepted(register.say(AUTHORITY, "scheme.published", "lenient", coming))
    after = register.issue("lenient", surveillance_due=ahead(90), basis=basis)
    assert {before, after} & set(listed(client)) == set()
    found = listed(client, at=ahead(3))
    assert found[before] == found[after] == [("standard", ahead(1), "GB 9-2001")]


@pytest.mark.parametrize(
    ("query", "status", "pointer"),
    [
        ({"at": ago(1)}, 400, "/at"),
        ({"kind": "expiry"}, 422, "/kind"),
        ({"at": "soon"}, 422, "/at"),
        ({"limit": 0}, 422, "/limit"),
        ({"after": "\0"}, 422, "/after"),
        ({"source": "\0"}, 422, "/source"),
    ],
)
def test_a_question_that_has_no_answer_is_a_problem(
    client: Asker, query: dict[str, Any], status: int, pointer: str
) -> None:
    response = client.get("/v1/overdue", query)
    assert response.status_code == status
    assert response.get_json()["pointer"] == pointer


def test_nothing_is_late_when_all_have_expired(client: Asker) -> None:
    assert listed(client, at=ahead(4000)) == {}
