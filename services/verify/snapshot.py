"""A signed snapshot of the read model: a node begins with it in a minute, then follows the topic from where it ends."""

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from services.domain.errors import BadSignature, CertmarkError, Malformed, NotConfigured, Untrusted
from services.domain.identifiers import instant_of, instant_text
from services.events import strict_json
from services.events.envelope import sign_compact
from services.events.keyring import Keyring
from services.events.keys import HEADER_NAMES, PrivateKey
from services.events.record import open_sealed
from services.verify.projector import alone_in
from services.verify.read_model import LINK, Meta, ModelWriter, ReadModel, Unreadable, records_under

TYP = "certmark-snapshot+jws"
MANIFEST, DATA = "snapshot.jws", "snapshot.sqlite"
CHUNK = 32 * 1024 * 1024
"""Bytes of the file under one digest: many threads can look at it, and what is broken is found before its end."""

MOST_CHUNKS = 8192
_MEMBERS = {
    "v": int,
    "topic": str,
    "genesis": str,
    "position": int,
    "seq": int,
    "revision": int,
    "as_of": str,
    "size": int,
    "chunk": int,
    "sha256": list,
    "keys": list,
}


class BadSnapshot(Malformed):
    slug = "bad-snapshot"
    title = "Not a snapshot of this register that is whole and sealed by it"
    zh = "不是本登记册封签的完整快照"


class SnapshotOlder(Untrusted):
    slug = "snapshot-older"
    title = "This node has come further than the snapshot"
    zh = "本节点的数据比快照更新"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was put in service: the file, and how far it reaches."""

    file: Path
    bytes: int
    meta: Meta


def make(folder: Path, into: Path, key: PrivateKey, progress: Callable[[int, int], None]) -> Meta:
    """Write `snapshot.sqlite` and `snapshot.jws` of the node's file in service into an empty or new folder.

    `progress` is told bytes done and in all. The file is read as of one moment, whoever writes it meanwhile.

    Raises:
        NotConfigured: there is no file in service, it is not complete, or the folder has a snapshot already.
    """
    into.mkdir(parents=True, exist_ok=True)
    data = into / DATA
    if data.exists() or (into / MANIFEST).exists():
        raise NotConfigured(f"{into} has a snapshot already; it is never overwritten")
    try:
        source = folder / (folder / LINK).readlink()
        with closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("VACUUM INTO ?", (str(data),))
        meta, keys = _inside(data)
    except (OSError, sqlite3.Error, Unreadable) as error:
        data.unlink(missing_ok=True)
        raise NotConfigured(f"no snapshot can be made of {folder}: {error}") from None
    if not meta.complete or meta.as_of is None:
        data.unlink()
        raise NotConfigured(f"the read model in {folder} is still being built")
    size = data.stat().st_size
    digests: list[str] = []
    with data.open("rb") as file, ThreadPoolExecutor(_threads()) as pool:
        for number, digest in enumerate(pool.map(lambda at: _digest(file.fileno(), at), range(0, size, CHUNK)), 1):
            digests.append(digest)
            progress(min(size, number * CHUNK), size)
    body = {
        "v": 1,
        "topic": meta.topic,
        "genesis": meta.genesis,
        "position": meta.position,
        "seq": meta.seq,
        "revision": meta.revision,
        "as_of": instant_text(meta.as_of),
        "size": size,
        "chunk": CHUNK,
        "sha256": digests,
        "keys": keys,
    }
    header = {"alg": key.public.alg, "kid": key.public.kid, "typ": TYP}
    sealed = sign_compact(header, json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(), key)
    # Whoever finds the manifest finds the file whole: it is written last, and appears in one step.
    fresh = into / f".{MANIFEST}"
    fresh.write_bytes(sealed)
    fresh.replace(into / MANIFEST)
    return meta


def load(snapshot: Path, folder: Path, genesis: str, progress: Callable[[int, int], None]) -> Loaded:
    """Check a snapshot and put a copy of it in service; the projector then goes on from its position.

    In the order of trust: the keys prove themselves from the pinned genesis, the seal holds under one of them, every
    chunk of the file has its digest, and only then is the file opened.

    Raises:
        BadSnapshot: it is not whole, or not this register's. BadSignature, UnknownKey, KeyNotValid: its seal.
        SnapshotOlder: this node has come further. NotConfigured: a projector is at work in the folder.
    """
    body = _manifest(snapshot / MANIFEST, genesis)
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder):
        held = _held(folder, genesis)
        if held is not None and held.revision > body["revision"]:
            raise SnapshotOlder(f"the node holds revision {held.revision}, the snapshot {body['revision']}")
        numbers = [int(path.stem.partition("-")[2]) for path in folder.glob("register-*.sqlite")]
        path = folder / f"register-{max(numbers, default=0) + 1}.sqlite"
        try:
            _copied(snapshot / DATA, path, body, progress)
            writer = ModelWriter.open(path)
        except (BadSnapshot, OSError, Unreadable) as error:
            path.unlink(missing_ok=True)
            raise error if isinstance(error, BadSnapshot) else BadSnapshot(str(error)) from None
        with closing(writer):
            meta = writer.meta
            told = (body["topic"], body["genesis"], body["position"], body["revision"])
            if (meta.topic, meta.genesis, meta.position, meta.revision) != told or not meta.complete:
                raise BadSnapshot("the file is not the one that the manifest speaks of")
            # A crash before this line leaves a file that nobody reads; after it the node answers from the snapshot.
            writer.put_in_service()
        return Loaded(path, body["size"], meta)


def _manifest(path: Path, genesis: str) -> dict[str, Any]:
    """The manifest's members, its seal checked."""
    try:
        sealed = open_sealed(path.read_bytes(), TYP)
        body = strict_json.loads(sealed.payload)
    except OSError as error:
        raise BadSnapshot(f"{path}: {error.strerror}") from None
    except CertmarkError as error:
        raise BadSnapshot(f"{path.name}: {error.detail}") from None
    if body.keys() != _MEMBERS.keys() or any(type(body[name]) is not kind for name, kind in _MEMBERS.items()):
        raise BadSnapshot("the manifest has other members than version 1")
    chunks = -(-body["size"] // CHUNK) if body["size"] > 0 else 0
    texts = [*body["sha256"], *body["keys"]]
    if body["v"] != 1 or body["chunk"] != CHUNK or not 0 < chunks <= MOST_CHUNKS or len(body["sha256"]) != chunks:
        raise BadSnapshot("the manifest does not fit together")
    if body["genesis"] != genesis or not all(type(text) is str and text.isascii() for text in texts):
        raise BadSnapshot("another register's snapshot")
    keyring = Keyring(genesis)
    keyring.build(text.encode("ascii") for text in body["keys"])
    try:
        as_of = instant_of(body["as_of"])
    except ValueError:
        raise BadSnapshot("as_of is no instant") from None
    if as_of.utcoffset() != timedelta(0):
        raise BadSnapshot("as_of is not in UTC")
    key = keyring.seal_key(sealed.kid, as_of)
    if sealed.alg not in HEADER_NAMES[key.alg]:
        raise BadSignature("the seal's algorithm is not its key's")
    key.verify(sealed.seal, sealed.signing_input)
    return body


def _held(folder: Path, genesis: str) -> Meta | None:
    """What the node has in service of this register, if it can be read."""
    model = ReadModel(folder)
    try:
        meta = model.meta()
    except Unreadable:
        return None
    finally:
        model.close()
    return meta if meta.genesis == genesis else None


def _copied(source: Path, path: Path, body: dict[str, Any], progress: Callable[[int, int], None]) -> None:
    """Copy chunk by chunk, each held against its digest before it is written."""
    size, digests = body["size"], body["sha256"]
    with source.open("rb") as file, path.open("wb") as copy:
        if os.fstat(file.fileno()).st_size != size:
            raise BadSnapshot(f"{source.name} has not the {size} bytes that the manifest says")
        os.ftruncate(copy.fileno(), size)

        def one(number: int) -> int:
            piece = os.pread(file.fileno(), CHUNK, number * CHUNK)
            if hashlib.sha256(piece).hexdigest() != digests[number]:
                raise BadSnapshot(f"{source.name} is damaged between {number * CHUNK} and {(number + 1) * CHUNK}")
            written = 0
            while written < len(piece):
                written += os.pwrite(copy.fileno(), memoryview(piece)[written:], number * CHUNK + written)
            return len(piece)

        done = 0
        with ThreadPoolExecutor(_threads()) as pool:
            for written in _in_order(pool, one, len(digests)):
                done += written
                progress(done, size)


def _in_order(pool: ThreadPoolExecutor, one: Callable[[int], int], count: int) -> Iterator[int]:
    """A few at a time, so that a big file is not in memory whole and an error ends the rest."""
    for first in range(0, count, 2 * _threads()):
        yield from pool.map(one, range(first, min(count, first + 2 * _threads())))


def _digest(file: int, at: int) -> str:
    return hashlib.sha256(os.pread(file, CHUNK, at)).hexdigest()


def _threads() -> int:
    return min(4, len(os.sched_getaffinity(0)))


def _inside(data: Path) -> tuple[Meta, list[str]]:
    """What the copy reaches to, and the records of its keys."""
    writer = ModelWriter.open(data)
    meta = writer.meta
    writer.at_rest()
    writer.close()
    with closing(sqlite3.connect(f"{data.as_uri()}?mode=ro", uri=True)) as connection:
        return meta, [stored.sealed.decode("ascii") for stored in records_under(connection, "key")]
