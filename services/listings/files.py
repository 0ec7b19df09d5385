"""Rows of what is sent to be checked: CSV, XLSX or JSON lines, in UTF-8 or GB18030, whatever else is wrong with it.

A file that is none of these is refused whole; a row that cannot be read is one row that cannot be judged, and the rest
goes on. This runs in a process of its own with limits (`parse.py`): nothing of it is trusted.
"""

import csv
import itertools
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import orjson

from services.domain.errors import Malformed
from services.events.cells import SPACES, Cell, is_empty, shown
from services.listings.columns import KEYS, Fields, column_named, columns_of, fields_of, fields_of_object

HEADING_WITHIN = 10
"""Rows from the top among which the headings are looked for."""
SHOWN = 20
"""Rows that a preview shows, and a guess of a column looks at."""
LARGEST_UNPACKED = 512 << 20
"""Bytes that an XLSX may have unpacked."""
MOST_PACKED = 100
"""How many times smaller a part of an XLSX may be packed than it is; what people type packs ten to twenty times."""
_SMALL = 16 << 20
LONGEST_LINE = 1 << 20
_MOST_COLUMNS = 500
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_SAMPLE = 4 << 20
_DELIMITERS = (",", "\t", ";")


class ListingsUnreadable(Malformed):
    slug = "listings-unreadable"
    title = "The file of listings cannot be read"
    zh = "无法读取商品清单文件"


class NoColumns(Malformed):
    slug = "listings-columns"
    title = "No column says what is offered: title, text, product or certificate number"
    zh = "没有标题、文本、产品或证书编号列，无法核查"


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that was looked at. `columns` are (heading, key or None) in order, empty for JSON lines.

    `about` is roughly how many rows there are, `sample` the first ones as text.
    """

    kind: str
    encoding: str
    columns: tuple[tuple[str, str | None], ...]
    about: int
    sample: tuple[tuple[str, ...], ...]


Rows = Iterator[Fields | None]
"""Rows in order; None is one that cannot be read."""


def open_listings(path: Path, mapping: Mapping[str, str], sheet: str | None = None) -> tuple[Opened, Rows]:
    """What a file is, and its rows.

    Raises:
        ListingsUnreadable: none of the kinds that we read. NoColumns: nothing in it says what is offered.
        BadRequest: `mapping` names a column that there is none of.
    """
    with path.open("rb") as file:
        start = file.read(_SAMPLE)
    if start.startswith(_OLE):
        raise ListingsUnreadable("the old XLS format, or encrypted 旧的 XLS 格式或加密的文件", hint="XLSX, CSV")
    if start.startswith(_ZIP):
        return _xlsx(path, mapping, sheet)
    if start[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in start[:4096]:
        raise ListingsUnreadable("UTF-16, or no text at all 不是文本", hint="另存为 CSV UTF-8; save it as CSV UTF-8")
    encoding = _encoding(start)
    if _text(start, encoding).lstrip("\ufeff" + SPACES).startswith("{"):
        return Opened("jsonl", encoding, (), _lines(path), ()), _objects(path, encoding)
    return _csv(path, mapping, start, encoding)


def _encoding(start: bytes) -> str:
    """UTF-8 where the beginning is, else GB18030; a line that is not what the rest is takes the other."""
    end = max(start.rfind(b"\n"), 0) or len(start)
    try:
        start[:end].decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError:
        pass
    lines = [line for line in start.split(b"\n")[:1000] if not line.isascii()]
    rest = [line for line in lines if not _decodes(line, "utf-8")]
    # Half of all UTF-8 is GB18030 as well, by chance; the other way round it hardly happens.
    other = sum(_decodes(line, "gb18030") for line in rest)
    return "utf-8" if len(lines) - len(rest) >= other else "gb18030"


def _decodes(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _text(line: bytes, encoding: str) -> str:
    """A line in the file's encoding, in the other one, or with a mark (U+FFFD) where it is neither."""
    try:
        return line.decode(encoding)
    except UnicodeDecodeError:
        other = "gb18030" if encoding == "utf-8" else "utf-8"
        try:
            return line.decode(other)
        except UnicodeDecodeError:
            return line.decode(encoding, "replace")


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))


# --- JSON lines ------------------------------------------------------------------------------------------


def _objects(path: Path, encoding: str) -> Rows:
    with path.open("rb") as file:
        while line := file.readline(LONGEST_LINE):
            whole = line.endswith(b"\n") or len(line) < LONGEST_LINE
            while not whole and (rest := file.readline(LONGEST_LINE)):
                whole = rest.endswith(b"\n")  # too long to be one listing: passed over to its end
                line = b"?"
            if line.strip(b"\xef\xbb\xbf \t\r\n"):
                yield _object(line, encoding)


def _object(line: bytes, encoding: str) -> Fields | None:
    try:
        members = orjson.loads(_text(line, encoding).lstrip("\ufeff"))
    except ValueError:
        return None
    if not isinstance(members, dict):
        return None
    by_key = {column_named(key) or key: value for key, value in members.items()}
    return fields_of_object(by_key)


# --- CSV -------------------------------------------------------------------------------------------------


def _csv(path: Path, mapping: Mapping[str, str], start: bytes, encoding: str) -> tuple[Opened, Rows]:
    best: tuple[int, str] = (0, ",")
    for delimiter in _DELIMITERS:
        first = _text(start.split(b"\n", 1)[0], encoding).count(delimiter)
        best = max(best, (first, delimiter), key=lambda one: one[0])
    order = [best[1], *(one for one in _DELIMITERS if one != best[1])]
    wrong: NoColumns | None = None
    for delimiter in order:
        with path.open("rb") as file:
            head = [row for row in itertools.islice(_records(file, encoding, delimiter), HEADING_WITHIN + SHOWN) if row]
        try:
            at, columns = _headings(head, mapping)
        except NoColumns as error:
            wrong = wrong or error
            continue
        opened = Opened("csv", encoding, columns, max(0, _lines(path) - at), _sample(head[at:]))
        return opened, _csv_rows(path, encoding, delimiter, at, columns)
    assert wrong is not None
    raise wrong


def _csv_rows(path: Path, encoding: str, delimiter: str, at: int, columns: Sequence[tuple[str, str | None]]) -> Rows:
    order = _order(columns)
    with path.open("rb") as file:
        for place, cells in enumerate(_records(file, encoding, delimiter)):
            if place < at:
                continue
            if cells is None:
                yield None
            elif any(cells):
                yield None if any(_is_spoilt(cell) for cell in cells) else fields_of(cells, order)


def _is_spoilt(cell: str) -> bool:
    """Bytes in no encoding of ours, or rows that an open quote has swallowed."""
    return "\ufffd" in cell or (len(cell) > _MOST_LINES and cell.count("\n") > _MOST_LINES)


_MOST_LINES = 200


def _records(file: IO[bytes], encoding: str, delimiter: str) -> Iterator[list[str] | None]:
    """The records of a CSV file; None for one that is none. Quotes are taken as leniently as spreadsheets do."""
    csv.field_size_limit(LONGEST_LINE)
    lines = (_text(line, encoding) for line in _bounded(file))
    first = next(lines, "").removeprefix("\ufeff")
    reader = csv.reader(itertools.chain([first], lines), delimiter=delimiter)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield None
            continue
        yield cells if len(cells) <= _MOST_COLUMNS else None


def _bounded(file: IO[bytes]) -> Iterator[bytes]:
    """Lines, none longer than a cell may be: a file without line ends must not become one."""
    while line := file.readline(LONGEST_LINE):
        yield line


def _headings(
    head: Sequence[list[str] | None], mapping: Mapping[str, str]
) -> tuple[int, tuple[tuple[str, str | None], ...]]:
    """(rows up to and with the headings, the columns): the row with most names of ours among the first ones.

    Raises:
        NoColumns: no row names anything that is offered.
    """
    best: tuple[int, int, list[str | None]] = (0, 0, [])
    for at, row in enumerate(head[:HEADING_WITHIN], 1):
        if row is None:
            continue
        titles = [cell.strip(SPACES) for cell in row]
        if sum(len(title) > 0 for title in titles) and not any(len(title) > _LONGEST_HEADING for title in titles):
            found = columns_of(titles, mapping, [one for one in head[at : at + SHOWN] if one])
            named = sum(bool(column_named(title) or mapping.get(title)) for title in titles)
            if named > best[0]:
                best = (named, at, found)
    named, at, found = best
    if not named or not set(found) & _OFFERED:
        seen = [cell for row in head[:1] if row for cell in row[:12]]
        raise NoColumns(
            f"headings found 找到的标题：{'、'.join(seen)[:300]}",
            hint="说明列的对应关系 (--mapping)；name the columns by a mapping",
        )
    row = head[at - 1]
    assert row is not None
    return at, tuple(zip((cell.strip(SPACES) for cell in row), found, strict=True))


_LONGEST_HEADING = 60
_OFFERED = {"title", "text", "product", "certificate_no"}


def _order(columns: Sequence[tuple[str, str | None]]) -> list[int | None]:
    places = {key: place for place, (_, key) in enumerate(columns) if key}
    return [places.get(key) for key in KEYS]


def _sample(rows: Sequence[Sequence[Cell] | None]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(shown(cell)[:80] for cell in row) for row in rows[:SHOWN] if row)


# --- XLSX ------------------------------------------------------------------------------------------------


def rows_foretold(path: Path) -> int | None:
    """Roughly how many rows an XLSX has, before it is opened whole; None for other files, or where it does not say.

    Its largest sheet says so at its beginning, or is as long as its first rows say.

    Raises:
        ListingsUnreadable: as `_refuse_bombs` says: nothing of it has been unpacked then.
    """
    with path.open("rb") as file:
        if not file.read(len(_ZIP)).startswith(_ZIP):
            return None
    _refuse_bombs(path)
    try:
        with zipfile.ZipFile(path) as packed:
            sheets = [part for part in packed.infolist() if part.filename.startswith("xl/worksheets/")]
            largest = max(sheets, key=lambda part: part.file_size, default=None)
            if largest is None:
                return None
            with packed.open(largest) as sheet:
                start = sheet.read(_FIRST_ROWS)
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, RuntimeError, NotImplementedError, EOFError):
        return None  # opening it tells what is wrong
    said = re.search(rb'<dimension ref="[A-Z]{1,3}\d{1,7}:[A-Z]{1,3}(\d{1,7})"', start)
    if said is not None:
        return int(said[1]) - 1
    return start.count(b"<row ") * largest.file_size // len(start) if start else None


_FIRST_ROWS = 256 << 10
"""Bytes of a sheet that are looked at for it."""


def _xlsx(path: Path, mapping: Mapping[str, str], sheet: str | None) -> tuple[Opened, Rows]:
    _refuse_bombs(path)
    from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum

    try:
        book = CalamineWorkbook.from_path(str(path))
        names = [one.name for one in book.sheets_metadata if one.visible == SheetVisibleEnum.Visible]
        if sheet is not None and sheet not in names:
            raise ListingsUnreadable(f"no worksheet {sheet!r} 没有该工作表", hint="、".join(names)[:300])
        wrong: NoColumns | None = None
        for name in [sheet] if sheet is not None else names:
            worksheet = book.get_sheet_by_name(name)
            head = [[*row] for row in itertools.islice(worksheet.iter_rows(), HEADING_WITHIN + SHOWN)]
            try:
                at, columns = _headings([[shown(cell) for cell in row] for row in head], mapping)
            except NoColumns as error:
                wrong = wrong or error
                continue
            opened = Opened("xlsx", "", columns, max(0, worksheet.height - at), _sample(head[at:]))
            return opened, _xlsx_rows(worksheet.iter_rows(), at, columns)
    except (CalamineError, OSError, ValueError, KeyError) as error:
        raise ListingsUnreadable(f"not a readable XLSX 不是可读的 XLSX: {str(error)[:200]}") from None
    raise wrong or ListingsUnreadable("no worksheet 没有工作表")


def _xlsx_rows(rows: Iterable[Sequence[Cell]], at: int, columns: Sequence[tuple[str, str | None]]) -> Rows:
    order = _order(columns)
    for cells in itertools.islice(rows, at, None):
        if not all(map(is_empty, cells)):
            yield fields_of(cells, order)


def _refuse_bombs(path: Path) -> None:
    """Before anything is unpacked: what the parts say of their sizes. What they lie about meets the process's limits.

    Raises:
        ListingsUnreadable: too large unpacked, or packed as nothing is that people have typed.
    """
    try:
        with zipfile.ZipFile(path) as packed:
            parts = packed.infolist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise ListingsUnreadable(f"not a readable XLSX 不是可读的 XLSX: {str(error)[:200]}") from None
    total = sum(part.file_size for part in parts)
    if total > LARGEST_UNPACKED:
        raise ListingsUnreadable(f"{total >> 20} MiB unpacked 解压后过大", hint="分成几个文件；split it")
    for part in parts:
        if part.file_size > _SMALL and part.file_size > MOST_PACKED * max(1, part.compress_size):
            raise ListingsUnreadable(
                f"{part.filename[:80]}: {part.file_size >> 20} MiB in {part.compress_size >> 10} KiB 疑似压缩炸弹",
                hint="另存为 CSV；save it as CSV",
            )
