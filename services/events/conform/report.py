"""The report of a run: a JSON document, signed by who answers for it, and the same for the eye."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from services import base64url
from services.domain.errors import BadSignature, CertmarkError, NotAnEnvelope
from services.events import strict_json
from services.events.conform.outcome import Outcome
from services.events.envelope import sign_compact
from services.events.keys import HEADER_NAMES, PrivateKey, PublicKey, public_key

TYP = "certmark-conform+jws"
VERDICTS = ("passed", "failed", "not_run")
_WORDS = {
    "passed": ("通过", "passed", "green"),
    "failed": ("未通过", "failed", "red"),
    "not_run": ("未执行", "not run", "yellow"),
}

Report = dict[str, Any]


def report_of(
    mode: str,
    about: Mapping[str, str],
    versions: Mapping[str, str],
    span: tuple[datetime, datetime],
    outcomes: Sequence[Outcome],
) -> Report:
    """The document. `about` says what was looked at: the addresses of a system, or the command of a client."""
    counts = Counter(outcome.verdict for outcome in outcomes)
    return {
        "v": 1,
        "kind": "certmark-conform",
        "mode": mode,
        "about": dict(about),
        "versions": dict(versions),
        "begun_at": _instant(span[0]),
        "ended_at": _instant(span[1]),
        "counts": {verdict: counts[verdict] for verdict in VERDICTS},
        "cases": [_case(outcome) for outcome in outcomes],
    }


def _case(outcome: Outcome) -> dict[str, Any]:
    names = ("step", "expected", "got", "status", "digest", "event_id", "detail", "milliseconds")
    return {
        "id": outcome.case.id,
        "title": {"zh": outcome.case.zh, "en": outcome.case.en},
        "clause": outcome.case.clause,
        "verdict": outcome.verdict,
        "why": outcome.why or None,
        "milliseconds": round(outcome.seconds * 1000),
        "steps": [{name: getattr(step, name) for name in names} for step in outcome.steps],
    }


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


# --- signed ------------------------------------------------------------------------------------------------


def sign_report(report: Report, key: PrivateKey) -> bytes:
    """A JWS in compact form around the document; its header holds the public key, whose thumbprint is the kid."""
    header: dict[str, Any] = {"alg": key.public.alg, "kid": key.public.kid, "typ": TYP, "jwk": dict(key.public.jwk)}
    return sign_compact(header, json.dumps(report, ensure_ascii=False, separators=(",", ":")).encode(), key)


def open_report(raw: bytes) -> tuple[Report, PublicKey]:
    """The document inside a signed report, and the key that signed it. Whose key that is, is the reader's to know.

    Raises:
        NotAnEnvelope: it is no signed report. BadSignature: it was altered.
    """
    parts = raw.strip().split(b".")
    if len(parts) != 3:
        raise NotAnEnvelope("not a signed report: it has not the three parts of a JWS")
    try:
        header = strict_json.loads(_unbase64(parts[0]))
        key = public_key(header["jwk"])
        if header.get("typ") != TYP or header.get("alg") not in HEADER_NAMES[key.alg] or header.get("kid") != key.kid:
            raise NotAnEnvelope(f"the header is not that of a report ({TYP})")
        key.verify(_unbase64(parts[2]), b".".join(parts[:2]))  # first: what was altered is not even read
        document = strict_json.loads(_unbase64(parts[1]))
    except BadSignature:
        raise
    except (CertmarkError, KeyError, AttributeError, TypeError) as error:
        raise NotAnEnvelope(f"not a signed report: {error}") from None
    return document, key


def _unbase64(part: bytes) -> bytes:
    try:
        return base64url.decoded(part)
    except ValueError as error:
        raise NotAnEnvelope(str(error)) from None


# --- for the eye -------------------------------------------------------------------------------------------


def shown(report: Report, every: bool = False) -> Iterator[RenderableType]:
    """The report for a terminal: how each family of cases came out, then those that did not pass, or every one."""
    yield Text(f"{_both(*_MODES[report['mode']])}: {', '.join(f'{k} {v}' for k, v in report['about'].items())}")
    yield Text(
        f"{report['begun_at']} – {report['ended_at']}; " + ", ".join(f"{k} {v}" for k, v in report["versions"].items())
    )
    yield _families(report["cases"])
    rows = [case for case in report["cases"] if every or case["verdict"] != "passed"]
    if rows:
        yield _cases(rows)
    yield Text(
        "，".join(f"{_WORDS[v][0]} {report['counts'][v]}" for v in VERDICTS)
        + "; "
        + ", ".join(f"{report['counts'][v]} {_WORDS[v][1]}" for v in VERDICTS)
    )


_MODES = {"system": ("系统", "a system"), "producer": ("机构客户端", "a body's client")}


def _both(zh: str, en: str) -> str:
    return f"{zh} {en}"


def _families(cases: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(
        "案例组 family", *(_both(*_WORDS[verdict][:2]) for verdict in VERDICTS), box=None, header_style="bold"
    )
    counts: dict[str, Counter[str]] = {}
    for case in cases:
        counts.setdefault(str(case["id"]).partition("/")[0], Counter())[str(case["verdict"])] += 1
    for family, found in counts.items():
        cells = [Text(str(found[v] or "·"), style=_WORDS[v][2] if found[v] else "dim") for v in VERDICTS]
        table.add_row(family, *cells)
    return table


_COMPARED = (("期望 expected", False), ("得到 got", False))


def _cases(cases: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(header_style="bold")
    for heading, fixed in (("案例 case", True), ("结果 result", True), ("要点 what", False), *_COMPARED):
        table.add_column(heading, no_wrap=fixed, overflow="fold")
    for case in cases:
        zh, en, style = _WORDS[str(case["verdict"])]
        steps = case["steps"]
        table.add_row(
            Text(str(case["id"])),
            Text(f"{zh} {en}", style=style),
            Text(f"{case['title']['zh']}\n{case['title']['en']}\n{case['clause']}"),
            Text("\n".join(str(step["expected"]) for step in steps)),
            Text("\n".join(str(step["got"]) for step in steps) or str(case["why"] or "")),
        )
    return table
