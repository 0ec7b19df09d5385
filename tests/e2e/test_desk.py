"""The inspectors' desk in a real browser on the whole system: from an upload to a bundle that holds without it."""

import os
import re
import subprocess
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from tests import checked
from tests.large_sheet import a_sheet
from tests.rooms import a_page, look
from tests.system import CERTMARK, System, wait_for

SHEET: FilePayload = {"name": "listings.csv", "mimeType": "text/csv", "buffer": checked.SHEET}
ROWS = 100_000
PAGE = 50
"""Findings on one page."""

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def sign_in(page: Page, system: System, name: str, language: str = "zh") -> None:
    """By the keyboard alone."""
    password = (system.data / "keys" / f"{name}.password").read_text(encoding="ascii").strip()
    page.goto(f"{system.registry}/desk/?lang={language}")
    while page.evaluate("document.activeElement.id") != "name":
        page.keyboard.press("Tab")
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/desk/(checks|accounts)"))


def holds_elsewhere(bundle: Path, system: System, folder: Path) -> None:
    """A machine that knows nothing but the register's first digest checks the bundle, and a changed one."""
    genesis = (system.data / "genesis").read_text(encoding="ascii").strip()
    alone = {name: value for name, value in os.environ.items() if not name.startswith("CERTMARK_")}
    alone["CERTMARK_DATA"] = str(folder / "nothing")
    whole, changed = folder / "bundle.zip", folder / "changed.zip"
    whole.write_bytes(bundle.read_bytes())
    with zipfile.ZipFile(whole) as packed, zipfile.ZipFile(changed, "w") as other:
        assert "report.pdf" in packed.namelist()
        for name in packed.namelist():
            content = packed.read(name)
            other.writestr(name, content.replace(b'"M02"', b'"M99"') if name == "findings.jsonl" else content)
    for file, code in ((whole, 0), (changed, 1)):
        done = subprocess.run(
            [CERTMARK, "verify", "--bundle", str(file), "--genesis", genesis],
            env=alone,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr


def test_from_an_upload_to_a_bundle_and_a_case(browser: Browser, system: System, tmp_path: Path) -> None:
    page = a_page(browser, system)
    sign_in(page, system, "pudong-01")
    look(page)
    page.get_by_role("link", name="新建核查").click()
    look(page)
    page.get_by_label("商品信息文件").set_input_files(SHEET)
    page.get_by_label("平台（可不填）").fill("示范商城")
    page.get_by_role("button", name="下一步").click()
    expect(page.locator("h1")).to_have_text("核对各列含义")
    assert page.locator("tbody tr").count() == 20
    look(page)
    page.get_by_role("button", name="开始核查").click()
    expect(page.get_by_text("已完成")).to_be_visible(timeout=30_000)  # the page loads itself anew until then
    look(page)
    expect(page.get_by_role("img", name=re.compile("核查结果"))).to_be_visible()

    check = page.url
    with page.expect_download(timeout=90_000) as bundle:  # the page comes back for it until it is made
        page.get_by_role("link", name="下载证据包").click()
    holds_elsewhere(Path(bundle.value.path()), system, tmp_path)
    page.goto(check)

    page.get_by_label("规则").select_option("L08")
    page.get_by_role("button", name="显示").click()
    for row in ("M02", "M27"):
        page.get_by_label(f"行号 {row}").check()
    page.get_by_label("案由").fill("型号超出证书")
    page.get_by_role("button", name="立案").click()
    expect(page.locator("h1")).to_contain_text("型号超出证书")
    look(page)

    page.get_by_role("link", name="下一条待核").first.click()
    look(page)
    expect(page.locator("tr.differs")).to_have_count(1)
    expect(page.locator("tr.differs")).to_contain_text("KFR-72LW/B9")
    page.get_by_label("属实").check()
    page.get_by_label("说明理由").fill("型号不在证书内")
    page.get_by_role("button", name="记录认定").click()
    expect(page.get_by_role("alert")).to_contain_text("案件当前状态不允许该操作")  # the seller was not heard
    page.get_by_role("link", name="下一条待核").first.click()
    page.get_by_label("排除").check()
    page.get_by_label("说明理由").fill("卖家已更正页面")
    page.get_by_role("button", name="记录并看下一条待核").click()
    expect(page.locator("h1")).to_contain_text("M27")

    with page.expect_download() as download:
        page.goto(page.url.split("/findings/")[0])
        page.get_by_role("link", name="导出 XLSX").click()
    assert Path(download.value.path()).read_bytes()[:2] == b"PK"
    page.get_by_role("button", name="退出").click()
    expect(page.get_by_text("已退出。")).to_be_visible()
    page.context.close()


def test_a_watched_check_tells_what_has_changed(browser: Browser, system: System) -> None:
    page, number, other = a_page(browser, system), "2024990707000999", "2023990707000871"
    sign_in(page, system, "shanghai-01")
    page.goto(f"{system.registry}/desk/checks/new")
    page.get_by_label("或粘贴").fill(f"行号\t标题\t证书编号\n甲\t加热器\t{number}\n乙\t插座\t{other}\n")
    page.get_by_role("button", name="下一步").click()
    page.get_by_role("button", name="开始核查").click()
    expect(page.get_by_text("已完成")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="观察 90 天").click()
    expect(page.get_by_role("button", name="停止观察")).to_be_visible()
    check = page.url
    said = ("certificate.suspended", number, "reason=S03", "until=+60d")
    system.certmark("publish", "--wait", given=system.certmark("sign", "--as", "CNCA-R-2019-7901", *said).encode())

    def told() -> bool:
        page.goto(f"{system.registry}/desk/changes")
        return page.locator("tbody tr", has_text=number).count() > 0

    wait_for(told, 60, lambda: page.content())
    expect(page.get_by_role("cell", name=other)).to_have_count(0)
    look(page)
    page.get_by_role("link", name=re.compile("查看全部 1 处变化")).click()
    expect(page.get_by_role("rowheader", name="甲")).to_be_visible()
    look(page)
    page.goto(check)
    expect(page.get_by_text("已告知 1 处变化")).to_be_visible()
    look(page)
    page.get_by_role("button", name="重新核查变化部分").click()
    expect(page.get_by_text("已完成")).to_be_visible(timeout=30_000)
    expect(page.get_by_role("rowheader", name="甲")).to_be_visible()
    page.context.close()


def test_a_hundred_thousand_rows_show_how_far_they_are_and_what_was_found(
    browser: Browser, system: System, tmp_path: Path
) -> None:
    sheet = tmp_path / "listings.xlsx"
    wrong = a_sheet(sheet, ROWS)
    page = a_page(browser, system)
    sign_in(page, system, "pudong-01")
    page.goto(f"{system.registry}/desk/checks/new?lang=zh")
    page.get_by_label("商品信息文件").set_input_files(sheet)
    page.get_by_role("button", name="下一步").click()
    expect(page.locator("h1")).to_have_text("核对各列含义")
    assert page.locator("tbody tr").count() == 20
    page.get_by_role("button", name="开始核查").click()

    page.wait_for_url(re.compile("/desk/checks/[^/?]+([?]|$)"))
    check = f"{page.url.partition('?')[0]}?lang=zh&still=1"

    done = []
    while page.goto(check) and page.get_by_text("已完成").count() == 0:
        state = page.get_by_role("definition").first.inner_text()
        assert page.get_by_role("progressbar").count() == 1, state
        assert re.match(r"\d+ % – ", page.title()), "what a screen reader says first"
        said = re.search(r"· ([\d,]+)", state)
        assert said, state
        done.append(int(said[1].replace(",", "")))
        page.wait_for_timeout(200)
    assert done == sorted(done)
    assert any(0 < n < ROWS for n in done), f"nothing was shown before the end: {done}"
    told = page.get_by_role("definition").first.inner_text()
    assert f"{ROWS:,} / {ROWS:,}" in told, told

    leads = page.get_by_role("row").filter(has=page.get_by_role("link", name="线索")).first
    assert leads.get_by_role("cell").last.inner_text() == f"{wrong:,}"
    leads.get_by_role("link").click()
    found = page.locator("#found ~ form tbody tr")
    assert found.count() == min(PAGE, wrong), "a page of them, however many there are: `make bench` measures it"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_page_can_be_used_by_everybody(browser: Browser, system: System, language: str) -> None:
    page = a_page(browser, system)
    page.goto(f"{system.registry}/desk/sign-in?lang={language}")
    look(page)
    sign_in(page, system, "shanghai-01", language)
    for name in ("cases", "reports", "rules", "password", "checks/new", "changes"):
        page.goto(f"{system.registry}/desk/{name}?lang={language}")
        assert page.locator("html").get_attribute("lang") == {"zh": "zh-CN", "en": "en"}[language]
        look(page)
    page.context.close()
    page = a_page(browser, system)
    sign_in(page, system, "admin-01", language)
    look(page)
    page.goto(f"{system.registry}/desk/trail?check=1&lang={language}")
    look(page)
    page.context.close()
