"""A file of listings by way of the limited process that reads it: what it is, then frames of rows."""

import contextlib
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import orjson

from services import confined
from services.domain.errors import BadRequest, CertmarkError, every_error
from services.listings.files import ListingsUnreadable

LIMITS = confined.Limits(memory=2 << 30, seconds=900, files=64)
"""A sheet of 100,000 rows takes a fifth of the memory."""


@dataclass(frozen=True, slots=True)
class About:
    """What a file is: see `files.Opened`."""

    kind: str
    encoding: str
    columns: tuple[tuple[str, str | None], ...]
    about: int
    sample: tuple[tuple[str, ...], ...]

    @property
    def unknown(self) -> list[str]:
        """Headings that no column was found for; the rows say nothing of what stands below them."""
        return [heading for heading, key in self.columns if key is None and heading]


@dataclass(frozen=True, slots=True)
class Frame:
    """Rows `first` to `first + rows - 1`, still packed; `codes` are (place in the frame, a unit's code, shop)."""

    first: int
    rows: int
    codes: tuple[tuple[int, str, str], ...]
    packed: bytes


class Reading:
    """One file being read. Iterating gives the frames in order.

    Raises, on construction and on iterating:
        ListingsUnreadable, NoColumns, BadRequest: as `files.open_listings` says, or the process met its limits.
    """

    def __init__(
        self,
        path: Path,
        mapping: Mapping[str, str] | None = None,
        sheet: str | None = None,
        pictures: Path | None = None,
        limits: confined.Limits = LIMITS,
        opening: Callable[[int], None] | None = None,
    ) -> None:
        """`opening` is told roughly how many rows there are, where that is known before the file is open."""
        told = [str(path.absolute()), orjson.dumps(dict(mapping or {})).decode(), sheet or ""]
        told += [str(pictures.absolute()) if pictures else ""]
        self._process = subprocess.Popen(  # noqa: S603  # our own module, no shell
            confined.command(confined.module("services.listings.parse", *told), limits),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=confined.environment(),
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self._out: IO[bytes] = self._process.stdout
        try:
            about = self._line()
            if "opening" in about:
                if opening is not None:
                    opening(int(about["opening"]))
                about = self._line()
        except BaseException:
            self.close()
            raise
        self.about = About(
            about["kind"],
            about["encoding"],
            tuple((heading, key) for heading, key in about["columns"]),
            about["about"],
            tuple(tuple(row) for row in about["sample"]),
        )
        self.total: int | None = None
        """Rows of the file, once it is read to its end."""

    def __iter__(self) -> Iterator[Frame]:
        try:
            while True:
                head = self._line()
                if "end" in head:
                    self.total = int(head["end"])
                    return
                codes = tuple((int(at), str(code), str(shop)) for at, code, shop in head["codes"])
                yield Frame(int(head["first"]), int(head["rows"]), codes, self._out.readline())
        finally:
            self.close()

    def close(self) -> None:
        self._process.kill()
        self._out.close()
        self._process.wait()

    def __enter__(self) -> "Reading":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _line(self) -> dict[str, Any]:
        line = self._out.readline()
        if not line.endswith(b"\n"):
            raise ListingsUnreadable(
                "the file needs more memory or time than it may take 读取该文件超出了内存或时间限制",
                hint="分成几个文件；split it",
            )
        told: dict[str, Any] = orjson.loads(line)
        if "error" in told:
            raise _error(told)
        return told


def _error(told: Mapping[str, str]) -> CertmarkError:
    known = every_error().get(told["error"], BadRequest)
    return known(told["detail"], hint=told["hint"])


def preview(path: Path, mapping: Mapping[str, str] | None = None, sheet: str | None = None) -> About:
    """What a file is and how its columns were understood, without reading on."""
    with contextlib.closing(Reading(path, mapping, sheet)) as reading:
        return reading.about
