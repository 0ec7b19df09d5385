"""The pages' templates, for each language with what never changes in it already written in.

A label is the same on every page of a language. Looking it up and escaping it for each answer took a third of the
time that a page took to render, so a template is compiled for a language once, with its labels as text.
"""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from services import chart
from services.language import HTML_LANG, LANGUAGES, Language
from services.verify.markup import dates_kept_whole, said
from services.verify.story import SHOWN
from services.verify.wording import LABELS, Family

FOLDER = Path(__file__).parent / "templates"
STYLE, SITE_STYLE = [(FOLDER / name).read_text(encoding="utf-8").replace("\n", "") for name in ("page.css", "site.css")]
"""What every page needs, a verdict nothing beside it; and what the pages beside the verdicts need as well."""

_CONSTANT = re.compile(r"\{\{ (?:label\.(?P<label>[a-z0-9_]+)|(?P<other>colon|css|site_css|html_lang)) \}\}")
_MARKUP = re.compile(r"\{[{%#]")


class _Filled(FileSystemLoader):
    """Reads templates and writes a language's constants into them, before they are compiled."""

    def __init__(self, language: Language) -> None:
        super().__init__(FOLDER)
        self._others = {
            "colon": escape(LABELS["colon"][language]),
            "css": STYLE,
            "site_css": SITE_STYLE,
            "html_lang": HTML_LANG[language],
        }
        self._language = language

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        source, path, is_fresh = super().get_source(environment, template)
        return _CONSTANT.sub(self._text, source), path, is_fresh

    def _text(self, found: re.Match[str]) -> str:
        label = found["label"]
        text = str(escape(LABELS[label][self._language]) if label else self._others[found["other"]])
        return found[0] if _MARKUP.search(text) else text  # text that would be read as a template stays what it is


def _said(text: str, language: Language) -> Markup:
    return Markup(said(text, language))  # noqa: S704  # escaped by `said`


def _dated(text: str) -> Markup:
    return Markup(dates_kept_whole(str(escape(text))))  # noqa: S704  # escaped, and marked up by us


def _environment(language: Language) -> Environment:
    environment = Environment(
        loader=_Filled(language),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        auto_reload=False,  # else every page asks the disk whether its templates have changed
    )
    environment.filters |= {"said": _said, "dated": _dated}
    icon = environment.from_string('{% from "parts.html" import icon %}{{ icon(family) }}')
    environment.globals |= {
        "shown": SHOWN,
        "chart_css": Markup(chart.STYLE),  # noqa: S704  # our own text, not anybody's input
        "css": Markup(STYLE),  # noqa: S704  # the same
        "site_css": Markup(SITE_STYLE),  # noqa: S704  # the same
        "label": SimpleNamespace(**{name: text[language] for name, text in LABELS.items()}),
        "colon": LABELS["colon"][language],
        "language": language,
        "html_lang": HTML_LANG[language],
        "icons": {family.value: Markup(icon.render(family=family.value)) for family in Family},  # noqa: S704  # the same
    }
    return environment


ENVIRONMENTS = {language: _environment(language) for language in LANGUAGES}
"""One for each language, with `label`, `colon`, `language`, `html_lang` and `css` in it."""
