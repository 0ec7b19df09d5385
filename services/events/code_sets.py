"""What a body does with sets of unit codes: make them by chance, bring them to the registry, fetch their tokens."""

import gzip
import json
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from services.domain.errors import BadRequest, NotFound
from services.domain.unit_code import Form, has_form, set_digest
from services.events.client import Refused, Service, Unreachable, json_object

AT_ONCE = 100_000
"""Codes in one request, as the registry takes them."""

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Of serials: five bits a character, without those that are taken for each other."""

FEWEST_BITS = 20
"""Of the codes that are possible at most one in a million is good: finding one by guessing takes as many look-ups."""

_LOOK = 0.2


def new_codes(count: int, prefix: str, form: Form, length: int) -> list[str]:
    """Codes by chance, in ascending order: `length` random digits (serials: letters and digits) behind a prefix.

    Raises:
        BadRequest: what comes out would be no code, or so few are possible that they could be guessed.
    """
    alphabet = "0123456789" if form is Form.CODE else ALPHABET
    possible = len(alphabet) ** length
    if possible < count << FEWEST_BITS:
        raise BadRequest(
            f"{length} random characters make {possible} codes: among {count} of them one in "
            f"{possible // max(count, 1)} guesses would be good",
            hint="ask for more random characters",
        )
    codes: set[str] = set()
    while len(codes) < count:
        codes.add(prefix + "".join(secrets.choice(alphabet) for _ in range(length)))
    found = sorted(codes)
    if not has_form(found[0], form, None):
        raise BadRequest(f"{prefix!r} and {length} characters behind it make no {form}")
    return found


def codes_of_file(raw: bytes) -> list[str]:
    """The codes of a file, a line each, in ascending order.

    Raises:
        BadRequest: a line is empty or not ASCII, or a code is there twice.
    """
    lines = raw.replace(b"\r\n", b"\n").removesuffix(b"\n").split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line or not line.isascii():
            raise BadRequest(f"line {number} of the codes is empty or not ASCII")
    codes = sorted(line.decode("ascii") for line in lines)
    if len(set(codes)) != len(codes):
        raise BadRequest("a code is in the file twice")
    return codes


def bring(service: Service, codes: Sequence[str], *, tokens: bool, advance: Callable[[int], None]) -> dict[str, Any]:
    """Send a set, from where it was cut; what the registry then says of it.

    Raises:
        Refused: it is not taken. Unreachable: unknown; the same again goes on.
    """
    digest = set_digest(codes)
    said = service.get(f"/v1/code-sets/{digest}")
    if said["state"] == "stored" and (not tokens or said["job"]):
        advance(len(codes))
        return said
    first = 0 if said["state"] == "stored" and said["received"] >= len(codes) else int(said["received"])
    advance(first)
    while first < len(codes):
        some = codes[first : first + AT_ONCE]
        path = f"/v1/code-sets?digest={digest}&from={first}&tokens={str(tokens).lower()}"
        body = gzip.compress("\n".join(some).encode("ascii"), 5)
        status, _, raw = service.request("POST", path, body, "text/plain", "gzip")
        said = _answered(service, status, raw)
        advance(int(said["received"]) - first if said["state"] != "stored" else len(codes) - first)
        first = len(codes) if said["state"] == "stored" else int(said["received"])
    return said


def _answered(service: Service, status: int, raw: bytes) -> dict[str, Any]:
    document = json_object(raw)
    if status >= 400 and "code" in document:
        raise Refused(document, status)
    if status != 200:
        raise Unreachable(f"{service.url} answers {status}")
    return document


def known(service: Service, digest: str) -> dict[str, Any] | None:
    """What the registry says of a set; None where this source has announced none with this digest."""
    try:
        return service.get(f"/v1/code-sets/{digest}")
    except NotFound:
        return None


def await_tokens(service: Service, digest: str, advance: Callable[[int], None], seconds: float) -> dict[str, Any]:
    """The job once it has ended; `seconds` without one more token signed, and it is given up.

    Raises:
        BadRequest: nobody has asked for these tokens. Unreachable: it stands still.
    """
    done, since = 0, time.monotonic()
    while True:
        job = service.get(f"/v1/code-sets/{digest}")["job"]
        if job is None:
            raise BadRequest("nobody has asked for the tokens of this set", hint="certmark codes issue --tokens")
        advance(job["done"] - done)
        if job["done"] > done:
            done, since = job["done"], time.monotonic()
        if job["state"] in ("done", "failed"):
            found: dict[str, Any] = job
            return found
        if time.monotonic() - since > seconds:
            raise Unreachable(f"no token was signed for {seconds:.0f} s: is the signer running?")
        time.sleep(_LOOK)


def token_file(service: Service, digest: str) -> Iterator[bytes]:
    """The token file (CSV) of a set whose signing has ended.

    Raises:
        Refused: there is none.
    """
    status, _, raw = service.request("GET", f"/v1/code-sets/{digest}/tokens?form=csv")
    if status != 200:
        raise Refused(json_object(raw), status)
    yield raw


NAMED_AT_ONCE = 1_000
"""Codes whose hashes are asked for in one request, as the registry takes them."""


def names_of(
    service: Service, mark_no: str, codes: Sequence[str], gtin: str | None
) -> tuple[dict[str, dict[str, str]], dict[str, Refused]]:
    """By what hashes an event names each code of this source: `code`, and `public_hash` of a serial; and the codes
    that are none of its own under this mark, each with the registry's words."""
    names: dict[str, dict[str, str]] = {}
    strange: dict[str, Refused] = {}
    for first in range(0, len(codes), NAMED_AT_ONCE):
        some = codes[first : first + NAMED_AT_ONCE]
        try:
            names |= _named(service, mark_no, some, gtin)
        except Refused as refused:
            foreign = {some[int(pointer.removeprefix("/codes/"))] for pointer in refused.pointers}
            if not foreign:
                raise
            strange |= {code: refused for code in some if code in foreign}
            if own := [code for code in some if code not in foreign]:
                names |= _named(service, mark_no, own, gtin)
    return names, strange


def _named(service: Service, mark_no: str, codes: Sequence[str], gtin: str | None) -> dict[str, dict[str, str]]:
    asked = json.dumps({"mark_no": mark_no, "codes": codes, "gtin": gtin}).encode()
    status, _, raw = service.request("POST", "/v1/code-hashes", asked, "application/json")
    said = _answered(service, status, raw)
    public = said["public_hashes"] or [""] * len(codes)
    return {
        code: {"code": hash_, **({"public_hash": known_by} if known_by else {})}
        for code, hash_, known_by in zip(codes, said["items"], public, strict=True)
    }
