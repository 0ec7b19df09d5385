"""Recalls and consumer alerts: what an authority says about goods and certificates beside their standing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import NotRequired, TypedDict, cast

from services.domain.certificate import Certificate, Item
from services.domain.errors import (
    BadDates,
    NumberTaken,
    SchemeRule,
    TransitionNotAllowed,
    UnknownCertificate,
    UnknownScheme,
    UnknownSubject,
)
from services.domain.identifiers import certificate_number, normalised
from services.domain.notice_states import RecallState, WarningState
from services.domain.said import Moment, Said
from services.domain.scheme import Words
from services.domain.transition import check_ahead
from services.domain.world import Changes, World


class RecallData(TypedDict):
    """Of `recall.opened`."""

    effective_at: str
    certificate_no: NotRequired[str | None]
    gtin: NotRequired[str | None]
    model: NotRequired[str | None]
    batches: NotRequired[list[str] | None]
    made_from: NotRequired[str | None]
    made_until: NotRequired[str | None]
    reason: str
    instrument: str
    text: Words


WarningData = TypedDict(
    "WarningData",
    {
        "effective_at": str,
        "until": str,
        "level": str,
        "certificate_no": NotRequired[str | None],
        "scheme": NotRequired[str | None],
        "class": NotRequired[str | None],
        "instrument": str,
        "text": Words,
    },
)
"""Of `warning.issued`."""


class EndData(TypedDict):
    """Of `recall.closed` and `warning.withdrawn`."""

    effective_at: str
    instrument: str
    note: NotRequired[str | None]


RECALL_REASONS = {
    "failed_check": ("监督抽查不合格", "failed a supervisory check"),
    "defect": ("存在缺陷，实施召回", "recalled for a defect"),
    "other": ("见公告", "see the notice"),
}
"""(Chinese, English) of what a recall says for its reason."""

LEVELS = {"advice": ("消费提示", "Advice"), "caution": ("消费警示", "Caution"), "danger": ("严重警示", "Danger")}
"""(Chinese, English) of the levels of a warning, the least urgent first."""


# --- what an event makes of them -----------------------------------------------------------------------------


def open_recall(said: Said, world: World, moment: Moment) -> Changes:
    data = cast(RecallData, said.data)
    if world.recall(said.subject) is not None:
        raise NumberTaken(f"recall {said.subject} is in the register already", pointer="/subject")
    check_ahead(date.fromisoformat(data["effective_at"]), moment)
    number, gtin, model = data.get("certificate_no"), data.get("gtin"), data.get("model")
    made_from, made_until = data.get("made_from"), data.get("made_until")
    if number is None and gtin is None:
        raise SchemeRule("a recall names a certificate, a GTIN, or both", pointer="/data/certificate_no")
    if model is not None and number is None:
        raise SchemeRule("a model is one of a certificate: name it", pointer="/data/model")
    if made_from is not None and made_until is not None and made_until < made_from:
        raise BadDates("the last day of manufacture lies before the first", pointer="/data/made_until")
    number = _registered(number, world)
    recall: RecallState = {
        "v": 1,
        "kind": "recall",
        "id": said.subject,
        "certificate_no": number,
        "gtin": gtin,
        "model": model,
        "batches": data.get("batches") or [],
        "made_from": made_from,
        "made_until": made_until,
        "reason": data["reason"],
        "instrument": data["instrument"],
        "text": data["text"],
        "opened_on": data["effective_at"],
        "digest": said.digest,
        "closed_on": None,
        "closed_by": None,
        "note": None,
    }
    return {f"recall/{said.subject}": recall}


def close_recall(said: Said, world: World, moment: Moment) -> Changes:
    data = cast(EndData, said.data)
    before = world.recall(said.subject)
    if before is None:
        raise UnknownSubject(f"no recall {said.subject}", pointer="/subject")
    if before["closed_on"] is not None:
        raise TransitionNotAllowed(f"recall {said.subject} was closed on {before['closed_on']}", pointer="/type")
    check_ahead(date.fromisoformat(data["effective_at"]), moment)
    if data["effective_at"] < before["opened_on"]:
        raise BadDates("closed before it was opened", pointer="/data/effective_at")
    after: RecallState = {
        **before,
        "closed_on": data["effective_at"],
        "closed_by": data["instrument"],
        "note": data.get("note"),
    }
    return {f"recall/{said.subject}": after}


def issue_warning(said: Said, world: World, moment: Moment) -> Changes:
    data = cast(WarningData, said.data)
    if world.warning(said.subject) is not None:
        raise NumberTaken(f"warning {said.subject} is in the register already", pointer="/subject")
    check_ahead(date.fromisoformat(data["effective_at"]), moment)
    number, scheme, product_class = data.get("certificate_no"), data.get("scheme"), data.get("class")
    if number is None and scheme is None and product_class is None:
        raise SchemeRule("a warning names a certificate, a scheme or a class", pointer="/data/certificate_no")
    if number is not None and (scheme is not None or product_class is not None):
        raise SchemeRule("a warning about one certificate needs neither scheme nor class", pointer="/data/scheme")
    if data["until"] < data["effective_at"]:
        raise BadDates("its last day lies before its first", pointer="/data/until")
    if scheme is not None and world.scheme(scheme) is None:
        raise UnknownScheme(f"no scheme {scheme}", pointer="/data/scheme")
    warning: WarningState = {
        "v": 1,
        "kind": "warning",
        "id": said.subject,
        "level": data["level"],
        "certificate_no": _registered(number, world),
        "scheme": scheme,
        "class": product_class,
        "instrument": data["instrument"],
        "text": data["text"],
        "issued_on": data["effective_at"],
        "until": data["until"],
        "digest": said.digest,
        "withdrawn_on": None,
        "withdrawn_by": None,
    }
    return {f"warning/{said.subject}": warning}


def withdraw_warning(said: Said, world: World, moment: Moment) -> Changes:
    data = cast(EndData, said.data)
    before = world.warning(said.subject)
    if before is None:
        raise UnknownSubject(f"no warning {said.subject}", pointer="/subject")
    if before["withdrawn_on"] is not None:
        raise TransitionNotAllowed(f"warning {said.subject} was withdrawn on {before['withdrawn_on']}", pointer="/type")
    check_ahead(date.fromisoformat(data["effective_at"]), moment)
    if data["effective_at"] < before["issued_on"]:
        raise BadDates("withdrawn before it was issued", pointer="/data/effective_at")
    after: WarningState = {**before, "withdrawn_on": data["effective_at"], "withdrawn_by": data["instrument"]}
    return {f"warning/{said.subject}": after}


def _registered(number: str | None, world: World) -> str | None:
    """The canonical number of a certificate that is in the register."""
    if number is None:
        return None
    canonical = certificate_number(number)
    if world.certificate(canonical) is None:
        raise UnknownCertificate(f"{canonical} is not in the register", pointer="/data/certificate_no")
    return canonical


# --- whom they concern -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Goods:
    """What is known of the goods that somebody holds or sells. What is None is not known, and excludes nothing."""

    certificate_no: str | None = None
    gtin: str | None = None
    model: str | None = None
    batch: str | None = None
    made_on: date | None = None


def is_open_on(recall: RecallState, day: date) -> bool:
    text = day.isoformat()
    return recall["opened_on"] <= text and (recall["closed_on"] is None or text < recall["closed_on"])


def concerns(recall: RecallState, goods: Goods) -> bool:
    """Whether goods may be among those recalled: only what is known to differ is left out.

    Where a GTIN is known it has to be the recall's; goods of which the certificate alone is known may be of any.
    """
    if recall["certificate_no"] is not None:
        if recall["certificate_no"] != goods.certificate_no:
            return False
        if recall["gtin"] is not None and goods.gtin not in (None, recall["gtin"]):
            return False
    elif recall["gtin"] != goods.gtin:
        return False
    if _differs(recall["model"], goods.model) or (
        goods.batch is not None
        and recall["batches"]
        and normalised(goods.batch) not in {normalised(batch) for batch in recall["batches"]}
    ):
        return False
    made = goods.made_on.isoformat() if goods.made_on else None
    return made is None or ((recall["made_from"] or made) <= made <= (recall["made_until"] or made))


def goods_of(
    certificate: Certificate, item: Item | None, batch: str | None = None, made_on: date | None = None
) -> Iterator[Goods]:
    """What the asker may hold: the item where it is known, else any of the certificate's."""
    bare = Goods(certificate.certificate_no, batch=batch, made_on=made_on)
    if item is not None:
        yield replace(bare, gtin=item.gtin, model=item.model)
        return
    yield bare
    for one in certificate.product.items if certificate.product else ():
        yield replace(bare, gtin=one.gtin, model=one.model)


def _differs(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and normalised(one) != normalised(other)


def recall_scope(state: RecallState) -> Words:
    """Which goods are recalled, in words: model, batches, dates of manufacture."""
    zh, en = [], []
    if state["model"]:
        zh, en = [f"型号{state['model']}"], [f"model {state['model']}"]
    elif state["gtin"]:
        zh, en = [f"GTIN {state['gtin']}"], [f"GTIN {state['gtin']}"]
    if state["batches"]:
        zh.append(f"批次{'、'.join(state['batches'])}")
        en.append(f"batch {', '.join(state['batches'])}")
    if state["made_from"] or state["made_until"]:
        since, until = state["made_from"] or "…", state["made_until"] or "…"
        zh.append(f"{since}至{until}生产")
        en.append(f"made from {since} to {until}")
    elif not state["batches"]:
        zh.append("全部批次")
        en.append("every batch")
    return {"zh": "，".join(zh), "en": ", ".join(en)}


def is_in_force_on(warning: WarningState, day: date) -> bool:
    text = day.isoformat()
    withdrawn = warning["withdrawn_on"]
    return warning["issued_on"] <= text <= warning["until"] and (withdrawn is None or text < withdrawn)


def is_about(warning: WarningState, certificate_no: str, scheme: str, product_class: str | None) -> bool:
    if warning["certificate_no"] is not None:
        return warning["certificate_no"] == certificate_no
    return warning["scheme"] in (None, scheme) and warning["class"] in (None, product_class)


def most_urgent_first(warnings: Sequence[WarningState]) -> list[WarningState]:
    order = list(LEVELS)
    return sorted(warnings, key=lambda warning: (-order.index(warning["level"]), warning["issued_on"], warning["id"]))
