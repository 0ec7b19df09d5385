"""Reads the codes of one picture in a process with limits: `python -m services.verify.photo_child < picture`."""

import json
import os
import resource
import sys

from services.domain.errors import CertmarkError
from services.marks.photo import LARGEST_FILE, codes_in

MEMORY = 1 << 30
SECONDS = 5
_FILES = 32


def limit() -> None:
    """Take away what reading a picture does not need: memory, time, files, writing, dumps; and come after others."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, _FILES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(5)  # look-ups come first


def main() -> None:
    limit()
    try:
        answer: dict[str, object] = {"texts": codes_in(sys.stdin.buffer.read(LARGEST_FILE + 1))}
    except CertmarkError as error:
        answer = {"error": error.slug, "detail": error.detail}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
