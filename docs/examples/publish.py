"""Signs one event, publishes it, waits for the decision: `publish.py APPROVAL_NO TYPE SUBJECT DATA` (DATA is JSON).

A certification body's whole client, on `cryptography` and the standard library alone; docs/connect.md explains it.
"""

import base64
import hashlib
import json
import os
import sys
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

EVENTS = f"http://127.0.0.1:{os.environ.get('CERTMARK_EVENTS_PORT', '8081')}"
REGISTRY = f"http://127.0.0.1:{os.environ.get('CERTMARK_REGISTRY_PORT', '8082')}"


def b64u(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def call(url: str, jws: bytes | None = None) -> tuple[int, dict[str, Any]]:
    """Status and JSON of an answer; a problem document is an answer too."""
    try:
        with urlopen(Request(url, jws, {"Content-Type": "application/jose"} if jws else {}), timeout=30) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, json.load(error)


def main(approval_no: str, event_type: str, subject: str, data: str) -> int:
    pem = Path(os.environ.get("CERTMARK_DATA", ".data"), "keys", f"{approval_no}.pem").read_bytes()
    key = load_pem_private_key(pem, None)
    assert isinstance(key, Ed25519PrivateKey)
    # The key's name is its RFC 7638 thumbprint: SHA-256 over its required members in alphabetical order.
    jwk = {"crv": "Ed25519", "kty": "OKP", "x": b64u(key.public_key().public_bytes_raw())}
    header = {"alg": "Ed25519", "kid": b64u(hashlib.sha256(compact(jwk)).digest()), "typ": "certmark-event+jws"}

    source = f"urn:certmark:body:{approval_no}"
    status, head = call(f"{REGISTRY}/v1/heads?{urlencode({'source': source, 'subject': subject})}")
    if status != 200:
        sys.exit(f"no head: {head}")
    event = {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": source,
        "type": event_type,
        "subject": subject,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "sequence": head["sequence"] + 1,
        **({"previous": head["previous"]} if head["previous"] else {}),
        "signatory": "staff-0042",
        "data": json.loads(data),
    }
    signing_input = f"{b64u(compact(header))}.{b64u(compact(event))}".encode()
    jws = signing_input + b"." + b64u(key.sign(signing_input)).encode()
    digest = hashlib.sha256(signing_input).hexdigest()

    deadline = time.monotonic() + 60
    status, answer = call(f"{EVENTS}/v1/events", jws)
    while status in (429, 503) and time.monotonic() < deadline:
        time.sleep(1)  # «unknown»: sending the same bytes again is harmless, signing a new event would not be
        status, answer = call(f"{EVENTS}/v1/events", jws)
    settled = ("accepted", "refused", "quarantined")
    while status == 202 and answer.get("decision") not in settled and time.monotonic() < deadline:
        time.sleep(0.05)
        answer = call(f"{REGISTRY}/v1/decisions/{digest}")[1]  # 404 until it is decided
    print(json.dumps(answer, ensure_ascii=False, indent=1))  # noqa: T201
    return 0 if answer.get("decision") == "accepted" else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
