"""The command that decides the register's entries anew."""

import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import asdict, replace

import click

from services.commands.terminal import NO, OUT, as_json, progress, say_json
from services.settings import settings_from


@click.command()
@as_json
def replay(json_: bool) -> None:
    """Verify and decide every entry of the register anew, from the pinned first one on, and compare.

    Then what lies beside the entries, the log's records, and what was published. Ends with 1 at the first thing that
    does not come out as it is written down. Nothing is changed. What comes meanwhile is left for the next time.
    """
    from services.events.log import Topics, open_log
    from services.postgres import connect, database_url
    from services.registry import compared
    from services.registry import replay as registry_replay
    from services.registry.differences import PLACES
    from services.registry.worker import pinned_genesis

    settings = settings_from()
    with ExitStack() as open_:
        connection = open_.enter_context(closing(connect(database_url(settings))))
        log = open_.enter_context(closing(open_log(settings)))

        def begin(size: int) -> Callable[[int], None]:
            return open_.enter_context(progress("entries decided anew", size, json_))

        found = registry_replay.replay(connection, pinned_genesis(settings), begin)
        if found.difference is None:
            unlike = compared.first_unlike_the_log(connection, log, Topics.under(settings.topic_prefix), begin)
            found = replace(found, difference=unlike)
    good = found.difference is None
    if json_:
        words = found.difference and dict(zip(("zh", "en"), found.difference.words, strict=True))
        say_json({"good": good} | asdict(found) | {"words": words})
    elif found.difference is None:
        OUT.print(f"✓ {found.entries} 个条目与记载一致 entries come out as they are written down", markup=False)
    else:
        wrong = found.difference
        place = "日志 log position" if wrong.what in PLACES else "条目 entry"
        zh, en = wrong.words
        OUT.print(f"✗ {place} {wrong.seq}: {wrong.what}\n  {zh}。\n  {en.capitalize()}.", markup=False)
        OUT.print(f"  记载 stored    {wrong.stored}\n  算得 computed  {wrong.computed}", markup=False)
    sys.exit(0 if good else NO)
