"""The command that decides the register's entries anew."""

import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import asdict

import click

from services.commands.terminal import NO, OUT, as_json, progress, say_json
from services.settings import settings_from


@click.command()
@as_json
def replay(json_: bool) -> None:
    """Decide every entry of the register anew, from the first one on, and compare.

    Ends with 1 at the first entry whose decision, state or leaf does not come out as it is written down. Nothing is
    changed. Entries that come meanwhile are left for the next time.
    """
    from services.postgres import connect, database_url
    from services.registry import replay as registry_replay

    with ExitStack() as open_:
        connection = open_.enter_context(closing(connect(database_url(settings_from()))))

        def begin(size: int) -> Callable[[int], None]:
            return open_.enter_context(progress("entries decided anew", size, json_))

        found = registry_replay.replay(connection, begin)
    good = found.difference is None
    if json_:
        say_json({"good": good} | asdict(found))
    elif found.difference is None:
        OUT.print(f"✓ {found.entries} 个条目与记载一致 entries come out as they are written down", markup=False)
    else:
        wrong = found.difference
        OUT.print(f"✗ 条目 entry {wrong.seq}: {wrong.what}", markup=False)
        OUT.print(f"  记载 stored    {wrong.stored}\n  算得 computed  {wrong.computed}", markup=False)
    sys.exit(0 if good else NO)
