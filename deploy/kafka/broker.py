"""Runs one Apache Kafka broker from the jars that Maven fetched, for tests and for `make run-kafka`.

`broker.py --libs .cache/kafka/libs --data DIR [--port N] [-- COMMAND …]` starts the broker, runs the command with
`CERTMARK_LOG` and `CERTMARK_KAFKA_BOOTSTRAP` set (or waits for Ctrl-C), and stops the broker.
"""

import argparse
import base64
import os
import secrets
import shutil
import signal
import socket
import string
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from services import confined

READY_WITHIN_S = 60.0
STOP_WITHIN_S = 20.0
HEAP = "-Xmx512m"
PORTS = range(12_000, 32_000)
_STARTED = b"Kafka Server started"


def free_ports(count: int) -> list[int]:
    """Different ports of 127.0.0.1 that nothing listens on at this moment.

    They lie below those from which Linux gives connections their own end: one of these could be taken before the
    server begins, or while it is away, even by who tries to reach it.
    """
    drawn: list[int] = []
    with ExitStack() as held:  # open together, or the same one could be drawn twice
        while len(drawn) < count:
            port = PORTS.start + secrets.randbelow(len(PORTS))
            with suppress(OSError):
                held.enter_context(socket.create_server(("127.0.0.1", port)))
                drawn.append(port)
    return drawn


class BrokerFailed(Exception):
    """The broker cannot be started; the text ends with its own last words."""


class Broker:
    """One broker with its data folder. Its ports are drawn at the first start and stay the same for the folder's life.

    It dies with the thread that called `start`: call it from a thread that lives as long as the broker should.
    """

    def __init__(self, libs: Path, data: Path, port: int | None = None, keystore: Path | None = None) -> None:
        """With a `keystore` (PEM: private key, certificates) there is a second door, as `secured.properties` says."""
        self._keystore = keystore.resolve() if keystore else None
        self._libs = libs.resolve()
        self._data = data.resolve()
        self._log = self._data / "broker.out"
        self._process: subprocess.Popen[bytes] | None = None
        self._data.mkdir(parents=True, exist_ok=True)
        self._ports = self._chosen_ports(port)

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self._ports[0]}"

    @property
    def secured_bootstrap(self) -> str:
        """The door with TLS and passwords; only where a keystore was given."""
        return f"127.0.0.1:{self._ports[2]}"

    @property
    def pid(self) -> int:
        if self._process is None or self._process.poll() is not None:
            raise BrokerFailed("the broker is not running")
        return self._process.pid

    def start(self) -> Self:
        """Format the data folder where it is new, start, and wait until the broker serves requests.

        Raises:
            BrokerFailed: no Java, no jars, or it did not start within 60 s.
        """
        java = shutil.which("java")
        if java is None:
            raise BrokerFailed("there is no java: Kafka needs Java 17 (Debian: openjdk-17-jre-headless)")
        if not any(self._libs.glob("kafka_*.jar")):
            raise BrokerFailed(f"{self._libs} holds no Kafka: `make kafka` fetches it")
        properties = self._write_properties()
        command = [java, HEAP, "-XX:+UseSerialGC", "-Dorg.apache.logging.log4j.level=INFO", "-cp", f"{self._libs}/*"]
        with self._log.open("ab") as out:
            if not (self._data / "log" / "meta.properties").exists():
                cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode("ascii")
                tool = [*command, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(properties)]
                if subprocess.run(tool, stdout=out, stderr=out, cwd=self._data, check=False).returncode != 0:
                    raise BrokerFailed(f"the data folder could not be formatted\n{self._last_words(0)}")
            before = self._log.stat().st_size
            # A small step in between asks the kernel to end Java when we end, however that happens.
            self._process = subprocess.Popen(
                confined.command([*command, "kafka.Kafka", str(properties)]),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=self._data,
                start_new_session=True,  # Ctrl-C is ours to handle: services first, then the broker
            )
        deadline = time.monotonic() + READY_WITHIN_S
        while _STARTED not in self._log.read_bytes()[before:]:
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise BrokerFailed(
                    f"the broker did not start within {READY_WITHIN_S:.0f} s\n{self._last_words(before)}"
                )
            time.sleep(0.1)
        return self

    def stop(self) -> None:
        """End it in order and wait until it has ended. Safe to call twice."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _chosen_ports(self, port: int | None) -> list[int]:
        note = self._data / "ports"
        kept = [int(number) for number in note.read_text(encoding="ascii").split()] if note.exists() else []
        if len(kept) == 3 and port is None:
            return kept
        drawn = free_ports(3)
        chosen = [port or drawn[0], *drawn[1:]]
        note.write_text(" ".join(map(str, chosen)) + "\n", encoding="ascii")
        return chosen

    def _write_properties(self) -> Path:
        files = ["server.properties", *(["secured.properties"] if self._keystore else [])]  # the last word counts
        lines = [line for name in files for line in Path(__file__).with_name(name).read_text("utf-8").splitlines()]
        template = string.Template("\n".join(line for line in lines if not line.startswith("#")))
        port, controller_port, secured_port = self._ports
        names = {
            "port": port,
            "controller_port": controller_port,
            "secured_port": secured_port,
            "data": self._data,
            "keystore": self._keystore,
        }
        written = self._data / "server.properties"
        written.write_text(template.substitute(names), encoding="utf-8")
        return written

    def _last_words(self, start: int) -> str:
        return self._log.read_bytes()[start:][-3000:].decode("utf-8", "replace")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Run one Kafka broker, and a command beside it.")
    parser.add_argument("--libs", type=Path, required=True, help="folder of the jars")
    parser.add_argument("--data", type=Path, required=True, help="folder of the broker's data")
    parser.add_argument("--port", type=int, help="port on 127.0.0.1 (default: a free one, kept for the data folder)")
    parser.add_argument("command", nargs="*", help="runs beside the broker, and ends it by ending")
    told = parser.parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        with Broker(told.libs, told.data, told.port) as broker:
            print(f"Kafka listens on {broker.bootstrap}", flush=True)
            if not told.command:
                signal.pause()
            return _beside(broker, told.command)
    except BrokerFailed as error:
        print(f"certmark: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def _beside(broker: Broker, command: Sequence[str]) -> int:
    """Run the command; on Ctrl-C or SIGTERM it is ended first, the broker after it."""
    environment = os.environ | {"CERTMARK_LOG": "kafka", "CERTMARK_KAFKA_BOOTSTRAP": broker.bootstrap}
    process = subprocess.Popen(command, env=environment)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # the terminal has told the command as well
        except SystemExit:
            process.terminate()
            process.wait()
            raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
