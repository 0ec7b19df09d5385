"""What lies beside the entries, compared with them: records, marks, chains, what is not public, the log."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from services import base64url
from services.domain.errors import CHAIN_CODES, CertmarkError
from services.domain.scheme import scheme_from_state, scheme_state
from services.domain.world import Value
from services.events.canonical import canonical_text
from services.events.envelope import open_envelope
from services.events.log import Log, Record, Topic, Topics
from services.events.record import open_sealed, read_record
from services.postgres import Connection, Cursor, snapshot, stream
from services.registry import store
from services.registry.desk.restricted import commitment_to
from services.registry.room import canonical_state

PAGE = 1000
PLACES = ("log", "published")
"""What is told by its position on a topic, and not by an entry."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing that is not as it comes out: in `what`, and both sides of it.

    `seq` is its entry; for `PLACES` the position on the topic of the events or of the records.
    """

    seq: int
    what: str
    stored: str | None
    computed: str | None


def hash_of(text: str | None) -> str | None:
    """Hex SHA-256 of a text; of none, none."""
    return hashlib.sha256(text.encode()).hexdigest() if text is not None else None


def first_stray(cur: Cursor, values: Mapping[str, Value]) -> Difference | None:
    """The first thing in the tables that the entries did not leave; `values` are all records but certificates."""
    for query, what in _STRAY:
        cur.execute(query, {"chain_codes": list(CHAIN_CODES)})
        row = cast("tuple[int | None, str | None, str | None] | None", cur.fetchone())
        if row is not None:
            seq, stored, left = row
            return Difference(seq or 0, what, stored, left)
    return _stray_administration(cur, values) or _stray_token(cur) or _stray_opening(cur)


_STRAY = (
    (
        "SELECT e.seq, encode(sha256(convert_to(r.state, 'UTF8')), 'hex'), e.state_digest"
        " FROM records r LEFT JOIN entries e ON e.seq = r.seq"
        " WHERE r.key >= 'certificate/' AND r.key < 'certificate0' AND r.state IS DISTINCT FROM e.state"
        " ORDER BY e.seq LIMIT 1",
        "record",
    ),
    (
        "SELECT r.seq, m.certificate_no, r.number FROM (SELECT seq, substr(key, 13) AS number, state FROM records"
        " WHERE key >= 'certificate/' AND key < 'certificate0') r, jsonb_array_elements(r.state::jsonb -> 'marks') held"
        " LEFT JOIN marks m ON m.mark_no = held ->> 'mark_no' WHERE m.certificate_no IS DISTINCT FROM r.number"
        " ORDER BY r.seq LIMIT 1",
        "mark",
    ),
    (  # one that its certificate holds no more, a correction took it away, is still its certificate's
        "SELECT NULL, m.certificate_no, NULL FROM marks m WHERE NOT EXISTS (SELECT 1 FROM entries e"
        " WHERE e.subject = m.certificate_no AND e.state IS NOT NULL AND e.state::jsonb -> 'marks'"
        " @> jsonb_build_array(jsonb_build_object('mark_no', m.mark_no))) ORDER BY m.mark_no LIMIT 1",
        "mark",
    ),
    (
        "SELECT e.seq, c.digest, e.digest FROM (SELECT DISTINCT ON (source, subject) source, subject, sequence, digest,"
        " seq FROM entries WHERE kind = 'event' AND decision <> ALL(%(chain_codes)s::text[])"
        " ORDER BY source, subject, seq DESC) e FULL JOIN chains c USING (source, subject)"
        " WHERE (c.sequence, c.digest) IS DISTINCT FROM (e.sequence, e.digest) ORDER BY e.seq LIMIT 1",
        "head of chain",
    ),
    (  # a report, a deed or the trail's head was withheld, or is another one
        "SELECT e.seq, coalesce(c.commitment, d.commitment, h.commitment), e.digest FROM entries e"
        " LEFT JOIN complaints c ON c.seq = e.seq LEFT JOIN case_deeds d ON d.seq = e.seq"
        " LEFT JOIN trail_heads h ON h.seq = e.seq WHERE e.kind = 'commitment'"
        " AND coalesce(c.commitment, d.commitment, h.commitment) IS DISTINCT FROM e.digest ORDER BY e.seq LIMIT 1",
        "commitment",
    ),
    (
        "SELECT seq, no, commitment FROM complaints WHERE content IS NOT NULL AND commitment <>"
        " encode(sha256(convert_to(E'certmark-report/v1\\n', 'UTF8') || content), 'hex') ORDER BY seq LIMIT 1",
        "report",
    ),
)
"""What is looked for, each as (its entry, as it is stored, as the entries have it)."""

_NOT_DECIDED = ("certificate/", "list/", "codes/", "trust")
"""Records that are compared elsewhere, or that no decision brings."""


def _stray_administration(cur: Cursor, values: Mapping[str, Value]) -> Difference | None:
    cur.execute("SELECT key, seq, state FROM records WHERE key < 'certificate/' OR key >= 'certificate0' ORDER BY seq")
    kept = {key: (seq, state) for key, seq, state in cur.fetchall() if not key.startswith(_NOT_DECIDED)}
    for key in dict.fromkeys((*kept, *values)):
        seq, state = kept.get(key, (0, None))
        left = canonical_state(values[key]) if key in values else None
        if state != left and not (key.startswith("scheme/") and whole_scheme(state) == whole_scheme(left)):
            return Difference(seq, "record", hash_of(state), hash_of(left))
    return None


def whole_scheme(state: str | None) -> object:
    """A scheme's state with the rules that came after it was written, each as where nobody names it."""
    return scheme_state(scheme_from_state(json.loads(state))) if state is not None else None


def _stray_token(cur: Cursor) -> Difference | None:
    """A token that a record shows and no entry tells of."""
    rows = stream(
        cur,
        "SELECT r.seq, r.tokens, ARRAY(SELECT e.digest FROM entries e WHERE e.subject = substr(r.key, 13)"
        " AND e.kind = 'token') FROM record_rows r WHERE r.key >= 'certificate/' AND r.key < 'certificate0'"
        " AND r.tokens <> '[]' ORDER BY r.key",
        {},
    )
    for seq, tokens, entered in rows:
        for token in json.loads(tokens):
            if token["token"] is not None:
                digest = hashlib.sha256(base64url.decoded(token["token"])).hexdigest()
                if digest not in entered:
                    return Difference(seq, "token", digest, None)
    return None


def _stray_opening(cur: Cursor) -> Difference | None:
    """A deed whose record is not what was committed to, or which reads otherwise than its record."""
    for seq, deed, record, commitment in stream(
        cur, "SELECT seq, deed, record, commitment FROM case_deeds WHERE record IS NOT NULL ORDER BY seq", {}
    ):
        told = canonical_text(json.loads(record)["deed"], floats=False)
        if commitment_to(record) != commitment or canonical_text(json.loads(deed), floats=False) != told:
            return Difference(seq or 0, "deed", commitment, commitment_to(record))
    return None


# --- the log, and what was published -------------------------------------------------------------------


def first_unlike_the_log(
    connection: Connection, log: Log, topics: Topics, begin: Callable[[int], Callable[[int], None]]
) -> Difference | None:
    """The first record of the log that became nothing, or entry that is no record of it; else of the published ones.

    Raises:
        LogTruncated: the log no longer holds what the register was made of.
    """
    published = log.bounds(topics.state)  # what is out by now has been committed before
    with snapshot(connection) as cur:
        head = store.head(cur)
        done = begin(head.position - head.start + published[1] - published[0])
        return unaccounted(cur, log, topics.events, done) or _published_otherwise(
            cur, log, topics.state, published, done
        )


def _pages(log: Log, topic: Topic, position: int, end: int) -> Iterator[list[Record]]:
    while position < end:
        page = log.read(topic, position, PAGE)
        if not page:
            return
        position = page[-1].position + 1
        yield [record for record in page if record.position < end]


def unaccounted(cur: Cursor, log: Log, topic: Topic, done: Callable[[int], None]) -> Difference | None:
    """The first record up to the register's position that it does not have as it was appended, or the first it adds."""
    head, entered = store.head(cur), 0
    for page in _pages(log, topic, head.start, head.position):
        digests = {record.position: _digest(record.value) for record in page}
        known = _known(cur, page, digests.values())
        for record in page:
            digest = digests[record.position]
            aside, of_digest = known.get(record.position), known.get(digest or "")
            entered += of_digest is not None and of_digest[0] == record.position
            if aside != record.value and not _is_of(record, of_digest):
                return Difference(record.position, "log", of_digest and hash_of(of_digest[1]), digest)
        done(len(page))
    cur.execute("SELECT (SELECT count(*) FROM entries WHERE kind = 'event') + (SELECT count(*) FROM pending)")
    found = cast(tuple[int], cur.fetchone())[0]
    return Difference(head.position, "log", str(found), str(entered)) if found != entered else None


def _known(cur: Cursor, page: list[Record], digests: Iterable[str | None]) -> dict[int | str, Any]:
    """By position what was put aside; by digest (position, jws, received_at) of what was entered, or waits."""
    cur.execute(
        "SELECT position, value FROM quarantine WHERE position BETWEEN %s AND %s", (page[0].position, page[-1].position)
    )
    known: dict[int | str, Any] = {position: bytes(value) for position, value in cur.fetchall()}
    cur.execute(
        "SELECT digest, position, jws, received_at FROM entries WHERE digest = ANY(%(digests)s::text[])"
        " AND kind = 'event' UNION ALL"
        " SELECT digest, position, jws, received_at FROM pending WHERE digest = ANY(%(digests)s::text[])",
        {"digests": [digest for digest in digests if digest]},
    )
    return known | {digest: rest for digest, *rest in cur.fetchall()}


def _is_of(record: Record, known: list[Any] | None) -> bool:
    """Whether what is known is this record, or one before it that this one repeats."""
    if known is None or known[0] != record.position:
        return known is not None and known[0] < record.position
    return bool(known[1] == record.value.decode("ascii") and known[2] == record.appended_at)


def _digest(value: bytes) -> str | None:
    try:
        return open_envelope(value).digest
    except CertmarkError:
        return None


def _published_otherwise(
    cur: Cursor, log: Log, topic: Topic, bounds: tuple[int, int], done: Callable[[int], None]
) -> Difference | None:
    """The first record on the topic that says of its revision what the register does not."""
    for page in _pages(log, topic, *bounds):
        cur.execute(
            "SELECT key, revision, state, tokens FROM records WHERE key = ANY(%s::text[])", ([r.key for r in page],)
        )
        rows = {key: (revision, state, tokens) for key, revision, state, tokens in cur.fetchall()}
        for record in page:
            if record.key == "heartbeat":
                continue
            found = read_record(open_sealed(record.value).payload)
            revision, state, tokens = rows.get(record.key, (0, None, "[]"))
            said = json.dumps([found.state, list(found.tokens)], sort_keys=True)
            kept = json.dumps([state and json.loads(state), json.loads(tokens)], sort_keys=True)
            if found.revision > revision or (found.revision == revision and said != kept):
                return Difference(record.position, "published", hash_of(kept), hash_of(said))
        done(len(page))
    return None
