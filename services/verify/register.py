"""The register as a verify node knows it: typed reading of the read model's records."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, cast

from services.domain.body import AllianceState, AuthorityState, BodyState, Key, KeyState, Purpose, key_from_state
from services.domain.certificate import Certificate, CertificateState, from_state
from services.domain.errors import Fault, Malformed
from services.domain.identifiers import instant_of
from services.domain.scheme import Scheme, SchemeRules, SchemeState, scheme_from_state
from services.events.keys import public_key
from services.events.record import Recorded, recorded
from services.marks.token import MarkKey, mark_kid
from services.verify.notices import Notices, notices_in
from services.verify.read_model import DamagedRow, Meta, ReadModel, Stored, certificate_key

UNREADABLE = (KeyError, TypeError, ValueError, AttributeError)
"""What it comes to where a state is of a form that this version does not know."""


class CannotSay(Fault):
    slug = "status-unknown"
    title = "This node's data is missing, incomplete or too old to answer from"
    zh = "本节点的数据缺失、不完整或过旧，无法答复"


@dataclass(frozen=True, slots=True)
class Token:
    """A mark's signed token for one product, or for the certificate where `gtin` is None."""

    mark_no: str
    gtin: str | None
    model: str
    token: str
    """base64url, as the record holds it"""


@dataclass(frozen=True, slots=True)
class Found:
    """A certificate with what its record says beside the state."""

    certificate: Certificate
    state: CertificateState
    """The same as published."""
    revision: int
    seq: int
    recorded_at: datetime
    digest: str | None
    under_review: bool
    tokens: tuple[Token, ...]
    history: tuple[Recorded, ...] = ()
    seal_kid: str = ""
    parent: Certificate | None = None
    """The certificate that this one is a part of, and falls with."""

    def tokens_of(self, mark_no: str) -> list[Token]:
        """The tokens of a mark to print from: of each product the newest, which comes first in the record."""
        newest: dict[tuple[str | None, str], Token] = {}
        for token in self.tokens:
            if token.mark_no == mark_no:
                newest.setdefault((token.gtin, token.model), token)
        return list(newest.values())


@dataclass(frozen=True, slots=True)
class Signer:
    """A mark key with the instant from which it may be in wrong hands."""

    key: MarkKey
    compromised_since: datetime | None


@dataclass(frozen=True, slots=True)
class Directory:
    """Everything but certificates: few records, kept in memory until one of them changes."""

    bodies: dict[str, BodyState]
    schemes: dict[str, Scheme]
    alliances: dict[str, AllianceState]
    authorities: dict[str, AuthorityState]
    signers: dict[bytes, tuple[Signer, ...]]
    keys: tuple[Key, ...] = ()
    notices: Notices = field(default_factory=Notices)
    hosts: tuple[str, ...] = ()
    """Those that the trust list calls the register's own."""

    @property
    def demonstration(self) -> bool:
        return any(authority.get("demonstration") for authority in self.authorities.values())

    def has_grace_on(self, day: date) -> bool:
        """Whether any scheme leaves time after a surveillance is due before it counts as overdue."""
        rules = (scheme.on(day) for scheme in self.schemes.values())
        return any(one is not None and one["surveillance_grace_days"] for one in rules)

    def scheme_on(self, scheme: str, day: date) -> SchemeRules | None:
        """The version in force on a day, or the first where none is yet."""
        found = self.schemes.get(scheme)
        if found is None or not found.versions:
            return None
        return found.on(day) or found.versions[0]


class Register:
    """Reads one node's file. Every method raises `read_model.Unreadable` where it cannot.

    One instance belongs to one thread.
    """

    def __init__(self, folder: Path) -> None:
        self.model = ReadModel(folder)
        self._directory: Directory | None = None
        self._directory_of: tuple[str, str, int] | None = None

    def meta(self) -> Meta:
        return self.model.meta()

    def directory(self, meta: Meta | None = None) -> Directory:
        """Everything but certificates, as of a `meta` that was just read."""
        meta = meta or self.meta()
        version = (self.model.target, meta.genesis, meta.directory)
        if self._directory is None or version != self._directory_of:
            self._directory = _directory(self.model)
            self._directory_of = version
        return self._directory

    def certificate(self, number: str) -> Found | None:
        stored = self.model.record(certificate_key(number))
        found = found_in(stored) if stored else None
        if found is None or found.certificate.parent_no is None:
            return found
        above = self.model.record(certificate_key(found.certificate.parent_no))
        return replace(found, parent=found_in(above).certificate) if above else found

    def certificates_with(self, kind: str, name: str, limit: int = 50) -> list[Found]:
        """Certificates that name a `mark`, `gtin` or `uscc`, the longest in force first."""
        found = (self.certificate(number) for number in self.model.certificates_with(kind, name, limit))
        return [one for one in found if one is not None]


def found_in(stored: Stored) -> Found:
    """The certificate of a stored record.

    Raises:
        DamagedRow: it is of a form that this version cannot read.
    """
    return found_of(stored.payload(), stored.key, stored.revision, stored.seq, stored.kid)


def found_of(payload: dict[str, Any], key: str, revision: int, seq: int, seal_kid: str) -> Found:
    """The certificate of a record's members; see `found_in` for the error."""
    try:
        return Found(
            certificate=from_state(payload["state"]),
            state=payload["state"],
            revision=revision,
            seq=seq,
            recorded_at=instant_of(payload["recorded_at"]),
            digest=payload["digest"],
            under_review=payload["under_review"],
            tokens=tuple(
                [
                    Token(t["mark_no"], t["gtin"], t["model"] or "", t["token"])
                    for t in payload["tokens"]
                    if "serials" not in t
                ]
            ),
            history=tuple([recorded(one) for one in payload.get("history", ())]),
            seal_kid=seal_kid,
        )
    except (*UNREADABLE, Malformed) as error:
        raise DamagedRow(f"{key}: {type(error).__name__}") from None


def certificate_in(key: str, state: object) -> Certificate:
    """The certificate of a state; see `found_in` for the error."""
    try:
        return from_state(cast(CertificateState, state))
    except UNREADABLE as error:
        raise DamagedRow(f"{key}: {type(error).__name__}") from None


def _directory(model: ReadModel) -> Directory:
    def states(kind: str) -> list[object]:
        return [stored.payload()["state"] for stored in model.records_under(kind)]

    bodies = [cast(BodyState, state) for state in states("body")]
    schemes = [scheme_from_state(cast(SchemeState, state)) for state in states("scheme")]
    alliances = [cast(AllianceState, state) for state in states("alliance")]
    authorities = [cast(AuthorityState, state) for state in states("authority")]
    keys = [cast(KeyState, state) for state in states("key")]
    return Directory(
        bodies={body["approval_no"]: body for body in bodies},
        schemes={scheme.id: scheme for scheme in schemes},
        alliances={alliance["id"]: alliance for alliance in alliances},
        authorities={authority["id"]: authority for authority in authorities},
        signers=_signers(keys),
        keys=tuple(key_from_state(key) for key in keys),
        notices=notices_in([*model.records_under("recall"), *model.records_under("warning")]),
        hosts=_hosts(model.record("trust")),
    )


def _hosts(trust: Stored | None) -> tuple[str, ...]:
    state = trust.payload()["state"] if trust else {}
    return tuple(str(host) for host in state.get("hosts", ()))


def _signers(states: list[KeyState]) -> dict[bytes, tuple[Signer, ...]]:
    signers: dict[bytes, tuple[Signer, ...]] = {}
    for state in states:
        key = key_from_state(state)
        if key.purpose is not Purpose.MARK:
            continue
        try:
            public = public_key(key.jwk)
        except Malformed:
            continue
        # A retired key signs nothing from that day on; what it signed before stays good.
        last = key.valid_until
        if key.retired_on is not None:
            before = date.fromordinal(key.retired_on.toordinal() - 1)
            last = before if last is None else min(last, before)
        kid = mark_kid(public)
        signers[kid] = (*signers.get(kid, ()), Signer(MarkKey(public, key.valid_from, last), key.compromised_since))
    return signers
