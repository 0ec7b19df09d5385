"""From rows to drafts: every event of a sheet, several models of one certificate, all that can be wrong with a row."""

from collections.abc import Mapping
from typing import Any

import pytest

from services.events.columns import BY_KEY, COLUMNS, Verb, layout_of
from services.events.event_types import EVENT_TYPES
from services.events.rows import Entry, column_at, entries
from services.events.sheets import Row

ISSUED = {
    "证书编号": "2023990703000117",
    "认证制度": "强制性产品认证",
    "认证依据": "GB 4706.32-2012；强制性产品认证实施规则",
    "获证组织名称": "上海示范甲实业有限公司",
    "统一社会信用代码": "91310115MAXX001114",
    "生产者名称": "上海示范甲实业有限公司",
    "生产企业名称": "上海示范甲制造有限公司",
    "产品名称": "房间空调器",
    "产品类别代码": "0703",
    "规格型号": "KFR-35GW／Ａ１",
    "商品条码": "6909900123007",
    "发证日期": "2023/3/6",
    "有效期至": "2028-03-05",
    "批准人编号": "7901-0007",
}


def read(*rows: Mapping[str, object], values: Mapping[str, str] | None = None) -> list[Entry]:
    titles = list(dict.fromkeys(title for row in rows for title in row))
    sheet = [Row(line, [row.get(title) for title in titles]) for line, row in enumerate(rows, 2)]  # type: ignore[misc]
    return list(entries(sheet, layout_of(titles, {}), values or {}))


def the(*rows: Mapping[str, object], values: Mapping[str, str] | None = None) -> Entry:
    (entry,) = read(*rows, values=values)
    return entry


def data_of(*rows: Mapping[str, object], values: Mapping[str, str] | None = None) -> dict[str, Any]:
    entry = the(*rows, values=values)
    assert entry.data is not None, entry.faults
    assert not entry.faults
    return entry.data


def codes(entry: Entry) -> list[tuple[int, str, str]]:
    assert entry.data is None
    return [(fault.line, fault.column, fault.code) for fault in entry.faults]


def later(event: str, **cells: object) -> dict[str, object]:
    return {"事件": event, "证书编号": "2023990703000117", "生效日期": "2026-09-15"} | cells


def test_a_row_becomes_an_issue() -> None:
    entry = the(ISSUED)
    assert (entry.number, entry.verb, entry.line) == ("2023990703000117", Verb.ISSUED, 2)
    assert entry.data == {
        "effective_at": "2023-03-06",
        "scheme": "ccc",
        "basis": [{"standard": "GB 4706.32", "edition": "2012"}, {"standard": "强制性产品认证实施规则"}],
        "holder": {"name": "上海示范甲实业有限公司", "uscc": "91310115MAXX001114"},
        "manufacturer": {"name": "上海示范甲实业有限公司"},
        "factory": {"name": "上海示范甲制造有限公司"},
        "product": {
            "name": "房间空调器",
            "class": "0703",
            "items": [{"model": "KFR-35GW/A1", "gtin": "06909900123007"}],
        },
        "issued_on": "2023-03-06",
        "valid_from": "2023-03-06",
        "valid_until": "2028-03-05",
        "approver": "7901-0007",
    }
    assert entry.taken == {"effective_at": 1, "valid_from": 1}


ROWS: dict[Verb, tuple[dict[str, object], dict[str, Any]]] = {
    Verb.ISSUED: (dict(ISSUED), {}),
    Verb.RENEWED: (
        {
            "事件": "续证",
            "证书编号": "AB-1",
            "发证日期": "2026-01-05",
            "有效期至": "2031-01-04",
            "批准人编号": "7901-0007",
        },
        {"effective_at": "2026-01-05", "issued_on": "2026-01-05", "valid_until": "2031-01-04", "approver": "7901-0007"},
    ),
    Verb.SUSPENDED: (
        later(
            "暂停",
            原因代码="监督中发现不符合，可整改",
            认定日期="2026-09-12",
            暂停截止日期="20261214",
            备注="监督抽样不合格",
        ),
        {
            "effective_at": "2026-09-15",
            "determined_on": "2026-09-12",
            "reason": "S03",
            "until": "2026-12-14",
            "note": "监督抽样不合格",
        },
    ),
    Verb.RESUMED: (
        later("resumed", 验证日期="2026-09-14"),
        {"effective_at": "2026-09-15", "verified_on": "2026-09-14"},
    ),
    Verb.REVOKED: (later("撤销", 原因代码="r07"), {"effective_at": "2026-09-15", "reason": "R07"}),
    Verb.CANCELLED: (later("注销", 原因代码="持有人申请"), {"effective_at": "2026-09-15", "reason": "C04"}),
    Verb.SURVEILLANCE_PASSED: (later("监督通过"), {"effective_at": "2026-09-15"}),
    Verb.MARK_AUTHORIZED: (
        later(
            "标志授权",
            标志授权编号="SHB-M-2024-0031",
            标志="上品标志",
            标志系列="上海制造",
            规格型号="125g",
            商品条码="06909900127449",
            使用载体="产品、包装、网页",
            绿色属性="VOC=18 g/L；环境标志要求=符合",
        ),
        {
            "effective_at": "2026-09-15",
            "mark_no": "SHB-M-2024-0031",
            "mark": "shanghai-brand",
            "family": "上海制造",
            "products": [{"model": "125g", "gtin": "06909900127449"}],
            "media": ["product", "package", "web"],
            "attributes": [
                {"name": "VOC", "value": 18, "unit": "g/L"},
                {"name": "环境标志要求", "value": "符合"},
            ],
        },
    ),
}


@pytest.mark.parametrize("verb", Verb)
def test_every_event_has_its_row(verb: Verb) -> None:
    row, expected = ROWS[verb]
    entry = the(row)
    assert entry.verb is verb
    assert verb.type in EVENT_TYPES
    assert entry.data == (expected or entry.data), entry.faults
    assert entry.data is not None, entry.faults


@pytest.mark.parametrize("verb", Verb)
def test_every_required_column_is_missed(verb: Verb) -> None:
    row, _ = ROWS[verb]
    for title in row:
        column = next(c for c in COLUMNS if c.zh == title)
        if verb in column.required:
            assert (2, title, "missing") in codes(the(row | {title: " "})), title


# --- several models --------------------------------------------------------------------------------------------


def test_one_row_a_model_is_one_certificate() -> None:
    first = ISSUED | {"规格型号": "A1", "商品条码": "6909900123007"}
    second = {"证书编号": "２０２３９９０７０３０００１１７", "规格型号": "A2"}
    third = ISSUED | {"规格型号": "A3", "商品条码": None, "认证依据": "GB 4706.1-2005"}
    data = data_of(first, second, third)
    assert data["product"]["items"] == [{"model": "A1", "gtin": "06909900123007"}, {"model": "A2"}, {"model": "A3"}]
    assert [b["standard"] for b in data["basis"]] == ["GB 4706.32", "强制性产品认证实施规则", "GB 4706.1"]


@pytest.mark.parametrize("separator", ["、", ";", "；", ",", "，", "\n"])
def test_several_models_in_one_cell(separator: str) -> None:
    row = ISSUED | {"规格型号": f"A1{separator}A2", "商品条码": f"6909900123007{separator}6909900123014"}
    assert data_of(row)["product"]["items"] == [
        {"model": "A1", "gtin": "06909900123007"},
        {"model": "A2", "gtin": "06909900123014"},
    ]


def test_models_without_gtins_and_the_same_model_twice() -> None:
    data = data_of(ISSUED | {"规格型号": "A1、A2、A1", "商品条码": ""})
    assert data["product"]["items"] == [{"model": "A1"}, {"model": "A2"}]


def test_gtins_that_do_not_match_the_models_are_refused() -> None:
    assert codes(the(ISSUED | {"规格型号": "A1、A2"})) == [(2, "商品条码", "lists-differ")]
    assert (2, "商品条码", "lists-differ") in codes(the(ISSUED | {"规格型号": ""}))


def test_rows_of_one_certificate_must_agree() -> None:
    second = ISSUED | {"获证组织名称": "另一家公司", "发证日期": "2023-03-06"}
    assert codes(the(ISSUED, second)) == [(3, "获证组织名称", "rows-disagree")]


def test_other_certificates_and_other_events_are_apart() -> None:
    found = read(
        ISSUED,
        ISSUED | {"证书编号": "2023990703000118"},
        later("监督通过"),
        later("暂停"),
        later("暂停", 生效日期="2026-10-01"),
    )
    assert [entry.verb for entry in found] == [
        Verb.ISSUED,
        Verb.ISSUED,
        Verb.SURVEILLANCE_PASSED,
        Verb.SUSPENDED,
        Verb.SUSPENDED,
    ]


def test_rows_without_a_number_belong_to_nobody() -> None:
    found = read(ISSUED, ISSUED | {"证书编号": ""}, ISSUED | {"证书编号": ""})
    assert [codes(entry)[0] for entry in found[1:]] == [(3, "证书编号", "missing"), (4, "证书编号", "missing")]


# --- what is wrong ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "column", "code"),
    [
        ({"证书编号": 2023990703000117}, "证书编号", "digits-lost"),
        ({"证书编号": "无"}, "证书编号", "malformed-number"),
        ({"事件": "变更"}, "事件", "unknown-event"),
        ({"认证制度": "某制度"}, "认证制度", "unknown-scheme-name"),
        ({"统一社会信用代码": "91310115MAXX001115"}, "统一社会信用代码", "bad-credit-code"),
        ({"商品条码": "6909900123008"}, "商品条码", "bad-gtin"),
        ({"产品类别代码": 703}, "产品类别代码", "zero-lost"),
        ({"发证日期": "05/01/2026"}, "发证日期", "unclear-date"),
        ({"有效期至": "三年"}, "有效期至", "bad-date"),
        ({"批准人编号": "张三"}, "批准人编号", "bad-form"),
        ({"体系覆盖人数": "约80"}, "体系覆盖人数", "bad-count"),
        ({"年产量(千克)": "很多", "是否有机转换": "否"}, "年产量(千克)", "bad-measure"),
        ({"年产量(千克)": "30000"}, "是否有机转换", "needs-the-other"),
        ({"是否有机转换": "也许"}, "是否有机转换", "unknown-word"),
        ({"绿色属性": "VOC很低"}, "绿色属性", "bad-attribute"),
        ({"认证路径": "1"}, "绿色属性", "needs-the-other"),
        ({"产品名称": ""}, "产品名称", "needs-the-other"),
        ({"规格型号": "", "商品条码": ""}, "规格型号", "needs-the-other"),
        ({"生产者名称": "", "生产者地址": "示范路1号"}, "生产者名称", "needs-the-other"),
        ({"证书状态": "撤销"}, "证书状态", "status-not-imported"),
        ({"证书状态": "奇怪"}, "证书状态", "unknown-word"),
        ({"原因代码": "S03"}, "原因代码", "not-for-this-event"),
        ({"获证组织名称": "甲" * 201}, "获证组织名称", "bad-form"),
        ({"获证组织名称": "示\u200b范"}, "获证组织名称", "bad-form"),
        ({"发证日期": "2199-01-01", "有效期至": True}, "有效期至", "cell-error"),
        ({"行政区划代码": "31011"}, "行政区划代码", "bad-form"),
    ],
)
def test_a_wrong_cell_is_named(changed: dict[str, object], column: str, code: str) -> None:
    entry = the(ISSUED | changed)
    assert (2, column, code) in codes(entry)
    fault = next(fault for fault in entry.faults if fault.code == code)
    assert fault.zh
    assert fault.en
    assert fault.hint_zh
    assert fault.hint_en


@pytest.mark.parametrize(
    ("row", "column", "code"),
    [
        (later("暂停", 原因代码="R07", 暂停截止日期="2026-12-14"), "原因代码", "unknown-reason-word"),
        (later("注销", 原因代码="其他"), "原因代码", "unknown-reason-word"),
        (later("恢复", 验证日期="2026-09-14", 暂停截止日期="2026-12-14"), "暂停截止日期", "not-for-this-event"),
        (later("标志授权", 标志授权编号="M-1", 标志="某标志"), "标志", "unknown-mark-name"),
        (later("标志授权", 标志授权编号="M-1", 标志="organic", 使用载体="天空"), "使用载体", "unknown-word"),
    ],
)
def test_a_wrong_cell_of_a_later_event_is_named(row: dict[str, object], column: str, code: str) -> None:
    assert (2, column, code) in codes(the(row))


def test_all_that_is_wrong_is_told_at_once() -> None:
    found = codes(the(ISSUED | {"商品条码": "1", "发证日期": "x", "获证组织名称": ""}))
    assert {column for _, column, _ in found} == {"商品条码", "发证日期", "获证组织名称"}


def test_a_row_with_more_cells_than_headings_is_refused() -> None:
    layout = layout_of(["证书编号", "生效日期", "事件"], {})
    (entry,) = entries([Row(7, ["AB-1", "2026-01-05", "监督通过", "", "x"])], layout, {})
    assert codes(entry) == [(7, "", "cells-beyond")]


def test_a_suspension_of_some_models() -> None:
    row = later("暂停", 原因代码="S01", 暂停截止日期="2026-12-14", 部分型号="A1、A2")
    assert data_of(row)["items"] == [{"model": "A1"}, {"model": "A2"}]


def test_what_a_later_event_does_not_carry_is_counted_and_not_refused() -> None:
    entry = the(later("监督通过") | {name: ISSUED[name] for name in ("获证组织名称", "有效期至")})
    assert entry.data == {"effective_at": "2026-09-15"}
    assert entry.dropped == {"holder_name": 1, "valid_until": 1}


def test_an_export_whose_status_is_valid_or_past_its_end_is_issued() -> None:
    for word in ("有效", "过期", "active"):
        assert data_of(ISSUED | {"证书状态": word})["scheme"] == "ccc"


def test_one_value_for_the_whole_file() -> None:
    row = {name: cell for name, cell in ISSUED.items() if name not in ("认证制度", "批准人编号")}
    data = data_of(row, values={"scheme": "ccc", "approver": "7901-0009"})
    assert (data["scheme"], data["approver"]) == ("ccc", "7901-0009")
    assert data_of(ISSUED, values={"approver": "7901-0009"})["approver"] == "7901-0007"


def test_validity_without_an_end_is_written_out() -> None:
    assert "valid_until" not in data_of(ISSUED | {"有效期至": "长期"})


def test_organic_and_green_and_sites() -> None:
    row = ISSUED | {
        "是否有机转换": "否",
        "基地名称": "甲基地、乙基地",
        "基地面积(公顷)": "12.5、3",
        "年产量(千克)": "30000",
        "绿色属性": "甲醛释放量=0.03 mg/m³",
        "认证路径": "1",
        "场所": "上海市示范路1号，2号楼；上海市示范路9号",
        "体系覆盖人数": "86",
        "审核员注册号": "2024-N1QMS-0000123",
    }
    data = data_of(row)
    assert data["organic"] == {
        "conversion": False,
        "bases": [{"name": "甲基地", "area_ha": 12.5}, {"name": "乙基地", "area_ha": 3}],
        "output_kg": 30000,
    }
    assert data["green"] == {"attributes": [{"name": "甲醛释放量", "value": 0.03, "unit": "mg/m³"}], "route": 1}
    assert data["sites"] == [{"address": "上海市示范路1号，2号楼"}, {"address": "上海市示范路9号"}]
    assert data["headcount"] == 86


@pytest.mark.parametrize(
    ("verb", "pointer", "key"),
    [
        (Verb.ISSUED, "/data/valid_until", "valid_until"),
        (Verb.ISSUED, "/data/product/items/0/gtin", "gtins"),
        (Verb.ISSUED, "/data/product/items", "models"),
        (Verb.ISSUED, "/data/holder/uscc", "holder_uscc"),
        (Verb.ISSUED, "/data/green/attributes/0", "green_attributes"),
        (Verb.ISSUED, "/data/green/route", "route"),
        (Verb.ISSUED, "/subject", "certificate_no"),
        (Verb.MARK_AUTHORIZED, "/data/products/3/model", "models"),
        (Verb.MARK_AUTHORIZED, "/data/valid_until", "mark_until"),
        (Verb.SUSPENDED, "/data/until", "until"),
        (Verb.SUSPENDED, "/data/items/0/model", "parts"),
    ],
)
def test_a_pointer_leads_back_to_its_column(verb: Verb, pointer: str, key: str) -> None:
    assert column_at(verb, pointer) is BY_KEY[key]
    assert column_at(verb, "/data/nothing") is None
