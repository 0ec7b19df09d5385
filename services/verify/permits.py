"""May it be sold? What an answer about a certificate means for goods and services, for programs and for the page."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from services.domain.certificate import Certificate, Item, Mark, Part, PartKind
from services.domain.consequence import CLAUSES, Act, Allowed, Permit, permits, turning_days
from services.domain.errors import BadRequest
from services.domain.identifiers import instant_text, normalised
from services.domain.notice_states import RecallState
from services.domain.scheme import SchemeRules, Words
from services.domain.standing import (
    Standing,
    model_standing,
    own_mark_standing,
    part_standing,
    standing,
    standing_under,
    worse,
)
from services.verify.answer import Answer, decide
from services.verify.notices import Notices, goods_of, recall_scope
from services.verify.recognise import of_certificate, of_gtin
from services.verify.register import Register
from services.verify.wording import Code, Note, Text


@dataclass(frozen=True, slots=True)
class Deed:
    """What is to be done, when, with goods made and shipped on which days."""

    act: Act
    at: date
    made_on: date | None = None
    shipped_on: date | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """The certificate that is asked about, with what narrows it: its parent, the part of it, the mark on it."""

    certificate: Certificate
    parent: Certificate | None
    item: Item | None
    part: Part | None
    mark: Mark | None
    by_model: bool = False
    """Whether no GTIN tells which of the items of one model it is."""

    def standing_on(self, day: date) -> Standing:
        """The worst of all that the goods rest on."""
        of_part = model_standing if self.by_model else part_standing
        found = [standing_under(self.certificate, self.parent, day), of_part(self.certificate, self.part, day)]
        return worse(*found, own_mark_standing(self.mark, day)) if self.mark else worse(*found)

    @property
    def turns(self) -> set[date]:
        return turning_days(self.certificate, self.mark) | (turning_days(self.parent) if self.parent else set())

    def suspended_parts(self, day: date) -> list[str]:
        """The models that stand worse than the certificate, where none of them is asked about."""
        if self.item is not None:
            return []
        whole = standing(self.certificate, day)
        models = {item.model for item in _items(self.certificate)}
        return [
            part.name
            for part in self.certificate.parts
            if part.kind is PartKind.ITEM
            and part.name in models
            and not part.left
            and part_standing(self.certificate, part, day) is not whole
        ]


@dataclass(frozen=True, slots=True)
class _Ground:
    """The answer where there is no standing to judge by."""

    allowed: Allowed
    rule: str
    clause: str
    reason: Text


WITHOUT_STANDING: dict[Code, _Ground] = {
    Code.UNKNOWN_NUMBER: _Ground(
        Allowed.REVIEW,
        "N01",
        "project",
        Text(
            "登记册没有此编号，不能据此判断；未登记不等于伪造",
            "The register has no such number and cannot judge; not registered does not mean forged",
        ),
    ),
    Code.MALFORMED_NUMBER: _Ground(
        Allowed.REVIEW, "N02", "project", Text("编号格式不符，请核对", "Not a number of a known form: compare it")
    ),
    Code.OUT_OF_SCOPE: _Ground(
        Allowed.NO,
        "N03",
        "misuse",
        Text("证书或标志授权不覆盖该商品", "The certificate, or the mark's authorisation, does not cover this product"),
    ),
    Code.MARK_NOT_AUTHORIZED: _Ground(
        Allowed.NO, "N04", "misuse", Text("该标志未获授权", "This mark is not authorised")
    ),
    Code.BAD_SIGNATURE: _Ground(
        Allowed.NO, "N05", "misuse", Text("标志二维码的签名不符", "The signature of the mark's code does not match")
    ),
    Code.UNKNOWN_SIGNER: _Ground(
        Allowed.NO, "N06", "misuse", Text("标志二维码的签发者未登记", "Nobody registered signed the mark's code")
    ),
    Code.UNREADABLE: _Ground(
        Allowed.REVIEW, "N07", "project", Text("标志二维码无法识读", "The mark's code cannot be read")
    ),
    Code.STATUS_UNKNOWN: _Ground(
        Allowed.REVIEW,
        "N08",
        "project",
        Text("暂时无法判断，请稍后再查", "It cannot be said at present: ask again later"),
    ),
}
"""For the codes that a certificate's number and its mark's code can lead to (docs/consequence.md)."""

RECALLED = _Ground(
    Allowed.NO,
    "N10",
    "recall",
    Text("在召回或抽查不合格的停售范围内，或不能排除", "Recalled or failed a check, or not shown to be outside of it"),
)
"""For every deed but showing the certificate, whatever its standing, where an open recall may concern the goods."""

COPIED = _Ground(
    Allowed.REVIEW,
    "N11",
    "project",
    Text(
        "此单件标志码查询过多，疑被复制：须核实手中商品",
        "This unit's code was looked up too widely or too often and may have been copied: the item is to be looked at",
    ),
)
"""On a unit's page, for every deed but showing the certificate that would else be allowed, with `possible_copy`."""

NO_SCHEME = _Ground(
    Allowed.REVIEW, "N09", "project", Text("认证规则尚未登记", "The rules of the scheme are not registered")
)


def answer_about(number: str, token: str | None, register: Register, now: datetime, stale_after: timedelta) -> Answer:
    """The answer to a certificate's number, with the token of a QR of its mark, the certificate's or a product's."""
    answer = decide(of_certificate(number, token), register, now, stale_after)
    if token is None or answer.code is not Code.BAD_SIGNATURE:
        return answer
    plain = decide(of_certificate(number), register, now, stale_after)
    for item in _items(plain.certificate):
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
    code, subject = _subject(answer, gtin, model)
    if subject is None or rules is None:
        assert code is not None
        ground = WITHOUT_STANDING[code] if subject is None else NO_SCHEME
        permit = None
        said = _said(ground.allowed, ground.rule, CLAUSES[ground.clause], _words(ground.reason))
    else:
        permit = permit_for(subject, deed, rules)
        code = Code(subject.standing_on(deed.at).value)
        said = _said(permit.allowed, permit.rule, permit.clause, permit.reason)
    if subject is not None and notices and deed.act is not Act.DISPLAY:
        goods = goods_of(subject.certificate, subject.item, batch=batch, made_on=deed.made_on)
        if recalls := notices.recalls(goods, deed.at):
            code = Code.DO_NOT_SELL
            said = _said(RECALLED.allowed, RECALLED.rule, CLAUSES[RECALLED.clause], _recall_reason(recalls[0].state))
    certificate = answer.certificate
    item = subject.item if subject else None
    return {
        **said,
        "code": code,
        "standing": permit.standing if permit else None,
        "act": deed.act,
        "at": deed.at.isoformat(),
        "made_on": deed.made_on.isoformat() if deed.made_on else None,
        "shipped_on": deed.shipped_on.isoformat() if deed.shipped_on else None,
        "certificate_no": certificate.certificate_no if certificate else answer.question.number,
        "item": {"model": item.model, "gtin": item.gtin} if item else None,
        "mark_no": subject.mark.mark_no if subject and subject.mark else None,
        "as_of": instant_text(answer.as_of) if answer.as_of else None,
        "seq": answer.seq,
        "checked_at": instant_text(answer.checked_at),
    }


def permit_for(subject: Subject, deed: Deed, rules: SchemeRules) -> Permit:
    """The permit for one deed; models that are suspended by themselves are named where the whole is asked about."""
    permit = permits(
        subject.certificate,
        subject.mark,
        deed.act,
        deed.at,
        deed.made_on,
        deed.shipped_on,
        rules,
        subject.standing_on,
        subject.turns,
        subject.part,
    )
    return _except(permit, subject.suspended_parts(deed.at))


def _except(permit: Permit, suspended: list[str]) -> Permit:
    if permit.allowed is Allowed.NO or not suspended:
        return permit
    zh = f"{permit.reason['zh']}；下列型号已暂停，不在此列：{'、'.join(suspended)}"
    en = f"{permit.reason['en']}; these models are suspended and excepted: {', '.join(suspended)}"
    return Permit(permit.allowed, permit.rule, permit.clause, permit.standing, {"zh": zh, "en": en})


@dataclass(frozen=True, slots=True)
class Today:
    """What a product certificate means on the day of the answer, for goods of which no date is known."""

    permits: dict[Act, Permit]
    suspended_parts: list[str]


def permits_today(answer: Answer) -> Today | None:
    """For the page; None where it is not about products, or leaves nothing to be judged."""
    subject = _subject(answer, None, None)[1]
    if subject is None or answer.scheme is None or answer.scheme["class"] != "product":
        return None
    rules = answer.scheme
    certificate, mark, day = subject.certificate, subject.mark, answer.day
    # Goods of which no date is known: there is but one day to judge, and no turns since they were made.
    now, suspended = subject.standing_on(day), subject.suspended_parts(day)
    found = {
        act: _except(permits(certificate, mark, act, day, None, None, rules, lambda _: now, ()), suspended)
        for act in Act
    }
    if Note.POSSIBLE_COPY in answer.notes:
        clause, reason = CLAUSES[COPIED.clause], _words(COPIED.reason)
        for act, permit in found.items():
            if permit.allowed is Allowed.YES and act is not Act.DISPLAY:
                found[act] = Permit(COPIED.allowed, COPIED.rule, clause, permit.standing, reason)
    if answer.recalls:
        reason = _recall_reason(answer.recalls[0].state)
        recalled = replace(next(iter(found.values())), allowed=RECALLED.allowed, rule=RECALLED.rule, reason=reason)
        found |= dict.fromkeys((act for act in Act if act is not Act.DISPLAY), recalled)
    return Today(found, suspended)


def _subject(answer: Answer, gtin: str | None, model: str | None) -> tuple[Code | None, Subject | None]:
    """(code, None) where the answer leaves nothing to be judged, (code, subject) otherwise."""
    certificate, code = answer.certificate, answer.beneath or answer.code
    if certificate is None or (code is Code.MARK_NOT_AUTHORIZED and answer.mark is None):
        return answer.code, None
    item = answer.item
    if gtin is not None or model is not None:
        item = _named(certificate, gtin, model)
        covered = item is not None and (answer.mark is None or not answer.mark.products or item in answer.mark.products)
        if not covered:
            return Code.OUT_OF_SCOPE, None
    elif code is Code.OUT_OF_SCOPE:
        return answer.code, None
    part = certificate.part(PartKind.ITEM, item.model, item.gtin) if item else None
    parent = answer.found.parent if answer.found else None
    return answer.code, Subject(
        certificate, parent, item, part, answer.mark, by_model=gtin is None and model is not None
    )


def _recall_reason(recall: RecallState) -> Words:
    zh, en = recall_scope(recall, "zh"), recall_scope(recall, "en")
    return {"zh": f"{RECALLED.reason.zh}：{zh}", "en": f"{RECALLED.reason.en}: {en}"}


def _named(certificate: Certificate, gtin: str | None, model: str | None) -> Item | None:
    """The item with this GTIN, or this model in whatever width, case and spacing; one that was taken out, too."""
    wanted = normalised(model) if model is not None else None
    left = [Item(part.name, part.gtin) for part in certificate.parts if part.left]
    return next(
        (
            item
            for item in (*_items(certificate), *left)
            if gtin in (None, item.gtin) and wanted in (None, normalised(item.model))
        ),
        None,
    )


def _items(certificate: Certificate | None) -> tuple[Item, ...]:
    return certificate.product.items if certificate and certificate.product else ()


def _words(text: Text) -> Words:
    return {"zh": text.zh, "en": text.en}


def _said(allowed: Allowed, rule: str, clause: Words, reason: Words) -> dict[str, Any]:
    return {"allowed": allowed, "rule": rule, "clause": clause, "reason": reason}
