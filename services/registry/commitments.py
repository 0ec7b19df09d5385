"""What is not public and joins the log as a salted hash: which of it has no entry yet, and which entry it got."""

from dataclasses import dataclass
from enum import StrEnum

from services.postgres import Cursor

CASES, TRAIL = "cases", "trail"
"""The subjects of entries about cases and the trail: how many there are shows, and nothing else."""


class Kind(StrEnum):
    REPORT = "report"
    DEED = "deed"
    TRAIL = "trail"


@dataclass(frozen=True, slots=True)
class Commitment:
    """One that waits for its entry; `key` says which row it is of."""

    kind: Kind
    key: tuple[str, int]
    subject: str
    digest: str


def uncommitted(cur: Cursor, limit: int) -> list[Commitment]:
    """What waits, the kinds in turn, each in the order of its numbers."""
    cur.execute("SELECT no, commitment FROM complaints WHERE seq IS NULL ORDER BY no LIMIT %s", (limit,))
    found = [Commitment(Kind.REPORT, (no, 0), no, digest) for no, digest in cur.fetchall()]
    cur.execute(
        "SELECT case_no, number, commitment FROM case_deeds WHERE seq IS NULL AND commitment IS NOT NULL"
        " ORDER BY case_no, number LIMIT %s",
        (limit - len(found),),
    )
    found += [Commitment(Kind.DEED, (case_no, number), CASES, digest) for case_no, number, digest in cur.fetchall()]
    cur.execute(
        "SELECT number, commitment FROM trail_heads WHERE seq IS NULL ORDER BY number LIMIT %s", (limit - len(found),)
    )
    return found + [Commitment(Kind.TRAIL, ("", number), TRAIL, digest) for number, digest in cur.fetchall()]


def committed(cur: Cursor, one: Commitment, seq: int) -> None:
    """The entry that a commitment got, in the transaction that makes it."""
    statement = {
        Kind.REPORT: "UPDATE complaints SET seq = %s WHERE no = %s AND 0 = %s",
        Kind.DEED: "UPDATE case_deeds SET seq = %s WHERE case_no = %s AND number = %s",
        Kind.TRAIL: "UPDATE trail_heads SET seq = %s WHERE '' = %s AND number = %s",
    }[one.kind]
    cur.execute(statement, (seq, *one.key))
