"""A sealed record in the file: what is signed in few bytes without base64, and every byte again when asked."""

import zlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass

from services.events.record import Sealed, open_sealed

SEAL_BYTES = 64
"""Of Ed25519 and of ES256 alike."""

_WINDOW, _MEMORY, _QUICK = -13, 6, 1
"""Deflate as it is (RFC 1951), over the last 8 kB: what is told twice stands near in a record."""

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
class Packed:
    """`head` is the signed header as it came, which millions of records share; empty where `rest` is the whole."""

    head: bytes
    rest: bytes


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The record as it was sealed: its header in base64, what is signed, and the seal; `whole` where it is kept so."""

    head: bytes
    text: bytes
    seal: bytes
    whole: bytes = b""

    @property
    def sealed(self) -> bytes:
        """The JWS compact string, byte for byte as it came."""
        return self.whole or b".".join((self.head, _base64(self.text), _base64(self.seal)))


def pack(sealed: bytes, opened: Sealed, beside: bytes) -> Packed:
    """`opened` is the record taken apart, `beside` what the file holds of it anyway."""
    text, seal = opened.payload, opened.seal
    if len(seal) != SEAL_BYTES or not _comes_out_again(sealed, text, seal):
        return Packed(b"", sealed)
    deflate = zlib.compressobj(_QUICK, zlib.DEFLATED, _WINDOW, _MEMORY, zlib.Z_DEFAULT_STRATEGY, _USUAL + beside)
    return Packed(sealed[: sealed.index(b".")], b"".join((seal, deflate.compress(text), deflate.flush())))


def unpack(packed: Packed, beside: bytes) -> Unpacked:
    """The reverse.

    Raises:
        zlib.error, NotAnEnvelope: these are no longer the bytes that were packed.
    """
    if not packed.head:
        opened = open_sealed(packed.rest)
        return Unpacked(packed.rest[: packed.rest.index(b".")], opened.payload, opened.seal, packed.rest)
    text = zlib.decompressobj(_WINDOW, _USUAL + beside).decompress(packed.rest[SEAL_BYTES:])
    return Unpacked(packed.head, text, packed.rest[:SEAL_BYTES])


def _comes_out_again(sealed: bytes, text: bytes, seal: bytes) -> bool:
    """Whether it is base64url as we write it: a reader of base64 takes `+`, padding and loose last bits as well."""
    if b"+" in sealed or b"/" in sealed or b"=" in sealed:
        return False
    return sealed.endswith(_last(seal)) and sealed.endswith(_last(text), 0, sealed.rindex(b"."))


def _last(part: bytes) -> bytes:
    """The last characters of a part's base64, in which alone two spellings of the same bytes can differ."""
    return _base64(part[-(len(part) % 3 or 3) :])


def _base64(part: bytes) -> bytes:
    return urlsafe_b64encode(part).rstrip(b"=")
