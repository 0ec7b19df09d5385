"""The command line `certmark`: exit 0 done, 1 the answer is no, 2 wrong use."""

import json
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from services.commands.accounts import accounts
from services.commands.announced_key import keys_announce
from services.commands.audit import audit
from services.commands.codes import codes
from services.commands.conform import conform
from services.commands.decision import decision
from services.commands.districts import districts
from services.commands.identity import default_key, file_name, key_named, load_key_file, source_named
from services.commands.listings import check, check_bundle
from services.commands.lists import lists
from services.commands.marks import marks
from services.commands.open_data import dump, indicators
from services.commands.quarter_keys import keys_next
from services.commands.replay import replay
from services.commands.sheets import import_, reconcile
from services.commands.snapshot import snapshot
from services.commands.terminal import NO, OUT, SIGNS, Program, as_json, both, progress, say_json
from services.commands.tokens import tokens
from services.commands.trust import trust
from services.domain.errors import BadRequest, NotConfigured
from services.domain.identifiers import civil_day
from services.events import client, drafts
from services.events.keys import ED25519, ES256, new_key, save_key
from services.settings import settings_from


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="certmark")
def main() -> None:
    """A register of product certifications and quality marks."""


# --- keys ------------------------------------------------------------------------------------------------


@main.group()
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


# --- sign and publish ------------------------------------------------------------------------------------


@main.command()
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
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise BadRequest(f"{name} cannot be read: {error.strerror}") from None


@main.command()
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
        closing(client.Publisher(to or settings.service_url("events"), settings)) as publisher,
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
    words = found.get("text") or {"zh": found.get("title_zh"), "en": found.get("title")}
    where = f"  ({found['pointer']})" if found.get("pointer") else ""
    for told in (
        both(words),
        f"{found.get('detail') or ''}{where}",
        f"→ {found['hint']}" if found.get("hint") else "",
    ):
        if told:
            OUT.print(f"    {told}", markup=False)


# --- asking ------------------------------------------------------------------------------------------------


@main.command()
@click.argument("question", metavar="[NUMBER|URL|IMAGE]", default="")
@click.option("--service", "url", metavar="URL", help="The verify service. Default: the local one.")
@click.option("--offline", "off", is_flag=True, help="Judge a code by the lists at hand, without any network.")
@click.option("--refresh", "renew", is_flag=True, help="First fetch the trust list and status lists for --offline.")
@click.option("--trust", "folder", type=click.Path(file_okay=False, path_type=Path), help="Where the lists are kept.")
@click.option("--root", metavar="DIGEST", help="With --refresh: the root to begin with, from another way.")
@click.option("--bundle", metavar="DIR|ZIP", help="Check the evidence of a check of listings instead, offline.")
@click.option("--genesis", metavar="DIGEST", help="With --bundle: the pinned first event. Default: this register's.")
@as_json
def verify(
    question: str,
    url: str | None,
    off: bool,
    renew: bool,
    folder: Path | None,
    root: str | None,
    bundle: str | None,
    genesis: str | None,
    json_: bool,
) -> None:
    """Look up a certificate number, a mark's address, or an image with a mark's QR; 0 only when valid.

    With --offline the signature is checked here and the status read from cached lists (docs/scan.md).
    """
    from services.commands import offline

    settings = settings_from()
    if bundle is not None:
        sys.exit(check_bundle(settings, Path(bundle), genesis, json_))
    if renew:
        brought = offline.refresh(settings, url, folder, root, quiet=json_)
        if not question:
            if json_:
                say_json(brought)
            sys.exit(NO if brought["refused"] else 0)
    if not question:
        raise BadRequest("name a number, an address or an image")
    texts = offline.texts_in(Path(question)) if _is_image(question) else [question]
    if off:
        sys.exit(offline.judge(settings, texts, folder, json_=json_))
    service = client.Service(url or settings.service_url("verify"))
    answers = [service.get("/v1/verify", q=text) for text in texts]
    for answer in answers:
        if json_:
            say_json(answer)
        else:
            _show_answer(answer)
    sys.exit(0 if all(answer.get("code") == "valid" for answer in answers) else NO)


_IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".svg", ".pdf")
"""What is read as a file; the last two are refused as no picture, rather than taken for a number."""


def _is_image(question: str) -> bool:
    return Path(question).suffix.lower() in _IMAGES and "://" not in question


def _show_answer(answer: dict[str, Any]) -> None:
    """The verdict in the service's own words, and what it rests on."""
    code = str(answer.get("code"))
    OUT.print(SIGNS.get(str(answer.get("family")), "?"), end=" ")
    OUT.print(f"{both(answer.get('title'))} ({code})".strip(), markup=False)
    certificate = answer.get("certificate") or {}
    for label, value in (
        ("证书 certificate", certificate.get("certificate_no")),
        ("标志码 unit", (answer.get("unit") or {}).get("code")),
        ("产品 product", (certificate.get("product") or {}).get("name")),
        ("型号 model", (answer.get("item") or {}).get("model")),
        ("证书持有人 holder", (certificate.get("holder") or {}).get("name")),
        ("机构 body", certificate.get("body")),
        ("有效期 valid", _span(certificate)),
        ("自 since", answer.get("since")),
        ("至 until", answer.get("until")),
        ("原因 reason", both(answer.get("reason"))),
        ("说明 notes", "、".join(str(note) for note in answer.get("notes") or [])),
        ("注意 mind", _mind(answer, certificate)),
        ("数据 as of", answer.get("as_of")),
    ):
        if value:
            OUT.print(f"  {label}: {value}", markup=False)
    for one in answer.get("coverage") or []:
        complete = "完整 complete" if one.get("complete") else "不完整 not complete"
        OUT.print(f"  收录范围 coverage: {both(one.get('scheme'))}: {complete}. {both(one)}", markup=False)
    for notice in answer.get("notices") or []:
        OUT.print(f"  公告 notice: {notice.get('instrument')} {both(notice.get('text'))}", markup=False)


def _mind(answer: dict[str, Any], certificate: dict[str, Any]) -> str:
    """What a yes must not be taken for, in the words of the page."""
    from services.verify.wording import BESIDE, SYSTEM_EXPLANATION, Note

    said = []
    if Note.SELF_DECLARED in (answer.get("notes") or []):
        said.append(BESIDE[Note.SELF_DECLARED])
    if answer.get("code") == "valid" and certificate.get("about") == "organisation":
        said.append(SYSTEM_EXPLANATION)
    names = {"holder": (certificate.get("holder") or {}).get("name"), "scope": certificate.get("service_scope") or "–"}
    return " ".join(f"{text.zh} {text.en}".format_map(names) for text in said)


def _span(certificate: dict[str, Any]) -> str | None:
    since = certificate.get("valid_from")
    return f"{since} – {certificate.get('valid_until') or '…'}" if since else None


# --- running -----------------------------------------------------------------------------------------------


@main.command()
@click.option("--demo", is_flag=True, help="Load the demonstration register.")
@as_json
def up(demo: bool, json_: bool) -> None:
    """Start all services on the embedded PostgreSQL (or on what the environment names); Ctrl-C ends them."""
    from services.up import run

    sys.exit(run(settings_from(), demonstrate=demo, as_json=json_))


@main.command()
@as_json
def demo(json_: bool) -> None:
    """Publish the demonstration register's events to the running services."""
    from services.demo import publish

    settings = settings_from()
    now = datetime.now(UTC)
    publish(settings, now)
    if json_:
        say_json({"published": True})
    else:
        OUT.print("示范登记册已载入 the demonstration register is in")


@main.command()
@as_json
def migrate(json_: bool) -> None:
    """Bring the database of $CERTMARK_DATABASE_URL to the present schema."""
    from services import migrate as migrations
    from services.postgres import connect, database_url

    connection = connect(database_url(settings_from()))
    done: list[str] = []
    try:
        for folder in ("registry", "events"):
            done += migrations.migrate(connection, Path(__file__).parent / folder / "migrations")
    finally:
        connection.close()
    if json_:
        say_json({"applied": done})
    else:
        OUT.print("\n".join(done) or "无需变更 nothing to do", markup=False)


@main.command()
@click.argument("passwords", nargs=-1, required=True, metavar="NAME=PASSWORD_FILE...")
@as_json
def admit(passwords: tuple[str, ...], json_: bool) -> None:
    """Let names in at the Kafka broker: their passwords, and what each may do.

    registry, events and verify are the register's own processes. Every other name is a source of events
    (an approval number, say): it may write events and nothing else. Run it as an administrator of the broker.
    """
    from services.events.access import admit as admit_all

    files: dict[str, Path] = {}
    for word in passwords:
        name, equals, file = word.partition("=")
        if not (name and equals and file):
            raise BadRequest(f"{word!r} is not NAME=PASSWORD_FILE")
        files[name] = Path(file)
    admit_all(settings_from(), files)
    if json_:
        say_json({"admitted": list(files)})
    else:
        OUT.print(f"admitted: {', '.join(files)}", markup=False)


main.add_command(check)
main.add_command(codes)
main.add_command(conform)
main.add_command(marks)
main.add_command(districts)
main.add_command(dump)
main.add_command(indicators)
main.add_command(import_)
main.add_command(reconcile)
main.add_command(decision)
main.add_command(tokens)
main.add_command(accounts)
main.add_command(replay)
main.add_command(audit)
main.add_command(snapshot)
main.add_command(lists)
main.add_command(trust)
keys.add_command(keys_announce)
keys.add_command(keys_next)

if __name__ == "__main__":
    main()
