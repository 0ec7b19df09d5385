"""What the register has on record beside certificates, each as what it is: the part of a `World` looked up by key."""

from collections.abc import Mapping
from datetime import datetime
from typing import cast

from services.domain.body import AllianceState, AuthorityState, BodyState, KeyState
from services.domain.calendar import Calendars, CalendarState, calendar_from_state
from services.domain.catalogue import CatalogueState
from services.domain.notice_states import RecallState, WarningState
from services.domain.scheme import SchemeState
from services.domain.world import Value
from services.events.event_types import check_form
from services.events.keys import public_key


class Administration:
    """Bodies, keys, schemes and the rest by record key, as `domain.world.World` is asked for them."""

    def __init__(self) -> None:
        self._values: dict[str, Value] = {}
        self._calendars: Calendars | None = None

    def keep(self, key: str, value: Value) -> None:
        """Put a record in the place of the one before it."""
        self._values[key] = value
        if key.startswith("calendar/"):
            self._calendars = None

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

    def catalogue(self, catalogue_id: str) -> CatalogueState | None:
        return cast(CatalogueState | None, self._values.get(f"catalogue/{catalogue_id}"))

    def recall(self, recall_id: str) -> RecallState | None:
        return cast(RecallState | None, self._values.get(f"recall/{recall_id}"))

    def warning(self, warning_id: str) -> WarningState | None:
        return cast(WarningState | None, self._values.get(f"warning/{warning_id}"))

    def calendars(self) -> Calendars:
        if self._calendars is None:  # every event asks for them, and they change once a year
            states = [cast(CalendarState, v) for key, v in self._values.items() if key.startswith("calendar/")]
            self._calendars = {state["year"]: calendar_from_state(state) for state in states}
        return self._calendars

    def check_data(self, event_type: str, data: Mapping[str, object], appended_at: datetime) -> None:
        check_form(event_type, data, appended_at)

    def thumbprint(self, jwk: Mapping[str, str]) -> str:
        return public_key(jwk).kid
