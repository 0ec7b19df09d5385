"""A certificate folded anew from what was said about it: as of a day, as known then, corrected and annulled."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import cast

from services.domain.certificate import (
    Certificate,
    Corrected,
    Flag,
    Mark,
    Part,
    Status,
    StatusInterval,
    rows_of,
)
from services.domain.errors import Refusal, UnknownScheme
from services.domain.lifecycle import BEGINNINGS, apply
from services.domain.said import EventData, Moment, Said
from services.domain.scheme import Scheme, SchemeRules, scheme_rules
from services.domain.standing import interval_on

CORRECTED = "certmark.certificate.corrected.v1"
ANNULLED = "certmark.decision.annulled.v1"
CLASS_REMOVED = "certmark.catalogue.class_removed.v1"
SCHEME_PUBLISHED = "certmark.scheme.published.v1"
KEY_COMPROMISED = "certmark.key.compromised.v1"
CAUSES = frozenset({ANNULLED, CLASS_REMOVED, KEY_COMPROMISED})
"""What an authority says that has a consequence for each of many certificates."""


@dataclass(frozen=True, slots=True)
class Told:
    """One accepted entry about a subject. A consequence carries what its cause said."""

    seq: int
    consequence: bool
    said: Said
    moment: Moment


RulesOn = Callable[[str, date, int], SchemeRules | None]
"""The version of a scheme that is in force on a day, of those that were published before an entry (its seq)."""


def rules_told(told: Callable[[str], Sequence[Told]]) -> RulesOn:
    """The rules of schemes from what was told about each: a version judges nothing that was decided before it came."""
    versions: dict[str, list[tuple[int, SchemeRules]]] = {}

    def rules_on(scheme_id: str, day: date, seq: int) -> SchemeRules | None:
        if scheme_id not in versions:
            published = [one for one in told(scheme_id) if one.said.type == SCHEME_PUBLISHED]
            versions[scheme_id] = [(one.seq, scheme_rules(one.said.data)) for one in published]
        known = tuple(rules for published, rules in versions[scheme_id] if published < seq)
        return Scheme(scheme_id, known).on(day)

    return rules_on


@dataclass(frozen=True, slots=True)
class Folded:
    """What stands after the fold, and the events that could do nothing any more, each with the reason."""

    certificate: Certificate | None
    moot: Mapping[str, Refusal]


def fold(told: Sequence[Told], rules_on: RulesOn, at: date | None = None) -> Folded:
    """Apply entries in order of seq: those that have taken effect by a day, or all.

    An event that was corrected counts as corrected. One that was annulled counts as never said from the day on which
    the annulment takes effect; until then it stood. An issue that was annulled leaves the certificate revoked. Each
    event meets what the entries before it have left, annulments among them, so that a fold of all entries is what one
    entry after the other came to.
    """
    about = [one for one in told if one.consequence or is_about_a_certificate(one.said)]
    corrections = [one.said for one in about if one.said.type == CORRECTED]
    annulments = [
        _annulment(place, one.said, about, corrections)
        for place, one in enumerate(about)
        if _annuls(one) and _has_come(one.said, at)
    ]
    return _Story(about, corrections, annulments, rules_on, at).told_to(len(about), frozenset())


@dataclass(frozen=True, slots=True)
class _Annulment:
    """At a place in the story. `whole`: it takes effect no later than what it annuls, which so never stood at all.

    `lifts`: it annuls another annulment.
    """

    place: int
    digest: str
    target: str
    day: date
    whole: bool
    of_issue: bool
    lifts: bool

    def is_seen_from(self, day: date) -> bool:
        """Whether it says more for the days from one on than that its target was never said.

        Without its issue there is no certificate, and an annulled issue leaves one that is revoked.
        """
        return self.of_issue or (not self.whole and self.day > day)


def _annulment(place: int, said: Said, about: Sequence[Told], corrections: Sequence[Said]) -> _Annulment:
    day, target = date.fromisoformat(said.data["effective_at"]), said.data["digest"]
    annulled = next(one.said for one in about if one.said.digest == target)
    whole = day <= _first_day(annulled, about, corrections)
    return _Annulment(place, said.digest, target, day, whole, _begins(annulled), annulled.type == ANNULLED)


DEEPEST = 6
"""Annulments from later and later days that are thought through with each other; of more, the first count as whole."""


@dataclass(frozen=True, slots=True)
class _Story:
    """The entries about one certificate."""

    about: Sequence[Told]
    corrections: Sequence[Said]
    annulments: Sequence[_Annulment]
    rules_on: RulesOn
    at: date | None

    def told_to(self, end: int, gone: frozenset[str], since: date | None = None) -> Folded:
        """What the entries before a place have left, had those that are gone never been said.

        An annulment sets what stood beside what would stand without its target. The latter is looked at from a day on
        alone: annulments that have taken effect by then are told by leaving their targets out. Each other one doubles
        the work. An annulment may itself be gone, or annulled: then its target counts again.
        """
        known = [one for one in self.annulments if one.place < end and not gone & {one.target, one.digest}]
        later = known if since is None else [one for one in known if one.is_seen_from(since)][-DEEPEST:]
        early = [one for one in known if one not in later]
        left_out = gone | _annulled_by(early, gone)
        later = [one for one in later if one.digest not in left_out]
        if not later:
            return self._applied(None, 0, end, left_out)
        last = later[-1]
        never = gone | {last.target}
        never |= _annulled_by(early, never)
        before = self.told_to(last.place, left_out, since)
        if last.whole and last.lifts:  # as if that annulment had never been said
            joined = self.told_to(last.place, never, since).certificate
        else:
            joined, without = before.certificate, self.told_to(last.place, never, last.day).certificate
            if without is not None or last.of_issue:  # else the issue was annulled before, and that stands
                joined = _joined(joined, without, last.day, last.digest)
        if joined is not None:
            joined = replace(joined, annulled=tuple(sorted(_annulled_by(known, gone))))
        after = self._applied(joined, last.place + 1, end, left_out)
        return Folded(after.certificate, {**before.moot, **after.moot})

    def _applied(self, certificate: Certificate | None, start: int, end: int, gone: frozenset[str]) -> Folded:
        moot: dict[str, Refusal] = {}
        corrections = [one for one in self.corrections if one.digest not in gone]
        for one in self.about[start:end]:
            said = one.said
            if said.digest in gone or _annuls(one):
                continue
            if said.type == CORRECTED:
                if certificate is not None:
                    pair = Corrected(said.data["of"], said.digest)
                    certificate = replace(certificate, corrected=(*certificate.corrected, pair))
                continue
            said = corrected(said, corrections)
            begins = _begins(said)
            if not begins and not _has_come(said, self.at):
                continue
            if one.consequence:
                certificate = certificate and consequence(certificate, said)
                continue
            scheme = said.data["scheme"] if begins else certificate.scheme if certificate else ""
            judged_on = (said.data.get("issued_on") if begins else None) or said.data["effective_at"]
            rules = self.rules_on(scheme, date.fromisoformat(judged_on), one.seq)
            if rules is None:
                moot[said.digest] = UnknownScheme(f"no version of {scheme!r} is in force on {judged_on}")
                continue
            try:
                certificate = apply(certificate, said, rules, replace(one.moment, history=True))
            except Refusal as refusal:
                moot[said.digest] = refusal
        return Folded(certificate, moot)


def _annulled_by(annulments: Sequence[_Annulment], gone: frozenset[str]) -> frozenset[str]:
    """The targets of these annulments, in their order, but of those that are gone or annulled by a later one."""
    targets: set[str] = set()
    for one in reversed(annulments):
        if one.digest not in gone and one.digest not in targets:
            targets.add(one.target)
    return frozenset(targets)


def is_annulled(told: Callable[[str], Sequence[Told]], digest: str) -> bool:
    """Whether an annulment of an entry stands, by what was told about each digest: one may itself be annulled."""
    return any(one.said.type == ANNULLED and not is_annulled(told, one.said.digest) for one in told(digest))


def _first_day(said: Said, about: Sequence[Told], corrections: Sequence[Said]) -> date:
    """The earliest day from which an event counted, as it was said or corrected; of a correction, what it corrects."""
    if said.type == CORRECTED:
        return _first_day(next(one.said for one in about if one.said.digest == said.data["of"]), about, corrections)
    fields = [cast(Mapping[str, str], one.data["fields"]) for one in corrections if one.data["of"] == said.digest]
    texts = [
        found["effective_at"] for found in (cast(Mapping[str, str], said.data), *fields) if "effective_at" in found
    ]
    return date.fromisoformat(min(texts)) if texts else date.max


def is_about_a_certificate(said: Said) -> bool:
    """A number may look like another subject's, a body's approval number say: what was said of that is not for here."""
    return said.type.split(".")[1] in ("certificate", "mark", "declaration")


def _annuls(one: Told) -> bool:
    return one.said.type == ANNULLED


def _has_come(said: Said, at: date | None) -> bool:
    return at is None or date.fromisoformat(said.data.get("effective_at", "0001-01-01")) <= at


def _begins(said: Said) -> bool:
    family, _, word = said.type.removeprefix("certmark.").removesuffix(".v1").partition(".")
    return (family, word) in BEGINNINGS


def corrected(said: Said, corrections: Sequence[Said]) -> Said:
    """An event with the members that later corrections have replaced."""
    fields: dict[str, object] = {}
    for correction in corrections:
        if correction.data["of"] == said.digest:
            fields |= cast(Mapping[str, object], correction.data["fields"])
    return replace(said, data=cast(EventData, {**said.data, **fields})) if fields else said


def consequence(certificate: Certificate, cause: Said) -> Certificate:
    """What an authority's event brings about for one certificate; nothing where it has ended already."""
    if cause.type == KEY_COMPROMISED:
        flag = Flag("key_compromised", cause.digest, cause.data["since"])
        return certificate if flag in certificate.flags else replace(certificate, flags=(*certificate.flags, flag))
    day = date.fromisoformat(cause.data["effective_at"])
    running = interval_on(certificate.statuses, day)
    if running is not None and running.status in (Status.REVOKED, Status.CANCELLED):
        return certificate
    # What was to begin later never comes to be, but for a revocation: it is the graver end.
    kept = tuple(i for i in certificate.statuses if i.since <= day) or certificate.statuses[:1]
    graver = tuple(i for i in certificate.statuses[len(kept) :] if i.status is Status.REVOKED)
    reason = cause.data.get("reason") or "C05"
    cancelled = StatusInterval(Status.CANCELLED, max(day, kept[-1].since), None, reason, None, cause.digest)
    return replace(certificate, statuses=(*kept, cancelled, *graver))


# --- before and after an annulment ------------------------------------------------------------------------


def _joined(before: Certificate | None, after: Certificate | None, day: date, digest: str) -> Certificate | None:
    """What stood until a day, and from then on what stands without the annulled event."""
    if after is None:
        return before and replace(before, statuses=_ended(before.statuses, Status.REVOKED, day, digest))
    if before is None:
        before = replace(after, statuses=(), marks=(), parts=())
    marks = [_joined_mark(mark, after.mark(mark.mark_no), day, digest) for mark in before.marks]
    marks += [
        replace(mark, statuses=_spliced((), mark.statuses, day, digest))
        for mark in after.marks
        if before.mark(mark.mark_no) is None
    ]
    rows = rows_of(after.parts)
    named = rows_of(before.parts)
    names = tuple(dict.fromkeys((*named, *rows)))
    held, covered = ({p.named for p in c.covered([Part(*name, ()) for name in names])} for c in (before, after))
    parts = []
    for name in names:
        absent = Status.ACTIVE if name in covered else Status.CANCELLED
        row = named.get(name, ())
        there = row[0].status is not Status.ACTIVE if row else name in held
        unsaid = Status.ACTIVE if there else None
        part = Part(*name, _spliced(row, rows.get(name, ()), day, digest, absent, unsaid))
        if part.statuses:
            parts.append(part)
    statuses = _spliced(before.statuses, after.statuses, day, digest)
    return replace(after, statuses=statuses, marks=tuple(marks), parts=after.covered(parts))


def _joined_mark(before: Mark, after: Mark | None, day: date, digest: str) -> Mark:
    if after is None:
        return replace(before, statuses=_ended(before.statuses, Status.WITHDRAWN, day, digest))
    return replace(after, statuses=_spliced(before.statuses, after.statuses, day, digest, Status.WITHDRAWN))


def _spliced(
    before: tuple[StatusInterval, ...],
    after: tuple[StatusInterval, ...],
    day: date,
    digest: str,
    absent: Status | None = None,
    unsaid: Status | None = None,
) -> tuple[StatusInterval, ...]:
    """The intervals that began before a day, and the other row's from it on, with a seam where one is due.

    `absent` is how it stands from the day on where the other row begins later, or never; as before where it is None.
    `unsaid` is how it stood before its first interval: a part that was covered from the beginning is active.
    """
    kept = tuple(interval for interval in before if interval.since < day)
    later = tuple(interval for interval in after if interval.since >= day)
    if later and later[0].since == day:
        return (*kept, *later)
    running = interval_on(after, day)
    if running is not None:
        seam = replace(running, since=day, determined_on=None, digest=digest)
    elif kept and absent is not None:
        seam = StatusInterval(absent, day, None, None, None, digest)
    else:
        return (*kept, *later)
    stood = kept[-1].status if kept else unsaid
    return (*kept, *later) if stood is seam.status else (*kept, seam, *later)


def _ended(statuses: tuple[StatusInterval, ...], status: Status, day: date, digest: str) -> tuple[StatusInterval, ...]:
    """The intervals that began before a day, and the end from that day on; what had not begun ends as it begins."""
    kept = tuple(interval for interval in statuses if interval.since < day)
    last = kept[-1] if kept else statuses[0]
    if last.status is status:
        return kept or (last,)
    return (*kept, StatusInterval(status, max(day, statuses[0].since), None, None, None, digest))
