"""Signing keys: Ed25519 and P-256, named by their RFC 7638 thumbprint."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from services import base64url
from services.domain.errors import BadSignature, Malformed, NotConfigured

ED25519 = "Ed25519"
ES256 = "ES256"
HEADER_NAMES = {ED25519: ("Ed25519", "EdDSA"), ES256: ("ES256",)}
"""The `alg` values that a key of each kind may stand behind (RFC 9864; EdDSA is the older name)."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key. `alg` is fixed by the key itself and never taken from an event alone."""

    kid: str
    alg: str
    jwk: Mapping[str, str]
    handle: ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey

    def verify(self, signature: bytes, message: bytes) -> None:
        """Raises BadSignature where the 64-byte signature does not hold."""
        try:
            if self.alg == ED25519:  # to ask for the handle's kind takes a microsecond
                cast(ed25519.Ed25519PublicKey, self.handle).verify(signature, message)
            else:
                if len(signature) != 64:
                    raise BadSignature("an ES256 signature has 64 bytes")
                r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
                handle = cast(ec.EllipticCurvePublicKey, self.handle)
                handle.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            raise BadSignature("the signature does not match the content") from None


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A private key with its public half."""

    public: PublicKey
    handle: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey

    def sign(self, message: bytes) -> bytes:
        """A 64-byte signature (Ed25519, or r‖s of ECDSA on P-256 with SHA-256)."""
        if isinstance(self.handle, ed25519.Ed25519PrivateKey):
            return self.handle.sign(message)
        r, s = decode_dss_signature(self.handle.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)

    def pem(self) -> bytes:
        """PKCS#8, unencrypted."""
        return self.handle.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def public_key(jwk: Mapping[str, str]) -> PublicKey:
    """The key of a JWK (RFC 8037 OKP, RFC 7518 EC).

    Raises:
        Malformed: another kind or curve, a private member, or a point that is not on the curve.
    """
    if "d" in jwk:
        raise Malformed("the JWK holds a private key", pointer="/data/key")
    try:
        if jwk.get("kty") == "OKP" and jwk.get("crv") == "Ed25519":
            okp = OKPKey.import_key({n: jwk[n] for n in ("kty", "crv", "x")})
            handle = okp.public_key
            assert isinstance(handle, ed25519.Ed25519PublicKey)
            return PublicKey(okp.thumbprint(), ED25519, _members(okp.as_dict(private=False)), handle)
        if jwk.get("kty") == "EC" and jwk.get("crv") == "P-256":
            ecc = ECKey.import_key({n: jwk[n] for n in ("kty", "crv", "x", "y")})
            return PublicKey(ecc.thumbprint(), ES256, _members(ecc.as_dict(private=False)), ecc.public_key)
    except (ValueError, KeyError, TypeError, JoseError) as error:
        raise Malformed(f"the JWK cannot be read: {error}", pointer="/data/key") from None
    raise Malformed("the JWK is neither OKP Ed25519 nor EC P-256", pointer="/data/key")


def _members(jwk: Mapping[str, object]) -> dict[str, str]:
    return {n: str(jwk[n]) for n in ("kty", "crv", "x", "y") if n in jwk}


def private_key(handle: object) -> PrivateKey:
    """A private key from `cryptography`'s object."""
    if isinstance(handle, ed25519.Ed25519PrivateKey):
        x = handle.public_key().public_bytes_raw()
        return PrivateKey(public_key({"kty": "OKP", "crv": "Ed25519", "x": base64url.encoded(x)}), handle)
    if isinstance(handle, ec.EllipticCurvePrivateKey) and isinstance(handle.curve, ec.SECP256R1):
        point = handle.public_key().public_numbers()
        jwk = {
            "kty": "EC",
            "crv": "P-256",
            "x": base64url.encoded(point.x.to_bytes(32)),
            "y": base64url.encoded(point.y.to_bytes(32)),
        }
        return PrivateKey(public_key(jwk), handle)
    raise NotConfigured("the key is neither Ed25519 nor P-256")


def new_key(alg: str = ED25519) -> PrivateKey:
    """A fresh key; `alg` is `Ed25519` or `ES256`. Its kid begins with no dash, so no command takes it for an option."""
    while True:
        key = private_key(
            ec.generate_private_key(ec.SECP256R1()) if alg == ES256 else ed25519.Ed25519PrivateKey.generate()
        )
        if not key.public.kid.startswith("-"):
            return key


def load_key(path: Path) -> PrivateKey:
    """A private key from a PKCS#8 PEM file.

    Raises:
        NotConfigured: the file is missing, unreadable, or holds another kind of key.
    """
    try:
        return private_key(serialization.load_pem_private_key(path.read_bytes(), password=None))
    except OSError as error:
        raise NotConfigured(f"the key file {path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError):
        raise NotConfigured(f"{path} is not an unencrypted PKCS#8 PEM private key") from None


def save_key(key: PrivateKey, path: Path) -> None:
    """Write a key as PKCS#8 PEM, readable by its owner alone; an existing file is never overwritten."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.pem())
