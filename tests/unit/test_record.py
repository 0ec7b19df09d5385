"""The form of a sealed record: what is written is read again, and every other form is refused."""

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from services.domain.errors import BadEvent, DuplicateKey
from services.events.keys import new_key
from services.events.record import Recorded, SealedRecord, history_text, open_sealed, read_record, recorded, seal_record
from tests.signed import BODY, NOW

KEY = new_key()
ENTRY = (7, "certmark.certificate.issued.v1", BODY, "a" * 64, date(2026, 3, 6), NOW)


def a_record(**members: Any) -> SealedRecord:
    given: dict[str, Any] = {
        "key": "certificate/NO-1",
        "revision": 9,
        "seq": 7,
        "recorded_at": NOW,
        "digest": "a" * 64,
        "state": {"v": 1},
        "tokens": [{"token": "x"}],
        "under_review": True,
        "event": None,
        "history": [],
    }
    return SealedRecord(**(given | members))


@pytest.mark.parametrize(
    "record",
    [
        a_record(history=json.loads(history_text([ENTRY]))),
        a_record(key=f"key/{KEY.public.kid}", event=b"a.b.c", under_review=False, tokens=[]),
        a_record(key="heartbeat", state=None, digest=None, tokens=[]),
    ],
)
@pytest.mark.parametrize("sealed", [False, True])
def test_what_is_sealed_is_read_again(record: SealedRecord, sealed: bool) -> None:
    found = read_record(open_sealed(seal_record(record, KEY)).payload, sealed=sealed)
    assert replace(found, history=list(found.history)) == record


def test_a_record_of_which_nothing_was_said_has_no_history() -> None:
    assert history_text([]) == "[]"
    assert b'"history"' not in open_sealed(seal_record(a_record(), KEY)).payload


def test_an_entry_of_the_history_is_what_was_recorded() -> None:
    (entry,) = json.loads(history_text([ENTRY]))
    assert recorded(entry) == Recorded(*ENTRY)
    for wrong in (entry | {"seq": "7"}, entry | {"more": 1}, [entry]):
        with pytest.raises(BadEvent):
            recorded(wrong)


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"v": True}, "/v"),
        ({"key": 1}, "/key"),
        ({"revision": "9"}, "/revision"),
        ({"seq": True}, "/seq"),
        ({"digest": 1}, "/digest"),
        ({"state": []}, "/state"),
        ({"state": None}, "/state"),
        ({"key": "heartbeat"}, "/state"),
        ({"tokens": {}}, "/tokens"),
        ({"under_review": 1}, "/under_review"),
        ({"event": 1}, "/event"),
        ({"history": {}}, "/history"),
        ({"recorded_at": "2026-11-22T04:00:00Z"}, "/recorded_at"),
        ({"recorded_at": None}, "/recorded_at"),
        ({"recorded_at": "2026-13-22T04:00:00.000Z"}, ""),
        ({"event": "é"}, ""),
        ({"v": 2}, ""),
        ({"tokens": ...}, ""),
        ({"more": 1}, ""),
    ],
)
@pytest.mark.parametrize("sealed", [False, True])
def test_a_record_of_another_form_is_refused(members: dict[str, Any], pointer: str, sealed: bool) -> None:
    body = json.loads(open_sealed(seal_record(a_record(), KEY)).payload) | members
    payload = json.dumps({name: value for name, value in body.items() if value is not ...}).encode()
    with pytest.raises(BadEvent) as raised:
        read_record(payload, sealed=sealed)
    assert (raised.value.pointer or "") == pointer


def test_a_member_written_twice_is_refused_where_no_seal_was_checked() -> None:
    payload = open_sealed(seal_record(a_record(), KEY)).payload
    twice = payload[:-1] + b',"seq":8}'
    with pytest.raises(DuplicateKey):
        read_record(twice)
