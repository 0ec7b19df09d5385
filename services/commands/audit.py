"""`certmark audit`: the register checked against itself, by every check that it has of its own."""

import sys

import click

from services.commands.accounts import accounts_trail
from services.commands.lists import lists_check
from services.commands.replay import replay
from services.commands.terminal import NO, OUT, as_json, fail
from services.domain.errors import CertmarkError

CHECKS = (
    (replay, "条目重新裁决 entries decided anew"),
    (lists_check, "已发布的状态列表 status lists as published"),
    (accounts_trail, "监管工作台的操作记录 the record of what was done at the desk"),
)


@click.command()
@click.pass_context
@as_json
def audit(ctx: click.Context, json_: bool) -> None:
    """Check the register against itself: its entries, its published status lists, the record of its desk.

    These are `certmark replay`, `certmark lists check` and `certmark accounts trail`, one after the other and whatever
    the first finds; with --json a line each. Ends with 1 where one of them does. Nothing is changed.
    """
    good = True
    for check, title in CHECKS:
        if not json_:
            OUT.print(title, markup=False)
        try:
            try:
                ctx.invoke(check, json_=json_)
            except CertmarkError as error:  # this check cannot be made: that is told, and the next one made
                fail(error)
        except SystemExit as ended:
            good = good and not ended.code
    sys.exit(0 if good else NO)
