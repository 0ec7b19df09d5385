"""A process that works on what a stranger made takes no more than it may, and its end has a stable code."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from services import confined
from services.confined import Limits
from services.domain.errors import CertmarkError, NotFound
from services.listings import print_reader, report
from services.listings.files import ListingsUnreadable
from services.listings.reading import Reading
from services.listings.report import ReportFailed
from services.marks.photo import NotAPicture
from services.registry.desk import framed
from services.verify import photo_routes, receipt

ROOM = Limits(memory=256 << 20, seconds=1, files=16, nice=3)
TOO_LITTLE = Limits(memory=1 << 23)
"""In which no program of ours even begins."""


def run(program: str, limits: Limits = ROOM) -> "subprocess.CompletedProcess[str]":
    words = confined.command([sys.executable, "-I", "-c", program], limits)
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("bytes(1 << 29)", "MemoryError"),
        ("from pathlib import Path; Path('x').write_text('1')", "File too large"),
        ("files = [open('/dev/null') for _ in range(20)]", "Too many open files"),
        ("import resource as r; r.setrlimit(r.RLIMIT_AS, (1 << 29, 1 << 29))", "ValueError"),
        ("import resource as r; exit(str(r.getrlimit(r.RLIMIT_CORE)))", "(0, 0)"),
        (f"import os; exit(str(os.nice(0) - {os.nice(0)}))", "3"),
    ],
)
def test_what_it_does_not_need_it_does_not_get(
    program: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(program)
    assert (done.returncode, said in done.stderr) == (1, True), done.stderr


def test_who_works_for_ever_is_ended() -> None:
    assert run("while True: pass").returncode == -signal.SIGKILL


def test_nobody_is_given_more_than_his_parent_has() -> None:
    """A container's own limits may be lower than ours."""
    asked = confined.command([sys.executable, "-c", "import resource as r; print(r.getrlimit(r.RLIMIT_AS))"], ROOM)
    nested = f"import subprocess; print(subprocess.check_output({asked!r}, text=True))".replace(
        f"'{os.getpid()}'", "str(__import__('os').getpid())"
    )
    assert f"({200 << 20}, {200 << 20})" in run(nested, replace(ROOM, memory=200 << 20)).stdout


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (lambda _: photo_routes.codes_read(b"x"), NotAPicture),
        (lambda _: framed.framed(b"x"), NotFound),
        (lambda _: report.printed("x"), ReportFailed),
        (lambda folder: receipt.Press(folder).make("x", "{}", datetime.now(UTC)), receipt.ReceiptsBusy),
        (lambda folder: Reading(folder / "a.csv", limits=TOO_LITTLE), ListingsUnreadable),
    ],
)
def test_a_program_of_ours_that_meets_its_limits_has_a_code(
    ask: Callable[[Path], object], error: type[CertmarkError], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for module in (photo_routes, framed, report, receipt):
        monkeypatch.setattr(module, "LIMITS", TOO_LITTLE)
    (tmp_path / "a.csv").write_text("title\nx\n", encoding="ascii")
    with pytest.raises(error):
        ask(tmp_path)


def test_print_that_takes_too_much_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(print_reader, "LIMITS", TOO_LITTLE)
    assert print_reader.PrintReader(sys.executable)(Image.new("L", (9, 9))) == ""
