"""The keys of a source, as it should see them: which may sign today, which end soon, how to change to a new one."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from services.domain.body import Key, Purpose, key_from_state
from services.domain.identifiers import civil_day
from services.events.keys import public_key
from services.postgres import Cursor
from services.registry.console.pages import Frame

SOON_DAYS = 30
"""So long before the end of a key its owner is warned: time enough to have a new one registered."""


class KeyState(StrEnum):
    VALID = "valid"
    ENDING = "ending"
    AHEAD = "ahead"
    ENDED = "ended"
    RETIRED = "retired"
    COMPROMISED = "compromised"

    @property
    def signs(self) -> bool:
        return self in (KeyState.VALID, KeyState.ENDING)


@dataclass(frozen=True, slots=True)
class OwnKey:
    """A key of a source on a day. `days` are those left until its end, None where no end is set; `age` those since its
    first."""

    key: Key
    alg: str
    state: KeyState
    days: int | None
    age: int


def keys_of(cur: Cursor, source: str) -> list[Key]:
    """Every key with which a source signs or signed events, the newest first."""
    cur.execute("SELECT state FROM records WHERE key LIKE 'key/%' ORDER BY seq DESC")
    states = [json.loads(text) for (text,) in cur.fetchall()]
    found = [key_from_state(state) for state in states if state["owner"] == source]
    return sorted((key for key in found if key.purpose.speaks), key=lambda key: key.valid_from, reverse=True)


def on(key: Key, now: datetime) -> OwnKey:
    day = civil_day(now)
    ends = [end for end in (key.valid_until, _day_before(key.retired_on)) if end is not None]
    days = (min(ends) - day).days if ends else None
    return OwnKey(key, public_key(key.jwk).alg, _state(key, now, day, days), days, (day - key.valid_from).days)


def _day_before(day: date | None) -> date | None:
    return date.fromordinal(day.toordinal() - 1) if day else None


def _state(key: Key, now: datetime, day: date, days: int | None) -> KeyState:
    if key.compromised_since is not None and key.compromised_since <= now:
        return KeyState.COMPROMISED
    if key.retired_on is not None and key.retired_on <= day:
        return KeyState.RETIRED
    if key.ended_at(now):
        return KeyState.ENDED
    if day < key.valid_from:
        return KeyState.AHEAD
    return KeyState.ENDING if days is not None and days <= SOON_DAYS else KeyState.VALID


def warning(keys: Sequence[OwnKey], frame: Frame) -> str:
    """What a source should do about its keys by now; empty where all is well."""
    signing = [key for key in keys if key.state.signs]
    if not signing:
        return frame.say("no_key")
    lasting = [key for key in keys if key.state in (KeyState.VALID, KeyState.AHEAD)]
    if lasting:
        return ""
    left = max(key.days for key in signing if key.days is not None)
    return frame.say("last_key", days=left)


def to_change(keys: Sequence[OwnKey]) -> Key | None:
    """The key that a new one should follow: the oldest of those whose end nobody has settled yet; `keys` as above."""
    signing = [own for own in keys if own.state.signs]
    open_ended = [own for own in signing if own.key.retired_on is None]
    return min(reversed(open_ended or signing), key=lambda own: own.key.valid_from).key if signing else None


def commands(short: str, source: str, old: Key | None, day: date) -> str:
    """How a source changes to a new key by itself: the old one, which the commands find under the source's name, signs
    that the new one is its own."""
    name = f"{short.rpartition(':')[2]}-{day:%Y%m%d}"
    purpose = old.purpose.value if old else Purpose.EVENT.value
    return f"""certmark keys new {name}

certmark keys announce {name} --owner {source} --purpose {purpose} --until +730d \\
    | certmark sign --as {short} - | certmark publish --wait

certmark sign --as {short} --key {name} \\
    key.retired {old.kid if old else "KID"} effective_at=+7d | certmark publish --wait
"""
