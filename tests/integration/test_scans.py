"""Counts of look-ups over the real log: several nodes, a restart, what expires; and a unit's page end to end."""

import ipaddress
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from prometheus_client.parser import text_string_to_metric_families

from deploy.kafka.broker import Broker
from services.domain.copies import KEPT_DAYS
from services.domain.identifiers import civil_day
from services.events.log import Log, Topics, open_log
from services.marks.token import MarkPath, mark_url, sign_token
from services.postgres import connect, transaction
from services.settings import Settings
from services.verify.districts import Districts
from services.verify.scan_counts import code_key
from services.verify.scan_socket import NAME
from services.verify.scan_store import ScanReader
from services.verify.scans import Scans
from services.verify.wording import LABELS, NOTED, Note
from tests.conftest import SettingsFor
from tests.integration.test_channels import words
from tests.integration.test_pages import a_register, fill, serve, wait_for
from tests.sealed_register import ROOT, claims_of, demonstration
from tests.system import wait_for as wait_until

TODAY = civil_day(datetime.now(UTC))
CODE = code_key(b"010690990012300721A1")
NETWORKS = [(ipaddress.ip_network(f"10.{n}.0.0/16"), f"3101{n:02}") for n in range(1, 8)]


@pytest.fixture(params=["postgres", "kafka"])
def settings(request: pytest.FixtureRequest, settings_for: SettingsFor) -> Settings:
    if request.param == "kafka":
        broker: Broker = request.getfixturevalue("kafka_broker")
        return settings_for(CERTMARK_LOG="kafka", CERTMARK_KAFKA_BOOTSTRAP=broker.bootstrap)
    return settings_for(CERTMARK_DATABASE_URL=request.getfixturevalue("fresh_database"))


@pytest.fixture
def log(settings: Settings, topics: Topics) -> Iterator[Log]:
    with closing(open_log(settings)) as opened:
        opened.ensure(topics.all())
        yield opened


def test_the_counts_of_several_nodes_add_up_and_a_restart_repeats_nothing(
    log: Log, topics: Topics, tmp_path: Path
) -> None:
    def a_node(name: str) -> Scans:
        return Scans(log, topics.scans, tmp_path / name, Districts(NETWORKS), 0.0)

    nodes = {name: a_node(name) for name in "abc"}
    for district in range(1, 8):
        for name, node in nodes.items():
            node.count(CODE, ipaddress.ip_address(f"10.{district}.0.{ord(name)}"), TODAY, 1.0)
    for node in nodes.values():
        node.publish(TODAY)
    nodes["a"].close()
    nodes["a"] = a_node("a")  # as after a crash: a new count beside the old one
    nodes["a"].count(CODE, ipaddress.ip_address("10.1.0.200"), TODAY, 1.0)
    nodes["a"].publish(TODAY)
    seen = []
    for name, node in nodes.items():
        node.read(TODAY)
        with closing(ScanReader(tmp_path / name)) as reader:
            seen.append(sorted((one.district, one.lookups) for one in reader.tallies(CODE)))
        node.close()
    assert seen == [[("310101", 4), *((f"3101{n:02}", 3) for n in range(2, 8))]] * 3


def test_records_past_their_days_leave_the_log(topics: Topics, settings_for: SettingsFor, fresh_database: str) -> None:
    """On PostgreSQL by `expire`; on Kafka by the broker's own retention, which `ensure` checks at every start."""
    settings = settings_for(CERTMARK_DATABASE_URL=fresh_database)
    with closing(open_log(settings)) as log, closing(connect(fresh_database)) as connection:
        log.ensure(topics.all())
        for topic in (topics.scans, topics.events):
            log.append(topic, [("a", b"1"), ("a", b"2"), ("a", b"3")])
        with transaction(connection) as cur:
            cur.execute(
                "UPDATE log.record SET appended_at = appended_at - make_interval(days => %s) WHERE position < 2",
                (KEPT_DAYS,),
            )
        for topic in (topics.scans, topics.events):
            log.expire(topic)
        assert log.bounds(topics.scans) == (2, 3)
        assert [record.value for record in log.read(topics.scans, 2, 10)] == [b"3"]
        assert log.bounds(topics.events) == (0, 3), "what is kept for ever is"
        with transaction(connection) as cur:
            cur.execute("UPDATE log.record SET appended_at = appended_at - make_interval(days => 400)")
        log.expire(topics.scans)
        assert log.bounds(topics.scans) == (3, 3)
        assert log.append(topics.scans, [("a", b"4")]) == [3]


# --- a page of one unit, with the counting process beside it ----------------------------------------------------


def a_unit_page(url: str) -> Any:
    request = urllib.request.Request(url, headers={"Accept": "text/html"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.headers, answer.read()


@pytest.mark.timeout(120)
def test_a_units_page_tells_its_look_ups_and_no_log_line_tells_who_asked(
    settings_for: SettingsFor, fresh_database: str, tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    settings = settings_for(CERTMARK_DATABASE_URL=fresh_database)
    with closing(open_log(settings)) as log:
        log.ensure(Topics.under(settings.topic_prefix).all())
    register = a_register(datetime.now(UTC) - timedelta(seconds=5))
    fill(settings.data, register)
    port, figures = free_ports(2)
    soap = demonstration("SHB-P-2024-0031")
    assert soap.product is not None
    item = soap.product.items[0]
    path = MarkPath.of_product(item.gtin or "", "A1B2C3")
    base = f"http://127.0.0.1:{port}"
    url = mark_url(base, path, sign_token(claims_of(soap, soap.marks[0], item), path, register.mark_key))
    table = tmp_path / "districts.csv"
    table.write_text("network,district\n127.0.0.0/8,310115\n" + "".join(f"{n},{d}\n" for n, d in NETWORKS))
    told = {
        "CERTMARK_DATA": str(settings.data),
        "CERTMARK_DATABASE_URL": fresh_database,
        "CERTMARK_TOPIC_PREFIX": settings.topic_prefix,
        "CERTMARK_DISTRICTS_FILE": str(table),
        "CERTMARK_FIGURES_PORT": str(figures),
        "CERTMARK_TRUSTED_PROXIES": "127.0.0.1/32",
        "PYTHONUNBUFFERED": "1",
    }
    lines = (tmp_path / "scans.log").open("wb")
    scans = subprocess.Popen([sys.executable, "-m", "services.verify.scans"], cwd=ROOT, env=os.environ | told,
                             stdout=lines, stderr=lines)  # fmt: skip
    os.environ["CERTMARK_TRUSTED_PROXIES"] = "127.0.0.1/32"
    try:
        node = serve(settings.data, port)
    finally:
        del os.environ["CERTMARK_TRUSTED_PROXIES"]
    try:
        wait_for(base)
        while not (settings.data / "verify" / NAME).exists():
            assert scans.poll() is None, (tmp_path / "scans.log").read_text(encoding="utf-8")
            time.sleep(0.05)
        headers, page = a_unit_page(f"{url}&lang=zh")
        assert headers["Cache-Control"] == "no-store"
        assert LABELS["not_looked_up"]["zh"] in words(page)
        for n in range(24):  # twenty-four people in seven districts, as copies on a market would bring
            client = f"10.{n % 7 + 1}.3.{n}"
            request = urllib.request.Request(url, headers={"X-Forwarded-For": client, "Accept": "application/json"})
            urllib.request.urlopen(request, timeout=30).close()
            wait_until(lambda n=n: look_ups(figures) == 2 + n, 20)  # type: ignore[misc]  # the line between holds a few
        scans.terminate()  # it publishes what it has before it ends
        scans.wait(20)
        counted = a_count(settings, tmp_path)
        assert counted == {f"3101{n:02}" for n in range(1, 8)} | {"310115"}
        asked = f"{base}/v1/verify?q={quote(url)}"
        answer = json.loads(urllib.request.urlopen(asked, timeout=30).read())
        assert answer["notes"] == ["possible_copy"]
        assert (answer["code"], answer["family"]) == ("valid", "cannot_say")
        assert answer["lookups"] == {"count": 25, "first_on": TODAY.isoformat(), "districts": 8, "rule": "C01"}
        for language in ("zh", "en"):
            _, page = a_unit_page(f"{url}&lang={language}")
            assert NOTED[Note.POSSIBLE_COPY].title[language] in words(page)
            assert "25" in words(page)
            assert b'class="v cannot_say"' in page
    finally:
        for process in (scans, node):
            process.terminate()
            process.wait(20)
        lines.close()
    assert b"10.3.3" not in (tmp_path / "scans.log").read_bytes()
    with closing(connect(fresh_database)) as connection, transaction(connection) as cur:
        cur.execute("SELECT string_agg(encode(value, 'escape'), ' ') FROM log.record")
        (everything,) = cur.fetchone() or ("",)
    assert "A1B2C3" not in everything, "the code's hash, not the code"
    assert "10.3.3" not in everything


def look_ups(port: int) -> float:
    """How many the counting process has counted."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        families = {one.name: one for one in text_string_to_metric_families(answer.read().decode())}
    return sum(
        sample.value
        for sample in families["certmark_unit_lookups"].samples
        if sample.name.endswith("_total") and sample.labels["outcome"] == "counted"
    )


def a_count(settings: Settings, tmp_path: Path) -> set[str]:
    """Read the topic into the node's file, as its counting process does, and tell the districts that it found."""
    with closing(open_log(settings)) as log:
        topics = Topics.under(settings.topic_prefix)
        deadline = time.monotonic() + 20
        while log.bounds(topics.scans)[1] == 0:
            assert time.monotonic() < deadline, (tmp_path / "scans.log").read_text(encoding="utf-8")
            time.sleep(0.1)
        node = Scans(log, topics.scans, settings.data / "verify", Districts(), time.monotonic())
        node.read(TODAY)
        node.close()
        value = log.read(topics.scans, 0, 10)[0].value
    return {district for _, _, district, _ in json.loads(value)["counts"]}
