"""The check of listings: the samples with their verdicts, each rule with its opposite, the table of standings."""

import re
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, cast

import pytest

from services.domain.body import BodyState
from services.domain.certificate import Certificate, Part, PartKind, Status, StatusInterval
from services.domain.consequence import Order, Reach
from services.domain.listing import (
    CANDIDATES,
    Confidence,
    Finding,
    Listing,
    Sighting,
    body_fault,
    check,
    number_in_address,
    unreadable,
)
from services.domain.listing_rules import CLAUSES, NOTES, RULES, clause_on
from services.domain.listing_standing import Verdict, standing_verdict
from services.domain.listing_words import are_alike, differ_in_one, names_model, pairs, series_stem
from services.domain.notice_states import RecallState
from services.domain.registered import registered
from services.domain.scheme import Scheme, SchemeRules
from services.domain.standing import Standing
from services.listings.shelf import Rulebook
from services.verify.wording import Code
from tests.listings import DAY, demonstration_shelf, samples, shelf
from tests.sealed_register import demonstration

SAMPLES = {sample.listing.row: sample for sample in samples()}
SHELF = demonstration_shelf()
GOOD, ORGANIC, SYSTEM, DECLARED = (SAMPLES[row].listing for row in ("M01", "M12", "M23", "M25"))
ORGANISATION = SAMPLES["M18"].listing


def found(listing: Listing, **fields: Any) -> Finding:
    return check(listing._replace(**fields), SHELF)


TOLD = """
M01  valid              high    -            编号、生产者、型号和状态与登记相符
M02  out_of_scope       high    L08          型号不在登记的型号中
M03  valid              high    L04          生产者不是登记的持证人、制造商或生产厂
M04  suspended          high    L05          采集当日证书暂停
M05  expired            high    L07          采集当日证书已过期
M06  expired            high    L07          采集当日证书已过期
M07  revoked            high    L06          采集当日证书已撤销
M08  cancelled          high    -            失效前已出厂，可以继续销售
M09  unknown_number     low     L03          登记册没有此编号；登记册并非完整，未登记不等于伪造
M10  malformed_number   high    L02          编号不是该制度的格式
M11  unknown_number     high    L01          目录内产品，未标示证书编号
M12  valid              high    -            编号、生产者、型号和状态与登记相符
M13  valid              high    L15          同一标志码在别处出现
M14  suspended          high    L05 L11 L13  采集当日证书暂停；标志授权当日无效；缺认证机构名称或有机码
M15  out_of_scope       high    L12          有机转换证书，页面称“有机”
M16  mark_not_authorized high    L05 L13      采集当日证书暂停；标志授权当日无效
M17  mark_not_authorized high    L07 L13      采集当日证书已过期；标志授权当日无效
M18  out_of_scope       high    L10          该证书不证明产品
M19  revoked            high    L06          采集当日证书已撤销
M20  valid              high    L16          未标示生产者
M21  out_of_scope       high    L08 L09      产品类别与证书不同；型号不在登记的型号中
M22  valid              high    L11          缺认证机构名称或有机码
M23  valid              high    L14          发证机构资质已被撤销或暂停，须核实
M24  unknown_number     medium  L17          宣传不经评价即可出证；未作认证宣称，且不属于目录内产品
M25  valid              medium  L18          自我声明，页面称第三方发证
M26  status_unknown     high    -            称编号见图，而图片缺失或未读出
M27  out_of_scope       high    L08          该型号在生产之后才列入证书
M28  suspended          high    L05          采集当日证书暂停
M29  valid              high    -            编号、生产者、型号和状态与登记相符
M30  unknown_number     high    -            未作认证宣称，且不属于目录内产品
"""
"""Of each sample, beside its verdict: code, confidence, rules, and what is said of it."""


def told() -> dict[str, tuple[str, str, str, str]]:
    lines = [re.split(r"  +", line) for line in re.sub(r" (high|medium|low) ", r"  \1  ", TOLD).strip().splitlines()]
    return {row: (code, confidence, rules, note) for row, code, confidence, rules, note in lines}


@pytest.mark.parametrize("row", SAMPLES)
def test_a_sample_gets_its_verdict(row: str) -> None:
    sample = SAMPLES[row]
    finding = check(sample.listing, SHELF)
    assert finding.row == row
    assert finding.verdict == sample.verdict, (sample.why, finding)
    assert not sample.rules or sample.rules & set(finding.rules), (sample.why, finding)
    said = (finding.code, finding.confidence, " ".join(finding.rules) or "-", finding.note["zh"])
    assert said == told()[row], sample.why
    assert (finding.seq is None) is (finding.registered is None)


def test_codes_are_those_of_the_closed_list() -> None:
    codes = {check(sample.listing, SHELF).code for sample in SAMPLES.values()}
    assert codes <= {code.value for code in Code}
    assert {"valid", "suspended", "unknown_number", "out_of_scope"} <= codes


def test_what_ended_before_shipment_is_told_of_what_may_be_sold_on() -> None:
    finding = check(SAMPLES["M08"].listing, SHELF)
    assert (finding.verdict, finding.captured["standing"]) == (Verdict.OK, "cancelled")
    assert finding.note["zh"] == "失效前已出厂，可以继续销售"


def test_made_before_cancellation_without_proof_of_shipment_is_for_review() -> None:
    finding = found(SAMPLES["M08"].listing, shipped_on=None)
    assert (finding.verdict, finding.rules) == (Verdict.REVIEW, ("L06",))


LAWFUL: dict[str, tuple[Listing, dict[str, Any]]] = {
    "number with spaces": (GOOD, {"certificate_no": "2023 9907 0300 0117"}),
    "number in full width": (GOOD, {"certificate_no": "２０２３９９０７０３０００１１７"}),
    "number with a label": (GOOD, {"certificate_no": "证书编号：2023990703000117"}),
    "number kept from a spreadsheet": (GOOD, {"certificate_no": '="2023990703000117"'}),
    "number with dashes": (GOOD, {"certificate_no": "2023-9907-0300-0117"}),
    "number and nothing behind the comma": (GOOD, {"certificate_no": "2023990703000117、"}),
    "number among words": (GOOD, {"certificate_no": "《3C证书》2023990703000117！"}),
    "number in the text before a standard": (
        GOOD,
        {"certificate_no": "", "text": "证书编号：2023990703000117 GB4706.32"},
    ),
    "number in the text on a line of its own": (
        GOOD,
        {"certificate_no": "", "text": "证书编号：2023990703000117\n2022990201000204"},
    ),
    "number in the text in groups": (GOOD, {"certificate_no": "", "text": "证书编号：2023 9907 0300 0117"}),
    "number in the text": (GOOD, {"certificate_no": "", "text": "本品3C证书编号：2023990703000117，放心购买"}),
    "two numbers, of which the second is its own": (GOOD, {"certificate_no": "2022990201000204、2023990703000117"}),
    "two numbers": (GOOD, {"certificate_no": "2023990703000117、2022990201000204"}),
    "model in full width": (GOOD, {"model": "ＫＦＲ－３５ＧＷ／Ａ１"}),
    "model in lower case": (GOOD, {"model": "kfr-35gw/a1"}),
    "model with a label": (GOOD, {"model": "型号:KFR-35GW/A1"}),
    "model with a colour": (GOOD, {"model": "KFR-35GW/A1（白色）"}),
    "model in a longer text": (GOOD, {"model": "示范甲 KFR-35GW/A1 大1.5匹"}),
    "model of the title alone": (GOOD, {"model": ""}),
    "maker with brackets": (GOOD, {"maker": "上海示范甲实业有限责任公司", "maker_uscc": ""}),
    "maker by credit code": (GOOD, {"maker": "示范甲", "maker_uscc": "91310115maxx001114"}),
    "factory": (GOOD, {"maker": "上海示范甲制造有限公司", "maker_uscc": ""}),
    "dealer": (GOOD, {"seller": "别家商贸有限公司", "seller_uscc": "91310115MAXX09001E"}),
    "no columns for a maker": (GOOD, {"maker": None, "maker_uscc": None, "maker_address": None}),
    "a warning of fraud": (GOOD, {"title": "", "text": "谨防当天出证"}),
    "a warning behind it": (GOOD, {"text": "当天出证都是骗人的"}),
    "found by maker and model": (GOOD, {"certificate_no": "", "text": "正品"}),
    "a firm's system beside the product": (GOOD, {"text": "产品由通过ISO9001认证的企业生产"}),
    "organic code in the text": (ORGANIC, {"mark_code": "", "text": "有机码：790326983690060267"}),
    "a declaration called so": (DECLARED, {"text": "已作CCC自我声明"}),
    "organisation's claim beside goods": (ORGANISATION, {"text": "本产品通过ISO9001认证的企业生产"}),
    "a warning of an organisation's claim": (ORGANISATION, {"text": "谨防“本产品已通过ISO9001认证”"}),
    "organisation's claim": (ORGANISATION, {"text": "本公司通过ISO9001质量管理体系认证"}),
    "conversion called conversion": (SAMPLES["M15"].listing, {"title": "示范癸 有机转换大米", "text": "有机转换产品"}),
    "conversion not spoken of": (SAMPLES["M15"].listing, {"title": "示范癸大米", "text": ""}),
    "a product that is not stated": (ORGANIC, {"product": "见包装"}),
    "another product, of the class": (GOOD, {"product": "核桃仁", "product_class": ""}),
    "a class that is not stated": (GOOD, {"product_class": "无"}),
    "its body by name": (GOOD, {"body_claimed": "示范强制性产品认证中心"}),
    "its body by number": (GOOD, {"body_claimed": "cnca-r-2019-7901"}),
    "its body's name shortened": (GOOD, {"body_claimed": "强制性产品认证中心"}),
    "shipped before the end, made nobody says when": (SAMPLES["M08"].listing, {"made_on": None}),
}


@pytest.mark.parametrize("name", LAWFUL)
def test_ugly_but_lawful(name: str) -> None:
    listing, fields = LAWFUL[name]
    finding = found(listing, **fields)
    assert finding.verdict is Verdict.OK, finding
    assert (NOTES["found_by_maker"]["zh"] in finding.note["zh"]) is (name == "found by maker and model"), finding


UNLAWFUL: dict[str, tuple[Listing, dict[str, Any], str]] = {
    "no number": (GOOD, {"certificate_no": "", "model": "XX-1", "title": "空调"}, "L01"),
    "a licence for a certificate": (
        GOOD,
        {"certificate_no": "XK06-015-00123", "model": "XX-1", "title": "空调"},
        "L01",
    ),
    "a digit too many": (GOOD, {"certificate_no": "20239907030001170"}, "L02"),
    "not a number": (GOOD, {"certificate_no": "国家3C"}, "L02"),
    "unknown": (GOOD, {"certificate_no": "2023990703000118"}, "L03"),
    "unknown in the text": (GOOD, {"certificate_no": "", "model": "X1", "text": "证书编号2023990703000118"}, "L03"),
    "look-alike address": (GOOD, {"texts": ("https://verify.certrnark.example/c/2023990703000117",)}, "L03"),
    "another's number": (
        GOOD,
        {"maker": "上海示范乙实业有限公司", "maker_uscc": "", "seller": "别家", "seller_uscc": ""},
        "L04",
    ),
    "another's number and brand": (
        GOOD,
        {"maker": None, "maker_uscc": None, "brand": "别家", "seller": "别家商贸有限公司", "seller_uscc": ""},
        "L04",
    ),
    "another model": (GOOD, {"model": "KFR-35GW/A12"}, "L08"),
    "a longer model": (GOOD, {"model": "KFR-35GW"}, "L08"),
    "another class": (GOOD, {"product_class": "0701"}, "L09"),
    "a system for a product": (SYSTEM, {"product_class": "0703"}, "L10"),
    "a system as the product's": (SYSTEM, {"text": "本产品已通过ISO9001认证"}, "L10"),
    "a product of a system": (SYSTEM, {"text": "ISO9001认证产品"}, "L10"),
    "goods of a class by a system, of nobody": (
        SYSTEM,
        {"product_class": "０７０３", "maker": "", "maker_uscc": "", "maker_address": ""},
        "L16",
    ),
    "conversion in English": (SAMPLES["M15"].listing, {"title": "Organic rice", "text": ""}, "L12"),
    "made before the certificate": (GOOD, {"made_on": date(2020, 1, 1)}, "L07"),
    "organic without body": (ORGANIC, {"body_claimed": "见包装"}, "L11"),
    "organic without anything": (ORGANIC, {"certificate_no": "", "maker": "无名公司", "maker_uscc": ""}, "L11"),
    "conversion with the mark": (SAMPLES["M15"].listing, {"mark": "有机产品标志", "title": "大米", "text": ""}, "L12"),
    "another scheme's mark": (GOOD, {"mark": "green-product"}, "L13"),
    "a regional mark by its scheme's name": (GOOD, {"mark": "蒙字标"}, "L13"),
    "a mark's name without its last word": (GOOD, {"mark": "深圳标准"}, "L13"),
    "a family of the city's mark": (GOOD, {"mark": "上海制造"}, "L13"),
    "no maker": (GOOD, {"maker": "", "maker_uscc": "", "maker_address": ""}, "L16"),
    "an address that is none": (GOOD, {"maker_address": "见包装"}, "L16"),
    "certificates for sale": (GOOD, {"text": "3C证书当天出证"}, "L17"),
    "no tests needed": (GOOD, {"text": "免检测 直接拿证 认证"}, "L17"),
    "a declaration as a certificate": (DECLARED, {"text": "国家认证机构颁发"}, "L18"),
}


@pytest.mark.parametrize("name", UNLAWFUL)
def test_unlawful(name: str) -> None:
    listing, fields, rule = UNLAWFUL[name]
    finding = found(listing, **fields)
    assert finding.verdict is Verdict.LEAD, finding
    assert rule in finding.rules, finding


REVIEW: dict[str, tuple[Listing, dict[str, Any], str]] = {
    "a shortened name": (GOOD, {"maker": "上海示范甲实业", "maker_uscc": ""}, "L04"),
    "its own name, mistyped": (GOOD, {"maker": "上海示范钾实业有限公司", "maker_uscc": ""}, "L04"),
    "a letter for a digit": (GOOD, {"model": "KFR-35GW/AI"}, "L08"),
    "the same name, another code": (GOOD, {"maker_uscc": "91310115MAXX09001E"}, "L04"),
    "another brand": (GOOD, {"brand": "别家"}, "L04"),
    "another body named": (GOOD, {"body_claimed": "别家认证有限公司"}, "L14"),
    "another product": (ORGANIC, {"product": "核桃仁"}, "L09"),
    "pictures that nobody read": (
        GOOD,
        {"certificate_no": "", "model": "X1", "title": "空调", "image": "a.jpg"},
        "L01",
    ),
    "by its name in the catalogue": (
        GOOD,
        {"certificate_no": "", "model": "X1", "title": "新款", "product_class": "", "mark": ""},
        "L01",
    ),
    "no address": (GOOD, {"maker_address": ""}, "L16"),
}


@pytest.mark.parametrize("name", REVIEW)
def test_for_review(name: str) -> None:
    listing, fields, rule = REVIEW[name]
    finding = found(listing, **fields)
    assert (finding.verdict, finding.rules) == (Verdict.REVIEW, (rule,)), finding


def test_of_several_grave_things_the_surest_tells_the_confidence_and_the_certificate_the_code() -> None:
    wrong = found(GOOD, certificate_no="2023990703000118", text="3C证书当天出证")
    assert (wrong.rules, wrong.confidence, wrong.code) == (("L03", "L17"), Confidence.MEDIUM, "unknown_number")
    imitated = found(GOOD, texts=("https://verify.certrnark.example/c/2023990703000117",) * 2, text="3C证书当天出证")
    assert (imitated.rules, imitated.confidence) == (("L03", "L17"), Confidence.HIGH)
    assert imitated.note["zh"].count("；") == 1, "each thing is told once, and lesser ones are not"


def test_lesser_things_are_not_told_and_a_code_is_not_lost() -> None:
    both = found(GOOD, brand="别家", text="3C证书当天出证")
    assert (both.rules, both.note["zh"]) == (("L04", "L17"), NOTES["no_assessment"]["zh"])
    url = "https://verify.certrnark.example/c/2023990703000117"
    imitated = found(GOOD, brand="别家", texts=(url,), maker_address="见包装")
    assert (imitated.rules, imitated.code) == (("L03", "L04", "L16"), "impostor_host")
    assert found(GOOD, mark="有机").rules == ("L13",)
    assert found(GOOD, made_on=date(2020, 1, 1)).code == "out_of_scope"


def test_a_row_that_could_not_be_read_is_judged_by_nobody() -> None:
    finding = unreadable("7", SHELF)
    assert (finding.row, finding.verdict, finding.code, finding.rules) == ("7", Verdict.UNJUDGED, "unreadable", ())


def test_a_certificate_of_nobodys_goods_asks_for_no_maker() -> None:
    assert "L16" not in found(ORGANISATION, maker="", maker_uscc="", maker_address="").rules


def test_the_capture_is_judged_by_its_own_day() -> None:
    """Captured before the suspension: lawful then, suspended now."""
    finding = found(SAMPLES["M04"].listing, captured_on=date(2026, 9, 14), made_on=date(2026, 8, 1))
    assert finding.verdict is Verdict.OK
    assert (finding.captured["standing"], finding.now["standing"]) == ("valid", "suspended")


def test_a_capture_to_come_is_judged_as_of_the_register() -> None:
    assert found(GOOD, captured_on=date(2027, 1, 1)).captured["day"] == DAY.isoformat()


@pytest.mark.parametrize(
    ("maker", "uscc", "address", "verdict"),
    [
        (None, None, None, None),
        (None, None, "", None),  # a source without a column for the maker
        (None, None, "见包装", Verdict.LEAD),
        ("", "", None, Verdict.LEAD),
        ("", "91310115MAXX001114", "上海市", None),
        ("上海示范甲实业有限公司", "", "上海市", None),
        ("上海示范甲实业有限公司", "", None, None),
        ("上海示范甲实业有限公司", "", "", Verdict.REVIEW),
    ],
)
def test_whether_the_maker_is_named(
    maker: str | None, uscc: str | None, address: str | None, verdict: Verdict | None
) -> None:
    finding = found(GOOD, maker=maker, maker_uscc=uscc, maker_address=address)
    assert (finding.verdict if "L16" in finding.rules else None) is verdict


OURS, OTHERS, NONE = "91310115MAXX001114", "91310115MAXX09001E", "无"


@pytest.mark.parametrize(
    ("maker", "uscc", "brand", "seller", "note"),
    [
        ("", OTHERS, None, None, "other_maker"),
        (NONE, OTHERS, None, None, "other_maker"),
        ("", NONE, None, None, None),
        ("", OURS, "别家", None, "other_brand"),
        ("", OURS, "示范", None, None),  # a part of the trademark, or more than it
        ("", OURS, "示范甲空调", None, None),
        ("上海示范甲实业有限公司", NONE, None, None, None),
        ("上海示范甲实业有限公司", OTHERS, None, None, "other_uscc"),
        ("上海示范甲实业", "", None, None, "like_maker"),
        ("上海示范甲实业", OTHERS, None, None, "other_maker"),
        ("上海示范钾实业有限公司", "", "示范甲", "别家商贸有限公司", "other_maker"),
        (None, None, "别家", "上海示范甲实业有限公司", "other_brand"),
        (None, None, "别家", None, "other_brand"),
        (None, None, "别家", "别家商贸有限公司", "other_seller"),
        (None, None, NONE, "别家商贸有限公司", None),
        ("上海示范钾实业有限公司", "", "别家", "上海示范甲实业有限公司", "other_maker"),
    ],
)
def test_whose_certificate_it_is(
    maker: str | None, uscc: str | None, brand: str | None, seller: str | None, note: str | None
) -> None:
    named = {"maker": maker, "maker_uscc": uscc, "maker_address": None, "brand": brand}
    finding = found(GOOD, **named, seller=seller, seller_uscc="")
    assert ("L04" in finding.rules) is (note is not None)
    assert note is None or NOTES[note]["zh"] in finding.note["zh"]


def test_what_a_certificate_does_not_say_contradicts_nothing() -> None:
    certificate = demonstration(str(GOOD.certificate_no))
    product = certificate.product
    assert product is not None
    parties = {"holder": replace(certificate.holder, uscc=None), "manufacturer": None, "factory": None}
    silent = shelf([replace(certificate, product=replace(product, trademark=None), **cast(Any, parties))])
    named = GOOD._replace(brand="别家", maker_uscc=OTHERS, seller=None, seller_uscc=None)
    for maker in ("上海示范甲实业有限公司", ""):
        assert "L04" not in check(named._replace(maker=maker), silent).rules
    of_no_model = shelf([replace(certificate, product=replace(product, items=()))])
    assert check(GOOD._replace(model="X1", title="空调"), of_no_model).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("上海示范甲实业集团", "上海示范甲实业有限公司", True),
        ("示范(上海)电器", "示范上海电器有限公司", True),
        ("示范电器", "上海示范电器有限公司", True),
        ("示范电", "上海示范电器有限公司", False),
        ("上海示范电器厂", "示范电器", True),
        ("上海示范甲电器", "上海示范乙电器", False),
    ],
)
def test_a_shortened_name_is_alike(one: str, other: str, *, alike: bool) -> None:
    assert are_alike(one, other) is alike


@pytest.mark.parametrize(
    ("one", "other", "close"),
    [
        ("上海示范甲电器厂", "上海示范钾电器厂", True),
        ("海示范甲电器厂", "海示范钾电器厂", False),  # seven characters
        ("上海示范甲电器厂", "上海示范甲电器厂", False),
        ("上海示范甲电器厂", "上海示范钾电气厂", False),
        ("上海示范甲电器厂", "上海示范甲电器厂家", False),
        ("上海示", "上海示范钾电器厂", False),
    ],
)
def test_a_long_name_may_be_mistyped_in_one_character(one: str, other: str, *, close: bool) -> None:
    assert differ_in_one(one, other) is close


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("A1", True),
        ("型号A1,白色", True),
        ("XA1", False),
        ("A12", False),
        ("A1/2", False),
        ("XA1,A1", True),
        ("A1B,XA1", False),
        ("A2", False),
    ],
)
def test_a_model_is_a_word_of_its_own(text: str, *, named: bool) -> None:
    assert names_model(text, "A1") is named


def test_what_is_shorter_than_a_pair_is_compared_as_it_is() -> None:
    assert [sorted(pairs(name)) for name in ("茶", "核桃仁")] == [["茶"], ["核桃", "桃仁"]]
    assert [series_stem(model) for model in ("KF系列", "K系列", "KF*", "KF")] == ["KF", None, "KF", None]


@pytest.mark.parametrize(
    ("number", "product_class", "rule"),
    [
        ("2023990703000118", "0703", "L03"),
        ("20239907030", "", "L03"),
        ("202399070300", "", "L02"),  # of twelve to twenty digits only sixteen are a number of the scheme
        ("20239907030001171234", "", "L02"),
        ("202399070300011712345", "", "L03"),
        ("ABC-2024-0001", "", "L03"),
        ("ABC-2024-0001", "0703", "L02"),  # where the scheme is known, its form is
    ],
)
def test_a_number_that_nobody_has_is_malformed_or_unknown(number: str, product_class: str, rule: str) -> None:
    assert found(GOOD, certificate_no=number, product_class=product_class, mark="").rules == (rule,)


def test_the_mark_that_is_shown_says_what_form_a_number_has() -> None:
    """A declaration, which the mark 3C may stand for as well, has a number of any form."""
    for mark, rule in (("有机", "L02"), ("3C", "L03")):
        assert found(GOOD, certificate_no="ABC-2024-0001", product_class="", mark=mark).rules == (rule,)


@pytest.mark.parametrize(
    ("fields", "note"),
    [
        ({"mark_code": "12345678901234567"}, None),
        ({"mark_code": "123456789012345678"}, None),
        ({"mark_code": "ABCD-EFGH-IJKL-MN1"}, "organic_code"),
        ({"mark_code": "1234567890123456"}, "organic_code"),
        ({"mark_code": None, "text": None}, None),  # a source that has neither column
        ({"mark_code": "", "text": None}, "organic_form"),
        ({"mark_code": None, "text": ""}, "organic_form"),
        ({"mark_code": " ", "text": ""}, "organic_form"),
        ({"mark_code": "", "text": "有机码见包装"}, "organic_form"),
        ({"body_claimed": None}, None),
        ({"body_claimed": ""}, "organic_form"),
        ({"mark": "", "mark_code": "", "text": "", "body_claimed": ""}, None),
    ],
)
def test_what_stands_beside_the_organic_mark(fields: dict[str, Any], note: str | None) -> None:
    finding = found(ORGANIC, **fields)
    assert ("L11" in finding.rules) is (note is not None)
    assert note is None or NOTES[note]["zh"] in finding.note["zh"]


@pytest.mark.parametrize(
    ("row", "allowed", "verdict"),
    [
        ("M28", "yes", Verdict.OK),
        ("M28", "no", Verdict.LEAD),
        ("M28", "review", Verdict.REVIEW),
        ("M04", "yes", Verdict.LEAD),
    ],
)
def test_a_scheme_may_say_otherwise_of_goods_that_left_certified(row: str, allowed: str, verdict: Verdict) -> None:
    book, listing = SHELF.rulebook, SAMPLES[row].listing
    certificate = SHELF.certificate(str(listing.certificate_no))
    assert certificate is not None
    scheme = certificate.certificate.scheme
    rules = book.schemes[scheme].on(DAY)
    assert rules is not None
    said = {"sell": {"suspended": {"rule": "X1", "allowed": allowed}}}
    schemes = {**book.schemes, scheme: Scheme(scheme, (cast(SchemeRules, {**rules, "consequence": said}),))}
    held = replace(SHELF, rulebook=Rulebook(schemes, book.catalogues, book.bodies))
    assert check(listing, held).verdict is verdict


def test_where_the_register_is_complete_an_unknown_number_is_a_sure_lead() -> None:
    book = SHELF.rulebook
    rules = book.schemes["ccc"].on(DAY)
    assert rules is not None
    complete = cast(SchemeRules, {**rules, "coverage": {**rules["coverage"], "complete": True}})
    held = replace(
        SHELF, rulebook=Rulebook({**book.schemes, "ccc": Scheme("ccc", (complete,))}, book.catalogues, book.bodies)
    )
    finding = check(GOOD._replace(certificate_no="2023990703000118"), held)
    assert (finding.rules, finding.confidence) == (("L03",), Confidence.HIGH)
    assert finding.note["zh"] == NOTES["unknown_complete"]["zh"]
    of_no_scheme = check(GOOD._replace(certificate_no="2023990703000118", mark="", product_class=""), held)
    assert (of_no_scheme.rules, of_no_scheme.confidence) == (("L03",), Confidence.LOW)


def test_only_a_declaration_is_called_a_certificate_in_vain() -> None:
    assert found(GOOD, text="国家认证机构颁发").rules == ()


def test_a_marks_number_leads_to_its_certificate_and_is_shown_as_it_was_claimed() -> None:
    soap = SHELF.certificate("SHB-P-2024-0031")
    assert soap is not None
    mark_no = soap.certificate.marks[0].mark_no
    finding = found(Listing("1"), certificate_no=mark_no)
    assert (finding.registered, finding.claimed["certificate_no"]) == (soap.shown, mark_no)


@pytest.mark.parametrize(("mark", "rules"), [("上海品质", ("L13",)), ("", ()), ("绿色食品", ())])
def test_a_mark_that_nobody_can_follow_is_for_review(mark: str, rules: tuple[str, ...]) -> None:
    finding = found(Listing("1"), title="香皂", mark=mark)
    assert (finding.rules, finding.verdict) == (rules, Verdict.REVIEW if rules else Verdict.OK)


def test_a_mark_that_is_shown_is_authorized_and_stands() -> None:
    soap = demonstration("SHB-P-2024-0031")
    ended = StatusInterval(Status.WITHDRAWN, DAY, None, None, None, "e" * 64)
    withdrawn = replace(soap.marks[0], statuses=(*soap.marks[0].statuses, ended))
    for marks, note in ((soap.marks, None), ((), "no_authorization"), ((withdrawn,), "mark_ended")):
        listing = Listing("1", certificate_no=soap.certificate_no, mark="shanghai-brand", captured_on=DAY)
        finding = check(listing, shelf([replace(soap, marks=marks)]))
        assert (finding.verdict, finding.rules) == ((Verdict.LEAD, ("L13",)) if note else (Verdict.OK, ()))
        assert note is None or NOTES[note]["zh"] in finding.note["zh"]


@pytest.mark.parametrize(
    ("fields", "found_one"),
    [
        ({}, True),
        ({"model": ""}, True),  # the title names it
        ({"model": "", "title": "空调"}, False),
        ({"maker": NONE}, True),  # its code is stated
        ({"maker_uscc": NONE}, True),
        ({"maker": NONE, "maker_uscc": NONE}, True),  # the seller is the holder
        ({"maker": NONE, "maker_uscc": NONE, "seller": "别家", "seller_uscc": NONE}, False),
        ({"maker": NONE, "maker_uscc": NONE, "seller": NONE, "seller_uscc": NONE}, False),
        ({"maker": "别家", "maker_uscc": ""}, False),
        ({"product_class": "0701"}, False),
        ({"product_class": ""}, True),
        ({"title": ""}, True),
        ({"title": "", "model": "", "text": "空调 KFR-35GW/A1"}, True),
        ({"model": "XX-1"}, False),  # whatever the title names
        ({"maker": NONE, "seller": "别家", "seller_uscc": NONE}, True),
    ],
)
def test_without_a_number_the_maker_and_the_model_lead_to_it(fields: dict[str, Any], *, found_one: bool) -> None:
    finding = found(GOOD, **({"certificate_no": ""} | fields))
    assert ((finding.registered or {}).get("certificate_no") == GOOD.certificate_no) is found_one


def test_of_numbers_in_a_text_a_known_one_is_taken_and_else_the_first_that_is_called_one() -> None:
    unknown, other = "2023990703000118", "2023990703000119"
    text = f"证书编号{unknown}，证书编号{other}"
    finding = found(GOOD, certificate_no="", model="X1", text=text)
    assert (finding.rules, finding.claimed["certificate_no"]) == (("L03",), unknown)
    known = found(GOOD, certificate_no="", model="X1", text=f"{text}，证书编号2023990703000117")
    assert known.claimed["certificate_no"] == "2023990703000117"
    soap = SHELF.certificate("SHB-P-2024-0031")
    assert soap is not None
    by_mark = found(Listing("1"), title="香皂", text=f"标志编号{soap.certificate.marks[0].mark_no}")
    assert by_mark.registered == soap.shown
    assert found(GOOD, certificate_no="", model="X1", text=f"订单{unknown}").rules == ("L01",), "a number of any kind"
    for text, number in (
        ("证书编号", "ABCDEF1234"),
        ("声明编号", "ABCDEF1234"),
        ("认证编号", "ABCDEF1234"),
        ("认证编号", "ABCDEFG123"),  # three digits are no number
        ("证书编号", "XK06-015-00123"),  # a licence
        ("编号", "ABCDEF1234"),
    ):
        claimed = found(GOOD, certificate_no="", model="X1", text=f"{text}{number}").claimed.get("certificate_no")
        assert claimed == (number if text != "编号" and number == "ABCDEF1234" else None), (text, number)


@pytest.mark.parametrize(
    ("fields", "verdict", "note"),
    [
        ({"model": "KFR-35GW/A1", "text": "正品"}, Verdict.OK, "found_by_maker"),
        ({"certificate_no": "XK06-015-00123"}, Verdict.LEAD, "licence"),
        ({"text": "证书编号见图"}, Verdict.UNJUDGED, "number_in_picture"),
        ({"certificate_no": "见图片"}, Verdict.UNJUDGED, "number_in_picture"),
        ({"text": "证书编号见图", "image": "a.jpg", "pictures_read": True}, Verdict.LEAD, "no_number"),
        ({"text": "证书编号见图", "product_class": "", "mark": ""}, Verdict.OK, "no_claim"),
        ({"text": "证书编号见图", "product_class": "", "mark": "3C"}, Verdict.UNJUDGED, "number_in_picture"),
        ({"text": "证书编号见图", "mark": ""}, Verdict.UNJUDGED, "number_in_picture"),
        (
            {"text": "证书编号见图", "product_class": "", "mark": "", "image": "a.jpg"},
            Verdict.UNJUDGED,
            "number_in_picture",
        ),
        ({"text": "证书编号见图", "pictures_read": True}, Verdict.UNJUDGED, "number_in_picture"),
        ({"text": "见照片"}, Verdict.UNJUDGED, "number_in_picture"),
        ({"text": "图文并茂"}, Verdict.LEAD, "no_number"),
        ({"product_class": "9999", "mark": "", "product": "空调器"}, Verdict.OK, "no_claim"),
        ({"image": "a.jpg"}, Verdict.REVIEW, "unread_picture"),
        ({"image": "a.jpg", "pictures_read": True}, Verdict.LEAD, "no_number"),
        ({"product_class": "", "mark": "", "product": "空调器"}, Verdict.REVIEW, "maybe_catalogue"),
    ],
)
def test_what_shows_no_number(fields: dict[str, Any], verdict: Verdict, note: str) -> None:
    bare = {"certificate_no": "", "model": "X1", "title": "新款", "product": "", "text": "", "image": None}
    finding = found(GOOD, **(bare | fields))
    assert (finding.verdict, NOTES[note]["zh"] in finding.note["zh"]) == (verdict, True), finding


@pytest.mark.parametrize(
    ("made", "shipped", "fits"),
    [
        (0, 0, True),
        (-1, -1, True),
        (-2, -1, True),
        (-1, -2, False),
        (1, None, False),
        (None, 1, False),
        (0, None, True),
        (None, 0, True),
    ],
)
def test_dates_fit_to_the_day(made: int | None, shipped: int | None, *, fits: bool) -> None:
    """In days from the capture."""
    days = [DAY + timedelta(days=n) if n is not None else None for n in (made, shipped)]
    finding = found(GOOD, captured_on=DAY, made_on=days[0], shipped_on=days[1])
    assert ("日期相互矛盾" in finding.note["zh"]) is not fits


def test_a_date_that_nobody_could_read_is_told_and_a_number_is_not_called_a_date() -> None:
    for unread, dates in ((("made_on",), True), (("certificate_no",), False)):
        assert ("日期相互矛盾" in found(GOOD, unread=unread).note["zh"]) is dates


def test_a_number_that_lost_its_digits_is_not_judged_but_by_its_words() -> None:
    lost: dict[str, Any] = {"certificate_no": "", "unread": ("certificate_no",), "model": "X1", "title": "空调"}
    finding = found(GOOD, **lost)
    assert (finding.verdict, finding.code, finding.rules) == (Verdict.UNJUDGED, "status_unknown", ())
    assert found(GOOD, **lost, text="3C证书当天出证").rules == ("L17",)


def test_what_the_page_claims_is_kept_and_cut() -> None:
    long = "甲" * 200
    claimed = found(GOOD, brand=long, model=f"{long}乙", body_claimed=None, mark="").claimed
    assert claimed["certificate_no"] == GOOD.certificate_no
    assert (claimed["brand"], claimed["model"]) == (long, f"{long}…")
    assert not claimed.keys() & {"body_claimed", "mark"}


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("/c/2023990703000117?m=123", "2023990703000117"),
        ("/m/M-SHB-P-2024-0031", "M-SHB-P-2024-0031"),
        ("/c/A%2FB%2f2024", "A/B/2024"),
        ("/01/06909900123007", None),
        ("/c/?", None),
    ],
)
def test_the_number_in_an_address_of_ours(path: str, number: str | None) -> None:
    assert number_in_address(f"https://verify.certmark.example{path}", SHELF.hosts) == number
    assert number_in_address(f"https://shop.example{path}", SHELF.hosts) is None


def test_dates_that_contradict_each_other_are_not_used() -> None:
    finding = found(SAMPLES["M05"].listing, made_on=date(2026, 8, 10), shipped_on=date(2026, 8, 9))
    assert (finding.verdict, finding.rules) == (Verdict.REVIEW, ("L07",))
    assert "日期相互矛盾" in finding.note["zh"]


def test_a_code_in_another_shop_is_a_copy() -> None:
    code = "790326983690060267"
    for sighting, verdict in ((Sighting(other_shops=1), Verdict.LEAD), (Sighting(look_ups=3), Verdict.OK)):
        held = shelf([demonstration("7903OP2600128")], {code: sighting})
        assert check(ORGANIC, held).verdict is verdict


def test_a_number_by_a_qr_of_ours() -> None:
    text = "https://verify.certmark.example/c/2023990703000117?m=123"
    other = "https://shop.example/1"
    finding = found(GOOD, certificate_no="", texts=(other, text), image="a.jpg", pictures_read=True, model="XX-1")
    assert finding.rules == ("L08",)


@pytest.mark.parametrize(
    ("printed", "known", "rules"),
    [
        ("中国国家强制性产品认证\n证书编号：2023990703000117", "2023990703000117", ()),
        ("证书编号：2024990703009998", None, ("L03",)),
        ("证书编号：2024990703009998\n2023990703000117", "2023990703000117", ()),
        ("标志 M-SHB-P-2024-0031", "SHB-P-2024-0031", ()),
        ("2024990703009998", None, ("L01",)),
        ("KFR-35GW/A1 房间空调器", None, ("L01",)),
    ],
)
def test_a_number_read_in_print_is_for_review_whatever_it_leads_to(
    printed: str, known: str | None, rules: tuple[str, ...]
) -> None:
    shown = {"title": "空调", "product_class": "0703", "maker": "某厂", "image": "a.jpg", "pictures_read": True}
    told = found(Listing("1"), **shown, printed=printed)
    if rules == ("L01",):
        assert (told.verdict, told.rules) == (Verdict.LEAD, ("L01",)), "no number was read: as without the print"
        return
    assert (told.verdict, told.confidence) == (Verdict.REVIEW, "low")
    assert "识别读出" in told.note["zh"]
    assert (told.registered or {}).get("certificate_no") == known
    assert set(rules) <= set(told.rules)


def test_a_series_covers_its_models() -> None:
    certificate = demonstration("2023990703000117")
    product = certificate.product
    assert product is not None
    series = replace(product, items=(replace(product.items[0], model="KFR-35GW系列"),))
    held = shelf([replace(certificate, product=series)])
    assert check(GOOD._replace(model="KFR-35GW/A9"), held).verdict is Verdict.OK
    assert check(GOOD._replace(model="KFR-50GW/A9"), held).rules == ("L08",)
    both = replace(product, items=(*series.items, product.items[0]))
    item = registered(replace(certificate, product=both), 1).item(f"{product.items[0].model}（白色）")
    assert item == product.items[0], "the model itself before the series"


@pytest.mark.parametrize(
    ("made", "shipped", "rules"),
    [
        (date(2026, 5, 1), None, ("L06",)),
        (date(2026, 5, 31), None, ("L06",)),
        (date(2026, 6, 1), None, ("L08",)),  # the day on which it was taken out
        (None, date(2026, 5, 1), ()),
        (date(2026, 5, 1), date(2026, 6, 2), ("L06",)),
        (None, None, ("L08",)),
        (DAY + timedelta(days=1), None, ("L08",)),
    ],
)
def test_a_model_that_was_taken_out_is_judged_as_of_a_cancelled_certificate(
    made: date | None, shipped: date | None, rules: tuple[str, ...]
) -> None:
    certificate = demonstration(str(GOOD.certificate_no))
    row = (
        StatusInterval(Status.ACTIVE, certificate.valid_from, None, None, None, "a" * 64),
        StatusInterval(Status.CANCELLED, date(2026, 6, 1), None, None, None, "b" * 64),
    )
    held = shelf([replace(certificate, parts=(Part(PartKind.ITEM, "KFR-72GW/B2", None, row),))])
    finding = check(GOOD._replace(model="kfr-72gw/b2", title="空调", made_on=made, shipped_on=shipped), held)
    assert finding.rules == rules, finding


def test_what_is_not_said_of_the_model_is_told() -> None:
    assert found(GOOD, model="", title="空调").note["zh"] == NOTES["no_model"]["zh"]


def test_a_scheme_that_nobody_published_is_judged_as_a_voluntary_one() -> None:
    product = replace(demonstration("2022990201000204"), scheme="unheard-of")
    listing = SAMPLES["M04"].listing._replace(made_on=None, shipped_on=None, mark="")
    assert check(listing, SHELF).verdict is Verdict.REVIEW
    assert check(listing, shelf([product])).verdict is Verdict.LEAD
    organisation = replace(demonstration("790826Q00031R0S"), scheme="unheard-of")
    early = SYSTEM._replace(made_on=date(2000, 1, 1))
    assert "L07" not in check(early, shelf([organisation])).rules, "it attests no goods, so no dates of goods"


def test_a_part_falls_with_its_parent_certificate() -> None:
    suspended = StatusInterval(Status.SUSPENDED, date(2026, 10, 1), None, "S01", None, "f" * 64)
    whole = replace(demonstration("2022990201000204"), certificate_no="2022990201000205")
    parent = replace(whole, statuses=(*whole.statuses[:1], suspended))
    child: Certificate = replace(demonstration("2023990703000117"), parent_no=parent.certificate_no)
    held = shelf([child])
    held.certificates = {child.certificate_no: registered(child, 1, parent)}
    finding = check(GOOD, held)
    assert (finding.verdict, finding.rules, finding.code) == (Verdict.REVIEW, ("L05",), "suspended")


@pytest.mark.parametrize(
    ("opened", "fault"), [("2014-12-31", "body_never"), ("2015-01-01", None), ("2016-01-01", None)]
)
def test_what_was_issued_before_a_backfill_was_opened_is_history(opened: str, fault: str | None) -> None:
    body = SHELF.body("CNCA-R-2019-7901")
    assert body is not None
    until = {"from": opened, "until": "2026-12-31", "digest": "0" * 64}
    loaded = cast(BodyState, {**body, "backfills": [until]})
    assert body_fault(loaded, "ccc", date(2015, 1, 1), DAY) == fault


def test_a_disqualified_body_before_its_issue_is_no_body() -> None:
    certificate = demonstration("790826Q00031R0S")
    later = replace(certificate, issued_on=date(2026, 7, 15))
    finding = check(SYSTEM, shelf([later]))
    assert (finding.verdict, finding.rules) == (Verdict.LEAD, ("L14",))


def test_confidence_says_how_the_number_was_read() -> None:
    assert found(GOOD, model="X9").confidence is Confidence.HIGH
    in_text = found(GOOD, certificate_no="", text="证书编号2023990703000117", model="X9")
    assert in_text.confidence is Confidence.MEDIUM
    fits = found(GOOD, certificate_no="", text="证书编号2023990703000117")
    assert (fits.verdict, fits.confidence) == (Verdict.OK, Confidence.MEDIUM)
    unsure = found(GOOD, certificate_no="", text="证书编号2023990703000117", model="KFR-35GW/AI")
    assert (unsure.rules, unsure.confidence) == (("L08",), Confidence.LOW)
    assert found(GOOD, certificate_no="2023990703000118").confidence is Confidence.LOW


def test_long_cells_and_odd_words_are_taken() -> None:
    for text in ("证" * 5000, "=1+1", "\x00", "A" * 100_000, "证书编号" * 2000):
        finding = found(GOOD, text=text, title=text, model=text, maker=text, certificate_no=text)
        assert finding.verdict in Verdict
        assert all(len(value) < 300 for value in finding.claimed.values())


# --- clauses ---------------------------------------------------------------------------------------------


def test_there_is_a_clause_for_every_rule_on_every_day() -> None:
    turns = {clause.since for clauses in CLAUSES.values() for clause in clauses if clause.since}
    for day in (date(2016, 1, 1), DAY, *turns, *(turn - timedelta(days=1) for turn in turns)):
        for rule in RULES:
            assert sum(clause.holds_on(day) for clause in CLAUSES[rule.clause]) == 1, (rule.id, day)


def _without_number(*certificates: Certificate, model: str) -> Finding:
    return check(GOOD._replace(certificate_no="", model=model, title="空调"), shelf(certificates))


def test_of_a_maker_s_certificates_for_one_model_the_best_counts() -> None:
    good = SHELF.certificate(str(GOOD.certificate_no))
    assert good is not None
    old = replace(good.certificate, certificate_no="2013990703000001", valid_until=DAY - timedelta(days=1))
    system = replace(demonstration("790826Q00031R0S"), holder=good.certificate.holder)
    for order in ((old, system, good.certificate), (good.certificate, system, old)):
        finding = _without_number(*order, model=str(GOOD.model))
        assert (finding.verdict, finding.registered) == (Verdict.OK, good.shown)
    assert _without_number(old, model=str(GOOD.model)).rules == ("L07",)


def test_a_maker_with_more_certificates_than_are_compared_is_no_lead() -> None:
    good = SHELF.certificate(str(GOOD.certificate_no))
    assert good is not None
    many = [replace(good.certificate, certificate_no=f"2013990703{n:06d}") for n in range(CANDIDATES + 1)]
    for count, verdict in ((CANDIDATES, Verdict.LEAD), (CANDIDATES + 1, Verdict.REVIEW)):
        finding = _without_number(*many[:count], model="XX-1")
        assert (finding.verdict, finding.rules) == (verdict, ("L01",))


def test_a_mark_is_known_by_every_name_that_its_scheme_has() -> None:
    for name in (
        "3C",
        "ＣＣＣ标志",
        "强制性产品认证",
        "上品",
        "上海品质",
        "上海购物",
        "浙江制造",
        "品字标",
        "湖南两型",
        "有机",
        "有机产品标志",
    ):
        mark = SHELF.mark_named(name)
        assert mark is not None, name
        assert SHELF.schemes_of_mark(mark)
    assert SHELF.mark_named("绿色食品") is None


def test_the_clause_is_that_of_the_day_of_capture() -> None:
    assert clause_on("L10", date(2022, 10, 31)) != clause_on("L10", date(2022, 11, 1))


# --- the table -------------------------------------------------------------------------------------------

EXPECTED = """
reach        standing      unknown    in_time    unproved   doubtful   early      suspended  late
compulsory   valid         ok -       ok -       review L05 review L07 lead L07   lead L05   lead L07
compulsory   suspended     review L05 review L05 review L05 review L05 lead L05   lead L05   lead L05
compulsory   cancelled     review L06 ok -       review L06 review L06 lead L06   lead L06   lead L06
compulsory   superseded    review L06 ok -       review L06 review L06 lead L06   lead L06   lead L06
compulsory   expired       review L07 review L07 review L07 review L07 lead L07   lead L07   lead L07
compulsory   revoked       lead L06   lead L06   lead L06   lead L06   lead L06   lead L06   lead L06
compulsory   not_yet_valid lead L07   lead L07   lead L07   review L07 lead L07   lead L07   lead L07
voluntary    valid         ok -       ok -       review L05 review L07 lead L07   lead L05   lead L07
voluntary    suspended     lead L05   review L05 review L05 review L05 lead L05   lead L05   lead L05
voluntary    cancelled     lead L06   review L06 review L06 review L06 lead L06   lead L06   lead L06
voluntary    superseded    lead L06   review L06 review L06 review L06 lead L06   lead L06   lead L06
voluntary    expired       lead L07   review L07 review L07 review L07 lead L07   lead L07   lead L07
voluntary    revoked       lead L06   lead L06   lead L06   lead L06   lead L06   lead L06   lead L06
voluntary    not_yet_valid lead L07   lead L07   lead L07   review L07 lead L07   lead L07   lead L07
organisation valid         ok -       ok -       ok -       ok -       ok -       ok -       ok -
organisation suspended     lead L05   lead L05   lead L05   lead L05   lead L05   lead L05   lead L05
organisation cancelled     lead L06   lead L06   lead L06   lead L06   lead L06   lead L06   lead L06
organisation superseded    lead L06   lead L06   lead L06   lead L06   lead L06   lead L06   lead L06
organisation expired       lead L07   lead L07   lead L07   lead L07   lead L07   lead L07   lead L07
organisation revoked       lead L06   lead L06   lead L06   lead L06   lead L06   lead L06   lead L06
organisation not_yet_valid lead L07   lead L07   lead L07   lead L07   lead L07   lead L07   lead L07
"""


def verdict_table() -> dict[tuple[str, str, str], tuple[str, str]]:
    """(reach, standing, order) → (verdict, rule or -)."""
    head, *lines = [line.split() for line in EXPECTED.strip().splitlines()]
    return {
        (line[0], line[1], order): (line[2 + 2 * place], line[3 + 2 * place])
        for line in lines
        for place, order in enumerate(head[2:])
    }


def test_the_table_of_standings_and_orders() -> None:
    expected = verdict_table()
    assert set(expected) == {(r, s, o) for r in Reach for s in Standing for o in Order}
    for (reach, now, order), (verdict, rule) in expected.items():
        cell = standing_verdict(Reach(reach), Standing(now), Order(order))
        assert (cell.verdict, cell.rule or "-") == (verdict, rule), (reach, now, order)


def a_recall(**told: object) -> RecallState:
    recall: dict[str, object] = {
        "v": 1,
        "kind": "recall",
        "id": "R-1",
        "certificate_no": "2023990703000117",
        "gtin": None,
        "model": None,
        "batches": [],
        "made_from": None,
        "made_until": None,
        "reason": "defect",
        "instrument": "召回公告 1 号",
        "text": {"zh": "停止销售", "en": "Stop selling"},
        "opened_on": "2026-10-01",
        "digest": "0" * 64,
        "closed_on": None,
        "closed_by": None,
        "note": None,
    }
    return cast(RecallState, recall | told)


@pytest.mark.parametrize(
    ("recall", "more", "verdict"),
    [
        ({}, {}, Verdict.LEAD),
        ({"closed_on": "2026-10-20"}, {}, Verdict.OK),
        ({"opened_on": "2026-11-02"}, {}, Verdict.OK),
        ({"model": "KFR-35GW/A1"}, {}, Verdict.LEAD),
        ({"model": "KFR-50GW/A1"}, {}, Verdict.OK),
        ({"model": "KFR-50GW/A1"}, {"model": None}, Verdict.REVIEW),
        ({"certificate_no": None, "gtin": "06909900123007"}, {}, Verdict.LEAD),
        ({"certificate_no": None, "gtin": "06909900123014"}, {}, Verdict.OK),
        ({"batches": ["B2024-07"]}, {}, Verdict.REVIEW),
        ({"batches": ["B2024-07"]}, {"text": "批次 b2024-07，现货"}, Verdict.LEAD),
        ({"made_from": "2024-01-01", "made_until": "2024-06-30"}, {}, Verdict.REVIEW),
        ({"made_from": "2024-01-01"}, {}, Verdict.REVIEW),
        ({"made_until": "2024-06-30"}, {}, Verdict.REVIEW),
        ({"made_from": "2024-01-01", "batches": ["B2024-07"]}, {"text": "批次 b2024-07，现货"}, Verdict.LEAD),
        ({"certificate_no": None, "gtin": "06909900200012"}, {"model": None}, Verdict.REVIEW),
        ({"made_from": "2024-01-01", "made_until": "2024-06-30"}, {"made_on": date(2024, 5, 1)}, Verdict.LEAD),
        ({"made_from": "2024-01-01", "made_until": "2024-06-30"}, {"made_on": date(2025, 5, 1)}, Verdict.OK),
        ({"certificate_no": "2022990201000204"}, {}, Verdict.OK),
    ],
)
def test_goods_of_an_open_recall_are_not_to_be_sold(
    recall: dict[str, object], more: dict[str, Any], verdict: Verdict
) -> None:
    book = SHELF.rulebook
    recalling = replace(SHELF, rulebook=Rulebook(book.schemes, book.catalogues, book.bodies, [a_recall(**recall)]))
    finding = check(GOOD._replace(title="空调", made_on=None, shipped_on=None)._replace(**more), recalling)
    assert (finding.verdict, finding.code == "do_not_sell") == (verdict, verdict is not Verdict.OK), finding
    assert finding.rules == ()
    if verdict is Verdict.LEAD:  # whatever else is wrong with it, this is what a buyer has to know
        wrong = {"maker": "", "maker_uscc": "", "maker_address": "", "text": "3C证书当天出证"}
        worse = check(GOOD._replace(title="空调", made_on=None, shipped_on=None)._replace(**(wrong | more)), recalling)
        assert worse.code == "do_not_sell"
        assert "L16" in worse.rules
