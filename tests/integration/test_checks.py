"""Checks of listings as jobs of the registry: handed in, run, killed and taken up again, cancelled, paged, by whom."""

import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import openpyxl
import pypdfium2
import pytest
from click.testing import CliRunner

from services.auth import Role
from services.cli import main
from services.embedded import EmbeddedPostgres
from services.listings import bundle
from services.postgres import connect, transaction
from services.registry.checks import store
from tests.checked import SHEET, Desk, a_desk
from tests.listings import samples
from tests.sealed_register import ROOT
from tests.system import wait_for

pytestmark = pytest.mark.integration
CSV, LINES = "text/csv", "application/x-ndjson"


@pytest.fixture(scope="module")
def desk(postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with a_desk(postgres_server, tmp_path_factory.mktemp("desk")) as made:
        yield made


def test_the_samples_as_a_job(desk: Desk) -> None:
    who = desk.token(Role.PLATFORM, "商城")
    job = desk.hand_in(SHEET, CSV, who)
    assert (job["state"], job["done"]) == ("queued", 0)
    desk.run_all()
    job = desk.get(f"/v1/checks/{job['id']}", who)
    assert (job["state"], job["done"], job["total"]) == ("done", 30, 30)
    found = desk.get(f"/v1/checks/{job['id']}/findings?limit=1000", who)
    expected = {sample.listing.row: sample for sample in samples()}
    assert [item["row"] for item in found["items"]] == list(expected)
    for item in found["items"]:
        sample = expected[item["row"]]
        if item["row"] != "M13":  # its code's look-ups are counted nowhere here
            assert item["verdict"] == sample.verdict, (sample.why, item)
            assert not sample.rules or sample.rules & set(item["rules"]), (sample.why, item)
    assert sum(job["counts"].values()) == 30
    assert {"heading": "certificate_no", "column": "certificate_no"} in job["columns"]


def test_findings_are_paged_and_filtered(desk: Desk) -> None:
    who = desk.token(Role.INSPECTOR)
    lines = b"\n".join(
        json.dumps({"row": str(at), "title": "T恤" if at % 7 else "3C认证当天出证"}).encode() for at in range(2300)
    )
    job = desk.hand_in(lines, LINES, who)
    desk.run_all()
    rows, after = [], ""
    while True:
        page = desk.get(f"/v1/checks/{job['id']}/findings?limit=700{after}", who)
        rows += [int(item["row"]) for item in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert rows == list(range(2300))
    leads = desk.get(f"/v1/checks/{job['id']}/findings?limit=1000&verdict=lead&rule=L17", who)
    assert [int(item["row"]) for item in leads["items"]] == list(range(0, 2300, 7))
    assert desk.get(f"/v1/checks/{job['id']}/findings?verdict=review", who)["items"] == []


def test_a_holder_sees_its_own_a_regulator_all_a_stranger_nothing(desk: Desk) -> None:
    mine, other, regulator = (
        desk.token(Role.PLATFORM, "甲"),
        desk.token(Role.PLATFORM, "乙"),
        desk.token(Role.REGULATOR),
    )
    job = desk.hand_in(b'{"title":"a"}', LINES, mine)
    path = f"/v1/checks/{job['id']}"
    assert desk.client.get(path, headers=other).status_code == 404
    assert desk.get(path, regulator)["id"] == job["id"]
    assert desk.get("/v1/checks", other)["items"] == []
    assert [one["id"] for one in desk.get("/v1/checks", mine)["items"]] == [job["id"]]
    assert desk.client.get(path).status_code == 401
    source = desk.token(Role.SOURCE, "urn:certmark:body:CNCA-R-2019-7901")
    assert desk.client.post("/v1/checks", data=b"x", content_type=CSV, headers=source).status_code == 403
    desk.run_all()


def test_a_check_can_be_cancelled(desk: Desk) -> None:
    who = desk.token(Role.PLATFORM, "取消")
    job = desk.hand_in(SHEET, CSV, who)
    response = desk.client.delete(f"/v1/checks/{job['id']}", headers=who)
    assert (response.status_code, response.get_json()["state"]) == (200, "cancelled")
    desk.run_all()
    assert desk.get(f"/v1/checks/{job['id']}", who)["done"] == 0


def test_a_file_and_its_pictures_come_in_one_form_with_a_mapping_that_is_kept(desk: Desk) -> None:
    who = desk.token(Role.PLATFORM, "映射")
    form = {
        "file": (io.BytesIO("甲列,品名\n2023990703000117,空调\n".encode("gb18030")), "导出.csv"),
        "mapping": json.dumps({"甲列": "certificate_no", "品名": "title"}),
        "platform": "某商城",
    }
    response = desk.client.post("/v1/checks", data=form, headers=who)
    assert response.status_code == 202, response.data
    assert response.get_json()["name"] == "导出.csv"
    again = desk.hand_in("甲列,品名\n2022990201000204,插座\n".encode(), CSV, who, "?platform=某商城")
    desk.run_all()
    (item,) = desk.get(f"/v1/checks/{again['id']}/findings", who)["items"]
    assert item["claimed"]["certificate_no"] == "2022990201000204"


def test_what_cannot_be_read_fails_with_its_reason(desk: Desk) -> None:
    who = desk.token(Role.PLATFORM, "坏")
    job = desk.hand_in(b"a,b\n1,2\n", CSV, who)
    desk.run_all()
    told = desk.get(f"/v1/checks/{job['id']}", who)
    assert (told["state"], told["problem"]["code"]) == ("failed", "listings-columns")
    for body, kind, status in ((b"x", "text/html", 415), (b"{", "application/json", 400)):
        assert desk.client.post("/v1/checks", data=body, content_type=kind, headers=who).status_code == status
    bad = desk.client.post("/v1/checks?mapping=7", data=SHEET, content_type=CSV, headers=who)
    assert bad.status_code == 400


def test_too_many_at_once_are_told_to_wait(desk: Desk) -> None:
    who = desk.token(Role.PLATFORM, "多")
    jobs = [desk.hand_in(b'{"title":"a"}', LINES, who) for _ in range(5)]
    response = desk.client.post("/v1/checks", data=b'{"title":"a"}', content_type=LINES, headers=who)
    assert (response.status_code, response.get_json()["code"]) == (429, "too-many-checks")
    desk.run_all()
    assert {desk.get(f"/v1/checks/{job['id']}", who)["state"] for job in jobs} == {"done"}


def test_a_killed_runner_is_taken_over_where_it_stopped(desk: Desk, tmp_path: Path) -> None:
    """A process of its own is killed in the middle: another goes on, and every row is found once."""
    who = desk.token(Role.INSPECTOR, "中断")
    lines = b"\n".join(json.dumps({"row": str(at), "title": "T恤 证书编号见图" * 20}).encode() for at in range(16_000))
    job = desk.hand_in(lines, LINES, who)
    environment = os.environ | {"CERTMARK_DATA": str(desk.settings.data)}
    log = (tmp_path / "runner.log").open("wb")
    command = [sys.executable, "-m", "services.registry.checks"]
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=ROOT, start_new_session=True)
    path = f"/v1/checks/{job['id']}"
    wait_for(lambda: desk.get(path, who)["done"] >= 1000, 60, lambda: (tmp_path / "runner.log").read_text())
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    log.close()
    stopped = desk.get(path, who)
    assert 1000 <= stopped["done"] < 16_000
    assert stopped["state"] == "running"
    assert len(desk.get(f"{path}/findings?limit=1000", who)["items"]) == 1000, "partial results can be read at once"
    wait_for(lambda: desk.runner.step() and desk.get(path, who)["state"] == "done", 60, lambda: "not taken over")
    done = desk.get(path, who)
    assert (done["done"], done["total"]) == (16_000, 16_000)
    with closing(connect(desk.settings.database_url)) as connection, transaction(connection) as cur:
        places = [first for first, _, _ in store.frames_of(cur, job["id"])]
    assert places == list(range(0, 16_000, 1000))


def test_the_bundle_is_checked_offline_and_is_the_same_for_the_same_input(desk: Desk, tmp_path: Path) -> None:
    who = desk.token(Role.INSPECTOR, "证据")
    formula = SHEET.replace("正品保障".encode(), b"=HYPERLINK(A1)")
    jobs = [desk.hand_in(formula, CSV, who) for _ in range(2)]
    early = desk.client.get(f"/v1/checks/{jobs[0]['id']}/bundle", headers=who)
    assert (early.status_code, early.get_json()["code"]) == (409, "check-not-done")
    desk.run_all()
    paths = []
    for place, job in enumerate(jobs):
        response = desk.client.get(f"/v1/checks/{job['id']}/bundle", headers=who)
        assert (response.status_code, response.headers["Retry-After"]) == (202, "1"), response.data
        desk.run_all()
        response = desk.client.get(f"/v1/checks/{job['id']}/bundle", headers=who)
        assert response.status_code == 200, response.data
        paths.append(tmp_path / f"{place}.zip")
        paths[-1].write_bytes(response.data)
        response.close()
    with zipfile.ZipFile(paths[0]) as first, zipfile.ZipFile(paths[1]) as second:
        manifests = first.read("manifest.json"), second.read("manifest.json")
        received, workbook = first.read("received/file"), first.read("findings.xlsx")
        report = first.read("report.pdf")
        first.extractall(tmp_path / "unpacked")
    assert manifests[0] == manifests[1]
    assert received == formula
    pages = [page.get_textpage().get_text_bounded() for page in pypdfium2.PdfDocument(report)]
    words = "".join("".join(pages).split())
    assert "商品核查报告" in words
    assert "均为线索，不是结论" in words
    assert "声称登记" in words
    genesis = desk.settings.genesis
    found = bundle.check(paths[0], genesis)
    assert (found.holds, found.rows) == (True, 30)
    assert found.records > 20
    result = CliRunner().invoke(main, ["verify", "--bundle", str(paths[0]), "--genesis", genesis, "--json"])
    assert (result.exit_code, json.loads(result.output)["good"]) == (0, True)
    book = openpyxl.load_workbook(io.BytesIO(workbook))
    assert book.sheetnames == ["汇总", "明细", "未能判断", "方法"]
    assert all(cell.data_type != "f" for sheet in book for row in sheet.iter_rows() for cell in row)
    # whatever is changed is found; unpacked it is checked as well
    folder = tmp_path / "unpacked"
    assert bundle.check(folder, genesis).holds
    (folder / "findings.jsonl").write_bytes(b"{}")
    (folder / "more.txt").write_bytes(b"")
    (folder / "received/file").unlink()
    assert set(bundle.check(folder, genesis).wrong) == {"findings.jsonl", "more.txt", "received/file"}
    assert bundle.check(paths[0], "0" * 64).wrong.keys() == {"manifest.jws"}
    with pytest.raises(bundle.NoBundle):
        bundle.check(tmp_path, genesis)


def test_what_was_sent_is_deleted_after_its_time_and_the_findings_stay(desk: Desk) -> None:
    who = desk.token(Role.PLATFORM, "保存期")
    lines = json.dumps({"title": "3C认证当天出证"}).encode()
    old, fresh = desk.hand_in(lines, LINES, who), desk.hand_in(lines, LINES, who)
    desk.run_all()
    days = desk.settings.check_material_days
    with closing(connect(desk.settings.database_url)) as connection, transaction(connection) as cur:
        cur.execute(
            "UPDATE checks SET finished_at = finished_at - make_interval(days => %s, hours => 1) WHERE id = %s",
            (days, old["id"]),
        )
    desk.run_all()
    with closing(connect(desk.settings.database_url)) as connection, transaction(connection) as cur:
        assert list(store.material(cur, old["id"], "file")) == []
        assert len(list(store.material(cur, fresh["id"], "file"))) == 1
    told = desk.get(f"/v1/checks/{old['id']}", who)
    assert (told["material_gone"], told["counts"]["lead"]) == (True, 1)
    assert len(desk.get(f"/v1/checks/{old['id']}/findings", who)["items"]) == 1
    for method, path in (("get", "bundle"), ("post", "again")):
        answer = getattr(desk.client, method)(f"/v1/checks/{old['id']}/{path}", headers=who)
        assert (answer.status_code, answer.get_json()["code"]) == (410, "material-gone")


def test_a_check_again_tells_only_what_is_otherwise_now(desk: Desk) -> None:
    """A certificate is suspended between the two: its listings are the differences, whatever else is in the file."""
    who = desk.token(Role.PLATFORM, "再查")
    rows = [
        {"row": str(at), "title": "空调", "certificate_no": number, "maker": maker, "captured_on": day}
        for at, (number, maker, day) in enumerate(
            [
                ("2023990703000117", "上海示范甲实业有限公司", ""),
                ("2023990703000117", "上海示范甲实业有限公司", "2026-11-01"),
                ("2024990703009999", "上海示范甲实业有限公司", ""),
                ("2022990201000204", "谁", ""),
            ]
        )
    ]
    job = desk.hand_in(b"\n".join(json.dumps(row).encode() for row in rows), LINES, who)
    desk.run_all()
    before = desk.get(f"/v1/checks/{job['id']}/findings", who)["items"]
    path = f"/v1/checks/{job['id']}/again"
    nothing = desk.client.post(path, headers=who).get_json()
    assert nothing["again_of"] == job["id"]
    desk.run_all()
    assert desk.get(f"/v1/checks/{nothing['id']}/findings", who)["items"] == []
    desk.suspend("2023990703000117")
    later = desk.client.post(path, headers=who).get_json()
    assert later["seq"] > job["seq"]
    desk.run_all()
    told = desk.get(f"/v1/checks/{later['id']}", who)
    assert (told["state"], told["done"], told["total"]) == ("done", told["total"], told["total"])
    items = desk.get(f"/v1/checks/{later['id']}/findings", who)["items"]
    assert [item["row"] for item in items] == ["0", "1"]
    assert items[0]["was"]["verdict"] == before[0]["verdict"]
    assert items[0]["now"]["standing"] == "suspended"
    assert "L05" in items[0]["rules"]
    assert desk.client.get(f"/v1/checks/{later['id']}/bundle", headers=who).status_code == 202
    desk.run_all()
    bundle_of_it = desk.client.get(f"/v1/checks/{later['id']}/bundle", headers=who)
    content = bundle_of_it.data
    bundle_of_it.close()
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        assert len(packed.read("findings.jsonl").splitlines()) == 2
