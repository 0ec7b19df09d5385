"""`certmark decision`: what became of an event, or of everything that a source says, as it is decided."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from services import auth
from services.commands.identity import default_key, source_named
from services.commands.terminal import NO, OUT, as_json, both, say_json, say_why
from services.domain.errors import BadRequest, NotConfigured
from services.events import client
from services.events.decision_reader import DecisionReader
from services.settings import Settings, settings_from

EVERYBODY = "all"


@click.command()
@click.argument("digests", nargs=-1, metavar="[DIGEST]...")
@click.option(
    "--source", metavar="SOURCE", help=f"All that was decided for a source; `{EVERYBODY}` with a regulator's token."
)
@click.option("--follow", is_flag=True, help="And what will be decided, as it comes; Ctrl-C ends it.")
@click.option("--after", metavar="CURSOR", help="Go on behind this cursor; `latest`: only what comes from now on.")
@click.option("--token", metavar="FILE", help="The source's token. Default: $CERTMARK_DATA/keys/<source>.token.")
@click.option("--registry", metavar="URL", help="Default: the local registry.")
@as_json
def decision(
    digests: tuple[str, ...],
    source: str | None,
    follow: bool,
    after: str | None,
    token: str | None,
    registry: str | None,
    json_: bool,
) -> None:
    """What the registry decided: on events by their digests, or on all that a source says, in order.

    \b
      certmark decision DIGEST
      certmark decision --source CNCA-R-2019-7901 --follow

    With digests the exit code is 0 only when every event was accepted. With --source each line of --json has
    the cursor from which --after goes on.
    """
    settings = settings_from()
    url = registry or settings.service_url("registry")
    if bool(digests) == bool(source):
        raise BadRequest("name digests, or a source", hint="certmark decision DIGEST, or --source SOURCE")
    if source:
        _show_feed(_reader(settings, url, source, token), after, follow, json_)
        return
    if follow or after or token:
        raise BadRequest("--follow, --after and --token go with --source")
    _show_decisions(client.Service(url), [_digest(word) for word in digests], json_)


def _digest(word: str) -> str:
    bare = word.strip().lower().removeprefix("sha256:")
    if not re.fullmatch("[0-9a-f]{64}", bare):
        raise BadRequest(
            f"{word[:80]!r} is not a digest: 64 hexadecimal digits, with or without sha256: before them",
            hint="`certmark publish` and `certmark sign --json` name an event's digest",
        )
    return bare


def _show_decisions(service: client.Service, digests: Sequence[str], json_: bool) -> None:
    accepted = True
    for place, digest in enumerate(digests):
        found = client.decision_on(service, digest)
        if found is None:
            found = {"decision": "unknown", "text": _UNKNOWN}
            if len(digests) > 1:
                found = {"digest": digest} | found
        accepted = accepted and found.get("decision") == "accepted"
        if json_:
            say_json(found)
            continue
        if place:
            OUT.print()
        for name, value in found.items():
            if value not in (None, ""):
                OUT.print(f"{name:12} {both(value) if isinstance(value, dict) else value}", markup=False)
    sys.exit(0 if accepted else NO)


_UNKNOWN = {
    "zh": "尚未决定，或从未收到：过几秒再问，再重发同样的字节",
    "en": "not decided yet, or never received: ask again in some seconds, then send the same bytes again",
}


def _reader(settings: Settings, url: str, source: str, token: str | None) -> DecisionReader:
    urn = None if source == EVERYBODY else source_named(source)
    if token:
        file = Path(token)
    else:
        file = default_key(settings, urn).with_suffix(".token") if urn else settings.keys / "regulator.token"
    try:
        return DecisionReader(url, auth.read_token(file), urn)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise NotConfigured(
            f"the token file {file} cannot be read: {reason}", hint="say where it is with --token"
        ) from None


def _show_feed(reader: DecisionReader, after: str | None, follow: bool, json_: bool) -> None:
    try:
        for item in reader.follow(after) if follow else reader.read(after):
            if json_:
                say_json(item)
            else:
                _show(item)
    except KeyboardInterrupt:
        return


def _show(item: dict[str, Any]) -> None:
    said = item["decision"] + (f": {item['code']}" if item["code"] else "")
    kind = str(item["type"] or "").removeprefix("certmark.").removesuffix(".v1")
    where = f"seq {item['seq']}" if item["seq"] is not None else f"log position {item['position']}"
    OUT.print(f"{item['recorded_at']}  {said}  {kind} {item['subject'] or ''}  {where}  {item['digest']}", markup=False)
    if item["code"]:
        say_why(item)
