"""Writes the reference parts of pages of docs/ (see `PAGES`) from the schemas and the program themselves."""

import re
import sys
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from services.cli import main as program  # the path above comes first
from services.domain.acceptance import WORDS
from services.domain.decision import HANDLERS
from services.events.columns import COLUMNS, FORMS_SAID, VERB_WORDS, Column
from services.events.conform.case import Case
from services.events.conform.cases import CASES
from services.events.conform.outcome import Titled
from services.events.conform.producer_cases import BEHAVIOURS, FORMS
from services.events.event_types import EVENT_TYPES, EventType, resolved
from services.events.faults import FAULTS, HINTS, words_of
from services.events.names import STANDING_WORDS
from services.events.templates import required_of
from services.registry.dump_tables import tables
from services.registry.indicators import INDICATORS

BEGIN = "<!-- reference: written by docs/reference.py, do not edit below -->"
DOCS = Path(__file__).parent


def events_reference() -> str:
    """Every event type: its subject, who may say it, and its members."""
    parts = [_event(kind) for kind in EVENT_TYPES.values()]
    return "\n".join(parts)


def _event(kind: EventType) -> str:
    short = kind.name.removeprefix("certmark.").removesuffix(".v1")
    sources = ", ".join(HANDLERS[kind.name][0]) if kind.name in HANDLERS else ""
    lines = [
        f"## `{short}`",
        "",
        f"{kind.schema['title']}. Subject: {kind.subject}. From: {sources}. "
        f"Schema: [`schemas/events/{short}.v1.json`](../schemas/events/{short}.v1.json).",
        "",
        *([kind.schema["description"], ""] if "description" in kind.schema else []),
        "| member | form | |",
        "|---|---|---|",
    ]
    required = kind.schema.get("required", [])
    for name, part in kind.schema["properties"].items():
        said = [*(["required"] if name in required else []), *([part["description"]] if "description" in part else [])]
        lines.append(f"| `{name}` | {_form(part, kind.schema)} | {': '.join(said)} |")
    return "\n".join([*lines, ""])


def _form(part: dict[str, Any], whole: dict[str, Any]) -> str:
    if "anyOf" in part:
        return _form(part["anyOf"][0], whole) + " or null"
    name = part.get("$ref", "").removeprefix("#/$defs/")
    part = resolved(part, whole)
    if "enum" in part:
        return ", ".join(f"`{value}`" for value in part["enum"])
    if name and part.get("type") != "array":
        return name.replace("_", " ")
    kinds = part["type"] if isinstance(part["type"], list) else [part["type"]]
    if "array" in kinds:
        item = _form(part["items"], whole) if "items" in part else "nothing"
        return f"list of {item}" + (", or null" if "null" in kinds else "")
    if "properties" in part:
        return "{" + ", ".join(f"`{member}`" for member in part["properties"]) + "}"
    return " or ".join(str(kind) for kind in kinds)


def cli_reference() -> str:
    """Every command with its help."""
    context = click.Context(program, info_name="certmark", terminal_width=98, **program.context_settings)
    return "\n".join(_commands(program, context))


def _commands(command: click.Command, context: click.Context) -> list[str]:
    if isinstance(command, click.Group):
        found = []
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            inner = click.Context(below, info_name=name, parent=context, terminal_width=98)
            found += _commands(below, inner)
        return found
    return [f"## `{context.command_path}`", "", "```text", command.get_help(context), "```", ""]


def open_data_reference() -> str:
    """Every table of a dump with its columns, and every reason of an answer, every indicator."""
    parts = []
    for table in tables(evidence=True):
        lines = [
            f"## `{table.name}`",
            "",
            f"{table.zh}。{table.en[0].upper()}{table.en[1:]}.",
            "",
            "| column | type | 中文 | English |",
            "|---|---|---|---|",
        ]
        lines += [f"| `{c.name}` | {c.kind} | {c.zh} | {c.en} |" for c in table.columns]
        parts.append("\n".join([*lines, ""]))
    lines = ["## Reasons of an answer 采信理由", "", "| reason | 中文 | English |", "|---|---|---|"]
    lines += [f"| `{code}` | {zh} | {en} |" for code, (zh, en) in WORDS.items()]
    lines += [
        "",
        "## Indicators by id 指标清单",
        "",
        "| indicator | 定义 | definition | unit | by |",
        "|---|---|---|---|---|",
    ]
    for one in INDICATORS.values():
        zh, en = (f"**{one.name[tongue]}**: {one.definition[tongue]}" for tongue in ("zh", "en"))
        unit = " ".join(dict.fromkeys((one.unit["zh"], one.unit["en"])))
        lines.append(f"| `{one.id}` | {zh} | {en} | {unit} | {', '.join(one.dimensions)} |")
    return "\n".join([*parts, *lines, ""])


def conform_reference() -> str:
    """Every case of both modes, with the clause that it stands for."""
    system = [f"{_case(case)} {_expected(case)} |" for case in CASES]
    examined: tuple[Titled, ...] = (*BEHAVIOURS, *FORMS)
    client = [_case(case) for case in examined]
    return "\n".join(
        [
            f"### Against a system: {len(CASES)} cases",
            "",
            "| case | 要点 | what | clause | expected |",
            "|---|---|---|---|---|",
            *system,
            "",
            f"### For a client: {len(client)} cases",
            "",
            "| case | 要点 | what | clause |",
            "|---|---|---|---|",
            *client,
            "",
        ]
    )


def _case(case: Titled) -> str:
    page_, _, heading = case.clause.partition("#")
    said = re.sub("[^a-z0-9]+", " ", heading).strip()
    return f"| `{case.id}` | {case.zh} | {case.en} | [{said}]({page_}#{heading}) |"


def _expected(case: Case) -> str:
    return " · ".join(f"`{said}`" for said in case.expected)


def import_reference() -> str:
    """The columns of a body's sheet, the words of its cells, and what can be wrong with a row."""
    columns = [_row(*map(_cell, _column(column))) for column in COLUMNS]
    verbs = [
        _row(f"`{verb}`", "、".join(words), f"[`{_short(verb.type)}`](events.md)") for verb, words in VERB_WORDS.items()
    ]
    standings = [_row(f"`{standing}`", "、".join(words)) for standing, words in STANDING_WORDS.items()]
    words = {code: words_of(code) for code in (*FAULTS, *HINTS)}
    faults = [_row(f"`{code}`", said.zh, said.en, said.hint_zh, said.hint_en) for code, said in words.items()]
    return "\n".join(
        [
            "## 列 Columns",
            "",
            *_table("标题 Heading", "key", "必填 required", "形式 form", "说明 meaning", "推定的标题 assumed headings"),
            *columns,
            "",
            "## 事件列的词 Words of the event column",
            "",
            *_table("word", "词", "becomes"),
            *verbs,
            "",
            "## 状态列的词 Words of the status column",
            "",
            *_table("word", "词"),
            *standings,
            "",
            "## 错误代码 What can be wrong with a row",
            "",
            "登记册的其他拒绝代码见 [connect.md](connect.md)。For other refusals of the register see there.",
            "",
            *_table("fault", "含义", "meaning", "怎么办", "what to do"),
            *faults,
            "",
        ]
    )


def _column(column: Column) -> tuple[str, ...]:
    zh, en = FORMS_SAID[column.form]
    about = f"{column.about_zh or column.zh} · {column.about_en}"
    return (column.zh, f"`{column.key}`", required_of(column), f"{zh} · {en}", about, "、".join(column.assumed))


def _short(name: str) -> str:
    return name.removeprefix("certmark.").removesuffix(".v1")


def _table(*headings: str) -> list[str]:
    return [_row(*headings), "|" + "---|" * len(headings)]


def _row(*row: str) -> str:
    return f"| {' | '.join(row)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


PAGES = {
    "events.md": events_reference,
    "cli.md": cli_reference,
    "import.md": import_reference,
    "open-data.md": open_data_reference,
    "conform.md": conform_reference,
}


def page(name: str) -> str:
    """The page as it should be: what people wrote above the line, the reference below it."""
    written = (DOCS / name).read_text(encoding="utf-8").partition(BEGIN)[0]
    return f"{written}{BEGIN}\n\n{PAGES[name]()}"


if __name__ == "__main__":
    for file in PAGES:
        (DOCS / file).write_text(page(file), encoding="utf-8")
