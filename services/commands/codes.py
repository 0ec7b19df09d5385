"""`certmark codes`: a body's unit codes, from chance to the register."""

import os
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from services import auth
from services.commands.identity import default_key, key_named, load_key_file, source_named
from services.commands.terminal import NO, OUT, as_json, progress, say_json
from services.domain.errors import BadRequest, NotConfigured
from services.domain.identifiers import civil_day
from services.domain.unit_code import VOIDED, Form, set_digest
from services.events import client, code_sets, drafts
from services.settings import Settings, settings_from

_FILE = click.Path(dir_okay=False, path_type=Path)
_AS = click.option("--as", "as_", metavar="SOURCE", required=True, help="Your approval number, or URN.")
_KEY = click.option(
    "--key", "key_file", metavar="KEY", help="File, or name under $CERTMARK_DATA/keys. Default: <source>.pem there."
)
_TOKEN = click.option("--token", metavar="FILE", help="Your token. Default: $CERTMARK_DATA/keys/<source>.token.")
_REGISTRY = click.option("--registry", metavar="URL", help="Default: the local registry.")
_TO = click.option("--to", metavar="URL", help="Where events go. Default: the local events service.")
_SIGNATORY = click.option("--signatory", default=drafts.SIGNATORY, show_default=True, help="Staff number of who signs.")


@click.group()
def codes() -> None:
    """Unit codes of marks: one a unit, typed (有机码) or in a signed QR. See docs/marks.md."""


@codes.command("new")
@click.argument("count", type=click.IntRange(1, 1_000_000))
@click.option("--prefix", default="", help="What every code begins with: the body's code and the year, say.")
@click.option("--serials", is_flag=True, help="Serials below a GTIN, of letters and digits.")
@click.option("--random", "length", type=click.IntRange(1, 38), default=12, show_default=True, help="By chance.")
@click.option("--out", type=_FILE, required=True, help="A new file, which only its owner can read.")
@as_json
def codes_new(count: int, prefix: str, serials: bool, length: int, out: Path, json_: bool) -> None:
    """Make COUNT codes from the machine's cryptographic source of chance, a line each.

    \b
      certmark codes new 20000 --prefix 790326 --out codes.txt
    """
    made = code_sets.new_codes(count, prefix, Form.SERIAL if serials else Form.CODE, length)
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise BadRequest(f"{out} exists; codes are never overwritten") from None
    except OSError as error:
        raise NotConfigured(f"{out} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write("\n".join(made) + "\n")
    _say({"file": str(out), "codes": count, "digest": set_digest(made)}, json_)


@codes.command("issue")
@click.argument("file", type=_FILE)
@_AS
@click.option("--certificate", required=True, metavar="NO")
@click.option("--mark", "mark_no", required=True, metavar="MARK_NO")
@click.option("--product", required=True, help="The model that the units are of.")
@click.option("--rule-version", required=True, help="The scheme's rule that the codes are made by, such as 2024.")
@click.option("--gtin", help="Serials: the product's GTIN-14.")
@click.option("--on", "effective_at", metavar="DATE", help="Default: today.")
@click.option("--tokens", type=_FILE, metavar="OUT", help="Serials: have each signed, and write the token file here.")
@_KEY
@_TOKEN
@_SIGNATORY
@_TO
@_REGISTRY
@click.option("--seconds", default=60.0, show_default=True, help="How long to wait for one more step.")
@as_json
def codes_issue(file: Path, json_: bool, **told: Any) -> None:
    """Announce the codes of FILE (a line each) by a signed event, and bring them to the registry.

    With --gtin they are serials. A run that was cut goes on where it stopped: give the same command again.
    """
    settings = settings_from()
    source = source_named(told["as_"])
    found = code_sets.codes_of_file(_bytes(file))
    digest = set_digest(found)
    if told["tokens"] and not told["gtin"]:
        raise BadRequest("--tokens goes with --gtin: only serials have tokens of their own")
    with closing(_service(settings, source, told)) as registry:
        if code_sets.known(registry, digest) is None:
            data = {
                "effective_at": told["effective_at"] or civil_day(datetime.now(UTC)).isoformat(),
                "mark_no": told["mark_no"],
                "product": told["product"],
                "quantity": len(found),
                "rule_version": told["rule_version"],
                "digest": digest,
            }
            if told["gtin"]:
                data |= {"form": "serial", "gtin": told["gtin"]}
            _announce(settings, source, "mark.codes_issued", told["certificate"], data, told)
        with progress("codes brought", len(found), json_) as advance:
            said = code_sets.bring(registry, found, tokens=told["tokens"] is not None, advance=advance)
        if told["tokens"] is not None:
            _fetch(registry, digest, len(found), told["tokens"], told["seconds"], json_)
            said = code_sets.known(registry, digest) or said
    _say({name: said[name] for name in ("digest", "run", "mark_no", "form", "quantity", "state")}, json_)


@codes.command("tokens")
@click.argument("file", type=_FILE)
@_AS
@click.option("--out", type=_FILE, required=True, help="A new file: CSV for the printer.")
@_TOKEN
@_REGISTRY
@click.option("--seconds", default=60.0, show_default=True, help="How long to wait for one more token.")
@as_json
def codes_tokens(file: Path, out: Path, json_: bool, **told: Any) -> None:
    """Wait for the tokens of the serials in FILE, which `certmark codes issue` brought, and write the token file."""
    source, found = source_named(told["as_"]), code_sets.codes_of_file(_bytes(file))
    with closing(_service(settings_from(), source, told)) as registry:
        _fetch(registry, set_digest(found), len(found), out, told["seconds"], json_)
    _say({"file": str(out), "tokens": len(found)}, json_)


@codes.command("void")
@click.argument("code")
@_AS
@click.option("--certificate", required=True, metavar="NO")
@click.option("--mark", "mark_no", required=True, metavar="MARK_NO")
@click.option("--reason", required=True, type=click.Choice(list(VOIDED)), help="docs/marks.md says what each means.")
@click.option("--gtin", help="Of a serial: the product's GTIN-14.")
@click.option("--on", "effective_at", metavar="DATE", help="Default: today.")
@_KEY
@_TOKEN
@_SIGNATORY
@_TO
@_REGISTRY
@click.option("--seconds", default=60.0, show_default=True, help="How long to wait for the decision.")
@as_json
def codes_void(code: str, json_: bool, **told: Any) -> None:
    """Let one unit's CODE count no more. The event names it by a hash; others of its run are not touched."""
    settings, source = settings_from(), source_named(told["as_"])
    with closing(_service(settings, source, told)) as registry:
        data = {
            "effective_at": told["effective_at"] or civil_day(datetime.now(UTC)).isoformat(),
            "mark_no": told["mark_no"],
            **code_sets.names_of(registry, told["mark_no"], code, told["gtin"]),
            "reason": told["reason"],
        }
        digest = _announce(settings, source, "mark.code_voided", told["certificate"], data, told)
    _say({"digest": digest, "decision": "accepted"}, json_)


def _announce(
    settings: Settings, source: str, event: str, subject: str, data: dict[str, Any], told: dict[str, Any]
) -> str:
    """Sign an event, send it and wait until it is accepted; its digest. Ends the program where it is not."""
    path = key_named(settings, told["key_file"]) if told["key_file"] else default_key(settings, source)
    key = load_key_file(path, "--key")
    registry = client.Service(told["registry"] or settings.service_url("registry"))
    publisher = client.Publisher(told["to"] or settings.service_url("events"), settings)
    with closing(registry), closing(publisher):
        signer = drafts.Signer(
            source, key, told["signatory"], lambda asked, about: client.head_of(registry, asked, about)
        )
        jws = signer.sign({"type": event, "subject": subject, "data": data}, datetime.now(UTC))
        (sent,) = publisher.publish([jws])
        if not sent.stored:
            raise client.Refused(sent.problem or {}, sent.status)
        decision = client.await_decisions(registry, [sent.digest], told["seconds"]).get(sent.digest)
    if (decision or {}).get("decision") == "accepted":
        return sent.digest
    found = decision or {"detail": "no decision yet: give the same command again", "code": "no-decision"}
    raise client.Refused({name: found.get(name) or "" for name in ("code", "detail", "pointer", "hint")}, NO)


def _fetch(registry: client.Service, digest: str, count: int, out: Path, seconds: float, json_: bool) -> None:
    with progress("tokens signed", count, json_) as advance:
        job = code_sets.await_tokens(registry, digest, advance, seconds)
    if job["state"] == "failed":
        raise client.Refused({"code": "tokens-not-signed", "detail": str(job["detail"])}, NO)
    part = out.with_name(f".{out.name}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for piece in code_sets.token_file(registry, digest):
                file.write(piece)
        part.replace(out)
    except OSError as error:
        raise NotConfigured(f"{out} cannot be written: {error.strerror}") from None


def _service(settings: Settings, source: str, told: dict[str, Any]) -> client.Service:
    file = Path(told["token"]) if told["token"] else default_key(settings, source).with_suffix(".token")
    try:
        token = auth.read_token(file)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise NotConfigured(
            f"the token file {file} cannot be read: {reason}", hint="say where it is with --token"
        ) from None
    return client.Service(told["registry"] or settings.service_url("registry"), token=token, timeout=120)


def _bytes(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise BadRequest(f"{file} cannot be read: {error.strerror}") from None


def _say(said: dict[str, Any], json_: bool) -> None:
    if json_:
        say_json(said)
        return
    OUT.print("\n".join(f"{name:10} {value}" for name, value in said.items()), markup=False)
