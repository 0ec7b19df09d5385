"""What a standing means in law: the whole table as it is expected, and the cases of practice that it was made for."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import product
from typing import Any

import pytest

from services.domain.certificate import Certificate, Mark, Part, PartKind, Period, Status
from services.domain.consequence import (
    CLAUSES,
    RULES,
    Act,
    Allowed,
    Order,
    Permit,
    Reach,
    permits,
    rule_for,
    turning_days,
)
from services.domain.deed import RECALLED
from services.domain.errors import BadRequest
from services.domain.scheme import SchemeRules, scheme_rules
from services.domain.standing import Standing, mark_standing, part_standing, standing, standing_under, worse
from tests.certificates import ACTIVE, BEGIN, END, a_certificate, a_mark, since

EXPECTED = """
standing      act      unknown    in_time    unproved   doubtful   early      suspended  late
valid         ship     yes 12     yes 12     review 13  review 07  no 09      no 10      no 11
valid         sell     yes 12     yes 12     review 13  review 07  no 09      no 10      no 11
valid         import   yes 12     yes 12     review 13  review 07  no 09      no 10      no 11
valid         use      yes 12     yes 12     review 13  review 07  no 09      no 10      no 11
valid         display  yes 01     yes 01     yes 01     yes 01     yes 01     yes 01     yes 01
suspended     ship     no 04      no 04      no 04      no 04      no 04      no 04      no 04
suspended     sell     review 15  review 14  review 15  review 07  no 09      no 10      no 11
suspended     import   no 04      no 04      no 04      no 04      no 04      no 04      no 04
suspended     use      review 15  review 14  review 15  review 07  no 09      no 10      no 11
suspended     display  no 02      no 02      no 02      no 02      no 02      no 02      no 02
cancelled     ship     no 05      no 05      no 05      no 05      no 05      no 05      no 05
cancelled     sell     review 17  yes 16     review 17  review 07  no 09      no 10      no 11
cancelled     import   no 05      no 05      no 05      no 05      no 05      no 05      no 05
cancelled     use      review 17  yes 16     review 17  review 07  no 09      no 10      no 11
cancelled     display  no 02      no 02      no 02      no 02      no 02      no 02      no 02
superseded    ship     no 05      no 05      no 05      no 05      no 05      no 05      no 05
superseded    sell     review 17  yes 16     review 17  review 07  no 09      no 10      no 11
superseded    import   no 05      no 05      no 05      no 05      no 05      no 05      no 05
superseded    use      review 17  yes 16     review 17  review 07  no 09      no 10      no 11
superseded    display  no 02      no 02      no 02      no 02      no 02      no 02      no 02
expired       ship     no 06      no 06      no 06      no 06      no 06      no 06      no 06
expired       sell     review 18  review 18  review 18  review 07  no 09      no 10      no 11
expired       import   no 06      no 06      no 06      no 06      no 06      no 06      no 06
expired       use      review 18  review 18  review 18  review 07  no 09      no 10      no 11
expired       display  no 02      no 02      no 02      no 02      no 02      no 02      no 02
revoked       ship     no 03      no 03      no 03      no 03      no 03      no 03      no 03
revoked       sell     no 03      no 03      no 03      no 03      no 03      no 03      no 03
revoked       import   no 03      no 03      no 03      no 03      no 03      no 03      no 03
revoked       use      no 03      no 03      no 03      no 03      no 03      no 03      no 03
revoked       display  no 02      no 02      no 02      no 02      no 02      no 02      no 02
not_yet_valid ship     no 08      no 08      no 08      review 07  no 08      no 08      no 08
not_yet_valid sell     no 08      no 08      no 08      review 07  no 08      no 08      no 08
not_yet_valid import   no 08      no 08      no 08      review 07  no 08      no 08      no 08
not_yet_valid use      no 08      no 08      no 08      review 07  no 08      no 08      no 08
not_yet_valid display  no 02      no 02      no 02      no 02      no 02      no 02      no 02
"""
"""Of products. The rule is P<number> under a compulsory scheme and V<number> under a voluntary one; the orders of the
goods' dates are those of `Order`."""

EXPECTED_OF_ORGANISATIONS = """
standing      ship    sell    import  use     display
valid         no S01  no S01  no S01  yes S02 yes S02
suspended     no S01  no S01  no S01  no S03  no S03
cancelled     no S01  no S01  no S01  no S03  no S03
superseded    no S01  no S01  no S01  no S03  no S03
expired       no S01  no S01  no S01  no S03  no S03
revoked       no S01  no S01  no S01  no S03  no S03
not_yet_valid no S01  no S01  no S01  no S03  no S03
"""
"""Of services and management systems."""


def products_table() -> dict[tuple[str, str, str], tuple[str, str]]:
    """(standing, act, order) → (answer, number of the rule)."""
    head, *lines = [line.split() for line in EXPECTED.strip().splitlines()]
    return {
        (line[0], line[1], order): (line[2 + 2 * place], line[3 + 2 * place])
        for line in lines
        for place, order in enumerate(head[2:])
    }


def organisations_table() -> dict[tuple[str, str], tuple[str, str]]:
    """(standing, act) → (answer, rule)."""
    head, *lines = [line.split() for line in EXPECTED_OF_ORGANISATIONS.strip().splitlines()]
    return {
        (line[0], act): (line[1 + 2 * place], line[2 + 2 * place])
        for line in lines
        for place, act in enumerate(head[1:])
    }


def test_the_tables_name_everything_that_can_be_asked() -> None:
    assert set(products_table()) == set(product(Standing, Act, Order))
    assert set(organisations_table()) == set(product(Standing, Act))


@pytest.mark.parametrize(("reach", "letter"), [(Reach.COMPULSORY, "P"), (Reach.VOLUNTARY, "V")])
def test_the_table_of_products(reach: Reach, letter: str) -> None:
    for (now, act, order), (allowed, number) in products_table().items():
        rule = rule_for(reach, Act(act), Standing(now), Order(order))
        assert (rule.allowed, rule.id) == (allowed, letter + number), (now, act, order)


def test_the_table_of_services_and_systems() -> None:
    for (now, act), (allowed, number) in organisations_table().items():
        for order in Order:
            rule = rule_for(Reach.ORGANISATION, Act(act), Standing(now), order)
            assert (rule.allowed, rule.id) == (allowed, number), (now, act, order)


def test_each_rule_answers_something_and_says_on_what_ground() -> None:
    reached = {rule_for(*case).id for case in product(Reach, Act, Standing, Order)}
    assert [rule.id for rule in RULES] == sorted({rule.id for rule in RULES} & reached, key=order_of_letters)
    assert {rule.clause for rule in RULES} | {RECALLED.clause} == set(CLAUSES)
    for rule in RULES:
        for text in (rule.reason, CLAUSES[rule.clause]):
            assert text["zh"]
            assert text["en"]
    for rule in RULES:
        free = rule.id.startswith("V") and rule.allowed is not Allowed.YES and rule.id != "V02"
        assert ("自愿" in rule.reason["zh"]) is free, rule.id
        assert ("voluntary" in rule.reason["en"]) is free, rule.id


def order_of_letters(rule: str) -> tuple[int, str]:
    return "PVS".index(rule[0]), rule


# --- cases of practice -------------------------------------------------------------------------------------------

CCC: SchemeRules = scheme_rules(
    {
        "effective_at": "2016-01-01",
        "version": 1,
        "name": {"zh": "强制性产品认证", "en": "CCC"},
        "class": "product",
        "mandatory": True,
        "declaration": False,
        "mark_authorizer": "implied",
        "coverage": {"complete": False, "zh": "示范", "en": "sample"},
    }
)
BRAND: SchemeRules = scheme_rules({**CCC, "mandatory": False})
SYSTEM: SchemeRules = scheme_rules({**CCC, "mandatory": False, "class": "system"})
TODAY = date(2026, 11, 1)
DAY = timedelta(days=1)
SUSPENDED = since(Status.SUSPENDED, date(2026, 9, 15), date(2026, 12, 14))

VALID = a_certificate()
NOW_SUSPENDED = a_certificate(statuses=(ACTIVE, SUSPENDED))
RESUMED = a_certificate(statuses=(ACTIVE, SUSPENDED, since(Status.ACTIVE, date(2026, 10, 10))))
REVOKED = a_certificate(statuses=(ACTIVE, since(Status.REVOKED, date(2026, 2, 4))))
CANCELLED = a_certificate(statuses=(ACTIVE, since(Status.CANCELLED, date(2026, 4, 1))))
SUPERSEDED = replace(CANCELLED, superseded_by="2026990703000999")
EXPIRED = a_certificate(valid_until=date(2026, 5, 19))
AHEAD = a_certificate(valid_from=date(2026, 12, 1), first_issued_on=date(2026, 12, 1))
RENEWED = a_certificate(
    valid_from=date(2026, 6, 1),
    periods=(Period(BEGIN, date(2026, 5, 19), BEGIN, "a" * 64),),
)
TAKEN_OVER = a_certificate(first_issued_on=date(2019, 3, 6))
SUSPENDED_THEN_CANCELLED = a_certificate(statuses=(ACTIVE, SUSPENDED, since(Status.CANCELLED, date(2026, 10, 10))))


def asked(
    certificate: Certificate,
    act: Act,
    made_on: date | None = None,
    shipped_on: date | None = None,
    day: date = TODAY,
    rules: SchemeRules = CCC,
) -> Permit:
    return permits(certificate, None, act, day, made_on, shipped_on, rules, lambda on: standing(certificate, on))


@pytest.mark.parametrize(
    ("certificate", "made_on", "shipped_on", "answer"),
    [
        (VALID, None, None, "yes P12"),
        (VALID, date(2026, 3, 2), None, "yes P12"),
        (VALID, BEGIN - DAY, None, "no P09"),  # made before there was a certificate
        (VALID, BEGIN, BEGIN, "yes P12"),
        (VALID, TODAY, TODAY, "yes P12"),
        (TAKEN_OVER, date(2019, 3, 6), None, "review P07"),
        (TAKEN_OVER, date(2019, 3, 5), None, "no P09"),
        (VALID, None, BEGIN - DAY, "no P09"),
        (TAKEN_OVER, date(2022, 1, 1), None, "review P07"),  # the register does not know that time
        (replace(VALID, supersedes="2019990703000001"), date(2022, 1, 1), date(2026, 1, 1), "review P07"),
        (NOW_SUSPENDED, None, None, "review P15"),
        (NOW_SUSPENDED, date(2026, 10, 5), None, "no P10"),  # made during the suspension
        (NOW_SUSPENDED, date(2026, 8, 1), date(2026, 9, 15), "no P10"),  # left the factory on its first day
        (NOW_SUSPENDED, date(2026, 8, 1), date(2026, 9, 14), "review P14"),
        (NOW_SUSPENDED, date(2026, 8, 1), None, "review P15"),
        (RESUMED, date(2026, 8, 1), None, "review P13"),  # it was suspended in between
        (RESUMED, date(2026, 10, 10), None, "yes P12"),
        (RESUMED, date(2026, 8, 1), date(2026, 9, 20), "no P10"),
        (RESUMED, date(2026, 9, 20), date(2026, 10, 12), "review P07"),
        (RESUMED, None, date(2026, 10, 10), "yes P12"),
        (REVOKED, date(2025, 3, 1), date(2025, 4, 1), "no P03"),
        (REVOKED, None, None, "no P03"),
        (CANCELLED, date(2026, 2, 11), date(2026, 3, 1), "yes P16"),  # shipped before: sold on
        (CANCELLED, date(2026, 2, 11), None, "review P17"),  # made before, not proved when shipped
        (CANCELLED, None, None, "review P17"),
        (CANCELLED, None, date(2026, 3, 31), "yes P16"),
        (CANCELLED, None, date(2026, 4, 1), "no P11"),  # shipped on the day of cancellation
        (CANCELLED, date(2026, 4, 1), None, "no P11"),
        (SUPERSEDED, None, date(2026, 3, 31), "yes P16"),
        (EXPIRED, date(2025, 12, 1), None, "review P18"),
        (EXPIRED, date(2025, 12, 1), date(2026, 5, 19), "review P18"),  # its last day
        (EXPIRED, date(2025, 12, 1), date(2026, 5, 20), "no P11"),
        (EXPIRED, date(2026, 8, 10), None, "no P11"),
        (AHEAD, None, None, "no P08"),
        (RENEWED, date(2026, 5, 1), None, "review P13"),  # through the gap between two periods
        (RENEWED, date(2026, 5, 1), date(2026, 5, 19), "yes P12"),
        (RENEWED, date(2026, 5, 1), date(2026, 5, 25), "no P11"),
        (RENEWED, date(2026, 5, 25), date(2026, 6, 2), "review P07"),
        (SUSPENDED_THEN_CANCELLED, date(2026, 9, 20), None, "no P10"),
    ],
)
def test_may_it_be_sold(certificate: Certificate, made_on: date | None, shipped_on: date | None, answer: str) -> None:
    permit = asked(certificate, Act.SELL, made_on, shipped_on)
    assert f"{permit.allowed} {permit.rule}" == answer
    assert permit.standing is standing(certificate, TODAY)
    voluntary = asked(certificate, Act.SELL, made_on, shipped_on, rules=BRAND)
    assert f"{voluntary.allowed} {voluntary.rule}" == answer.replace("P", "V")
    use = asked(certificate, Act.USE, made_on, shipped_on)
    assert (use.allowed, use.rule) == (permit.allowed, permit.rule)


@pytest.mark.parametrize(
    ("certificate", "made_on", "shipped_on", "answer", "now"),
    [
        (VALID, None, None, "yes P12", "valid"),
        (VALID, BEGIN - DAY, None, "no P09", "valid"),
        (NOW_SUSPENDED, date(2026, 8, 1), None, "no P04", "suspended"),
        (NOW_SUSPENDED, date(2026, 8, 1), date(2026, 9, 14), "yes P12", "valid"),  # it left on a good day
        (NOW_SUSPENDED, date(2026, 8, 1), date(2026, 9, 15), "no P04", "suspended"),
        (RESUMED, date(2026, 9, 20), None, "review P07", "valid"),
        (REVOKED, None, date(2026, 2, 3), "yes P12", "valid"),
        (CANCELLED, None, None, "no P05", "cancelled"),
        (EXPIRED, None, None, "no P06", "expired"),
        (AHEAD, None, None, "no P08", "not_yet_valid"),
        (TAKEN_OVER, None, date(2022, 1, 1), "review P07", "not_yet_valid"),
    ],
)
def test_leaving_the_factory_is_judged_by_the_day_of_it(
    certificate: Certificate, made_on: date | None, shipped_on: date | None, answer: str, now: str
) -> None:
    permit = asked(certificate, Act.SHIP, made_on, shipped_on)
    assert (f"{permit.allowed} {permit.rule}", permit.standing) == (answer, now)


@pytest.mark.parametrize(
    ("certificate", "shipped_on", "answer"),
    [
        (VALID, None, "yes P12"),
        (NOW_SUSPENDED, date(2026, 9, 14), "no P04"),  # whenever it left the factory abroad
        (CANCELLED, date(2026, 3, 1), "no P05"),
        (RESUMED, date(2026, 9, 20), "no P10"),
    ],
)
def test_import_is_judged_by_the_day_asked(certificate: Certificate, shipped_on: date | None, answer: str) -> None:
    permit = asked(certificate, Act.IMPORT, None, shipped_on)
    assert f"{permit.allowed} {permit.rule}" == answer


def test_a_day_in_the_past_is_judged_as_it_was() -> None:
    assert asked(NOW_SUSPENDED, Act.SELL, day=date(2026, 9, 14)).allowed is Allowed.YES
    assert asked(REVOKED, Act.SELL, day=date(2026, 2, 3)).allowed is Allowed.YES
    assert asked(TAKEN_OVER, Act.SELL, day=date(2022, 1, 1)).rule == "P07"
    assert asked(NOW_SUSPENDED, Act.SELL, date(2026, 8, 1), day=date(2026, 9, 14)).rule == "P12"
    assert asked(NOW_SUSPENDED, Act.SELL, date(2026, 8, 1), day=date(2026, 9, 15)).rule == "P15", "it began that day"


def test_the_reason_names_the_day_and_the_standing() -> None:
    permit = asked(NOW_SUSPENDED, Act.DISPLAY)
    assert permit.reason["zh"] == "2026-11-01证书处于暂停状态，不得展示或宣传证书和标志"
    assert permit.reason["en"].startswith("On 2026-11-01 the certificate is suspended:")


def test_the_reason_says_whether_the_certificate_or_only_the_mark_has_ended() -> None:
    withdrawn = replace(a_mark(ACTIVE, since(Status.WITHDRAWN, date(2026, 4, 1))), valid_until=None)

    def reason(certificate: Certificate, act: Act) -> str:
        permit = permits(
            certificate,
            withdrawn,
            act,
            TODAY,
            None,
            None,
            BRAND,
            lambda day: mark_standing(certificate, withdrawn, day),
        )
        assert permit.rule == ("V05" if act is Act.SHIP else "V02")
        return permit.reason["zh"].partition("，")[0]

    assert reason(VALID, Act.SHIP) == "标志授权已终止"
    assert reason(CANCELLED, Act.SHIP) == "证书已注销或更换"
    assert reason(VALID, Act.DISPLAY) == "2026-11-01标志授权处于终止状态"
    assert reason(CANCELLED, Act.DISPLAY) == "2026-11-01证书处于注销状态"
    withdrawn = replace(withdrawn, statuses=(ACTIVE, SUSPENDED))
    assert reason(VALID, Act.DISPLAY) == "2026-11-01标志授权处于暂停状态"


@pytest.mark.parametrize("with_mark", [False, True])
def test_the_reason_names_the_model_only_where_it_ended_by_itself(with_mark: bool) -> None:
    """And not where the certificate falls with its parent, whatever else is asked about."""
    mark = replace(a_mark(ACTIVE), valid_until=None) if with_mark else None
    left = Part(PartKind.ITEM, "A2", None, (since(Status.CANCELLED, date(2026, 4, 1)),))
    there = Part(PartKind.ITEM, "A2", None, (ACTIVE,))

    def reason(part: Part, parent: Certificate) -> str:
        def on(day: date) -> Standing:
            return worse(part_standing(VALID, part, day), standing(parent, day))

        permit = permits(VALID, mark, Act.SHIP, TODAY, None, None, CCC, on, part=part)
        assert permit.rule == "P05"
        return permit.reason["zh"].partition("，")[0]

    assert reason(left, VALID) == "该型号的认证已终止"
    assert reason(there, CANCELLED) == "证书已注销或更换"


def test_a_system_certificate_attests_no_goods() -> None:
    assert [asked(VALID, act, rules=SYSTEM).rule for act in Act] == ["S01", "S01", "S01", "S02", "S02"]
    assert asked(REVOKED, Act.USE, rules=SYSTEM).rule == "S03"


def test_a_part_a_mark_and_a_parent_are_judged_by_the_standing_that_is_given() -> None:
    part = Part(PartKind.ITEM, "A2", None, (SUSPENDED,))
    certificate = a_certificate(parts=(part,))
    of_part = permits(
        certificate, None, Act.SHIP, TODAY, None, None, CCC, lambda day: part_standing(certificate, part, day)
    )
    assert of_part.rule == "P04"
    assert asked(certificate, Act.SHIP).rule == "P12", "the certificate itself stands"
    came = date(2026, 6, 1)
    added = Part(PartKind.ITEM, "A3", None, (since(Status.ACTIVE, came),))
    widened = a_certificate(parts=(added,))

    def of_added(made_on: date) -> str:
        return permits(
            widened, None, Act.SELL, TODAY, made_on, None, CCC, lambda day: part_standing(widened, added, day)
        ).rule

    assert [of_added(came - DAY), of_added(came)] == ["P09", "P12"], "the day before, it was not covered"
    widened = replace(widened, first_issued_on=date(2019, 3, 6))
    assert of_added(came - DAY) == "P09", "however old the certificate"
    marked = replace(a_mark(since(Status.ACTIVE, date(2026, 5, 1))), valid_until=None)

    def of_both(made_on: date) -> str:
        def on(day: date) -> Standing:
            return worse(part_standing(widened, added, day), mark_standing(widened, marked, day))

        return permits(widened, marked, Act.SELL, TODAY, made_on, None, CCC, on).rule

    days = (date(2026, 4, 30), date(2026, 5, 1), came)
    assert [of_both(day) for day in days] == ["P07", "P09", "P12"], "before the mark, nobody knows"
    mark = replace(a_mark(ACTIVE, SUSPENDED, since(Status.ACTIVE, date(2026, 10, 10))), valid_until=None)
    made = date(2026, 8, 1)

    def of_mark(mark: Mark | None) -> str:
        return permits(
            VALID,
            mark,
            Act.SELL,
            TODAY,
            made,
            None,
            BRAND,
            lambda day: mark_standing(VALID, mark, day) if mark else standing(VALID, day),
        ).rule

    assert [of_mark(None), of_mark(mark)] == ["V12", "V13"]
    granted = replace(mark, statuses=(since(Status.ACTIVE, made + DAY),))
    assert of_mark(granted) == "V07", "made while it was valid, and marked later"
    child, parent = a_certificate(parent_no=RESUMED.certificate_no), RESUMED

    def under_parent(turns: set[date] | None) -> str:
        return permits(
            child, None, Act.SELL, TODAY, made, None, CCC, lambda day: standing_under(child, parent, day), turns
        ).rule

    assert under_parent(turning_days(child) | turning_days(parent)) == "P13"


@pytest.mark.parametrize(
    ("made_on", "shipped_on", "pointer"),
    [
        (date(2026, 5, 2), date(2026, 5, 1), "/shipped_on"),
        (TODAY + DAY, None, "/made_on"),
        (None, TODAY + DAY, "/shipped_on"),
        (TODAY + DAY, TODAY, "/made_on"),
    ],
)
@pytest.mark.parametrize("act", Act)
def test_dates_that_contradict_each_other_are_no_question(
    act: Act, made_on: date | None, shipped_on: date | None, pointer: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        asked(VALID, act, made_on, shipped_on)
    assert refused.value.pointer == pointer


# --- what a scheme says otherwise ------------------------------------------------------------------------------


def saying(**judgement: Any) -> SchemeRules:
    return scheme_rules({**CCC, "consequence": {"sell": {"suspended": {"rule": "X1", **judgement}}}})


@pytest.mark.parametrize(
    ("allowed", "shipped_on", "answer"),
    [
        ("yes", date(2026, 9, 14), "yes X1"),
        ("yes", date(2026, 9, 15), "no P10"),  # no scheme makes them certified goods
        ("no", date(2026, 9, 14), "no X1"),
        ("no", date(2026, 9, 15), "no X1"),
        ("review", None, "review X1"),
    ],
)
def test_what_the_scheme_says_comes_first(allowed: str, shipped_on: date | None, answer: str) -> None:
    permit = asked(NOW_SUSPENDED, Act.SELL, None, shipped_on, rules=saying(allowed=allowed))
    assert f"{permit.allowed} {permit.rule}" == answer


@pytest.mark.parametrize(("act", "kind"), [(Act.DISPLAY, "product"), (Act.USE, "system")])
def test_where_no_goods_are_moved_their_dates_change_nothing(act: Act, kind: str) -> None:
    said = {act.value: {"suspended": {"rule": "X1", "allowed": "yes"}}}
    rules = scheme_rules({**CCC, "class": kind, "consequence": said})
    assert asked(NOW_SUSPENDED, act, date(2026, 9, 20), rules=rules).rule == "X1"


def test_a_scheme_names_its_clause_or_is_itself_the_source() -> None:
    named = asked(NOW_SUSPENDED, Act.SELL, rules=saying(allowed="no", clause="实施规则第9条"))
    assert named.clause == {"zh": "实施规则第9条", "en": "实施规则第9条"}
    plain = asked(NOW_SUSPENDED, Act.SELL, rules=saying(allowed="no"))
    assert plain.clause == {"zh": "强制性产品认证规则第1版", "en": "rules of CCC, version 1"}
    assert "suspended" in plain.reason["en"]
    elsewhere = asked(NOW_SUSPENDED, Act.SHIP, rules=saying(allowed="no"))
    assert elsewhere.rule == "P04"


def test_a_turn_is_the_first_day_of_something_new() -> None:
    certificate = replace(RENEWED, parts=(Part(PartKind.ITEM, "A2", None, (SUSPENDED,)),))
    mark = replace(a_mark(ACTIVE), valid_until=date(2026, 8, 31))
    assert turning_days(certificate, mark) == {
        BEGIN,
        date(2026, 9, 1),
        date(2026, 5, 20),
        date(2026, 6, 1),
        date(2026, 9, 15),
        END + DAY,
    }
    early = since(Status.ACTIVE, BEGIN - DAY)  # said a day before its first period begins
    assert turning_days(replace(RENEWED, statuses=(early,), valid_until=date.max)) == {
        BEGIN - DAY,
        BEGIN,
        date(2026, 5, 20),
        date(2026, 6, 1),
    }
