"""The register as a check meets it: the rules in force, kept ready, and the certificates that a batch may ask for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

from services.domain.body import BodyState
from services.domain.catalogue import CatalogueState, modes_on
from services.domain.identifiers import normalised
from services.domain.listing import Sighting, body_fault
from services.domain.listing_words import name_form
from services.domain.notice_states import RecallState
from services.domain.registered import Registered
from services.domain.scheme import Scheme, SchemeRules


@lru_cache(maxsize=4096)
def _mark_form(words: str) -> str:
    """A mark's name as it is compared: 上品 and 上品标志 are one."""
    plain = normalised(words)
    return next((plain.removesuffix(end) for end in _MARK_ENDS if plain.endswith(end)), plain)


_MARK_ENDS = ("标志", "标识", "认证")


class Rulebook:
    """Schemes, catalogues and bodies as of a position; what is asked for each listing is worked out once."""

    def __init__(
        self,
        schemes: Mapping[str, Scheme],
        catalogues: Mapping[str, CatalogueState],
        bodies: Mapping[str, BodyState],
        recalls: Iterable[RecallState] = (),
    ) -> None:
        self.schemes, self.catalogues, self.bodies = schemes, catalogues, bodies
        self._rules: dict[tuple[str, date], SchemeRules | None] = {}
        self._modes: dict[tuple[str, date], tuple[str, ...]] = {}
        self._named: dict[str, tuple[str, ...]] = {}
        self._faults: dict[tuple[str, str, date, date], str | None] = {}
        self._classes = [
            (normalised(listed["name"]["zh"]), listed["class"])
            for catalogue in catalogues.values()
            for listed in catalogue["classes"]
        ]
        self._recalls: dict[str, list[RecallState]] = {}
        for recall in recalls:
            for named in {recall["certificate_no"], recall["gtin"]} - {None}:
                self._recalls.setdefault(str(named), []).append(recall)
        self._marks: dict[str, list[str]] = {}
        self._mark_names: dict[str, set[str]] = {}
        self._by_mode: dict[str, list[str]] = {}
        for scheme in schemes.values():
            for mode in {version["catalogue_mode"] for version in scheme.versions} - {None}:
                self._by_mode.setdefault(str(mode), []).append(scheme.id)
            for version in scheme.versions:
                mark = version["mark"]
                if mark is None:
                    continue
                if scheme.id not in self._marks.setdefault(mark["id"], []):
                    self._marks[mark["id"]].append(scheme.id)
                names = (*mark["name"].values(), *version["name"].values(), *version["aliases"], *version["families"])
                for name in (mark["id"], *names):
                    self._mark_names.setdefault(_mark_form(str(name)), set()).add(mark["id"])

    def rules_on(self, scheme: str, day: date) -> SchemeRules | None:
        """The version in force on a day, or the first where none is yet."""
        key = (scheme, day)
        if key not in self._rules:
            found = self.schemes.get(scheme)
            self._rules[key] = (found.on(day) or found.versions[0]) if found and found.versions else None
        return self._rules[key]

    def number_fits(self, scheme: str, number: str, day: date) -> bool:
        found = self.schemes.get(scheme)
        return found is None or found.number_fits(number, day)

    def mark_named(self, words: str) -> str | None:
        found = self._mark_names.get(_mark_form(words), ())
        return next(iter(found)) if len(found) == 1 else None

    def schemes_of_mark(self, mark: str) -> Sequence[str]:
        return self._marks.get(mark, ())

    def schemes_of_mode(self, mode: str) -> Sequence[str]:
        return self._by_mode.get(mode, ())

    def modes_of(self, product_class: str, day: date) -> Sequence[str]:
        key = (product_class, day)
        found = self._modes.get(key)
        if found is None:
            if len(self._modes) > _KEPT:
                self._modes.clear()  # classes come from strangers
            found = tuple(mode for one in self.catalogues.values() for mode in modes_on(one, product_class, day))
            self._modes[key] = found
        return found

    def classes_named(self, product: str) -> Sequence[str]:
        found = self._named.get(product)
        if found is None:
            if len(self._named) > _KEPT:
                self._named.clear()
            form = normalised(product)
            found = self._named[product] = tuple(number for name, number in self._classes if name in form)
        return found

    def recalls_about(self, number: str, gtins: Iterable[str]) -> Sequence[RecallState]:
        if not self._recalls:
            return ()
        named = [recall for name in (number, *gtins) for recall in self._recalls.get(name, ())]
        return list({recall["id"]: recall for recall in named}.values())

    def body(self, approval_no: str) -> BodyState | None:
        return self.bodies.get(approval_no)

    def body_fault(self, approval_no: str, scheme: str, issued_on: date, day: date) -> str | None:
        key = (approval_no, scheme, issued_on, day)
        if key not in self._faults:
            if len(self._faults) > _KEPT:
                self._faults.clear()
            body = self.bodies.get(approval_no)
            self._faults[key] = body_fault(body, scheme, issued_on, day) if body else None
        return self._faults[key]


_KEPT = 10_000


@dataclass(slots=True)
class Batch:
    """What a batch of listings may ask, all of it in memory: `services.domain.listing.Shelf`."""

    day: date
    hosts: tuple[str, ...]
    rulebook: Rulebook
    certificates: Mapping[str, Registered]
    marks: Mapping[str, str] = field(default_factory=dict)
    parties: Mapping[str, Sequence[Registered]] = field(default_factory=dict)
    """By credit code, and by name as `name_form` writes it."""
    sightings: Mapping[str, Sighting] = field(default_factory=dict)

    def certificate(self, number: str) -> Registered | None:
        return self.certificates.get(number)

    def of_mark(self, mark_no: str) -> Registered | None:
        owner = self.marks.get(mark_no)
        return self.certificates.get(owner) if owner is not None else None

    def made_by(self, names: Iterable[str], usccs: Iterable[str]) -> Sequence[Registered]:
        found: dict[str, Registered] = {}
        for party in (*(normalised(code) for code in usccs), *(name_form(name) for name in names)):
            for one in self.parties.get(party, ()):
                found.setdefault(one.certificate.certificate_no, one)
        return list(found.values())

    def rules_on(self, scheme: str, day: date) -> SchemeRules | None:
        return self.rulebook.rules_on(scheme, day)

    def number_fits(self, scheme: str, number: str, day: date) -> bool:
        return self.rulebook.number_fits(scheme, number, day)

    def mark_named(self, words: str) -> str | None:
        return self.rulebook.mark_named(words)

    def schemes_of_mark(self, mark: str) -> Sequence[str]:
        return self.rulebook.schemes_of_mark(mark)

    def schemes_of_mode(self, mode: str) -> Sequence[str]:
        return self.rulebook.schemes_of_mode(mode)

    def modes_of(self, product_class: str, day: date) -> Sequence[str]:
        return self.rulebook.modes_of(product_class, day)

    def classes_named(self, product: str) -> Sequence[str]:
        return self.rulebook.classes_named(product)

    def body(self, approval_no: str) -> BodyState | None:
        return self.rulebook.body(approval_no)

    def body_fault(self, approval_no: str, scheme: str, issued_on: date, day: date) -> str | None:
        return self.rulebook.body_fault(approval_no, scheme, issued_on, day)

    def recalls_about(self, number: str, gtins: Iterable[str]) -> Sequence[RecallState]:
        return self.rulebook.recalls_about(number, gtins)

    def sighting(self, code: str) -> Sighting | None:
        return self.sightings.get(code)
