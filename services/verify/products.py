"""One answer about one holder's product, over the certificates that several bodies have issued for it."""

from datetime import date
from typing import Any

import orjson

from services.domain.certificate import Certificate, Item, course_of
from services.domain.identifiers import instant_text, normalised
from services.domain.scheme import SchemeRules
from services.domain.standing import Standing, mark_standing
from services.verify.answer import Answer, Judgement, body_on, judge, noticed, with_grace
from services.verify.name_index import last_day_in_force
from services.verify.register import Directory, Found, Register
from services.verify.wording import Code, wording

AT_ONCE = 1000
"""Certificates of a holder that one answer looks through; most have far fewer."""


def certificates_for(
    register: Register, uscc: str, model: str, after: str
) -> tuple[list[tuple[Found, Item]], str | None]:
    """Of a holder's next `AT_ONCE` certificates behind a number, those that cover a model, in whatever width, case and
    spacing; and the number to go on behind, None where they were the last.

    The stored bytes of the hot path tell which these are; only they are read whole.

    Raises:
        read_model.Unreadable: there is no usable file, or a row of it is damaged.
    """
    wanted = normalised(model)
    # By number: an order that holds while certificates change between two questions.
    numbers = register.model.certificates_in_order(uscc, after, AT_ONCE + 1)
    looked_at = numbers[:AT_ONCE]
    matching = [
        (found, item)
        for number in looked_at
        if _may_cover(register.model.quick(number), wanted)
        for found in (register.certificate(number),)
        if found is not None and found.certificate.product is not None and found.certificate.holder.uscc == uscc
        for item in found.certificate.product.items
        if normalised(item.model) == wanted
    ]
    matching.sort(key=lambda one: last_day_in_force(course_of(one[0].state)), reverse=True)  # the longest first
    return matching, looked_at[-1] if len(numbers) > AT_ONCE else None


def _may_cover(stored: tuple[bytes, bytes] | None, model: str) -> bool:
    """Whether a certificate names a normalised model; what falls with another has no such bytes, and may."""
    if stored is None:
        return True
    product = orjson.loads(stored[1].partition(b"\n")[2])["product"]
    return product is not None and any(normalised(item["model"]) == model for item in product["items"])


def product_json(
    uscc: str,
    model: str,
    matching: list[tuple[Found, Item]],
    directory: Directory,
    blank: Answer,
    *,
    more: str | None,
    whole: bool,
) -> dict[str, Any]:
    """`{code, uscc, model, products, next, as_of, seq, checked_at}`; `whole`: all certificates were looked through.

    Certificates of a scheme whose rules say that they answer as one (`same_product`: 绿色产品) are one product with the
    bodies side by side and every attribute that a valid mark reports; others are one product each. There is no overall
    yes over different schemes: `code` is that of the only product, or null.
    """
    groups: dict[object, list[tuple[Found, Item]]] = {}
    for found, item in matching:
        rules = directory.scheme_on(found.certificate.scheme, blank.day)
        one = (found.certificate.scheme,) if rules and rules["same_product"] else found.certificate.certificate_no
        groups.setdefault(one, []).append((found, item))
    products = [_product(group, directory, blank.day) for group in groups.values()]
    code = products[0]["code"] if len(products) == 1 else None if products else Code.UNKNOWN_NUMBER.value
    code = code if whole else None
    return {
        "code": code,
        "uscc": uscc,
        "model": model,
        "products": products,
        "next": more,
        "as_of": instant_text(blank.as_of) if blank.as_of else None,
        "seq": blank.seq,
        "checked_at": instant_text(blank.checked_at),
    }


def _product(group: list[tuple[Found, Item]], directory: Directory, day: date) -> dict[str, Any]:
    first, item = group[0]
    rules = directory.scheme_on(first.certificate.scheme, day)
    judged = [(found, item, _judged(found, item, rules, directory, day)) for found, item in group]
    order = {Code.DO_NOT_SELL: 0, Code.VALID: 1}
    best = min((one for _, _, one in judged), key=lambda one: (order.get(one.code, 2), one.code.value))
    text = wording(best.code, best.notes).title
    return {
        "scheme": first.certificate.scheme,
        "scheme_name": {"zh": rules["name"]["zh"], "en": rules["name"]["en"]} if rules else None,
        "model": item.model,
        "gtin": item.gtin,
        "name": first.certificate.product.name if first.certificate.product else None,
        "holder": first.certificate.holder.name,
        "code": best.code.value,
        "notes": [note.value for note in best.notes],
        "title": {"zh": text.zh, "en": text.en},
        "certificates": [_certificate(found, one, directory, day) for found, _, one in judged],
        "attributes": [
            attribute for found, item, one in judged for attribute in _attributes(found.certificate, item, one, day)
        ],
    }


def _judged(found: Found, item: Item, rules: SchemeRules | None, directory: Directory, day: date) -> Judgement:
    judged = with_grace(judge(found, day, item, by_number=False), found.certificate, rules, day)
    return noticed(judged, found.certificate, item, directory, day)[0]


def _certificate(found: Found, judged: Judgement, directory: Directory, day: date) -> dict[str, Any]:
    certificate = found.certificate
    body, status = body_on(directory, certificate.body, day)
    return {
        "certificate_no": certificate.certificate_no,
        "code": judged.code.value,
        "notes": [note.value for note in judged.notes],
        "valid_from": certificate.valid_from.isoformat(),
        "valid_until": certificate.valid_until.isoformat() if certificate.valid_until else None,
        "body": {
            "approval_no": certificate.body,
            "name": body["name"] if body else None,
            "status": status,
        }
        if certificate.body
        else None,
        "marks": [
            {"mark_no": mark.mark_no, "route": mark.route, "standing": mark_standing(certificate, mark, day).value}
            for mark in certificate.marks
        ],
    }


def _attributes(certificate: Certificate, item: Item, judged: Judgement, day: date) -> list[dict[str, Any]]:
    """What a body has assessed, each attribute with whose word it is; nothing from a mark that does not stand."""
    if judged.standing is not Standing.VALID:
        return []
    return [
        {**attribute, "certificate_no": certificate.certificate_no, "body": certificate.body, "route": mark.route}
        for mark in certificate.marks
        if mark_standing(certificate, mark, day) is Standing.VALID and (not mark.products or item in mark.products)
        for attribute in mark.attributes
        if isinstance(attribute, dict)
    ]
