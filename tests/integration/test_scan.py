"""The scanner in a real browser: camera, photo and typing, with the network on and off, on lists of every kind."""

import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect

from deploy.kafka.broker import free_ports
from services import base64url
from services.domain.body import Purpose
from services.domain.unit_code import public_hash
from services.events.keys import new_key
from services.marks import qr
from services.marks.signers import Signer
from services.marks.status_list import LIFE, TTL, Status, StatusList, empty_array, put_status, sign_list
from services.marks.token import MarkClaims, MarkPath, mark_url, sign_token
from services.marks.trust_list import LIST_LIFE, ROOT_LIFE, TrustList, bundle, list_payload, sign_document
from services.marks.voided import packed
from services.verify.scan_wording import BECAUSE, OFFLINE, SCAN, Why
from services.verify.wording import ANSWERS, BESIDE, Code, Note
from tests.conftest import CHROMIUM
from tests.integration.test_pages import (
    AXE,
    COPIED,
    a_register,
    fill,
    look_up_often,
    serve,
    wait_for,
)
from tests.sealed_register import SealedRegister
from tests.trust import Roots

pytestmark = pytest.mark.e2e

GTIN = "06909900127449"
UNIT, VOID = MarkPath.of_product(GTIN, "A1B2C3"), MarkPath.of_product(GTIN, "A1B2C4")
LIST = 3
PLACES = {"TEST-VALID-000001": Status.VALID, "TEST-SUSPENDED-01": Status.SUSPENDED, "TEST-REVOKED-0001": Status.REVOKED}
PLACES |= {"TEST-CANCELLED-01": Status.CANCELLED, "TEST-NOMARK-00001": Status.VALID, "SHB-P-2024-0031": Status.VALID}


@dataclass(frozen=True)
class Lists:
    """A node with the demonstration, and what its scanner holds: roots, keys, and a status list with a place each."""

    url: str
    register: SealedRegister
    roots: Roots
    status_key: Any
    began: datetime

    def trust(self, version: int = 1, roots: Roots | None = None) -> list[bytes]:
        roots = roots or self.roots
        signers = (
            Signer("urn:certmark:registry:main", Purpose.MARK, self.register.mark_key.public, date(2019, 1, 1)),
            Signer("urn:certmark:registry:main", Purpose.STATUS, self.status_key.public, date(2019, 1, 1)),
        )
        base = f"{self.url}/status"
        began, ends = self.began, self.began + LIST_LIFE
        content = TrustList(version, began, ends, "ab" * 32, roots.version, (urlsplit(self.url).netloc,), base, signers)
        root = roots.document(issued_at=began, expires_at=began + ROOT_LIFE)
        return [root, sign_document(list_payload(content), [roots.delegate])]

    def status(self) -> bytes:
        array = empty_array()
        for place, status in enumerate(PLACES.values()):
            put_status(array, place, status)
        uri = f"{self.url}/status/{LIST}"
        aggregation, ends = f"{self.url}/status/lists", self.began + LIFE
        # A thousand single codes are voided, this one among them; and one of a mark whose source did not say which.
        others = [public_hash("M-TEST-REVOKED-0001", b"%d" % n) for n in range(999)]
        voided = packed(
            [*others, public_hash("M-TEST-VALID-000001", VOID.aad), public_hash("M-TEST-NOMARK-00001", b"")]
        )
        content = StatusList(uri, self.began, ends, TTL, bytes(array), aggregation, voided=voided)
        return sign_list(content, self.status_key)

    def code(self, number: str = "TEST-VALID-000001", path: MarkPath | None = None, key: Any = None, **how: Any) -> str:
        """The address in a printed code of a certificate."""
        place = list(PLACES).index(number)
        claims = MarkClaims(self.began.date() - timedelta(days=30), 365, f"M-{number}", number, LIST, place, "125g")
        path = path or MarkPath.of_product(GTIN)
        return mark_url(self.url, path, sign_token(replace(claims, **how), path, key or self.register.mark_key))


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lists]:
    data, port = tmp_path_factory.mktemp("scan"), free_ports(1)[0]
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
    register, status_key = a_register(datetime.now(UTC) - timedelta(seconds=5)), new_key()
    made = Lists(f"http://127.0.0.1:{port}", register, Roots(), status_key, began)
    register.add_key(status_key, "status")
    root, trust = made.trust()
    register.publish(
        "trust", {"v": 1, "kind": "trust", "roots": [base64url.encoded(root)], "list": base64url.encoded(trust)}
    )
    uri = f"{made.url}/status/{LIST}"
    state = {"v": 1, "kind": "list", "list": LIST, "uri": uri, "cwt": base64url.encoded(made.status())}
    register.publish(f"list/{LIST}", state)
    register.heartbeat()
    fill(data, register)
    look_up_often(data)
    node = serve(data, port)
    try:
        wait_for(made.url)
        yield made
    finally:
        node.terminate()
        node.wait(10)


@contextmanager
def a_page(browser: Browser, lists: Lists, language: str = "zh", script: str = "", **how: Any) -> Iterator[Page]:
    """The scanner in a browser of its own, after a `script`; an error, a cookie, a request to others fails the test."""
    context = browser.new_context(locale="zh-CN", viewport={"width": 360, "height": 740}, **how)
    wrong: list[str] = []
    own = urlsplit(lists.url).netloc

    def check(url: str) -> None:
        if not url.startswith(("data:", "blob:")) and urlsplit(url).netloc != own:
            wrong.append(url)

    if script:
        context.add_init_script(script)
    context.on("request", lambda request: check(request.url))
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda told: wrong.append(told.text) if "Security Policy" in told.text else None)
    page.goto(f"{lists.url}/scan?lang={language}")
    page.wait_for_selector("#scan[data-ready]")
    yield page
    assert wrong == []
    assert context.cookies() == []
    context.close()


def refreshed(page: Page) -> None:
    expect(page.locator("#lists")).to_contain_text(re.compile(r"第 1 版|version 1"))
    expect(page.locator("#lists")).to_contain_text(re.compile(r"1 个|1, the first"))


def typed(page: Page, text: str) -> None:
    if page.locator("#again").is_visible():
        page.locator("#again").click()
    page.locator("#text").fill(text)
    page.locator("#form button").click()


def settled(page: Page, code: Code) -> None:
    """The answer, once the register was asked, too."""
    expect(page.locator(".answer")).to_have_attribute("data-code", code.value)
    expect(page.locator(".answer .own")).to_have_count(1)


def kept(page: Page) -> None:
    """The service worker has taken in all that the page needs."""
    page.evaluate(
        "new Promise((done) => navigator.serviceWorker.controller ? done()"
        " : navigator.serviceWorker.addEventListener('controllerchange', () => done(), { once: true }))"
    )


# --- the network off ------------------------------------------------------------------------------------------


def test_with_the_network_off_the_lists_decide_and_tell_their_age(browser: Browser, lists: Lists) -> None:
    with a_page(browser, lists) as page:
        refreshed(page)
        kept(page)
        page.context.set_offline(True)
        page.reload()
        page.wait_for_selector("#scan[data-ready]")
        expect(page.locator("#network")).to_be_visible()
        for number, code in (
            ("TEST-VALID-000001", Code.VALID),
            ("TEST-SUSPENDED-01", Code.SUSPENDED),
            ("TEST-REVOKED-0001", Code.REVOKED),
            ("TEST-CANCELLED-01", Code.CANCELLED),
        ):
            typed(page, lists.code(number))
            settled(page, code)
            expect(page.locator("h1:visible")).to_have_text(ANSWERS[code].title.zh)
            assert page.title().startswith(ANSWERS[code].title.zh)
            expect(page.locator(".answer")).to_contain_text(f"M-{number}")
            expect(page.locator(".answer")).to_contain_text("5 分钟前")
            expect(page.locator(".answer .own")).to_have_text(SCAN["online_failed"].zh)
            expect(page.locator("#heard")).to_have_text(SCAN["online_failed"].zh)  # the verdict was said before that
        for number, path, code, said in (
            ("TEST-VALID-000001", UNIT, Code.VALID, ANSWERS[Code.VALID].explanation),
            ("TEST-VALID-000001", VOID, Code.MARK_NOT_AUTHORIZED, OFFLINE[Code.MARK_NOT_AUTHORIZED]),
            ("TEST-NOMARK-00001", UNIT, Code.STATUS_UNKNOWN, BECAUSE[Why.UNIT_UNTOLD]),
        ):
            typed(page, lists.code(number, path))
            settled(page, code)
            expect(page.locator("h1:visible")).to_have_text(ANSWERS[code].title.zh)
            expect(page.locator(".answer .v")).to_contain_text(said.zh)
            expect(page.locator(".answer")).to_contain_text(f"序列号{path.serial}")
        typed(page, lists.code()[:-1] + ("1" if lists.code()[-1] != "1" else "2"))
        settled(page, Code.BAD_SIGNATURE)
        for secret in ("M-TEST", "TEST-VALID", "125g"):
            assert secret not in page.locator("#answers").inner_text()
        assert page.locator("#answers a").count() == 0
        assert page.locator("#text").input_value() == "", "not even in the field"


def test_past_its_end_a_list_says_nothing(browser: Browser, lists: Lists) -> None:
    with a_page(browser, lists) as page:
        refreshed(page)
        kept(page)
        page.context.set_offline(True)
        for later, why in ((LIFE, Why.STATUS_LIST_EXPIRED), (LIST_LIFE, Why.TRUST_LIST_EXPIRED)):
            page.clock.set_fixed_time(lists.began + later)
            page.reload()
            page.wait_for_selector("#scan[data-ready]")
            typed(page, lists.code(valid_days=0))
            settled(page, Code.STATUS_UNKNOWN)
            expect(page.locator(".answer")).to_have_attribute("data-why", why.value)
            expect(page.locator(".answer .v")).to_contain_text(BECAUSE[why].zh)
            expect(page.locator(".answer .v")).to_have_class("v cannot_say")
        expect(page.locator("#lists")).to_contain_text(SCAN["ran_out"].zh)


def test_a_first_visit_without_lists_cannot_say(browser: Browser, lists: Lists) -> None:
    with a_page(browser, lists) as page:
        refreshed(page)
        kept(page)
        page.evaluate("new Promise((done) => { indexedDB.deleteDatabase('certmark-scan').onsuccess = () => done() })")
        page.context.set_offline(True)
        page.reload()
        page.wait_for_selector("#scan[data-ready]")
        typed(page, lists.code())
        settled(page, Code.STATUS_UNKNOWN)
        expect(page.locator(".answer")).to_have_attribute("data-why", Why.NO_TRUST_LIST.value)


# --- the network on -------------------------------------------------------------------------------------------


def test_online_the_register_is_newer_and_wins(browser: Browser, lists: Lists) -> None:
    with a_page(browser, lists) as page:
        refreshed(page)
        typed(page, lists.code())
        # The list says valid; the register knows that this certificate is not for this product.
        expect(page.locator(".answer")).to_have_attribute("data-code", Code.OUT_OF_SCOPE.value)
        expect(page.locator("#heard")).to_contain_text(ANSWERS[Code.OUT_OF_SCOPE].title.zh)
        expect(page.locator(".answer .own")).to_contain_text(ANSWERS[Code.VALID].title.zh)
        expect(page.locator(".answer .v")).to_have_class("v no")
        typed(page, lists.code(path=MarkPath.of_certificate("TEST-VALID-000001")))
        settled(page, Code.VALID)
        expect(page.locator(".answer .own")).to_have_text(SCAN["online_agrees"].zh)
        expect(page.locator("#heard")).to_contain_text(SCAN["online_agrees"].zh)
        typed(page, "TEST-REVOKED-0001")
        settled(page, Code.REVOKED)
        expect(page.locator(".answer .own")).to_have_text(SCAN["online_only"].zh)
        expect(page.locator(".answer .when code")).to_have_text(Code.REVOKED.value)
        # What the page says beside the code counts, too: a copied code is no yes, a system's certificate no product's.
        typed(page, lists.code("SHB-P-2024-0031", COPIED, mark_no="M-SHB-P-2024-0031"))
        settled(page, Code.VALID)
        expect(page.locator(".answer .v")).to_have_class("v cannot_say")
        expect(page.locator(".answer .own")).to_contain_text(ANSWERS[Code.VALID].title.zh)
        typed(page, "790826Q00031R0S")
        expect(page.locator(".answer .v")).to_contain_text("不代表其产品通过认证")
        expect(page.locator(".answer .note:not(.own)")).to_have_text(BESIDE[Note.BODY_DISQUALIFIED].zh)
        page.route("**/?q=*", lambda route: route.abort())
        typed(page, lists.code("TEST-SUSPENDED-01"))
        settled(page, Code.SUSPENDED)
        expect(page.locator(".answer .own")).to_have_text(SCAN["online_failed"].zh)


def test_a_trust_list_that_is_rolled_back_or_forged_is_refused_and_said(browser: Browser, lists: Lists) -> None:
    with a_page(browser, lists) as page:
        refreshed(page)
        given = {"body": bundle(lists.trust(version=7))}
        page.route("**/.well-known/certmark-trust", lambda route: route.fulfill(body=given["body"]))
        page.locator("#refresh").click()
        expect(page.locator("#lists")).to_contain_text("第 7 版")
        for body, code in (
            (bundle(lists.trust(version=6)), "trust-rolled-back"),
            (bundle(lists.trust(version=8, roots=Roots())), "trust-unknown-root"),
            (b"\x00" * 100, "trust-unreadable"),
        ):
            given["body"] = body
            page.locator("#refresh").click()
            expect(page.locator("#refreshed")).to_contain_text(code)
            expect(page.locator("#lists")).to_contain_text("第 7 版")


# --- camera and photo -----------------------------------------------------------------------------------------


def drawn(text: str) -> Image.Image:
    return Image.open(io.BytesIO(qr.png(qr.symbol(text), 6))).convert("L")


def sheet(*texts: str) -> Image.Image:
    codes = [drawn(text) for text in texts]
    paper = Image.new("L", (sum(code.width for code in codes), max(code.height for code in codes)), 255)
    left = 0
    for code in codes:
        paper.paste(code, (left, 0))
        left += code.width
    return paper


def test_every_code_of_a_photo_is_judged(browser: Browser, lists: Lists, tmp_path: Path) -> None:
    path = MarkPath.of_certificate("TEST-VALID-000001")
    sheet(lists.code(path=path), lists.code("TEST-REVOKED-0001")).save(tmp_path / "photo.jpg", quality=90)
    with a_page(browser, lists) as page:
        refreshed(page)
        page.locator("#photo").set_input_files(tmp_path / "photo.jpg")
        expect(page.locator(".answer")).to_have_count(2)
        expect(page.locator(".answer[data-code=valid]")).to_have_count(1)
        expect(page.locator(".answer[data-code=revoked]")).to_have_count(1)
        assert page.locator("h1:visible").count() == 1
        (tmp_path / "rubbish.png").write_bytes(b"no picture")
        Image.new("L", (300, 300), 255).save(tmp_path / "white.png")
        for file, said in (("rubbish.png", "photo_unreadable"), ("white.png", "no_code")):
            page.locator("#photo").set_input_files(tmp_path / file)
            expect(page.locator("#told")).to_have_text(SCAN[said].zh)


def test_the_camera_reads_a_code_and_nothing_is_loaded_before_the_tap(
    playwright: Playwright, chromium: str, lists: Lists, tmp_path: Path
) -> None:
    view = Image.new("RGB", (1280, 720), "white")
    code = drawn(lists.code(path=MarkPath.of_certificate("TEST-VALID-000001"))).resize((600, 600))
    view.paste(code.convert("RGB"), (340, 60))
    frame = io.BytesIO()
    view.save(frame, "JPEG", quality=92)
    (tmp_path / "camera.mjpeg").write_bytes(frame.getvalue() * 10)
    fake = ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={tmp_path / 'camera.mjpeg'}"]
    browser = playwright.chromium.launch(executable_path=chromium, args=[*CHROMIUM, *fake])
    loaded: list[str] = []
    with a_page(browser, lists, permissions=["camera"]) as page:
        page.on("response", lambda response: loaded.append(urlsplit(response.url).path))
        refreshed(page)
        kept(page)
        assert not [path for path in loaded if "zxing" in path]
        page.locator("#camera").click()
        settled(page, Code.VALID)
        expect(page.locator("#video")).to_be_hidden()
        assert len([path for path in loaded if path.endswith(".wasm")]) == 1
        page.context.set_offline(True)  # the reader is kept, too, once it was used
        page.reload()
        page.wait_for_selector("#scan[data-ready]")
        page.locator("#camera").click()
        settled(page, Code.VALID)
    with a_page(browser, lists, permissions=[]) as page:  # the same camera, and nobody who allows it
        page.locator("#camera").click()
        expect(page.locator("#told")).to_have_text(SCAN["camera_denied"].zh)
    browser.close()


@pytest.mark.parametrize("lacking", ["denied", "missing", "no cameras at all", "wechat"])
def test_without_a_camera_photo_and_typing_work(browser: Browser, lists: Lists, lacking: str, tmp_path: Path) -> None:
    how: dict[str, Any] = {}
    if lacking == "wechat":
        agent = "Mozilla/5.0 (Linux; Android 14; wv) AppleWebKit/537.36 Chrome/120 Mobile MicroMessenger/8.0.50"
        how = {"user_agent": agent, "service_workers": "block"}
    drawn(lists.code("TEST-SUSPENDED-01")).save(tmp_path / "photo.png")
    with a_page(browser, lists, **how) as page:
        refreshed(page)
        if lacking == "denied":
            refusal = "Promise.reject(new DOMException('', 'NotAllowedError'))"
            page.evaluate(f"void (navigator.mediaDevices.getUserMedia = () => {refusal})")
        elif lacking != "missing":
            page.evaluate("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })")
        if lacking == "wechat":
            expect(page.locator("#told")).to_have_text(SCAN["in_app"].zh)
        page.locator("#camera").click()
        said = SCAN["camera_denied" if lacking == "denied" else "camera_missing"].zh
        expect(page.locator("#told")).to_have_text(said)
        page.locator("#photo").set_input_files(tmp_path / "photo.png")
        settled(page, Code.SUSPENDED)
        typed(page, lists.code("TEST-REVOKED-0001"))
        settled(page, Code.REVOKED)


def test_what_a_weak_browser_lacks_is_said_and_the_rest_works(browser: Browser, lists: Lists, tmp_path: Path) -> None:
    in_name_only = """
      globalThis.BarcodeDetector = class {
        static async getSupportedFormats () { return ['qr_code'] }
        async detect () { throw new Error('Barcode detection service unavailable.') }
      }
      IDBObjectStore.prototype.put = () => { throw new DOMException('', 'QuotaExceededError') }"""
    drawn(lists.code("TEST-SUSPENDED-01")).save(tmp_path / "photo.png")
    agent = "Mozilla/5.0 (Linux; Android 12) AppleWebKit/537.36 Chrome/100 Mobile AlipayClient/10.5"
    with a_page(browser, lists, script=in_name_only, user_agent=agent, service_workers="block") as page:
        expect(page.locator("#told")).to_have_text(SCAN["in_app"].zh)
        expect(page.locator("#refreshed")).to_have_text(SCAN["not_kept"].zh)
        page.locator("#photo").set_input_files(tmp_path / "photo.png")
        settled(page, Code.SUSPENDED)


# --- for everybody --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_family_can_be_read_by_everybody(browser: Browser, lists: Lists, language: str) -> None:
    answers = {
        "yes": lists.code(path=MarkPath.of_certificate("TEST-VALID-000001")),
        "no": lists.code(path=VOID),
        "cannot_say": lists.code("TEST-NOMARK-00001", valid_days=1),
        "input": "hello",
    }
    with a_page(browser, lists, language) as page:
        refreshed(page)
        expect(page.get_by_role("status")).to_have_count(3)  # there before anything is said in them, or it is not heard
        page.context.set_offline(True)
        look(page, language)
        for family, text in answers.items():
            typed(page, text)
            expect(page.locator(".answer .own")).to_have_count(1)
            expect(page.locator(".answer .v")).to_have_class(f"v {family}")
            box = page.locator(".answer .v").bounding_box()
            assert box is not None
            assert box["y"] + 60 < 640, "the verdict is in the first screen"
            look(page, language)


def look(page: Page, language: str) -> None:
    """No finding of axe in light or (the colours are the same in both languages) dark, no sideways scroll."""
    for scheme in ("light", "dark") if language == "zh" else ("light",):
        page.emulate_media(color_scheme=scheme)
        findings = Axe().run(page, options=AXE)
        assert findings.violations_count == 0, findings.generate_report()
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320, "sideways scroll at 320 px"
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.locator("h1:visible").count() == 1


def test_without_script_the_page_says_where_to_go(browser: Browser, lists: Lists) -> None:
    context: BrowserContext = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{lists.url}/scan?lang=en")
    expect(page.get_by_role("link", name=SCAN["front"].en)).to_be_visible()
    assert page.locator("#camera").is_disabled()
    context.close()


def test_a_browser_too_old_for_the_scripts_has_the_form_that_works_without(browser: Browser, lists: Lists) -> None:
    with browser.new_context(service_workers="block") as context:
        page = context.new_page()
        page.route("**/held.js", lambda route: route.abort())
        page.goto(f"{lists.url}/scan?lang=en")
        expect(page.locator("#told")).to_have_text(SCAN["too_old"].en)
        typed(page, "TEST-REVOKED-0001")
        expect(page.locator("h1")).to_have_text(ANSWERS[Code.REVOKED].title.en)
        assert urlsplit(page.url).path == "/c/TEST-REVOKED-0001"


def test_the_manifest_and_its_icons_are_there(browser: Browser, lists: Lists) -> None:
    with a_page(browser, lists, "en") as page:
        href = page.locator("link[rel=manifest]").get_attribute("href")
        manifest = json.loads(page.request.get(f"{lists.url}{href}").text())
        assert manifest["lang"] == "en"
        assert manifest["start_url"] == "/scan?lang=en"
        for icon in manifest["icons"]:
            got = page.request.get(f"{lists.url}{href}".rsplit("/", 1)[0] + "/" + icon["src"])
            assert got.headers["content-type"] == icon["type"]
            if icon["type"] == "image/png":
                size = Image.open(io.BytesIO(got.body())).size
                assert f"{size[0]}x{size[1]}" == icon["sizes"]
