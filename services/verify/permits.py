"""May it be sold? What an answer about a certificate means for goods and services, for programs and for the page."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from services.domain.consequence import CLAUSES, Act, Allowed, Permit, permits
from services.domain.deed import (
    COPIED,
    RECALLED,
    Deed,
    Subject,
    as_json,
    excepting,
    items_of,
    judge_deed,
    judged_without,
    narrowed,
    recall_reason,
)
from services.domain.errors import BadRequest
from services.domain.identifiers import instant_text
from services.domain.notices import goods_of
from services.domain.scheme import SchemeRules
from services.verify.answer import Answer, decide
from services.verify.notices import Notices
from services.verify.recognise import of_certificate, of_gtin
from services.verify.register import Register
from services.verify.wording import Code, Note


def answer_about(number: str, token: str | None, register: Register, now: datetime, stale_after: timedelta) -> Answer:
    """The answer to a certificate's number, with the token of a QR of its mark, the certificate's or a product's."""
    answer = decide(of_certificate(number, token), register, now, stale_after)
    if token is None or answer.code is not Code.BAD_SIGNATURE:
        return answer
    plain = decide(of_certificate(number), register, now, stale_after)
    for item in items_of(plain.certificate):
        if item.gtin is not None:
            of_product = decide(of_gtin(item.gtin, None, token), register, now, stale_after)
            if of_product.signed and of_product.certificate == plain.certificate:
                return of_product
    return answer


def permit_json(
    answer: Answer,
    deed: Deed,
    rules: SchemeRules | None,
    gtin: str | None = None,
    model: str | None = None,
    batch: str | None = None,
    notices: Notices | None = None,
) -> dict[str, Any]:
    """The answer to `/v1/certificates/{no}/permits`. `gtin` or `model` narrow it to one item of the certificate.

    Raises:
        BadRequest: the dates contradict each other, or lie after the day of the answer.
    """
    if deed.at > answer.day:
        raise BadRequest(f"{deed.at} has not come yet: no answer holds for it", pointer="/at")
    subject = _subject(answer, gtin, model)
    if isinstance(subject, Code):
        judged = judged_without(subject)
    else:
        goods = goods_of(subject.certificate, subject.item, batch=batch, made_on=deed.made_on)
        recalls = notices.recalls(goods, deed.at) if notices else ()
        judged = judge_deed(subject, deed, rules, [recall.state for recall in recalls])
    number = answer.certificate.certificate_no if answer.certificate else answer.question.number
    return {
        **as_json(deed, judged, number, subject if isinstance(subject, Subject) else None),
        "as_of": instant_text(answer.as_of) if answer.as_of else None,
        "seq": answer.seq,
        "checked_at": instant_text(answer.checked_at),
    }


@dataclass(frozen=True, slots=True)
class Today:
    """What a product certificate means on the day of the answer, for goods of which no date is known."""

    permits: dict[Act, Permit]
    suspended_parts: list[str]


def permits_today(answer: Answer) -> Today | None:
    """For the page; None where it is not about products, or leaves nothing to be judged."""
    subject = _subject(answer, None, None)
    if isinstance(subject, Code) or answer.scheme is None or answer.scheme["class"] != "product":
        return None
    rules = answer.scheme
    certificate, mark, day = subject.certificate, subject.mark, answer.day
    # Goods of which no date is known: there is but one day to judge, and no turns since they were made.
    now, suspended = subject.standing_on(day), subject.suspended_parts(day)
    found = {
        act: excepting(permits(certificate, mark, act, day, None, None, rules, lambda _: now, ()), suspended)
        for act in Act
    }
    if Note.POSSIBLE_COPY in answer.notes:
        clause = CLAUSES[COPIED.clause]
        for act, permit in found.items():
            if permit.allowed is Allowed.YES and act is not Act.DISPLAY:
                found[act] = Permit(COPIED.allowed, COPIED.rule, clause, permit.standing, COPIED.reason)
    if answer.recalls:
        reason = recall_reason(answer.recalls[0].state)
        recalled = replace(next(iter(found.values())), allowed=RECALLED.allowed, rule=RECALLED.rule, reason=reason)
        found |= dict.fromkeys((act for act in Act if act is not Act.DISPLAY), recalled)
    return Today(found, suspended)


def _subject(answer: Answer, gtin: str | None, model: str | None) -> Subject | Code:
    """What is to be judged; where the answer leaves nothing, its code."""
    certificate, code = answer.certificate, answer.beneath or answer.code
    if certificate is None or (code is Code.MARK_NOT_AUTHORIZED and answer.mark is None):
        assert answer.code is not None
        return answer.code
    if code is Code.OUT_OF_SCOPE and gtin is None and model is None:
        return Code.OUT_OF_SCOPE
    parent = answer.found.parent if answer.found else None
    return narrowed(certificate, parent, answer.mark, answer.item, gtin, model) or Code.OUT_OF_SCOPE
