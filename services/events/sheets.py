"""Rows of a CSV or XLSX file, streamed: where the headings are, and how the text is encoded, decided strictly."""

import codecs
import csv
import hashlib
import itertools
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from services.domain.errors import Malformed
from services.events.cells import SPACES, Cell, is_empty, shown
from services.events.columns import Layout, in_two_rows, is_heading_row, layout_of

HEADING_WITHIN = 10
"""Rows from the top among which the headings are looked for: exports put a title above them."""
COMMENT = ("#", "＃")
"""A row whose first cell begins so is for people: the template's row of explanations."""

_CHUNK = 1 << 20
_LONGEST_CELL = 1 << 20
_LARGEST_UNPACKED = 4 << 30
_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0"
_DELIMITERS = (",", "\t", ";")
_ZERO_PADDED = re.compile(r"0{2,}")


class SheetUnreadable(Malformed):
    slug = "sheet-unreadable"
    title = "The sheet cannot be read"
    zh = "无法读取该表格文件"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a sheet. `line` is its number as spreadsheet programs count, from 1 on."""

    line: int
    cells: Sequence[Cell]

    def at(self, place: int | None) -> Cell:
        """The cell in a column, None where the row is shorter or there is no such column."""
        return self.cells[place] if place is not None and place < len(self.cells) else None


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file's sheet of rows, looked at but not yet read through.

    `digest` is the SHA-256 of the file, `encoding` of CSV alone, `name` the worksheet's and `others` the worksheets
    that are not read, `heading_line` the row with the headings, `about` roughly how many rows there are.
    """

    path: Path
    digest: str
    encoding: str
    delimiter: str
    name: str
    others: tuple[str, ...]
    heading_line: int
    layout: Layout
    about: int

    def rows(self) -> Iterator[Row]:
        """The rows below the headings in order, empty ones and comments passed over.

        Raises:
            SheetUnreadable: the file is broken further down.
        """
        with _rows_of(self.path, self.encoding, self.delimiter, self.name) as rows:
            for row in rows:
                if row.line > self.heading_line and not all(map(is_empty, row.cells)) and not _is_comment(row):
                    yield row


def open_sheet(path: Path, mapping: Mapping[str, str], sheet: str | None = None) -> Sheet:
    """Look at a file: what it is, how it is encoded, which sheet and row the headings are in.

    `mapping` is plain heading → column key; `sheet` names a worksheet, else the first that has the headings is read.

    Raises:
        SheetUnreadable: none of the kinds that we read, or no row with headings among the first ten.
        BadRequest: two headings are the same column.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(8)
    except OSError as error:
        raise SheetUnreadable(f"{path}: 无法打开 (cannot be opened): {error.strerror}") from None
    if magic.startswith(_OLE):
        raise SheetUnreadable(
            f"{path}: 旧的 XLS 格式或加密的文件 (the old XLS format, or encrypted)",
            hint="另存为 XLSX 或 CSV；save it as XLSX or CSV",
        )
    return _open_xlsx(path, mapping, sheet) if magic.startswith(_ZIP) else _open_csv(path, mapping)


def _is_comment(row: Row) -> bool:
    first = next((cell for cell in row.cells if not is_empty(cell)), None)
    return isinstance(first, str) and first.lstrip().startswith(COMMENT)


@contextmanager
def _rows_of(path: Path, encoding: str, delimiter: str, name: str) -> Iterator[Iterator[Row]]:
    if encoding:
        with _csv_rows(path, encoding, delimiter) as rows:
            yield rows
    else:
        with _workbook(path) as book:
            yield _worksheet_rows(path, book[name])


def _headings_in(rows: Iterator[Row], mapping: Mapping[str, str]) -> tuple[int, list[str]] | None:
    """The last line and the titles of the row with the headings, or of the two rows that they are in."""
    first = [(row.line, _titles(row)) for row in itertools.islice(rows, HEADING_WITHIN + 1)]
    for (line, titles), (next_line, below) in itertools.pairwise([*first, (0, [])]):
        both = in_two_rows(titles, below, mapping)
        if both is not None:
            return next_line, both
        if line <= first[0][0] + HEADING_WITHIN - 1 and is_heading_row(titles, mapping):
            return line, titles
    return None


def _titles(row: Row) -> list[str]:
    return [shown(cell).strip(SPACES) for cell in row.cells]  # a converted file may keep its byte order mark


def _no_headings(path: Path) -> SheetUnreadable:
    return SheetUnreadable(
        f"{path}: 前{HEADING_WITHIN}行没有标题行：至少要有“证书编号”和另一列 "
        f"(no row with headings among the first {HEADING_WITHIN}: certificate_no and one more column)",
        hint="certmark import --template 写出模板，--mapping 说明别的标题；writes a template, names other headings",
    )


# --- CSV -----------------------------------------------------------------------------------------------------


def _open_csv(path: Path, mapping: Mapping[str, str]) -> Sheet:
    digest, encoding, lines = _encoding_of(path)
    for delimiter in _DELIMITERS:
        with _csv_rows(path, encoding, delimiter) as rows:
            found = _headings_in(rows, mapping)
        if found is not None:
            line, titles = found
            layout = layout_of(titles, mapping)
            return Sheet(path, digest, encoding, delimiter, "", (), line, layout, max(0, lines - line))
    raise _no_headings(path)


_ENCODINGS = {"utf-8-sig": "UTF-8", "gb18030": "GB18030"}


def encoding_said(encoding: str) -> str:
    """An encoding by the name that people know, empty for XLSX."""
    return _ENCODINGS.get(encoding, "")


def _encoding_of(path: Path) -> tuple[str, str, int]:
    """(SHA-256, Python's name of the encoding, number of line ends) of a whole file.

    UTF-8 where every byte of the file is UTF-8, else GB18030 where every byte is that, else nothing: half a file
    in the wrong encoding would be signed as it stands.
    """
    digest = hashlib.sha256()
    decoders = {name: codecs.getincrementaldecoder(name)("strict") for name in _ENCODINGS}
    broken: dict[str, int] = {}
    place = lines = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            if place == 0 and chunk[:2] in (b"\xff\xfe", b"\xfe\xff"):
                raise SheetUnreadable(
                    f"{path}: UTF-16", hint="另存为 CSV UTF-8 或 XLSX；save it as CSV UTF-8, or as XLSX"
                )
            if b"\0" in chunk:
                raise SheetUnreadable(f"{path}: 含有 NUL 字节，不是 CSV (holds NUL bytes: not CSV)")
            digest.update(chunk)
            lines += chunk.count(b"\n")
            for name, decoder in decoders.items():
                _decode(decoder, chunk, name, place, broken, final=False)
            place += len(chunk)
    for name, decoder in decoders.items():
        _decode(decoder, b"", name, place, broken, final=True)
    for name in _ENCODINGS:
        if name not in broken:
            return digest.hexdigest(), name, lines
    said = "，".join(f"{_ENCODINGS[name]}: {at}" for name, at in broken.items())
    raise SheetUnreadable(
        f"{path}: 既不是 UTF-8 也不是 GB18030，出错的字节 (neither UTF-8 nor GB18030; first wrong byte): {said}",
        hint="另存为 CSV UTF-8 或 XLSX；save it as CSV UTF-8, or as XLSX",
    )


def _decode(
    decoder: codecs.IncrementalDecoder, chunk: bytes, name: str, place: int, broken: dict[str, int], *, final: bool
) -> None:
    if name in broken:
        return
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError as error:
        broken[name] = place + error.start


@contextmanager
def _csv_rows(path: Path, encoding: str, delimiter: str) -> Iterator[Iterator[Row]]:
    with path.open("r", encoding=encoding, newline="") as file:
        yield _records(path, file, delimiter)


def _records(path: Path, file: Any, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    line = 0
    try:
        for line, cells in enumerate(reader, 1):
            yield Row(line, cells)
    except csv.Error as error:
        raise SheetUnreadable(
            f"{path}: 第{line + 1}行 (row {line + 1}): {error}",
            hint="引号须成对，引号内的引号写两次；quotes come in pairs, and twice inside quotes",
        ) from None


# --- XLSX ------------------------------------------------------------------------------------------------------


def _open_xlsx(path: Path, mapping: Mapping[str, str], sheet: str | None) -> Sheet:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with _workbook(path) as book:
        names = [worksheet.title for worksheet in book.worksheets if worksheet.sheet_state == "visible"]
        if sheet is not None and sheet not in names:
            raise SheetUnreadable(f"{path}: 没有工作表“{sheet}” (no such worksheet)", hint="、".join(names))
        for name in [sheet] if sheet is not None else names:
            about = book[name].max_row or 0
            found = _headings_in(_worksheet_rows(path, book[name]), mapping)
            if found is not None:
                line, titles = found
                others = tuple(other for other in names if other != name)
                return Sheet(path, digest, "", "", name, others, line, layout_of(titles, mapping), max(0, about - line))
    raise _no_headings(path)


@contextmanager
def _workbook(path: Path) -> Iterator[Any]:
    """The workbook in read-only mode, formulas by the values that were last computed."""
    import openpyxl  # a tenth of a second, which no other command should wait

    with path.open("rb") as file:  # by its name openpyxl would judge it once more
        with _said_by_openpyxl(path):
            with zipfile.ZipFile(file) as packed:
                unpacked = sum(info.file_size for info in packed.infolist())
            if unpacked > _LARGEST_UNPACKED:
                raise SheetUnreadable(
                    f"{path}: 解压后 {unpacked >> 20} MiB，太大 (too large unpacked)",
                    hint="分成几个文件，或另存为 CSV；split it, or save it as CSV",
                )
            book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        try:
            yield book
        finally:
            book.close()


@contextmanager
def _said_by_openpyxl(path: Path) -> Iterator[None]:
    """Its errors as ours; its warnings are about fonts and validations, which are no concern of a reader."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (zipfile.BadZipFile, ParseError, KeyError, ValueError, TypeError, OSError, EOFError) as error:
        raise SheetUnreadable(f"{path}: 不是可读的 XLSX (not a readable XLSX): {error}") from None


def _worksheet_rows(path: Path, worksheet: Any) -> Iterator[Row]:
    # What a file says of its own size is often wrong: a million rows, or one.
    worksheet.reset_dimensions()
    rows = worksheet.iter_rows()
    for line in itertools.count(1):
        with _said_by_openpyxl(path):
            cells = next(rows, None)
            if cells is None:
                return
            values = [_value(cell) for cell in cells]
        yield Row(line, values)


def _value(cell: Any) -> Cell:
    """A cell's value; a code shown with leading zeros by its number format keeps them."""
    value: Cell = cell.value
    if isinstance(value, int) and not isinstance(value, bool) and _ZERO_PADDED.fullmatch(cell.number_format or ""):
        return str(value).zfill(len(cell.number_format))
    return value
