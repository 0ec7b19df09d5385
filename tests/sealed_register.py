"""A register as the relay publishes it: sealed records of the demonstration's certificates, without any service."""

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from services import base64url
from services.demo import REGISTER, register_of
from services.domain.body import AllianceState, AuthorityState, BodyState, KeyState
from services.domain.certificate import (
    Basis,
    Certificate,
    Item,
    Mark,
    Party,
    Product,
    Status,
    StatusInterval,
    to_state,
)
from services.domain.errors import LogTruncated
from services.domain.identifiers import civil_day
from services.events.envelope import open_envelope, sign_event
from services.events.keys import PrivateKey, new_key
from services.events.log import Record, Topic
from services.events.record import Recorded, SealedRecord, history_text, seal_record
from services.marks.token import MarkClaims, MarkPath, mark_url, short_model, sign_token, valid_days

ROOT = Path(__file__).resolve().parents[1]
DEMONSTRATION = REGISTER
TOLD_ON = date.fromisoformat(REGISTER["told_on"])
NOW = datetime.combine(TOLD_ON, time(4), UTC)
"""Noon in China on the day for which the demonstration's data states its standings."""

SCHEMES = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "schemas/schemes").glob("*.json")
}
_STATUS = {"suspended": Status.SUSPENDED, "revoked": Status.REVOKED, "cancelled": Status.CANCELLED}
_FIRST_DAY = "2019-01-01"
_AUTHORITY = "urn:certmark:authority:demo"
_REGISTRY = "urn:certmark:registry:main"


class SealedRegister:
    """Writes sealed records with rising revisions. `values` is what the topic holds, in order: (key, value)."""

    def __init__(self, demonstration: bool = True) -> None:
        self.regulator, self.seal, self.mark_key = new_key(), new_key(), new_key()
        self.values: list[tuple[str, bytes]] = []
        self.revision = self.seq = 0
        self.now = NOW - timedelta(minutes=1)
        established = self._said(
            "authority.established",
            "demo",
            {
                "name": "示范市场监督管理局(虚构)",
                "key": dict(self.regulator.public.jwk),
                "demonstration": demonstration,
                "effective_at": _FIRST_DAY,
            },
        )
        self.genesis = open_envelope(established).digest
        self._key(self.regulator, _AUTHORITY, "event", established)
        for key, purpose in ((self.seal, "seal"), (self.mark_key, "mark")):
            self.add_key(key, purpose)
        authority: AuthorityState = {
            "v": 1,
            "kind": "authority",
            "id": "demo",
            "name": "示范市场监督管理局(虚构)",
            "demonstration": demonstration,
        }
        self.publish("authority/demo", authority)

    def _said(self, event_type: str, subject: str, data: dict[str, Any]) -> bytes:
        """An event of the authority, the first of its chain."""
        payload = {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "source": _AUTHORITY,
            "type": f"certmark.{event_type}.v1",
            "subject": subject,
            "time": "2019-01-01T09:00:00+08:00",
            "sequence": 1,
            "signatory": "DEMO-0001",
            "data": data,
        }
        return sign_event(payload, self.regulator)

    def add_key(self, key: PrivateKey, purpose: str, **ends: str) -> None:
        """Register a key of the registry, or publish it again with its `retired_on` or `compromised_since`."""
        data = {"owner": _REGISTRY, "purpose": purpose, "key": dict(key.public.jwk), "from": _FIRST_DAY}
        self._key(key, _REGISTRY, purpose, self._said("key.added", key.public.kid, data), **ends)

    def _key(self, key: PrivateKey, owner: Any, purpose: str, event: bytes, **ends: str) -> None:
        state: KeyState = {
            "v": 1,
            "kind": "key",
            "kid": key.public.kid,
            "owner": owner,
            "purpose": purpose,
            "key": dict(key.public.jwk),
            "from": _FIRST_DAY,
            "until": None,
            "retired_on": None,
            "compromised_since": None,
            **ends,  # type: ignore[typeddict-item]  # the names of two of its members
        }
        self.publish(f"key/{key.public.kid}", state, event=event)

    def publish(
        self,
        key: str,
        state: Mapping[str, Any] | None,
        *,
        tokens: Sequence[Mapping[str, Any]] = (),
        history: Sequence[Recorded] = (),
        under_review: bool = False,
        event: bytes | None = None,
        seal: PrivateKey | None = None,
        revision: int | None = None,
    ) -> bytes:
        self.seq += state is not None
        self.revision += 1
        record = SealedRecord(
            key=key,
            revision=revision if revision is not None else self.revision,
            seq=self.seq,
            recorded_at=self.now,
            digest=f"{self.seq:064x}" if state is not None else None,
            state=dict(state) if state is not None else None,
            tokens=tokens,
            under_review=under_review,
            event=event,
            history=json.loads(history_text([astuple(one) for one in history])),
        )
        value = seal_record(record, seal or self.seal)
        self.values.append((key, value))
        return value

    def heartbeat(self) -> None:
        self.publish("heartbeat", None)

    def publish_schemes(self) -> None:
        for name, rules in sorted(SCHEMES.items()):
            self.publish(f"scheme/{name}", {"v": 1, "kind": "scheme", "id": name, "versions": [rules]})

    def publish_catalogue(self) -> None:
        data = json.loads((ROOT / "schemas/catalogues/ccc.json").read_text(encoding="utf-8"))
        classes = [
            {
                "class": one["class"],
                "name": one["name"],
                "modes": [{"mode": one["mode"], "from": data["effective_at"], "until": None}],
                "removed_on": None,
                "digest": None,
            }
            for one in data["classes"]
        ]
        state = {"v": 1, "kind": "catalogue", "id": "ccc", "name": data["name"], "version": 1, "classes": classes}
        self.publish("catalogue/ccc", state)

    def publish_bodies(self) -> None:
        for body in register_of(civil_day(self.now))["bodies"]:
            self.publish(f"body/{body['approval_no']}", body_state(body))
        for alliance in DEMONSTRATION["alliances"]:
            state: AllianceState = {
                "v": 1,
                "kind": "alliance",
                "id": alliance["id"],
                "name": alliance["name"],
                "mark": alliance["mark"],
                "members": [{"body": body, "from": _FIRST_DAY, "until": None} for body in alliance["members"]],
            }
            self.publish(f"alliance/{alliance['id']}", state)

    def publish_certificate(self, certificate: Certificate, *, under_review: bool = False) -> None:
        tokens = [
            {
                "mark_no": mark.mark_no,
                "gtin": item.gtin if item else None,
                "model": item.model if item else None,
                "token": base64url.encoded(self.token(certificate, mark, item)),
                "list": 0,
                "index": 1,
            }
            for mark in certificate.marks
            for item in mark.products or (None,)
        ]
        key = f"certificate/{certificate.certificate_no}"
        history = list(history_of(certificate, self.seq))
        self.publish(key, to_state(certificate), tokens=tokens, history=history, under_review=under_review)

    def publish_recall(self, recall_id: str, day: date, **named: Any) -> None:
        """A recall that was opened on a day; `named` says of what (certificate_no, gtin, model, batches …)."""
        nothing = dict.fromkeys(("certificate_no", "gtin", "model", "made_from", "made_until", "closed_on"))
        state: Any = {"v": 1, "kind": "recall", "id": recall_id, "batches": [], **nothing, "closed_by": None} | {
            "reason": "failed_check",
            "instrument": "示范抽查通告〔2026〕7号(虚构)",
            "text": {"zh": "接地措施不合格，请停止使用。", "en": "The earthing failed: stop using it."},
            "opened_on": day.isoformat(),
            "digest": "d" * 64,
            "note": None,
        }
        self.publish(f"recall/{recall_id}", state | named)

    def publish_warning(self, warning_id: str, day: date, **named: Any) -> None:
        """A consumer alert from a day on, for thirty days."""
        nothing = dict.fromkeys(("certificate_no", "scheme", "class", "withdrawn_on", "withdrawn_by"))
        state: Any = {"v": 1, "kind": "warning", "id": warning_id, "level": "caution", **nothing} | {
            "instrument": "示范消费警示〔2026〕5号(虚构)",
            "text": {"zh": "请核对铭牌型号与证书是否一致。", "en": "Compare the plate's model with the certificate."},
            "issued_on": day.isoformat(),
            "until": (day + timedelta(days=30)).isoformat(),
            "digest": "e" * 64,
        }
        self.publish(f"warning/{warning_id}", state | named)

    def publish_all(self) -> "SealedRegister":
        self.publish_schemes()
        self.publish_bodies()
        for certificate in demonstration_certificates(civil_day(self.now)):
            self.publish_certificate(certificate)
        self.heartbeat()
        return self

    def token(self, certificate: Certificate, mark: Mark, item: Item | None) -> bytes:
        return sign_token(claims_of(certificate, mark, item), path_of(certificate, item), self.mark_key)

    def url(self, certificate: Certificate, item: Item | None = None, base: str = "http://127.0.0.1:8080") -> str:
        """The address in the QR of a certificate's first mark."""
        mark = certificate.marks[0]
        return mark_url(base, path_of(certificate, item), self.token(certificate, mark, item))


_TOLD = {Status.ACTIVE: "resumed", Status.SUSPENDED: "suspended", Status.REVOKED: "revoked"}


def history_of(certificate: Certificate, seq: int) -> Iterator[Recorded]:
    """What the registry would have recorded about it, each on the evening before the day from which it holds."""
    kind = "declaration" if certificate.declaration else "certificate"
    said = [(certificate.issued_on, "declaration.made" if certificate.declaration else "certificate.issued", "d" * 64)]
    said += [(day, "certificate.surveillance_passed", "e" * 64) for day in certificate.surveillances]
    for interval in certificate.statuses[1:]:
        ended = "withdrawn" if certificate.declaration else "superseded" if certificate.superseded_by else "cancelled"
        said.append((interval.since, f"{kind}.{_TOLD.get(interval.status, ended)}", interval.digest))
    for mark in certificate.marks:
        if mark.mark_no != certificate.certificate_no:
            said += [
                (one.since, f"mark.{'authorized' if one is mark.statuses[0] else 'withdrawn'}", one.digest)
                for one in mark.statuses
            ]
    for place, (day, name, digest) in enumerate(sorted(said)):
        recorded_at = datetime.combine(day, time(10), UTC) - timedelta(days=1)
        yield Recorded(seq + place, f"certmark.{name}.v1", certificate.responsible, digest, day, recorded_at)


def claims_of(certificate: Certificate, mark: Mark, item: Item | None) -> MarkClaims:
    signed_on = max(mark.valid_from, date.fromisoformat(_FIRST_DAY))
    return MarkClaims(
        issued_on=signed_on,
        valid_days=valid_days(signed_on, mark.valid_until),
        mark_no=mark.mark_no,
        certificate_no=certificate.certificate_no,
        list_id=0,
        index=1,
        model=short_model(item.model) if item else "",
    )


def path_of(certificate: Certificate, item: Item | None) -> MarkPath:
    if item and item.gtin:
        return MarkPath.of_product(item.gtin)
    return MarkPath.of_certificate(certificate.certificate_no)


def body_state(body: dict[str, Any]) -> BodyState:
    gone = body.get("disqualified_on")
    statuses = [{"status": "approved", "from": body["approved_from"]}]
    if gone:
        statuses.append({"status": "disqualified", "from": gone})
    return {
        "v": 1,
        "kind": "body",
        "approval_no": body["approval_no"],
        "name": body["name"],
        "schemes": [{"scheme": name, "from": body["approved_from"], "until": None} for name in body["schemes"]],
        "approved_from": body["approved_from"],
        "approved_until": None,
        "status": statuses[-1]["status"],
        "statuses": statuses,  # type: ignore[typeddict-item]
        "backfills": [],
    }


def demonstration_certificates(first_day: date = TOLD_ON) -> Iterator[Certificate]:
    for row in register_of(first_day)["certificates"]:
        yield certificate_of(row)


def demonstration(number: str) -> Certificate:
    return next(one for one in demonstration_certificates() if one.certificate_no == number)


def certificate_of(row: dict[str, Any]) -> Certificate:
    """A certificate of the demonstration with the history that its row tells."""
    number, scheme = row["number"], row["scheme"]
    begun = date.fromisoformat(row["valid_from"])
    until = date.fromisoformat(row["valid_until"]) if row.get("valid_until") else None
    product = _product(row["product"]) if row.get("product") else None
    statuses = [StatusInterval(Status.ACTIVE, begun, None, None, None, "0" * 64)]
    surveillances = []
    for event in row["history"]:
        day = date.fromisoformat(event["on"])
        if event["event"] == "surveillance_passed":
            surveillances.append(day)
        elif event["event"] in _STATUS:
            end = date.fromisoformat(event["until"]) if event.get("until") else None
            status = _STATUS[event["event"]]
            digest = f"{len(statuses):x}" * 64
            statuses.append(StatusInterval(status, day, end, event.get("reason"), day, digest))
    body = row.get("body")
    certificate = Certificate(
        certificate_no=number,
        declaration=body is None,
        scheme=scheme,
        scheme_version=1,
        responsible=f"urn:certmark:body:{body}" if body else f"urn:certmark:declarant:{row['holder']['uscc']}",
        body=body,
        certification_mode=row.get("certification_mode"),
        basis=tuple(Basis(one["standard"], one.get("edition")) for one in row["basis"]),
        holder=_party(row["holder"]),
        manufacturer=_party(row["manufacturer"]),
        factory=_party(row["factory"]),
        product=product,
        service_scope=row.get("service_scope"),
        sites=(),
        headcount=None,
        first_issued_on=date.fromisoformat(row.get("first_issued_on") or row["valid_from"]),
        issued_on=begun,
        valid_from=begun,
        valid_until=until,
        surveillance_due=None,
        approver="7901-0007",
        audit_refs=(),
        parent_no=None,
        supersedes=None,
        superseded_by=None,
        accreditation=None,
        grade=None,
        organic=None,
        green=row.get("green"),
        statuses=tuple(statuses),
        surveillances=tuple(surveillances),
    )
    return replace(certificate, marks=tuple(_marks(row, certificate)))


def _marks(row: dict[str, Any], certificate: Certificate) -> Iterator[Mark]:
    rules = SCHEMES[row["scheme"]]
    if rules["mark"] is None:
        return
    named = [(event["mark_no"], event.get("family")) for event in row["history"] if event["event"] == "mark.authorized"]
    if rules["mark_authorizer"] == "implied":
        named = [(certificate.certificate_no, None)]
    for mark_no, family in named:
        yield Mark(
            mark_no=mark_no,
            mark=rules["mark"]["id"],
            family=family,
            authorized_by=certificate.responsible,
            products=certificate.product.items if certificate.product else (),
            media=("product",),
            quantity=None,
            route=None,
            attributes=(),
            valid_from=certificate.valid_from,
            valid_until=certificate.valid_until,
            statuses=(StatusInterval(Status.ACTIVE, certificate.valid_from, None, None, None, "2" * 64),),
        )


def _party(row: dict[str, Any]) -> Party:
    return Party(row["name"], row.get("uscc"), row.get("region"), row.get("address"))


def _product(row: dict[str, Any]) -> Product:
    return Product(
        row["name"],
        row.get("class"),
        row.get("trademark"),
        tuple(Item(i["model"], i.get("gtin")) for i in row["items"]),
    )


class ListLog:
    """The log port over a list, with what a projector can meet: holes, a start that moved, a log that is away."""

    def __init__(self, values: list[tuple[str, bytes]]) -> None:
        self.values = values
        self.first = 0
        self.away: Exception | None = None

    def ensure(self, topics: Sequence[Topic]) -> None: ...

    def append(self, topic: Topic, records: Sequence[tuple[str, bytes]]) -> list[int]:
        start = len(self.values)
        self.values += records
        return list(range(start, len(self.values)))

    def read(self, topic: Topic, position: int, limit: int, wait: float = 0.0) -> list[Record]:
        first, end = self.bounds(topic)
        if not first <= position <= end:
            raise LogTruncated(f"{first} to {end}")
        return [
            Record(at, key, value, NOW)
            for at, (key, value) in enumerate(self.values[position : position + limit], position)
            if key
        ]

    def expire(self, topic: Topic) -> None: ...

    def bounds(self, topic: Topic) -> tuple[int, int]:
        if self.away is not None:
            raise self.away
        return self.first, len(self.values)

    def close(self) -> None: ...


STATE = Topic("test.state.v1", compacted=True)
