"""Indicators on a real register: as it was known then the number stays, and what came late is seen by `known_at`."""

import json
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from services.cli import main
from services.domain.certificate import from_state
from services.domain.standing import Standing, mark_standing, standing_under
from services.embedded import EmbeddedPostgres
from services.events.envelope import open_envelope
from services.postgres import transaction
from services.registry.api import create_app
from services.registry.indicators import INDICATORS
from tests.integration.conftest import a_register
from tests.register import (
    BODY,
    DECLARANT,
    OTHER,
    TODAY,
    Register,
    a_first_event,
    a_number,
    a_suspension,
    ago,
    ahead,
)


@pytest.fixture
def register(postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Register]:
    """A register for each test: every certificate in it counts."""
    with a_register(postgres_server, tmp_path_factory.mktemp("register")) as made:
        yield made


@pytest.fixture
def client(register: Register, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    monkeypatch.setenv("CERTMARK_DATA", str(register.settings.data))
    monkeypatch.setenv("CERTMARK_DATABASE_URL", register.settings.database_url)
    monkeypatch.setenv("CERTMARK_GENESIS", register.settings.genesis)
    return create_app().test_client()


def answered(client: FlaskClient, name: str, **query: str) -> dict[str, Any]:
    response = client.get(f"/v1/indicators/{name}", query_string=query)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.get_json()
    return found


def number(client: FlaskClient, name: str, **query: str) -> Any:
    return answered(client, name, **query)["value"]


def rows(client: FlaskClient, name: str, by: str, **query: str) -> dict[str | None, Any]:
    found = answered(client, name, by=by, **query)["rows"]
    return {row["key"]: row["value"] for row in found}


def say(register: Register, event: str, subject: str, data: dict[str, Any], source: str = BODY) -> str:
    """An accepted event's digest."""
    jws = register.tell(source, event, subject, data)
    assert register.decided(jws)["decision"] == "accepted"
    return open_envelope(jws).digest


def moment() -> str:
    """An instant after everything that was decided, before everything that will be."""
    time.sleep(0.005)
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    time.sleep(0.005)
    return now


def a_population(register: Register) -> dict[str, str]:
    """One of each, and what became of it; the numbers by what they are."""
    shanghai = {"name": "甲公司", "uscc": "91310115MAXX001114", "region": "310115"}
    of = {
        "valid": register.issue(holder=shanghai, first_issued_on=ago(400), surveillance_due=ago(35)),
        "other body": register.issue(source=OTHER, holder=shanghai, surveillance_due=ago(35)),
        "implied": register.issue("implied"),
        "suspended": register.issue(
            issued_on=ago(40), first_issued_on=ago(40), valid_from=ago(40), effective_at=ago(40)
        ),
        "resumed": register.issue(),
        "revoked": register.issue(),
        "cancelled": register.issue(),
        "expired": register.issue(valid_until=ago(3)),
        "expiring": register.issue("system", valid_until=ahead(20)),
        "declared": a_number(),
        "no code": register.issue(holder={"name": "乙 合作社"}, surveillance_due=ago(35)),
    }
    say(register, "declaration.made", of["declared"], a_first_event("declared"), DECLARANT)
    say(register, "certificate.suspended", of["suspended"], a_suspension(effective_at=ago(20)))
    say(register, "certificate.suspended", of["resumed"], a_suspension(effective_at=ago(20), reason="S02"))
    say(register, "certificate.resumed", of["resumed"], {"effective_at": ago(10), "verified_on": ago(11)})
    say(register, "certificate.revoked", of["revoked"], {"effective_at": ago(5), "reason": "R05"})
    say(register, "certificate.cancelled", of["cancelled"], {"effective_at": ago(5), "reason": "C04"})
    say(register, "certificate.surveillance_passed", of["valid"], {"effective_at": ago(2)})
    return of


def test_each_indicator_counts_what_its_definition_says(register: Register, client: FlaskClient) -> None:
    a_population(register)
    assert number(client, "certificates-valid") == 7
    assert rows(client, "certificates-valid", "scheme") == {"declared": 1, "implied": 1, "sample": 4, "system": 1}
    assert rows(client, "certificates-valid", "region") == {"310115": 2, None: 5}
    assert rows(client, "certificates-valid", "body") == {"CNCA-R-2019-7901": 5, "CNCA-R-2019-7902": 1, None: 1}
    assert number(client, "organisations-certified") == 3
    assert rows(client, "organisations-certified", "region") == {"310115": 1, None: 2}
    assert rows(client, "certificates-by-standing", "standing") == {
        "cancelled": 1,
        "expired": 1,
        "revoked": 1,
        "suspended": 1,
        "valid": 7,
    }
    period = {"since": ago(30)}
    assert number(client, "certificates-new", since=ago(60)) == 1
    assert rows(client, "certificates-new", "month", since=ago(500)) == {ago(400)[:7]: 10, ago(40)[:7]: 1}
    assert rows(client, "suspensions", "reason", **period) == {"S02": 1, "S03": 1}
    assert number(client, "resumptions", **period) == 1
    assert rows(client, "revocations", "reason", **period) == {"R05": 1}
    assert rows(client, "cancellations", "reason", **period) == {"C04": 1}
    assert number(client, "revocations", since=ago(4)) == 0
    assert number(client, "certificates-expiring") == 1
    assert rows(client, "marks-authorized", "scheme") == {"declared": 1, "implied": 1}
    overdue = answered(client, "surveillance-overdue-share")
    # Three of the four that are valid and owe surveillance were to pass by then, and one of them has.
    assert (overdue["part"], overdue["whole"], overdue["value"]) == (2, 4, 50.0)


def test_the_standing_is_the_domains_on_every_day(register: Register, client: FlaskClient) -> None:
    of = a_population(register)
    parent = of["revoked"]
    register.issue("implied", parent_no=parent)
    states = register.rows("SELECT state FROM records WHERE key LIKE 'certificate/%%'")
    certificates = {c.certificate_no: c for c in (from_state(json.loads(text)) for (text,) in states)}
    known_at = ahead(1)
    for days in (500, 401, 400, 41, 40, 20, 11, 10, 6, 5, 4, 3, 2, 0, -20, -21, -60, -61, -400, -401):
        day = TODAY.fromordinal(TODAY.toordinal() - days)
        expected: dict[str, int] = {}
        marks = 0
        for certificate in certificates.values():
            above = certificates.get(certificate.parent_no or "")
            whole = standing_under(certificate, above, day)
            expected[whole.value] = expected.get(whole.value, 0) + 1
            for mark in certificate.marks:
                both = (whole, mark_standing(certificate, mark, day))
                marks += all(one is Standing.VALID for one in both)
        query = {"at": day.isoformat(), "known_at": known_at}
        assert rows(client, "certificates-by-standing", "standing", **query) == expected, day
        assert number(client, "marks-authorized", **query) == marks, day


def test_what_comes_late_or_is_corrected_changes_the_number_only_for_a_later_state_of_knowledge(
    register: Register, client: FlaskClient
) -> None:
    late, corrected = register.issue(), register.issue()
    suspended = say(register, "certificate.suspended", corrected, a_suspension(effective_at=ago(8), until=ahead(20)))
    then = moment()
    day = {"at": ago(10)}
    assert number(client, "certificates-valid", **day, known_at=then) == 2
    assert number(client, "suspensions", since=ago(30), known_at=then) == 1
    say(register, "certificate.suspended", late, a_suspension(effective_at=ago(15)))
    after_late = moment()
    wrong_day = {"effective_at": TODAY.isoformat(), "of": suspended, "fields": {"effective_at": ago(12)}}
    say(register, "certificate.corrected", corrected, wrong_day)
    now = moment()
    assert [number(client, "certificates-valid", **day, known_at=k) for k in (then, after_late, now)] == [2, 1, 0]
    assert [number(client, "suspensions", since=ago(13), known_at=k) for k in (then, after_late, now)] == [1, 1, 1]
    assert [number(client, "suspensions", since=ago(30), known_at=k) for k in (then, after_late, now)] == [1, 2, 2]
    assert [number(client, "suspensions", since=ago(13), at=ago(9), known_at=k) for k in (then, now)] == [0, 1]
    assert number(client, "certificates-valid", **day) == 0, "nothing was known ten days ago"


def test_surveillance_that_was_passed_later_was_overdue_then(register: Register, client: FlaskClient) -> None:
    passed = register.issue(effective_at=ago(450), issued_on=ago(450), valid_from=ago(450), surveillance_due=ago(85))
    register.issue(effective_at=ago(450), issued_on=ago(450), valid_from=ago(450), surveillance_due=ago(85))
    say(register, "certificate.surveillance_passed", passed, {"effective_at": ago(60), "next_due": ahead(300)})
    shares = [
        answered(client, "surveillance-overdue-share", at=at, known_at=ahead(1)) for at in (ago(85), ago(70), ago(0))
    ]
    assert [(share["part"], share["whole"]) for share in shares] == [(0, 2), (2, 2), (1, 2)]


def test_the_same_question_has_the_same_answer_whatever_comes_after(register: Register, client: FlaskClient) -> None:
    of = a_population(register)
    then = moment()
    questions = [
        (name, {"at": at, "known_at": then} | ({"by": by} if by else {}))
        for name, indicator in INDICATORS.items()
        for by in (None, *indicator.dimensions)
        for at in (ago(12), ago(0))
    ]

    def told() -> str:
        answers = [client.get(f"/v1/indicators/{name}", query_string=query).data for name, query in questions]
        return sha256(b"".join(answers)).hexdigest()

    before = told()
    say(register, "certificate.revoked", of["valid"], {"effective_at": ago(2), "reason": "R05"})
    a_population(register)
    assert number(client, "certificates-valid") == 13
    assert told() == before


def test_the_indicators_are_listed_and_what_is_asked_wrongly_is_said(client: FlaskClient) -> None:
    items = client.get("/v1/indicators").get_json()["items"]
    assert [item["id"] for item in items] == list(INDICATORS)
    assert all(item["name"]["zh"] and item["definition"]["en"] for item in items)
    assert client.get("/v1/indicators/none").status_code == 404
    for query in (
        {"by": "month"},
        {"since": ago(1)},
        {"known_at": "once"},
        {"known_at": "2026-01-01T00:00:00"},
        {"at": "2026-02-30"},
    ):
        assert client.get("/v1/indicators/certificates-valid", query_string=query).status_code in (400, 422), query
    wrong = {"since": ahead(1), "at": ago(0)}
    assert client.get("/v1/indicators/suspensions", query_string=wrong).status_code == 400


def test_the_command_shows_them(register: Register, client: FlaskClient) -> None:
    """Over HTTP, as anybody may run it; the program is the same that `certmark up` starts."""
    register.issue()
    with make_server(register.settings.host, register.settings.registry_port, client.application) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            url = f"http://{register.settings.host}:{server.server_port}"
            listed = CliRunner().invoke(main, ["indicators", "--registry", url])
            shown = CliRunner().invoke(main, ["indicators", "certificates-valid", "--by", "scheme", "--registry", url])
            asked = CliRunner().invoke(main, ["indicators", "certificates-valid", "--json", "--registry", url])
            wrong = CliRunner().invoke(main, ["indicators", "none", "--registry", url])
        finally:
            server.shutdown()
            thread.join()
    assert [line.split()[0] for line in listed.output.splitlines()] == list(INDICATORS)
    assert re.search(r"^  sample +1$", shown.output, re.MULTILINE), shown.output
    assert json.loads(asked.output)["value"] == 1
    assert wrong.exit_code == 1


def test_facts_are_the_same_however_they_were_read_and_by_how_many_at_once(
    register: Register, client: FlaskClient
) -> None:
    tables = ("certificate_facts", "mark_facts", "facts_head")

    def told() -> list[list[tuple[Any, ...]]]:
        return [register.rows(f"SELECT t::text FROM {table} t ORDER BY 1") for table in tables]

    a_population(register)
    number(client, "certificates-valid")  # takes in what is there
    a_population(register)
    number(client, "certificates-valid")
    piece_by_piece = told()
    entries = register.rows('SELECT count(*) FROM entries WHERE state LIKE \'%%"kind":"certificate"%%\'')
    assert len(piece_by_piece[0]) == entries[0][0]
    standing_now = register.rows("SELECT certificate_no, seq FROM certificate_facts WHERE replaced_by IS NULL")
    records = register.rows("SELECT substr(key, 13), seq FROM records WHERE key LIKE 'certificate/%%'")
    assert sorted(standing_now) == sorted(records)
    with transaction(register.connection) as cur:
        cur.execute("TRUNCATE certificate_facts, mark_facts")
        cur.execute("UPDATE facts_head SET seq = -1")
    with ThreadPoolExecutor(4) as pool:
        clients = [client.application.test_client() for _ in range(4)]
        values = [*pool.map(lambda one: one.get("/v1/indicators/certificates-valid").get_json()["value"], clients)]
    assert values == [14] * 4
    assert told() == piece_by_piece


def test_what_is_settled_may_be_kept_by_whoever_stands_between(register: Register, client: FlaskClient) -> None:
    settled = client.get("/v1/indicators/certificates-valid", query_string={"at": ago(3)})
    assert settled.headers["Cache-Control"] == "public, max-age=0, s-maxage=86400"
    for query in ({}, {"at": ago(0)}, {"at": ago(3), "known_at": ahead(1)}):
        moving = client.get("/v1/indicators/certificates-valid", query_string=query)
        assert moving.headers["Cache-Control"] == "public, max-age=0, s-maxage=30"
