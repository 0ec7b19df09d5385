"""What a file may cost: the process that reads it meets its limits, and nothing but that file suffers."""

import json
import random
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from services.listings.files import ListingsUnreadable, NoColumns
from services.listings.pictures import Pictures, texts_in
from services.listings.reading import LIMITS, Reading
from tests.checked import SHEET

pytestmark = pytest.mark.integration
_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml"'
    ' ContentType="application/xml"/><Default Extension="rels"'
    ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>'
)
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_SPREADSHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def rows_of(reading: Reading) -> list[object]:
    with reading:
        return [row for frame in reading for row in json.loads(frame.packed)]


def a_workbook_of_many_words(path: Path, count: int) -> None:
    """A workbook with little in its sheet and very many short texts beside it, packed less than a bomb would be."""
    chance = random.Random(1)
    words = "".join(f"<si><t>{chance.getrandbits(20):x}</t></si>" for _ in range(count))
    related = f'<Relationships xmlns="{_OFFICE.replace("officeDocument", "package")}">'
    cell = '<row r="1"><c r="A1" t="inlineStr"><is><t>标题</t></is></c></row>'
    parts = {
        "[Content_Types].xml": _TYPES,
        "_rels/.rels": f'{related}<Relationship Id="r" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
        "</Relationships>",
        "xl/workbook.xml": f'<workbook xmlns="{_SPREADSHEET}" xmlns:r="{_OFFICE}"><sheets><sheet name="a" sheetId="1"'
        ' r:id="s"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'{related}<Relationship Id="s" Type="{_OFFICE}/worksheet"'
        f' Target="worksheets/sheet1.xml"/><Relationship Id="w" Type="{_OFFICE}/sharedStrings"'
        ' Target="sharedStrings.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{_SPREADSHEET}"><sheetData>{cell}</sheetData></worksheet>',
        "xl/sharedStrings.xml": f'<sst xmlns="{_SPREADSHEET}">{words}</sst>',
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for name, content in parts.items():
            packed.writestr(name, content)


def test_a_workbook_that_needs_more_than_it_may_take_is_refused(tmp_path: Path) -> None:
    """Its parts say truly how large they are and pass: it is the memory of the process that ends it."""
    path = tmp_path / "words.xlsx"
    a_workbook_of_many_words(path, 2_000_000)
    assert rows_of(Reading(path)) == [], "with what a reader usually has it can be read"
    small = replace(LIMITS, memory=144 << 20)
    with pytest.raises(ListingsUnreadable, match="memory"):
        Reading(path, limits=small)
    (tmp_path / "a.csv").write_bytes(SHEET)
    assert len(rows_of(Reading(tmp_path / "a.csv", limits=small))) == 30, "another file goes on"


def test_a_picture_of_a_hundred_megapixels_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.new("1", (10_000, 10_000)).save(path)
    assert path.stat().st_size < 1 << 20
    assert texts_in(path.read_bytes()) is None
    sheet = tmp_path / "a.csv"
    sheet.write_text("标题,图片\n空调,large.png\n空调,\n", encoding="utf-8")
    first, second = rows_of(Reading(sheet, pictures=tmp_path))
    assert isinstance(first, list)
    assert first[-2:] == [[], False], "its listing is judged as one whose picture was not read"
    assert second is not None


def test_an_archive_that_lies_about_a_size_is_not_believed(tmp_path: Path) -> None:
    """The desk looks into it in the registry's own process, which has no limits."""
    path = tmp_path / "pictures.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.png", bytes(200 << 20))
    said = (200 << 20).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(said, (1000).to_bytes(4, "little")))
    tracemalloc.start()
    assert Pictures(path).content("a.png") in (None, bytes(1000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 << 20


def test_what_is_wrong_with_a_file_is_one_row_or_one_clear_refusal(tmp_path: Path) -> None:
    """Through the process with limits: two encodings, a cell of 5,000 characters, a formula, fifty strange columns."""
    rows = ["标题,证书编号".encode(), "空调,2023990703000117".encode(), "插座,2022990201000204".encode("gb18030")]
    rows += [b"\xff\xff\xff,1", b"=1+1,=2+2", ("长" * 5000 + ",").encode()]
    path = tmp_path / "mixed.csv"
    path.write_bytes(b"\n".join(rows))
    found = rows_of(Reading(path))
    assert len(found) == 5
    assert found[2] is None
    assert [len(str(row[7])) for row in found if isinstance(row, list)] == [2, 2, 4, 2000]
    strange = tmp_path / "strange.csv"
    strange.write_text(",".join(f"z{at}" for at in range(50)) + "\n" + ",".join("7" * 50) + "\n", encoding="utf-8")
    with pytest.raises(NoColumns):
        Reading(strange)
