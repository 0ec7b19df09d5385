"""Searching by name, credit code and bar code: what is found, in which order, and what is never said."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.domain.certificate import Certificate, Party, Status, StatusInterval
from services.verify.clients import Clients
from services.verify.name_index import folded, last_day_in_force, pairs
from services.verify.read_model import ReadModel
from services.verify.search import FURTHEST, PAGE
from services.verify.search_wording import FOUND, FOUND_BY_NUMBER, MORE, NOTHING
from services.verify.wording import ANSWERS, Code
from tests.sealed_register import NOW, SealedRegister, demonstration
from tests.verify_service import Service

ACTIVE = StatusInterval(Status.ACTIVE, date(2024, 1, 1), None, None, None, "a" * 64)
BASE = replace(demonstration("PZB-2025-00217"), valid_from=date(2024, 1, 1), statuses=(ACTIVE,), marks=())


def named(number: str, holder: str, product: str = "检具", **changes: Any) -> Certificate:
    assert BASE.product is not None
    made = replace(BASE.product, name=product, trademark=None)
    changes = {"valid_until": date(2027, 1, 1), "holder": Party(holder), "product": made, **changes}
    return replace(BASE, certificate_no=number, **changes)


def ended(on: date) -> tuple[StatusInterval, ...]:
    return (ACTIVE, StatusInterval(Status.REVOKED, on, None, "R07", on, "b" * 64))


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path, SealedRegister().publish_all(), CERTMARK_SEARCHES_PER_MINUTE="100000")
    yield service
    service.projector.close()


def put(service: Service, *certificates: Certificate) -> None:
    for certificate in certificates:
        service.register.publish_certificate(certificate)
    service.publish()


def numbers(service: Service, q: str, **more: str) -> list[str]:
    answer = service.client.get("/v1/search", query_string={"q": q, **more})
    assert answer.status_code == 200, answer.text
    return [item["certificate_no"] for item in answer.get_json()["items"]]


# --- what is a name -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("上海（示范）电器有限公司", "上海(示范)电器"),
        ("上海(示范)电器有限公司", "示范电器"),
        ("ＡＢＣ电器", "abc电器"),
        ("Abc-Tech Co., Ltd.", "ABC tech"),
        ("示范 电器 公司", "示范电器"),
        ("﹝示范﹞电器", "〔示范〕电器"),
        ("电器", "电器"),
    ],
)
def test_two_spellings_of_a_name_meet(own: Service, written: str, asked: str) -> None:
    put(own, named("NAME-0001", written))
    assert "NAME-0001" in numbers(own, asked, by="holder")


def test_pairs_are_all_characters_that_stand_side_by_side() -> None:
    assert pairs(folded("房间空调")) == "房间 间空 空调"


def test_characters_that_do_not_stand_together_find_nothing(own: Service) -> None:
    put(own, named("NAME-0001", "东方明珠电器"))
    assert numbers(own, "东方电器", by="holder") == []
    assert numbers(own, "明珠", by="holder") == ["NAME-0001"]


# --- order ----------------------------------------------------------------------------------------------------


def test_exact_before_beginning_before_containing_and_what_stands_before_what_has_ended(own: Service) -> None:
    today = NOW.date()
    put(
        own,
        named("N-CONTAINS-1", "大星海电器"),
        named("N-BEGINS-1", "星海电器二厂"),
        named("N-EXACT-ENDED", "星海电器", statuses=ended(today - timedelta(days=9))),
        named("N-EXACT-SHORT", "星海电器", valid_until=today),
        named("N-EXACT-LONG", "星海电器", valid_until=today + timedelta(days=900)),
        named("N-BEGINS-ENDED", "星海电器一厂", valid_until=today - timedelta(days=1)),
    )
    assert numbers(own, "星海电器") == [
        "N-EXACT-LONG",
        "N-EXACT-SHORT",
        "N-EXACT-ENDED",
        "N-BEGINS-1",
        "N-BEGINS-ENDED",
        "N-CONTAINS-1",
    ]
    own.clock.now = NOW + timedelta(hours=13)  # past midnight in China: one of them ended with the day
    assert numbers(own, "星海电器")[1:3] == ["N-EXACT-SHORT", "N-EXACT-ENDED"]
    own.clock.now = NOW


@pytest.mark.parametrize(
    ("statuses", "until", "expected"),
    [
        ((ACTIVE,), date(2027, 1, 1), date(2027, 1, 1)),
        ((ACTIVE,), None, date.max),
        (ended(date(2026, 3, 1)), date(2027, 1, 1), date(2026, 2, 28)),
        (ended(date(2026, 3, 1)), date(2025, 1, 1), date(2025, 1, 1)),
    ],
)
def test_the_last_day_in_force(statuses: tuple[StatusInterval, ...], until: date | None, expected: date) -> None:
    assert last_day_in_force(named("X", "x", statuses=statuses, valid_until=until)) == expected


def test_one_leafs_through_what_does_not_fit_on_a_page(own: Service) -> None:
    put(own, *(named(f"LEAF-{n:04d}", "多证企业", valid_until=date(2027, 1, 1)) for n in range(2 * PAGE + 5)))
    found: list[str] = []
    after = None
    while True:
        answer = own.client.get("/v1/search", query_string={"q": "多证企业", "after": after or ""}).get_json()
        found += [item["certificate_no"] for item in answer["items"]]
        after = answer["next"]
        if after is None:
            break
        assert len(answer["items"]) == PAGE
    assert found == [f"LEAF-{n:04d}" for n in range(2 * PAGE + 5)]
    assert answer["more"] is False


def test_who_meets_more_than_can_be_leafed_through_is_told(own: Service) -> None:
    put(own, *(named(f"MANY-{n:04d}", "极多证书企业") for n in range(FURTHEST + 1)))
    last = own.client.get("/v1/search", query_string={"q": "极多证书企业", "after": "czk4MA"}).get_json()  # s980
    assert (len(last["items"]), last["next"], last["more"]) == (PAGE, None, True)
    page = own.client.get("/search", query_string={"q": "极多证书企业", "after": "czk4MA"}).text
    assert MORE.zh in page


# --- what changes -----------------------------------------------------------------------------------------------


def test_a_certificate_leaves_the_name_that_it_no_longer_bears(own: Service) -> None:
    put(own, named("MOVE-0001", "旧名称企业"))
    assert numbers(own, "旧名称企业") == ["MOVE-0001"]
    put(own, named("MOVE-0001", "新名称企业"))
    assert (numbers(own, "旧名称企业"), numbers(own, "新名称企业")) == ([], ["MOVE-0001"])
    model = ReadModel(own.folder)
    assert model.names_that_begin("holder", folded("旧名称")) == ([], [], False)
    assert model.names_that_contain("holder", folded("旧名称")) == []
    model.close()


def test_a_certificate_that_ends_moves_behind(own: Service) -> None:
    put(own, named("ENDS-0001", "先后企业", valid_until=date(2029, 1, 1)), named("ENDS-0002", "先后企业"))
    assert numbers(own, "先后企业") == ["ENDS-0001", "ENDS-0002"]
    put(own, named("ENDS-0001", "先后企业", valid_until=date(2029, 1, 1), statuses=ended(date(2026, 9, 1))))
    assert numbers(own, "先后企业") == ["ENDS-0002", "ENDS-0001"]


# --- credit codes and bar codes -----------------------------------------------------------------------------------


def test_by_credit_code_and_by_bar_code(own: Service) -> None:
    holder = demonstration("2023990703000117").holder
    assert holder.uscc is not None
    assert "2023990703000117" in numbers(own, holder.uscc.lower(), by="uscc")
    assert numbers(own, "6909900123007", by="gtin") == ["2023990703000117"]


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"q": "电"}, 400, "not-looked-for"),
        ({"q": "（）()"}, 400, "not-looked-for"),
        ({"q": "1234", "by": "uscc"}, 400, "not-looked-for"),
        ({"q": "1234", "by": "gtin"}, 400, "malformed-number"),
        ({"q": "电器", "by": "address"}, 422, "bad-request"),
        ({"q": ""}, 422, "bad-request"),
        ({"q": "电" * 201}, 422, "bad-request"),
        ({}, 422, "bad-request"),
        ({"q": "电器", "after": "czk5OTk5"}, 400, "not-looked-for"),
        ({"q": "电器", "after": "%00"}, 400, "not-looked-for"),
    ],
)
def test_what_cannot_be_searched_for_has_a_code(own: Service, asked: dict[str, str], status: int, code: str) -> None:
    answer = own.client.get("/v1/search", query_string=asked)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)


@pytest.mark.parametrize("asked", ['"上海" OR "北京"', "上海*", "NEAR(上海 有限)", "x\x00y", "';--电器", "𠮷野家"])
def test_the_text_index_has_no_language_that_a_stranger_could_speak(own: Service, asked: str) -> None:
    put(own, named("RARE-0001", "𠮷野家食品"))
    assert numbers(own, asked) == numbers(own, folded(asked))
    assert ("RARE-0001" in numbers(own, asked)) is (asked == "𠮷野家")


# --- what a page says ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_one_field_falls_back_to_a_name(own: Service, language: str) -> None:
    page = own.client.get("/", query_string={"q": "空调", "lang": language})
    assert page.status_code == 200
    assert f"<h1>{FOUND.title[language]}</h1>" in page.text
    assert 'class="v input"' in page.text  # a list is no yes
    assert f'href="/c/2023990703000117?lang={language}"' in page.text


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_was_found_by_a_number_is_not_called_a_name(own: Service, language: str) -> None:
    page = own.client.get("/search", query_string={"q": "91310115MAXX001114", "by": "uscc", "lang": language}).text
    assert f"<h1>{FOUND_BY_NUMBER.title[language]}</h1>" in page
    assert "2023990703000117" in page
    assert {"zh": "名称", "en": " name "}[language] not in page.partition("<main")[2].partition("<form")[0]
    nobody = own.client.get("/search", query_string={"q": "91310115MAXX00999X", "by": "uscc", "lang": language}).text
    assert f"<h1>{ANSWERS[Code.UNKNOWN_NUMBER].title[language]}</h1>" in nobody


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_name_without_a_hit_is_worded_like_other_negatives(own: Service, language: str) -> None:
    page = own.client.get("/", query_string={"q": "查无此企业名", "lang": language}).text
    assert f"<h1>{NOTHING.title[language]}</h1>" in page
    unknown = own.client.get("/", query_string={"q": "2023990703999999", "lang": language}).text
    not_forged = {"zh": "未登记不等于伪造", "en": "Not registered does not mean forged"}[language]
    covers = {"zh": "本系统收录范围", "en": "What this register covers"}[language]
    for text in (page, unknown):
        assert not_forged in text
        assert covers in text


def test_numbers_go_before_names(own: Service) -> None:
    put(own, named("NAME-0001", "2023990703000117号店"))
    assert own.client.get("/", query_string={"q": "2023990703000117"}).status_code == 303
    put(own, named("NAME-0002", "3M示范公司"))
    assert FOUND.title.zh in own.client.get("/", query_string={"q": "3M示范公司"}).text
    malformed = own.client.get("/", query_string={"q": "<b>证书?</b>"}).text
    assert ANSWERS[Code.MALFORMED_NUMBER].title.zh in malformed


def test_nothing_of_a_name_is_markup(own: Service) -> None:
    page = own.client.get("/search", query_string={"q": "<script>alert(1)</script>有限"}).text
    assert "<script" not in page


def test_a_stale_node_finds_nothing_and_says_so(own: Service) -> None:
    own.clock.now = NOW + timedelta(days=3)
    answer = own.client.get("/v1/search", query_string={"q": "空调"})
    assert (answer.status_code, answer.get_json()["code"]) == (503, "status-unknown")
    page = own.client.get("/", query_string={"q": "空调"})
    assert page.status_code == 503


def test_a_list_may_be_shared_for_a_while(own: Service) -> None:
    first = own.client.get("/v1/search", query_string={"q": "空调"})
    assert first.headers["Cache-Control"] == "public, max-age=0, s-maxage=30"
    again = own.client.get("/v1/search", query_string={"q": "空调"}, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304


# --- limits ---------------------------------------------------------------------------------------------------------


def test_look_ups_of_one_client_can_be_limited_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    standing = time.monotonic()
    monkeypatch.setattr("services.verify.node.Clients", lambda proxies, _: Clients(proxies, lambda: standing))
    service = Service(tmp_path, SealedRegister().publish_all(), CERTMARK_LOOKUPS_PER_SECOND="1")
    paths = ("/v1/verify?q=2023990703000117", "/c/2023990703000117", "/v1/verify?q=2023990703999999", "/v1/verify?q=?")
    for n, path in enumerate(paths):
        a_client = {"REMOTE_ADDR": f"203.0.{n}.9"}
        answers = [service.client.get(path, environ_base=a_client) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 429, 429], path
        assert "Retry-After" in answers[-1].headers
        # Who he is cannot be told: a look-up is answered all the same.
        assert service.client.get(path, environ_base={"REMOTE_ADDR": ""}).status_code == 200
    assert service.client.get("/healthz").status_code == 200
    service.projector.close()


def test_a_search_fails_closed_and_a_look_up_open(tmp_path: Path) -> None:
    service = Service(tmp_path, SealedRegister().publish_all(), CERTMARK_SEARCHES_PER_MINUTE="4")
    answers = [service.client.get("/v1/search", query_string={"q": "空调"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].get_json()["code"] == "asked-too-often"
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    page = service.client.get("/", query_string={"q": "空调"}, headers={"Accept": "text/html"})
    assert page.status_code == 429
    assert "查询过于频繁" in page.text
    # A number is answered whatever the searches; one that could be a name, too, just is not searched for.
    assert service.client.get("/v1/verify?q=2023990703000117").status_code == 200
    unknown = service.client.get("/", query_string={"q": "CQC2099000001"})
    assert (unknown.status_code, ANSWERS[Code.UNKNOWN_NUMBER].title.zh in unknown.text) == (200, True)
    # Somebody whose address nobody tells is not let in where that matters.
    nobody = service.client.get("/v1/search", query_string={"q": "空调"}, environ_base={"REMOTE_ADDR": ""})
    assert nobody.status_code == 429
    service.projector.close()
