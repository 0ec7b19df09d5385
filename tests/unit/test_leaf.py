"""The leaf, frozen from the first entry on: its bytes for known entries, and that they are RFC 8785's."""

import json
from datetime import UTC, date, datetime
from typing import Any

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from services.events.canonical import canonical
from services.registry.batch import leaf_of
from services.registry.store import Entry

RECORDED = datetime(2026, 11, 1, 4, 0, 0, 123000, tzinfo=UTC)


def an_entry(**fields: Any) -> Entry:
    given_fields: dict[str, Any] = {
        "seq": 0,
        "kind": "event",
        "digest": "ab" * 32,
        "event_id": "00000000-0000-4000-8000-000000000000",
        "source": "urn:certmark:body:CNCA-R-2019-7901",
        "type": "certmark.certificate.suspended.v1",
        "subject": "沪-2024-0031",
        "sequence": 2,
        "decision": "accepted",
        "detail": None,
        "pointer": None,
        "hint": None,
        "effective_at": date(2026, 9, 15),
        "received_at": datetime(2026, 11, 1, 3, 59, 59, 5000, tzinfo=UTC),
        "recorded_at": RECORDED,
        "position": 7,
        "state_digest": "cd" * 32,
        "state": "{}",
        "leaf": "",
        "jws": "x.y.z",
    }
    return Entry(**(given_fields | fields))


def test_the_leaf_of_an_event_is_frozen() -> None:
    assert leaf_of(an_entry()) == (
        '{"decision":"accepted","digest":"' + "ab" * 32 + '","effective_at":"2026-09-15","kind":"event",'
        '"received_at":"2026-11-01T03:59:59.005Z","recorded_at":"2026-11-01T04:00:00.123Z","seq":0,'
        '"source":"urn:certmark:body:CNCA-R-2019-7901","state":"' + "cd" * 32 + '","subject":"沪-2024-0031",'
        '"type":"certmark.certificate.suspended.v1","v":1}'
    )


def test_the_leaf_of_a_token_has_null_for_what_it_has_not() -> None:
    token = an_entry(
        kind="token",
        event_id=None,
        source=None,
        type=None,
        sequence=None,
        effective_at=None,
        received_at=None,
        position=None,
        state_digest=None,
        state=None,
        jws=None,
    )
    assert leaf_of(token) == (
        '{"decision":"accepted","digest":"' + "ab" * 32 + '","effective_at":null,"kind":"token","received_at":null,'
        '"recorded_at":"2026-11-01T04:00:00.123Z","seq":0,"source":null,"state":null,"subject":"沪-2024-0031",'
        '"type":null,"v":1}'
    )


@given(
    seq=st.integers(0, 2**53 - 1),
    subject=st.text(min_size=1, max_size=40).filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text)),
    decision=st.sampled_from(["accepted", "refused:bad-dates"]),
)
def test_every_leaf_is_canonical_json(seq: int, subject: str, decision: str) -> None:
    leaf = leaf_of(an_entry(seq=seq, subject=subject, decision=decision))
    assert leaf.encode() == rfc8785.dumps(json.loads(leaf))
    assert json.loads(leaf)["subject"] == subject


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcXYZ_09", max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text("abcXYZ_09", max_size=6), _JSON, max_size=6))
def test_without_floats_the_fast_form_is_rfc_8785(value: dict[str, Any]) -> None:
    def lone(text: str) -> bool:
        return any("\ud800" <= c <= "\udfff" for c in text)

    if not lone(json.dumps(value, ensure_ascii=False)):
        assert canonical(value, floats=False) == rfc8785.dumps(value) == canonical(value, floats=True)
