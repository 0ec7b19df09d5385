"""Unit codes on a real register: announced, brought, relayed, looked up, voided; serials signed and read offline."""

import base64
import csv
import gzip
import hashlib
import http.client
import io
import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from services.auth import Role
from services.cli import main
from services.domain.unit_code import public_hash, set_digest
from services.embedded import EmbeddedPostgres
from services.events.keys import save_key
from services.events.log import Topics
from services.marks.token import MarkKey, MarkPath, from_decimal, open_token, verify_token
from services.migrate import migrate
from services.postgres import connect, transaction
from services.registry.change_feed import changes_after
from services.registry.code_runs import runs_with
from services.registry.relay import Relay
from services.registry.unit_tokens import Signer, commitment_to
from services.settings import settings_from
from services.verify import register as verify_register
from services.verify.answer import Answer, decide
from services.verify.as_json import as_json
from services.verify.looked_up import unit_of
from services.verify.projector import Projector
from services.verify.recognise import recognise
from services.verify.wording import Code
from tests.conftest import a_database
from tests.register import (
    AUTHORITY,
    BODY,
    OTHER,
    SERVICES,
    TODAY,
    Register,
    a_number,
    accepted,
    ago,
    ahead,
    refused_for,
)
from tests.served import a_token, ask, served

GTIN = "06909900123007"


@dataclass
class Node:
    """The registry's service, its relay and signer, and a verify node behind them."""

    register: Register
    url: str
    relay: Relay
    signer: Signer
    projector: Projector
    reader: verify_register.Register
    tokens: dict[str, str]

    def bring(self, body: bytes, query: str = "", source: str = BODY, **headers: str) -> tuple[int, dict[str, Any]]:
        """POST /v1/code-sets: (status, answer)."""
        return self.ask("POST", f"/v1/code-sets{query}", body, source, **({"Content_Type": "text/plain"} | headers))

    def ask(
        self, method: str, path: str, body: bytes | None, source: str = BODY, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(connection):
            connection.request(method, path, body, given | {"Authorization": f"Bearer {self.tokens[source]}"})
            answer = connection.getresponse()
            raw = answer.read()
            return answer.status, json.loads(raw) if raw else {}

    def catch_up(self) -> None:
        while self.relay.step():
            pass
        while self.projector.step(0.0):
            pass

    def answer(self, text: str) -> Answer:
        self.catch_up()
        return decide(recognise(text, ("v.example",)), self.reader, datetime.now(UTC), timedelta(hours=24))


@pytest.fixture(scope="module")
def node(
    postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory, free_ports: Any
) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("codes")
    with a_database(postgres_server) as url:
        environment = {
            "CERTMARK_DATA": str(folder / "data"),
            "CERTMARK_DATABASE_URL": url,
            "CERTMARK_TOPIC_PREFIX": f"t{uuid.uuid4().hex[:12]}",
        }
        register = Register.begin(settings_from(environment))
        (port,) = free_ports(1)
        topic = Topics.under(register.settings.topic_prefix).state
        with served(register.settings, port, folder, CERTMARK_PUBLIC_URL="https://v.example") as at:
            projector = Projector(register.log, topic, register.settings.genesis, folder / "verify")
            tokens = {source: a_token(register, Role.SOURCE, source) for source in (BODY, OTHER)}
            made = Node(
                register,
                at,
                Relay(register.settings),
                Signer(register.settings),
                projector,
                verify_register.Register(folder / "verify"),
                tokens,
            )
            yield made
            made.signer.drop()
            made.relay.drop()
            projector.close()
            made.reader.model.close()
        register.close()


def a_mark(register: Register, **data: Any) -> tuple[str, str]:
    """(certificate, mark) that units may bear codes of."""
    number, mark_no = register.issue("coded"), f"MK-{a_number()}"
    said = {
        "effective_at": ago(300),
        "mark_no": mark_no,
        "mark": "sample-mark",
        "products": [{"model": "A1", "gtin": GTIN}],
        "valid_until": ahead(400),
    }
    assert accepted(register.say(BODY, "mark.authorized", number, said | data))
    return number, mark_no


def some_codes(count: int, digits: int = 12) -> list[str]:
    """Codes that no other test has, in ascending order."""
    return sorted({f"790326{uuid.uuid4().int % 10**digits:0{digits}d}" for _ in range(count)})


def an_announcement(mark_no: str, codes: list[str], **data: Any) -> dict[str, Any]:
    return {
        "effective_at": ago(10),
        "mark_no": mark_no,
        "product": "A1",
        "quantity": len(codes),
        "rule_version": "2024",
        "digest": set_digest(codes),
    } | data


def announced(node: Node, codes: list[str], **data: Any) -> tuple[str, str]:
    """(certificate, mark) of an accepted announcement of these codes."""
    number, mark_no = a_mark(node.register)
    decision = node.register.say(BODY, "mark.codes_issued", number, an_announcement(mark_no, codes, **data))
    assert accepted(decision), decision
    return number, mark_no


def parts_left(node: Node, codes: list[str]) -> int:
    sql = "SELECT count(*) FROM code_parts p JOIN code_runs r ON r.id = p.run WHERE r.digest = %s"
    count: int = node.register.rows(sql, set_digest(codes))[0][0]
    return count


def lines(codes: list[str]) -> bytes:
    return "\n".join(codes).encode() + b"\n"


# --- announcing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"product": "Z9"}, "scheme-rule"),
        ({"rule_version": "1999"}, "scheme-rule"),
        ({"rule_version": "2016"}, "scheme-rule"),  # its last day is past
        ({"form": "serial"}, "scheme-rule"),  # below no GTIN
        ({"form": "serial", "gtin": "06909900200012"}, "scheme-rule"),  # another product's
        ({"effective_at": ago(301)}, "transition-not-allowed"),  # the mark was not authorized yet
        ({"effective_at": ahead(31)}, "bad-dates"),
        ({"quantity": 11}, "quantity-exceeded"),
    ],
)
def test_an_announcement_is_held_to_the_rules(node: Node, said: dict[str, Any], code: str) -> None:
    number, mark_no = a_mark(node.register, quantity=10)
    data = an_announcement(mark_no, some_codes(10)) | said
    assert refused_for(node.register.say(BODY, "mark.codes_issued", number, data)) == code


def test_the_quantity_is_counted_over_all_sets_and_no_set_comes_twice(node: Node) -> None:
    register = node.register
    number, mark_no = a_mark(register, quantity=10)
    first, second = some_codes(6), some_codes(5)
    assert accepted(register.say(BODY, "mark.codes_issued", number, an_announcement(mark_no, first)))
    again = register.say(BODY, "mark.codes_issued", number, an_announcement(mark_no, first, quantity=1))
    assert refused_for(again) == "codes-taken"
    beyond = register.say(BODY, "mark.codes_issued", number, an_announcement(mark_no, second))
    assert refused_for(beyond) == "quantity-exceeded"
    assert accepted(register.say(BODY, "mark.codes_issued", number, an_announcement(mark_no, second[:4])))


def test_two_rules_hold_on_days_between(node: Node) -> None:
    register = node.register
    number, mark_no = a_mark(register)
    old = an_announcement(mark_no, some_codes(2, digits=11), rule_version="2016", effective_at=ago(250))
    new = an_announcement(mark_no, some_codes(2), effective_at=ago(250))
    assert accepted(register.say(BODY, "mark.codes_issued", number, old))
    assert accepted(register.say(BODY, "mark.codes_issued", number, new))


# --- bringing -------------------------------------------------------------------------------------------------------


def test_a_code_answers_once_its_set_is_whole(node: Node) -> None:
    codes = some_codes(3000)
    number, mark_no = announced(node, codes)
    assert node.answer(codes[7]).code is Code.UNKNOWN_NUMBER
    status, said = node.bring(lines(codes))
    assert (status, said["state"], said["received"]) == (200, "stored", 3000)
    answer = node.answer(codes[7])
    assert (answer.code, answer.certificate and answer.certificate.certificate_no) == (Code.VALID, number)
    assert answer.mark is not None
    assert answer.mark.mark_no == mark_no
    assert answer.item is not None
    assert answer.item.model == "A1"
    unit = as_json(answer)["unit"]
    assert (unit["code"], unit["issued"], unit["product"], unit["issued_on"]) == (codes[7], True, "A1", ago(10))
    assert unit_of(answer) == b"u" + codes[7].encode(), "its look-ups are counted"
    assert unit_of(node.answer(some_codes(1)[0])) is None, "others' are not"
    full_width = "".join(chr(ord(digit) + 0xFEE0) for digit in codes[7])
    assert node.answer(f" {full_width[:9]} {full_width[9:]}").code is Code.VALID
    assert node.bring(lines(codes))[1] == said, "the same again changes nothing"


def test_nothing_but_hashes_is_left_of_a_code(node: Node) -> None:
    codes = some_codes(300)
    announced(node, codes)
    assert node.bring(gzip.compress(lines(codes)), Content_Encoding="gzip")[0] == 200
    node.catch_up()
    texts = node.register.rows("SELECT state || tokens FROM records WHERE key LIKE 'codes/%%'")
    texts += node.register.rows("SELECT hash::text FROM code_hashes")
    everything = "".join(text for (text,) in texts)
    assert not any(code in everything for code in codes[:20])
    assert parts_left(node, codes) == 0
    keys = [row[0] for row in node.register.rows("SELECT key FROM records WHERE key LIKE 'codes/%%'")]
    with transaction(node.register.connection) as cur:
        feed = changes_after(cur, 0, 100_000)
    assert keys
    assert not {item.key for item in feed.items} & set(keys), "the change feed leaves them out"
    assert feed.complete_to == feed.revision


def test_a_code_answers_with_its_certificates_scope_and_standing(node: Node) -> None:
    codes = some_codes(5)
    number, _ = announced(node, codes)
    assert node.bring(lines(codes))[0] == 200
    gone = {
        "effective_at": TODAY.isoformat(),
        "items": [{"op": "added", "model": "B1"}, {"op": "removed", "model": "A1"}],
    }
    amended = node.register.say(BODY, "certificate.amended", number, gone)["digest"]
    assert node.answer(codes[0]).code is Code.OUT_OF_SCOPE
    undo(node, amended)
    data = {"effective_at": TODAY.isoformat(), "reason": "S03", "until": ahead(60)}
    assert accepted(node.register.say(BODY, "certificate.suspended", number, data))
    answer = node.answer(codes[0])
    assert answer.code is Code.SUSPENDED
    assert answer.unit is not None
    assert answer.unit.issued


def test_an_annulled_announcement_leaves_no_code(node: Node) -> None:
    codes = some_codes(5)
    number, mark_no = a_mark(node.register)
    jws = node.register.tell(BODY, "mark.codes_issued", number, an_announcement(mark_no, codes))
    digest = node.register.decided(jws)["digest"]
    assert node.bring(lines(codes))[0] == 200
    assert node.answer(codes[0]).code is Code.VALID
    undo(node, digest)
    assert node.answer(codes[0]).code is Code.UNKNOWN_NUMBER


def undo(node: Node, digest: str) -> None:
    """Let the authority annul what a source said."""
    undone = {"effective_at": TODAY.isoformat(), "digest": digest, "instrument": "复议决定"}
    assert accepted(node.register.say(AUTHORITY, "decision.annulled", digest, undone))
    while node.register.worker.step():
        pass


def test_a_large_set_comes_in_pieces_and_goes_on_where_it_stopped(node: Node) -> None:
    codes = some_codes(900)
    announced(node, codes)
    digest = set_digest(codes)
    assert node.bring(lines(codes[:400]), f"?digest={digest}")[1]["received"] == 400
    status, problem = node.bring(lines(codes[500:]), f"?digest={digest}&from=500")
    assert (status, problem["code"]) == (409, "set-out-of-order")
    assert node.ask("GET", f"/v1/code-sets/{digest}", None)[1]["received"] == 400
    assert node.bring(lines(codes[300:600]), f"?digest={digest}&from=300")[1]["received"] == 600
    said = node.bring(lines(codes[600:]), f"?digest={digest}&from=600")[1]
    assert (said["state"], said["received"]) == ("stored", 900)


def test_another_set_than_announced_is_dropped_whole(node: Node) -> None:
    codes = some_codes(20)
    announced(node, codes)
    digest = set_digest(codes)
    wrong = sorted([*codes[:-1], "790399999999999999"])
    status, problem = node.bring(lines(wrong), f"?digest={digest}")
    assert (status, problem["code"]) == (409, "set-does-not-match")
    assert node.ask("GET", f"/v1/code-sets/{digest}", None)[1]["state"] == "announced"
    assert node.bring(lines(codes))[0] == 200


def test_a_code_is_issued_once(node: Node) -> None:
    codes = some_codes(10)
    announced(node, codes)
    assert node.bring(lines(codes))[0] == 200
    with_one_of_them = sorted([*some_codes(4), codes[3]])
    announced(node, with_one_of_them)
    status, problem = node.bring(lines(with_one_of_them))
    assert (status, problem["code"]) == (409, "codes-taken")
    assert parts_left(node, with_one_of_them) == 0
    assert codes[3] not in json.dumps(problem), "no code is in a message, which may be logged"


BAD = {
    "nobody announced it": (lines(["790326000000000001"]), {}, 409, "set-does-not-match"),
    "twice": (b"790326000000000001\n790326000000000001\n", {}, 400, "bad-codes"),
    "full-width digits": ("７９０３２６０００００００００００１\n".encode(), {}, 400, "bad-codes"),
    "an empty line": (b"790326000000000001\n\n790326000000000002\n", {}, 400, "bad-codes"),
    "nothing": (b"", {}, 400, "bad-codes"),
    "a line of 3 MB": (b"7" * 3_000_000, {}, 400, "bad-codes"),
    "ten MB": (b"7" * 10_000_000, {}, 413, "too-large"),
    "a bomb": (gzip.compress(b"7" * 100_000_000), {"Content_Encoding": "gzip"}, 413, "too-large"),
    "half a gzip": (gzip.compress(b"7" * 1000)[:-9], {"Content_Encoding": "gzip"}, 400, "bad-request"),
    "no gzip": (b"7903", {"Content_Encoding": "gzip"}, 400, "bad-request"),
    "JSON": (b"[]", {"Content_Type": "application/json"}, 415, "unsupported-media-type"),
    "another packing": (b"[]", {"Content_Encoding": "br"}, 415, "unsupported-media-type"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_set_of_codes_is_refused_by_name(node: Node, name: str) -> None:
    body, headers, status, code = BAD[name]
    answered, problem = node.bring(body, **headers)
    assert (answered, problem["code"]) == (status, code)


def test_a_code_of_another_form_than_its_rule_is_refused(node: Node) -> None:
    codes = sorted([*some_codes(3), "7903260000000001"])
    announced(node, codes)
    status, problem = node.bring(lines(codes))
    assert (status, problem["code"]) == (400, "bad-codes")


def test_only_its_source_brings_a_set(node: Node) -> None:
    codes = some_codes(3)
    announced(node, codes)
    assert node.bring(lines(codes), source=OTHER)[1]["code"] == "set-does-not-match"
    assert ask(node.url, "/v1/code-sets", None, "POST")[0] == 401
    assert ask(node.url, "/v1/code-sets", a_token(node.register, Role.REGULATOR), "POST")[0] == 403
    assert node.ask("GET", f"/v1/code-sets/{set_digest(codes)}", None, source=OTHER)[0] == 404


# --- voiding --------------------------------------------------------------------------------------------------------


def hash_of(node: Node, mark_no: str, code: str, source: str = BODY, **more: str) -> tuple[int, dict[str, Any]]:
    asked = json.dumps({"mark_no": mark_no, "codes": [code]} | more).encode()
    return node.ask("POST", "/v1/code-hashes", asked, source, Content_Type="application/json")


def test_one_code_is_voided_and_the_others_of_its_run_are_not(node: Node) -> None:
    codes = some_codes(5)
    number, mark_no = announced(node, codes)
    assert node.bring(lines(codes))[0] == 200
    status, said = hash_of(node, mark_no, codes[2])
    assert (status, said["public_hashes"]) == (200, None), "nobody asks for typed codes offline"
    assert hash_of(node, mark_no, codes[2], OTHER)[1]["code"] == "no-such-code"
    assert hash_of(node, mark_no, "790326000000000009")[1]["code"] == "no-such-code"
    void = {"effective_at": TODAY.isoformat(), "mark_no": mark_no, "code": said["items"][0], "reason": "V03"}
    assert (
        refused_for(node.register.say(BODY, "mark.code_voided", number, void | {"reason": "S03"})) == "unknown-reason"
    )
    assert accepted(node.register.say(BODY, "mark.code_voided", number, void))
    assert refused_for(node.register.say(BODY, "mark.code_voided", number, void)) == "nothing-to-change"
    answer = node.answer(codes[2])
    assert (answer.code, answer.interval and answer.interval.reason) == (Code.MARK_NOT_AUTHORIZED, "V03")
    assert as_json(answer)["unit"]["voided"]["reason"]["code"] == "V03"
    assert node.answer(codes[1]).code is Code.VALID


# --- serials --------------------------------------------------------------------------------------------------------


def test_serials_are_signed_as_a_job_and_one_entry_stands_for_all(node: Node) -> None:
    serials = sorted(f"A{uuid.uuid4().hex[:10]}" for _ in range(120))
    number, mark_no = announced(node, serials, form="serial", gtin=GTIN, rule_version="1")
    place = next(t for t in json.loads(node.register.record(f"certificate/{number}").tokens) if "serials" in t)
    digest = set_digest(serials)
    assert node.bring(lines(serials))[0] == 200
    assert node.ask("GET", f"/v1/code-sets/{digest}/tokens", None)[1]["code"] == "tokens-not-signed"
    asked = node.bring(lines(serials), "?tokens=true")[1]
    assert asked["job"]["state"] == "queued"
    while node.signer.step():
        pass
    job = node.ask("GET", f"/v1/code-sets/{digest}", None)[1]["job"]
    assert (job["state"], job["done"], job["total"]) == ("done", 120, 120)
    status, _, body = ask(node.url, f"/v1/code-sets/{digest}/tokens", node.tokens[BODY])
    assert status == 200
    rows = list(csv.DictReader(io.StringIO(body.decode())))
    assert [row["serial"] for row in rows] == serials
    (key,) = node.signer.keys.ready()
    tokens = []
    for row in rows:
        token = from_decimal(row["url"].partition("?m=")[2])
        tokens.append(token)
        opened = open_token(token)
        path = MarkPath.of_product(GTIN, row["serial"])
        claims = verify_token(opened, path, [MarkKey(key.public, TODAY - timedelta(days=1))])
        assert (claims.mark_no, claims.list_id, claims.index) == (mark_no, place["list"], place["index"])
        assert (row["version"], row["side"]) == ("9", "61")
    assert job["commitment"] == commitment_to(tokens)
    digests = sorted(hashlib.sha256(token).digest() for token in tokens)
    assert job["commitment"] == hashlib.sha256(b"".join(digests)).hexdigest()
    entry = node.register.rows("SELECT kind, digest, subject FROM entries WHERE seq = %s", job["seq"])
    assert entry == [("token", job["commitment"], number)]
    assert node.register.say(BODY, "certificate.surveillance_passed", number, {"effective_at": ago(1)})["decision"] == (
        "accepted"
    ), "the worker goes on behind an entry that is not its own"
    assert node.answer(rows[5]["url"]).code is Code.VALID
    assert node.answer(rows[5]["url"]).signed
    assert node.answer(f"https://v.example/01/{GTIN}/21/{serials[5]}").code is Code.VALID
    assert node.answer(f"https://v.example/01/{GTIN}/21/B00000").code is Code.UNKNOWN_NUMBER
    assert ask(node.url, f"/v1/code-sets/{digest}/tokens", node.tokens[OTHER])[0] == 404
    # One of them is voided: its signed QR says so as well.
    said = hash_of(node, mark_no, serials[5], gtin=GTIN)[1]
    void = {"effective_at": TODAY.isoformat(), "mark_no": mark_no, "code": said["items"][0], "reason": "V01"}
    void["public_hash"] = said["public_hashes"][0]
    assert void["public_hash"] == public_hash(mark_no, MarkPath.of_product(GTIN, serials[5]).aad).hex()
    assert accepted(node.register.say(BODY, "mark.code_voided", number, void))
    assert node.answer(rows[5]["url"]).code is Code.MARK_NOT_AUTHORIZED
    assert node.answer(rows[6]["url"]).code is Code.VALID
    # Forgotten, and signed again from the same serials.
    assert ask(node.url, f"/v1/code-sets/{digest}/tokens", node.tokens[BODY], "DELETE")[0] == 204
    assert parts_left(node, serials) == 0
    assert node.bring(lines(serials), "?tokens=true")[1]["job"]["state"] == "queued"
    while node.signer.step():
        pass
    assert node.ask("GET", f"/v1/code-sets/{digest}", None)[1]["job"]["commitment"] == job["commitment"]
    undo(node, asked["run"])
    for text in (rows[6]["url"], rows[6]["url"].partition("?")[0]):
        assert node.answer(text).code is Code.UNKNOWN_NUMBER, "a signature makes no set of one that is undone"


def test_an_authorization_that_has_ended_gets_no_tokens(node: Node) -> None:
    serials = [f"C{uuid.uuid4().hex[:8]}"]
    number, mark_no = announced(node, serials, form="serial", gtin=GTIN)
    assert accepted(
        node.register.say(BODY, "mark.withdrawn", number, {"effective_at": TODAY.isoformat(), "mark_no": mark_no})
    )
    assert node.bring(lines(serials), "?tokens=true")[0] == 200
    while node.signer.step():
        pass
    job = node.ask("GET", f"/v1/code-sets/{set_digest(serials)}", None)[1]["job"]
    assert job["state"] == "failed"
    assert "cancelled" in job["detail"]


# --- the command line -----------------------------------------------------------------------------------------------


def certmark(*words: str, **environment: str) -> dict[str, Any]:
    done = CliRunner().invoke(main, [*words, "--json"], env=environment)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.output)
    return found


def test_a_body_makes_brings_and_fetches_by_commands(node: Node, tmp_path: Path) -> None:
    file, out, token = tmp_path / "serials.txt", tmp_path / "tokens.csv", tmp_path / "body.token"
    token.write_text(node.tokens[BODY], encoding="ascii")
    made = certmark("codes", "new", "30", "--serials", "--prefix", "Z", "--out", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    serials = file.read_text(encoding="ascii").split()
    assert (len(set(serials)), made["digest"]) == (30, set_digest(serials))
    number, mark_no = announced(node, serials, form="serial", gtin=GTIN)
    of_whom = ("--as", "CNCA-R-2019-7901", "--registry", node.url, "--token", str(token))
    about = ("--certificate", number, "--mark", mark_no, "--product", "A1", "--rule-version", "1", "--gtin", GTIN)
    signing = threading.Thread(target=sign_when_asked, args=(node,))
    signing.start()
    said = certmark("codes", "issue", str(file), *of_whom, *about, "--tokens", str(out))
    signing.join()
    assert said["state"] == "stored"
    rows = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8"))))
    assert [row["serial"] for row in rows] == serials
    out.unlink()
    assert certmark("codes", "tokens", str(file), *of_whom, "--out", str(out))["tokens"] == 30
    void_by_command(node, tmp_path, of_whom, about[:4], serials[:3])
    assert CliRunner().invoke(main, ["codes", "new", "9", "--random", "3", "--out", str(tmp_path / "x")]).exit_code == 2


def void_by_command(
    node: Node, folder: Path, of_whom: tuple[str, ...], about: tuple[str, ...], serials: list[str]
) -> None:
    """Events name the codes as registry and scanners know them, without anybody's having to say how; what was voided
    before is passed over, and what cannot be is told."""
    key = folder / "body.pem"
    save_key(node.register.keys[BODY], key)
    settings = node.register.settings
    how = ("--gtin", GTIN, "--reason", "V01", "--key", str(key), "--to", settings.database_url or "")
    words, environment = (*of_whom, *about, *how), {"CERTMARK_TOPIC_PREFIX": settings.topic_prefix}
    with node.register.deciding():
        said = certmark("codes", "void", serials[0], *words, **environment)
        assert said == {"voided": 1, "voided_before": 0, "refused": []}
        file = folder / "lost.txt"
        file.write_text("\n".join(("NOBODYS-1", *serials, "NOBODYS-2")), encoding="ascii")
        again = CliRunner().invoke(main, ["codes", "void", "--file", str(file), *words, "--json"], env=environment)
    said = json.loads(again.output)
    assert (again.exit_code, said["voided"], said["voided_before"]) == (1, len(serials) - 1, 1)
    assert [(row["unit"], row["code"]) for row in said["refused"]] == [
        ("NOBODYS-1", "no-such-code"),
        ("NOBODYS-2", "no-such-code"),
    ]
    voided = node.register.state(about[1])["marks"][0]["voided"]
    assert {one["public_hash"] for one in voided} == {
        public_hash(about[3], MarkPath.of_product(GTIN, serial).aad).hex() for serial in serials
    }


def sign_when_asked(node: Node) -> None:
    deadline = time.monotonic() + 20
    while not node.signer.step() and time.monotonic() < deadline:
        time.sleep(0.05)
    while node.signer.step():
        pass


# --- the tables -----------------------------------------------------------------------------------------------------


def test_sets_that_were_announced_before_can_be_brought(fresh_database: str, tmp_path: Path) -> None:
    """The migration reads them out of the events that are there."""
    folder = SERVICES / "registry" / "migrations"
    earlier = tmp_path / "registry" / "migrations"
    earlier.mkdir(parents=True)
    (ours,) = folder.glob("*_codes.sql")
    for file in folder.glob("*.sql"):
        if file.name < ours.name:
            (earlier / file.name).write_bytes(file.read_bytes())
    data = {"mark_no": "m-1", "product": "一", "quantity": 2, "digest": "7" * 64}
    body = base64.urlsafe_b64encode(json.dumps({"data": data}, ensure_ascii=False).encode()).rstrip(b"=").decode()
    with closing(connect(fresh_database)) as connection:
        migrate(connection, earlier)
        with transaction(connection) as cur:
            cur.execute(
                "INSERT INTO entries (seq, kind, digest, source, type, subject, decision, recorded_at, leaf, jws)"
                " VALUES (4, 'event', %s, 's', 'certmark.mark.codes_issued.v1', 'C-1', 'accepted', now(), '', %s)",
                ("a" * 64, f"e30.{body}.x"),
            )
        migrate(connection, folder)
        with transaction(connection) as cur:
            (run,) = runs_with(cur, "s", "7" * 64)
    assert (run.run, run.mark_no, run.product, run.quantity, run.seq, run.stored) == (
        "a" * 64,
        "M-1",
        "一",
        2,
        4,
        False,
    )
