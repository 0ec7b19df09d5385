"""The evidence of a check: findings, what was received, the sealed records relied on, and a manifest under the seal.

The same material, position and rules give the same manifest. It is checked offline: from the pinned genesis to the key
that sealed it, from the manifest to every file, and from every record to its seal.
"""

import hashlib
import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson

from services.domain.errors import BadRequest, BadSignature, CertmarkError, Malformed, UnknownKey
from services.domain.identifiers import instant_of
from services.events import strict_json
from services.events.canonical import canonical_text
from services.events.envelope import sign_compact
from services.events.keyring import Keyring
from services.events.keys import HEADER_NAMES, PrivateKey
from services.events.record import open_sealed, read_record

TYP = "certmark-bundle+jws"
MANIFEST, SEAL, KEYS, RECORDS = "manifest.json", "manifest.jws", "keys.jws", "records.jws"
FINDINGS, WORKBOOK = "findings.jsonl", "findings.xlsx"
BESIDE = (MANIFEST, SEAL, KEYS)
"""What the manifest does not list: itself, the seal on it, and the events that the seal's key rests on."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
_LARGEST = 4 << 30
_LARGEST_SMALL = 64 << 20


class NoBundle(Malformed):
    slug = "no-bundle"
    title = "Not an evidence bundle that can be read"
    zh = "不是可读取的证据包"


class Files(Protocol):
    """A bundle's files by name: in a folder, or in a ZIP."""

    def names(self) -> list[str]: ...
    def open(self, name: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of a check: the position, how many records' seals hold, and what is wrong with which file."""

    seq: int
    rows: int
    records: int
    wrong: dict[str, str]

    @property
    def holds(self) -> bool:
        return not self.wrong


def manifest_of(about: Mapping[str, Any], files: Mapping[str, tuple[int, str]]) -> bytes:
    """The manifest's bytes: what the check was, and each file with its size and SHA-256."""
    listed = [{"name": name, "bytes": size, "sha256": digest} for name, (size, digest) in sorted(files.items())]
    return canonical_text({**about, "v": 1, "files": listed}, floats=False).encode("utf-8")


class Packer:
    """Writes a bundle as a ZIP whose bytes say nothing of when it was made."""

    def __init__(self, path: Path) -> None:
        self._packed = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        self.files: dict[str, tuple[int, str]] = {}

    def add(self, name: str, parts: Iterable[bytes], *, listed: bool = True) -> None:
        digest, size = hashlib.sha256(), 0
        with self._packed.open(zipfile.ZipInfo(name, _EPOCH), "w", force_zip64=True) as file:
            for part in parts:
                digest.update(part)
                size += len(part)
                file.write(part)
        if listed:
            self.files[name] = (size, digest.hexdigest())

    def seal(self, about: Mapping[str, Any], key: PrivateKey, chain: Iterable[bytes]) -> bytes:
        """The manifest, its seal and the events behind the seal's key; ends the bundle. Returns the manifest."""
        manifest = manifest_of(about, self.files)
        header = {"alg": key.public.alg, "kid": key.public.kid, "typ": TYP}
        self.add(MANIFEST, [manifest], listed=False)
        self.add(SEAL, [sign_compact(header, manifest, key) + b"\n"], listed=False)
        self.add(KEYS, (event + b"\n" for event in chain), listed=False)
        self._packed.close()
        return manifest


# --- checking --------------------------------------------------------------------------------------------


class _Folder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        files = (path for path in self._folder.rglob("*") if path.is_file())
        return sorted(path.relative_to(self._folder).as_posix() for path in files)

    def open(self, name: str) -> Any:
        return (self._folder / name).open("rb")


class _Zip:
    def __init__(self, path: Path) -> None:
        self._packed = zipfile.ZipFile(path)
        if sum(info.file_size for info in self._packed.infolist()) > _LARGEST:
            raise NoBundle("unpacked it would be larger than a bundle may be")

    def names(self) -> list[str]:
        return sorted(name for name in self._packed.namelist() if not name.endswith("/"))

    def open(self, name: str) -> Any:
        return self._packed.open(name)


def check(path: Path, genesis: str) -> Checked:
    """Compare a bundle with its manifest, the manifest with its seal, and each record with its own.

    `genesis` is the pinned digest of the register's first event.

    Raises:
        NoBundle: there is no manifest that can be read.
    """
    try:
        files: Files = _Folder(path) if path.is_dir() else _Zip(path)
        names = files.names()
        manifest = _read(files, MANIFEST)
        told = strict_json.loads(manifest)
        listed = {str(file["name"]): str(file["sha256"]) for file in told["files"]}
        seq, rows, at = int(told["seq"]), int(told["rows"]), str(told["recorded_at"])
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise NoBundle(f"{path}: {type(error).__name__}") from None
    except BadRequest:
        raise NoBundle(f"{path}: the manifest is no JSON") from None
    wrong: dict[str, str] = {}
    for name, digest in listed.items():
        if name not in names:
            wrong[name] = "missing"
        elif _sha256(files, name) != digest:
            wrong[name] = "its content is not what the manifest says"
    wrong |= {name: "not in the manifest" for name in names if name not in (*BESIDE, *listed)}
    keyring = Keyring(genesis)
    records = 0
    try:
        _check_seal(files, names, manifest, keyring, at)
        records = _check_records(files, names, keyring, seq)
    except CertmarkError as error:
        wrong[SEAL if not records else RECORDS] = error.detail
    return Checked(seq, rows, records, wrong)


def _read(files: Files, name: str) -> bytes:
    with files.open(name) as file:
        content: bytes = file.read(_LARGEST_SMALL)
        return content


def _sha256(files: Files, name: str) -> str:
    digest = hashlib.sha256()
    with files.open(name) as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def _check_seal(files: Files, names: list[str], manifest: bytes, keyring: Keyring, at: str) -> None:
    if SEAL not in names or KEYS not in names:
        raise UnknownKey("the bundle is not sealed")
    for event in _read(files, KEYS).split():
        keyring.learn_event(event)
    sealed = open_sealed(_read(files, SEAL).strip(), TYP)
    key = keyring.seal_key(sealed.kid, instant_of(at))
    if sealed.alg not in HEADER_NAMES[key.alg] or sealed.payload != manifest:
        raise BadSignature("the seal is on another manifest")
    key.verify(sealed.seal, sealed.signing_input)


def _check_records(files: Files, names: list[str], keyring: Keyring, seq: int) -> int:
    """How many records there are, every one under a seal that holds and no later than the position."""
    if RECORDS not in names:
        raise UnknownKey("the records relied on are missing")
    count = 0
    with files.open(RECORDS) as file:
        for line in io.BufferedReader(file) if not isinstance(file, io.BufferedReader) else file:
            sealed = open_sealed(line.strip())
            record = read_record(sealed.payload)
            key = keyring.seal_key(sealed.kid, record.recorded_at)
            key.verify(sealed.seal, sealed.signing_input)
            if record.seq > seq:
                raise BadSignature(f"{record.key} is of entry {record.seq}, after the position")
            count += 1
    return count


def counted(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The findings of JSON lines."""
    for part in lines:
        for line in part.splitlines():
            yield orjson.loads(line)
