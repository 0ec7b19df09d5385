"""The dumps that the registry publishes: which there are, and their files."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import marshmallow as ma
from flask import Response, send_file
from flask.views import MethodView

from services.domain.errors import NotFound
from services.registry import dumps
from services.settings import Settings
from services.web import Blueprint

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
"""What a folder of a published dump is called; one that is being written begins with a dot."""

TYPES = {
    ".jsonl": "application/x-ndjson",
    ".csv": "text/csv; charset=utf-8",
    ".parquet": "application/vnd.apache.parquet",
    ".json": "application/json",
    ".jws": "application/jose",
}


class DumpFileSchema(ma.Schema):
    name = ma.fields.String(required=True)
    bytes = ma.fields.Integer(required=True)
    sha256 = ma.fields.String(required=True)


class DumpSchema(ma.Schema):
    """A published dump: its position, and its files with their SHA-256."""

    name = ma.fields.String(required=True)
    seq = ma.fields.Integer(required=True)
    recorded_at = ma.fields.String(required=True, allow_none=True)
    since = ma.fields.Integer(
        required=True, allow_none=True, metadata={"description": "Only what has changed after this entry; null: all"}
    )
    evidence = ma.fields.Boolean(required=True)
    sealed = ma.fields.Boolean(required=True)
    files = ma.fields.List(ma.fields.Nested(DumpFileSchema), required=True)


class DumpsSchema(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(DumpSchema), required=True)
    next = ma.fields.String(required=True, allow_none=True)


def blueprint(settings: Settings) -> Blueprint:
    """`/v1/dumps`: whatever `certmark dump` has put into the folder for it."""
    pages = Blueprint("dumps", __name__, url_prefix="/v1", description="Open data")
    folder = dumps.published_at(settings)

    @pages.route("/dumps")
    class Dumps(MethodView):
        @pages.response(200, DumpsSchema)
        @pages.doc(summary="The published dumps, the newest first")
        def get(self) -> dict[str, Any]:
            return {"items": published(folder), "next": None}

    @pages.route("/dumps/<name>/<file>")
    class Files(MethodView):
        @pages.doc(
            summary="A file of a published dump",
            responses={
                200: {"description": "The file", "content": {"*/*": {}}},
                206: {"description": "A part", "content": {"*/*": {}}},
            },
        )
        def get(self, name: str, file: str) -> Response:
            path = published_file(folder, name, file)
            return send_file(
                path, mimetype=TYPES.get(path.suffix), conditional=True, etag=_sha256(folder, name, file), max_age=3600
            )

    return pages


def published(folder: Path) -> list[dict[str, Any]]:
    """Every dump in the folder, by position from the last to the first."""
    if not folder.is_dir():
        return []
    found = [(path.name, manifest) for path in folder.iterdir() if (manifest := _manifest(path))]
    found.sort(key=lambda one: (one[1]["seq"], one[1]["since"] is None, one[0]), reverse=True)
    return [
        {
            "name": name,
            **{member: manifest[member] for member in ("seq", "recorded_at", "since", "evidence")},
            "sealed": (folder / name / dumps.SEAL).is_file(),
            "files": [
                {"name": file["name"], "bytes": file["bytes"], "sha256": file["sha256"]} for file in _files(manifest)
            ],
        }
        for name, manifest in found
    ]


def published_file(folder: Path, name: str, file: str) -> Path:
    """A file that a published dump is made of; nothing else can be reached by this way.

    Raises:
        NotFound: no such dump, or it has no such file.
    """
    manifest = _manifest(folder / name) if _NAME.fullmatch(name) else None
    known = (*dumps.BESIDE, *(one["name"] for one in _files(manifest))) if manifest else ()
    path = folder / name / file
    if file not in known or not path.is_file():
        raise NotFound("no published dump has this file", hint="GET /v1/dumps lists them")
    return path


def _sha256(folder: Path, name: str, file: str) -> str:
    listed = {one["name"]: one["sha256"] for one in _files(_manifest(folder / name) or {"tables": []})}
    return listed.get(file) or hashlib.sha256((folder / name / file).read_bytes()).hexdigest()


def _files(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [file for table in manifest["tables"] for file in table["files"]]


def _manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a dump that is whole, as only its last step gives the folder its name."""
    if not _NAME.fullmatch(folder.name):
        return None
    try:
        found: Any = json.loads((folder / dumps.MANIFEST).read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.keys() >= _MEMBERS else None


_MEMBERS = {"seq", "recorded_at", "since", "evidence", "tables"}
