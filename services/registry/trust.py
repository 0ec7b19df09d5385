"""What the registry knows of its own keys as a trust list, signed by the key that the root delegates to."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from services import base64url
from services.domain.body import Key, KeyState, Purpose, key_from_state
from services.domain.errors import NotConfigured
from services.domain.identifiers import CHINA, instant_text
from services.events.keys import PrivateKey, public_key
from services.marks.signers import KeyStanding, Signer
from services.marks.trust_list import (
    LIST_LIFE,
    Document,
    Root,
    TrustList,
    first_root,
    list_payload,
    next_root,
    open_document,
    sign_document,
)
from services.postgres import Cursor
from services.registry import store
from services.registry.published_records import published_record, registered_in, save_published
from services.settings import Settings

RECORD = "trust"
RENEWED_AFTER = timedelta(days=1)
"""The list lives thirty days and is signed every day, so that a reader's is never far from fresh."""

OWN = (Purpose.MARK, Purpose.STATUS, Purpose.SEAL, Purpose.LOG, Purpose.TRUST)
"""Purposes of keys that are the registry's own; who signs events is in the register itself."""


@dataclass(frozen=True, slots=True)
class Published:
    """The trust list as it was published last, with every root before it as bytes."""

    roots: tuple[bytes, ...]
    content: TrustList


def published(cur: Cursor) -> Published | None:
    record = store.records_of(cur, [RECORD]).get(RECORD)
    if record is None:
        return None
    state: dict[str, Any] = json.loads(record.state)
    content = open_document(base64url.decoded(state["list"])).content
    assert isinstance(content, TrustList)
    return Published(tuple(base64url.decoded(one) for one in state["roots"]), content)


def renew(
    cur: Cursor,
    settings: Settings,
    register: str,
    keys: Sequence[PrivateKey],
    now: datetime,
    *,
    at_once: bool = False,
) -> TrustList | None:
    """Publish a new list where the old one is a day old or says something that is no longer so; None where not.

    `at_once` publishes one in any case. Two who do this take turns by `list_store.lock`.

    Raises:
        NotConfigured: there is no root, the last one has run out, or none of these keys is its delegate.
        Untrusted, Malformed: a root document that does not follow the one before it.
    """
    before = published(cur)
    documents = roots_of(settings.trust_roots, before.roots if before else ())
    root = checked_roots([open_document(one) for one in documents], register, now)
    content = TrustList(
        version=before.content.version + 1 if before else 1,
        issued_at=now.replace(microsecond=0),
        expires_at=min(now + LIST_LIFE, root.expires_at).replace(microsecond=0),
        register=register,
        root=root.version,
        hosts=settings.hosts,
        status=f"{settings.public_url.lower()}/status",
        signers=signers_in(cur),
    )
    if before is not None and not at_once and not _is_due(before.content, content, now):
        return None
    key = delegate(root, keys, cur, now)
    document = sign_document(list_payload(content), [key])
    state: dict[str, object] = {
        "v": 1,
        "kind": "trust",
        "version": content.version,
        "root": root.version,
        "issued_at": instant_text(content.issued_at),
        "expires_at": instant_text(content.expires_at),
        "hosts": list(content.hosts),
        "roots": [base64url.encoded(one) for one in documents],
        "list": base64url.encoded(document),
    }
    save_published(cur, [published_record(RECORD, state)])
    return content


def _is_due(before: TrustList, now_so: TrustList, now: datetime) -> bool:
    """Also where it was signed later than now, by a clock that ran ahead."""
    same = (before.root, before.hosts, before.status, before.signers)
    now_same = (now_so.root, now_so.hosts, now_so.status, now_so.signers)
    return same != now_same or not now - RENEWED_AFTER < before.issued_at <= now


def roots_of(folder: Path, held: Sequence[bytes]) -> list[bytes]:
    """Every root document in order: those published already, then `root-<version>.cbor` of a folder.

    Raises:
        NotConfigured: there is none at all.
    """
    documents = list(held)
    while (file := folder / f"root-{len(documents) + 1}.cbor").exists():
        documents.append(file.read_bytes())
    if not documents:
        raise NotConfigured(
            f"{folder} holds no root-1.cbor: there is no trust list",
            hint="`certmark trust root new` begins the ceremony",
        )
    return documents


def checked_roots(documents: Sequence[Document], register: str, now: datetime) -> Root:
    """The last root, once each follows the one before it and the last is of this register and has not run out."""
    root = first_root(documents[0])
    for document in documents[1:]:
        root = next_root(root, document)
    if root.register != register:
        raise NotConfigured(f"root {root.version} is of register {root.register[:16]}…, this one is {register[:16]}…")
    if root.expires_at <= now:
        raise NotConfigured(f"root {root.version} ran out at {root.expires_at.isoformat()}", hint="sign the next one")
    return root


def delegate(root: Root, keys: Iterable[PrivateKey], cur: Cursor, now: datetime) -> PrivateKey:
    """The key that the root delegates to and the register knows for the purpose.

    Raises:
        NotConfigured: none of these is.
    """
    registered = registered_in(cur)
    named = {key.kid for key in root.delegates}
    for key in keys:
        known = registered(key.public.kid)
        if key.public.kid in named and known and known.purpose is Purpose.TRUST and known.valid_at(now):
            return key
    raise NotConfigured(
        f"CERTMARK_TRUST_KEY holds no key to which root {root.version} delegates and that is registered for `trust`"
    )


def signers_in(cur: Cursor) -> tuple[Signer, ...]:
    """The registry's own keys, those that have ended too: what they signed in their time stays good."""
    cur.execute("SELECT state FROM records WHERE key >= 'key/' AND key < 'key0' ORDER BY key")
    keys = [key_from_state(cast(KeyState, json.loads(state))) for (state,) in cur.fetchall()]
    return tuple(
        signer_of(key)
        for key in sorted(keys, key=lambda key: (key.purpose, key.valid_from, key.kid))
        if key.purpose in OWN
    )


def signer_of(key: Key) -> Signer:
    """A key of the register as the list tells it; see `Signer` for the last day of a retired one."""
    last = key.valid_until
    state, since = KeyStanding.ACTIVE, None
    if key.retired_on is not None:
        before = key.retired_on - timedelta(days=1)
        last = before if last is None else min(last, before)
        state, since = KeyStanding.RETIRED, _beginning_of(key.retired_on)
    if key.compromised_since is not None:
        state, since = KeyStanding.COMPROMISED, key.compromised_since.replace(microsecond=0)
    return Signer(key.owner, key.purpose, public_key(key.jwk), key.valid_from, last, state, since)


def _beginning_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=CHINA)
