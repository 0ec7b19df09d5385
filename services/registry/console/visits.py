"""Who is inside the console: a source with its own access token, or a regulator who looks, and for how long."""

from dataclasses import dataclass
from datetime import datetime

from services.auth import Caller, NotPermitted, Role, counts_still
from services.postgres import Cursor
from services.registry import door


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
        return door.is_over(self.begun_at, self.seen_at, now)


# --- what is kept ---------------------------------------------------------------------------------------------------


def visit_of(cur: Cursor, cookie: str, now: datetime) -> Visit | None:
    """The visit that a cookie belongs to, noting that it goes on; None where it, or its token, has ended."""
    cur.execute(
        "SELECT token, role, source, begun_at, seen_at FROM console_visits WHERE digest = %s",
        (door.digest_of(cookie),),
    )
    row = cur.fetchone()
    if row is None:
        return None
    token, role, source, begun_at, seen_at = row
    visit = Visit(Visitor(token, Role(role), source), begun_at, seen_at)
    if visit.is_over(now) or not counts_still(cur, token):
        return None
    if now - seen_at >= door.SEEN_EVERY:
        cur.execute("UPDATE console_visits SET seen_at = %s WHERE digest = %s", (now, door.digest_of(cookie)))
    return visit


def begin_visit(cur: Cursor, cookie: str, visitor: Visitor, now: datetime) -> None:
    over = (now - door.IDLE, now - door.LONGEST)
    cur.execute("DELETE FROM console_visits WHERE seen_at <= %s OR begun_at <= %s", over)
    cur.execute(
        "INSERT INTO console_visits (digest, token, role, source, begun_at, seen_at) VALUES (%s, %s, %s, %s, %s, %s)",
        (door.digest_of(cookie), visitor.token, visitor.role.value, visitor.source, now, now),
    )


def end_visit(cur: Cursor, cookie: str) -> None:
    cur.execute("DELETE FROM console_visits WHERE digest = %s", (door.digest_of(cookie),))
