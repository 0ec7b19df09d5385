"""`certmark import` where no register is needed: the dry run, the fix file and its way back, wrong use."""

import csv
import json
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from click.testing import CliRunner, Result

from services.cli import main

HEADINGS = ["事件", "证书编号", "生效日期", "验证日期", "备注", "内部编号"]
GOOD = ["监督通过", "2023990703000117", "2026-09-15", "", "", "x"]
WRONG = ["恢复", "2023990703000118", "15/09/2026", "2026-09-14", '带"引号"，和，逗号', "y"]
WAITS = ["监督通过", "2023990703000118", "2026-10-15", "", "", "z"]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CERTMARK_DATA", str(tmp_path / "data"))


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def looked_at(file: Path, *words: str, code: int = 0) -> dict[str, Any]:
    ended = run("import", str(file), "--dry-run", "--json", *words)
    assert ended.exit_code == code, ended.output
    report: dict[str, Any] = json.loads(ended.stdout)
    return report


def a_csv(path: Path, *rows: list[str], encoding: str = "utf-8-sig") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def a_workbook(path: Path, *rows: list[str]) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    book.save(path)
    return path


@pytest.mark.parametrize("form", ["utf-8-sig", "gb18030", "xlsx"])
def test_the_fix_file_holds_what_is_wrong_and_comes_back_mended(tmp_path: Path, form: str) -> None:
    rows = (HEADINGS, GOOD, WRONG, WAITS)
    sheet = (
        a_workbook(tmp_path / "b.xlsx", *rows) if form == "xlsx" else a_csv(tmp_path / "b.csv", *rows, encoding=form)
    )
    fix = tmp_path / "fix.csv"
    report = looked_at(sheet, "--fix", str(fix), code=1)
    assert (report["rows"], report["good"], report["wrong"], report["fix"]["rows"]) == (3, 1, 2, 2)
    assert report["unmapped"] == ["内部编号"]
    with fix.open(encoding="utf-8-sig", newline="") as file:
        found = list(csv.DictReader(file))
    assert [[row[heading] for heading in HEADINGS] for row in found] == [WRONG, WAITS], "nothing but the explanations"
    assert [(row["错误行号"], row["错误列"], row["错误代码"]) for row in found] == [
        ("3", "生效日期", "unclear-date"),
        ("4", "", "row-waits"),
    ]
    assert "日月顺序不明" in found[0]["错误说明"]
    assert "order of day and month" in found[0]["Error"]
    assert found[0]["处理建议"]
    assert found[0]["Hint"]

    again = tmp_path / "again.csv"
    assert looked_at(fix, "--fix", str(again), code=1)["fix"]["rows"] == 2
    with again.open(encoding="utf-8-sig", newline="") as file:
        assert next(csv.reader(file)) == [*HEADINGS, *list(found[0])[len(HEADINGS) :]], "explained once, not twice"

    mended = [list(row.values()) for row in found]
    mended[0][2] = "2026-09-15"
    report = looked_at(a_csv(tmp_path / "mended.csv", list(found[0]), *mended))
    assert (report["good"], report["wrong"], report["unmapped"]) == (2, 0, ["内部编号"])


def test_the_report_in_words_tells_rows_columns_and_what_to_do(tmp_path: Path) -> None:
    ended = run("import", str(a_csv(tmp_path / "b.csv", HEADINGS, GOOD, WRONG, WAITS)), "--dry-run")
    assert ended.exit_code == 1
    for words in (
        "第3行 row 3 · 生效日期 · '15/09/2026' · unclear-date",
        "写成 2026-01-05",
        "UTF-8; 标题在第1行",
        "没有对应的列 columns not mapped: 内部编号",
        "有错 wrong: 2",
        "可以导入 good: 1",
    ):
        assert words in ended.stdout, words


def test_only_some_of_many_faults_are_shown(tmp_path: Path) -> None:
    rows = [["监督通过", f"2023990703{place:06d}", "x", "", "", ""] for place in range(50)]
    file = a_csv(tmp_path / "b.csv", HEADINGS, *rows)
    ended = run("import", str(file), "--dry-run", "--show", "3")
    assert ended.stdout.count("bad-date") == 3 + 1
    assert "另有 47 处" in ended.stdout
    report = looked_at(file, "--show", "3", code=1)
    assert (len(report["faults"]), report["codes"]) == (3, {"bad-date": 50})


def test_headings_of_ones_own_are_mapped(tmp_path: Path) -> None:
    sheet = a_csv(tmp_path / "b.csv", ["号", "什么", "日", "杂"], ["2023990703000117", "监督通过", "2026-09-15", "x"])
    mapping = tmp_path / "mapping.json"
    mapping.write_text(json.dumps({"号": "证书编号", "什么": "event", "日": "生效日期", "杂": ""}), encoding="utf-8")
    report = looked_at(sheet, "--mapping", str(mapping))
    assert (report["good"], report["unmapped"]) == (1, [])


def test_a_value_for_the_whole_file(tmp_path: Path) -> None:
    sheet = a_csv(tmp_path / "b.csv", ["证书编号", "备注"], ["2023990703000117", ""])
    report = looked_at(sheet, "--set", "事件=监督通过", "--set", "effective_at=2026-09-15")
    assert (report["good"], report["by_event"]) == (1, {"surveillance_passed": 1})


@pytest.mark.parametrize(
    "words",
    [
        ["import"],
        ["import", "none.csv", "--dry-run"],
        ["import", "b.csv"],
        ["import", "b.csv", "--as", "nobody"],
        ["import", "b.csv", "--as", "CNCA-R-2019-7901"],
        ["import", "b.csv", "b.csv", "--dry-run", "--fix", "f.csv"],
        ["import", "b.csv", "--dry-run", "--fix", "b.csv"],
        ["import", "b.csv", "--dry-run", "--set", "无此列=x"],
        ["import", "b.csv", "--dry-run", "--set", "scheme"],
        ["import", "b.csv", "--dry-run", "--mapping", "none.json"],
        ["import", "b.csv", "--dry-run", "--mapping", "b.csv"],
        ["import", "--template", "b.csv"],
        ["import", "--template", "b.ods"],
        ["reconcile", "none.csv", "--as", "CNCA-R-2019-7901"],
        ["reconcile", "b.csv"],
        ["reconcile"],
    ],
)
def test_wrong_use_ends_with_2_and_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    a_csv(tmp_path / "b.csv", HEADINGS, GOOD)
    monkeypatch.chdir(tmp_path)
    ended = run(*words)
    assert ended.exit_code == 2, ended.output
    assert ended.stderr.strip()
    assert "Traceback" not in ended.output
    assert not (tmp_path / "data" / "imports").exists()


def test_both_commands_have_help_and_json() -> None:
    for name in ("import", "reconcile"):
        assert "--json" in run(name, "--help").stdout
