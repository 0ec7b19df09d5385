"""What the documentation names exists, and what exists is documented."""

import ast
import base64
import hashlib
import json
import re
import shlex
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import click
import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import RequestRedirect

from services import up
from services.cli import main as program
from services.events import ingest
from services.events.envelope import check_signature, check_source, open_envelope, read_event
from services.events.event_types import SCHEMAS, check_data
from services.events.keys import new_key, save_key
from services.events.log import Topics
from services.registry import api as registry
from services.registry.differences import WORDS
from services.settings import settings_from
from services.verify import api as verify
from services.verify.wording import Code, Note
from tests.whole_program import every_error

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
PAGES = (*READMES, *sorted(DOCS.rglob("*.md")))

FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
SERVICES = {8080: "verify", 8081: "events", 8082: "registry"}

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@cache
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> list[str]:
    return [body.replace("\\\n", " ") for name, body in FENCE.findall(text_of(page)) if name == language]


def spans(page: Path) -> list[str]:
    return SPAN.findall(FENCE.sub("", text_of(page)))


def commands(page: Path) -> Iterator[str]:
    """Every line that a reader may type: of the shell blocks, and what is written as code in a sentence."""
    for block in blocks(page, "sh"):
        yield from block.splitlines()
    yield from spans(page)


def table(page: Path, heading: str) -> list[list[str]]:
    """The rows of all tables whose first column has this heading."""
    rows: list[list[str]] = []
    inside = False
    for line in text_of(page).splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")] if line.startswith("|") else []
        if not cells:
            inside = False
        elif inside:
            rows.append(cells)
        elif cells[0].lower() == heading:
            inside = True
    return [row for row in rows if not row[0].startswith("---")]


# --- the command line -------------------------------------------------------------------------------------

CONTEXT = click.Context(program)
CALL = re.compile(r"(?:^|[\s(/;])certmark\s+([^|;&)]+)")


@pages
def test_every_command_and_option_exists(page: Path) -> None:
    for line in commands(page):
        for call in CALL.findall(line):
            words = shlex.split(call.partition("$(")[0], comments=True) if call.count('"') % 2 == 0 else call.split()
            check_call(words, f"{page.name}: certmark {call}")


def check_call(words: list[str], said: str) -> None:
    command: click.Command = program
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        assert words[0] in command.list_commands(CONTEXT), said
        command = below(command, words.pop(0))
    known = {option for parameter in command.params for option in parameter.opts} | {"--help", "--version"}
    for word in words:
        if word.startswith("--"):
            assert word.partition("=")[0] in known, said


def test_every_command_is_documented() -> None:
    cli = text_of(DOCS / "cli.md")
    for path in paths_of(program, "certmark"):
        assert f"## `{path}`" in cli, f"run docs/reference.py: {path} is missing"


def paths_of(command: click.Command, path: str) -> Iterator[str]:
    """The command's own path, or those of all below it."""
    if not isinstance(command, click.Group):
        yield path
        return
    for name in command.list_commands(CONTEXT):
        yield from paths_of(below(command, name), f"{path} {name}")


def below(command: click.Group, name: str) -> click.Command:
    found = command.get_command(CONTEXT, name)
    assert found is not None, name
    return found


@pages
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for line in commands(page):
        for target in re.findall(r"(?:^|\s)make ([a-z-]+)", line.partition("#")[0]):
            assert target in targets, f"make {target}"


# --- addresses --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Flask]]:
    """The three applications. None of them connects to anything while only its map is read."""
    data = tmp_path_factory.mktemp("docs")
    told = {"CERTMARK_DATA": str(data), "CERTMARK_GENESIS": "0" * 64}
    settings = settings_from(told)
    with pytest.MonkeyPatch.context() as environment:
        for name, value in told.items():
            environment.setenv(name, value)
        environment.delenv("CERTMARK_DATABASE_URL", raising=False)
        found = {
            "verify": verify.app_for(settings, lambda: datetime.now(UTC)),
            "events": ingest.app_for(settings),
            "registry": registry.create_app(),
        }
    yield found
    found["events"].extensions["certmark-ingest"].follower.stop()


def endpoint(app: Flask, method: str, path: str) -> str | None:
    adapter = app.url_map.bind("docs.example")
    try:
        found, _ = adapter.match(path, method)
    except RequestRedirect:
        return None
    except MethodNotAllowed:
        return None
    except HTTPException:
        return None
    return str(found)


METHOD = re.compile(r"(GET|POST) (/\S*)")
BARE = re.compile(r"/[a-z0-9][^\s]*")
LOCAL = re.compile(r"http://127\.0\.0\.1:(808[012])(/[^\s`\"')>|]*)?")


def addresses(page: Path) -> Iterator[tuple[str, str, str | None]]:
    """(method or empty, path, service where a port names it) of every address that a page speaks of."""
    for span in spans(page):
        if found := METHOD.fullmatch(span):
            yield found[1], found[2], None
        elif BARE.fullmatch(span):
            yield "", span, None
    for port, path in LOCAL.findall(text_of(page)):
        yield "", path or "/", SERVICES[int(port)]


def plain(path: str) -> str:
    """A path with its placeholders filled in."""
    path = urlsplit(path.replace("{form}", "svg")).path
    return re.sub(r"\{[^}]*\}|<[^>]*>|…", "2023990703000117", path)


def test_addresses_and_documentation_name_the_same(apps: dict[str, Flask]) -> None:
    named: set[tuple[str, str]] = set()
    for page in PAGES:
        for method, path, service in addresses(page):
            found = {
                (name, hit)
                for name, app in apps.items()
                for way in ([method] if method else ["GET", "POST"])
                if service in (None, name) and (hit := endpoint(app, way, plain(path)))
            }
            prefix = any(
                rule.rule.startswith(f"{plain(path)}/") for app in apps.values() for rule in app.url_map.iter_rules()
            )
            assert found or (prefix and not method), f"{page.name}: {method} {path} is answered by nobody"
            named |= found
    every = {(name, rule.endpoint) for name, app in apps.items() for rule in app.url_map.iter_rules()}
    assert every - named == set(), "addresses that no page names"


# --- settings, errors, codes ------------------------------------------------------------------------------

VARIABLE = re.compile(r"CERTMARK_[A-Z][A-Z_]*[A-Z]")


def test_settings_and_operations_name_the_same_variables() -> None:
    read = set(VARIABLE.findall((ROOT / "services" / "settings.py").read_text(encoding="utf-8")))
    assert {row[0].strip("`") for row in table(DOCS / "operations.md", "variable")} == read
    for page in PAGES:
        assert set(VARIABLE.findall(text_of(page))) <= read, page.name


def test_operations_states_the_defaults() -> None:
    settings = settings_from({})
    for name, default, *_ in table(DOCS / "operations.md", "variable"):
        value = default.strip("`")
        if re.fullmatch(r"[a-z0-9.]+", value) and value != ".data":
            assert str(getattr(settings, name.strip("`").removeprefix("CERTMARK_").lower())) == value, name


def test_errors_and_documentation_name_the_same() -> None:
    slugs = {slug for slug, error in every_error().items() if error.__module__.startswith("services.")}
    listed: set[str] = set()
    for page in sorted(DOCS.glob("*.md")):
        for row in table(page, "code"):
            listed |= set(SPAN.findall(row[0]))
    assert slugs - listed == set(), "errors that no page explains"
    assert listed - slugs - set(Code) == set(), "codes that no program has"


@pytest.mark.parametrize("page", ["log-and-leaf.md", "log-and-leaf.zh-CN.md"])
def test_what_a_replay_finds_and_documentation_name_the_same(page: str) -> None:
    rows = [line.split("|") for line in (DOCS / page).read_text(encoding="utf-8").splitlines()]
    named = [re.findall("`([^`]+)`", row[3]) for row in rows if len(row) > 3 and "`certmark replay`" in row[2]]
    assert {name for names in named for name in names} == WORDS.keys()


def test_answer_codes_and_notes_are_those_of_the_program() -> None:
    page = DOCS / "verification.md"
    coded = {span for row in table(page, "code") for span in SPAN.findall(row[0])}
    assert set(Code) <= coded
    noted = {span for row in table(page, "note beside a code") for span in SPAN.findall(row[0])}
    assert noted == set(Note)


def test_every_error_of_ours_is_said_in_both_languages() -> None:
    for slug, error in every_error().items():
        if error.__module__.startswith("services."):
            assert re.search(r"[\u4e00-\u9fff]", vars(error).get("zh", "")), slug
            assert error.title.isascii() or slug == "bad-number", slug


def test_figures_and_operations_name_the_same(apps: dict[str, Flask]) -> None:
    made = re.compile(r'telemetry\.(?:counter|gauge|histogram)\(\s*"([a-z_]+)"')
    names = {name for file in (ROOT / "services").rglob("*.py") for name in made.findall(file.read_text("utf-8"))}
    listed = {row[0].strip("`") for row in table(DOCS / "operations.md", "figure")}
    assert listed == names
    for app in apps.values():
        text = app.test_client().get("/metrics").text
        told = {family.name for family in text_string_to_metric_families(text) if family.name.startswith("certmark")}
        assert told
        assert {name.removesuffix("_created") for name in told} <= {name.removesuffix("_total") for name in names}
    named = re.compile(r"`(certmark_[a-z_]+)")
    for page in PAGES:
        assert set(named.findall(text_of(page))) <= names, page.name


def test_operations_names_the_topics() -> None:
    assert [row[0].strip("`") for row in table(DOCS / "operations.md", "topic")] == [
        topic.name for topic in Topics.under("certmark").all()
    ]


# --- links and files ----------------------------------------------------------------------------------------


@pages
def test_relative_links_resolve(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", text_of(page))):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target.partition("#")[0]).exists(), target


@pages
def test_files_that_are_named_exist(page: Path) -> None:
    made_later = text_of(ROOT / ".gitignore").split()
    for span in spans(page):
        if re.fullmatch(r"(services|schemas|deploy|docs|tests|bench)/[\w./-]+", span) and span not in made_later:
            assert (ROOT / span).exists(), span


def test_every_schema_is_linked_from_the_events_page() -> None:
    events = text_of(DOCS / "events.md")
    for schema in sorted((SCHEMAS / "events").glob("*.json")):
        assert f"(../schemas/events/{schema.name})" in events


def test_every_page_is_within_reach_of_the_readme() -> None:
    linked = {
        (page.parent / target).resolve() for page in PAGES for target in re.findall(r"\]\(([^)#\s]+)", text_of(page))
    }
    folders = {folder for folder in linked if folder.is_dir()}
    for page in PAGES:
        assert page in linked or page.parent in folders, page


# --- both languages -----------------------------------------------------------------------------------------


def test_the_readme_tries_what_the_program_prints() -> None:
    for page in READMES:
        readme = text_of(page)
        for number in up.TO_TRY:
            assert re.search(rf"^\| \[{number}\].*\|$", readme, re.MULTILINE)
        assert f"/qr/{up.MARK_TO_SCAN}.png" in readme


# --- the examples -------------------------------------------------------------------------------------------

EXAMPLES = DOCS / "examples"


@pytest.mark.parametrize("name", ["publish.py", "check_mark.py", "follow_decisions.py", "receive.py"])
def test_an_example_needs_nothing_of_ours(name: str) -> None:
    source = (EXAMPLES / name).read_text(encoding="utf-8")
    assert len(source.splitlines()) < 100  # as the README says
    for node in ast.walk(ast.parse(source)):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for module in modules:
            top = module.partition(".")[0]
            assert top in sys.stdlib_module_names or top == "cryptography", module


@pytest.mark.parametrize(
    ("name", "imports", "own"),
    [
        ("Publish.java", r"^import (?:static )?([\w.]+)", r"java\."),
        ("publish.go", r'^\t"([^"]+)"$', r"[a-z0-9/]+$"),  # a module of another's has a host's name in front
        ("publish.mjs", r'(?:from|import|require) ?\(?"([^"]+)"', r"node:"),
    ],
)
def test_an_example_needs_its_language_alone(name: str, imports: str, own: str) -> None:
    source = (EXAMPLES / name).read_text(encoding="utf-8")
    assert len(source.splitlines()) < 120  # as the README says
    found = re.findall(imports, source, re.MULTILINE)
    assert len(found) >= 3
    assert all(re.match(own, module) for module in found), found


NO_CODE = re.compile(r"\s*(//|#|/?\*|import |from |package |$)")


@pytest.mark.parametrize("name", ["publish.py", "Publish.java", "publish.go", "publish.mjs"])
def test_a_clients_lines_are_counted(name: str) -> None:
    """Without imports, comments and blank lines, as the page says."""
    source = (EXAMPLES / name).read_text(encoding="utf-8")
    for aside in (r'\A""".*?"""', r'^    """.*?"""$', r"^import \(.*?^\)"):
        source = re.sub(aside, "", source, flags=re.DOTALL | re.MULTILINE)
    counted = sum(NO_CODE.match(line) is None for line in source.splitlines())
    page = (DOCS / "connect.md").read_text(encoding="utf-8")
    assert f"(examples/{name}) | {counted} |" in page


class Desk(BaseHTTPRequestHandler):
    """A stand-in for both services, which keeps what it is sent: busy at first, then slow to decide."""

    heads: ClassVar[dict[str, Any]] = {"sequence": 4, "previous": "sha256:" + "7" * 64}
    sent: ClassVar[list[bytes]] = []
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        decisions = sum("/v1/decisions/" in path for path in self.asked)
        if self.path.startswith("/v1/heads?"):
            self._answer(200, self.heads)
        elif decisions < 2:
            self._answer(404, {"code": "not-found"})
        else:
            self._answer(200, {"decision": "pending" if decisions == 2 else "accepted"})

    def do_POST(self) -> None:
        self.sent.append(self.rfile.read(int(self.headers["Content-Length"])))
        busy = len(self.sent) == 1
        self._answer(503 if busy else 202, {"code": "log-unavailable"} if busy else {"id": "x", "digest": "y"})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: Any) -> None:
        pass


def test_the_publishing_example_writes_what_ingest_takes(tmp_path: Path) -> None:
    key = new_key()
    save_key(key, tmp_path / "key.pem")
    data = {"effective_at": "2026-11-22", "verified_on": "2026-11-22", "note": "整改完成"}
    (tmp_path / "data.json").write_text(json.dumps(data), encoding="utf-8")
    Desk.sent.clear()
    Desk.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Desk) as server:
        desk = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            ran = run_example(
                "publish.py",
                str(tmp_path / "key.pem"),
                "urn:certmark:body:CNCA-R-2019-7901",
                "7901-0042",
                "certmark.certificate.resumed.v1",
                "沪认〔2023〕第7号",
                str(tmp_path / "data.json"),
                environment={"EVENTS_URL": desk, "REGISTRY_URL": desk},
            )
        finally:
            server.shutdown()
            thread.join()
    assert ran.returncode == 0, ran.stderr
    printed, answer = ran.stdout.splitlines()
    assert json.loads(answer) == {"decision": "accepted"}
    first, again = Desk.sent
    assert first == again == printed.encode(), "after a 503 the same bytes"
    envelope = open_envelope(first)
    assert envelope.kid == key.public.kid
    check_signature(envelope, key.public)
    event = read_event(envelope)
    check_source(event, "urn:certmark:body:CNCA-R-2019-7901")
    check_data(event)
    assert (event.sequence, event.previous) == (5, "7" * 64)
    assert Desk.asked[-1] == f"/v1/decisions/{event.digest}"


VECTOR_KEY = "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"
VECTOR = bytes.fromhex(
    "01be5de2f4871950ed1907221b00000004b79741391b000732a53c638980111a000c65396a584b2d32303030422f41"
    "fa6922f63aeabe65b6db66d47b8ade2ebb8fbc0dfc70ce83d056ec046b0c66b9bf4246dda0dd55503216235c9a3c1af9e1b66b20f62479eef4a94d0801891301"
)
"""The frozen token of the format's definition: key, kid and claims are nobody's."""


@pytest.mark.parametrize(
    ("path", "token", "says"),
    [
        ("/01/06901234567892", VECTOR, "the signature holds: mark 20260012345, certificate 2026010101123456"),
        ("/01/06901234567892", VECTOR[:-1] + b"\0", "bad signature"),
        ("/01/06901234567885", VECTOR, "bad signature"),
        ("/elsewhere", VECTOR, "unreadable"),
    ],
)
def test_the_checking_example_believes_the_signature_alone(path: str, token: bytes, says: str) -> None:
    ran = run_example("check_mark.py", f"https://mark.example{path}?m={int.from_bytes(token)}", VECTOR_KEY)
    assert ran.stdout.startswith(says), ran.stdout + ran.stderr
    assert ran.returncode == (0 if says.startswith("the signature holds") else 1)


def run_example(
    name: str, *arguments: str, environment: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-I", str(EXAMPLES / name), *arguments],
        env=environment or {},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def test_the_key_of_the_documentation_is_the_one_of_the_marks(tmp_path: Path) -> None:
    """The shell line of verification.md turns a JWK's x into the hex that check_mark.py takes."""
    key = new_key()
    line = next(line for line in blocks(DOCS / "verification.md", "sh")[0].splitlines() if line.startswith("key="))
    code = shlex.split(line.split("| .venv/bin/python", 1)[1].rstrip(")"))[1]
    shown = json.dumps({"key": dict(key.public.jwk)})
    ran = subprocess.run([sys.executable, "-c", code], input=shown, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == base64.urlsafe_b64decode(key.public.jwk["x"] + "=").hex()
    assert len(hashlib.sha256(bytes.fromhex(ran.stdout)).hexdigest()) == 64


@pytest.mark.parametrize(("away", "says"), [(-1, "valid"), (1, "revoked"), (2, "suspended"), (3, "ended")])
def test_a_cose_library_alone_reads_the_vectors_of_the_offline_page(tmp_path: Path, away: int, says: str) -> None:
    (program,) = blocks(DOCS / "offline.md", "python")
    vectors = json.loads((ROOT / "tests/vectors/offline.json").read_text(encoding="utf-8"))
    (tmp_path / "trust.cbor").write_bytes(bytes.fromhex(vectors["bundle"]))
    (tmp_path / "17.cbor").write_bytes(bytes.fromhex(vectors["status_list"]))
    now = int(datetime.fromisoformat(vectors["now"]).timestamp())
    place = min(int(at) for at in vectors["statuses"]) + 1 + away

    def run(pin: str, at: int, *unit: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-W", "ignore", "-c", program, pin, str(place), str(at), *unit]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    good = run(vectors["pin"], now)
    assert good.stdout.strip() == says, good.stderr
    if says == "valid":
        told = {unit["says"]: run(vectors["pin"], now, unit["mark_no"], unit["printed"]) for unit in vectors["units"]}
        said = {says: ran.stdout.strip() for says, ran in told.items()}
        assert said == {"voided": "voided", "stands": "valid", "untold": "ask online"}
    assert run("0" * 64, now).returncode == 1
    assert run(vectors["pin"], now + 49 * 3600).returncode == 1


def test_the_layers_are_those_that_the_linter_checks() -> None:
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ][0]
    checked = [re.findall(r"\w+", layer) for layer in contract["layers"]]
    (block,) = re.findall(
        r"## Import rule\n\n```text\n(.*?)```", (ROOT / "docs/architecture.md").read_text("utf-8"), re.S
    )
    told = [re.findall(r"\w+", line.partition("   ")[0]) for line in block.splitlines()]
    assert told == checked
