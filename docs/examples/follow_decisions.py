"""Prints every decision about a source's events as it is taken: `follow_decisions.py TOKEN_FILE [CURSOR]`.

Begins behind CURSOR, or at the beginning; goes on where it was after every break. Explained in docs/feeds.md.
"""

import http.client
import json
import os
import sys
import time
from pathlib import Path

HOST, PORT = "127.0.0.1", int(os.environ.get("CERTMARK_REGISTRY_PORT", "8082"))


def main(token_file: str, cursor: str = "") -> None:
    headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {Path(token_file).read_text().strip()}"}
    while True:
        try:
            line = http.client.HTTPConnection(HOST, PORT, timeout=45)  # a sign of life comes every fifteen seconds
            line.request("GET", "/v1/decisions", headers=headers | ({"Last-Event-ID": cursor} if cursor else {}))
            answer = line.getresponse()
            if answer.status in (400, 401, 403):
                sys.exit(answer.read().decode())
            for raw in answer if answer.status == 200 else ():
                name, _, value = raw.decode().rstrip("\n").partition(": ")
                if name == "data":
                    item = json.loads(value)
                    print(item["recorded_at"], item["decision"], item["code"] or "", item["subject"], flush=True)  # noqa: T201
                    cursor = item["cursor"]  # keep it with what you have stored
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
