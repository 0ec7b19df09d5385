"""What a check found that is not in order: page by page, by what the findings have in common."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from services.postgres import Cursor
from services.registry.checks import store
from services.registry.desk.accounts import Account

_COLUMN = {"seller": "seller", "certificate": "certificate_no", "image": "image"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which findings: of a verdict, of a rule, of a group (`seller`, `certificate`, `image`) with one value."""

    verdict: str = ""
    rule: str = ""
    group: str = ""
    value: str = ""
    after: int = -1

    def query(self) -> dict[str, object]:
        return {"verdict": self.verdict, "rule": self.rule, "group": self.group, "value": self.value}


@dataclass(frozen=True, slots=True)
class Matter:
    """One finding that is not ok, with what it is grouped by; `told` is the finding itself."""

    check: str
    place: int
    seller: str | None
    certificate_no: str | None
    listing_url: str | None
    image: str | None
    told: Mapping[str, Any]

    @property
    def finding(self) -> str:
        """How a case names it: the check and the row, counted from one."""
        return f"{self.check}/{self.place + 1}"


def after(cur: Cursor, check: str, wanted: Wanted, limit: int) -> list[Matter]:
    """Findings behind a place, in the order of the file."""
    column = _COLUMN.get(wanted.group)
    narrowed = f" AND {column} = %(value)s" if column and wanted.value else ""
    cur.execute(
        "SELECT place FROM check_matters WHERE check_id = %(check)s AND place > %(after)s"
        " AND (%(verdict)s = '' OR verdict = %(verdict)s) AND (%(rule)s = '' OR %(rule)s = ANY(rules))"
        f"{narrowed} ORDER BY place LIMIT %(limit)s",
        {
            "check": check,
            "after": wanted.after,
            "verdict": wanted.verdict,
            "rule": wanted.rule,
            "value": wanted.value,
            "limit": limit,
        },
    )
    return at(cur, check, [place for (place,) in cur.fetchall()])


def at(cur: Cursor, check: str, places: Collection[int]) -> list[Matter]:
    """The findings at these places; those that are ok, or are not there, are left out."""
    if not places:
        return []
    cur.execute(
        "SELECT place, seller, certificate_no, listing_url, image FROM check_matters WHERE check_id = %s"
        " AND place = ANY(%s) ORDER BY place",
        (check, list(places)),
    )
    rows = cur.fetchall()
    told = dict(store.lines_at(cur, check, [row[0] for row in rows]))
    return [
        Matter(check, place, seller, certificate_no, url, image, orjson.loads(told[place]))
        for place, seller, certificate_no, url, image in rows
        if place in told
    ]


def groups(cur: Cursor, check: str, group: str, limit: int = 100) -> list[tuple[str, int]]:
    """(value, count) of the largest groups."""
    column = _COLUMN[group]
    cur.execute(
        f"SELECT {column}, count(*) FROM check_matters WHERE check_id = %s AND {column} IS NOT NULL"
        f" GROUP BY {column} ORDER BY count(*) DESC, {column} LIMIT %s",
        (check, limit),
    )
    return [(value, count) for value, count in cur.fetchall()]


def places_in(cur: Cursor, check: str, group: str, value: str, limit: int) -> list[int]:
    cur.execute(
        f"SELECT place FROM check_matters WHERE check_id = %s AND {_COLUMN[group]} = %s ORDER BY place LIMIT %s",
        (check, value, limit),
    )
    return [place for (place,) in cur.fetchall()]


def cases_of(cur: Cursor, findings: Sequence[str], by: Account) -> dict[str, list[str]]:
    """The cases that findings are in already, as far as an account may see them."""
    cur.execute(
        "SELECT f.finding, c.case_no, c.division FROM case_findings f JOIN cases c USING (case_no)"
        " WHERE f.finding = ANY(%s) ORDER BY c.case_no",
        (list(findings),),
    )
    found: dict[str, list[str]] = {}
    for finding, case_no, division in cur.fetchall():
        if by.may_see(division):
            found.setdefault(finding, []).append(case_no)
    return found
