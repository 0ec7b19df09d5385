"""What a source says: the data of each event type, in the form that its published schema guarantees."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NotRequired, TypedDict

from services.domain.calendar import Calendars
from services.domain.certificate import Json
from services.domain.scheme import Words


@dataclass(frozen=True, slots=True)
class Moment:
    """When an event is judged: `received_at` is its append time, `today` the civil day of the decision.

    `history` says that an open backfill admits it, which mutes the reporting clocks.
    """

    received_at: datetime
    today: date
    history: bool = False
    calendars: Calendars = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Said:
    """A checked event as the domain sees it. `source_kind` and `source_id` are the two ends of the source URN."""

    digest: str
    source: str
    source_kind: str
    source_id: str
    type: str
    subject: str
    data: "EventData"
    signatory: str = ""


class ItemData(TypedDict):
    model: str
    gtin: NotRequired[str | None]


class PartyData(TypedDict):
    name: str
    uscc: NotRequired[str | None]
    region: NotRequired[str | None]
    address: NotRequired[str | None]


ProductData = TypedDict(
    "ProductData",
    {
        "name": str,
        "class": NotRequired[str | None],
        "trademark": NotRequired[str | None],
        "items": list[ItemData],
    },
)


class BasisData(TypedDict):
    standard: str
    edition: NotRequired[str | None]


class SiteData(TypedDict):
    address: str
    name: NotRequired[str | None]
    scope: NotRequired[str | None]


class ItemChange(TypedDict, total=False):
    """One entry of `items`: what an amendment adds or removes (`op`), or a part that is suspended or resumed.

    Exactly one of model, site, basis (amended), or of model, site (its address), standard (suspended, resumed).
    """

    op: str
    model: str
    gtin: str | None
    site: SiteData | str
    basis: BasisData
    standard: str


class AmendedFields(TypedDict, total=False):
    """Fields that an amendment replaces whole; each is optional."""

    holder: PartyData
    manufacturer: PartyData | None
    factory: PartyData | None
    product_name: str
    trademark: str | None
    service_scope: str | None
    sites: list[Json]
    headcount: int | None
    surveillance_due: str | None
    certification_mode: str | None
    accreditation: Json
    grade: str | None
    basis: list[BasisData]


_From = TypedDict("_From", {"from": str}, total=False)


class EventData(_From, total=False):
    """The union of all members; which of them an event has is its schema's business."""

    effective_at: str
    # certificate.issued, declaration.made
    scheme: str
    certification_mode: str | None
    basis: list[BasisData]
    holder: PartyData
    manufacturer: PartyData | None
    factory: PartyData | None
    product: ProductData | None
    service_scope: str | None
    sites: list[Json] | None
    headcount: int | None
    first_issued_on: str | None
    issued_on: str
    valid_from: str
    valid_until: str | None
    surveillance_due: str | None
    approver: str | None
    audit_refs: list[Json] | None
    parent_no: str | None
    supersedes: str | None
    accreditation: Json
    grade: str | None
    organic: Json
    green: Json
    # certificate.suspended … cancelled, surveillance_passed, amended, corrected, transferred … superseded
    determined_on: str | None
    reason: str | None
    until: str | None
    next_due: str | None
    verified_on: str | None
    fields: AmendedFields
    items: list[ItemChange] | None
    of: str
    to: str
    by: str
    # mark.*
    mark_no: str
    mark: str
    family: str | None
    products: list[ItemData]
    media: list[str] | None
    quantity: int | None
    route: int | None
    attributes: list[Json] | None
    rule_version: str
    digest: str
    form: str | None
    gtin: str | None
    code: str
    public_hash: str | None
    # authority.*, body.*, alliance.*, key.*, backfill.*
    name: str
    key: dict[str, str]
    demonstration: bool
    schemes: list["CompetenceData"]
    owner: str
    purpose: str
    since: str
    body: str
    instrument: str
    # decision.annulled, quarantine.resolved (and digest)
    action: str
    note: str | None


ClassData = TypedDict("ClassData", {"class": str, "name": Words, "mode": str})


class CatalogueData(TypedDict):
    """Of `catalogue.published`: the whole catalogue as it stands from a day on."""

    effective_at: str
    version: int
    name: Words
    classes: list[ClassData]
    instrument: str


ClassChangeData = TypedDict(
    "ClassChangeData",
    {
        "effective_at": str,
        "class": str,
        "mode": NotRequired[str],
        "transition_until": NotRequired[str | None],
        "reason": NotRequired[str | None],
        "instrument": str,
    },
)
"""Of `catalogue.class_mode_changed` (mode) and `catalogue.class_removed` (reason)."""


class CalendarData(TypedDict):
    """Of `calendar.published`: civil dates of the subject's year."""

    effective_at: str
    days_off: list[str]
    working_days: list[str]
    instrument: str


CompetenceData = TypedDict(
    "CompetenceData",
    {"scheme": str, "from": str, "until": NotRequired[str | None], "codes": NotRequired[list[str] | None]},
)


def day_of(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
