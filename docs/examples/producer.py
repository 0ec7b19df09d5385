"""A body's own client as `certmark conform --producer` tests it: JSON lines on standard input and output.

What it does over HTTP in earnest, it asks in lines here; docs/conform.md explains them. `cryptography` and the
standard library alone.
"""

import base64
import hashlib
import json
import sys
import unicodedata
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import load_pem_private_key

Json = dict[str, Any]
Ask = Callable[[Json], Json]
AGAIN = (0, 429, 503)  # no answer, or not now: whether the event was stored is unknown
CHAIN = ("sequence-stale", "chain-forked", "sequence-too-far")


def b64u(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


class Producer:
    def __init__(self) -> None:
        self.chains: dict[tuple[str, str], Json] = {}  # what the next event of each chain follows

    def report(self, task: Json, ask: Ask) -> list[Json]:
        """Sends all reports of a task one behind the other, then waits for the decision on each."""
        sent = [self.send(task, one, ask) for one in task["reports"]]
        return [self.outcome(task, one, was, ask) for one, was in zip(task["reports"], sent, strict=True)]

    def send(self, task: Json, report: Json, ask: Ask) -> Json:
        chain = (task["source"], self.canonical(report["subject"]))
        head = self.head(chain, ask)
        jws, digest = self.sign(self.event(task, report, head), task)
        answer = ask({"post": jws})
        while answer["status"] in AGAIN or answer["body"].get("code") == "unknown-key":
            ask({"wait": answer.get("retry_after", 1)})
            answer = ask({"post": jws})  # the same bytes: signing a new event would report it twice
        if answer["status"] != 202:
            return {"decision": "not_sent", "code": answer["body"].get("code")}
        self.chains[chain] = {"sequence": head["sequence"] + 1, "previous": f"sha256:{digest}"}
        return {"digest": digest}

    def outcome(self, task: Json, report: Json, was: Json, ask: Ask) -> Json:
        """What became of a report; where its chain alone was in the way, it is reported anew."""
        if "decision" in was:
            return was
        answer = ask({"decision": was["digest"]})
        while answer["body"].get("decision") in (None, "pending"):  # 404 until it is decided
            ask({"wait": 1})
            answer = ask({"decision": was["digest"]})
        decision, code = answer["body"]["decision"], answer["body"].get("code")
        if decision != "accepted":  # ask where the chain stands rather than guess
            self.chains.pop((task["source"], self.canonical(report["subject"])), None)
        if code in CHAIN:
            return self.outcome(task, report, self.send(task, report, ask), ask)
        return {**was, "decision": decision, "code": code}

    def head(self, chain: tuple[str, str], ask: Ask) -> Json:
        if chain not in self.chains:
            self.chains[chain] = ask({"heads": {"source": chain[0], "subject": chain[1]}})["body"]
        return self.chains[chain]

    def canonical(self, subject: str) -> str:
        return "".join(unicodedata.normalize("NFKC", subject).upper().split())

    def event(self, task: Json, report: Json, head: Json) -> Json:
        today = datetime.fromisoformat(task["now"]).astimezone(timezone(timedelta(hours=8))).date()
        event = {"specversion": "1.0", "id": str(uuid.uuid4()), "source": task["source"], "type": report["type"]}
        event |= {"subject": report["subject"], "time": task["now"], "sequence": head["sequence"] + 1}
        event |= {"previous": head["previous"]} if head["previous"] else {}
        return event | {
            "signatory": task["signatory"],
            "data": {"effective_at": today.isoformat()} | report["data"],
        }

    def payload(self, event: Json) -> bytes:
        return compact(event)

    def sign(self, event: Json, task: Json) -> tuple[str, str]:
        """The JWS and its digest."""
        key: Any = load_pem_private_key(Path(task["key"]).read_bytes(), None)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            point = key.public_key().public_numbers()
            jwk = {"crv": "P-256", "kty": "EC", "x": b64u(point.x.to_bytes(32)), "y": b64u(point.y.to_bytes(32))}
        else:
            jwk = {"crv": "Ed25519", "kty": "OKP", "x": b64u(key.public_key().public_bytes_raw())}
        kid = b64u(hashlib.sha256(compact(jwk)).digest())
        header = {"alg": "ES256" if "y" in jwk else "Ed25519", "kid": kid, "typ": "certmark-event+jws"}
        signing_input = f"{b64u(compact(header))}.{b64u(self.payload(event))}".encode()
        if "y" in jwk:
            r, s = utils.decode_dss_signature(key.sign(signing_input, ec.ECDSA(hashes.SHA256())))
            signature = r.to_bytes(32) + s.to_bytes(32)
        else:
            signature = key.sign(signing_input)
        return f"{signing_input.decode()}.{b64u(signature)}", hashlib.sha256(signing_input).hexdigest()


def ask_in_lines(request: Json) -> Json:
    print(json.dumps(request), flush=True)  # noqa: T201  # the protocol's own line
    answer: Json = json.loads(sys.stdin.readline())
    return answer


if __name__ == "__main__":
    producer = Producer()
    while line := sys.stdin.readline():
        ask_done = {"done": producer.report(json.loads(line), ask_in_lines)}
        print(json.dumps(ask_done), flush=True)  # noqa: T201
