"""An identity provider for tests: a real HTTP server that speaks OpenID Connect's code flow, and can be made to lie."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, jsonify, redirect, request
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

CLIENT, SECRET = "certmark-desk", "the desk's secret"


@dataclass
class Provider:
    """`name` is who signs in next; `claims` are put over what the ID token says; `key` is what it is signed with."""

    issuer: str = ""
    name: str = "pudong-01"
    claims: dict[str, Any] = field(default_factory=dict)
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}, private=True))
    header: dict[str, Any] = field(default_factory=lambda: {"alg": "RS256", "kid": "one"})
    sign_with: Any = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def app(self) -> Flask:
        app = Flask("provider")
        routes: dict[str, tuple[Callable[[], Any], list[str]]] = {
            "/.well-known/openid-configuration": (self.description, ["GET"]),
            "/keys": (self.keys, ["GET"]),
            "/authorize": (self.authorize, ["GET"]),
            "/token": (self.token, ["POST"]),
        }
        for rule, (view, methods) in routes.items():
            app.add_url_rule(rule, view.__name__, view, methods=methods)
        return app

    def description(self) -> Response:
        return jsonify(
            issuer=self.issuer,
            authorization_endpoint=f"{self.issuer}/authorize",
            token_endpoint=f"{self.issuer}/token",
            jwks_uri=f"{self.issuer}/keys",
        )

    def keys(self) -> Response:
        return jsonify(keys=[self.key.as_dict(private=False)])

    def authorize(self) -> Any:
        asked = request.args.to_dict()
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        code = hashlib.sha256(asked["state"].encode()).hexdigest()
        self.codes[code] = asked
        return redirect(asked["redirect_uri"] + "?" + urlencode({"code": code, "state": asked["state"]}))

    def token(self) -> Any:
        asked = self.codes.pop(request.form["code"], None)
        if asked is None or request.authorization is None or request.authorization.password != SECRET:
            return jsonify(error="invalid_grant"), 400
        challenge = base64.urlsafe_b64encode(hashlib.sha256(request.form["code_verifier"].encode()).digest())
        if challenge.rstrip(b"=").decode() != asked["code_challenge"]:
            return jsonify(error="invalid_grant"), 400
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "sub": "1", "iat": now, "exp": now + 60, "nonce": asked["nonce"]}
        claims |= {"preferred_username": self.name} | self.claims
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.header["alg"] == "none":  # the library refuses to make one
            parts = [base64.urlsafe_b64encode(json.dumps(part).encode()) for part in (self.header, claims)]
            signed = b".".join([*(part.rstrip(b"=") for part in parts), b""]).decode()
        else:
            signed = jwt.encode(self.header, claims, self.sign_with or self.key, algorithms=["RS256", "HS256"])
        return jsonify(access_token="a", token_type="Bearer", id_token=signed)


@contextmanager
def provider(port: int) -> Iterator[Provider]:
    """One that listens on a port of this machine."""
    made = Provider(issuer=f"http://127.0.0.1:{port}")
    server = make_server("127.0.0.1", port, made.app(), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
