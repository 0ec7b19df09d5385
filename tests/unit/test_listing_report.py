"""The report of a check says what it leaves out, and what was not judged."""

from html.parser import HTMLParser
from typing import Any

import pytest

from services.domain.listing_rules import RULE_SET
from services.listings.report import MOST, report_html


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def handle_data(self, data: str) -> None:
        self.told.append(data)


def words(leads: int) -> str:
    day = "2026-11-26"
    finding: dict[str, Any] = {
        "verdict": "lead",
        "rules": ["L01"],
        "claimed": {"product": "空调"},
        "registered": None,
        "captured": {"day": day, "standing": None},
        "now": {"day": day, "standing": None},
        "note": {"zh": "未标示编号", "en": "no number"},
    }
    about: dict[str, Any] = {
        "name": "a.csv",
        "sha256": "0" * 64,
        "mapping": {},
        "seq": 7,
        "recorded_at": "",
        "day": day,
    }
    about |= {"rule_set": RULE_SET, "rows": leads, "verdicts": {"lead": leads}, "rules": {"L01": leads}}
    reader = _Words()
    reader.feed(report_html(({**finding, "row": f"第{at}行"} for at in range(leads)), about))
    return "".join(reader.told)


@pytest.mark.parametrize("more", [0, 1, 5])
def test_leads_that_are_not_printed_are_counted_and_their_place_is_named(more: int) -> None:
    told = words(MOST + more)
    assert f"第{MOST - 1}行" in told
    assert f"第{MOST}行" not in told
    assert ("未印出" in told) is (more > 0)
    assert more == 0 or f"另有 {more} 条线索未印出，见 findings.xlsx 和 findings.jsonl" in told


def test_what_was_not_judged_by_look_ups_is_said() -> None:
    assert "没有扫码查询统计，单件标志码（L15）只按同一文件中的不同店铺判断" in words(1)
