"""A case, and the receipt of a referral, as workbooks."""

import io
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import xlsxwriter

from services.domain.case import Case, Referral
from services.registry.desk.captures import Capture
from services.registry.desk.case_store import Done, Evidence
from services.registry.desk.deeds import to_json
from services.registry.desk.room import Frame
from services.registry.rooms import beijing

_PLAIN = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "in_memory": True}
"""What a listing says is text, whatever it begins with: nothing of it becomes a formula or a link."""
_OF_CAPTURES = ("file", "kind", "url", "taken_at", "clock", "tool", "officers", "file_digest")


def of_case(
    case: Case, deeds: Sequence[Done], evidence: Mapping[str, Evidence], captures: Sequence[Capture], frame: Frame
) -> bytes:
    """Three sheets: findings with what was decided, deeds in their order, captures with their digests."""
    out = io.BytesIO()
    with closing(xlsxwriter.Workbook(out, _PLAIN)) as book:
        bold = book.add_format({"bold": True})
        _sheet(
            book,
            frame.say("findings"),
            bold,
            [
                frame.say(name)
                for name in ("case_no", "row", "seller", "certificate_no", "rules", "verdict", "decision", "note")
            ],
            [
                (
                    case.case_no,
                    (found.listing.get("row") if found else None) or finding.row,
                    finding.seller,
                    (found.certificate_no if found else None) or "",
                    " ".join(found.told.get("rules") or ()) if found else "",
                    str(found.told.get("verdict") or "") if found else "",
                    frame.say(f"decision_{finding.decision}"),
                    finding.note,
                )
                for finding in case.findings
                for found in (evidence.get(finding.id),)
            ],
        )
        _sheet(
            book,
            frame.say("deeds"),
            bold,
            [frame.say(name) for name in ("number", "when", "who", "did", "detail")],
            [
                (
                    str(one.number),
                    beijing(one.at),
                    one.account,
                    frame.say(f"deed_{members.pop('kind')}"),
                    _detail(members),
                )
                for one in deeds
                for members in (to_json(one.deed),)
            ],
        )
        _sheet(
            book,
            frame.say("captures"),
            bold,
            [frame.say(name) for name in _OF_CAPTURES],
            [(c.name, c.kind, c.url, beijing(c.taken_at), c.clock, c.tool, c.officers, c.sha256) for c in captures],
        )
    return out.getvalue()


def of_referral(case: Case, referral: Referral, frame: Frame) -> bytes:
    """The receipt: what was handed over, by whom, to whom, when, and when it was acknowledged."""
    out = io.BytesIO()
    with closing(xlsxwriter.Workbook(out, _PLAIN)) as book:
        bold = book.add_format({"bold": True})
        sheet = book.add_worksheet(frame.say("receipt"))
        sheet.set_column(0, 0, 24)
        sheet.set_column(1, 1, 60)
        for line, (name, value) in enumerate(
            (
                ("receipt_no", referral.receipt_no),
                ("case_no", case.case_no),
                ("title", case.title),
                ("from_division", referral.from_division),
                ("to_division", referral.to_division),
                ("referred_on", referral.on.isoformat()),
                ("reason", referral.reason),
                ("count_of_findings", str(len(case.findings))),
                ("acknowledged_on", referral.acknowledged_on.isoformat() if referral.acknowledged_on else ""),
            )
        ):
            sheet.write_string(line, 0, frame.say(name), bold)
            sheet.write_string(line, 1, value)
    return out.getvalue()


def _sheet(book: Any, name: str, bold: Any, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    sheet = book.add_worksheet(name)
    sheet.freeze_panes(1, 0)
    sheet.set_column(0, len(heads) - 1, 22)
    for column, head in enumerate(heads):
        sheet.write_string(0, column, head, bold)
    for line, row in enumerate(rows, 1):
        for column, value in enumerate(row):
            sheet.write_string(line, column, value[:32767])


def _detail(members: Mapping[str, Any]) -> str:
    return "; ".join(f"{name}: {value}" for name, value in members.items() if value not in (None, "", []))
