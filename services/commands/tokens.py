"""`certmark tokens`: who may ask for what is not everybody's, by bearer tokens."""

import re
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from services import auth
from services.auth import Role
from services.commands.identity import file_name, source_named
from services.commands.terminal import OUT, as_json, say_json
from services.domain.errors import BadRequest, NotConfigured, NotFound
from services.domain.identifiers import instant_text
from services.postgres import connect, database_url, transaction
from services.settings import settings_from


@click.group()
def tokens() -> None:
    """Bearer tokens by role, for programs. The register keeps nothing of one but its hash."""


@tokens.command("new")
@click.argument("role", type=click.Choice([role.value for role in Role]))
@click.option("--source", metavar="SOURCE", help="Whose token it is: an approval number, credit code, or URN.")
@click.option("--district", metavar="CODE", help="An inspector's district: six digits of GB/T 2260.")
@click.option("--name", help="Who holds it, for other roles: his webhooks go by it. Default: the role.")
@click.option("--days", type=click.IntRange(1, 3660), help="How long it counts. Default: until it is revoked.")
@click.option("--dir", "folder", type=click.Path(file_okay=False, path_type=Path), help="Default: $CERTMARK_DATA/keys.")
@as_json
def tokens_new(
    role: str,
    source: str | None,
    district: str | None,
    name: str | None,
    days: int | None,
    folder: Path | None,
    json_: bool,
) -> None:
    """Make a token, write it to a file that only its owner can read, and let it in.

    The file is NAME.token (for a source: its approval number or code). Hand it over and delete it: it cannot
    be shown again.
    """
    kind, settings = Role(role), settings_from()
    if (kind is Role.SOURCE) != (source is not None) or (kind is Role.SOURCE and name):
        raise BadRequest("a token of the role source, and no other, is for a --source, and goes by that name")
    if district is not None and (kind is not Role.INSPECTOR or not re.fullmatch(r"\d{6}", district, re.ASCII)):
        raise BadRequest("--district goes with the role inspector, and has six digits")
    if name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name, re.ASCII):
        raise BadRequest("--name has up to 64 letters, digits, dots and dashes")
    holder = source_named(source) if source else (name or role)
    path = (folder or settings.keys) / f"{file_name(holder.rpartition(':')[2])}.token"
    token = auth.new_token()
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    connection = connect(database_url(settings))
    try:
        auth.write_token(path, token)
    except FileExistsError:
        raise BadRequest(f"{path} exists; a token is never overwritten") from None
    except OSError as error:
        raise NotConfigured(f"{path} cannot be written: {error.strerror}") from None
    with closing(connection), transaction(connection) as cur:
        auth.save(cur, token, kind, holder, district=district, expires_at=expires_at)
    said = {"file": str(path), "id": auth.id_of(token), "role": role, "holder": holder}
    if json_:
        say_json(said)
    else:
        OUT.print("\n".join(f"{key:7} {value}" for key, value in said.items()), markup=False)


@tokens.command("list")
@as_json
def tokens_list(json_: bool) -> None:
    """Every token that was ever let in, by its id; the tokens themselves are kept nowhere."""
    connection = connect(database_url(settings_from()))
    with closing(connection), transaction(connection) as cur:
        found = auth.stored(cur)
    for one in found:
        said = {k: instant_text(v) if isinstance(v, datetime) else v for k, v in asdict(one).items()}
        if json_:
            say_json(said)
            continue
        state = "revoked" if one.revoked_at else "expired" if _past(one.expires_at) else "counts"
        more = " ".join(filter(None, (one.district, "demonstration" if one.demonstration else "")))
        OUT.print(f"{one.id}  {one.role:13} {state:8} {one.holder}  {more}".rstrip(), markup=False)


def _past(instant: datetime | None) -> bool:
    return instant is not None and instant <= datetime.now(UTC)


@tokens.command("revoke")
@click.argument("token_id", metavar="ID")
@as_json
def tokens_revoke(token_id: str, json_: bool) -> None:
    """Let nobody in with a token any more, from now on. ID is what `certmark tokens list` shows."""
    connection = connect(database_url(settings_from()))
    with closing(connection), transaction(connection) as cur:
        if not auth.revoke(cur, token_id):
            raise NotFound(f"no token {token_id[:64]!r} counts", hint="`certmark tokens list` shows them")
    if json_:
        say_json({"revoked": token_id})
    else:
        OUT.print(f"revoked {token_id}", markup=False)
