"""What an answer rests on, to take away: the sealed record of a certificate, and the public keys to check it with."""

from typing import Any

import marshmallow as ma
from flask import Response, request

from services.domain.body import Key
from services.domain.errors import NotFound
from services.domain.identifiers import certificate_number, instant_text
from services.events.keys import ED25519, ES256, HEADER_NAMES
from services.verify.as_json import dumps
from services.verify.node import Node
from services.verify.quick import etag
from services.verify.read_model import Stored, certificate_key
from services.web import Blueprint

JOSE = "application/jose"


class JwkSchema(ma.Schema):
    """RFC 7517, with what any JOSE library wants to know."""

    kty = ma.fields.String(required=True, validate=ma.validate.OneOf(["OKP", "EC"]))
    crv = ma.fields.String(required=True, validate=ma.validate.OneOf(["Ed25519", "P-256"]))
    x = ma.fields.String(required=True)
    y = ma.fields.String()
    kid = ma.fields.String(required=True)
    use = ma.fields.String(required=True)
    alg = ma.fields.String(required=True)


class PublicKeySchema(ma.Schema):
    """A registered public key; `key` is a JWK as any JOSE library takes it."""

    kid = ma.fields.String(required=True, metadata={"description": "RFC 7638 thumbprint"})
    owner = ma.fields.String(required=True)
    purpose = ma.fields.String(required=True)
    key = ma.fields.Nested(JwkSchema, required=True)
    since = ma.fields.Date(required=True, data_key="from")
    until = ma.fields.Date(required=True, allow_none=True)
    retired_on = ma.fields.Date(required=True, allow_none=True)
    compromised_since = ma.fields.String(required=True, allow_none=True)
    event = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "The signed event (JWS) that added the key"}
    )


def blueprint(node: Node) -> Blueprint:
    """`/c/{no}/record` and `/v1/keys/{kid}`."""
    proof = Blueprint("proof", __name__, description="Evidence, to check without us")

    @proof.get("/c/<path:number>/record")
    @proof.doc(
        summary="The sealed record behind the answer on a certificate, as the registry published it (JWS)",
        responses={
            200: {"description": "A JWS in compact form; schemas/record.v1.json is its payload", "content": {JOSE: {}}},
            404: {"description": "No such certificate"},
            503: {"description": "This node cannot say at present"},
        },
    )
    def record(number: str) -> Response:
        stored = _stored(node, certificate_key(certificate_number(number)))
        return _kept(Response(stored.sealed, content_type=JOSE), stored.sealed)

    @proof.get("/v1/keys/<kid>")
    @proof.response(200, PublicKeySchema, description="The public key, with the event that registered it")
    @proof.doc(summary="A registered public key by its thumbprint")
    def key(kid: str) -> Response:
        found = next((key for key in node.directory().keys if key.kid == kid), None)
        if found is None:
            raise NotFound(f"no key {kid!r} is registered")
        content = dumps(public_key_json(found, _stored(node, f"key/{kid}")))
        return _kept(Response(content, content_type="application/json"), content)

    return proof


def public_key_json(key: Key, stored: Stored) -> dict[str, Any]:
    alg = HEADER_NAMES[ED25519 if key.jwk["crv"] == "Ed25519" else ES256][0]
    return {
        "kid": key.kid,
        "owner": key.owner,
        "purpose": key.purpose.value,
        "key": {**key.jwk, "kid": key.kid, "use": "sig", "alg": alg},
        "from": key.valid_from.isoformat(),
        "until": key.valid_until.isoformat() if key.valid_until else None,
        "retired_on": key.retired_on.isoformat() if key.retired_on else None,
        "compromised_since": instant_text(key.compromised_since) if key.compromised_since else None,
        "event": stored.payload()["event"],
    }


def _stored(node: Node, key: str) -> Stored:
    """A record that this node holds.

    Raises:
        NotFound: the register has none. CannotSay: this node has not read all of it, or cannot read it.
    """
    with node.readable():
        meta = node.register.meta()
        stored = node.register.model.record(key)
    if stored is not None:
        return stored
    if not meta.complete:
        raise node.cannot_say("the read model is still being built")
    raise NotFound(f"nothing is registered as {key}")


def _kept(response: Response, content: bytes) -> Response:
    response.headers["Cache-Control"] = "no-cache"
    response.headers["ETag"] = etag(content)
    response.make_conditional(request)
    return response
