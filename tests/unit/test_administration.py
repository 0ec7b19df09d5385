"""Bodies, alliances, keys, schemes, catalogues and calendars: what an authority says of them, and what it may not."""

import json
from typing import Any

import pytest

from services.events.keys import new_key
from tests.lives import ALLIANCE, AUTHORITY, BODY, CATALOGUE, DECLARANT, OTHER, SCHEMES
from tests.memory import REGISTRY, Memory
from tests.unit.test_fold import annul, day, memory, told

__all__ = ["memory"]

NUMBER = BODY.rpartition(":")[2]
ACT: dict[str, Any] = {"instrument": "决定"}
KEY = new_key().public


def refused(memory: Memory, short: str, subject: str, source: str = AUTHORITY, **data: Any) -> str:
    """Why it is refused, with the member that is to blame."""
    entry = memory.say(source, short, subject, data)
    assert entry.decision.startswith("refused:"), entry
    return f"{entry.decision.removeprefix('refused:')} {entry.pointer}"


def record(memory: Memory, key: str) -> dict[str, Any]:
    found = memory.register.record(key)
    assert found is not None
    state: dict[str, Any] = json.loads(found.state)
    return state


# --- bodies ---------------------------------------------------------------------------------------------------------


def test_a_body_is_approved_suspended_approved_again_and_disqualified_once(memory: Memory) -> None:
    approved: dict[str, Any] = {"name": "示范机构", "schemes": [{"scheme": "life-plain", "from": "2016-01-01"}]}
    assert refused(memory, "body.approved", NUMBER, effective_at=day(0), **approved) == "transition-not-allowed /type"
    assert refused(memory, "body.suspended", NUMBER, effective_at="2015-12-31", **ACT) == "bad-dates /data/effective_at"
    assert refused(memory, "body.suspended", NUMBER, effective_at=day(31), **ACT) == "bad-dates /data/effective_at"
    told(memory, "body.suspended", NUMBER, effective_at=day(-3), **ACT)
    assert refused(memory, "body.suspended", NUMBER, effective_at=day(0), **ACT) == "transition-not-allowed /type"
    told(memory, "backfill.opened", NUMBER, body=NUMBER, until=day(0))
    assert refused(memory, "body.approved", NUMBER, effective_at=day(31), **approved) == "bad-dates /data/effective_at"
    told(memory, "body.approved", NUMBER, effective_at=day(-1), **approved)
    early = {"effective_at": "2015-12-31"} | ACT
    assert refused(memory, "body.disqualified", NUMBER, **early) == "bad-dates /data/effective_at"
    told(memory, "body.disqualified", NUMBER, effective_at=day(0), **ACT)
    assert refused(memory, "body.disqualified", NUMBER, effective_at=day(0), **ACT) == "transition-not-allowed /type"
    body = record(memory, f"body/{NUMBER}")
    assert [(s["status"], s["from"]) for s in body["statuses"]] == [
        ("approved", "2016-01-01"),
        ("suspended", day(-3)),
        ("approved", day(-1)),
        ("disqualified", day(0)),
    ]
    assert body["backfills"] == [{"from": day(0), "until": day(0)}]
    for short in ("body.suspended", "body.disqualified"):
        assert refused(memory, short, "CNCA-R-2019-0001", effective_at=day(0), **ACT) == "unknown-subject /subject"


def test_a_scope_ends_on_the_eve_of_the_next_and_an_open_one_goes_on(memory: Memory) -> None:
    def scope(*schemes: str) -> list[dict[str, Any]]:
        return [{"scheme": scheme, "from": day(0)} for scheme in schemes]

    def held() -> list[tuple[str, str, str | None]]:
        return [(s["scheme"], s["from"], s["until"]) for s in record(memory, f"body/{NUMBER}")["schemes"]]

    far: dict[str, Any] = {"effective_at": day(31), "schemes": scope("life-plain")}
    assert refused(memory, "body.scope_changed", NUMBER, **far) == "bad-dates /data/effective_at"
    told(memory, "body.scope_changed", NUMBER, effective_at=day(-5), schemes=scope("life-plain"))
    gone = [(scheme, "2016-01-01", day(-6)) for scheme in SCHEMES if scheme != "life-plain"]
    assert held() == [("life-plain", "2016-01-01", None), *gone]
    told(memory, "body.scope_changed", NUMBER, effective_at=day(0), schemes=scope("life-allied"))
    assert held() == [("life-plain", "2016-01-01", day(-1)), *gone, ("life-allied", day(0), None)]


@pytest.mark.parametrize(("until", "accepted"), [(0, True), (-1, False)])
def test_a_backfill_lasts_until_today_at_least(memory: Memory, until: int, *, accepted: bool) -> None:
    said = {"body": NUMBER, "until": day(until)}
    if accepted:
        told(memory, "backfill.opened", NUMBER, **said)
        told(memory, "backfill.opened", NUMBER, **said)
        assert len(record(memory, f"body/{NUMBER}")["backfills"]) == 2
    else:
        assert refused(memory, "backfill.opened", NUMBER, **said) == "bad-dates /data/until"


# --- alliances ------------------------------------------------------------------------------------------------------


def test_who_joins_an_alliance_and_leaves_it(memory: Memory) -> None:
    other = OTHER.rpartition(":")[2]
    alliance = ALLIANCE.rpartition(":")[2]
    joins = {"effective_at": day(-9), "body": NUMBER}
    assert refused(memory, "alliance.member_admitted", alliance, **joins) == "unknown-subject /subject"
    told(memory, "alliance.established", alliance, effective_at=day(-9), name="联盟")
    again = {"effective_at": day(0), "name": "联盟"}
    assert refused(memory, "alliance.established", alliance, **again) == "number-taken /subject"
    told(memory, "alliance.member_admitted", alliance, **joins)
    told(memory, "alliance.member_admitted", alliance, **joins | {"body": other})
    assert refused(memory, "alliance.member_admitted", alliance, **joins) == "transition-not-allowed /data/body"
    leaves = {"effective_at": day(-5), "body": NUMBER}
    told(memory, "alliance.member_left", alliance, **leaves)
    assert refused(memory, "alliance.member_left", alliance, **leaves) == "transition-not-allowed /data/body"
    told(memory, "alliance.member_admitted", alliance, **joins | {"effective_at": day(-2)})
    left = told(memory, "alliance.member_left", alliance, **leaves | {"effective_at": day(0)})
    assert record(memory, f"alliance/{alliance}")["members"] == [
        {"body": NUMBER, "from": day(-9), "until": day(-6)},
        {"body": other, "from": day(-9), "until": None},
        {"body": NUMBER, "from": day(-2), "until": day(-1)},
    ]
    annul(memory, left, 0)
    assert [member["until"] for member in record(memory, f"alliance/{alliance}")["members"]] == [day(-6), None, None]


# --- keys -----------------------------------------------------------------------------------------------------------


def added(owner: str, purpose: str = "event") -> dict[str, Any]:
    return {"owner": owner, "purpose": purpose, "key": dict(KEY.jwk), "from": day(-9)}


@pytest.mark.parametrize(
    ("source", "owner", "purpose", "why"),
    [
        (AUTHORITY, BODY, "event", None),
        (AUTHORITY, AUTHORITY, "event", None),
        (AUTHORITY, DECLARANT, "declaration", None),
        (AUTHORITY, REGISTRY, "seal", None),
        (BODY, BODY, "event", None),
        (BODY, OTHER, "event", "not-responsible /data/owner"),
        (BODY, BODY, "seal", "not-responsible /data/owner"),
        (BODY, BODY, "declaration", "scheme-rule /data/purpose"),
        (AUTHORITY, BODY, "seal", "scheme-rule /data/purpose"),
        (AUTHORITY, REGISTRY, "event", "scheme-rule /data/purpose"),
        (AUTHORITY, DECLARANT, "event", "scheme-rule /data/purpose"),
        (AUTHORITY, "urn:certmark:body:CNCA-R-2019-0001", "event", "unknown-subject /data/owner"),
        (AUTHORITY, "urn:certmark:alliance:nobody", "event", "unknown-subject /data/owner"),
        (AUTHORITY, "urn:certmark:authority:nobody", "event", "unknown-subject /data/owner"),
    ],
)
def test_whose_key_is_added_by_whom_and_for_what(
    memory: Memory, source: str, owner: str, purpose: str, why: str | None
) -> None:
    if why is not None:
        assert refused(memory, "key.added", KEY.kid, source, **added(owner, purpose)) == why
        return
    told(memory, "key.added", KEY.kid, source, **added(owner, purpose))
    key = record(memory, f"key/{KEY.kid}")
    assert (key["owner"], key["purpose"], key["from"], key["retired_on"]) == (owner, purpose, day(-9), None)
    assert refused(memory, "key.added", KEY.kid, source, **added(owner, purpose)) == "number-taken /subject"


def test_a_keys_name_is_its_thumbprint_and_its_state_its_owners_or_an_authoritys_to_say(memory: Memory) -> None:
    assert refused(memory, "key.added", "B" * 43, **added(BODY)) == "scheme-rule /subject"
    for short, data in (
        ("key.retired", {"effective_at": day(0)}),
        ("key.compromised", {"since": f"{day(0)}T00:00:00Z"}),
    ):
        assert refused(memory, short, KEY.kid, **data) == "unknown-subject /subject"
    told(memory, "key.added", KEY.kid, **added(BODY))
    for short, data in (
        ("key.retired", {"effective_at": day(0)}),
        ("key.compromised", {"since": f"{day(0)}T00:00:00Z"}),
    ):
        assert refused(memory, short, KEY.kid, OTHER, **data) == "not-responsible /subject"


def test_a_key_that_has_retired_stays_so(memory: Memory) -> None:
    told(memory, "key.added", KEY.kid, **added(BODY))
    assert refused(memory, "key.retired", KEY.kid, BODY, effective_at=day(-1)) == "bad-dates /data/effective_at"
    for ahead in (9, 20, 0):  # what was announced may be put off, and brought forward
        told(memory, "key.retired", KEY.kid, BODY, effective_at=day(ahead))
        assert record(memory, f"key/{KEY.kid}")["retired_on"] == day(ahead)
    assert refused(memory, "key.retired", KEY.kid, BODY, effective_at=day(9)) == "transition-not-allowed /type"
    assert record(memory, f"key/{KEY.kid}")["key"] == KEY.jwk


def test_nobody_takes_back_that_a_key_was_stolen(memory: Memory) -> None:
    """Who has stolen one key of a body, and another, says for the first that it was stolen in a hundred years."""
    told(memory, "key.added", KEY.kid, **added(BODY))
    stolen = told(memory, "key.compromised", KEY.kid, AUTHORITY, since=f"{day(-5)}T00:00:00Z")
    for later in (f"{day(-5)}T00:00:00Z", f"{day(-5)}T08:00:00+08:00", f"{day(-4)}T00:00:00Z", "2099-01-01T00:00:00Z"):
        assert refused(memory, "key.compromised", KEY.kid, BODY, since=later) == "transition-not-allowed /data/since"
    told(memory, "key.compromised", KEY.kid, BODY, since=f"{day(-8)}T00:00:00Z")
    assert record(memory, f"key/{KEY.kid}")["compromised_since"] == f"{day(-8)}T00:00:00Z"
    annul(memory, stolen, 0)
    assert record(memory, f"key/{KEY.kid}")["compromised_since"] == f"{day(-8)}T00:00:00Z"
    annul(memory, memory.told[KEY.kid][-1].said.digest, 0)
    assert record(memory, f"key/{KEY.kid}")["compromised_since"] is None


# --- schemes, catalogues and calendars ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "since", "why"),
    [
        (2, 0, None),
        (1, 0, "bad-dates /data/version"),
        (0, 0, "bad-dates /data/version"),
        (2, -1, "bad-dates /data/effective_at"),
    ],
)
def test_a_later_version_of_a_scheme_or_a_catalogue_follows_and_begins_today_or_later(
    memory: Memory, version: int, since: int, why: str | None
) -> None:
    for short, subject, rules in (
        ("scheme.published", "life-plain", SCHEMES["life-plain"]),
        ("catalogue.published", "life-classes", CATALOGUE),
    ):
        said = rules | {"version": max(version, 1), "effective_at": day(since)}
        if why is None:
            told(memory, short, subject, **said)
        else:
            assert refused(memory, short, subject, **said) == why


def test_no_version_of_a_scheme_begins_before_the_one_that_was_announced(memory: Memory) -> None:
    for version, since, why in ((2, 9, None), (3, 8, "bad-dates /data/version"), (3, 9, None)):
        said = SCHEMES["life-plain"] | {"version": version, "effective_at": day(since)}
        if why is None:
            told(memory, "scheme.published", "life-plain", **said)
        else:
            assert refused(memory, "scheme.published", "life-plain", **said) == why


def test_a_class_changes_its_mode_and_leaves_once(memory: Memory) -> None:
    changed = {"effective_at": day(0), "class": "0703", "mode": "self_declaration"} | ACT
    left = {"effective_at": day(0), "class": "0703"} | ACT
    for short, said in (("catalogue.class_mode_changed", changed), ("catalogue.class_removed", left)):
        assert refused(memory, short, "no-classes", **said) == "unknown-subject /subject"
        assert refused(memory, short, "life-classes", **said | {"class": "0999"}) == "unknown-subject /data/class"
        assert (
            refused(memory, short, "life-classes", **said | {"effective_at": day(-1)}) == "bad-dates /data/effective_at"
        )
    far = left | {"effective_at": day(31)}
    assert refused(memory, "catalogue.class_removed", "life-classes", **far) == "bad-dates /data/effective_at"
    same = changed | {"mode": "certification"}
    assert (
        refused(memory, "catalogue.class_mode_changed", "life-classes", **same) == "transition-not-allowed /data/mode"
    )
    back = changed | {"transition_until": day(-1)}
    assert refused(memory, "catalogue.class_mode_changed", "life-classes", **back) == "bad-dates /data/transition_until"
    told(memory, "catalogue.class_mode_changed", "life-classes", **changed | {"transition_until": day(0)})
    told(memory, "catalogue.class_removed", "life-classes", **left)
    assert refused(memory, "catalogue.class_removed", "life-classes", **left) == "unknown-subject /data/class"
    classes: Any = CATALOGUE["classes"]
    renewed: Any = CATALOGUE | {"version": 2, "effective_at": day(0), "classes": classes[1:]}
    told(memory, "catalogue.published", "life-classes", **renewed)
    found = {one["class"]: one["removed_on"] for one in record(memory, "catalogue/life-classes")["classes"]}
    assert found == {"0703": day(0), "0704": None}, "what a catalogue leaves out is not removed by that"


def test_a_calendar_is_of_one_year_and_in_order(memory: Memory) -> None:
    said: dict[str, Any] = {
        "effective_at": day(0),
        "days_off": ["2026-10-02", "2026-10-01"],
        "working_days": ["2026-10-10", "2026-09-27"],
    }
    told(memory, "calendar.published", "2026", **said, **ACT)
    calendar = record(memory, "calendar/2026")
    assert calendar["days_off"] == ["2026-10-01", "2026-10-02"]
    assert calendar["working_days"] == ["2026-09-27", "2026-10-10"]
    for name in ("days_off", "working_days"):
        strange = said | {name: ["2026-10-01", "2027-01-01"]}
        assert refused(memory, "calendar.published", "2026", **strange, **ACT) == f"bad-dates /data/{name}"
