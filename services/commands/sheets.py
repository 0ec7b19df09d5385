"""The commands for a body's own sheets: `certmark import` and `certmark reconcile`."""

import csv
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from services.commands.identity import default_key, key_named, load_key_file, source_named
from services.commands.standard_input import file_named
from services.commands.terminal import NO, OUT, as_json, progress, say_json, tell_waiting
from services.domain.errors import BadRequest
from services.events import client, drafts, imports
from services.events.cells import safe_text
from services.events.columns import BY_KEY, HEADINGS, VERB_WORDS, Verb, plain_heading, plain_mapping
from services.events.faults import Fault
from services.events.journal import Journal
from services.events.reconcile import KINDS_SAID, Books, Difference, Kind, counted, not_compared
from services.events.rows import Values
from services.events.sheets import Sheet, encoding_said, open_sheet
from services.events.strict_json import loads
from services.events.templates import refuse_to_overwrite, write_fix_file, write_template
from services.settings import Settings, settings_from

_FILE = click.Path(dir_okay=False, path_type=Path)
_MAPPING = click.option(
    "--mapping", type=_FILE, help="JSON object: a heading of yours → a column's name, or an empty text to pass it over."
)
_SHEET = click.option("--sheet", "worksheet", metavar="NAME", help="Worksheet. Default: the first with the headings.")


@click.command("import")
@click.argument("files", nargs=-1, type=_FILE, metavar="FILE...")
@click.option("--as", "as_", metavar="SOURCE", help="Your approval number, or URN.")
@click.option(
    "--key", "key_file", metavar="KEY", help="File, or name under $CERTMARK_DATA/keys. Default: <source>.pem there."
)
@click.option("--signatory", default=drafts.SIGNATORY, show_default=True, help="Staff number of who signs.")
@click.option(
    "--to", metavar="URL", help="http://…, kafka://host:port or postgresql://…. Default: the local events service."
)
@click.option("--registry", metavar="URL", help="Where to ask for chains and decisions. Default: the local registry.")
@click.option("--dry-run", is_flag=True, help="Read and check every row, and send nothing.")
@_MAPPING
@click.option("--set", "values", multiple=True, metavar="COLUMN=VALUE", help="What stands where a cell is empty.")
@_SHEET
@click.option("--fix", type=_FILE, help="Write the rows that were wrong or refused here, with what is wrong (CSV).")
@click.option("--journals", type=click.Path(file_okay=False, path_type=Path), help="Default: $CERTMARK_DATA/imports.")
@click.option("--seconds", default=60.0, show_default=True, help="How long to wait for one more decision.")
@click.option("--show", default=20, show_default=True, help="How many wrong cells to show.")
@click.option("--template", type=_FILE, help="Write an empty sheet with every column (.csv or .xlsx), and end.")
@as_json
def import_(files: tuple[Path, ...], template: Path | None, json_: bool, **told: Any) -> None:
    """Turn a body's FILES (CSV or XLSX; - is standard input) into signed events, send them, tell what became of each.

    Rows that are wrong do not stop the others. A run that was cut goes on where it stopped: give the same command
    again. The exit code is 0 only when every row was accepted (in a dry run: is good). See docs/import.md.
    """
    if template is not None:
        write_template(template)
        say_json({"template": str(template)}) if json_ else OUT.print(f"已写出 written: {template}", markup=False)
        return
    if not files:
        raise BadRequest("there is no file to import", hint="certmark import FILE, or --template FILE")
    fix: Path | None = told["fix"]
    if fix is not None:
        if len(files) > 1:
            raise BadRequest("--fix goes with one file: each has columns of its own")
        refuse_to_overwrite(fix)
    good = [_import_one(file, json_=json_, **told) for file in files]
    sys.exit(0 if all(good) else NO)


def _import_one(file: Path, *, json_: bool, **told: Any) -> bool:
    settings = settings_from()
    values = _values(told["values"])
    with ExitStack() as stack:
        sheet = open_sheet(stack.enter_context(file_named(file)), _mapping(told["mapping"]), told["worksheet"])
        if told["dry_run"]:
            journal = stack.enter_context(closing(Journal.in_passing()))
            with progress("checked", sheet.about, json_) as advance:
                tally = imports.look_at(sheet, values, journal, advance)
        else:
            source = source_named(told["as_"])
            speaker = _speaker(settings, source, told, stack)
            journal = stack.enter_context(closing(_journal(settings, sheet, source, values, told)))
            with progress("sent", sheet.about, json_) as advance:
                tally = imports.bring_in(sheet, values, journal, speaker, advance)
            with progress("decided", journal.counts()["stored"], json_) as advance:
                imports.settle(journal, speaker.registry, told["seconds"], advance)
            imports.blame_refusals(journal, sheet)
        report = {"file": str(file), **_report(sheet, tally, journal, told["dry_run"])}
        if told["fix"] is not None and report["wrong"]:
            report["fix"] = {"file": str(told["fix"]), "rows": write_fix_file(told["fix"], sheet, journal)}
        faults = list(journal.faults(told["show"]))
    if json_:
        say_json(report | {"faults": [fault.as_dict() for fault in faults]})
    else:
        _show_report(report, faults)
    return not report["wrong"] and (told["dry_run"] or report["accepted"] == report["signed"])


def _mapping(file: Path | None) -> dict[str, str]:
    return plain_mapping(loads(_bytes(file))) if file is not None else {}


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadRequest(f"{file} cannot be read: {error.strerror}") from None


def _values(words: tuple[str, ...]) -> Values:
    """`--set` as column key → value."""
    values: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        column = HEADINGS.get(plain_heading(name))
        if not equals or column is None:
            raise BadRequest(f"--set {word!r} is not COLUMN=VALUE with a column of docs/import.md")
        values[column.key] = value
    return values


def _journal(settings: Settings, sheet: Sheet, source: str, values: Values, told: Mapping[str, Any]) -> Journal:
    folder: Path = told["journals"] or settings.data / "imports"
    facts = {
        "digest": sheet.digest,
        "source": source,
        "worksheet": sheet.name,
        "headings": json.dumps(dict(sheet.layout.places), sort_keys=True),
        "values": json.dumps(dict(values), sort_keys=True, ensure_ascii=False),
    }
    return Journal.at(folder / f"{sheet.digest}.sqlite", facts)


def _speaker(settings: Settings, source: str, told: Mapping[str, Any], stack: ExitStack) -> imports.Speaker:
    path = key_named(settings, told["key_file"]) if told["key_file"] else default_key(settings, source)
    registry = client.Service(told["registry"] or settings.service_url("registry"))
    publisher = client.Publisher(told["to"] or settings.service_url("events"), settings, waiting=tell_waiting())
    return imports.Speaker(
        source,
        load_key_file(path, "--key"),
        told["signatory"],
        stack.enter_context(closing(registry)),
        stack.enter_context(closing(publisher)),
        lambda: datetime.now(UTC),
    )


# --- what an import tells ------------------------------------------------------------------------------------


def _report(sheet: Sheet, tally: imports.Tally, journal: Journal, dry_run: bool) -> dict[str, Any]:
    counts = journal.counts()
    decided = sum(counts[name] for name in ("accepted", "refused", "quarantined", "pending"))
    sent = {name: counts[name] for name in ("signed", "stored", "accepted", "refused", "quarantined", "pending")}
    return {
        "sha256": sheet.digest,
        "encoding": encoding_said(sheet.encoding) or None,
        "worksheet": sheet.name or None,
        "other_worksheets": list(sheet.others),
        "headings_in_row": sheet.heading_line,
        "unmapped": list(sheet.layout.unmapped),
        "assumed": list(sheet.layout.assumed),
        "rows": tally.rows,
        "events": tally.events,
        "good": tally.good,
        "wrong": counts["wrong"],
        "by_event": dict(tally.by_verb),
        "taken_from_another_date": dict(tally.taken),
        "not_carried": dict(tally.dropped),
        "codes": journal.codes(),
        "dry_run": dry_run,
        **({} if dry_run else sent | {"undecided": counts["stored"] - decided}),
    }


def _show_report(report: dict[str, Any], faults: list[Fault]) -> None:
    for fault in faults:
        _show_fault(fault)
    more = sum(report["codes"].values()) - len(faults)
    if more > 0:
        OUT.print(f"… 另有 {more} 处 (and {more} more; --show, --fix)", markup=False)
    for label, value in _lines(report):
        if value:
            OUT.print(f"{label}: {value}", markup=False)


def _show_fault(fault: Fault) -> None:
    where = f"第{fault.line}行 row {fault.line}" + (f" · {fault.column}" if fault.column else "")
    OUT.print(f"{where}" + (f" · {fault.value!r}" if fault.value else "") + f" · {fault.code}", markup=False)
    OUT.print(f"    {fault.zh}", markup=False)
    OUT.print(f"    {fault.en}", markup=False)
    OUT.print(f"    → {fault.hint_zh} · {fault.hint_en}", markup=False)


def _lines(report: dict[str, Any]) -> Iterator[tuple[str, str]]:
    read = report["encoding"] or f"XLSX · {report['worksheet']}"
    yield "文件 file", f"{report['file']} ({read}; 标题在第{report['headings_in_row']}行)"
    yield "未读的工作表 worksheets not read", "、".join(report["other_worksheets"])
    yield "没有对应的列 columns not mapped", "、".join(report["unmapped"])
    yield "按推定的标题读取 headings assumed", "、".join(report["assumed"])
    yield "取自发证日期 taken from the date of issue", _counts(report["taken_from_another_date"], _zh)
    yield "事件不含而略过 not carried by the event", _counts(report["not_carried"], _zh)
    yield "行 rows", str(report["rows"])
    if not report["rows"]:
        yield "没有数据 nothing to read", "标题行下面没有填写任何行 there is no row below the headings"
    yield "事件 events", f"{report['events']} ({_counts(report['by_event'], _verb)})" if report["events"] else "0"
    yield "有错 wrong", f"{report['wrong']} ({_counts(report['codes'], str)})" if report["wrong"] else ""
    if report["dry_run"]:
        yield "可以导入 good", str(report["good"])
    else:
        yield "已签名 signed", str(report["signed"])
        yield "已入日志 in the log", str(report["stored"])
        yield "接受 accepted", str(report["accepted"])
        for name, label in (
            ("refused", "拒绝 refused"),
            ("quarantined", "隔离 quarantined"),
            ("pending", "等待 pending"),
            ("undecided", "尚无决定 no decision yet"),
        ):
            yield label, str(report[name] or "")
    if report.get("fix"):
        yield "修正文件 fix file", f"{report['fix']['file']} ({report['fix']['rows']})"


def _counts(found: Mapping[str, int], name: Callable[[str], str]) -> str:
    return "、".join(f"{name(key)} {count}" for key, count in found.items())


def _zh(key: str) -> str:
    return BY_KEY[key].zh


def _verb(name: str) -> str:
    return VERB_WORDS[Verb(name)][0]


# --- reconcile -----------------------------------------------------------------------------------------------


@click.command()
@click.argument("file", type=_FILE)
@click.option("--as", "as_", metavar="SOURCE", help="Your approval number, or URN.")
@click.option("--registry", metavar="URL", help="Default: the local registry.")
@_MAPPING
@_SHEET
@click.option("--current", is_flag=True, help="The file lists only what is in force: do not miss ended certificates.")
@click.option("--csv", "csv_", type=_FILE, help="Write every difference here (CSV).")
@click.option("--show", default=50, show_default=True, help="How many differences of each kind to show.")
@as_json
def reconcile(
    file: Path,
    as_: str | None,
    registry: str | None,
    mapping: Path | None,
    worksheet: str | None,
    current: bool,
    csv_: Path | None,
    show: int,
    json_: bool,
) -> None:
    """Compare a body's FILE (the columns of an import; - is standard input) with the register.

    Tells what is missing on either side and what differs, field by field; the exit code is 0 only where nothing
    does. An empty cell claims nothing. With --json: one difference a line, then the counts.
    """
    source = source_named(as_)
    # Of each kind by itself: a sheet that lists little would else hide what differs behind all that it leaves out.
    shown: dict[Kind, list[Difference]] = {
        kind: [] for kind in (Kind.DIFFERENT, Kind.NOT_IN_REGISTER, Kind.NOT_IN_FILE)
    }
    more = 0

    def tell(difference: Difference) -> None:
        nonlocal more
        write(difference)
        if json_:
            say_json(difference.as_dict())
        elif len(shown[difference.kind]) < show:
            shown[difference.kind].append(difference)
        else:
            more += 1

    with ExitStack() as stack:
        sheet = open_sheet(stack.enter_context(file_named(file)), _mapping(mapping), worksheet)
        service = stack.enter_context(closing(client.Service(registry or settings_from().service_url("registry"))))
        write = stack.enter_context(_differences_to(csv_))
        books = stack.enter_context(closing(Books()))
        with progress("read", sheet.about, json_) as advance:
            books.read(sheet, show, advance)
        counts = counted(books.beside(client.certificates_of(service, source), only_current=current), tell)
        faults, unreadable, passed_over = books.faults, books.unreadable, not_compared(sheet.layout)
    if json_:
        told = {"counts": {kind.value: counts[kind] for kind in Kind}, "unreadable": unreadable}
        say_json(told | {"not_compared": passed_over})
    else:
        _show_differences(list(chain.from_iterable(shown.values())), more)
        if passed_over:
            OUT.print(f"没有比较的列 columns not compared: {'、'.join(passed_over)}", markup=False)
        _show_counts(counts, unreadable, faults)
    same = not unreadable and not any(counts[kind] for kind in Kind if kind is not Kind.EQUAL)
    sys.exit(0 if same else NO)


_HEADINGS = ("类别 kind", "证书编号 certificate_no", "行 row", "列 field", "文件 file", "登记册 register")


@contextmanager
def _differences_to(path: Path | None) -> Iterator[Callable[[Difference], None]]:
    if path is None:
        yield lambda difference: None
        return
    refuse_to_overwrite(path)
    with path.open("x", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(_HEADINGS)
        yield lambda d: writer.writerow(
            (d.kind, d.certificate_no, d.line or "", d.field, safe_text(d.theirs), safe_text(d.ours))
        )


def _show_differences(differences: list[Difference], more: int) -> None:
    if differences:
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for heading in _HEADINGS:
            table.add_column(heading, overflow="fold", no_wrap=heading.endswith(("certificate_no", "kind")))
        for d in differences:
            row = (KINDS_SAID[d.kind][0], d.certificate_no, str(d.line or ""), d.field, d.theirs, d.ours)
            table.add_row(*(escape(word) for word in row))
        OUT.print(table, soft_wrap=False)
    if more:
        OUT.print(f"… 另有 {more} 处 (and {more} more; --show, --csv)", markup=False)


def _show_counts(counts: Counter[Kind], unreadable: int, faults: list[Fault]) -> None:
    for fault in faults:
        _show_fault(fault)
    for kind, (zh, en) in KINDS_SAID.items():
        OUT.print(f"{zh} {en}: {counts[kind]}", markup=False)
    if unreadable:
        OUT.print(f"读不出 unreadable: {unreadable}", markup=False)
