"""The verify service's routes, its OpenAPI document and the contract name the same addresses."""

import re
from datetime import UTC, datetime
from pathlib import Path

from services.settings import settings_from
from services.verify.api import app_for

PROMISED = {
    ("GET", "/"),
    ("GET", "/01/{gtin}"),
    ("GET", "/01/{gtin}/21/{serial}"),
    ("GET", "/c/{number}"),
    ("GET", "/m/{mark_no}"),
    ("GET", "/v1/verify"),
    ("POST", "/v1/verify"),
    ("GET", "/v1/certificates/{number}/permits"),
    ("POST", "/v1/checks"),
    ("GET", "/v1/products"),
    ("GET", "/v1/search"),
    ("GET", "/search"),
    ("POST", "/photo"),
    ("GET", "/photo/{key}"),
    ("GET", "/products/{uscc}/{model}"),
    ("GET", "/01/{gtin}/{qualifiers}"),
    ("GET", "/qr/{mark_no}.{form}"),
    ("GET", "/marks"),
    ("GET", "/marks/{name}"),
    ("GET", "/bodies"),
    ("GET", "/bodies/{approval_no}"),
    ("GET", "/stats"),
    ("GET", "/stats/{name}.csv"),
    ("GET", "/data"),
    ("GET", "/status"),
    ("GET", "/privacy"),
    ("GET", "/c/{number}/record"),
    ("GET", "/c/{number}/receipt.pdf"),
    ("GET", "/receipt.pdf"),
    ("GET", "/v1/keys/{kid}"),
    ("GET", "/scan"),
    ("GET", "/scan/worker.js"),
    ("GET", "/scan/{build}/{name}"),
    ("GET", "/status/{list_id}"),
    ("GET", "/status/lists"),
    ("GET", "/.well-known/certmark-trust"),
    ("GET", "/report"),
    ("POST", "/report"),
    ("GET", "/report/state"),
    ("POST", "/report/state"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/docs"),
    ("GET", "/schemas"),
    ("GET", "/schemas/{name}"),
}


def test_what_is_routed_is_documented_and_promised(tmp_path: Path) -> None:
    app = app_for(settings_from({"CERTMARK_DATA": str(tmp_path)}), lambda: datetime(2026, 11, 1, tzinfo=UTC))
    routed = {
        (method, re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    } - {("GET", "/openapi.json")}
    document = app.test_client().get("/openapi.json").get_json()
    paths = document["paths"].items()
    documented = {(method.upper(), path) for path, item in paths for method in item if method != "parameters"}
    assert routed == documented == PROMISED
