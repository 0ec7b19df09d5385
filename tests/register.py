"""A register on real servers for tests: sources that speak, a worker that decides, and what came of it."""

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from services.domain.identifiers import civil_day
from services.events.drafts import Draft, Signer
from services.events.envelope import open_envelope, sign_compact
from services.events.keys import PrivateKey, load_key, new_key, save_key
from services.events.log import Log, Topics, open_log
from services.migrate import migrate
from services.postgres import Connection, connect, database_url, transaction
from services.registry import store
from services.registry.worker import Worker
from services.settings import Settings

SERVICES = Path(__file__).resolve().parents[1] / "services"
TODAY = civil_day(datetime.now(UTC))
AUTHORITY = "urn:certmark:authority:test"
BODY = "urn:certmark:body:CNCA-R-2019-7901"
OTHER = "urn:certmark:body:CNCA-R-2019-7902"
ALLIANCE = "urn:certmark:alliance:test-alliance"
DECLARANT = "urn:certmark:declarant:91320500MAXX005334"
REGISTRY = "urn:certmark:registry:main"


def ago(days: int) -> str:
    return (TODAY - timedelta(days=days)).isoformat()


def ahead(days: int) -> str:
    return ago(-days)


def a_scheme(**rules: Any) -> dict[str, Any]:
    return {
        "effective_at": "2016-01-01",
        "version": 1,
        "name": {"zh": "示范", "en": "Sample"},
        "class": "product",
        "mandatory": False,
        "declaration": False,
        "mark_authorizer": "none",
        "coverage": {"complete": False, "zh": "示范", "en": "sample"},
    } | rules


A_MARK = {"id": "sample-mark", "name": {"zh": "示范标志", "en": "sample mark"}}
UNIT_CODES = {
    "name": {"zh": "有机码", "en": "organic code"},
    "pattern": "[0-9]{17,18}",
    "rule": "2024",
    "since": ago(300),
    "earlier": [{"pattern": "[0-9]{17}", "rule": "2016", "until": ago(200)}],
}
SCHEMES = {
    "sample": a_scheme(mark_authorizer="body", mark=A_MARK, suspension_limit_months=6, surveillance_months=12),
    "implied": a_scheme(mark_authorizer="implied", mark=A_MARK, number_pattern="[0-9]{16}"),
    "allied": a_scheme(mark_authorizer="alliance", alliance="test-alliance", mark=A_MARK, families=["甲"]),
    "declared": a_scheme(declaration=True, mark_authorizer="implied", mark=A_MARK),
    "system": a_scheme(**{"class": "system"}),
    "elsewhere": a_scheme(),
    "coded": a_scheme(mark_authorizer="body", mark=A_MARK, unit_codes=UNIT_CODES),
}


def a_first_event(scheme: str = "sample", **data: Any) -> dict[str, Any]:
    """The data of `certificate.issued` (or, with scheme `declared`, of `declaration.made`)."""
    given: dict[str, Any] = {
        "effective_at": ago(400),
        "scheme": scheme,
        "basis": [{"standard": "GB 1", "edition": "2012"}],
        "holder": {"name": "示范公司", "uscc": "91320500MAXX005334"},
        "product": {"name": "电器", "items": [{"model": "A1", "gtin": "06909900123007"}]},
        "issued_on": ago(400),
        "valid_from": ago(400),
        "valid_until": ahead(400),
    }
    if scheme == "system":
        del given["product"]
        given["service_scope"] = "零件的生产"
    if scheme != "declared":
        given["approver"] = "7901-0007"
    return given | data


def a_suspension(**data: Any) -> dict[str, Any]:
    return {"effective_at": TODAY.isoformat(), "reason": "S03", "until": ahead(60)} | data


@dataclass
class Register:
    """Signs as anybody, appends to the log, and lets the worker decide. Numbers are new for every test."""

    settings: Settings
    log: Log
    worker: Worker
    connection: Connection
    keys: dict[str, PrivateKey] = field(default_factory=dict)
    signers: dict[str, Signer] = field(default_factory=dict)

    @classmethod
    def begin(cls, settings: Settings) -> Self:
        """An established register with two bodies, an alliance and a declarant, on tables and topics made for it."""
        with closing(connect(database_url(settings))) as connection:
            for part in ("events", "registry"):
                migrate(connection, SERVICES / part / "migrations")
        settings.keys.mkdir(parents=True)
        regulator = new_key()
        own = [(settings.seal_key, "seal"), (settings.status_key, "status"), (settings.trust_key, "trust")]
        own.append((settings.mark_key, "mark"))  # the last one is what `keys` holds of the registry's
        for path, _ in own:
            save_key(new_key(), path)
        log = open_log(settings)
        log.ensure(Topics.under(settings.topic_prefix).all())
        authority = Signer(AUTHORITY, regulator, "T-1", lambda source, subject: (0, None))
        established = {
            "name": "示范局",
            "key": dict(regulator.public.jwk),
            "demonstration": True,
            "effective_at": ago(500),
        }
        genesis = authority.sign(
            {"type": "authority.established", "subject": "test", "data": established}, datetime.now(UTC)
        )
        settings = replace(settings, genesis=open_envelope(genesis).digest)
        self = cls(settings, log, Worker(settings, idle=0.05), connect(database_url(settings)))
        self.keys[AUTHORITY], self.signers[AUTHORITY] = regulator, authority
        self.append(genesis)
        for path, purpose in own:
            self.add_key(REGISTRY, load_key(path), purpose)
        for scheme, rules in SCHEMES.items():
            self.tell(AUTHORITY, "scheme.published", scheme, rules)
        for body in (BODY, OTHER):
            schemes = [{"scheme": s, "from": ago(500)} for s in ("sample", "implied", "allied", "system", "coded")]
            approved = {"effective_at": ago(500), "name": "示范机构", "schemes": schemes}
            self.tell(AUTHORITY, "body.approved", body.rpartition(":")[2], approved)
        self.tell(AUTHORITY, "alliance.established", "test-alliance", {"effective_at": ago(500), "name": "联盟"})
        self.tell(
            AUTHORITY,
            "alliance.member_admitted",
            "test-alliance",
            {"effective_at": ago(500), "body": BODY.rpartition(":")[2]},
        )
        for source in (BODY, OTHER, ALLIANCE):
            self.add_key(source, new_key("ES256" if source == OTHER else "Ed25519"), "event")
        self.add_key(DECLARANT, new_key(), "declaration")
        self.decide_all()
        assert self.counts()["refused"] == self.counts()["quarantined"] == 0
        return self

    def close(self) -> None:
        self.worker.close()
        self.log.close()
        self.connection.close()

    # --- speaking ------------------------------------------------------------------------------------

    def add_key(self, owner: str, key: PrivateKey, purpose: str, **data: Any) -> bytes:
        self.keys[owner] = key
        self.signers[owner] = Signer(owner, key, "T-1", lambda source, subject: (0, None))
        added = {"owner": owner, "purpose": purpose, "key": dict(key.public.jwk), "from": ago(500)} | data
        return self.tell(AUTHORITY, "key.added", key.public.kid, added)

    def sign(self, source: str, event: str, subject: str, data: dict[str, Any], **members: Any) -> bytes:
        draft: Draft = {"type": event, "subject": subject, "data": data} | members
        return self.signers[source].sign(draft, datetime.now(UTC))

    def tell(self, source: str, event: str, subject: str, data: dict[str, Any], **members: Any) -> bytes:
        """Sign and append; not yet decided."""
        return self.append(self.sign(source, event, subject, data, **members))

    def append(self, *events: bytes) -> bytes:
        topic = Topics.under(self.settings.topic_prefix).events
        self.log.append(topic, [("test", event) for event in events])
        return events[-1]

    def decide_all(self) -> None:
        """Let the worker decide whatever is on the log."""
        _, end = self.log.bounds(Topics.under(self.settings.topic_prefix).events)
        while self.head().position < end:
            self.worker.step()

    @contextmanager
    def deciding(self) -> Iterator[None]:
        """The worker at work beside the test, as in a running register."""
        ended = threading.Event()

        def work() -> None:
            while not ended.is_set():
                self.worker.step()

        worker = threading.Thread(target=work)
        worker.start()
        try:
            yield
        finally:
            ended.set()
            worker.join()

    def say(self, source: str, event: str, subject: str, data: dict[str, Any], **members: Any) -> dict[str, Any]:
        """Sign, append, decide: the decision."""
        return self.decided(self.tell(source, event, subject, data, **members))

    def decided(self, jws: bytes) -> dict[str, Any]:
        self.decide_all()
        found = self.decision(open_envelope(jws).digest)
        assert found is not None
        return found

    def forged(self, key: PrivateKey, payload: bytes, **header: str) -> bytes:
        """Any payload under any header, signed with any key."""
        head = {"alg": key.public.alg, "kid": key.public.kid, "typ": "certmark-event+jws"} | header
        return sign_compact(head, payload, key)

    def payload(self, source: str, event: str, subject: str, data: dict[str, Any], **members: Any) -> bytes:
        return open_envelope(self.sign(source, event, subject, data, **members)).payload

    # --- looking -----------------------------------------------------------------------------------------

    def decision(self, digest: str) -> dict[str, Any] | None:
        with transaction(self.connection) as cur:
            return store.decision_of(cur, digest)

    def head(self) -> store.Head:
        with transaction(self.connection) as cur:
            return store.head(cur)

    def counts(self) -> dict[str, int]:
        with transaction(self.connection) as cur:
            return store.counts(cur)

    def record(self, key: str) -> store.StoredRecord:
        with transaction(self.connection) as cur:
            return store.records_of(cur, [key])[key]

    def state(self, number: str) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self.record(f"certificate/{number}").state)
        return state

    def quarantined(self) -> list[store.Quarantined]:
        with transaction(self.connection) as cur:
            return store.quarantine_after(cur, -1, 10_000)

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with transaction(self.connection) as cur:
            cur.execute(sql, values)
            return cur.fetchall()

    def issue(self, scheme: str = "sample", source: str = BODY, **data: Any) -> str:
        """A new certificate's number."""
        number = a_number()
        assert self.say(source, "certificate.issued", number, a_first_event(scheme, **data))["decision"] == "accepted"
        return number


def accepted(decision: dict[str, Any]) -> bool:
    return bool(decision["decision"] == "accepted")


def refused_for(decision: dict[str, Any]) -> str | None:
    """The slug of a refusal."""
    assert decision["decision"] == "refused", decision
    code: str = decision["code"]
    return code


def a_number() -> str:
    """Sixteen digits that no other test uses."""
    return f"{uuid.uuid4().int % 10**16:016d}"
