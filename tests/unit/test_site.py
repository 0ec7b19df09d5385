"""The pages beside the verdicts, in process: what they say, what they leave out, and the evidence to take away."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from html import unescape
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwk, jws

from services.domain.body import Key, Purpose
from services.settings import settings_from
from services.verify.api import app_for
from services.verify.pages import NAVIGATION
from services.verify.projector import Projector
from services.verify.site.bodies import A_PAGE, key_state, one_page
from services.verify.site.marks import MEANINGS
from services.verify.site.words import SITE
from services.verify.wording import LABELS
from tests.sealed_register import DEMONSTRATION, NOW, SCHEMES, STATE, ListLog, SealedRegister, body_state

NUMBER = "2022990201000204"
PAGES = ["/", "/marks", "/bodies", "/data", "/status", "/privacy"]
NEED_THE_FILE = ["/marks", "/marks/ccc", "/bodies", "/bodies/CNCA-R-2019-7901", f"/c/{NUMBER}/record", "/v1/keys/x"]
PEOPLE = ("7901-0007", "approver", "signatory", "auditor", "DEMO-0001")


CODES = ["0703", "0705"]
LIMITED = body_state(
    {"approval_no": "CNCA-R-2019-7999", "name": "示范机构壬", "approved_from": "2019-06-01", "schemes": ["ccc"]}
)
LIMITED["schemes"][0]["codes"] = CODES


@dataclass(frozen=True, slots=True)
class Site:
    app: Flask
    register: SealedRegister

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    def text(self, path: str, language: str = "zh") -> str:
        """The page without its markup."""
        answer = self.client.get(f"{path}{'&' if '?' in path else '?'}lang={language}")
        assert answer.status_code == 200, path
        body = re.sub(r"<style>.*?</style>|<[^>]+>", " ", answer.text.partition("<body>")[2], flags=re.DOTALL)
        return re.sub(r"\s+", " ", unescape(body))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    data = tmp_path_factory.mktemp("site")
    register = SealedRegister().publish_all()
    register.publish(f"body/{LIMITED['approval_no']}", LIMITED)
    projector = Projector(ListLog(register.values), STATE, register.genesis, data / "verify")
    while projector.step():
        pass
    projector.close()
    return Site(app_for(settings_from({"CERTMARK_DATA": str(data)}), lambda: NOW), register)


@pytest.fixture
def bare(tmp_path: Path) -> FlaskClient:
    """A node without a file."""
    return app_for(settings_from({"CERTMARK_DATA": str(tmp_path)}), lambda: NOW).test_client()


# --- every page --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("path", [*PAGES, "/marks/organic", "/bodies/CNCA-RF-2019-7908"])
def test_a_page_leads_on_in_its_language_and_leaves_no_trace(site: Site, path: str, language: str) -> None:
    answer = site.client.get(f"{path}?lang={language}")
    assert answer.status_code == 200
    assert answer.headers["Content-Language"] == {"zh": "zh-CN", "en": "en"}[language]
    assert "Set-Cookie" not in answer.headers
    assert "<script" not in answer.text
    assert "{" not in re.sub(r"<style>.*?</style>", "", answer.text, flags=re.DOTALL), "a name was not filled in"
    for address, name in NAVIGATION:
        assert f'<a href="{address}?lang={language}">{LABELS[name][language]}</a>' in answer.text
    assert LABELS["demonstration"][language] in answer.text
    assert not any(person in answer.text for person in PEOPLE)
    again = site.client.get(f"{path}?lang={language}", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    assert answer.headers["Cache-Control"] == ("no-store" if path == "/status" else "no-cache")


@pytest.mark.parametrize("row", DEMONSTRATION["certificates"], ids=lambda row: str(row["number"]))
def test_no_verdict_names_who_signed_approved_or_audited(site: Site, row: dict[str, str]) -> None:
    for form in ("text/html", "application/json"):
        text = site.client.get(f"/c/{row['number']}", headers={"Accept": form}).text
        assert not any(person in text for person in PEOPLE)


@pytest.mark.parametrize("path", NEED_THE_FILE)
def test_without_a_file_a_page_says_that_it_cannot(bare: FlaskClient, path: str) -> None:
    answer = bare.get(path, headers={"Accept": "text/html", "Accept-Language": "zh"})
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    if not path.startswith("/v1/"):
        assert LABELS["error_503"]["zh"] in answer.text


@pytest.mark.parametrize("path", ["/", "/data", "/status", "/privacy"])
def test_what_needs_no_file_opens_without_one(bare: FlaskClient, path: str) -> None:
    assert bare.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/marks/nothing", "/bodies/CNCA-R-2019-0000", "/bodies?scheme=nothing", "/v1/keys/x"])
def test_what_is_not_there_is_not_found(site: Site, path: str) -> None:
    assert site.client.get(path).status_code == 404


# --- marks ---------------------------------------------------------------------------------------------------


def test_every_shipped_scheme_is_described() -> None:
    assert set(MEANINGS) == set(SCHEMES)
    for meaning in MEANINGS.values():
        assert set(meaning) == {"means", "not", "look", "law"}
        for words in meaning.values():
            assert re.search("[\u4e00-\u9fff]", words["zh"])
            assert words["en"]


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_a_marks_page_says_what_the_rules_and_the_description_say(site: Site, scheme: str, language: str) -> None:
    text, rules = site.text(f"/marks/{scheme}", language), SCHEMES[scheme]
    plain: dict[str, dict[str, str]] = json.loads(json.dumps(MEANINGS[scheme]))
    assert rules["name"][language] in text
    assert SITE["mandatory" if rules["mandatory"] else "voluntary"][language] in text
    assert plain["means"][language] in text
    assert plain["not"][language] in text
    if rules["number_hint"]:
        assert rules["number_hint"][language][1:] in text  # a sentence of its own begins with a capital
    if rules["alliance"]:
        assert DEMONSTRATION["alliances"][0]["name"] in text


def test_the_list_has_every_mark_once_and_schemes_without_one_apart(site: Site) -> None:
    text = site.text("/marks")
    before, _, after = text.partition(SITE["without_mark"]["zh"])
    for scheme, rules in SCHEMES.items():
        assert rules["name"]["zh"] in (before if rules["mark"] else after), scheme
    assert len(re.findall('href="/marks/ccc', site.client.get("/marks?lang=zh").text)) == 1


# --- bodies --------------------------------------------------------------------------------------------------


def test_bodies_are_found_by_name_number_and_scheme(site: Site) -> None:
    every = site.text("/bodies")
    for body in DEMONSTRATION["bodies"]:
        assert body["name"] in every
        assert body["name"] in site.text(f"/bodies?q={body['approval_no'].lower()}")
    organic = site.text("/bodies?scheme=organic")
    for body in DEMONSTRATION["bodies"]:
        listed = "organic" in body["schemes"] and not body.get("disqualified_on")
        assert (body["approval_no"] in organic) == listed
    assert SITE["none_found"]["zh"] in site.text("/bodies?q=nobody")


def test_a_body_that_lost_its_approval_stays_and_says_since_when(site: Site) -> None:
    (gone,) = [body for body in DEMONSTRATION["bodies"] if body.get("disqualified_on")]
    text = site.text(f"/bodies/{gone['approval_no']}", "en")
    assert f"approval withdrawn since {gone['disqualified_on']}" in text
    assert "not allowed" in text
    assert "allowed" not in text.replace("not allowed", "")


def test_a_body_that_is_limited_to_codes_says_to_which(site: Site) -> None:
    assert " ".join(CODES) in site.text(f"/bodies/{LIMITED['approval_no']}")


def test_pages_of_bodies_turn() -> None:
    bodies = [body_state(DEMONSTRATION["bodies"][0]) for _ in range(A_PAGE * 2 + 1)]
    assert [(len(one_page(bodies, n)[0]), *one_page(bodies, n)[1:]) for n in (-1, 1, 3, 99)] == [
        (A_PAGE, 1, 3),
        (A_PAGE, 1, 3),
        (1, 3, 3),
        (1, 3, 3),
    ]
    assert one_page([], 5) == ([], 1, 1)


@pytest.mark.parametrize("page", ["x", "²", "", "-1", "99999999999999999999"])
def test_a_page_number_that_is_none_harms_nothing(site: Site, page: str) -> None:
    assert site.client.get(f"/bodies?page={page}").status_code == 200


@pytest.mark.parametrize(
    ("ends", "state"),
    [
        ({}, "in_use"),
        ({"valid_from": date(2026, 11, 2)}, "ahead"),
        ({"valid_until": date(2026, 10, 31)}, "ended"),
        ({"valid_until": date(2026, 11, 1)}, "in_use"),
        ({"retired_on": date(2026, 11, 1)}, "retired"),
        ({"compromised_since": datetime(2026, 11, 1, tzinfo=UTC)}, "compromised"),
        ({"compromised_since": datetime(2026, 11, 1, tzinfo=UTC), "retired_on": date(2026, 1, 1)}, "compromised"),
    ],
)
def test_a_key_is_in_one_state(ends: dict[str, object], state: str) -> None:
    plain: dict[str, object] = {"valid_until": None, "retired_on": None, "compromised_since": None}
    given = {"valid_from": date(2019, 1, 1)} | plain | ends
    key = Key(kid="k", owner="o", purpose=Purpose.EVENT, jwk={}, **given)  # type: ignore[arg-type]
    assert key_state(key, NOW, date(2026, 11, 1)) == state


# --- the state of the data ----------------------------------------------------------------------------------


def test_the_status_page_says_how_fresh_the_data_is(site: Site, bare: FlaskClient) -> None:
    text = site.text("/status")
    assert SITE["status_good"]["zh"] in text
    assert "数据时间距今 1分0秒" in text
    assert SITE["status_missing"]["zh"] in bare.get("/status?lang=zh").text


# --- evidence ----------------------------------------------------------------------------------------------


def test_a_record_can_be_checked_with_a_jose_library(site: Site) -> None:
    answer = site.client.get(f"/c/{NUMBER}/record")
    assert answer.content_type == "application/jose"
    kid = jws.extract_compact(answer.data).headers()["kid"]
    described = site.client.get(f"/v1/keys/{kid}").get_json()
    assert described["purpose"] == "seal"
    key = jwk.import_key(described["key"])
    checked = jws.deserialize_compact(answer.data, key, algorithms=[described["key"]["alg"]])
    assert json.loads(checked.payload or b"")["state"]["certificate_no"] == NUMBER
    event = jws.extract_compact(described["event"].encode())
    assert json.loads(event.payload)["subject"] == kid
    assert site.client.get("/c/2099990703000117/record").status_code == 404
    assert site.client.get("/c/!/record").status_code == 400
