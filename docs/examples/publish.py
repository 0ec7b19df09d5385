"""Signs one event, publishes it, waits for the decision: `publish.py KEY.pem SOURCE SIGNATORY TYPE SUBJECT DATA.json`.

Prints the signed event, whose bytes are worth keeping, then the answer. Ends with 0: accepted, 1: not, 2: unknown.
"""

import hashlib
import json
import os
import sys
import time
import uuid
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

EVENTS = os.environ.get("EVENTS_URL", "http://127.0.0.1:8081")
REGISTRY = os.environ.get("REGISTRY_URL", "http://127.0.0.1:8082")
TRIES = int(os.environ.get("TRIES", "300"))


def main(key_file: str, source: str, signatory: str, event_type: str, subject: str, data_file: str) -> int:
    key = load_pem_private_key(Path(key_file).read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    # The key's name is its RFC 7638 thumbprint: SHA-256 over its required members in alphabetical order.
    jwk = {"crv": "Ed25519", "kty": "OKP", "x": b64u(key.public_key().public_bytes_raw())}
    header = {"alg": "Ed25519", "kid": b64u(hashlib.sha256(compact(jwk)).digest()), "typ": "certmark-event+jws"}
    status, answer = ask(f"{REGISTRY}/v1/heads?{urlencode({'source': source, 'subject': subject})}")
    if status != 200:
        sys.exit(answer)
    head = json.loads(answer)
    event = {"specversion": "1.0", "id": str(uuid.uuid4()), "source": source, "type": event_type, "subject": subject}
    event |= {"time": datetime.now(UTC).isoformat(), "sequence": head["sequence"] + 1}
    event |= {"previous": head["previous"]} if head["previous"] else {}
    event |= {"signatory": signatory, "data": json.loads(Path(data_file).read_bytes())}
    signing_input = f"{b64u(compact(header))}.{b64u(compact(event))}".encode()
    jws = signing_input + b"." + b64u(key.sign(signing_input)).encode()
    print(jws.decode(), flush=True)  # noqa: T201
    status, answer = ask(f"{EVENTS}/v1/events", jws)
    if status == 202:  # the log has it
        status, answer = ask(f"{REGISTRY}/v1/decisions/{hashlib.sha256(signing_input).hexdigest()}")
    print(answer)  # noqa: T201
    return 0 if status == 200 and json.loads(answer)["decision"] == "accepted" else 1


def ask(url: str, jws: bytes | None = None) -> tuple[int, str]:
    """Status and text of the answer. Until then the same bytes go out (signed anew it would be a second event)."""
    request = Request(url, jws, {"Content-Type": "application/jose"} if jws else {})  # noqa: S310
    for _ in range(TRIES):
        try:
            with urlopen(request, timeout=10) as answer:  # noqa: S310
                text = answer.read().decode().strip()
            if json.loads(text).get("decision") != "pending":
                return answer.status, text
        except HTTPError as problem:
            not_yet = problem.code == 404 and jws is None
            if not (not_yet or problem.code == 429 or problem.code >= 500):
                return problem.code, problem.read().decode().strip()
            time.sleep(float(problem.headers.get("Retry-After", 0)))
        except (OSError, HTTPException):
            pass  # cut off: unknown whether it was stored
        time.sleep(0.2)
    print("unknown: send the same bytes again later", file=sys.stderr)  # noqa: T201
    sys.exit(2)


def b64u(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
