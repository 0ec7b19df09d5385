"""The console in a real browser on the whole system: from signing in to the mended sheet, by keyboard, at any width."""

import csv
import io
import json
import os
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.rooms import a_page, look
from tests.system import CERTMARK, System, get, get_json, wait_for

BODY = "CNCA-R-2019-7901"
HOME = f"/console/body/{BODY}"
TODAY = (datetime.now(UTC) + timedelta(hours=8)).date()
WRONG = "2023990703000117"
PASSED_ON = "2025990701000062"

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def token(system: System, name: str) -> str:
    return (system.data / "keys" / f"{name}.token").read_text(encoding="ascii").strip()


def sign_in(page: Page, system: System, name: str = BODY, language: str = "zh") -> None:
    """By the keyboard alone."""
    page.goto(f"{system.registry}/console/?lang={language}")
    while page.evaluate("document.activeElement.id") != "token":
        page.keyboard.press("Tab")
    page.keyboard.type(token(system, name))
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/inbox|/sources"))


@pytest.fixture
def page(browser: Browser, system: System) -> Iterator[Page]:
    found = a_page(browser, system)
    sign_in(found, system)
    yield found
    found.context.close()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_page_can_be_used_by_everybody(browser: Browser, system: System, language: str) -> None:
    page = a_page(browser, system)
    page.goto(f"{system.registry}/console/sign-in?lang={language}")
    look(page)
    sign_in(page, system, language=language)
    for name in ("inbox", "inbox?which=all", "upload", "submissions", "certificates", "overdue", "keys"):
        page.goto(f"{system.registry}{HOME}/{name}{'&' if '?' in name else '?'}lang={language}")
        assert page.locator("html").get_attribute("lang") == {"zh": "zh-CN", "en": "en"}[language]
        look(page)
    page.goto(f"{system.registry}{HOME}/certificates/{WRONG}?lang={language}")
    look(page)
    page.goto(f"{system.registry}{HOME}/nothing?lang={language}")
    page.context.close()
    page = a_page(browser, system)
    sign_in(page, system, "regulator", language)
    look(page)
    page.context.close()


def test_the_oldest_refusal_is_found_and_understood(page: Page, system: System) -> None:
    expect(page.get_by_role("img", name=re.compile("事件处理结果"))).to_be_visible()
    oldest = page.locator(".first")
    for told in ("unknown-reason", "原因代码不是", "The reason code", "/data/reason", '"R07"', WRONG):
        expect(oldest).to_contain_text(told)
    oldest.get_by_role("link", name="详情").click()
    expect(page.locator("pre")).to_contain_text('"reason": "R07"')
    look(page)
    page.get_by_role("link", name="事件 JSON").click()
    said = json.loads(page.locator("body").inner_text())
    assert said["subject"] == WRONG
    page.goto(f"{system.registry}{HOME}/inbox")
    page.get_by_role("link", name="English").click()
    expect(page.locator("h1")).to_have_text("Inbox")
    page.get_by_label("Which").select_option("accepted")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator(".card.accepted").first).to_be_visible()


HEADINGS = "证书编号,认证制度,认证依据,获证组织名称,统一社会信用代码,获证组织地址,产品名称,产品类别代码,商标,规格型号,"
HEADINGS += "认证模式,生产者名称,生产企业名称,发证日期,有效期起,有效期至,批准人编号"


def a_row(number: str, uscc: str = "91310115MAXX001114", **but: str) -> dict[str, str]:
    until = TODAY.replace(year=TODAY.year + 4).isoformat()
    values = [number, "ccc", "GB 4706.32-2012", "示范电器有限公司", uscc, "示范路1号", "房间空调器", "0703", "示范"]
    values += [
        "KFR-1",
        "型式试验",
        "示范电器有限公司",
        "示范电器有限公司",
        TODAY.isoformat(),
        TODAY.isoformat(),
        until,
        "7901-0007",
    ]
    return dict(zip(HEADINGS.split(","), values, strict=True)) | but


def write_sheet(path: Path, rows: list[dict[str, str]], headings: list[str] | None = None) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, headings or HEADINGS.split(","))
        writer.writeheader()
        writer.writerows(rows)


def run_as_shown(system: System, page: Page, command: str, folder: Path) -> str:
    """A command of the page, pasted into a terminal whose settings name this register and the body's keys."""
    environment = system.environment | {"PATH": f"{CERTMARK.parent}:{os.environ['PATH']}"}
    shell = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", command], env=environment, cwd=folder, capture_output=True, check=False
    )
    assert shell.returncode == 0, (command, shell.stdout.decode(), shell.stderr.decode())
    return shell.stdout.decode()


def test_a_sheet_is_checked_mended_and_reported(page: Page, system: System, tmp_path: Path) -> None:
    good, bad, bare = "2026990703700001", "2026990703700002", "2026990703700003"
    sheet = tmp_path / "新证书.csv"
    write_sheet(sheet, [a_row(good), a_row(bad, "91310115MAXX001115"), a_row(WRONG), a_row(bare, 商标="")])
    page.get_by_role("link", name="上传").click()
    page.get_by_label("文件").first.set_input_files(sheet)
    page.get_by_role("button", name="检查").click()
    expect(page.get_by_role("heading", name="结果")).to_be_visible(timeout=30_000)
    expect(page.locator("progress")).to_have_count(0, timeout=30_000)
    found = page.locator("main dl")
    expect(found).to_contain_text(re.compile(r"可以报送\s*1\s*有错\s*3"))
    row = page.get_by_role("row").filter(has_text=bad)
    expect(row).to_contain_text("bad-credit-code")
    expect(page.get_by_role("row").filter(has_text=WRONG)).to_contain_text("number-taken")
    expect(page.get_by_role("row").filter(has_text=bare)).to_contain_text("missing-field")
    page.get_by_role("row").filter(has_text=good).get_by_text("将报送的内容").click()
    expect(page.get_by_text(f'"subject": "{good}"')).to_be_visible()
    look(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="下载修正文件").click()
    fix = tmp_path / "从工作台下载.csv"
    download.value.save_as(fix)
    assert download.value.suggested_filename == "新证书-fix.csv"
    command = page.locator("pre").filter(has_text="新证书.csv").inner_text()

    run_as_shown(system, page, f"{command} || true", tmp_path)
    rows = list(csv.DictReader(io.StringIO(fix.read_text(encoding="utf-8-sig"))))
    assert [row["证书编号"] for row in rows] == [bad, WRONG, bare]
    rows[0]["统一社会信用代码"] = "91310115MAXX001114"
    mended = tmp_path / "改好.csv"
    write_sheet(mended, rows[:1], list(rows[0]))
    page.get_by_role("link", name="上传").click()
    page.get_by_label("文件").first.set_input_files(mended)
    page.get_by_role("button", name="检查").click()
    expect(page.get_by_text("每一行都可以报送")).to_be_visible(timeout=30_000)
    assert get(f"{system.registry}/v1/certificates/{bad}")[0] == 404, "checking reports nothing"
    run_as_shown(system, page, page.locator("pre").filter(has_text="改好.csv").first.inner_text(), tmp_path)

    for number in (good, bad):
        wait_for(lambda n=number: get_json(f"{system.verify}/v1/verify?q={n}")["code"] == "valid", 30)  # type: ignore[misc]
    page.get_by_role("link", name="证书", exact=True).click()
    page.get_by_label("证书编号").fill(bad[:14])
    page.get_by_role("button", name="查找").click()
    row = page.get_by_role("row").filter(has_text=bad)
    expect(row).to_contain_text("valid")
    answer = get_json(f"{system.verify}/v1/verify?q={bad}")
    expect(row).to_contain_text(answer["title"]["zh"])
    link = row.get_by_role("link", name=re.compile("公开页面")).get_attribute("href")
    assert link is not None
    assert answer["title"]["zh"] in get(link, "text/html")[1]


def test_signed_events_are_passed_on_and_what_is_refused_comes_back_as_drafts(
    page: Page, system: System, tmp_path: Path
) -> None:
    words = ("certificate.suspended", PASSED_ON, "until=+60d")
    wrong = system.certmark("sign", "--as", BODY, *words, "reason=R07").strip()
    stranger = system.certmark("sign", "--as", "regulator", "body.suspended", BODY, "instrument=x").strip()
    (tmp_path / "events.ndjson").write_text(f"{wrong}\nnot an event\n{stranger}\n", encoding="utf-8")
    page.get_by_role("link", name="上传").click()
    page.get_by_label("文件").last.set_input_files(tmp_path / "events.ndjson")
    page.get_by_role("button", name="转交").click()
    for code in ("unknown-reason", "not-an-envelope", "not-this-source"):
        expect(page.locator("table")).to_contain_text(code, timeout=30_000)
    look(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="草稿").click()
    drafts = [json.loads(line) for line in Path(download.value.path()).read_text(encoding="utf-8").splitlines()]
    assert [draft["subject"] for draft in drafts] == [PASSED_ON]
    drafts[0]["data"]["reason"] = "S03"
    (tmp_path / "fix.ndjson").write_text(json.dumps(drafts[0]), encoding="utf-8")
    command = page.locator("pre").filter(has_text="fix.ndjson").inner_text()
    assert "1 已接受 accepted" in run_as_shown(system, page, command, tmp_path)


def test_a_key_is_changed_by_the_commands_that_the_page_shows(page: Page, system: System, tmp_path: Path) -> None:
    page.get_by_role("link", name="密钥").click()
    old = page.locator("tbody tr").count()
    printed = run_as_shown(system, page, page.locator("pre").inner_text(), tmp_path)
    assert printed.count("1 已接受 accepted") == 2
    page.reload()
    expect(page.locator("tbody tr")).to_have_count(old + 1)
    expect(page.locator("tbody")).to_contain_text("即将到期")
    expect(page.get_by_role("alert")).to_have_count(0)
    look(page)


def test_a_regulator_looks_and_cannot_act(browser: Browser, system: System) -> None:
    page = a_page(browser, system)
    sign_in(page, system, "regulator")
    page.get_by_role("row").filter(has_text=BODY).get_by_role("link").click()
    expect(page.locator("h1")).to_have_text("收件箱")
    expect(page.get_by_role("button", name="标为已处理")).to_have_count(0)
    expect(page.get_by_role("link", name="上传")).to_have_count(0)
    page.get_by_role("button", name="退出").click()
    expect(page.locator("h1")).to_have_text("登录工作台")
    page.go_back()
    expect(page.locator("h1")).to_have_text("登录工作台")
    page.context.close()
