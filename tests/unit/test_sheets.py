"""Rows of a CSV or XLSX file: encodings decided strictly, headings found, what is broken said."""

import codecs
import hashlib
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from services.domain.errors import BadRequest
from services.events.cells import Cell
from services.events.columns import plain_mapping
from services.events.sheets import Sheet, SheetUnreadable, encoding_said, open_sheet

HEADINGS = "证书编号,获证组织名称,备注二"
ROWS = "2023990703000117,上海示范甲实业有限公司（浦东）,甲\r\n2023990703000118,示范乙,乙\r\n"


def a_file(tmp_path: Path, content: str | bytes, encoding: str = "utf-8") -> Path:
    path = tmp_path / "sheet.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def cells_of(sheet: Sheet) -> list[list[Cell]]:
    return [list(row.cells) for row in sheet.rows()]


@pytest.mark.parametrize(
    ("encoding", "said"), [("utf-8", "UTF-8"), ("utf-8-sig", "UTF-8"), ("gb18030", "GB18030"), ("gbk", "GB18030")]
)
def test_the_encoding_is_decided_and_said(tmp_path: Path, encoding: str, said: str) -> None:
    path = a_file(tmp_path, f"{HEADINGS}\r\n{ROWS}", encoding)
    sheet = open_sheet(path, {})
    assert encoding_said(sheet.encoding) == said
    assert cells_of(sheet)[0] == ["2023990703000117", "上海示范甲实业有限公司（浦东）", "甲"]
    assert sheet.layout.places == {"certificate_no": 0, "holder_name": 1}
    assert sheet.layout.unmapped == ("备注二",)
    assert sheet.digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_byte_order_mark_that_was_converted_with_the_rest_is_no_part_of_a_heading(tmp_path: Path) -> None:
    sheet = open_sheet(a_file(tmp_path, f"\ufeff{HEADINGS}\n{ROWS}", "gb18030"), {})
    assert sheet.layout.title("certificate_no") == "证书编号"


def test_a_wrong_byte_far_down_decides_against_utf_8_and_then_against_both(tmp_path: Path) -> None:
    good = f"{HEADINGS}\n{ROWS}" * 30_000
    path = a_file(tmp_path, good.encode() + b"\xff\n")
    with pytest.raises(SheetUnreadable) as unreadable:
        open_sheet(path, {})
    assert f"UTF-8: {len(good.encode())}" in unreadable.value.detail
    assert "GB18030" in unreadable.value.detail


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (codecs.BOM_UTF16_LE + HEADINGS.encode("utf-16-le"), "UTF-16"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "XLS"),
        (b"PK\x03\x04" + bytes(40), "XLSX"),
        (HEADINGS.encode() + b"\n2023\0,x,y\n", "NUL"),
        ("编号,名称\n1,2\n".encode(), "标题"),
        (b"", "标题"),
        (f"{HEADINGS}\n".encode() + b'20239907,"x' + b"\n", "2"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(SheetUnreadable) as unreadable:
        list(open_sheet(a_file(tmp_path, content), {}).rows())
    assert words in unreadable.value.detail


def test_no_such_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(SheetUnreadable):
        open_sheet(tmp_path / "none.csv", {})


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_titles_blank_rows_and_comments_are_passed_over_and_lines_counted_as_the_spreadsheet_does(
    tmp_path: Path, delimiter: str
) -> None:
    text = (
        "某机构导出\n\n"
        + HEADINGS.replace(",", delimiter)
        + "\n# 说明,x,\n \n"
        + 'A-1,"两\n行",x\n'.replace(",", delimiter)
        + "A-2,示范,x\n".replace(",", delimiter)
    )
    sheet = open_sheet(a_file(tmp_path, text), {})
    assert sheet.heading_line == 3
    assert [(row.line, row.cells[0]) for row in sheet.rows()] == [(6, "A-1"), (7, "A-2")]


def test_headings_may_be_english_marked_or_assumed(tmp_path: Path) -> None:
    sheet = open_sheet(
        a_file(tmp_path, "certificate_no,*获证组织名称（必填）,颁证日期,错误代码\nA-1,x,2026-01-05,y\n"), {}
    )
    assert sheet.layout.places == {"certificate_no": 0, "holder_name": 1, "issued_on": 2}
    assert sheet.layout.assumed == ("颁证日期",)
    assert sheet.layout.unmapped == ()


def test_headings_in_two_rows_under_merged_cells(tmp_path: Path) -> None:
    text = (
        "某机构台账,,,,,,,\n"
        "证书编号,获证组织,,,生产者,,有效期,,备注\n"
        ",名称,统一社会信用代码,地址,名称,统一社会信用代码,有效期起,有效期至,\n"
        "A-1,x,u,a,m,v,2026-01-05,2027-01-04,n\n"
    )
    sheet = open_sheet(a_file(tmp_path, text), {})
    assert sheet.heading_line == 3
    assert [sheet.layout.titles[place] for place in sheet.layout.places.values()] == [
        *("证书编号", "获证组织名称", "获证组织统一社会信用代码", "获证组织地址"),
        *("生产者名称", "有效期起", "有效期至", "备注"),
    ]
    assert sheet.layout.unmapped == ("生产者统一社会信用代码",), "nobody's by a guess"
    assert [row.cells[0] for row in sheet.rows()] == ["A-1"]


def test_a_first_row_of_data_is_no_second_row_of_headings(tmp_path: Path) -> None:
    sheet = open_sheet(a_file(tmp_path, "证书编号,获证组织,备注\n,产品名称,地址\n"), {})
    assert (sheet.heading_line, len(list(sheet.rows()))) == (1, 1)


def test_one_column_twice_is_refused_until_one_is_mapped_away(tmp_path: Path) -> None:
    path = a_file(tmp_path, "证书编号,证书号,发证日期\nA-1,x,2026-01-05\n")
    with pytest.raises(BadRequest, match="证书号"):
        open_sheet(path, {})
    sheet = open_sheet(path, plain_mapping({"证书号": ""}))
    assert sheet.layout.places == {"certificate_no": 0, "issued_on": 2}
    assert sheet.layout.unmapped == ()


def test_a_mapping_names_headings_that_nobody_knows(tmp_path: Path) -> None:
    mapping = plain_mapping({"号": "证书编号", "客户": "holder_name"})
    sheet = open_sheet(a_file(tmp_path, "号,客户\nA-1,x\n"), mapping)
    assert sheet.layout.places == {"certificate_no": 0, "holder_name": 1}
    with pytest.raises(BadRequest, match="没有"):
        plain_mapping({"号": "nothing"})


# --- XLSX ------------------------------------------------------------------------------------------------------


def a_book(tmp_path: Path, *rows: Any, before: str | None = None) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    if before:
        sheet.title = before
        sheet.append(["说明"])
        sheet = book.create_sheet("数据")
    for row in rows:
        sheet.append(row)
    path = tmp_path / "sheet.xlsx"
    book.save(path)
    return path


def test_a_workbooks_cells_keep_their_kinds(tmp_path: Path) -> None:
    rows = [
        ["证书编号", "发证日期", "体系覆盖人数", "产品类别代码"],
        ["A-1", date(2026, 1, 5), 86, 703],
        [],
        ["A-2", "x"],
    ]
    path = a_book(tmp_path, *rows, before="说明")
    book = openpyxl.load_workbook(path)
    book["数据"]["D2"].number_format = "0000"
    book.save(path)
    sheet = open_sheet(path, {})
    assert (sheet.name, sheet.others, sheet.encoding) == ("数据", ("说明",), "")
    assert encoding_said(sheet.encoding) == ""
    first, second = sheet.rows()
    assert [first.line, second.line] == [2, 4]
    assert str(first.cells[1])[:10] == "2026-01-05"
    assert list(first.cells[2:4]) == [86, "0703"]
    assert second.at(2) is None
    assert second.at(9) is None


def test_the_worksheet_that_is_named_is_read(tmp_path: Path) -> None:
    path = a_book(tmp_path, ["证书编号", "发证日期"], ["A-1", "2026-01-05"], before="说明")
    assert open_sheet(path, {}, "数据").name == "数据"
    for name in ("说明", "没有"):
        with pytest.raises(SheetUnreadable):
            open_sheet(path, {}, name)


@pytest.mark.parametrize("said", ["A1", "A1:XFD1048576"])
def test_a_workbook_that_lies_about_its_size_is_read_to_its_end(tmp_path: Path, said: str) -> None:
    path = a_book(tmp_path, ["证书编号", "发证日期"], *[[f"A-{n}", "2026-01-05"] for n in range(50)])
    with zipfile.ZipFile(path) as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    name = "xl/worksheets/sheet1.xml"
    parts[name] = parts[name].replace(b'ref="A1:B51"', f'ref="{said}"'.encode())
    with zipfile.ZipFile(path, "w") as packed:
        for part, content in parts.items():
            packed.writestr(part, content)
    assert [len(cells) for cells in cells_of(open_sheet(path, {}))] == [2] * 50
