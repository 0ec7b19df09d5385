"""The check of listings: how often it is right, rule by rule, on a labelled set; and its speed on a million rows."""

import csv
import json
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.progress import Progress

from bench.figures import Figure
from bench.listing_set import BODY, DAY, GONE, Labelled, Maker, Registered, rulebook
from bench.stage import load
from services.domain.certificate import to_state
from services.domain.listing import Finding, Sighting
from services.domain.listing_rules import RULES
from services.domain.listing_standing import Verdict
from services.domain.registered import registered
from services.events.keys import new_key
from services.events.record import SealedRecord, open_sealed, seal_record
from services.listings.checking import Held, findings_on
from services.listings.columns import HEADINGS, fields_of_object, listing_of
from services.listings.shelf import Rulebook
from services.scratch import scratch_folder
from services.verify.filing import filed
from services.verify.listings import NodeSource
from services.verify.read_model import ModelWriter
from services.verify.register import Register

SEED, HELD, COUNT = 20261101, 3000, 24_000
HOSTS = ("verify.certmark.example",)


@dataclass(slots=True)
class Memory:
    """A register in memory, as a source of the check."""

    held_certificates: Held
    book: Rulebook
    day = DAY
    hosts = HOSTS

    def rulebook(self) -> Rulebook:
        return self.book

    def look_ups(self, codes: object) -> dict[str, Sighting]:
        return {}

    def held(self, numbers: object, parties: object) -> Held:
        return self.held_certificates


@dataclass(frozen=True, slots=True)
class Score:
    """Of one rule: listings labelled with it, those found with it, findings with it, those of them rightly so."""

    rule: str
    labelled: int
    found: int
    told: int
    right: int

    @property
    def recall(self) -> float:
        return self.found / self.labelled if self.labelled else 1.0

    @property
    def precision(self) -> float:
        return self.right / self.told if self.told else 1.0


@dataclass(frozen=True, slots=True)
class Judged:
    """What came out: by rule, and of leads as such: how many, and how many of them are unlawful."""

    scores: list[Score]
    leads: int
    rightly: int
    unlawful: int
    caught: int
    wrong: list[tuple[Labelled, Finding]]


def judge(count: int = COUNT, seed: int = SEED) -> Judged:
    """The check on a labelled set, and what it got wrong.

    A finding tells a rule rightly where the listing is labelled with it or with another one: traps overlap, and a
    suspended organic certificate is L13 as well. It tells it wrongly where the listing is lawful.
    """
    held = Registered(seed, HELD)
    made = Maker(held, seed + 1).all(count)
    ready = [registered(one, seq) for seq, one in enumerate(held.certificates)]
    parties: dict[str, list[object]] = {}
    for one in ready:
        for party in (*one.names, *one.usccs):
            parties.setdefault(party, []).append(one)
    marks = {mark.mark_no: one.certificate.certificate_no for one in ready for mark in one.certificate.marks}
    source = Memory(Held({one.certificate.certificate_no: one for one in ready}, marks, parties), rulebook())  # type: ignore[arg-type]
    listings = [listing_of(fields_of_object({**one.row}), at) for at, one in enumerate(made, 1)]
    shops: dict[str, set[str]] = {}
    for listing in listings:
        if listing.mark_code:
            shops.setdefault(listing.mark_code, set()).add(listing.shop or "")
    sightings = {code: Sighting(other_shops=len(seen) - 1) for code, seen in shops.items() if len(seen) > 1}
    return _scored(made, findings_on(listings, source, sightings))


def _scored(made: Sequence[Labelled], findings: Sequence[Finding]) -> Judged:
    labelled, found, told, right = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    leads = rightly = unlawful = caught = 0
    wrong = []
    for one, finding in zip(made, findings, strict=True):
        is_lead = finding.verdict is Verdict.LEAD
        leads += is_lead
        rightly += is_lead and one.label == "unlawful"
        unlawful += one.label == "unlawful"
        caught += is_lead and one.label == "unlawful"
        good = finding.verdict is not Verdict.OK and one.rule in finding.rules
        if one.rule:
            labelled[one.rule] += 1
            found[one.rule] += good and (one.label == "review" or is_lead)
        for rule in finding.rules if is_lead else ():
            told[rule] += 1
            right[rule] += one.label == "unlawful"
        if (is_lead and one.label != "unlawful") or (one.label == "unlawful" and not (is_lead and good)):
            wrong.append((one, finding))
    scores = [Score(r.id, labelled[r.id], found[r.id], told[r.id], right[r.id]) for r in RULES]
    return Judged(scores, leads, rightly, unlawful, caught, wrong)


# --- speed -----------------------------------------------------------------------------------------------


def a_node(folder: Path, held: Registered) -> None:
    """A node's file with these certificates, written as the projector writes them."""
    key = new_key()
    book = rulebook()
    states: list[tuple[str, object]] = [
        *(
            (f"scheme/{name}", {"v": 1, "kind": "scheme", "id": name, "versions": list(s.versions)})
            for name, s in book.schemes.items()
        ),
        *((f"catalogue/{name}", state) for name, state in book.catalogues.items()),
        *((f"body/{name}", book.bodies[name]) for name in (BODY, GONE)),
        *((f"certificate/{one.certificate_no}", to_state(one)) for one in held.certificates),
    ]
    folder.mkdir(parents=True)
    writer = ModelWriter.create(folder / "register-1.sqlite", "bench", "0" * 64, 0)
    now = datetime.now(UTC)
    rows = []
    for revision, (name, state) in enumerate(states, 1):
        record = SealedRecord(name, revision, revision, now, "0" * 64, state, (), False, None)  # type: ignore[arg-type]
        sealed = seal_record(record, key)
        rows.append(filed(record, sealed, open_sealed(sealed)))
    writer.apply(rows, len(rows), as_of=now.isoformat(), seq=len(rows), complete=True)
    writer.put_in_service()
    writer.close()


def write_csv(path: Path, rows: int, made: Sequence[Labelled]) -> None:
    """`rows` listings in the columns of the contract, the labelled ones over and over, numbered anew."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(HEADINGS))
        writer.writeheader()
        for at in range(rows):
            row = made[at % len(made)].row
            writer.writerow(row | {"row": str(at), "mark_code": "", "listing_url": f"https://shop.example/{at}"})


def a_source(folder: Path) -> NodeSource:
    return NodeSource(Register(folder), HOSTS, DAY)


@dataclass(frozen=True, slots=True)
class Run:
    """What `certmark check` took: seconds of the clock, to the first findings, of processors; most memory at once."""

    rows: int
    seconds: float
    first: float
    processor: float
    kilobytes: int


def checked_rows(path: Path, data: Path, processes: int) -> Run:
    """The command as anybody runs it. Memory is the anonymous one of it and all below it, looked at twice a second."""
    out = path.with_suffix(".findings")
    command = [sys.executable, "-m", "services.cli", "check", str(path), "--out", str(out), "--json"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    first, most = 0.0, 0
    process = subprocess.Popen(  # our own command
        [*command, "--processes", str(processes)],
        env=os.environ | {"CERTMARK_DATA": str(data), "CERTMARK_HOSTS": ",".join(HOSTS)},
        stdout=subprocess.PIPE,
    )
    while process.poll() is None:
        most = max(most, anonymous_kb(process.pid))
        if not first and out.exists() and out.stat().st_size:
            first = time.perf_counter() - started
        time.sleep(0.05 if not first else 0.5)
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert process.stdout is not None
    told = json.loads(process.stdout.read())
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(sum(told["verdicts"].values()), seconds, first, processor, most)


def anonymous_kb(pid: int) -> int:
    """RssAnon of a process and those below it."""
    kilobytes: dict[int, int] = {}
    below: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            told = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        except OSError:
            continue
        kilobytes[int(told["Pid"])] = int(told.get("RssAnon", "0 kB").split()[0])
        below.setdefault(int(told["PPid"]), []).append(int(told["Pid"]))
    total, waiting = 0, [pid]
    while waiting:
        one = waiting.pop()
        total += kilobytes.get(one, 0)
        waiting += below.get(one, [])
    return total


def measure(progress: Progress, *, quick: bool) -> list[Figure]:
    rows = 50_000 if quick else 1_000_000
    held_count = HELD if quick else 30_000
    task = progress.add_task("listings: labelled set", total=3)
    judged = judge()
    progress.advance(task)
    with scratch_folder() as folder:
        held = Registered(SEED, held_count)
        a_node(folder / "verify", held)
        made = Maker(held, SEED + 1).all(50_000)
        write_csv(folder / "listings.csv", rows, made)
        progress.advance(task)
        run = checked_rows(folder / "listings.csv", folder, 2)
        progress.advance(task)
        source = a_source(folder / "verify")
        one = listing_of(fields_of_object({**made[0].row}), 1)
        findings_on([one], source, {})
        begun = time.perf_counter()
        for at in range(500):
            findings_on([listing_of(fields_of_object({**made[at].row}), 1)], source, {})
        single = (time.perf_counter() - begun) / 500 * 1000
    progress.remove_task(task)
    precision = judged.rightly / judged.leads
    by_rule = {f"{s.rule} precision/recall": f"{s.precision:.4f}/{s.recall:.4f} ({s.labelled})" for s in judged.scores}
    return [
        Figure("leads that are unlawful", precision, "of leads", bar=0.999, raw={"leads": judged.leads, **by_rule}),
        Figure(
            "unlawful that are leads", judged.caught / judged.unlawful, "of unlawful", raw={"unlawful": judged.unlawful}
        ),
        Figure(
            "listings checked",
            run.rows / run.seconds,
            "rows/s",
            bar=25_000,
            raw={
                "rows": run.rows,
                "seconds": round(run.seconds, 1),
                "processor seconds": round(run.processor, 1),
                "first findings s": round(run.first, 2),
                "certificates": held_count,
                "load": load(),
            },
        ),
        Figure("memory", run.kilobytes / 1024, "MiB", bar=500, at_least=False, raw={"processes": 4}),
        Figure("one listing", single, "ms", bar=5, at_least=False),
    ]


def main() -> None:
    """Print precision and recall by rule, and what went wrong."""
    judged = judge()
    print(f"{judged.leads} leads, of which unlawful: {judged.rightly / judged.leads:.5f}")
    print(f"{judged.unlawful} unlawful, of which leads: {judged.caught / judged.unlawful:.5f}")
    print("| rule | labelled | precision | recall |\n|---|---|---|---|")
    for score in judged.scores:
        print(f"| {score.rule} | {score.labelled} | {score.precision:.4f} | {score.recall:.4f} |")
    for trap, number in Counter(one.trap for one, _ in judged.wrong).most_common():
        one, finding = next(pair for pair in judged.wrong if pair[0].trap == trap)
        print(number, trap, one.label, one.rule, finding.verdict, finding.rules, finding.note["zh"], one.row)


if __name__ == "__main__":
    main()
