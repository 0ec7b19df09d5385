"""What the proxy says of its own accord, in the forms of the services: run it to write the files beside it anew.

nginx answers by itself where no service is asked or none answers. Programs then get the problem document that a
service would have sent, people a page that says it in both languages; `errors.conf` tells them apart.
"""

import json
from dataclasses import dataclass
from html import escape
from pathlib import Path

from services import inline_style
from services.domain.advice import problem
from services.domain.errors import BadRequest, CertmarkError, NotFound, TooLarge, TooManyRequests
from services.problems import InternalError, NotReady, ServiceAway, ServiceSlow

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Said:
    """An error as programs read it, and for people a heading and a sentence in Chinese and in English."""

    error: CertmarkError
    zh: tuple[str, str]
    en: tuple[str, str]


_NOTHING_OF_ITEMS = ("这不表示任何商品有问题，也不表示没有问题。", "This says nothing about any item.")
_AGAIN = ("请稍后再试。", "Try again in a moment.")
_UNKNOWN = ("刚才提交的内容可能已经收到，也可能没有。", "What you just sent may or may not have been taken.")

SAID = {
    400: Said(
        BadRequest("the proxy cannot read the request, or its address or a header is too long"),
        ("请求无法理解", "请检查网址。"),
        ("The request cannot be understood", "Check the address."),
    ),
    404: Said(
        NotFound("this is not for the public"),
        ("没有这个页面", "请检查网址。"),
        ("Page not found", "Check the address."),
    ),
    413: Said(
        TooLarge("more bytes than are taken at this address; nothing of them was kept"),
        ("内容过大", "所发送的内容超过上限，未被接收。请分几次发送，或改用较小的文件。"),
        (
            "Too large",
            "It is more than is taken here, and nothing of it was. Send it in parts, or a smaller file.",
        ),
    ),
    429: Said(
        TooManyRequests("more requests than one address may send at present"),
        ("请求过于频繁", "请稍候片刻再试。"),
        ("Too many at once", "Wait a moment and try again."),
    ),
    500: Said(
        InternalError("the proxy could not do its own work, and logged why"),
        ("系统出错", _NOTHING_OF_ITEMS[0]),
        ("Something went wrong here", _NOTHING_OF_ITEMS[1]),
    ),
    502: Said(
        ServiceAway("the service is not there, or broke off; what was sent may or may not have been taken"),
        ("服务暂时没有应答", _AGAIN[0] + _UNKNOWN[0] + _NOTHING_OF_ITEMS[0]),
        ("The service does not answer", f"{_AGAIN[1]} {_UNKNOWN[1]} {_NOTHING_OF_ITEMS[1]}"),
    ),
    503: Said(
        NotReady("the proxy takes no more requests at present"),
        ("暂时无法受理", _AGAIN[0] + _NOTHING_OF_ITEMS[0]),
        ("Too busy right now", f"{_AGAIN[1]} {_NOTHING_OF_ITEMS[1]}"),
    ),
    504: Said(
        ServiceSlow("the service has not answered within its time; what was sent may still be taken"),
        ("服务没有及时应答", _AGAIN[0] + _UNKNOWN[0] + _NOTHING_OF_ITEMS[0]),
        ("The service is too slow", f"{_AGAIN[1]} {_UNKNOWN[1]} {_NOTHING_OF_ITEMS[1]}"),
    ),
}
"""By status: each that nginx gives without a service."""

_STYLE = (
    ":root{color-scheme:light dark;--bg:#fff;--ink:#0b0c0c;--link:#1d5a96}"
    "@media(prefers-color-scheme:dark){:root{--bg:#16191b;--ink:#f3f2f1;--link:#8fc1ea}}"
    "body{margin:0;background:var(--bg);color:var(--ink);font:1.1875rem/1.5 'Noto Sans CJK SC','Noto Sans SC',"
    "'PingFang SC','Microsoft YaHei',system-ui,sans-serif;overflow-wrap:anywhere}"
    "header{background:#0b0c0c;color:#fff;font-weight:700;line-height:44px}"
    ".w{max-width:60rem;margin:0 auto;padding:0 1rem}"
    "h1,h2{font-size:1.875rem;line-height:1.2;margin:2rem 0 .5rem}p{margin:0 0 .75rem}a{color:var(--link)}"
)
CSP = (
    f"default-src 'none'; style-src {inline_style.sources(_STYLE)}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


_AGAIN_LINK = '<p><a href="">再试一次 <span lang="en">Try again</span></a></p>\n'


def document(said: Said) -> str:
    return json.dumps(problem(said.error), ensure_ascii=False, indent=1) + "\n"


def page(said: Said) -> str:
    (zh, zh_text), (en, en_text) = ((escape(heading), escape(text)) for heading, text in (said.zh, said.en))
    return f"""<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<title>{zh} {en}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<style>{_STYLE}</style>
</head>
<body>
<header><div class="w">certmark</div></header>
<main class="w">
<h1>{zh}</h1>
<p>{zh_text}</p>
<div lang="en">
<h2>{en}</h2>
<p>{en_text}</p>
</div>
{_AGAIN_LINK if said.error.status in (429, 502, 503, 504) else ""}</main>
</body>
</html>
"""


def files() -> dict[str, str]:
    """By name, what lies beside this file."""
    return {
        f"{status}.{kind}": text
        for status, said in SAID.items()
        for kind, text in (("json", document(said)), ("html", page(said)))
    }


if __name__ == "__main__":
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
