"""Acceptance (采信): whether a relying party may take a certificate for a stated purpose, by a policy that is data."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import TypedDict

from services.domain.body import BodyState, BodyStatus, body_status_on
from services.domain.catalogue import CatalogueState
from services.domain.certificate import Certificate, Item, Mark, PartKind
from services.domain.clocks import ClockKind, clocks, overdue
from services.domain.identifiers import normalised
from services.domain.reasons import REASONS
from services.domain.scheme import SchemeRules, Words
from services.domain.standing import Standing, interval_on, mark_standing, part_standing, standing_under, worse


class Accept(StrEnum):
    """In the order of weight: the first that any condition gives is the answer."""

    NO = "no"
    REVIEW = "review"
    YES = "yes"


_WEIGHT = list(Accept)


class Doubt(StrEnum):
    """What casts doubt on a certificate that stands; what follows from each is the policy's to say."""

    KEY_COMPROMISED = "key_compromised"
    BODY_SUSPENDED = "body_suspended"
    BODY_DISQUALIFIED = "body_disqualified"
    BODY_NOT_APPROVED = "body_not_approved"
    SELF_DECLARED = "self_declared"
    TRANSFER_PENDING = "transfer_pending"
    OVERDUE_SURVEILLANCE = "overdue_surveillance"
    OVERDUE_SUSPENSION = "overdue_suspension"
    OVERDUE_STANDARD = "overdue_standard"
    OVERDUE_TRANSFER = "overdue_transfer"
    OVERDUE_CATALOGUE = "overdue_catalogue"
    OVERDUE_PARENT = "overdue_parent"


# --- policies -----------------------------------------------------------------------------------------------


class Remaining(TypedDict):
    """How many days of validity must be left after the day asked for, and what follows where fewer are."""

    days: int
    otherwise: str


class Otherwise(TypedDict):
    otherwise: str


class PolicyVersion(TypedDict):
    """One version: which certificates a purpose accepts. What `standings` does not name is no; what `doubts` does not
    name is for review. `remaining`, `mark` (an authorized mark that is valid) and `accreditation` (stated on the
    certificate) are conditions where they are not null."""

    version: int
    effective_at: str
    basis: Words
    schemes: list[str]
    standings: Mapping[str, str]
    remaining: Remaining | None
    mark: Otherwise | None
    accreditation: Otherwise | None
    doubts: Mapping[str, str]


class Policy(TypedDict):
    """A policy with all its versions, in order of their dates of effect (schemas/policy.v1.json)."""

    id: str
    purpose: str
    name: Words
    versions: list[PolicyVersion]


def version_on(policy: Policy, day: date) -> PolicyVersion | None:
    """The version in force on a day: the last whose date of effect has come."""
    text = day.isoformat()
    return next((version for version in reversed(policy["versions"]) if version["effective_at"] <= text), None)


# --- the judgement --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: a stable code, words in both languages, and the member of the certificate's state that it rests on."""

    code: str
    words: Words
    pointer: str


@dataclass(frozen=True, slots=True)
class Judgement:
    accept: Accept
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A certificate with what stood beside it: its parent, its body, its scheme's rules on the day, their catalogue."""

    certificate: Certificate
    parent: Certificate | None
    body: BodyState | None
    rules: SchemeRules | None
    catalogue: CatalogueState | None


def judge(policy: PolicyVersion, candidate: Candidate, model: str | None, day: date) -> Judgement:
    """Whether the policy takes a certificate on a day, for a model where one is named, with every reason against it."""
    certificate = candidate.certificate
    if certificate.scheme not in policy["schemes"]:
        return Judgement(Accept.NO, (_reason("scheme_not_accepted", "/scheme", scheme=certificate.scheme),))
    found = list(_conditions(policy, candidate, model, day))
    against = [(accept, reason) for accept, reason in found if accept is not Accept.YES]
    if not against:
        return Judgement(Accept.YES, (_reason("meets_policy", ""),))
    against.sort(key=lambda one: _WEIGHT.index(one[0]))
    return Judgement(against[0][0], tuple(reason for _, reason in against))


def unfound(code: str, *, complete: bool) -> Judgement:
    """The judgement where there is no such certificate: of an incomplete register that proves nothing."""
    if complete:
        return Judgement(Accept.NO, (_reason(code, ""),))
    return Judgement(Accept.REVIEW, (_reason(code, ""), _reason("coverage_incomplete", "")))


def malformed() -> Judgement:
    """The judgement on a number that cannot be one."""
    return Judgement(Accept.NO, (_reason("malformed_number", ""),))


def best(judgements: Iterable[tuple[str, Judgement]]) -> tuple[str, Judgement] | None:
    """Of several certificates (by number) the one to rely on: the most acceptable, and of these the first number."""
    return min(judgements, key=lambda one: (-_WEIGHT.index(one[1].accept), one[0]), default=None)


def covers(certificate: Certificate, model: str) -> bool:
    """Whether a model is among the certificate's, however it is spelt."""
    return next(_items(certificate, model), None) is not None


def _items(certificate: Certificate, model: str) -> Iterator[Item]:
    wanted = normalised(model)
    for item in certificate.product.items if certificate.product else ():
        if normalised(item.model) == wanted:
            yield item


_Finding = tuple[Accept, Reason]


def _conditions(policy: PolicyVersion, candidate: Candidate, model: str | None, day: date) -> Iterator[_Finding]:
    certificate = candidate.certificate
    if model is not None and not covers(certificate, model):
        yield Accept.NO, _reason("out_of_scope", "/product/items")
    yield _standing(policy, candidate, model, day)
    yield from _remaining(policy, certificate, day)
    yield from _mark(policy, candidate, model, day)
    if policy["accreditation"] is not None and not certificate.accreditation:
        yield Accept(policy["accreditation"]["otherwise"]), _reason("accreditation_missing", "/accreditation")
    for doubt, pointer in _doubts(candidate, day):
        yield Accept(policy["doubts"].get(doubt, Accept.REVIEW)), _reason(doubt, pointer)


def _standing(policy: PolicyVersion, candidate: Candidate, model: str | None, day: date) -> _Finding:
    """What it is on the day: the certificate under its parent, and the model where that has a status of its own."""
    certificate = candidate.certificate
    whole = standing_under(certificate, candidate.parent, day)
    now, pointer, statuses = whole, "/statuses", certificate.statuses
    if whole is not standing_under(certificate, None, day):
        pointer, statuses = "/parent_no", candidate.parent.statuses if candidate.parent else ()
    for item in _items(certificate, model) if model is not None else ():
        part = certificate.part(PartKind.ITEM, item.model, item.gtin)
        own = worse(whole, part_standing(certificate, part, day))
        if part is not None and own is not whole:
            now, pointer, statuses = own, f"/parts/{certificate.parts.index(part)}", part.statuses
    interval = interval_on(statuses, day)
    if pointer == "/statuses" and interval is not None:
        pointer = "/valid_until" if now is Standing.EXPIRED else f"/statuses/{statuses.index(interval)}"
    since = interval.since.isoformat() if interval else ""
    zh, en = REASONS.get(interval.reason or "", ("", "")) if interval else ("", "")
    told = {"since": since, "until": certificate.valid_until.isoformat() if certificate.valid_until else ""}
    reason = _reason(now, pointer, **told)
    if zh and now not in (Standing.EXPIRED, Standing.NOT_YET_VALID):
        words: Words = {"zh": f"{reason.words['zh']}：{zh}", "en": f"{reason.words['en']}: {en}"}
        reason = Reason(reason.code, words, reason.pointer)
    return Accept(policy["standings"].get(now, Accept.NO)), reason


def _remaining(policy: PolicyVersion, certificate: Certificate, day: date) -> Iterator[_Finding]:
    wanted, end = policy["remaining"], certificate.valid_until
    if wanted is None or end is None or end < day:
        return
    left = (end - day).days
    if left < wanted["days"]:
        told = {"left": str(left), "days": str(wanted["days"])}
        yield Accept(wanted["otherwise"]), _reason("remaining_too_short", "/valid_until", **told)


def _mark(policy: PolicyVersion, candidate: Candidate, model: str | None, day: date) -> Iterator[_Finding]:
    if policy["mark"] is None:
        return
    certificate = candidate.certificate
    whole = standing_under(certificate, candidate.parent, day)
    bearing = [mark for mark in certificate.marks if model is None or _bears(mark, model)]
    if not any(worse(whole, mark_standing(certificate, mark, day)) is Standing.VALID for mark in bearing):
        yield Accept(policy["mark"]["otherwise"]), _reason("mark_not_authorized", "/marks")


def _bears(mark: Mark, model: str) -> bool:
    wanted = normalised(model)
    return not mark.products or any(normalised(item.model) == wanted for item in mark.products)


_OF_CLOCK: Mapping[ClockKind, tuple[Doubt, str]] = MappingProxyType(
    {
        ClockKind.SURVEILLANCE: (Doubt.OVERDUE_SURVEILLANCE, "/surveillance_due"),
        ClockKind.SUSPENSION: (Doubt.OVERDUE_SUSPENSION, "/statuses"),
        ClockKind.STANDARD: (Doubt.OVERDUE_STANDARD, "/basis"),
        ClockKind.TRANSFER: (Doubt.OVERDUE_TRANSFER, "/transfer"),
        ClockKind.CATALOGUE: (Doubt.OVERDUE_CATALOGUE, "/product/class"),
        ClockKind.PARENT: (Doubt.OVERDUE_PARENT, "/parent_no"),
    }
)
"""An audit is owed by what is suspended, which says more."""


def _doubts(candidate: Candidate, day: date) -> Iterator[tuple[Doubt, str]]:
    """Each doubt once, with the member of the state that it rests on."""
    certificate = candidate.certificate
    if any(flag.kind == Doubt.KEY_COMPROMISED for flag in certificate.flags):
        yield Doubt.KEY_COMPROMISED, "/flags"
    if certificate.declaration:
        yield Doubt.SELF_DECLARED, "/declaration"
    else:
        status = body_status_on(candidate.body, day) if candidate.body else None
        if status is not BodyStatus.APPROVED:
            yield _OF_BODY.get(status, Doubt.BODY_NOT_APPROVED), "/body"
    found = (
        clocks(certificate, day, candidate.rules, candidate.catalogue, candidate.parent)
        if candidate.rules is not None
        else ()
    )
    late = dict.fromkeys(clock.kind for clock in overdue(found))
    if certificate.transfer is not None and ClockKind.TRANSFER not in late:
        yield Doubt.TRANSFER_PENDING, "/transfer"
    for kind in late:
        if kind in _OF_CLOCK:
            yield _OF_CLOCK[kind]


_OF_BODY: Mapping[BodyStatus | None, Doubt] = MappingProxyType(
    {BodyStatus.SUSPENDED: Doubt.BODY_SUSPENDED, BodyStatus.DISQUALIFIED: Doubt.BODY_DISQUALIFIED}
)


# --- words ------------------------------------------------------------------------------------------------------

WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "meets_policy": ("符合采信政策的全部条件", "meets every condition of the policy"),
        "malformed_number": ("编号格式不成立", "this cannot be a number of a certificate"),
        "unknown_number": ("登记册中没有这个编号", "no certificate with this number is in the register"),
        "unknown_holder": (
            "登记册中没有该组织在本政策所列制度下的证书",
            "the register has no certificate of this organisation under the policy's schemes",
        ),
        "coverage_incomplete": (
            "登记册未收录所涉制度的全部证书，查无不能说明没有",
            "the register does not hold every certificate of the schemes concerned: not found proves nothing",
        ),
        "scheme_not_accepted": ("本政策不采信该认证制度：{scheme}", "the policy does not take this scheme: {scheme}"),
        "out_of_scope": ("证书不覆盖该型号", "the certificate does not cover this model"),
        "revoked": ("已撤销（自{since}起）", "revoked since {since}"),
        "superseded": ("已被新证书替代（自{since}起）", "superseded since {since}"),
        "cancelled": ("已注销（自{since}起）", "cancelled since {since}"),
        "expired": ("已过期（有效期至{until}）", "expired, was valid until {until}"),
        "suspended": ("暂停中（自{since}起）", "suspended since {since}"),
        "not_yet_valid": ("尚未生效", "not yet valid"),
        "valid": ("有效", "valid"),
        "remaining_too_short": (
            "剩余有效期{left}天，少于要求的{days}天",
            "{left} days of validity are left, {days} are asked for",
        ),
        "mark_not_authorized": (
            "没有可用于该产品的有效标志授权",
            "no valid authorization of the mark for this product",
        ),
        "accreditation_missing": ("证书未载明认可信息", "the certificate states no accreditation"),
        Doubt.KEY_COMPROMISED: (
            "签发方的密钥已报告泄露，有关事件待监管部门甄别",
            "a key that signed for it was reported compromised; the authority has yet to say what was forged",
        ),
        Doubt.BODY_SUSPENDED: ("认证机构的资质已暂停", "the body's approval is suspended"),
        Doubt.BODY_DISQUALIFIED: ("认证机构的资质已撤销", "the body has been disqualified"),
        Doubt.BODY_NOT_APPROVED: ("认证机构在该日没有有效批准", "the body is not approved on that day"),
        Doubt.SELF_DECLARED: ("属于自我声明，不是第三方认证", "self-declared, not certified by a third party"),
        Doubt.TRANSFER_PENDING: ("正在转移给另一机构", "being transferred to another body"),
        Doubt.OVERDUE_SURVEILLANCE: ("监督已逾期", "surveillance is overdue"),
        Doubt.OVERDUE_SUSPENSION: ("暂停期已满而未恢复或撤销", "a suspension has run out without resumption or end"),
        Doubt.OVERDUE_STANDARD: ("所依据的旧版标准已过转换期", "it rests on an edition whose transition has ended"),
        Doubt.OVERDUE_TRANSFER: ("转移逾期未被接收", "a transfer has not been received in time"),
        Doubt.OVERDUE_CATALOGUE: (
            "产品类别在目录中已不再适用这种方式",
            "the catalogue no longer takes this way for the product's class",
        ),
        Doubt.OVERDUE_PARENT: ("所属主证书已终止", "the certificate that it is part of has ended"),
    }
)
"""Every code that a reason may have."""


def _reason(code: str, pointer: str, **told: str) -> Reason:
    zh, en = WORDS[code]
    return Reason(str(code), {"zh": zh.format(**told), "en": en.format(**told)}, pointer)
