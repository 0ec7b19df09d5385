"""A record in the file: few bytes, and every byte again when asked."""

import json
from base64 import urlsafe_b64decode

import pytest

from services.events.envelope import sign_compact
from services.events.keys import new_key
from services.events.record import TYP, open_sealed
from services.verify.packed import SEAL_BYTES, pack, unpack
from tests.sealed_register import SealedRegister

KEY = new_key()


def sealed(payload: bytes) -> bytes:
    return sign_compact({"alg": KEY.public.alg, "kid": KEY.public.kid, "typ": TYP}, payload, KEY)


@pytest.mark.parametrize("beside", [b"", b"x" * 3000, json.dumps({"state": "示范"}, ensure_ascii=False).encode() * 900])
@pytest.mark.parametrize("payload", [b"{}", b"{} ", b"{}  ", "示范".encode() * 9000, bytes(range(256)) * 40])
def test_every_byte_comes_back(payload: bytes, beside: bytes) -> None:
    value = sealed(payload)
    packed = pack(value, open_sealed(value), beside)
    assert packed.head
    found = unpack(packed, beside)
    assert (found.sealed, found.text) == (value, payload)


def test_real_records_are_a_fraction_beside_what_is_shown() -> None:
    values = [v for key, v in SealedRegister().publish_all().values if key.startswith("certificate/")]
    packed = [pack(value, open_sealed(value), b"") for value in values]
    assert [unpack(one, b"").sealed for one in packed] == values
    assert sum(len(one.rest) for one in packed) < 0.5 * sum(map(len, values))


def other_spellings(value: bytes) -> list[bytes]:
    """The same three parts in base64 that a reader takes as well, and that would come out in our own spelling."""
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


def test_another_spelling_is_kept_whole() -> None:
    value = sealed('{"示":1}'.encode())  # nine bytes need no loose bits, ten do
    value = sealed(b'{"name":12}')
    while b"-" not in value.rpartition(b".")[2] and b"_" not in value.rpartition(b".")[2]:
        value = sealed(b'{"name":%d}' % (10 + len(value) % 80))
    for spelled in other_spellings(value):
        packed = pack(spelled, open_sealed(spelled), b"beside")
        assert packed.head == b""
        assert unpack(packed, b"beside").sealed == spelled


def test_a_seal_of_another_length_is_kept_whole() -> None:
    head, payload, seal = sealed(b"{}").split(b".")
    value = b".".join((head, payload, seal + b"AAAA"))
    assert len(open_sealed(value).seal) != SEAL_BYTES
    packed = pack(value, open_sealed(value), b"")
    assert unpack(packed, b"").sealed == value
