"""The sample clients of docs/connect.md, each in its own language, against one running system and over a bad line."""

import itertools
import json
import os
import shlex
import shutil
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from services.events.conform.producer_cases import FORMS
from tests.conftest import ROOT
from tests.system import CERTMARK, System, get_json

EXAMPLES = ROOT / "docs" / "examples"
CLIENTS = ("publish.py", "Publish.java", "publish.go", "publish.mjs")
BODY = "CNCA-R-2019-7901"
SOURCE = f"urn:certmark:body:{BODY}"
ACTIVE = "2023990703000117"
NUMBERS = itertools.count(900_001)
QUICK = {"JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1", "LC_ALL": "C.UTF-8"}
TODAY = (datetime.now(UTC) + timedelta(hours=8)).date()

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """How each is started. Java's and Go's are built once; Go's library stays in the cache."""
    built = tmp_path_factory.mktemp("built")
    # Nothing is fetched, neither a module nor another toolchain; no C compiler is needed.
    alone = {"GOCACHE": str(ROOT / ".cache" / "go"), "GOPROXY": "off", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    for words in (
        [tool("javac"), "-d", str(built), str(EXAMPLES / "Publish.java")],
        [tool("go"), "build", "-o", str(built / "publish"), str(EXAMPLES / "publish.go")],
    ):
        done = subprocess.run(words, env=os.environ | alone, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return {
        "publish.py": [sys.executable, str(EXAMPLES / "publish.py")],
        "Publish.java": [tool("java"), "-cp", str(built), "Publish"],
        "publish.go": [str(built / "publish")],
        "publish.mjs": [tool("node"), str(EXAMPLES / "publish.mjs")],
    }


@pytest.fixture(params=CLIENTS)
def command(request: pytest.FixtureRequest, commands: dict[str, list[str]]) -> list[str]:
    return commands[request.param]


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"there is no {name}: `make test T=tests/clients` installs it where it may")
    return found


def test_a_client_issues_over_a_line_that_is_cut(system: System, command: list[str], tmp_path: Path) -> None:
    number = f"{TODAY.year}990703{next(NUMBERS)}"
    with Line(system) as line:
        bad = {"EVENTS_URL": line.url, "REGISTRY_URL": line.url}
        code, jws, answer = run(command, system, tmp_path, "issued", number, a_certificate(), **bad)
    assert (code, answer["decision"]) == (0, "accepted")
    assert line.lost == ["POST", "GET"], "the first answer of either kind did not arrive"
    assert line.posted == [jws.encode()] * 3, "after a cut line and after a 503 the same bytes"
    assert get_json(f"{system.registry}/v1/heads?{urlencode({'source': SOURCE, 'subject': number})}") == {
        "sequence": 1,
        "previous": f"sha256:{answer['digest']}",
    }


EXAMINED = (
    *("again/es256", "again/unknown-key", "turned-away/400"),
    *("decided/refused-new-code", "decided/stale", "content/texts"),
)
"""One case of each kind; docs/conform.md lists all, and all four pass them (`certmark conform --producer`)."""


def test_every_client_does_what_is_asked_of_a_body_s_own(commands: dict[str, list[str]]) -> None:
    """Examined as they are, all at once: most of the time they wait, as they were told to."""
    only = [word for case in EXAMINED for word in ("--only", case)]
    between = [sys.executable, str(EXAMPLES / "as_producer.py")]
    environment = os.environ | QUICK
    running = {
        name: subprocess.Popen(
            [str(CERTMARK), "conform", "--json", *only, "--producer", shlex.join([*between, *command])],
            stdout=subprocess.PIPE,
            env=environment,
        )
        for name, command in commands.items()
    }
    for name, process in running.items():
        report = json.loads(process.communicate(timeout=120)[0])
        wrong = {case["id"]: case["why"] for case in report["cases"] if case["verdict"] != "passed"}
        assert (name, wrong, process.returncode) == (name, {}, 0)
        assert report["counts"]["passed"] == len(EXAMINED) + len(FORMS)


def test_what_a_client_left_unknown_can_be_sent_as_it_was_printed(
    system: System, command: list[str], tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    nobody = {"EVENTS_URL": f"http://127.0.0.1:{free_ports(1)[0]}", "TRIES": "2"}
    data = {"effective_at": TODAY.isoformat(), "note": "监督检查通过"}
    code, jws, answer = run(command, system, tmp_path, "surveillance_passed", ACTIVE, data, **nobody)
    assert (code, answer) == (2, {})
    system.certmark("publish", "--wait", given=jws.encode())


def a_certificate() -> dict[str, Any]:
    """The data of an event that issues one today: the schema's own example with its dates moved."""
    example = json.loads((ROOT / "schemas" / "events" / "certificate.issued.v1.json").read_text("utf-8"))["examples"][0]
    moved = dict.fromkeys(("effective_at", "issued_on", "first_issued_on", "valid_from"), TODAY.isoformat())
    moved["valid_until"] = (TODAY + timedelta(days=1800)).isoformat()
    moved["surveillance_due"] = (TODAY + timedelta(days=300)).isoformat()
    return {**example, **moved}


def run(
    command: list[str],
    system: System,
    folder: Path,
    event: str,
    subject: str,
    data: dict[str, Any],
    **environment: str,
) -> tuple[int, str, dict[str, Any]]:
    """Exit code, printed event and printed answer (empty: none) of a client that publishes `certificate.<event>`."""
    (folder / "data.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    key = str(system.data / "keys" / f"{BODY}.pem")
    arguments = [key, SOURCE, "7901-0042", f"certmark.certificate.{event}.v1", subject, str(folder / "data.json")]
    given = QUICK | {"EVENTS_URL": system.events, "REGISTRY_URL": system.registry, **environment}
    done = subprocess.run([*command, *arguments], env=os.environ | given, capture_output=True, timeout=60, check=False)
    printed = done.stdout.decode().splitlines()
    assert printed, done.stderr.decode()
    return done.returncode, printed[0], json.loads(printed[1]) if printed[1:] else {}


class Line:
    """A proxy before events and registry. It passes on the first event and the first question for a decision, but cuts
    the line instead of answering; the second event it turns away with 503; the rest goes through."""

    def __init__(self, system: System) -> None:
        self.posted: list[bytes] = []
        self.lost: list[str] = []
        line = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = forward(system.registry + self.path)
                if "/v1/decisions/" in self.path and "GET" not in line.lost:
                    self.cut()
                else:
                    self.answer(status, body)

            def do_POST(self) -> None:
                line.posted.append(self.rfile.read(int(self.headers["Content-Length"])))
                if len(line.posted) == 2:
                    self.answer(503, b'{"code": "log-unavailable"}', ("Retry-After", "1"))
                    return
                status, body = forward(system.events + self.path, line.posted[-1], self.headers["Content-Type"])
                if len(line.posted) == 1:
                    assert status == 202, body
                    self.cut()
                else:
                    self.answer(status, body)

            def cut(self) -> None:
                line.lost.append(self.command)
                self.close_connection = True  # and not a byte of an answer

            def answer(self, status: int, body: bytes, *more: tuple[str, str]) -> None:
                self.send_response(status)
                for name, value in (("Content-Length", str(len(body))), *more):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Line":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def forward(url: str, body: bytes | None = None, content_type: str = "") -> tuple[int, bytes]:
    request = urllib.request.Request(url, body, {"Content-Type": content_type} if body else {})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as problem:
        return problem.code, problem.read()
