"""Checks the signature in a mark's QR with nothing but `cryptography`: `check_mark.py QR_TEXT PUBLIC_KEY_HEX`."""

import re
import sys
from datetime import date, timedelta
from urllib.parse import unquote, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def byte_string(content: bytes) -> bytes:
    """CBOR: a byte string of up to 65,535 bytes, its length in the shortest form."""
    size = len(content)
    head = bytes([0x40 + size]) if size < 24 else bytes([0x58, size]) if size < 256 else b"\x59" + size.to_bytes(2)
    return head + content


def members(payload: bytes) -> list[int | str]:
    """CBOR: the unsigned integers and texts of an array. Called only once the signature holds."""
    found: list[int | str] = []
    at = 1
    while at < len(payload):
        kind, small = payload[at] >> 5, payload[at] & 31
        width = 0 if small < 24 else 1 << (small - 24)
        value = int.from_bytes(payload[at + 1 : at + 1 + width]) if width else small
        at += 1 + width
        if kind == 3:
            found.append(payload[at : at + value].decode())
            at += value
        else:
            found.append(value)
    return found


def main(qr_text: str, public_key: str) -> int:
    address = urlsplit(qr_text)
    number = re.fullmatch(r"m=([1-9][0-9]{150,500})", address.query, re.ASCII)
    product = re.fullmatch(r"/01/([0-9]{14})(?:/21/([^/]{1,80}))?", address.path, re.ASCII)
    certificate = re.fullmatch(r"/c/(.+)", address.path)
    if not number or not (product or certificate):
        print("unreadable: not the address of a mark")  # noqa: T201
        return 1
    token = int(number[1]).to_bytes((int(number[1]).bit_length() + 7) // 8)
    version, kid, payload, signature = token[0], token[1:5], token[5:-64], token[-64:]
    if version != 1:
        print("this example knows version 1 alone (Ed25519)")  # noqa: T201
        return 1
    if product:
        signed_for = f"01{product[1]}" + (f"21{unquote(product[2])}" if product[2] else "")
    else:
        assert certificate is not None
        signed_for = "c" + unquote(certificate[1])
    # What COSE_Sign1 signs: the header {1: -19, 4: kid}, the address, the payload.
    header = bytes.fromhex("a201320444") + kid
    message = b"\x84\x6aSignature1" + b"".join(byte_string(part) for part in (header, signed_for.encode(), payload))
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(signature, message)
    except InvalidSignature:
        print("bad signature: believe nothing that this code says")  # noqa: T201
        return 1
    issued, days, mark_no, certificate_no, _, _, model = members(payload)[:7]
    signed_on = date(1970, 1, 1) + timedelta(days=int(issued))
    until = (signed_on + timedelta(days=int(days) - 1)).isoformat() if days else "no end stated"
    print(f"the signature holds: mark {mark_no}, certificate {certificate_no}, model {model}")  # noqa: T201
    print(f"signed on {signed_on}, printed validity until {until}; whether it still stands, only the register says")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
