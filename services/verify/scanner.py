"""The scanner's files: what /scan and its service worker are made of, each with its hash, under one address a build."""

import base64
import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from services.language import HTML_LANG, LANGUAGES, Language
from services.verify.look_alike import SAME_PAIRS, SAME_SHAPE
from services.verify.scan_wording import SCAN, exported
from services.verify.wording import LABELS

_FOLDER = Path(__file__).parent / "scan"
PACKAGES = Path(sys.prefix) / "share" / "certmark" / "node_modules"
"""Where set-up puts the packages of npm, in a checkout's virtual environment and in the image alike."""

_CBORG = ("encode", "decode", "tagged", "token", "is", "bl", "common", "jump", "byte-utils")
_MAJOR = ("0uint", "1negint", "2bytes", "3string", "4array", "5map", "6tag", "7float")
OFFLINE = (
    "cborg/cborg.js",
    *(f"cborg/lib/{name}.js" for name in (*_CBORG, *_MAJOR)),
    "@noble/ed25519/index.js",
)
"""What the check with the network off takes from npm."""

READER = (
    "zxing-wasm/dist/es/reader/index.js",
    "zxing-wasm/dist/es/share.js",
    "zxing-wasm/dist/reader/zxing_reader.wasm",
)
"""What reads codes where the browser cannot; loaded after the tap."""

_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".wasm": "application/wasm",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
_WORKER = "worker.js"


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is served, and its subresource integrity."""

    content: bytes
    kind: str
    integrity: str


@dataclass(frozen=True, slots=True)
class Scanner:
    """All files by name. `build` names their content together: another byte anywhere gives another address."""

    files: dict[str, File]
    build: str
    worker: bytes
    offline: bool
    reader: bool

    def address(self, name: str) -> str:
        return f"/scan/{self.build}/{name}"

    @property
    def modules(self) -> list[str]:
        """The scripts that the page loads before anybody taps anything."""
        later = (*(f"lib/{name}" for name in READER), "lib/@noble/ed25519/index.js", "reader.js", "camera.js")
        return [name for name in self.files if name.endswith(".js") and name not in later]

    @property
    def import_map(self) -> str:
        """The integrity of every script, so that none but these bytes run, whoever keeps copies on the way."""
        hashes = {self.address(name): file.integrity for name, file in self.files.items() if name.endswith(".js")}
        return json.dumps({"integrity": hashes}, separators=(",", ":"))

    def content_security_policy(self, *styles: str) -> str:
        """The one page with script: our own files, WebAssembly, the camera's pictures, and nothing from elsewhere."""
        named = " ".join(f"'{_hashed(style.encode(), 'sha256')}'" for style in styles)
        own_map = _hashed(self.import_map.encode(), "sha256")
        return (
            f"default-src 'none'; script-src 'self' '{own_map}' 'wasm-unsafe-eval'; "
            f"style-src {named}; connect-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
            "manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )


def scanner(packages: Path = PACKAGES) -> Scanner:
    """Read everything once; without the packages of npm the page looks numbers up online, and says so."""
    files = {path.name: _file(path.name, path.read_bytes()) for path in sorted(_FOLDER.iterdir()) if _is_served(path)}
    files["shapes.js"] = _file("shapes.js", _shapes())
    files["words.json"] = _file("words.json", json.dumps(exported(), ensure_ascii=False).encode())
    offline, reader = (all((packages / name).is_file() for name in names) for names in (OFFLINE, READER))
    for name in (*(OFFLINE if offline else ()), *(READER if offline and reader else ())):
        files[f"lib/{name}"] = _file(name, (packages / name).read_bytes())
    for language in LANGUAGES:
        name = f"{language}.webmanifest"
        files[name] = _file(name, json.dumps(_manifest(language), ensure_ascii=False).encode())
    worker = (_FOLDER / _WORKER).read_bytes()
    told = [worker, *(f"{name}\0{file.integrity}".encode() for name, file in sorted(files.items()))]
    build = hashlib.sha256(b"\n".join(told)).hexdigest()[:16]
    made = Scanner(files, build, b"", offline, offline and reader)
    # The reader is taken in only when it was asked for: a megabyte that many phones never need.
    listed = {
        made.address(name): file.integrity for name, file in files.items() if name.removeprefix("lib/") not in READER
    }
    head = f"const BUILD = {json.dumps(build)}\nconst FILES = {json.dumps(listed)}\n"
    return Scanner(files, build, head.encode() + worker, made.offline, made.reader)


def _shapes() -> bytes:
    """The table of letters that print alike, for the script: the one that the service itself uses."""
    shapes = {chr(sign): chr(alike) for sign, alike in SAME_SHAPE.items()}
    told = f"export const SHAPES = {json.dumps(shapes)}\nexport const PAIRS = {json.dumps(SAME_PAIRS)}\n"
    return f"// Letters that print as a Latin letter does.\n\n{told}".encode()


def _is_served(path: Path) -> bool:
    return path.suffix in _TYPES and path.suffix != ".json" and path.name != _WORKER


def _file(name: str, content: bytes) -> File:
    return File(content, _TYPES[Path(name).suffix], _hashed(content, "sha384"))


def _hashed(content: bytes, algorithm: str) -> str:
    return f"{algorithm}-{base64.b64encode(hashlib.new(algorithm, content).digest()).decode('ascii')}"


def _manifest(language: Language) -> dict[str, object]:
    return {
        "id": "/scan",
        "name": f"{SCAN['title'][language]} – {LABELS['site'][language]}",
        "short_name": SCAN["title"][language],
        "lang": HTML_LANG[language],
        "start_url": f"/scan?lang={language}",
        "scope": "/scan",
        "display": "standalone",
        "background_color": "#ffffff",
        "theme_color": "#0b0c0c",
        "icons": [
            {"src": "icon.svg", "sizes": "any", "type": "image/svg+xml"},
            {"src": "icon-192.png", "sizes": "192x192", "type": "image/png"},
            {"src": "icon-512.png", "sizes": "512x512", "type": "image/png", "purpose": "any maskable"},
        ],
    }
