"""A report's number, secret, deadline and end; the form's token; what is read of a form, and what becomes of it."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from services.domain.calendar import Calendar
from services.domain.complaints import (
    KEPT_AFTER_DECISION_DAYS,
    KEPT_AT_MOST_DAYS,
    OUTCOMES,
    Outcome,
    as_typed,
    commitment,
    due_on,
    is_to_be_forgotten,
    report_number,
    secret_hash,
    secret_of,
)
from services.domain.errors import Malformed
from services.events.complaint_record import complaint_bytes, read_complaint
from services.verify.report_form import LASTS_S, LONGEST, filled_in, key_in, new_token, ready, token_of
from services.verify.report_wording import REPORT

NOW = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)
KEY = b"k" * 32
FORM = {
    "product": " 示范  电热水壶 ",
    "where_kind": "platform",
    "where": "示范商城",
    "text": "标志与证书型号不一致。\r\n已停止使用。",
    "region": "310115",
    "code": "2023990703000117",
    "answer": "valid",
}


def test_a_number_says_the_day_and_a_secret_is_easily_typed() -> None:
    number, secret = report_number(date(2026, 11, 26), b"\xff\x00\x10\x7f\x01"), secret_of(bytes(range(10)))
    assert number.startswith("TS20261126-")
    assert len(number) == 19
    assert [len(group) for group in secret.split("-")] == [4, 4, 4, 4]
    assert as_typed(f" {number.lower().replace('-', ' ')} ") == number
    assert as_typed(secret.lower().replace("0", "o").replace("1", "l")) == secret.replace("-", "")
    assert secret_hash(number, secret) == secret_hash(number, secret.lower().replace("-", " "))
    assert secret_hash(number, secret) != secret_hash(report_number(date(2026, 11, 27), b"\0" * 5), secret)


def test_secrets_and_numbers_do_not_repeat() -> None:
    assert len({secret_of(n.to_bytes(10, "big")) for n in range(5000)}) == 5000
    assert len({report_number(date(2026, 1, 1), n.to_bytes(5, "big")) for n in range(5000)}) == 5000


def test_the_deadline_counts_working_days_by_the_published_calendar() -> None:
    thursday = date(2026, 11, 26)
    assert due_on(thursday, {}).day == date(2026, 12, 17)
    off = Calendar(2026, frozenset({date(2026, 12, 1)}), frozenset({date(2026, 12, 5)}))
    assert due_on(thursday, {2026: off}).day == date(2026, 12, 17)
    assert due_on(thursday, {2026: off}).assumed == ()
    assert due_on(date(2026, 12, 24), {2026: off}).assumed == (2027,)


@pytest.mark.parametrize(
    ("received", "decided", "today", "gone"),
    [
        (0, None, KEPT_AT_MOST_DAYS, False),
        (0, None, KEPT_AT_MOST_DAYS + 1, True),
        (0, 10, 10 + KEPT_AFTER_DECISION_DAYS, False),
        (0, 10, 11 + KEPT_AFTER_DECISION_DAYS, True),
        (0, KEPT_AT_MOST_DAYS - 1, KEPT_AT_MOST_DAYS + 1, True),
    ],
)
def test_when_a_report_is_forgotten(received: int, decided: int | None, today: int, gone: bool) -> None:
    first = date(2026, 1, 1)
    on = None if decided is None else first + timedelta(days=decided)
    assert is_to_be_forgotten(first + timedelta(days=received), on, first + timedelta(days=today)) is gone


def test_the_form_states_what_the_program_does() -> None:
    for language in ("zh", "en"):
        text = REPORT["retention"][language]
        assert str(KEPT_AFTER_DECISION_DAYS) in text
        assert str(KEPT_AT_MOST_DAYS) in text
    assert set(OUTCOMES) == set(Outcome)


# --- the form's token -----------------------------------------------------------------------------------------


def test_a_forms_token_lasts_a_day_and_is_nobody_elses() -> None:
    token = new_token(NOW)
    text = token.text(KEY)
    assert token_of(text, KEY, NOW) == token
    assert token_of(text, KEY, NOW + timedelta(seconds=LASTS_S)) == token
    assert token_of(text, KEY, NOW + timedelta(seconds=LASTS_S + 1)) is None
    assert token_of(text, KEY, NOW - timedelta(seconds=1)) is None
    assert token_of(text, b"x" * 32, NOW) is None
    assert new_token(NOW) != token
    for place in range(len(text)):
        other = "0" if text[place] != "0" else "1"
        assert token_of(text[:place] + other + text[place + 1 :], KEY, NOW) is None
    for bad in ("", "a", text + "0", text.replace(".", "-"), "１" * 10 + text[10:]):
        assert token_of(bad, KEY, NOW) is None


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "verify" / "form.key"
    key = key_in(file)
    assert len(key) == 32
    assert key_in(file) == key
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["form.key"]


# --- what is read of a form -----------------------------------------------------------------------------------


def test_a_form_is_tidied_and_complete() -> None:
    filled = filled_in(FORM)
    assert filled.wrong == {}
    assert filled.product == "示范 电热水壶"
    assert filled.text == "标志与证书型号不一致。\n已停止使用。"


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"product": " \u200b "}, {"product": "missing"}),
        ({"text": ""}, {"text": "missing"}),
        ({"where_kind": "moon"}, {"where_kind": "choose"}),
        ({"text": "字" * 10_000}, {"text": "too_long"}),
        ({"link": "h" * 501}, {"link": "too_long"}),
        ({"contact": "13800000000"}, {"consent": "consent"}),
        ({"contact": "13800000000", "consent": "on"}, {"consent": "consent"}),
        ({"contact": "13800000000", "consent": "yes"}, {}),
    ],
)
def test_what_is_wrong_is_told_by_field(changes: dict[str, str], wrong: dict[str, str]) -> None:
    filled = filled_in(FORM | changes)
    assert filled.wrong == wrong
    for name in (name for name, why in wrong.items() if why == "too_long"):
        assert getattr(filled, name) == changes[name], "kept, to be shortened"


def test_too_much_is_cut_before_it_is_looked_at() -> None:
    filled = filled_in(FORM | dict.fromkeys(("text", "link"), "长" * 10000000))
    assert len(filled.text) == 10 * LONGEST["text"]
    assert len(filled.link) == 10 * LONGEST["link"]


def test_hidden_and_foreign_members_are_passed_over() -> None:
    odd = FORM | {"answer": "<b>", "region": "99", "code": "a\u202eb\x00c\nd", "salt": "x", "no": "TS1"}
    filled = filled_in(odd)
    assert (filled.answer, filled.region, filled.code) == ("", "", "a b c d")


# --- the report -----------------------------------------------------------------------------------------------


def test_the_same_form_is_the_same_report() -> None:
    token = new_token(NOW)
    first, again = (ready(filled_in(FORM), token, KEY, NOW + timedelta(seconds=n), {}) for n in (0, 90))
    assert (first.complaint.no, first.secret, first.complaint.salt) == (
        *(again.complaint.no, again.secret, again.complaint.salt),
    )
    other = ready(filled_in(FORM), new_token(NOW), KEY, NOW, {})
    assert other.complaint.no != first.complaint.no
    assert other.secret != first.secret


def test_a_report_is_read_as_it_was_written() -> None:
    report = ready(filled_in(FORM | {"contact": "a@b.cn", "consent": "yes"}), new_token(NOW), KEY, NOW, {})
    value = complaint_bytes(report.complaint)
    assert read_complaint(value) == report.complaint
    assert complaint_bytes(read_complaint(value)) == value
    assert report.secret.encode() not in value
    assert len(commitment(value)) == 64


def test_a_contact_without_consent_is_never_in_the_record() -> None:
    filled = filled_in(FORM | {"contact": "13800000000"})
    report = ready(filled, new_token(NOW), KEY, NOW, {})
    assert report.complaint.contact is None
    assert b"13800000000" not in complaint_bytes(report.complaint)


def test_the_commitment_hides_and_binds() -> None:
    """The same text under another salt has another hash; one changed byte has, too."""
    one, other = (complaint_bytes(ready(filled_in(FORM), new_token(NOW), KEY, NOW, {}).complaint) for _ in range(2))
    assert commitment(one) != commitment(other)
    assert commitment(one) != commitment(one.replace(b"310115", b"310104"))


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"no": "TS1"},
        {"salt": "short"},
        {"text": "a\x01b"},
        {"text": ""},
        {"where_kind": "moon"},
        {"more": 1},
        {"received_at": "yesterday"},
        {"due_on": "2026-02-30"},
    ],
)
def test_a_record_of_another_form_is_refused_without_telling_what_it_says(change: dict[str, object]) -> None:
    members = json.loads(complaint_bytes(ready(filled_in(FORM), new_token(NOW), KEY, NOW, {}).complaint))
    with pytest.raises(Malformed) as refused:
        read_complaint(json.dumps(members | change).encode())
    assert "不一致" not in refused.value.detail


@pytest.mark.parametrize("value", [b"", b"x", b"[]", b"{" * 40, b'{"v":1}', b"{}" + b" " * 40_000])
def test_what_is_no_report_is_malformed(value: bytes) -> None:
    with pytest.raises(Malformed):
        read_complaint(value)
