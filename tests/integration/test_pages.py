"""The verdict pages in a real browser: words, form, accessibility, and nothing fetched beside the page itself."""

import gzip
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from socket import create_connection
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Request

from deploy.kafka.broker import free_ports
from services.domain.certificate import Certificate, Status, StatusInterval
from services.domain.identifiers import civil_day
from services.marks.token import MarkPath, decimal, mark_url, sign_token
from services.verify.projector import Projector
from services.verify.scan_counts import Count, code_key
from services.verify.scan_store import ScanWriter
from services.verify.wording import ACT_WORD, ALLOWED_WORD, ANSWERS, LABELS, NO_DATA, NOTED, SEVERAL, Code, Note, Text
from tests.heard import IN_THE_WRONG_LANGUAGE, NAMED, heard
from tests.sealed_register import ROOT, STATE, ListLog, SealedRegister, claims_of, demonstration

pytestmark = pytest.mark.e2e

HEAVIEST = 4_700
"""Bytes, compressed, of a verdict on a certificate with a few models; the limit for any is 14,336 (pages.md)."""
AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}


@dataclass(frozen=True)
class Served:
    """Two nodes over the same register: one up to date, one whose data is two days old, served as to strangers."""

    fresh: str
    stale: str
    register: SealedRegister


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    register = a_register(datetime.now(UTC) - timedelta(seconds=5))
    old = a_register(datetime.now(UTC) - timedelta(days=2))
    fresh_data, stale_data = tmp_path_factory.mktemp("fresh"), tmp_path_factory.mktemp("stale")
    fill(fresh_data, register)
    look_up_often(fresh_data)
    fill(stale_data, old)
    ports = free_ports(2)
    nodes = [serve(fresh_data, ports[0]), serve(stale_data, ports[1], "asgi")]
    try:
        urls = [f"http://127.0.0.1:{port}" for port in ports]
        for url in urls:
            wait_for(url)
        yield Served(urls[0], urls[1], register)
    finally:
        for node in nodes:
            node.terminate()
        for node in nodes:
            node.wait(10)


def a_register(now: datetime) -> SealedRegister:
    """The demonstration, and what it lacks: a certificate for every standing whatever the day, and a withdrawn mark."""
    register = SealedRegister()
    register.now = now
    register.publish_all()
    for certificate in special_certificates(now.date()):
        register.publish_certificate(certificate)
    day = now.date() - timedelta(days=3)
    register.publish_recall("ZH-1", day, certificate_no="TEST-RECALLED-01", batches=["20260518", "20260519"])
    register.publish_warning("JS-1", day, certificate_no="TEST-ALERTED-0001")
    register.heartbeat()
    return register


def special_certificates(day: date) -> Iterator[Certificate]:
    base = replace(demonstration("PZB-2025-00217"), valid_from=date(2024, 1, 1), valid_until=date(2099, 12, 31))
    active = StatusInterval(Status.ACTIVE, date(2024, 1, 1), None, None, None, "a" * 64)
    mark = replace(base.marks[0], valid_until=base.valid_until)

    def named(number: str, **changes: object) -> Certificate:
        marks = (replace(mark, mark_no=f"M-{number}"),)
        changes = {"statuses": (active,), "marks": marks, **changes}
        return replace(base, certificate_no=number, **changes)  # type: ignore[arg-type]

    def ended(status: Status, reason: str | None, until: date | None = None) -> tuple[StatusInterval, ...]:
        return (active, StatusInterval(status, day - timedelta(days=30), until, reason, day, "b" * 64))

    yield named("TEST-VALID-000001")
    yield named("TEST-SUSPENDED-01", statuses=ended(Status.SUSPENDED, "S03", day + timedelta(days=30)))
    yield named("TEST-REVOKED-0001", statuses=ended(Status.REVOKED, "R07"))
    yield named("TEST-CANCELLED-01", statuses=ended(Status.CANCELLED, "C04"))
    yield named("TEST-REPLACED-001", statuses=ended(Status.CANCELLED, None), superseded_by="TEST-VALID-000001")
    yield named("TEST-EXPIRED-0001", valid_until=day - timedelta(days=1))
    yield named("TEST-AHEAD-000001", valid_from=day + timedelta(days=9))
    yield named("TEST-OVERDUE-0001", surveillance_due=day - timedelta(days=1))
    yield named("TEST-RECALLED-01")
    yield named("TEST-ALERTED-0001")
    withdrawn = (
        mark.statuses[0],
        StatusInterval(Status.WITHDRAWN, day - timedelta(days=3), None, None, None, "c" * 64),
    )
    yield named("TEST-NOMARK-00001", marks=(replace(mark, mark_no="M-TEST-NOMARK-00001", statuses=withdrawn),))


COPIED = MarkPath.of_product("06909900127449", "A1B2C3")


def look_up_often(data: Path) -> None:
    """What the counting processes have told of one unit's code: fifteen look-ups in five districts today."""
    writer = ScanWriter(data / "verify", "test.scans.v1", 0)
    today = civil_day(datetime.now(UTC))
    places = [f"3101{n:02}" for n in range(1, 6)]
    writer.apply([Count("0" * 16, today, code_key(COPIED.aad), place, 3) for place in places], 1)
    writer.close()


def fill(data: Path, register: SealedRegister) -> None:
    projector = Projector(ListLog(register.values), STATE, register.genesis, data / "verify")
    while projector.step():
        pass
    projector.close()


def serve(data: Path, port: int, interface: str = "wsgi") -> subprocess.Popen[bytes]:
    factory = "services.verify.api:create_app" if interface == "wsgi" else "services.verify.api:create_server"
    command = [sys.executable, "-m", "granian", "--interface", interface, "--factory", factory]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--blocking-threads", "1"]
    environment = os.environ | {"CERTMARK_DATA": str(data), "CERTMARK_VERIFY_PORT": str(port)}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            urllib.request.urlopen(f"{url}/healthz", timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@pytest.fixture(scope="module")
def phone(browser: Browser) -> Iterator[Page]:
    """One page for many tests, as wide as a small phone: a new one each costs several times what going on costs."""
    with browser.new_context(viewport={"width": 360, "height": 640}) as context:
        yield context.new_page()


@pytest.fixture(scope="module")
def without_script(browser: Browser) -> Iterator[Page]:
    with browser.new_context(java_script_enabled=False) as context:
        yield context.new_page()


@dataclass(frozen=True)
class Case:
    """A verdict, the address that leads to it, and the headline that it must have."""

    name: str
    path: str
    title: Text
    stale: bool = False
    silent: bool = False


def cases(register: SealedRegister) -> list[Case]:
    soap = demonstration("SHB-P-2024-0031")
    item = soap.product.items[0] if soap.product else None
    genuine = register.url(soap, item, "")
    digits = genuine[-1]
    tampered = genuine[:-1] + ("1" if digits != "1" else "2")
    stranger = SealedRegister()
    foreign = stranger.url(soap, item, "")
    stray_path = MarkPath.of_product("06909900123007")
    bottle = next(c for c in special_certificates(register.now.date()) if c.certificate_no == "TEST-VALID-000001")
    return [
        Case("valid_by_qr", genuine, ANSWERS[Code.VALID].title),
        Case("scope_limited", "/c/2023990703000117", NOTED[Note.SCOPE_LIMITED].title),
        Case("self_declared", "/c/SDOC-2025-000731", NOTED[Note.SELF_DECLARED].title),
        Case("system", "/c/790826Q00031R0S", ANSWERS[Code.VALID].title),
        Case("overdue", "/c/TEST-OVERDUE-0001", NOTED[Note.SCOPE_LIMITED].title),
        Case("suspended", "/c/TEST-SUSPENDED-01", ANSWERS[Code.SUSPENDED].title),
        Case("revoked", "/c/TEST-REVOKED-0001", ANSWERS[Code.REVOKED].title),
        Case("cancelled", "/c/TEST-CANCELLED-01", ANSWERS[Code.CANCELLED].title),
        Case("superseded", "/c/TEST-REPLACED-001", ANSWERS[Code.SUPERSEDED].title),
        Case("expired", "/c/TEST-EXPIRED-0001", ANSWERS[Code.EXPIRED].title),
        Case("not_yet_valid", "/c/TEST-AHEAD-000001", ANSWERS[Code.NOT_YET_VALID].title),
        Case("mark_not_authorized", "/m/M-TEST-NOMARK-00001", ANSWERS[Code.MARK_NOT_AUTHORIZED].title),
        Case("possible_copy", a_copy(register), NOTED[Note.POSSIBLE_COPY].title),
        Case("do_not_sell", "/c/TEST-RECALLED-01", ANSWERS[Code.DO_NOT_SELL].title),
        Case("alert", "/c/TEST-ALERTED-0001", NOTED[Note.SCOPE_LIMITED].title),
        Case("out_of_scope", register.url(bottle, item, ""), ANSWERS[Code.OUT_OF_SCOPE].title),
        Case("unknown_number", "/c/2023990703999999", ANSWERS[Code.UNKNOWN_NUMBER].title),
        Case("malformed_number", f"/?q={quote('<b>证书?</b>')}", ANSWERS[Code.MALFORMED_NUMBER].title),
        Case("several", "/01/06909900126701", SEVERAL.title),
        Case("bad_signature", tampered, ANSWERS[Code.BAD_SIGNATURE].title, silent=True),
        Case("unknown_signer", foreign, ANSWERS[Code.UNKNOWN_SIGNER].title, silent=True),
        Case("unreadable", "/01/06909900123007?m=123", ANSWERS[Code.UNREADABLE].title, silent=True),
        Case("not_ours", f"/?q={quote('https://example.org/news')}", ANSWERS[Code.NOT_OURS].title),
        Case(
            "impostor_host",
            f"/?q={quote(mark_url('https://v-example.cn', stray_path, register.values[0][1][:111]))}",
            ANSWERS[Code.IMPOSTOR_HOST].title,
            silent=True,
        ),
        Case("status_unknown", "/c/2023990703000117", ANSWERS[Code.STATUS_UNKNOWN].title, stale=True),
    ]


def a_copy(register: SealedRegister) -> str:
    """The address in a unit's code that many have looked up."""
    soap = demonstration("SHB-P-2024-0031")
    assert soap.product is not None
    return mark_url(
        "", COPIED, sign_token(claims_of(soap, soap.marks[0], soap.product.items[0]), COPIED, register.mark_key)
    )


NAMES = [case.name for case in cases(SealedRegister())]


def case_of(served: Served, name: str) -> tuple[str, Case]:
    case = next(case for case in cases(served.register) if case.name == name)
    base = served.stale if case.stale else served.fresh
    return base + case.path, case


def in_language(url: str, language: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}lang={language}"


def opened(browser: Browser, url: str, width: int, height: int, **options: object) -> tuple[Page, list[str]]:
    context = browser.new_context(viewport={"width": width, "height": height}, **options)  # type: ignore[arg-type]
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(url)
    return page, asked


def asked_by(page: Page, url: str) -> list[str]:
    """Take a page to an address; what it asked for on the way."""
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    page.set_viewport_size({"width": 360, "height": 640})
    page.on("request", note)
    page.goto(url)
    page.remove_listener("request", note)
    return asked


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("name", NAMES)
def test_a_verdict_page(served: Served, phone: Page, name: str, language: str) -> None:
    url, case = case_of(served, name)
    page, asked = phone, asked_by(phone, in_language(url, language))

    headlines = page.locator("h1")
    assert headlines.count() == 1
    assert headlines.inner_text() == case.title[language]
    assert page.title().startswith(case.title[language])
    assert page.locator("html").get_attribute("lang") == {"zh": "zh-CN", "en": "en"}[language]
    assert page.locator("script").count() == 0
    assert [address for address in asked if not address.startswith("data:")] == [in_language(url, language)]
    assert page.context.cookies() == []

    is_said(page, case, language)
    box = page.locator(".v").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 640, "the verdict is not in the first screen of a small phone"
    assert LABELS["demonstration"][language] in page.locator("body").inner_text()
    # Several certificates have several codes: the page states none for all.
    for word in ("checked_at", "as_of", *(() if name == "several" else ("code",))):
        assert LABELS[word][language] in page.locator(".when").inner_text()

    findings = Axe().run(page, options=AXE)
    assert findings.violations_count == 0, findings.generate_report()

    for width in (320, 768, 1280):
        page.set_viewport_size({"width": width, "height": 640})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"sideways scroll at {width} px"


def is_said(page: Page, case: Case, language: str) -> None:
    """A screen reader says the verdict first, what is recalled or warned of apart, and nothing that only decorates."""
    said = heard(page)
    assert said[0][1].startswith(case.title[language]), "what is said when the page opens"
    main = said[said.index(("main", "")) + 1 :]
    before = main[: main.index(("heading", case.title[language]))]
    assert before[-1][1].startswith(LABELS["answer"][language])
    assert len(before) == 1 or case.name in ("do_not_sell", "alert")
    assert not {role for role, _ in said} & {"image", "SvgRoot", "graphics-symbol", "graphics-document"}
    assert [role for role, name in said if role in NAMED and not name] == []
    assert page.evaluate(IN_THE_WRONG_LANGUAGE) == []
    if case.path.startswith("/c/"):
        assert ("StaticText", case.path.removeprefix("/c/")) in said, "the number, in one piece"


@pytest.mark.parametrize("name", ["bad_signature", "unknown_signer", "unreadable", "impostor_host"])
def test_nothing_of_a_refused_code_is_shown(served: Served, name: str) -> None:
    url, _ = case_of(served, name)
    with urllib.request.urlopen(url) as response:
        html = response.read().decode()
    for told in ("06909900127449", "06909900123007", "SHB-P-2024-0031", "示范寅", "m=", decimal(b"\1" * 70)[:30]):
        assert told not in html
    assert url.rpartition("m=")[2] not in html


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_small_and_whole_without_script(served: Served, without_script: Page, name: str) -> None:
    url, case = case_of(served, name)
    without_script.goto(url)
    assert without_script.locator("h1").inner_text() == case.title["en"]  # the browser asks for English
    body = page_bytes(url, 503 if name == "status_unknown" else 200)
    assert len(gzip.compress(body)) <= HEAVIEST


def page_bytes(url: str, status: int) -> bytes:
    """The page as it goes over the wire, whatever its status is."""
    address = urlsplit(url)
    connection = HTTPConnection(address.netloc, timeout=30)
    try:
        connection.request("GET", f"{address.path}?{address.query}", headers={"Accept-Language": "zh-CN"})
        response = connection.getresponse()
        assert response.status == status
        return response.read()
    finally:
        connection.close()


def test_text_at_twice_the_size_is_not_cut(served: Served, browser: Browser) -> None:
    url, _ = case_of(served, "suspended")
    page, _ = opened(browser, in_language(url, "zh"), 640, 900)
    # Half the width at twice the pixel ratio is what the browser's own zoom of 200 % does to a page.
    session = page.context.new_cdp_session(page)
    session.send(
        "Emulation.setDeviceMetricsOverride", {"width": 320, "height": 450, "deviceScaleFactor": 2, "mobile": False}
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    clipped = page.evaluate(
        "[...document.querySelectorAll('main *')].filter(e => e.scrollWidth > e.clientWidth + 1 "
        "&& getComputedStyle(e).overflowX === 'hidden').length"
    )
    assert clipped == 0
    page.context.close()


@pytest.mark.parametrize("media", [{"forced_colors": "active"}, {"media": "print"}])
def test_the_family_is_told_by_word_and_shape(served: Served, browser: Browser, media: dict[str, str]) -> None:
    url, _ = case_of(served, "revoked")
    page, _ = opened(browser, in_language(url, "zh"), 360, 640)
    page.emulate_media(**media)  # type: ignore[arg-type]
    assert page.locator(".v .word").inner_text().endswith("不通过")
    assert page.locator(".v svg").is_visible()
    text = page.locator("main").inner_text()
    for shown in ("TEST-REVOKED-0001", "撤销", "数据截至"):
        assert shown in text
    page.context.close()


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("scope_limited", ["yes"] * 5),
        ("self_declared", ["yes"] * 5),
        ("suspended", ["no", "review", "no", "review", "no"]),
        ("revoked", ["no"] * 5),
        ("expired", ["no", "review", "no", "review", "no"]),
        ("do_not_sell", ["no", "no", "no", "no", "yes"]),
        ("alert", ["yes"] * 5),
        ("possible_copy", ["review", "review", "review", "review", "yes"]),
        ("mark_not_authorized", ["no", "review", "no", "review", "no"]),
        ("system", []),
        ("unknown_number", []),
        ("several", []),
    ],
)
def test_what_it_means_is_told_by_word_and_shape(
    served: Served, phone: Page, name: str, words: list[str], language: str
) -> None:
    url, _ = case_of(served, name)
    phone.goto(in_language(url, language))
    lines = phone.locator("table.may tr")
    assert [line.locator("th").inner_text() for line in lines.all()] == [text[language] for text in ACT_WORD.values()][
        : len(words)
    ]
    assert [line.locator("td").inner_text() for line in lines.all()] == [ALLOWED_WORD[word][language] for word in words]
    assert [line.locator("td svg").count() for line in lines.all()] == [1] * len(words)
    assert phone.locator("ul.why").count() == (1 if {"no", "review"} & set(words) else 0)


def test_targets_are_large_enough_to_touch(served: Served, browser: Browser) -> None:
    url, _ = case_of(served, "scope_limited")
    page, _ = opened(browser, in_language(url, "zh"), 360, 640)
    for target in page.locator("header a, footer a, button, input[type=search]").all():
        box = target.bounding_box()
        assert box is not None
        assert box["height"] >= 44
    page.context.close()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_front_page_leads_to_verdicts(served: Served, browser: Browser, language: str) -> None:
    page, asked = opened(browser, in_language(served.fresh + "/", language), 360, 640)
    assert page.locator("h1").inner_text() == LABELS["site"][language]
    assert len([address for address in asked if not address.startswith("data:")]) == 1
    assert Axe().run(page, options=AXE).violations_count == 0

    page.get_by_role("searchbox").fill(" 2023990703000117 ")
    page.get_by_role("search").get_by_role("button").click()
    assert page.url.split("?")[0] == f"{served.fresh}/c/2023990703000117"
    assert page.locator("h1").inner_text() == NOTED[Note.SCOPE_LIMITED].title[language]
    other = "en" if language == "zh" else "zh"
    page.get_by_role("link", name=LABELS["other_language"][language]).click()
    assert page.locator("h1").inner_text() == NOTED[Note.SCOPE_LIMITED].title[other]
    page.context.close()


def test_an_error_page_needs_no_data(browser: Browser, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    node = serve(tmp_path, port)
    try:
        wait_for(f"http://127.0.0.1:{port}")
        page, _ = opened(browser, f"http://127.0.0.1:{port}/nothing/here?lang=zh", 360, 640)
        assert page.locator("h1").inner_text() == LABELS["error_404"]["zh"]
        assert Axe().run(page, options=AXE).violations_count == 0
        page.goto(f"http://127.0.0.1:{port}/c/2023990703000117?lang=zh")
        assert page.locator("h1").inner_text() == ANSWERS[Code.STATUS_UNKNOWN].title["zh"]
        assert NO_DATA.zh in page.locator(".v").inner_text()
        page.goto(f"http://127.0.0.1:{port}/?lang=zh")
        assert page.get_by_role("searchbox").is_visible()
        page.context.close()
    finally:
        node.terminate()
        node.wait(10)


# --- the pages beside the verdicts, in either language, light and dark ----------------------------------------

BESIDE = [
    "/",
    "/marks",
    "/marks/ccc",
    "/bodies",
    "/bodies/CNCA-RF-2019-7908",
    "/stats",
    "/data",
    "/status",
    "/privacy",
]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_pages_beside_are_as_good_as_the_verdicts(served: Served, browser: Browser, language: str) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 640})
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in BESIDE:
        asked.clear()
        url = in_language(served.fresh + path, language)
        page.goto(url)
        assert [address for address in asked if not address.startswith("data:")] == [url]
        assert page.locator("h1").count() == 1, path
        assert page.title().startswith(page.locator("h1").inner_text()), path
        assert page.locator("script").count() == 0
        for scheme in ("light", "dark") if language == "zh" else ("light",):  # colours are the same in both
            page.emulate_media(color_scheme=scheme)
            findings = Axe().run(page, options=AXE)
            assert findings.violations_count == 0, f"{path} {scheme}\n{findings.generate_report()}"
        page.emulate_media(color_scheme="light")
        for width in (320, 768, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{path} at {width} px"
        page.set_viewport_size({"width": 360, "height": 640})
    assert context.cookies() == []
    context.close()


def test_every_verdict_is_readable_in_the_dark(served: Served, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 640}, color_scheme="dark")
    page = context.new_page()
    for name in NAMES:
        url, _ = case_of(served, name)
        page.goto(in_language(url, "zh"))
        findings = Axe().run(page, options=AXE)
        assert findings.violations_count == 0, f"{name}\n{findings.generate_report()}"
    context.close()


FAMILIES = {"yes": "scope_limited", "no": "revoked", "cannot_say": "status_unknown", "input": "malformed_number"}


@pytest.mark.parametrize("media", [{"forced_colors": "active"}, {"color_scheme": "dark"}, {}], ids=str)
def test_without_colour_each_family_has_its_word_and_shape(
    served: Served, browser: Browser, media: dict[str, str]
) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 640})
    page = context.new_page()
    page.emulate_media(**media)  # type: ignore[arg-type]
    words, shapes = set(), set()
    for name in FAMILIES.values():
        page.goto(in_language(case_of(served, name)[0], "zh"))
        page.evaluate("document.documentElement.style.filter = 'grayscale(1)'")
        assert page.locator(".v svg").is_visible()
        words.add(page.locator(".v .word").inner_text())
        shapes.add(page.locator(".v svg").inner_html())
    assert len(words) == len(shapes) == len(FAMILIES)
    context.close()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_letters_of_twice_the_size_fit(served: Served, browser: Browser, language: str) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740})  # a small telephone, set to large letters
    page = context.new_page()
    for url in (*(case_of(served, name)[0] for name in FAMILIES.values()), *(served.fresh + path for path in BESIDE)):
        page.goto(in_language(url, language))
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, url
        if page.locator(".v").count():
            share = page.evaluate("document.querySelector('h1').clientWidth / document.querySelector('.v').clientWidth")
            assert share > 0.7, f"{url}: the headline is squeezed beside its sign"
        cut = page.evaluate(
            "[...document.querySelectorAll('main *')].filter(e => e.scrollWidth > e.clientWidth + 1 "
            "&& getComputedStyle(e).overflowX === 'hidden').length"
        )
        assert cut == 0, url
    context.close()


def test_nothing_is_a_yes_on_data_that_is_too_old(served: Served) -> None:
    for case in cases(served.register):
        address = urlsplit(served.stale + case.path)
        connection = HTTPConnection(address.netloc, timeout=30)
        connection.request("GET", f"{address.path}?{address.query}")
        html = connection.getresponse().read().decode()
        connection.close()
        assert 'class="v yes"' not in html, case.name


def test_who_faces_strangers_waits_for_no_slow_sender(served: Served) -> None:
    """Forty hold a body back; who asks meanwhile is answered (docs/decisions/0044)."""
    address = urlsplit(served.stale)
    with ExitStack() as held:
        for _ in range(40):
            sender = held.enter_context(create_connection((address.hostname, address.port)))
            sender.sendall(b"POST /v1/verify HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\n{")
        assert page_bytes(served.stale + "/c/2023990703000117", 503)
        asking = urllib.request.Request(
            served.stale + "/v1/verify", b'{"queries": []}', {"Content-Type": "application/json"}
        )
        with pytest.raises(HTTPError) as refused:
            urllib.request.urlopen(asking, timeout=30)
        assert refused.value.code < 500, "a whole body is taken in beside them"
        refused.value.close()


@pytest.mark.parametrize("path", ["/v1/verify?q=", "/c/", "/search?q="])
def test_ten_megabytes_of_a_question_are_refused_at_the_door(served: Served, path: str) -> None:
    address = urlsplit(served.fresh)
    with create_connection((address.hostname, address.port), timeout=30) as asking:
        with suppress(ConnectionError):  # the door is shut long before the end
            asking.sendall(b"GET %s%s HTTP/1.1\r\nHost: here\r\n\r\n" % (path.encode(), b"9" * 10_000_000))
        told = b""
        with suppress(ConnectionError):
            told = asking.recv(100)
    assert not told or told.split()[1] in (b"414", b"431"), told
    assert page_bytes(served.fresh + "/c/2023990703000117", 200)


RULES = """() => {  // of the two sheets that every page may have: a chart's own is another's
  const rules = list => [...list].flatMap(
    one => one.cssRules?.length ? rules(one.cssRules) : one.selectorText ? [one] : []);
  return [...document.styleSheets].slice(0, 2).flatMap(sheet => rules(sheet.cssRules)).map(rule => [rule.selectorText,
    !!document.querySelector(rule.selectorText.replace(/:(hover|focus(-visible)?|:details-content)\\b/g, '') || '*')]);
}"""
ELSEWHERE = {
    ".f.bad",
    "summary",
    "details::details-content",
    ".pages",
    ".links",
    ".links a",
    ".links li",
    ".bad textarea",
}
"""What styles a long history, a list to leaf through, a report with something missing."""


def test_no_page_asks_anything_of_anybody_else_and_no_rule_of_style_is_for_nothing(
    served: Served, browser: Browser
) -> None:
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    known, used = set(), set()
    verdicts = (case_of(served, name)[1].path for name in NAMES)
    for path in (*BESIDE, "/docs", "/scan", "/report", "/nothing/here", *verdicts):
        page.goto(served.fresh + path)
        if path not in ("/docs", "/scan"):  # whose style has what only their scripts make
            for selector, matches in page.evaluate(RULES):
                known.add(selector)
                if matches:
                    used.add(selector)
    assert known - used - ELSEWHERE == set()
    strangers = [url for url in asked if not url.startswith((served.fresh, "data:", "blob:"))]
    assert strangers == []
    assert context.cookies() == []
    context.close()


@pytest.mark.parametrize("name", ["suspended", "unknown_number"])
def test_what_is_printed_says_what_when_and_of_what(served: Served, browser: Browser, name: str) -> None:
    url, case = case_of(served, name)
    page, _ = opened(browser, in_language(url, "zh"), 800, 1100)
    page.emulate_media(media="print")
    text = page.locator("main").inner_text()
    number = case.path.rpartition("/")[2]
    for held in (number, case.title.zh, LABELS["checked_at"]["zh"], LABELS["as_of"]["zh"]):
        assert held in text
    if name == "suspended":
        assert re.search(r"\b[0-9a-f]{64}\b", text), "the digest"
    for gone in ("header", "footer", "form", ".noprint"):
        assert not page.locator(gone).first.is_visible()
    page.context.close()
