"""The check of a code on the scanner's page, in a real browser, and what the page loads before and after the tap."""

import base64
import gzip
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

from playwright.sync_api import Page, sync_playwright
from rich.progress import Progress

from bench.figures import Figure, percentile
from bench.stage import wait_for
from services.domain.body import Purpose
from services.domain.unit_code import public_hash
from services.events.keys import PrivateKey, new_key
from services.marks.signers import Signer
from services.marks.status_list import LIFE, TTL, Status, StatusList, empty_array, put_status, sign_list
from services.marks.token import MarkClaims, MarkPath, mark_url, sign_token
from services.marks.trust_list import (
    LIST_LIFE,
    ROOT_LIFE,
    Root,
    TrustList,
    bundle,
    list_payload,
    root_payload,
    sign_document,
)
from services.marks.voided import packed
from services.scratch import scratch_folder
from services.verify.scanner import READER, scanner

HOST = "m.example.cn"
MILLISECONDS = 50
_LIST, _RUN, _VOIDED = 0, 50, 1000
_RUNS = """async ({ build, bundle, list, codes, now }) => {
  const bytes = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0))
  const { opened } = await import(`/scan/${build}/held.js`)
  const { verdict } = await import(`/scan/${build}/verdict.js`)
  const loading = performance.now()
  const held = await opened({ bundle: bytes(bundle), lists: new Map([[0, bytes(list)]]) }, location.host, now)
  const loaded = performance.now() - loading
  const taken = []
  const said = {}
  for (const code of codes) {
    const before = performance.now()
    const { code: answer } = await verdict(code, held, now)
    taken.push(performance.now() - before)
    said[answer] = (said[answer] ?? 0) + 1
  }
  return { loaded, taken, said }
}"""


def measure(progress: Progress, *, quick: bool) -> list[Figure]:
    """Units' codes of every status, one in five voided, against a list of 2^20 places and a thousand voided codes; the
    first one also inflates the list and finds the keys."""
    count = 50 if quick else 500
    now = datetime.now(UTC).replace(microsecond=0)
    mark, status = new_key(), new_key()
    trust = _bundle(mark, status, now)
    given = {"bundle": _base64(trust), "list": _base64(_list(status, now)), "now": now.timestamp()}
    given |= {"codes": [_code(mark, now.date(), place) for place in range(count)], "build": scanner().build}
    task = progress.add_task("scan", total=1)
    with _node() as url, _page(url) as page:
        found = page.evaluate(_RUNS, given)
    progress.update(task, completed=1)
    progress.remove_task(task)
    answers = {"valid", "revoked", "suspended", "cancelled", "mark_not_authorized"}
    assert found["said"].keys() == answers, found["said"]
    taken = found["taken"]
    raw = {"codes": count, "p50 ms": percentile(taken, 50), "slowest ms": max(taken)}
    raw |= {"first ms, which opens its list": taken[0], "ms to open the trust list": found["loaded"]}
    raw = {name: round(value, 1) for name, value in raw.items()}
    p99 = percentile(taken, 99)
    return [
        Figure("offline check of a code", p99, "ms, p99", bar=MILLISECONDS, at_least=False, raw={**raw}),
        *_sizes(),
    ]


def _sizes() -> list[Figure]:
    made = scanner()
    reader = [f"lib/{name}" for name in READER]
    before = [*made.modules, "words.json"]
    after = [*reader, "reader.js", "camera.js"]

    def figure(name: str, files: list[str]) -> Figure:
        content = [made.files[file].content for file in files]
        packed = sum(len(gzip.compress(one, 6)) for one in content)
        raw = {"files": len(files), "bytes": sum(map(len, content)), "bytes by gzip": packed}
        return Figure(name, packed / 1024, "KiB by gzip", raw={**raw})

    return [figure("scanner, before the tap", before), figure("scanner, after the tap", after)]


def _bundle(mark: PrivateKey, status: PrivateKey, now: datetime) -> bytes:
    roots, delegate = [new_key() for _ in range(3)], new_key()
    root = Root(1, now, now + ROOT_LIFE, "0" * 64, tuple(key.public for key in roots), 2, (delegate.public,))
    signers = tuple(
        Signer("urn:certmark:registry:main", purpose, key.public, date(2020, 1, 1))
        for purpose, key in ((Purpose.MARK, mark), (Purpose.STATUS, status))
    )
    base = f"https://{HOST}/status"
    content = TrustList(1, now, now + LIST_LIFE, "0" * 64, 1, (HOST,), base, signers)
    documents = sign_document(root_payload(root), roots[:2]), sign_document(list_payload(content), [delegate])
    return bundle(documents)


def _list(key: PrivateKey, now: datetime) -> bytes:
    """2^20 places, one run of fifty in twenty not valid, and a thousand voided codes."""
    array = empty_array()
    for place in range(2**20):
        run = place // _RUN
        put_status(array, place, Status(1 + run // 20 % 3) if run % 20 == 0 else Status.VALID)
    voided = packed(public_hash(_number(nth), _unit(nth).aad) for nth in range(0, 5 * _VOIDED, 5))
    uri = f"https://{HOST}/status/{_LIST}"
    return sign_list(StatusList(uri, now, now + LIFE, TTL, bytes(array), voided=voided), key)


def _code(key: PrivateKey, day: date, nth: int) -> str:
    claims = MarkClaims(
        day - timedelta(days=30),
        1825,
        _number(nth),
        _number(nth),
        _LIST,
        nth * 523,
        "KFR-35GW",
    )
    return mark_url(f"https://{HOST}", _unit(nth), sign_token(claims, _unit(nth), key))


def _number(nth: int) -> str:
    return f"{2023990703000000 + nth}"


def _unit(nth: int) -> MarkPath:
    return MarkPath.of_product("06909900123007", f"A{nth:09d}")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


@contextmanager
def _node() -> Iterator[str]:
    """A verify service without any data: the page and its files need none."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--factory", "services.verify.api:create_app"]
    command += ["--port", str(port), "--blocking-threads", "1"]
    with scratch_folder() as folder:
        told = os.environ | {"CERTMARK_DATA": str(folder), "CERTMARK_VERIFY_PORT": str(port)}
        log = (folder / "log").open("wb")
        process = subprocess.Popen(command, env=told, stdout=log, stderr=log)
        try:
            wait_for(lambda: _answers(port), 30, "the verify service")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)
            log.close()


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def _page(url: str) -> Iterator[Page]:
    chromium: Any = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.goto(f"{url}/scan")
        page.wait_for_selector("#scan[data-ready]")
        yield page
        browser.close()
