"""The daily reconciliation: what a body's own sheet says of its certificates beside what the register has."""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import groupby
from typing import Any

from services.domain.identifiers import normalised
from services.domain.standing import Standing
from services.events import cells, names
from services.events.cells import Cell
from services.events.columns import BY_KEY, Layout
from services.events.faults import Fault
from services.events.rows import RowReader, standards
from services.events.sheets import Row, Sheet

Progress = Callable[[int], None]
Record = Mapping[str, Any]
"""One certificate as the registry lists it: {certificate_no, standing, state}."""
Believed = dict[str, Any]
"""What the sheet says of one certificate: column key → the form in which it is compared."""

NO_END = "长期"


class Kind(StrEnum):
    """How a certificate of the one compares with the other."""

    NOT_IN_REGISTER = "not_in_register"
    NOT_IN_FILE = "not_in_file"
    DIFFERENT = "different"
    EQUAL = "equal"


KINDS_SAID: Mapping[Kind, tuple[str, str]] = {
    Kind.NOT_IN_REGISTER: ("登记册没有", "not in the register"),
    Kind.NOT_IN_FILE: ("文件没有", "not in the file"),
    Kind.DIFFERENT: ("不一致", "different"),
    Kind.EQUAL: ("一致", "equal"),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs: `theirs` stands in the sheet (in row `line`), `ours` in the register."""

    kind: Kind
    certificate_no: str
    line: int | None = None
    field: str = ""
    theirs: str = ""
    ours: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Field:
    """A column that is compared: how its cells are read, and where the register has the same."""

    read: Callable[[RowReader, str], Any]
    ours: Callable[[Record], Any]


def _word(path: str) -> Callable[[Record], Any]:
    """A text of the state, in the form in which texts are compared: full-width brackets and spaces do not count."""
    found = _member(path)
    return lambda record: normalised(text) if (text := found(record)) else ""


def _member(path: str) -> Callable[[Record], Any]:
    steps = path.split("/")

    def found(record: Record) -> Any:
        value: Any = record["state"]
        for step in steps:
            value = value.get(step) if isinstance(value, dict) else None
        return value

    return found


def _items(member: str) -> Callable[[Record], list[str]]:
    def found(record: Record) -> list[str]:
        product = record["state"].get("product") or {"items": []}
        return sorted({normalised(item[member]) for item in product["items"] if item.get(member)})

    return found


def _read_word(reader: RowReader, key: str) -> str | None:
    found = reader.text(key)
    return normalised(found) if found else None


def _read_models(reader: RowReader, key: str) -> list[str] | None:
    return sorted(normalised(model) for model in reader.several(key, cells.items)) or None


def _read_gtins(reader: RowReader, key: str) -> list[str] | None:
    return sorted(reader.several(key, lambda cell: [cells.gtin(g) for g in cells.items(cell)])) or None


def _read_standards(reader: RowReader, key: str) -> list[str] | None:
    return sorted(_standard(one) for one in standards(reader)) or None


def _standards(record: Record) -> list[str]:
    return sorted(_standard(one) for one in record["state"].get("basis") or ())


def _standard(one: Mapping[str, Any]) -> str:
    return normalised("-".join(part for part in (one["standard"], one.get("edition")) if part))


def _read_sites(reader: RowReader, key: str) -> list[str] | None:
    return sorted(normalised(address) for address in reader.several(key, cells.lines)) or None


def _sites(record: Record) -> list[str]:
    return sorted(normalised(site["address"]) for site in record["state"].get("sites") or ())


def _read_end(reader: RowReader, key: str) -> str | None:
    if not reader.has(key):
        return None
    return reader.last_day(key) or NO_END


def _read(read: Callable[[Cell], Any]) -> Callable[[RowReader, str], Any]:
    return lambda reader, key: reader.one(key, read)


_DAY = RowReader.day

FIELDS: Mapping[str, Field] = {
    "status": Field(_read(names.standing_word), lambda record: record["standing"]),
    "scheme": Field(_read(names.scheme), _member("scheme")),
    "certification_mode": Field(_read_word, _word("certification_mode")),
    "basis": Field(_read_standards, _standards),
    **{
        f"{who}_{member}": Field(_read(cells.credit_code) if member == "uscc" else _read_word, _word(f"{who}/{member}"))
        for who in ("holder", "manufacturer", "factory")
        for member in ("name", "uscc", "address")
    },
    "holder_region": Field(_read(cells.code), _member("holder/region")),
    "product_name": Field(_read_word, _word("product/name")),
    "product_class": Field(_read(cells.class_code), _member("product/class")),
    "trademark": Field(_read_word, _word("product/trademark")),
    "models": Field(_read_models, _items("model")),
    "gtins": Field(_read_gtins, _items("gtin")),
    "service_scope": Field(_read_word, _word("service_scope")),
    "sites": Field(_read_sites, _sites),
    "headcount": Field(_read(cells.count), _member("headcount")),
    "first_issued_on": Field(_DAY, _member("first_issued_on")),
    "issued_on": Field(_DAY, _member("issued_on")),
    "valid_from": Field(_DAY, _member("valid_from")),
    "valid_until": Field(_read_end, lambda record: record["state"].get("valid_until") or NO_END),
    "surveillance_due": Field(_DAY, _member("surveillance_due")),
    "approver": Field(_read(cells.code), _member("approver")),
    "parent_no": Field(_read(cells.number), _member("parent_no")),
    "supersedes": Field(_read(cells.number), _member("supersedes")),
    "accreditation": Field(_read_word, _word("accreditation")),
    "grade": Field(_read_word, _word("grade")),
}
"""The columns that are compared. An empty cell claims nothing."""


def not_compared(layout: Layout) -> list[str]:
    """The sheet's headings that nothing is compared with: that all is equal says nothing of these."""
    known = [layout.title(key) for key in layout.places if key not in FIELDS and key != "certificate_no"]
    return [*known, *layout.unmapped]


_OVER = frozenset({Standing.REVOKED, Standing.CANCELLED, Standing.EXPIRED, Standing.SUPERSEDED})


class Books:
    """What a sheet says of every certificate, by number, on disk where it outgrows the memory."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("")
        self._connection.execute(
            "CREATE TABLE believed (number TEXT PRIMARY KEY, line INTEGER NOT NULL, said TEXT NOT NULL,"
            " seen INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID"
        )
        self.faults: list[Fault] = []
        self.unreadable = 0

    def close(self) -> None:
        self._connection.close()

    def read(self, sheet: Sheet, keep: int, progress: Progress) -> None:
        """Read the sheet through; rows that cannot be read are counted, the first `keep` faults kept."""
        place = sheet.layout.places["certificate_no"]
        for _, group in groupby(sheet.rows(), lambda row: normalised(cells.shown(row.at(place))) or str(row.line)):
            rows = tuple(group)
            self._take(rows, sheet.layout, keep)
            progress(len(rows))

    def _take(self, rows: tuple[Row, ...], layout: Layout, keep: int) -> None:
        reader = RowReader(rows, layout, {})
        number = reader.one("certificate_no", cells.number)
        if number is None:
            reader.missing("certificate_no")
        said = {key: found for key, field in FIELDS.items() if (found := field.read(reader, key)) is not None}
        if not reader.faults and number is not None:
            self._write(number, rows[0].line, said, reader)
        if reader.faults:
            self.unreadable += 1
            self.faults += reader.faults[: max(0, keep - len(self.faults))]

    def _write(self, number: str, line: int, said: Believed, reader: RowReader) -> None:
        """A number that comes again further down adds to what was said: its models, and no contradiction."""
        before = self._connection.execute("SELECT said FROM believed WHERE number = ?", (number,)).fetchone()
        if before is not None:
            for key, value in json.loads(before[0]).items():
                if isinstance(value, list):
                    said[key] = sorted({*value, *said.get(key, ())})
                elif said.setdefault(key, value) != value:
                    reader.blame(line, key, str(said[key]), "rows-disagree", str(value))
        self._connection.execute(
            "INSERT INTO believed (number, line, said) VALUES (?, ?, ?)"
            " ON CONFLICT (number) DO UPDATE SET said = excluded.said",
            (number, line, json.dumps(said, ensure_ascii=False)),
        )

    def beside(self, records: Iterable[Record], *, only_current: bool) -> Iterator[Difference]:
        """Every certificate of either side: its differences, one each a field, or that it is equal.

        `only_current`: the sheet lists what is in force alone, so that an ended certificate is not missed there.
        """
        for record in records:
            number = str(record["certificate_no"])
            found = self._connection.execute("SELECT line, said FROM believed WHERE number = ?", (number,)).fetchone()
            if found is None:
                if not (only_current and record["standing"] in _OVER):
                    yield Difference(Kind.NOT_IN_FILE, number, ours=str(record["standing"]))
                continue
            self._connection.execute("UPDATE believed SET seen = 1 WHERE number = ?", (number,))
            line, said = found
            differences = list(_differences(number, line, json.loads(said), record))
            yield from differences or [Difference(Kind.EQUAL, number, line)]
        unseen = self._connection.execute("SELECT number, line, said FROM believed WHERE NOT seen ORDER BY line")
        for number, line, said in unseen:
            yield Difference(Kind.NOT_IN_REGISTER, number, line, theirs=str(json.loads(said).get("status", "")))


def _differences(number: str, line: int, said: Believed, record: Record) -> Iterator[Difference]:
    for key, theirs in said.items():
        ours = FIELDS[key].ours(record)
        if key == "status" and _same_status(theirs, record):
            continue
        if theirs != ours:
            yield Difference(Kind.DIFFERENT, number, line, BY_KEY[key].zh, *_shown(theirs, ours))


def _same_status(theirs: str, record: Record) -> bool:
    """The standing today; another word than valid may also be what was last declared, which expiry hides."""
    declared = record["state"].get("status")
    return theirs == record["standing"] or (theirs == declared and theirs != Standing.VALID)


def _shown(theirs: Any, ours: Any) -> tuple[str, str]:
    """Both sides in words; of two lists only what the other one lacks."""
    if isinstance(theirs, list):
        return "、".join(x for x in theirs if x not in ours), "、".join(x for x in ours if x not in theirs)
    return str(theirs), str(ours if ours is not None else "")


def counted(differences: Iterable[Difference], write: Callable[[Difference], None]) -> Counter[Kind]:
    """How many certificates of each kind; each difference but equality is written on the way."""
    counts: Counter[Kind] = Counter()
    last = ""
    for difference in differences:
        if difference.certificate_no != last:
            counts[difference.kind] += 1
            last = difference.certificate_no
        if difference.kind is not Kind.EQUAL:
            write(difference)
    return counts
