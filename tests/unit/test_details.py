"""Whatever is said of one case is said in Chinese, too: every sentence in the program has its counterpart."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import services
from services.domain.advice import hint_for
from services.domain.details import SENTENCES, WORDS, in_chinese
from services.domain.errors import CertmarkError, Fault
from tests.whole_program import every_error

ROOT = Path(services.__file__).parent
TOLD = (
    *ROOT.glob("domain/*.py"),
    *ROOT.glob("registry/**/*.py"),
    *(
        ROOT / "events" / f"{name}.py"
        for name in ("envelope", "event_types", "keyring", "keys", "strict_json", "ingest")
    ),
    *(ROOT / "verify" / f"{name}.py" for name in ("api", "search_routes", "listings", "permits", "lists", "proof")),
    *(ROOT / f"{name}.py" for name in ("auth", "parameters", "problems", "web")),
)
"""Where an error is raised of which an entry, an answer or a page tells. The command line speaks as its user does."""

NO_SENTENCE = {"{} or {}", "application/json", "/v1/heads?source=urn:certmark:body:…&subject=…"}
"""Hints that are what has to be written, in either language."""


def _classes(error: type[CertmarkError] = CertmarkError) -> Iterator[type[CertmarkError]]:
    yield error
    for below in error.__subclasses__():
        yield from _classes(below)


def _sentence(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def _said(path: Path, classes: dict[str, type[CertmarkError]]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name in classes and not issubclass(classes[name], Fault):
                said = [*node.args[:1], *(one.value for one in node.keywords if one.arg in ("hint", "detail"))]
                yield from filter(None, map(_sentence, said))


def test_every_detail_and_hint_in_the_program_has_its_chinese() -> None:
    every_error()
    classes = {one.__name__: one for one in _classes()}
    said = {sentence for path in TOLD for sentence in _said(path, classes)} - NO_SENTENCE
    english = {one for one in said if not re.search("[一-鿿]", one)}
    assert english > {"no key {}", "{} of {}, which is {}"}
    assert sorted(english - {one.english for one in SENTENCES}) == []


def test_each_has_as_many_places_as_its_chinese_names() -> None:
    for one in SENTENCES:
        places = {int(place) for place in re.findall(r"\{(\d+)[wnd]?\}", one.chinese)}
        assert places == set(range(1, one.english.count("{}") + 1)), one.english
        assert re.search("[一-鿿：]", one.chinese), one.english
        assert "{" not in re.sub(r"\{\d+[wnd]?\}", "", one.chinese), one.chinese
    assert all(re.search("[一-鿿]", word) or word == "null" for word in WORDS.values())


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("the amendment changes nothing", "该变更没有改变任何内容"),
        ("resumed of 2023990703000117, which is revoked", "2023990703000117 目前的状态是“撤销”，不能“恢复”"),
        ("CNCA-R-2019-7901 is suspended", "CNCA-R-2019-7901 目前的状态是“暂停”"),
        (
            "certmark.key.added.v1 comes from authority or body, not from urn:certmark:alliance:x",
            "certmark.key.added.v1 应由主管机关或认证机构报送，而不是 urn:certmark:alliance:x",
        ),
        (
            "determined on 2026-09-01, takes effect on 2026-11-20: after 2026-09-15, 10 working days later (Monday to"
            " Friday: no calendar is published for 2026)",
            "认定于 2026-09-01，生效于 2026-11-20：晚于认定之后 10 工作日，即 2026-09-15（按周一至周五计：2026"
            " 年未公布工作日）",
        ),
        (
            "determined on 2026-09-01, takes effect on 2026-11-20: after 2026-09-11, 10 days later",
            "认定于 2026-09-01，生效于 2026-11-20：晚于认定之后 10 日，即 2026-09-11",
        ),
        (
            "then it would have been refused: no key abc",
            "更正之后该事件本会被拒绝：没有密钥 abc",
        ),
        (
            "C-1 of this holder was revoked (R02) on 2026-01-01: no new one before 2026-07-01",
            "该持有人的 C-1 于 2026-01-01 被撤销（R02）：2026-07-01 之前不得重新发证",
        ),
        ("ccc names nobody: it has no mark to authorize marks", "ccc 规定的标志授权方：没有标志"),
        ("green-product names its alliance to authorize marks", "green-product 规定的标志授权方：其联盟"),
        ("data.product.items must be array or null", "data.product.items 应为数组或null"),
        ("data.holder must contain ['name'] properties", "data.holder 应含有成员 ['name']"),
        (
            "data.until '2026-13-01': no day of the calendar, written as 2026-12-31",
            "data.until 的值 '2026-13-01'：不是写作 2026-12-31 的日期",
        ),
        ("mark M 1 is suspended on 2026-11-26", "标志授权 M 1 在 2026-11-26 的状态是“暂停”"),
    ],
)
def test_a_recorded_sentence_is_told_in_chinese(english: str, chinese: str) -> None:
    assert in_chinese(english) == chinese


@pytest.mark.parametrize(
    "other", ["", "the weather is fine", "x is y", "parked", "only 中文", "docs requires a reader of it"]
)
def test_what_is_no_sentence_of_ours_is_not_put_into_other_words(other: str) -> None:
    assert in_chinese(other) is None


def test_a_hint_of_the_case_is_told_in_both_languages() -> None:
    assert hint_for("unknown-reason", "one of S01, S02") == "可用：S01, S02 · one of S01, S02"
    assert hint_for("no-room", None) == hint_for("no-room", "")


def test_who_chose_the_words_in_it_cannot_make_it_slow() -> None:
    """Every hole is looked for once: a name full of our own words is read in one pass."""
    assert in_chinese("a mark on " + ", which is " * 20_000) is None
    assert len(in_chinese("no key " + "is " * 20_000) or "") > 60_000
