"""What authorities, alliances and keys bring about: who may speak, and by which schemes, catalogues and calendars."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import cast

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
    is_member,
)
from services.domain.calendar import CalendarState
from services.domain.catalogue import (
    CatalogueState,
    class_of,
    with_mode,
    without_class,
)
from services.domain.errors import (
    BadDates,
    Malformed,
    NotResponsible,
    NumberTaken,
    SchemeRule,
    TransitionNotAllowed,
    UnknownSubject,
)
from services.domain.identifiers import instant_of
from services.domain.said import CalendarData, CatalogueData, ClassChangeData, CompetenceData, Moment, Said
from services.domain.scheme import Scheme, scheme_rules, scheme_state
from services.domain.transition import check_ahead
from services.domain.world import Changes, World

# --- who may speak ---------------------------------------------------------------------------------------


def establish_authority(said: Said, world: World, moment: Moment) -> Changes:
    if world.authority(said.subject) is not None:
        raise NumberTaken(f"authority {said.subject} is established already", pointer="/subject")
    jwk = said.data["key"]
    kid = _kid(jwk, world)
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


def approve_body(said: Said, world: World, moment: Moment) -> Changes:
    """For the first time, again after it lost its approval, or for longer than until the end that was named before."""
    effective_at = said.data["effective_at"]
    check_ahead(date.fromisoformat(effective_at), moment)
    before = world.body(said.subject)
    ended = before["approved_until"] if before else None
    if before is not None and before["status"] == BodyStatus.APPROVED and ended is None:
        raise TransitionNotAllowed(f"{said.subject} is approved already", pointer="/type")
    statuses = list(before["statuses"]) if before else []
    if ended is not None and statuses[-1]["status"] == BodyStatus.APPROVED:
        gap = (date.fromisoformat(ended) + timedelta(days=1)).isoformat()
        if gap < effective_at:  # the days in between stay without approval
            statuses.append({"status": BodyStatus.SUSPENDED.value, "from": gap})
    after: BodyState = {
        "v": 1,
        "kind": "body",
        "approval_no": said.subject,
        "name": said.data["name"],
        "schemes": _competence_from(before["schemes"] if before else [], said),
        "approved_from": before["approved_from"] if before else effective_at,
        "approved_until": said.data.get("until"),
        "status": BodyStatus.APPROVED.value,
        "statuses": [*statuses, {"status": "approved", "from": effective_at}],
        "backfills": before["backfills"] if before else [],
    }
    return {f"body/{said.subject}": after}


def _competence_from(held: Sequence[CompetenceState], said: Said) -> list[CompetenceState]:
    """The scope of an approval; what was held before it ends on its eve, unless it is said anew from as early a day."""
    granted = [_competence(data) for data in said.data["schemes"]]
    eve = (date.fromisoformat(said.data["effective_at"]) - timedelta(days=1)).isoformat()
    earlier: list[CompetenceState] = [
        {**s, "until": min(s["until"] or eve, eve)}
        for s in held
        if s["from"] <= eve and not any(g["scheme"] == s["scheme"] and g["from"] <= s["from"] for g in granted)
    ]
    return earlier + granted


def _competence(data: CompetenceData) -> CompetenceState:
    granted: CompetenceState = {"scheme": data["scheme"], "from": data["from"], "until": data.get("until")}
    codes = data.get("codes")
    return {**granted, "codes": sorted(codes)} if codes else granted


def change_scope(said: Said, world: World, moment: Moment) -> Changes:
    """The new scope from a date on; what it leaves out ends the day before and is never deleted."""
    before = _body(said.subject, world)
    effective_at = date.fromisoformat(said.data["effective_at"])
    check_ahead(effective_at, moment)
    eve = (effective_at - timedelta(days=1)).isoformat()
    listed = [_competence(data) for data in said.data["schemes"]]
    named = [(s["scheme"], s.get("codes")) for s in listed]
    kept: list[CompetenceState] = [
        s if s["until"] or (s["scheme"], s.get("codes")) in named else {**s, "until": eve} for s in before["schemes"]
    ]
    still_open = [(s["scheme"], s.get("codes")) for s in kept if not s["until"]]
    added = [s for s in listed if (s["scheme"], s.get("codes")) not in still_open]
    after: BodyState = {**before, "schemes": [*kept, *added]}
    return {f"body/{said.subject}": after}


def suspend_body(said: Said, world: World, moment: Moment) -> Changes:
    """It issues nothing until `body.approved` again, and still ends what it issued."""
    before = _body(said.subject, world)
    effective_at = date.fromisoformat(said.data["effective_at"])
    check_ahead(effective_at, moment)
    if before["status"] != BodyStatus.APPROVED:
        raise TransitionNotAllowed(f"{said.subject} is {before['status']}", pointer="/type")
    if effective_at.isoformat() < before["statuses"][-1]["from"]:
        raise BadDates("suspended before it was approved", pointer="/data/effective_at")
    suspended: BodyStatusState = {"status": BodyStatus.SUSPENDED.value, "from": effective_at.isoformat()}
    after: BodyState = {**before, "status": suspended["status"], "statuses": [*before["statuses"], suspended]}
    return {f"body/{said.subject}": after}


def disqualify_body(said: Said, world: World, moment: Moment) -> Changes:
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


def open_backfill(said: Said, world: World, moment: Moment) -> Changes:
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


def establish_alliance(said: Said, world: World, moment: Moment) -> Changes:
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


def admit_member(said: Said, world: World, moment: Moment) -> Changes:
    alliance, body = _alliance(said, world), _body(said.data["body"], world)
    effective_at = date.fromisoformat(said.data["effective_at"])
    if is_member(alliance, body["approval_no"], effective_at):
        raise TransitionNotAllowed(f"{body['approval_no']} is a member already", pointer="/data/body")
    member: MemberState = {"body": body["approval_no"], "from": effective_at.isoformat(), "until": None}
    after: AllianceState = {**alliance, "members": [*alliance["members"], member]}
    return {f"alliance/{said.subject}": after}


def release_member(said: Said, world: World, moment: Moment) -> Changes:
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


def add_key(said: Said, world: World, moment: Moment) -> Changes:
    owner, purpose = said.data["owner"], Purpose(said.data["purpose"])
    if _kid(said.data["key"], world) != said.subject:
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
        "from": said.data["from"],
        "until": said.data.get("until"),
        "retired_on": None,
        "compromised_since": None,
    }
    return {f"key/{said.subject}": key}


def _kid(jwk: Mapping[str, str], world: World) -> str:
    """The kid of a key that has come this far by its form alone: whether it is one, only its numbers say."""
    try:
        return world.thumbprint(jwk)
    except Malformed as error:
        raise SchemeRule(error.detail, pointer="/data/key") from None


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


def retire_key(said: Said, world: World, moment: Moment) -> Changes:
    """From a day on; one that was announced may be put off until it has come, and a key that has retired stays so."""
    key = _own_key(said, world)
    effective_at = date.fromisoformat(said.data["effective_at"])
    if key["retired_on"] is not None and key["retired_on"] <= moment.today.isoformat():
        raise TransitionNotAllowed(f"the key is retired since {key['retired_on']}", pointer="/type")
    if effective_at < moment.today:
        raise BadDates("a key retires today or later: what it signed before stands", pointer="/data/effective_at")
    return {f"key/{said.subject}": {**key, "retired_on": effective_at.isoformat()}}


def compromise_key(said: Said, world: World, moment: Moment) -> Changes:
    """From an instant on; a later word may name an earlier one alone: who has stolen a key must not get it back."""
    key = _own_key(said, world)
    before = key["compromised_since"]
    if before is not None and instant_of(said.data["since"]) >= instant_of(before):
        raise TransitionNotAllowed(f"the key is compromised since {before}", pointer="/data/since")
    return {f"key/{said.subject}": {**key, "compromised_since": said.data["since"]}}


def _own_key(said: Said, world: World) -> KeyState:
    key = world.key(said.subject)
    if key is None:
        raise UnknownSubject(f"no key {said.subject}", pointer="/subject")
    if said.source_kind != "authority" and key["owner"] != said.source:
        raise NotResponsible(f"the key belongs to {key['owner']}", pointer="/subject")
    return key


# --- schemes -------------------------------------------------------------------------------------------------


def publish_scheme(said: Said, world: World, moment: Moment) -> Changes:
    state = world.scheme(said.subject)
    versions = state["versions"] if state else []
    rules = scheme_rules(said.data)
    _check_later(versions, rules["effective_at"], moment)
    if versions and (
        rules["version"] <= versions[-1]["version"] or rules["effective_at"] < versions[-1]["effective_at"]
    ):
        raise BadDates(
            f"version {rules['version']} of {said.subject} does not follow version {versions[-1]['version']}",
            pointer="/data/version",
        )
    scheme = Scheme(said.subject, (*versions, rules))
    return {f"scheme/{said.subject}": scheme_state(scheme)}


def _check_later(versions: object, effective_at: str, moment: Moment) -> None:
    """Only a first version may begin in the past: what was decided by the present one has to stay right."""
    if versions and effective_at < moment.today.isoformat():
        raise BadDates("a later version takes effect today or later", pointer="/data/effective_at")


# --- catalogues and calendars ------------------------------------------------------------------------------


def publish_catalogue(said: Said, world: World, moment: Moment) -> Changes:
    """The whole catalogue as it stands from a day on: what it leaves out is not removed by that (`class_removed`)."""
    data = cast(CatalogueData, said.data)
    before = world.catalogue(said.subject)
    _check_later(before, data["effective_at"], moment)
    if before is not None and data["version"] <= before["version"]:
        raise BadDates(
            f"version {data['version']} does not follow version {before['version']}", pointer="/data/version"
        )
    after: CatalogueState = {
        "v": 1,
        "kind": "catalogue",
        "id": said.subject,
        "name": data["name"],
        "version": data["version"],
        "classes": before["classes"] if before else [],
    }
    for listed in data["classes"]:
        after = with_mode(after, listed["class"], listed["mode"], data["effective_at"], None, listed["name"])
    return {f"catalogue/{said.subject}": after}


def change_class_mode(said: Said, world: World, moment: Moment) -> Changes:
    data = cast(ClassChangeData, said.data)
    catalogue = _catalogue(said, world, data["class"])
    _check_later(catalogue, data["effective_at"], moment)
    mode, transition_until = data["mode"], data.get("transition_until")
    listed = class_of(catalogue, data["class"])
    assert listed is not None
    if listed["modes"][-1]["mode"] == mode:
        raise TransitionNotAllowed(f"class {data['class']} is in mode {mode} already", pointer="/data/mode")
    if transition_until is not None and transition_until < data["effective_at"]:
        raise BadDates("the transition ends before it begins", pointer="/data/transition_until")
    after = with_mode(catalogue, data["class"], mode, data["effective_at"], transition_until, listed["name"])
    return {f"catalogue/{said.subject}": after}


def remove_class(said: Said, world: World, moment: Moment) -> Changes:
    """The class leaves; that its certificates are cancelled follows as consequences (`fold.consequence`)."""
    data = cast(ClassChangeData, said.data)
    catalogue = _catalogue(said, world, data["class"])
    _check_later(catalogue, data["effective_at"], moment)
    check_ahead(date.fromisoformat(data["effective_at"]), moment)
    return {f"catalogue/{said.subject}": without_class(catalogue, data["class"], data["effective_at"], said.digest)}


def _catalogue(said: Said, world: World, product_class: str) -> CatalogueState:
    catalogue = world.catalogue(said.subject)
    if catalogue is None:
        raise UnknownSubject(f"no catalogue {said.subject}", pointer="/subject")
    listed = class_of(catalogue, product_class)
    if listed is None or listed["removed_on"] is not None:
        raise UnknownSubject(f"class {product_class} is not in the catalogue", pointer="/data/class")
    return catalogue


def publish_calendar(said: Said, world: World, moment: Moment) -> Changes:
    data = cast(CalendarData, said.data)
    year = said.subject
    for name in ("days_off", "working_days"):
        strangers = [day for day in cast(Mapping[str, list[str]], data)[name] if not day.startswith(f"{year}-")]
        if strangers:
            raise BadDates(f"{strangers[0]} does not lie in {year}", pointer=f"/data/{name}")
    calendar: CalendarState = {
        "v": 1,
        "kind": "calendar",
        "year": int(year),
        "days_off": sorted(data["days_off"]),
        "working_days": sorted(data["working_days"]),
    }
    return {f"calendar/{year}": calendar}
