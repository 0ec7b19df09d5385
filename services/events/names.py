"""The words of a sheet's cells that stand for what the register knows: events, schemes, marks, reasons, statuses."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from services.domain.reasons import REASONS
from services.domain.standing import Standing
from services.events.cells import Cell, code, text
from services.events.columns import VERB_WORDS, Verb, plain_heading
from services.events.event_types import SCHEMAS
from services.events.faults import BadCell

_IDENTIFIER = re.compile(r"[a-z][a-z0-9-]{0,63}", re.ASCII)

_VERBS = {plain_heading(word): verb for verb, words in VERB_WORDS.items() for word in (verb.value, *words)}
_LETTERS = {Verb.SUSPENDED: "S", Verb.REVOKED: "R", Verb.CANCELLED: "C"}

STANDING_WORDS: Mapping[Standing, tuple[str, ...]] = MappingProxyType(
    {
        Standing.VALID: ("有效", "正常"),
        Standing.SUSPENDED: ("暂停", "已暂停"),
        Standing.REVOKED: ("撤销", "已撤销"),
        Standing.CANCELLED: ("注销", "已注销"),
        Standing.EXPIRED: ("过期", "过期失效", "已过期", "失效"),
        Standing.SUPERSEDED: ("被替代", "已替代"),
        Standing.NOT_YET_VALID: ("未生效",),
    }
)
"""The Chinese words of 证书状态; the English word is the standing itself."""

_STANDINGS = {plain_heading(word): found for found, words in STANDING_WORDS.items() for word in (found.value, *words)}
_STANDINGS[plain_heading("active")] = Standing.VALID

MEDIA_WORDS: Mapping[str, str] = MappingProxyType(
    {"产品": "product", "包装": "package", "网页": "web", "网络": "web", "文件": "document", "广告": "advertisement"}
)

YES_NO: Mapping[str, bool] = MappingProxyType(
    {"是": True, "否": False, "yes": True, "no": False, "转换": True, "有机": False, "有机转换": True}
)


def verb(cell: Cell) -> Verb:
    """The event that a row reports; an empty cell is an issue."""
    found = text(cell)
    if not found:
        return Verb.ISSUED
    plain = plain_heading(found).removeprefix("certificate.").replace("mark.authorized", "mark_authorized")
    if plain not in _VERBS:
        raise BadCell("unknown-event")
    return _VERBS[plain]


def standing_word(cell: Cell) -> Standing:
    found = _STANDINGS.get(plain_heading(text(cell)))
    if found is None:
        raise BadCell("unknown-word")
    return found


def scheme(cell: Cell) -> str:
    """A scheme's id, written as such or by one of the names of those that come with the program."""
    return _identifier(text(cell), _scheme_names(), "unknown-scheme-name")


def mark(cell: Cell) -> str:
    """A mark's id, written as such or by its name."""
    return _identifier(text(cell), _mark_names(), "unknown-mark-name")


def reason(cell: Cell, of: Verb) -> str:
    """A reason's code, written as such or by its whole Chinese text, which may stand for one of this event alone."""
    letter = _LETTERS[of]
    found = code(cell).upper()
    if found in REASONS and found.startswith(letter):
        return found
    plain = _words_alone(text(cell))
    for known, (zh, en) in REASONS.items():
        if known.startswith(letter) and plain in (_words_alone(zh), _words_alone(en)):
            return known
    raise BadCell("unknown-reason-word")


def medium(word: str) -> str:
    found = MEDIA_WORDS.get(word, word.lower())
    if not re.fullmatch(r"[a-z][a-z-]*", found):
        raise BadCell("unknown-word", word)
    return found


def yes_or_no(cell: Cell) -> bool:
    found = YES_NO.get(text(cell).lower())
    if found is None:
        raise BadCell("unknown-word")
    return found


def _words_alone(said: str) -> str:
    return re.sub(r"\W", "", said).casefold()


def _identifier(said: str, names: Mapping[str, str], fault: str) -> str:
    known = names.get(plain_heading(said))
    if known is not None:
        return known
    if _IDENTIFIER.fullmatch(said):
        return said  # one that the authority has published since
    raise BadCell(fault)


@cache
def _scheme_names() -> Mapping[str, str]:
    return _unambiguous(
        (word, scheme_id)
        for scheme_id, data in _schemes()
        for word in (scheme_id, *data["name"].values(), *data.get("aliases", ()))
    )


@cache
def _mark_names() -> Mapping[str, str]:
    signs = [data["mark"] for _, data in _schemes() if data.get("mark")]
    return _unambiguous((word, sign["id"]) for sign in signs for word in (sign["id"], *sign["name"].values()))


def _schemes() -> list[tuple[str, dict[str, Any]]]:
    files = sorted((SCHEMAS / "schemes").glob("*.json"))
    return [(file.stem, json.loads(file.read_text(encoding="utf-8"))) for file in files]


def _unambiguous(pairs: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Plain word → id, without the words that stand for two."""
    found = {(plain_heading(word), known) for word, known in pairs}
    times = Counter(word for word, _ in found)
    return {word: known for word, known in found if times[word] == 1}
