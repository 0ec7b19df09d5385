"""The desk's sentences: whole in both languages, and every one that a template asks for is there."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from services.domain.case import Decision, Step
from services.domain.listing_standing import Verdict
from services.domain.standing import Standing
from services.registry.desk.captures import KINDS
from services.registry.desk.cases import GROUPED, WHICH
from services.registry.desk.deeds import KINDS as KINDS_OF_DEEDS
from services.registry.desk.room import SECTIONS
from services.registry.desk.steps import SIGNS
from services.registry.desk.wording import TEXTS
from services.registry.rooms import TEMPLATES

FILES = sorted(file for folder in ("desk", "rooms") for file in (TEMPLATES / folder).glob("*.html"))


@pytest.mark.parametrize("name", TEXTS)
def test_each_sentence_is_there_in_both_languages_with_the_same_names_to_fill_in(name: str) -> None:
    said = TEXTS[name]
    assert re.search("[A-Za-z]", said.en) or name in ("other_language", "colon")
    assert re.search("[\u3400-\u9fff]", said.zh) or name in ("other_language", "colon")
    assert sorted(re.findall(r"{(\w+)}", said.zh)) == sorted(re.findall(r"{(\w+)}", said.en))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_template_asks_only_for_sentences_that_there_are(file: Path) -> None:
    for name in re.findall(r"\bt\.([a-z0-9_]+)", file.read_text(encoding="utf-8")):
        assert name in TEXTS


def test_every_section_has_its_name() -> None:
    assert TEXTS.keys() >= SECTIONS.keys()


def test_everything_that_code_says_is_there() -> None:
    said = set()
    for file in (TEMPLATES.parent / "desk").glob("*.py"):
        said |= set(re.findall(r"""\.say\(["']([a-z0-9_]+)["']""", file.read_text(encoding="utf-8")))
    assert said <= TEXTS.keys()


def test_every_step_state_and_decision_has_its_word() -> None:
    names = {f"step_{step}" for step in Step} | {f"decision_{decision}" for decision in Decision}
    names |= {f"stage_{state}" for state in SIGNS} | {f"cases_{which}" for which in WHICH}
    names |= {f"by_{name}" for name in GROUPED} | {f"capture_{kind}" for kind in KINDS}
    names |= {f"deed_{kind}" for kind in KINDS_OF_DEEDS}
    names |= {f"standing_{one}" for one in Standing} | {f"verdict_{one}" for one in Verdict}
    names |= {field.name for kind in KINDS_OF_DEEDS.values() for field in fields(kind)}
    assert names <= TEXTS.keys()
