"""Cases as they are kept: every deed in order, and beside them what cases are found by."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, cast

from services.auth import Role
from services.domain.case import Case, Decision, Deed, Finding, Opened, apply, fold
from services.domain.division import is_division, within
from services.domain.errors import BadRequest, NotFound
from services.events.canonical import canonical_text
from services.postgres import Cursor
from services.registry import trail
from services.registry.desk import restricted
from services.registry.desk.accounts import Account
from services.registry.desk.deeds import from_json, to_json


@dataclass(frozen=True, slots=True)
class Row:
    """A case as lists show it."""

    case_no: str
    title: str
    division: str
    opened_on: date
    step: str | None
    due_on: date | None
    late_after: date | None
    undecided: int
    confirmed: int
    excluded: int
    closed_on: date | None

    def is_late(self, day: date) -> bool:
        return self.late_after is not None and self.late_after < day


@dataclass(frozen=True, slots=True)
class Done:
    """A deed as it was recorded."""

    number: int
    at: datetime
    account: str
    deed: Deed


@dataclass(frozen=True, slots=True)
class Evidence:
    """A finding with what it was made from: `listing` as it came, `told` as the check told it."""

    finding: str
    seller: str
    certificate_no: str | None
    image_hash: str | None
    listing: Mapping[str, Any]
    told: Mapping[str, Any]


_ROW = "case_no, title, division, opened_on, step, due_on, late_after, undecided, confirmed, excluded, closed_on"


def next_number(cur: Cursor, division: str, year: int) -> str:
    """`310115-2026-00001`: the division that opens the case, the year, and its next number there."""
    if not is_division(division):
        raise BadRequest("a division has six digits (GB/T 2260)", pointer="/division")
    cur.execute(
        "INSERT INTO case_numbers (division, year, last) VALUES (%s, %s, 1)"
        " ON CONFLICT (division, year) DO UPDATE SET last = case_numbers.last + 1 RETURNING last",
        (division, year),
    )
    row = cast("tuple[int]", cur.fetchone())
    return f"{division}-{year}-{row[0]:05}"


def open_case(cur: Cursor, by: Account, opened: Opened, evidence: Sequence[Evidence], now: datetime) -> Case:
    """Open a case with its findings, and what they were made from."""
    case = apply(None, opened)
    cur.execute(
        "INSERT INTO cases (case_no, title, division, opened_on, undecided, confirmed, excluded, deeds)"
        " VALUES (%s, %s, %s, %s, 0, 0, 0, 0)",
        (case.case_no, case.title, case.division, case.opened_on),
    )
    keep_evidence(cur, case.case_no, evidence)
    _keep(cur, case, 0, (opened,), by, now)
    return case


def record(cur: Cursor, by: Account, case_no: str, deeds: Sequence[Deed], now: datetime) -> Case:
    """Do something in a case: all of the deeds or none.

    Raises:
        NotFound: no such case, or not this account's. CaseRefused: what it does not allow.
    """
    case, count = _locked(cur, by, case_no)
    for deed in deeds:
        case = apply(case, deed)
    _keep(cur, case, count, deeds, by, now)
    return case


def _locked(cur: Cursor, by: Account, case_no: str) -> tuple[Case, int]:
    cur.execute("SELECT division, deeds FROM cases WHERE case_no = %s FOR UPDATE", (case_no,))
    row = cur.fetchone()
    if row is None or not by.may_see(row[0]):
        raise NotFound("no such case, or it is not yours")
    return fold(one.deed for one in deeds_of(cur, case_no)), row[1]


def _keep(cur: Cursor, case: Case, count: int, deeds: Sequence[Deed], by: Account, now: datetime) -> None:
    for number, deed in enumerate(deeds, count + 1):
        members = to_json(deed)
        kept = restricted.record_of(case.case_no, number, now, by.name, members)
        cur.execute(
            "INSERT INTO case_deeds (case_no, number, at, account, deed, record, commitment)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            (
                case.case_no,
                number,
                now,
                by.name,
                canonical_text(members, floats=False),
                kept,
                restricted.commitment_to(kept),
            ),
        )
        trail.record(cur, now, by.name, members["kind"], f"case/{case.case_no}", number=number)
    counted = [sum(one.decision is decision for one in case.findings) for decision in Decision]
    stage = case.stage
    due = [stage.due_on] if stage else []
    due += [order.due_on for order in case.orders if order.answered_on is None]
    due += [hearing.due_on for hearing in case.hearings if not hearing.is_over]
    cur.execute(
        "UPDATE cases SET division = %s, step = %s, due_on = %s, late_after = %s, undecided = %s, confirmed = %s,"
        " excluded = %s, closed_on = %s, deeds = %s WHERE case_no = %s",
        (
            case.division,
            stage.step.value if stage else None,
            stage.due_on if stage else None,
            min(due) if due and case.closed_on is None else None,
            *counted,
            case.closed_on,
            count + len(deeds),
            case.case_no,
        ),
    )


def keep_evidence(cur: Cursor, case_no: str, evidence: Sequence[Evidence]) -> None:
    """What findings were made from; one that is there already stays as it came first."""
    for one in evidence:
        cur.execute(
            "INSERT INTO case_findings (case_no, finding, seller, certificate_no, image_hash, listing, told)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (
                case_no,
                one.finding,
                one.seller,
                one.certificate_no,
                one.image_hash,
                json.dumps(dict(one.listing), ensure_ascii=False),
                json.dumps(dict(one.told), ensure_ascii=False),
            ),
        )


# --- looking -------------------------------------------------------------------------------------------------------


def case_of(cur: Cursor, by: Account, case_no: str) -> Case:
    """A case as it stands. Raises NotFound: no such case, or not this account's."""
    cur.execute("SELECT division FROM cases WHERE case_no = %s", (case_no,))
    row = cur.fetchone()
    if row is None or not by.may_see(row[0]):
        raise NotFound("no such case, or it is not yours")
    return fold(one.deed for one in deeds_of(cur, case_no))


def deeds_of(cur: Cursor, case_no: str) -> list[Done]:
    cur.execute("SELECT number, at, account, deed FROM case_deeds WHERE case_no = %s ORDER BY number", (case_no,))
    return [Done(number, at, account, from_json(json.loads(deed))) for number, at, account, deed in cur.fetchall()]


def cases_for(
    cur: Cursor, by: Account, *, which: str = "open", day: date, after: str | None = None, limit: int = 100
) -> list[Row]:
    """The cases that an account may see, the newest first: `open`, `late` (overdue on the day), `closed` or `all`."""
    condition = {
        "open": "closed_on IS NULL",
        "late": "late_after < %(day)s",
        "closed": "closed_on IS NOT NULL",
        "all": "true",
    }[which]
    cur.execute(
        f"SELECT {_ROW} FROM cases WHERE {condition} AND division LIKE %(within)s"
        " AND (%(after)s::text IS NULL OR (opened_on, case_no) < (SELECT opened_on, case_no FROM cases"
        " WHERE case_no = %(after)s)) ORDER BY opened_on DESC, case_no DESC LIMIT %(limit)s",
        {"day": day, "within": _within(by), "after": after, "limit": limit},
    )
    return [Row(*row) for row in cur.fetchall()]


def counts_for(cur: Cursor, by: Account, day: date) -> dict[str, int]:
    """How many cases an account may see: `open`, `late`, `closed`, and by the step under way (`step:…`)."""
    cur.execute(
        "SELECT count(*) FILTER (WHERE closed_on IS NULL), count(*) FILTER (WHERE late_after < %s),"
        " count(*) FILTER (WHERE closed_on IS NOT NULL) FROM cases WHERE division LIKE %s",
        (day, _within(by)),
    )
    found = dict(zip(("open", "late", "closed"), cast("tuple[int, ...]", cur.fetchone()), strict=True))
    cur.execute(
        "SELECT step, count(*) FROM cases WHERE step IS NOT NULL AND closed_on IS NULL AND division LIKE %s"
        " GROUP BY step",
        (_within(by),),
    )
    return found | {f"step:{step}": count for step, count in cur.fetchall()}


def _within(by: Account) -> str:
    """The pattern of the divisions whose cases an account may see (as `Account.may_see` says of one)."""
    if by.role is Role.ADMINISTRATOR:
        return ""
    return "%" if by.role is Role.REGULATOR else f"{within(by.division)}%"


def cases_joined_by(cur: Cursor, by: Account, complaint_no: str) -> list[str]:
    """The cases that a report has joined, as far as an account may see them."""
    cur.execute(
        "SELECT DISTINCT case_no FROM case_deeds JOIN cases USING (case_no) WHERE division LIKE %s"
        " AND deed::jsonb ->> 'kind' = 'complaint-joined' AND deed::jsonb ->> 'complaint_no' = %s ORDER BY case_no",
        (_within(by), complaint_no),
    )
    return [case_no for (case_no,) in cur.fetchall()]


def evidence_of(cur: Cursor, case_no: str, findings: Collection[str] | None = None) -> dict[str, Evidence]:
    """What the findings of a case were made from, by finding; of all where none are named."""
    cur.execute(
        "SELECT finding, seller, certificate_no, image_hash, listing, told FROM case_findings WHERE case_no = %s"
        " AND (%s::text[] IS NULL OR finding = ANY(%s)) ORDER BY finding",
        (case_no, list(findings) if findings is not None else None, list(findings or ())),
    )
    return {
        row[0]: Evidence(row[0], row[1], row[2], row[3], json.loads(row[4]), json.loads(row[5]))
        for row in cur.fetchall()
    }


def finding_of(evidence: Evidence) -> Finding:
    """The finding as the case's deeds have it."""
    check, _, row = evidence.finding.partition("/")
    return Finding(check, row, evidence.seller)
