"""What the real nginx says of its own accord: problem documents to programs, pages to people, from every server."""

import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.verify.node import HSTS
from services.web import SECURITY_HEADERS
from tests.conftest import ROOT

pytestmark = pytest.mark.integration
NGINX = ROOT / ".cache" / "nginx" / "nginx"
PORTS = {"verify": 8080, "events": 8081, "registry": 8082}
JSON, HTML = "application/problem+json", "text/html; charset=utf-8"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@dataclass(frozen=True, slots=True)
class Proxy:
    ports: dict[str, int]

    def ask(
        self, server: str, path: str, method: str = "GET", headers: dict[str, str] | None = None, body: bytes = b""
    ) -> tuple[int, http.client.HTTPMessage, str]:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.ports[server], timeout=30)) as line:
            line.request(method, path, body or None, headers or {})
            answer = line.getresponse()
            return answer.status, answer.headers, answer.read().decode()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]]) -> Iterator[Proxy]:
    """deploy/nginx.conf but for its ports: nobody is behind `verify` and `registry`, and `events` never answers."""
    folder = tmp_path_factory.mktemp("nginx")
    ports = dict(zip(PORTS, free_ports(3), strict=True))
    (nobody,) = free_ports(1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        behind = {"verify": nobody, "events": silent.getsockname()[1], "registry": nobody}
        text = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
        for name, port in PORTS.items():
            text = text.replace(f"listen {port};", f"listen 127.0.0.1:{ports[name]};")
            text = text.replace(f"http://${name}:{port};", f"http://127.0.0.1:{behind[name]};")
        errors = (ROOT / "deploy" / "proxy" / "errors.conf").read_text(encoding="utf-8")
        (folder / "errors.conf").write_text(errors.replace("/etc/nginx/proxy/", f"{ROOT}/deploy/proxy/"))
        text = re.sub("pid .*;", f"pid {folder}/pid;", text.replace("/etc/nginx/proxy/", f"{folder}/"))
        text = text.replace("proxy_read_timeout 60s", "proxy_read_timeout 300ms")
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        places = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
        (folder / "nginx.conf").write_text(text.replace("http {", f"http {{ {places}", 1), encoding="utf-8")
        command = [str(NGINX), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
        with subprocess.Popen([*command, "-g", "daemon off;" + ("user root;" if os.geteuid() == 0 else "")]) as running:
            try:
                _wait_until_it_listens(ports["registry"], folder / "error.log")
                yield Proxy(ports)
            finally:
                running.terminate()


def _wait_until_it_listens(port: int, log: Path) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
            time.sleep(0.02)


@pytest.mark.parametrize(
    ("server", "path", "headers", "kind"),
    [
        ("verify", "/c/2023990703000117", BROWSER, HTML),
        ("verify", "/c/2023990703000117", {}, JSON),
        ("verify", "/c/2023990703000117", {"Accept": "application/json"}, JSON),
        ("verify", "/v1/verify?q=1", BROWSER, JSON),
        ("registry", "/v1/heads?subject=1", BROWSER, JSON),
        ("registry", "/console/", BROWSER, HTML),
        ("registry", "/desk/checks", {}, HTML),
    ],
)
def test_a_service_that_is_away_is_told_in_the_form_of_its_answers(
    server: str, path: str, headers: dict[str, str], kind: str, proxy: Proxy
) -> None:
    status, told, body = proxy.ask(server, path, headers=headers)
    assert (status, told["Content-Type"], told["Retry-After"], told["Cache-Control"]) == (502, kind, "1", "no-store")
    said = dict(told.items())
    wanted = SECURITY_HEADERS | dict([HSTS])
    assert {name: said[name] for name in wanted if name != "Content-Security-Policy"} == {
        name: value for name, value in wanted.items() if name != "Content-Security-Policy"
    }
    assert said["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
    if kind == JSON:
        problem = json.loads(body)
        assert (problem["status"], problem["code"]) == (502, "service-away")
        assert problem["type"] == "urn:certmark:problem:service-away"
    else:
        assert "<h1>服务暂时没有应答</h1>" in body
        assert "<h2>The service does not answer</h2>" in body


def test_a_service_that_is_slow_is_told(proxy: Proxy) -> None:
    status, told, body = proxy.ask("events", "/v1/events", "POST", body=b"x")
    assert (status, told["Content-Type"], told["Retry-After"]) == (504, JSON, "1")
    assert json.loads(body)["code"] == "service-slow"


def test_too_much_is_told_before_it_was_sent(proxy: Proxy) -> None:
    for server, path, kind in (
        ("verify", "/v1/verify", JSON),
        ("verify", "/photo", HTML),
        ("events", "/v1/events", JSON),
        ("registry", "/v1/code-sets", JSON),
        ("registry", "/console/x", HTML),
    ):
        with socket.create_connection(("127.0.0.1", proxy.ports[server]), timeout=30) as line:
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\nContent-Length: 999999999\r\n\r\n"
            line.sendall(head.encode())
            answer = http.client.HTTPResponse(line)
            answer.begin()
            body = answer.read().decode()
        assert (answer.status, answer.headers["Content-Type"], answer.headers["Retry-After"]) == (413, kind, None), path
        assert ("too-large" if kind == JSON else "Too large") in body


def test_too_many_are_told_when_to_come_again(proxy: Proxy) -> None:
    seen = {}
    for _ in range(60):
        status, told, body = proxy.ask("verify", "/report", "POST", headers=BROWSER)
        seen[status] = (told["Content-Type"], told["Retry-After"], "Too many at once" in body)
    assert seen == {502: (HTML, "1", False), 429: (HTML, "1", True)}


def test_what_is_not_for_the_public_or_cannot_be_read(proxy: Proxy) -> None:
    for server in PORTS:
        status, told, body = proxy.ask(server, "/metrics", headers={"Accept": "application/json"})
        assert (status, told["Content-Type"], json.loads(body)["code"]) == (404, JSON, "not-found")
        status, told, _ = proxy.ask(server, "/.proxy/502.json", headers={"Accept": "application/json"})
        assert (status, told["Content-Type"]) == (404, JSON), "the files have no address of their own"
    for path, headers in (("/" + "x" * 9000, {}), ("/", {"X": "x" * 9000})):
        status, told, body = proxy.ask("events", path, headers=headers)
        assert (status, told["Content-Type"], json.loads(body)["code"]) == (400, JSON, "bad-request"), path[:9]
    with socket.create_connection(("127.0.0.1", proxy.ports["events"]), timeout=30) as line:
        line.sendall(b"GET / HTTP/1.1\r\nbad header\r\n\r\n")
        assert re.match(rb"HTTP/1.1 400 ", line.recv(4096))
