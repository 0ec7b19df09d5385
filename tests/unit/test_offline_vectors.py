"""The vectors that other programs compare theirs with come out byte for byte, and prove what they are to prove."""

import json
from datetime import timedelta
from pathlib import Path

from services.domain.unit_code import public_hash
from services.marks.status_list import check_list, open_list, verify_list
from services.marks.token import decimal, from_decimal, open_token, verify_token
from services.marks.trust_list import open_bundle, walk
from services.marks.voided import unit_in
from tests.offline_vectors import INDEX, LIST, NOW, vectors
from tests.unit.test_mark_token import CLAIMS, PATH, VECTOR

FILE = Path(__file__).parents[1] / "vectors/offline.json"


def test_the_vectors_come_out_byte_for_byte() -> None:
    made, held = vectors(), json.loads(FILE.read_text(encoding="utf-8"))
    # Two builds of zlib may pack the same array differently; what it says is looked at below.
    held["status_list"] = made["status_list"]
    assert made == held


def test_the_printed_mark_is_followed_from_the_pinned_root_to_its_status() -> None:
    told = json.loads(FILE.read_text(encoding="utf-8"))
    trusted = walk(bytes.fromhex(told["bundle"]), told["pin"], NOW)
    assert [one.hex() for one in open_bundle(bytes.fromhex(told["bundle"]))] == [told["root"], told["trust_list"]]
    keys = [signer.as_mark_key() for signer in trusted.list.signers if signer.purpose == "mark"]
    claims = verify_token(open_token(from_decimal(decimal(VECTOR))), PATH, keys)
    assert (claims, claims.list_id, claims.index) == (CLAIMS, LIST, INDEX)
    found = verify_list(open_list(bytes.fromhex(told["status_list"])), trusted.list.signers)
    found = check_list(found, trusted.list.status_uri(claims.list_id), NOW + timedelta(hours=1))
    assert {at: found.status(int(at)) for at in told["statuses"]} == told["statuses"]
    for unit in told["units"]:
        assert unit_in(found.voided, unit["mark_no"], unit["printed"].encode()) == unit["says"]
        assert public_hash(unit["mark_no"], unit["printed"].encode()).hex() == unit["hash"]
    assert claims.mark_no == told["units"][0]["mark_no"]
