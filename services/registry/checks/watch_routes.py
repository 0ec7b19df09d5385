"""`/v1/checks/{id}/watch` and `/changes`: have a check watched, and read what has changed in it since."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import marshmallow as ma
from flask.views import MethodView

from services.auth import Role
from services.domain.errors import NotFound
from services.domain.identifiers import instant_text
from services.postgres import Cursor
from services.registry.checks import watches
from services.registry.checks.store import Job
from services.registry.checks.watches import Change, Watch, change_json
from services.registry.gate import Gate
from services.web import Blueprint

T = TypeVar("T")
Read = Callable[[Callable[[Cursor], T]], T]


class WatchAsked(ma.Schema):
    days = ma.fields.Integer(
        load_default=watches.DAYS,
        validate=ma.validate.Range(1, watches.MOST_DAYS),
        metadata={"description": "For how many days from now on; putting it again renews it"},
    )


class WatchSchema(ma.Schema):
    """A watched check: until when, up to which entry and day it has been compared, how many changes were told."""

    check = ma.fields.String(required=True, metadata={"description": "The first check of this material"})
    state = ma.fields.String(required=True, validate=ma.validate.OneOf(["active", "ended"]))
    ends_at = ma.fields.String(required=True)
    seq = ma.fields.Integer(required=True)
    day = ma.fields.Date(required=True)
    looked_at = ma.fields.String(required=True, allow_none=True)
    told = ma.fields.Integer(required=True)


class ChangesQuery(ma.Schema):
    after = ma.fields.Integer(
        load_default=0, validate=ma.validate.Range(0, 2**63 - 1), metadata={"description": "`next` of the page before"}
    )
    limit = ma.fields.Integer(load_default=100, validate=ma.validate.Range(1, 1000))


class ChangeSchema(ma.Schema):
    """One listing that is judged otherwise than was told last."""

    number = ma.fields.Integer(required=True, metadata={"description": "Grows, and is not always the next one"})
    check = ma.fields.String(required=True)
    look = ma.fields.String(required=True, metadata={"description": "The check that found it: findings, bundle"})
    told_at = ma.fields.String(required=True)
    seq = ma.fields.Integer(required=True)
    day = ma.fields.String(required=True)
    finding = ma.fields.Raw(required=True, metadata={"allOf": [{"$ref": "#/components/schemas/RepeatedFinding"}]})


class ChangesSchema(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(ChangeSchema), required=True)
    next = ma.fields.Integer(required=True, metadata={"description": "Always there, to go on from at any time"})


def add_routes(pages: Blueprint, gate: Gate, roles: Sequence[Role], read: Read[Any], own: Callable[[str], Job]) -> None:
    """`own` finds a check that the caller may see, or raises NotFound; nobody but these roles is let through."""

    @pages.route("/checks/<job_id>/watch")
    class OneWatch(MethodView):
        @gate.admits(*roles)
        @pages.response(200, WatchSchema)
        @pages.doc(summary="The watch of a check, an ended one too")
        def get(self, job_id: str) -> dict[str, Any]:
            job = own(job_id)
            watch = read(lambda cur: watches.of(cur, job))
            if watch is None:
                raise NotFound("this check is not watched")
            return watch_json(watch)

        @gate.admits(*roles)
        @pages.arguments(WatchAsked)
        @pages.response(200, WatchSchema)
        @pages.doc(
            summary="Watch a check, or renew its watch: the register looks again when what it relies on has changed",
        )
        def put(self, asked: dict[str, Any], job_id: str) -> dict[str, Any]:
            job = own(job_id)
            return watch_json(read(lambda cur: watches.begin(cur, job, asked["days"])))

        @gate.admits(*roles)
        @pages.response(204)
        @pages.doc(summary="Watch it no more; what was told can still be read")
        def delete(self, job_id: str) -> None:
            job = own(job_id)
            if not read(lambda cur: watches.end(cur, job)):
                raise NotFound("this check is not watched")

    @pages.route("/checks/<job_id>/changes")
    class Changes(MethodView):
        @gate.admits(*roles)
        @pages.arguments(ChangesQuery, location="query")
        @pages.response(200, ChangesSchema)
        @pages.doc(summary="What came out otherwise in a watched check, in the order in which it was told")
        def get(self, query: dict[str, Any], job_id: str) -> dict[str, Any]:
            first = watches.first_of(own(job_id))
            found: list[Change] = read(
                lambda cur: watches.changes_after(cur, query["after"], query["limit"], check_id=first)
            )
            return {
                "items": [change_json(one) for one in found],
                "next": found[-1].number if found else query["after"],
            }


def watch_json(watch: Watch) -> dict[str, Any]:
    return {
        "check": watch.check_id,
        "state": "active" if watch.active else "ended",
        "ends_at": instant_text(watch.ends_at),
        "seq": watch.seq,
        "day": watch.day,
        "looked_at": instant_text(watch.looked_at) if watch.looked_at else None,
        "told": watch.told,
    }
