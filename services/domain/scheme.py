"""A scheme: the rules certified against, as data in versions with dates of effect."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TypedDict, cast


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


SchemeRules = TypedDict(
    "SchemeRules",
    {
        "effective_at": str,
        "version": int,
        "name": Words,
        "class": str,
        "mandatory": bool,
        "declaration": bool,
        "mark_authorizer": str,
        "alliance": str | None,
        "mark": MarkSign | None,
        "families": list[str],
        "number_pattern": str | None,
        "number_hint": Words | None,
        "required": list[str],
        "validity_months": int | None,
        "grace_days": int,
        "suspension_limit_months": int | None,
        "surveillance_months": int | None,
        "coverage": Coverage,
        "aliases": list[str],
    },
)
"""The data of `scheme.published`, every field present. `class` is product, service or system; `mark_authorizer`
implied, body, alliance, authority or none."""


class SchemeState(TypedDict):
    v: int
    kind: str
    id: str
    versions: list[SchemeRules]


_ABSENT: dict[str, object] = {
    "alliance": None,
    "mark": None,
    "families": [],
    "number_pattern": None,
    "number_hint": None,
    "required": [],
    "validity_months": None,
    "grace_days": 0,
    "suspension_limit_months": None,
    "surveillance_months": None,
    "aliases": [],
}
"""What a member that `scheme.published` may leave out means."""


def scheme_rules(data: Mapping[str, object]) -> SchemeRules:
    """The rules of a version with every field present, from event data that passed its schema."""
    said = {name: value for name, value in data.items() if value is not None}
    return cast(SchemeRules, _ABSENT | said)


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


def scheme_from_state(state: SchemeState) -> Scheme:
    return Scheme(state["id"], tuple(state["versions"]))
