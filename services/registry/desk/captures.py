"""Captures: screenshots and page files of what was offered, kept as they came, with what has to be recorded of them.

What is recorded follows the fields that public rules on electronic evidence name (SAMR's provisional rules of 2024 on
taking electronic data, GB/T 37919-2019 by title, DB3202/T 1024-2021): address, time and how the clock was checked,
program and machine, who took part, and the digest. No conformity with them is claimed.
"""

import hashlib
import io
import os
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Protocol, TypeVar

from werkzeug.datastructures import FileStorage

from services.domain.errors import BadRequest, NotFound, TooLarge
from services.domain.identifiers import CHINA
from services.postgres import Cursor
from services.registry import trail
from services.registry.desk.accounts import Account
from services.scratch import scratch_folder
from services.settings import Settings

LARGEST = 32 << 20
"""Bytes of one capture."""

KINDS = ("screenshot", "page", "recording", "other")
_NEEDED = ("url", "taken_at", "clock", "tool", "officers")
_LONGEST = {"url": 2048, "taken_at": 40, "clock": 500, "tool": 500, "officers": 500}
_SAFE = re.compile(r"[^\w.\-（）()]+")

T = TypeVar("T")


class Reads(Protocol):
    def __call__(self, query: Callable[[Cursor], T]) -> T: ...


@dataclass(frozen=True, slots=True)
class Capture:
    """One capture as it is on record."""

    id: uuid.UUID
    finding: str | None
    kind: str
    url: str
    taken_at: datetime
    clock: str
    tool: str
    officers: str
    name: str
    bytes: int
    sha256: str
    kept_at: datetime
    kept_by: str


_COLUMNS = "id, finding, kind, url, taken_at, clock, tool, officers, name, bytes, sha256, kept_at, kept_by"


@dataclass(frozen=True, slots=True)
class Captures:
    """Where captures lie: each under its SHA-256, once, readable by this service alone."""

    folder: Path

    def take_in(
        self, read: Reads, by: Account, case_no: str, file: FileStorage, fields: Mapping[str, str], now: datetime
    ) -> None:
        """Keep a capture: first the bytes, then the record of them with its line in the trail.

        Raises:
            BadRequest: a field that has to be recorded is missing or makes no sense. TooLarge.
        """
        said = {name: fields.get(name, "").strip().replace("\0", "") for name in _NEEDED}
        for name, value in said.items():
            if not value or len(value) > _LONGEST[name]:
                raise BadRequest(f"{name} is empty or too long; it has to be recorded", pointer=f"/{name}")
        if not said["url"].lower().startswith(("http://", "https://")):
            raise BadRequest("the address of the page begins with http:// or https://", pointer="/url")
        kind = fields.get("kind", "")
        if kind not in KINDS:
            raise BadRequest("no such kind of capture", pointer="/kind")
        taken_at = _instant(said["taken_at"])
        if taken_at > now:
            raise BadRequest("it was taken in the future: check the clock", pointer="/taken_at")
        size, digest = self._keep(file.stream)
        name = _SAFE.sub("_", Path(file.filename or "").name)[-120:] or "capture"
        finding = fields.get("finding", "") or None

        def note(cur: Cursor) -> None:
            cur.execute(
                "INSERT INTO captures (case_no, finding, kind, url, taken_at, clock, tool, officers, name, bytes,"
                " sha256, kept_at, kept_by) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    case_no,
                    finding,
                    kind,
                    said["url"],
                    taken_at,
                    said["clock"],
                    said["tool"],
                    said["officers"],
                    name,
                    size,
                    digest,
                    now,
                    by.name,
                ),
            )
            trail.record(cur, now, by.name, "captured", f"case/{case_no}", sha256=digest, bytes=size)

        read(note)

    def keep(self, content: bytes) -> str:
        """The SHA-256 under which the bytes are kept from now on."""
        return self._keep(io.BytesIO(content))[1]

    def kept(self, sha256: str) -> bytes:
        """The bytes under a SHA-256. Raises NotFound: they are gone, or are not those that were kept."""
        try:
            content = (self.folder / sha256).read_bytes()
        except OSError:
            raise NotFound("the file is not on this machine") from None
        if hashlib.sha256(content).hexdigest() != sha256:
            raise NotFound("the file was changed after it was recorded: it is no evidence any more")
        return content

    def _keep(self, stream: IO[bytes]) -> tuple[int, str]:
        """(bytes, SHA-256) of what came, written under its digest; nothing stays of what is too large."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        size, digest = 0, hashlib.sha256()
        with scratch_folder(self.folder) as folder:
            part = folder / "part"
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                while piece := stream.read(1 << 20):
                    size += len(piece)
                    if size > LARGEST:
                        raise TooLarge(f"a capture has at most {LARGEST >> 20} MiB", pointer="/file")
                    digest.update(piece)
                    out.write(piece)
                out.flush()
                os.fsync(out.fileno())
            if not size:
                raise BadRequest("the file is empty", pointer="/file")
            part.replace(self.folder / digest.hexdigest())
        return size, digest.hexdigest()

    def of_case(self, cur: Cursor, case_no: str) -> list[Capture]:
        cur.execute(f"SELECT {_COLUMNS} FROM captures WHERE case_no = %s ORDER BY kept_at, id", (case_no,))
        return [Capture(*row) for row in cur.fetchall()]

    def one(self, cur: Cursor, case_no: str, id_: uuid.UUID) -> Capture | None:
        cur.execute(f"SELECT {_COLUMNS} FROM captures WHERE case_no = %s AND id = %s", (case_no, str(id_)))
        row = cur.fetchone()
        return Capture(*row) if row else None


def captures_of(settings: Settings) -> Captures:
    """Those of this machine."""
    return Captures(settings.data / "desk" / "captures")


def _instant(text: str) -> datetime:
    """An instant as a form has it: local time at UTC+8 where no offset is given. Raises BadRequest."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest("the time it was taken is no time (YYYY-MM-DDTHH:MM)", pointer="/taken_at") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=CHINA)
