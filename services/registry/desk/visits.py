"""Who is inside the desk, from signing in on, and who is on the way to the identity provider."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.postgres import Cursor
from services.registry import door
from services.registry.desk import accounts
from services.registry.desk.accounts import Account

ERRAND = timedelta(minutes=10)
"""How long somebody may take at the identity provider."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What was sent to the identity provider, and has to come back with its answer."""

    state: str
    nonce: str
    verifier: str
    to_page: str


def visitor(cur: Cursor, cookie: str, now: datetime, *, demonstration: bool) -> Account | None:
    """Whose visit a cookie belongs to, noting that it goes on; None where it has ended or the account is closed."""
    digest = door.digest_of(cookie)
    cur.execute("SELECT account, begun_at, seen_at FROM desk_visits WHERE digest = %s", (digest,))
    row = cur.fetchone()
    if row is None or door.is_over(row[1], row[2], now):
        return None
    if now - row[2] >= door.SEEN_EVERY:
        cur.execute("UPDATE desk_visits SET seen_at = %s WHERE digest = %s", (now, digest))
    return accounts.account(cur, row[0], demonstration=demonstration)


def begin(cur: Cursor, cookie: str, name: str, now: datetime) -> None:
    over = (now - door.IDLE, now - door.LONGEST)
    cur.execute("DELETE FROM desk_visits WHERE seen_at <= %s OR begun_at <= %s", over)
    cur.execute(
        "INSERT INTO desk_visits (digest, account, begun_at, seen_at) VALUES (%s, %s, %s, %s)",
        (door.digest_of(cookie), name, now, now),
    )


def end(cur: Cursor, cookie: str) -> str | None:
    """Whose visit it was; None where there was none."""
    cur.execute("DELETE FROM desk_visits WHERE digest = %s RETURNING account", (door.digest_of(cookie),))
    row = cur.fetchone()
    return str(row[0]) if row else None


def send(cur: Cursor, cookie: str, errand: Errand, now: datetime) -> None:
    """Remember with what a visitor left for the identity provider; one errand a cookie."""
    cur.execute("DELETE FROM desk_errands WHERE begun_at <= %s", (now - ERRAND,))
    cur.execute(
        "INSERT INTO desk_errands (digest, state, nonce, verifier, to_page, begun_at) VALUES (%s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (digest) DO UPDATE SET state = excluded.state, nonce = excluded.nonce,"
        " verifier = excluded.verifier, to_page = excluded.to_page, begun_at = excluded.begun_at",
        (door.digest_of(cookie), errand.state, errand.nonce, errand.verifier, errand.to_page, now),
    )


def welcome_back(cur: Cursor, cookie: str, now: datetime) -> Errand | None:
    """With what a visitor left, once; None where nobody did with this cookie, or too long ago."""
    cur.execute(
        "DELETE FROM desk_errands WHERE digest = %s RETURNING state, nonce, verifier, to_page, begun_at",
        (door.digest_of(cookie),),
    )
    row = cur.fetchone()
    return Errand(*row[:4]) if row and now < row[4] + ERRAND else None
