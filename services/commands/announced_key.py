"""`certmark keys announce`: the draft of `key.added` that makes a key known to the register."""

import json
from datetime import UTC, datetime

import click

from services.commands.identity import key_named, load_key_file, source_named
from services.commands.terminal import as_json, say_json
from services.domain.body import Purpose
from services.domain.identifiers import civil_day
from services.events.drafts import draft_of
from services.settings import settings_from


@click.command("announce")
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
