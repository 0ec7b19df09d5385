"""What somebody typed or photographed: on to the page that has an address of its own, or the answer in place."""

from urllib.parse import quote

from flask import Response, redirect

from services.verify import pages
from services.verify.answer import Answer
from services.verify.clients import AskedTooOften
from services.verify.node import HTML, Node, wanted
from services.verify.recognise import recognise
from services.verify.search_routes import as_document, as_page, found, is_a_name
from services.verify.wording import Code


def typed_or_answered(node: Node, typed: str) -> Response:
    """What was put into the field: on to the page that has an address of its own, or the verdict in place."""
    question = recognise(typed, node.hosts)
    answer = node.decide(question)
    named = _by_name(node, typed, answer)
    if named is not None:
        return named
    path = ""
    if question.path is not None and question.token is not None and question.token.isascii():
        path = f"{question.path.url_path}?m={quote(question.token, safe='')}"
    elif question.decided is None and question.token is None and (answer.unit is None or question.gtin):
        if answer.mark is not None and question.gtin is None:
            path = pages.mark_path(answer.mark.mark_no)
        elif question.gtin is not None and (answer.item is not None or answer.candidates):
            serial = f"/21/{quote(question.serial, safe='')}" if question.serial else ""
            path = f"/01/{question.gtin}{serial}"
        elif answer.certificate is not None:
            path = pages.certificate_path(answer.certificate.certificate_no)
    if not path:
        return node.respond(question)
    frame = node.frame()
    if frame.explicit:
        path += f"{'&' if '?' in path else '?'}lang={frame.language}"
    response = redirect(path, 303)
    response.headers["Cache-Control"] = "no-store"
    assert isinstance(response, Response)
    return response


def _by_name(node: Node, typed: str, answer: Answer) -> Response | None:
    """What is no number of the register may be a name in it."""
    unknown = answer.code is Code.UNKNOWN_NUMBER and not answer.question.mark_only
    if not (unknown or answer.code is Code.MALFORMED_NUMBER) or not is_a_name(typed) or answer.question.gtin:
        return None
    try:
        hits = found(node, typed, None)
    except AskedTooOften:
        if unknown:
            return None  # a look-up is answered, whatever the limit on searches
        raise
    if not hits.items and (unknown or any(c.isdigit() for c in typed)):
        return None
    return as_page(node, hits, None) if wanted() == HTML else as_document(node, hits)
