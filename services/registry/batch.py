"""One batch of events, decided in order against the register as it stands, and what is to be saved of it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any, cast

import orjson

from services.domain.body import KeyState, Purpose
from services.domain.certificate import Certificate
from services.domain.clocks import next_due
from services.domain.decision import rules_of
from services.domain.errors import (
    CHAIN_REFUSALS,
    CertmarkError,
    ChainForked,
    IdConflict,
    KeyNotValid,
    Malformed,
    Refusal,
    SequenceStale,
    SequenceTooFar,
    UnknownKey,
    Untrusted,
)
from services.domain.fold import CAUSES, Told
from services.domain.identifiers import civil_day, instant_text
from services.domain.said import Moment
from services.domain.scheme import scheme_from_state
from services.domain.world import Value
from services.events.canonical import canonical
from services.events.envelope import Event, check_signature, check_source, open_envelope, read_event
from services.events.keys import PrivateKey, public_key
from services.marks.token import TokenTooLong
from services.registry.code_runs import CODES_ISSUED, Announced, announced, place_of
from services.registry.intake import Prepared
from services.registry.own_keys import in_force
from services.registry.register import RESOLVED, Register, subject_of
from services.registry.room import canonical_state, decide_within
from services.registry.store import Entry, Head, Pending, Place, Quarantined, StoredRecord, bare_entry
from services.registry.tokens import ROOM, TokenRecord, sign, tokens_due, with_token
from services.registry.told import said_of

AHEAD = 64
"""How far a sequence may run ahead of its chain's last event and be parked (contract: Envelope)."""


@dataclass(slots=True)
class Touched:
    """A record that the batch has changed: when it is saved, it takes its revision."""

    digest: str
    seq: int
    state: str
    tokens: list[TokenRecord]
    tokens_text: str | None  # as stored; None once a token has been added
    event: str | None
    entered: bool = False  # its state is the one that its entry has


class Batch:
    """One transaction's worth of events: decides them in order and collects what is to be saved."""

    def __init__(
        self,
        register: Register,
        head: Head,
        genesis: str,
        mark_keys: Sequence[PrivateKey],
        *,
        ids: dict[tuple[str, str], str],
        chains: dict[tuple[str, str], tuple[int, str]],
        pending: list[Pending],
        again: Mapping[str, Prepared] | None = None,
    ) -> None:
        self.register = register
        self.head = head
        self.genesis = genesis
        self.mark_keys = mark_keys
        self.ids = ids | {(p.source, p.event_id): p.digest for p in pending}
        self.chains = chains
        self.again = again or {}
        self.recorded_at = max(head.recorded_at, milliseconds(head.now))
        self.today = civil_day(self.recorded_at)
        self.waiting: dict[str, Pending] = {p.digest: p for p in pending}
        self.entries: list[Entry] = []
        self.touched: dict[str, Touched] = {}
        self.changed_chains: set[tuple[str, str]] = set()
        self.quarantine: list[Quarantined] = []
        self.parked: dict[str, Pending] = {}
        self.drained: set[str] = set()
        self.reviewed: set[str] = set()
        self.new_keys: list[dict[str, str]] = []
        self.new_marks: list[tuple[str, str]] = []
        self.new_runs: list[Announced] = []
        self.places: dict[str, Place] = {}
        self.resolved: list[tuple[str, str, bool]] = []
        self.duplicates = 0
        self.draws = False
        self.status_index = head.status_index
        self.cause = head.cause
        """The digest of the event whose consequences come next: the batch ends with it."""
        self.drawn_to = head.drawn_to

    # --- one record ---------------------------------------------------------------------------------

    def take(self, prepared: Prepared) -> None:
        """Decide one record: an entry, a parked event, a duplicate, or quarantine. Poison never stops the batch."""
        record = prepared.record
        try:
            event = self._trusted(prepared)
            known = self.ids.get((event.source, event.id))
            if known == event.digest:
                self.duplicates += 1
                return
            if known is not None:
                raise IdConflict(f"{event.source} has used the id {event.id} for other content", pointer="/id")
        except (Malformed, Untrusted) as error:
            self._quarantine(prepared, error)
            return
        self.ids[event.source, event.id] = event.digest
        arrived = Pending(
            event.digest,
            event.source,
            subject_of(event),
            event.sequence,
            event.id,
            record.position,
            record.appended_at,
            record.value.decode("ascii"),
        )
        if self._decide_in_chain(event, arrived):
            self._drain(arrived.source, arrived.subject)

    def _trusted(self, prepared: Prepared) -> Event:
        """The event, once its signature, its key and its source hold.

        Raises:
            Malformed, Untrusted: what is wrong with it.
        """
        if prepared.kid is None:
            assert prepared.error is not None
            raise prepared.error
        if not self.register.established:
            # Nothing is known yet: the pinned event vouches for itself by its digest, and holds its own key.
            if prepared.digest != self.genesis or prepared.event is None:
                raise UnknownKey("the register has not been established, and this is not the pinned first event")
            event = prepared.event
            check_signature(open_envelope(prepared.record.value), public_key(event.data["key"]))
            check_source(event, f"urn:certmark:authority:{event.subject}")
            return event
        key = self.register.signing_key(prepared.kid)
        if key is None:
            raise UnknownKey(f"no key {prepared.kid[:64]!r} is registered")
        if prepared.error is not None and not prepared.verified:
            raise prepared.error
        if not key.purpose.speaks or not key.valid_at(prepared.record.appended_at):
            raise KeyNotValid(f"key {key.kid} ({key.purpose}) was not valid for events when this was appended")
        if prepared.error is not None:
            raise prepared.error
        assert prepared.event is not None  # verified and without error: the worker has prepared it with this key
        check_source(prepared.event, key.owner)
        return prepared.event

    def _decide_in_chain(self, event: Event, arrived: Pending) -> bool:
        """Decide an event at its place in its chain; True where the chain has moved."""
        chain = (arrived.source, arrived.subject)
        last, digest = self.chains.get(chain, (0, None))
        if event.sequence > last + 1 and event.sequence - last <= AHEAD and self._has_room(chain):
            self.parked[arrived.digest] = self.waiting[arrived.digest] = arrived
            self.reviewed.add(arrived.subject)
            return False
        try:
            if event.sequence <= last:
                raise SequenceStale(f"sequence {event.sequence} where {last + 1} is next", pointer="/sequence")
            if event.sequence > last + AHEAD:
                raise SequenceTooFar(f"sequence {event.sequence} where {last + 1} is next", pointer="/sequence")
            if event.sequence > last + 1:
                raise ChainForked(f"{AHEAD} events of this chain wait already", pointer="/sequence")
            if event.previous != digest:
                raise ChainForked("another event stands at the place before", pointer="/previous")
            moment = Moment(arrived.received_at, self.today)
            changes = decide_within(said_of(event, arrived.subject), event.sequence, self.register, moment)
        except Refusal as refusal:
            self._enter(event, arrived, f"refused:{refusal.slug}", refusal, {})
            if isinstance(refusal, CHAIN_REFUSALS):
                return False
        else:
            self._enter(event, arrived, "accepted", None, changes)
            if event.type in CAUSES:
                self.cause, self.drawn_to = event.digest, ""
            if event.type == RESOLVED:
                self._resolve(event)
        self.chains[chain] = (event.sequence, event.digest)
        self.changed_chains.add(chain)
        return True

    def _has_room(self, chain: tuple[str, str]) -> bool:
        """Whether one more event may wait: of one chain no more do than there are places, whoever signs for them."""
        return sum((p.source, p.subject) == chain for p in self.waiting.values()) < AHEAD

    def _resolve(self, event: Event) -> None:
        """What was put aside is decided now, with the keys that there are now, where the authority asks for that."""
        digest = event.data["digest"]
        redriven = False
        if event.data["action"] == "redriven":
            before = len(self.quarantine)
            self.take(self.again[digest])
            redriven = len(self.quarantine) == before
            del self.quarantine[before:]  # it still lies where it was
        if redriven:
            self.register.quarantined.discard(digest)
        self.resolved.append((digest, event.digest, redriven))

    def draw(self, cause: Told, jws: str, number: str, after: Certificate) -> None:
        """Enter what a cause brings about for one certificate. It touches no chain."""
        self.draws = True
        key, state = f"certificate/{number}", canonical_state(after)
        self._touch(key, cause.said.digest, after, state, entered=True)
        self._append(
            Entry(
                seq=self.head.size + len(self.entries),
                kind="consequence",
                digest=consequence_digest(cause.said.digest, number),
                event_id=None,
                source=cause.said.source,
                type=cause.said.type,
                subject=number,
                sequence=None,
                decision="accepted",
                detail=cause.said.digest,
                pointer=None,
                hint=None,
                effective_at=effective_at_of(cause.said.data),
                received_at=None,
                recorded_at=self.recorded_at,
                position=None,
                state_digest=hashlib.sha256(state.encode()).hexdigest(),
                state=state,
                leaf="",
                jws=jws,
            )
        )
        self._sign_tokens(key, after)

    def _drain(self, source: str, subject: str) -> None:
        """Decide what was parked behind the event that has just filled the hole.

        Its key was judged when it was appended; whether its source still answers for the subject is judged now.
        """
        while True:
            last, _ = self.chains[source, subject]
            ready = [
                p
                for p in self.waiting.values()
                if p.source == source and p.subject == subject and p.sequence <= last + 1
            ]
            if not ready:
                return
            for parked in sorted(ready, key=lambda p: (p.sequence, p.position)):
                del self.waiting[parked.digest]
                if self.parked.pop(parked.digest, None) is None:
                    self.drained.add(parked.digest)
                self.reviewed.add(subject)
                self._decide_in_chain(read_event(open_envelope(parked.jws.encode())), parked)

    # --- what is to be saved --------------------------------------------------------------------------

    def _enter(
        self,
        event: Event,
        arrived: Pending,
        decision: str,
        refusal: Refusal | None,
        changes: Mapping[str, tuple[Value, str]],
    ) -> None:
        state: str | None = None  # of the first record that the event changes: the one that it is about
        for key, (value, text) in changes.items():
            state = state or text
            touched = self._touch(
                key, event.digest, value, text, entered=isinstance(value, Certificate) and state is text
            )
            if key.startswith("key/"):
                if touched.event is None:
                    touched.event = arrived.jws
                self.new_keys.append(cast(KeyState, value)["key"])
        self._append(
            Entry(
                seq=self.head.size + len(self.entries),
                kind="event",
                digest=event.digest,
                event_id=event.id,
                source=event.source,
                type=event.type,
                subject=arrived.subject,
                sequence=event.sequence,
                decision=decision,
                detail=refusal.detail if refusal else None,
                pointer=refusal.pointer if refusal else None,
                hint=refusal.hint if refusal else None,
                effective_at=effective_at_of(event.data),
                received_at=arrived.received_at,
                recorded_at=self.recorded_at,
                position=arrived.position,
                state_digest=hashlib.sha256(state.encode()).hexdigest() if state else None,
                state=state,
                leaf="",
                jws=arrived.jws,
            )
        )
        if refusal is None and event.type not in CAUSES:
            moment = Moment(arrived.received_at, self.today)
            self.register.tell(arrived.subject, event, moment, self.entries[-1].seq)
        for key, (value, _) in changes.items():
            if isinstance(value, Certificate):
                if event.type == CODES_ISSUED:
                    self._announce(key, value, event)
                self._sign_tokens(key, value)

    def _touch(self, key: str, digest: str, value: Value, text: str, *, entered: bool) -> Touched:
        """Keep a new value, and that its record is to be saved; whether the entry that comes has its state, too."""
        seq = self.head.size + len(self.entries)
        touched = self.touched.get(key)
        if touched is None:
            before = self.register.record(key)
            held = before.tokens if before else "[]"
            of_key = before.event if before else None
            touched = self.touched[key] = Touched(digest, seq, text, orjson.loads(held), held, of_key)
        touched.digest, touched.seq, touched.state, touched.entered = digest, seq, text, entered
        if isinstance(value, Certificate):
            was = self.register.certificate(value.certificate_no)
            place = found_by(value)
            if was is None or found_by(was) != place:
                self.places[key] = place
        self.new_marks += self.register.put(key, value)
        return touched

    def _announce(self, key: str, certificate: Certificate, event: Event) -> None:
        """Keep that a set of unit codes may come; its serials get their place in a status list now."""
        rules = rules_of(self.register, certificate.scheme, date.fromisoformat(event.data["effective_at"]))
        run = announced(event, certificate, rules, self.entries[-1].seq, self.status_index)
        self.new_runs.append(run)
        if run.status_index is not None:
            self.status_index += 1
            self.touched[key].tokens.append(place_of(run))
            self.touched[key].tokens_text = None

    def commit_to(self, subject: str, digest: str) -> int:
        """Enter the salted hash of something that is not public (transparency.md); its place."""
        seq = self.head.size + len(self.entries)
        self._append(bare_entry("commitment", seq, digest, subject, self.recorded_at))
        return seq

    def _sign_tokens(self, key: str, certificate: Certificate) -> None:
        """A token is an entry before anybody can print it."""
        touched = self.touched[key]
        tokens = list(tokens_due(certificate, touched.tokens, self.today))
        room = ROOM - len(touched.tokens_text or orjson.dumps(touched.tokens)) if tokens else 0
        for due in tokens:
            mark_key = self._valid_mark_key()
            if mark_key is None:
                return
            if due.index is None and room < 0:
                continue  # as below
            try:
                index = self.status_index if due.index is None else due.index
                token, digest = sign(certificate, due, index, self.today, mark_key)
            except TokenTooLong:
                continue  # it stands as it is, and is never printed
            if due.index is None:
                self.status_index += 1
                room -= len(orjson.dumps(token))
            touched.tokens = with_token(touched.tokens, token)
            touched.tokens_text = None
            seq = self.head.size + len(self.entries)
            self._append(bare_entry("token", seq, digest, certificate.certificate_no, self.recorded_at))

    def _valid_mark_key(self) -> PrivateKey | None:
        return in_force(self.mark_keys, self.register.signing_key, Purpose.MARK, self.recorded_at)

    def _append(self, entry: Entry) -> None:
        entry.leaf = leaf_of(entry)
        self.entries.append(entry)

    def _quarantine(self, prepared: Prepared, error: CertmarkError) -> None:
        record = prepared.record
        named = self.register.signing_key(prepared.kid) if prepared.kid is not None else None
        self.quarantine.append(
            Quarantined(
                position=record.position,
                digest=prepared.digest,
                code=error.slug,
                detail=_printable(error.detail),
                pointer=_printable(error.pointer),
                received_at=record.appended_at,
                recorded_at=self.recorded_at,
                record_key=_printable(record.key),
                value=record.value,
                source=named.owner if named else None,
            )
        )

    def records(self) -> dict[str, StoredRecord]:
        """The records to save, each with the next revision; those whose review began or ended among them."""
        revision = self.head.revision
        under_review = {p.subject for p in self.waiting.values() if self._is_concerned(p)}
        for subject in sorted(self.reviewed):
            key = f"certificate/{subject}"
            before = self.register.record(key)
            if key not in self.touched and before and before.under_review is not (subject in under_review):
                self.touched[key] = Touched(
                    before.digest, before.seq, before.state, orjson.loads(before.tokens), before.tokens, before.event
                )
        saved: dict[str, StoredRecord] = {}
        for key, touched in self.touched.items():
            revision += 1
            waits = key.removeprefix("certificate/") in under_review
            if self.draws and (before := self.register.record(key)):
                waits = before.under_review  # consequences let nothing in, and know of nothing that waits
            saved[key] = StoredRecord(
                key=key,
                revision=revision,
                seq=touched.seq,
                recorded_at=self.recorded_at,
                digest=touched.digest,
                state=touched.state,
                tokens=touched.tokens_text or orjson.dumps(touched.tokens).decode(),
                under_review=waits,
                event=touched.event,
                entered=touched.entered,
                **self._columns(key),
            )
        return saved

    def _is_concerned(self, parked: Pending) -> bool:
        """Whether what waits may change the certificate: nobody throws doubt on one that is not his to speak about."""
        certificate = self.register.certificate(parked.subject)
        if certificate is None:
            return False
        transfer = certificate.transfer
        speakers = {certificate.responsible, *(mark.authorized_by for mark in certificate.marks)}
        return (
            parked.source in speakers
            or parked.source.startswith(("urn:certmark:authority:", "urn:certmark:alliance:"))
            or (transfer is not None and parked.source == f"urn:certmark:body:{transfer.to}")
        )

    def after(self, position: int, records: int) -> Head:
        """The head once this batch and its records are saved."""
        return replace(
            self.head,
            size=self.head.size + len(self.entries),
            position=position,
            recorded_at=self.recorded_at,
            revision=self.head.revision + records,
            status_index=self.status_index,
            duplicates=self.head.duplicates + self.duplicates,
            cause=self.cause,
            drawn_to=self.drawn_to,
        )

    def _columns(self, key: str) -> dict[str, Any]:
        """What the registry looks certificates up by, beside their key."""
        if not key.startswith("certificate/"):
            return {}
        certificate = self.register.certificate(key.removeprefix("certificate/"))
        assert certificate is not None
        scheme = self.register.scheme(certificate.scheme)
        return {
            "responsible": certificate.responsible,
            "product_class": certificate.product.product_class if certificate.product else None,
            "due": next_due(certificate, scheme_from_state(scheme).versions if scheme else (), self.today),
        }


def consequence_digest(cause: str, number: str) -> str:
    """What a consequence has for its event's digest: of its cause and its certificate together."""
    told = {"cause": cause, "certificate_no": number, "kind": "consequence"}
    return hashlib.sha256(canonical(told, floats=False)).hexdigest()


def found_by(certificate: Certificate) -> Place:
    product_class = certificate.product.product_class if certificate.product else None
    return Place(certificate.responsible, product_class, certificate.parent_no is not None)


def effective_at_of(data: Mapping[str, Any]) -> date | None:
    text = data.get("effective_at")
    return date.fromisoformat(text) if text else None


def leaf_of(entry: Entry) -> str:
    """The public log's leaf (transparency.md: frozen from the first entry on).

    Its canonical JSON is written out, member by member in their order: a fifth of the time of an encoder.
    """
    e = entry
    effective_at = f'"{e.effective_at.isoformat()}"' if e.effective_at else "null"
    received_at = f'"{_instant(e.received_at)}"' if e.received_at else "null"
    return (
        f'{{"decision":{_text(e.decision)},"digest":"{e.digest}","effective_at":{effective_at},"kind":"{e.kind}",'
        f'"received_at":{received_at},"recorded_at":"{_instant(e.recorded_at)}","seq":{e.seq},'
        f'"source":{_text(e.source)},"state":{_text(e.state_digest)},"subject":{_text(e.subject)},'
        f'"type":{_text(e.type)},"v":1}}'
    )


def _text(text: str | None) -> str:
    return "null" if text is None else encode_basestring(text)


_instant = lru_cache(maxsize=64)(instant_text)
"""Kept, as the records of one append and the entries of one batch share theirs."""


def milliseconds(instant: datetime) -> datetime:
    """An instant as the register keeps it: whole milliseconds."""
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def _printable(text: str) -> str:
    """What PostgreSQL can hold: no U+0000, no lone surrogate."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode("utf-8")[:2000]
