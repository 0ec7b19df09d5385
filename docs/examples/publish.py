"""Signs one event, publishes it, waits for the decision: `publish.py KEY.pem SOURCE SIGNATORY TYPE SUBJECT DATA.json`.

Prints the signed event, whose bytes are worth keeping, then the answer. Ends with 0: accepted, 1: not, 2: unknown.
"""

import json
import os
import sys
import time
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen
from uuid import uuid4

from cryptography.hazmat.primitives.serialization import load_pem_private_key

EVENTS = os.environ.get("EVENTS_URL", "http://127.0.0.1:8081")
REGISTRY = os.environ.get("REGISTRY_URL", "http://127.0.0.1:8082")


def main(key_file: str, source: str, signatory: str, event_type: str, subject: str, data_file: str) -> int:
    key: Any = load_pem_private_key(Path(key_file).read_bytes(), None)
    # The key's name is its RFC 7638 thumbprint: SHA-256 over its required members in alphabetical order.
    jwk = {"crv": "Ed25519", "kty": "OKP", "x": b64u(key.public_key().public_bytes_raw())}
    header = {"alg": "Ed25519", "kid": b64u(sha256(compact(jwk)).digest()), "typ": "certmark-event+jws"}
    head = ask(f"{REGISTRY}/v1/heads?{urlencode({'source': source, 'subject': subject})}")
    event = {"specversion": "1.0", "id": str(uuid4()), "source": source, "type": event_type, "subject": subject}
    event |= {"time": datetime.now(UTC).isoformat(), "sequence": head["sequence"] + 1, "previous": head["previous"]}
    event |= {"signatory": signatory, "data": json.loads(Path(data_file).read_bytes())}
    signing_input = f"{b64u(compact(header))}.{b64u(compact(event))}".encode()
    jws = signing_input + b"." + b64u(key.sign(signing_input)).encode()
    print(jws.decode(), flush=True)  # noqa: T201
    answer = ask(f"{EVENTS}/v1/events", jws)
    if "code" not in answer:  # the log has it
        answer = ask(f"{REGISTRY}/v1/decisions/{sha256(signing_input).hexdigest()}")
    print(json.dumps(answer, ensure_ascii=False))  # noqa: T201
    return 0 if answer.get("decision") == "accepted" else 1


def ask(url: str, jws: bytes | None = None) -> dict[str, Any]:
    """The answer. Until there is one the same bytes go out: signed anew it would be a second event."""
    for _ in range(int(os.environ.get("TRIES", "300"))):
        wait = 0.2
        try:
            with urlopen(Request(url, jws, {"Content-Type": "application/jose"}), timeout=10) as found:  # noqa: S310
                answer: dict[str, Any] = json.load(found)
            if answer.get("decision") != "pending":
                return answer
        except HTTPError as problem:
            if problem.code < 500 and problem.code != 429 and (problem.code != 404 or jws):
                return dict(json.load(problem))
            wait += float(problem.headers.get("Retry-After", 0))
        except (OSError, HTTPException):
            pass  # cut off: unknown whether it was stored
        time.sleep(wait)
    print("unknown: send the same bytes again later", file=sys.stderr)  # noqa: T201
    sys.exit(2)


def b64u(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
