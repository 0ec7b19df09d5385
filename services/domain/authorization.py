"""Mark authorizations on a certificate: granted, suspended, resumed, withdrawn; unit codes issued and voided."""

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
    Voided,
)
from services.domain.errors import (
    BadDates,
    CodesTaken,
    NothingToChange,
    QuantityExceeded,
    SchemeRule,
    TransitionNotAllowed,
    UnknownMark,
    UnknownReason,
)
from services.domain.identifiers import certificate_number
from services.domain.issuance import items_of
from services.domain.said import (
    Moment,
    Said,
    day_of,
)
from services.domain.scheme import SchemeRules
from services.domain.standing import Standing, mark_standing, standing
from services.domain.transition import Verb, check_ahead, check_reason, status_interval
from services.domain.unit_code import VOIDED, Form, pattern_by_rule


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
            f"{family!r} is no family of this mark",
            pointer="/data/family",
            hint=f"one of {', '.join(rules['families'])}",
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
    interval = status_interval(certificate, mark.statuses, verb, status, said, rules, moment)
    return _with(certificate, replace(mark, statuses=(*mark.statuses, interval)))


MOST_VOIDED = 1000
"""Single codes of one authorization that may be voided: they travel in its certificate's record."""


def with_codes(certificate: Certificate, said: Said, rules: SchemeRules, moment: Moment) -> Certificate:
    """The certificate with a set of unit codes announced on one of its authorizations (the codes stay private).

    Raises:
        TransitionNotAllowed: the mark is not in force on that day. SchemeRule: another product, or another rule than
            the scheme's. QuantityExceeded: more than the authorization allows, over all sets. CodesTaken: the same set.
    """
    mark, data = _mark_of(certificate, said), said.data
    effective_at = date.fromisoformat(data["effective_at"])
    check_ahead(effective_at, moment)
    if mark.status is not Status.ACTIVE:
        raise TransitionNotAllowed(f"mark {mark.mark_no} is {mark.status}", pointer="/type")
    stands = mark_standing(certificate, mark, effective_at)
    if stands is not Standing.VALID:
        raise TransitionNotAllowed(f"mark {mark.mark_no} is {stands} on {effective_at}", pointer="/data/effective_at")
    form = Form(data.get("form") or Form.CODE)
    if form is Form.CODE:
        pattern_by_rule(rules, data["rule_version"], effective_at)
    _check_unit(mark, form, str(data["product"]), data.get("gtin"))
    sets = [cast(Mapping[str, Json], codes) for codes in mark.code_sets]
    if any(codes["digest"] == data["digest"] for codes in sets):
        raise CodesTaken(f"this set was issued for mark {mark.mark_no} before", pointer="/data/digest")
    issued_before = sum(cast(int, codes["quantity"]) for codes in sets)
    quantity = data["quantity"]
    assert quantity is not None
    if mark.quantity is not None and issued_before + quantity > mark.quantity:
        raise QuantityExceeded(
            f"{mark.quantity} codes are authorized, {issued_before} were issued before", pointer="/data/quantity"
        )
    names = ("effective_at", "product", "quantity", "rule_version", "digest")
    told = cast(Mapping[str, Json], data)
    codes = {name: told[name] for name in names}
    codes |= {"form": form.value, "gtin": data.get("gtin"), "run": said.digest}
    return _with(certificate, replace(mark, code_sets=(*mark.code_sets, codes)))


def _check_unit(mark: Mark, form: Form, model: str, gtin: str | None) -> None:
    """The units are of one product that the authorization names; serials stand below its GTIN."""
    if form is Form.SERIAL and gtin is None:
        raise SchemeRule("serials stand below a GTIN", pointer="/data/gtin")
    if not mark.products:
        return
    of_model = [item for item in mark.products if item.model == model]
    if not of_model:
        raise SchemeRule(f"mark {mark.mark_no} is not authorized for {model!r}", pointer="/data/product")
    if gtin is not None and all(item.gtin != gtin for item in of_model):
        raise SchemeRule(f"{model!r} is not authorized under the GTIN {gtin}", pointer="/data/gtin")


def with_voided_code(certificate: Certificate, said: Said, moment: Moment) -> Certificate:
    """The certificate with one unit's code that counts no more. Whether there is such a code is kept private.

    Raises:
        NothingToChange: it is voided already. UnknownReason. SchemeRule: too many for one authorization.
        BadDates: more than 30 days ahead.
    """
    mark, data = _mark_of(certificate, said), said.data
    since, reason = date.fromisoformat(data["effective_at"]), data.get("reason")
    check_ahead(since, moment)
    if reason is None or reason not in VOIDED:
        raise UnknownReason(
            f"{reason!r} is no reason to void a code", pointer="/data/reason", hint=f"one of {', '.join(VOIDED)}"
        )
    if any(one.code == data["code"] for one in mark.voided):
        raise NothingToChange(f"code {data['code']} is voided already", pointer="/data/code")
    if len(mark.voided) >= MOST_VOIDED:
        raise SchemeRule(
            f"{MOST_VOIDED} codes of mark {mark.mark_no} are voided: no more are",
            pointer="/data/code",
            hint="suspend or withdraw the authorization",
        )
    voided = Voided(data["code"], since, reason, said.digest, data.get("public_hash"))
    return _with(certificate, replace(mark, voided=(*mark.voided, voided)))


def _mark_of(certificate: Certificate, said: Said) -> Mark:
    mark_no = certificate_number(said.data["mark_no"])
    mark = certificate.mark(mark_no)
    if mark is None:
        raise UnknownMark(f"{certificate.certificate_no} has no mark {mark_no}", pointer="/data/mark_no")
    return mark


def _with(certificate: Certificate, mark: Mark) -> Certificate:
    marks = tuple(mark if m.mark_no == mark.mark_no else m for m in certificate.marks)
    return replace(certificate, marks=marks)
