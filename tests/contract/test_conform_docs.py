"""The page of the conformance run: every case is on it, and every clause that a case stands for can be read."""

import ast
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from services.events.conform.cases import CASES
from services.events.conform.outcome import Titled
from services.events.conform.producer_cases import BEHAVIOURS, FORMS

DOCS = Path(__file__).resolve().parents[2] / "docs"
EVERY: tuple[Titled, ...] = (*CASES, *BEHAVIOURS, *FORMS)


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", DOCS / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_lists_the_cases_that_are_played(reference: ModuleType) -> None:
    assert (DOCS / "conform.md").read_text(encoding="utf-8") == reference.page("conform.md"), "run docs/reference.py"


def test_every_case_stands_for_a_heading_that_exists() -> None:
    for clause in {case.clause for case in EVERY}:
        page, _, heading = clause.partition("#")
        assert heading in headings(DOCS / page), clause


def headings(page: Path) -> set[str]:
    """The anchors of a page, as the usual viewers make them."""
    lines = page.read_text(encoding="utf-8").splitlines()
    found = [line.lstrip("#").strip().lower() for line in lines if re.match("#+ ", line)]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in found}


def test_the_example_of_a_client_needs_nothing_of_ours() -> None:
    source = (DOCS / "examples" / "producer.py").read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for module in modules:
            assert module.partition(".")[0] in {*sys.stdlib_module_names, "cryptography"}, module
