"""The embedded default's own beginning: its keys, the first authority, the registry's keys, the shipped data."""

import json
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

from services.domain.identifiers import civil_day
from services.domain.quarter import Quarter, quarter_of
from services.events.drafts import Draft, Signer
from services.events.envelope import open_envelope
from services.events.event_types import SCHEMAS
from services.events.keys import PrivateKey, load_key, new_key, save_key
from services.marks.trust_list import ROOT_LIFE, Root, root_payload, sign_document
from services.settings import Settings

AUTHORITY = "demo"
REGISTRY = "urn:certmark:registry:main"
SIGNATORY = "DEMO-0001"
_BEGINNING = "beginning.jws"
_SHIPPED = (("calendars", "calendar.published"), ("catalogues", "catalogue.published"), ("schemes", "scheme.published"))
"""The folders of shipped data, and what publishes each file of them; its stem is the subject."""


def beginning(settings: Settings, now: datetime) -> list[bytes]:
    """The first events of this data folder, signed once and the same ever after.

    Writes the keys, the events, and last the digest that everybody here pins: a crash before that starts over.
    """
    file, pin = settings.data / _BEGINNING, settings.data / "genesis"
    if not pin.exists():
        events = _write(settings, now)
        file.write_bytes(b"\n".join(events) + b"\n")
        replacement = pin.with_suffix(".new")
        replacement.write_text(open_envelope(events[0]).digest + "\n", encoding="ascii")
        replacement.replace(pin)
    return file.read_bytes().split()


def _write(settings: Settings, now: datetime) -> list[bytes]:
    today = civil_day(now).isoformat()
    regulator = key_file(settings.keys / "regulator.pem")
    authority = Signer(f"urn:certmark:authority:{AUTHORITY}", regulator, SIGNATORY, lambda source, subject: (0, None))
    established = {
        "name": "示范市场监督管理局(虚构)",
        "key": dict(regulator.public.jwk),
        "demonstration": True,
        "effective_at": today,
    }
    events = [authority.sign(draft("authority.established", AUTHORITY, established), now)]
    for purpose, path, days in _own_keys(settings, civil_day(now)):
        key = key_file(path)
        added = {"owner": REGISTRY, "purpose": purpose, "key": dict(key.public.jwk)} | days
        events.append(authority.sign(draft("key.added", key.public.kid, added), now))
    # Working days and catalogues come first: the schemes refer to them.
    for folder, event in _SHIPPED:
        for file in sorted((SCHEMAS / folder).glob("*.json")):
            data = json.loads(file.read_text(encoding="utf-8"))
            events.append(authority.sign(draft(event, file.stem, data), now))
    return events


def _own_keys(settings: Settings, today: date) -> Iterator[tuple[str, Path, dict[str, str]]]:
    """(purpose, file, its days) of each key of the registry.

    The first mark key has no last day: the next quarter's takes over from it all the same, and where nobody was there
    to announce one, marks are signed still.
    """
    at_once = {"from": today.isoformat()}
    yield "seal", settings.seal_key, at_once
    yield "mark", settings.mark_key, at_once
    yield "status", settings.status_key, at_once
    yield "trust", settings.trust_key, at_once


def quarter_file(path: Path, quarter: Quarter) -> Path:
    """Where the mark key of a quarter lies: in the folder that the setting names, or beside the file."""
    return path / f"mark-{quarter}.pem" if path.is_dir() else path.with_name(f"{path.stem}-{quarter}.pem")


def next_quarter(settings: Settings, now: datetime) -> tuple[PrivateKey, Path, bytes] | None:
    """The next quarter's mark key, where it is to lie, and the event that announces it; None where it lies there.

    The event goes to the log before the key is kept: a crash in between announces a key that nobody has, no more.
    """
    quarter = quarter_of(civil_day(now)).following
    path = quarter_file(settings.mark_key, quarter)
    if path.exists():
        return None
    key = new_key()
    regulator = load_key(settings.keys / "regulator.pem")
    authority = Signer(f"urn:certmark:authority:{AUTHORITY}", regulator, SIGNATORY, lambda source, subject: (0, None))
    added = {"owner": REGISTRY, "purpose": "mark", "key": dict(key.public.jwk)} | quarter.days
    return key, path, authority.sign(draft("key.added", key.public.kid, added), now)


def demonstration_roots(settings: Settings, register: str, now: datetime) -> None:
    """Three root keys and the document that two of them sign, where there is none.

    A demonstration's roots lie beside all other keys; those of a register in earnest never come near this machine.
    """
    file = settings.trust_roots / "root-1.cbor"
    if file.exists():
        return
    keys = [key_file(settings.keys / f"root-{number}.pem") for number in (1, 2, 3)]
    root = Root(
        version=1,
        issued_at=now.replace(microsecond=0),
        expires_at=(now + ROOT_LIFE).replace(microsecond=0),
        register=register,
        keys=tuple(key.public for key in keys),
        threshold=2,
        delegates=(key_file(settings.trust_key).public,),
    )
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.write_bytes(sign_document(root_payload(root), keys[:2]))
    fresh.replace(file)


def draft(event_type: str, subject: str, data: dict[str, Any]) -> Draft:
    return {"type": event_type, "subject": subject, "data": data}


def key_file(path: Path) -> PrivateKey:
    """The key of a file, made where there is none."""
    if not path.exists():
        save_key(new_key(), path)
    return load_key(path)
