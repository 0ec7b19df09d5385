"""What one event does to the register: who may say it, which records change, or why it is refused."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Protocol, TypeAlias

from services.domain.body import (
    AllianceState,
    AuthorityState,
    BackfillState,
    BodyState,
    BodyStatus,
    BodyStatusState,
    CompetenceState,
    KeyState,
    MemberState,
    Purpose,
    body_status_on,
    in_backfill,
    is_competent,
    is_member,
)
from services.domain.certificate import Certificate
from services.domain.errors import (
    BadDates,
    NotCompetent,
    NotResponsible,
    NumberTaken,
    SchemeRule,
    TransitionNotAllowed,
    UnknownCertificate,
    UnknownScheme,
    UnknownSubject,
)
from services.domain.identifiers import certificate_number
from services.domain.lifecycle import Verb, change, check_ahead, issued, with_codes, with_mark, withdraw_mark
from services.domain.said import Moment, Said
from services.domain.scheme import Scheme, SchemeRules, SchemeState, scheme_from_state, scheme_rules, scheme_state

Value: TypeAlias = Certificate | BodyState | AllianceState | AuthorityState | KeyState | SchemeState
Changes: TypeAlias = dict[str, Value]
"""New values by record key (`certificate/…`, `body/…`, `key/…` …): what a decision leaves behind."""


class World(Protocol):
    """The register as it stands before the event."""

    def certificate(self, number: str) -> Certificate | None: ...
    def mark_owner(self, mark_no: str) -> str | None:
        """The certificate that holds this mark number."""

    def body(self, approval_no: str) -> BodyState | None: ...
    def alliance(self, alliance_id: str) -> AllianceState | None: ...
    def authority(self, authority_id: str) -> AuthorityState | None: ...
    def scheme(self, scheme_id: str) -> SchemeState | None: ...
    def key(self, kid: str) -> KeyState | None: ...
    def thumbprint(self, jwk: Mapping[str, str]) -> str:
        """The kid of a JWK; raises Malformed where it is no key of ours."""


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
    scheme, rules = _scheme_on(said, world, date.fromisoformat(said.data.get("issued_on") or said.data["effective_at"]))
    if rules["declaration"] is not declaration:
        raise SchemeRule(f"{scheme.id} is {'self-declared' if rules['declaration'] else 'certified'}", pointer="/type")
    if not scheme.number_fits(number, moment.today):
        hint = rules["number_hint"]
        raise SchemeRule(f"{number} is no number of {scheme.id}", pointer="/subject", hint=hint["zh"] if hint else "")
    certificate = issued(number, said, rules, moment, declaration=declaration)
    if declaration:
        if certificate.holder.uscc != said.source_id:
            raise NotResponsible(f"{said.source} declares for another holder", pointer="/data/holder/uscc")
    else:
        _check_competence(said, world, moment, scheme.id, certificate.issued_on)
    return {f"certificate/{number}": certificate}


def _scheme_on(said: Said, world: World, day: date) -> tuple[Scheme, SchemeRules]:
    return _scheme(world, said.data["scheme"], day)


def _scheme(world: World, scheme_id: str, day: date) -> tuple[Scheme, SchemeRules]:
    state = world.scheme(scheme_id)
    scheme = scheme_from_state(state) if state else None
    rules = scheme.on(day) if scheme else None
    if scheme is None or rules is None:
        raise UnknownScheme(f"no version of {scheme_id!r} is in force on {day}", pointer="/data/scheme")
    return scheme, rules


def _check_competence(said: Said, world: World, moment: Moment, scheme: str, day: date) -> None:
    """Issuing, resuming and authorizing need competence on the date and at the decision, but for open backfills."""
    body = world.body(said.source_id)
    if body is None:
        raise NotCompetent(f"{said.source_id} is not an approved body", pointer="/source")
    if not is_competent(body, scheme, day):
        raise NotCompetent(f"{said.source_id} was not approved for {scheme} on {day}", pointer="/data/scheme")
    if not is_competent(body, scheme, moment.today) and not in_backfill(body, day, moment.today):
        raise NotCompetent(f"{said.source_id} is not approved for {scheme} at present", pointer="/source")


def _change(said: Said, world: World, moment: Moment) -> Changes:
    certificate = _responsible_for(said, world)
    verb = Verb(said.type.split(".")[2])
    _, rules = _scheme(world, certificate.scheme, date.fromisoformat(said.data["effective_at"]))
    after = change(certificate, verb, said, rules, moment)
    if verb is Verb.RESUME:
        _check_competence(said, world, moment, certificate.scheme, date.fromisoformat(said.data["effective_at"]))
    return {f"certificate/{certificate.certificate_no}": after}


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
    _, rules = _scheme(world, certificate.scheme, date.fromisoformat(said.data["effective_at"]))
    after = change(certificate, Verb.CANCEL, said, rules, moment)
    return {f"certificate/{certificate.certificate_no}": after}


# --- marks -----------------------------------------------------------------------------------------------


def _authorize_mark(said: Said, world: World, moment: Moment) -> Changes:
    certificate = _existing(said, world)
    effective_at = date.fromisoformat(said.data["effective_at"])
    _, rules = _scheme(world, certificate.scheme, effective_at)
    _check_authorizer(said, world, certificate, rules, effective_at)
    if said.source_kind == "body":
        _check_competence(said, world, moment, certificate.scheme, effective_at)
    mark_no = certificate_number(said.data["mark_no"])
    said.data["mark_no"] = mark_no
    if world.mark_owner(mark_no) is not None or world.certificate(mark_no) is not None:
        raise NumberTaken(f"{mark_no} is in the register already", pointer="/data/mark_no")
    return {f"certificate/{certificate.certificate_no}": with_mark(certificate, said, rules, moment)}


def _check_authorizer(
    said: Said, world: World, certificate: Certificate, rules: SchemeRules, effective_at: date
) -> None:
    """Whom the scheme names: the responsible body, its alliance (of which the body is a member), or an authority."""
    authorizer = rules["mark_authorizer"]
    if authorizer == "body" and said.source == certificate.responsible:
        return
    if authorizer == "authority" and said.source_kind == "authority":
        return
    if authorizer == "alliance" and said.source == f"urn:certmark:alliance:{rules['alliance']}":
        alliance = world.alliance(said.source_id)
        if alliance and certificate.body and is_member(alliance, certificate.body, effective_at):
            return
        raise NotCompetent(
            f"{certificate.body} is not a member of {said.source_id} on {effective_at}", pointer="/data/effective_at"
        )
    named = {"implied": "nobody: the mark is implied by the certificate", "none": "nobody: it has no mark"}
    raise NotResponsible(
        f"{certificate.scheme} names {named.get(authorizer, 'its ' + authorizer)} to authorize marks", pointer="/source"
    )


def _withdraw_mark(said: Said, world: World, moment: Moment) -> Changes:
    certificate, mark_no = _own_mark(said, world)
    return {f"certificate/{certificate.certificate_no}": withdraw_mark(certificate, mark_no, said, moment)}


def _issue_codes(said: Said, world: World, moment: Moment) -> Changes:
    certificate, mark_no = _own_mark(said, world)
    return {f"certificate/{certificate.certificate_no}": with_codes(certificate, mark_no, said)}


def _own_mark(said: Said, world: World) -> tuple[Certificate, str]:
    certificate = _existing(said, world)
    mark_no = certificate_number(said.data["mark_no"])
    mark = certificate.mark(mark_no)
    if mark is not None and said.source not in (mark.authorized_by, certificate.responsible):
        raise NotResponsible(f"{mark.authorized_by} answers for mark {mark_no}", pointer="/source")
    return certificate, mark_no


# --- who may speak ---------------------------------------------------------------------------------------


def _establish_authority(said: Said, world: World, moment: Moment) -> Changes:
    if world.authority(said.subject) is not None:
        raise NumberTaken(f"authority {said.subject} is established already", pointer="/subject")
    jwk = said.data["key"]
    kid = world.thumbprint(jwk)
    if world.key(kid) is not None:
        raise NumberTaken(f"key {kid} is registered already", pointer="/data/key")
    authority: AuthorityState = {
        "v": 1,
        "kind": "authority",
        "id": said.subject,
        "name": said.data["name"],
        "demonstration": said.data.get("demonstration", False),
    }
    key: KeyState = {
        "v": 1,
        "kind": "key",
        "kid": kid,
        "owner": f"urn:certmark:authority:{said.subject}",
        "purpose": Purpose.EVENT.value,
        "key": dict(jwk),
        "from": said.data["effective_at"],
        "until": None,
        "retired_on": None,
        "compromised_since": None,
    }
    return {f"authority/{said.subject}": authority, f"key/{kid}": key}


def _approve_body(said: Said, world: World, moment: Moment) -> Changes:
    effective_at = said.data["effective_at"]
    check_ahead(date.fromisoformat(effective_at), moment)
    before = world.body(said.subject)
    if before is not None and before["status"] == BodyStatus.APPROVED:
        raise TransitionNotAllowed(f"{said.subject} is approved already", pointer="/type")
    after: BodyState = {
        "v": 1,
        "kind": "body",
        "approval_no": said.subject,
        "name": said.data["name"],
        "schemes": [{"scheme": s["scheme"], "from": s["from"], "until": s.get("until")} for s in said.data["schemes"]],
        "approved_from": before["approved_from"] if before else effective_at,
        "approved_until": said.data.get("until"),
        "status": BodyStatus.APPROVED.value,
        "statuses": [*(before["statuses"] if before else []), {"status": "approved", "from": effective_at}],
        "backfills": before["backfills"] if before else [],
    }
    return {f"body/{said.subject}": after}


def _change_scope(said: Said, world: World, moment: Moment) -> Changes:
    """The new scope from a date on; what it leaves out ends the day before and is never deleted."""
    before = _body(said.subject, world)
    effective_at = date.fromisoformat(said.data["effective_at"])
    check_ahead(effective_at, moment)
    eve = (effective_at - timedelta(days=1)).isoformat()
    listed = {s["scheme"] for s in said.data["schemes"]}
    kept: list[CompetenceState] = [
        s if s["until"] or s["scheme"] in listed else {**s, "until": eve} for s in before["schemes"]
    ]
    still_open = {s["scheme"] for s in kept if not s["until"]}
    added = [s for s in said.data["schemes"] if s["scheme"] not in still_open]
    for competence in added:
        kept.append({"scheme": competence["scheme"], "from": competence["from"], "until": competence.get("until")})
    after: BodyState = {**before, "schemes": kept}
    return {f"body/{said.subject}": after}


def _disqualify_body(said: Said, world: World, moment: Moment) -> Changes:
    before = _body(said.subject, world)
    effective_at = date.fromisoformat(said.data["effective_at"])
    check_ahead(effective_at, moment)
    if before["status"] == BodyStatus.DISQUALIFIED:
        raise TransitionNotAllowed(f"{said.subject} is disqualified already", pointer="/type")
    if body_status_on(before, effective_at) is None:
        raise BadDates("disqualified before it was approved", pointer="/data/effective_at")
    disqualified: BodyStatusState = {"status": BodyStatus.DISQUALIFIED.value, "from": effective_at.isoformat()}
    after: BodyState = {**before, "status": disqualified["status"], "statuses": [*before["statuses"], disqualified]}
    return {f"body/{said.subject}": after}


def _open_backfill(said: Said, world: World, moment: Moment) -> Changes:
    before = _body(said.subject, world)
    until = date.fromisoformat(said.data["until"] or "")
    if until < moment.today:
        raise BadDates(f"a backfill until {until}, which is past", pointer="/data/until")
    opened: BackfillState = {"from": moment.today.isoformat(), "until": until.isoformat()}
    after: BodyState = {**before, "backfills": [*before["backfills"], opened]}
    return {f"body/{said.subject}": after}


def _body(approval_no: str, world: World) -> BodyState:
    body = world.body(approval_no)
    if body is None:
        raise UnknownSubject(f"no body {approval_no}", pointer="/subject")
    return body


def _establish_alliance(said: Said, world: World, moment: Moment) -> Changes:
    if world.alliance(said.subject) is not None:
        raise NumberTaken(f"alliance {said.subject} is established already", pointer="/subject")
    alliance: AllianceState = {
        "v": 1,
        "kind": "alliance",
        "id": said.subject,
        "name": said.data["name"],
        "mark": said.data.get("mark"),
        "members": [],
    }
    return {f"alliance/{said.subject}": alliance}


def _admit_member(said: Said, world: World, moment: Moment) -> Changes:
    alliance, body = _alliance(said, world), _body(said.data["body"], world)
    effective_at = date.fromisoformat(said.data["effective_at"])
    if is_member(alliance, body["approval_no"], effective_at):
        raise TransitionNotAllowed(f"{body['approval_no']} is a member already", pointer="/data/body")
    member: MemberState = {"body": body["approval_no"], "from": effective_at.isoformat(), "until": None}
    after: AllianceState = {**alliance, "members": [*alliance["members"], member]}
    return {f"alliance/{said.subject}": after}


def _release_member(said: Said, world: World, moment: Moment) -> Changes:
    alliance = _alliance(said, world)
    effective_at = date.fromisoformat(said.data["effective_at"])
    if not is_member(alliance, said.data["body"], effective_at):
        raise TransitionNotAllowed(f"{said.data['body']} is no member on that day", pointer="/data/body")
    eve = (effective_at - timedelta(days=1)).isoformat()
    members: list[MemberState] = [
        {**m, "until": eve} if m["body"] == said.data["body"] and m["until"] is None else m for m in alliance["members"]
    ]
    after: AllianceState = {**alliance, "members": members}
    return {f"alliance/{said.subject}": after}


def _alliance(said: Said, world: World) -> AllianceState:
    alliance = world.alliance(said.subject)
    if alliance is None:
        raise UnknownSubject(f"no alliance {said.subject}", pointer="/subject")
    return alliance


# --- keys --------------------------------------------------------------------------------------------------


def _add_key(said: Said, world: World, moment: Moment) -> Changes:
    owner, purpose = said.data["owner"], Purpose(said.data["purpose"])
    if world.thumbprint(said.data["key"]) != said.subject:
        raise SchemeRule("the subject is not the key's thumbprint", pointer="/subject")
    if said.source_kind != "authority" and (
        owner != said.source or purpose not in (Purpose.EVENT, Purpose.DECLARATION)
    ):
        raise NotResponsible(f"{said.source} may add event keys of its own alone", pointer="/data/owner")
    if world.key(said.subject) is not None:
        raise NumberTaken(f"key {said.subject} is registered already", pointer="/subject")
    _check_owner(owner, purpose, world)
    key: KeyState = {
        "v": 1,
        "kind": "key",
        "kid": said.subject,
        "owner": owner,
        "purpose": purpose.value,
        "key": dict(said.data["key"]),
        "from": said.data.get("from") or moment.today.isoformat(),
        "until": said.data.get("until"),
        "retired_on": None,
        "compromised_since": None,
    }
    return {f"key/{said.subject}": key}


def _check_owner(owner: str, purpose: Purpose, world: World) -> None:
    kind, _, name = owner.removeprefix("urn:certmark:").partition(":")
    known: Mapping[str, bool] = {
        "body": world.body(name) is not None,
        "alliance": world.alliance(name) is not None,
        "authority": world.authority(name) is not None,
        "declarant": True,
        "registry": True,
    }
    if not known.get(kind, False):
        raise UnknownSubject(f"{owner} is not in the register", pointer="/data/owner")
    speaks = {
        "declarant": (Purpose.DECLARATION,),
        "registry": tuple(set(Purpose) - {Purpose.EVENT, Purpose.DECLARATION}),
    }
    if purpose not in speaks.get(kind, (Purpose.EVENT,)):
        raise SchemeRule(f"a key of {owner} cannot be for {purpose}", pointer="/data/purpose")


def _retire_key(said: Said, world: World, moment: Moment) -> Changes:
    key = _own_key(said, world)
    effective_at = date.fromisoformat(said.data["effective_at"])
    if effective_at < moment.today:
        raise BadDates("a key retires today or later: what it signed before stands", pointer="/data/effective_at")
    return {f"key/{said.subject}": {**key, "retired_on": effective_at.isoformat()}}


def _compromise_key(said: Said, world: World, moment: Moment) -> Changes:
    key = _own_key(said, world)
    return {f"key/{said.subject}": {**key, "compromised_since": said.data["since"]}}


def _own_key(said: Said, world: World) -> KeyState:
    key = world.key(said.subject)
    if key is None:
        raise UnknownSubject(f"no key {said.subject}", pointer="/subject")
    if said.source_kind != "authority" and key["owner"] != said.source:
        raise NotResponsible(f"the key belongs to {key['owner']}", pointer="/subject")
    return key


# --- schemes -------------------------------------------------------------------------------------------------


def _publish_scheme(said: Said, world: World, moment: Moment) -> Changes:
    state = world.scheme(said.subject)
    versions = state["versions"] if state else []
    rules = scheme_rules(said.data)
    if versions and (
        rules["version"] <= versions[-1]["version"] or rules["effective_at"] < versions[-1]["effective_at"]
    ):
        raise BadDates(
            f"version {rules['version']} of {said.subject} does not follow version {versions[-1]['version']}",
            pointer="/data/version",
        )
    scheme = Scheme(said.subject, (*versions, rules))
    return {f"scheme/{said.subject}": scheme_state(scheme)}


Handler: TypeAlias = Callable[[Said, World, Moment], Changes]
_AUTHORITY = ("authority",)
_SPEAKERS = ("authority", "body", "alliance", "declarant")

HANDLERS: Mapping[str, tuple[tuple[str, ...], Handler]] = MappingProxyType(
    {
        "certmark.authority.established.v1": (_AUTHORITY, _establish_authority),
        "certmark.body.approved.v1": (_AUTHORITY, _approve_body),
        "certmark.body.scope_changed.v1": (_AUTHORITY, _change_scope),
        "certmark.body.disqualified.v1": (_AUTHORITY, _disqualify_body),
        "certmark.backfill.opened.v1": (_AUTHORITY, _open_backfill),
        "certmark.alliance.established.v1": (_AUTHORITY, _establish_alliance),
        "certmark.alliance.member_admitted.v1": (_AUTHORITY, _admit_member),
        "certmark.alliance.member_left.v1": (_AUTHORITY, _release_member),
        "certmark.key.added.v1": (_SPEAKERS, _add_key),
        "certmark.key.retired.v1": (_SPEAKERS, _retire_key),
        "certmark.key.compromised.v1": (_SPEAKERS, _compromise_key),
        "certmark.scheme.published.v1": (_AUTHORITY, _publish_scheme),
        "certmark.certificate.issued.v1": (("body",), _issue),
        "certmark.certificate.amended.v1": (("body",), _change),
        "certmark.certificate.surveillance_passed.v1": (("body",), _change),
        "certmark.certificate.suspended.v1": (("body",), _change),
        "certmark.certificate.resumed.v1": (("body",), _change),
        "certmark.certificate.revoked.v1": (("body",), _change),
        "certmark.certificate.cancelled.v1": (("body",), _change),
        "certmark.mark.authorized.v1": (("body", "alliance", "authority"), _authorize_mark),
        "certmark.mark.withdrawn.v1": (("body", "alliance", "authority"), _withdraw_mark),
        "certmark.mark.codes_issued.v1": (("body", "alliance", "authority"), _issue_codes),
        "certmark.declaration.made.v1": (("declarant",), _issue),
        "certmark.declaration.withdrawn.v1": (("declarant",), _withdraw_declaration),
    }
)
"""Every event type: which kinds of source may say it, and what it does."""
