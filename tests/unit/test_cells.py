"""What a cell says: numbers that a spreadsheet program spoilt, dates in their forms, lists."""

from datetime import date, datetime, time

import pytest

from services.events import cells
from services.events.cells import Cell
from services.events.faults import BadCell, words_of


@pytest.mark.parametrize(
    ("cell", "read"),
    [
        ("2023990703000117", "2023990703000117"),
        ("２０２３９９０７０３０００１１７", "2023990703000117"),
        ('="2023990703000117"', "2023990703000117"),
        ("'2023990703000117", "2023990703000117"),
        ("\t2023990703000117 ", "2023990703000117"),
        ("\u30002023990703000117\ufeff", "2023990703000117"),
        (203990703000117, "203990703000117"),
        (203990703000117.0, "203990703000117"),
        ("203990703000117.0", "203990703000117"),
        ("2.0399E+4", "20399"),
        ("沪市监（2024）0031", "沪市监(2024)0031"),
        ("03410E10286", "03410E10286"),
        ("7903op2600128", "7903OP2600128"),
    ],
)
def test_a_number_is_read_as_what_it_was(cell: Cell, read: str) -> None:
    assert cells.number(cell) == read


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        (2023990703000117, "digits-lost"),
        (2.02399070300011e15, "digits-lost"),
        ("2.02399E+15", "digits-lost"),
        ("2023990703000117.0", "digits-lost"),
        (12.5, "malformed-number"),
        (True, "cell-error"),
        ("#N/A", "cell-error"),
        ("#REF!", "cell-error"),
        (date(2026, 1, 5), "turned-into-date"),
        (time(3, 5), "turned-into-date"),
        ("无", "malformed-number"),
    ],
)
def test_a_number_that_was_spoilt_is_refused(cell: Cell, code: str) -> None:
    with pytest.raises(BadCell) as bad:
        cells.number(cell)
    assert bad.value.code == code
    assert words_of(code).zh


@pytest.mark.parametrize(
    "cell",
    [
        "2026-01-05",
        "2026/1/5",
        "2026.1.5",
        "2026年1月5日",
        "２０２６－０１－０５",
        "20260105",
        "20260105.0",
        20260105,
        20260105.0,
        "2026-01-05 00:00:00",
        "2026-01-05T10:23",
        "2026/1/5 9:05",
        '="2026-01-05"',
        date(2026, 1, 5),
        datetime(2026, 1, 5),  # noqa: DTZ001  # as a spreadsheet's date cell is read
        datetime(2026, 1, 5, 23, 59),  # noqa: DTZ001
    ],
)
def test_a_date_has_several_forms(cell: Cell) -> None:
    assert cells.day(cell) == date(2026, 1, 5)


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("05/01/2026", "unclear-date"),
        ("1-5-26", "unclear-date"),
        ("26-01-05", "unclear-date"),
        (46027, "unclear-date"),
        ("46027", "unclear-date"),
        ("2026-02-30", "bad-date"),
        ("2026-1/5", "bad-date"),
        ("20261301", "bad-date"),
        ("2026-01", "bad-date"),
        ("2026-01-05+08:00", "bad-date"),
        ("长期", "bad-date"),
        ("0026-01-05", "bad-date"),
        (date(1899, 12, 30), "bad-date"),
        (1.5, "bad-date"),
        (True, "cell-error"),
        (time(12, 0), "turned-into-date"),
    ],
)
def test_a_date_that_could_be_another_is_refused(cell: Cell, code: str) -> None:
    with pytest.raises(BadCell) as bad:
        cells.day(cell)
    assert bad.value.code == code


@pytest.mark.parametrize(
    ("cell", "read"),
    [
        ("KFR-35GW/A1、KFR-50GW/A1", ["KFR-35GW/A1", "KFR-50GW/A1"]),
        ("KFR-35GW／Ａ１；KFR-50GW／Ａ１", ["KFR-35GW/A1", "KFR-50GW/A1"]),
        ("a,b;c，d\ne、、", ["a", "b", "c", "d", "e"]),
        (125, ["125"]),
        (1.5, ["1.5"]),
        ("20㎡型", ["20㎡型"]),
        ("", []),
        (None, []),
    ],
)
def test_a_list_is_taken_apart(cell: Cell, read: list[str]) -> None:
    assert cells.items(cell) == read


def test_a_model_that_became_a_date_is_refused() -> None:
    with pytest.raises(BadCell, match="turned-into-date"):
        cells.items(date(2026, 3, 5))


def test_addresses_keep_their_commas() -> None:
    assert cells.lines("示范路1号，2号楼、3号楼；示范路9号") == ["示范路1号，2号楼、3号楼", "示范路9号"]


@pytest.mark.parametrize("given", ["6909900123007", "06909900123007", "６９０９９００１２３００７"])
def test_a_gtin_is_fourteen_digits(given: str) -> None:
    assert cells.gtin(given) == "06909900123007"


@pytest.mark.parametrize("given", ["6909900123008", "690990012300", "x", ""])
def test_a_gtin_with_a_wrong_check_digit_or_length_is_refused(given: str) -> None:
    with pytest.raises(BadCell, match="bad-gtin"):
        cells.gtin(given)


def test_a_credit_code_is_checked() -> None:
    assert cells.credit_code("91310115maxx001114") == "91310115MAXX001114"
    for given in ("91310115MAXX001115", "91310115MAXX00111", "上海"):
        with pytest.raises(BadCell, match="bad-credit-code"):
            cells.credit_code(given)


def test_a_class_code_in_a_numeric_cell_may_have_lost_its_zero() -> None:
    assert cells.class_code("0703") == "0703"
    with pytest.raises(BadCell, match="zero-lost"):
        cells.class_code(703)


@pytest.mark.parametrize(("cell", "read"), [("1,200", 1200), (1200.0, 1200), ("１２", 12)])
def test_a_count_is_whole(cell: Cell, read: int) -> None:
    assert cells.count(cell) == read


@pytest.mark.parametrize("cell", ["12人", "-1", "1.5", 1.5])
def test_what_is_no_count_is_refused(cell: Cell) -> None:
    with pytest.raises(BadCell, match="bad-count"):
        cells.count(cell)


def test_a_text_is_one_line() -> None:
    assert cells.text(" 上海示范甲\n实业有限公司（浦东）\u3000") == "上海示范甲 实业有限公司（浦东）"


@pytest.mark.parametrize(
    ("cell", "written"),
    [(None, ""), (12.0, "12"), (2.5e20, "2.5e+20"), (date(2026, 1, 5), "2026-01-05"), ("x", "x"), (True, "True")],
)
def test_a_cell_is_shown_as_it_stands(cell: Cell, written: str) -> None:
    assert cells.shown(cell) == written
    assert cells.shown(datetime(2026, 1, 5)) == "2026-01-05"  # noqa: DTZ001
