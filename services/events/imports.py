"""A body's sheet into the register: rows are checked, signed, kept in the journal and sent; decisions are fetched."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Self, TypeVar

from services.domain.advice import hint_for
from services.domain.errors import Fault, Malformed
from services.events import client, faults
from services.events.client import Publisher, Sent, Service
from services.events.columns import Verb
from services.events.drafts import Signer
from services.events.envelope import open_envelope
from services.events.journal import Journal, Met, Refused, Signed
from services.events.keys import PrivateKey
from services.events.rows import Entry, Values, column_at, entries
from services.events.sheets import Row, Sheet

T = TypeVar("T")
Progress = Callable[[int], None]
PORTION = client.LINES
"""Events that are signed, kept and sent at a time."""
_ALL_ALIKE = (401, 403, 404, 405, 415)
"""Answers that concern the key or the address, not the row: the next portion would meet the same."""


class ImportStopped(Fault):
    slug = "import-stopped"
    title = "The import stopped half-way; the same command goes on where it stopped"
    zh = "导入中途停止；再次运行同一命令即从停止处继续"


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who signs, and through whom it is sent."""

    source: str
    key: PrivateKey
    signatory: str
    registry: Service
    publisher: Publisher
    clock: Callable[[], datetime]


@dataclass(slots=True)
class Tally:
    """What was read: rows, events that they make, good ones of these; dates taken from another, cells not carried."""

    rows: int = 0
    events: int = 0
    good: int = 0
    by_verb: Counter[str] = field(default_factory=Counter)
    taken: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)


def _unseen(_portion: Sequence[Entry]) -> None:
    pass


def look_at(
    sheet: Sheet,
    values: Values,
    journal: Journal,
    progress: Progress,
    each: Callable[[Sequence[Entry]], None] = _unseen,
) -> Tally:
    """Read and check every row, and send nothing: the dry run. The faults are in the journal afterwards.

    `each` is shown every portion of events as it was judged, good and wrong ones.
    """
    tally = Tally()
    journal.begin_reading()
    for _ in _good_portions(sheet, values, journal, tally, progress, each):
        pass
    return tally


def bring_in(sheet: Sheet, values: Values, journal: Journal, speaker: Speaker, progress: Progress) -> Tally:
    """Read, check, sign and send; a run that was cut goes on with the same bytes.

    Raises:
        ImportStopped: unknown whether some events are stored; the same again goes on.
        client.Refused: the key or the address is wrong: no event was let in.
        Unreachable: the registry does not tell the heads of chains.
    """
    tally = Tally()
    journal.begin_reading()
    with _Sender(journal, speaker.publisher) as sender:
        sender.send_all()
        for good in _good_portions(sheet, values, journal, tally, progress):
            done = journal.signed_lines(good[0].line, good[-1].line)
            waiting = [entry for entry in good if entry.line not in done]
            if waiting:
                _sign(waiting, journal, speaker)
                sender.send()
        sender.send_all()
    return tally


def _good_portions(
    sheet: Sheet,
    values: Values,
    journal: Journal,
    tally: Tally,
    progress: Progress,
    each: Callable[[Sequence[Entry]], None] = _unseen,
) -> Iterator[list[Entry]]:
    for portion in _portions(entries(_counted(sheet.rows(), tally), sheet.layout, values)):
        met = journal.met(list({entry.number for entry in portion if entry.number}))
        wrong = []
        good = []
        for entry in portion:
            before = met.get(entry.number) or Met(entry.number)
            entry.faults += _by_the_rows_before(entry, before, sheet)
            if entry.faults:
                wrong.append((entry.line, entry.rows[-1].line, entry.faults))
                before = Met(entry.number, before.issued, before.held or entry.line)
            else:
                good.append(entry)
                tally.taken += entry.taken
                tally.dropped += entry.dropped
                tally.by_verb[str(entry.verb)] += 1
                if entry.verb is Verb.ISSUED:
                    before = Met(entry.number, entry.line, before.held)
            if entry.number:
                met[entry.number] = before
        journal.save_portion(met.values(), wrong)
        each(portion)
        tally.events += len(portion)
        tally.good += len(good)
        if good:
            yield good
        progress(sum(len(entry.rows) for entry in portion))


def _counted(rows: Iterable[Row], tally: Tally) -> Iterator[Row]:
    for row in rows:
        tally.rows += 1
        yield row


def _by_the_rows_before(entry: Entry, before: Met, sheet: Sheet) -> list[faults.Fault]:
    if before.held is not None:
        return [faults.Fault(entry.line, "", entry.number, "row-waits", str(before.held))]
    if entry.verb is Verb.ISSUED and before.issued is not None:
        column = sheet.layout.title("certificate_no")
        return [faults.Fault(entry.line, column, entry.number, "issued-twice", str(before.issued))]
    return []


def _portions(items: Iterator[T]) -> Iterator[list[T]]:
    while portion := list(islice(items, PORTION)):
        yield portion


def _sign(waiting: Sequence[Entry], journal: Journal, speaker: Speaker) -> None:
    """Sign events behind their chains: behind what this journal signed, else behind what the registry has.

    Where another journal has issued a certificate, which may be lost, it is not issued again: that would be refused,
    and stand in the record for ever.
    """
    numbers = list({entry.number for entry in waiting})
    chains = journal.chains(numbers)
    unknown = [number for number in numbers if number not in chains]
    heads = client.heads_of(speaker.registry, speaker.source, unknown)
    last_said = client.decisions_on(speaker.registry, [digest for _, digest in heads.values()])
    chains |= heads
    # A signer for each portion: the chains that it remembers do not grow with the file.
    signer = Signer(speaker.source, speaker.key, speaker.signatory, lambda source, subject: (0, None))
    signed, wrong = [], []
    for entry in waiting:
        assert entry.verb is not None
        last = entry.rows[-1].line
        sequence, digest = chains.get(entry.number, (0, ""))
        if entry.verb is Verb.ISSUED and _registered(last_said.get(digest, {})):
            fault = faults.Fault(entry.line, "", entry.number, "number-taken")
            wrong.append((entry.line, last, [fault]))
            continue
        place = {"sequence": sequence + 1} | ({"previous": f"sha256:{digest}"} if digest else {})
        draft = {"type": entry.verb.type, "subject": entry.number, "data": entry.data} | place
        try:
            jws = signer.sign(draft, speaker.clock())
        except Malformed as error:
            fault = faults.Fault(entry.line, "", entry.number, "bad-form", f"{error.pointer} {error.detail}".strip())
            wrong.append((entry.line, last, [fault]))
            continue
        digest = open_envelope(jws).digest
        chains[entry.number] = (sequence + 1, digest)
        signed.append(Signed(entry.line, last, entry.number, entry.verb.value, sequence + 1, digest, jws))
    if wrong:
        journal.save_portion([], wrong)
    journal.save_signed(signed)


def _registered(last_said: dict[str, Any]) -> bool:
    """Whether the decision on the last event about a number shows that the register has it."""
    return last_said.get("decision") == "accepted" or last_said.get("code") == "number-taken"


class _Sender:
    """Sends what the journal has signed, in order, while the next portion is being read and signed.

    The other thread does nothing but publish: the journal is this thread's alone.
    """

    def __init__(self, journal: Journal, publisher: Publisher) -> None:
        self._journal = journal
        self._publisher = publisher
        self._thread = ThreadPoolExecutor(1, "publish")
        self._under_way: tuple[list[int], Future[list[Sent]]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    def send(self) -> bool:
        """Note what became of the portion before, and hand the next one over; whether there was one."""
        self._note()
        unsent = self._journal.unsent(PORTION)
        if unsent:
            sending = self._thread.submit(self._publisher.publish, [jws for _, jws in unsent])
            self._under_way = ([place for place, _ in unsent], sending)
        return bool(unsent)

    def send_all(self) -> None:
        while self.send():
            pass

    def _note(self) -> None:
        if self._under_way is None:
            return
        places, sending = self._under_way
        self._under_way = None
        sent = sending.result()
        self._journal.save_sent(places, sent)
        _stop_where_no_use_in_going_on(sent)


def _stop_where_no_use_in_going_on(sent: Sequence[Sent]) -> None:
    unknown = next((one for one in sent if not one.final), None)
    if unknown is not None:
        why = unknown.problem or {}
        raise ImportStopped(
            f"{why.get('code', unknown.status)}: {why.get('detail', '')}".strip(": "),
            hint="再次运行同一命令即可继续；run the same command again",
        )
    alike = next((one for one in sent if one.status in _ALL_ALIKE), None)
    if alike is not None:
        raise client.Refused(alike.problem or {}, alike.status)


# --- decisions ---------------------------------------------------------------------------------------------------


def settle(journal: Journal, registry: Service, seconds: float, progress: Progress) -> None:
    """Fetch the decisions into the journal, until for so many seconds no further one has come."""
    deadline = time.monotonic() + seconds
    while True:
        place, some = -1, 0
        while asked := journal.undecided(place, PORTION):
            place = asked[-1][0]
            known = client.decisions_on(registry, [digest for _, digest in asked])
            journal.save_decisions((at, known[digest]) for at, digest in asked if digest in known)
            some += sum(said["decision"] != "pending" for said in known.values())
            if not known:
                break  # they come in the order of the log
        progress(some)
        if some:
            deadline = time.monotonic() + seconds
        elif not journal.undecided(-1, 1) or time.monotonic() > deadline:
            return
        else:
            time.sleep(0.1)


def blame_refusals(journal: Journal, sheet: Sheet) -> None:
    """What the register refused, as faults of the rows that it came of."""
    refused = journal.refused()
    for portion in _portions(refused):
        journal.save_refusals((one.line, one.last_line, [_fault_of(one, sheet)]) for one in portion)


def _fault_of(refused: Refused, sheet: Sheet) -> faults.Fault:
    answer = refused.answer
    code, detail = str(answer.get("code", "")), str(answer.get("detail") or "")
    column = column_at(Verb(refused.verb), str(answer.get("pointer") or ""))
    title = sheet.layout.title(column.key) if column else ""
    hint = str(answer.get("hint") or "")
    told = f"{detail}{faults.ARROW}{hint}" if hint and hint != hint_for(code, None) else detail
    if refused.decided == "not let in":
        return faults.Fault(refused.line, title, "", "not-let-in", f"{code} {told}".strip())
    return faults.Fault(refused.line, title, "", code or refused.decided, told)
