"""What integration tests share: a register of their own on the run's real PostgreSQL."""

import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from services.embedded import EmbeddedPostgres
from services.settings import settings_from
from tests.conftest import a_database
from tests.register import Register


@contextmanager
def a_register(postgres_server: EmbeddedPostgres, data: Path, **environment: str) -> Iterator[Register]:
    """An established register on a database, topics and a folder that nobody else uses."""
    with a_database(postgres_server) as url:
        own = {
            "CERTMARK_DATA": str(data),
            "CERTMARK_DATABASE_URL": url,
            "CERTMARK_TOPIC_PREFIX": f"t{uuid.uuid4().hex[:12]}",
        }
        with closing(Register.begin(settings_from(own | environment))) as register:
            yield register


@pytest.fixture(scope="module")
def register(postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Register]:
    """One register for the whole file; every test has numbers of its own."""
    with a_register(postgres_server, tmp_path_factory.mktemp("register")) as made:
        yield made
