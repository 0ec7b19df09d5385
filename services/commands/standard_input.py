"""`-` in place of a file: what comes on standard input, kept in a file for as long as a command reads it."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.domain.errors import CertmarkError
from services.scratch import scratch_folder

NAME = "-"


@contextmanager
def file_named(name: Path) -> Iterator[Path]:
    """The file of a name. Sheets and listings are read more than once, and by other processes: a pipe will not do."""
    if str(name) != NAME:
        yield name
        return
    with scratch_folder() as folder:
        path = folder / "standard-input"
        with path.open("xb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        try:
            yield path
        except CertmarkError as error:
            error.detail = error.detail.replace(str(path), NAME)  # the name that was given
            raise
