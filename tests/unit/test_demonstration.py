"""The demonstration is as old on the day of its first start, whatever day that is."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from services.demo import REGISTER, demonstration, register_of
from services.domain.identifiers import CHINA, add_months
from services.domain.standing import standing
from services.events.envelope import open_envelope, read_event
from services.genesis import beginning
from services.settings import Settings, settings_from
from tests.memory import Memory
from tests.sealed_register import TOLD_ON, certificate_of

MONTHS = [add_months(TOLD_ON, month) for month in range(8 * 12)]


def at_nine(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 9, tzinfo=CHINA)


def first_started(folder: Path, day: date) -> tuple[Settings, list[bytes]]:
    settings = settings_from({"CERTMARK_DATA": str(folder)})
    return settings, [*beginning(settings, at_nine(day)), *demonstration(settings, at_nine(day))]


@pytest.mark.parametrize("day", ["2026-11-30", "2028-02-29", "2037-01-01"])
def test_all_of_it_is_accepted_whatever_the_day_of_the_first_start(tmp_path: Path, day: str) -> None:
    """By the shipped schemes, whose transitions are dates of law and do not move with it."""
    memory = Memory(date.fromisoformat(day))
    established, *events = first_started(tmp_path, memory.today)[1]
    signed_by = {open_envelope(established).kid: memory.key_of("urn:certmark:authority:demo")}
    for jws in events:
        envelope = open_envelope(jws)
        event = read_event(envelope)
        memory.signed[event.digest] = jws.decode()
        entry = memory.hear(event, signed_by.get(envelope.kid, envelope.kid))
        assert entry is not None
        assert entry.decision == "accepted", (event.type, event.subject, entry)
    told = {certificate["number"]: certificate["standing_then"] for certificate in REGISTER["certificates"]}
    assert {number: standing(memory.certificate(number), memory.today).value for number in memory.numbers()} == told


def test_in_every_month_of_years_it_stands_as_told_from_the_first_day_to_the_last() -> None:
    for first in MONTHS:
        last = add_months(first, 1) - timedelta(days=1)
        written = register_of(last)
        assert written["told_on"] == first.isoformat()
        for row in written["certificates"]:
            certificate = certificate_of(row)
            assert {standing(certificate, day).value for day in (first, last)} == {row["standing_then"]}, (first, row)
            if certificate.valid_until:  # a year stays a year: the day after its last is the one it began on
                morrow, begun = certificate.valid_until + timedelta(days=1), certificate.valid_from
                assert (morrow.month, morrow.day) == (begun.month, begun.day), row["number"]
            if row["number"] == "SHB-P-2024-0031":  # its code is printed by `certmark up`
                assert standing(certificate, add_months(last, 6)).value == "valid"


def test_a_second_start_tells_the_same_however_late(tmp_path: Path) -> None:
    _, first = first_started(tmp_path, TOLD_ON)
    _, again = first_started(tmp_path, add_months(TOLD_ON, 30))
    assert again == first
