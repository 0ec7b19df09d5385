"""What is overdue, for the body that owes it and for the regulator: computed for a day, never by a job."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Protocol, TypeVar

import marshmallow as ma
import orjson
from flask.views import MethodView

from services import telemetry
from services.auth import Role
from services.domain.catalogue import CatalogueState
from services.domain.certificate import Certificate, from_state
from services.domain.clocks import CAN_BE_OVERDUE, Clock, clocks, overdue
from services.domain.errors import BadRequest
from services.domain.identifiers import civil_day, normalised
from services.domain.scheme import Scheme, SchemeRules, scheme_from_state
from services.domain.standing import standing_under
from services.postgres import Cursor
from services.registry import store
from services.registry.feeds import source_for
from services.registry.gate import Gate, who_asks
from services.web import Blueprint

T = TypeVar("T")
PAGE = 100
READERS = (Role.SOURCE, Role.REGULATOR)
_AT_ONCE = 500
_LOOKED_AT = 20 * _AT_ONCE
"""Candidates that one request for a list looks at; where most of them prove settled, a page may be short."""

_KEY = "certificate/"


class Reads(Protocol):
    """Runs a query in a transaction of its own."""

    def __call__(self, query: Callable[[Cursor], T]) -> T: ...


_NAME = ma.validate.Regexp(r"[^\0]{1,128}\Z", error="1 to 128 characters, and no U+0000")


class CountsQuery(ma.Schema):
    source = ma.fields.String(
        load_default=None,
        validate=_NAME,
        metadata={"description": "URN of a source; where absent one's own, and all for a regulator"},
    )
    at = ma.fields.Date(
        load_default=None, metadata={"description": "Civil date at UTC+8, today or later; today where absent"}
    )


class OverdueQuery(CountsQuery):
    kind = ma.fields.String(load_default=None, validate=ma.validate.OneOf([kind.value for kind in CAN_BE_OVERDUE]))
    after = ma.fields.String(
        load_default="",
        validate=ma.validate.Regexp(r"[^\0]{0,128}\Z", error="at most 128 characters, and no U+0000"),
        metadata={"description": "`next` of the page before"},
    )
    limit = ma.fields.Integer(load_default=PAGE, validate=ma.validate.Range(1, 1000))


class ClockSchema(ma.Schema):
    """A clock that ran out."""

    kind = ma.fields.String(required=True)
    due = ma.fields.Date(required=True, metadata={"description": "The last day on which all was in order"})
    days = ma.fields.Integer(required=True, metadata={"description": "Days past it"})
    rule = ma.fields.String(required=True, metadata={"description": "K01 … of docs/clocks.md"})
    what = ma.fields.String(required=True, allow_none=True)


class LateSchema(ma.Schema):
    certificate_no = ma.fields.String(required=True)
    source = ma.fields.String(required=True, metadata={"description": "Who answers for it"})
    scheme = ma.fields.String(required=True)
    standing = ma.fields.String(required=True)
    clocks = ma.fields.List(ma.fields.Nested(ClockSchema), required=True)
    seq = ma.fields.Integer(required=True)


class OverdueSchema(ma.Schema):
    at = ma.fields.Date(required=True)
    items = ma.fields.List(ma.fields.Nested(LateSchema), required=True)
    next = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "There may be more after it, however few came"}
    )


class CountSchema(ma.Schema):
    source = ma.fields.String(required=True)
    kind = ma.fields.String(required=True)
    count = ma.fields.Integer(required=True)


class CountsSchema(ma.Schema):
    at = ma.fields.Date(required=True)
    certificates = ma.fields.Integer(required=True)
    items = ma.fields.List(ma.fields.Nested(CountSchema), required=True)


def blueprint(read: Reads, gate: Gate, today: Callable[[], date] = lambda: civil_day(datetime.now(UTC))) -> Blueprint:
    """`/v1/overdue`."""
    pages = Blueprint("overdue", __name__, url_prefix="/v1", description="What is overdue")

    @pages.route("/overdue")
    class Overdue(MethodView):
        @gate.admits(*READERS)
        @pages.arguments(OverdueQuery, location="query")
        @pages.response(200, OverdueSchema)
        @pages.doc(
            summary="Certificates with a clock that ran out, in order of their numbers",
            description="With the source's token, who sees its own, or a regulator's.",
        )
        def get(self, query: dict[str, Any]) -> dict[str, Any]:
            source = source_for(who_asks(), query["source"])
            day = _day(query["at"], today())
            after = f"{_KEY}{normalised(query['after'])}"

            def page(cur: Cursor) -> tuple[list[Late], str | None]:
                return late_page(cur, day, source, query["kind"], after, query["limit"])

            found, last = read(page)
            return {"at": day, "items": [_shown(late) for late in found], "next": last}

    @pages.route("/overdue/counts")
    class Counts(MethodView):
        @gate.admits(*READERS)
        @pages.arguments(CountsQuery, location="query")
        @pages.response(200, CountsSchema)
        @pages.doc(
            summary="How many, by who answers for them and by kind",
            description="With the source's token, who sees its own, or a regulator's.",
        )
        def get(self, query: dict[str, Any]) -> dict[str, Any]:
            source = source_for(who_asks(), query["source"])
            day = _day(query["at"], today())
            found = read(lambda cur: count_late(cur, day, source))
            if source is None and query["at"] is None:
                _tell(found)
            items = [
                {"source": source, "kind": kind, "count": n} for (source, kind), n in sorted(found.by_kind.items())
            ]
            return {"at": day, "certificates": found.certificates, "items": items}

    return pages


def _tell(found: "Tally") -> None:
    """Leave the figures of the last count for `/metrics`."""
    figure = telemetry.gauge("certmark_overdue", "Clocks that ran out, when they were last counted", "kind")
    for kind in CAN_BE_OVERDUE:
        figure.labels(kind.value).set(sum(n for (_, each), n in found.by_kind.items() if each == kind.value))


def _day(asked: date | None, today: date) -> date:
    """The present states say what is and will be overdue, not what was: late reports would rewrite that."""
    if asked is not None and asked < today:
        raise BadRequest(f"{asked} is past; what is overdue is told for {today} or later", pointer="/at")
    return asked or today


# --- reading ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Late:
    """A certificate with its clocks that ran out."""

    certificate: Certificate
    standing: str
    clocks: tuple[Clock, ...]
    seq: int


@dataclass(frozen=True, slots=True)
class Tally:
    certificates: int
    by_kind: Counter[tuple[str, str]]


def late_page(
    cur: Cursor, day: date, source: str | None, kind: str | None, after: str, limit: int
) -> tuple[list[Late], str | None]:
    """(at most `limit` certificates in order of their keys, the number after which to go on, None at the end)."""
    found: list[Late] = []
    for looked, (number, late) in enumerate(_late(cur, day, source, after), start=1):
        if late is not None and (kind is None or any(clock.kind == kind for clock in late.clocks)):
            wanted = tuple(clock for clock in late.clocks if kind in (None, clock.kind))
            found.append(Late(late.certificate, late.standing, wanted, late.seq))
        if len(found) == limit or looked == _LOOKED_AT:
            return found, number
    return found, None


def count_late(cur: Cursor, day: date, source: str | None = None) -> Tally:
    """Every clock that ran out, by source and kind; all candidates are looked at."""
    certificates, by_kind = 0, Counter[tuple[str, str]]()
    for _, late in _late(cur, day, source, _KEY):
        if late is not None:
            certificates += 1
            by_kind.update((late.certificate.responsible, clock.kind.value) for clock in late.clocks)
    return Tally(certificates, by_kind)


def _late(cur: Cursor, day: date, source: str | None, after: str) -> Iterator[tuple[str, Late | None]]:
    """(number, what is late about it or None) of every candidate, in order of keys, while the transaction lasts."""
    rules = _Rules.read(cur, day)
    _seek_candidates(cur, day, after, rules)
    while True:
        cur.execute(f"FETCH {_AT_ONCE} FROM candidates")
        keys = [key for (key,) in cur.fetchall()]
        if not keys:
            break
        rows = store.records_of(cur, keys)
        mine = [rows[key] for key in keys if key in rows and source in (None, rows[key].responsible)]
        certificates = [(from_state(orjson.loads(row.state)), row.seq) for row in mine]
        parents = _parents(cur, [certificate for certificate, _ in certificates])
        for certificate, seq in certificates:
            parent = parents.get(certificate.parent_no or "")
            yield certificate.certificate_no, _judged(certificate, parent, day, rules, seq)


def _judged(certificate: Certificate, parent: Certificate | None, day: date, rules: "_Rules", seq: int) -> Late | None:
    version = rules.on(certificate.scheme)
    if version is None:
        return None
    late = overdue(clocks(certificate, day, version, rules.catalogues.get(version["catalogue"] or ""), parent))
    return Late(certificate, standing_under(certificate, parent, day).value, late, seq) if late else None


def _parents(cur: Cursor, certificates: list[Certificate]) -> dict[str, Certificate]:
    keys = {f"{_KEY}{certificate.parent_no}" for certificate in certificates if certificate.parent_no}
    found = store.records_of(cur, keys) if keys else {}
    return {key.removeprefix(_KEY): from_state(orjson.loads(row.state)) for key, row in found.items()}


@dataclass(frozen=True, slots=True)
class _Rules:
    """What is needed beside the certificates: the schemes' rules on the day, with their revisions, and catalogues."""

    versions: Mapping[str, SchemeRules]
    revisions: Mapping[str, int]
    catalogues: Mapping[str, CatalogueState]
    day: date

    @classmethod
    def read(cls, cur: Cursor, day: date) -> "_Rules":
        cur.execute(
            "SELECT key, revision, state FROM records WHERE key >= 'scheme/' AND key < 'scheme0'"
            " OR key >= 'catalogue/' AND key < 'catalogue0'"
        )
        versions: dict[str, SchemeRules] = {}
        revisions: dict[str, int] = {}
        catalogues: dict[str, CatalogueState] = {}
        for key, revision, state in cur.fetchall():
            kind, _, name = key.partition("/")
            if kind == "catalogue":
                catalogues[name] = orjson.loads(state)
                continue
            scheme: Scheme = scheme_from_state(orjson.loads(state))
            version = scheme.on(day) or (scheme.versions[0] if scheme.versions else None)
            if version is not None:
                versions[name], revisions[name] = version, revision
        return cls(versions, revisions, catalogues, day)

    def on(self, scheme: str) -> SchemeRules | None:
        return self.versions.get(scheme)

    def closed_classes(self) -> list[str]:
        """Classes of which a catalogue has stopped taking one of the modes: their records may not have heard of it."""
        text = self.day.isoformat()
        return sorted(
            {
                listed["class"]
                for catalogue in self.catalogues.values()
                for listed in catalogue["classes"]
                if listed["removed_on"] is None
                and any(mode["until"] is not None and mode["until"] < text for mode in listed["modes"])
            }
        )

    def renewed_schemes(self) -> tuple[list[str], list[int]]:
        """(patterns of states, revisions before which) of schemes that have put an edition out of use."""
        text = self.day.isoformat()
        chosen = [
            scheme
            for scheme, version in sorted(self.versions.items())
            if any(old["until"] < text for old in version["transitions"])
        ]
        return [f'%"scheme":"{scheme}"%' for scheme in chosen], [self.revisions[scheme] for scheme in chosen]


_CANDIDATES = """
DECLARE candidates NO SCROLL CURSOR FOR
SELECT key FROM (
    SELECT key FROM records WHERE due < %(day)s
    UNION
    SELECT key FROM places WHERE product_class = ANY(%(classes)s::text[])
    UNION
    SELECT key FROM places WHERE is_part
    UNION
    SELECT r.key FROM records r, unnest(%(patterns)s::text[], %(revisions)s::bigint[]) s (pattern, upto)
    WHERE r.revision < s.upto AND r.key LIKE 'certificate/%%' AND r.state LIKE s.pattern
) found
WHERE key > %(after)s ORDER BY key
"""


def _seek_candidates(cur: Cursor, day: date, after: str, rules: _Rules) -> None:
    """The keys of certificates of which something may be overdue, in their order.

    `due` holds whatever version of the scheme judges it; what others have done is sought besides: a class whose mode
    has ended, a parent that has ended, an edition that a version has put out of use which came after the record.
    """
    patterns, revisions = rules.renewed_schemes()
    cur.execute(
        _CANDIDATES,
        {
            "after": after,
            "day": day,
            "classes": rules.closed_classes(),
            "patterns": patterns,
            "revisions": revisions,
        },
    )


def _shown(late: Late) -> dict[str, Any]:
    return {
        "certificate_no": late.certificate.certificate_no,
        "source": late.certificate.responsible,
        "scheme": late.certificate.scheme,
        "standing": late.standing,
        "clocks": [
            {"kind": c.kind.value, "due": c.due, "days": -c.days, "rule": c.rule, "what": c.what} for c in late.clocks
        ],
        "seq": late.seq,
    }
