"""The read model and its projector: one file, believed by seals, that any crash leaves whole."""

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from services.domain.certificate import Status, StatusInterval
from services.domain.errors import LogUnavailable, RegisterBehind
from services.events.keys import new_key
from services.events.record import SealedRecord, open_sealed, seal_record
from services.verify.answer import decide
from services.verify.filed import Filed
from services.verify.filing import filed
from services.verify.projector import Projector
from services.verify.read_model import IN_ORDER, LINK, REBUILD_WANTED, DamagedRow, ModelWriter, ReadModel, Unreadable
from services.verify.recognise import recognise
from services.verify.register import Register
from services.verify.wording import Code
from tests.sealed_register import NOW, STATE, ListLog, SealedRegister, demonstration

NUMBER = "PZB-2025-00217"


class Node:
    """A projector and a reader over one log, as on a verify node."""

    def __init__(self, register: SealedRegister, folder: Path) -> None:
        self.log = ListLog(register.values)
        self.register = register
        self.folder = folder
        self.now = NOW + timedelta(days=1)
        self.projector = self.started()
        self.reader = Register(folder)

    def started(self) -> Projector:
        return Projector(self.log, STATE, self.register.genesis, self.folder, clock=lambda: self.now)

    def killed(self) -> None:
        """The process is gone in the middle of whatever it did; what it had not committed is rolled back."""
        self.projector.close()
        self.projector = self.started()

    def catch_up(self) -> None:
        while self.projector.step():
            pass

    @property
    def file(self) -> str:
        """The name of the file in service."""
        self.reader.meta()
        return self.reader.model.target

    def code(self, text: str = NUMBER) -> Code | None:
        return decide(recognise(text, ()), self.reader, NOW, timedelta(hours=24)).code

    def close(self) -> None:
        self.projector.close()
        self.reader.model.close()


@pytest.fixture
def register() -> SealedRegister:
    return SealedRegister().publish_all()


@pytest.fixture
def node(register: SealedRegister, tmp_path: Path) -> Iterator[Node]:
    node = Node(register, tmp_path)
    yield node
    node.close()


def suspend(register: SealedRegister) -> None:
    certificate = demonstration(NUMBER)
    interval = StatusInterval(Status.SUSPENDED, NOW.date(), None, "S03", NOW.date(), "9" * 64)
    register.publish_certificate(replace(certificate, statuses=(*certificate.statuses, interval)))


def test_what_is_published_is_answered(node: Node) -> None:
    assert node.code() is Code.STATUS_UNKNOWN
    node.catch_up()
    assert node.code() is Code.VALID
    suspend(node.register)
    node.catch_up()
    assert node.code() is Code.SUSPENDED
    meta = node.reader.meta()
    assert (meta.position, meta.seq, meta.complete) == (len(node.log.values), node.register.seq, True)
    assert meta.as_of == node.register.now


def test_the_freshness_is_the_latest_record_time(node: Node) -> None:
    node.catch_up()
    node.register.now = NOW
    node.register.heartbeat()
    node.catch_up()
    assert node.reader.meta().as_of == NOW


def test_a_relay_whose_clock_runs_ahead_makes_nothing_fresher_than_now(node: Node) -> None:
    node.catch_up()
    node.register.now = NOW + timedelta(days=400)
    node.register.heartbeat()
    node.catch_up()
    assert node.reader.meta().as_of == node.now


def test_a_node_whose_clock_ran_ahead_says_nothing_until_it_hears_of_the_register_again(node: Node) -> None:
    """For four hundred days it would else have taken data for fresh that nobody renewed."""
    node.register.now = node.now = NOW + timedelta(days=400)
    node.register.heartbeat()
    node.catch_up()
    assert node.code() is Code.STATUS_UNKNOWN
    node.register.now = node.now = NOW
    node.register.heartbeat()
    node.catch_up()
    assert (node.code(), node.reader.meta().as_of) == (Code.VALID, NOW)


def test_a_register_restored_from_an_older_copy_takes_nothing_back(node: Node) -> None:
    older = list(node.log.values)
    suspend(node.register)
    node.catch_up()
    node.log.values[:] = older
    node.projector.step()  # which finds that the topic has lost its position
    for _ in range(2):
        with pytest.raises(RegisterBehind, match="this node has"):
            node.catch_up()
        node.killed()
    assert node.code() is Code.SUSPENDED
    assert len(list(node.folder.glob("register-*.sqlite"))) == 2  # the one in service, and the one begun last


def test_an_older_registers_sign_of_life_renews_nothing(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    suspend(node.register)
    node.catch_up()
    before = node.reader.meta().as_of
    newest, node.register.seq, node.register.now = node.register.seq, 3, NOW
    for _ in range(2):
        node.register.heartbeat()
        node.catch_up()
    assert node.reader.meta().as_of == before
    assert caplog.messages.count("the register is older than this node") == 1
    node.register.seq = newest
    node.register.heartbeat()
    node.catch_up()
    assert node.reader.meta().as_of == NOW


def test_an_older_revision_never_wins(node: Node) -> None:
    """The relay repeats itself after a crash, and a zombie's last breath may come late."""
    node.catch_up()
    zombie = [value for key, value in node.log.values if key == f"certificate/{NUMBER}"]
    suspend(node.register)
    node.catch_up()
    node.log.values.append((f"certificate/{NUMBER}", zombie[0]))
    node.catch_up()
    assert node.code() is Code.SUSPENDED


def test_a_record_is_believed_by_its_seal_alone(node: Node) -> None:
    node.catch_up()
    thief = new_key()
    certificate = demonstration(NUMBER)
    interval = StatusInterval(Status.REVOKED, NOW.date(), None, "R10", NOW.date(), "9" * 64)
    before = list(node.log.values)
    forged = replace(certificate, statuses=(*certificate.statuses, interval))
    node.register.seal, genuine = thief, node.register.seal
    node.register.publish_certificate(forged)
    node.register.seal = genuine
    _, value = node.log.values[-1]
    good = before[-2][1]
    node.log.values += [
        (f"certificate/{NUMBER}", value[:-8] + b"AAAAAAAA"),
        (f"certificate/{NUMBER}", b"noise"),
        (f"certificate/{NUMBER}", good),  # another record's value under this key
        (f"certificate/{NUMBER}", b""),  # a tombstone
    ]
    node.catch_up()
    assert node.code() is Code.VALID
    assert node.reader.meta().position == len(node.log.values)


def test_keys_may_come_after_what_they_seal(register: SealedRegister, tmp_path: Path) -> None:
    """Compaction leaves a record where it was written last: here every key stands at the very end."""
    keys = [entry for entry in register.values if entry[0].startswith("key/")]
    others = [entry for entry in register.values if not entry[0].startswith("key/")]
    register.values[:] = [*others, *reversed(keys)]
    node = Node(register, tmp_path)
    node.catch_up()
    assert node.code() is Code.VALID
    node.close()


def test_at_a_registers_beginning_nothing_is_passed_over(tmp_path: Path) -> None:
    """The first key's record is out before the record of the key that sealed it."""
    register = SealedRegister().publish_all()
    whole = list(register.values)
    del register.values[:]
    node = Node(register, tmp_path)
    node.catch_up()
    assert node.code() is Code.STATUS_UNKNOWN  # an empty topic tells nothing
    for entry in whole:
        register.values.append(entry)
        node.projector.step()
        if len(register.values) == 1:
            assert node.reader.meta().position == 0
            node.killed()
    node.catch_up()
    assert node.code() is Code.VALID
    assert len(node.reader.model.records_under("key")) == 3


def test_holes_in_the_topic_are_no_trouble(register: SealedRegister, tmp_path: Path) -> None:
    for at in (5, 6, 7, 30):
        register.values[at] = ("", b"")
    node = Node(register, tmp_path)
    node.catch_up()
    assert node.reader.meta().complete
    node.close()


def test_a_kill_before_the_commit_repeats_the_batch(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process dies between the rows and the position: neither is there afterwards."""
    node.catch_up()
    position = node.reader.meta().position
    suspend(node.register)
    real = ModelWriter._save

    def dies(writer: ModelWriter, cur: sqlite3.Cursor, rows: Mapping[str, Filed]) -> list[Filed]:
        real(writer, cur, rows)
        raise KeyboardInterrupt

    monkeypatch.setattr(ModelWriter, "_save", dies)
    with pytest.raises(KeyboardInterrupt):
        node.projector.step()
    monkeypatch.undo()
    assert (node.code(), node.reader.meta().position) == (Code.VALID, position)
    node.killed()
    node.catch_up()
    assert node.code() is Code.SUSPENDED


def test_a_restart_goes_on_where_it_was(node: Node) -> None:
    node.catch_up()
    file = node.file
    node.killed()
    assert node.code() is Code.VALID
    suspend(node.register)
    node.catch_up()
    assert (node.code(), node.file) == (Code.SUSPENDED, file)


@pytest.mark.parametrize("column", ["packed", "shown"])
def test_a_damaged_row_is_not_answered_from_and_heals(node: Node, column: str) -> None:
    node.catch_up()
    damage(node, column)
    assert node.code() is Code.STATUS_UNKNOWN
    assert node.code("2023990703000117") is Code.VALID
    assert (node.folder / REBUILD_WANTED).exists()
    node.catch_up()
    assert node.code() is Code.VALID
    assert not (node.folder / REBUILD_WANTED).exists()


@pytest.mark.parametrize("column", ["timeline", "shown"])
def test_damage_to_the_stored_bytes_is_found(node: Node, column: str) -> None:
    node.catch_up()
    damage(node, column)
    node.reader.meta()
    with pytest.raises(DamagedRow):
        node.reader.model.quick(NUMBER)
    node.catch_up()
    node.reader.meta()
    assert node.reader.model.quick(NUMBER) is not None


def damage(node: Node, column: str) -> None:
    """One bit of the certificate's row is another."""
    key = f"certificate/{NUMBER}"
    with sqlite3.connect(node.folder / node.file) as other:
        (held,) = other.execute(f"SELECT {column} FROM record WHERE key = ?", (key,)).fetchone()
        damaged = held[:30] + bytes([held[30] ^ 1]) + held[31:]
        other.execute(f"UPDATE record SET {column} = ? WHERE key = ?", (damaged, key))
    other.close()


def test_every_record_comes_out_as_it_came(node: Node) -> None:
    node.catch_up()
    came = {key: value for key, value in node.log.values if key and value and key != "heartbeat"}
    kept = {key: node.reader.model.record(key) for key in came}
    assert {key: one.sealed for key, one in kept.items() if one is not None} == came
    assert len(node.reader.model.records(list(came))) == len(came)


def test_a_node_with_a_file_of_an_older_version_builds_its_own(node: Node) -> None:
    node.catch_up()
    old = node.file
    node.projector.close()
    node.reader.model.close()
    with sqlite3.connect(node.folder / old) as other:
        other.execute("UPDATE meta SET format = format - 1")
    other.close()
    assert node.code() is Code.STATUS_UNKNOWN
    node.projector = node.started()
    assert node.code() is Code.STATUS_UNKNOWN  # and not: not found
    node.catch_up()
    assert node.code() is Code.VALID
    assert node.file != old
    assert [path.name for path in node.folder.glob("register-*.sqlite")] == [node.file]


def test_what_is_found_by_does_not_depend_on_when_it_came(register: SealedRegister, tmp_path: Path) -> None:
    """Made for the whole file at once, or kept up record by record."""
    at_once = Node(register, tmp_path / "once")
    at_once.catch_up()
    later = Node(register, tmp_path / "later")
    whole = list(register.values)
    first = [entry for entry in whole if not entry[0].startswith("certificate/")]
    rest = [entry for entry in whole if entry[0].startswith("certificate/")]
    later.projector.close()
    later.log.values = list(first)
    later.projector = later.started()
    later.catch_up()
    assert later.reader.meta().complete
    later.log.values += [*rest, *rest[:3]]
    later.catch_up()
    assert found_by(later) == found_by(at_once)
    at_once.close()
    later.close()


def found_by(node: Node) -> dict[str, list[tuple[object, ...]]]:
    node.reader.meta()
    named = "SELECT kind, folded, until, certificate FROM named JOIN name ON name.id = named.name ORDER BY 1, 2, 3, 4"
    tables = {name: f"SELECT * FROM {name} ORDER BY 1, 2" for name in ("mark", "gtin", "uscc")} | {"named": named}
    with sqlite3.connect(node.folder / node.file) as file:
        found = {name: file.execute(sql).fetchall() for name, sql in tables.items()}
        for kind in ("holder", "product"):
            words = {"pairs": f"CREATE VIRTUAL TABLE temp.{kind}_words USING fts5vocab('main', '{kind}_text', 'row')"}
            file.execute(words["pairs"])
            found[kind] = file.execute(f"SELECT term, doc FROM temp.{kind}_words ORDER BY 1").fetchall()
    file.close()
    assert all(found.values())
    return found


def test_a_page_of_a_holders_certificates_is_read_without_those_before_and_behind_it(node: Node) -> None:
    node.catch_up()
    with closing(sqlite3.connect(node.folder / node.file)) as file:
        plan = [line for *_, line in file.execute(f"EXPLAIN QUERY PLAN {IN_ORDER}", ("", "", 1))]
    assert plan == ["SEARCH uscc USING COVERING INDEX uscc_in_order (uscc=? AND certificate>?)"]


def test_the_old_file_answers_while_a_new_one_is_built(node: Node) -> None:
    node.catch_up()
    old = node.file
    (node.folder / REBUILD_WANTED).touch()
    node.log.away = LogUnavailable("no broker")
    with pytest.raises(LogUnavailable):
        node.projector.step()
    assert (node.code(), node.file) == (Code.VALID, old)
    node.log.away = None
    node.killed()
    node.catch_up()
    assert (node.code(), node.file == old) == (Code.VALID, False)
    assert sorted(path.name for path in node.folder.glob("register-*.sqlite")) == [node.file]


def test_a_log_that_lost_our_position_is_read_anew(node: Node) -> None:
    node.catch_up()
    kept = [entry for entry in node.log.values if not entry[0].startswith("certificate/") or NUMBER in entry[0]]
    node.log.values[:] = kept
    node.projector.step()
    assert node.code("2023990703000117") is Code.VALID  # the old file answers until the new one is whole
    node.catch_up()
    assert node.code() is Code.VALID
    assert node.code("2023990703000117") is Code.UNKNOWN_NUMBER


def test_a_file_that_is_no_database_is_replaced(node: Node) -> None:
    node.catch_up()
    node.projector.close()
    node.reader.model.close()
    file = node.folder / (node.folder / LINK).readlink()
    file.write_bytes(b"not a database" * 100)
    for companion in node.folder.glob("*-wal"):
        companion.unlink()
    assert node.code() is Code.STATUS_UNKNOWN
    node.projector = node.started()
    node.catch_up()
    assert node.code() is Code.VALID


def test_another_registers_file_never_answers_for_ours(node: Node) -> None:
    node.catch_up()
    node.projector.close()
    other = SealedRegister().publish_all()
    stranger = Projector(ListLog([]), STATE, other.genesis, node.folder)
    assert node.code() is Code.STATUS_UNKNOWN
    stranger.close()


def test_a_state_of_a_later_version_is_kept_and_not_answered_from(node: Node) -> None:
    node.catch_up()
    node.register.publish(f"certificate/{NUMBER}", {"v": 2, "kind": "certificate", "certificate_no": NUMBER})
    node.catch_up()
    assert node.code() is Code.STATUS_UNKNOWN
    assert not (node.folder / REBUILD_WANTED).exists()  # building anew would not help


def test_a_log_that_is_away_changes_nothing(node: Node) -> None:
    node.catch_up()
    node.log.away = LogUnavailable("no broker")
    with pytest.raises(LogUnavailable):
        node.projector.step()
    assert node.code() is Code.VALID


def test_a_writer_keeps_rows_and_position_together(tmp_path: Path) -> None:
    writer = ModelWriter.create(tmp_path / "register-1.sqlite", "t", "g", 7)
    writer.put_in_service()
    reader = ReadModel(tmp_path)
    assert reader.meta().position == 7
    record, key = SealedRecord("body/x", 1, 1, NOW, None, {"v": 1}, (), False, None), new_key()
    sealed = seal_record(record, key)
    row = filed(record, sealed, open_sealed(sealed))
    writer.apply([row], 8, as_of="2026-11-01T00:00:00.000Z", seq=1, complete=True)
    meta = reader.meta()
    assert (meta.position, meta.complete, meta.directory) == (8, True, 1)
    stored = reader.record("body/x")
    assert stored is not None
    assert (stored.payload()["state"], stored.sealed, stored.kid) == ({"v": 1}, sealed, key.public.kid)
    writer.close()
    reader.close()


def test_who_asks_often_reads_as_of_one_moment(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.verify.read_model._OFTEN_S", 60.0)
    monkeypatch.setattr("services.verify.read_model._HELD_S", 60.0)
    node.catch_up()
    model = node.reader.model
    model.meta_held()
    before = model.meta_held()
    said = model.quick(NUMBER)
    suspend(node.register)
    node.catch_up()
    assert model.quick(NUMBER) == said
    assert model.meta_held().revision > before.revision
    assert model.quick(NUMBER) != said


def test_a_moment_is_let_go_though_nobody_asks_again(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.verify.read_model._OFTEN_S", 60.0)
    monkeypatch.setattr("services.verify.read_model._HELD_S", 0.01)
    node.catch_up()
    model = node.reader.model
    model.meta_held()
    model.meta_held()
    assert model._connection is not None
    while timers := [one for one in threading.enumerate() if isinstance(one, threading.Timer)]:
        timers[0].join(5)  # it comes again as long as somebody has just asked
    assert not model._connection.in_transaction


def test_a_reader_without_a_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unreadable):
        ReadModel(tmp_path).meta()
