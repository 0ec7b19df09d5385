"""The settings of a process: one frozen dataclass, read from the environment and checked together at start."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.domain.errors import NotConfigured


@dataclass(frozen=True, slots=True)
class Settings:
    """What a process was told; every field has a `CERTMARK_…` variable of the same name.

    `database_url` empty means the embedded PostgreSQL under `data`; `genesis` is the digest of the
    `authority.established` event that a deployment pins, empty only in the embedded default before its
    first start.
    """

    data: Path
    log: str
    kafka_bootstrap: str
    topic_prefix: str
    database_url: str
    genesis: str
    production: bool
    host: str
    verify_port: int
    events_port: int
    registry_port: int
    workers: int
    public_url: str
    hosts: tuple[str, ...]
    seal_key: Path
    mark_key: Path
    stale_after_hours: int
    rate_per_second: int

    @property
    def keys(self) -> Path:
        return self.data / "keys"

    def service_url(self, service: str) -> str:
        """Where a service of this machine listens: `verify`, `events` or `registry`."""
        return f"http://{self.host}:{getattr(self, service + '_port')}"


def settings_from(environment: Mapping[str, str] | None = None) -> Settings:
    """Read and check the settings.

    Raises:
        NotConfigured: two settings contradict each other, or one cannot be read; the text names both
            the variables and their values.
    """
    env = os.environ if environment is None else environment

    def number(name: str, default: int) -> int:
        text = env.get(name, str(default))
        if not (text.isascii() and text.isdigit()):
            raise NotConfigured(f"{name}={text!r} is not a whole number")
        return int(text)

    data = Path(env.get("CERTMARK_DATA", ".data")).absolute()
    log = env.get("CERTMARK_LOG", "postgres")
    bootstrap = env.get("CERTMARK_KAFKA_BOOTSTRAP", "")
    if log not in ("postgres", "kafka"):
        raise NotConfigured(f"CERTMARK_LOG={log!r}: it is 'postgres' or 'kafka'")
    if log == "kafka" and not bootstrap:
        raise NotConfigured("CERTMARK_LOG='kafka' needs CERTMARK_KAFKA_BOOTSTRAP, which is empty")
    production = env.get("CERTMARK_PRODUCTION", "") == "1"
    genesis = env.get("CERTMARK_GENESIS", "")
    database_url = env.get("CERTMARK_DATABASE_URL", "")
    if production and not (genesis and database_url):
        raise NotConfigured(
            f"CERTMARK_PRODUCTION=1 needs CERTMARK_GENESIS ({genesis!r}) and CERTMARK_DATABASE_URL "
            f"({'set' if database_url else 'empty'}): what the embedded default makes for itself is for trying out"
        )
    host = env.get("CERTMARK_HOST", "127.0.0.1")
    verify_port = number("CERTMARK_VERIFY_PORT", 8080)
    events_port = number("CERTMARK_EVENTS_PORT", 8081)
    registry_port = number("CERTMARK_REGISTRY_PORT", 8082)
    ports = {"VERIFY": verify_port, "EVENTS": events_port, "REGISTRY": registry_port}
    if len(set(ports.values())) != 3:
        raise NotConfigured(f"CERTMARK_…_PORT: two services share a port: {ports}")
    public_url = env.get("CERTMARK_PUBLIC_URL", f"http://{host}:{verify_port}").rstrip("/")
    own_host = public_url.partition("://")[2].partition("/")[0].lower()
    hosts = tuple(h.strip().lower() for h in env.get("CERTMARK_HOSTS", "").split(",") if h.strip())
    return Settings(
        data=data,
        log=log,
        kafka_bootstrap=bootstrap,
        topic_prefix=env.get("CERTMARK_TOPIC_PREFIX", "certmark"),
        database_url=database_url,
        genesis=genesis,
        production=production,
        host=host,
        verify_port=verify_port,
        events_port=events_port,
        registry_port=registry_port,
        workers=number("CERTMARK_WORKERS", 1),
        public_url=public_url,
        hosts=tuple(dict.fromkeys((own_host, *hosts))),
        seal_key=Path(env.get("CERTMARK_SEAL_KEY", data / "keys" / "seal.pem")),
        mark_key=Path(env.get("CERTMARK_MARK_KEY", data / "keys" / "mark.pem")),
        stale_after_hours=number("CERTMARK_STALE_AFTER_HOURS", 24),
        rate_per_second=number("CERTMARK_RATE_PER_SECOND", 5000),
    )
