"""Texts as markup: escaped, dates kept whole, and what stays Chinese on an English page marked as such."""

import re

from markupsafe import escape

from services.language import Language

CHINESE = re.compile("[\u3400-\u9fff]")
_TO_ESCAPE = re.compile("[&<>'\"]")
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}(?: [0-9]{2}:[0-9]{2}(?!:))?")
"""With the minute; a time to the second is too long to be kept in one line where letters are large."""


def plain(text: str) -> str:
    """The text, escaped where there is anything to escape: `escape` alone makes an object of a class of its own."""
    return text if text.isalnum() or not _TO_ESCAPE.search(text) else str(escape(text))


def said(text: str, language: Language) -> str:
    """Data of the register, for screen readers and hyphenation with its language where that is not the page's."""
    if language == "en" and CHINESE.search(text):
        return f'<span lang="zh-CN">{plain(text)}</span>'
    return plain(text)


def dates_kept_whole(markup: str) -> str:
    """The same with each date in an element of its own: a browser breaks a line after a hyphen."""
    return _DAY.sub(r"<time>\g<0></time>", markup)
