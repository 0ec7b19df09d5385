"""`certmark trust`: the ceremony of the offline roots, which needs no server, and the list that they delegate."""

import json
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from services.commands.identity import load_key_file
from services.commands.terminal import OUT, as_json, say_json
from services.domain.errors import BadRequest, Malformed, NotConfigured
from services.domain.identifiers import civil_day
from services.events.keys import PublicKey, public_key
from services.marks.shown import document_json
from services.marks.token import mark_kid
from services.marks.trust_list import (
    LARGEST_BUNDLE,
    LARGEST_DOCUMENT,
    ROOT_LIFE,
    Document,
    Root,
    TrustRootExpired,
    TrustUnknownSigner,
    add_signatures,
    open_document,
    root_payload,
    sign_document,
    walk,
    walk_roots,
)
from services.settings import settings_from

_FILE = click.Path(dir_okay=False, path_type=Path)
_KEY_HELP = "Public key: what `certmark keys show NAME --json` says, as a file. May be repeated."


@click.group()
def trust() -> None:
    """The trust list: whose keys count, for readers who are offline."""


@trust.group()
def root() -> None:
    """Root documents. Files are carried by hand; no server and no database is asked."""


@root.command("new")
@click.argument("file", type=_FILE)
@click.option("--root", "roots", type=_FILE, multiple=True, help=_KEY_HELP)
@click.option("--threshold", type=click.IntRange(1, 16), help="How many roots sign together. Default: 2.")
@click.option("--delegate", "delegates", type=_FILE, multiple=True, help="The online key of the list, as --root.")
@click.option("--register", metavar="DIGEST", help="CERTMARK_GENESIS: the digest of the register's first event.")
@click.option("--after", type=_FILE, help="The root before this one; what is not named here is taken over from it.")
@click.option("--days", type=click.IntRange(1, 1100), default=ROOT_LIFE.days, show_default=True)
@as_json
def root_new(
    file: Path,
    roots: tuple[Path, ...],
    threshold: int | None,
    delegates: tuple[Path, ...],
    register: str | None,
    after: Path | None,
    days: int,
    json_: bool,
) -> None:
    """Write a root document that nobody has signed yet to FILE, for `certmark trust root sign`.

    The first names at least two --root, a --delegate and --register. A later one is made --after the one before,
    and has to be signed by the thresholds of both.
    """
    before = _root_in(_document(after)) if after else None
    if before is None and not (roots and delegates and register):
        raise BadRequest("the first root names --root, --delegate and --register")
    now = datetime.now(UTC).replace(microsecond=0)
    made = Root(
        version=before.version + 1 if before else 1,
        issued_at=now,
        expires_at=now + timedelta(days=days),
        register=(register or (before.register if before else "")).lower().removeprefix("sha256:"),
        keys=tuple(_public(one) for one in roots) or (before.keys if before else ()),
        threshold=threshold or (before.threshold if before else 2),
        delegates=tuple(_public(one) for one in delegates) or (before.delegates if before else ()),
    )
    try:
        draft = sign_document(root_payload(made), [])
    except ValueError as error:
        raise BadRequest(f"such a root would be none: {error}") from None
    open_document(draft, draft=True)  # what is written can be read: the register's digest above all
    if file.exists():
        raise BadRequest(f"{file} exists; a root document is never overwritten")
    _write(file, draft)
    _say(open_document(draft, draft=True), json_)


@root.command("sign")
@click.argument("file", type=_FILE)
@click.option("--key", "keys", type=_FILE, multiple=True, required=True, help="A root's private key (PEM).")
@click.option("--after", type=_FILE, help="The root before this one, where its keys sign too.")
@as_json
def root_sign(file: Path, keys: tuple[Path, ...], after: Path | None, json_: bool) -> None:
    """Add a root's signature to FILE. Look at it first: `certmark trust root show`."""
    document = _document(file)
    entitled = {key.kid for key in _root_in(document).keys}
    if after is not None:
        entitled |= {key.kid for key in _root_in(_document(after)).keys}
    private = [load_key_file(path, "--key") for path in keys]
    for path, key in zip(keys, private, strict=True):
        if key.public.kid not in entitled:
            raise TrustUnknownSigner(f"{path} is no root of {file}", hint="a key of the root before signs with --after")
    signed = add_signatures(_read(file, LARGEST_DOCUMENT), private)
    _write(file, signed)
    _say(open_document(signed), json_)


@root.command("verify")
@click.argument("files", type=_FILE, nargs=-1, required=True)
@click.option("--pin", metavar="DIGEST", help="The digest of the root to begin with. Default: of the first file.")
@as_json
def root_verify(files: tuple[Path, ...], pin: str | None, json_: bool) -> None:
    """Follow root documents (FILES in their order) from the pinned one to the last, and see that it has not run out."""
    documents = [open_document(_read(file, LARGEST_DOCUMENT)) for file in files]
    last, digest = walk_roots(documents, (pin or documents[0].digest).lower())
    if last.expires_at <= datetime.now(UTC):
        raise TrustRootExpired(f"root {last.version} ran out at {last.expires_at.isoformat()}")
    if json_:
        say_json({"version": last.version, "digest": digest, "expires_at": last.expires_at.isoformat()})
    else:
        OUT.print(f"✓ root {last.version}, until {last.expires_at:%Y-%m-%d}\npin {digest}", markup=False)


@root.command("show")
@click.argument("file", type=_FILE)
@as_json
def root_show(file: Path, json_: bool) -> None:
    """Say what a root document says, and who has signed it. Nothing is verified."""
    _say(_document(file), json_)


@trust.command("list")
@as_json
def trust_list(json_: bool) -> None:
    """Make and sign a new trust list now, from what the register knows, and publish it.

    The registry's process of lists does so every day, and whenever a key, a host or a root changes.
    """
    from services.postgres import connect, database_url, transaction
    from services.registry import list_store
    from services.registry import trust as registry_trust
    from services.registry.own_keys import KeyFiles
    from services.registry.worker import pinned_genesis

    settings = settings_from()
    register = pinned_genesis(settings)
    keys = KeyFiles(settings.trust_key).ready()
    with closing(connect(database_url(settings))) as connection, transaction(connection) as cur:
        now = datetime.now(UTC)
        list_store.lock(cur, civil_day(now))
        made = registry_trust.renew(cur, settings, register, keys, now, at_once=True)
    assert made is not None
    told = {"version": made.version, "root": made.root, "expires_at": made.expires_at.isoformat()}
    if json_:
        say_json(told | {"signers": len(made.signers), "hosts": list(made.hosts)})
    else:
        OUT.print(
            f"list {made.version} under root {made.root}, until {made.expires_at:%Y-%m-%d}: "
            f"{len(made.signers)} keys, hosts {', '.join(made.hosts)}",
            markup=False,
        )


@trust.command("verify")
@click.argument("file", type=_FILE)
@click.option("--pin", metavar="DIGEST", required=True, help="The digest of a root that came by another way.")
@as_json
def trust_verify(file: Path, pin: str, json_: bool) -> None:
    """Verify what a host gives out at /.well-known/certmark-trust, saved as FILE, from the pinned root on."""
    found = walk(_read(file, LARGEST_BUNDLE), pin.lower(), datetime.now(UTC))
    if json_:
        say_json({"root": found.root.version, "list": found.list.version, "pin": found.pin})
    else:
        OUT.print(
            f"✓ root {found.root.version}, list {found.list.version}, until {found.list.expires_at:%Y-%m-%d}\n"
            f"pin {found.pin}",
            markup=False,
        )


def _public(path: Path) -> PublicKey:
    """The public key of a file that `certmark keys show --json` wrote, or of a JWK."""
    try:
        told: Any = json.loads(_read(path, 65536))
        return public_key(told.get("key", told))
    except (ValueError, AttributeError, TypeError):
        raise BadRequest(f"{path} is no public key", hint="certmark keys show NAME --json > FILE") from None
    except Malformed as error:
        raise BadRequest(f"{path}: {error.detail}") from None


def _document(path: Path) -> Document:
    return open_document(_read(path, LARGEST_DOCUMENT), draft=True)


def _root_in(document: Document) -> Root:
    if not isinstance(document.content, Root):
        raise BadRequest("this is a trust list, not a root")
    return document.content


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most + 1)
    except OSError as error:
        raise BadRequest(f"{path} cannot be read: {error.strerror}") from None


def _write(path: Path, data: bytes) -> None:
    fresh = path.with_name(path.name + ".new")
    try:
        fresh.write_bytes(data)
        fresh.replace(path)
    except OSError as error:
        raise NotConfigured(f"{path} cannot be written: {error.strerror}") from None


def _say(document: Document, json_: bool) -> None:
    if json_:
        say_json(document_json(document))
        return
    content = document.content
    kind = "root" if isinstance(content, Root) else "list"
    OUT.print(f"{kind} {content.version}   {content.issued_at:%Y-%m-%d} – {content.expires_at:%Y-%m-%d}", markup=False)
    OUT.print(f"register {content.register}\ndigest   {document.digest}", markup=False)
    if not isinstance(content, Root):
        return
    signed = {signature.kid for signature in document.signatures}
    OUT.print(f"{content.threshold} of {len(content.keys)} sign together", markup=False)
    for word, keys in (("root", content.keys), ("delegate", content.delegates)):
        for line in _lines(word, keys, signed):
            OUT.print(line, markup=False)
    others = signed - {mark_kid(key) for key in content.keys}
    for kid in sorted(others):
        OUT.print(f"  signed by {kid.hex()}, no root of this version", markup=False)


def _lines(word: str, keys: Sequence[PublicKey], signed: set[bytes]) -> list[str]:
    return [
        f"  {word:8} {mark_kid(key).hex()}  {key.kid}{'  has signed' if mark_kid(key) in signed else ''}"
        for key in keys
    ]
