"""A scheme: the rules certified against, as data in versions with dates of effect."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import NotRequired, TypedDict, cast


class Words(TypedDict):
    zh: str
    en: str


class MarkSign(TypedDict):
    id: str
    name: Words


class Coverage(TypedDict):
    complete: bool
    zh: str
    en: str


class Clock(TypedDict):
    """A limit in days after a determination: working days by the published calendar, or civil days."""

    days: int
    working: bool


class SuspensionLimit(TypedDict):
    reasons: list[str]
    months: int


class Transition(TypedDict):
    """An old edition of a standard and the last day on which it is in order."""

    standard: str
    edition: str
    until: str


class Standard(TypedDict):
    """A standard that is certified against, in one edition or in any."""

    standard: str
    edition: NotRequired[str | None]


class Judgement(TypedDict):
    """Whether an act is allowed (yes, no, review), with the rule and its clause that say so."""

    allowed: str
    rule: str
    clause: NotRequired[str | None]


class EarlierRule(TypedDict):
    """A rule by which codes were made until a day."""

    pattern: str
    rule: str
    until: str


class BodyNumbers(TypedDict):
    """The form that the numbers of one body have."""

    body: str
    number_pattern: str
    number_hint: NotRequired[Words | None]


class Reapply(TypedDict):
    """How long a suspension or revocation for one of these reasons bars a new certificate, from its first day on."""

    months: int
    reasons: list[str]


class UnitCodes(TypedDict):
    """The form of a single unit's mark code, what people call it, and the rules that it is or was made by."""

    name: NotRequired[Words | None]
    pattern: str
    rule: NotRequired[str | None]
    since: NotRequired[str | None]
    earlier: NotRequired[list[EarlierRule] | None]


SchemeRules = TypedDict(
    "SchemeRules",
    {
        "effective_at": str,
        "version": int,
        "name": Words,
        "class": str,
        "sub_class": str | None,
        "mandatory": bool,
        "declaration": bool,
        "mark_authorizer": str,
        "alliance": str | None,
        "mark": MarkSign | None,
        "families": list[str],
        "number_pattern": str | None,
        "number_hint": Words | None,
        "body_numbers": list[BodyNumbers],
        "required": list[str],
        "validity_months": int | None,
        "grace_days": int,
        "suspension_limit_months": int | None,
        "suspension_least_months": int | None,
        "surveillance_months": int | None,
        "coverage": Coverage,
        "aliases": list[str],
        "catalogue": str | None,
        "catalogue_mode": str | None,
        "suspend_within": Clock | None,
        "revoke_within": Clock | None,
        "suspension_limits": list[SuspensionLimit],
        "renewal_window_days": int | None,
        "renewal_apply_days": int | None,
        "approver_differs": bool,
        "routes": list[int],
        "mark_requires": list[str],
        "standards": list[Standard],
        "transitions": list[Transition],
        "surveillance_grace_days": int,
        "failed_check_audit_days": int | None,
        "receive_within_days": int,
        "reapply_months": int | None,
        "reapply_revoked": Reapply | None,
        "reapply_suspended": Reapply | None,
        "reapply_body_lost_months": int | None,
        "consequence": dict[str, dict[str, Judgement]],
        "same_product": bool,
        "unit_codes": UnitCodes | None,
    },
)
"""The data of `scheme.published`, every field present. `class` is product, service or system; `mark_authorizer`
implied, body, alliance, authority or none; `catalogue_mode` certification or self_declaration; `consequence` by act
(ship, sell, import, use, display) and standing. What each rule means is said in its schema."""


class SchemeState(TypedDict):
    v: int
    kind: str
    id: str
    versions: list[SchemeRules]


_ABSENT: dict[str, object] = {
    "sub_class": None,
    "alliance": None,
    "mark": None,
    "families": [],
    "number_pattern": None,
    "number_hint": None,
    "body_numbers": [],
    "required": [],
    "validity_months": None,
    "grace_days": 0,
    "suspension_limit_months": None,
    "suspension_least_months": None,
    "surveillance_months": None,
    "aliases": [],
    "catalogue": None,
    "catalogue_mode": None,
    "suspend_within": None,
    "revoke_within": None,
    "suspension_limits": [],
    "renewal_window_days": None,
    "renewal_apply_days": None,
    "approver_differs": False,
    "routes": [],
    "mark_requires": [],
    "standards": [],
    "transitions": [],
    "surveillance_grace_days": 0,
    "failed_check_audit_days": None,
    "receive_within_days": 30,
    "reapply_months": None,
    "reapply_revoked": None,
    "reapply_suspended": None,
    "reapply_body_lost_months": None,
    "consequence": {},
    "same_product": False,
    "unit_codes": None,
}
"""What a member that `scheme.published` may leave out means."""


def scheme_rules(data: Mapping[str, object]) -> SchemeRules:
    """The rules of a version with every field present, from event data that passed its schema."""
    said = {name: value for name, value in data.items() if value is not None}
    return cast(SchemeRules, _ABSENT | said)


def number_form(rules: SchemeRules, body: str) -> tuple[str | None, Words | None]:
    """(pattern, hint) of the numbers that a body issues under a version: its own, where the scheme names one."""
    own = next((form for form in rules["body_numbers"] if form["body"] == body), None)
    if own is None:
        return rules["number_pattern"], rules["number_hint"]
    return own["number_pattern"], own.get("number_hint") or rules["number_hint"]


@dataclass(frozen=True, slots=True)
class Scheme:
    """All published versions of one scheme, in order of their dates of effect."""

    id: str
    versions: tuple[SchemeRules, ...]

    def on(self, day: date) -> SchemeRules | None:
        """The version in force on a day: the last whose date of effect has come."""
        text = day.isoformat()
        return next((v for v in reversed(self.versions) if v["effective_at"] <= text), None)

    def number_fits(self, number: str, day: date) -> bool:
        rules = self.on(day)
        pattern = rules["number_pattern"] if rules else None
        return pattern is None or re.fullmatch(pattern, number, re.ASCII) is not None


def scheme_state(scheme: Scheme) -> SchemeState:
    return {"v": 1, "kind": "scheme", "id": scheme.id, "versions": list(scheme.versions)}


_parsed: dict[int, tuple[SchemeState, Scheme]] = {}
"""Each state that was parsed lately beside its scheme: a register asks for the same few with every event."""


def scheme_from_state(state: SchemeState) -> Scheme:
    """The scheme of a state; a version stored before a rule existed has what its absence means.

    A state is not changed once it is one. It is kept with its scheme, so that no other can have its address meanwhile.
    """
    found = _parsed.get(id(state))
    if found is not None and found[0] is state:
        return found[1]
    scheme = Scheme(state["id"], tuple(cast(SchemeRules, {**_ABSENT, **version}) for version in state["versions"]))
    if len(_parsed) >= _MOST:
        _parsed.clear()
    _parsed[id(state)] = state, scheme
    return scheme


_MOST = 200
