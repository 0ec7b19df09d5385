"""What a page puts together without a template says what the templates would."""

import re

import pytest
from markupsafe import escape

from services.language import Language
from services.verify.page_parts import FactRow, Line, MayLine, history_markup, lines_markup, may_markup, rows_markup
from services.verify.page_templates import ENVIRONMENTS
from services.verify.story import Happening

HOSTILE = "<b a=\"1\" c='2'>&amp;{{ label }}{% x %}"
CHINESE = f"空调{HOSTILE}"


@pytest.mark.parametrize("language", ENVIRONMENTS)
@pytest.mark.parametrize("text", ["plain", HOSTILE, CHINESE])
def test_no_text_becomes_markup(text: str, language: Language) -> None:
    shown = escape(text)
    said = ENVIRONMENTS[language].from_string("{{ text|said(language) }}").render(text=text)
    assert (said != shown) is (language == "en" and text == CHINESE)
    assert lines_markup(f"{text}\n{text}", language) == f"{said}\n{said}\n"
    assert rows_markup([FactRow(text, text, text, text, text)], language) == (
        f'<div><dt>{shown}</dt><dd>{said} <span class="tag {shown}">{shown}</span>'
        f'<span class="sub">{said}</span></dd></div>\n'
    )
    assert rows_markup([FactRow(text, items=[Line(text, text, text, text, text)])], language) == (
        f'<div><dt>{shown}</dt><dd><ul><li><a href="{shown}">{said}</a> <span class="tag">{shown}</span>'
        f' <span class="tag no">{shown}</span>'
        f'<span class="sub">{said}</span></li></ul></dd></div>\n'
    )
    assert history_markup([Happening(text, text, text, text)], language) == (
        f'<li><time>{shown}</time><s>{said}</s> <span class="tag">{shown}</span><span class="sub">{said}</span></li>\n'
    )
    assert f'<th scope="row">{shown}</th>' in may_markup((MayLine(text, "yes", text),), language)


@pytest.mark.parametrize("language", ENVIRONMENTS)
def test_no_label_is_left_to_be_looked_up_in_the_verdict(language: Language) -> None:
    environment = ENVIRONMENTS[language]
    assert environment.loader is not None
    source, _, _ = environment.loader.get_source(environment, "verdict.html")
    assert not re.search(r"\{\{ label\.[a-z0-9_]+ \}\}", source)
    assert "{{ colon }}" not in source
