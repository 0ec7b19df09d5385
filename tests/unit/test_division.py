"""Whose territory lies within whose (GB/T 2260)."""

import pytest

from services.domain.division import above, covers, is_division


@pytest.mark.parametrize(
    ("division", "code", "within"),
    [
        ("310000", "310115", True),
        ("310115", "310115", True),
        ("310115", "310104", False),
        ("310115", "310000", False),
        ("330100", "330106", True),
        ("330100", "330206", False),
        ("330000", "330206", True),
        ("330000", "310115", False),
        ("310000", None, False),
        (None, "310115", True),
        (None, None, True),
    ],
)
def test_a_division_covers_itself_and_what_lies_in_it(division: str | None, code: str | None, within: bool) -> None:
    assert covers(division, code) is within


@pytest.mark.parametrize(
    ("code", "answers_to"),
    [
        ("310115", "310000"),  # a district of a municipality answers to the municipality: 310100 is no city
        ("110105", "110000"),
        ("330106", "330100"),
        ("330100", "330000"),
        ("330000", None),
        ("310000", None),
    ],
)
def test_a_district_answers_to_its_city_and_a_city_to_its_province(code: str, answers_to: str | None) -> None:
    assert above(code) == answers_to


@pytest.mark.parametrize("text", ["", "31011", "3101155", "31O115", "３１０１１５", "010115", "310115 "])
def test_what_is_no_division(text: str) -> None:
    assert not is_division(text)


def test_what_is_one() -> None:
    assert is_division("310115")
