"""Files of listings: columns understood or guessed, two encodings in one file, and what is refused or passed over."""

import io
import json
import zipfile
from pathlib import Path

import pytest
import xlsxwriter

from services.domain.errors import BadRequest
from services.domain.listing import Listing
from services.listings.columns import columns_of, date_in, listing_of
from services.listings.files import ListingsUnreadable, NoColumns, open_listings, rows_foretold


def listings(path: Path, mapping: dict[str, str] | None = None) -> list[Listing | None]:
    _, rows = open_listings(path, mapping or {})
    return [listing_of(fields, at) if fields is not None else None for at, fields in enumerate(rows, 1)]


def a_file(folder: Path, content: bytes | str, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_headings_in_either_language_and_encoding(tmp_path: Path, encoding: str) -> None:
    text = "行号,标题,certificate_no,生产日期\n7,空调,2023990703000117,2026/3/2\n"
    (found,) = listings(a_file(tmp_path, text.encode(encoding)))
    assert found is not None
    assert (found.row, found.title, found.certificate_no) == ("7", "空调", "2023990703000117")
    assert str(found.made_on) == "2026-03-02"
    assert (found.seller, found.maker) == (None, None)


def test_a_title_above_the_headings_and_other_delimiters(tmp_path: Path) -> None:
    (found,) = listings(a_file(tmp_path, "监测结果汇总\n序号\t商品标题\t3C证书编号(必填)\n1\t空调\t123\n"))
    assert found is not None
    assert (found.title, found.certificate_no) == ("空调", "123")


def test_two_encodings_in_one_file(tmp_path: Path) -> None:
    lines = ["标题,品牌", "空调,示范甲", "插座,示范乙", "电饭锅,示范丙"]
    content = b"\n".join(line.encode("gb18030" if at == 2 else "utf-8") for at, line in enumerate(lines))
    assert [one.title if one else None for one in listings(a_file(tmp_path, content))] == ["空调", "插座", "电饭锅"]


def test_a_row_in_no_encoding_is_one_that_cannot_be_read(tmp_path: Path) -> None:
    content = "标题\n空调\n".encode() + b"\xff\xff\xfe\n" + "插座\n".encode()
    assert [one.title if one else None for one in listings(a_file(tmp_path, content))] == ["空调", None, "插座"]


def test_fifty_columns_without_any_of_ours(tmp_path: Path) -> None:
    with pytest.raises(NoColumns):
        open_listings(a_file(tmp_path, ",".join(f"字段{n}" for n in range(50)) + "\n" + ",".join("x" * 50) + "\n"), {})


def test_a_mapping_by_hand(tmp_path: Path) -> None:
    path = a_file(tmp_path, "A,B,标题\n空调,2023990703000117,无关\n")
    (found,) = listings(path, {"A": "title", "B": "certificate_no", "标题": ""})
    assert found is not None
    assert (found.title, found.certificate_no) == ("空调", "2023990703000117")
    with pytest.raises(BadRequest):
        open_listings(path, {"A": "nothing"})


def test_columns_are_guessed_by_what_stands_below() -> None:
    samples = [["空调", "2023990703000117", "https://shop.example/1"], ["插座", "2022990201000204", ""]]
    assert columns_of(["标题", "字段2", "字段3"], {}, samples) == ["title", "certificate_no", "listing_url"]


def test_json_lines_take_either_language_and_pass_over_what_is_none(tmp_path: Path) -> None:
    lines = ['{"title":"a","row":"x1"}', "{broken", '["list"]', '{"标题":"b","image":["1.jpg","2.jpg"]}', ""]
    found = listings(a_file(tmp_path, "\n".join(lines), "a.jsonl"))
    assert [one.title if one else None for one in found] == ["a", None, None, "b"]
    assert found[3] is not None
    assert found[3].image == "1.jpg|2.jpg"


def test_long_cells_are_cut_and_long_lines_passed_over(tmp_path: Path) -> None:
    lines = [json.dumps({"title": "x" * 5000}), json.dumps({"title": "y" * (2 << 20)}), json.dumps({"title": "z"})]
    found = listings(a_file(tmp_path, "\n".join(lines), "a.jsonl"))
    assert [len(one.title or "") if one else None for one in found] == [2000, None, 1]


def test_an_open_quote_costs_the_rows_that_it_swallows_and_no_more(tmp_path: Path) -> None:
    found = listings(a_file(tmp_path, '标题\n空调\n"开\n' + "行\n" * 500 + '"\n插座\n'))
    assert [one.title if one else None for one in found] == ["空调", None, "插座"]


@pytest.mark.parametrize("content", [b"\xd0\xcf\x11\xe0old", "标题\n".encode("utf-16"), b"\x00\x01", b"PK\x03\x04no"])
def test_what_is_no_list_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ListingsUnreadable):
        open_listings(a_file(tmp_path, content), {})


def test_numbers_that_a_spreadsheet_spoilt(tmp_path: Path) -> None:
    (found,) = listings(a_file(tmp_path, "标题,证书编号,产品类别\n空调,2.02399E+15,703\n"))
    assert found is not None
    assert (found.certificate_no, found.unread, found.product_class) == ("", ("certificate_no",), "0703")


# --- XLSX ------------------------------------------------------------------------------------------------


def a_workbook(folder: Path, *rows: list[object]) -> Path:
    path = folder / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("数据")
        for at, row in enumerate(rows):
            for place, value in enumerate(row):
                if isinstance(value, str) and not value.startswith("="):
                    sheet.write_string(at, place, value)
                else:
                    sheet.write(at, place, value)
    return path


def test_a_workbook(tmp_path: Path) -> None:
    path = a_workbook(tmp_path, ["标题", "证书编号", "型号"], ["空调", "2023990703000117", 35], ["=1+1", "x", "=A1"])
    opened, _ = open_listings(path, {})
    first, second = listings(path)
    assert opened.kind == "xlsx"
    assert first is not None
    assert (first.title, first.certificate_no, first.model) == ("空调", "2023990703000117", "35")
    assert second is not None
    assert second.title in ("", "0"), "a formula is what was last computed of it"


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("xl/worksheets/sheet1.xml", b"0" * (84 << 20))
    path = a_file(tmp_path, packed.getvalue(), "a.xlsx")
    assert path.stat().st_size < 300_000
    with pytest.raises(ListingsUnreadable, match="压缩炸弹"):
        open_listings(path, {})


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-03-02", "2026-03-02"),
        ("2026/3/2", "2026-03-02"),
        ("2026年3月2日", "2026-03-02"),
        ("20260302", "2026-03-02"),
        ("2026-03-02 10:20:30", "2026-03-02"),
        ("2026-03-01T17:00:00Z", "2026-03-02"),
        ("2026.03.02", "2026-03-02"),
        ("３月", None),
        ("2026-13-02", None),
        ("去年", None),
    ],
)
def test_days(text: str, day: str | None) -> None:
    assert str(date_in(text)) == str(day)


def test_a_workbook_foretells_its_rows_before_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for at in range(5001):
            sheet.write_string(at, 0, f"标题 {at}")
    assert rows_foretold(path) == 5000
    silent = tmp_path / "silent.xlsx"
    with zipfile.ZipFile(path) as packed, zipfile.ZipFile(silent, "w", zipfile.ZIP_DEFLATED) as other:
        for name in packed.namelist():
            other.writestr(name, packed.read(name).replace(b"<dimension ", b"<dimensions "))
    assert abs((rows_foretold(silent) or 0) - 5000) < 500, "a sheet that does not say is measured by its first rows"
    assert rows_foretold(a_file(tmp_path, "标题\n空调\n")) is None
    with pytest.raises(ListingsUnreadable):
        rows_foretold(a_file(tmp_path, b"PK\x03\x04 not a workbook", "b.xlsx"))
