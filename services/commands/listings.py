"""The command `certmark check`: files of e-commerce listings, or addresses out of QR codes, against the register."""

import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click
from rich.table import Table

from services.commands.standard_input import file_named
from services.commands.terminal import NO, OUT, as_json, progress, say_json
from services.domain.errors import BadRequest, NotConfigured
from services.domain.impostor import Origin, origin
from services.domain.listing_rules import RULE, RULE_SET
from services.domain.listing_standing import Verdict
from services.settings import settings_from

if TYPE_CHECKING:
    from services.listings.checking import Checked
    from services.listings.reading import About, Reading
    from services.listings.workers import Codes, Workers

_WORDS = {
    Verdict.OK: ("相符", "ok"),
    Verdict.REVIEW: ("待核", "review"),
    Verdict.LEAD: ("线索", "lead"),
    Verdict.UNJUDGED: ("未能判断", "unjudged"),
}
_SHOWN = 20


@click.command()
@click.option("--out", "out", metavar="FILE", help="Write every finding here, one JSON object a line.")
@click.option("--dry-run", is_flag=True, help="Show how the columns were understood, on 20 rows; check nothing.")
@click.option("--mapping", "mapping_file", metavar="FILE", help="JSON object: a heading → a column of ours, or empty.")
@click.option("--platform", metavar="NAME", help="Use, and with --mapping keep, the mapping of this platform.")
@click.option("--sheet", metavar="NAME", help="Worksheet. Default: the first with headings.")
@click.option("--images", metavar="DIR|ZIP", help="Where the pictures lie that the listings name.")
@click.option("--processes", type=click.IntRange(1, 64), default=None, help="Default: one a processor.")
@click.option("--urls", is_flag=True, help="FILES are addresses or QR texts, one a line: ours, or imitations?")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@as_json
def check(
    out: str | None,
    dry_run: bool,
    mapping_file: str | None,
    platform: str | None,
    sheet: str | None,
    images: str | None,
    processes: int | None,
    urls: bool,
    files: tuple[str, ...],
    json_: bool,
) -> None:
    """Check e-commerce listings in FILES (CSV, XLSX, JSON lines; - is standard input) against this machine's register.

    Every row gets a finding: ok, review, lead or unjudged. A finding is a lead until an officer decides. The
    register is the verify node's file under $CERTMARK_DATA. The exit code is 1 where there is a lead. See
    docs/listings.md.
    """
    settings = settings_from()
    if urls:
        _check_urls(files, settings.hosts, json_)
        return
    mapping = _mapping(settings.data / "mappings", mapping_file, platform)
    if missing := [name for name in files if name != "-" and not Path(name).is_file()]:
        raise BadRequest(f"{missing[0]}: there is no such file")
    verdicts, rules = Counter[str](), Counter[str]()
    samples: list[bytes] = []
    with ExitStack() as stack:
        paths = [stack.enter_context(file_named(Path(name))) for name in files]
        if dry_run:
            for name, path in zip(files, paths, strict=True):
                _show_preview(name, path, mapping, sheet, json_)
            return
        target = stack.enter_context(_writable(out))
        for path in paths:
            for checked in _checked(path, mapping, sheet, images, processes or os.cpu_count() or 1, target, json_):
                verdicts.update(checked.verdicts)
                rules.update(checked.rules)
                if out is None and len(samples) < _SHOWN:
                    samples += [line for line in checked.lines.splitlines() if b'"verdict":"ok"' not in line]
    _report(verdicts, rules, samples[:_SHOWN], json_)
    sys.exit(NO if verdicts[Verdict.LEAD] else 0)


def _writable(out: str | None) -> IO[bytes]:
    """Where the findings go: the file of this name, or one that nobody else sees."""
    if out is None:
        return tempfile.TemporaryFile()
    try:
        return Path(out).open("w+b")
    except OSError as error:
        raise BadRequest(f"{out} cannot be written: {error.strerror}") from None


def _checked(
    path: Path,
    mapping: Mapping[str, str],
    sheet: str | None,
    images: str | None,
    processes: int,
    target: IO[bytes],
    quiet: bool,
) -> Iterator["Checked"]:
    """The findings on one file, frame by frame; what a later shop shows of a code is written over what came before."""
    from services.listings.reading import Reading
    from services.listings.workers import Codes, Workers
    from services.verify.listings import node_source
    from services.verify.read_model import Unreadable

    settings = settings_from()
    now = datetime.now(UTC)
    make = partial(node_source, settings.data / "verify", settings.hosts, now)
    try:
        make().meta()
    except Unreadable as reason:
        raise NotConfigured(
            f"{settings.data / 'verify'}: {reason}", hint="certmark up；or set CERTMARK_DATA to a verify node's data"
        ) from None
    codes = Codes()
    pictures = Path(images) if images else None
    with Workers(processes, make) as workers, Reading(path, mapping, sheet, pictures) as reading:
        places: dict[int, tuple[int, int]] = {}
        with progress("listings", reading.about.about, quiet) as advance:
            for checked in workers.checked((frame, codes.of(frame)) for frame in reading):
                places[checked.first] = (target.tell(), len(checked.lines))
                target.write(checked.lines)
                advance(checked.rows)
                yield checked
        if codes.again:
            with Reading(path, mapping, sheet, pictures) as again:
                yield from _checked_again(target, places, workers, again, codes)


def _checked_again(
    target: IO[bytes], places: Mapping[int, tuple[int, int]], workers: "Workers", reading: "Reading", codes: "Codes"
) -> Iterator["Checked"]:
    """The frames in which a code was shown before another shop showed it too, judged anew; what follows moves along.

    Given back is what has changed in the counts.
    """
    frames = ((frame, codes.sightings(frame)) for frame in reading if frame.first in codes.again)
    fresh = {checked.first: checked for checked in workers.checked(frames)}
    begin = min(places[first][0] for first in fresh)
    lines = []
    for first in sorted(places):
        at, length = places[first]
        if at >= begin:
            target.seek(at)
            before = target.read(length)
            lines.append(fresh[first].lines if first in fresh else before)
            if first in fresh:
                yield _difference(before, fresh[first])
    target.seek(begin)
    target.truncate()
    target.writelines(lines)


def _difference(before: bytes, checked: "Checked") -> "Checked":
    """The frame with its counts less what was counted of it before."""
    for line in before.splitlines():
        found = json.loads(line)
        checked.verdicts[found["verdict"]] -= 1
        if found["verdict"] != Verdict.OK:
            checked.rules.subtract(found["rules"])
    checked.lines = b""
    return checked


# --- columns ---------------------------------------------------------------------------------------------


def _mapping(folder: Path, file: str | None, platform: str | None) -> dict[str, str]:
    """The mapping in a file, which a platform's name keeps for the next time; or the one that was kept."""
    kept = folder / f"{platform}.json" if platform else None
    if platform and (not platform.replace("-", "").replace("_", "").isalnum() or len(platform) > 64):
        raise BadRequest(f"--platform {platform!r}: letters, digits, - and _")
    if file is None:
        return _read_mapping(kept) if kept and kept.exists() else {}
    mapping = _read_mapping(Path(file))
    if kept:
        folder.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(mapping, ensure_ascii=False, indent=1), encoding="utf-8")
    return mapping


def _read_mapping(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadRequest(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise BadRequest(f"{path} is no JSON object") from None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise BadRequest(f"{path} is no JSON object of texts")
    return found


def _show_preview(name: str, path: Path, mapping: Mapping[str, str], sheet: str | None, json_: bool) -> None:
    from services.listings.reading import preview

    about: About = preview(path, mapping, sheet)
    if json_:
        columns = [{"heading": heading, "column": key} for heading, key in about.columns]
        say_json({"file": name, "kind": about.kind, "rows": about.about, "columns": columns, "sample": about.sample})
        return
    OUT.print(f"{name}  {about.kind} {about.encoding}  ≈ {about.about} rows", markup=False)
    table = Table(box=None, pad_edge=False)
    for title in ("标题 heading", "列 column", "例 example"):
        table.add_column(title, overflow="fold")
    for place, (heading, key) in enumerate(about.columns):
        examples = [row[place] for row in about.sample if place < len(row) and row[place]]
        table.add_row(heading, key or "—", "  ".join(examples[:3]))
    OUT.print(table)


# --- what came out ---------------------------------------------------------------------------------------


def _report(verdicts: Counter[str], rules: Counter[str], samples: list[bytes], json_: bool) -> None:
    if json_:
        say_json({"rule_set": RULE_SET, "verdicts": dict(verdicts), "rules": dict(sorted(rules.items()))})
        return
    OUT.print(f"{verdicts.total()} 行 rows  (rules {RULE_SET})", markup=False)
    for verdict, (zh, en) in _WORDS.items():
        OUT.print(f"  {zh} {en:9} {verdicts[verdict.value]:>9}", markup=False)
    for rule, count in sorted(rules.items()):
        OUT.print(f"  {rule} {count:>9}  {RULE[rule].words['zh']} {RULE[rule].words['en']}", markup=False)
    for line in samples:
        found = json.loads(line)
        words = f"{found['row']}  {found['verdict']} {' '.join(found['rules'])}  {found['note']['zh']}"
        OUT.print(words, markup=False)


def _check_urls(files: tuple[str, ...], hosts: tuple[str, ...], json_: bool) -> None:
    """What each line is; nothing is fetched. 1 where one is an imitation."""
    worst = 0
    for name in files:
        try:
            text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise BadRequest(f"{name} cannot be read: {error.strerror}") from None
        for line in text.splitlines():
            if line.strip():
                found = origin(line, hosts)
                worst = worst or (NO if found is Origin.IMPOSTOR else 0)
                if json_:
                    say_json({"text": line, "origin": found.value})
                else:
                    OUT.print(f"{found.value:14} {line}", markup=False)
    sys.exit(worst)
