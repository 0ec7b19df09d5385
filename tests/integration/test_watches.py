"""Watched checks: what changes in the register is told of the listings that it concerns, once, and nothing else is."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.auth import Role
from services.domain.identifiers import civil_day
from services.embedded import EmbeddedPostgres
from services.postgres import connect, transaction
from services.registry.checks import watches
from services.registry.webhooks import Deliverer
from tests.checked import Desk, a_desk
from tests.receiver import Receiver
from tests.sealed_register import ROOT
from tests.system import wait_for

pytestmark = pytest.mark.integration
LINES = "application/x-ndjson"
MAKER = "上海示范甲实业有限公司"
AIR, OTHER, UNKNOWN = "2023990703000117", "2022990201000204", "2024990703009999"


@pytest.fixture(scope="module")
def desk(postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with a_desk(postgres_server, tmp_path_factory.mktemp("watches")) as made:
        yield made


@pytest.fixture
def today(desk: Desk) -> Iterator[list[date]]:
    """The runner's day, which a test may turn."""
    day = [civil_day(datetime.now(UTC))]
    before, desk.runner.today = desk.runner.today, lambda: day[0]
    yield day
    desk.runner.today = before


def listings(*numbers: str, more: int = 0) -> bytes:
    rows = [{"row": str(at), "title": "空调", "certificate_no": number} for at, number in enumerate(numbers)]
    rows += [{"row": f"x{at}", "title": "T恤"} for at in range(more)]
    return b"\n".join(json.dumps(row).encode() for row in rows)


def watched(desk: Desk, who: dict[str, str], content: bytes) -> str:
    """The path of a check that is done, watched and looked at once."""
    job = desk.hand_in(content, LINES, who)
    desk.run_all()
    path = f"/v1/checks/{job['id']}"
    put = desk.client.put(f"{path}/watch", headers=who, json={"days": 30})
    assert put.status_code == 200, put.data
    assert (put.get_json()["state"], put.get_json()["told"]) == ("active", 0)
    desk.run_all()
    assert desk.get(f"{path}/watch", who)["looked_at"] is not None
    return path


def changes(desk: Desk, path: str, who: dict[str, str], after: int = 0) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = desk.get(f"{path}/changes?after={after}&limit=1", who)["items"]
    while found and (more := desk.get(f"{path}/changes?after={found[-1]['number']}&limit=1", who)["items"]):
        found += more
    return found


def test_a_suspension_and_a_resumption_are_told_of_the_listings_concerned(desk: Desk, today: list[date]) -> None:
    who, other = desk.token(Role.PLATFORM, "观察"), desk.token(Role.PLATFORM, "观察者乙")
    path = watched(desk, who, listings(AIR, OTHER, AIR, UNKNOWN, more=2500))
    elsewhere = watched(desk, other, listings(OTHER))
    assert changes(desk, path, who) == [], "nothing has changed, nothing is told"
    desk.suspend(AIR)
    desk.run_all()
    told = changes(desk, path, who)
    assert [one["finding"]["row"] for one in told] == ["0", "2"]
    assert {one["finding"]["was"]["verdict"] for one in told} == {"ok"}
    assert {one["finding"]["now"]["standing"] for one in told} == {"suspended"}
    look = desk.get(f"/v1/checks/{told[0]['look']}", who)
    assert (look["watched"], look["again_of"], look["done"]) == (True, path.rsplit("/", 1)[1], 2)
    assert look["seq"] == told[0]["seq"] == desk.get(f"{path}/watch", who)["seq"]
    assert changes(desk, elsewhere, other) == []
    assert [one["id"] for one in desk.get("/v1/checks", other)["items"]] == [elsewhere.rsplit("/", 1)[1]]

    desk.resume(AIR)
    desk.run_all()
    later = changes(desk, path, who, told[-1]["number"])
    assert [one["finding"]["row"] for one in later] == ["0", "2"], (
        "compared with what was last told, not with the first"
    )
    assert {(one["finding"]["verdict"], one["finding"]["was"]["verdict"]) for one in later} == {("ok", "review")}
    assert desk.get(f"{path}/watch", who)["told"] == 4
    desk.run_all()
    assert len(changes(desk, path, who)) == 4
    assert desk.client.get(f"{path}/changes", headers=other).status_code == 404


def test_a_number_that_was_unknown_and_a_listing_without_one_hear_of_a_new_certificate(
    desk: Desk, today: list[date]
) -> None:
    who = desk.token(Role.PLATFORM, "新证")
    row = {"row": "m", "title": "空调", "product_class": "0703", "maker": MAKER, "model": "KFR-99GW/Z9"}
    path = watched(desk, who, listings("2026990703000555", OTHER) + b"\n" + json.dumps(row).encode())
    assert desk.get(f"{path}/findings", who)["items"][0]["rules"] == ["L03"]
    desk.issue("2026990703000555", AIR, "KFR-99GW/Z9")
    desk.run_all()
    told = {one["finding"]["row"]: one["finding"] for one in changes(desk, path, who)}
    assert told.keys() == {"0", "m"}
    assert "L03" not in told["0"]["rules"]
    assert told["m"]["registered"]["certificate_no"] == "2026990703000555"


def test_the_turn_of_a_day_is_told_by_itself(desk: Desk, today: list[date]) -> None:
    who = desk.token(Role.PLATFORM, "到期")
    path = watched(desk, who, listings(OTHER, AIR))
    before = desk.get(f"{path}/findings", who)["items"][0]
    until = desk.get(f"/v1/certificates/{OTHER}", who)["state"]["valid_until"]
    today[0] = date.fromisoformat(until)
    desk.run_all()
    assert all(one["finding"]["row"] != "0" for one in changes(desk, path, who)), "on its last day it is in force"
    known = len(changes(desk, path, who))
    today[0] += timedelta(days=1)
    desk.run_all()
    (told,) = [one for one in changes(desk, path, who)[known:] if one["finding"]["row"] == "0"]
    assert told["finding"]["now"] == {"day": today[0].isoformat(), "standing": "expired"}
    assert told["finding"]["was"]["verdict"] == before["verdict"]
    told_so_far = len(changes(desk, path, who))
    today[0] += timedelta(days=1)
    desk.run_all()
    assert len(changes(desk, path, who)) == told_so_far


def test_a_process_that_is_killed_in_a_look_tells_everything_once(
    desk: Desk, tmp_path: Path, today: list[date]
) -> None:
    """The rows of 12 frames change; a process is killed at any moment of it, another goes on."""
    who = desk.token(Role.INSPECTOR, "中断")
    rows = 12_000
    path = watched(desk, who, listings(*([AIR] * rows)))
    desk.suspend(AIR)
    environment = os.environ | {"CERTMARK_DATA": str(desk.settings.data)}
    command = [sys.executable, "-m", "services.registry.checks"]
    with (tmp_path / "runner.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=ROOT, start_new_session=True)

    def frames() -> int:
        with closing(connect(desk.settings.database_url)) as connection, transaction(connection) as cur:
            cur.execute(
                "SELECT count(*) FROM check_frames AS f JOIN checks AS c ON c.id = f.check_id WHERE c.again_of = %s",
                (path.rsplit("/", 1)[1],),
            )
            return int((cur.fetchone() or (0,))[0])

    wait_for(lambda: frames() >= 2, 60, lambda: (tmp_path / "runner.log").read_text())
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    killed_at = frames()
    assert desk.get(f"{path}/changes", who)["items"] == [], "what is not done is not told"
    wait_for(lambda: desk.runner.step() or True, 1, lambda: "")
    desk.run_all()
    wait_for(lambda: desk.runner.step() or desk.get(f"{path}/watch", who)["told"] > 0, 60, lambda: "not taken over")
    desk.run_all()
    told, after = [], 0
    while page := desk.get(f"{path}/changes?after={after}&limit=1000", who):
        told += [one["finding"]["row"] for one in page["items"]]
        if not page["items"]:
            break
        after = page["next"]
    assert killed_at < 12, "it was killed too late to show anything"
    assert told == [str(at) for at in range(rows)]
    desk.resume(AIR)
    desk.run_all()


def test_one_look_at_a_time_and_not_before_its_time(desk: Desk, today: list[date]) -> None:
    who, five = desk.token(Role.PLATFORM, "间隔"), timedelta(minutes=5)
    path = watched(desk, who, listings(AIR))
    check_id = path.rsplit("/", 1)[1]
    desk.suspend(AIR)
    with closing(connect(desk.settings.database_url)) as connection:

        def opened() -> bool:
            with transaction(connection) as cur:
                cur.execute("UPDATE check_watches SET noticed_at = clock_timestamp() WHERE check_id = %s", (check_id,))
                found: bool = watches.open_look(cur, today[0], five)
                return found

        assert opened(), "one that had nothing to judge does not keep the next waiting"
        assert not opened(), "one is open"
        desk.run_all()
        assert len(changes(desk, path, who)) == 1
        desk.resume(AIR)
        assert not opened(), "the last was less than five minutes ago"
        desk.run_all()
        assert len(changes(desk, path, who)) == 1
        with transaction(connection) as cur:
            cur.execute("UPDATE check_watches SET next_at = now() WHERE check_id = %s", (check_id,))
    desk.run_all()
    assert len(changes(desk, path, who)) == 2
    looks = [one for one in desk.get("/v1/checks", who)["items"] if one["watched"]]
    assert len(looks) == 2, "a look that found nothing leaves nothing"


def test_a_watch_ends_and_can_be_begun_again_without_a_gap(desk: Desk, today: list[date]) -> None:
    who = desk.token(Role.PLATFORM, "续期")
    path = watched(desk, who, listings(AIR))
    assert desk.client.delete(f"{path}/watch", headers=who).status_code == 204
    assert desk.client.delete(f"{path}/watch", headers=who).status_code == 404
    assert desk.get(f"{path}/watch", who)["state"] == "ended"
    desk.suspend(AIR)
    desk.run_all()
    assert changes(desk, path, who) == []
    with closing(connect(desk.settings.database_url)) as connection, transaction(connection) as cur:
        cur.execute("SELECT count(*) FROM check_watch_keys WHERE check_id = %s", (path.rsplit("/", 1)[1],))
        assert cur.fetchone() == (0,)
    assert desk.client.put(f"{path}/watch", headers=who, json={}).status_code == 200
    desk.run_all()
    assert [one["finding"]["row"] for one in changes(desk, path, who)] == ["0"]
    desk.resume(AIR)
    desk.run_all()


def test_a_platforms_webhook_is_told_signed(desk: Desk, today: list[date]) -> None:
    who = desk.token(Role.PLATFORM, "告知")
    with Receiver() as receiver, running(desk):
        asked = {"url": receiver.url, "kind": "checks"}
        put = desk.client.put("/v1/webhooks/watched", headers=who, json=asked)
        assert (put.status_code, put.get_json()["kind"]) == (200, "checks"), put.data
        other = desk.client.put("/v1/webhooks/watched", headers=who, json=asked | {"kind": "changes"})
        assert other.status_code == 400
        path = watched(desk, who, listings(AIR, OTHER))
        desk.suspend(AIR)
        desk.run_all()
        wait_for(lambda: len(receiver.received) == 1, 20, lambda: "nothing came")
        (delivery,) = receiver.received
        told = json.loads(delivery.body)
        assert ".." in delivery.signature
        assert (told["kind"], told["page"]["items"]) == ("checks", changes(desk, path, who))
        assert desk.get("/v1/webhooks/watched", who)["next"] == str(told["page"]["next"])
    desk.client.delete("/v1/webhooks/watched", headers=who)
    desk.resume(AIR)
    desk.run_all()


@contextlib.contextmanager
def running(desk: Desk) -> Iterator[None]:
    """What delivers, in a thread of this process."""
    deliverer = Deliverer(desk.settings, first_wait=0.05)
    thread = threading.Thread(target=deliverer.run)
    thread.start()
    yield
    deliverer.stopping = True
    thread.join()


def test_what_cannot_be_watched(desk: Desk, today: list[date]) -> None:
    who = desk.token(Role.PLATFORM, "不可")
    job = desk.hand_in(listings(AIR), LINES, who)
    early = desk.client.put(f"/v1/checks/{job['id']}/watch", headers=who, json={})
    assert (early.status_code, early.get_json()["code"]) == (409, "check-not-watchable")
    desk.run_all()
    for days in (0, 367, "x"):
        assert desk.client.put(f"/v1/checks/{job['id']}/watch", headers=who, json={"days": days}).status_code in (
            400,
            422,
        )
    assert desk.client.get(f"/v1/checks/{job['id']}/watch", headers=who).status_code == 404
    assert desk.client.get(f"/v1/checks/{'0' * 32}/changes", headers=who).status_code == 404
