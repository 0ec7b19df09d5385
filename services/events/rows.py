"""From the rows of a body's sheet to drafts of events: each certificate's rows are read, checked and told apart."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import Any, TypeVar

from services.domain.errors import BadEvent
from services.domain.identifiers import normalised
from services.domain.standing import Standing
from services.events import cells, names
from services.events.cells import Cell
from services.events.columns import BY_KEY, COLUMNS, Column, Layout, Verb
from services.events.event_types import check_form
from services.events.faults import BadCell, Fault
from services.events.forms import faults_of
from services.events.sheets import Row

T = TypeVar("T")
Values = Mapping[str, str]
"""Column key → what stands for the whole file where the cell is empty."""

_SHOWN = 60
_EDITION = re.compile(
    r"((?:[A-Z]+(?:/[A-Z]+)*|[A-Z]+[0-9]+/[A-Z]+) ?[0-9]+(?:\.[0-9]+)*)-((?:19|20)[0-9]{2})", re.ASCII
)
"""A Chinese standard's number with its year behind: GB 4706.32-2012, GB/T 19001-2016, DB31/T 680-2023."""
_ATTRIBUTE = re.compile(r"(?P<name>[^=]+)=\s*(?P<value>[^\s]+)(?:\s+(?P<unit>.+))?")


@dataclass(slots=True)
class Entry:
    """What the rows of one event say. `data` is None where they cannot become one, and `faults` say why.

    `number` is canonical, empty where it cannot be read; `taken` counts what was filled in by a rule (a date by
    another's) and `dropped` what no event carries, by column key.
    """

    rows: tuple[Row, ...]
    number: str
    verb: Verb | None
    data: dict[str, Any] | None = None
    faults: list[Fault] = field(default_factory=list)
    taken: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)

    @property
    def line(self) -> int:
        return self.rows[0].line


def entries(rows: Iterable[Row], layout: Layout, values: Values) -> Iterator[Entry]:
    """The events of a sheet in its order; adjacent rows of the same event of the same certificate are one.

    One event has one number, one kind, one mark and one date of effect: two surveillances of a certificate stay two.
    """
    places = [layout.places.get(key) for key in ("certificate_no", "event", "mark_no", "effective_at")]

    def of_one_event(row: Row) -> tuple[str, ...]:
        found = tuple(normalised(cells.shown(row.at(place))) for place in places)
        return found if found[0] else (str(row.line),)  # a row without a number belongs to nobody

    for _, group in groupby(rows, of_one_event):
        yield entry_of(tuple(group), layout, values)


def entry_of(rows: tuple[Row, ...], layout: Layout, values: Values) -> Entry:
    """The event that adjacent rows of one certificate become, or all that is wrong with them."""
    reader = RowReader(rows, layout, values)
    for row in rows:
        beyond = [cell for cell in row.cells[len(layout.titles) :] if not cells.is_empty(cell)]
        if beyond:
            reader.blame(row.line, "", beyond[0], "cells-beyond")
    number = reader.one("certificate_no", cells.number)
    verb = reader.one("event", names.verb) if reader.has("event") else Verb.ISSUED
    if number is None:
        reader.missing("certificate_no")
    entry = Entry(rows, number or "", verb, None, reader.faults, reader.taken, reader.dropped)
    if verb is None:
        return entry
    reader.refuse_what_is_not_for(verb)
    data = {name: value for name, value in _WRITERS[verb](reader).items() if value not in (None, [], "")}
    for column in COLUMNS:
        if verb in column.required and not reader.has(column.key):
            reader.missing(column.key)
    if not reader.faults:
        _check(reader, verb, data)
    if not reader.faults:
        entry.data = data
    return entry


def _check(reader: "RowReader", verb: Verb, data: dict[str, Any]) -> None:
    """The published schema: asked for a plain yes first, and for every fault only where it says no."""
    try:
        check_form(verb.type, data)
    except BadEvent as error:
        found = faults_of(verb.type, data) or [(error.pointer, error.detail)]
        for pointer, said in found:
            column = column_at(verb, f"/data{pointer}")
            key = column.key if column else ""
            reader.blame(*reader.where(key), "bad-form", said if column else f"{pointer}: {said}")


def column_at(verb: Verb, pointer: str) -> Column | None:
    """The column that a pointer into an event leads back to."""
    if pointer.startswith(("/data/product/items", "/data/products")):
        return BY_KEY["gtins" if pointer.endswith("/gtin") else "models"]
    if pointer.startswith("/data/attributes"):
        return BY_KEY["green_attributes"]
    if pointer == "/data/green/route":
        return BY_KEY["route"]
    found = [
        c
        for c in COLUMNS
        if verb in c.verbs and c.pointer and (pointer == c.pointer or pointer.startswith(c.pointer + "/"))
    ]
    return found[0] if found else None


class RowReader:
    """The cells of one event's rows by column key; what cannot be read is noted as a fault and read as None."""

    def __init__(self, rows: tuple[Row, ...], layout: Layout, values: Values) -> None:
        self.rows = rows
        self.layout = layout
        self.values = values
        self.faults: list[Fault] = []
        self.taken: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self._filled: dict[str, list[tuple[int, Cell]]] = {}

    # --- looking ---------------------------------------------------------------------------------------------

    def filled(self, key: str) -> list[tuple[int, Cell]]:
        """(line, cell) of the rows that have something in a column; the whole file's value where none has."""
        found = self._filled.get(key)
        if found is None:
            found = self._filled[key] = self._look(key)
        return found

    def _look(self, key: str) -> list[tuple[int, Cell]]:
        place = self.layout.places.get(key)
        if place is not None:
            found = [(row.line, cell) for row in self.rows if not cells.is_empty(cell := row.at(place))]
            if found:
                return found
        return [(self.rows[0].line, self.values[key])] if self.values.get(key) else []

    def has(self, key: str) -> bool:
        return bool(self.filled(key))

    def where(self, key: str) -> tuple[int, str, Cell]:
        """(line, column, value) to blame for what a column says."""
        found = self.filled(key) if key else []
        return (*found[0][:1], key, found[0][1]) if found else (self.rows[0].line, key, None)

    def one(self, key: str, read: Callable[[Cell], T]) -> T | None:
        """What a column says, once for all the rows; None where it is empty or wrong."""
        found = self.filled(key)
        if not found:
            return None
        first = self._read(*found[0], key, read)
        for line, cell in found[1:]:
            if cell != found[0][1] and self._read(line, cell, key, read) != first:
                self.blame(line, key, cell, "rows-disagree")
        return first

    def several(self, key: str, read: Callable[[Cell], list[T]]) -> list[T]:
        """What a list says, added up over the rows; each item once, in the order in which it first comes."""
        found: list[T] = []
        for line, cell in self.filled(key):
            for item in self._read(line, cell, key, read) or ():
                if item not in found:
                    found.append(item)
        return found

    def side_by_side(
        self, key: str, other: str, read: Callable[[Cell], list[str]], read_other: Callable[[Cell], list[T]]
    ) -> list[tuple[str, T | None]]:
        """Two lists whose items belong together row by row; the other one may be absent on a row, not shorter."""
        pairs: dict[tuple[str, T | None], None] = {}
        others = dict(self.filled(other))
        for line, cell in self.filled(key):
            left = self._read(line, cell, key, read) or []
            there = others.pop(line, None)
            right = self._read(line, there, other, read_other) if there is not None else None
            if right is not None and len(right) != len(left):
                self.blame(line, other, there, "lists-differ", f"{len(left)} / {len(right)}")
                continue
            for place, item in enumerate(left):
                pairs[item, right[place] if right else None] = None
        for line, cell in others.items():
            self.blame(line, other, cell, "lists-differ")
        return list(pairs)

    def _read(self, line: int, cell: Cell, key: str, read: Callable[[Cell], T]) -> T | None:
        try:
            return read(cell)
        except BadCell as bad:
            self.blame(line, key, cell, bad.code, bad.detail)
            return None

    # --- complaining -----------------------------------------------------------------------------------------

    def blame(self, line: int, key: str, cell: Cell, code: str, detail: str = "") -> None:
        title, value = self.layout.title(key) if key else "", cells.shown(cell)
        self.faults.append(Fault(line, title, value[:_SHOWN], code, "" if detail == value else detail))

    def missing(self, key: str) -> None:
        if not any(fault.column == self.layout.title(key) for fault in self.faults):
            self.blame(self.rows[0].line, key, None, "missing")

    def refuse_what_is_not_for(self, verb: Verb) -> None:
        """Blame cells that this event does not take; count those that merely describe the certificate."""
        for column in COLUMNS:
            if verb in column.verbs or column.key not in self.layout.places or column.key == "status":
                continue
            place = self.layout.places[column.key]
            there = [(row.line, cell) for row in self.rows if not cells.is_empty(cell := row.at(place))]
            if there and column.describes:
                self.dropped[column.key] += len(there)
            elif there:
                self.blame(there[0][0], column.key, there[0][1], "not-for-this-event", verb.value)

    # --- the usual columns -----------------------------------------------------------------------------------

    def text(self, key: str) -> str | None:
        return self.one(key, cells.text)

    def code(self, key: str) -> str | None:
        return self.one(key, cells.code)

    def count(self, key: str) -> int | None:
        return self.one(key, cells.count)

    def day(self, key: str) -> str | None:
        found = self.one(key, cells.day)
        return found.isoformat() if found else None

    def day_or(self, key: str, otherwise: str | None) -> str | None:
        """A date, or another one of the row where it is empty; which is counted."""
        if self.has(key) or otherwise is None:
            return self.day(key)
        self.taken[key] += 1
        return otherwise

    def last_day(self, key: str) -> str | None:
        """The end of validity; the words for no end are no date."""
        found = self.one(key, last_day)
        return found.isoformat() if found else None


_NO_END = ("长期", "长期有效", "无固定期限")


def last_day(cell: Cell) -> date | None:
    """The end of validity, None where it is said that there is none."""
    if isinstance(cell, str) and cells.text(cell) in _NO_END:
        return None
    return cells.day(cell)


# --- what each event is made of --------------------------------------------------------------------------------


def _issued(r: RowReader) -> dict[str, Any]:
    if r.has("status") and r.one("status", names.standing_word) not in (Standing.VALID, Standing.EXPIRED, None):
        r.blame(*r.where("status"), "status-not-imported")
    issued_on = r.day("issued_on")
    return {
        "effective_at": r.day_or("effective_at", issued_on),
        "scheme": r.one("scheme", names.scheme),
        "certification_mode": r.text("certification_mode"),
        "basis": standards(r),
        "holder": _party(r, "holder") or {},
        "manufacturer": _party(r, "manufacturer"),
        "factory": _party(r, "factory"),
        "product": _product(r),
        "service_scope": r.text("service_scope"),
        "sites": [{"address": address} for address in r.several("sites", cells.lines)],
        "headcount": r.count("headcount"),
        "first_issued_on": r.day("first_issued_on"),
        "issued_on": issued_on,
        "valid_from": r.day_or("valid_from", issued_on),
        "valid_until": r.last_day("valid_until"),
        "surveillance_due": r.day("surveillance_due"),
        "approver": r.code("approver"),
        "audit_refs": r.several("audit_refs", cells.items),
        "parent_no": r.one("parent_no", cells.number),
        "supersedes": r.one("supersedes", cells.number),
        "accreditation": r.text("accreditation"),
        "grade": r.text("grade"),
        "organic": _organic(r),
        "green": _green(r),
    }


def _renewed(r: RowReader) -> dict[str, Any]:
    issued_on = r.day("issued_on")
    return {
        "effective_at": r.day_or("effective_at", issued_on),
        "issued_on": issued_on,
        "valid_from": r.day("valid_from"),
        "valid_until": r.last_day("valid_until"),
        "surveillance_due": r.day("surveillance_due"),
        "basis": standards(r),
        "approver": r.code("approver"),
        "audit_refs": r.several("audit_refs", cells.items),
        "note": r.text("note"),
    }


def _suspended(r: RowReader) -> dict[str, Any]:
    return {
        "effective_at": r.day("effective_at"),
        "determined_on": r.day("determined_on"),
        "reason": r.one("reason", lambda cell: names.reason(cell, Verb.SUSPENDED)),
        "until": r.day("until"),
        "items": _parts(r),
        "order_ref": r.code("order_ref"),
        "note": r.text("note"),
    }


def _resumed(r: RowReader) -> dict[str, Any]:
    return {
        "effective_at": r.day("effective_at"),
        "verified_on": r.day("verified_on"),
        "items": _parts(r),
        "note": r.text("note"),
    }


def _ended(verb: Verb) -> Callable[[RowReader], dict[str, Any]]:
    def write(r: RowReader) -> dict[str, Any]:
        return {
            "effective_at": r.day("effective_at"),
            "determined_on": r.day("determined_on"),
            "reason": r.one("reason", lambda cell: names.reason(cell, verb)),
            "order_ref": r.code("order_ref"),
            "note": r.text("note"),
        }

    return write


def _surveillance_passed(r: RowReader) -> dict[str, Any]:
    return {"effective_at": r.day("effective_at"), "next_due": r.day("next_due"), "note": r.text("note")}


def _mark_authorized(r: RowReader) -> dict[str, Any]:
    return {
        "effective_at": r.day("effective_at"),
        "mark_no": r.one("mark_no", cells.number),
        "mark": r.one("mark", names.mark),
        "family": r.text("family"),
        "products": _items(r),
        "media": r.several("media", lambda cell: [names.medium(word) for word in cells.items(cell)]),
        "quantity": r.count("quantity"),
        "route": r.count("route"),
        "attributes": r.several("green_attributes", _attributes),
        "valid_from": r.day("mark_from"),
        "valid_until": r.day("mark_until"),
    }


_WRITERS: Mapping[Verb, Callable[[RowReader], dict[str, Any]]] = {
    Verb.ISSUED: _issued,
    Verb.RENEWED: _renewed,
    Verb.SUSPENDED: _suspended,
    Verb.RESUMED: _resumed,
    Verb.REVOKED: _ended(Verb.REVOKED),
    Verb.CANCELLED: _ended(Verb.CANCELLED),
    Verb.SURVEILLANCE_PASSED: _surveillance_passed,
    Verb.MARK_AUTHORIZED: _mark_authorized,
}


# --- members of several columns ----------------------------------------------------------------------------------


def _party(r: RowReader, who: str) -> dict[str, Any] | None:
    found = {
        "name": r.text(f"{who}_name"),
        "uscc": r.one(f"{who}_uscc", cells.credit_code),
        "region": r.code("holder_region") if who == "holder" else None,
        "address": r.text(f"{who}_address"),
    }
    said = {name: value for name, value in found.items() if value}
    if said and "name" not in said and who != "holder":
        r.blame(r.rows[0].line, f"{who}_name", None, "needs-the-other")
    return said or None


def _items(r: RowReader) -> list[dict[str, Any]]:
    pairs = r.side_by_side("models", "gtins", cells.items, lambda cell: [cells.gtin(g) for g in cells.items(cell)])
    return [{"model": model, "gtin": gtin} if gtin else {"model": model} for model, gtin in pairs]


def _product(r: RowReader) -> dict[str, Any] | None:
    found = {
        "name": r.text("product_name"),
        "class": r.one("product_class", cells.class_code),
        "trademark": r.text("trademark"),
        "items": _items(r),
    }
    said = {name: value for name, value in found.items() if value}
    if said:
        for member, key in (("name", "product_name"), ("items", "models")):
            if member not in said and not r.has(key):
                r.blame(r.rows[0].line, key, None, "needs-the-other")
    return said or None


def standards(r: RowReader) -> list[dict[str, str]]:
    """What is certified against: {standard, edition?}, each once."""
    return [_standard(said) for said in r.several("basis", cells.texts)]


def _standard(said: str) -> dict[str, str]:
    """A standard with its edition where the year stands behind a single number; anything else stays whole."""
    found = _EDITION.fullmatch(said.translate(cells.FULL_WIDTH).replace("—", "-").replace("–", "-"))
    return {"standard": found[1], "edition": found[2]} if found else {"standard": said}


def _parts(r: RowReader) -> list[dict[str, str]]:
    return [{"model": model} for model in r.several("parts", cells.items)]


def _organic(r: RowReader) -> dict[str, Any] | None:
    bases = r.side_by_side(
        "base_names", "base_areas_ha", cells.texts, lambda cell: [cells.measure(area) for area in cells.items(cell)]
    )
    output = r.one("output_kg", cells.measure)
    if not r.has("organic_conversion"):
        if bases or output is not None:
            r.blame(r.rows[0].line, "organic_conversion", None, "needs-the-other")
        return None
    told: list[dict[str, Any]] = [{"name": n, "area_ha": a} if a is not None else {"name": n} for n, a in bases]
    found: dict[str, Any] = {"conversion": r.one("organic_conversion", names.yes_or_no), "bases": told}
    return found | ({"output_kg": output} if output is not None else {})


def _green(r: RowReader) -> dict[str, Any] | None:
    attributes = r.several("green_attributes", _attributes)
    route = r.count("route")
    if not attributes:
        if route is not None:
            r.blame(r.rows[0].line, "green_attributes", None, "needs-the-other")
        return None
    return {"attributes": attributes} | ({"route": route} if route is not None else {})


def _attributes(cell: Cell) -> list[dict[str, Any]]:
    return [_attribute(said) for said in cells.lines(cell)]


def _attribute(said: str) -> dict[str, Any]:
    found = _ATTRIBUTE.fullmatch(said.translate(cells.FULL_WIDTH))
    if found is None:
        raise BadCell("bad-attribute", said)
    value: str | float = found["value"]
    try:
        value = cells.measure(found["value"])
    except BadCell:
        pass  # a word such as 符合
    named = {"name": found["name"].strip(), "value": value}
    return named | ({"unit": found["unit"].strip()} if found["unit"] else {})
