"""Reads the codes of the picture on its standard input: a process of its own, whose limits `photo_routes` sets."""

import json
import sys

from services.domain.errors import CertmarkError
from services.marks.photo import LARGEST_FILE, codes_in


def main() -> None:
    try:
        answer: dict[str, object] = {"texts": codes_in(sys.stdin.buffer.read(LARGEST_FILE + 1))}
    except CertmarkError as error:
        answer = {"error": error.slug, "detail": error.detail}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
