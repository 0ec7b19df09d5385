"""Recalls and alerts: who may say what, and whom they concern. What is not known of goods excludes nothing."""

from datetime import date, timedelta
from typing import Any

import pytest

from services.domain.notice_states import RecallState, WarningState
from services.domain.notices import (
    LEVELS,
    RECALL_REASONS,
    Goods,
    concerns,
    is_about,
    is_in_force_on,
    is_open_on,
    most_urgent_first,
)
from services.events.event_types import EVENT_TYPES
from tests.memory import Memory
from tests.register import AUTHORITY, BODY, a_first_event, a_scheme

DAY = date(2026, 11, 1)
WORDS = {"zh": "请停止使用", "en": "stop using it"}
NO, GTIN = "2024990707000999", "06909900200098"


def a_recall(**changes: Any) -> RecallState:
    state: Any = {
        "v": 1,
        "kind": "recall",
        "id": "R-1",
        "certificate_no": NO,
        "gtin": None,
        "model": None,
        "batches": [],
        "made_from": None,
        "made_until": None,
        "reason": "defect",
        "instrument": "公告",
        "text": WORDS,
        "opened_on": "2026-10-01",
        "digest": "7" * 64,
        "closed_on": None,
        "closed_by": None,
        "note": None,
    }
    return {**state, **changes}  # type: ignore[typeddict-item]


def a_warning(**changes: Any) -> WarningState:
    state: Any = {
        "v": 1,
        "kind": "warning",
        "id": "W-1",
        "level": "caution",
        "certificate_no": None,
        "scheme": None,
        "class": "0707",
        "instrument": "公告",
        "text": WORDS,
        "issued_on": "2026-10-01",
        "until": "2026-12-31",
        "digest": "7" * 64,
        "withdrawn_on": None,
        "withdrawn_by": None,
    }
    return {**state, **changes}  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    ("recall", "goods", "concerned"),
    [
        ({}, Goods(NO), True),
        ({}, Goods("2024990707000998"), False),
        ({}, Goods(gtin=GTIN), False),
        ({"model": "NSB-22A"}, Goods(NO), True),
        ({"model": "NSB-22A"}, Goods(NO, model="ｎｓｂ－22a"), True),
        ({"model": "NSB-22A"}, Goods(NO, model="NSB-25A"), False),
        ({"batches": ["20260518"]}, Goods(NO), True),
        ({"batches": ["20260518"]}, Goods(NO, batch=" 20260518 "), True),
        ({"batches": ["20260518"]}, Goods(NO, batch="20260519"), False),
        ({"batches": []}, Goods(NO, batch="20260519"), True),
        ({"made_from": "2026-02-01", "made_until": "2026-03-31"}, Goods(NO), True),
        ({"made_from": "2026-02-01", "made_until": "2026-03-31"}, Goods(NO, made_on=date(2026, 2, 1)), True),
        ({"made_from": "2026-02-01", "made_until": "2026-03-31"}, Goods(NO, made_on=date(2026, 3, 31)), True),
        ({"made_from": "2026-02-01", "made_until": "2026-03-31"}, Goods(NO, made_on=date(2026, 4, 1)), False),
        ({"made_until": "2026-03-31"}, Goods(NO, made_on=date(2019, 1, 1)), True),
        ({"made_from": "2026-02-01"}, Goods(NO, made_on=date(2026, 1, 31)), False),
        ({"gtin": GTIN}, Goods(NO), True),
        ({"gtin": GTIN}, Goods(NO, gtin="06909900200104"), False),
        ({"certificate_no": None, "gtin": GTIN}, Goods(gtin=GTIN), True),
        ({"certificate_no": None, "gtin": GTIN}, Goods("OTHER-1", gtin=GTIN), True),
        ({"certificate_no": None, "gtin": GTIN}, Goods("OTHER-1"), False),
    ],
)
def test_whom_a_recall_concerns(recall: dict[str, Any], goods: Goods, concerned: bool) -> None:
    assert concerns(a_recall(**recall), goods) is concerned


def test_a_recall_is_open_from_its_day_until_the_day_before_it_is_closed() -> None:
    closed = a_recall(closed_on="2026-10-20")
    days = [date(2026, 9, 30) + timedelta(days=n) for n in range(40)]
    assert [day for day in days if is_open_on(closed, day)] == days[1:20]
    assert is_open_on(a_recall(), date(2199, 1, 1))


def test_a_warning_ends_with_its_last_day_or_when_it_is_withdrawn() -> None:
    assert is_in_force_on(a_warning(), date(2026, 12, 31))
    assert not is_in_force_on(a_warning(), date(2027, 1, 1))
    assert not is_in_force_on(a_warning(), date(2026, 9, 30))
    assert not is_in_force_on(a_warning(withdrawn_on="2026-11-01"), DAY)
    assert is_in_force_on(a_warning(withdrawn_on="2026-11-02"), DAY)


@pytest.mark.parametrize(
    ("named", "about"),
    [
        ({"class": "0707"}, True),
        ({"class": "0701"}, False),
        ({"class": None, "scheme": "ccc"}, True),
        ({"class": "0707", "scheme": "qms"}, False),
        ({"class": None, "certificate_no": NO}, True),
        ({"class": None, "certificate_no": "X-1"}, False),
    ],
)
def test_what_a_warning_is_about(named: dict[str, Any], about: bool) -> None:
    assert is_about(a_warning(**named), NO, "ccc", "0707") is about


def test_the_most_urgent_warning_comes_first() -> None:
    said = [a_warning(id="a", level="advice"), a_warning(id="d", level="danger"), a_warning(id="c")]
    assert [one["id"] for one in most_urgent_first(said)] == ["d", "c", "a"]


def test_the_words_are_those_of_the_schemas() -> None:
    opened, issued = (EVENT_TYPES[f"certmark.{name}.v1"].schema for name in ("recall.opened", "warning.issued"))
    assert opened["$defs"]["recall_reason"]["enum"] == list(RECALL_REASONS)
    assert issued["$defs"]["warning_level"]["enum"] == list(LEVELS)


# --- the decision ------------------------------------------------------------------------------------------


@pytest.fixture
def memory() -> Memory:
    memory = Memory(DAY)
    memory.add_key(BODY)
    memory.say(AUTHORITY, "scheme.published", "sample", a_scheme())
    competence = [{"scheme": "sample", "from": "2016-01-01"}]
    approved = {"effective_at": "2016-01-01", "name": "机构", "schemes": competence}
    memory.say(AUTHORITY, "body.approved", BODY.rpartition(":")[2], approved)
    dates = dict.fromkeys(("effective_at", "issued_on", "valid_from"), "2026-01-05")
    first = a_first_event(valid_until="2029-01-04", **dates)
    assert memory.say(BODY, "certificate.issued", "TT-100", first).decision == "accepted"
    return memory


RECALL: dict[str, Any] = {
    "effective_at": "2026-10-30",
    "certificate_no": "tt-100",
    "reason": "defect",
    "instrument": "公告",
    "text": WORDS,
}
WARNING: dict[str, Any] = {
    "effective_at": "2026-10-30",
    "until": "2026-12-31",
    "level": "danger",
    "scheme": "sample",
    "instrument": "公告",
    "text": WORDS,
}
END = {"effective_at": "2026-11-01", "instrument": "总结"}


def test_a_recall_is_opened_and_closed_once(memory: Memory) -> None:
    assert memory.say(AUTHORITY, "recall.opened", "R-1", RECALL).decision == "accepted"
    opened = memory.register.recall("R-1")
    assert opened is not None
    assert (opened["certificate_no"], opened["closed_on"]) == ("TT-100", None)
    assert memory.say(AUTHORITY, "recall.opened", "R-1", RECALL).decision == "refused:number-taken"
    early = END | {"effective_at": "2026-10-29"}
    assert memory.say(AUTHORITY, "recall.closed", "R-1", early).decision == "refused:bad-dates"
    assert memory.say(AUTHORITY, "recall.closed", "R-1", END).decision == "accepted"
    assert memory.say(AUTHORITY, "recall.closed", "R-1", END).decision == "refused:transition-not-allowed"
    assert memory.say(AUTHORITY, "recall.closed", "R-2", END).decision == "refused:unknown-subject"


def test_a_warning_is_issued_and_withdrawn_once(memory: Memory) -> None:
    assert memory.say(AUTHORITY, "warning.issued", "W-1", WARNING).decision == "accepted"
    assert memory.say(AUTHORITY, "warning.issued", "W-1", WARNING).decision == "refused:number-taken"
    early = END | {"effective_at": "2026-10-29"}
    assert memory.say(AUTHORITY, "warning.withdrawn", "W-1", early).decision == "refused:bad-dates"
    assert memory.say(AUTHORITY, "warning.withdrawn", "W-1", END).decision == "accepted"
    assert memory.say(AUTHORITY, "warning.withdrawn", "W-1", END).decision == "refused:transition-not-allowed"
    assert memory.say(AUTHORITY, "warning.withdrawn", "W-2", END).decision == "refused:unknown-subject"


@pytest.mark.parametrize(
    ("event", "data", "code"),
    [
        ("recall.opened", RECALL | {"certificate_no": None}, "scheme-rule"),
        ("recall.opened", RECALL | {"certificate_no": None, "gtin": GTIN, "model": "A1"}, "scheme-rule"),
        ("recall.opened", RECALL | {"certificate_no": "TT-999"}, "unknown-certificate"),
        ("recall.opened", RECALL | {"made_from": "2026-03-01", "made_until": "2026-02-28"}, "bad-dates"),
        ("recall.opened", RECALL | {"effective_at": "2027-03-01"}, "bad-dates"),
        ("warning.issued", WARNING | {"scheme": None}, "scheme-rule"),
        ("warning.issued", WARNING | {"certificate_no": "TT-100"}, "scheme-rule"),
        ("warning.issued", WARNING | {"scheme": None, "certificate_no": "TT-999"}, "unknown-certificate"),
        ("warning.issued", WARNING | {"scheme": "nobodys"}, "unknown-scheme"),
        ("warning.issued", WARNING | {"until": "2026-10-29"}, "bad-dates"),
    ],
)
def test_what_is_refused(memory: Memory, event: str, data: dict[str, Any], code: str) -> None:
    assert memory.say(AUTHORITY, event, "N-1", data).decision == f"refused:{code}"


def test_only_an_authority_recalls_or_warns(memory: Memory) -> None:
    for event, data in (("recall.opened", RECALL), ("warning.issued", WARNING)):
        assert memory.say(BODY, event, "N-1", data).decision == "refused:not-responsible"
    for event in ("recall.closed", "warning.withdrawn"):
        assert memory.say(BODY, event, "N-1", END).decision == "refused:not-responsible"
