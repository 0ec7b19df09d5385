"""The log read from zero gives the same register, and every entry decided anew comes out as it is written down."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from random import Random
from typing import Any, cast

import pytest
from click.testing import CliRunner

from services.cli import main
from services.domain.body import key_from_state
from services.domain.certificate import Certificate, CertificateState, from_state
from services.domain.errors import MadeByAnotherVersion
from services.domain.identifiers import instant_text
from services.embedded import EmbeddedPostgres
from services.events.canonical import canonical_text
from services.events.drafts import Signer
from services.events.envelope import open_envelope, sign_compact
from services.events.event_types import EVENT_TYPES, UNSEEN_SINCE
from services.events.keys import load_key, new_key
from services.events.log import Log, Record, Topics
from services.events.record import TYP, open_sealed
from services.migrate import migrate
from services.postgres import Connection, Cursor, connect, execute_values, transaction
from services.registry import consequences, store
from services.registry import register as decided
from services.registry.as_published import published_otherwise
from services.registry.batch import leaf_of
from services.registry.compared import first_stray, unaccounted
from services.registry.differences import WORDS, Difference
from services.registry.form import check_form
from services.registry.put_aside import first_put_aside
from services.registry.relay import Relay
from services.registry.replay import Replayed, World, replay, was_valid
from services.registry.store import ENTRY, Entry, bare_entry
from services.registry.told import ToldRow, told_one
from services.registry.worker import Worker
from tests.conftest import a_database
from tests.lives import AUTHORITY, BODY, DECLARANT, OTHER, Saying, Writer, beginnings
from tests.register import SERVICES, TODAY, Register, a_first_event, a_number, accepted, ago, ahead

SEED, EVENTS = 7, 700


@pytest.fixture(scope="module")
def register(register: Register) -> Register:
    """A register that has accepted every type of event, with refused ones, quarantine, holes and consequences."""
    for said in beginnings(TODAY, ("sample",)):
        assert accepted(register.say(said.source, said.short, said.subject, dict(said.data)))
    the_rest_of_the_types(register)
    lives(register)
    return register


def lives(register: Register) -> None:
    """Some certificates and what comes to pass with them; ten sayings at a time, as a worker meets them."""
    writer = Writer(Random(SEED), lambda number: certificate_of(register, number), a_number, TODAY, most=25)
    for _ in range(EVENTS // 10):
        said = [writer.next() for _ in range(10)]
        signed = [register.sign(s.source, s.short, s.subject, dict(s.data)) for s in said]
        register.append(*signed)
        settle(register)
        for jws, one in zip(signed, said, strict=True):
            digest = open_envelope(jws).digest
            decision = register.decision(digest)
            if decision is not None and accepted(decision):
                writer.accepted(digest, one)


def certificate_of(register: Register, number: str) -> Certificate:
    return from_state(cast(CertificateState, register.state(number)))


def settle(register: Register) -> None:
    """Decide what is on the log, consequences and all."""
    register.decide_all()
    while register.head().cause:
        register.worker.step()


def the_rest_of_the_types(register: Register) -> None:
    """What no life by chance says."""
    approval_no = "CNCA-R-2019-8041"
    body = f"urn:certmark:body:{approval_no}"
    competence = [{"scheme": "sample", "from": ago(500)}]
    notice = {"effective_at": ago(1), "instrument": "公告", "text": {"zh": "停止使用", "en": "stop using it"}}
    said = [
        Saying(AUTHORITY, "authority.established", "another", established()),
        Saying(AUTHORITY, "body.approved", approval_no, approved := {"effective_at": ago(500), "name": "示范机构",
                                                                     "schemes": competence}),
        Saying(AUTHORITY, "alliance.member_admitted", "test-alliance", {"effective_at": ago(9), "body": approval_no}),
        Saying(AUTHORITY, "alliance.member_left", "test-alliance", {"effective_at": ago(1), "body": approval_no}),
        Saying(AUTHORITY, "backfill.opened", approval_no, {"body": approval_no, "until": ahead(9)}),
        Saying(AUTHORITY, "body.suspended", approval_no, {"effective_at": ago(1), "instrument": "决定"}),
        Saying(AUTHORITY, "body.approved", approval_no, approved | {"effective_at": ago(0)}),
        Saying(AUTHORITY, "calendar.published", str(TODAY.year), {"effective_at": ago(0), "days_off": [],
                                                                  "working_days": [], "instrument": "安排"}),
        Saying(AUTHORITY, "catalogue.class_mode_changed", "life-classes", {"effective_at": ago(0), "class": "0704",
               "mode": "self_declaration", "transition_until": ahead(30), "instrument": "公告"}),
        Saying(AUTHORITY, "recall.opened", "R-1", notice | {"gtin": "06909900123007", "reason": "defect"}),
        Saying(AUTHORITY, "recall.closed", "R-1", {"effective_at": ago(0), "instrument": "总结"}),
        Saying(AUTHORITY, "warning.issued", "W-1", notice | {"until": ahead(9), "level": "advice", "class": "0704"}),
        Saying(AUTHORITY, "warning.withdrawn", "W-1", {"effective_at": ago(0), "instrument": "撤回"}),
    ]  # fmt: skip
    for one in said:
        assert accepted(register.say(one.source, one.short, one.subject, dict(one.data))), one
    early, late = new_key(), new_key()
    register.add_key(body, early, "event")
    register.issue(source=body)
    since = instant_text(datetime.now(UTC))
    register.issue(source=body)
    assert accepted(register.say(AUTHORITY, "key.compromised", early.public.kid, {"since": since}))
    settle(register)
    register.signers[body] = Signer(body, late, "T-1", lambda source, subject: (0, None))
    unknown = register.tell(body, "certificate.issued", a_number(), a_first_event())
    assert register.decided(unknown)["decision"] == "quarantined"
    added = {"owner": body, "purpose": "event", "key": dict(late.public.jwk), "from": ago(500)}
    digest = open_envelope(unknown).digest
    resolved = {"effective_at": ago(0), "digest": digest, "note": "晚到"}
    register.append(
        register.sign(AUTHORITY, "quarantine.resolved", digest, resolved | {"action": "dismissed"}),
        register.sign(AUTHORITY, "key.added", late.public.kid, added),
        register.sign(AUTHORITY, "quarantine.resolved", digest, resolved | {"action": "redriven"}),
        register.sign(AUTHORITY, "quarantine.resolved", digest, resolved | {"action": "redriven"}),
    )
    settle(register)
    assert accepted(register.say(AUTHORITY, "key.retired", late.public.kid, {"effective_at": ahead(9)}))
    disqualified = {"effective_at": ago(0), "instrument": "撤销批准"}
    gone = register.tell(AUTHORITY, "body.disqualified", approval_no, disqualified)
    assert accepted(register.decided(gone))
    annulled = {"effective_at": ago(0), "digest": open_envelope(gone).digest, "instrument": "判决"}
    assert accepted(register.say(AUTHORITY, "decision.annulled", open_envelope(gone).digest, annulled))
    a_whole_life(register)
    in_disorder(register)
    of_another_time(register)


def a_whole_life(register: Register) -> None:
    """Every event about certificates, marks and declarations, whatever chance brings besides."""
    number, new, mark_no = register.issue(), register.issue(source=OTHER), a_number()
    products = [{"model": "A1", "gtin": "06909900123007"}]
    authorized = {"mark_no": mark_no, "mark": "sample-mark", "products": products, "valid_until": ahead(90)}
    codes = {"product": "A1", "quantity": 5, "rule_version": "2024", "digest": "7" * 64}
    suspended = {"effective_at": ago(20), "reason": "S03", "until": ahead(60)}
    resumed = {"effective_at": ago(10), "verified_on": ago(11)}
    renewed = {"effective_at": ago(5), "issued_on": ago(5), "valid_until": ahead(700), "approver": "7901-0007"}
    life: list[tuple[str, dict[str, Any]]] = [
        ("certificate.surveillance_passed", {"effective_at": ago(50)}),
        ("certificate.amended", {"effective_at": ago(40), "items": [{"op": "added", "model": "A2"}]}),
        ("mark.authorized", {"effective_at": ago(30)} | authorized),
        ("mark.codes_issued", {"effective_at": ago(29), "mark_no": mark_no} | codes),
        (
            "mark.code_voided",
            {"effective_at": ago(28), "mark_no": mark_no, "code": "0" * 16, "public_hash": "1" * 16, "reason": "V02"},
        ),
        ("mark.suspended", suspended | {"mark_no": mark_no}),
        ("mark.resumed", resumed | {"mark_no": mark_no}),
        ("mark.withdrawn", {"effective_at": ago(9), "mark_no": mark_no}),
        ("certificate.suspended", suspended),
        ("certificate.resumed", resumed),
        ("certificate.renewed", renewed),
    ]
    digest = ""
    for event, data in life:
        told = register.tell(BODY, event, number, data)
        assert accepted(register.decided(told)), event
        digest = open_envelope(told).digest
    corrected = {"of": digest, "fields": {"valid_until": ahead(600)}}
    assert accepted(register.say(BODY, "certificate.corrected", number, corrected))
    given = register.tell(BODY, "certificate.transferred", number, {"effective_at": ago(3), "to": OTHER[-16:]})
    assert accepted(register.decided(given))
    taken = {"effective_at": ago(2), "of": open_envelope(given).digest}
    assert accepted(register.say(OTHER, "certificate.received", number, taken))
    assert accepted(register.say(OTHER, "certificate.superseded", number, {"effective_at": ago(1), "by": new}))
    for event, reason in (("revoked", "R05"), ("cancelled", "C02")):
        ended = {"effective_at": ago(0), "reason": reason}
        assert accepted(register.say(BODY, f"certificate.{event}", register.issue(), ended))
    declared = a_number()
    assert accepted(register.say(DECLARANT, "declaration.made", declared, a_first_event("declared")))
    withdrawn = {"effective_at": ago(0), "reason": "C02"}
    assert accepted(register.say(DECLARANT, "declaration.withdrawn", declared, withdrawn))
    removed = {"effective_at": ago(0), "class": "0703", "instrument": "公告"}
    gone = register.tell(AUTHORITY, "catalogue.class_removed", "life-classes", removed)
    assert accepted(register.decided(gone))
    settle(register)
    again = {"effective_at": ago(0), "digest": open_envelope(gone).digest, "instrument": "更正"}
    assert accepted(register.say(AUTHORITY, "decision.annulled", open_envelope(gone).digest, again))
    settle(register)


def established() -> dict[str, Any]:
    return {"name": "另一局", "key": dict(new_key().public.jwk), "demonstration": True, "effective_at": ago(9)}


def in_disorder(register: Register) -> None:
    """A hole that is filled, one that is not, a stale sequence, a duplicate, and what nobody can read."""
    number = register.issue()
    second, third = (
        register.sign(BODY, "certificate.surveillance_passed", number, {"effective_at": ago(n)}) for n in (9, 8)
    )
    ninth = {"sequence": 9, "previous": "sha256:" + "0" * 64}
    waits = register.sign(BODY, "certificate.surveillance_passed", number, {"effective_at": ago(7)}, **ninth)
    stale = register.sign(BODY, "certificate.surveillance_passed", number, {"effective_at": ago(6)}, sequence=1)
    register.append(third, second, second, waits, stale, b"nonsense")
    settle(register)


def differences(register: Register) -> Replayed:
    with closing(connect(register.settings.database_url)) as connection:
        return replay(connection, register.settings.genesis, lambda size: lambda done: None)


def test_every_type_of_event_is_in_it(register: Register) -> None:
    rows = register.rows("SELECT DISTINCT type FROM entries WHERE decision = 'accepted' AND kind = 'event'")
    assert {row[0] for row in rows} == set(EVENT_TYPES)
    kinds = dict(register.rows("SELECT kind, count(*) FROM entries GROUP BY kind"))
    assert kinds.keys() == {"event", "consequence", "token"}
    assert min(kinds.values()) > 10
    assert register.counts()["quarantined"] > 0
    assert register.counts()["pending"] > 0


@pytest.mark.parametrize(("held", "at_once"), [(20_000, 500), (3, 7)])
def test_every_entry_comes_out_as_it_is_written_down(
    register: Register, monkeypatch: pytest.MonkeyPatch, held: int, at_once: int
) -> None:
    """Whatever is looked up together, and whatever had to be forgotten meanwhile."""
    monkeypatch.setattr("services.registry.replay.HELD", held)
    monkeypatch.setattr("services.registry.replay.AT_ONCE", at_once)
    assert differences(register) == Replayed(register.head().size, None)


def of_another_time(register: Register) -> None:
    """A name with a soft hyphen, which no text may hold today: taken in its time, it is read for ever, and mended."""

    def unseen(number: str) -> bytes:
        plain = register.payload(BODY, "certificate.issued", number, a_first_event(holder={"name": "甲乙公司"}))
        return register.forged(register.keys[BODY], plain.replace("甲乙".encode(), "甲\xad乙".encode()))

    assert register.decided(register.append(unseen(a_number())))["decision"] == "quarantined"
    number = a_number()
    old, before = unseen(number), UNSEEN_SINCE - timedelta(seconds=1)
    with transaction(register.connection) as cur:
        topic = Topics.under(register.settings.topic_prefix).events.name
        cur.execute(
            "WITH grown AS (UPDATE log.topic SET next_position = next_position + 1 WHERE name = %s RETURNING *)"
            " INSERT INTO log.record (topic, position, compacted, key, value, appended_at)"
            " SELECT id, next_position - 1, compacted, %s, %s, %s FROM grown",
            (topic, number, old, before),
        )
    issued = register.decided(old)
    assert accepted(issued)
    assert register.state(number)["holder"]["name"] == "甲\xad乙公司"
    mended = {"of": issued["digest"], "fields": {"valid_until": ahead(30)}}
    behind = {"sequence": 2, "previous": f"sha256:{issued['digest']}"}
    assert accepted(register.say(BODY, "certificate.corrected", number, mended, **behind))


def test_a_scheme_that_was_published_before_a_rule_was_thought_of_comes_out_the_same(register: Register) -> None:
    def write(entry: Entry) -> None:
        with transaction(register.connection) as cur:
            told = (entry.state, entry.state_digest, leaf_of(entry), entry.seq)
            cur.execute("UPDATE entries SET state = %s, state_digest = %s, leaf = %s WHERE seq = %s", told)

    with transaction(register.connection) as cur:
        cur.execute(f"SELECT {ENTRY} FROM entries WHERE type LIKE '%scheme.published%' AND state IS NOT NULL LIMIT 1")
        entry = Entry(*(cur.fetchone() or ()))
    assert entry.state is not None
    state = json.loads(entry.state)
    versions = [{name: one[name] for name in one if name != "reapply_suspended"} for one in state["versions"]]
    text = canonical_text(state | {"versions": versions}, floats=False)
    assert text != entry.state
    write(replace(entry, state=text, state_digest=sha256(text.encode()).hexdigest()))
    try:
        assert differences(register).difference is None
    finally:
        write(entry)


def test_a_database_of_another_form_is_told_apart(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of record is as it is published; one that lacks what has come since was made by an earlier version."""
    monkeypatch.setattr("services.registry.form.OLDEST", 10**6)
    check_form(register.connection)
    with transaction(register.connection) as cur:
        cur.execute("SELECT key, state FROM records WHERE key LIKE 'certificate/%' ORDER BY revision LIMIT 1")
        key, state = cur.fetchone() or ("", "")
        former = json.dumps({name: value for name, value in json.loads(state).items() if name != "annulled"})
        cur.execute("UPDATE record_rows SET state = %s WHERE key = %s", (former, key))
    try:
        with pytest.raises(MadeByAnotherVersion, match="annulled"):
            check_form(register.connection)
    finally:
        with transaction(register.connection) as cur:
            cur.execute("UPDATE record_rows SET state = NULL WHERE key = %s", (key,))


EVERYTHING = (
    "SELECT seq, kind, digest, event_id, source, type, subject, sequence, decision, detail, pointer, hint,"
    " effective_at, received_at, position, state_digest, state, jws FROM entries ORDER BY seq",
    "SELECT key, seq, digest, state, tokens, under_review, event, responsible, product_class, due FROM records"
    " ORDER BY key",
    "SELECT mark_no, certificate_no FROM marks ORDER BY mark_no",
    "SELECT source, subject, sequence, digest FROM chains ORDER BY source, subject",
    "SELECT digest, source, subject, sequence, event_id, position, received_at, jws FROM pending ORDER BY digest",
    "SELECT position, digest, code, detail, pointer, received_at, record_key, value, resolved_by, redriven"
    " FROM quarantine ORDER BY position",
    "SELECT size, position, start, status_index, duplicates, cause FROM head",
)
"""All that a register comes to, but for when it decided and how often it wrote a record."""


def test_a_second_register_on_the_same_log_is_the_same(register: Register, postgres_server: EmbeddedPostgres) -> None:
    with a_database(postgres_server) as url:
        settings = replace(register.settings, database_url=url)
        with closing(connect(url)) as connection:
            for part in ("events", "registry"):
                migrate(connection, SERVICES / part / "migrations")
            copy_log(register, connection)
            again = Register(settings, register.log, Worker(settings, name="again"), connection)
            settle(again)
            for query in EVERYTHING:
                assert plain(again.rows(query)) == plain(register.rows(query)), query
            assert leaves(again) == leaves(register)
            again.worker.close()


def copy_log(register: Register, connection: Connection) -> None:
    """The same records at the same positions, appended at the same instants, in another database."""
    topic = Topics.under(register.settings.topic_prefix).events.name
    for table, condition in (("topic", "name = %s"), ("record", "topic = (SELECT id FROM log.topic WHERE name = %s)")):
        with transaction(register.connection) as cur:
            cur.execute(f"SELECT * FROM log.{table} WHERE {condition}", (topic,))
            rows, columns = cur.fetchall(), [column.name for column in cur.description or ()]
        with transaction(connection) as cur:
            names = ", ".join(columns)
            execute_values(cur, f"INSERT INTO log.{table} ({names}) OVERRIDING SYSTEM VALUE VALUES %s", rows)


def plain(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [tuple(bytes(value) if isinstance(value, memoryview) else value for value in row) for row in rows]


def leaves(register: Register) -> list[dict[str, Any]]:
    found = [json.loads(leaf) for (leaf,) in register.rows("SELECT leaf FROM entries ORDER BY seq")]
    return [{name: value for name, value in leaf.items() if name != "recorded_at"} for leaf in found]


# --- what was tampered with ------------------------------------------------------------------------------------------


TAMPERED = (
    ("state", "UPDATE entries SET state = replace(state, '示范公司', '另一公司') WHERE seq = {seq}"),
    (
        "state",
        "UPDATE entries SET state = replace(state, '示范公司', '另一公司'), state_digest = encode(sha256(convert_to("
        "replace(state, '示范公司', '另一公司'), 'UTF8')), 'hex'), leaf = replace(leaf, state_digest, encode(sha256("
        "convert_to(replace(state, '示范公司', '另一公司'), 'UTF8')), 'hex')) WHERE seq = {seq}",
    ),
    ("leaf", "UPDATE entries SET decision = 'refused:scheme-rule' WHERE seq = {seq}"),
    (
        "decision",
        "UPDATE entries SET decision = 'refused:scheme-rule', leaf = replace(leaf, '\"accepted\"',"
        " '\"refused:scheme-rule\"') WHERE seq = {seq}",
    ),
    (
        "chain",
        "UPDATE entries SET decision = 'refused:sequence-stale', state = NULL, state_digest = NULL, leaf = replace("
        "replace(leaf, '\"accepted\"', '\"refused:sequence-stale\"'), '\"' || state_digest || '\"', 'null')"
        " WHERE seq = {seq}",
    ),
    ("order", "UPDATE entries SET position = 1 WHERE seq = {seq}"),
    ("bare", "UPDATE entries SET kind = 'token', leaf = replace(leaf, '\"event\"', '\"token\"') WHERE seq = {seq}"),
    ("event", "UPDATE entries SET event_id = 'another' WHERE seq = {seq}"),
    ("digest", "UPDATE entries SET jws = (SELECT jws FROM entries WHERE seq = 0) WHERE seq = {seq}"),
    ("seq", "DELETE FROM entries WHERE seq = {seq}"),
    (
        "recorded_at",
        "UPDATE entries SET recorded_at = '2001-01-01Z', leaf = regexp_replace(leaf, '\"recorded_at\":\"[^\"]*',"
        ' \'"recorded_at":"2001-01-01T00:00:00.000Z\') WHERE seq = {seq}',
    ),
    ("signature", "UPDATE entries SET jws = left(jws, -8) || 'AAAAAAAA' WHERE seq = {seq}"),
)


@pytest.mark.parametrize(("what", "statement"), TAMPERED, ids=lambda value: str(value)[:30])
def test_what_was_tampered_with_is_found(register: Register, what: str, statement: str) -> None:
    number, seq = register.rows(
        "SELECT subject, seq FROM entries WHERE type = 'certmark.certificate.issued.v1' AND decision = 'accepted'"
        " AND seq = (SELECT seq FROM records WHERE key = 'certificate/' || subject) ORDER BY seq LIMIT 1"
    )[0]
    with tampered(register, seq, number, statement):
        found = differences(register)
    assert found.difference is not None
    assert (found.difference.seq, found.difference.what) == (seq, what)
    assert found.difference.stored != found.difference.computed


@contextmanager
def tampered(register: Register, seq: int, number: str, statement: str) -> Iterator[None]:
    """An entry is changed behind the register's back, and put back as it was."""
    with transaction(register.connection) as cur:
        cur.execute(f"CREATE TABLE kept AS SELECT * FROM entries WHERE seq = {seq}")
        cur.execute(statement.format(seq=seq, number=number))
        assert cur.rowcount == 1
    try:
        yield
    finally:
        with transaction(register.connection) as cur:
            cur.execute(f"DELETE FROM entries WHERE seq = {seq}")
            cur.execute("INSERT INTO entries SELECT * FROM kept")
            cur.execute("DROP TABLE kept")


_A_CASE = (
    "(case_no, title, division, opened_on, undecided, confirmed, excluded, deeds)"
    " VALUES ('C-1', 'of which no deed tells', '310115', now(), 0, 0, 0, 0)"
)
BESIDE = (
    ("record", "UPDATE record_rows SET state = '{}' WHERE key = (SELECT min(key) FROM records WHERE key ^@ 'cert')"),
    ("record", "UPDATE record_rows SET state = replace(state, '示范', '另一') WHERE key = 'scheme/sample'"),
    ("record", "DELETE FROM record_rows WHERE key = (SELECT max(key) FROM record_rows WHERE key ^@ 'key/')"),
    ("record", "UPDATE record_rows SET event = NULL WHERE key = (SELECT max(key) FROM records WHERE key ^@ 'key/')"),
    ("found by", "DELETE FROM places WHERE key = (SELECT min(key) FROM places)"),
    ("found by", "UPDATE record_rows SET product_class = '9999' WHERE key = (SELECT min(key) FROM places)"),
    ("review", "UPDATE record_rows SET under_review = NOT under_review WHERE key = (SELECT min(key) FROM places)"),
    ("review", "DELETE FROM pending"),
    ("holder", "DELETE FROM losing_holders"),
    ("place", "UPDATE head SET status_index = status_index - 1"),
    ("mark", "UPDATE marks SET certificate_no = 'ANOTHER-1' WHERE mark_no = (SELECT min(mark_no) FROM marks)"),
    ("mark", "INSERT INTO marks (mark_no, certificate_no) SELECT 'M-OF-NOBODY', max(certificate_no) FROM marks"),
    ("head of chain", "UPDATE chains SET sequence = 9 WHERE subject = (SELECT min(subject) FROM chains)"),
    ("token", "DELETE FROM entries WHERE seq = (SELECT max(seq) FROM entries WHERE kind = 'token')"),
    (
        "commitment",
        "INSERT INTO entries (seq, kind, digest, subject, decision, recorded_at, leaf)"
        " SELECT size, 'commitment', 'of a report that was taken away', 'R-1', 'accepted', now(), '' FROM head",
    ),
    (
        "report",
        "INSERT INTO complaints (no, secret_hash, received_at, received_on, due_on, content, commitment)"
        " VALUES ('R-1', '', now(), now(), now(), 'another text', 'of the text that was sent')",
    ),
    (
        "commitment",
        "INSERT INTO complaints (no, secret_hash, received_at, received_on, due_on, commitment)"
        " VALUES ('R-2', '', '2001-01-01Z', now(), now(), 'of what never joined the log')",
    ),
    ("case", f"INSERT INTO cases {_A_CASE}"),
    (
        "deed",
        f"WITH opened AS (INSERT INTO cases {_A_CASE}) INSERT INTO case_deeds (case_no, number, at, account, deed,"
        " commitment) VALUES ('C-1', 1, now(), 'pudong-01', '{}', 'of a record that was taken away')",
    ),
    (
        "put aside",
        "INSERT INTO quarantine (position, digest, code, detail, pointer, received_at, recorded_at, record_key, value)"
        " SELECT position, digest, 'bad-event', '', '', received_at, recorded_at, '', convert_to(jws, 'UTF8')"
        " FROM entries WHERE seq = 9",
    ),
    ("pending", "UPDATE pending SET sequence = 1"),
    ("log", "UPDATE entries SET received_at = received_at - interval '1 day' WHERE seq = 9"),
    ("log", "DELETE FROM quarantine WHERE position = (SELECT max(position) FROM quarantine)"),
    ("log", "UPDATE entries SET position = position + 1 WHERE seq = 9"),
)


@pytest.mark.parametrize(("what", "statement"), BESIDE, ids=lambda value: str(value)[:40])
def test_what_lies_beside_the_entries_and_was_tampered_with_is_found(
    register: Register, what: str, statement: str
) -> None:
    values = {key: json.loads(state) for key, state in register.rows("SELECT key, state FROM records")}
    values = {key: value for key, value in values.items() if not key.startswith("certificate/")}
    events = Topics.under(register.settings.topic_prefix).events

    def found(cur: Cursor) -> Difference | None:
        return (
            first_stray(cur, values)
            or first_put_aside(cur, lambda kid, position: values.get(f"key/{kid}"))
            or unaccounted(cur, register.log, events, lambda done: None)
        )

    with suppress(_PutBack), transaction(register.connection) as cur:
        assert found(cur) is None
        cur.execute(statement)
        assert cur.rowcount >= 1
        difference = found(cur)
        assert difference is not None
        assert difference.what == what
        raise _PutBack


@dataclass
class Topic:
    """A topic as somebody left it who may write to it, and holds the seal."""

    records: list[Record]

    def read(self, topic: object, position: int, limit: int) -> list[Record]:
        return [record for record in self.records if record.position >= position][:limit]

    def bounds(self, topic: object) -> tuple[int, int]:
        return 0, self.records[-1].position + 1


@pytest.fixture(scope="module")
def published(register: Register) -> list[Record]:
    """What the relay has published of it."""
    relay = Relay(register.settings)
    while relay.step():
        pass
    relay.drop()
    topic = Topics.under(register.settings.topic_prefix).state
    return register.log.read(topic, 0, 10_000)


def test_what_is_published_is_what_the_register_has(register: Register, published: list[Record]) -> None:
    again = [replace(record, position=record.position + published[-1].position + 1) for record in published]
    assert said_otherwise(register, [*published, *again]) is None, "a crash, or a topic not yet compacted, repeats"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"under_review": True}, "published"),
        ({"recorded_at": "2001-01-01T00:00:00.000Z"}, "published"),
        ({"digest": "0" * 64}, "published"),
        ({"history": [{"seq": 0}]}, "published"),
        ({"tokens": [{}]}, "published"),
        ({"revision": 10**6}, "published"),
        ({"key": "certificate/NOBODYS-1", "revision": -5}, "published"),
        ({"key": "certificate/NOBODYS-1", "revision": -5, "topic": "heartbeat"}, "withheld"),  # readers refuse it
        ({"seal": "A" * 20}, "withheld"),
        ({"gone": True}, "withheld"),
        ({"revision": 1}, "withheld"),
    ],
    ids=str,
)
def test_what_is_published_otherwise_or_withheld_is_found(
    register: Register, published: list[Record], change: dict[str, Any], what: str
) -> None:
    place, record = next((n, r) for n, r in enumerate(published) if r.key.startswith("certificate/"))
    found = said_otherwise(register, [*published[:place], *forged(register, record, **change), *published[place + 1 :]])
    assert found is not None
    assert found.what == what


def forged(register: Register, record: Record, **change: Any) -> list[Record]:
    """A record that says something else, sealed as the real one is."""
    if change.pop("gone", False):
        return []
    key, spoil = load_key(register.settings.seal_key), change.pop("seal", "")
    topic_key = change.pop("topic", change.get("key", record.key))
    payload = json.dumps(json.loads(open_sealed(record.value).payload) | change).encode()
    value = sign_compact({"alg": key.public.alg, "kid": key.public.kid, "typ": TYP}, payload, key)
    value = value[: -len(spoil)] + spoil.encode() if spoil else value
    return [replace(record, key=topic_key, value=value)]


def said_otherwise(register: Register, records: list[Record]) -> Difference | None:
    topic = Topics.under(register.settings.topic_prefix).state
    with transaction(register.connection) as cur:
        end = records[-1].position + 1
        return published_otherwise(cur, cast(Log, Topic(records)), topic, (0, end), lambda done: None)


class _PutBack(Exception):
    """Rolls back what was tampered with."""


def test_a_compromised_key_concerns_what_it_has_signed_alone(register: Register) -> None:
    with transaction(register.connection) as cur:
        cur.execute(
            "SELECT e.digest, c.subject, c.seq FROM entries e JOIN entries c ON c.detail = e.digest"
            " WHERE e.type = 'certmark.key.compromised.v1' AND c.kind = 'consequence' LIMIT 1"
        )
        digest, number, seq = cast("tuple[str, str, int]", cur.fetchone())
        (*row, _) = store.told_by_digest(cur, [digest])[0]
        cause, world = told_one(cast(ToldRow, tuple(row))), decided.Register()
        world.reload(cur)
        cur.execute("SELECT DISTINCT subject FROM entries WHERE source = %s AND kind = 'event'", (BODY,))
        others = [subject for (subject,) in cur.fetchall()]
        assert consequences.has_spoken(cur, cause, world, number, seq)
        assert not any(consequences.has_spoken(cur, cause, world, other, seq) for other in others if other != number)


def test_an_event_that_waited_is_believed_by_its_key_as_of_then(register: Register) -> None:
    retired = key_from_state(
        {
            "v": 1,
            "kind": "key",
            "kid": "K",
            "owner": BODY,
            "purpose": "event",
            "key": dict(new_key().public.jwk),
            "from": ago(100),
            "until": None,
            "retired_on": ago(50),
            "compromised_since": None,
        }
    )
    state = register.rows("SELECT state FROM records WHERE key ^@ 'key/' ORDER BY seq LIMIT 1")[0][0]
    with transaction(register.connection) as cur:
        world = World(cur, register.settings.genesis)
        world.furthest = 10
        world.put("key/K", json.loads(state) | {"from": ago(100), "retired_on": None})
        world.furthest = 20
        world.put("key/K", json.loads(state) | {"from": ago(100), "retired_on": ago(50)})
        world.furthest = 30
        entry = bare_entry("event", 99, "", "", datetime.now(UTC))
        answers = {
            position: was_valid(retired, replace(entry, position=position), world) for position in (5, 15, 25, 30)
        }
    assert answers == {5: False, 15: True, 25: False, 30: False}


def test_the_command_says_so(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CERTMARK_DATABASE_URL", register.settings.database_url)
    monkeypatch.setenv("CERTMARK_DATA", str(register.settings.data))
    monkeypatch.setenv("CERTMARK_GENESIS", register.settings.genesis)
    monkeypatch.setenv("CERTMARK_TOPIC_PREFIX", register.settings.topic_prefix)
    size = register.head().size
    good = CliRunner().invoke(main, ["replay", "--json"])
    whole = {"good": True, "entries": size, "difference": None, "words": None}
    assert (good.exit_code, json.loads(good.output)) == (0, whole)
    with tampered(register, 3, "", "UPDATE entries SET leaf = replace(leaf, digest, subject) WHERE seq = {seq}"):
        bad = CliRunner().invoke(main, ["replay"])
    assert bad.exit_code == 1
    assert "✗ 条目 entry 3: leaf" in bad.output
    for sentence in WORDS["leaf"]:
        assert sentence[5:20] in bad.output
