"""A record in the file: few bytes, and every byte again when asked."""

import json
from base64 import urlsafe_b64decode

import pytest

from services.domain.errors import NotAnEnvelope
from services.events.envelope import sign_compact
from services.events.keys import new_key
from services.events.record import TYP, open_sealed
from services.verify.packed import pack, unpack
from tests.sealed_register import SealedRegister

KEY = new_key()


def sealed(payload: bytes) -> bytes:
    return sign_compact({"alg": KEY.public.alg, "kid": KEY.public.kid, "typ": TYP}, payload, KEY)


@pytest.mark.parametrize("beside", [b"", b"x" * 3000, json.dumps({"state": "示范"}, ensure_ascii=False).encode() * 900])
@pytest.mark.parametrize("payload", [b"{}", b"{} ", b"{}  ", "示范".encode() * 9000, bytes(range(256)) * 40])
def test_every_byte_comes_back(payload: bytes, beside: bytes) -> None:
    value = sealed(payload)
    found = unpack(value.partition(b".")[0], pack(open_sealed(value), beside), beside)
    assert (found.sealed, found.text) == (value, payload)


def test_real_records_are_a_fraction_beside_what_is_shown() -> None:
    values = [v for key, v in SealedRegister().publish_all().values if key.startswith("certificate/")]
    packed = [pack(open_sealed(value), b"") for value in values]
    heads = [value.partition(b".")[0] for value in values]
    assert [unpack(head, one, b"").sealed for head, one in zip(heads, packed, strict=True)] == values
    assert sum(map(len, packed)) < 0.5 * sum(map(len, values))


def other_spellings(value: bytes) -> list[bytes]:
    """The same three parts in base64 that a lenient reader takes as well."""
    head, payload, seal = value.split(b".")
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    loose = seal[:-1] + letters[letters.index(seal[-1]) + 1 :][:1]
    assert urlsafe_b64decode(loose + b"==") == urlsafe_b64decode(seal + b"==")
    with_loose_payload = payload[:-1] + letters[letters.index(payload[-1]) + 1 :][:1]
    plus = seal.replace(b"-", b"+").replace(b"_", b"/")
    return [
        b".".join((head, payload, loose)),
        b".".join((head, payload, seal + b"==")),
        b".".join((head, payload, plus)),
        b".".join((head, with_loose_payload, seal)),
    ]


def test_another_spelling_is_refused() -> None:
    value = sealed(b'{"name":12}')
    while b"-" not in value.rpartition(b".")[2] and b"_" not in value.rpartition(b".")[2]:
        value = sealed(b'{"name":%d}' % (10 + len(value) % 80))
    for spelled in other_spellings(value):
        with pytest.raises(NotAnEnvelope):
            open_sealed(spelled)
