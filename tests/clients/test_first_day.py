"""The first day of docs/connect.md, line by line as a body's engineer types it, against one running system."""

import os
import re
import subprocess

import pytest

from tests.conftest import ROOT
from tests.system import CERTMARK, System

pytestmark = pytest.mark.timeout(180)

SECTION = re.compile(r"## A first day.*?\n(.*?)\n## ", re.DOTALL)
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
ENDS_WITH = re.compile(r"\s+# ends with ([0-9])$")


def lines_of_the_page() -> list[tuple[str, int]]:
    """(what is typed, the exit code that the page names) of every line in order; 0 where it names none."""
    section = SECTION.search((ROOT / "docs" / "connect.md").read_text(encoding="utf-8"))
    assert section is not None
    lines = [line for block in BLOCK.findall(section[1]) for line in block.splitlines()]
    return [(ENDS_WITH.sub("", line), int(told[1]) if (told := ENDS_WITH.search(line)) else 0) for line in lines]


def test_the_first_day_goes_as_the_page_says(system: System) -> None:
    """Only the folder of the data and the ports are this test's own."""
    typed = lines_of_the_page()
    assert len(typed) > 10
    path = {"PATH": f"{CERTMARK.parent}{os.pathsep}{os.environ['PATH']}"}
    services = {"EVENTS_URL": system.events, "REGISTRY_URL": system.registry}
    for line, code in typed:
        here = line.replace(".data/", f"{system.data}/")
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", here],
            cwd=ROOT,
            env=system.environment | path | services,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, (line, done.stdout.decode(), done.stderr.decode())
    decided = system.certmark("decision", "--source", "CNCA-R-2019-7901")
    assert "refused: transition-not-allowed" in decided
    assert all(f"certificate.issued 202699070300070{n}" in decided for n in (1, 2, 3))
