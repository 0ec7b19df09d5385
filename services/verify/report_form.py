"""The form of a consumer's report: a token of its own instead of a cookie, what was filled in, and what is wrong."""

import base64
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from services.domain.calendar import Calendars
from services.domain.complaints import due_on, report_number, secret_hash, secret_of
from services.domain.identifiers import civil_day
from services.events.complaint_record import Complaint

LASTS_S = 24 * 3600
"""Seconds in which a form can be sent: long enough to look for the receipt, short enough to be no store of tokens."""

LONGEST: Mapping[str, int] = {"product": 100, "code": 400, "where": 100, "link": 500, "text": 2000, "contact": 100}
"""Characters of each field."""

_KEPT = 10
"""Times as many are given back to who wrote too much, to shorten: a browser that cuts them off says nothing."""

WHERE_KINDS = ("shop", "platform", "other")
INVISIBLE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u2800\u3164\ufeff\uffa0\ufff0-\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff"
    "\U000e01f0-\U000e0fff]"
)
"""What no event may hold in a text either: it is not seen, or turns the direction of what is."""
_SPACE = re.compile(r"[ \t]+")
_REGION = re.compile(r"[1-9][0-9]{5}", re.ASCII)
_ANSWER = re.compile(r"[a-z_]{1,40}", re.ASCII)


@dataclass(frozen=True, slots=True)
class FormToken:
    """What a form that was given out is known again by: its time and 128 bits of chance, under our own key.

    The report's number and secret come out of the chance, so that sending the same form twice is one report.
    """

    at: int
    chance: bytes

    def text(self, key: bytes) -> str:
        return f"{self.at}.{self.chance.hex()}.{_mac(key, self.at, self.chance).hex()}"


def new_token(now: datetime) -> FormToken:
    return FormToken(int(now.timestamp()), secrets.token_bytes(16))


def token_of(text: str, key: bytes, now: datetime) -> FormToken | None:
    """The token of a form that we gave out within the last day; None for any other."""
    found = re.fullmatch(r"([0-9]{10})\.([0-9a-f]{32})\.([0-9a-f]{32})", text, re.ASCII)
    if found is None:
        return None
    token = FormToken(int(found[1]), bytes.fromhex(found[2]))
    if not hmac.compare_digest(_mac(key, token.at, token.chance).hex(), found[3]):
        return None
    return token if 0 <= int(now.timestamp()) - token.at <= LASTS_S else None


def _mac(key: bytes, at: int, chance: bytes) -> bytes:
    return hmac.digest(key, b"certmark-form\n%d\n" % at + chance, "sha256")[:16]


def key_in(file: Path) -> bytes:
    """The node's key for forms, made at its first use. Nodes that answer for each other share one file."""
    for _ in range(2):
        try:
            key = base64.b64decode(file.read_bytes(), validate=True)
            if len(key) == 32:
                return key
        except (FileNotFoundError, ValueError):
            pass
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as opened:
            opened.write(base64.b64encode(secrets.token_bytes(32)))
        try:
            os.link(fresh, file)  # the first of several processes wins
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    raise ValueError(f"{file} holds no key for forms: 32 bytes in base64")


@dataclass(slots=True)
class Filled:
    """What stands in the fields, and by field which of the wordings says what is wrong with it."""

    product: str = ""
    code: str = ""
    answer: str = ""
    where_kind: str = ""
    where: str = ""
    link: str = ""
    region: str = ""
    text: str = ""
    contact: str = ""
    consent: bool = False
    wrong: dict[str, str] = field(default_factory=dict)


def filled_in(form: Mapping[str, str]) -> Filled:
    """The fields of a form, tidied, with what is wrong. What is too long is kept, for the person to shorten."""

    def line(name: str) -> str:
        return _SPACE.sub(
            " ", INVISIBLE.sub(" ", form.get(name, "")[: _KEPT * LONGEST[name]]).replace("\n", " ")
        ).strip()

    text = form.get("text", "")[: _KEPT * LONGEST["text"]].replace("\r\n", "\n").replace("\r", "\n")
    answer, region = form.get("answer", ""), form.get("region", "")
    filled = Filled(
        product=line("product"),
        code=line("code"),
        answer=answer if _ANSWER.fullmatch(answer) else "",
        where_kind=form.get("where_kind", "") if form.get("where_kind") in WHERE_KINDS else "",
        where=line("where"),
        link=line("link"),
        region=region if _REGION.fullmatch(region) else "",
        text=INVISIBLE.sub(" ", text).strip(),
        contact=line("contact"),
        consent=form.get("consent") == "yes",
    )
    for name in ("product", "text"):
        if not getattr(filled, name):
            filled.wrong[name] = "missing"
    if not filled.where_kind:
        filled.wrong["where_kind"] = "choose"
    for name, longest in LONGEST.items():
        if len(getattr(filled, name)) > longest:
            filled.wrong[name] = "too_long"
    if filled.contact and not filled.consent:
        filled.wrong["consent"] = "consent"
    return filled


@dataclass(frozen=True, slots=True)
class Ready:
    """A report that can be handed in, and the secret that is told once."""

    complaint: Complaint
    secret: str
    assumed: tuple[int, ...]
    """Years whose published calendar is not known here: Monday to Friday were counted."""


def ready(filled: Filled, token: FormToken, key: bytes, now: datetime, calendars: Calendars) -> Ready:
    """The report of a form that is filled in rightly. The same form gives the same number, secret and salt."""
    drawn = hmac.digest(key, b"certmark-report\n" + token.chance, "sha512")
    given = datetime.fromtimestamp(token.at, now.tzinfo)
    number = report_number(civil_day(given), drawn[:5])
    secret = secret_of(drawn[5:15])
    deadline = due_on(civil_day(now), calendars)
    complaint = Complaint(
        no=number,
        secret_hash=secret_hash(number, secret),
        salt=drawn[16:32].hex(),
        received_at=now.replace(microsecond=now.microsecond // 1000 * 1000),
        due_on=deadline.day,
        product=filled.product,
        code=filled.code or None,
        answer=filled.answer or None,
        where_kind=filled.where_kind,
        where=filled.where or None,
        link=filled.link or None,
        region=filled.region or None,
        text=filled.text,
        contact=filled.contact if filled.contact and filled.consent else None,
    )
    return Ready(complaint, secret, deadline.assumed)
