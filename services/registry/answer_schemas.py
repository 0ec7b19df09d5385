"""What the API documentation says of the registry's answers that are written as they are stored, past any schema."""

import marshmallow as ma

from services.domain.certificate import PartKind, Status
from services.domain.standing import Standing

_STANDING = ma.validate.OneOf([standing.value for standing in Standing])


class HeadSchema(ma.Schema):
    """What the next event of a chain must follow."""

    sequence = ma.fields.Integer(required=True, metadata={"description": "0 before the first event"})
    previous = ma.fields.String(required=True, allow_none=True, metadata={"description": "sha256:… of the last event"})


class ChainSchema(HeadSchema):
    source = ma.fields.String(required=True)
    subject = ma.fields.String(required=True)


class HeadsSchema(ma.Schema):
    """With a source and a subject the head of their chain, with one of them a list of chains."""

    sequence = ma.fields.Integer()
    previous = ma.fields.String(allow_none=True)
    items = ma.fields.List(ma.fields.Nested(ChainSchema))
    next = ma.fields.String(allow_none=True)


class HeadOfSchema(HeadSchema):
    subject = ma.fields.String(required=True)


class HeadsOfSchema(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(HeadOfSchema), required=True)


class ParentSchema(ma.Schema):
    certificate_no = ma.fields.String(required=True)
    standing = ma.fields.String(required=True, validate=_STANDING)


class MarkOnSchema(ma.Schema):
    mark_no = ma.fields.String(required=True)
    mark = ma.fields.String(required=True)
    standing = ma.fields.String(required=True, validate=_STANDING)


class PartOnSchema(ma.Schema):
    kind = ma.fields.String(required=True, validate=ma.validate.OneOf([kind.value for kind in PartKind]))
    name = ma.fields.String(required=True)
    gtin = ma.fields.String(required=True, allow_none=True)
    standing = ma.fields.String(required=True, validate=_STANDING)


_STATE = {"description": "schemas/state.v1.json"}


class AsOfSchema(ma.Schema):
    """A certificate on a day, as known at an instant."""

    certificate_no = ma.fields.String(required=True)
    at = ma.fields.Date(required=True)
    known_at = ma.fields.String(required=True, allow_none=True)
    standing = ma.fields.String(required=True, validate=_STANDING)
    status = ma.fields.String(
        required=True,
        allow_none=True,
        validate=ma.validate.OneOf([status.value for status in Status]),
        metadata={"description": "What was last declared; null before the first day"},
    )
    reason = ma.fields.String(required=True, allow_none=True)
    since = ma.fields.Date(required=True, allow_none=True)
    until = ma.fields.Date(required=True, allow_none=True)
    parent = ma.fields.Nested(ParentSchema, required=True, allow_none=True)
    marks = ma.fields.List(ma.fields.Nested(MarkOnSchema), required=True)
    parts = ma.fields.List(ma.fields.Nested(PartOnSchema), required=True)
    seq = ma.fields.Integer(required=True)
    recorded_at = ma.fields.String(required=True)
    state = ma.fields.Dict(required=True, metadata=_STATE)


class EntrySchema(ma.Schema):
    """One entry about a certificate."""

    seq = ma.fields.Integer(required=True)
    kind = ma.fields.String(required=True)
    digest = ma.fields.String(required=True)
    source = ma.fields.String(required=True, allow_none=True)
    type = ma.fields.String(required=True, allow_none=True)
    sequence = ma.fields.Integer(required=True, allow_none=True)
    decision = ma.fields.String(required=True, metadata={"description": "`accepted`, or `refused:` and the code"})
    detail = ma.fields.String(required=True, allow_none=True)
    pointer = ma.fields.String(required=True, allow_none=True)
    effective_at = ma.fields.Date(required=True, allow_none=True)
    received_at = ma.fields.String(required=True, allow_none=True)
    recorded_at = ma.fields.String(required=True)
    state_digest = ma.fields.String(required=True, allow_none=True)


class HistorySchema(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(EntrySchema), required=True)
    next = ma.fields.Integer(required=True, allow_none=True)


class HeldSchema(ma.Schema):
    certificate_no = ma.fields.String(required=True)
    standing = ma.fields.String(required=True, validate=_STANDING)
    seq = ma.fields.Integer(required=True)
    recorded_at = ma.fields.String(required=True)
    state = ma.fields.Dict(required=True, metadata=_STATE)


class HeldCertificatesSchema(ma.Schema):
    """Certificates that a source answers for."""

    items = ma.fields.List(ma.fields.Nested(HeldSchema), required=True)
    next = ma.fields.String(required=True, allow_none=True)
