"""What holds of every page behind a sign-in, in a real browser."""

from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.system import System

AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}


def a_page(browser: Browser, system: System) -> Page:
    """A page of a browser of its own, in Chinese, which fails the test when it asks anybody but this register."""
    page = browser.new_context(locale="zh-CN", viewport={"width": 1280, "height": 900}).new_page()
    own = urlsplit(system.registry).netloc

    def check(url: str) -> None:
        assert url.startswith("data:") or urlsplit(url).netloc == own, url

    page.on("request", lambda request: check(request.url))
    return page


def look(page: Page) -> None:
    """What holds of every page: no finding at two widths, no script, no sideways scroll."""
    assert page.locator("h1").count() == 1
    assert page.title().startswith(page.locator("h1").inner_text())
    assert page.locator("script").count() == 0
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 800})
        findings = Axe().run(page, options=AXE)
        assert findings.violations_count == 0, findings.generate_report()
    page.set_viewport_size({"width": 320, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320, "sideways scroll at 320 px"
    for target in page.locator("header a, nav a, button, .button").all():
        box = target.bounding_box()
        assert box is None or box["height"] >= 44
    page.set_viewport_size({"width": 1280, "height": 900})
