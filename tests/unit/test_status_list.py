"""Status lists: the draft's vectors, an independent COSE library, and what is refused."""

import json
import random
import zlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import cbor2
import cwt
import pytest

from services.domain.body import Purpose
from services.domain.standing import Standing
from services.events.keys import ES256, PrivateKey, new_key
from services.marks import status_list
from services.marks.signers import KeyStanding, Signer
from services.marks.status_list import (
    SIZE,
    STATUS_OF,
    ListBadSignature,
    ListExpired,
    ListNotThisOne,
    ListTooLarge,
    ListTooShort,
    ListUnknownSigner,
    ListUnreadable,
    ListWrongPurpose,
    Status,
    StatusList,
    check_list,
    deflated,
    empty_array,
    inflated,
    open_list,
    put_status,
    sign_list,
    status_in,
    verify_list,
)
from services.marks.token import mark_kid

URI = "https://mark.example/status/17"
NOW = datetime(2026, 11, 26, 4, tzinfo=UTC)
VOIDED = bytes.fromhex("1f0c3b5a7e29d8469c0d1e2f3a4b5c6d")
VECTORS = json.loads((Path(__file__).parents[1] / "vectors/status_list.json").read_text(encoding="utf-8"))["vectors"]


def a_signer(key: PrivateKey, purpose: Purpose = Purpose.STATUS, **how: Any) -> Signer:
    return Signer("urn:certmark:registry:main", purpose, key.public, date(2026, 1, 1), **how)


def a_list(**how: Any) -> StatusList:
    array = empty_array(100)
    put_status(array, 7, Status.SUSPENDED)
    aggregation = "https://mark.example/status/lists"
    content = StatusList(URI, NOW, NOW + timedelta(hours=48), 900, bytes(array), aggregation, voided=VOIDED)
    return replace(content, **how)


def believed(data: bytes, *signers: Signer) -> StatusList:
    return verify_list(open_list(data), signers)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v['bits']} bits, {v['places']} places")
def test_the_vectors_of_the_draft(vector: dict[str, Any]) -> None:
    bits, told = vector["bits"], {int(at): value for at, value in vector["statuses"].items()}
    held = cbor2.loads(bytes.fromhex(vector["cbor"]))
    assert held["bits"] == bits
    array = inflated(held["lst"], bits)
    assert len(array) * 8 // bits == vector["places"]
    for at, value in told.items():
        assert status_in(array, at, bits) == value
    made = empty_array(vector["places"], bits)
    for at, value in told.items():
        put_status(made, at, value, bits)
    assert bytes(made) == array, "and nothing but what is told"
    assert inflated(deflated(made), bits) == array


def test_two_bits_lie_as_the_draft_draws_them() -> None:
    array = empty_array(12)
    for at, value in enumerate((1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3)):
        put_status(array, at, value)
    assert array.hex() == "c944f9"
    put_status(array, 3, 0)
    assert [status_in(array, at) for at in range(4)] == [1, 2, 0, 0]
    put_status(array, 0, 2)
    assert [status_in(array, at) for at in range(4)] == [2, 2, 0, 0], "the places behind it are others' own"


@pytest.mark.parametrize("alg", ["Ed25519", ES256])
def test_an_independent_cose_library_reads_a_list(alg: str) -> None:
    key = new_key(alg)
    data = sign_list(a_list(), key)
    number = {"Ed25519": -19, ES256: -9}[alg]
    jwk = {**key.public.jwk, "kid": "oracle", "alg": {"Ed25519": "EdDSA", ES256: "ES256"}[alg]}
    oracle = cwt.COSEKey.new({**cwt.COSEKey.from_jwk(jwk).to_dict(), 2: mark_kid(key.public), 3: number})
    claims = cbor2.loads(cwt.COSE.new().decode(data, oracle))
    assert claims.keys() == {2, 4, 6, 65533, 65534, -65537}
    assert claims[-65537] == VOIDED
    assert (claims[2], claims[6], claims[4], claims[65534]) == (URI, 1795665600, 1795665600 + 48 * 3600, 900)
    assert claims[65533]["bits"] == 2
    assert zlib.decompress(claims[65533]["lst"])[1] == 0b10_00_00_00
    assert claims[65533]["aggregation_uri"] == "https://mark.example/status/lists"
    whole = cbor2.loads(data)
    assert whole.tag == 18
    assert cbor2.loads(whole.value[0]) == {1: number, 4: mark_kid(key.public), 16: "application/statuslist+cwt"}


@pytest.mark.parametrize("told", [{}, {"aggregation_uri": None}, {"voided": None}, {"ttl": 1}])
def test_what_was_signed_is_read_back(told: dict[str, Any]) -> None:
    key = new_key()
    content = believed(sign_list(a_list(**told), key), a_signer(key))
    assert content == a_list(**told)
    assert content.places == 100
    assert [content.status(at) for at in (0, 7, 8, 99)] == [0, Status.SUSPENDED, 0, 0]
    told_again = cbor2.loads(cbor2.loads(sign_list(a_list(**told), key)).value[2])
    assert ("aggregation_uri" in told_again[65533]) is (content.aggregation_uri is not None)
    with pytest.raises(ListTooShort):
        content.status(100)


def test_no_byte_can_be_changed() -> None:
    key = new_key()
    data = sign_list(a_list(), key)
    for at in range(len(data)):
        for flip in (1, 0x80):
            tampered = data[:at] + bytes((data[at] ^ flip,)) + data[at + 1 :]
            with pytest.raises((ListUnreadable, ListUnknownSigner, ListBadSignature)):
                believed(tampered, a_signer(key))
    for cut in (data[:-1], data + b"\0"):
        with pytest.raises(ListUnreadable):
            open_list(cut)


@pytest.mark.parametrize("purpose", [p for p in Purpose if p is not Purpose.STATUS])
def test_a_key_for_anything_else_signs_no_list(purpose: Purpose) -> None:
    key = new_key()
    with pytest.raises(ListWrongPurpose):
        believed(sign_list(a_list(), key), a_signer(key, purpose))


def test_a_key_counts_on_its_days_and_while_nobody_else_has_it() -> None:
    key = new_key()
    data = sign_list(a_list(), key)
    assert believed(data, a_signer(key, last_day=date(2026, 11, 26))) == a_list()
    for signer in (
        a_signer(new_key()),
        a_signer(key, last_day=date(2026, 11, 25)),
        replace(a_signer(key), first_day=date(2026, 11, 27)),
        a_signer(key, state=KeyStanding.COMPROMISED, since=NOW + timedelta(days=1)),
    ):
        with pytest.raises(ListUnknownSigner):
            believed(data, signer)


def test_two_keys_may_share_a_kid(monkeypatch: pytest.MonkeyPatch) -> None:
    key, other = new_key(), new_key()
    monkeypatch.setattr("services.marks.signers.mark_kid", lambda public: b"same")
    monkeypatch.setattr(status_list, "mark_kid", lambda public: b"same")
    data = sign_list(a_list(), key)
    assert believed(data, a_signer(other, Purpose.MARK), a_signer(other), a_signer(key)) == a_list()
    with pytest.raises(ListBadSignature):
        believed(data, a_signer(other))
    with pytest.raises(ListUnknownSigner):  # a key of another kind is not even tried
        believed(data, a_signer(new_key(ES256)))


def test_another_list_or_one_that_has_run_out_says_nothing() -> None:
    content = a_list()
    assert check_list(content, URI, NOW + timedelta(hours=47)) is content
    with pytest.raises(ListNotThisOne):
        check_list(content, URI[:-1], NOW)
    with pytest.raises(ListExpired):
        check_list(content, URI, NOW + timedelta(hours=48))


def _signed(claims: object, key: PrivateKey) -> bytes:
    """Claims of any form under a good signature."""
    signed = sign_list(a_list(), key)
    opened = open_list(signed)
    payload = claims if isinstance(claims, bytes) else cbor2.dumps(claims, canonical=True)
    structure = cbor2.dumps(["Signature1", opened.protected, b"", payload])
    return cbor2.dumps(cbor2.CBORTag(18, [opened.protected, {}, payload, key.sign(structure)]))


BOMB = zlib.compress(bytes(64 << 20), 9)
GOOD: dict[int, Any] = {2: URI, 4: 2, 6: 1, 65533: {"bits": 2, "lst": deflated(b"\0")}, 65534: 900}


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        (GOOD | {65533: {"bits": 2, "lst": BOMB}}, ListTooLarge),
        (GOOD | {65533: {"bits": 2, "lst": zlib.compress(bytes(SIZE // 4 + 1))}}, ListTooLarge),
        (GOOD | {65533: {"bits": 2, "lst": deflated(b"\0")[:-1]}}, ListUnreadable),
        (GOOD | {65533: {"bits": 2, "lst": deflated(b"\0") + b"\0"}}, ListUnreadable),
        (GOOD | {65533: {"bits": 2, "lst": b"no zlib"}}, ListUnreadable),
        (GOOD | {65533: {"bits": 3, "lst": deflated(b"\0")}}, ListUnreadable),
        (GOOD | {65533: {"bits": 2, "lst": deflated(b"\0"), "more": 1}}, ListUnreadable),
        (GOOD | {65533: {"bits": 2, "lst": "text"}}, ListUnreadable),
        (GOOD | {65533: {"bits": "2", "lst": deflated(b"\0")}}, ListUnreadable),
        (GOOD | {65533: {"bits": 2, "lst": deflated(b"\0"), "aggregation_uri": 5}}, ListUnreadable),
        (GOOD | {65533: [2, deflated(b"\0")]}, ListUnreadable),
        (GOOD | {65534: "900"}, ListUnreadable),
        (GOOD | {1: "somebody"}, ListUnreadable),
        (GOOD | {-65537: "text"}, ListUnreadable),
        (GOOD | {-65537: None}, ListUnreadable),
        (GOOD | {-65537: VOIDED[:-1]}, ListUnreadable),
        (GOOD | {-65537: VOIDED[8:] + VOIDED[:8]}, ListUnreadable),
        (GOOD | {-65537: VOIDED[:8] * 2}, ListUnreadable),
        ({name: value for name, value in GOOD.items() if name != 4}, ListUnreadable),
        (GOOD | {4: "soon"}, ListUnreadable),
        (GOOD | {4: 2**63}, ListUnreadable),
        (GOOD | {4: datetime(2026, 1, 1, tzinfo=UTC)}, ListUnreadable),
        (GOOD | {6: -1}, ListUnreadable),
        (GOOD | {65534: 0}, ListUnreadable),
        (GOOD | {2: 17}, ListUnreadable),
        ([URI], ListUnreadable),
        (cbor2.dumps({6: 1, **{name: GOOD[name] for name in (2, 4, 65533, 65534)}}), ListUnreadable),
        (cbor2.dumps(GOOD, canonical=True) + b"\0", ListUnreadable),
        (b"\xbf\xff", ListUnreadable),
        (b"\x81" * 2000 + b"\0", ListUnreadable),
    ],
)
def test_claims_of_another_form_are_refused_even_when_well_signed(claims: object, error: type[Exception]) -> None:
    key = new_key()
    with pytest.raises(error):
        believed(_signed(claims, key), a_signer(key))


def test_good_claims_made_by_another_program_are_taken() -> None:
    key = new_key()
    signer = replace(a_signer(key), first_day=date(1970, 1, 1))
    assert believed(_signed(GOOD, key), signer).places == 4
    assert believed(_signed(GOOD, key), signer).voided is None, "the draft's lists name no single codes"


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_list_of_any_width_is_read(bits: int) -> None:
    signer = replace(a_signer(key := new_key()), first_day=date(1970, 1, 1))
    read = believed(_signed(GOOD | {65533: {"bits": bits, "lst": deflated(b"\x01\0")}}, key), signer)
    assert (read.places, read.status(0), read.status(read.places - 1)) == (16 // bits, 1, 0)


@pytest.mark.parametrize(
    ("header", "signature"),
    [
        ([-19, b"kid4", status_list.MEDIA_TYPE], bytes(64)),
        ({1: -19, 4: b"kid4"}, bytes(64)),
        ({1: -19, 4: b"kid4", 16: "application/cwt"}, bytes(64)),
        ({1: -7, 4: b"kid4", 16: status_list.MEDIA_TYPE}, bytes(64)),
        ({1: "-19", 4: b"kid4", 16: status_list.MEDIA_TYPE}, bytes(64)),
        ({1: -19, 4: "kid4", 16: status_list.MEDIA_TYPE}, bytes(64)),
        ({1: -19, 4: b"kid", 16: status_list.MEDIA_TYPE}, bytes(64)),
        ({1: -19, 4: b"kid4", 16: status_list.MEDIA_TYPE}, bytes(63)),
    ],
)
def test_a_head_of_another_form_is_unreadable(header: object, signature: bytes) -> None:
    protected = cbor2.dumps(header, canonical=True)
    with pytest.raises(ListUnreadable):
        open_list(cbor2.dumps(cbor2.CBORTag(18, [protected, {}, cbor2.dumps(GOOD, canonical=True), signature])))


def test_what_is_too_long_is_not_looked_at() -> None:
    with pytest.raises(ListTooLarge):
        open_list(bytes(status_list.LARGEST + 1))
    with pytest.raises(ListUnreadable):
        open_list(bytes(status_list.LARGEST))


def test_every_standing_but_valid_is_another_status() -> None:
    assert set(STATUS_OF) == set(Standing)
    assert [s for s, status in STATUS_OF.items() if status is Status.VALID] == [Standing.VALID]


def test_a_million_places_with_five_in_a_hundred_not_valid_in_runs_of_fifty_take_less_than_three_kilobytes() -> None:
    chance = random.Random(20)
    array = empty_array()
    for run in chance.sample(range(SIZE // 50), SIZE // 20 // 50):
        status = chance.choice([Status.REVOKED, Status.SUSPENDED, Status.CANCELLED])
        for at in range(run * 50, run * 50 + 50):
            put_status(array, at, status)
    data = sign_list(a_list(array=bytes(array)), new_key())
    assert 1000 < len(data) < 3000, len(data)
