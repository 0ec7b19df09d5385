"""The trust list and status lists that a terminal keeps for judging marks offline: a folder, and how it is renewed."""

import http.client
import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from services.domain.errors import BadRequest, CertmarkError, NotConfigured
from services.events.client import Unreachable
from services.marks.status_list import LARGEST, check_list, open_list, verify_list
from services.marks.trust_list import (
    LARGEST_BUNDLE,
    Seen,
    Trusted,
    TrustListExpired,
    TrustRootExpired,
    open_bundle,
    open_document,
    walk,
)
from services.verify.offline import Held
from services.verify.scan_wording import Why

MOST_LISTS = 256
_BUNDLE, _KEPT = "trust.cbor", "kept.json"


class ListRolledBack(CertmarkError):
    slug = "list-rolled-back"
    title = "The status list that was given is older than the one that is held"
    zh = "所给的状态列表比已有的更旧"


@dataclass(frozen=True, slots=True)
class Kept:
    """What a reader remembers beside the lists: the root that it pins, and the highest versions that it has met."""

    pin: str
    seen: Seen
    refreshed_at: str


@dataclass(frozen=True, slots=True)
class Renewed:
    """What a renewal brought, and why single status lists were refused (number → code)."""

    trusted: Trusted
    lists: tuple[int, ...]
    refused: dict[int, str]
    first: bool
    """The root was taken as the host gave it, because none was pinned before."""


def default_folder() -> Path:
    """Below the user's cache, as the XDG base directories say."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "certmark" / "trust"


def held_in(folder: Path, now: datetime, hosts: tuple[str, ...]) -> Held:
    """What the folder holds, checked anew: a file that somebody changed there is not believed."""
    kept = _kept(folder)
    bundle = _read(folder / _BUNDLE)
    trusted, why = None, Why.NO_TRUST_LIST
    if kept is not None and bundle is not None:
        try:
            trusted = walk(bundle, kept.pin, now, kept.seen)
        except (TrustListExpired, TrustRootExpired):
            why = Why.TRUST_LIST_EXPIRED
        except CertmarkError:
            pass
    return Held(trusted, why, lambda number: _read(_list_file(folder, number)), hosts)


def renew(folder: Path, url: str, root: str | None, now: datetime) -> Renewed:
    """Fetch the lists from a verify service into the folder, each taken over only after every check.

    `root` is the digest of the root to begin with; without it, and with nothing pinned before, the first root that
    the host gives out is pinned.

    Raises:
        Unreachable: no answer. CertmarkError: the trust list is refused; what is in the folder stays as it is.
    """
    kept = _kept(folder)
    bundle = _get(url, "/.well-known/certmark-trust", LARGEST_BUNDLE)
    pin = root or (kept.pin if kept else open_document(open_bundle(bundle)[0]).digest)
    trusted = walk(bundle, pin, now, kept.seen if kept else None)
    fetched, refused = _lists(folder, url, trusted, now)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for number, data in fetched.items():
            _write(_list_file(folder, number), data)
        _write(folder / _BUNDLE, bundle)
        seen = {"root": trusted.seen.root, "list": trusted.seen.list}
        told = {"pin": trusted.pin, "seen": seen, "refreshed_at": now.isoformat()}
        _write(folder / _KEPT, json.dumps(told).encode())
    except OSError as error:
        raise NotConfigured(f"{folder} cannot be written: {error.strerror}", hint="name another by --trust") from None
    return Renewed(trusted, tuple(fetched), refused, first=root is None and kept is None)


def _lists(folder: Path, url: str, trusted: Trusted, now: datetime) -> tuple[dict[int, bytes], dict[int, str]]:
    fetched: dict[int, bytes] = {}
    refused: dict[int, str] = {}
    for number in _numbers(_get(url, "/status/lists", LARGEST), trusted.list.status):
        try:
            data = _get(url, f"/status/{number}", LARGEST)
            fresh = check_list(verify_list(open_list(data), trusted.list.signers), trusted.list.status_uri(number), now)
            before = _read(_list_file(folder, number))
            if before is not None and _issued_at(before, trusted) > fresh.issued_at:
                raise ListRolledBack(f"list {number} was issued at {fresh.issued_at.isoformat()}")
            fetched[number] = data
        except CertmarkError as error:
            refused[number] = error.slug
    return fetched, refused


def _issued_at(data: bytes, trusted: Trusted) -> datetime:
    try:
        return verify_list(open_list(data), trusted.list.signers).issued_at
    except CertmarkError:
        return trusted.root.issued_at  # what is no longer believed does not stand in the way of a new one


def _numbers(told: bytes, base: str) -> list[int]:
    """The numbers of the lists that there are; an address that is not below the trust list's own is none of ours."""
    try:
        uris = json.loads(told)["status_lists"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    found = [uri[len(base) + 1 :] for uri in uris if isinstance(uri, str) and uri.startswith(f"{base}/")]
    return [int(number) for number in found if number.isascii() and number.isdigit() and len(number) < 10][:MOST_LISTS]


def _get(url: str, path: str, most: int) -> bytes:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadRequest(f"{url!r} is not the http:// or https:// address of a service")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=20)
    try:
        connection.request("GET", parts.path.rstrip("/") + path, headers={"Accept": "*/*"})
        answer = connection.getresponse()
        data = answer.read(most + 1)
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"{url}: {str(error) or type(error).__name__}") from None
    finally:
        connection.close()
    if answer.status != 200 or len(data) > most:
        raise Unreachable(f"{url}{path} answers {answer.status}, {len(data)} bytes")
    return data


def _kept(folder: Path) -> Kept | None:
    data = _read(folder / _KEPT)
    try:
        told = json.loads(data) if data else None
        return (
            Kept(told["pin"], Seen(told["seen"]["root"], told["seen"]["list"]), told["refreshed_at"]) if told else None
        )
    except (ValueError, KeyError, TypeError):
        raise NotConfigured(f"{folder / _KEPT} cannot be read", hint="move the folder away and refresh") from None


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all: a reader never meets half a list."""
    path.parent.mkdir(exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_bytes(data)
    os.replace(fresh, path)


def _list_file(folder: Path, number: int) -> Path:
    return folder / "status" / f"{number}.cbor"
