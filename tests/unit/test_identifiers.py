"""Numbers in their one form, and days at UTC+8."""

from datetime import UTC, date, datetime

import pytest

from services.domain.identifiers import (
    MalformedNumber,
    add_months,
    certificate_number,
    civil_day,
    gtin14,
    instant_of,
    instant_text,
)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("2023990703000117", "2023990703000117"),
        ("２０２３９９０７０３０００１１７", "2023990703000117"),
        (" 2023 9907 0300 0117 ", "2023990703000117"),
        ("2023\u20099907\u200b03000117", "2023990703000117"),
        ("shb-p-2024-0031", "SHB-P-2024-0031"),
        ("SHB–P—2024−0031", "SHB-P-2024-0031"),
        ("7903op2600128", "7903OP2600128"),
        ("沪市监（2024）0031", "沪市监(2024)0031"),
        ("A〔2024〕12/3", "A(2024)12/3"),
    ],
)
def test_a_number_has_one_form(written: str, canonical: str) -> None:
    assert certificate_number(written) == canonical
    assert certificate_number(canonical) == canonical


@pytest.mark.parametrize("text", ["", "123", "ABCD", "A" * 65 + "1", "12;34", "-1234", "1234'--", "١٢٣٤٥", "a\0b1"])
def test_what_is_no_number_is_malformed(text: str) -> None:
    with pytest.raises(MalformedNumber):
        certificate_number(text)


@pytest.mark.parametrize(
    ("written", "canonical"), [("6909900123007", "06909900123007"), ("96385074", "00000096385074")]
)
def test_a_gtin_has_fourteen_digits(written: str, canonical: str) -> None:
    assert gtin14(written) == canonical


@pytest.mark.parametrize("text", ["6909900123008", "690990012300", "69099001230070A", "٦٩٠٩٩٠٠١٢٣٠٠٧"])
def test_a_gtin_with_a_wrong_digit_is_malformed(text: str) -> None:
    with pytest.raises(MalformedNumber):
        gtin14(text)


def test_a_day_begins_at_midnight_in_china() -> None:
    assert civil_day(datetime(2026, 11, 1, 15, 59, 59, tzinfo=UTC)) == date(2026, 11, 1)
    assert civil_day(datetime(2026, 11, 1, 16, 0, tzinfo=UTC)) == date(2026, 11, 2)


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2026, 8, 31), 6, date(2027, 2, 28)),
        (date(2026, 11, 1), 2, date(2027, 1, 1)),
    ],
)
def test_months_are_calendar_months(day: date, months: int, later: date) -> None:
    assert add_months(day, months) == later


def test_instants_are_written_in_utc_with_milliseconds() -> None:
    text = instant_text(datetime(2026, 11, 1, 12, 0, 0, 123000, tzinfo=UTC))
    assert text == "2026-11-01T12:00:00.123Z"
    assert instant_of(text) == datetime(2026, 11, 1, 12, 0, 0, 123000, tzinfo=UTC)
