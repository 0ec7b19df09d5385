"""The verify application over a register in memory, with a clock to set: what several test files ask."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from time import monotonic, sleep

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from services.settings import settings_from
from services.verify.api import app_for
from services.verify.projector import Projector
from tests.sealed_register import NOW, STATE, ListLog, SealedRegister


def patiently(ask: Callable[[], TestResponse], seconds: float = 30.0) -> TestResponse:
    """The answer to what takes long, asked for until it is there."""
    deadline = monotonic() + seconds
    while (answer := ask()).status_code == 202 and monotonic() < deadline:
        sleep(0.02)
    return answer


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class Service:
    """The application over a register, with a clock to set; `environment` is what else it is told."""

    def __init__(self, data: Path, register: SealedRegister, **environment: str) -> None:
        self.clock = Clock()
        self.folder = data / "verify"
        self.register = register
        self.log = ListLog(register.values)
        self.projector = Projector(self.log, STATE, register.genesis, data / "verify")
        self.publish()
        self.app: Flask = app_for(settings_from({"CERTMARK_DATA": str(data)} | environment), self.clock)

    def publish(self) -> None:
        while self.projector.step():
            pass

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()
