"""What every command has in common: errors as sentences and exit codes, answers in JSON, a bar for long work."""

import errno
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.domain.advice import hint_for, problem
from services.domain.details import in_chinese
from services.domain.errors import BadRequest, CertmarkError, Fault, Malformed, NotConfigured, every_error

OUT = Console(highlight=False, soft_wrap=True)
ERR = Console(stderr=True, highlight=False, soft_wrap=True)
SIGNS = {"yes": "[green]✓[/]", "no": "[red]✗[/]", "cannot_say": "?", "input": "✎"}
"""The look of an answer's family in a terminal."""

NO = 1
WRONG = 2

_JSON, _COMMAND = "certmark.json", "certmark.command"
"""What a command leaves for whoever has to say that it failed: how it was asked to answer, and its name."""


class FileTrouble(Fault):
    slug = "file-trouble"
    title = "A file or folder of this machine cannot be used"
    zh = "无法使用本机的文件或文件夹"


class Program(click.Group):
    """Turns every error that we know into a sentence and an exit code; a trace is for us, never for a user.

    `places` names for each command its file in `services/commands`, which is read when the command is wanted.
    """

    def __init__(self, *args: Any, places: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._places:
            return None
        there = vars(import_module(f"services.commands.{self._places[cmd_name]}")).values()
        return next(found for found in there if isinstance(found, click.Command) and found.name == cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        ctx.meta[_JSON] = "--json" in ctx.args  # the command knows better, if it comes to be asked
        try:
            return super().invoke(ctx)
        except CertmarkError as error:
            fail(error)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            ctx.meta[_COMMAND] = error.ctx.command_path if error.ctx else ctx.command_path
            fail(BadRequest(error.format_message()))
        except BrokenPipeError:
            _let_go_of_output()  # the reader has gone (`certmark … | head`)
            sys.exit(0)
        except OSError as error:
            if error.filename is None and error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise  # not about a file: unforeseen
            fail(FileTrouble(": ".join(filter(None, (str(error.filename or ""), error.strerror)))))


def fail(error: CertmarkError) -> NoReturn:
    """Tell an error as every command does, and end: with 2 where the call was wrong, else with 1."""
    code = getattr(error, "code", error.slug)
    hint = _help() if code == BadRequest.slug and not error.hint else hint_for(code, error.hint) or ""
    told = click.get_current_context().meta[_JSON]
    if told:
        try:
            say_json(problem(error) | {"code": code, "hint": hint})
        except OSError:  # it is standard output that is full
            _let_go_of_output()
            told = False
    if not told:
        ERR.print(f"[bold red]{code}[/] {every_error().get(code, type(error)).zh}: ", end="")
        if chinese := in_chinese(error.detail):
            ERR.print(f"{chinese} · ", markup=False, end="")
        ERR.print(error.detail + (f"  ({error.pointer})" if error.pointer else ""), markup=False)
        if hint:
            ERR.print(f"→ {hint}", markup=False)
    wrong = isinstance(error, Malformed | NotConfigured) or code == BadRequest.slug  # ours, or a service's
    sys.exit(WRONG if wrong else NO)


def _let_go_of_output() -> None:
    """Python would complain once more when it closes a stream that takes nothing."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _help() -> str:
    """Where the command in hand says how it is used."""
    return f"{click.get_current_context().meta.get(_COMMAND, 'certmark')} --help"


def as_json(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--json` on a command: one JSON document (or one a line) on standard output, nothing else."""

    def note(ctx: click.Context, _param: click.Parameter, value: bool) -> bool:
        ctx.meta[_JSON], ctx.meta[_COMMAND] = value, ctx.command_path
        return value

    return click.option("--json", "json_", is_flag=True, is_eager=True, callback=note, help="Answer in JSON.")(command)


def say_json(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=False))


def both(words: dict[str, Any] | None) -> str:
    """Words in both languages, behind their code where they have one."""
    return " ".join(str(words[name]) for name in ("code", "zh", "en") if words.get(name)) if words else ""


def say_why(found: Mapping[str, Any]) -> None:
    """What a problem or a decision that is no yes tells: its code in words, this case, and what to do."""
    words = found.get("text") or {"zh": found.get("title_zh"), "en": found.get("title")}
    where = f"  ({found['pointer']})" if found.get("pointer") else ""
    for told in (
        both(words),
        str(found.get("detail_zh") or ""),
        f"{found.get('detail') or ''}{where}",
        f"→ {found['hint']}" if found.get("hint") else "",
    ):
        if told:
            OUT.print(f"    {told}", markup=False)


def tell_waiting() -> Callable[[Mapping[str, Any]], None]:
    """Says on the terminal why something is sent again, once for each reason: silence would look like a hang."""
    told: set[str] = set()

    def tell(found: Mapping[str, Any]) -> None:
        why = str(found.get("detail") or found.get("code") or "")
        if why not in told:
            told.add(why)
            ERR.print(f"稍候重发 waiting, then sending again: {why}", markup=False)

    return tell


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
