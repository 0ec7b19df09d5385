"""A client under test as a process of its own: one JSON object a line, in on its standard input, out on its output."""

import json
import os
import selectors
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Any

from services.events.conform.examine import Ask, Gone

SILENCE = 60.0
"""Seconds after which a client that says nothing is taken for one that will not."""
SILENT_AGAIN = 5.0
"""Seconds that are left to one that was silent, until it speaks again: sixty cases are not to take an hour."""
LINE = 1024 * 1024


class Command:
    """The process of a command; what it writes to standard error is shown as it is."""

    def __init__(self, words: Sequence[str], silence: float = SILENCE) -> None:
        self._words = words
        self._silence = self._patience = silence
        self._process: subprocess.Popen[bytes] | None = None
        self._read = b""

    def report(self, task: Mapping[str, Any], ask: Ask) -> list[dict[str, Any]]:
        """Hand over a task and answer its requests until it says `{"done": [...]}`.

        Raises:
            Gone: it cannot be started, has ended, is silent, or writes what is not of the protocol.
        """
        self._write(task)
        while True:
            said = self._line()
            if "done" not in said:
                self._write(ask(said))
                continue
            done = said["done"]
            if not isinstance(done, list) or not all(isinstance(one, dict) for one in done):
                raise Gone("`done` is not a list of objects")
            return done

    def forget(self) -> None:
        """End the process at once, as a crash would; the next task starts it again."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
        self._process, self._read = None, b""

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            try:
                self._process = subprocess.Popen(self._words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
            except OSError as error:
                raise Gone(f"{self._words[0]} cannot be started: {error.strerror}") from None
        return self._process

    def _write(self, message: Mapping[str, Any]) -> None:
        process = self._started()
        assert process.stdin is not None
        left = memoryview(json.dumps(message, ensure_ascii=False).encode() + b"\n")
        try:
            while left:
                left = left[process.stdin.write(left) :]
        except OSError:
            raise Gone(f"it has ended ({process.wait(5)})") from None

    def _line(self) -> dict[str, Any]:
        deadline = time.monotonic() + self._patience
        while b"\n" not in self._read:
            if len(self._read) > LINE:
                raise Gone("a line of more than 1 MiB")
            self._read += self._chunk(deadline)
        self._patience = self._silence
        line, _, self._read = self._read.partition(b"\n")
        try:
            said = json.loads(line)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise Gone(f"a line that is no JSON object: {line[:60].decode('utf-8', 'replace')}")
        return said

    def _chunk(self, deadline: float) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(max(0.0, deadline - time.monotonic())):
                waited, self._patience = self._patience, min(self._patience, SILENT_AGAIN)
                raise Gone(f"it was silent for {waited:.0f} s")
        chunk = os.read(self._process.stdout.fileno(), 65536)
        if not chunk:
            raise Gone(f"it has ended ({self._process.wait()})")
        return chunk
