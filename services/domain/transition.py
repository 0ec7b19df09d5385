"""Which event leads from which status to which, and the interval that a status event adds."""

from collections.abc import Mapping
from datetime import date, timedelta
from enum import StrEnum
from types import MappingProxyType

from services.domain.certificate import (
    Certificate,
    Status,
    StatusInterval,
)
from services.domain.clocks import check_within
from services.domain.errors import (
    BadDates,
    SchemeRule,
    UnknownReason,
)
from services.domain.identifiers import add_months
from services.domain.reasons import ASKED_FOR, REASONS
from services.domain.said import (
    EventData,
    Moment,
    Said,
    day_of,
)
from services.domain.scheme import SchemeRules


class Verb(StrEnum):
    """What a source does to a certificate that exists; the value is the event type's last word."""

    SUSPEND = "suspended"
    RESUME = "resumed"
    REVOKE = "revoked"
    CANCEL = "cancelled"
    AMEND = "amended"
    PASS_SURVEILLANCE = "surveillance_passed"  # noqa: S105  # a verb, not a password
    RENEW = "renewed"
    TRANSFER = "transferred"
    RECEIVE = "received"
    SUPERSEDE = "superseded"


ALLOWED: Mapping[tuple[Status, Verb], Status] = MappingProxyType(
    {
        (Status.ACTIVE, Verb.SUSPEND): Status.SUSPENDED,
        (Status.ACTIVE, Verb.REVOKE): Status.REVOKED,
        (Status.ACTIVE, Verb.CANCEL): Status.CANCELLED,
        (Status.SUSPENDED, Verb.RESUME): Status.ACTIVE,
        (Status.SUSPENDED, Verb.REVOKE): Status.REVOKED,
        (Status.SUSPENDED, Verb.CANCEL): Status.CANCELLED,
        (Status.ACTIVE, Verb.AMEND): Status.ACTIVE,
        (Status.SUSPENDED, Verb.AMEND): Status.SUSPENDED,
        (Status.ACTIVE, Verb.PASS_SURVEILLANCE): Status.ACTIVE,
        (Status.SUSPENDED, Verb.PASS_SURVEILLANCE): Status.SUSPENDED,
        (Status.ACTIVE, Verb.RENEW): Status.ACTIVE,
        (Status.ACTIVE, Verb.TRANSFER): Status.ACTIVE,
        (Status.ACTIVE, Verb.RECEIVE): Status.ACTIVE,
        (Status.ACTIVE, Verb.SUPERSEDE): Status.CANCELLED,
        (Status.SUSPENDED, Verb.SUPERSEDE): Status.CANCELLED,
    }
)
"""Revoked and cancelled are final: no row starts there (domain rules §2.3)."""

REASON_LETTER = {Verb.SUSPEND: "S", Verb.REVOKE: "R", Verb.CANCEL: "C"}
AFTER_EXPIRY = (Verb.REVOKE, Verb.CANCEL, Verb.SUPERSEDE, Verb.RENEW)
"""The only verbs that an expired certificate still takes; renewal has its window and grace (`_renewed`)."""

AHEAD = timedelta(days=30)
"""How far ahead of the decision an event may take effect (contract: Lifecycle)."""


def check_ahead(effective_at: date, moment: Moment) -> None:
    if effective_at > moment.today + AHEAD:
        raise BadDates(
            f"takes effect on {effective_at}, more than 30 days after {moment.today}", pointer="/data/effective_at"
        )


def status_interval(
    certificate: Certificate,
    statuses: tuple[StatusInterval, ...],
    verb: Verb,
    status: Status,
    said: Said,
    rules: SchemeRules,
    moment: Moment,
) -> StatusInterval:
    """The interval that a status event adds to those of a certificate, a part or a mark."""
    data = said.data
    effective_at = date.fromisoformat(data["effective_at"])
    last = statuses[-1].since if statuses else effective_at
    if effective_at < last:
        raise BadDates(
            f"takes effect on {effective_at}, before the last status event's {last}", pointer="/data/effective_at"
        )
    determined_on, until, reason = day_of(data.get("determined_on")), day_of(data.get("until")), data.get("reason")
    verified_on = day_of(data.get("verified_on"))
    if verified_on is not None and verified_on > effective_at:
        raise BadDates("resumed before it was verified that the cause is gone", pointer="/data/verified_on")
    within = {Verb.SUSPEND: rules["suspend_within"], Verb.REVOKE: rules["revoke_within"]}.get(verb)
    if determined_on is None and within is not None and reason != ASKED_FOR:
        determined_on = effective_at  # who does not say when it knew has said that it knew on that day
    if determined_on is not None and determined_on > effective_at:
        raise BadDates("determined after it took effect", pointer="/data/determined_on")
    if not moment.history:
        check_within(determined_on, effective_at, within, moment.calendars)
    if verb is Verb.SUSPEND:
        if until is None or until < effective_at:
            raise BadDates("a suspension ends on a day after it began", pointer="/data/until")
        limit = suspension_limit(rules, reason)
        if limit is not None and until > add_months(effective_at, limit) - timedelta(days=1):
            raise SchemeRule(f"{certificate.scheme} suspends for at most {limit} months", pointer="/data/until")
        least = rules["suspension_least_months"]
        short = least is not None and until < add_months(effective_at, least) - timedelta(days=1)
        if short and until < (certificate.valid_until or date.max):  # what ends sooner is suspended to its end
            raise SchemeRule(f"{certificate.scheme} suspends for at least {least} months", pointer="/data/until")
    return StatusInterval(status, effective_at, until, reason, determined_on, said.digest)


def check_reason(verb: Verb, data: EventData) -> None:
    letter = REASON_LETTER.get(verb)
    reason = data.get("reason")
    if letter is not None and (reason is None or reason not in REASONS or not reason.startswith(letter)):
        known = ", ".join(code for code in REASONS if code.startswith(letter))
        raise UnknownReason(f"{reason!r} is no reason to be {verb}", pointer="/data/reason", hint=f"one of {known}")


def suspension_limit(rules: SchemeRules, reason: str | None) -> int | None:
    """Months that a suspension for this reason may last; None where the scheme sets no limit."""
    for limit in rules["suspension_limits"]:
        if reason in limit["reasons"]:
            return limit["months"]
    return rules["suspension_limit_months"]
