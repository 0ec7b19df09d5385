"""Folders for what is under way: who was killed leaves none for ever, and nobody loses one that is in use."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from services import scratch
from services.scratch import scratch_folder

OWNER = """
import sys
from pathlib import Path
from services.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1])) as folder:
    (folder / "part").write_text("half")
    print(folder, flush=True)
    sys.stdin.read()
"""


def test_a_folder_is_its_owners_alone_and_gone_when_it_is_over(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), scratch_folder(tmp_path) as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "part").write_text("half")
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_goes_with_the_next_and_nothing_else_does(tmp_path: Path) -> None:
    for name in ("a report", "certmark-backup", ".certmark-scratch-mine", ".certmark-scratch-0123456789ab.txt"):
        (tmp_path / name).mkdir()
    (tmp_path / ".certmark-scratch-0123456789ab").symlink_to(tmp_path / "a report")
    kept = set(tmp_path.iterdir())
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdout is not None
        left = Path(owner.stdout.readline().decode().strip())
        with scratch_folder(tmp_path) as mine, scratch_folder(tmp_path) as other:
            assert {mine, other, left} == set(tmp_path.iterdir()) - kept, "each is in use, by this process or another"
            owner.send_signal(signal.SIGKILL)
            owner.wait()
            assert (left / "part").exists()
            with scratch_folder(tmp_path):
                assert not left.exists()
            assert mine.exists()
            assert other.exists()
    assert set(tmp_path.iterdir()) == kept


def test_a_folder_that_is_thrown_away_before_it_is_held_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / scratch.new_name()
    swept: list[int] = []

    def another_is_quicker(descriptor: int, operation: int) -> None:
        if not swept:
            swept.append(descriptor)
            shutil.rmtree(folder)

    monkeypatch.setattr("services.scratch.fcntl.flock", another_is_quicker)
    held = scratch.make_and_hold(folder)
    assert (swept, folder.is_dir()) == ([held], True)
    os.close(held)
