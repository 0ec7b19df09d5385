"""What an amendment replaces, adds and takes away: fields, models, sites, modules of the basis."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import TypeVar, cast

from services.domain.certificate import (
    Basis,
    Certificate,
    Item,
    Json,
    Part,
    PartKind,
    Status,
    StatusInterval,
    rows_of,
)
from services.domain.errors import (
    BadDates,
    NothingToChange,
    SchemeRule,
)
from services.domain.issuance import bases_of, party, party_or_none
from services.domain.said import (
    AmendedFields,
    EventData,
    ItemChange,
    Moment,
    SiteData,
    day_of,
)


def amended(certificate: Certificate, data: EventData, moment: Moment, digest: str) -> Certificate:
    """The certificate after an amendment, the event of this digest. A model that enters later stands from then on."""
    effective_at = date.fromisoformat(data["effective_at"])
    if effective_at < certificate.first_issued_on:
        raise BadDates("amended before the certificate was issued", pointer="/data/effective_at")
    if effective_at > moment.today:
        raise BadDates("an amendment is reported when it has taken effect", pointer="/data/effective_at")
    after = _with_fields(certificate, data.get("fields") or AmendedFields())
    if changes := data.get("items") or []:
        items = _Items(after.product.items if after.product else ())
        for at, change_ in enumerate(changes):
            after = _with_part(after, change_, items, f"/data/items/{at}")
        after = _with_items(after, items.all)
    after = replace(after, parts=_parts(certificate, after, effective_at, digest))
    if after == certificate:
        raise NothingToChange("the amendment changes nothing", pointer="/data")
    return after


def _parts(before: Certificate, after: Certificate, day: date, digest: str) -> tuple[Part, ...]:
    """The rows of parts after an amendment: each model that it adds or takes out has one, which tells from when till
    when goods of it were what the certificate covered."""
    rows = rows_of(before.parts)
    held, items = ((c.product.items if c.product else ()) for c in (before, after))
    was_there, is_there = frozenset(held), frozenset(items)
    for item in (*(one for one in held if one not in is_there), *(one for one in items if one not in was_there)):
        row = (PartKind.ITEM, item.model, item.gtin)
        statuses, began = rows.get(row, ()), before.statuses[0].since
        if statuses and statuses[-1].since > day:
            raise BadDates(
                f"takes effect on {day}, before the last change of {item.model} on {statuses[-1].since}",
                pointer="/data/effective_at",
            )
        added = item in is_there
        if not (statuses or added) and began < day:
            statuses = (StatusInterval(Status.ACTIVE, began, None, None, None, digest),)
        change = StatusInterval(Status.ACTIVE if added else Status.CANCELLED, day, None, None, None, digest)
        rows[row] = (*statuses, change)
    return after.covered([Part(*row, statuses) for row, statuses in rows.items()])


def widens(before: Certificate, after: Certificate) -> bool:
    """Whether an amendment has added a model, a site or a module of the basis."""
    items, held = (frozenset(c.product.items if c.product else ()) for c in (after, before))
    basis = frozenset(after.basis) - frozenset(before.basis)
    return bool(items - held or basis) or any(site not in before.sites for site in after.sites)


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
        after = replace(after, basis=bases_of(fields["basis"]))
    return after


def _with_part(certificate: Certificate, change_: ItemChange, items: "_Items", pointer: str) -> Certificate:
    """A scope item (among `items`), a site or a module of the basis enters or leaves."""
    op, site, basis, model = change_["op"], change_.get("site"), change_.get("basis"), change_.get("model")
    if [site, basis, model].count(None) != 2:
        raise SchemeRule("each change names one model, one site or one basis module", pointer=pointer)
    if model is not None:
        if certificate.product is None:
            raise NothingToChange("the certificate has no product", pointer="/data/items")
        items.change(op, Item(model, change_.get("gtin")))
        return certificate
    if site is not None:
        address = cast(SiteData, site)["address"]
        present = [s for s in certificate.sites if cast(Mapping[str, Json], s)["address"] == address]
        _check_presence(op, bool(present), address, pointer)
        sites = (*certificate.sites, cast(Json, site)) if op == "added" else _without(certificate.sites, present)
        return replace(certificate, sites=sites)
    assert basis is not None
    module = Basis(basis["standard"], basis.get("edition"))
    held = [b for b in certificate.basis if b.standard == module.standard and module.edition in (None, b.edition)]
    _check_presence(op, bool(held), module.standard, pointer)
    modules = (*certificate.basis, module) if op == "added" else _without(certificate.basis, held)
    if not modules:
        raise SchemeRule("the last basis module cannot be removed: cancel the certificate", pointer=pointer)
    return replace(certificate, basis=modules)


def _check_presence(op: str, present: bool, name: str, pointer: str) -> None:
    if present is (op == "added"):
        raise NothingToChange(f"{name} is {'covered already' if present else 'not covered'}", pointer=pointer)


_T = TypeVar("_T")


def _without(all_of: tuple[_T, ...], removed: Sequence[_T]) -> tuple[_T, ...]:
    return tuple(one for one in all_of if one not in removed)


class _Items:
    """The models of a product while an amendment is made: each is found at once, however many there are."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._at: dict[int, Item] = {}
        self._places: dict[tuple[str, str | None], dict[int, None]] = {}  # by model alone, and by model and GTIN
        self._next = 0
        for item in items:
            self._append(item)

    @property
    def all(self) -> tuple[Item, ...]:
        """In their order, what was added last at the end."""
        return tuple(self._at.values())

    def change(self, op: str, item: Item) -> None:
        """Add a model, or take it away; one without a GTIN stands for all of its name."""
        present = self._places.get((item.model, item.gtin), {})
        if op == "added":
            if present:
                raise NothingToChange(f"{item.model} is covered already", pointer="/data/items")
            self._append(item)
            return
        if not present:
            raise NothingToChange(f"{item.model} is not covered", pointer="/data/items")
        if len(present) == len(self._at):
            raise SchemeRule("the last item cannot be removed: cancel the certificate", pointer="/data/items")
        for place in tuple(present):
            gone = self._at.pop(place)
            for gtin in {None, gone.gtin}:
                del self._places[gone.model, gtin][place]

    def _append(self, item: Item) -> None:
        self._at[self._next] = item
        for gtin in {None, item.gtin}:
            self._places.setdefault((item.model, gtin), {})[self._next] = None
        self._next += 1


def _with_items(certificate: Certificate, items: tuple[Item, ...]) -> Certificate:
    product = certificate.product
    if product is None or product.items == items:
        return certificate
    # A mark that is implied by the certificate covers whatever the certificate covers.
    marks = tuple(
        replace(mark, products=items) if mark.mark_no == certificate.certificate_no else mark
        for mark in certificate.marks
    )
    return replace(certificate, product=replace(product, items=items), marks=marks)
