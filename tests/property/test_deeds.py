"""Whatever is done in a case comes back from what is kept of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registry.desk.deeds import KINDS, from_json, to_json


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_deed_comes_back_from_its_json(kind: type) -> None:
    @given(st.builds(kind))
    def holds(deed: object) -> None:
        members = json.loads(json.dumps(to_json(deed)))  # type: ignore[arg-type]
        assert from_json(members) == deed

    holds()


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"kind": "no-such"},
        {"kind": "asked", "seller": "x"},
        {"kind": "asked", "seller": "x", "due_on": "tomorrow"},
        {"kind": "asked", "seller": 1, "due_on": "2026-11-02"},
        {"kind": "decided", "finding": "x", "decision": "perhaps", "note": ""},
        {"kind": "asked", "seller": "x", "due_on": "2026-11-02", "more": "y"},
    ],
    ids=str,
)
def test_what_is_no_deed(members: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        from_json(members)
