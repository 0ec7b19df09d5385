"""How both services are asked whether a deed with certified goods is allowed, and the form of what they answer."""

import marshmallow as ma

from services.domain.consequence import Act, Allowed
from services.domain.standing import Standing
from services.web import WordsSchema


class DeedQuery(ma.Schema):
    """What is to be done with goods or services, and the dates of the goods as far as they are known."""

    act = ma.fields.String(required=True, validate=ma.validate.OneOf([act.value for act in Act]))
    at = ma.fields.Date(
        load_default=None, metadata={"description": "The day of the deed; that of `known_at` or today where absent"}
    )
    made_on = ma.fields.Date(load_default=None)
    shipped_on = ma.fields.Date(load_default=None, metadata={"description": "The day it left the factory"})
    gtin = ma.fields.String(load_default=None, metadata={"description": "One product of the certificate"})
    model = ma.fields.String(load_default=None, metadata={"description": "The same, by its model"})
    batch = ma.fields.String(load_default=None, metadata={"description": "Told where a recall names batches"})
    known_at = ma.fields.String(
        load_default=None, metadata={"description": "Date (its end) or RFC 3339 instant; now where absent"}
    )


class ItemSchema(ma.Schema):
    model = ma.fields.String(required=True)
    gtin = ma.fields.String(required=True, allow_none=True)


class DeedSchema(ma.Schema):
    """Whether it is allowed, by which rule and on what ground (docs/consequence.md)."""

    allowed = ma.fields.String(required=True, validate=ma.validate.OneOf([allowed.value for allowed in Allowed]))
    rule = ma.fields.String(required=True)
    clause = ma.fields.Nested(WordsSchema, required=True)
    reason = ma.fields.Nested(WordsSchema, required=True)
    code = ma.fields.String(required=True, metadata={"description": "As a look-up answers"})
    standing = ma.fields.String(
        required=True,
        allow_none=True,
        validate=ma.validate.OneOf([standing.value for standing in Standing]),
        metadata={"description": "On the day that counts: of shipment for `ship`, else `at`"},
    )
    act = ma.fields.String(required=True)
    at = ma.fields.Date(required=True)
    made_on = ma.fields.Date(required=True, allow_none=True)
    shipped_on = ma.fields.Date(required=True, allow_none=True)
    certificate_no = ma.fields.String(required=True, allow_none=True)
    item = ma.fields.Nested(ItemSchema, required=True, allow_none=True)
    mark_no = ma.fields.String(required=True, allow_none=True)
