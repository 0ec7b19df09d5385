"""Ten thousand answers (certificate, at, known_at) are asked again when much more is known, and are the same bytes."""

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any, cast

import orjson
import pytest

from services.deeds import DeedQuery
from services.domain.certificate import Certificate, CertificateState, from_state
from services.domain.consequence import Act
from services.events.envelope import open_envelope
from services.postgres import Cursor, transaction
from services.registry import api
from services.registry.as_of import as_of
from services.registry.past import Administrations
from services.registry.permits import permit_then
from tests.lives import Writer, beginnings
from tests.register import TODAY, Register, a_number, accepted

CERTIFICATES, TRIPLES, ROUNDS, SAID = 60, 10_000, 80, 10
TURNED_ROUND = {"certificate.corrected", "decision.annulled", "certificate.renewed", "scheme.published"}
"""What changes the answers for days that have been: not before each was said are there enough of them."""
"""In each round so much is said and decided, and then a part of the triples asked."""

Triple = tuple[str, date, datetime]
Deed = tuple[str, Act, date, date | None, date | None]
"""number, act, at, made_on, shipped_on"""
Permit = tuple[str, Act, date, date | None, date | None, datetime]
ADMINISTRATIONS = Administrations()


@pytest.fixture(scope="module")
def register(register: Register) -> Register:
    for said in beginnings(TODAY):
        assert accepted(register.say(said.source, said.short, said.subject, dict(said.data)))
    return register


def test_what_was_answered_then_is_answered_again_byte_for_byte(register: Register) -> None:
    chance = Random(11)
    writer = Writer(chance, lambda n: certificate_of(register, n), a_number, TODAY, most=CERTIFICATES, calm=0.2)
    answers: dict[Triple, bytes] = {}
    permits: dict[Permit, bytes] = {}
    said: set[str] = set()
    while len(writer.numbers) < CERTIFICATES or len(answers) < TRIPLES or not said >= TURNED_ROUND:
        say_something(register, writer)
        said = {one.short for _, one in writer.heard}
        now = datetime.now(UTC)
        days = [TODAY + timedelta(days=chance.randint(-150, 40)) for _ in range(TRIPLES // ROUNDS)]
        with transaction(register.connection) as cur:
            for day in days:
                number = chance.choice(writer.numbers)
                answers[number, day, now] = answer(cur, number, day, None)
            for act in chance.sample(list(Act), 4):
                deed = a_deed(register, chance, writer, min(day, TODAY), act)
                permits[*deed, now] = permit(cur, *deed, None)
    with transaction(register.connection) as cur:
        assert [asked for asked, then in answers.items() if answer(cur, *asked) != then] == []
        some = chance.sample(sorted(answers.items()), 500)
        assert sum(answer(cur, number, day, None) != then for (number, day, _), then in some) > 50
        assert sum(b'"mark_no"' in then for _, then in some) > 50
        assert [asked for asked, then in permits.items() if permit(cur, *asked) != then] == []
        otherwise = (orjson.loads(permit(cur, *asked[:-1], None))["rule"] for asked in permits)
        assert any(now != orjson.loads(then)["rule"] for now, then in zip(otherwise, permits.values(), strict=False))
        rules = {orjson.loads(then)["rule"] for then in permits.values()}
        assert len(rules) > 6, rules


def a_deed(register: Register, chance: Random, writer: Writer, at: date, act: Act) -> Deed:
    """With goods of a certificate, or of a mark on one, as far as their dates are known."""
    number = chance.choice(writer.numbers)
    if marks := certificate_of(register, number).marks:
        number = chance.choice([number, marks[-1].mark_no])
    made_on = at - timedelta(days=chance.randint(0, 60))
    return number, act, at, chance.choice([None, made_on]), chance.choice([None, at])


def permit(
    cur: Cursor,
    number: str,
    act: Act,
    at: date,
    made_on: date | None,
    shipped_on: date | None,
    known_at: datetime | None,
) -> bytes:
    asked = DeedQuery().load({"act": act.value}) | {"at": at, "made_on": made_on, "shipped_on": shipped_on}
    asked["known_at"] = known_at.isoformat() if known_at else None
    told = permit_then(cur, number, asked, TODAY, ADMINISTRATIONS)
    return orjson.dumps(told | {"known_at": None})


def say_something(register: Register, writer: Writer) -> None:
    said = [writer.next() for _ in range(SAID)]
    signed = [register.sign(one.source, one.short, one.subject, dict(one.data)) for one in said]
    register.append(*signed)
    register.decide_all()
    while register.head().cause:
        register.worker.step()
    for jws, one in zip(signed, said, strict=True):
        digest = open_envelope(jws).digest
        decision = register.decision(digest)
        if decision is not None and accepted(decision):
            writer.accepted(digest, one)


def certificate_of(register: Register, number: str) -> Certificate:
    return from_state(cast(CertificateState, register.state(number)))


def answer(cur: Cursor, number: str, day: date, known_at: datetime | None) -> bytes:
    told: dict[str, Any] = as_of(cur, number, day, known_at)
    return orjson.dumps(told | {"known_at": None})


@pytest.mark.parametrize(
    ("known_at", "status"),
    [
        ("2999-01-01T00:00:00+23:59", 200),
        ("2999-01-01T00:00:00Z", 200),
        ("9999-12-30", 200),
        ("9999-12-31", 400),
        ("9999-12-31T23:59:59-12:00", 400),
        ("0001-01-01T00:00:00+14:00", 400),
        ("0001-01-01T00:00:00Z", 404),
        ("2026-11-01T00:00:00", 400),
        ("yesterday", 400),
    ],
)
def test_any_instant_is_understood_or_refused(
    register: Register, monkeypatch: pytest.MonkeyPatch, known_at: str, status: int
) -> None:
    monkeypatch.setenv("CERTMARK_DATABASE_URL", register.settings.database_url)
    monkeypatch.setenv("CERTMARK_DATA", str(register.settings.data))
    number = register.issue("life-plain")
    answered = api.create_app().test_client().get(f"/v1/certificates/{number}", query_string={"known_at": known_at})
    assert answered.status_code == status, answered.text
