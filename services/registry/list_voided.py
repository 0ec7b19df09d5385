"""Which single codes each status list names as voided: those of every mark whose serials have a place in it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TypeAlias

from services.domain.certificate import Certificate, Voided
from services.domain.place import Place
from services.domain.unit_code import hash_of_text, public_hash
from services.marks.voided import joined, packed
from services.postgres import Cursor, execute_values

Key: TypeAlias = tuple[int, str]
"""A list and the number of a mark that has a place for serials in it."""


def voided_at(certificate: Certificate, place: Place) -> tuple[Voided, ...]:
    """The voided codes of the mark that a place is of; none of a mark that a correction took away."""
    mark = certificate.mark(place.mark_no)
    return mark.voided if mark else ()


def due(cur: Cursor, marks: Mapping[Key, Sequence[Voided]], day: date) -> dict[Key, bytes]:
    """The hashes that are to be named on a day, packed.

    A source that did not say by what a scanner knows a code (see `mark.code_voided`) leaves the whole mark to be named:
    some of its units are voided, and which cannot be told offline. Typed codes are never asked offline.
    """
    voided = {key: [one for one in codes if one.since <= day] for key, codes in marks.items()}
    silent = {one.code for codes in voided.values() for one in codes if one.public_hash is None}
    silent -= _typed(cur, silent) if silent else set()
    found: dict[Key, bytes] = {}
    for key, codes in voided.items():
        hashes = [bytes.fromhex(one.public_hash) for one in codes if one.public_hash is not None]
        if any(one.code in silent for one in codes):
            hashes.append(public_hash(key[1], b""))
        found[key] = packed(hashes)
    return found


def _typed(cur: Cursor, codes: Iterable[str]) -> set[str]:
    """Those of these salted hashes that are of sets of typed codes."""
    cur.execute(
        "SELECT lpad(to_hex(hash), 16, '0') FROM code_hashes JOIN code_runs ON code_runs.id = code_hashes.run"
        " WHERE form = 'code' AND hash = ANY(%s::bigint[])",
        ([hash_of_text(code) for code in codes],),
    )
    return {code for (code,) in cur.fetchall()}


def put(cur: Cursor, marks: Mapping[Key, Sequence[Voided]], day: date) -> None:
    """Keep what is due of these marks; the lists that now say something else are signed again."""
    if not marks:
        return
    cur.execute(
        "SELECT list, mark_no, hashes FROM list_voided WHERE mark_no = ANY(%s)", ([number for _, number in marks],)
    )
    before = {(list_id, mark_no): bytes(hashes) for list_id, mark_no, hashes in cur.fetchall()}
    changed = {key: hashes for key, hashes in due(cur, marks, day).items() if hashes != before.get(key, b"")}
    if not changed:
        return
    execute_values(
        cur,
        "INSERT INTO list_voided (list, mark_no, hashes) VALUES %s"
        " ON CONFLICT (list, mark_no) DO UPDATE SET hashes = excluded.hashes",
        [(*key, hashes) for key, hashes in changed.items()],
    )
    cur.execute("UPDATE status_lists SET changed = true WHERE list = ANY(%s)", ([list_id for list_id, _ in changed],))


def named_in(cur: Cursor, list_id: int) -> bytes | None:
    """What a list is to say of all its marks; see `joined`."""
    cur.execute("SELECT mark_no, hashes FROM list_voided WHERE list = %s", (list_id,))
    return joined({mark_no: bytes(hashes) for mark_no, hashes in cur.fetchall()})
