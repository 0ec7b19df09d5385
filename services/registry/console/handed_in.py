"""A submission as its page tells it: what was found in it, line by line, and how to go on from there."""

import json
import shlex
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from services.domain.errors import every_error
from services.registry.console import submissions
from services.registry.console.asked import Seen
from services.registry.console.inbox import item
from services.registry.console.pages import Frame
from services.registry.console.submissions import Kind, Line, Progress, Submission
from services.registry.decision_feed import BEGINNING

STATES = {Kind.SHEET: ("good", "wrong"), Kind.SIGNED: ("sent", "wrong")}


@dataclass(frozen=True, slots=True)
class Why:
    """One thing that is wrong with a line. `said` in the page's language first."""

    code: str
    said: Sequence[tuple[str, str]]
    hint: str
    column: str = ""
    value: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """A line with its state in words, and how that looks."""

    line: Line
    state: str
    look: str
    whys: Sequence[Why]
    would_send: str

    @property
    def lines(self) -> str:
        line, last = self.line.line, self.line.last_line
        return str(line) if line == last else f"{line}–{last}"

    @property
    def short_type(self) -> str:
        return self.line.type.removeprefix("certmark.").removesuffix(".v1")


def told(line: Line, decided: Seen | None, frame: Frame) -> Told:
    if line.state == "sent":
        if decided is None:
            return Told(line, frame.say("undecided"), "pending", (), "")
        one = item(decided, frame)
        whys = [Why(decided.code, one.said, one.hint, decided.pointer, "", decided.detail)] if decided.code else []
        return Told(line, one.state, decided.decision, whys, "")
    if line.state == "good":
        draft = {"type": line.type, "subject": line.number, "data": line.said.get("data")}
        return Told(line, frame.say("good"), "accepted", (), json.dumps(draft, ensure_ascii=False, indent=2))
    found = line.said.get("problem")
    whys = [_of_problem(found, frame)] if found else [_of_fault(fault, frame) for fault in line.said.get("faults", ())]
    return Told(line, frame.say("wrong"), "refused", whys, "")


def _of_fault(fault: Mapping[str, Any], frame: Frame) -> Why:
    said = _in_order([("zh-CN", fault["zh"]), ("en", fault["en"])], frame)
    return Why(fault["code"], said, fault["hint"][frame.language], fault["column"], fault["value"])


def _of_problem(problem: Mapping[str, Any], frame: Frame) -> Why:
    code = str(problem.get("code", ""))
    error = every_error().get(code)
    zh, en = (error.zh, error.title) if error else (str(problem.get("title_zh", "")), str(problem.get("title", "")))
    said = _in_order([("zh-CN", zh), ("en", en)], frame)
    detail, hint = str(problem.get("detail") or ""), str(problem.get("hint") or "")
    return Why(code, said, hint, str(problem.get("pointer") or ""), "", detail)


def _in_order(said: list[tuple[str, str]], frame: Frame) -> list[tuple[str, str]]:
    return said[::-1] if frame.language == "en" else said


def counted(states: Mapping[str, int], digests: Collection[str], decided: Mapping[str, Seen]) -> dict[str, int]:
    """How many lines are in each state; those that were passed on by what became of them."""
    if not states.get("sent"):
        return dict(states)
    by_decision = Counter(decided[d].decision if d in decided else "undecided" for d in digests)
    return {**states, **by_decision}


def facts(progress: Progress, frame: Frame) -> list[tuple[str, str]]:
    """How the sheet was read, as far as that is worth saying."""
    report = progress.report or {}
    if "sha256" not in report:
        return []
    read = frame.say("headings_in", encoding=report["encoding"], line=report["headings_in_row"])
    comma = frame.say("between")
    rows = [
        (frame.say("rows"), f"{report['rows']:,}"),
        (frame.say("read_as"), read),
        (frame.say("others"), comma.join(report["other_worksheets"])),
        (frame.say("unmapped"), comma.join(report["unmapped"])),
        (frame.say("assumed"), comma.join(report["assumed"])),
        ("SHA-256", report["sha256"]),
    ]
    return [(name, value) for name, value in rows if value]


def fix_name(one: Submission) -> str:
    """What the fix file of a sheet is called: by its sheet, so that no other's is in its way."""
    return f"{PurePath(one.about.name).stem}-fix.csv"


def commands(one: Submission, short: str) -> tuple[str, str]:
    """(what reports the good rows of a sheet, what reports the fix file once it is mended), where the key is."""
    mapping = ["--mapping", "mapping.json"] if one.mapping.exists() else []
    good = ["certmark", "import", one.about.name, "--as", short, *mapping, "--fix", fix_name(one)]
    return shlex.join(good), shlex.join(["certmark", "import", fix_name(one), "--as", short, *mapping])


def not_let_in(one: Submission) -> list[tuple[Seen, bytes]]:
    """The lines of signed events that never came into the log, as the list of what to fix names them."""
    return [
        (
            Seen(
                BEGINNING,
                "",
                line.type,
                line.number,
                None,
                "wrong",
                str(line.said["problem"].get("code", "")),
                f"{line.line}: {line.said['problem'].get('detail') or ''}",
                str(line.said["problem"].get("pointer") or ""),
                str(line.said["problem"].get("hint") or ""),
                None,
                None,
                None,
                None,
            ),
            b"",
        )
        for line in submissions.lines_of(one, "wrong", 0, limit=-1)
    ]
