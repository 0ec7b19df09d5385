"""A register in memory: the worker's own batch decides, one event at a time, and nothing is read from a server."""

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping, Set
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from services import base64url
from services.domain.body import KeyState
from services.domain.certificate import Certificate
from services.domain.fold import CAUSES, CLASS_REMOVED, KEY_COMPROMISED, Told
from services.domain.identifiers import CHINA, civil_day, instant_of
from services.domain.said import Moment
from services.events import strict_json
from services.events.envelope import TYP, Event
from services.events.event_types import check_data
from services.events.keys import PrivateKey, new_key
from services.events.log import Record
from services.registry import consequences
from services.registry.batch import Batch
from services.registry.intake import Prepared
from services.registry.register import Register, subject_of
from services.registry.store import Entry, Head
from services.registry.told import said_of

AUTHORITY = "urn:certmark:authority:test"
REGISTRY = "urn:certmark:registry:main"
MARK_KEY = new_key()
_ABOUT = ("certificate", "mark", "declaration")
_HEADER = base64url.encoded(json.dumps({"alg": "Ed25519", "kid": "A" * 43, "typ": TYP}).encode())
_SIGNATURE = base64url.encoded(bytes(64))


def _payload(event: Event) -> bytes:
    members = asdict(event)
    del members["digest"]
    if event.previous:
        members["previous"] = f"sha256:{event.previous}"
    return json.dumps({"specversion": "1.0"} | members).encode()


class _Register(Register):
    """What was told, from memory instead of the tables."""

    def __init__(self, memory: "Memory") -> None:
        super().__init__()
        self._memory = memory

    def take_over(self, other: "_Register") -> None:
        self.administrative, self._values = dict(other.administrative), dict(other._values)
        self._certificates, self._mark_owners = other._certificates.copy(), dict(other._mark_owners)
        self._lost = {holder: set(numbers) for holder, numbers in other._lost.items()}

    def lost_by(self, holder: str, scheme: str) -> Set[str]:
        certificates = [self._memory.certificate(number) for number in self._memory.numbers()]
        ended = {c.certificate_no for c in certificates if c.holder.uscc == holder and self._all_ends(f"body/{c.body}")}
        return super().lost_by(holder, scheme) | ended

    def told(self, subject: str) -> list[Told]:
        return self._memory.told.get(subject, [])

    def entry(self, digest: str) -> Told | None:
        return self._memory.events.get(digest)

    def tell(self, subject: str, event: Event, moment: Moment, seq: int) -> None:
        """`Memory.hear` writes down what was accepted."""


@dataclass
class Memory:
    """The register of a test. `today` is the civil day on which it decides; `at` counts the seconds of that day."""

    today: date
    seconds: int = 0
    entries: list[Entry] = field(default_factory=list)
    told: dict[str, list[Told]] = field(default_factory=dict)
    events: dict[str, Told] = field(default_factory=dict)
    signed: dict[str, str] = field(default_factory=dict)
    """By digest, the envelope of each event that was made here; its signature is nobody's."""
    kids: dict[str, str] = field(default_factory=dict)
    """Of each accepted event, the key that signed it."""
    chains: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    drawing: bool = True
    """Whether consequences follow at once."""
    mark_keys: list[PrivateKey] = field(default_factory=lambda: [MARK_KEY])

    def __post_init__(self) -> None:
        self.register = _Register(self)
        self.size = self.revision = self.status_index = 0
        for owner, purpose, key in ((AUTHORITY, "event", None), (REGISTRY, "mark", MARK_KEY)):
            self.add_key(owner, purpose, key)
        state = {"v": 1, "kind": "authority", "id": "test", "name": "示范局", "demonstration": True}
        self.register.put("authority/test", state)  # type: ignore[arg-type]

    def add_key(self, owner: str, purpose: str = "event", key: PrivateKey | None = None) -> str:
        """A key of an owner that no event brought; its kid. Without a key of its own it only has a name."""
        jwk = dict(key.public.jwk) if key else {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}
        kid = key.public.kid if key else f"{len(self.register.keys())}-{owner.rpartition(':')[2]}".ljust(43, "_")[:43]
        state: KeyState = {
            "v": 1,
            "kind": "key",
            "kid": kid,
            "owner": owner,
            "purpose": purpose,
            "key": jwk,
            "from": "1900-01-01",
            "until": None,
            "retired_on": None,
            "compromised_since": None,
        }
        self.register.put(f"key/{kid}", state)
        return kid

    def fork(self) -> "Memory":
        """Another register that has heard the same so far. Values are never changed in place, so they are shared."""
        other = replace(
            self,
            entries=list(self.entries),
            told={subject: list(told) for subject, told in self.told.items()},
            events=dict(self.events),
            signed=dict(self.signed),
            kids=dict(self.kids),
            chains=dict(self.chains),
        )
        other.size, other.revision, other.status_index = self.size, self.revision, self.status_index
        other.register.take_over(self.register)
        return other

    # --- speaking ------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        return datetime.combine(self.today, time(8), CHINA).astimezone(UTC) + timedelta(seconds=self.seconds)

    def event(self, source: str, short: str, subject: str, data: Mapping[str, Any], signatory: str = "T-1") -> Event:
        """The next event of this source about this subject, with its data as the strict reader reads them."""
        read = strict_json.loads(json.dumps(data).encode())
        event_id = str(uuid.UUID(int=len(self.entries) + 1))
        kind = f"certmark.{short}.v1"
        made = Event(event_id, source, kind, subject, self.now.isoformat(), 1, None, signatory, read, "")
        sequence, previous = self.chains.get((source, subject_of(made)), (0, None))
        chained = replace(made, sequence=sequence + 1, previous=previous)
        signing_input = f"{_HEADER}.{base64url.encoded(_payload(chained))}"
        event = replace(chained, digest=hashlib.sha256(signing_input.encode()).hexdigest())
        self.signed[event.digest] = f"{signing_input}.{_SIGNATURE}"
        return event

    def say(self, source: str, short: str, subject: str, data: Mapping[str, Any], kid: str | None = None) -> Entry:
        """The entry that an event becomes. Whatever is malformed is the caller's mistake.

        Raises:
            Malformed: the event does not match its schema.
        """
        event = self.event(source, short, subject, data)
        check_data(event)
        entry = self.hear(event, kid)
        assert entry is not None
        return entry

    def hear(self, event: Event, kid: str | None = None) -> Entry | None:
        """Let a batch decide one checked event, and draw its consequences; None where its key does not count."""
        self.seconds += 1
        kid = kid or self.key_of(event.source)
        batch = self._batch(self.chains)
        record = Record(len(self.entries), "test", self._jws(event.digest).encode(), self.now)
        batch.take(Prepared(record, kid, event.digest, event, True, None))
        self._keep(batch)
        if batch.quarantine:
            return None
        entry = next(e for e in batch.entries if e.kind == "event")
        if entry.decision == "accepted":
            said = said_of(event, entry.subject)
            told = Told(entry.seq, False, said, Moment(self.now, self.today))
            self.told.setdefault(entry.subject, []).append(told)
            self.events[event.digest] = told
            self.kids[event.digest] = kid
            if event.type in CAUSES and self.drawing:
                self._draw(told)
        return entry

    def _jws(self, digest: str) -> str:
        return self.signed.get(digest, "jws")

    def key_of(self, source: str) -> str:
        """A key of a source that counts at present: a new one where none is left."""
        for kid, state in self.register.keys().items():
            key = self.register.signing_key(kid)
            if state["owner"] == source and key is not None and key.valid_at(self.now):
                return kid
        return self.add_key(source)

    def _batch(self, chains: dict[tuple[str, str], tuple[int, str]]) -> Batch:
        nobody = datetime(1970, 1, 1, tzinfo=UTC)
        head = Head(
            self.size, 0, 0, nobody, self.revision, self.status_index, 0, "", leader_lives=False, lease_runs=False,
            now=self.now,
        )  # fmt: skip
        return Batch(self.register, head, "", self.mark_keys, ids={}, chains=dict(chains), pending=[])

    def _keep(self, batch: Batch) -> None:
        saved = batch.records()
        self.register.committed(saved)
        self.entries += batch.entries
        self.size += len(batch.entries)
        self.revision += len(saved)
        self.status_index = batch.status_index
        self.chains.update({chain: batch.chains[chain] for chain in batch.changed_chains})

    # --- consequences ------------------------------------------------------------------------------------------

    def _draw(self, cause: Told) -> None:
        for number in sorted(self._concerned(cause)):
            before = self.register.certificate(number)
            after = consequences.drawn(before, cause, self.register) if before else None
            if after is None or after == before:
                continue
            batch = self._batch({})
            batch.draw(cause, self._jws(cause.said.digest), number, after)
            moment = Moment(batch.recorded_at, civil_day(batch.recorded_at))
            self.told[number].append(Told(self.size, True, cause.said, moment))
            self._keep(batch)

    def _concerned(self, cause: Told) -> Iterator[str]:
        """What `consequences.affected` asks the tables."""
        data = cause.said.data
        if cause.said.type == CLASS_REMOVED:
            yield from self.numbers()
        elif cause.said.type == KEY_COMPROMISED:
            since = instant_of(data["since"])
            for number in self.numbers():
                heard = [one for one in self.told[number] if not one.consequence]
                if any(one.moment.received_at >= since and self._signed(one, cause.said.subject) for one in heard):
                    yield number
        else:
            target = self.events[data["digest"]].said
            if target.type.split(".")[1] in _ABOUT:
                yield target.subject
            else:
                for number in self.numbers():
                    if any(one.consequence and one.said.digest == target.digest for one in self.told[number]):
                        yield number

    def _signed(self, one: Told, kid: str) -> bool:
        return self.kids.get(one.said.digest) == kid

    # --- looking -------------------------------------------------------------------------------------------------

    def numbers(self) -> list[str]:
        """Of every certificate and declaration, in the order of issue."""
        return [n for n, told in self.told.items() if any(self._begins(one) for one in told)]

    @staticmethod
    def _begins(one: Told) -> bool:
        return one.said.type in ("certmark.certificate.issued.v1", "certmark.declaration.made.v1")

    def certificate(self, number: str) -> Certificate:
        found = self.register.certificate(number)
        assert found is not None
        return found

    def last(self, number: str) -> Entry:
        """The last entry that changed a certificate."""
        return next(e for e in reversed(self.entries) if e.subject == number and e.state is not None)
