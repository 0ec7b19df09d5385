"""Where a source brings the unit codes that it announced, and gets the tokens of its serials."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, Protocol, TypeVar

import marshmallow as ma
from flask import Response, request
from flask.views import MethodView

from services.auth import Role
from services.domain.errors import BadRequest
from services.domain.identifiers import certificate_number, gtin14, instant_text
from services.postgres import Cursor, connect, database_url, transaction
from services.problems import UnsupportedMediaType
from services.registry import code_sets, unit_tokens
from services.registry.code_sets import Progress
from services.registry.gate import Gate, who_asks
from services.registry.unit_tokens import Job
from services.settings import Settings
from services.web import Blueprint, answers, reads

T = TypeVar("T")
_PLAIN = ("", "text/plain", "text/csv", "application/octet-stream")
_PACKED = ("application/gzip", "application/x-gzip")
CSV, NDJSON = "text/csv", "application/x-ndjson"
_DIGEST = ma.validate.Regexp(r"[0-9a-f]{64}\Z", error="a digest is 64 lower-case hexadecimal digits")


class Reads(Protocol):
    """Runs a query in a transaction of its own."""

    def __call__(self, query: Callable[[Cursor], T]) -> T: ...


class BroughtQuery(ma.Schema):
    digest = ma.fields.String(
        load_default=None,
        validate=_DIGEST,
        metadata={"description": "Of the whole set, where it comes in several requests"},
    )
    first = ma.fields.Integer(
        data_key="from",
        load_default=0,
        validate=ma.validate.Range(0, 1_000_000),
        metadata={"description": "The place of the first code of this request in the whole set, from 0"},
    )
    tokens = ma.fields.Boolean(load_default=False, metadata={"description": "Serials: sign a token for each"})


class JobSchema(ma.Schema):
    """The signing of the tokens of a set."""

    id = ma.fields.String(required=True)
    state = ma.fields.String(required=True, validate=ma.validate.OneOf(["queued", "running", "done", "failed"]))
    done = ma.fields.Integer(required=True)
    total = ma.fields.Integer(required=True)
    counts = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.Integer(), required=True)
    detail = ma.fields.String(required=True, allow_none=True)
    commitment = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "What the log's entry `seq` holds of all tokens"}
    )
    seq = ma.fields.Integer(required=True, allow_none=True)
    finished_at = ma.fields.String(required=True, allow_none=True)


class SetSchema(ma.Schema):
    """How far a set has come."""

    digest = ma.fields.String(required=True)
    run = ma.fields.String(required=True, metadata={"description": "Digest of the event that announced it"})
    mark_no = ma.fields.String(required=True)
    form = ma.fields.String(required=True, validate=ma.validate.OneOf(["code", "serial"]))
    quantity = ma.fields.Integer(required=True)
    received = ma.fields.Integer(required=True, metadata={"description": "Where the next request begins"})
    state = ma.fields.String(required=True, validate=ma.validate.OneOf(["announced", "coming", "stored"]))
    job = ma.fields.Nested(JobSchema, required=True, allow_none=True)


class HashesAsked(ma.Schema):
    mark_no = ma.fields.String(required=True, validate=ma.validate.Length(1, 64))
    gtin = ma.fields.String(load_default=None, metadata={"description": "Of serials: the product's"})
    codes = ma.fields.List(
        ma.fields.String(required=True, validate=ma.validate.Length(1, 64)),
        required=True,
        validate=ma.validate.Length(1, 1000),
    )


class HashesSchema(ma.Schema):
    items = ma.fields.List(ma.fields.String(), required=True)
    public_hashes = ma.fields.List(ma.fields.String(), required=True, allow_none=True)


def blueprint(settings: Settings, read: Reads, gate: Gate) -> Blueprint:
    """`read` runs a query in a transaction that is committed."""
    pages = Blueprint("code_sets", __name__, url_prefix="/v1", description="Unit codes of marks")

    @pages.post("/code-sets")
    @gate.admits(Role.SOURCE)
    @pages.arguments(BroughtQuery, location="query")
    @pages.response(200, SetSchema)
    @pages.doc(
        summary="Bring the codes of a set that an accepted event announced",
        description=f"A code a line, plain or gzip, at most {code_sets.AT_ONCE:,} in one request. A larger set comes "
        "in ascending order in several, each with `digest` and `from`. The same again changes nothing.",
    )
    @reads("gzip")
    def bring(query: dict[str, Any]) -> dict[str, Any]:
        caller = who_asks()
        codes = code_sets.codes_in(code_sets.inflated(request.get_data(), compressed=_is_packed()))
        if query["digest"] is None:
            if query["first"]:
                raise BadRequest("`from` goes with `digest`", pointer="/from")
            found = read(lambda cur: code_sets.take_whole(cur, caller.holder, codes, tokens=query["tokens"]))
        else:
            where = (query["digest"], query["first"])
            found = read(lambda cur: code_sets.take(cur, caller.holder, *where, codes, tokens=query["tokens"]))
        if found.refusal is not None:
            raise found.refusal
        return _set_json(found, read(lambda cur: unit_tokens.job_of(cur, found.run)))

    @pages.get("/code-sets/<digest>")
    @gate.admits(Role.SOURCE)
    @pages.response(200, SetSchema)
    @pages.doc(summary="How far a set has come, and the signing of its tokens")
    def progress(digest: str) -> dict[str, Any]:
        caller = who_asks()
        found = read(lambda cur: code_sets.progress_of(cur, caller.holder, _hex(digest)))
        return _set_json(found, read(lambda cur: unit_tokens.job_of(cur, found.run)))

    @pages.route("/code-sets/<digest>/tokens")
    class Tokens(MethodView):
        @gate.admits(Role.SOURCE)
        @pages.doc(
            summary="The signed tokens of a set of serials, for its source alone",
            description="CSV, or NDJSON by `Accept` (`form` beats it): mark_no, gtin, serial, url, version, side.",
            parameters=[{"name": "form", "in": "query", "schema": {"type": "string", "enum": ["csv", "ndjson"]}}],
            responses={
                200: {"description": "The token file", "content": {CSV: {}, NDJSON: {}}},
                409: {"description": "They are not signed (yet)"},
            },
        )
        def get(self, digest: str) -> Response:
            caller = who_asks()
            found = read(lambda cur: code_sets.progress_of(cur, caller.holder, _hex(digest)))
            parts = read(lambda cur: unit_tokens.signed_parts(cur, found.run))
            accepted = request.accept_mimetypes.best_match([CSV, NDJSON], default=CSV)
            form = {"csv": CSV, "ndjson": NDJSON}.get(request.args.get("form", ""), accepted)
            rows = _rows(settings, found, parts)
            content = _as_csv(rows) if form == CSV else (f"{json.dumps(row)}\n".encode() for row in rows)
            return Response(content, content_type=f"{form}; charset=utf-8")

        @gate.admits(Role.SOURCE)
        @pages.doc(
            summary="Forget the serials and tokens of a set",
            responses={204: {"description": "Nothing of them is here any more"}},
        )
        def delete(self, digest: str) -> Response:
            caller = who_asks()
            found = read(lambda cur: code_sets.progress_of(cur, caller.holder, _hex(digest)))
            read(lambda cur: unit_tokens.forget(cur, found.run))
            return Response(status=204)

    @pages.post("/code-hashes")
    @gate.admits(Role.SOURCE)
    @pages.arguments(HashesAsked)
    @pages.doc(
        summary="By what hash an event names a code: for mark.code_voided",
        description="Only codes that the caller issued under the mark. `public_hashes`, of serials, are the event's "
        "`public_hash`: with it scanners without a network know that the code is void.",
        responses=answers(HashesSchema, "In the order of the codes"),
    )
    def hashes(asked: dict[str, Any]) -> dict[str, Any]:
        caller = who_asks()
        mark_no, gtin = certificate_number(asked["mark_no"]), gtin14(asked["gtin"]) if asked["gtin"] else None
        found, public = read(lambda cur: code_sets.named(cur, caller.holder, mark_no, asked["codes"], gtin))
        return {"items": found, "public_hashes": public}

    return pages


def _is_packed() -> bool:
    kind = request.mimetype
    if kind not in (*_PLAIN, *_PACKED):
        raise UnsupportedMediaType("codes come as text/plain, a line each, or the same in gzip")
    return kind in _PACKED or "gzip" in request.headers.get("Content-Encoding", "").lower()


def _hex(digest: str) -> str:
    if len(digest) != 64 or digest.strip("0123456789abcdef"):
        raise BadRequest("a digest is 64 lower-case hexadecimal digits")
    return digest


def _set_json(found: Progress, job: Job | None) -> dict[str, Any]:
    run = found.run
    coming = "coming" if found.received else "announced"
    return {
        "digest": run.digest,
        "run": run.run,
        "mark_no": run.mark_no,
        "form": run.form.value,
        "quantity": run.quantity,
        "received": found.received,
        "state": "stored" if found.stored else coming,
        "job": _job_json(run.run, run.quantity, job) if job else None,
    }


def _job_json(run: str, total: int, job: Job) -> dict[str, Any]:
    return {
        "id": run,
        "state": job.state,
        "done": job.done,
        "total": total,
        "counts": {"signed": job.done},
        "detail": job.detail,
        "commitment": job.commitment,
        "seq": job.seq,
        "finished_at": instant_text(job.finished_at) if job.finished_at else None,
    }


def _rows(settings: Settings, found: Progress, parts: list[int]) -> Iterator[dict[str, Any]]:
    """Read part by part on a connection of its own: a long answer holds up no other, and memory does not grow."""
    with closing(connect(database_url(settings))) as connection:
        for part in parts:
            with transaction(connection) as cur:
                signed = unit_tokens.tokens_of(cur, found.run, part)
            for serial, token in signed:
                yield unit_tokens.row_of(found.run, serial, token, settings.public_url)


def _as_csv(rows: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(unit_tokens.COLUMNS)
    for row in rows:
        writer.writerow([row[name] for name in unit_tokens.COLUMNS])
        if out.tell() > 1 << 16:
            yield out.getvalue().encode()
            out.seek(0)
            out.truncate()
    yield out.getvalue().encode()
