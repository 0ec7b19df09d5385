"""What a place in a status list stands for on a day: one mark authorization on one product."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import cast

from services.domain.certificate import Certificate, Mark, PartKind, StatusInterval
from services.domain.standing import Standing, own_mark_standing, part_standing, standing_under, worse


@dataclass(frozen=True, slots=True)
class Place:
    """Where a status is published, and of what. `gtin` and `model` are None where the mark is not on a product.

    `run` is the digest of the event that announced the serials which share the place; None of any other place.
    """

    list_id: int
    index: int
    mark_no: str
    gtin: str | None
    model: str | None
    run: str | None = None


def place_standing(certificate: Certificate, parent: Certificate | None, place: Place, day: date) -> Standing:
    """The worst of the mark's own standing, its certificate's, its parent's and its product's on a civil day.

    What the register no longer knows of (a mark that a correction took away, a product that left the scope, a set of
    serials whose announcement was annulled) has ended: a token that was printed before must not go on being good.
    """
    mark = certificate.mark(place.mark_no)
    if mark is None:
        return Standing.CANCELLED
    found = worse(standing_under(certificate, parent, day), own_mark_standing(mark, day))
    if place.run is not None:
        found = worse(found, _run_standing(mark, place.run, day))
    if place.gtin is None and place.model is None:
        return found
    if mark.products and not any(_is_the_product(place, p.gtin, p.model) for p in mark.products):
        return worse(found, Standing.CANCELLED)
    items = certificate.product.items if certificate.product else ()
    item = next((item for item in items if _is_the_product(place, item.gtin, item.model)), None)
    if item is None:
        return worse(found, Standing.CANCELLED)
    part = certificate.part(PartKind.ITEM, item.model, item.gtin)
    return worse(found, part_standing(certificate, part, day))


def _run_standing(mark: Mark, run: str, day: date) -> Standing:
    issued = next((date.fromisoformat(begins) for own, begins in _runs(mark) if own == run), None)
    if issued is None:
        return Standing.CANCELLED
    return Standing.VALID if issued <= day else Standing.NOT_YET_VALID


def _runs(mark: Mark) -> Iterator[tuple[str | None, str]]:
    """Of each set of unit codes the digest of the event that announced it, and its day."""
    for codes in mark.code_sets:
        told = cast(Mapping[str, str], codes)
        yield told.get("run"), told["effective_at"]


def _is_the_product(place: Place, gtin: str | None, model: str) -> bool:
    """A product is what its bar code says; its model only where it has none."""
    return gtin == place.gtin if place.gtin is not None else model == place.model


def next_turn(certificate: Certificate, parent: Certificate | None, day: date) -> date | None:
    """The first day after `day` on which a place may stand otherwise although nothing is said; None: never."""
    return min((turn for turn in _turns(certificate, parent) if turn > day), default=None)


def _turns(certificate: Certificate, parent: Certificate | None) -> Iterator[date]:
    for one in (certificate, parent):
        if one is None:
            continue
        yield from _begins(one.statuses)
        yield one.valid_from
        yield from _after(one.valid_until)
        for period in one.periods:
            yield period.since
            yield from _after(period.until)
    for part in certificate.parts:
        yield from _begins(part.statuses)
    for mark in certificate.marks:
        yield from _begins(mark.statuses)
        yield mark.valid_from
        yield from _after(mark.valid_until)
        yield from (code.since for code in mark.voided)
        yield from (date.fromisoformat(begins) for _, begins in _runs(mark))


def _begins(statuses: Iterable[StatusInterval]) -> Iterator[date]:
    return (interval.since for interval in statuses)


def _after(last: date | None) -> Iterator[date]:
    if last is not None and last < date.max:
        yield last + timedelta(days=1)
