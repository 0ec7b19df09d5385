"""The embedded default's own beginning: its keys, the first authority, the registry's keys, the shipped data."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from services.domain.identifiers import civil_day
from services.events.drafts import Draft, Signer
from services.events.envelope import open_envelope
from services.events.event_types import SCHEMAS
from services.events.keys import PrivateKey, load_key, new_key, save_key
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
    for purpose, path in (("seal", settings.seal_key), ("mark", settings.mark_key)):
        key = key_file(path)
        added = {"owner": REGISTRY, "purpose": purpose, "key": dict(key.public.jwk), "from": today}
        events.append(authority.sign(draft("key.added", key.public.kid, added), now))
    # Working days and catalogues come first: the schemes refer to them.
    for folder, event in _SHIPPED:
        for file in sorted((SCHEMAS / folder).glob("*.json")):
            data = json.loads(file.read_text(encoding="utf-8"))
            events.append(authority.sign(draft(event, file.stem, data), now))
    return events


def draft(event_type: str, subject: str, data: dict[str, Any]) -> Draft:
    return {"type": event_type, "subject": subject, "data": data}


def key_file(path: Path) -> PrivateKey:
    """The key of a file, made where there is none."""
    if not path.exists():
        save_key(new_key(), path)
    return load_key(path)
