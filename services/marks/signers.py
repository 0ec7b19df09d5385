"""The keys behind marks and lists, as a reader who is offline knows them."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from services.domain.body import Purpose
from services.events.keys import PublicKey
from services.marks.token import MarkKey, mark_kid


class KeyStanding(StrEnum):
    ACTIVE = "active"
    RETIRED = "retired"
    COMPROMISED = "compromised"


@dataclass(frozen=True, slots=True)
class Signer:
    """A key of the register: whose, for what, and the days on which it may have signed (both inclusive).

    A retired key's last day is the one before its retirement. `since` is the instant from which `state` holds,
    None of an active key.
    """

    issuer: str
    purpose: Purpose
    public: PublicKey
    first_day: date
    last_day: date | None = None
    state: KeyStanding = KeyStanding.ACTIVE
    since: datetime | None = None

    @property
    def kid(self) -> bytes:
        """Four bytes, the hint that tokens and lists bear; several keys may share it."""
        return mark_kid(self.public)

    def signed_on(self, day: date) -> bool:
        return self.first_day <= day and (self.last_day is None or day <= self.last_day)

    def as_mark_key(self) -> MarkKey:
        return MarkKey(self.public, self.first_day, self.last_day)
