"""Reads again what was published and compares: every place says what is due, and so do the voided codes."""

import http.client
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from urllib.parse import urlsplit

from services.domain.certificate import Certificate, Voided
from services.domain.errors import CertmarkError, Fault
from services.domain.identifiers import civil_day
from services.domain.place import Place
from services.domain.unit_code import public_hash
from services.marks.signers import Signer
from services.marks.status_list import LARGEST, Status, StatusList, check_list, open_list, verify_list
from services.marks.voided import names, unpacked
from services.postgres import Cursor, stream
from services.registry import list_store, list_voided, trust
from services.registry.list_places import certificate_in, parents_of, places_in, status_on
from services.registry.list_store import Subject
from services.registry.list_voided import Key, voided_at

AT_A_TIME = 500
Fetch = Callable[[int], bytes]


class NotPublished(Fault):
    slug = "not-published"
    title = "What was published cannot be read again"
    zh = "无法重新读取已发布的内容"


@dataclass(frozen=True, slots=True)
class Wrong:
    """A place that says something else than it should; `published` is None where its list says nothing at all.

    `unit` is the hash of a voided code of the run in that place, where it is this code that the list does not name.
    """

    list_id: int
    index: int
    certificate_no: str
    mark_no: str
    published: int | None
    due: int
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What was compared and what is wrong.

    `refused` holds the code with which a list was not believed, `strange` how many codes a list names that nobody has
    voided, both by the list's number.
    """

    places: int
    not_valid: int
    wrong: tuple[Wrong, ...]
    refused: dict[int, str]
    strange: dict[int, int]

    @property
    def good(self) -> bool:
        return not self.wrong and not self.refused and not self.strange


class Checker:
    """Compares with lists as anybody can read them. `base` is the address below which each has its number."""

    def __init__(self, fetch: Fetch, base: str, now: datetime, signers: Iterable[Signer]) -> None:
        self._fetch = fetch
        self._base = base
        self._now = now
        self._signers = tuple(signers)
        self._lists: dict[int, StatusList | None] = {}
        self._known: dict[int, set[bytes]] = defaultdict(set)
        self.refused: dict[int, str] = {}

    def all(self, cur: Cursor) -> Report:
        """Every place of every certificate."""
        rows = stream(
            cur,
            "SELECT substr(key, 13), state, tokens FROM records"
            " WHERE key >= 'certificate/' AND key < 'certificate0' AND tokens <> '[]'",
            {},
        )
        report = self._compared(cur, (Subject(*row) for row in rows))
        named = {number: unpacked(found.voided) for number, found in self._lists.items() if found and found.voided}
        strange = {number: len(set(hashes) - self._known[number]) for number, hashes in named.items()}
        return replace(report, strange={number: count for number, count in strange.items() if count})

    def again(self, cur: Cursor, wrong: Iterable[Wrong]) -> Report:
        """The certificates of what was wrong, as they are now, against lists that are fetched anew."""
        found = list_store.subjects(cur, {one.certificate_no for one in wrong})
        return self._compared(cur, iter(found.values()))

    def _compared(self, cur: Cursor, subjects: Iterator[Subject]) -> Report:
        places = not_valid = 0
        wrong: list[Wrong] = []
        while page := list(islice(subjects, AT_A_TIME)):
            runs: dict[Key, tuple[tuple[Voided, ...], Wrong]] = {}
            for certificate, place, due in self._due(cur, page):
                places += 1
                not_valid += due is not Status.VALID
                published = self._published(place)
                about = place.list_id, place.index, certificate.certificate_no, place.mark_no
                if published != due:
                    wrong.append(Wrong(*about, published, int(due)))
                if place.run is not None:
                    unnamed = Wrong(*about, published, int(Status.CANCELLED))
                    runs[place.list_id, place.mark_no] = voided_at(certificate, place), unnamed
            wrong += self._not_named(cur, runs)
        return Report(places, not_valid, tuple(wrong), dict(self.refused), {})

    def _due(self, cur: Cursor, page: list[Subject]) -> Iterator[tuple[Certificate, Place, Status]]:
        day = civil_day(self._now)
        certificates = {one.certificate_no: certificate_in(one) for one in page}
        parents = parents_of(cur, certificates)
        for subject in page:
            certificate = certificates[subject.certificate_no]
            parent = parents.get(certificate.parent_no or "")
            for place in places_in(subject.tokens):
                yield certificate, place, status_on(certificate, parent, place, day)

    def _not_named(self, cur: Cursor, runs: Mapping[Key, tuple[tuple[Voided, ...], Wrong]]) -> Iterator[Wrong]:
        """The voided codes that a reader of their list would take for good."""
        due = list_voided.due(cur, {key: voided for key, (voided, _) in runs.items()}, civil_day(self._now))
        for key, hashes in due.items():
            found = self._lists[key[0]]
            told, whole = (found.voided or b"") if found else b"", public_hash(key[1], b"")
            self._known[key[0]] |= {whole, *unpacked(hashes)}
            if not names(told, whole):
                for one in unpacked(hashes):
                    if not names(told, one):
                        yield replace(runs[key][1], unit=one.hex())

    def _published(self, place: Place) -> int | None:
        if place.list_id not in self._lists:
            self._lists[place.list_id] = self._read(place.list_id)
        found = self._lists[place.list_id]
        return found.status(place.index) if found is not None and place.index < found.places else None

    def _read(self, list_id: int) -> StatusList | None:
        try:
            content = verify_list(open_list(self._fetch(list_id)), self._signers)
            return check_list(content, f"{self._base}/{list_id}", self._now)
        except NotPublished:
            raise
        except CertmarkError as error:
            self.refused[list_id] = error.slug
            return None


def check(
    cur: Cursor, fetch: Fetch, base: str, clock: Callable[[], datetime], again: Callable[[], bool] = lambda: False
) -> Report:
    """Compare everything; what differs is looked at once more as long as `again` says so.

    A list may be on its way while its certificate is read already: only what stays is wrong. Each statement sees the
    register as it is then, so this wants no snapshot.

    Raises:
        NotPublished: a list cannot be had, so nothing can be said of it.
    """
    cur.execute("SET LOCAL idle_in_transaction_session_timeout = '2min'")  # whoever publishes may answer slowly
    report = Checker(fetch, base, clock(), trust.signers_in(cur)).all(cur)
    while not report.good and again():
        checker = Checker(fetch, base, clock(), trust.signers_in(cur))
        if report.strange:  # nothing says whose they are
            report = checker.all(cur)
        else:
            fresh = checker.again(cur, report.wrong)
            report = replace(report, wrong=fresh.wrong, refused=fresh.refused)
    return report


def published_at(base: str) -> Fetch:
    """Fetches the lists below an address, as any reader would."""
    return lambda list_id: _get(f"{base}/{list_id}")


def _get(url: str) -> bytes:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=20)
    try:
        connection.request("GET", parts.path, headers={"Accept": "*/*"})
        answer = connection.getresponse()
        data = answer.read(LARGEST + 1)
    except (OSError, http.client.HTTPException) as error:
        raise NotPublished(f"{url}: {str(error) or type(error).__name__}") from None
    finally:
        connection.close()
    if answer.status != 200:
        raise NotPublished(f"{url} answers {answer.status} {_code(data)}".rstrip())
    return data


def _code(body: bytes) -> str:
    try:
        return str(json.loads(body)["code"])
    except (ValueError, KeyError, TypeError):
        return ""
