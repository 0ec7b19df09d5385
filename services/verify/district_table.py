"""Makes a table of districts from what others publish: ranges of addresses by the name of a place become codes."""

import csv
import ipaddress
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import chain, count
from pathlib import Path

from services.domain.division import above
from services.domain.errors import BadRequest
from services.verify.districts import MOST, Districts

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Advance = Callable[[int], None]
_DIVISIONS = Path(__file__).with_name("divisions.csv")
_HEADS = ("network", "geoname_id")
_V4 = 1 << 32


class DistrictsUnreadable(BadRequest):
    slug = "districts-unreadable"
    title = "The file is no table of addresses by place that is known here"
    zh = "该文件不是可识别的地址与地区对照表"


# --- from a name to a code -----------------------------------------------------------------------------------------

_KINDS = "特别行政区|自治区|自治州|自治县|地区|新区|省|市|盟|区|县"
_PEOPLES = (
    "壮族|回族|维吾尔|朝鲜族|蒙古族|蒙古|藏族|羌族|彝族|白族|傣族|景颇族|傈僳族|哈尼族|苗族|侗族|布依族|土家族|黎族|哈萨克"
    "|柯尔克孜"
)
_KIND = re.compile(f"({_KINDS})$")
_PEOPLE = re.compile(f"({_PEOPLES})+$")
_LATIN_KIND = re.compile(
    r"\b(province|municipality|prefecture|city|shi|sheng|zhuang|hui|uyghur|uygur|autonomous region)\b"
)
_NOT_A_LETTER = re.compile("[^a-z]")
_OWN_COUNTRY = {"hk": "810000", "mo": "820000", "tw": "710000", "香港": "810000", "澳门": "820000", "台湾": "710000"}
_CHINA = ("cn", "chn", "china", "中国")
_MUNICIPALITIES = ("11", "12", "31", "50")


@dataclass(frozen=True, slots=True)
class Divisions:
    """Provinces, prefectures and the districts of the four municipalities (GB/T 2260) by name, in either script."""

    provinces: Mapping[str, str]
    within: Mapping[tuple[str, str], str]

    def of(self, country: str, province: str, city: str) -> str | None:
        """The code of the smallest division that the names tell; None outside the country, or with no such province."""
        land = country.strip().lower()
        if land not in _CHINA:
            return _OWN_COUNTRY.get(land)
        code = self.province(province) or self.province(city)
        if code is None:
            return None
        return next((found for name in _forms(city) if (found := self.within.get((code, name)))), code)

    def province(self, name: str) -> str | None:
        """The code of a province by its name."""
        return next((found for form in _forms(name) if (found := self.provinces.get(form))), None)


@cache
def divisions() -> Divisions:
    """The shipped list. A name that two divisions of a province share tells neither."""
    provinces: dict[str, str] = {}
    within: dict[tuple[str, str], str] = {}
    shared = set()
    with _DIVISIONS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            code = row["code"]
            for form in {*_forms(row["name"]), *row["latin"].split("|")}:
                if code.endswith("0000"):
                    provinces[form] = code
                    continue
                place = (code[:2] + "0000", form)
                if within.setdefault(place, code) != code:
                    shared.add(place)
    return Divisions(provinces, {place: code for place, code in within.items() if place not in shared})


def _forms(name: str) -> tuple[str, ...]:
    """How a name is looked up, the fullest first: Chinese with and without the kind, Latin letters without accents."""
    text = name.strip()
    if not text:
        return ()
    if text.isascii() or not re.search("[\u3400-\u9fff]", text):
        plain = unicodedata.normalize("NFKD", text).lower()
        words = _LATIN_KIND.sub("", plain)
        return tuple(dict.fromkeys(filter(None, (_NOT_A_LETTER.sub("", words), _NOT_A_LETTER.sub("", plain)))))
    short = _KIND.sub("", text) if len(text) > 2 else text
    return tuple(dict.fromkeys((text, short, _PEOPLE.sub("", short) or short)))


# --- the formats that are read ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Placed:
    """A range of addresses, both ends included, and the names of its place as the file has them."""

    version: int
    first: int
    last: int
    country: str
    province: str
    city: str


_Names = Mapping[str, tuple[str, str, str]]
_Read = Callable[[list[str], _Names], Placed]


def placed(path: Path, places: Path | None = None) -> Iterator[Placed]:
    """The ranges of a file in one of the forms of docs/copies.md; the form is told by the first line.

    Raises:
        DistrictsUnreadable: the file cannot be read, is of no such form, or has a line that is not; the text names it.
    """
    read_so_far = count()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            head = file.readline(4096)
            lines = (line for line, _ in zip(chain((head,), file), read_so_far, strict=False))
            if "|" in head:
                rows: Iterable[list[str]] = (line.rstrip("\r\n").split("|") for line in lines)
                read: _Read = _ip2region
            else:
                rows = csv.reader(lines)
                read = _csv_form(next(csv.reader([head]), []))
                if read is _geoname:
                    next(iter(rows))
            named = _places(places) if read is _geoname else {}
            for row in rows:
                if row and row != [""]:
                    yield read(row, named)
    except OSError as error:
        raise DistrictsUnreadable(f"{path.name}: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error, ValueError, IndexError, OverflowError):
        line = next(read_so_far)
        raise DistrictsUnreadable(f"{path.name}, line {line}: not as the lines before it") from None


def _csv_form(head: list[str]) -> _Read:
    if tuple(head[:2]) == _HEADS:
        return _geoname
    if len(head) >= 6 and head[0].isascii() and head[0].isdigit():
        return _ip2location
    if len(head) >= 6 and re.fullmatch("[0-9a-fA-F.:]+", head[0]) and len(head[2]) == 2:
        return _dbip
    raise DistrictsUnreadable(
        "the first line is of none of the forms that are read",
        hint="GeoLite2 City CSV, IP2Location LITE DB3 and up, DB-IP City Lite, or ip2region's source",
    )


def _geoname(row: list[str], named: _Names) -> Placed:
    """`network,geoname_id,registered_country_geoname_id,…`; the names are in the file beside it."""
    network = ipaddress.ip_network(row[0])
    country, province, city = named.get(row[1]) or named.get(row[2]) or ("", "", "")
    first, last = int(network.network_address), int(network.broadcast_address)
    return Placed(network.version, first, last, country, province, city)


def _ip2location(row: list[str], named: _Names) -> Placed:
    """`from,to,country code,country,region,city`, addresses as decimal numbers."""
    first, last = int(row[0]), int(row[1])
    return Placed(4 if last < _V4 else 6, first, last, row[2], row[4], row[5])


def _dbip(row: list[str], named: _Names) -> Placed:
    """`first,last,continent,country code,region,city,…`."""
    first, last = ipaddress.ip_address(row[0]), ipaddress.ip_address(row[1])
    return Placed(first.version, int(first), int(last), row[3], row[4], row[5])


def _ip2region(row: list[str], named: _Names) -> Placed:
    """`first|last|country|[area|]province|city|…`; `0` stands for nothing."""
    first, last = ipaddress.ip_address(row[0]), ipaddress.ip_address(row[1])
    names = [name for name in row[2:6] if name != "0"] + [""] * 4
    country, province, city = names[:3]
    if divisions().province(province) is None and divisions().province(city) is not None:
        province, city = names[2:4]  # an older form has a part of the country before the province
    return Placed(first.version, int(first), int(last), country, province, city)


def _places(path: Path | None) -> dict[str, tuple[str, str, str]]:
    """(country, region, city) by id, from GeoLite2's `…-Locations-….csv`."""
    if path is None:
        raise DistrictsUnreadable(
            "this file names places by number", hint="name the one with their names, too: --places …-Locations-en.csv"
        )
    with path.open(encoding="utf-8-sig", newline="") as file:
        return {
            row["geoname_id"]: (row["country_iso_code"], row["subdivision_1_name"], row["city_name"])
            for row in csv.DictReader(file)
            if row.get("country_iso_code") in ("CN", "HK", "MO", "TW")
        }


# --- the table -----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Made:
    """What became of a file: rows of the table, and how finely addresses of IP version 4 are placed."""

    rows: list[tuple[str, str]] = field(default_factory=list)
    read: int = 0
    addresses: dict[str, int] = field(default_factory=lambda: {"city": 0, "province": 0, "nowhere": 0})


def make(ranges: Iterable[Placed], *, by_province: bool, advance: Advance = lambda done: None) -> Made:
    """The table of the ranges that lie in China, neighbours of one district joined.

    Raises:
        DistrictsUnreadable: ranges overlap and name different districts, or there are more than a table may have.
    """
    made, known = Made(), divisions()
    found: list[tuple[int, int, int, str]] = []
    for one in ranges:
        made.read += 1
        if made.read % 10_000 == 0:
            advance(10_000)
        code = known.of(one.country, one.province, one.city)
        if one.last < one.first:
            raise DistrictsUnreadable(f"range {made.read} ends before it begins")
        if code is None:
            if one.version == 4 and one.country.strip().lower() in _CHINA:
                made.addresses["nowhere"] += one.last - one.first + 1
            continue
        if one.version == 4:
            made.addresses["province" if code.endswith("0000") else "city"] += one.last - one.first + 1
        found.append((one.version, one.first, one.last, _province_of(code) if by_province else code))
    made.rows = [(str(network), code) for network, code in _networks(found)]
    if len(made.rows) > MOST:
        raise DistrictsUnreadable(f"{len(made.rows)} networks; a table has at most {MOST}", hint="--level province")
    try:
        Districts((ipaddress.ip_network(network), code) for network, code in made.rows)
    except ValueError as error:
        raise DistrictsUnreadable(str(error)) from None
    return made


def _province_of(code: str) -> str:
    while (higher := above(code)) is not None:
        code = higher
    return code


def _networks(
    found: list[tuple[int, int, int, str]],
) -> Iterator[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, str]]:
    joined: list[tuple[int, int, int, str]] = []
    for version, first, last, code in sorted(found):
        if joined and joined[-1][0] == version and joined[-1][3] == code and first <= joined[-1][2] + 1:
            joined[-1] = (version, joined[-1][1], max(last, joined[-1][2]), code)
        else:
            joined.append((version, first, last, code))
    for version, first, last, code in joined:
        if version == 4:
            v4 = ipaddress.summarize_address_range(ipaddress.IPv4Address(first), ipaddress.IPv4Address(last))
            yield from ((network, code) for network in v4)
        else:
            v6 = ipaddress.summarize_address_range(ipaddress.IPv6Address(first), ipaddress.IPv6Address(last))
            yield from ((network, code) for network in v6)


def write(made: Made, path: Path) -> None:
    """The table as `CERTMARK_DISTRICTS_FILE` reads it; a file that was there stays whole until the new one is."""
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("network", "district"))
        writer.writerows(made.rows)
    part.replace(path)
