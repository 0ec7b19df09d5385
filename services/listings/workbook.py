"""The findings as a workbook in Chinese: 汇总, 明细, 未能判断, 方法. Nothing in a cell is a formula."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import xlsxwriter

from services.domain.listing_rules import NOT_CHECKED, RULE_SET, RULES, clause_on
from services.domain.listing_standing import Verdict

VERDICTS = {Verdict.OK: "相符", Verdict.REVIEW: "待核", Verdict.LEAD: "线索", Verdict.UNJUDGED: "未能判断"}
_HEADINGS = (
    "行号",
    "结论",
    "规则",
    "说明",
    "声称的编号",
    "声称的产品",
    "声称的型号",
    "声称的生产者",
    "登记的编号",
    "登记的持证人",
    "登记的产品",
    "登记的型号",
    "采集日",
    "采集日状态",
    "核查日状态",
    "把握",
)
MOST_ROWS = 1_000_000
"""A worksheet holds 1,048,576; what is more is in findings.jsonl alone, and the summary says so."""
_LONGEST = 32_000


def write_workbook(path: Path, findings: Iterable[dict[str, Any]], about: Mapping[str, Any]) -> None:
    """Write the workbook row by row; rows that are ok are counted and not listed."""
    book = xlsxwriter.Workbook(
        str(path), {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    )
    book.set_properties({"title": "商品核查", "created": datetime(2000, 1, 1)})  # noqa: DTZ001  # not of this run
    bold = book.add_format({"bold": True})
    summary, detail, unjudged, method = (book.add_worksheet(name) for name in ("汇总", "明细", "未能判断", "方法"))
    for sheet in (detail, unjudged):
        for place, heading in enumerate(_HEADINGS):
            sheet.write_string(0, place, heading, bold)
        sheet.freeze_panes(1, 0)
    lines = {detail: 0, unjudged: 0}
    left_out = 0
    for finding in findings:
        if finding["verdict"] == Verdict.OK:
            continue
        sheet = unjudged if finding["verdict"] == Verdict.UNJUDGED else detail
        if lines[sheet] >= MOST_ROWS:
            left_out += 1
            continue
        lines[sheet] += 1
        for place, text in enumerate(_cells(finding)):
            sheet.write_string(lines[sheet], place, text[:_LONGEST])
    told = [
        ("结论仅为线索，由执法人员核实后认定", ""),
        ("文件", about["name"]),
        ("文件SHA-256", about["sha256"]),
        ("登记册位置 (seq)", str(about["seq"])),
        ("核查日", about["day"]),
        ("规则版本", RULE_SET),
        ("行数", str(about["rows"])),
        *((VERDICTS[verdict], str(about["verdicts"].get(verdict.value, 0))) for verdict in Verdict),
        ("未列入明细的行", str(left_out)),
        *((f"{rule.id} {rule.words['zh']}", str(about["rules"].get(rule.id, 0))) for rule in RULES),
    ]
    for at, (label, value) in enumerate(told):
        summary.write_string(at, 0, label, bold)
        summary.write_string(at, 1, str(value))
    summary.set_column(0, 0, 48)
    summary.set_column(1, 1, 70)
    _method(method, bold, date.fromisoformat(about["day"]))
    book.close()


def _method(sheet: Any, bold: Any, day: date) -> None:
    for place, heading in enumerate(("规则", "内容", "严重程度", "依据", "需要固定的证据")):
        sheet.write_string(0, place, heading, bold)
    for at, rule in enumerate(RULES, 1):
        clause = clause_on(rule.id, day).words["zh"]
        for place, text in enumerate((rule.id, rule.words["zh"], rule.severity, clause, rule.evidence["zh"])):
            sheet.write_string(at, place, text)
    for at, words in enumerate(NOT_CHECKED, len(RULES) + 2):
        sheet.write_string(at, 0, f"未核查：{words['zh']}")
    at = len(RULES) + len(NOT_CHECKED) + 2
    sheet.write_string(at, 0, "没有扫码查询统计，单件标志码（L15）只按同一文件中的不同店铺判断")


def _cells(finding: Mapping[str, Any]) -> Iterable[str]:
    claimed, registered = finding["claimed"], finding["registered"] or {}
    yield str(finding["row"])
    yield VERDICTS[Verdict(finding["verdict"])]
    yield " ".join(finding["rules"])
    yield finding["note"]["zh"]
    for name in ("certificate_no", "product", "model", "maker"):
        yield str(claimed.get(name) or "")
    for name in ("certificate_no", "holder", "product"):
        yield str(registered.get(name) or "")
    yield "、".join(registered.get("models") or ())
    yield str(finding["captured"]["day"])
    yield str(finding["captured"]["standing"] or "")
    yield str(finding["now"]["standing"] or "")
    yield str(finding["confidence"])
