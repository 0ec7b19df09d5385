"""The open recalls and alerts that concern an answer, out of the register's records of them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, cast

from services.domain.certificate import Certificate
from services.domain.identifiers import instant_of, instant_text
from services.domain.notice_states import RecallState, WarningState
from services.domain.notices import (
    LEVELS,
    RECALL_REASONS,
    Goods,
    concerns,
    is_about,
    is_in_force_on,
    is_open_on,
    most_urgent_first,
)
from services.verify.read_model import Stored


@dataclass(frozen=True, slots=True)
class Recall:
    """A recall with its place in the log: the entry that the record holds last, and when that was decided."""

    state: RecallState
    seq: int
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Alert:
    """The same of a consumer alert."""

    state: WarningState
    seq: int
    recorded_at: datetime


@dataclass(slots=True)
class Notices:
    """Every recall and alert of the register, by what it names. Closed ones are among them: answers have a day."""

    by_certificate: dict[str, list[Recall]] = field(default_factory=dict)
    by_gtin: dict[str, list[Recall]] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)
    alerted: set[str] = field(default_factory=set)
    """The certificates that an alert names."""
    _of_kinds: dict[tuple[str, str | None], bool] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.by_certificate or self.by_gtin or self.alerts)

    def recalls(self, goods: Iterable[Goods], day: date) -> tuple[Recall, ...]:
        """The recalls open on a day that any of these may be among, the latest first."""
        found: dict[str, Recall] = {}
        for one in goods:
            named = [*self.by_certificate.get(one.certificate_no or "", ()), *self.by_gtin.get(one.gtin or "", ())]
            found |= {r.state["id"]: r for r in named if is_open_on(r.state, day) and concerns(r.state, one)}
        return tuple(sorted(found.values(), key=lambda recall: recall.state["opened_on"], reverse=True))

    def alerts_about(self, certificate: Certificate, day: date) -> tuple[Alert, ...]:
        """The alerts in force on a day about a certificate, its scheme or its product's class; most urgent first."""
        product_class = certificate.product.product_class if certificate.product else None
        found = {
            alert.state["id"]: alert
            for alert in self.alerts
            if is_in_force_on(alert.state, day)
            and is_about(alert.state, certificate.certificate_no, certificate.scheme, product_class)
        }
        return tuple(found[state["id"]] for state in most_urgent_first([alert.state for alert in found.values()]))

    def may_concern(self, number: str, scheme: str, product_class: str | None, gtins: Iterable[str]) -> bool:
        """Whether any of them, on whatever day, names a certificate: then its answer is not in the stored bytes."""
        if number in self.by_certificate or not self.by_gtin.keys().isdisjoint(gtins):
            return True
        of_kind = self._of_kinds.get((scheme, product_class))
        if of_kind is None:  # for every look-up, so the alerts about no certificate are gone through once a kind
            of_kind = any(is_about(alert.state, "", scheme, product_class) for alert in self.alerts)
            self._of_kinds[scheme, product_class] = of_kind
        return of_kind or number in self.alerted


def notices_in(stored: Iterable[Stored]) -> Notices:
    """From the records under `recall/` and `warning/`."""
    notices = Notices()
    for one in stored:
        payload = one.payload()
        state, seq, recorded_at = payload["state"], one.seq, instant_of(payload["recorded_at"])
        if state["kind"] == "warning":
            notices.alerts.append(Alert(cast(WarningState, state), seq, recorded_at))
            if state["certificate_no"] is not None:
                notices.alerted.add(state["certificate_no"])
            continue
        recall = Recall(cast(RecallState, state), seq, recorded_at)
        if state["certificate_no"] is not None:
            notices.by_certificate.setdefault(state["certificate_no"], []).append(recall)
        else:
            notices.by_gtin.setdefault(state["gtin"], []).append(recall)
    return notices


# --- in words and as JSON ----------------------------------------------------------------------------------


def recall_reason(state: RecallState) -> dict[str, str]:
    zh, en = RECALL_REASONS[state["reason"]]
    return {"code": state["reason"], "zh": zh, "en": en}


def notice_json(notice: Recall | Alert) -> dict[str, Any]:
    """A notice with the event behind it and both dates: from when it holds, and when the register recorded it."""
    state = notice.state
    recall = cast(RecallState, state) if state["kind"] == "recall" else None
    warning = cast(WarningState, state) if recall is None else None
    level = LEVELS[warning["level"]] if warning else None
    return {
        "kind": state["kind"],
        "id": state["id"],
        "level": {"code": warning["level"], "zh": level[0], "en": level[1]} if warning and level else None,
        "reason": recall_reason(recall) if recall else None,
        "text": {"zh": state["text"]["zh"], "en": state["text"]["en"]},
        "instrument": state["instrument"],
        "since": recall["opened_on"] if recall else warning["issued_on"] if warning else None,
        "until": warning["until"] if warning else None,
        "certificate_no": state["certificate_no"],
        "gtin": recall["gtin"] if recall else None,
        "model": recall["model"] if recall else None,
        "batches": recall["batches"] if recall else [],
        "made_from": recall["made_from"] if recall else None,
        "made_until": recall["made_until"] if recall else None,
        "digest": state["digest"],
        "seq": notice.seq,
        "recorded_at": instant_text(notice.recorded_at),
    }
