"""A large sheet at the desk in a real browser: how far it is, and what was found, before anybody gets impatient."""

import random
import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.test_desk import sign_in
from tests.rooms import a_page
from tests.system import System

ROWS = 100_000
FIRST_PAGE_MS = 500
"""Of the first page of findings; it takes a twentieth of that where nothing else runs."""

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

_PARTS = {
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/xl/workbook.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    '<Override PartName="/xl/worksheets/sheet1.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
    "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
    'Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
    '<sheets><sheet name="1" sheetId="1" r:id="r1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" '
    'Target="worksheets/sheet1.xml"/></Relationships>',
}
"""A workbook of one sheet. Written by hand: a library takes longer for it than the check does."""


def a_sheet(path: Path, rows: int) -> int:
    """A sheet of listings of one certificate, every tenth with a model that is not in it; how many those are.

    The same file each time: what is drawn is drawn from a seed.
    """
    chance = random.Random(17)
    wrong = set(chance.sample(range(rows), rows // 10))
    listings = (
        (f"R{n}", "示范甲 房间空调器", "2023990703000117", "KFR-99XX/Z9" if n in wrong else "KFR-35GW/A1")
        for n in range(rows)
    )
    lines = (
        "<row>" + "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in row) + "</row>"
        for row in (("行号", "标题", "证书编号", "型号"), *listings)
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as book:
        for name, text in _PARTS.items():
            book.writestr(zipfile.ZipInfo(name), text)
        book.writestr(
            "xl/worksheets/sheet1.xml",
            '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
            + "".join(lines)
            + "</sheetData></worksheet>",
        )
    return len(wrong)


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
    assert found.count() > 0
    took = page.evaluate("(([t]) => t.responseEnd - t.requestStart)(performance.getEntriesByType('navigation'))")
    assert took < FIRST_PAGE_MS, "the first page of findings"
