"""Decides every entry anew, from the first one on, and compares what that leaves with what is written down."""

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import cast

import orjson

from services.domain.body import Key, KeyState, key_from_state
from services.domain.certificate import Certificate, CertificateState, from_state
from services.domain.errors import (
    CHAIN_CODES,
    CertmarkError,
    ChainForked,
    Malformed,
    Refusal,
    SequenceStale,
    SequenceTooFar,
)
from services.domain.fold import CAUSES, KEY_COMPROMISED, Told
from services.domain.identifiers import civil_day, instant_text
from services.domain.said import Moment
from services.domain.world import Value
from services.events.envelope import Envelope, Event, check_signature, check_source, open_envelope, read_event
from services.events.event_types import check_data
from services.events.keys import public_key
from services.postgres import Connection, Cursor, snapshot, stream
from services.registry import consequences, store
from services.registry.administration import Administration
from services.registry.batch import AHEAD, consequence_digest, effective_at_of, leaf_of
from services.registry.compared import first_stray, whole_scheme
from services.registry.differences import Difference, hash_of
from services.registry.put_aside import first_put_aside
from services.registry.register import RESOLVED, public_key_of, subject_of
from services.registry.room import canonical_state, decide_within
from services.registry.store import Entry, bare_entry
from services.registry.told import ToldRow, said_of, told_one

HELD = 20_000
"""Certificates that stay in memory; of any other the state is read back that was compared before."""

AT_ONCE = 500
"""Entries whose subjects are looked up together: one by one they cost four questions for each certificate's first."""

_SCHEME = "certmark.scheme.published.v1"


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many entries were decided anew, and the first that came out otherwise."""

    entries: int
    difference: Difference | None


def replay(connection: Connection, genesis: str, begin: Callable[[int], Callable[[int], None]]) -> Replayed:
    """Decide all entries of one snapshot anew, in order of seq, from the pinned first event on.

    `begin` is told how many there are and gives back what is called as they are done.
    """
    with snapshot(connection) as cur:
        size = store.head(cur).size
        advance, world, done = begin(size), World(cur, genesis), 0
        for entry in world.ahead(_entries(cur)):
            if entry.seq != done:
                return Replayed(done, Difference(done, "seq", None if entry.seq > done else str(entry.seq), str(done)))
            found = _difference(entry, world)
            if found is not None:
                return Replayed(done, Difference(entry.seq, *found))
            done += 1
            if done % 100 == 0:
                advance(100)
        if done != size:
            return Replayed(done, Difference(done, "seq", str(size), str(done)))
        return Replayed(done, first_stray(cur, world.administrative) or first_put_aside(cur, world.key_as_of))


def _entries(cur: Cursor) -> Iterator[Entry]:
    return (Entry(*row) for row in stream(cur, f"SELECT {store.ENTRY} FROM entries ORDER BY seq", {}))


_Sides = tuple[str, str | None, str | None]


def _difference(entry: Entry, world: "World") -> _Sides | None:
    """What of an entry is not as it comes out, as stored and as computed; else the world moves on past it."""
    leaf = leaf_of(entry)
    if leaf != entry.leaf:
        return "leaf", hash_of(entry.leaf), hash_of(leaf)
    if entry.state is not None and hash_of(entry.state) != entry.state_digest:
        return "state", entry.state_digest, hash_of(entry.state)
    if entry.recorded_at < world.recorded_at:
        return "recorded_at", instant_text(entry.recorded_at), instant_text(world.recorded_at)
    world.recorded_at = entry.recorded_at
    if entry.kind in ("token", "commitment"):
        # What a mark says of itself, whose signature is checked where it is read; or the hash of what is not public.
        bare = bare_entry(entry.kind, entry.seq, entry.digest, entry.subject, entry.recorded_at)
        bare.leaf = leaf
        return None if entry == bare else ("bare", entry.state_digest, None)
    if entry.jws is None:
        return "jws", None, entry.digest
    world.seq = entry.seq
    told_anew = _drawn_anew if entry.kind == "consequence" else _decided_anew
    return told_anew(entry, entry.jws, world)


def _decided_anew(entry: Entry, jws: str, world: "World") -> _Sides | None:
    envelope, event = _read(jws) or (None, None)
    if envelope is None or event is None or event.digest != entry.digest:
        return "digest", entry.digest, event.digest if event else None
    if not in_order(entry, event, world):
        return "order", _words((entry.position,)), _words((world.furthest,))
    found = _distrusted(entry, event, envelope, world)
    if found is not None:
        return found
    told = (event.id, event.source, event.type, subject_of(event), event.sequence, effective_at_of(event.data))
    stored = (entry.event_id, entry.source, entry.type, entry.subject, entry.sequence, entry.effective_at)
    if told != stored:
        return "event", _words(stored), _words(told)
    before = world.chain(event.source, entry.subject)
    misplaced = _misplaced(event, *before)
    if misplaced is not None and entry.decision in misplaced:
        return None  # the place in its chain was judged, not what it says
    if misplaced is not None or entry.decision in CHAIN_CODES:
        return "chain", _words((entry.decision, event.sequence - 1, event.previous)), _words(before)
    world.keep_chain(event.source, entry.subject, (event.sequence, event.digest))
    moment = Moment(entry.received_at or entry.recorded_at, civil_day(entry.recorded_at))
    said = said_of(event, entry.subject)
    changes: dict[str, tuple[Value, str]] = {}
    world.position = entry.position
    try:
        changes = decide_within(said, event.sequence, world, moment)
        decision = "accepted"
    except Refusal as refusal:
        decision = f"refused:{refusal.slug}"
    if decision != entry.decision:
        return "decision", entry.decision, decision
    for key, (value, _) in changes.items():
        world.put(key, value)
    if decision == "accepted" and event.type in CAUSES:
        world.causes[event.digest] = Told(entry.seq, False, said, moment)
    return _state_difference(entry, next((text for _, text in changes.values()), None))


def in_order(entry: Entry, event: Event, world: "World") -> bool:
    """Whether an event was entered where the log has it. What has waited comes right behind what it waited for, or
    behind the event that had it decided after all: nobody else goes before who came first."""
    before, world.last = world.last, (event.source, entry.subject, event.type)
    if before is None or (entry.position is not None and entry.position > world.furthest):
        return True
    return before[:2] == world.last[:2] or (before[1:] == (event.digest, RESOLVED))


def _misplaced(event: Event, last: int, digest: str | None) -> Sequence[str] | None:
    """The refusals that an event may meet where its chain has come to this place; None where it is the next."""
    if event.sequence <= last:
        return (f"refused:{SequenceStale.slug}",)
    if event.sequence > last + AHEAD:
        return (f"refused:{SequenceTooFar.slug}",)
    # One that runs ahead waits; where as many do as may, it is refused.
    return (f"refused:{ChainForked.slug}",) if (event.sequence - 1, event.previous) != (last, digest) else None


def _distrusted(entry: Entry, event: Event, envelope: Envelope, world: "World") -> _Sides | None:
    """Why an entry's event is not to be believed: its key, as the entries before have it; its signature; its form."""
    if entry.seq == 0:
        if event.digest != world.genesis:
            return "genesis", event.digest, world.genesis
        key, owner = public_key(event.data["key"]), f"urn:certmark:authority:{event.subject}"
    else:
        state = world.key(envelope.kid)
        if state is None:
            return "key", envelope.kid, None
        registered = key_from_state(state)
        key, owner = public_key_of(state), registered.owner
        if not registered.purpose.speaks or not was_valid(registered, entry, world):
            return "key", envelope.kid, None
    world.furthest = max(world.furthest, entry.position or 0)
    try:
        check_signature(envelope, key)
        check_source(event, owner)
        check_data(event, entry.received_at)
    except CertmarkError as error:
        return "form" if isinstance(error, Malformed) else "signature", entry.digest, error.slug
    return None


def was_valid(key: Key, entry: Entry, world: "World") -> bool:
    """Whether an event's key was valid when it came. What has waited was judged then: the key may have ended since."""
    came = entry.received_at or entry.recorded_at
    if key.valid_at(came):
        return True
    if entry.position is None or entry.position >= world.furthest:
        return False
    before = world.key_as_of(key.kid, entry.position)
    return (before is not None and key_from_state(before).valid_at(came)) or world.was_redriven(entry.digest)


def _drawn_anew(entry: Entry, jws: str, world: "World") -> _Sides | None:
    _, event = _read(jws) or (None, None)
    cause, certificate = world.causes.get(event.digest if event else ""), world.certificate(entry.subject)
    if cause is None or certificate is None or entry.detail != cause.said.digest:
        return "cause", entry.detail, event.digest if event else None
    digest = consequence_digest(cause.said.digest, entry.subject)
    if entry.digest != digest:
        return "digest", entry.digest, digest
    after = consequences.drawn(certificate, cause, world)
    if after == certificate or not world.is_concerned(entry.subject, cause):
        return "cause", entry.detail, None
    world.put(f"certificate/{entry.subject}", after)
    return _state_difference(entry, canonical_state(after))


def _read(jws: str) -> tuple[Envelope, Event] | None:
    """The event that is written down, and its envelope; None where they cannot be read any more."""
    try:
        envelope = open_envelope(jws.encode())
        return envelope, read_event(envelope)
    except CertmarkError:
        return None


def _words(values: Sequence[object]) -> str:
    return " ".join(str(value) for value in values)


def _state_difference(entry: Entry, state: str | None) -> _Sides | None:
    computed = hash_of(state)
    if computed == entry.state_digest or (entry.type == _SCHEME and whole_scheme(entry.state) == whole_scheme(state)):
        return None
    return "state", entry.state_digest, computed


class World(Administration):
    """The register before an entry, as the entries before it have left it. Implements `domain.world.World`."""

    def __init__(self, cur: Cursor, genesis: str) -> None:
        super().__init__()
        self._cur = cur
        self.genesis = genesis
        self.recorded_at = datetime.fromtimestamp(0, UTC)
        self.furthest = -1  # position of an event that has been met
        self.last: tuple[str, str, str] | None = None  # (source, subject, type) of the event before
        self._chains: OrderedDict[tuple[str, str], tuple[int, str | None]] = OrderedDict()
        self._certificates: OrderedDict[str, Certificate] = OrderedDict()
        # Of the subjects looked up last:
        self._owners: dict[str, str] = {}  # where one is the number of a mark, the certificate that has it
        self._absent: set[str] = set()  # those of which there is no certificate so far
        self._chainless: set[str] = set()  # those about which nobody has spoken so far
        self._keys: defaultdict[str, list[tuple[int, KeyState]]] = defaultdict(list)  # (furthest position then, state)
        self.causes: dict[str, Told] = {}
        self.seq = 0
        self.position: int | None = None

    def put(self, key: str, value: Value) -> None:
        if isinstance(value, Certificate):
            self._hold(value)
            self._absent.discard(value.certificate_no)
            return
        self.keep(key, value)
        if key.startswith("key/"):
            self._keys[key].append((self.furthest, cast(KeyState, value)))

    def key_as_of(self, kid: str, position: int) -> KeyState | None:
        """A key as the register had it when it came to a position of the log."""
        return next((state for at, state in reversed(self._keys[f"key/{kid}"]) if at < position), None)

    def was_redriven(self, digest: str) -> bool:
        """Whether an authority had it decided after it was put aside, by the keys that there were by then."""
        self._cur.execute("SELECT 1 FROM quarantine WHERE digest = %s AND redriven", (digest,))
        return self._cur.fetchone() is not None

    def is_concerned(self, number: str, cause: Told) -> bool:
        """Whether a compromised key has spoken about a certificate; any other cause is asked by what it changes."""
        return cause.said.type != KEY_COMPROMISED or consequences.has_spoken(self._cur, cause, self, number, self.seq)

    def ahead(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        """The entries, what they are about looked up for many at once."""
        while some := list(islice(entries, AT_ONCE)):
            self._look_up({entry.subject for entry in some if entry.jws is not None}, some[0].seq)
            yield from some

    def _look_up(self, subjects: set[str], seq: int) -> None:
        """What stood before an entry about these subjects, but for what is held."""
        new = subjects - self._certificates.keys()
        states = store.states_before(self._cur, new, seq)
        for state in states.values():  # equal to what this run came to when it passed the entry
            self._hold(from_state(cast(CertificateState, orjson.loads(state))))
        chains = store.chains_before(self._cur, new, seq)
        for chain, last in chains.items():
            self.keep_chain(*chain, last)
        self._absent = new - states.keys()
        self._chainless = new - {subject for _, subject in chains}
        self._owners = store.mark_owners(self._cur, new)

    def _hold(self, certificate: Certificate) -> None:
        self._certificates[certificate.certificate_no] = certificate
        self._certificates.move_to_end(certificate.certificate_no)
        if len(self._certificates) > HELD:
            self._certificates.popitem(last=False)

    def certificate(self, number: str) -> Certificate | None:
        found = self._certificates.get(number)
        if found is None and number not in self._absent:
            for state in store.states_before(self._cur, [number], self.seq).values():
                found = from_state(cast(CertificateState, orjson.loads(state)))
                self._hold(found)
        return found

    @property
    def administrative(self) -> Mapping[str, Value]:
        """Everything but the certificates."""
        return self._values

    def chain(self, source: str, subject: str) -> tuple[int, str | None]:
        """(sequence, digest) of the last event of a source about a subject."""
        found = self._chains.get((source, subject))
        if found is None and subject not in self._chainless:
            found = store.chains_before(self._cur, [subject], self.seq).get((source, subject))
        return found or (0, None)

    def keep_chain(self, source: str, subject: str, last: tuple[int, str]) -> None:
        self._chains[source, subject] = last
        self._chainless.discard(subject)
        self._chains.move_to_end((source, subject))
        if len(self._chains) > HELD:
            self._chains.popitem(last=False)

    def mark_owner(self, mark_no: str) -> str | None:
        owners = self._owners if mark_no in self._absent else store.mark_owners(self._cur, [mark_no])
        number = owners.get(mark_no)
        certificate = self.certificate(number) if number is not None else None
        return number if certificate is not None and certificate.mark(mark_no) is not None else None

    def lost_by(self, holder: str, scheme: str) -> Collection[str]:
        return store.lost_by(self._cur, [holder], [scheme]).get((holder, scheme), ())

    def told(self, subject: str) -> Sequence[Told]:
        rows = cast(list[ToldRow], store.told_about(self._cur, [subject]))
        return [told_one(row) for row in rows if row[1] < self.seq]

    def entry(self, digest: str) -> Told | None:
        rows = [row[:-1] for row in store.told_by_digest(self._cur, [digest]) if row[1] < self.seq]
        return told_one(cast(ToldRow, rows[0])) if rows else None

    def is_quarantined(self, digest: str) -> bool:
        return store.was_aside(self._cur, digest, self.seq, self.position)
