"""The public's way to a published result: the entries that it opens."""

from typing import Any

import marshmallow as ma
from flask.views import MethodView

from services.domain.errors import NotFound
from services.registry.desk import restricted
from services.registry.desk.room import Reads
from services.web import Blueprint


class OpeningSchema(ma.Schema):
    """`record` is the exact text whose SHA-256, behind the line `certmark-case/v1`, is the digest of entry `seq`."""

    seq = ma.fields.Integer(required=True, allow_none=True)
    record = ma.fields.String(required=True)


class OpeningsSchema(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(OpeningSchema), required=True)
    next = ma.fields.String(required=True, allow_none=True)


def blueprint(read: Reads) -> Blueprint:
    """`/v1/cases/{case_no}/opening`."""
    pages = Blueprint("cases", __name__, url_prefix="/v1", description="Published results of cases")

    @pages.route("/cases/<case_no>/opening")
    class Opening(MethodView):
        @pages.response(200, OpeningsSchema)
        @pages.doc(summary="What a published result opens of the commitments in the log")
        def get(self, case_no: str) -> dict[str, Any]:
            found = read(lambda cur: restricted.opening(cur, case_no))
            if found is None:
                raise NotFound("no published result of this case")
            return {"items": list(found), "next": None}

    return pages
