"""A broker with TLS, passwords and access lists: who is let in, what each may do, what is said to the others."""

import ipaddress
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from deploy.kafka.broker import Broker
from services.domain.errors import BadRequest, CertmarkError, LogMisconfigured, LogUnavailable, NotConfigured
from services.events.access import admit
from services.events.client import Publisher
from services.events.keys import new_key
from services.events.log import Log, Topics, open_log
from services.settings import Settings
from tests.conftest import KAFKA_LIBS, SettingsFor
from tests.signed import event_of

BODY = "CNCA-R-2019-7901"
NAMES = ("registry", "events", "verify", BODY)


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority of this test."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def new(cls, name: str) -> "Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        return cls(key, cls._signed(name, key, name, key, x509.BasicConstraints(ca=True, path_length=None)))

    def write(self, file: Path) -> Path:
        file.write_bytes(self.certificate.public_bytes(Encoding.PEM))
        return file

    def write_server(self, file: Path) -> Path:
        """A key and a certificate for 127.0.0.1, one after the other."""
        key = ec.generate_private_key(ec.SECP256R1())
        here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        certificate = self._signed("broker", key, "authority", self.key, here)
        file.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            + certificate.public_bytes(Encoding.PEM)
        )
        return file

    @staticmethod
    def _signed(
        subject: str,
        key: ec.EllipticCurvePrivateKey,
        issuer: str,
        signer: ec.EllipticCurvePrivateKey,
        extension: x509.ExtensionType,
    ) -> x509.Certificate:
        def name(text: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(extension, critical=False)
            .sign(signer, hashes.SHA256())
        )


@dataclass(frozen=True, slots=True)
class Site:
    """The broker, and a folder with `authority.pem`, `stranger.pem` and a password file for each name."""

    broker: Broker
    folder: Path

    def way_of(self, name: str, password_of: str | None = None, authority: str = "authority") -> dict[str, str]:
        return {
            "CERTMARK_PRODUCTION": "1",
            "CERTMARK_GENESIS": "0" * 64,
            "CERTMARK_LOG": "kafka",
            "CERTMARK_KAFKA_BOOTSTRAP": self.broker.secured_bootstrap,
            "CERTMARK_KAFKA_SECURITY": "sasl_ssl",
            "CERTMARK_KAFKA_USER": name,
            "CERTMARK_KAFKA_PASSWORD_FILE": str(self.folder / (password_of or name)),
            "CERTMARK_KAFKA_CA_FILE": str(self.folder / f"{authority}.pem"),
            "CERTMARK_KAFKA_PATIENCE": "6",  # who is not let in is told so, however long it takes
        }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("secured")
    authority = Authority.new("authority")
    authority.write(folder / "authority.pem")
    Authority.new("stranger").write(folder / "stranger.pem")
    for name in NAMES:
        (folder / name).write_text(f"password of {name}\n", encoding="utf-8")
    with Broker(KAFKA_LIBS, folder / "broker", keystore=authority.write_server(folder / "broker.pem")) as broker:
        yield Site(broker, folder)


@pytest.fixture
def as_(site: Site, settings_for: SettingsFor, topics: Topics) -> Callable[..., Settings]:
    """`as_("verify")`: settings of a process with that name at the broker; all are admitted, the topics are made."""
    administrator = settings_for(CERTMARK_LOG="kafka", CERTMARK_KAFKA_BOOTSTRAP=site.broker.bootstrap)
    for _ in range(2):  # safe to repeat
        admit(administrator, {name: site.folder / name for name in NAMES})
    registry = settings_for(**site.way_of("registry"))
    with closing(open_log(registry)) as log:
        log.ensure(topics.all())
        log.ensure(topics.all())
    return lambda *told, **more: settings_for(**site.way_of(*told, **more))


def outcome(settings: Settings, act: Callable[[Log], object]) -> type[CertmarkError] | None:
    try:
        with closing(open_log(settings)) as log:
            act(log)
    except CertmarkError as error:
        return type(error) if settings.kafka_user in error.detail else CertmarkError
    return None


def test_each_role_may_do_its_own_work_and_nothing_else(
    as_: Callable[..., Settings], site: Site, settings_for: SettingsFor, topics: Topics
) -> None:
    may = {
        "registry": {
            "read events",
            "read state",
            "read restricted",
            *(f"write {to}" for to in ("state", "dead letters", "restricted")),
        },
        "events": {"write events", "read state"},
        "verify": {"read state", "read scans", "write scans", "write restricted"},
        BODY: {"write events"},
    }
    acts: dict[str, Callable[[Log], object]] = {
        "write events": lambda log: log.append(topics.events, [("a", b"1")]),
        "write state": lambda log: log.append(topics.state, [("a", b"1")]),
        "write dead letters": lambda log: log.append(topics.dead_letter, [("a", b"1")]),
        "read events": lambda log: log.read(topics.events, 0, 10),
        "read state": lambda log: log.read(topics.state, 0, 10),
        "write scans": lambda log: log.append(topics.scans, [("a", b"1")]),
        "write restricted": lambda log: log.append(topics.restricted, [("a", b"1")]),
        "read scans": lambda log: log.read(topics.scans, 0, 10, 2.0),
        "read restricted": lambda log: log.read(topics.restricted, 0, 10, 2.0),
    }
    # An empty topic is quiet for who may only describe it, too; with something in it the broker's no comes at once.
    administrator = settings_for(CERTMARK_LOG="kafka", CERTMARK_KAFKA_BOOTSTRAP=site.broker.bootstrap)
    with closing(open_log(administrator)) as log:
        for topic in (topics.scans, topics.restricted):
            log.append(topic, [("a", b"0")])
    for name in NAMES:
        for told, act in acts.items():
            assert outcome(as_(name), act) is (None if told in may[name] else LogMisconfigured), (name, told)


@pytest.mark.parametrize("wrong", ["password", "mechanism", "name"])
def test_who_is_not_let_in_is_told_so_within_seconds(as_: Callable[..., Settings], topics: Topics, wrong: str) -> None:
    settings = as_("verify", password_of="events" if wrong == "password" else None)
    if wrong == "mechanism":
        settings = replace(settings, kafka_mechanism="SCRAM-SHA-256")
    if wrong == "name":
        settings = replace(settings, kafka_user="nobody")
    began = time.monotonic()
    with closing(open_log(settings)) as log, pytest.raises((NotConfigured, LogUnavailable)) as raised:
        log.read(topics.state, 0, 10)
    assert time.monotonic() - began < 15
    assert repr(settings.kafka_user) in raised.value.detail
    assert "CERTMARK_KAFKA_PASSWORD_FILE" in raised.value.hint
    assert "password of" not in raised.value.detail + raised.value.hint


def test_a_broker_that_nobody_vouches_for_gets_neither_password_nor_events(
    as_: Callable[..., Settings], topics: Topics
) -> None:
    with closing(open_log(as_("events", authority="stranger"))) as log, pytest.raises(LogUnavailable) as raised:
        log.append(topics.events, [("a", b"1")])
    assert "CERTIFICATE_VERIFY_FAILED" in raised.value.detail


def test_files_that_cannot_be_read_are_named_before_anything_is_sent(as_: Callable[..., Settings], site: Site) -> None:
    (site.folder / "empty").write_text("\n", encoding="ascii")
    for told, variable in (
        (as_("verify", password_of="missing"), "CERTMARK_KAFKA_PASSWORD_FILE"),
        (as_("verify", password_of="empty"), "CERTMARK_KAFKA_PASSWORD_FILE"),
        (as_("verify", authority="missing"), "CERTMARK_KAFKA_CA_FILE"),
    ):
        with pytest.raises(NotConfigured, match=variable):
            open_log(told)


def test_an_admitted_body_publishes_and_who_may_only_read_is_refused_at_once(as_: Callable[..., Settings]) -> None:
    settings = as_(BODY)
    events = [event_of(new_key())]
    to = f"kafka://{settings.kafka_bootstrap}"
    with closing(Publisher(to, settings)) as publisher:
        assert [sent.status for sent in publisher.publish(events)] == [202]
    began = time.monotonic()
    with closing(Publisher(to, as_("verify"))) as publisher, pytest.raises(LogMisconfigured, match="verify"):
        publisher.publish(events)
    assert time.monotonic() - began < 15, "not tried again and again"


def test_admitting_needs_a_broker_and_a_name(settings_for: SettingsFor, site: Site) -> None:
    with pytest.raises(BadRequest, match="CERTMARK_LOG"):
        admit(settings_for(), {"verify": site.folder / "verify"})
    administrator = settings_for(CERTMARK_LOG="kafka", CERTMARK_KAFKA_BOOTSTRAP=site.broker.bootstrap)
    with pytest.raises(BadRequest, match="a b"):
        admit(administrator, {"a b": site.folder / "verify"})
