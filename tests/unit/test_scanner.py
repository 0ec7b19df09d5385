"""The scanner's page and files as they are served, with the packages of npm and without."""

import base64
import hashlib
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from services.settings import settings_from
from services.verify import scan_page
from services.verify.api import app_for
from services.verify.scanner import OFFLINE, READER, Scanner, scanner
from services.verify.wording import ANSWERS, Family

FOLDER = Path(__file__).parents[2] / "services" / "verify" / "scan"


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    for name in (*OFFLINE, *READER):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"// {name}\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def client(tmp_path: Path, packages: Path, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    made = scanner(packages)
    monkeypatch.setattr(scan_page, "_made", lambda: made)
    return app_for(
        settings_from({"CERTMARK_DATA": str(tmp_path)}), lambda: datetime(2026, 11, 1, tzinfo=UTC)
    ).test_client()


def hashed(content: bytes, algorithm: str) -> str:
    return f"{algorithm}-{base64.b64encode(hashlib.new(algorithm, content).digest()).decode()}"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_names_its_files_by_build_and_hash(client: FlaskClient, language: str) -> None:
    answer = client.get(f"/scan?lang={language}")
    page = answer.get_data(as_text=True)
    policy = answer.headers["Content-Security-Policy"]
    (inline,) = re.findall(r'<script type="importmap">(.*?)</script>', page)
    assert hashed(inline.encode(), "sha256") in policy
    for style in re.findall(r"<style>(.*?)</style>", page, re.DOTALL):
        assert hashed(style.encode(), "sha256") in policy
    for address, integrity in json.loads(inline)["integrity"].items():
        file = client.get(address)
        assert hashed(file.get_data(), "sha384") == integrity, address
        assert "immutable" in file.headers["Cache-Control"]
        assert file.content_type.startswith("text/javascript")
    preloaded = dict(re.findall(r'<link rel="modulepreload" href="([^"]+)" integrity="([^"]+)">', page))
    assert preloaded.items() <= json.loads(inline)["integrity"].items()
    assert "zxing" not in "".join(preloaded), "loaded after the tap only"
    assert not re.search(r"https?://(?!www\.w3\.org)", page), "nothing from elsewhere"


def test_only_this_page_has_script_and_a_camera(client: FlaskClient) -> None:
    page, front, error = client.get("/scan"), client.get("/"), client.get("/scan/0/none.js")
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert "'wasm-unsafe-eval'" in page.headers["Content-Security-Policy"]
    assert "'unsafe-eval'" not in page.headers["Content-Security-Policy"].replace("wasm-unsafe", "")
    assert "unsafe-inline" not in page.headers["Content-Security-Policy"]
    assert page.headers["Permissions-Policy"].startswith("camera=(self)")
    assert "Set-Cookie" not in page.headers
    for other in (front, error):
        assert "script-src" not in other.headers["Content-Security-Policy"]
        assert other.headers["Permissions-Policy"].startswith("camera=()")
    assert error.status_code == 404
    assert b"<script" not in front.get_data()


def test_the_service_worker_keeps_all_but_the_reader(client: FlaskClient, packages: Path) -> None:
    worker = client.get("/scan/worker.js")
    assert worker.headers["Service-Worker-Allowed"] == "/scan"
    assert worker.headers["Cache-Control"] == "no-cache"
    told = worker.get_data(as_text=True)
    listed = json.loads(re.search(r"^const FILES = (.*)$", told, re.MULTILINE)[1])  # type: ignore[index]
    made = scanner(packages)
    assert {name for name in made.files if made.address(name) not in listed} == {f"lib/{name}" for name in READER}


def test_another_byte_is_another_address(packages: Path) -> None:
    before = scanner(packages).build
    assert scanner(packages).build == before
    (packages / OFFLINE[0]).write_text("// changed\n", encoding="utf-8")
    assert scanner(packages).build != before


def test_without_the_packages_the_page_says_what_it_cannot(tmp_path: Path, packages: Path) -> None:
    made = scanner(tmp_path / "nothing")
    assert (made.offline, made.reader) == (False, False)
    assert not any(name.startswith("lib/") for name in made.files)
    (packages / READER[0]).unlink()
    made = scanner(packages)
    assert (made.offline, made.reader) == (True, False)


def test_no_file_outside_the_table_is_served(client: FlaskClient, packages: Path) -> None:
    build = scanner(packages).build
    for name in (
        "package.json",
        "package-lock.json",
        "worker.js",
        "../wording.py",
        "lib/cborg/lib/bin.js",
        "lib/../page.js",
    ):
        assert client.get(f"/scan/{build}/{name}").status_code == 404, name
    assert client.get(f"/scan/{'0' * 16}/page.js").status_code == 404


def test_every_sentence_that_the_script_asks_for_is_there(packages: Path) -> None:
    made: Scanner = scanner(packages)
    words = json.loads(made.files["words.json"].content)
    script = "".join((FOLDER / name).read_text(encoding="utf-8") for name in ("page.js", "show.js", "words.js"))
    asked = set(re.findall(r"label\('(\w+)'", script)) | set(re.findall(r"\b(?:say|said|note)\('(\w+)'", script))
    assert asked <= words["label"].keys()
    assert {f"camera_{reason}" for reason in ("denied", "missing")} <= words["label"].keys()
    assert words["answers"].keys() == {code.value for code in ANSWERS}
    yes = {code for code, told in words["answers"].items() if told["family"] == Family.YES}
    assert yes == {"valid"}


def test_the_scripts_name_no_other_host_and_build_no_markup() -> None:
    for path in FOLDER.glob("*.js"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text), (
            path.name
        )
        assert not re.search(r"fetch\(['\"`]https?:", text), path.name


def test_the_lock_names_no_index_and_pins_every_package() -> None:
    lock = json.loads((FOLDER / "package-lock.json").read_text(encoding="utf-8"))
    for name, package in lock["packages"].items():
        assert "resolved" not in package
        assert not name or package["integrity"].startswith("sha512-")
