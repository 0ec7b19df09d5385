"""The shipped schemes are those of the contract, with what the contract and the domain rules (§2.3, §2.4, §3) say."""

import json
import re
from typing import Any

import pytest

from services.domain.scheme import SchemeRules, number_form, scheme_rules
from tests.conftest import ROOT

SHIPPED: dict[str, SchemeRules] = {
    file.stem: scheme_rules(json.loads(file.read_text(encoding="utf-8")))
    for file in sorted((ROOT / "schemas/schemes").iterdir())
}
REGIONAL = {
    "pinzibiao": "浙江制造",
    "shenzhen-standard": "深圳标准",
    "hunan-liangxing": "湖南两型",
    "taishan": "泰山品质",
    "lishui-shangeng": "丽水山耕",
    "mengzibiao": "蒙字标",
}
SYSTEMS = ("qms", "ems", "ohsms", "isms")
FAMILIES = ["上海服务", "上海制造", "上海购物", "上海文化", "上海标准"]


def test_all_that_the_contract_names_are_shipped_and_no_others() -> None:
    others = ("shanghai-brand", "shanghai-brand-service", "green-product", "ccc", "ccc-sdoc", "service")
    assert set(SHIPPED) == {*others, "organic", "organic-conversion", *REGIONAL, *SYSTEMS}


def test_what_a_scheme_certifies_is_what_it_is_for() -> None:
    of_class = {name: rules["class"] for name, rules in SHIPPED.items() if rules["class"] != "product"}
    services = dict.fromkeys(("service", "shanghai-brand-service"), "service")
    assert of_class == services | dict.fromkeys(SYSTEMS, "system")
    assert {name for name, rules in SHIPPED.items() if rules["mandatory"]} == {"ccc", "ccc-sdoc"}
    assert {name for name, rules in SHIPPED.items() if rules["declaration"]} == {"ccc-sdoc"}


@pytest.mark.parametrize("name", ["shanghai-brand", "shanghai-brand-service"])
def test_the_alliance_authorizes_the_mark_of_shanghai_in_five_families(name: str) -> None:
    rules = SHIPPED[name]
    assert (rules["mark_authorizer"], rules["alliance"], rules["families"]) == ("alliance", "shanghai-brand", FAMILIES)
    assert rules["mark"] is not None
    assert "上品" in rules["mark"]["name"]["zh"]
    assert any("上海品质" in alias for alias in rules["aliases"]), "what it was called before"


@pytest.mark.parametrize(("name", "called"), REGIONAL.items())
def test_a_regional_brand_answers_to_its_name(name: str, called: str) -> None:
    assert called in SHIPPED[name]["aliases"]
    assert SHIPPED[name]["mark"] is not None


def test_the_green_label_wants_its_route_and_attributes_and_merges_bodies() -> None:
    green = SHIPPED["green-product"]
    assert green["routes"] == [1, 2, 3]
    assert set(green["mark_requires"]) == {"route", "attributes"}
    assert green["same_product"], "several bodies' certificates for one holder and model answer as one"
    assert "绿色食品" not in green["aliases"], "green food is another thing"


def test_what_is_in_conversion_bears_no_organic_mark() -> None:
    assert SHIPPED["organic-conversion"]["mark_authorizer"] == "none"
    codes = SHIPPED["organic"]["unit_codes"]
    assert codes is not None
    assert codes["pattern"].startswith("[0-9]{17")


LIMITS: dict[str, dict[str, Any]] = {
    "ccc": {
        "validity_months": 60,
        "renewal_apply_days": 90,
        "surveillance_months": 12,
        "suspension_limits": [{"reasons": ["S08"], "months": 12}],
        "suspend_within": {"days": 5, "working": False},
    },
    "qms": {
        "validity_months": 36,
        "surveillance_months": 12,
        "suspension_limit_months": 6,
        "suspend_within": {"days": 5, "working": True},
        "revoke_within": {"days": 5, "working": True},
        "failed_check_audit_days": 30,
        "reapply_months": 12,
        "reapply_body_lost_months": 3,
        "grace_days": 0,
    },
    "organic": {
        "validity_months": 12,
        "suspension_least_months": 1,
        "suspension_limit_months": 3,
        "suspend_within": {"days": 15, "working": False},
        "revoke_within": {"days": 7, "working": False},
        "reapply_months": 12,
    },
    "service": {"suspension_limit_months": 6},
}


@pytest.mark.parametrize(("name", "limits"), LIMITS.items())
def test_the_clocks_are_those_of_the_domain_rules(name: str, limits: dict[str, Any]) -> None:
    rules: dict[str, Any] = {**SHIPPED[name]}
    assert {member: rules[member] for member in limits} == limits


@pytest.mark.parametrize(
    ("name", "number", "fits"),
    [
        ("ccc", "2016010901123456", True),
        ("ccc", "201601090112345", False),
        ("organic", "134OP2100123", True),
        ("organic", "0134OP2100123-2", True),
        ("organic", "F12OP2100123", True),
        ("organic", "134QP2100123", False),
        ("qms", "03410Q10286R0S", True),
        ("qms", "CQM24S20850R0M", True),  # not uniform: bodies' own forms are for a version to name
        ("green-product", "any number", True),
    ],
)
def test_the_form_of_a_number_is_lenient(name: str, number: str, fits: bool) -> None:
    rules = SHIPPED[name]
    assert number_form(rules, "CNCA-R-2019-7901") == (rules["number_pattern"], rules["number_hint"])
    pattern = rules["number_pattern"]
    assert (pattern is None or re.fullmatch(pattern, number, re.ASCII) is not None) is fits
