"""A bad year of real bodies, under the shipped schemes: what a jurist asks of each history, and what is answered."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from services.domain.clocks import clocks, overdue
from services.domain.fold import fold, rules_told
from services.domain.identifiers import civil_day
from services.domain.scheme import scheme_from_state
from services.domain.standing import standing
from services.settings import settings_from
from services.verify.api import app_for
from services.verify.projector import Projector
from tests.memory import AUTHORITY, Memory
from tests.sealed_register import NOW, SCHEMES, STATE, ListLog, SealedRegister

SHIPPED = Path(__file__).resolve().parents[2] / "schemas"
A, B, ORGANIC, SYSTEMS, BRAND = (f"urn:certmark:body:CNCA-R-2019-790{n}" for n in (1, 2, 3, 6, 5))
ALLIANCE = "urn:certmark:alliance:shanghai-brand"
HOLDER = {"name": "上海示范甲实业有限公司", "uscc": "91310115MAXX001114", "region": "310115", "address": "示范路1号"}
A1, A2 = {"model": "KFR-35GW/A1"}, {"model": "KFR-50GW/A1"}
ORDER = {"instrument": "示范决定(虚构)"}
SYSTEM = {"service_scope": "零件的生产", "sites": [{"address": "示范路1号"}], "headcount": 12, "product": None}


@dataclass
class Year:
    """One register, to which everything is said on its day. `questions` are asked when the year is over."""

    memory: Memory
    questions: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    standings: list[tuple[str, str, datetime, str]] = field(default_factory=list)
    """(number, day, as known at, standing): of these the registry itself is asked, too."""

    def says(self, on: str, source: str, short: str, subject: str, **data: Any) -> str:
        """The digest of what is accepted on a day; it takes effect then where nothing else is said."""
        decision, digest, detail = self.told(on, source, short, subject, **data)
        assert decision == "accepted", (decision, detail)
        return digest

    def told(self, on: str, source: str, short: str, subject: str, **data: Any) -> tuple[str, str, str | None]:
        self.memory.today = date.fromisoformat(on)
        entry = self.memory.say(source, short, subject, {"effective_at": on} | data)
        return entry.decision, entry.digest, entry.detail

    def refuses(self, code: str, on: str, source: str, short: str, subject: str, **data: Any) -> None:
        decision, _, detail = self.told(on, source, short, subject, **data)
        assert decision == f"refused:{code}", (decision, detail)

    def issued(self, on: str, number: str, source: str = A, scheme: str = "ccc", **data: Any) -> str:
        return self.says(on, source, "certificate.issued", number, **first_event(on, scheme, **data))

    def stands(self, number: str, **on: str) -> None:
        """The standing on days, from all that is known."""
        certificate = self.memory.certificate(number)
        assert fold(self.memory.told[number], rules_told(self.memory.register.told)).certificate == certificate
        for day, expected in on.items():
            assert standing(certificate, date.fromisoformat(day[1:].replace("_", "-"))).value == expected, day
        self.answers(number, **on)

    def answers(self, number: str, **on: str) -> None:
        """What is answered about those days, the certificate's parent counted in, as it is known now."""
        known_at = self.memory.entries[-1].recorded_at
        self.standings += [(number, day[1:].replace("_", "-"), known_at, expected) for day, expected in on.items()]

    def asks(self, number: str, expected: str, **query: str) -> None:
        """`expected` is the answer with its rule (`yes P16`), to be asked of a node at the end."""
        self.questions.append((number, {"act": "sell"} | query, expected))


def first_event(on: str, scheme: str, **data: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "scheme": scheme,
        "certification_mode": "型式试验+获证后监督",
        "basis": [{"standard": "GB 4706.32", "edition": "2012"}],
        "holder": HOLDER,
        "manufacturer": HOLDER,
        "factory": HOLDER,
        "product": {"name": "房间空调器", "class": "0703", "trademark": "示范甲", "items": [A1, A2]},
        "issued_on": on,
        "valid_from": on,
        "approver": "7901-0007",
    }
    return given | data


@cache
def a_year() -> Year:
    year = Year(Memory(date(2019, 1, 1)))
    for scheme, rules in SCHEMES.items():
        year.says("2019-01-01", AUTHORITY, "scheme.published", scheme, **rules)
    catalogue = json.loads((SHIPPED / "catalogues/ccc.json").read_text(encoding="utf-8"))
    year.says("2019-01-01", AUTHORITY, "catalogue.published", "ccc", **catalogue)
    calendar = json.loads((SHIPPED / "calendars/2026.json").read_text(encoding="utf-8"))
    year.says("2019-01-01", AUTHORITY, "calendar.published", "2026", **calendar)
    for body in (A, B, ORGANIC, SYSTEMS, BRAND):
        year.memory.add_key(body)
        schemes = [{"scheme": scheme, "from": "2019-01-01"} for scheme in SCHEMES]
        year.says("2019-01-01", AUTHORITY, "body.approved", body.rpartition(":")[2], name="示范机构", schemes=schemes)
    year.memory.add_key(ALLIANCE)
    year.says("2019-01-01", AUTHORITY, "alliance.established", "shanghai-brand", name="联盟")
    year.says("2019-01-01", AUTHORITY, "alliance.member_admitted", "shanghai-brand", body=BRAND.rpartition(":")[2])
    return year


# --- the histories -------------------------------------------------------------------------------------------------


def a_body_is_merged_into_another(year: Year) -> None:
    number = "2025010703000001"
    year.issued("2025-03-03", number, valid_until="2030-03-02")
    giving = year.says("2026-02-02", A, "certificate.transferred", number, to=B.rpartition(":")[2])
    year.says("2026-02-20", B, "certificate.received", number, of=giving)
    scope = [{"scheme": "taishan", "from": "2026-03-01"}]
    year.says("2026-03-01", AUTHORITY, "body.scope_changed", A.rpartition(":")[2], schemes=scope)
    year.refuses("not-responsible", "2026-03-02", A, "certificate.revoked", number, reason="R10")
    new = first_event("2026-03-02", "ccc", valid_until="2031-03-01")
    year.refuses("not-competent", "2026-03-02", A, "certificate.issued", "2026010703000001", **new)
    year.says("2026-03-03", B, "certificate.surveillance_passed", number)
    assert year.memory.certificate(number).surveillance_due == date(2027, 3, 3)
    year.stands(number, d2026_02_10="valid", d2026_11_01="valid")
    year.asks(number, "yes P12", made_on="2026-02-10")


def a_suspended_certificate_does_not_change_its_body(year: Year) -> None:
    number = "2025010703000002"
    year.issued("2025-03-03", number, valid_until="2030-03-02")
    giving = year.says("2026-02-02", A, "certificate.transferred", number, to=B.rpartition(":")[2])
    suspended = {"reason": "S03", "until": "2026-05-02", "determined_on": "2026-02-03"}
    year.says("2026-02-03", A, "certificate.suspended", number, **suspended)
    year.refuses("transition-not-allowed", "2026-02-10", B, "certificate.received", number, of=giving)
    year.refuses("transition-not-allowed", "2026-02-10", A, "certificate.transferred", number, to=B.rpartition(":")[2])
    year.says("2026-02-20", A, "certificate.resumed", number, verified_on="2026-02-19")
    year.says("2026-02-21", B, "certificate.received", number, of=giving)
    year.stands(number, d2026_02_03="suspended", d2026_02_20="valid")
    year.asks(number, "no P10", made_on="2026-02-05", shipped_on="2026-02-10")
    year.asks(number, "review P13", made_on="2026-02-05")


def a_transfer_is_not_received_in_time(year: Year) -> None:
    number = "2025010703000003"
    year.issued("2025-03-03", number, valid_until="2030-03-02")
    giving = year.says("2026-02-02", A, "certificate.transferred", number, to=B.rpartition(":")[2])
    year.refuses("bad-dates", "2026-03-05", B, "certificate.received", number, of=giving)
    revoked = {"reason": "R05", "determined_on": "2026-03-05"}
    year.says("2026-03-06", A, "certificate.revoked", number, **revoked)  # the giver still answers for it
    year.stands(number, d2026_03_05="valid", d2026_03_06="revoked")
    year.asks(number, "no P03", made_on="2025-06-01", shipped_on="2025-06-02")


def a_holder_is_renamed_and_then_split(year: Year) -> None:
    number, new = "2025010703000004", "2026010703000004"
    year.issued("2025-03-03", number, valid_until="2030-03-02")
    renamed = HOLDER | {"name": "上海示范甲股份有限公司"}
    year.says("2026-01-05", A, "certificate.amended", number, fields={"holder": renamed})
    year.refuses("missing-field", "2026-01-06", A, "certificate.amended", number, fields={"holder": {"name": "甲"}})
    year.says("2026-04-01", A, "certificate.amended", number, items=[{"op": "removed", **A2}])
    other = HOLDER | {"name": "上海示范甲二有限公司", "uscc": "91310114MAXX00189M"}
    product = {"name": "房间空调器", "class": "0703", "trademark": "示范甲", "items": [A2]}
    year.issued("2026-04-01", new, holder=other, product=product, valid_until="2031-03-31")
    year.stands(number, d2026_11_01="valid")
    year.asks(number, "yes P16", model=A2["model"], made_on="2026-03-01", shipped_on="2026-03-02")
    year.asks(number, "no P05", act="ship", model=A2["model"], made_on="2026-03-01")
    year.asks(number, "no P11", model=A2["model"], made_on="2026-05-01", shipped_on="2026-05-02")
    year.asks(number, "yes P12", model=A1["model"], made_on="2026-05-01")
    year.asks(new, "yes P12", model=A2["model"], made_on="2026-05-01")
    year.asks(new, "no P09", model=A2["model"], made_on="2026-03-01", shipped_on="2026-03-02")


def a_model_is_taken_out_and_comes_back(year: Year) -> None:
    number = "2025010703000005"
    year.issued("2025-03-03", number, valid_until="2030-03-02")
    year.says("2026-02-01", A, "certificate.amended", number, items=[{"op": "removed", **A2}])
    year.says("2026-05-01", A, "certificate.amended", number, items=[{"op": "added", **A2}])
    out_before = {"effective_at": "2026-04-01", "items": [{"op": "removed", **A2}]}
    year.refuses("bad-dates", "2026-05-10", A, "certificate.amended", number, **out_before)
    year.asks(number, "yes P12", model=A2["model"], made_on="2025-12-01", shipped_on="2025-12-02")
    year.asks(number, "review P13", model=A2["model"], made_on="2025-12-01")
    year.asks(number, "no P11", model=A2["model"], made_on="2026-03-01", shipped_on="2026-03-02")
    year.asks(number, "yes P12", model=A2["model"], made_on="2026-05-01")
    year.asks(number, "yes P16", model=A2["model"], at="2026-03-15", made_on="2025-12-01", shipped_on="2025-12-02")


def a_model_gets_a_gtin(year: Year) -> None:
    number, gtin = "2025010703000029", "06909900123007"
    year.issued("2025-03-03", number, valid_until="2030-03-02")
    items = [{"op": "removed", **A2}, {"op": "added", **A2, "gtin": gtin}]
    year.says("2026-05-01", A, "certificate.amended", number, items=items)
    year.asks(number, "yes P12", model=A2["model"], made_on="2026-02-01")
    year.asks(number, "no P09", gtin=gtin, made_on="2026-02-01", shipped_on="2026-02-02")
    year.asks(number, "yes P12", gtin=gtin, made_on="2026-05-01")


def a_renewal_overlaps_the_end_of_the_old_period(year: Year) -> None:
    number = "2021010703000006"
    year.issued("2021-05-20", number, valid_until="2026-05-19")
    renewed = {
        "issued_on": "2026-04-10",
        "valid_from": "2026-05-20",
        "valid_until": "2031-05-19",
        "approver": "7901-0007",
    }
    year.says("2026-04-10", A, "certificate.renewed", number, **renewed)
    assert year.memory.certificate(number).surveillance_due == date(2027, 5, 20)
    year.stands(number, d2026_04_10="valid", d2026_05_19="valid", d2026_05_20="valid", d2031_05_20="expired")
    year.asks(number, "yes P12", made_on="2026-05-19")


def a_renewal_comes_too_late(year: Year) -> None:
    number = "2021010703000007"
    year.issued("2021-05-20", number, valid_until="2026-05-19")
    renewed = {"issued_on": "2026-05-20", "valid_until": "2031-05-19", "approver": "7901-0007"}
    year.refuses("transition-not-allowed", "2026-05-20", A, "certificate.renewed", number, **renewed)
    year.stands(number, d2026_05_19="valid", d2026_05_20="expired")
    year.asks(number, "no P06", act="ship", made_on="2026-05-01")
    year.asks(number, "yes P12", act="ship", made_on="2026-05-01", shipped_on="2026-05-19")
    year.asks(number, "review P18", made_on="2026-05-01", shipped_on="2026-05-19")


def the_date_of_issue_is_corrected_after_marks_were_printed(year: Year) -> None:
    number = "2026010703000008"
    begun = dict.fromkeys(("effective_at", "issued_on", "valid_from"), "2026-02-01")
    digest = year.issued("2026-02-15", number, **begun, valid_until="2031-01-31")
    later = {"valid_from": "2026-02-11", "issued_on": "2026-02-11", "effective_at": "2026-02-11"}
    fields = later | {"first_issued_on": "2026-02-11", "valid_until": "2031-02-10"}
    year.says("2026-03-01", A, "certificate.corrected", number, of=digest, fields=fields)
    year.stands(number, d2026_02_10="not_yet_valid", d2026_02_11="valid")
    year.asks(number, "no P09", made_on="2026-02-05", shipped_on="2026-02-06")
    year.asks(number, "yes P12", made_on="2026-02-11")


def a_suspension_is_annulled_after_the_end(year: Year) -> None:
    number = "2021010703000009"
    year.issued("2021-05-20", number, valid_until="2026-05-19")
    suspended = {"reason": "S03", "until": "2026-07-14", "determined_on": "2026-04-14"}
    digest = year.says("2026-04-15", A, "certificate.suspended", number, **suspended)
    year.stands(number, d2026_05_01="suspended", d2026_05_20="expired")
    year.says("2026-08-01", AUTHORITY, "decision.annulled", digest, effective_at="2026-04-15", digest=digest, **ORDER)
    year.stands(number, d2026_05_01="valid", d2026_05_20="expired")
    year.asks(number, "review P18", made_on="2026-05-01", shipped_on="2026-05-02")
    year.asks(number, "yes P12", act="ship", made_on="2026-05-01", shipped_on="2026-05-02")


def a_suspension_runs_out_and_nobody_says_anything(year: Year) -> None:
    number = "2025010703000010"
    year.issued("2025-03-03", number, valid_until="2030-03-02")
    suspended = {"reason": "S03", "until": "2026-05-01", "determined_on": "2026-02-01"}
    year.says("2026-02-02", A, "certificate.suspended", number, **suspended)
    certificate = year.memory.certificate(number)
    late = overdue(clocks(certificate, date(2026, 11, 1), rules_of("ccc")))
    assert [(clock.rule, clock.due.isoformat()) for clock in late] == [("K02", "2026-05-01")]
    year.stands(number, d2026_05_02="suspended", d2026_11_01="suspended")
    year.asks(number, "no P04", act="ship")
    year.asks(number, "review P14", made_on="2026-01-20", shipped_on="2026-01-21")


def an_official_check_is_failed(year: Year) -> None:
    """Thirty days after it was determined the body has audited a quality management system."""
    system = "790625Q00040R0S"
    year.issued("2025-03-03", system, SYSTEMS, "qms", valid_until="2028-03-02", **SYSTEM)
    failed = {"reason": "S01", "until": "2026-08-01", "determined_on": "2026-03-02"}
    year.says("2026-03-05", SYSTEMS, "certificate.suspended", system, **failed)
    certificate = year.memory.certificate(system)
    assert overdue(clocks(certificate, date(2026, 4, 1), rules_of("qms"))) == ()
    late = overdue(clocks(certificate, date(2026, 4, 2), rules_of("qms")))
    assert [(clock.rule, clock.due.isoformat()) for clock in late] == [("K11", "2026-04-01")]
    year.says("2026-04-10", SYSTEMS, "certificate.surveillance_passed", system)
    assert overdue(clocks(year.memory.certificate(system), date(2026, 4, 10), rules_of("qms"))) == ()
    year.says("2026-04-11", SYSTEMS, "certificate.resumed", system, verified_on="2026-04-10")
    year.stands(system, d2026_03_04="valid", d2026_04_10="suspended", d2026_11_01="valid")


def a_season_without_orders(year: Year) -> None:
    """The holder asks: nobody determined anything, and twelve months are allowed instead of three."""
    number = "2025010703000011"
    year.issued("2025-03-03", number, valid_until="2030-03-02")
    year.refuses("scheme-rule", "2026-02-02", A, "certificate.suspended", number, reason="S08", until="2027-02-02")
    year.says("2026-02-02", A, "certificate.suspended", number, reason="S08", until="2027-02-01")
    year.says("2026-09-01", A, "certificate.resumed", number, verified_on="2026-09-01")
    assert year.memory.certificate(number).statuses[1].determined_on is None
    year.asks(number, "review P07", made_on="2026-08-20", shipped_on="2026-09-02")


def a_body_does_not_say_when_it_knew(year: Year) -> None:
    """Five civil days (Saturday counts), five working days for QMS (the weekend that is worked counts)."""
    number, system = "2025010703000012", "790625Q00012R0S"
    year.issued("2025-03-03", number, valid_until="2030-03-02")
    year.issued("2025-03-03", system, SYSTEMS, "qms", valid_until="2028-03-02", **SYSTEM)
    said = {"reason": "S03", "until": "2026-04-30"}
    year.refuses("scheme-rule", "2026-02-19", A, "certificate.suspended", number, determined_on="2026-02-13", **said)
    year.says("2026-02-18", A, "certificate.suspended", number, determined_on="2026-02-13", **said)
    # 14 February is a Saturday that is worked, 15 to 23 February are off, 28 February is worked again.
    late, in_time = "2026-02-28", "2026-02-27"
    year.refuses("scheme-rule", late, SYSTEMS, "certificate.suspended", system, determined_on="2026-02-13", **said)
    year.says(in_time, SYSTEMS, "certificate.suspended", system, determined_on="2026-02-13", **said)
    year.says("2026-03-02", SYSTEMS, "certificate.revoked", system, reason="R08")
    known = [interval.determined_on for interval in year.memory.certificate(system).statuses]
    assert known == [None, date(2026, 2, 13), date(2026, 3, 2)], "who does not say when it knew has said it"
    year.asks(system, "no S03", act="display")


def the_years_end_without_a_calendar(year: Year) -> None:
    """No calendar of 2027 is published: Monday to Friday count, and the refusal says so."""
    system = "790625Q00013R0S"
    year.issued("2025-03-03", system, SYSTEMS, "qms", valid_until="2028-03-02", **SYSTEM)
    said = {"reason": "S03", "until": "2027-03-01", "determined_on": "2026-12-30"}
    decision, _, detail = year.told("2027-01-07", SYSTEMS, "certificate.suspended", system, **said)
    assert decision == "refused:scheme-rule"
    assert detail is not None
    assert "no calendar is published for 2027" in detail
    year.says("2027-01-06", SYSTEMS, "certificate.suspended", system, **said)


def a_class_changes_its_mode_and_back(year: Year) -> None:
    before, after = "2025010705000014", "2026010705000014"
    washer = {"name": "洗衣机", "class": "0705", "trademark": "示范甲", "items": [A1]}
    year.issued("2025-03-03", before, product=washer, valid_until="2030-03-02")
    changed = {"class": "0705", **ORDER}
    year.says(
        "2026-01-10",
        AUTHORITY,
        "catalogue.class_mode_changed",
        "ccc",
        mode="self_declaration",
        transition_until="2026-06-30",
        **changed,
    )
    year.refuses(
        "scheme-rule",
        "2026-07-01",
        A,
        "certificate.issued",
        after,
        **first_event("2026-07-01", "ccc", product=washer, valid_until="2031-06-30"),
    )
    certificate, catalogue = year.memory.certificate(before), year.memory.register.catalogue("ccc")
    late = overdue(clocks(certificate, date(2026, 7, 1), rules_of("ccc"), catalogue))
    assert [(clock.rule, clock.due.isoformat()) for clock in late if clock.rule == "K05"] == [("K05", "2026-06-30")]
    year.says("2026-08-01", AUTHORITY, "catalogue.class_mode_changed", "ccc", mode="certification", **changed)
    year.issued("2026-08-01", after, product=washer, valid_until="2031-07-31")
    catalogue = year.memory.register.catalogue("ccc")
    assert not [c for c in clocks(certificate, date(2026, 8, 2), rules_of("ccc"), catalogue) if c.rule == "K05"]
    year.stands(before, d2026_07_15="valid")
    year.asks(before, "yes P12", made_on="2026-07-15")


def fraud_comes_out_while_a_class_waits_to_leave(year: Year) -> None:
    number, other = "2025010707000015", "2025010707000016"
    heater = {"name": "室内加热器", "class": "0707", "trademark": "示范甲", "items": [A1]}
    for one in (number, other):
        year.issued("2025-03-03", one, product=heater, valid_until="2030-03-02")
    leaves = {"effective_at": "2026-10-20", "class": "0707", **ORDER}
    year.says("2026-09-25", AUTHORITY, "catalogue.class_removed", "ccc", **leaves)
    suspended = {"reason": "S03", "until": "2026-12-01", "determined_on": "2026-10-01"}
    year.says("2026-10-02", A, "certificate.suspended", number, **suspended)
    year.says("2026-10-05", A, "certificate.revoked", number, reason="R11", determined_on="2026-10-05")
    year.says("2026-10-06", A, "certificate.suspended", other, **suspended)
    year.refuses("transition-not-allowed", "2026-10-21", A, "certificate.revoked", other, reason="R11")
    year.stands(number, d2026_10_01="valid", d2026_10_02="suspended", d2026_10_05="revoked", d2026_10_20="revoked")
    year.stands(other, d2026_10_05="valid", d2026_10_06="suspended", d2026_10_20="cancelled")
    year.asks(number, "no P03", made_on="2026-09-01", shipped_on="2026-09-02")
    year.asks(other, "yes P16", made_on="2026-09-01", shipped_on="2026-09-02")
    year.asks(other, "no P10", made_on="2026-10-07", shipped_on="2026-10-08")


def a_body_revokes_what_it_meant_to_cancel(year: Year) -> None:
    number = "2025010703000017"
    year.issued("2025-03-03", number, valid_until="2030-03-02")
    year.says("2026-06-01", A, "certificate.cancelled", number, effective_at="2026-06-30", reason="C03")
    year.says("2026-06-10", A, "certificate.revoked", number, reason="R03", determined_on="2026-06-10")
    year.refuses("transition-not-allowed", "2026-06-11", A, "certificate.cancelled", number, reason="C03")
    year.stands(number, d2026_06_09="valid", d2026_06_10="revoked", d2026_06_30="revoked")


def a_farm_leaves_its_year_of_conversion(year: Year) -> None:
    conversion, organic = "7903OP2500018", "7903OP2600018"
    rice = {"name": "大米", "trademark": "示范甲", "items": [{"model": "5kg"}]}
    standard = {"basis": [{"standard": "GB/T 19630", "edition": "2019"}], "product": rice}
    farm = {"bases": [{"name": "示范基地"}]}
    said = {**standard, "organic": farm | {"conversion": True}, "valid_until": "2026-06-19"}
    year.issued("2025-06-20", conversion, ORGANIC, "organic-conversion", **said)
    mark = {"mark_no": "M-18", "mark": "organic", "products": [{"model": "5kg"}], "valid_until": "2026-06-19"}
    year.refuses("not-responsible", "2025-07-01", ORGANIC, "mark.authorized", conversion, **mark)
    year.refuses(
        "missing-field",
        "2026-06-01",
        ORGANIC,
        "certificate.issued",
        organic,
        **first_event("2026-06-01", "organic", **standard, valid_until="2027-05-31"),
    )
    said = {**standard, "organic": farm | {"conversion": False}, "supersedes": conversion, "valid_until": "2027-05-31"}
    year.issued("2026-06-01", organic, ORGANIC, "organic", **said)
    year.says("2026-06-01", ORGANIC, "certificate.superseded", conversion, by=organic)
    year.says("2026-06-01", ORGANIC, "mark.authorized", organic, **mark | {"valid_until": "2027-05-31"})
    year.asks(conversion, "yes V16", made_on="2026-05-01", shipped_on="2026-05-02")
    year.asks(conversion, "no V02", act="display")
    # Harvested in conversion: whether the new certificate covers it, somebody has to look.
    year.asks(organic, "review V07", made_on="2026-05-01")


def an_organic_body_is_slow_and_short(year: Year) -> None:
    number = "7903OP2600019"
    rice = {"name": "大米", "trademark": "示范甲", "items": [{"model": "5kg"}]}
    said = {"product": rice, "organic": {"conversion": False, "bases": [{"name": "示范基地"}]}}
    year.issued("2026-02-02", number, ORGANIC, "organic", valid_until="2027-02-01", **said)
    known = {"reason": "S04", "determined_on": "2026-05-01"}
    year.refuses("scheme-rule", "2026-05-17", ORGANIC, "certificate.suspended", number, until="2026-06-20", **known)
    year.refuses("scheme-rule", "2026-05-16", ORGANIC, "certificate.suspended", number, until="2026-06-14", **known)
    year.refuses("scheme-rule", "2026-05-16", ORGANIC, "certificate.suspended", number, until="2026-08-16", **known)
    year.says("2026-05-16", ORGANIC, "certificate.suspended", number, until="2026-06-15", **known)
    year.refuses(
        "scheme-rule", "2026-06-20", ORGANIC, "certificate.revoked", number, reason="R07", determined_on="2026-06-12"
    )
    year.says("2026-06-19", ORGANIC, "certificate.revoked", number, reason="R05", determined_on="2026-06-12")
    again = first_event("2026-10-01", "organic", valid_until="2027-09-30", **said)
    year.refuses("scheme-rule", "2026-10-01", ORGANIC, "certificate.issued", "7903OP2600099", **again)
    year.asks(number, "no V03", made_on="2026-03-01", shipped_on="2026-03-02")


def an_edition_runs_out(year: Year) -> None:
    number, late = "790625IS00020R0S", "790626IS00020R0S"
    rules = SCHEMES["isms"]
    old = next(one for one in rules["transitions"] if one["standard"] == "GB/T 22080")
    basis = [{"standard": old["standard"], "edition": old["edition"]}]
    assert old["until"] > "2025-03-03"
    year.issued("2025-03-03", number, SYSTEMS, "isms", valid_until="2028-03-02", **SYSTEM | {"basis": basis})
    day = date.fromisoformat(old["until"])
    certificate = year.memory.certificate(number)
    assert "K03" not in {clock.rule for clock in overdue(clocks(certificate, day, rules_of("isms")))}
    after = date.fromordinal(day.toordinal() + 1)
    assert "K03" in {clock.rule for clock in overdue(clocks(certificate, after, rules_of("isms")))}
    said = first_event(after.isoformat(), "isms", **SYSTEM | {"basis": basis, "valid_until": "2027-12-31"})
    year.refuses("scheme-rule", after.isoformat(), SYSTEMS, "certificate.issued", late, **said)
    year.stands(number, d2027_01_01="valid")  # a clock is run out, and nothing is undone by that


def a_member_leaves_the_alliance(year: Year) -> None:
    number, late = "SHB-P-2025-0021", "SHB-P-2026-0021"
    soap = {"name": "香皂", "trademark": "示范甲", "items": [{"model": "125g"}]}
    year.issued("2025-03-03", number, BRAND, "shanghai-brand", product=soap, valid_until="2028-03-02")
    mark = {"mark_no": "SHB-M-2025-0021", "mark": "shanghai-brand", "family": "上海制造"}
    products = {"products": [{"model": "125g"}], "valid_until": "2028-03-02"}
    year.says("2025-03-03", ALLIANCE, "mark.authorized", number, **mark, **products)
    stop = {"mark_no": mark["mark_no"], "reason": "S04", "until": "2026-12-01", "determined_on": "2026-06-01"}
    year.says("2026-06-01", ALLIANCE, "mark.suspended", number, **stop)
    year.says("2026-07-01", AUTHORITY, "alliance.member_left", "shanghai-brand", body=BRAND.rpartition(":")[2])
    said = first_event("2026-07-01", "shanghai-brand", product=soap, valid_until="2029-06-30")
    year.refuses("not-competent", "2026-07-01", BRAND, "certificate.issued", late, **said)
    again = {"mark_no": mark["mark_no"], "verified_on": "2026-07-02"}
    year.refuses("not-competent", "2026-07-02", ALLIANCE, "mark.resumed", number, **again)
    year.says("2026-08-01", ALLIANCE, "mark.withdrawn", number, mark_no=mark["mark_no"])
    year.says("2026-08-01", BRAND, "certificate.cancelled", number, effective_at="2026-08-31", reason="C04")
    year.stands(number, d2026_08_30="valid", d2026_08_31="cancelled")
    year.asks(number, "yes V16", made_on="2026-05-01", shipped_on="2026-05-02")


def surveillance_is_put_off(year: Year) -> None:
    number = "790625Q00022R0S"
    said = {"valid_until": "2028-03-02", **SYSTEM}
    year.refuses(
        "scheme-rule",
        "2025-03-03",
        SYSTEMS,
        "certificate.issued",
        number,
        **first_event("2025-03-03", "qms", surveillance_due="2026-03-04", **said),
    )
    year.issued("2025-03-03", number, SYSTEMS, "qms", surveillance_due="2026-03-03", **said)
    never = {"fields": {"surveillance_due": None}}
    year.refuses("scheme-rule", "2026-02-01", SYSTEMS, "certificate.amended", number, **never)
    year.refuses("scheme-rule", "2026-02-20", SYSTEMS, "certificate.surveillance_passed", number, next_due="2036-02-20")
    year.says("2026-02-20", SYSTEMS, "certificate.surveillance_passed", number, next_due="2027-03-03")
    late = {"fields": {"surveillance_due": "2027-03-04"}}
    year.refuses("scheme-rule", "2026-04-01", SYSTEMS, "certificate.amended", number, **late)
    year.says("2026-04-01", SYSTEMS, "certificate.amended", number, fields={"surveillance_due": "2026-09-01"})
    assert [c.rule for c in overdue(clocks(year.memory.certificate(number), date(2026, 9, 2), rules_of("qms")))] == [
        "K01"
    ]


def a_barred_holder_takes_over_anothers(year: Year) -> None:
    lost, other = "790625Q00030R0S", "790625Q00031R0S"
    year.issued("2025-03-03", lost, SYSTEMS, "qms", valid_until="2028-03-02", **SYSTEM)
    innocent = HOLDER | {"name": "上海示范乙实业有限公司", "uscc": "91310114MAXX00189M"}
    year.issued("2025-03-03", other, SYSTEMS, "qms", valid_until="2028-03-02", **SYSTEM, holder=innocent)
    year.says("2026-03-02", SYSTEMS, "certificate.revoked", lost, reason="R03")
    becomes = {"fields": {"holder": HOLDER}}
    year.refuses("scheme-rule", "2027-03-01", SYSTEMS, "certificate.amended", other, **becomes)
    year.says("2027-03-02", SYSTEMS, "certificate.amended", other, **becomes)


def a_certificate_says_too_little(year: Year) -> None:
    system = first_event("2026-03-02", "qms", valid_until="2029-03-01", **SYSTEM)
    for name in ("service_scope", "sites", "headcount"):
        year.refuses(
            "missing-field", "2026-03-02", SYSTEMS, "certificate.issued", "790626Q00023R0S", **system | {name: None}
        )
    goods = {"name": "空调", "class": "0703", "trademark": "示范甲", "items": [A1]}
    year.refuses(
        "scheme-rule", "2026-03-02", SYSTEMS, "certificate.issued", "790626Q00023R0S", **system | {"product": goods}
    )
    nameless = {name: value for name, value in goods.items() if name != "trademark"}
    said = first_event("2026-03-02", "ccc", valid_until="2031-03-01", product=nameless)
    year.refuses("missing-field", "2026-03-02", A, "certificate.issued", "2026010703000023", **said)
    year.memory.today = date(2026, 3, 3)
    # History is taken as it was kept, where the authority has opened a backfill.
    opened = {"body": A.rpartition(":")[2], "until": "2026-12-31"}
    year.memory.say(AUTHORITY, "backfill.opened", A.rpartition(":")[2], opened)
    year.says("2026-03-03", A, "certificate.issued", "2026010703000023", **said | {"effective_at": "2026-03-02"})
    year.refuses(
        "missing-field", "2026-03-03", A, "certificate.issued", "2026010703000024", **said | {"issued_on": "2026-03-03"}
    )


def a_subcertificate_falls_with_its_parent(year: Year) -> None:
    parent, child = "2025010703000025", "2025010703000026"
    year.issued("2025-03-03", parent, valid_until="2030-03-02")
    year.issued("2025-03-03", child, valid_until="2030-03-02", parent_no=parent)
    suspended = {"reason": "S02", "until": "2026-05-01", "determined_on": "2026-02-01"}
    year.says("2026-02-02", A, "certificate.suspended", parent, **suspended)
    year.says("2026-03-02", A, "certificate.revoked", parent, reason="R07", determined_on="2026-03-02")
    assert standing(year.memory.certificate(child), date(2026, 11, 1)).value == "valid"  # by itself
    year.answers(child, d2026_02_01="valid", d2026_02_02="suspended", d2026_11_01="revoked")
    year.asks(child, "no P03", made_on="2025-06-01", shipped_on="2025-06-02")


def an_issue_was_forged(year: Year) -> None:
    number = "2025010703000027"
    digest = year.issued("2025-03-03", number, valid_until="2030-03-02")
    year.says("2026-03-01", AUTHORITY, "decision.annulled", digest, effective_at="2025-03-03", digest=digest, **ORDER)
    year.stands(number, d2025_03_03="revoked", d2026_11_01="revoked")
    year.refuses("transition-not-allowed", "2026-03-02", A, "certificate.amended", number, fields={"grade": "A"})
    year.asks(number, "no P03", made_on="2025-06-01", shipped_on="2025-06-02")


def revoked_after_its_end(year: Year) -> None:
    number = "2021010703000028"
    year.issued("2021-05-20", number, valid_until="2026-05-19")
    year.refuses(
        "transition-not-allowed",
        "2026-06-01",
        A,
        "certificate.suspended",
        number,
        reason="S01",
        until="2026-08-01",
        determined_on="2026-06-01",
    )
    year.says("2026-06-01", A, "certificate.revoked", number, reason="R11", determined_on="2026-06-01")
    year.stands(number, d2026_05_19="valid", d2026_05_20="expired", d2026_06_01="revoked")
    year.asks(number, "no P03", made_on="2025-06-01", shipped_on="2025-06-02")


HISTORIES: tuple[Callable[[Year], None], ...] = (
    a_body_is_merged_into_another,
    a_suspended_certificate_does_not_change_its_body,
    a_transfer_is_not_received_in_time,
    a_holder_is_renamed_and_then_split,
    a_model_is_taken_out_and_comes_back,
    a_model_gets_a_gtin,
    a_renewal_overlaps_the_end_of_the_old_period,
    a_renewal_comes_too_late,
    the_date_of_issue_is_corrected_after_marks_were_printed,
    a_suspension_is_annulled_after_the_end,
    a_suspension_runs_out_and_nobody_says_anything,
    an_official_check_is_failed,
    a_season_without_orders,
    a_body_does_not_say_when_it_knew,
    the_years_end_without_a_calendar,
    a_class_changes_its_mode_and_back,
    fraud_comes_out_while_a_class_waits_to_leave,
    a_body_revokes_what_it_meant_to_cancel,
    a_farm_leaves_its_year_of_conversion,
    an_organic_body_is_slow_and_short,
    an_edition_runs_out,
    a_member_leaves_the_alliance,
    surveillance_is_put_off,
    a_barred_holder_takes_over_anothers,
    a_certificate_says_too_little,
    a_subcertificate_falls_with_its_parent,
    an_issue_was_forged,
    revoked_after_its_end,
)


def rules_of(scheme: str) -> Any:
    rules = scheme_from_state({"v": 1, "kind": "scheme", "id": scheme, "versions": [SCHEMES[scheme]]}).on(date.max)
    assert rules is not None
    return rules


@cache
def lived(history: Callable[[Year], None]) -> Year:
    """The register after a history, which begins as every other."""
    year = Year(a_year().memory.fork())
    history(year)
    return year


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FlaskClient, list[Any]]]:
    """A verify node with every certificate of every history, each lived by itself, and all that is to be asked."""
    register = SealedRegister().publish_all()
    today = civil_day(NOW).isoformat()
    questions: list[Any] = []
    for history in HISTORIES:
        year = lived(history)
        for number in year.memory.numbers():
            register.publish_certificate(year.memory.certificate(number))
        questions += [(history.__name__, *question) for question in year.questions]
        stands = {number: expected for number, day, _, expected in year.standings if day == today}
        questions += [(history.__name__, number, {}, expected) for number, expected in stands.items()]
    register.heartbeat()
    data = tmp_path_factory.mktemp("data")
    projector = Projector(ListLog(register.values), STATE, register.genesis, data / "verify")
    while projector.step():
        pass
    yield app_for(settings_from({"CERTMARK_DATA": str(data)}), lambda: NOW).test_client(), questions
    projector.close()


@pytest.mark.parametrize("history", HISTORIES)
def test_the_register_lets_pass_and_refuses_what_it_should(history: Callable[[Year], None]) -> None:
    assert lived(history).memory.numbers()


def test_a_node_answers_what_a_jurist_would(node: tuple[FlaskClient, list[Any]]) -> None:
    client, questions = node
    answers = {}
    for history, number, query, expected in questions:
        if query:
            said = client.get(f"/v1/certificates/{number}/permits", query_string=query).get_json()
            found = f"{said.get('allowed')} {said.get('rule')}"
        else:
            said = client.get("/v1/verify", query_string={"q": number}).get_json()
            found = said["code"]
        if found != expected:
            answers[history, number, str(query)] = (found, expected, said.get("reason"))
    assert answers == {}
