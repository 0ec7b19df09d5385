"""The template that a body fills in, and what the documentation says of its columns."""

import csv
import re
from pathlib import Path

import openpyxl
import pytest
from openpyxl.utils import get_column_letter

from services.domain.errors import BadRequest
from services.domain.reasons import REASONS
from services.events import names
from services.events.columns import COLUMNS, FORMS_SAID, HEADINGS, VERB_WORDS, Form, Verb, layout_of, plain_heading
from services.events.event_types import EVENT_TYPES
from services.events.faults import FAULTS, HINTS, BadCell, Fault
from services.events.sheets import open_sheet
from services.events.templates import write_template
from tests.whole_program import every_error


@pytest.mark.parametrize("name", ["t.csv", "t.xlsx", "T.XLSX"])
def test_the_template_is_an_empty_sheet_with_every_column(tmp_path: Path, name: str) -> None:
    write_template(tmp_path / name)
    sheet = open_sheet(tmp_path / name, {})
    assert list(sheet.layout.places) == [column.key for column in COLUMNS]
    assert sheet.layout.unmapped == sheet.layout.assumed == ()
    assert list(sheet.rows()) == []
    with pytest.raises(BadRequest):
        write_template(tmp_path / name)


def test_a_template_is_csv_or_xlsx(tmp_path: Path) -> None:
    with pytest.raises(BadRequest):
        write_template(tmp_path / "t.ods")


def test_the_workbook_keeps_numbers_as_text_and_explains_every_column(tmp_path: Path) -> None:
    write_template(tmp_path / "t.xlsx")
    book = openpyxl.load_workbook(tmp_path / "t.xlsx")
    sheet, explained = book.worksheets
    formats = {
        column.zh: sheet.column_dimensions[get_column_letter(place)].number_format
        for place, column in enumerate(COLUMNS, 1)
    }
    assert formats["证书编号"] == formats["商品条码"] == formats["产品类别代码"] == "@"
    assert formats["发证日期"] == "yyyy-mm-dd"
    assert [row[0].value for row in explained.iter_rows(min_row=2)] == [column.zh for column in COLUMNS]


def test_a_filled_in_template_with_its_explanations_is_read(tmp_path: Path) -> None:
    write_template(tmp_path / "t.csv")
    with (tmp_path / "t.csv").open("a", encoding="utf-8", newline="") as file:
        csv.writer(file).writerow(["监督通过", "2023990703000117", "2026-09-15"])
    (row,) = open_sheet(tmp_path / "t.csv", {}).rows()
    assert row.line == 3


# --- the tables that people rely on ----------------------------------------------------------------------------


def test_no_heading_stands_for_two_columns() -> None:
    written = [plain_heading(h) for c in COLUMNS for h in (c.key, c.zh, *c.assumed)]
    assert len(written) == len(set(written)) == len(HEADINGS)


def test_every_event_and_form_has_its_words() -> None:
    assert set(VERB_WORDS) == set(Verb)
    assert set(FORMS_SAID) == set(Form)
    assert all(verb.type in EVENT_TYPES for verb in Verb)


@pytest.mark.parametrize("verb", Verb)
def test_a_columns_pointer_is_a_member_of_its_events(verb: Verb) -> None:
    schema = EVENT_TYPES[verb.type].schema
    for column in COLUMNS:
        if verb in column.verbs and column.pointer.startswith("/data/"):
            member = column.pointer.split("/")[2]
            told = {"route": "green" if verb is Verb.ISSUED else "route"}.get(member, member)
            told = (
                {"product": "products", "green": "attributes"}.get(told, told) if verb is Verb.MARK_AUTHORIZED else told
            )
            assert told in schema["properties"], column.key


def test_every_word_of_an_event_leads_to_it() -> None:
    for verb, words in VERB_WORDS.items():
        for word in (*words, verb.value, verb.value.upper()):
            assert names.verb(word) is verb
    assert names.verb("certificate.suspended") is Verb.SUSPENDED
    assert names.verb("mark.authorized") is Verb.MARK_AUTHORIZED


@pytest.mark.parametrize("verb", [Verb.SUSPENDED, Verb.REVOKED, Verb.CANCELLED])
def test_a_reason_is_its_code_or_its_text(verb: Verb) -> None:
    letter = {Verb.SUSPENDED: "S", Verb.REVOKED: "R", Verb.CANCELLED: "C"}[verb]
    for code, (zh, en) in REASONS.items():
        if code.startswith(letter):
            assert names.reason(code.lower(), verb) == names.reason(f" {zh}。", verb) == names.reason(en, verb) == code
        else:
            with pytest.raises(BadCell):
                names.reason(code, verb)


def test_schemes_and_marks_go_by_several_names() -> None:
    for word in ("ccc", "CCC", "3C", "强制性产品认证", "China Compulsory Certification"):
        assert names.scheme(word) == "ccc"
    assert names.scheme("published-since") == "published-since"
    assert names.mark("上品标志") == names.mark("shanghai-brand") == "shanghai-brand"


def test_every_fault_is_said_in_both_languages_with_what_to_do() -> None:
    assert set(FAULTS) & set(every_error()) == set(), "a code of ours stands in no other meaning than the register's"
    assert set(HINTS) <= set(every_error())
    for code in (*FAULTS, *every_error(), "published-since"):
        fault = Fault(1, "", "", code, "x")
        for said in (fault.zh, fault.hint_zh):
            assert re.search(r"[\u4e00-\u9fff]", said), code
        assert fault.en.endswith(": x")
        assert fault.hint_en


def test_a_layout_says_its_own_headings_and_ours_where_it_has_none() -> None:
    layout = layout_of(["证书号", "颁证日期"], {})
    assert layout.title("certificate_no") == "证书号"
    assert layout.title("holder_name") == "获证组织名称"
