"""`certmark keys`: making and showing keys, and the drafts that make them known to the register."""

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from services.commands.identity import file_name, key_named, load_key_file, source_named
from services.commands.terminal import ERR, OUT, as_json, say_json
from services.domain.body import Purpose
from services.domain.errors import BadRequest, NotConfigured
from services.domain.identifiers import civil_day
from services.domain.quarter import quarter_named, quarter_of
from services.events.drafts import draft_of
from services.events.keys import ED25519, ES256, new_key, save_key
from services.genesis import REGISTRY, quarter_file
from services.settings import settings_from


@click.group()
def keys() -> None:
    """Signing keys: PEM files that only their owner can read."""


@keys.command("new")
@click.argument("name")
@click.option("--alg", type=click.Choice([ED25519, ES256]), default=ED25519, show_default=True)
@click.option("--dir", "folder", type=click.Path(file_okay=False, path_type=Path), help="Default: $CERTMARK_DATA/keys.")
@as_json
def keys_new(name: str, alg: str, folder: Path | None, json_: bool) -> None:
    """Make a key and write it to NAME.pem (PKCS#8); an existing file is never overwritten."""
    path = (folder or settings_from().keys) / f"{file_name(name)}.pem"
    key = new_key(alg)
    try:
        save_key(key, path)
    except FileExistsError:
        raise BadRequest(f"{path} exists; a key is never overwritten") from None
    except OSError as error:
        raise NotConfigured(f"{path} cannot be written: {error.strerror}") from None
    _show_key(path, dict(key.public.jwk), key.public.kid, key.public.alg, json_)


@keys.command("show")
@click.argument("name")
@click.option("--dir", "folder", type=click.Path(file_okay=False, path_type=Path), help="Default: $CERTMARK_DATA/keys.")
@as_json
def keys_show(name: str, folder: Path | None, json_: bool) -> None:
    """Show the public half of a key: a name under $CERTMARK_DATA/keys, or a PEM file."""
    path = key_named(settings_from(), name, folder)
    key = load_key_file(path, "--dir")
    _show_key(path, dict(key.public.jwk), key.public.kid, key.public.alg, json_)


def _show_key(path: Path, jwk: dict[str, str], kid: str, alg: str, json_: bool) -> None:
    if json_:
        say_json({"file": str(path), "alg": alg, "kid": kid, "key": jwk})
        return
    OUT.print(f"file  {path}", markup=False)
    OUT.print(f"alg   {alg}\nkid   {kid}\nkey   {json.dumps(jwk)}", markup=False)


@keys.command("announce")
@click.argument("name", metavar="KEY")
@click.option("--owner", required=True, metavar="SOURCE", help="Whose key it is: approval number, credit code, or URN.")
@click.option(
    "--purpose",
    type=click.Choice([purpose.value for purpose in Purpose]),
    default=Purpose.EVENT.value,
    show_default=True,
    help="What it signs.",
)
@click.option("--from", "first", default="today", show_default=True, help="First day: a date, today or +7d.")
@click.option("--until", metavar="DAY", help="Last day. Default: no end.")
@as_json
def keys_announce(name: str, owner: str, purpose: str, first: str, until: str | None, json_: bool) -> None:
    """Say the draft of `key.added` for a key: a name under $CERTMARK_DATA/keys, or a PEM file.

    \b
      certmark keys announce NEW --owner CNCA-R-2019-7901 | certmark sign --as regulator - | certmark publish --wait

    A body's first key is announced by the authority, to which it hands this draft; it holds the public half alone. The
    next ones a body announces itself, with `--as` and the key that it has.
    """
    key = load_key_file(key_named(settings_from(), name), "KEY").public
    members = {"owner": source_named(owner), "purpose": purpose, "key": json.dumps(key.jwk), "from": first}
    words = [f"{member}={value}" for member, value in (members | ({"until": until} if until else {})).items()]
    say_json(draft_of("key.added", key.kid, words, civil_day(datetime.now(UTC))))


@keys.command("next")
@click.option("--quarter", metavar="YYYYQN", help="Default: the quarter after this one.")
@click.option("--at-once", is_flag=True, help="For this quarter, from today on: where the key in use was lost.")
@click.option("--alg", type=click.Choice([ED25519, ES256]), default=ED25519, show_default=True)
@as_json
def keys_next(quarter: str | None, at_once: bool, alg: str, json_: bool) -> None:
    """Make the mark key of a quarter beside the one in use, and say the draft of `key.added` that announces it.

    \b
      certmark keys next | certmark sign --as authority:AUTHORITY --key regulator.pem - | certmark publish --wait

    It is registered before its first day, so that readers who are offline know it when the first mark bears it; the
    worker takes it over at midnight by itself. Where two run at a time, the one whose days began last signs. A
    second call says the same draft again.
    """
    settings = settings_from()
    today = civil_day(datetime.now(UTC))
    if quarter and at_once:
        raise BadRequest("--at-once is for this quarter, and --quarter names another")
    try:
        wanted = quarter_named(quarter) if quarter else quarter_of(today) if at_once else quarter_of(today).following
    except ValueError as error:
        raise BadRequest(str(error)) from None
    days = wanted.days | ({"from": today.isoformat()} if at_once else {})
    if not at_once and wanted.first_day <= today:
        raise BadRequest(
            f"{wanted} began on {wanted.first_day}, and a key is registered before its first day",
            hint="--at-once makes one for the rest of this quarter",
        )
    path = quarter_file(settings.mark_key, wanted)
    if at_once:
        path = path.with_name(f"{path.stem}-{today:%m%d}.pem")
    if not path.exists():
        try:
            save_key(new_key(alg), path)
        except OSError as error:
            raise NotConfigured(f"{path} cannot be written: {error.strerror}") from None
    key = load_key_file(path, "CERTMARK_MARK_KEY")
    ERR.print(f"{path}  {wanted}  {key.public.kid}", markup=False)
    said = {"owner": REGISTRY, "purpose": "mark", "key": dict(key.public.jwk)} | days
    say_json({"type": "key.added", "subject": key.public.kid, "data": said})
