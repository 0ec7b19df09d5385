"""The register at an entry, as the check of listings asks it: sets of numbers, a statement each."""

from collections.abc import Collection, Mapping
from datetime import date

import orjson

from services.domain.listing import CANDIDATES, Sighting
from services.domain.listing_words import name_form
from services.domain.registered import Registered, registered
from services.listings.checking import Held, canonical
from services.listings.shelf import Rulebook
from services.postgres import Connection, Cursor, connect, execute_values, transaction
from services.registry.past import (
    Administrations,
    CertificateThen,
    certificate_of,
    certificates_at,
    recalls_at,
)

_KEPT = 15_000
_PARTIES = 5000
"""Records whose parties are taken in one transaction."""


class RegisterSource:
    """The register as an entry left it. What was asked once is kept: an entry never changes.

    Raises, by every method:
        DatabaseUnavailable: as `postgres.transaction` says.
    """

    def __init__(self, url: str, seq: int, day: date, hosts: tuple[str, ...]) -> None:
        self._url = url
        self._connection: Connection | None = None
        self.seq, self.day, self.hosts = seq, day, hosts
        self._rulebook: Rulebook | None = None
        self._kept: dict[str, Registered | None] = {}

    def rulebook(self) -> Rulebook:
        if self._rulebook is None:
            with transaction(self._connected()) as cur:
                stood = Administrations().at(cur, self.seq)
                recalls = recalls_at(cur, self.seq)
            self._rulebook = Rulebook(stood.schemes, stood.catalogues, stood.bodies, recalls)
        return self._rulebook

    def held(self, numbers: Collection[str], parties: Collection[str]) -> Held:
        wanted = canonical(numbers)
        with transaction(self._connected()) as cur:
            of_party = _certificates_of(cur, parties) if parties else {}
            found = self._certificates(cur, {*wanted, *(number for of in of_party.values() for number in of)})
            owners = _owners(cur, [number for number in wanted if found[number] is None])
            found |= self._certificates(cur, set(owners.values()))
        certificates = {number: one for number, one in found.items() if one is not None}
        held = {party: [one for number in of if (one := found.get(number))] for party, of in of_party.items()}
        return Held(certificates, owners, held)

    def look_ups(self, codes: Collection[str]) -> Mapping[str, Sighting]:
        return {}  # verify nodes count look-ups; the registry has none, and docs/listings.md says so

    def _certificates(self, cur: Cursor, numbers: Collection[str]) -> dict[str, Registered | None]:
        if len(self._kept) > _KEPT:
            self._kept.clear()
        missing = [number for number in numbers if number not in self._kept]
        if missing:
            then = certificates_at(cur, missing, self.seq)
            above = {one.certificate.parent_no for one in then.values() if one.certificate.parent_no}
            parents = certificates_at(cur, above, self.seq) if above else {}
            for number in missing:
                self._kept[number] = _ready(then.get(number), parents)
        return {number: self._kept[number] for number in numbers}

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._url)
        return self._connection


def _ready(then: CertificateThen | None, parents: dict[str, CertificateThen]) -> Registered | None:
    if then is None:
        return None
    parent = parents.get(then.certificate.parent_no) if then.certificate.parent_no else None
    return registered(then.certificate, then.seq, parent.certificate if parent else None)


def _owners(cur: Cursor, mark_nos: Collection[str]) -> dict[str, str]:
    if not mark_nos:
        return {}
    cur.execute("SELECT mark_no, certificate_no FROM marks WHERE mark_no = ANY(%s)", (list(mark_nos),))
    return dict(cur.fetchall())


def _certificates_of(cur: Cursor, parties: Collection[str]) -> dict[str, list[str]]:
    """By party, the certificates in which it was ever one, as far as `learn_parties` has come."""
    cur.execute(
        "SELECT asked.party, found.certificate_no FROM unnest(%s::text[]) AS asked (party), LATERAL"
        " (SELECT certificate_no FROM certificate_parties AS p WHERE p.party = asked.party"
        ' ORDER BY certificate_no COLLATE "C" LIMIT %s) AS found',
        (list(parties), CANDIDATES + 1),
    )
    found: dict[str, list[str]] = {}
    for party, number in cur.fetchall():
        found.setdefault(party, []).append(number)
    return found


def learn_parties(cur: Cursor) -> int:
    """Take the parties of the next records that have changed; how many records there were."""
    cur.execute("SELECT revision FROM certificate_parties_known FOR UPDATE")
    (known,) = cur.fetchone() or (0,)
    cur.execute(
        "SELECT revision, key, state FROM records WHERE revision > %s ORDER BY revision LIMIT %s", (known, _PARTIES)
    )
    rows = cur.fetchall()
    if not rows:
        return 0
    parties: set[tuple[str, str]] = set()
    for _, key, state in rows:
        if key.startswith("certificate/"):
            certificate = certificate_of(orjson.loads(state))
            for party in (certificate.holder, certificate.manufacturer, certificate.factory):
                if party is not None:
                    names = (name_form(party.name), party.uscc or "")
                    parties.update((name, certificate.certificate_no) for name in names if name)
    execute_values(
        cur,
        "INSERT INTO certificate_parties (party, certificate_no) VALUES %s ON CONFLICT DO NOTHING",
        sorted(parties),
        page_size=1000,
    )
    cur.execute("UPDATE certificate_parties_known SET revision = %s", (rows[-1][0],))
    return len(rows)
