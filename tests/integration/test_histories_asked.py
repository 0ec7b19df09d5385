"""What a bad year's histories were, asked of the registry over HTTP: each day, as known at each moment of the year."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient

from services.domain.identifiers import instant_text
from services.embedded import EmbeddedPostgres
from services.migrate import migrate
from services.postgres import Connection, Cursor, connect, transaction
from services.registry import api, store
from services.settings import Settings
from tests.conftest import a_database
from tests.register import SERVICES
from tests.unit.test_bad_year import HISTORIES, Year, lived

AFTER_ALL = "2040-01-01"


class OneTransaction:
    """The registry's database, but that every request reads in the one transaction of the test."""

    cur: Cursor

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def read(self, query: Callable[[Cursor], Any]) -> Any:
        return query(self.cur)

    def why_not_ready(self) -> None:
        return None


@pytest.fixture(scope="module")
def database(postgres_server: EmbeddedPostgres) -> Iterator[Connection]:
    with a_database(postgres_server) as url, closing(connect(url)) as connection:
        for part in ("events", "registry"):
            migrate(connection, SERVICES / part / "migrations")
        yield connection


@pytest.fixture(scope="module")
def client(database: Connection, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CERTMARK_DATA", str(tmp_path_factory.mktemp("registry")))
        patch.setattr(api, "Database", OneTransaction)
        yield api.create_app().test_client()


@contextmanager
def registered(database: Connection, year: Year) -> Iterator[None]:
    """The registry's tables with all that was said in a year, until the questions are over."""
    with pytest.raises(Over), transaction(database) as cur:
        store.save_entries(cur, year.memory.entries)
        store.save_chains(cur, [(*chain, *last) for chain, last in year.memory.chains.items()])
        OneTransaction.cur = cur
        yield
        raise Over


class Over(Exception):
    """Takes everything back."""


@pytest.mark.parametrize("history", HISTORIES)
def test_each_day_is_answered_as_it_was_known(
    database: Connection, client: FlaskClient, history: Callable[[Year], None]
) -> None:
    year = lived(history)
    with registered(database, year):
        for number, day, moment, expected in year.standings:
            then = {"at": day, "known_at": instant_text(moment)}
            assert asked(client, f"/v1/certificates/{number}", **then)["standing"] == expected
        known: dict[str, dict[str, Any]] = {}
        for moment, states in left_behind(year).items():
            known |= states
            then = {"at": AFTER_ALL, "known_at": instant_text(moment)}
            alone = {number: asked(client, f"/v1/certificates/{number}", **then) for number in known}
            assert {number: answer["state"] for number, answer in alone.items()} == known
            listed: dict[str, dict[str, Any]] = {}
            for source in {state["responsible"] for state in known.values()}:
                listed |= {item["certificate_no"]: item for item in pages(client, source, **then)}
            assert listed == {number: {name: alone[number][name] for name in listed[number]} for number in known}


def left_behind(year: Year) -> dict[datetime, dict[str, dict[str, Any]]]:
    """By the moment at which they were recorded, in order, the states that the entries left."""
    found: dict[datetime, dict[str, dict[str, Any]]] = defaultdict(dict)
    for entry in year.memory.entries:
        state = orjson.loads(entry.state) if entry.state else {}
        if state.get("kind") == "certificate":
            found[entry.recorded_at][entry.subject] = state
    return found


def pages(client: FlaskClient, source: str, **query: str) -> Iterator[dict[str, Any]]:
    after: str | None = ""
    while after is not None:
        page = asked(client, "/v1/certificates", source=source, after=after, limit="2", **query)
        yield from page["items"]
        after = page["next"]


def asked(client: FlaskClient, path: str, **query: str) -> dict[str, Any]:
    answer = client.get(path, query_string=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found
