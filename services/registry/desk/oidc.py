"""Signing in at an identity provider: OpenID Connect's code flow with PKCE, state and nonce."""

import json
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from services.domain.errors import CertmarkError, Fault, NotConfigured
from services.registry.desk.visits import Errand
from services.settings import Settings

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
"""With which an ID token may be signed: never `none`, never a shared secret."""
_SECONDS = 5
_KEPT = timedelta(hours=1)
_LEEWAY_S = 60


class ProviderUnavailable(Fault):
    slug = "identity-provider-unavailable"
    title = "The identity provider cannot be reached, or answers something else than OpenID Connect"
    zh = "身份认证服务暂不可用"


class SignInRefused(CertmarkError):
    slug = "sign-in-refused"
    title = "The identity provider's answer lets nobody in"
    zh = "身份认证服务的答复无效，未能登录"
    status = 403


@dataclass(frozen=True, slots=True)
class _Known:
    """What the provider says of itself, until it is asked again."""

    metadata: Mapping[str, Any]
    keys: KeySet
    until: datetime


class Provider:
    """One identity provider. What it says of itself and its keys are kept for an hour, or until a key is unknown."""

    def __init__(self, issuer: str, client: str, secret_file: Path | None, claim: str, redirect: str) -> None:
        parts = urlsplit(issuer)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise NotConfigured(f"CERTMARK_OIDC_ISSUER={issuer!r}: it begins with https://")
        self.issuer = issuer.rstrip("/")
        self.client = client
        self.claim = claim
        self.redirect = redirect
        self._secret_file = secret_file
        self._known: _Known | None = None
        self._lock = threading.Lock()

    def way_there(self, to_page: str, now: datetime) -> tuple[str, Errand]:
        """The address to send a visitor to, and what has to be remembered until he is back."""
        metadata = self._now_known(now).metadata
        errand = Errand(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48), to_page)
        with self._session(errand.state) as session:
            url, _ = session.create_authorization_url(
                metadata["authorization_endpoint"],
                state=errand.state,
                nonce=errand.nonce,
                code_verifier=errand.verifier,
            )
        return str(url), errand

    def name_in(self, answer: Mapping[str, str], errand: Errand, now: datetime) -> str:
        """The account's name in the answer that came back with a visitor.

        Raises:
            SignInRefused: another errand's answer, an error, or an ID token that does not hold.
            ProviderUnavailable.
        """
        if not secrets.compare_digest(answer.get("state", "").encode(), errand.state.encode()):
            raise SignInRefused("the answer belongs to no visitor who left from here", hint="sign in again")
        if answer.get("iss", self.issuer).rstrip("/") != self.issuer:  # RFC 9207
            raise SignInRefused("the answer is of another provider")
        if "error" in answer or "code" not in answer:
            raise SignInRefused(f"the provider said {answer.get('error', 'nothing')[:64]!r}")
        metadata = self._now_known(now).metadata
        try:
            with self._session(errand.state) as session:
                token = session.fetch_token(
                    metadata["token_endpoint"],
                    grant_type="authorization_code",
                    code=answer["code"],
                    code_verifier=errand.verifier,
                    timeout=_SECONDS,
                    allow_redirects=False,
                )
        except OAuthError as error:
            raise SignInRefused(f"the provider gave no token: {str(error.error)[:64]!r}") from None
        except (requests.RequestException, ValueError) as error:
            raise ProviderUnavailable(type(error).__name__) from None
        claims = self._claims(str(token.get("id_token", "")), errand.nonce, now)
        name = claims.get(self.claim)
        if not isinstance(name, str) or not name:
            raise SignInRefused(f"the ID token names nobody by {self.claim!r}")
        return name

    def _claims(self, id_token: str, nonce: str, now: datetime) -> Mapping[str, Any]:
        try:
            try:
                token = jwt.decode(id_token, self._now_known(now).keys, algorithms=ALGORITHMS)
            except (JoseError, ValueError):
                self._known = None  # the provider may have a new key: asked once
                token = jwt.decode(id_token, self._now_known(now).keys, algorithms=ALGORITHMS)
            registry = jwt.JWTClaimsRegistry(
                now=lambda: int(now.timestamp()),
                leeway=_LEEWAY_S,
                iss={"essential": True, "values": [self.issuer, self.issuer + "/"]},
                aud={"essential": True, "value": self.client},
                exp={"essential": True},
                iat={"essential": True},
                sub={"essential": True},
                nonce={"essential": True, "value": nonce},
            )
            registry.validate(token.claims)
        except (JoseError, ValueError) as error:
            raise SignInRefused(f"the ID token does not hold: {type(error).__name__}") from None
        if token.claims.get("azp", self.client) != self.client:
            raise SignInRefused("the ID token was made for another program")
        return token.claims

    def _now_known(self, now: datetime) -> _Known:
        with self._lock:
            if self._known is None or now >= self._known.until:
                metadata = _document(f"{self.issuer}/.well-known/openid-configuration")
                if str(metadata.get("issuer", "")).rstrip("/") != self.issuer:
                    raise ProviderUnavailable("the provider calls itself something else than CERTMARK_OIDC_ISSUER")
                try:
                    keys = KeySet.import_key_set(_document(str(metadata["jwks_uri"])))  # type: ignore[arg-type]
                    self._known = _Known(metadata, keys, now + _KEPT)
                    _ = metadata["authorization_endpoint"], metadata["token_endpoint"]
                except (KeyError, JoseError, ValueError, TypeError) as error:
                    raise ProviderUnavailable(f"its description lacks or garbles {error}") from None
            return self._known

    def _session(self, state: str) -> OAuth2Session:
        secret = self._secret_file.read_text(encoding="utf-8").strip() if self._secret_file else None
        return OAuth2Session(
            self.client,
            secret,
            token_endpoint_auth_method="client_secret_basic" if secret else "none",  # a method's name
            scope="openid profile",
            redirect_uri=self.redirect,
            code_challenge_method="S256",
            state=state,
        )


def _document(url: str) -> dict[str, Any]:
    """A JSON object at the provider, read up to 1 MiB."""
    try:
        with requests.get(url, timeout=_SECONDS, stream=True, allow_redirects=False) as answer:
            if answer.status_code != requests.codes.ok:
                raise ProviderUnavailable(f"{answer.status_code} from {urlsplit(url).path}")
            content = answer.raw.read(1 << 20, decode_content=True)
            found = json.loads(content)
    except (requests.RequestException, ValueError) as error:
        raise ProviderUnavailable(type(error).__name__) from None
    if not isinstance(found, dict):
        raise ProviderUnavailable(f"{urlsplit(url).path} is no JSON object")
    return found


def provider(settings: Settings) -> Provider | None:
    """The provider of these settings; None where none is named."""
    if not settings.oidc_issuer:
        return None
    return Provider(
        settings.oidc_issuer,
        settings.oidc_client,
        settings.oidc_secret_file,
        settings.oidc_claim,
        f"{settings.registry_url}/desk/oidc/back",
    )
