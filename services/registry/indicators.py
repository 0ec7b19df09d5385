"""Indicators (统计指标): a definition in words with its query; the same number again for any day, as known then."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from types import MappingProxyType
from typing import Any

import marshmallow as ma
from flask.views import MethodView

from services.domain.errors import BadRequest, NotFound
from services.domain.identifiers import civil_day, instant_text
from services.domain.scheme import Words
from services.domain.standing import Standing
from services.postgres import Cursor
from services.registry import facts
from services.registry.answer_schemas import IndicatorAnswerSchema, IndicatorsSchema
from services.registry.facts import PLACE
from services.registry.past import instant_named, last_recorded
from services.web import Blueprint, answers

EXPIRES_WITHIN_DAYS = 90

_SETTLED = timedelta(minutes=1)
"""After this nothing is decided any more as of an instant: clocks of two machines differ by less."""


@dataclass(frozen=True, slots=True)
class Indicator:
    """What is counted, by what it can be broken down, and how.

    The query is given `at` (a civil day), `since` (the first day of the period), `seq` (the last entry that counts),
    `by` (one of the dimensions, or none), and answers rows of (key, count) or, of a share, (key, part, whole).
    """

    id: str
    name: Words
    definition: Words
    unit: Words
    dimensions: tuple[str, ...]
    query: str
    period: bool = False
    percent: bool = False


_CERTIFICATES: Words = {"zh": "张", "en": "certificates"}
_TIMES: Words = {"zh": "次", "en": "times"}
_PLACES = ("scheme", "region", "body")


def _status_events(id_: str, name: Words, what: Words, query: str, by: tuple[str, ...]) -> Indicator:
    return Indicator(
        id_,
        name,
        {
            "zh": f"统计期内（自since至at，含两端）生效的{what['zh']}次数",
            "en": f"{what['en']} that took effect from `since` to `at`, both days included",
        },
        _TIMES,
        by,
        query,
        period=True,
    )


INDICATORS: Mapping[str, Indicator] = MappingProxyType(
    {
        indicator.id: indicator
        for indicator in (
            Indicator(
                "certificates-valid",
                {"zh": "有效证书数", "en": "Valid certificates"},
                {
                    "zh": "在该日状态为有效的证书与自我声明的数量；子证书在其主证书也有效时计入",
                    "en": "Certificates and self-declarations that stand valid on the day; one that is part of another"
                    " counts while the other is valid too",
                },
                _CERTIFICATES,
                _PLACES,
                "SELECT CASE %(by)s WHEN 'scheme' THEN scheme WHEN 'region' THEN region WHEN 'body' THEN body END,"
                " count(*) FROM known_certificates(%(at)s, %(seq)s) WHERE standing = %(valid)s GROUP BY 1",
            ),
            Indicator(
                "organisations-certified",
                {"zh": "获证组织数", "en": "Certified organisations"},
                {
                    "zh": "在该日持有至少一张有效证书或声明的组织数量；以统一社会信用代码区分，没有代码的以名称区分",
                    "en": "Organisations that hold at least one valid certificate or declaration on the day, told apart"
                    " by credit code, or by name where there is none",
                },
                {"zh": "家", "en": "organisations"},
                _PLACES,
                "SELECT CASE %(by)s WHEN 'scheme' THEN scheme WHEN 'region' THEN region WHEN 'body' THEN body END,"
                " count(DISTINCT organisation) FROM known_certificates(%(at)s, %(seq)s) WHERE standing = %(valid)s"
                " GROUP BY 1",
            ),
            Indicator(
                "certificates-by-standing",
                {"zh": "各状态证书数", "en": "Certificates by standing"},
                {
                    "zh": "登记册中的全部证书与自我声明，按其在该日的状态",
                    "en": "All certificates and self-declarations of the register, by what they stand as on the day",
                },
                _CERTIFICATES,
                ("standing", *_PLACES),
                "SELECT CASE %(by)s WHEN 'scheme' THEN scheme WHEN 'region' THEN region WHEN 'body' THEN body"
                " WHEN 'standing' THEN (%(standings)s::text[])[standing + 1] END, count(*)"
                " FROM known_certificates(%(at)s, %(seq)s) GROUP BY 1",
            ),
            Indicator(
                "certificates-new",
                {"zh": "新发证书数", "en": "New certificates"},
                {
                    "zh": "首次发证日期在统计期内（自since至at，含两端）的证书与自我声明的数量",
                    "en": "Certificates and self-declarations first issued from `since` to `at`, both days included",
                },
                _CERTIFICATES,
                (*_PLACES, "month"),
                "SELECT CASE %(by)s WHEN 'scheme' THEN scheme WHEN 'region' THEN region WHEN 'body' THEN body"
                " WHEN 'month' THEN to_char(first_issued_on, 'YYYY-MM') END, count(*)"
                " FROM known_certificates(%(at)s, %(seq)s) WHERE first_issued_on BETWEEN %(since)s AND %(at)s"
                " GROUP BY 1",
                period=True,
            ),
            _status_events(
                "suspensions",
                {"zh": "暂停次数", "en": "Suspensions"},
                {"zh": "证书暂停", "en": "Suspensions of certificates"},
                "SELECT CASE %(by)s WHEN 'scheme' THEN scheme WHEN 'region' THEN region WHEN 'body' THEN body"
                " WHEN 'reason' THEN i.reason WHEN 'month' THEN to_char(i.since, 'YYYY-MM') END, count(*)"
                " FROM known_certificates(%(at)s, %(seq)s) c,"
                " unnest(c.statuses, c.since, c.reasons) AS i(status, since, reason)"
                " WHERE i.status = 'suspended' AND i.since BETWEEN %(since)s AND %(at)s GROUP BY 1",
                (*_PLACES, "reason", "month"),
            ),
            _status_events(
                "resumptions",
                {"zh": "恢复次数", "en": "Resumptions"},
                {"zh": "证书恢复", "en": "Resumptions of suspended certificates"},
                "SELECT CASE %(by)s WHEN 'scheme' THEN scheme WHEN 'region' THEN region WHEN 'body' THEN body"
                " WHEN 'month' THEN to_char(i.since, 'YYYY-MM') END, count(*)"
                " FROM known_certificates(%(at)s, %(seq)s) c,"
                " unnest(c.statuses, c.since) WITH ORDINALITY AS i(status, since, place)"
                " WHERE i.status = 'active' AND i.place > 1 AND i.since BETWEEN %(since)s AND %(at)s GROUP BY 1",
                (*_PLACES, "month"),
            ),
            _status_events(
                "revocations",
                {"zh": "撤销次数", "en": "Revocations"},
                {"zh": "证书撤销", "en": "Revocations of certificates"},
                "SELECT CASE %(by)s WHEN 'scheme' THEN scheme WHEN 'region' THEN region WHEN 'body' THEN body"
                " WHEN 'reason' THEN i.reason WHEN 'month' THEN to_char(i.since, 'YYYY-MM') END, count(*)"
                " FROM known_certificates(%(at)s, %(seq)s) c,"
                " unnest(c.statuses, c.since, c.reasons) AS i(status, since, reason)"
                " WHERE i.status = 'revoked' AND i.since BETWEEN %(since)s AND %(at)s GROUP BY 1",
                (*_PLACES, "reason", "month"),
            ),
            _status_events(
                "cancellations",
                {"zh": "注销次数", "en": "Cancellations"},
                {"zh": "证书注销（含被替代）", "en": "Cancellations of certificates, superseded ones included,"},
                "SELECT CASE %(by)s WHEN 'scheme' THEN scheme WHEN 'region' THEN region WHEN 'body' THEN body"
                " WHEN 'reason' THEN i.reason WHEN 'month' THEN to_char(i.since, 'YYYY-MM') END, count(*)"
                " FROM known_certificates(%(at)s, %(seq)s) c,"
                " unnest(c.statuses, c.since, c.reasons) AS i(status, since, reason)"
                " WHERE i.status = 'cancelled' AND i.since BETWEEN %(since)s AND %(at)s GROUP BY 1",
                (*_PLACES, "reason", "month"),
            ),
            Indicator(
                "certificates-expiring",
                {"zh": "即将到期证书数", "en": "Certificates about to expire"},
                {
                    "zh": f"在该日有效、且有效期在其后{EXPIRES_WITHIN_DAYS}天内届满的证书与自我声明的数量",
                    "en": "Certificates and self-declarations that stand valid on the day and whose validity ends"
                    f" within {EXPIRES_WITHIN_DAYS} days after it",
                },
                _CERTIFICATES,
                _PLACES,
                "SELECT CASE %(by)s WHEN 'scheme' THEN scheme WHEN 'region' THEN region WHEN 'body' THEN body END,"
                " count(*) FROM known_certificates(%(at)s, %(seq)s) WHERE standing = %(valid)s"
                " AND valid_until <= %(soon)s GROUP BY 1",
            ),
            Indicator(
                "marks-authorized",
                {"zh": "有效标志授权数", "en": "Authorized marks"},
                {
                    "zh": "在该日自身与所依据的证书都有效的标志使用授权的数量",
                    "en": "Mark authorizations that are valid on the day, as are the certificates that they rest on",
                },
                {"zh": "项", "en": "authorizations"},
                _PLACES,
                "SELECT CASE %(by)s WHEN 'scheme' THEN scheme WHEN 'region' THEN region WHEN 'body' THEN body END,"
                " count(*) FROM known_marks(%(at)s, %(seq)s) WHERE standing = %(valid)s GROUP BY 1",
            ),
            Indicator(
                "surveillance-overdue-share",
                {"zh": "监督逾期率", "en": "Share of overdue surveillance"},
                {
                    "zh": "在该日有效且规定有监督到期日的证书中，到期日已过而未报告通过监督的所占百分比（不计宽限期）",
                    "en": "Of the certificates that stand valid on the day and have a surveillance due, the percentage"
                    " whose due day has passed without a report that it was passed; no grace is counted",
                },
                {"zh": "%", "en": "%"},
                _PLACES,
                "SELECT CASE %(by)s WHEN 'scheme' THEN scheme WHEN 'region' THEN region WHEN 'body' THEN body END,"
                " count(*) FILTER (WHERE due < %(at)s), count(*) FROM known_certificates(%(at)s, %(seq)s)"
                " WHERE standing = %(valid)s AND due IS NOT NULL GROUP BY 1",
                percent=True,
            ),
        )
    }
)
"""Every indicator by its id; docs/open-data.md shows them."""


def described(indicator: Indicator) -> dict[str, Any]:
    """An indicator as it is published."""
    return {
        "id": indicator.id,
        "name": indicator.name,
        "definition": indicator.definition,
        "unit": indicator.unit,
        "dimensions": list(indicator.dimensions),
        "period": indicator.period,
    }


def indicator_named(id_: str) -> Indicator:
    """Raises NotFound where there is none of that name."""
    found = INDICATORS.get(id_)
    if found is None:
        raise NotFound(f"no indicator {id_!r}", hint=", ".join(INDICATORS))
    return found


@dataclass(frozen=True, slots=True)
class Asked:
    """For which day, from which first day on, as known when, broken down by what."""

    at: date
    since: date
    known_at: datetime
    by: str | None


def asked(indicator: Indicator, at: date, since: date | None, known_at: str | None, by: str | None) -> Asked:
    """A question with its defaults: the period begins with the month, and what was known at the end of `at` counts.

    So the number for a day that is over never changes, unless a later `known_at` is asked for.

    Raises:
        BadRequest: a dimension that the indicator has not, or a period where there is none, or ends before it begins.
    """
    if by is not None and by not in indicator.dimensions:
        hint = ", ".join(indicator.dimensions)
        raise BadRequest(f"{indicator.id} cannot be broken down by {by!r}", pointer="/by", hint=hint)
    if since is not None and (not indicator.period or since > at):
        raise BadRequest(
            f"the period begins on {since}, after {at}" if indicator.period else f"{indicator.id} is for a day",
            pointer="/since",
        )
    instant = instant_named(known_at or at.isoformat(), "/known_at")
    return Asked(at, since or at.replace(day=1), instant, by)


def answer(cur: Cursor, indicator: Indicator, question: Asked, last: int) -> dict[str, Any]:
    """The number, and its rows where a breakdown was asked for. `last` is the register's last entry."""
    seq = last_recorded(cur, question.known_at, last)
    values = {
        "at": question.at,
        "since": question.since,
        "seq": seq,
        "valid": PLACE[Standing.VALID],
        "standings": [standing.value for standing in PLACE],
        "soon": question.at + min(timedelta(days=EXPIRES_WITHIN_DAYS), date.max - question.at),
    }
    counted = _percent if indicator.percent else _count
    total = _rows(cur, indicator, values, None, counted)
    told: dict[str, Any] = {
        **described(indicator),
        "at": question.at.isoformat(),
        **({"since": question.since.isoformat()} if indicator.period else {}),
        "known_at": instant_text(question.known_at),
        "seq": seq,
        "by": question.by,
        **(dict(total[0][1]) if total else counted(())),
    }
    if question.by is None:
        return told
    rows = _rows(cur, indicator, values, question.by, counted)
    return {**told, "rows": [{"key": key, **row} for key, row in rows]}


def blueprint(read: facts.Reads) -> Blueprint:
    """`/v1/indicators`."""
    pages = Blueprint("indicators", __name__, url_prefix="/v1", description="Indicators")

    @pages.route("/indicators")
    class Indicators(MethodView):
        @pages.doc(summary="Every indicator with its definition", responses=answers(IndicatorsSchema, "{items, next}"))
        def get(self) -> dict[str, Any]:
            return {"items": [described(indicator) for indicator in INDICATORS.values()], "next": None}

    @pages.route("/indicators/<name>")
    class Answer(MethodView):
        @pages.arguments(IndicatorQuery, location="query")
        @pages.doc(
            summary="An indicator for a day or a period, as known then or later",
            description="What was known at the end of `at` counts unless `known_at` says otherwise, so that the number"
            " for a day that is over never changes.",
            responses=answers(IndicatorAnswerSchema, "The definition with `value`, and `rows` where `by` is given"),
        )
        def get(self, query: dict[str, Any], name: str) -> tuple[dict[str, Any], int, dict[str, str]]:
            indicator, now = indicator_named(name), datetime.now(UTC)
            question = asked(indicator, query["at"] or civil_day(now), query["since"], query["known_at"], query["by"])
            last = facts.caught_up(read)
            found = read(lambda cur: answer(cur, indicator, question, last))
            # What was known then is known for ever: whoever stands between may keep it.
            seconds = 86_400 if query["at"] and question.known_at < now - _SETTLED else 30
            return found, 200, {"Cache-Control": f"public, max-age=0, s-maxage={seconds}"}

    return pages


class IndicatorQuery(ma.Schema):
    at = ma.fields.Date(load_default=None, metadata={"description": "Civil date at UTC+8; today where absent"})
    since = ma.fields.Date(
        load_default=None,
        metadata={"description": "First day of a period; the first of the month of `at` where absent"},
    )
    known_at = ma.fields.String(
        load_default=None, metadata={"description": "Date (its end) or RFC 3339 instant; the end of `at` where absent"}
    )
    by = ma.fields.String(load_default=None, metadata={"description": "One of the indicator's dimensions"})


_Counted = Callable[[Sequence[int]], dict[str, Any]]


def _rows(
    cur: Cursor, indicator: Indicator, values: Mapping[str, Any], by: str | None, counted: _Counted
) -> list[tuple[str | None, dict[str, Any]]]:
    """By key, those without one at the end."""
    cur.execute(indicator.query, {**values, "by": by})
    return sorted(
        ((row[0], counted(row[1:])) for row in cur.fetchall()), key=lambda found: (found[0] is None, found[0] or "")
    )


def _count(row: Sequence[int]) -> dict[str, Any]:
    return {"value": row[0] if row else 0}


def _percent(row: Sequence[int]) -> dict[str, Any]:
    part, whole = row or (0, 0)
    share = Decimal(100 * part) / Decimal(whole) if whole else None
    rounded = float(share.quantize(Decimal("0.01"), ROUND_HALF_UP)) if share is not None else None
    return {"value": rounded, "part": part, "whole": whole}
