"""What the API documentation says of a listing that is handed in, and of what is found on it."""

from typing import Any

import marshmallow as ma

from services.domain.listing import Confidence
from services.domain.listing_standing import Verdict
from services.domain.standing import Standing
from services.listings.columns import HEADINGS
from services.web import WordsSchema

LISTING: dict[str, Any] = {
    "type": "object",
    "properties": {key: {"type": ["string", "integer", "null"], "title": heading} for key, heading in HEADINGS.items()},
}
"""The members that a listing may have; a title or a text is needed."""

LISTING["properties"]["image"] = {**LISTING["properties"]["image"], "type": ["string", "array", "null"]}
LISTING["properties"]["image"]["items"] = {"type": "string"}


class ClaimedSchema(ma.Schema):
    """What the listing says, as far as it was looked at; what it does not say is left out."""

    certificate_no = ma.fields.String()
    product = ma.fields.String()
    product_class = ma.fields.String()
    brand = ma.fields.String()
    model = ma.fields.String()
    maker = ma.fields.String()
    maker_uscc = ma.fields.String()
    seller = ma.fields.String()
    body_claimed = ma.fields.String()
    mark = ma.fields.String()


class RegisteredSchema(ma.Schema):
    """What the register has under the number, to be set beside it."""

    certificate_no = ma.fields.String(required=True)
    scheme = ma.fields.String(required=True)
    body = ma.fields.String(required=True, allow_none=True)
    holder = ma.fields.String(required=True)
    holder_uscc = ma.fields.String(required=True, allow_none=True)
    manufacturer = ma.fields.String(required=True, allow_none=True)
    factory = ma.fields.String(required=True, allow_none=True)
    product = ma.fields.String(required=True, allow_none=True)
    product_class = ma.fields.String(required=True, allow_none=True)
    trademark = ma.fields.String(required=True, allow_none=True)
    models = ma.fields.List(ma.fields.String(), required=True, metadata={"description": "The first 20"})
    valid_from = ma.fields.Date(required=True)
    valid_until = ma.fields.Date(required=True, allow_none=True)


class DayStandingSchema(ma.Schema):
    day = ma.fields.Date(required=True)
    standing = ma.fields.String(
        required=True, allow_none=True, validate=ma.validate.OneOf([standing.value for standing in Standing])
    )


class FindingSchema(ma.Schema):
    """What the check says of one listing (docs/listings.md)."""

    row = ma.fields.Raw(
        required=True,
        metadata={
            "type": ["string", "integer", "boolean"],
            "description": "As it came; the place, from 1 on, where none did",
        },
    )
    verdict = ma.fields.String(required=True, validate=ma.validate.OneOf([one.value for one in Verdict]))
    rules = ma.fields.List(ma.fields.String(), required=True, metadata={"description": "L01 … L18"})
    code = ma.fields.String(required=True)
    confidence = ma.fields.String(required=True, validate=ma.validate.OneOf([one.value for one in Confidence]))
    claimed = ma.fields.Nested(ClaimedSchema, required=True)
    registered = ma.fields.Nested(RegisteredSchema, required=True, allow_none=True)
    captured = ma.fields.Nested(DayStandingSchema, required=True, metadata={"description": "On the day of capture"})
    now = ma.fields.Nested(DayStandingSchema, required=True, metadata={"description": "On the register's day"})
    note = ma.fields.Nested(WordsSchema, required=True)


class WasSchema(ma.Schema):
    verdict = ma.fields.String(required=True, validate=ma.validate.OneOf([one.value for one in Verdict]))
    rules = ma.fields.List(ma.fields.String(), required=True)
    code = ma.fields.String(required=True)
    note = ma.fields.Nested(WordsSchema, required=True)


class RepeatedFindingSchema(FindingSchema):
    """A finding of a check; in a check made again, with what was told before."""

    was = ma.fields.Nested(WasSchema)


class FindingsPageSchema(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(RepeatedFindingSchema), required=True)
    next = ma.fields.String(required=True, allow_none=True)
