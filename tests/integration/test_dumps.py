"""Open data on a real register: a dump of a position is the same whenever it is made, and increments add up."""

import csv
import json
import uuid
from contextlib import nullcontext
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from services.cli import main
from services.domain.errors import BadRequest, Malformed
from services.events.keys import load_key
from services.postgres import transaction
from services.registry import dumps, facts
from services.registry.api import create_app
from services.registry.dump_files import FORMATS, GROUP
from services.registry.dump_tables import TABLES
from tests.register import AUTHORITY, BODY, TODAY, Register, a_suspension, ago, ahead

DATA = [f"{table.name}.{form}" for table in TABLES for form in FORMATS]


def dumped(register: Register, folder: Path, at: str | None = None, since: int | None = None, **how: Any) -> Path:
    """A dump in all formats, under the register's seal."""

    def stretch() -> facts.Reach:
        with transaction(register.connection) as cur:
            return facts.read_on(cur)

    facts.catch_up(stretch)
    options = {"evidence": False, "bom": False} | how
    made, _ = dumps.dump(
        register.connection,
        lambda cur: dumps.wanted(cur, at, since, FORMATS, **options),
        lambda wanted: folder / wanted.name,
        load_key(register.settings.seal_key),
        lambda wanted: nullcontext(lambda done: None),
    )
    return made


def last(register: Register) -> int:
    return register.head().size - 1


def manifest_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / dumps.MANIFEST).read_text(encoding="utf-8"))
    return found


def rows_of(folder: Path, table: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{table}.jsonl").read_text(encoding="utf-8").splitlines()]


def a_life(register: Register) -> str:
    """A certificate with a mark that was suspended, and one more that stands."""
    register.issue("implied")
    number = register.issue()
    mark = {
        "effective_at": ago(5),
        "mark_no": f"M-{uuid.uuid4().hex[:12].upper()}-1",
        "mark": "sample-mark",
        "products": [{"model": "A1", "gtin": "06909900123007"}],
        "valid_until": ahead(300),
    }
    assert register.say(BODY, "mark.authorized", number, mark)["decision"] == "accepted"
    assert register.say(BODY, "certificate.suspended", number, a_suspension())["decision"] == "accepted"
    return number


# --- the same whenever it is made --------------------------------------------------------------------------------


def test_a_dump_of_a_position_is_the_same_byte_for_byte_however_much_later_it_is_made(
    register: Register, tmp_path: Path
) -> None:
    number = a_life(register)
    then = dumped(register, tmp_path / "then")
    seq = last(register)
    assert register.say(BODY, "certificate.revoked", number, {"effective_at": ago(0), "reason": "R05"})
    a_life(register)
    later = dumped(register, tmp_path / "later", at=str(seq))
    same = [*DATA, dumps.MANIFEST, dumps.SEAL, dumps.KEYS]
    assert {name: (then / name).read_bytes() for name in same} == {name: (later / name).read_bytes() for name in same}
    assert manifest_of(dumped(register, tmp_path / "now"))["seq"] == last(register) > seq


def test_an_instant_and_a_date_name_the_last_entry_decided_by_then(register: Register, tmp_path: Path) -> None:
    a_life(register)
    recorded_at = register.rows("SELECT recorded_at FROM entries WHERE seq = %s", last(register))[0][0]
    first = register.rows("SELECT min(recorded_at) FROM entries")[0][0]
    assert manifest_of(dumped(register, tmp_path / "a", at=recorded_at.isoformat()))["seq"] == last(register)
    assert manifest_of(dumped(register, tmp_path / "b", at=ahead(1)))["seq"] == last(register)
    at_first = manifest_of(dumped(register, tmp_path / "c", at=first.isoformat()))
    assert at_first["seq"] == register.rows("SELECT max(seq) FROM entries WHERE recorded_at = %s", first)[0][0]
    before = manifest_of(dumped(register, tmp_path / "d", at=ago(2)))
    assert (before["seq"], before["recorded_at"], [t["rows"] for t in before["tables"]]) == (
        -1,
        None,
        [0] * len(TABLES),
    )


@pytest.mark.parametrize("at", ["99999999", "yesterday", "2026-13-01", "2026-11-01T00:00:00", "-1"])
def test_what_names_no_position_is_said_so(register: Register, tmp_path: Path, at: str) -> None:
    with pytest.raises(BadRequest):
        dumped(register, tmp_path, at=at)
    assert list(tmp_path.iterdir()) == []


# --- increments ---------------------------------------------------------------------------------------------------


def test_a_full_dump_and_an_increment_make_the_later_full_dump(register: Register, tmp_path: Path) -> None:
    number = a_life(register)
    notice: dict[str, Any] = {
        "effective_at": ago(2),
        "instrument": "沪市监公告2号",
        "text": {"zh": "停止销售", "en": "stop the sale"},
    }
    a_recall = notice | {"certificate_no": number, "batches": ["B1"], "reason": "defect"}
    a_warning = notice | {"until": ahead(9), "level": "advice", "class": "0704"}
    for kind, name, data in (("recall.opened", "R-1", a_recall), ("warning.issued", "W-1", a_warning)):
        assert register.say(AUTHORITY, kind, name, data)["decision"] == "accepted"
    before = dumped(register, tmp_path / "before")
    since = last(register)
    closed = {"effective_at": ago(0), "instrument": "沪市监公告3号", "note": "已整改"}
    for kind, name, data in (("recall.closed", "R-1", closed), ("warning.issued", "W-2", a_warning)):
        assert register.say(AUTHORITY, kind, name, data)["decision"] == "accepted"
    assert register.say(BODY, "certificate.revoked", number, {"effective_at": ago(0), "reason": "R05"})
    a_life(register)
    register.tell(AUTHORITY, "scheme.published", "system", a_system(2))
    register.tell(AUTHORITY, "body.disqualified", "CNCA-R-2019-7902", {"effective_at": ago(0), "instrument": "沪1号"})
    register.decide_all()
    increment = dumped(register, tmp_path / "increment", since=since)
    after = dumped(register, tmp_path / "after")
    changed = {row["certificate_no"] for row in rows_of(increment, "certificates")}
    assert len(changed) == 3
    assert [row["version"] for row in rows_of(increment, "schemes")] == [1, 2]
    assert [row["approval_no"] for row in rows_of(increment, "bodies")] == ["CNCA-R-2019-7902"]
    (recall,) = rows_of(before, "recalls")
    assert (recall["recall"], recall["batches"], recall["text_zh"], recall["closed_on"]) == (
        "R-1",
        ["B1"],
        "停止销售",
        None,
    )
    (recall,) = rows_of(increment, "recalls")
    assert (recall["opened_on"], recall["closed_on"], recall["note"]) == (ago(2), ago(0), "已整改")
    assert [row["warning"] for row in rows_of(increment, "warnings")] == ["W-2"]
    assert [row["warning"] for row in rows_of(after, "warnings")] == ["W-1", "W-2"]
    for table in TABLES:
        merged = merge(before, increment, table.name, table.subject)
        assert merged == (after / f"{table.name}.jsonl").read_bytes(), table.name


def a_system(version: int) -> dict[str, Any]:
    return {
        "effective_at": TODAY.isoformat(),
        "version": version,
        "name": {"zh": "示范", "en": "Sample"},
        "class": "system",
        "mandatory": False,
        "declaration": False,
        "mark_authorizer": "none",
        "coverage": {"complete": False, "zh": "示范", "en": "sample"},
    }


def merge(before: Path, increment: Path, table: str, subject: str) -> bytes:
    """As docs/open-data.md says: take out the subjects that the increment has, and put it at the end.

    Which certificates have changed is said by the increment's certificates, for their marks as well.
    """
    owner = "certificates" if table == "marks" else table
    gone = {row[subject] for row in rows_of(increment, owner)}
    lines = (before / f"{table}.jsonl").read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line)[subject] not in gone]
    return b"".join(kept) + (increment / f"{table}.jsonl").read_bytes()


def test_an_increment_begins_where_the_register_has_been(register: Register, tmp_path: Path) -> None:
    for since in (-1, last(register) + 1):
        with pytest.raises(BadRequest):
            dumped(register, tmp_path, since=since)
    nothing = dumped(register, tmp_path, since=last(register))
    assert [table["rows"] for table in manifest_of(nothing)["tables"]] == [0] * len(TABLES)


# --- what is in the files ---------------------------------------------------------------------------------------


def test_the_tables_say_what_the_register_says_and_no_staff_number(register: Register, tmp_path: Path) -> None:
    number = a_life(register)
    folder = dumped(register, tmp_path)
    certificates = {row["certificate_no"]: row for row in rows_of(folder, "certificates")}
    records = register.rows("SELECT key, state, seq FROM records WHERE key LIKE 'certificate/%%'")
    assert set(certificates) == {key.removeprefix("certificate/") for key, _, _ in records}
    for _, text, seq in records:
        state = json.loads(text)
        row = certificates[state["certificate_no"]]
        assert row["seq"] == seq
        for name in ("scheme", "status", "statuses", "valid_until", "surveillance_due", "basis", "parts", "periods"):
            assert row[name] == state[name], name
        assert (row["holder_name"], row["items"]) == (state["holder"]["name"], state["product"]["items"])
    (mark,) = [row for row in rows_of(folder, "marks") if row["certificate_no"] == number]
    assert (mark["mark"], mark["status"], mark["media"]) == ("sample-mark", "active", [])
    assert {row["approval_no"] for row in rows_of(folder, "bodies")} == {"CNCA-R-2019-7901", "CNCA-R-2019-7902"}
    assert "7901-0007" in json.dumps(register.state(number))
    for name in DATA:
        if not name.endswith("parquet"):
            assert "7901-0007" not in (folder / name).read_text(encoding="utf-8"), name


def test_the_entries_are_the_log_and_evidence_comes_where_it_is_asked_for(register: Register, tmp_path: Path) -> None:
    a_life(register)
    plain, full = dumped(register, tmp_path / "plain"), dumped(register, tmp_path / "full", evidence=True)
    stored = register.rows("SELECT leaf, jws FROM entries ORDER BY seq")
    rows = rows_of(full, "entries")
    assert [(row["leaf"], row["jws"]) for row in rows] == stored
    assert [row["seq"] for row in rows] == list(range(len(stored)))
    assert [{n: v for n, v in row.items() if n != "jws"} for row in rows] == rows_of(plain, "entries")
    for row in rows:
        leaf = json.loads(row["leaf"])
        assert (row["digest"], row["decision"], row["recorded_at"], row["effective_at"], row["state_digest"]) == (
            leaf["digest"],
            leaf["decision"],
            leaf["recorded_at"],
            leaf["effective_at"],
            leaf["state"],
        )


def test_the_three_formats_hold_the_same(register: Register, tmp_path: Path) -> None:
    holder = {"name": '=HYPERLINK("http://example.org")', "uscc": "91320500MAXX005334", "address": "'甲路1号"}
    number = register.issue(holder=holder)
    folder = dumped(register, tmp_path, bom=True)
    manifest = manifest_of(folder)
    for table in manifest["tables"]:
        kinds: dict[str, str] = {column["name"]: column["type"] for column in table["columns"]}
        rows = rows_of(folder, table["name"])
        text = (folder / f"{table['name']}.csv").read_bytes().decode("utf-8")
        assert text.startswith("\ufeff")
        cells = list(csv.DictReader(text.removeprefix("\ufeff").splitlines()))
        typed = pq.read_table(folder / f"{table['name']}.parquet").to_pylist()
        assert len(rows) == len(cells) == len(typed) == table["rows"]
        for row, line, exact in zip(rows, cells, typed, strict=True):
            assert list(row) == list(line) == list(exact) == list(kinds)
            for name, kind in kinds.items():
                assert from_csv(line[name], kind) == row[name], name
                assert from_parquet(exact[name], kind) == row[name], name
    written = next(one for one in (folder / "certificates.csv").read_text("utf-8").splitlines() if number in one)
    assert "\"'=HYPERLINK(" in written
    assert "\"''甲路1号\"" in written


def from_csv(cell: str, kind: str) -> Any:
    """A cell back to its value, by the rule of docs/open-data.md."""
    if cell == "":
        return None
    if kind in ("integer", "boolean", "json"):
        return json.loads(cell)
    return cell.removeprefix("'") if kind == "text" else cell


def from_parquet(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "json":
        return json.loads(value)
    if isinstance(value, date) and kind == "date":
        return value.isoformat()
    if kind == "instant":
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value


def test_row_groups_do_not_grow(register: Register, tmp_path: Path) -> None:
    file = pq.ParquetFile(dumped(register, tmp_path) / "entries.parquet")
    assert max(file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)) <= GROUP


# --- checking ------------------------------------------------------------------------------------------------------


def test_a_dump_is_vouched_for_down_to_each_byte(register: Register, tmp_path: Path) -> None:
    a_life(register)
    folder = dumped(register, tmp_path)
    genesis = register.settings.genesis
    good = dumps.check(folder, genesis)
    assert (good.holds, good.sealed, good.seq) == (True, True, last(register))
    for table in manifest_of(folder)["tables"]:
        for file in table["files"]:
            assert sha256((folder / file["name"]).read_bytes()).hexdigest() == file["sha256"]
    assert dumps.check(folder, "0" * 64).sealed is False
    (folder / "extra.csv").write_text("x", encoding="utf-8")
    (folder / "marks.csv").unlink()
    with (folder / "bodies.jsonl").open("ab") as file:
        file.write(b" ")
    bad = dumps.check(folder, genesis)
    assert bad.sealed
    assert set(bad.wrong) == {"extra.csv", "marks.csv", "bodies.jsonl"}


def test_a_manifest_that_was_made_to_fit_is_not_vouched_for(register: Register, tmp_path: Path) -> None:
    folder = dumped(register, tmp_path)
    manifest = folder / dumps.MANIFEST
    manifest.write_text(manifest.read_text(encoding="utf-8").replace('"bom": false', '"bom": true'), encoding="utf-8")
    found = dumps.check(folder, register.settings.genesis)
    assert (found.holds, found.sealed) == (True, False)
    (folder / dumps.SEAL).unlink()
    assert dumps.check(folder, register.settings.genesis).why_not == "the dump is not sealed"
    manifest.write_text('{"tables": [{}]}', encoding="utf-8")
    with pytest.raises(Malformed):
        dumps.check(folder, register.settings.genesis)


# --- by command ----------------------------------------------------------------------------------------------------


def test_the_command_writes_and_checks(register: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_life(register)
    monkeypatch.setenv("CERTMARK_DATA", str(register.settings.data))
    monkeypatch.setenv("CERTMARK_DATABASE_URL", register.settings.database_url)
    monkeypatch.setenv("CERTMARK_GENESIS", register.settings.genesis)
    run = CliRunner()
    target = tmp_path / "new" / "dump"
    made = run.invoke(main, ["dump", "--to", str(target), "--format", "csv,jsonl", "--json"])
    assert made.exit_code == 0, made.output
    assert json.loads(made.output)["seq"] == last(register)
    assert run.invoke(main, ["dump", "--verify", str(target)]).exit_code == 0
    again = run.invoke(main, ["dump", "--to", str(target), "--json"])
    assert (again.exit_code, json.loads(again.output)["code"]) == (1, "already-there")
    (target / dumps.SEAL).unlink()
    assert run.invoke(main, ["dump", "--verify", str(target)]).exit_code == 1
    assert run.invoke(main, ["dump", "--verify", str(target), "--unsealed"]).exit_code == 0
    assert run.invoke(main, ["dump", "--format", "xml"]).exit_code == 2
    published = json.loads(run.invoke(main, ["dump", "--json"]).output)["folder"]
    assert Path(published).parent == register.settings.data / "dumps"
    assert [path.name for path in target.parent.iterdir()] == ["dump"], "nothing is left half-made"


# --- by HTTP -------------------------------------------------------------------------------------------------------


def test_the_registry_publishes_what_is_in_its_folder(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CERTMARK_DATA", str(register.settings.data))
    monkeypatch.setenv("CERTMARK_DATABASE_URL", register.settings.database_url)
    monkeypatch.setenv("CERTMARK_GENESIS", register.settings.genesis)
    client = create_app().test_client()
    register.issue()
    first = dumped(register, dumps.published_at(register.settings))
    register.issue()
    second = dumped(register, dumps.published_at(register.settings), since=int(first.name))
    (dumps.published_at(register.settings) / ".hidden").mkdir()
    (dumps.published_at(register.settings) / "empty").mkdir()
    listed = client.get("/v1/dumps").get_json()["items"]
    assert [one["name"] for one in listed[:2]] == [second.name, first.name]
    assert (listed[0]["since"], listed[0]["sealed"]) == (int(first.name), True)
    for one in listed[0]["files"]:
        got = client.get(f"/v1/dumps/{second.name}/{one['name']}", buffered=True)
        assert (got.status_code, got.get_etag()[0]) == (200, one["sha256"])
        assert sha256(got.data).hexdigest() == one["sha256"]
    part = client.get(f"/v1/dumps/{second.name}/entries.jsonl", headers={"Range": "bytes=0-9"}, buffered=True)
    assert (part.status_code, part.data) == (206, (second / "entries.jsonl").read_bytes()[:10])
    assert client.get(f"/v1/dumps/{second.name}/manifest.jws", buffered=True).status_code == 200
    secrets = (f"{second.name}/../../keys/seal.pem", f"{second.name}/x.csv", ".hidden/manifest.json", "empty/run.json")
    for path in secrets:
        assert client.get(f"/v1/dumps/{path}").status_code == 404, path
