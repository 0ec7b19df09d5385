"""What the console asks the register about one source: plain queries, each named by what comes back."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from services.domain.errors import CHAIN_CODES, CertmarkError
from services.events import strict_json
from services.events.envelope import open_envelope
from services.postgres import Cursor
from services.registry.decision_feed import Place

_OPEN = "open"


@dataclass(frozen=True, slots=True)
class Seen:
    """One event of a source with what became of it. `place` is where the feed of decisions, and the next page, goes on.

    `mended` means that a later event of the same type about the same subject was accepted; `settled` that the source
    has marked it as dealt with.
    """

    place: Place
    digest: str
    type: str
    subject: str
    sequence: int | None
    decision: str
    code: str | None
    detail: str
    pointer: str
    hint: str
    seq: int | None
    effective_at: date | None
    received_at: datetime | None
    recorded_at: datetime | None
    mended: bool = False
    settled: bool = False

    @property
    def is_open(self) -> bool:
        return self.decision == "refused" and not self.mended and not self.settled


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events a page shows: `open`, `refused`, `accepted`, `pending`, `quarantined` or `all`, and of which
    subjects and code; `after` is the place of the last one on the page before."""

    which: str = _OPEN
    subjects: tuple[str, ...] = ()
    code: str = ""
    after: Place | None = None
    limit: int = 25


# --- counts ----------------------------------------------------------------------------------------------------


def counts_of(cur: Cursor, source: str) -> dict[str, int]:
    """How many events of a source were accepted and refused, wait, and are quarantined; `open`: refusals to mend.

    Every event that was decided has its place in a chain, but for the refusals of the chain itself: so what was
    accepted is told by the chains, which are few and short beside the entries.
    """
    cur.execute("SELECT coalesce(sum(sequence), 0) FROM chains WHERE source = %s", (source,))
    placed = int(_one(cur)[0])
    cur.execute(
        "SELECT count(*), count(*) FILTER (WHERE decision <> ALL(%s::text[]))"
        " FROM entries WHERE source = %s AND kind = 'event' AND decision <> 'accepted'",
        (list(CHAIN_CODES), source),
    )
    refused, refused_in_place = _one(cur)
    cur.execute("SELECT count(*) FROM pending WHERE source = %s", (source,))
    (pending,) = _one(cur)
    cur.execute(f"SELECT count(*) FROM quarantine WHERE {_IS_ASIDE}", {"source": source})
    (quarantined,) = _one(cur)
    cur.execute(
        f"SELECT count(*) FROM {_REFUSED} WHERE {_IS_REFUSED} AND NOT {_MENDED} AND s.digest IS NULL",
        {"source": source},
    )
    (open_,) = _one(cur)
    return {
        "accepted": placed - refused_in_place,
        "refused": refused,
        "pending": pending,
        "quarantined": quarantined,
        "open": open_,
    }


def refusals_by_source(cur: Cursor) -> dict[str, int]:
    cur.execute(
        "SELECT source, count(*) FROM entries WHERE kind = 'event' AND decision <> 'accepted' AND source IS NOT NULL"
        " GROUP BY source"
    )
    return dict(cur.fetchall())


def codes_of(cur: Cursor, source: str) -> list[str]:
    """The slugs of all refusals of a source, for the filter."""
    cur.execute(
        "SELECT DISTINCT decision FROM entries WHERE source = %s AND kind = 'event' AND decision <> 'accepted'"
        " ORDER BY decision",
        (source,),
    )
    return [decision.partition(":")[2] for (decision,) in cur.fetchall()]


# --- events ----------------------------------------------------------------------------------------------------

_MENDED = (
    "EXISTS (SELECT 1 FROM entries later WHERE later.subject = e.subject AND later.seq > e.seq"
    " AND later.source = e.source AND later.type = e.type AND later.decision = 'accepted')"
)
_REFUSED = "entries e LEFT JOIN console_settled s ON s.source = e.source AND s.digest = e.digest"
_IS_REFUSED = "e.source = %(source)s AND e.kind = 'event' AND e.decision <> 'accepted'"
_SHOWN = (
    "e.seq, e.digest, e.type, e.subject, e.sequence, e.decision, e.detail, e.pointer, e.hint, e.effective_at,"
    " e.received_at, e.recorded_at"
)


def events_of(cur: Cursor, source: str, wanted: Wanted) -> list[Seen]:
    """A page of a source's events: refusals from the oldest on, all others from the newest back."""
    if wanted.which == "pending":
        return _pending(cur, source, wanted)
    if wanted.which == "quarantined":
        return _quarantined(cur, source, wanted)
    named = {
        "source": source,
        "subjects": list(wanted.subjects),
        "decision": f"refused:{wanted.code}",
        "after": wanted.after.seq if wanted.after else None,
        "limit": wanted.limit,
    }
    asked = ["e.subject = ANY(%(subjects)s)"] if wanted.subjects else []
    if wanted.which in (_OPEN, "refused"):
        asked += [_IS_REFUSED, *(["e.decision = %(decision)s"] if wanted.code else [])]
        asked += ["e.seq > %(after)s"] if wanted.after is not None else []
        asked += [f"NOT {_MENDED}", "s.digest IS NULL"] if wanted.which == _OPEN else []
        order = "e.seq"
    else:
        asked += ["e.source = %(source)s", "e.kind = 'event'"]
        asked += ["e.decision = 'accepted'"] if wanted.which == "accepted" else []
        asked += ["e.seq < %(after)s"] if wanted.after is not None else []
        order = "e.seq DESC"
    cur.execute(
        f"SELECT {_SHOWN}, e.decision <> 'accepted' AND {_MENDED}, s.digest IS NOT NULL FROM {_REFUSED}"
        f" WHERE {' AND '.join(asked)} ORDER BY {order} LIMIT %(limit)s",
        named,
    )
    return [_seen(*row) for row in cur.fetchall()]


def event_of(cur: Cursor, source: str, digest: str) -> tuple[Seen, bytes] | None:
    """An event of a source with its exact bytes, wherever it is; None where there is none of this digest."""
    cur.execute(
        f"SELECT {_SHOWN}, e.decision <> 'accepted' AND {_MENDED}, s.digest IS NOT NULL, e.jws FROM {_REFUSED}"
        " WHERE e.digest = %s AND e.kind = 'event' AND e.source = %s",
        (digest, source),
    )
    if row := cur.fetchone():
        return _seen(*row[:-1]), str(row[-1]).encode("ascii")
    cur.execute(
        "SELECT position, digest, subject, sequence, received_at, jws FROM pending WHERE digest = %s AND source = %s",
        (digest, source),
    )
    if row := cur.fetchone():
        return _waiting(*row), str(row[-1]).encode("ascii")
    cur.execute(
        f"SELECT {_ASIDE} FROM quarantine WHERE {_IS_ASIDE} AND digest = %(digest)s ORDER BY position LIMIT 1",
        {"source": source, "digest": digest},
    )
    row = cur.fetchone()
    return (_put_aside(*row), bytes(row[-1])) if row else None


def chain_head(cur: Cursor, source: str, subject: str) -> int:
    """The sequence of the last event in a chain, 0 where it has none."""
    cur.execute("SELECT sequence FROM chains WHERE source = %s AND subject = %s", (source, subject))
    row = cur.fetchone()
    return int(row[0]) if row else 0


def decided_among(cur: Cursor, source: str, digests: Collection[str]) -> dict[str, Seen]:
    """What became of those of these events that have been decided or wait, by digest."""
    cur.execute(
        f"SELECT {_SHOWN}, e.decision <> 'accepted' AND {_MENDED}, s.digest IS NOT NULL FROM {_REFUSED}"
        " WHERE e.digest = ANY(%s) AND e.kind = 'event' AND e.source = %s",
        (list(digests), source),
    )
    found = {row[1]: _seen(*row) for row in cur.fetchall()}
    cur.execute(
        "SELECT position, digest, subject, sequence, received_at, jws FROM pending"
        " WHERE digest = ANY(%s) AND source = %s",
        ([digest for digest in digests if digest not in found], source),
    )
    found |= {row[1]: _waiting(*row) for row in cur.fetchall()}
    cur.execute(
        f"SELECT {_ASIDE} FROM quarantine WHERE {_IS_ASIDE} AND digest = ANY(%(digests)s) ORDER BY position",
        {"source": source, "digests": [digest for digest in digests if digest not in found]},
    )
    return found | {row[1]: _put_aside(*row) for row in cur.fetchall()}


def jws_of_open_refusals(cur: Cursor, source: str, limit: int) -> list[tuple[Seen, bytes]]:
    """The refusals to mend from the oldest on, each with its exact bytes."""
    cur.execute(
        f"SELECT {_SHOWN}, false, false, e.jws FROM {_REFUSED} WHERE {_IS_REFUSED} AND NOT {_MENDED}"
        " AND s.digest IS NULL ORDER BY e.seq LIMIT %(limit)s",
        {"source": source, "limit": limit},
    )
    return [(_seen(*row[:-1]), str(row[-1]).encode("ascii")) for row in cur.fetchall()]


def refused_among(cur: Cursor, source: str, digests: Collection[str]) -> list[tuple[Seen, bytes]]:
    """Those of these events that were refused or quarantined, each with its exact bytes."""
    cur.execute(
        f"SELECT {_SHOWN}, false, false, e.jws FROM entries e WHERE e.digest = ANY(%s) AND e.kind = 'event'"
        " AND e.source = %s AND e.decision <> 'accepted' ORDER BY e.seq",
        (list(digests), source),
    )
    refused = [(_seen(*row[:-1]), str(row[-1]).encode("ascii")) for row in cur.fetchall()]
    cur.execute(
        f"SELECT {_ASIDE} FROM quarantine WHERE {_IS_ASIDE} AND digest = ANY(%(digests)s) ORDER BY position",
        {"source": source, "digests": list(digests)},
    )
    return refused + [(_put_aside(*row), bytes(row[-1])) for row in cur.fetchall()]


def _seen(seq: int, digest: str, type_: str, subject: str, sequence: int | None, said: str, *rest: Any) -> Seen:
    decision, _, code = said.partition(":")
    detail, pointer, hint, effective_at, received_at, recorded_at, mended, settled = rest
    return Seen(
        Place(seq, -1),
        digest,
        type_,
        subject,
        sequence,
        decision,
        code or None,
        detail or "",
        pointer or "",
        hint or "",
        seq,
        effective_at,
        received_at,
        recorded_at,
        mended,
        settled,
    )


def _pending(cur: Cursor, source: str, wanted: Wanted) -> list[Seen]:
    cur.execute(
        "SELECT position, digest, subject, sequence, received_at, jws FROM pending WHERE source = %(source)s"
        " AND position > %(after)s AND (%(subjects)s::text[] = '{}' OR subject = ANY(%(subjects)s::text[]))"
        " ORDER BY position LIMIT %(limit)s",
        {
            "source": source,
            "after": wanted.after.put_aside if wanted.after else -1,
            "subjects": list(wanted.subjects),
            "limit": wanted.limit,
        },
    )
    return [_waiting(*row) for row in cur.fetchall()]


def _waiting(position: int, digest: str, subject: str, sequence: int, received_at: datetime, jws: str) -> Seen:
    type_ = str(members_of(jws.encode("ascii")).get("type", ""))
    return Seen(
        Place(-1, position),
        digest,
        type_,
        subject,
        sequence,
        "pending",
        None,
        "",
        "/sequence",
        "",
        None,
        None,
        received_at,
        None,
    )


_ASIDE = "position, digest, code, detail, pointer, received_at, recorded_at, value"
_IS_ASIDE = "source = %(source)s AND digest IS NOT NULL AND NOT redriven AND resolved_by IS NULL"


def _quarantined(cur: Cursor, source: str, wanted: Wanted) -> list[Seen]:
    """What came under a key of the source and was not trusted; what it is about, only the record itself says."""
    cur.execute(
        f"SELECT {_ASIDE} FROM quarantine WHERE {_IS_ASIDE} AND position > %(after)s ORDER BY position LIMIT %(limit)s",
        {"source": source, "after": wanted.after.put_aside if wanted.after else -1, "limit": wanted.limit},
    )
    return [_put_aside(*row) for row in cur.fetchall()]


def _put_aside(
    position: int,
    digest: str,
    code: str,
    detail: str,
    pointer: str,
    received_at: datetime,
    recorded_at: datetime,
    value: Any,
) -> Seen:
    said = members_of(bytes(value))
    sequence = said.get("sequence")
    return Seen(
        Place(-1, position),
        digest,
        str(said.get("type", ""))[:128],
        str(said.get("subject", ""))[:128],
        sequence if isinstance(sequence, int) else None,
        "quarantined",
        code,
        detail,
        pointer,
        "",
        None,
        None,
        received_at,
        recorded_at,
    )


def members_of(jws: bytes) -> Mapping[str, Any]:
    """The event's members as it says them itself, unchecked; none where it cannot be read."""
    try:
        return strict_json.loads(open_envelope(jws).payload)
    except CertmarkError:
        return {}


# --- what the source has dealt with ----------------------------------------------------------------------------


def settle(cur: Cursor, source: str, digest: str, now: datetime) -> bool:
    """Mark a refusal as dealt with; whether there is one of this digest."""
    cur.execute(
        "INSERT INTO console_settled (source, digest, settled_at) SELECT source, digest, %s FROM entries"
        " WHERE digest = %s AND kind = 'event' AND source = %s AND decision <> 'accepted' ON CONFLICT DO NOTHING",
        (now, digest, source),
    )
    cur.execute("SELECT 1 FROM console_settled WHERE source = %s AND digest = %s", (source, digest))
    return cur.fetchone() is not None


def unsettle(cur: Cursor, source: str, digest: str) -> None:
    cur.execute("DELETE FROM console_settled WHERE source = %s AND digest = %s", (source, digest))


# --- sources ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Directory:
    """Every source that has or had a key to speak with, by URN, with the name by which the register knows it."""

    names: Mapping[str, str]
    demonstration: bool


def directory(cur: Cursor) -> Directory:
    cur.execute(
        "SELECT key, state FROM records WHERE key LIKE 'key/%' OR key LIKE 'body/%' OR key LIKE 'alliance/%'"
        " OR key LIKE 'authority/%'"
    )
    names: dict[str, str] = {}
    speaking: set[str] = set()
    demonstration = False
    for key, text in cur.fetchall():
        kind, _, name = key.partition("/")
        state = json.loads(text)
        if kind == "key":
            if state["purpose"] in ("event", "declaration"):
                speaking.add(state["owner"])
        else:
            names[f"urn:certmark:{kind}:{name}"] = state["name"]
            demonstration |= bool(state.get("demonstration"))
    return Directory({s: names.get(s, s.rpartition(":")[2]) for s in sorted(speaking | names.keys())}, demonstration)


def _one(cur: Cursor) -> tuple[Any, ...]:
    row = cur.fetchone()
    assert row is not None
    return row
