"""A body's sheet through `certmark import`: rows a second from the file to the last decision, and its memory."""

import contextlib
import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.progress import Progress

from bench.figures import Figure
from bench.lives import BODY, gtin_of, number_of
from bench.stage import Stage, environment, load, stage
from services.events.keys import PrivateKey, load_key

ROWS = 100_000
FIRST = 700_000
SECONDS = 180.0
MEGABYTES = 300.0
EVENT_BYTES = 1500
"""What an issue's signing input has, nearly."""


def measure(progress: Progress, *, quick: bool) -> list[Figure]:
    """One row a certificate, into a running register; and the same file once more, when there is nothing left to do."""
    rows = ROWS // 10 if quick else ROWS
    task = progress.add_task(f"imports: {rows:,} rows", total=3)
    with stage() as ground:
        sheet = ground.settings.data / "sheet.csv"
        write_sheet(sheet, rows)
        ground.found()
        key = load_key(ground.settings.keys / f"{BODY}.pem")
        before = signatures_per_second(key)
        progress.advance(task)
        with ground.running():
            first = run(ground, sheet)
            progress.advance(task)
            again = run(ground, sheet)
        limit = (before + signatures_per_second(key)) / 2
    progress.advance(task)
    progress.remove_task(task)
    assert first.report["accepted"] == again.report["accepted"] == rows, first.report
    raw: dict[str, float | str] = {
        "rows": rows,
        "its own processor time, seconds": round(first.processor, 1),
        "again, seconds": round(again.seconds, 1),
        "load": load(),
    }
    return [
        Figure("imported", rows / first.seconds, "rows/s", limit, "signatures/s", raw=raw),
        Figure("import of 100,000 rows", round(first.seconds * ROWS / rows, 1), "s", bar=SECONDS, at_least=False),
        Figure("memory of an import", round(first.megabytes, 1), "MB", bar=MEGABYTES, at_least=False),
    ]


HEADINGS = (
    "证书编号",
    "认证制度",
    "认证依据",
    "获证组织名称",
    "统一社会信用代码",
    "行政区划代码",
    "获证组织地址",
    "生产者名称",
    "生产企业名称",
    "产品名称",
    "产品类别代码",
    "商标",
    "规格型号",
    "商品条码",
    "发证日期",
    "有效期至",
    "批准人编号",
)


def sheet_rows(rows: int) -> Iterator[tuple[str, ...]]:
    """Certificates of the demonstration's compulsory scheme, whose open backfill admits their dates."""
    for place in range(FIRST, FIRST + rows):
        yield (
            number_of(place),
            "强制性产品认证",
            "GB 4706.32-2012；GB 4706.1-2005",
            f"上海示范甲{place % 5000}实业有限公司",
            "91310115MAXX001114",
            "310115",
            f"上海市浦东新区示范路{place % 900 + 1}号",
            "上海示范甲实业有限公司",
            "上海示范甲制造有限公司",
            "房间空调器",
            "0703",
            "示范甲",
            f"KFR-{place:07d}",
            gtin_of(place),
            "2023/3/6",
            "2028-03-05",
            "7901-0007",
        )


def write_sheet(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADINGS)
        writer.writerows(sheet_rows(rows))


@dataclass(frozen=True, slots=True)
class Run:
    """One `certmark import`: seconds in all and of its own processor time, peak resident megabytes, its report."""

    seconds: float
    processor: float
    megabytes: float
    report: dict[str, Any]


def run(ground: Stage, sheet: Path) -> Run:
    """The command as a user starts it."""
    command = [str(Path(sys.executable).parent / "certmark"), "import", str(sheet), "--as", BODY, "--json"]
    began = time.perf_counter()
    with subprocess.Popen(command, env=os.environ | environment(ground.settings), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        told = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    report: dict[str, Any] = {}
    with contextlib.suppress(ValueError):
        report = json.loads(told)
    return Run(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, report)


def signatures_per_second(key: PrivateKey, seconds: float = 1.0) -> float:
    """Raw Ed25519: how many texts of an event's size one thread signs in a second, and does nothing else."""
    text = b"x" * EVENT_BYTES
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        for _ in range(500):
            key.sign(text)
        done += 500
    return done / (time.perf_counter() - started)
