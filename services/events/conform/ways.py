"""The two ways in: through the ingest over HTTP, and straight to the log."""

import time
from collections.abc import Sequence
from typing import Protocol

from services.domain.errors import CertmarkError
from services.events.client import Publisher, Sent, Service, json_object
from services.events.envelope import open_envelope, read_event
from services.events.log import Topics, open_log
from services.settings import Settings

PATIENCE = 15.0
"""Seconds in which a busy service is asked again."""


class Way(Protocol):
    """How events reach the register. `http` is false where nobody answers but the log."""

    http: bool

    def send(self, jws: bytes, subject: str) -> Sent:
        """One event, or what claims to be one; its digest is empty where it cannot even be opened."""

    def send_together(self, lines: Sequence[bytes]) -> list[Sent]:
        """Many lines in one request; a line may be a JWS as a JSON text."""

    def close(self) -> None: ...


def way_to(to: str, settings: Settings) -> Way:
    """The way that an address names: http(s)://, kafka:// or postgresql://."""
    if to.partition("://")[0] in ("kafka", "postgresql", "postgres"):
        return StraightToTheLog(to, settings)
    return OverHttp(to)


class OverHttp:
    """Through the ingest. What the client library would not send, for it sees the fault itself, goes bare."""

    http = True

    def __init__(self, url: str) -> None:
        self._publisher = Publisher(url, key_patience=0.0)  # a case says itself which key is on its way
        self._service = Service(url)

    def send(self, jws: bytes, subject: str) -> Sent:
        if _is_an_event(jws):
            return self._publisher.publish([jws])[0]
        status, body = self._post(jws, "application/jose")
        return Sent(digest_or_none(jws), status, None if status == 202 else json_object(body))

    def send_together(self, lines: Sequence[bytes]) -> list[Sent]:
        status, body = self._post(b"\n".join(lines), "application/x-ndjson")
        answers = [json_object(line) for line in body.splitlines() if line]
        if status != 200 or len(answers) != len(lines):
            answers = [json_object(body) | {"status": status}] * len(lines)
        return [
            Sent(digest_or_none(line.strip(b'"')), int(answer.get("status", 0)), answer)
            for line, answer in zip(lines, answers, strict=True)
        ]

    def _post(self, body: bytes, content_type: str) -> tuple[int, bytes]:
        deadline = time.monotonic() + PATIENCE
        while True:
            status, _, answer = self._service.request("POST", "/v1/events", body, content_type)
            if status not in (429, 503) or time.monotonic() > deadline:
                return status, answer
            time.sleep(1.0)

    def close(self) -> None:
        self._publisher.close()
        self._service.close()


class StraightToTheLog:
    """Past the ingest: the log takes everything, and the registry has to find out for itself."""

    http = False

    def __init__(self, to: str, settings: Settings) -> None:
        kind, _, rest = to.partition("://")
        told = settings.over_kafka(rest) if kind == "kafka" else settings.over_postgres(to)
        self._publisher = Publisher(to, settings)
        self._log = open_log(told)
        self._topic = Topics.under(told.topic_prefix).events

    def send(self, jws: bytes, subject: str) -> Sent:
        if _is_an_event(jws):
            return self._publisher.publish([jws])[0]
        self._log.append(self._topic, [(subject, jws)])
        return Sent(digest_or_none(jws), 202)

    def send_together(self, lines: Sequence[bytes]) -> list[Sent]:
        raise NotImplementedError("the log has no requests of many lines")

    def close(self) -> None:
        self._publisher.close()
        self._log.close()


def _is_an_event(jws: bytes) -> bool:
    try:
        read_event(open_envelope(jws))
    except CertmarkError:
        return False
    return True


def digest_or_none(jws: bytes) -> str:
    """The digest by which the registry knows an event; empty where it cannot open it."""
    try:
        return open_envelope(jws).digest
    except CertmarkError:
        return ""
