"""The answer for a day: a certificate's or mark's standing, computed from what was declared."""

from collections.abc import Sequence
from datetime import date
from enum import StrEnum

from services.domain.certificate import Certificate, Mark, Status, StatusInterval


class Standing(StrEnum):
    """In the order of precedence: the first that holds is the answer."""

    REVOKED = "revoked"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    SUSPENDED = "suspended"
    NOT_YET_VALID = "not_yet_valid"
    VALID = "valid"


_PRECEDENCE = list(Standing)


def interval_on(statuses: Sequence[StatusInterval], day: date) -> StatusInterval | None:
    """The interval in force on a day: the last accepted one that had begun; None before the first."""
    return next((interval for interval in reversed(statuses) if interval.since <= day), None)


def standing(certificate: Certificate, day: date) -> Standing:
    """What a certificate is on a civil day at UTC+8. It still holds on the day `valid_until`."""
    interval = interval_on(certificate.statuses, day)
    if interval is None:
        return Standing.NOT_YET_VALID
    if interval.status is Status.REVOKED:
        return Standing.REVOKED
    if interval.status is Status.CANCELLED:
        return Standing.SUPERSEDED if certificate.superseded_by else Standing.CANCELLED
    if certificate.valid_until is not None and certificate.valid_until < day:
        return Standing.EXPIRED
    if interval.status is Status.SUSPENDED:
        return Standing.SUSPENDED
    if day < certificate.valid_from:
        return Standing.NOT_YET_VALID
    return Standing.VALID


def mark_standing(certificate: Certificate, mark: Mark, day: date) -> Standing:
    """The worse of the mark's own standing and its certificate's, so that nothing has to cascade."""
    return min(standing(certificate, day), own_mark_standing(mark, day), key=_PRECEDENCE.index)


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
