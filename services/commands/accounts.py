"""`certmark accounts`: who may come in at the desk, with which password."""

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime

import click

from services.auth import Role
from services.commands.terminal import OUT, as_json, say_json
from services.domain.errors import NotFound
from services.domain.identifiers import instant_text
from services.postgres import Cursor, connect, database_url, transaction
from services.registry import trail
from services.registry.desk import accounts as kept
from services.settings import settings_from

BY = "operator"
"""Under whose name the trail has what is done by this command: whoever may run it reads the database anyway."""


@click.group()
def accounts() -> None:
    """Accounts of inspectors, regulators and the administrator, for the desk's pages."""


@contextmanager
def _database() -> Iterator[Cursor]:
    connection = connect(database_url(settings_from()))
    with closing(connection), transaction(connection) as cur:
        yield cur


@accounts.command("new")
@click.argument("name")
@click.argument("role", type=click.Choice([role.value for role in kept.ROLES]))
@click.option("--division", metavar="CODE", help="Six digits of GB/T 2260. An inspector's district or city.")
@click.option("--provider", is_flag=True, help="Without a password: comes in by the identity provider alone.")
@as_json
def accounts_new(name: str, role: str, division: str | None, provider: bool, json_: bool) -> None:
    """Open an account. NAME is a staff number, or what the identity provider calls its holder; never a person's name.

    A first password is made and shown once; its holder has to choose another at the first visit.
    """
    password = None if provider else secrets.token_urlsafe(15)
    with _database() as cur:
        opened = kept.create(cur, name, Role(role), division, password)
        trail.record(
            cur, datetime.now(UTC), BY, "account-opened", f"account/{opened.name}", role=role, division=division
        )
    said = {"name": name, "role": role, "division": division, "password": password}
    if json_:
        say_json(said)
    else:
        OUT.print("\n".join(f"{key:9} {value}" for key, value in said.items() if value), markup=False)


@accounts.command("list")
@as_json
def accounts_list(json_: bool) -> None:
    """Every account, closed ones too."""
    with _database() as cur:
        found = kept.listed(cur)
    for one in found:
        if json_:
            say_json({k: instant_text(v) if isinstance(v, datetime) else v for k, v in asdict(one).items()})
        else:
            state = "closed" if one.closed_at else "open"
            OUT.print(f"{one.name:24} {one.role:13} {one.division or 'everywhere':10} {state}", markup=False)


@accounts.command("password")
@click.argument("name")
@as_json
def accounts_password(name: str, json_: bool) -> None:
    """Give an account a new first password, shown once; all its visits end."""
    password = secrets.token_urlsafe(15)
    with _database() as cur:
        if not kept.set_password(cur, name, password, must_change=True):
            raise NotFound(f"no open account {name[:64]!r}", hint="`certmark accounts list` shows them")
        trail.record(cur, datetime.now(UTC), BY, "password-set", f"account/{name}")
    if json_:
        say_json({"name": name, "password": password})
    else:
        OUT.print(f"password  {password}", markup=False)


@accounts.command("close")
@click.argument("name")
@as_json
def accounts_close(name: str, json_: bool) -> None:
    """Close an account; all its visits end. What it did stays on record."""
    with _database() as cur:
        if not kept.close(cur, name):
            raise NotFound(f"no open account {name[:64]!r}", hint="`certmark accounts list` shows them")
        trail.record(cur, datetime.now(UTC), BY, "account-closed", f"account/{name}")
    if json_:
        say_json({"closed": name})
    else:
        OUT.print(f"closed {name}", markup=False)


@accounts.command("trail")
@as_json
def accounts_trail(json_: bool) -> None:
    """Check the record of what was done at the desk: each line follows from the one before, each account was opened by
    one, as it stands. 1 where not."""
    with _database() as cur:
        count, _ = trail.last(cur)
        broken, strange = trail.check(cur) or trail.first_forged(cur), trail.not_opened_so(cur)
    if json_:
        say_json({"lines": count, "first_broken": broken, "accounts": strange})
    elif broken is None:
        OUT.print(f"✓ {count} 行，每行承接上一行 lines, each follows from the one before", markup=False)
    else:
        OUT.print(f"✗ 第{broken}行不承接上一行，记录被改过 line {broken} was changed: it does not follow", markup=False)
    if not json_:
        for name in strange:
            OUT.print(f"✗ 账号 {name} 不是照此记录开立的 account {name}: no line opened it as it stands", markup=False)
    if broken is not None or strange:
        raise SystemExit(1)
