"""Tables of districts made of what others publish: every form that is read, every name, and what is no such file."""

import csv
import ipaddress
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.cli import main
from services.domain.copies import UNKNOWN
from services.domain.division import above, is_division
from services.verify.district_table import DistrictsUnreadable, Placed, divisions, make, placed
from services.verify.districts import Districts, InUse, in_use
from services.verify.site.districts import DISTRICTS

GEOLITE = "network,geoname_id,registered_country_geoname_id,represented_country_geoname_id,is_anonymous_proxy\n"
PLACES = (
    "geoname_id,locale_code,continent_code,continent_name,country_iso_code,country_name,subdivision_1_iso_code,"
    "subdivision_1_name,subdivision_2_iso_code,subdivision_2_name,city_name,metro_code,time_zone\n"
)
FORMS = {
    "geolite": GEOLITE + "192.0.2.0/25,1,9,,0\n192.0.2.128/25,2,9,,0\n198.51.100.0/24,,9,,0\n"
    "203.0.113.0/24,7,7,,0\n2001:db8::/32,1,9,,0\n",
    "ip2location": '"3221225984","3221226111","CN","China","Guangdong","Shenzhen"\n'
    '"3221226112","3221226239","CN","China","Shanghai","Pudong"\n'
    '"3325256704","3325256959","CN","China","Anhui","Nowhere Town"\n"3405803776","3405804031","US","-","-","-"\n'
    '"42540766411282592856903984951653826560","42540766490510755371168322545197776895","CN","China","Guangdong","Shenzhen"\n',
    "dbip": "192.0.2.0,192.0.2.127,AS,CN,Guangdong,Shenzhen,22.5,114.0\n"
    "192.0.2.128,192.0.2.255,AS,CN,Shanghai,Pudong,31.2,121.5\n198.51.100.0,198.51.100.255,AS,CN,Anhui,,31,117\n"
    "203.0.113.0,203.0.113.255,NA,US,Texas,Dallas,1,1\n"
    "2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,AS,CN,Guangdong,Shenzhen,22,114\n",
    "ip2region": "192.0.2.0|192.0.2.127|中国|0|广东省|深圳市|电信\n192.0.2.128|192.0.2.255|中国|上海|浦东新区|联通|CN\n"
    "198.51.100.0|198.51.100.255|中国|华东|安徽省|0|移动\n203.0.113.0|203.0.113.255|美国|0|0|0|0\n"
    "2001:db8::|2001:db8:ffff:ffff:ffff:ffff:ffff:ffff|中国|0|广东省|深圳市|电信\n",
}


@pytest.fixture
def places(tmp_path: Path) -> Path:
    file = tmp_path / "places.csv"
    rows = ("1,zh-CN,AS,亚洲,CN,中国,GD,广东,,,深圳,,", "2,zh-CN,AS,亚洲,CN,中国,SH,上海,,,浦东新区,,",
            "9,zh-CN,AS,亚洲,CN,中国,AH,安徽,,,,,", "7,zh-CN,NA,北美洲,US,美国,TX,德州,,,达拉斯,,")  # fmt: skip
    file.write_text(PLACES + "\n".join(rows) + "\n", encoding="utf-8")
    return file


def a_file(folder: Path, text: str) -> Path:
    file = folder / "addresses"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("form", FORMS)
def test_every_form_places_the_same_addresses_alike(form: str, places: Path, tmp_path: Path) -> None:
    made = make(placed(a_file(tmp_path, FORMS[form]), places), by_province=False)
    table = Districts((ipaddress.ip_network(network), code) for network, code in made.rows)
    asked = ("192.0.2.1", "192.0.2.200", "198.51.100.7", "203.0.113.1", "2001:db8::1")
    assert [table.of(ipaddress.ip_address(one)) for one in asked] == ["440300", "310115", "340000", UNKNOWN, "440300"]
    assert made.addresses == {"city": 256, "province": 256, "nowhere": 0}


def test_neighbours_of_one_district_are_joined_and_provinces_are_coarser() -> None:
    def at(first: str, last: str, province: str, city: str) -> Placed:
        ends = int(ipaddress.ip_address(first)), int(ipaddress.ip_address(last))
        return Placed(4, *ends, "CN", province, city)

    ranges = [
        at("192.0.2.128", "192.0.2.255", "Guangdong", "Foshan"),
        at("192.0.2.0", "192.0.2.63", "Guangdong", "Shenzhen"),
        at("192.0.2.64", "192.0.2.127", "Guangdong", "Shenzhen Shi"),
    ]
    assert make(ranges, by_province=False).rows == [("192.0.2.0/25", "440300"), ("192.0.2.128/25", "440600")]
    assert make(ranges, by_province=True).rows == [("192.0.2.0/24", "440000")]
    with pytest.raises(DistrictsUnreadable, match="overlap"):
        make([*ranges, at("192.0.2.9", "192.0.2.9", "Anhui", "")], by_province=False)


@pytest.mark.parametrize(
    ("country", "province", "city", "code"),
    [
        ("CN", "Inner Mongolia", "Hohhot", "150100"),
        ("中国", "内蒙古自治区", "呼和浩特市", "150100"),
        ("China", "Xinjiang Uyghur Autonomous Region", "Ürümqi", "650100"),
        ("CN", "Shaanxi", "Xi'an", "610100"),
        ("中国", "陕西", "西安", "610100"),
        ("中国", "云南省", "大理", "532900"),
        ("中国", "吉林省", "吉林市", "220200"),
        ("中国", "北京", "北京市", "110000"),
        ("中国", "上海市", "嘉定区", "310114"),
        ("CN", "Shanghai", "Shanghai", "310000"),
        ("CN", "", "Tianjin", "120000"),
        ("HK", "", "", "810000"),
        ("CN", "Atlantis", "", None),
        ("US", "Texas", "Shanghai", None),
        ("", "", "", None),
    ],
)
def test_a_name_tells_the_smallest_division_that_it_can(country: str, province: str, city: str, code: str) -> None:
    assert divisions().of(country, province, city) == code


def test_the_list_of_divisions_is_whole_and_hangs_together() -> None:
    file = Path(__file__).parents[2] / "services" / "verify" / "divisions.csv"
    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    codes = [row["code"] for row in rows]
    assert codes == sorted(set(codes))
    assert all(is_division(code) for code in codes)
    assert len([code for code in codes if code.endswith("0000")]) == 34
    provinces = {code for code in codes if code.endswith("0000")}
    assert all(code[:2] + "0000" in provinces for code in codes)
    assert above("310115") in provinces
    named = {row["code"]: row["name"] for row in rows}
    for district in DISTRICTS:
        assert named[district.code].startswith(district.name.zh)
    assert all(row["latin"] == row["latin"].lower() and row["latin"].isascii() for row in rows)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "none of the forms"),
        ("a,b,c\n", "none of the forms"),
        ("PK\x03\x04nonsense", "none of the forms"),
        (GEOLITE + "here,1,1,,\n", "line 2"),
        (FORMS["dbip"] + "192.0.2.0,2001:db8::,AS\n", "line 6"),
        (FORMS["ip2location"] + "x,y,CN,China,Anhui,\n", "line 6"),
        ("192.0.2.9|192.0.2.1|中国|0|广东省|深圳市|电信\n", "ends before it begins"),
        ('"' + "x" * 200_000, "none of the forms|line"),
    ],
)
def test_what_is_no_such_file_is_said_with_its_line(text: str, said: str, places: Path, tmp_path: Path) -> None:
    with pytest.raises(DistrictsUnreadable, match=said):
        make(placed(a_file(tmp_path, text), places), by_province=False)


def test_a_file_that_names_places_by_number_wants_their_names(tmp_path: Path) -> None:
    with pytest.raises(DistrictsUnreadable) as error:
        list(placed(a_file(tmp_path, FORMS["geolite"])))
    assert "--places" in error.value.hint
    with pytest.raises(DistrictsUnreadable, match="No such file"):
        list(placed(tmp_path / "none"))


def test_the_command_writes_what_the_counting_process_reads(tmp_path: Path) -> None:
    target = tmp_path / "districts.csv"
    file = a_file(tmp_path, FORMS["dbip"])
    done = CliRunner().invoke(main, ["districts", "build", str(file), "--to", str(target), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["networks"], told["districts"]) == (4, 3)
    table = Districts.in_file(target)
    table.described(target).tell(tmp_path)
    found = in_use(tmp_path)
    assert found is not None
    assert (found.networks, found.districts, len(found.digest)) == (4, 3, 12)
    bad = CliRunner().invoke(main, ["districts", "build", str(tmp_path / "none"), "--to", str(target)])
    assert bad.exit_code == 2
    assert Districts.in_file(target).of(ipaddress.ip_address("192.0.2.1")) == "440300", "what was there stays"


def test_without_a_table_or_a_counting_process_it_is_said(tmp_path: Path) -> None:
    assert in_use(tmp_path) is None
    Districts().described(None).tell(tmp_path)
    assert in_use(tmp_path) == InUse(0, 0, "")
    (tmp_path / "districts.json").write_text("[]")
    assert in_use(tmp_path) is None
