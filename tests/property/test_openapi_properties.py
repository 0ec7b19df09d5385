"""Whatever is asked of a verify node: an answer as its OpenAPI document says, and never a fault of ours."""

import json
from pathlib import Path

import pytest

from tests.asked import api_of
from tests.sealed_register import SealedRegister
from tests.verify_service import Service

LISTINGS = Path(__file__).parents[1] / "data" / "listings.csv"
NUMBER = "2023990703000117"
ELSEWHERE = ("/photo", "/receipt.pdf", "/c/{number}/receipt.pdf", "/scan")
"""What starts processes or reads large files, and has bad input in tests of its own."""


OF_A_WHOLE_SYSTEM = ("/status/{list_id}", "/.well-known/certmark-trust")
"""What only a registry at work signs."""


def test_a_verify_node_answers_as_its_document_says(tmp_path_factory: pytest.TempPathFactory) -> None:
    register = SealedRegister().publish_all()
    service = Service(tmp_path_factory.mktemp("asked"), register, CERTMARK_SEARCHES_PER_MINUTE="1000000")
    numbers = [NUMBER, "2022990201000204", "SHB-P-2024-0031", "M-SHB-P-2024-0031", "00225Q12345"]
    known = {
        "number": numbers,
        "mark_no": numbers,
        "q": [*numbers, "空调", "06909900127449", "91310115MAXX001114", "https://example.com/x"],
        "gtin": ["06909900127449", "6909900127449"],
        "uscc": ["91310115MAXX001114"],
        "model": ["125g", "KFR-35GW/A1"],
        "form": ["svg", "png", "json"],
        "m": ["1" * 200],
        "list_id": ["0"],
        "serial": ["1"],
        "qualifiers": ["10/A1"],
        "kid": [register.seal.public.kid],
        "name": ["ccc", "state.v1"],
        "approval_no": ["CNCA-R-2019-7901"],
    }
    asked = api_of(service.app, known)
    for method, path, operation in asked.operations():
        if path.startswith(ELSEWHERE):
            continue
        if method == "GET":
            missing = asked.holds_for_what_is_there(method, path, operation)
            assert not missing or path in OF_A_WHOLE_SYSTEM, (path, missing)
        asked.holds_for(method, path, operation, examples=12)
    asked.holds_for_body("/v1/verify", "application/json", json.dumps({"q": known["q"]}).encode())
    asked.holds_for_body("/v1/checks", "text/csv", LISTINGS.read_bytes())
    service.projector.close()
