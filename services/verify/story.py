"""A certificate's story: what happened, who said so, why, from which day on, and when it was recorded."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from services.domain.certificate import Certificate, Status, StatusInterval
from services.domain.identifiers import civil_day
from services.domain.reasons import REASONS
from services.domain.unit_code import VOIDED
from services.events.record import Recorded
from services.language import Language
from services.verify.answer import Answer
from services.verify.register import Found
from services.verify.timed_page import to_the_minute
from services.verify.wording import HISTORY, LABELS, NO_REASON, SUSPENSION_OVERDUE, SUSPENSION_PLANNED

SHOWN = 12
"""What a page shows at once; the rest is behind a fold."""

TOLD = 60
"""What a page tells at all; a link leads to everything in the register."""

_STATUS_OF = {
    "certificate.issued": "issued",
    "declaration.made": "declared",
    "certificate.surveillance_passed": "surveillance",
    "certificate.renewed": "renewed",
    "certificate.suspended": "suspended",
    "certificate.resumed": "resumed",
    "certificate.revoked": "revoked",
    "certificate.cancelled": "cancelled",
    "certificate.superseded": "superseded",
    "declaration.withdrawn": "withdrawn",
    "certificate.amended": "amended",
    "certificate.corrected": "corrected",
    "certificate.transferred": "transferred",
    "certificate.received": "received",
}
"""What an event is called in HISTORY; those of marks, and what an authority says, by their own names."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened. `recorded` tells who reported it and when, `undone` what became of it since."""

    day: str
    text: str
    recorded: str = ""
    undone: str = ""


def story(answer: Answer, language: Language) -> list[Happening]:
    """Newest first. Of a record that has no history, what its state alone tells."""
    found = answer.found
    assert found is not None
    certificate = found.certificate
    told: list[tuple[date, Happening]]
    if found.history:
        told = [_told(found, one, answer, language) for one in found.history]
    else:
        told = list(_from_state(certificate, language))
    begun = min((day for day, _ in told), default=certificate.issued_on)
    if certificate.first_issued_on < begun:
        told.append(_plain(certificate.first_issued_on, LABELS["first_issued"][language]))
    end = certificate.valid_until
    if end is not None and end < answer.day and certificate.status in (Status.ACTIVE, Status.SUSPENDED):
        told.append(_plain(end, HISTORY["expired"][language]))
    told.sort(key=lambda one: one[0])  # stable: what was accepted later on the same day stays later
    ahead = HISTORY["ahead"][language]
    return [replace(one, text=one.text + ahead) if day > answer.day else one for day, one in reversed(told)]


def _plain(day: date, text: str) -> tuple[date, Happening]:
    return day, Happening(day.isoformat(), text)


# --- from what was recorded ---------------------------------------------------------------------------------


def _told(found: Found, entry: Recorded, answer: Answer, language: Language) -> tuple[date, Happening]:
    certificate = found.certificate
    day = entry.effective_at or civil_day(entry.recorded_at)
    at = to_the_minute(entry.recorded_at)
    who = answer.sources.get(entry.source, entry.source)
    undone = ""
    if entry.digest in certificate.annulled:
        undone = HISTORY["was_annulled"][language]
    elif any(entry.digest == corrected.of for corrected in certificate.corrected):
        undone = HISTORY["was_corrected"][language]
    recorded = HISTORY["recorded"][language].format(who=who, at=at)
    return day, Happening(day.isoformat(), _words(certificate, entry, day, language), recorded, undone)


def _words(certificate: Certificate, entry: Recorded, day: date, language: Language) -> str:
    name = entry.type.removeprefix("certmark.").removesuffix(".v1")
    kind = _STATUS_OF.get(name, name)
    if kind not in HISTORY:
        return HISTORY["other"][language].format(type=name)
    interval = next((one for one in _intervals(certificate) if one.digest == entry.digest), None)
    mark = next((m for m in certificate.marks if any(one.digest == entry.digest for one in m.statuses)), None)
    named = f" {mark.mark_no}" if mark and mark.mark_no != certificate.certificate_no else ""
    text = HISTORY[kind][language].format(
        until_clause=until_clause(interval, day, language) if interval else "",
        reason=reason_text(interval.reason if interval else None, language),
        superseded_by=certificate.superseded_by or "",
        mark=named,
    )
    parts = [part.name for part in certificate.parts if any(one.digest == entry.digest for one in part.statuses)]
    if parts:
        text += HISTORY["only_parts"][language].format(parts=LABELS["and"][language].join(parts))
    return text


def _intervals(certificate: Certificate) -> Iterator[StatusInterval]:
    yield from certificate.statuses
    for mark in certificate.marks:
        yield from mark.statuses
    for part in certificate.parts:
        yield from part.statuses


# --- from the state alone ------------------------------------------------------------------------------------


def _from_state(certificate: Certificate, language: Language) -> Iterator[tuple[date, Happening]]:
    for passed in certificate.surveillances:
        yield _plain(passed, HISTORY["surveillance"][language])
    renewals = [*(period.issued_on for period in certificate.periods), certificate.issued_on][1:]
    for renewed_on in renewals:
        yield _plain(renewed_on, HISTORY["renewed"][language])
    for number, interval in enumerate(certificate.statuses):
        yield _plain(interval.since, _status_words(certificate, interval, number == 0, language))


def _status_words(certificate: Certificate, interval: StatusInterval, first: bool, language: Language) -> str:
    kind = interval.status.value
    if interval.status is Status.ACTIVE:
        kind = ("declared" if certificate.declaration else "issued") if first else "resumed"
    elif interval.status is Status.CANCELLED and certificate.superseded_by:
        kind = "superseded"
    elif interval.status is Status.CANCELLED and certificate.declaration and not interval.reason:
        kind = "withdrawn"
    return HISTORY[kind][language].format(
        until_clause=until_clause(interval, interval.since, language),
        reason=reason_text(interval.reason, language),
        superseded_by=certificate.superseded_by or "",
    )


# --- reasons and ends in words -------------------------------------------------------------------------------


def reason_text(code: str | None, language: Language) -> str:
    """A reason code in words, the code behind it."""
    if not code:
        return NO_REASON[language]
    zh, en = REASONS.get(code) or VOIDED.get(code, (code, code))
    return f"{en if language == 'en' else zh} ({code})"


def until_clause(interval: StatusInterval, day: date, language: Language) -> str:
    if interval.until is None:
        return ""
    sentence = SUSPENSION_PLANNED if day <= interval.until else SUSPENSION_OVERDUE
    return sentence[language].format(until=interval.until.isoformat())
