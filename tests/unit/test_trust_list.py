"""The trust list: named histories of roots and lists, an independent COSE library, and what is refused."""

from dataclasses import replace
from datetime import date, timedelta

import cbor2
import cwt
import pytest

from services.domain.body import Purpose
from services.events.keys import ES256, PrivateKey, new_key
from services.marks import strict_cbor
from services.marks.signers import KeyStanding, Signer
from services.marks.token import mark_kid
from services.marks.trust_list import (
    LARGEST_BUNDLE,
    LARGEST_DOCUMENT,
    Seen,
    TrustBadSignature,
    TrustDuplicateSigner,
    TrustListExpired,
    TrustOtherRegister,
    TrustRolledBack,
    TrustRootExpired,
    TrustTooFewSignatures,
    TrustUnknownDelegate,
    TrustUnknownRoot,
    TrustUnknownSigner,
    TrustUnreadable,
    TrustWrongPurpose,
    add_signatures,
    bundle,
    list_payload,
    open_document,
    root_payload,
    sign_document,
    walk,
)
from tests.trust import NOW, Roots, pin_of, tomorrow

FIRST = Roots()
SECOND = Roots(2)
THIRD = Roots(3)


def both(first: Roots, second: Roots) -> list[PrivateKey]:
    return [*first.keys[:2], *second.keys[:2]]


ROOT_1 = FIRST.document()
ROOT_2 = SECOND.document(both(FIRST, SECOND))
ROOT_3 = THIRD.document(both(SECOND, THIRD))
PIN = pin_of(ROOT_1)


def test_a_list_is_believed_through_the_pinned_root() -> None:
    content = FIRST.list()
    found = walk(bundle([ROOT_1, sign_document(list_payload(content), [FIRST.delegate])]), PIN, tomorrow())
    assert found.list == content
    assert found.root == FIRST.root()
    assert (found.pin, found.seen) == (PIN, Seen(1, 1))
    assert found.list.status_uri(17) == "https://mark.example/status/17"


@pytest.mark.parametrize("pinned", [ROOT_1, ROOT_2, ROOT_3])
def test_any_older_root_leads_up_to_the_last(pinned: bytes) -> None:
    found = walk(bundle([ROOT_1, ROOT_2, ROOT_3, THIRD.list_document()]), pin_of(pinned), tomorrow())
    assert (found.pin, found.root.version) == (pin_of(ROOT_3), 3)


def test_the_roots_between_may_have_run_out() -> None:
    past = NOW - timedelta(days=2)
    second = SECOND.document(both(FIRST, SECOND), issued_at=past, expires_at=past + timedelta(days=1))
    assert walk(bundle([ROOT_1, second, ROOT_3, THIRD.list_document()]), PIN, tomorrow()).root.version == 3


def test_a_new_root_lets_the_versions_of_the_list_begin_again() -> None:
    seen = walk(bundle([ROOT_1, FIRST.list_document(version=2**32 - 1)]), PIN, NOW).seen
    assert walk(bundle([ROOT_1, ROOT_2, SECOND.list_document()]), PIN, NOW, seen).seen == Seen(2, 1)


def test_signatures_are_gathered_one_by_one() -> None:
    by_one = sign_document(root_payload(FIRST.root()), FIRST.keys[:1])
    with pytest.raises(TrustTooFewSignatures):
        walk(bundle([by_one, FIRST.list_document()]), PIN, NOW)
    by_two = add_signatures(by_one, FIRST.keys[1:2])
    assert add_signatures(by_two, FIRST.keys[1:2]) == by_two, "signing again adds nothing"
    assert walk(bundle([by_two, FIRST.list_document()]), PIN, NOW).root == FIRST.root()


MARK = new_key()
COMPROMISED = Signer(
    "urn:certmark:registry:main", Purpose.MARK, MARK.public, date(2026, 1, 1), date(2026, 3, 31),
    KeyStanding.COMPROMISED, NOW,
)  # fmt: skip


def test_a_signer_is_read_back_whole() -> None:
    signers = (
        COMPROMISED,
        replace(COMPROMISED, public=new_key(ES256).public, last_day=None, state=KeyStanding.RETIRED),
    )
    found = walk(bundle([ROOT_1, FIRST.list_document(signers=signers)]), PIN, NOW).list.signers
    assert found == signers


ROLLED = Seen(2, 7)
HISTORIES = {
    "pin not there": ([ROOT_2, SECOND.list_document()], TrustUnknownRoot),
    "too few of its own": ([FIRST.document(FIRST.keys[:1]), FIRST.list_document()], TrustTooFewSignatures),
    "one root twice": ([FIRST.document([FIRST.keys[0], FIRST.keys[0]]), FIRST.list_document()], TrustDuplicateSigner),
    "a stranger among the roots": (
        [ROOT_1, SECOND.document([*both(FIRST, SECOND), new_key()]), SECOND.list_document()],
        TrustUnknownSigner,
    ),
    "a delegate signs a root": (
        [FIRST.document([*FIRST.keys[:2], FIRST.delegate]), FIRST.list_document()],
        TrustWrongPurpose,
    ),
    "the next root without the old ones": (
        [ROOT_1, SECOND.document(), SECOND.list_document()],
        TrustTooFewSignatures,
    ),
    "the next root with one old one": (
        [ROOT_1, SECOND.document([FIRST.keys[0], *SECOND.keys]), SECOND.list_document()],
        TrustTooFewSignatures,
    ),
    "the next root by the old ones alone": (
        [ROOT_1, SECOND.document(FIRST.keys), SECOND.list_document()],
        TrustTooFewSignatures,
    ),
    "a version left out": ([ROOT_1, THIRD.document(both(FIRST, THIRD)), THIRD.list_document()], TrustRolledBack),
    "the same version again": ([ROOT_1, ROOT_1, FIRST.list_document()], TrustRolledBack),
    "another register's root": (
        [ROOT_1, SECOND.document(both(FIRST, SECOND), register="cd" * 32), SECOND.list_document()],
        TrustOtherRegister,
    ),
    "a list of an older root": ([ROOT_1, ROOT_2, FIRST.list_document([SECOND.delegate])], TrustOtherRegister),
    "another register's list": ([ROOT_1, FIRST.list_document(register="cd" * 32)], TrustOtherRegister),
    "a list by a stranger": ([ROOT_1, FIRST.list_document([new_key()])], TrustUnknownDelegate),
    "a list by a delegate of before": ([ROOT_1, ROOT_2, SECOND.list_document([FIRST.delegate])], TrustUnknownDelegate),
    "a list by a root": ([ROOT_1, FIRST.list_document([FIRST.keys[0]])], TrustWrongPurpose),
    "a list by a mark key": ([ROOT_1, FIRST.list_document([MARK], signers=(COMPROMISED,))], TrustWrongPurpose),
    "a list signed twice by one": (
        [ROOT_1, FIRST.list_document([FIRST.delegate, FIRST.delegate])],
        TrustDuplicateSigner,
    ),
    "an expired root": (
        [FIRST.document(expires_at=NOW + timedelta(hours=1)), FIRST.list_document()],
        TrustRootExpired,
    ),
    "an expired list": ([ROOT_1, FIRST.list_document(expires_at=NOW + timedelta(hours=1))], TrustListExpired),
    "two roots and no list": ([ROOT_1, ROOT_2], TrustUnreadable),
    "a list among the roots": ([ROOT_1, FIRST.list_document(), FIRST.list_document()], TrustUnreadable),
    "a root alone": ([ROOT_1], TrustUnreadable),
}


@pytest.mark.parametrize("history", HISTORIES)
def test_refused(history: str) -> None:
    documents, error = HISTORIES[history]
    pin = PIN if history == "pin not there" else pin_of(documents[0])
    with pytest.raises(error):
        walk(bundle(documents), pin, tomorrow())


@pytest.mark.parametrize("seen", [Seen(2, 0), Seen(1, 2), ROLLED])
def test_what_is_older_than_what_was_seen_is_refused(seen: Seen) -> None:
    with pytest.raises(TrustRolledBack):
        walk(FIRST.bundle(), walk_pin(FIRST.bundle()), tomorrow(), seen)


def test_the_same_list_is_believed_again_until_the_moment_in_which_it_runs_out() -> None:
    end, second = NOW + timedelta(hours=1), timedelta(seconds=1)
    short_root, short_list = FIRST.document(expires_at=end), FIRST.list_document(expires_at=end)
    for documents, error in (
        ([short_root, FIRST.list_document()], TrustRootExpired),
        ([ROOT_1, short_list], TrustListExpired),
    ):
        pin = pin_of(documents[0])
        seen = walk(bundle(documents), pin, NOW).seen
        assert walk(bundle(documents), pin, end - second, seen).seen == seen
        with pytest.raises(error):
            walk(bundle(documents), pin, end, seen)


def walk_pin(data: bytes) -> str:
    return pin_of(cbor2.loads(data)[0])


REFUSED = (
    TrustUnreadable,
    TrustUnknownRoot,
    TrustUnknownSigner,
    TrustUnknownDelegate,
    TrustBadSignature,
    TrustTooFewSignatures,
)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_no_byte_of_a_document_can_be_changed(place: int) -> None:
    documents = [ROOT_1, ROOT_2, SECOND.list_document()]
    whole = documents[place]
    for at in range(len(whole)):
        tampered = whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :]
        with pytest.raises(REFUSED):
            walk(bundle([*documents[:place], tampered, *documents[place + 1 :]]), PIN, NOW)


def _payload(**members: object) -> bytes:
    return cbor2.dumps(cbor2.loads(root_payload(FIRST.root())) | members, canonical=True)


def _list_payload(**members: object) -> bytes:
    return cbor2.dumps(cbor2.loads(list_payload(FIRST.list())) | members, canonical=True)


ENTRY = cbor2.loads(root_payload(FIRST.root()))["roots"][0]
SIGNER = cbor2.loads(list_payload(FIRST.list()))["signers"][0]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xa0",
        _payload(v=2),
        _payload(kind="other"),
        _payload(more=1),
        _payload(version=0),
        _payload(version=2**32),
        _payload(version="1"),
        _payload(exp=0),
        _payload(iat=2**63),
        _payload(register="AB" * 32),
        _payload(threshold=4),
        _payload(threshold=0),
        _payload(delegates=[]),
        _payload(delegates=[ENTRY]),
        _payload(roots=[ENTRY, ENTRY]),
        _payload(roots=[ENTRY | {"kid": b"\0\0\0\0"}]),
        _payload(roots=[ENTRY | {"alg": -9}]),
        _payload(roots=[ENTRY | {"key": {1: 1, -1: 6, -2: b"short"}}]),
        _payload(roots=[ENTRY | {"key": {1: 1, -1: 6, -2: bytes(32), -4: bytes(32)}}]),
        _payload(roots=[{"kid": b"0000", "alg": -9, "key": {1: 2, -1: 1, -2: bytes(32), -3: bytes(32)}}]),
        _payload(iat=cbor2.CBORTag(1, 5)),
        _list_payload(hosts=["x" * 256]),
        _list_payload(hosts="mark.example"),
        _list_payload(status=""),
        _list_payload(signers=[SIGNER | {"purpose": "everything"}]),
        _list_payload(signers=[SIGNER | {"state": "lost"}]),
        _list_payload(signers=[SIGNER | {"since": 5}]),
        _list_payload(signers=[SIGNER | {"state": "compromised"}]),
        _list_payload(signers=[SIGNER | {"from": -1}]),
        _list_payload(signers=[SIGNER | {"until": 2**40}]),
        _list_payload(signers=[{}]),
    ],
)  # fmt: skip
def test_a_payload_of_another_form_is_unreadable_even_when_well_signed(payload: bytes) -> None:
    with pytest.raises(TrustUnreadable):
        open_document(sign_document(payload, FIRST.keys[:2]))


def test_what_is_too_long_is_not_looked_at() -> None:
    with pytest.raises(TrustUnreadable, match="at most"):
        open_document(bytes(LARGEST_DOCUMENT + 1))
    with pytest.raises(TrustUnreadable, match="at most"):
        walk(bytes(LARGEST_BUNDLE + 1), PIN, NOW)
    with pytest.raises(TrustUnreadable):
        walk(strict_cbor.dumps([1, 2]), PIN, NOW)


def test_a_root_that_contradicts_itself_is_not_written() -> None:
    for wrong in ({"threshold": 4}, {"delegates": ()}, {"delegates": FIRST.root().keys[:1]}, {"expires_at": NOW}):
        with pytest.raises(ValueError):
            root_payload(replace(FIRST.root(), **wrong))


@pytest.mark.parametrize("alg", ["Ed25519", ES256])
def test_an_independent_cose_library_reads_a_document(alg: str) -> None:
    key, other = new_key(alg), new_key()
    payload = root_payload(FIRST.root())
    document = sign_document(payload, [other, key])
    number = {"Ed25519": -19, ES256: -9}[alg]
    jwk = {**key.public.jwk, "kid": "oracle", "alg": {"Ed25519": "EdDSA", ES256: "ES256"}[alg]}
    oracle = cwt.COSEKey.new({**cwt.COSEKey.from_jwk(jwk).to_dict(), 2: mark_kid(key.public), 3: number})
    assert cwt.COSE.new().decode(document, oracle) == payload
    with pytest.raises(cwt.VerifyError):
        cwt.COSE.new().decode(document[:-1] + bytes((document[-1] ^ 1,)), oracle)
