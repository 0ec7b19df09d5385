"""What somebody typed, pasted or scanned: a number, one of our addresses, or none of our business."""

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from services.domain.identifiers import MalformedNumber, certificate_number, gtin14, normalised
from services.marks.token import MarkPath
from services.verify.look_alike import host_of, looks_like_ours
from services.verify.wording import Code

LONGEST = 2048
"""Characters that are looked at; a QR code of ours has fewer than 700."""

_LABEL = re.compile(
    r"(?:[\u4e00-\u9fff]{0,10}(?:编号|证书号|标志号|有机码|条码|信用代码)"
    r"|(?:certificate|mark|declaration) ?(?:no\.?|number))"
    r"(?:\s*[:：]\s*(?=\S)|\s*(?=[0-9A-Za-z０-９]))",
    re.IGNORECASE,
)
"""What stands in front of a number on paper, and is copied with it."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,30}:(?=[^0-9]|$)")
_EVERYDAY = re.compile(r"(tel|sms|smsto|mailto|wifi|geo|weixin|wxp|alipays?|data|javascript|file|ftp):", re.IGNORECASE)
_BARE_HOST = re.compile(r"[A-Za-z0-9.-]+\.[A-Za-z]{2,24}(:[0-9]{1,5})?(/|$)|[\w.-]+\.\w{2,24}(:[0-9]{1,5})?/(c|m|01)/")
_QUALIFIERS = r"(?:/22/[^/]{1,80})?(?:/10/[^/]{1,80})?(?:/21/(?P<serial>[^/]{1,80}))?/?"
"""Of a GS1 Digital Link, in GS1's order: variant, batch, serial. The serial alone is a part of what a mark signs."""

_GTIN_PATH = re.compile(rf"/01/(?P<gtin>[^/]{{1,40}}){_QUALIFIERS}")
_NUMBER_PATH = re.compile(r"/(?P<kind>[cm])/(?P<number>.{1,400}?)/?", re.DOTALL)
_ELEMENTS = re.compile(r"\(01\)([0-9]{14})(?:\(21\)([!-z]{1,20}))?")
_SERIAL = re.compile(r"[!-\"%-?A-Z_a-z]{1,20}")
"""GS1's character set 82, as a serial (AI 21) may use it."""

_BAR_CODE = re.compile(r"[0-9]{8}|[0-9]{12,14}")
USCC = re.compile(r"[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}")
_FEWEST_DIGITS_OF_A_NUMBER = 6


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, in canonical form.

    `decided` is set where the text alone decides the answer. Otherwise one of `number` (of a certificate,
    declaration or mark), `gtin` or `uscc` is; `gtin` may stand beside `number`, for digits can be both.
    `mark_only` says that the number was asked for as a mark's. `token` is the decimal number of a QR, still
    unread, and `path` the address that it has to be signed for.
    """

    text: str
    decided: Code | None = None
    number: str | None = None
    gtin: str | None = None
    serial: str | None = None
    uscc: str | None = None
    mark_only: bool = False
    token: str | None = None
    path: MarkPath | None = None
    expected: tuple[str, ...] = ()


def recognise(text: str, hosts: tuple[str, ...]) -> Question:
    """The question in a text. `hosts` are the lower-case hosts, with port where there is one, that are ours."""
    text = text.strip()
    if len(text) > LONGEST:
        return Question(text[:64], decided=Code.NOT_OURS)
    text = text.rstrip("。，；、,;")  # a sentence's end, copied with it
    if label := _LABEL.match(text):
        text = text[label.end() :]
    address = _address(text, hosts)
    if address is not None:
        return _of_address(text, address, hosts)
    elements = _ELEMENTS.fullmatch(unicodedata.normalize("NFKC", text).replace(" ", ""))
    if elements:
        return of_gtin(elements[1], elements[2])
    if _EVERYDAY.match(text) or (_SCHEME.match(text) and not _is_number(text)):
        return Question(text, decided=Code.NOT_OURS)
    return of_number(text)


def of_number(text: str) -> Question:
    """A number as typed: of a certificate, declaration or mark; a bar code; a credit code."""
    try:
        number = certificate_number(text)
    except MalformedNumber:
        return Question(text, decided=Code.MALFORMED_NUMBER, expected=_resembles(text))
    if not number.isdigit() or len(number) not in (8, 12, 13, 14):
        uscc = number if USCC.fullmatch(number) else None
        return Question(text, number=number, uscc=uscc)
    try:
        return Question(text, number=number, gtin=gtin14(number))
    except MalformedNumber:
        # Digits of a bar code's length may still be a certificate's number: the register decides.
        return Question(text, number=number, expected=("check_digit",))


def of_mark(text: str) -> Question:
    """A mark's number, where the address says that it is one."""
    try:
        return Question(text, number=certificate_number(text), mark_only=True)
    except MalformedNumber:
        return Question(text, decided=Code.MALFORMED_NUMBER, expected=("certificate",))


def of_certificate(text: str, token: str | None = None) -> Question:
    """A certificate's number, where the address says that it is one, with or without the token of its mark."""
    try:
        number = certificate_number(text)
    except MalformedNumber:
        return Question(text, decided=Code.MALFORMED_NUMBER, expected=("certificate",))
    path = MarkPath.of_certificate(number) if token is not None else None
    return Question(text, number=number, token=token, path=path)


def of_gtin(text: str, serial: str | None = None, token: str | None = None) -> Question:
    """A product's GTIN, where the address says that it is one."""
    fits = serial is None or _SERIAL.fullmatch(serial) is not None
    try:
        gtin = gtin14(text)
    except MalformedNumber:
        expected = ("gtin", "check_digit")
        digits = normalised(text)
        if token is None or not fits or not _BAR_CODE.fullmatch(digits):
            return Question(text, decided=Code.MALFORMED_NUMBER, expected=expected)
        # A wrong check digit may have been signed, and the offline check looks at the signature first.
        signed_for = MarkPath.of_product(digits.zfill(14), serial)
        return Question(text, decided=Code.MALFORMED_NUMBER, expected=expected, token=token, path=signed_for)
    if not fits:
        return Question(text, decided=Code.UNREADABLE)
    path = MarkPath.of_product(gtin, serial) if token is not None else None
    return Question(text, gtin=gtin, serial=serial, token=token, path=path)


def of_digital_link(gtin: str, qualifiers: str, token: str | None = None) -> Question:
    """A product's GTIN with what GS1 lets follow it in an address."""
    told = re.fullmatch(_QUALIFIERS, f"/{qualifiers}")
    if told is None:
        return Question(f"/01/{gtin}/{qualifiers}", decided=Code.UNREADABLE)
    return of_gtin(gtin, told["serial"], token)


def _address(text: str, hosts: tuple[str, ...]) -> SplitResult | None:
    """The text as a web address, with `https://` supplied where only a host is written; None where it is none."""
    lower = text.lower()
    if not re.match(r"https?://", lower):
        ours = any(lower.startswith((f"{host}/", f"//{host}/")) for host in hosts)
        if not ours and not (_BARE_HOST.match(text) and "/" in text):
            return None
        text = f"https://{text.lstrip('/')}"
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises where it is no number
        return parts
    except ValueError:
        return SplitResult("https", "", "", "", "")


def _of_address(text: str, address: SplitResult, hosts: tuple[str, ...]) -> Question:
    token = _token(address.query)
    product = _GTIN_PATH.fullmatch(address.path)
    number = _NUMBER_PATH.fullmatch(address.path)
    if host_of(address) not in hosts:
        # A GTIN in a path is GS1's form and everybody's; our token behind it, or one of our numbers, is not.
        imitates = (product or number) and token is not None and token[:1].isdigit()
        imitates = imitates or (number and _is_number(unquote(number["number"])))
        imitates = imitates or looks_like_ours(address, hosts)
        return Question(text, decided=Code.IMPOSTOR_HOST if imitates else Code.NOT_OURS)
    if product:
        serial = unquote(product["serial"]) if product["serial"] else None
        return of_gtin(unquote(product["gtin"]), serial, token)
    if number and number["kind"] == "c":
        return of_certificate(unquote(number["number"]), token)
    if number:
        return of_mark(unquote(number["number"]))
    return Question(text, decided=Code.NOT_OURS)


def _token(query: str) -> str | None:
    """The value of `m`, exactly as written: any other form of the same number is not the signed one."""
    return next((part[2:] for part in query.split("&") if part.startswith("m=")), None)


def _is_number(text: str) -> bool:
    """Whether a text that may be anything, such as another site's /c/…, looks like one of our numbers."""
    try:
        number = certificate_number(text)
    except MalformedNumber:
        return False
    return sum(c.isdigit() for c in number) >= _FEWEST_DIGITS_OF_A_NUMBER


def _resembles(text: str) -> tuple[str, ...]:
    """The kinds of input that a text comes closest to."""
    plain = normalised(text[:200])
    if plain and plain.isdigit():
        return ("certificate", "gtin")
    if "HTTP" in plain or "WWW" in plain or "://" in plain:
        return ("url", "certificate")
    return ("certificate", "gtin", "url")
