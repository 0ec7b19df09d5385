"""The life of a certificate and of its marks: which event is allowed when, and what stands after it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar, cast

from services.domain.certificate import (
    Basis,
    Certificate,
    Item,
    Json,
    Mark,
    Part,
    PartKind,
    Party,
    Period,
    Product,
    Status,
    StatusInterval,
    Transfer,
)
from services.domain.clocks import check_within
from services.domain.errors import (
    BadDates,
    NothingToChange,
    SchemeRule,
    TransitionNotAllowed,
    UnknownMark,
    UnknownReason,
)
from services.domain.identifiers import add_months, certificate_number
from services.domain.reasons import REASONS
from services.domain.said import (
    AmendedFields,
    BasisData,
    EventData,
    ItemChange,
    ItemData,
    Moment,
    PartyData,
    Said,
    SiteData,
    day_of,
)
from services.domain.scheme import SchemeRules
from services.domain.standing import Standing, standing


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
        return with_codes(certificate, said)
    return change_mark(certificate, word, said, rules, moment)


BEGINNINGS = frozenset({("certificate", "issued"), ("declaration", "made")})


def change(certificate: Certificate, verb: Verb, said: Said, rules: SchemeRules, moment: Moment) -> Certificate:
    """The certificate after one of the verbs.

    Raises:
        TransitionNotAllowed, UnknownReason, BadDates, SchemeRule, NothingToChange: see each.
    """
    effective_at = date.fromisoformat(said.data["effective_at"])
    check_ahead(effective_at, moment)
    parts = verb in (Verb.SUSPEND, Verb.RESUME) and bool(said.data.get("items"))
    status = certificate.status if parts else ALLOWED.get((certificate.status, verb))
    if status is None or (parts and (certificate.status, Verb.AMEND) not in ALLOWED):
        raise TransitionNotAllowed(
            f"{verb} of {certificate.certificate_no}, which is {certificate.status}", pointer="/type"
        )
    expired = certificate.valid_until is not None and certificate.valid_until < effective_at
    if expired and verb not in AFTER_EXPIRY:
        raise TransitionNotAllowed(
            f"{verb} of {certificate.certificate_no}, which expired on {certificate.valid_until}", pointer="/type"
        )
    match verb:
        case Verb.AMEND:
            return _amended(certificate, said.data, moment)
        case Verb.PASS_SURVEILLANCE:
            return _passed(certificate, effective_at, said.data, rules)
        case Verb.RENEW:
            return _renewed(certificate, said, rules, moment)
        case Verb.TRANSFER:
            return _transferred(certificate, said)
        case Verb.RECEIVE:
            return _received(certificate, said, rules)
    if parts:
        return _parts_changed(certificate, verb, said, rules, moment)
    interval = _interval(certificate.scheme, certificate.statuses, verb, status, said, rules, moment)
    if certificate.declaration and verb is Verb.CANCEL:
        pass  # who withdraws a declaration of its own owes nobody a code
    else:
        _check_reason(verb, said.data)
    after = replace(certificate, statuses=(*certificate.statuses, interval))
    return replace(after, superseded_by=_number(said.data["by"])) if verb is Verb.SUPERSEDE else after


_number = certificate_number


def check_ahead(effective_at: date, moment: Moment) -> None:
    if effective_at > moment.today + AHEAD:
        raise BadDates(
            f"takes effect on {effective_at}, more than 30 days after {moment.today}", pointer="/data/effective_at"
        )


def _interval(
    scheme: str,
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
    if determined_on is not None:
        if determined_on > effective_at:
            raise BadDates("determined after it took effect", pointer="/data/determined_on")
        within = {Verb.SUSPEND: rules["suspend_within"], Verb.REVOKE: rules["revoke_within"]}.get(verb)
        if not moment.history:
            check_within(determined_on, effective_at, within, moment.calendars)
    if verb is Verb.SUSPEND:
        if until is None or until < effective_at:
            raise BadDates("a suspension ends on a day after it began", pointer="/data/until")
        limit = suspension_limit(rules, reason)
        if limit is not None and until > add_months(effective_at, limit) - timedelta(days=1):
            raise SchemeRule(f"{scheme} suspends for at most {limit} months", pointer="/data/until")
    return StatusInterval(status, effective_at, until, reason, determined_on, said.digest)


def _check_reason(verb: Verb, data: EventData) -> None:
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


def _parts_changed(certificate: Certificate, verb: Verb, said: Said, rules: SchemeRules, moment: Moment) -> Certificate:
    """Items, sites or basis modules are suspended or resumed, the rest of the certificate is not."""
    _check_reason(verb, said.data)
    wanted = Status.SUSPENDED if verb is Verb.SUSPEND else Status.ACTIVE
    parts = list(certificate.parts)
    for at, named in enumerate(said.data.get("items") or ()):
        pointer = f"/data/items/{at}"
        kind, name, gtin = _part_named(certificate, named, pointer)
        row = certificate.part(kind, name, gtin)
        standing_now = row.statuses[-1].status if row else Status.ACTIVE
        if standing_now is wanted:
            raise TransitionNotAllowed(f"{name} is {standing_now}", pointer=pointer)
        before = row.statuses if row else ()
        interval = _interval(certificate.scheme, before, verb, wanted, said, rules, moment)
        after = Part(kind, name, gtin, (*before, interval))
        parts = [after if p is row else p for p in parts] if row else [*parts, after]
    return replace(certificate, parts=tuple(parts))


def _part_named(certificate: Certificate, named: ItemChange, pointer: str) -> tuple[PartKind, str, str | None]:
    """Which part an event means: exactly one of model (with its GTIN), site address or standard.

    Raises:
        SchemeRule: it names none or several kinds. NothingToChange: the certificate has no such part.
    """
    model, site, standard, gtin = named.get("model"), named.get("site"), named.get("standard"), named.get("gtin")
    if [model, site, standard].count(None) != 2:
        raise SchemeRule("a part is named by its model, its site's address or its standard", pointer=pointer)
    name = str(model or site or standard)
    if model:
        items = certificate.product.items if certificate.product else ()
        found = next((i for i in items if i.model == name and gtin in (None, i.gtin)), None)
        if found is not None:
            return PartKind.ITEM, name, found.gtin
    elif site:
        if any(cast(Mapping[str, Json], site)["address"] == name for site in certificate.sites):
            return PartKind.SITE, name, None
    elif any(b.standard == name for b in certificate.basis):
        return PartKind.BASIS, name, None
    raise NothingToChange(f"{name} is not covered", pointer=pointer)


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
    months = rules["validity_months"]
    if months is not None and valid_until > add_months(max(valid_from, end + timedelta(days=1)), months) - timedelta(1):
        raise SchemeRule(
            f"this scheme's certificates are valid for at most {months} months", pointer="/data/valid_until"
        )
    period = Period(certificate.valid_from, end, certificate.issued_on, said.digest)
    marks = tuple(
        replace(mark, valid_until=valid_until) if mark.mark_no == certificate.certificate_no else mark
        for mark in certificate.marks
    )
    return replace(
        certificate,
        periods=(*certificate.periods, period),
        issued_on=issued_on,
        valid_from=valid_from,
        valid_until=valid_until,
        surveillance_due=day_of(data.get("surveillance_due")) or _first_surveillance(valid_from, rules),
        approver=data.get("approver") or certificate.approver,
        basis=_bases(data["basis"]) if data.get("basis") else certificate.basis,
        audit_refs=(*certificate.audit_refs, *(data.get("audit_refs") or ())),
        marks=marks,
    )


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


def _passed(certificate: Certificate, day: date, data: EventData, rules: SchemeRules) -> Certificate:
    if day < certificate.issued_on:
        raise BadDates("surveillance passed before the certificate was issued", pointer="/data/effective_at")
    due = day_of(data.get("next_due")) or next_surveillance(certificate.valid_from, day, rules)
    return replace(certificate, surveillances=(*certificate.surveillances, day), surveillance_due=due)


def next_surveillance(valid_from: date, passed: date, rules: SchemeRules) -> date | None:
    """The anniversary of `valid_from` that follows the one which this surveillance served (domain rules §2.3)."""
    months = rules["surveillance_months"]
    if months is None:
        return None
    due = add_months(valid_from, months)
    periods = 1
    while due < passed:
        periods += 1
        due = add_months(valid_from, months * periods)
    return add_months(valid_from, months * (periods + 1))


def _amended(certificate: Certificate, data: EventData, moment: Moment) -> Certificate:
    effective_at = date.fromisoformat(data["effective_at"])
    if effective_at < certificate.first_issued_on:
        raise BadDates("amended before the certificate was issued", pointer="/data/effective_at")
    if effective_at > moment.today:
        raise BadDates("an amendment is reported when it has taken effect", pointer="/data/effective_at")
    after = _with_fields(certificate, data.get("fields") or AmendedFields())
    for at, change_ in enumerate(data.get("items") or []):
        after = _with_part(after, change_, f"/data/items/{at}")
    if after == certificate:
        raise NothingToChange("the amendment changes nothing", pointer="/data")
    return after


def _with_fields(certificate: Certificate, fields: AmendedFields) -> Certificate:
    after = certificate
    if "holder" in fields:
        after = replace(after, holder=party(fields["holder"]))
    if "manufacturer" in fields:
        after = replace(after, manufacturer=party_or_none(fields["manufacturer"]))
    if "factory" in fields:
        after = replace(after, factory=party_or_none(fields["factory"]))
    if "product_name" in fields or "trademark" in fields:
        if after.product is None:
            raise NothingToChange("the certificate has no product", pointer="/data/fields")
        product = replace(
            after.product,
            name=fields.get("product_name", after.product.name),
            trademark=fields.get("trademark", after.product.trademark),
        )
        after = replace(after, product=product)
    if "service_scope" in fields:
        after = replace(after, service_scope=fields["service_scope"])
    if "sites" in fields:
        after = replace(after, sites=tuple(fields["sites"] or ()))
    if "headcount" in fields:
        after = replace(after, headcount=fields["headcount"])
    if "surveillance_due" in fields:
        after = replace(after, surveillance_due=day_of(fields["surveillance_due"]))
    if "certification_mode" in fields:
        after = replace(after, certification_mode=fields["certification_mode"])
    if "accreditation" in fields:
        after = replace(after, accreditation=fields["accreditation"])
    if "grade" in fields:
        after = replace(after, grade=fields["grade"])
    if "basis" in fields:
        after = replace(after, basis=_bases(fields["basis"]))
    return after


def _with_part(certificate: Certificate, change_: ItemChange, pointer: str) -> Certificate:
    """A scope item, a site or a module of the basis enters or leaves."""
    op, site, basis, model = change_["op"], change_.get("site"), change_.get("basis"), change_.get("model")
    if [site, basis, model].count(None) != 2:
        raise SchemeRule("each change names one model, one site or one basis module", pointer=pointer)
    if model is not None:
        return _with_item(certificate, op, Item(model, change_.get("gtin")))
    if site is not None:
        address = cast(SiteData, site)["address"]
        present = [s for s in certificate.sites if cast(Mapping[str, Json], s)["address"] == address]
        _check_presence(op, bool(present), address, pointer)
        sites = (*certificate.sites, cast(Json, site)) if op == "added" else _without(certificate.sites, present)
        return _forget_part(replace(certificate, sites=sites), op, PartKind.SITE, address)
    assert basis is not None
    module = Basis(basis["standard"], basis.get("edition"))
    held = [b for b in certificate.basis if b.standard == module.standard and module.edition in (None, b.edition)]
    _check_presence(op, bool(held), module.standard, pointer)
    modules = (*certificate.basis, module) if op == "added" else _without(certificate.basis, held)
    if not modules:
        raise SchemeRule("the last basis module cannot be removed: cancel the certificate", pointer=pointer)
    return _forget_part(replace(certificate, basis=modules), op, PartKind.BASIS, module.standard)


def _check_presence(op: str, present: bool, name: str, pointer: str) -> None:
    if present is (op == "added"):
        raise NothingToChange(f"{name} is {'covered already' if present else 'not covered'}", pointer=pointer)


_T = TypeVar("_T")


def _without(all_of: tuple[_T, ...], removed: Sequence[_T]) -> tuple[_T, ...]:
    return tuple(one for one in all_of if one not in removed)


def _forget_part(certificate: Certificate, op: str, kind: PartKind, name: str) -> Certificate:
    """What has left the scope has no status of its own any more."""
    if op == "added" or not any(p.kind is kind and p.name == name for p in certificate.parts):
        return certificate
    return replace(certificate, parts=tuple(p for p in certificate.parts if (p.kind, p.name) != (kind, name)))


def _with_item(certificate: Certificate, op: str, item: Item) -> Certificate:
    product = certificate.product
    if product is None:
        raise NothingToChange("the certificate has no product", pointer="/data/items")
    present = [i for i in product.items if i.model == item.model and item.gtin in (None, i.gtin)]
    if op == "added":
        if present:
            raise NothingToChange(f"{item.model} is covered already", pointer="/data/items")
        items: tuple[Item, ...] = (*product.items, item)
    else:
        if not present:
            raise NothingToChange(f"{item.model} is not covered", pointer="/data/items")
        items = tuple(i for i in product.items if i not in present)
        if not items:
            raise SchemeRule("the last item cannot be removed: cancel the certificate", pointer="/data/items")
    # A mark that is implied by the certificate covers whatever the certificate covers.
    marks = tuple(
        replace(mark, products=items) if mark.mark_no == certificate.certificate_no else mark
        for mark in certificate.marks
    )
    after = replace(certificate, product=replace(product, items=items), marks=marks)
    return _forget_part(after, op, PartKind.ITEM, item.model)


# --- the beginning ---------------------------------------------------------------------------------------


def issued(number: str, said: Said, rules: SchemeRules, moment: Moment, *, declaration: bool) -> Certificate:
    """A new certificate, or declaration, from the data of its first event.

    Raises:
        BadDates, SchemeRule: the dates contradict each other, or a field that the scheme requires is missing.
    """
    data = said.data
    effective_at = date.fromisoformat(data["effective_at"])
    check_ahead(effective_at, moment)
    issued_on = date.fromisoformat(data.get("issued_on") or data["effective_at"])
    first_issued_on = day_of(data.get("first_issued_on")) or issued_on
    valid_from = date.fromisoformat(data.get("valid_from") or data["effective_at"])
    valid_until = day_of(data.get("valid_until"))
    if valid_until is not None and valid_until < valid_from:
        raise BadDates(f"valid until {valid_until}, before it begins on {valid_from}", pointer="/data/valid_until")
    if first_issued_on > issued_on:
        raise BadDates("first issued after it was issued", pointer="/data/first_issued_on")
    if issued_on > moment.today:
        raise BadDates(f"issued on {issued_on}, after today {moment.today}", pointer="/data/issued_on")
    if rules["approver_differs"] and data.get("approver") == said.signatory:
        raise SchemeRule("who drafts does not approve: approver and signatory differ", pointer="/data/approver")
    _check_scheme(data, rules, valid_from, valid_until)
    interval = StatusInterval(Status.ACTIVE, effective_at, None, None, None, said.digest)
    product = _product(data)
    certificate = Certificate(
        certificate_no=number,
        declaration=declaration,
        scheme=data["scheme"],
        scheme_version=rules["version"],
        responsible=said.source,
        body=None if declaration else said.source_id,
        certification_mode=data.get("certification_mode"),
        basis=_bases(data.get("basis") or []),
        holder=party(data["holder"]),
        manufacturer=party_or_none(data.get("manufacturer")),
        factory=party_or_none(data.get("factory")),
        product=product,
        service_scope=data.get("service_scope"),
        sites=tuple(data.get("sites") or ()),
        headcount=data.get("headcount"),
        first_issued_on=first_issued_on,
        issued_on=issued_on,
        valid_from=valid_from,
        valid_until=valid_until,
        surveillance_due=day_of(data.get("surveillance_due")) or _first_surveillance(valid_from, rules),
        approver=data.get("approver"),
        audit_refs=tuple(data.get("audit_refs") or ()),
        parent_no=data.get("parent_no"),
        supersedes=data.get("supersedes"),
        superseded_by=None,
        accreditation=data.get("accreditation"),
        grade=data.get("grade"),
        organic=data.get("organic"),
        green=data.get("green"),
        statuses=(interval,),
    )
    sign = rules["mark"]
    if rules["mark_authorizer"] != "implied" or sign is None:
        return certificate
    implied = Mark(
        mark_no=number,
        mark=sign["id"],
        family=None,
        authorized_by=said.source,
        products=product.items if product else (),
        media=("product", "package", "web"),
        quantity=None,
        route=None,
        attributes=(),
        valid_from=valid_from,
        valid_until=valid_until,
        statuses=(interval,),
    )
    return replace(certificate, marks=(implied,))


def _check_scheme(data: EventData, rules: SchemeRules, valid_from: date, valid_until: date | None) -> None:
    required = {
        "product": ("product",),
        "service": ("service_scope",),
        "system": ("service_scope",),
    }[rules["class"]]
    for name in (*required, *rules["required"]):
        if not cast(Mapping[str, object], data).get(name):
            raise SchemeRule(f"this scheme requires {name}", pointer=f"/data/{name}")
    product = data.get("product")
    if rules["class"] == "product" and product is not None and not product["items"]:
        raise SchemeRule("a product certificate names its models", pointer="/data/product/items")
    months = rules["validity_months"]
    if months is not None and (valid_until is None or valid_until > add_months(valid_from, months) - timedelta(days=1)):
        raise SchemeRule(
            f"this scheme's certificates are valid for at most {months} months", pointer="/data/valid_until"
        )


def _first_surveillance(valid_from: date, rules: SchemeRules) -> date | None:
    months = rules["surveillance_months"]
    return add_months(valid_from, months) if months is not None else None


def _bases(modules: list[BasisData]) -> tuple[Basis, ...]:
    return tuple(Basis(b["standard"], b.get("edition")) for b in modules)


def _product(data: EventData) -> Product | None:
    product = data.get("product")
    if not product:
        return None
    return Product(product["name"], product.get("class"), product.get("trademark"), items_of(product["items"]))


def items_of(items: list[ItemData]) -> tuple[Item, ...]:
    return tuple(Item(item["model"], item.get("gtin")) for item in items)


def party(data: PartyData) -> Party:
    return Party(data["name"], data.get("uscc"), data.get("region"), data.get("address"))


def party_or_none(data: PartyData | None) -> Party | None:
    return party(data) if data else None


# --- marks -----------------------------------------------------------------------------------------------------


def with_mark(certificate: Certificate, said: Said, rules: SchemeRules, moment: Moment) -> Certificate:
    """The certificate with one more mark authorization.

    Raises:
        TransitionNotAllowed: the certificate is not valid on that day. SchemeRule, BadDates: see each.
    """
    data = said.data
    effective_at = date.fromisoformat(data["effective_at"])
    check_ahead(effective_at, moment)
    if standing(certificate, effective_at) is not Standing.VALID or certificate.status is not Status.ACTIVE:
        raise TransitionNotAllowed(
            f"a mark on {certificate.certificate_no}, which is {standing(certificate, effective_at)} on {effective_at}",
            pointer="/data/effective_at",
        )
    sign = rules["mark"]
    if sign is None or data["mark"] != sign["id"]:
        raise SchemeRule(f"{certificate.scheme} has no mark {data['mark']!r}", pointer="/data/mark")
    family = data.get("family")
    if rules["families"] and family not in rules["families"]:
        raise SchemeRule(
            f"{family!r} is no family of this mark", pointer="/data/family", hint="、".join(rules["families"])
        )
    covered = certificate.product.items if certificate.product else ()
    products = items_of(data.get("products") or [])
    strangers = [p.model for p in products if p not in covered]
    if strangers:
        raise SchemeRule(f"the certificate does not cover {strangers[0]!r}", pointer="/data/products")
    if covered and not products:
        raise SchemeRule("an authorization names its products", pointer="/data/products")
    for name in rules["mark_requires"]:
        if not cast(Mapping[str, object], data).get(name):
            raise SchemeRule(f"this scheme requires {name} before a mark is authorized", pointer=f"/data/{name}")
    route = data.get("route")
    if route is not None and rules["routes"] and route not in rules["routes"]:
        raise SchemeRule(f"this scheme has no route {route}", pointer="/data/route")
    valid_from, valid_until = day_of(data.get("valid_from")) or effective_at, day_of(data.get("valid_until"))
    end = certificate.valid_until
    if (valid_until is not None and valid_until < valid_from) or (
        end is not None and (valid_until is None or valid_until > end)
    ):
        raise BadDates(f"a mark ends with its certificate ({end}) or before", pointer="/data/valid_until")
    mark = Mark(
        mark_no=_number(data["mark_no"]),
        mark=data["mark"],
        family=family,
        authorized_by=said.source,
        products=products,
        media=tuple(data.get("media") or ()),
        quantity=data.get("quantity"),
        route=route,
        attributes=tuple(data.get("attributes") or ()),
        valid_from=valid_from,
        valid_until=valid_until,
        statuses=(StatusInterval(Status.ACTIVE, effective_at, None, None, None, said.digest),),
    )
    return replace(certificate, marks=(*certificate.marks, mark))


_MARK_VERBS: Mapping[str, tuple[Verb, Status, tuple[Status, ...]]] = MappingProxyType(
    {
        "suspended": (Verb.SUSPEND, Status.SUSPENDED, (Status.ACTIVE,)),
        "resumed": (Verb.RESUME, Status.ACTIVE, (Status.SUSPENDED,)),
        "withdrawn": (Verb.CANCEL, Status.WITHDRAWN, (Status.ACTIVE, Status.SUSPENDED)),
    }
)
"""What happens to a mark authorization: the status after it, and those it may come from."""


def change_mark(certificate: Certificate, word: str, said: Said, rules: SchemeRules, moment: Moment) -> Certificate:
    """The certificate with one of its authorizations suspended, resumed or withdrawn."""
    mark = _mark_of(certificate, said)
    verb, status, before = _MARK_VERBS[word]
    check_ahead(date.fromisoformat(said.data["effective_at"]), moment)
    if mark.status not in before:
        raise TransitionNotAllowed(f"mark {mark.mark_no} is {mark.status}", pointer="/type")
    if verb is Verb.SUSPEND:
        _check_reason(verb, said.data)
    interval = _interval(certificate.scheme, mark.statuses, verb, status, said, rules, moment)
    return _with(certificate, replace(mark, statuses=(*mark.statuses, interval)))


def with_codes(certificate: Certificate, said: Said) -> Certificate:
    """The certificate with a set of unit codes recorded on one of its authorizations (the codes stay private)."""
    mark = _mark_of(certificate, said)
    if mark.status is not Status.ACTIVE:
        raise TransitionNotAllowed(f"mark {mark.mark_no} is {mark.status}", pointer="/type")
    data = cast(Mapping[str, Json], said.data)
    issued_before = sum(cast(int, cast(Mapping[str, Json], codes)["quantity"]) for codes in mark.code_sets)
    if mark.quantity is not None and issued_before + cast(int, data["quantity"]) > mark.quantity:
        raise SchemeRule(
            f"{mark.quantity} codes are authorized, {issued_before} were issued before", pointer="/data/quantity"
        )
    codes: Json = {name: data.get(name) for name in ("effective_at", "product", "quantity", "rule_version", "digest")}
    return _with(certificate, replace(mark, code_sets=(*mark.code_sets, codes)))


def _mark_of(certificate: Certificate, said: Said) -> Mark:
    mark_no = _number(said.data["mark_no"])
    mark = certificate.mark(mark_no)
    if mark is None:
        raise UnknownMark(f"{certificate.certificate_no} has no mark {mark_no}", pointer="/data/mark_no")
    return mark


def _with(certificate: Certificate, mark: Mark) -> Certificate:
    marks = tuple(mark if m.mark_no == mark.mark_no else m for m in certificate.marks)
    return replace(certificate, marks=marks)
