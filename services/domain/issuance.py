"""The beginning: a certificate or declaration from the data of its first event."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import cast

from services.domain.basis import check_basis
from services.domain.certificate import (
    Basis,
    Certificate,
    Item,
    Mark,
    Party,
    Product,
    Status,
    StatusInterval,
)
from services.domain.errors import (
    BadDates,
    MissingField,
    SchemeRule,
)
from services.domain.identifiers import add_months, certificate_number
from services.domain.said import (
    BasisData,
    EventData,
    ItemData,
    Moment,
    PartyData,
    Said,
    day_of,
)
from services.domain.scheme import SchemeRules
from services.domain.transition import check_ahead


def issued(number: str, said: Said, rules: SchemeRules, moment: Moment, *, declaration: bool) -> Certificate:
    """A new certificate, or declaration, from the data of its first event.

    Raises:
        BadDates, SchemeRule: the dates contradict each other, or the scheme's rules.
        MissingField: a field that the scheme requires is missing.
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
    check_approver(said, rules)
    _check_content(data, rules, moment)
    _check_validity(rules, valid_from, valid_until)
    basis = bases_of(data.get("basis") or [])
    check_basis(basis, issued_on, rules, moment)
    interval = StatusInterval(Status.ACTIVE, effective_at, None, None, None, said.digest)
    product = product_of(data)
    certificate = Certificate(
        certificate_no=number,
        declaration=declaration,
        scheme=data["scheme"],
        scheme_version=rules["version"],
        responsible=said.source,
        body=None if declaration else said.source_id,
        certification_mode=data.get("certification_mode"),
        basis=basis,
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
        surveillance_due=day_of(data.get("surveillance_due")) or first_surveillance(valid_from, rules, moment.today),
        approver=data.get("approver"),
        audit_refs=tuple(data.get("audit_refs") or ()),
        parent_no=_number_or_none(data.get("parent_no")),
        supersedes=_number_or_none(data.get("supersedes")),
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


def check_approver(said: Said, rules: SchemeRules) -> None:
    """Who signs an issue or a renewal has not approved it, where the scheme says so."""
    if rules["approver_differs"] and said.data.get("approver") == said.signatory:
        raise SchemeRule("who drafts does not approve: approver and signatory differ", pointer="/data/approver")


_OF_CLASS = {"product": "product", "service": "service_scope", "system": "service_scope"}
"""What a certificate of a class is about: without it there is none, whatever the scheme says."""


def _check_content(data: EventData, rules: SchemeRules, moment: Moment) -> None:
    """History is loaded as it was kept (domain rules §2.2 say what is required of a certificate today)."""
    said = cast(Mapping[str, object], data)
    missing = missing_of(said, [_OF_CLASS[rules["class"]], *(() if moment.history else rules["required"])])
    if missing:
        raise MissingField(f"{data['scheme']} requires {missing[0]}", pointer=f"/data/{missing[0]}")
    if rules["class"] != "product" and data.get("product") and not moment.history:
        raise SchemeRule(f"a {rules['class']} certificate names no product", pointer="/data/product")


def missing_of(said: Mapping[str, object], required: Iterable[str]) -> list[str]:
    """Which of the members, each a path of names such as `holder/address`, are left out or empty."""
    return [path for path in required if _at(said, path) in (None, "", [], {})]


def _at(said: object, path: str) -> object:
    for name in path.split("/"):
        said = said.get(name) if isinstance(said, Mapping) else None
    return said


def _check_validity(rules: SchemeRules, valid_from: date, valid_until: date | None) -> None:
    months = rules["validity_months"]
    if months is not None and (valid_until is None or valid_until > add_months(valid_from, months) - timedelta(days=1)):
        raise SchemeRule(
            f"this scheme's certificates are valid for at most {months} months", pointer="/data/valid_until"
        )


def first_surveillance(valid_from: date, rules: SchemeRules, recorded_on: date) -> date | None:
    """The first anniversary of `valid_from` from the day of recording on: history that is loaded owes nothing yet."""
    months = rules["surveillance_months"]
    if months is None:
        return None
    periods = 1
    while (due := add_months(valid_from, months * periods)) < recorded_on:
        periods += 1
    return due


def bases_of(modules: list[BasisData]) -> tuple[Basis, ...]:
    return tuple(Basis(b["standard"], b.get("edition")) for b in modules)


def product_of(data: EventData) -> Product | None:
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


def _number_or_none(text: str | None) -> str | None:
    """Another certificate's number as the register knows it."""
    return certificate_number(text) if text else None
