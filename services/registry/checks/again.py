"""A check done again: which of its listings may be judged otherwise by now, and which are.

May be: those that ask for what an accepted entry has touched since (a certificate, its marks, its parts below it, its
parties), or for a certificate of which something begins or ends between the two days; and all where what concerns
every listing has changed: a body, scheme, catalogue or recall, or the set of rules.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import orjson

from services.domain.listing import Listing
from services.domain.listing_standing import Verdict
from services.listings.checking import Checked, Matter, asked, unpacked
from services.listings.columns import KEYS
from services.listings.reading import Frame
from services.postgres import Cursor

_CONCERN_NO_LISTING = frozenset(("key", "case", "complaint", "calendar", "backfill", "warning"))
_OF_CERTIFICATES = frozenset(("certificate", "mark", "declaration"))
_ROW = KEYS.index("row")
_MOST = 50_000
"""Subjects after which everything is judged anew: by then it is no more work than finding out what is not."""
MOST_DAYS = 366


@dataclass(frozen=True, slots=True)
class Since:
    """What a check was last compared with: the entry, the register's day, the rules."""

    seq: int
    day: date
    rule_set: str


@dataclass(frozen=True, slots=True)
class Touched:
    """What may be otherwise: listings that ask for one of these numbers and parties, or everything."""

    keys: frozenset[str]
    everything: bool

    def may_differ(self, listing: Listing | None, hosts: tuple[str, ...]) -> bool:
        if self.everything:
            return True
        if listing is None or not self.keys:
            return False
        return any(not self.keys.isdisjoint(asked_for) for asked_for in asked([listing], hosts))


def touched(cur: Cursor, since: Since, until: Since, relied: Sequence[str]) -> Touched:
    """What has happened between two positions and days; `relied` are the certificates whose days are looked at."""
    if since.rule_set != until.rule_set or (until.day - since.day).days > MOST_DAYS:
        return Touched(frozenset(), everything=True)
    cur.execute(
        "SELECT DISTINCT subject, CASE WHEN kind = 'consequence' THEN 'certificate' ELSE split_part(type, '.', 2) END"
        " FROM entries WHERE seq > %s AND seq <= %s AND type IS NOT NULL"
        " AND (decision = 'accepted' OR kind = 'consequence') LIMIT %s",
        (since.seq, until.seq, _MOST + 1),
    )
    said = cur.fetchall()
    if len(said) > _MOST or {kind for _, kind in said} - _OF_CERTIFICATES - _CONCERN_NO_LISTING:
        return Touched(frozenset(), everything=True)
    subjects = {subject for subject, kind in said if kind in _OF_CERTIFICATES}
    if since.day < until.day:
        days = days_named(since.day, until.day)
        if administration_turns(cur, days):
            return Touched(frozenset(), everything=True)
        asked_for = [f"certificate/{number}" for number in relied]
        cur.execute("SELECT substr(key, 13) FROM records WHERE key = ANY(%s) AND state LIKE ANY(%s)", (asked_for, days))
        subjects |= {number for (number,) in cur.fetchall()} | parents_that_turn(cur, days)
    return Touched(keys_of(cur, subjects), everything=False)


def administration_turns(cur: Cursor, days: Sequence[str]) -> bool:
    """Whether a body, scheme, catalogue or recall names one of these days."""
    cur.execute(
        "SELECT 1 FROM records WHERE ((key >= 'body/' AND key < 'body0')"
        " OR (key >= 'catalogue/' AND key < 'catalogue0')"
        " OR (key >= 'recall/' AND key < 'recall0') OR (key >= 'scheme/' AND key < 'scheme0'))"
        " AND state LIKE ANY(%s) LIMIT 1",
        (list(days),),
    )
    return cur.fetchone() is not None


def days_named(since: date, until: date) -> list[str]:
    """Patterns for states that name one of these days: whatever begins or ends there is written as a date in them."""
    count = (until - since).days + 1
    return [f'%"{(since + timedelta(days=more)).isoformat()}"%' for more in range(count)]


def keys_of(cur: Cursor, subjects: set[str]) -> frozenset[str]:
    """What listings ask for that find one of these certificates, or one below it: numbers, marks', parties."""
    if not subjects:
        return frozenset()
    cur.execute(
        "SELECT substr(key, 13) FROM places JOIN records USING (key)"
        " WHERE is_part AND state::jsonb->>'parent_no' = ANY(%s)",
        (sorted(subjects),),
    )
    certificates = subjects | {number for (number,) in cur.fetchall()}
    cur.execute(
        "SELECT mark_no FROM marks WHERE certificate_no = ANY(%(these)s)"
        " UNION SELECT party FROM certificate_parties WHERE certificate_no = ANY(%(these)s)",
        {"these": sorted(certificates)},
    )
    return frozenset(certificates | {key for (key,) in cur.fetchall()})


def parents_that_turn(cur: Cursor, days: Sequence[str]) -> set[str]:
    """Certificates with others below them that name one of these days: those below stand no better than they do."""
    cur.execute(
        "SELECT substr(r.key, 13) FROM (SELECT DISTINCT 'certificate/' || (state::jsonb->>'parent_no') AS key"
        " FROM places JOIN records USING (key) WHERE is_part) AS above"
        " JOIN records AS r USING (key) WHERE r.state LIKE ANY(%s)",
        (list(days),),
    )
    return {number for (number,) in cur.fetchall()}


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of a frame that may be judged otherwise, as a frame; what was found of each before, and its place."""

    frame: Frame
    before: list[bytes]
    places: list[int]


def part_of(frame: Frame, before: Sequence[bytes], touched: Touched, hosts: tuple[str, ...]) -> Part:
    """The part of a frame that has to be judged anew; `before` are the findings on all of its rows."""
    listings = unpacked(frame.packed, frame.first)
    chosen = [at for at, one in enumerate(listings) if at < len(before) and touched.may_differ(one, hosts)]
    rows = orjson.loads(frame.packed) if chosen else []
    part = []
    for at in chosen:
        row = rows[at]
        if row is not None and not row[_ROW]:
            row[_ROW] = str(frame.first + at + 1)  # it is told by its place in the file, not by that in this part
        part.append(row)
    packed = Frame(frame.first, len(part), (), orjson.dumps(part))
    return Part(packed, [before[at] for at in chosen], [frame.first + at for at in chosen])


def differences(part: Part, checked: Checked, place: int) -> tuple[Checked, list[int]]:
    """The findings that are otherwise than before, numbered from `place` on, each with what it `was`; and their places
    in the file.
    """
    changed = Checked(place, 0, b"")
    matters = {matter.place: matter for matter in checked.matters}
    lines: list[bytes] = []
    places: list[int] = []
    for at, (old_line, line) in enumerate(zip(part.before, checked.lines.splitlines(), strict=True)):
        old, new = orjson.loads(old_line), orjson.loads(line)
        if _said(old) == _said(new):
            continue
        was = {name: old[name] for name in ("verdict", "rules", "code", "note")}
        lines.append(orjson.dumps({**new, "was": was}))
        places.append(part.places[at])
        changed.verdicts[new["verdict"]] += 1
        if new["registered"] is not None:
            changed.relied.add((new["registered"]["certificate_no"], 0))
        if new["verdict"] != Verdict.OK:
            changed.rules += Counter(new["rules"])
        matter = matters.get(checked.first + at) or Matter(
            0, new["verdict"], new["rules"], new["claimed"].get("certificate_no"), None, None, None
        )
        changed.matters.append(
            Matter(
                place + len(lines) - 1,
                matter.verdict,
                matter.rules,
                matter.certificate_no,
                matter.seller,
                matter.listing_url,
                matter.image,
            )
        )
    changed.rows = len(lines)
    changed.lines = b"".join(line + b"\n" for line in lines)
    return changed, places


def _said(finding: dict[str, Any]) -> tuple[object, ...]:
    """What a finding says, but for the day on which it was made."""
    return (
        finding["verdict"],
        finding["rules"],
        finding["code"],
        finding["registered"],
        finding["captured"]["standing"],
        finding["now"]["standing"],
    )
