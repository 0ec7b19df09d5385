"""Migrations are numbered without gaps, named so that the number is seen, and never changed once they have landed."""

from pathlib import Path

import pytest

import services
from services.domain.errors import NotConfigured
from services.migrate import migrations_in

SETS = sorted(Path(services.__file__).parent.glob("*/migrations"))


LANDED = """
events/0001_log 20d632bb69a3b798
events/0002_expiry 13e67806c628cc5c
events/0003_one_piece 55428951bfad00fc
registry/0001_register 14fd93d0dd790fd2
registry/0002_life 70392169ec69a5f6
registry/0003_facts_and_acceptance 2614efbbce9a4ee9
registry/0004_known 794fc62d27873ca2
registry/0005_feeds 7a445bd1f1cad7b7
registry/0006_console 80aa188208e4cb58
registry/0007_children 52e5bcd6956e7ab5
registry/0008_accounts a5fdb46f410db1b6
registry/0009_revoked de6bc6105a4ae73b
registry/0010_lists e27a4e2bf796b4c1
registry/0011_cases a07b491059dde844
registry/0012_codes 9133a4c3bdb62cca
registry/0013_checks 43dbaefad16b13b1
registry/0014_complaints 5938b68ba4b383be
registry/0015_case_commitments 8f269c28dd953dfa
registry/0016_places 28a12364ffbe9986
registry/0017_check_bundles 719318941d21f661
registry/0018_check_watches d29785913cd37878
registry/0019_state_once 8c664fa096ea1186
registry/0020_watch_webhooks ce77824dff53d811
registry/0021_suspended_holders 94ea2d1b64fbffdb
registry/0022_voided 48f3c2341ff73927
registry/0023_holders_of_lost_bodies fe1af841e5153bf3
registry/0024_days_of_lists 865070301c767168
registry/0025_lost_by_scheme 25c7e62ed8e53a70
registry/0026_failed_checks ac89db0de9e0078e
registry/0027_holders_without_code 6970a2579ad1ab0d
"""
"""Of each file that has landed the beginning of its SHA-256. A database somewhere has it: what it should have done
otherwise is done by the next file."""


def folder_of(tmp_path: Path, *names: str) -> Path:
    for name in names:
        (tmp_path / name).write_text("SELECT 1;", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("folder", SETS, ids=lambda path: path.parent.name)
def test_our_own_are_in_order(folder: Path) -> None:
    assert [m.name[:4] for m in migrations_in(folder)] == [f"{n:04d}" for n in range(1, len(migrations_in(folder)) + 1)]


def test_what_has_landed_is_as_it_was_then() -> None:
    ours = [
        (f"{folder.parent.name}/{one.name[:-4]}", one.checksum[:16]) for folder in SETS for one in migrations_in(folder)
    ]
    assert ours == [tuple(line.split()) for line in LANDED.split("\n") if line]


def test_the_checksum_is_of_the_bytes(tmp_path: Path) -> None:
    (one,) = migrations_in(folder_of(tmp_path, "0001_a.sql"))
    (tmp_path / "0001_a.sql").write_text("SELECT 1; ", encoding="utf-8")
    (other,) = migrations_in(tmp_path)
    assert one.checksum != other.checksum


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("0002_b.sql",),
        ("0001_a.sql", "0003_c.sql"),
        ("0001_a.sql", "0001_b.sql"),
        ("1_a.sql",),
        ("0001-a.sql",),
        ("0001_A.sql",),
    ],
    ids=lambda names: "+".join(names) or "none",
)
def test_gaps_and_other_names_are_errors(names: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(NotConfigured):
        migrations_in(folder_of(tmp_path, *names))
