"""The verdict page: an answer in words, by one template, in either language."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import urlencode

from markupsafe import Markup

from services.domain.certificate import Certificate, Status
from services.domain.consequence import WITHOUT, Allowed
from services.domain.identifiers import instant_text
from services.domain.notices import LEVELS, recall_scope
from services.domain.scheme import Coverage, Words
from services.language import OTHER, Language
from services.verify.answer import Answer
from services.verify.markup import said
from services.verify.notices import recall_reason
from services.verify.page_parts import FactRow, MayLine, history_markup, lines_markup, may_markup, rows_markup
from services.verify.page_templates import ENVIRONMENTS
from services.verify.pages import Frame, certificate_path, product_path, rendered
from services.verify.permits import permits_today
from services.verify.story import TOLD, Happening, reason_text, story, until_clause
from services.verify.timed_page import CHECKED_ISO, CHECKED_TEXT, beijing, timed
from services.verify.verdict_rows import body_name, certificate_rows, mark_name, scheme_name, unit_name
from services.verify.wording import (
    ACT_WORD,
    ALLOWED_WORD,
    BESIDE,
    DECLARATION_WITHDRAWN,
    EXPECTED,
    LABELS,
    MARK_SINCE,
    MARK_SPAN,
    NO_DATA,
    SEVERAL,
    SILENT,
    STATUS_WORD,
    SYSTEM_EXPLANATION,
    SYSTEM_NEXT_STEP,
    UNKNOWN_UNIT,
    VERDICT,
    VOID_UNIT,
    Code,
    Family,
    Note,
    Text,
    Wording,
    wording,
)

for _one in ENVIRONMENTS.values():
    _one.filters |= {"rows": rows_markup, "happenings": history_markup, "lines": lines_markup, "may": may_markup}
_field = {
    language: environment.from_string(
        '{% from "parts.html" import field with context %}'
        "{{ field(value, error, label.look_up_again if value else label.look_up_another, value) }}"
    )
    for language, environment in ENVIRONMENTS.items()
}


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a receipt holds beside the page itself."""

    sha256: str
    """of the answer's JSON, as `GET /v1/verify` gives it, at that moment"""
    url: str
    code: Markup
    """the QR of the address, as SVG"""


@dataclass(slots=True)
class _View:
    """Everything that the verdict template prints."""

    family: str
    word: str
    title: str
    explanation: str
    in_other: str
    """What matters of that in the other language, where no address leads to the page in it."""
    next_step: str
    code: str
    as_of: str
    has_data: bool
    checked_iso: str = CHECKED_ISO
    checked_at: str = CHECKED_TEXT
    replacement: Mapping[str, str] | None = None
    alerts: Sequence[Mapping[str, str]] = ()
    looked_up: str = ""
    report_href: str = ""
    recalls: Sequence[Mapping[str, str]] = ()
    notes: Sequence[str] = ()
    coverage: Sequence[str] = ()
    expected: Sequence[str] = ()
    candidates: Sequence[Mapping[str, str]] = ()
    one_product: str = ""
    all_of_holder: str = ""
    may: tuple[MayLine, ...] = ()
    may_reasons: Sequence[str] = ()
    may_without: bool = False
    rows: list[FactRow] = field(default_factory=list)
    rows_heading: str = ""
    history: Sequence[Happening] = ()
    signed: bool = False
    digest: str = ""
    proof_text: str = ""
    seq: int | None = None
    seal_kid: str = ""
    path: str = ""
    receipt_href: str = ""
    number: str = ""
    report: str = ""
    typed: str = ""
    problem: str = ""


def verdict_page(
    answer: Answer, frame: Frame, public_url: str, registry_url: str, receipt: Receipt | None = None
) -> tuple[bytes, bytes]:
    """(page, what its tag is made of): the second is the page without the time it was checked at.

    With `receipt` it is the page of a PDF: on paper nothing can be clicked or typed.
    """
    view = _view(answer, frame, public_url)
    make_field = _field_of if view.typed or view.problem else _empty_field
    tagged = rendered(
        "verdict.html",
        frame,
        f"{view.title} – {view.number}" if view.number else view.title,
        v=view,
        registry=registry_url,
        receipt=receipt,
        field=make_field(view.typed, view.problem, frame.language, frame.explicit),
    )
    iso, text = instant_text(answer.checked_at), beijing(answer.checked_at)
    return timed(tagged).at(iso.encode(), text.encode()), tagged


def _field_of(value: str, problem: str, language: Language, explicit: bool) -> Markup:
    """The field under an answer."""
    return Markup(_field[language].render(value=value, error=problem, explicit=explicit))  # noqa: S704  # by a template


_empty_field = lru_cache(_field_of)
"""The same, kept: nearly every page has the empty one."""


def _view(answer: Answer, frame: Frame, public_url: str) -> _View:
    language = frame.language
    worded = wording(answer.code, answer.notes) if answer.code else SEVERAL
    facts = _Facts(answer, language)
    view = _View(
        family=worded.family.value,
        word=VERDICT[worded.family][language] if answer.code else LABELS["several"][language],
        title=worded.title[language],
        explanation=Markup("").join(facts.fill(text) for text in _explanation(answer, worded.explanation)),
        in_other=_in_other(worded, language) if answer.code in SILENT else "",
        next_step=(SYSTEM_NEXT_STEP if _is_about_a_system(answer) else worded.next_step)[language],
        code=answer.code.value if answer.code else "",
        as_of=facts["as_of"],
        has_data=answer.as_of is not None,
        alerts=_alerts(answer, language),
        looked_up=_looked_up(answer, facts),
        report_href=_report_href(answer, frame),
        recalls=_recalls(answer, language),
        notes=_notes(answer, worded.family, facts),
        coverage=coverage_lines(answer.coverage, language) if answer.code is Code.UNKNOWN_NUMBER else (),
        expected=_expected(answer, language),
        candidates=[_candidate(one, frame) for one in answer.candidates],
        one_product=_one_product(answer.candidates, frame),
        all_of_holder=frame.link("/search", q=uscc, by="uscc") if (uscc := answer.question.uscc) else "",
        signed=answer.signed,
        seq=answer.seq,
        receipt_href=_receipt_href(answer, frame),
    )
    if answer.found is not None:
        _tell_certificate(view, answer, frame)
    elif answer.code not in (*SILENT, Code.NOT_OURS):
        asked = answer.question.number or answer.question.serial or answer.question.gtin or ""
        if answer.code is Code.MALFORMED_NUMBER:
            view.typed, view.problem = answer.question.text[:200], view.explanation
        elif asked:
            view.rows = [FactRow(unit_name(answer.unit, language) if answer.unit else LABELS["asked"][language], asked)]
            view.typed = asked
    if worded.family is not Family.INPUT:
        view.report = _report(answer, view, language, public_url)
    return view


def _in_other(worded: Wording, language: Language) -> str:
    """An answer's words in the language that the page is not in, when they name nothing."""
    other = OTHER[language]
    stop = LABELS["stop"][other]
    return f"{worded.title[other]}{stop} {worded.explanation[other]} {worded.next_step[other]}"


def _tell_certificate(view: _View, answer: Answer, frame: Frame) -> None:
    """What the page shows of the certificate that was found."""
    assert answer.found is not None
    certificate, language = answer.found.certificate, frame.language
    view.number, view.path = certificate.certificate_no, certificate_path(certificate.certificate_no)
    view.rows_heading = LABELS["declaration_details" if certificate.declaration else "details"][language]
    view.rows = list(certificate_rows(answer, certificate, frame))
    view.history = story(answer, language)[:TOLD]
    _tell_deeds(view, answer, language)
    view.digest = answer.found.digest or ""
    view.proof_text = LABELS["proof_text"][language].format(seq=answer.found.seq)
    view.seal_kid = answer.found.seal_kid
    if answer.code is Code.SUPERSEDED and certificate.superseded_by:
        number = certificate.superseded_by
        view.replacement = {"number": number, "href": frame.link(certificate_path(number))}


# --- the verdict in words ------------------------------------------------------------------------------------


_NAMED = 5


class _Facts(dict[str, str]):
    """The names that the catalogue's sentences may use, for one answer in one language, as markup."""

    def __init__(self, answer: Answer, language: Language) -> None:
        super().__init__()
        self.language = language
        self["as_of"] = beijing(answer.as_of) if answer.as_of else LABELS["no_data"][language]
        certificate, interval, mark = answer.certificate, answer.interval, answer.mark
        if answer.lookups is not None:
            self["n"] = str(answer.lookups.count)
            self["time"] = answer.lookups.first_on.isoformat()
        if answer.recalls:
            recall = answer.recalls[0].state
            self["recalled"] = recall_scope(recall)[language]
            self["recall_reason"] = recall_reason(recall)[language]
            self["recalled_since"] = recall["opened_on"]
            self["recall_text"] = recall["text"][language]
        if answer.unit is not None:
            self["unit"] = unit_name(answer.unit, language)
        if certificate is None:
            return
        scope = certificate.service_scope or (certificate.product.name if certificate.product else "")
        self["holder"], self["scope"] = certificate.holder.name, scope
        self["valid_from"] = certificate.valid_from.isoformat()
        self["valid_until"] = certificate.valid_until.isoformat() if certificate.valid_until else ""
        self["surveillance_due"] = certificate.surveillance_due.isoformat() if certificate.surveillance_due else ""
        self["body"] = body_name(answer)
        self["mark"] = mark_name(answer, mark.mark if mark else None, language)
        self["asked"] = answer.question.gtin or answer.question.number or ""
        self["registered"] = _models(certificate, language) or scope
        if mark is not None:
            self["mark_from"] = mark.valid_from.isoformat()
            self["mark_until"] = mark.valid_until.isoformat() if mark.valid_until else LABELS["no_end"][language]
        if interval is not None:
            self["since"] = interval.since.isoformat()
            self["status"] = STATUS_WORD[interval.status][language]
            self["reason"] = reason_text(interval.reason, language)
            self["until_clause"] = until_clause(interval, answer.day, language)

    def __setitem__(self, name: str, text: str) -> None:
        super().__setitem__(name, said(text, self.language))

    def fill(self, text: Text) -> Markup:
        filled = text[self.language].format_map(self)
        return Markup(filled)  # noqa: S704  # no sentence of the catalogue has a sign of markup, as a test says

    def __missing__(self, name: str) -> str:
        return "–"


def _models(certificate: Certificate, language: Language) -> str:
    """The models, as far as a sentence can name them."""
    models = [item.model for item in certificate.product.items] if certificate.product else []
    more = LABELS["and_more"][language].format(count=len(models)) if len(models) > _NAMED else ""
    return LABELS["and"][language].join(models[:_NAMED]) + more


def _explanation(answer: Answer, usual: Text) -> Iterable[Text]:
    """The sentences under the headline: `usual` are those of the code and its notes."""
    certificate, code = answer.certificate, answer.code
    if _is_about_a_system(answer):
        yield SYSTEM_EXPLANATION
    elif code is Code.CANCELLED and certificate and certificate.declaration and not _reason_of(answer):
        yield DECLARATION_WITHDRAWN
    elif code is Code.STATUS_UNKNOWN and answer.as_of is None:
        yield NO_DATA
    elif code is Code.UNKNOWN_NUMBER and answer.unit is not None:
        yield UNKNOWN_UNIT
    elif code is Code.MARK_NOT_AUTHORIZED and is_void(answer):
        yield VOID_UNIT
    else:
        yield usual
        if code is Code.MARK_NOT_AUTHORIZED and answer.mark is not None:
            ended = answer.interval is not None and answer.interval.status is not Status.ACTIVE
            yield MARK_SINCE if ended else MARK_SPAN


def is_void(answer: Answer) -> bool:
    """Whether it is this one unit's code that counts no more."""
    void = answer.unit.voided if answer.unit else None
    return void is not None and answer.interval is not None and answer.interval.digest == void.digest


def _is_about_a_system(answer: Answer) -> bool:
    """Whether a yes is about an organisation's system or service, and says nothing of its products."""
    return answer.code is Code.VALID and answer.scheme is not None and answer.scheme["class"] in ("service", "system")


def _reason_of(answer: Answer) -> str | None:
    return answer.interval.reason if answer.interval else None


_SAID_ABOVE = {
    Family.YES: (Note.ALERT, Note.SELF_DECLARED, Note.SCOPE_LIMITED),
    Family.CANNOT_SAY: (Note.ALERT, Note.POSSIBLE_COPY),
}
"""Notes that the headline, or what stands above it, says already."""


def _notes(answer: Answer, family: Family, facts: _Facts) -> list[str]:
    said = _SAID_ABOVE.get(family, (Note.ALERT,))
    return [facts.fill(BESIDE[note]) for note in answer.notes if note not in said]


def _looked_up(answer: Answer, facts: _Facts) -> str:
    """Of one unit: how often its code was looked up, where the headline does not say it already."""
    if not answer.is_unit or (answer.code is Code.VALID and Note.POSSIBLE_COPY in answer.notes):
        return ""
    return facts.fill(LABELS["looked_up" if answer.lookups else "not_looked_up"])


def _alerts(answer: Answer, language: Language) -> list[dict[str, str]]:
    """The consumer alerts, which stand above the verdict."""
    until = LABELS["alert_until"][language]
    return [
        {
            "level": LEVELS[state["level"]][language == "en"],
            "text": state["text"][language],
            "source": until.format(instrument=state["instrument"], until=state["until"]),
        }
        for state in (alert.state for alert in answer.alerts)
    ]


def _recalls(answer: Answer, language: Language) -> list[dict[str, str]]:
    """The recalls with the act, both dates and the event behind each."""
    recorded = LABELS["recorded"][language]
    return [
        {
            "instrument": recall.state["instrument"],
            "scope": recall_scope(recall.state)[language],
            "since": LABELS["since"][language].format(since=recall.state["opened_on"]),
            "recorded": recorded.format(recorded_at=beijing(recall.recorded_at), seq=recall.seq),
            "digest": recall.state["digest"],
        }
        for recall in answer.recalls
    ]


def coverage_lines(told_of: Iterable[tuple[Words, Coverage]], language: Language) -> list[str]:
    """For what kinds of certificate the register is complete, kinds with the same to say in one line."""
    kinds: dict[tuple[bool, str], list[str]] = {}
    for name, coverage in told_of:
        kinds.setdefault((coverage["complete"], coverage[language]), []).append(name[language])
    if kinds and not any(complete for complete, _ in kinds):
        return [*(text for _, text in kinds), LABELS["coverage_unknown"][language]]
    return [
        LABELS["complete" if complete else "incomplete"][language].format(
            name=LABELS["and"][language].join(names), text=text
        )
        for (complete, text), names in kinds.items()
    ]


def _expected(answer: Answer, language: Language) -> list[str]:
    if answer.code is not Code.MALFORMED_NUMBER:
        return []
    kinds = [EXPECTED[kind][language] for kind in answer.question.expected]
    return list(dict.fromkeys([*kinds, *(hint[language][:1].upper() + hint[language][1:] for hint in answer.hints)]))


def _candidate(answer: Answer, frame: Frame) -> dict[str, str]:
    certificate, language = answer.certificate, frame.language
    assert certificate is not None
    assert answer.code is not None
    worded = wording(answer.code, answer.notes)
    return {
        "number": certificate.certificate_no,
        "href": frame.link(certificate_path(certificate.certificate_no)),
        "title": worded.title[language],
        "family": worded.family.value,
        "product": certificate.product.name
        if certificate.product
        else f"{LABELS['service_scope'][language]}{LABELS['colon'][language]}{certificate.service_scope or ''}",
        "scheme": scheme_name(answer, language),
        "holder": certificate.holder.name,
        "body": body_name(answer),
    }


def _one_product(candidates: Sequence[Answer], frame: Frame) -> str:
    """Where certificates of several bodies are answered as the one product that they are; empty where they are not."""
    hrefs = {
        product_path(one.certificate.holder.uscc, one.item.model)
        if one.certificate and one.certificate.holder.uscc and one.item and one.scheme and one.scheme["same_product"]
        else ""
        for one in candidates
    }
    return frame.link(hrefs.pop()) if len(hrefs) == 1 and "" not in hrefs else ""


# --- what it means -------------------------------------------------------------------------------------------

_LOOK = {Allowed.YES: Family.YES, Allowed.NO: Family.NO, Allowed.REVIEW: Family.CANNOT_SAY}


def _tell_deeds(view: _View, answer: Answer, language: Language) -> None:
    """A line for each deed, and why not, once for all deeds with the same reason."""
    today = None if is_void(answer) else permits_today(answer)  # goods with a void code are not told apart by dates
    if today is None:
        return
    reasons: dict[str, list[str]] = {}
    for act, permit in today.permits.items():
        if permit.allowed is not Allowed.YES or today.suspended_parts:
            reason = permit.reason[language].replace(WITHOUT[language], "")
            reasons.setdefault(reason, []).append(ACT_WORD[act][language])
    view.may = tuple(
        MayLine(ACT_WORD[act][language], _LOOK[permit.allowed].value, ALLOWED_WORD[permit.allowed][language])
        for act, permit in today.permits.items()
    )
    view.may_reasons = [
        f"{LABELS['and'][language].join(acts)}{LABELS['colon'][language]}{reason}" for reason, acts in reasons.items()
    ]
    view.may_without = any(WITHOUT[language] in permit.reason[language] for permit in today.permits.values())


# --- where it leads ------------------------------------------------------------------------------------------


def _receipt_href(answer: Answer, frame: Frame) -> str:
    """Where the answer is to be had as a PDF; after a refused code there is nothing that could be asked again."""
    asked = answer.question
    if answer.code in (*SILENT, None, Code.NOT_OURS, Code.MALFORMED_NUMBER, Code.STATUS_UNKNOWN):
        return ""
    if answer.certificate is not None and asked.gtin is None and answer.mark is None:
        return frame.link(f"{certificate_path(answer.certificate.certificate_no)}/receipt.pdf")
    text = answer.mark.mark_no if answer.mark is not None else asked.number or asked.gtin
    return frame.link("/receipt.pdf", q=text) if text else ""


def _report_href(answer: Answer, frame: Frame) -> str:
    """The form of a report, with what was asked carried over: never what a code said that is not to be trusted."""
    carried: dict[str, str] = {"lang": frame.language} if frame.explicit else {}
    if answer.code is not None:
        if answer.code not in SILENT:
            question = answer.question
            unit = question.path.url_path if question.path is not None else ""
            number = answer.certificate.certificate_no if answer.certificate else question.number
            carried |= {"code": unit or number or question.gtin or ""}
        carried |= {"answer": answer.code.value}
    return "/report" + (f"?{urlencode(carried)}" if carried else "")


def _report(answer: Answer, view: _View, language: Language, public_url: str) -> str:
    """The block to copy for 12315."""
    certificate = answer.certificate
    lines = []
    if certificate is not None:
        number = "declaration_no" if certificate.declaration else "number"
        lines.append((LABELS[number][language], certificate.certificate_no))
    elif view.rows:
        lines.append((LABELS["asked"][language], view.rows[0].text))
    lines.append((LABELS["answer"][language], f"{view.title} ({view.code})" if view.code else view.title))
    if certificate is not None:
        product = certificate.product.name if certificate.product else certificate.service_scope or ""
        lines += [
            (LABELS["product"][language], product),
            (LABELS["declarant" if certificate.declaration else "holder"][language], certificate.holder.name),
        ]
        if certificate.body is not None:
            lines.append((LABELS["body"][language], body_name(answer)))
        if view.digest:
            lines.append(("SHA-256", view.digest))
        lines.append(("URL", public_url + certificate_path(certificate.certificate_no)))
    lines.append((LABELS["checked_at"][language], CHECKED_TEXT))
    lines.append((LABELS["as_of"][language], view.as_of))
    lines += [(LABELS[name][language], "________") for name in ("seller", "bought_on", "goods", "complaint")]
    return "\n".join(f"{name}{LABELS['colon'][language]}{text}" for name, text in lines)
