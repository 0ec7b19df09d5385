"""Migrations are numbered without gaps, and named so that the number is seen."""

from pathlib import Path

import pytest

import services
from services.domain.errors import NotConfigured
from services.migrate import migrations_in

SETS = sorted(Path(services.__file__).parent.glob("*/migrations"))


def folder_of(tmp_path: Path, *names: str) -> Path:
    for name in names:
        (tmp_path / name).write_text("SELECT 1;", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("folder", SETS, ids=lambda path: path.parent.name)
def test_our_own_are_in_order(folder: Path) -> None:
    assert [m.name[:4] for m in migrations_in(folder)] == [f"{n:04d}" for n in range(1, len(migrations_in(folder)) + 1)]


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
