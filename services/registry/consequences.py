"""What an authority's event brings about for many certificates: for whom, page by page, in order of their numbers."""

import json
from dataclasses import replace
from datetime import UTC

from services import base64url
from services.domain.certificate import Certificate
from services.domain.fold import ANNULLED, CLASS_REMOVED, KEY_COMPROMISED, Told, consequence, fold, rules_told
from services.domain.identifiers import instant_of
from services.domain.world import World
from services.postgres import Cursor
from services.registry import store
from services.registry.register import Register

PAGE = 500
STORIES = 16
"""Certificates that an annulment reaches in one transaction: each story is folded anew."""


def affected(cur: Cursor, cause: Told, register: Register, after: str) -> tuple[list[str], str]:
    """The next certificates that a cause may concern, in order of number, and how far that looked.

    The second is empty where nothing lies beyond.
    """
    said = cause.said
    if said.type == CLASS_REMOVED:
        numbers = store.certificates_of_class(cur, _class(cause), after, PAGE)
        return numbers, numbers[-1] if numbers else ""
    if said.type == KEY_COMPROMISED:
        key = register.key(said.subject)
        since = instant_of(said.data["since"]).astimezone(UTC)  # PostgreSQL knows no offset beyond ±15:59
        heard = store.spoken_about(cur, key["owner"] if key else "", since, after, PAGE)
        by_it = [number for number, headers in heard if said.subject in map(_kid, headers)]
        return by_it, heard[-1][0] if heard else ""
    target = store.told_by_digest(cur, [said.data["digest"]])
    subject, event_type = (target[0][0], target[0][-1]) if target else ("", "..")
    if event_type.split(".")[1] in ("certificate", "mark", "declaration"):
        return ([subject], subject) if subject > after else ([], "")
    numbers = store.concerned_by(cur, said.data["digest"], after, STORIES)
    return numbers, numbers[-1] if numbers else ""


def has_spoken(cur: Cursor, cause: Told, register: World, number: str, seq: int) -> bool:
    """Whether a compromised key had signed something about a certificate, since then and before an entry."""
    key = register.key(cause.said.subject)
    cur.execute(
        "SELECT DISTINCT split_part(jws, '.', 1) FROM entries WHERE subject = %s AND source = %s AND received_at >= %s"
        " AND kind = 'event' AND decision = 'accepted' AND seq < %s",
        (number, key["owner"] if key else "", instant_of(cause.said.data["since"]).astimezone(UTC), seq),
    )
    return any(_kid(header) == cause.said.subject for (header,) in cur.fetchall())


def drawn(certificate: Certificate, cause: Told, register: World) -> Certificate:
    """The certificate after the consequence; itself where there is none."""
    if cause.said.type == ANNULLED:
        told = [*register.told(certificate.certificate_no), replace(cause, consequence=True)]
        return fold(told, rules_told(register.told)).certificate or certificate
    if cause.said.type == CLASS_REMOVED:
        scheme = register.scheme(certificate.scheme)
        product = certificate.product
        if product is None or product.product_class != _class(cause):
            return certificate
        if scheme is None or scheme["versions"][-1]["catalogue"] != cause.said.subject:
            return certificate
    return consequence(certificate, cause.said)


def _class(cause: Told) -> str:
    return str(cause.said.data["class"])  # type: ignore[typeddict-item]  # a member of this type's data alone


def _kid(header: str) -> str | None:
    """The kid of a JWS that the register has accepted, from its first part."""
    kid: str | None = json.loads(base64url.decoded(header)).get("kid")
    return kid
