"""A mark's signed QR code as an image, and what a printer needs for it."""

from functools import lru_cache

from flask import Response, request

from services import base64url
from services.domain.errors import CertmarkError, NotFound
from services.domain.identifiers import certificate_number, civil_day, gtin14
from services.domain.standing import Standing, mark_standing
from services.marks import qr
from services.marks.token import MarkPath, decimal
from services.verify.as_json import dumps
from services.verify.node import JSON, Node
from services.verify.quick import etag
from services.verify.read_model import Unreadable
from services.verify.register import CannotSay, Found, Token

_ENDED = (Standing.REVOKED, Standing.CANCELLED, Standing.SUPERSEDED, Standing.EXPIRED)


class MarkEnded(CertmarkError):
    slug = "mark-ended"
    title = "The mark's authorization has ended; no code is made for it any more"
    zh = "标志授权已终止，不再生成其二维码"
    status = 409


class NotYetSigned(CertmarkError):
    slug = "not-yet-signed"
    title = "There is no signed token for this mark and product"
    zh = "该标志与产品尚无已签名的标志码"
    status = 409


def qr_image_of(node: Node, mark_no: str, form: str, gtin: str | None) -> Response:
    number = certificate_number(mark_no)
    try:
        found = next(iter(node.register.certificates_with("mark", number)), None)
        complete = node.register.meta().complete
    except Unreadable as reason:
        raise CannotSay(str(reason)) from None
    mark = found.certificate.mark(number) if found else None
    if found is None or mark is None:
        if not complete:
            raise CannotSay("the read model is still being built")
        raise NotFound(f"no mark {number}")
    standing = mark_standing(found.certificate, mark, civil_day(node.clock()))
    if standing in _ENDED:
        raise MarkEnded(f"mark {number} is {standing}")
    if form == "json":
        return _to_print(node, found, number, gtin14(gtin) if gtin else None)
    token = _token_for(found, number, gtin14(gtin) if gtin else None)
    url = _url_of(node, found, token)
    image, kind = _drawn(url, number, form), "image/svg+xml" if form == "svg" else "image/png"
    response = Response(image, content_type=kind)
    response.headers["Cache-Control"] = "no-cache"  # it ends with the authorization
    response.headers["ETag"] = etag(image)
    response.make_conditional(request)
    return response


def _to_print(node: Node, found: Found, mark_no: str, gtin: str | None) -> Response:
    """The addresses of all current codes of a mark, and what is printed beside them."""
    mark, scheme = (
        found.certificate.mark(mark_no),
        node.register.directory().scheme_on(found.certificate.scheme, civil_day(node.clock())),
    )
    assert mark is not None
    sign = scheme["mark"] if scheme else None
    codes = {}
    gtins = [gtin] if gtin else [product.gtin for product in mark.products] or [None]
    for one in gtins:
        token = _token_for(found, mark_no, one)
        codes[token.gtin] = {"gtin": token.gtin, "model": token.model or None, "url": _url_of(node, found, token)}
    said = {
        "mark_no": mark_no,
        "certificate_no": found.certificate.certificate_no,
        "mark": dict(sign["name"]) if sign else {"zh": mark.mark, "en": mark.mark},
        "holder": found.certificate.holder.name,
        "codes": list(codes.values()),
    }
    response = Response(dumps(said), content_type=JSON)
    response.headers["Cache-Control"] = "no-cache"
    return response


def _url_of(node: Node, found: Found, token: Token) -> str:
    path = MarkPath.of_product(token.gtin) if token.gtin else MarkPath.of_certificate(found.certificate.certificate_no)
    return f"{node.settings.public_url.lower()}{path.url_path}?m={_decimal(token)}"


def _token_for(found: Found, mark_no: str, gtin: str | None) -> Token:
    tokens = found.tokens_of(mark_no)
    mark = found.certificate.mark(mark_no)
    if gtin is not None:
        if mark is None or all(product.gtin != gtin for product in mark.products):
            raise NotFound(f"mark {mark_no} is not authorized for {gtin}", pointer="/gtin")
        tokens = [token for token in tokens if token.gtin == gtin]
    if not tokens:
        raise NotYetSigned(f"mark {mark_no} has no signed token", hint="try again in a moment")
    return tokens[0]


def _decimal(token: Token) -> str:
    return decimal(base64url.decoded(token.token))


@lru_cache(maxsize=128)
def _drawn(url: str, mark_no: str, form: str) -> bytes:
    """Drawing takes far longer than everything else, and the same mark is asked for again."""
    drawn = qr.symbol(url)
    return qr.svg(drawn, mark_no) if form == "svg" else qr.png(drawn)
