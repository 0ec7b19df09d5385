"""The report of a check in Chinese, for the file: what was asked, how it was judged, what was found, what a lead is.

The page is printed by a process of its own with limits, which fetches nothing; the same findings give the same bytes.
"""

import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import date
from html import escape
from typing import Any

from services import confined
from services.domain.errors import Fault
from services.domain.listing_rules import NOT_CHECKED, RULE, RULES, clause_on
from services.domain.listing_standing import Verdict
from services.listings.workbook import VERDICTS

REPORT = "report.pdf"
MOST = 300
"""Leads that are printed; the others are in findings.xlsx, and the report says how many."""
LIMITS = confined.Limits(memory=1536 << 20, seconds=120, writes=True)
"""The fonts, which are mapped and shared, are half a gigabyte of it."""
_PATIENCE_S = 240
_STANDINGS = {
    "valid": "有效",
    "suspended": "暂停",
    "revoked": "撤销",
    "cancelled": "注销",
    "expired": "过期",
    "superseded": "已更换",
    "not_yet_valid": "尚未生效",
}
_CSS = """
@page{size:A4;margin:18mm 16mm 20mm;@bottom-center{content:"第 " counter(page) " 页，共 " counter(pages) " 页";
font-size:8pt}}
*{margin:0;padding:0}body{font:10pt/1.5 "Noto Sans CJK SC","Noto Sans SC","WenQuanYi Zen Hei",sans-serif;color:#111}
h1{font-size:18pt;margin-bottom:4mm}h2{font-size:12.5pt;margin:6mm 0 2mm;border-bottom:.4mm solid #111}
p{margin-bottom:2mm}tr{break-inside:avoid}.lead{border:.4mm solid #111;padding:3mm;font-weight:bold}
table{width:100%;border-collapse:collapse;table-layout:fixed}th,td{border:.2mm solid #777;padding:1mm 1.5mm;
text-align:left;vertical-align:top;overflow-wrap:anywhere}th{background:#eee;font-weight:bold}.finding{break-inside:avoid;margin-bottom:3mm;
font-size:9pt}.finding caption{text-align:left;font-weight:bold;padding:1mm 0}.name{width:24mm}
"""


class ReportFailed(Fault):
    slug = "report-failed"
    title = "The report could not be printed"
    zh = "报告打印失败"


def report_html(findings: Iterable[dict[str, Any]], about: Mapping[str, Any]) -> str:
    """The page. `about` is what the manifest says of the check."""
    day = date.fromisoformat(about["day"])
    leads: list[dict[str, Any]] = []
    left_out = 0
    for finding in findings:
        if finding["verdict"] == Verdict.LEAD:
            if len(leads) < MOST:
                leads.append(finding)
            else:
                left_out += 1
    more = f"<p>另有 {left_out} 条线索未印出，见 findings.xlsx 和 findings.jsonl。</p>" if left_out else ""
    printed = "".join(map(_finding, leads)) or "<p>没有线索。</p>"
    return (
        f'<!doctype html><html lang="zh-CN"><title>商品核查报告</title><style>{_CSS}</style><h1>商品核查报告</h1>'
        '<p class="lead">本报告所列均为线索，不是结论。线索经执法人员核实、并听取当事人说明后，才能认定为事实。'
        "登记册中没有的编号不等于伪造。</p>"
        f"<h2>一、摘要</h2>{_summary(about)}"
        f"<h2>二、方法</h2>{_method(about, day)}"
        f"<h2>三、各规则命中数</h2>{_counts(about, day)}"
        f"<h2>四、线索（声称与登记对照）</h2>{printed}{more}</html>"
    )


def _summary(about: Mapping[str, Any]) -> str:
    return _table(
        [
            ("核查文件", about["name"]),
            ("文件 SHA-256", about["sha256"]),
            ("行数", about["rows"]),
            *((VERDICTS[verdict], about["verdicts"].get(verdict.value, 0)) for verdict in Verdict),
            ("登记册位置", f"第 {about['seq']} 条（{about['recorded_at']}）"),
            ("核查日", about["day"]),
            ("规则版本", about["rule_set"]),
        ]
    )


def _method(about: Mapping[str, Any], day: date) -> str:
    mapped = (
        "、".join(f"{heading}→{key or '不读'}" for heading, key in sorted(about["mapping"].items())) or "按标题识别"
    )
    missing = "".join(f"<p>未核查：{escape(words['zh'])}。</p>" for words in NOT_CHECKED)
    return (
        "<p>逐行把商品页面所声称的内容与登记册在上述位置的记录比较：编号、生产者、品牌、型号、产品类别、采集日的状态、"
        "生产和出厂日期、标志授权、发证机构、宣传用语，以及是否正在召回。结论按采集日判断；没有采集日的，按核查日判断。</p>"
        f"<p>列的对应：{escape(mapped)}。</p>"
        "<p>本核查没有扫码查询统计，单件标志码（L15）只按同一文件中的不同店铺判断。</p>"
        f"{missing}<p>同一材料、同一位置和同一规则版本得到同一报告；材料、全部结论和所依据的登记记录随证据包附上，"
        "可用 certmark verify --bundle 离线校验。</p>"
    )


def _counts(about: Mapping[str, Any], day: date) -> str:
    rows = "".join(
        f"<tr><td>{rule.id}</td><td>{escape(rule.words['zh'])}</td>"
        f"<td>{escape(clause_on(rule.id, day).words['zh'])}</td><td>{about['rules'][rule.id]}</td></tr>"
        for rule in RULES
        if about["rules"].get(rule.id)
    )
    head = '<tr><th style="width:12mm">规则</th><th>内容</th><th>依据</th><th style="width:16mm">行数</th></tr>'
    return f"<table>{head}{rows}</table>" if rows else "<p>没有命中任何规则。</p>"


def _finding(finding: Mapping[str, Any]) -> str:
    claimed, held = finding["claimed"], finding["registered"] or {}
    captured, now = finding["captured"], finding["now"]
    pairs = [
        ("证书编号", claimed.get("certificate_no"), held.get("certificate_no")),
        ("生产者", claimed.get("maker") or claimed.get("seller"), held.get("manufacturer") or held.get("holder")),
        ("产品", claimed.get("product"), held.get("product")),
        ("型号", claimed.get("model"), "、".join(held.get("models") or ())),
        ("品牌", claimed.get("brand"), held.get("trademark")),
    ]
    rows = "".join(
        f"<tr><th>{name}</th><td>{_said(one)}</td><td>{_said(other)}</td></tr>" for name, one, other in pairs
    )
    rules = "；".join(f"{rule} {RULE[rule].words['zh']}" for rule in finding["rules"])
    clauses = "；".join(
        dict.fromkeys(clause_on(rule, date.fromisoformat(captured["day"])).words["zh"] for rule in finding["rules"])
    )
    return (
        f'<table class="finding"><caption>行 {_said(finding["row"])}　{escape(finding["note"]["zh"])}</caption>'
        f'<tr><th class="name"></th><th>声称</th><th>登记</th></tr>{rows}'
        f'<tr><th>状态</th><td colspan="2">采集日 {captured["day"]}：{_standing(captured)}；'
        f"核查日 {now['day']}：{_standing(now)}</td></tr>"
        f'<tr><th>规则</th><td colspan="2">{escape(rules) or "召回（do_not_sell）"}</td></tr>'
        f'<tr><th>依据</th><td colspan="2">{escape(clauses) or "召回公告，见所附登记记录"}</td></tr></table>'
    )


def _standing(at: Mapping[str, Any]) -> str:
    return _STANDINGS.get(at["standing"], "未登记") if at["standing"] else "未登记"


def _said(value: object) -> str:
    return escape(str(value)[:200]) if value else "—"


def _table(rows: Iterable[tuple[str, object]]) -> str:
    return (
        "<table>"
        + "".join(f'<tr><th style="width:36mm">{name}</th><td>{_said(str(value))}</td></tr>' for name, value in rows)
        + "</table>"
    )


# --- printing --------------------------------------------------------------------------------------------


def printed(html: str) -> bytes:
    """The page as a PDF.

    Raises:
        ReportFailed: no font with Chinese characters, no weasyprint, or more memory or time than it may take.
    """
    try:
        done = confined.answer("services.listings.report", LIMITS, html.encode(), _PATIENCE_S)
    except subprocess.TimeoutExpired:
        raise ReportFailed("it took too long") from None
    if done.returncode or not done.stdout.startswith(b"%PDF"):
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ReportFailed(last[-1][:200] if last else f"ended with {done.returncode}")
    return done.stdout


def main() -> int:
    import logging

    import weasyprint
    from weasyprint.urls import URLFetcher

    logging.getLogger("weasyprint").setLevel(logging.CRITICAL)
    nowhere = URLFetcher(allowed_protocols=("data",))  # nothing is fetched from anywhere
    document = weasyprint.HTML(string=sys.stdin.buffer.read().decode(), url_fetcher=nowhere)
    sys.stdout.buffer.write(document.write_pdf())
    return 0


if __name__ == "__main__":
    sys.exit(main())
