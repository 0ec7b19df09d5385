"""What the API documentation says of questions and answers."""

from typing import Any

import marshmallow as ma

from services.deeds import DeedQuery, DeedSchema, ItemSchema
from services.domain.copies import RULES
from services.domain.notices import LEVELS, RECALL_REASONS
from services.domain.standing import Standing
from services.domain.unit_code import Form
from services.events.published import members
from services.verify.as_json import INTERNAL
from services.verify.wording import Code, Note
from services.web import WordsSchema

MANY = 1000
"""Texts of one request."""


_TEXT = {"type": "string"}
SHOWN: dict[str, Any] = {
    "type": "object",
    "description": "The public members of schemas/state.v1.json",
    "properties": {
        **{name: part for name, part in members("State", "certificate_state").items() if name not in INTERNAL},
        "about": {"enum": ["product", "organisation"]},
        "marks": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"mark_no": _TEXT, "mark": _TEXT},
                "required": ["mark_no", "mark"],
            },
        },
        "seq": {"type": "integer"},
        "recorded_at": {"type": "string", "description": "RFC 3339, UTC"},
        "digest": {"type": ["string", "null"]},
    },
}
"""What an answer shows of a certificate (`as_json.shown_certificate`): the component `Certificate` of the document."""
SHOWN["required"] = list(SHOWN["properties"])


CERTIFICATION = "https://ref.gs1.org/voc/certificationInfo"
"""GS1's relation from a product to where its certification is described."""


class CoverageSchema(WordsSchema):
    """How far the register is complete for a scheme."""

    scheme = ma.fields.Nested(WordsSchema, required=True)
    complete = ma.fields.Boolean(required=True)


class ReasonSchema(WordsSchema):
    code = ma.fields.String(required=True, metadata={"description": "S01–S12, R01–R11, C01–C06"})


class BodySchema(ma.Schema):
    approval_no = ma.fields.String(required=True)
    name = ma.fields.String(required=True, allow_none=True)
    status = ma.fields.String(
        required=True,
        validate=ma.validate.OneOf(["approved", "suspended", "disqualified", "ended", "unknown"]),
        metadata={"description": "On the day of the answer"},
    )


class HeadSchema(ma.Schema):
    """The verdict."""

    code = ma.fields.String(
        required=True,
        allow_none=True,
        validate=ma.validate.OneOf([code.value for code in Code]),
        metadata={"description": "Null only where `candidates` lists several certificates: there is no overall yes"},
    )
    standing = ma.fields.String(
        required=True, allow_none=True, validate=ma.validate.OneOf([standing.value for standing in Standing])
    )
    family = ma.fields.String(required=True, validate=ma.validate.OneOf(["yes", "no", "cannot_say", "input"]))
    title = ma.fields.Nested(WordsSchema, required=True)
    since = ma.fields.Date(required=True, allow_none=True)
    until = ma.fields.Date(required=True, allow_none=True)
    reason = ma.fields.Nested(ReasonSchema, required=True, allow_none=True)
    notes = ma.fields.List(ma.fields.String(validate=ma.validate.OneOf([note.value for note in Note])), required=True)


class CandidateSchema(HeadSchema):
    certificate_no = ma.fields.String(required=True)
    scheme = ma.fields.String(required=True)
    body = ma.fields.String(required=True, allow_none=True)
    holder = ma.fields.String(required=True)


class MarkSchema(ma.Schema):
    mark_no = ma.fields.String(required=True)
    mark = ma.fields.String(required=True)
    family = ma.fields.String(required=True, allow_none=True)
    authorized_by = ma.fields.String(required=True)
    products = ma.fields.List(ma.fields.Nested(ItemSchema), required=True)
    valid_from = ma.fields.Date(required=True)
    valid_until = ma.fields.Date(required=True, allow_none=True)
    standing = ma.fields.String(
        required=True, metadata={"description": "The worse of the mark's own and its certificate's"}
    )


class LevelSchema(WordsSchema):
    code = ma.fields.String(required=True, validate=ma.validate.OneOf(list(LEVELS)))


class RecallReasonSchema(WordsSchema):
    code = ma.fields.String(required=True, validate=ma.validate.OneOf(list(RECALL_REASONS)))


class NoticeSchema(ma.Schema):
    """A recall behind `do_not_sell`, or a consumer alert."""

    kind = ma.fields.String(required=True, validate=ma.validate.OneOf(["recall", "warning"]))
    id = ma.fields.String(required=True)
    level = ma.fields.Nested(LevelSchema, required=True, allow_none=True, metadata={"description": "Of a warning"})
    reason = ma.fields.Nested(
        RecallReasonSchema, required=True, allow_none=True, metadata={"description": "Of a recall"}
    )
    text = ma.fields.Nested(WordsSchema, required=True)
    instrument = ma.fields.String(required=True)
    since = ma.fields.Date(required=True)
    until = ma.fields.Date(required=True, allow_none=True, metadata={"description": "A warning's last day"})
    certificate_no = ma.fields.String(required=True, allow_none=True)
    gtin = ma.fields.String(required=True, allow_none=True)
    model = ma.fields.String(required=True, allow_none=True)
    batches = ma.fields.List(ma.fields.String(), required=True, metadata={"description": "Empty: every batch"})
    made_from = ma.fields.Date(required=True, allow_none=True)
    made_until = ma.fields.Date(required=True, allow_none=True)
    digest = ma.fields.String(required=True, metadata={"description": "The event that opened or issued it"})
    seq = ma.fields.Integer(required=True)
    recorded_at = ma.fields.String(required=True, metadata={"description": "RFC 3339, UTC"})


class LookupsSchema(ma.Schema):
    """How a unit's code has been looked up, over all nodes, as of half a minute ago or so (docs/copies.md)."""

    count = ma.fields.Integer(required=True)
    first_on = ma.fields.Date(required=True)
    districts = ma.fields.Integer(required=True, metadata={"description": "Known districts that it was looked up in"})
    rule = ma.fields.String(
        required=True,
        allow_none=True,
        validate=ma.validate.OneOf([rule.id for rule in RULES]),
        metadata={"description": "By which `possible_copy` is said"},
    )


class VoidSchema(ma.Schema):
    since = ma.fields.Date(required=True)
    reason = ma.fields.Nested(ReasonSchema, required=True)


class UnitSchema(ma.Schema):
    """The single unit whose code was asked for."""

    code = ma.fields.String(required=True)
    form = ma.fields.String(required=True, validate=ma.validate.OneOf([form.value for form in Form]))
    issued = ma.fields.Boolean(required=True, metadata={"description": "Whether a registered set has this code"})
    product = ma.fields.String(required=True, allow_none=True, metadata={"description": "The model that it is of"})
    issued_on = ma.fields.Date(required=True, allow_none=True)
    voided = ma.fields.Nested(VoidSchema, required=True, allow_none=True)


class AnswerSchema(HeadSchema):
    """The answer to one number, address or QR text."""

    certificate = ma.fields.Raw(
        required=True, allow_none=True, metadata={"allOf": [{"$ref": "#/components/schemas/Certificate"}]}
    )
    body = ma.fields.Nested(BodySchema, required=True, allow_none=True)
    mark = ma.fields.Nested(MarkSchema, required=True, allow_none=True)
    item = ma.fields.Nested(ItemSchema, required=True, allow_none=True)
    unit = ma.fields.Nested(UnitSchema, required=True, allow_none=True)
    signature = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "`valid` where a QR's signature was verified"}
    )
    candidates = ma.fields.List(ma.fields.Nested(CandidateSchema), required=True)
    expected = ma.fields.List(ma.fields.Nested(WordsSchema), required=True)
    coverage = ma.fields.List(ma.fields.Nested(CoverageSchema), required=True)
    notices = ma.fields.List(
        ma.fields.Nested(NoticeSchema), required=True, metadata={"description": "Recalls first, then alerts"}
    )
    lookups = ma.fields.Nested(
        LookupsSchema, required=True, allow_none=True, metadata={"description": "Of one unit's code; null before any"}
    )
    as_of = ma.fields.String(required=True, allow_none=True, metadata={"description": "RFC 3339, UTC"})
    seq = ma.fields.Integer(required=True, allow_none=True, metadata={"description": "Last register entry held"})
    checked_at = ma.fields.String(required=True, metadata={"description": "RFC 3339, UTC"})


class AnswersSchema(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(AnswerSchema), required=True)
    next = ma.fields.String(required=True, allow_none=True)


class VerifyQuery(ma.Schema):
    q = ma.fields.String(required=True, metadata={"description": "Any number, address or QR text"})


class ManySchema(ma.Schema):
    """What is asked for; the bare list will do."""

    q = ma.fields.List(ma.fields.String(), required=True, metadata={"description": f"At most {MANY}"})

    @ma.pre_load
    def from_list(self, told: object, **_: object) -> object:
        return {"q": told} if isinstance(told, list) else told


class PermitQuery(DeedQuery):
    m = ma.fields.String(load_default=None, metadata={"description": "The token of the mark's QR, in decimal"})


class PermitSchema(DeedSchema):
    """What is answered about a deed from what is known now."""

    code = ma.fields.String(required=True, validate=ma.validate.OneOf([code.value for code in Code]))
    as_of = ma.fields.String(required=True, allow_none=True, metadata={"description": "RFC 3339, UTC"})
    seq = ma.fields.Integer(required=True, allow_none=True, metadata={"description": "Last register entry held"})
    checked_at = ma.fields.String(required=True, metadata={"description": "RFC 3339, UTC"})


class ProductQuery(ma.Schema):
    uscc = ma.fields.String(required=True, metadata={"description": "The holder's unified social credit code"})
    model = ma.fields.String(required=True, validate=ma.validate.Length(1, 200))
    after = ma.fields.String(load_default="", metadata={"description": "`next` of the page before"})


class ProductMarkSchema(ma.Schema):
    mark_no = ma.fields.String(required=True)
    route = ma.fields.Integer(required=True, allow_none=True)
    standing = ma.fields.String(required=True)


class ProductCertificateSchema(ma.Schema):
    certificate_no = ma.fields.String(required=True)
    code = ma.fields.String(required=True, validate=ma.validate.OneOf([code.value for code in Code]))
    notes = ma.fields.List(ma.fields.String(), required=True)
    valid_from = ma.fields.Date(required=True)
    valid_until = ma.fields.Date(required=True, allow_none=True)
    body = ma.fields.Nested(BodySchema, required=True, allow_none=True)
    marks = ma.fields.List(ma.fields.Nested(ProductMarkSchema), required=True)


class AttributeSchema(ma.Schema):
    """What a body has assessed of the product, and which body."""

    name = ma.fields.String(required=True)
    value = ma.fields.Raw(required=True, metadata={"type": ["number", "string"]})
    unit = ma.fields.String(allow_none=True)
    certificate_no = ma.fields.String(required=True)
    body = ma.fields.String(required=True, allow_none=True)
    route = ma.fields.Integer(required=True, allow_none=True)


class OneProductSchema(ma.Schema):
    """One product of a holder, with the certificates that answer for it together."""

    scheme = ma.fields.String(required=True)
    scheme_name = ma.fields.Nested(WordsSchema, required=True, allow_none=True)
    model = ma.fields.String(required=True)
    gtin = ma.fields.String(required=True, allow_none=True)
    name = ma.fields.String(required=True, allow_none=True)
    holder = ma.fields.String(required=True)
    code = ma.fields.String(required=True, validate=ma.validate.OneOf([code.value for code in Code]))
    notes = ma.fields.List(ma.fields.String(), required=True)
    title = ma.fields.Nested(WordsSchema, required=True)
    certificates = ma.fields.List(ma.fields.Nested(ProductCertificateSchema), required=True)
    attributes = ma.fields.List(ma.fields.Nested(AttributeSchema), required=True)


class ProductSchema(ma.Schema):
    """Certificates of a scheme whose rules say so answer as one product, whoever issued them."""

    code = ma.fields.String(
        allow_none=True, metadata={"description": "Of the only product; null where several, or on one page of more"}
    )
    uscc = ma.fields.String(required=True)
    model = ma.fields.String(required=True)
    products = ma.fields.List(ma.fields.Nested(OneProductSchema), required=True)
    next = ma.fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "There where the holder has more certificates: go on with it as `after`"},
    )
    as_of = ma.fields.String(allow_none=True)
    seq = ma.fields.Integer(allow_none=True)
    checked_at = ma.fields.String(required=True)


class QrQuery(ma.Schema):
    gtin = ma.fields.String(load_default=None, metadata={"description": "The product; the first where absent"})


class CodeToPrintSchema(ma.Schema):
    gtin = ma.fields.String(required=True, allow_none=True)
    model = ma.fields.String(required=True, allow_none=True)
    url = ma.fields.String(required=True, metadata={"description": "What the code says"})


class MarkToPrintSchema(ma.Schema):
    """What a printer needs of a mark: the addresses of its codes, and what stands beside them."""

    mark_no = ma.fields.String(required=True)
    certificate_no = ma.fields.String(required=True)
    mark = ma.fields.Nested(WordsSchema, required=True)
    holder = ma.fields.String(required=True)
    codes = ma.fields.List(ma.fields.Nested(CodeToPrintSchema), required=True)


class LanguageValueSchema(ma.Schema):
    value = ma.fields.String(required=True)
    language = ma.fields.String()


class LinkSchema(ma.Schema):
    href = ma.fields.String(required=True)
    type = ma.fields.String()
    hreflang = ma.fields.List(ma.fields.String())
    titles = ma.fields.List(ma.fields.Nested(LanguageValueSchema), data_key="title*")


class LinkContextSchema(ma.Schema):
    """What was asked for, and by GS1's relation where its certificates are described."""

    anchor = ma.fields.String(required=True)
    certification = ma.fields.List(ma.fields.Nested(LinkSchema), data_key=CERTIFICATION)


class LinksetSchema(ma.Schema):
    """RFC 9264."""

    linkset = ma.fields.List(ma.fields.Nested(LinkContextSchema), required=True)
