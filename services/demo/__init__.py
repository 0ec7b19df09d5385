"""The demonstration register: fictional bodies, certificates and marks as signed events that go the whole road."""

import contextlib
import json
import random
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from services import auth
from services.domain.errors import Fault
from services.domain.identifiers import add_months, civil_day
from services.domain.unit_code import set_digest
from services.events.client import Publisher, Service, await_decisions
from services.events.code_sets import bring
from services.events.drafts import Signer
from services.events.envelope import open_envelope, read_event
from services.events.keys import load_key
from services.genesis import AUTHORITY, SIGNATORY, beginning, draft, key_file
from services.postgres import connect, database_url, transaction
from services.settings import Settings

_WRITTEN = Path(__file__).with_name("register.json").read_text(encoding="utf-8")
_DATE = re.compile(r'(?<!"approved_from": ")\b\d{4}-\d\d-\d\d\b')
"""One that moves. A body's approval stays in the year that its number bears."""
REGISTER: dict[str, Any] = json.loads(_WRITTEN)
"""As it is written, for a start in the month of `told_on`. Only its dates differ from what a later start tells."""

_EVENTS = "demonstration.jws"
_BACKFILL_DAYS = 3650
_KEY_ADDED = "certmark.key.added.v1"
_WAIT_SECONDS = 60.0


def demonstration(settings: Settings, now: datetime) -> list[bytes]:
    """The demonstration's events in order, signed once for this data folder and the same ever after."""
    file = settings.data / _EVENTS
    if not file.exists():
        replacement = file.with_suffix(".new")
        replacement.write_bytes(b"\n".join(_Demonstration(settings, now).events()) + b"\n")
        replacement.replace(file)
    return file.read_bytes().split()


def retold(text: str, first_day: date) -> str:
    """A text in which each date has moved by the months from `told_on` to those of a first start on a day.

    By whole months, so that what is valid for a year stays so, and the last day of a month stays one.
    """
    told = date.fromisoformat(REGISTER["told_on"])
    months = (first_day.year - told.year) * 12 + first_day.month - told.month

    def moved(written: re.Match[str]) -> str:
        day = date.fromisoformat(written[0])
        morrow = day + timedelta(days=1)
        after = add_months(morrow, months) - timedelta(days=1) if morrow.day == 1 else add_months(day, months)
        return after.isoformat()

    return _DATE.sub(moved, text)


def register_of(first_day: date) -> dict[str, Any]:
    """The register that a first start on a day tells."""
    found: dict[str, Any] = json.loads(retold(_WRITTEN, first_day))
    return found


def publish(settings: Settings, now: datetime, progress: Callable[[int], None] = lambda done: None) -> None:
    """Send the demonstration to the running services and see every event accepted.

    Who adds a key and then uses it waits until its record is out: the keys go first.

    Raises:
        NotAccepted: an event was not stored, or not accepted within a minute.
    """
    events = demonstration(settings, now)
    keys = 1 + max(i for i, jws in enumerate(events) if read_event(open_envelope(jws)).type == _KEY_ADDED)
    publisher, registry = Publisher(settings.service_url("events")), Service(settings.service_url("registry"))
    with contextlib.closing(publisher), contextlib.closing(registry):
        for part in (events[:keys], events[keys:]):
            sent = publisher.publish(part, progress)
            decisions = await_decisions(registry, [s.digest for s in sent if s.stored], _WAIT_SECONDS)
            for s in sent:
                decision = decisions.get(s.digest, {})
                if decision.get("decision") != "accepted":
                    raise NotAccepted(f"event {s.digest}: {s.problem or decision or 'no decision'}")
    _bring_codes(settings)


def _bring_codes(settings: Settings) -> None:
    """The unit codes that were announced, each set with the token of who announced it."""
    let_in(settings)
    for certificate in REGISTER["certificates"]:
        for said in certificate["history"]:
            if said["event"] != "mark.codes_issued":
                continue
            name = said.get("by", _body(certificate)).rpartition(":")[2]
            token = auth.read_token(settings.keys / f"{name}.token")
            service = Service(settings.service_url("registry"), token=token)
            with contextlib.closing(service):
                codes = unit_codes(said["mark_no"], said["quantity"], said["codes"])
                bring(service, codes, tokens=said.get("form") == "serial", advance=lambda done: None)


def let_in(settings: Settings) -> None:
    """A token for each source, in a file named like the one with its key."""
    holders = [
        *((body["approval_no"], f"urn:certmark:body:{body['approval_no']}") for body in REGISTER["bodies"]),
        *((alliance["id"], f"urn:certmark:alliance:{alliance['id']}") for alliance in REGISTER["alliances"]),
        *((uscc, f"urn:certmark:declarant:{uscc}") for uscc in _declarants()),
    ]
    connection = connect(database_url(settings))
    with contextlib.closing(connection), transaction(connection) as cur:
        auth.demonstrate(cur, settings.keys, [(name, auth.Role.SOURCE, urn) for name, urn in holders])


def _declarants() -> Iterator[str]:
    for certificate in REGISTER["certificates"]:
        if certificate["history"][0]["event"] == "declaration.made":
            yield certificate["holder"]["uscc"]


class NotAccepted(Fault):
    slug = "not-accepted"
    title = "The demonstration register was not taken whole"
    zh = "示范登记册未被完整接受"


class _Demonstration:
    def __init__(self, settings: Settings, now: datetime) -> None:
        self.settings = settings
        self.now = now
        self.today = civil_day(now)
        self.told = register_of(self.today)
        regulator = load_key(settings.keys / "regulator.pem")
        # A scheme and an alliance may share their id, and so the authority's chain about it.
        begun = [read_event(open_envelope(jws)) for jws in beginning(settings, now)]
        heads = {event.subject: (event.sequence, event.digest) for event in begun}
        self.authority = Signer(
            f"urn:certmark:authority:{AUTHORITY}",
            regulator,
            SIGNATORY,
            lambda _, subject: heads.get(subject, (0, None)),
        )
        self.authors: dict[str, Signer] = {}

    def events(self) -> Iterator[bytes]:
        for body in self.told["bodies"]:
            yield from self._approve(body)
        for alliance in self.told["alliances"]:
            yield from self._establish(alliance)
        yield from self._declarants()
        for _, event in sorted(self._dated(), key=lambda pair: pair[0]):
            yield event()

    def _approve(self, body: dict[str, Any]) -> Iterator[bytes]:
        number = body["approval_no"]
        approved = {
            "effective_at": body["approved_from"],
            "name": body["name"],
            "schemes": [{"scheme": scheme, "from": body["approved_from"]} for scheme in body["schemes"]],
        }
        yield self._decree("body.approved", number, approved)
        if "disqualified_on" not in body:  # who is, issues nothing any more, whatever its date
            until = (self.today + timedelta(days=_BACKFILL_DAYS)).isoformat()
            yield self._decree("backfill.opened", number, {"body": number, "until": until})
        yield self._key(f"urn:certmark:body:{number}", number, "event", f"{number[-4:]}-0042")

    def _establish(self, alliance: dict[str, Any]) -> Iterator[bytes]:
        name = alliance["id"]
        first = self.told["bodies"][0]["approved_from"]
        established = {"effective_at": first, "name": alliance["name"], "mark": alliance["mark"]}
        yield self._decree("alliance.established", name, established)
        for member in alliance["members"]:
            admitted = {"effective_at": first, "body": member}
            yield self._decree("alliance.member_admitted", name, admitted)
        yield self._key(f"urn:certmark:alliance:{name}", name, "event", "SHB-0001")

    def _declarants(self) -> Iterator[bytes]:
        for uscc in _declarants():
            yield self._key(f"urn:certmark:declarant:{uscc}", uscc, "declaration", "DOC-0001")

    def _key(self, source: str, file: str, purpose: str, signatory: str) -> bytes:
        key = key_file(self.settings.keys / f"{file}.pem")
        self.authors[source] = Signer(source, key, signatory, lambda source, subject: (0, None))
        added = {
            "owner": source,
            "purpose": purpose,
            "key": dict(key.public.jwk),
            "from": self.today.isoformat(),
        }
        return self._decree("key.added", key.public.kid, added)

    def _dated(self) -> Iterator[tuple[tuple[str, int], Any]]:
        """(date and place in the day, how to write it): histories are appended in the order of their dates."""
        place = 0
        for certificate in self.told["certificates"]:
            for said in certificate["history"]:
                place += 1
                yield (said["on"], place), lambda c=certificate, s=said: self._say(c, s)
        for notice in self.told["notices"]:
            place += 1
            yield (
                (notice["data"]["effective_at"], place),
                lambda n=notice: self._decree(n["event"], n["id"], n["data"]),
            )
        for body in self.told["bodies"]:
            if "disqualified_on" in body:
                place += 1
                data = {"effective_at": body["disqualified_on"], "instrument": "示范监管决定(虚构)"}
                yield (
                    (body["disqualified_on"], place),
                    lambda n=body["approval_no"], d=data: self._decree("body.disqualified", n, d),
                )

    def _say(self, certificate: dict[str, Any], said: dict[str, Any]) -> bytes:
        event = said["event"] if "." in said["event"] else f"certificate.{said['event']}"
        declared = event.startswith("declaration.")
        speaker = f"urn:certmark:declarant:{certificate['holder']['uscc']}" if declared else _body(certificate)
        source = said.get("by", speaker)
        write = {
            "certificate.issued": self._issued,
            "declaration.made": self._issued,
            "certificate.amended": self._amended,
            "mark.authorized": self._authorized,
            "mark.codes_issued": self._codes,
        }.get(event, _as_said)
        return self.authors[source].sign(draft(event, certificate["number"], write(certificate, said)), self.now)

    def _decree(self, event: str, subject: str, data: dict[str, Any]) -> bytes:
        return self.authority.sign(draft(event, subject, data), self.now)

    def _issued(self, certificate: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
        later = {model for event in certificate["history"] for model in event.get("items_added", [])}
        product = certificate.get("product")
        if product is not None:
            product = {**product, "items": [item for item in product["items"] if item["model"] not in later]}
        names = "scheme certification_mode basis holder manufacturer factory valid_from valid_until first_issued_on"
        data = {
            "effective_at": said["on"],
            **{name: certificate[name] for name in names.split() if certificate.get(name) is not None},
            "issued_on": said["on"],
        }
        if product is not None:
            data["product"] = product
        if said["event"] == "declaration.made":
            return data
        more = ("service_scope", "sites", "headcount", "organic", "green")
        approver = f"{certificate['body'][-4:]}-0007"
        return data | {name: certificate[name] for name in more if name in certificate} | {"approver": approver}

    def _amended(self, certificate: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
        items = [
            {"op": "added", **item} for item in certificate["product"]["items"] if item["model"] in said["items_added"]
        ]
        return {"effective_at": said["on"], "items": items, "note": "增加型号"}

    def _authorized(self, certificate: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
        green = certificate.get("green", {})
        return {
            "effective_at": said["on"],
            "mark_no": said["mark_no"],
            "mark": said["mark"],
            "family": said.get("family"),
            "products": (certificate.get("product") or {"items": []})["items"],
            "media": ["product", "package", "web"],
            "route": green.get("route"),
            "attributes": green.get("attributes", []),
            "valid_from": said["on"],
            "valid_until": certificate["valid_until"],
        }

    def _codes(self, certificate: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
        codes = unit_codes(said["mark_no"], said["quantity"], said["codes"])
        return {
            "effective_at": said["on"],
            "mark_no": said["mark_no"],
            "product": said["product"],
            "quantity": said["quantity"],
            "rule_version": said["rule_version"],
            "digest": set_digest(codes),
            **{name: said[name] for name in ("form", "gtin") if name in said},
        }


def unit_codes(mark_no: str, quantity: int, named: list[str]) -> list[str]:
    """The demonstration's set of unit codes of one mark, sorted: those that it names, and made-up ones."""
    chance = random.Random(mark_no)  # noqa: S311  # fictional codes that must come out the same every time
    codes = set(named)
    while len(codes) < quantity:
        codes.add(f"{named[0][:6]}{chance.randrange(10**12):012d}")
    return sorted(codes)


def _body(certificate: dict[str, Any]) -> str:
    return f"urn:certmark:body:{certificate['body']}"


def _as_said(certificate: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    names = ("determined_on", "reason", "until")
    return {"effective_at": said["on"]} | {name: said[name] for name in names if name in said}
