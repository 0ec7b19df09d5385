"""Every answer code and note on every channel in both languages, each reached by a real question to a real register."""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner

from deploy.kafka.broker import free_ports
from services.cli import main
from services.domain.certificate import Certificate
from services.events.keys import new_key
from services.marks.status_list import Status
from services.verify.offline import OfflineAnswer
from services.verify.wording import ANSWERS, LABELS, Code, Family, Note, wording
from tests.integration.test_pages import a_register, fill, serve, special_certificates, wait_for
from tests.sealed_register import SealedRegister, body_state, demonstration
from tests.unit import test_offline as offline

LANGUAGES = ("zh", "en")
NO_ANSWER = {Code.STATUS_UNKNOWN}
"""Codes that are answered with 503: the node cannot say."""


@dataclass(frozen=True)
class Node:
    url: str
    register: SealedRegister


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[bool, Node]]:
    """By whether it is stale: a node that is up to date, and one whose data is two days old."""
    now, started, found = datetime.now(UTC), [], {}
    for stale in (False, True):
        register = a_register(now - (timedelta(days=2) if stale else timedelta(seconds=5)))
        for certificate, extra in more_certificates(now.date()):
            register.publish_certificate(certificate, under_review=extra)
        register.publish("body/CNCA-R-2019-7999", body_state(GONE))
        register.heartbeat()
        data, port = tmp_path_factory.mktemp("node"), free_ports(1)[0]
        fill(data, register)
        started.append(serve(data, port))
        found[stale] = Node(f"http://127.0.0.1:{port}", register)
    try:
        for node in found.values():
            wait_for(node.url)
        yield found
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(10)


GONE = {
    "approval_no": "CNCA-R-2019-7999",
    "name": "示范已撤销机构(虚构)",
    "schemes": ["pinzibiao"],
    "approved_from": "2019-06-01",
    "disqualified_on": "2026-01-01",
}


def more_certificates(day: date) -> Iterator[tuple[Certificate, bool]]:
    """(certificate, under review): what the notes need beside the pages' own special certificates."""
    base = next(one for one in special_certificates(day) if one.certificate_no == "TEST-VALID-000001")
    yield replace(base, certificate_no="TEST-REVIEW-0001", marks=()), True
    gone = GONE["approval_no"]
    yield replace(base, certificate_no="TEST-GONE-00001", marks=(), body=str(gone)), False
    assert base.product is not None
    narrow = replace(base.product, items=base.product.items[:0])
    yield replace(base, certificate_no="TEST-NARROW-0001", marks=(narrowed(base),), product=narrow), False


def narrowed(base: Certificate) -> Any:
    return replace(base.marks[0], mark_no="M-TEST-NARROW-0001", products=())


def the_question(node: Node, code: Code) -> str:
    """What somebody asks who is to be answered with this code."""
    register, base = node.register, node.url
    soap = demonstration("SHB-P-2024-0031")
    assert soap.product is not None
    genuine = register.url(soap, soap.product.items[0], base)
    special = {one.certificate_no: one for one in special_certificates(register.now.date())}
    valid = special["TEST-VALID-000001"]
    assert valid.product is not None
    narrow = replace(valid, certificate_no="TEST-NARROW-0001", marks=(narrowed(valid),))
    return {
        Code.VALID: genuine,
        Code.SUSPENDED: "TEST-SUSPENDED-01",
        Code.REVOKED: "TEST-REVOKED-0001",
        Code.CANCELLED: "TEST-CANCELLED-01",
        Code.EXPIRED: "TEST-EXPIRED-0001",
        Code.SUPERSEDED: "TEST-REPLACED-001",
        Code.NOT_YET_VALID: "TEST-AHEAD-000001",
        Code.UNKNOWN_NUMBER: "2023990703999999",
        Code.MALFORMED_NUMBER: "<b>证书?</b>",
        Code.MARK_NOT_AUTHORIZED: f"{base}/m/M-TEST-NOMARK-00001",
        Code.OUT_OF_SCOPE: register.url(narrow, valid.product.items[0], base),
        Code.UNREADABLE: f"{base}/01/06909900123007?m=123",
        Code.NOT_OURS: "https://example.org/news",
        Code.IMPOSTOR_HOST: genuine.replace(base, "https://v-example.cn"),
        Code.UNKNOWN_SIGNER: SealedRegister().url(soap, soap.product.items[0], base),
        Code.BAD_SIGNATURE: genuine[:-1] + ("1" if genuine[-1] != "1" else "2"),
        Code.DO_NOT_SELL: "TEST-RECALLED-01",
        Code.STATUS_UNKNOWN: "TEST-VALID-000001",
    }[code]


NOTED = {
    Note.SELF_DECLARED: "SDOC-2025-000731",
    Note.SCOPE_LIMITED: "TEST-VALID-000001",
    Note.BODY_DISQUALIFIED: "TEST-GONE-00001",
    Note.UNDER_REVIEW: "TEST-REVIEW-0001",
    Note.OVERDUE_SURVEILLANCE: "TEST-OVERDUE-0001",
    Note.ALERT: "TEST-ALERTED-0001",
}


def asked(url: str, **headers: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def the_json(node: Node, question: str) -> dict[str, Any]:
    _, body = asked(f"{node.url}/v1/verify?q={quote(question)}")
    answer: dict[str, Any] = json.loads(body)
    return answer


def the_bulk(node: Node, *questions: str) -> list[dict[str, Any]]:
    request = urllib.request.Request(
        f"{node.url}/v1/verify", json.dumps({"q": questions}).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            items: list[dict[str, Any]] = json.loads(answer.read())["items"]
    except urllib.error.HTTPError as error:
        items = json.loads(error.read())["items"]
    return items


def words(html: bytes) -> str:
    """What a reader reads of a page."""
    return unescape(re.sub(r"<[^>]+>", "", re.sub(r"<style>.*?</style>", "", html.decode(), flags=re.DOTALL)))


@pytest.mark.parametrize("code", Code)
def test_a_code_on_every_channel(nodes: dict[bool, Node], code: Code) -> None:
    node = nodes[code is Code.STATUS_UNKNOWN]
    question = the_question(node, code)
    answer = the_json(node, question)
    assert answer["code"] == code
    (in_bulk,) = the_bulk(node, question)
    assert _timeless(in_bulk) == _timeless(answer)
    worded = wording(code, tuple(Note(note) for note in answer["notes"]))
    assert answer["family"] == worded.family
    for language in LANGUAGES:
        assert answer["title"][language] == worded.title[language]
        status, html = asked(f"{node.url}/?q={quote(question)}&lang={language}", Accept="text/html")
        page = words(html)
        assert status == (503 if code in NO_ANSWER else 200)
        assert worded.title[language] in page
        assert f'class="v {worded.family}"'.encode() in html
        assert f"{LABELS['code'][language]}{LABELS['colon'][language]}{code}" in page
        assert "{" not in page.replace("{}", ""), "a sentence with a hole in it"
        assert LABELS["next"][language] in page

    said = CliRunner().invoke(main, ["verify", "--service", node.url, question])
    assert said.exit_code == (0 if code is Code.VALID else 1), said.output
    assert f"({code})" in said.output
    assert all(worded.title[language] in said.output for language in LANGUAGES)
    as_json = CliRunner().invoke(main, ["verify", "--json", "--service", node.url, question])
    assert _timeless(json.loads(as_json.output)) == _timeless(answer)
    lines = f"{question}\n\n TEST-VALID-000001 \n".encode()
    piped = CliRunner().invoke(main, ["verify", "--json", "--service", node.url, "-"], input=lines)
    assert piped.exit_code == said.exit_code
    assert next(json.loads(line)["code"] for line in piped.output.splitlines()) == code


def _timeless(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "checked_at"}


NEGATIVE = (Code.SUSPENDED, Code.REVOKED, Code.CANCELLED, Code.DO_NOT_SELL)


@pytest.mark.parametrize("code", NEGATIVE)
def test_the_evidence_behind_a_no(nodes: dict[bool, Node], code: Code) -> None:
    """The event, the reason, and both dates: from when it holds, and when the register recorded it."""
    node = nodes[False]
    answer = the_json(node, the_question(node, code))
    notice = answer["notices"][0] if code is Code.DO_NOT_SELL else answer["certificate"]
    assert re.fullmatch(r"[0-9a-f]{64}", notice["digest"])
    assert notice["seq"] > 0
    assert notice["recorded_at"]
    assert answer["since"]
    assert answer["reason"]["zh"]
    assert answer["reason"]["en"]
    for language in LANGUAGES:
        _, html = asked(f"{node.url}/?q={the_question(node, code)}&lang={language}")
        page = words(html)
        assert answer["since"] in page
        assert answer["reason"][language] in page
        assert notice["digest"] in page


@pytest.mark.parametrize("note", NOTED)
def test_a_note_on_every_channel(nodes: dict[bool, Node], note: Note) -> None:
    node, question = nodes[False], NOTED[note]
    answer = the_json(node, question)
    assert (answer["code"], note in answer["notes"]) == (Code.VALID, True)
    assert note in the_bulk(node, question)[0]["notes"]
    assert note in CliRunner().invoke(main, ["verify", "--service", node.url, question]).output
    plain = "TEST-VALID-000001" if note is not Note.SCOPE_LIMITED else "790826Q00031R0S"
    assert note not in the_json(node, plain)["notes"]


def test_an_alert_stands_above_a_valid_verdict(nodes: dict[bool, Node]) -> None:
    node = nodes[False]
    answer = the_json(node, NOTED[Note.ALERT])
    (alert,) = answer["notices"]
    assert (alert["kind"], alert["level"]["code"]) == ("warning", "caution")
    for language in LANGUAGES:
        _, html = asked(f"{node.url}/c/{NOTED[Note.ALERT]}?lang={language}")
        page = words(html)
        assert page.index(alert["level"][language]) < page.index(alert["text"][language])
        assert alert["text"][language] in words(html.partition(b"<h1>")[0])


def test_a_recall_says_no_for_every_deed_but_showing_the_certificate(nodes: dict[bool, Node]) -> None:
    base = f"{nodes[False].url}/v1/certificates/TEST-RECALLED-01/permits"
    for act in ("ship", "sell", "import", "use"):
        permit = json.loads(asked(f"{base}?act={act}")[1])
        assert (permit["allowed"], permit["rule"], permit["code"]) == ("no", "N10", "do_not_sell")
        assert "20260518" in permit["reason"]["zh"]
        other = json.loads(asked(f"{base}?act={act}&batch=20260601")[1])
        assert (other["allowed"], other["code"]) == ("yes", "valid")
    assert json.loads(asked(f"{base}?act=display")[1])["allowed"] == "yes"


OFFLINE: dict[Code, OfflineAnswer] = {
    Code.VALID: offline.found(offline.url()),
    Code.SUSPENDED: offline.found(offline.url(), lists={3: offline.a_list(Status.SUSPENDED)}),
    Code.REVOKED: offline.found(offline.url(), lists={3: offline.a_list(Status.REVOKED)}),
    Code.CANCELLED: offline.found(offline.url(), lists={3: offline.a_list(Status.CANCELLED)}),
    Code.MARK_NOT_AUTHORIZED: offline.found(
        offline.url(path=offline.UNIT), lists={3: offline.a_list(voided=offline.VOID)}
    ),
    Code.MALFORMED_NUMBER: offline.found("<b>证书?</b>"),
    Code.UNREADABLE: offline.found("https://mark.example/01/06901234567892?m=12"),
    Code.NOT_OURS: offline.found("https://example.org/news"),
    Code.IMPOSTOR_HOST: offline.found(offline.url(base="https://v-example.cn")),
    Code.UNKNOWN_SIGNER: offline.found(offline.url(key=new_key())),
    Code.BAD_SIGNATURE: offline.found(offline.url().replace(offline.GTIN, "06909900127449")),
    Code.STATUS_UNKNOWN: offline.found(offline.url(), lists={}),
}
"""What the scanner says with the network off, by what somebody scanned; both of its programs agree (test_scan.py)."""

NEEDS_THE_NETWORK = {
    Code.EXPIRED: "printed validity ignores a renewal: past it the scanner says status_unknown",
    Code.NOT_YET_VALID: "no token is signed for what has not begun",
    Code.SUPERSEDED: "published as cancelled",
    Code.UNKNOWN_NUMBER: "a number without a signature is looked up in the register",
    Code.OUT_OF_SCOPE: "what an amendment took out is cancelled in its list",
    Code.DO_NOT_SELL: "recalls are in no list that it holds (docs/verification.md)",
}


@pytest.mark.parametrize("code", OFFLINE)
def test_a_code_of_the_offline_scanner(code: Code) -> None:
    answer = OFFLINE[code]
    assert answer.code is code
    assert all(ANSWERS[code].title[language] for language in LANGUAGES)


def test_what_the_offline_scanner_cannot_say_is_listed() -> None:
    assert OFFLINE.keys() | NEEDS_THE_NETWORK.keys() == set(Code)
    assert not OFFLINE.keys() & NEEDS_THE_NETWORK.keys()


def test_every_code_and_every_note_that_can_be_is_reached() -> None:
    assert set(NOTED) | {Note.POSSIBLE_COPY} == set(Note)
    assert {worded.family for worded in ANSWERS.values()} == set(Family)
