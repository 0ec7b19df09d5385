"""What the proxy lets through is what the services take, and every link of a public page leads through it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from urllib.parse import urlsplit

import pytest
from flask import Flask
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import RequestRedirect

from deploy.proxy import says
from services import web
from services.events.ingest import MAX_REQUEST
from services.registry import api as registry
from services.registry.checks import routes as checks
from services.registry.console import routes as console
from services.registry.desk.room import UPLOADS
from services.settings import settings_from
from services.verify.api import app_for
from services.verify.node import HSTS, MACHINE
from services.verify.pages import NAVIGATION
from services.verify.projector import Projector
from services.verify.report_routes import LARGEST as LARGEST_REPORT
from tests.conftest import ROOT
from tests.sealed_register import DEMONSTRATION, NOW, STATE, ListLog, SealedRegister

BYTES = {"k": 1 << 10, "m": 1 << 20}
REGISTRY_URL = "https://register.example"
LINK = re.compile(r'(?:href|src|action)="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Location:
    """A `location` of nginx.conf: how it is matched, and what it says."""

    how: str
    path: str
    body: str

    def takes(self, path: str) -> bool:
        if self.how == "=":
            return path == self.path
        return bool(re.search(self.path, path)) if self.how == "~" else path.startswith(self.path)


def servers() -> dict[int, tuple[str, list[Location]]]:
    """By port, what is said of the whole server, and its locations."""
    text = re.sub(r"#.*", "", (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8"))
    found = {}
    for part in text.split("server {")[1:]:
        located = re.findall(r"location (=|~)? ?(\S+) \{([^}]*)\}", part)
        said = re.sub(r"location [^{]*\{[^}]*\}", "", part)
        port = re.search(r"listen (\d+);", said)
        assert port
        found[int(port[1])] = (said, [Location(*one) for one in located])
    return found


def located(port: int, path: str) -> tuple[str, Location]:
    """Which location takes a path: the exact one, then the first regular expression, then the longest beginning."""
    said, locations = servers()[port]
    order = {"=": 0, "~": 1, "": 2}
    fitting = [one for one in locations if one.takes(path)]
    return said, min(fitting, key=lambda one: (order[one.how], -len(one.path) if one.how == "" else 0))


def largest(port: int, path: str) -> int:
    """Bytes of a body that the proxy lets through there."""
    said, location = located(port, path)
    for text in (location.body, said):
        if limit := re.search(r"client_max_body_size (\d+)([km]);", text):
            return int(limit[1]) * BYTES[limit[2]]
    return 1 << 20


@pytest.mark.parametrize(
    ("port", "path", "wanted"),
    [
        (8080, "/v1/verify", web.LARGEST_BODY),
        (8080, "/v1/checks", web.LARGEST_BODY),
        (8080, "/photo", web.LARGEST_BODY),
        (8080, "/report", LARGEST_REPORT),
        (8081, "/v1/events", MAX_REQUEST),
        (8082, "/v1/code-sets", web.LARGEST_BODY),
        (8082, "/v1/checks", checks.LARGEST),
        (8082, "/desk/checks/new", max(UPLOADS.values())),
        (8082, "/desk/cases/1/captures", max(UPLOADS.values())),
        (8082, "/console/upload", console.LARGEST_REQUEST),
    ],
)
def test_the_proxy_lets_through_what_a_service_takes(port: int, path: str, wanted: int) -> None:
    assert wanted <= largest(port, path), "the service would take it, and the proxy refuses it"


def test_a_slow_sender_waits_at_the_proxy_and_not_in_a_workers_thread() -> None:
    """The registry, which takes files of many MiB, takes them part by part itself (`services.asgi`)."""
    for port in (8080, 8081):
        said, locations = servers()[port]
        assert not any("proxy_request_buffering" in text for text in (said, *(one.body for one in locations)))


def test_nobody_outside_reads_the_figures_of_a_process() -> None:
    for port in servers():
        assert "return 404" in located(port, "/metrics")[1].body


def test_no_page_is_sent_to_another_address() -> None:
    """What stands as `location /name/` before a service makes nginx answer /name with a redirect of its own."""
    prefixes = {one.path for _, locations in servers().values() for one in locations if one.how == ""}
    assert {prefix for prefix in prefixes if prefix.endswith("/")} == {"/", "/console/"}


# --- where the links of the pages lead -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def verify(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    data = tmp_path_factory.mktemp("proxy")
    told = SealedRegister().publish_all()
    projector = Projector(ListLog(told.values), STATE, told.genesis, data / "verify")
    while projector.step():
        pass
    projector.close()
    return app_for(settings_from({"CERTMARK_DATA": str(data), "CERTMARK_REGISTRY_URL": REGISTRY_URL}), lambda: NOW)


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """The registry's application. It connects to nothing while only its map is read."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CERTMARK_DATA", str(tmp_path_factory.mktemp("registry")))
        environment.setenv("CERTMARK_GENESIS", "0" * 64)
        environment.delenv("CERTMARK_DATABASE_URL", raising=False)
        return registry.create_app()


def has(app: Flask, path: str) -> bool:
    """Whether the application has a page or form there."""
    for method in ("GET", "POST"):
        try:
            app.url_map.bind("proxy.example").match(path, method)
        except RequestRedirect:
            return True
        except MethodNotAllowed:
            continue
        except HTTPException:
            return False
        return True
    return False


def pages() -> Iterator[str]:
    """Every page that links, and every verdict of the demonstration."""
    yield from (address for address, _ in NAVIGATION)
    yield from ("/marks/ccc", "/bodies/CNCA-R-2019-7901", "/report", "/?q=2099990703000117", "/?q=空调", "/?q=xx")
    yield from (f"/c/{row['number']}" for row in DEMONSTRATION["certificates"])


def test_every_link_of_a_public_page_leads_somewhere_through_the_proxy(verify: Flask, registered: Flask) -> None:
    client = verify.test_client()
    asked: set[str] = set()
    outside: set[str] = set()
    for page in pages():
        answer = client.get(page, headers={"Accept": "text/html"})
        for link in LINK.findall(answer.text):
            target = urlsplit(unescape(link))
            if target.scheme == "data" or not target.path:
                continue
            own, port = (registered, 8082) if target.netloc else (verify, 8080)
            assert not target.netloc or f"{target.scheme}://{target.netloc}" == REGISTRY_URL, f"{page}: {link}"
            assert has(own, target.path), f"{page}: {link} leads nowhere"
            assert "return 404" not in located(port, target.path)[1].body, f"{page}: {link}"
            (outside if target.netloc else asked).add(target.path)
    assert len(asked) > 50
    assert {"/v1/dumps"} < outside


# --- what it says of its own accord ----------------------------------------------------------------------------------


def test_the_files_are_what_their_program_writes() -> None:
    kept = {path.name: path.read_text(encoding="utf-8") for path in says.FOLDER.glob("*.[hj]*")}
    assert kept == says.files(), "run `python -m deploy.proxy.says`"


def test_every_server_says_each_of_them_with_the_headers_of_the_services() -> None:
    told = (says.FOLDER / "errors.conf").read_text(encoding="utf-8")
    assert {int(status) for status in re.findall(r"/\.proxy/(\d+)\.\$form;", told)} == set(says.SAID)
    for status, said in says.SAID.items():
        assert said.error.status == status
    headers = web.SECURITY_HEADERS | dict([HSTS]) | {"Content-Security-Policy": says.CSP}
    for name, value in headers.items():
        assert re.search(f'add_header {name} "?{re.escape(value)}"? always;', told), name
    for said_of_all, _ in servers().values():
        assert "include /etc/nginx/proxy/errors.conf;" in said_of_all


def test_an_address_for_programs_is_one_for_the_service_too() -> None:
    """Where verify answers with problem documents whatever is accepted, the proxy does."""
    text = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    named = re.search(r'"~\^verify /\(([^)]+)\)/" json;', text)
    assert named
    assert {f"/{name}/" for name in named[1].replace("\\", "").split("|")} == {one for one in MACHINE if one[-1] == "/"}
