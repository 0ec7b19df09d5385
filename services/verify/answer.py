"""The decision: what a question is answered with, from the register, for a day. No clock and no words in here."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import cast

from services import base64url
from services.domain.body import BodyState, BodyStatus, body_status_on
from services.domain.certificate import Certificate, Course, Item, Mark, PartKind, Status, StatusInterval, Voided
from services.domain.copies import Lookups
from services.domain.identifiers import civil_day
from services.domain.notices import Goods, goods_of
from services.domain.scheme import Coverage, SchemeRules, Words
from services.domain.standing import (
    Standing,
    interval_on,
    mark_standing,
    own_mark_standing,
    part_standing,
    standing,
    standing_under,
    worse,
)
from services.domain.unit_code import Form, hash_text, hashed, hashed_serial, looks_like_one
from services.marks.token import MarkClaims, TokenRefused, Unreadable, from_decimal, open_token, verify_token
from services.verify import read_model
from services.verify.notices import Alert, Recall
from services.verify.read_model import Meta
from services.verify.recognise import Question
from services.verify.register import Directory, Found, Register
from services.verify.unit_codes import Place
from services.verify.wording import Code, Note


@dataclass(frozen=True, slots=True)
class Unit:
    """The single unit that was asked about. `issued`: its code is in a set that the register has; then of which."""

    code: str
    form: Form
    issued: bool = False
    name: Words | None = None
    product: str = ""
    issued_on: date | None = None
    voided: Voided | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Everything that a page or a JSON answer is made from.

    `code` is None where a number leads to several certificates: then `candidates` holds one answer each and
    there is no overall yes. After `bad_signature`, `unknown_signer` and `impostor_host` nothing that the
    code said is in here. `as_of` and `seq` tell how fresh the node's data is.
    """

    code: Code | None
    question: Question
    day: date
    checked_at: datetime
    as_of: datetime | None = None
    seq: int | None = None
    demonstration: bool = False
    notes: tuple[Note, ...] = ()
    standing: Standing | None = None
    interval: StatusInterval | None = None
    found: Found | None = None
    mark: Mark | None = None
    mark_standing: Standing | None = None
    item: Item | None = None
    unit: Unit | None = None
    signed: bool = False
    scheme: SchemeRules | None = None
    body: BodyState | None = None
    body_status: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    """The names of those who reported what the certificate's history tells, by source."""
    candidates: tuple["Answer", ...] = ()
    coverage: tuple[tuple[Words, Coverage], ...] = ()
    hints: tuple[Words, ...] = ()
    recalls: tuple[Recall, ...] = ()
    alerts: tuple[Alert, ...] = ()
    lookups: Lookups | None = None
    is_unit: bool = False
    """Whether it is about one unit, whose look-ups are counted; `lookups` is None as long as there are none."""
    beneath: Code | None = None
    """What the answer would be without the recalls."""

    @property
    def certificate(self) -> Certificate | None:
        return self.found.certificate if self.found else None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a certificate's own record says on a day, before anything is known of its body."""

    code: Code
    standing: Standing
    notes: tuple[Note, ...]
    interval: StatusInterval | None


def decide(question: Question, register: Register, now: datetime, stale_after: timedelta) -> Answer:
    """Answer a question at an instant, in the precedence of pages.md.

    1. malformed, not ours, impostor: the text alone decides; 2. the token's form; 3. its signer and signature;
    4. data that is missing, incomplete or older than `stale_after` says nothing; 5. unknown number;
    6. an open recall; 7. the certificate's standing on that day; 8. mark and scope; 9. valid.
    """
    blank = Answer(question.decided, question, civil_day(now), now)
    try:
        meta = register.meta()
        directory = register.directory(meta)
        blank = replace(blank, as_of=meta.as_of, seq=meta.seq, demonstration=directory.demonstration)
        if question.decided is not None:
            hints = _hints(directory, blank.day) if question.decided is Code.MALFORMED_NUMBER else ()
            return replace(blank, hints=hints)
        claims: MarkClaims | None = None
        if question.token is not None:
            claims, refused = _claims(question, directory, meta, register)
            if refused is not None:
                return replace(blank, code=refused)
        if meta.fresh(now, stale_after) is None:
            return replace(blank, code=Code.STATUS_UNKNOWN)
        return _looked_up(blank, claims, register, directory)
    except read_model.Unreadable:
        return blank if question.decided is not None else replace(blank, code=_without_register(question))


def answer_of(found: Found, directory: Directory, day: date, checked_at: datetime, as_of: datetime) -> Answer:
    """What `decide` answers to the number of a certificate that was found, where the node's data is fresh."""
    number = found.certificate.certificate_no
    blank = Answer(None, Question(number, number=number), day, checked_at, as_of, None, directory.demonstration)
    return _of_certificate(blank, found, directory)


def _without_register(question: Question) -> Code:
    """A node without data can still see that a code is no code."""
    if question.token is not None:
        try:
            open_token(from_decimal(question.token))
        except Unreadable:
            return Code.UNREADABLE
    return Code.STATUS_UNKNOWN


def _claims(
    question: Question, directory: Directory, meta: Meta, register: Register
) -> tuple[MarkClaims | None, Code | None]:
    """The claims of a QR's token once its signature holds, or the code that it is refused with."""
    assert question.token is not None
    assert question.path is not None
    try:
        opened = open_token(from_decimal(question.token))
        signers = directory.signers.get(opened.kid, ())
        claims = verify_token(opened, question.path, [signer.key for signer in signers])
    except TokenRefused as refused:
        if refused.code == Code.UNKNOWN_SIGNER and not meta.complete:
            return None, Code.STATUS_UNKNOWN  # the key may be among what this node has not read yet
        return None, Code(refused.code)
    if question.number is not None and claims.certificate_no != question.number:
        return None, Code.BAD_SIGNATURE
    if all(signer.compromised_since is not None for signer in signers):
        # Whoever has the key can sign what he likes, so only tokens that the register itself holds count.
        found = register.certificate(claims.certificate_no)
        if found is None or not _holds(found, question.token):
            return None, Code.UNKNOWN_SIGNER
    return claims, None


def _holds(found: Found, token: str) -> bool:
    raw = base64url.encoded(from_decimal(token))
    return any(held.token == raw for held in found.tokens)


def _looked_up(blank: Answer, claims: MarkClaims | None, register: Register, directory: Directory) -> Answer:
    question = blank.question
    if claims is not None:
        found = register.certificate(claims.certificate_no)
        if found is None:
            return _unknown(blank, directory)
        return replace(_of_token(blank, found, claims, register, directory), signed=True)
    if question.number is not None:
        if not question.mark_only and (found := register.certificate(question.number)):
            return _of_certificate(blank, found, directory)
        for found in register.certificates_with("mark", question.number):
            return _of_mark(blank, found, question.number, directory)
        # The mark that a scheme implies bears the certificate's number.
        if question.mark_only and (found := register.certificate(question.number)):
            return _of_certificate(blank, found, directory)
        if not question.mark_only and (place := register.model.unit(hashed(question.number))):
            return _of_unit(blank, place, question.number, register, directory)
    if question.gtin and question.serial:
        return _of_serial(blank, question.gtin, question.serial, register, directory)
    several = register.certificates_with("gtin", question.gtin) if question.gtin else []
    if not several and question.uscc:
        several = register.certificates_with("uscc", question.uscc)
    if not several:
        recalls = directory.notices.recalls([Goods(gtin=question.gtin)], blank.day) if question.gtin else ()
        if recalls:  # the register knows this product, if only by its recall
            return replace(blank, code=Code.DO_NOT_SELL, recalls=recalls, beneath=Code.UNKNOWN_NUMBER)
        if "check_digit" in question.expected:
            return replace(blank, code=Code.MALFORMED_NUMBER, hints=_hints(directory, blank.day))
        return _unknown(blank, directory)
    return _of_several(blank, several, directory)


def _of_several(blank: Answer, several: list[Found], directory: Directory) -> Answer:
    answers = tuple(_of_certificate(blank, found, directory, gtin=blank.question.gtin) for found in several)
    return answers[0] if len(answers) == 1 else replace(blank, code=None, candidates=answers)


def _unknown(blank: Answer, directory: Directory) -> Answer:
    number = blank.question.number
    if blank.unit is None and number is not None:
        alike = [rules for rules in _rules(directory, blank.day) if looks_like_one(number, rules)]
        if alike:
            unit_codes = alike[0]["unit_codes"]
            name = unit_codes.get("name") if unit_codes else None
            covered = tuple((rules["name"], rules["coverage"]) for rules in alike)
            blank = replace(blank, unit=Unit(number, Form.CODE, name=name), coverage=covered)
    if not blank.coverage:
        blank = replace(blank, coverage=coverage(number, directory, blank.day))
    return replace(blank, code=Code.UNKNOWN_NUMBER)


# --- one unit ----------------------------------------------------------------------------------------------------


def _of_unit(blank: Answer, place: Place, code: str, register: Register, directory: Directory) -> Answer:
    """The code of one unit: its certificate's and mark's standing, unless it is voided itself."""
    found = register.certificate(place.certificate_no)
    unit = _unit(found, place, code, blank.day, directory) if found else None
    if found is None or unit is None:
        return _unknown(blank, directory)  # the set is undone, or not begun: as if the code had never come
    certificate, mark = found.certificate, found.certificate.mark(place.mark_no)
    items = certificate.product.items if certificate.product else ()
    gtin = blank.question.gtin
    item = next((item for item in items if item.model == unit.product and gtin in (None, item.gtin)), None)
    judged = with_mark(judge(found, blank.day, item, by_number=False), mark, blank.day)
    if judged.code is Code.VALID and items and item is None:  # its model was taken out of the scope
        judged = replace(judged, code=Code.OUT_OF_SCOPE)
    judged = with_void(judged, unit, blank.day)
    return replace(_completed(blank, found, judged, directory, mark=mark, item=item), unit=unit)


def _unit(found: Found, place: Place, code: str, day: date, directory: Directory) -> Unit | None:
    """The unit of a code that was issued by a day; None where the set that it is of does not stand."""
    mark = found.certificate.mark(place.mark_no)
    sets = [cast(Mapping[str, str], codes) for codes in mark.code_sets] if mark else []
    issued = next(
        (codes for codes in sets if codes.get("run") == place.run and codes["effective_at"] <= day.isoformat()), None
    )
    if mark is None or issued is None:
        return None
    voided = next((one for one in mark.voided if one.code == hash_text(place.hash)), None)
    rules = directory.scheme_on(found.certificate.scheme, day)
    unit_codes = rules["unit_codes"] if rules else None
    name = unit_codes.get("name") if unit_codes and place.form is Form.CODE else None
    return Unit(code, place.form, True, name, issued["product"], date.fromisoformat(issued["effective_at"]), voided)


def with_void(judged: Judgement, unit: Unit | None, day: date) -> Judgement:
    """The same where this one unit's code counts no more: its certificate and mark may well stand."""
    if judged.code is not Code.VALID or unit is None or unit.voided is None or day < unit.voided.since:
        return judged
    void = unit.voided
    interval = StatusInterval(Status.WITHDRAWN, void.since, None, void.reason, None, void.digest)
    return Judgement(Code.MARK_NOT_AUTHORIZED, Standing.CANCELLED, _without_scope(judged.notes), interval)


def _of_serial(blank: Answer, gtin: str, serial: str, register: Register, directory: Directory) -> Answer:
    """A serial without a signature: of a set, or of none. Then there is no such unit, where serials were issued."""
    if place := register.model.unit(hashed_serial(gtin, serial)):
        return _of_unit(blank, place, serial, register, directory)
    unit = Unit(serial, Form.SERIAL)
    several = register.certificates_with("gtin", gtin)
    if not several or any(_has_serials(found, gtin) for found in several):
        return _unknown(replace(blank, unit=unit), directory)
    return replace(_of_several(blank, several, directory), unit=unit)


def _has_serials(found: Found, gtin: str) -> bool:
    """Whether serials were issued for a product, so that one which is not among them was not."""
    sets = [cast(Mapping[str, str], codes) for mark in found.certificate.marks for codes in mark.code_sets]
    return any(codes.get("form") == Form.SERIAL and codes.get("gtin") == gtin for codes in sets)


def _rules(directory: Directory, day: date) -> list[SchemeRules]:
    return [rules for name in directory.schemes if (rules := directory.scheme_on(name, day))]


def _of_certificate(blank: Answer, found: Found, directory: Directory, gtin: str | None = None) -> Answer:
    item = _item(found.certificate, gtin)
    judged = judge(found, blank.day, item, by_number=gtin is None)
    mark = next((m for m in found.certificate.marks if gtin and any(p.gtin == gtin for p in m.products)), None)
    return _completed(blank, found, judged, directory, mark=mark, item=item)


def _of_mark(blank: Answer, found: Found, mark_no: str, directory: Directory) -> Answer:
    mark = found.certificate.mark(mark_no)
    judged = judge(found, blank.day, None, by_number=True)
    return _completed(blank, found, with_mark(judged, mark, blank.day), directory, mark=mark)


def _of_token(blank: Answer, found: Found, claims: MarkClaims, register: Register, directory: Directory) -> Answer:
    mark, gtin, serial = found.certificate.mark(claims.mark_no), blank.question.gtin, blank.question.serial
    item = _item(found.certificate, gtin)
    unit = None
    if gtin and serial:  # its signature shows that it was issued; the set, where it is here, shows whether it is void
        place = register.model.unit(hashed_serial(gtin, serial))
        unit = _unit(found, place, serial, blank.day, directory) if place else None
        if place and unit is None:  # the set is undone, or not begun
            return _unknown(replace(blank, unit=Unit(serial, Form.SERIAL)), directory)
    judged = with_mark(judge(found, blank.day, item, by_number=False), mark, blank.day)
    covered = mark is None or not mark.products or any(product.gtin == gtin for product in mark.products)
    if judged.code is Code.VALID and gtin is not None and (item is None or not covered):
        judged = replace(judged, code=Code.OUT_OF_SCOPE)
    judged = with_void(judged, unit, blank.day)
    return replace(_completed(blank, found, judged, directory, mark=mark, item=item), unit=unit)


_CODE = {now: Code(now.value) for now in Standing}


def judge(found: Found, day: date, item: Item | None, *, by_number: bool) -> Judgement:
    """The answer that a certificate's own record gives on a day; an item may be suspended by itself.

    `by_number`: nothing tells which product is in the asker's hand, so a yes holds for the listed models only. The
    scheme's own grace for a surveillance is not known here: see `with_grace`.
    """
    certificate = found.certificate
    now = standing_under(certificate, found.parent, day)
    statuses = certificate.statuses
    if found.parent is not None and now is not standing(certificate, day):
        statuses = found.parent.statuses
    part = certificate.part(PartKind.ITEM, item.model, item.gtin) if item else None
    if part is not None and worse(now, part_standing(certificate, part, day)) is not now:
        now, statuses = Standing.SUSPENDED, part.statuses
    return _judged(certificate, now, statuses, day, by_number=by_number, under_review=found.under_review)


def judge_number(course: Course, under_review: bool, day: date) -> Judgement:
    """What `judge` says of a certificate that falls with no other, asked for by its number."""
    now = standing(course, day)
    return _judged(course, now, course.statuses, day, by_number=True, under_review=under_review)


_DECLARED = (Standing.REVOKED, Standing.SUPERSEDED, Standing.CANCELLED, Standing.SUSPENDED)


def _judged(
    certificate: Certificate | Course,
    now: Standing,
    statuses: Sequence[StatusInterval],
    day: date,
    *,
    by_number: bool,
    under_review: bool,
) -> Judgement:
    notes: tuple[Note, ...] = ()
    if certificate.declaration:
        notes = (Note.SELF_DECLARED,)
    if now is Standing.VALID:
        if by_number and certificate.lists_models:
            notes += (Note.SCOPE_LIMITED,)
        due = certificate.surveillance_due
        if due is not None and due < day:
            notes += (Note.OVERDUE_SURVEILLANCE,)
    if under_review or certificate.flags:
        notes += (Note.UNDER_REVIEW,)
    return Judgement(_CODE[now], now, notes, interval_on(statuses, day) if now in _DECLARED else None)


def with_grace(judged: Judgement, certificate: Certificate, rules: SchemeRules | None, day: date) -> Judgement:
    """The same without the note of a surveillance that is overdue, while the scheme's grace for it runs."""
    due, grace = certificate.surveillance_due, rules["surveillance_grace_days"] if rules else 0
    if due is None or not grace or (day - due).days > grace:
        return judged
    return replace(judged, notes=tuple(note for note in judged.notes if note is not Note.OVERDUE_SURVEILLANCE))


def with_mark(judged: Judgement, mark: Mark | None, day: date) -> Judgement:
    """The same where a mark was asked for: a valid certificate does not make every mark an authorized one."""
    if judged.code is not Code.VALID:
        return judged
    if mark is None:
        return replace(judged, code=Code.MARK_NOT_AUTHORIZED, notes=_without_scope(judged.notes))
    own = own_mark_standing(mark, day)
    if own is Standing.VALID:
        return judged
    return Judgement(Code.MARK_NOT_AUTHORIZED, own, _without_scope(judged.notes), interval_on(mark.statuses, day))


def noticed(
    judged: Judgement, certificate: Certificate, item: Item | None, directory: Directory, day: date
) -> tuple[Judgement, tuple[Recall, ...]]:
    """The same under the recalls and alerts of that day, and the recalls."""
    if directory.notices.alerts_about(certificate, day):
        judged = replace(judged, notes=(*judged.notes, Note.ALERT))
    recalls = directory.notices.recalls(goods_of(certificate, item), day)
    return (replace(judged, code=Code.DO_NOT_SELL) if recalls else judged), recalls


def _without_scope(notes: tuple[Note, ...]) -> tuple[Note, ...]:
    return tuple(note for note in notes if note is not Note.SCOPE_LIMITED)


def _completed(
    blank: Answer,
    found: Found,
    judged: Judgement,
    directory: Directory,
    *,
    mark: Mark | None = None,
    item: Item | None = None,
) -> Answer:
    certificate = found.certificate
    scheme = directory.scheme_on(certificate.scheme, blank.day)
    body, status = body_on(directory, certificate.body, blank.day)
    notes = with_grace(judged, certificate, scheme, blank.day).notes
    if status == BodyStatus.DISQUALIFIED:
        notes = (*notes, Note.BODY_DISQUALIFIED)
    held = goods_of(certificate, item) if item else [*goods_of(certificate, None), Goods(gtin=blank.question.gtin)]
    recalls = directory.notices.recalls(held, blank.day)
    alerts = directory.notices.alerts_about(certificate, blank.day)
    if alerts:
        notes = (*notes, Note.ALERT)
    return replace(
        blank,
        code=Code.DO_NOT_SELL if recalls else judged.code,
        recalls=recalls,
        alerts=alerts,
        beneath=judged.code if recalls else None,
        notes=notes,
        standing=judged.standing,
        interval=judged.interval,
        found=found,
        mark=mark,
        mark_standing=mark_standing(certificate, mark, blank.day) if mark else None,
        item=item,
        scheme=scheme,
        body=body,
        body_status=status,
        sources={one.source: source_name(directory, one.source, found) for one in found.history},
    )


def source_name(directory: Directory, source: str, found: Found) -> str:
    """Who a source is, in words of the register; of one that it does not name, the last part of the source."""
    kind, _, name = source.removeprefix("urn:certmark:").partition(":")
    if kind == "body" and name in directory.bodies:
        return directory.bodies[name]["name"]
    if kind == "alliance" and name in directory.alliances:
        return directory.alliances[name]["name"]
    if kind == "authority" and name in directory.authorities:
        return directory.authorities[name]["name"]
    if kind == "declarant" and name == found.certificate.holder.uscc:
        return found.certificate.holder.name
    return name or source


def body_on(directory: Directory, approval_no: str | None, day: date) -> tuple[BodyState | None, str | None]:
    """A body and what it is on a day: a BodyStatus, `ended` outside its approval, `unknown` if not registered."""
    if approval_no is None:
        return None, None
    body = directory.bodies.get(approval_no)
    if body is None:
        return None, "unknown"
    status = body_status_on(body, day)
    return body, status.value if status else "ended"


def _item(certificate: Certificate, gtin: str | None) -> Item | None:
    if gtin is None or certificate.product is None:
        return None
    return next((item for item in certificate.product.items if item.gtin == gtin), None)


def coverage(number: str | None, directory: Directory, day: date) -> tuple[tuple[Words, Coverage], ...]:
    """For what kinds of certificate the register is complete: of those whose numbers look like this one, or of all."""
    patterns = number_patterns(directory, day) if number else []
    alike = dict.fromkeys(scheme for scheme, pattern in patterns if pattern.fullmatch(number or ""))
    if not alike:
        return coverage_of_all(directory, day)
    rules = (directory.scheme_on(scheme, day) for scheme in alike)
    return tuple((one["name"], one["coverage"]) for one in rules if one)


def number_patterns(directory: Directory, day: date) -> list[tuple[str, re.Pattern[str]]]:
    """(scheme, form of its certificates' numbers on a day) of those that state one, or one for a body."""
    found = ((scheme, directory.scheme_on(scheme, day)) for scheme in directory.schemes)
    patterns = (
        (scheme, pattern)
        for scheme, rules in found
        if rules
        for pattern in (rules["number_pattern"], *(form["number_pattern"] for form in rules["body_numbers"]))
    )
    return [(scheme, re.compile(pattern, re.ASCII)) for scheme, pattern in patterns if pattern]


def coverage_of_all(directory: Directory, day: date) -> tuple[tuple[Words, Coverage], ...]:
    schemes = (directory.scheme_on(scheme, day) for scheme in directory.schemes)
    return tuple((rules["name"], rules["coverage"]) for rules in schemes if rules)


def _hints(directory: Directory, day: date) -> tuple[Words, ...]:
    """How numbers of the registered schemes look."""
    rules = (directory.scheme_on(scheme, day) for scheme in directory.schemes)
    hints = {one["number_hint"]["zh"]: one["number_hint"] for one in rules if one and one["number_hint"]}
    return tuple(hints.values())
