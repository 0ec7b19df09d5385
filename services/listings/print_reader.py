"""The print in a picture, read by Debian's tesseract where that is installed: something to look at, never an answer.

It confuses I with 1 and Q with O, and takes about a second for a picture. So it is asked only about listings that show
no number otherwise, its process has limits of its own, and there is an end to how long it is asked for one file.
"""

import io
import os
import shutil
import subprocess
import time

from PIL import Image

from services import confined

PROGRAM, LANGUAGES = "tesseract", "chi_sim+eng"
LIMITS = confined.Limits(memory=1 << 30, seconds=20)
"""For a picture."""
_PATIENCE_S = 40
ALTOGETHER = 300.0
"""Seconds for all pictures of a file; those behind are not read."""
LONGEST = 2000


class PrintReader:
    """Reads prints until its time is up. Pictures come as pixels: no file of a stranger's is opened by the program."""

    def __init__(self, program: str, altogether: float = ALTOGETHER) -> None:
        self._program = program
        self._left = altogether

    def __call__(self, picture: Image.Image) -> str:
        """The text that is read in a grey picture; empty where there is none, it fails, or the time is up."""
        if self._left <= 0:
            return ""
        pixels = io.BytesIO()
        picture.convert("L").save(pixels, "PPM")
        begun = time.monotonic()
        try:
            done = subprocess.run(  # noqa: S603  # the distribution's program, no shell, nothing of the file in the command
                confined.command([self._program, "stdin", "stdout", "-l", LANGUAGES, "--psm", "11"], LIMITS),
                input=pixels.getvalue(),
                capture_output=True,
                timeout=_PATIENCE_S,
                check=False,
                env={"PATH": os.defpath, "OMP_THREAD_LIMIT": "1", "LC_ALL": "C.UTF-8"},
            )
        except (OSError, subprocess.SubprocessError):
            return ""
        finally:
            self._left -= time.monotonic() - begun
        return done.stdout.decode("utf-8", "replace").strip()[:LONGEST] if done.returncode == 0 else ""


def print_reader(path: str | None = None) -> PrintReader | None:
    """The reader; None where the program or its Chinese is not installed. `path` is where to look, as in PATH."""
    program = shutil.which(PROGRAM, path=path)
    if program is None:
        return None
    try:
        told = subprocess.run([program, "--list-langs"], capture_output=True, timeout=10, check=False)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    known = set(told.stdout.decode("utf-8", "replace").split())
    return PrintReader(program) if set(LANGUAGES.split("+")) <= known else None
