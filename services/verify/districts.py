"""Where an address is, as coarse as a district: an operator's own table of networks, or nothing at all."""

import csv
import hashlib
import ipaddress
import json
import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

from services.domain.copies import UNKNOWN
from services.domain.errors import NotConfigured

MOST = 500_000
"""Rows of a table; a country's networks by prefecture are some hundred thousand."""

TOLD = "districts.json"
"""File beside the counts in which the counting process tells the node's pages what its table is."""

_DISTRICT = re.compile(r"([1-9][0-9]{5})([0-9]{3}){0,2}", re.ASCII)
"""Of a district; of a street or town in it (nine digits), of a neighbourhood or village (twelve)."""
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class _Ranges:
    """Networks of one IP version as ranges that do not overlap, by their first address."""

    first: list[int]
    last: list[int]
    district: list[str]

    def of(self, address: int) -> str:
        place = bisect_right(self.first, address) - 1
        return self.district[place] if place >= 0 and address <= self.last[place] else UNKNOWN


@dataclass(frozen=True, slots=True)
class InUse:
    """What a table is: how many networks and districts, and the first digits of its file's SHA-256."""

    networks: int
    districts: int
    digest: str

    def tell(self, folder: Path) -> None:
        """For the node's pages; a reader sees the file before or after, never half of it."""
        part = folder / f".{TOLD}.part"
        part.write_text(json.dumps(asdict(self)), encoding="ascii")
        part.replace(folder / TOLD)


def in_use(folder: Path) -> InUse | None:
    """The table by which this node counts; None where no process has counted here yet."""
    try:
        told = json.loads((folder / TOLD).read_bytes())
        return InUse(int(told["networks"]), int(told["districts"]), str(told["digest"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


class Districts:
    """Answers `unknown` for every address until it is given a table."""

    def __init__(self, rows: Iterable[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, str]] = ()) -> None:
        """Raises ValueError where two networks overlap and name different districts."""
        by_version: dict[int, list[tuple[int, int, str]]] = {4: [], 6: []}
        for network, district in rows:
            found = (int(network.network_address), int(network.broadcast_address), district)
            by_version[network.version].append(found)
        self._ranges = {version: _ordered(ranges) for version, ranges in by_version.items()}

    def described(self, path: Path | None) -> InUse:
        """What the table of a file is, once it was read."""
        named = [district for ranges in self._ranges.values() for district in ranges.district]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path else ""
        return InUse(len(named), len(set(named)), digest)

    @classmethod
    def in_file(cls, path: Path | None) -> "Districts":
        """The table of a CSV file with the columns `network` (CIDR) and `district` (six digits of GB/T 2260, or finer).

        Raises:
            NotConfigured: the file cannot be read, or a row is not of that form; the text names the row.
        """
        if path is None:
            return cls()
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = csv.DictReader(file)
                if not {"network", "district"} <= set(rows.fieldnames or ()):
                    raise NotConfigured(f"CERTMARK_DISTRICTS_FILE={str(path)!r}: its columns are network and district")
                return cls(_row(path, number, row) for number, row in enumerate(rows, 2))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else type(error).__name__
            raise NotConfigured(f"CERTMARK_DISTRICTS_FILE={str(path)!r} cannot be read: {reason}") from None
        except ValueError as error:
            raise NotConfigured(f"CERTMARK_DISTRICTS_FILE={str(path)!r}: {error}") from None

    def of(self, address: Address | None) -> str:
        """The district of an address; `unknown` where the table does not place it."""
        return self._ranges[address.version].of(int(address)) if address is not None else UNKNOWN


def _row(path: Path, number: int, row: dict[str, str]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, str]:
    where = f"CERTMARK_DISTRICTS_FILE={str(path)!r}, line {number}"
    if number > MOST:
        raise NotConfigured(f"{where}: a table has at most {MOST} rows")
    network, district = (row["network"] or "").strip(), (row["district"] or "").strip()
    named = _DISTRICT.fullmatch(district)
    if named is None:
        raise NotConfigured(f"{where}: {district!r} is no six-digit code of GB/T 2260, nor one of a place within it")
    try:
        return ipaddress.ip_network(network), named[1]  # counts stay as coarse as a district
    except ValueError:
        raise NotConfigured(f"{where}: {network!r} is no network such as 192.0.2.0/24") from None


def _ordered(ranges: list[tuple[int, int, str]]) -> _Ranges:
    ranges = sorted(set(ranges))
    for (_, last, district), (first, _, other) in pairwise(ranges):
        if first <= last:
            raise ValueError(f"two networks overlap, of {district} and {other}: name each address once")
    return _Ranges([one[0] for one in ranges], [one[1] for one in ranges], [one[2] for one in ranges])
