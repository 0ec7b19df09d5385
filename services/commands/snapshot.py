"""`certmark snapshot`: a node's whole data as one signed file that another node can begin with."""

from collections.abc import Callable
from pathlib import Path

import click

from services.commands.identity import load_key_file
from services.commands.terminal import OUT, as_json, progress, say_json
from services.domain.errors import NotConfigured
from services.domain.identifiers import instant_text
from services.settings import settings_from
from services.verify import snapshot as snapshots
from services.verify.read_model import Meta


@click.group()
def snapshot() -> None:
    """A verify node's data as a signed file that another node can begin with."""


@snapshot.command("make")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@as_json
def make(folder: Path, json_: bool) -> None:
    """Write the node's data as of now into FOLDER, sealed with $CERTMARK_SEAL_KEY; nothing is overwritten."""
    settings = settings_from()
    key = load_key_file(settings.seal_key, "CERTMARK_SEAL_KEY")
    with progress("digests", 100, json_) as bar:
        meta = snapshots.make(settings.data / "verify", folder, key, _percent(bar))
    _say(folder / snapshots.DATA, (folder / snapshots.DATA).stat().st_size, meta, json_)


@snapshot.command("load")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@as_json
def load(folder: Path, json_: bool) -> None:
    """Check the snapshot in FOLDER against $CERTMARK_GENESIS and put it in service; then start the projector.

    The projector must not be running meanwhile. A snapshot that is older than what the node holds is refused.
    """
    settings = settings_from()
    if not settings.genesis:
        raise NotConfigured("CERTMARK_GENESIS is empty: there is no first record to trust from")
    with progress("checking and copying", 100, json_) as bar:
        loaded = snapshots.load(folder, settings.data / "verify", settings.genesis, _percent(bar))
    _say(loaded.file, loaded.bytes, loaded.meta, json_)


def _percent(bar: Callable[[int], None]) -> Callable[[int, int], None]:
    """Tells a bar of a hundred parts how many more are done."""
    told = 0

    def tell(done: int, of: int) -> None:
        nonlocal told
        now = 100 * done // of
        bar(now - told)
        told = now

    return tell


def _say(file: Path, size: int, meta: Meta, json_: bool) -> None:
    said = {
        "file": str(file),
        "bytes": size,
        "position": meta.position,
        "seq": meta.seq,
        "as_of": instant_text(meta.as_of) if meta.as_of else None,
    }
    if json_:
        say_json(said)
    else:
        OUT.print("\n".join(f"{name:9} {value}" for name, value in said.items()), markup=False)
