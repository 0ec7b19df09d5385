"""The settings of a process: one frozen dataclass, read from the environment and checked together at start."""

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit

from services.domain.errors import NotConfigured

_SECURITIES = ("plaintext", "ssl", "sasl_plaintext", "sasl_ssl")
_MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")
_PORTS = range(1, 65536)
_LOOPBACK = re.compile(r"(127(\.[0-9]{1,3}){3}|localhost|\[::1\])(:[0-9]+)?", re.ASCII)

_HOST = r"([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
_FORMS = {
    name: (re.compile(form, re.ASCII), words)
    for name, form, words in (
        ("CERTMARK_LOG", "postgres|kafka", "'postgres' or 'kafka'"),
        ("CERTMARK_PRODUCTION", "[01]", "1, or 0 as where nothing is set"),
        ("CERTMARK_GENESIS", "[0-9a-f]{64}", "a digest: 64 lower-case hexadecimal digits"),
        (
            "CERTMARK_HOST",
            rf"{_HOST}|[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*",
            "a host's name or address, without a port",
        ),
        ("CERTMARK_HOSTS", rf"(\s*({_HOST}(:[0-9]+)?)?\s*,?)*", "hosts, such as q.example, with commas between"),
        ("CERTMARK_TOPIC_PREFIX", "[A-Za-z0-9._-]{1,200}", "1 to 200 of A-Z a-z 0-9 . _ -"),
        (
            "CERTMARK_KAFKA_BOOTSTRAP",
            rf"\s*{_HOST}(:[0-9]+)?\s*(,\s*{_HOST}(:[0-9]+)?\s*)*",
            "brokers, such as kafka-1:9092, with commas between",
        ),
    )
}
"""What stands in a variable, as a whole, and how it is told; numbers, addresses and what goes together are below."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a process was told; every field has a `CERTMARK_…` variable of the same name.

    `database_url` empty means the embedded PostgreSQL under `data`; `genesis` is the digest of the
    `authority.established` event that a deployment pins, empty only in the embedded default before its
    first start. Passwords of the broker stay in `kafka_password_file`, which is read when a client is made.
    """

    data: Path
    log: str
    kafka_bootstrap: str
    kafka_security: str
    kafka_user: str
    kafka_password_file: Path | None
    kafka_mechanism: str
    kafka_ca_file: Path | None
    kafka_patience: int
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
    events_url: str
    hosts: tuple[str, ...]
    seal_key: Path
    mark_key: Path
    status_key: Path
    trust_key: Path
    trust_roots: Path
    stale_after_hours: int
    rate_per_second: int
    bytes_per_second: int
    streams: int
    figures_port: int
    trusted_proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
    searches_per_minute: int
    lookups_per_second: int
    districts_file: Path | None
    check_material_days: int
    registry_url: str
    reports_url: str
    form_key: Path
    oidc_issuer: str
    oidc_client: str
    oidc_secret_file: Path | None
    oidc_claim: str

    @property
    def keys(self) -> Path:
        return self.data / "keys"

    def service_url(self, service: str) -> str:
        """Where a service of this machine listens: `verify`, `events` or `registry`."""
        return f"http://{self.host}:{getattr(self, service + '_port')}"

    def over_kafka(self, bootstrap: str) -> "Settings":
        """The same over the log of this broker, with what the settings say of the way to it.

        Raises:
            NotConfigured: production, and what goes there could be read on the way.
        """
        if self.production and not self.kafka_security.endswith("ssl") and not is_loopback(bootstrap):
            raise NotConfigured(
                f"CERTMARK_PRODUCTION=1 and CERTMARK_KAFKA_SECURITY={self.kafka_security!r}, and the broker "
                f"({bootstrap!r}) is not on this machine: what goes there could be read and changed on the way",
                hint="sasl_ssl, or ssl",
            )
        return replace(self, log="kafka", kafka_bootstrap=bootstrap)

    def over_postgres(self, url: str) -> "Settings":
        """The same over the log of this database."""
        return replace(self, log="postgres", database_url=url)


def is_loopback(bootstrap: str) -> bool:
    """Whether these addresses, parted by commas, are this machine's own."""
    return all(_LOOPBACK.fullmatch(server.strip()) for server in bootstrap.split(","))


def settings_from(environment: Mapping[str, str] | None = None) -> Settings:
    """Read and check the settings.

    Raises:
        NotConfigured: two settings contradict each other, or one cannot be read; the text names both
            the variables and their values.
    """
    told = os.environ if environment is None else environment
    env = {name: value for name, value in told.items() if value}  # what is empty is not set
    _refuse_mistyped(env)
    for variable, (form, words) in _FORMS.items():
        if variable in env and not form.fullmatch(env[variable]):
            raise NotConfigured(f"{variable}={env[variable]!r}: it is {words}")

    def number(name: str, default: int, among: range = range(2**31)) -> int:
        text = env.get(name, str(default))
        if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) in among):
            raise NotConfigured(f"{name}={text!r} is not a whole number from {among[0]} to {among[-1]}")
        return int(text)

    data = Path(env.get("CERTMARK_DATA", ".data")).absolute()
    log = env.get("CERTMARK_LOG", "postgres")
    bootstrap = env.get("CERTMARK_KAFKA_BOOTSTRAP", "")
    if log == "kafka" and not bootstrap:
        raise NotConfigured("CERTMARK_LOG='kafka' needs CERTMARK_KAFKA_BOOTSTRAP, which is empty")
    production = env.get("CERTMARK_PRODUCTION", "") == "1"
    genesis = env.get("CERTMARK_GENESIS", "")
    if production and not genesis:
        raise NotConfigured(
            "CERTMARK_PRODUCTION=1 needs CERTMARK_GENESIS, which is empty: the first event that the embedded default "
            "makes for itself is for trying out"
        )
    host = env.get("CERTMARK_HOST", "127.0.0.1")
    verify_port = number("CERTMARK_VERIFY_PORT", 8080, _PORTS)
    events_port = number("CERTMARK_EVENTS_PORT", 8081, _PORTS)
    registry_port = number("CERTMARK_REGISTRY_PORT", 8082, _PORTS)
    ports = {"VERIFY": verify_port, "EVENTS": events_port, "REGISTRY": registry_port}
    if len(set(ports.values())) != 3:
        raise NotConfigured(f"CERTMARK_…_PORT: two services share a port: {ports}")
    public_url = _address(env, "CERTMARK_PUBLIC_URL", host, verify_port)
    own_host = public_url.partition("://")[2].partition("/")[0].lower()
    hosts = tuple(h.strip().lower() for h in env.get("CERTMARK_HOSTS", "").split(",") if h.strip())
    security, user, password_file, mechanism, ca_file = _way_to_kafka(env)
    patience = number("CERTMARK_KAFKA_PATIENCE", 20, range(2, 601))
    oidc_issuer, oidc_client = env.get("CERTMARK_OIDC_ISSUER", ""), env.get("CERTMARK_OIDC_CLIENT", "")
    if oidc_issuer and not _is_address(oidc_issuer):
        raise NotConfigured(f"CERTMARK_OIDC_ISSUER={oidc_issuer!r}: it is an address that begins with https://")
    database_url = env.get("CERTMARK_DATABASE_URL", "")
    if database_url and not database_url.startswith(("postgresql://", "postgres://")):
        raise NotConfigured(  # what stands there is not shown: it may hold a password
            "CERTMARK_DATABASE_URL is no address of a database: it begins with postgresql://"
        )
    if bool(oidc_issuer) != bool(oidc_client):
        raise NotConfigured(
            f"CERTMARK_OIDC_ISSUER ({oidc_issuer!r}) and CERTMARK_OIDC_CLIENT ({oidc_client!r}) go together, or neither"
        )
    settings = Settings(
        data=data,
        log=log,
        kafka_bootstrap=bootstrap,
        kafka_security=security,
        kafka_user=user,
        kafka_password_file=password_file,
        kafka_mechanism=mechanism,
        kafka_ca_file=ca_file,
        kafka_patience=patience,
        topic_prefix=env.get("CERTMARK_TOPIC_PREFIX", "certmark"),
        database_url=database_url,
        genesis=genesis,
        production=production,
        host=host,
        verify_port=verify_port,
        events_port=events_port,
        registry_port=registry_port,
        workers=number("CERTMARK_WORKERS", 1, range(1, 1001)),
        public_url=public_url,
        events_url=_address(env, "CERTMARK_EVENTS_URL", host, events_port),
        hosts=tuple(dict.fromkeys((own_host, *hosts))),
        seal_key=Path(env.get("CERTMARK_SEAL_KEY", data / "keys" / "seal.pem")),
        mark_key=Path(env.get("CERTMARK_MARK_KEY", data / "keys" / "mark.pem")),
        status_key=Path(env.get("CERTMARK_STATUS_KEY", data / "keys" / "status.pem")),
        trust_key=Path(env.get("CERTMARK_TRUST_KEY", data / "keys" / "trust.pem")),
        trust_roots=Path(env.get("CERTMARK_TRUST_ROOTS", data / "trust")),
        stale_after_hours=number("CERTMARK_STALE_AFTER_HOURS", 24, range(1, 87_601)),
        rate_per_second=number("CERTMARK_RATE_PER_SECOND", 5000, range(1, 2**31)),
        bytes_per_second=number("CERTMARK_BYTES_PER_SECOND", 5000 * 2048, range(1, 2**31)),
        streams=number("CERTMARK_STREAMS", 100),
        figures_port=number("CERTMARK_FIGURES_PORT", 0, range(65536)),
        trusted_proxies=_networks(env.get("CERTMARK_TRUSTED_PROXIES", "")),
        searches_per_minute=number("CERTMARK_SEARCHES_PER_MINUTE", 120),
        lookups_per_second=number("CERTMARK_LOOKUPS_PER_SECOND", 0),
        districts_file=_path(env.get("CERTMARK_DISTRICTS_FILE", "")),
        check_material_days=number("CERTMARK_CHECK_MATERIAL_DAYS", 180, range(36_526)),
        reports_url=_address(env, "CERTMARK_REPORTS_URL", host, registry_port),
        form_key=Path(env.get("CERTMARK_FORM_KEY", data / "verify" / "form.key")),
        registry_url=_address(env, "CERTMARK_REGISTRY_URL", host, registry_port),
        oidc_issuer=oidc_issuer,
        oidc_client=oidc_client,
        oidc_secret_file=_path(env.get("CERTMARK_OIDC_SECRET_FILE", "")),
        oidc_claim=env.get("CERTMARK_OIDC_CLAIM", "preferred_username"),
    )
    return settings.over_kafka(bootstrap) if log == "kafka" else settings


def _refuse_mistyped(env: Mapping[str, str]) -> None:
    """What is no setting and looks like one would be left out unseen. Others may be there for other programs."""
    known = [f"CERTMARK_{field.name.upper()}" for field in fields(Settings)]
    for name in env.keys() - set(known):
        if name.startswith("CERTMARK_") and (meant := get_close_matches(name, known, 1, 0.9)):
            raise NotConfigured(f"{name} is no setting; {meant[0]} is")


def _address(env: Mapping[str, str], name: str, host: str, port: int) -> str:
    """A service's address as others reach it, without a slash at its end; where none is named, its own."""
    text = env.get(name, f"http://{host}:{port}").rstrip("/")
    if not _is_address(text):
        raise NotConfigured(f"{name}={text!r}: it is an address that begins with https:// or http://")
    return text


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in ("http", "https")
            and parts.port != 0
            and re.fullmatch(rf"{_HOST}(:[0-9]+)?", parts.netloc, re.ASCII) is not None
            and re.fullmatch(r"[!-~]+", text) is not None
            and not parts.query
            and not parts.fragment
        )
    except ValueError:  # a port that is none
        return False


def _way_to_kafka(env: Mapping[str, str]) -> tuple[str, str, Path | None, str, Path | None]:
    """(security, user, password file, mechanism, CA file), which go together or not at all."""
    security = env.get("CERTMARK_KAFKA_SECURITY", "plaintext").lower()
    user = env.get("CERTMARK_KAFKA_USER", "")
    password_file = env.get("CERTMARK_KAFKA_PASSWORD_FILE", "")
    mechanism = env.get("CERTMARK_KAFKA_MECHANISM", _MECHANISMS[0])
    ca_file = env.get("CERTMARK_KAFKA_CA_FILE", "")
    if security not in _SECURITIES:
        raise NotConfigured(f"CERTMARK_KAFKA_SECURITY={security!r}: it is one of {', '.join(_SECURITIES)}")
    if mechanism not in _MECHANISMS:
        raise NotConfigured(f"CERTMARK_KAFKA_MECHANISM={mechanism!r}: it is one of {', '.join(_MECHANISMS)}")
    said = f"CERTMARK_KAFKA_SECURITY={security!r}"
    if security.startswith("sasl") and not (user and password_file):
        raise NotConfigured(
            f"{said} needs CERTMARK_KAFKA_USER ({user!r}) and CERTMARK_KAFKA_PASSWORD_FILE ({password_file!r})"
        )
    if not security.startswith("sasl") and (user or password_file):
        raise NotConfigured(
            f"{said} asks nobody's name, and CERTMARK_KAFKA_USER is {user!r}, CERTMARK_KAFKA_PASSWORD_FILE "
            f"{password_file!r}"
        )
    if not security.endswith("ssl") and ca_file:
        raise NotConfigured(f"{said} uses no TLS, and CERTMARK_KAFKA_CA_FILE is {ca_file!r}")
    if security == "sasl_plaintext" and mechanism == "PLAIN":
        raise NotConfigured(f"{said} would send the password readable with CERTMARK_KAFKA_MECHANISM={mechanism!r}")
    return security, user, _path(password_file), mechanism, _path(ca_file)


def _networks(text: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    try:
        return tuple(ipaddress.ip_network(one.strip()) for one in text.split(",") if one.strip())
    except ValueError as error:
        raise NotConfigured(f"CERTMARK_TRUSTED_PROXIES={text!r}: {error}") from None


def _path(text: str) -> Path | None:
    return Path(text) if text else None
