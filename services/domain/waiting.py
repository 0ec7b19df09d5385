"""How long a holder waits before it is certified again, by what it lost and through whose fault."""

from collections.abc import Iterator
from datetime import date

from services.domain.body import BodyState, lost_approval_by
from services.domain.certificate import Certificate, Party, Status, StatusInterval
from services.domain.errors import SchemeRule
from services.domain.identifiers import add_months, normalised
from services.domain.listing_words import name_form
from services.domain.said import Moment
from services.domain.scheme import SchemeRules
from services.domain.standing import Standing, interval_on, standing
from services.domain.world import World


def check_waiting(
    certificate: Certificate, world: World, rules: SchemeRules, moment: Moment, pointer: str = "/data/holder"
) -> None:
    """Whether the holder of a new certificate may have one of this scheme again already, from whatever body.

    Found by `sought_by`, without a code for its own faults alone; what was annulled does not count. As with competence,
    the day of issue is judged (the register is not told of applications) and the day of the decision: else an earlier
    `issued_on` would be the way around the wait. History inside an open backfill is taken as it happened.

    Raises:
        SchemeRule: it has to wait; the detail names the certificate that was lost and the first day that is allowed.
    """
    holder = certificate.holder
    sought = sought_by(holder) if makes_wait(rules) and not moment.history else None
    if sought is None:
        return
    bars = []
    for number in world.lost_by(sought, certificate.scheme):
        lost = world.certificate(number) if number != certificate.certificate_no else None
        if lost is None or lost.scheme != certificate.scheme or sought not in found_by(lost.holder):
            continue  # corrected since
        body = world.body(lost.body) if lost.body and holder.uscc else None
        for day in (certificate.issued_on, moment.today):
            for what, since, months in waits(lost, body, rules, day):
                if day < (until := add_months(since, months)):
                    bars.append((until, f"{number} of this holder {what} on {since}", since))
    if not bars:
        return
    until, lost_so, since = max(bars)
    hint = ""
    if certificate.issued_on < since:
        hint = "history belongs into a backfill that the authority opens"
    elif not holder.uscc:
        hint = "it is known by its name and address: name the credit code where another organisation has them"
    raise SchemeRule(
        f"{lost_so}: no new one before {until}", pointer=f"{pointer}/uscc" if holder.uscc else pointer, hint=hint
    )


def sought_by(holder: Party) -> str | None:
    """By what it is asked whether a holder has lost something: its credit code, else its name and address together.

    A legal person is one name with one domicile (民法典 58, 63); a name alone others may have elsewhere.
    """
    return holder.uscc or _seat(holder)


def found_by(holder: Party) -> tuple[str, ...]:
    """Under what it is written down that a holder has lost something: both, as who names its code now may leave it out
    the next time."""
    return tuple(found for found in (holder.uscc, _seat(holder)) if found)


def _seat(holder: Party) -> str | None:
    """In forms without spaces, so that none is a credit code."""
    return f"{name_form(holder.name)} {normalised(holder.address)}" if holder.address else None


def makes_wait(rules: SchemeRules) -> bool:
    """Whether anything that a holder lost may keep it from a new certificate of this scheme."""
    return any(
        (
            rules["reapply_months"],
            rules["reapply_revoked"],
            rules["reapply_suspended"],
            rules["reapply_body_lost_months"],
        )
    )


def waits(lost: Certificate, body: BodyState | None, rules: SchemeRules, day: date) -> Iterator[tuple[str, date, int]]:
    """(what happened to it, when, for how many months) of a certificate and the body that answers for it, by a day."""
    ended = interval_on(lost.statuses, day)
    # An issue that was annulled stands revoked, too, and is nobody's fault: it has no reason.
    if ended and ended.status is Status.REVOKED and ended.reason is not None:
        grave = rules["reapply_revoked"]
        if rules["reapply_months"]:
            yield "was revoked", ended.since, rules["reapply_months"]
        if grave and ended.reason in grave["reasons"]:
            yield f"was revoked ({ended.reason})", ended.since, grave["months"]
    fault, open_ = rules["reapply_suspended"], _not_lifted(lost, day)
    if fault and open_ and open_.reason in fault["reasons"]:
        yield f"was suspended ({open_.reason})", open_.since, fault["months"]
    gone = lost_approval_by(body, lost.scheme, day) if body else None
    # Of what another body has received since, the body is that one.
    if rules["reapply_body_lost_months"] and gone and standing(lost, gone) in (Standing.VALID, Standing.SUSPENDED):
        yield "lost its body, whose approval ended", gone, rules["reapply_body_lost_months"]


def _not_lifted(lost: Certificate, day: date) -> StatusInterval | None:
    """The suspension that was not lifted by a day, though it may have ended with the certificate: to cancel what is
    suspended must not be a way around the wait. One that was lifted is settled."""
    begun = [interval for interval in lost.statuses if interval.since <= day]
    while begun and begun[-1].status in (Status.CANCELLED, Status.REVOKED):
        begun.pop()
    return begun[-1] if begun and begun[-1].status is Status.SUSPENDED else None
