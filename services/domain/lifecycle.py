"""The life of a certificate and of its marks: which event is allowed when, and what stands after it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import cast

from services.domain.certificate import (
    Basis,
    Certificate,
    Item,
    Json,
    Mark,
    Party,
    Product,
    Status,
    StatusInterval,
)
from services.domain.errors import (
    BadDates,
    NothingToChange,
    SchemeRule,
    TransitionNotAllowed,
    UnknownMark,
    UnknownReason,
)
from services.domain.identifiers import add_months
from services.domain.reasons import REASONS
from services.domain.said import AmendedFields, EventData, ItemData, Moment, PartyData, Said, day_of
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
    }
)
"""Revoked and cancelled are final: no row starts there (domain rules §2.3)."""

REASON_LETTER = {Verb.SUSPEND: "S", Verb.REVOKE: "R", Verb.CANCEL: "C"}
AFTER_EXPIRY = (Verb.REVOKE, Verb.CANCEL)
"""The only verbs that an expired certificate still takes; renewal within a grace has its own rule."""

AHEAD = timedelta(days=30)
"""How far ahead of the decision an event may take effect (contract: Lifecycle)."""


def change(certificate: Certificate, verb: Verb, said: Said, rules: SchemeRules, moment: Moment) -> Certificate:
    """The certificate after one of the verbs.

    Raises:
        TransitionNotAllowed, UnknownReason, BadDates, SchemeRule, NothingToChange: see each.
    """
    effective_at = date.fromisoformat(said.data["effective_at"])
    check_ahead(effective_at, moment)
    try:
        status = ALLOWED[certificate.status, verb]
    except KeyError:
        raise TransitionNotAllowed(
            f"{verb} of {certificate.certificate_no}, which is {certificate.status}", pointer="/type"
        ) from None
    expired = certificate.valid_until is not None and certificate.valid_until < effective_at
    if expired and verb not in AFTER_EXPIRY:
        raise TransitionNotAllowed(
            f"{verb} of {certificate.certificate_no}, which expired on {certificate.valid_until}", pointer="/type"
        )
    if verb is Verb.AMEND:
        return _amended(certificate, said.data)
    if verb is Verb.PASS_SURVEILLANCE:
        return _passed(certificate, effective_at, said.data, rules)
    return replace(certificate, statuses=(*certificate.statuses, _interval(certificate, verb, status, said, rules)))


def check_ahead(effective_at: date, moment: Moment) -> None:
    if effective_at > moment.today + AHEAD:
        raise BadDates(
            f"takes effect on {effective_at}, more than 30 days after {moment.today}", pointer="/data/effective_at"
        )


def _interval(certificate: Certificate, verb: Verb, status: Status, said: Said, rules: SchemeRules) -> StatusInterval:
    data = said.data
    effective_at = date.fromisoformat(data["effective_at"])
    last = certificate.statuses[-1].since
    if effective_at < last:
        raise BadDates(
            f"takes effect on {effective_at}, before the last status event's {last}", pointer="/data/effective_at"
        )
    determined_on, until, reason = day_of(data.get("determined_on")), day_of(data.get("until")), data.get("reason")
    if determined_on is not None and determined_on > effective_at:
        raise BadDates("determined after it took effect", pointer="/data/determined_on")
    letter = REASON_LETTER.get(verb)
    if certificate.declaration and reason is None:
        letter = None  # who withdraws a declaration of its own owes nobody a code
    if letter is not None and (reason is None or reason not in REASONS or not reason.startswith(letter)):
        known = ", ".join(code for code in REASONS if code.startswith(letter))
        raise UnknownReason(f"{reason!r} is no reason to be {verb}", pointer="/data/reason", hint=f"one of {known}")
    if verb is Verb.SUSPEND:
        if until is None or until < effective_at:
            raise BadDates("a suspension ends on a day after it began", pointer="/data/until")
        limit = rules["suspension_limit_months"]
        if limit is not None and until > add_months(effective_at, limit) - timedelta(days=1):
            raise SchemeRule(f"{certificate.scheme} suspends for at most {limit} months", pointer="/data/until")
    return StatusInterval(status, effective_at, until, reason, determined_on, said.digest)


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


def _amended(certificate: Certificate, data: EventData) -> Certificate:
    if date.fromisoformat(data["effective_at"]) < certificate.issued_on:
        raise BadDates("amended before the certificate was issued", pointer="/data/effective_at")
    after = _with_fields(certificate, data.get("fields") or AmendedFields())
    for change_ in data.get("items") or []:
        after = _with_item(after, change_["op"], Item(change_["model"], change_.get("gtin")))
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
        after = replace(after, basis=tuple(Basis(b["standard"], b.get("edition")) for b in fields["basis"]))
    return after


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
    return replace(certificate, product=replace(product, items=items), marks=marks)


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
        basis=tuple(Basis(b["standard"], b.get("edition")) for b in data.get("basis") or ()),
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
    valid_from, valid_until = day_of(data.get("valid_from")) or effective_at, day_of(data.get("valid_until"))
    end = certificate.valid_until
    if (valid_until is not None and valid_until < valid_from) or (
        end is not None and (valid_until is None or valid_until > end)
    ):
        raise BadDates(f"a mark ends with its certificate ({end}) or before", pointer="/data/valid_until")
    mark = Mark(
        mark_no=data["mark_no"],
        mark=data["mark"],
        family=family,
        authorized_by=said.source,
        products=products,
        media=tuple(data.get("media") or ()),
        quantity=data.get("quantity"),
        route=data.get("route"),
        attributes=tuple(data.get("attributes") or ()),
        valid_from=valid_from,
        valid_until=valid_until,
        statuses=(StatusInterval(Status.ACTIVE, effective_at, None, None, None, said.digest),),
    )
    return replace(certificate, marks=(*certificate.marks, mark))


def withdraw_mark(certificate: Certificate, mark_no: str, said: Said, moment: Moment) -> Certificate:
    """The certificate with one of its authorizations ended."""
    mark = _mark_of(certificate, mark_no)
    effective_at = date.fromisoformat(said.data["effective_at"])
    check_ahead(effective_at, moment)
    if mark.status is Status.WITHDRAWN:
        raise TransitionNotAllowed(f"mark {mark_no} is withdrawn already", pointer="/type")
    if effective_at < mark.statuses[-1].since:
        raise BadDates("withdrawn before it was authorized", pointer="/data/effective_at")
    ended = StatusInterval(Status.WITHDRAWN, effective_at, None, said.data.get("reason"), None, said.digest)
    return _with(certificate, replace(mark, statuses=(*mark.statuses, ended)))


def with_codes(certificate: Certificate, mark_no: str, said: Said) -> Certificate:
    """The certificate with a set of unit codes recorded on one of its authorizations (the codes stay private)."""
    mark = _mark_of(certificate, mark_no)
    if mark.status is not Status.ACTIVE:
        raise TransitionNotAllowed(f"mark {mark_no} is {mark.status}", pointer="/type")
    data = cast(Mapping[str, Json], said.data)
    codes: Json = {name: data.get(name) for name in ("effective_at", "product", "quantity", "rule_version", "digest")}
    return _with(certificate, replace(mark, code_sets=(*mark.code_sets, codes)))


def _mark_of(certificate: Certificate, mark_no: str) -> Mark:
    mark = certificate.mark(mark_no)
    if mark is None:
        raise UnknownMark(f"{certificate.certificate_no} has no mark {mark_no}", pointer="/data/mark_no")
    return mark


def _with(certificate: Certificate, mark: Mark) -> Certificate:
    marks = tuple(mark if m.mark_no == mark.mark_no else m for m in certificate.marks)
    return replace(certificate, marks=marks)
