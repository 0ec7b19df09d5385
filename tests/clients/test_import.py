"""A body's engineer brings a sheet in, over HTTP, as the documentation says; and compares it the next day."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.system import System, get_json

BODY = "CNCA-R-2019-7901"
YEAR = datetime.now(UTC).year
NUMBERS = [f"2023990703{place:06d}" for place in range(990000, 990010)]

pytestmark = pytest.mark.timeout(180)


def a_row(number: str) -> dict[str, str]:
    return {
        "证书编号": number,
        "认证依据": "GB 4706.32-2012",
        "获证组织名称": "上海示范甲实业有限公司",
        "生产者名称": "上海示范甲实业有限公司",
        "生产企业名称": "上海示范甲制造有限公司",
        "产品名称": "房间空调器",
        "产品类别代码": "0703",
        "规格型号": f"KFR-{number[-4:]}",
        "发证日期": f"{YEAR - 3}/3/6",
        "有效期至": f"{YEAR + 2}年3月5日",
    }


def a_sheet(path: Path, numbers: list[str]) -> str:
    with path.open("w", encoding="gb18030", newline="") as file:
        writer = csv.DictWriter(file, list(a_row("")))
        writer.writeheader()
        writer.writerows(map(a_row, numbers))
    return str(path)


def test_a_wrong_key_is_said_the_right_one_goes_on_and_the_books_are_compared(system: System, tmp_path: Path) -> None:
    sheet = a_sheet(tmp_path / "sheet.csv", NUMBERS)
    system.certmark("keys", "new", "stranger")
    told = ("import", sheet, "--as", BODY, "--set", "认证制度=ccc", "--set", "批准人编号=7901-0007", "--json")
    stranger = str(system.data / "keys" / "stranger.pem")
    assert json.loads(system.certmark(*told, "--key", stranger, code=1))["code"] == "unknown-key"

    report = json.loads(system.certmark(*told))
    assert (report["signed"], report["accepted"], report["encoding"]) == (10, 10, "GB18030")
    assert get_json(f"{system.registry}/v1/certificates/{NUMBERS[3]}")["standing"] == "valid"
    again = json.loads(system.certmark(*told))
    assert (again["signed"], again["accepted"]) == (10, 10)
    entries = get_json(f"{system.registry}/v1/certificates/{NUMBERS[3]}/history")["items"]
    assert [entry["decision"] for entry in entries if entry["kind"] == "event"] == ["accepted"]

    # the next day: one certificate is gone from the body's books, and one is new there
    sheet = a_sheet(tmp_path / "books.csv", [*NUMBERS[1:], "2023990703990099"])
    said = system.certmark("reconcile", sheet, "--as", BODY, "--json", code=1).splitlines()
    counts = json.loads(said[-1])["counts"]
    assert (counts["equal"], counts["different"], counts["not_in_register"]) == (9, 0, 1)
    missing = {line["certificate_no"] for line in map(json.loads, said[:-1]) if line["kind"] == "not_in_file"}
    assert NUMBERS[0] in missing


def test_the_template_is_filled_in_and_looked_at_without_a_register(system: System, tmp_path: Path) -> None:
    template = tmp_path / "template.csv"
    system.certmark("import", "--template", str(template))
    with template.open("a", encoding="utf-8", newline="") as file:
        csv.writer(file).writerow(["监督通过", NUMBERS[0], "2026-02-30"])
    report = json.loads(system.certmark("import", str(template), "--dry-run", "--json", code=1))
    assert [(fault["line"], fault["column"], fault["code"]) for fault in report["faults"]] == [
        (3, "生效日期", "bad-date")
    ]
