"""The check of listings against this node's file: `POST /v1/checks`, and `certmark check` on the same machine."""

from collections import Counter, OrderedDict
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, cast

import marshmallow as ma
import orjson

from services.domain.catalogue import CatalogueState
from services.domain.certificate import Certificate
from services.domain.copies import summed
from services.domain.errors import BadRequest, NotJson, TooLarge
from services.domain.identifiers import civil_day, instant_text, normalised
from services.domain.listing import CANDIDATES, Listing, Sighting, unit_code
from services.domain.listing_rules import RULE_SET
from services.domain.listing_standing import Verdict
from services.domain.notice_states import RecallState
from services.domain.registered import Registered, lean, registered
from services.listings.checking import Held, canonical, finding_json, findings_on
from services.listings.columns import HEADINGS, KEYS, fields_of_object, listing_of
from services.listings.reading import Reading
from services.listings.shapes import LISTING, FindingSchema
from services.listings.shelf import Rulebook
from services.problems import UnsupportedMediaType
from services.scratch import scratch_folder
from services.verify.looked_up import code_unit
from services.verify.name_index import folded
from services.verify.read_model import Meta, Stored, certificate_key
from services.verify.register import Register, certificate_in
from services.verify.scan_counts import code_key
from services.verify.scan_store import ScanReader

_USCC = 18
_KEPT = 36_000
"""Certificates that are kept made ready, 3 to 4 kB each."""


class NodeSource:
    """The node's register as of a day. One instance belongs to one thread.

    Raises, by every method:
        Unreadable: there is no usable file.
    """

    def __init__(self, register: Register, hosts: tuple[str, ...], day: date, scans: ScanReader | None = None) -> None:
        self._register = register
        self._scans = scans
        self.hosts = hosts
        self.day = day
        self._rulebook: Rulebook | None = None
        self._rulebook_of: tuple[str, int] | None = None
        self._kept: OrderedDict[str, Registered | None] = OrderedDict()
        self._parties: dict[str, list[str]] = {}
        self._as_of: tuple[str, int] | None = None

    def meta(self) -> Meta:
        """Where the file stands; what was kept is forgotten when it has moved."""
        meta = self._register.meta()
        stands = (self._register.model.target, meta.revision)
        if stands != self._as_of:
            self._kept.clear()
            self._parties.clear()
            self._as_of = stands
        return meta

    def rulebook(self) -> Rulebook:
        meta = self._register.meta()
        of = (self._register.model.target, meta.directory)
        if self._rulebook is None or of != self._rulebook_of:
            directory = self._register.directory(meta)
            stored = self._register.model.records_under("catalogue")
            catalogues = [cast(CatalogueState, one.payload()["state"]) for one in stored]
            recalls = [
                cast(RecallState, one.payload()["state"]) for one in self._register.model.records_under("recall")
            ]
            in_force = {one["id"]: one for one in catalogues}
            self._rulebook = Rulebook(directory.schemes, in_force, directory.bodies, recalls)
            self._rulebook_of = of
        return self._rulebook

    def held(self, numbers: Collection[str], parties: Collection[str]) -> Held:
        self.meta()
        certificates: dict[str, Registered] = {}
        marks: dict[str, str] = {}
        asked = canonical(numbers)
        self._load(asked)
        for number in asked:
            found = self._certificate(number)
            if found is None:
                owner = next(iter(self._register.model.certificates_with("mark", number, 1)), None)
                found = self._certificate(owner) if owner is not None else None
                if found is not None:
                    marks[number] = found.certificate.certificate_no
            if found is not None:
                certificates[found.certificate.certificate_no] = found
        held: dict[str, list[Registered]] = {}
        for party in parties:
            of = self._parties.get(party)
            if of is None:
                of = self._parties[party] = self._of_party(party)
            held[party] = [found for number in of if (found := self._certificate(number)) is not None]
        return Held(certificates, marks, held)

    def look_ups(self, codes: Collection[str]) -> Mapping[str, Sighting]:
        """Of codes that the register has, out of the counts that all nodes publish (docs/copies.md)."""
        found: dict[str, Sighting] = {}
        if self._scans is None:
            return {}
        for code in codes:
            told = summed(self._scans.tallies(code_key(code_unit(code))), self.day)
            if told is not None:
                found[code] = Sighting(look_ups=told.count, rule=told.rule.id if told.rule else None)
        return found

    def _of_party(self, party: str) -> list[str]:
        """By credit code any party's certificates, by name the holder's."""
        if len(party) == _USCC and party.isascii():
            return self._register.model.certificates_with("uscc", party, CANDIDATES + 1)
        longer = party.replace("有限公司", "有限责任公司")
        of_holder = self._register.model.certificates_of_holder
        return [n for name in dict.fromkeys((party, longer)) for n in of_holder(folded(name), CANDIDATES + 1)]

    def _certificate(self, number: str) -> Registered | None:
        if number not in self._kept:
            self._load([number])
        return self._kept[number]

    def _load(self, numbers: Sequence[str]) -> None:
        """Keep what the file has of these, the oldest that was kept making room."""
        missing = [number for number in dict.fromkeys(numbers) if number not in self._kept]
        stored = self._register.model.records([certificate_key(number) for number in missing])
        while self._kept and len(self._kept) + len(missing) > _KEPT:
            self._kept.popitem(last=False)
        for number in missing:
            record = stored.get(certificate_key(number))
            self._kept[number] = self._ready(record) if record is not None else None

    def _ready(self, record: Stored) -> Registered:
        certificate = _certificate_in(record)
        parent = None
        if certificate.parent_no is not None:
            above = self._register.model.record(certificate_key(certificate.parent_no))
            parent = _certificate_in(above) if above is not None else None
        return registered(certificate, record.seq, parent)


def _certificate_in(record: Stored) -> Certificate:
    """The certificate of a record in the file, whose checksum holds: what was believed once is not read as strictly."""
    state = record.payload()["state"]
    return certificate_in(record.key, lean(state))


def node_source(folder: Path, hosts: tuple[str, ...], now: datetime) -> NodeSource:
    """The source over the file in a node's folder, as of today."""
    return NodeSource(Register(folder), hosts, civil_day(now), ScanReader(folder))


# --- over HTTP -------------------------------------------------------------------------------------------

MANY = 1000
_KEYS = frozenset(HEADINGS)


XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
REQUEST: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {"listings": {"type": "array", "maxItems": MANY, "items": LISTING}},
                "required": ["listings"],
            }
        },
        "application/x-ndjson": {},
        "text/csv": {},
        XLSX: {},
    },
}
"""What the OpenAPI document says of the body: `{listings: [{…}]}` or the bare list, one object a line, or a sheet."""


class FindingsSchema(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(FindingSchema), required=True)
    next = ma.fields.String(required=True, allow_none=True)
    counts = ma.fields.Dict(
        keys=ma.fields.String(), values=ma.fields.Integer(), required=True, metadata={"description": "By verdict"}
    )
    rule_set = ma.fields.String(required=True)
    seq = ma.fields.Integer(required=True, metadata={"description": "Last register entry held"})
    as_of = ma.fields.String(required=True, allow_none=True)
    checked_at = ma.fields.String(required=True)


def asked_in(body: bytes, kind: str) -> Sequence[object]:
    """The listings of a request's body, still unchecked, by its media type.

    Raises:
        Malformed: not JSON, or a sheet that cannot be read. UnsupportedMediaType: another kind. TooLarge: too many.
    """
    if kind in ("text/csv", XLSX):
        return _rows_of_sheet(body)
    if kind == "application/x-ndjson":
        return [_json(line) for line in body.splitlines() if line.strip()]
    if kind not in ("application/json", ""):
        raise UnsupportedMediaType(f"the content type is {kind[:64]!r}", hint=" · ".join(REQUEST["content"]))
    document = _json(body)
    if isinstance(document, dict):
        document = document.get("listings", document.get("items"))
    if not isinstance(document, list):
        raise BadRequest("a list of listings is wanted", pointer="/listings")
    return document


def _json(text: bytes) -> object:
    try:
        found: object = orjson.loads(text)
    except ValueError:
        raise NotJson("the body is no JSON") from None
    return found


def _rows_of_sheet(body: bytes) -> Sequence[object]:
    """A sheet's rows as objects, read by the limited process as a job's are."""
    with scratch_folder() as folder:
        path = folder / "file"
        path.write_bytes(body)
        rows: list[object] = []
        with Reading(path) as reading:
            for frame in reading:
                for fields in orjson.loads(frame.packed):
                    named = zip(KEYS, fields or [None] * len(KEYS), strict=False)
                    rows.append({key: value for key, value in named if value is not None})
                if len(rows) > MANY:
                    break
        return rows


def listings_in(asked: Sequence[object]) -> list[Listing]:
    """The listings of a request, checked.

    Raises:
        TooLarge: more than a request takes. BadRequest: not an object, an unknown member, or no title, text, product
            or certificate number.
    """
    if len(asked) > MANY:
        raise TooLarge(
            f"{len(asked)} listings; one request takes at most {MANY}",
            pointer="/listings",
            hint="更多的请向登记机构提交任务；send more as a job to the registry's POST /v1/checks",
        )
    listings = []
    for at, members in enumerate(asked):
        pointer = f"/listings/{at}"
        if not isinstance(members, dict):
            raise BadRequest("a listing is an object", pointer=pointer)
        unknown = members.keys() - _KEYS
        if unknown:
            name = sorted(map(str, unknown))[0][:64]
            raise BadRequest(f"there is no member {name!r}", pointer=pointer, hint=" ".join(HEADINGS))
        for key, value in members.items():
            if not (value is None or isinstance(value, str | int) or (key == "image" and isinstance(value, list))):
                raise BadRequest("text is wanted", pointer=f"{pointer}/{key}")
        if not any(members.get(key) for key in ("title", "text", "product", "certificate_no")):
            raise BadRequest("nothing says what is offered: title or text is needed", pointer=pointer)
        listings.append(listing_of(fields_of_object(members), at + 1))
    return listings


def findings_json(asked: Sequence[object], source: NodeSource, now: datetime) -> dict[str, Any]:
    """The answer to `POST /v1/checks`; see `listings_in` for the errors."""
    listings = listings_in(asked)
    meta = source.meta()
    codes = Counter[str]()
    shops: dict[str, set[str]] = {}
    for listing in listings:
        code = unit_code(listing)
        if code:
            shops.setdefault(code, set()).add(normalised(listing.shop or listing.seller or ""))
    sightings = {code: Sighting(other_shops=len(seen) - 1) for code, seen in shops.items() if len(seen) > 1}
    findings = findings_on(listings, source, sightings)
    items = []
    for members, finding in zip(asked, findings, strict=True):
        row = members.get("row") if isinstance(members, dict) else None
        codes[finding.verdict.value] += 1
        items.append(finding_json(finding) | ({"row": row} if row not in (None, "") else {}))
    return {
        "items": items,
        "next": None,
        "counts": {verdict.value: codes[verdict.value] for verdict in Verdict},
        "rule_set": RULE_SET,
        "seq": meta.seq,
        "as_of": instant_text(meta.as_of) if meta.as_of else None,
        "checked_at": instant_text(now),
    }
