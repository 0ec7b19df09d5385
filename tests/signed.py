"""Signed events and sealed records to test with, made by the project's own functions."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from services.events.envelope import open_envelope, sign_event
from services.events.keys import PrivateKey, new_key
from services.events.record import SealedRecord, open_sealed, read_record, seal_record

AUTHORITY = "urn:certmark:authority:test"
REGISTRY = "urn:certmark:registry:test"
BODY = "urn:certmark:body:CNCA-R-2019-7901"
OTHER_BODY = "urn:certmark:body:CNCA-R-2019-7902"
DECLARANT = "urn:certmark:declarant:91320500MAXX005334"
SUSPENDED = {"effective_at": "2026-11-22", "reason": "S03", "until": "2026-12-14"}
NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


def event_of(
    key: PrivateKey,
    source: str = BODY,
    event_type: str = "certificate.suspended",
    subject: str = "2023990703000117",
    data: Mapping[str, Any] | None = None,
    **changes: Any,
) -> bytes:
    """A signed event, the first of its chain unless `changes` say otherwise."""
    payload = {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": source,
        "type": f"certmark.{event_type}.v1",
        "subject": subject,
        "time": "2026-11-22T09:00:00+08:00",
        "sequence": 1,
        "signatory": "7901-0042",
        "data": dict(SUSPENDED if data is None else data),
    }
    return sign_event(payload | changes, key)


@dataclass
class Registry:
    """An authority, its registry's seal, and the key records that they publish."""

    root: PrivateKey = field(default_factory=new_key)
    seal: PrivateKey = field(default_factory=new_key)
    revision: int = 0

    def __post_init__(self) -> None:
        data = {
            "name": "示范",
            "key": dict(self.root.public.jwk),
            "demonstration": True,
            "effective_at": "2019-01-01",
        }
        self.genesis_event = event_of(self.root, AUTHORITY, "authority.established", "test", data)
        self.genesis = open_envelope(self.genesis_event).digest

    def addition(
        self,
        key: PrivateKey,
        owner: str,
        purpose: str = "event",
        signer: PrivateKey | None = None,
        source: str = AUTHORITY,
    ) -> bytes:
        """The event that adds a key; by the authority unless somebody else is named."""
        data = {"owner": owner, "purpose": purpose, "key": dict(key.public.jwk), "from": "2019-01-01"}
        return event_of(signer or self.root, source, "key.added", key.public.kid, data)

    def record(
        self,
        key: PrivateKey,
        owner: str,
        purpose: str = "event",
        event: bytes | None = None,
        seal: PrivateKey | None = None,
        **state: Any,
    ) -> bytes:
        """The sealed record of a key, with the event that added it."""
        self.revision += 1
        kid = key.public.kid
        whole = {
            "v": 1,
            "kind": "key",
            "kid": kid,
            "owner": owner,
            "purpose": purpose,
            "key": dict(key.public.jwk),
            "from": "2019-01-01",
            "until": None,
            "retired_on": None,
            "compromised_since": None,
        }
        return self.sealed(f"key/{kid}", whole | state, event or self.addition(key, owner, purpose), seal)

    def sealed(
        self, name: str, state: dict[str, Any] | None, event: bytes | None = None, seal: PrivateKey | None = None
    ) -> bytes:
        record = SealedRecord(
            key=name,
            revision=self.revision,
            seq=self.revision,
            recorded_at=NOW,
            digest="0" * 64 if state else None,
            state=state,
            tokens=(),
            under_review=False,
            event=event,
        )
        return seal_record(record, seal or self.seal)

    def beginning(self) -> list[bytes]:
        """The records of the genesis key and of the seal."""
        return [
            self.record(self.root, AUTHORITY, event=self.genesis_event),
            self.record(self.seal, REGISTRY, "seal"),
        ]


def keyed(value: bytes) -> tuple[str, bytes]:
    """A sealed record with the key under which the state topic holds it."""
    return read_record(open_sealed(value).payload).key, value
