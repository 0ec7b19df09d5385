"""Mark keys by quarter: which one signs on which day, files that come later, and that no key serves two purposes."""

import os
from base64 import urlsafe_b64decode
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from services.domain.body import Key, KeyState, Purpose, key_from_state
from services.domain.quarter import Quarter, quarter_named, quarter_of
from services.events.keys import PrivateKey, new_key, save_key
from services.genesis import quarter_file
from services.marks.token import mark_kid, mark_url, open_token, sign_token
from services.registry.own_keys import KeyFiles, in_force
from services.verify.answer import decide
from services.verify.recognise import recognise
from services.verify.wording import Code
from tests.lives import AUTHORITY, BODY, CATALOGUE, SCHEMES
from tests.memory import REGISTRY, Memory
from tests.sealed_register import NOW, SealedRegister, claims_of, demonstration, path_of
from tests.unit.test_answer import BASE, HOSTS, STALE_AFTER, built
from tests.unit.test_tokens import ISSUED

LAST_DAY = date(2026, 12, 31)
OLD, NEW = new_key(), new_key("ES256")


def a_key(key: PrivateKey, first: str, last: str | None, **how: Any) -> KeyState:
    state: KeyState = {
        "v": 1,
        "kind": "key",
        "kid": key.public.kid,
        "owner": REGISTRY,
        "purpose": "mark",
        "key": dict(key.public.jwk),
        "from": first,
        "until": last,
        "retired_on": None,
        "compromised_since": None,
    }
    return cast(KeyState, state | how)


@pytest.fixture
def memory() -> Memory:
    made = Memory(LAST_DAY, mark_keys=[NEW, OLD])
    for state in (a_key(OLD, "2026-10-01", "2026-12-31"), a_key(NEW, "2027-01-01", "2027-03-31")):
        made.register.put(f"key/{state['kid']}", state)
    made.add_key(BODY)
    competence = [{"scheme": "life-implied", "from": "2016-01-01"}]
    approved = {"effective_at": "2016-01-01", "name": "示范机构", "schemes": competence}
    for source, short, subject, data in (
        (AUTHORITY, "scheme.published", "life-implied", SCHEMES["life-implied"]),
        (AUTHORITY, "catalogue.published", "life-classes", CATALOGUE),
        (AUTHORITY, "body.approved", "CNCA-R-2019-7901", approved),
    ):
        assert made.say(source, short, subject, data).decision == "accepted"
    return made


def kids_of(memory: Memory, number: str) -> set[bytes]:
    """The keys behind the tokens of a certificate that is issued today."""
    said = memory.say(BODY, "certificate.issued", number, ISSUED | {"valid_until": "2027-12-31"})
    assert said.decision == "accepted", said.detail
    record = memory.register.record(f"certificate/{number}")
    assert record is not None
    tokens = [token["token"] for token in orjson.loads(record.tokens)]
    return {open_token(urlsafe_b64decode(token + "=" * (-len(token) % 4))).kid for token in tokens}


def test_the_switch_is_at_midnight_and_nobody_restarts_anything(memory: Memory) -> None:
    assert kids_of(memory, "NO-1") == {mark_kid(OLD.public)}
    memory.today += timedelta(days=1)
    assert kids_of(memory, "NO-2") == {mark_kid(NEW.public)}
    memory.today = date(2027, 4, 1)
    assert kids_of(memory, "NO-3") == set(), "no key is in force: such a mark stands, and has no token yet"


def registered(*states: KeyState) -> "dict[str, Key]":
    return {state["kid"]: key_from_state(state) for state in states}


def test_where_two_run_the_one_whose_days_began_last_signs() -> None:
    known = registered(a_key(OLD, "2026-10-01", None), a_key(NEW, "2026-12-20", None))
    for day, key in ((date(2026, 12, 19), OLD), (date(2026, 12, 20), NEW)):
        instant = datetime(day.year, day.month, day.day, 4, tzinfo=UTC)
        assert in_force([OLD, NEW], known.get, Purpose.MARK, instant) is key


@pytest.mark.parametrize(
    "state",
    [
        a_key(NEW, "2026-10-01", None, purpose="status"),
        a_key(NEW, "2026-10-01", "2026-11-30"),
        a_key(NEW, "2027-01-01", None),
        a_key(NEW, "2026-10-01", None, retired_on="2026-12-01"),
        a_key(NEW, "2026-10-01", None, compromised_since="2026-12-01T00:00:00.000Z"),
    ],
)
def test_a_key_that_is_not_in_force_signs_nothing(state: KeyState) -> None:
    instant = datetime(2026, 12, 15, tzinfo=UTC)
    assert in_force([NEW], registered(state).get, Purpose.MARK, instant) is None
    assert in_force([NEW], registered().get, Purpose.MARK, instant) is None, "nor one that nobody registered"


def test_a_key_for_lists_signs_no_mark(tmp_path: Path) -> None:
    register = SealedRegister().publish_all()
    service = demonstration("SHB-S-2024-0044")
    path = path_of(service, None)
    key = new_key()
    register.add_key(key, "status")
    url = mark_url(BASE, path, sign_token(claims_of(service, service.marks[0], None), path, key))
    reader = built(register, tmp_path)
    assert decide(recognise(url, HOSTS), reader, NOW, STALE_AFTER).code is Code.UNKNOWN_SIGNER
    reader.model.close()


def test_files_that_come_later_are_met(tmp_path: Path) -> None:
    path = tmp_path / "mark.pem"
    files = KeyFiles(path)
    assert files.ready() == []
    save_key(OLD, path)
    assert [key.public.kid for key in files.ready()] == [OLD.public.kid]
    save_key(NEW, quarter_file(path, Quarter(2027, 1)))
    assert [key.public.kid for key in files.ready()] == [OLD.public.kid, NEW.public.kid]
    (tmp_path / "mark-2027Q2.pem").write_text("half a file")
    assert len(files.ready()) == 2, "what is no key stops nobody"
    path.unlink()
    assert [key.public.kid for key in files.ready()] == [NEW.public.kid]


def test_a_folder_holds_keys_of_any_name(tmp_path: Path) -> None:
    save_key(OLD, tmp_path / "anything.pem")
    save_key(NEW, quarter_file(tmp_path, Quarter(2027, 1)))
    assert len(KeyFiles(tmp_path).ready()) == 2
    assert sorted(os.listdir(tmp_path)) == ["anything.pem", "mark-2027Q1.pem"]


@pytest.mark.parametrize(
    ("day", "name", "first", "last"),
    [
        (date(2026, 1, 1), "2026Q1", date(2026, 1, 1), date(2026, 3, 31)),
        (date(2026, 11, 26), "2026Q4", date(2026, 10, 1), date(2026, 12, 31)),
        (date(2028, 2, 29), "2028Q1", date(2028, 1, 1), date(2028, 3, 31)),
        (date(2026, 6, 30), "2026Q2", date(2026, 4, 1), date(2026, 6, 30)),
    ],
)
def test_quarters(day: date, name: str, first: date, last: date) -> None:
    quarter = quarter_of(day)
    assert (str(quarter), quarter.first_day, quarter.last_day) == (name, first, last)
    assert quarter_named(name) == quarter
    assert quarter.following.first_day == last + timedelta(days=1)
