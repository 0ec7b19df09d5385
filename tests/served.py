"""The registry's HTTP service as it is deployed: a granian of its own, asked over real connections."""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from services import auth
from services.auth import Role
from services.postgres import transaction
from services.settings import Settings
from tests.register import Register
from tests.system import wait_for

Answer = tuple[int, http.client.HTTPMessage, bytes]


@contextlib.contextmanager
def served(settings: Settings, port: int, folder: Path, **environment: str) -> Iterator[str]:
    """`services.registry.api` on a port, as `certmark up` starts it; its address."""
    told = {
        "CERTMARK_DATA": str(settings.data),
        "CERTMARK_DATABASE_URL": settings.database_url,
        "CERTMARK_TOPIC_PREFIX": settings.topic_prefix,
        "CERTMARK_GENESIS": settings.genesis,
        "CERTMARK_REGISTRY_PORT": str(port),
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CERTMARK_")}
    options = f"--interface asgi --factory --port {port} --blocking-threads 1 --workers-kill-timeout 1 --no-ws"
    command = [sys.executable, "-m", "granian", *options.split(), "services.registry.api:create_server"]
    log = folder / f"registry-{port}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, env=inherited | told | environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: _answers(url) or process.poll() is not None, 30, lambda: log.read_text(encoding="utf-8"))
        assert process.poll() is None, log.read_text(encoding="utf-8")
        yield url
    finally:
        process.terminate()
        process.wait(20)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=30) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def a_token(register: Register, role: Role, holder: str | None = None, **how: Any) -> str:
    """A token that counts at this register."""
    token = auth.new_token()
    with transaction(register.connection) as cur:
        auth.save(cur, token, role, holder or role.value, **how)
    return token


def ask(url: str, path: str, token: str | None = None, method: str = "GET", **headers: str) -> Answer:
    """One request on a connection of its own. Header names have `_` for `-`; `body` goes out as JSON."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    body = headers.pop("body", None)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    given |= {"Authorization": f"Bearer {token}"} if token else {}
    given |= {"Content-Type": "application/json"} if body else {}
    with contextlib.closing(connection):
        connection.request(method, path, body, given)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def ask_json(url: str, path: str, token: str | None = None, **headers: str) -> dict[str, Any]:
    status, _, body = ask(url, path, token, **headers)
    assert status == 200, body
    found: dict[str, Any] = json.loads(body)
    return found


class Stream:
    """An open stream of Server-Sent Events, read line by line."""

    def __init__(self, url: str, path: str, token: str, **headers: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        given |= {"Accept": "text/event-stream", "Authorization": f"Bearer {token}"}
        self._connection.request("GET", path, headers=given)
        self._answer = self._connection.getresponse()
        self.status, self.headers = self._answer.status, self._answer.headers

    def line(self) -> str:
        return self._answer.readline().decode("utf-8").rstrip("\n")

    def event(self) -> dict[str, Any]:
        """The next event's data; its id is checked to be the cursor."""
        said: dict[str, str] = {}
        while True:
            line = self.line()
            if line:
                name, _, value = line.partition(":")
                said[name] = value.removeprefix(" ")
            elif "data" in said:
                break
            else:
                said = {}
        found: dict[str, Any] = json.loads(said["data"])
        assert said["id"] == found["cursor"]
        assert said["event"] == "decision"
        return found

    def ends_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self._answer.readline():
                return True
        return False

    def body(self) -> bytes:
        return self._answer.read()

    def close(self) -> None:
        self._connection.close()
        self._answer.close()
