"""The scanner's scripts and the Python program give the same answer to the same bytes, tampered ones included."""

import json
import shutil
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.domain.body import Purpose
from services.domain.errors import CertmarkError
from services.domain.unit_code import public_hash
from services.events.keys import ES256, PrivateKey, new_key
from services.marks import status_list
from services.marks.signers import KeyStanding, Signer
from services.marks.status_list import LIFE, Status, open_list, verify_list
from services.marks.token import MarkPath, decimal, from_decimal, sign_token
from services.marks.trust_list import (
    LIST_LIFE,
    ROOT_LIFE,
    Seen,
    add_signatures,
    bundle,
    list_payload,
    open_bundle,
    sign_document,
    walk,
)
from services.marks.voided import packed
from services.verify.offline import Held, check
from services.verify.recognise import recognise
from services.verify.scan_wording import Why
from tests.offline_vectors import vectors
from tests.scan_js import answers, laid_out
from tests.trust import NOW, Roots, pin_of
from tests.unit.test_mark_token import VECTOR
from tests.unit.test_offline import CLAIMS, GTIN, LOST, MARK, P256, SIGNERS, STATUS, UNIT, VOID, WHOLE, a_list, url

FIRST, SECOND = Roots(), Roots(2)
ROOT_1 = FIRST.document()
ROOT_2 = SECOND.document([*FIRST.keys[:2], *SECOND.keys[:2]])
PIN = pin_of(ROOT_1)
LIST = sign_document(list_payload(FIRST.list(signers=SIGNERS)), [FIRST.delegate])
BUNDLE = bundle([ROOT_1, LIST])
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return laid_out(tmp_path_factory.mktemp("scan"))


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.fail("there is no node: `make test T=tests/clients` installs it where it may")
    return found


def compared(
    node: str, scripts: Path, cases: Sequence[dict[str, Any]], expected: Sequence[dict[str, Any]], **environment: str
) -> None:
    for case, ours, told in zip(cases, expected, answers(node, scripts, cases, **environment), strict=True):
        assert told == ours, {name: str(value)[:300] for name, value in case.items()}


# --- texts --------------------------------------------------------------------------------------------------

HOSTS = ["mark.example", "127.0.0.1:8080"]
TEXTS = [
    url(),
    url().replace("https", "HTTPS"),
    url().replace("https://", ""),
    url().replace("mark.example", "MARK.example"),
    url().replace("mark.example", "rnark.example"),
    url().replace("mark.example", "xn--mrk-6la.example"),
    url().replace("mark.example", "mark.example.evil.example"),
    url().replace("mark.example", "mark.example@evil.example"),
    url().replace("mark.example", "evil.example@mark.example"),
    url().replace("mark.example", "mark.example."),
    url().replace("mark.example", "mark.example:8443"),
    url().replace("mark.example", "mark.example:443"),
    url().replace("mark.example", "mark.example:x"),
    url().replace("mark.example", "mark.example:99999"),
    *(
        f"https://{host}/shop/1"
        for host in (
            *("mark.examp1e", "mark.exarnple", "mrak.example", "marks.example", "mark.exampl", "nark.example"),
            *("mаrk.example", "xn--mrk-5cd.example", "xn--mrk-ooa.example", "xn--80ak6aa92e.example", "xn--.example"),
            *("www-mark.example", "login.mark.example", "shop.example", "xn--fiqs8s.example", "xn--a-0.example"),
            *("ｍark.example", "127.0.0.2:8080", "mark.example.", "MARK.EXAMPLE", "mark--example.net"),
        )
    ),
    "https://shop.example/mark.example/login",
    "mаrk.example/c/2023990703000117",
    "商店.example/c/1",
    url() + "#x",
    url() + "&m=2",
    url().replace("?m=", "?x=1&m="),
    url(path=MarkPath.of_product(GTIN, "A1/b")),
    url(path=MarkPath.of_certificate("2026990703000001")),
    url().replace(GTIN, "06901234567893"),
    url().replace(GTIN, "6901234567892"),
    url().replace(GTIN, "６９０１２３４５６７８９２"),
    url().replace(GTIN, "6901234567"),
    url().replace(f"{GTIN}", f"{GTIN}/21/ serial"),
    "http://127.0.0.1:8080/c/2023990703000117",
    "https://mark.example/m/SHB-M-2024-0031",
    "https://mark.example/c/%E6%B2%AA%20123456",
    "https://mark.example/c/%ZZ",
    "https://mark.example/",
    "https://mark.example",
    "https://shop.example/c/2023990703000117",
    "https://shop.example/c/blue",
    "https://shop.example/01/06901234567892",
    "https://shop.example/01/06901234567892?m=１２",
    "www.shop.example/a",
    "(01)06901234567892(21)A1",
    "（01）06901234567892",
    "2023990703000117",
    "２０２３ ９９０７ ０３００ ０１１７",
    "shb－p－2024－0031",
    "证书编号：2023990703000117。",
    "有机码１２３４５６７８９０１２３４５６７",
    "Mark number M-1/2;",
    url() + "，",
    "证书编号科技",
    "06901234567892",
    "06901234567893",
    "沪〔2024〕0031号",
    "hello",
    "",
    "a",
    "WIFI:S:shop;T:WPA;P:x;;",
    "tel:12315",
    "javascript:alert(1)",
    "data:text/html,x",
    "urn:epc:id:sgtin:1.2.3",
    "x" * 3000,
    "9" * 64,
    "9" * 65,
    "\u200b2023990703000117\u00ad",
    "🙂2023",
]


@pytest.mark.parametrize("hosts", [HOSTS, []], ids=["hosts", "none"])
def test_a_text_is_taken_for_the_same(node: str, scripts: Path, hosts: list[str]) -> None:
    cases = [{"way": "recognise", "text": text, "hosts": hosts} for text in TEXTS]
    expected = []
    for text in TEXTS:
        found = recognise(text, tuple(hosts))
        signed = found.path.aad.decode() if found.token is not None and found.path is not None else None
        # A wrong check digit is decided at once by the register, and after the signature by the scanner.
        wrong_digit = "check_digit" in found.expected and (found.path is not None or found.number is not None)
        decided = None if wrong_digit or _is_a_bar_code(found.text, found.decided) else found.decided
        expected.append({"decided": decided, "signed_for": signed})
    compared(node, scripts, cases, expected)


def _is_a_bar_code(text: str, decided: str | None) -> bool:
    """Whether a text without a token is a bar code with a wrong check digit, which the scripts tell later."""
    return decided == "malformed_number" and text == "06901234567893"


# --- codes --------------------------------------------------------------------------------------------------


def a_case(text: str, now: datetime = NOW + HOUR, data: bytes | None = BUNDLE, **lists: bytes) -> dict[str, Any]:
    held = {name.removeprefix("list_"): value for name, value in lists.items()} or {"3": a_list()}
    return {
        "way": "verdict",
        "text": text,
        "bundle": data.hex() if data else "",
        "pin": PIN,
        "lists": {number: value.hex() for number, value in held.items()},
        "now": now.timestamp(),
        "host": "127.0.0.1:8080",
    }


def ours(case: dict[str, Any]) -> dict[str, Any]:
    """What the Python program answers to the same case."""
    now = datetime.fromtimestamp(case["now"], NOW.tzinfo)
    trusted, why = None, Why.NO_TRUST_LIST
    if case["bundle"]:
        try:
            trusted = walk(bytes.fromhex(case["bundle"]), case["pin"], now)
        except CertmarkError as refused:
            why = Why.TRUST_LIST_EXPIRED if refused.slug.endswith("-expired") else Why.NO_TRUST_LIST
    lists = {int(number): bytes.fromhex(value) for number, value in case["lists"].items()}
    answer = check(case["text"], Held(trusted, why, lists.get, (case["host"],)), now)
    claims, path = answer.claims, answer.question.path if answer.claims else None
    return {
        "code": answer.code,
        "why": answer.why,
        "mark_no": claims and claims.mark_no,
        "model": claims and claims.model,
        "gtin": path.gtin if path else None,
        "serial": path.serial if path else None,
    }


def tampered() -> Iterator[dict[str, Any]]:
    """The token of a code changed in each of its bytes, and in its length."""
    start, number = url().split("?m=")
    token = from_decimal(number)
    for at in range(len(token)):
        for flip in (0x01, 0x80):
            changed = bytes(byte ^ (flip if place == at else 0) for place, byte in enumerate(token))
            yield a_case(f"{start}?m={decimal(changed)}")
    for changed in (token[:-1], token + b"\x00", token[1:], b"\x01" + token):
        yield a_case(f"{start}?m={decimal(changed)}")


def stories() -> Iterator[dict[str, Any]]:
    """Codes that are as they should be, and each of the checks failing."""
    for status in Status:
        yield a_case(url(), list_3=a_list(status))
    for key in (MARK, P256, LOST, STATUS, new_key(), new_key(ES256)):
        yield a_case(url(key=key))
        yield a_case(url(path=MarkPath.of_product(GTIN, "A1/b"), key=key))
        yield a_case(url(path=MarkPath.of_certificate("2026990703000001"), key=key))
    number = MarkPath.of_certificate("2026990703000002")
    yield a_case(url(path=number))
    for zeros in ("０", "٠", "०"):
        yield a_case(url().replace("?m=", f"?m={zeros}"))
        yield a_case(url()[:-1] + zeros)
    yield a_case(url().replace("?m=", "?m=0"))
    yield a_case(url() + "&x=1")
    yield a_case(url() + " ")
    wrong = MarkPath.of_product("06901234567893")
    yield a_case(url(path=wrong))
    yield a_case(url().replace(GTIN, "06901234567893"))
    for days in (1, 10, 11, 365, 0):
        yield a_case(url(replace(CLAIMS, valid_days=days)))
    for odd in (
        replace(CLAIMS, mark_no="0", certificate_no="18446744073709551615"),
        replace(CLAIMS, mark_no="007", certificate_no="18446744073709551616"),
        replace(CLAIMS, model="空调器 KFR-35", item_no=4),
        replace(CLAIMS, model=""),
        replace(CLAIMS, index=4095),
        replace(CLAIMS, index=4096),
        replace(CLAIMS, list_id=9),
        replace(CLAIMS, issued_on=date(2026, 11, 28)),
        replace(CLAIMS, issued_on=date(2025, 12, 31)),
    ):
        yield a_case(url(odd))
    young = url(replace(CLAIMS, issued_on=date(2026, 11, 28)), key=new_key())
    for days in (0, 1, 2, 3, 40):
        yield a_case(young, NOW + timedelta(days=days))
    for moment in (
        -HOUR,
        -timedelta(minutes=9),
        LIFE - timedelta(seconds=1),
        LIFE,
        LIST_LIFE - HOUR,
        LIST_LIFE,
        ROOT_LIFE,
    ):
        yield a_case(url(), NOW + moment)
    for signed_by in (MARK, new_key(), LOST):
        yield a_case(url(), list_3=a_list(signed_by=signed_by))
    yield a_case(url(), list_3=a_list(number=4))
    yield a_case(url(), list_4=a_list())
    yield a_case(url(), list_3=a_list(issued_at=NOW + 2 * HOUR))
    yield a_case(url(), list_3=b"")
    yield a_case(url(), list_3=bytes(600_000))
    many = packed([VOID, *(bytes((n,)) * 8 for n in range(256))])
    for voided in (None, b"", VOID, WHOLE, packed([VOID, WHOLE]), many, many[8:], many[:-8], VOID[1:], VOID * 2):
        for path in (UNIT, MarkPath.of_product(GTIN, "A1/c"), MarkPath.of_product(GTIN)):
            yield a_case(url(path=path), list_3=a_list(voided=voided))
        yield a_case(url(replace(CLAIMS, mark_no="沪-1001"), UNIT), list_3=a_list(voided=voided))
        yield a_case(url(path=UNIT), list_3=a_list(Status.REVOKED, voided=voided))
    chinese = public_hash("沪-1001", UNIT.aad)
    yield a_case(url(replace(CLAIMS, mark_no="沪-1001"), UNIT), list_3=a_list(voided=chinese))
    yield a_case(url(path=UNIT), list_3=a_list(voided=packed([VOID, WHOLE])[::-1]))
    yield a_case(url(), data=None)
    yield a_case(url().replace("mark.example", "127.0.0.1:8080"), data=None)
    yield a_case(url()[:-60], data=None)
    yield a_case(url(), data=BUNDLE[:-1])
    for text in TEXTS:
        yield a_case(text)


def test_every_code_gets_the_same_answer(node: str, scripts: Path) -> None:
    cases = [*stories(), *tampered()]
    expected = [ours(case) for case in cases]
    met = {answer["code"] for answer in expected}
    assert met >= {"valid", "revoked", "suspended", "cancelled", "mark_not_authorized", "bad_signature"}
    assert {answer["why"] for answer in expected if answer["why"]} == {why.value for why in Why}, "a reason is not met"
    compared(node, scripts, cases, expected)


def test_where_the_browser_knows_no_ed25519_the_answers_are_the_same(node: str, scripts: Path) -> None:
    order = 2**252 + 27742317777372353535851937790883648493
    start, number = url().split("?m=")
    token = from_decimal(number)
    more = int.from_bytes(token[-32:], "little") + order  # the same signature in a form that RFC 8032 forbids
    cases = [*stories(), a_case(f"{start}?m={decimal(token[:-32] + more.to_bytes(32, 'little'))}")]
    expected = [ours(case) for case in cases]
    assert expected[-1]["code"] == "bad_signature"
    compared(node, scripts, cases, expected, WITHOUT_ED25519="1")
    compared(node, scripts, cases[-1:], expected[-1:])


def test_no_tampered_code_is_ever_a_yes(node: str, scripts: Path) -> None:
    for answer in answers(node, scripts, list(tampered())):
        assert answer["code"] in ("bad_signature", "unknown_signer", "unreadable")
        assert answer["mark_no"] is None


def test_the_vectors_of_the_documentation(node: str, scripts: Path) -> None:
    told = vectors()
    base = {"bundle": told["bundle"], "pin": told["pin"], "now": (NOW + HOUR).timestamp()}
    text = f"https://mark.example/01/{GTIN}?m={decimal(VECTOR)}"
    code = {"way": "verdict", "text": text, "lists": {"17": told["status_list"]}, "host": "", **base}
    (found,) = answers(node, scripts, [code])
    assert (found["code"], found["model"], found["gtin"]) == ("valid", "XK-2000B/A", GTIN)
    uri = {"data": told["status_list"], "uri": "https://mark.example/status/17"}
    cases = [{"way": "list", "index": int(at), "units": told["units"], **base, **uri} for at in told["statuses"]]
    words = ["valid", "revoked", "suspended", "cancelled"]
    lists = answers(node, scripts, cases)
    assert [one["says"] for one in lists] == [words[status] for status in told["statuses"].values()]
    assert lists[0]["units"] == [unit["says"] for unit in told["units"]]


# --- lists --------------------------------------------------------------------------------------------------


def a_walk(data: bytes, pin: str = PIN, now: datetime = NOW + HOUR, seen: Seen | None = None) -> dict[str, Any]:
    least = seen or Seen()
    told = {"root": least.root, "list": least.list}
    return {"way": "walk", "bundle": data.hex(), "pin": pin, "now": now.timestamp(), "seen": told}


def our_walk(case: dict[str, Any]) -> dict[str, Any]:
    now = datetime.fromtimestamp(case["now"], NOW.tzinfo)
    try:
        found = walk(bytes.fromhex(case["bundle"]), case["pin"], now, Seen(**case["seen"]))
    except CertmarkError as refused:
        return {"refused": refused.slug}
    return {"root": found.root.version, "list": found.list.version, "pin": found.pin}


def histories() -> Iterator[dict[str, Any]]:
    """Roots and lists as they should follow each other, and each rule broken."""
    yield a_walk(BUNDLE)
    stranger, delegate = new_key(), FIRST.delegate
    two = bundle([ROOT_1, ROOT_2, SECOND.list_document()])
    for pin in (PIN, pin_of(ROOT_2), "0" * 64):
        yield a_walk(two, pin)
    for seen in (Seen(1, 1), Seen(1, 2), Seen(2, 1), Seen(2, 2), Seen(3, 0)):
        yield a_walk(BUNDLE, seen=seen)
        yield a_walk(two, seen=seen)
    for moment in (LIST_LIFE - HOUR, LIST_LIFE, ROOT_LIFE):
        yield a_walk(BUNDLE, now=NOW + moment)
    old = FIRST.document(issued_at=NOW - ROOT_LIFE, expires_at=NOW)
    yield a_walk(bundle([old, FIRST.list_document()]), pin_of(old))
    yield a_walk(bundle([old, ROOT_2, SECOND.list_document()]), pin_of(old))
    for signed_by in (
        FIRST.keys,
        FIRST.keys[:1],
        [FIRST.keys[0], FIRST.keys[0]],
        [*FIRST.keys[:2], stranger],
        [*FIRST.keys[:2], delegate],
    ):
        yield a_walk(bundle([FIRST.document(signed_by), FIRST.list_document()]))
    for signed in (
        FIRST.keys[:2],
        SECOND.keys[:2],
        [*FIRST.keys[:2], *SECOND.keys[:1]],
        [*FIRST.keys, *SECOND.keys],
        [*FIRST.keys[:2], *SECOND.keys[:2], stranger],
    ):
        yield a_walk(bundle([ROOT_1, SECOND.document(signed), SECOND.list_document()]))
    both = [*FIRST.keys[:2], *SECOND.keys[:2]]
    for changed in ({"version": 1}, {"version": 3}, {"register": "cd" * 32}):
        yield a_walk(bundle([ROOT_1, SECOND.document(both, **changed), SECOND.list_document()]))
    list_signers: tuple[list[PrivateKey], ...] = (
        [stranger],
        [FIRST.keys[0]],
        [MARK],
        [delegate, delegate],
        [delegate, stranger],
    )
    for signers in list_signers:
        yield a_walk(bundle([ROOT_1, FIRST.list_document(signers, signers=SIGNERS)]))
    others: tuple[dict[str, Any], ...] = ({"root": 2}, {"register": "cd" * 32}, {"version": 9}, {"signers": ()})
    for other in (*others, {"hosts": ()}):
        yield a_walk(bundle([ROOT_1, FIRST.list_document(**other)]))
    yield a_walk(bundle([ROOT_1, add_signatures(LIST, [delegate])]))
    for parts in (
        [ROOT_1],
        [LIST],
        [LIST, ROOT_1],
        [ROOT_1, ROOT_1],
        [ROOT_1, LIST, LIST],
        [ROOT_2, ROOT_1, LIST],
        [b"", b""],
    ):
        yield a_walk(bundle(parts))
    lost = Signer("urn:x", Purpose.MARK, new_key().public, date(2026, 1, 1), None, KeyStanding.RETIRED, NOW)
    yield a_walk(bundle([ROOT_1, FIRST.list_document(signers=(lost,))]))
    yield a_walk(BUNDLE[:-1] + bytes((BUNDLE[-1] ^ 1,)))
    for junk in (b"", b"\x80", b"\x82\x40\x40", b"\xff" * 50, bytes(2_000_000)):
        yield a_walk(junk)


def test_no_changed_byte_of_a_trust_list_is_believed(node: str, scripts: Path) -> None:
    changed = [BUNDLE[:at] + bytes((BUNDLE[at] ^ 0x04,)) + BUNDLE[at + 1 :] for at in range(len(BUNDLE))]
    cases = [a_walk(data) for data in changed]
    for case, told in zip(cases, answers(node, scripts, cases), strict=True):
        # Which of the two is met first depends on how much of the content a reader looks at before the signature.
        assert {told["refused"], our_walk(case)["refused"]} <= {"trust-unreadable", "trust-bad-signature"} or (
            told == our_walk(case)
        )


def test_a_trust_list_is_believed_by_the_same_rules(node: str, scripts: Path) -> None:
    cases = list(histories())
    expected = [our_walk(case) for case in cases]
    met = {answer.get("refused") for answer in expected}
    assert met >= {f"trust-{name}" for name in ("rolled-back", "root-expired", "list-expired", "too-few-signatures")}
    assert met >= {
        f"trust-{name}" for name in ("duplicate-signer", "unknown-delegate", "unknown-signer", "wrong-purpose")
    }
    assert met >= {f"trust-{name}" for name in ("bad-signature", "unknown-root", "other-register", "unreadable")}
    compared(node, scripts, cases, expected)


def test_a_status_list_is_believed_by_the_same_rules(node: str, scripts: Path) -> None:
    both = packed([VOID, WHOLE])
    good = a_list(Status.SUSPENDED, voided=both)
    files = [good, *(good[:at] + bytes((good[at] ^ 0x04,)) + good[at + 1 :] for at in range(len(good)))]
    files += [
        good[:-1],
        good + b"\x00",
        b"",
        bytes(600_000),
        *(a_list(signed_by=key) for key in (MARK, LOST, new_key())),
        *(
            a_list(voided=wrong)
            for wrong in (VOID[1:], VOID * 2, packed([VOID, WHOLE])[8:] + packed([VOID, WHOLE])[:8])
        ),
    ]
    shared = {"bundle": BUNDLE.hex(), "pin": PIN, "now": (NOW + HOUR).timestamp()}
    cases = [
        {"way": "list", "data": data.hex(), "uri": "https://mark.example/status/3", "index": CLAIMS.index, **shared}
        for data in files
    ]
    expected = []
    for data in files:
        try:
            found = verify_list(open_list(data), SIGNERS)
            told = {
                "iat": int(found.issued_at.timestamp()),
                "exp": int(found.expires_at.timestamp()),
                "says": "suspended",
            }
            expected.append(told)
        except CertmarkError as refused:
            expected.append({"refused": refused.slug})
    assert sum("says" in answer for answer in expected) == 1
    compared(node, scripts, cases, expected)


def test_lists_are_renewed_only_upwards_and_from_their_own_addresses(node: str, scripts: Path) -> None:
    base = "https://mark.example/status"
    named = [f"{base}/3", f"{base}/4", f"{base}/5", "https://evil.example/status/6", f"{base}/../7", f"{base}/x", 8]
    older, newer = a_list(), a_list(issued_at=NOW + timedelta(minutes=5))
    files = {
        "/.well-known/certmark-trust": BUNDLE,
        "/status/lists": json.dumps({"status_lists": named}).encode(),
        "/status/3": older,
        "/status/4": a_list(number=4),
        "/status/5": a_list(number=4),
    }
    now = (NOW + HOUR).timestamp()
    seen = {"root": 1, "list": 1}
    stored = {"bundle": BUNDLE.hex(), "pin": PIN, "seen": seen, "lists": {"3": newer.hex()}}
    packed = {path: data.hex() for path, data in files.items()}
    case = {"way": "refresh", "stored": stored, "files": packed, "now": now}
    (found,) = answers(node, scripts, [case])
    assert sorted(found["refusals"]) == ["list-not-this-one", "list-rolled-back"]
    assert found["lists"] == {"3": newer.hex(), "4": files["/status/4"].hex()}
    assert (found["pin"], found["seen"]) == (PIN, seen)
    assert [path for path in found["asked"] if path.startswith("/status/")] == [
        "/status/lists",
        "/status/3",
        "/status/4",
        "/status/5",
    ]
    back = case | {"stored": stored | {"seen": {"root": 1, "list": 2}}}
    gone = case | {"files": {path: data for path, data in packed.items() if path != "/status/lists"}}
    rubbish = case | {"files": packed | {"/status/lists": b"<html>".hex()}}
    refused = [answer["refused"] for answer in answers(node, scripts, [back, gone, rubbish])]
    assert refused == ["trust-rolled-back", "http_404", "lists-unreadable"]


def test_a_bomb_is_refused_while_it_grows(node: str, scripts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = zlib.compress(bytes(200_000_000), 9)
    assert len(bomb) < 300_000
    monkeypatch.setattr(status_list, "deflated", lambda array: bomb)
    data = a_list()
    case = {"way": "list", "data": data.hex(), "uri": "https://mark.example/status/3", "index": 0}
    shared = {"bundle": BUNDLE.hex(), "pin": PIN, "now": (NOW + HOUR).timestamp()}
    assert answers(node, scripts, [case | shared]) == [{"refused": "list-too-large"}]


def test_the_bundle_is_what_the_python_program_reads() -> None:
    assert open_bundle(BUNDLE) == [ROOT_1, LIST]
    assert json.loads(json.dumps(a_case(url())))["pin"] == PIN
    assert sign_token(CLAIMS, MarkPath.of_product(GTIN), MARK) == from_decimal(url().split("?m=")[1])
