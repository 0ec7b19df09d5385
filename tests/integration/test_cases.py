"""Cases at the desk against a real database: what officers of which division see and do, and what is kept of it."""

import hashlib
import io
import json
import re
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from services.auth import Role
from services.domain.case import Opened
from services.domain.complaints import report_number
from services.domain.identifiers import civil_day
from services.domain.listing_rules import RULE_SET, RULES
from services.embedded import EmbeddedPostgres
from services.events.complaint_record import Complaint, complaint_bytes
from services.events.keys import load_key
from services.events.log import Topics
from services.events.record import open_sealed
from services.postgres import transaction
from services.registry import api, complaints_store, trail
from services.registry.complaints import Complaints
from services.registry.desk import accounts, case_store, restricted
from services.registry.desk.accounts import Account
from services.registry.desk.case_store import Evidence, finding_of
from services.settings import Settings, settings_from
from tests.conftest import a_database
from tests.register import Register

PASSWORD = "a kettle that whistles"
SELLER, OTHER_SELLER = "91310115MAXX09001E", "苏州示范丙实业有限公司"
OFFICERS = {
    "pudong-01": Account("pudong-01", Role.INSPECTOR, "310115"),
    "xuhui-01": Account("xuhui-01", Role.INSPECTOR, "310104"),
    "shanghai-01": Account("shanghai-01", Role.INSPECTOR, "310000"),
    "regulator-01": Account("regulator-01", Role.REGULATOR, None),
    "admin-01": Account("admin-01", Role.ADMINISTRATOR, None),
}


@pytest.fixture(scope="module")
def settings(postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with a_database(postgres_server) as url, pytest.MonkeyPatch.context() as patch:
        environment = {
            "CERTMARK_DATA": str(tmp_path_factory.mktemp("cases") / "data"),
            "CERTMARK_DATABASE_URL": url,
            "CERTMARK_TOPIC_PREFIX": f"t{uuid.uuid4().hex[:12]}",
        }
        for name, value in environment.items():
            patch.setenv(name, value)
        yield settings_from(environment)


@pytest.fixture(scope="module")
def ours(settings: Settings) -> Iterator[Register]:
    with closing(Register.begin(settings)) as register:
        with transaction(register.connection) as cur:
            for one in OFFICERS.values():
                accounts.create(cur, one.name, one.role, one.division, PASSWORD, must_change=False)
        yield register


@pytest.fixture(scope="module")
def app(ours: Register) -> Flask:
    return api.create_app()


@pytest.fixture(scope="module")
def desks(app: Flask) -> dict[str, FlaskClient]:
    """The browsers of all officers, signed in."""
    found = {}
    for name in OFFICERS:
        client = app.test_client()
        page = client.get("/desk/sign-in")
        answer = client.post("/desk/sign-in", data={"form": form_of(page), "name": name, "password": PASSWORD})
        assert answer.status_code == 303
        found[name] = client
    return found


def form_of(page: TestResponse) -> str:
    found = re.search(r'name="form" value="([0-9a-f]{64})"', page.text)
    assert found is not None, page.text
    return found[1]


def evidence() -> list[Evidence]:
    told = {
        "verdict": "lead",
        "rules": ["L08"],
        "claimed": {"model": "KFR-72LW/B9", "maker": "=1+1", "brand": "示范甲"},
        "registered": {"models": ["KFR-35GW/A1", "KFR-50GW/A1"], "scheme": "ccc", "trademark": "示范甲"},
        "note": {"zh": "型号不在证书内", "en": "The model is not on the certificate"},
    }
    listing = {"title": "示范甲 房间空调器 <script>alert(1)</script>", "model": "KFR-72LW/B9"}
    rows = (("M02", SELLER), ("M03", SELLER), ("M05", OTHER_SELLER))
    return [Evidence(f"c1/{row}", seller, "2023990703000117", "abc", listing, told) for row, seller in rows]


def a_case(ours: Register, by: str = "pudong-01", due_in: int = 7) -> str:
    officer, now = OFFICERS[by], datetime.now(UTC)
    day = civil_day(now)
    with transaction(ours.connection) as cur:
        division = officer.division or "310115"
        case_no = case_store.next_number(cur, division, day.year)
        found = evidence()
        opened = Opened(
            case_no, "空调标志线索", division, day, tuple(finding_of(e) for e in found), day + timedelta(days=due_in)
        )
        case_store.open_case(cur, officer, opened, found, now)
    return case_no


def do(client: FlaskClient, case_no: str, act: str, **fields: str) -> TestResponse:
    page = client.get(f"/desk/cases/{case_no}")
    return client.post(f"/desk/cases/{case_no}/do/{act}", data={"form": form_of(page)} | fields)


def shown(client: FlaskClient, path: str, status: int = 200) -> str:
    page = client.get(path, headers={"Accept-Language": "zh"})
    assert page.status_code == status, page.text
    return page.text


def test_a_case_is_seen_by_its_district_its_city_and_regulators_alone(
    desks: dict[str, FlaskClient], ours: Register
) -> None:
    case_no = a_case(ours)
    for name, seen in (("pudong-01", True), ("shanghai-01", True), ("regulator-01", True), ("xuhui-01", False)):
        shown(desks[name], f"/desk/cases/{case_no}", 200 if seen else 404)
        assert (case_no in shown(desks[name], "/desk/cases")) is seen
    assert desks["admin-01"].get(f"/desk/cases/{case_no}").status_code == 403
    page = desks["xuhui-01"].get("/desk/cases")
    forged = desks["xuhui-01"].post(
        f"/desk/cases/{case_no}/do/done", data={"form": form_of(page), "step": "monitoring", "result": "x"}
    )
    assert forged.status_code == 404


def test_from_leads_to_a_published_result(desks: dict[str, FlaskClient], ours: Register) -> None:
    """The whole way of a case, as an officer goes it by the pages' forms."""
    case_no, desk = a_case(ours), desks["pudong-01"]
    today, ahead = civil_day(datetime.now(UTC)).isoformat(), (civil_day(datetime.now(UTC)) + timedelta(5)).isoformat()
    too_early = do(desk, case_no, "decide", finding="c1/M02", decision="confirmed", note="型号不在证书内")
    assert too_early.status_code == 409
    assert "卖家陈述之后" in unescape(too_early.text)

    assert do(desk, case_no, "ask", seller=SELLER, due_on=ahead).status_code == 303
    assert do(desk, case_no, "lapse", seller=SELLER).status_code == 409
    assert do(desk, case_no, "hear", seller=SELLER, on=today, summary="系统填错型号").status_code == 303
    decided = do(
        desk, case_no, "decide", finding="c1/M02", decision="confirmed", note="不符", next="c1/M03", onward="1"
    )
    assert decided.location.endswith(f"/desk/cases/{case_no}/findings/c1/M03")
    assert do(desk, case_no, "decide", finding="c1/M03", decision="excluded", note="已更正").status_code == 303
    assert do(desk, case_no, "decide", finding="c1/M05", decision="excluded", note="已更正").status_code == 303

    assert do(desk, case_no, "done", step="monitoring", result="确认线索").status_code == 303
    assert do(desk, case_no, "skip", step="sampling", reason="无需检验").status_code == 303
    assert do(desk, case_no, "begin", step="tracing", division="310115", due_on=ahead).status_code == 303
    assert do(
        desk, case_no, "order", order_no="沪浦责〔2026〕1号", body="CNCA-R-2019-7901",
        certificate_no="2023990703000117", demand="核实型号", due_on=ahead,
    ).status_code == 303  # fmt: skip
    assert do(desk, case_no, "refer", to_division="310104", receipt_no="YS-1", reason="卖家住所地").status_code == 303
    acknowledged = do(desks["shanghai-01"], case_no, "acknowledge", receipt_no="YS-1")
    assert acknowledged.status_code == 303
    shown(desk, f"/desk/cases/{case_no}", 404)  # it is another district's now

    desk = desks["xuhui-01"]
    assert do(desk, case_no, "done", step="tracing", result="已找到生产者").status_code == 303
    for step in ("handling", "credit"):
        assert do(desk, case_no, "begin", step=step, division="310104", due_on=ahead).status_code == 303
        assert do(desk, case_no, "done", step=step, result="完成").status_code == 303
    assert do(desk, case_no, "close", result="责令改正").status_code == 409  # the order waits for its answer
    order = "沪浦责〔2026〕1号"
    assert do(desk, case_no, "answer", order_no=order, on=today, answer="该型号未获证").status_code == 303
    assert do(desk, case_no, "join", complaint_no="T-1").status_code == 303
    assert do(desk, case_no, "close", result="责令改正").status_code == 303
    assert do(desk, case_no, "join", complaint_no="T-2").status_code == 409
    assert do(desk, case_no, "publish").status_code == 303
    assert case_no in shown(desk, "/desk/cases?which=closed")
    with transaction(ours.connection) as cur:
        case = case_store.case_of(cur, OFFICERS["regulator-01"], case_no)
        lines = trail.lines(cur, about=f"case/{case_no}")
        assert trail.check(cur) is None
    assert case.published_on is not None
    assert [line.act for line in lines][:3] == ["published", "closed", "complaint-joined"]


def test_an_overdue_step_is_told_and_the_city_called(desks: dict[str, FlaskClient], ours: Register) -> None:
    case_no = a_case(ours, due_in=-1)
    page = unescape(shown(desks["pudong-01"], f"/desk/cases/{case_no}"))
    assert "上级区划 310000 同时督办" in page
    assert "年的工作日历：建议的期限按周一至周五计算" in page, "none is published here"
    assert case_no in shown(desks["shanghai-01"], "/desk/cases?which=late")
    fresh = a_case(ours)
    assert fresh not in shown(desks["shanghai-01"], "/desk/cases?which=late")


def test_a_finding_shows_claimed_beside_registered_and_nothing_of_it_runs(
    desks: dict[str, FlaskClient], ours: Register
) -> None:
    case_no = a_case(ours)
    page = shown(desks["pudong-01"], f"/desk/cases/{case_no}/findings/c1/M02")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    text = unescape(page)
    assert "KFR-72LW/B9" in text
    assert "KFR-35GW/A1、KFR-50GW/A1" in text
    assert text.count("不一致") == 1  # of the models alone: the brand agrees, and nobody is registered as maker
    assert "型号不在证书内" in text
    assert "L08" in text
    shown(desks["pudong-01"], f"/desk/cases/{case_no}/findings/c1/M99", 404)


def test_the_rules_are_shown_with_the_clause_of_today(desks: dict[str, FlaskClient], ours: Register) -> None:
    page = unescape(shown(desks["pudong-01"], "/desk/rules"))
    assert all(f'id="{rule.id}"' in page and rule.words["zh"] in page for rule in RULES)
    assert RULE_SET in page
    assert desks["admin-01"].get("/desk/rules").status_code == 403


@pytest.mark.parametrize("by", ["seller", "certificate", "image"])
def test_findings_are_grouped_and_sieved(desks: dict[str, FlaskClient], ours: Register, by: str) -> None:
    case_no = a_case(ours)
    do(desks["pudong-01"], case_no, "decide", finding="c1/M02", decision="excluded", note="已更正")
    page = unescape(shown(desks["pudong-01"], f"/desk/cases/{case_no}?by={by}"))
    groups = {"seller": [SELLER, OTHER_SELLER], "certificate": ["2023990703000117"], "image": ["abc"]}[by]
    for group in groups:
        assert re.search(rf"<h3>[^\n]*{group}", page)
    sieved = shown(desks["pudong-01"], f"/desk/cases/{case_no}?by={by}&show=excluded")
    assert "findings/c1/M02" in sieved
    assert '/findings/c1/M05">M05' not in sieved


CAPTURE = {
    "kind": "screenshot",
    "url": "https://shop.example/m02",
    "taken_at": "2026-11-01T10:15",
    "clock": "与国家授时中心核对，误差小于 1 秒",
    "tool": "Firefox 145 / Debian 12",
    "officers": "310115-0042, 310115-0051",
}


def hand_in(client: FlaskClient, case_no: str, content: bytes, **fields: str) -> TestResponse:
    page = client.get(f"/desk/cases/{case_no}")
    data: dict[str, Any] = {"form": form_of(page), "file": (io.BytesIO(content), "页面 截图.png")} | CAPTURE | fields
    return client.post(f"/desk/cases/{case_no}/captures", data=data, content_type="multipart/form-data")


def test_a_capture_is_kept_as_it_came_and_a_changed_one_is_none(
    desks: dict[str, FlaskClient], ours: Register, settings: Settings
) -> None:
    case_no, desk, content = a_case(ours), desks["pudong-01"], uuid.uuid4().bytes * 100
    assert hand_in(desk, case_no, content).status_code == 303
    (path,) = re.findall(rf"/desk/cases/{case_no}/captures/[0-9a-f-]{{36}}", shown(desk, f"/desk/cases/{case_no}"))
    kept = desk.get(path)
    assert kept.data == content
    assert kept.headers["Content-Disposition"].startswith("attachment")
    assert kept.headers["Content-Type"] == "application/octet-stream"
    assert desks["xuhui-01"].get(path).status_code == 404
    (file,) = [f for f in (settings.data / "desk" / "captures").iterdir() if f.read_bytes() == content]
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_bytes(content + b"!")
    assert desk.get(path).status_code == 404


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "javascript:alert(1)"},
        {"url": ""},
        {"taken_at": "yesterday"},
        {"taken_at": "2999-01-01T00:00"},
        {"clock": ""},
        {"officers": ""},
        {"kind": "drawing"},
        {"tool": "x" * 501},
    ],
    ids=str,
)
def test_a_capture_without_what_has_to_be_recorded_is_refused(
    desks: dict[str, FlaskClient], ours: Register, fields: dict[str, str]
) -> None:
    case_no = a_case(ours)
    assert hand_in(desks["pudong-01"], case_no, b"x", **fields).status_code == 400
    assert "/captures/" not in shown(desks["pudong-01"], f"/desk/cases/{case_no}")


def test_an_empty_file_is_no_capture(desks: dict[str, FlaskClient], ours: Register) -> None:
    assert hand_in(desks["pudong-01"], a_case(ours), b"").status_code == 400


@pytest.mark.parametrize(
    ("act", "fields"),
    [
        ("ask", {"seller": SELLER, "due_on": "soon"}),
        ("ask", {"seller": "", "due_on": "2026-11-02"}),
        ("decide", {"finding": "c1/M02", "decision": "perhaps", "note": "x"}),
        ("done", {"step": "lunch", "result": "x"}),
        ("refer", {"to_division": "shanghai", "receipt_no": "1", "reason": "x"}),
        ("close", {"result": "x" * 2001}),
        ("hear", {"seller": SELLER, "on": "2999-01-01", "summary": "x"}),
    ],
    ids=str,
)
def test_a_form_that_makes_no_sense_is_explained(
    desks: dict[str, FlaskClient], ours: Register, act: str, fields: dict[str, str]
) -> None:
    assert do(desks["pudong-01"], a_case(ours), act, **fields).status_code == 400
    assert do(desks["pudong-01"], a_case(ours), "dance").status_code == 404


def test_a_case_and_a_receipt_as_workbooks_hold_text_alone(desks: dict[str, FlaskClient], ours: Register) -> None:
    case_no, desk = a_case(ours), desks["pudong-01"]
    do(desk, case_no, "decide", finding="c1/M02", decision="excluded", note='=HYPERLINK("https://evil.example")')
    do(desk, case_no, "refer", to_division="310104", receipt_no="YS-9", reason="@SUM(1)")
    book = openpyxl.load_workbook(io.BytesIO(desk.get(f"/desk/cases/{case_no}/case.xlsx").data))
    assert len(book.worksheets) == 3
    cells = [cell for sheet in book.worksheets for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert all(cell.data_type in ("s", "inlineStr") and cell.hyperlink is None for cell in cells)
    assert any(str(cell.value).startswith("=HYPERLINK") for cell in cells)
    receipt = openpyxl.load_workbook(io.BytesIO(desk.get(f"/desk/cases/{case_no}/receipts/YS-9.xlsx").data))
    values = {str(row[0].value): row[1].value for row in receipt.worksheets[0].iter_rows()}
    assert "@SUM(1)" in values.values()
    assert case_no in values.values()
    assert desk.get(f"/desk/cases/{case_no}/receipts/YS-8.xlsx").status_code == 404


def test_two_officers_at_once_both_leave_their_deeds(desks: dict[str, FlaskClient], ours: Register) -> None:
    case_no = a_case(ours)
    do(desks["pudong-01"], case_no, "decide", finding="c1/M02", decision="excluded", note="一")
    do(desks["shanghai-01"], case_no, "decide", finding="c1/M03", decision="excluded", note="二")
    with transaction(ours.connection) as cur:
        deeds = case_store.deeds_of(cur, case_no)
    assert [(one.number, one.account) for one in deeds] == [(1, "pudong-01"), (2, "pudong-01"), (3, "shanghai-01")]


def settled(ours: Register) -> None:
    """The worker enters what waits for its entry."""
    for _ in range(5):
        ours.worker.commitments_due = 0.0
        ours.worker.step()


def test_each_deed_joins_the_log_as_a_salted_hash_and_a_published_result_opens_its_own(
    desks: dict[str, FlaskClient], ours: Register, app: Flask
) -> None:
    case_no, desk = a_case(ours), desks["pudong-01"]
    for row in ("M02", "M03", "M05"):
        do(desk, case_no, "decide", finding=f"c1/{row}", decision="excluded", note="已更正")
    do(desk, case_no, "done", step="monitoring", result="核实")
    for step in ("sampling", "tracing", "handling", "credit"):
        do(desk, case_no, "skip", step=step, reason="无需")
    public = app.test_client()
    assert do(desk, case_no, "close", result="已更正，不予立案").status_code == 303
    assert public.get(f"/v1/cases/{case_no}/opening").status_code == 404  # not before it is published
    assert do(desk, case_no, "publish").status_code == 303
    settled(ours)
    with transaction(ours.connection) as cur:
        cur.execute(
            "SELECT d.commitment, d.record, e.kind, e.subject, e.digest, e.leaf FROM case_deeds d"
            " LEFT JOIN entries e USING (seq) WHERE case_no = %s ORDER BY number",
            (case_no,),
        )
        rows = cur.fetchall()
    assert len(rows) == 11
    for commitment, record, kind, subject, digest, leaf in rows:
        assert (kind, subject, digest) == ("commitment", "cases", commitment)
        assert hashlib.sha256(b"certmark-case/v1\n" + record.encode()).hexdigest() == digest
        assert case_no not in leaf
    opened = public.get(f"/v1/cases/{case_no}/opening").get_json()["items"]
    assert [json.loads(one["record"])["deed"]["kind"] for one in opened] == ["closed", "published"]
    assert SELLER not in json.dumps(opened, ensure_ascii=False)
    with transaction(ours.connection) as cur:
        for one in opened:
            cur.execute("SELECT digest FROM entries WHERE seq = %s", (one["seq"],))
            entry = cur.fetchone()
            assert entry is not None
            assert entry[0] == hashlib.sha256(b"certmark-case/v1\n" + one["record"].encode()).hexdigest()


def test_deeds_lie_sealed_in_the_restricted_topic_once(desks: dict[str, FlaskClient], ours: Register) -> None:
    case_no = a_case(ours)
    do(desks["pudong-01"], case_no, "decide", finding="c1/M02", decision="excluded", note="已更正")
    topic = Topics.under(ours.settings.topic_prefix).restricted
    with closing(Complaints(ours.settings)) as process:
        while process.publish():
            pass
        assert process.publish() == 0
        while process.step(0.0):
            pass  # what it has put in itself it passes over
    first, end = ours.log.bounds(topic)
    records = [record for record in ours.log.read(topic, first, end - first) if record.key == f"case/{case_no}"]
    assert len(records) == 2
    key = load_key(ours.settings.seal_key)
    for number, record in enumerate(records, 1):
        sealed = open_sealed(record.value, restricted.TYP)
        key.public.verify(sealed.seal, sealed.signing_input)
        told = json.loads(sealed.payload)
        assert (told["case_no"], told["number"]) == (case_no, number)


def test_the_trail_joins_the_log_and_who_rewrites_all_of_it_is_caught(
    desks: dict[str, FlaskClient], ours: Register
) -> None:
    a_case(ours)
    settled(ours)
    with transaction(ours.connection) as cur:
        assert trail.first_forged(cur) is None
        cur.execute("SELECT count(*) FROM trail_heads WHERE seq IS NOT NULL")
        row = cur.fetchone()
        assert row is not None
        assert row[0] >= 1
        # Somebody rewrites the first line, and every digest after it, in the database.
        cur.execute("SELECT number FROM trail ORDER BY number")
        found = list(reversed(trail.lines(cur, limit=100_000)))
        previous = trail.FIRST
        for line in found:
            changed = replace(line, account="somebody" if line.number == 1 else line.account, previous=previous)
            previous = changed.digest_due()
            cur.execute(
                "UPDATE trail SET account = %s, previous = %s, digest = %s WHERE number = %s",
                (changed.account, changed.previous, previous, changed.number),
            )
        assert trail.check(cur) is None  # the chain by itself holds …
        assert trail.first_forged(cur) == 1  # … and does not agree with the log
        for line in found:
            cur.execute(
                "UPDATE trail SET account = %s, previous = %s, digest = %s WHERE number = %s",
                (line.account, line.previous, line.digest, line.number),
            )
        assert trail.first_forged(cur) is None


# --- consumers' reports ------------------------------------------------------------------------------------------


def a_report(ours: Register, region: str = "310115") -> str:
    now = datetime.now(UTC)
    no = report_number(civil_day(now), uuid.uuid4().bytes[:5])
    complaint = Complaint(
        no, "0" * 64, "1" * 32, now, civil_day(now), "电热水壶", "/c/2023990703000117", "valid",
        "shop", "人民路小店", None, region, "店主张三说是真的", "13800000000",
    )  # fmt: skip
    content = complaint_bytes(complaint)
    with transaction(ours.connection) as cur:
        assert complaints_store.save(cur, complaint, content, region)
    return no


def test_a_report_is_seen_decided_and_joined_by_its_own_territory_alone(
    desks: dict[str, FlaskClient], ours: Register
) -> None:
    no, case_no = a_report(ours), a_case(ours)
    desk = desks["pudong-01"]
    page = unescape(shown(desk, f"/desk/reports/{no}"))
    assert "店主张三说是真的" in page
    assert no in shown(desks["shanghai-01"], "/desk/reports")
    assert no not in shown(desks["xuhui-01"], "/desk/reports")
    shown(desks["xuhui-01"], f"/desk/reports/{no}", 404)
    assert desks["admin-01"].get("/desk/reports").status_code == 403

    def post(path: str, **fields: str) -> TestResponse:
        form = form_of(desk.get(f"/desk/reports/{no}"))
        return desk.post(f"/desk/reports/{no}/{path}", data={"form": form} | fields)

    assert post("case", case_no="310115-2026-99999").status_code == 404
    assert post("case", case_no=case_no).status_code == 303
    assert no in shown(desk, f"/desk/cases/{case_no}")
    assert case_no in shown(desk, f"/desk/reports/{no}")
    assert post("outcome", outcome="perhaps").status_code == 400
    assert post("outcome", outcome="confirmed", note="已责令改正").status_code == 303
    assert post("outcome", outcome="not_confirmed").status_code == 409
    assert no not in shown(desk, "/desk/reports")
    assert no in shown(desk, "/desk/reports?which=all")
    with transaction(ours.connection) as cur:
        lines = trail.lines(cur, about=f"report/{no}")
    assert [(line.account, line.act) for line in lines] == [("pudong-01", "report-decided")]
    assert "张三" not in json.dumps([dict(line.detail) for line in lines], ensure_ascii=False)


def test_nothing_of_a_case_is_in_a_public_answer(app: Flask, ours: Register) -> None:
    case_no = a_case(ours)
    stranger = app.test_client()
    assert stranger.get(f"/desk/cases/{case_no}").status_code == 303
    for path in ("/v1/feed", "/openapi.json", "/v1/certificates/2023990703000117/history"):
        assert case_no not in stranger.get(path).text
    assert not Path(api.__file__).with_name("cases").exists()
