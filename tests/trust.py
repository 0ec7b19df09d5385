"""A trust list's world for tests: three roots of which two sign, a delegate, and documents of any kind."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from services.domain.body import Purpose
from services.events.keys import PrivateKey, new_key
from services.marks.signers import Signer
from services.marks.trust_list import (
    LIST_LIFE,
    ROOT_LIFE,
    Root,
    TrustList,
    bundle,
    list_payload,
    open_document,
    root_payload,
    sign_document,
)

NOW = datetime(2026, 11, 26, 4, tzinfo=UTC)
REGISTER = "ab" * 32


@dataclass
class Roots:
    """The keys of one version of the root."""

    version: int = 1
    keys: list[PrivateKey] = field(default_factory=lambda: [new_key() for _ in range(3)])
    delegate: PrivateKey = field(default_factory=new_key)
    threshold: int = 2

    def root(self, **how: Any) -> Root:
        keys = tuple(key.public for key in self.keys)
        delegates = (self.delegate.public,)
        root = Root(self.version, NOW, NOW + ROOT_LIFE, REGISTER, keys, self.threshold, delegates)
        return replace(root, **how)

    def document(self, signed_by: Sequence[PrivateKey] | None = None, **how: Any) -> bytes:
        return sign_document(root_payload(self.root(**how)), self.keys[:2] if signed_by is None else signed_by)

    def list(self, **how: Any) -> TrustList:
        mark = Signer("urn:certmark:registry:main", Purpose.MARK, new_key().public, date(2026, 10, 1))
        hosts = ("mark.example", "www.mark.example")
        content = TrustList(
            1, NOW, NOW + LIST_LIFE, REGISTER, self.version, hosts, "https://mark.example/status", (mark,)
        )
        return replace(content, **how)

    def list_document(self, signed_by: Sequence[PrivateKey] | None = None, **how: Any) -> bytes:
        return sign_document(list_payload(self.list(**how)), [self.delegate] if signed_by is None else signed_by)

    def bundle(self) -> bytes:
        return bundle([self.document(), self.list_document()])


def pin_of(document: bytes) -> str:
    return open_document(document).digest


def tomorrow() -> datetime:
    return NOW + timedelta(days=1)
