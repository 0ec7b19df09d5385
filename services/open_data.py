"""The commands of open data: `certmark dump` writes and checks dumps of the register."""

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from services.domain.errors import BadRequest
from services.settings import Settings, settings_from
from services.terminal import NO, OUT, as_json, progress, say_json

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

    return named.strip().lower().removeprefix("sha256:") if named else settings.genesis or pinned_genesis(settings)


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
