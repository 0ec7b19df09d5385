"""A verify node alone: PostgreSQL, the log and the registry are gone, and the public still gets its answer."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system import System, get, get_json, wait_for

pytestmark = pytest.mark.timeout(120)


def test_verify_answers_with_everything_else_stopped(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> None:
    *ports, port = free_ports(4)
    with System(tmp_path / "data", ports, "--json") as system:
        assert system.stop() == 0
    told = json.loads(system.printed())
    assert (told["verify"], told["events"], told["registry"]) == (system.verify, system.events, system.registry)
    assert (Path(told["keys"]) / "regulator.pem").exists()
    command = "-m granian --interface wsgi --factory --blocking-threads 1 --log-level warning --port"
    node = subprocess.Popen(
        [sys.executable, *command.split(), str(port), "services.verify.api:create_app"],
        env=system.environment | {"CERTMARK_GENESIS": (system.data / "genesis").read_text().strip()},
    )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: _answers(url), 30)
        answer = get_json(f"{url}/v1/verify?q=2022990201000204")
        assert (answer["code"], bool(answer["as_of"])) == ("suspended", True)
        assert "证书已暂停" in get(f"{url}/c/2022990201000204", accept="text/html")[1]
    finally:
        node.terminate()
        node.wait(20)


def _answers(url: str) -> bool:
    try:
        return get(f"{url}/healthz")[0] == 200
    except OSError:
        return False
