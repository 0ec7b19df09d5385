"""The register as an event meets it: what a decision may ask, and what it leaves behind."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Protocol, TypeAlias

from services.domain.body import AllianceState, AuthorityState, BodyState, KeyState
from services.domain.calendar import Calendars, CalendarState
from services.domain.catalogue import CatalogueState
from services.domain.certificate import Certificate
from services.domain.errors import UnknownScheme
from services.domain.fold import Told
from services.domain.notice_states import RecallState, WarningState
from services.domain.scheme import Scheme, SchemeRules, SchemeState, scheme_from_state

Value: TypeAlias = (
    Certificate
    | BodyState
    | AllianceState
    | AuthorityState
    | KeyState
    | SchemeState
    | CatalogueState
    | CalendarState
    | RecallState
    | WarningState
)
Changes: TypeAlias = dict[str, Value]
"""New values by record key (`certificate/…`, `body/…`, `key/…` …): what a decision leaves behind."""


class World(Protocol):
    """The register as it stands before the event."""

    def certificate(self, number: str) -> Certificate | None: ...
    def mark_owner(self, mark_no: str) -> str | None:
        """The certificate that holds this mark number."""

    def lost_by(self, holder: str, scheme: str) -> Collection[str]:
        """The numbers of this holder's certificates of a scheme that were ever revoked or suspended, or, where it is
        named by its credit code, whose body's approval has an end, whatever came of it (see `waiting.sought_by`)."""

    def body(self, approval_no: str) -> BodyState | None: ...
    def alliance(self, alliance_id: str) -> AllianceState | None: ...
    def authority(self, authority_id: str) -> AuthorityState | None: ...
    def scheme(self, scheme_id: str) -> SchemeState | None: ...
    def key(self, kid: str) -> KeyState | None: ...
    def catalogue(self, catalogue_id: str) -> CatalogueState | None: ...
    def calendars(self) -> Calendars: ...
    def recall(self, recall_id: str) -> RecallState | None: ...
    def warning(self, warning_id: str) -> WarningState | None: ...
    def told(self, subject: str) -> Sequence[Told]:
        """The accepted entries about a subject, in order, and about their digests: what annulled them. Only where a
        correction or an annulment may ask for them."""

    def entry(self, digest: str) -> Told | None:
        """An accepted event, where an annulment asks for it."""

    def is_quarantined(self, digest: str) -> bool: ...
    def check_data(self, event_type: str, data: Mapping[str, object], appended_at: datetime) -> None:
        """Raises Malformed where data does not have the form that its type's schema asked for at that time."""

    def thumbprint(self, jwk: Mapping[str, str]) -> str:
        """The kid of a JWK; raises Malformed where it is no key of ours."""


def scheme_on(world: World, scheme_id: str, day: date) -> tuple[Scheme, SchemeRules]:
    """A scheme and its version in force on a day.

    Raises:
        UnknownScheme: there is none.
    """
    state = world.scheme(scheme_id)
    scheme = scheme_from_state(state) if state else None
    rules = scheme.on(day) if scheme else None
    if scheme is None or rules is None:
        raise UnknownScheme(f"no version of {scheme_id!r} is in force on {day}", pointer="/data/scheme")
    return scheme, rules
