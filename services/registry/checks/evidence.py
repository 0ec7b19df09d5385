"""The bundle of a check that is done, out of the database: see `services.listings.bundle`."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from services.domain.errors import CertmarkError, Fault
from services.domain.identifiers import instant_text
from services.events.canonical import canonical_text
from services.events.keys import PrivateKey
from services.listings.bundle import FINDINGS, RECORDS, WORKBOOK, Packer, counted
from services.listings.report import REPORT, printed, report_html
from services.listings.workbook import write_workbook
from services.postgres import Cursor
from services.registry.checks import store
from services.registry.checks.store import Job
from services.registry.dumps import chain_of_key
from services.registry.past import administrative_states, recall_states
from services.registry.relay import seal
from services.registry.store import StoredRecord

MOST_ROWS = 100_000
"""Rows of a check that a bundle is made of."""


class NotDone(CertmarkError):
    slug = "check-not-done"
    title = "The check is not done, or has more rows than a bundle is made of at once"
    zh = "核查尚未完成，或行数超过一次可打包的上限"
    status = 409


class MaterialGone(CertmarkError):
    slug = "material-gone"
    title = "What was sent has been deleted after the time for which it is kept"
    zh = "所提交的材料已超过保存期限并删除"
    status = 410


class BundleFailed(Fault):
    slug = "bundle-failed"
    title = "The bundle could not be made"
    zh = "证据包生成失败"


def may_have_bundle(job: Job, rows: int) -> None:
    """
    Raises:
        NotDone: it is not done, or too large. MaterialGone: what was sent is not there any more.
    """
    if job.state != "done" or rows > MOST_ROWS:
        raise NotDone(f"state {job.state}, {rows} rows; a bundle has at most {MOST_ROWS}")
    if job.material_gone:
        raise MaterialGone("the time for which it is kept is over")


def write_bundle(cur: Cursor, job: Job, key: PrivateKey, path: Path) -> bytes:
    """Write the bundle of a check into a folder of its own; its manifest. For the errors see `may_have_bundle`."""
    told = store.counted(cur, job.id)
    may_have_bundle(job, told.done)
    about = {
        "check": job.sha256,
        "name": job.name,
        "sha256": job.sha256,
        "mapping": dict(job.mapping),
        "seq": job.seq,
        "recorded_at": _recorded_at(cur, job.seq),
        "day": job.day.isoformat(),
        "rule_set": job.rule_set,
        "rows": told.done,
        "verdicts": told.verdicts,
        "rules": told.rules,
    }
    packer = Packer(path)
    packer.add(FINDINGS, (lines for _, lines, _ in store.frames_of(cur, job.id)))
    workbook = path.with_name(WORKBOOK)
    write_workbook(workbook, counted(lines for _, lines, _ in store.frames_of(cur, job.id)), about)
    packer.add(WORKBOOK, [workbook.read_bytes()])
    findings = counted(lines for _, lines, _ in store.frames_of(cur, job.id))
    packer.add(REPORT, [printed(report_html(findings, about))])
    for what in ("file", "images"):
        first = next(store.material(cur, job.id, what), None)
        if first is not None:
            packer.add(f"received/{what}", store.material(cur, job.id, what))
    packer.add(RECORDS, _records(cur, job, key))
    return packer.seal(about, key, chain_of_key(cur, key.public.kid))


def _recorded_at(cur: Cursor, seq: int) -> str:
    cur.execute("SELECT recorded_at FROM entries WHERE seq = %s", (seq,))
    row = cur.fetchone()
    return instant_text(row[0] if row else datetime.fromtimestamp(0, UTC))


def _records(cur: Cursor, job: Job, key: PrivateKey) -> Iterator[bytes]:
    """The states relied on as the position has them, sealed, in order of their keys. Their revision is their entry."""
    states = administrative_states(cur, job.seq) | recall_states(cur, job.seq)
    for name in sorted(states):
        then = states[name]
        text = canonical_text(dict(then.state), floats=True)
        yield seal(_record(name, then.seq, then.recorded_at, "", text), key) + b"\n"
    numbers = sorted({number for _, relied in store.relied_on(cur, job.id) for number in relied})
    for first in range(0, len(numbers), 500):
        for subject, seq, recorded_at, digest, state in _states(cur, numbers[first : first + 500], job.seq):
            yield seal(_record(f"certificate/{subject}", seq, recorded_at, digest, state), key) + b"\n"


def _states(cur: Cursor, numbers: list[str], seq: int) -> Iterable[tuple[str, int, datetime, str, str]]:
    cur.execute(
        "SELECT DISTINCT ON (subject) subject, seq, recorded_at, digest, state FROM entries WHERE subject = ANY(%s)"
        " AND seq <= %s AND state IS NOT NULL"
        " AND (kind = 'consequence' OR split_part(type, '.', 2) IN ('certificate', 'mark', 'declaration'))"
        " ORDER BY subject, seq DESC",
        (numbers, seq),
    )
    return cast(list[tuple[str, int, datetime, str, str]], cur.fetchall())


def _record(key: str, seq: int, recorded_at: datetime, digest: str, state: str) -> StoredRecord:
    return StoredRecord(key, seq, seq, recorded_at, digest, state, "[]", under_review=False, event=None)
