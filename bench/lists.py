"""How long status lists take: to make a million places anew, to turn one of them, to check them all; and their size."""

import json
import random
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial

from rich.progress import Progress

from bench.figures import Figure
from bench.stage import load, stage
from services.domain.body import Purpose
from services.domain.certificate import Item, to_state
from services.domain.identifiers import civil_day
from services.events.canonical import canonical_text
from services.events.keys import load_key, new_key
from services.marks.signers import Signer
from services.marks.status_list import LIFE, SIZE, TTL, Status, StatusList, empty_array, put_status, sign_list
from services.postgres import Cursor, transaction
from services.registry import list_store
from services.registry.list_check import Checker
from services.registry.list_places import fold
from tests.sealed_register import demonstration

EACH = 4
"""Places of a certificate: its products."""

SIZE_BAR = 3000.0
TURN_BAR_MS = 1000.0


def measure(progress: Progress, *, quick: bool) -> list[Figure]:
    """2^20 places on certificates with four products each, one in twenty suspended in runs."""
    places = SIZE // 16 if quick else SIZE
    task = progress.add_task("status lists", total=5)
    with stage() as register, transaction(register.connection) as cur:
        _load(cur, places)
        progress.advance(task)
        day = civil_day(datetime.now(UTC))
        whole = _seconds(lambda: _fold_all(cur, day))
        progress.advance(task)
        turned = [_seconds(partial(_turn, cur, day, n)) * 1000 for n in range(20)]
        progress.advance(task)
        stored = list_store.lists(cur)[0]
        key = load_key(register.settings.status_key)
        now = datetime.now(UTC)
        content = StatusList("https://mark.example/status/0", now, now + LIFE, TTL, stored.places)
        signing = _seconds(lambda: sign_list(content, key)) * 1000
        data = sign_list(content, key)
        signer = Signer("urn:certmark:registry:main", Purpose.STATUS, key.public, day)
        checker = Checker(lambda _: data, "https://mark.example/status", now, [signer])
        checking = _seconds(lambda: _check(cur, checker, places))
        progress.advance(task)
    progress.remove_task(task)
    raw: dict[str, float | str] = {
        "places": places,
        "certificates": places // EACH,
        "whole s": round(whole, 1),
        "places a second": round(places / whole),
        "sign ms": round(signing, 1),
        "check s": round(checking, 1),
        "load": load(),
    }
    middle = sorted(turned)[len(turned) // 2]
    return [
        Figure(
            "a status list of 2^20 places, 5 % not valid in runs of 50",
            len(in_runs()),
            "bytes",
            bar=SIZE_BAR,
            at_least=False,
        ),
        Figure("one suspension among a million places, median", middle, "ms", bar=TURN_BAR_MS, at_least=False, raw=raw),
    ]


def in_runs(seed: int = 20) -> bytes:
    """A signed list as full as a list can be, one in twenty places not valid, in runs of fifty at random."""
    chance = random.Random(seed)
    array = empty_array()
    for run in chance.sample(range(SIZE // 50), SIZE // 20 // 50):
        status = chance.choice([Status.REVOKED, Status.SUSPENDED, Status.CANCELLED])
        for at in range(run * 50, run * 50 + 50):
            put_status(array, at, status)
    now = datetime(2026, 11, 26, tzinfo=UTC)
    content = StatusList("https://mark.example/status/0", now, now + LIFE, TTL, bytes(array))
    return sign_list(content, new_key())


def _load(cur: Cursor, places: int) -> None:
    """Records as a worker leaves them, written by one statement: what is measured only reads them."""
    certificate = demonstration("2023990703000117")
    items = tuple(Item(f"M{n}", None) for n in range(EACH))
    assert certificate.product is not None
    mark = replace(certificate.marks[0], products=items)
    state = to_state(replace(certificate, product=replace(certificate.product, items=items), marks=(mark,)))
    text = canonical_text(dict(state), floats=False)
    tokens = json.dumps(
        [
            {"mark_no": mark.mark_no, "gtin": None, "model": f"M{n}", "token": "A" * 148, "list": 0, "index": -n - 1}
            for n in range(EACH)
        ]
    )
    for n in range(EACH):
        tokens = tokens.replace(f'"index": {-n - 1}}}', f'"index": #{n}#}}')
    cur.execute("SELECT revision FROM head FOR UPDATE")
    replaced = "tokens_text"
    for n in range(EACH):
        replaced = f"replace({replaced}, '#{n}#', (n * {EACH} + {n})::text)"
    cur.execute(
        "INSERT INTO record_rows (key, revision, seq, recorded_at, digest, state, tokens, under_review)"  # noqa: S608  # our own numbers
        f" SELECT 'certificate/' || n, 1000000 + n, 0, now(), '', CASE WHEN n / 13 %% 20 = 0 THEN %(suspended)s"
        f" ELSE %(active)s END, {replaced}, false FROM generate_series(0, %(last)s) n,"
        " (SELECT %(tokens)s::text AS tokens_text) t",
        {
            "active": text,
            "suspended": text.replace('"status":"active"', '"status":"suspended"'),
            "last": places // EACH - 1,
            "tokens": tokens,
        },
    )
    cur.execute("UPDATE head SET revision = (SELECT max(revision) FROM records)")
    cur.execute("ANALYZE record_rows")


def _fold_all(cur: Cursor, day: date) -> None:
    while fold(cur, list_store.lock(cur, day), day).more:
        pass


def _turn(cur: Cursor, day: date, n: int) -> None:
    """What one change costs once it is decided: the page, the place, the list's bytes."""
    cur.execute(
        "UPDATE record_rows SET revision = (SELECT max(revision) + 1 FROM records),"
        ' state = replace(state, \'"status":"active"\', \'"status":"suspended"\') WHERE key = %s',
        (f"certificate/{n * 997}",),
    )
    _fold_all(cur, day)


def _check(cur: Cursor, checker: Checker, places: int) -> None:
    report = checker.all(cur)
    assert report.good
    assert report.places == places
    assert places // 25 < report.not_valid < places // 15


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
