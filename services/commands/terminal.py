"""What every command has in common: errors as sentences and exit codes, answers in JSON, a bar for long work."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.domain.errors import CertmarkError, Malformed, NotConfigured
from services.problems import problem

OUT = Console(highlight=False, soft_wrap=True)
ERR = Console(stderr=True, highlight=False, soft_wrap=True)
SIGNS = {"yes": "[green]✓[/]", "no": "[red]✗[/]", "cannot_say": "?", "input": "✎"}
"""The look of an answer's family in a terminal."""

NO = 1
WRONG = 2


class Program(click.Group):
    """Turns every error that we know into a sentence and an exit code; a trace is for us, never for a user."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except CertmarkError as error:
            _fail(error)
        except BrokenPipeError:
            # The reader has gone (`certmark … | head`); Python would complain once more when it closes the stream.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)


def _fail(error: CertmarkError) -> NoReturn:
    code = getattr(error, "code", error.slug)
    if _wants_json():
        click.echo(json.dumps(problem(error) | {"code": code}, ensure_ascii=False))
    else:
        ERR.print(f"[bold red]{code}[/]: ", end="")
        ERR.print(error.detail + (f"  ({error.pointer})" if error.pointer else ""), markup=False)
        if error.hint:
            ERR.print(f"→ {error.hint}", markup=False)
    sys.exit(WRONG if isinstance(error, Malformed | NotConfigured) else NO)


def _wants_json() -> bool:
    context = click.get_current_context(silent=True)
    while context is not None:
        if context.meta.get("certmark.json"):
            return True
        context = context.parent
    return "--json" in sys.argv[1:]


def as_json(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--json` on a command: one JSON document (or one a line) on standard output, nothing else."""

    def note(ctx: click.Context, _param: click.Parameter, value: bool) -> bool:
        ctx.meta["certmark.json"] = value
        return value

    return click.option("--json", "json_", is_flag=True, callback=note, help="Answer in JSON.")(command)


def say_json(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=False))


@contextmanager
def progress(words: str, total: int, quiet: bool) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal when the work is long, nothing in a pipe."""
    if quiet or total < 50 or not ERR.is_terminal:
        yield lambda done: None
        return
    columns = (TextColumn(words), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=ERR, transient=True) as bar:
        task = bar.add_task(words, total=total)
        yield lambda done: bar.advance(task, done)
