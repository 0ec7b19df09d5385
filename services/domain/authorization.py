"""Mark authorizations on a certificate: granted, suspended, resumed, withdrawn; the codes issued for them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from types import MappingProxyType
from typing import cast

from services.domain.certificate import (
    Certificate,
    Json,
    Mark,
    Status,
    StatusInterval,
)
from services.domain.errors import (
    BadDates,
    SchemeRule,
    TransitionNotAllowed,
    UnknownMark,
)
from services.domain.identifiers import certificate_number
from services.domain.issuance import items_of
from services.domain.said import (
    Moment,
    Said,
    day_of,
)
from services.domain.scheme import SchemeRules
from services.domain.standing import Standing, standing
from services.domain.transition import Verb, check_ahead, check_reason, status_interval


def with_mark(certificate: Certificate, said: Said, rules: SchemeRules, moment: Moment) -> Certificate:
    """The certificate with one more mark authorization.

    Raises:
        TransitionNotAllowed: the certificate is not valid on that day. SchemeRule, BadDates: see each.
    """
    data = said.data
    effective_at = date.fromisoformat(data["effective_at"])
    check_ahead(effective_at, moment)
    if standing(certificate, effective_at) is not Standing.VALID or certificate.status is not Status.ACTIVE:
        raise TransitionNotAllowed(
            f"a mark on {certificate.certificate_no}, which is {standing(certificate, effective_at)} on {effective_at}",
            pointer="/data/effective_at",
        )
    sign = rules["mark"]
    if sign is None or data["mark"] != sign["id"]:
        raise SchemeRule(f"{certificate.scheme} has no mark {data['mark']!r}", pointer="/data/mark")
    family = data.get("family")
    if rules["families"] and family not in rules["families"]:
        raise SchemeRule(
            f"{family!r} is no family of this mark", pointer="/data/family", hint="、".join(rules["families"])
        )
    covered = certificate.product.items if certificate.product else ()
    products = items_of(data.get("products") or [])
    strangers = [p.model for p in products if p not in covered]
    if strangers:
        raise SchemeRule(f"the certificate does not cover {strangers[0]!r}", pointer="/data/products")
    if covered and not products:
        raise SchemeRule("an authorization names its products", pointer="/data/products")
    for name in rules["mark_requires"]:
        if not cast(Mapping[str, object], data).get(name):
            raise SchemeRule(f"this scheme requires {name} before a mark is authorized", pointer=f"/data/{name}")
    route = data.get("route")
    if route is not None and rules["routes"] and route not in rules["routes"]:
        raise SchemeRule(f"this scheme has no route {route}", pointer="/data/route")
    valid_from, valid_until = day_of(data.get("valid_from")) or effective_at, day_of(data.get("valid_until"))
    end = certificate.valid_until
    if (valid_until is not None and valid_until < valid_from) or (
        end is not None and (valid_until is None or valid_until > end)
    ):
        raise BadDates(f"a mark ends with its certificate ({end}) or before", pointer="/data/valid_until")
    mark = Mark(
        mark_no=certificate_number(data["mark_no"]),
        mark=data["mark"],
        family=family,
        authorized_by=said.source,
        products=products,
        media=tuple(data.get("media") or ()),
        quantity=data.get("quantity"),
        route=route,
        attributes=tuple(data.get("attributes") or ()),
        valid_from=valid_from,
        valid_until=valid_until,
        statuses=(StatusInterval(Status.ACTIVE, effective_at, None, None, None, said.digest),),
    )
    return replace(certificate, marks=(*certificate.marks, mark))


_MARK_VERBS: Mapping[str, tuple[Verb, Status, tuple[Status, ...]]] = MappingProxyType(
    {
        "suspended": (Verb.SUSPEND, Status.SUSPENDED, (Status.ACTIVE,)),
        "resumed": (Verb.RESUME, Status.ACTIVE, (Status.SUSPENDED,)),
        "withdrawn": (Verb.CANCEL, Status.WITHDRAWN, (Status.ACTIVE, Status.SUSPENDED)),
    }
)
"""What happens to a mark authorization: the status after it, and those it may come from."""


def change_mark(certificate: Certificate, word: str, said: Said, rules: SchemeRules, moment: Moment) -> Certificate:
    """The certificate with one of its authorizations suspended, resumed or withdrawn."""
    mark = _mark_of(certificate, said)
    verb, status, before = _MARK_VERBS[word]
    check_ahead(date.fromisoformat(said.data["effective_at"]), moment)
    if mark.status not in before:
        raise TransitionNotAllowed(f"mark {mark.mark_no} is {mark.status}", pointer="/type")
    if verb is Verb.SUSPEND:
        check_reason(verb, said.data)
    interval = status_interval(certificate.scheme, mark.statuses, verb, status, said, rules, moment)
    return _with(certificate, replace(mark, statuses=(*mark.statuses, interval)))


def with_codes(certificate: Certificate, said: Said) -> Certificate:
    """The certificate with a set of unit codes recorded on one of its authorizations (the codes stay private)."""
    mark = _mark_of(certificate, said)
    if mark.status is not Status.ACTIVE:
        raise TransitionNotAllowed(f"mark {mark.mark_no} is {mark.status}", pointer="/type")
    data = cast(Mapping[str, Json], said.data)
    issued_before = sum(cast(int, cast(Mapping[str, Json], codes)["quantity"]) for codes in mark.code_sets)
    if mark.quantity is not None and issued_before + cast(int, data["quantity"]) > mark.quantity:
        raise SchemeRule(
            f"{mark.quantity} codes are authorized, {issued_before} were issued before", pointer="/data/quantity"
        )
    codes: Json = {name: data.get(name) for name in ("effective_at", "product", "quantity", "rule_version", "digest")}
    return _with(certificate, replace(mark, code_sets=(*mark.code_sets, codes)))


def _mark_of(certificate: Certificate, said: Said) -> Mark:
    mark_no = certificate_number(said.data["mark_no"])
    mark = certificate.mark(mark_no)
    if mark is None:
        raise UnknownMark(f"{certificate.certificate_no} has no mark {mark_no}", pointer="/data/mark_no")
    return mark


def _with(certificate: Certificate, mark: Mark) -> Certificate:
    marks = tuple(mark if m.mark_no == mark.mark_no else m for m in certificate.marks)
    return replace(certificate, marks=marks)
