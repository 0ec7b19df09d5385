"""The arithmetic of the bench: what a percentile is, when a bar is met, how a figure reads."""

import json
import math
import re
from pathlib import Path

import pytest

from bench.figures import Figure, chart, number, percentile, row
from bench.http_load import uniform
from bench.lives import KNOWN, LIFE, UNKNOWN, gtin_of, number_of
from services.domain.identifiers import certificate_number, gtin14


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([7.0], 50, 7.0),
        ([7.0], 99, 7.0),
        ([1.0, 2.0, 3.0, 4.0], 50, 2.0),
        ([4.0, 1.0, 3.0, 2.0], 100, 4.0),
        ([float(n) for n in range(1, 101)], 99, 99.0),
        ([float(n) for n in range(1, 201)], 99, 198.0),
        ([1.0, 2.0], 0, 1.0),
    ],
)
def test_a_percentile_is_one_of_the_values(values: list[float], percent: float, expected: float) -> None:
    assert percentile(values, percent) == expected


def test_nothing_has_no_percentile() -> None:
    with pytest.raises(ValueError):
        percentile([], 50)


@pytest.mark.parametrize(
    ("figure", "ratio", "met"),
    [
        (Figure("a", 2800, "/s", 10_000, "raw/s", 0.28), 0.28, True),
        (Figure("a", 2799, "/s", 10_000, "raw/s", 0.28), 0.2799, False),
        (Figure("a", 100, "ms", bar=100, at_least=False), None, True),
        (Figure("a", 100.1, "ms", bar=100, at_least=False), None, False),
        (Figure("a", 1, "/s", 2, "raw/s"), 0.5, None),
        (Figure("a", 9, "QR version"), None, None),
    ],
)
def test_a_bar_bounds_the_ratio_where_there_is_a_limit_and_else_the_value(
    figure: Figure, ratio: float | None, met: bool | None
) -> None:
    assert figure.ratio == (pytest.approx(ratio) if ratio is not None else None)
    assert figure.met is met


def test_a_row_says_all_of_it() -> None:
    figure = Figure("applied", 2500, "events/s", 10_000, "verifications/s", 0.28)
    assert row(figure) == ("applied", "2,500 events/s", "10,000 verifications/s", "0.25", "≥ 0.280", "MISSED")
    assert row(Figure("mark", 9, "QR version")) == ("mark", "9 QR version", "—", "—", "—", "")


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.28, "0.280"), (14.26, "14.3"), (1234.5, "1,234"), (150, "150")]
)
def test_numbers_have_three_digits_that_count(value: float, text: str) -> None:
    assert number(value) == text


def test_the_chart_shows_what_has_a_bar_and_nothing_raw() -> None:
    drawn = chart([Figure("a <b>", 1, "s", bar=2, at_least=False), Figure("bare", 9, "QR version")], "two & more")
    assert "a &lt;b&gt;" in drawn
    assert "two &amp; more" in drawn
    assert "bare" not in drawn


@pytest.mark.parametrize("place", [0, 1, 899_999, 900_000, 1_001_500, 99_999_999])
def test_the_lives_have_numbers_that_the_register_takes(place: int) -> None:
    scheme = json.loads(Path("schemas/schemes/ccc.json").read_text(encoding="utf-8"))
    number = re.fullmatch(scheme["number_pattern"], certificate_number(number_of(place)))
    assert number is not None
    assert number["class"] == "0703"
    assert gtin14(gtin_of(place)) == gtin_of(place)


def test_the_load_asks_for_the_numbers_that_the_lives_have() -> None:
    for first in (KNOWN, UNKNOWN):
        form, numbers = re.findall(r"string.format\('/c/(.*?)', (.*)\)\)", uniform("/c/", first, 1))[0]
        for place in (0, 899_999, 900_000, 4_000_000):
            told = eval(numbers, {"n": place, "math": math})  # noqa: S307 (Lua that is Python, too, and ours)
            assert form % told == number_of(place, first)


def test_a_life_goes_on_in_the_order_of_its_dates() -> None:
    dates = [data["effective_at"] for _, data in LIFE]
    assert dates == sorted(dates)
