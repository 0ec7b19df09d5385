"""What is followed on a real register over real connections: nothing missed, nobody else's seen, all signed."""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from services import auth
from services.auth import Role
from services.cli import main
from services.events import detached
from services.events.decision_reader import DecisionReader
from services.events.envelope import open_envelope
from services.events.keyring import Keyring
from services.events.keys import PublicKey, new_key, public_key
from services.postgres import transaction
from services.registry import streams
from services.registry.api import Database
from services.registry.change_feed import changes_after, gaps
from services.registry.decision_feed import BEGINNING, decisions_after
from services.registry.streams import Streams
from tests.conftest import ROOT
from tests.register import AUTHORITY, BODY, OTHER, Register, a_first_event, a_number, a_suspension
from tests.served import Stream, a_token, ask, ask_json, served

PLACES = 10


@pytest.fixture(scope="module")
def url(
    register: Register, free_ports: Callable[[int], list[int]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    (port,) = free_ports(1)
    folder = tmp_path_factory.mktemp("served")
    with served(register.settings, port, folder, CERTMARK_STREAMS=str(PLACES)) as address:
        yield address


@pytest.fixture
def body(register: Register) -> str:
    return a_token(register, Role.SOURCE, BODY)


@pytest.fixture
def regulator(register: Register) -> str:
    return a_token(register, Role.REGULATOR)


@pytest.fixture
def platform(register: Register) -> str:
    return a_token(register, Role.PLATFORM)


def refused(register: Register, number: str) -> str:
    """The digest of an event that is refused."""
    jws = register.tell(BODY, "certificate.suspended", number, a_suspension(reason="S77"))
    assert register.decided(jws)["decision"] == "refused"
    return open_envelope(jws).digest


def put_aside(register: Register, source: str = BODY) -> str:
    """The digest of an event that goes into quarantine: signed by the source's key, and no event of any type."""
    payload = register.payload(source, "certificate.issued", a_number(), a_first_event())
    jws = register.append(register.forged(register.keys[source], payload.replace(b'"signatory"', b'"nobody"')))
    assert register.decided(jws)["decision"] == "quarantined"
    return open_envelope(jws).digest


def everything(url: str, token: str, limit: int, after: str | None = None, source: str | None = None) -> list[Any]:
    items: list[Any] = []
    while True:
        query = f"limit={limit}" + (f"&after={after}" if after else "") + (f"&source={source}" if source else "")
        page = ask_json(url, f"/v1/decisions?{query}", token)
        items += page["items"]
        after = page["next"]
        if not page["items"]:
            return items


# --- who gets in ------------------------------------------------------------------------------------------


def test_without_a_token_that_counts_nobody_gets_in(register: Register, url: str) -> None:
    past = a_token(register, Role.REGULATOR, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    for token in (None, auth.new_token(), past):
        status, headers, problem = ask(url, "/v1/decisions", token)
        assert (status, json.loads(problem)["code"]) == (401, "not-authenticated")
        assert headers["WWW-Authenticate"].startswith("Bearer ")
        if token:
            assert token.encode() not in problem


def test_a_role_opens_what_is_its_own_and_no_more(url: str, body: str, platform: str) -> None:
    for path, token in (("/v1/decisions", platform), (f"/v1/decisions?source={OTHER}", body), ("/v1/feed", body)):
        status, _, problem = ask(url, path, token)
        assert (status, json.loads(problem)["code"]) == (403, "not-permitted"), path


def test_a_revoked_token_opens_nothing_from_then_on(register: Register, url: str) -> None:
    token = a_token(register, Role.REGULATOR)
    assert ask(url, "/v1/decisions?limit=1", token)[0] == 200
    with transaction(register.connection) as cur:
        assert auth.revoke(cur, auth.id_of(token))
        assert not auth.revoke(cur, auth.id_of(token))
    assert ask(url, "/v1/decisions?limit=1", token)[0] == 401


def test_the_register_keeps_hashes_alone(register: Register) -> None:
    token = a_token(register, Role.PLATFORM)
    (row,) = register.rows("SELECT access_tokens::text FROM access_tokens WHERE id = %s", auth.id_of(token))
    assert auth.hash_of(token) in row[0]
    assert token.removeprefix(auth.PREFIX) not in row[0]


def test_a_demonstrations_token_is_nothing_in_production(
    register: Register, url: str, free_ports: Callable[[int], list[int]], tmp_path: Any
) -> None:
    tokens = [a_token(register, Role.PLATFORM, demonstration=demonstration) for demonstration in (True, False)]
    (port,) = free_ports(1)
    with served(register.settings, port, tmp_path, CERTMARK_PRODUCTION="1") as in_production:
        for address, statuses in ((url, [200, 200]), (in_production, [401, 200])):
            assert [ask(address, "/v1/webhooks", token)[0] for token in tokens] == statuses


def test_the_document_names_the_scheme_and_what_needs_it(url: str) -> None:
    document = ask_json(url, "/openapi.json")
    assert document["components"]["securitySchemes"]["token"] == {"type": "http", "scheme": "bearer"}
    for path, needs in (("/v1/decisions", True), ("/v1/feed", True), ("/v1/decisions/{digest}", False)):
        assert ("security" in document["paths"][path]["get"]) is needs, path


# --- decisions, page by page ------------------------------------------------------------------------------


def test_every_decision_of_a_source_comes_once_in_order_and_nobody_elses(
    register: Register, url: str, body: str
) -> None:
    number = register.issue()
    said = [refused(register, number), put_aside(register)]
    register.issue(source=OTHER)
    put_aside(register, OTHER)
    jws = register.tell(BODY, "certificate.suspended", number, a_suspension())
    assert register.decided(jws)["decision"] == "accepted"
    said.append(open_envelope(jws).digest)
    found = everything(url, body, 1000)
    assert [item["digest"] for item in found][-3:] == said
    assert {item["source"] for item in found} == {BODY}
    decided = [item["digest"] for item in found if item["decision"] != "quarantined"]
    rows = register.rows("SELECT digest FROM entries WHERE source = %s AND kind = 'event' ORDER BY seq", BODY)
    assert decided == [digest for (digest,) in rows]
    for limit in (1, 2, 7):
        assert everything(url, body, limit) == found, limit


def test_a_refusal_says_why_and_quarantine_where(register: Register, url: str, body: str) -> None:
    number = register.issue()
    after = ask_json(url, "/v1/decisions?after=latest", body)["next"]
    refused(register, number)
    put_aside(register)
    refusal, quarantined = everything(url, body, 100, after)
    assert (refusal["decision"], refusal["code"], refusal["subject"]) == ("refused", "unknown-reason", number)
    assert refusal["detail_zh"] == f"{refusal['detail'].split()[0]} 不是“暂停”可用的原因代码"
    assert refusal["type"] == "certmark.certificate.suspended.v1"
    assert refusal["pointer"] == "/data/reason"
    assert "S03" in refusal["hint"]
    assert refusal["seq"] is not None
    assert (quarantined["decision"], quarantined["seq"], quarantined["subject"]) == ("quarantined", None, None)
    assert quarantined["code"] == "bad-event"
    assert quarantined["position"] is not None


def test_what_nobody_can_be_told_of_is_the_regulators(register: Register, url: str, body: str, regulator: str) -> None:
    stranger = new_key()
    payload = register.payload(BODY, "certificate.issued", a_number(), a_first_event())
    jws = register.append(register.forged(stranger, payload))
    assert register.decided(jws)["code"] == "unknown-key"
    digest = open_envelope(jws).digest
    assert digest in [item["digest"] for item in everything(url, regulator, 1000)]
    for token in (body, a_token(register, Role.SOURCE, OTHER)):
        assert digest not in [item["digest"] for item in everything(url, token, 1000)]


def test_who_signs_for_another_is_told_and_the_other_is_not(register: Register, url: str, body: str) -> None:
    payload = register.payload(OTHER, "certificate.issued", a_number(), a_first_event())
    jws = register.append(register.forged(register.keys[BODY], payload))
    assert register.decided(jws)["code"] == "not-this-source"
    assert everything(url, body, 1000)[-1]["digest"] == open_envelope(jws).digest


def test_a_regulator_may_ask_for_one_source(register: Register, url: str, regulator: str, body: str) -> None:
    register.issue()
    register.issue(source=OTHER)
    assert everything(url, regulator, 500, source=BODY) == everything(url, body, 500)
    assert {item["source"] for item in everything(url, regulator, 500)} >= {BODY, OTHER, AUTHORITY}


def test_latest_begins_behind_everything(register: Register, url: str, body: str) -> None:
    register.issue()
    page = ask_json(url, "/v1/decisions?after=latest", body)
    assert page["items"] == []
    number = register.issue()
    (item,) = everything(url, body, 10, page["next"])
    assert item["subject"] == number


def test_no_cursor_of_ours_is_a_problem(url: str, body: str) -> None:
    status, _, problem = ask(url, "/v1/decisions?after=7", body)
    assert (status, json.loads(problem)["pointer"]) == (400, "/after")


def test_a_source_among_many_is_read_by_index(register: Register) -> None:
    with transaction(register.connection) as cur:
        decisions_after(cur, BODY, BEGINNING, 10)
        assert cur.query is not None
        asked = cur.query.decode()
        cur.execute("SET LOCAL enable_seqscan = off")
        cur.execute(f"EXPLAIN {asked}")
        plan = "\n".join(line for (line,) in cur.fetchall())
    assert "entries_source" in plan
    assert "quarantine_source" in plan


def test_no_cache_between_keeps_what_needs_a_token(url: str, body: str, platform: str) -> None:
    for path, token in (("/v1/decisions", body), ("/v1/feed", platform), ("/v1/webhooks", body)):
        for given in (token, None):
            _, headers, _ = ask(url, path, given)
            assert "no-store" in headers["Cache-Control"] or headers["Cache-Control"] == "private, no-cache", path
            assert "Authorization" in headers["Vary"]


def test_a_child_stands_no_better_than_its_parent(register: Register, url: str, platform: str) -> None:
    parent = register.issue()
    child = register.issue(parent_no=parent)
    before = a_page(url, platform, 0)
    standings = {item["certificate_no"]: item["standing"] for item in before["items"] if item["kind"] == "certificate"}
    assert (standings[parent], standings[child]) == ("valid", "valid")
    assert register.say(BODY, "certificate.suspended", parent, a_suspension())["decision"] == "accepted"
    after = a_page(url, platform, 0)
    standings = {item["certificate_no"]: item["standing"] for item in after["items"] if item["kind"] == "certificate"}
    assert (standings[parent], standings[child]) == ("suspended", "suspended")


# --- decisions as a stream --------------------------------------------------------------------------------


def test_a_stream_gives_what_there_is_and_then_what_comes(register: Register, url: str, body: str) -> None:
    there = everything(url, body, 1000)
    stream = Stream(url, "/v1/decisions", body)
    with contextlib.closing(stream):
        assert stream.status == 200
        assert stream.headers.get_content_type() == "text/event-stream"
        assert stream.line() == "retry: 1000"
        assert [stream.event() for _ in there] == there
        waited = []
        for _ in range(3):
            jws = register.tell(BODY, "certificate.issued", a_number(), a_first_event())
            register.issue(source=OTHER)
            register.decided(jws)
            decided = time.monotonic()
            assert stream.event()["digest"] == open_envelope(jws).digest
            waited.append(time.monotonic() - decided)
        assert min(waited) < 1
        digest = put_aside(register)
        assert stream.event()["digest"] == digest


def test_a_stream_is_taken_up_behind_the_last_event(register: Register, url: str, body: str) -> None:
    first = Stream(url, "/v1/decisions?after=latest", body)
    with contextlib.closing(first):
        first.line()
        numbers = [register.issue() for _ in range(3)]
        seen = first.event()
    assert seen["subject"] == numbers[0]
    again = Stream(url, "/v1/decisions?after=latest", body, Last_Event_ID=seen["cursor"])
    with contextlib.closing(again):
        assert [again.event()["subject"] for _ in range(2)] == numbers[1:]


def test_a_stream_outlives_the_databases_connections(register: Register, url: str, body: str) -> None:
    stream = Stream(url, "/v1/decisions?after=latest", body)
    with contextlib.closing(stream):
        stream.line()
        number = register.issue()
        assert stream.event()["subject"] == number
        register.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid()"
        )
        register.worker.close()  # ours were among them
        register.log.close()
        number = register.issue()
        assert stream.event()["subject"] == number


def test_readers_that_stay_are_bounded_and_one_leaves_room_for_another(register: Register, url: str) -> None:
    tokens = [a_token(register, Role.SOURCE, BODY) for _ in range(PLACES // 2)]
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(contextlib.closing(Stream(url, "/v1/decisions", t))) for t in tokens * 2]
        assert {stream.status for stream in opened} == {200}
        more = stack.enter_context(contextlib.closing(Stream(url, "/v1/decisions", a_token(register, Role.REGULATOR))))
        assert (more.status, more.headers["Retry-After"]) == (503, "5")
        assert json.loads(more.body())["code"] == "too-many-streams"
        assert ask(url, "/v1/decisions?limit=1", tokens[0])[0] == 200, "pages are answered all the same"
        opened[0].close()
        deadline = time.monotonic() + 5
        while (again := Stream(url, "/v1/decisions", tokens[0])).status != 200:
            again.close()
            assert time.monotonic() < deadline
        stack.enter_context(contextlib.closing(again))
        share = stack.enter_context(contextlib.closing(Stream(url, "/v1/decisions", tokens[1])))
        assert (share.status, json.loads(share.body())["code"]) in (
            (429, "too-many-requests"),
            (503, "too-many-streams"),
        )


def test_a_quiet_stream_has_a_heartbeat_and_ends_with_its_token(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process, where a heartbeat need not take fifteen seconds."""
    monkeypatch.setattr(streams, "HEARTBEAT", 0.05)
    register.issue()
    token = a_token(register, Role.SOURCE, BODY)
    with transaction(register.connection) as cur:
        caller = auth.find(cur, token, demonstration=True)
    assert caller is not None
    opened = Streams(register.settings, Database(register.settings).read).open(caller, BODY, BEGINNING)

    async def read() -> list[bytes]:
        pieces: list[bytes] = []
        async for piece in opened.pieces():
            pieces.append(piece)
            if pieces.count(b": \n\n") == 2:
                with transaction(register.connection) as cur:
                    auth.revoke(cur, caller.id)
        return pieces

    with ThreadPoolExecutor(1) as alone:  # a browser's test may have left a loop in this thread
        pieces = alone.submit(asyncio.run, asyncio.wait_for(read(), 10)).result()
    assert pieces[0] == b"retry: 1000\n\n"
    assert pieces[1].startswith(b"id: ")
    assert 2 <= pieces.count(b": \n\n") <= 3
    opened.close()


def test_a_plain_server_gives_what_there_is_and_the_reader_comes_again(register: Register) -> None:
    token = a_token(register, Role.SOURCE, BODY)
    with transaction(register.connection) as cur:
        caller = auth.find(cur, token, demonstration=True)
        page = decisions_after(cur, BODY, BEGINNING, streams.PAGE)
    assert caller is not None
    opened = Streams(register.settings, Database(register.settings).read).open(caller, BODY, BEGINNING)
    assert b"".join(opened.once()).count(b"\nevent: decision\n") == len(page.items)


def test_the_command_lines_reader_goes_on_where_it_was(register: Register, url: str, body: str) -> None:
    for _ in range(2):
        register.issue()
    reader = DecisionReader(url, body, BODY)
    there = list(reader.read(None))
    assert there == everything(url, body, 1000)
    following = reader.follow(there[-2]["cursor"])
    assert next(following) == there[-1]
    number = register.issue()
    assert next(following)["subject"] == number


# --- changes ----------------------------------------------------------------------------------------------


def key_at(url: str) -> Callable[[str], PublicKey]:
    return lambda kid: public_key(ask_json(url, f"/v1/keys/{kid}")["key"])


def a_page(url: str, token: str, after: int, limit: int = 1000) -> dict[str, Any]:
    """A page of the feed, its signature and its stretch checked as a reader does."""
    status, headers, body = ask(url, f"/v1/feed?after={after}&limit={limit}", token)
    assert status == 200, body
    said = detached.check_detached(headers[detached.HEADER], body, key_at(url))
    page: dict[str, Any] = json.loads(body)
    assert abs(said.at - datetime.fromisoformat(page["as_of"])) < timedelta(seconds=1)
    present = [item["revision"] for item in page["items"]]
    assert page["after"] == after
    assert page["replaced"] == gaps(after, present, page["complete_to"])
    assert page["next"] == str(page["complete_to"])
    for item in page["items"]:
        state = json.dumps(item["state"], ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        assert sha256(state.encode()).hexdigest() == item["state_digest"]
    return page


def test_every_record_comes_at_its_last_revision_and_nothing_is_missing(
    register: Register, url: str, platform: str
) -> None:
    for _ in range(3):
        refused(register, register.issue())
        assert register.say(BODY, "certificate.suspended", register.issue(), a_suspension())["decision"] == "accepted"
    for limit in (3, 1000):
        after = 0
        found: dict[str, Any] = {}
        while True:
            page = a_page(url, platform, after, limit)
            assert all(item["key"] not in found for item in page["items"])
            found |= {item["key"]: item for item in page["items"]}
            after = page["complete_to"]
            if after == page["revision"]:
                break
        rows = register.rows("SELECT key, revision, seq, digest, state FROM records")
        assert {key: tuple(row) for key, *row in rows} == {
            key: (
                item["revision"],
                item["seq"],
                item["digest"],
                json.dumps(item["state"], ensure_ascii=False, separators=(",", ":")),
            )
            for key, item in found.items()
        }
        assert page["seq"] == register.head().size - 1


def test_a_change_comes_behind_the_place_and_the_old_revision_is_named_as_replaced(
    register: Register, url: str, platform: str
) -> None:
    before = a_page(url, platform, 0)["revision"]
    number = register.issue()
    other = register.issue()
    first = a_page(url, platform, before)
    assert [item["certificate_no"] for item in first["items"]] == [number, other]
    assert first["items"][0]["standing"] == "valid"
    assert register.say(BODY, "certificate.suspended", number, a_suspension())["decision"] == "accepted"
    late = a_page(url, platform, before)
    assert [item["certificate_no"] for item in late["items"]] == [other, number]
    assert late["replaced"] == [[before + 1, before + 1]]
    (change,) = a_page(url, platform, first["complete_to"])["items"]
    assert (change["certificate_no"], change["standing"], change["revision"]) == (number, "suspended", before + 3)


def test_nothing_new_is_an_empty_page_and_304_for_who_says_what_he_has(
    register: Register, url: str, platform: str
) -> None:
    end = a_page(url, platform, 0)["revision"]
    page = a_page(url, platform, end)
    assert (page["items"], page["complete_to"], page["replaced"]) == ([], end, [])
    path = f"/v1/feed?after={end}"
    tag = ask(url, path, platform)[1]["ETag"]
    assert tag.startswith('W/"')
    assert ask(url, path, platform, If_None_Match=tag)[0] == 304
    register.issue()
    assert ask(url, path, platform, If_None_Match=tag)[0] == 200


def test_the_whole_page_as_one_jws(url: str, platform: str) -> None:
    status, headers, body = ask(url, "/v1/feed?limit=3", platform, Accept="application/jose")
    assert (status, headers.get_content_type()) == (200, "application/jose")
    head, payload, signature = body.decode().split(".")
    page = detached._unbase64(payload)
    detached.check_detached(f"{head}..{signature}", page, key_at(url))
    assert len(json.loads(page)["items"]) == 3


def test_a_place_ahead_of_the_register_is_a_problem(register: Register, url: str, platform: str) -> None:
    ahead = register.head().revision + 1
    status, _, problem = ask(url, f"/v1/feed?after={ahead}", platform)
    assert (status, json.loads(problem)["pointer"]) == (400, "/after")


def test_a_page_ends_where_its_states_grow_too_long(register: Register) -> None:
    with transaction(register.connection) as cur:
        changes = changes_after(cur, 0, 1000, largest=1)
    assert len(changes.items) == 1
    assert changes.complete_to == changes.items[0].revision < changes.revision


def test_the_key_of_the_signature_is_believed_through_its_event(register: Register, url: str, platform: str) -> None:
    """With nothing but the pinned digest: the events of the key and of its signer, asked for by kid."""
    _, headers, body = ask(url, "/v1/feed?limit=1", platform)
    signed = headers[detached.HEADER]
    kid = json.loads(detached._unbase64(signed.partition(".")[0]))["kid"]
    keyring = Keyring(register.settings.genesis)
    seal = ask_json(url, f"/v1/keys/{kid}")
    signer = ask_json(url, f"/v1/keys/{open_envelope(seal['event'].encode()).kid}")
    for event in (signer["event"], seal["event"]):
        keyring.learn_event(event.encode())
    detached.check_detached(signed, body, lambda named: keyring.seal_key(named, datetime.now(UTC)))
    assert ask(url, "/v1/keys/nobodys")[0] == 404


def test_who_cannot_sign_says_so(
    register: Register, free_ports: Callable[[int], list[int]], platform: str, tmp_path: Any
) -> None:
    (port,) = free_ports(1)
    with served(register.settings, port, tmp_path, CERTMARK_SEAL_KEY=str(tmp_path / "none.pem")) as address:
        status, _, problem = ask(address, "/v1/feed", platform)
    assert (status, json.loads(problem)["code"]) == (503, "no-seal")


# --- by the command line and by the documentation's example -----------------------------------------------------


@pytest.fixture
def certmark(register: Register, url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The program on this register, as its operator or a body's engineer runs it."""
    monkeypatch.setenv("CERTMARK_DATA", str(register.settings.data))
    monkeypatch.setenv("CERTMARK_DATABASE_URL", register.settings.database_url)
    monkeypatch.setenv("CERTMARK_REGISTRY_PORT", url.rpartition(":")[2])

    def run(*words: str) -> Result:
        return CliRunner().invoke(main, words)

    return run


def test_a_token_made_on_the_command_line_counts_until_it_is_revoked(
    register: Register, url: str, certmark: Callable[..., Result]
) -> None:
    made = certmark("tokens", "new", "source", "--source", "CNCA-R-2019-7902", "--json")
    assert made.exit_code == 0, made.output
    said = json.loads(made.stdout)
    file = register.settings.keys / "CNCA-R-2019-7902.token"
    assert (said["file"], said["holder"]) == (str(file), OTHER)
    token = auth.read_token(file)
    assert token not in made.output
    assert ask(url, "/v1/decisions?limit=1", token)[0] == 200
    again = certmark("tokens", "new", "source", "--source", "CNCA-R-2019-7902")
    assert (again.exit_code, "never overwritten" in again.output) == (2, True)
    listed = certmark("tokens", "list").output
    (line,) = [line for line in listed.splitlines() if line.startswith(said["id"])]
    assert "counts" in line
    assert token not in listed
    assert certmark("tokens", "revoke", said["id"]).exit_code == 0
    assert certmark("tokens", "revoke", said["id"]).exit_code == 1
    assert ask(url, "/v1/decisions?limit=1", token)[0] == 401
    last = next(line for line in certmark("tokens", "list", "--json").stdout.splitlines() if said["id"] in line)
    assert json.loads(last)["revoked_at"] is not None


@pytest.mark.parametrize(
    "words",
    [
        ("source",),
        ("source", "--source", "CNCA-R-2019-7901", "--name", "x"),
        ("platform", "--source", "CNCA-R-2019-7901"),
        ("platform", "--district", "310115"),
        ("inspector", "--district", "31011"),
        ("public",),
    ],
)
def test_a_token_of_no_role_is_not_made(words: tuple[str, ...], certmark: Callable[..., Result]) -> None:
    assert certmark("tokens", "new", *words).exit_code == 2


def test_an_inspectors_token_has_a_district(register: Register, certmark: Callable[..., Result]) -> None:
    made = certmark(
        "tokens", "new", "inspector", "--name", "pudong-7", "--district", "310115", "--days", "30", "--json"
    )
    token = auth.read_token(register.settings.keys / "pudong-7.token")
    with transaction(register.connection) as cur:
        caller = auth.find(cur, token, demonstration=False)
    assert caller == auth.Caller(json.loads(made.stdout)["id"], Role.INSPECTOR, "pudong-7", "310115")


def test_the_command_line_shows_a_sources_decisions(
    register: Register, certmark: Callable[..., Result], tmp_path: Path, body: str
) -> None:
    number = register.issue()
    refused(register, number)
    file = tmp_path / "body.token"
    auth.write_token(file, body)
    words = ("decision", "--source", "CNCA-R-2019-7901", "--token", str(file))
    shown = certmark(*words)
    assert shown.exit_code == 0, shown.output
    assert f"refused: unknown-reason  certificate.suspended {number}" in shown.output
    items = [
        json.loads(line)
        for line in certmark("decision", "--source", BODY, "--token", str(file), "--json").stdout.splitlines()
    ]
    after = items[-2]["cursor"]
    (last,) = certmark(
        "decision", "--source", BODY, "--token", str(file), "--after", after, "--json"
    ).stdout.splitlines()
    assert json.loads(last) == items[-1]
    both = certmark("decision", items[-1]["digest"], items[-2]["digest"], "--json")
    assert [json.loads(line)["decision"] for line in both.stdout.splitlines()] == ["refused", "accepted"]
    assert both.exit_code == 1
    assert certmark(*words, "--after", "nowhere").exit_code == 2, "what the service cannot read is wrong use, not a no"
    nobody = certmark("decision", "--source", OTHER, "--token", str(file))
    assert (nobody.exit_code, "not-permitted" in nobody.output) == (1, True)


@pytest.mark.parametrize(
    "words", [(), ("--source", BODY, "0" * 64), ("0" * 64, "--follow"), ("--source", BODY, "--token", "/nowhere")]
)
def test_digests_or_a_source_and_not_both(words: tuple[str, ...], certmark: Callable[..., Result]) -> None:
    assert certmark("decision", *words).exit_code == 2


def test_the_example_follows(register: Register, url: str, body: str, tmp_path: Path) -> None:
    file = tmp_path / "body.token"
    auth.write_token(file, body)
    cursor = ask_json(url, "/v1/decisions?after=latest", body)["next"]
    number = register.issue()
    example = ROOT / "docs" / "examples" / "follow_decisions.py"
    with subprocess.Popen(
        [sys.executable, "-I", str(example), str(file), cursor],
        env={"CERTMARK_REGISTRY_PORT": url.rpartition(":")[2]},
        stdout=subprocess.PIPE,
        text=True,
    ) as follower:
        assert follower.stdout is not None
        try:
            assert follower.stdout.readline().split()[1:] == ["accepted", number]
            refused(register, number)
            assert follower.stdout.readline().split()[1:] == ["refused", "unknown-reason", number]
        finally:
            follower.kill()
    wrong = tmp_path / "wrong.token"
    auth.write_token(wrong, auth.new_token())
    ended = subprocess.run(
        [sys.executable, "-I", str(example), str(wrong)],
        env={"CERTMARK_REGISTRY_PORT": url.rpartition(":")[2]},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (ended.returncode, "not-authenticated" in ended.stderr) == (1, True)
