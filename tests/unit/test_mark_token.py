"""The mark token, byte for byte and against an independent COSE library."""

import base64
from dataclasses import replace
from datetime import date, timedelta
from typing import ClassVar

import cbor2
import cwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given, settings
from hypothesis import strategies as st

from services import base64url
from services.events.keys import ES256, PrivateKey, new_key, private_key
from services.marks.token import (
    MarkClaims,
    MarkKey,
    MarkPath,
    SignatureRefused,
    TokenRefused,
    UnknownSigner,
    Unreadable,
    decimal,
    from_decimal,
    last_day_said,
    mark_kid,
    mark_url,
    open_token,
    protected_header,
    short_model,
    sign_token,
    valid_days,
    verify_token,
)

GTIN = "06901234567892"
PATH = MarkPath.of_product(GTIN)
VECTOR = bytes.fromhex(
    "01be5de2f4"
    "871950ed1907221b00000004b79741391b000732a53c638980111a000c65396a584b2d32303030422f41"
    "fa6922f63aeabe65b6db66d47b8ade2ebb8fbc0dfc70ce83d056ec046b0c66b9"
    "bf4246dda0dd55503216235c9a3c1af9e1b66b20f62479eef4a94d0801891301"
)
CLAIMS = MarkClaims(
    issued_on=date(1970, 1, 1) + timedelta(days=0x50ED),
    valid_days=0x722,
    mark_no=str(0x4B7974139),
    certificate_no=str(0x732A53C638980),
    list_id=17,
    index=0xC6539,
    model="XK-2000B/A",
)


def seed_key() -> PrivateKey:
    return private_key(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


def ring(*keys: PrivateKey) -> list[MarkKey]:
    return [MarkKey(key.public, date(2020, 1, 1), date(2030, 12, 31)) for key in keys]


def test_the_test_vector_comes_out_byte_for_byte() -> None:
    key = seed_key()
    x = base64.urlsafe_b64decode(key.public.jwk["x"] + "=")
    assert x.hex() == "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"
    assert mark_kid(key.public).hex() == "be5de2f4"
    assert protected_header(1, mark_kid(key.public)).hex() == "a201320444be5de2f4"
    assert PATH.aad == b"0106901234567892"
    assert sign_token(CLAIMS, PATH, key) == VECTOR
    assert len(VECTOR) == 111


def test_the_test_vector_is_read_back() -> None:
    assert verify_token(open_token(from_decimal(decimal(VECTOR))), PATH, ring(seed_key())) == CLAIMS
    assert CLAIMS.last_valid_day == CLAIMS.issued_on + timedelta(days=0x722 - 1)


@pytest.mark.parametrize("alg", ["Ed25519", ES256])
@pytest.mark.parametrize(
    "path",
    [
        PATH,
        MarkPath.of_product(GTIN, "790326983690060267"),
        MarkPath.of_certificate("790624Q00123R0S"),
        MarkPath.of_certificate("沪AB/2024/0031"),
    ],
)
def test_an_independent_cose_library_accepts_the_token(alg: str, path: MarkPath) -> None:
    key = new_key(alg)
    opened = open_token(sign_token(replace(CLAIMS, item_no=3), path, key))
    cose = cbor2.CBORTag(18, [protected_header(opened.version, opened.kid), {}, opened.payload, opened.signature])
    jwk = {**key.public.jwk, "kid": "oracle", "alg": {"Ed25519": "EdDSA", ES256: "ES256"}[alg]}
    number = {"Ed25519": -19, ES256: -9}[alg]
    oracle = cwt.COSEKey.new({**cwt.COSEKey.from_jwk(jwk).to_dict(), 2: opened.kid, 3: number})
    reader = cwt.COSE.new()
    assert reader.decode(cbor2.dumps(cose), oracle, external_aad=path.aad) == opened.payload
    with pytest.raises(cwt.VerifyError):
        reader.decode(cbor2.dumps(cose), oracle, external_aad=path.aad + b"1")


@pytest.mark.parametrize("alg", ["Ed25519", ES256])
def test_no_byte_can_be_changed(alg: str) -> None:
    key = new_key(alg)
    token = sign_token(CLAIMS, PATH, key)
    keys = ring(key)
    for at in range(len(token)):
        for flip in (1, 0x80):
            tampered = token[:at] + bytes((token[at] ^ flip,)) + token[at + 1 :]
            with pytest.raises(TokenRefused) as refused:
                verify_token(open_token(tampered), PATH, keys)
            assert refused.value.code in ("unreadable", "unknown_signer", "bad_signature")


@given(st.binary(max_size=220))
@settings(max_examples=300, deadline=None)
def test_noise_is_unreadable_and_nothing_else_escapes(noise: bytes) -> None:
    for token in (noise, b"\x01" + noise, VECTOR[:5] + noise + VECTOR[-64:]):
        try:
            claims = open_token(token).claims
        except Unreadable:
            continue
        assert cbor2.loads(open_token(token).payload)[6] == claims.model


@pytest.mark.parametrize(
    "payload",
    [
        "871950ed1907221b00000004b79741391b000732a53c638980111a000c65396a584b2d32303030422f",  # cut short
        "871950ed1907221b00000004b79741391b000732a53c638980111a000c6539ea584b2d32303030422f41",  # a float for the model
        "881950ed1907221b00000004b79741391b000732a53c638980111a000c65396a584b2d32303030422f41",  # promises eight
        "871950ed1907221b00000004b79741391b000732a53c63898018111a000c65396a584b2d32303030422f41",  # 17 in two bytes
        "9f1950ed1907221b00000004b79741391b000732a53c638980111a000c65396a584b2d32303030422f41ff",  # indefinite length
        "8700000101000161",  # a text without its bytes
        "870000c1010100010161",  # a tag
        "8700006131010001616d",  # the number 1 as text
        "871bffffffffffffffff000101000161 6d",  # a day beyond the calendar
        "871950ed1bffffffffffffffff01010001616d",
        "871950ed1a003d090001010001616d",  # valid for four million days, past the year 9999
        "87613100010100 01616d",  # text for a day of issue, days, a list, an index, an item
        "8700613101010001616d",
        "8700000101613001616d",
        "87000001010061316161",
        "88000001010001616d6131",
        "8700000101000105",
        "8700000101000161ff",  # not UTF-8
        f"870000010100017819{'61' * 25}",  # a model of 25 bytes
        "",
        "80",
    ],
)
def test_a_payload_that_is_not_canonical_is_unreadable(payload: str) -> None:
    with pytest.raises(Unreadable):
        open_token(VECTOR[:5] + bytes.fromhex(payload) + VECTOR[-64:])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1" * 150,
        "1" * 502,
        "0" + "1" * 200,
        "１" * 200,
        "1" * 200 + "٣",
        "1" * 200 + "²",
        "1" * 200 + "\n",
        " " + "1" * 200,
        "+" + "1" * 200,
        "1_" * 100 + "1",
    ],
)
def test_only_ascii_digits_are_read_as_a_number(text: str) -> None:
    with pytest.raises(Unreadable):
        from_decimal(text)


def test_the_address_is_signed() -> None:
    key = seed_key()
    opened = open_token(VECTOR)
    for path in (
        MarkPath.of_product("06901234567908"),
        MarkPath.of_product(GTIN, "1"),
        MarkPath.of_certificate(CLAIMS.certificate_no),
    ):
        with pytest.raises(SignatureRefused):
            verify_token(opened, path, ring(key))


def test_a_key_counts_only_on_the_days_of_its_window() -> None:
    key = seed_key().public
    opened = open_token(VECTOR)
    day = CLAIMS.issued_on
    assert verify_token(opened, PATH, [MarkKey(key, day, day)]) == CLAIMS
    for window in ((day + timedelta(days=1), None), (day - timedelta(days=9), day - timedelta(days=1))):
        with pytest.raises(UnknownSigner):
            verify_token(opened, PATH, [MarkKey(key, *window)])
    for others in ([], ring(new_key())):
        with pytest.raises(UnknownSigner):
            verify_token(opened, PATH, others)


def test_a_keys_name_is_the_beginning_of_its_cose_thumbprint() -> None:
    """RFC 9679: for a curve of two coordinates its own example (section 6), for Ed25519 see the vector above."""
    x, y = (
        bytes.fromhex(text)
        for text in (
            "65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d",
            "1e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c",
        )
    )

    class Example:
        alg = ES256
        jwk: ClassVar = {"kty": "EC", "crv": "P-256", "x": base64url.encoded(x), "y": base64url.encoded(y)}

        def verify(self, signature: bytes, message: bytes) -> None:
            raise AssertionError

    assert mark_kid(Example()).hex() == "496bd8af"


def test_every_key_with_the_kid_is_tried() -> None:
    """Four bytes of kid can be shared by two keys: the second must get its turn."""
    right = seed_key().public
    wrong = new_key().public

    class SameKid:
        alg = wrong.alg
        jwk = right.jwk  # same thumbprint, another key behind it

        def verify(self, signature: bytes, message: bytes) -> None:
            wrong.verify(signature, message)

    first, always = SameKid(), (date(2000, 1, 1), None)
    assert verify_token(open_token(VECTOR), PATH, [MarkKey(first, *always), MarkKey(right, *always)]) == CLAIMS


def test_the_version_byte_cannot_send_a_token_to_a_key_of_another_kind() -> None:
    key = new_key(ES256)
    token = sign_token(CLAIMS, PATH, key)
    with pytest.raises(UnknownSigner):
        verify_token(open_token(b"\x01" + token[1:]), PATH, ring(key))
    for version in (0, 3, 255):
        with pytest.raises(Unreadable):
            open_token(bytes((version,)) + token[1:])


def test_numbers_that_are_not_canonical_digits_travel_as_text() -> None:
    key = seed_key()
    for number in ("0123", "18446744073709551615", "18446744073709551616", "0", "SHB-M-2024-0031", "１２", "-1"):
        claims = replace(CLAIMS, mark_no=number)
        opened = open_token(sign_token(claims, PATH, key))
        assert verify_token(opened, PATH, ring(key)) == claims
        short = number in ("0", "18446744073709551615")
        assert cbor2.loads(opened.payload)[2] == (int(number) if short else number)


def test_what_just_fits_is_signed() -> None:
    key = seed_key()
    for claims in (
        replace(CLAIMS, issued_on=date(1970, 1, 1)),
        replace(CLAIMS, model="x" * 24),
        replace(CLAIMS, list_id=2**32 - 1, index=0),
    ):
        assert (
            verify_token(open_token(sign_token(claims, PATH, key)), PATH, [MarkKey(key.public, claims.issued_on)])
            == claims
        )


def test_the_number_of_the_item_travels_where_there_is_one() -> None:
    key = seed_key()
    for number in (0, 7, 2**32 - 1):
        claims = replace(CLAIMS, item_no=number)
        assert verify_token(open_token(sign_token(claims, PATH, key)), PATH, ring(key)) == claims


def test_what_is_signed_of_the_address_is_what_the_contract_says() -> None:
    """Whoever signs and verifies by the same function would not notice that it changed."""
    number = "沪AB/2024/0031"
    for path, aad, url in (
        (MarkPath.of_product(GTIN, "A/1"), f"01{GTIN}21A/1", f"/01/{GTIN}/21/A%2F1"),
        (MarkPath.of_certificate(number), f"c{number}", "/c/%E6%B2%AAAB%2F2024%2F0031"),
    ):
        assert (path.aad, path.url_path) == (aad.encode(), url)


def test_the_last_day_of_a_token_of_ours_is_read_without_the_rest() -> None:
    for claims in (CLAIMS, replace(CLAIMS, valid_days=0), replace(CLAIMS, issued_on=date(2026, 11, 1), valid_days=1)):
        assert last_day_said(sign_token(claims, PATH, seed_key())) == claims.last_valid_day


def test_the_address_in_a_code_is_in_lower_case() -> None:
    assert mark_url("https://v.example", PATH, VECTOR) == f"https://v.example/01/{GTIN}?m={decimal(VECTOR)}"
    for base in ("HTTPS://V.EXAMPLE", "https://V.example"):
        with pytest.raises(ValueError):
            mark_url(base, PATH, VECTOR)


def test_what_does_not_fit_is_refused_when_signing() -> None:
    key = seed_key()
    for claims in (
        replace(CLAIMS, model="x" * 25),
        replace(CLAIMS, valid_days=-1),
        replace(CLAIMS, index=2**32),
        replace(CLAIMS, list_id=2**32),
        replace(CLAIMS, item_no=-1),
        replace(CLAIMS, mark_no="M" * 64, certificate_no="C" * 64),
        replace(CLAIMS, issued_on=date(1969, 12, 31)),
    ):
        with pytest.raises(ValueError):
            sign_token(claims, PATH, key)
    with pytest.raises(ValueError):
        valid_days(date(2026, 1, 2), date(2026, 1, 1))


def test_the_last_valid_day_is_the_marks_last_day() -> None:
    day = date(2026, 11, 1)
    for until in (day, date(2027, 6, 8), None):
        assert replace(CLAIMS, issued_on=day, valid_days=valid_days(day, until)).last_valid_day == until


def test_the_short_model_never_cuts_a_character() -> None:
    assert short_model("KFR-35GW/A1") == "KFR-35GW/A1"
    assert short_model("五十升落地式储水电热水器") == "五十升落地式储水"
    assert short_model("a" + "五" * 9) == "a" + "五" * 7
