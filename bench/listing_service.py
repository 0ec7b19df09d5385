"""The check of listings as others meet it: one listing by HTTP at a verify node, and files as jobs of the registry."""

import csv
import http.client
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import xlsxwriter
from rich.console import Console
from rich.progress import Progress

from bench.figures import Figure, percentile
from bench.listings import anonymous_kb
from bench.lives import Author, issues, number_of
from bench.stage import Stage, load, processor_seconds, stage, wait_for
from services import up
from services.listings.columns import HEADINGS

HELD = 10_000
"""Certificates of the register."""
MAKER = "上海示范甲实业有限公司"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ROWS_OF_A_WORKBOOK = 100_000


def measure(progress: Progress, *, quick: bool) -> list[Figure]:
    """`BENCH_ROWS` in the environment says how many rows the CSV has; a million otherwise, 20,000 where quick."""
    rows = 20_000 if quick else int(os.environ.get("BENCH_ROWS", "1000000"))
    asked = 300 if quick else 3000
    with stage() as register, register.running() as supervisor:
        up.load_demonstration(register.settings, Console(quiet=True))
        task = progress.add_task(f"{HELD:,} certificates", total=HELD)
        author = Author(register.settings)
        register.append(list(issues(author, 0, HELD)), lambda done: progress.advance(task, done))
        _, end = register.log.bounds(register.topics.events)
        wait_for(lambda: register.position() >= end and register.unrelayed() == 0, 300, "the certificates")
        wait_for(lambda: _held(register), 300, "the node")
        progress.remove_task(task)
        task = progress.add_task("listings by HTTP and as jobs", total=3)
        figures = [_single(register, supervisor, asked)]
        progress.advance(task)
        figures += _workbook(register, register.settings.data / "listings.xlsx", 2000 if quick else ROWS_OF_A_WORKBOOK)
        progress.advance(task)
        figures += _sheet(register, supervisor, register.settings.data / "listings.csv", rows)
        progress.remove_task(task)
    return figures


def listing(at: int) -> dict[str, str]:
    """Two of three are in order; the others show another model, or a number that is not registered."""
    number, model = number_of(at % HELD), f"KFR-{at % HELD:07d}"
    if at % 9 == 1:
        model = f"KFR-{at % HELD:07d}X"
    elif at % 9 == 4:
        number = f"20259907{at % 10**8:08d}"
    return {
        "row": str(at),
        "listing_url": f"https://shop.example/{at}",
        "title": f"示范甲 房间空调器 {model} 家用节能 包邮",
        "product": "房间空调器",
        "product_class": "0703",
        "brand": "示范甲",
        "model": model,
        "seller": f"第{at % 500}号店",
        "maker": MAKER,
        "maker_address": "上海市浦东新区示范路1号",
        "certificate_no": number,
        "mark": "CCC",
        "made_on": "2025-03-01",
    }


def _held(register: Stage) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", register.settings.verify_port, timeout=10)
    connection.request("GET", f"/v1/verify?q={number_of(HELD - 1)}")
    return bool(json.loads(connection.getresponse().read())["code"] == "valid")


# --- one listing -----------------------------------------------------------------------------------------


def _single(register: Stage, supervisor: up.Supervisor, count: int) -> Figure:
    """One connection that stays open, a listing a request, each about another certificate."""
    verify = next(c.process.pid for c in supervisor.children if c.name == "verify" and c.process is not None)
    connection = http.client.HTTPConnection("127.0.0.1", register.settings.verify_port, timeout=10)

    def ask(at: int) -> float:
        body = json.dumps({"listings": [listing(at)]}).encode()
        began = time.perf_counter()
        connection.request("POST", "/v1/checks", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        told = answer.read()
        took = time.perf_counter() - began
        if answer.status != 200 or len(json.loads(told)["items"]) != 1:
            raise AssertionError(f"verify answers {answer.status}: {told[:200]!r}")
        return took * 1000

    for at in range(100):
        ask(at)
    before = processor_seconds(verify)
    took = [ask(at * 7919) for at in range(count)]
    spent = (processor_seconds(verify) - before) / count * 1e6
    return Figure(
        "one listing by HTTP: p99",
        round(percentile(took, 99), 2),
        "ms",
        bar=5,
        at_least=False,
        raw={
            "median ms": round(percentile(took, 50), 2),
            "worst ms": round(max(took), 1),
            "processor us of the service": round(spent),
            "requests": count,
            "load": load(),
        },
    )


# --- files as jobs ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Run:
    """Seconds of the clock from the first byte sent: stored, rows known, first rows done, a page of them, all done."""

    stored: float
    foretold: float
    first: float
    page: float
    whole: float


def _job(register: Stage, path: Path, kind: str, rows: int, look: Callable[[], None] = lambda: None) -> Run:
    who = {"Authorization": f"Bearer {(register.settings.keys / 'platform.token').read_text(encoding='ascii').strip()}"}

    def asked(method: str, at: str, content: IO[bytes] | None = None) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", register.settings.registry_port, timeout=120)
        about = {"Content-Type": kind, "Content-Length": str(path.stat().st_size)} if content else {}
        connection.request(method, at, content, who | about)
        answer = connection.getresponse()
        told = answer.read()
        connection.close()
        if answer.status not in (200, 202):
            raise AssertionError(f"the registry answers {answer.status}: {told[:200]!r}")
        return told

    began = time.perf_counter()
    with path.open("rb") as file:
        job = json.loads(asked("POST", "/v1/checks", file))
    stored = time.perf_counter() - began
    foretold = first = page = 0.0
    while True:
        told = json.loads(asked("GET", f"/v1/checks/{job['id']}"))
        now = time.perf_counter() - began
        foretold = foretold or (now if told["total"] else 0.0)
        if not first and told["done"]:
            first, asking = now, time.perf_counter()
            asked("GET", f"/v1/checks/{job['id']}/findings?limit=100")
            page = time.perf_counter() - asking
        if told["state"] not in ("queued", "running"):
            break
        look()
        time.sleep(0.02 if not first else 0.2)
    if told["state"] != "done" or told["done"] != rows:
        raise AssertionError(f"the job ended as {told['state']} with {told['done']} rows: {told['problem']}")
    return Run(stored, foretold, first, page, now)


def _workbook(register: Stage, path: Path, rows: int) -> list[Figure]:
    book = xlsxwriter.Workbook(str(path), {"constant_memory": True, "strings_to_urls": False})
    sheet = book.add_worksheet()
    for place, heading in enumerate(HEADINGS):
        sheet.write_string(0, place, heading)
    for at in range(rows):
        one = listing(at)
        for place, heading in enumerate(HEADINGS):
            if heading in one:
                sheet.write_string(at + 1, place, one[heading])
    book.close()
    run = _job(register, path, XLSX, rows)
    raw: dict[str, float | str] = {
        "rows": rows,
        "MB": round(path.stat().st_size / 1e6, 1),
        "stored s": round(run.stored, 2),
        "rows known s": round(run.foretold, 2),
        "page of findings ms": round(run.page * 1000, 1),
        "load": load(),
    }
    return [
        Figure("workbook as a job: first rows", run.first, "s", bar=2, at_least=False, raw=raw),
        Figure("workbook as a job: whole", run.whole, "s", bar=60, at_least=False),
    ]


def _sheet(register: Stage, supervisor: up.Supervisor, path: Path, rows: int) -> list[Figure]:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(HEADINGS))
        writer.writeheader()
        writer.writerows(listing(at) for at in range(rows))
    runner = next(c.process.pid for c in supervisor.children if c.name == "registry-checks" and c.process is not None)
    most = 0

    def look() -> None:
        nonlocal most
        most = max(most, anonymous_kb(runner))

    run = _job(register, path, "text/csv", rows, look)
    return [
        Figure(
            "sheet as a job",
            rows / (run.whole - run.stored),
            "rows/s",
            raw={
                "rows": rows,
                "MB": round(path.stat().st_size / 1e6, 1),
                "stored s": round(run.stored, 1),
                "first rows s": round(run.first, 2),
                "whole s": round(run.whole, 1),
                "certificates": HELD,
                "load": load(),
            },
        ),
        Figure("memory of the process that checks", most / 1024, "MiB", bar=500, at_least=False),
    ]
