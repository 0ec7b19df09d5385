"""A certificate's story: every kind of entry in words, both dates, who said it, and what was undone since."""

import gzip
import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from services.domain.certificate import Certificate, Corrected, Item, Part, PartKind, Status, StatusInterval, to_state
from services.domain.errors import BadEvent
from services.events.event_types import SCHEMAS
from services.events.record import Recorded, open_sealed, read_record, recorded, seal_record
from services.language import LANGUAGES, Language
from services.verify.answer import Answer
from services.verify.pages import Frame
from services.verify.recognise import of_number
from services.verify.register import Found
from services.verify.story import story
from services.verify.verdict_page import verdict_page
from services.verify.wording import HISTORY, LABELS, Code
from tests.sealed_register import NOW, SealedRegister, demonstration, history_of

DAY = date(2026, 11, 1)
BODY = "urn:certmark:body:CNCA-R-2019-7901"
SUSPENDED = "2022990201000204"


def answer_on(certificate: Certificate, *history: Recorded) -> Answer:
    found = Found(certificate, to_state(certificate), 1, 1, NOW, "0" * 64, False, (), history=history)
    return Answer(Code.VALID, of_number("x1234"), DAY, NOW, found=found, sources={BODY: "示范中心"})


def an_entry(name: str, digest: str = "9" * 64, day: date | None = date(2026, 9, 15)) -> Recorded:
    return Recorded(7, f"certmark.{name}.v1", BODY, digest, day, datetime(2026, 9, 12, 17, 30, tzinfo=UTC))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_both_dates_the_source_and_the_reason_are_told(language: Language) -> None:
    certificate = demonstration(SUSPENDED)
    digest = certificate.statuses[-1].digest
    told = story(answer_on(certificate, an_entry("certificate.suspended", digest)), language)[0]
    assert told.day == "2026-09-15"
    assert "S03" in told.text
    assert "2026-12-14" in told.text
    assert "示范中心" in told.recorded
    assert "2026-09-13 01:30" in told.recorded, "in Beijing"
    assert not told.undone


@pytest.mark.parametrize("language", LANGUAGES)
def test_many_models_and_a_long_story_fit_on_a_page(language: Language) -> None:
    base = demonstration(SUSPENDED)
    assert base.product is not None
    models = [hashlib.sha256(bytes([n % 256, n // 256])).hexdigest()[:12] for n in range(900)]
    items = tuple(Item(model, f"{int(model[:11], 16):014}"[:14]) for model in models)
    certificate = replace(base, product=replace(base.product, items=items))
    entries = [an_entry("certificate.surveillance_passed", f"{n:064}") for n in range(500)]
    answer = replace(answer_on(certificate, *entries), item=items[-1], code=Code.OUT_OF_SCOPE)
    page, _ = verdict_page(answer, Frame(language), "https://v.example", "https://r.example")
    assert len(gzip.compress(page)) <= 14_336
    assert models[0] in page.decode()
    assert models[-1] in page.decode(), "the one that was asked for"
    assert LABELS["more"][language].format(count=800).partition(":")[0] in page.decode()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_event_about_a_certificate_has_its_words(language: Language) -> None:
    certificate = demonstration(SUSPENDED)
    names = [path.name.removesuffix(".v1.json") for path in (SCHEMAS / "events").glob("*.json")]
    names = [name for name in names if name.partition(".")[0] in ("certificate", "mark", "declaration", "decision")]
    assert len(names) > 15
    for name in names:
        (told, *_) = story(answer_on(certificate, an_entry(name)), language)
        assert told.text
        assert "{" not in told.text
        assert name not in told.text, "no words for it"
    (told, *_) = story(answer_on(certificate, an_entry("something.new")), language)
    assert "something.new" in told.text


def test_what_was_annulled_or_corrected_is_told_as_that() -> None:
    certificate = replace(
        demonstration(SUSPENDED), annulled=("a" * 64,), corrected=(Corrected(of="b" * 64, by="c" * 64),)
    )
    history = [an_entry("certificate.revoked", "a" * 64), an_entry("certificate.resumed", "b" * 64)]
    told = story(answer_on(certificate, *history), "zh")
    assert [one.undone for one in told if one.recorded] == [
        HISTORY["was_corrected"]["zh"],
        HISTORY["was_annulled"]["zh"],
    ]


def test_a_part_that_is_suspended_by_itself_is_named() -> None:
    interval = StatusInterval(Status.SUSPENDED, date(2026, 9, 15), None, "S04", None, "a" * 64)
    part = Part(PartKind.ITEM, "CX-302", None, (interval,))
    certificate = replace(demonstration(SUSPENDED), parts=(part,))
    (told, *_) = story(answer_on(certificate, an_entry("certificate.suspended", "a" * 64)), "zh")
    assert "S04" in told.text
    assert "CX-302" in told.text


def test_newest_comes_first_and_what_is_ahead_says_so() -> None:
    certificate = demonstration(SUSPENDED)
    entries = [
        an_entry("certificate.issued", day=date(2022, 6, 10)),
        an_entry("certificate.revoked", day=date(2026, 11, 9)),
    ]
    told = story(answer_on(certificate, *entries), "en")
    assert [one.day for one in told] == ["2026-11-09", "2022-06-10"]
    assert [HISTORY["ahead"]["en"] in one.text for one in told] == [True, False]


@pytest.mark.parametrize("number", [SUSPENDED, "2024990714000458", "SDOC-2025-000731", "2021990706000033"])
def test_a_record_without_history_tells_the_same_from_its_state(number: str) -> None:
    certificate = demonstration(number)
    ours = tuple(one for one in history_of(certificate, 1) if ".mark." not in one.type)
    told, bare = story(answer_on(certificate, *ours), "zh"), story(answer_on(certificate), "zh")
    assert [(one.day, one.text) for one in told] == [(one.day, one.text) for one in bare]
    assert not any(one.recorded for one in bare)


def test_a_history_survives_its_seal_and_a_bad_one_is_refused() -> None:
    register = SealedRegister()
    certificate = demonstration(SUSPENDED)
    register.publish_certificate(certificate)
    record = read_record(open_sealed(register.values[-1][1]).payload)
    assert [recorded(one) for one in record.history] == list(history_of(certificate, record.seq - 1))
    assert read_record(open_sealed(seal_record(record, register.seal)).payload) == record
    good = {
        "seq": 1,
        "type": "t",
        "source": "s",
        "digest": "d",
        "effective_at": None,
        "recorded_at": "2026-01-01T00:00:00.000Z",
    }
    assert recorded(good).effective_at is None
    bad: object
    for bad in ([], {}, good | {"more": 1}, good | {"seq": "1"}, good | {"seq": True}):
        with pytest.raises(BadEvent):
            recorded(bad)
    for name in ("effective_at", "recorded_at"):
        with pytest.raises(ValueError):
            recorded(good | {name: "2026-13-01"})
