"""One batch of events, decided in order against the register as it stands, and what is to be saved of it."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from json.encoder import encode_basestring
from typing import cast

import orjson

from services.domain.body import AllianceState, AuthorityState, BodyState, Key, KeyState, Purpose, key_from_state
from services.domain.certificate import Certificate, CertificateState, from_state, to_state
from services.domain.decision import Changes, Value, decide
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
from services.domain.identifiers import certificate_number, civil_day, instant_text
from services.domain.said import EventData, Moment, Said
from services.domain.scheme import SchemeState
from services.events.canonical import canonical_text
from services.events.envelope import Event, check_signature, check_source, open_envelope, read_event
from services.events.keys import PrivateKey, PublicKey, public_key
from services.postgres import Cursor
from services.registry import store
from services.registry.intake import Prepared
from services.registry.store import Entry, Head, Pending, Quarantined, StoredRecord
from services.registry.tokens import TokenRecord, sign, tokens_due

AHEAD = 64
"""How far a sequence may run ahead of its chain's last event and be parked (contract: Envelope)."""

KEPT = 16 << 20
"""Characters of certificates' states that stay decoded between batches: the next events are often about the same."""

_ABOUT_CERTIFICATES = ("certmark.certificate.", "certmark.mark.", "certmark.declaration.")


class Register:
    """The register as a batch sees it: what was loaded, what the batch has changed, and what it will save.

    Implements `domain.decision.World`.
    """

    def __init__(self) -> None:
        self.administrative: dict[str, StoredRecord] = {}
        self._values: dict[str, Value] = {}
        self._certificates: OrderedDict[str, StoredRecord] = OrderedDict()  # the longest untouched first
        self._weight = 0  # characters of their states
        self._mark_owners: dict[str, str] = {}
        self._keys: dict[str, tuple[KeyState, Key]] = {}

    def reload(self, cur: Cursor) -> None:
        """Everything but the certificates, as it was committed; these are read as batches ask for them."""
        self.administrative = store.administrative_records(cur)
        self._values = {key: orjson.loads(record.state) for key, record in self.administrative.items()}
        self._certificates.clear()
        self._weight = 0

    def load(self, cur: Cursor, numbers: set[str], mark_nos: set[str]) -> None:
        """The certificates and mark numbers that a batch is about, those read that no batch before has left here."""
        wanted = {f"certificate/{number}" for number in numbers}
        for key in wanted & self._certificates.keys():
            self._certificates.move_to_end(key)
        if missing := wanted - self._certificates.keys():
            self._keep(store.records_of(cur, missing))
        self._forget_beyond(KEPT, wanted)
        owned = mark_nos | numbers
        self._mark_owners = store.mark_owners(cur, owned) if owned else {}

    def _keep(self, records: Mapping[str, StoredRecord]) -> None:
        for key, record in records.items():
            before = self._certificates.get(key)
            self._weight += len(record.state) - (len(before.state) if before else 0)
            self._certificates[key] = record

    def _forget_beyond(self, weight: int, wanted: Set[str]) -> None:
        while self._weight > weight and (key := next(iter(self._certificates))) not in wanted:
            self._weight -= len(self._certificates.pop(key).state)
            self._values.pop(key, None)

    def record(self, key: str) -> StoredRecord | None:
        return self._certificates.get(key) or self.administrative.get(key)

    def put(self, key: str, value: Value) -> list[tuple[str, str]]:
        """Keep a new value; the mark numbers that it brings, each with its certificate's."""
        new: list[tuple[str, str]] = []
        if isinstance(value, Certificate):
            before = self.certificate(value.certificate_no)
            held = {mark.mark_no for mark in before.marks} if before else set()
            new = [(m.mark_no, value.certificate_no) for m in value.marks if m.mark_no not in held]
            self._mark_owners.update(new)
        self._values[key] = value
        return new

    @property
    def established(self) -> bool:
        """Whether the first authority is there; until then only the pinned event is taken."""
        return any(key.startswith("authority/") for key in self._values)

    @property
    def is_demonstration(self) -> bool:
        """Whether an authority says of itself that it only demonstrates: its keys lie open."""
        return any(
            cast(AuthorityState, value)["demonstration"]
            for key, value in self._values.items()
            if key.startswith("authority/")
        )

    def committed(self, records: Mapping[str, StoredRecord]) -> None:
        """These stand now. A batch that was not committed leaves wrong values behind: `reload` before the next."""
        administrative = {key: record for key, record in records.items() if not key.startswith("certificate/")}
        self.administrative |= administrative
        self._keep({key: record for key, record in records.items() if key not in administrative})

    # World

    def certificate(self, number: str) -> Certificate | None:
        key = f"certificate/{number}"
        value = self._values.get(key)
        if value is None and (record := self._certificates.get(key)) is not None:
            value = self._values[key] = from_state(cast(CertificateState, orjson.loads(record.state)))
        return cast(Certificate | None, value)

    def mark_owner(self, mark_no: str) -> str | None:
        return self._mark_owners.get(mark_no)

    def body(self, approval_no: str) -> BodyState | None:
        return cast(BodyState | None, self._values.get(f"body/{approval_no}"))

    def alliance(self, alliance_id: str) -> AllianceState | None:
        return cast(AllianceState | None, self._values.get(f"alliance/{alliance_id}"))

    def authority(self, authority_id: str) -> AuthorityState | None:
        return cast(AuthorityState | None, self._values.get(f"authority/{authority_id}"))

    def scheme(self, scheme_id: str) -> SchemeState | None:
        return cast(SchemeState | None, self._values.get(f"scheme/{scheme_id}"))

    def key(self, kid: str) -> KeyState | None:
        return cast(KeyState | None, self._values.get(f"key/{kid}"))

    def signing_key(self, kid: str) -> Key | None:
        """A key with its dates parsed, kept until its record changes."""
        state = self.key(kid)
        if state is None:
            return None
        known = self._keys.get(kid)
        if known is None or known[0] is not state:
            known = self._keys[kid] = (state, key_from_state(state))
        return known[1]

    def thumbprint(self, jwk: Mapping[str, str]) -> str:
        return public_key(jwk).kid


@dataclass(slots=True)
class Touched:
    """A record that the batch has changed: when it is saved, it takes its revision."""

    digest: str
    seq: int
    state: str
    tokens: list[TokenRecord]
    tokens_text: str | None  # as stored; None once a token has been added
    event: str | None


class Batch:
    """One transaction's worth of events: decides them in order and collects what is to be saved."""

    def __init__(
        self,
        register: Register,
        head: Head,
        genesis: str,
        mark_key: PrivateKey | None,
        *,
        ids: dict[tuple[str, str], str],
        chains: dict[tuple[str, str], tuple[int, str]],
        pending: list[Pending],
    ) -> None:
        self.register = register
        self.head = head
        self.genesis = genesis
        self.mark_key = mark_key
        self.ids = ids | {(p.source, p.event_id): p.digest for p in pending}
        self.chains = chains
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
        self.duplicates = 0
        self.status_index = head.status_index

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
        if event.sequence > last + 1 and event.sequence - last <= AHEAD:
            self.parked[arrived.digest] = self.waiting[arrived.digest] = arrived
            self.reviewed.add(arrived.subject)
            return False
        try:
            if event.sequence <= last:
                raise SequenceStale(f"sequence {event.sequence} where {last + 1} is next", pointer="/sequence")
            if event.sequence > last + 1:
                raise SequenceTooFar(f"sequence {event.sequence} where {last + 1} is next", pointer="/sequence")
            if event.previous != digest:
                raise ChainForked("another event stands at the place before", pointer="/previous")
            moment = Moment(arrived.received_at, self.today)
            changes = decide(_said(event, arrived), self.register, moment)
        except Refusal as refusal:
            self._enter(event, arrived, f"refused:{refusal.slug}", refusal, {})
            if isinstance(refusal, CHAIN_REFUSALS):
                return False
        else:
            self._enter(event, arrived, "accepted", None, changes)
        self.chains[chain] = (event.sequence, event.digest)
        self.changed_chains.add(chain)
        return True

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

    def _enter(self, event: Event, arrived: Pending, decision: str, refusal: Refusal | None, changes: Changes) -> None:
        seq = self.head.size + len(self.entries)
        state: str | None = None  # of the first record that the event changes: the one that it is about
        for key, value in changes.items():
            text = canonical_state(value)
            state = state or text
            stored = self.touched.get(key)
            before = self.register.record(key)
            if stored is None:
                held = before.tokens if before else "[]"
                of_key = before.event if before else None
                stored = self.touched[key] = Touched(event.digest, seq, text, json.loads(held), held, of_key)
            stored.digest, stored.seq, stored.state = event.digest, seq, text
            if key.startswith("key/"):
                if stored.event is None:
                    stored.event = arrived.jws
                self.new_keys.append(cast(KeyState, value)["key"])
            self.new_marks += self.register.put(key, value)
        effective_at = event.data.get("effective_at")
        self._append(
            Entry(
                seq=seq,
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
                effective_at=date.fromisoformat(effective_at) if effective_at else None,
                received_at=arrived.received_at,
                recorded_at=self.recorded_at,
                position=arrived.position,
                state_digest=hashlib.sha256(state.encode()).hexdigest() if state else None,
                state=state,
                leaf="",
                jws=arrived.jws,
            )
        )
        for key, value in changes.items():
            if isinstance(value, Certificate):
                self._sign_tokens(key, value)

    def _sign_tokens(self, key: str, certificate: Certificate) -> None:
        """A token is an entry before anybody can print it."""
        touched = self.touched[key]
        for due in list(tokens_due(certificate, touched.tokens, self.today)):
            mark_key = self._valid_mark_key()
            if mark_key is None:
                return
            token, digest = sign(certificate, due, self.status_index, self.today, mark_key)
            self.status_index += 1
            touched.tokens.append(token)
            touched.tokens_text = None
            self._append(
                Entry(
                    seq=self.head.size + len(self.entries),
                    kind="token",
                    digest=digest,
                    event_id=None,
                    source=None,
                    type=None,
                    subject=certificate.certificate_no,
                    sequence=None,
                    decision="accepted",
                    detail=None,
                    pointer=None,
                    hint=None,
                    effective_at=None,
                    received_at=None,
                    recorded_at=self.recorded_at,
                    position=None,
                    state_digest=None,
                    state=None,
                    leaf="",
                    jws=None,
                )
            )

    def _valid_mark_key(self) -> PrivateKey | None:
        if self.mark_key is None:
            return None
        key = self.register.signing_key(self.mark_key.public.kid)
        if key is None or key.purpose is not Purpose.MARK or not key.valid_at(self.recorded_at):
            return None
        return self.mark_key

    def _append(self, entry: Entry) -> None:
        entry.leaf = leaf_of(entry)
        self.entries.append(entry)

    def _quarantine(self, prepared: Prepared, error: CertmarkError) -> None:
        record = prepared.record
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
            )
        )

    def records(self) -> dict[str, StoredRecord]:
        """The records to save, each with the next revision; those whose review began or ended among them."""
        revision = self.head.revision
        under_review = {p.subject for p in self.waiting.values()}
        for subject in sorted(self.reviewed):
            key = f"certificate/{subject}"
            before = self.register.record(key)
            if key not in self.touched and before and before.under_review is not (subject in under_review):
                self.touched[key] = Touched(
                    before.digest, before.seq, before.state, json.loads(before.tokens), before.tokens, before.event
                )
        saved: dict[str, StoredRecord] = {}
        for key, touched in self.touched.items():
            revision += 1
            saved[key] = StoredRecord(
                key=key,
                revision=revision,
                seq=touched.seq,
                recorded_at=self.recorded_at,
                digest=touched.digest,
                state=touched.state,
                tokens=touched.tokens_text or json.dumps(touched.tokens, ensure_ascii=False, separators=(",", ":")),
                under_review=key.removeprefix("certificate/") in under_review,
                event=touched.event,
            )
        return saved


def subject_of(event: Event) -> str:
    """The subject as the register knows it: certificate numbers in their canonical form."""
    return _number(event.subject) if event.type.startswith(_ABOUT_CERTIFICATES) else event.subject


_number = lru_cache(maxsize=4096)(certificate_number)


def _said(event: Event, arrived: Pending) -> Said:
    _, _, kind, name = event.source.split(":", 3)
    data = cast(EventData, event.data)
    return Said(event.digest, event.source, kind, name, event.type, arrived.subject, data)


@lru_cache(maxsize=4096)
def _public_key(kty: str, crv: str, x: str, y: str) -> PublicKey:
    return public_key({"kty": kty, "crv": crv, "x": x, **({"y": y} if y else {})})


def public_key_of(state: KeyState) -> PublicKey:
    jwk = state["key"]
    return _public_key(jwk["kty"], jwk["crv"], jwk["x"], jwk.get("y", ""))


def canonical_state(value: Value) -> str:
    """`state/v1` as canonical JSON (RFC 8785)."""
    if not isinstance(value, Certificate):
        return canonical_text(value, floats=False)
    measured = value.green is not None or value.organic is not None or any(m.attributes for m in value.marks)
    return canonical_text(to_state(value), floats=measured)


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
