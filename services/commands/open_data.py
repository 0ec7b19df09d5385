"""The commands of open data: dumps of the register, and its indicators."""

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from services.commands.terminal import NO, OUT, as_json, progress, say_json
from services.domain.errors import BadRequest
from services.settings import Settings, settings_from

if TYPE_CHECKING:
    from services.postgres import Connection
    from services.registry import facts


@click.command()
@click.option("--to", "to", metavar="DIR", help="A new folder. Default: where the registry publishes dumps.")
@click.option("--at", metavar="SEQ|TIME", help="The register as of an entry, a date (its end) or an instant.")
@click.option("--since", type=int, metavar="SEQ", help="Only what has changed after this entry.")
@click.option("--format", "formats", default="jsonl", show_default=True, metavar="jsonl,csv,parquet")
@click.option("--evidence", is_flag=True, help="With the signed events, which hold staff numbers.")
@click.option("--bom", is_flag=True, help="CSV that Excel takes for UTF-8.")
@click.option("--verify", metavar="DIR", help="Check a dump's files and seal; writes nothing.")
@click.option("--genesis", metavar="DIGEST", help="With --verify: the pinned first event. Default: this register's.")
@click.option("--unsealed", is_flag=True, help="With --verify: be content with the checksums.")
@as_json
def dump(
    to: str | None,
    at: str | None,
    since: int | None,
    formats: str,
    evidence: bool,
    bom: bool,
    verify: str | None,
    genesis: str | None,
    unsealed: bool,
    json_: bool,
) -> None:
    """Write the register's public tables as files, or check such files.

    The same position gives the same bytes, whenever the dump is made. A full dump up to N and what has changed
    since N make the later dump: take out the subjects that the increment has, and put it at the end.
    """
    from services.events.keys import load_key
    from services.postgres import connect, database_url
    from services.registry import dumps
    from services.registry.dump_files import FORMATS

    settings = settings_from()
    if verify is not None:
        _check(Path(verify), _genesis(settings, genesis), unsealed, json_)
        return
    chosen = tuple(name.strip() for name in formats.split(",") if name.strip())
    if not chosen or set(chosen) - set(FORMATS):
        raise BadRequest(f"--format {formats!r}: it is one or more of {', '.join(FORMATS)}, with commas between")
    seal_key = load_key(settings.seal_key) if settings.seal_key.exists() else None
    with closing(connect(database_url(settings))) as connection:
        _catch_up(connection, json_)
        folder, manifest = dumps.dump(
            connection,
            lambda cur: dumps.wanted(cur, at, since, chosen, evidence=evidence, bom=bom),
            lambda wanted: Path(to) if to else dumps.published_at(settings) / wanted.name,
            seal_key,
            lambda wanted: progress("entries read", dumps.steps(wanted), json_),
        )
    if json_:
        say_json({"folder": str(folder), "sealed": seal_key is not None, **manifest})
        return
    OUT.print(f"{folder}  seq {manifest['seq']}", markup=False)
    for table in manifest["tables"]:
        OUT.print(f"  {table['name']:14} {table['rows']:>10}", markup=False)


def _catch_up(connection: "Connection", quiet: bool) -> None:
    """Bring the facts up to the register's last entry, with a bar where that is long."""
    from services.postgres import transaction
    from services.registry import facts

    def stretch() -> "facts.Reach":
        with transaction(connection) as cur:
            return facts.read_on(cur)

    with transaction(connection) as cur:
        reach = facts.reach(cur)
    with progress("entries counted", reach.wanted - reach.known, quiet) as advance:
        facts.catch_up(stretch, advance=advance)


def _genesis(settings: Settings, named: str | None) -> str:
    from services.registry.worker import pinned_genesis

    return named.strip().lower().removeprefix("sha256:") if named else pinned_genesis(settings)


def _check(folder: Path, genesis: str, unsealed: bool, json_: bool) -> None:
    from services.registry import dumps

    found = dumps.check(folder, genesis)
    good = found.holds and (found.sealed or unsealed)
    if json_:
        told: dict[str, Any] = {"good": good, "seq": found.seq, "rows": found.rows, "wrong": found.wrong}
        say_json(told | {"sealed": found.sealed, "why_not": found.why_not})
    else:
        OUT.print(f"{'✓' if good else '✗'} seq {found.seq}, {sum(found.rows.values())} rows", markup=False)
        for name, why in found.wrong.items():
            OUT.print(f"  {name}: {why}", markup=False)
        OUT.print("  sealed by the registry" if found.sealed else f"  not vouched for: {found.why_not}", markup=False)
    sys.exit(0 if good else NO)


@click.command()
@click.argument("name", required=False, metavar="[ID]")
@click.option("--at", metavar="DATE", help="The day, or the last day of the period. Default: today.")
@click.option("--since", metavar="DATE", help="The first day of the period. Default: the first of the month.")
@click.option("--known-at", "known_at", metavar="TIME", help="As known then. Default: at the end of the day.")
@click.option("--by", metavar="DIMENSION", help="Broken down by scheme, region, body, reason, month or standing.")
@click.option("--registry", metavar="URL", help="Default: the local registry.")
@as_json
def indicators(
    name: str | None,
    at: str | None,
    since: str | None,
    known_at: str | None,
    by: str | None,
    registry: str | None,
    json_: bool,
) -> None:
    """Show an indicator for a day or a period, or list them all.

    The number for a day that is over never changes, unless a later --known-at is asked for.
    """
    from services.events import client

    service = client.Service(registry or settings_from().service_url("registry"))
    query = {"at": at, "since": since, "known_at": known_at, "by": by}
    given = {option: value for option, value in query.items() if value is not None}
    if name is None:
        found = service.get("/v1/indicators")
    else:
        found = service.get(f"/v1/indicators/{quote(name, safe='')}", **given)
    if json_:
        say_json(found)
        return
    for one in found.get("items", [found]):
        OUT.print(f"{one['id']:28} {one['name']['zh']} {one['name']['en']}", markup=False)
    if name is not None:
        unit = found["unit"]["zh"] if found["unit"]["zh"] == found["unit"]["en"] else " ".join(found["unit"].values())
        period = f"{found['since']} – {found['at']}" if "since" in found else found["at"]
        OUT.print(f"{period}  {found['value']} {unit}  (seq {found['seq']})", markup=False)
        for row in found.get("rows", ()):
            OUT.print(f"  {row['key'] or '—':28} {row['value']}", markup=False)
