"""docs/copies.md holds the rule that the program judges by, in both languages."""

from services.domain.complaints import KEPT_AFTER_DECISION_DAYS, KEPT_AT_MOST_DAYS
from services.domain.copies import KEPT_DAYS, RULES
from services.verify.scans import PUBLISH_S, READ_S
from services.verify.site.words import PRIVACY
from tests.contract.test_consequence_docs import DOCS, table


def test_the_rules_are_the_programs() -> None:
    rows = table("copies.md", "rule", "days")
    assert rows == [[r.id, str(r.days), str(r.lookups), str(r.districts), r.en] for r in RULES]
    rows = table("copies.zh-CN.md", "规则", "天数")
    assert rows == [[r.id, str(r.days), str(r.lookups), str(r.districts), r.zh] for r in RULES]


def test_the_clocks_are_the_programs() -> None:
    text = (DOCS / "copies.md").read_text(encoding="utf-8")
    assert f"expire after **{KEPT_DAYS} days**" in text
    assert (PUBLISH_S, READ_S) == (30.0, 5.0)
    assert "Twice a minute it publishes" in text
    assert "every five seconds it reads" in text


def test_the_privacy_page_states_the_programs_days() -> None:
    for language in ("zh", "en"):
        told = " ".join(text[language] for _, text in PRIVACY)
        for days in (KEPT_DAYS, KEPT_AFTER_DECISION_DAYS, KEPT_AT_MOST_DAYS):
            assert str(days) in told
