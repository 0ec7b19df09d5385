"""Who may speak: authorities, certification bodies, alliances, and the keys that they sign with."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NotRequired, TypedDict

from services.domain.identifiers import civil_day, instant_of


class Purpose(StrEnum):
    """What a key may sign. Purposes are separate: no key serves two."""

    EVENT = "event"
    DECLARATION = "declaration"
    SEAL = "seal"
    MARK = "mark"
    STATUS = "status"
    LOG = "log"
    TRUST = "trust"

    @property
    def speaks(self) -> bool:
        """Whether a key of this purpose signs events."""
        return self in (Purpose.EVENT, Purpose.DECLARATION)


class BodyStatus(StrEnum):
    APPROVED = "approved"
    SUSPENDED = "suspended"
    DISQUALIFIED = "disqualified"


KeyState = TypedDict(
    "KeyState",
    {
        "v": int,
        "kind": str,
        "kid": str,
        "owner": str,
        "purpose": str,
        "key": dict[str, str],
        "from": str,
        "until": str | None,
        "retired_on": str | None,
        "compromised_since": str | None,
    },
)

CompetenceState = TypedDict(
    "CompetenceState", {"scheme": str, "from": str, "until": str | None, "codes": NotRequired[list[str]]}
)
"""`codes` are those that an approval is limited to; one that is not has none."""

BodyStatusState = TypedDict("BodyStatusState", {"status": str, "from": str})
BackfillState = TypedDict("BackfillState", {"from": str, "until": str})


class BodyState(TypedDict):
    v: int
    kind: str
    approval_no: str
    name: str
    schemes: list[CompetenceState]
    approved_from: str
    approved_until: str | None
    status: str
    statuses: list[BodyStatusState]
    backfills: list[BackfillState]


MemberState = TypedDict("MemberState", {"body": str, "from": str, "until": str | None})


class AllianceState(TypedDict):
    v: int
    kind: str
    id: str
    name: str
    mark: str | None
    members: list[MemberState]


class AuthorityState(TypedDict):
    v: int
    kind: str
    id: str
    name: str
    demonstration: bool


@dataclass(frozen=True, slots=True)
class Key:
    """A public key in the register: whose, for what, and when."""

    kid: str
    owner: str
    purpose: Purpose
    jwk: dict[str, str]
    valid_from: date
    valid_until: date | None
    retired_on: date | None
    compromised_since: datetime | None

    def valid_at(self, instant: datetime) -> bool:
        """Whether a signature appended at this instant counts: inside the window, before retirement and compromise."""
        return self.valid_from <= civil_day(instant) and not self.ended_at(instant)

    def ended_at(self, instant: datetime) -> bool:
        """Whether its window is over, or it was retired or compromised, at this instant."""
        day = civil_day(instant)
        return (
            (self.valid_until is not None and self.valid_until < day)
            or (self.retired_on is not None and self.retired_on <= day)
            or (self.compromised_since is not None and self.compromised_since <= instant)
        )


def key_from_state(state: KeyState) -> Key:
    return Key(
        kid=state["kid"],
        owner=state["owner"],
        purpose=Purpose(state["purpose"]),
        jwk=state["key"],
        valid_from=date.fromisoformat(state["from"]),
        valid_until=date.fromisoformat(state["until"]) if state["until"] else None,
        retired_on=date.fromisoformat(state["retired_on"]) if state["retired_on"] else None,
        compromised_since=instant_of(state["compromised_since"]) if state["compromised_since"] else None,
    )


def body_status_on(body: BodyState, day: date) -> BodyStatus | None:
    """A body's status on a day; None before its approval or after its end."""
    text = day.isoformat()
    if text < body["approved_from"] or (body["approved_until"] is not None and body["approved_until"] < text):
        return None
    begun = [s["status"] for s in body["statuses"] if s["from"] <= text]
    return BodyStatus(begun[-1]) if begun else None


def lost_approval_by(body: BodyState, scheme: str, day: date) -> date | None:
    """The first day on which a body was last without approval for a scheme, as far as a day has come; None where it
    never was: disqualified, its approval run out, or the scheme out of its scope. A suspension loses nothing."""
    return max((lost for lost in approval_ends(body, scheme) if lost <= day), default=None)


def approval_ends(body: BodyState, scheme: str) -> frozenset[date]:
    """The days on which a body's approval for a scheme ends, each the first without it."""
    last_days = [body["approved_until"], *(s["until"] for s in body["schemes"] if s["scheme"] == scheme)]
    ends = {date.fromisoformat(last) + timedelta(days=1) for last in last_days if last}
    ends |= {date.fromisoformat(s["from"]) for s in body["statuses"] if s["status"] == BodyStatus.DISQUALIFIED}
    return frozenset(end for end in ends if not _has_approval(body, scheme, end))


def _has_approval(body: BodyState, scheme: str, day: date) -> bool:
    return body_status_on(body, day) in (BodyStatus.APPROVED, BodyStatus.SUSPENDED) and _in_scope(body, scheme, day)


def is_competent(body: BodyState, scheme: str, day: date, codes: Collection[str] | None = None) -> bool:
    """Whether a body may issue under a scheme on a day (approval, status and scope together).

    `codes` are those of what it would issue, the scheme's sub-class and the product's class; None: for whatever code.
    """
    return body_status_on(body, day) is BodyStatus.APPROVED and _in_scope(body, scheme, day, codes)


def _in_scope(body: BodyState, scheme: str, day: date, codes: Collection[str] | None = None) -> bool:
    text = day.isoformat()
    return any(
        s["scheme"] == scheme
        and s["from"] <= text
        and (s["until"] is None or text <= s["until"])
        and (codes is None or not s.get("codes") or not set(codes).isdisjoint(s["codes"]))
        for s in body["schemes"]
    )


def in_backfill(body: BodyState, effective_at: date, today: date) -> bool:
    """Whether a date is history that the body may still load today: before the day on which a backfill was opened."""
    return any(effective_at.isoformat() < b["from"] and today.isoformat() <= b["until"] for b in body["backfills"])


def is_member(alliance: AllianceState, body: str, day: date) -> bool:
    text = day.isoformat()
    return any(
        m["body"] == body and m["from"] <= text and (m["until"] is None or text <= m["until"])
        for m in alliance["members"]
    )
