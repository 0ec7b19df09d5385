"""A sealed record in the file: what is signed in few bytes without base64, and every byte again when asked."""

import zlib
from dataclasses import dataclass

from services import base64url
from services.events.record import Sealed

SEAL_BYTES = 64
"""Of Ed25519 and of ES256 alike."""

_WINDOW, _MEMORY, _QUICK = -13, 6, 2
"""Deflate as it is (RFC 1951), over the last 8 kB: what is told twice stands near in a record. In the codes that every
reader knows (`Z_FIXED`): codes of its own would make a record a tenth smaller, and cost a microsecond each way."""

_USUAL = (
    b'{"v":1,"key":"certificate/20","revision":1,"seq":1,"recorded_at":"2026-01-01T00:00:00.000Z","digest":"",'
    b'"under_review":false,"event":null,"state":{"approver":"","audit_refs":[],"headcount":null,"kind":"certificate",'
    b'"marks":[{"attributes":[],"authorized_by":"urn:certmark:body:CNCA-R-20","code_sets":[],"family":null,"mark":"ccc",'
    b'"mark_no":"20","media":["product","package","web"],"products":[{"model":"","gtin":"069"}],"quantity":null,'
    b'"route":null,"status":"active","statuses":[{"determined_on":null,"digest":"","from":"20","reason":null,'
    b'"status":"active","until":null}],"valid_from":"20","valid_until":"20","voided":[]}],"organic":null,"parts":[],'
    b'"periods":[],"status":"active","statuses":[{"determined_on":null,"digest":"","from":"20","reason":null,"status":'
    b'"active","until":null}],"superseded_by":null,"supersedes":null,"surveillance_due":"20","surveillances":["20"],'
    b'"transfer":null,"v":1,"valid_from":"20","valid_until":"20"},"tokens":[{"mark_no":"20","gtin":"069","model":"",'
    b'"token":"A","list":1,"index":1}],"history":[{"seq":1,"type":"certmark.certificate.issued.v1","source":'
    b'"urn:certmark:body:CNCA-R-20","digest":"","effective_at":"20","recorded_at":"2026-01-01T00:00:00.000Z"},{"seq":1,'
    b'"type":"certmark.certificate.surveillance_passed.v1"},{"type":"certmark.certificate.suspended.v1"},'
    b'{"type":"certmark.certificate.resumed.v1"},{"type":"certmark.mark.authorized.v1"}]}'
)
"""What stands in nearly every record, so that it need not stand in the file. A change of it is another format."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The record as it was sealed: its header in base64, what is signed, and the seal."""

    head: bytes
    text: bytes
    seal: bytes

    @property
    def sealed(self) -> bytes:
        """The JWS compact string, byte for byte as it came: base64url has one spelling (`record.open_sealed`)."""
        return b".".join((self.head, base64url.encoded(self.text).encode(), base64url.encoded(self.seal).encode()))


def pack(opened: Sealed, beside: bytes) -> bytes:
    """What is signed, and the seal, of a record whose seal holds; `beside` is what the file holds of it anyway."""
    deflate = zlib.compressobj(_QUICK, zlib.DEFLATED, _WINDOW, _MEMORY, zlib.Z_FIXED, _USUAL + beside)
    return b"".join((opened.seal, deflate.compress(opened.payload), deflate.flush()))


def unpack(head: bytes, packed: bytes, beside: bytes) -> Unpacked:
    """The reverse; `head` is the signed header as it came, which millions of records share.

    Raises:
        zlib.error: these are no longer the bytes that were packed.
    """
    text = zlib.decompressobj(_WINDOW, _USUAL + beside).decompress(packed[SEAL_BYTES:])
    return Unpacked(head, text, packed[:SEAL_BYTES])
