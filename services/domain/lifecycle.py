"""The life of a certificate: what stands after any event about it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import cast

from services.domain.amendment import amended
from services.domain.authorization import change_mark, with_codes, with_mark, with_voided_code
from services.domain.basis import check_basis
from services.domain.certificate import (
    Certificate,
    Json,
    Part,
    PartKind,
    PartNamed,
    Period,
    Status,
    StatusInterval,
    Transfer,
    rows_of,
)
from services.domain.errors import (
    BadDates,
    NothingToChange,
    SchemeRule,
    TransitionNotAllowed,
)
from services.domain.identifiers import add_months, certificate_number
from services.domain.issuance import bases_of, check_approver, first_surveillance, issued
from services.domain.said import (
    EventData,
    ItemChange,
    Moment,
    Said,
    day_of,
)
from services.domain.scheme import SchemeRules
from services.domain.transition import (
    AFTER_EXPIRY,
    ALLOWED,
    Verb,
    check_ahead,
    check_reason,
    status_interval,
)


def apply(certificate: Certificate | None, said: Said, rules: SchemeRules, moment: Moment) -> Certificate:
    """The certificate after any event about it, by the scheme's rules and what is in the event alone.

    Who may say it, and what the rest of the register has to say, is `decision.py`'s to judge.

    Raises:
        Refusal: the event is not allowed on this certificate.
    """
    family, _, word = said.type.removeprefix("certmark.").removesuffix(".v1").partition(".")
    if (family, word) in BEGINNINGS:
        if certificate is not None:
            raise TransitionNotAllowed(f"{said.subject} was issued before", pointer="/type")
        return issued(said.subject, said, rules, moment, declaration=family == "declaration")
    if certificate is None:
        raise TransitionNotAllowed(f"{said.subject} was never issued", pointer="/type")
    if family == "declaration":
        return change(certificate, Verb.CANCEL, said, rules, moment)
    if family == "certificate":
        return change(certificate, Verb(word), said, rules, moment)
    if word == "authorized":
        return with_mark(certificate, said, rules, moment)
    if word == "codes_issued":
        return with_codes(certificate, said, rules, moment)
    if word == "code_voided":
        return with_voided_code(certificate, said, moment)
    return change_mark(certificate, word, said, rules, moment)


BEGINNINGS = frozenset({("certificate", "issued"), ("declaration", "made")})


def change(certificate: Certificate, verb: Verb, said: Said, rules: SchemeRules, moment: Moment) -> Certificate:
    """The certificate after one of the verbs.

    Raises:
        TransitionNotAllowed, UnknownReason, BadDates, SchemeRule, NothingToChange: see each.
    """
    effective_at = date.fromisoformat(said.data["effective_at"])
    check_ahead(effective_at, moment)
    begun, announced = _announced_end(certificate.statuses, effective_at)
    if announced and verb not in BEFORE_THE_END:
        begun, announced = certificate.statuses, ()
    now = begun[-1].status
    parts = verb in (Verb.SUSPEND, Verb.RESUME) and bool(said.data.get("items"))
    status = now if parts else ALLOWED.get((now, verb))
    if status is None or (parts and (now, Verb.AMEND) not in ALLOWED):
        raise TransitionNotAllowed(f"{verb} of {certificate.certificate_no}, which is {now}", pointer="/type")
    expired = certificate.valid_until is not None and certificate.valid_until < effective_at
    if expired and verb not in AFTER_EXPIRY:
        raise TransitionNotAllowed(
            f"{verb} of {certificate.certificate_no}, which expired on {certificate.valid_until}", pointer="/type"
        )
    match verb:
        case Verb.AMEND:
            return amended(certificate, said.data, moment, said.digest)
        case Verb.PASS_SURVEILLANCE:
            return _passed(certificate, effective_at, said.data, rules, moment)
        case Verb.RENEW:
            return _renewed(certificate, said, rules, moment)
        case Verb.TRANSFER:
            return _transferred(certificate, said)
        case Verb.RECEIVE:
            return _received(certificate, said, rules)
    if parts:
        return _parts_changed(certificate, verb, said, rules, moment)
    interval = status_interval(certificate, begun, verb, status, said, rules, moment)
    if certificate.declaration and verb is Verb.CANCEL:
        pass  # who withdraws a declaration of its own owes nobody a code
    else:
        check_reason(verb, said.data)
    if verb is Verb.REVOKE:  # the graver end: the one that was announced never comes to be
        return replace(certificate, statuses=(*begun, interval), superseded_by=None)
    after = replace(certificate, statuses=(*begun, interval, *announced))
    return replace(after, superseded_by=certificate_number(said.data["by"])) if verb is Verb.SUPERSEDE else after


BEFORE_THE_END = (Verb.REVOKE, Verb.SUSPEND, Verb.RESUME, Verb.AMEND, Verb.PASS_SURVEILLANCE)
"""What a certificate still takes until an end that was announced comes: of its class, or by its body."""


def _announced_end(
    statuses: tuple[StatusInterval, ...], day: date
) -> tuple[tuple[StatusInterval, ...], tuple[StatusInterval, ...]]:
    """The intervals before an end without fault that has been announced and has not come by a day, and that end."""
    place = len(statuses)
    while place > 1 and statuses[place - 1].status is Status.CANCELLED and statuses[place - 1].since > day:
        place -= 1
    return statuses[:place], statuses[place:]


def _parts_changed(certificate: Certificate, verb: Verb, said: Said, rules: SchemeRules, moment: Moment) -> Certificate:
    """Items, sites or basis modules are suspended or resumed, the rest of the certificate is not."""
    check_reason(verb, said.data)
    wanted = Status.SUSPENDED if verb is Verb.SUSPEND else Status.ACTIVE
    rows = rows_of(certificate.parts)
    gtins: dict[str, list[str | None]] = {}  # of each model, all that it has: found at once, however many there are
    for item in certificate.product.items if certificate.product else ():
        gtins.setdefault(item.model, []).append(item.gtin)
    for at, named in enumerate(said.data.get("items") or ()):
        pointer = f"/data/items/{at}"
        parts = _parts_named(certificate, named, gtins, pointer)
        others = [part for part in dict.fromkeys(parts) if _last(rows.get(part, ())) is not wanted]
        if not others:
            raise TransitionNotAllowed(f"{parts[0][1]} is {wanted}", pointer=pointer)
        for part in others:
            before = rows.get(part, ())
            rows[part] = (*before, status_interval(certificate, before, verb, wanted, said, rules, moment))
    return replace(certificate, parts=tuple(Part(*part, statuses) for part, statuses in rows.items()))


def _last(statuses: Sequence[StatusInterval]) -> Status:
    """What a part was last declared; one without a row of its own is active."""
    return statuses[-1].status if statuses else Status.ACTIVE


def _parts_named(
    certificate: Certificate, named: ItemChange, gtins: Mapping[str, Sequence[str | None]], pointer: str
) -> tuple[PartNamed, ...]:
    """Which parts an event means: exactly one of model, site address or standard; without a GTIN all of a model's.

    Raises:
        SchemeRule: it names none or several kinds. NothingToChange: the certificate has no such part.
    """
    model, site, standard, gtin = named.get("model"), named.get("site"), named.get("standard"), named.get("gtin")
    if [model, site, standard].count(None) != 2:
        raise SchemeRule("a part is named by its model, its site's address or its standard", pointer=pointer)
    name = str(model or site or standard)
    found: tuple[PartNamed, ...] = ()
    if model:
        found = tuple((PartKind.ITEM, name, one) for one in gtins.get(name, ()) if gtin in (None, one))
    elif site and any(cast(Mapping[str, Json], site)["address"] == name for site in certificate.sites):
        found = ((PartKind.SITE, name, None),)
    elif standard and any(b.standard == name for b in certificate.basis):
        found = ((PartKind.BASIS, name, None),)
    if not found:
        raise NothingToChange(f"{name} is not covered", pointer=pointer)
    return found


def _renewed(certificate: Certificate, said: Said, rules: SchemeRules, moment: Moment) -> Certificate:
    """A new period of validity, within the scheme's window before the end or its grace after it."""
    data = said.data
    effective_at, valid_until = date.fromisoformat(data["effective_at"]), day_of(data.get("valid_until"))
    issued_on = day_of(data.get("issued_on")) or effective_at
    end, window = certificate.valid_until, rules["renewal_window_days"]
    if end is None:
        raise NothingToChange(f"{certificate.certificate_no} has no end to renew", pointer="/type")
    if window is not None and effective_at < end - timedelta(days=window):
        raise SchemeRule(f"renewed more than {window} days before {end}", pointer="/data/effective_at")
    if effective_at > end + timedelta(days=rules["grace_days"]):
        raise TransitionNotAllowed(f"it expired on {end}: a new certificate is needed", pointer="/data/effective_at")
    valid_from = day_of(data.get("valid_from")) or effective_at
    if valid_until is None or valid_until <= end:
        raise BadDates(f"a renewal ends after {end}", pointer="/data/valid_until")
    if not certificate.valid_from <= valid_from <= valid_until or issued_on > moment.today:
        raise BadDates("the dates of the new period contradict each other", pointer="/data/valid_from")
    if valid_from < effective_at and end < effective_at:
        raise BadDates(f"it expired on {end}: until {effective_at} it was not valid", pointer="/data/valid_from")
    months = rules["validity_months"]
    if months is not None and valid_until > add_months(max(valid_from, end + timedelta(days=1)), months) - timedelta(1):
        raise SchemeRule(
            f"this scheme's certificates are valid for at most {months} months", pointer="/data/valid_until"
        )
    basis = bases_of(data["basis"]) if data.get("basis") else certificate.basis
    check_basis(basis, issued_on, rules, moment)
    check_approver(said, rules)
    period = Period(certificate.valid_from, end, certificate.issued_on, said.digest)
    marks = tuple(
        replace(mark, valid_until=valid_until) if mark.mark_no == certificate.certificate_no else mark
        for mark in certificate.marks
    )
    after = replace(
        certificate,
        periods=(*certificate.periods, period),
        issued_on=issued_on,
        valid_from=valid_from,
        valid_until=valid_until,
        surveillance_due=day_of(data.get("surveillance_due")) or first_surveillance(valid_from, rules, moment.today),
        approver=data.get("approver") or certificate.approver,
        basis=basis,
        audit_refs=(*certificate.audit_refs, *(data.get("audit_refs") or ())),
        marks=marks,
    )
    return replace(after, parts=after.covered(after.parts))


def _transferred(certificate: Certificate, said: Said) -> Certificate:
    to = said.data["to"]
    if certificate.declaration or to == certificate.body:
        raise NothingToChange(f"{certificate.certificate_no} cannot go to {to}", pointer="/data/to")
    return replace(certificate, transfer=Transfer(to, said.digest, date.fromisoformat(said.data["effective_at"])))


def _received(certificate: Certificate, said: Said, rules: SchemeRules) -> Certificate:
    """Until now the giver answered for it; from now on the receiver does."""
    transfer = certificate.transfer
    if transfer is None or transfer.digest != said.data["of"] or transfer.to != said.source_id:
        raise TransitionNotAllowed(
            f"{certificate.certificate_no} is not on its way to {said.source_id} by that event", pointer="/data/of"
        )
    effective_at = date.fromisoformat(said.data["effective_at"])
    last = transfer.effective_at + timedelta(days=rules["receive_within_days"])
    if not transfer.effective_at <= effective_at <= last:
        raise BadDates(f"received between {transfer.effective_at} and {last}", pointer="/data/effective_at")
    return replace(certificate, responsible=said.source, body=said.source_id, transfer=None)


def _passed(certificate: Certificate, day: date, data: EventData, rules: SchemeRules, moment: Moment) -> Certificate:
    if day < certificate.issued_on:
        raise BadDates("surveillance passed before the certificate was issued", pointer="/data/effective_at")
    if day > moment.today:
        raise BadDates("surveillance is reported when it was passed", pointer="/data/effective_at")
    due = day_of(data.get("next_due")) or next_surveillance(certificate, day, rules)
    return replace(certificate, surveillances=(*certificate.surveillances, day), surveillance_due=due)


def next_surveillance(certificate: Certificate, passed: date, rules: SchemeRules) -> date | None:
    """The anniversary of `valid_from` that follows the one which this surveillance served (domain rules §2.3).

    One that comes late serves what was missed: then the very next anniversary is due, or two would lie further apart
    than the scheme allows.
    """
    since, missed = certificate.valid_from, certificate.surveillance_due
    served = first_surveillance(since, rules, passed)
    if served is None:
        return None
    was_due = first_surveillance(since, rules, missed) if missed else None
    if was_due is not None and was_due < passed < served:
        return served
    return first_surveillance(since, rules, served + timedelta(days=1))


def latest_surveillance(
    before: Certificate | None, after: Certificate, event_type: str, rules: SchemeRules, today: date
) -> date | None:
    """The last day for which an event may set the next surveillance; None where the scheme asks for none.

    That of its interval after the last one that was passed, or the anniversary of `valid_from` where that is later. An
    amendment puts none off: what was mistyped is corrected.
    """
    months = rules["surveillance_months"]
    if months is None:
        return None
    if before is None or after.valid_from != before.valid_from:
        return first_surveillance(after.valid_from, rules, today)
    if len(after.surveillances) > len(before.surveillances):
        passed = after.surveillances[-1]
        return max(add_months(passed, months), next_surveillance(before, passed, rules) or passed)
    return before.surveillance_due
