"""The command `certmark conform`: does a system, or a body's own client, do what the documentation says?"""

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from services import genesis
from services.commands.identity import load_key_file, source_named
from services.commands.terminal import NO, OUT, as_json, progress, say_json
from services.domain.errors import BadRequest
from services.events.conform import run
from services.events.conform.cast import demonstration_keys
from services.events.conform.producer_cases import FORMS
from services.events.conform.report import Report, open_report, shown, sign_report
from services.events.keys import PrivateKey
from services.settings import Settings, settings_from

PAPER = 160
"""Columns of a table that goes to a file."""


@click.command()
@click.option("--to", metavar="URL", help="Events service, or kafka://… or postgresql://…. Default: the local service.")
@click.option("--registry", metavar="URL", help="Where to ask for decisions. Default: the local registry.")
@click.option("--as", "sources", multiple=True, metavar="SOURCE", help="Who speaks; with --key, as often as you like.")
@click.option("--key", "files", multiple=True, metavar="FILE", help="The key of the source at the same place.")
@click.option("--only", multiple=True, metavar="CASE", help="Cases whose name begins so, such as chain/.")
@click.option("--producer", metavar="COMMAND", help="Examine this client instead of a system.")
@click.option("--report", "report_file", metavar="FILE", help="Write the report here.")
@click.option("--sign-with", metavar="FILE", help="Sign the report with this key.")
@click.option("--verify", "signed", metavar="FILE", help="Check a signed report instead, and show it.")
@click.option("--by", metavar="KID", help="With --verify: the key that must have signed.")
@click.option("--all", "every", is_flag=True, help="Show every case, not only those that did not pass.")
@as_json
def conform(
    to: str | None,
    registry: str | None,
    sources: tuple[str, ...],
    files: tuple[str, ...],
    only: tuple[str, ...],
    producer: str | None,
    report_file: str | None,
    sign_with: str | None,
    signed: str | None,
    by: str | None,
    every: bool,
    json_: bool,
) -> None:
    """Play scripted cases against a running system, or put a client of your own through them.

    Without options it plays every case against the local demonstration, with its keys. What it publishes stays in
    that register: take one for trying out, never one in use. Each run takes numbers of its own.

    With --producer it starts COMMAND, hands it reports as JSON lines, plays both services for it, and judges the
    events that it posts; nothing else has to run.

    The exit code is 1 when a case failed, or none was played. Cases that need a key which was not given, or
    what the client says that it cannot, are listed as not run.
    """
    if signed is not None:
        _verify(Path(signed), by, every, json_)
        return
    key = load_key_file(Path(sign_with), "--sign-with") if sign_with else None
    if key is not None and report_file is None:
        raise BadRequest("--sign-with signs a report that is kept", hint="say where with --report")
    if producer is not None:
        report = _examine(producer, only, json_)
    else:
        settings = settings_from()
        report = _play(settings, to or settings.service_url("events"), registry, sources, files, only, json_)
    if report_file is not None:
        _write(Path(report_file), report, key)
    _show(report, every, json_)
    sys.exit(NO if report["counts"]["failed"] or not report["counts"]["passed"] else 0)


def _now() -> datetime:
    return datetime.now(UTC)


def _examine(command: str, only: tuple[str, ...], json_: bool) -> Report:
    ids = run.chosen(only, run.CLIENT_CASES)
    with progress("cases", len(ids) + len(FORMS), json_) as advance:
        return run.against_client(command, ids, _now, advance)


def _play(
    settings: Settings,
    to: str,
    registry: str | None,
    sources: tuple[str, ...],
    files: tuple[str, ...],
    only: tuple[str, ...],
    json_: bool,
) -> Report:
    ids = run.chosen(only)
    keys = _keys(settings, sources, files)
    with progress("cases", len(ids), json_) as advance:
        return run.against_system(settings, to, registry or settings.service_url("registry"), keys, ids, _now, advance)


def _keys(settings: Settings, sources: tuple[str, ...], files: tuple[str, ...]) -> Mapping[str, PrivateKey]:
    if len(sources) != len(files):
        raise BadRequest(f"{len(sources)} --as and {len(files)} --key: each source has its key, in the same order")
    if not sources:
        return demonstration_keys(settings.keys, genesis.AUTHORITY)
    return {_source(name): load_key_file(Path(file), "--key") for name, file in zip(sources, files, strict=True)}


def _source(name: str) -> str:
    return name if name == "registry" else source_named(name)


def _write(path: Path, report: Report, key: PrivateKey | None) -> None:
    document = sign_report(report, key) if key else json.dumps(report, ensure_ascii=False, indent=1).encode()
    try:
        path.write_bytes(document + b"\n")
    except OSError as error:
        raise BadRequest(f"{path} cannot be written: {error.strerror}") from None


def _verify(path: Path, by: str | None, every: bool, json_: bool) -> None:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadRequest(f"{path} cannot be read: {error.strerror}") from None
    report, key = open_report(raw)
    right = by in (None, key.kid)
    if json_:
        say_json({"kid": key.kid, "alg": key.alg, "by": right, "report": report})
    else:
        _show(report, every, json_=False)
        OUT.print(f"签名有效 the signature holds: kid {key.kid} ({key.alg})", markup=False)
        if not right:
            OUT.print(f"不是所要求的密钥 not the key that was asked for: {by}", markup=False)
        elif by is None:
            OUT.print("请核对此密钥属于谁 make sure whose key that is (--by KID)", markup=False)
    sys.exit(0 if right else NO)


def _show(report: Report, every: bool, json_: bool) -> None:
    if json_:
        say_json(report)
        return
    if not OUT.is_terminal:
        OUT.width = PAPER
    for part in shown(report, every):
        OUT.print(part)
