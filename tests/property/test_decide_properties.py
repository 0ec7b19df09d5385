"""Whatever passes its published schema is accepted or refused: anything else would stop the worker for ever."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.certificate import Certificate, from_state, to_state
from services.domain.decision import HANDLERS
from services.domain.errors import Malformed
from services.events.event_types import EVENT_TYPES, SubjectKind, check_data
from services.events.keys import new_key
from tests.memory import AUTHORITY, Memory
from tests.sayings import Pools, data_of

TODAY = date(2026, 11, 1)
BODY, OTHER = (f"urn:certmark:body:CNCA-R-2019-790{n}" for n in (1, 2))
ALLIANCE = "urn:certmark:alliance:allied"
DECLARANT = "urn:certmark:declarant:91320500MAXX005334"
SOURCES = (AUTHORITY, BODY, OTHER, ALLIANCE, DECLARANT)
A_MARK = {"id": "sample-mark", "name": {"zh": "示范标志", "en": "sample mark"}}
WORDS = {"zh": "示范", "en": "sample"}
NUMBERS = ("TT-1", "TT-2", "TT-3", "TT-4", "TT-5", "TT-6", "TT-7")
MARKS = ("MM-1", "MM-2", "MM-3", *NUMBERS)
MODELS = ("A1", "A2", "A3")
STANDARDS = ("GB 1", "GB 2")
SITES = ("示范路1号", "示范路2号")
KEYS = tuple(new_key().public for _ in range(2))


def day(offset: int) -> str:
    return (TODAY + timedelta(days=offset)).isoformat()


def a_scheme(**rules: Any) -> dict[str, Any]:
    return {
        "effective_at": "2016-01-01",
        "version": 1,
        "name": WORDS,
        "class": "product",
        "mandatory": False,
        "declaration": False,
        "mark_authorizer": "body",
        "mark": A_MARK,
        "coverage": {"complete": False} | WORDS,
    } | rules


SCHEMES = {
    "plain": a_scheme(suspension_limit_months=6, surveillance_months=12, grace_days=20),
    "implied": a_scheme(mark_authorizer="implied", catalogue="listed", catalogue_mode="certification"),
    "allied": a_scheme(mark_authorizer="alliance", alliance="allied"),
    "declared": a_scheme(declaration=True, mark_authorizer="implied"),
    "system": a_scheme(**{"class": "system"}, suspend_within={"days": 5, "working": True}),
}


def a_first_event(scheme: str = "plain", **data: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "effective_at": day(-30),
        "scheme": scheme,
        "basis": [{"standard": standard, "edition": "2012"} for standard in STANDARDS],
        "holder": {"name": "示范公司", "uscc": "91320500MAXX005334"},
        "product": {"name": "电器", "class": "0703", "items": [{"model": model} for model in MODELS[:2]]},
        "issued_on": day(-30),
        "valid_from": day(-30),
        "valid_until": day(30),
    }
    if scheme == "declared":
        return given | data
    sites = [{"address": address} for address in SITES]
    given |= {"approver": "7901-0007", "service_scope": "生产", "sites": sites}
    return given | ({"product": None} if scheme == "system" else {}) | data


def a_busy_register() -> Memory:
    """Bodies, schemes, a catalogue, and certificates in every state that there is."""
    memory = Memory(TODAY - timedelta(days=20))

    def say(source: str, short: str, subject: str, **data: Any) -> str:
        entry = memory.say(source, short, subject, data)
        assert entry.decision == "accepted", (entry.decision, entry.detail)
        return entry.digest

    for source in SOURCES[1:]:
        memory.add_key(source)
    for scheme, rules in SCHEMES.items():
        say(AUTHORITY, "scheme.published", scheme, **rules)
    for body in (BODY, OTHER):
        competence = [{"scheme": scheme, "from": "2016-01-01"} for scheme in SCHEMES]
        approved = {"effective_at": "2016-01-01", "name": "示范机构", "schemes": competence}
        say(AUTHORITY, "body.approved", body.rpartition(":")[2], **approved)
    say(AUTHORITY, "alliance.established", "allied", effective_at="2016-01-01", name="联盟")
    member = BODY.rpartition(":")[2]
    say(AUTHORITY, "alliance.member_admitted", "allied", effective_at="2016-01-01", body=member)
    classes = [{"class": name, "name": WORDS, "mode": "certification"} for name in ("0703", "0704")]
    catalogue = {"effective_at": "2016-01-01", "version": 1, "name": WORDS, "classes": classes, "instrument": "目录"}
    say(AUTHORITY, "catalogue.published", "listed", **catalogue)
    say(BODY, "certificate.issued", "TT-1", **a_first_event())
    say(BODY, "certificate.issued", "TT-2", **a_first_event("implied"))
    say(BODY, "certificate.issued", "TT-3", **a_first_event("allied"))
    say(DECLARANT, "declaration.made", "TT-4", **a_first_event("declared"))
    say(BODY, "certificate.issued", "TT-5", **a_first_event("system", parent_no="TT-1"))
    say(OTHER, "certificate.issued", "TT-6", **a_first_event())
    products = {"products": [{"model": "A1"}], "valid_until": day(20), "mark": "sample-mark", "quantity": 10}
    say(BODY, "mark.authorized", "TT-1", effective_at=day(-20), mark_no="MM-1", **products)
    say(ALLIANCE, "mark.authorized", "TT-3", effective_at=day(-20), mark_no="MM-2", **products)
    suspended = {"effective_at": day(-15), "reason": "S03", "until": day(40)}
    say(BODY, "mark.suspended", "TT-3", mark_no="MM-2", **suspended)
    say(BODY, "certificate.suspended", "TT-1", **suspended, items=[{"model": "A1"}, {"site": SITES[0]}])
    say(BODY, "certificate.suspended", "TT-2", **suspended)
    say(BODY, "certificate.transferred", "TT-1", effective_at=day(-10), to=OTHER.rpartition(":")[2])
    say(OTHER, "certificate.revoked", "TT-6", effective_at=day(-10), reason="R05")
    notice: dict[str, Any] = {"effective_at": day(-5), "instrument": "公告", "text": WORDS}
    say(AUTHORITY, "recall.opened", "RR-1", **notice, certificate_no="TT-1", reason="defect")
    say(AUTHORITY, "warning.issued", "WW-1", **notice, until=day(40), level="caution", scheme="allied")
    memory.today = TODAY
    return memory


BUSY = a_busy_register()


def pools(memory: Memory) -> Pools:
    dates = st.integers(-40, 45).map(day)
    digests = st.sampled_from([e.digest for e in memory.entries if e.kind == "event"])
    models, standards, schemes = st.sampled_from(MODELS), st.sampled_from(STANDARDS), st.sampled_from(sorted(SCHEMES))
    numbers, marks = st.sampled_from([*NUMBERS, "tt－1", "!", "A", "CNCA-R-2019-7901"]), st.sampled_from(MARKS)
    names = ("effective_at", "issued_on", "valid_from", "valid_until", "until", "determined_on", "verified_on", "from")
    reasons = st.sampled_from(["S03", "S08", "R05", "C02", "C05", "X99"])
    approvals = st.sampled_from([source.rpartition(":")[2] for source in (BODY, OTHER)])
    jwks = st.sampled_from([dict(key.jwk) for key in KEYS])
    near: dict[str, st.SearchStrategy[Any]] = dict.fromkeys(names, dates)
    fields = st.dictionaries(
        st.sampled_from([*names, "reason", "holder", "product", "items", "scheme", "by", "to", "parent_no", "mark_no"]),
        st.one_of(dates, reasons, numbers, st.none(), st.just([{"model": "A1"}]), st.just({"name": "他公司"})),
        min_size=1,
        max_size=2,
    )
    return near | {
        "reason": reasons,
        "model": models,
        "standard": standards,
        "site": st.sampled_from(SITES),
        "address": st.sampled_from(SITES),
        "scheme": schemes,
        "mark": st.just("sample-mark"),
        "mark_no": marks | numbers,
        "parent_no": numbers,
        "certificate_no": numbers,
        "by": numbers,
        "to": approvals,
        "body": approvals,
        "class": st.sampled_from(["0703", "0704", "0705"]),
        "of": digests,
        "digest": digests,
        "key": jwks,
        "owner": st.sampled_from(SOURCES),
        "version": st.integers(1, 4),
        "correction": fields,
    }


SAYINGS = {name: data_of(name, pools(BUSY)) for name in EVENT_TYPES}


def subjects(memory: Memory, kind: SubjectKind, data: dict[str, Any]) -> st.SearchStrategy[str]:
    if kind is SubjectKind.DIGEST:
        return st.just(data["digest"])
    known = {
        SubjectKind.CERTIFICATE: [*NUMBERS, "TT-8", "CNCA-R-2019-7901", "2026"],
        SubjectKind.DECLARATION: ["TT-4", "TT-9"],
        SubjectKind.AUTHORITY: ["test", "another"],
        SubjectKind.BODY: ["CNCA-R-2019-7901", "CNCA-R-2019-7902", "CNCA-R-2019-7903"],
        SubjectKind.ALLIANCE: ["allied", "plain"],
        SubjectKind.KEY: [*(key.kid for key in KEYS), *memory.register.keys()],
        SubjectKind.SCHEME: [*SCHEMES, "listed", "new"],
        SubjectKind.CATALOGUE: ["listed", "allied", "new"],
        SubjectKind.CALENDAR: ["2026", "2027"],
        SubjectKind.RECALL: ["RR-1", "RR-2"],
        SubjectKind.WARNING: ["WW-1", "WW-2"],
    }
    return st.sampled_from(known[kind])


def speakers(memory: Memory, event_type: str, subject: str) -> st.SearchStrategy[str]:
    """Mostly who may say it: the source that answers for the certificate where there is one."""
    kinds = HANDLERS[event_type][0]
    able = [source for source in SOURCES if source.split(":")[2] in kinds]
    certificate = memory.register.certificate(subject)
    answers = [certificate.responsible] if certificate and certificate.responsible in able else able
    return st.sampled_from([*answers, *answers, *answers, *able, *SOURCES])


@pytest.mark.parametrize("event_type", sorted(EVENT_TYPES))
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_whatever_passes_its_schema_is_decided(event_type: str, data: st.DataObject) -> None:
    memory = BUSY.fork()
    for name in (data.draw(st.sampled_from(sorted(EVENT_TYPES))), event_type, event_type):
        said = data.draw(SAYINGS[name])
        subject = data.draw(subjects(memory, EVENT_TYPES[name].subject, said))
        source = data.draw(speakers(memory, name, subject))
        event = memory.event(source, name.removeprefix("certmark.").removesuffix(".v1"), subject, said)
        try:
            check_data(event)
        except Malformed:
            continue  # a pool's value where the schema asks for another
        before = {number: memory.certificate(number) for number in memory.numbers()}
        entry = memory.hear(event)
        if entry is None or entry.decision != "accepted":
            assert {number: memory.certificate(number) for number in before} == before
        for number in memory.numbers():
            kept: Certificate = memory.certificate(number)
            assert from_state(to_state(kept)) == kept


@pytest.mark.parametrize("number", ["沪〔2026〕第3号" + "证" * 50, "1" * 64, "A/1+*#_:B9"])
@pytest.mark.parametrize("model", ["名" * 200, "𠀀x", "A1"])
def test_a_number_too_long_for_a_code_is_a_number_like_others(number: str, model: str) -> None:
    memory = BUSY.fork()
    first = a_first_event("implied", product={"name": "电器", "class": "0703", "items": [{"model": model}]})
    assert memory.say(BODY, "certificate.issued", number, first).decision == "accepted"
    assert ("token" in {entry.kind for entry in memory.entries[-2:]}) is (len(number) < 20)


def test_what_has_ended_before_it_begins_gets_no_token() -> None:
    memory = BUSY.fork()
    ended = {"effective_at": day(20), "issued_on": day(-40), "valid_from": day(-40), "valid_until": day(-1)}
    assert memory.say(BODY, "certificate.issued", "TT-8", a_first_event("implied", **ended)).decision == "accepted"
    mark = {"mark": "sample-mark", "mark_no": "MM-8", "products": [{"model": "A2"}], "effective_at": day(20)}
    said = mark | {"valid_from": day(-40), "valid_until": day(-1)}
    assert memory.say(BODY, "certificate.issued", "TT-9", a_first_event()).decision == "accepted"
    assert memory.say(BODY, "mark.authorized", "TT-9", said).decision == "accepted"
    assert memory.entries[-1].kind == "event"
