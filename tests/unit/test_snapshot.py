"""A signed snapshot: loaded only when all of it holds, and a node goes on from it as if it had read everything."""

from dataclasses import replace
from pathlib import Path

import pytest

from services.domain.certificate import Status, StatusInterval
from services.domain.errors import CertmarkError, KeyNotValid, NotConfigured, UnknownKey
from services.events.keys import PrivateKey, new_key
from services.verify import snapshot
from services.verify.projector import Projector, alone_in
from services.verify.read_model import LINK
from services.verify.register import Register
from services.verify.snapshot import DATA, MANIFEST, BadSnapshot, SnapshotOlder
from services.verify.wording import Code
from tests.sealed_register import NOW, STATE, ListLog, SealedRegister, demonstration
from tests.unit.test_read_model import Node

NUMBER = "PZB-2025-00217"


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "CHUNK", 64 * 1024)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    node = Node(SealedRegister().publish_all(), tmp_path / "first")
    node.catch_up()
    return node


def quiet(done: int, of: int) -> None:
    assert 0 < done <= of


def made(node: Node, into: Path, key: PrivateKey | None = None) -> Path:
    snapshot.make(node.folder, into, key or node.register.seal, quiet)
    return into


def loaded(node: Node, source: Path, folder: Path) -> Node:
    """Another node that began with a snapshot and has not read the topic yet."""
    snapshot.load(source, folder, node.register.genesis, quiet)
    return Node(node.register, folder)


def suspend(register: SealedRegister) -> None:
    certificate = demonstration(NUMBER)
    interval = StatusInterval(Status.SUSPENDED, NOW.date(), None, "S03", NOW.date(), "9" * 64)
    register.publish_certificate(replace(certificate, statuses=(*certificate.statuses, interval)))


def test_a_node_answers_from_a_snapshot_and_goes_on_from_its_position(node: Node, tmp_path: Path) -> None:
    source = made(node, tmp_path / "snapshot")
    suspend(node.register)
    position = node.reader.meta().position
    folder = tmp_path / "second"
    snapshot.load(source, folder, node.register.genesis, quiet)
    read: list[int] = []

    class Watched(ListLog):
        def read(self, topic, position, limit, wait=0.0):  # type: ignore[no-untyped-def]
            read.append(position)
            return super().read(topic, position, limit, wait)

    other = Node.__new__(Node)
    other.now = node.now
    other.log, other.register, other.folder = Watched(node.register.values), node.register, folder
    other.projector = other.started()
    other.reader = Register(folder)
    assert other.code() is Code.VALID  # as of the snapshot
    other.catch_up()
    assert other.code() is Code.SUSPENDED
    assert min(read) == position
    assert other.reader.model.records_under("certificate") == records_of(node)
    other.close()
    node.close()


def records_of(node: Node) -> object:
    node.catch_up()
    return node.reader.model.records_under("certificate")


def test_making_one_disturbs_nobody(node: Node, tmp_path: Path) -> None:
    made(node, tmp_path / "snapshot")
    suspend(node.register)
    node.catch_up()
    assert node.code() is Code.SUSPENDED
    with pytest.raises(NotConfigured):
        made(node, tmp_path / "snapshot")
    node.close()


@pytest.mark.parametrize("at", [0, 100, 70_000, -1])
def test_any_damage_to_the_file_is_found(node: Node, tmp_path: Path, at: int) -> None:
    source = made(node, tmp_path / "snapshot")
    content = bytearray((source / DATA).read_bytes())
    content[at] ^= 1
    (source / DATA).write_bytes(content)
    refused(node, source, tmp_path / "second", BadSnapshot)
    node.close()


@pytest.mark.parametrize("change", [lambda c: c[:-1], lambda c: c + b"x", lambda c: b""])
def test_a_file_that_is_cut_or_longer_is_none(node: Node, tmp_path: Path, change) -> None:  # type: ignore[no-untyped-def]
    source = made(node, tmp_path / "snapshot")
    (source / DATA).write_bytes(change((source / DATA).read_bytes()))
    refused(node, source, tmp_path / "second", BadSnapshot)
    node.close()


def test_the_seal_has_to_hold_and_to_be_a_seal(node: Node, tmp_path: Path) -> None:
    source = made(node, tmp_path / "a")
    manifest = (source / MANIFEST).read_bytes()
    header, payload, seal = manifest.split(b".")
    other = made(node, tmp_path / "b", node.register.mark_key)
    refused(node, other, tmp_path / "second", KeyNotValid)
    stranger = made(node, tmp_path / "c", new_key())
    refused(node, stranger, tmp_path / "second", UnknownKey)
    (source / MANIFEST).write_bytes(b".".join((header, payload, bytes(reversed(seal)))))
    refused(node, source, tmp_path / "second", CertmarkError)
    for changed in (payload.replace(payload[40:41], b"A" if payload[40:41] != b"A" else b"B", 1), payload[:-4], b""):
        (source / MANIFEST).write_bytes(b".".join((header, changed, seal)))
        refused(node, source, tmp_path / "second", CertmarkError)
    for noise in (b"", b"x", b"a.b.c", manifest[:-2]):
        (source / MANIFEST).write_bytes(noise)
        refused(node, source, tmp_path / "second", CertmarkError)
    node.close()


def test_an_end_of_the_sealing_key_ends_its_snapshots(node: Node, tmp_path: Path) -> None:
    first, second = node.register.seal, new_key()
    node.register.add_key(second, "seal")
    node.register.seal = second
    node.register.add_key(first, "seal", compromised_since="2026-01-01T00:00:00.000Z")
    node.catch_up()
    refused(node, made(node, tmp_path / "by-the-first", first), tmp_path / "second", KeyNotValid)
    snapshot.load(made(node, tmp_path / "by-the-second"), tmp_path / "second", node.register.genesis, quiet)
    node.close()


def test_another_registers_snapshot_is_none_of_ours(node: Node, tmp_path: Path) -> None:
    source = made(node, tmp_path / "snapshot")
    with pytest.raises(BadSnapshot):
        snapshot.load(source, tmp_path / "second", SealedRegister().genesis, quiet)
    with pytest.raises(BadSnapshot):
        snapshot.load(tmp_path, tmp_path / "second", node.register.genesis, quiet)
    node.close()


def test_an_older_snapshot_never_takes_back_what_a_node_knows(node: Node, tmp_path: Path) -> None:
    source = made(node, tmp_path / "snapshot")
    suspend(node.register)
    node.catch_up()
    assert node.code() is Code.SUSPENDED
    with pytest.raises(SnapshotOlder):
        snapshot.load(source, node.folder, node.register.genesis, quiet)
    assert node.code() is Code.SUSPENDED
    node.close()


def test_not_beside_a_projector_and_not_of_half_a_register(node: Node, tmp_path: Path) -> None:
    source = made(node, tmp_path / "snapshot")
    second = tmp_path / "second"
    second.mkdir()
    with alone_in(second), pytest.raises(NotConfigured):
        snapshot.load(source, second, node.register.genesis, quiet)
    begun = Projector(ListLog(node.register.values), STATE, node.register.genesis, tmp_path / "begun")
    with pytest.raises(NotConfigured):
        snapshot.make(tmp_path / "begun", tmp_path / "half", node.register.seal, quiet)
    assert not (tmp_path / "half" / DATA).exists()
    begun.close()
    node.close()


def refused(node: Node, source: Path, folder: Path, error: type[CertmarkError]) -> None:
    with pytest.raises(error):
        snapshot.load(source, folder, node.register.genesis, quiet)
    assert not (folder / LINK).exists()
    assert not list(folder.glob("register-*"))
