"""Every member of a scheme is read by something: data that nobody reads would be a promise that nobody keeps."""

import ast
from collections.abc import Iterator
from pathlib import Path

from services.domain.scheme import SchemeRules
from tests.conftest import ROOT

NAMES_OF_RULES = frozenset({"rules", "version", "scheme", "version_on", "old", "one"})
"""What rules are called where they are read by member."""

ELSEWHERE = {
    "aliases": "what a mark was called before: for whoever explains marks and recognises them in listings",
    "unit_codes": "the form of a unit's code: for whoever takes in sets of codes",
}
"""Members whose readers are still to come."""


def test_every_member_of_a_scheme_is_read() -> None:
    read = {name for file in sorted((ROOT / "services").rglob("*.py")) for name in members_read(file)}
    unread = SchemeRules.__annotations__.keys() - read - ELSEWHERE.keys()
    assert not unread, f"no code reads {sorted(unread)} of a scheme"


def test_a_member_that_nothing_reads_is_found(tmp_path: Path) -> None:
    file = tmp_path / "reader.py"
    file.write_text("def f(rules, said):\n    return rules['name'], said['catalogue'], rules.get('routes')\n")
    assert set(members_read(file)) == {"name", "routes"}


def members_read(file: Path) -> Iterator[str]:
    """The members that a file takes from rules, by subscript or `get`; writing them down is no reading."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Subscript(value=value, slice=ast.Constant(value=str(name)), ctx=ast.Load()) if is_rules(value):
                yield name
            case ast.Call(func=ast.Attribute(value=value, attr="get"), args=[ast.Constant(value=str(name)), *_]) if (
                is_rules(value)
            ):
                yield name


def is_rules(value: ast.expr) -> bool:
    match value:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in NAMES_OF_RULES
        case ast.Subscript(value=inner):  # the last of a scheme's versions
            return ast.unparse(inner).endswith("['versions']")
    return False
