"""What became of a source's events, as the inbox shows it: counts, the oldest refusal first, and what to mend."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.chart import Bar, bar_chart
from services.domain.advice import ADVICE
from services.domain.errors import every_error
from services.events.cells import safe_text
from services.language import LANGUAGES, Language
from services.registry.console.asked import Seen, members_of
from services.registry.console.pages import Frame
from services.registry.rooms import beijing, told_in

DECISIONS = ("accepted", "refused", "pending", "quarantined")
WHICH = ("open", "refused", "pending", "quarantined", "accepted", "all")
_LONGEST_VALUE = 300


@dataclass(frozen=True, slots=True)
class Item:
    """An event as a card tells it. `said` is what its code stands for, the page's language first.

    `there` is what stands at the pointer, None where there is nothing.
    """

    seen: Seen
    state: str
    said: Sequence[tuple[str, str]]
    hint: str
    there: str | None
    waits_for: str = ""

    @property
    def short_type(self) -> str:
        return self.seen.type.removeprefix("certmark.").removesuffix(".v1")


def item(seen: Seen, frame: Frame, jws: bytes | None = None, head: int | None = None) -> Item:
    """`jws` are the event's bytes where the page shows what stands at the pointer; `head` the last place that its chain
    has reached, for one that waits."""
    said = []
    error = every_error().get(seen.code) if seen.code else None
    if error is not None:
        said = [("zh-CN", error.zh), ("en", error.title)]
        if frame.language == "en":
            said.reverse()
    missing = ""
    if seen.decision == "pending" and head is not None and seen.sequence is not None:
        first, last = head + 1, seen.sequence - 1
        missing = "" if first > last else str(first) if first == last else f"{first}–{last}"
    return Item(
        seen,
        frame.say(seen.decision),
        said,
        _hint(seen, frame.language),
        value_at(members_of(jws), seen.pointer) if jws is not None and seen.pointer else None,
        frame.say("waits_for", places=missing) if missing else "",
    )


def _hint(seen: Seen, language: Language) -> str:
    """What to do: what is usually done about this code, and the registry's own words on this case."""
    usual = ADVICE.get(seen.code or "", ("", ""))
    words, own = usual[LANGUAGES.index(language)], told_in(seen.hint, language)
    return f"{words} ({own})" if words and own else words or own


def value_at(document: Mapping[str, Any], pointer: str) -> str | None:
    """What a pointer (RFC 6901) leads to, as JSON, shortened; None where it leads nowhere."""
    found: Any = document
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and name in found:
            found = found[name]
        elif isinstance(found, list) and name.isascii() and name.isdigit() and int(name) < len(found):
            found = found[int(name)]
        else:
            return None
    text = json.dumps(found, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + " …"


def chart(counts: Mapping[str, int], frame: Frame) -> Any:
    bars = [Bar(frame.say(name), counts[name], name) for name in DECISIONS]
    colon, comma = frame.say("colon"), frame.say("between")
    told = comma.join(f"{bar.name}{colon}{bar.count:,}" for bar in bars)
    return bar_chart(bars, frame.say("chart_title"), frame.say("chart_about", source=frame.name, counts=told))


# --- what to fix, to take away -----------------------------------------------------------------------------------

_COLUMNS = (
    "登记序号 seq",
    "摘要 digest",
    "事件类型 type",
    "编号 subject",
    "代码 code",
    "含义",
    "meaning",
    "位置 pointer",
    "该处内容 value",
    "具体情况",
    "detail",
    "如何改正",
    "hint",
    "记录时间 recorded_at",
)


def fix_list(refusals: Iterable[tuple[Seen, bytes]]) -> bytes:
    """The refusals as CSV in UTF-8 with the mark that spreadsheet programs look for, one a row."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for seen, jws in refusals:
        error = every_error().get(seen.code or "")
        row = (
            seen.seq,
            seen.digest,
            seen.type,
            seen.subject,
            seen.code,
            error.zh if error else "",
            error.title if error else "",
            seen.pointer,
            value_at(members_of(jws), seen.pointer) or "" if seen.pointer else "",
            told_in(seen.detail, "zh"),
            seen.detail,
            _hint(seen, "zh"),
            _hint(seen, "en"),
            beijing(seen.recorded_at),
        )
        writer.writerow([safe_text("" if cell is None else str(cell)) for cell in row])
    return file.getvalue().encode("utf-8-sig")


def drafts_of(refusals: Iterable[tuple[Seen, bytes]]) -> bytes:
    """The refused events as drafts, one a line: `certmark sign` gives each its new id and place in the chain."""
    lines = []
    for _, jws in refusals:
        said = members_of(jws)
        if said:
            draft = {name: said.get(name) for name in ("type", "subject", "data")}
            lines.append(json.dumps(draft, ensure_ascii=False) + "\n")
    return "".join(lines).encode()
