"""Every error that an outsider can meet, defined once: slug, title and HTTP status.

`problems.py` renders them as RFC 9457, the registry writes refusals into entries by their slug, and a
test compares this file with the documentation.
"""

from typing import ClassVar


class CertmarkError(Exception):
    """An answer to bad input, with a stable code.

    `detail` says what is wrong with this input, `pointer` is the RFC 6901 JSON pointer of the member
    concerned (empty: the whole), `hint` says what to do about it.
    """

    slug: ClassVar[str] = "error"
    title: ClassVar[str] = "Error"
    status: ClassVar[int] = 500

    def __init__(self, detail: str, *, pointer: str = "", hint: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.pointer = pointer
        self.hint = hint


# --- malformed: unreadable; 400 from ingest, quarantine when it came past the ingest -----------------


class Malformed(CertmarkError):
    slug = "malformed"
    title = "The input cannot be read"
    status = 400


class NotAnEnvelope(Malformed):
    slug = "not-an-envelope"
    title = "Not a JWS in compact form with the header members alg, kid and typ"


class TooLarge(Malformed):
    slug = "too-large"
    title = "The payload is larger than 64 KiB, or the request larger than its limit"
    status = 413


class NotJson(Malformed):
    slug = "not-json"
    title = "The payload is not one JSON object in UTF-8"


class DuplicateKey(Malformed):
    slug = "duplicate-key"
    title = "A JSON object names the same member twice"


class BadNumber(Malformed):
    slug = "bad-number"
    title = "NaN, infinity, or an integer beyond 2^53-1"


class TooDeep(Malformed):
    slug = "too-deep"
    title = "JSON nested deeper than 32 levels"


class BadText(Malformed):
    slug = "bad-text"
    title = "Text holds a lone surrogate or U+0000"


class UnknownType(Malformed):
    slug = "unknown-type"
    title = "No such event type"


class BadEvent(Malformed):
    slug = "bad-event"
    title = "The event does not match its published schema"


class BadRequest(Malformed):
    slug = "bad-request"
    title = "The request cannot be understood"


class NotFound(CertmarkError):
    slug = "not-found"
    title = "There is nothing here by that name"
    status = 404


class TooManyRequests(CertmarkError):
    slug = "too-many-requests"
    title = "More requests than this source may send at present"
    status = 429


# --- untrusted: a signature, a key or a claim of identity that does not hold; quarantine ---------------


class Untrusted(CertmarkError):
    slug = "untrusted"
    title = "Not trusted"
    status = 401


class AlgorithmNotAllowed(Untrusted):
    slug = "algorithm-not-allowed"
    title = "The signature algorithm is not the one that this key is allowed to use"


class UnknownKey(Untrusted):
    slug = "unknown-key"
    title = "No key with this kid is registered"


class KeyNotValid(Untrusted):
    slug = "key-not-valid"
    title = "The key is not valid at this time, or not for this purpose"


class BadSignature(Untrusted):
    slug = "bad-signature"
    title = "The signature does not match the content"


class NotThisSource(Untrusted):
    slug = "not-this-source"
    title = "The key belongs to another source than the event names"
    status = 403


class IdConflict(Untrusted):
    slug = "id-conflict"
    title = "This source has used the same event id with other content"
    status = 409


# --- refusals: readable and signed, but not allowed; recorded and final ------------------------------------


class Refusal(CertmarkError):
    slug = "refused"
    title = "Not allowed"
    status = 409


class SequenceStale(Refusal):
    slug = "sequence-stale"
    title = "This place in the chain is already taken"


class ChainForked(Refusal):
    slug = "chain-forked"
    title = "previous is not the digest of the last event of this chain"


class SequenceTooFar(Refusal):
    slug = "sequence-too-far"
    title = "The sequence is more than 64 ahead of its chain"


CHAIN_REFUSALS = (SequenceStale, ChainForked, SequenceTooFar)
"""Refusals of the chain itself: the only ones that do not advance it."""


class NumberTaken(Refusal):
    slug = "number-taken"
    title = "The number is already in the register"


class UnknownCertificate(Refusal):
    slug = "unknown-certificate"
    title = "No certificate or declaration with this number"


class UnknownMark(Refusal):
    slug = "unknown-mark"
    title = "No mark authorization with this number on this certificate"


class UnknownSubject(Refusal):
    slug = "unknown-subject"
    title = "The body, alliance, key or scheme is not in the register"


class NotResponsible(Refusal):
    slug = "not-responsible"
    title = "Another source is responsible for this subject"


class NotCompetent(Refusal):
    slug = "not-competent"
    title = "The body is not approved for this scheme on that date"


class UnknownScheme(Refusal):
    slug = "unknown-scheme"
    title = "No version of this scheme is in force on that date"


class SchemeRule(Refusal):
    slug = "scheme-rule"
    title = "The scheme's rules do not allow this"


class TransitionNotAllowed(Refusal):
    slug = "transition-not-allowed"
    title = "The present status does not allow this event"


class UnknownReason(Refusal):
    slug = "unknown-reason"
    title = "The reason code is not one of those that this event may give"


class BadDates(Refusal):
    slug = "bad-dates"
    title = "The dates contradict each other, the last accepted event, or the limit of 30 days ahead"


class BadCorrection(Refusal):
    slug = "bad-correction"
    title = "The correction does not fit what it corrects"


class NothingToChange(Refusal):
    slug = "nothing-to-change"
    title = "The event would change nothing, or names something that is not there"


# --- faults: our trouble; the position does not move -------------------------------------------------------


class Fault(CertmarkError):
    slug = "fault"
    title = "The service is in trouble; nothing was decided"
    status = 503


class LogUnavailable(Fault):
    slug = "log-unavailable"
    title = "The log did not acknowledge in time: unknown whether it was stored; send the same bytes again"


class LogMisconfigured(Fault):
    slug = "log-misconfigured"
    title = "A topic exists with settings that would lose or reorder events"


class LogTruncated(Fault):
    slug = "log-truncated"
    title = "The log no longer holds the position that we have reached"


class RegisterBehind(Fault):
    slug = "register-behind"
    title = "The database is older than what was already published from it"


class NotConfigured(Fault):
    slug = "not-configured"
    title = "The settings contradict each other or something needed is missing"


def every_error() -> dict[str, type[CertmarkError]]:
    """All leaf errors by slug, for documentation, schemas and the look-up of a stored refusal."""
    found: dict[str, type[CertmarkError]] = {}
    waiting: list[type[CertmarkError]] = [CertmarkError]
    while waiting:
        error = waiting.pop()
        waiting += error.__subclasses__()
        found.setdefault(error.slug, error)
    return dict(sorted(found.items()))
