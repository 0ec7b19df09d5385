"""The usual event of each type: data that a system accepts, from which a case departs in one point."""

import json
from typing import Any

from services.events.event_types import SCHEMAS

HOLDER = {"name": "符合性测试企业(虚构)", "region": "310115", "address": "上海市浦东新区测试路1号 {it}"}
"""Another at each certificate: whoever lost one waits, and without a code is known by name and address."""
ITEMS = [{"model": "CF-1"}, {"model": "CF-2"}]
CLASS = "0703"
DECLARED_CLASS = "0307"
"""Classes of the shipped catalogue: one to be certified, one to be declared."""
_ISSUED: dict[str, Any] = {
    "effective_at": "today",
    "scheme": "{scheme}",
    "certification_mode": "初次评价+获证后监督",
    "holder": HOLDER,
    "issued_on": "today",
    "valid_from": "today",
    "valid_until": "+300d",
    "approver": "CF-0001",
}
_SERVICE = {
    "basis": [{"standard": "GB/T 19001", "edition": "2016"}],
    "service_scope": "符合性测试",
    "sites": [{"address": HOLDER["address"]}],
    "headcount": 12,
}
_PRODUCT = {
    "basis": [{"standard": "符合性测试标准", "edition": "1"}],
    "manufacturer": HOLDER,
    "factory": HOLDER,
    "product": {"name": "符合性测试产品", "class": CLASS, "trademark": "无", "items": ITEMS},
}
_OF_SCHEME = {
    "organic": {"organic": {"conversion": False, "bases": [{"name": "符合性测试基地"}]}},
    "organic-conversion": {"organic": {"conversion": True, "bases": [{"name": "符合性测试基地"}]}},
}
"""What only certificates of a scheme must hold."""
USUAL: dict[str, dict[str, Any]] = {
    "certificate.amended": {"effective_at": "today", "fields": {"certification_mode": "获证后监督"}},
    "certificate.suspended": {"effective_at": "today", "reason": "S03", "until": "+30d"},
    "certificate.resumed": {"effective_at": "today", "verified_on": "today"},
    "certificate.revoked": {"effective_at": "today", "reason": "R10"},
    "certificate.cancelled": {"effective_at": "today", "reason": "C04"},
    "certificate.surveillance_passed": {"effective_at": "today"},
    "certificate.renewed": {
        "effective_at": "today",
        "issued_on": "today",
        "valid_until": "+600d",
        "approver": "CF-0001",
    },
    "certificate.corrected": {"of": "{0}", "fields": {"valid_until": "+200d"}},
    "certificate.transferred": {"effective_at": "today", "to": "{receiving body}"},
    "certificate.received": {"effective_at": "today", "of": "{1}"},
    "certificate.superseded": {"effective_at": "today", "by": "{B}"},
    "mark.authorized": {
        "effective_at": "today",
        "mark_no": "M-{it}",
        "mark": "{scheme}",
        "products": ITEMS,
        "media": ["product", "package"],
        "valid_from": "today",
        "valid_until": "+300d",
    },
    "mark.suspended": {"effective_at": "today", "mark_no": "M-{it}", "reason": "S04", "until": "+30d"},
    "mark.resumed": {"effective_at": "today", "mark_no": "M-{it}", "verified_on": "today"},
    "mark.withdrawn": {"effective_at": "today", "mark_no": "M-{it}"},
    "mark.codes_issued": {
        "effective_at": "today",
        "mark_no": "M-{it}",
        "product": "CF-1",
        "quantity": 100,
        "rule_version": "1",
        "digest": "0" * 64,
    },
    "mark.code_voided": {"effective_at": "today", "mark_no": "M-{it}", "code": "0" * 16, "reason": "V01"},
    "declaration.made": {
        "effective_at": "today",
        "scheme": "ccc-sdoc",
        "basis": [{"standard": "符合性测试标准", "edition": "1"}],
        "holder": {**HOLDER, "uscc": "{uscc}"},
        "manufacturer": HOLDER,
        "factory": HOLDER,
        "product": {"name": "符合性测试产品", "class": DECLARED_CLASS, "trademark": "无", "items": ITEMS},
        "issued_on": "today",
        "valid_from": "today",
    },
    "declaration.withdrawn": {"effective_at": "today", "reason": "C04"},
    "key.added": {"owner": "urn:certmark:body:{body}", "purpose": "event", "key": "{jwk}", "from": "today"},
    "key.retired": {"effective_at": "today"},
    "key.compromised": {"since": "this morning"},
    "body.approved": {
        "effective_at": "today",
        "name": "符合性测试机构(虚构)",
        "schemes": [{"scheme": "qms", "from": "today"}],
    },
    "body.disqualified": {"effective_at": "today", "instrument": "符合性测试"},
    "body.suspended": {"effective_at": "today", "instrument": "符合性测试"},
    "catalogue.class_removed": {"effective_at": "today", "class": "9999", "instrument": "符合性测试"},
    "catalogue.class_mode_changed": {
        "effective_at": "today",
        "class": CLASS,
        "mode": "certification",
        "instrument": "符合性测试",
    },
    "calendar.published": {
        "effective_at": "today",
        "days_off": ["2020-01-01"],
        "working_days": [],
        "instrument": "符合性测试",
    },
    "decision.annulled": {"effective_at": "today", "digest": "{it}", "instrument": "符合性测试"},
    "quarantine.resolved": {"effective_at": "today", "digest": "{it}", "action": "dismissed", "note": "符合性测试"},
    "alliance.member_admitted": {"effective_at": "today", "body": "{body}"},
    "scheme.published": json.loads((SCHEMAS / "schemes" / "qms.json").read_text(encoding="utf-8")),
    "authority.established": {
        "name": "符合性测试机关(虚构)",
        "key": "{jwk}",
        "effective_at": "today",
        "demonstration": True,
    },
}
"""By short type name. Placeholders are those of `case.Members`; `{it}` is the subject, `{jwk}` its key."""

SERVICES = ("qms", "ems", "isms", "ohsms", "service", "shanghai-brand-service")
PRODUCTS = (
    *("shanghai-brand", "green-product", "pinzibiao", "taishan", "shenzhen-standard", "hunan-liangxing"),
    *("lishui-shangeng", "mengzibiao", "ccc", "organic", "organic-conversion"),
)


def usual(short_type: str, scheme: str) -> dict[str, Any]:
    """The usual data of a type; that of a certificate depends on its scheme."""
    if short_type == "certificate.issued":
        return _ISSUED | (_SERVICE if scheme in SERVICES else _PRODUCT) | _OF_SCHEME.get(scheme, {})
    return USUAL[short_type]
