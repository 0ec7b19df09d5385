"""`certmark import` and `certmark reconcile` on a real register: every row's fate, and a run that is cut anywhere."""

import csv
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import openpyxl
import pytest
from click.testing import CliRunner, Result
from werkzeug.serving import make_server

from services.cli import main
from services.domain.errors import BadRequest
from services.embedded import EmbeddedPostgres
from services.events import imports
from services.events.client import Publisher, Sent, Service
from services.events.journal import Journal, Met, Signed
from services.events.keys import new_key, save_key
from services.events.sheets import open_sheet
from services.registry import api
from services.settings import settings_from
from tests.conftest import a_database
from tests.register import BODY, OTHER, TODAY, Register, a_number, ago, ahead

T = TypeVar("T")
NAME = BODY.rpartition(":")[2]


@dataclass
class Desk:
    """A register whose worker decides by itself, its HTTP interface, and a body's folder."""

    register: Register
    registry: str
    environment: dict[str, str]

    @property
    def log(self) -> str:
        return self.environment["CERTMARK_DATABASE_URL"]

    def certmark(self, *words: str, stdin: bytes | None = None) -> Result:
        return CliRunner().invoke(main, list(words), env=self.environment, input=stdin)

    def bring(self, file: Path, *words: str, code: int = 0, stdin: bytes | None = None) -> dict[str, Any]:
        ways = ("--as", NAME, "--to", self.log, "--registry", self.registry, "--json")
        done = self.certmark("import", str(file), *ways, *words, stdin=stdin)
        assert done.exit_code == code, done.output
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def history(self, number: str) -> list[tuple[str, str]]:
        """(type, decision) of every entry about a certificate."""
        return self.register.rows(
            "SELECT type, decision FROM entries WHERE subject = %s AND kind = 'event' ORDER BY seq", number
        )


@pytest.fixture(scope="module")
def desk(postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with a_database(postgres_server) as url, ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        environment = {
            "CERTMARK_DATA": str(tmp_path_factory.mktemp("register")),
            "CERTMARK_DATABASE_URL": url,
            "CERTMARK_TOPIC_PREFIX": f"t{uuid.uuid4().hex[:12]}",
        }
        for name, value in environment.items():
            patch.setenv(name, value)
        register = stack.enter_context(closing(Register.begin(settings_from(environment))))
        for source in (BODY, OTHER):
            save_key(register.keys[source], register.settings.keys / f"{source.rpartition(':')[2]}.pem")
        server = make_server("127.0.0.1", 0, api.create_app(), threaded=True)
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        stack.callback(serving.join)
        stack.callback(server.shutdown)
        stack.enter_context(register.deciding())
        yield Desk(register, f"http://127.0.0.1:{server.server_port}", environment)


def a_row(number: str, **cells: object) -> dict[str, object]:
    given: dict[str, object] = {
        "事件": "",
        "证书编号": number,
        "生效日期": "",
        "认证制度": "sample",
        "认证依据": "GB 1-2012",
        "获证组织名称": "示范公司（上海）",
        "统一社会信用代码": "91320500MAXX005334",
        "产品名称": "电器",
        "规格型号": "Ａ１",
        "商品条码": "6909900123007",
        "发证日期": ago(100),
        "有效期至": ahead(400),
        "批准人编号": "7901-0007",
        "原因代码": "",
        "暂停截止日期": "",
        "证书状态": "",
    }
    return given | cells


def a_later_row(number: str, event: str, **cells: object) -> dict[str, object]:
    return dict.fromkeys(a_row(number), "") | {"事件": event, "证书编号": number, "生效日期": TODAY.isoformat()} | cells


def a_sheet(path: Path, rows: Sequence[Mapping[str, object]], encoding: str = "utf-8-sig") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def a_workbook(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    cells: list[list[Any]] = [list(rows[0]), *(list(row.values()) for row in rows)]
    for row in cells:
        sheet.append(row)
    book.save(path)
    return path


@pytest.mark.parametrize("form", ["utf-8", "gb18030", "xlsx"])
def test_a_sheet_goes_into_the_register(desk: Desk, tmp_path: Path, form: str) -> None:
    one, two = a_number(), a_number()
    rows = [
        a_row(one),
        a_row(one, 规格型号="Ａ２", 商品条码=""),
        a_row(two, 发证日期=ago(50).replace("-", "/")),
        a_later_row(one, "暂停", 原因代码="S03", 暂停截止日期=ahead(60)),
    ]
    file = a_workbook(tmp_path / "b.xlsx", rows) if form == "xlsx" else a_sheet(tmp_path / "b.csv", rows, form)
    looked = desk.bring(file, "--dry-run")
    assert (looked["rows"], looked["events"], looked["good"], looked["dry_run"]) == (4, 3, 3, True)
    assert desk.history(one) == []
    report = desk.bring(file)
    assert (report["signed"], report["accepted"], report["wrong"]) == (3, 3, 0)
    state = desk.register.state(one)
    assert state["status"] == "suspended"
    assert state["holder"]["name"] == "示范公司（上海）"
    assert state["product"]["items"] == [{"model": "A1", "gtin": "06909900123007"}, {"model": "A2", "gtin": None}]
    assert desk.register.state(two)["issued_on"] == ago(50)
    again = desk.bring(Path("-"), stdin=file.read_bytes())
    assert again == {**report, "file": "-"}
    assert len(desk.history(one)) == 2, "nothing is done twice"


def test_wrong_and_refused_rows_come_back_in_a_file_that_can_be_mended(desk: Desk, tmp_path: Path) -> None:
    good, wrong, taken, unknown = (a_number() for _ in range(4))
    desk.bring(a_sheet(tmp_path / "before.csv", [a_row(taken)]))
    rows = [
        a_row(good),
        a_row(wrong, 发证日期="05/01/2026", 商品条码="6909900123008"),
        a_later_row(wrong, "监督通过"),
        a_row(taken),
        a_row(unknown, 有效期至="2019-01-01"),
    ]
    report = desk.bring(a_sheet(tmp_path / "sheet.csv", rows), "--fix", str(tmp_path / "fix.csv"), code=1)
    assert (report["accepted"], report["refused"]) == (1, 1)
    assert desk.history(taken) == [("certmark.certificate.issued.v1", "accepted")], "not said again to be refused"
    assert report["codes"] == {
        "bad-dates": 1,
        "bad-gtin": 1,
        "number-taken": 1,
        "row-waits": 1,
        "unclear-date": 1,
    }
    assert report["fix"]["rows"] == 4
    for fault in report["faults"]:
        assert all((fault["zh"], fault["en"], fault["hint"]["zh"], fault["hint"]["en"])), fault
        assert not re.search("[a-z]+ [a-z]+", fault["zh"]), "a refusal's detail is told in Chinese as well"
        assert fault["hint"]["en"] not in fault["en"], "nor is anything told twice"
    with (tmp_path / "fix.csv").open(encoding="utf-8-sig", newline="") as file:
        fix = list(csv.DictReader(file))
    assert [row["错误行号"] for row in fix] == ["3", "4", "5", "6"]
    assert fix[0]["错误列"] == "发证日期；商品条码"
    assert fix[3]["错误代码"] == "bad-dates"

    # mended: the dates, the check digit; the row of the number that is there already goes out
    fix[0] |= {"发证日期": "2026-01-05", "商品条码": "6909900123007", "有效期至": "2027-01-04"}
    fix[3] |= {"有效期至": ahead(10)}
    mended = a_sheet(tmp_path / "mended.csv", [fix[0], fix[1], fix[3]], "gb18030")
    report = desk.bring(mended)
    assert (report["accepted"], report["wrong"], report["unmapped"]) == (3, 0, [])
    assert desk.history(wrong)[-1] == ("certmark.certificate.surveillance_passed.v1", "accepted")
    assert desk.bring(mended, "--fix", str(tmp_path / "fix.csv"), code=2)["code"] == "bad-request", "never overwritten"


def test_chains_go_on_from_what_others_wrote(desk: Desk, tmp_path: Path) -> None:
    """The client keeps no state of its own: the heads are the registry's, whoever wrote the events before."""
    number = a_number()
    desk.bring(a_sheet(tmp_path / "one.csv", [a_row(number)]), "--journals", str(tmp_path / "here"))
    later = a_sheet(
        tmp_path / "two.csv", [a_later_row(number, "监督通过"), a_later_row(number, "注销", 原因代码="C03")]
    )
    assert desk.bring(later, "--journals", str(tmp_path / "elsewhere"))["accepted"] == 2
    assert [decision for _, decision in desk.history(number)] == ["accepted"] * 3


def test_what_another_body_has_issued_is_refused_once_and_not_said_again(desk: Desk, tmp_path: Path) -> None:
    sheet = a_sheet(tmp_path / "sheet.csv", [a_row(number := a_number())])
    desk.bring(sheet, "--journals", str(tmp_path / "theirs"))
    other = ("--as", OTHER.rpartition(":")[2])
    reports = [desk.bring(sheet, "--journals", str(tmp_path / at), *other, code=1) for at in ("here", "elsewhere")]
    assert [(report["refused"], report["codes"]) for report in reports] == [(n, {"number-taken": 1}) for n in (1, 0)]
    assert [decision for _, decision in desk.history(number)] == ["accepted", "refused:number-taken"]


def test_what_was_quarantined_is_in_the_fix_file_and_may_be_sent_again(desk: Desk, tmp_path: Path) -> None:
    number = a_number()
    save_key(new_key(), tmp_path / "wrong.pem")
    file = a_sheet(tmp_path / "sheet.csv", [a_row(number), a_later_row(number, "监督通过")])
    fix = tmp_path / "fix.csv"
    report = desk.bring(file, "--key", str(tmp_path / "wrong.pem"), "--fix", str(fix), code=1)
    assert (report["quarantined"], report["codes"]) == (2, {"unknown-key": 2})
    assert desk.bring(fix)["accepted"] == 2


def test_another_way_of_reading_the_same_file_is_refused_once_rows_are_signed(desk: Desk, tmp_path: Path) -> None:
    file = a_sheet(tmp_path / "sheet.csv", [a_row(a_number())])
    desk.bring(file)
    assert desk.bring(file, "--set", "family=x", code=2)["code"] == "bad-request"


# --- a cut at every point ----------------------------------------------------------------------------------------


class Cut(Exception):
    """The process ends here."""


class Knife:
    """Cuts at the n-th write: before it is done, or after it is done and before anybody hears of it."""

    def __init__(self, at: int, done: bool) -> None:
        self.at = at
        self.done = done
        self.writes = 0

    def __call__(self, write: Callable[[], T]) -> T:
        self.writes += 1
        if self.writes != self.at:
            return write()
        if self.done:
            write()
        raise Cut


class CutJournal(Journal):
    knife: Knife

    def begin_reading(self) -> None:
        self.knife(super().begin_reading)

    def save_portion(self, numbers: Any, faults: Any) -> None:
        met: list[Met] = list(numbers)
        self.knife(lambda: super(CutJournal, self).save_portion(met, faults))

    def save_signed(self, signed: Sequence[Signed]) -> None:
        self.knife(lambda: super(CutJournal, self).save_signed(signed))

    def save_sent(self, places: Sequence[int], sent: Sequence[Sent]) -> None:
        self.knife(lambda: super(CutJournal, self).save_sent(places, sent))

    def save_decisions(self, decisions: Any) -> None:
        said = list(decisions)
        self.knife(lambda: super(CutJournal, self).save_decisions(said))


class CutPublisher(Publisher):
    knife: Knife

    def publish(self, events: Sequence[bytes], progress: Callable[[int], None] = lambda done: None) -> list[Sent]:
        return self.knife(lambda: super(CutPublisher, self).publish(events, progress))


def run(desk: Desk, file: Path, folder: Path, knife: Knife) -> dict[str, int]:
    """One run of the import, which the knife may end."""
    sheet = open_sheet(file, {})
    with ExitStack() as stack:
        journal = stack.enter_context(closing(CutJournal.at(folder / "journal", {"digest": sheet.digest})))
        publisher = stack.enter_context(closing(CutPublisher(desk.log, settings_from(desk.environment))))
        registry = stack.enter_context(closing(Service(desk.registry)))
        journal.knife = publisher.knife = knife
        key = desk.register.keys[BODY]
        speaker = imports.Speaker(BODY, key, "T-1", registry, publisher, lambda: datetime.now(UTC))
        imports.bring_in(sheet, {}, journal, speaker, lambda rows: None)
        imports.settle(journal, registry, 30, lambda decided: None)
        return journal.counts()


@pytest.mark.timeout(300)
def test_a_run_that_is_cut_at_any_write_goes_on_with_the_same_bytes(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "PORTION", 2)
    cut = 0
    for done in (False, True):
        for at in range(1, 100):
            one, two, wrong = (a_number() for _ in range(3))
            rows = [
                a_row(one),
                a_row(wrong, 发证日期="x"),
                a_later_row(one, "监督通过"),
                a_row(two),
                a_later_row(two, "注销", 原因代码="C03"),
            ]
            folder = tmp_path / f"{done}-{at}"
            folder.mkdir()
            file = a_sheet(folder / "sheet.csv", rows)
            knife = Knife(at, done)
            try:
                run(desk, file, folder, knife)
            except Cut:
                cut += 1
            else:
                assert at > 8, "there are so many writes at least"
                break
            counts = run(desk, file, folder, Knife(0, False))
            assert (counts["signed"], counts["accepted"], counts["wrong"]) == (4, 4, 1), (at, done)
            assert [decision for _, decision in desk.history(one)] == ["accepted"] * 2, (at, done)
            assert [decision for _, decision in desk.history(two)] == ["accepted"] * 2, (at, done)
    assert cut > 20
    assert desk.register.rows("SELECT count(*) FROM pending") == [(0,)]


def test_two_runs_of_one_file_do_not_meet(tmp_path: Path) -> None:
    with closing(Journal.at(tmp_path / "journal", {"digest": "x"})), pytest.raises(BadRequest, match="another import"):
        Journal.at(tmp_path / "journal", {"digest": "x"})


# --- reconcile ---------------------------------------------------------------------------------------------------


def reconciled(desk: Desk, file: Path, *words: str, code: int = 1) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    done = desk.certmark(
        "reconcile", str(file), "--as", "body:CNCA-R-2019-7902", "--registry", desk.registry, *words, "--json"
    )
    assert done.exit_code == code, done.output
    *differences, counts = [json.loads(line) for line in done.stdout.splitlines()]
    return differences, counts


def test_a_sheet_beside_the_register(desk: Desk, tmp_path: Path) -> None:
    name = OTHER.rpartition(":")[2]
    same, other, missing, suspended, extra = (a_number() for _ in range(5))
    rows = [a_row(same, 证书状态="有效"), a_row(other), a_row(missing), a_row(suspended)]
    rows.append(a_later_row(suspended, "暂停", 原因代码="S03", 暂停截止日期=ahead(60)))
    sent = desk.certmark(
        "import", str(a_sheet(tmp_path / "in.csv", rows)), "--as", name, "--to", desk.log, "--registry", desk.registry
    )
    assert sent.exit_code == 0, sent.output
    theirs = [
        a_row(same, 证书状态="有效", 获证组织名称="示范公司(上海)"),
        a_row(other, 认证依据="GB 1-2013", 规格型号="A1、=B2", 商品条码="", 有效期至=ahead(401), 证书状态="撤销"),
        a_row(suspended, 证书状态="暂停", 批准人编号=""),
        a_row(extra, 证书状态="有效"),
        a_row("无编号", 证书状态="有效"),
    ]
    file = a_sheet(tmp_path / "theirs.csv", theirs)
    differences, counts = reconciled(desk, file, "--csv", str(tmp_path / "differences.csv"))
    assert counts == {
        "counts": {"not_in_register": 1, "not_in_file": 1, "different": 1, "equal": 2},
        "unreadable": 1,
        "not_compared": ["事件", "生效日期", "原因代码", "暂停截止日期"],
    }
    assert [d for d in differences if d["kind"] == "different"] == [
        {"kind": "different", "certificate_no": other, "line": 3, "field": field, "theirs": a, "ours": b}
        for field, a, b in (
            ("证书状态", "revoked", "valid"),
            ("认证依据", "GB1-2013", "GB1-2012"),
            ("规格型号", "=B2", ""),
            ("有效期至", ahead(401), ahead(400)),
        )
    ]
    assert {(d["kind"], d["certificate_no"]) for d in differences if d["kind"] != "different"} == {
        ("not_in_register", extra),
        ("not_in_file", missing),
    }
    with (tmp_path / "differences.csv").open(encoding="utf-8-sig", newline="") as written:
        cells = list(csv.reader(written))
    assert len(cells) == 1 + len(differences)
    assert "'=B2" in [row[4] for row in cells], "no spreadsheet program takes it for a formula"

    agreed = a_sheet(tmp_path / "agreed.csv", [row for row in rows if not row["事件"]])
    differences, counts = reconciled(desk, agreed, code=0)
    assert (differences, counts["counts"]["equal"]) == ([], 4)
    table = desk.certmark("reconcile", str(file), "--as", name, "--registry", desk.registry)
    assert table.exit_code == 1
    assert {other, missing, extra} <= set(table.stdout.split())
    assert same not in table.stdout
    assert "不一致 different: 1" in table.stdout
    assert "没有比较的列 columns not compared: 事件、" in table.stdout
    short = desk.certmark("reconcile", str(file), "--as", name, "--registry", desk.registry, "--show", "1")
    assert "另有 3 处" in short.stdout, "one of each kind is shown"
