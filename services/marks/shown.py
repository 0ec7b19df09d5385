"""Trust documents as people read them: days and instants as text, keys as JWKs."""

from typing import Any

from services.domain.identifiers import instant_text
from services.events.keys import PublicKey
from services.marks.signers import Signer
from services.marks.token import mark_kid
from services.marks.trust_list import Document, Root


def document_json(document: Document) -> dict[str, Any]:
    """A document, believed or not."""
    content = document.content
    told: dict[str, Any] = {
        "kind": "root" if isinstance(content, Root) else "list",
        "version": content.version,
        "issued_at": instant_text(content.issued_at),
        "expires_at": instant_text(content.expires_at),
        "register": content.register,
        "digest": document.digest,
        "signed_by": [signature.kid.hex() for signature in document.signatures],
    }
    if isinstance(content, Root):
        return told | {
            "threshold": content.threshold,
            "roots": [_key_json(key) for key in content.keys],
            "delegates": [_key_json(key) for key in content.delegates],
        }
    return told | {
        "root": content.root,
        "hosts": list(content.hosts),
        "status": content.status,
        "signers": [_signer_json(signer) for signer in content.signers],
    }


def _key_json(key: PublicKey) -> dict[str, Any]:
    return {"kid": mark_kid(key).hex(), "alg": key.alg, "key": dict(key.jwk)}


def _signer_json(signer: Signer) -> dict[str, Any]:
    return _key_json(signer.public) | {
        "issuer": signer.issuer,
        "purpose": signer.purpose.value,
        "from": signer.first_day.isoformat(),
        "until": signer.last_day.isoformat() if signer.last_day else None,
        "state": signer.state.value,
        "since": instant_text(signer.since) if signer.since else None,
    }
