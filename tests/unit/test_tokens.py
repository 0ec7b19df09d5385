"""Which tokens are signed when: once for each product, anew where the last day moves, never for what has ended."""

import json
from base64 import urlsafe_b64decode
from datetime import date, timedelta
from typing import Any

import pytest

from services.marks.token import MarkClaims, last_day_said, open_token
from services.registry.tokens import KEPT, TokenRecord, with_token
from tests.lives import AUTHORITY, BODY, CATALOGUE, SCHEMES
from tests.memory import Memory

TODAY = date(2026, 11, 1)
NUMBER = "NO-1"
ISSUED: dict[str, Any] = {
    "effective_at": "2026-07-01",
    "scheme": "life-implied",
    "basis": [{"standard": "GB 1"}],
    "holder": {"name": "示范公司"},
    "product": {"name": "电器", "class": "0703", "items": [{"model": "A1", "gtin": "06909900123007"}, {"model": "A2"}]},
    "issued_on": "2026-07-01",
    "valid_from": "2026-07-01",
    "valid_until": "2026-12-31",
    "approver": "7901-0007",
}


@pytest.fixture
def memory() -> Memory:
    made = Memory(TODAY)
    made.add_key(BODY)
    said(made, "scheme.published", "life-implied", AUTHORITY, **SCHEMES["life-implied"])
    said(made, "catalogue.published", "life-classes", AUTHORITY, **CATALOGUE)
    competence = [{"scheme": "life-implied", "from": "2016-01-01"}]
    begun = "2016-01-01"
    said(made, "body.approved", "CNCA-R-2019-7901", AUTHORITY, effective_at=begun, name="示范机构", schemes=competence)
    said(made, "certificate.issued", NUMBER, **ISSUED)
    return made


def said(memory: Memory, short: str, subject: str = NUMBER, source: str = BODY, **data: Any) -> str:
    entry = memory.say(source, short, subject, data)
    assert entry.decision == "accepted", entry.detail
    return entry.digest


def renew(memory: Memory) -> str:
    period = {"issued_on": "2026-11-01", "valid_from": "2027-01-01", "valid_until": "2029-12-31"}
    return said(memory, "certificate.renewed", effective_at="2026-11-01", approver="7901-7", **period)


def tokens(memory: Memory, model: str = "A1") -> list[MarkClaims]:
    """What the tokens of a model say, the newest first."""
    record = memory.register.record(f"certificate/{NUMBER}")
    assert record is not None
    held = [token["token"] for token in json.loads(record.tokens) if token["model"] == model]
    return [open_token(urlsafe_b64decode(token + "==")).claims for token in held]


def signed(memory: Memory) -> int:
    return sum(entry.kind == "token" for entry in memory.entries)


def last_days(memory: Memory) -> list[str]:
    return [str(claims.last_valid_day) for claims in tokens(memory)]


def test_a_renewal_signs_each_token_anew_at_its_place_in_the_lists(memory: Memory) -> None:
    before = tokens(memory)
    memory.today += timedelta(days=1)
    renew(memory)
    newest, oldest = tokens(memory)
    assert [oldest] == before
    assert (newest.index, newest.list_id, newest.mark_no) == (oldest.index, oldest.list_id, oldest.mark_no)
    assert (newest.issued_on, newest.last_valid_day) == (memory.today, date(2029, 12, 31))
    assert len(tokens(memory, "A2")) == 2
    assert (signed(memory), memory.status_index) == (4, 2)


def test_what_leaves_the_days_alone_signs_nothing(memory: Memory) -> None:
    said(memory, "certificate.suspended", effective_at="2026-11-01", reason="S03", until="2026-12-01")
    said(memory, "certificate.resumed", effective_at="2026-11-01", verified_on="2026-11-01")
    said(memory, "certificate.amended", effective_at="2026-11-01", fields={"headcount": 7})
    assert signed(memory) == 2


def test_a_correction_of_the_last_day_signs_anew(memory: Memory) -> None:
    issue = memory.told[NUMBER][0].said.digest
    said(memory, "certificate.corrected", of=issue, fields={"valid_until": "2027-03-31"})
    assert last_days(memory) == ["2027-03-31", "2026-12-31"]


def test_an_annulled_renewal_signs_the_earlier_last_day_again(memory: Memory) -> None:
    renewed = renew(memory)
    memory.today += timedelta(days=1)
    data = {"effective_at": "2026-11-01", "digest": renewed, "instrument": "判决"}
    said(memory, "decision.annulled", renewed, AUTHORITY, **data)
    assert last_days(memory) == ["2026-12-31", "2029-12-31", "2026-12-31"]
    assert [claims.issued_on for claims in tokens(memory)] == [memory.today, TODAY, TODAY]


def test_the_same_token_stands_in_a_record_once(memory: Memory) -> None:
    issue = memory.told[NUMBER][0].said.digest
    for day in ("2027-03-31", "2026-12-31"):
        said(memory, "certificate.corrected", of=issue, fields={"valid_until": day})
    assert last_days(memory) == ["2026-12-31", "2027-03-31"]


def test_what_has_ended_is_not_signed_until_an_annulment_brings_it_back(memory: Memory) -> None:
    revoked = said(memory, "certificate.revoked", effective_at="2026-11-01", reason="R05")
    issue = memory.told[NUMBER][0].said.digest
    said(memory, "certificate.corrected", of=issue, fields={"valid_until": "2027-03-31"})
    assert last_days(memory) == ["2026-12-31"]
    data = {"effective_at": "2026-11-01", "digest": revoked, "instrument": "判决"}
    said(memory, "decision.annulled", revoked, AUTHORITY, **data)
    assert last_days(memory) == ["2027-03-31", "2026-12-31"]


def test_the_oldest_of_the_replaced_are_forgotten_first() -> None:
    held: list[TokenRecord] = []
    for turn in range(KEPT + 10):
        held = with_token(held, a_token(turn % 2, turn))
    assert len(held) == KEPT
    assert [held[0]["token"], held[1]["token"]] == [f"t{KEPT + 8}", f"t{KEPT + 9}"]
    assert held[-1]["token"] == "t10"
    current = [a_token(product, product) for product in range(KEPT + 5)]
    assert len(with_token(current, a_token(0, 9999))) == KEPT + 5


def a_token(product: int, serial: int) -> TokenRecord:
    return {"mark_no": "M", "gtin": None, "model": f"A{product}", "token": f"t{serial}", "list": 0, "index": product}


def test_the_last_day_is_read_from_a_token_alone(memory: Memory) -> None:
    record = memory.register.record(f"certificate/{NUMBER}")
    assert record is not None
    for token in json.loads(record.tokens):
        raw = urlsafe_b64decode(token["token"] + "==")
        assert last_day_said(raw) == open_token(raw).claims.last_valid_day == date(2026, 12, 31)


def test_a_product_that_is_named_twice_has_one_token(memory: Memory) -> None:
    twice = {"name": "电器", "class": "0703", "items": [{"model": "A1"}, {"model": "A1"}]}
    said(memory, "certificate.issued", "NO-2", **ISSUED | {"product": twice})
    record = memory.register.record("certificate/NO-2")
    assert record is not None
    assert [token["model"] for token in json.loads(record.tokens)] == ["A1"]
