"""Voided single codes as a status list names them: found where they are, by nobody else's mark, within their room."""

import hashlib
import random
from dataclasses import replace
from datetime import date

import pytest

from services.domain.certificate import Json, Voided, from_state, to_state
from services.domain.place import Place, next_turn, place_standing
from services.domain.standing import Standing
from services.domain.unit_code import hash_of_text, hash_text, printed_serial, public_hash
from services.events.keys import new_key
from services.marks.status_list import LARGEST, SIZE, StatusList, sign_list
from services.marks.voided import MOST, UnitStatus, is_packed, joined, names, packed, unit_in, unpacked
from tests.sealed_register import demonstration
from tests.unit.test_status_list import a_list

GTIN = "06909900127449"
PRINTED = printed_serial(GTIN, "A1B2C3")


def hashes(count: int, seed: int = 1) -> list[bytes]:
    chance = random.Random(seed)
    return [chance.randbytes(8) for _ in range(count)]


def test_the_hash_is_what_the_documentation_says() -> None:
    told = f"certmark-voided\nM-1001\n01{GTIN}21A1B2C3".encode()
    assert public_hash("M-1001", PRINTED) == hashlib.sha256(told).digest()[:8]
    assert [hash_of_text(hash_text(value)) for value in (-1, 0, 2**63 - 1)] == [-1, 0, 2**63 - 1]


def test_a_unit_is_known_by_its_own_mark_and_code_alone() -> None:
    voided = packed([*hashes(1000), public_hash("M-1001", PRINTED)])
    assert unit_in(voided, "M-1001", PRINTED) is UnitStatus.VOIDED
    assert unit_in(voided, "M-1002", PRINTED) is UnitStatus.STANDS, "the same serial under another mark"
    assert unit_in(voided, "M-1001", printed_serial(GTIN, "A1B2C4")) is UnitStatus.STANDS
    assert unit_in(b"", "M-1001", PRINTED) is UnitStatus.STANDS
    assert unit_in(None, "M-1001", PRINTED) is UnitStatus.UNTOLD, "a list that names none at all"
    whole = packed([*hashes(1000), public_hash("M-1001", b"")])
    assert unit_in(whole, "M-1001", PRINTED) is UnitStatus.UNTOLD
    assert unit_in(whole, "M-1002", PRINTED) is UnitStatus.STANDS


@pytest.mark.parametrize("count", [0, 1, 2, 3, 100])
def test_every_hash_is_found_and_no_other(count: int) -> None:
    held = hashes(count)
    voided = packed(held)
    assert is_packed(voided)
    assert all(names(voided, one) for one in held)
    assert not any(names(voided, one) for one in [*hashes(100, 2), b"\0" * 8, b"\xff" * 8])


def test_hashes_have_one_form() -> None:
    one, two = b"\1" * 8, b"\2" * 8
    assert packed([two, one, two]) == one + two
    assert not any(is_packed(other) for other in (one[:-1], one + one, two + one))


def test_where_there_are_too_many_the_marks_with_the_most_are_named_whole() -> None:
    few, more, most = packed(hashes(2, 3)), packed(hashes(4, 4)), packed(hashes(5, 5))
    by_mark = {"M-1": few, "M-2": more, "M-3": most}
    assert joined(by_mark, 11) == packed(one for each in by_mark.values() for one in unpacked(each))
    whole = joined(by_mark, 8)
    assert whole == packed([*unpacked(few), *unpacked(more), public_hash("M-3", b"")])
    assert joined(by_mark, 3) == packed(public_hash(mark_no, b"") for mark_no in by_mark)
    assert joined(by_mark, 2) is None, "not even the marks have room: a list that names none"
    assert joined({}) == b""


def test_a_thousand_take_eight_kilobytes_and_the_most_there_are_leave_room_for_any_places() -> None:
    key = new_key()
    without = len(sign_list(a_list(voided=b""), key))
    assert len(sign_list(a_list(voided=packed(hashes(1000))), key)) - without < 8_100
    places = random.Random(9).randbytes(SIZE // 4)  # which no zlib makes smaller
    full: StatusList = a_list(array=places, voided=packed(hashes(MOST)))
    assert len(sign_list(full, key)) < LARGEST


def test_what_was_sealed_before_there_were_public_hashes_stays_as_it_was() -> None:
    certificate = demonstration("SHB-P-2024-0031")
    (mark, *_) = certificate.marks
    old, new = (Voided("0" * 16, date(2026, 12, 24), "V01", "7" * 64, told) for told in (None, "1" * 16))
    told = replace(certificate, marks=(replace(mark, voided=(old, new)),))
    first, second = to_state(told)["marks"][0]["voided"]
    assert "public_hash" not in first
    assert second.get("public_hash") == "1" * 16
    assert from_state(to_state(told)) == told
    assert next_turn(told, None, date(2026, 12, 23)) == date(2026, 12, 24), "the list turns on its day"


def test_a_set_of_serials_stands_from_its_day_on_and_while_its_announcement_does() -> None:
    certificate, day = demonstration("SHB-P-2024-0031"), date(2026, 11, 1)
    (mark, *_) = certificate.marks
    codes: Json = {"run": "7" * 64, "effective_at": "2026-11-02", "form": "serial", "gtin": GTIN}
    told = replace(certificate, marks=(replace(mark, code_sets=(codes,)),))
    (item, *_) = mark.products
    place = Place(0, 1, mark.mark_no, item.gtin, item.model, "7" * 64)
    assert next_turn(told, None, day) == date(2026, 11, 2)
    assert place_standing(told, None, place, day) is Standing.NOT_YET_VALID
    assert place_standing(told, None, place, date(2026, 11, 2)) is Standing.VALID
    assert place_standing(certificate, None, place, day) is Standing.CANCELLED, "there is no such set, or none any more"
    assert place_standing(certificate, None, replace(place, run=None), day) is Standing.VALID
