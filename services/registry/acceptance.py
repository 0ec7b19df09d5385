"""Questions of relying parties (采信): answered from the register at one entry, by a policy, and written down."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import marshmallow as ma
from flask.views import MethodView

from services.auth import Role
from services.domain.acceptance import Candidate, Judgement, Policy, best, covers, judge, malformed, unfound
from services.domain.errors import BadRequest
from services.domain.identifiers import MalformedNumber, certificate_number, civil_day, instant_text, normalised
from services.events.canonical import canonical
from services.events.event_types import is_uscc
from services.postgres import Cursor, execute_values
from services.registry import facts, store
from services.registry.answer_schemas import ACCEPTANCE, AskedPageSchema, PoliciesSchema
from services.registry.gate import Gate, who_asks
from services.registry.past import (
    Administration,
    Administrations,
    CertificateThen,
    certificates_at,
    numbers_held_at,
)
from services.registry.policies import Chosen, choose, load_policies
from services.settings import Settings
from services.web import Blueprint, answers

MOST = 1000
"""Questions in one request."""

ASKERS = (Role.PLATFORM, Role.INSPECTOR, Role.REGULATOR)

SHOWN = 20
"""Certificates of a holder that an answer lists."""


class QuestionSchema(ma.Schema):
    """May this certificate, or this organisation's certificate for a model, be relied on for a purpose?"""

    purpose = ma.fields.String(required=True, validate=ma.validate.Length(1, 64))
    certificate_no = ma.fields.String(load_default=None, validate=ma.validate.Length(1, 200))
    uscc = ma.fields.String(
        load_default=None, validate=ma.validate.Length(1, 64), metadata={"description": "Holder's credit code"}
    )
    model = ma.fields.String(
        load_default=None,
        validate=ma.validate.Regexp(r"[^\x00-\x1f\ud800-\udfff]{1,200}\Z", error="one line of 1 to 200 characters"),
        metadata={"description": "A model that must be covered"},
    )
    policy = ma.fields.String(
        load_default=None, validate=ma.validate.Length(1, 80), metadata={"description": "id, or id@version"}
    )
    at = ma.fields.Date(load_default=None, metadata={"description": "Civil date at UTC+8; today where absent"})
    seq = ma.fields.Integer(
        load_default=None,
        validate=ma.validate.Range(0),
        metadata={"description": "The register at this entry; its last where absent"},
    )


class RequestSchema(QuestionSchema):
    """One question, or up to 1,000 under `questions`."""

    purpose = ma.fields.String(load_default=None, validate=ma.validate.Length(1, 64))
    questions = ma.fields.List(
        ma.fields.Nested(QuestionSchema), load_default=None, validate=ma.validate.Length(1, MOST)
    )


class LogQuery(ma.Schema):
    after = ma.fields.Integer(
        load_default=0, validate=ma.validate.Range(0, 2**63 - 1), metadata={"description": "`next` of the page before"}
    )
    limit = ma.fields.Integer(load_default=100, validate=ma.validate.Range(1, MOST))


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its policy, its day and its position settled."""

    purpose: str
    chosen: Chosen
    certificate_no: str | None
    uscc: str | None
    model: str | None
    at: date
    seq: int

    @property
    def number(self) -> str | None:
        """The number in canonical form; None where it cannot be one, or none was given."""
        if self.certificate_no is None:
            return None
        try:
            return certificate_number(self.certificate_no)
        except MalformedNumber:
            return None

    @property
    def holder(self) -> str | None:
        """The credit code as the register writes it; None where it cannot be one, or none was given."""
        code = normalised(self.uscc) if self.uscc is not None else None
        return code if code is not None and is_uscc(code) else None


def blueprint(settings: Settings, read: facts.Reads, gate: Gate) -> Blueprint:
    """`/v1/acceptance` with its log, and `/v1/policies`."""
    pages = Blueprint("acceptance", __name__, url_prefix="/v1", description="Acceptance by relying parties")
    policies = load_policies(settings)
    administrations = Administrations()

    @pages.route("/policies")
    class Policies(MethodView):
        @pages.doc(
            summary="The policies of acceptance with all their versions",
            responses=answers(PoliciesSchema, "{items, next}"),
        )
        def get(self) -> dict[str, Any]:
            return {"items": [policies[name] for name in sorted(policies)], "next": None}

    @pages.route("/acceptance")
    class Acceptance(MethodView):
        @gate.admits(*ASKERS)
        @pages.arguments(RequestSchema)
        @pages.doc(
            summary="May a certificate be relied on for a purpose?",
            description="One question, or {questions: [up to 1,000]}. The same question at the same `at` and `seq` has"
            " the same answer, byte for byte. Each is logged, without personal data.",
            responses=answers(ACCEPTANCE, "An answer, or {items} in the order of the questions"),
        )
        def post(self, asked: dict[str, Any]) -> dict[str, Any]:
            role = who_asks().role
            many = asked.pop("questions")
            if (many is None) is (asked["purpose"] is None):
                raise BadRequest("ask one question with a purpose, or several under `questions`", pointer="/purpose")
            last = read(store.head).size - 1
            today = civil_day(datetime.now(UTC))
            if many is None:
                (answer,) = answered([_settled(asked, policies, today, last, "")], role)
                return answer
            settled = [_settled(one, policies, today, last, f"/questions/{n}") for n, one in enumerate(many)]
            return {"items": answered(settled, role)}

    @pages.route("/acceptance/log")
    class Log(MethodView):
        @gate.admits(Role.REGULATOR, Role.ADMINISTRATOR)
        @pages.arguments(LogQuery, location="query")
        @pages.doc(
            summary="What was asked, by which role, and what was answered",
            responses=answers(AskedPageSchema, "{items, next}; `next` goes into `after`"),
        )
        def get(self, query: dict[str, Any]) -> dict[str, Any]:
            items = read(lambda cur: logged(cur, query["after"], query["limit"]))
            return {"items": items, "next": items[-1]["id"] if len(items) == query["limit"] else None}

    def answered(questions: Sequence[Question], role: Role) -> list[dict[str, Any]]:
        known_to = max((q.seq for q in questions if q.uscc is not None), default=None)
        if known_to is not None:
            facts.caught_up(read, known_to)
        return read(lambda cur: answer_and_log(cur, questions, administrations, role))

    return pages


def _settled(
    asked: Mapping[str, Any], policies: Mapping[str, Policy], today: date, last: int, pointer: str
) -> Question:
    day = asked["at"] or today
    seq = last if asked["seq"] is None else asked["seq"]
    if (asked["certificate_no"] is None) is (asked["uscc"] is None):
        raise BadRequest("name either certificate_no or uscc", pointer=f"{pointer}/certificate_no")
    if seq > last:
        raise BadRequest(f"the register stands at seq {last}, before {seq}", pointer=f"{pointer}/seq")
    try:
        chosen = choose(policies, asked["purpose"], asked["policy"], day)
    except BadRequest as error:
        raise BadRequest(error.detail, pointer=pointer + error.pointer, hint=error.hint) from None
    return Question(asked["purpose"], chosen, asked["certificate_no"], asked["uscc"], asked["model"], day, seq)


# --- answers --------------------------------------------------------------------------------------------------


def answer_and_log(
    cur: Cursor, questions: Sequence[Question], administrations: Administrations, role: Role
) -> list[dict[str, Any]]:
    """The answers in the order of the questions; each question is written down with its answer."""
    answers = answers_to(cur, questions, administrations)
    execute_values(
        cur,
        "INSERT INTO acceptance_log"
        " (role, purpose, policy, version, certificate_no, uscc, model, at, seq, accept, digest) VALUES %s",
        [
            (
                role.value,
                question.purpose,
                question.chosen.policy["id"],
                question.chosen.version["version"],
                question.number,
                question.holder,
                question.model,
                question.at,
                question.seq,
                answer["accept"],
                answer["digest"],
            )
            for question, answer in zip(questions, answers, strict=True)
        ],
        page_size=MOST,
    )
    return answers


def logged(cur: Cursor, after: int, limit: int) -> list[dict[str, Any]]:
    """What was asked and answered, in order, from the one after an id on."""
    cur.execute(
        "SELECT id, asked_at, role, purpose, policy, version, certificate_no, uscc, model, at, seq, accept, digest"
        " FROM acceptance_log WHERE id > %s ORDER BY id LIMIT %s",
        (after, limit),
    )
    names = [column.name for column in cur.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in cur.fetchall()]
    return [{**row, "asked_at": instant_text(row["asked_at"]), "at": row["at"].isoformat()} for row in rows]


def answers_to(cur: Cursor, questions: Sequence[Question], administrations: Administrations) -> list[dict[str, Any]]:
    """The answers: they depend on the question, its day, and the register up to its `seq`, on nothing else."""
    found: list[dict[str, Any] | None] = [None] * len(questions)
    at_seq: dict[int, list[int]] = defaultdict(list)
    for place, question in enumerate(questions):
        at_seq[question.seq].append(place)
    for seq, places in at_seq.items():
        stood = _Register(cur, seq, administrations.at(cur, seq), [questions[place] for place in places])
        for place in places:
            found[place] = _answer(questions[place], stood)
    return [answer for answer in found if answer is not None]


class _Register:
    """What the questions at one entry are about, read in a few statements."""

    def __init__(self, cur: Cursor, seq: int, administration: Administration, questions: Sequence[Question]) -> None:
        self.administration = administration
        self.held = {
            (q.holder, tuple(q.chosen.version["schemes"])): numbers_held_at(
                cur, q.holder, q.chosen.version["schemes"], seq
            )
            for q in questions
            if q.holder is not None
        }
        numbers = {q.number for q in questions if q.number is not None}
        numbers |= {number for held in self.held.values() for number in held}
        self.certificates = certificates_at(cur, numbers, seq)
        parents = {then.certificate.parent_no for then in self.certificates.values()} - {None} - numbers
        self.certificates |= certificates_at(cur, [p for p in parents if p is not None], seq)

    def candidate(self, then: CertificateThen, day: date) -> Candidate:
        certificate = then.certificate
        parent = self.certificates.get(certificate.parent_no) if certificate.parent_no else None
        scheme = self.administration.schemes.get(certificate.scheme)
        rules = scheme.on(day) if scheme else None
        catalogue = self.administration.catalogues.get(rules["catalogue"] or "") if rules else None
        body = self.administration.bodies.get(certificate.body or "")
        return Candidate(certificate, parent.certificate if parent else None, body, rules, catalogue)

    def is_complete(self, schemes: Sequence[str], day: date) -> bool:
        """Whether the register holds every certificate of these schemes."""
        found = [self.administration.schemes.get(name) for name in schemes]
        rules = [scheme.on(day) if scheme else None for scheme in found]
        return all(version is not None and version["coverage"]["complete"] for version in rules)


def _answer(question: Question, stood: _Register) -> dict[str, Any]:
    version = question.chosen.version
    candidates = _candidates(question, stood)
    judged = {
        then.certificate.certificate_no: judge(version, stood.candidate(then, question.at), question.model, question.at)
        for then in candidates
    }
    number, judgement = best(judged.items()) or (None, _unfound(question, stood))
    relied_on = stood.certificates[number] if number is not None else None
    answer: dict[str, Any] = {
        "accept": judgement.accept.value,
        "reasons": [
            {"code": reason.code, "zh": reason.words["zh"], "en": reason.words["en"], "pointer": reason.pointer}
            for reason in judgement.reasons
        ],
        "policy": {"id": question.chosen.policy["id"], "version": version["version"]},
        "purpose": question.purpose,
        "certificate_no": number,
        "state": {"seq": relied_on.seq, "digest": relied_on.digest} if relied_on else None,
        "candidates": [
            {"certificate_no": name, "accept": one.accept.value} for name, one in sorted(judged.items())[:SHOWN]
        ],
        "at": question.at.isoformat(),
        "seq": question.seq,
    }
    return {**answer, "digest": hashlib.sha256(canonical(answer, floats=False)).hexdigest()}


def _candidates(question: Question, stood: _Register) -> list[CertificateThen]:
    """The certificate that was named, or those of the organisation that cover the model."""
    if question.certificate_no is not None:
        then = stood.certificates.get(question.number or "")
        return [then] if then else []
    return [
        then for then in _held(question, stood) if question.model is None or covers(then.certificate, question.model)
    ]


def _held(question: Question, stood: _Register) -> list[CertificateThen]:
    if question.holder is None:
        return []
    numbers = stood.held[question.holder, tuple(question.chosen.version["schemes"])]
    return [stood.certificates[number] for number in numbers]


def _unfound(question: Question, stood: _Register) -> Judgement:
    if question.number is None and question.holder is None:
        return malformed()
    code = "unknown_number" if question.number else "out_of_scope" if _held(question, stood) else "unknown_holder"
    return unfound(code, complete=stood.is_complete(question.chosen.version["schemes"], question.at))
