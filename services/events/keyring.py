"""Whose signatures count: the keys of the state topic, believed only through their chain from the pinned genesis."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from services.domain.body import AllianceState, BodyState, Key, KeyState, Purpose, key_from_state
from services.domain.errors import (
    BadSignature,
    CertmarkError,
    KeyNotValid,
    Malformed,
    NotConfigured,
    UnknownKey,
    Untrusted,
)
from services.domain.identifiers import instant_of
from services.events.envelope import Envelope, Event, check_signature, open_envelope, read_event
from services.events.event_types import check_data
from services.events.keys import HEADER_NAMES, PublicKey, public_key
from services.events.record import Sealed, SealedRecord, open_sealed, read_record

ESTABLISHED = "certmark.authority.established.v1"
ADDED = "certmark.key.added.v1"
_OWN = (Purpose.EVENT, Purpose.DECLARATION)
"""What a source other than an authority may add for itself; above all never a key that seals."""


@dataclass(frozen=True, slots=True)
class RegisteredKey:
    """A key in the register, with the object that checks its signatures."""

    key: Key
    public: PublicKey


class Keyring:
    """The keys and speakers that a reader of the state topic knows.

    The rules, in the order in which trust grows:
      1. the genesis is the `authority.established` event whose digest was pinned, signed by the key it holds;
      2. a key is believed when its own signed event is in its record and was signed by a believed event key:
         of an authority, or of the key's owner for another event or declaration key of his own;
      3. a sealed record is believed when its seal is by a believed key whose purpose is `seal`;
      4. a key's end (retired, compromised) and all other states are believed through the seal.
    The seal alone never brings in a key: who steals the seal can lie about states, not invent signers.
    """

    def __init__(self, genesis: str) -> None:
        """`genesis` is the pinned digest.

        Raises:
            NotConfigured: none was pinned; a reader that believes the first comer would believe anybody.
        """
        if not genesis:
            raise NotConfigured("CERTMARK_GENESIS is empty: there is no first record to trust from")
        self._genesis = genesis
        self._keys: dict[str, RegisteredKey] = {}
        self._waiting: dict[str, tuple[Envelope, Event]] = {}
        self._bodies: dict[str, BodyState] = {}
        self._alliances: dict[str, AllianceState] = {}
        self._revisions: dict[str, int] = {}

    # --- what is known ----------------------------------------------------------------------------------

    @property
    def has_genesis(self) -> bool:
        return bool(self._keys)

    def key(self, kid: str) -> Key | None:
        found = self._keys.get(kid)
        return found.key if found else None

    def registered(self, kid: str) -> RegisteredKey | None:
        return self._keys.get(kid)

    def known_keys(self) -> tuple[Key, ...]:
        return tuple(found.key for found in self._keys.values())

    def body(self, approval_no: str) -> BodyState | None:
        return self._bodies.get(approval_no)

    def alliance(self, alliance_id: str) -> AllianceState | None:
        return self._alliances.get(alliance_id)

    def seal_key(self, kid: str, at: datetime) -> PublicKey:
        """The key behind the seal of a record that was recorded at an instant.

        An older record may be sealed again by a newer key (after a rotation, or where a zombie overwrote it),
        so only the key's end counts.

        Raises:
            UnknownKey: not (yet) believed. KeyNotValid: it is not for seals, or had ended then.
        """
        found = self._keys.get(kid)
        if found is None:
            raise UnknownKey(f"no chain leads from the genesis to the seal's key {kid[:64]}")
        if found.key.purpose is not Purpose.SEAL:
            raise KeyNotValid(f"key {kid} is for {found.key.purpose}, not for seals")
        if found.key.ended_at(at):
            raise KeyNotValid(f"key {kid} does not seal on {at.isoformat()}")
        return found.public

    def event_key(self, envelope: Envelope, at: datetime) -> RegisteredKey:
        """The key that an event received at an instant names, its signature not yet checked.

        Raises:
            UnknownKey, KeyNotValid: see each.
        """
        found = self._keys.get(envelope.kid)
        if found is None:
            raise UnknownKey(
                f"no key {envelope.kid[:64]!r} is registered", hint="a key counts once the record that adds it is out"
            )
        declarant = found.key.owner.startswith("urn:certmark:declarant:")
        if found.key.purpose is not (Purpose.DECLARATION if declarant else Purpose.EVENT):
            raise KeyNotValid(f"key {envelope.kid} is for {found.key.purpose}, not for events")
        if not found.key.valid_at(at):
            raise KeyNotValid(f"key {envelope.kid} is not valid on {at.isoformat(timespec='seconds')}")
        return found

    # --- what is read ------------------------------------------------------------------------------------

    def build(self, values: Iterable[bytes]) -> None:
        """Take in records whatever their order: first every key's event to a fixpoint, then the states.

        Compaction keeps a record where it was last written, so a key can stand after what it signed.
        Records that cannot be believed are passed over: the registry republishes what a zombie overwrote.
        """
        sealed = [value for value in values if value]
        for value in sealed:
            self.learn_key(value)
        for value in sealed:
            try:
                self.apply(value)
            except CertmarkError:
                continue

    def learn_key(self, value: bytes) -> None:
        """Rule 1 and 2 on a record whose seal nobody need believe; a key whose signer is unknown waits for him."""
        try:
            record = read_record(open_sealed(value).payload)
            if not record.key.startswith("key/") or record.event is None:
                return
            self._offer(record.event)
        except CertmarkError:
            return

    def learn_event(self, jws: bytes) -> None:
        """The same on the signed event itself: it proves its key or is passed over."""
        try:
            self._offer(jws)
        except CertmarkError:
            return

    def apply(self, value: bytes) -> SealedRecord:
        """Verify a record and remember what it says of keys, bodies and alliances.

        Raises:
            Untrusted, Malformed: nothing was remembered, except a key that its own event proves.
        """
        sealed = open_sealed(value)
        if sealed.kid not in self._keys:
            self.learn_key(value)  # a new seal key may introduce itself: its event proves it, not its seal
        record = self._verified(sealed)
        if record.event is not None and record.key.removeprefix("key/") not in self._keys:
            self._offer(record.event)
        self._remember(record)
        return record

    def verify_record(self, value: bytes) -> SealedRecord:
        """The record inside a seal that holds.

        Raises:
            Untrusted: the seal does not hold, or its key is not believed. Malformed: not a sealed record.
        """
        return self._verified(open_sealed(value))

    def _verified(self, sealed: Sealed) -> SealedRecord:
        found = self._keys.get(sealed.kid)
        if found is None:
            raise UnknownKey(f"no chain leads from the genesis to the seal's key {sealed.kid[:64]}")
        if sealed.alg not in HEADER_NAMES[found.public.alg]:
            raise BadSignature("the seal's algorithm is not its key's")
        found.public.verify(sealed.seal, sealed.signing_input)
        record = read_record(sealed.payload, sealed=True)
        self.seal_key(sealed.kid, record.recorded_at)
        return record

    def _remember(self, record: SealedRecord) -> None:
        kind, _, name = record.key.partition("/")
        if kind not in ("key", "body", "alliance") or record.state is None:
            return
        if record.revision < self._revisions.get(record.key, -1):
            return  # a zombie's last breath: readers keep the highest revision
        self._revisions[record.key] = record.revision
        if kind == "body":
            self._bodies[name] = cast(BodyState, record.state)
        elif kind == "alliance":
            self._alliances[name] = cast(AllianceState, record.state)
        else:
            self._update_key(name, cast(KeyState, record.state))

    def _update_key(self, kid: str, state: KeyState) -> None:
        known = self._keys.get(kid)
        if known is None:
            raise Untrusted(f"no chain leads from the genesis to key {kid[:64]}")
        after = _key(state)
        if (after.kid, after.owner, after.purpose) != (kid, known.key.owner, known.key.purpose):
            raise Untrusted(f"the record of key {kid} contradicts the event that added it")
        self._keys[kid] = RegisteredKey(after, known.public)

    # --- the chain ----------------------------------------------------------------------------------------

    def _offer(self, jws: bytes) -> None:
        """Believe the key that an event adds, now or as soon as its signer is believed."""
        envelope = open_envelope(jws)
        event = read_event(envelope)
        check_data(event, instant_of(event.time))
        kid = _thumbprint(event) if event.type == ESTABLISHED else event.subject
        if event.type not in (ESTABLISHED, ADDED) or kid in self._keys:
            return
        self._waiting[kid] = (envelope, event)
        grown = True
        while grown:
            grown = False
            for waiting, (envelope, event) in list(self._waiting.items()):
                try:
                    self._keys[waiting] = self._believed(envelope, event)
                    grown = True
                except UnknownKey:
                    continue  # its signer may yet come
                except CertmarkError:
                    pass
                del self._waiting[waiting]

    def _believed(self, envelope: Envelope, event: Event) -> RegisteredKey:
        """The key that the event adds, if rule 1 or 2 lets it."""
        added = public_key(event.data["key"])
        if event.type == ESTABLISHED and event.digest == self._genesis:
            if envelope.kid != added.kid:
                raise KeyNotValid("the genesis is not signed by the key it holds")
            check_signature(envelope, added)
            return RegisteredKey(_established(added, event), added)
        signer = self._keys.get(envelope.kid)
        if signer is None:
            raise UnknownKey(f"key {envelope.kid[:64]} is not believed")
        check_signature(envelope, signer.public)
        if signer.key.owner != event.source or signer.key.purpose not in _OWN:
            raise KeyNotValid("signed by a key of another, or by one that is not for events")
        authority = event.source.startswith("urn:certmark:authority:")
        if event.type == ESTABLISHED:
            if not authority:
                raise KeyNotValid("an authority is established by an authority")
            return RegisteredKey(_established(added, event), added)
        if added.kid != event.subject:
            raise KeyNotValid("the subject is not the thumbprint of the key")
        purpose = Purpose(event.data["purpose"])
        if not authority and (event.data["owner"] != event.source or purpose not in _OWN):
            raise KeyNotValid(f"{event.source} may add event keys of its own alone")
        return RegisteredKey(_added(added, event), added)


def _thumbprint(event: Event) -> str:
    return public_key(event.data["key"]).kid


def _established(public: PublicKey, event: Event) -> Key:
    return _key(
        _state(public, f"urn:certmark:authority:{event.subject}", Purpose.EVENT, event.data["effective_at"], None)
    )


def _added(public: PublicKey, event: Event) -> Key:
    data = event.data
    return _key(_state(public, data["owner"], Purpose(data["purpose"]), data["from"], data.get("until")))


def _state(public: PublicKey, owner: str, purpose: Purpose, since: str, until: str | None) -> KeyState:
    return {
        "v": 1,
        "kind": "key",
        "kid": public.kid,
        "owner": owner,
        "purpose": purpose.value,
        "key": dict(public.jwk),
        "from": since,
        "until": until,
        "retired_on": None,
        "compromised_since": None,
    }


def _key(state: KeyState | dict[str, Any]) -> Key:
    try:
        return key_from_state(cast(KeyState, state))
    except (KeyError, ValueError, TypeError) as error:
        raise Malformed(f"not the state of a key: {type(error).__name__}") from None
