"""Every page is there in Chinese and in English, and both say the same as far as a program can tell."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.contract.test_docs import DOCS, FENCE, ROOT, SPAN, text_of

TOGETHER = ("cli", "conform", "consequence", "console", "desk", "import", "listings", "open-data")
"""Pages that say each thing in both languages, one below the other."""

CHINESE = ".zh-CN.md"
ENGLISH = sorted(
    page for page in (ROOT / "README.md", *DOCS.glob("*.md")) if CHINESE not in page.name and page.stem not in TOGETHER
)
HAN = re.compile(r"[\u4e00-\u9fff]")
NUMBER = re.compile(r"(?<![\w.,-])\d+(?:,\d{3})*(?:\.\d+)?(?![\w-])", re.ASCII)

A_REMARK = 20
"""Words that may stand in one language alone: a heading, the names in a reference."""

pairs = pytest.mark.parametrize("page", ENGLISH, ids=lambda page: page.stem)


def other(page: Path) -> Path:
    return page.with_name(page.stem + CHINESE)


def sections(page: Path) -> list[str]:
    """What stands below each heading, the page's own first."""
    fenced = [match.span() for match in FENCE.finditer(text_of(page))]
    heads = [
        match.start()
        for match in re.finditer(r"^#+ ", text_of(page), re.MULTILINE)
        if not any(first <= match.start() < last for first, last in fenced)
    ]
    return [text_of(page)[start:end] for start, end in zip(heads, [*heads[1:], None], strict=True)]


def shape(section: str) -> dict[str, object]:
    """What must be the same in both languages: the depth, code, where links lead, the rows of tables."""
    prose = FENCE.sub("", section)
    links = re.findall(r"\]\(([^)\s]+)\)|<(http[^>]+)>", prose)
    return {
        "depth": len(section) - len(section.lstrip("#")),
        "blocks": [(language, _without_words(language, body)) for language, body in FENCE.findall(section)],
        "code": Counter(SPAN.findall(prose)),
        "links": Counter(re.sub(r"#.*", "", "".join(link)).replace(CHINESE, ".md") for link in links),
        "rows": [line.replace(r"\|", "").count("|") for line in prose.splitlines() if line.startswith("|")],
    }


def _without_words(language: str, body: str) -> str:
    """A block without what is there for people: remarks, and pictures made of words."""
    if language in ("mermaid", "text"):
        return ""
    body = re.sub(r"(^|\s)(#|//)\s.*", "", body)
    return re.sub(r"\s+", " ", HAN.sub("", body))


@pairs
def test_a_page_has_the_same_in_both_languages(page: Path) -> None:
    ours, theirs = sections(page), sections(other(page))
    for english, chinese in zip(ours, theirs, strict=False):
        assert shape(english) == shape(chinese), english.splitlines()[0]
    assert len(ours) == len(theirs)


@pairs
def test_no_figure_is_lost_between_the_languages(page: Path) -> None:
    for english, chinese in zip(sections(page), sections(other(page)), strict=True):
        lost = set(NUMBER.findall(english)) - set(NUMBER.findall(chinese))
        assert not lost, english.splitlines()[0]


@pairs
def test_each_language_leads_to_the_other(page: Path) -> None:
    assert text_of(page).splitlines()[2] == f"[中文]({other(page).name})"
    assert text_of(other(page)).splitlines()[2] == f"[English]({page.name})"


@pairs
def test_a_chinese_page_is_in_chinese_and_leads_to_chinese_pages(page: Path) -> None:
    prose = SPAN.sub("", FENCE.sub("", text_of(other(page))))
    for paragraph in prose.split("\n\n"):
        words = re.findall(r"[A-Za-z]{2,}", re.sub(r"\([^)]*\)|<[^>]*>", "", paragraph))
        assert len(HAN.findall(paragraph)) >= len(words) / 2 or len(words) <= 3 or paragraph.startswith("|"), paragraph
    half_width = re.search(r"[\u4e00-\u9fff][,;:!?()]|[,;:!?()][\u4e00-\u9fff]", re.sub(r"\]\([^)]*\)", "]", prose))
    assert half_width is None, half_width
    for target in re.findall(r"\]\(([\w/.-]+\.md)", text_of(other(page))):
        named = other(page).parent / target
        assert target.endswith(CHINESE) or named == page or not other(named).exists(), target


@pytest.mark.parametrize("name", TOGETHER)
def test_a_page_in_both_languages_says_each_thing_twice(name: str) -> None:
    for section in sections(DOCS / f"{name}.md"):
        paragraphs = FENCE.sub("", section).split("\n\n")
        prose = SPAN.sub("", "\n".join(one for one in paragraphs if not one.startswith(("|", "<!--"))))
        words = len(re.findall(r"[A-Za-z]{2,}", re.sub(r"\([^)]*\)", "", prose)))
        assert len(HAN.findall(prose)) >= words or words < A_REMARK, section.splitlines()[0]
