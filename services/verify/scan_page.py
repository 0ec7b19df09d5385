"""The scanner's routes: its page, its service worker and its files."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace

from flask import Response, request
from markupsafe import Markup

from services.domain.errors import NotFound
from services.language import HTML_LANG, LANGUAGES
from services.verify import pages
from services.verify.node import Node
from services.verify.page_templates import STYLE
from services.verify.pages import Frame
from services.verify.quick import etag
from services.verify.scan_wording import SCAN
from services.verify.scanner import READER, Scanner, scanner
from services.web import Blueprint

_CSS = (Path(__file__).parent / "templates" / "scan.css").read_text(encoding="utf-8").replace("\n", "")
_WORDS = "words.json"
_WASM = f"lib/{READER[-1]}"
_FOR_EVER = "public, max-age=31536000, immutable"
_WORKER_POLICY = "default-src 'none'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
PERMISSIONS = "camera=(self), geolocation=(), microphone=()"


@dataclass(frozen=True, slots=True)
class _View:
    """What scan.html prints."""

    css: str
    import_map: str
    manifest: str
    modules: list[tuple[str, str]]
    script: str
    words: str
    words_integrity: str
    offline: str
    wasm: str
    wasm_integrity: str
    say: SimpleNamespace


def scan_page(frame: Frame, made: Scanner) -> bytes:
    language = frame.language
    view = _View(
        css=Markup(_CSS),  # noqa: S704  # our own files, not anybody's input
        import_map=Markup(made.import_map),  # noqa: S704
        manifest=made.address(f"{language}.webmanifest"),
        modules=[(made.address(name), made.files[name].integrity) for name in made.modules],
        script=made.address("page.js"),
        words=made.address(_WORDS),
        words_integrity=made.files[_WORDS].integrity,
        offline="yes" if made.offline else "",
        wasm=made.address(_WASM) if made.reader else "",
        wasm_integrity=made.files[_WASM].integrity if made.reader else "",
        say=SimpleNamespace(**{name: text[language] for name, text in SCAN.items()}),
    )
    return pages.rendered("scan.html", frame, SCAN["title"][language], "index", v=view)


@cache
def _made() -> Scanner:
    """Once a process: the files do not change under a running service."""
    return scanner()


def add_routes(public: Blueprint, node: Node) -> None:
    @public.get("/scan")
    @public.doc(
        summary="The scanner: camera, photo or typing, also with the network off",
        parameters=[{"name": "lang", "in": "query", "schema": {"type": "string", "enum": list(LANGUAGES)}}],
        responses={200: {"description": "The page, the only one with script", "content": {"text/html": {}}}},
    )
    def scan() -> Response:
        frame, made = node.frame(), _made()
        response = Response(scan_page(frame, made), content_type="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = made.content_security_policy(STYLE, _CSS)
        response.headers["Permissions-Policy"] = PERMISSIONS
        response.headers["Content-Language"] = HTML_LANG[frame.language]
        response.headers["Cache-Control"] = "no-cache"
        response.headers["ETag"] = etag(response.get_data())
        response.make_conditional(request)
        return response

    @public.get("/scan/worker.js")
    @public.doc(
        summary="The scanner's service worker",
        responses={200: {"description": "Script", "content": {"text/javascript": {}}}},
    )
    def worker() -> Response:
        response = Response(_made().worker, content_type="text/javascript; charset=utf-8")
        response.headers["Content-Security-Policy"] = _WORKER_POLICY
        response.headers["Service-Worker-Allowed"] = "/scan"
        response.headers["Cache-Control"] = "no-cache"
        response.headers["ETag"] = etag(response.get_data())
        response.make_conditional(request)
        return response

    @public.get("/scan/<build>/<path:name>")
    @public.doc(
        summary="A file of the scanner, under the address of its build",
        responses={
            200: {
                "description": "Script, words, picture or WebAssembly; never changes at this address",
                "content": {"*/*": {}},
            },
            404: {"description": "No such file in this build"},
        },
    )
    def file(build: str, name: str) -> Response:
        made = _made()
        found = made.files.get(name) if build == made.build else None
        if found is None:
            raise NotFound("no such file of the scanner in this build", hint="load /scan again")
        response = Response(found.content, content_type=found.kind)
        response.headers["Cache-Control"] = _FOR_EVER
        return response
