"""Dumps for open data: the register as it stood at one entry, in files that are the same whenever they are made."""

import contextlib
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

from services.domain.errors import BadRequest, BadSignature, CertmarkError, Malformed, UnknownKey
from services.domain.identifiers import instant_text
from services.events import strict_json
from services.events.envelope import open_envelope, sign_compact
from services.events.keyring import Keyring
from services.events.keys import HEADER_NAMES, PrivateKey
from services.events.record import open_sealed
from services.postgres import Connection, Cursor, snapshot, stream
from services.registry import store
from services.registry.dump_files import TableFile, check_formats, open_table
from services.registry.dump_tables import ENTRIES, Table, row_of_entry, rows_of_state, tables
from services.registry.facts import known_to
from services.registry.past import administrative_states, instant_named, last_recorded, notice_states
from services.scratch import scratch_folder
from services.settings import Settings

TYP = "certmark-dump+jws"
MANIFEST, SEAL, KEYS, RUN = "manifest.json", "manifest.jws", "keys.jws", "run.json"
BESIDE = (MANIFEST, SEAL, KEYS, RUN)
"""What lies beside the tables: what they hold, the seal on that, the events that the seal's key rests on, and when
the dump was made. Only the last differs from run to run."""

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the register: its last entry, -1 before the first, and when that was decided."""

    seq: int
    recorded_at: datetime | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a dump is to hold: the register at a position, or what has changed after the entry `since`."""

    at: Position
    since: int | None = None
    formats: tuple[str, ...] = ("jsonl",)
    evidence: bool = False
    bom: bool = False

    @property
    def name(self) -> str:
        """`000000001234`, or `000000001000-000000001234` for an increment: names sort as positions do."""
        end = f"{max(self.at.seq, 0):012d}"
        return end if self.since is None else f"{max(self.since, 0):012d}-{end}"

    @property
    def tables(self) -> tuple[Table, ...]:
        return tables(evidence=self.evidence)


class AlreadyThere(CertmarkError):
    slug = "already-there"
    title = "The folder exists and is not empty; a dump is never written over"
    zh = "目标文件夹已存在且不为空，转储从不覆盖"
    status = 409


def published_at(settings: Settings) -> Path:
    """The folder whose dumps the registry publishes, each in a folder of its own."""
    return settings.data / "dumps"


# --- where ------------------------------------------------------------------------------------------------


def position_at(cur: Cursor, at: str | None) -> Position:
    """The position that a text names: a seq, a date (its end at UTC+8), an RFC 3339 instant, or none for the present.

    The present is where the facts go to: who asks has caught them up.

    Raises:
        BadRequest: none of these, or a seq that the register has not reached.
    """
    last = known_to(cur)
    if at is None:
        return _position(cur, last)
    if re.fullmatch(r"[0-9]{1,18}", at, re.ASCII):
        if int(at) > last:
            raise BadRequest(f"the register stands at seq {last}, before {at}", pointer="/at")
        return _position(cur, int(at))
    return _position(cur, last_recorded(cur, instant_named(at, "/at"), last))


def _position(cur: Cursor, seq: int) -> Position:
    cur.execute("SELECT recorded_at FROM entries WHERE seq = %s", (seq,))
    row = cur.fetchone()
    return Position(seq, row[0] if row else None)


# --- writing ------------------------------------------------------------------------------------------------


def wanted(
    cur: Cursor, at: str | None, since: int | None, formats: Sequence[str], *, evidence: bool, bom: bool
) -> Wanted:
    """What to dump, checked.

    Raises:
        BadRequest: `since` lies behind the position. NotConfigured: a format needs a library that is not there.
    """
    check_formats(tuple(formats))
    position = position_at(cur, at)
    if since is not None and not 0 <= since <= position.seq:
        raise BadRequest(f"since {since} does not lie between 0 and {position.seq}", pointer="/since")
    return Wanted(position, since, tuple(dict.fromkeys(formats)), evidence, bom)


def dump(
    connection: Connection,
    choose: Callable[[Cursor], Wanted],
    folder: Callable[[Wanted], Path],
    seal_key: PrivateKey | None,
    progress: Callable[[Wanted], contextlib.AbstractContextManager[Advance]],
) -> tuple[Path, dict[str, Any]]:
    """Write a dump into a folder that appears when it is whole; the folder and the manifest.

    Everything is read in one snapshot, row by row. A crash leaves a hidden folder, until the next dump.

    Raises:
        AlreadyThere: the folder has something in it. BadRequest, NotConfigured: see `wanted`.
    """
    started = time.monotonic()
    with snapshot(connection) as cur:
        asked = choose(cur)
        target = folder(asked)
        if target.exists() and any(target.iterdir()):
            raise AlreadyThere(f"{target} is not empty", hint="name another folder, or remove it")
        target.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(target.parent) as part:
            with progress(asked) as advance:
                manifest = _write(cur, asked, part, advance)
            _seal(cur, part, seal_key)
            run = {
                "made_at": instant_text(datetime.now(UTC)),
                "seconds": round(time.monotonic() - started, 1),
            }
            (part / RUN).write_text(json.dumps(run) + "\n", encoding="utf-8")
            part.chmod(0o755)  # public, whatever the umask made of the hidden folder
            if target.exists():
                target.rmdir()
            part.replace(target)
    return target, manifest


def steps(asked: Wanted) -> int:
    """How far the progress of a dump goes: each entry is passed twice, once for its state and once for itself."""
    return 2 * (asked.at.seq - (-1 if asked.since is None else asked.since))


def _write(cur: Cursor, asked: Wanted, folder: Path, advance: Advance) -> dict[str, Any]:
    counts = dict.fromkeys((table.name for table in asked.tables), 0)
    with contextlib.ExitStack() as open_files:
        files: dict[str, list[tuple[str, Path, TableFile]]] = {}
        for table in asked.tables:
            made = [(form, *open_table(folder, table, form, bom=asked.bom)) for form in asked.formats]
            for _, _, file in made:
                open_files.callback(file.close)
            files[table.name] = made
        for table, row in _rows(cur, asked, advance):
            counts[table.name] += 1
            for _, _, file in files[table.name]:
                file.write(row)
    manifest = _manifest(asked, counts, files)
    (folder / MANIFEST).write_text(json.dumps(manifest, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return manifest


def _rows(cur: Cursor, asked: Wanted, advance: Advance) -> Iterator[tuple[Table, list[Any]]]:
    """Every row of every table; those of one table in the order of the entries that last changed them.

    In that order an increment only ever comes after what was there before: taking out the subjects that it has and
    putting it at the end gives the later dump.
    """
    since, upto = -1 if asked.since is None else asked.since, asked.at.seq
    passed = since

    def move_to(seq: int) -> None:
        nonlocal passed
        if seq - passed >= 500:
            advance(seq - passed)
            passed = seq

    said = administrative_states(cur, upto) | notice_states(cur, upto)
    for then in sorted(said.values(), key=lambda then: then.seq):
        if then.seq > since:
            yield from rows_of_state(then.state, then.seq, then.recorded_at)
    for seq, recorded_at, state in _certificates(cur, since, upto):
        yield from rows_of_state(orjson.loads(state), seq, recorded_at)
        move_to(seq)
    advance(upto - passed)
    passed = since
    names = (*(column.name for column in ENTRIES.columns), "jws")
    table = asked.tables[-1]
    query = (
        "SELECT seq, kind, type, subject, source, decision, effective_at, received_at, recorded_at, digest,"
        " state_digest, leaf, CASE WHEN %(evidence)s THEN jws END FROM entries"
        " WHERE seq > %(since)s AND seq <= %(upto)s ORDER BY seq"
    )
    for values in stream(cur, query, {"since": since, "upto": upto, "evidence": asked.evidence}):
        yield table, row_of_entry(table, names, values)
        move_to(values[0])
    advance(upto - passed)


def _certificates(cur: Cursor, since: int, upto: int) -> Iterator[tuple[int, datetime, str]]:
    """(seq, recorded_at, state) of every certificate changed after `since`, as it stood at `upto`, by seq."""
    return stream(
        cur,
        "SELECT e.seq, e.recorded_at, e.state FROM certificate_facts f JOIN entries e ON e.seq = f.seq"
        " WHERE f.seq > %(since)s AND f.seq <= %(upto)s AND (f.replaced_by IS NULL OR f.replaced_by > %(upto)s)"
        " ORDER BY f.seq",
        {"since": since, "upto": upto},
    )


def _manifest(
    asked: Wanted, counts: dict[str, int], files: dict[str, list[tuple[str, Path, TableFile]]]
) -> dict[str, Any]:
    return {
        "v": 1,
        "generator": f"certmark {version('certmark')}",
        "seq": asked.at.seq,
        "recorded_at": instant_text(asked.at.recorded_at) if asked.at.recorded_at else None,
        "since": asked.since,
        "evidence": asked.evidence,
        "bom": asked.bom,
        "tables": [
            {
                "name": table.name,
                "zh": table.zh,
                "en": table.en,
                "subject": table.subject,
                "rows": counts[table.name],
                "columns": [
                    {"name": column.name, "type": column.kind.value, "zh": column.zh, "en": column.en}
                    for column in table.columns
                ],
                "files": [
                    {"name": path.name, "format": form, "bytes": path.stat().st_size, "sha256": _sha256(path)}
                    for form, path, _ in files[table.name]
                ],
            }
            for table in asked.tables
        ],
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _seal(cur: Cursor, folder: Path, key: PrivateKey | None) -> None:
    """The manifest under the registry's seal, and beside it the events that lead from the genesis to the seal's key."""
    if key is None:
        return
    header = {"alg": key.public.alg, "kid": key.public.kid, "typ": TYP}
    (folder / SEAL).write_bytes(sign_compact(header, (folder / MANIFEST).read_bytes(), key) + b"\n")
    (folder / KEYS).write_bytes(b"".join(event + b"\n" for event in chain_of_key(cur, key.public.kid)))


def chain_of_key(cur: Cursor, kid: str) -> list[bytes]:
    """The signed events that brought a key in and the key that signed for it, up to the genesis, the genesis first."""
    found: list[bytes] = []
    seen: set[str] = set()
    while kid not in seen:
        seen.add(kid)
        record = store.records_of(cur, [f"key/{kid}"]).get(f"key/{kid}")
        if record is None or record.event is None:
            break
        found.insert(0, record.event.encode("ascii"))
        kid = open_envelope(found[0]).kid
    return found


# --- checking ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of a check: what is wrong with which file, and whether the registry vouches for the manifest."""

    seq: int
    rows: dict[str, int]
    wrong: dict[str, str]
    sealed: bool
    why_not: str | None

    @property
    def holds(self) -> bool:
        return not self.wrong


def check(folder: Path, genesis: str, advance: Advance = lambda done: None) -> Checked:
    """Compare a dump with its manifest and the manifest with its seal; `genesis` is the pinned first event's digest.

    Raises:
        Malformed: there is no manifest that can be read.
    """
    try:
        manifest = strict_json.loads((folder / MANIFEST).read_bytes())
        listed = [file for table in manifest["tables"] for file in table["files"]]
        names = {str(file["name"]) for file in listed}
        rows = {str(table["name"]): int(table["rows"]) for table in manifest["tables"]}
        seq = int(manifest["seq"])
    except OSError as error:
        raise BadRequest(f"{folder / MANIFEST} cannot be read: {error.strerror}") from None
    except (KeyError, TypeError, ValueError):
        raise Malformed(f"{folder / MANIFEST} is not the manifest of a dump") from None
    wrong: dict[str, str] = {}
    for file in listed:
        wrong |= _wrong(folder, file)
        advance(1)
    wrong |= {path.name: "not in the manifest" for path in folder.iterdir() if path.name not in (*BESIDE, *names)}
    try:
        _check_seal(folder, genesis)
    except CertmarkError as error:
        return Checked(seq, rows, wrong, False, error.detail)
    return Checked(seq, rows, wrong, True, None)


def _wrong(folder: Path, file: dict[str, Any]) -> dict[str, str]:
    name = str(file["name"])
    path = folder / name
    if Path(name).name != name:
        return {name: "not a file's name"}
    if not path.is_file():
        return {name: "missing"}
    return {} if _sha256(path) == file["sha256"] else {name: "its content is not what the manifest says"}


def _check_seal(folder: Path, genesis: str) -> None:
    try:
        jws, manifest = (folder / SEAL).read_bytes().strip(), (folder / MANIFEST).read_bytes()
        events = (folder / KEYS).read_bytes().split()
    except OSError:
        raise UnknownKey("the dump is not sealed") from None
    sealed = open_sealed(jws, TYP)
    keyring = Keyring(genesis)
    for event in events:
        keyring.learn_event(event)
    recorded_at = strict_json.loads(manifest).get("recorded_at")
    key = keyring.seal_key(sealed.kid, datetime.fromisoformat(recorded_at or "1970-01-01T00:00:00Z"))
    if sealed.alg not in HEADER_NAMES[key.alg] or sealed.payload != manifest:
        raise BadSignature("the seal is on another manifest")
    key.verify(sealed.seal, sealed.signing_input)
