"""What a certificate's standing means for a listing: the verdict for each standing and each order of the goods' dates.

Compulsory schemes are judged by whether the goods may be sold. With voluntary ones the listing also shows certificate
and mark, which is allowed only while they stand; goods that were made in time are then for review. What attests an
organisation may be shown or not. docs/listings.md shows the whole table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType

from services.domain.consequence import Act, Allowed, Order, Reach, rule_for
from services.domain.standing import Standing


class Verdict(StrEnum):
    """What the check says of a listing. A lead is a lead until an officer decides."""

    OK = "ok"
    REVIEW = "review"
    LEAD = "lead"
    UNJUDGED = "unjudged"


@dataclass(frozen=True, slots=True)
class StandingVerdict:
    """A cell of the table. `rule` is None where there is nothing to report; `note` is a key of `NOTES`."""

    verdict: Verdict
    rule: str | None
    note: str | None


_BY_STANDING: Mapping[Standing, str] = MappingProxyType(
    {
        Standing.REVOKED: "L06",
        Standing.SUPERSEDED: "L06",
        Standing.CANCELLED: "L06",
        Standing.EXPIRED: "L07",
        Standing.SUSPENDED: "L05",
        Standing.NOT_YET_VALID: "L07",
    }
)
_BY_ORDER: Mapping[Order, tuple[str, str]] = MappingProxyType(
    {
        Order.EARLY: ("L07", "made_early"),
        Order.SUSPENDED: ("L05", "made_suspended"),
        Order.LATE: ("L07", "made_late"),
        Order.UNPROVED: ("L05", "unproved"),
        Order.DOUBTFUL: ("L07", "doubtful"),
    }
)
"""Rule and note where the certificate stands and the goods' dates do not fit."""

_MADE_IN_TIME = (Order.IN_TIME, Order.UNPROVED, Order.DOUBTFUL)


@lru_cache(maxsize=1024)
def standing_verdict(reach: Reach, now: Standing, order: Order, sell: Allowed | None = None) -> StandingVerdict:
    """The verdict. `sell` is what the scheme says otherwise of selling; the general rule where it is None."""
    verdict = _verdict(reach, now, order, sell or rule_for(reach, Act.SELL, now, order).allowed)
    if now is Standing.VALID:
        if verdict is Verdict.OK:
            return StandingVerdict(verdict, None, None)
        rule, note = _BY_ORDER.get(order, ("L07", "doubtful"))
        return StandingVerdict(verdict, rule, note)
    if verdict is Verdict.OK:
        return StandingVerdict(verdict, None, "shipped_before")
    return StandingVerdict(verdict, _BY_STANDING[now], now.value)


def _verdict(reach: Reach, now: Standing, order: Order, sell: Allowed) -> Verdict:
    if reach is Reach.ORGANISATION:
        return Verdict.OK if now is Standing.VALID else Verdict.LEAD
    if sell is Allowed.NO:
        return Verdict.LEAD
    if reach is Reach.COMPULSORY or now is Standing.VALID:
        return Verdict.OK if sell is Allowed.YES else Verdict.REVIEW
    return Verdict.REVIEW if order in _MADE_IN_TIME else Verdict.LEAD
