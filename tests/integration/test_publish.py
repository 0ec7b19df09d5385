"""`certmark publish` straight to the PostgreSQL log: how a register of one's own begins there."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from services.cli import main
from services.events.client import Publisher
from services.events.envelope import open_envelope
from services.events.log import Topics, open_log
from services.postgres import connect, transaction
from services.registry import store
from services.registry.worker import Worker
from services.settings import settings_from

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, topic_prefix: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A command of a machine that has its own folder and knows no database."""
    monkeypatch.setenv("CERTMARK_DATA", str(tmp_path))
    monkeypatch.setenv("CERTMARK_TOPIC_PREFIX", topic_prefix)

    def command(*words: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(main, words, input=stdin)

    return command


def as_json(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def the_beginning(run: Run) -> list[str]:
    """The first event, which the authority signs itself, and the registry's seal key."""
    key = {name: as_json(run("keys", "new", name, "--json")) for name in ("regulator", "seal")}
    speak = ("sign", "--first", "--as", "authority:ours", "--key", key["regulator"]["file"], "--json")
    first = ("authority.established", "ours", "name=某局", "demonstration=false")
    second = ("key.added", key["seal"]["kid"], "owner=urn:certmark:registry:main", "purpose=seal", "from=2026-01-01")
    return [
        as_json(run(*speak, *first, f"key={json.dumps(key['regulator']['key'])}"))["jws"],
        as_json(run(*speak, *second, f"key={json.dumps(key['seal']['key'])}"))["jws"],
    ]


def test_a_register_of_ones_own_begins_on_postgresql_in_production(
    run: Run, fresh_database: str, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = the_beginning(run)
    genesis = open_envelope(events[0].encode()).digest
    own = {"CERTMARK_PRODUCTION": "1", "CERTMARK_GENESIS": genesis, "CERTMARK_DATABASE_URL": fresh_database}
    with monkeypatch.context() as there:
        for name, value in own.items():
            there.setenv(name, value)
        assert run("migrate").exit_code == 0
    settings = settings_from({"CERTMARK_DATA": str(tmp_path), "CERTMARK_TOPIC_PREFIX": topic_prefix, **own})

    early = run("publish", "--to", fresh_database, "-", stdin="\n".join(events))
    assert early.exit_code == 1
    assert "log-misconfigured" in early.stderr, "before the services have made the topics: at once, not after 30 s"

    topics = Topics.under(topic_prefix)
    with closing(open_log(settings)) as log:
        log.ensure(topics.all())
        sent = run("publish", "--to", fresh_database, "-", stdin="\n".join(events))
        assert sent.exit_code == 0, sent.output
        records = log.read(topics.events, 0, 10)
    assert [record.value.decode() for record in records] == events
    assert records[0].key == "ours"

    with closing(Worker(settings)) as worker, closing(connect(fresh_database)) as connection:
        while True:
            worker.step()
            with transaction(connection) as cur:
                if store.head(cur).position == len(events):
                    break
        with transaction(connection) as cur:
            decisions = [store.decision_of(cur, open_envelope(jws.encode()).digest) for jws in events]
    assert [(found or {})["decision"] for found in decisions] == ["accepted", "accepted"]


def test_a_database_that_is_not_there_is_unknown_and_its_password_not_repeated(run: Run, tmp_path: Path) -> None:
    events = the_beginning(run)
    to = f"postgresql://certmark:hidden@/none?host={tmp_path}"
    with closing(Publisher(to, patience=0.0)) as publisher:
        (sent, _) = publisher.publish([jws.encode() for jws in events])
    assert sent.status == 503
    assert sent.problem is not None
    assert sent.problem["code"] == "log-unavailable"
    assert "hidden" not in str(sent.problem)
