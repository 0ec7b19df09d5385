"""Signs one event, publishes it, waits for the decision: `publish.py KEY.pem SOURCE SIGNATORY TYPE SUBJECT DATA.json`.

Prints the signed event, whose bytes are worth keeping, then the answer. Ends with 0: accepted, 1: not, 2: unknown.
"""

import json
import os
import sys
import time
from base64 import urlsafe_b64encode
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

REGISTRY = os.environ.get("REGISTRY_URL", "http://127.0.0.1:8082")


def ask(url: str, jws: bytes | None = None) -> dict[str, Any]:
    """The answer. Until there is one the same bytes go out: signed anew it would be a second event."""
    answer: dict[str, Any] = {}
    for _ in range(int(os.environ.get("TRIES", "300"))):
        wait = 0.2
        with suppress(OSError, HTTPException, ValueError):  # cut off: unknown whether it was stored
            try:
                found = urlopen(Request(url, jws, {"Content-Type": "application/jose"}), timeout=10)  # noqa: S310
            except HTTPError as problem:
                found = problem
            wait += float(found.headers.get("Retry-After", 0))
            answer = json.load(found)
            again = found.status >= 500 or found.status == 429 or (found.status == 404 and not jws)
            if not again and answer.get("code") != "unknown-key" and answer.get("decision") != "pending":
                return answer
        time.sleep(wait)
    print("unknown: send the same bytes again later", answer, file=sys.stderr)  # noqa: T201
    sys.exit(2)


def b64u(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


key_file, source, signatory, event_type, subject, data_file = sys.argv[1:]
key: Any = load_pem_private_key(Path(key_file).read_bytes(), None)
# The key's name is its RFC 7638 thumbprint: SHA-256 over its required members in alphabetical order.
if isinstance(key, ec.EllipticCurvePrivateKey):
    alg, how, point = "ES256", (ec.ECDSA(SHA256()),), key.public_key().public_numbers()
    jwk = f'{{"crv":"P-256","kty":"EC","x":"{b64u(point.x.to_bytes(32))}","y":"{b64u(point.y.to_bytes(32))}"}}'
else:
    alg, how, jwk = "Ed25519", (), f'{{"crv":"Ed25519","kty":"OKP","x":"{b64u(key.public_key().public_bytes_raw())}"}}'
header = {"alg": alg, "kid": b64u(sha256(jwk.encode()).digest()), "typ": "certmark-event+jws"}
head = ask(f"{REGISTRY}/v1/heads?{urlencode({'source': source, 'subject': subject})}")
event = {"specversion": "1.0", "id": str(uuid4()), "source": source, "type": event_type, "subject": subject}
event |= {"time": datetime.now(UTC).isoformat(), "sequence": head["sequence"] + 1, "previous": head["previous"]}
event |= {"signatory": signatory, "data": json.loads(Path(data_file).read_bytes())}
signing_input = ".".join(b64u(json.dumps(part).encode()) for part in (header, event)).encode()
signature = key.sign(signing_input, *how)
if how:  # JWS wants r and s one behind the other, 32 bytes each, and not as DER
    signature = b"".join(number.to_bytes(32) for number in utils.decode_dss_signature(signature))
jws = signing_input + b"." + b64u(signature).encode()
print(jws.decode(), flush=True)  # noqa: T201
answer = ask(os.environ.get("EVENTS_URL", "http://127.0.0.1:8081") + "/v1/events", jws)
if "code" not in answer:  # the log has it
    answer = ask(f"{REGISTRY}/v1/decisions/{sha256(signing_input).hexdigest()}")
print(json.dumps(answer, ensure_ascii=False))  # noqa: T201
sys.exit(0 if answer.get("decision") == "accepted" else 1)
