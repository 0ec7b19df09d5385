"""What stood at an entry: certificates, bodies, schemes and catalogues as the register knew them then."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, cast

import orjson

from services.domain.body import BodyState
from services.domain.catalogue import CatalogueState
from services.domain.certificate import Certificate, CertificateState, from_state
from services.domain.errors import BadRequest
from services.domain.identifiers import CHINA
from services.domain.notice_states import RecallState
from services.domain.scheme import Scheme, SchemeState, scheme_from_state
from services.postgres import Cursor


def instant_named(text: str, pointer: str) -> datetime:
    """An instant with its offset; a date means its end at UTC+8.

    Raises:
        BadRequest: neither, or an instant without offset.
    """
    try:
        if len(text) == 10:
            day = datetime.combine(date.fromisoformat(text), time(), CHINA)
            return day + timedelta(days=1) - timedelta(milliseconds=1)
        # In an address a plus that is not written %2B comes as a blank.
        instant = datetime.fromisoformat(re.sub(" (?=[0-9]{2}:[0-9]{2}$)", "+", text))
        if instant.tzinfo is not None:
            instant = instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadRequest(f"{text!r} is neither a date nor an RFC 3339 instant", pointer=pointer) from None
    if instant.tzinfo is None:
        raise BadRequest(f"{text!r} names no time zone", pointer=pointer)
    return instant


def last_recorded(cur: Cursor, instant: datetime, last: int) -> int:
    """The last entry decided up to an instant, -1 where there is none: `recorded_at` never decreases with `seq`."""
    low, high = -1, last
    while low < high:
        middle = (low + high + 1) // 2
        cur.execute("SELECT recorded_at FROM entries WHERE seq = %s", (middle,))
        recorded_at = cast(tuple[datetime], cur.fetchone())[0]
        low, high = (middle, high) if recorded_at <= instant else (low, middle - 1)
    return low


@dataclass(frozen=True, slots=True)
class Then:
    """A state as an entry left it."""

    seq: int
    recorded_at: datetime
    state: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CertificateThen:
    """A certificate as an entry left it, and the digest of its state."""

    seq: int
    digest: str
    certificate: Certificate


@dataclass(frozen=True, slots=True)
class Administration:
    """Who may speak and by which rules: bodies by approval number, schemes and catalogues by id."""

    bodies: Mapping[str, BodyState]
    schemes: Mapping[str, Scheme]
    catalogues: Mapping[str, CatalogueState]


_ABSENT: Mapping[str, Any] = {
    "parts": [],
    "periods": [],
    "transfer": None,
    "flags": [],
    "annulled": [],
    "corrected": [],
}


def certificate_of(state: Mapping[str, Any]) -> Certificate:
    """The certificate of a stored state: entries keep what they were written with, so an old one lacks new members."""
    return from_state(cast(CertificateState, {**_ABSENT, **state}))


def certificates_at(cur: Cursor, numbers: Collection[str], seq: int) -> dict[str, CertificateThen]:
    """By number, those that the register had at an entry."""
    cur.execute(
        "SELECT DISTINCT ON (subject) subject, seq, state_digest, state FROM entries WHERE subject = ANY(%s)"
        " AND seq <= %s AND state IS NOT NULL"
        " AND (kind = 'consequence' OR split_part(type, '.', 2) IN ('certificate', 'mark', 'declaration'))"
        " ORDER BY subject, seq DESC",
        (sorted(numbers), seq),
    )
    return {
        subject: CertificateThen(at, digest, certificate_of(orjson.loads(text)))
        for subject, at, digest, text in cur.fetchall()
    }


def numbers_held_at(cur: Cursor, uscc: str, schemes: Sequence[str], seq: int) -> list[str]:
    """The certificates of an organisation under some schemes at an entry, by number; as far as the facts go."""
    cur.execute(
        "SELECT certificate_no FROM certificate_facts WHERE uscc = %(uscc)s AND scheme = ANY(%(schemes)s)"
        " AND seq <= %(seq)s"
        ' AND (replaced_by IS NULL OR replaced_by > %(seq)s) ORDER BY certificate_no COLLATE "C"',
        {"uscc": uscc, "schemes": list(schemes), "seq": seq},
    )
    return [number for (number,) in cur.fetchall()]


_SAID_BY_AUTHORITIES = (
    " FROM entries WHERE source = ANY(%s) AND seq <= %s AND state IS NOT NULL AND kind = 'event'"
    " AND type NOT LIKE 'certmark.mark.%%'"
)
"""All but marks, of which an authority may authorize many: the rest is little."""


def administrative_states(cur: Cursor, seq: int) -> dict[str, Then]:
    """By record key (`body/…`, `scheme/…`, `catalogue/…` …), all that is no certificate, as it stood at an entry."""
    cur.execute("SELECT seq, recorded_at, state" + _SAID_BY_AUTHORITIES + " ORDER BY seq", (_authorities(cur), seq))
    found: dict[str, Then] = {}
    for at, recorded_at, text in cur.fetchall():
        state = orjson.loads(text)
        if state["kind"] in _ID:
            found[f"{state['kind']}/{state[_ID[state['kind']]]}"] = Then(at, recorded_at, state)
    return found


_ID = {"body": "approval_no", "scheme": "id", "catalogue": "id", "alliance": "id", "authority": "id"}


def recalls_at(cur: Cursor, seq: int) -> list[RecallState]:
    """The recalls as they stood at an entry, closed ones among them, by id."""
    return [cast(RecallState, then.state) for _, then in sorted(recall_states(cur, seq).items())]


def recall_states(cur: Cursor, seq: int) -> dict[str, Then]:
    """The same by record key, with their places."""
    return {key: then for key, then in notice_states(cur, seq).items() if then.state["kind"] == "recall"}


def notice_states(cur: Cursor, seq: int) -> dict[str, Then]:
    """By record key (`recall/…`, `warning/…`), what authorities had said about goods, as it stood at an entry."""
    cur.execute(
        "SELECT seq, recorded_at, state"
        + _SAID_BY_AUTHORITIES
        + " AND (type LIKE 'certmark.recall.%%' OR type LIKE 'certmark.warning.%%') ORDER BY seq",
        (_authorities(cur), seq),
    )
    found = {}
    for at, recorded_at, text in cur.fetchall():
        state = orjson.loads(text)
        found[f"{state['kind']}/{state['id']}"] = Then(at, recorded_at, state)
    return found


def _authorities(cur: Cursor) -> list[str]:
    cur.execute("SELECT key FROM records WHERE key >= 'authority/' AND key < 'authority0'")
    return [f"urn:certmark:{key.replace('/', ':', 1)}" for (key,) in cur.fetchall()]


class Administrations:
    """What stood, kept for the last few positions that were asked for; between them it rarely changes."""

    def __init__(self, kept: int = 4) -> None:
        self._kept = kept
        self._found: dict[int, Administration] = {}

    def at(self, cur: Cursor, seq: int) -> Administration:
        """Bodies, schemes and catalogues at an entry."""
        cur.execute("SELECT coalesce(max(seq), -1)" + _SAID_BY_AUTHORITIES, (_authorities(cur), seq))
        last = int(cast(tuple[int], cur.fetchone())[0])
        found = self._found.pop(last, None) or _administration(administrative_states(cur, last))
        self._found[last] = found
        while len(self._found) > self._kept:
            self._found.pop(next(iter(self._found)))
        return found


def _administration(states: Mapping[str, Then]) -> Administration:
    of_kind: dict[str, dict[str, Any]] = {"body": {}, "scheme": {}, "catalogue": {}}
    for key, then in states.items():
        kind, _, name = key.partition("/")
        if kind in of_kind:
            of_kind[kind][name] = then.state
    schemes = {name: scheme_from_state(cast(SchemeState, state)) for name, state in of_kind["scheme"].items()}
    return Administration(of_kind["body"], schemes, of_kind["catalogue"])
