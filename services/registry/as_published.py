"""What lies on the topic of the records, compared with the register: it says nothing else, and nothing is withheld."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import cast

from services.domain.body import Key, KeyState, Purpose, key_from_state
from services.domain.errors import BadSignature, CertmarkError
from services.events.keys import PublicKey
from services.events.log import Log, Record, Topic
from services.events.record import SealedRecord, history_text, open_sealed, read_record
from services.postgres import Cursor, stream
from services.registry import store
from services.registry.differences import Difference, hash_of
from services.registry.register import public_key_of
from services.registry.store import StoredRecord

PAGE = 1000

Seals = Mapping[str, tuple[Key, PublicKey]]


def pages(log: Log, topic: Topic, position: int, end: int) -> Iterator[list[Record]]:
    """The records of a topic from a position to another, some at a time."""
    while position < end:
        page = log.read(topic, position, PAGE)
        if not page:
            return
        position = page[-1].position + 1
        yield [record for record in page if record.position < end]


def published_otherwise(
    cur: Cursor, log: Log, topic: Topic, bounds: tuple[int, int], done: Callable[[int], None]
) -> Difference | None:
    """The first record on the topic that the register does not have so, or of the register that is not on the topic.

    What readers refuse (no seal of ours, or under another's key) is nobody's word and counts for nothing. `bounds` are
    those of before the snapshot: what lies behind them may be newer than it.
    """
    relayed = store.relayed(cur)
    seals = _seals(cur)
    out = bytearray(relayed // 8 + 1)  # a bit for each revision that is, or was overtaken, on the topic
    for page in pages(log, topic, bounds[0], log.bounds(topic)[1]):
        keys = {record.key for record in page if record.key != "heartbeat"}  # not compacted, a topic repeats them
        rows = store.records_of(cur, keys)
        told = store.histories_of(cur, {key.partition("/")[2] for key in keys if key.startswith("certificate/")})
        for record in page:
            found = _believed(record, seals)
            if found is None or found.key == "heartbeat":
                continue
            row = rows.get(found.key)
            if row is None or found.revision >= row.revision:
                history = history_text(told.get(found.key.partition("/")[2], ())) if row else "[]"
                if record.position < bounds[1] and (row is None or not _is_of(found, row, history)):
                    said = json.dumps(found.state, sort_keys=True)
                    return Difference(record.position, "published", hash_of(row.state if row else None), hash_of(said))
                if row is not None and row.revision <= relayed:
                    out[row.revision // 8] |= 1 << row.revision % 8
        done(len(page))
    rows_out = stream(
        cur, "SELECT key, revision, seq FROM record_rows WHERE revision <= %(r)s ORDER BY revision", {"r": relayed}
    )
    return next(
        (Difference(seq, "withheld", key, None) for key, at, seq in rows_out if not out[at // 8] >> at % 8 & 1), None
    )


def _seals(cur: Cursor) -> Seals:
    """The register's keys for its seal, by kid."""
    cur.execute("SELECT state FROM records WHERE key >= 'key/' AND key < 'key0'")
    states = [cast(KeyState, json.loads(state)) for (state,) in cur.fetchall()]
    keys = [(key_from_state(state), state) for state in states]
    return {key.kid: (key, public_key_of(state)) for key, state in keys if key.purpose is Purpose.SEAL}


def _believed(record: Record, seals: Seals) -> SealedRecord | None:
    """What a record of the topic says to whoever reads it; None where readers refuse it."""
    try:
        sealed = open_sealed(record.value)
        key, public = seals[sealed.kid]
        public.verify(sealed.seal, sealed.signing_input)
        found = read_record(sealed.payload)
    except (KeyError, BadSignature, CertmarkError):
        return None
    return None if found.key != record.key or key.ended_at(found.recorded_at) else found


def _is_of(found: SealedRecord, row: StoredRecord, history: str) -> bool:
    """Whether a sealed record says what the register has, member by member. One of before they told of it has no
    history."""
    event = found.event.decode("ascii") if found.event is not None else None
    said = (found.revision, found.seq, found.recorded_at, found.digest or "", found.under_review, event)
    kept = (row.revision, row.seq, row.recorded_at, row.digest, row.under_review, row.event)
    return (
        said == kept
        and found.state == json.loads(row.state)
        and list(found.tokens) == json.loads(row.tokens)
        and (not found.history or list(found.history) == json.loads(history))
    )
