"""A case: what officers decide about findings, and the five timed steps of supervising online trade.

The steps are those of the Shanghai programme of 2015 (风险监测、网上抽查、源头追溯、属地查处、诚信管理).
A finding is a lead until an officer decides; it counts as true only once the seller has been heard, or has let the time
for it pass. A case is what was done in it: `apply` folds deeds, and nothing in it asks a clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from services.domain.division import above
from services.domain.errors import CertmarkError


class Step(StrEnum):
    """The five steps, in their order."""

    MONITORING = "monitoring"
    SAMPLING = "sampling"
    TRACING = "tracing"
    HANDLING = "handling"
    CREDIT = "credit"


STEPS = tuple(Step)

WORKING_DAYS: Mapping[Step, int] = {
    Step.MONITORING: 5,
    Step.SAMPLING: 20,
    Step.TRACING: 15,
    Step.HANDLING: 15,
    Step.CREDIT: 10,
}
"""Working days that a step may take. Decisions of this project, not a rule of law: an officer may state another day."""

HEARING_WORKING_DAYS = 5
"""Working days that a seller has for his statement (说明), where the officer states no other day."""

ORDER_WORKING_DAYS = 5
"""Working days in which a certification body answers an order: as long as it has to suspend (认证机构管理办法)."""


class Decision(StrEnum):
    """What an officer holds a finding for: 待核, 属实, 排除."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    EXCLUDED = "excluded"


class CaseRefused(CertmarkError):
    slug = "case-refused"
    title = "The case does not allow this now"
    zh = "案件当前状态不允许该操作"
    status = 409


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding in the case: `check` and `row` say which, `seller` whom it concerns."""

    check: str
    row: str
    seller: str
    decision: Decision = Decision.OPEN
    note: str = ""

    @property
    def id(self) -> str:
        return f"{self.check}/{self.row}"


@dataclass(frozen=True, slots=True)
class Hearing:
    """A seller who was asked for a statement: by when, and what came (`received_on`), or that nothing did."""

    seller: str
    due_on: date
    received_on: date | None = None
    summary: str = ""
    lapsed_on: date | None = None

    @property
    def is_over(self) -> bool:
        return self.received_on is not None or self.lapsed_on is not None


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the case as it was taken: where, from when, until when at the latest, and what came of it."""

    step: Step
    division: str
    begun_on: date
    due_on: date
    done_on: date | None = None
    result: str = ""
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """What a certification body was told to do about a certificate, by when, and its answer."""

    order_no: str
    body: str
    certificate_no: str
    demand: str
    due_on: date
    answered_on: date | None = None
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Referral:
    """The case handed over to another division (移送), with the number of the receipt."""

    from_division: str
    to_division: str
    on: date
    receipt_no: str
    reason: str
    acknowledged_on: date | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A case as it stands. `division` is in charge since the last referral that was acknowledged."""

    case_no: str
    title: str
    division: str
    opened_on: date
    findings: tuple[Finding, ...] = ()
    hearings: tuple[Hearing, ...] = ()
    stages: tuple[Stage, ...] = ()
    orders: tuple[Order, ...] = ()
    referrals: tuple[Referral, ...] = ()
    complaints: tuple[str, ...] = ()
    closed_on: date | None = None
    result: str = ""
    published_on: date | None = None

    @property
    def stage(self) -> Stage | None:
        """The step under way; None where none is."""
        return next((stage for stage in self.stages if stage.done_on is None), None)

    @property
    def next_step(self) -> Step | None:
        """The step that would come next; None where one is under way, or all have been taken."""
        if self.stage is not None or len(self.stages) == len(STEPS):
            return None
        return STEPS[len(self.stages)]

    def finding(self, id_: str) -> Finding | None:
        return next((one for one in self.findings if one.id == id_), None)

    def hearing(self, seller: str) -> Hearing | None:
        return next((one for one in self.hearings if one.seller == seller), None)


# --- what can be done in a case ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Opened:
    case_no: str
    title: str
    division: str
    on: date
    findings: tuple[Finding, ...]
    due_on: date


@dataclass(frozen=True, slots=True)
class FindingsAdded:
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """A seller was asked for a statement."""

    seller: str
    due_on: date


@dataclass(frozen=True, slots=True)
class Heard:
    """A seller's statement came."""

    seller: str
    on: date
    summary: str


@dataclass(frozen=True, slots=True)
class Lapsed:
    """The time for a seller's statement has passed without one."""

    seller: str
    on: date


@dataclass(frozen=True, slots=True)
class Decided:
    finding: str
    decision: Decision
    note: str


@dataclass(frozen=True, slots=True)
class StepBegun:
    step: Step
    division: str
    on: date
    due_on: date


@dataclass(frozen=True, slots=True)
class StepDone:
    step: Step
    on: date
    result: str


@dataclass(frozen=True, slots=True)
class StepSkipped:
    """A step that this case does not need, with the reason."""

    step: Step
    on: date
    reason: str


@dataclass(frozen=True, slots=True)
class OrderIssued:
    order_no: str
    body: str
    certificate_no: str
    demand: str
    on: date
    due_on: date


@dataclass(frozen=True, slots=True)
class OrderAnswered:
    order_no: str
    on: date
    answer: str


@dataclass(frozen=True, slots=True)
class Referred:
    to_division: str
    on: date
    receipt_no: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReferralAcknowledged:
    receipt_no: str
    on: date


@dataclass(frozen=True, slots=True)
class ComplaintJoined:
    complaint_no: str


@dataclass(frozen=True, slots=True)
class Closed:
    on: date
    result: str


@dataclass(frozen=True, slots=True)
class Reopened:
    on: date
    reason: str


@dataclass(frozen=True, slots=True)
class Published:
    """The result was made public: what entered the log sealed is opened with it."""

    on: date


Deed = (
    Opened
    | FindingsAdded
    | Asked
    | Heard
    | Lapsed
    | Decided
    | StepBegun
    | StepDone
    | StepSkipped
    | OrderIssued
    | OrderAnswered
    | Referred
    | ReferralAcknowledged
    | ComplaintJoined
    | Closed
    | Reopened
    | Published
)


def fold(deeds: Iterable[Deed]) -> Case:
    """The case that these deeds, in their order, have made. Raises CaseRefused where one was not allowed."""
    case: Case | None = None
    for deed in deeds:
        case = apply(case, deed)
    if case is None:
        raise CaseRefused("a case begins by being opened")
    return case


def apply(case: Case | None, deed: Deed) -> Case:
    """The case after a deed.

    Raises:
        CaseRefused: what the case does not allow now, and why.
    """
    if isinstance(deed, Opened):
        if case is not None:
            raise CaseRefused(f"{deed.case_no} is open already")
        begun = Stage(Step.MONITORING, deed.division, deed.on, deed.due_on)
        return Case(deed.case_no, deed.title, deed.division, deed.on, deed.findings, stages=(begun,))
    if case is None:
        raise CaseRefused("a case begins by being opened")
    match deed:
        case Published(on):
            return _published(case, on)
        case Reopened():
            if case.closed_on is None:
                raise CaseRefused("the case is open")
            if case.published_on is not None:
                raise CaseRefused("the result is public; it is superseded by another case, never taken back")
            return replace(case, closed_on=None, result="")
    if case.closed_on is not None:
        raise CaseRefused(f"the case was closed on {case.closed_on}", hint="reopen it first")
    match deed:
        case FindingsAdded(findings):
            known = {one.id for one in case.findings}
            fresh = tuple(one for one in findings if one.id not in known)
            return replace(case, findings=case.findings + fresh)
        case Asked(seller, due_on):
            return _asked(case, seller, due_on)
        case Heard(seller, on, summary):
            hearing = _hearing(case, seller)
            return _with_hearing(case, replace(hearing, received_on=on, summary=summary, lapsed_on=None))
        case Lapsed(seller, on):
            hearing = _hearing(case, seller)
            if hearing.received_on is not None:
                raise CaseRefused("the statement has come")
            if on <= hearing.due_on:
                raise CaseRefused(f"there is time for the statement until {hearing.due_on}")
            return _with_hearing(case, replace(hearing, lapsed_on=on))
        case Decided(id_, decision, note):
            return _decided(case, id_, decision, note)
        case StepBegun(step, division, on, due_on):
            if due_on < on:
                raise CaseRefused("a step cannot be due before it begins")
            _require_next(case, step)
            return replace(case, stages=(*case.stages, Stage(step, division, on, due_on)))
        case StepDone(step, on, result):
            return _done(case, step, on, result)
        case StepSkipped(step, on, reason):
            _require_next(case, step)
            if not reason.strip():
                raise CaseRefused("a step that is left out has a reason")
            skipped = Stage(step, case.division, on, on, on, reason, skipped=True)
            return replace(case, stages=(*case.stages, skipped))
        case OrderIssued(order_no, body, certificate_no, demand, on, due_on):
            if any(order.order_no == order_no for order in case.orders):
                raise CaseRefused(f"order {order_no} has been issued")
            if due_on < on:
                raise CaseRefused("an order cannot be due before it is issued")
            return replace(case, orders=(*case.orders, Order(order_no, body, certificate_no, demand, due_on)))
        case OrderAnswered(order_no, on, answer):
            return _answered(case, order_no, on, answer)
        case Referred(to, on, receipt_no, reason):
            return _referred(case, to, on, receipt_no, reason)
        case ReferralAcknowledged(receipt_no, on):
            return _acknowledged(case, receipt_no, on)
        case ComplaintJoined(number):
            return case if number in case.complaints else replace(case, complaints=(*case.complaints, number))
        case Closed(on, result):
            return _closed(case, on, result)


def _asked(case: Case, seller: str, due_on: date) -> Case:
    if all(finding.seller != seller for finding in case.findings):
        raise CaseRefused("no finding of this case concerns that seller")
    before = case.hearing(seller)
    if before is not None and before.is_over:
        raise CaseRefused("that seller has been heard, or has let the time pass")
    return _with_hearing(case, Hearing(seller, due_on))


def _hearing(case: Case, seller: str) -> Hearing:
    hearing = case.hearing(seller)
    if hearing is None:
        raise CaseRefused("that seller has not been asked for a statement")
    return hearing


def _with_hearing(case: Case, hearing: Hearing) -> Case:
    others = tuple(one for one in case.hearings if one.seller != hearing.seller)
    return replace(case, hearings=(*others, hearing))


def _decided(case: Case, id_: str, decision: Decision, note: str) -> Case:
    finding = case.finding(id_)
    if finding is None:
        raise CaseRefused("no such finding in this case")
    if decision is Decision.CONFIRMED:
        hearing = case.hearing(finding.seller)
        if hearing is None or not hearing.is_over:
            raise CaseRefused(
                "a finding counts as true only once the seller has been heard, or has let the time pass",
                hint="ask for the seller's statement, then record it or its lapse",
            )
    if decision is not Decision.OPEN and not note.strip():
        raise CaseRefused("a decision has its reason")
    decided = tuple(
        replace(one, decision=decision, note=note.strip()) if one.id == id_ else one for one in case.findings
    )
    return replace(case, findings=decided)


def _require_next(case: Case, step: Step) -> None:
    under_way = case.stage
    if under_way is not None:
        raise CaseRefused(f"{under_way.step} is under way")
    if case.next_step is not step:
        raise CaseRefused(f"{case.next_step or 'nothing'} comes next, not {step}")


def _done(case: Case, step: Step, on: date, result: str) -> Case:
    under_way = case.stage
    if under_way is None or under_way.step is not step:
        raise CaseRefused(f"{step} is not under way")
    if on < under_way.begun_on:
        raise CaseRefused("a step cannot end before it began")
    if not result.strip():
        raise CaseRefused("a step ends with a result")
    done = replace(under_way, done_on=on, result=result.strip())
    return replace(case, stages=(*case.stages[:-1], done))


def _answered(case: Case, order_no: str, on: date, answer: str) -> Case:
    order = next((one for one in case.orders if one.order_no == order_no), None)
    if order is None:
        raise CaseRefused("no such order in this case")
    if order.answered_on is not None:
        raise CaseRefused(f"it was answered on {order.answered_on}")
    answered = replace(order, answered_on=on, answer=answer)
    return replace(case, orders=tuple(answered if one is order else one for one in case.orders))


def _referred(case: Case, to: str, on: date, receipt_no: str, reason: str) -> Case:
    if to == case.division:
        raise CaseRefused("the case is in that division's charge")
    if any(one.acknowledged_on is None for one in case.referrals):
        raise CaseRefused("a referral waits to be acknowledged")
    if any(one.receipt_no == receipt_no for one in case.referrals):
        raise CaseRefused("this receipt's number has been used")
    return replace(case, referrals=(*case.referrals, Referral(case.division, to, on, receipt_no, reason)))


def _acknowledged(case: Case, receipt_no: str, on: date) -> Case:
    waiting = next((one for one in case.referrals if one.receipt_no == receipt_no), None)
    if waiting is None or waiting.acknowledged_on is not None:
        raise CaseRefused("no referral waits under this receipt")
    done = replace(waiting, acknowledged_on=on)
    stages = tuple(
        replace(stage, division=waiting.to_division) if stage.done_on is None else stage for stage in case.stages
    )
    referrals = tuple(done if one is waiting else one for one in case.referrals)
    return replace(case, division=waiting.to_division, stages=stages, referrals=referrals)


def _closed(case: Case, on: date, result: str) -> Case:
    undecided = sum(finding.decision is Decision.OPEN for finding in case.findings)
    if undecided:
        raise CaseRefused(f"{undecided} findings are not decided")
    if case.stage is not None or case.next_step is not None:
        raise CaseRefused(f"the steps are not through: {case.stage.step if case.stage else case.next_step}")
    unanswered = [order.order_no for order in case.orders if order.answered_on is None and on <= order.due_on]
    if unanswered:
        raise CaseRefused(f"orders wait for their answer: {', '.join(unanswered)}")
    if not result.strip():
        raise CaseRefused("a case is closed with a result")
    return replace(case, closed_on=on, result=result.strip())


def _published(case: Case, on: date) -> Case:
    if case.closed_on is None:
        raise CaseRefused("only a closed case's result is published")
    if case.published_on is not None:
        raise CaseRefused(f"it was published on {case.published_on}")
    return replace(case, published_on=on)


# --- what time does ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Late:
    """One thing that is overdue: a `step`, an `order` or a `statement`, and which."""

    what: str
    about: str
    due_on: date


def late_on(case: Case, day: date) -> tuple[Late, ...]:
    """What is overdue in a case on a day: the step under way, orders without answer, statements that were asked for."""
    if case.closed_on is not None:
        return ()
    stage = case.stage
    late = [Late("step", stage.step.value, stage.due_on)] if stage is not None and stage.due_on < day else []
    late += [Late("order", o.order_no, o.due_on) for o in case.orders if o.answered_on is None and o.due_on < day]
    late += [Late("statement", h.seller, h.due_on) for h in case.hearings if not h.is_over and h.due_on < day]
    return tuple(late)


def in_charge(case: Case, day: date) -> tuple[str, ...]:
    """The divisions that have to look after a case on a day: its own, and above it while a step is overdue there.

    Nothing is moved by a job: the city sees what its district has let lie from the day after, and no longer than that.
    """
    stage = case.stage
    overdue = case.closed_on is None and stage is not None and stage.due_on < day
    upper = above(case.division) if overdue else None
    return (case.division, upper) if upper else (case.division,)
