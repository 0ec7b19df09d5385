"""`/v1/checks` of the registry: hand in a file of listings, see how far it is, page through what was found."""

import hashlib
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import IO, Any, TypeVar

import marshmallow as ma
import orjson
from flask import Response, request, send_file
from flask.views import MethodView
from werkzeug.wrappers import Request

from services.auth import Caller, Role
from services.domain.errors import BadRequest, NotFound, TooManyRequests
from services.domain.identifiers import civil_day, instant_text
from services.domain.listing_rules import RULE, RULE_SET
from services.domain.listing_standing import Verdict
from services.listings.columns import HEADINGS
from services.listings.shapes import LISTING, FindingsPageSchema
from services.postgres import Cursor
from services.problems import UnsupportedMediaType
from services.registry.checks import bundles, evidence, store, watch_routes
from services.registry.checks.store import Job
from services.registry.gate import Gate, bearer, who_asks
from services.scratch import scratch_folder
from services.settings import Settings
from services.web import Blueprint, answers

T = TypeVar("T")
Read = Callable[[Callable[[Cursor], T]], T]
LARGEST = 320 << 20
"""Bytes of a request: a million rows have some 250 MB."""
PAGE, MOST = 100, 1000
AT_ONCE = 5
"""Checks of one holder that wait or run."""
_ROLES = (Role.PLATFORM, Role.INSPECTOR, Role.REGULATOR)
_KINDS = {
    "text/csv": "listings.csv",
    "application/x-ndjson": "listings.jsonl",
    "application/jsonl": "listings.jsonl",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "listings.xlsx",
}


class TooManyChecks(TooManyRequests):
    slug = "too-many-checks"
    title = "Five checks of this holder wait or run; wait until one is done, or cancel one"
    zh = "该持有人已有五项核查在等待或进行中，请等其中一项完成或取消"


class ColumnSchema(ma.Schema):
    """A heading of the file, and the column that it was read as; empty: not read."""

    heading = ma.fields.String(required=True)
    column = ma.fields.String(required=True, allow_none=True)


class FailureSchema(ma.Schema):
    code = ma.fields.String(required=True)
    detail = ma.fields.String(required=True, allow_none=True)


class BundleJobSchema(ma.Schema):
    id = ma.fields.String(required=True)
    state = ma.fields.String(required=True)


class CheckSchema(ma.Schema):
    """A check of listings as a job, judged by the register as the entry `seq` left it."""

    id = ma.fields.String(required=True)
    state = ma.fields.String(
        required=True, validate=ma.validate.OneOf(["queued", "running", "done", "failed", "cancelled"])
    )
    done = ma.fields.Integer(required=True)
    total = ma.fields.Integer(required=True, metadata={"description": "An estimate until the file is read"})
    counts = ma.fields.Dict(
        keys=ma.fields.String(), values=ma.fields.Integer(), required=True, metadata={"description": "Rows by verdict"}
    )
    rules = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.Integer(),
        required=True,
        metadata={"description": "Findings that are not ok, by rule"},
    )
    seq = ma.fields.Integer(required=True)
    day = ma.fields.Date(required=True)
    rule_set = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    kind = ma.fields.String(required=True, allow_none=True)
    sha256 = ma.fields.String(required=True, allow_none=True)
    platform = ma.fields.String(required=True, allow_none=True)
    columns = ma.fields.List(ma.fields.Nested(ColumnSchema), required=True)
    again_of = ma.fields.String(required=True, allow_none=True)
    problem = ma.fields.Nested(FailureSchema, required=True, allow_none=True)
    created_at = ma.fields.String(required=True)
    finished_at = ma.fields.String(required=True, allow_none=True)
    material_gone = ma.fields.Boolean(
        required=True, metadata={"description": "What was sent has been deleted: no bundle and no repetition any more"}
    )
    watched = ma.fields.Boolean(
        required=True, metadata={"description": "A repetition that the register made by itself: see `/watch`"}
    )


class ChecksSchema(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(CheckSchema), required=True)
    next = ma.fields.String(required=True, allow_none=True)


class SendQuery(ma.Schema):
    mapping = ma.fields.String(load_default=None, metadata={"description": "JSON object: heading → column, or empty"})
    platform = ma.fields.String(load_default=None, validate=ma.validate.Length(1, 64))
    sheet = ma.fields.String(load_default=None, validate=ma.validate.Length(1, 100))
    name = ma.fields.String(load_default=None, validate=ma.validate.Length(1, 200))


class ListQuery(ma.Schema):
    after = ma.fields.String(load_default=None, metadata={"description": "`next` of the page before"})
    limit = ma.fields.Integer(load_default=PAGE, validate=ma.validate.Range(1, MOST))


class FindingsQuery(ListQuery):
    verdict = ma.fields.String(load_default=None, validate=ma.validate.OneOf([one.value for one in Verdict]))
    rule = ma.fields.String(load_default=None, validate=ma.validate.OneOf(list(RULE)))


_FINDINGS = answers(FindingsPageSchema, "{items, next}, as far as the check has come")
_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        **{kind: {} for kind in _KINDS},
        "application/json": {"schema": {"type": "array", "items": LISTING}},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {
                    "file": {"type": "string", "format": "binary"},
                    "images": {"type": "string", "format": "binary", "description": "ZIP of the pictures"},
                    "mapping": {"type": "string"},
                    "platform": {"type": "string"},
                    "sheet": {"type": "string"},
                },
            }
        },
    },
}


def blueprint(read: Read[Any], gate: Gate, settings: Settings) -> Blueprint:
    """The routes. A holder sees checks of its own, a regulator all."""
    pages = Blueprint("checks", __name__, url_prefix="/v1", description="Checks of e-commerce listings as jobs")

    def own(job_id: str) -> Job:
        who = who_asks()
        holder = None if who.role is Role.REGULATOR else who.holder
        found: Job | None = read(lambda cur: store.job(cur, job_id, holder))
        if found is None:
            raise NotFound("no check of yours has this id")
        return found

    def shown(job: Job) -> dict[str, Any]:
        return check_json(job, read(lambda cur: store.counted(cur, job.id)))

    @pages.route("/checks")
    class Checks(MethodView):
        @gate.admits(*_ROLES)
        @pages.arguments(SendQuery, location="query")
        @pages.response(202, CheckSchema)
        @pages.doc(summary="Hand in a file of listings to be checked", requestBody=_BODY)
        def post(self, query: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
            request.max_content_length = LARGEST
            job = received(read, who_asks(), query)
            return shown(job), 202, {"Location": f"/v1/checks/{job.id}"}

        @gate.admits(*_ROLES)
        @pages.arguments(ListQuery, location="query")
        @pages.response(200, ChecksSchema)
        @pages.doc(summary="The checks that were handed in, the newest first")
        def get(self, query: dict[str, Any]) -> dict[str, Any]:
            who = who_asks()
            holder = None if who.role is Role.REGULATOR else who.holder
            jobs = read(lambda cur: store.jobs_of(cur, holder, query["after"], query["limit"]))
            return {
                "items": [shown(job) for job in jobs],
                "next": jobs[-1].id if len(jobs) == query["limit"] else None,
            }

    @pages.route("/checks/<job_id>")
    class Check(MethodView):
        @gate.admits(*_ROLES)
        @pages.response(200, CheckSchema)
        @pages.doc(summary="How far a check is")
        def get(self, job_id: str) -> dict[str, Any]:
            return shown(own(job_id))

        @gate.admits(*_ROLES)
        @pages.response(200, CheckSchema)
        @pages.doc(summary="Cancel a check; what was found so far stays")
        def delete(self, job_id: str) -> dict[str, Any]:
            job = own(job_id)
            read(lambda cur: store.cancel(cur, job.id))
            return shown(own(job_id))

    @pages.route("/checks/<job_id>/findings")
    class Findings(MethodView):
        @gate.admits(*_ROLES)
        @pages.arguments(FindingsQuery, location="query")
        @pages.doc(summary="What was found so far, row by row", responses=_FINDINGS)
        def get(self, query: dict[str, Any], job_id: str) -> Response:
            job = own(job_id)
            after, limit, verdict, rule = _after(query["after"]), query["limit"], query["verdict"], query["rule"]
            if rule is None and verdict in (None, Verdict.OK.value):
                found = read(lambda cur: store.findings_after(cur, job.id, after, limit))
                rest = found
                if verdict is not None:
                    rest = [(place, line) for place, line in found if b'"verdict":"ok"' in line]
            else:
                found = rest = read(lambda cur: store.matters_after(cur, job.id, after, limit, verdict, rule))
            following = json.dumps(str(found[-1][0]) if len(found) == limit else None)
            body = b'{"items":[' + b",".join(line for _, line in rest) + b'],"next":' + following.encode() + b"}"
            return Response(body, content_type="application/json")

    @pages.route("/checks/<job_id>/bundle")
    class Bundle(MethodView):
        @gate.admits(*_ROLES)
        @pages.doc(
            summary="The evidence of a check that is done, as a ZIP that can be checked offline",
            responses={
                200: {"description": "The bundle", "content": {"application/zip": {}}},
                **answers(BundleJobSchema, "It is being made: ask again after `Retry-After` seconds", 202),
            },
        )
        def get(self, job_id: str) -> Response:
            return bundle_response(read, own(job_id))

    @pages.route("/checks/<job_id>/again")
    class Again(MethodView):
        @gate.admits(*_ROLES)
        @pages.response(202, CheckSchema)
        @pages.doc(
            summary="Check again what may have changed since: the findings of the new check are the differences",
        )
        def post(self, job_id: str) -> tuple[dict[str, Any], int, dict[str, str]]:
            job = repeated(read, own(job_id), who_asks().holder)
            return shown(job), 202, {"Location": f"/v1/checks/{job.id}"}

    watch_routes.add_routes(pages, gate, _ROLES, read, own)
    return pages


def may_hand_in(gate: Gate, request: Request) -> bool:
    """Whether its token is one that a check may be begun with. Raises NotAuthenticated: it is none."""
    return gate.holder_of(bearer(request.headers.get("Authorization", ""))).role in _ROLES


def repeated(read: Read[Any], job: Job, holder: str) -> Job:
    """Queue a check of the same material by the register as it is now; one that repeats another has that one's.

    Raises:
        NotDone: the first is not done. MaterialGone: what was sent has been deleted. TooManyChecks: as for any check.
    """
    if job.state != "done":
        raise evidence.NotDone(f"state {job.state}")
    if job.material_gone:
        raise evidence.MaterialGone("the time for which it is kept is over")

    def begin(cur: Cursor) -> str:
        if store.unfinished_of(cur, holder) >= AT_ONCE:
            raise TooManyChecks(f"{AT_ONCE} checks wait or run")
        return store.repeat(cur, job, civil_day(datetime.now(UTC)), RULE_SET)

    job_id = read(begin)
    found: Job | None = read(lambda cur: store.job(cur, job_id))
    assert found is not None
    return found


def bundle_response(read: Read[Any], job: Job) -> Response:
    """The bundle where it is made; else it is asked for, and the answer says when to come again.

    Raises:
        NotDone, MaterialGone: as `evidence.may_have_bundle` says. BundleFailed: it could not be made.
    """
    evidence.may_have_bundle(job, read(lambda cur: store.counted(cur, job.id)).done)
    wanted: bundles.Wanted = read(lambda cur: bundles.ask(cur, job.id))
    if wanted.code is not None:
        raise evidence.BundleFailed(f"{wanted.code}: {wanted.detail}")
    if wanted.made_at is None:
        made = Response(json.dumps({"id": job.id, "state": "running"}), 202, content_type="application/json")
        made.headers["Retry-After"] = "1"
        return made
    with scratch_folder() as folder:
        path = folder / "bundle.zip"
        read(lambda cur: bundles.write(cur, job.id, path))
        # It is open when the folder goes, and so is sent all the same.
        return send_file(path, "application/zip", as_attachment=True, download_name=f"{job.id}.zip")


def _after(text: str | None) -> int:
    if text is None:
        return -1
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise BadRequest("not the `next` of a page", pointer="/after")
    return int(text)


def check_json(job: Job, counted: store.Counted) -> dict[str, Any]:
    """A job as the contract has it."""
    total = job.total if job.total is not None else max(job.about, counted.done)
    return {
        "id": job.id,
        "state": "queued" if job.state == "receiving" else job.state,
        "done": counted.done,
        "total": total,
        "counts": {verdict.value: counted.verdicts.get(verdict.value, 0) for verdict in Verdict},
        "rules": counted.rules,
        "seq": job.seq,
        "day": job.day,
        "rule_set": job.rule_set,
        "name": job.name,
        "kind": job.kind,
        "sha256": job.sha256,
        "platform": job.platform,
        "columns": [{"heading": heading, "column": column} for heading, column in job.columns or ()],
        "again_of": job.again_of,
        "problem": {"code": job.code, "detail": job.detail} if job.code else None,
        "created_at": instant_text(job.created_at),
        "finished_at": instant_text(job.finished_at) if job.finished_at else None,
        "material_gone": job.material_gone,
        "watched": job.watched,
    }


# --- receiving -------------------------------------------------------------------------------------------


def received(read: Read[Any], who: Caller, query: Mapping[str, Any]) -> Job:
    """Store what the request in hand brings, and queue it.

    Raises:
        UnsupportedMediaType, BadRequest: another kind, no file, a mapping that is none. TooManyChecks: too many wait.
    """
    file, images, name = None, None, query["name"]
    asked = dict(query)
    if request.mimetype == "multipart/form-data":
        sent = request.files.get("file")
        if sent is None:
            raise BadRequest("there is no part called file", pointer="/file")
        file, name = sent.stream, name or sent.filename
        pictures = request.files.get("images")
        images = pictures.stream if pictures is not None else None
        asked |= {key: request.form[key] for key in ("mapping", "platform", "sheet") if request.form.get(key)}
    elif request.mimetype not in (*_KINDS, "application/json"):
        raise UnsupportedMediaType(f"the content type is {request.mimetype[:64]!r}", hint=" · ".join(_BODY["content"]))
    mapping = _mapping(asked["mapping"])
    platform = asked["platform"]
    job_id = secrets.token_hex(16)
    name = (name or _KINDS.get(request.mimetype, "listings.jsonl"))[:200]

    def begin(cur: Cursor) -> dict[str, str]:
        if store.unfinished_of(cur, who.holder) >= AT_ONCE:
            raise TooManyChecks(f"{AT_ONCE} checks wait or run")
        used = mapping
        if platform and mapping:
            store.keep_mapping(cur, who.holder, platform, mapping)
        elif platform:
            used = store.mapping_of(cur, who.holder, platform)
        day = civil_day(datetime.now(UTC))
        store.add(
            cur,
            job_id,
            who.holder,
            name=name,
            mapping=used,
            platform=platform,
            sheet=asked["sheet"],
            day=day,
            rule_set=RULE_SET,
        )
        return used

    read(begin)
    stream = file if file is not None else request.stream
    content = _lines_of(stream) if request.mimetype == "application/json" else _parts(stream)
    digest = hashlib.sha256()
    _store(read, job_id, "file", content, digest.update)
    if images is not None:
        _store(read, job_id, "images", _parts(images), lambda part: None)
    read(lambda cur: store.queue(cur, job_id, digest.hexdigest()))
    found: Job | None = read(lambda cur: store.job(cur, job_id))
    assert found is not None
    return found


def _store(read: Read[Any], job_id: str, what: str, parts: Iterator[bytes], seen: Callable[[bytes], None]) -> None:
    """Each part in a transaction of its own: a sender who leaves leaves rows that are thrown away within an hour."""
    for number, part in enumerate(parts):
        seen(part)
        read(partial(store.add_part, job_id=job_id, what=what, part=number, content=part))


def _parts(stream: IO[bytes]) -> Iterator[bytes]:
    while part := stream.read(store.PART):
        yield part


def _lines_of(stream: IO[bytes]) -> Iterator[bytes]:
    """A JSON list of listings as JSON lines."""
    try:
        document = orjson.loads(stream.read())
    except ValueError:
        raise BadRequest("the body is no JSON") from None
    if isinstance(document, dict):
        document = document.get("listings", document.get("items"))
    if not isinstance(document, list):
        raise BadRequest("a list of listings is wanted", pointer="/listings")
    yield b"\n".join(orjson.dumps(one) for one in document) + b"\n"


def _mapping(text: str | None) -> dict[str, str]:
    if not text:
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        raise BadRequest("the mapping is no JSON", pointer="/mapping") from None
    if not isinstance(found, dict) or not all(value == "" or value in HEADINGS for value in found.values()):
        raise BadRequest("the mapping is an object: heading → column", pointer="/mapping", hint=" ".join(HEADINGS))
    return found
