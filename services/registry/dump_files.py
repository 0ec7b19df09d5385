"""The files of a dump: rows as JSON lines, CSV or Parquet, the same bytes for the same rows."""

import csv
import json
from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any, Protocol

import orjson

from services.domain.errors import NotConfigured
from services.events.cells import safe_text
from services.registry.dump_tables import Kind, Row, Table

FORMATS = ("jsonl", "csv", "parquet")

GROUP = 5000
"""Rows of one row group of a Parquet file: fixed, as it shapes the bytes; and all that is held in memory."""


_BOM = "\ufeff"


class TableFile(Protocol):
    """A file of one table that is being written."""

    def write(self, row: Row) -> None: ...
    def close(self) -> None: ...


def open_table(folder: Path, table: Table, form: str, *, bom: bool) -> tuple[Path, TableFile]:
    """The file of a table in one of `FORMATS`, empty. `bom` begins a CSV with a mark that Excel takes for UTF-8.

    Raises:
        NotConfigured: Parquet, and the library for it is not installed.
    """
    path = folder / f"{table.name}.{form}"
    if form == "csv":
        return path, _Csv(path, table, bom=bom)
    return path, _Parquet(path, table) if form == "parquet" else _JsonLines(path, table)


class _JsonLines:
    """An object a line, UTF-8, members in the order of the columns, every member present."""

    def __init__(self, path: Path, table: Table) -> None:
        self._file: IO[bytes] = path.open("xb", buffering=1 << 20)
        self._names = [column.name for column in table.columns]

    def write(self, row: Row) -> None:
        self._file.write(orjson.dumps(dict(zip(self._names, row, strict=True)), option=orjson.OPT_APPEND_NEWLINE))

    def close(self) -> None:
        self._file.close()


class _Csv:
    """RFC 4180, UTF-8, every cell quoted; null is an empty cell, JSON is compact text."""

    def __init__(self, path: Path, table: Table, *, bom: bool) -> None:
        self._file = path.open("x", buffering=1 << 20, encoding="utf-8", newline="")
        if bom:
            self._file.write(_BOM)
        self._writer = csv.writer(self._file, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
        self._writer.writerow([column.name for column in table.columns])
        self._cells = [_CELL[column.kind] for column in table.columns]

    def write(self, row: Row) -> None:
        self._writer.writerow(
            ["" if value is None else cell(value) for cell, value in zip(self._cells, row, strict=True)]
        )

    def close(self) -> None:
        self._file.close()


def _compact(value: Any) -> str:
    return orjson.dumps(value).decode("utf-8")


_CELL: Mapping[Kind, Callable[[Any], str]] = {
    Kind.TEXT: safe_text,
    Kind.INTEGER: str,
    Kind.BOOLEAN: json.dumps,
    Kind.DATE: str,
    Kind.INSTANT: str,
    Kind.JSON: _compact,
}


class _Parquet:
    """Typed columns, JSON as text, row groups of a fixed size, compressed with zstd."""

    def __init__(self, path: Path, table: Table) -> None:
        pa, pq = _pyarrow()
        kinds = {
            Kind.TEXT: pa.string(),
            Kind.INTEGER: pa.int64(),
            Kind.BOOLEAN: pa.bool_(),
            Kind.DATE: pa.date32(),
            Kind.INSTANT: pa.timestamp("ms", tz="UTC"),
            Kind.JSON: pa.string(),
        }
        self._schema = pa.schema([(column.name, kinds[column.kind]) for column in table.columns])
        self._array, self._batch = pa.array, pa.record_batch
        self._columns = table.columns
        self._rows: list[Row] = []
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd", store_schema=False)

    def write(self, row: Row) -> None:
        self._rows.append(row)
        if len(self._rows) == GROUP:
            self._flush()

    def _flush(self) -> None:
        arrays = [
            self._array([_typed(column.kind, row[place]) for row in self._rows], type=self._schema.field(place).type)
            for place, column in enumerate(self._columns)
        ]
        self._writer.write_batch(self._batch(arrays, schema=self._schema), row_group_size=GROUP)
        self._rows = []

    def close(self) -> None:
        if self._rows:
            self._flush()
        self._writer.close()


def _typed(kind: Kind, value: Any) -> Any:
    if value is None:
        return None
    if kind is Kind.DATE:
        return date.fromisoformat(value)
    if kind is Kind.INSTANT:
        return datetime.fromisoformat(value)
    return _compact(value) if kind is Kind.JSON else value


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise NotConfigured(
            "Parquet files need the library pyarrow, which is not installed", hint="pip install 'certmark[parquet]'"
        ) from None
    return pyarrow, pyarrow.parquet


def check_formats(formats: tuple[str, ...]) -> None:
    """Raises NotConfigured where one of the formats cannot be written on this machine."""
    if "parquet" in formats:
        _pyarrow()
