"""The register's tables: what a batch needs is read in a few statements, and saved by one statement a table."""

import io
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any, cast

from services.domain.advice import hint_for
from services.domain.calendar import Calendars, calendar_from_state
from services.domain.errors import CHAIN_CODES
from services.postgres import Cursor, execute_values

CHANNEL = "certmark_records"
"""Notified with each batch, as a hint for the relay."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where the register stands. `size` is the next seq, `position` the next position to read."""

    size: int
    position: int
    start: int
    recorded_at: datetime
    revision: int
    status_index: int
    duplicates: int
    leader: str
    leader_lives: bool
    lease_runs: bool
    now: datetime
    cause: str = ""
    drawn_to: str = ""


@dataclass(slots=True)
class Entry:
    """One entry. Its leaf is made of the rest."""

    seq: int
    kind: str
    digest: str
    event_id: str | None
    source: str | None
    type: str | None
    subject: str
    sequence: int | None
    decision: str
    detail: str | None
    pointer: str | None
    hint: str | None
    effective_at: date | None
    received_at: datetime | None
    recorded_at: datetime
    position: int | None
    state_digest: str | None
    state: str | None
    leaf: str
    jws: str | None


def bare_entry(kind: str, seq: int, digest: str, subject: str, recorded_at: datetime) -> Entry:
    """An entry that no event makes: a token, or the salted hash of what is not public. Its leaf is still to be made."""
    return Entry(
        seq=seq,
        kind=kind,
        digest=digest,
        event_id=None,
        source=None,
        type=None,
        subject=subject,
        sequence=None,
        decision="accepted",
        detail=None,
        pointer=None,
        hint=None,
        effective_at=None,
        received_at=None,
        recorded_at=recorded_at,
        position=None,
        state_digest=None,
        state=None,
        leaf="",
        jws=None,
    )


@dataclass(frozen=True, slots=True)
class StoredRecord:
    key: str
    revision: int
    seq: int
    recorded_at: datetime
    digest: str
    state: str
    tokens: str
    under_review: bool
    event: str | None
    responsible: str | None = None
    product_class: str | None = None
    due: date | None = None
    entered: bool = False
    """Whether the entry at `seq` has this very state, so that its row needs none."""


@dataclass(frozen=True, slots=True)
class Pending:
    digest: str
    source: str
    subject: str
    sequence: int
    event_id: str
    position: int
    received_at: datetime
    jws: str


@dataclass(frozen=True, slots=True)
class Quarantined:
    position: int
    digest: str | None
    code: str
    detail: str
    pointer: str
    received_at: datetime
    recorded_at: datetime
    record_key: str
    value: bytes
    source: str | None = None
    """The owner of the key that the record names, as far as it was known: whom its feed tells."""


_RECORD = "key, revision, seq, recorded_at, digest, state, tokens, under_review, event, responsible, product_class, due"


def lock_head(cur: Cursor) -> Head:
    """The head, locked: the fence. A second writer waits here and then finds itself behind."""
    cur.execute(
        "SELECT size, position, start, recorded_at, revision, status_index, duplicates, leader,"
        " CASE WHEN leader_pid = pg_backend_pid() THEN true"  # we live; to ask about others takes 1.5 ms
        " ELSE EXISTS (SELECT 1 FROM pg_stat_get_activity(head.leader_pid)) END, lease_until > clock_timestamp(),"
        " clock_timestamp(), cause, drawn_to FROM head FOR UPDATE"
    )
    return Head(*_one(cur))


def head(cur: Cursor) -> Head:
    """The head as it is, without a lock."""
    cur.execute(
        "SELECT size, position, start, recorded_at, revision, status_index, duplicates, leader, false,"
        " lease_until > clock_timestamp(), clock_timestamp(), cause, drawn_to FROM head"
    )
    return Head(*_one(cur))


def save_head(cur: Cursor, after: Head, leader: str, lease: float) -> None:
    cur.execute(
        "UPDATE head SET size = %s, position = %s, start = %s, recorded_at = %s, revision = %s, status_index = %s,"
        " duplicates = %s, cause = %s, drawn_to = %s, leader = %s, leader_pid = pg_backend_pid(),"
        " lease_until = clock_timestamp() + %s * interval '1 second'",
        (
            after.size,
            after.position,
            after.start,
            after.recorded_at,
            after.revision,
            after.status_index,
            after.duplicates,
            after.cause,
            after.drawn_to,
            leader,
            lease,
        ),
    )


def save_revision(cur: Cursor, revision: int) -> None:
    """The last revision given, where no batch is saved."""
    cur.execute("UPDATE head SET revision = %s", (revision,))


def release_lease(cur: Cursor, leader: str) -> None:
    cur.execute("UPDATE head SET leader = '', lease_until = '1970-01-01Z' WHERE leader = %s", (leader,))


# --- reading what a batch needs --------------------------------------------------------------------------


def ask_by_index(cur: Cursor) -> None:
    """Keep this session from reading whole tables: everything that a batch asks for is asked by key.

    A table that has just grown has no statistics yet. Five hundred keys then look like all of it to the planner, and
    every batch of a first load would read all entries before it.
    """
    cur.execute("SET enable_seqscan = off")


def known_ids(cur: Cursor, ids: Collection[str]) -> dict[tuple[str, str], str]:
    """(source, event id) → digest of the events with these ids that were decided or are pending."""
    cur.execute(
        "SELECT source, event_id, digest FROM entries WHERE event_id = ANY(%s::text[])"
        " UNION ALL SELECT source, event_id, digest FROM pending WHERE event_id = ANY(%s::text[])",
        (_array(ids), _array(ids)),
    )
    return {(source, event_id): digest for source, event_id, digest in cur.fetchall()}


def quarantined_between(cur: Cursor, first: int, last: int) -> set[int]:
    """The positions of a stretch of the log that were put aside: that is final, whatever keys have come since."""
    cur.execute("SELECT position FROM quarantine WHERE position BETWEEN %s AND %s", (first, last))
    return {position for (position,) in cur.fetchall()}


def chains_of(
    cur: Cursor, subjects: Collection[str], sources: Collection[str]
) -> dict[tuple[str, str], tuple[int, str]]:
    """(source, subject) → (sequence, digest) of the last event of each chain."""
    cur.execute(
        "SELECT source, subject, sequence, digest FROM chains"
        " WHERE source = ANY(%s::text[]) AND subject = ANY(%s::text[])",
        (_array(sources), _array(subjects)),
    )
    return {(source, subject): (sequence, digest) for source, subject, sequence, digest in cur.fetchall()}


def chains_between(
    cur: Cursor, source: str | None, subjects: list[str] | None, after: tuple[str, str], limit: int
) -> list[tuple[str, str, int, str]]:
    """(source, subject, sequence, digest) of the chains of a source, about any of these subjects, or both.

    In order of source and subject, those behind `after`.
    """
    cur.execute(
        "SELECT source, subject, sequence, digest FROM chains WHERE (%s::text IS NULL OR source = %s)"
        " AND (%s::text[] IS NULL OR subject = ANY(%s)) AND (source, subject) > (%s, %s)"
        " ORDER BY source, subject LIMIT %s",
        (source, source, subjects, subjects, *after, limit),
    )
    return cast(list[tuple[str, str, int, str]], cur.fetchall())


def pending_of(cur: Cursor, subjects: Collection[str]) -> list[Pending]:
    """Parked events about these subjects, in order of arrival."""
    cur.execute(
        "SELECT digest, source, subject, sequence, event_id, position, received_at, jws FROM pending"
        " WHERE subject = ANY(%s::text[]) ORDER BY position",
        (_array(subjects),),
    )
    return [Pending(*row) for row in cur.fetchall()]


def weight_of_pending(cur: Cursor, subjects: Collection[str]) -> dict[str, int]:
    """Bytes of the events that are parked about each of these subjects; nothing where none is."""
    cur.execute(
        "SELECT subject, sum(length(jws)) FROM pending WHERE subject = ANY(%s::text[]) GROUP BY subject",
        (_array(subjects),),
    )
    return dict(cur.fetchall())


def records_of(cur: Cursor, keys: Collection[str]) -> dict[str, StoredRecord]:
    cur.execute(
        f"SELECT {_RECORD} FROM records WHERE key = ANY(%s::text[])",
        (_array(keys),),
    )
    return {row[0]: StoredRecord(*row) for row in cur.fetchall()}


def revisions_of(cur: Cursor, keys: Collection[str]) -> dict[str, int]:
    """At which revision each of these keys stands; those that the register has not are left out."""
    cur.execute("SELECT key, revision FROM records WHERE key = ANY(%s::text[])", (_array(keys),))
    return dict(cur.fetchall())


def administrative_records(cur: Cursor) -> dict[str, StoredRecord]:
    """Every record that decisions may need but the certificates': few. What is published of them all is none."""
    cur.execute(
        f"SELECT {_RECORD} FROM records WHERE (key < 'certificate/' OR key >= 'certificate0')"
        f" AND {NOT_MADE_OF_OTHERS} AND {NOT_OF_CODES}"
    )
    return {row[0]: StoredRecord(*row) for row in cur.fetchall()}


def calendars(cur: Cursor) -> Calendars:
    """The published working days, by year."""
    cur.execute("SELECT state FROM records WHERE key >= 'calendar/' AND key < 'calendar0'")
    found = [calendar_from_state(json.loads(state)) for (state,) in cur.fetchall()]
    return {calendar.year: calendar for calendar in found}


def is_demonstration(cur: Cursor) -> bool:
    """Whether an authority says of itself that it only demonstrates."""
    cur.execute("SELECT state FROM records WHERE key >= 'authority/' AND key < 'authority0'")
    return any(json.loads(state).get("demonstration") for (state,) in cur.fetchall())


NOT_MADE_OF_OTHERS = "NOT (key >= 'list/' AND key < 'list0' OR key = 'trust')"
"""Status lists and the trust list are made of the other records: no event stands behind them."""

NOT_OF_CODES = "NOT (key >= 'codes/' AND key < 'codes0')"
"""Hashes of unit codes are for verify nodes alone: no feed and no decision has them."""


def mark_owners(cur: Cursor, mark_nos: Collection[str]) -> dict[str, str]:
    cur.execute("SELECT mark_no, certificate_no FROM marks WHERE mark_no = ANY(%s::text[])", (_array(mark_nos),))
    return dict(cur.fetchall())


def lost_by(cur: Cursor, holders: Collection[str], schemes: Collection[str]) -> dict[tuple[str, str], set[str]]:
    """By holder and scheme, the certificates of these holders that were ever lost (see `World.lost_by`)."""
    cur.execute(
        "SELECT holder, scheme, certificate_no FROM losing_holders"
        " WHERE holder = ANY(%s::text[]) AND scheme = ANY(%s::text[])",
        (_array(holders), _array(schemes)),
    )
    found: dict[tuple[str, str], set[str]] = {}
    for holder, scheme, number in cur.fetchall():
        found.setdefault((holder, scheme), set()).add(number)
    return found


# --- what was said, for folding anew ---------------------------------------------------------------------------

_TOLD = "subject, seq, kind, jws, received_at, recorded_at"


def told_about(cur: Cursor, subjects: Collection[str], known_at: datetime | None = None) -> list[tuple[Any, ...]]:
    """Accepted events and consequences about these subjects, in order of seq (see `told.ToldRow`)."""
    cur.execute(
        f"SELECT {_TOLD} FROM entries WHERE subject = ANY(%s::text[]) AND decision = 'accepted'"
        " AND kind IN ('event', 'consequence') AND (%s::timestamptz IS NULL OR recorded_at <= %s) ORDER BY seq",
        (_array(subjects), known_at, known_at),
    )
    return cur.fetchall()


def known_of(cur: Cursor, number: str, known_at: datetime | None) -> list[tuple[Any, ...]]:
    """What had been accepted about a certificate by an instant, in order of seq: rows as in `told_about`, then the
    type, the day from which it takes effect, and in the last row the state that it left."""
    cur.execute(
        f"SELECT {_TOLD}, type, effective_at, CASE WHEN lead(seq) OVER (ORDER BY seq) IS NULL THEN state END"
        f" FROM entries WHERE subject = %s AND decision = 'accepted' AND {_OF_CERTIFICATES}"
        " AND (%s::timestamptz IS NULL OR recorded_at <= %s) ORDER BY seq",
        (number, known_at, known_at),
    )
    return cur.fetchall()


_OF_CERTIFICATES = "(kind = 'consequence' OR split_part(type, '.', 2) IN ('certificate', 'mark', 'declaration'))"
"""A certificate's number may look like another subject's name: which entries are about the certificate."""


def chains_before(cur: Cursor, subjects: Collection[str], seq: int) -> dict[tuple[str, str], tuple[int, str]]:
    """(source, subject) → (sequence, digest) of the last event before an entry, of the chains about these subjects."""
    cur.execute(
        "SELECT DISTINCT ON (subject, source) source, subject, sequence, digest FROM entries"
        " WHERE subject = ANY(%s::text[]) AND seq < %s AND kind = 'event' AND decision <> ALL(%s::text[])"
        " ORDER BY subject, source, seq DESC",
        (_array(subjects), seq, list(CHAIN_CODES)),
    )
    return {(source, subject): (sequence, digest) for source, subject, sequence, digest in cur.fetchall()}


def states_before(cur: Cursor, numbers: Collection[str], seq: int) -> dict[str, str]:
    """By number, the state of each certificate that the last entry about it before another one left."""
    cur.execute(
        "SELECT DISTINCT ON (subject) subject, state FROM entries WHERE subject = ANY(%s::text[]) AND seq < %s"
        f" AND state IS NOT NULL AND {_OF_CERTIFICATES} ORDER BY subject, seq DESC",
        (_array(numbers), seq),
    )
    return dict(cur.fetchall())


def lengths_of(cur: Cursor, subjects: Collection[str]) -> dict[str, int]:
    """How many entries there are about each of these subjects; nothing where there is none."""
    cur.execute(
        "SELECT subject, count(*) FROM entries WHERE subject = ANY(%s::text[]) GROUP BY subject", (_array(subjects),)
    )
    return dict(cur.fetchall())


def told_by_digest(cur: Cursor, digests: Collection[str]) -> list[tuple[Any, ...]]:
    """Accepted events by their digests; a row as in `told_about`, with the type behind it."""
    cur.execute(
        f"SELECT {_TOLD}, type FROM entries WHERE digest = ANY(%s::text[]) AND kind = 'event'"
        " AND decision = 'accepted' ORDER BY seq",
        (_array(digests),),
    )
    return cur.fetchall()


def certificates_of_class(cur: Cursor, product_class: str, after: str, limit: int) -> list[str]:
    """Numbers of the certificates of a product class, in order, beyond one."""
    cur.execute(
        "SELECT key FROM places WHERE product_class = %s AND key > %s ORDER BY key LIMIT %s",
        (product_class, f"certificate/{after}", limit),
    )
    return [key.removeprefix("certificate/") for (key,) in cur.fetchall()]


def spoken_about(cur: Cursor, source: str, since: datetime, after: str, limit: int) -> list[tuple[str, list[str]]]:
    """The certificates about which a source was heard since an instant, each with the headers that it signed under."""
    cur.execute(
        "SELECT subject, array_agg(DISTINCT split_part(jws, '.', 1)) FROM entries WHERE source = %s"
        " AND received_at >= %s AND kind = 'event' AND decision = 'accepted' AND subject > %s"
        " AND (type LIKE 'certmark.certificate.%%' OR type LIKE 'certmark.mark.%%'"
        " OR type LIKE 'certmark.declaration.%%') GROUP BY subject ORDER BY subject LIMIT %s",
        (source, since, after, limit),
    )
    return cast(list[tuple[str, list[str]]], cur.fetchall())


def concerned_by(cur: Cursor, cause: str, after: str, limit: int) -> list[str]:
    """The certificates for which a cause had a consequence, in order, beyond one."""
    cur.execute(
        "SELECT DISTINCT subject FROM entries WHERE kind = 'consequence' AND detail = %s AND subject > %s"
        " ORDER BY subject LIMIT %s",
        (cause, after, limit),
    )
    return [subject for (subject,) in cur.fetchall()]


def quarantined_as(cur: Cursor, digests: Collection[str]) -> dict[str, Quarantined]:
    """What was put aside under these digests and has not become an entry since."""
    cur.execute(
        "SELECT position, digest, code, detail, pointer, received_at, recorded_at, record_key, value FROM quarantine"
        " WHERE digest = ANY(%s::text[]) AND NOT redriven ORDER BY position DESC",
        (_array(digests),),
    )
    rows = [_quarantined(*row) for row in cur.fetchall()]
    return {row.digest: row for row in rows if row.digest is not None}


def was_aside(cur: Cursor, digest: str, seq: int, position: int | None) -> bool:
    """Whether something with this digest lay in quarantine when an entry, read at a position, was decided."""
    cur.execute(
        "SELECT EXISTS (SELECT 1 FROM quarantine q WHERE digest = %s AND position < %s AND (NOT redriven OR %s <="
        " (SELECT seq FROM entries e WHERE e.digest = q.resolved_by AND e.kind = 'event')))",
        (digest, position, seq),
    )
    return bool(_one(cur)[0])


def resolve_quarantine(cur: Cursor, resolved: Iterable[tuple[str, str, bool]]) -> None:
    """(digest, the resolving event's digest, whether it was redriven) of what an authority has resolved."""
    for digest, by, redriven in resolved:
        cur.execute(
            "UPDATE quarantine SET resolved_by = %s, redriven = %s WHERE digest = %s AND NOT redriven",
            (by, redriven, digest),
        )


def _array(texts: Iterable[str]) -> str:
    """PostgreSQL's text form of an array: one constant for its parser where a list would be hundreds."""
    return "{" + ",".join(['"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts]) + "}"


# --- saving a batch ----------------------------------------------------------------------------------------


def _copy(cur: Cursor, table: str, columns: str, pieces: Iterable[bytes]) -> None:
    """Insert rows by COPY in its text format, whose escapes cost a twentieth of the CSV module's quoting.

    Of bytes, as each text is encoded by itself: one with a Chinese sign in it makes whatever it is joined to twice as
    wide first, and encoding that takes twenty times as long.
    """
    if rows := b"".join(pieces):
        cur.copy_expert(f"COPY {table} ({columns}) FROM STDIN", io.BytesIO(rows), 1 << 20)


def _field(text: str | None) -> str:
    if text is None:
        return r"\N"
    if "\\" in text or "\n" in text or "\r" in text or "\t" in text:  # hardly ever: looking costs a tenth of replacing
        return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return text


def _plain(value: date | int | str | None) -> str:
    """Of what cannot hold a sign that COPY takes for its own."""
    return r"\N" if value is None else str(value)


_instant = lru_cache(maxsize=256)(datetime.isoformat)
"""Kept, as the records of one append and the entries of one batch share theirs."""


ENTRY = (
    "seq, kind, digest, event_id, source, type, subject, sequence, decision, detail, pointer, hint, effective_at,"
    " received_at, recorded_at, position, state_digest, state, leaf, jws"
)


def save_entries(cur: Cursor, entries: Sequence[Entry]) -> None:
    _copy(cur, "entries", ENTRY, [piece for entry in entries for piece in _entry_line(entry)])


def _entry_line(e: Entry) -> tuple[bytes, bytes, bytes]:
    received_at = _instant(e.received_at) if e.received_at else r"\N"
    begin = (
        f"{e.seq}\t{e.kind}\t{e.digest}\t{_plain(e.event_id)}\t{_field(e.source)}\t{_field(e.type)}\t{_field(e.subject)}"
        f"\t{_plain(e.sequence)}\t{e.decision}\t{_field(e.detail)}\t{_field(e.pointer)}\t{_field(e.hint)}"
        f"\t{_plain(e.effective_at)}\t{received_at}\t{_instant(e.recorded_at)}\t{_plain(e.position)}"
        f"\t{_plain(e.state_digest)}\t"
    )
    return begin.encode(), _field(e.state).encode(), f"\t{_field(e.leaf)}\t{_plain(e.jws)}\n".encode()


def save_records(cur: Cursor, records: Iterable[StoredRecord]) -> None:
    """Each key's row, whether new or in the place of one.

    A revision is indexed, so an update would write a new row with new index entries as well: taking the old ones
    away and copying costs half of `ON CONFLICT`. Readers see either all of the old rows or all of the new.
    """
    rows = list(records)
    cur.execute("DELETE FROM record_rows WHERE key = ANY(%s::text[])", (_array([record.key for record in rows]),))
    _copy(cur, "record_rows", _RECORD, [_record_line(record) for record in rows])


def _record_line(r: StoredRecord) -> bytes:
    return (
        f"{_field(r.key)}\t{r.revision}\t{r.seq}\t{_instant(r.recorded_at)}\t{r.digest}"
        f"\t{_field(None if r.entered else r.state)}"
        f"\t{_field(r.tokens)}\t{r.under_review}\t{_plain(r.event)}\t{_field(r.responsible)}\t{_field(r.product_class)}"
        f"\t{_plain(r.due)}\n"
    ).encode()


@dataclass(frozen=True, slots=True)
class Place:
    """What a certificate is looked up by, beside its number."""

    responsible: str
    product_class: str | None
    is_part: bool


def save_places(cur: Cursor, places: Mapping[str, Place]) -> None:
    """By record key, of the certificates of which one of these has changed."""
    if not places:
        return
    cur.execute("DELETE FROM places WHERE key = ANY(%s::text[])", (_array(places),))
    lines = [
        f"{_field(key)}\t{_field(place.responsible)}\t{_field(place.product_class)}\t{place.is_part}\n".encode()
        for key, place in places.items()
    ]
    _copy(cur, "places", "key, responsible, product_class, is_part", lines)


def save_marks(cur: Cursor, owners: Iterable[tuple[str, str]]) -> None:
    lines = [f"{_field(mark)}\t{_field(number)}\n".encode() for mark, number in owners]
    _copy(cur, "marks", "mark_no, certificate_no", lines)


def save_lost(cur: Cursor, lost: Collection[tuple[str, str, str]]) -> None:
    """(holder as in `lost_by`, scheme, certificate number) of what was revoked or suspended, or whose body's approval
    has an end."""
    if lost:
        cur.execute(
            "INSERT INTO losing_holders (holder, scheme, certificate_no)"
            " SELECT * FROM unnest(%s::text[], %s::text[], %s::text[]) ON CONFLICT DO NOTHING",
            [_array(column) for column in zip(*lost, strict=True)],
        )


def save_lost_of(cur: Cursor, sources: Collection[str]) -> None:
    """The holders of every certificate that these bodies answer for: once for each end that an approval gets."""
    if sources:
        cur.execute(
            "INSERT INTO losing_holders (holder, scheme, certificate_no) SELECT uscc, scheme, certificate_no FROM"
            " (SELECT state::jsonb #>> '{holder,uscc}' AS uscc, state::jsonb ->> 'scheme' AS scheme,"
            " substring(key FROM 13) AS certificate_no FROM records"
            " WHERE key IN (SELECT key FROM places WHERE responsible = ANY(%s::text[])) OFFSET 0) AS held"
            " WHERE uscc IS NOT NULL ON CONFLICT DO NOTHING",
            (_array(sources),),
        )


def save_chains(cur: Cursor, chains: Sequence[tuple[str, str, int, str]]) -> None:
    sources, subjects, sequences, digests = zip(*chains, strict=True) if chains else ((), (), (), ())
    cur.execute(
        "INSERT INTO chains (source, subject, sequence, digest)"
        " SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::text[])"
        " ON CONFLICT (source, subject) DO UPDATE SET sequence = excluded.sequence, digest = excluded.digest",
        (_array(sources), _array(subjects), _array(map(str, sequences)), _array(digests)),
    )


def park(cur: Cursor, pending: Iterable[Pending]) -> None:
    execute_values(
        cur,
        "INSERT INTO pending (digest, source, subject, sequence, event_id, position, received_at, jws) VALUES %s",
        [(p.digest, p.source, p.subject, p.sequence, p.event_id, p.position, p.received_at, p.jws) for p in pending],
        page_size=1000,
    )


def unpark(cur: Cursor, digests: Collection[str]) -> None:
    if digests:
        cur.execute("DELETE FROM pending WHERE digest = ANY(%s::text[])", (_array(digests),))


def save_quarantine(cur: Cursor, quarantined: Iterable[Quarantined]) -> None:
    execute_values(
        cur,
        "INSERT INTO quarantine (position, digest, code, detail, pointer, received_at, recorded_at, record_key, value,"
        " source) VALUES %s",
        [
            (
                q.position,
                q.digest,
                q.code,
                q.detail,
                q.pointer,
                q.received_at,
                q.recorded_at,
                q.record_key,
                q.value,
                q.source,
            )
            for q in quarantined
        ],
        page_size=1000,
    )


def notify(cur: Cursor) -> None:
    cur.execute(f"NOTIFY {CHANNEL}")


# --- the relay ---------------------------------------------------------------------------------------------


def lock_relayed(cur: Cursor) -> tuple[int, int, int]:
    """(last revision relayed, next position of the state topic to look at, last quarantine position copied)."""
    cur.execute("SELECT revision, tail, quarantined FROM relayed FOR UPDATE")
    row = _one(cur)
    return row[0], row[1], row[2]


def relayed(cur: Cursor) -> int:
    """The last revision that the relay has published."""
    cur.execute("SELECT revision FROM relayed")
    return cast(int, _one(cur)[0])


def save_relayed(cur: Cursor, revision: int, tail: int, quarantined: int) -> None:
    cur.execute("UPDATE relayed SET revision = %s, tail = %s, quarantined = %s", (revision, tail, quarantined))


def records_after(cur: Cursor, revision: int, limit: int) -> list[StoredRecord]:
    cur.execute(
        f"SELECT {_RECORD} FROM records WHERE revision > %s ORDER BY revision LIMIT %s",
        (revision, limit),
    )
    return [StoredRecord(*row) for row in cur.fetchall()]


HISTORY_LIMIT = 100
"""Entries that a sealed record tells of; the registry's own history has them all."""


def histories_of(cur: Cursor, subjects: Collection[str]) -> dict[str, list[tuple[Any, ...]]]:
    """The last accepted entries about each subject, in order of seq.

    A row is (seq, type, source, digest, effective_at, recorded_at); the digest of a consequence is its cause's, which
    is what the state names.
    """
    cur.execute(
        "SELECT k.subject, e.* FROM unnest(%s::text[]) AS k(subject) CROSS JOIN LATERAL ("
        "SELECT seq, type, source, CASE kind WHEN 'consequence' THEN detail ELSE digest END, effective_at, recorded_at"
        " FROM entries WHERE subject = k.subject AND decision = 'accepted' AND kind IN ('event', 'consequence')"
        " ORDER BY seq DESC LIMIT %s) e",
        (_array(subjects), HISTORY_LIMIT),
    )
    found: dict[str, list[tuple[Any, ...]]] = {}
    for subject, *row in cur.fetchall():
        found.setdefault(subject, []).insert(0, tuple(row))
    return found


def quarantine_after(cur: Cursor, position: int, limit: int) -> list[Quarantined]:
    cur.execute(
        "SELECT position, digest, code, detail, pointer, received_at, recorded_at, record_key, value FROM quarantine"
        " WHERE position > %s ORDER BY position LIMIT %s",
        (position, limit),
    )
    return [_quarantined(*row) for row in cur.fetchall()]


def _quarantined(*row: Any) -> Quarantined:
    return replace(Quarantined(*row), value=bytes(row[-1]))  # psycopg2 reads bytea as a view


# --- answers -------------------------------------------------------------------------------------------------


def decision_of(cur: Cursor, digest: str) -> dict[str, Any] | None:
    """What became of an event; None where it is unknown."""
    return decisions_of(cur, [digest]).get(digest)


def decisions_of(cur: Cursor, digests: Collection[str]) -> dict[str, dict[str, Any]]:
    """What became of events, by digest: their entry, their place among the pending, or their quarantine."""
    cur.execute(
        "SELECT digest, decision, detail, pointer, hint, seq, recorded_at FROM entries"
        " WHERE digest = ANY(%s::text[]) AND kind = 'event'",
        (_array(digests),),
    )
    found = {}
    for digest, said, *rest in cur.fetchall():
        decision, _, code = said.partition(":")
        found[digest] = _decision(digest, decision, code or None, *rest)
    waiting = [digest for digest in digests if digest not in found]
    if waiting:
        cur.execute("SELECT digest FROM pending WHERE digest = ANY(%s::text[])", (_array(waiting),))
        detail = "parked until the events before it in its chain have come"
        for (digest,) in cur.fetchall():
            found[digest] = _decision(digest, "pending", None, detail, None, None, None, None)
        cur.execute(
            "SELECT DISTINCT ON (digest) digest, code, detail, pointer, recorded_at FROM quarantine"
            " WHERE digest = ANY(%s::text[]) ORDER BY digest, position",
            (_array([digest for digest in waiting if digest not in found]),),
        )
        for digest, code, detail, pointer, recorded_at in cur.fetchall():
            found[digest] = _decision(digest, "quarantined", code, detail, pointer, None, None, recorded_at)
    return found


def _decision(
    digest: str,
    decision: str,
    code: str | None,
    detail: str | None,
    pointer: str | None,
    hint: str | None,
    seq: int | None,
    recorded_at: datetime | None,
) -> dict[str, Any]:
    return {
        "digest": digest,
        "decision": decision,
        "code": code,
        "detail": detail or None,
        "pointer": pointer or None,
        "hint": hint_for(code, hint),
        "seq": seq,
        "recorded_at": recorded_at,
    }


def history_of(cur: Cursor, subject: str, after: int, limit: int) -> list[dict[str, Any]]:
    """Every entry about a subject in order of seq, refused ones included."""
    cur.execute(
        "SELECT seq, kind, digest, source, type, sequence, decision, detail, pointer, effective_at, received_at,"
        " recorded_at, state_digest FROM entries WHERE subject = %s AND seq > %s ORDER BY seq LIMIT %s",
        (subject, after, limit),
    )
    names = [column.name for column in cur.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cur.fetchall()]


def certificates_of(cur: Cursor, source: str, after: str, limit: int) -> list[StoredRecord]:
    """The certificates that a source answers for, in the order of their keys; `after` is the last key that was had."""
    cur.execute(
        f"SELECT {_RECORD} FROM records WHERE key IN"
        " (SELECT key FROM places WHERE responsible = %s AND key > %s ORDER BY key LIMIT %s) ORDER BY key",
        (source, after, limit),
    )
    return [StoredRecord(*row) for row in cur.fetchall()]


def counts(cur: Cursor) -> dict[str, int]:
    """Where every position that was read has gone (invariant I8), and what waits."""
    cur.execute(
        "SELECT (SELECT count(*) FROM entries WHERE kind = 'event' AND decision = 'accepted'),"
        " (SELECT count(*) FROM entries WHERE kind = 'event' AND decision <> 'accepted'),"
        " (SELECT count(*) FROM pending), (SELECT count(*) FROM quarantine WHERE NOT redriven), duplicates,"
        " position - start, size, revision FROM head"
    )
    names = ("accepted", "refused", "pending", "quarantined", "duplicates", "read", "size", "revision")
    return dict(zip(names, _one(cur), strict=True))


def _one(cur: Cursor) -> tuple[Any, ...]:
    row = cur.fetchone()
    if row is None:
        raise LookupError("the row that the migrations made is gone")
    return row
