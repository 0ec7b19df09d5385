"""`certmark lists`: whether the published status lists say what the register says."""

import sys
import time
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from services import base64url
from services.commands.terminal import NO, OUT, as_json, say_json
from services.domain.errors import BadRequest
from services.settings import settings_from


@click.group()
def lists() -> None:
    """Status lists, as offline readers get them."""


@lists.command("check")
@click.option("--url", metavar="URL", help="Where they are published. Default: the local verify service's /status.")
@click.option(
    "--node", type=click.Path(file_okay=False, path_type=Path), help="A verify node's folder, instead of a URL."
)
@click.option("--wait", "seconds", default=10.0, show_default=True, help="How long a difference may last.")
@as_json
def lists_check(url: str | None, node: Path | None, seconds: float, json_: bool) -> None:
    """Read every published list again and compare it with the register: each place, and each voided code.

    Ends with 1 where a mark that is not valid is missing from its list, a valid one is in it, a voided code is not
    named, another one is, or a list is not to be believed. A difference counts when it lasts: a list may be on its way.
    """
    from services.postgres import connect, database_url, transaction
    from services.registry.list_check import check, published_at
    from services.registry.lists import status_base

    if url and node:
        raise BadRequest("lists are read at --url or from the file of --node")
    settings = settings_from()
    deadline = time.monotonic() + seconds

    def again() -> bool:
        time.sleep(0.5)
        return time.monotonic() < deadline

    address = (url or f"{settings.service_url('verify')}/status").rstrip("/")
    fetch = partial(_held, node) if node else published_at(address)
    with closing(connect(database_url(settings))) as connection, transaction(connection) as cur:
        report = check(cur, fetch, status_base(settings), lambda: datetime.now(UTC), again)
    if json_:
        say_json({"good": report.good} | asdict(report))
    elif report.good:
        told = f"✓ 与登记册一致 as the register: {report.places} 位 places, {report.not_valid} 非有效 of them not valid"
        OUT.print(told, markup=False)
    else:
        for list_id, code in sorted(report.refused.items()):
            OUT.print(f"✗ list {list_id}: {code}", markup=False)
        for list_id, count in sorted(report.strange.items()):
            OUT.print(f"✗ list {list_id}: names {count} codes that nobody has voided", markup=False)
        for one in report.wrong[:20]:
            said = "nothing" if one.published is None else one.published
            wrong = f"voided code {one.unit} is not named" if one.unit else f"{said} where {one.due} is due"
            OUT.print(f"✗ {one.list_id}/{one.index}  {one.certificate_no} {one.mark_no}: {wrong}", markup=False)
        if len(report.wrong) > 20:
            OUT.print(f"  and {len(report.wrong) - 20} more", markup=False)
    sys.exit(0 if report.good else NO)


def _held(folder: Path, list_id: int) -> bytes:
    """A list as a node's own file has it, with nothing between."""
    from services.registry.list_check import NotPublished
    from services.verify.read_model import ReadModel, Unreadable

    model = ReadModel(folder)
    try:
        stored = model.record(f"list/{list_id}")
        text = str(stored.payload()["state"]["cwt"]) if stored else ""
    except Unreadable as reason:
        raise NotPublished(f"{folder}: {reason}") from None
    finally:
        model.close()
    return base64url.decoded(text)
