"""Checks at the desk: from a file or pasted cells, by what its columns mean, to a case with the leads that matter."""

import hashlib
import io
import re
import zipfile
from collections.abc import Iterator
from datetime import date
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from services.auth import Role
from services.domain.listing_rules import RULE_SET
from services.embedded import EmbeddedPostgres
from services.marks import qr
from services.postgres import connect, transaction
from services.registry import trail
from services.registry.checks import store
from services.registry.desk import accounts, case_store
from services.registry.desk.accounts import Account
from tests.checked import SHEET, Desk, a_desk

PASSWORD = "a kettle that whistles"
OFFICER = Account("pudong-01", Role.INSPECTOR, "310115")


@pytest.fixture(scope="module")
def desk(postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with a_desk(postgres_server, tmp_path_factory.mktemp("desk")) as made:
        yield made


@pytest.fixture(scope="module")
def officers(desk: Desk) -> dict[str, FlaskClient]:
    """Signed-in browsers: two districts' inspectors and a regulator."""
    found = {}
    people = {
        "pudong-01": (Role.INSPECTOR, "310115"),
        "xuhui-01": (Role.INSPECTOR, "310104"),
        "chief-01": (Role.REGULATOR, None),
    }
    with transaction(connect(desk.settings.database_url)) as cur:
        for name, (role, division) in people.items():
            if accounts.account(cur, name, demonstration=True) is None:
                accounts.create(cur, name, role, division, PASSWORD, must_change=False)
            else:
                accounts.set_password(cur, name, PASSWORD, must_change=False)
    for name in people:
        client = desk.client.application.test_client()
        page = client.get("/desk/sign-in")
        answer = client.post("/desk/sign-in", data={"form": form_of(page), "name": name, "password": PASSWORD})
        assert answer.status_code == 303
        found[name] = client
    return found


def form_of(page: TestResponse) -> str:
    found = re.search(r'name="form" value="([0-9a-f]{64})"', page.text)
    assert found is not None, page.text
    return found[1]


def hand_in(client: FlaskClient, content: bytes = b"", name: str = "listings.csv", **fields: Any) -> TestResponse:
    page = client.get("/desk/checks/new")
    data: dict[str, Any] = {"form": form_of(page)} | fields
    if content:
        data["file"] = (io.BytesIO(content), name)
    return client.post("/desk/checks/new", data=data, content_type="multipart/form-data")


def begun(client: FlaskClient, at: str) -> str:
    """The check's page, once its columns are taken as they were understood."""
    page = client.get(at)
    headings = [unescape(value) for value in re.findall(r'name="heading" value="([^"]*)"', page.text)]
    chosen = [_selected(part) for part in page.text.split('name="column">')[1:]]
    answer = client.post(at, data={"form": form_of(page), "heading": headings, "column": chosen, "go": "1"})
    assert answer.status_code == 303, answer.text
    return str(answer.location).split("?")[0]


def _selected(part: str) -> str:
    found = re.search(r'<option value="([a-z_]*)" selected>', part.split("</select>")[0])
    return found[1] if found else ""


def test_from_a_file_to_a_case(officers: dict[str, FlaskClient], desk: Desk) -> None:
    client = officers["pudong-01"]
    handed_in = hand_in(client, SHEET, "平台导出.csv", platform="示范商城")
    assert handed_in.status_code == 303
    columns = client.get(handed_in.location)
    assert columns.text.count("<tr>") == 21  # the headings and twenty rows
    at = begun(client, handed_in.location)
    waiting = client.get(at)
    assert waiting.headers["Refresh"] == "2"
    assert "Refresh" not in client.get(f"{at}?still=1").headers
    desk.run_all()
    page = client.get(at, headers={"Accept-Language": "zh"})
    assert "Refresh" not in page.headers
    text = unescape(page.text)
    assert "已完成" in text
    assert re.search(r"线索</a></th><td class=\"n\">(\d+)", text)
    assert "M02" in text
    assert ">M01<" not in text  # what is ok is not shown

    sieved = unescape(client.get(f"{at}?rule=L08").text)
    assert ">M02<" in sieved
    assert ">M03<" not in sieved

    places = re.findall(r'name="place" value="(\d+)"', client.get(f"{at}?rule=L08").text)
    opened = client.post(
        f"{at}/case",
        data={"form": form_of(page), "place": places, "title": "型号超出证书", "division": "310115"},
    )
    assert opened.status_code == 303, opened.text
    case = client.get(opened.location)
    assert "型号超出证书" in unescape(case.text)
    assert "房间空调器 KFR-72LW/B9" in unescape(case.text), "which listing it is can be seen in the case"
    (finding,) = [link for link in re.findall(r'href="(/desk/cases/[^"]+/findings/[^"]+)"', case.text) if link][:1]
    beside = unescape(client.get(finding).text)
    assert "KFR-72LW/B9" in beside
    assert "KFR-35GW/A1" in beside
    again = unescape(client.get(f"{at}?rule=L08").text)
    assert opened.location.rsplit("/", 1)[1] in again  # the check tells which cases its findings are in
    with transaction(connect(desk.settings.database_url)) as cur:
        acts = [line.act for line in trail.lines(cur, account="pudong-01", limit=10)]
    assert acts[:2] == ["opened", "check-begun"]


def test_a_whole_group_of_one_seller_becomes_a_case_and_more_join_it(
    officers: dict[str, FlaskClient],
    desk: Desk,
) -> None:
    client = officers["pudong-01"]
    at = begun(client, hand_in(client, SHEET).location)
    desk.run_all()
    grouped = unescape(client.get(f"{at}?group=seller").text)
    seller = "91310115MAXX09001E" if "91310115MAXX09001E" in grouped else "上海某某贸易有限公司"
    assert seller in grouped
    page = client.get(f"{at}?group=seller&value={seller}")
    fields = {"form": form_of(page), "group": "seller", "value": seller}
    opened = client.post(f"{at}/case", data=fields | {"title": "同一卖家", "division": "310115"})
    assert opened.status_code == 303, opened.text
    case_no = opened.location.rsplit("/", 1)[1].split("?")[0]
    with transaction(connect(desk.settings.database_url)) as cur:
        case = case_store.case_of(cur, OFFICER, case_no)
    assert len(case.findings) > 3
    assert {finding.seller for finding in case.findings} == {seller}
    other = re.findall(r'name="place" value="(\d+)"', client.get(f"{at}?rule=L07").text)
    joined = client.post(f"{at}/case", data={"form": form_of(page), "place": other, "case_no": case_no})
    assert joined.status_code == 303, joined.text
    with transaction(connect(desk.settings.database_url)) as cur:
        assert len(case_store.case_of(cur, OFFICER, case_no).findings) == len(case.findings) + len(other)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"title": "x", "division": "310115"}, 400),  # nothing chosen
        ({"place": "1", "division": "310115"}, 400),  # no subject
        ({"place": "1", "title": "x", "division": "310104"}, 400),  # another's district
        ({"place": "1", "title": "x", "division": "pudong"}, 400),
        ({"place": "999999", "title": "x", "division": "310115"}, 303),  # nothing there: a case without findings
        ({"place": "1", "case_no": "310104-2026-00001"}, 404),
    ],
    ids=str,
)
def test_what_makes_no_case(
    officers: dict[str, FlaskClient],
    desk: Desk,
    fields: dict[str, str],
    status: int,
) -> None:
    client = officers["pudong-01"]
    at = begun(client, hand_in(client, SHEET).location)
    desk.run_all()
    answer = client.post(f"{at}/case", data={"form": form_of(client.get(at))} | fields)
    assert answer.status_code == status


def test_columns_are_put_right_by_hand_and_remembered_for_the_platform(
    officers: dict[str, FlaskClient],
    desk: Desk,
) -> None:
    client, sheet = officers["pudong-01"], "神秘列,标题\n2023990703000117,示范甲 空调\n".encode()
    first = hand_in(client, sheet, platform="奇特商城")
    page = client.get(first.location)
    assert "神秘列" in unescape(page.text)
    shown = client.post(
        first.location,
        data={"form": form_of(page), "heading": ["神秘列", "标题"], "column": ["certificate_no", "title"]},
    )
    assert shown.status_code == 200
    assert _selected(shown.text.split('name="column">')[1]) == "certificate_no"
    begun_ = client.post(
        first.location,
        data={"form": form_of(page), "heading": ["神秘列", "标题"], "column": ["certificate_no", "title"], "go": "1"},
    )
    assert begun_.status_code == 303
    second = client.get(hand_in(client, sheet, platform="奇特商城").location)
    assert _selected(second.text.split('name="column">')[1]) == "certificate_no"
    desk.run_all()


def test_cells_pasted_from_a_spreadsheet_are_read_as_a_file_is(
    officers: dict[str, FlaskClient],
    desk: Desk,
) -> None:
    client = officers["pudong-01"]
    pasted = "标题\t证书编号\n示范甲 空调 KFR-72LW/B9\t2024990714000458\n"
    at = begun(client, hand_in(client, pasted=pasted).location)
    desk.run_all()
    assert "L06" in client.get(at).text


@pytest.mark.parametrize(
    ("content", "name", "told"),
    [
        (b"", "x.csv", "没有选择文件，也没有粘贴内容"),
        (b"%PDF-1.7", "x.pdf", "应为 CSV、XLSX 或 JSONL"),
        (b"PK\x03\x04 not a workbook", "x.xlsx", ""),
        (b"\x00" * 100, "x.csv", ""),
    ],
    ids=["nothing", "pdf", "broken workbook", "zeros"],
)
def test_what_is_no_file_of_listings_is_explained(
    officers: dict[str, FlaskClient], content: bytes, name: str, told: str
) -> None:
    client = officers["pudong-01"]
    answer = hand_in(client, content, name)
    if answer.status_code == 303:
        answer = client.get(answer.location)
    assert 400 <= answer.status_code < 500, answer.text
    assert told in unescape(answer.text)


def test_the_name_of_a_file_leads_nowhere(officers: dict[str, FlaskClient], desk: Desk, tmp_path: Path) -> None:
    """A platform names its file as it likes; an officer who looks at its columns writes no file of that name."""
    planted = tmp_path / "planted.csv"
    with transaction(connect(desk.settings.database_url)) as cur:
        store.add(
            cur,
            "e" * 32,
            "platform-1",
            name=str(planted),
            mapping={},
            platform=None,
            sheet=None,
            day=date(2026, 11, 26),
            rule_set=RULE_SET,
        )
        store.add_part(cur, "e" * 32, "file", 0, SHEET)
    assert officers["chief-01"].get(f"/desk/checks/{'e' * 32}/columns").status_code == 200
    assert not planted.exists()
    assert hand_in(officers["pudong-01"], SHEET, "名" * 120 + ".csv").status_code == 303


def test_a_listings_picture_is_kept_with_the_case_and_its_code_framed(
    officers: dict[str, FlaskClient], desk: Desk
) -> None:
    client, archive = officers["pudong-01"], io.BytesIO()
    code = Image.open(io.BytesIO(qr.png(qr.symbol("https://certmark.example/c/2024990714000458"), 6)))
    photo = Image.new("RGB", (900, 700), "#8899aa")
    photo.paste(code, (200, 150))
    shot = io.BytesIO()
    photo.save(shot, "JPEG")
    with zipfile.ZipFile(archive, "w") as pictures:
        for name, content in (("one.jpg", shot.getvalue()), ("two.jpg", shot.getvalue()), ("odd.jpg", b"no picture")):
            pictures.writestr(name, content)
    archive.seek(0)
    sheet = "标题,证书编号,卖家,图片\n" + "".join(
        f"示范丁 微波炉 M20-A,2024990714000458,甲店{place},{name}\n"
        for place, name in enumerate(("one.jpg", "two.jpg", "odd.jpg", "../../etc/passwd", "gone.jpg"))
    )
    at = begun(client, hand_in(client, sheet.encode(), images=(archive, "pictures.zip")).location)
    desk.run_all()
    page = client.get(at)
    places = re.findall(r'name="place" value="(\d+)"', page.text)
    opened = client.post(
        f"{at}/case", data={"form": form_of(page), "place": places, "title": "图片", "division": "310115"}
    )
    case_no = opened.location.rsplit("/", 1)[1]
    case = unescape(client.get(f"/desk/cases/{case_no}?by=image").text)
    digest = hashlib.sha256(shot.getvalue()).hexdigest()
    assert re.search(rf"<h3>{digest} <span class=\"sub\">2<", case)  # the same picture under two names, two sellers
    check = at.rsplit("/", 1)[1]
    finding = client.get(f"/desk/cases/{case_no}/findings/{check}/1")
    assert digest in finding.text
    picture = client.get(f"/desk/cases/{case_no}/findings/{check}/1/picture.png")
    assert picture.content_type == "image/png"
    shown = Image.open(io.BytesIO(picture.data)).convert("RGB")
    red = [
        shown.getpixel((x, y)) for x in range(shown.width) for y in (200, 300) if shown.getpixel((x, y)) == (255, 0, 0)
    ]
    assert red
    odd = client.get(f"/desk/cases/{case_no}/findings/{check}/3/picture.png")
    assert odd.status_code == 404  # kept as it came, and shown to nobody
    for row in ("4", "5"):
        assert "picture.png" not in client.get(f"/desk/cases/{case_no}/findings/{check}/{row}").text
    assert officers["xuhui-01"].get(f"/desk/cases/{case_no}/findings/{check}/1/picture.png").status_code == 404


def test_a_check_is_its_officers_and_regulators_alone_and_can_be_cancelled(
    officers: dict[str, FlaskClient],
    desk: Desk,
) -> None:
    client = officers["pudong-01"]
    at = begun(client, hand_in(client, SHEET).location)
    assert officers["xuhui-01"].get(at).status_code == 404
    assert officers["chief-01"].get(at).status_code == 200
    stop = client.post(f"{at}/cancel", data={"form": form_of(client.get(at))})
    assert stop.status_code == 303
    desk.run_all()
    assert "已取消" in unescape(client.get(at, headers={"Accept-Language": "zh"}).text)
    listed = client.get("/desk/checks")
    assert at.rsplit("/", 1)[1] in listed.text
    assert at.rsplit("/", 1)[1] not in officers["xuhui-01"].get("/desk/checks").text


def test_a_watched_check_tells_its_officer_what_changed(officers: dict[str, FlaskClient], desk: Desk) -> None:
    client, sheet = (
        officers["pudong-01"],
        "标题,证书编号,卖家\n空调,2023990703000117,甲店\n插座,2022990201000204,乙店\n",
    )
    at = begun(client, hand_in(client, sheet.encode(), "被观察.csv").location)
    desk.run_all()
    page = client.get(at, headers={"Accept-Language": "zh"})
    assert "观察 90 天" in page.text
    assert client.post(f"{at}/watch", data={"form": form_of(page)}).status_code == 303
    desk.run_all()
    watched = client.get(at, headers={"Accept-Language": "zh"}).text
    for words in ("观察中", "续观察 90 天", "停止观察", "尚无变化"):
        assert words in watched
    assert "被观察.csv" in client.get("/desk/changes").text
    desk.suspend("2023990703000117")
    desk.run_all()
    told = unescape(client.get("/desk/changes", headers={"Accept-Language": "zh"}).text)
    assert "2023990703000117" in told
    assert "2022990201000204" not in told
    (look,) = set(re.findall(r'href="/desk/checks/([0-9a-f]{32})"', told)) - {at.rsplit("/", 1)[1]}
    assert "本系统自行重新核查" in client.get(f"/desk/checks/{look}", headers={"Accept-Language": "zh"}).text
    assert "被观察.csv" not in officers["xuhui-01"].get("/desk/changes").text
    assert "被观察.csv" in unescape(officers["chief-01"].get("/desk/changes").text)
    ended = client.post(f"{at}/watch", data={"form": form_of(client.get(at)), "do": "end"})
    assert ended.status_code == 303
    assert "已停止观察" in client.get(at, headers={"Accept-Language": "zh"}).text
    with transaction(connect(desk.settings.database_url)) as cur:
        acts = [line.act for line in trail.lines(cur, account="pudong-01", limit=2)]
    assert acts == ["watch-ended", "watch-begun"]
    desk.resume("2023990703000117")
