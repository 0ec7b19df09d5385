"""docs/listings.md holds the rules, clauses and verdicts that the program judges listings by."""

from services.domain.consequence import Order, Reach
from services.domain.listing_rules import CLAUSES, NOT_CHECKED, RULE_SET, RULES
from services.domain.listing_standing import standing_verdict
from services.domain.standing import Standing
from services.listings.columns import HEADINGS
from tests.contract.test_consequence_docs import DOCS, table


def rules_rows() -> list[list[str]]:
    return [
        [
            rule.id,
            rule.words["zh"],
            rule.words["en"],
            rule.severity,
            rule.clause,
            rule.evidence["zh"],
            rule.evidence["en"],
        ]
        for rule in RULES
    ]


def verdict_rows() -> list[list[str]]:
    rows = []
    for reach in Reach:
        for now in Standing:
            cells = [standing_verdict(reach, now, order) for order in Order]
            rows.append([reach, now, *(f"{cell.verdict} {cell.rule or ''}".strip() for cell in cells)])
    return rows


def clause_rows() -> list[list[str]]:
    return [
        [name, str(clause.since or ""), str(clause.until or ""), clause.words["zh"], clause.words["en"]]
        for name, clauses in CLAUSES.items()
        for clause in clauses
    ]


def test_the_rules_are_the_programs() -> None:
    assert table("listings.md", "rule", "规则") == rules_rows()


def test_the_verdicts_are_the_programs() -> None:
    assert table("listings.md", "reach", "standing", *Order) == verdict_rows()


def test_the_clauses_are_the_programs() -> None:
    assert table("listings.md", "clause", "since") == clause_rows()


def test_the_columns_are_the_programs() -> None:
    assert table("listings.md", "key", "标题") == [[key, heading] for key, heading in HEADINGS.items()]


def test_what_is_not_checked_and_the_version_are_said() -> None:
    text = (DOCS / "listings.md").read_text(encoding="utf-8")
    assert f"`{RULE_SET}`" in text
    for words in NOT_CHECKED:
        assert words["zh"] in text
        assert words["en"] in text
