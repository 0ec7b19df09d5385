"""The console's rules: how long a visit lasts, when an address has to wait, what a form shows, how things are told."""

import csv
import io
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask

from services.auth import Caller, NotPermitted, Role
from services.domain.body import Key, Purpose
from services.events.keys import new_key
from services.registry import door
from services.registry.console import handed_in, inbox, keys
from services.registry.console.asked import Seen
from services.registry.console.pages import Frame, place_of, source_at
from services.registry.console.submissions import STATES_OF_WORK
from services.registry.console.visits import Visit, Visitor, visitor_of
from services.registry.console.wording import TEXTS
from services.registry.decision_feed import Place
from services.registry.door import FormNotOurs, Knocks, check_form, form_token
from services.registry.rooms import page_below
from services.settings import settings_from

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
BODY = "urn:certmark:body:CNCA-R-2019-7901"
TEMPLATES = Path(inbox.__file__).parents[1] / "templates" / "console"
FRAME = Frame("zh", False, "0" * 64, visitor=Visitor("t", Role.SOURCE, BODY), source=BODY, name="示范机构")

# --- the door ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("since_begin", "since_seen", "over"),
    [
        (timedelta(0), timedelta(0), False),
        (timedelta(hours=3), timedelta(minutes=29, seconds=59), False),
        (timedelta(hours=3), timedelta(minutes=30), True),
        (timedelta(hours=12), timedelta(0), True),
    ],
)
def test_a_visit_ends_when_idle_and_at_the_end_of_the_day(
    since_begin: timedelta, since_seen: timedelta, over: bool
) -> None:
    visit = Visit(Visitor("t", Role.SOURCE, BODY), NOW - since_begin, NOW - since_seen)
    assert visit.is_over(NOW) is over


@pytest.mark.parametrize(
    ("peer", "forwarded", "counted"),
    [
        ("10.0.0.2", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.2", "192.0.2.1, 2001:db8:1:2:3::9", "2001:db8:1:2::/64"),
        ("192.168.1.7", "203.0.113.9", "192.168.1.7"),
        ("2001:db8:1:2:ffff::1", "203.0.113.9", "2001:db8:1:2::/64"),
        ("", "203.0.113.9", ""),
    ],
)
def test_who_knocks_is_told_by_a_proxy_that_is_named_and_by_nobody_else(
    peer: str, forwarded: str, counted: str
) -> None:
    settings = settings_from({"CERTMARK_TRUSTED_PROXIES": "10.0.0.0/8"})
    base = {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded}
    with Flask("door").test_request_context(environ_base=base):
        assert door.address(settings) == counted


@pytest.mark.parametrize(
    ("wanted", "leads"),
    [
        ("/desk/cases?after=1", True),
        ("/desk/案件", True),
        ("https://evil.example/desk/", False),
        ("//evil.example/desk/", False),
        ("/desk", False),
        ("/console/", False),
        ("/desk/\\evil.example", False),
        ("/desk/\r\nSet-Cookie: x=1", False),
        ("", False),
    ],
)
def test_after_signing_in_only_a_page_of_ours_is_led_to(wanted: str, leads: bool) -> None:
    assert page_below("/desk", wanted, "/desk/") == (wanted if leads else "/desk/")


def test_five_wrong_tokens_lock_an_address_for_a_quarter_of_an_hour() -> None:
    knocks = Knocks(0, NOW)
    for _ in range(door.STRIKES - 1):
        knocks = knocks.and_another(NOW)
        assert knocks.locked_for(NOW) is None
    knocks = knocks.and_another(NOW)
    assert knocks.locked_for(NOW) == door.LOCKED
    assert knocks.locked_for(NOW + door.LOCKED - timedelta(seconds=1)) == timedelta(seconds=1)
    assert knocks.locked_for(NOW + door.LOCKED) is None


def test_old_wrong_tokens_are_forgotten() -> None:
    knocks = Knocks(door.STRIKES - 1, NOW)
    assert knocks.and_another(NOW + door.LOCKED).wrong == 1
    assert knocks.and_another(NOW + door.LOCKED - timedelta(seconds=1)).wrong == door.STRIKES


def test_a_form_shows_the_token_of_its_own_cookie() -> None:
    cookie = "a" * 43
    check_form(cookie, form_token(cookie))
    for mine, shown in (
        (cookie, ""),
        (cookie, form_token("b" * 43)),
        ("", form_token("")),
        (cookie, cookie),
        (cookie, "\udcff"),
        (cookie, "密"),
    ):
        with pytest.raises(FormNotOurs):
            check_form(mine, shown)


def test_a_source_sees_and_does_its_own_things_and_a_regulator_only_looks() -> None:
    source = visitor_of(Caller("1", Role.SOURCE, BODY, None))
    regulator = visitor_of(Caller("2", Role.REGULATOR, "somebody", None))
    other = "urn:certmark:body:CNCA-R-2019-7902"
    assert (source.may_see(BODY), source.may_act_for(BODY)) == (True, True)
    assert (source.may_see(other), source.may_act_for(other)) == (False, False)
    assert (regulator.may_see(BODY), regulator.may_act_for(BODY)) == (True, False)


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.SOURCE, Role.REGULATOR)])
def test_other_roles_have_nothing_to_do_in_the_console(role: Role) -> None:
    with pytest.raises(NotPermitted):
        visitor_of(Caller("1", role, role.value, None))


# --- words -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TEXTS)
def test_every_sentence_is_in_both_languages(name: str) -> None:
    said = TEXTS[name]
    assert said.zh.strip()
    assert said.en.strip()
    assert set(re.findall(r"\{\w+\}", said.zh)) == set(re.findall(r"\{\w+\}", said.en))
    if name not in ("comma", "colon", "between", "other_language"):
        assert re.search("[\u4e00-\u9fff]", said.zh)
        assert not re.search("[\u4e00-\u9fff]", said.en)


@pytest.mark.parametrize("file", sorted(TEMPLATES.glob("*.html")), ids=lambda file: file.name)
def test_a_template_has_no_script_no_style_and_every_word_that_it_says(file: Path) -> None:
    html = file.read_text(encoding="utf-8")
    assert not re.search(r"<script|\sstyle=|\son[a-z]+=|javascript:|https?://(?!www\.w3\.org)", html)
    for name in re.findall(r"\bt\.(\w+)", html):
        assert name in TEXTS, name
    for form in re.findall(r'<form method="post".*?</form>', html, re.DOTALL):
        assert "{{ f.form_and_language }}" in form


def test_every_state_has_its_word() -> None:
    for name in (*inbox.DECISIONS, *inbox.WHICH, *(state for kind in handed_in.STATES.values() for state in kind)):
        assert name in TEXTS
    for state in STATES_OF_WORK:
        assert f"state_{state}" in TEXTS
    for state in keys.KeyState:
        assert f"key_{state}" in TEXTS


# --- whose pages -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [BODY, "urn:certmark:alliance:shanghai-brand", "urn:certmark:authority:demo"])
def test_a_source_has_its_place_and_back(source: str) -> None:
    kind, _, name = place_of(source).partition("/")
    assert source_at(kind, name) == source


@pytest.mark.parametrize(("kind", "name"), [("registry", "main"), ("body", ""), ("body", "a/b"), ("body", "../x")])
def test_what_is_no_source_has_no_place(kind: str, name: str) -> None:
    assert source_at(kind, name) is None


def test_a_link_keeps_the_language_that_the_address_named() -> None:
    assert FRAME.link("inbox", which="all", code="") == "/console/body/CNCA-R-2019-7901/inbox?which=all"
    assert replace(FRAME, explicit=True).link("/sources") == "/console/sources?lang=zh"


# --- what to mend ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pointer", "there"),
    [
        ("/data/items/1/model", '"B"'),
        ("/data/a~1b", "1"),
        ("/data/m~0n", "null"),
        ("/data/items/7", None),
        ("/data/items/x", None),
        ("/data/none/of/it", None),
        ("/data/items/１", None),
    ],
)
def test_what_stands_at_a_pointer(pointer: str, there: str | None) -> None:
    data = {"items": [{"model": "A"}, {"model": "B"}], "a/b": 1, "m~n": None}
    assert inbox.value_at({"data": data}, pointer) == there


def test_a_long_value_is_shortened() -> None:
    assert len(inbox.value_at({"data": "x" * 9000}, "/data") or "") < 400


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx"])
def test_no_cell_of_a_list_is_a_formula(cell: str) -> None:
    (_, row) = csv.reader(io.StringIO(inbox.fix_list([(a_refusal(detail=cell, pointer=""), b"")]).decode("utf-8-sig")))
    assert f"'{cell}" in row


def a_refusal(**changes: object) -> Seen:
    seen = Seen(
        Place(7, -1),
        "a" * 64,
        "certmark.certificate.suspended.v1",
        "2026990703000001",
        2,
        "refused",
        "unknown-reason",
        "'R07' is no reason to be suspended",
        "/data/reason",
        "one of S01, S02",
        7,
        date(2026, 11, 22),
        NOW,
        NOW,
    )
    return replace(seen, **changes)  # type: ignore[arg-type]


def test_a_refusal_says_its_code_in_both_languages_with_the_pages_own_first() -> None:
    zh = inbox.item(a_refusal(), FRAME)
    en = inbox.item(a_refusal(), replace(FRAME, language="en"))
    assert [lang for lang, _ in zh.said] == ["zh-CN", "en"]
    assert zh.said == en.said[::-1]
    assert "S01" in zh.hint
    assert re.search("[\u4e00-\u9fff]", zh.hint)


@pytest.mark.parametrize(
    ("head", "sequence", "places"), [(1, 3, "2"), (0, 5, "1–4"), (2, 3, "")], ids=["one", "several", "none"]
)
def test_a_pending_event_says_what_it_waits_for(head: int, sequence: int, places: str) -> None:
    pending = a_refusal(decision="pending", code=None, sequence=sequence)
    told = inbox.item(pending, FRAME, head=head).waits_for
    assert told == (FRAME.say("waits_for", places=places) if places else "")


def test_the_counts_of_what_was_passed_on_are_those_of_the_decisions() -> None:
    decided = {"a": a_refusal(), "b": a_refusal(decision="accepted")}
    assert handed_in.counted({"sent": 3, "wrong": 1}, ["a", "b", "c"], decided) == {
        "sent": 3,
        "wrong": 1,
        "refused": 1,
        "accepted": 1,
        "undecided": 1,
    }


# --- keys --------------------------------------------------------------------------------------------------------

TODAY = date(2026, 11, 22)


def a_key(**changes: object) -> Key:
    made = new_key().public
    key = Key(made.kid, BODY, Purpose.EVENT, dict(made.jwk), date(2024, 1, 1), None, None, None)
    return replace(key, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "state", "days"),
    [
        ({}, "valid", None),
        ({"valid_until": TODAY + timedelta(days=31)}, "valid", 31),
        ({"valid_until": TODAY + timedelta(days=30)}, "ending", 30),
        ({"valid_until": TODAY}, "ending", 0),
        ({"valid_until": TODAY - timedelta(days=1)}, "ended", -1),
        ({"valid_from": TODAY + timedelta(days=1)}, "ahead", None),
        ({"retired_on": TODAY}, "retired", -1),
        ({"retired_on": TODAY + timedelta(days=5)}, "ending", 4),
        ({"compromised_since": NOW}, "compromised", None),
        ({"compromised_since": NOW + timedelta(seconds=1)}, "valid", None),
    ],
)
def test_the_state_of_a_key(changes: dict[str, object], state: str, days: int | None) -> None:
    own = keys.on(a_key(**changes), NOW)
    assert (own.state, own.days) == (state, days)
    assert own.state.signs is a_key(**changes).valid_at(NOW)


def test_a_source_is_warned_before_its_last_key_ends() -> None:
    ending = a_key(valid_until=TODAY + timedelta(days=9))
    ahead = a_key(valid_from=TODAY + timedelta(days=5))
    assert keys.warning([keys.on(ending, NOW)], FRAME) == FRAME.say("last_key", days=9)
    assert keys.warning([keys.on(key, NOW) for key in (ending, ahead)], FRAME) == ""
    assert keys.warning([keys.on(ahead, NOW)], FRAME) == FRAME.say("no_key")
    assert keys.warning([], FRAME) == FRAME.say("no_key")


def test_the_oldest_key_without_an_end_is_the_one_to_change() -> None:
    old, new = a_key(valid_from=date(2020, 1, 1)), a_key(valid_from=date(2025, 1, 1))
    retiring = a_key(valid_from=date(2019, 1, 1), retired_on=TODAY + timedelta(days=3))
    gone = a_key(valid_from=date(2018, 1, 1), retired_on=TODAY)
    owned = [keys.on(key, NOW) for key in (new, retiring, old, gone)]
    assert keys.to_change(owned) == old
    assert keys.to_change(owned[1:2]) == retiring
    assert keys.to_change([]) is None
    same_day = [keys.on(a_key(valid_from=date(2020, 1, 1)), NOW) for _ in range(2)]
    assert keys.to_change(same_day) == same_day[-1].key, "of one day's the one that came first, which stands last"


def test_the_commands_name_a_new_file_and_the_old_key() -> None:
    old = a_key()
    shown = keys.commands("CNCA-R-2019-7901", BODY, old, TODAY)
    assert shown.splitlines()[0] == "certmark keys new CNCA-R-2019-7901-20261122"
    assert f"key.retired {old.kid}" in shown
    assert "keys announce CNCA-R-2019-7901-20261122" in shown
    assert "--purpose event" in shown
    assert "keys new shanghai-brand-20261122" in keys.commands("alliance:shanghai-brand", BODY, None, TODAY)
