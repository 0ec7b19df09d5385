"""What lies beside the entries, compared with them: records, marks, chains, what is not public, the log."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from services import base64url
from services.domain.case import CaseRefused, Decision, fold
from services.domain.errors import CHAIN_CODES, CertmarkError
from services.domain.scheme import scheme_from_state, scheme_state
from services.domain.world import Value
from services.events.canonical import canonical_text
from services.events.envelope import open_envelope
from services.events.log import Log, Record, Topic, Topics
from services.postgres import Connection, Cursor, snapshot, stream
from services.registry import store, trust
from services.registry.as_published import pages, published_otherwise
from services.registry.desk.deeds import from_json
from services.registry.desk.restricted import commitment_to
from services.registry.differences import Difference, hash_of
from services.registry.room import canonical_state
from services.registry.tokens import LIST_SIZE


def first_stray(cur: Cursor, values: Mapping[str, Value]) -> Difference | None:
    """The first thing in the tables that the entries did not leave; `values` are all records but certificates."""
    for query, what in _STRAY:
        cur.execute(query, {"chain_codes": list(CHAIN_CODES), "list_size": LIST_SIZE})
        row = cast("tuple[int | None, str | None, str | None] | None", cur.fetchone())
        if row is not None:
            seq, stored, left = row
            return Difference(seq or 0, what, stored, left)
    return (
        _stray_administration(cur, values)
        or _stray_trust(cur)
        or _stray_token(cur)
        or _stray_opening(cur)
        or _stray_case(cur)
    )


_STRAY = (
    (
        "SELECT e.seq, encode(sha256(convert_to(r.state, 'UTF8')), 'hex'), e.state_digest"
        " FROM records r LEFT JOIN entries e ON e.seq = r.seq"
        " WHERE r.key >= 'certificate/' AND r.key < 'certificate0' AND r.state IS DISTINCT FROM e.state"
        " ORDER BY e.seq LIMIT 1",
        "record",
    ),
    (
        "SELECT r.seq, concat_ws(' ', p.responsible, p.product_class, p.is_part, r.responsible, r.product_class),"
        " concat_ws(' ', r.said, r.class, r.part) FROM (SELECT key, seq, responsible, product_class,"
        " state::jsonb ->> 'responsible' AS said, state::jsonb #>> '{product,class}' AS class,"
        " state::jsonb ->> 'parent_no' IS NOT NULL AS part FROM records"
        " WHERE key >= 'certificate/' AND key < 'certificate0') r FULL JOIN places p USING (key)"
        " WHERE (p.responsible, p.product_class, p.is_part, r.responsible, r.product_class) IS DISTINCT FROM"
        " (r.said, r.class, r.part, r.said, r.class) ORDER BY r.seq LIMIT 1",
        "found by",
    ),
    (  # what waits throws doubt on a certificate where somebody has said it who answers for it
        "SELECT seq, under_review::text, (NOT under_review)::text FROM record_rows r"
        " WHERE key >= 'certificate/' AND key < 'certificate0' AND (under_review AND NOT EXISTS"
        " (SELECT 1 FROM pending WHERE subject = substr(r.key, 13)) OR NOT under_review AND EXISTS (SELECT 1 FROM"
        " pending WHERE subject = substr(r.key, 13) AND (source = r.responsible OR source ^@ 'urn:certmark:authority:'"
        " OR source ^@ 'urn:certmark:alliance:'))) ORDER BY seq LIMIT 1",
        "review",
    ),
    (
        "SELECT r.seq, r.key, NULL FROM record_rows r LEFT JOIN entries e ON e.jws = r.event AND e.kind = 'event'"
        " AND e.decision = 'accepted' WHERE r.key >= 'key/' AND r.key < 'key0' AND e.seq IS NULL"
        " ORDER BY r.seq LIMIT 1",
        "record",
    ),
    (
        "SELECT e.seq, NULL, e.subject FROM entries e WHERE e.decision = 'accepted'"
        " AND e.type IN ('certmark.certificate.suspended.v1', 'certmark.certificate.revoked.v1')"
        " AND (e.state::jsonb -> 'statuses' @> '[{\"status\": \"suspended\"}]'"
        " OR e.state::jsonb -> 'statuses' @> '[{\"status\": \"revoked\"}]')"
        " AND e.state::jsonb #>> '{holder,uscc}' IS NOT NULL AND NOT EXISTS (SELECT 1 FROM losing_holders l"
        " WHERE l.holder = e.state::jsonb #>> '{holder,uscc}' AND l.certificate_no = e.subject) ORDER BY e.seq LIMIT 1",
        "holder",
    ),
    (  # a place in the status lists belongs to one mark and product, and the next one lies beyond all of them
        "SELECT min(seq), (list * %(list_size)s + index)::text, (SELECT status_index FROM head)::text FROM"
        " (SELECT DISTINCT r.seq, r.key, (t ->> 'list')::bigint AS list, (t ->> 'index')::bigint AS index,"
        " t ->> 'mark_no', t ->> 'gtin', t ->> 'model', t ->> 'serials' FROM record_rows r,"
        " jsonb_array_elements(r.tokens::jsonb) t WHERE r.tokens <> '[]') AS taken GROUP BY list, index"
        " HAVING count(*) > 1 OR list * %(list_size)s + index >= (SELECT status_index FROM head) ORDER BY 1 LIMIT 1",
        "place",
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
    (  # the worker enters what waits before anything else: an hour later somebody has kept it back
        "SELECT NULL, w.commitment, NULL FROM (SELECT received_at AS at, commitment FROM complaints WHERE seq IS NULL"
        " UNION ALL SELECT at, commitment FROM case_deeds WHERE seq IS NULL AND commitment IS NOT NULL"
        " UNION ALL SELECT at, commitment FROM trail_heads WHERE seq IS NULL) w, head"
        " WHERE w.at < head.recorded_at - interval '1 hour' ORDER BY w.at LIMIT 1",
        "commitment",
    ),
    (  # deeds of before there were commitments have neither
        "SELECT seq, commitment, NULL FROM case_deeds d WHERE record IS NULL AND (commitment IS NOT NULL"
        " OR EXISTS (SELECT 1 FROM case_deeds o WHERE o.commitment IS NOT NULL AND o.at <= d.at)) LIMIT 1",
        "deed",
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


def _stray_trust(cur: Cursor) -> Difference | None:
    """A trust list that names a key which the register has not, or that is not the signed one beside it."""
    record = store.records_of(cur, [trust.RECORD]).get(trust.RECORD)
    published = trust.published(cur)
    if record is None or published is None:
        return None
    known = {(key.issuer, key.purpose, key.public.kid) for key in trust.signers_in(cur)}
    named = {(key.issuer, key.purpose, key.public.kid) for key in published.content.signers}
    state = json.loads(record.state)
    said = (state["version"], state["root"], tuple(state["hosts"]))
    signed = (published.content.version, published.content.root, published.content.hosts)
    strange = " ".join(sorted(kid for _, _, kid in named - known))
    return (
        Difference(record.seq, "trust", f"{said} {strange}".strip(), str(signed)) if strange or said != signed else None
    )


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


def _stray_case(cur: Cursor) -> Difference | None:
    """A case that lists show otherwise than its deeds have it."""
    rows = stream(
        cur,
        "SELECT c.case_no, title, division, opened_on, undecided, confirmed, excluded, closed_on, deeds,"
        " ARRAY(SELECT deed FROM case_deeds d WHERE d.case_no = c.case_no ORDER BY number) FROM cases c ORDER BY 1",
        {},
    )
    for case_no, *shown, deeds in rows:
        try:
            case = fold(from_json(json.loads(deed)) for deed in deeds)
        except (CaseRefused, KeyError, TypeError, ValueError) as error:
            return Difference(0, "case", case_no, str(error))
        counted = [sum(one.decision is decision for one in case.findings) for decision in Decision]
        told = [case.title, case.division, case.opened_on, *counted, case.closed_on, len(deeds)]
        if shown != told:
            return Difference(0, "case", f"{case_no} {shown}", str(told))
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
        return unaccounted(cur, log, topics.events, done) or published_otherwise(
            cur, log, topics.state, published, done
        )


def unaccounted(cur: Cursor, log: Log, topic: Topic, done: Callable[[int], None]) -> Difference | None:
    """The first record up to the register's position that it does not have as it was appended, or the first it adds."""
    head, entered = store.head(cur), 0
    for page in pages(log, topic, head.start, head.position):
        digests = {record.position: _digest(record.value) for record in page}
        known = _known(cur, page, digests.values())
        for record in page:
            digest = digests[record.position]
            aside, of_digest = known.get(record.position), known.get(digest or "")
            is_aside = aside == (record.value, record.appended_at)
            entered += is_aside + (of_digest is not None and of_digest[0] == record.position)
            if not is_aside and not _is_of(record, of_digest):
                return Difference(record.position, "log", of_digest and hash_of(of_digest[1]), digest)
        done(len(page))
    cur.execute(
        "SELECT (SELECT count(*) FROM entries WHERE kind = 'event') + (SELECT count(*) FROM pending)"
        " + (SELECT count(*) FROM quarantine)"
    )
    found = cast(tuple[int], cur.fetchone())[0]
    return Difference(head.position, "log", str(found), str(entered)) if found != entered else None


def _known(cur: Cursor, page: list[Record], digests: Iterable[str | None]) -> dict[int | str, Any]:
    """By position (value, received_at) of what was put aside; by digest (position, jws, received_at) of what was
    entered, or waits."""
    cur.execute(
        "SELECT position, value, received_at FROM quarantine WHERE position BETWEEN %s AND %s",
        (page[0].position, page[-1].position),
    )
    known: dict[int | str, Any] = {position: (bytes(value), came) for position, value, came in cur.fetchall()}
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
