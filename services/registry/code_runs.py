"""Sets of unit codes as the register knows them: which were announced, and what has come for them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.domain.certificate import Certificate
from services.domain.identifiers import certificate_number
from services.domain.scheme import SchemeRules
from services.domain.unit_code import Form, pattern_by_rule
from services.events.envelope import Event
from services.postgres import Cursor, execute_values
from services.registry.tokens import LIST_SIZE, TokenRecord

CODES_ISSUED = "certmark.mark.codes_issued.v1"


@dataclass(frozen=True, slots=True)
class Announced:
    """A set that an accepted event announced. `status_index` is the place that the tokens of its serials share."""

    run: str
    source: str
    digest: str
    certificate_no: str
    mark_no: str
    product: str
    gtin: str | None
    form: Form
    quantity: int
    pattern: str | None
    seq: int
    status_index: int | None


@dataclass(frozen=True, slots=True)
class Run(Announced):
    """The same with its key here, and what has come: all of it where `stored`."""

    id: int
    received: int
    last_code: str
    stored: bool


def announced(event: Event, certificate: Certificate, rules: SchemeRules | None, seq: int, index: int) -> Announced:
    """The set of an event that was just accepted; `index` is the next place in a status list, for serials."""
    data: Mapping[str, Any] = event.data
    form = Form(data.get("form") or Form.CODE)
    pattern = None
    if form is Form.CODE and rules is not None:
        pattern = pattern_by_rule(rules, data["rule_version"], date.fromisoformat(data["effective_at"]))
    return Announced(
        run=event.digest,
        source=event.source,
        digest=data["digest"],
        certificate_no=certificate.certificate_no,
        mark_no=certificate_number(data["mark_no"]),
        product=data["product"],
        gtin=data.get("gtin"),
        form=form,
        quantity=data["quantity"],
        pattern=pattern,
        seq=seq,
        status_index=index if form is Form.SERIAL else None,
    )


def place_of(run: Announced) -> TokenRecord:
    """The place in a status list that all serials of a run share, as it travels in the certificate's record."""
    assert run.status_index is not None
    return {
        "mark_no": run.mark_no,
        "gtin": run.gtin,
        "model": run.product,
        "token": None,
        "list": run.status_index // LIST_SIZE,
        "index": run.status_index % LIST_SIZE,
        "serials": run.run,
    }


_ANNOUNCED = "run, source, digest, certificate_no, mark_no, product, gtin, form, quantity, pattern, seq, status_index"


def save_announced(cur: Cursor, runs: Iterable[Announced]) -> None:
    rows = [
        (
            *(r.run, r.source, r.digest, r.certificate_no, r.mark_no, r.product, r.gtin),
            *(r.form.value, r.quantity, r.pattern, r.seq, r.status_index),
        )
        for r in runs
    ]
    if rows:
        execute_values(cur, f"INSERT INTO code_runs ({_ANNOUNCED}) VALUES %s", rows)


def runs_with(cur: Cursor, source: str, digest: str) -> list[Run]:
    """The sets with this digest that a source announced, the first one first."""
    cur.execute(
        f"SELECT {_ANNOUNCED}, id, received, last_code, stored_at IS NOT NULL FROM code_runs"
        " WHERE source = %s AND digest = %s ORDER BY id",
        (source, digest),
    )
    return [_run(row) for row in cur.fetchall()]


def run_for_update(cur: Cursor, id_: int) -> Run:
    """A set, locked against others who bring its codes at the same time."""
    cur.execute(
        f"SELECT {_ANNOUNCED}, id, received, last_code, stored_at IS NOT NULL FROM code_runs WHERE id = %s FOR UPDATE",
        (id_,),
    )
    return _run(cur.fetchall()[0])


def _run(row: tuple[Any, ...]) -> Run:
    members = [*row]
    members[7] = Form(row[7])
    return Run(*members)
