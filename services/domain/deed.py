"""May it be sold? One deed with certified goods, judged by all that they rest on and by the recalls beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from services.domain.certificate import Certificate, Item, Mark, Part, PartKind
from services.domain.consequence import CLAUSES, Act, Allowed, Permit, permits, turning_days
from services.domain.identifiers import normalised
from services.domain.notice_states import RecallState
from services.domain.notices import recall_scope
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
        models = {item.model for item in items_of(self.certificate)}
        return [
            part.name
            for part in self.certificate.parts
            if part.kind is PartKind.ITEM
            and part.name in models
            and not part.left
            and part_standing(self.certificate, part, day) is not whole
        ]


@dataclass(frozen=True, slots=True)
class Ground:
    """The answer where there is no standing to judge by."""

    allowed: Allowed
    rule: str
    clause: str
    reason: Words


def _words(zh: str, en: str) -> Words:
    return {"zh": zh, "en": en}


WITHOUT_STANDING: Mapping[str, Ground] = MappingProxyType(
    {
        "unknown_number": Ground(
            Allowed.REVIEW,
            "N01",
            "project",
            _words(
                "登记册没有此编号，不能据此判断；未登记不等于伪造",
                "The register has no such number and cannot judge; not registered does not mean forged",
            ),
        ),
        "malformed_number": Ground(
            Allowed.REVIEW, "N02", "project", _words("编号格式不符，请核对", "Not a number of a known form: compare it")
        ),
        "out_of_scope": Ground(
            Allowed.NO,
            "N03",
            "misuse",
            _words(
                "证书或标志授权不覆盖该商品",
                "The certificate, or the mark's authorisation, does not cover this product",
            ),
        ),
        "mark_not_authorized": Ground(
            Allowed.NO, "N04", "misuse", _words("该标志未获授权", "This mark is not authorised")
        ),
        "bad_signature": Ground(
            Allowed.NO,
            "N05",
            "misuse",
            _words("标志二维码的签名不符", "The signature of the mark's code does not match"),
        ),
        "unknown_signer": Ground(
            Allowed.NO, "N06", "misuse", _words("标志二维码的签发者未登记", "Nobody registered signed the mark's code")
        ),
        "unreadable": Ground(
            Allowed.REVIEW, "N07", "project", _words("标志二维码无法识读", "The mark's code cannot be read")
        ),
        "status_unknown": Ground(
            Allowed.REVIEW,
            "N08",
            "project",
            _words("暂时无法判断，请稍后再查", "It cannot be said at present: ask again later"),
        ),
    }
)
"""By the codes that a certificate's number and its mark's code can lead to (docs/consequence.md)."""

NO_SCHEME = Ground(
    Allowed.REVIEW, "N09", "project", _words("认证规则尚未登记", "The rules of the scheme are not registered")
)

RECALLED = Ground(
    Allowed.NO,
    "N10",
    "recall",
    _words(
        "在召回或抽查不合格的停售范围内，或不能排除", "Recalled or failed a check, or not shown to be outside of it"
    ),
)
"""For every deed but showing the certificate, whatever its standing, where an open recall may concern the goods."""

COPIED = Ground(
    Allowed.REVIEW,
    "N11",
    "project",
    _words(
        "此单件标志码查询过多，疑被复制：须核实手中商品",
        "This unit's code was looked up too widely or too often and may have been copied: the item is to be looked at",
    ),
)
"""On a unit's page, for every deed but showing the certificate that would else be allowed, with `possible_copy`."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The answer to a deed, with the code of all that it rests on. `standing` is None where there is none."""

    allowed: Allowed
    rule: str
    clause: Words
    reason: Words
    code: str
    standing: Standing | None


def judged_without(code: str) -> Judged:
    """Where the number, or what was shown with it, leaves nothing to be judged.

    Raises:
        KeyError: the code leaves something.
    """
    return _by_ground(WITHOUT_STANDING[code], code)


def judge_deed(subject: Subject, deed: Deed, rules: SchemeRules | None, recalls: Sequence[RecallState]) -> Judged:
    """Whether a deed is allowed, by the rules in force on its day and the recalls open then that may concern the goods.

    Raises:
        BadRequest: the dates contradict each other.
    """
    if rules is None:
        found = _by_ground(NO_SCHEME, subject.standing_on(deed.at).value)
    else:
        permit = permit_for(subject, deed, rules)
        code = subject.standing_on(deed.at).value
        found = Judged(permit.allowed, permit.rule, permit.clause, permit.reason, code, permit.standing)
    if recalls and deed.act is not Act.DISPLAY:
        return Judged(
            RECALLED.allowed,
            RECALLED.rule,
            CLAUSES[RECALLED.clause],
            recall_reason(recalls[0]),
            "do_not_sell",
            found.standing,
        )
    return found


def as_json(deed: Deed, judged: Judged, number: str | None, subject: Subject | None) -> dict[str, object]:
    """What is answered about a deed, whoever answers it and whatever was known."""
    item, mark = (subject.item, subject.mark) if subject else (None, None)
    return {
        "allowed": judged.allowed,
        "rule": judged.rule,
        "clause": judged.clause,
        "reason": judged.reason,
        "code": judged.code,
        "standing": judged.standing,
        "act": deed.act,
        "at": deed.at.isoformat(),
        "made_on": deed.made_on.isoformat() if deed.made_on else None,
        "shipped_on": deed.shipped_on.isoformat() if deed.shipped_on else None,
        "certificate_no": number,
        "item": {"model": item.model, "gtin": item.gtin} if item else None,
        "mark_no": mark.mark_no if mark else None,
    }


def _by_ground(ground: Ground, code: str) -> Judged:
    return Judged(ground.allowed, ground.rule, CLAUSES[ground.clause], ground.reason, code, None)


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
    return excepting(permit, subject.suspended_parts(deed.at))


def excepting(permit: Permit, suspended: Sequence[str]) -> Permit:
    """The same, with the models that it is not about."""
    if permit.allowed is Allowed.NO or not suspended:
        return permit
    zh = f"{permit.reason['zh']}；下列型号已暂停，不在此列：{'、'.join(suspended)}"
    en = f"{permit.reason['en']}; these models are suspended and excepted: {', '.join(suspended)}"
    return Permit(permit.allowed, permit.rule, permit.clause, permit.standing, {"zh": zh, "en": en})


def recall_reason(recall: RecallState) -> Words:
    """Why goods of a recall are held back, with which they are."""
    scope = recall_scope(recall)
    return _words(f"{RECALLED.reason['zh']}：{scope['zh']}", f"{RECALLED.reason['en']}: {scope['en']}")


def narrowed(
    certificate: Certificate,
    parent: Certificate | None,
    mark: Mark | None,
    item: Item | None = None,
    gtin: str | None = None,
    model: str | None = None,
) -> Subject | None:
    """A certificate with what narrows it: a product by `gtin` or `model`, else the `item` that is known already.

    None where the certificate, or the mark on it, does not cover the product. One that was taken out is found, too.
    """
    if gtin is not None or model is not None:
        item = _named(certificate, gtin, model)
        if item is None or (mark is not None and mark.products and item not in mark.products):
            return None
    part = certificate.part(PartKind.ITEM, item.model, item.gtin) if item else None
    return Subject(certificate, parent, item, part, mark, by_model=gtin is None and model is not None)


def _named(certificate: Certificate, gtin: str | None, model: str | None) -> Item | None:
    """The item with this GTIN, or this model in whatever width, case and spacing; one that was taken out, too."""
    wanted = normalised(model) if model is not None else None
    left = [Item(part.name, part.gtin) for part in certificate.parts if part.left]
    return next(
        (
            item
            for item in (*items_of(certificate), *left)
            if gtin in (None, item.gtin) and wanted in (None, normalised(item.model))
        ),
        None,
    )


def items_of(certificate: Certificate | None) -> tuple[Item, ...]:
    return certificate.product.items if certificate and certificate.product else ()
