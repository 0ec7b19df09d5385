"""Settings are read from the environment and checked together."""

from pathlib import Path

import pytest

from services.domain.errors import NotConfigured
from services.settings import settings_from


def test_without_any_variable_it_is_the_embedded_default() -> None:
    settings = settings_from({})
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
        ({"CERTMARK_VERIFY_PORT": "9000", "CERTMARK_EVENTS_PORT": "9000"}, ("share a port", "9000")),
        ({"CERTMARK_PRODUCTION": "1"}, ("CERTMARK_GENESIS", "CERTMARK_DATABASE_URL")),
        ({"CERTMARK_PRODUCTION": "1", "CERTMARK_GENESIS": "ab"}, ("'ab'", "CERTMARK_DATABASE_URL")),
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
