"""Whatever a body, a holder or a scheme calls itself: the pages of a verify node show it as text, in every place."""

import json
import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from werkzeug.test import TestResponse

from services.verify.pages import NAVIGATION
from tests.sealed_register import DEMONSTRATION, SealedRegister
from tests.verify_service import Service

HOSTILE = (
    "<script>x</script><img src=x onerror=x>\"'><svg onload=x>{{7*7}}{% raw %}</title></style></textarea>--%>&lt;b&gt;"
)
_WORDS = re.compile("[\u3400-\u9fff]")


class Hostile(SealedRegister):
    """A register in whose records every text in Chinese ends in markup."""

    def publish(self, key: str, state: Mapping[str, Any] | None, **more: Any) -> bytes:
        return super().publish(key, _spoilt(state) if isinstance(state, Mapping) else state, **more)


def _spoilt(value: Any) -> Any:
    if isinstance(value, str):
        return value + HOSTILE if _WORDS.search(value) else value
    if isinstance(value, Mapping):
        return {name: _spoilt(one) for name, one in value.items()}
    return [_spoilt(one) for one in value] if isinstance(value, list | tuple) else value


class Seen(HTMLParser):
    """What a browser would make of a page that is of others' making, and how often the hostile text is shown."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.bad: list[str] = []
        self.shown = 0
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag in ("script", "iframe", "object", "embed", "base") or any(name.startswith("on") for name in named):
            self.bad.append(f"{tag} {named}")
        if tag == "img" and named.get("src") == "x":
            self.bad.append(tag)
        self.shown += sum("onerror=x" in (value or "") for value in named.values())
        href = named.get("href") or named.get("action") or ""
        self.links.append(href)
        if href.lower().lstrip().startswith(("javascript:", "vbscript:")):
            self.bad.append(href)

    def handle_data(self, data: str) -> None:
        self.shown += "<img src=x onerror=x>" in data
        if "49{%" in data or '">49' in data:
            self.bad.append("computed")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("hostile"), Hostile().publish_all())
    yield service
    service.projector.close()


def addresses() -> Iterator[str]:
    yield from (address for address, _ in NAVIGATION if address != "/scan")
    for row in DEMONSTRATION["certificates"]:
        yield f"/c/{quote(row['number'], safe='')}"
    yield from (f"/bodies/{body['approval_no']}" for body in DEMONSTRATION["bodies"])
    for asked in (HOSTILE, "空调", "示范", "06909900123007", "javascript:alert(1)"):
        yield f"/?q={quote(asked, safe='')}"
        yield f"/search?q={quote(asked[:40], safe='')}"
    yield f"/c/{quote(HOSTILE, safe='')}"
    yield f"/01/06909900123007/21/{quote(HOSTILE, safe='')}"


def test_no_name_becomes_markup_on_any_page(service: Service) -> None:
    shown, waiting, asked = 0, list(addresses()), set[str]()
    while waiting:
        address = waiting.pop()
        if address in asked:
            continue
        asked.add(address)
        answer = service.client.get(address, headers={"Accept": "text/html"})
        if answer.mimetype != "text/html":
            continue
        seen = read(answer)
        assert seen.bad == [], address
        shown += seen.shown
        # The other language and one step further: marks, products, schemes.
        waiting += [link for link in seen.links if of_a_page(link) and len(asked) + len(waiting) < 150]
    assert shown > 50, "the hostile texts are shown, as texts"


def of_a_page(link: str) -> bool:
    return urlsplit(link).path.startswith(("/m/", "/marks/", "/products/", "/01/", "/c/", "/bodies/"))


def read(answer: TestResponse) -> Seen:
    seen = Seen()
    seen.feed(answer.text)
    seen.close()
    return seen


def test_in_json_a_name_is_what_it_is(service: Service) -> None:
    answer = service.client.get("/v1/verify?q=2023990703000117")
    assert json.loads(answer.text)["certificate"]["holder"]["name"].endswith(HOSTILE)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
