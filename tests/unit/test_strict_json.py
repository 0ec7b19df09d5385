"""What strict JSON refuses, each by its own name."""

import json

import pytest

from services.domain.errors import BadNumber, BadText, CertmarkError, DuplicateKey, NotJson, TooDeep
from services.events import strict_json


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", NotJson),
        (b"[]", NotJson),
        (b'"text"', NotJson),
        (b"null", NotJson),
        (b"{} {}", NotJson),
        (b"{'a': 1}", NotJson),
        (b'{"a": 1,}', NotJson),
        (b'{"a": 01}', NotJson),
        (b'\xef\xbb\xbf{"a": 1}', NotJson),
        (b'{"a": "\xff"}', NotJson),
        (b'{"a": "\xed\xa0\x80"}', NotJson),
        (b'{"a": "line\nbreak"}', NotJson),
        (b'{"a": 1, "a": 1}', DuplicateKey),
        (b'{"a": 1, "\\u0061": 2}', DuplicateKey),
        (b'{"x": {"a": 1, "b": 2, "a": 3}}', DuplicateKey),
        (b'{"a": NaN}', BadNumber),
        (b'{"a": -Infinity}', BadNumber),
        (b'{"a": 1e400}', BadNumber),
        (b'{"a": 9007199254740992}', BadNumber),
        (b'{"a": -9007199254740992}', BadNumber),
        (b'{"a": ' + b"9" * 5000 + b"}", BadNumber),
        (b'{"a": "\\ud800"}', BadText),
        (b'{"\\udfff": 1}', BadText),
        (b'{"a": "\\u0000"}', BadText),
        (b'{"a":' * 33 + b"1" + b"}" * 33, TooDeep),
        (b'{"a":' + b"[" * 32 + b"]" * 32 + b"}", TooDeep),
        (b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}", TooDeep),
    ],
)
def test_what_two_readers_could_understand_differently_is_refused(raw: bytes, error: type[CertmarkError]) -> None:
    with pytest.raises(error):
        strict_json.loads(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b'{"a": 9007199254740991, "b": -9007199254740991}',
        b'{"a": 1e308}',
        b'{"a": "\\ud83d\\ude00"}',
        b'{"a":' * 32 + b"1" + b"}" * 32,
        b'{"a":' + b"[" * 31 + b"]" * 31 + b"}",
        b' \r\n\t{"a": "\xe8\xaf\x81"} ',
    ],
)
def test_the_last_that_is_allowed_is_read(raw: bytes) -> None:
    assert strict_json.loads(raw) == json.loads(raw)
