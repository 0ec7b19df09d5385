"""The page of the rules that listings are checked by, and the words for what findings are made of."""

from flask import Blueprint, Response, g

from services.auth import Role
from services.domain.identifiers import civil_day
from services.domain.listing_rules import CLAUSES, RULE_SET, RULES, clause_on
from services.language import Language
from services.listings.columns import HEADINGS
from services.registry.desk.room import Desk

RULE_WORDS = {rule.id: rule.words for rule in RULES}

_OTHER_FIELDS = {
    "holder": ("持有人", "holder"),
    "holder_uscc": ("持有人信用代码", "holder's credit code"),
    "manufacturer": ("生产者", "manufacturer"),
    "factory": ("生产厂", "factory"),
    "scheme": ("认证制度", "scheme"),
    "models": ("型号", "models"),
    "trademark": ("商标", "trademark"),
    "service_scope": ("认证范围", "scope of certification"),
    "valid_from": ("有效期起", "valid from"),
    "valid_until": ("有效期至", "valid until"),
    "status": ("状态", "status"),
    "standing": ("状态", "standing"),
    "mark_standing": ("标志状态", "standing of the mark"),
    "day": ("日期", "day"),
    "on": ("日期", "day"),
    "body": ("发证机构", "certification body"),
    "marks": ("标志", "marks"),
    "parent_no": ("主证书", "main certificate"),
    "number": ("编号", "number"),
}


def field_word(name: str, language: Language) -> str:
    """What a member of a listing or finding is called; its own name where there are no other words for it."""
    if language == "zh":
        return HEADINGS.get(name) or _OTHER_FIELDS.get(name, (name, ""))[0]
    return _OTHER_FIELDS[name][1] if name in _OTHER_FIELDS else name.replace("_", " ")


class Rules:
    """The rules with their versions, as an officer cites them."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def add_to(self, pages: Blueprint) -> None:
        pages.add_url_rule("/rules", "rules", self.rules, strict_slashes=False)

    def rules(self) -> Response:
        self.desk.require(Role.INSPECTOR, Role.REGULATOR)
        frame, day = self.desk.frame(), civil_day(g.now)
        return self.desk.show(
            "rules",
            "rules",
            frame.say("rules"),
            frame,
            version=RULE_SET,
            rules=[(rule, clause_on(rule.id, day), CLAUSES[rule.clause]) for rule in RULES],
        )
