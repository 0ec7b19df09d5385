"""Settings are read from the environment and checked together."""

from pathlib import Path

import pytest

from services.domain.errors import NotConfigured
from services.postgres import database_url
from services.settings import settings_from

PRODUCTION = {"CERTMARK_PRODUCTION": "1", "CERTMARK_GENESIS": "ab" * 32}
KAFKA = {"CERTMARK_LOG": "kafka", "CERTMARK_KAFKA_BOOTSTRAP": "127.0.0.1:9092,broker:9092"}
SASL = {
    "CERTMARK_KAFKA_SECURITY": "sasl_ssl",
    "CERTMARK_KAFKA_USER": "verify",
    "CERTMARK_KAFKA_PASSWORD_FILE": "/run/secrets/verify",
}
MALFORMED = (
    ("CERTMARK_GENESIS", "ab"),
    ("CERTMARK_GENESIS", "sha256:" + "ab" * 32),
    ("CERTMARK_GENESIS", "AB" * 32),
    ("CERTMARK_PRODUCTION", "true"),
    ("CERTMARK_HOST", "0.0.0.0:8080"),
    ("CERTMARK_HOST", "http://127.0.0.1"),
    ("CERTMARK_HOSTS", "q.example, https://old.example"),
    ("CERTMARK_TOPIC_PREFIX", "cert mark"),
    ("CERTMARK_KAFKA_BOOTSTRAP", "kafka://broker:9092"),
    ("CERTMARK_KAFKA_BOOTSTRAP", "broker:9092;other:9092"),
    ("CERTMARK_PUBLIC_URL", "q.example"),
    ("CERTMARK_PUBLIC_URL", "https://q.example?x=1"),
    ("CERTMARK_PUBLIC_URL", "https://q.example:80a"),
    ("CERTMARK_EVENTS_URL", "ftp://events.example"),
    ("CERTMARK_REGISTRY_URL", "https:///v1"),
    ("CERTMARK_REPORTS_URL", "https://name@registry.example"),
    ("CERTMARK_OIDC_ISSUER", "login.example"),
    ("CERTMARK_TRUSTED_PROXIES", "10.0.0.1/8"),
    ("CERTMARK_FIGURES_PORT", "-1"),
    *(
        (name, "ten")
        for name in (
            "CERTMARK_STALE_AFTER_HOURS",
            "CERTMARK_RATE_PER_SECOND",
            "CERTMARK_BYTES_PER_SECOND",
            "CERTMARK_STREAMS",
            "CERTMARK_WORKERS",
            "CERTMARK_SEARCHES_PER_MINUTE",
            "CERTMARK_LOOKUPS_PER_SECOND",
            "CERTMARK_CHECK_MATERIAL_DAYS",
        )
    ),
)


def test_what_other_programs_are_told_is_theirs() -> None:
    """deploy/compose.yaml reads some of its own, and Kubernetes sets some for each service that it knows."""
    others = {
        "CERTMARK_SEAL_KEY_FILE": "seal.pem",
        "CERTMARK_MARK_KEYS_FOLDER": "marks",
        "CERTMARK_VERIFY_SERVICE_HOST": "10.0.0.7",
        "CERTMARK_VERIFY_PORT_8080_TCP": "tcp://10.0.0.7:8080",
        "CERTMARKS": "x",
    }
    assert settings_from(others) == settings_from({})


def test_without_any_variable_it_is_the_embedded_default() -> None:
    settings = settings_from({})
    assert settings == settings_from({"CERTMARK_DATA": "", "CERTMARK_VERIFY_PORT": "", "CERTMARK_LOG": ""})
    assert (settings.log, settings.database_url, settings.production) == ("postgres", "", False)
    assert (settings.verify_port, settings.events_port, settings.registry_port) == (8080, 8081, 8082)
    assert settings.data == Path(".data").absolute()
    assert settings.keys == settings.data / "keys"
    assert settings.seal_key == settings.data / "keys" / "seal.pem"
    assert settings.service_url("events") == "http://127.0.0.1:8081"
    assert settings.public_url == "http://127.0.0.1:8080"
    assert settings.hosts == ("127.0.0.1:8080",)


def test_the_public_address_is_one_of_the_hosts_that_are_ours() -> None:
    settings = settings_from({"CERTMARK_PUBLIC_URL": "https://Q.Example/", "CERTMARK_HOSTS": "q.example, Old.example,"})
    assert settings.public_url == "https://Q.Example"
    assert settings.hosts == ("q.example", "old.example")


@pytest.mark.parametrize(
    ("environment", "both_values"),
    [
        ({"CERTMARK_LOG": "redis"}, ("CERTMARK_LOG", "'redis'")),
        ({"CERTMARK_LOG": "kafka"}, ("CERTMARK_LOG='kafka'", "CERTMARK_KAFKA_BOOTSTRAP")),
        ({"CERTMARK_VERIFY_PORT": "80a"}, ("CERTMARK_VERIFY_PORT", "'80a'")),
        ({"CERTMARK_VERIFY_PORT": "٨٠"}, ("CERTMARK_VERIFY_PORT", "'٨٠'")),
        ({"CERTMARK_VERIFY_PORT": "65536"}, ("CERTMARK_VERIFY_PORT", "'65536'")),
        ({"CERTMARK_KAFKA_PATIENCE": "1"}, ("CERTMARK_KAFKA_PATIENCE", "'1'")),
        ({"CERTMARK_VERIFY_PORT": "9000", "CERTMARK_EVENTS_PORT": "9000"}, ("share a port", "9000")),
        ({"CERTMARK_PRODUCTION": "1"}, ("CERTMARK_PRODUCTION=1", "CERTMARK_GENESIS")),
        ({"CERTMARK_KAFKA_SECURITY": "tls"}, ("CERTMARK_KAFKA_SECURITY", "'tls'")),
        ({"CERTMARK_KAFKA_MECHANISM": "GSSAPI"}, ("CERTMARK_KAFKA_MECHANISM", "'GSSAPI'")),
        ({"CERTMARK_KAFKA_SECURITY": "sasl_ssl"}, ("'sasl_ssl'", "CERTMARK_KAFKA_USER ('')")),
        ({**SASL, "CERTMARK_KAFKA_PASSWORD_FILE": ""}, ("'sasl_ssl'", "CERTMARK_KAFKA_PASSWORD_FILE ('')")),
        ({**SASL, "CERTMARK_KAFKA_SECURITY": "ssl"}, ("'ssl'", "CERTMARK_KAFKA_USER is 'verify'")),
        ({"CERTMARK_KAFKA_CA_FILE": "ca.pem"}, ("'plaintext'", "CERTMARK_KAFKA_CA_FILE is 'ca.pem'")),
        (
            {**SASL, "CERTMARK_KAFKA_SECURITY": "sasl_plaintext", "CERTMARK_KAFKA_MECHANISM": "PLAIN"},
            ("'sasl_plaintext'", "CERTMARK_KAFKA_MECHANISM='PLAIN'"),
        ),
        *(({name: value}, (name, repr(value))) for name, value in MALFORMED),
        ({"CERTMARK_DATABASE_URL": "postgres.example/x"}, ("CERTMARK_DATABASE_URL", "postgresql://")),
        ({"CERTMARK_GENISIS": "ab" * 32}, ("CERTMARK_GENISIS is no setting", "CERTMARK_GENESIS is")),
        ({"CERTMARK_STALE_AFTER_HOUR": "2"}, ("CERTMARK_STALE_AFTER_HOUR ", "CERTMARK_STALE_AFTER_HOURS")),
        ({**PRODUCTION, **KAFKA}, ("CERTMARK_KAFKA_SECURITY='plaintext'", "'127.0.0.1:9092,broker:9092'")),
        (
            {**PRODUCTION, **KAFKA, **SASL, "CERTMARK_KAFKA_SECURITY": "sasl_plaintext"},
            ("CERTMARK_KAFKA_SECURITY='sasl_plaintext'", "'127.0.0.1:9092,broker:9092'"),
        ),
    ],
)
def test_a_contradiction_names_what_contradicts(environment: dict[str, str], both_values: tuple[str, str]) -> None:
    with pytest.raises(NotConfigured) as raised:
        settings_from(environment)
    assert all(value in raised.value.detail for value in both_values)


def test_a_complaint_never_shows_the_databases_password() -> None:
    environment = {"CERTMARK_PRODUCTION": "1", "CERTMARK_DATABASE_URL": "postgresql://certmark:hidden@db/certmark"}
    with pytest.raises(NotConfigured) as raised:
        settings_from(environment)
    assert "hidden" not in raised.value.detail


def test_production_goes_over_tls_or_stays_on_the_machine() -> None:
    settings = settings_from({**PRODUCTION, **KAFKA, **SASL})
    assert settings.kafka_password_file == Path("/run/secrets/verify")
    assert settings.over_kafka("elsewhere:9092").kafka_bootstrap == "elsewhere:9092"
    assert settings_from({**PRODUCTION, **KAFKA, "CERTMARK_KAFKA_SECURITY": "ssl"}).kafka_security == "ssl"
    for here in ("127.0.0.1:9092", "localhost:9092,[::1]:9093"):
        settings = settings_from({**PRODUCTION, **KAFKA, "CERTMARK_KAFKA_BOOTSTRAP": here})
        for elsewhere in ("broker:9092", "localhost.example:9092", "127.0.0.1.example:9092", f"{here},10.0.0.1:9092"):
            with pytest.raises(NotConfigured, match="CERTMARK_KAFKA_SECURITY='plaintext'"):
                settings.over_kafka(elsewhere)


def test_production_takes_no_embedded_database_but_asks_only_who_needs_one(tmp_path: Path) -> None:
    (tmp_path / "postgres.url").write_text("postgresql://embedded/x", encoding="ascii")
    told = {"CERTMARK_DATA": str(tmp_path)}
    assert database_url(settings_from(told)) == "postgresql://embedded/x"
    production = settings_from({**told, **PRODUCTION})
    with pytest.raises(NotConfigured, match="CERTMARK_PRODUCTION=1 needs CERTMARK_DATABASE_URL"):
        database_url(production)
    assert database_url(production.over_postgres("postgresql://own/x")) == "postgresql://own/x"
