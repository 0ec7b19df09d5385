"""The check with the network off: every step of its order refuses with its own code, and gives nothing away before."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from services.domain.body import Purpose
from services.domain.unit_code import public_hash
from services.events.keys import ES256, PrivateKey, new_key
from services.marks.signers import KeyStanding, Signer
from services.marks.status_list import LIFE, TTL, Status, StatusList, empty_array, put_status, sign_list
from services.marks.token import MarkClaims, MarkPath, mark_url, sign_token
from services.marks.trust_list import LIST_LIFE, Root, Trusted, TrustList
from services.marks.voided import packed
from services.verify.offline import Held, OfflineAnswer, check
from services.verify.scan_wording import BECAUSE, OFFLINE, SCAN, Why
from services.verify.wording import ANSWERS, Code, Family
from tests.trust import NOW, REGISTER

GTIN = "06901234567892"
TODAY = date(2026, 11, 26)
MARK, STATUS, LOST, P256 = new_key(), new_key(), new_key(), new_key(ES256)
REGISTRY = "urn:certmark:registry:main"
SIGNERS = (
    Signer(REGISTRY, Purpose.MARK, MARK.public, date(2026, 1, 1), date(2026, 12, 31)),
    Signer(REGISTRY, Purpose.MARK, P256.public, date(2026, 1, 1)),
    Signer(REGISTRY, Purpose.MARK, LOST.public, date(2026, 1, 1), None, KeyStanding.COMPROMISED, NOW),
    Signer(REGISTRY, Purpose.STATUS, STATUS.public, date(2026, 1, 1)),
)
CLAIMS = MarkClaims(TODAY - timedelta(days=10), 365, "M-1001", "2026990703000001", 3, 7, "KFR-35")
PRODUCT = MarkPath.of_product(GTIN)


def a_trust_list(**how: object) -> Trusted:
    content = TrustList(5, NOW, NOW + LIST_LIFE, REGISTER, 1, ("mark.example",), "https://mark.example/status", SIGNERS)
    root = Root(1, NOW, NOW + timedelta(days=366), REGISTER, (), 1, ())
    return Trusted(root, replace(content, **how), "0" * 64)  # type: ignore[arg-type]


def a_list(
    status: Status = Status.VALID,
    number: int = 3,
    issued_at: datetime = NOW,
    signed_by: PrivateKey = STATUS,
    voided: bytes | None = b"",
) -> bytes:
    array = empty_array(4096)
    put_status(array, CLAIMS.index, status)
    uri = f"https://mark.example/status/{number}"
    return sign_list(StatusList(uri, issued_at, issued_at + LIFE, TTL, bytes(array), voided=voided), signed_by)


def held(lists: Mapping[int, bytes] | None = None, trusted: Trusted | None = None) -> Held:
    given = {3: a_list()} if lists is None else lists
    return Held(trusted or a_trust_list(), Why.NO_TRUST_LIST, given.get)


def url(
    claims: MarkClaims = CLAIMS, path: MarkPath = PRODUCT, key: object = MARK, base: str = "https://mark.example"
) -> str:
    return mark_url(base, path, sign_token(claims, path, key))  # type: ignore[arg-type]


def found(text: str, at: datetime = NOW + timedelta(hours=1), **how: object) -> OfflineAnswer:
    return check(text, held(**how), at)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (Status.VALID, Code.VALID),
        (Status.REVOKED, Code.REVOKED),
        (Status.SUSPENDED, Code.SUSPENDED),
        (Status.CANCELLED, Code.CANCELLED),
    ],
)
def test_the_status_list_says_what_stands(status: Status, code: Code) -> None:
    answer = found(url(), lists={3: a_list(status)})
    assert (answer.code, answer.why, answer.claims) == (code, None, CLAIMS)
    assert answer.status is not None
    assert answer.status.issued_at == NOW


@pytest.mark.parametrize(
    "path", [PRODUCT, MarkPath.of_product(GTIN, "A1/b"), MarkPath.of_certificate("2026990703000001")]
)
@pytest.mark.parametrize("key", [MARK, P256])
def test_every_form_of_address_and_key_is_checked(path: MarkPath, key: PrivateKey) -> None:
    assert found(url(path=path, key=key)).code is Code.VALID


UNIT = MarkPath.of_product(GTIN, "A1/b")
VOID, WHOLE = public_hash(CLAIMS.mark_no, UNIT.aad), public_hash(CLAIMS.mark_no, b"")


@pytest.mark.parametrize(
    ("voided", "path", "code", "why"),
    [
        (b"", UNIT, Code.VALID, None),
        (VOID, UNIT, Code.MARK_NOT_AUTHORIZED, None),
        (packed([VOID, WHOLE]), UNIT, Code.MARK_NOT_AUTHORIZED, None),
        (WHOLE, UNIT, Code.STATUS_UNKNOWN, Why.UNIT_UNTOLD),
        (None, UNIT, Code.STATUS_UNKNOWN, Why.UNIT_UNTOLD),
        (public_hash("M-1002", UNIT.aad), UNIT, Code.VALID, None),  # another mark's
        (VOID, MarkPath.of_product(GTIN, "A1/c"), Code.VALID, None),
        (packed([VOID, WHOLE]), PRODUCT, Code.VALID, None),  # the same code on every unit: none of them is voided
        (None, PRODUCT, Code.VALID, None),
    ],
)
def test_a_single_voided_code_is_known(voided: bytes | None, path: MarkPath, code: Code, why: Why | None) -> None:
    answer = found(url(path=path), lists={3: a_list(voided=voided)})
    assert (answer.code, answer.why, answer.claims) == (code, why, CLAIMS)


def test_of_a_voided_code_the_run_and_the_lists_age_come_first() -> None:
    text = url(path=UNIT)
    assert found(text, lists={3: a_list(Status.REVOKED, voided=VOID)}).code is Code.REVOKED
    assert found(text, NOW + LIFE, lists={3: a_list(voided=VOID)}).why is Why.STATUS_LIST_EXPIRED
    assert found(text, lists={3: a_list(voided=VOID, signed_by=MARK)}).why is Why.STATUS_LIST_REFUSED
    assert found(text, lists={3: a_list(voided=VOID[1:])}).why is Why.STATUS_LIST_REFUSED


def test_a_token_at_another_address_proves_nothing() -> None:
    moved = url().replace(GTIN, "06909900127449")
    assert (found(moved).code, found(moved).claims) == (Code.BAD_SIGNATURE, None)
    other = MarkPath.of_certificate("2026990703000002")
    assert found(url(path=other)).code is Code.BAD_SIGNATURE, "signed for a certificate that its claims do not name"


def test_the_form_comes_before_the_signer() -> None:
    full_width = url().replace("?m=", "?m=０")
    for text in (full_width, url()[:-1] + "x", "https://mark.example/01/06901234567892?m=12", url()[:-60]):
        assert (found(text).code, found(text).claims) == (Code.UNREADABLE, None)


def test_who_is_not_in_the_trust_list_is_nobody() -> None:
    assert found(url(key=new_key())).code is Code.UNKNOWN_SIGNER
    assert found(url(key=STATUS)).code is Code.UNKNOWN_SIGNER, "a key for something else"
    outside = replace(CLAIMS, issued_on=date(2025, 12, 31))
    assert found(url(outside)).code is Code.UNKNOWN_SIGNER, "not on its days"


def test_a_key_that_may_be_younger_than_the_list_is_not_called_unknown() -> None:
    young = replace(CLAIMS, issued_on=TODAY + timedelta(days=2))
    later = NOW + timedelta(days=3)
    assert found(url(young, key=new_key()), later).why is Why.NEWER_THAN_LIST
    assert found(url(young, key=new_key())).code is Code.UNKNOWN_SIGNER, "signed in the future"


def test_what_a_lost_key_signed_cannot_be_told_offline() -> None:
    answer = found(url(key=LOST))
    assert (answer.code, answer.why, answer.claims) == (Code.STATUS_UNKNOWN, Why.KEY_COMPROMISED, None)
    assert found(url(key=LOST).replace(GTIN, "06909900127449")).code is Code.BAD_SIGNATURE


def test_a_wrong_check_digit_is_looked_at_after_the_signature() -> None:
    wrong = MarkPath.of_product("06901234567893")
    assert (found(url(path=wrong)).code, found(url(path=wrong)).claims) == (Code.MALFORMED_NUMBER, None)
    assert found(url().replace(GTIN, "06901234567893")).code is Code.BAD_SIGNATURE


def test_past_its_printed_validity_a_renewal_may_stand_online() -> None:
    last = replace(CLAIMS, valid_days=11)
    assert last.last_valid_day == TODAY
    assert found(url(last)).code is Code.VALID
    midnight = datetime.fromisoformat("2026-11-27T00:00:00+08:00")
    answer = found(url(last), midnight)
    assert (answer.code, answer.why, answer.claims) == (Code.STATUS_UNKNOWN, Why.PRINTED_VALIDITY_PAST, last)
    assert found(url(replace(CLAIMS, valid_days=0)), NOW + timedelta(hours=47)).code is Code.VALID, "0: no end"


@pytest.mark.parametrize(
    ("lists", "at", "why"),
    [
        ({}, NOW, Why.NO_STATUS_LIST),
        ({3: a_list()}, NOW + LIFE, Why.STATUS_LIST_EXPIRED),
        ({3: a_list()}, NOW + LIFE - timedelta(seconds=1), None),
        ({3: a_list(number=4)}, NOW, Why.STATUS_LIST_REFUSED),
        ({3: a_list(signed_by=MARK)}, NOW, Why.STATUS_LIST_REFUSED),
        ({3: a_list(signed_by=new_key())}, NOW, Why.STATUS_LIST_REFUSED),
        ({3: b"\xd2" * 40}, NOW, Why.STATUS_LIST_REFUSED),
        ({3: a_list()[:-1]}, NOW, Why.STATUS_LIST_REFUSED),
        ({3: a_list(issued_at=NOW + timedelta(hours=1))}, NOW, Why.CLOCK_BEHIND),
    ],
)
def test_only_a_list_that_holds_today_says_valid(lists: Mapping[int, bytes], at: datetime, why: Why | None) -> None:
    answer = found(url(), at, lists=lists)
    assert answer.why is why
    assert answer.code is (Code.STATUS_UNKNOWN if why else Code.VALID)


def test_a_place_behind_the_end_of_the_list_says_nothing() -> None:
    assert found(url(replace(CLAIMS, index=4096))).why is Why.STATUS_LIST_REFUSED


def test_an_expired_trust_list_believes_nobody() -> None:
    assert found(url(), NOW + LIST_LIFE).why is Why.TRUST_LIST_EXPIRED
    assert found(url(), NOW - timedelta(hours=1)).why is Why.CLOCK_BEHIND
    nothing = Held(None, Why.NO_TRUST_LIST, lambda number: None, ("mark.example",))
    assert check(url(), nothing, NOW).why is Why.NO_TRUST_LIST
    assert check(url()[:-60], nothing, NOW).code is Code.UNREADABLE
    elsewhere = url(base="https://another.example")
    assert check(elsewhere, nothing, NOW).why is Why.NO_TRUST_LIST, "nobody has said which hosts are ours"


@pytest.mark.parametrize(
    ("text", "code", "why"),
    [
        (url(base="https://rnark.example"), Code.IMPOSTOR_HOST, None),
        (url(base="https://mark.example.evil.example"), Code.IMPOSTOR_HOST, None),
        ("https://shop.example/item?id=1", Code.NOT_OURS, None),
        ("WIFI:S:shop;;", Code.NOT_OURS, None),
        ("hello", Code.MALFORMED_NUMBER, None),
        ("https://mark.example/01/06901234567893", Code.MALFORMED_NUMBER, None),
        ("2026990703000001", Code.STATUS_UNKNOWN, Why.NEEDS_NETWORK),
        (GTIN, Code.STATUS_UNKNOWN, Why.NEEDS_NETWORK),
        ("https://mark.example/c/2026990703000001", Code.STATUS_UNKNOWN, Why.NEEDS_NETWORK),
    ],
)
def test_a_text_without_a_token_of_ours(text: str, code: Code, why: Why | None) -> None:
    assert (found(text).code, found(text).why) == (code, why)


def test_no_flipped_digit_is_ever_a_yes() -> None:
    text = url()
    start = text.index("?m=") + 3
    for at in range(start, len(text)):
        changed = text[:at] + str((int(text[at]) + 5) % 10) + text[at + 1 :]
        answer = found(changed)
        assert answer.code in (Code.BAD_SIGNATURE, Code.UNKNOWN_SIGNER, Code.UNREADABLE)
        assert answer.claims is None


def test_every_reason_has_its_words_in_both_languages() -> None:
    assert set(BECAUSE) == set(Why)
    for text in (*BECAUSE.values(), *OFFLINE.values(), *SCAN.values()):
        assert text.zh
        assert text.en
        assert not any("\u3400" <= sign <= "\u9fff" for sign in text.en)
    assert all(ANSWERS[code].family is Family.NO for code in OFFLINE)
