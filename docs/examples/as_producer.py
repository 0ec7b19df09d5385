"""Lets `certmark conform --producer` examine a client that publishes one event over HTTP, such as the samples here.

`as_producer.py COMMAND…` starts the command, unchanged, for each report: `COMMAND… KEY.pem SOURCE SIGNATORY TYPE
SUBJECT DATA.json`. It plays both services at an address of this machine, and passes each request on as a line
(docs/conform.md). The standard library alone.
"""

import json
import os
import subprocess
import sys
import time
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

CANNOT = ["clock"]  # such a client looks at the machine's clock
CHAIN = ("sequence-stale", "chain-forked", "sequence-too-far")


def ask(request: dict[str, Any]) -> dict[str, Any]:
    print(json.dumps(request), flush=True)  # noqa: T201  # the protocol's own line
    answer: dict[str, Any] = json.loads(sys.stdin.readline())
    return answer


class Services(BaseHTTPRequestHandler):
    """Both services in one: what the client asks over HTTP is asked in lines."""

    answered = time.monotonic()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/v1/heads":
            self.pass_on({"heads": {name: values[0] for name, values in parse_qs(url.query).items()}})
        else:
            self.pass_on({"decision": unquote(url.path.rpartition("/")[2])})

    def do_POST(self) -> None:
        self.pass_on({"post": self.rfile.read(int(self.headers["Content-Length"])).decode()})

    def pass_on(self, request: dict[str, Any]) -> None:
        ask({"wait": time.monotonic() - Services.answered})  # it has waited in earnest
        told = ask(request)
        Services.answered = time.monotonic()
        if told["status"] == 0:
            self.close_connection = True  # and not a byte of an answer
            return
        body = json.dumps(told["body"]).encode()
        self.send_response(told["status"])
        self.send_header("Content-Length", str(len(body)))
        if "retry_after" in told:
            self.send_header("Retry-After", str(told["retry_after"]))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        pass


def published(command: list[str], url: str, task: dict[str, Any], report: dict[str, Any]) -> dict[str, Any]:
    """What became of a report; where its chain alone was in the way, it is reported anew."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "data.json"
        file.write_text(json.dumps(report["data"], ensure_ascii=False), encoding="utf-8")
        words = [task["key"], task["source"], task["signatory"], report["type"], report["subject"], str(file)]
        there = {"EVENTS_URL": url, "REGISTRY_URL": url}
        done = subprocess.run([*command, *words], env=os.environ | there, stdout=subprocess.PIPE, check=False)  # noqa: S603
    jws, _, answer = done.stdout.decode().partition("\n")
    said = json.loads(answer or "{}")
    if said.get("code") in CHAIN:
        return published(command, url, task, report)
    if "decision" not in said:
        return {"decision": "not_sent", "code": said.get("code")}
    digest = sha256(jws.rpartition(".")[0].encode()).hexdigest()
    return {"decision": said["decision"], "code": said.get("code"), "digest": digest}


def main(command: list[str]) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Services)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    while line := sys.stdin.readline():
        task = json.loads(line)
        ask({"cannot": CANNOT})
        done = [published(command, url, task, report) for report in task["reports"]]
        print(json.dumps({"done": done}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
