"""What the processes say about themselves: log lines as JSON, figures for Prometheus."""

import json
import logging
import os
import sys
import time
from datetime import UTC, datetime
from typing import Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    start_http_server,
)
from prometheus_client.multiprocess import MultiProcessCollector

from services.domain.errors import NotConfigured

FIGURES_TYPE = CONTENT_TYPE_LATEST
_LOGGER = logging.getLogger("certmark")
_FIGURES: dict[str, Counter | Gauge | Histogram] = {}
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds of the latency histograms, in seconds."""


def info(words: str, **fields: object) -> None:
    """One line of fixed words with fields. Numbers of certificates may be fields, names and payloads may not."""
    _LOGGER.info(words, extra={"fields": fields})


def warning(words: str, **fields: object) -> None:
    _LOGGER.warning(words, extra={"fields": fields})


def error(words: str, cause: BaseException | None = None, **fields: object) -> None:
    """A line for something that needs a person; `cause` adds its traceback to the log (never to an answer)."""
    _LOGGER.error(words, exc_info=cause, extra={"fields": fields})


def log_as_json(service: str, level: int = logging.INFO) -> None:
    """Send everything that this process logs to standard error, one JSON object a line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # The client libraries tell of every connection at INFO; what matters of it reaches us as an exception.
    for name in ("kafka", "werkzeug"):
        logging.getLogger(name).setLevel(logging.WARNING)


class _JsonLines(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "service": self._service,
            "words": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def counter(name: str, meaning: str, *labels: str) -> Counter:
    """The counter of that name, made at its first mention: an app may be built more than once in a process."""
    figure = _FIGURES.get(name)
    if figure is None:
        figure = _FIGURES[name] = Counter(name, meaning, labels)
    assert isinstance(figure, Counter)
    return figure


def gauge(name: str, meaning: str, *labels: str) -> Gauge:
    figure = _FIGURES.get(name)
    if figure is None:
        figure = _FIGURES[name] = Gauge(name, meaning, labels, multiprocess_mode="mostrecent")
    assert isinstance(figure, Gauge)
    return figure


def histogram(name: str, meaning: str, *labels: str) -> Histogram:
    """A histogram of seconds."""
    figure = _FIGURES.get(name)
    if figure is None:
        figure = _FIGURES[name] = Histogram(name, meaning, labels, buckets=SECONDS)
    assert isinstance(figure, Histogram)
    return figure


def figures() -> bytes:
    """The figures in Prometheus' text format: of all processes of this service where they share a folder
    (PROMETHEUS_MULTIPROC_DIR), else of this one."""
    return generate_latest(_figures())


def serve_figures(host: str, port: int) -> None:
    """Have a process that answers nothing else tell its figures at `/metrics` of a port; 0: it does not.

    Raises:
        NotConfigured: that cannot be listened at.
    """
    try:
        if port:
            start_http_server(port, host, _figures())
    except OSError as trouble:
        raise NotConfigured(f"CERTMARK_FIGURES_PORT={port} on {host}: {trouble.strerror}") from None


def _figures() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]  # prometheus-client leaves it untyped
    return together


class Stopwatch:
    """Seconds since it was made, by the clock that nobody can set."""

    __slots__ = ("_start",)

    def __init__(self) -> None:
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._start
