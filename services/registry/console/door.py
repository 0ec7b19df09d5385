"""The console's door: who is inside and for how long, how often a stranger may knock, and what a form has to show."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.auth import Caller, NotPermitted, Role, counts_still
from services.domain.errors import CertmarkError, TooManyRequests
from services.postgres import Cursor

IDLE = timedelta(minutes=30)
"""Without a request for so long, a visit is over."""
LONGEST = timedelta(hours=12)
"""However busy, a visit ends after so long."""
STRIKES = 5
"""Wrong tokens from one address after which it has to wait."""
LOCKED = timedelta(minutes=15)
"""How long it waits, and how long its wrong tokens are remembered."""

_SEEN_EVERY = timedelta(minutes=1)
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


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who came in, by which token. A source (`source` is its URN) sees and does its own things; a regulator, who has
    none, sees every source's and does nothing."""

    token: str
    role: Role
    source: str | None

    def may_see(self, source: str) -> bool:
        return self.role is Role.REGULATOR or self.source == source

    def may_act_for(self, source: str) -> bool:
        return self.role is Role.SOURCE and self.source == source


def visitor_of(caller: Caller) -> Visitor:
    """Raises NotPermitted where the token's role has nothing to do here."""
    if caller.role not in (Role.SOURCE, Role.REGULATOR):
        raise NotPermitted(f"a token of the role {caller.role}; the console is for sources and regulators")
    return Visitor(caller.id, caller.role, caller.holder if caller.role is Role.SOURCE else None)


@dataclass(frozen=True, slots=True)
class Visit:
    """A visitor's stay, from the right token on."""

    visitor: Visitor
    begun_at: datetime
    seen_at: datetime

    def is_over(self, now: datetime) -> bool:
        return now >= self.seen_at + IDLE or now >= self.begun_at + LONGEST


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


# --- what is kept; of cookies only the digest, so that reading the table lets nobody in --------------------------


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()


def visit_of(cur: Cursor, cookie: str, now: datetime) -> Visit | None:
    """The visit that a cookie belongs to, noting that it goes on; None where it, or its token, has ended."""
    cur.execute(
        "SELECT token, role, source, begun_at, seen_at FROM console_visits WHERE digest = %s",
        (_digest(cookie),),
    )
    row = cur.fetchone()
    if row is None:
        return None
    token, role, source, begun_at, seen_at = row
    visit = Visit(Visitor(token, Role(role), source), begun_at, seen_at)
    if visit.is_over(now) or not counts_still(cur, token):
        return None
    if now - seen_at >= _SEEN_EVERY:
        cur.execute("UPDATE console_visits SET seen_at = %s WHERE digest = %s", (now, _digest(cookie)))
    return visit


def begin_visit(cur: Cursor, cookie: str, visitor: Visitor, now: datetime) -> None:
    cur.execute("DELETE FROM console_visits WHERE seen_at <= %s OR begun_at <= %s", (now - IDLE, now - LONGEST))
    cur.execute(
        "INSERT INTO console_visits (digest, token, role, source, begun_at, seen_at) VALUES (%s, %s, %s, %s, %s, %s)",
        (_digest(cookie), visitor.token, visitor.role.value, visitor.source, now, now),
    )


def end_visit(cur: Cursor, cookie: str) -> None:
    cur.execute("DELETE FROM console_visits WHERE digest = %s", (_digest(cookie),))


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
