"""Unit codes as a source brings them: checked against the event that announced them, and kept as hashes alone."""

import hashlib
import json
import secrets
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from services import base64url
from services.domain.errors import BadRequest, CertmarkError, CodesTaken, NotFound, TooLarge
from services.domain.unit_code import (
    SALT_BYTES,
    Form,
    has_form,
    hash_text,
    hashed,
    hashed_serial,
    printed_serial,
    public_hash,
    set_digest,
    unit_hash,
)
from services.postgres import Cursor, execute_values
from services.registry import store
from services.registry.code_runs import Run, run_for_update, runs_with

AT_ONCE = 100_000
"""Codes in one request. A larger set comes in several, each behind the last."""

LONGEST_LINE = 40
LARGEST = AT_ONCE * (LONGEST_LINE + 2)
"""Bytes of codes in one request, after they have been inflated."""

IN_A_RECORD = 2_500
"""Hashes in one record of the state topic: four to a page of what the relay and a node read at once."""

IN_A_PART = 10_000
"""Codes that are kept together until the set is whole, and signed together."""


class SetDoesNotMatch(CertmarkError):
    slug = "set-does-not-match"
    title = "The codes are not the set that the event announced"
    zh = "标志码与事件所公布的批次不符"
    status = 409


class SetOutOfOrder(CertmarkError):
    slug = "set-out-of-order"
    title = "A set comes in ascending order, each request where the last one ended"
    zh = "标志码须按升序上传，且从上次结束处继续"
    status = 409


class BadCodes(BadRequest):
    slug = "bad-codes"
    title = "A line is no code of the form that the set is of"
    zh = "某一行不是该批次所规定形式的标志码"


class NoSuchCode(CertmarkError):
    slug = "no-such-code"
    title = "This source has issued no such code under this mark"
    zh = "该来源未在此标志下发放过此标志码"
    status = 404


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a set has come. `refusal`: all of it came, and is not taken; nothing of that is kept."""

    run: Run
    received: int
    stored: bool
    refusal: CertmarkError | None = None


# --- reading what was sent -----------------------------------------------------------------------------------


def inflated(body: bytes, *, compressed: bool) -> bytes:
    """The lines of a request; of a compressed one no more is ever inflated than may be sent.

    Raises:
        TooLarge: more than `LARGEST` bytes. BadRequest: not gzip.
    """
    if compressed:
        stream = zlib.decompressobj(wbits=31)
        try:
            found = stream.decompress(body, LARGEST + 1)
        except zlib.error:
            raise BadRequest("the body is not gzip, as its Content-Encoding says") from None
        if len(found) <= LARGEST and (not stream.eof or stream.unused_data):
            raise BadRequest("the gzip stream is cut short, or something follows it")
        body = found
    if len(body) > LARGEST:
        raise TooLarge(f"more than {LARGEST} bytes of codes in one request", hint=f"at most {AT_ONCE} codes at once")
    return body


def codes_in(body: bytes) -> list[str]:
    """The lines of a body, in ascending order.

    Raises:
        BadCodes: a line is empty, too long, not ASCII, or there twice. TooLarge: more than `AT_ONCE`.
    """
    lines = body.removesuffix(b"\n").replace(b"\r\n", b"\n").removesuffix(b"\r").split(b"\n")
    if len(lines) > AT_ONCE:
        raise TooLarge(f"{len(lines)} codes in one request; at most {AT_ONCE}")
    for number, line in enumerate(lines, 1):
        if not 1 <= len(line) <= LONGEST_LINE or not line.isascii():
            raise BadCodes(f"line {number} is empty, longer than {LONGEST_LINE} bytes, or not ASCII")
    codes = sorted(line.decode("ascii") for line in lines)
    for before, code in pairwise(codes):
        if before == code:
            raise BadCodes("a code is there twice")  # which one is not said: errors go into logs
    return codes


def check_forms(codes: Sequence[str], run: Run) -> None:
    """Raises BadCodes where one is not of the form that the rule prescribes."""
    for code in codes:
        if not has_form(code, run.form, run.pattern):
            said = run.pattern or (
                "1 to 20 characters of a GS1 serial" if run.form is Form.SERIAL else "8 to 40 of 0-9A-Z-"
            )
            raise BadCodes(f"a code does not have the form {said}")


# --- taking them in --------------------------------------------------------------------------------------------


def take_whole(cur: Cursor, source: str, codes: Sequence[str], *, tokens: bool) -> Progress:
    """A set that comes in one request. Saying it twice is saying it once.

    Raises:
        SetDoesNotMatch: no accepted event of this source announced it. BadCodes, CodesTaken: see each.
    """
    digest = set_digest(codes)
    announced = found_run(cur, source, digest).quantity
    if announced != len(codes):
        raise SetDoesNotMatch(f"the event announced {announced} codes, and these are {len(codes)}")
    return take(cur, source, digest, 0, codes, tokens=tokens)


def take(cur: Cursor, source: str, digest: str, first: int, codes: Sequence[str], *, tokens: bool) -> Progress:
    """The codes of a set from place `first` on. The last of them are checked against the set's digest, and kept.

    Where the whole set is refused (another digest, codes that were issued before) what has come of it is dropped, so
    the refusal is given back and not raised: the transaction stands.

    Raises:
        SetDoesNotMatch: no accepted event of this source announced a set with this digest. SetOutOfOrder: something
            is missing before them. BadCodes.
    """
    run = run_for_update(cur, found_run(cur, source, digest).id)
    if first + len(codes) > run.quantity:
        raise SetDoesNotMatch(f"the event announced {run.quantity} codes", pointer="/quantity")
    if tokens and run.form is not Form.SERIAL:
        raise BadRequest("only serials have tokens of their own", pointer="/tokens")
    if run.stored and (not tokens or _job_runs(cur, run)):
        return Progress(run, run.quantity, stored=True)
    received, last = (0, "") if run.stored and not _is_coming(cur, run) else (run.received, run.last_code)
    if first > received:
        raise SetOutOfOrder(f"{received} codes are here; the next request begins there, not at {first}")
    codes = codes[received - first :]
    if not codes:
        return Progress(run, received, stored=run.stored)
    if codes[0] <= last or any(a >= b for a, b in pairwise(codes)):
        raise SetOutOfOrder("codes come in ascending order of their bytes")
    check_forms(codes, run)
    _keep(cur, run, received, codes)
    received += len(codes)
    if received < run.quantity:
        _moved(cur, run, received, codes[-1])
        return Progress(run, received, stored=False)
    refusal = _why_not(cur, run)
    if refusal is not None:
        _moved(cur, run, run.quantity if run.stored else 0, "")
        cur.execute("DELETE FROM code_parts WHERE run = %s", (run.id,))
        return Progress(run, 0, stored=run.stored, refusal=refusal)
    _finish(cur, run, tokens=tokens)
    return Progress(run, run.quantity, stored=True)


def _why_not(cur: Cursor, run: Run) -> CertmarkError | None:
    """Why a set that has come whole is not taken, where it is not."""
    if _digest_of_parts(cur, run) != run.digest:
        return SetDoesNotMatch("these codes have another digest than the event announced", hint="begin again")
    if not run.stored and (taken := _taken(cur, _hashes(cur, run))):
        return CodesTaken(f"{taken} of these codes were issued before", hint="make the set anew, and announce that")
    return None


def _taken(cur: Cursor, hashes: Sequence[int]) -> int:
    """How many of these codes were issued before."""
    taken = 0
    for at in range(0, len(hashes), IN_A_PART):
        cur.execute(
            "SELECT count(*) FROM code_hashes WHERE hash = ANY(%s::bigint[])", (_array(hashes[at : at + IN_A_PART]),)
        )
        taken += cur.fetchall()[0][0]
    return taken


def _array(hashes: Sequence[int]) -> str:
    return "{" + ",".join(map(str, hashes)) + "}"


def found_run(cur: Cursor, source: str, digest: str) -> Run:
    """The set of this digest: one that has not come yet before one that has.

    Raises:
        SetDoesNotMatch: this source announced none.
    """
    found = runs_with(cur, source, digest)
    if not found:
        raise SetDoesNotMatch(
            f"no accepted event of {source} announces a set with the digest {digest}",
            hint="the digest is of the codes in ascending order, joined by line feeds; report mark.codes_issued first",
        )
    return next((run for run in found if not run.stored), found[0])


def _is_coming(cur: Cursor, run: Run) -> bool:
    """Whether a stored set is being sent once more, to be signed."""
    return run.received < run.quantity


def _job_runs(cur: Cursor, run: Run) -> bool:
    """Whether its tokens are being signed, or lie there signed: its codes are not asked for again."""
    cur.execute("SELECT 1 FROM token_jobs WHERE run = %s AND state <> 'failed'", (run.id,))
    return cur.fetchone() is not None


def _moved(cur: Cursor, run: Run, received: int, last: str) -> None:
    cur.execute("UPDATE code_runs SET received = %s, last_code = %s WHERE id = %s", (received, last, run.id))


def _keep(cur: Cursor, run: Run, received: int, codes: Sequence[str]) -> None:
    """Put codes and their hashes aside until the set is whole."""
    salt = salt_of(cur)
    if received == 0:
        cur.execute("DELETE FROM code_parts WHERE run = %s", (run.id,))
    cur.execute("SELECT coalesce(max(part) + 1, 0) FROM code_parts WHERE run = %s", (run.id,))
    part = cur.fetchall()[0][0]
    rows = []
    for at in range(0, len(codes), IN_A_PART):
        some = codes[at : at + IN_A_PART]
        hashes = [unit_hash(salt, hashed_in(run, code)) for code in some]
        rows.append(
            (run.id, part, zlib.compress("\n".join(some).encode("ascii"), 1), struct.pack(f">{len(some)}q", *hashes))
        )
        part += 1
    execute_values(cur, "INSERT INTO code_parts (run, part, codes, hashes) VALUES %s", rows)


def hashed_in(run: Run, code: str) -> bytes:
    return hashed(code) if run.form is Form.CODE else hashed_serial(run.gtin or "", code)


def parts_of(cur: Cursor, run: Run) -> Iterator[tuple[int, list[str]]]:
    """The codes of a set that has been put aside, part by part."""
    cur.execute("SELECT part FROM code_parts WHERE run = %s ORDER BY part", (run.id,))
    for (part,) in cur.fetchall():
        cur.execute("SELECT codes FROM code_parts WHERE run = %s AND part = %s", (run.id, part))
        yield part, zlib.decompress(bytes(cur.fetchall()[0][0])).decode("ascii").split("\n")


def _digest_of_parts(cur: Cursor, run: Run) -> str:
    digest = hashlib.sha256()
    for number, (_, codes) in enumerate(parts_of(cur, run)):
        digest.update((b"\n" if number else b"") + "\n".join(codes).encode("ascii"))
    return digest.hexdigest()


def _finish(cur: Cursor, run: Run, *, tokens: bool) -> None:
    """The set is whole: its hashes are kept and go out to the nodes, its codes are forgotten (or signed, and then)."""
    _moved(cur, run, run.quantity, "")
    if not run.stored:
        hashes = _hashes(cur, run)
        _claim(cur, run, hashes)
        _publish(cur, run, sorted(hashes, key=_unsigned))
        cur.execute("UPDATE code_runs SET stored_at = clock_timestamp() WHERE id = %s", (run.id,))
    if tokens:
        cur.execute(
            "INSERT INTO token_jobs (run, state) VALUES (%s, 'queued') ON CONFLICT (run) DO UPDATE SET"
            " state = 'queued', done = 0, detail = NULL, finished_at = NULL, asked_at = clock_timestamp()",
            (run.id,),
        )
    else:
        cur.execute("DELETE FROM code_parts WHERE run = %s", (run.id,))
    store.notify(cur)


def _hashes(cur: Cursor, run: Run) -> list[int]:
    cur.execute("SELECT hashes FROM code_parts WHERE run = %s ORDER BY part", (run.id,))
    return [one for (packed,) in cur.fetchall() for (one,) in struct.iter_unpack(">q", bytes(packed))]


def _claim(cur: Cursor, run: Run, hashes: Sequence[int]) -> None:
    """A code is issued once, register-wide, and decided so by its hash.

    Raises:
        CodesTaken: somebody has brought one of them since they were looked for.
    """
    for at in range(0, len(hashes), IN_A_PART):
        some = hashes[at : at + IN_A_PART]
        cur.execute(
            "INSERT INTO code_hashes (hash, run) SELECT unnest(%s::bigint[]), %s ON CONFLICT (hash) DO NOTHING",
            (_array(some), run.id),
        )
        if cur.rowcount != len(some):
            raise CodesTaken(f"{len(some) - cur.rowcount} of these codes were issued before")


def _unsigned(value: int) -> int:
    return value & 0xFFFF_FFFF_FFFF_FFFF


def _publish(cur: Cursor, run: Run, hashes: Sequence[int]) -> None:
    """One record for every few thousand hashes, with the next revisions: the relay takes them from there.

    The head is locked last and for as long as the rows are written: revisions leave no hole and never overtake.
    """
    salt = base64url.encoded(salt_of(cur))
    pages = [hashes[at : at + IN_A_RECORD] for at in range(0, len(hashes), IN_A_RECORD)]
    texts = [_state(run, salt, part, len(pages), page) for part, page in enumerate(pages)]
    cur.execute(
        "UPDATE head SET revision = revision + %s, recorded_at = greatest(recorded_at,"
        " date_trunc('milliseconds', clock_timestamp())) RETURNING revision, recorded_at",
        (len(pages),),
    )
    revision, recorded_at = cur.fetchall()[0]
    first = revision - len(pages) + 1
    store.save_records(
        cur,
        [
            store.StoredRecord(
                key=f"codes/{run.run}/{part:04d}",
                revision=first + part,
                seq=run.seq,
                recorded_at=recorded_at,
                digest=run.run,
                state=text,
                tokens="[]",
                under_review=False,
                event=None,
            )
            for part, text in enumerate(texts)
        ],
    )


def _state(run: Run, salt: str, part: int, parts: int, hashes: Sequence[int]) -> str:
    packed = base64url.encoded(struct.pack(f">{len(hashes)}q", *hashes))
    state: dict[str, Any] = {
        "v": 1,
        "kind": "codes",
        "run": run.run,
        "certificate_no": run.certificate_no,
        "mark_no": run.mark_no,
        "form": run.form.value,
        "part": part,
        "parts": parts,
        "salt": salt,
        "hashes": packed,
    }
    return json.dumps(state, ensure_ascii=False, separators=(",", ":"))


def salt_of(cur: Cursor) -> bytes:
    """The register's salt, made by chance when it is asked for first."""
    cur.execute("SELECT salt FROM code_salt")
    row = cur.fetchone()
    if row is None:
        cur.execute(
            "INSERT INTO code_salt (salt) VALUES (%s) ON CONFLICT DO NOTHING", (secrets.token_bytes(SALT_BYTES),)
        )
        cur.execute("SELECT salt FROM code_salt")
        row = cur.fetchall()[0]
    return bytes(row[0])


# --- one code -----------------------------------------------------------------------------------------------------


def named(
    cur: Cursor, source: str, mark_no: str, codes: Sequence[str], gtin: str | None
) -> tuple[list[str], list[str] | None]:
    """The hashes by which events name these codes of a source, in their order; of serials the public ones, too.

    Raises:
        NoSuchCode: some of them are none that this source issued under this mark; the pointers say which.
    """
    salt = salt_of(cur)
    values = [unit_hash(salt, hashed_serial(gtin, code) if gtin else hashed(code)) for code in codes]
    cur.execute(
        "SELECT hash FROM code_hashes h JOIN code_runs r ON r.id = h.run"
        " WHERE hash = ANY(%s::bigint[]) AND source = %s AND mark_no = %s",
        (values, source, mark_no),
    )
    known = {hash_ for (hash_,) in cur.fetchall()}
    if strange := [f"/codes/{place}" for place, value in enumerate(values) if value not in known]:
        raise NoSuchCode(f"{source} has issued no such code under mark {mark_no}", pointers=strange)
    public = [public_hash(mark_no, printed_serial(gtin, code)).hex() for code in codes] if gtin else None
    return [hash_text(value) for value in values], public


def progress_of(cur: Cursor, source: str, digest: str) -> Progress:
    """How far a set of this source has come.

    Raises:
        NotFound: this source announced none with this digest.
    """
    found = runs_with(cur, source, digest)
    if not found:
        raise NotFound(f"{source} announced no set with the digest {digest}")
    run = next((run for run in found if not run.stored), found[0])
    return Progress(run, run.received, run.stored)
