"""What changed in the register, in order and without a gap: each record at its last revision, and which were replaced.

A revision is given to a record at each change, rising by one over the whole register; a record keeps its last. So
the revisions after a reader's place are of two kinds: those at which a record stands, which are its items, and those
whose record has changed again since, which are named as replaced. Both together are every number up to `complete_to`.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, cast

from services.domain.certificate import Certificate, CertificateState, from_state
from services.domain.identifiers import civil_day, instant_text
from services.domain.standing import standing_under
from services.postgres import Cursor
from services.registry import store

LARGEST = 4 << 20
"""Characters of states after which a page ends: its first item may be longer by itself."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A record at its last revision, its state as stored: canonical JSON."""

    revision: int
    key: str
    seq: int
    recorded_at: datetime
    digest: str
    under_review: bool
    state: str


@dataclass(frozen=True, slots=True)
class Changes:
    """A stretch of the feed: every revision from `after` + 1 to `complete_to`, and where the register stood then."""

    after: int
    complete_to: int
    revision: int
    seq: int
    as_of: datetime
    items: tuple[Changed, ...]
    parents: Mapping[str, Certificate]
    """By number, those of the items that stand no better than they."""

    @property
    def replaced(self) -> list[list[int]]:
        """The revisions of the stretch at which no record of the feed stands (any more): [first, last] of each run."""
        return gaps(self.after, [item.revision for item in self.items], self.complete_to)


def gaps(after: int, present: Iterable[int], last: int) -> list[list[int]]:
    """The runs of numbers between `after` and `last` that are not present, each [first, last]."""
    found: list[list[int]] = []
    expected = after + 1
    for number in [*present, last + 1]:
        if number > expected:
            found.append([expected, number - 1])
        expected = number + 1
    return found


def changes_after(cur: Cursor, after: int, limit: int, largest: int = LARGEST) -> Changes:
    """The next stretch of the feed, read by one statement and so as of one instant."""
    cur.execute(
        "SELECT head.revision, head.size - 1, clock_timestamp(), page.* FROM head LEFT JOIN LATERAL ("
        " SELECT revision, key, seq, recorded_at, digest, under_review, CASE WHEN before < %(largest)s THEN state END"
        " FROM (SELECT *, sum(length(state)) OVER (ORDER BY revision) - length(state) AS before FROM records"
        f" WHERE revision > %(after)s AND {store.NOT_OF_CODES} AND {store.NOT_MADE_OF_OTHERS}"
        " ORDER BY revision LIMIT %(limit)s) AS weighed) AS page ON true ORDER BY 4",
        {"after": after, "limit": limit, "largest": largest},
    )
    rows = cur.fetchall()
    revision, seq, as_of = rows[0][:3]
    items = tuple(Changed(*row[3:]) for row in rows if row[3] is not None and row[-1] is not None)
    # A page that was not cut ends with the register: what lies behind its last item is not for this feed.
    cut = len(items) == limit or any(row[3] is not None and row[-1] is None for row in rows)
    complete_to = items[-1].revision if items and cut else max(after, revision)
    return Changes(after, complete_to, revision, seq, as_of, items, _parents(cur, items))


def _parents(cur: Cursor, items: Sequence[Changed]) -> dict[str, Certificate]:
    states = [json.loads(item.state) for item in items if item.key.startswith("certificate/")]
    keys = {f"certificate/{state['parent_no']}" for state in states if state["parent_no"]}
    found = store.records_of(cur, keys) if keys else {}
    return {key.partition("/")[2]: from_state(json.loads(record.state)) for key, record in found.items()}


def first_digest(cur: Cursor) -> str | None:
    """The digest of the register's first event, by which it is known from any other."""
    cur.execute("SELECT digest FROM entries WHERE seq = 0")
    row = cur.fetchone()
    return str(row[0]) if row else None


def page_of(changes: Changes, register: str) -> bytes:
    """The page as JSON. `register` is the digest of the register's first event, so that none is taken for another."""
    day = civil_day(changes.as_of)
    head = {
        "v": 1,
        "register": register,
        "after": changes.after,
        "complete_to": changes.complete_to,
        "next": str(changes.complete_to),
        "revision": changes.revision,
        "seq": changes.seq,
        "as_of": instant_text(changes.as_of),
        "day": day.isoformat(),
        "replaced": changes.replaced,
    }
    items = ",".join(_item(item, changes.parents, day) for item in changes.items)
    return f'{_text(head)[:-1]},"items":[{items}]}}'.encode()


def _item(changed: Changed, parents: Mapping[str, Certificate], day: date) -> str:
    """One item; the state stands in it character by character as it is stored, so that its digest can be checked."""
    kind, _, name = changed.key.partition("/")
    head: dict[str, Any] = {"revision": changed.revision, "key": changed.key, "kind": kind}
    if kind == "certificate":
        certificate = from_state(cast(CertificateState, json.loads(changed.state)))
        above = parents.get(certificate.parent_no) if certificate.parent_no else None
        head |= {"certificate_no": name, "standing": standing_under(certificate, above, day).value}
    head |= {
        "seq": changed.seq,
        "digest": changed.digest,
        "recorded_at": instant_text(changed.recorded_at),
        "under_review": changed.under_review,
        "state_digest": hashlib.sha256(changed.state.encode()).hexdigest(),
    }
    return f'{_text(head)[:-1]},"state":{changed.state}}}'


def etag_of(changes: Changes) -> str:
    """The same for the same items on the same day, whatever the hour."""
    said = (changes.after, changes.complete_to, changes.revision, civil_day(changes.as_of).isoformat())
    revisions = [item.revision for item in changes.items]
    return hashlib.sha256(_text([said, revisions]).encode("ascii")).hexdigest()[:32]


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
