"""`certmark districts build`: a table of districts for the counts of look-ups, from a file that the operator has."""

from pathlib import Path

import click

from services.commands.terminal import OUT, as_json, progress, say_json
from services.domain.errors import NotConfigured


@click.group()
def districts() -> None:
    """Where addresses are, as coarse as a district."""


@districts.command("build")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--places", type=click.Path(path_type=Path), help="GeoLite2's file of names (…-Locations-….csv).")
@click.option("--level", type=click.Choice(["city", "province"]), default="city", show_default=True)
@click.option("--to", type=click.Path(path_type=Path), default=Path("districts.csv"), show_default=True)
@as_json
def build(file: Path, places: Path | None, level: str, to: Path, json_: bool) -> None:
    """Make the table that CERTMARK_DISTRICTS_FILE names from a free table of addresses by place.

    \b
    Read are GeoLite2 City (CSV, with --places), IP2Location LITE DB3 and up (CSV), DB-IP City Lite (CSV) and the
    source of ip2region (lines with |). Each has a licence of its own, which is yours to keep.
    """
    from services.verify import district_table

    with progress("reading", _lines(file), json_) as advance:
        made = district_table.make(
            district_table.placed(file, places), by_province=level == "province", advance=advance
        )
    try:
        district_table.write(made, to)
    except OSError as error:
        raise NotConfigured(f"{to} cannot be written: {error.strerror}") from None
    different = len({code for _, code in made.rows})
    told = {"file": str(to), "ranges": made.read, "networks": len(made.rows), "districts": different}
    if json_:
        say_json(told | {"addresses": made.addresses})
        return
    OUT.print(f"{to}  {len(made.rows)} networks, {different} districts", markup=False, highlight=False)
    for kind, count in made.addresses.items():
        OUT.print(f"  IPv4 addresses placed by {kind}: {count}", markup=False, highlight=False)
    OUT.print(f"CERTMARK_DISTRICTS_FILE={to.absolute()}", markup=False, highlight=False)


def _lines(file: Path) -> int:
    """About how many lines a file has, told by its first ones; 0 where it cannot be read, which is said later."""
    try:
        with file.open("rb") as read:
            head = read.read(1 << 16)
        return head.count(b"\n") * max(1, file.stat().st_size // max(1, len(head)))
    except OSError:
        return 0
