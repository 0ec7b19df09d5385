"""`certmark marks`: what is printed of a mark."""

from collections.abc import Iterator
from contextlib import closing
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from services.commands.terminal import ERR, OUT, as_json, progress, say_json
from services.domain.errors import BadRequest
from services.events import client
from services.marks.label import Named
from services.marks.printing import How, Printed, PrintForm, print_run, tokens_in
from services.settings import settings_from


@click.group()
def marks() -> None:
    """Marks on paper: labels, sheets, token files. See docs/marks.md."""


@marks.command("print")
@click.argument("mark_nos", nargs=-1, metavar="[MARK_NO]...")
@click.option("--gtin", help="One product of the mark. Default: every product that it is authorized for.")
@click.option("--tokens-from", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="A token file.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--form", type=click.Choice([form.value for form in PrintForm]), default="svg", show_default=True)
@click.option("--width-mm", type=click.FloatRange(5, 200), default=21.0, show_default=True, help="Of the code itself.")
@click.option("--rough", is_flag=True, help="For rough print: more error correction, and a larger code.")
@click.option("--force", is_flag=True, help="Modules smaller than 0.33 mm all the same.")
@click.option("--dpi", type=click.IntRange(150, 2400), default=600, show_default=True, help="Of PNG.")
@click.option(
    "--across", type=click.IntRange(1, 20), default=1, show_default=True, help="Labels side by side on a roll."
)
@click.option("--crop-marks", is_flag=True, help="On sheets and rolls: marks to cut along.")
@click.option("--service", "url", metavar="URL", help="The verify service. Default: the local one.")
@as_json
def marks_print(mark_nos: tuple[str, ...], out: Path, json_: bool, **told: Any) -> None:
    """Print the codes of MARK_NO, or those of a token file: single images, A4 sheets, rolls, or a token file.

    Each code is read back before its file is written. A run that was cut goes on where it stopped: give the same
    command again. An authorization that has ended is not printed.
    """
    if bool(mark_nos) == bool(told["tokens_from"]):
        raise BadRequest("name marks, or a token file", hint="certmark marks print MARK_NO, or --tokens-from FILE")
    how = How(
        form=PrintForm(told["form"]),
        width=told["width_mm"],
        rough=told["rough"],
        force=told["force"],
        dpi=told["dpi"],
        across=told["across"],
        cut=told["crop_marks"],
    )
    with closing(client.Service(told["url"] or settings_from().service_url("verify"))) as verify:

        @cache
        def asked(mark_no: str) -> dict[str, Any]:
            query = {"gtin": told["gtin"]} if told["gtin"] else {}
            return verify.get(f"/qr/{quote(mark_no, safe='')}.json", **query)

        def named(mark_no: str) -> Named:
            said = asked(mark_no)
            return Named(said["mark"]["zh"], said["mark"]["en"], said["mark_no"], said["holder"])

        def items() -> Iterator[Printed]:
            if told["tokens_from"]:
                for item in tokens_in(told["tokens_from"]):
                    asked(item.mark_no)  # one that has ended is refused here, before anything of it is drawn
                    yield item
                return
            for mark_no in mark_nos:
                for code in asked(mark_no)["codes"]:
                    yield Printed(asked(mark_no)["mark_no"], code["gtin"], "", code["url"])

        total = sum(1 for _ in islice(tokens_in(told["tokens_from"]), 10_000_000)) if told["tokens_from"] else 1
        with progress("labels", total, json_) as advance:
            done = print_run(items(), named, how, out, advance, lambda words: ERR.print(f"警告 warning: {words}"))
    said = {"folder": str(out), "form": how.form.value, "codes": done}
    if json_:
        say_json(said)
    else:
        OUT.print("\n".join(f"{name:7} {value}" for name, value in said.items()), markup=False)
