"""What is deployed agrees with what there is: commands, ports, environment, locks, image, proxy, make targets."""

import importlib
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.cli import PLACES
from services.settings import settings_from
from services.up import children
from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
REGISTRY = {"migrate", "registry-worker", "registry-relay", "registry-lists", "registry-webhooks", "registry"}
REGISTRY |= {"registry-signer", "registry-checks", "registry-complaints"}
HTTP = {"verify": 8080, "events": 8081, "registry": 8082}
WITHOUT_HTTP = {
    "kafka-access",
    "migrate",
    "registry-worker",
    "registry-relay",
    "registry-lists",
    "registry-complaints",
    "registry-webhooks",
    "registry-signer",
    "registry-checks",
    "verify-projector",
    "verify-scans",
}
ONCE = {"kafka-access", "migrate"}
VERIFY = {"verify-projector", "verify-scans", "verify"}
NAME_AT_THE_BROKER = {**dict.fromkeys(REGISTRY, "registry"), "events": "events", **dict.fromkeys(VERIFY, "verify")}
SEALS = {"registry-relay", "registry-complaints", "registry-webhooks", "registry-checks", "registry"}
SIGNS_MARKS = {"registry-worker", "registry-signer"}
OWN = sorted(HTTP.keys() | WITHOUT_HTTP)


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def requirements(name: str) -> dict[str, list[str]]:
    """Each requirement of a lock file (`name==version`) with its hashes."""
    found: dict[str, list[str]] = {}
    last = ""
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        if pinned := re.match(r"([a-z0-9._-]+==[^\s;]+)", line):
            last = pinned[1]
            found[last] = []
        found.setdefault(last, []).extend(re.findall(r"--hash=sha256:([0-9a-f]{64})", line))
    found.pop("", None)
    return found


def test_every_part_of_the_system_is_there(compose: dict[str, Any]) -> None:
    assert compose["services"].keys() == {*OWN, "kafka", "postgres", "nginx"}


def test_one_machine_and_compose_run_the_same_processes(compose: dict[str, Any]) -> None:
    def what(command: list[str]) -> str:
        """What a process is, without the options that differ: the module that it runs, or the application."""
        return command[-1] if "granian" in command else command[command.index("-m") + 1]

    alone = {what(child.command) for child in children(settings_from({}))}
    composed = {what(compose["services"][name]["command"]) for name in set(OWN) - ONCE}
    assert alone == composed
    facing = {what(child.command) for child in children(settings_from({"CERTMARK_HOST": "192.0.2.1"}))}
    assert facing ^ alone == {f"services.verify.api:{name}" for name in ("create_app", "create_server")}


@pytest.mark.parametrize("service", OWN)
def test_every_command_exists(service: str, compose: dict[str, Any]) -> None:
    command = compose["services"][service]["command"]
    match command:
        case ["certmark", subcommand, *_]:
            assert subcommand in PLACES
        case ["python", "-m", module]:
            found = importlib.import_module(module)
            if found.__spec__ is not None and found.__spec__.submodule_search_locations is not None:
                found = importlib.import_module(f"{module}.__main__")
            assert callable(found.main)
        case ["granian", *options, target]:
            module, _, factory = target.partition(":")
            assert callable(getattr(importlib.import_module(module), factory))
            assert options[options.index("--port") + 1] == str(HTTP[service])
            assert options[options.index("--blocking-threads") + 1] == "1"
        case _:
            pytest.fail(f"{command}: no such kind of command")


def test_the_ports_are_the_defaults_of_the_settings(compose: dict[str, Any]) -> None:
    defaults = settings_from({})
    assert {name: getattr(defaults, f"{name}_port") for name in HTTP} == HTTP
    assert sorted(compose["services"]["nginx"]["ports"]) == sorted(f"{port}:{port}" for port in HTTP.values())
    proxy = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    for name, port in HTTP.items():
        assert f"listen {port};" in proxy
        assert f"proxy_pass http://${name}:{port};" in proxy


@pytest.mark.parametrize("service", OWN)
def test_the_environment_is_one_that_the_settings_read_and_accept(service: str, compose: dict[str, Any]) -> None:
    environment = compose["services"][service]["environment"]
    source = (ROOT / "services" / "settings.py").read_text(encoding="utf-8")
    assert all(f'"{name}"' in source for name in environment)
    forms = {"GENESIS": "0" * 64, "URL": "https://given", "ISSUER": "https://given"}
    given = {name: forms.get(name.rpartition("_")[2], "given") for name in environment}
    filled = {name: re.sub(r"\$\{[^}]*\}", given[name], value) for name, value in environment.items()}
    settings = settings_from(filled)
    assert settings.production
    assert settings.log == "kafka"


def test_nobody_knows_a_secret_that_its_work_does_not_need(compose: dict[str, Any]) -> None:
    for name in OWN:
        service = compose["services"][name]
        assert ("CERTMARK_DATABASE_URL" in service["environment"]) == (name in REGISTRY), name
        secrets = set(service.get("secrets", ()))
        mounted = any(":/run/mark:ro" in volume for volume in service.get("volumes", ()))
        assert mounted == (name in SIGNS_MARKS) == ("CERTMARK_MARK_KEY" in service["environment"]), name
        assert ("seal_key" in secrets) == (name in SEALS), name
        assert secrets & {"status_key", "trust_key"} == (
            {"status_key", "trust_key"} if name == "registry-lists" else set()
        )
        if name in NAME_AT_THE_BROKER:
            own = f"kafka_{NAME_AT_THE_BROKER[name]}"
            assert service["environment"]["CERTMARK_KAFKA_PASSWORD_FILE"] == f"/run/secrets/{own}"
            assert secrets - {"seal_key", "status_key", "trust_key", "postgres_client"} == {own, "kafka_ca"}, name
        assert ("postgres_client" in secrets) == (name in REGISTRY), name
        assert not [told for told in service["environment"] if "PASSWORD" in told and not told.endswith("_FILE")], name


def test_no_containers_log_fills_the_disk(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert {"max-size", "max-file"} <= service["logging"]["options"].keys(), name


def test_what_leaves_the_brokers_container_is_encrypted_and_has_a_name(compose: dict[str, Any]) -> None:
    for name in OWN:
        environment = compose["services"][name]["environment"]
        near = compose["services"][name].get("network_mode") == "service:kafka"
        assert environment["CERTMARK_KAFKA_SECURITY"] == ("plaintext" if near else "sasl_ssl"), name
    broker = compose["services"]["kafka"]["environment"]
    kinds = dict(pair.split(":") for pair in broker["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    for listener in broker["KAFKA_LISTENERS"].split(","):
        kind, _, address = listener.partition("://")
        assert address.startswith("localhost:") or kinds[kind] == "SASL_SSL"


def test_the_brokers_door_is_the_one_that_the_tests_go_through(compose: dict[str, Any]) -> None:
    tested = dict(
        line.split("=", 1)
        for line in (DEPLOY / "kafka" / "secured.properties").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    )
    composed = {
        name.removeprefix("KAFKA_").lower().replace("___", "-").replace("_", "."): value
        for name, value in compose["services"]["kafka"]["environment"].items()
    }
    for name, value in tested.items():
        if "$" not in value and "protocol.map" not in name:
            assert composed[name.replace("sasl_ssl", "outside")] == value, name


@pytest.mark.parametrize("service", [*HTTP, "kafka", "postgres", "nginx"])
def test_what_listens_has_a_health_check(service: str, compose: dict[str, Any]) -> None:
    check = compose["services"][service]["healthcheck"]
    assert check["test"][0] == "CMD"
    if service in HTTP:
        assert f"http://127.0.0.1:{HTTP[service]}/readyz" in check["test"][-1]


def test_what_runs_without_a_listener_is_started_again_when_it_ends(compose: dict[str, Any]) -> None:
    for name in WITHOUT_HTTP - ONCE:
        assert compose["services"][name]["restart"] == "unless-stopped", name


def test_the_broker_of_tests_and_the_one_of_compose_keep_everything(compose: dict[str, Any]) -> None:
    tested = dict(
        line.split("=", 1)
        for line in (DEPLOY / "kafka" / "server.properties").read_text(encoding="utf-8").splitlines()
        if "=" in line and not line.startswith("#")
    )
    composed = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value
        for name, value in compose["services"]["kafka"]["environment"].items()
    }
    for name in ("log.retention.ms", "log.flush.interval.messages", "auto.create.topics.enable"):
        assert tested[name] == composed[name]
    pom = (DEPLOY / "kafka" / "pom.xml").read_text(encoding="utf-8")
    assert f"<version>{compose['services']['kafka']['image'].partition(':')[2]}</version>" in pom


@pytest.mark.parametrize("file", sorted(p.name for p in DEPLOY.iterdir() if p.is_file()))
def test_no_secret_and_no_address_of_an_index(file: str) -> None:
    text = (DEPLOY / file).read_text(encoding="utf-8")
    assert not re.search(r"index-url|find-links|trusted-host|BEGIN [A-Z ]*PRIVATE KEY", text)
    assert not re.search(r"(?i)password[\"']?\s*[:=]\s*(?!\$\{|\?)\S", text)
    assert "latest" not in text


def test_the_image_installs_what_was_pinned_and_runs_as_nobody_in_particular() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    installs = [line for line in text.splitlines() if "pip install" in line]
    assert len(installs) == 2
    assert "--require-hashes -r requirements.lock" in installs[0]
    assert "--no-index --no-deps --no-build-isolation" in installs[1]
    assert re.search(r"^USER certmark$", text, re.MULTILINE)
    allowed = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    copied = {word for line in re.findall(r"^COPY (?!--)(.*)$", text, re.MULTILINE) for word in line.split()[:-1]}
    assert {f"!{name}" for name in copied} <= set(allowed)
    assert allowed[0] == "*"


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_the_locks_pin_every_requirement_by_hash_and_name_no_address(name: str) -> None:
    found = requirements(name)
    assert len(found) > 20
    assert all(found.values())
    assert "://" not in (ROOT / name).read_text(encoding="utf-8")


def test_the_tests_run_on_what_is_deployed() -> None:
    assert requirements("requirements.lock").items() <= requirements("requirements-dev.lock").items()


def test_the_locks_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    def names(wanted: list[str]) -> set[str]:
        return {re.split(r"[<>=;!\[ ]", each, maxsplit=1)[0].lower() for each in wanted}

    runtime = {pinned.partition("==")[0] for pinned in requirements("requirements.lock")}
    dev = {pinned.partition("==")[0] for pinned in requirements("requirements-dev.lock")}
    assert names(project["dependencies"]) | names(project["optional-dependencies"]["build"]) <= runtime
    assert names(project["optional-dependencies"]["dev"]) <= dev


def test_make_offers_what_the_contract_names() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    offered = set(re.findall(r"make ([a-z-]+)", shown))
    assert {"run", "run-kafka", "test", "lint", "bench", "faults", "help"} <= offered


def test_a_wheel_holds_everything_that_the_code_reads(tmp_path: Path) -> None:
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "-q",
            "--no-index",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            tmp_path,
            ".",
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("certmark-*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "services", "schemas"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert set(tracked) <= packed
    entry = zipfile.ZipFile(wheel).read(next(n for n in packed if n.endswith("entry_points.txt"))).decode()
    assert "certmark = services.entry:main" in entry
    for name in packed:
        if name.startswith("schemas/") and name.endswith(".json"):
            json.loads(zipfile.ZipFile(wheel).read(name))
