"""The demonstration register as a shelf, and the sample listings with what is expected of each."""

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache

from services.domain.catalogue import CatalogueState, ClassState
from services.domain.certificate import Certificate, Part, PartKind, Status, StatusInterval
from services.domain.listing import Listing, Sighting
from services.domain.registered import Registered, registered
from services.domain.scheme import Scheme, scheme_rules
from services.listings.columns import fields_of_object, listing_of
from services.listings.shelf import Batch, Rulebook
from tests.sealed_register import DEMONSTRATION, ROOT, SCHEMES, body_state, certificate_of

DAY = date(2026, 11, 1)
HOSTS = ("verify.certmark.example",)
COPIED = {"790326735468487452": Sighting(look_ups=41, rule="C02"), "790326983690060267": Sighting(look_ups=1)}
"""What verify nodes counted of the samples' codes."""


@dataclass(frozen=True, slots=True)
class Sample:
    listing: Listing
    verdict: str
    rules: frozenset[str]
    why: str


def samples() -> list[Sample]:
    with (ROOT / "tests/data/listings.csv").open(encoding="utf-8", newline="") as file:
        return [
            Sample(
                listing_of(fields_of_object({**row}), 1),
                row["expect_verdict"],
                frozenset(row["expect_rules"].split()),
                row["why"],
            )
            for row in csv.DictReader(file)
        ]


def catalogue() -> CatalogueState:
    data = json.loads((ROOT / "schemas/catalogues/ccc.json").read_text(encoding="utf-8"))
    classes: list[ClassState] = [
        {
            "class": one["class"],
            "name": one["name"],
            "modes": [{"mode": one["mode"], "from": data["effective_at"], "until": None}],
            "removed_on": None,
            "digest": None,
        }
        for one in data["classes"]
    ]
    return {"v": 1, "kind": "catalogue", "id": "ccc", "name": data["name"], "version": 1, "classes": classes}


@lru_cache(maxsize=1)
def rulebook() -> Rulebook:
    schemes = {name: Scheme(name, (scheme_rules(rules),)) for name, rules in SCHEMES.items()}
    bodies = {body["approval_no"]: body_state(body) for body in DEMONSTRATION["bodies"]}
    return Rulebook(schemes, {"ccc": catalogue()}, bodies)


def shelf(certificates: Iterable[Certificate], sightings: dict[str, Sighting] | None = None) -> Batch:
    """A shelf with these certificates, found by number, mark and party."""
    held = [registered(one, seq) for seq, one in enumerate(certificates)]
    parties: dict[str, list[Registered]] = {}
    for one in held:
        for party in (*one.names, *one.usccs):
            parties.setdefault(party, []).append(one)
    return Batch(
        DAY,
        HOSTS,
        rulebook(),
        {one.certificate.certificate_no: one for one in held},
        {mark.mark_no: one.certificate.certificate_no for one in held for mark in one.certificate.marks},
        parties,
        COPIED if sightings is None else sightings,
    )


def demonstration_shelf() -> Batch:
    return shelf(_with_its_parts(row) for row in DEMONSTRATION["certificates"])


def _with_its_parts(row: dict[str, object]) -> Certificate:
    """With a row for each model that an amendment added, as the registry keeps it."""
    certificate = certificate_of(row)
    parts = [
        Part(PartKind.ITEM, item.model, item.gtin, (StatusInterval(Status.ACTIVE, day, None, None, None, "3" * 64),))
        for event in row["history"]  # type: ignore[attr-defined]  # a list, as the data is written
        for model in event.get("items_added", [])
        for day in [date.fromisoformat(event["on"])]
        for item in (certificate.product.items if certificate.product else ())
        if item.model == model
    ]
    return replace(certificate, parts=tuple(parts))
