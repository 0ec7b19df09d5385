"""The labelled listings of the bench: the check is right about them, and they hold every trap."""

from bench.listing_set import Maker, Registered
from bench.listings import SEED, judge
from services.domain.listing_rules import RULES


def test_leads_are_unlawful_and_what_is_unlawful_is_a_lead() -> None:
    judged = judge(4000)
    assert judged.leads > 800
    assert judged.rightly / judged.leads >= 0.999, judged.wrong[:3]
    assert judged.caught / judged.unlawful >= 0.99, judged.wrong[:3]


def test_the_set_holds_every_rule_and_is_the_same_by_its_seed() -> None:
    held = Registered(SEED, 300)
    made = Maker(held, 7).all(3000)
    assert {one.rule for one in made if one.rule} == {rule.id for rule in RULES}
    assert made == Maker(Registered(SEED, 300), 7).all(3000)
    assert 0.6 < sum(one.label == "lawful" for one in made) / len(made) < 0.8
