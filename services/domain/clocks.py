"""The clocks of a certificate: what runs out when by its scheme's rules, and what is overdue on a day."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from services.domain.basis import last_day_of_edition
from services.domain.calendar import Calendars, add_working_days
from services.domain.catalogue import CatalogueState, class_of
from services.domain.certificate import Certificate, Status, StatusInterval
from services.domain.errors import SchemeRule
from services.domain.reasons import FAILED_CHECK
from services.domain.scheme import Clock as ClockLimit
from services.domain.scheme import SchemeRules
from services.domain.standing import Standing, interval_on, standing


class ClockKind(StrEnum):
    """What a clock counts down to; the first seven can be overdue, the rest only tell a date."""

    SURVEILLANCE = "surveillance"
    SUSPENSION = "suspension"
    STANDARD = "standard"
    TRANSFER = "transfer"
    CATALOGUE = "catalogue"
    PARENT = "parent"
    AUDIT = "audit"
    RENEWAL_WINDOW = "renewal_window"
    RENEWAL_APPLICATION = "renewal_application"
    EXPIRY = "expiry"
    GRACE = "grace"


RULES: Mapping[ClockKind, str] = {
    ClockKind.SURVEILLANCE: "K01",
    ClockKind.SUSPENSION: "K02",
    ClockKind.STANDARD: "K03",
    ClockKind.TRANSFER: "K04",
    ClockKind.CATALOGUE: "K05",
    ClockKind.PARENT: "K06",
    ClockKind.AUDIT: "K11",
    ClockKind.RENEWAL_WINDOW: "K07",
    ClockKind.RENEWAL_APPLICATION: "K08",
    ClockKind.EXPIRY: "K09",
    ClockKind.GRACE: "K10",
}
"""The rule behind each kind (docs/clocks.md says where each comes from)."""

CAN_BE_OVERDUE = (
    ClockKind.SURVEILLANCE,
    ClockKind.SUSPENSION,
    ClockKind.STANDARD,
    ClockKind.TRANSFER,
    ClockKind.CATALOGUE,
    ClockKind.PARENT,
    ClockKind.AUDIT,
)
"""The register is not told of an application for renewal, and an expired certificate is over: the others wait for
nobody's report."""


@dataclass(frozen=True, slots=True)
class Clock:
    """One clock on one day.

    `due` is the last day on which all is in order, `days` how many are left until then (negative: past it).
    `what` names the part, mark, standard, receiving body or parent concerned, where it is not the whole certificate.
    """

    kind: ClockKind
    due: date
    overdue: bool
    days: int
    rule: str
    what: str | None = None


_ENDED = (Standing.REVOKED, Standing.SUPERSEDED, Standing.CANCELLED)


def clocks(
    certificate: Certificate,
    day: date,
    rules: SchemeRules,
    catalogue: CatalogueState | None = None,
    parent: Certificate | None = None,
) -> tuple[Clock, ...]:
    """The clocks of a certificate on a day, the earliest first.

    Only what it is on that day counts: one that has ended has no clocks, one that expired only its grace, and a
    suspended one owes its resumption or its end, not the surveillance besides. `rules` are the version in force on
    that day, `catalogue` the record that they name, `parent` the certificate that this one is a part of.
    """
    now = standing(certificate, day)
    if now in _ENDED:
        return ()
    running = _grace(certificate, day, rules) if now is Standing.EXPIRED else _living(certificate, day, now, rules)
    found = [
        Clock(kind, due, kind in CAN_BE_OVERDUE and due < day, (due - day).days, RULES[kind], what)
        for kind, due, what in [*running, *_from_elsewhere(certificate, day, now, rules, catalogue, parent)]
    ]
    return tuple(sorted(found, key=lambda clock: (clock.due, clock.kind, clock.what or "")))


def overdue(found: Sequence[Clock]) -> tuple[Clock, ...]:
    return tuple(clock for clock in found if clock.overdue)


def next_due(certificate: Certificate, versions: Sequence[SchemeRules], today: date) -> date | None:
    """The earliest day on which a clock of this certificate may run out: after it something may be overdue.

    Holds from `today` on, as long as the certificate stays as it is, whichever of its scheme's `versions` is in force
    then: whatever time a version leaves counts as none. None where nothing can become overdue, so that history which is
    loaded late waits in no list. Only a first sieve: `clocks` says for a day. It does not see what the certificate
    itself does not tell: a mode that its catalogue has ended, its parent's end, an edition that only a later version
    puts out of use. Who lists what is overdue looks for these besides.
    """
    end = certificate.valid_until
    if end is not None and end < today:
        return None
    last = certificate.statuses[-1]
    if last.status in (Status.REVOKED, Status.CANCELLED) and last.since <= today:
        return None
    running = [due for _, due, _ in _suspensions(certificate, today, date.max, audit_days=0)]
    running += [due for rules in versions for _, due, _ in _standards(certificate, rules)]
    if certificate.surveillance_due is not None:
        running.append(certificate.surveillance_due)
    if certificate.transfer is not None:
        running.append(certificate.transfer.effective_at)
    return min((due for due in running if end is None or due < end), default=None)


_Running = tuple[ClockKind, date, str | None]


def _living(certificate: Certificate, day: date, now: Standing, rules: SchemeRules) -> Iterator[_Running]:
    yield from _renewal(certificate, rules)
    yield from _suspensions(certificate, day, day, rules["failed_check_audit_days"])
    if now is Standing.VALID:
        yield from _surveillance(certificate, rules)
        yield from _standards(certificate, rules)


def _from_elsewhere(
    certificate: Certificate,
    day: date,
    now: Standing,
    rules: SchemeRules,
    catalogue: CatalogueState | None,
    parent: Certificate | None,
) -> Iterator[_Running]:
    """Clocks that others set going: a transfer, the catalogue, the parent."""
    if now is Standing.EXPIRED:
        return
    yield from _transfer(certificate, rules)
    yield from _catalogue(certificate, rules, catalogue)
    if parent is not None:
        yield from _parent_end(parent, day)


def _surveillance(certificate: Certificate, rules: SchemeRules) -> Iterator[_Running]:
    due = certificate.surveillance_due
    if due is not None:
        yield ClockKind.SURVEILLANCE, _later(due, rules["surveillance_grace_days"]), None


def _suspensions(certificate: Certificate, first: date, last: date, audit_days: int | None) -> Iterator[_Running]:
    """Of the suspensions that run on any day of a stretch, by whole certificate, part and mark: when each ends, and
    where it is for a failed check when the audit is due, until a surveillance is passed after it was known."""
    for statuses, what in _timelines(certificate):
        ends = [*(interval.since for interval in statuses[1:]), None]
        for interval, end in zip(statuses, ends, strict=True):
            if interval.status is not Status.SUSPENDED or interval.since > last or (end and end <= first):
                continue
            if interval.until is not None:
                yield ClockKind.SUSPENSION, interval.until, what
            known = interval.determined_on or interval.since
            audited = any(known <= passed <= last for passed in certificate.surveillances)
            if interval.reason == FAILED_CHECK and audit_days is not None and not audited:
                yield ClockKind.AUDIT, _later(known, audit_days), what


def _timelines(certificate: Certificate) -> Iterator[tuple[Sequence[StatusInterval], str | None]]:
    yield certificate.statuses, None
    for part in certificate.covered(certificate.parts):
        yield part.statuses, part.name
    for mark in certificate.marks:
        if mark.mark_no != certificate.certificate_no:  # the mark that a scheme implies is suspended with it
            yield mark.statuses, mark.mark_no


def _standards(certificate: Certificate, rules: SchemeRules) -> Iterator[_Running]:
    for basis in certificate.basis:
        last = last_day_of_edition(basis, rules)
        if last is not None:
            yield ClockKind.STANDARD, last, f"{basis.standard}-{basis.edition}"


def _transfer(certificate: Certificate, rules: SchemeRules) -> Iterator[_Running]:
    transfer = certificate.transfer
    if transfer is not None:
        yield ClockKind.TRANSFER, _later(transfer.effective_at, rules["receive_within_days"]), transfer.to


def _catalogue(certificate: Certificate, rules: SchemeRules, catalogue: CatalogueState | None) -> Iterator[_Running]:
    """The day on which the catalogue stops taking certificates of this scheme's mode for the product's class."""
    mode = rules["catalogue_mode"]
    name = certificate.product.product_class if certificate.product else None
    if catalogue is None or mode is None or name is None:
        return
    listed = class_of(catalogue, name)
    if listed is None or listed["removed_on"] is not None:
        return  # what leaves the catalogue is cancelled with it
    last = [one["until"] for one in listed["modes"] if one["mode"] == mode][-1:]
    if last and last[0] is not None:
        yield ClockKind.CATALOGUE, date.fromisoformat(last[0]), name


def _parent_end(parent: Certificate, day: date) -> Iterator[_Running]:
    """A certificate that is part of another falls with it; its body has then to end it or find it another parent."""
    now = standing(parent, day)
    if now in _ENDED:
        interval = interval_on(parent.statuses, day)
        if interval is not None:
            yield ClockKind.PARENT, _later(interval.since, -1), parent.certificate_no
    elif now is Standing.EXPIRED and parent.valid_until is not None:
        yield ClockKind.PARENT, parent.valid_until, parent.certificate_no


def _renewal(certificate: Certificate, rules: SchemeRules) -> Iterator[_Running]:
    end = certificate.valid_until
    if end is None:
        return
    yield ClockKind.EXPIRY, end, None
    window, apply = rules["renewal_window_days"], rules["renewal_apply_days"]
    if window is not None:
        yield ClockKind.RENEWAL_WINDOW, _later(end, -window), None
    if apply is not None:
        yield ClockKind.RENEWAL_APPLICATION, _later(end, -apply), None


def _grace(certificate: Certificate, day: date, rules: SchemeRules) -> Iterator[_Running]:
    end, grace = certificate.valid_until, rules["grace_days"]
    if end is not None and day <= _later(end, grace):
        yield ClockKind.GRACE, _later(end, grace), None


def _later(day: date, days: int) -> date:
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return date.max if days > 0 else date.min


# --- limits on reporting -----------------------------------------------------------------------------------------


def check_within(
    determined_on: date | None, effective_at: date, limit: ClockLimit | None, calendars: Calendars
) -> None:
    """Whether a suspension or revocation took effect in the time that the scheme allows after it was determined.

    The day of determination is not counted. Without a limit, or without that day, there is nothing to check.

    Raises:
        SchemeRule: too late; the detail names the last day, and the years whose working days are only assumed.
    """
    if determined_on is None or limit is None:
        return
    counted, assumed = "days", ""
    if limit["working"]:
        deadline = add_working_days(determined_on, limit["days"], calendars)
        last, counted = deadline.day, "working days"
        if deadline.assumed:
            assumed = f" (Monday to Friday: no calendar is published for {', '.join(map(str, deadline.assumed))})"
    else:
        last = _later(determined_on, limit["days"])
    if effective_at > last:
        raise SchemeRule(
            f"determined on {determined_on}, takes effect on {effective_at}: after {last}, {limit['days']} {counted}"
            f" later{assumed}",
            pointer="/data/effective_at",
            hint="correct determined_on if it is mistyped; history belongs into a backfill that the authority opens",
        )
