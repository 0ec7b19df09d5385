"""`certmark sign` and `certmark publish`: events from drafts, and their way to the log."""

import codecs
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from services.commands.identity import default_key, key_named, load_key_file, source_named
from services.commands.terminal import NO, OUT, as_json, progress, say_json, say_why, tell_waiting
from services.domain.errors import BadRequest
from services.domain.identifiers import civil_day
from services.events import client, drafts
from services.settings import settings_from


@click.command()
@click.option("--as", "as_", metavar="SOURCE", help="Approval number, credit code, regulator, alliance:<id>, or URN.")
@click.option(
    "--key", "key_file", metavar="KEY", help="File, or name under $CERTMARK_DATA/keys. Default: <source>.pem there."
)
@click.option("--signatory", default=drafts.SIGNATORY, show_default=True, help="Staff number of who signs.")
@click.option("--registry", metavar="URL", help="Where to ask for the heads of chains. Default: the local registry.")
@click.option("--first", is_flag=True, help="Each chain begins here: ask no registry.")
@click.argument("words", nargs=-1, metavar="[FILE | TYPE SUBJECT NAME=VALUE...]")
@as_json
def sign(
    as_: str | None,
    key_file: str | None,
    signatory: str,
    registry: str | None,
    first: bool,
    words: tuple[str, ...],
    json_: bool,
) -> None:
    """Sign events and write them to standard output, one JWS a line, for `certmark publish`.

    Drafts come from a FILE (JSON object, array, or one object a line; - is standard input), or one is
    spelt out:

    \b
      certmark sign --as CNCA-R-2019-7901 certificate.suspended 2023990703000117 \\
          reason=S03 until=+60d | certmark publish

    A date may be `today` or days from it (`+60d`, `-3d`).
    """
    settings = settings_from()
    found = _drafts(words)
    signers: dict[str, drafts.Signer] = {}
    service = None if first else client.Service(registry or settings.service_url("registry"))
    now = datetime.now(UTC)
    for draft in found:
        source = str(draft["source"]) if "source" in draft else source_named(as_)
        if source not in signers:
            path = key_named(settings, key_file) if key_file else default_key(settings, source)
            signers[source] = drafts.Signer(source, load_key_file(path, "--key"), signatory, _heads(service))
        jws = signers[source].sign(draft, now).decode("ascii")
        if json_:
            say_json({"digest": client.digest_of(jws.encode("ascii")), "jws": jws})
        else:
            click.echo(jws)


def _drafts(words: Sequence[str]) -> list[drafts.Draft]:
    if len(words) > 1:
        return [drafts.draft_of(words[0], words[1], words[2:], civil_day(datetime.now(UTC)))]
    return drafts.drafts_in(_read(words[0] if words else "-"))


def _heads(service: client.Service | None) -> drafts.Heads:
    if service is None:
        return lambda source, subject: (0, None)
    return lambda source, subject: client.head_of(service, source, subject)


def _read(name: str) -> bytes:
    try:
        read = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise BadRequest(f"{name} cannot be read: {error.strerror}") from None
    return read.removeprefix(codecs.BOM_UTF8)  # which some editors write, and no event has


@click.command()
@click.option(
    "--to", metavar="URL", help="http://…, kafka://host:port or postgresql://…. Default: the local events service."
)
@click.option("--wait", is_flag=True, help="Wait for the registry's decisions.")
@click.option("--seconds", default=60.0, show_default=True, help="How long to wait for one more decision.")
@click.option("--registry", metavar="URL", help="Where to ask for decisions. Default: the local registry.")
@click.argument("files", nargs=-1)
@as_json
def publish(
    to: str | None, wait: bool, seconds: float, registry: str | None, files: tuple[str, ...], json_: bool
) -> None:
    """Publish signed events (a JWS a line) from FILES or standard input, in order.

    What is not known to be stored (429, 5xx) is sent again, the same bytes. With --wait, the exit code
    is 0 only when every event was accepted.
    """
    settings = settings_from()
    events = [event for name in files or ("-",) for event in client.events_in(_read(name))]
    if not events:
        raise BadRequest(
            "there is nothing to publish",
            hint="what should have signed the events wrote none: it says why in a line of its own",
        )
    with (
        closing(client.Publisher(to or settings.service_url("events"), settings, waiting=tell_waiting())) as publisher,
        progress("published", len(events), json_) as advance,
    ):
        sent = publisher.publish(events, advance)
    decisions: dict[str, dict[str, Any]] = {}
    stored = [s.digest for s in sent if s.stored]
    if wait and stored:
        service = client.Service(registry or settings.service_url("registry"))
        with progress("decided", len(stored), json_) as advance:
            decisions = client.await_decisions(service, stored, seconds, advance)
    _report(sent, decisions, wait, json_)
    good = all(s.stored for s in sent) and (
        not wait or all(decisions.get(d, {}).get("decision") == "accepted" for d in stored)
    )
    sys.exit(0 if good else NO)


def _report(sent: Sequence[client.Sent], decisions: dict[str, dict[str, Any]], wait: bool, json_: bool) -> None:
    if json_:
        for s in sent:
            say_json(asdict(s) | ({"decision": decisions.get(s.digest)} if wait else {}))
        return
    wrong = [s for s in sent if not s.stored]
    other = [(d, decisions.get(d)) for d in (s.digest for s in sent if s.stored)] if wait else []
    bad = [(d, found) for d, found in other if (found or {}).get("decision") != "accepted"]
    OUT.print(
        f"{len(sent) - len(wrong)}/{len(sent)} 已入日志 in the log"
        + (f", {len(other) - len(bad)} 已接受 accepted" if wait else "")
    )
    if len(sent) == 1 and sent[0].stored:
        OUT.print(f"digest {sent[0].digest}", markup=False)
    if not wrong and not bad:
        return
    for s in wrong:
        why = s.problem or {}
        _say_why(s.digest, str(why.get("code", s.status)), why)
    for digest, found in bad:
        answer = f"{found['decision']}: {found.get('code')}" if found else "尚无决定 no decision yet"
        _say_why(digest, answer, found or {})


def _say_why(digest: str, answer: str, found: dict[str, Any]) -> None:
    OUT.print(f"{digest}  {answer}", markup=False)
    say_why(found)
