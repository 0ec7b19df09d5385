"""Signs the tokens of a set of serials, in a process of its own: one entry in the log stands for all of them."""

import hashlib
import sys
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import orjson

from services.domain.body import Purpose
from services.domain.certificate import Certificate, CertificateState, Mark, from_state
from services.domain.errors import CertmarkError, Fault
from services.domain.identifiers import civil_day
from services.domain.standing import mark_standing
from services.events.keys import PrivateKey
from services.marks.qr import size_of
from services.marks.token import MarkClaims, MarkPath, TokenTooLong, mark_url, short_model, sign_token, valid_days
from services.postgres import Cursor, transaction
from services.registry import store
from services.registry.batch import leaf_of, milliseconds
from services.registry.code_runs import Run, run_for_update
from services.registry.own_keys import KeyFiles, in_force
from services.registry.process import Connections, run_until_stopped, step_by_step
from services.registry.published_records import registered_in
from services.registry.tokens import LIST_SIZE, PRINTABLE
from services.settings import Settings

COLUMNS = ("mark_no", "gtin", "serial", "url", "version", "side")
"""Of a token file. `version` and `side` are the QR code's: its side is in modules, the quiet zone included."""

KEPT = timedelta(days=7)
"""How long serials and tokens lie here for their source to fetch."""

_LOOK = 1.0


class TokensNotSigned(CertmarkError):
    slug = "tokens-not-signed"
    title = "The tokens of this set are not signed, or have been forgotten"
    zh = "该批次的标志码令牌尚未签发，或已被清除"
    status = 409


@dataclass(frozen=True, slots=True)
class Job:
    """The signing of one set."""

    state: str
    done: int
    detail: str | None
    commitment: str | None
    seq: int | None
    finished_at: datetime | None


def job_of(cur: Cursor, run: Run) -> Job | None:
    cur.execute("SELECT state, done, detail, commitment, seq, finished_at FROM token_jobs WHERE run = %s", (run.id,))
    row = cur.fetchone()
    return Job(*row) if row else None


def signed_parts(cur: Cursor, run: Run) -> list[int]:
    """The parts of a set whose tokens are all signed and in the log.

    Raises:
        TokensNotSigned: they are not, or not any more.
    """
    job = job_of(cur, run)
    if job is None or job.state != "done":
        raise TokensNotSigned(
            f"the signing is {job.state if job else 'not asked for'}", hint="bring them with tokens=true"
        )
    cur.execute("SELECT part FROM code_parts WHERE run = %s ORDER BY part", (run.id,))
    return [part for (part,) in cur.fetchall()]


def tokens_of(cur: Cursor, run: Run, part: int) -> list[tuple[str, bytes]]:
    """(serial, token) of a part that is signed."""
    cur.execute("SELECT codes, tokens FROM code_parts WHERE run = %s AND part = %s", (run.id, part))
    found = cur.fetchall()
    if not found or found[0][1] is None:
        return []
    codes = zlib.decompress(bytes(found[0][0])).decode("ascii").split("\n")
    return list(zip(codes, _unpacked(bytes(found[0][1])), strict=True))


def row_of(run: Run, serial: str, token: bytes, base: str) -> dict[str, Any]:
    """One line of a token file."""
    assert run.gtin is not None
    url = mark_url(base.lower(), MarkPath.of_product(run.gtin, serial), token)
    version, side = size_of(url)
    row = (run.mark_no, run.gtin, serial, url, version, side)
    return dict(zip(COLUMNS, row, strict=True))


def forget(cur: Cursor, run: Run) -> None:
    """Serials and tokens of a set are here no more; what the log says of them stays."""
    cur.execute(
        "DELETE FROM code_parts WHERE run = %s AND EXISTS (SELECT 1 FROM token_jobs WHERE run = %s"
        " AND state IN ('done', 'failed'))",
        (run.id, run.id),
    )
    cur.execute("DELETE FROM token_jobs WHERE run = %s AND state IN ('done', 'failed')", (run.id,))


def commitment_to(tokens: Iterable[bytes]) -> str:
    """Hex SHA-256 over the SHA-256 of all tokens in ascending order: what one log entry holds of a whole set."""
    return hashlib.sha256(b"".join(sorted(hashlib.sha256(token).digest() for token in tokens))).hexdigest()


def _packed(tokens: Iterable[bytes]) -> bytes:
    return b"".join(len(token).to_bytes(2, "big") + token for token in tokens)


def _unpacked(packed: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(packed):
        size = int.from_bytes(packed[at : at + 2], "big")
        yield packed[at + 2 : at + 2 + size]
        at += 2 + size


# --- the signing ---------------------------------------------------------------------------------------------


class Signer:
    """Takes what is queued, part by part; a crash repeats the part that was not committed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.keys = KeyFiles(settings.mark_key)
        self.stopping = False
        self._connections = Connections(settings, store.CHANNEL)

    def run(self) -> None:
        """Work until told to stop. Raises NotConfigured: a person must look."""
        step_by_step("signer", self)

    def step(self) -> bool:
        """Sign one part of one set, or end one; whether there was something to do."""
        with transaction(self._connections.working()) as cur:
            cur.execute(
                "SELECT run, signed_on FROM token_jobs WHERE state IN ('queued', 'running') ORDER BY asked_at"
                " LIMIT 1 FOR UPDATE SKIP LOCKED"
            )
            row = cur.fetchone()
            if row is None:
                return _forget_old(cur)
            run, today = run_for_update(cur, row[0]), civil_day(datetime.now(UTC))
            try:
                self._go_on(cur, run, row[1] or today, today)
            except (CertmarkError, TokenTooLong) as error:
                if isinstance(error, Fault):
                    raise
                detail = error.detail if isinstance(error, CertmarkError) else str(error)
                cur.execute(
                    "UPDATE token_jobs SET state = 'failed', detail = %s, finished_at = clock_timestamp()"
                    " WHERE run = %s",
                    (detail, run.id),
                )
                cur.execute("DELETE FROM code_parts WHERE run = %s", (run.id,))
            return True

    def _go_on(self, cur: Cursor, run: Run, signed_on: date, today: date) -> None:
        cur.execute(
            "SELECT part, codes FROM code_parts WHERE run = %s AND tokens IS NULL ORDER BY part LIMIT 1", (run.id,)
        )
        part = cur.fetchone()
        if part is None:
            _enter(cur, run)
            return
        certificate, mark = _in_force(cur, run, today)
        key = self._valid_key(cur)
        codes = zlib.decompress(bytes(part[1])).decode("ascii").split("\n")
        claims = _claims(run, certificate, mark, signed_on)
        tokens = [sign_token(claims, MarkPath.of_product(run.gtin or "", code), key) for code in codes]
        cur.execute(
            "UPDATE code_parts SET tokens = %s WHERE run = %s AND part = %s", (_packed(tokens), run.id, part[0])
        )
        cur.execute(
            "UPDATE token_jobs SET state = 'running', signed_on = %s, done = done + %s WHERE run = %s",
            (signed_on, len(tokens), run.id),
        )

    def _valid_key(self, cur: Cursor) -> PrivateKey:
        """Raises TokensNotSigned where the register knows no mark key of ours that is valid now."""
        key = in_force(self.keys.ready(), registered_in(cur), Purpose.MARK, datetime.now(UTC))
        if key is None:
            raise TokensNotSigned("this register has no valid mark key at present")
        return key

    def wait(self) -> None:
        self._connections.wait(_LOOK)

    def drop(self) -> None:
        self._connections.drop()


def _in_force(cur: Cursor, run: Run, today: date) -> tuple[Certificate, Mark]:
    """The certificate and mark that a set is of.

    Raises:
        TokensNotSigned: the authorization has ended, or the set is undone.
    """
    key = f"certificate/{run.certificate_no}"
    state = cast(CertificateState, orjson.loads(store.records_of(cur, [key])[key].state))
    certificate = from_state(state)
    mark = certificate.mark(run.mark_no)
    if mark is None or all(cast(dict[str, Any], codes).get("run") != run.run for codes in mark.code_sets):
        raise TokensNotSigned("the event that announced the set is undone")
    stands = mark_standing(certificate, mark, today)
    if stands not in PRINTABLE:
        raise TokensNotSigned(f"mark {mark.mark_no} is {stands}: no code is made for it any more")
    return certificate, mark


def _claims(run: Run, certificate: Certificate, mark: Mark, signed_on: date) -> MarkClaims:
    assert run.status_index is not None
    ends = [end for end in (mark.valid_until, certificate.valid_until) if end is not None]
    return MarkClaims(
        issued_on=signed_on,
        valid_days=valid_days(signed_on, min(ends) if ends else None),
        mark_no=mark.mark_no,
        certificate_no=certificate.certificate_no,
        list_id=run.status_index // LIST_SIZE,
        index=run.status_index % LIST_SIZE,
        model=short_model(run.product),
    )


def _enter(cur: Cursor, run: Run) -> None:
    """One entry for the whole set, before anybody can fetch a token of it.

    It is written as the worker writes: under the head's lock, with the next seq. The worker then finds the head moved
    and reads its memory again.
    """
    cur.execute("SELECT part FROM code_parts WHERE run = %s ORDER BY part", (run.id,))
    commitment = commitment_to(token for (part,) in cur.fetchall() for _, token in tokens_of(cur, run, part))
    cur.execute("SELECT seq FROM entries WHERE digest = %s AND kind = 'token'", (commitment,))
    known = cur.fetchone()
    seq = known[0] if known else _append(cur, run, commitment)
    cur.execute(
        "UPDATE token_jobs SET state = 'done', commitment = %s, seq = %s, finished_at = clock_timestamp()"
        " WHERE run = %s",
        (commitment, seq, run.id),
    )


def _append(cur: Cursor, run: Run, commitment: str) -> int:
    head = store.lock_head(cur)
    recorded_at = max(head.recorded_at, milliseconds(head.now))
    entry = store.bare_entry("token", head.size, commitment, run.certificate_no, recorded_at)
    entry.leaf = leaf_of(entry)
    store.save_entries(cur, [entry])
    cur.execute("UPDATE head SET size = size + 1, recorded_at = %s", (recorded_at,))
    store.notify(cur)
    return head.size


def _forget_old(cur: Cursor) -> bool:
    """Serials and tokens that nobody fetched in time go."""
    cur.execute(
        "SELECT run FROM token_jobs WHERE state IN ('done', 'failed') AND finished_at < clock_timestamp() - %s LIMIT 1",
        (KEPT,),
    )
    row = cur.fetchone()
    if row is not None:
        forget(cur, run_for_update(cur, row[0]))
    return row is not None


def main() -> int:
    return run_until_stopped("signer", Signer)


if __name__ == "__main__":
    sys.exit(main())
