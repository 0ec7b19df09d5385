"""The process that works on one submission: it reads a sheet as an import would, or passes signed events on."""

import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import Any, cast

from services import telemetry
from services.domain.advice import problem
from services.domain.body import BodyState, in_backfill
from services.domain.errors import CertmarkError, NotThisSource
from services.domain.identifiers import civil_day
from services.domain.issuance import missing_of
from services.domain.scheme import Scheme, scheme_from_state
from services.events import imports, strict_json
from services.events.client import NotSent, Publisher, Sent
from services.events.columns import Verb, plain_mapping
from services.events.envelope import Event, open_envelope, read_event
from services.events.faults import Fault
from services.events.journal import Journal
from services.events.rows import Entry, column_at
from services.events.sheets import SheetUnreadable, encoding_said, open_sheet
from services.events.templates import write_fix_file
from services.postgres import Connection, connect, database_url, transaction
from services.registry import store
from services.registry.console.submissions import Findings, Kind, Line, Progress, Submission, submission_at
from services.settings import Settings, settings_from

PORTION = 500
_BEAT_S = 1.0


def main() -> None:
    """Work on the submission in the folder that is named; what becomes of it stands in its findings."""
    telemetry.log_as_json("registry")
    one = submission_at(Path(sys.argv[1]))
    assert one is not None
    with Findings(one) as findings:
        ended = Progress("cut")
        try:
            ended = _worked_on(one, findings)
        except CertmarkError as error:
            said = problem(error)
            # The file's place on this machine is nobody's business; its sender knows it by its own name.
            said["detail"] = said["detail"].replace(str(one.file), one.about.name)
            ended = Progress("failed", problem={name: str(value) for name, value in said.items()})
        finally:
            findings.tell(ended)


def _worked_on(one: Submission, findings: Findings) -> Progress:
    try:
        return work_on(one, findings, settings_from())
    except MemoryError:
        raise SheetUnreadable(
            "需要的内存超过上限 (needs more memory than it may take)", hint="分成几个文件；split it"
        ) from None


def work_on(one: Submission, findings: Findings, settings: Settings) -> Progress:
    """Raises CertmarkError where the whole of it cannot be read or sent."""
    if one.about.kind is Kind.SHEET:
        with closing(connect(database_url(settings))) as connection:
            return check_sheet(one, findings, connection)
    with closing(Publisher(settings.events_url, settings)) as publisher:
        return pass_on(one, findings, publisher)


class _Bar:
    """Tells how far the work is, once a second."""

    def __init__(self, findings: Findings, total: int) -> None:
        self._findings = findings
        self._total = total
        self._done = 0
        self._told = 0.0

    def advance(self, done: int) -> None:
        self._done += done
        if time.monotonic() - self._told >= _BEAT_S:
            self._told = time.monotonic()
            self._findings.tell(Progress("running", self._done, max(self._total, self._done)))


# --- a sheet: looked at, nothing is sent ---------------------------------------------------------------------------


def check_sheet(one: Submission, findings: Findings, connection: Connection) -> Progress:
    """Every row is read as `certmark import --dry-run` reads it, and then held against the register as it is now."""
    mapping = plain_mapping(strict_json.loads(one.mapping.read_bytes())) if one.mapping.exists() else {}
    sheet = open_sheet(one.file, mapping)
    bar = _Bar(findings, sheet.about)
    bar.advance(0)
    issued: set[str] = set()
    with closing(Journal.in_passing()) as journal:

        def judge(portion: Sequence[Entry]) -> None:
            good = [entry for entry in portion if not entry.faults]
            doubted = _doubts(connection, one.about.source, good, issued)
            journal.save_portion([], [(e.line, e.rows[-1].line, [doubted[e.line]]) for e in good if e.line in doubted])
            findings.save(_line_of(entry, doubted.get(entry.line)) for entry in portion)

        tally = imports.look_at(sheet, {}, journal, bar.advance, judge)
        counts, codes = journal.counts(), journal.codes()
        if counts["wrong"]:
            write_fix_file(one.fix_file, sheet, journal)
    report = {
        "sha256": sheet.digest,
        "encoding": encoding_said(sheet.encoding) or "XLSX",
        "worksheet": sheet.name,
        "other_worksheets": list(sheet.others),
        "headings_in_row": sheet.heading_line,
        "unmapped": list(sheet.layout.unmapped),
        "assumed": list(sheet.layout.assumed),
        "rows": tally.rows,
        "events": tally.events,
        "wrong": counts["wrong"],
        "codes": codes,
    }
    return Progress("done", tally.rows, tally.rows, report)


def _doubts(connection: Connection, source: str, good: Sequence[Entry], issued: set[str]) -> dict[int, Fault]:
    """What the register would refuse for sure as it is now, by line. `issued` are the numbers issued further up."""
    today = civil_day(datetime.now(UTC))
    schemes = {str(entry.data["scheme"]) for entry in good if entry.data and entry.verb is Verb.ISSUED}
    wanted = {f"certificate/{entry.number}" for entry in good} | {f"scheme/{scheme}" for scheme in schemes}
    own = f"body/{source.rpartition(':')[2]}"
    with transaction(connection) as cur:
        records = store.records_of(cur, {*wanted, own})
    body = cast(BodyState, json.loads(records[own].state)) if own in records else None
    rules = {scheme: _rules_of(records.get(f"scheme/{scheme}")) for scheme in schemes}
    found: dict[int, Fault] = {}
    for entry in good:
        record = records.get(f"certificate/{entry.number}")
        if entry.verb is Verb.ISSUED:
            issued.add(entry.number)
            if record is not None:
                found[entry.line] = Fault(entry.line, "", entry.number, "number-taken")
            elif missing := _missing(entry, rules, body, today):
                found[entry.line] = Fault(entry.line, missing, "", "missing-field")
        elif record is None and entry.number not in issued:
            found[entry.line] = Fault(entry.line, "", entry.number, "unknown-certificate")
        elif record is not None and record.responsible != source:
            found[entry.line] = Fault(entry.line, "", entry.number, "not-responsible")
    return found


def _rules_of(record: store.StoredRecord | None) -> Scheme | None:
    return scheme_from_state(json.loads(record.state)) if record is not None else None


def _missing(entry: Entry, schemes: Mapping[str, Scheme | None], body: BodyState | None, today: date) -> str:
    """The heading of what the scheme requires of today's certificates and the row has not; empty where all is there."""
    data = entry.data or {}
    scheme = schemes[str(data["scheme"])]
    rules = scheme.on(date.fromisoformat(data["issued_on"])) if scheme else None
    if rules is None or (body and in_backfill(body, date.fromisoformat(data["effective_at"]), today)):
        return ""  # no such scheme: that is said when it is reported; or history, which is loaded as it was kept
    for path in missing_of(data, rules["required"]):
        column = column_at(Verb.ISSUED, f"/data/{path}")
        return column.zh if column else path
    return ""


def _line_of(entry: Entry, doubted: Fault | None) -> Line:
    faults = [*entry.faults, *([doubted] if doubted else [])]
    said: dict[str, Any] = {"faults": [f.as_dict() for f in faults]} if faults else {"data": entry.data}
    kind = entry.verb.type if entry.verb else ""
    return Line(entry.line, entry.rows[-1].line, entry.number, kind, "wrong" if faults else "good", None, said)


# --- signed events: passed on as they are --------------------------------------------------------------------------


def pass_on(one: Submission, findings: Findings, publisher: Publisher) -> Progress:
    """Every line that is an event of this source goes to the events service, in the order of the file.

    Where it is unknown whether a line was stored, nothing behind it is sent: it would overtake.
    """
    lines = [line for line in enumerate(one.file.read_bytes().splitlines(), 1) if line[1].strip()]
    bar = _Bar(findings, len(lines))
    bar.advance(0)
    stopped = False
    for portion in _portions(lines):
        judged = [(number, _own_event(line, one.about.source)) for number, line in portion]
        fit = [found for _, found in judged if isinstance(found, Own)]
        sent = [_held_back(own) for own in fit] if stopped else publisher.publish([own.jws for own in fit])
        following = iter(sent)
        findings.save(
            _sent_line(number, found, next(following)) if isinstance(found, Own) else _wrong_line(number, found)
            for number, found in judged
        )
        stopped = stopped or not all(result.final for result in sent)
        bar.advance(len(portion))
    return Progress("done", len(lines), len(lines), {"events": len(lines), "stopped": stopped})


@dataclass(frozen=True, slots=True)
class Own:
    """An event that the source itself wrote."""

    jws: bytes
    event: Event


def _portions(lines: Iterable[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    following = iter(lines)
    while portion := list(islice(following, PORTION)):
        yield portion


def _own_event(line: bytes, source: str) -> Own | CertmarkError:
    """The event of a line, or why it is not passed on."""
    bare = line.strip()
    try:
        if bare.startswith(b'"'):
            bare = str(strict_json.loads(b'{"jws":' + bare + b"}")["jws"]).encode("ascii", "replace")
        event = read_event(open_envelope(bare))
        if event.source != source:
            raise NotThisSource(f"the event is of {event.source}", pointer="/source")
    except CertmarkError as error:
        return error
    return Own(bare, event)


def _held_back(own: Own) -> Sent:
    told = "an event before it is not known to be stored"
    return Sent(own.event.digest, 503, {"code": NotSent.slug, "detail": told})


def _sent_line(number: int, own: Own, sent: Sent) -> Line:
    event = own.event
    said = {"problem": sent.problem} if sent.problem else {}
    state = "sent" if sent.stored else "wrong"
    return Line(number, number, event.subject, event.type, state, sent.digest if sent.stored else None, said)


def _wrong_line(number: int, error: CertmarkError) -> Line:
    return Line(number, number, "", "", "wrong", None, {"problem": problem(error)})


if __name__ == "__main__":
    main()
