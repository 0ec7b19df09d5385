"""The catalogue of wording: complete in both languages, and short enough for a headline."""

import re
from collections.abc import Iterator

import pytest

from services.marks.token import SignatureRefused, UnknownSigner, Unreadable
from services.verify import report_wording, scan_wording, search_wording
from services.verify import wording as catalogue
from services.verify.site import words as site
from services.verify.wording import ANSWERS, BESIDE, NOTED, Code, Family, Note, Text, Wording, wording

_CHINESE = re.compile("[\u3400-\u9fff]")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
ALIKE = {"other_language"}
"""Texts that are meant to be in the other language."""


def every_text() -> Iterator[tuple[str, Text]]:
    for place, (heading, text) in enumerate(site.PRIVACY):
        yield f"privacy[{place}].heading", heading
        yield f"privacy[{place}].text", text
    tables = (catalogue, report_wording, scan_wording, search_wording, site)
    for name, value in [member for table in tables for member in vars(table).items()]:
        if isinstance(value, Text):
            yield name, value
        elif isinstance(value, Wording):
            yield from worded(name, value)
        elif isinstance(value, dict):
            for key, member in value.items():
                if isinstance(member, Text):
                    yield f"{name}[{key}]", member
                elif isinstance(member, Wording):
                    yield from worded(f"{name}[{key}]", member)


def worded(name: str, value: Wording) -> Iterator[tuple[str, Text]]:
    yield f"{name}.title", value.title
    yield f"{name}.explanation", value.explanation
    yield f"{name}.next_step", value.next_step


TEXTS = dict(every_text())


def test_every_code_and_note_has_its_words() -> None:
    assert set(ANSWERS) == set(Code)
    assert set(BESIDE) == set(Note)
    assert set(NOTED) <= set(Note)
    assert {refused.code for refused in (Unreadable, UnknownSigner, SignatureRefused)} <= set(Code)


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_there_in_both_languages(name: str) -> None:
    text = TEXTS[name]
    assert text.zh
    assert text.en
    assert not re.search("[<>&]", text.zh + text.en), "sentences are put into pages as they are"
    if not any(name.endswith(f"[{alike}]") for alike in ALIKE):
        assert not _CHINESE.search(text.en)
        assert set(_PLACEHOLDER.findall(text.zh)) == set(_PLACEHOLDER.findall(text.en))


@pytest.mark.parametrize("worded", [*ANSWERS.values(), *NOTED.values()], ids=lambda one: one.title.en)
def test_a_headline_has_at_most_seven_characters(worded: Wording) -> None:
    assert len(worded.title.zh) <= 7
    assert _CHINESE.search(worded.title.zh)


def test_no_two_answers_share_a_headline() -> None:
    for language in ("zh", "en"):
        titles = [one.title[language] for one in (*ANSWERS.values(), *NOTED.values())]
        assert len(set(titles)) == len(titles)


def test_only_valid_is_ever_a_yes() -> None:
    notes = [(), *[(note,) for note in Note], tuple(Note)]
    for code in Code:
        for beside in notes:
            family = wording(code, beside).family
            assert (family is Family.YES) == (code is Code.VALID and Note.POSSIBLE_COPY not in beside)


def test_a_possible_copy_turns_yes_into_cannot_say() -> None:
    assert wording(Code.VALID, (Note.SCOPE_LIMITED, Note.POSSIBLE_COPY)).family is Family.CANNOT_SAY
