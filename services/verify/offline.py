"""The answer to a scanned text with the network off: a token, a trust list and status lists, no I/O and no clock."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from services.domain.body import Purpose
from services.domain.errors import CertmarkError
from services.domain.identifiers import civil_day
from services.marks.signers import KeyStanding, Signer
from services.marks.status_list import Status, StatusList, check_list, open_list, verify_list
from services.marks.token import (
    MarkClaims,
    OpenToken,
    SignatureRefused,
    TokenRefused,
    UnknownSigner,
    from_decimal,
    open_token,
    verify_token,
)
from services.marks.trust_list import Trusted, TrustList
from services.marks.voided import UnitStatus, unit_in
from services.verify.recognise import Question, recognise
from services.verify.scan_wording import Why
from services.verify.wording import Code

CLOCK = timedelta(minutes=10)
"""What a clock may be slow before the lists seem to come from its future."""

_SAID = {
    Status.VALID: Code.VALID,
    Status.REVOKED: Code.REVOKED,
    Status.SUSPENDED: Code.SUSPENDED,
    Status.CANCELLED: Code.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Held:
    """What is at hand: a trust list that was believed, or why there is none; the bytes of a status list by its number.

    `hosts` count as the register's own until a trust list names them; till then no other is called an impostor.
    """

    trusted: Trusted | None
    why: Why
    status_list: Callable[[int], bytes | None]
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OfflineAnswer:
    """A code and, once a registered signer stands behind it, what the scanned text said.

    `why` says what `status_unknown` rests on. `status` is the list that was asked, for its age.
    """

    code: Code
    question: Question
    checked_at: datetime
    why: Why | None = None
    claims: MarkClaims | None = None
    trust: TrustList | None = None
    status: StatusList | None = None


def check(text: str, held: Held, now: datetime) -> OfflineAnswer:
    """Judge a text in the order of docs/scan.md; nothing of a token is given out before its signature holds.

    1. an address of another host, or no address: the text alone decides; 2. length, alphabet and form of the token;
    3. its key in the trust list, on the day of signing; 4. its signature; 5. the bar code's check digit; 6. the end of
    the printed validity, which says nothing of a renewal; 7. the status list's signature and expiry; 8. the status;
    9. where that is good and the code is one unit's, whether the list names it as voided.
    """
    trust = held.trusted.list if held.trusted else None
    question = recognise(text, trust.hosts if trust else held.hosts)
    blank = OfflineAnswer(question.decided or Code.STATUS_UNKNOWN, question, now, trust=trust)
    if trust is None and question.decided is Code.IMPOSTOR_HOST:
        return replace(blank, code=Code.STATUS_UNKNOWN, why=held.why)  # nobody has said which hosts are ours
    if question.token is None or question.path is None:
        return blank if question.decided else replace(blank, why=Why.NEEDS_NETWORK)
    try:
        token = open_token(from_decimal(question.token))
    except TokenRefused as refused:
        return replace(blank, code=Code(refused.code))
    unknown = replace(blank, code=Code.STATUS_UNKNOWN)
    if held.trusted is None or trust is None:
        return replace(unknown, why=held.why)
    if trust.issued_at > now + CLOCK:
        return replace(unknown, why=Why.CLOCK_BEHIND)
    if min(trust.expires_at, held.trusted.root.expires_at) <= now:
        return replace(unknown, why=Why.TRUST_LIST_EXPIRED)
    try:
        claims, signer = _believed(token, question, trust)
    except TokenRefused as refused:
        # A key that is younger than the list may be among what it could not know yet.
        signed_on = token.claims.issued_on
        if refused.code == UnknownSigner.code and civil_day(trust.issued_at) < signed_on <= civil_day(now):
            return replace(unknown, why=Why.NEWER_THAN_LIST)
        return replace(blank, code=Code(refused.code))
    if signer.state is KeyStanding.COMPROMISED:
        return replace(unknown, why=Why.KEY_COMPROMISED)  # whoever has the key can sign what he likes
    if question.decided:
        return replace(blank, code=question.decided)  # the check digit: signed, and still no bar code
    found = _standing(replace(unknown, claims=claims), claims, trust, held, now)
    return _of_unit(found, claims) if found.code is Code.VALID and question.path.serial is not None else found


def _believed(token: OpenToken, question: Question, trust: TrustList) -> tuple[MarkClaims, Signer]:
    """The claims and the key behind them; a compromised key is asked last."""
    assert question.path is not None
    marks = [signer for signer in trust.signers if signer.purpose is Purpose.MARK]
    marks.sort(key=lambda signer: signer.state is KeyStanding.COMPROMISED)
    refusal: TokenRefused = UnknownSigner("no mark key with this kid on the day of signing")
    for signer in marks:
        try:
            claims = verify_token(token, question.path, [signer.as_mark_key()])
        except SignatureRefused as refused:
            refusal = refused
        except UnknownSigner:
            continue
        else:
            if question.number is not None and claims.certificate_no != question.number:
                raise SignatureRefused("signed for another number")
            return claims, signer
    raise refusal


def _standing(unknown: OfflineAnswer, claims: MarkClaims, trust: TrustList, held: Held, now: datetime) -> OfflineAnswer:
    if _is_past(claims.last_valid_day, civil_day(now)):
        return replace(unknown, why=Why.PRINTED_VALIDITY_PAST)
    raw = held.status_list(claims.list_id)
    if raw is None:
        return replace(unknown, why=Why.NO_STATUS_LIST)
    try:
        content = verify_list(open_list(raw), trust.signers)
        # Which one it is comes before its age; whether it has run out is asked below, of the list that it is.
        check_list(content, trust.status_uri(claims.list_id), datetime.min.replace(tzinfo=UTC))
        said = _SAID[Status(content.status(claims.index))]
    except (CertmarkError, ValueError):  # ValueError: a list of another width
        return replace(unknown, why=Why.STATUS_LIST_REFUSED)
    known = replace(unknown, status=content)
    if content.issued_at > now + CLOCK:
        return replace(known, why=Why.CLOCK_BEHIND)
    if content.expires_at <= now:
        return replace(known, why=Why.STATUS_LIST_EXPIRED)
    return replace(known, code=said)


def _of_unit(valid: OfflineAnswer, claims: MarkClaims) -> OfflineAnswer:
    assert valid.question.path is not None
    assert valid.status is not None
    said = unit_in(valid.status.voided, claims.mark_no, valid.question.path.aad)
    if said is UnitStatus.UNTOLD:
        return replace(valid, code=Code.STATUS_UNKNOWN, why=Why.UNIT_UNTOLD)
    return replace(valid, code=Code.MARK_NOT_AUTHORIZED) if said is UnitStatus.VOIDED else valid


def _is_past(last: date | None, day: date) -> bool:
    return last is not None and day > last
