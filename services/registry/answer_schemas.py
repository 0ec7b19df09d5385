"""What the API documentation says of the registry's answers that are written as they are stored, past any schema."""

import marshmallow as ma

from services.domain.acceptance import Accept
from services.domain.certificate import PartKind, Status
from services.domain.standing import Standing
from services.events.published import members, told_by
from services.web import CodedWordsSchema, WordsSchema

_ACCEPT = ma.validate.OneOf([accept.value for accept in Accept])
_STANDING = ma.validate.OneOf([standing.value for standing in Standing])


class HeadSchema(ma.Schema):
    """What the next event of a chain must follow."""

    sequence = ma.fields.Integer(required=True, metadata={"description": "0 before the first event"})
    previous = ma.fields.String(required=True, allow_none=True, metadata={"description": "sha256:… of the last event"})


class ChainSchema(HeadSchema):
    source = ma.fields.String(required=True)
    subject = ma.fields.String(required=True)


class ChainsSchema(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(ChainSchema), required=True)
    next = ma.fields.String(required=True, allow_none=True)


HEADS = {"oneOf": [HeadSchema, ChainsSchema]}
"""With a source and a subject the head of their chain, with one of them a list of chains."""


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


_STATE = told_by("State", "certificate_state")


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
    state = ma.fields.Raw(required=True, metadata=_STATE)


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
    state = ma.fields.Raw(required=True, metadata=_STATE)


class HeldCertificatesSchema(ma.Schema):
    """Certificates that a source answers for."""

    items = ma.fields.List(ma.fields.Nested(HeldSchema), required=True)
    next = ma.fields.String(required=True, allow_none=True)


class ChangedSchema(ma.Schema):
    """A record at its last revision."""

    revision = ma.fields.Integer(required=True)
    key = ma.fields.String(required=True)
    kind = ma.fields.String(required=True)
    certificate_no = ma.fields.String(metadata={"description": "Of a certificate or declaration"})
    standing = ma.fields.String(validate=_STANDING, metadata={"description": "The same: on the page's `day`"})
    seq = ma.fields.Integer(required=True)
    digest = ma.fields.String(required=True, allow_none=True)
    recorded_at = ma.fields.String(required=True)
    under_review = ma.fields.Boolean(required=True)
    state_digest = ma.fields.String(required=True, metadata={"description": "SHA-256 of `state` as it stands here"})
    state = ma.fields.Raw(required=True, metadata=told_by("State"))


class FeedSchema(ma.Schema):
    """A page of changes: every revision from `after` + 1 to `complete_to` is an item's or in `replaced`."""

    v = ma.fields.Integer(required=True)
    register = ma.fields.String(required=True, metadata={"description": "Digest of the register's first event"})
    after = ma.fields.Integer(required=True)
    complete_to = ma.fields.Integer(required=True)
    next = ma.fields.String(required=True, metadata={"description": "Always there, to go on from at any time"})
    revision = ma.fields.Integer(required=True, metadata={"description": "To which the register has come"})
    seq = ma.fields.Integer(required=True)
    as_of = ma.fields.String(required=True)
    day = ma.fields.Date(required=True)
    replaced = ma.fields.List(
        ma.fields.List(ma.fields.Integer()), required=True, metadata={"description": "[first, last] of each run"}
    )
    items = ma.fields.List(ma.fields.Nested(ChangedSchema), required=True)


KEY = {
    "type": "object",
    "properties": {**members("State", "key_state"), "event": {"type": ["string", "null"]}},
    "required": [*members("State", "key_state"), "event"],
}
"""A key's state/v1, and the signed event that added it."""


class PoliciesSchema(ma.Schema):
    items = ma.fields.List(ma.fields.Raw(metadata=told_by("Policy")), required=True)
    next = ma.fields.String(required=True, allow_none=True)


class AcceptanceReasonSchema(CodedWordsSchema):
    pointer = ma.fields.String(required=True, metadata={"description": "RFC 6901 pointer into the policy's version"})


class PolicyNamedSchema(ma.Schema):
    id = ma.fields.String(required=True)
    version = ma.fields.Integer(required=True)


class StateNamedSchema(ma.Schema):
    seq = ma.fields.Integer(required=True)
    digest = ma.fields.String(required=True, allow_none=True)


class AcceptableSchema(ma.Schema):
    certificate_no = ma.fields.String(required=True)
    accept = ma.fields.String(required=True, validate=_ACCEPT)


class AcceptanceAnswerSchema(ma.Schema):
    """Whether it may be relied on, why, and by what."""

    accept = ma.fields.String(required=True, validate=_ACCEPT)
    reasons = ma.fields.List(ma.fields.Nested(AcceptanceReasonSchema), required=True)
    policy = ma.fields.Nested(PolicyNamedSchema, required=True)
    purpose = ma.fields.String(required=True)
    certificate_no = ma.fields.String(required=True, allow_none=True)
    state = ma.fields.Nested(StateNamedSchema, required=True, allow_none=True)
    candidates = ma.fields.List(ma.fields.Nested(AcceptableSchema), required=True)
    at = ma.fields.Date(required=True)
    seq = ma.fields.Integer(required=True)
    digest = ma.fields.String(required=True, metadata={"description": "SHA-256 of the other members"})


class AcceptanceAnswersSchema(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(AcceptanceAnswerSchema), required=True)


ACCEPTANCE = {"oneOf": [AcceptanceAnswerSchema, AcceptanceAnswersSchema]}


class AskedSchema(ma.Schema):
    """One question that was asked."""

    id = ma.fields.Integer(required=True)
    asked_at = ma.fields.String(required=True)
    role = ma.fields.String(required=True)
    purpose = ma.fields.String(required=True)
    policy = ma.fields.String(required=True)
    version = ma.fields.Integer(required=True)
    certificate_no = ma.fields.String(required=True, allow_none=True)
    uscc = ma.fields.String(required=True, allow_none=True)
    model = ma.fields.String(required=True, allow_none=True)
    at = ma.fields.Date(required=True)
    seq = ma.fields.Integer(required=True)
    accept = ma.fields.String(required=True, validate=_ACCEPT)
    digest = ma.fields.String(required=True)


class AskedPageSchema(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(AskedSchema), required=True)
    next = ma.fields.Integer(required=True, allow_none=True)


class IndicatorSchema(ma.Schema):
    """What is counted, and by what it can be broken down."""

    id = ma.fields.String(required=True)
    name = ma.fields.Nested(WordsSchema, required=True)
    definition = ma.fields.Nested(WordsSchema, required=True)
    unit = ma.fields.Nested(WordsSchema, required=True)
    dimensions = ma.fields.List(ma.fields.String(), required=True)
    period = ma.fields.Boolean(required=True, metadata={"description": "Counted over a period, else on a day"})


class IndicatorsSchema(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(IndicatorSchema), required=True)
    next = ma.fields.String(required=True, allow_none=True)


class CountedSchema(ma.Schema):
    value = ma.fields.Float(required=True, allow_none=True, metadata={"description": "A share of nothing is null"})
    part = ma.fields.Integer(metadata={"description": "Of a share"})
    whole = ma.fields.Integer(metadata={"description": "Of a share"})


class CountedByKeySchema(CountedSchema):
    key = ma.fields.String(required=True, allow_none=True)


class IndicatorAnswerSchema(IndicatorSchema, CountedSchema):
    """The definition with the number, and its rows where `by` was given."""

    at = ma.fields.Date(required=True)
    since = ma.fields.Date(metadata={"description": "First day of a period"})
    known_at = ma.fields.String(required=True)
    seq = ma.fields.Integer(required=True, metadata={"description": "Last entry that counts"})
    by = ma.fields.String(required=True, allow_none=True)
    rows = ma.fields.List(ma.fields.Nested(CountedByKeySchema))
