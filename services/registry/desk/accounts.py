"""Accounts of the desk: who may come in, with which password, and for which part of the country."""

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.auth import Role, read_token, write_token
from services.domain.division import covers, is_division
from services.domain.errors import BadRequest, CertmarkError
from services.postgres import Cursor

ROLES = (Role.INSPECTOR, Role.REGULATOR, Role.ADMINISTRATOR)
SHORTEST = 12
"""Characters of a password. Length is asked for, no mixture of kinds (NIST SP 800-63B, 3.1.1.2)."""
LONGEST = 256
STRIKES = 10
"""Wrong passwords in a row after which an account has to wait, from wherever they came."""
LOCKED = timedelta(minutes=15)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,63}", re.ASCII)


class AccountExists(CertmarkError):
    slug = "account-exists"
    title = "There is an account of this name"
    zh = "已有同名账号"
    status = 409


class WeakPassword(BadRequest):
    slug = "weak-password"
    title = "The password is too short, or too easy to guess"
    zh = "口令过短或过于容易猜到"


@dataclass(frozen=True, slots=True)
class Account:
    """An account as its holder uses it; its password is never part of it. `division` None: the whole country."""

    name: str
    role: Role
    division: str | None
    must_change: bool = False
    by_password: bool = True
    closed_at: datetime | None = None

    def may_see(self, code: str | None) -> bool:
        """Whether something of a place concerns this account: an inspector's own division, everything a regulator."""
        return self.role is Role.REGULATOR or (self.role is Role.INSPECTOR and covers(self.division, code))


@cache
def _hasher() -> PasswordHasher:
    """argon2id with 19 MiB and two passes on one lane (OWASP's first choice for servers that others can keep busy)."""
    return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def checked_name(name: str) -> str:
    """Raises BadRequest: a name is a staff number or login of 2 to 64 letters, digits, dots and dashes."""
    if not _NAME.fullmatch(name):
        raise BadRequest("a name has 2 to 64 letters, digits, dots and dashes: a staff number, never a person's name")
    return name


def checked_password(password: str, name: str) -> str:
    """Raises WeakPassword where a password is shorter than twelve characters, holds the name, or hardly varies."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise WeakPassword(f"a password has {SHORTEST} to {LONGEST} characters")
    if name.lower() in password.lower() or len(set(password)) < 5:
        raise WeakPassword("the password holds the account's name, or is little but repetition")
    return password


# --- what is kept ---------------------------------------------------------------------------------------------------


def create(
    cur: Cursor,
    name: str,
    role: Role,
    division: str | None,
    password: str | None,
    *,
    must_change: bool = True,
    demonstration: bool = False,
) -> Account:
    """Open an account; without a password it comes in by the identity provider alone.

    Raises:
        AccountExists; BadRequest: a name, role or division that is none. WeakPassword.
    """
    checked_name(name)
    if role not in ROLES:
        raise BadRequest(f"an account's role is one of {', '.join(ROLES)}")
    if division is not None and not is_division(division):
        raise BadRequest("a division has six digits (GB/T 2260)", pointer="/division")
    if role is Role.INSPECTOR and division is None:
        raise BadRequest("an inspector belongs to a district or city", pointer="/division")
    hashed = _hasher().hash(checked_password(password, name)) if password is not None else None
    must_change = must_change and password is not None
    cur.execute(
        "INSERT INTO accounts (name, role, division, password, must_change, demonstration)"
        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (name) DO NOTHING",
        (name, role.value, division, hashed, must_change, demonstration),
    )
    if cur.rowcount == 0:
        raise AccountExists(f"{name} is taken")
    return Account(name, role, division, must_change, hashed is not None)


def account(cur: Cursor, name: str, *, demonstration: bool) -> Account | None:
    """An open account. `demonstration`: whether those count whose passwords lie open."""
    cur.execute(
        "SELECT name, role, division, must_change, password IS NOT NULL FROM accounts"
        " WHERE name = %s AND closed_at IS NULL AND (%s OR NOT demonstration)",
        (name, demonstration),
    )
    row = cur.fetchone()
    return Account(row[0], Role(row[1]), row[2], row[3], row[4]) if row else None


LISTED = (
    "SELECT name, role, division, must_change, password IS NOT NULL, closed_at FROM accounts"
    " WHERE name >= %s ORDER BY name LIMIT %s"
)


def listed(cur: Cursor, since: str = "", limit: int | None = None) -> list[Account]:
    """Accounts by name, closed ones too: all, or so many from a name on."""
    cur.execute(LISTED, (since, limit))
    return [Account(row[0], Role(row[1]), *row[2:]) for row in cur.fetchall()]


def let_in(cur: Cursor, name: str, password: str, now: datetime, *, demonstration: bool) -> Account | None:
    """The account that a name and password open, or None: unknown, closed, wrong, or locked for a while.

    A wrong name takes as long as a wrong password, so that nobody learns which names there are. The row is locked, so
    that ten guesses at once count as ten.
    """
    cur.execute(
        "SELECT password, wrong, wrong_at FROM accounts WHERE name = %s AND closed_at IS NULL"
        " AND (%s OR NOT demonstration) FOR UPDATE",
        (name, demonstration),
    )
    row = cur.fetchone()
    hashed, wrong, wrong_at = row or (None, 0, None)
    right = _is(password, hashed)
    if row is None:
        return None
    recent = wrong_at is not None and now < wrong_at + LOCKED
    if recent and wrong >= STRIKES:
        return None  # even with the right one: whoever guesses must not learn that he has it
    if not right:
        cur.execute(
            "UPDATE accounts SET wrong = %s, wrong_at = %s WHERE name = %s", (wrong + 1 if recent else 1, now, name)
        )
        return None
    cur.execute("UPDATE accounts SET wrong = 0, wrong_at = NULL WHERE name = %s", (name,))
    if hashed is not None and _hasher().check_needs_rehash(hashed):
        cur.execute("UPDATE accounts SET password = %s WHERE name = %s", (_hasher().hash(password), name))
    return account(cur, name, demonstration=demonstration)


def _is(password: str, hashed: str | None) -> bool:
    try:
        _hasher().verify(hashed or _nobodys(), password[: LONGEST + 1])
        return hashed is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys() -> str:
    """The hash against which the password of an unknown account is tried, for as long as a known one's takes."""
    return _hasher().hash("nobody's password")


def set_password(cur: Cursor, name: str, password: str, *, must_change: bool) -> bool:
    """Whether there was such an account; all its visits end. Raises WeakPassword."""
    hashed = _hasher().hash(checked_password(password, name))
    cur.execute(
        "UPDATE accounts SET password = %s, must_change = %s, wrong = 0, wrong_at = NULL"
        " WHERE name = %s AND closed_at IS NULL",
        (hashed, must_change, name),
    )
    found = cur.rowcount == 1
    cur.execute("DELETE FROM desk_visits WHERE account = %s", (name,))
    return found


def close(cur: Cursor, name: str) -> bool:
    """Whether there was such an open account. Its visits end with it; what it did stays under its name."""
    cur.execute("UPDATE accounts SET closed_at = clock_timestamp() WHERE name = %s AND closed_at IS NULL", (name,))
    found = cur.rowcount == 1
    cur.execute("DELETE FROM desk_visits WHERE account = %s", (name,))
    return found


# --- the demonstration ----------------------------------------------------------------------------------------------

TO_TRY: dict[str, tuple[Role, str | None]] = {
    "pudong-01": (Role.INSPECTOR, "310115"),
    "shanghai-01": (Role.INSPECTOR, "310000"),
    "regulator-01": (Role.REGULATOR, None),
    "admin-01": (Role.ADMINISTRATOR, None),
}
"""A district's inspector, the city's, a regulator and the administrator."""


def demonstrate(cur: Cursor, folder: Path) -> None:
    """Each with its password in a file of its own, `NAME.password`; made once. Nothing of it counts in production."""
    cur.execute("SELECT name FROM accounts")
    present = {name for (name,) in cur.fetchall()}
    for name, (role, division) in TO_TRY.items():
        if name in present:
            continue
        file = folder / f"{name}.password"
        if not file.exists():
            write_token(file, secrets.token_urlsafe(15))
        create(cur, name, role, division, read_token(file), must_change=False, demonstration=True)
