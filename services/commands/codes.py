"""`certmark codes`: a body's unit codes, from chance to the register."""

import os
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from services import auth
from services.commands.identity import default_key, key_named, load_key_file, source_named
from services.commands.terminal import NO, OUT, as_json, progress, say_json, tell_waiting
from services.domain.errors import BadRequest, NotConfigured, NotFound
from services.domain.identifiers import certificate_number, civil_day
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
@click.argument("codes_", nargs=-1, metavar="[CODE]...")
@click.option("--file", type=_FILE, help="A code a line; - is standard input.")
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
def codes_void(codes_: tuple[str, ...], file: Path | None, json_: bool, **told: Any) -> None:
    """Let single units' codes count no more. Events name them by hashes; others of their run are not touched.

    Each code that is not voided is told with the reason, and the exit code is 1. A run that was cut goes on where it
    stopped: give the same command again.
    """
    if bool(codes_) is (file is not None):
        raise BadRequest("name the codes, or a --file of them")
    settings, source = settings_from(), source_named(told["as_"])
    wanted = list(dict.fromkeys(codes_)) if file is None else code_sets.codes_of_file(_bytes(file))
    with closing(_service(settings, source, told)) as registry:
        names, strange = code_sets.names_of(registry, told["mark_no"], wanted, told["gtin"])
        before = _voided(registry, told["certificate"], told["mark_no"])
    common = {
        "effective_at": told["effective_at"] or civil_day(datetime.now(UTC)).isoformat(),
        "mark_no": told["mark_no"],
        "reason": told["reason"],
    }
    new = [code for code in wanted if code in names and names[code]["code"] not in before]
    said = [common | names[code] for code in new]
    answers = _told(settings, source, "mark.code_voided", told["certificate"], said, told, json_)
    refused: dict[str, dict[str, Any]] = {
        code: {"code": why.code, "detail": why.detail} for code, why in strange.items()
    }
    refused |= {code: answer for code, answer in zip(new, answers, strict=True) if answer["decision"] != "accepted"}
    done = {"voided": len(new) - sum(code in refused for code in new), "voided_before": len(names) - len(new)}
    rows = [{"unit": code, **{name: why.get(name) for name in ("code", "detail")}} for code, why in refused.items()]
    if json_:
        say_json(done | {"refused": rows})
    else:
        _say(done | {"refused": len(rows)}, json_)
        for row in rows:
            OUT.print(f"{row['unit']}  {row['code']}: {row['detail']}", markup=False)
    sys.exit(NO if rows else 0)


def _voided(registry: client.Service, certificate: str, mark_no: str) -> set[str]:
    """The hashes of the codes that are voided under a mark already."""
    try:
        marks = registry.get(f"/v1/certificates/{quote(certificate, safe='')}")["state"]["marks"]
    except NotFound:
        return set()  # the registry's refusal says so
    return {one["code"] for mark in marks if mark["mark_no"] == certificate_number(mark_no) for one in mark["voided"]}


def _announce(
    settings: Settings, source: str, event: str, subject: str, data: dict[str, Any], told: dict[str, Any]
) -> str:
    """Sign an event, send it and wait until it is accepted; its digest. Ends the program where it is not."""
    (found,) = _told(settings, source, event, subject, [data], told, quiet=True)
    if found["decision"] != "accepted":
        raise client.Refused({name: found.get(name) or "" for name in ("code", "detail", "pointer", "hint")}, NO)
    return str(found["digest"])


def _told(
    settings: Settings,
    source: str,
    event: str,
    subject: str,
    said: Sequence[dict[str, Any]],
    told: dict[str, Any],
    quiet: bool,
) -> list[dict[str, Any]]:
    """What became of each of several events about one subject, signed in their order: its digest, the decision and
    what is said with it."""
    path = key_named(settings, told["key_file"]) if told["key_file"] else default_key(settings, source)
    key = load_key_file(path, "--key")
    registry = client.Service(told["registry"] or settings.service_url("registry"))
    publisher = client.Publisher(told["to"] or settings.service_url("events"), settings, waiting=tell_waiting())
    with closing(registry), closing(publisher):
        signer = drafts.Signer(
            source, key, told["signatory"], lambda asked, about: client.head_of(registry, asked, about)
        )
        now = datetime.now(UTC)
        signed = [signer.sign({"type": event, "subject": subject, "data": data}, now) for data in said]
        with progress("sent", len(signed), quiet) as advance:
            sent = publisher.publish(signed, advance)
        stored = [one.digest for one in sent if one.stored]
        with progress("decided", len(stored), quiet) as advance:
            decided = client.await_decisions(registry, stored, told["seconds"], advance)
    undecided = {"detail": "no decision yet: give the same command again", "code": "no-decision"}
    return [
        {"decision": None, "digest": one.digest} | (decided.get(one.digest) or one.problem or undecided) for one in sent
    ]


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
