"""The page of imports: its tables are those of the program."""

import importlib.util
import re
from pathlib import Path

from services.events.columns import COLUMNS
from services.events.faults import FAULTS

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "import.md").read_text(encoding="utf-8")


def test_the_page_is_written_from_the_program() -> None:
    spec = importlib.util.spec_from_file_location("reference", DOCS / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    assert reference.page("import.md") == PAGE, "run docs/reference.py"


def test_every_column_and_every_fault_has_its_row() -> None:
    rows = re.findall(r"^\| ([^|]+) \| `([a-z_]+)` \|", PAGE, re.MULTILINE)
    assert rows == [(column.zh, column.key) for column in COLUMNS]
    assert set(FAULTS) <= set(re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.MULTILINE))


def test_what_was_not_found_is_said() -> None:
    """The headings of the national platform's exports are assumed, and nobody shall think otherwise."""
    assert "没有找到" in PAGE
    assert "**not found**" in PAGE
    for column in COLUMNS:
        if column.assumed:
            assert f"| {'、'.join(column.assumed)} |" in PAGE
