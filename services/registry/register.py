"""The register as a batch sees it: what was loaded and kept, what the batch has changed, what may be asked of it."""

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence, Set
from datetime import date
from functools import lru_cache
from typing import Any, cast

import orjson

from services.domain.body import AuthorityState, Key, KeyState, approval_ends, key_from_state
from services.domain.certificate import Certificate, CertificateState, Party, Status, from_state
from services.domain.fold import ANNULLED, CORRECTED, SCHEME_PUBLISHED, Told
from services.domain.identifiers import certificate_number
from services.domain.said import Moment
from services.domain.scheme import scheme_from_state
from services.domain.waiting import found_by, makes_wait, sought_by
from services.domain.world import Value
from services.events.envelope import Event
from services.events.keys import PublicKey, public_key
from services.postgres import Cursor
from services.registry import store
from services.registry.administration import Administration
from services.registry.store import StoredRecord
from services.registry.told import ToldRow, said_of, told_of, told_one

RESOLVED = "certmark.quarantine.resolved.v1"
ISSUED = "certmark.certificate.issued.v1"
AMENDED = "certmark.certificate.amended.v1"
KEPT = 16 << 20
"""Characters of certificates' states that stay decoded between batches: the next events are often about the same."""

_ABOUT_CERTIFICATES = ("certmark.certificate.", "certmark.mark.", "certmark.declaration.")


_LOST = (Status.REVOKED, Status.SUSPENDED)
"""What a scheme may make a holder wait for who wants to be certified again."""


class Register(Administration):
    """The register as a batch sees it: what was loaded, what the batch has changed, and what it will save.

    Implements `domain.world.World`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.administrative: dict[str, StoredRecord] = {}
        self._certificates: OrderedDict[str, StoredRecord] = OrderedDict()  # the longest untouched first
        self._weight = 0  # characters of their states
        self._mark_owners: dict[str, str] = {}
        self._keys: dict[str, tuple[KeyState, Key]] = {}
        self._told: dict[str, list[Told]] = {}
        self._entries: dict[str, Told] = {}
        self._lost: dict[tuple[str, str], set[str]] = {}
        self.new_lost: set[tuple[str, str, str]] = set()
        """(credit code, or name and address; scheme, number) of what this batch found lost first: where the next are
        looked for."""
        self.lost_bodies: set[str] = set()
        """Sources whose approval was given an end: their certificates are not among the lost before that is saved."""
        self.quarantined: set[str] = set()
        """Digests in quarantine that events of this batch resolve."""

    def reload(self, cur: Cursor) -> None:
        """Everything but the certificates, as it was committed; these are read as batches ask for them."""
        self.administrative = store.administrative_records(cur)
        self._values = {key: orjson.loads(record.state) for key, record in self.administrative.items()}
        self._certificates.clear()
        self._weight = 0
        self._calendars = None
        self.new_lost, self.lost_bodies = set(), set()

    def load(self, cur: Cursor, numbers: set[str], mark_nos: set[str]) -> None:
        """The certificates and mark numbers that a batch is about, those read that no batch before has left here."""
        wanted = {f"certificate/{number}" for number in numbers}
        for key in wanted & self._certificates.keys():
            self._certificates.move_to_end(key)
        if missing := wanted - self._certificates.keys():
            self._keep(store.records_of(cur, missing))
        self._forget_beyond(KEPT, wanted)
        self._mark_owners = store.mark_owners(cur, mark_nos) if mark_nos else {}

    def load_lost(self, cur: Cursor, events: Sequence[Event]) -> None:
        """Which certificates of the holders that these events are about were ever lost (`World.lost_by`), of the
        schemes that they are about, where these may let a holder wait.

        Issues, amendments; and corrections of these, so after `load_told`.
        """
        corrected = [event for event in events if event.type == CORRECTED]
        # What a correction says has not been checked against the corrected event's form yet.
        told: list[Mapping[str, Any]] = [event.data["fields"] for event in corrected]
        told += [event.data for event in events if event.type == AMENDED]
        for subject in {subject_of(event) for event in corrected}:
            told += [cast(Mapping[str, Any], one.said.data) for one in self._told.get(subject, ())]
        told += [data["fields"] for data in told if isinstance(data.get("fields"), dict)]
        of = {subject_of(event) for event in events if event.type in (AMENDED, CORRECTED)}
        named = {certificate.scheme for number in of if (certificate := self.certificate(number))}
        told += [event.data for event in events if event.type == ISSUED]
        named |= {str(data["scheme"]) for data in told if "scheme" in data}
        published = {event.subject for event in events if event.type == SCHEME_PUBLISHED}
        schemes = {scheme for scheme in named if scheme in published or self._may_wait(scheme)}
        holders = {sought for data in told if (sought := _sought(data.get("holder")))} if schemes else set()
        self._lost = store.lost_by(cur, holders, schemes) if holders else {}
        missing = {f"certificate/{number}" for numbers in self._lost.values() for number in numbers}
        if missing := missing - self._certificates.keys():
            self._keep(store.records_of(cur, missing))

    def _may_wait(self, scheme: str) -> bool:
        state = self.scheme(scheme)
        return state is not None and any(makes_wait(rules) for rules in scheme_from_state(state).versions)

    def load_told(self, cur: Cursor, events: Sequence[tuple[Event, str]]) -> None:
        """What the corrections and annulments among (event, subject) pairs may ask about."""
        self._told, self._entries = {}, {}
        named = {event.digest: subject for event, subject in events}
        digests = {str(event.data["digest"]) for event, _ in events if event.type == ANNULLED}
        subjects = {subject for event, subject in events if event.type == CORRECTED}
        subjects |= {named[digest] for digest in digests if digest in named}
        while digests:  # what an annulled annulment was about is asked for next
            found = [told_one(cast(ToldRow, row)) for *row, _ in store.told_by_digest(cur, digests)]
            self._entries |= {told.said.digest: told for told in found}
            subjects |= {told.said.subject for told in found}
            digests = {told.said.data["digest"] for told in found if told.said.type == ANNULLED}
        self.load_told_about(
            cur, subjects, {str(event.data["scheme"]) for event, _ in events if "scheme" in event.data}
        )

    def load_told_about(self, cur: Cursor, subjects: Collection[str], schemes: Collection[str] = ()) -> None:
        """The accepted entries about these subjects and about each of them (annulments), and those about their schemes.

        `schemes` are those that certificates may name which the entries do not tell of yet.
        """
        if not subjects:
            return
        self._told = {subject: [] for subject in subjects}
        for row in store.told_about(cur, subjects):
            self._told[row[0]].append(told_one(cast(ToldRow, row)))
        told = [one.said for about in self._told.values() for one in about]
        named = {said.data["scheme"] for said in told if "scheme" in said.data} | set(schemes)
        self._told |= {scheme: [] for scheme in named - self._told.keys()}
        for row in store.told_about(cur, named - set(subjects)):
            self._told[row[0]].append(told_one(cast(ToldRow, row)))
        digests = [said.digest for said in told]
        while digests:
            annulments = told_of(cast(list[ToldRow], store.told_about(cur, digests)))
            self._told |= {one.said.subject: [] for one in annulments}
            for one in annulments:
                self._told[one.said.subject].append(one)
            digests = [one.said.digest for one in annulments]

    def tell(self, subject: str, event: Event, moment: Moment, seq: int) -> None:
        """Add an accepted event of this batch to what is known about its subject, where somebody may ask for it."""
        if subject in self._told:
            told = Told(seq, False, said_of(event, subject), moment)
            self._told[subject].append(told)
            self._entries[event.digest] = told

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
            before, number = self.certificate(value.certificate_no), value.certificate_no
            held = {mark.mark_no for mark in before.marks} if before else set()
            # One that a correction took away and another brings back has its row already.
            new = [
                (m.mark_no, number)
                for m in value.marks
                if m.mark_no not in held and self._mark_owners.get(m.mark_no) != number
            ]
            self._mark_owners.update(new)
            if before is None or before.holder != value.holder or not _was_lost(before):
                for holder in self._lost_under(value):
                    self._lost.setdefault((holder, value.scheme), set()).add(number)
                    self.new_lost.add((holder, value.scheme, number))
        ended = self._all_ends(key)
        self.keep(key, value)
        if self._all_ends(key) - ended:
            self.lost_bodies.add(f"urn:certmark:{key.replace('/', ':')}")
        return new

    def _lost_under(self, certificate: Certificate) -> tuple[str, ...]:
        """Under what it is found that the holder of this certificate has lost something with it; else nothing."""
        if _was_lost(certificate):
            return found_by(certificate.holder)
        ends = certificate.holder.uscc and self._approval_ends(certificate.body, certificate.scheme)
        return (cast(str, certificate.holder.uscc),) if ends else ()

    def _approval_ends(self, approval_no: str | None, scheme: str) -> frozenset[date]:
        body = self.body(approval_no) if approval_no else None
        return approval_ends(body, scheme) if body else frozenset()

    def _all_ends(self, key: str) -> set[tuple[str, date]]:
        """Of a body, by its record's key: each scheme with the days on which its approval for that ends."""
        body = self.body(key.removeprefix("body/")) if key.startswith("body/") else None
        schemes = {competence["scheme"] for competence in body["schemes"]} if body else set()
        return {(scheme, end) for scheme in schemes if body for end in approval_ends(body, scheme)}

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
        self.new_lost, self.lost_bodies = set(), set()
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

    def lost_by(self, holder: str, scheme: str) -> Set[str]:
        return self._lost.get((holder, scheme), set())

    def keys(self) -> dict[str, KeyState]:
        """Every key, by kid."""
        return {
            key.removeprefix("key/"): cast(KeyState, value)
            for key, value in self._values.items()
            if key.startswith("key/")
        }

    def signing_key(self, kid: str) -> Key | None:
        """A key with its dates parsed, kept until its record changes."""
        state = self.key(kid)
        if state is None:
            return None
        known = self._keys.get(kid)
        if known is None or known[0] is not state:
            known = self._keys[kid] = (state, key_from_state(state))
        return known[1]

    def told(self, subject: str) -> Sequence[Told]:
        return self._told.get(subject, ())

    def entry(self, digest: str) -> Told | None:
        return self._entries.get(digest)

    def is_quarantined(self, digest: str) -> bool:
        return digest in self.quarantined


def _sought(holder: object) -> str | None:
    """`sought_by` of a holder in an event's data, which has perhaps not been checked against its form yet."""
    if not isinstance(holder, dict):
        return None
    name, uscc, address = (str(holder[member]) if holder.get(member) else "" for member in ("name", "uscc", "address"))
    return sought_by(Party(name, uscc or None, None, address or None))


def _was_lost(certificate: Certificate) -> bool:
    return any(interval.status in _LOST for interval in certificate.statuses)


def subject_of(event: Event) -> str:
    """The subject as the register knows it: certificate numbers in their canonical form."""
    return _number(event.subject) if event.type.startswith(_ABOUT_CERTIFICATES) else event.subject


_number = lru_cache(maxsize=16384)(certificate_number)


@lru_cache(maxsize=4096)
def _public_key(kty: str, crv: str, x: str, y: str) -> PublicKey:
    return public_key({"kty": kty, "crv": crv, "x": x, **({"y": y} if y else {})})


def public_key_of(state: KeyState) -> PublicKey:
    jwk = state["key"]
    return _public_key(jwk["kty"], jwk["crv"], jwk["x"], jwk.get("y", ""))
