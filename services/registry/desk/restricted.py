"""Deeds of cases as records of the restricted topic: what they say, what the log commits to, and how that is opened."""

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from services.domain.identifiers import instant_text
from services.events.canonical import canonical_text
from services.events.envelope import sign_compact
from services.events.keys import PrivateKey
from services.events.log import Log, Topic
from services.postgres import Cursor

TYP = "certmark-case+jws"
_PREFIX = b"certmark-case/v1\n"
OPENED = ("closed", "published")
"""Kinds of deeds that a published result opens; what names sellers and findings stays sealed."""


def record_of(case_no: str, number: int, at: datetime, account: str, deed: Mapping[str, Any]) -> str:
    """A deed with everything around it, and a salt of its own that hides it until it is opened; canonical JSON."""
    told = {
        "v": 1,
        "case_no": case_no,
        "number": number,
        "at": instant_text(at),
        "account": account,
        "deed": dict(deed),
        "salt": secrets.token_hex(16),
    }
    return canonical_text(told, floats=False)


def commitment_to(record: str) -> str:
    """What enters the public log: hex SHA-256 over a line that names the form, and the record."""
    return hashlib.sha256(_PREFIX + record.encode("utf-8")).hexdigest()


def publish(cur: Cursor, log: Log, topic: Topic, key: PrivateKey, limit: int) -> int:
    """Append deeds that are not on the topic yet, each under the registry's seal; how many.

    A crash between the append and the commit repeats them: who reads keeps one of each case and number.
    """
    cur.execute(
        "SELECT case_no, number, record FROM case_deeds WHERE position IS NULL AND record IS NOT NULL"
        " ORDER BY case_no, number LIMIT %s FOR UPDATE SKIP LOCKED",
        (limit,),
    )
    rows = cur.fetchall()
    header = {"alg": key.public.alg, "kid": key.public.kid, "typ": TYP}
    sealed = [(f"case/{case_no}", sign_compact(header, record.encode("utf-8"), key)) for case_no, _, record in rows]
    for (case_no, number, _), position in zip(rows, log.append(topic, sealed), strict=True):
        cur.execute(
            "UPDATE case_deeds SET position = %s WHERE case_no = %s AND number = %s", (position, case_no, number)
        )
    return len(rows)


def is_deed(key: str) -> bool:
    """Whether a record of the restricted topic is a deed, by its key: nothing to take in from there."""
    return key.startswith("case/")


def opening(cur: Cursor, case_no: str) -> Sequence[dict[str, Any]] | None:
    """What a published result opens: entry and record of each of those deeds; None where nothing is published.

    Anybody can compute `commitment_to` each record and find it as the digest of that entry.
    """
    cur.execute(
        "SELECT seq, record FROM case_deeds WHERE case_no = %s AND record IS NOT NULL ORDER BY number", (case_no,)
    )
    records = [(seq, record, json.loads(record)["deed"]["kind"]) for seq, record in cur.fetchall()]
    if not records or records[-1][2] != "published":
        return None
    return [{"seq": seq, "record": record} for seq, record, kind in records if kind in OPENED]
