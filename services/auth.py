"""Who asks: bearer tokens by role, of which nothing is kept but a hash."""

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

from services.domain.errors import CertmarkError
from services.postgres import Cursor

PREFIX = "certmark_"
"""Before every token, so that programs which look for lost secrets know one when they see it."""


class Role(StrEnum):
    """What a token lets its holder do. The public has none and needs none."""

    SOURCE = "source"
    INSPECTOR = "inspector"
    REGULATOR = "regulator"
    PLATFORM = "platform"
    ADMINISTRATOR = "administrator"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a token speaks for.

    `holder` is the URN of a source, for other roles the name that the token was made under; it outlives the token,
    so that a new one finds what the old one had. `id` names the token without giving it away.
    """

    id: str
    role: Role
    holder: str
    district: str | None


@dataclass(frozen=True, slots=True)
class StoredToken:
    """What is known of a token that was made."""

    id: str
    role: Role
    holder: str
    district: str | None
    demonstration: bool
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NotAuthenticated(CertmarkError):
    slug = "not-authenticated"
    title = "This needs a token, and there is none or it is not valid"
    zh = "此处需要有效的令牌，请求中没有或已无效"
    status = 401
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": 'Bearer realm="certmark"'}


class NotPermitted(CertmarkError):
    slug = "not-permitted"
    title = "The token's role does not allow this"
    zh = "该令牌的角色无权进行此操作"
    status = 403


# --- tokens ----------------------------------------------------------------------------------------------


def new_token() -> str:
    """256 bits of chance, as text."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_of(token: str) -> str:
    """Hex SHA-256. Chance of this length needs neither salt nor slowness."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def id_of(token: str) -> str:
    """How people name a token: the first digits of its hash, which lead nobody back to it."""
    return hash_of(token)[:12]


def write_token(path: Path, token: str) -> None:
    """Write a token for its owner alone. Raises FileExistsError: no file is ever overwritten."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(token + "\n")


def read_token(path: Path) -> str:
    """The token in a file. Raises OSError, UnicodeDecodeError."""
    return path.read_text(encoding="ascii").strip()


# --- what is kept of them --------------------------------------------------------------------------------


def save(
    cur: Cursor,
    token: str,
    role: Role,
    holder: str,
    *,
    district: str | None = None,
    expires_at: datetime | None = None,
    demonstration: bool = False,
) -> None:
    """Let a token in. Saying it twice is saying it once; what was revoked stays so."""
    cur.execute(
        "INSERT INTO access_tokens (hash, id, role, holder, district, demonstration, expires_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (hash) DO NOTHING",
        (hash_of(token), id_of(token), role.value, holder, district, demonstration, expires_at),
    )


def find(cur: Cursor, token: str, *, demonstration: bool) -> Caller | None:
    """Whom a token speaks for now; None where it does not count. `demonstration`: whether those of one count."""
    presented = hash_of(token)
    cur.execute(
        "SELECT hash, id, role, holder, district FROM access_tokens WHERE hash = %s AND revoked_at IS NULL"
        " AND (expires_at IS NULL OR expires_at > clock_timestamp()) AND (%s OR NOT demonstration)",
        (presented, demonstration),
    )
    row = cur.fetchone()
    if row is None or not hmac.compare_digest(row[0], presented):
        return None
    return Caller(row[1], Role(row[2]), row[3], row[4])


def counts_still(cur: Cursor, token_id: str) -> bool:
    """Whether a token that was let in before is neither revoked nor past its day."""
    cur.execute(
        "SELECT 1 FROM access_tokens WHERE id = %s AND revoked_at IS NULL"
        " AND (expires_at IS NULL OR expires_at > clock_timestamp())",
        (token_id,),
    )
    return cur.fetchone() is not None


def stored(cur: Cursor) -> list[StoredToken]:
    """Every token that was ever let in, the oldest first."""
    cur.execute(
        "SELECT id, role, holder, district, demonstration, created_at, expires_at, revoked_at FROM access_tokens"
        " ORDER BY created_at, id"
    )
    return [StoredToken(row[0], Role(row[1]), *row[2:]) for row in cur.fetchall()]


def revoke(cur: Cursor, token_id: str) -> bool:
    """Whether there was such a token that still counted. From the commit on nobody gets in with it."""
    cur.execute(
        "UPDATE access_tokens SET revoked_at = clock_timestamp() WHERE id = %s AND revoked_at IS NULL", (token_id,)
    )
    return cur.rowcount == 1


# --- the demonstration -----------------------------------------------------------------------------------

DISTRICT = "310115"
"""The demonstration's inspector works in Pudong, Shanghai (GB/T 2260)."""


def demonstrate(cur: Cursor, folder: Path, holders: Iterable[tuple[str, Role, str]]) -> None:
    """A token in a file of its own for each (name of the file, role, holder), and let in; made once."""
    for name, role, holder in holders:
        file = folder / f"{name}.token"
        if not file.exists():
            write_token(file, new_token())
        district = DISTRICT if role is Role.INSPECTOR else None
        save(cur, read_token(file), role, holder, district=district, demonstration=True)


def roles_to_demonstrate() -> list[tuple[str, Role, str]]:
    """One token a role, but for the sources, who have one each."""
    return [(role.value, role, role.value) for role in Role if role is not Role.SOURCE]
