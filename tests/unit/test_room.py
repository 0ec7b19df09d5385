"""What a body may sign by right, and would have stopped the register for everybody: refused, and an end never is."""

import hashlib
import json
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from services.events.keys import new_key
from services.events.log import MAX_RECORD, Record
from services.registry import batch, room, worker
from services.registry.batch import AHEAD, Batch
from services.registry.intake import Prepared
from services.registry.relay import seal
from services.registry.store import Entry, StoredRecord
from tests.memory import AUTHORITY, Memory

TODAY = date(2026, 11, 1)
BODY, OTHER = (f"urn:certmark:body:CNCA-R-2019-790{n}" for n in (1, 2))
WORDS = {"zh": "示范", "en": "sample"}


def day(offset: int) -> str:
    return (TODAY + timedelta(days=offset)).isoformat()


def a_register() -> Memory:
    memory = Memory(TODAY)
    mark = {"id": "sample-mark", "name": WORDS}
    rules: dict[str, Any] = {"effective_at": "2016-01-01", "version": 1, "name": WORDS, "class": "product"}
    rules |= {"mandatory": False, "declaration": False, "coverage": {"complete": False} | WORDS, "mark": mark}
    for scheme, authorizer in (("plain", "none"), ("implied", "implied")):
        memory.say(AUTHORITY, "scheme.published", scheme, rules | {"mark_authorizer": authorizer})
    for body in (BODY, OTHER):
        competence = [{"scheme": scheme, "from": "2016-01-01"} for scheme in ("plain", "implied")]
        approved = {"effective_at": "2016-01-01", "name": "示范机构", "schemes": competence}
        memory.say(AUTHORITY, "body.approved", body.rpartition(":")[2], approved)
    for number, scheme in (("TT-1", "plain"), ("TT-2", "implied")):
        first: dict[str, Any] = {
            "effective_at": day(-30),
            "scheme": scheme,
            "basis": [{"standard": "GB 1"}],
            "approver": "7901-0007",
        }
        first |= {"holder": {"name": "示范公司"}, "product": {"name": "电器", "items": [{"model": "A1"}]}}
        first |= {"issued_on": day(-30), "valid_from": day(-30), "valid_until": day(300)}
        assert memory.say(BODY, "certificate.issued", number, first).decision == "accepted"
    return memory


REGISTER = a_register()


def amended(memory: Memory, number: str, op: str, models: list[str]) -> Entry:
    items = [{"op": op, "model": model} for model in models]
    return memory.say(BODY, "certificate.amended", number, {"effective_at": day(0), "items": items})


def sealed_size(memory: Memory, number: str) -> int:
    """Of the record that the relay would publish, with as long a history as there may be."""
    record: StoredRecord = memory.register.record(f"certificate/{number}")  # type: ignore[assignment]
    last = memory.last(number)
    recorded = (last.seq, last.type, last.source, last.digest, last.effective_at, last.recorded_at)
    return len(seal(record, new_key(), [recorded] * 100))


@pytest.mark.parametrize("number", ["TT-1", "TT-2"])
def test_a_record_never_outgrows_the_log(number: str) -> None:
    memory = REGISTER.fork()
    turns = (amended(memory, number, "added", [f"{turn}型{i}" for i in range(500)]) for turn in range(20))
    assert next(entry for entry in turns if entry.decision != "accepted").decision == "refused:no-room"
    assert len((memory.last(number).state or "").encode()) <= room.LARGEST
    assert sealed_size(memory, number) < MAX_RECORD
    ended = memory.say(BODY, "certificate.revoked", number, {"effective_at": day(0), "reason": "R05"})
    assert ended.decision == "accepted"


def test_models_that_come_and_go_leave_no_more_tokens_than_a_record_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "ROOM", room_for_tokens := 16 * 1024)
    memory = REGISTER.fork()
    for turn in range(4):
        models = [f"{turn}-{i}" for i in range(25)]
        assert amended(memory, "TT-2", "added", models).decision == "accepted"
        assert amended(memory, "TT-2", "removed", models).decision == "accepted"
    record = memory.register.record("certificate/TT-2")
    assert record is not None
    assert room_for_tokens < len(record.tokens) < room_for_tokens + 600
    held = {token["model"] for token in json.loads(record.tokens)}
    assert held >= {"A1", "0-0", "0-24", "1-0"}, "what was printed keeps its place in the status list"


@pytest.mark.parametrize(
    ("place", "state", "fits"), [(room.LONGEST, 0, True), (room.LONGEST + 1, 0, False), (800, 300, False)]
)
def test_a_story_stays_short_enough_to_be_folded_anew(place: int, state: int, *, fits: bool) -> None:
    memory = REGISTER.fork()
    if state:
        assert amended(memory, "TT-1", "added", [f"{'型' * 60}{i}" for i in range(state)]).decision == "accepted"
    memory.chains[BODY, "TT-1"] = (place - 1, "0" * 64)
    suspended = {"effective_at": day(0), "reason": "S03", "until": day(30)}
    part = memory.fork().say(BODY, "certificate.suspended", "TT-1", suspended | {"items": [{"model": "A1"}]})
    grown = memory.say(BODY, "certificate.amended", "TT-1", {"effective_at": day(0), "fields": {"headcount": 7}})
    assert part.decision == grown.decision == ("accepted" if fits else "refused:no-room")
    assert memory.say(BODY, "certificate.suspended", "TT-1", suspended).decision == "accepted"


def parked(memory: Memory, source: str, count: int) -> Batch:
    """A batch with so many events of one source, all at the place after the next of its chain."""
    found = memory._batch({(BODY, "TT-1"): memory.chains[BODY, "TT-1"]})
    suspended = {"effective_at": day(0), "reason": "S03", "until": day(30)}
    for at in range(count):
        event = memory.event(source, "certificate.suspended", "TT-1", suspended)
        digest = hashlib.sha256(f"{source} {at}".encode()).hexdigest()
        event = replace(event, id=str(at), sequence=event.sequence + 1, previous=digest, digest=digest)
        record = Record(at, "test", b"jws", memory.now)
        found.take(Prepared(record, memory.key_of(source), event.digest, event, True, None))
    return found


def test_of_one_chain_no_more_events_wait_than_it_has_places() -> None:
    found = parked(REGISTER.fork(), BODY, AHEAD + 3)
    assert len(found.parked) == AHEAD
    assert [entry.decision for entry in found.entries] == ["refused:chain-forked"] * 3


@pytest.mark.parametrize(("source", "doubt"), [(BODY, True), (OTHER, False)])
def test_nobody_throws_doubt_on_a_certificate_that_is_not_his(source: str, *, doubt: bool) -> None:
    found = parked(REGISTER.fork(), source, 1)
    assert len(found.parked) == 1
    assert [record.under_review for record in found.records().values()] == [True] * doubt


def test_what_waits_is_still_told_after_an_authority_s_event_has_reached_the_certificate() -> None:
    memory = REGISTER.fork()
    memory._keep(parked(memory, BODY, 1))
    issued = memory.told["TT-1"][0].said.digest
    annulled = {"effective_at": day(0), "digest": issued, "instrument": "判决"}
    assert memory.say(AUTHORITY, "decision.annulled", issued, annulled).decision == "accepted"
    record = memory.register.record("certificate/TT-1")
    assert record is not None
    assert (record.under_review, json.loads(record.state)["status"]) == (True, "revoked")


@pytest.mark.parametrize(
    ("waiting", "length", "count"),
    [({}, 10, 20), ({}, 4000, 5), ({"TT-3": 1 << 20, "TT-5": 20 << 20}, 10, 5), ({"TT-0": 99 << 20}, 10, 1)],
)
def test_a_batch_takes_no_more_stories_than_fit_its_time(waiting: dict[str, int], length: int, count: int) -> None:
    memory = REGISTER.fork()
    said = {"of": "0" * 64, "fields": {"headcount": 7}}
    events = [memory.event(BODY, "certificate.corrected", f"TT-{n}", said) for n in range(20)]
    records = [
        Prepared(Record(n, "test", b"jws", memory.now), "kid", event.digest, event, True, None)
        for n, event in enumerate(events)
    ]
    folds = worker._may_fold(records, waiting)
    assert folds == [(n, f"TT-{n}") for n in range(20)]
    assert worker._affordable(folds, waiting, dict.fromkeys(dict(folds).values(), length), 20) == count
