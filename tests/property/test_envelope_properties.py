"""Strict JSON against the standard reader, and envelopes there and back, over whatever hypothesis thinks of."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from stdnum import ean
from stdnum.cn import uscc

from services.domain.errors import CertmarkError, Malformed
from services.events import strict_json
from services.events.envelope import TYP, check_signature, open_envelope, read_event, sign_compact, sign_event
from services.events.event_types import is_gtin14, is_uscc
from services.events.keys import new_key

KEYS = (new_key(), new_key("ES256"))
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXT,
)
VALUES = st.recursive(
    SCALARS, lambda below: st.lists(below, max_size=4) | st.dictionaries(TEXT, below, max_size=4), max_leaves=20
)
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=5)


@given(OBJECTS, st.booleans())
def test_what_is_plain_json_is_read_as_the_standard_reader_reads_it(value: dict[str, Any], ascii_: bool) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_).encode()
    assert strict_json.loads(raw) == json.loads(raw)


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_raise_anything_else(raw: bytes) -> None:
    try:
        assert isinstance(strict_json.loads(raw), dict)
    except Malformed:
        pass


@given(OBJECTS, st.data())
def test_a_damaged_text_is_read_alike_or_refused(value: dict[str, Any], data: st.DataObject) -> None:
    raw = bytearray(json.dumps(value, ensure_ascii=False).encode())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] = data.draw(st.integers(0, 255))
    try:
        found = strict_json.loads(bytes(raw))
    except Malformed:
        return
    assert found == json.loads(bytes(raw))


@given(st.lists(st.tuples(st.sampled_from(("a", "b", "中", "")) | TEXT, VALUES), max_size=4), st.data())
def test_what_is_read_quickly_is_read_and_refused_alike(members: list[tuple[str, Any]], data: st.DataObject) -> None:
    """Compact text may be read the quick way, and with a space behind it never is. Names may come twice."""
    written = [json.dumps(part, ensure_ascii=False, separators=(",", ":")) for pair in members for part in pair]
    raw = bytearray(("{" + ",".join(map(":".join, zip(written[::2], written[1::2], strict=True))) + "}").encode())
    if data.draw(st.booleans()):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.sampled_from(b'0\\"{}[]:,-.eE\x00\x7f\xff'))
    assert _read(bytes(raw)) == _read(bytes(raw) + b" ")


def _read(raw: bytes) -> str:
    try:
        return json.dumps(strict_json.loads(raw))  # by its text: 1 and 1.0 are equal
    except Malformed as error:
        return f"{error.slug}: {error.detail}"


@given(OBJECTS, st.sampled_from(KEYS))
def test_any_payload_comes_back_with_its_exact_bytes(value: dict[str, Any], key: Any) -> None:
    payload = json.dumps(value, ensure_ascii=False).encode()
    header = {"alg": key.public.alg, "kid": key.public.kid, "typ": TYP}
    envelope = open_envelope(sign_compact(header, payload, key))
    check_signature(envelope, key.public)
    assert envelope.payload == payload


@given(st.data(), st.sampled_from(KEYS))
def test_no_changed_byte_goes_unnoticed(data: st.DataObject, key: Any) -> None:
    jws = bytearray(sign_event({"subject": "x", "data": {}}, key))
    place = data.draw(st.integers(0, len(jws) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != jws[place]))
    jws[place] = other
    try:
        envelope = open_envelope(bytes(jws))
        check_signature(envelope, key.public)
    except CertmarkError:
        return
    raise AssertionError("a changed envelope still verifies")


@given(OBJECTS)
def test_reading_an_event_raises_nothing_but_malformed(value: dict[str, Any]) -> None:
    try:
        read_event(open_envelope(sign_event(value, KEYS[0])))
    except Malformed:
        pass


@given(st.from_regex(r"[0-9]{12,15}", fullmatch=True))
def test_our_check_digit_of_a_gtin_is_the_librarys(digits: str) -> None:
    assert is_gtin14(digits) == (len(digits) == 14 and ean.is_valid(digits))


@given(st.from_regex(r"[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}", fullmatch=True), st.integers(0, 17))
def test_our_check_of_a_credit_code_is_the_librarys(code: str, place: int) -> None:
    """But that the library lets no code begin with letters."""
    assert is_uscc(code) == (uscc.calc_check_digit(code) == code[17])
    right = code[:17] + uscc.calc_check_digit(code)
    assert is_uscc(right)
    assert not is_uscc(right[:place] + "I" + right[place + 1 :])
    other = "1" if right[place] == "0" else "0"
    assert not is_uscc(right[:place] + other + right[place + 1 :]), "one sign that is wrong is always found"
