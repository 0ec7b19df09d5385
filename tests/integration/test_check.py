"""`certmark check` with its own processes: files of every kind against a node's file, and the limited reader."""

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
import qrcode
from click.testing import CliRunner
from PIL import Image

from services.cli import main
from services.listings.files import ListingsUnreadable
from services.listings.reading import Reading
from tests.listings import samples
from tests.sealed_register import ROOT, SealedRegister
from tests.verify_service import Service

pytestmark = pytest.mark.integration
SHEET = ROOT / "tests/data/listings.csv"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    register = SealedRegister()
    register.now = datetime.now(UTC)
    register.publish_catalogue()
    folder = tmp_path_factory.mktemp("data")
    service = Service(folder, register.publish_all())
    service.projector.close()
    return folder


def run(data: Path, *words: str, stdin: bytes = b"") -> tuple[int, str]:
    told = {"CERTMARK_DATA": str(data), "CERTMARK_PUBLIC_URL": "https://verify.certmark.example"}
    result = CliRunner().invoke(main, ["check", *words], env=told, input=stdin)
    return result.exit_code, result.output


def findings(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_samples_by_the_command(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "findings.jsonl"
    code, told = run(data, str(SHEET), "--out", str(out), "--json")
    assert code == 1, told
    expected = {sample.listing.row: sample.verdict for sample in samples()}
    found = {str(one["row"]): one["verdict"] for one in findings(out)}
    assert list(found) == list(expected)
    assert {row for row in expected if found[row] != expected[row]} <= {"M13", "M27"}  # see test_listing_api
    assert json.loads(told)["verdicts"]["lead"] == sum(verdict == "lead" for verdict in found.values())


def test_a_copy_is_told_of_both_shops_however_far_apart(data: Path, tmp_path: Path) -> None:
    lines = [json.dumps({"row": str(at), "title": "T恤", "shop": f"店{at}"}) for at in range(2500)]
    for at in (3, 2400):
        shown = {"row": str(at), "title": "茶", "shop": f"店{at}", "mark_code": "790326983690060267"}
        lines[at] = json.dumps(shown)
    (tmp_path / "many.jsonl").write_text("\n".join(lines), encoding="utf-8")
    out = tmp_path / "out.jsonl"
    held = sorted(data.iterdir())
    _, told = run(data, "-", "--out", str(out), "--json", stdin=(tmp_path / "many.jsonl").read_bytes())
    assert sorted(data.iterdir()) == held, "nothing of what was sent stays"
    found = findings(out)
    assert [int(str(one["row"])) for one in found] == list(range(2500))
    assert {str(one["row"]) for one in found if one["rules"] == ["L15"]} == {"3", "2400"}
    assert json.loads(told)["verdicts"] == {"ok": 2498, "lead": 2}


def test_codes_in_pictures(data: Path, tmp_path: Path) -> None:
    """A picture with a code of ours, one that imitates us, one that is none, one of 100 megapixels, one elsewhere."""
    ours = "https://verify.certmark.example/c/2023990703000117"
    for name, text in (("ours.png", ours), ("theirs.png", "https://verify.certrnark.example/c/2023990703000117")):
        with (tmp_path / name).open("wb") as file:
            qrcode.make(text).save(file)
    (tmp_path / "none.png").write_bytes(b"no picture")
    Image.new("1", (12_000, 9_000)).save(tmp_path / "huge.png")
    names = ("ours.png", "theirs.png", "none.png", "huge.png", "../../etc/passwd", "https://shop.example/a.png")
    base = {"title": "空调 KFR-35GW/A1", "product_class": "0703", "maker": "无名公司", "text": "证书编号见图"}
    sheet = tmp_path / "pictures.jsonl"
    sheet.write_text("\n".join(json.dumps(base | {"row": name, "image": name}) for name in names), encoding="utf-8")
    packed = tmp_path / "pictures.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for name in names[:4]:
            archive.write(tmp_path / name, name)
    for place in (tmp_path, packed):
        out = tmp_path / "out.jsonl"
        run(data, str(sheet), "--images", str(place), "--out", str(out), "--json")
        found = {str(one["row"]): (one["verdict"], one["rules"]) for one in findings(out)}
        assert found["ours.png"] == ("lead", ["L04"]), "read, and another's"
        assert found["theirs.png"] == ("lead", ["L01", "L03"])
        assert {found[name][0] for name in names[2:]} == {"unjudged"}


def test_a_preview_and_a_mapping_that_a_platform_keeps(data: Path, tmp_path: Path) -> None:
    sheet, mapping = tmp_path / "a.csv", tmp_path / "mapping.json"
    sheet.write_text("A列,标题\n2023990703000117,空调\n", encoding="gb18030")
    mapping.write_text(json.dumps({"A列": "certificate_no"}), encoding="utf-8")
    code, told = run(data, str(sheet), "--dry-run", "--mapping", str(mapping), "--platform", "示范商城", "--json")
    assert (code, json.loads(told)["columns"][0]) == (0, {"heading": "A列", "column": "certificate_no"})
    _, told = run(data, str(sheet), "--dry-run", "--platform", "示范商城", "--json")
    assert json.loads(told)["columns"][0]["column"] == "certificate_no"


def test_addresses(data: Path, tmp_path: Path) -> None:
    texts = tmp_path / "urls.txt"
    texts.write_text(
        "https://verify.certmark.example/c/x1234\nhttps://verify.certmark.shop/\nhello\n", encoding="utf-8"
    )
    code, told = run(data, str(texts), "--urls", "--json")
    assert code == 1
    assert [json.loads(line)["origin"] for line in told.splitlines()] == ["ours", "impostor_host", "not_ours"]


def test_wrong_use_is_told(data: Path, tmp_path: Path) -> None:
    assert run(data, str(tmp_path / "missing.csv"))[0] == 2
    bad = tmp_path / "bad.csv"
    bad.write_text("a,b\n1,2\n", encoding="utf-8")
    code, told = run(data, str(bad), "--json")
    assert (code, json.loads(told)["code"]) == (2, "listings-columns")
    assert run(tmp_path, str(SHEET))[0] == 2, "there is no register here"


def test_a_file_that_needs_too_much_ends_its_reader_and_nothing_else(tmp_path: Path) -> None:
    """A part that lies about its size gets past the headers; the process's limits hold it."""
    path = tmp_path / "liar.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/workbook.xml", b"<x/>")
    with pytest.raises(ListingsUnreadable):
        Reading(path)
