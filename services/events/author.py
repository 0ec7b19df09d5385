"""Writes events in the name of one source: fills in the envelope, keeps its chains, signs."""

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from services.domain.identifiers import CHINA
from services.events.envelope import open_envelope, sign_event
from services.events.keys import PrivateKey

Head = tuple[int, str | None]
"""(sequence, digest) of the last event of a chain; (0, None) at first."""


class Author:
    """One source with its key. `heads` says where a chain stands that this author has not written to yet."""

    def __init__(
        self, source: str, key: PrivateKey, signatory: str, heads: Callable[[str], Head] = lambda subject: (0, None)
    ) -> None:
        self.source = source
        self.key = key
        self.signatory = signatory
        self._heads = heads
        self._chains: dict[str, Head] = {}

    def write(self, event_type: str, subject: str, data: Mapping[str, Any], now: datetime) -> bytes:
        """The next event about a subject, signed. `event_type` is its short name, as `certificate.issued`."""
        sequence, digest = self._chains.get(subject) or self._heads(subject)
        payload = {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "source": self.source,
            "type": f"certmark.{event_type}.v1",
            "subject": subject,
            "time": now.astimezone(CHINA).isoformat(timespec="seconds"),
            "sequence": sequence + 1,
            **({"previous": f"sha256:{digest}"} if digest else {}),
            "signatory": self.signatory,
            "data": dict(data),
        }
        jws = sign_event(payload, self.key)
        self._chains[subject] = (sequence + 1, open_envelope(jws).digest)
        return jws
