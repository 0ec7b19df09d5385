"""What a certificate says, row by row: the summary list of the verdict page."""

from collections.abc import Iterable, Sequence
from urllib.parse import quote

from services.domain.certificate import Certificate, Item, Mark, PartKind, Party, Status
from services.domain.standing import Standing, interval_on, mark_standing, part_standing, standing
from services.domain.unit_code import Form
from services.language import Language
from services.verify.answer import Answer, Unit
from services.verify.page_parts import FactRow, Line
from services.verify.pages import Frame, mark_path, product_path
from services.verify.wording import BESIDE, BODY_WORD, LABELS, STATUS_WORD, Code, Family, Note

MOST = 100
"""Lines of one row. A page has at most 14,336 bytes compressed, however many models a certificate has."""


def certificate_rows(answer: Answer, certificate: Certificate, frame: Frame) -> Iterable[FactRow]:
    language = frame.language

    def label(name: str) -> str:
        return LABELS[name][language]

    # What has to be compared with the item in hand stands first: the answer above says "compare".
    if certificate.product is not None:
        trademark = certificate.product.trademark
        yield FactRow(
            label("product"),
            certificate.product.name,
            sub=f"{label('trademark')}{label('colon')}{trademark}" if trademark else "",
        )
        if items := _items(answer, certificate):
            models = [_model_line(answer, certificate, item, language) for item in items]
            yield FactRow(label("models"), items=_first(models, certificate, language))
            if answer.scheme and answer.scheme["same_product"] and certificate.holder.uscc:
                of = [
                    Line(item.model, href=frame.link(product_path(certificate.holder.uscc, item.model)))
                    for item in items
                ]
                yield FactRow(label("over_all_bodies"), items=_first(of, certificate, language))
    if certificate.service_scope:
        yield FactRow(label("service_scope"), certificate.service_scope)
    yield FactRow(label("declaration_no" if certificate.declaration else "number"), certificate.certificate_no)
    if answer.unit is not None:
        yield _unit_row(answer.unit, language)
    yield FactRow(label("standing"), STATUS_WORD[_certificate_standing(answer)][language])
    yield FactRow(label("scheme"), scheme_name(answer, language), sub=certificate.certification_mode or "")
    suspended = [
        Line(part.name + (f" (GTIN {part.gtin})" if part.gtin else ""))
        for part in certificate.parts
        if not part.left and part_standing(certificate, part, answer.day) is not standing(certificate, answer.day)
    ]
    if suspended:
        yield FactRow(label("suspended_parts"), items=_first(suspended, certificate, language))
    if certificate.parent_no:
        yield FactRow(label("parent"), certificate.parent_no)
    yield from _parties(certificate, language)
    yield _body_row(answer, certificate, language)
    from_to = label("from_to").format(from_=certificate.valid_from, until=certificate.valid_until or label("no_end"))
    first = certificate.first_issued_on
    yield FactRow(
        label("validity"),
        from_to,
        sub=f"{label('first_issued')}{label('colon')}{first}" if first != certificate.issued_on else "",
    )
    if certificate.basis:
        yield FactRow(
            label("declared_basis" if certificate.declaration else "basis"),
            label("and").join(f"{one.standard}{f'-{one.edition}' if one.edition else ''}" for one in certificate.basis),
        )
    marks = [_mark_line(answer, certificate, mark, frame) for mark in certificate.marks]
    if marks:
        yield FactRow(label("mark"), items=marks)
    printable = [line for mark in certificate.marks for line in _qr_lines(answer, mark)]
    if printable:
        yield FactRow(label("qr"), items=_first(printable, certificate, language))


def _items(answer: Answer, certificate: Certificate) -> Sequence[Item]:
    """Every item, the one that was asked for first."""
    items = certificate.product.items if certificate.product else ()
    return sorted(items, key=lambda item: item != answer.item) if len(items) > MOST else items


def _first(lines: Sequence[Line], certificate: Certificate, language: Language) -> Sequence[Line]:
    """What a page has room for, and where the rest is."""
    if len(lines) <= MOST:
        return lines
    more = LABELS["more"][language].format(count=len(lines) - MOST)
    return [*lines[:MOST], Line(more, href=f"/v1/verify?q={quote(certificate.certificate_no, safe='')}")]


def _model_line(answer: Answer, certificate: Certificate, item: Item, language: Language) -> Line:
    part = certificate.part(PartKind.ITEM, item.model, item.gtin)
    now = part_standing(certificate, part, answer.day)
    return Line(
        item.model,
        sub=f"GTIN {item.gtin}" if item.gtin else "",
        here=LABELS["this_item"][language] if item == answer.item else "",
        out=STATUS_WORD[now][language] if now is not standing(certificate, answer.day) else "",
    )


def unit_name(unit: Unit, language: Language) -> str:
    """What people call such a code: 有机码, or what the form says."""
    if unit.name:
        return unit.name[language]
    return LABELS["serial" if unit.form is Form.SERIAL else "unit_code"][language]


def _unit_row(unit: Unit, language: Language) -> FactRow:
    if not unit.issued:
        tag = LABELS["unit_not_issued"][language]
        return FactRow(unit_name(unit, language), unit.code, sub=LABELS["unit_not_issued_text"][language], tag=tag)
    issued = LABELS["unit_issued"][language].format(product=unit.product, day=unit.issued_on)
    if unit.voided is None:
        return FactRow(unit_name(unit, language), unit.code, sub=issued)
    void = LABELS["unit_void"][language].format(day=unit.voided.since)
    return FactRow(unit_name(unit, language), unit.code, sub=issued, tag=void, family=Family.NO.value)


def _certificate_standing(answer: Answer) -> str:
    """Of the certificate itself, whatever its mark's."""
    if answer.code is Code.MARK_NOT_AUTHORIZED:
        return Standing.VALID
    return answer.standing or Standing.VALID


def _parties(certificate: Certificate, language: Language) -> Iterable[FactRow]:
    holder = certificate.holder

    def row(name: str, party: Party) -> FactRow:
        uscc = f"{LABELS['uscc'][language]} {party.uscc}" if party.uscc else ""
        return FactRow(LABELS[name][language], party.name, sub=uscc)

    yield row("declarant" if certificate.declaration else "holder", holder)
    if certificate.manufacturer and certificate.manufacturer.name != holder.name:
        yield row("manufacturer", certificate.manufacturer)
    if certificate.factory and certificate.factory.name != holder.name:
        yield row("factory", certificate.factory)


def _body_row(answer: Answer, certificate: Certificate, language: Language) -> FactRow:
    if certificate.body is None:
        return FactRow(LABELS["body"][language], BESIDE[Note.SELF_DECLARED][language])
    status = answer.body_status or "unknown"
    return FactRow(
        LABELS["body"][language],
        body_name(answer),
        sub=certificate.body,
        tag=BODY_WORD[status][language],
        family="" if status == "approved" else Family.NO.value,
    )


def _mark_line(answer: Answer, certificate: Certificate, mark: Mark, frame: Frame) -> Line:
    language = frame.language
    name = mark_name(answer, mark.mark, language)
    name = f"{name} · {mark.family}" if mark.family else name
    interval = interval_on(mark.statuses, answer.day)
    withdrawn = interval is not None and interval.status is Status.WITHDRAWN
    status = Status.WITHDRAWN if withdrawn else mark_standing(certificate, mark, answer.day)
    word = STATUS_WORD[status][language]
    until = mark.valid_until or LABELS["no_end"][language]
    span = LABELS["from_to"][language].format(from_=mark.valid_from, until=until)
    number = "" if mark.mark_no == certificate.certificate_no else f"{mark.mark_no} · "
    return Line(
        name,
        sub=f"{number}{word} · {span}",
        href="" if not number else frame.link(mark_path(mark.mark_no)),
        here=LABELS["this_mark"][language] if answer.mark is mark else "",
    )


def _qr_lines(answer: Answer, mark: Mark) -> Iterable[Line]:
    """Links to the QR images of a mark that stands."""
    if answer.found is None or mark_standing(answer.found.certificate, mark, answer.day) is not Standing.VALID:
        return
    for token in answer.found.tokens_of(mark.mark_no):
        query = f"?gtin={token.gtin}" if token.gtin else ""
        text = token.model or token.gtin or mark.mark_no
        yield Line(text, href=f"/qr/{quote(mark.mark_no, safe='')}.svg{query}")


def scheme_name(answer: Answer, language: Language) -> str:
    if answer.scheme:
        return answer.scheme["name"][language]
    return answer.certificate.scheme if answer.certificate else ""


def mark_name(answer: Answer, mark: str | None, language: Language) -> str:
    sign = answer.scheme["mark"] if answer.scheme else None
    if sign and mark in (None, sign["id"]):
        return sign["name"][language]
    return mark or scheme_name(answer, language)


def body_name(answer: Answer) -> str:
    certificate = answer.certificate
    if answer.body:
        return answer.body["name"]
    return (certificate.body if certificate else None) or "–"
