"""The pages on consequence, clocks and lifecycle hold the tables that the program judges by, cell by cell."""

import json
import re
from collections.abc import Iterator
from typing import Any

from services.domain.clocks import CAN_BE_OVERDUE, ClockKind
from services.domain.clocks import RULES as CLOCK_RULES
from services.domain.consequence import CLAUSES, RULES, WITHOUT, Act, Order, Reach, rule_for
from services.domain.deed import COPIED, NO_SCHEME, RECALLED, WITHOUT_STANDING
from services.domain.standing import Standing
from tests.conftest import ROOT

DOCS = ROOT / "docs"
SPAN = re.compile(r"`([^`\n]+)`")


def tables(page: str) -> Iterator[list[list[str]]]:
    """Every table of a page, its heading first, code marks taken off."""
    rows: list[list[str]] = []
    for line in [*(DOCS / page).read_text(encoding="utf-8").splitlines(), ""]:
        if line.startswith("|"):
            cells = [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]
            if not cells[0].startswith("---"):
                rows.append(cells)
        elif rows:
            yield rows
            rows = []


def table(page: str, *heading: str) -> list[list[str]]:
    return next(found[1:] for found in tables(page) if tuple(found[0][: len(heading)]) == heading)


def test_the_table_of_products_is_the_programs() -> None:
    rows = table("consequence.md", "standing", "act", *Order)
    assert [(row[0], row[1]) for row in rows] == [(now, act) for now in _standings() for act in Act]
    for now, act, *cells in rows:
        for order, cell in zip(Order, cells, strict=True):
            for reach, letter in ((Reach.COMPULSORY, "P"), (Reach.VOLUNTARY, "V")):
                rule = rule_for(reach, Act(act), Standing(now), order)
                assert cell == f"{rule.allowed} {rule.id.removeprefix(letter)}", (now, act, order)


def test_the_table_of_organisations_is_the_programs() -> None:
    rows = table("consequence.md", "standing, of services and systems", *Act)
    assert [row[0] for row in rows] == _standings()
    for now, *cells in rows:
        for act, cell in zip(Act, cells, strict=True):
            rule = rule_for(Reach.ORGANISATION, act, Standing(now), Order.UNKNOWN)
            assert cell == f"{rule.allowed} {rule.id}", (now, act)


def test_the_list_of_rules_is_the_programs() -> None:
    own = [
        [
            rule.id,
            rule.allowed,
            rule.clause,
            rule.reason["zh"].removesuffix(WITHOUT["zh"]),
            rule.reason["en"].removesuffix(WITHOUT["en"]),
        ]
        for rule in RULES
    ]
    without = [
        [ground.rule, ground.allowed, ground.clause, ground.reason["zh"], ground.reason["en"]]
        for ground in (*WITHOUT_STANDING.values(), NO_SCHEME, RECALLED, COPIED)
    ]
    assert table("consequence.md", "rule", "answer") == [*own, *without]
    text = (DOCS / "consequence.md").read_text(encoding="utf-8").replace("\n", " ")
    assert WITHOUT["zh"].removeprefix("。") in text
    assert WITHOUT["en"].removeprefix(". ") in text


def test_the_clauses_are_the_programs() -> None:
    rows = table("consequence.md", "ground")
    assert [row[:3] for row in rows] == [[name, said["zh"], said["en"]] for name, said in CLAUSES.items()]
    assert all(row[3] for row in rows), "each says where it was read"


def test_the_orders_are_all_explained() -> None:
    assert [row[0] for row in table("consequence.md", "order")] == list(Order)


def _standings() -> list[str]:
    first = [Standing.VALID, Standing.SUSPENDED, Standing.CANCELLED, Standing.SUPERSEDED, Standing.EXPIRED]
    return [*first, Standing.REVOKED, Standing.NOT_YET_VALID]


def test_the_clocks_are_the_programs() -> None:
    rows = table("clocks.md", "rule", "kind")
    assert [(row[0], row[1]) for row in rows] == [(CLOCK_RULES[kind], kind.value) for kind in ClockKind]
    assert [row[1] for row in rows if row[2] == "yes"] == list(CAN_BE_OVERDUE)


def shipped() -> dict[str, Any]:
    files = sorted((ROOT / "schemas/schemes").iterdir())
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}


def of_schemes(rows: list[list[str]]) -> Iterator[tuple[str, list[str]]]:
    """Each shipped scheme with the cells that a table has for it: the row which names it, or that of the others."""
    named = {name: cells for names, *cells in rows for name in SPAN.findall(f"`{names}`")}
    others = next((cells for names, *cells in rows if "others" in names or "other schemes" in names), None)
    for name in shipped():
        cells = named.get(name, others)
        assert cells is not None, name
        yield name, cells


def numbers(cell: str) -> list[int]:
    return [int(found) for found in re.findall(r"(?<![A-Z0-9])[0-9]+", cell)]


def test_how_long_a_certificate_is_valid_is_the_shipped_schemes() -> None:
    for name, cells in of_schemes(table("clocks.md", "scheme", "valid for", "surveillance every")):
        rules = shipped()[name]
        told = [rules["validity_months"], rules["surveillance_months"], rules["renewal_apply_days"]]
        assert [numbers(cell) for cell in cells[:3]] == [[n] if n else [] for n in told], name


def test_how_long_a_suspension_lasts_is_the_shipped_schemes() -> None:
    for name, (least, most, *_) in of_schemes(table("clocks.md", "scheme", "at least", "at most")):
        rules = shipped()[name]
        assert numbers(least) == [n for n in [rules.get("suspension_least_months")] if n], name
        limits = [rules["suspension_limit_months"], *(limit["months"] for limit in rules["suspension_limits"])]
        assert numbers(most) == [n for n in limits if n], name


def test_how_soon_a_body_acts_is_the_shipped_schemes() -> None:
    for name, cells in of_schemes(table("clocks.md", "scheme", "suspended within", "revoked within")):
        rules = shipped()[name]
        for cell, limit in zip(cells, (rules["suspend_within"], rules["revoke_within"]), strict=False):
            if rules["declaration"]:
                assert limit is None, name
                continue
            assert numbers(cell) == ([limit["days"]] if limit else []), name
            assert ("working" in cell) == bool(limit and limit["working"]), name


def test_who_waits_for_how_long_is_the_shipped_schemes() -> None:
    heading, *rows = next(found for found in tables("lifecycle.md") if found[0][:2] == ["member", "lost"])
    columns = {name: at for at, names in enumerate(heading) for name in SPAN.findall(f"`{names}`")}
    for name, rules in shipped().items():
        for row in rows:
            rule, cell = rules.get(row[0]), row[columns[name]] if name in columns else ""
            months, reasons = (rule["months"], rule["reasons"]) if isinstance(rule, dict) else (rule, [])
            assert numbers(cell) == ([months] if months else []), (name, row[0])
            assert listed(cell) == reasons, (name, row[0])


def listed(cell: str) -> list[str]:
    """The reasons that a cell names: `S01 to S07, S10` are eight."""
    found: list[str] = []
    for first, last in re.findall(r"([SR][0-9]{2})(?: to ([SR][0-9]{2}))?", cell):
        found += [f"{first[0]}{n:02d}" for n in range(int(first[1:]), int((last or first)[1:]) + 1)]
    return found


def test_what_a_scheme_requires_is_the_shipped_schemes() -> None:
    rows = table("lifecycle.md", "scheme", "required besides the schema")
    told = {
        name: sorted(SPAN.findall(f"`{required}`")) for names, required in rows for name in SPAN.findall(f"`{names}`")
    }
    assert told == {name: sorted(scheme["required"]) for name, scheme in shipped().items()}
