"""The certificates of a source: found by number or holder, how each stands, and what the public is answered."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from services.domain.certificate import Certificate, from_state
from services.domain.errors import CertmarkError
from services.domain.identifiers import normalised
from services.domain.scheme import Words
from services.domain.standing import standing_under
from services.events.client import Service
from services.postgres import Cursor
from services.registry import store
from services.registry.console.pages import Frame

PAGE = 50
_KEY = "certificate/"
_PATIENCE = 2.0


@dataclass(frozen=True, slots=True)
class Own:
    """A certificate of a source, and how it stands today by the register."""

    certificate: Certificate
    scheme: Words
    """What the scheme is called now."""
    standing: str
    seq: int


@dataclass(frozen=True, slots=True)
class Shown:
    """What the public is answered today: code, family and sentence, as the public look-up says them."""

    code: str
    family: str
    sentence: str


def find(cur: Cursor, source: str, number: str, holder: str, after: str, day: date) -> list[Own]:
    """A page of the certificates that a source answers for, in order of numbers, whose number begins with what was
    asked for and whose holder's name or credit code contains it."""
    start = f"{_KEY}{normalised(number)}"
    patterns = [_like(start) + "%"]
    asked = "p.responsible = %(source)s AND key > %(after)s AND key LIKE %(start)s"
    if holder:
        # In the state's own text: a first sieve, which the holder itself is then held against.
        patterns.append(f"%{_like(json.dumps(holder, ensure_ascii=False)[1:-1])}%")
        asked += " AND state LIKE %(holder)s"
    found: list[Own] = []
    last = f"{_KEY}{after}"
    while len(found) < PAGE:
        cur.execute(
            f"SELECT key, state, seq FROM places p JOIN records USING (key) WHERE {asked} ORDER BY key LIMIT {PAGE}",
            {"source": source, "after": last, "start": patterns[0], "holder": patterns[-1]},
        )
        rows = cur.fetchall()
        held = [(from_state(orjson.loads(state)), seq) for _, state, seq in rows]
        found += _standing(cur, [one for one in held if _is_held_by(one[0], holder)], day)
        if len(rows) < PAGE:
            break
        last = rows[-1][0]
    return found[:PAGE]


def _like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")


def _is_held_by(certificate: Certificate, asked: str) -> bool:
    return asked in certificate.holder.name or asked in (certificate.holder.uscc or "")


def one(cur: Cursor, source: str, number: str, day: date) -> Own | None:
    """A certificate that a source answers for; None where it does not."""
    row = store.records_of(cur, [f"{_KEY}{number}"]).get(f"{_KEY}{number}")
    if row is None or row.responsible != source:
        return None
    return _standing(cur, [(from_state(orjson.loads(row.state)), row.seq)], day)[0]


def _standing(cur: Cursor, found: Sequence[tuple[Certificate, int]], day: date) -> list[Own]:
    keys = {f"{_KEY}{certificate.parent_no}" for certificate, _ in found if certificate.parent_no}
    parents = (
        {key: from_state(orjson.loads(row.state)) for key, row in store.records_of(cur, keys).items()} if keys else {}
    )
    rows = store.records_of(cur, {f"scheme/{certificate.scheme}" for certificate, _ in found})
    names = {key: orjson.loads(row.state)["versions"][-1]["name"] for key, row in rows.items()}
    return [
        Own(c, names[f"scheme/{c.scheme}"], standing_under(c, parents.get(f"{_KEY}{c.parent_no}"), day).value, seq)
        for c, seq in found
    ]


def shown_to_the_public(url: str, numbers: Sequence[str], frame: Frame) -> Mapping[str, Shown]:
    """What the public look-up at this address answers about each number now; empty where it does not answer."""
    if not numbers:
        return {}
    service = Service(url, timeout=_PATIENCE)
    try:
        answered = service.post("/v1/verify", {"q": list(numbers)}).get("items")
    except CertmarkError:
        return {}
    finally:
        service.close()
    if not isinstance(answered, list) or len(answered) != len(numbers):
        return {}
    return {number: _shown(answer, frame) for number, answer in zip(numbers, answered, strict=True)}


def _shown(answer: Mapping[str, Any], frame: Frame) -> Shown:
    language = frame.language
    said = [(answer.get("title") or {}).get(language, "")]
    if answer.get("since"):
        said.append(frame.say("since", day=answer["since"]))
    if answer.get("until"):
        said.append(frame.say("until", day=answer["until"]))
    if answer.get("reason"):
        said.append(f"{answer['reason'].get(language, '')} ({answer['reason'].get('code', '')})")
    return Shown(str(answer.get("code")), str(answer.get("family")), frame.say("comma").join(said))
