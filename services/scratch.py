"""Folders for what is under way: gone when it is over, and however it ended.

Whoever works in one holds its lock, which the kernel takes back from a process that was killed. So a folder without a
lock belongs to nobody any more, and whoever makes the next one throws it away; other processes' folders are left alone.
"""

import fcntl
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_NAME = re.compile(r"\.certmark-scratch-[0-9a-f]{12}")


@contextmanager
def scratch_folder(place: Path | None = None) -> Iterator[Path]:
    """A new folder that only its owner can enter, in a place or where the machine has such folders."""
    place = place or Path(tempfile.gettempdir())
    sweep(place)
    folder = place / new_name()
    held = make_and_hold(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def new_name() -> str:
    """Nobody has it, and nobody can guess it."""
    return f".certmark-scratch-{secrets.token_hex(6)}"


def make_and_hold(folder: Path) -> int:
    """Make a folder of such a name; it is held as long as the descriptor is open, here or where it is inherited.

    Raises:
        OSError: it is there, or cannot be made.
    """
    while True:
        folder.mkdir(mode=0o700)
        with suppress(FileNotFoundError):  # thrown away before it was held: once more
            held = os.open(folder, os.O_RDONLY)
            fcntl.flock(held, fcntl.LOCK_EX)
            if folder.exists():
                return held
            os.close(held)


def sweep(place: Path) -> None:
    """Throw away the folders of ours that nobody holds."""
    with suppress(OSError):
        for name in os.listdir(place):
            throw_away(place / name)


def is_scratch(folder: Path) -> bool:
    """Whether it has a name that only we give."""
    return _NAME.fullmatch(folder.name) is not None


def throw_away(folder: Path) -> None:
    """Nothing happens to what somebody holds, is another user's, or has no name of ours."""
    if not is_scratch(folder):
        return
    with suppress(OSError):
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if os.fstat(held).st_uid == os.geteuid():
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(held)
