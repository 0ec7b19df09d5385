"""Labels on paper: what is drawn is read by two decoders, is as large as it was asked for, and is made once."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from PIL import Image

from services.domain.errors import BadRequest
from services.events.keys import new_key
from services.marks import printing, qr, sheets
from services.marks.label import Label, Named
from services.marks.printing import How, Printed, PrintForm, TooFine, print_run, tokens_in
from services.marks.sheets import A4, DoesNotFit, NotReadBack, check_read_back
from services.marks.token import MarkPath, mark_url, sign_token
from tests.unit.test_mark_token import CLAIMS, GTIN

HOST = "https://v.example.cn"
KEY = new_key()
NAMED = Named("上品", "Shanghai brand mark", "SHB-M-2024-0031", "上海示范辛食品实业有限责任公司浦东第二分公司")
TEXT = replace(CLAIMS, mark_no="SHB-M-2024-0031", certificate_no="SHB-P-2024-0031")


def items(count: int) -> list[Printed]:
    found = []
    for number in range(count):
        path = MarkPath.of_product(GTIN, f"SN{number:06d}")
        found.append(
            Printed("SHB-M-2024-0031", GTIN, f"SN{number:06d}", mark_url(HOST, path, sign_token(TEXT, path, KEY)))
        )
    return found


def named(_mark_no: str) -> Named:
    return NAMED


def by_opencv(image: Image.Image) -> str:
    """The text by OpenCV's newer detector; its older one missed 7 of 120 of our codes, this one none of 600."""
    text, _, _ = cv2.QRCodeDetectorAruco().detectAndDecode(np.asarray(image.convert("L")))
    return str(text)


@pytest.mark.parametrize("rough", [False, True])
def test_a_label_is_read_by_two_decoders_and_has_its_size_in_it(tmp_path: Path, rough: bool) -> None:
    (item,) = items(1)
    width = 30.0 if rough else 21.0
    assert print_run([item], named, How(PrintForm.PNG, width, rough=rough), tmp_path) == 1
    (file,) = tmp_path.glob("*.png")
    with Image.open(file) as image:
        assert sheets.texts_in(image.convert("L")) == [item.url]
        assert by_opencv(image) == item.url
        assert image.info["dpi"] == pytest.approx((600, 600), abs=1)
        assert image.width / 600 * 25.4 == pytest.approx(width + 2.4, abs=0.1)


def test_an_svg_is_in_millimetres_and_names_what_it_is(tmp_path: Path) -> None:
    (item,) = items(1)
    print_run([item], named, How(PrintForm.SVG, 21), tmp_path)
    (file,) = tmp_path.glob("*.svg")
    root = ElementTree.fromstring(file.read_bytes())  # noqa: S314  # drawn a line above
    assert root.attrib["width"] == "23.4mm"
    words = "".join(root.itertext())
    for word in (NAMED.zh, NAMED.en, NAMED.mark_no, "SN000000", "上海示范辛"):
        assert word in words


def test_every_code_of_a_sheet_is_on_it_and_inside_it(tmp_path: Path) -> None:
    run = items(52)
    assert print_run(run, named, How(PrintForm.A4, 21, cut=True), tmp_path) == 52
    (file,) = tmp_path.glob("*.pdf")
    found: list[str] = []
    for image in sheets.images(file.read_bytes(), 300):
        assert image.width / 300 * 25.4 == pytest.approx(210, abs=0.2)
        found += sheets.texts_in(image)
    assert sorted(found) == sorted(item.url for item in run)


def test_labels_on_paper_neither_overlap_nor_leave_it() -> None:
    label = Label(qr.symbol(items(1)[0].url), NAMED, 21)
    width, height = label.outer
    at = sheets.places(A4, label.outer)
    assert len(at) > 20
    for left, top in at:
        assert A4.margin <= left + 1e-6
        assert left + width <= A4.width - A4.margin + 1e-6
        assert top + height <= A4.height - A4.margin + 1e-6
    for one, other in pairwise(at):
        assert other[0] - one[0] >= width or other[1] - one[1] >= height
    with pytest.raises(DoesNotFit):
        sheets.places(A4, (200.0, 40.0))


def test_a_roll_has_a_row_on_each_page(tmp_path: Path) -> None:
    print_run(items(5), named, How(PrintForm.ROLL, 21, across=2), tmp_path)
    (file,) = tmp_path.glob("*.pdf")
    assert [len(sheets.texts_in(image)) for image in sheets.images(file.read_bytes(), 300)] == [2, 2, 1]


def test_modules_below_a_third_of_a_millimetre_are_refused_or_warned_of(tmp_path: Path) -> None:
    warnings: list[str] = []
    with pytest.raises(TooFine, match=r"20\.1 mm are needed"):
        print_run(items(1), named, How(PrintForm.SVG, 20), tmp_path)
    assert not list(tmp_path.glob("*.svg"))
    print_run(items(1), named, How(PrintForm.SVG, 20, force=True), tmp_path, warn=warnings.append)
    assert len(warnings) == 1
    print_run(items(1), named, How(PrintForm.SVG, 20.13), tmp_path, warn=warnings.append)
    assert len(warnings) == 1


def test_a_code_that_does_not_read_back_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A printer's driver that drew one module too many, say: here one label says what another should."""
    first, second = items(2)
    labels = [Label(qr.symbol(first.url), NAMED, 21)] * 2
    paper = sheets.alone(labels[0])
    drawn = sheets.pdf(labels, paper)
    with pytest.raises(NotReadBack, match="page 2"):
        check_read_back(drawn, labels, [first.url, second.url], paper)
    whole = qr.symbol
    monkeypatch.setattr(
        qr, "symbol", lambda url, **how: replace(whole(url, **how), modules=whole(first.url, **how).modules)
    )
    with pytest.raises(NotReadBack):
        print_run([first, second], named, How(PrintForm.PNG, 21), tmp_path)
    assert not [file for file in tmp_path.iterdir() if file.suffix == ".png" or file.name.endswith(".part")]


def test_what_is_there_and_right_is_not_made_again(tmp_path: Path) -> None:
    run, how = items(3), How(PrintForm.PNG, 21)
    print_run(run, named, how, tmp_path)
    files = sorted(tmp_path.glob("*.png"))
    made = {file: file.stat().st_mtime_ns for file in files}
    print_run(run, named, how, tmp_path)
    assert {file: file.stat().st_mtime_ns for file in files} == made
    files[1].write_bytes(b"something else")
    print_run(run, named, how, tmp_path)
    with Image.open(files[1]) as image:
        assert sheets.texts_in(image.convert("L")) == [run[1].url]
    made = {file: file.stat().st_mtime_ns for file in files}
    print_run(run, named, replace(how, width=25), tmp_path)
    assert all(file.stat().st_mtime_ns > made[file] for file in files), "another size is another file"


def test_a_run_is_read_as_it_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory does not grow with a run: nothing is taken from it before its turn."""
    monkeypatch.setattr(printing, "SINGLES", 5)
    taken: list[int] = []
    done: list[int] = []

    def watched() -> Iterator[Printed]:
        for number, item in enumerate(items(12)):
            taken.append(number)
            yield item

    def advance(count: int) -> None:
        done.append(count)
        assert len(taken) <= sum(done)

    assert print_run(watched(), named, How(PrintForm.PNG, 21), tmp_path, advance) == 12
    assert done == [5, 5, 2]


def test_a_token_file_is_written_and_read_again(tmp_path: Path) -> None:
    run = items(20)
    print_run(run, named, How(PrintForm.TOKENS, 21), tmp_path)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "tokens.csv").read_text(encoding="utf-8"))))
    assert {(row["version"], row["side"]) for row in rows} == {("9", "61")}
    assert list(tokens_in(tmp_path / "tokens.csv")) == run
    lines = tmp_path / "tokens.ndjson"
    lines.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    assert list(tokens_in(lines)) == run


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", '{"url": 7}\n', "{x}\n", "url\njavascript:alert(1)\n"])
def test_what_is_no_token_file_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "tokens"
    file.write_text(content, encoding="utf-8")
    if content:
        with pytest.raises(BadRequest):
            list(tokens_in(file))
    else:
        assert list(tokens_in(file)) == []
