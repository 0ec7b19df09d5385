"""A node that has far to go reads ahead in helper processes, and believes exactly what it believes without them."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from services.domain.certificate import Status, StatusInterval
from services.events.keys import new_key
from services.verify.projector import FAR, Projector
from services.verify.read_model import ReadModel
from tests.sealed_register import NOW, STATE, ListLog, SealedRegister, demonstration

pytestmark = pytest.mark.integration


def a_long_register() -> SealedRegister:
    register = SealedRegister().publish_all()
    base = demonstration("PZB-2025-00217")
    for n in range(FAR + 700):
        mark = replace(base.marks[0], mark_no=f"M-LONG-{n:05}")
        register.publish_certificate(replace(base, certificate_no=f"LONG-{n:05}", marks=(mark,)))
    # among them what must not be believed, and what comes twice
    base = replace(base, certificate_no="LONG-00007", marks=())
    gone = StatusInterval(Status.REVOKED, NOW.date(), None, "R10", NOW.date(), "9" * 64)
    forged = replace(base, statuses=(*base.statuses, gone))
    register.seal, genuine = new_key(), register.seal
    register.publish_certificate(forged)
    register.seal = genuine
    key, value = register.values[100]
    register.values += [(key, value[:-8] + b"AAAAAAAA"), (key, b"noise"), ("certificate/LONG-00008", value), (key, b"")]
    register.values.append(register.values[200])
    second = new_key()
    register.add_key(second, "seal")
    register.seal = second
    register.publish_certificate(replace(base, certificate_no="LATE-00001"))
    register.heartbeat()
    return register


def kept(register: SealedRegister, folder: Path, helpers: int, far: int, patch: pytest.MonkeyPatch) -> set[object]:
    """All that a projector keeps, and how far it came."""
    patch.setattr("services.verify.projector.FAR", far)
    patch.setattr("services.verify.found_by.MANY", far)
    projector = Projector(ListLog(register.values), STATE, register.genesis, folder, helpers)
    while projector.step(0):
        pass
    projector.close()
    model = ReadModel(folder)
    meta = model.meta()
    assert meta.complete
    found: set[object] = {(one.key, one.revision, one.sealed) for one in model.records_under("certificate")}
    found |= {(number, *(model.quick(number) or ())) for number in ("LONG-00007", "LONG-00008", "LATE-00001")}
    found |= {tuple(model.certificates_with("mark", f"M-LONG-{n:05}")) for n in range(FAR + 700)}
    found |= {(text, *model.names_that_contain(kind, text)) for kind, text in (("holder", "公司"), ("product", "示范"))}
    found.add((meta.position, meta.seq, meta.revision, meta.as_of))
    model.close()
    return found


def test_helpers_change_nothing_but_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register = a_long_register()
    alone = kept(register, tmp_path / "alone", 1, 10**9, monkeypatch)
    with_helpers = kept(register, tmp_path / "helped", 2, FAR, monkeypatch)
    assert with_helpers == alone
    assert not list((tmp_path / "helped").glob("*-names"))
    assert (
        len([one for one in alone if isinstance(one, tuple) and str(one[0]).startswith("certificate/LONG")])
        == FAR + 700
    )


def test_a_process_for_the_names_that_dies_costs_time_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = a_long_register()
    alone = kept(register, tmp_path / "alone", 1, 10**9, monkeypatch)
    monkeypatch.setattr("services.verify.found_by._tell", os.getppid)  # which takes no two files
    assert kept(register, tmp_path / "helped", 2, FAR, monkeypatch) == alone


def test_a_helper_that_dies_costs_time_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register = a_long_register()
    projector = Projector(ListLog(register.values), STATE, register.genesis, tmp_path / "helped", 2)
    while projector._ahead is None:  # the first batch brings the keys
        assert projector.step(0)
    for helper in projector._ahead._helpers:
        helper._process.kill()
    while projector.step(0):
        pass
    projector.close()
    helped = kept(register, tmp_path / "helped", 2, FAR, monkeypatch)
    assert helped == kept(register, tmp_path / "alone", 1, 10**9, monkeypatch)
