"""Two clocks: a certificate as it stood on one day, as it was known at an instant."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any, cast

import orjson

from services.domain.certificate import Certificate, CertificateState, from_state, to_state
from services.domain.errors import NotFound
from services.domain.fold import CORRECTED, Told, fold, rules_told
from services.domain.identifiers import instant_text
from services.domain.standing import interval_on, mark_standing, part_standing, standing, standing_under, worse
from services.postgres import Cursor
from services.registry import store
from services.registry.told import ToldRow, told_of, told_one


@dataclass(frozen=True, slots=True)
class AsOf:
    """A certificate folded from the entries that count, and the last of them."""

    certificate: Certificate
    seq: int
    recorded_at: datetime


def as_of(cur: Cursor, number: str, day: date, known_at: datetime | None) -> dict[str, Any]:
    """The registry's answer about a certificate on a day, from what had been recorded up to an instant (or so far).

    Raises:
        NotFound: it was not in the register then.
    """
    found = folded(cur, number, day, known_at)
    if found is None:
        raise NotFound(
            f"{number} is not in the register" + (f" as known at {instant_text(known_at)}" if known_at else "")
        )
    certificate = found.certificate
    above = folded(cur, certificate.parent_no, day, known_at) if certificate.parent_no else None
    parent = above.certificate if above else None
    interval = interval_on(certificate.statuses, day)
    whole = standing_under(certificate, parent, day)
    return {
        "certificate_no": certificate.certificate_no,
        "at": day.isoformat(),
        "known_at": instant_text(known_at) if known_at else None,
        "standing": whole.value,
        "status": interval.status.value if interval else None,
        "reason": interval.reason if interval else None,
        "since": interval.since.isoformat() if interval else None,
        "until": interval.until.isoformat() if interval and interval.until else None,
        "parent": {"certificate_no": parent.certificate_no, "standing": standing(parent, day).value}
        if parent
        else None,
        "marks": [
            {
                "mark_no": mark.mark_no,
                "mark": mark.mark,
                "standing": worse(whole, mark_standing(certificate, mark, day)).value,
            }
            for mark in certificate.marks
        ],
        "parts": [
            {
                "kind": part.kind.value,
                "name": part.name,
                "gtin": part.gtin,
                "standing": worse(whole, part_standing(certificate, part, day)).value,
            }
            for part in certificate.parts
        ],
        "seq": found.seq,
        "recorded_at": instant_text(found.recorded_at),
        "state": to_state(certificate),
    }


def folded(cur: Cursor, number: str, day: date, known_at: datetime | None) -> AsOf | None:
    """What the entries recorded by an instant and in effect by a day make of a certificate; None before its issue.

    Where none of them takes effect later, that is the state which the last of them left, to which its leaf commits.
    Otherwise, and where a correction may have moved a date, they are folded anew.
    """
    rows = store.known_of(cur, number, known_at)
    if not rows:
        return None
    seq, recorded_at, state = rows[-1][1], rows[-1][5], rows[-1][-1]
    if all(kind != CORRECTED and (effective_at is None or effective_at <= day) for *_, kind, effective_at, _ in rows):
        return AsOf(from_state(cast(CertificateState, orjson.loads(state))), seq, recorded_at)
    told = told_of([cast(ToldRow, row[:6]) for row in rows])
    certificate = fold(told, rules_told(_schemes(cur, told)), day).certificate
    return AsOf(certificate, seq, recorded_at) if certificate else None


def _schemes(cur: Cursor, told: list[Told]) -> Callable[[str], Sequence[Told]]:
    """What was ever told about the schemes that these entries name; the fold takes what came before each entry."""
    named = {one.said.data["scheme"] for one in told if "scheme" in one.said.data}
    about: dict[str, list[Told]] = {}
    for row in cast(list[ToldRow], store.told_about(cur, named)):
        about.setdefault(row[0], []).append(_told_of_scheme(row))
    return lambda scheme_id: about.get(scheme_id, ())


_told_of_scheme = lru_cache(maxsize=256)(told_one)
"""Kept, as the same few versions judge every certificate. A row says all about itself, whatever register it is of."""
