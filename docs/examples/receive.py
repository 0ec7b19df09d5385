"""Receives a webhook's deliveries, checks each, and prints what is new: `receive.py PORT GENESIS`.

GENESIS is the digest of the register's first event, which you have pinned. Explained in docs/feeds.md.
"""

import base64
import json
import os
import sys
import time
from collections.abc import Callable
from functools import cache
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar
from urllib.request import urlopen

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

REGISTRY = f"http://127.0.0.1:{os.environ.get('CERTMARK_REGISTRY_PORT', '8082')}"


def unb64u(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@cache  # ask again once a day: a key may have ended
def seal(kid: str) -> Callable[[bytes, bytes], None]:
    """How the register's key of that name verifies (signature, content). A careful reader checks its `event` too, up to
    the pinned first one."""
    with urlopen(f"{REGISTRY}/v1/keys/{kid}", timeout=10) as answer:  # noqa: S310
        key = json.load(answer)
    if key["purpose"] != "seal" or key["retired_on"] or key["compromised_since"]:
        raise ValueError("not a key that seals")
    x, y = (unb64u(key["key"].get(name, "")) for name in ("x", "y"))
    if not y:
        return Ed25519PublicKey.from_public_bytes(x).verify
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + x + y)  # ES256: r, then s
    return lambda mark, content: public.verify(
        encode_dss_signature(*(int.from_bytes(half) for half in (mark[:32], mark[32:]))), content, ec.ECDSA(SHA256())
    )


def checked(signature: str, body: bytes, genesis: str) -> dict[str, Any]:
    """The delivery, once its signature holds. Raises ValueError, KeyError, InvalidSignature."""
    head, _, mark = signature.split(".")
    header = json.loads(unb64u(head))
    payload = base64.urlsafe_b64encode(body).rstrip(b"=")
    seal(header["kid"])(unb64u(mark), head.encode() + b"." + payload)
    delivery: dict[str, Any] = json.loads(body)
    if abs(time.time() - header["iat"]) > 300 or delivery["register"] != genesis or delivery["id"] != header["jti"]:
        raise ValueError("too old, of another register, or of another delivery")
    return delivery


class Desk(BaseHTTPRequestHandler):
    seen: ClassVar[set[str]] = set()  # keep it with what you store: a delivery may come twice

    def do_POST(self) -> None:
        body = self.rfile.read(min(int(self.headers["Content-Length"]), 8 << 20))
        try:
            delivery = checked(self.headers["Certmark-Signature"] or "", body, sys.argv[2])
        except (ValueError, KeyError, InvalidSignature) as error:
            self.send_error(400, type(error).__name__)
            return
        for item in delivery["page"]["items"]:
            place = str(item.get("cursor") or item["revision"])
            if place not in self.seen:
                self.seen.add(place)
                print(item.get("decision") or item["key"], item.get("subject") or item.get("standing"), flush=True)  # noqa: T201
        self.send_response(204)  # only now: what is answered is not sent again
        self.end_headers()


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", int(sys.argv[1])), Desk).serve_forever()
