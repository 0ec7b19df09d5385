"""A certificate made ready for being compared with many listings: names, models and marks in the form that compares."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from sys import intern

from services.domain.certificate import Certificate, CertificateState, Item, Mark, Part, PartKind, PartyState, Status
from services.domain.consequence import turning_days
from services.domain.identifiers import normalised
from services.domain.listing_words import model_form, name_form, names_model, series_stem, without_tail
from services.domain.standing import Standing, model_standing, own_mark_standing, standing_under, worse


@dataclass(frozen=True, slots=True)
class Registered:
    """One certificate. `seq` is the entry that left it so; `parent` the certificate that it falls with."""

    certificate: Certificate
    seq: int
    parent: Certificate | None
    names: tuple[str, ...]
    usccs: tuple[str, ...]
    models: dict[str, Item]
    stems: tuple[str, ...]
    trademark: str
    turns: tuple[date, ...]
    parts: Mapping[tuple[str, str | None], Part]
    known: dict[tuple[str | None, date], Standing] = field(default_factory=dict)
    """Standings that were asked for before: few days and items, many listings."""

    @property
    def shown(self) -> dict[str, object]:
        """What a finding sets beside the claim."""
        return _shown(self.certificate)

    def is_party(self, name: str | None, uscc: str | None) -> bool:
        """Whether a name or credit code is that of holder, manufacturer or factory."""
        return (bool(uscc) and normalised(uscc or "") in self.usccs) or (
            bool(name) and name_form(name or "") in self.names
        )

    def item(self, model: str) -> Item | None:
        """What the certificate covers under a model, as it is written in a field for it.

        A registered series covers what begins like it. What stands in brackets behind a model does not count, and a
        longer text covers where it names one registered model as a word of its own.
        """
        form = model_form(model)
        found = self.models.get(form) or self.models.get(without_tail(form))
        if found is None:
            found = next((self.models[stem] for stem in self.stems if form.startswith(stem)), None)
        return found or self.item_in(form)

    def item_left(self, model: str) -> Item | None:
        """The item that an amendment took out of the scope, under a model as it is written in a field for it."""
        form = model_form(model)
        gone = (part for part in self.parts.values() if part.left)
        return next((Item(part.name, part.gtin) for part in gone if model_form(part.name) == form), None)

    def item_in(self, text: str) -> Item | None:
        """The first registered model that a text names as a word of its own."""
        form = normalised(text)
        return next((item for model, item in self.models.items() if names_model(form, model)), None)

    def standing_on(self, day: date, item: Item | None = None) -> Standing:
        """The worst of the certificate's, its parent's and the item's on a day."""
        key = (item.model if item else None, day)
        found = self.known.get(key)
        if found is None:
            part = self.parts.get((item.model, item.gtin)) if item else None
            whole = standing_under(self.certificate, self.parent, day)
            found = self.known[key] = worse(whole, model_standing(self.certificate, part, day))
            if len(self.known) > 4096:
                self.known.clear()
        return found

    def is_steady(self, since: date, until: date, item: Item | None) -> bool:
        """Whether it is plain that it was valid on every day of a stretch: one status, one period, no parent."""
        c = self.certificate
        return (
            self.parent is None
            and len(c.statuses) == 1
            and c.statuses[0].status is Status.ACTIVE
            and c.statuses[0].since <= since
            and c.valid_from <= since
            and (c.valid_until is None or until <= c.valid_until)
            and (item is None or (item.model, item.gtin) not in self.parts)
        )

    def mark_standing(self, mark: Mark, day: date) -> Standing:
        return worse(self.standing_on(day), own_mark_standing(mark, day))

    def marks_of(self, mark: str) -> Iterable[Mark]:
        return (one for one in self.certificate.marks if one.mark == mark)


def registered(certificate: Certificate, seq: int, parent: Certificate | None = None) -> Registered:
    c = certificate
    parties = list(dict.fromkeys(party for party in (c.holder, c.manufacturer, c.factory) if party))
    items = c.product.items if c.product else ()
    models: dict[str, Item] = {}
    stems = []
    for item in items:
        form = _same(model_form(item.model), item.model)
        stem = series_stem(form)
        if stem is not None:
            stems.append(stem)
            form = stem
        models.setdefault(form, item)
    turns = turning_days(c)
    if parent is not None:
        turns |= turning_days(parent)
    return Registered(
        certificate=c,
        seq=seq,
        parent=parent,
        names=tuple(dict.fromkeys(_same(name_form(party.name), party.name) for party in parties)),
        usccs=tuple(dict.fromkeys(party.uscc for party in parties if party.uscc)),
        models=models,
        stems=tuple(stems),
        trademark=normalised(c.product.trademark) if c.product and c.product.trademark else "",
        turns=tuple(sorted(turns)),
        parts={(p.name, p.gtin): p for p in c.parts if p.kind is PartKind.ITEM} if c.parts else _NO_PARTS,
    )


_NO_PARTS: Mapping[tuple[str, str | None], Part] = {}


def lean(state: CertificateState) -> CertificateState:
    """A state without what no listing is compared with: tens of thousands of certificates are kept at a time."""
    s: CertificateState = {**state, **_UNUSED}  # type: ignore[typeddict-item]  # the same members, emptied
    s["holder"] = _lean_party(s["holder"])
    for name in ("manufacturer", "factory"):
        party = s[name]
        if party is not None:
            party = _lean_party(party)
            s[name] = s["holder"] if party == s["holder"] else party  # most holders make the goods: one name, kept once
    s["scheme"] = intern(s["scheme"])
    if s["body"] is not None:
        s["body"] = intern(s["body"])
    s["statuses"] = [{**one, "digest": ""} for one in s["statuses"]]
    return s


_UNUSED: Mapping[str, object] = {
    "basis": [],
    "sites": [],
    "audit_refs": [],
    "approver": None,
    "responsible": "",
    "surveillances": [],
    "annulled": [],
    "corrected": [],
    "flags": [],
    "accreditation": None,
    "organic": None,
    "green": None,
}


def _lean_party(party: PartyState) -> PartyState:
    return {"name": party["name"], "uscc": party["uscc"], "region": None, "address": None}


def _same(form: str, text: str) -> str:
    """The text itself where its form is no other: one string instead of two."""
    return text if form == text else form


_MODELS_SHOWN = 20


def _shown(c: Certificate) -> dict[str, object]:
    product = c.product
    return {
        "certificate_no": c.certificate_no,
        "scheme": c.scheme,
        "body": c.body,
        "holder": c.holder.name,
        "holder_uscc": c.holder.uscc,
        "manufacturer": c.manufacturer.name if c.manufacturer else None,
        "factory": c.factory.name if c.factory else None,
        "product": product.name if product else c.service_scope,
        "product_class": product.product_class if product else None,
        "trademark": product.trademark if product else None,
        "models": [item.model for item in product.items[:_MODELS_SHOWN]] if product else [],
        "valid_from": c.valid_from.isoformat(),
        "valid_until": c.valid_until.isoformat() if c.valid_until else None,
    }
