"""The scanner's scripts with their packages, as Node can load them."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from services.verify.scanner import OFFLINE, PACKAGES, READER, scanner

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "services" / "verify" / "scan"


def laid_out(folder: Path) -> Path:
    """The scripts in a folder, and below `lib` what they import: as the page finds them."""
    missing = [name for name in (*OFFLINE, *READER) if not (PACKAGES / name).is_file()]
    if missing:
        pytest.fail(f"{missing[0]} is not there: `make scanner` installs it where there is npm")
    shutil.copy(SCRIPTS / "package.json", folder)
    for name, file in scanner().files.items():
        if name.endswith(".js"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(file.content)
    return folder


def answers(node: str, folder: Path, cases: Sequence[dict[str, Any]], **environment: str) -> list[dict[str, Any]]:
    """What the scripts answer to each case of tests/clients/scan_cases.mjs."""
    done = subprocess.run(
        [node, str(ROOT / "tests" / "clients" / "scan_cases.mjs"), str(folder)],
        input="".join(json.dumps(case) + "\n" for case in cases).encode(),
        env=os.environ | environment,
        capture_output=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == len(cases)
    broken = [answer for answer in found if "broken" in answer]
    assert not broken, broken[0]["broken"]
    return found
