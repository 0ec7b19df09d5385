"""The page of one holder's product over all its bodies: who certified it, how each stands, what each has assessed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from services.domain.identifiers import instant_text
from services.domain.scheme import Coverage, Words
from services.verify import pages
from services.verify.answer import Answer
from services.verify.pages import Frame, certificate_path
from services.verify.timed_page import beijing
from services.verify.verdict_page import coverage_lines
from services.verify.wording import ANSWERS, LABELS, SEVERAL, VERDICT, Code, Family, Note, Text, Wording, wording

_ATTRIBUTES = Text("绿色属性，各为其认证机构所评价", "What was assessed, each by its certification body")
_ATTRIBUTE = Text("属性", "Attribute")
_VALUE = Text("数值", "Value")
_SEVERAL_BODIES = Text(
    "同一产品由下列机构分别认证，各项属性各自有效。请核对品牌、型号是否与手中商品一致。",
    "The bodies below have each certified this product, and each attribute is its own body's word. Check that brand "
    "and model match the item in your hand.",
)
_MORE = Text("该持有人的其余证书", "More of this holder's certificates")
_EACH = Text("各证书的状态见下。", "How each certificate stands is said below.")


@dataclass(frozen=True, slots=True)
class _Certificate:
    number: str
    href: str
    body: str
    title: str
    family: str
    validity: str


@dataclass(frozen=True, slots=True)
class _Attribute:
    name: str
    value: str
    body: str


@dataclass(frozen=True, slots=True)
class _Product:
    name: str
    model: str
    scheme: str
    holder: str
    title: str
    family: str
    certificates: Sequence[_Certificate]
    attributes: Sequence[_Attribute]


@dataclass(frozen=True, slots=True)
class _View:
    family: str
    word: str
    title: str
    explanation: str
    next_step: str
    code: str
    uscc: str
    checked_iso: str
    checked_at: str
    as_of: str
    products: Sequence[_Product]
    coverage: Sequence[str]
    more: str
    more_words: str
    attributes: str
    attribute: str
    value: str


def product_page(
    document: dict[str, Any], answer: Answer, told: Sequence[tuple[Words, Coverage]], frame: Frame
) -> bytes:
    """The page of `products.product_json`; `told` is the register's coverage, for where there is no such product."""
    language = frame.language
    products = [_product(one, frame) for one in document["products"]]
    if document["code"] is None:  # of several, or of one page of more
        worded = SEVERAL
    elif products:
        worded = _worded(document["products"][0])
        if len(products[0].certificates) > 1 and worded.family is Family.YES:
            worded = replace(worded, explanation=_SEVERAL_BODIES)
        elif "{" in worded.explanation.zh:  # what only one certificate's page can fill in
            worded = replace(worded, explanation=_EACH)
    else:
        worded = ANSWERS[Code.UNKNOWN_NUMBER]
    title = worded.title[language]
    as_of = beijing(answer.as_of) if answer.as_of else LABELS["no_data"][language]
    view = _View(
        family=worded.family.value,
        word=VERDICT[worded.family][language],
        title=title,
        explanation=worded.explanation[language].format(as_of=as_of),
        next_step=worded.next_step[language],
        code=document["code"] or "",
        uscc=document["uscc"],
        checked_iso=instant_text(answer.checked_at),
        checked_at=beijing(answer.checked_at),
        as_of=as_of,
        products=products,
        coverage=coverage_lines(told, language) if not products else (),
        more=_more(document, frame),
        more_words=_MORE[language],
        attributes=_ATTRIBUTES[language],
        attribute=_ATTRIBUTE[language],
        value=_VALUE[language],
    )
    return pages.rendered("product.html", frame, f"{title} – {document['model']}", v=view)


def _more(document: dict[str, Any], frame: Frame) -> str:
    """The address of the page behind this one; empty where there is none."""
    if not document["next"]:
        return ""
    here = f"/products/{quote(document['uscc'])}/{quote(document['model'], safe='')}"
    return frame.link(here, after=document["next"])


def _worded(one: dict[str, Any]) -> Wording:
    """A product's answer, or a certificate's, as the catalogue words it."""
    return wording(Code(one["code"]), tuple(Note(note) for note in one["notes"]))


def _product(one: dict[str, Any], frame: Frame) -> _Product:
    language = frame.language
    bodies = {c["certificate_no"]: (c["body"] or {}).get("name") or "–" for c in one["certificates"]}
    worded = _worded(one)
    return _Product(
        name=one["name"] or "",
        model=one["model"],
        scheme=one["scheme_name"][language] if one["scheme_name"] else one["scheme"],
        holder=one["holder"],
        title=worded.title[language],
        family=worded.family.value,
        certificates=[_certificate(c, bodies[c["certificate_no"]], frame) for c in one["certificates"]],
        attributes=[
            _Attribute(
                str(a.get("name", "")),
                f"{a.get('value', '')}{' ' + str(a['unit']) if a.get('unit') else ''}",
                bodies.get(a["certificate_no"], "–"),
            )
            for a in one["attributes"]
        ],
    )


def _certificate(c: dict[str, Any], body: str, frame: Frame) -> _Certificate:
    language = frame.language
    worded = _worded(c)
    until = c["valid_until"] or LABELS["no_end"][language]
    return _Certificate(
        number=c["certificate_no"],
        href=frame.link(certificate_path(c["certificate_no"])),
        body=body,
        title=worded.title[language],
        family=worded.family.value,
        validity=LABELS["from_to"][language].format(from_=c["valid_from"], until=until),
    )
