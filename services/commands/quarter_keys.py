"""`certmark keys next`: the mark key of a quarter, made before its first day, and the draft that announces it."""

from datetime import UTC, datetime

import click

from services.commands.identity import load_key_file
from services.commands.terminal import ERR, as_json, say_json
from services.domain.errors import BadRequest, NotConfigured
from services.domain.identifiers import civil_day
from services.domain.quarter import quarter_named, quarter_of
from services.events.keys import ED25519, ES256, new_key, save_key
from services.genesis import REGISTRY, quarter_file
from services.settings import settings_from


@click.command("next")
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
