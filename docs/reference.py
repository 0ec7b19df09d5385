"""Writes the reference parts of pages of docs/ (see `PAGES`) from the schemas and the program themselves."""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Tongue:
    """A language of the events page: which members of a schema hold it, and the words between them."""

    ending: str
    heading: str
    about: str
    stop: str
    required: str
    colon: str
    comma: str
    or_null: str
    list_of: str
    list_or_null: str
    words: Mapping[str, str]

    def of(self, schema: Mapping[str, Any], name: str) -> str:
        return str(schema.get(name + self.ending, ""))

    def named(self, name: str) -> str:
        """A name out of a schema or the program in this language."""
        return self.words[name] if self.words else name.replace("_", " ")


ENGLISH = Tongue(
    ending="",
    heading="| member | form | |",
    about="Subject: {subject}. From: {sources}. Schema: {schema}.",
    stop=". ",
    required="required",
    colon=": ",
    comma=", ",
    or_null=" or null",
    list_of="list of {}",
    list_or_null="list of {}, or null",
    words={},
)
CHINESE = Tongue(
    ending="_zh",
    heading="| 成员 | 形式 | |",
    about="主体：{subject}。来源：{sources}。结构：{schema}。",
    stop="。",
    required="必填",
    colon="：",
    comma="、",
    or_null=" 或 null",
    list_of="{}的列表",
    list_or_null="{}的列表，或 null",
    words={
        "alliance": "联盟",
        "approval_no": "批准号",
        "attribute": "属性",
        "authority": "主管机关",
        "batch": "批次",
        "body": "认证机构",
        "boolean": "true 或 false",
        "by_standing": "各状态下的规定",
        "calendar": "日历",
        "catalogue": "目录",
        "catalogue_class": "目录类别",
        "certificate": "证书",
        "clock": "期限",
        "competence": "资质",
        "date": "日期",
        "declarant": "自我声明人",
        "declaration": "自我声明",
        "digest": "摘要",
        "green": "绿色产品内容",
        "gtin": "GTIN",
        "identifier": "标识",
        "instant": "时刻",
        "integer": "整数",
        "item": "型号",
        "judgement": "规定",
        "jwk": "公钥（JWK）",
        "key": "密钥",
        "module": "依据模块",
        "note": "说明",
        "number": "编号",
        "object": "对象",
        "organic": "有机产品内容",
        "owner": "密钥所有者",
        "part": "部分",
        "party": "组织",
        "product": "产品",
        "product_class": "产品类别",
        "public_code_hash": "公开的标志码散列",
        "reason": "原因代码",
        "recall": "召回",
        "reference": "工号或文件号",
        "region": "区划代码",
        "scheme": "认证制度",
        "site": "场所",
        "string": "文本",
        "text": "文本",
        "unit_code_hash": "标志码散列",
        "uscc": "统一社会信用代码",
        "warning": "警示",
        "words": "中英文文字",
    },
)


def events_reference() -> str:
    """Every event type: its subject, who may say it, and its members."""
    return "\n".join(_event(kind, ENGLISH) for kind in EVENT_TYPES.values())


def events_reference_zh() -> str:
    return "\n".join(_event(kind, CHINESE) for kind in EVENT_TYPES.values())


def _event(kind: EventType, tongue: Tongue) -> str:
    short = kind.name.removeprefix("certmark.").removesuffix(".v1")
    about = tongue.about.format(
        subject=tongue.named(kind.subject.value),
        sources=tongue.comma.join(tongue.named(source) for source in HANDLERS[kind.name][0]),
        schema=f"[`schemas/events/{short}.v1.json`](../schemas/events/{short}.v1.json)",
    )
    lines = [
        f"## `{short}`",
        "",
        f"{tongue.of(kind.schema, 'title')}{tongue.stop}{about}",
        "",
        tongue.of(kind.schema, "description"),
        "",
        tongue.heading,
        "|---|---|---|",
    ]
    required = kind.schema.get("required", [])
    for name, part in kind.schema["properties"].items():
        said = [tongue.required if name in required else "", tongue.of(part, "description")]
        lines.append(
            f"| `{name}` | {_form(part, kind.schema, tongue)} | {tongue.colon.join(word for word in said if word)} |"
        )
    return "\n".join([*lines, ""])


def _form(part: dict[str, Any], whole: dict[str, Any], tongue: Tongue) -> str:
    if "anyOf" in part:
        return _form(part["anyOf"][0], whole, tongue) + tongue.or_null
    name = part.get("$ref", "").removeprefix("#/$defs/")
    part = resolved(part, whole)
    if "enum" in part:
        return tongue.comma.join(f"`{value}`" for value in part["enum"])
    if name and part.get("type") != "array":
        return tongue.named(name)
    kinds = part["type"] if isinstance(part["type"], list) else [part["type"]]
    null = tongue.or_null if "null" in kinds else ""
    if "array" in kinds:
        listed = tongue.list_or_null if null else tongue.list_of
        return listed.format(_form(part["items"], whole, tongue))
    if "properties" in part:
        return "{" + ", ".join(f"`{member}`" for member in part["properties"]) + "}" + null
    return tongue.named(next(kind for kind in kinds if kind != "null")) + null


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
    "events.zh-CN.md": events_reference_zh,
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
