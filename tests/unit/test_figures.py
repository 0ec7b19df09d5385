"""Figures: SQL counts what the domain says of each certificate on each day, incrementally, and never on old data."""

import csv
import io
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from services.domain.certificate import Certificate, Party, Period, Status, StatusInterval, course_of, to_state
from services.domain.standing import Standing, standing, standing_under
from services.settings import settings_from
from services.verify.api import app_for
from services.verify.as_json import judged_days
from services.verify.facts import (
    COUNT_SQL,
    FACT_TABLES,
    OUTSIDE,
    Fact,
    fact_of,
    letter_on,
    open_facts,
    save_fact,
    standing_of,
)
from services.verify.projector import Projector
from services.verify.read_model import Meta, Unreadable
from services.verify.register import Register
from services.verify.site.districts import BEYOND, DISTRICTS
from services.verify.site.figures import Counting, Figures, NotCountedYet, count, last_months
from services.verify.site.stats import SECTIONS, Table, as_csv
from services.verify.turns import standing_turns, turns_text
from services.verify.wording import STATUS_WORD
from tests.sealed_register import NOW, STATE, ListLog, SealedRegister, demonstration, demonstration_certificates

DAY = date(2026, 11, 1)
EVERY = list(demonstration_certificates())


def intervals(*said: tuple[Status, str, str | None]) -> tuple[StatusInterval, ...]:
    return tuple(
        StatusInterval(status, date.fromisoformat(day), None, reason, None, f"{place:x}" * 64)
        for place, (status, day, reason) in enumerate(said)
    )


LONG = replace(
    demonstration("2022990201000204"),
    certificate_no="LONG-0001",
    valid_from=date(2024, 1, 1),
    valid_until=date(2027, 12, 31),
    periods=(Period(date(2020, 1, 1), date(2022, 12, 31), date(2020, 1, 1), "f" * 64),),
    statuses=intervals(
        (Status.ACTIVE, "2020-01-01", None),
        (Status.SUSPENDED, "2020-03-01", "S02"),
        (Status.ACTIVE, "2020-05-01", None),
        (Status.SUSPENDED, "2024-03-01", "S03"),
        (Status.ACTIVE, "2024-05-01", None),
        (Status.SUSPENDED, "2026-11-01", "S04"),
        (Status.REVOKED, "2026-11-20", "R07"),
    ),
)
ENDLESS = replace(LONG, certificate_no="LONG-0002", valid_until=None, periods=(), statuses=LONG.statuses[:1])
PART = replace(ENDLESS, certificate_no="PART-0001", parent_no=LONG.certificate_no)
ORPHAN = replace(ENDLESS, certificate_no="PART-0002", parent_no="NOBODY")
KNOWN = [*EVERY, LONG, ENDLESS, PART, ORPHAN]


def fact(certificate: Certificate) -> Fact:
    """As the projector makes it."""
    state = to_state(certificate)
    course = course_of(state)
    return fact_of(state, course, standing_turns(turns_text(judged_days(course, under_review=False))))


@pytest.fixture
def file(tmp_path: Path) -> Iterator[tuple[sqlite3.Connection, Path]]:
    path = tmp_path / "facts.sqlite"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(f"CREATE TABLE record (key TEXT PRIMARY KEY, fact INTEGER);{FACT_TABLES}")
    yield connection, path
    connection.close()


def save(connection: sqlite3.Connection, certificates: list[Certificate]) -> None:
    """As the read model does it: the record keeps the id of its fact."""
    cur = connection.cursor()
    for one in certificates:
        key = f"certificate/{one.certificate_no}"
        before = cur.execute("SELECT fact FROM record WHERE key = ?", (key,)).fetchone()
        made = save_fact(cur, before[0] if before else None, fact(one))
        cur.execute("INSERT OR REPLACE INTO record VALUES (?, ?)", (key, made))


def counted(path: Path, day: date) -> Counter[tuple[str, str, str, Standing]]:
    with open_facts(path) as connection:
        rows = connection.execute(COUNT_SQL, {"day": day.isoformat().replace("-", "")}).fetchall()
    return Counter(
        {(scheme, district, body, standing_of(letter)): found for scheme, district, body, letter, found in rows}
    )


def expected(certificates: list[Certificate], day: date) -> Counter[tuple[str, str, str, Standing]]:
    above = {one.certificate_no: one for one in certificates}
    return Counter(
        (one.scheme, fact(one).district, one.body or "", standing_under(one, above.get(one.parent_no or ""), day))
        for one in certificates
    )


def test_sql_counts_what_the_domain_says_on_every_day(file: tuple[sqlite3.Connection, Path]) -> None:
    connection, path = file
    save(connection, KNOWN)
    turning = {date.min, date.max, DAY}
    for one in KNOWN:
        edges = [one.valid_from, one.valid_until or DAY, *(interval.since for interval in one.statuses)]
        turning |= {edge + timedelta(days=by) for edge in edges for by in (-1, 0, 1)}
    for day in sorted(turning):
        assert counted(path, day) == expected(KNOWN, day), day


@pytest.mark.parametrize("certificate", KNOWN, ids=lambda one: str(one.certificate_no))
def test_the_turns_of_a_certificate_tell_its_standing(certificate: Certificate) -> None:
    turns = fact(certificate).turns
    for day in (date.min, date(2020, 4, 1), date(2023, 6, 1), date(2024, 4, 1), DAY, date(2026, 11, 20), date.max):
        text = f"{day.year:04d}{day.month:02d}{day.day:02d}"
        assert standing_of(letter_on(turns, text)) is standing(certificate, day)


def test_a_row_is_replaced_and_taken_away(file: tuple[sqlite3.Connection, Path]) -> None:
    connection, path = file
    save(connection, KNOWN)
    cleared = replace(ENDLESS, certificate_no=LONG.certificate_no)
    save(connection, [cleared])
    now = [cleared if one is LONG else one for one in KNOWN]
    assert counted(path, DAY) == expected(now, DAY)
    endings = sum(len(fact(one).endings) for one in now)
    assert connection.execute("SELECT count(*) FROM ending").fetchone() == (endings,)
    (made,) = connection.execute("SELECT fact FROM record WHERE key = 'certificate/LONG-0001'").fetchone()
    assert save_fact(connection.cursor(), made, None) is None
    connection.execute("UPDATE record SET fact = NULL WHERE key = 'certificate/LONG-0001'")
    assert counted(path, DAY) == expected([one for one in now if one is not cleared], DAY)


def test_a_replaced_certificate_is_no_bad_ending_and_a_place_elsewhere_is_outside() -> None:
    gone = replace(
        LONG, statuses=intervals((Status.ACTIVE, "2020-01-01", None), (Status.CANCELLED, "2025-01-01", None))
    )
    assert fact(gone).endings == (("2025-01-01", "cancelled", ""),)
    assert fact(replace(gone, superseded_by="X-0001")).endings == ()
    regions = {"310115": "310115", "330100": OUTSIDE, None: "", "310000": "310000"}
    for region, district in regions.items():
        assert fact(replace(gone, holder=Party("示范", None, region))).district == district


def test_the_months_go_back_over_the_new_year() -> None:
    assert list(last_months(date(2026, 2, 28)))[:3] == ["2025-03", "2025-04", "2025-05"]
    assert list(last_months(date(2026, 12, 31)))[-1] == "2026-12"
    assert len(set(last_months(DAY))) == 12


# --- from the node's own file ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("figures")
    register = SealedRegister().publish_all()
    projector = Projector(ListLog(register.values), STATE, register.genesis, folder / "verify")
    while projector.step():
        pass
    projector.close()
    return folder


@pytest.fixture
def client(data: Path) -> FlaskClient:
    return app_for(settings_from({"CERTMARK_DATA": str(data)}), lambda: NOW).test_client()


def test_figures_are_those_of_the_certificates(data: Path) -> None:
    figures = Counting(data / "verify").figures(Register(data / "verify"), DAY)
    assert sum(figures.by_scheme.values()) == len(EVERY)
    for name, attribute in (("by_scheme", "scheme"), ("by_body", "body")):
        mine = Counter((getattr(one, attribute), standing(one, DAY)) for one in EVERY if getattr(one, attribute))
        assert getattr(figures, name) == mine
    issued = Counter(one.first_issued_on.isoformat()[:7] for one in EVERY)
    assert figures.new == {month: found for month, found in issued.items() if month in figures.months}
    said = Counter(
        (interval.since.isoformat()[:7], interval.status.value, interval.reason or "")
        for one in EVERY
        for interval in one.statuses
        if interval.status is not Status.ACTIVE
        and interval.since.isoformat()[:7] >= "2025-12"
        and interval.since <= DAY
    )
    assert figures.ended == said


class Slow(Counting):
    """A count that takes as long as it is let."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.counts: list[date] = []

    def _run(self, wanted: tuple[str, int, date], meta: Meta) -> None:
        self.counts.append(wanted[2])
        super()._run(wanted, meta)


def test_it_is_counted_once_and_again_on_the_next_day(data: Path) -> None:
    counting, register = Slow(data / "verify"), Register(data / "verify")
    first = counting.figures(register, DAY)
    assert counting.figures(register, DAY) is first
    assert counting.figures(register, DAY + timedelta(days=1)).day == DAY + timedelta(days=1)
    assert counting.counts == [DAY, DAY + timedelta(days=1)]


def test_without_a_file_and_without_a_count_it_says_so(data: Path, tmp_path: Path) -> None:
    with pytest.raises(Unreadable):
        Counting(tmp_path).figures(Register(tmp_path), DAY)

    class Never(Counting):
        def _run(self, wanted: tuple[str, int, date], meta: Meta) -> None:
            pass

    with pytest.raises(NotCountedYet):
        Never(data / "verify").figures(Register(data / "verify"), DAY)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_each_chart_has_its_table_and_its_file(client: FlaskClient, language: str) -> None:
    page = client.get(f"/stats?lang={language}")
    assert page.status_code == 200
    assert page.text.count("<figure>") == page.text.count("<caption>") == len(SECTIONS)
    assert page.text.count('role="img"') == len(SECTIONS)
    for name in SECTIONS:
        answer = client.get(f"/stats/{name}.csv?lang={language}")
        assert answer.content_type == "text/csv; charset=utf-8"
        rows = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))
        assert len(rows) > 1
        for row in rows[1:]:
            assert f">{row[1]}<" in unescape(page.text.replace('<span lang="zh-CN">', "").replace("</span>", ""))
    assert client.get("/stats/nothing.csv").status_code == 404


def test_the_map_has_each_district_once_and_the_table_adds_up(client: FlaskClient) -> None:
    rows = list(csv.reader(io.StringIO(client.get("/stats/districts.csv?lang=zh").data.decode("utf-8-sig"))))
    codes = [row[0] for row in rows[1:]]
    assert codes[:17] == [*(one.code for one in DISTRICTS), BEYOND.code]
    assert len({one.code for one in DISTRICTS}) == 16
    assert len({(one.across, one.down) for one in (*DISTRICTS, BEYOND)}) == 17
    assert sum(int(row[3]) for row in rows[1:]) == len(EVERY)
    assert rows[0][2] == STATUS_WORD["valid"]["zh"]


def test_no_cell_of_a_file_begins_a_formula() -> None:
    table = Table("t", "t", ("a", "b"), (("=1+1", 3), ("'x", 4), ("＠x", -5)), ("@x", "b", "c"))
    rows = list(csv.reader(io.StringIO(as_csv(table).decode("utf-8-sig"))))
    assert rows[1:] == [["'@x", "'=1+1", "3"], ["b", "''x", "4"], ["c", "'＠x", "-5"]]


def test_an_empty_register_has_figures_too(file: tuple[sqlite3.Connection, Path]) -> None:
    _, path = file
    figures = count(path, Meta("t", "g", 0, 0, 0, datetime(2026, 11, 1, tzinfo=UTC), True, 0), DAY)
    assert isinstance(figures, Figures)
    assert not figures.by_scheme
