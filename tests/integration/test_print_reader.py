"""Numbers in a picture's print: read where the program is installed, and for review whatever they lead to."""

import json
import shutil
from pathlib import Path

import orjson
import pytest
from PIL import Image, ImageDraw, ImageFont

from services.domain.listing import check
from services.listings import print_reader
from services.listings.checking import unpacked
from services.listings.reading import Reading
from tests.listings import demonstration_shelf

pytestmark = pytest.mark.integration
FONT = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")


def a_plate(path: Path, number: str) -> None:
    """A name plate as in a seller's photograph."""
    picture = Image.new("RGB", (900, 360), "#f4f4f0")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.truetype(str(FONT), 44)
    draw.text((40, 40), "房间空调器  KFR-35GW/A1", fill="black", font=font)
    draw.text((40, 150), f"证书编号：{number}", fill="black", font=font)
    picture.save(path)


def a_sheet(folder: Path, *pictures: str) -> Path:
    path = folder / "a.jsonl"
    rows = [
        {"row": name, "title": "空调 证书编号见图", "product_class": "0703", "maker": "某厂", "image": name}
        for name in pictures
    ]
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return path


def test_a_number_in_the_print_is_for_review_with_low_confidence(tmp_path: Path) -> None:
    for name, number in (("known.png", "2023990703000117"), ("unknown.png", "2024990703009998")):
        a_plate(tmp_path / name, number)
    Image.new("RGB", (300, 300), "white").save(tmp_path / "empty.png")
    sheet = a_sheet(tmp_path, "known.png", "unknown.png", "empty.png")
    with Reading(sheet, pictures=Path(shutil.make_archive(str(tmp_path / "pictures"), "zip", tmp_path))) as reading:
        (frame,) = reading
    shelf = demonstration_shelf()
    known, unknown, empty = (check(one, shelf) for one in unpacked(frame.packed, frame.first) if one is not None)
    assert (known.verdict, known.confidence) == ("review", "low")
    assert known.registered is not None
    assert known.registered["certificate_no"] == known.claimed["certificate_no"] == "2023990703000117"
    assert "识别读出" in known.note["zh"]
    assert (unknown.verdict, unknown.confidence, unknown.registered) == ("review", "low", None)
    assert "L03" in unknown.rules
    assert "识别读出" not in empty.note["zh"]


def test_the_reader_stops_when_its_time_is_up(tmp_path: Path) -> None:
    a_plate(tmp_path / "a.png", "2023990703000117")
    program = shutil.which(print_reader.PROGRAM)
    assert program is not None
    with Image.open(tmp_path / "a.png") as picture:
        reader = print_reader.PrintReader(program, altogether=0.001)
        assert "2023990703000117" in reader(picture).replace(" ", "")
        assert reader(picture) == ""


def test_where_it_is_not_installed_nothing_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert print_reader.print_reader(path=str(tmp_path)) is None
    silent = tmp_path / print_reader.PROGRAM
    silent.write_text("#!/bin/sh\necho eng\n", encoding="ascii")
    silent.chmod(0o755)
    assert print_reader.print_reader(path=str(tmp_path)) is None, "it reads no Chinese"
    Image.new("RGB", (300, 300), "white").save(tmp_path / "a.png")
    monkeypatch.setenv("PATH", str(tmp_path))
    with Reading(a_sheet(tmp_path, "a.png"), pictures=tmp_path) as reading:
        (frame,) = reading
    assert orjson.loads(frame.packed)[0][-2:] == [[], True], "looked at for codes, and no print behind"
