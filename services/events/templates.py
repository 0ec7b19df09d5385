"""What is written for a body's people to fill in or to mend: the template of a sheet, and the fix file of an import."""

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from services.domain.errors import BadRequest
from services.events import cells
from services.events.columns import COLUMNS, FAULT_HEADINGS, FORMS_SAID, VERB_WORDS, Column, Form, plain_heading
from services.events.faults import Fault
from services.events.journal import Journal
from services.events.sheets import Row, Sheet

_TEXT = "@"
_DATE = "yyyy-mm-dd"
_DATA, _EXPLANATIONS = "导入", "说明 Explanations"
EXPLAINED = ("标题", "Heading", "必填于 Required of", "填写方式", "Form", "说明", "Meaning")


def write_template(path: Path) -> None:
    """Write an empty sheet with every column and what each means: a row of explanations in CSV, a sheet in XLSX.

    Raises:
        BadRequest: the file exists, or its name ends in neither.
    """
    writers = {".csv": _write_csv_template, ".xlsx": _write_xlsx_template}
    write = writers.get(path.suffix.lower())
    if write is None:
        raise BadRequest(f"{path}: 模板是 .csv 或 .xlsx (a template is .csv or .xlsx)")
    refuse_to_overwrite(path)
    write(path)


def refuse_to_overwrite(path: Path) -> None:
    """Raises BadRequest where the file exists: somebody may have mended it."""
    if path.exists():
        raise BadRequest(f"{path}: 文件已存在，不覆盖 (exists, and is not overwritten)")


def _write_csv_template(path: Path) -> None:
    with _writing_csv(path) as write:
        write([column.zh for column in COLUMNS])
        explanations = [_explained(column) for column in COLUMNS]
        write([f"# {explanations[0]}", *explanations[1:]])


def _explained(column: Column) -> str:
    required = required_of(column)
    said = [f"必填 required: {required}" if required else "", FORMS_SAID[column.form][0], column.about_zh, column.key]
    return "；".join(word for word in said if word)


def _write_xlsx_template(path: Path) -> None:
    """Columns of numbers and codes are formatted as text, so that no spreadsheet program takes them for quantities."""
    import openpyxl
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet(_DATA)
    sheet.freeze_panes = "B2"
    for place, column in enumerate(COLUMNS, 1):
        dimension = sheet.column_dimensions[get_column_letter(place)]
        dimension.width = max(12, 2.2 * len(column.zh) + 2)
        if column.form is not Form.TEXT:
            dimension.number_format = _DATE if column.form is Form.DATE else _TEXT
    headings = []
    for column in COLUMNS:
        cell = WriteOnlyCell(sheet, column.zh)
        cell.font = Font(bold=bool(column.required))
        headings.append(cell)
    sheet.append(headings)
    explained = book.create_sheet(_EXPLANATIONS)
    for place, width in enumerate((20, 22, 40, 44, 44, 60, 60), 1):
        explained.column_dimensions[get_column_letter(place)].width = width
    for cells_ in (EXPLAINED, *map(explanation, COLUMNS)):
        row = [WriteOnlyCell(explained, text) for text in cells_]
        for written in row:
            written.alignment = Alignment(wrap_text=True, vertical="top")
        explained.append(row)
    book.save(path)


def explanation(column: Column) -> tuple[str, ...]:
    """A column's row among the explanations, in the order of EXPLAINED."""
    form_zh, form_en = FORMS_SAID[column.form]
    return (column.zh, column.key, required_of(column), form_zh, form_en, column.about_zh or column.zh, column.about_en)


def required_of(column: Column) -> str:
    """The events of which a column must be filled, in their order and both languages; empty where it never must."""
    verbs = [verb for verb in VERB_WORDS if verb in column.required]
    if len(verbs) == len(VERB_WORDS):
        return "必填 always"
    return f"{'、'.join(VERB_WORDS[verb][0] for verb in verbs)} {', '.join(verbs)}".strip()


# --- the fix file ------------------------------------------------------------------------------------------------


def write_fix_file(path: Path, sheet: Sheet, journal: Journal) -> int:
    """Write the rows that are wrong, in the sheet's own columns, each with what is wrong with it: their number.

    Rows of one certificate go together. The file can be mended and imported by itself.
    """
    ours = set(map(plain_heading, FAULT_HEADINGS))
    kept = [place for place, title in enumerate(sheet.layout.titles) if plain_heading(title) not in ours]
    written = 0
    with _writing_csv(path) as write:
        write([*(sheet.layout.titles[place] for place in kept), *FAULT_HEADINGS])
        for row in _rows_within(sheet.rows(), journal.bad_spans()):
            write([*(cells.shown(row.at(place)) for place in kept), *_told(row.line, journal.faults_at(row.line))])
            written += 1
    return written


def _rows_within(rows: Iterator[Row], spans: Iterator[tuple[int, int]]) -> Iterator[Row]:
    span = next(spans, None)
    for row in rows:
        while span is not None and span[1] < row.line:
            span = next(spans, None)
        if span is None:
            return
        if span[0] <= row.line:
            yield row


def _told(line: int, faults: Sequence[Fault]) -> tuple[str, ...]:
    """The cells under FAULT_HEADINGS."""

    def several(words: Iterator[str]) -> str:
        return "；".join(dict.fromkeys(word for word in words if word))

    return (
        str(line),
        several(fault.column for fault in faults),
        several(fault.code for fault in faults),
        several(f"{fault.column}：{fault.zh}" if fault.column else fault.zh for fault in faults),
        several(f"{fault.column}: {fault.en}" if fault.column else fault.en for fault in faults),
        several(fault.hint_zh for fault in faults),
        several(fault.hint_en for fault in faults),
    )


@contextmanager
def _writing_csv(path: Path) -> Iterator[Callable[[Sequence[str]], object]]:
    """`write(cells)` for each row of a new CSV file, in UTF-8 with the mark that spreadsheet programs look for."""
    try:
        with path.open("x", encoding="utf-8-sig", newline="") as file:
            yield csv.writer(file, lineterminator="\r\n").writerow
    except OSError as error:
        raise BadRequest(f"{path}: 无法写入 (cannot be written): {error.strerror}") from None
