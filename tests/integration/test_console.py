"""The console against a real register: who is let in, what is shown to whom, what comes back of what is handed in."""

import csv
import io
import json
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from services import auth
from services.auth import Role
from services.embedded import EmbeddedPostgres
from services.events.drafts import drafts_in
from services.events.envelope import open_envelope
from services.postgres import transaction
from services.registry import api, door
from services.registry.console import asked, routes, submissions
from services.registry.console.asked import Wanted
from services.settings import Settings, settings_from
from tests.conftest import a_database
from tests.register import BODY, OTHER, Register, a_number, a_suspension, accepted, ago, ahead
from tests.served import a_token

HOME = "/console/body/CNCA-R-2019-7901"


@pytest.fixture(scope="module")
def settings(
    postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Settings, pytest.MonkeyPatch]]:
    with a_database(postgres_server) as url, pytest.MonkeyPatch.context() as patch:
        environment = {
            "CERTMARK_DATA": str(tmp_path_factory.mktemp("register") / "data"),
            "CERTMARK_DATABASE_URL": url,
            "CERTMARK_TOPIC_PREFIX": f"t{uuid.uuid4().hex[:12]}",
            "CERTMARK_PUBLIC_URL": "http://127.0.0.1:9",
            "CERTMARK_EVENTS_URL": "http://127.0.0.1:9",
        }
        for name, value in environment.items():
            patch.setenv(name, value)
        yield settings_from(environment), patch


@pytest.fixture(scope="module")
def ours(settings: tuple[Settings, pytest.MonkeyPatch]) -> Iterator[Register]:
    with closing(Register.begin(settings[0])) as register:
        yield register


@pytest.fixture(scope="module")
def app(ours: Register) -> Flask:
    return api.create_app()


@pytest.fixture
def stranger(app: Flask, ours: Register) -> FlaskClient:
    """Somebody's browser, at an address of its own."""
    client = app.test_client()
    octets = uuid.uuid4().bytes
    client.environ_base["REMOTE_ADDR"] = f"203.{octets[0]}.{octets[1]}.{octets[2]}"
    return client


@pytest.fixture
def body(stranger: FlaskClient, ours: Register) -> FlaskClient:
    """The browser of a certification body that has signed in."""
    return signed_in(stranger, a_token(ours, Role.SOURCE, BODY))


def signed_in(client: FlaskClient, token: str) -> FlaskClient:
    answer = sign_in(client, token)
    assert answer.status_code == 303, answer.text
    return client


def sign_in(client: FlaskClient, token: str, **fields: str) -> TestResponse:
    page = client.get("/console/sign-in?lang=zh")
    return client.post("/console/sign-in", data={"form": form_of(page), "token": token} | fields)


def form_of(page: TestResponse) -> str:
    found = re.search(r'name="form" value="([0-9a-f]{64})"', page.text)
    assert found is not None, page.text
    return found[1]


def shown(client: FlaskClient, path: str, status: int = 200) -> str:
    page = client.get(path, headers={"Accept-Language": "zh"})
    assert page.status_code == status, page.text
    return unescape(page.text)


def numbers_in(html: str) -> list[str]:
    """The digests of the events on a page, in order, each once."""
    return list(dict.fromkeys(re.findall(r"/events/([0-9a-f]{64})\"", html)))


def a_refusal(ours: Register, source: str = BODY) -> str:
    """The digest of a suspension for a reason that is none."""
    number = ours.issue(source=source)
    jws = ours.tell(source, "certificate.suspended", number, a_suspension(reason="R07"))
    assert ours.decided(jws)["decision"] == "refused"
    return open_envelope(jws).digest


# --- in and out --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/console/", f"{HOME}/inbox", f"{HOME}/keys", "/console/sources"])
def test_a_stranger_is_led_to_sign_in_and_then_back(stranger: FlaskClient, ours: Register, path: str) -> None:
    led = stranger.get(path)
    assert led.status_code == 303
    assert led.location.startswith("/console/sign-in?")
    page = stranger.get(led.location)
    to = re.search(r'name="to" value="([^"]*)"', page.text)
    assert to is not None
    token = a_token(ours, Role.REGULATOR if path.endswith("sources") else Role.SOURCE, BODY)
    answer = stranger.post("/console/sign-in", data={"form": form_of(page), "token": token, "to": unescape(to[1])})
    assert answer.status_code == 303
    assert stranger.get(answer.location, follow_redirects=True).status_code == 200


def test_the_cookie_is_for_our_own_pages_alone_and_changes_with_signing_in(
    stranger: FlaskClient, ours: Register
) -> None:
    before = stranger.get("/console/sign-in").headers["Set-Cookie"]
    after = sign_in(stranger, a_token(ours, Role.SOURCE, BODY)).headers["Set-Cookie"]
    for cookie in (before, after):
        assert {"HttpOnly", "SameSite=Strict", "Path=/console"} <= {part.strip() for part in cookie.split(";")}
        assert "Secure" not in cookie
    assert before.split(";")[0] != after.split(";")[0]


@pytest.mark.parametrize(
    ("base", "told"), [("https://localhost", {}), ("http://localhost", {"X-Forwarded-Proto": "https"})]
)
def test_over_tls_the_cookie_never_goes_without(stranger: FlaskClient, base: str, told: dict[str, str]) -> None:
    assert "Secure" in stranger.get("/console/sign-in", headers=told, base_url=base).headers["Set-Cookie"]


@pytest.mark.parametrize(
    "to", ["https://example.org/", "//example.org/console/", "/console/\\example.org", "/v1/heads"]
)
def test_signing_in_leads_nowhere_else(stranger: FlaskClient, ours: Register, to: str) -> None:
    answer = sign_in(stranger, a_token(ours, Role.SOURCE, BODY), to=to)
    assert answer.location == f"{HOME}/inbox"


def test_a_wrong_token_opens_nothing_and_is_not_said_to_be_nearly_right(stranger: FlaskClient) -> None:
    answer = sign_in(stranger, "certmark_wrong")
    assert answer.status_code == 403
    assert 'role="alert"' in answer.text
    assert stranger.get(f"{HOME}/inbox").status_code == 303


def test_other_roles_are_told_that_the_console_is_not_for_them(stranger: FlaskClient, ours: Register) -> None:
    answer = sign_in(stranger, a_token(ours, Role.PLATFORM))
    assert answer.status_code == 403
    assert "角色" in answer.text


def test_after_five_wrong_tokens_not_even_the_right_one_is_looked_at(
    stranger: FlaskClient, app: Flask, ours: Register
) -> None:
    for _ in range(door.STRIKES):
        assert sign_in(stranger, "certmark_wrong").status_code == 403
    right = a_token(ours, Role.SOURCE, BODY)
    locked = sign_in(stranger, right)
    assert locked.status_code == 429
    assert 0 < int(locked.headers["Retry-After"]) <= door.LOCKED.total_seconds()
    elsewhere = app.test_client()
    elsewhere.environ_base["REMOTE_ADDR"] = "198.51.100.7"
    assert sign_in(elsewhere, right).status_code == 303
    with transaction(ours.connection) as cur:
        cur.execute("UPDATE console_knocks SET last_at = last_at - %s", (door.LOCKED,))
    assert sign_in(stranger, right).status_code == 303


def test_an_address_is_what_the_proxy_says_and_nobody_else(stranger: FlaskClient, ours: Register) -> None:
    for place in range(door.STRIKES):
        stranger.environ_base |= {"HTTP_X_FORWARDED_FOR": f"192.0.2.{place}", "REMOTE_ADDR": "10.9.9.9"}
        sign_in(stranger, "certmark_wrong")
    assert sign_in(stranger, a_token(ours, Role.SOURCE, BODY)).status_code == 429


def test_a_right_token_clears_the_wrong_ones(stranger: FlaskClient, ours: Register) -> None:
    for _ in range(2):
        for _ in range(door.STRIKES - 1):
            assert sign_in(stranger, "certmark_wrong").status_code == 403
        signed_in(stranger, a_token(ours, Role.SOURCE, BODY))


@pytest.mark.parametrize("column", ["seen_at", "begun_at"])
def test_an_idle_visit_ends_and_so_does_a_long_one(body: FlaskClient, ours: Register, column: str) -> None:
    assert body.get(f"{HOME}/inbox").status_code == 200
    with transaction(ours.connection) as cur:
        cur.execute(f"UPDATE console_visits SET {column} = {column} - %s", (max(door.IDLE, door.LONGEST),))
    led = body.get(f"{HOME}/inbox")
    assert led.status_code == 303
    assert "over=1" in led.location


def test_a_visit_goes_on_while_it_is_used(body: FlaskClient, ours: Register) -> None:
    with transaction(ours.connection) as cur:
        cur.execute("UPDATE console_visits SET seen_at = seen_at - interval '29 minutes'")
    shown(body, f"{HOME}/inbox")
    with transaction(ours.connection) as cur:
        cur.execute("UPDATE console_visits SET seen_at = seen_at - interval '29 minutes'")
    shown(body, f"{HOME}/inbox")


def test_a_revoked_token_ends_its_visits(stranger: FlaskClient, ours: Register) -> None:
    token = a_token(ours, Role.SOURCE, BODY)
    signed_in(stranger, token)
    with transaction(ours.connection) as cur:
        auth.revoke(cur, auth.id_of(token))
    assert stranger.get(f"{HOME}/inbox").status_code == 303


def test_who_signs_out_is_out(body: FlaskClient, app: Flask) -> None:
    page = body.get(f"{HOME}/inbox")
    cookie = body.get_cookie(routes.COOKIE, path="/console")
    assert cookie is not None
    assert body.post("/console/sign-out", data={"form": form_of(page)}).status_code == 303
    again = app.test_client()
    again.set_cookie(routes.COOKIE, cookie.value, path="/console")
    assert again.get(f"{HOME}/inbox").status_code == 303


POSTS = ["/console/sign-in", "/console/sign-out", f"{HOME}/settled", f"{HOME}/upload"]


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("shown_token", [None, "", "0" * 64, "the cookie itself"])
def test_no_form_is_taken_without_the_token_of_its_visit(body: FlaskClient, path: str, shown_token: str | None) -> None:
    if shown_token == "the cookie itself":
        cookie = body.get_cookie(routes.COOKIE, path="/console")
        shown_token = cookie.value if cookie else ""
    answer = body.post(path, data={} if shown_token is None else {"form": shown_token})
    assert answer.status_code == 403
    assert "form-not-ours" in answer.text
    assert body.get(f"{HOME}/inbox").status_code == 200


@pytest.mark.parametrize("path", POSTS[2:])
def test_what_a_stranger_sends_is_not_read(stranger: FlaskClient, path: str) -> None:
    form = form_of(stranger.get("/console/sign-in"))
    answer = stranger.post(path, data={"form": form, "file": (io.BytesIO(b"x"), "x.csv")})
    assert answer.status_code == 403


def test_every_address_that_takes_a_form_is_among_those_tried(app: Flask) -> None:
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("console.")]
    taking = {rule.rule for rule in rules if "POST" in (rule.methods or ())}
    assert taking == {path.replace("/body/CNCA-R-2019-7901", "/<kind>/<name>") for path in POSTS}


def test_a_form_of_one_visit_is_not_taken_in_another(body: FlaskClient, app: Flask, ours: Register) -> None:
    mine = form_of(body.get(f"{HOME}/inbox"))
    other = app.test_client()
    other.environ_base["REMOTE_ADDR"] = "198.51.100.8"
    signed_in(other, a_token(ours, Role.SOURCE, BODY))
    assert other.post(f"{HOME}/settled", data={"form": mine}).status_code == 403


# --- whose pages -------------------------------------------------------------------------------------------------


def every_page(ours: Register) -> list[str]:
    digest = a_refusal(ours)
    number = ours.rows("SELECT subject FROM entries WHERE digest = %s", digest)[0][0]
    return [
        "inbox",
        "upload",
        "submissions",
        "certificates",
        f"certificates/{number}",
        "overdue",
        "keys",
        "fix.csv",
        "fix.ndjson",
        "template.csv",
        "template.xlsx",
        f"events/{digest}",
        f"events/{digest}.json",
    ]


def test_anothers_pages_do_not_exist(stranger: FlaskClient, ours: Register) -> None:
    pages = every_page(ours)
    signed_in(stranger, a_token(ours, Role.SOURCE, OTHER))
    for page in pages:
        assert stranger.get(f"{HOME}/{page}").status_code == 404, page
    assert stranger.get("/console/sources").status_code == 404
    assert stranger.get("/console/body/CNCA-R-2019-7902/inbox").status_code == 200


def test_an_event_of_anothers_is_not_shown_under_ones_own_name(stranger: FlaskClient, ours: Register) -> None:
    digest = a_refusal(ours)
    signed_in(stranger, a_token(ours, Role.SOURCE, OTHER))
    for form in ("", ".json"):
        assert stranger.get(f"/console/body/CNCA-R-2019-7902/events/{digest}{form}").status_code == 404


def test_a_regulator_looks_at_every_source_and_does_nothing(stranger: FlaskClient, ours: Register) -> None:
    pages = every_page(ours)
    signed_in(stranger, a_token(ours, Role.REGULATOR))
    assert stranger.get("/console/").location == "/console/sources"
    assert "urn:certmark:body:CNCA-R-2019-7902" in shown(stranger, "/console/sources")
    for page in pages:
        own = page in ("upload", "submissions")
        assert stranger.get(f"{HOME}/{page}").status_code == (404 if own else 200), page
    html = shown(stranger, f"{HOME}/inbox")
    assert 'action="/console/body/CNCA-R-2019-7901/settled"' not in html
    form = form_of(stranger.get(f"{HOME}/inbox"))
    for path in (f"{HOME}/settled", f"{HOME}/upload"):
        assert stranger.post(path, data={"form": form, "digest": "0" * 64}).status_code == 404


@pytest.mark.parametrize("path", ["/console/registry/main/inbox", "/console/body/none/inbox", f"{HOME}/nothing"])
def test_what_is_not_there_is_said_on_a_page(body: FlaskClient, path: str) -> None:
    answer = body.get(path)
    assert answer.status_code == 404


def test_nothing_is_kept_in_caches_and_no_script_could_run(body: FlaskClient, ours: Register) -> None:
    for page in every_page(ours):
        headers = body.get(f"{HOME}/{page}").headers
        assert headers["Cache-Control"] == "no-store", page
        assert "script-src" not in headers["Content-Security-Policy"]
        assert "default-src 'none'" in headers["Content-Security-Policy"]


# --- the inbox ---------------------------------------------------------------------------------------------------


def test_the_counts_are_those_of_the_entries(body: FlaskClient, ours: Register) -> None:
    number = ours.issue()
    a_refusal(ours)
    ours.say(BODY, "certificate.suspended", number, a_suspension(), sequence=1)  # stale: it takes no place in the chain
    ours.tell(BODY, "certificate.suspended", number, a_suspension(), sequence=40, previous="sha256:" + "7" * 64)
    forged = ours.forged(ours.keys[BODY], ours.payload(OTHER, "certificate.cancelled", number, {"reason": "C03"}))
    ours.append(forged)
    ours.decide_all()
    with transaction(ours.connection) as cur:
        counts = asked.counts_of(cur, BODY)
    (row,) = ours.rows(
        "SELECT count(*) FILTER (WHERE decision = 'accepted'), count(*) FILTER (WHERE decision <> 'accepted'),"
        " (SELECT count(*) FROM pending WHERE source = %s), (SELECT count(*) FROM quarantine WHERE source = %s)"
        " FROM entries WHERE source = %s AND kind = 'event'",
        BODY,
        BODY,
        BODY,
    )
    assert tuple(counts[name] for name in ("accepted", "refused", "pending", "quarantined")) == row
    assert min(row) > 0
    html = shown(body, f"{HOME}/inbox")
    for name, count in zip(("已接受", "已拒绝", "待定", "隔离"), row, strict=True):
        assert re.search(rf">{name}</a></th><td class=\"n\"[^>]*>{count:,}<", html)
    assert open_envelope(forged).digest in shown(body, f"{HOME}/inbox?which=quarantined")


def test_the_oldest_refusal_that_nobody_has_mended_comes_first(body: FlaskClient, ours: Register) -> None:
    settle_all(ours)
    first, mended, last = a_refusal(ours), a_refusal(ours), a_refusal(ours)
    subject = ours.rows("SELECT subject FROM entries WHERE digest = %s", mended)[0][0]
    assert accepted(ours.say(BODY, "certificate.suspended", subject, a_suspension()))
    html = shown(body, f"{HOME}/inbox")
    assert numbers_in(html) == [first, last]
    assert html.index("最早未处理的拒绝") < html.index(first)
    for told in ("unknown-reason", "原因代码不是", "The reason code", "/data/reason", '"R07"', "如何改正", "S01"):
        assert told in html
    everything = shown(body, f"{HOME}/inbox?which=refused&subject={subject}")
    assert mended in everything
    assert "其后的同类事件已被接受" in everything


def settle_all(ours: Register, source: str = BODY) -> None:
    """Leave nothing to mend behind from other tests."""
    with transaction(ours.connection) as cur:
        for seen in asked.events_of(cur, source, Wanted(limit=10_000)):
            asked.settle(cur, source, seen.digest, datetime.now(UTC))


def test_a_refusal_can_be_marked_as_dealt_with_and_listed_again(body: FlaskClient, ours: Register) -> None:
    settle_all(ours)
    digest = a_refusal(ours)
    form = form_of(body.get(f"{HOME}/inbox"))
    assert body.post(f"{HOME}/settled", data={"form": form, "digest": digest}).status_code == 303
    assert "没有未处理的拒绝" in shown(body, f"{HOME}/inbox")
    assert body.post(f"{HOME}/settled", data={"form": form, "digest": digest, "again": "1"}).status_code == 303
    assert numbers_in(shown(body, f"{HOME}/inbox")) == [digest]


@pytest.mark.parametrize("source", [BODY, OTHER])
def test_only_ones_own_refusals_are_marked(body: FlaskClient, ours: Register, source: str) -> None:
    number = ours.issue(source=source)
    fine = ours.rows("SELECT digest FROM entries WHERE subject = %s", number)[0][0]
    form = form_of(body.get(f"{HOME}/inbox"))
    for digest in (fine, a_refusal(ours, OTHER), "0" * 64, "\0"):
        assert body.post(f"{HOME}/settled", data={"form": form, "digest": digest}).status_code == 404


@pytest.mark.parametrize("which", ["open", "refused", "accepted", "all"])
def test_page_by_page_nothing_is_left_out_and_the_cursor_is_the_feeds(
    body: FlaskClient, ours: Register, which: str
) -> None:
    for _ in range(30):
        a_refusal(ours)
    with transaction(ours.connection) as cur:
        every = [seen.digest for seen in asked.events_of(cur, BODY, Wanted(which, limit=10_000))]
    found: list[str] = []
    path = f"{HOME}/inbox?which={which}"
    while path:
        html = shown(body, path)
        found += numbers_in(html[html.index('id="list"') :])
        following = re.search(r'href="([^"]+)" rel="next"', html)
        path = following[1] if following else ""
    oldest = numbers_in(shown(body, f"{HOME}/inbox"))[0]
    assert [d for d in found if d != oldest] == [d for d in every if d != oldest]
    token = a_token(ours, Role.SOURCE, BODY)
    with transaction(ours.connection) as cur:
        seen = asked.events_of(cur, BODY, Wanted("open", limit=2))
    answer = body.get(
        f"/v1/decisions?limit=1000&after={seen[0].place.cursor()}", headers={"Authorization": f"Bearer {token}"}
    )
    assert seen[1].digest in [item["digest"] for item in answer.json["items"]]  # type: ignore[index]
    assert seen[0].digest not in [item["digest"] for item in answer.json["items"]]  # type: ignore[index]


@pytest.mark.parametrize(
    "query", ["after=x", "after=%00", "which=nothing", "code=%00", "subject=%00", "subject=不是编号"]
)
def test_a_strange_question_has_a_page_for_an_answer(body: FlaskClient, query: str) -> None:
    assert body.get(f"{HOME}/inbox?{query}").status_code in (200, 400)


def test_a_pending_event_says_which_places_are_missing(body: FlaskClient, ours: Register) -> None:
    number = ours.issue()
    ours.tell(BODY, "certificate.suspended", number, a_suspension(), sequence=5, previous="sha256:" + "7" * 64)
    ours.decide_all()
    html = shown(body, f"{HOME}/inbox?which=pending&subject={number}")
    assert "等待链上序号 2–4" in html


def test_an_event_is_shown_whole_and_as_json(body: FlaskClient, ours: Register) -> None:
    digest = a_refusal(ours)
    said = body.get(f"{HOME}/events/{digest}.json").json
    (jws,) = ours.rows("SELECT jws FROM entries WHERE digest = %s", digest)[0]
    assert said == json.loads(open_envelope(jws.encode()).payload)
    assert '"reason": "R07"' in shown(body, f"{HOME}/events/{digest}")


def test_what_to_fix_comes_as_a_list_and_as_drafts_that_are_accepted_once_corrected(
    body: FlaskClient, ours: Register
) -> None:
    settle_all(ours)
    digest = a_refusal(ours)
    rows = list(csv.DictReader(io.StringIO(body.get(f"{HOME}/fix.csv").data.decode("utf-8-sig"))))
    assert [row["摘要 digest"] for row in rows] == [digest]
    assert rows[0]["代码 code"] == "unknown-reason"
    assert rows[0]["位置 pointer"] == "/data/reason"
    (draft,) = drafts_in(body.get(f"{HOME}/fix.ndjson").data)
    draft["data"]["reason"] = "S03"
    assert accepted(ours.say(BODY, draft["type"], draft["subject"], draft["data"]))
    assert "没有未处理的拒绝" in shown(body, f"{HOME}/inbox")
    assert list(csv.DictReader(io.StringIO(body.get(f"{HOME}/fix.csv").data.decode("utf-8-sig")))) == []


# --- certificates, overdue, keys ---------------------------------------------------------------------------------


def test_certificates_are_found_by_number_and_by_holder(body: FlaskClient, ours: Register) -> None:
    name = f"百分%之_百\\公司{uuid.uuid4().hex[:6]}"
    number = ours.issue(holder={"name": name, "uscc": "91310115MAXX001114"})
    other = ours.issue()
    theirs = ours.issue(source=OTHER, holder={"name": name})
    for query in (f"number={number}", f"number={number[:12]}", f"holder={name[:6].replace('%', '%25')}"):
        html = shown(body, f"{HOME}/certificates?{query}")
        assert f"/certificates/{number}" in html, query
        assert f"/certificates/{other}" not in html, query
        assert theirs not in html, query
    html = shown(body, f"{HOME}/certificates?holder=%25")
    assert number in html
    assert other not in html
    assert "没有答复" in html, "the public look-up is not there, and that is said"


def test_certificates_page_by_page(body: FlaskClient, ours: Register) -> None:
    name = f"许多证书{uuid.uuid4().hex[:8]}"
    numbers = sorted(ours.issue(holder={"name": name}) for _ in range(55))
    found: list[str] = []
    path = f"{HOME}/certificates?holder={name}"
    while path:
        html = shown(body, path)
        found += re.findall(r'/certificates/([0-9]{16})"', html)
        following = re.search(r'href="([^"]+)" rel="next"', html)
        path = following[1] if following else ""
    assert found == numbers


def test_one_certificate_with_its_statuses_and_own_events(body: FlaskClient, ours: Register) -> None:
    number = ours.issue()
    ours.say(BODY, "certificate.suspended", number, a_suspension())
    html = shown(body, f"{HOME}/certificates/{number}")
    assert "暂停" in html
    assert "S03" in html
    assert len(numbers_in(html)) == 2
    assert f'href="http://127.0.0.1:9/c/{number}"' in html
    theirs = ours.issue(source=OTHER)
    shown(body, f"{HOME}/certificates/{theirs}", 404)
    shown(body, f"{HOME}/certificates/!!", 400)


def test_what_is_overdue_is_listed_and_counted(body: FlaskClient, ours: Register) -> None:
    number = ours.issue(surveillance_due=ago(3), effective_at=ago(300), issued_on=ago(300), valid_from=ago(300))
    html = shown(body, f"{HOME}/overdue?kind=surveillance")
    assert "监督逾期" in html
    assert number in html or 'rel="next"' in html


def test_keys_are_shown_with_their_state(body: FlaskClient, ours: Register) -> None:
    html = shown(body, f"{HOME}/keys")
    assert ours.keys[BODY].public.kid in html
    assert "可用" in html
    assert 'role="alert"' not in html


# --- handing in --------------------------------------------------------------------------------------------------

HEADINGS = (
    "证书编号,认证制度,认证依据,获证组织名称,统一社会信用代码,产品名称,规格型号,发证日期,有效期起,有效期至,批准人编号,"
    "事件,生效日期,原因代码"
)


def a_sheet(*rows: str) -> bytes:
    return "\r\n".join([HEADINGS, *rows, ""]).encode("gb18030")


def a_row(number: str, **changes: str) -> str:
    row = {
        "证书编号": number,
        "认证制度": "ccc",
        "认证依据": "GB 4706.32-2012",
        "获证组织名称": "示范电器有限公司",
        "统一社会信用代码": "91310115MAXX001114",
        "产品名称": "空调",
        "规格型号": "A1",
        "发证日期": ago(3),
        "有效期起": ago(3),
        "有效期至": ahead(400),
        "批准人编号": "7901-0007",
    } | changes
    return ",".join(row.get(heading, "") for heading in HEADINGS.split(","))


def hand_in(
    client: FlaskClient, content: bytes, kind: str = "sheet", name: str = "证书 1.csv", **files: Any
) -> TestResponse:
    form = form_of(client.get(f"{HOME}/upload"))
    data = {"form": form, "kind": kind, "file": (io.BytesIO(content), name)} | files
    return client.post(f"{HOME}/upload", data=data, content_type="multipart/form-data")


def done(client: FlaskClient, answer: TestResponse, seconds: float = 60) -> str:
    """The submission's page, once the work on it has ended."""
    assert answer.status_code == 303, answer.text
    deadline = time.monotonic() + seconds
    while True:
        page = client.get(answer.location, headers={"Accept-Language": "zh"})
        if "<progress" not in page.text:
            return unescape(page.text)
        assert page.headers["Refresh"] == "2"
        assert time.monotonic() < deadline, page.text
        time.sleep(0.05)


def test_a_sheet_is_checked_row_by_row_and_what_to_fix_loads_cleanly(body: FlaskClient, ours: Register) -> None:
    registered, theirs, known = ours.issue(), ours.issue(source=OTHER), ours.issue()
    good, twice = a_number(), a_number()
    answer = hand_in(
        body,
        a_sheet(
            a_row(good),
            a_row(good, 规格型号="A2"),
            a_row(a_number(), 统一社会信用代码="91310115MAXX001115"),
            a_row(registered),
            f"{theirs}" + "," * 10 + f",注销,{ago(0)},C03",
            f"{a_number()}" + "," * 10 + f",注销,{ago(0)},C03",
            a_row(twice),
            a_row(known),
        ),
    )
    html = done(body, answer)
    assert "证书 1.csv" in html
    assert "GB18030" in html
    for code in ("bad-credit-code", "number-taken", "not-responsible", "unknown-certificate"):
        assert code in html
    assert re.search(r"<dt>可以报送</dt><dd>2</dd>", html)
    assert re.search(r"<dt>有错</dt><dd>5</dd>", html)
    assert f'"subject": "{good}"' in html
    assert "certmark import '证书 1.csv' --as CNCA-R-2019-7901 --fix '证书 1-fix.csv'" in html
    only = shown(body, answer.location + "?show=wrong")
    assert good not in only
    assert registered in only

    fix = body.get(f"{answer.location}/fix.csv").data.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(fix)))
    assert len(rows) == 5
    mended = io.StringIO()
    writer = csv.DictWriter(mended, rows[0].keys())
    writer.writeheader()
    rows[0]["统一社会信用代码"] = "91310115MAXX001114"
    writer.writerow(rows[0])
    again = done(body, hand_in(body, mended.getvalue().encode()))
    assert "每一行都可以报送" in again
    assert ours.rows("SELECT 1 FROM entries WHERE subject = %s", good) == [], "checking reports nothing"


def test_what_cannot_be_read_at_all_says_so_by_the_files_own_name(body: FlaskClient, ours: Register) -> None:
    html = done(body, hand_in(body, b"no headings here\n", name="x.csv"))
    assert "sheet-unreadable" in html
    assert "x.csv" in html
    assert str(ours.settings.data) not in html
    html = done(body, hand_in(body, b"PK\x03\x04 not a workbook", name="../../y.xlsx"))
    assert "sheet-unreadable" in html
    assert "y.xlsx" in html


def test_headings_of_ones_own_are_named_by_a_mapping(body: FlaskClient) -> None:
    sheet = a_sheet(a_row(a_number())).decode("gb18030").replace("证书编号", "本公司编号").encode()
    assert "sheet-unreadable" in done(body, hand_in(body, sheet))
    mapping = (io.BytesIO(json.dumps({"本公司编号": "certificate_no"}).encode()), "m.json")
    html = done(body, hand_in(body, sheet, mapping=mapping))
    assert "每一行都可以报送" in html
    assert "--mapping mapping.json" in html
    broken = (io.BytesIO(b"[1"), "m.json")
    assert "not-json" in done(body, hand_in(body, sheet, mapping=broken))


@pytest.mark.parametrize("kind", ["sheet", "nothing"])
def test_a_form_without_a_file_or_kind_is_shown_again(body: FlaskClient, kind: str) -> None:
    form = form_of(body.get(f"{HOME}/upload"))
    answer = body.post(f"{HOME}/upload", data={"form": form, "kind": kind})
    assert answer.status_code == 400
    assert "请选择一个文件" in answer.text or "Choose a file" in answer.text


def test_a_submission_is_its_sources_alone(body: FlaskClient, app: Flask, ours: Register) -> None:
    answer = hand_in(body, a_sheet(a_row(a_number())))
    done(body, answer)
    id_ = answer.location.rpartition("/")[2]
    assert id_ in shown(body, f"{HOME}/submissions")
    for place, (role, source) in enumerate(((Role.SOURCE, OTHER), (Role.REGULATOR, None))):
        other = app.test_client()
        other.environ_base["REMOTE_ADDR"] = f"198.51.100.{20 + place}"
        signed_in(other, a_token(ours, role, source))
        home = "/console/body/CNCA-R-2019-7902" if source else HOME
        for path in ("", "/fix.csv", "/fix.ndjson"):
            assert other.get(f"{home}/submissions/{id_}{path}").status_code == 404
    for strange in ("0" * 32, "..", "%2e%2e%2fx"):
        assert body.get(f"{HOME}/submissions/{strange}").status_code in (404, 308)


def test_a_file_that_is_too_large_is_refused(body: FlaskClient) -> None:
    form = form_of(body.get(f"{HOME}/upload"))
    head = f'--b\r\nContent-Disposition: form-data; name="form"\r\n\r\n{form}\r\n--b\r\n'
    answer = body.post(
        f"{HOME}/upload",
        data=head.encode() + b"x" * (submissions.LARGEST + 2**17),
        content_type="multipart/form-data; boundary=b",
    )
    assert answer.status_code == 413
    assert "too-large" in answer.text


def test_two_submissions_at_a_time_are_enough(body: FlaskClient, ours: Register) -> None:
    folder = ours.settings.data / "console"
    about = submissions.about_new(submissions.Kind.SHEET, BODY, "x.csv", datetime.now(UTC))
    for _ in range(submissions.AT_ONCE):
        submissions.announce(submissions.take_in(folder, uuid.uuid4().hex, about))  # nobody works on them
    try:
        answer = hand_in(body, a_sheet(a_row(a_number())))
        assert answer.status_code == 429
        assert "still-busy" in answer.text
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("path", ["/console/", "/console/sign-in", f"{HOME}/inbox"])
def test_without_its_database_the_console_says_so_on_a_page(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str
) -> None:
    monkeypatch.setenv("CERTMARK_DATA", str(tmp_path))
    monkeypatch.setenv("CERTMARK_DATABASE_URL", f"postgresql://nobody@/none?host={tmp_path}")
    client = api.create_app().test_client()
    client.set_cookie(routes.COOKIE, "x" * 43, path="/console")
    answer = client.get(path, headers={"Accept-Language": "zh"})
    assert answer.status_code == 503
    assert "暂时无法显示" in answer.text
    assert str(tmp_path) not in answer.text
