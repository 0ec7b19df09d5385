"""The example of docs/offline.md from fixed seeds: `python -m tests.offline_vectors` prints its file of vectors."""

import json
import sys
from datetime import UTC, date, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519

from services.domain.body import Purpose
from services.domain.unit_code import printed_serial, public_hash
from services.events.keys import PrivateKey, private_key
from services.marks import strict_cbor
from services.marks.cose import cose_key
from services.marks.signers import KeyStanding, Signer
from services.marks.status_list import LIFE, TTL, Status, StatusList, empty_array, put_status, sign_list
from services.marks.token import mark_kid
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
from services.marks.voided import UnitStatus, packed

REGISTER = "0123456789abcdef" * 4
REGISTRY = "urn:certmark:registry:main"
NOW = datetime(2026, 11, 26, 4, tzinfo=UTC)
LIST = 17
INDEX = 0xC6539
"""Where the token of the mark's own vector has its place."""

MARK_NO, SILENT = str(0x4B7974139), "SHB-M-2024-0031"
"""The mark of that token; and one of whose units some are voided, and the list does not name them."""

VOIDED, STANDING = (printed_serial("06901234567892", serial) for serial in ("A1B2C3", "A1B2C4"))


def seeded(start: int) -> PrivateKey:
    """The Ed25519 key whose seed is 32 rising bytes."""
    return private_key(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(start, start + 32))))


MARK, STATUS, ROOT_A, ROOT_B, ROOT_C, DELEGATE, LOST = (seeded(start) for start in range(0x00, 0xE0, 0x20))


def a_status_list() -> bytes:
    array = empty_array()
    for status in Status:
        put_status(array, INDEX + status, status)
    uri = f"https://mark.example/status/{LIST}"
    aggregation = "https://mark.example/status/lists"
    voided = packed([public_hash(MARK_NO, VOIDED), public_hash(SILENT, b"")])
    return sign_list(StatusList(uri, NOW, NOW + LIFE, TTL, bytes(array), aggregation, voided=voided), STATUS)


def a_root(version: int = 1) -> bytes:
    root = Root(
        version=version,
        issued_at=NOW,
        expires_at=NOW + ROOT_LIFE,
        register=REGISTER,
        keys=(ROOT_A.public, ROOT_B.public, ROOT_C.public),
        threshold=2,
        delegates=(DELEGATE.public,),
    )
    return sign_document(root_payload(root), [ROOT_A, ROOT_B])


def a_trust_list() -> bytes:
    lost = KeyStanding.COMPROMISED
    signers = (
        Signer(REGISTRY, Purpose.MARK, MARK.public, date(2026, 7, 1), date(2026, 12, 31)),
        Signer(REGISTRY, Purpose.STATUS, STATUS.public, date(2026, 1, 1)),
        Signer(REGISTRY, Purpose.MARK, LOST.public, date(2026, 1, 1), date(2026, 6, 30), lost, NOW - timedelta(days=1)),
    )
    content = TrustList(
        version=1,
        issued_at=NOW,
        expires_at=NOW + LIST_LIFE,
        register=REGISTER,
        root=1,
        hosts=("mark.example",),
        status="https://mark.example/status",
        signers=signers,
    )
    return sign_document(list_payload(content), [DELEGATE])


def vectors() -> dict[str, Any]:
    root, trust_list = a_root(), a_trust_list()
    return {
        "now": "2026-11-26T04:00:00Z",
        "seeds": "Ed25519, 32 rising bytes each, from 00 (mark), 20 (status), 40, 60, 80 (roots; the first two sign), "
        "a0 (delegate), c0 (a mark key that was lost) on",
        "status_key": strict_cbor.dumps(cose_key(STATUS.public)).hex(),
        "status_kid": mark_kid(STATUS.public).hex(),
        "status_list": a_status_list().hex(),
        "statuses": {str(INDEX - 1): 0, **{str(INDEX + status): int(status) for status in Status}},
        "units": [
            {"mark_no": mark_no, "printed": printed.decode(), "hash": public_hash(mark_no, printed).hex(), "says": says}
            for mark_no, printed, says in (
                (MARK_NO, VOIDED, UnitStatus.VOIDED),
                (MARK_NO, STANDING, UnitStatus.STANDS),
                (SILENT, VOIDED, UnitStatus.UNTOLD),
            )
        ],
        "pin": open_document(root).digest,
        "root": root.hex(),
        "trust_list": trust_list.hex(),
        "bundle": bundle([root, trust_list]).hex(),
    }


if __name__ == "__main__":
    json.dump(vectors(), sys.stdout, indent=1)
    sys.stdout.write("\n")
