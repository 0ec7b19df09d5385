"""Lives of certificates by chance: what bodies, a declarant, an alliance and an authority may come to say, and when."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

from services.domain.certificate import Certificate, PartKind, Status
from services.domain.identifiers import instant_text

AUTHORITY = "urn:certmark:authority:test"
BODY, OTHER = (f"urn:certmark:body:CNCA-R-2019-790{n}" for n in (1, 2))
ALLIANCE = "urn:certmark:alliance:test-alliance"
DECLARANT = "urn:certmark:declarant:91320500MAXX005334"
A_MARK = {"id": "sample-mark", "name": {"zh": "示范标志", "en": "sample mark"}}
WORDS = {"zh": "示范", "en": "sample"}
MODELS = ("A1", "A2", "A3")
STANDARDS = ("GB 1", "GB 2", "GB 3")
SITES = ("示范路1号", "示范路2号", "示范路3号")
CLASSES = ("0703", "0704")


def a_scheme(**rules: Any) -> dict[str, Any]:
    return {
        "effective_at": "2016-01-01",
        "version": 1,
        "name": WORDS,
        "class": "product",
        "mandatory": False,
        "declaration": False,
        "mark_authorizer": "body",
        "mark": A_MARK,
        "coverage": {"complete": False} | WORDS,
    } | rules


SCHEMES = {
    "life-plain": a_scheme(suspension_limit_months=6, surveillance_months=12, grace_days=20),
    "life-implied": a_scheme(mark_authorizer="implied", catalogue="life-classes", catalogue_mode="certification"),
    "life-allied": a_scheme(mark_authorizer="alliance", alliance="test-alliance", renewal_window_days=60),
    "life-declared": a_scheme(declaration=True, mark_authorizer="implied"),
    "life-system": a_scheme(
        **{"class": "system"},
        suspend_within={"days": 5, "working": True},
        surveillance_months=6,
        reapply_months=1,
        reapply_revoked={"reasons": ["R11"], "months": 6},
        reapply_suspended={"reasons": ["S03"], "months": 1},
        reapply_body_lost_months=1,
    ),
}
CATALOGUE = {
    "effective_at": "2016-01-01",
    "version": 1,
    "name": WORDS,
    "classes": [{"class": name, "name": WORDS, "mode": "certification"} for name in CLASSES],
    "instrument": "示范目录",
}


@dataclass(frozen=True)
class Saying:
    source: str
    short: str
    subject: str
    data: Mapping[str, Any]


def beginnings(today: date, also: Sequence[str] = ()) -> Iterator[Saying]:
    """What an authority says before these lives begin, where both bodies and the alliance are there already.

    `also` are the schemes that the bodies are competent for besides.
    """
    for scheme, rules in SCHEMES.items():
        yield Saying(AUTHORITY, "scheme.published", scheme, rules)
    yield Saying(AUTHORITY, "catalogue.published", "life-classes", CATALOGUE)
    competence = [{"scheme": scheme, "from": "2016-01-01"} for scheme in (*SCHEMES, *also)]
    for body in (BODY, OTHER):
        data = {"effective_at": today.isoformat(), "schemes": competence}
        yield Saying(AUTHORITY, "body.scope_changed", body.rpartition(":")[2], data)


@dataclass
class Writer:
    """Thinks of the next thing that somebody says, mostly what could be true, from what has been accepted so far."""

    chance: Random
    look: Callable[[str], Certificate]
    new_number: Callable[[], str]
    today: date
    most: int = 12
    """Certificates that it begins."""
    calm: float = 1.0
    """Weight of what an authority does to many at once."""
    numbers: list[str] = field(default_factory=list)
    heard: list[tuple[str, Saying]] = field(default_factory=list)
    """Digests and sayings that were accepted."""
    annulled: set[str] = field(default_factory=set)
    version: int = 1

    def accepted(self, digest: str, saying: Saying) -> None:
        """Remember what was accepted: it may be corrected, annulled, gone on from."""
        self.heard.append((digest, saying))
        if saying.short in ("certificate.issued", "declaration.made"):
            self.numbers.append(saying.subject)
        if saying.short == "decision.annulled":
            self.annulled.add(saying.subject)
        if saying.short == "scheme.published":
            self.version = saying.data["version"]

    def next(self) -> Saying:
        ways: dict[Callable[[], Saying | None], float] = {
            self._issued: 4 if len(self.numbers) < self.most else 0,
            self._declared: 1 if len(self.numbers) < self.most else 0,
            self._amended: 4,
            self._suspended: 4,
            self._resumed: 5,
            self._renewed: 3,
            self._passed: 2,
            self._ended: 1,
            self._superseded: 0.5,
            self._transferred: 1,
            self._received: 3,
            self._corrected: 2,
            self._annulled: 2,
            self._marked: 3,
            self._mark_changed: 4,
            self._codes: 1,
            self._class_removed: 0.3 * self.calm,
            self._scheme_changed: 0.5 * self.calm,
            self._body_changed: 0.5 * self.calm,
        }
        while True:
            (way,) = self.chance.choices(list(ways), weights=list(ways.values()))
            said = way()
            if said is not None:
                return said

    # --- dates and choices ---------------------------------------------------------------------------------------

    def _day(self, first: int, last: int) -> str:
        return (self.today + timedelta(days=self.chance.randint(first, last))).isoformat()

    def _when(self) -> str:
        """The day on which something takes effect: mostly lately, sometimes long ago, sometimes soon or too far off."""
        return self._day(*self.chance.choice([(-3, 0), (-3, 0), (-20, 0), (-90, 0), (0, 30), (28, 34)]))

    def _rarely(self, odds: int = 8) -> bool:
        return self.chance.randrange(odds) == 0

    def _one(self) -> Certificate | None:
        """A certificate that was issued; mostly one that has not ended."""
        if not self.numbers:
            return None
        found = self.look(self.chance.choice(self.numbers))
        if found.status in (Status.REVOKED, Status.CANCELLED) and not self._rarely(3):
            return None
        return found

    def _by(self, certificate: Certificate) -> str:
        return self.chance.choice([BODY, OTHER]) if self._rarely(12) else certificate.responsible

    def _about(self, short: str, **data: Any) -> Saying | None:
        certificate = self._one()
        if certificate is None or certificate.declaration:
            return None
        return Saying(self._by(certificate), f"certificate.{short}", certificate.certificate_no, data)

    # --- certificates --------------------------------------------------------------------------------------------

    def _first(self, scheme: str) -> dict[str, Any]:
        begun = self._day(-120, 0)
        items = [{"model": model} for model in MODELS[: self.chance.randint(1, 3)]]
        if self._rarely(3):
            items.append({"model": "A1", "gtin": "06909900123007"})
        return {
            "effective_at": begun,
            "scheme": scheme,
            "basis": [{"standard": standard} for standard in STANDARDS[: self.chance.randint(1, 2)]],
            "holder": {"name": "示范公司", "uscc": "91320500MAXX005334"},
            "product": {"name": "电器", "class": self.chance.choice(CLASSES), "items": items},
            "issued_on": begun,
            "valid_from": begun,
            "valid_until": self._day(-5, 200),
        }

    def _issued(self) -> Saying:
        scheme = self.chance.choice([s for s in SCHEMES if s != "life-declared"])
        data = self._first(scheme) | {"approver": "7901-0007", "sites": [{"address": a} for a in SITES[:2]]}
        if scheme == "life-system":
            data["service_scope"] = "零件的生产"
            parents = [n for n in self.numbers if self.look(n).parent_no is None]
            if parents and self._rarely(2):
                data["parent_no"] = self.chance.choice(parents).lower()
        return Saying(self.chance.choice([BODY, BODY, OTHER]), "certificate.issued", self.new_number(), data)

    def _declared(self) -> Saying:
        return Saying(DECLARANT, "declaration.made", self.new_number(), self._first("life-declared"))

    def _amended(self) -> Saying | None:
        changes: list[dict[str, Any]] = [
            {"model": self.chance.choice(MODELS)},
            {"site": {"address": self.chance.choice(SITES)}},
            {"basis": {"standard": self.chance.choice(STANDARDS)}},
        ]
        op = {"op": self.chance.choice(["added", "removed"])}
        items = [op | change for change in self.chance.sample(changes, self.chance.randint(1, 2))]
        data = {"items": items} if not self._rarely(3) else {"fields": {"headcount": self.chance.randint(1, 99)}}
        return self._about("amended", effective_at=self._day(-60, 0), **data)

    def _parts(self) -> dict[str, Any]:
        if self._rarely(2):
            return {}
        parts = [
            {"model": self.chance.choice(MODELS)},
            {"model": "A1", "gtin": "06909900123007"},
            {"site": self.chance.choice(SITES)},
            {"standard": self.chance.choice(STANDARDS)},
        ]
        return {"items": self.chance.sample(parts, self.chance.randint(1, 2))}

    def _suspension(self) -> dict[str, Any]:
        data = {"effective_at": self._when(), "reason": self.chance.choice(["S03", "S08", "S02", "R05"])}
        if self._rarely(4):
            data["determined_on"] = data["effective_at"]
        return data | {"until": self._day(0, 120)}

    def _suspended(self) -> Saying | None:
        return self._about("suspended", **self._suspension(), **self._parts())

    def _resumed(self) -> Saying | None:
        certificate = self._one()
        if certificate is not None and not self._rarely(6):
            held = [part for part in certificate.parts if part.statuses[-1].status is Status.SUSPENDED]
            names = {PartKind.ITEM: "model", PartKind.SITE: "site", PartKind.BASIS: "standard"}
            items = [{names[part.kind]: part.name} for part in held[:1]]
            if certificate.status is not Status.SUSPENDED and not items:
                return None
            data = {"effective_at": self._when(), "verified_on": self._day(-9, -3)}
            whole = certificate.status is Status.SUSPENDED
            said = data if whole else data | {"items": items}
            return Saying(self._by(certificate), "certificate.resumed", certificate.certificate_no, said)
        return self._about("resumed", effective_at=self._when(), verified_on=self._day(-9, -3), **self._parts())

    def _renewed(self) -> Saying | None:
        data = {"effective_at": self._when(), "issued_on": self._day(-5, 0), "valid_until": self._day(150, 700)}
        if self._rarely(2):
            data["valid_from"] = self._day(-30, 30)
        return self._about("renewed", **data, approver="7901-0007")

    def _passed(self) -> Saying | None:
        return self._about("surveillance_passed", effective_at=self._when())

    def _ended(self) -> Saying | None:
        certificate = self._one()
        if certificate is not None and certificate.declaration:
            data = {"effective_at": self._when(), "reason": "C02"}
            return Saying(DECLARANT, "declaration.withdrawn", certificate.certificate_no, data)
        short, reason = self.chance.choice([("revoked", "R05"), ("cancelled", "C02")])
        return self._about(short, effective_at=self._when(), reason=reason)

    def _superseded(self) -> Saying | None:
        return self._about("superseded", effective_at=self._when(), by=self.chance.choice(self.numbers or ["NONE-1"]))

    def _transferred(self) -> Saying | None:
        to = self.chance.choice([BODY, OTHER, OTHER]).rpartition(":")[2]
        return self._about("transferred", effective_at=self._day(-10, 3), to=to)

    def _received(self) -> Saying | None:
        certificate = self._one()
        if certificate is None or certificate.transfer is None:
            return None
        data = {"effective_at": self._day(-5, 10), "of": certificate.transfer.digest}
        return Saying(
            f"urn:certmark:body:{certificate.transfer.to}", "certificate.received", certificate.certificate_no, data
        )

    # --- what was said is corrected or undone ----------------------------------------------------------------------

    def _corrected(self) -> Saying | None:
        found = [one for one in self.heard if one[1].source in (BODY, OTHER) and not self._mends(one[1])]
        if not found:
            return None
        digest, said = self.chance.choice(found)
        known = [name for name in said.data if name not in ("scheme", "mark_no", "holder")]
        name = self.chance.choice(known)
        value = self._other(name, said.data[name])
        data = {"of": digest, "fields": {name: value}}
        return Saying(said.source, "certificate.corrected", said.subject, data)

    @staticmethod
    def _mends(said: Saying) -> bool:
        return said.short == "certificate.corrected"

    def _other(self, name: str, value: Any) -> Any:
        """Another value for a member: a day a little off, another choice, one part fewer."""
        match value:
            case str() if name == "reason":
                return self.chance.choice(["S03", "S04", "R05", "C02"])
            case str() if len(value) == 10 and value[4] == "-":
                return (date.fromisoformat(value) + timedelta(days=self.chance.randint(-9, 9))).isoformat()
            case list() if len(value) > 1:
                return value[1:]
            case dict() if "items" in value:
                return value | {"name": "另一电器"}
            case _:
                return value

    def _annulled(self) -> Saying | None:
        found = [one for one in self.heard if one[1].short.split(".")[0] != "scheme"]
        if not found:
            return None
        digest, said = self.chance.choice(found[-8:] if self._rarely(2) else found)
        if digest in self.annulled and not self._rarely(6):
            return None
        own = said.data.get("effective_at") or self.today.isoformat()
        day = self.chance.choice([own, own, self._when()])
        return Saying(
            AUTHORITY, "decision.annulled", digest, {"effective_at": day, "digest": digest, "instrument": "判决"}
        )

    # --- marks -------------------------------------------------------------------------------------------------------

    def _marked(self) -> Saying | None:
        certificate = self._one()
        if certificate is None or certificate.declaration:
            return None
        source = ALLIANCE if certificate.scheme == "life-allied" else self._by(certificate)
        items = certificate.product.items if certificate.product else ()
        data = {
            "effective_at": self._when(),
            "mark_no": self.new_number(),
            "mark": "sample-mark",
            "products": [{"model": i.model, "gtin": i.gtin} for i in items[:1]],
            "quantity": 10,
        }
        if certificate.valid_until is not None:
            data["valid_until"] = certificate.valid_until.isoformat()
        if self._rarely(3):
            data["attributes"] = [{"name": "碳足迹", "value": self.chance.choice([21.5, 18.0, 1e-7, "低"])}]
        return Saying(source, "mark.authorized", certificate.certificate_no, data)

    def _of_mark(self, short: str, **data: Any) -> Saying | None:
        certificate = self._one()
        if certificate is None or not certificate.marks:
            return None
        wanted = {"resumed": Status.SUSPENDED, "suspended": Status.ACTIVE}.get(short)
        fitting = [mark for mark in certificate.marks if mark.status is wanted]
        mark = self.chance.choice(fitting if fitting and not self._rarely(6) else certificate.marks)
        source = self.chance.choice([mark.authorized_by, certificate.responsible])
        if source == DECLARANT:
            return None
        return Saying(source, f"mark.{short}", certificate.certificate_no, {"mark_no": mark.mark_no.lower()} | data)

    def _mark_changed(self) -> Saying | None:
        short = self.chance.choice(["suspended", "suspended", "resumed", "resumed", "withdrawn"])
        if short == "suspended":
            return self._of_mark(short, **self._suspension())
        if short == "resumed":
            return self._of_mark(short, effective_at=self._when(), verified_on=self._day(-9, -3))
        return self._of_mark(short, effective_at=self._when())

    def _codes(self) -> Saying | None:
        quantity = self.chance.randint(1, 6)
        said = {"product": "A1", "quantity": quantity, "rule_version": "2024", "digest": "7" * 64}
        return self._of_mark("codes_issued", effective_at=self._when(), **said)

    # --- authorities -------------------------------------------------------------------------------------------------

    def _class_removed(self) -> Saying:
        said = {"class": self.chance.choice(CLASSES), "instrument": "公告"}
        return Saying(AUTHORITY, "catalogue.class_removed", "life-classes", {"effective_at": self._when()} | said)

    def _scheme_changed(self) -> Saying:
        """A later version of one scheme, which would judge the past otherwise."""
        rules = SCHEMES["life-plain"] | {
            "version": self.version + 1,
            "effective_at": self._day(0, 20),
            "required": self.chance.choice([[], ["grade"], ["headcount"]]),
            "suspension_limit_months": self.chance.choice([1, 3, None]),
            "surveillance_months": self.chance.choice([6, 12, None]),
        }
        return Saying(AUTHORITY, "scheme.published", "life-plain", rules)

    def _body_changed(self) -> Saying:
        if self._rarely(2):
            since = datetime.combine(self.today, time(0), UTC) - timedelta(hours=self.chance.randint(0, 48))
            kid = self.chance.choice(self.kids) if self.kids else "A" * 43
            return Saying(AUTHORITY, "key.compromised", kid, {"since": instant_text(since)})
        approved = {"effective_at": self._day(-5, 0), "name": "示范机构"}
        competence = [{"scheme": scheme, "from": "2016-01-01"} for scheme in SCHEMES]
        number = OTHER.rpartition(":")[2]
        if self._rarely(2):
            short = self.chance.choice(["body.suspended", "body.disqualified"])
            return Saying(AUTHORITY, short, number, {"effective_at": self._day(-5, 0), "instrument": "决定"})
        return Saying(AUTHORITY, "body.approved", number, approved | {"schemes": competence})

    kids: list[str] = field(default_factory=list)
    """Keys that may be said to be compromised."""
