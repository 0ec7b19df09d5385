"""The registry over the demonstration register, with a runner of checks that a test lets work."""

import contextlib
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from services import auth, up
from services.auth import Role
from services.demo import demonstration, retold
from services.domain.identifiers import civil_day
from services.embedded import EmbeddedPostgres
from services.events.drafts import Signer
from services.events.envelope import open_envelope, read_event
from services.events.keys import load_key
from services.events.log import Topics, open_log
from services.postgres import connect, transaction
from services.registry import store as register_store
from services.registry.api import create_app
from services.registry.checks.runner import Runner
from services.registry.worker import Worker
from services.settings import Settings, settings_from
from tests.conftest import a_database
from tests.sealed_register import ROOT

SHEET = retold((ROOT / "tests/data/listings.csv").read_text(encoding="utf-8"), civil_day(datetime.now(UTC))).encode()


@dataclass
class Desk:
    """The registry over the demonstration register, with a runner that a test lets work."""

    settings: Settings
    client: FlaskClient
    runner: Runner

    def token(self, role: Role, holder: str | None = None) -> dict[str, str]:
        token = auth.new_token()
        with closing(connect(self.settings.database_url)) as connection, transaction(connection) as cur:
            auth.save(cur, token, role, holder or role.value)
        return {"Authorization": f"Bearer {token}"}

    def hand_in(self, body: Any, kind: str, who: dict[str, str], query: str = "") -> dict[str, Any]:
        response = self.client.post(f"/v1/checks{query}", data=body, content_type=kind, headers=who)
        assert response.status_code == 202, response.data
        found: dict[str, Any] = response.get_json()
        assert response.headers["Location"] == f"/v1/checks/{found['id']}"
        return found

    def run_all(self) -> None:
        while self.runner.step():
            pass

    def suspend(self, number: str, approval_no: str = "CNCA-R-2019-7901") -> None:
        """A body suspends a certificate, and the registry has decided that when this returns."""
        today = civil_day(datetime.now(UTC))
        until = (today + timedelta(days=90)).isoformat()
        data = {"reason": "S03", "determined_on": today.isoformat(), "until": until}
        self.say("certificate.suspended", number, data, approval_no)

    def resume(self, number: str, approval_no: str = "CNCA-R-2019-7901") -> None:
        data = {"verified_on": civil_day(datetime.now(UTC)).isoformat()}
        self.say("certificate.resumed", number, data, approval_no)

    def issue(self, number: str, like: str, model: str, approval_no: str = "CNCA-R-2019-7901") -> None:
        """Issue a certificate today that is like another one, for one model."""
        with closing(connect(self.settings.database_url)) as connection, transaction(connection) as cur:
            cur.execute(
                "SELECT jws FROM entries WHERE subject = %s AND type = 'certmark.certificate.issued.v1'", (like,)
            )
            ((jws,),) = cur.fetchall()
        data = dict(read_event(open_envelope(jws.encode())).data)
        today = civil_day(datetime.now(UTC))
        until = (today + timedelta(days=365)).isoformat()
        for name in ("effective_at", "first_issued_on", "issued_on", "valid_from"):
            data[name] = today.isoformat()
        data |= {"valid_until": until, "surveillance_due": until}
        data["product"] = data["product"] | {"items": [{"model": model, "gtin": None}]}
        self.say("certificate.issued", number, data, approval_no)

    def say(self, kind: str, number: str, data: dict[str, Any], approval_no: str) -> None:
        now = datetime.now(UTC)
        source = f"urn:certmark:body:{approval_no}"

        def head(source: str, subject: str) -> tuple[int, str | None]:
            told = self.get(f"/v1/heads?source={source}&subject={subject}", {})
            return told["sequence"], (told["previous"] or "").removeprefix("sha256:") or None

        key = load_key(self.settings.data / "keys" / f"{approval_no}.pem")
        draft = {"type": kind, "subject": number, "data": data}
        jws = Signer(source, key, "7901-0042", head).sign(draft, now)
        topic = Topics.under(self.settings.topic_prefix).events
        with closing(open_log(self.settings)) as log, closing(Worker(self.settings)) as worker:
            log.append(topic, [(number, jws)])
            decided = f"/v1/decisions/{open_envelope(jws).digest}"
            while (answer := self.client.get(decided)).status_code != 200 or answer.get_json()["decision"] == "pending":
                worker.step()
        assert answer.get_json()["decision"] == "accepted", answer.get_json()

    def get(self, path: str, who: dict[str, str]) -> dict[str, Any]:
        response = self.client.get(path, headers=who)
        assert response.status_code == 200, response.data
        found: dict[str, Any] = response.get_json()
        return found


@contextlib.contextmanager
def a_desk(postgres_server: EmbeddedPostgres, folder: Path) -> Iterator[Desk]:
    """One over a database of its own, which goes with it."""
    with a_database(postgres_server) as url, contextlib.ExitStack() as stack:
        told = {
            "CERTMARK_DATA": str(folder),
            "CERTMARK_DATABASE_URL": url,
            "CERTMARK_TOPIC_PREFIX": f"t{uuid.uuid4().hex[:12]}",
        }
        settings = _demonstrated(told, stack)
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in told.items():
            environment.setenv(name, value)
        environment.setenv("CERTMARK_GENESIS", settings.genesis)
        runner = Runner(settings, 1, apart=timedelta(0))
        stack.callback(runner.drop)
        yield Desk(settings, create_app().test_client(), runner)


def _demonstrated(told: dict[str, str], stack: contextlib.ExitStack) -> Settings:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(up, "check_port_is_free", lambda settings, service: None)
        settings = up.prepare(settings_from(told), stack)
    events = demonstration(settings, datetime.now(UTC))
    topic = Topics.under(settings.topic_prefix).events
    with closing(open_log(settings)) as log, closing(Worker(settings)) as worker:
        log.append(topic, [(read_event(open_envelope(jws)).subject, jws) for jws in events])
        _, end = log.bounds(topic)
        with closing(connect(settings.database_url)) as connection:
            while True:
                with transaction(connection) as cur:
                    if register_store.head(cur).position >= end:
                        break
                worker.step()
    return settings
