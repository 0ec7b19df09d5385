"""The door of pages behind a sign-in: how long a visit lasts, how often one may knock, what a form has to show."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_network

from flask import Response, request

from services.client_address import client_address
from services.domain.errors import CertmarkError, TooManyRequests
from services.postgres import Cursor
from services.settings import Settings

IDLE = timedelta(minutes=30)
"""Without a request for so long, a visit is over."""
LONGEST = timedelta(hours=12)
"""However busy, a visit ends after so long."""
STRIKES = 5
"""Wrong tokens from one address after which it has to wait."""
LOCKED = timedelta(minutes=15)
"""How long it waits, and how long its wrong tokens are remembered."""

SEEN_EVERY = timedelta(minutes=1)
"""How often a visit that goes on is noted."""
_FORM = b"certmark console form"


class FormNotOurs(CertmarkError):
    slug = "form-not-ours"
    title = "The form was not made for this visit, or the visit is over"
    zh = "该表单不属于本次登录，或登录已结束"
    status = 403


class LockedOut(TooManyRequests):
    slug = "locked-out"
    title = "Too many wrong access tokens from this address; wait"
    zh = "该地址输错访问令牌次数过多，请稍候"

    def __init__(self, seconds: int) -> None:
        super().__init__(f"try again in {-(-seconds // 60)} min", hint="the token is in the file that you were given")
        self.retry_after = seconds


def is_over(begun_at: datetime, seen_at: datetime, now: datetime) -> bool:
    return now >= seen_at + IDLE or now >= begun_at + LONGEST


def digest_of(cookie: str) -> str:
    """What is kept of a cookie, so that reading the tables lets nobody in."""
    return hashlib.sha256(cookie.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Knocks:
    """The wrong tokens that an address has shown lately."""

    wrong: int
    last_at: datetime

    def locked_for(self, now: datetime) -> timedelta | None:
        """How long the address still has to wait; None where it may knock."""
        left = self.last_at + LOCKED - now
        return left if self.wrong >= STRIKES and left > timedelta(0) else None

    def and_another(self, now: datetime) -> "Knocks":
        forgotten = now >= self.last_at + LOCKED
        return Knocks(1 if forgotten else self.wrong + 1, now)


def form_token(cookie: str) -> str:
    """What a form sent with this cookie has to show: only our own pages know it, as no script can read the cookie."""
    return hmac.new(cookie.encode(), _FORM, hashlib.sha256).hexdigest()


def check_form(cookie: str, shown: str) -> None:
    """Raises FormNotOurs where a form does not show the token of its cookie."""
    if not cookie or not hmac.compare_digest(form_token(cookie).encode(), shown.encode("utf-8", "replace")):
        raise FormNotOurs("the form's token is missing or another visit's", hint="load the page again")


# --- the cookie, and who knocks ------------------------------------------------------------------------------------


def set_cookie(response: Response, name: str, value: str, root: str, settings: Settings) -> None:
    """For the pages below a root alone: no script reads it, no other site's form sends it, and no line without TLS
    where there is one."""
    secure = settings.production or request.is_secure or request.headers.get("X-Forwarded-Proto") == "https"
    response.set_cookie(name, value, httponly=True, samesite="Strict", secure=secure, path=root)


def address(settings: Settings) -> str:
    """Who knocks, as far as knocks are counted: an address, or the network of 64 bits that one house has of IPv6."""
    found = client_address(request.environ, settings.trusted_proxies)
    if found is None or found.version == 4:
        return str(found or "")
    return str(ip_network((found, 64), strict=False))


# --- wrong knocks, by address ---------------------------------------------------------------------------------------


def require_unlocked(cur: Cursor, address: str, now: datetime) -> None:
    """Raises LockedOut while an address has to wait. Nothing that it sends meanwhile is looked at."""
    cur.execute("SELECT wrong, last_at FROM console_knocks WHERE address = %s", (address,))
    row = cur.fetchone()
    left = Knocks(*row).locked_for(now) if row else None
    if left is not None:
        raise LockedOut(max(1, round(left.total_seconds())))


def remember_knock(cur: Cursor, address: str, now: datetime) -> None:
    """One more wrong token. The row is locked, so that a hundred at once count a hundred times."""
    cur.execute("DELETE FROM console_knocks WHERE last_at <= %s", (now - LOCKED,))
    cur.execute(
        "INSERT INTO console_knocks (address, wrong, last_at) VALUES (%s, 0, %s) ON CONFLICT DO NOTHING",
        (address, now),
    )
    cur.execute("SELECT wrong, last_at FROM console_knocks WHERE address = %s FOR UPDATE", (address,))
    row = cur.fetchone()
    knocks = Knocks(*row) if row else Knocks(0, now)
    after = knocks.and_another(now)
    cur.execute(
        "UPDATE console_knocks SET wrong = %s, last_at = %s WHERE address = %s", (after.wrong, after.last_at, address)
    )


def forget_knocks(cur: Cursor, address: str) -> None:
    cur.execute("DELETE FROM console_knocks WHERE address = %s", (address,))
