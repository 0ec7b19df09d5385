"""A consumer's report from form to outcome over real services, and that nothing of it is anywhere else."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask.testing import FlaskClient
from playwright.sync_api import Browser, Request

from services.auth import Role
from services.domain.complaints import KEPT_AFTER_DECISION_DAYS, KEPT_AT_MOST_DAYS, commitment
from services.domain.identifiers import civil_day
from services.embedded import EmbeddedPostgres
from services.events.complaint_record import read_complaint
from services.events.log import Topics
from services.postgres import transaction
from services.registry import complaints_store as store
from services.registry.complaints import Complaints
from services.registry.replay import replay
from services.settings import settings_from
from services.verify.api import app_for
from services.verify.report_wording import REPORT
from tests.conftest import a_database
from tests.integration.test_pages import AXE, wait_for
from tests.register import Register
from tests.served import a_token, ask, served

TODAY = civil_day(datetime.now(UTC))
PERSONAL = ("13800001234", "李示范的微信", "https://shop.example/hidden-listing", "楼下小卖部", "水壶漏电XYZ")
FORM = {
    "product": "示范电热水壶",
    "where_kind": "shop",
    "where": PERSONAL[3],
    "link": PERSONAL[2],
    "region": "310115",
    "text": f"{PERSONAL[4]}，联系{PERSONAL[1]}",
    "contact": PERSONAL[0],
    "consent": "yes",
    "code": "/c/2023990703000117",
    "answer": "valid",
}


@dataclass
class Site:
    """A register with its reports' process, the registry's service, and the verify application in process."""

    register: Register
    complaints: Complaints
    registry: str
    client: FlaskClient
    folder: Path

    def settle(self) -> None:
        """The report's way: out of the topic, into the table, its commitment into the log."""
        while self.complaints.step(0.0):
            pass
        for _ in range(3):
            self.register.worker.commitments_due = 0.0
            self.register.worker.step()

    def form(self, **changes: str) -> dict[str, str]:
        page = self.client.get("/report").get_data(as_text=True)
        token = re.search(r'name="form" value="([^"]+)"', page)
        assert token
        return {"form": token[1]} | FORM | changes

    def hand_in(self, form: dict[str, str]) -> tuple[str, str]:
        """(number, secret) of a report that was received."""
        response = self.client.post("/report?lang=zh", data=form)
        assert response.status_code == 200, response.get_data(as_text=True)
        number, secret = re.findall(r"<code>([^<]+)</code>", response.get_data(as_text=True))
        return number, secret

    def stored(self, number: str) -> store.StoredComplaint:
        with transaction(self.register.connection) as cur:
            found = store.one(cur, number)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def site(
    postgres_server: EmbeddedPostgres,
    tmp_path_factory: pytest.TempPathFactory,
    free_ports: Callable[[int], list[int]],
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("reports")
    verify, events, registry = free_ports(3)
    with ExitStack() as stack:
        url = stack.enter_context(a_database(postgres_server))
        settings = settings_from(
            {
                "CERTMARK_DATA": str(folder / "data"),
                "CERTMARK_DATABASE_URL": url,
                "CERTMARK_TOPIC_PREFIX": "treports",
                "CERTMARK_VERIFY_PORT": str(verify),
                "CERTMARK_EVENTS_PORT": str(events),
                "CERTMARK_REGISTRY_PORT": str(registry),
            }
        )
        register = Register.begin(settings)
        stack.callback(register.close)
        complaints = Complaints(register.settings)
        stack.callback(complaints.close)
        address = stack.enter_context(served(register.settings, registry, folder))
        app = app_for(replace(register.settings, reports_url=address), lambda: datetime.now(UTC))
        yield Site(register, complaints, address, app.test_client(), folder)


@pytest.fixture(autouse=True)
def patient(site: Site) -> None:
    """Each test is another client: the limit is tested by itself."""
    node = site.client.application.extensions["certmark-verify"]
    node.clients._buckets.clear()


def asked(site: Site, number: str, secret: str, what: str = "state", sure: str = "yes") -> tuple[int, str]:
    response = site.client.post(
        "/report/state?lang=zh", data={"no": number, "secret": secret, "what": what, "sure": sure}
    )
    return response.status_code, unescape(response.get_data(as_text=True))


def test_a_report_from_form_to_outcome(site: Site) -> None:
    number, secret = site.hand_in(site.form())
    assert asked(site, number, secret)[0] == 404, "the registry has not read it yet, and says so"
    site.settle()
    status, page = asked(site, number.lower(), secret.lower().replace("-", " "))
    assert status == 200
    assert REPORT["open"].zh in page
    stored = site.stored(number)
    assert stored.due_on.isoformat() in page
    assert stored.content is not None
    assert read_complaint(stored.content).contact == PERSONAL[0]

    inspector = a_token(site.register, Role.INSPECTOR, district="310115")
    body = {"outcome": "confirmed", "note": "已责令下架"}
    said, _, answer = ask(site.registry, f"/v1/complaints/{number}/outcome", inspector, "POST", body=json.dumps(body))
    assert said == 200, answer
    again, _, answer = ask(site.registry, f"/v1/complaints/{number}/outcome", inspector, "POST", body=json.dumps(body))
    assert (again, json.loads(answer)["code"]) == (409, "already-decided")
    _, page = asked(site, number, secret)
    assert "情况属实" in page
    assert "已责令下架" in page


def test_the_commitment_is_an_entry_and_opens_to_the_report(site: Site) -> None:
    number, _ = site.hand_in(site.form())
    site.settle()
    stored = site.stored(number)
    assert stored.content is not None
    assert stored.commitment == commitment(stored.content)
    ((kind, digest, subject, leaf, jws, source),) = site.register.rows(
        "SELECT kind, digest, subject, leaf, jws, source FROM entries WHERE seq = %s", stored.seq
    )
    assert (kind, digest, subject, jws, source) == ("commitment", stored.commitment, number, None, None)
    assert json.loads(leaf)["digest"] == stored.commitment
    assert (
        replay(site.register.connection, site.register.settings.genesis, lambda size: lambda done: None).difference
        is None
    )
    before = site.register.head().size
    site.settle()
    assert site.register.head().size == before, "committed once"


def test_what_was_written_is_nowhere_else(site: Site) -> None:
    """No public record, no event, no state, no log line: the restricted topic and table alone."""
    _, secret = site.hand_in(site.form())
    site.settle()
    with transaction(site.register.connection) as cur:
        cur.execute(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
            " AND table_schema IN ('public', 'log')"
        )
        tables = [f'"{schema}"."{name}"' for schema, name in cur.fetchall()]
        assert len(tables) > 10
        holding = set()
        for table in tables:
            cur.execute(f"SELECT t::text FROM {table} t")
            text = "\n".join(row[0] for row in cur.fetchall())
            binary = re.findall(r"\\x((?:[0-9a-f]{2}){10,})", text)
            decoded = "".join(bytes.fromhex(one).decode("utf-8", "replace") for one in binary)
            if any(word in text or word in decoded for word in PERSONAL):
                holding.add(table)
            assert secret.replace("-", "") not in text.replace("-", "")
        assert holding == {'"public"."complaints"', '"log"."record"'}
        cur.execute(
            "SELECT DISTINCT t.name FROM log.record r JOIN log.topic t ON t.id = r.topic"
            " WHERE position(%s::bytea IN r.value) > 0",
            (PERSONAL[0].encode(),),
        )
        assert cur.fetchall() == [(Topics.under("treports").restricted.name,)]
    for file in site.folder.rglob("*.log"):
        text = file.read_text(encoding="utf-8", errors="replace")
        assert not any(word in text for word in (*PERSONAL, secret)), file


def test_no_log_line_tells_what_was_written(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG", logger="certmark"):
        number, secret = site.hand_in(site.form())
        site.register.log.append(
            Topics.under("treports").restricted, [("x", json.dumps({"text": PERSONAL[4]}).encode())]
        )
        site.settle()
        asked(site, number, secret)
        site.complaints.forget(TODAY + timedelta(days=KEPT_AT_MOST_DAYS + 1))
    told = " ".join(f"{record.getMessage()} {record.__dict__.get('fields')}" for record in caplog.records)
    assert "no report" in told
    assert not any(word in told for word in (*PERSONAL, secret))


def test_what_names_another_time_than_the_logs_is_no_report_and_holds_nobody_up(site: Site) -> None:
    number, _ = site.hand_in(site.form())
    site.settle()
    written = json.loads(site.stored(number).content or b"")
    other = number[:-1] + ("2" if number[-1] != "2" else "3")
    for instant in ("9999-12-31T23:59:59.999Z", "2001-01-01T00:00:00.000Z"):  # overflows at UTC+8; never kept
        value = json.dumps(written | {"no": other, "received_at": instant}, ensure_ascii=False).encode()
        site.register.log.append(Topics.under("treports").restricted, [("x", value)])
    later, _ = site.hand_in(site.form())
    site.settle()
    assert site.stored(later).no == later
    assert site.register.rows("SELECT count(*) FROM complaints WHERE no = %s", other) == [(0,)]


def test_who_may_read_reports(site: Site) -> None:
    number, _ = site.hand_in(site.form())
    site.settle()
    own = a_token(site.register, Role.INSPECTOR, "own", district="310115")
    city = a_token(site.register, Role.INSPECTOR, "city", district="310000")
    other = a_token(site.register, Role.INSPECTOR, "other", district="310104")
    regulator = a_token(site.register, Role.REGULATOR)
    for token, may in ((own, True), (city, True), (regulator, True), (other, False)):
        status, headers, answer = ask(site.registry, f"/v1/complaints/{number}", token)
        assert status == (200 if may else 404)
        assert "no-store" in (headers["Cache-Control"] or "")
        items = json.loads(ask(site.registry, "/v1/complaints?limit=200", token)[2])["items"]
        assert (number in {one["no"] for one in items}) is may
        if may:
            assert json.loads(answer)["content"]["text"].startswith(PERSONAL[4])
            assert "secret" not in answer.decode()
            assert "salt" not in answer.decode()
    for role in (Role.SOURCE, Role.PLATFORM, Role.ADMINISTRATOR):
        token = a_token(site.register, role, f"urn:certmark:body:x-{role}" if role is Role.SOURCE else None)
        assert ask(site.registry, "/v1/complaints", token)[0] == 403
    assert ask(site.registry, "/v1/complaints")[0] == 401
    assert ask(site.registry, f"/v1/complaints/{number}")[0] == 401


def test_where_no_place_is_named_the_holders_district_has_it(site: Site) -> None:
    holder = {"name": "示范公司", "uscc": "91320500MAXX005334", "region": "310120"}
    certificate = site.register.issue(holder=holder)
    number, _ = site.hand_in(site.form(region="", code=f"/c/{certificate}"))
    nowhere, _ = site.hand_in(site.form(region="", code="not a number"))
    site.settle()
    assert site.stored(number).region == "310120"
    assert site.stored(nowhere).region is None


def test_a_wrong_secret_and_an_unknown_number_are_answered_alike(site: Site) -> None:
    number, _ = site.hand_in(site.form())
    site.settle()
    wrong = asked(site, number, "0000-0000-0000-0000")
    unknown = asked(site, "TS20261126-00000000", "0000-0000-0000-0000")
    assert wrong[0] == unknown[0] == 404
    assert wrong[1].replace(number, "N") == unknown[1].replace("TS20261126-00000000", "N")


def test_the_same_form_sent_twice_is_one_report(site: Site) -> None:
    form = site.form()
    assert site.hand_in(form) == site.hand_in(form)
    site.settle()
    number, _ = site.hand_in(form)
    site.settle()
    rows = site.register.rows("SELECT count(*) FROM complaints WHERE no = %s", number)
    assert rows == [(1,)]


def test_while_the_log_is_down_the_text_stays_with_the_person(site: Site) -> None:
    """The database is named at an address where nobody listens: the append fails as in an outage."""
    down = replace(site.register.settings, database_url="postgresql://nobody@127.0.0.1:1/none")
    app = app_for(down, lambda: datetime.now(UTC))
    page = app.test_client().get("/report").get_data(as_text=True)
    token = re.search(r'name="form" value="([^"]+)"', page)
    assert token
    response = app.test_client().post("/report?lang=zh", data={"form": token[1]} | FORM)
    text = unescape(response.get_data(as_text=True))
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "30"
    assert response.headers["Cache-Control"] == "no-store"
    assert REPORT["log_away"].zh in text
    assert token[1] in text, "the same form may be sent again"
    for word in PERSONAL:
        assert word in text
    assert "checked>" not in re.sub(r"<input type=\"radio\".*?>", "", text), "consent is given anew each time"


@pytest.mark.parametrize(
    ("headers", "form", "status", "said"),
    [
        ({"Origin": "https://evil.example"}, {}, 400, "old_form"),
        ({"Origin": "null", "Sec-Fetch-Site": "cross-site"}, {}, 400, "old_form"),
        ({"Sec-Fetch-Site": "same-site"}, {}, 400, "old_form"),
        ({}, {"form": "1.2.3"}, 400, "old_form"),
        ({}, {"form": ""}, 400, "old_form"),
        ({}, {"text": ""}, 400, "problem"),
        ({}, {"consent": ""}, 400, "problem"),
    ],
)
def test_what_is_not_taken_keeps_what_was_written(
    site: Site, headers: dict[str, str], form: dict[str, str], status: int, said: str
) -> None:
    before = site.register.log.bounds(Topics.under("treports").restricted)
    response = site.client.post("/report?lang=zh", data=site.form(**form), headers=headers)
    text = unescape(response.get_data(as_text=True))
    assert response.status_code == status
    assert REPORT[said].zh in text
    assert PERSONAL[3] in text
    assert site.register.log.bounds(Topics.under("treports").restricted) == before


def test_a_form_behind_a_proxy_that_hides_the_port_is_ours(site: Site) -> None:
    settings = site.register.settings
    for origin in (settings.public_url, "http://localhost"):
        answer = site.client.post("/report", data=site.form(), headers={"Origin": origin, "Host": "localhost"})
        assert answer.status_code == 200, origin


def test_one_client_cannot_send_without_end(site: Site) -> None:
    answers = [site.client.post("/report", data=site.form()).status_code for _ in range(8)]
    assert answers[0] == 200
    assert answers[-1] == 429
    refused = site.client.post("/report?lang=zh", data=site.form())
    assert int(refused.headers["Retry-After"]) >= 1
    assert PERSONAL[3] in unescape(refused.get_data(as_text=True))


def test_a_form_that_is_too_large_is_not_read(site: Site) -> None:
    response = site.client.post("/report", data={"text": "x" * 270_000})
    assert response.status_code == 413


def test_what_was_written_is_forgotten_at_the_persons_wish(site: Site) -> None:
    number, secret = site.hand_in(site.form())
    site.settle()
    asked(site, number, secret, "forget", sure="")
    assert site.stored(number).content is not None, "not without the tick"
    status, page = asked(site, number, secret, "forget")
    assert status == 200
    assert REPORT["forgotten"].zh.format(day=TODAY) in page
    stored = site.stored(number)
    assert (stored.content, stored.forgotten_on) == (None, TODAY)
    assert len(stored.commitment) == 64
    assert stored.seq is not None, "the entry stays, and tells nothing any more"
    regulator = a_token(site.register, Role.REGULATOR)
    report = json.loads(ask(site.registry, f"/v1/complaints/{number}", regulator)[2])
    assert report["content"] is None
    outcome = '{"outcome": "insufficient", "note": "no shop was named"}'
    ask(site.registry, f"/v1/complaints/{number}/outcome", regulator, "POST", body=outcome)
    site.complaints.forget(TODAY + timedelta(days=KEPT_AFTER_DECISION_DAYS + 1))
    stored = site.stored(number)
    assert (stored.note, stored.forgotten_on) == (None, TODAY), "a note that came afterwards goes in its time, too"


def test_what_was_written_is_forgotten_when_its_time_is_over(site: Site) -> None:
    decided, _ = site.hand_in(site.form())
    waiting, _ = site.hand_in(site.form())
    site.settle()
    regulator = a_token(site.register, Role.REGULATOR)
    ask(site.registry, f"/v1/complaints/{decided}/outcome", regulator, "POST", body='{"outcome": "not_confirmed"}')
    site.complaints.forget(TODAY + timedelta(days=KEPT_AFTER_DECISION_DAYS))
    assert site.stored(decided).content is not None
    site.complaints.forget(TODAY + timedelta(days=KEPT_AFTER_DECISION_DAYS + 1))
    assert site.stored(decided).content is None
    assert site.stored(decided).outcome == "not_confirmed"
    assert site.stored(waiting).content is not None
    site.complaints.forget(TODAY + timedelta(days=KEPT_AT_MOST_DAYS + 1))
    assert site.stored(waiting).content is None


def test_a_crash_takes_in_nothing_twice(site: Site) -> None:
    number, _ = site.hand_in(site.form())
    site.settle()
    with transaction(site.register.connection) as cur:
        store.save_position(cur, 0)  # as if the position had not been committed
    site.settle()
    assert site.register.rows("SELECT count(*) FROM complaints WHERE no = %s", number) == [(1,)]
    entries = site.register.rows("SELECT count(*) FROM entries WHERE subject = %s", number)
    assert entries == [(1,)]


def _into(seen: list[str]) -> Callable[[Request], None]:
    return lambda request: seen.append(request.url)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_pages_work_without_script_and_for_everybody(
    site: Site,
    browser: Browser,
    language: str,
    free_ports: Callable[[int], list[int]],
) -> None:
    """In a browser whose script is off, with axe on a second look at the same pages."""
    (port,) = free_ports(1)
    told = {
        "CERTMARK_DATA": str(site.register.settings.data),
        "CERTMARK_DATABASE_URL": site.register.settings.database_url,
        "CERTMARK_TOPIC_PREFIX": "treports",
        "CERTMARK_VERIFY_PORT": str(port),
        "CERTMARK_REPORTS_URL": site.registry,
    }
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--factory", "services.verify.api:create_app"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--blocking-threads", "1"]
    node = subprocess.Popen(command, env=os.environ | told, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    base = f"http://127.0.0.1:{port}"
    try:
        wait_for(base)
        context = browser.new_context(viewport={"width": 360, "height": 640}, java_script_enabled=False)
        page = context.new_page()
        page.goto(f"{base}/report?lang={language}&code=/c/2023990703000117&answer=valid")
        words = {name: text[language] for name, text in REPORT.items()}
        assert page.locator("h1").inner_text() == words["title"]
        assert page.locator("#code").input_value() == "/c/2023990703000117"
        assert not page.locator("input[name=consent]").is_checked()
        page.get_by_role("button", name=words["send"]).click()
        assert words["problem"] in page.locator("main").inner_text()
        page.locator("#product").fill("示范电热水壶")
        page.get_by_label(words["platform"], exact=True).check()
        page.locator("#text").fill("型号不一致")
        page.get_by_role("button", name=words["send"]).click()
        assert page.locator("h1").inner_text() == words["done"]
        number, secret = (one.inner_text() for one in page.locator("dd code").all())
        site.settle()
        page.get_by_role("link", name=words["look_up_state"]).click()
        page.locator("#no").fill(number)
        page.locator("#secret").fill(secret)
        page.get_by_role("button", name=words["show"]).click()
        assert words["open"] in page.locator("dl").inner_text()
        assert secret not in page.url
        assert context.cookies() == []
        context.close()
        for path in ("/report", "/report/state"):
            looked = browser.new_page(viewport={"width": 1280, "height": 900})
            requests: list[str] = []
            looked.on("request", _into(requests))
            looked.goto(f"{base}{path}?lang={language}")
            findings = Axe().run(looked, options=AXE)
            assert findings.violations_count == 0, findings.generate_report()
            assert [url for url in requests if not url.startswith("data:")] == [f"{base}{path}?lang={language}"]
            assert looked.locator("script").count() == 0
            looked.set_viewport_size({"width": 320, "height": 640})
            assert looked.evaluate("document.documentElement.scrollWidth") <= 320
            looked.close()
    finally:
        node.terminate()
        node.wait(20)
