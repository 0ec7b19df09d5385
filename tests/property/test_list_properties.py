"""Lists and trust documents by chance: what is written is read back, every other byte is refused, noise is nothing."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import cbor2
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.body import Purpose
from services.domain.errors import CertmarkError
from services.events.keys import ES256, new_key
from services.marks import strict_cbor
from services.marks.signers import KeyStanding, Signer
from services.marks.status_list import (
    StatusList,
    deflated,
    empty_array,
    inflated,
    open_list,
    put_status,
    sign_list,
    status_in,
    verify_list,
)
from services.marks.strict_cbor import NotCbor
from services.marks.trust_list import (
    Root,
    TrustList,
    bundle,
    list_payload,
    open_bundle,
    open_document,
    root_payload,
    sign_document,
    walk,
)
from services.marks.voided import packed

KEYS = [new_key(alg) for alg in ("Ed25519", ES256, "Ed25519", ES256)]
NOW = datetime(2026, 11, 26, 4, tzinfo=UTC)
REGISTER = "ab" * 32
DAYS = st.dates(date(1970, 1, 1), date(2100, 1, 1))
SECONDS = st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=30) | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=30), inner, max_size=4)
        | st.dictionaries(st.integers(0, 2**32), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES)
@settings(max_examples=100, deadline=None)
def test_the_strict_reader_reads_what_a_deterministic_writer_writes(value: Any) -> None:
    written = cbor2.dumps(value, canonical=True)
    assert strict_cbor.dumps(value) == written
    assert strict_cbor.loads(written) == value


@given(st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_what_the_strict_reader_takes_is_the_one_encoding_of_its_value(noise: bytes) -> None:
    try:
        value = strict_cbor.loads(noise)
    except NotCbor:
        return
    assert cbor2.loads(noise) == value
    assert strict_cbor.dumps(value) == noise


@given(st.sampled_from([1, 2, 4, 8]), st.lists(st.tuples(st.integers(0, 799), st.integers(0, 255)), max_size=60))
@settings(max_examples=100, deadline=None)
def test_an_array_holds_what_was_put_into_it_last(bits: int, put: list[tuple[int, int]]) -> None:
    array, held = empty_array(800, bits), dict.fromkeys(range(800), 0)
    for at, value in put:
        put_status(array, at, value, bits)
        held[at] = value % (1 << bits)
    assert {at: status_in(array, at, bits) for at in range(800)} == held
    assert inflated(deflated(array), bits) == array


VOIDED = st.none() | st.lists(st.binary(min_size=8, max_size=8), max_size=9).map(packed)


@given(st.binary(min_size=1, max_size=300), VOIDED, st.sampled_from(KEYS), SECONDS, st.data())
@settings(max_examples=60, deadline=None)
def test_a_list_is_read_back_and_no_other_byte_is_taken(
    array: bytes, voided: bytes | None, key: Any, issued: datetime, data: Any
) -> None:
    uri, ends = "https://mark.example/status/1", issued + timedelta(hours=48)
    content = StatusList(uri, issued, ends, 900, array, voided=voided)
    signer = Signer("urn:certmark:registry:main", Purpose.STATUS, key.public, date(1970, 1, 1))
    signed = sign_list(content, key)
    assert verify_list(open_list(signed), [signer]) == content
    at, to = data.draw(st.integers(0, len(signed) - 1)), data.draw(st.integers(0, 255))
    changed = signed[:at] + bytes((to,)) + signed[at + 1 :]
    if changed == signed:
        return
    try:
        verify_list(open_list(changed), [signer])
    except CertmarkError:
        return
    raise AssertionError(f"byte {at} may be {to}")


SIGNERS = st.builds(
    Signer,
    st.just("urn:certmark:registry:main"),
    st.sampled_from(list(Purpose)),
    st.sampled_from([key.public for key in KEYS]),
    DAYS,
    st.none() | DAYS,
    st.sampled_from([KeyStanding.RETIRED, KeyStanding.COMPROMISED]),
    SECONDS,
)


@given(st.lists(SIGNERS, max_size=6), st.lists(st.text(min_size=1, max_size=60), max_size=4), st.integers(1, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_a_trust_list_is_read_back(signers: list[Signer], hosts: list[str], version: int) -> None:
    root = Root(1, NOW, NOW + timedelta(days=9), REGISTER, tuple(k.public for k in KEYS[:3]), 2, (KEYS[3].public,))
    first = sign_document(root_payload(root), KEYS[:2])
    content = TrustList(
        version, NOW, NOW + timedelta(days=9), REGISTER, 1, tuple(hosts), "https://mark.example/status", tuple(signers)
    )
    whole = bundle([first, sign_document(list_payload(content), [KEYS[3]])])
    assert open_bundle(whole)[0] == first
    found = walk(whole, open_document(first).digest, NOW)
    assert (found.root, found.list) == (root, content)


@given(st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_noise_is_refused_and_nothing_else_escapes(noise: bytes) -> None:
    for read in (open_list, open_document, open_bundle):
        for data in (noise, b"\xd2\x84" + noise, b"\xd8\x62\x84" + noise, b"\x82" + noise):
            try:
                read(data)
            except CertmarkError:
                continue
