"""The answer for a day: a certificate's or mark's standing, computed from what was declared."""

from collections.abc import Sequence
from datetime import date
from enum import StrEnum

from services.domain.certificate import Certificate, Course, Mark, Part, Status, StatusInterval


class Standing(StrEnum):
    """In the order of precedence: the first that holds is the answer."""

    REVOKED = "revoked"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    SUSPENDED = "suspended"
    NOT_YET_VALID = "not_yet_valid"
    VALID = "valid"


PRECEDENCE = list(Standing)


def interval_on(statuses: Sequence[StatusInterval], day: date) -> StatusInterval | None:
    """The interval in force on a day: the last accepted one that had begun; None before the first."""
    for interval in reversed(statuses):
        if interval.since <= day:
            return interval
    return None


def standing(certificate: Certificate | Course, day: date) -> Standing:
    """What a certificate is on a civil day at UTC+8, for itself. It still holds on the day `valid_until`."""
    interval = interval_on(certificate.statuses, day)
    if interval is None:
        return Standing.NOT_YET_VALID
    if interval.status is Status.REVOKED:
        return Standing.REVOKED
    if interval.status is Status.CANCELLED:
        return Standing.SUPERSEDED if certificate.superseded_by else Standing.CANCELLED
    covered = _covered(certificate, day)
    return worse(covered, Standing.SUSPENDED) if interval.status is Status.SUSPENDED else covered


def _covered(certificate: Certificate | Course, day: date) -> Standing:
    """Whether a day lies in a period of validity, before the first, or after one and before the next."""
    if day >= certificate.valid_from:
        ended = certificate.valid_until is not None and certificate.valid_until < day
        return Standing.EXPIRED if ended else Standing.VALID
    begun = [period for period in certificate.periods if period.since <= day]
    if any(period.until is None or day <= period.until for period in begun):
        return Standing.VALID
    return Standing.EXPIRED if begun else Standing.NOT_YET_VALID


def worse(*standings: Standing) -> Standing:
    """The one that comes first in the order of precedence."""
    return min(standings, key=PRECEDENCE.index)


def standing_under(certificate: Certificate, parent: Certificate | None, day: date) -> Standing:
    """A sub-certificate falls with its parent: the worse of its own standing and its parent's."""
    own = standing(certificate, day)
    return worse(own, standing(parent, day)) if parent is not None else own


def part_standing(certificate: Certificate, part: Part | None, day: date) -> Standing:
    """A scope item, site or basis module falls with its certificate, and may be suspended by itself.

    One whose first interval is active entered by an amendment: before that day it was not covered. One that an
    amendment took out stands as cancelled from then on (domain rules §2.3: 缩小 ends that part).
    """
    whole = standing(certificate, day)
    if part is None or not part.statuses:
        return whole
    interval = interval_on(part.statuses, day)
    if interval is None:
        return worse(whole, Standing.NOT_YET_VALID) if part.statuses[0].status is Status.ACTIVE else whole
    if interval.status is Status.ACTIVE:
        return whole
    return worse(whole, Standing.CANCELLED if interval.status is Status.CANCELLED else Standing.SUSPENDED)


def model_standing(certificate: Certificate, part: Part | None, day: date) -> Standing:
    """A model's standing by whatever GTIN: by one row of it, and on days that this did not cover by another.

    A body that adds a GTIN takes the item out and in again: what was made before was the same model.
    """
    found = part_standing(certificate, part, day)
    if part is None or _covered_by(part, day):
        return found
    rows = [row for row in certificate.parts if row.kind is part.kind and row.name == part.name]
    items = certificate.product.items if certificate.product else ()
    if any(item.model == part.name and all(row.gtin != item.gtin for row in rows) for item in items):
        return standing(certificate, day)
    return max((part_standing(certificate, row, day) for row in rows), key=PRECEDENCE.index)


def _covered_by(part: Part, day: date) -> bool:
    interval = interval_on(part.statuses, day)
    return interval.status is not Status.CANCELLED if interval else part.statuses[0].status is not Status.ACTIVE


def mark_standing(certificate: Certificate, mark: Mark, day: date) -> Standing:
    """The worse of the mark's own standing and its certificate's, so that nothing has to cascade."""
    return worse(standing(certificate, day), own_mark_standing(mark, day))


def own_mark_standing(mark: Mark, day: date) -> Standing:
    """A mark authorization's standing by itself; a withdrawn one stands as `cancelled`."""
    interval = interval_on(mark.statuses, day)
    if interval is None:
        return Standing.NOT_YET_VALID
    if interval.status in (Status.WITHDRAWN, Status.CANCELLED):
        return Standing.CANCELLED
    if interval.status is Status.REVOKED:
        return Standing.REVOKED
    if mark.valid_until is not None and mark.valid_until < day:
        return Standing.EXPIRED
    if interval.status is Status.SUSPENDED:
        return Standing.SUSPENDED
    return Standing.NOT_YET_VALID if day < mark.valid_from else Standing.VALID
