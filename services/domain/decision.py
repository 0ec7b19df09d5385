"""What one event does to the register: who may say it, which records change, or why it is refused."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from types import MappingProxyType
from typing import Any, TypeAlias, cast

from services.domain import administration, notices
from services.domain.amendment import widens
from services.domain.basis import check_editions, check_listed
from services.domain.body import AllianceState, BodyState, KeyState, in_backfill, is_competent, is_member
from services.domain.catalogue import CatalogueState, class_of, modes_on
from services.domain.certificate import Certificate, to_state
from services.domain.errors import (
    BadCorrection,
    BadDates,
    Malformed,
    MissingField,
    NotCompetent,
    NothingToChange,
    NotResponsible,
    NumberTaken,
    Refusal,
    SchemeRule,
    TransitionNotAllowed,
    UnknownCertificate,
    UnknownSubject,
)
from services.domain.fold import (
    ANNULLED,
    CLASS_REMOVED,
    Told,
    corrected,
    fold,
    is_about_a_certificate,
    is_annulled,
    rules_told,
)
from services.domain.identifiers import certificate_number
from services.domain.issuance import missing_of
from services.domain.lifecycle import apply, latest_surveillance
from services.domain.said import Moment, Said
from services.domain.scheme import SchemeRules, number_form, scheme_from_state
from services.domain.transition import check_ahead
from services.domain.waiting import check_waiting, sought_by
from services.domain.world import Changes, World, scheme_on


def decide(said: Said, world: World, moment: Moment) -> Changes:
    """The records that an event changes.

    Raises:
        Refusal: the event is not allowed; nothing changes.
        KeyError: the type is not one of `HANDLERS` (the schemas and this table are compared by a test).
    """
    kinds, handler = HANDLERS[said.type]
    if said.source_kind not in kinds:
        raise NotResponsible(f"{said.type} comes from {' or '.join(kinds)}, not from {said.source}", pointer="/source")
    return handler(said, world, moment)


# --- certificates ------------------------------------------------------------------------------------


def _issue(said: Said, world: World, moment: Moment) -> Changes:
    declaration = said.source_kind == "declarant"
    number = certificate_number(said.subject)
    if world.certificate(number) is not None or world.mark_owner(number) is not None:
        raise NumberTaken(f"{number} is in the register already", pointer="/subject")
    day = date.fromisoformat(said.data.get("issued_on") or said.data["effective_at"])
    scheme, rules = scheme_on(world, said.data["scheme"], day)
    if rules["declaration"] is not declaration:
        raise SchemeRule(f"{scheme.id} is {'self-declared' if rules['declaration'] else 'certified'}", pointer="/type")
    moment = _in_history(moment, world.body(said.source_id), day)
    _check_number(number, said, rules)
    _check_catalogue(said, world, rules, moment)
    _check_parent(said, world)
    certificate = apply(None, said, rules, moment)
    _check_surveillance(None, certificate, said, rules, moment)
    if declaration:
        if certificate.holder.uscc != said.source_id:
            raise NotResponsible(f"{said.source} declares for another holder", pointer="/data/holder/uscc")
    else:
        _check_competence(said, world, moment, certificate, certificate.issued_on)
        check_waiting(certificate, world, rules, moment)
    return {f"certificate/{number}": certificate}


def _check_number(number: str, said: Said, rules: SchemeRules) -> None:
    """The number has the form of the scheme or body; a group named `class` in it is the product's class (CCC)."""
    pattern, hint = number_form(rules, said.source_id)
    if pattern is None:
        return
    found = re.fullmatch(pattern, number, re.ASCII)
    if found is None:
        raise SchemeRule(
            f"{number} is no number of {said.data['scheme']}",
            pointer="/subject",
            hint=f"{hint['zh']} · {hint['en']}" if hint else "",
        )
    product_class = _product_class(said)
    if "class" in found.groupdict() and product_class is not None and found["class"] != product_class:
        raise SchemeRule(f"{number} is a number of class {found['class']}, not {product_class}", pointer="/subject")


def _check_catalogue(said: Said, world: World, rules: SchemeRules, moment: Moment) -> None:
    """A class is certified or self-declared as the catalogue in force at issue says (either one in a transition)."""
    catalogue = world.catalogue(rules["catalogue"]) if rules["catalogue"] else None
    if catalogue is None:
        return
    product_class = _product_class(said)
    if product_class is None:
        raise SchemeRule("this scheme requires the product's class", pointer="/data/product/class")
    day = date.fromisoformat(said.data.get("issued_on") or said.data["effective_at"])
    listed = class_of(catalogue, product_class)
    if listed and listed["removed_on"] and not moment.history:
        raise SchemeRule(
            f"class {product_class} left the catalogue on {listed['removed_on']}", pointer="/data/product/class"
        )
    modes = modes_on(catalogue, product_class, day)
    if rules["catalogue_mode"] not in modes:
        says = " or ".join(modes) if modes else "not in it"
        raise SchemeRule(
            f"class {product_class} is {says} on {day} by the catalogue {catalogue['id']}",
            pointer="/data/product/class",
        )


def _product_class(said: Said) -> str | None:
    product = said.data.get("product")
    return product.get("class") if product else None


def _check_parent(said: Said, world: World) -> None:
    parent_no = said.data.get("parent_no")
    if not parent_no:
        return
    parent = world.certificate(certificate_number(parent_no))
    if parent is None:
        raise UnknownCertificate(f"its parent {parent_no} is not in the register", pointer="/data/parent_no")
    if parent.parent_no is not None:
        raise SchemeRule("a sub-certificate has no sub-certificates", pointer="/data/parent_no")


def _check_competence(said: Said, world: World, moment: Moment, certificate: Certificate, day: date) -> None:
    """Issuing, resuming and authorizing need competence on the date and at the decision, but for open backfills.

    Where the approval is limited to codes, for the certificate's. An alliance's scheme is its members' alone, on the
    date and at the decision likewise.
    """
    scheme, rules = certificate.scheme, scheme_on(world, certificate.scheme, day)[1]
    product_class = certificate.product.product_class if certificate.product else None
    codes = [code for code in (rules["sub_class"], product_class) if code]
    body = world.body(said.source_id)
    if body is None:
        raise NotCompetent(f"{said.source_id} is not an approved body", pointer="/source")
    what = " ".join([scheme, *codes])
    if not is_competent(body, scheme, day, codes):
        raise NotCompetent(f"{said.source_id} was not approved for {what} on {day}", pointer="/data/scheme")
    if not is_competent(body, scheme, moment.today, codes) and not in_backfill(body, day, moment.today):
        raise NotCompetent(f"{said.source_id} is not approved for {what} at present", pointer="/source")
    if rules["alliance"] is not None:
        _check_membership(body, rules["alliance"], world, moment, day)


def _check_membership(body: BodyState, alliance_id: str, world: World, moment: Moment, day: date) -> None:
    alliance, approval_no = world.alliance(alliance_id), body["approval_no"]
    if alliance is None or not is_member(alliance, approval_no, day):
        raise NotCompetent(f"{approval_no} is not a member of {alliance_id} on {day}", pointer="/data/effective_at")
    if not is_member(alliance, approval_no, moment.today) and not in_backfill(body, day, moment.today):
        raise NotCompetent(f"{approval_no} is not a member of {alliance_id} at present", pointer="/source")


def _change(said: Said, world: World, moment: Moment) -> Changes:
    certificate = _responsible_for(said, world)
    return _changed(certificate, said, world, moment)


def _amend(said: Said, world: World, moment: Moment) -> Changes:
    """As `_change`; what widens the certificate is an issue of what is added, and needs competence as an issue does.

    What the scheme requires of a certificate is not taken away again.
    """
    certificate = _responsible_for(said, world)
    changes = _changed(certificate, said, world, moment)
    after = cast(Certificate, changes[f"certificate/{certificate.certificate_no}"])
    day = date.fromisoformat(said.data["effective_at"])
    if widens(certificate, after):
        _check_competence(said, world, moment, after, day)
    moment = _in_history(moment, world.body(said.source_id), day)
    _, rules = scheme_on(world, certificate.scheme, day)
    if after.basis != certificate.basis:
        added = [one for one in after.basis if one not in certificate.basis]
        check_editions(added, day, rules, "/data/items")
        if not moment.history:
            check_listed(after.basis, rules, "/data/items")
    if sought_by(after.holder) != sought_by(certificate.holder):  # a new holder waits as if it were issued to it
        check_waiting(replace(after, issued_on=day), world, rules, moment, pointer="/data/fields/holder")
    if rules["required"] and not moment.history:
        states = (cast(Mapping[str, object], to_state(one)) for one in (certificate, after))
        before, now = (missing_of(state, rules["required"]) for state in states)
        for name in now:
            if name not in before:
                raise MissingField(f"{certificate.scheme} requires {name}", pointer="/data")
    return changes


def _resume(said: Said, world: World, moment: Moment) -> Changes:
    """As `_change`, for what needs competence on that date and now: resuming and renewing."""
    certificate = _responsible_for(said, world)
    changes = _changed(certificate, said, world, moment)
    _check_competence(said, world, moment, certificate, date.fromisoformat(said.data["effective_at"]))
    return changes


def _changed(certificate: Certificate, said: Said, world: World, moment: Moment) -> Changes:
    effective_at = date.fromisoformat(said.data["effective_at"])
    _, rules = scheme_on(world, certificate.scheme, effective_at)
    moment = _in_history(moment, world.body(certificate.body) if certificate.body else None, effective_at)
    after = apply(certificate, said, rules, replace(moment, calendars=world.calendars()))
    _check_surveillance(certificate, after, said, rules, moment)
    return {f"certificate/{certificate.certificate_no}": after}


def _in_history(moment: Moment, body: BodyState | None, day: date) -> Moment:
    """The moment, with whether an open backfill of the body admits that day."""
    return replace(moment, history=True) if body and in_backfill(body, day, moment.today) else moment


_SURVEILLANCE_DUE = {
    "certmark.certificate.surveillance_passed.v1": "/data/next_due",
    "certmark.certificate.amended.v1": "/data/fields/surveillance_due",
}


def _check_surveillance(
    before: Certificate | None, after: Certificate, said: Said, rules: SchemeRules, moment: Moment
) -> None:
    """No surveillance is put off for longer than the scheme's interval (domain rules §2.3)."""
    due = after.surveillance_due
    if rules["surveillance_months"] is None or (before is not None and due == before.surveillance_due):
        return
    latest = latest_surveillance(before, after, said.type, rules, moment.today)
    if latest is not None and (due is None or due > latest):
        raise SchemeRule(
            f"the next surveillance of {after.certificate_no} is due by {latest}, not {due or 'never'}",
            pointer=_SURVEILLANCE_DUE.get(said.type, "/data/surveillance_due"),
        )


def _transfer(said: Said, world: World, moment: Moment) -> Changes:
    if world.body(said.data["to"]) is None:
        raise UnknownSubject(f"no body {said.data['to']}", pointer="/data/to")
    return _change(said, world, moment)


def _receive(said: Said, world: World, moment: Moment) -> Changes:
    certificate = _existing(said, world)
    changes = _changed(certificate, said, world, moment)
    _check_competence(said, world, moment, certificate, date.fromisoformat(said.data["effective_at"]))
    return changes


def _supersede(said: Said, world: World, moment: Moment) -> Changes:
    by = certificate_number(said.data["by"])
    if by == certificate_number(said.subject):
        raise SchemeRule("a certificate does not supersede itself", pointer="/data/by")
    if world.certificate(by) is None:
        raise UnknownCertificate(f"{by} is not in the register: report it first", pointer="/data/by")
    return _change(said, world, moment)


_OF_CODES = ("certmark.mark.codes_issued.v1", "certmark.mark.code_voided.v1")


def _correct(said: Said, world: World, moment: Moment) -> Changes:
    """What an earlier event said is replaced, and the certificate folded anew.

    The responsible body corrects its own events, and those of the bodies before it: who has handed a certificate over
    has no say in it any more.
    """
    certificate = _existing(said, world)
    told = world.told(certificate.certificate_no)
    entry = next((one for one in told if one.said.digest == said.data["of"] and not one.consequence), None)
    own = entry is not None and (
        entry.said.source == said.source
        or (entry.said.source_kind == "body" and said.source == certificate.responsible)
    )
    if entry is None or not own or not is_about_a_certificate(entry.said):
        raise BadCorrection(
            f"{said.source} has no accepted event {said.data['of']} about {certificate.certificate_no}",
            pointer="/data/of",
        )
    _responsible_for(said, world)
    target = entry.said
    if target.type == said.type:
        raise BadCorrection("a correction is corrected by another correction of the same event", pointer="/data/of")
    if said.data.get("effective_at"):
        check_ahead(date.fromisoformat(said.data["effective_at"]), moment)
    if target.type in _OF_CODES:
        raise BadCorrection("codes are not corrected: void them, or report the set anew", pointer="/data/of")
    if "scheme" in said.data["fields"] or "mark_no" in said.data["fields"]:
        raise BadCorrection("scheme and mark number are not corrected: end it and report anew", pointer="/data/fields")
    earlier = [one.said for one in told if one.said.type == said.type and not is_annulled(world.told, one.said.digest)]
    as_it_was, as_it_is_now = corrected(target, earlier), corrected(target, [*earlier, said])
    # What was taken before a pattern was drawn closer, and has what that excludes, is mended by those of its time.
    today = _malformed(as_it_was, world, moment) is None
    error = _malformed(as_it_is_now, world, moment if today else entry.moment)
    if error is not None:
        raise BadCorrection(error.detail, pointer=error.pointer.replace("/data", "/data/fields", 1))
    rules_on = rules_told(world.told)
    before = fold(told, rules_on)
    then = _Then(world, certificate.certificate_no, fold(told[: told.index(entry)], rules_on).certificate)
    refusal = _refusal(as_it_is_now, then, entry.moment)
    if refusal is not None and _refusal(as_it_was, then, entry.moment) is None:
        raise BadCorrection(f"then it would have been refused: {refusal.detail}", pointer="/data/fields")
    after = fold([*told, Told(-1, False, said, moment)], rules_on)
    for digest, reason in after.moot.items():
        if digest not in before.moot:
            raise BadCorrection(f"then {digest} could not stand: {reason.detail}", pointer="/data/fields")
    assert after.certificate is not None
    return {f"certificate/{certificate.certificate_no}": after.certificate}


def _malformed(said: Said, world: World, moment: Moment) -> Malformed | None:
    """What is wrong with the form of an event's data, by the patterns of that moment."""
    try:
        world.check_data(said.type, cast(Mapping[str, object], said.data), moment.received_at)
    except Malformed as error:
        return error
    return None


def _refusal(said: Said, world: World, moment: Moment) -> Refusal | None:
    """Why an event is refused, where it is."""
    try:
        decide(said, world, moment)
    except Refusal as refusal:
        return refusal
    return None


class _Then:
    """The register as an event met it whose correction is judged: what it was about stands as it stood before it."""

    def __init__(self, world: World, number: str, before: Certificate | None) -> None:
        self._world, self._number, self._before = world, number, before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)

    def certificate(self, number: str) -> Certificate | None:
        return self._before if number == self._number else self._world.certificate(number)

    def mark_owner(self, mark_no: str) -> str | None:
        owner = self._world.mark_owner(mark_no)
        if owner != self._number:
            return owner
        return owner if self._before and self._before.mark(mark_no) else None


def rules_of(world: World, scheme_id: str, day: date) -> SchemeRules | None:
    """The version of a scheme that is in force on a day, as the register stands."""
    state = world.scheme(scheme_id)
    return scheme_from_state(state).on(day) if state else None


def _responsible_for(said: Said, world: World) -> Certificate:
    certificate = _existing(said, world)
    if certificate.responsible != said.source:
        raise NotResponsible(f"{certificate.responsible} answers for {certificate.certificate_no}", pointer="/source")
    return certificate


def _existing(said: Said, world: World) -> Certificate:
    number = certificate_number(said.subject)
    certificate = world.certificate(number)
    if certificate is None:
        raise UnknownCertificate(f"{number} is not in the register", pointer="/subject")
    return certificate


def _withdraw_declaration(said: Said, world: World, moment: Moment) -> Changes:
    certificate = _responsible_for(said, world)
    if not certificate.declaration:
        raise SchemeRule(f"{certificate.certificate_no} is not a declaration", pointer="/type")
    return _changed(certificate, said, world, moment)


# --- marks -----------------------------------------------------------------------------------------------


def _authorize_mark(said: Said, world: World, moment: Moment) -> Changes:
    certificate = _existing(said, world)
    effective_at = date.fromisoformat(said.data["effective_at"])
    _, rules = scheme_on(world, certificate.scheme, effective_at)
    _check_authorizer(said, certificate, rules)
    _check_grantor(said, world, moment, certificate)
    issuer = world.body(certificate.body) if certificate.body else None
    if not _in_history(moment, issuer, effective_at).history:
        check_listed(certificate.basis, rules, "/subject")
    mark_no = certificate_number(said.data["mark_no"])
    if world.mark_owner(mark_no) is not None or world.certificate(mark_no) is not None:
        raise NumberTaken(f"{mark_no} is in the register already", pointer="/data/mark_no")
    return {f"certificate/{certificate.certificate_no}": apply(certificate, said, rules, moment)}


def _check_authorizer(said: Said, certificate: Certificate, rules: SchemeRules) -> None:
    """Whom the scheme names: the responsible body, its alliance, or an authority."""
    authorizer = rules["mark_authorizer"]
    if authorizer == "body" and said.source == certificate.responsible:
        return
    if authorizer == "authority" and said.source_kind == "authority":
        return
    if authorizer == "alliance" and said.source == f"urn:certmark:alliance:{rules['alliance']}":
        return
    named = {"implied": "nobody: the mark is implied by the certificate", "none": "nobody: it has no mark"}
    raise NotResponsible(
        f"{certificate.scheme} names {named.get(authorizer, 'its ' + authorizer)} to authorize marks", pointer="/source"
    )


def _check_grantor(said: Said, world: World, moment: Moment, certificate: Certificate) -> None:
    """Who grants the use of a mark is competent: a body by its approval, an alliance for its members' certificates."""
    day = date.fromisoformat(said.data["effective_at"])
    if said.source_kind == "body":
        _check_competence(said, world, moment, certificate, day)
    elif said.source_kind == "alliance" and certificate.body is not None:
        body = world.body(certificate.body)
        assert body is not None  # it has issued or received the certificate
        _check_membership(body, said.source_id, world, moment, day)


def _grant_mark(said: Said, world: World, moment: Moment) -> Changes:
    """As `_change_mark`, for what lets a mark be used again or on more units: that is its authorizer's to say.

    Of a mark that a body authorized, also the body's that has received the certificate since.
    """
    certificate, changes = _existing(said, world), _change_mark(said, world, moment)
    mark = certificate.mark(certificate_number(said.data["mark_no"]))
    if mark and said.source != mark.authorized_by and not mark.authorized_by.startswith("urn:certmark:body:"):
        raise NotResponsible(f"{mark.authorized_by} authorized mark {mark.mark_no}", pointer="/source")
    _check_grantor(said, world, moment, certificate)
    return changes


def _change_mark(said: Said, world: World, moment: Moment) -> Changes:
    certificate = _existing(said, world)
    mark_no = certificate_number(said.data["mark_no"])
    mark = certificate.mark(mark_no)
    if mark is not None and said.source not in (mark.authorized_by, certificate.responsible):
        raise NotResponsible(f"{mark.authorized_by} answers for mark {mark_no}", pointer="/source")
    return _changed(certificate, said, world, moment)


# --- what an authority undoes ------------------------------------------------------------------------------


def _annul(said: Said, world: World, moment: Moment) -> Changes:
    """An accepted event counts as never said from a day on; of an annulment, what it annulled counts again.

    What it was about is a body, an alliance or a key: its record is decided anew here. A certificate, or the many
    that the event had consequences for, follow as consequences.
    """
    digest = said.data["digest"]
    target = world.entry(digest)
    if said.subject != digest:
        raise SchemeRule("the subject is the digest of what is annulled", pointer="/subject")
    if target is None:
        raise UnknownSubject(f"no accepted event {digest}", pointer="/data/digest")
    if date.fromisoformat(said.data["effective_at"]) > moment.today:
        raise BadDates("an annulment is reported when it has taken effect", pointer="/data/effective_at")
    if is_annulled(world.told, digest):
        raise NothingToChange(f"{digest} is annulled already", pointer="/data/digest")
    about = target.said
    while about.type == ANNULLED:
        first = world.entry(about.data["digest"])
        assert first is not None  # it was accepted, so what it annulled was
        about = first.said
    if is_about_a_certificate(about):
        return {}
    if about.type == CLASS_REMOVED or _kind(about) in ("body", "alliance", "key", "backfill"):
        return _decided_anew(about, said, world, moment)
    raise TransitionNotAllowed(f"{about.type} is not annulled: publish what is right", pointer="/data/digest")


def _decided_anew(about: Said, annulment: Said, world: World, moment: Moment) -> Changes:
    """The record of a body, an alliance, a key or a catalogue, from what was said about it and is not annulled."""

    def told(subject: str) -> Sequence[Told]:
        heard = world.told(subject)
        return [*heard, Told(-1, False, annulment, moment)] if subject == annulment.subject else heard

    alone = _Alone(world, about.subject)
    kinds = _TOGETHER.get(_kind(about), (_kind(about),))
    for one in world.told(about.subject):
        if _kind(one.said) in kinds and not is_annulled(told, one.said.digest):
            with suppress(Refusal):
                alone.changes |= HANDLERS[one.said.type][1](one.said, alone, one.moment)
    if not alone.changes:
        raise TransitionNotAllowed(f"nothing would be left of {about.subject}: end it instead", pointer="/data/digest")
    return alone.changes


_TOGETHER = {"body": ("body", "backfill"), "backfill": ("body", "backfill")}
"""Kinds of events that make one record; of any other kind what shares its subject's name is another record's."""


def _kind(said: Said) -> str:
    return said.type.split(".")[1]


class _Alone:
    """The register without the record that is being decided anew, but for what that has made of it so far.

    What others say of is there: a member's body, a key's owner.
    """

    def __init__(self, world: World, subject: str) -> None:
        self._world, self._subject = world, subject
        self.changes: Changes = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)

    def body(self, approval_no: str) -> BodyState | None:
        own = cast(BodyState | None, self.changes.get(f"body/{approval_no}"))
        return own if approval_no == self._subject else self._world.body(approval_no)

    def alliance(self, alliance_id: str) -> AllianceState | None:
        own = cast(AllianceState | None, self.changes.get(f"alliance/{alliance_id}"))
        return own if alliance_id == self._subject else self._world.alliance(alliance_id)

    def key(self, kid: str) -> KeyState | None:
        own = cast(KeyState | None, self.changes.get(f"key/{kid}"))
        return own if kid == self._subject else self._world.key(kid)

    def catalogue(self, catalogue_id: str) -> CatalogueState | None:
        own = cast(CatalogueState | None, self.changes.get(f"catalogue/{catalogue_id}"))
        return own if catalogue_id == self._subject else self._world.catalogue(catalogue_id)


def _resolve_quarantine(said: Said, world: World, moment: Moment) -> Changes:
    """An authority has looked at what was put aside; where it is redriven, the registry decides it next."""
    if said.subject != said.data["digest"]:
        raise SchemeRule("the subject is the digest of what is resolved", pointer="/subject")
    if not world.is_quarantined(said.data["digest"]):
        raise UnknownSubject(f"nothing with the digest {said.subject} is in quarantine", pointer="/data/digest")
    return {}


Handler: TypeAlias = Callable[[Said, World, Moment], Changes]
_AUTHORITY = ("authority",)
_SPEAKERS = ("authority", "body", "alliance", "declarant")

HANDLERS: Mapping[str, tuple[tuple[str, ...], Handler]] = MappingProxyType(
    {
        "certmark.authority.established.v1": (_AUTHORITY, administration.establish_authority),
        "certmark.body.approved.v1": (_AUTHORITY, administration.approve_body),
        "certmark.body.scope_changed.v1": (_AUTHORITY, administration.change_scope),
        "certmark.body.suspended.v1": (_AUTHORITY, administration.suspend_body),
        "certmark.body.disqualified.v1": (_AUTHORITY, administration.disqualify_body),
        "certmark.backfill.opened.v1": (_AUTHORITY, administration.open_backfill),
        "certmark.alliance.established.v1": (_AUTHORITY, administration.establish_alliance),
        "certmark.alliance.member_admitted.v1": (_AUTHORITY, administration.admit_member),
        "certmark.alliance.member_left.v1": (_AUTHORITY, administration.release_member),
        "certmark.key.added.v1": (_SPEAKERS, administration.add_key),
        "certmark.key.retired.v1": (_SPEAKERS, administration.retire_key),
        "certmark.key.compromised.v1": (_SPEAKERS, administration.compromise_key),
        "certmark.scheme.published.v1": (_AUTHORITY, administration.publish_scheme),
        "certmark.catalogue.published.v1": (_AUTHORITY, administration.publish_catalogue),
        "certmark.catalogue.class_mode_changed.v1": (_AUTHORITY, administration.change_class_mode),
        "certmark.catalogue.class_removed.v1": (_AUTHORITY, administration.remove_class),
        "certmark.calendar.published.v1": (_AUTHORITY, administration.publish_calendar),
        "certmark.recall.opened.v1": (_AUTHORITY, notices.open_recall),
        "certmark.recall.closed.v1": (_AUTHORITY, notices.close_recall),
        "certmark.warning.issued.v1": (_AUTHORITY, notices.issue_warning),
        "certmark.warning.withdrawn.v1": (_AUTHORITY, notices.withdraw_warning),
        "certmark.decision.annulled.v1": (_AUTHORITY, _annul),
        "certmark.quarantine.resolved.v1": (_AUTHORITY, _resolve_quarantine),
        "certmark.certificate.issued.v1": (("body",), _issue),
        "certmark.certificate.amended.v1": (("body",), _amend),
        "certmark.certificate.surveillance_passed.v1": (("body",), _change),
        "certmark.certificate.suspended.v1": (("body",), _change),
        "certmark.certificate.resumed.v1": (("body",), _resume),
        "certmark.certificate.renewed.v1": (("body",), _resume),
        "certmark.certificate.corrected.v1": (("body",), _correct),
        "certmark.certificate.transferred.v1": (("body",), _transfer),
        "certmark.certificate.received.v1": (("body",), _receive),
        "certmark.certificate.superseded.v1": (("body",), _supersede),
        "certmark.certificate.revoked.v1": (("body",), _change),
        "certmark.certificate.cancelled.v1": (("body",), _change),
        "certmark.mark.authorized.v1": (("body", "alliance", "authority"), _authorize_mark),
        "certmark.mark.suspended.v1": (("body", "alliance", "authority"), _change_mark),
        "certmark.mark.resumed.v1": (("body", "alliance", "authority"), _grant_mark),
        "certmark.mark.withdrawn.v1": (("body", "alliance", "authority"), _change_mark),
        "certmark.mark.codes_issued.v1": (("body", "alliance", "authority"), _grant_mark),
        "certmark.mark.code_voided.v1": (("body", "alliance", "authority"), _change_mark),
        "certmark.declaration.made.v1": (("declarant",), _issue),
        "certmark.declaration.withdrawn.v1": (("declarant",), _withdraw_declaration),
    }
)
"""Every event type: which kinds of source may say it, and what it does."""
