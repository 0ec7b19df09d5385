"""Status lists and trust list from the event to the node that serves them, on real PostgreSQL; the clock is given."""

import json
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from flask.testing import FlaskClient

from services import telemetry
from services.domain.certificate import Certificate
from services.domain.errors import NotConfigured
from services.domain.identifiers import CHINA, civil_day
from services.domain.unit_code import public_hash, set_digest
from services.embedded import EmbeddedPostgres
from services.events.keys import ES256, load_key, new_key
from services.events.log import Topics, open_log
from services.genesis import demonstration_roots
from services.marks.signers import KeyStanding
from services.marks.status_list import (
    LIFE,
    Status,
    StatusList,
    check_list,
    open_list,
    put_status,
    sign_list,
    verify_list,
)
from services.marks.token import MarkClaims, MarkPath, mark_url, sign_token
from services.marks.trust_list import Trusted, open_document, root_payload, sign_document, walk
from services.marks.voided import names, packed, unpacked
from services.postgres import transaction
from services.registry import code_sets, list_places, list_watch
from services.registry.foresight import missing_soon
from services.registry.list_check import Fetch, NotPublished, Report, check
from services.registry.list_store import Subject
from services.registry.list_watch import ListWatch
from services.registry.lists import ListMaker
from services.registry.relay import Relay
from services.settings import Settings, settings_from
from services.verify import offline
from services.verify.api import app_for
from services.verify.offline import Held
from services.verify.projector import Projector
from services.verify.scan_wording import Why
from services.verify.wording import Code
from tests.conftest import a_database
from tests.register import (
    AUTHORITY,
    BODY,
    REGISTRY,
    SERVICES,
    TODAY,
    Register,
    a_first_event,
    a_number,
    a_suspension,
    accepted,
    ago,
    ahead,
)

pytestmark = pytest.mark.integration

PUBLIC = "https://mark.example"


@dataclass
class Chain:
    """Everything between an event and an offline reader, one step at a time, in one process."""

    register: Register
    settings: Settings
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        self.maker = ListMaker(self.settings, lambda: self.now, pause=0)
        self.relay = Relay(self.settings)
        self.log = open_log(self.settings)
        topic = Topics.under(self.settings.topic_prefix).state
        self.projector = Projector(self.log, topic, self.settings.genesis, self.settings.data / "verify")
        self.client: FlaskClient = app_for(self.settings, lambda: self.now).test_client()

    def close(self) -> None:
        self.maker.drop()
        self.relay.drop()
        self.projector.close()
        self.log.close()

    def come_round(self) -> None:
        while self.maker.step():
            pass
        while self.relay.step():
            pass
        while self.projector.step(wait=0):
            pass

    def trusted(self) -> Trusted:
        answer = self.client.get("/.well-known/certmark-trust")
        assert (answer.status_code, answer.content_type) == (200, "application/cbor")
        pin = open_document((self.settings.trust_roots / "root-1.cbor").read_bytes()).digest
        return walk(answer.data, pin, self.now)

    def listed(self, list_id: int = 0) -> StatusList:
        """A list as an offline reader takes it: fetched, verified through the trust list, checked."""
        trusted = self.trusted()
        answer = self.client.get(f"/status/{list_id}")
        assert (answer.status_code, answer.content_type) == (200, "application/statuslist+cwt")
        content = verify_list(open_list(answer.data), trusted.list.signers)
        return check_list(content, trusted.list.status_uri(list_id), self.now)

    def issue(self, scheme: str = "implied", **data: str) -> str:
        """A certificate; where its mark is implied, it has a token at once."""
        return self.register.issue(scheme, **data)

    def suspend(self, number: str) -> None:
        told = {"sequence": 2, "previous": _last(self, number)}
        said = self.register.say(BODY, "certificate.suspended", number, a_suspension(), **told)
        assert said["decision"] == "accepted", said

    def statuses(self, number: str) -> list[int]:
        """What the published lists say of the places of a certificate."""
        tokens = json.loads(self.register.record(f"certificate/{number}").tokens)
        assert tokens
        return [self.listed(token["list"]).status(token["index"]) for token in tokens]


@pytest.fixture(scope="module")
def chain(postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    with a_database(postgres_server) as url:
        settings = settings_from(
            {
                "CERTMARK_DATA": str(tmp_path_factory.mktemp("lists")),
                "CERTMARK_DATABASE_URL": url,
                "CERTMARK_TOPIC_PREFIX": f"t{uuid.uuid4().hex[:12]}",
                "CERTMARK_PUBLIC_URL": PUBLIC,
            }
        )
        register = Register.begin(settings)
        settings = register.settings
        demonstration_roots(settings, settings.genesis, datetime.now(UTC))
        with closing(register), closing(Chain(register, settings)) as made:
            yield made


@pytest.fixture(autouse=True)
def today(chain: Chain) -> None:
    """Each test begins on this day, whatever day it was in the one before."""
    chain.now = datetime.now(UTC)


def test_a_suspension_turns_the_list_within_a_second_and_its_end_turns_it_back(chain: Chain) -> None:
    number = chain.issue()
    chain.come_round()
    assert chain.statuses(number) == [Status.VALID]
    began = time.process_time()
    chain.suspend(number)
    chain.come_round()
    assert chain.statuses(number) == [Status.SUSPENDED]
    assert time.process_time() - began < 1.0
    resumed = {"effective_at": TODAY.isoformat(), "verified_on": TODAY.isoformat()}
    chain.register.say(BODY, "certificate.resumed", number, resumed, sequence=3, previous=_last(chain, number))
    chain.come_round()
    assert chain.statuses(number) == [Status.VALID]


def _last(chain: Chain, number: str) -> str:
    return f"sha256:{chain.register.record(f'certificate/{number}').digest}"


def test_every_end_is_another_value(chain: Chain) -> None:
    revoked, cancelled = chain.issue(), chain.issue()
    for number, event, reason in ((revoked, "revoked", "R01"), (cancelled, "cancelled", "C01")):
        data = {"effective_at": TODAY.isoformat(), "reason": reason}
        data |= {"determined_on": TODAY.isoformat()} if event == "revoked" else {}
        told = {"sequence": 2, "previous": _last(chain, number)}
        said = chain.register.say(BODY, f"certificate.{event}", number, data, **told)
        assert said["decision"] == "accepted", said
    chain.come_round()
    assert chain.statuses(revoked) == [Status.REVOKED]
    assert chain.statuses(cancelled) == [Status.CANCELLED]


def test_the_end_of_a_day_turns_the_list_without_any_event(chain: Chain) -> None:
    number = chain.issue(valid_until=ahead(1))
    later = chain.issue(valid_from=ahead(1), issued_on=TODAY.isoformat())
    chain.come_round()
    assert chain.statuses(number) == [Status.VALID]
    assert chain.statuses(later) == [Status.SUSPENDED], "what has not begun is not in force"
    head = chain.register.head()
    chain.now = datetime.combine(TODAY + timedelta(days=2), datetime.min.time(), CHINA) - timedelta(seconds=1)
    chain.come_round()
    assert chain.statuses(number) == [Status.VALID], "the last day counts"
    assert chain.statuses(later) == [Status.VALID]
    chain.now += timedelta(seconds=1)
    assert civil_day(chain.now) == TODAY + timedelta(days=2)
    chain.come_round()
    assert chain.statuses(number) == [Status.CANCELLED]
    assert chain.register.head().size == head.size, "and nothing was entered"


def test_a_clock_that_ran_ahead_leaves_nothing_behind_once_it_is_right_again(chain: Chain) -> None:
    """What had turned turns back, and what was signed on a day that has not come is signed anew."""
    number, now = chain.issue(valid_until=ahead(10)), chain.now
    chain.come_round()
    chain.now = now + timedelta(days=300)
    chain.maker.look_at_trust()
    chain.come_round()
    assert chain.statuses(number) == [Status.CANCELLED]
    chain.now = now + timedelta(seconds=1)
    chain.maker.look_at_trust()
    chain.come_round()
    assert chain.statuses(number) == [Status.VALID]
    assert chain.listed().issued_at <= chain.now
    assert chain.trusted().list.issued_at <= chain.now


def test_a_list_is_signed_again_before_half_of_its_life_is_over(chain: Chain) -> None:
    chain.issue()
    chain.come_round()
    first = chain.listed()
    assert first.expires_at - first.issued_at == LIFE
    chain.now = first.issued_at + LIFE / 2 - timedelta(seconds=1)
    if civil_day(chain.now) == civil_day(first.issued_at):
        chain.come_round()
        assert chain.listed() == first
    chain.now = first.issued_at + LIFE / 2 + timedelta(seconds=1)
    chain.come_round()
    assert chain.listed().issued_at == chain.now.replace(microsecond=0)


def test_what_is_part_of_another_turns_with_it(chain: Chain) -> None:
    parent = chain.issue()
    child = a_number()
    issued = a_first_event("implied", parent_no=parent)
    assert chain.register.say(BODY, "certificate.issued", child, issued)["decision"] == "accepted"
    chain.come_round()
    assert chain.statuses(child) == [Status.VALID]
    chain.suspend(parent)
    chain.come_round()
    assert chain.statuses(child) == [Status.SUSPENDED]


def test_only_what_is_concerned_is_read(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [chain.issue() for _ in range(3)]
    chain.come_round()
    read: list[str] = []
    real = list_places.certificate_in

    def noted(subject: Subject) -> Certificate:
        read.append(subject.certificate_no)
        return real(subject)

    monkeypatch.setattr(list_places, "certificate_in", noted)
    chain.suspend(numbers[1])
    chain.come_round()
    assert read == [numbers[1]], "however many places there are"


def test_the_node_serves_what_was_signed_with_a_strong_tag(chain: Chain) -> None:
    chain.issue()
    chain.come_round()
    for path in ("/status/0", "/.well-known/certmark-trust", "/status/lists"):
        answer = chain.client.get(path)
        assert answer.status_code == 200
        tag = answer.headers["ETag"]
        assert tag.startswith('"')
        assert answer.headers["Cache-Control"] == "public, max-age=60"
        again = chain.client.get(path, headers={"If-None-Match": tag})
        assert (again.status_code, again.data) == (304, b"")
    assert chain.client.get("/status/lists").get_json() == {"status_lists": [f"{PUBLIC}/status/0"]}
    assert chain.client.get("/status/4711").status_code == 404
    assert chain.client.get("/status/0?time=1").status_code == 501


def test_people_read_the_lists_as_json(chain: Chain) -> None:
    number = chain.issue()
    chain.come_round()
    told = chain.client.get("/status/0", headers={"Accept": "application/json"}).get_json()
    assert told == chain.client.get("/status/0?format=json").get_json()
    assert told["places"] == told["valid"] + told["revoked"] + told["suspended"] + told["cancelled"] == 2**20
    assert told["uri"] == f"{PUBLIC}/status/0"
    root, *_, found = chain.client.get("/.well-known/certmark-trust?format=json").get_json()
    assert (root["kind"], root["threshold"], len(root["roots"])) == ("root", 2, 3)
    assert {signer["purpose"] for signer in found["signers"]} == {"mark", "status", "seal", "trust"}
    assert found["hosts"] == ["mark.example"]
    assert number


def test_the_lists_outlive_everything_else(chain: Chain) -> None:
    chain.issue()
    chain.come_round()
    settings = replace(chain.settings, database_url="postgresql:///gone?host=/nowhere")
    alone = app_for(settings, lambda: chain.now).test_client()
    assert alone.get("/status/0").data == chain.client.get("/status/0").data
    empty = app_for(replace(settings, data=settings.data / "nothing"), lambda: chain.now).test_client()
    for path in ("/status/0", "/.well-known/certmark-trust", "/status/lists"):
        answer = empty.get(path)
        assert (answer.status_code, answer.get_json()["code"]) == (503, "lists-not-here")


def test_a_new_key_and_a_lost_one_stand_in_the_trust_list_at_once(chain: Chain) -> None:
    chain.come_round()
    before = chain.trusted()
    key = new_key(ES256)
    chain.register.add_key(REGISTRY, key, "mark", **{"from": ahead(35), "until": ahead(125)})
    chain.register.decide_all()
    chain.come_round()
    added = chain.trusted()
    assert (added.root.version, added.list.version) == (before.root.version, before.list.version + 1)
    (found,) = [signer for signer in added.list.signers if signer.public.kid == key.public.kid]
    assert (found.state, found.first_day, found.last_day) == (
        KeyStanding.ACTIVE,
        TODAY + timedelta(days=35),
        TODAY + timedelta(days=125),
    )
    since = datetime.now(UTC).replace(microsecond=0)
    said = {"since": since.isoformat()}
    previous = f"sha256:{chain.register.record(f'key/{key.public.kid}').digest}"
    lost = chain.register.say(AUTHORITY, "key.compromised", key.public.kid, said, sequence=2, previous=previous)
    assert lost["decision"] == "accepted", lost
    chain.come_round()
    (found,) = [signer for signer in chain.trusted().list.signers if signer.public.kid == key.public.kid]
    assert (found.state, found.since) == (KeyStanding.COMPROMISED, since)


# --- single codes --------------------------------------------------------------------------------------------------

GTIN = "06909900123007"


@dataclass
class Units:
    """Two sets under one mark: serials, whose tokens name a place in a list, and typed codes."""

    chain: Chain
    serials: tuple[str, ...]
    typed: str
    announced: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        register, self.number, self.mark_no = self.chain.register, self.chain.issue("coded"), f"MK-{a_number()}"
        said: dict[str, Any] = {"effective_at": ago(300), "mark_no": self.mark_no, "mark": "sample-mark"}
        said |= {"products": [{"model": "A1", "gtin": GTIN}], "valid_until": ahead(400)}
        authorized = register.say(BODY, "mark.authorized", self.number, said)
        assert accepted(authorized)
        self.authorized = authorized["digest"]
        serial = {"rule_version": "1", "form": "serial", "gtin": GTIN}
        for codes, how in ((self.serials, serial), ((self.typed,), {"rule_version": "2024"})):
            said = {"effective_at": ago(10), "mark_no": self.mark_no, "product": "A1", "quantity": len(codes)}
            said |= {"digest": set_digest(sorted(codes))} | how
            decided = register.say(BODY, "mark.codes_issued", self.number, said)
            assert accepted(decided)
            self.announced.append(decided["digest"])
            with transaction(register.connection) as cur:
                assert code_sets.take_whole(cur, BODY, sorted(codes), tokens=False).stored

    def void(
        self, code: str, effective_at: str = TODAY.isoformat(), gtin: str | None = GTIN, bare: bool = False
    ) -> str:
        """Void one code as its source does; `bare`: without what lists name it by. The public hash, if there is one."""
        with transaction(self.chain.register.connection) as cur:
            (name,), public = code_sets.named(cur, BODY, self.mark_no, [code], gtin)
        said = {"effective_at": effective_at, "mark_no": self.mark_no, "code": name, "reason": "V01"}
        said |= {"public_hash": public[0]} if public and not bare else {}
        self.voided = self.chain.register.say(BODY, "mark.code_voided", self.number, said)
        assert accepted(self.voided)
        return said.get("public_hash", "")

    def undo(self, digest: str) -> None:
        """Let the authority annul what a source said."""
        undone = {"effective_at": TODAY.isoformat(), "digest": digest, "instrument": "复议决定"}
        assert accepted(self.chain.register.say(AUTHORITY, "decision.annulled", digest, undone))
        while self.chain.register.worker.step():
            pass
        self.chain.come_round()

    def offline(self, serial: str) -> tuple[Code, Why | None]:
        """What a reader answers who has fetched the lists and scans the serial's printed code."""
        tokens = json.loads(self.chain.register.record(f"certificate/{self.number}").tokens)
        (place,) = [token for token in tokens if "serials" in token]
        claims = MarkClaims(TODAY, 0, self.mark_no, self.number, place["list"], place["index"], "A1")
        path, key = MarkPath.of_product(GTIN, serial), load_key(self.chain.settings.mark_key)
        held = Held(self.chain.trusted(), Why.NO_TRUST_LIST, lambda number: served(self.chain, number))
        found = offline.check(mark_url(PUBLIC, path, sign_token(claims, path, key)), held, self.chain.now)
        return found.code, found.why


def some_units(chain: Chain) -> Units:
    chance = uuid.uuid4()
    return Units(chain, tuple(f"{name}{chance.hex[:10]}" for name in "ABC"), f"{chance.int % 10**17:017d}")


def test_a_voided_code_is_known_offline_and_the_others_of_its_run_stand(chain: Chain) -> None:
    units, (one, other, later) = (made := some_units(chain)), made.serials
    chain.come_round()
    told = chain.client.get("/status/0?format=json").get_json()["voided_codes"]
    assert units.offline(one) == (Code.VALID, None)
    public = units.void(one)
    units.void(later, ahead(3))
    units.void(units.typed, gtin=None)  # nobody asks for typed codes offline: serials are told as before
    chain.come_round()
    assert [units.offline(serial) for serial in made.serials] == [
        (Code.MARK_NOT_AUTHORIZED, None),
        (Code.VALID, None),
        (Code.VALID, None),
    ]
    assert chain.client.get("/status/0?format=json").get_json()["voided_codes"] == told + 1
    assert names(chain.listed().voided or b"", bytes.fromhex(public))
    chain.now = datetime.combine(TODAY + timedelta(days=3), datetime.min.time(), CHINA)
    chain.come_round()
    assert units.offline(later) == (Code.MARK_NOT_AUTHORIZED, None), "on its day, without any event"
    assert units.offline(other) == (Code.VALID, None)
    chain.now = datetime.now(UTC)
    units.void(other, bare=True)
    chain.come_round()
    assert units.offline(other) == (Code.STATUS_UNKNOWN, Why.UNIT_UNTOLD)
    assert units.offline(one) == (Code.MARK_NOT_AUTHORIZED, None)


def test_what_is_annulled_is_undone_offline_as_well(chain: Chain) -> None:
    units = some_units(chain)
    units.void(units.serials[0])
    chain.come_round()
    units.undo(units.voided["digest"])
    assert units.offline(units.serials[0]) == (Code.VALID, None), "it was no code to void"
    units.undo(units.announced[0])
    assert units.offline(units.serials[0]) == (Code.CANCELLED, None), "nor was there such a set"
    others = some_units(chain)
    others.void(others.serials[0])
    chain.come_round()
    others.undo(others.authorized)
    assert others.offline(others.serials[0]) == (Code.CANCELLED, None), "nor such a mark"
    assert checked(chain, partial(served, chain)).good, "and the list names no code of it any more"


def test_the_checker_finds_a_voided_code_that_is_not_named(chain: Chain) -> None:
    units = some_units(chain)
    chain.come_round()
    stale = served(chain, 0)
    public = units.void(units.serials[0])
    chain.come_round()
    assert checked(chain, partial(served, chain)).good
    (wrong,) = checked(chain, lambda _: stale).wrong
    assert (wrong.certificate_no, wrong.mark_no, wrong.unit) == (units.number, units.mark_no, public)
    key, content = load_key(chain.settings.status_key), chain.listed()
    silent = sign_list(replace(content, voided=None), key)
    assert public in {one.unit for one in checked(chain, lambda _: silent).wrong}
    whole = packed([*unpacked(content.voided or b""), public_hash(units.mark_no, b"")])
    room = sign_list(replace(content, voided=packed({*unpacked(whole)} - {bytes.fromhex(public)})), key)
    assert checked(chain, lambda _: room).good, "named whole: of its units nothing is told offline"
    more = sign_list(replace(content, voided=packed([*unpacked(content.voided or b""), b"\7" * 8])), key)
    assert checked(chain, lambda _: more).strange == {0: 1}, "a code that nobody has voided"
    answers = [more, served(chain, 0)]
    with transaction(chain.register.connection) as cur:
        again = check(cur, lambda _: answers.pop(0), f"{PUBLIC}/status", lambda: chain.now, lambda: bool(answers))
    assert again.good


def test_certificates_of_before_are_looked_at_once_more(chain: Chain) -> None:
    """The migration lets every list be signed anew, with what was voided before there was a table for it."""
    units = some_units(chain)
    units.void(units.serials[0], bare=True)
    chain.come_round()
    with transaction(chain.register.connection) as cur:
        cur.execute("DROP TABLE list_voided")
        (file,) = (SERVICES / "registry" / "migrations").glob("*_voided.sql")
        cur.execute(file.read_text(encoding="utf-8"))
        cur.execute("SELECT certificate_no FROM list_subjects WHERE turns_on = '1970-01-01'")
        assert (units.number,) in cur.fetchall()
    chain.come_round()
    assert units.offline(units.serials[1]) == (Code.STATUS_UNKNOWN, Why.UNIT_UNTOLD)


def places_wrong() -> float:
    found = re.search(rb"^certmark_status_places_wrong(?:\{.*\})? (\S+)$", telemetry.figures(), re.MULTILINE)
    assert found is not None
    return float(found[1])


# --- the checker -----------------------------------------------------------------------------------------------


def checked(chain: Chain, fetch: Fetch) -> Report:
    with transaction(chain.register.connection) as cur:
        return check(cur, fetch, f"{PUBLIC}/status", lambda: chain.now)


def _always(data: bytes, _list_id: int) -> bytes:
    return data


def served(chain: Chain, list_id: int) -> bytes:
    return bytes(chain.client.get(f"/status/{list_id}").data)


def test_the_checker_is_content_with_what_is_published(chain: Chain) -> None:
    chain.suspend(chain.issue())
    chain.issue()
    chain.come_round()
    report = checked(chain, lambda list_id: served(chain, list_id))
    assert report.good, report
    assert report.not_valid >= 1
    assert report.places > report.not_valid


def test_the_checker_finds_a_list_that_misses_somebody_and_one_too_many(chain: Chain) -> None:
    suspended, valid = chain.issue(), chain.issue()
    chain.come_round()
    stale = served(chain, 0)
    chain.suspend(suspended)
    chain.come_round()
    report = checked(chain, lambda _: stale)
    assert [(one.certificate_no, one.published, one.due) for one in report.wrong] == [(suspended, 0, 2)]
    content = chain.listed()
    (token,) = json.loads(chain.register.record(f"certificate/{valid}").tokens)
    array = bytearray(content.array)
    put_status(array, token["index"], Status.REVOKED)
    forged = sign_list(replace(content, array=bytes(array)), load_key(chain.settings.status_key))
    report = checked(chain, lambda _: forged)
    assert [(one.certificate_no, one.published, one.due) for one in report.wrong] == [(valid, 1, 0)]
    short = sign_list(replace(content, array=b""), load_key(chain.settings.status_key))
    assert {one.published for one in checked(chain, lambda _: short).wrong} == {None}


def test_the_checker_believes_no_list_that_a_reader_would_not(chain: Chain) -> None:
    chain.issue()
    chain.come_round()
    content = chain.listed()
    for data, code in (
        (sign_list(content, load_key(chain.settings.mark_key)), "list-wrong-purpose"),
        (sign_list(content, new_key()), "list-unknown-signer"),
        (
            sign_list(replace(content, uri=f"{PUBLIC}/status/1"), load_key(chain.settings.status_key)),
            "list-not-this-one",
        ),
        (b"", "list-unreadable"),
    ):
        report = checked(chain, partial(_always, data))
        assert report.refused == {0: code}
        assert not report.good
    chain.now += LIFE
    assert checked(chain, lambda list_id: served(chain, list_id)).refused == {0: "list-expired"}


def test_a_difference_that_goes_away_is_none(chain: Chain) -> None:
    number = chain.issue()
    chain.come_round()
    answers = [served(chain, 0)]
    chain.suspend(number)
    chain.come_round()
    answers.append(served(chain, 0))
    with transaction(chain.register.connection) as cur:
        report = check(cur, lambda _: answers.pop(0), f"{PUBLIC}/status", lambda: chain.now, lambda: bool(answers))
    assert report.good


def test_what_will_be_missing_is_said_in_time(chain: Chain) -> None:
    chain.come_round()
    year = civil_day(chain.now).year
    first, second = (datetime(year, 12, day, 4, tzinfo=UTC) for day in (1, 2))  # thirty days before the year's last
    with transaction(chain.register.connection) as cur:
        for now, years in ((first, [year]), (second, [year, year + 1])):
            told = [detail for words, detail in missing_soon(cur, now) if "calendar" in words]
            assert [int(detail[:4]) for detail in told] == years
    for each in (year, year + 1, year + 2):
        arranged = {"effective_at": f"{each}-01-01", "days_off": [], "working_days": [], "instrument": "示范通知"}
        assert accepted(chain.register.say(AUTHORITY, "calendar.published", str(each), arranged))
    with transaction(chain.register.connection) as cur:
        assert list(missing_soon(cur, chain.now)) == []
        late = chain.trusted().root.expires_at - timedelta(days=44)
        assert [words for words, _ in missing_soon(cur, late)] == ["the last root runs out soon"]
        cur.execute(
            'UPDATE record_rows SET state = replace(state, \'"until":null\', \'"until":"2000-01-01"\')'
            " WHERE key LIKE 'key/%'"
        )
        quarter = datetime(chain.now.year, 12, 20, tzinfo=UTC)
        assert "no mark key is registered for the next quarter" in [words for words, _ in missing_soon(cur, quarter)]
        assert not any("quarter" in words for words, _ in missing_soon(cur, quarter - timedelta(days=5)))
        cur.connection.rollback()


def test_the_watch_counts_what_is_wrong_and_says_when_it_cannot_tell(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = chain.issue()
    chain.come_round()
    stale = served(chain, 0)
    watch = ListWatch(chain.settings, f"{PUBLIC}/status", lambda: chain.now)
    monkeypatch.setattr(list_watch, "PATIENCE", 0.0)
    monkeypatch.setattr(list_watch, "published_at", lambda base: lambda list_id: served(chain, list_id))
    assert watch.look()
    assert places_wrong() == 0
    chain.suspend(number)
    chain.come_round()
    assert watch.look()
    monkeypatch.setattr(list_watch, "published_at", lambda base: lambda list_id: stale)
    assert not watch.look()
    assert places_wrong() == 1
    monkeypatch.undo()
    nobody = ListWatch(chain.settings, "http://127.0.0.1:9/status", lambda: chain.now)
    with pytest.raises(NotPublished):
        nobody.look()


def test_production_signs_nothing_of_a_demonstration(chain: Chain) -> None:
    maker = ListMaker(replace(chain.settings, production=True), lambda: chain.now)
    with pytest.raises(NotConfigured, match="demonstration"):
        maker.step()
    maker.drop()


# --- roots -----------------------------------------------------------------------------------------------------


def test_a_new_root_is_taken_up_and_leads_from_the_old_pin(chain: Chain) -> None:
    chain.come_round()
    before = chain.trusted()
    folder = chain.settings.trust_roots
    old = [load_key(chain.settings.keys / f"root-{n}.pem") for n in (1, 2, 3)]
    fresh = [new_key(), *old[1:]]
    root = replace(before.root, version=2, keys=tuple(key.public for key in fresh))
    for signed_by, follows in (([*fresh], False), ([old[0], *fresh], True)):
        (folder / "root-2.cbor").write_bytes(
            sign_document(root_payload(root), signed_by[:2] if not follows else signed_by)
        )
        chain.maker.look_at_trust()
        chain.come_round()
        assert chain.trusted().root.version == (2 if follows else 1)
    after = chain.trusted()
    assert after.list.version == before.list.version + 1
    assert after.list.root == 2
