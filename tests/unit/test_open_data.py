"""The pure parts of open data: cells that no spreadsheet runs, days on which a standing turns, what was due when."""

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.certificate import Status, to_state
from services.domain.errors import BadRequest, NotConfigured
from services.domain.notice_states import RecallState, WarningState
from services.domain.standing import Standing, standing
from services.events.cells import FORMULA, safe_text
from services.registry import dump_files
from services.registry.dump_files import open_table
from services.registry.dump_tables import (
    CERTIFICATES,
    NOT_PUBLISHED,
    RECALLS,
    TABLES,
    WARNINGS,
    Table,
    rows_of_state,
    tables,
)
from services.registry.dumps import Position, Wanted, steps
from services.registry.facts import PLACE, Dues, FactsBehind, Reach, catch_up, turning_days
from services.registry.indicators import INDICATORS, asked
from services.registry.past import certificate_of, instant_named
from tests.certificates import ACTIVE, BEGIN, END, a_certificate, a_mark, since

DAY = timedelta(days=1)
NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


# --- cells --------------------------------------------------------------------------------------------------------


@given(st.text(max_size=20))
def test_no_cell_begins_like_a_formula_and_every_text_comes_back(text: str) -> None:
    cell = safe_text(text)
    assert not cell.startswith(FORMULA)
    assert cell.removeprefix("'") == text


@pytest.mark.parametrize("text", ["=1+1", "+86", "-1", "@SUM(A1)", "\tx", "\rx", "＝1", "＋1", "－1", "＠x", "'quoted"])
def test_what_begins_like_a_formula_gets_an_apostrophe(text: str) -> None:
    assert safe_text(text) == f"'{text}"


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_csv_comes_back_cell_by_cell(name: str, address: str) -> None:
    if any("\ud800" <= c <= "\udfff" or c == "\0" for c in name + address):
        return
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow([safe_text(name), safe_text(address)])
    (row,) = csv.reader(io.StringIO(written.getvalue(), newline=""))
    assert [cell.removeprefix("'") for cell in row] == [name, address]


def test_without_the_library_parquet_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(NotConfigured) as error:
        open_table(tmp_path, CERTIFICATES, "parquet", bom=False)
    assert "certmark[parquet]" in error.value.hint
    with pytest.raises(NotConfigured):
        dump_files.check_formats(("jsonl", "parquet"))


# --- tables -------------------------------------------------------------------------------------------------------


def test_every_member_of_a_certificate_is_a_column_or_kept_back_on_purpose() -> None:
    state = to_state(a_certificate())
    shown = {column.path[0] for column in CERTIFICATES.columns}
    assert set(state) - shown == set(NOT_PUBLISHED)


@pytest.mark.parametrize(("state", "table"), [(RecallState, RECALLS), (WarningState, WARNINGS)])
def test_every_member_of_a_notice_is_a_column(state: type, table: Table) -> None:
    assert set(state.__annotations__) - {column.path[0] for column in table.columns} == {"v", "kind"}


def test_a_row_has_every_column_and_marks_are_rows_of_their_own() -> None:
    certificate = a_certificate(marks=(a_mark(ACTIVE), a_mark(ACTIVE)))
    rows = list(rows_of_state({**to_state(certificate)}, 7, NOW))
    assert [table.name for table, _ in rows] == ["certificates", "marks", "marks"]
    assert all(len(row) == len(table.columns) for table, row in rows)
    cells = dict(zip([column.name for column in CERTIFICATES.columns], rows[0][1], strict=True))
    assert (cells["seq"], cells["recorded_at"]) == (7, "2026-11-22T04:00:00.000Z")
    assert (cells["holder_name"], cells["manufacturer_name"], cells["product_class"]) == ("示范公司", None, "0101")


def test_a_state_that_is_older_than_a_member_is_read_as_if_it_had_none() -> None:
    old: dict[str, Any] = {**to_state(a_certificate())}
    for member in ("parts", "periods", "transfer", "flags", "annulled", "corrected"):
        del old[member]
    assert certificate_of(old) == a_certificate()
    (_, row) = next(rows_of_state(old, 1, NOW))
    assert len(row) == len(CERTIFICATES.columns)


def test_columns_have_different_names_and_a_meaning_in_both_languages() -> None:
    for table in tables(evidence=True):
        names = [column.name for column in table.columns]
        assert len(set(names)) == len(names)
        assert table.subject in names
        assert all(column.zh and column.en for column in table.columns)
    assert [t.name for t in tables(evidence=True)] == [t.name for t in TABLES]


def test_a_dumps_name_sorts_as_its_position_does() -> None:
    names = [Wanted(Position(seq, NOW), since).name for seq, since in ((9, None), (10, None), (10, 9), (11, 10))]
    assert names == ["000000000009", "000000000010", "000000000009-000000000010", "000000000010-000000000011"]
    assert steps(Wanted(Position(9, NOW))) == 20
    assert steps(Wanted(Position(9, NOW), 4)) == 10


# --- positions ------------------------------------------------------------------------------------------------------


def test_a_date_means_its_end_at_utc_plus_8() -> None:
    assert instant_named("2026-11-22", "/at") == datetime(2026, 11, 22, 15, 59, 59, 999000, tzinfo=UTC)
    for plus in ("+", " "):
        assert instant_named(f"2026-11-22T12:00:00{plus}08:00", "/at") == NOW


@pytest.mark.parametrize(
    "text",
    ["", "today", "22.11.2026", "2026-02-30", "9999-12-31", "2026-11-22 12:00", "0001-01-01T00:00:00+14:00"],
)
def test_what_is_no_instant_is_said_so(text: str) -> None:
    with pytest.raises(BadRequest) as error:
        instant_named(text, "/known_at")
    assert error.value.pointer == "/known_at"


# --- facts ------------------------------------------------------------------------------------------------------------


def test_between_the_days_that_a_state_names_the_standing_does_not_change() -> None:
    certificate = a_certificate(
        statuses=(
            ACTIVE,
            since(Status.SUSPENDED, BEGIN + 50 * DAY, BEGIN + 80 * DAY),
            since(Status.ACTIVE, END - 9 * DAY),
        ),
        marks=(a_mark(since(Status.ACTIVE, BEGIN + 3 * DAY)),),
    )
    days = turning_days(json.dumps(to_state(certificate)))
    place = 0
    now: Standing | None = None
    day = BEGIN - 3 * DAY
    while day < END + 3 * DAY:
        while place < len(days) and days[place] <= day:
            now, place = standing(certificate, days[place]), place + 1
        assert standing(certificate, day) is (now or Standing.NOT_YET_VALID)
        day += DAY


def test_what_only_looks_like_a_date_turns_nothing() -> None:
    assert turning_days('{"a":"2026-02-30","b":"2026-13-01","c":"x2026-01-01","d":"2026-01-31"}') == [
        date(2026, 1, 31),
        date(2026, 2, 1),
    ]


def test_standings_are_kept_by_their_place_in_the_precedence() -> None:
    assert list(PLACE) == list(Standing)
    assert PLACE[Standing.VALID] == 6
    assert PLACE[Standing.NOT_YET_VALID] == 5, "as services/registry/migrations/0004_known.sql has it"


def test_a_due_day_counts_from_the_day_of_the_event_that_set_it() -> None:
    first = Dues().told(date(2024, 1, 1), date(2025, 1, 1))
    second = first.told(date(2025, 2, 1), date(2026, 1, 1))
    assert (second.days, second.dues) == ([date(2024, 1, 1), date(2025, 2, 1)], [date(2025, 1, 1), date(2026, 1, 1)])
    assert second.told(date(2025, 3, 1), date(2026, 1, 1)) == second
    backdated = second.told(date(2024, 12, 1), date(2025, 12, 1))
    assert (backdated.days, backdated.dues[-1]) == ([date(2024, 1, 1), date(2024, 12, 1)], date(2025, 12, 1))


def test_who_cannot_wait_is_told_how_far_the_facts_have_come() -> None:
    reaches = iter([Reach(1, 9), Reach(3, 9), Reach(9, 9)])
    done: list[int] = []
    assert catch_up(lambda: next(reaches), advance=done.append) == 9
    assert done == [2, 6]
    with pytest.raises(FactsBehind, match="entry 1 of 9"):
        catch_up(lambda: Reach(1, 9), seconds=0.0)


# --- indicators -------------------------------------------------------------------------------------------------------


def test_a_period_begins_with_the_month_and_the_end_of_the_day_is_what_counts() -> None:
    question = asked(INDICATORS["suspensions"], date(2026, 6, 30), None, None, "reason")
    assert question.since == date(2026, 6, 1)
    assert question.known_at == datetime(2026, 6, 30, 15, 59, 59, 999000, tzinfo=UTC)


def test_an_indicator_breaks_down_by_what_its_query_knows() -> None:
    for indicator in INDICATORS.values():
        for dimension in indicator.dimensions:
            assert f"WHEN '{dimension}'" in indicator.query, (indicator.id, dimension)
        assert indicator.query.count("WHEN '") == len(indicator.dimensions)
        assert indicator.period is ("%(since)s" in indicator.query)
