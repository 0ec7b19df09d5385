"""The whole road, as its users go it: from a certification body's terminal to the page that a consumer sees."""

import json
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from deploy.kafka.broker import Broker
from tests.conftest import KAFKA_LIBS, ROOT
from tests.receiver import Receiver
from tests.system import CERTMARK, System, get, get_json, wait_for

SAMPLES = json.loads((ROOT / "services" / "demo" / "register.json").read_text(encoding="utf-8"))["certificates"]
VALID = "2023990703000117"
MARK = "M-SHB-P-2024-0031"
BODY, ALLIANCE = "CNCA-R-2019-7901", "shanghai-brand"
TODAY = (datetime.now(UTC) + timedelta(hours=8)).date()

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module", params=["postgres", "kafka"])
def system(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]]
) -> Iterator[System]:
    """`certmark up --demo` on each log, as `make run` and `make run-kafka` start it."""
    folder = tmp_path_factory.mktemp("road")
    if request.param == "postgres":
        with System(folder / "data", free_ports(3)) as running:
            yield running
        return
    with Broker(KAFKA_LIBS, folder / "kafka") as broker:
        environment = {"CERTMARK_LOG": "kafka", "CERTMARK_KAFKA_BOOTSTRAP": broker.bootstrap}
        with System(folder / "data", free_ports(3), **environment) as running:
            yield running


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(java_script_enabled=False, locale="zh-CN")
    yield context.new_page()
    context.close()


def sign(system: System, *words: str, source: str = BODY) -> bytes:
    return system.certmark("sign", "--as", source, *words).encode()


def test_what_is_printed_leads_the_newcomer_on(system: System) -> None:
    printed = system.printed()
    for part in (system.verify, f"/c/{VALID}", "/01/06909900127449?m=", str(system.data / "keys"), "certmark sign"):
        assert part in printed.replace("\n", "")
    assert "▀" in printed, "a QR code to scan"


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample["number"] for sample in SAMPLES])
def test_each_sample_stood_on_the_first_of_this_month_as_the_samples_say(
    system: System, sample: dict[str, Any]
) -> None:
    found = get_json(f"{system.registry}/v1/certificates/{sample['number']}?at={TODAY.replace(day=1)}")
    assert found["standing"] == sample["standing_then"]


def test_the_registry_says_as_known_now_what_a_node_says(system: System) -> None:
    """For each sample and the marks on it: a node sends who asks what was known then on to the registry."""
    known_at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    for number in (*(sample["number"] for sample in SAMPLES), MARK, "2023990703999999", "?"):
        address = (
            f"{system.verify}/v1/certificates/{quote(number, safe='')}/permits?act=sell&made_on={TODAY.year}-01-01"
        )
        now, then = get_json(address), get_json(f"{address}&known_at={known_at}")
        assert then["known_at"].startswith(known_at.removesuffix("Z"))
        ours = ("as_of", "seq", "checked_at")
        assert {name: then[name] for name in now if name not in ours} == {n: now[n] for n in now if n not in ours}


def test_the_page_turns_within_a_second_of_a_suspension(system: System, page: Page) -> None:
    number = "2025990701000062"
    page.goto(f"{system.verify}/")
    page.locator("#q").fill(number)
    page.locator("#q").press("Enter")
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("仅限所列型号")
    until = (TODAY + timedelta(days=30)).isoformat()
    event = sign(system, "certificate.suspended", number, "reason=S03", f"until={until}")
    system.certmark("publish", "--wait", given=event)
    turned = [seconds_until(system, number, "suspended")]
    page.reload()
    expect(heading).to_have_text("证书已暂停")
    resumed = sign(system, "certificate.resumed", number, f"verified_on={TODAY.isoformat()}")
    system.certmark("publish", "--wait", given=resumed)
    turned.append(seconds_until(system, number, "valid"))
    assert min(turned) < 1


def test_the_printed_qr_opens_the_verdict(system: System, page: Page, tmp_path: Path) -> None:
    url = next(line for line in system.printed().splitlines() if "/01/06909900127449?m=" in line).strip()
    page.goto(url)
    expect(page.get_by_role("heading", level=1)).to_have_text("证书有效")
    image = tmp_path / "mark.png"
    with urllib.request.urlopen(f"{system.verify}/qr/{MARK}.png") as answer:
        image.write_bytes(answer.read())
    answer = json.loads(system.certmark("verify", str(image), "--json"))
    assert (answer["code"], answer["mark"]["mark_no"]) == ("valid", MARK)
    assert get(f"{system.verify}/qr/M-SHB-S-2022-0019.png")[0] == 409, "an authorization that has ended"


def seconds_until(system: System, number: str, code: str) -> float:
    """How long it takes, from now, until the public is answered so."""
    began = time.monotonic()
    wait_for(lambda: get_json(f"{system.verify}/v1/verify?q={number}")["code"] == code, 30)
    return time.monotonic() - began


def test_the_register_agrees_with_itself_and_with_what_it_published(system: System, tmp_path: Path) -> None:
    entries, lists, trail = map(json.loads, system.certmark("audit", "--json").splitlines())
    assert (entries["good"], lists["good"]) == (True, True)
    assert entries["entries"] > lists["places"] > lists["not_valid"] > 0
    assert trail["first_broken"] is None
    made = json.loads(system.certmark("trust", "list", "--json"))
    root = json.loads(system.certmark("trust", "root", "verify", str(system.data / "trust" / "root-1.cbor"), "--json"))
    file = tmp_path / "trust.cbor"

    def published() -> int:
        with urllib.request.urlopen(f"{system.verify}/.well-known/certmark-trust") as answer:
            file.write_bytes(answer.read())
        verified = json.loads(system.certmark("trust", "verify", str(file), "--pin", root["digest"], "--json"))
        return int(verified["list"])

    wait_for(lambda: published() >= made["version"], 30)
    elsewhere = f"http://127.0.0.1:{system.registry.rpartition(':')[2]}/status"
    assert "not-published" in system.certmark("lists", "check", "--url", elsewhere, "--json", code=1)


def test_a_code_is_judged_offline_by_the_lists_of_the_running_register(system: System, tmp_path: Path) -> None:
    image, trust = tmp_path / "mark.png", str(tmp_path / "trust")
    with urllib.request.urlopen(f"{system.verify}/qr/{MARK}.png") as answer:
        image.write_bytes(answer.read())
    brought = json.loads(system.certmark("verify", "--refresh", "--trust", trust, "--json"))
    assert (brought["refused"], len(brought["status_lists"])) == ({}, 1)
    told = json.loads(system.certmark("verify", "--offline", "--trust", trust, str(image), "--json"))
    assert (told["code"], told["claims"]["mark_no"]) == ("valid", MARK)
    *_, good, void = tokens_of_units(system)
    about = ("--certificate", "SHB-P-2024-0031", "--mark", MARK, "--gtin", void["gtin"], "--reason", "V01")
    system.certmark("codes", "void", void["serial"], "--as", f"alliance:{ALLIANCE}", *about)
    wait_for(lambda: get_json(f"{system.verify}/status/0?format=json")["voided_codes"] == 1, 30)
    system.certmark("verify", "--refresh", "--trust", trust)
    for unit, code, ends in ((void, "mark_not_authorized", 1), (good, "valid", 0)):
        told = json.loads(system.certmark("verify", "--offline", "--trust", trust, unit["url"], "--json", code=ends))
        assert told["code"] == code


def tokens_of_units(system: System) -> list[dict[str, str]]:
    """The token file of the demonstration's serials, as their source fetches it."""
    with urllib.request.urlopen(f"{system.registry}/v1/certificates/SHB-P-2024-0031") as answer:
        (mark,) = json.load(answer)["state"]["marks"]
    token = (system.data / "keys" / f"{ALLIANCE}.token").read_text().strip()
    path = f"/v1/code-sets/{mark['code_sets'][0]['digest']}/tokens?form=ndjson"
    asked = urllib.request.Request(f"{system.registry}{path}", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(asked) as answer:
        return [json.loads(line) for line in answer]


def test_a_tampered_code_shows_nothing_and_another_hosts_code_is_called_that(system: System) -> None:
    url = next(line for line in system.printed().splitlines() if "/01/06909900127449?m=" in line).strip()
    digit = "1" if url[-1] != "1" else "2"
    status, html = get(url[:-1] + digit, accept="text/html")
    assert status == 200
    assert "二维码验证失败" in html
    assert "示范寅" not in html
    assert "SHB-P-2024-0031" not in html
    other = url.replace(system.verify, "https://certmark-cx.example")
    answer = json.loads(system.certmark("verify", other, "--json", code=1))
    assert answer["code"] == "impostor_host"


@pytest.mark.parametrize(
    ("question", "code"),
    [
        ("２０２２ ９９０２０１０００２０４", "suspended"),
        ("2024990714000458", "revoked"),
        ("2023990707000871", "cancelled"),
        ("SHB-S-2022-0019", "expired"),
        ("sdoc-2025-000731", "valid"),
        ("2099990703000117", "unknown_number"),
        ("hello", "malformed_number"),
        ("https://shop.example/item?id=1", "not_ours"),
    ],
)
def test_every_kind_of_question_has_its_code(system: System, question: str, code: str) -> None:
    answer = json.loads(system.certmark("verify", question, "--json", code=0 if code == "valid" else 1))
    assert answer["code"] == code
    assert ("self_declared" in answer["notes"]) == question.startswith("sdoc")


def test_straight_to_the_log_is_decided_alike(system: System) -> None:
    event = sign(system, "certificate.surveillance_passed", VALID)
    bootstrap = system.environment.get("CERTMARK_KAFKA_BOOTSTRAP")
    to = f"kafka://{bootstrap}" if bootstrap else system.events
    system.certmark("publish", "--to", to, "--wait", given=event)
    digest = json.loads(system.certmark("publish", "--json", given=event).splitlines()[0])["digest"]
    found = json.loads(system.certmark("decision", digest, "--json"))
    assert found["decision"] == "accepted"


def test_a_refusal_says_why(system: System) -> None:
    event = sign(system, "certificate.resumed", VALID, f"verified_on={TODAY.isoformat()}")
    told = system.certmark("publish", "--wait", given=event, code=1)
    assert "transition-not-allowed" in told
    stolen = sign(system, "certificate.revoked", VALID, "reason=R05", source="CNCA-R-2019-7902")
    assert "not-responsible" in system.certmark("publish", "--wait", given=stolen, code=1)
    assert get_json(f"{system.verify}/v1/verify?q={VALID}")["code"] == "valid"


def test_a_client_written_from_the_contract_alone_publishes_and_is_seen(system: System, tmp_path: Path) -> None:
    """The documentation's example: `cryptography` and the standard library, nothing of ours."""
    number = "790625IS00061R0S"
    data = {
        "effective_at": TODAY.isoformat(),
        "determined_on": TODAY.isoformat(),
        "reason": "S02",
        "until": (TODAY + timedelta(days=60)).isoformat(),
    }
    (tmp_path / "data.json").write_text(json.dumps(data), encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "docs" / "examples" / "publish.py"),
            str(system.data / "keys" / "CNCA-R-2019-7906.pem"),
            "urn:certmark:body:CNCA-R-2019-7906",
            "7906-0042",
            "certmark.certificate.suspended.v1",
            number,
            str(tmp_path / "data.json"),
        ],
        env=system.environment | {"EVENTS_URL": system.events, "REGISTRY_URL": system.registry},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    wait_for(lambda: get_json(f"{system.verify}/v1/verify?q={number}")["code"] == "suspended", 30)


# --- following ---------------------------------------------------------------------------------------------------


def test_each_source_and_role_finds_a_token_of_its_own(system: System) -> None:
    for name in (BODY, "91320500MAXX005334", "shanghai-brand", "platform", "inspector", "regulator", "administrator"):
        file = system.data / "keys" / f"{name}.token"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert file.read_text(encoding="ascii").startswith("certmark_")


def put(system: System, holder: str, asked: dict[str, str]) -> None:
    token = (system.data / "keys" / f"{holder}.token").read_text(encoding="ascii").strip()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(
        f"{system.registry}/v1/webhooks/mine", json.dumps(asked).encode(), headers, method="PUT"
    )
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)["state"] == "active"


def streams(system: System) -> float:
    """How many readers stay with the registry's service at present, as it says itself."""
    figures = get(f"{system.registry}/metrics")[1].splitlines()
    return sum(float(line.split()[-1]) for line in figures if line.startswith("certmark_streams_open"))


def test_a_body_follows_what_is_decided_on_its_events(system: System) -> None:
    number = "2025990701000062"
    with subprocess.Popen(
        [str(CERTMARK), "decision", "--source", BODY, "--follow", "--after", "latest", "--json"],
        env=system.environment | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as follower:
        try:
            assert follower.stdout is not None
            wait_for(lambda: streams(system) == 1, 30)
            event = sign(system, "certificate.surveillance_passed", number)
            system.certmark("publish", "--wait", given=event)
            item = json.loads(follower.stdout.readline())
        finally:
            follower.kill()
    assert (item["decision"], item["subject"], item["source"]) == ("accepted", number, f"urn:certmark:body:{BODY}")


def test_a_body_and_a_platform_are_told_at_addresses_of_their_own(system: System) -> None:
    number = "2025990701000062"
    with Receiver() as body, Receiver() as platform:
        for name, receiver in ((BODY, body), ("platform", platform)):
            put(system, name, {"url": receiver.url})
        event = sign(system, "certificate.surveillance_passed", number)
        system.certmark("publish", "--wait", given=event)
        # What other tests have said before may still be on its way to either of them.
        wait_for(lambda: number in _told(body, "subject") and number in _told(platform, "certificate_no"), 30)
        assert all(".." in one.signature for one in body.received + platform.received)


def _told(receiver: Receiver, name: str) -> set[str]:
    """What the items that a receiver was sent have under a name."""
    return {item[name] for one in receiver.received for item in one.items if name in item}
