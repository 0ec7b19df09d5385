"""A certificate (or self-declaration) with its mark authorizations, and its published form `state/v1`."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NotRequired, TypeAlias, TypedDict

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None


class Status(StrEnum):
    """What was last declared (有效 暂停 撤销 注销); `withdrawn` is a mark's own end."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    CANCELLED = "cancelled"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class StatusInterval:
    """A status declared from a date on; `until` is the planned end of a suspension, which never ends it by itself."""

    status: Status
    since: date
    until: date | None
    reason: str | None
    determined_on: date | None
    digest: str


@dataclass(frozen=True, slots=True)
class Party:
    """An organisation: holder, manufacturer or factory."""

    name: str
    uscc: str | None = None
    region: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One model that the certificate covers, with its GTIN-14 where it has one."""

    model: str
    gtin: str | None


@dataclass(frozen=True, slots=True)
class Product:
    name: str
    product_class: str | None
    trademark: str | None
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Basis:
    standard: str
    edition: str | None


class PartKind(StrEnum):
    """What of a certificate can stand by itself: a scope item, a site, a module of the basis."""

    ITEM = "item"
    SITE = "site"
    BASIS = "basis"


@dataclass(frozen=True, slots=True)
class Part:
    """A part that has a status of its own; one without stands as its certificate does.

    `name` is the item's model, the site's address or the standard.
    """

    kind: PartKind
    name: str
    gtin: str | None
    statuses: tuple[StatusInterval, ...]

    @property
    def named(self) -> "PartNamed":
        return self.kind, self.name, self.gtin

    @property
    def left(self) -> bool:
        """Whether it is a model that was taken out of the scope: what was made before that was certified."""
        return bool(self.statuses) and self.statuses[-1].status is Status.CANCELLED


PartNamed: TypeAlias = tuple[PartKind, str, str | None]


def rows_of(parts: Iterable[Part]) -> dict[PartNamed, tuple[StatusInterval, ...]]:
    """The intervals of each part, by what it is."""
    return {part.named: part.statuses for part in parts}


@dataclass(frozen=True, slots=True)
class Period:
    """An earlier period of validity, which a renewal followed."""

    since: date
    until: date | None
    issued_on: date
    digest: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """Another body is to take the certificate over and has not said so yet; until then the giver answers for it."""

    to: str
    digest: str
    effective_at: date


@dataclass(frozen=True, slots=True)
class Flag:
    """Something that an authority said and that casts doubt on the certificate without undoing anything."""

    kind: str
    digest: str
    since: str


@dataclass(frozen=True, slots=True)
class Corrected:
    """An event that another one has corrected, by their digests."""

    of: str
    by: str


@dataclass(frozen=True, slots=True)
class Voided:
    """One unit's code that counts no more from a day on, by its salted hash (see `unit_code`).

    `public_hash` is what status lists name it by; None where its source did not say.
    """

    code: str
    since: date
    reason: str
    digest: str
    public_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark authorization: the permission to use a sign on stated products."""

    mark_no: str
    mark: str
    family: str | None
    authorized_by: str
    products: tuple[Item, ...]
    media: tuple[str, ...]
    quantity: int | None
    route: int | None
    attributes: tuple[Json, ...]
    valid_from: date
    valid_until: date | None
    statuses: tuple[StatusInterval, ...]
    code_sets: tuple[Json, ...] = ()
    voided: tuple["Voided", ...] = ()

    @property
    def status(self) -> Status:
        return self.statuses[-1].status


@dataclass(frozen=True, slots=True)
class Certificate:
    """The whole attestation. `responsible` is the source that answers for it; dates are civil dates at UTC+8."""

    certificate_no: str
    declaration: bool
    scheme: str
    scheme_version: int
    responsible: str
    body: str | None
    certification_mode: str | None
    basis: tuple[Basis, ...]
    holder: Party
    manufacturer: Party | None
    factory: Party | None
    product: Product | None
    service_scope: str | None
    sites: tuple[Json, ...]
    headcount: int | None
    first_issued_on: date
    issued_on: date
    valid_from: date
    valid_until: date | None
    surveillance_due: date | None
    approver: str | None
    audit_refs: tuple[Json, ...]
    parent_no: str | None
    supersedes: str | None
    superseded_by: str | None
    accreditation: Json
    grade: str | None
    organic: Json
    green: Json
    statuses: tuple[StatusInterval, ...]
    surveillances: tuple[date, ...] = ()
    marks: tuple[Mark, ...] = ()
    periods: tuple[Period, ...] = ()
    parts: tuple[Part, ...] = ()
    transfer: Transfer | None = None
    flags: tuple[Flag, ...] = ()
    annulled: tuple[str, ...] = ()
    corrected: tuple[Corrected, ...] = ()

    @property
    def status(self) -> Status:
        """What was last declared."""
        return self.statuses[-1].status

    @property
    def lists_models(self) -> bool:
        """Whether it is for stated models of a product, and for no other."""
        return self.product is not None and bool(self.product.items)

    def mark(self, mark_no: str) -> Mark | None:
        return next((mark for mark in self.marks if mark.mark_no == mark_no), None)

    def part(self, kind: PartKind, name: str, gtin: str | None = None) -> Part | None:
        """The row of a part that has a status of its own; of an item with a GTIN also one that names only its model."""
        rows = [p for p in self.parts if p.kind is kind and p.name == name]
        alike = [p for p in rows if p.gtin == gtin] or [p for p in rows if p.gtin is None and not p.left]
        return alike[0] if alike else None

    def covered(self, parts: Collection[Part]) -> tuple[Part, ...]:
        """Those that still are parts, and the models that an amendment took out: what was made before was certified."""
        if not parts:
            return ()
        items = self.product.items if self.product else ()
        held: set[tuple[PartKind, Json, str | None]] = {(PartKind.BASIS, basis.standard, None) for basis in self.basis}
        held |= {(PartKind.SITE, site.get("address"), None) for site in self.sites if isinstance(site, dict)}
        held |= {(PartKind.ITEM, item.model, gtin) for item in items for gtin in (None, item.gtin)}
        return tuple([part for part in parts if part.left or part.named in held])


@dataclass(frozen=True, slots=True)
class Course:
    """What of a certificate tells how it stands by itself on each day: a sixth of its members, for who reads millions.

    Each is as in `Certificate`; `lists_models` says that it is for stated models of a product.
    """

    declaration: bool
    lists_models: bool
    valid_from: date
    valid_until: date | None
    surveillance_due: date | None
    superseded_by: str | None
    statuses: tuple[StatusInterval, ...]
    periods: tuple[Period, ...]
    flags: bool
    """Whether there are any."""


# --- state/v1, the published form: every field present, null where there is none -----------------------

StatusState = TypedDict(
    "StatusState",
    {
        "status": str,
        "from": str,
        "until": str | None,
        "reason": str | None,
        "determined_on": str | None,
        "digest": str,
    },
)


class PartyState(TypedDict):
    name: str
    uscc: str | None
    region: str | None
    address: str | None


class ItemState(TypedDict):
    model: str
    gtin: str | None


ProductState = TypedDict(
    "ProductState", {"name": str, "class": str | None, "trademark": str | None, "items": list[ItemState]}
)


class BasisState(TypedDict):
    standard: str
    edition: str | None


class VoidedState(TypedDict):
    code: str
    since: str
    reason: str
    digest: str
    public_hash: NotRequired[str]


class MarkState(TypedDict):
    mark_no: str
    mark: str
    family: str | None
    authorized_by: str
    products: list[ItemState]
    media: list[str]
    quantity: int | None
    route: int | None
    attributes: list[Json]
    valid_from: str
    valid_until: str | None
    status: str
    statuses: list[StatusState]
    code_sets: list[Json]
    voided: list[VoidedState]


PeriodState = TypedDict("PeriodState", {"from": str, "until": str | None, "issued_on": str, "digest": str})


class PartState(TypedDict):
    kind: str
    name: str
    gtin: str | None
    statuses: list[StatusState]


class TransferState(TypedDict):
    to: str
    digest: str
    effective_at: str


class FlagState(TypedDict):
    kind: str
    digest: str
    since: str


class CorrectedState(TypedDict):
    of: str
    by: str


class CertificateState(TypedDict):
    v: int
    kind: str
    certificate_no: str
    declaration: bool
    scheme: str
    scheme_version: int
    responsible: str
    body: str | None
    certification_mode: str | None
    basis: list[BasisState]
    holder: PartyState
    manufacturer: PartyState | None
    factory: PartyState | None
    product: ProductState | None
    service_scope: str | None
    sites: list[Json]
    headcount: int | None
    first_issued_on: str
    issued_on: str
    valid_from: str
    valid_until: str | None
    surveillance_due: str | None
    approver: str | None
    audit_refs: list[Json]
    parent_no: str | None
    supersedes: str | None
    superseded_by: str | None
    accreditation: Json
    grade: str | None
    organic: Json
    green: Json
    status: str
    statuses: list[StatusState]
    surveillances: list[str]
    marks: list[MarkState]
    periods: list[PeriodState]
    parts: list[PartState]
    transfer: TransferState | None
    flags: list[FlagState]
    annulled: list[str]
    corrected: list[CorrectedState]


def to_state(certificate: Certificate) -> CertificateState:
    """`state/v1` of a certificate."""
    c = certificate
    return {
        "v": 1,
        "kind": "certificate",
        "certificate_no": c.certificate_no,
        "declaration": c.declaration,
        "scheme": c.scheme,
        "scheme_version": c.scheme_version,
        "responsible": c.responsible,
        "body": c.body,
        "certification_mode": c.certification_mode,
        "basis": [{"standard": b.standard, "edition": b.edition} for b in c.basis],
        "holder": _party_state(c.holder),
        "manufacturer": _party_state(c.manufacturer) if c.manufacturer else None,
        "factory": _party_state(c.factory) if c.factory else None,
        "product": {
            "name": c.product.name,
            "class": c.product.product_class,
            "trademark": c.product.trademark,
            "items": _item_states(c.product.items),
        }
        if c.product
        else None,
        "service_scope": c.service_scope,
        "sites": list(c.sites),
        "headcount": c.headcount,
        "first_issued_on": c.first_issued_on.isoformat(),
        "issued_on": c.issued_on.isoformat(),
        "valid_from": c.valid_from.isoformat(),
        "valid_until": _text(c.valid_until),
        "surveillance_due": _text(c.surveillance_due),
        "approver": c.approver,
        "audit_refs": list(c.audit_refs),
        "parent_no": c.parent_no,
        "supersedes": c.supersedes,
        "superseded_by": c.superseded_by,
        "accreditation": c.accreditation,
        "grade": c.grade,
        "organic": c.organic,
        "green": c.green,
        "status": c.status.value,
        "statuses": _status_states(c.statuses),
        "surveillances": [day.isoformat() for day in c.surveillances],
        "marks": [_mark_state(mark) for mark in c.marks],
        "periods": [
            {
                "from": p.since.isoformat(),
                "until": _text(p.until),
                "issued_on": p.issued_on.isoformat(),
                "digest": p.digest,
            }
            for p in c.periods
        ],
        "parts": [
            {"kind": p.kind.value, "name": p.name, "gtin": p.gtin, "statuses": _status_states(p.statuses)}
            for p in c.parts
        ],
        "transfer": {
            "to": c.transfer.to,
            "digest": c.transfer.digest,
            "effective_at": c.transfer.effective_at.isoformat(),
        }
        if c.transfer
        else None,
        "flags": [{"kind": f.kind, "digest": f.digest, "since": f.since} for f in c.flags],
        "annulled": list(c.annulled),
        "corrected": [{"of": one.of, "by": one.by} for one in c.corrected],
    }


def from_state(state: CertificateState) -> Certificate:
    """The certificate of a `state/v1`.

    Tuples are made of lists and not of generators: most are empty, and beginning a generator costs as much as a member.
    """
    s = state
    product = s["product"]
    return Certificate(
        certificate_no=s["certificate_no"],
        declaration=s["declaration"],
        scheme=s["scheme"],
        scheme_version=s["scheme_version"],
        responsible=s["responsible"],
        body=s["body"],
        certification_mode=s["certification_mode"],
        basis=tuple([Basis(b["standard"], b["edition"]) for b in s["basis"]]),
        holder=_party(s["holder"]),
        manufacturer=_party(s["manufacturer"]) if s["manufacturer"] else None,
        factory=_party(s["factory"]) if s["factory"] else None,
        product=Product(product["name"], product["class"], product["trademark"], _items(product["items"]))
        if product
        else None,
        service_scope=s["service_scope"],
        sites=tuple(s["sites"]),
        headcount=s["headcount"],
        first_issued_on=date.fromisoformat(s["first_issued_on"]),
        issued_on=date.fromisoformat(s["issued_on"]),
        valid_from=date.fromisoformat(s["valid_from"]),
        valid_until=_date(s["valid_until"]),
        surveillance_due=_date(s["surveillance_due"]),
        approver=s["approver"],
        audit_refs=tuple(s["audit_refs"]),
        parent_no=s["parent_no"],
        supersedes=s["supersedes"],
        superseded_by=s["superseded_by"],
        accreditation=s["accreditation"],
        grade=s["grade"],
        organic=s["organic"],
        green=s["green"],
        statuses=_statuses(s["statuses"]),
        surveillances=tuple([date.fromisoformat(day) for day in s["surveillances"]]),
        marks=tuple([_mark(mark) for mark in s["marks"]]),
        periods=_periods(s["periods"]),
        parts=tuple([Part(PartKind(p["kind"]), p["name"], p["gtin"], _statuses(p["statuses"])) for p in s["parts"]]),
        transfer=_transfer(s["transfer"]),
        flags=tuple([Flag(f["kind"], f["digest"], f["since"]) for f in s["flags"]]),
        annulled=tuple(s["annulled"]),
        corrected=tuple([Corrected(one["of"], one["by"]) for one in s["corrected"]]),
    )


def course_of(state: CertificateState) -> Course:
    """The course of a `state/v1`, of which nothing else is looked at."""
    product = state["product"]
    return Course(
        state["declaration"],
        product is not None and bool(product["items"]),
        date.fromisoformat(state["valid_from"]),
        _date(state["valid_until"]),
        _date(state["surveillance_due"]),
        state["superseded_by"],
        _statuses(state["statuses"]),
        _periods(state["periods"]),
        bool(state["flags"]),
    )


def _text(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _date(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _transfer(s: TransferState | None) -> Transfer | None:
    return Transfer(s["to"], s["digest"], date.fromisoformat(s["effective_at"])) if s else None


def _party_state(p: Party) -> PartyState:
    return {"name": p.name, "uscc": p.uscc, "region": p.region, "address": p.address}


def _party(s: PartyState) -> Party:
    return Party(s["name"], s["uscc"], s["region"], s["address"])


def _item_states(items: tuple[Item, ...]) -> list[ItemState]:
    return [{"model": item.model, "gtin": item.gtin} for item in items]


def _items(states: list[ItemState]) -> tuple[Item, ...]:
    return tuple([Item(s["model"], s["gtin"]) for s in states])


def _status_states(intervals: tuple[StatusInterval, ...]) -> list[StatusState]:
    return [
        {
            "status": i.status.value,
            "from": i.since.isoformat(),
            "until": _text(i.until),
            "reason": i.reason,
            "determined_on": _text(i.determined_on),
            "digest": i.digest,
        }
        for i in intervals
    ]


_STATUS = {one.value: one for one in Status}  # a fifth of the time of `Status(…)`, millions of times


def _statuses(states: list[StatusState]) -> tuple[StatusInterval, ...]:
    return tuple(
        [
            StatusInterval(
                _STATUS[s["status"]],
                date.fromisoformat(s["from"]),
                _date(s["until"]),
                s["reason"],
                _date(s["determined_on"]),
                s["digest"],
            )
            for s in states
        ]
    )


def _periods(states: list[PeriodState]) -> tuple[Period, ...]:
    return tuple(
        [
            Period(date.fromisoformat(p["from"]), _date(p["until"]), date.fromisoformat(p["issued_on"]), p["digest"])
            for p in states
        ]
    )


def _mark_state(m: Mark) -> MarkState:
    return {
        "mark_no": m.mark_no,
        "mark": m.mark,
        "family": m.family,
        "authorized_by": m.authorized_by,
        "products": _item_states(m.products),
        "media": list(m.media),
        "quantity": m.quantity,
        "route": m.route,
        "attributes": list(m.attributes),
        "valid_from": m.valid_from.isoformat(),
        "valid_until": _text(m.valid_until),
        "status": m.status.value,
        "statuses": _status_states(m.statuses),
        "code_sets": list(m.code_sets),
        "voided": [_voided_state(v) for v in m.voided],
    }


def _mark(s: MarkState) -> Mark:
    return Mark(
        mark_no=s["mark_no"],
        mark=s["mark"],
        family=s["family"],
        authorized_by=s["authorized_by"],
        products=_items(s["products"]),
        media=tuple(s["media"]),
        quantity=s["quantity"],
        route=s["route"],
        attributes=tuple(s["attributes"]),
        valid_from=date.fromisoformat(s["valid_from"]),
        valid_until=_date(s["valid_until"]),
        statuses=_statuses(s["statuses"]),
        code_sets=tuple(s["code_sets"]),
        voided=tuple([_voided(v) for v in s["voided"]]),
    )


def _voided_state(v: Voided) -> VoidedState:
    state: VoidedState = {"code": v.code, "since": v.since.isoformat(), "reason": v.reason, "digest": v.digest}
    if v.public_hash is not None:  # absent, not null: what was sealed before there were any stays as it is
        state["public_hash"] = v.public_hash
    return state


def _voided(s: VoidedState) -> Voided:
    return Voided(s["code"], date.fromisoformat(s["since"]), s["reason"], s["digest"], s.get("public_hash"))
