"""Whatever was annulled from whichever day: each day is told as if what was annulled by then had never been said."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.certificate import Certificate, Status, StatusInterval
from services.domain.fold import ANNULLED, Told, fold, rules_told
from services.domain.standing import interval_on
from tests.lives import AUTHORITY, BODY, CATALOGUE, SCHEMES
from tests.memory import Memory

TODAY = date(2026, 11, 1)
NUMBER, FIRST, SECOND = "NO-1", "MARK-1", "MARK-2"
WITHDRAWN_OR_OUT = (Status.CANCELLED, Status.WITHDRAWN, None)


def day(before: int) -> str:
    return (TODAY - timedelta(days=before)).isoformat()


def begun() -> Memory:
    """A certificate of three models and two sites, with a mark."""
    memory = Memory(TODAY)
    memory.add_key(BODY)
    for scheme, rules in SCHEMES.items():
        memory.say(AUTHORITY, "scheme.published", scheme, rules)
    memory.say(AUTHORITY, "catalogue.published", "life-classes", CATALOGUE)
    competence = [{"scheme": scheme, "from": "2016-01-01"} for scheme in SCHEMES]
    approved = {"effective_at": "2016-01-01", "name": "示范机构", "schemes": competence}
    memory.say(AUTHORITY, "body.approved", BODY.rpartition(":")[2], approved)
    dates = dict.fromkeys(("effective_at", "issued_on", "valid_from"), day(20)) | {"valid_until": day(-300)}
    said = {
        "scheme": "life-plain",
        "basis": [{"standard": "GB 1"}],
        "holder": {"name": "示范公司"},
        "product": {"name": "电器", "items": [{"model": "A1"}, {"model": "A2"}]},
        "approver": "7901-0007",
    }
    memory.say(BODY, "certificate.issued", NUMBER, said | dates)
    memory.say(BODY, "mark.authorized", NUMBER, of_mark(FIRST) | {"effective_at": day(20)})
    assert {entry.decision for entry in memory.entries} == {"accepted"}
    return memory


def of_mark(number: str) -> dict[str, Any]:
    return {"mark_no": number, "mark": "sample-mark", "products": [{"model": "A1"}], "valid_until": day(-200)}


SUSPENDED = {"reason": "S03", "until": day(-60)}
VERIFIED = {"verified_on": day(20)}
PART = {"items": [{"model": "A1"}]}
MARK = {"mark_no": FIRST}
SAYINGS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("certificate.suspended", SUSPENDED),
    ("certificate.resumed", VERIFIED),
    ("certificate.suspended", SUSPENDED | PART),
    ("certificate.resumed", VERIFIED | PART),
    ("certificate.amended", {"items": [{"op": "removed", "model": "A1"}]}),
    ("certificate.amended", {"items": [{"op": "added", "model": "A3"}]}),
    ("certificate.amended", {"items": [{"op": "added", "model": "A1"}]}),
    ("certificate.revoked", {"reason": "R05"}),
    ("certificate.cancelled", {"reason": "C02"}),
    ("mark.suspended", SUSPENDED | MARK),
    ("mark.resumed", VERIFIED | MARK),
    ("mark.withdrawn", MARK),
    ("mark.authorized", of_mark(SECOND)),
)
ESTABLISHED = begun()
days = st.sampled_from([15, 12, 9, 6, 3, 0])
Lines = Mapping[str, Status | None]


@settings(max_examples=120)
@given(st.lists(st.tuples(st.sampled_from(SAYINGS), days), min_size=1, max_size=5), st.data())
def test_each_day_is_told_without_what_was_annulled_by_then(
    sayings: list[tuple[tuple[str, Mapping[str, Any]], int]], data: st.DataObject
) -> None:
    memory = ESTABLISHED.fork()
    for (short, members), before in sorted(sayings, key=lambda said: -said[1]):
        memory.say(BODY, short, NUMBER, dict(members) | {"effective_at": day(before)})
    for _ in range(data.draw(st.integers(1, 4))):
        undo(memory, data)
    told, rules_on = memory.told[NUMBER], rules_told(memory.register.told)
    kept = memory.certificate(NUMBER)
    assert fold(told, rules_on).certificate == kept
    for before in range(22):
        on = TODAY - timedelta(days=before)
        gone = gone_by(told, on)
        without = fold([one for one in told if one.said.type != ANNULLED and one.said.digest not in gone], rules_on)
        then = fold(told, rules_on, on).certificate
        assert then is not None
        assert then.annulled == tuple(sorted(gone))
        whole = status_on(without.certificate.statuses, on) if without.certificate else Status.REVOKED
        assert status_on(then.statuses, on) is status_on(kept.statuses, on) is whole
        if without.certificate is None or whole not in (Status.ACTIVE, Status.SUSPENDED):
            continue  # before its issue and after its end nobody asks for its parts
        names = {*lines(without.certificate, on), *lines(kept, on)}
        expected = {name: lines(without.certificate, on).get(name) for name in names}
        assert {name: lines(kept, on).get(name) for name in names} == expected, on
        assert {name: lines(then, on).get(name) for name in names} == expected, on


def undo(memory: Memory, data: st.DataObject) -> None:
    """One of the things that were said is annulled, an annulment perhaps."""
    target = data.draw(st.sampled_from(memory.told[NUMBER])).said.digest
    said = {"effective_at": day(data.draw(days)), "digest": target, "instrument": "判决"}
    memory.say(AUTHORITY, "decision.annulled", target, said)


def gone_by(told: list[Told], on: date) -> set[str]:
    """What those annulments annul that had taken effect by a day."""
    gone: set[str] = set()
    for said in (one.said for one in reversed(told) if one.said.type == ANNULLED):
        if said.digest not in gone and date.fromisoformat(said.data["effective_at"]) <= on:
            gone.add(said.data["digest"])
    return gone


def lines(certificate: Certificate, on: date) -> Lines:
    """How each model and each mark stands on a day: None for what is not there, or no more."""
    items = certificate.product.items if certificate.product else ()
    found: dict[str, Status | None] = {item.model: Status.ACTIVE for item in items}
    for part in certificate.parts:
        late = part.statuses[0].since > on
        begins = part.statuses[0].status is Status.ACTIVE
        found[part.name] = (None if begins else Status.ACTIVE) if late else there(status_on(part.statuses, on))
    found |= {mark.mark_no: there(status_on(mark.statuses, on)) for mark in certificate.marks}
    return found


def there(status: Status | None) -> Status | None:
    return None if status in WITHDRAWN_OR_OUT else status


def status_on(statuses: tuple[StatusInterval, ...], on: date) -> Status | None:
    interval = interval_on(statuses, on)
    return interval.status if interval else None
