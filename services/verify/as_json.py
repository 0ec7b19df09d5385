"""An answer as JSON; a certificate's own part of it is stored as bytes, so that a look-up has little left to do."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, cast

import orjson

from services.domain.certificate import CertificateState, Course, Mark, StatusInterval
from services.domain.copies import Lookups
from services.domain.identifiers import instant_text
from services.domain.notice_states import RecallState
from services.domain.reasons import REASONS
from services.domain.standing import Standing
from services.domain.unit_code import VOIDED
from services.verify.answer import Answer, Judgement, Unit, body_on, coverage, judge_number, number_patterns
from services.verify.notices import Notices, notice_json, recall_reason
from services.verify.recognise import Question
from services.verify.register import Directory, Found
from services.verify.turns import judgement, said_on
from services.verify.wording import EXPECTED, SEVERAL, Code, Note, Text, wording

INTERNAL = ("v", "kind", "approver", "audit_refs", "headcount", "status", "marks")
"""Members of `state/v1` that a look-up leaves out: for supervision, or said better by the answer itself."""


def as_json(answer: Answer) -> dict[str, Any]:
    """The members of the answer, in the order in which the stored bytes hold them."""
    found = answer.found
    return {
        **_head(answer.code, answer.standing, answer.interval, answer.notes, _recall(answer)),
        "certificate": shown_certificate(found) if found else None,
        "body": _body(answer),
        "mark": _mark(answer.mark, answer.mark_standing) if answer.mark else None,
        "item": {"model": answer.item.model, "gtin": answer.item.gtin} if answer.item else None,
        "unit": _unit(answer.unit) if answer.unit else None,
        "signature": "valid" if answer.signed else None,
        "candidates": [_candidate(one) for one in answer.candidates],
        "expected": _expected(answer),
        "coverage": [{"scheme": name, **coverage} for name, coverage in answer.coverage],
        "notices": [*map(notice_json, answer.recalls), *map(notice_json, answer.alerts)],
        "lookups": _lookups(answer.lookups),
        "as_of": instant_text(answer.as_of) if answer.as_of else None,
        "seq": answer.seq,
        "checked_at": instant_text(answer.checked_at),
    }


def _head(
    code: Code | None,
    standing: str | None,
    interval: StatusInterval | None,
    notes: tuple[Note, ...],
    recall: RecallState | None = None,
) -> dict[str, Any]:
    title = wording(code, notes).title if code else SEVERAL.title
    return {
        "code": code,
        "standing": standing,
        "family": (wording(code, notes) if code else SEVERAL).family,
        "title": _both(title),
        "since": interval.since.isoformat() if interval else None,
        "until": interval.until.isoformat() if interval and interval.until else None,
        "reason": _reason(interval.reason) if interval and interval.reason else None,
        **({"since": recall["opened_on"], "until": None, "reason": recall_reason(recall)} if recall else {}),
        "notes": list(notes),
    }


def _lookups(lookups: Lookups | None) -> dict[str, Any] | None:
    if lookups is None:
        return None
    return {
        "count": lookups.count,
        "first_on": lookups.first_on.isoformat(),
        "districts": lookups.districts,
        "rule": lookups.rule.id if lookups.rule else None,
    }


def _recall(answer: Answer) -> RecallState | None:
    return answer.recalls[0].state if answer.recalls else None


def _both(text: Text) -> dict[str, str]:
    return {"zh": text.zh, "en": text.en}


def _unit(unit: Unit) -> dict[str, Any]:
    void = unit.voided
    return {
        "code": unit.code,
        "form": unit.form,
        "issued": unit.issued,
        "product": unit.product or None,
        "issued_on": unit.issued_on.isoformat() if unit.issued_on else None,
        "voided": {"since": void.since.isoformat(), "reason": _reason(void.reason)} if void else None,
    }


def _reason(code: str) -> dict[str, str]:
    zh, en = REASONS.get(code) or VOIDED.get(code, (code, code))
    return {"code": code, "zh": zh, "en": en}


def shown_certificate(found: Found) -> dict[str, Any]:
    """What a look-up shows of a certificate: it does not depend on the day."""
    return _shown(found.state, found.seq, found.recorded_at, found.digest)


def _shown(state: CertificateState, seq: int, recorded_at: datetime, digest: str | None) -> dict[str, Any]:
    shown = cast(dict[str, Any], state.copy())
    for name in INTERNAL:
        shown.pop(name, None)
    # Whether it speaks of a product, or of an organisation's service or system and of no product at all.
    shown["about"] = "product" if shown["product"] else "organisation"
    shown["marks"] = [{"mark_no": mark["mark_no"], "mark": mark["mark"]} for mark in state["marks"]]
    shown["seq"], shown["recorded_at"], shown["digest"] = seq, _instant(recorded_at), digest
    return shown


_instant = lru_cache(maxsize=1024)(instant_text)  # the records of one batch share theirs


def _mark(mark: Mark, standing: Standing | None) -> dict[str, Any]:
    return {
        "mark_no": mark.mark_no,
        "mark": mark.mark,
        "family": mark.family,
        "authorized_by": mark.authorized_by,
        "products": [{"model": product.model, "gtin": product.gtin} for product in mark.products],
        "valid_from": mark.valid_from.isoformat(),
        "valid_until": mark.valid_until.isoformat() if mark.valid_until else None,
        "standing": standing,
    }


def _body(answer: Answer) -> dict[str, Any] | None:
    certificate = answer.certificate
    if certificate is None or certificate.body is None:
        return None
    return _body_members(certificate.body, answer.body["name"] if answer.body else None, answer.body_status)


def _body_members(approval_no: str, name: str | None, status: str | None) -> dict[str, Any]:
    return {"approval_no": approval_no, "name": name, "status": status}


def _candidate(answer: Answer) -> dict[str, Any]:
    assert answer.certificate is not None
    return {
        **_head(answer.code, answer.standing, answer.interval, answer.notes, _recall(answer)),
        "certificate_no": answer.certificate.certificate_no,
        "scheme": answer.certificate.scheme,
        "body": answer.certificate.body,
        "holder": answer.certificate.holder.name,
    }


def _expected(answer: Answer) -> list[dict[str, str]]:
    if answer.code is not Code.MALFORMED_NUMBER:
        return []
    kinds = [_both(EXPECTED[kind]) for kind in answer.question.expected]
    return kinds + [{"zh": hint["zh"], "en": hint["en"]} for hint in answer.hints]


# --- the stored bytes of the hot path ------------------------------------------------------------------

_TAIL = (
    b',"mark":null,"item":null,"unit":null,"signature":null,"candidates":[],"expected":[],"coverage":[],"notices":[],'
    b'"lookups":null,"as_of":'
)


def dumps(value: object) -> bytes:
    """JSON in UTF-8 without spaces."""
    return orjson.dumps(value)


def judged_days(course: Course, under_review: bool) -> list[tuple[date, Judgement]]:
    """A certificate by itself on each day on which that may change, by the same rules that answer everything."""
    return [(day, judge_number(course, under_review, day)) for day in _turning_days(course)]


def _turning_days(course: Course) -> list[date]:
    days = {date.min, course.valid_from, *[interval.since for interval in course.statuses]}
    ends = [course.valid_until, course.surveillance_due]
    for period in course.periods:
        days.add(period.since)
        ends.append(period.until)
    days.update([last + _ONE_DAY for last in ends if last is not None and last < date.max])
    return sorted(days)


_ONE_DAY = timedelta(days=1)


@lru_cache(maxsize=4096)
def _head_bytes(said: bytes) -> bytes:
    """The head up to the last note, its list left open for what only the body's record tells."""
    judged = judgement(said)
    return dumps(_head(judged.code, judged.standing, judged.interval, judged.notes))[:-2]


def stored_certificate(state: CertificateState, seq: int, recorded_at: datetime, digest: str | None) -> bytes:
    """A line with what notices may name the certificate by, the body's approval number first; then its member."""
    product = state["product"]
    gtins = ",".join([item["gtin"] for item in product["items"] if item["gtin"]]) if product else ""
    named = (state["body"] or "", state["scheme"], product["class"] or "" if product else "", gtins)
    return "\t".join(named).encode() + b"\n" + dumps(_shown(state, seq, recorded_at, digest))


def may_be_noticed(number: str, shown: bytes, notices: Notices) -> bool:
    """Whether a recall or an alert may concern this certificate: then the stored bytes are not its whole answer."""
    _, scheme, product_class, gtins = shown[: shown.index(b"\n")].decode().split("\t")
    return notices.may_concern(number, scheme, product_class or None, gtins.split(",") if notices.by_gtin else ())


def spliced(timeline: bytes, shown: bytes, day: bytes, bodies: "BodyParts") -> bytes:
    """The answer to a certificate's number out of stored bytes on a day (`2026-11-26`), up to the value of `as_of`.

    With the rest it is equal to `dumps(as_json(...))` byte for byte.
    """
    head = _line_on(timeline, day)
    named, _, certificate = shown.partition(b"\n")
    note, body = bodies.of(named[: named.index(b"\t")])
    if note:
        head += note if head.endswith(b"[") else b"," + note
    return b"".join((head, b'],"certificate":', certificate, b',"body":', body, _TAIL))


class UnknownParts:
    """The answer to a number that nobody has, by what kinds of certificate have numbers like it."""

    def __init__(self) -> None:
        self._directory: Directory | None = None
        self._day = date.min
        self._parts: dict[tuple[str, ...], bytes] = {}
        self._patterns: list[tuple[str, re.Pattern[str]]] = []

    def use(self, directory: Directory, day: date) -> None:
        if directory is not self._directory or day != self._day:
            self._directory, self._day, self._parts = directory, day, {}
            self._patterns = number_patterns(directory, day)

    def spliced(self, number: str) -> bytes:
        """The answer up to the value of `as_of`, as of `spliced` above."""
        assert self._directory is not None
        alike = tuple([scheme for scheme, pattern in self._patterns if pattern.fullmatch(number)])
        part = self._parts.get(alike)
        if part is None:
            told = coverage(number, self._directory, self._day)
            asked, never = Question(number, number=number), datetime.min.replace(tzinfo=UTC)
            whole = dumps(as_json(Answer(Code.UNKNOWN_NUMBER, asked, self._day, never, coverage=told)))
            part = self._parts[alike] = whole[: whole.rindex(b'"as_of":') + len(b'"as_of":')]
        return part


def code_on(timeline: bytes, day: date) -> tuple[Code, tuple[Note, ...]]:
    """The answer's code and notes on a day, from the stored timeline."""
    head = head_on(timeline, day)
    return Code(head["code"]), tuple(Note(note) for note in head["notes"])


def head_on(timeline: bytes, day: date) -> dict[str, Any]:
    """The answer's members up to its notes on a day, from the stored timeline."""
    head: dict[str, Any] = json.loads(_line_on(timeline, day.isoformat().encode()) + b"]}")
    return head


def head_of(judged: Judgement, recall: RecallState | None = None) -> dict[str, Any]:
    """The same of a certificate that was judged just now, with the recall that it is a no for."""
    return _head(judged.code, judged.standing, judged.interval, judged.notes, recall)


def is_overdue(timeline: bytes, day: bytes) -> bool:
    """Whether the stored answer for a day notes an overdue surveillance, without any grace for it."""
    return f'"{Note.OVERDUE_SURVEILLANCE}"'.encode() in _line_on(timeline, day)


def _line_on(timeline: bytes, day: bytes) -> bytes:
    return _head_bytes(said_on(timeline, day))


class BodyParts:
    """What a certification body adds to an answer on a day, kept until the directory changes."""

    def __init__(self) -> None:
        self._directory: Directory | None = None
        self._day = date.min
        self._parts: dict[bytes, tuple[bytes, bytes]] = {}

    def use(self, directory: Directory, day: date) -> None:
        if directory is not self._directory or day != self._day:
            self._directory, self._day, self._parts = directory, day, {}

    def of(self, approval_no: bytes) -> tuple[bytes, bytes]:
        """(note or nothing, member `body`) on the day in use."""
        if not approval_no:
            return b"", b"null"
        part = self._parts.get(approval_no)
        if part is None:
            assert self._directory is not None
            number = approval_no.decode()
            body, status = body_on(self._directory, number, self._day)
            note = b'"body_disqualified"' if status == "disqualified" else b""
            part = note, dumps(_body_members(number, body["name"] if body else None, status))
            self._parts[approval_no] = part
        return part
