"""Base64url has one spelling: what is read is what would be written."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services import base64url


@given(st.binary(max_size=40))
def test_what_is_written_is_read(data: bytes) -> None:
    text = base64url.encoded(data)
    assert text == base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    assert base64url.decoded(text) == base64url.decoded(text.encode()) == data


@given(st.text(alphabet="AQgwZz09-_+/= \n\x00é", max_size=9))
def test_nothing_else_is_read(text: str) -> None:
    try:
        data = base64url.decoded(text)
    except ValueError:
        return
    assert base64url.encoded(data) == text


@pytest.mark.parametrize("text", ["A", "AB", "AAB", "AA==", "AA+A", "AA/A", "AA A", "AAAAA", "AAA\n"])
def test_padding_loose_bits_and_other_letters_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        base64url.decoded(text)
