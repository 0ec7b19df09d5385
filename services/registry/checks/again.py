"""A check done again: which of its listings may be judged otherwise by now, and which are.

May be: those whose certificate, or the number that they claim, an accepted entry has touched since, or whose
certificate's validity began or ended between the two days; those without a certificate, once there are new ones; and
all where what concerns every listing has changed: a body, scheme, catalogue or recall, or the set of rules.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from services.domain.listing_standing import Verdict
from services.listings.checking import Checked, Matter
from services.listings.columns import KEYS
from services.listings.reading import Frame
from services.postgres import Cursor
from services.registry.checks.store import Job

_OF_CERTIFICATES = ("certificate", "mark", "declaration")
_ROW = KEYS.index("row")


@dataclass(frozen=True, slots=True)
class Touched:
    """What may be otherwise: these numbers of certificates and marks, listings without one, or everything."""

    numbers: frozenset[str]
    unnumbered: bool
    everything: bool

    def may_differ(self, finding: dict[str, Any]) -> bool:
        if self.everything:
            return True
        held = (finding["registered"] or {}).get("certificate_no")
        if held in self.numbers or finding["claimed"].get("certificate_no") in self.numbers:
            return True
        return self.unnumbered and held is None and "certificate_no" not in finding["claimed"]


def touched(cur: Cursor, first: Job, later: Job) -> Touched:
    """What has happened between the positions and days of two checks."""
    cur.execute(
        "SELECT DISTINCT subject, split_part(type, '.', 2) FROM entries WHERE seq > %s AND seq <= %s"
        " AND (decision = 'accepted' OR kind = 'consequence')",
        (first.seq, later.seq),
    )
    said = cur.fetchall()
    subjects = {subject for subject, kind in said if kind in _OF_CERTIFICATES}
    others = {kind for _, kind in said} - {*_OF_CERTIFICATES, "key", "case", "complaint", "calendar"}
    if first.day != later.day:
        cur.execute(
            "SELECT substr(key, 13) FROM records WHERE key = ANY(SELECT 'certificate/' || unnest(relied) FROM"
            " check_frames WHERE check_id = %s) AND ((state::jsonb->>'valid_until')::date BETWEEN %s AND %s"
            " OR (state::jsonb->>'valid_from')::date BETWEEN %s AND %s)",
            (first.id, first.day, later.day, first.day, later.day),
        )
        subjects |= {number for (number,) in cur.fetchall()}
    cur.execute("SELECT mark_no FROM marks WHERE certificate_no = ANY(%s)", (sorted(subjects),))
    numbers = frozenset(subjects | {mark_no for (mark_no,) in cur.fetchall()})
    return Touched(numbers, bool(subjects), bool(others) or first.rule_set != later.rule_set)


def part_of(frame: Frame, before: Sequence[bytes], touched: Touched) -> tuple[Frame, list[bytes]]:
    """The rows of a frame that may be judged otherwise, as a frame, and what was found of them before."""
    places = [at for at, line in enumerate(before) if touched.may_differ(orjson.loads(line))]
    rows = orjson.loads(frame.packed)
    part = []
    for at in places:
        row = rows[at]
        if row is not None and not row[_ROW]:
            row[_ROW] = str(frame.first + at + 1)  # it is told by its place in the file, not by that in this part
        part.append(row)
    return Frame(frame.first, len(part), (), orjson.dumps(part)), [before[at] for at in places]


def differences(before: Sequence[bytes], checked: Checked, place: int) -> Checked:
    """The findings that are otherwise than before, numbered from `place` on, each with what it `was`."""
    changed = Checked(place, 0, b"")
    matters = {matter.place: matter for matter in checked.matters}
    lines = []
    for at, (old_line, line) in enumerate(zip(before, checked.lines.splitlines(), strict=True)):
        old, new = orjson.loads(old_line), orjson.loads(line)
        if _said(old) == _said(new):
            continue
        was = {name: old[name] for name in ("verdict", "rules", "code", "note")}
        lines.append(orjson.dumps({**new, "was": was}))
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
    return changed


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
