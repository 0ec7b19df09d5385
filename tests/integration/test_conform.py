"""The conformance run against a real system: every case over HTTP and straight to the log, and its signed report."""

import json
import re
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.events.client import Service
from services.events.conform.case import Case, Head, Say, Stands
from services.events.conform.cases import CASES
from services.events.conform.cast import demonstration_keys
from services.events.conform.play import Player
from services.events.conform.ways import way_to
from services.genesis import AUTHORITY
from services.settings import settings_from
from tests.conftest import ROOT
from tests.system import System, get

pytestmark = pytest.mark.timeout(180)

OF_THE_INGEST = {case.id for case in CASES if case.together or case.id.startswith("http/")} - {
    *("http/decision-unknown", "http/decision-malformed", "http/heads-of-nobody")
}


def conform(system: System, *words: str, code: int = 0) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(system.certmark("conform", "--json", *words, code=code))
    return report


def verdicts(report: dict[str, Any]) -> dict[str, str]:
    return {case["id"]: f"{case['verdict']}: {case['why']}" for case in report["cases"] if case["verdict"] != "passed"}


def test_every_case_passes_over_http_and_the_report_says_by_what(system: System, tmp_path: Path) -> None:
    file, key = tmp_path / "report.jws", system.data / "keys" / "regulator.pem"
    report = conform(system, "--report", str(file), "--sign-with", str(key))
    assert verdicts(report) == {}
    assert report["counts"] == {"passed": len(CASES), "failed": 0, "not_run": 0}
    assert report["about"] == {"events": system.events, "registry": system.registry}
    cases = {case["id"]: case for case in report["cases"]}
    (issued, look, *_) = cases["chain/duplicate"]["steps"]
    assert (issued["status"], issued["got"], look["got"]) == (202, "accepted", "accepted")
    assert get(f"{system.registry}/v1/decisions/{issued['digest']}")[0] == 200
    refused = cases["issue/number-pattern"]["steps"][0]
    assert refused["got"] == "refused:scheme-rule"
    assert refused["detail"]
    _every_refusal_is_told_in_both_languages(system)

    signed = json.loads(system.certmark("conform", "--verify", str(file), "--json"))
    assert signed["report"] == report
    shown = json.loads(system.certmark("keys", "show", str(key), "--json"))
    assert signed["kid"] == shown["kid"]
    system.certmark("conform", "--verify", str(file), "--by", shown["kid"])
    system.certmark("conform", "--verify", str(file), "--by", "A" * 43, code=1)
    head, body, signature = file.read_bytes().strip().split(b".")
    file.write_bytes(b".".join((head, body[:-8] + b"AAAAAAAA", signature)))
    system.certmark("conform", "--verify", str(file), code=1)


def test_straight_to_the_log_nothing_is_trusted_more_and_a_run_can_be_repeated(system: System) -> None:
    url = (system.data / "postgres.url").read_text(encoding="ascii").strip()
    report = conform(system, "--to", url)
    assert {case["id"] for case in report["cases"] if case["verdict"] == "not_run"} == OF_THE_INGEST
    assert report["counts"] == {"passed": len(CASES) - len(OF_THE_INGEST), "failed": 0, "not_run": len(OF_THE_INGEST)}
    assert url not in json.dumps(report), "it holds a password"
    wrong_key = next(case for case in report["cases"] if case["id"] == "key/wrong")
    assert [step["got"] for step in wrong_key["steps"]] == ["quarantined:bad-signature", "accepted"]


def test_what_needs_a_key_that_was_not_given_is_listed_as_not_run(system: System) -> None:
    body = str(system.data / "keys" / "CNCA-R-2019-7906.pem")
    report = conform(system, "--as", "CNCA-R-2019-7906", "--key", body, "--only", "mark/", "--only", "key/")
    assert report["counts"]["failed"] == 0
    why = {case["id"]: case["why"] for case in report["cases"] if case["verdict"] == "not_run"}
    assert re.search("no body .* shanghai-brand", why["mark/authorized"])
    assert why["key/of-another-source"] == "no key of a second body was given"
    assert why["key/purpose"] == "no key of the registry itself was given"
    assert report["counts"]["passed"] + report["counts"]["not_run"] == len(report["cases"])
    nothing = conform(system, "--as", "CNCA-R-2019-7906", "--key", body, "--only", "mark/authorized", code=1)
    assert nothing["counts"] == {"passed": 0, "failed": 0, "not_run": 1}


def test_a_client_is_examined_without_a_system(system: System) -> None:
    report = conform(system, "--producer", f"{ROOT}/.venv/bin/python {ROOT}/docs/examples/producer.py")
    assert verdicts(report) == {}
    wrong = f"{ROOT}/.venv/bin/python {ROOT}/tests/wrong_producer.py ends at a new member"
    assert set(verdicts(conform(system, "--producer", wrong, code=1))) == {"answers/unknown-members"}
    missing = conform(system, "--producer", "/no/such/client", code=1)
    assert missing["counts"]["passed"] == 0


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ((Say("certificate.issued", "refused:number-taken"),), "accepted instead of refused:number-taken"),
        ((Say("certificate.issued", data={"valid_until": "-1d"}),), "refused:bad-dates instead of accepted"),
        ((Say("certificate.issued", bent="flipped"),), "401 bad-signature instead of accepted"),
        ((Say("certificate.issued", "400 bad-event", bent="flipped"),), "401 bad-signature instead of 400 bad-event"),
        ((Say("certificate.issued"), Head(2, 0)), "head 1 instead of head 2"),
        ((Say("certificate.issued"), Head(1)), "with previous"),
        ((Say("certificate.issued"), Stands("revoked")), "valid instead of revoked"),
    ],
)
def test_a_system_that_does_something_else_fails_the_case(system: System, steps: Any, why: str) -> None:
    """The other way round: the system is right, and the case expects what a wrong one would do."""
    settings = settings_from(system.environment)
    run = datetime.now(UTC).strftime("%M%S%f")[-8:]
    with closing(way_to(system.events, settings)) as way:
        player = Player(way, Service(system.events), Service(system.registry), run, lambda: datetime.now(UTC))
        player.meet(demonstration_keys(settings.keys, AUTHORITY))
        outcome = player.play(replace(A_CASE, steps=steps), 1)
    assert outcome.verdict == "failed"
    assert why in outcome.why


A_CASE = Case("some/case", "某", "some", "connect.md#publish", ())


def _every_refusal_is_told_in_both_languages(system: System) -> None:
    service = Service(system.registry, token=(system.data / "keys" / "regulator.token").read_text().strip())
    refused, after = list[dict[str, Any]](), dict[str, str]()
    with closing(service):
        while (page := service.get("/v1/decisions", limit="1000", **after))["items"]:
            refused += [item for item in page["items"] if item["code"]]
            after = {"after": page["next"]}
    assert len({item["code"] for item in refused}) >= 20
    assert {item["detail"] for item in refused if item["detail"] and not item["detail_zh"]} == set()
    assert all(item["text"]["zh"] and item["text"]["en"] and " · " in item["hint"] for item in refused)
