"""A register that lives by chance: whatever is said in whatever order, what stands is what the entries make of it."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from random import Random
from typing import cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from services.domain.certificate import Certificate, Status, StatusInterval, from_state, to_state
from services.domain.errors import Malformed
from services.domain.fold import ANNULLED, CORRECTED, Told, fold, rules_told
from services.domain.said import Said
from services.domain.standing import PRECEDENCE, Standing, interval_on, mark_standing, standing
from services.events.event_types import EVENT_TYPES, SCHEMAS, check_data, compile_schema
from services.marks.token import open_token
from services.registry.room import canonical_state
from services.registry.tokens import PRINTABLE, TokenRecord
from tests.lives import ALLIANCE, AUTHORITY, BODY, CATALOGUE, DECLARANT, OTHER, SCHEMES, Saying, Writer
from tests.memory import Memory
from tests.sayings import data_of

TODAY = date(2026, 11, 1)
ENDED = (Status.REVOKED, Status.CANCELLED, Status.WITHDRAWN)
_STATE = json.loads((SCHEMAS / "state.v1.json").read_text(encoding="utf-8"))
has_published_form = compile_schema({"$defs": _STATE["$defs"], **_STATE["$defs"]["certificate_state"]})


ODD = {name: data_of(name, {"correction": st.just({"note": "?"})}) for name in EVENT_TYPES}


def an_established_register() -> Memory:
    memory = Memory(TODAY)
    for source in (BODY, BODY, OTHER, ALLIANCE, DECLARANT):
        memory.add_key(source)
    for scheme, rules in SCHEMES.items():
        memory.say(AUTHORITY, "scheme.published", scheme, rules)
    competence = [{"scheme": scheme, "from": "2016-01-01"} for scheme in SCHEMES]
    for body in (BODY, OTHER):
        approved = {"effective_at": "2016-01-01", "name": "示范机构", "schemes": competence}
        memory.say(AUTHORITY, "body.approved", body.rpartition(":")[2], approved)
        admitted = {"effective_at": "2016-01-01", "body": body.rpartition(":")[2]}
        if body == BODY:
            memory.say(
                AUTHORITY, "alliance.established", "test-alliance", {"effective_at": "2016-01-01", "name": "联盟"}
            )
        memory.say(AUTHORITY, "alliance.member_admitted", "test-alliance", admitted)
    memory.say(AUTHORITY, "catalogue.published", "life-classes", CATALOGUE)
    assert {entry.decision for entry in memory.entries} == {"accepted"}
    return memory


ESTABLISHED = an_established_register()


class Lives(RuleBasedStateMachine):
    """Somebody says something, or a few days go by; after each step everything that was promised is looked at."""

    @initialize()
    def begin(self) -> None:
        self.memory = ESTABLISHED.fork()
        self.writer = Writer(Random(0), self.memory.certificate, self._new_number, self.memory.today, most=4)
        self.writer.kids = [kid for kid, key in self.memory.register.keys().items() if key["owner"] == BODY]
        self.states: dict[str, str] = {}
        self.last: Saying | None = None
        self.decision = ""

    def _new_number(self) -> str:
        return f"NO-{len(self.memory.entries)}"

    @rule(seed=st.integers(0, 2**32))
    def say(self, seed: int) -> None:
        self.writer.chance = Random(seed)
        self._hear(self.writer.next())

    @rule(seed=st.integers(0, 2**32), data=st.data())
    def say_something_odd(self, seed: int, data: st.DataObject) -> None:
        """As `say`, with one member of the data as its schema alone would have it."""
        self.writer.chance = Random(seed)
        said = self.writer.next()
        odd = data.draw(ODD[f"certmark.{said.short}.v1"])
        name = data.draw(st.sampled_from(sorted(odd)))
        self._hear(replace(said, data=dict(said.data) | {name: odd[name]}))

    def _hear(self, said: Saying) -> None:
        self.last, self.decision = said, ""
        event = self.memory.event(said.source, said.short, said.subject, said.data)
        try:
            check_data(event)
        except Malformed:
            return
        entry = self.memory.hear(event)
        if entry is not None and entry.decision == "accepted":
            self.decision = entry.decision
            self.writer.accepted(entry.digest, replace(said, subject=entry.subject))

    @rule(seed=st.integers(0, 2**32))
    def annul_and_take_it_back(self, seed: int) -> None:
        """An annulment that is annulled from its own day leaves what stood before; looked at in another register."""
        self.last, chance, other = None, Random(seed), self.memory.fork()
        about = [one for one in self.writer.heard if one[1].short.startswith(("certificate.", "mark.", "declaration."))]
        if not about:
            return
        annulment, said = chance.choice(about)
        digest = annulment
        day = (self.memory.today - timedelta(days=chance.choice([0, 3, 30, 4000]))).isoformat()
        for _ in range(2):
            data = {"effective_at": day, "digest": digest, "instrument": "判决"}
            entry = other.say(AUTHORITY, "decision.annulled", digest, data)
            if entry.decision != "accepted":  # it was annulled before
                return
            annulment, digest = digest, entry.digest
        after = other.certificate(said.subject)
        assert after == fold(other.told[said.subject], rules_told(other.register.told)).certificate
        left = tuple(one for one in after.annulled if one != annulment)
        assert replace(after, annulled=left) == self.memory.certificate(said.subject)

    @rule(days=st.integers(1, 12))
    def wait(self, days: int) -> None:
        self.last = None
        self.memory.today += timedelta(days=days)
        self.writer.today = self.memory.today

    @invariant()
    def everything_holds(self) -> None:
        before, self.states = (
            self.states,
            {n: canonical_state(self.memory.certificate(n)) for n in self.memory.numbers()},
        )
        if self.decision != "accepted" or self.last is None:
            assert self.states == before
            return
        self._check_dates_said()
        for number, state in self.states.items():
            if before.get(number) != state:
                self._check(number, before.get(number))

    def _check_dates_said(self) -> None:
        """What was accepted undoes nothing from a day to come, and makes no expired certificate valid for past days."""
        assert self.last is not None
        if self.last.short == "decision.annulled":
            assert self.last.data["effective_at"] <= self.memory.today.isoformat()
        if self.last.short == "certificate.renewed":
            renewed = self.memory.certificate(self.last.subject)
            effective_at = date.fromisoformat(self.last.data["effective_at"])
            ended = renewed.periods[-1].until
            assert ended is not None
            assert ended >= effective_at or renewed.valid_from >= effective_at

    def _check(self, number: str, before: str | None) -> None:
        told = self.memory.told[number]
        kept = self.memory.certificate(number)
        rules_on = rules_told(self.memory.register.told)
        folded = fold(told, rules_on)
        assert folded.certificate == kept
        assert canonical_state(kept) == canonical_state(folded.certificate) == self.memory.last(number).state
        assert from_state(to_state(kept)) == kept
        assert from_state(json.loads(self.states[number])) == kept
        self._check_tokens(kept)
        has_published_form(json.loads(self.states[number]))
        for statuses in rows(kept):
            assert all(one.since <= other.since for one, other in pairwise(statuses))
            self._check_ends(statuses)
        if before is not None and json.loads(before)["status"] in ENDED and not self._undoes():
            assert json.loads(before)["status"] == kept.status
        for day in days_around(kept, self.memory.today):
            then = fold(told, rules_on, day).certificate
            assert then is not None
            assert later_digests(told, day).isdisjoint(digests_in(then))
            assert standing(kept, day) is worst(kept, day)
            if not kept.annulled:
                assert ending_alike(standing(then, day)) is ending_alike(standing(kept, day))
            elif not kept.periods and not then.periods:  # what a renewal said has no day of its own to be undone from
                assert status_on(then, day) in (status_on(kept, day), None)  # nor has the beginning

    def _check_tokens(self, kept: Certificate) -> None:
        """What may be printed says the last day of its mark; what replaced another has its place in the lists."""
        record = self.memory.register.record(f"certificate/{kept.certificate_no}")
        assert record is not None
        found: dict[tuple[str, str | None, str | None], list[TokenRecord]] = {}
        for token in json.loads(record.tokens):
            if token["token"] is None:
                continue
            found.setdefault((token["mark_no"], token["gtin"], token["model"]), []).append(token)
        for tokens in found.values():
            assert len({(token["list"], token["index"]) for token in tokens}) == 1
            assert len({token["token"] for token in tokens}) == len(tokens)
        for mark in kept.marks:
            last = min((end for end in (mark.valid_until, kept.valid_until) if end), default=None)
            if mark_standing(kept, mark, self.memory.today) not in PRINTABLE or (last or date.max) < self.memory.today:
                continue
            for item in mark.products or (None,):
                (newest, *_) = found[mark.mark_no, item.gtin if item else None, item.model if item else None]
                assert newest["token"] is not None
                assert open_token(urlsafe_b64decode(newest["token"] + "==")).claims.last_valid_day == last

    def _undoes(self) -> bool:
        assert self.last is not None
        return self.last.short in ("decision.annulled", "certificate.corrected")

    def _check_ends(self, statuses: Sequence[StatusInterval]) -> None:
        """Nothing follows an end but what an annulment has put there, and a revocation that was declared before it."""
        for one, other in pairwise(statuses):
            if one.status in ENDED and other.status is not Status.REVOKED:
                assert self.memory.events[other.digest].said.type == ANNULLED, statuses


def status_on(certificate: Certificate, day: date) -> Status | None:
    interval = interval_on(certificate.statuses, day)
    return interval.status if interval else None


def ending_alike(found: Standing) -> Standing:
    """Which certificate takes the place of a cancelled one may be said for a later day than its end."""
    return Standing.CANCELLED if found is Standing.SUPERSEDED else found


def rows(certificate: Certificate) -> Iterator[Sequence[StatusInterval]]:
    yield certificate.statuses
    for part in certificate.parts:
        yield part.statuses
    for mark in certificate.marks:
        yield mark.statuses


def days_around(certificate: Certificate, today: date) -> set[date]:
    """The days on which something changes, and their neighbours."""
    turns = {interval.since for statuses in rows(certificate) for interval in statuses}
    turns |= {today, certificate.valid_from, certificate.valid_until or today}
    return {turn + timedelta(days=n) for turn in turns for n in (-1, 0, 1)}


def effective_on(told: Sequence[Told], said: Said) -> date | None:
    """The day from which an entry counts, as it was corrected; the earliest where a correction was annulled."""
    gone = {one.said.data["digest"] for one in told if one.consequence and one.said.type == ANNULLED}
    corrections = [one.said for one in told if one.said.type == CORRECTED and one.said.data["of"] == said.digest]
    texts = [
        cast(str | None, data.get("effective_at")) for data in (said.data, *(c.data["fields"] for c in corrections))
    ]
    days = [date.fromisoformat(text) for text in texts if text]
    if not days:
        return None
    return min(days) if any(c.digest in gone for c in corrections) else days[-1]


def later_digests(told: Sequence[Told], day: date) -> set[str]:
    """Of the entries that take effect after a day; but for the first, which is the certificate itself."""
    return {one.said.digest for one in told[1:] if (on := effective_on(told, one.said)) is not None and on > day}


def digests_in(certificate: Certificate) -> set[str]:
    """Of the events that have left something in a certificate."""
    found = {interval.digest for statuses in rows(certificate) for interval in statuses}
    found |= {period.digest for period in certificate.periods} | {flag.digest for flag in certificate.flags}
    return found | ({certificate.transfer.digest} if certificate.transfer else set())


def worst(certificate: Certificate, day: date) -> Standing:
    """The first in the order of precedence of all that can be said of a certificate on a day."""
    interval = interval_on(certificate.statuses, day)
    if interval is None:
        return Standing.NOT_YET_VALID
    said = {
        Status.REVOKED: Standing.REVOKED,
        Status.CANCELLED: Standing.SUPERSEDED if certificate.superseded_by else Standing.CANCELLED,
        Status.SUSPENDED: Standing.SUSPENDED,
    }.get(interval.status, Standing.VALID)
    spans = [(certificate.valid_from, certificate.valid_until), *((p.since, p.until) for p in certificate.periods)]
    begun = [span for span in spans if span[0] <= day]
    if certificate.valid_from <= day:
        begun = [spans[0]]  # a renewal counts from its first day, whatever the period before would have allowed
    if not begun:
        covered = Standing.NOT_YET_VALID
    else:
        covered = Standing.VALID if any(u is None or day <= u for _, u in begun) else Standing.EXPIRED
    return min(said, covered, key=PRECEDENCE.index)


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=110, stateful_step_count=50)
